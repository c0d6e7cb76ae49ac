/* Constants of an ONNX graph, for this room alone: tensors and attributes as a file has them, checked
 * (tensor.c), and operators computed when the model is read (fold.c). The rules for shapes (dims_*) serve
 * values that depend on the image too (view.c). */
#ifndef INKPIPE_ONNX_FOLD_H
#define INKPIPE_ONNX_FOLD_H

#include "net/net.h"
#include "onnx.pb-c.h"

#define ONNX_MAX_RANK 8 /* A tensor has at most so many dimensions. */

#define TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

struct dims {
    int rank;
    long dim[ONNX_MAX_RANK];
};

/* A constant. Its values are doubles, which are exact for every type but integers beyond 2^53; weights
 * that are not folded stay where protobuf-c unpacked the file's floats. */
struct tensor {
    int type; /* a DataType of TensorProto */
    struct dims dims;
    long count;
    double *data;        /* [count], row-major, owned */
    const float *floats; /* instead of data: borrowed */
    double *step;        /* owned; of a tensor that was dequantized, the steps (scales): values are whole
                            multiples of them, -128..127. One a place along step_axis, or one (-1) */
    int step_axis;
};

static inline double tensor_at(const struct tensor *t, long i)
{
    return t->floats ? (double)t->floats[i] : t->data[i];
}

struct call;
struct import;

/* The rule by which an operator makes one shape of another. */
typedef int dims_rule(struct call *c, const struct dims *in, struct dims *out);

/* An operator of ONNX (operators.c). */
struct operator {
    const char *type;
    int min, max;           /* how many inputs it has */
    const char *attributes; /* that it may have, separated by spaces */
    int (*fold)(struct call *c);  /* computes it of constants into c->out; NULL: it has no such use */
    int (*run)(struct import *m); /* makes layers or views of m->call.node; NULL: runs on constants only */
    int kind;               /* which one of a family: an enum op, an enum function, a sign */
    float alpha, beta;      /* what those attributes are when they are absent */
    dims_rule *rule;
    const char *domain;     /* NULL: ONNX's own */
};

const struct operator *operator_of(const Onnx__NodeProto *node); /* NULL: not known */
const char *operator_name(enum function function); /* the type of the operator of a function */
bool operator_takes(const struct operator *o, const char *attribute);
int operator_check(struct call *c); /* that the node has the inputs and attributes of its operator */

/* The node being processed. A function that fails puts into e why, led by the node's name and operator, sets
 * `failed` and returns -1; the first failure is kept. */
struct call {
    const Onnx__NodeProto *node;
    const struct operator *operator;
    long opset;
    const struct tensor **in; /* [node->n_input]: constant inputs; NULL: left out, or not constant */
    struct tensor *out;       /* the result of folding */
    long *budget;             /* values that may still be allocated for this model */
    bool failed;
    struct err *e;
};

int call_fail(struct call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An attribute, or `otherwise` when it is absent; a wrong type fails the call. */
long attr_int(struct call *c, const char *name, long otherwise);
float attr_float(struct call *c, const char *name, float otherwise);
bool attr_is(struct call *c, const char *name, const char *value, bool otherwise);

/* Read an attribute of up to max integers into values. Returns how many; -1 when it is absent. */
int attr_ints(struct call *c, const char *name, int max, long *values);

/* Read an attribute that is a list of numbers as a tensor of rank 1; t->data is NULL when it is absent. */
int attr_tensor(struct call *c, const char *name, struct tensor *t);

/* Read integers that newer opsets have as constant operand `index` and older ones as attribute `name`.
 * Returns as attr_ints does. */
int operand_ints(struct call *c, size_t index, const char *name, int max, long *values);

/* The value of a constant operand of one element; `otherwise` when it is absent. */
double operand_number(struct call *c, size_t index, double otherwise);

/* Make t a tensor of zeros, whose values are counted against the budget. */
int tensor_new(struct call *c, struct tensor *t, int type, const struct dims *dims);
void tensor_free(struct tensor *t);

/* Read an initializer or an attribute's tensor, which must outlive t. */
int tensor_read(struct call *c, const Onnx__TensorProto *proto, struct tensor *t);

/* Convert borrowed floats to doubles that t owns. */
int tensor_own(struct call *c, struct tensor *t);

/* Give t the `count` steps along axis whose multiples its values are. */
int tensor_set_steps(struct call *c, struct tensor *t, const double *steps, long count, int axis);

/* The lowest and highest value of an integer type; false for others. */
bool type_range(int type, double *low, double *high);
bool type_is_float(int type);

dims_rule dims_reshape, dims_flatten, dims_squeeze, dims_unsqueeze;
void dims_range(struct call *c, int rank, int *start, int *end); /* of Shape */
int dims_perm(struct call *c, int rank, int *perm); /* of Transpose */

/* An axis in -rank..rank-1 as 0..rank-1; fails beyond. */
int call_axis(struct call *c, long axis, int rank, int *result);

/* A slice along each dimension: begin and step in `in`, and the dims that come out. */
struct slice {
    long from[ONNX_MAX_RANK], by[ONNX_MAX_RANK];
    struct dims dims;
};
int dims_slice(struct call *c, const struct dims *in, struct slice *s);

/* The dims that two tensors are broadcast to together. */
int dims_common(struct call *c, const struct dims *a, const struct dims *b, struct dims *out);

/* Make out (x - zero) * scale, scale and zero being constant inputs `at` and at + 1 of the node: one number, or
 * one a place along dimension `along` of x. */
int dequantize(struct call *c, const struct tensor *x, size_t at, long along, struct tensor *out);

/* The folds of the table of operators. */
typedef int folder(struct call *c);
folder fold_arithmetic, fold_cast, fold_concat, fold_constant, fold_constant_of_shape, fold_dequantize, fold_dims,
    fold_each, fold_expand, fold_gather, fold_identity, fold_quantize, fold_reduce_prod, fold_shape, fold_slice,
    fold_transpose;

#endif
