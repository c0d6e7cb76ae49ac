/* Means, and normalizing by mean and variance.
 *   in   a ReduceMean, ReduceSum, LayerNormalization, GroupNormalization or InstanceNormalization node
 *   out  pools, convolutions with a kernel of 1x1 (a mean over the channels, and its copies), products and sums
 * No layer of its own: normalizing is what these layers make together. */
#include "import.h"

#include <math.h>

/* Append a convolution of 1x1 whose weights are all w. */
static int mix_channels(struct import *m, int from, int outputs, float w)
{
    long count = (long)outputs * import_shape(m, from).c;
    return import_append(m, &(struct layer){.op = OP_CONV, .in = {from}, .out = {.c = outputs},
                                            .weight = import_filled(m, count, w)});
}

/* Append the mean over some of the axes, whose sides become 1. */
static int add_mean(struct import *m, int from, const bool over[3])
{
    struct shape s = import_shape(m, from);
    bool rows = over[AXIS_H] && s.h > 1, columns = over[AXIS_W] && s.w > 1;
    if (from >= 0 && (rows || columns)) {
        bool all = (rows || s.h == 1) && (columns || s.w == 1);
        struct layer l = {.op = all ? OP_GLOBALPOOL : OP_AVGPOOL, .in = {from}};
        l.r = l.stride_h = rows && !all ? s.h : 1;
        l.s = l.stride_w = columns && !all ? s.w : 1;
        from = import_append(m, &l);
    }
    return over[AXIS_C] && s.c > 1 ? mix_channels(m, from, 1, 1 / (float)s.c) : from;
}

int add_copies(struct import *m, int from, struct shape to)
{
    struct shape s = import_shape(m, from);
    if (from >= 0 && s.c == 1 && to.c > 1)
        from = mix_channels(m, from, to.c, 1);
    if (from < 0 || (s.h == to.h && s.w == to.w))
        return from;
    return import_append(m, &(struct layer){.op = OP_UPSAMPLE, .in = {from}, .stride_h = to.h / s.h,
                                            .stride_w = to.w / s.w});
}

/* Append (x - mean) / sqrt(variance + epsilon), mean and variance being over some of the axes. */
static int add_normal(struct import *m, int from, const bool over[3], float epsilon)
{
    struct shape s = import_shape(m, from);
    int mean = add_mean(m, from, over);
    int centred = add_pair(m, OP_ADD, from, add_copies(m, add_scaled(m, mean, -1, 0), s));
    int variance = add_mean(m, add_pair(m, OP_MUL, centred, centred), over);
    int deviation = import_function(m, add_scaled(m, variance, 1, epsilon), FUNCTION_POW, -.5f);
    return add_pair(m, OP_MUL, centred, add_copies(m, deviation, s));
}

/* Find which axes of y's layer the dimensions that are gone are: all, in any order, where no other is longer than 1. */
static int find_axes(struct import *m, struct value *y, const bool *gone, bool over[3], struct order *o)
{
    bool all = true;
    for (int d = 0; d < y->t.dims.rank; d++)
        all = all && (gone[d] || y->t.dims.dim[d] == 1);
    *o = (struct order){.dim = {-1, -1, -1}};
    over[AXIS_C] = over[AXIS_H] = over[AXIS_W] = all;
    if (all)
        return y->layer;
    if (view_order(m, y, NULL, o) < 0)
        return node_fail(m, "only what is over channels, rows and columns is run");
    for (int a = 0; a < 3; a++)
        over[a] = o->dim[a] >= 0 && gone[o->dim[a]];
    return y->layer;
}

/* Take the dimensions that are gone, whose sides are 1, out of y's. */
static void drop_dims(struct value *y, const bool *gone)
{
    struct dims kept = {0};
    int batch = y->batch;
    for (int d = 0; d < y->t.dims.rank; d++) {
        y->batch = d == batch ? kept.rank : y->batch;
        if (!gone[d])
            kept.dim[kept.rank++] = y->t.dims.dim[d];
    }
    y->t.dims = kept;
}

/* Over any of channels, rows and columns, in whatever order. ReduceSum is the mean times their number, ReduceL2 the
 * root of that of the squares. */
