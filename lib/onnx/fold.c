/* Constant folding: operators computed when the model is read.
 *   in   a node all of whose inputs are constant
 *   out  its result as a tensor of doubles
 * Source: ONNX's operator specifications, Operators.md, opsets 7 to 28. */
#include "fold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Shapes ---- */

static long dims_count(const struct dims *d)
{
    long count = 1;
    for (int i = 0; i < d->rank; i++)
        count *= d->dim[i];
    return count;
}

int dims_reshape(struct call *c, const struct dims *in, struct dims *out)
{
    long shape[ONNX_MAX_RANK], known = 1, count = dims_count(in);
    bool allow_zero = attr_int(c, "allowzero", 0) != 0;
    int rank = operand_ints(c, 1, "shape", ONNX_MAX_RANK, shape), open = -1;
    if (c->failed || rank < 0)
        return call_fail(c, "no shape");
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
            return call_fail(c, "a bad shape: %ld", shape[i]);
        out->dim[i] = n;
        known *= n;
    }
    if (open >= 0) {
        if (known == 0 || count % known)
            return call_fail(c, "%ld values do not fit the shape", count);
        out->dim[open] = count / known;
        known = count;
    }
    return known == count ? 0 : call_fail(c, "%ld values cannot be made %ld", count, known);
}

int dims_flatten(struct call *c, const struct dims *in, struct dims *out)
{
    long given = attr_int(c, "axis", 1), axis = given < 0 ? given + in->rank : given;
    if (axis < 0 || axis > in->rank)
        return call_fail(c, "axis %ld of a tensor of rank %d", given, in->rank);
    *out = (struct dims){.rank = 2, .dim = {1, 1}};
    for (int i = 0; i < in->rank; i++)
        out->dim[i >= axis] *= in->dim[i];
    return 0;
}

int dims_squeeze(struct call *c, const struct dims *in, struct dims *out)
{
    long axes[ONNX_MAX_RANK];
    bool gone[ONNX_MAX_RANK] = {false};
    int count = operand_ints(c, 1, "axes", ONNX_MAX_RANK, axes);
    for (int i = 0; i < count; i++) {
        int axis;
        if (call_axis(c, axes[i], in->rank, &axis))
            return -1;
        if (in->dim[axis] != 1)
            return call_fail(c, "axis %d has %ld entries, not 1", axis, in->dim[axis]);
        gone[axis] = true;
    }
    *out = (struct dims){0};
    for (int i = 0; i < in->rank; i++)
        if (!gone[i] && (count >= 0 || in->dim[i] != 1))
            out->dim[out->rank++] = in->dim[i];
    return c->failed ? -1 : 0;
}

int dims_unsqueeze(struct call *c, const struct dims *in, struct dims *out)
{
    long axes[ONNX_MAX_RANK];
    bool is_new[ONNX_MAX_RANK] = {false};
    int count = operand_ints(c, 1, "axes", ONNX_MAX_RANK, axes);
    if (count < 0 || in->rank + count > ONNX_MAX_RANK)
        return call_fail(c, "a bad number of axes");
    *out = (struct dims){.rank = in->rank + count};
    for (int i = 0; i < count; i++) {
        int axis;
        if (call_axis(c, axes[i], out->rank, &axis))
            return -1;
        if (is_new[axis])
            return call_fail(c, "axis %d twice", axis);
        is_new[axis] = true;
    }
    for (int i = 0, from = 0; i < out->rank; i++)
        out->dim[i] = is_new[i] ? 1 : in->dim[from++];
    return c->failed ? -1 : 0;
}

int dims_perm(struct call *c, int rank, int *perm)
{
    long list[ONNX_MAX_RANK];
    bool seen[ONNX_MAX_RANK] = {false};
    int count = attr_ints(c, "perm", ONNX_MAX_RANK, list);
    if (count >= 0 && count != rank)
        return call_fail(c, "%d axes are permuted, not %d", count, rank);
    for (int i = 0; i < rank; i++) {
        long axis = count < 0 ? rank - 1 - i : list[i];
        if (axis < 0 || axis >= rank || seen[axis])
            return call_fail(c, "perm is no permutation");
        seen[axis] = true;
        perm[i] = (int)axis;
    }
    return c->failed ? -1 : 0;
}

