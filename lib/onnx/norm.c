/* Means, and normalizing by mean and variance.
 *   in   a ReduceMean, ReduceSum, LayerNormalization, GroupNormalization or InstanceNormalization node
 *   out  pools, convolutions with a kernel of 1x1 (a mean over the channels, and its copies), products and sums
 * No layer of its own: normalizing is what these layers make together. */
#include "import.h"

#include <math.h>

/* Append a convolution of 1x1 whose weights are all w. */
static int mix_channels(struct import *m, int from, int outputs, float w)
{
    struct layer *l = from < 0 ? NULL : import_new_layer(m, OP_CONV, from);
    long count = l ? (long)outputs * import_shape(m, from).c : 0;
    if (!l || !(l->weight = import_floats(m, count)))
        return -1;
    for (long i = 0; i < count; i++)
        l->weight[i] = w;
    l->out.c = outputs;
    return import_finish(m);
}

int add_mean(struct import *m, int from, const bool over[3])
{
    struct shape s = import_shape(m, from < 0 ? 0 : from);
    bool rows = over[AXIS_H] && s.h > 1, columns = over[AXIS_W] && s.w > 1;
    if (from >= 0 && (rows || columns)) {
        bool all = (rows || s.h == 1) && (columns || s.w == 1);
        struct layer *l = import_new_layer(m, all ? OP_GLOBALPOOL : OP_AVGPOOL, from);
        if (!l)
            return -1;
        if (!all) {
            l->r = l->stride_h = rows ? s.h : 1;
            l->s = l->stride_w = columns ? s.w : 1;
        }
        from = import_finish(m);
    }
    return over[AXIS_C] && s.c > 1 ? mix_channels(m, from, 1, 1 / (float)s.c) : from;
}

int add_copies(struct import *m, int from, struct shape to)
{
    struct shape s = import_shape(m, from < 0 ? 0 : from);
    if (from >= 0 && s.c == 1 && to.c > 1)
        from = mix_channels(m, from, to.c, 1);
    if (from < 0 || (s.h == to.h && s.w == to.w))
        return from;
    struct layer *l = import_new_layer(m, OP_UPSAMPLE, from);
    if (!l)
        return -1;
    l->stride_h = to.h / s.h;
    l->stride_w = to.w / s.w;
    return import_finish(m);
}

int add_normal(struct import *m, int from, const bool over[3], float epsilon)
{
    struct shape s = import_shape(m, from < 0 ? 0 : from);
    int mean = add_mean(m, from, over);
    int centred = add_pair(m, OP_ADD, from, add_copies(m, add_scaled(m, mean, -1, 0), s));
    int variance = add_mean(m, add_pair(m, OP_MUL, centred, centred), over);
    int deviation = import_function(m, add_scaled(m, variance, 1, epsilon), FUNCTION_POW, -.5f);
    return add_pair(m, OP_MUL, centred, add_copies(m, deviation, s));
}

/* Over any of channels, rows and columns, wherever the view has them. ReduceSum is the mean times their number,
 * ReduceL2 the root of that of the squares. */
int do_reduce(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    long axes[ONNX_MAX_RANK], number = 1;
    bool gone[ONNX_MAX_RANK] = {false}, over[3];
    int count = operand_ints(&m->call, 1, "axes", ONNX_MAX_RANK, axes);
    bool keep = attr_int(&m->call, "keepdims", 1) != 0;
    if (!x || m->call.failed || count < 1)
        return call_fail(&m->call, "only what is over named axes is run");
    struct view view = x->view;
    for (int i = 0; i < count; i++) {
        int d;
        if (call_axis(&m->call, axes[i], view.dims.rank, &d))
            return -1;
        gone[d] = true;
    }
    if (view.batch >= 0 && gone[view.batch])
        return call_fail(&m->call, "only what is over channels, rows and columns is run");
    for (int a = 0; a < 3; a++) {
        over[a] = view.size[a] > 1 && gone[view.at[a]];
        number *= over[a] ? view.size[a] : 1;
    }
    int layer = view_spatial(m, x), kind = m->call.operator->kind;
    if (kind == 'L')
        layer = add_pair(m, OP_MUL, layer, layer);
    layer = add_mean(m, layer, over);
    if (kind != 'M' && number > 1)
        layer = add_scaled(m, layer, (float)number, 0);
    if (kind == 'L')
        layer = import_function(m, layer, FUNCTION_SQRT, 0);
    struct dims kept = {0};
    int moved[ONNX_MAX_RANK];
    for (int d = 0; d < view.dims.rank; d++) {
        moved[d] = kept.rank;
        if (!gone[d] || keep)
            kept.dim[kept.rank++] = gone[d] ? 1 : view.dims.dim[d];
    }
    for (int a = 0; a < 3; a++) {
        if (over[a])
            view.size[a] = 1;
        if (view.at[a] >= 0)
            view.at[a] = gone[view.at[a]] && !keep ? -1 : moved[view.at[a]];
    }
    view.batch = view.batch >= 0 ? moved[view.batch] : -1;
    view.dims = kept;
    return import_result(m, layer, &view);
}

