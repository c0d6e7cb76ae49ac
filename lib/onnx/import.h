/* Making a net of an ONNX graph, for this room alone.
 *
 * Each value of the graph is either a constant, computed here, or the output of a layer of the net with the positions
 * in it of the ONNX tensor's elements. Transpose, Reshape, Squeeze and their like change positions only, as they change
 * constants; dense weights and constants are put where the positions are. So a network in NHWC becomes the same net as
 * its twin in NCHW, and nothing is moved at run time.
 *
 * Once the node at hand has failed (node_fail) no tensor and no layer is made: functions return -1 or NULL, and may be
 * called with what has failed, a layer of -1 and the value `none`, so that only who writes into memory needs to ask. */
#ifndef INKPIPE_IMPORT_H
#define INKPIPE_IMPORT_H

#include "net/net.h"
#include "onnx.h"
#include "onnx.pb-c.h"

#define ONNX_MAX_RANK 8 /* A tensor has at most so many dimensions. */
#define MAX_LAYERS (4 * NET_MAX_LAYERS) /* A graph makes at most so many layers, before tidy.c drops some. */

#define TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

struct dims {
    int rank;
    long dim[ONNX_MAX_RANK];
};

/* What an import allocates but the net: zeroed blocks, all of which memory_free frees. */
struct memory {
    struct block *last;
    size_t left; /* how many bytes may still be allocated */
};
void *memory_new(struct memory *memory, size_t size); /* NULL: no memory, or not so much left */
void memory_free(struct memory *memory);

/* Numbers, row-major. They are doubles, which are exact for every type but integers beyond 2^53; weights that are not
 * folded stay where protobuf-c unpacked the file's floats. */
struct tensor {
    int type; /* a DataType of TensorProto */
    struct dims dims;
    long count;
    const double *data;  /* [count]; NULL: floats */
    const float *floats; /* [count]; NULL too: 0, 1, 2 ... */
    const double *step;  /* of a tensor that was dequantized, the steps (scales): values are whole multiples of
                            them, -128..127. One a place along step_axis, or one (-1) */
    int step_axis;
};

enum axis { AXIS_C, AXIS_H, AXIS_W };

enum kind { NOTHING, INITIALIZER, CONSTANT, RUNTIME };

/* A name in the graph. */
struct value {
    const char *name;
    enum kind kind;
    bool needed;                          /* the output depends on it */
    const Onnx__TensorProto *initializer; /* INITIALIZER: not read yet */
    struct tensor t; /* CONSTANT: its numbers. RUNTIME: where in the layer's output, [C][H][W], the elements of an
                        image are; N is 1 */
    int batch;       /* the dimension that is N; -1: none, it is constant, or was 1 and has been squeezed */
    int layer;       /* RUNTIME, as are those below; else 0 */
    bool integer;    /* pixels of an integer type, not cast to float yet */
    bool quantized;  /* the ONNX value is the integer x; the layer has its meaning, (x - zero) * scale */
    double scale, zero;
};

/* A node of the graph. */
struct step {
    const Onnx__NodeProto *node;
    const struct operator *operator; /* NULL: not known */
    struct value **in, **out;        /* [node->n_input], [node->n_output]; NULL: left out */
    bool needed;                     /* the output depends on it */
};

struct import {
    const Onnx__GraphProto *graph;
    struct step *step; /* [graph->n_node] */
    struct value none; /* that of a node that has failed: no layer, no numbers */
    long opset;
    struct net *net;
    bool *affine;        /* [MAX_LAYERS] a batch norm that was made of constants here */
    struct value *value; /* [values], sorted by name */
    size_t values;
    long batch;     /* N as the shapes have it; 1 when it is symbolic */
    bool one_image; /* the file fixes N to 1 */
    int tile;       /* the side of a finder's pictures, whose size may be open; 0: no finder */
    struct memory memory;
    long numbers, weights; /* budgets: how many numbers, and floats of weights, may still be made */
    struct err *e;