void dims_range(struct call *c, int rank, int *start, int *end)
{
    long first = attr_int(c, "start", 0), last = attr_int(c, "end", rank);
    first += first < 0 ? rank : 0;
    last += last < 0 ? rank : 0;
    *start = first < 0 ? 0 : first > rank ? rank : (int)first;
    *end = last < *start ? *start : last > rank ? rank : (int)last;
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

/* Gather out[i0][i1]... = from[start + i0 * stride[0] + i1 * stride[1] ...], which transpose, slice and
 * broadcast all are. The caller makes sure that all indices are inside `from`. */
static int strided(struct call *c, const struct tensor *from, long start, const struct dims *dims,
                   const long *stride, struct tensor *out)
{
    long index[ONNX_MAX_RANK] = {0}, at = start;
    if (tensor_new(c, out, from->type, dims))
        return -1;
    for (long i = 0; i < out->count; i++) {
        out->data[i] = from->data[at];
        for (int d = dims->rank - 1; d >= 0; d--) {
            at += stride[d];
            if (++index[d] < dims->dim[d])
                break;
            at -= index[d] * stride[d];
            index[d] = 0;
        }
    }
    return 0;
}

static void strides_of(const struct dims *d, long *stride)
{
    long step = 1;
    for (int i = d->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= d->dim[i];
    }
}

static int broadcast(struct call *c, const struct tensor *from, const struct dims *to,
                     struct tensor *out)
{
    long own[ONNX_MAX_RANK] = {0}, stride[ONNX_MAX_RANK];
    int shift = to->rank - from->dims.rank;
    strides_of(&from->dims, own);
    for (int i = 0; i < to->rank; i++)
        stride[i] = i < shift || from->dims.dim[i - shift] == 1 ? 0 : own[i - shift];
    return strided(c, from, 0, to, stride, out);
}

int dims_common(struct call *c, const struct dims *a, const struct dims *b, struct dims *out)
{
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < out->rank; i++) {
        int ia = i - (out->rank - a->rank), ib = i - (out->rank - b->rank);
        long m = ia < 0 ? 1 : a->dim[ia], n = ib < 0 ? 1 : b->dim[ib];
        if (m != n && m != 1 && n != 1)
            return call_fail(c, "shapes that do not fit: %ld and %ld", m, n);
        out->dim[i] = m == 1 ? n : m;
    }
    return 0;
}

/* ---- Operators ---- */

/* Constant input i; NULL, the call having failed, when it is missing. */
static const struct tensor *operand(struct call *c, size_t i)
{
    if (i < c->node->n_input && c->in[i])
        return c->in[i];
    call_fail(c, "input %zu is missing", i);
    return NULL;
}

static int reshaped(struct call *c, const struct dims *dims)
{
    const struct tensor *x = c->in[0];
    if (c->failed || tensor_new(c, c->out, x->type, dims))
        return -1;
    if (c->out->count != x->count)
        return call_fail(c, "%ld values cannot be made %ld", x->count, c->out->count);
    memcpy(c->out->data, x->data, (size_t)x->count * sizeof *x->data);
    return 0;
}

int fold_identity(struct call *c)
{
    return operand(c, 0) ? reshaped(c, &c->in[0]->dims) : -1;
}

int fold_dims(struct call *c)
{
    struct dims dims = {0};
    return !operand(c, 0) || c->operator->rule(c, &c->in[0]->dims, &dims) ? -1 : reshaped(c, &dims);
}

