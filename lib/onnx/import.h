/* Making a net of an ONNX graph, for the onnx_*.c alone.
 *
 * Each value of the graph is either a constant, computed here (onnx_fold.h), or the output of a
 * layer of the net seen through a view: how the axes of the ONNX tensor stand to the layer's C, H
 * and W. Transpose, Reshape, Squeeze and their like change the view only; dense weights and
 * constants are read through it. So a network in NHWC becomes the same net as its twin in NCHW, and
 * nothing is moved at run time.
 *
 * Functions return -1 or NULL when they have failed the call at hand (call_fail). */
#ifndef INKPIPE_ONNX_IMPORT_H
#define INKPIPE_ONNX_IMPORT_H

#include "onnx.h"
#include "fold.h"

#define MAX_LAYERS (4 * NET_MAX_LAYERS) /* before those that are folded away are dropped */

enum axis { AXIS_C, AXIS_H, AXIS_W };

/* An ONNX tensor as a layer's output. Row-major, its elements run over the axes in `order`, and
 * each dimension is the product of the axes `at` it. Axes of size 1 may be anywhere. */
struct view {
    struct dims dims;
    int batch; /* the dimension of the images; -1: dropped, there is but one */
    long size[3]; /* the layer's shape; of a flattened layer, the one it had before */
    int order[3];
    int at[3];
};

enum kind { NOTHING, INITIALIZER, CONSTANT, RUNTIME };

/* A name in the graph. */
struct value {
    const char *name;
    enum kind kind;
    bool needed;                          /* by the output */
    const Onnx__TensorProto *initializer; /* INITIALIZER: not read yet */
    struct tensor tensor;                 /* CONSTANT */
    int layer;                            /* RUNTIME, as are those below */
    struct view view;
    bool integer;   /* pixels as whole numbers, not cast to float yet */
    bool quantized; /* the layer has the value that (x - zero) * scale would give */
    double scale, zero;
};

struct import {
    const Onnx__GraphProto *graph;
    struct net *net;
    bool *affine;        /* [MAX_LAYERS] a batch norm that was made of constants here */
    struct value *value; /* [values], sorted by name */
    size_t values;
    long batch;       /* images a run as the shapes have it; 1 when it is left open */
    bool one_image;   /* the file fixes it to 1 */
    int tile;         /* the side of a finder's pictures, whose size may be open; 0: no finder */
    long constants;   /* constant values that may still be allocated */
    long weights;     /* floats that may still be */
    struct call call; /* the node at hand */
};

/* An operator that is run on values: m->call.node, from its inputs to its outputs. */
struct operator {
    const char *type;
    int (*run)(struct import *m);
};

/* Each ends with a NULL type. */
extern const struct operator affine_operators[], dense_operators[], view_operators[],
    window_operators[];

/* The value of that name, or NULL. */
struct value *import_find(struct import *m, const char *name);

/* Input i of the node at hand: NULL when it is left out; one that depends on the image and can be
 * computed with; one that only has to depend on it (input 0); a constant; and if it is there. */
struct value *import_input(struct import *m, size_t i);
struct value *import_runtime(struct import *m, size_t i);
const struct value *import_any(struct import *m);
const struct tensor *import_constant(struct import *m, size_t i);
bool import_given(struct import *m, size_t i);

/* The node's output is that layer's, seen through view; a layer of -1 has failed already. */
int import_result(struct import *m, int layer, const struct view *view);

/* The node's output is x's layer, and is what x is, seen through view. */
int import_same(struct import *m, const struct value *x, const struct view *view);

/* Append a layer, fill it in, finish it: its shape is worked out and its index returned.
 * import_add does all for a layer that has nothing to be filled in. */
struct layer *import_new_layer(struct import *m, enum op op, int from);
int import_finish(struct import *m);
int import_add(struct import *m, enum op op, int from);

/* Zeroed floats for a layer, counted against m->weights. */
float *import_floats(struct import *m, long count);

/* l's step, where the values of w, whose outputs are along `axis`, are multiples of steps. */
int import_steps(struct import *m, struct layer *l, const struct tensor *w, int axis, float factor);

/* l's bias from input i times factor, if there is one; l's out.c is known. */
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

/* The stages, in order: a table of all names; what the output is made of, all of it operators that
 * are run; the input; the nodes; the output; folding and dropping layers. */
int import_names(struct import *m);
int import_needed(struct import *m, struct value *output);
int import_input_layer(struct import *m);
int import_nodes(struct import *m);
int import_output_layer(struct import *m, const struct value *y);
int import_tidy(struct import *m);

/* Free what a layer owns. */
void import_free_layer(struct layer *l);

/* Views of a layer of shape s: [N][C][H][W] and [N][C*H*W]; axes in the order C H W. */
struct view view_nchw(const struct import *m, struct shape s);
struct view view_flat(const struct import *m, struct shape s);
void view_natural(struct view *v, struct shape s);

/* True when the elements of an image run in the order C H W. */
bool view_is_linear(const struct view *v);

/* Give each axis its dimension among dims[first..]; false when one is no product of axes. */
bool view_place(struct view *v, int first);

/* How far apart in an ONNX tensor of `like` dims, which is broadcast to the view, the elements are
 * that are neighbours along each axis. */
int view_strides(struct import *m, const struct view *v, const struct dims *like, long *stride);

/* x's layer, with the shape that the view says (one more layer, where that is another): needed
 * before anything that looks at H and W. view_pictures wants x to be [N][C][H][W] too. */
int view_spatial(struct import *m, const struct value *x);
int view_pictures(struct import *m, const struct value *x);

#endif
