/* Activation functions.
 *   in   a node of one input and a function of each of its values
 *   out  a pointwise or relu layer; of functions that have no layer, products and sums of those that have */
#include "import.h"

#include <math.h>

int do_each(struct import *m, struct value *y)
{
    return import_add(m, (enum op)m->operator->kind, y->layer);
}

int do_pointwise(struct import *m, struct value *y)
{
    const struct operator *o = m->operator;
    const char *beta = o->kind == FUNCTION_SELU ? "gamma" : "beta";
    return import_append(m, &(struct layer){.op = OP_POINTWISE, .in = {y->layer}, .function = (enum function)o->kind,
                                            .alpha = attr_float(m, "alpha", o->alpha),
                                            .beta = attr_float(m, beta, o->beta)});
}

int do_gelu(struct import *m, struct value *y)
{
    bool tanh = attr_is(m, "approximate", "tanh", false);
    if (!tanh && !attr_is(m, "approximate", "none", true))
        return node_fail(m, "an unknown approximation");
    return import_function(m, y->layer, tanh ? FUNCTION_GELU_TANH : FUNCTION_GELU, 0);
}

/* Swish: x * sigmoid(alpha * x). */
int do_swish(struct import *m, struct value *y)
{
    float alpha = attr_float(m, "alpha", 1);
    int gate = alpha == 1 ? y->layer : add_scaled(m, y->layer, alpha, 0);
    return add_pair(m, OP_MUL, y->layer, import_function(m, gate, FUNCTION_SIGMOID, 0));
}

/* PRelu: max(x, 0) + slope * min(x, 0), of one slope or one a channel. */
int do_prelu(struct import *m, struct value *y)
{
    const struct tensor *slope = import_constant(m, 1);
    if (slope->count == 1)
        return import_function(m, y->layer, FUNCTION_LEAKY_RELU, (float)tensor_at(slope, 0));
    int above = import_add(m, OP_RELU, y->layer);
    y->layer = clip_at(m, y->layer, -INFINITY, 0);
    int below = affine_with(m, y, slope, true);
    return add_pair(m, OP_ADD, add_reshape(m, above, import_shape(m, below)), below);
}
