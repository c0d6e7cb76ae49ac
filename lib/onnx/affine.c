/* Operators that are affine along the channels: batch norm, sums and products with constants, Scaler; and sums
 * and products of two values.
 *   in   a node, its operands as constants and values
 *   out  a batch norm layer, which tidy.c folds into weights; add and mul layers */
#include "import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The values of t for each channel of x's layer (flat: of that layer flattened), t being broadcast to x as an
 * ONNX tensor of `like` dims. */
static float *spread(struct import *m, const struct value *x, bool flat, const struct tensor *t,
                     const struct dims *like)
{
    long stride[3];
    const struct view *v = &x->view;
    if (view_strides(m, v, like, stride))
        return NULL;
    long h = flat ? v->size[1] : 1, w = flat ? v->size[2] : 1, count = v->size[0] * h * w;
    float *floats = import_filled(m, count, 0);
    for (long i = 0; floats && i < count; i++)
        floats[i] = (float)tensor_at(t, i / w / h * stride[0] + i / w % h * stride[1] + i % w * stride[2]);
    return floats;
}

/* The layer that an affine operation is applied to: y's own where the constants differ by channel only,
 * otherwise y flattened, in which every element is a channel. */
static int channels_layer(struct import *m, const struct value *y, const struct dims *like, bool *flat)
{
    long stride[3];
    if (y->layer < 0 || view_strides(m, &y->view, like, stride))
        return -1;
    struct shape s = import_shape(m, y->layer);
    bool by_channel = stride[AXIS_H] == 0 && stride[AXIS_W] == 0;
    *flat = is_flat(s) || !by_channel;
    if (is_flat(s))
        return y->layer;
    return by_channel ? view_spatial(m, y) : add_reshape(m, y->layer, (struct shape){(int)view_count(&y->view), 1, 1});
}

int do_batchnorm(struct import *m, struct value *y)
{
    const struct tensor *t[4];
    const struct view *v = &y->view;
    struct dims like = {.rank = v->dims.rank == 1 ? 1 : v->dims.rank - 1, .dim = {1, 1, 1, 1, 1, 1, 1, 1}};
    bool flat;
    for (int i = 0; i < 4; i++)
        if (!(t[i] = import_constant(m, (size_t)i + 1)))
            return -1;
    if (attr_int(m, "training_mode", 0) || !attr_int(m, "spatial", 1))
        return node_fail(m, "only inference, by channel, is run");
    like.dim[0] = t[0]->count;
    for (int i = 0; i < 4; i++)
        if (t[i]->dims.rank != 1 || t[i]->count != v->dims.dim[v->dims.rank - like.rank])
            return node_fail(m, "%ld values for %ld channels", t[i]->count, v->dims.dim[v->dims.rank - like.rank]);
    struct layer *l = import_new_layer(m, OP_BATCHNORM, channels_layer(m, y, &like, &flat));
    if (!l)
        return -1;
    l->epsilon = attr_float(m, "epsilon", 1e-5f);
    l->momentum = attr_float(m, "momentum", .9f);
    l->scale = spread(m, y, flat, t[0], &like);
    l->shift = spread(m, y, flat, t[1], &like);
    l->mean = spread(m, y, flat, t[2], &like);
    l->var = spread(m, y, flat, t[3], &like);
    return import_finish(m);
}

/* After a batch norm made here no layer is appended: the two are composed. */
int add_affine(struct import *m, int from, float *scale, float *shift)
{
    bool after = from >= 0 && m->affine[from];
    const struct layer *before = &m->net->layer[from < 0 ? 0 : from];
    struct layer *l = import_new_layer(m, OP_BATCHNORM, after ? before->in[0] : from);
    if (!l) {
        free(scale);
        free(shift);
        return -1;
    }
    long count = import_shape(m, from).c;
    l->scale = scale ? scale : import_filled(m, count, 1);
    l->shift = shift ? shift : import_filled(m, count, 0);
    l->mean = import_filled(m, count, 0);
    l->var = import_filled(m, count, 1);
    for (long i = 0; after && !m->failed && i < count; i++) {
        l->shift[i] += l->scale[i] * before->shift[i];
        l->scale[i] *= before->scale[i];
    }
    m->affine[m->net->layers - 1] = true;
    return import_finish(m);
}

