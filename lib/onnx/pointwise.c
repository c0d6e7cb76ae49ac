/* Activation functions.
 *   in   a node of one input and a function of each of its values
 *   out  a pointwise or relu layer; of functions that have no layer, products and sums of those that have */
#include "import.h"

#include <math.h>

int do_each(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    return x ? import_result(m, import_add(m, (enum op)m->call.operator->kind, x->layer), &x->view) : -1;
}

int do_pointwise(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    const struct operator *o = m->call.operator;
    bool gamma = o->kind == FUNCTION_SELU;
    struct layer *l = x ? import_new_layer(m, OP_POINTWISE, x->layer) : NULL;
    if (!l)
        return -1;
    l->function = (enum function)o->kind;
    l->alpha = attr_float(&m->call, "alpha", o->alpha);
    l->beta = attr_float(&m->call, gamma ? "gamma" : "beta", o->beta);
    return import_result(m, import_finish(m), &x->view);
}

int do_gelu(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    bool tanh = attr_is(&m->call, "approximate", "tanh", false);
    if (!x || (!tanh && !attr_is(&m->call, "approximate", "none", true)))
        return call_fail(&m->call, "an unknown approximation");
    return import_result(m, import_function(m, x->layer, tanh ? FUNCTION_GELU_TANH : FUNCTION_GELU, 0),
                         &x->view);
}

/* Swish: x * sigmoid(alpha * x). */
int do_swish(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    float alpha = attr_float(&m->call, "alpha", 1);
    int from = x ? view_spatial(m, x) : -1;
    int gate = alpha == 1 ? from : add_scaled(m, from, alpha, 0);
    gate = import_function(m, gate, FUNCTION_SIGMOID, 0);
    return x ? import_result(m, add_pair(m, OP_MUL, from, gate), &x->view) : -1;
}

/* PRelu: max(x, 0) + slope * min(x, 0), of one slope or one a channel. */
int do_prelu(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    const struct tensor *slope = import_constant(m, 1);
    if (!x || !slope)
        return -1;
    if (slope->count == 1)
        return import_result(m, import_function(m, x->layer, FUNCTION_LEAKY_RELU, (float)tensor_at(slope, 0)),
                             &x->view);
    struct value *y = import_find(m, m->call.node->output[0]);
    struct value part = *x;
    int from = view_spatial(m, x), above = from < 0 ? -1 : import_add(m, OP_RELU, from);
    part.layer = above < 0 ? -1 : import_function(m, from, FUNCTION_CLIP, 0);
    if (part.layer < 0)
        return -1;
    m->net->layer[part.layer].low = -INFINITY;
    if (affine_with(m, &part, slope, true, same))
        return -1;
    above = add_reshape(m, above, import_shape(m, y->layer));
    return import_result(m, add_pair(m, OP_ADD, above, y->layer), &x->view);
}
