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
    long count = flat ? v->size[0] * v->size[1] * v->size[2] : v->size[0];
    float *floats = import_floats(m, count);
    for (long i = 0; floats && i < count; i++) {
        long w = i % v->size[2], h = i / v->size[2] % v->size[1], c = i / v->size[2] / v->size[1];
        if (!flat) {
            c = i;
            h = w = 0;
        }
        floats[i] = (float)tensor_at(t, c * stride[0] + h * stride[1] + w * stride[2]);
    }
    return floats;
}

/* The layer that an affine operation is applied to: x's own where the constants differ by channel only,
 * otherwise x flattened, in which every element is a channel. */
static int channels_layer(struct import *m, const struct value *x, const struct dims *like,
                          bool *flat)
{
    long stride[3];
    if (view_strides(m, &x->view, like, stride))
        return -1;
    struct shape s = import_shape(m, x->layer);
    *flat = is_flat(s);
    if (*flat)
        return x->layer;
    if (stride[AXIS_H] == 0 && stride[AXIS_W] == 0)
        return view_spatial(m, x);
    *flat = true;
    struct layer *l = import_new_layer(m, OP_RESHAPE, x->layer);
    if (!l)
        return -1;
    l->out = (struct shape){(int)shape_values(s), 1, 1};
    return import_finish(m);
}

int do_batchnorm(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    const struct tensor *t[4];
    struct dims like = {0};
    bool flat;
    for (int i = 0; i < 4; i++)
        if (!(t[i] = import_constant(m, (size_t)i + 1)))
            return -1;
    if (!x || attr_int(&m->call, "training_mode", 0) || !attr_int(&m->call, "spatial", 1))
        return call_fail(&m->call, "only inference, by channel, is run");
    like.rank = x->view.dims.rank == 1 ? 1 : x->view.dims.rank - 1;
    for (int i = 0; i < like.rank; i++)
        like.dim[i] = 1;
    like.dim[0] = t[0]->count;
    for (int i = 0; i < 4; i++)
        if (t[i]->dims.rank != 1 || t[i]->count != x->view.dims.dim[x->view.dims.rank - like.rank])
            return call_fail(&m->call, "%ld values for %ld channels", t[i]->count,
                             x->view.dims.dim[x->view.dims.rank - like.rank]);
    int from = channels_layer(m, x, &like, &flat);
    struct layer *l = from < 0 ? NULL : import_new_layer(m, OP_BATCHNORM, from);
    if (!l)
        return -1;
    l->epsilon = attr_float(&m->call, "epsilon", 1e-5f);
    l->momentum = attr_float(&m->call, "momentum", .9f);
    l->scale = spread(m, x, flat, t[0], &like);
    l->shift = spread(m, x, flat, t[1], &like);
    l->mean = spread(m, x, flat, t[2], &like);
    l->var = spread(m, x, flat, t[3], &like);
    return import_result(m, import_finish(m), &x->view);
}

/* After a batch norm made here no layer is appended: the two are composed. */
int add_affine(struct import *m, int from, float *scale, float *shift)
{
    bool after = from >= 0 && m->affine[from];
    const struct layer *before = &m->net->layer[from < 0 ? 0 : from];
    struct layer *l = from < 0 ? NULL : import_new_layer(m, OP_BATCHNORM, after ? before->in[0] : from);
    if (!l) {
        free(scale);
        free(shift);
        return -1;
    }
    long count = import_shape(m, from).c;
    l->scale = scale ? scale : import_floats(m, count);
    l->shift = shift ? shift : import_floats(m, count);
    l->mean = import_floats(m, count);
    l->var = import_floats(m, count);
    if (m->call.failed)
        return -1;
    for (long i = 0; i < count; i++) {
        float a = scale ? scale[i] : 1, b = shift ? shift[i] : 0;
        l->scale[i] = after ? a * before->scale[i] : a;
        l->shift[i] = after ? a * before->shift[i] + b : b;
        l->var[i] = 1;
    }
    m->affine[m->net->layers - 1] = true;
    return import_finish(m);
}

