/* Operators on windows of pixels: convolution and its transpose, pooling, padding, upsampling.
 *   in   a Conv, ConvTranspose, MaxPool, AveragePool, Global..., Pad or Resize node
 *   out  a layer of the net, its pads worked out (auto_pad, ceil_mode) */
#include "import.h"

#include <math.h>

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

/* Append a convolution of layer `from` with a kernel of dims [K][C/groups][R][S], to be filled in. */
static struct layer *new_conv(struct import *m, int from, const long *dim)
{
    struct layer *l = from < 0 ? NULL : import_new_layer(m, OP_CONV, from);
    if (!l)
        return NULL;
    for (int d = 0; d < 4; d++)
        if (dim[d] < 1 || dim[d] > NET_MAX_DIM) {
            call_fail(&m->call, "a kernel with a side of %ld", dim[d]);
            return NULL;
        }
    long groups = attr_int(&m->call, "group", 1);
    if (groups < 1 || groups > NET_MAX_DIM || dim[1] * groups != import_shape(m, from).c) {
        call_fail(&m->call, "a kernel for %ld channels in %ld groups, not %d", dim[1], groups,
                  import_shape(m, from).c);
        return NULL;
    }
    l->out.c = (int)dim[0];
    l->r = (int)dim[2];
    l->s = (int)dim[3];
    l->groups = (int)groups;
    return l;
}

int add_conv(struct import *m, const struct value *x, const struct tensor *w, const struct tensor *b,
             struct view *view)
{
    int from = w ? view_pictures(m, x) : -1;
    const long *dim = w ? w->dims.dim : NULL;
    if (from >= 0 && w->dims.rank != 4)
        return call_fail(&m->call, "a kernel of rank %d", w->dims.rank);
    struct layer *l = from < 0 ? NULL : new_conv(m, from, dim);
    if (!l || read_window(m, l, import_shape(m, from)))
        return -1;
    if (l->r != dim[2] || l->s != dim[3])
        return call_fail(&m->call, "kernel_shape is not that of the weights");
    absorb_pad(m, l);
    if (!(l->weight = import_floats(m, w->count)))
        return -1;
    for (long i = 0; i < w->count; i++)
        l->weight[i] = (float)tensor_at(w, i);
    if (import_steps(m, l, w, 0, 1) || import_bias(m, l, b, 1))
        return -1;
    int layer = import_finish(m);
    *view = layer < 0 ? x->view : view_nchw(m, import_shape(m, layer));
    return layer;
}

int do_conv(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    const struct tensor *w = import_constant(m, 1), *b = import_optional(m, 2);
    struct view view;
    return x && w && !m->call.failed ? import_result(m, add_conv(m, x, w, b, &view), &view) : -1;
}

/* ---- Transposed convolution: zeros between the pixels, and a convolution with the kernel turned around ---- */

/* The pads of the transposed convolution: top, left, bottom, right. Where the size of its output is given, or is
 * that of its input times the strides (auto_pad), they are what makes it so. */
static int transposed_pads(struct import *m, const struct layer *l, const struct layer *window, struct shape in,
                           long pads[4])
{
    struct call *c = &m->call;
    long more[2] = {0}, shape[2] = {(long)in.h * window->stride_h, (long)in.w * window->stride_w};
    bool upper = attr_is(c, "auto_pad", "SAME_UPPER", false), lower = attr_is(c, "auto_pad", "SAME_LOWER", false);
    int given = attr_ints(c, "pads", 4, pads), padded = attr_ints(c, "output_padding", 2, more);
    int sized = attr_ints(c, "output_shape", 2, shape);
    if (c->failed || (given >= 0 && given != 4) || (padded >= 0 && padded != 2) || (sized >= 0 && sized != 2))
        return call_fail(c, "pads must be four numbers, output_padding and output_shape two");
    const long sides[2] = {in.h, in.w}, strides[2] = {window->stride_h, window->stride_w};
    const long widths[2] = {(l->r - 1L) * l->dilation_h, (l->s - 1L) * l->dilation_w};
    for (int i = 0; i < 2; i++) {
        if (more[i] < 0 || more[i] > NET_MAX_DIM || shape[i] < 1 || shape[i] > NET_MAX_DIM)
            return call_fail(c, "an output padding of %ld, a side of %ld", more[i], shape[i]);
        if (upper || lower || sized >= 0) {
            long total = (sides[i] - 1) * strides[i] + more[i] + widths[i] + 1 - shape[i];
            pads[i] = total < 0 ? 0 : upper ? total / 2 : total - total / 2;
            pads[i + 2] = total - pads[i];
        }
        pads[i + 2] -= more[i];
    }
    return 0;
}