int fold_transpose(struct call *c)
{
    int perm[ONNX_MAX_RANK];
    long own[ONNX_MAX_RANK] = {0}, stride[ONNX_MAX_RANK];
    const struct tensor *x = operand(c, 0);
    if (!x || dims_perm(c, x->dims.rank, perm))
        return -1;
    struct dims dims = {.rank = x->dims.rank};
    strides_of(&x->dims, own);
    for (int i = 0; i < dims.rank; i++) {
        dims.dim[i] = x->dims.dim[perm[i]];
        stride[i] = own[perm[i]];
    }
    if (strided(c, x, 0, &dims, stride, c->out))
        return -1;
    for (int i = 0; i < dims.rank && x->step; i++)
        if (x->step_axis == perm[i] || (x->step_axis < 0 && i == 0))
            return tensor_set_steps(c, c->out, x->step, x->step_axis < 0 ? 1 : dims.dim[i],
                                    x->step_axis < 0 ? -1 : i);
    return 0;
}

int fold_cast(struct call *c)
{
    long to = attr_int(c, "to", 0);
    double low, high;
    if (!operand(c, 0) || (!type_is_float((int)to) && !type_range((int)to, &low, &high)))
        return call_fail(c, "a cast to type %ld", to);
    if (reshaped(c, &c->in[0]->dims))
        return -1;
    c->out->type = (int)to;
    for (long i = 0; i < c->out->count; i++)
        c->out->data[i] = as_type((int)to, c->out->data[i]);
    return 0;
}

static int list_constant(struct call *c, int type, size_t count, bool scalar)
{
    struct dims dims = {.rank = !scalar, .dim = {(long)count}};
    return tensor_new(c, c->out, type, &dims);
}

int fold_constant(struct call *c)
{
    for (size_t i = 0; i < c->node->n_attribute; i++) {
        const Onnx__AttributeProto *a = c->node->attribute[i];
        const char *name = a->name ? a->name : "";
        if (!strcmp(name, "value") && a->t)
            return tensor_read(c, a->t, c->out);
        bool one_int = !strcmp(name, "value_int"), one_float = !strcmp(name, "value_float");
        if (one_int || one_float) {
            if (list_constant(c, one_int ? TYPE(INT64) : TYPE(FLOAT), 1, true))
                return -1;
            c->out->data[0] = one_int ? (double)a->i : a->f;
            return 0;
        }
        bool ints = !strcmp(name, "value_ints"), floats = !strcmp(name, "value_floats");
        if (ints || floats) {
            size_t count = ints ? a->n_ints : a->n_floats;
            if (list_constant(c, ints ? TYPE(INT64) : TYPE(FLOAT), count, false))
                return -1;
            for (size_t j = 0; j < count; j++)
                c->out->data[j] = ints ? (double)a->ints[j] : a->floats[j];
            return 0;
        }
    }
    return call_fail(c, "a constant without numbers");
}

int fold_constant_of_shape(struct call *c)
{
    struct dims dims = {0};
    struct tensor value = {0};
    dims.rank = operand_ints(c, 0, "shape", ONNX_MAX_RANK, dims.dim);
    if (c->failed || dims.rank < 0)
        return call_fail(c, "no shape");
    int type = TYPE(FLOAT);
    double fill = 0;
    for (size_t i = 0; i < c->node->n_attribute; i++)
        if (c->node->attribute[i]->t) {
            if (tensor_read(c, c->node->attribute[i]->t, &value) || value.count != 1) {
                tensor_free(&value);
                return call_fail(c, "value must be one number");
            }
            type = value.type;
            fill = tensor_at(&value, 0);
            tensor_free(&value);
        }
    if (tensor_new(c, c->out, type, &dims))
        return -1;
    for (long i = 0; i < c->out->count; i++)
        c->out->data[i] = fill;
    return 0;
}

int fold_shape(struct call *c)
{
    const struct tensor *x = operand(c, 0);
    int start, end;
    if (!x)
        return -1;
    dims_range(c, x->dims.rank, &start, &end);
    if (list_constant(c, TYPE(INT64), (size_t)(end - start), false))
        return -1;
    for (int i = start; i < end; i++)
        c->out->data[i - start] = (double)x->dims.dim[i];
    return 0;
}