int add_scaled(struct import *m, int from, float scale, float shift)
{
    long count = import_shape(m, from).c;
    return add_affine(m, from, import_filled(m, count, scale), import_filled(m, count, shift));
}

int affine_with(struct import *m, const struct value *y, const struct tensor *t, bool is_scale, double (*f)(double))
{
    bool flat;
    int from = channels_layer(m, y, &t->dims, &flat);
    float *numbers = from < 0 ? NULL : spread(m, y, flat, t, &t->dims);
    if (!numbers)
        return -1;
    for (long i = 0; i < import_shape(m, from).c; i++)
        numbers[i] = (float)f(numbers[i]);
    return add_affine(m, from, is_scale ? numbers : NULL, is_scale ? NULL : numbers);
}

double same(double x)
{
    return x;
}

static double negated(double x)
{
    return -x;
}

static double inverted(double x)
{
    return 1 / x;
}

/* ---- Two values that depend on the image ---- */

static bool one_order(const struct view *a, const struct view *b)
{
    int sides = 0;
    for (int i = 0; i < 3; i++)
        sides += b->size[i] > 1;
    return sides < 2 || !memcmp(a->order, b->order, sizeof a->order) ||
           (view_is_linear(a) && view_is_linear(b));
}

/* Make `view` that of two values broadcast together: each axis is as long as the longer one. Returns false where
 * an axis of one lies in another dimension of the other. */
static bool common_view(struct import *m, const struct view *a, const struct view *b, struct view *view)
{
    if (a->dims.rank < b->dims.rank) {
        const struct view *shorter = a;
        a = b;
        b = shorter;
    }
    int shift = a->dims.rank - b->dims.rank;
    *view = *a;
    if (dims_common(m, &a->dims, &b->dims, &view->dims) || !one_order(a, b) ||
        (b->batch >= 0 ? b->batch + shift : a->batch) != a->batch)
        return false;
    for (int i = 0; i < 3; i++) {
        bool both = a->size[i] > 1 && b->size[i] > 1;
        if (both && (a->size[i] != b->size[i] || a->at[i] != b->at[i] + shift))
            return false;
        if (a->size[i] == 1 && b->size[i] > 1) {
            view->size[i] = b->size[i];
            view->at[i] = b->at[i] + shift;
        }
    }
    view_sort(view);
    for (int d = 0; d < view->dims.rank; d++) {
        long size = 1;
        for (int i = 0; i < 3; i++)
            size *= view->size[i] > 1 && view->at[i] == d ? view->size[i] : 1;
        if (d != view->batch && size != view->dims.dim[d])
            return false;
    }
    return true;
}

static bool same_dims(const struct view *a, const struct view *b)
{
    return a->dims.rank == b->dims.rank && a->batch == b->batch &&
           !memcmp(a->dims.dim, b->dims.dim, (size_t)a->dims.rank * sizeof *a->dims.dim);
}

int add_pair(struct import *m, enum op op, int a, int b)
{
    struct layer *l = b < 0 ? NULL : import_new_layer(m, op, a);
    if (!l)
        return -1;
    l->in[1] = b;
    return import_finish(m);
}

/* Append what a sign makes of two values that depend on the image, broadcast together: y and b, whose view
 * becomes y's. */
static int two_values(struct import *m, int sign, struct value *y, const struct value *b)
{
    struct value a = *y, other;
    if (a.layer < 0 || !b || b->layer < 0)
        return -1;
    other = *b;
    if (sign != '+' && sign != '-' && sign != '*' && sign != '/')
        return node_fail(m, "one input must be a constant");
    if (common_view(m, &a.view, &other.view, &y->view)) {
        a.layer = add_copies(m, view_spatial(m, &a), view_shape(&y->view));
        other.layer = add_copies(m, view_spatial(m, &other), view_shape(&y->view));
    } else if (same_dims(&a.view, &other.view) && view_is_linear(&other.view) &&
               view_by_dims(m, &a.view, &y->view)) { /* one list, but of other axes */
        a.layer = add_reshape(m, a.layer, view_shape(&y->view));
        other.layer = add_reshape(m, other.layer, view_shape(&y->view));
    } else {
        return node_fail(m, "the two inputs have different shapes");
    }
    if (sign == '-')
        other.layer = add_scaled(m, other.layer, -1, 0);
    if (sign == '/')
        other.layer = import_function(m, other.layer, FUNCTION_RECIPROCAL, 0);
    return add_pair(m, sign == '+' || sign == '-' ? OP_ADD : OP_MUL, a.layer, other.layer);
}

