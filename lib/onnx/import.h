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

/* Find the value of that name. NULL when there is none. */
struct value *import_find(struct import *m, const char *name);

/* Input i of the node being processed:
 *   import_input     NULL when it is omitted
 *   import_runtime   must depend on the image and be a float; NULL when the call has failed
 *   import_any       must depend on the image; integers and quantized values will do
 *   import_constant  must be constant
 *   import_given     whether it is there
 *   import_optional  a constant; NULL when it is not there, or the call has failed */
struct value *import_input(struct import *m, size_t i);
struct value *import_runtime(struct import *m, size_t i);
struct value *import_any(struct import *m, size_t i);
const struct tensor *import_constant(struct import *m, size_t i);
bool import_given(struct import *m, size_t i);
const struct tensor *import_optional(struct import *m, size_t i);

/* Make the node's output (output i) that layer's, seen through view. A layer of -1 has failed already: returns
 * -1. */
int import_result(struct import *m, int layer, const struct view *view);
int import_output(struct import *m, size_t i, int layer, const struct view *view);

/* Make the node's output x's layer, or another one, of the same numbers (of what type, in what steps), seen
 * through another view. */
int import_same(struct import *m, const struct value *x, const struct view *view);
int import_like(struct import *m, const struct value *x, int layer, const struct view *view);

/* Make output i a constant number, where it is asked for. */
int import_number(struct import *m, size_t i, double number);

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

/* Set l->bias to b times factor unless that is NULL. l->out.c must be known. */
int import_bias(struct import *m, struct layer *l, const struct tensor *b, double factor);

/* Append OP_POINTWISE. */
int import_function(struct import *m, int from, enum function function, float alpha);

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

/* Put the axes into the order of their dimensions, after an axis of size 1 has got a place. */
void view_sort(struct view *v);

/* The stride of each axis in an ONNX tensor of `like` dims that is broadcast to the view. */
int view_strides(struct import *m, const struct view *v, const struct dims *like, long *stride);

/* The layer whose shape is the one that x's view says: x's own, or a reshape appended to it. What looks at
 * H and W needs it. view_pictures fails unless x is [N][C][H][W] as well. */
int view_spatial(struct import *m, const struct value *x);
int view_reshaped(struct import *m, const struct value *x, const struct view *view);

/* The view of the same list of values whose axes are its dimensions. False where there is none. */
bool view_by_dims(const struct import *m, const struct view *v, struct view *out);
int view_pictures(struct import *m, const struct value *x);

/* Append y = scale * x + shift, one number a channel, or the same for all (scaled, shifted). The layer takes
 * over both arrays; NULL is all 1, all 0. */
int add_affine(struct import *m, int from, float *scale, float *shift);
int add_scaled(struct import *m, int from, float scale, float shift);

/* Make the node's output x with t, broadcast to it, added to or multiplied with it, or f of each value of t. */
int affine_with(struct import *m, const struct value *x, const struct tensor *t, bool is_scale,
                double (*f)(double));
double same(double x);

/* Append the convolution that the node's attributes describe, with weights w and, unless NULL, biases b; the
 * product factor * x * w, or x * transpose(w), + b_factor * b with a matrix w. They return the layer and set the
 * view of its output. */
int add_conv(struct import *m, const struct value *x, const struct tensor *w, const struct tensor *b,
             struct view *view);
int add_product(struct import *m, const struct value *x, const struct tensor *w, bool transposed, float factor,
                const struct tensor *b, float b_factor, struct view *view);

/* Append the product of two layers of one shape, or their sum. */
int add_pair(struct import *m, enum op op, int a, int b);

/* Append the mean over some of the axes, whose sides become 1; the values repeated along axes of side 1 to that
 * shape; (x - mean) / sqrt(variance + epsilon), mean and variance being over some of the axes. */
int add_mean(struct import *m, int from, const bool over[3]);
int add_copies(struct import *m, int from, struct shape to);
int add_normal(struct import *m, int from, const bool over[3], float epsilon);

/* Append x under another shape. */
int add_reshape(struct import *m, int from, struct shape to);

/* Append a layer whose channels are dimension d of x, for what joins or cuts them; *view becomes its. */
int view_channels(struct import *m, const struct value *x, int d, struct view *view);

/* Make the node's output i x in steps of `scale` and `zero`, inputs `at` and at + 1. */
int import_quantized(struct import *m, int layer, const struct view *view, size_t at);

/* Make *out the float value of input 0 of an operator on quantized values, scale and zero being inputs 1, 2. */
int import_dequantized(struct import *m, struct value *out);

/* Set the labels to the names of classes in attribute `strings`, or `ints`. */
int import_labels(struct import *m, const char *strings, const char *ints);

/* The operators. */
typedef int runner(struct import *m);
runner do_arithmetic, do_batchnorm, do_cast, do_clip, do_compare, do_concat, do_conv, do_conv_integer,
    do_conv_transpose, do_dequantize, do_dropout, do_dynamic_quantize, do_each, do_expand, do_flatten, do_gelu,
    do_gemm, do_global, do_group_norm, do_identity, do_layer_norm, do_linear_classifier, do_matmul,
    do_matmul_integer, do_negative, do_normalizer, do_pad, do_pointwise, do_pool, do_prelu, do_qlinear_conv,
    do_qlinear_matmul, do_quantize, do_reduce, do_resize, do_scaler, do_shape, do_slice, do_softmax, do_split,
    do_sum, do_swish, do_transpose, do_view, do_where, do_zipmap;

/* Replace the calls of the model's own functions by their nodes. Returns the graph to be read, which is the
 * model's where it has no functions; NULL when it has failed. */
struct inlined {
    Onnx__GraphProto graph;
    void *memory; /* a list of blocks */
};
const Onnx__GraphProto *inline_functions(const Onnx__ModelProto *model, struct inlined *in, struct err *e);
void inline_free(struct inlined *in);

#endif
