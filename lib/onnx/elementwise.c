/* Operators on elements by themselves: batch norm, arithmetic, comparisons, activation functions.
 *   in   a node, its operands as constants and values
 *   out  pointwise layers; of what is affine along the channels a batch norm, which tidy.c folds into weights; add and
 *        mul layers of two values */
#include "import.h"

#include <math.h>
#include <string.h>

/* Whether the values of a tensor of dims `like`, broadcast to y, are those of its layer's channels, or one for all. */
static bool is_by_channel(struct import *m, struct value *y, const struct dims *like)
{
    struct order o;
    int shift = y->t.dims.rank - like->rank;
    if (dims_count(like) == 1)
        return true;
    if (view_order(m, y, NULL, &o) < 0)
        return false;
    for (int d = 0; d < like->rank; d++)
        if (like->dim[d] > 1 && d + shift != o.dim[AXIS_C])
            return false;
    return true;
}

/* Make y's layer one to whose channels values of dims `like` belong: its own, or that flattened (*flat). */
static int channels_layer(struct import *m, struct value *y, const struct dims *like, bool *flat)
{
    if (y->layer < 0 || dims_fit(m, like, &y->t.dims))
        return -1;
    *flat = !is_by_channel(m, y, like);
    if (*flat)
        y->layer = add_reshape(m, y->layer, (struct shape){(int)y->t.count, 1, 1});
    return y->layer;
}

/* The values of t where y has them: one for each channel of its layer, which channels_layer has made. */
static float *spread(struct import *m, const struct value *y, bool flat, const struct tensor *t)
{
    struct tensor wide = *t;
    long count = flat ? y->t.count : import_shape(m, y->layer).c;
    if (flat && tensor_broadcast(m, t, &y->t.dims, &wide))
        return NULL;
    float *floats = import_filled(m, count, 0);
    for (long i = 0; floats && i < count; i++) {
        long to = flat ? (long)tensor_at(&y->t, i) : i;
        floats[to] = (float)tensor_at(&wide, wide.count == 1 ? 0 : i);
    }
    return floats;
}

int do_batchnorm(struct import *m, struct value *y)
{
    const struct dims *dims = &y->t.dims;
    struct dims like = {.rank = dims->rank == 1 ? 1 : dims->rank - 1, .dim = {1, 1, 1, 1, 1, 1, 1, 1}};
    bool flat;
    if (attr_int(m, "training_mode", 0) || !attr_int(m, "spatial", 1))
        return node_fail(m, "only inference, by channel, is run");
    like.dim[0] = dims->rank ? dims->dim[dims->rank - like.rank] : 1;
    struct layer l = {.op = OP_BATCHNORM, .in = {channels_layer(m, y, &like, &flat)}};
    float **array[] = {&l.scale, &l.shift, &l.mean, &l.var};
    l.epsilon = attr_float(m, "epsilon", 1e-5f);
    l.momentum = attr_float(m, "momentum", .9f);
    for (size_t i = 0; i < 4; i++) {
        struct tensor t = *import_constant(m, i + 1);
        if (t.dims.rank != 1 || t.count != like.dim[0])
            node_fail(m, "%ld values for %ld channels", t.count, like.dim[0]);
        t.dims = like;
        *array[i] = m->failed ? NULL : spread(m, y, flat, &t);
    }
    return import_append(m, &l);
}

/* After a batch norm made here no layer is appended: the two are composed. */
static int add_affine(struct import *m, int from, float *scale, float *shift)
{
    bool after = from >= 0 && m->affine[from];
    const struct layer *before = import_layer(m, from);
    long count = import_shape(m, from).c;
    struct layer l = {.op = OP_BATCHNORM, .in = {after ? before->in[0] : from}};
    l.scale = scale ? scale : import_filled(m, count, 1);
    l.shift = shift ? shift : import_filled(m, count, 0);
    l.mean = import_filled(m, count, 0);
    l.var = import_filled(m, count, 1);
    for (long i = 0; after && !m->failed && i < count; i++) {
        l.shift[i] += l.scale[i] * before->shift[i];
        l.scale[i] *= before->scale[i];
    }
    int layer = import_append(m, &l);
    if (layer >= 0)
        m->affine[layer] = true;
    return layer;
}

