/* Values that depend on the image: each is a layer and, for each element of the ONNX tensor, its position in the
 * layer's output [C][H][W].
 *   in   a Reshape, Transpose, Squeeze, Flatten, Expand, Slice, Split, Concat ... node
 *   out  its input's layer with other positions; layers that cut, join or repeat channels
 * Positions are moved as constants are (fold.c). What looks at C, H and W finds the dimensions that are these, which
 * lie in the order of the layer, or in that of NHWC. */
#include "import.h"

struct tensor tensor_natural(const struct dims *dims)
{
    return (struct tensor){.type = TYPE(INT64), .dims = *dims, .count = dims_count(dims)};
}

/* y's dims with N. */
static struct dims whole_dims(const struct import *m, const struct value *y)
{
    struct dims dims = y->at.dims;
    if (y->batch >= 0)
        dims.dim[y->batch] = m->batch;
    return dims;
}

void view_picture(struct value *y, struct shape s)
{
    y->at = tensor_natural(&(struct dims){4, {1, s.c, s.h, s.w}});
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

/* Choose an order of a, whose layer has shape `own`, and of b, whose dims are as many: one that both have; that shape,
 * where one has it, else the first. NULL: there is no b. */
static bool choose(const struct value *a, const struct value *b, const struct dims *dims, struct shape own,
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
            !has_order(&a->at, &next) || (b && !has_order(&b->at, &other)) ||
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
    bool found = choose(y, NULL, &y->at.dims, import_shape(m, y->layer), wanted, o, &none);
    return found ? y->layer = add_reshape(m, y->layer, o->shape) : -1;
}

bool view_common(const struct value *a, const struct value *b, const struct dims *dims, struct shape own,
                 struct order *oa, struct order *ob)
{
    return choose(a, b, dims, own, NULL, oa, ob);
}

int view_put(struct import *m, struct value *y, const struct order *o, struct shape s)
{
    const long side[] = {s.c, s.h, s.w};
    struct dims dims = y->at.dims;
    for (int a = 0; a < 3; a++)
        if (o->dim[a] >= 0)
            dims.dim[o->dim[a]] = side[a];
    y->at = tensor_natural(&dims);
    if (!o->turned || s.c == 1 || s.c == y->at.count)
        return 0;
    double *data = tensor_new(m, &y->at, TYPE(INT64), &dims);
    for (long i = 0; data && i < y->at.count; i++)
        data[i] = (double)turned_position(i, s.c, y->at.count);
    return data ? 0 : -1;
}

int view_pictures(struct import *m, struct value *y)
{
    const long *d = y->at.dims.dim;
    if (y->at.dims.rank != 4 || y->batch != 0 || y->at.data)
        return node_fail(m, "only pictures of one form, [N][C][H][W], are run (rank %d)", y->at.dims.rank);
    return y->layer = add_reshape(m, y->layer, (struct shape){(int)d[1], (int)d[2], (int)d[3]});
}

/* ---- Operators ---- */

int do_identity(struct import *m, struct value *y)
{
    (void)m;
    return y->layer;
}

int do_dropout(struct import *m, struct value *y)
{
    return operand_number(m, 2, 0) != 0 ? node_fail(m, "dropout for training") : y->layer;
}

int do_cast(struct import *m, struct value *y)
{
    bool to_float = type_is_float((int)attr_int(m, "to", 0));
    if (!to_float && !y->integer)
        return node_fail(m, "a cast to whole numbers is not run");
    y->integer = !to_float;
    return y->layer;
}

/* Shape: constant, since N is taken from the file or as 1. */
int do_shape(struct import *m, struct value *y)
{
    struct dims dims = whole_dims(m, y);
    y->kind = CONSTANT;
    return dims_tensor(m, &dims, &y->tensor) ? -1 : y->layer;
}

int do_view(struct import *m, struct value *y)
{
    struct dims dims = whole_dims(m, y), out = {0};
    if (m->operator->rule(m, &dims, &out))
        return -1;
    bool batched = out.rank > 0 && out.dim[0] == m->batch;
    if (y->batch > 0 || (!batched && !m->one_image))
        return node_fail(m, "a shape that mixes images");
    y->at.dims = out;
    y->batch = batched ? 0 : -1;
    if (batched)
        y->at.dims.dim[0] = 1;
    return y->layer;
}

/* Flatten stays a layer where the order is C H W, so that a net that was saved here is loaded as it was. */
int do_flatten(struct import *m, struct value *y)
{
    bool layer = !y->at.data && !y->integer && !y->quantized && y->at.count <= NET_MAX_DIM;
    int from = do_view(m, y);
    return layer ? import_add(m, OP_FLATTEN, from) : from;
}

int do_transpose(struct import *m, struct value *y)
{
    const struct tensor x = y->at;
    int perm[ONNX_MAX_RANK], batch = -1;
    if (dims_perm(m, x.dims.rank, perm) || fold_transpose(m, &x, &y->at))
        return -1;
    for (int d = 0; d < x.dims.rank; d++)
        batch = y->batch == perm[d] ? d : batch;
    y->batch = batch;
    for (long i = 0; i < x.count; i++)
        if (y->at.data[i] != (double)i)
            return y->layer;
    y->at.data = NULL;
    return y->layer;
}

/* Expand: sides of 1 are repeated. */
int do_expand(struct import *m, struct value *y)
{
    struct dims shape = {0}, own = whole_dims(m, y), dims;
    struct order o;
    long side[3] = {1, 1, 1}, sides = 1;
    shape.rank = operand_ints(m, 1, "shape", ONNX_MAX_RANK, shape.dim);
    if (m->failed || dims_common(m, &own, &shape, &dims))
        return -1;
    if (dims.rank == own.rank && dims_count(&dims) == dims_count(&own))
        return y->layer;
    int from = view_order(m, y, NULL, &o);
    for (int a = 0; a < 3 && from >= 0; a++) {
        side[a] = o.dim[a] < 0 ? 1 : dims.dim[o.dim[a]];
        sides *= side[a] < 1 || side[a] > NET_MAX_DIM ? 0 : side[a];
    }
    if (from < 0 || dims.rank != own.rank || sides < 1 || sides * m->batch != dims_count(&dims))
        return node_fail(m, "only channels, rows and columns of 1 are repeated");
    struct shape to = {(int)side[0], (int)side[1], (int)side[2]};
    from = add_copies(m, from, to);
    return from < 0 || view_put(m, y, &o, to) ? -1 : from;
}

/* ---- Channels cut and joined ---- */

/* Make dimension d of y the channels of its layer. */
static int channels_at(struct import *m, struct value *y, int d, struct order *o)
{
    int from = d == y->batch ? -1 : view_order(m, y, &(struct wanted){.channels = d}, o);
    return from < 0 ? node_fail(m, "only channels are joined or cut") : from;
}

int do_concat(struct import *m, struct value *y)
{
    int d, joined = -1, channels = 0;
    const struct dims first = y->at.dims;
    struct order o, next;
    if (node_axis(m, attr_int(m, "axis", 1), first.rank, &d))
        return -1;
    for (size_t i = 0; i < m->node->n_input; i++) {
        const struct value *x = import_floats(m, i);
        if (!x)
            return -1;
        for (int k = 0; k < first.rank; k++)
            if (first.rank != x->at.dims.rank || y->batch != x->batch ||
                (k != d && first.dim[k] != x->at.dims.dim[k]))
                return node_fail(m, "shapes that do not fit");
        struct value part = *x;
        int layer = channels_at(m, &part, d, i ? &next : &o);
        if (layer >= 0 && i && next.turned != o.turned)
            return node_fail(m, "only channels are joined or cut");
        joined = i ? add_pair(m, OP_CONCAT, joined, layer) : layer;
        channels = import_shape(m, joined).c;
    }
    return joined < 0 || view_put(m, y, &o, (struct shape){channels, o.shape.h, o.shape.w}) ? -1 : joined;
}

/* Append `count` of y's channels from `first` on. */
static int cut(struct import *m, struct value *y, const struct order *o, long first, long count)
{
    if (first < 0 || count < 1 || first > o->shape.c - count)
        return node_fail(m, "%ld channels from %ld on of %d", count, first, o->shape.c);
    if (view_put(m, y, o, (struct shape){(int)count, o->shape.h, o->shape.w}) || count == o->shape.c)
        return y->layer;
    return import_append(m, &(struct layer){.op = OP_SLICE, .in = {y->layer}, .first = (int)first,
                                            .out = {.c = (int)count}});
}

/* The parts but the first are outputs here. */
int do_split(struct import *m, struct value *y)
{
    long sizes[64], first = 0, outputs = (long)m->node->n_output;
    int d;
    struct order o;
    if (node_axis(m, attr_int(m, "axis", 0), y->at.dims.rank, &d))
        return -1;
    int given = operand_ints(m, 1, "split", 64, sizes);
    if (d == y->batch || outputs > 64 || (given >= 0 && given != outputs))
        return node_fail(m, "only channels are cut, into at most 64 parts");
    if (channels_at(m, y, d, &o) < 0)
        return -1;
    const struct value whole = *y;
    long all = o.shape.c, each = (all + outputs - 1) / outputs;
    for (long i = 0; i < outputs; i++) {
        long count = given >= 0 ? sizes[i] : i < outputs - 1 ? each : all - first;
        struct value part = whole;
        part.layer = cut(m, &part, &o, first, count);
        if (import_output(m, (size_t)i, &part))
            return -1;
        *y = i ? *y : part;
        first += count;
    }
    return y->layer;
}

int do_slice(struct import *m, struct value *y)
{
    struct dims dims = whole_dims(m, y);
    struct slice s;
    struct order o;
    int cuts = 0, d = 0;
    if (dims_slice(m, &dims, &s))
        return -1;
    for (int i = 0; i < dims.rank; i++)
        if (s.dims.dim[i] != dims.dim[i] || s.by[i] != 1) {
            cuts++;
            d = i;
        }
    if (!cuts)
        return y->layer;
    if (cuts > 1 || s.by[d] != 1)
        return node_fail(m, "only channels are joined or cut");
    return channels_at(m, y, d, &o) < 0 ? -1 : cut(m, y, &o, s.from[d], s.dims.dim[d]);
}