int fold_gather(struct call *c)
{
    const struct tensor *x = operand(c, 0), *at = operand(c, 1);
    int axis;
    if (!x || !at || call_axis(c, attr_int(c, "axis", 0), x->dims.rank, &axis))
        return -1;
    struct dims dims = {.rank = x->dims.rank - 1 + at->dims.rank};
    if (dims.rank > ONNX_MAX_RANK || type_is_float(at->type))
        return call_fail(c, "bad indices");
    long outer = 1, inner = 1, n = x->dims.dim[axis];
    for (int i = 0; i < axis; i++)
        outer *= dims.dim[i] = x->dims.dim[i];
    for (int i = 0; i < at->dims.rank; i++)
        dims.dim[axis + i] = at->dims.dim[i];
    for (int i = axis + 1; i < x->dims.rank; i++)
        inner *= dims.dim[at->dims.rank + i - 1] = x->dims.dim[i];
    if (tensor_new(c, c->out, x->type, &dims))
        return -1;
    for (long o = 0, to = 0; c->out->count && o < outer; o++)
        for (long i = 0; i < at->count; i++, to += inner) {
            double from = at->data[i] < 0 ? at->data[i] + (double)n : at->data[i];
            if (!(from >= 0 && from < n))
                return call_fail(c, "index %g of %ld", at->data[i], n);
            memcpy(c->out->data + to, x->data + (o * n + (long)from) * inner,
                   (size_t)inner * sizeof *x->data);
        }
    return 0;
}

/* Clamp a slice's start or end to low..high; a negative one counts from the end. */
static long slice_bound(long bound, long n, long low, long high)
{
    bound = bound < 0 ? bound + n : bound;
    return bound < low ? low : bound > high ? high : bound;
}

int dims_slice(struct call *c, const struct dims *in, struct slice *s)
{
    long start[ONNX_MAX_RANK], end[ONNX_MAX_RANK], axes[ONNX_MAX_RANK], step[ONNX_MAX_RANK];
    int count = operand_ints(c, 1, "starts", ONNX_MAX_RANK, start);
    int ends = operand_ints(c, 2, "ends", ONNX_MAX_RANK, end);
    int named = operand_ints(c, 3, "axes", ONNX_MAX_RANK, axes);
    int steps = operand_ints(c, 4, "steps", ONNX_MAX_RANK, step);
    if (c->failed || count < 0 || ends != count || (named >= 0 && named != count) ||
        (steps >= 0 && steps != count) || count > in->rank)
        return call_fail(c, "starts, ends, axes and steps do not go together");
    *s = (struct slice){.dims = *in};
    for (int d = 0; d < in->rank; d++)
        s->by[d] = 1;
    bool seen[ONNX_MAX_RANK] = {false};
    for (int i = 0; i < count; i++) {
        int axis;
        long by = steps < 0 ? 1 : step[i];
        if (call_axis(c, named < 0 ? i : axes[i], in->rank, &axis))
            return -1;
        long n = in->dim[axis];
        if (by == 0 || by < -NET_MAX_TENSOR || by > NET_MAX_TENSOR || seen[axis])
            return call_fail(c, "a bad step or axis");
        seen[axis] = true;
        if (n == 0)
            continue;
        long first = slice_bound(start[i], n, 0, by > 0 ? n : n - 1);
        long last = slice_bound(end[i], n, by > 0 ? 0 : -1, by > 0 ? n : n - 1);
        long room = by > 0 ? last - first : first - last;
        long size = by > 0 ? by : -by;
        s->dims.dim[axis] = room > 0 ? (room + size - 1) / size : 0;
        s->from[axis] = first;
        s->by[axis] = by;
    }
    return 0;
}

int fold_slice(struct call *c)
{
    const struct tensor *x = operand(c, 0);
    struct slice slice;
    long stride[ONNX_MAX_RANK] = {0}, from = 0;
    if (!x || dims_slice(c, &x->dims, &slice))
        return -1;
    strides_of(&x->dims, stride);
    for (int d = 0; d < x->dims.rank; d++) {
        from += slice.from[d] * stride[d];
        stride[d] *= slice.by[d];
    }
    return strided(c, x, from, &slice.dims, stride, c->out);
}

