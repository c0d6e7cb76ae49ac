/* Operators that move elements and compute nothing.
 *   in   a Reshape, Transpose, Squeeze, Flatten, Expand, Slice, Split, Concat, Gather ... node
 *   out  a constant's numbers or, of a value that depends on the image, its elements' positions in other places; layers
 *        that cut, join or repeat channels
 * Numbers and positions are moved alike: both are tensors.
 * Source: ONNX's operator specifications, Operators.md, opsets 7 to 28. */
#include "import.h"

#include <string.h>

/* ---- Shapes ---- */

long dims_count(const struct dims *d)
{
    long count = 1;
    for (int i = 0; i < d->rank; i++)
        count *= d->dim[i];
    return count;
}

/* y's dims with N, where it depends on the image. */
static struct dims whole_dims(const struct import *m, const struct value *y)
{
    struct dims dims = y->t.dims;
    if (y->batch >= 0)
        dims.dim[y->batch] = m->batch;
    return dims;
}

int dims_reshape(struct import *m, const struct dims *in, struct dims *out)
{
    long shape[ONNX_MAX_RANK], known = 1, count = dims_count(in);
    bool allow_zero = attr_int(m, "allowzero", 0) != 0;
    int rank = operand_ints(m, 1, "shape", ONNX_MAX_RANK, shape), open = -1;
    if (m->failed || rank < 0)
        return node_fail(m, "no shape");
    *out = (struct dims){.rank = rank};
    for (int i = 0; i < rank; i++) {
        long n = shape[i];
        if (n == -1 && open < 0) {
            open = i;
            continue;
        }
        if (n == 0 && !allow_zero)
            n = i < in->rank ? in->dim[i] : -1;
        if (n < 0 || (n && known > NET_MAX_TENSOR / n))
            return node_fail(m, "a bad shape: %ld", shape[i]);
        out->dim[i] = n;
        known *= n;
    }
    if (open >= 0) {
        if (known == 0 || count % known)
            return node_fail(m, "%ld values do not fit the shape", count);
        out->dim[open] = count / known;
        known = count;
    }
    return known == count ? 0 : node_fail(m, "%ld values cannot be made %ld", count, known);
}

int dims_flatten(struct import *m, const struct dims *in, struct dims *out)
{
    long given = attr_int(m, "axis", 1), axis = given < 0 ? given + in->rank : given;
    if (axis < 0 || axis > in->rank)
        return node_fail(m, "axis %ld of a tensor of rank %d", given, in->rank);
    *out = (struct dims){.rank = 2, .dim = {1, 1}};
    for (int i = 0; i < in->rank; i++)
        out->dim[i >= axis] *= in->dim[i];
    return 0;
}

int dims_squeeze(struct import *m, const struct dims *in, struct dims *out)
{
    long axes[ONNX_MAX_RANK];
    bool gone[ONNX_MAX_RANK] = {false};
    int count = operand_ints(m, 1, "axes", ONNX_MAX_RANK, axes);
    for (int i = 0; i < count; i++) {
        int axis = node_axis(m, axes[i], in->rank);
        if (in->dim[axis] != 1)
            return node_fail(m, "axis %d has %ld entries, not 1", axis, in->dim[axis]);
        gone[axis] = true;
    }
    *out = (struct dims){0};
    for (int i = 0; i < in->rank; i++)
        if (!gone[i] && (count >= 0 || in->dim[i] != 1))
            out->dim[out->rank++] = in->dim[i];
    return m->failed ? -1 : 0;
}

int dims_unsqueeze(struct import *m, const struct dims *in, struct dims *out)
{
    long axes[ONNX_MAX_RANK];
    bool is_new[ONNX_MAX_RANK] = {false};
    int count = operand_ints(m, 1, "axes", ONNX_MAX_RANK, axes);
    if (count < 0 || in->rank + count > ONNX_MAX_RANK)
        return node_fail(m, "a bad number of axes");
    *out = (struct dims){.rank = in->rank + count};
    for (int i = 0; i < count; i++) {
        int axis = node_axis(m, axes[i], out->rank);
        if (is_new[axis])
            return node_fail(m, "axis %d twice", axis);
        is_new[axis] = true;
    }
    for (int i = 0, from = 0; i < out->rank; i++)
        out->dim[i] = is_new[i] ? 1 : in->dim[from++];
    return m->failed ? -1 : 0;
}