/* Set those of the convolution: what is left of the kernel beyond its first tap. */
static int turned_pads(struct import *m, struct layer *l, const struct layer *window, struct shape in)
{
    long pads[4] = {0};
    if (transposed_pads(m, l, window, in, pads))
        return -1;
    long rows = (l->r - 1L) * l->dilation_h, columns = (l->s - 1L) * l->dilation_w;
    for (int i = 0; i < 4; i++)
        if (pads[i] > (i % 2 ? columns : rows) || pads[i] < -NET_MAX_DIM)
            return call_fail(&m->call, "a padding of %ld", pads[i]);
    l->pad_top = (int)(rows - pads[0]);
    l->pad_left = (int)(columns - pads[1]);
    l->pad_bottom = (int)(rows - pads[2]);
    l->pad_right = (int)(columns - pads[3]);
    return 0;
}

/* [C][K/groups][R][S] -> [K][C/groups][R][S], rows and columns turned around. */
static int turn_kernel(struct import *m, struct layer *l, const struct tensor *w, long channels)
{
    long each_k = l->out.c / l->groups, each_c = channels / l->groups, places = (long)l->r * l->s;
    if (!(l->weight = import_floats(m, w->count)))
        return -1;
    for (long k = 0; k < l->out.c; k++)
        for (long c = 0; c < each_c; c++)
            for (long i = 0; i < places; i++) {
                long from = (k / each_k * each_c + c) * each_k + k % each_k;
                l->weight[(k * each_c + c) * places + i] = (float)tensor_at(w, from * places + places - 1 - i);
            }
    return 0;
}

