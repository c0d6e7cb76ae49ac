/* Constant folding: operators computed when the model is read.
 *   in   a node all of whose inputs are constant
 *   out  its result as a tensor of doubles
 * Source: ONNX's operator specifications, Operators.md, opsets 7 to 28. */
#include "import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Shapes ---- */

long dims_count(const struct dims *d)
{
    long count = 1;
    for (int i = 0; i < d->rank; i++)
        count *= d->dim[i];
    return count;
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
        int axis;
        if (node_axis(m, axes[i], in->rank, &axis))
            return -1;
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
        int axis;
        if (node_axis(m, axes[i], out->rank, &axis))
            return -1;
        if (is_new[axis])
            return node_fail(m, "axis %d twice", axis);
        is_new[axis] = true;
    }
    for (int i = 0, from = 0; i < out->rank; i++)
        out->dim[i] = is_new[i] ? 1 : in->dim[from++];
    return m->failed ? -1 : 0;
}

int dims_perm(struct import *m, int rank, int *perm)
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

int dims_slice(struct import *m, const struct dims *in, struct slice *s)
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
        int axis;
        long by = steps < 0 ? 1 : step[i];
        if (node_axis(m, named < 0 ? i : axes[i], in->rank, &axis))
            return -1;
        long n = in->dim[axis];
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

int dims_tensor(struct import *m, const struct dims *dims, struct tensor *out)
{
    long rank = dims->rank, first = attr_int(m, "start", 0), last = attr_int(m, "end", rank);
    first = clamp_bound(first, rank, 0, rank);
    last = clamp_bound(last, rank, first, rank);
    double *data = tensor_new(m, out, TYPE(INT64), &(struct dims){1, {last - first}});
    for (long i = first; data && i < last; i++)
        data[i - first] = (double)dims->dim[i];
    return data ? 0 : -1;
}

/* ---- Values ---- */

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

int fold_identity(struct import *m, const struct tensor *x, struct tensor *out)
{
    (void)m;
    *out = *x;
    return 0;
}

int fold_dims(struct import *m, const struct tensor *x, struct tensor *out)
{
    struct dims dims = {0};
    if (m->operator->rule(m, &x->dims, &dims))
        return -1;
    if (dims_check(m, &dims) != x->count)
        return node_fail(m, "%ld values cannot be made %ld", x->count, dims_count(&dims));
    *out = (struct tensor){.type = x->type, .dims = dims, .count = x->count, .data = x->data, .floats = x->floats};
    return 0;
}

/* Make out f of each value of x. */
static int each(struct import *m, const struct tensor *x, int type, double (*f)(double), struct tensor *out)
{
    double *data = tensor_new(m, out, type, &x->dims);
    for (long i = 0; data && i < x->count; i++)
        data[i] = as_type(type, f ? f(tensor_at(x, i)) : tensor_at(x, i));
    return data ? 0 : -1;
}

int fold_transpose(struct import *m, const struct tensor *x, struct tensor *out)
{
    int perm[ONNX_MAX_RANK], step_axis = -1;
    long stride[ONNX_MAX_RANK] = {0};
    if (dims_perm(m, x->dims.rank, perm))
        return -1;
    struct dims dims = {.rank = x->dims.rank};
    struct walk w = {.dims = &dims};
    strides_of(&x->dims, stride);
    for (int i = 0; i < dims.rank; i++) {
        dims.dim[i] = x->dims.dim[perm[i]];
        w.stride[i] = stride[perm[i]];
        step_axis = x->step_axis == perm[i] ? i : step_axis;
    }
    if (gather(m, x, w, out))
        return -1;
    out->step = x->step;
    out->step_axis = step_axis;
    return 0;
}

int fold_cast(struct import *m, const struct tensor *x, struct tensor *out)
{
    long to = attr_int(m, "to", 0);
    double low, high;
    if (!type_is_float((int)to) && !type_range((int)to, &low, &high))
        return node_fail(m, "a cast to type %ld", to);
    return each(m, x, (int)to, NULL, out);
}

int fold_constant(struct import *m, const struct tensor *x, struct tensor *out)
{
    (void)x;
    for (size_t i = 0; i < m->node->n_attribute; i++) {
        const Onnx__AttributeProto *a = m->node->attribute[i];
        const char *name = a->name ? a->name : "";
        if (!strcmp(name, "value") && a->t)
            return tensor_read(m, a->t, out);
        if (!strcmp(name, "value_ints") || !strcmp(name, "value_floats"))
            return tensor_list(m, a, !strcmp(name, "value_ints"), out);
        if (!strcmp(name, "value_int"))
            return tensor_number(m, TYPE(INT64), (double)a->i, out);
        if (!strcmp(name, "value_float"))
            return tensor_number(m, TYPE(FLOAT), a->f, out);
    }
    return node_fail(m, "a constant without numbers");
}

