/* Values that depend on the image: each is a layer and, for each element of the ONNX tensor, its position in the
 * layer's output [C][H][W].
 *   in   the positions, as the operators before have moved them (move.c)
 *   out  which dimensions are C, H and W, for what looks at these: they lie in the order of the layer, or in that of
 *        NHWC */
#include "import.h"

struct tensor tensor_natural(const struct dims *dims)
{
    return (struct tensor){.type = TYPE(INT64), .dims = *dims, .count = dims_count(dims)};
}

void view_picture(struct value *y, struct shape s)
{
    y->t = tensor_natural(&(struct dims){4, {1, s.c, s.h, s.w}});
    y->batch = 0;
}

/* ---- Dimensions as channels, rows and columns ---- */

/* The position of element i where the last dimension, of so many entries, is the channels. */
static long turned_position(long i, long channels, long count)
{
    return i % channels * (count / channels) + i / channels;
}

/* Name the dimensions C, H, W in their order, or H, W, or H, W, C. False where there are more, or too few. */
static bool name_dims(const struct dims *d, int batch, enum naming naming, struct order *o)
{
    int list[3], n = 0, spare = d->rank - (batch >= 0) - 3;
    for (int i = 0; i < d->rank; i++) {
        if (i == batch || (d->dim[i] == 1 && spare-- > 0))
            continue;
        if (n == 3)
            return false;
        list[n++] = i;
    }
    *o = (struct order){.dim = {-1, -1, -1}, .turned = naming == NAME_HWC};
    for (int i = 0; i < n && (naming != NAME_HW || n < 3); i++)
        o->dim[naming == NAME_HW ? i + 1 : naming == NAME_HWC ? (i + 1) % n : i] = list[i];
    return naming == NAME_CHW || (naming == NAME_HW ? n < 3 : n > 1);
}

/* Set the shape of the layer that a value with that order is; false where its positions have another order. */
static bool has_order(const struct tensor *at, struct order *o)
{
    int side[3];
    for (int a = 0; a < 3; a++)
        side[a] = o->dim[a] < 0 ? 1 : (int)at->dims.dim[o->dim[a]];
    o->shape = (struct shape){side[0], side[1], side[2]};
    if (!o->turned)
        return !at->data;
    for (long i = 0; i < at->count; i++)
        if ((long)tensor_at(at, i) != turned_position(i, o->shape.c, at->count))
            return false;
    return true;
}

static bool same_shape(struct shape a, struct shape b)
{
    return a.c == b.c && a.h == b.h && a.w == b.w;
}

int add_reshape(struct import *m, int from, struct shape to)
{
    if (from < 0 || same_shape(import_shape(m, from), to))
        return from;
    return import_append(m, &(struct layer){.op = OP_RESHAPE, .in = {from}, .out = to});
}

bool view_common(const struct value *a, const struct value *b, const struct dims *dims, struct shape own,
                 const struct wanted *wanted, struct order *oa, struct order *ob)
{
    bool found = false;
    for (enum naming naming = 0; naming < NAMINGS; naming++) {
        struct order next, other;
        if (!name_dims(dims, a->batch, naming, &next))
            continue;
        int c = next.dim[AXIS_C];
        other = next;
        if ((wanted && wanted->channels >= 0 && c != wanted->channels) || (wanted && c >= 0 && wanted->sides[c]) ||
            !has_order(&a->t, &next) || (b && !has_order(&b->t, &other)) ||
            (found && (same_shape(oa->shape, own) || !same_shape(next.shape, own))))
            continue;
        found = true;
        *oa = next;
        *ob = other;
    }
    return found;
}

int view_order(struct import *m, struct value *y, const struct wanted *wanted, struct order *o)
{
    struct order none;
    bool found = view_common(y, NULL, &y->t.dims, import_shape(m, y->layer), wanted, o, &none);
    return found ? y->layer = add_reshape(m, y->layer, o->shape) : -1;
}

int view_put(struct import *m, struct value *y, const struct order *o, struct shape s)
{
    const long side[] = {s.c, s.h, s.w};
    struct dims dims = y->t.dims;
    for (int a = 0; a < 3; a++)
        if (o->dim[a] >= 0)
            dims.dim[o->dim[a]] = side[a];
    y->t = tensor_natural(&dims);
    if (!o->turned || s.c == 1 || s.c == y->t.count)
        return 0;
    double *data = tensor_new(m, &y->t, TYPE(INT64), &dims);
    for (long i = 0; data && i < y->t.count; i++)
        data[i] = (double)turned_position(i, s.c, y->t.count);
    return data ? 0 : -1;
}

int view_pictures(struct import *m, struct value *y)
{
    const long *d = y->t.dims.dim;
    if (y->t.dims.rank != 4 || y->batch != 0 || y->t.data)
        return node_fail(m, "only pictures of one form, [N][C][H][W], are run (rank %d)", y->t.dims.rank);
    return y->layer = add_reshape(m, y->layer, (struct shape){(int)d[1], (int)d[2], (int)d[3]});
}
