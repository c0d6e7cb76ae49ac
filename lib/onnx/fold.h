/* The constant side of an ONNX graph, for onnx_load.c alone: tensors known when the model is read,
 * and operators computed on them then. Shape arithmetic is shared with the other side. */
#ifndef INKPIPE_ONNX_FOLD_H
#define INKPIPE_ONNX_FOLD_H

#include "net/net.h"
#include "onnx.pb-c.h"

#define ONNX_MAX_RANK 8

#define TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

struct dims {
    int rank;
    long dim[ONNX_MAX_RANK];
};

/* Values are kept as doubles, which hold every type's exactly but for integers beyond 2^53; weights
 * that are not folded stay where the file's floats were unpacked. */
struct tensor {
    int type; /* a DataType of TensorProto */
    struct dims dims;
    long count;
    double *data;        /* [count], row-major, owned */
    const float *floats; /* instead of data: borrowed */
    double *step;        /* owned, of values that were dequantized: they are -128..127 times these,
                            one for each place along step_axis, or, where that is -1, one for all */
    int step_axis;
};

static inline double tensor_at(const struct tensor *t, long i)
{
    return t->floats ? (double)t->floats[i] : t->data[i];
}

/* A node being carried out. Functions that fail say why in e, led by the node's name and operator,
 * set `failed` and return -1; the first failure is kept. */
struct call {
    const Onnx__NodeProto *node;
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

/* Up to max whole numbers into values; returns how many, -1 when the attribute is absent. */
int attr_ints(struct call *c, const char *name, int max, long *values);

/* All of a list of numbers as a tensor of one dimension; absent: t->data is NULL. */
int attr_tensor(struct call *c, const char *name, struct tensor *t);

/* The whole numbers of a constant or, in older opsets, attribute: operand `index` if it is there,
 * else attribute `name`. Returns as attr_ints does. */
int operand_ints(struct call *c, size_t index, const char *name, int max, long *values);

/* A constant operand that is one number, or `otherwise`. */
double operand_number(struct call *c, size_t index, double otherwise);

/* Memory for count values, counted against the budget. */
int tensor_new(struct call *c, struct tensor *t, int type, const struct dims *dims);
void tensor_free(struct tensor *t);

/* Read an initializer or an attribute's tensor, which must outlive t. */
int tensor_read(struct call *c, const Onnx__TensorProto *proto, struct tensor *t);

/* Make borrowed values t's own doubles. */
int tensor_own(struct call *c, struct tensor *t);

/* Give t the steps that its values are multiples of: count of them along axis. */
int tensor_set_steps(struct call *c, struct tensor *t, const double *steps, long count, int axis);

/* The lowest and highest value of an integer type; false for others. */
bool type_range(int type, double *low, double *high);
bool type_is_float(int type);

/* What shape operators make of `in`. */
int dims_reshape(struct call *c, const struct dims *in, struct dims *out);
int dims_flatten(struct call *c, const struct dims *in, struct dims *out);
int dims_squeeze(struct call *c, const struct dims *in, struct dims *out);
int dims_unsqueeze(struct call *c, const struct dims *in, struct dims *out);
void dims_range(struct call *c, int rank, int *start, int *end); /* of Shape */
int dims_perm(struct call *c, int rank, int *perm); /* of Transpose */

/* An axis in -rank..rank-1 as 0..rank-1; fails beyond. */
int call_axis(struct call *c, long axis, int rank, int *result);

/* Compute a node whose inputs are all constant. Returns 1 when its operator is not one of those. */
int fold(struct call *c);
bool can_fold(const char *op_type);

#endif
