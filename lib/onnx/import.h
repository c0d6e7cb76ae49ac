/* Making a net of an ONNX graph, for this room alone.
 *
 * Each value of the graph is either a constant, computed here (fold.h), or the output of a
 * layer of the net seen through a view: how the dimensions of the ONNX tensor map to the layer's
 * axes C, H and W. Transpose, Reshape, Squeeze and their like change the view only; dense weights and
 * constants are read through it. So a network in NHWC becomes the same net as its twin in NCHW, and
 * nothing is moved at run time.
 *
 * Functions return -1 or NULL when they have failed the call at hand (call_fail). */
#ifndef INKPIPE_ONNX_IMPORT_H
#define INKPIPE_ONNX_IMPORT_H

#include "onnx.h"
#include "fold.h"

#define MAX_LAYERS (4 * NET_MAX_LAYERS) /* A graph makes at most so many layers, before tidy.c drops some. */

enum axis { AXIS_C, AXIS_H, AXIS_W };

/* An ONNX tensor as a layer's output. Row-major, its elements run over the axes in `order`, and
 * each dimension is the product of the axes `at` it. Axes of size 1 may be anywhere. */
struct view {
    struct dims dims;
    int batch; /* the dimension that is N; -1: none, it was 1 and has been squeezed */
    long size[3]; /* the layer's shape; of a flattened layer, the one it had before */
    int order[3];
    int at[3];
};

enum kind { NOTHING, INITIALIZER, CONSTANT, RUNTIME };

/* A name in the graph. */
struct value {
    const char *name;
    enum kind kind;
    bool needed;                          /* the output depends on it */
    const Onnx__TensorProto *initializer; /* INITIALIZER: not read yet */
    struct tensor tensor;                 /* CONSTANT */
    int layer;                            /* RUNTIME, as are those below */
    struct view view;
    bool integer;   /* pixels of an integer type, not cast to float yet */
    bool quantized; /* the ONNX value is the integer x; the layer has its meaning, (x - zero) * scale */
    double scale, zero;
};

struct import {
    const Onnx__GraphProto *graph;
    struct net *net;
    bool *affine;        /* [MAX_LAYERS] a batch norm that was made of constants here */
    struct value *value; /* [values], sorted by name */
    size_t values;
    long batch;       /* N as the shapes have it; 1 when it is symbolic */
    bool one_image;   /* the file fixes N to 1 */
    int tile;         /* the side of a finder's pictures, whose size may be open; 0: no finder */
    long constants;   /* the budget of constants: values that may still be allocated */
    long weights;     /* the budget of weights: floats that may still be allocated */
    struct call call; /* the node being processed */
};

/* An operator on values that depend on the image: run makes layers or views of m->call.node. */
struct operator {
    const char *type;
    int (*run)(struct import *m);
};

/* The tables of operators. Each ends with a NULL type. */
extern const struct operator affine_operators[], dense_operators[], view_operators[],
    window_operators[];

/* Find the value of that name. NULL when there is none. */
struct value *import_find(struct import *m, const char *name);

/* Input i of the node being processed:
 *   import_input     NULL when it is omitted
 *   import_runtime   must depend on the image and be a float; NULL when the call has failed
 *   import_any       input 0, must depend on the image; integers and quantized values will do
 *   import_constant  must be constant
 *   import_given     whether it is there */
struct value *import_input(struct import *m, size_t i);
struct value *import_runtime(struct import *m, size_t i);
const struct value *import_any(struct import *m);
const struct tensor *import_constant(struct import *m, size_t i);
bool import_given(struct import *m, size_t i);

/* Make the node's output that layer's, seen through view. A layer of -1 has failed already: returns -1. */
int import_result(struct import *m, int layer, const struct view *view);

/* Make the node's output x, seen through another view. */
int import_same(struct import *m, const struct value *x, const struct view *view);

/* Append a layer in two steps: import_new_layer, which the caller fills in, then import_finish, which
 * infers its shape and returns its index, or -1. import_add does both for a layer without parameters. */
struct layer *import_new_layer(struct import *m, enum op op, int from);
int import_finish(struct import *m);
int import_add(struct import *m, enum op op, int from);

/* Zeroed floats for a layer, counted against m->weights. */
float *import_floats(struct import *m, long count);

/* Set l->step to w's steps times factor when w was dequantized and its steps are one, or along `axis`
 * (that of the outputs). */
int import_steps(struct import *m, struct layer *l, const struct tensor *w, int axis, float factor);

/* Set l->bias to input i times factor if that is there. l->out.c must be known. */
int import_bias(struct import *m, struct layer *l, size_t i, float factor);

static inline struct shape import_shape(const struct import *m, int layer)
{
    return m->net->layer[layer].out;
}

static inline long shape_values(struct shape s)
{
    return (long)s.c * s.h * s.w;
}

static inline bool is_flat(struct shape s)
{
    return s.h == 1 && s.w == 1;
}

/* The stages, in order: make the table of names; mark the values that the output depends on and check that
 * all their operators can be run; make the input layer; run the nodes; make the output; fold and drop
 * layers. */
int import_names(struct import *m);
int import_needed(struct import *m, struct value *output);
int import_input_layer(struct import *m);
int import_nodes(struct import *m);
int import_output_layer(struct import *m, const struct value *y);
int import_tidy(struct import *m);

/* Free the arrays that a layer owns. */
void import_free_layer(struct layer *l);

/* Views of a layer of shape s: [N][C][H][W] and [N][C*H*W]; axes in the order C H W. */
struct view view_nchw(const struct import *m, struct shape s);
struct view view_flat(const struct import *m, struct shape s);
void view_natural(struct view *v, struct shape s);

/* True when the elements of an image run in the order C H W. */
bool view_is_linear(const struct view *v);

/* Assign each axis to a dimension of dims[first..]. False when a dimension is no product of axes. */
bool view_place(struct view *v, int first);

/* The stride of each axis in an ONNX tensor of `like` dims that is broadcast to the view. */
int view_strides(struct import *m, const struct view *v, const struct dims *like, long *stride);

/* The layer whose shape is the one that x's view says: x's own, or a reshape appended to it. What looks at
 * H and W needs it. view_pictures fails unless x is [N][C][H][W] as well. */
int view_spatial(struct import *m, const struct value *x);
int view_pictures(struct import *m, const struct value *x);

#endif