int do_reduce(struct import *m, struct value *y)
{
    long axes[ONNX_MAX_RANK];
    bool gone[ONNX_MAX_RANK] = {false}, over[3];
    int count = operand_ints(m, 1, "axes", ONNX_MAX_RANK, axes), kind = m->operator->kind;
    struct order o;
    if (m->failed || count < 1)
        return node_fail(m, "only what is over named axes is run");
    for (int i = 0; i < count; i++)
        gone[node_axis(m, axes[i], y->t.dims.rank)] = true;
    if (y->batch >= 0 && gone[y->batch])
        return node_fail(m, "only what is over channels, rows and columns is run");
    int layer = find_axes(m, y, gone, over, &o);
    layer = add_mean(m, kind == 'L' ? add_pair(m, OP_MUL, layer, layer) : layer, over);
    long number = y->t.count;
    for (int d = 0; d < y->t.dims.rank; d++)
        y->t.dims.dim[d] = gone[d] ? 1 : y->t.dims.dim[d];
    view_put(m, y, &o, import_shape(m, layer));
    if (kind != 'M' && number > y->t.count)
        layer = add_scaled(m, layer, (float)(number / y->t.count), 0);
    if (attr_int(m, "keepdims", 1) == 0)
        drop_dims(y, gone);
    return kind == 'L' ? import_function(m, layer, FUNCTION_SQRT, 0) : layer;
}

/* Append scale * x + shift, inputs 1 and 2: of the dims `like`, one number a channel or a group of them; NULL: of
 * their own dims. */
static int scale_and_shift(struct import *m, struct value *y, const struct dims *like)
{
    for (size_t i = 1; i <= 2 && import_given(m, i); i++) {
        const struct tensor *given = import_constant(m, i);
        struct tensor t;
        double *data = tensor_new(m, &t, TYPE(FLOAT), like ? like : &given->dims);
        if (!data)
            return -1;
        long each = given->count ? t.count / given->count : 0;
        if (each < 1 || each * given->count != t.count)
            return node_fail(m, "%ld values for %ld channels", given->count, t.count);
        for (long k = 0; k < t.count; k++)
            data[k] = tensor_at(given, k / each);
        y->layer = affine_with(m, y, &t, i == 1);
    }
    return y->layer;
}

int do_layer_norm(struct import *m, struct value *y)
{
    int axis = node_axis(m, attr_int(m, "axis", -1), y->t.dims.rank);
    bool over[3], gone[ONNX_MAX_RANK];
    struct order o;
    if (axis <= y->batch)
        return node_fail(m, "images are not normalized together");
    for (int d = 0; d < y->t.dims.rank; d++)
        gone[d] = d >= axis;
    y->layer = add_normal(m, find_axes(m, y, gone, over, &o), over, attr_float(m, "epsilon", 1e-5f));
    return scale_and_shift(m, y, NULL);
}

/* Groups of channels, or each channel, of [N][C][...]: each group is a channel of another shape meanwhile. */
int do_group_norm(struct import *m, struct value *y)
{
    const struct dims *dims = &y->t.dims;
    if (y->batch != 0 || dims->rank < 3 || y->t.data)
        return node_fail(m, "only [N][C][H][W] is normalized");
    long channels = dims->dim[1], all = y->t.count, groups = attr_int(m, "num_groups", channels);
    if (groups < 1 || channels % groups)
        return node_fail(m, "%ld groups of %ld channels", groups, channels);
    struct shape whole = import_shape(m, y->layer);
    long width = all / groups % whole.w ? 1 : whole.w, height = all / groups / width;
    if (groups > NET_MAX_DIM || height > NET_MAX_DIM)
        return node_fail(m, "a group of %ld values", all / groups);
    struct shape cut = {(int)groups, (int)height, (int)width};
    const bool over[3] = {false, true, true};
    int normal = add_normal(m, add_reshape(m, y->layer, cut), over, attr_float(m, "epsilon", 1e-5f));
    y->layer = add_reshape(m, normal, whole);
    return scale_and_shift(m, y, &(struct dims){dims->rank - 1, {channels, 1, 1, 1, 1, 1, 1}});
}