int do_conv_transpose(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    const struct tensor *w = import_constant(m, 1), *b = import_optional(m, 2);
    int from = w && !m->call.failed ? view_pictures(m, x) : -1;
    struct layer window = {.stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
    if (from < 0 || pair(m, "strides", &window.stride_h, &window.stride_w) ||
        pair(m, "dilations", &window.dilation_h, &window.dilation_w))
        return -1;
    long groups = attr_int(&m->call, "group", 1);
    struct shape in = import_shape(m, from);
    if (w->dims.rank != 4)
        return call_fail(&m->call, "a kernel of rank %d", w->dims.rank);
    if (w->dims.dim[0] != in.c || groups < 1 || groups > in.c || in.c % groups ||
        w->dims.dim[1] > NET_MAX_DIM / groups)
        return call_fail(&m->call, "a kernel for %ld channels in %ld groups, not %d", w->dims.dim[0], groups, in.c);
    const long dim[4] = {w->dims.dim[1] * groups, in.c / groups, w->dims.dim[2], w->dims.dim[3]};
    if (window.stride_h > 1 || window.stride_w > 1) {
        struct layer *zeros = import_new_layer(m, OP_ZEROSTUFF, from);
        if (!zeros)
            return -1;
        zeros->stride_h = window.stride_h;
        zeros->stride_w = window.stride_w;
        from = import_finish(m);
    }
    struct layer *l = new_conv(m, from, dim);
    if (!l)
        return -1;
    l->dilation_h = window.dilation_h;
    l->dilation_w = window.dilation_w;
    if (turned_pads(m, l, &window, in) || turn_kernel(m, l, w, in.c) || import_bias(m, l, b, 1))
        return -1;
    int layer = import_finish(m);
    struct view view = layer < 0 ? x->view : view_nchw(m, import_shape(m, layer));
    return import_result(m, layer, &view);
}

/* ---- Pools ---- */

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

int do_pool(struct import *m)
{
    enum op op = (enum op)m->call.operator->kind;
    const struct value *x = op == OP_MAXPOOL && import_any(m, 0) && import_any(m, 0)->quantized
                                ? import_any(m, 0) /* the largest number of steps is the largest value */
                                : import_runtime(m, 0);
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
    struct view view = view_nchw(m, import_shape(m, layer));
    return import_like(m, x, layer, &view);
}

int do_global(struct import *m)
{
    int from = view_pictures(m, import_runtime(m, 0));
    struct layer *l = from < 0 ? NULL : import_new_layer(m, (enum op)m->call.operator->kind, from);
    if (!l)
        return -1;
    if (l->op == OP_MAXPOOL) {
        l->r = l->stride_h = import_shape(m, from).h;
        l->s = l->stride_w = import_shape(m, from).w;
    }
    int layer = import_finish(m);
    struct view view = view_nchw(m, import_shape(m, layer < 0 ? from : layer));
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

int do_pad(struct import *m)
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

/* ---- Upsampling ---- */

/* Whether the nearest pixel of output i is i / by, for all pixels, as the attributes define it. */
static bool repeats(struct import *m, long by)
{
    struct call *c = &m->call;
    bool old = c->opset < 11 || attr_is(c, "coordinate_transformation_mode", "asymmetric", false);
    bool turned = attr_is(c, "coordinate_transformation_mode", "tf_half_pixel_for_nn", false);
    bool half = attr_is(c, "coordinate_transformation_mode", "half_pixel", true) ||
                attr_is(c, "coordinate_transformation_mode", "pytorch_half_pixel", false) ||
                attr_is(c, "coordinate_transformation_mode", "half_pixel_symmetric", false);
    bool floors = c->opset < 11 || attr_is(c, "nearest_mode", "floor", false);
    bool rounds = attr_is(c, "nearest_mode", "round_prefer_floor", true) ||
                  attr_is(c, "nearest_mode", "round_prefer_ceil", false);
    if (by == 1)
        return true;
    return old || turned ? floors || (old && by == 2 && attr_is(c, "nearest_mode", "round_prefer_floor", true))
                         : half && rounds;
}

/* Read the number of times that dimension d is enlarged: operand `sizes`, or `scales`. */
static int times(struct import *m, const struct tensor *scales, const struct tensor *sizes, int d, long in, long *by)
{
    const struct tensor *t = sizes ? sizes : scales;
    double number = tensor_at(t, d) / (sizes ? (double)in : 1);
    if (!(number >= 1 && number <= NET_MAX_DIM) || number != rint(number))
        return call_fail(&m->call, "only a whole number of times is a picture enlarged, not %g", number);
    *by = (long)number;
    return 0;
}

/* Resize, and Upsample before it. */
int do_resize(struct import *m)
{
    struct call *c = &m->call;
    const struct value *x = import_runtime(m, 0);
    size_t at = c->opset < 11 ? 1 : 2;
    struct tensor list = {0};
    const struct tensor *sizes = import_given(m, 3) ? import_constant(m, 3) : NULL;
    const struct tensor *scales = !sizes && import_given(m, at) ? import_constant(m, at) : NULL;
    long by[ONNX_MAX_RANK], axes[1];
    if (!x || c->failed)
        return -1;
    if (!sizes && !scales && !attr_tensor(c, "scales", &list))
        scales = &list;
    const struct tensor *t = sizes ? sizes : scales;
    int status = -1, from = view_pictures(m, x);
    struct shape in = from < 0 ? (struct shape){1, 1, 1} : import_shape(m, from);
    if (from < 0 || !t || t->count != 4 || attr_ints(c, "axes", 1, axes) >= 0)
        call_fail(c, "four scales, or sizes, are needed");
    else
        status = times(m, scales, sizes, 1, in.c, &by[1]) || times(m, scales, sizes, 2, in.h, &by[2]) ||
                 times(m, scales, sizes, 3, in.w, &by[3]);
    tensor_free(&list);
    if (status || c->failed)
        return -1;
    bool any = in.h == 1 && in.w == 1, nearest = attr_is(c, "mode", "nearest", true);
    if (by[1] != 1 || (!any && (!nearest || !repeats(m, by[2]) || !repeats(m, by[3]))))
        return call_fail(c, "only the nearest pixel of each, a whole number of times, is run");
    struct shape to = {in.c, in.h * (int)by[2], in.w * (int)by[3]};
    if (in.h > NET_MAX_DIM / by[2] || in.w > NET_MAX_DIM / by[3])
        return call_fail(c, "a picture of %dx%d", to.h, to.w);
    struct view view = view_nchw(m, to);
    return import_result(m, add_copies(m, from, to), &view);
}