int fold_constant_of_shape(struct import *m, const struct tensor *x, struct tensor *out)
{
    struct dims dims = {0};
    struct tensor value = {.type = TYPE(FLOAT), .count = 1, .data = (const double[]){0}};
    const Onnx__AttributeProto *a = attr_find(m->node, "value");
    (void)x;
    dims.rank = operand_ints(m, 0, "shape", ONNX_MAX_RANK, dims.dim);
    if (m->failed || dims.rank < 0)
        return node_fail(m, "no shape");
    if (a && a->t && (tensor_read(m, a->t, &value) || value.count != 1))
        return node_fail(m, "value must be one number");
    value.dims.rank = 0;
    return tensor_broadcast(m, &value, &dims, out);
}

int fold_shape(struct import *m, const struct tensor *x, struct tensor *out)
{
    return dims_tensor(m, &x->dims, out);
}

/* Copy `count` entries of x along an axis from `from` on to those of `to`, row-major too, which has `entries`. */
static void copy_entries(const struct tensor *x, int axis, long from, long count, double *to, long entries)
{
    long inner = dims_inner(&x->dims, axis), outer = dims_outer(&x->dims, axis);
    for (long o = 0; x->count && o < outer; o++)
        for (long i = 0; i < count * inner; i++)
            to[o * entries * inner + i] = tensor_at(x, (o * x->dims.dim[axis] + from) * inner + i);
}

int fold_gather(struct import *m, const struct tensor *x, struct tensor *out)
{
    const struct tensor *at = import_constant(m, 1);
    int axis;
    if (!at || node_axis(m, attr_int(m, "axis", 0), x->dims.rank, &axis))
        return -1;
    struct dims dims = {.rank = x->dims.rank - 1 + at->dims.rank};
    if (dims.rank > ONNX_MAX_RANK || type_is_float(at->type))
        return node_fail(m, "bad indices");
    for (int i = 0; i < dims.rank; i++)
        dims.dim[i] = i < axis                    ? x->dims.dim[i]
                      : i < axis + at->dims.rank ? at->dims.dim[i - axis]
                                                 : x->dims.dim[i - at->dims.rank + 1];
    double *data = tensor_new(m, out, x->type, &dims), n = (double)x->dims.dim[axis];
    for (long i = 0; data && out->count && i < at->count; i++) {
        double index = tensor_at(at, i), from = index < 0 ? index + n : index;
        if (!(from >= 0 && from < n))
            return node_fail(m, "index %g of %g", index, n);
        copy_entries(x, axis, (long)from, 1, data + i * dims_inner(&x->dims, axis), at->count);
    }
    return data ? 0 : -1;
}

int fold_slice(struct import *m, const struct tensor *x, struct tensor *out)
{
    struct slice s;
    if (dims_slice(m, &x->dims, &s))
        return -1;
    struct walk w = {.dims = &s.dims};
    strides_of(&x->dims, w.stride);
    for (int d = 0; d < x->dims.rank; d++) {
        w.at += s.from[d] * w.stride[d];
        w.stride[d] *= s.by[d];
    }
    return gather(m, x, w, out);
}

int fold_concat(struct import *m, const struct tensor *x, struct tensor *out)
{
    int axis;
    if (node_axis(m, attr_int(m, "axis", 1), x->dims.rank, &axis))
        return -1;
    struct dims dims = x->dims;
    dims.dim[axis] = 0;
    for (size_t i = 0; i < m->node->n_input; i++) {
        const struct tensor *part = import_constant(m, i);
        if (!part)
            return -1;
        for (int d = 0; d < dims.rank; d++)
            if (part->dims.rank != dims.rank || (d != axis && part->dims.dim[d] != dims.dim[d]))
                return node_fail(m, "shapes that do not fit");
        dims.dim[axis] += part->dims.dim[axis];
    }
    double *data = tensor_new(m, out, x->type, &dims);
    for (size_t i = 0; data && i < m->node->n_input; i++) {
        const struct tensor *part = m->in[i];
        copy_entries(part, axis, 0, part->dims.dim[axis], data, dims.dim[axis]);
        data += part->count ? part->dims.dim[axis] * dims_inner(&dims, axis) : 0;
    }
    return data ? 0 : -1;
}