    const Onnx__NodeProto *node; /* the step at hand, as in struct step */
    const struct operator *operator;
    struct value **in, **out;
    bool failed; /* the import, by the first failure, which e says */
};

/* ---- The table of operators (operators.c) ---- */

/* Compute a constant; or make layers, or move positions. *y is a copy of input 0, and becomes the output. Returns the
 * output's layer, 0 of a constant; -1 when it has failed. */
typedef int runner(struct import *m, struct value *y);

/* The rule by which an operator makes one shape of another. */
typedef int dims_rule(struct import *m, const struct dims *in, struct dims *out);

/* What input 0 must be, where it is not constant. */
enum takes {
    FLOATS, /* floats that depend on the image */
    ANY,    /* integers, quantized values and what comes after softmax too */
    ITSELF  /* the runner looks for it itself: it may be constant */
};

struct operator {
    const char *type;
    int min, max;           /* how many inputs it has */
    const char *attributes; /* that it may have, separated by spaces */
    runner *fold;           /* where all inputs are constant; NULL: they may not be */
    runner *run;            /* where one depends on the image; NULL: none may */
    enum takes takes;
    int kind;            /* which one of a family: an enum op, an enum function, a sign */
    float alpha, beta;   /* what those attributes are when they are absent */
    dims_rule *rule;
    double (*each)(double); /* the function of each value of a constant */
    int out;                /* the output that is made; others are left out */
    const char *domain;     /* NULL: ONNX's own */
};

double inverted(double x); /* 1 / x */
double negated(double x);

const struct operator *operator_of(const Onnx__NodeProto *node); /* NULL: not known */
const char *operator_name(enum function function); /* the type of the operator of a function */
bool operator_takes(const struct operator *o, const char *attribute);
int operator_check(struct import *m); /* that the node has the inputs and attributes of its operator */

/* ---- The node at hand, its attributes and constants (tensor.c) ---- */