int fold_concat(struct call *c)
{
    const struct tensor *first = operand(c, 0);
    int axis;
    if (!first || call_axis(c, attr_int(c, "axis", 1), first->dims.rank, &axis))
        return -1;
    struct dims dims = first->dims;
    long outer = 1, inner = 1;
    dims.dim[axis] = 0;
    for (size_t i = 0; i < c->node->n_input; i++) {
        const struct tensor *x = operand(c, i);
        if (!x)
            return -1;
        for (int d = 0; d < dims.rank; d++)
            if (x->dims.rank != dims.rank || (d != axis && x->dims.dim[d] != dims.dim[d]))
                return call_fail(c, "shapes that do not fit");
        dims.dim[axis] += x->dims.dim[axis];
    }
    for (int d = 0; d < dims.rank; d++)
        *(d < axis ? &outer : &inner) *= d == axis ? 1 : dims.dim[d];
    if (tensor_new(c, c->out, first->type, &dims))
        return -1;
    long row = dims.dim[axis] * inner, at = 0;
    for (size_t i = 0; i < c->node->n_input; i++) {
        long run = c->in[i]->dims.dim[axis] * inner;
        for (long o = 0; run && o < outer; o++)
            memcpy(c->out->data + o * row + at, c->in[i]->data + o * run, (size_t)run * sizeof(double));
        at += run;
    }
    return 0;
}

