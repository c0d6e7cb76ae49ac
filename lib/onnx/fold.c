/* Constant folding: operators computed when the model is read.
 *   in   a node all of whose inputs are constant
 *   out  its result as a tensor of doubles
 * Source: ONNX's operator specifications, Operators.md, opsets 7 to 28. What only moves numbers is in move.c. */
#include "import.h"

#include <math.h>
#include <string.h>

/* x converted to that type: rounded to float; truncated to an integer and saturated, NaN being 0; 0 or 1. */
static double as_type(int type, double x)
{
    double low, high;
    if (type == TYPE(DOUBLE))
        return x;
    if (type == TYPE(BOOL))
        return x != 0;
    if (type_range(type, &low, &high))
        return isnan(x) ? 0 : fmin(fmax(trunc(x), low), high);
    return (float)x;
}

int tensor_each(struct import *m, const struct tensor *x, int type, double (*f)(double), struct tensor *out)
{
    const struct tensor from = *x;
    double *data = tensor_new(m, out, type, &from.dims);
    for (long i = 0; data && i < from.count; i++)
        data[i] = as_type(type, f ? f(tensor_at(&from, i)) : tensor_at(&from, i));
    return data ? 0 : -1;
}

int fold_each(struct import *m, struct value *y)
{
    return tensor_each(m, &y->t, y->t.type, m->operator->each, &y->t);
}

int fold_cast(struct import *m, struct value *y)
{
    int to = (int)attr_int(m, "to", 0);
    double low, high;
    if (!type_is_float(to) && !type_range(to, &low, &high))
        return node_fail(m, "a cast to type %d", to);
    return tensor_each(m, &y->t, to, NULL, &y->t);
}

int fold_constant(struct import *m, struct value *y)
{
    for (size_t i = 0; i < m->node->n_attribute; i++) {
        const Onnx__AttributeProto *a = m->node->attribute[i];
        const char *name = a->name ? a->name : "";
        if (!strcmp(name, "value") && a->t)
            return tensor_read(m, a->t, &y->t);
        if (!strcmp(name, "value_ints") || !strcmp(name, "value_floats"))
            return tensor_list(m, a, !strcmp(name, "value_ints"), &y->t);
        if (!strcmp(name, "value_int"))
            return tensor_number(m, TYPE(INT64), (double)a->i, &y->t);
        if (!strcmp(name, "value_float"))
            return tensor_number(m, TYPE(FLOAT), a->f, &y->t);
    }
    return node_fail(m, "a constant without numbers");
}

int fold_constant_of_shape(struct import *m, struct value *y)
{
    struct dims dims = {0};
    struct tensor value = {.type = TYPE(FLOAT), .count = 1, .data = (const double[]){0}};
    const Onnx__AttributeProto *a = attr_find(m->node, "value");
    dims.rank = operand_ints(m, 0, "shape", ONNX_MAX_RANK, dims.dim);
    if (m->failed || dims.rank < 0)
        return node_fail(m, "no shape");
    if (a && a->t && (tensor_read(m, a->t, &value) || value.count != 1))
        return node_fail(m, "value must be one number");
    value.dims.rank = 0;
    return tensor_broadcast(m, &value, &dims, &y->t);
}

static double arithmetic(int sign, double a, double b, bool integer)
{
    switch (sign) {
    case '+':
        return a + b;
    case '-':
        return a - b;
    case '*':
        return a * b;
    case '/':
        return integer ? (b == 0 ? 0 : trunc(a / b)) : a / b;
    case 'M':
        return fmax(a, b);
    case 'm':
        return fmin(a, b);
    default:
        return pow(a, b);
    }
}

int fold_arithmetic(struct import *m, struct value *y)
{
    const struct tensor x = y->t, *b = import_constant(m, 1);
    struct tensor left, right;
    struct dims dims = {0};
    bool integer = !type_is_float(x.type);
    if (dims_common(m, &x.dims, &b->dims, &dims) || tensor_broadcast(m, &x, &dims, &left) ||
        tensor_broadcast(m, b, &dims, &right))
        return -1;
    double *data = tensor_new(m, &y->t, x.type, &dims);
    for (long i = 0; data && i < y->t.count; i++)
        data[i] = as_type(x.type, arithmetic(m->operator->kind, left.data[i], right.data[i], integer));
    return data ? 0 : -1;
}

/* ReduceProd over all axes, as chains behind Shape use it. */
int fold_reduce_prod(struct import *m, struct value *y)
{
    const struct tensor x = y->t;
    long axes[ONNX_MAX_RANK];
    int count = operand_ints(m, 1, "axes", ONNX_MAX_RANK, axes);
    bool keep = attr_int(m, "keepdims", 1) != 0;
    if (m->failed || x.dims.rank > 1 || count > 1)
        return node_fail(m, "only the product of a list is folded");
    double product = 1;
    for (long i = 0; i < x.count; i++)
        product = as_type(x.type, product * tensor_at(&x, i));
    if (tensor_number(m, x.type, product, &y->t))
        return -1;
    y->t.dims = (struct dims){keep ? x.dims.rank : 0, {1}};
    return 0;
}