int add_scaled(struct import *m, int from, float scale, float shift)
{
    long count = import_shape(m, from).c;
    return add_affine(m, from, import_filled(m, count, scale), import_filled(m, count, shift));
}

int affine_with(struct import *m, struct value *y, const struct tensor *t, bool is_scale)
{
    bool flat;
    int from = channels_layer(m, y, &t->dims, &flat);
    float *numbers = from < 0 ? NULL : spread(m, y, flat, t);
    if (!numbers)
        return -1;
    return add_affine(m, from, is_scale ? numbers : NULL, is_scale ? NULL : numbers);
}

/* ---- Two values that depend on the image ---- */

int add_pair(struct import *m, enum op op, int a, int b)
{
    return import_append(m, &(struct layer){.op = op, .in = {a, b}});
}

static bool same_positions(const struct tensor *a, const struct tensor *b)
{
    for (long i = 0; a->count == b->count && i < a->count; i++)
        if (tensor_at(a, i) != tensor_at(b, i))
            return false;
    return a->count == b->count;
}

/* Put sides of 1 before the dimensions of y. */
static void widen(struct value *y, int rank)
{
    struct dims dims = {rank, {1, 1, 1, 1, 1, 1, 1, 1}};
    int shift = rank - y->t.dims.rank;
    memcpy(dims.dim + shift, y->t.dims.dim, (size_t)y->t.dims.rank * sizeof *dims.dim);
    y->t.dims = dims;
    y->batch += y->batch < 0 ? 0 : shift;
}

/* Make a and b layers of one shape, broadcast together; a's positions become those of both. */
static int broadcast_both(struct import *m, struct value *a, struct value *b)
{
    struct dims dims;
    struct order oa, ob;
    if (a->layer < 0 || dims_common(m, &a->t.dims, &b->t.dims, &dims))
        return -1;
    widen(a, dims.rank);
    widen(b, dims.rank);
    a->batch = a->batch < 0 ? b->batch : a->batch;
    if (b->batch >= 0 && b->batch != a->batch)
        return -1;
    if (same_positions(&a->t, &b->t) && dims_count(&dims) == a->t.count) {
        b->layer = add_reshape(m, b->layer, import_shape(m, a->layer));
        return b->layer < 0 ? -1 : 0;
    }
    if (!view_common(a, b, &dims, import_shape(m, a->layer), NULL, &oa, &ob))
        return -1;
    struct shape sa = oa.shape, sb = ob.shape;
    struct shape to = {sa.c == 1 ? sb.c : sa.c, sa.h == 1 ? sb.h : sa.h, sa.w == 1 ? sb.w : sa.w};
    a->layer = add_copies(m, add_reshape(m, a->layer, sa), to);
    b->layer = add_copies(m, add_reshape(m, b->layer, sb), to);
    return a->layer < 0 || b->layer < 0 ? -1 : view_put(m, a, &oa, to);
}

/* Append what a sign makes of two values that depend on the image: y and b. */
static int two_values(struct import *m, int sign, struct value *y, const struct value *b)
{
    struct value other = *b;
    if (!strchr("+-*/", sign))
        return node_fail(m, "one input must be a constant");
    if (broadcast_both(m, y, &other))
        return node_fail(m, "the two inputs have different shapes");
    if (sign == '-')
        other.layer = add_scaled(m, other.layer, -1, 0);
    if (sign == '/')
        other.layer = import_function(m, other.layer, FUNCTION_RECIPROCAL, 0);
    return add_pair(m, sign == '+' || sign == '-' ? OP_ADD : OP_MUL, y->layer, other.layer);
}

/* Input i, which may be constant. */
static const struct value *operand(struct import *m, size_t i)
{
    return import_known(m, i) ? m->in[i] : import_floats(m, i);
}

/* ---- A value and a constant ---- */

static int clip_at(struct import *m, int from, double low, double high)
{
    enum op op = low == 0 && high == INFINITY ? OP_RELU : OP_POINTWISE;
    return import_append(m, &(struct layer){.op = op, .in = {from}, .function = FUNCTION_CLIP, .low = (float)low,
                                            .high = (float)high});
}

