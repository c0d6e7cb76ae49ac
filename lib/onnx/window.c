/* Operators on windows of pixels: convolution, pooling, padding.
 *   in   a Conv, MaxPool, AveragePool, Global..., ReduceMean or Pad node
 *   out  a layer of the net, its pads worked out (auto_pad, ceil_mode) */
#include "import.h"

/* Read an attribute of two integers, for rows and columns. */
static int pair(struct import *m, const char *name, int *a, int *b)
{
    long values[2];
    int count = attr_ints(&m->call, name, 2, values);
    if (m->call.failed || count < 0)
        return m->call.failed ? -1 : 0;
    if (count != 2 || values[0] < 1 || values[1] < 1 || values[0] > NET_MAX_DIM ||
        values[1] > NET_MAX_DIM)
        return call_fail(&m->call, "%s must be two numbers of 1..%d", name, NET_MAX_DIM);
    *a = (int)values[0];
    *b = (int)values[1];
    return 0;
}

/* auto_pad along one side: pad so that the output is ceil(in / stride); an odd pixel goes to the end
 * (upper) or to the beginning. */
static void same_pads(int in, int size, int stride, int dilation, bool upper, int *before,
                      int *after)
{
    long out = (in + stride - 1L) / stride;
    long total = (out - 1) * stride + (size - 1L) * dilation + 1 - in;
    if (total < 0)
        total = 0;
    *before = (int)(upper ? total / 2 : total - total / 2);
    *after = (int)(total - *before);
}

static int read_pads(struct import *m, struct layer *l, struct shape in)
{
    struct call *c = &m->call;
    bool upper = attr_is(c, "auto_pad", "SAME_UPPER", false);
    bool lower = attr_is(c, "auto_pad", "SAME_LOWER", false);
    if (upper || lower) {
        same_pads(in.h, l->r, l->stride_h, l->dilation_h, upper, &l->pad_top, &l->pad_bottom);
        same_pads(in.w, l->s, l->stride_w, l->dilation_w, upper, &l->pad_left, &l->pad_right);
        return 0;
    }
    if (attr_is(c, "auto_pad", "VALID", false))
        return 0;
    if (!attr_is(c, "auto_pad", "NOTSET", true))
        return call_fail(c, "an unknown auto_pad");
    long pads[4] = {0};
    int count = attr_ints(c, "pads", 4, pads);
    if (c->failed || (count >= 0 && count != 4))
        return call_fail(c, "pads must be four numbers");
    for (int i = 0; i < 4; i++)
        if (pads[i] < 0 || pads[i] > NET_MAX_DIM)
            return call_fail(c, "a padding of %ld", pads[i]);
    l->pad_top = (int)pads[0];
    l->pad_left = (int)pads[1];
    l->pad_bottom = (int)pads[2];
    l->pad_right = (int)pads[3];
    return 0;
}

static int read_window(struct import *m, struct layer *l, struct shape in)
{
    return pair(m, "kernel_shape", &l->r, &l->s) ||
                   pair(m, "strides", &l->stride_h, &l->stride_w) ||
                   pair(m, "dilations", &l->dilation_h, &l->dilation_w) || read_pads(m, l, in)
               ? -1
               : 0;
}

/* Merge a Pad of zeros before a convolution into the convolution's own padding. */
static int absorb_pad(struct import *m, struct layer *l)
{
    const struct layer *pad = &m->net->layer[l->in[0]];
    if (pad->op != OP_PAD || pad->alpha != 0)
        return 0;
    l->pad_top += pad->pad_top;
    l->pad_left += pad->pad_left;
    l->pad_bottom += pad->pad_bottom;
    l->pad_right += pad->pad_right;
    l->in[0] = pad->in[0];
    return 0;
}