/* Make the node's output scale * x + shift, inputs 1 and 2: of the dims `like`, one number a channel or a group
 * of them; NULL: of their own dims. */
static int scale_and_shift(struct import *m, const struct value *x, const struct dims *like)
{
    struct value *y = import_find(m, m->call.node->output[0]);
    if (import_result(m, x->layer, &x->view))
        return -1;
    for (size_t i = 1; i <= 2 && import_given(m, i); i++) {
        const struct tensor *given = import_constant(m, i);
        struct value before = *y;
        struct tensor t = {0};
        if (!given || tensor_new(&m->call, &t, TYPE(FLOAT), like ? like : &given->dims))
            return -1;
        long each = given->count ? t.count / given->count : 0;
        int status = each < 1 || each * given->count != t.count
                         ? call_fail(&m->call, "%ld values for %ld channels", given->count, t.count)
                         : 0;
        for (long k = 0; !status && k < t.count; k++)
            t.data[k] = tensor_at(given, k / each);
        if (!status)
            status = affine_with(m, &before, &t, i == 1, same);
        tensor_free(&t);
        if (status)
            return -1;
    }
    return 0;
}

int do_layer_norm(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    int axis;
    bool over[3];
    if (!x || call_axis(&m->call, attr_int(&m->call, "axis", -1), x->view.dims.rank, &axis))
        return -1;
    if (axis <= x->view.batch)
        return call_fail(&m->call, "images are not normalized together");
    for (int a = 0; a < 3; a++)
        over[a] = x->view.size[a] > 1 && x->view.at[a] >= axis;
    struct value made = *x;
    made.layer = add_normal(m, view_spatial(m, x), over, attr_float(&m->call, "epsilon", 1e-5f));
    return made.layer < 0 ? -1 : scale_and_shift(m, &made, NULL);
}

/* Groups of channels, or each channel, of [N][C][...]: each group is a channel of another shape meanwhile. */
int do_group_norm(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    if (!x || x->view.batch != 0 || x->view.dims.rank < 3 || !view_is_linear(&x->view))
        return call_fail(&m->call, "only [N][C][H][W] is normalized");
    const struct view *v = &x->view;
    long channels = v->dims.dim[1], all = v->size[0] * v->size[1] * v->size[2];
    long groups = attr_int(&m->call, "num_groups", channels);
    if (groups < 1 || channels % groups)
        return call_fail(&m->call, "%ld groups of %ld channels", groups, channels);
    long width = all / groups % v->size[2] ? 1 : v->size[2], height = all / groups / width;
    if (groups > NET_MAX_DIM || height > NET_MAX_DIM)
        return call_fail(&m->call, "a group of %ld values", all / groups);
    struct shape whole = import_shape(m, x->layer), cut = {(int)groups, (int)height, (int)width};
    const bool over[3] = {false, true, true};
    int normal = add_normal(m, add_reshape(m, x->layer, cut), over, attr_float(&m->call, "epsilon", 1e-5f));
    struct value made = *x;
    made.layer = add_reshape(m, normal, whole);
    struct dims like = {.rank = v->dims.rank - 1, .dim = {channels, 1, 1, 1, 1, 1, 1}};
    return made.layer < 0 ? -1 : scale_and_shift(m, &made, &like);
}