int fold_expand(struct call *c)
{
    struct dims shape = {0}, dims = {0};
    const struct tensor *x = operand(c, 0);
    shape.rank = operand_ints(c, 1, "shape", ONNX_MAX_RANK, shape.dim);
    if (!x || c->failed || shape.rank < 0 || dims_common(c, &x->dims, &shape, &dims))
        return call_fail(c, "no shape");
    return broadcast(c, x, &dims, c->out);
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

int fold_arithmetic(struct call *c)
{
    const struct tensor *a = operand(c, 0), *b = operand(c, 1);
    struct dims dims = {0};
    struct tensor wide = {0};
    if (!a || !b || dims_common(c, &a->dims, &b->dims, &dims) || broadcast(c, a, &dims, c->out) ||
        broadcast(c, b, &dims, &wide))
        return -1;
    bool integer = !type_is_float(a->type);
    for (long i = 0; i < c->out->count; i++)
        c->out->data[i] = as_type(a->type, arithmetic(c->operator->kind, c->out->data[i], wide.data[i], integer));
    tensor_free(&wide);
    return 0;
}

static double reciprocal(double x)
{
    return 1 / x;
}

static double negative(double x)
{
    return -x;
}

int fold_each(struct call *c)
{
    static const struct {
        const char *type;
        double (*f)(double);
    } functions[] = {{"Abs", fabs}, {"Erf", erf}, {"Exp", exp}, {"Log", log}, {"Neg", negative},
                     {"Reciprocal", reciprocal}, {"Sqrt", sqrt}};
    size_t f = 0;
    if (fold_identity(c))
        return -1;
    while (strcmp(functions[f].type, c->operator->type))
        f++;
    for (long i = 0; i < c->out->count; i++)
        c->out->data[i] = as_type(c->out->type, functions[f].f(c->out->data[i]));
    return 0;
}

/* ReduceProd over all axes, as chains behind Shape use it. */
int fold_reduce_prod(struct call *c)
{
    const struct tensor *x = operand(c, 0);
    long axes[ONNX_MAX_RANK];
    int count = operand_ints(c, 1, "axes", ONNX_MAX_RANK, axes);
    bool keep = attr_int(c, "keepdims", 1) != 0;
    if (!x || c->failed || x->dims.rank > 1 || (count > 1))
        return call_fail(c, "only the product of a list is folded");
    if (list_constant(c, x->type, 1, !keep || x->dims.rank == 0))
        return -1;
    c->out->data[0] = 1;
    for (long i = 0; i < x->count; i++)
        c->out->data[0] = as_type(x->type, c->out->data[0] * x->data[i]);
    return 0;
}

/* Check scale and zero point, inputs `at` and at + 1, of a quantized constant: one for the tensor (*axis -1), or
 * one a slice of *axis, which is `given`. */
static int check_quantization(struct call *c, const struct tensor *x, size_t at, long given, int *axis)
{
    const struct tensor *scale = operand(c, at), *zero = at + 1 < c->node->n_input ? c->in[at + 1] : NULL;
    if (!scale || attr_int(c, "block_size", 0))
        return call_fail(c, "quantization in blocks");
    *axis = -1;
    if (scale->count != 1 || scale->dims.rank > 1) {
        if (scale->dims.rank != 1 || call_axis(c, given, x->dims.rank, axis) ||
            scale->count != x->dims.dim[*axis])
            return call_fail(c, "%ld scales do not fit", scale->count);
    }
    if (zero && zero->count != scale->count)
        return call_fail(c, "%ld zero points for %ld scales", zero->count, scale->count);
    for (long i = 0; i < scale->count; i++)
        if (!isfinite(tensor_at(scale, i)) || tensor_at(scale, i) <= 0)
            return call_fail(c, "a scale of %g", tensor_at(scale, i));
    return 0;
}

/* The index of the scale of element i of x. */
static long scale_at(const struct tensor *x, int axis, long i)
{
    if (axis < 0)
        return 0;
    long inner = 1;
    for (int d = axis + 1; d < x->dims.rank; d++)
        inner *= x->dims.dim[d];
    return i / inner % x->dims.dim[axis];
}

int dequantize(struct call *c, const struct tensor *x, size_t at, long along, struct tensor *out)
{
    int axis;
    if (check_quantization(c, x, at, along, &axis) || tensor_new(c, out, TYPE(FLOAT), &x->dims))
        return -1;
    const struct tensor *scale = c->in[at], *zero = at + 1 < c->node->n_input ? c->in[at + 1] : NULL;
    bool eight = scale->count > 0; /* bits hold every number of steps */
    for (long i = 0; i < x->count; i++) {
        long k = scale_at(x, axis, i);
        float steps = (float)(tensor_at(x, i) - (zero ? tensor_at(zero, k) : 0));
        out->data[i] = steps * (float)tensor_at(scale, k);
        eight = eight && steps >= -128 && steps <= 127;
    }
    if (!eight || !(out->step = malloc((size_t)scale->count * sizeof *out->step)))
        return eight ? call_fail(c, "out of memory") : 0;
    for (long k = 0; k < scale->count; k++)
        out->step[k] = tensor_at(scale, k);
    out->step_axis = axis;
    return 0;
}

int fold_dequantize(struct call *c)
{
    const struct tensor *x = operand(c, 0);
    return x ? dequantize(c, x, 1, attr_int(c, "axis", 1), c->out) : -1;
}

int fold_quantize(struct call *c)
{
    const struct tensor *x = operand(c, 0);
    int axis;
    if (!x || check_quantization(c, x, 1, attr_int(c, "axis", 1), &axis) || fold_identity(c))
        return -1;
    const struct tensor *scale = c->in[1], *zero = c->node->n_input > 2 ? c->in[2] : NULL;
    c->out->type = zero ? zero->type : (int)attr_int(c, "output_dtype", TYPE(UINT8));
    double low, high;
    if (!type_range(c->out->type, &low, &high))
        return call_fail(c, "quantization to type %d", c->out->type);
    for (long i = 0; i < x->count; i++) {
        long at = scale_at(x, axis, i);
        double steps = rint((float)x->data[i] / (float)scale->data[at]);
        c->out->data[i] = fmin(fmax(steps + (zero ? zero->data[at] : 0), low), high);
    }
    return 0;
}
