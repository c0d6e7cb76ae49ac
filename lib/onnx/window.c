/* Operators on windows of pixels: convolution and its transpose, pooling, padding, upsampling.
 *   in   a Conv, ConvTranspose, MaxPool, AveragePool, Global..., Pad or Resize node
 *   out  a layer of the net, its pads worked out (auto_pad, ceil_mode) */
#include "import.h"

#include <math.h>

/* Read an attribute of two integers, for rows and columns. */
static int pair(struct import *m, const char *name, int *a, int *b)
{
    long values[2];
    int count = attr_ints(m, name, 2, values);
    if (m->failed || count < 0)
        return m->failed ? -1 : 0;
    if (count != 2 || values[0] < 1 || values[1] < 1 || values[0] > NET_MAX_DIM ||
        values[1] > NET_MAX_DIM)
        return node_fail(m, "%s must be two numbers of 1..%d", name, NET_MAX_DIM);
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
    bool upper = attr_is(m, "auto_pad", "SAME_UPPER", false);
    bool lower = attr_is(m, "auto_pad", "SAME_LOWER", false);
    if (upper || lower) {
        same_pads(in.h, l->r, l->stride_h, l->dilation_h, upper, &l->pad_top, &l->pad_bottom);
        same_pads(in.w, l->s, l->stride_w, l->dilation_w, upper, &l->pad_left, &l->pad_right);
        return 0;
    }
    if (attr_is(m, "auto_pad", "VALID", false))
        return 0;
    if (!attr_is(m, "auto_pad", "NOTSET", true))
        return node_fail(m, "an unknown auto_pad");
    long pads[4] = {0};
    int count = attr_ints(m, "pads", 4, pads);
    if (m->failed || (count >= 0 && count != 4))
        return node_fail(m, "pads must be four numbers");
    for (int i = 0; i < 4; i++)
        if (pads[i] < 0 || pads[i] > NET_MAX_DIM)
            return node_fail(m, "a padding of %ld", pads[i]);
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
static void absorb_pad(struct import *m, struct layer *l)
{
    const struct layer *pad = &m->net->layer[l->in[0]];
    if (pad->op != OP_PAD || pad->alpha != 0)
        return;
    l->pad_top += pad->pad_top;
    l->pad_left += pad->pad_left;
    l->pad_bottom += pad->pad_bottom;
    l->pad_right += pad->pad_right;
    l->in[0] = pad->in[0];
}

/* Finish a layer whose output is a picture, which becomes y's view. */
static int finish_picture(struct import *m, struct value *y)
{
    int layer = import_finish(m);
    y->view = view_nchw(m, import_shape(m, layer));
    return layer;
}

/* Append a convolution of layer `from` with a kernel of dims [K][C/groups][R][S], to be filled in. */
static struct layer *new_conv(struct import *m, int from, const long *dim)
{
    struct layer *l = import_new_layer(m, OP_CONV, from);
    long groups = attr_int(m, "group", 1);
    for (int d = 0; d < 4; d++)
        if (dim[d] < 1 || dim[d] > NET_MAX_DIM) {
            node_fail(m, "a kernel with a side of %ld", dim[d]);
            return NULL;
        }
    if (groups < 1 || groups > NET_MAX_DIM || dim[1] * groups != import_shape(m, from).c)
        node_fail(m, "a kernel for %ld channels in %ld groups, not %d", dim[1], groups, import_shape(m, from).c);
    if (m->failed)
        return NULL;
    l->out.c = (int)dim[0];
    l->r = (int)dim[2];
    l->s = (int)dim[3];
    l->groups = (int)groups;
    return l;
}

int add_conv(struct import *m, struct value *y, const struct tensor *w, const struct tensor *b)
{
    int from = w ? view_pictures(m, y) : -1;
    if (from >= 0 && w->dims.rank != 4)
        return node_fail(m, "a kernel of rank %d", w->dims.rank);
    struct layer *l = from < 0 ? NULL : new_conv(m, from, w->dims.dim);
    if (!l || read_window(m, l, import_shape(m, from)))
        return -1;
    if (l->r != w->dims.dim[2] || l->s != w->dims.dim[3])
        return node_fail(m, "kernel_shape is not that of the weights");
    absorb_pad(m, l);
    if (!(l->weight = import_weights(m, w->count)))
        return -1;
    for (long i = 0; i < w->count; i++)
        l->weight[i] = (float)tensor_at(w, i);
    return import_steps(m, l, w, 0, 1) || import_bias(m, l, b, 1) ? -1 : finish_picture(m, y);
}

int do_conv(struct import *m, struct value *y)
{
    const struct tensor *w = import_constant(m, 1), *b = import_optional(m, 2);
    return m->failed ? -1 : add_conv(m, y, w, b);
}

/* ---- Transposed convolution: zeros between the pixels, and a convolution with the kernel turned around ---- */

/* The pads of the transposed convolution: top, left, bottom, right. Where the size of its output is given, or is
 * that of its input times the strides (auto_pad), they are what makes it so. */
static int transposed_pads(struct import *m, const struct layer *l, const struct layer *window, struct shape in,
                           long pads[4])
{
    long more[2] = {0}, shape[2] = {(long)in.h * window->stride_h, (long)in.w * window->stride_w};
    bool upper = attr_is(m, "auto_pad", "SAME_UPPER", false), lower = attr_is(m, "auto_pad", "SAME_LOWER", false);
    int given = attr_ints(m, "pads", 4, pads), padded = attr_ints(m, "output_padding", 2, more);
    int sized = attr_ints(m, "output_shape", 2, shape);
    if (m->failed || (given >= 0 && given != 4) || (padded >= 0 && padded != 2) || (sized >= 0 && sized != 2))
        return node_fail(m, "pads must be four numbers, output_padding and output_shape two");
    const long sides[2] = {in.h, in.w}, strides[2] = {window->stride_h, window->stride_w};
    const long widths[2] = {(l->r - 1L) * l->dilation_h, (l->s - 1L) * l->dilation_w};
    for (int i = 0; i < 2; i++) {
        if (more[i] < 0 || more[i] > NET_MAX_DIM || shape[i] < 1 || shape[i] > NET_MAX_DIM)
            return node_fail(m, "an output padding of %ld, a side of %ld", more[i], shape[i]);
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
            return node_fail(m, "a padding of %ld", pads[i]);
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
    if (!(l->weight = import_weights(m, w->count)))
        return -1;
    for (long k = 0; k < l->out.c; k++)
        for (long c = 0; c < each_c; c++)
            for (long i = 0; i < places; i++) {
                long from = (k / each_k * each_c + c) * each_k + k % each_k;
                l->weight[(k * each_c + c) * places + i] = (float)tensor_at(w, from * places + places - 1 - i);
            }
    return 0;
}

int do_conv_transpose(struct import *m, struct value *y)
{
    const struct tensor *w = import_constant(m, 1), *b = import_optional(m, 2);
    int from = m->failed ? -1 : view_pictures(m, y);
    struct layer window = {.stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
    if (from < 0 || pair(m, "strides", &window.stride_h, &window.stride_w) ||
        pair(m, "dilations", &window.dilation_h, &window.dilation_w))
        return -1;
    long groups = attr_int(m, "group", 1);
    struct shape in = import_shape(m, from);
    if (w->dims.rank != 4)
        return node_fail(m, "a kernel of rank %d", w->dims.rank);
    if (w->dims.dim[0] != in.c || groups < 1 || groups > in.c || in.c % groups ||
        w->dims.dim[1] > NET_MAX_DIM / groups)
        return node_fail(m, "a kernel for %ld channels in %ld groups, not %d", w->dims.dim[0], groups, in.c);
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
    return finish_picture(m, y);
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

int do_pool(struct import *m, struct value *y)
{
    enum op op = (enum op)m->operator->kind;
    /* The largest number of steps is the largest value. */
    if (!(op == OP_MAXPOOL && y->quantized) && import_check(m, y))
        return -1;
    int from = view_pictures(m, y);
    struct layer *l = import_new_layer(m, op, from);
    if (!l)
        return -1;
    struct shape in = import_shape(m, from);
    l->r = 0;
    if (m->node->n_output > 1 && m->node->output[1][0])
        return node_fail(m, "the positions of the maxima are not given");
    if (read_window(m, l, in))
        return -1;
    if (l->r == 0)
        return node_fail(m, "no kernel_shape");
    bool padded = l->pad_top || l->pad_left || l->pad_bottom || l->pad_right, wider = false;
    l->exclude_pad = op == OP_AVGPOOL && !attr_int(m, "count_include_pad", 0);
    if (attr_int(m, "ceil_mode", 0)) {
        int below = ceil_pad(in.h, l->r, l->stride_h, l->dilation_h, l->pad_top, l->pad_bottom);
        int right = ceil_pad(in.w, l->s, l->stride_w, l->dilation_w, l->pad_left, l->pad_right);
        wider = below || right;
        l->pad_bottom += below;
        l->pad_right += right;
    }
    if (wider && padded && op == OP_AVGPOOL && !l->exclude_pad)
        return node_fail(m, "ceil_mode with count_include_pad and pads is not run");
    l->exclude_pad = op == OP_AVGPOOL && (wider || (l->exclude_pad && padded));
    return finish_picture(m, y);
}

int do_global(struct import *m, struct value *y)
{
    int from = view_pictures(m, y);
    struct layer *l = import_new_layer(m, (enum op)m->operator->kind, from);
    if (!l)
        return -1;
    if (l->op == OP_MAXPOOL) {
        l->r = l->stride_h = import_shape(m, from).h;
        l->s = l->stride_w = import_shape(m, from).w;
    }
    return finish_picture(m, y);
}

/* Read the pads before and after each dimension from attribute or operand; since opset 18 `axes` names the
 * dimensions. */
static int dims_pads(struct import *m, int rank, long begin[], long end[])
{
    long pads[2 * ONNX_MAX_RANK], axes[ONNX_MAX_RANK];
    int count = operand_ints(m, 1, "pads", 2 * ONNX_MAX_RANK, pads);
    int named = import_given(m, 3) ? operand_ints(m, 3, "axes", ONNX_MAX_RANK, axes) : -1;
    int n = named < 0 ? rank : named;
    if (m->failed || count != 2 * n)
        return node_fail(m, "pads for %d of %d dimensions", count / 2, n);
    for (int i = 0; i < count; i++)
        if (pads[i] < 0 || pads[i] > NET_MAX_DIM)
            return node_fail(m, "a padding of %ld", pads[i]);
    for (int i = 0; i < rank; i++)
        begin[i] = end[i] = 0;
    for (int i = 0; i < n; i++) {
        int d;
        if (node_axis(m, named < 0 ? i : axes[i], rank, &d))
            return -1;
        begin[d] = pads[i];
        end[d] = pads[n + i];
    }
    return 0;
}

int do_pad(struct import *m, struct value *y)
{
    struct view *v = &y->view;
    long begin[ONNX_MAX_RANK], end[ONNX_MAX_RANK];
    if (dims_pads(m, v->dims.rank, begin, end))
        return -1;
    if (!attr_is(m, "mode", "constant", true))
        return node_fail(m, "only padding with a constant is run");
    struct layer *l = import_new_layer(m, OP_PAD, view_spatial(m, y));
    if (!l)
        return -1;
    l->alpha = (float)operand_number(m, 2, attr_float(m, "value", 0));
    for (int d = 0; d < v->dims.rank; d++) {
        if (!begin[d] && !end[d])
            continue;
        bool rows = v->at[AXIS_H] == d && v->size[AXIS_H] == v->dims.dim[d];
        bool columns = v->at[AXIS_W] == d && v->size[AXIS_W] == v->dims.dim[d];
        if (d == v->batch || rows == columns)
            return node_fail(m, "only rows and columns are padded");
        *(rows ? &l->pad_top : &l->pad_left) = (int)begin[d];
        *(rows ? &l->pad_bottom : &l->pad_right) = (int)end[d];
        v->dims.dim[d] += begin[d] + end[d];
        v->size[rows ? AXIS_H : AXIS_W] = v->dims.dim[d];
    }
    return import_finish(m);
}

/* ---- Upsampling ---- */

/* Whether the nearest pixel of output i is i / by, for all pixels, as the attributes define it. */
static bool repeats(struct import *m, long by)
{
    bool old = m->opset < 11 || attr_is(m, "coordinate_transformation_mode", "asymmetric", false);
    bool turned = attr_is(m, "coordinate_transformation_mode", "tf_half_pixel_for_nn", false);
    bool half = attr_is(m, "coordinate_transformation_mode", "half_pixel", true) ||
                attr_is(m, "coordinate_transformation_mode", "pytorch_half_pixel", false) ||
                attr_is(m, "coordinate_transformation_mode", "half_pixel_symmetric", false);
    bool floors = m->opset < 11 || attr_is(m, "nearest_mode", "floor", false);
    bool rounds = attr_is(m, "nearest_mode", "round_prefer_floor", true) ||
                  attr_is(m, "nearest_mode", "round_prefer_ceil", false);
    if (by == 1)
        return true;
    return old || turned ? floors || (old && by == 2 && attr_is(m, "nearest_mode", "round_prefer_floor", true))
                         : half && rounds;
}

/* Read the number of times that dimension d is enlarged: operand `sizes`, or `scales`. */
static int times(struct import *m, const struct tensor *scales, const struct tensor *sizes, int d, long in, int *by)
{
    double number = sizes ? tensor_at(sizes, d) / (double)in : tensor_at(scales, d);
    if (!(number >= 1 && number <= NET_MAX_DIM) || number != rint(number))
        return node_fail(m, "only a whole number of times is a picture enlarged, not %g", number);
    *by = (int)number;
    return 0;
}

/* Resize, and Upsample before it. */
int do_resize(struct import *m, struct value *y)
{
    size_t at = m->opset < 11 ? 1 : 2;
    const struct tensor *sizes = import_optional(m, 3), *scales = NULL;
    if (!sizes)
        scales = import_given(m, at) ? import_constant(m, at) : attr_tensor(m, "scales");
    const struct tensor *t = sizes ? sizes : scales;
    int from = m->failed ? -1 : view_pictures(m, y), by[3];
    long axes[1];
    struct shape in = import_shape(m, from);
    if (from < 0 || !t || t->count != 4 || attr_ints(m, "axes", 1, axes) >= 0)
        return node_fail(m, "four scales, or sizes, are needed");
    if (times(m, scales, sizes, 1, in.c, &by[0]) || times(m, scales, sizes, 2, in.h, &by[1]) ||
        times(m, scales, sizes, 3, in.w, &by[2]))
        return -1;
    if (by[0] != 1 ||
        (!is_flat(in) && !(attr_is(m, "mode", "nearest", true) && repeats(m, by[1]) && repeats(m, by[2]))))
        return node_fail(m, "only the nearest pixel of each, a whole number of times, is run");
    if (in.h > NET_MAX_DIM / by[1] || in.w > NET_MAX_DIM / by[2])
        return node_fail(m, "a picture of %ldx%ld", (long)in.h * by[1], (long)in.w * by[2]);
    struct shape to = {in.c, in.h * by[1], in.w * by[2]};
    y->view = view_nchw(m, to);
    return add_copies(m, from, to);
}