/* Append y + t or its like, t being a constant: t - y is -y + t, t / y is 1 / y * t. */
static int with_constant(struct import *m, int sign, struct value *y, const struct tensor *t, bool y_first)
{
    struct tensor inverse = *t;
    bool minus = sign == '-', over = sign == '/';
    if ((minus || over) && y_first && tensor_each(m, t, TYPE(DOUBLE), minus ? negated : inverted, &inverse))
        return -1;
    if (minus && !y_first)
        y->layer = add_scaled(m, y->layer, -1, 0);
    if (over && !y_first)
        y->layer = import_function(m, y->layer, FUNCTION_RECIPROCAL, 0);
    return affine_with(m, y, &inverse, sign == '*' || over);
}

/* Append y + b or its like, where one of them may be constant. */
static int arithmetic(struct import *m, int sign, struct value *y, const struct value *b)
{
    bool y_first = b->kind == CONSTANT;
    const struct tensor t = y_first ? b->t : y->t;
    if (y->kind == RUNTIME && !y_first)
        return two_values(m, sign, y, b);
    *y = y_first ? *y : *b;
    if (strchr("+-*/", sign))
        return with_constant(m, sign, y, &t, y_first);
    if (t.count != 1 || t.dims.rank > y->t.dims.rank || (sign == '^' && !y_first))
        return node_fail(m, "input %d must be one constant number", y_first);
    double number = tensor_at(&t, 0);
    if (sign == '^')
        return import_function(m, y->layer, FUNCTION_POW, (float)number);
    return clip_at(m, y->layer, sign == 'M' ? number : -INFINITY, sign == 'm' ? number : INFINITY);
}

int do_arithmetic(struct import *m, struct value *y)
{
    if (m->node->n_input < 2)
        return y->layer;
    *y = *operand(m, 0);
    return arithmetic(m, m->operator->kind, y, operand(m, 1));
}

/* Sum of any number of values, one after another. */
int do_sum(struct import *m, struct value *y)
{
    for (size_t i = 1; i < m->node->n_input; i++)
        y->layer = arithmetic(m, '+', y, operand(m, i));
    return y->layer;
}

/* Greater, Less and their like, with a constant: 1 where it is true, else 0. x < c is -x > -c; with `or equal` it
 * is what the opposite leaves. */
int do_compare(struct import *m, struct value *y)
{
    int sign = m->operator->kind, at = import_known(m, 1) ? 1 : 0;
    const struct value *x = import_floats(m, (size_t)!at);
    double number = operand_number(m, (size_t)at, 0);
    *y = *x;
    bool equal = sign == 'g' || sign == 'l', below = (sign == '<' || sign == 'g') == (at == 1);
    int layer = import_function(m, below ? add_scaled(m, y->layer, -1, 0) : y->layer, FUNCTION_GREATER,
                                (float)(below ? -number : number));
    y->integer = true;
    return equal ? add_scaled(m, layer, -1, 1) : layer;
}

/* Where: truth * x + (1 - truth) * y. */
int do_where(struct import *m, struct value *y)
{
    if (!y->integer)
        return node_fail(m, "input 0 must be a comparison");
    y->integer = false;
    struct value other = *y;
    y->layer = arithmetic(m, '*', y, operand(m, 1));
    other.layer = add_scaled(m, other.layer, -1, 1);
    other.layer = arithmetic(m, '*', &other, operand(m, 2));
    return two_values(m, '+', y, &other);
}

int do_negative(struct import *m, struct value *y)
{
    return add_scaled(m, y->layer, -1, 0);
}

int do_clip(struct import *m, struct value *y)
{
    double low = operand_number(m, 1, attr_float(m, "min", -INFINITY));
    double high = operand_number(m, 2, attr_float(m, "max", INFINITY));
    return clip_at(m, y->layer, low, high);
}

/* Scaler of ai.onnx.ml, as scikit-learn's converter writes it: (x - offset) * scale. */
int do_scaler(struct import *m, struct value *y)
{
    struct tensor offset, scale;
    if (attr_tensor(m, "offset", &offset))
        y->layer = with_constant(m, '-', y, &offset, true);
    return attr_tensor(m, "scale", &scale) ? affine_with(m, y, &scale, true) : y->layer;
}

/* ---- Activation functions: of those that have no layer, products and sums of those that have ---- */

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