/* Append y added to or multiplied with input i, a constant or not. */
static int with_input(struct import *m, int sign, struct value *y, size_t i)
{
    return m->in[i] ? affine_with(m, y, m->in[i], sign == '*', same) : two_values(m, sign, y, import_floats(m, i));
}

/* ---- A value and a constant ---- */

/* Max and Min: Clip on one side. */
static int clip_at(struct import *m, int from, double low, double high)
{
    struct layer *l = import_new_layer(m, low == 0 && high == INFINITY ? OP_RELU : OP_POINTWISE, from);
    if (!l)
        return -1;
    l->function = FUNCTION_CLIP;
    l->low = (float)low;
    l->high = (float)high;
    return import_finish(m);
}

int do_arithmetic(struct import *m, struct value *y)
{
    int sign = m->operator->kind, at = m->node->n_input < 2 || m->in[1] ? 1 : 0;
    const struct value *x = m->node->n_input < 2 ? import_any(m, 0) : import_floats(m, !at && m->in[0] ? 1 : 0);
    if (!x)
        return -1;
    *y = *x;
    if (m->node->n_input < 2)
        return y->layer;
    const struct tensor *t = m->in[at];
    if (!t)
        return two_values(m, sign, y, import_floats(m, 1));
    switch (sign) {
    case '+':
    case '*':
        return affine_with(m, y, t, sign == '*', same);
    case '-':
        if (at)
            return affine_with(m, y, t, false, negated);
        y->layer = add_scaled(m, view_spatial(m, y), -1, 0);
        return affine_with(m, y, t, false, same);
    case '/':
        if (at)
            return affine_with(m, y, t, true, inverted);
        y->layer = import_function(m, y->layer, FUNCTION_RECIPROCAL, 0);
        return affine_with(m, y, t, true, same);
    default:
        break;
    }
    if (t->count != 1 || t->dims.rank > y->view.dims.rank || (sign == '^' && !at))
        return node_fail(m, "input %d must be one constant number", at);
    double number = tensor_at(t, 0);
    if (sign == '^')
        return import_function(m, y->layer, FUNCTION_POW, (float)number);
    return clip_at(m, y->layer, sign == 'M' ? number : -INFINITY, sign == 'm' ? number : INFINITY);
}

/* Sum of any number of values, one after another. */
int do_sum(struct import *m, struct value *y)
{
    for (size_t i = 1; i < m->node->n_input; i++)
        y->layer = with_input(m, '+', y, i);
    return y->layer;
}

/* Greater, Less and their like, with a constant: 1 where it is true, else 0. x < c is -x > -c; with `or equal` it
 * is what the opposite leaves. */
int do_compare(struct import *m, struct value *y)
{
    int sign = m->operator->kind, at = m->in[1] ? 1 : 0;
    const struct value *x = import_floats(m, (size_t)!at);
    double number = operand_number(m, (size_t)at, 0);
    if (!x || m->failed)
        return -1;
    *y = *x;
    bool equal = sign == 'g' || sign == 'l', below = (sign == '<' || sign == 'g') == (at == 1);
    int layer = view_spatial(m, y);
    layer = import_function(m, below ? add_scaled(m, layer, -1, 0) : layer, FUNCTION_GREATER,
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
    y->layer = with_input(m, '*', y, 1);
    other.layer = add_scaled(m, other.layer, -1, 1);
    other.layer = with_input(m, '*', &other, 2);
    return two_values(m, '+', y, &other);
}

int do_negative(struct import *m, struct value *y)
{
    return add_scaled(m, view_spatial(m, y), -1, 0);
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
    const struct tensor *offset = attr_tensor(m, "offset"), *scale = attr_tensor(m, "scale");
    if (offset)
        y->layer = affine_with(m, y, offset, false, negated);
    return scale ? affine_with(m, y, scale, true, same) : y->layer;
}