int add_scaled(struct import *m, int from, float scale, float shift)
{
    long count = from < 0 ? 0 : import_shape(m, from).c;
    float *a = import_floats(m, count), *b = import_floats(m, count);
    for (long i = 0; a && b && i < count; i++) {
        a[i] = scale;
        b[i] = shift;
    }
    return add_affine(m, m->call.failed ? -1 : from, a, b);
}

int affine_with(struct import *m, const struct value *x, const struct tensor *t, bool is_scale, double (*f)(double))
{
    bool flat;
    int from = channels_layer(m, x, &t->dims, &flat);
    float *numbers = from < 0 ? NULL : spread(m, x, flat, t, &t->dims);
    if (!numbers)
        return -1;
    long count = import_shape(m, from).c;
    for (long i = 0; i < count; i++)
        numbers[i] = (float)f(numbers[i]);
    int layer = add_affine(m, from, is_scale ? numbers : NULL, is_scale ? NULL : numbers);
    return import_result(m, layer, &x->view);
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
    if (dims_common(&m->call, &a->dims, &b->dims, &view->dims) || !one_order(a, b) ||
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
    struct layer *l = a < 0 || b < 0 ? NULL : import_new_layer(m, op, a);
    if (!l)
        return -1;
    l->in[1] = b;
    return import_finish(m);
}

/* Append what a sign makes of two values that depend on the image, broadcast together. */
static int two_values(struct import *m, int sign, const struct value *a, const struct value *b)
{
    struct view view;
    int x, y;
    if (!a || !b)
        return -1;
    if (sign != '+' && sign != '-' && sign != '*' && sign != '/')
        return call_fail(&m->call, "one input must be a constant");
    if (common_view(m, &a->view, &b->view, &view)) {
        struct shape to = {(int)view.size[0], (int)view.size[1], (int)view.size[2]};
        x = add_copies(m, view_spatial(m, a), to);
        y = add_copies(m, view_spatial(m, b), to);
    } else if (same_dims(&a->view, &b->view) && view_is_linear(&b->view) && view_by_dims(m, &a->view, &view)) {
        x = view_reshaped(m, a, &view); /* one list, but of other axes */
        y = view_reshaped(m, b, &view);
    } else {
        return call_fail(&m->call, "the two inputs have different shapes");
    }
    if (sign == '-')
        y = add_scaled(m, y, -1, 0);
    if (sign == '/')
        y = import_function(m, y, FUNCTION_RECIPROCAL, 0);
    return import_result(m, add_pair(m, sign == '+' || sign == '-' ? OP_ADD : OP_MUL, x, y), &view);
}

/* ---- A value and a constant ---- */

/* Max and Min: Clip on one side. */
static int clip_at(struct import *m, const struct value *x, double low, double high)
{
    struct layer *l = import_new_layer(m, low == 0 && high == INFINITY ? OP_RELU : OP_POINTWISE, x->layer);
    if (!l)
        return -1;
    l->function = FUNCTION_CLIP;
    l->low = (float)low;
    l->high = (float)high;
    return import_result(m, import_finish(m), &x->view);
}

/* x, of layer `layer`, with a constant first: minus x plus t, or 1 / x times t. */
static int constant_first(struct import *m, const struct value *x, int layer, const struct tensor *t, bool is_scale)
{
    struct value made = *x;
    made.layer = layer;
    return layer < 0 ? -1 : affine_with(m, &made, t, is_scale, same);
}

int do_arithmetic(struct import *m)
{
    struct call *c = &m->call;
    int sign = c->operator->kind, at = c->node->n_input < 2 || c->in[1] ? 1 : 0;
    if (c->node->n_input < 2)
        return do_identity(m);
    if (!c->in[0] && !c->in[1])
        return two_values(m, sign, import_runtime(m, 0), import_runtime(m, 1));
    const struct value *x = import_runtime(m, (size_t)!at);
    const struct tensor *t = c->in[at];
    if (!x)
        return -1;
    switch (sign) {
    case '+':
    case '*':
        return affine_with(m, x, t, sign == '*', same);
    case '-':
        return at ? affine_with(m, x, t, false, negated)
                  : constant_first(m, x, add_scaled(m, view_spatial(m, x), -1, 0), t, false);
    case '/':
        return at ? affine_with(m, x, t, true, inverted)
                  : constant_first(m, x, import_function(m, x->layer, FUNCTION_RECIPROCAL, 0), t, true);
    default:
        break;
    }
    if (t->count != 1 || t->dims.rank > x->view.dims.rank || (sign == '^' && !at))
        return call_fail(c, "input %d must be one constant number", at);
    double number = tensor_at(t, 0);
    if (sign == '^')
        return import_result(m, import_function(m, x->layer, FUNCTION_POW, (float)number), &x->view);
    return clip_at(m, x, sign == 'M' ? number : -INFINITY, sign == 'm' ? number : INFINITY);
}

/* Sum of any number of values, one after another. */
int do_sum(struct import *m)
{
    struct value sum, *y = import_find(m, m->call.node->output[0]);
    if (do_identity(m))
        return -1;
    for (size_t i = 1; i < m->call.node->n_input; i++) {
        sum = *y;
        int failed = m->call.in[i] ? affine_with(m, &sum, m->call.in[i], false, same)
                                   : two_values(m, '+', &sum, import_runtime(m, i));
        if (failed)
            return -1;
    }
    return 0;
}

/* Greater, Less and their like, with a constant: 1 where it is true, else 0. x < c is -x > -c; with `or equal` it
 * is what the opposite leaves. */
int do_compare(struct import *m)
{
    int sign = m->call.operator->kind, at = m->call.in[1] ? 1 : 0;
    const struct value *x = import_runtime(m, (size_t)!at);
    double number = operand_number(&m->call, (size_t)at, 0);
    if (!x || m->call.failed)
        return -1;
    bool equal = sign == 'g' || sign == 'l', below = (sign == '<' || sign == 'g') == (at == 1);
    int layer = view_spatial(m, x);
    layer = import_function(m, below ? add_scaled(m, layer, -1, 0) : layer, FUNCTION_GREATER,
                            (float)(below ? -number : number));
    if (equal)
        layer = add_scaled(m, layer, -1, 1);
    return import_like(m, &(struct value){.integer = true}, layer, &x->view);
}

/* Make the node's output the product of a truth and operand i. */
static int where_true(struct import *m, const struct value *truth, size_t i)
{
    return m->call.in[i] ? affine_with(m, truth, m->call.in[i], true, same)
                         : two_values(m, '*', truth, import_runtime(m, i));
}

/* Where: truth * x + (1 - truth) * y. */
int do_where(struct import *m)
{
    struct value *out = import_find(m, m->call.node->output[0]), truth, chosen, other;
    const struct value *c = import_any(m, 0);
    if (!c || !c->integer)
        return call_fail(&m->call, "input 0 must be a comparison");
    truth = *c;
    truth.integer = false;
    if (where_true(m, &truth, 1))
        return -1;
    chosen = *out;
    truth.layer = add_scaled(m, truth.layer, -1, 1);
    if (truth.layer < 0 || where_true(m, &truth, 2))
        return -1;
    other = *out;
    return two_values(m, '+', &chosen, &other);
}

int do_negative(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    return x ? import_result(m, add_scaled(m, view_spatial(m, x), -1, 0), &x->view) : -1;
}

int do_clip(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    double low = operand_number(&m->call, 1, attr_float(&m->call, "min", -INFINITY));
    double high = operand_number(&m->call, 2, attr_float(&m->call, "max", INFINITY));
    return x && !m->call.failed ? clip_at(m, x, low, high) : -1;
}

/* Scaler of ai.onnx.ml, as scikit-learn's converter writes it: (x - offset) * scale. */
int do_scaler(struct import *m)
{
    struct tensor offset = {0}, scale = {0};
    const struct value *x = import_runtime(m, 0);
    int status = -1;
    if (x && !attr_tensor(&m->call, "offset", &offset) && !attr_tensor(&m->call, "scale", &scale)) {
        status = offset.data ? affine_with(m, x, &offset, false, negated)
                             : import_result(m, x->layer, &x->view);
        if (!status && scale.data)
            status = affine_with(m, import_find(m, m->call.node->output[0]), &scale, true, same);
    }
    tensor_free(&offset);
    tensor_free(&scale);
    return status;
}