/* The permutation of Transpose. */
static int dims_perm(struct import *m, int rank, int *perm)
{
    long list[ONNX_MAX_RANK];
    bool seen[ONNX_MAX_RANK] = {false};
    int count = attr_ints(m, "perm", ONNX_MAX_RANK, list);
    if (count >= 0 && count != rank)
        return node_fail(m, "%d axes are permuted, not %d", count, rank);
    for (int i = 0; i < rank; i++) {
        long axis = count < 0 ? rank - 1 - i : list[i];
        if (axis < 0 || axis >= rank || seen[axis])
            return node_fail(m, "perm is no permutation");
        seen[axis] = true;
        perm[i] = (int)axis;
    }
    return m->failed ? -1 : 0;
}

/* Clamp a slice's start or end to low..high; a negative one counts from the end. */
static long clamp_bound(long bound, long n, long low, long high)
{
    bound = bound < 0 ? bound + n : bound;
    return bound < low ? low : bound > high ? high : bound;
}

/* A slice along each dimension: begin and step in `in`, and the dims that come out. */
struct slice {
    long from[ONNX_MAX_RANK], by[ONNX_MAX_RANK];
    struct dims dims;
};

static int dims_slice(struct import *m, const struct dims *in, struct slice *s)
{
    long start[ONNX_MAX_RANK], end[ONNX_MAX_RANK], axes[ONNX_MAX_RANK], step[ONNX_MAX_RANK];
    int count = operand_ints(m, 1, "starts", ONNX_MAX_RANK, start);
    int ends = operand_ints(m, 2, "ends", ONNX_MAX_RANK, end);
    int named = operand_ints(m, 3, "axes", ONNX_MAX_RANK, axes);
    int steps = operand_ints(m, 4, "steps", ONNX_MAX_RANK, step);
    if (m->failed || count < 0 || ends != count || (named >= 0 && named != count) ||
        (steps >= 0 && steps != count) || count > in->rank)
        return node_fail(m, "starts, ends, axes and steps do not go together");
    *s = (struct slice){.dims = *in};
    for (int d = 0; d < in->rank; d++)
        s->by[d] = 1;
    bool seen[ONNX_MAX_RANK] = {false};
    for (int i = 0; i < count; i++) {
        int axis = node_axis(m, named < 0 ? i : axes[i], in->rank);
        long by = steps < 0 ? 1 : step[i], n = in->dim[axis];
        if (by == 0 || by < -NET_MAX_TENSOR || by > NET_MAX_TENSOR || seen[axis])
            return node_fail(m, "a bad step or axis");
        seen[axis] = true;
        if (n == 0)
            continue;
        long first = clamp_bound(start[i], n, 0, by > 0 ? n : n - 1);
        long last = clamp_bound(end[i], n, by > 0 ? 0 : -1, by > 0 ? n : n - 1);
        long room = by > 0 ? last - first : first - last;
        long size = by > 0 ? by : -by;
        s->dims.dim[axis] = room > 0 ? (room + size - 1) / size : 0;
        s->from[axis] = first;
        s->by[axis] = by;
    }
    return 0;
}

int dims_common(struct import *m, const struct dims *a, const struct dims *b, struct dims *out)
{
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < out->rank; i++) {
        int ia = i - (out->rank - a->rank), ib = i - (out->rank - b->rank);
        long p = ia < 0 ? 1 : a->dim[ia], q = ib < 0 ? 1 : b->dim[ib];
        if (p != q && p != 1 && q != 1)
            return node_fail(m, "shapes that do not fit: %ld and %ld", p, q);
        out->dim[i] = p == 1 ? q : p;
    }
    return 0;
}

/* ---- Going through elements ---- */

/* Going through the elements of dims, in order, `at` is an index into another tensor. */
struct walk {
    const struct dims *dims;
    long index[ONNX_MAX_RANK], stride[ONNX_MAX_RANK], at;
};