/* Say in m->e why the node has failed, led by its name and operator; the first failure is kept. Returns -1. */
int node_fail(struct import *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An attribute, or `otherwise` when it is absent; a wrong type fails the node. */
const Onnx__AttributeProto *attr_find(const Onnx__NodeProto *node, const char *name); /* NULL: absent */
long attr_int(struct import *m, const char *name, long otherwise);
float attr_float(struct import *m, const char *name, float otherwise);
bool attr_is(struct import *m, const char *name, const char *value, bool otherwise);

/* Read an attribute of up to max integers into values. Returns how many; -1 when it is absent. */
int attr_ints(struct import *m, const char *name, int max, long *values);

/* The same of exactly `count` integers of at least low; values stay as they are where it is absent. */
void attr_list(struct import *m, const char *name, int count, long low, long *values);

/* Make t an attribute that is a list of numbers, of rank 1; false when it is absent. */
bool attr_tensor(struct import *m, const char *name, struct tensor *t);

/* Read integers that newer opsets have as constant operand `index` and older ones as attribute `name`.
 * Returns as attr_ints does. */
int operand_ints(struct import *m, size_t index, const char *name, int max, long *values);

/* The value of a constant operand of one element; `otherwise` when it is absent. */
double operand_number(struct import *m, size_t index, double otherwise);

/* An axis in -rank..rank-1 as 0..rank-1; fails beyond, and is 0. */
int node_axis(struct import *m, long axis, int rank);

static inline double tensor_at(const struct tensor *t, long i)
{
    return t->data ? t->data[i] : t->floats ? (double)t->floats[i] : (double)i;
}

/* Make t a tensor whose values are counted against the budget, and are returned, zero: NULL where there are too many;
 * one of rank 0. */
double *tensor_new(struct import *m, struct tensor *t, int type, const struct dims *dims);
int tensor_number(struct import *m, int type, double number, struct tensor *t);

/* Read the list of numbers of an attribute, integers or floats. */
int tensor_list(struct import *m, const Onnx__AttributeProto *a, bool whole, struct tensor *t);

/* Read an initializer or an attribute's tensor, which must outlive t. */
int tensor_read(struct import *m, const Onnx__TensorProto *proto, struct tensor *t);

/* The lowest and highest value of an integer type; false for others. */
bool type_range(int type, double *low, double *high);
bool type_is_float(int type);

/* ---- Shapes of constants and of values that depend on the image (move.c) ---- */

dims_rule dims_reshape, dims_flatten, dims_squeeze, dims_unsqueeze;

long dims_count(const struct dims *d);
long dims_inner(const struct dims *d, int axis); /* how many elements each entry along an axis has */
long dims_check(struct import *m, const struct dims *dims); /* dims_count of any dims; fails where they are too large */

/* The dims that two tensors are broadcast to together. */
int dims_common(struct import *m, const struct dims *a, const struct dims *b, struct dims *out);

/* Check that a constant can be broadcast to dims; make out x broadcast to them. */
int dims_fit(struct import *m, const struct dims *from, const struct dims *to);
int tensor_broadcast(struct import *m, const struct tensor *x, const struct dims *dims, struct tensor *out);

/* Make out f (NULL: the value itself) of each value of x, as a tensor of that type; out may be x. */
int tensor_each(struct import *m, const struct tensor *x, int type, double (*f)(double), struct tensor *out);

/* ---- Values and layers (graph.c) ---- */

/* Input i of the node at hand:
 *   import_floats    must depend on the image, as FLOATS says; `none` where that fails
 *   import_any       must depend on the image, as ANY says
 *   import_constant  must be constant; the numbers of `none` where that fails
 *   import_optional  the same; NULL where it is not there
 *   import_known     NULL where it is not there or not constant
 *   import_given     whether it is there */
struct value *import_floats(struct import *m, size_t i);
struct value *import_any(struct import *m, size_t i);
const struct tensor *import_constant(struct import *m, size_t i);
const struct tensor *import_known(struct import *m, size_t i);
bool import_given(struct import *m, size_t i);
const struct tensor *import_optional(struct import *m, size_t i);

/* Check that x is as FLOATS says. */
int import_check(struct import *m, const struct value *x);

/* Make output i of the node y, where it is asked for; a constant number. */
int import_output(struct import *m, size_t i, const struct value *y);
int import_number(struct import *m, size_t i, double number);

/* Append a layer like that, of which sides, strides, dilations and groups that are 0 become 1, and infer its shape.
 * Its arrays are the net's then, or are freed. Returns its index, or -1; import_add: without parameters. */
int import_append(struct import *m, const struct layer *like);
int import_add(struct import *m, enum op op, int from);

/* Floats for a layer, counted against m->weights: all of one value; those of t times factor, a single one being
 * repeated. */
float *import_filled(struct import *m, long count, float value);
float *import_array(struct import *m, const struct tensor *t, long count, double factor);

/* Set l->step to w's steps times factor when w was dequantized and its steps are one, or along `axis`
 * (that of the outputs). */
void import_steps(struct import *m, struct layer *l, const struct tensor *w, int axis, float factor);

/* Set l->bias to b times factor unless that is NULL. l->out.c must be known. */
void import_bias(struct import *m, struct layer *l, const struct tensor *b, double factor);

/* Append OP_POINTWISE. */
int import_function(struct import *m, int from, enum function function, float alpha);

/* A layer, and its shape; of one that has failed, an input of 1x1x1. */
static inline const struct layer *import_layer(const struct import *m, int layer)
{
    static const struct layer failed = {.op = OP_INPUT, .in = {-1, -1}, .out = {1, 1, 1}};
    return layer < 0 ? &failed : &m->net->layer[layer];
}

static inline struct shape import_shape(const struct import *m, int layer)
{
    return import_layer(m, layer)->out;
}

static inline bool is_flat(struct shape s)
{
    return s.h == 1 && s.w == 1;
}

/* Fold and drop layers (tidy.c). */
int import_tidy(struct import *m);

/* The net that computes that output of a graph, from a file of that size. */
struct net *import_graph(const Onnx__GraphProto *graph, long opset, size_t file_size, int tile, const char *output,
                         struct err *e);

/* ---- Positions in layers (view.c) ---- */

/* 0, 1, 2 ...: labels of the places of a tensor of these dims, or the positions of a value in the order C H W. */
struct tensor tensor_natural(const struct dims *dims);

/* The dimensions that are C, H and W of a layer of that shape; -1: none, a side of 1. Turned: the last one is C, as in
 * NHWC. */
enum naming { NAME_CHW, NAME_HW, NAME_HWC, NAMINGS };
struct order {
    int dim[3];
    bool turned;
    struct shape shape;
};

struct wanted {
    int channels;              /* the dimension that must be C; -1: any */
    bool sides[ONNX_MAX_RANK]; /* those that must be H or W */
};

/* Make y's layer one whose axes are dimensions of y, as wanted (NULL: any), by a reshape where its shape is another.
 * Returns the layer; -1, which fails nothing, where y's elements have no such order. */
int view_order(struct import *m, struct value *y, const struct wanted *wanted, struct order *o);

/* Find such an order of a, whose layer has shape `own`, and, unless it is NULL, of b, both broadcast to dims, in which
 * the same dimension is the same axis of both: that shape, where one has it, else the first. The layers are left as
 * they are. */
bool view_common(const struct value *a, const struct value *b, const struct dims *dims, struct shape own,
                 const struct wanted *wanted, struct order *oa, struct order *ob);

/* Make y's elements those of a layer of shape s, in that order; [N][C][H][W]. */
int view_put(struct import *m, struct value *y, const struct order *o, struct shape s);
void view_picture(struct value *y, struct shape s);

/* Make y's layer pictures, [N][C][H][W], as y must be. */
int view_pictures(struct import *m, struct value *y);

/* ---- What layers are made of ---- */

/* Append x under another shape. */
int add_reshape(struct import *m, int from, struct shape to);

/* Append scale * x + shift; y with t, broadcast to it, added to or multiplied with it. */
int add_scaled(struct import *m, int from, float scale, float shift);
int affine_with(struct import *m, struct value *y, const struct tensor *t, bool is_scale);

/* Append the convolution that the node's attributes describe, with weights w and, unless NULL, biases b; the
 * product factor * y * w, or y * transpose(w), + b_factor * b with a matrix w. y's positions become the output's. */
int add_conv(struct import *m, struct value *y, const struct tensor *w, const struct tensor *b);
int add_product(struct import *m, struct value *y, const struct tensor *w, bool transposed, float factor,
                const struct tensor *b, float b_factor);

/* Append the product of two layers of one shape, or their sum. */
int add_pair(struct import *m, enum op op, int a, int b);

/* Append the values repeated along axes of side 1 to that shape. */
int add_copies(struct import *m, int from, struct shape to);

/* ---- The operators ---- */

runner fold_arithmetic, fold_cast, fold_concat, fold_constant, fold_constant_of_shape, fold_dequantize, fold_each,
    fold_gather, fold_quantize, fold_reduce_prod;

runner do_arithmetic, do_batchnorm, do_cast, do_clip, do_compare, do_concat, do_conv, do_conv_integer,
    do_conv_transpose, do_dequantize, do_dropout, do_dynamic_quantize, do_each, do_expand, do_flatten, do_gelu,
    do_gemm, do_global, do_group_norm, do_identity, do_layer_norm, do_linear_classifier, do_matmul,
    do_matmul_integer, do_negative, do_normalizer, do_pad, do_pointwise, do_pool, do_prelu, do_qlinear_conv,
    do_qlinear_matmul, do_quantize, do_reduce, do_resize, do_scaler, do_shape, do_slice, do_softmax, do_split,
    do_sum, do_swish, do_transpose, do_view, do_where, do_zipmap;

/* ---- Functions of the model (inline.c) ---- */

/* Replace the calls of the model's own functions by their nodes. Returns the graph to be read, which lives as long as
 * the memory and is the model's where it has no functions; NULL when it has failed. */
const Onnx__GraphProto *inline_functions(const Onnx__ModelProto *model, struct memory *memory, struct err *e);

#endif