static int do_conv(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    const struct tensor *w = import_constant(m, 1);
    int from = w ? view_pictures(m, x) : -1;
    struct layer *l = from < 0 ? NULL : import_new_layer(m, OP_CONV, from);
    if (!l)
        return -1;
    if (w->dims.rank != 4)
        return call_fail(&m->call, "a kernel of rank %d", w->dims.rank);
    const long *dim = w->dims.dim;
    for (int d = 0; d < 4; d++)
        if (dim[d] < 1 || dim[d] > NET_MAX_DIM)
            return call_fail(&m->call, "a kernel with a side of %ld", dim[d]);
    struct shape in = import_shape(m, from);
    long groups = attr_int(&m->call, "group", 1);
    l->out.c = (int)dim[0];
    l->r = (int)dim[2];
    l->s = (int)dim[3];
    if (read_window(m, l, in))
        return -1;
    if (l->r != dim[2] || l->s != dim[3])
        return call_fail(&m->call, "kernel_shape is not that of the weights");
    if (groups < 1 || groups > NET_MAX_DIM || dim[1] * groups != in.c)
        return call_fail(&m->call, "a kernel for %ld channels in %ld groups, not %d", dim[1],
                         groups, in.c);
    l->groups = (int)groups;
    absorb_pad(m, l);
    if (!(l->weight = import_floats(m, w->count)))
        return -1;
    for (long i = 0; i < w->count; i++)
        l->weight[i] = (float)tensor_at(w, i);
    if (import_steps(m, l, w, 0, 1) || import_bias(m, l, 2, 1))
        return -1;
    int layer = import_finish(m);
    if (layer < 0)
        return -1;
    struct view view = view_nchw(m, l->out);
    return import_result(m, layer, &view);
}

/* ceil_mode along one side: widen the padding after until the last window that begins inside the
 * input or the padding before it is whole. Returns how much. */
static int ceil_pad(int in, int size, int stride, int dilation, int before, int after)
{
    long window = (size - 1L) * dilation + 1, room = (long)in + before + after - window;
    if (room < 0)
        return 0;
    long count = (room + stride - 1) / stride + 1;
    if ((count - 1) * stride >= (long)in + before)
        count--;
    long missing = (count - 1) * stride + window - ((long)in + before + after);
    return missing > 0 && missing <= NET_MAX_DIM ? (int)missing : 0;
}

static int do_pool(struct import *m, enum op op)
{
    const struct value *x = import_runtime(m, 0);
    int from = view_pictures(m, x);
    struct layer *l = from < 0 ? NULL : import_new_layer(m, op, from);
    if (!l)
        return -1;
    struct shape in = import_shape(m, from);
    l->r = 0;
    if (m->call.node->n_output > 1 && m->call.node->output[1][0])
        return call_fail(&m->call, "the positions of the maxima are not given");
    if (read_window(m, l, in))
        return -1;
    if (l->r == 0)
        return call_fail(&m->call, "no kernel_shape");
    l->exclude_pad = op == OP_AVGPOOL && !attr_int(&m->call, "count_include_pad", 0);
    if (attr_int(&m->call, "ceil_mode", 0)) {
        int below = ceil_pad(in.h, l->r, l->stride_h, l->dilation_h, l->pad_top, l->pad_bottom);
        int right = ceil_pad(in.w, l->s, l->stride_w, l->dilation_w, l->pad_left, l->pad_right);
        bool padded = l->pad_top || l->pad_left || l->pad_bottom || l->pad_right;
        if ((below || right) && op == OP_AVGPOOL && !l->exclude_pad) {
            if (padded)
                return call_fail(&m->call, "ceil_mode with count_include_pad and pads is not run");
            l->exclude_pad = true;
        }
        l->pad_bottom += below;
        l->pad_right += right;
    }
    if (op == OP_AVGPOOL && l->exclude_pad && !l->pad_top && !l->pad_left && !l->pad_bottom &&
        !l->pad_right)
        l->exclude_pad = false;
    int layer = import_finish(m);
    if (layer < 0)
        return -1;
    struct view view = view_nchw(m, l->out);
    return import_result(m, layer, &view);
}

static int do_maxpool(struct import *m)
{
    return do_pool(m, OP_MAXPOOL);
}

static int do_avgpool(struct import *m)
{
    return do_pool(m, OP_AVGPOOL);
}

/* Pool rows, columns or both of `from` to one each. */
static int pool_all(struct import *m, int from, enum op op, bool rows, bool columns)
{
    struct layer *l = from < 0 ? NULL : import_new_layer(m, op, from);
    if (!l)
        return -1;
    if (op != OP_GLOBALPOOL) {
        struct shape in = import_shape(m, from);
        l->r = l->stride_h = rows ? in.h : 1;
        l->s = l->stride_w = columns ? in.w : 1;
    }
    return import_finish(m);
}

static int do_global(struct import *m, enum op op)
{
    int layer = pool_all(m, view_pictures(m, import_runtime(m, 0)), op, true, true);
    if (layer < 0)
        return -1;
    struct view view = view_nchw(m, import_shape(m, layer));
    return import_result(m, layer, &view);
}

static int do_global_average(struct import *m)
{
    return do_global(m, OP_GLOBALPOOL);
}

static int do_global_max(struct import *m)
{
    return do_global(m, OP_MAXPOOL);
}