static void step(struct walk *w)
{
    for (int d = w->dims->rank - 1; d >= 0; d--) {
        w->at += w->stride[d];
        if (++w->index[d] < w->dims->dim[d])
            break;
        w->at -= w->index[d] * w->stride[d];
        w->index[d] = 0;
    }
}

static void strides_of(const struct dims *d, long *stride)
{
    long step = 1;
    for (int i = d->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= d->dim[i];
    }
}

int dims_fit(struct import *m, const struct dims *from, const struct dims *to)
{
    int shift = to->rank - from->rank;
    if (shift < 0)
        return node_fail(m, "a constant of higher rank");
    for (int d = 0; d < from->rank; d++)
        if (from->dim[d] != 1 && from->dim[d] != to->dim[d + shift])
            return node_fail(m, "a constant of %ld entries along dimension %d of %ld", from->dim[d], d + shift,
                             to->dim[d + shift]);
    return 0;
}

/* Going through those elements of dims that are broadcast, which dims_fit lets. */
static struct walk broadcast(const struct dims *from, const struct dims *to)
{
    struct walk w = {.dims = to};
    long *stride = w.stride + to->rank - from->rank;
    strides_of(from, stride);
    for (int d = 0; d < from->rank; d++)
        stride[d] = from->dim[d] == 1 ? 0 : stride[d];
    return w;
}

/* Make out the elements of x that the walk comes to, all of which x has. */
static int gather(struct import *m, const struct tensor *x, struct walk w, struct tensor *out)
{
    double *data = tensor_new(m, out, x->type, w.dims);
    for (long i = 0; data && i < out->count; i++, step(&w))
        data[i] = tensor_at(x, w.at);
    return data ? 0 : -1;
}

int tensor_broadcast(struct import *m, const struct tensor *x, const struct dims *dims, struct tensor *out)
{
    return dims_fit(m, &x->dims, dims) ? -1 : gather(m, x, broadcast(&x->dims, dims), out);
}

/* The number of blocks that lie along an axis, one behind another. */
static long dims_outer(const struct dims *d, int axis)
{
    long count = 1;
    for (int i = 0; i < axis; i++)
        count *= d->dim[i];
    return count;
}

long dims_inner(const struct dims *d, int axis)
{
    long count = 1;
    for (int i = axis + 1; i < d->rank; i++)
        count *= d->dim[i];
    return count;
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
    const struct dims dims = whole_dims(m, y);
    long rank = dims.rank, first = attr_int(m, "start", 0), last = attr_int(m, "end", rank);
    first = clamp_bound(first, rank, 0, rank);
    last = clamp_bound(last, rank, first, rank);
    *y = (struct value){.kind = CONSTANT, .batch = -1};
    double *data = tensor_new(m, &y->t, TYPE(INT64), &(struct dims){1, {last - first}});
    for (long i = first; data && i < last; i++)
        data[i - first] = (double)dims.dim[i];
    return y->layer;
}

int do_view(struct import *m, struct value *y)
{
    struct dims dims = whole_dims(m, y), out = {0};
    if (m->operator->rule(m, &dims, &out))
        return -1;
    y->t.dims = out;
    y->t.step = NULL;
    if (y->kind == CONSTANT)
        return dims_check(m, &out) < 0 ? -1 : 0;
    bool batched = out.rank > 0 && out.dim[0] == m->batch;
    if (y->batch > 0 || (!batched && !m->one_image))
        return node_fail(m, "a shape that mixes images");
    y->batch = batched ? 0 : -1;
    if (batched)
        y->t.dims.dim[0] = 1;
    return y->layer;
}

/* Flatten stays a layer where the order is C H W, so that a net that was saved here is loaded as it was. */
int do_flatten(struct import *m, struct value *y)
{
    bool layer = !y->t.data && !y->integer && !y->quantized && y->t.count <= NET_MAX_DIM;
    int from = do_view(m, y);
    return layer ? import_add(m, OP_FLATTEN, from) : from;
}