int fold_expand(struct import *m, const struct tensor *x, struct tensor *out)
{
    struct dims shape = {0}, dims = {0};
    shape.rank = operand_ints(m, 1, "shape", ONNX_MAX_RANK, shape.dim);
    if (m->failed || shape.rank < 0 || dims_common(m, &x->dims, &shape, &dims))
        return node_fail(m, "no shape");
    return tensor_broadcast(m, x, &dims, out);
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

int fold_arithmetic(struct import *m, const struct tensor *a, struct tensor *out)
{
    const struct tensor *b = import_constant(m, 1);
    struct dims dims = {0};
    if (!b || dims_common(m, &a->dims, &b->dims, &dims))
        return -1;
    struct walk wa = broadcast(&a->dims, &dims), wb = broadcast(&b->dims, &dims);
    bool integer = !type_is_float(a->type);
    double *data = tensor_new(m, out, a->type, &dims);
    for (long i = 0; data && i < out->count; i++, step(&wa), step(&wb))
        data[i] = as_type(a->type, arithmetic(m->operator->kind, tensor_at(a, wa.at), tensor_at(b, wb.at), integer));
    return data ? 0 : -1;
}

int fold_each(struct import *m, const struct tensor *x, struct tensor *out)
{
    return each(m, x, x->type, m->operator->each, out);
}

/* ReduceProd over all axes, as chains behind Shape use it. */
int fold_reduce_prod(struct import *m, const struct tensor *x, struct tensor *out)
{
    long axes[ONNX_MAX_RANK];
    int count = operand_ints(m, 1, "axes", ONNX_MAX_RANK, axes);
    bool keep = attr_int(m, "keepdims", 1) != 0;
    if (m->failed || x->dims.rank > 1 || count > 1)
        return node_fail(m, "only the product of a list is folded");
    double product = 1;
    for (long i = 0; i < x->count; i++)
        product = as_type(x->type, product * tensor_at(x, i));
    if (tensor_number(m, x->type, product, out))
        return -1;
    out->dims = (struct dims){keep ? x->dims.rank : 0, {1}};
    return 0;
}

/* ---- Quantization ---- */

/* Check scale and zero point, inputs `at` and at + 1, of a quantized constant: one for the tensor (*axis -1), or
 * one a slice of *axis, which is `given`. */
static int check_quantization(struct import *m, const struct tensor *x, size_t at, long given, int *axis)
{
    const struct tensor *scale = import_constant(m, at), *zero = at + 1 < m->node->n_input ? m->in[at + 1] : NULL;
    if (!scale || attr_int(m, "block_size", 0))
        return node_fail(m, "quantization in blocks");
    *axis = -1;
    if (scale->count != 1 || scale->dims.rank > 1) {
        if (scale->dims.rank != 1 || node_axis(m, given, x->dims.rank, axis) ||
            scale->count != x->dims.dim[*axis])
            return node_fail(m, "%ld scales do not fit", scale->count);
    }
    if (zero && zero->count != scale->count)
        return node_fail(m, "%ld zero points for %ld scales", zero->count, scale->count);
    for (long i = 0; i < scale->count; i++)
        if (!isfinite(tensor_at(scale, i)) || tensor_at(scale, i) <= 0)
            return node_fail(m, "a scale of %g", tensor_at(scale, i));
    return 0;
}

/* The index of the scale of element i of x. */
static long scale_at(const struct tensor *x, int axis, long i)
{
    return axis < 0 ? 0 : i / dims_inner(&x->dims, axis) % x->dims.dim[axis];
}

int dequantize(struct import *m, const struct tensor *x, size_t at, long along, struct tensor *out)
{
    int axis;
    double *data = check_quantization(m, x, at, along, &axis) ? NULL : tensor_new(m, out, TYPE(FLOAT), &x->dims);
    if (!data)
        return -1;
    const struct tensor *scale = m->in[at], *zero = at + 1 < m->node->n_input ? m->in[at + 1] : NULL;
    bool eight = scale->count > 0; /* bits hold every number of steps */
    for (long i = 0; i < x->count; i++) {
        long k = scale_at(x, axis, i);
        float steps = (float)(tensor_at(x, i) - (zero ? tensor_at(zero, k) : 0));
        data[i] = steps * (float)tensor_at(scale, k);
        eight = eight && steps >= -128 && steps <= 127;
    }
    if (!eight)
        return 0;
    struct tensor steps;
    out->step_axis = axis;
    out->step = each(m, scale, TYPE(DOUBLE), NULL, &steps) ? NULL : steps.data;
    return out->step ? 0 : -1;
}

int fold_dequantize(struct import *m, const struct tensor *x, struct tensor *out)
{
    return dequantize(m, x, 1, attr_int(m, "axis", 1), out);
}

int fold_quantize(struct import *m, const struct tensor *x, struct tensor *out)
{
    int axis;
    if (check_quantization(m, x, 1, attr_int(m, "axis", 1), &axis))
        return -1;
    const struct tensor *scale = m->in[1], *zero = m->node->n_input > 2 ? m->in[2] : NULL;
    int type = zero ? zero->type : (int)attr_int(m, "output_dtype", TYPE(UINT8));
    double low, high;
    if (!type_range(type, &low, &high))
        return node_fail(m, "quantization to type %d", type);
    double *data = tensor_new(m, out, type, &x->dims);
    if (!data)
        return -1;
    for (long i = 0; i < x->count; i++) {
        long at = scale_at(x, axis, i);
        double steps = rint((float)tensor_at(x, i) / (float)tensor_at(scale, at));
        data[i] = fmin(fmax(steps + (zero ? tensor_at(zero, at) : 0), low), high);
    }
    return 0;
}