/* ReduceMean over rows, columns or both, wherever the view has them. */
static int do_reduce_mean(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    long axes[ONNX_MAX_RANK];
    bool gone[ONNX_MAX_RANK] = {false};
    int count = operand_ints(&m->call, 1, "axes", ONNX_MAX_RANK, axes);
    bool keep = attr_int(&m->call, "keepdims", 1) != 0;
    if (!x || m->call.failed || count < 1)
        return call_fail(&m->call, "only the mean over named axes is run");
    struct view view = x->view;
    for (int i = 0; i < count; i++) {
        int d;
        if (call_axis(&m->call, axes[i], view.dims.rank, &d))
            return -1;
        gone[d] = true;
    }
    bool over[3];
    for (int a = 0; a < 3; a++)
        over[a] = view.size[a] > 1 && gone[view.at[a]];
    if (over[AXIS_C] || (view.batch >= 0 && gone[view.batch]))
        return call_fail(&m->call, "only the mean over rows and columns is run");
    bool all = (over[AXIS_H] || view.size[AXIS_H] == 1) && (over[AXIS_W] || view.size[AXIS_W] == 1);
    int layer = pool_all(m, view_spatial(m, x), all ? OP_GLOBALPOOL : OP_AVGPOOL, over[AXIS_H],
                         over[AXIS_W]);
    if (layer < 0)
        return -1;
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
            view.at[a] = moved[view.at[a]];
    }
    view.batch = view.batch >= 0 ? moved[view.batch] : -1;
    view.dims = kept;
    return import_result(m, layer, &view);
}

/* Read the pads before and after each dimension from attribute or operand; since opset 18 `axes` names the
 * dimensions. */
static int dims_pads(struct import *m, int rank, long begin[], long end[])
{
    struct call *c = &m->call;
    long pads[2 * ONNX_MAX_RANK], axes[ONNX_MAX_RANK];
    int count = operand_ints(c, 1, "pads", 2 * ONNX_MAX_RANK, pads);
    int named = import_given(m, 3) ? operand_ints(c, 3, "axes", ONNX_MAX_RANK, axes) : -1;
    int n = named < 0 ? rank : named;
    if (c->failed || count != 2 * n)
        return call_fail(c, "pads for %d of %d dimensions", count / 2, n);
    for (int i = 0; i < count; i++)
        if (pads[i] < 0 || pads[i] > NET_MAX_DIM)
            return call_fail(c, "a padding of %ld", pads[i]);
    for (int i = 0; i < rank; i++)
        begin[i] = end[i] = 0;
    for (int i = 0; i < n; i++) {
        int d;
        if (call_axis(c, named < 0 ? i : axes[i], rank, &d))
            return -1;
        begin[d] = pads[i];
        end[d] = pads[n + i];
    }
    return 0;
}

static int do_pad(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    long begin[ONNX_MAX_RANK], end[ONNX_MAX_RANK];
    if (!x || dims_pads(m, x->view.dims.rank, begin, end))
        return -1;
    if (!attr_is(&m->call, "mode", "constant", true))
        return call_fail(&m->call, "only padding with a constant is run");
    struct view view = x->view;
    int from = view_spatial(m, x);
    struct layer *l = from < 0 ? NULL : import_new_layer(m, OP_PAD, from);
    if (!l)
        return -1;
    l->alpha = (float)operand_number(&m->call, 2, attr_float(&m->call, "value", 0));
    for (int d = 0; d < view.dims.rank; d++) {
        if (!begin[d] && !end[d])
            continue;
        bool rows = view.at[AXIS_H] == d && view.size[AXIS_H] == view.dims.dim[d];
        bool columns = view.at[AXIS_W] == d && view.size[AXIS_W] == view.dims.dim[d];
        if (d == view.batch || rows == columns)
            return call_fail(&m->call, "only rows and columns are padded");
        *(rows ? &l->pad_top : &l->pad_left) = (int)begin[d];
        *(rows ? &l->pad_bottom : &l->pad_right) = (int)end[d];
        view.dims.dim[d] += begin[d] + end[d];
        view.size[rows ? AXIS_H : AXIS_W] = view.dims.dim[d];
    }
    return import_result(m, import_finish(m), &view);
}

const struct operator window_operators[] = {
    {"AveragePool", do_avgpool},
    {"Conv", do_conv},
    {"GlobalAveragePool", do_global_average},
    {"GlobalMaxPool", do_global_max},
    {"MaxPool", do_maxpool},
    {"Pad", do_pad},
    {"ReduceMean", do_reduce_mean},
    {NULL, NULL},
};