/* Where an axis is once it is permuted; -1 stays. */
static int moved_axis(const int *perm, int rank, int axis)
{
    for (int i = 0; i < rank; i++)
        if (perm[i] == axis)
            return i;
    return -1;
}

int do_transpose(struct import *m, struct value *y)
{
    const struct tensor x = y->t;
    int perm[ONNX_MAX_RANK], rank = x.dims.rank;
    long stride[ONNX_MAX_RANK] = {0}, moved = 0;
    struct dims dims = {.rank = rank};
    struct walk w = {.dims = &dims};
    if (dims_perm(m, rank, perm))
        return -1;
    strides_of(&x.dims, stride);
    for (int i = 0; i < rank; i++) {
        dims.dim[i] = x.dims.dim[perm[i]];
        w.stride[i] = stride[perm[i]];
    }
    if (gather(m, &x, w, &y->t))
        return -1;
    y->t.step = x.step;
    y->t.step_axis = moved_axis(perm, rank, x.step_axis);
    y->batch = moved_axis(perm, rank, y->batch);
    for (long i = 0; i < x.count; i++)
        moved += y->t.data[i] != (double)i;
    y->t.data = moved ? y->t.data : NULL;
    return y->layer;
}

/* Append y's values repeated along axes of side 1 to those dims. */
static int repeat(struct import *m, struct value *y, const struct dims *dims)
{
    struct dims own = whole_dims(m, y);
    struct order o;
    long side[3] = {1, 1, 1};
    size_t size = (size_t)own.rank * sizeof *own.dim;
    bool fits = dims->rank == own.rank;
    if (fits && !memcmp(own.dim, dims->dim, size))
        return y->layer;
    int from = view_order(m, y, NULL, &o);
    for (int a = 0; a < 3 && from >= 0; a++)
        if (o.dim[a] >= 0) {
            own.dim[o.dim[a]] = side[a] = dims->dim[o.dim[a]];
            fits = fits && side[a] >= 1 && side[a] <= NET_MAX_DIM;
        }
    if (from < 0 || !fits || memcmp(own.dim, dims->dim, size))
        return node_fail(m, "only channels, rows and columns of 1 are repeated");
    struct shape to = {(int)side[0], (int)side[1], (int)side[2]};
    from = add_copies(m, from, to);
    return from < 0 || view_put(m, y, &o, to) ? -1 : from;
}

int do_expand(struct import *m, struct value *y)
{
    const struct tensor x = y->t;
    struct dims own = whole_dims(m, y), shape = {0}, dims;
    shape.rank = operand_ints(m, 1, "shape", ONNX_MAX_RANK, shape.dim);
    if (m->failed || shape.rank < 0 || dims_common(m, &own, &shape, &dims))
        return node_fail(m, "no shape");
    return y->kind == RUNTIME ? repeat(m, y, &dims) : tensor_broadcast(m, &x, &dims, &y->t);
}

/* Copy `count` entries of x along an axis from `from` on to those of `to`, row-major too, which has `entries`. */
static void copy_entries(const struct tensor *x, int axis, long from, long count, double *to, long entries)
{
    long inner = dims_inner(&x->dims, axis), outer = dims_outer(&x->dims, axis);
    for (long o = 0; x->count && o < outer; o++)
        for (long i = 0; i < count * inner; i++)
            to[o * entries * inner + i] = tensor_at(x, (o * x->dims.dim[axis] + from) * inner + i);
}

int fold_gather(struct import *m, struct value *y)
{
    const struct tensor given = y->t, *x = &given, *at = import_constant(m, 1);
    int axis = node_axis(m, attr_int(m, "axis", 0), x->dims.rank);
    struct dims dims = {.rank = x->dims.rank - 1 + at->dims.rank};
    if (dims.rank > ONNX_MAX_RANK || type_is_float(at->type))
        return node_fail(m, "bad indices");
    for (int i = 0; i < dims.rank; i++)
        dims.dim[i] = i < axis                    ? x->dims.dim[i]
                      : i < axis + at->dims.rank ? at->dims.dim[i - axis]
                                                 : x->dims.dim[i - at->dims.rank + 1];
    double *data = tensor_new(m, &y->t, x->type, &dims), n = (double)x->dims.dim[axis];
    for (long i = 0; data && y->t.count && i < at->count; i++) {
        double index = tensor_at(at, i), from = index < 0 ? index + n : index;
        if (!(from >= 0 && from < n))
            return node_fail(m, "index %g of %g", index, n);
        copy_entries(x, axis, (long)from, 1, data + i * dims_inner(&x->dims, axis), at->count);
    }
    return data ? 0 : -1;
}

/* ---- Channels cut and joined ---- */

/* Make dimension d of y the channels of its layer. */
static int channels_at(struct import *m, struct value *y, int d, struct order *o)
{
    int from = m->failed || d == y->batch ? -1 : view_order(m, y, &(struct wanted){.channels = d}, o);
    return from < 0 ? node_fail(m, "only channels are joined or cut") : from;
}

/* Fail unless b can be joined with a along an axis. */
static void check_join(struct import *m, const struct dims *a, const struct dims *b, int axis)
{
    for (int d = 0; d < a->rank; d++)
        if (a->rank != b->rank || (d != axis && a->dim[d] != b->dim[d]))
            node_fail(m, "shapes that do not fit");
}

int fold_concat(struct import *m, struct value *y)
{
    struct dims dims = y->t.dims;
    int axis = node_axis(m, attr_int(m, "axis", 1), dims.rank);
    dims.dim[axis] = 0;
    for (size_t i = 0; i < m->node->n_input; i++) {
        const struct tensor *part = import_constant(m, i);
        check_join(m, &dims, &part->dims, axis);
        dims.dim[axis] += part->dims.dim[axis];
    }
    double *data = tensor_new(m, &y->t, y->t.type, &dims);
    for (size_t i = 0; data && i < m->node->n_input; i++) {
        const struct tensor *part = import_constant(m, i);
        copy_entries(part, axis, 0, part->dims.dim[axis], data, dims.dim[axis]);
        data += part->count ? part->dims.dim[axis] * dims_inner(&dims, axis) : 0;
    }
    return y->layer;
}

int do_concat(struct import *m, struct value *y)
{
    int axis = node_axis(m, attr_int(m, "axis", 1), y->t.dims.rank), joined = -1, channels = 0;
    struct order o, next;
    for (size_t i = 0; i < m->node->n_input && !m->failed; i++) {
        struct value part = *import_floats(m, i);
        check_join(m, &y->t.dims, &part.t.dims, axis);
        if (part.batch != y->batch)
            node_fail(m, "shapes that do not fit");
        int layer = channels_at(m, &part, axis, i ? &next : &o);
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
    int d = node_axis(m, attr_int(m, "axis", 0), y->t.dims.rank);
    struct order o;
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

/* Cut y along the one dimension that the slice does not leave as it is. */
static int cut_slice(struct import *m, struct value *y, const struct dims *dims, const struct slice *s)
{
    struct order o;
    int cuts = 0, d = 0;
    for (int i = 0; i < dims->rank; i++)
        if (s->dims.dim[i] != dims->dim[i] || s->by[i] != 1) {
            cuts++;
            d = i;
        }
    if (!cuts)
        return y->layer;
    if (cuts > 1 || s->by[d] != 1)
        return node_fail(m, "only channels are joined or cut");
    return channels_at(m, y, d, &o) < 0 ? -1 : cut(m, y, &o, s->from[d], s->dims.dim[d]);
}

int do_slice(struct import *m, struct value *y)
{
    const struct tensor x = y->t;
    struct dims dims = whole_dims(m, y);
    struct slice s;
    if (dims_slice(m, &dims, &s))
        return -1;
    if (y->kind == RUNTIME)
        return cut_slice(m, y, &dims, &s);
    struct walk w = {.dims = &s.dims};
    strides_of(&x.dims, w.stride);
    for (int d = 0; d < x.dims.rank; d++) {
        w.at += s.from[d] * w.stride[d];
        w.stride[d] *= s.by[d];
    }
    return gather(m, &x, w, &y->t);
}
