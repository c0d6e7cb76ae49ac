/* Operators on windows of pixels: convolution and its transpose, pooling, padding, upsampling.
 *   in   a Conv, ConvTranspose, MaxPool, AveragePool, Global..., Pad or Resize node
 *   out  a layer of the net, its pads worked out (auto_pad, ceil_mode) */
#include "import.h"

#include <math.h>

/* A kernel or window and the pads around the picture, along rows (0) and columns (1). */
struct window {
    long size[2], stride[2], dilation[2], begin[2], end[2];
};

/* How far the window reaches beyond its first pixel. */
static long reach(const struct window *w, int i)
{
    return (w->size[i] - 1) * w->dilation[i];
}

/* auto_pad: an odd pixel of `total` goes to the end (upper) or to the beginning. */
static void share_pads(struct window *w, int i, long total, bool upper)
{
    w->begin[i] = total < 0 ? 0 : upper ? total / 2 : total - total / 2;
    w->end[i] = total - w->begin[i];
}

/* Read the window as the attributes have it; its size stays as it is where they do not say it. */
static void read_window(struct import *m, struct window *w)
{
    long pads[4] = {0};
    for (int i = 0; i < 2; i++)
        w->stride[i] = w->dilation[i] = 1;
    attr_list(m, "kernel_shape", 2, 1, w->size);
    attr_list(m, "strides", 2, 1, w->stride);
    attr_list(m, "dilations", 2, 1, w->dilation);
    attr_list(m, "pads", 4, 0, pads);
    for (int i = 0; i < 2; i++) {
        w->begin[i] = pads[i];
        w->end[i] = pads[i + 2];
    }
}

/* Read it with the pads that auto_pad makes; SAME_: so many that the output is ceil(in / stride). */
static void read_padded(struct import *m, struct window *w, struct shape in)
{
    const long side[2] = {in.h, in.w};
    bool upper = attr_is(m, "auto_pad", "SAME_UPPER", false), valid = attr_is(m, "auto_pad", "VALID", false);
    bool same = upper || attr_is(m, "auto_pad", "SAME_LOWER", false);
    if (!same && !valid && !attr_is(m, "auto_pad", "NOTSET", true))
        node_fail(m, "an unknown auto_pad");
    read_window(m, w);
    for (int i = 0; i < 2 && (same || valid); i++) {
        long total = (side[i] - 1) / w->stride[i] * w->stride[i] + reach(w, i) + 1 - side[i];
        share_pads(w, i, valid || total < 0 ? 0 : total, upper);
    }
}

static int set_window(struct import *m, struct layer *l, const struct window *w)
{
    for (int i = 0; i < 2; i++)
        if (w->begin[i] < 0 || w->end[i] < 0 || w->begin[i] > NET_MAX_DIM || w->end[i] > NET_MAX_DIM)
            return node_fail(m, "pads of %ld and %ld", w->begin[i], w->end[i]);
    l->r = (int)w->size[0];
    l->s = (int)w->size[1];
    l->stride_h = (int)w->stride[0];
    l->stride_w = (int)w->stride[1];
    l->dilation_h = (int)w->dilation[0];
    l->dilation_w = (int)w->dilation[1];
    l->pad_top = (int)w->begin[0];
    l->pad_left = (int)w->begin[1];
    l->pad_bottom = (int)w->end[0];
    l->pad_right = (int)w->end[1];
    return 0;
}

/* Merge a Pad of zeros before a convolution into the convolution's own padding. */
static void absorb_pad(struct import *m, struct layer *l)
{
    const struct layer *pad = import_layer(m, l->in[0]);
    if (pad->op != OP_PAD || pad->alpha != 0)
        return;
    l->pad_top += pad->pad_top;
    l->pad_left += pad->pad_left;
    l->pad_bottom += pad->pad_bottom;
    l->pad_right += pad->pad_right;
    l->in[0] = pad->in[0];
}

/* Append a layer whose output is a picture, which becomes y's view. */
static int append_picture(struct import *m, struct value *y, const struct layer *l)
{
    int layer = import_append(m, l);
    view_picture(y, import_shape(m, layer));
    return layer;
}

/* A convolution of layer `from` with weights [K][C/groups][R][S] and, unless NULL, biases b. */
static struct layer conv_of(struct import *m, int from, const struct tensor *weights, const struct tensor *b,
                            const struct window *w)
{
    struct layer l = {.op = OP_CONV, .in = {from}};
    const long *dim = weights->dims.dim;
    long groups = attr_int(m, "group", 1), channels = import_shape(m, from).c;
    for (int d = 0; d < 4; d++)
        if (dim[d] < 1 || dim[d] > NET_MAX_DIM)
            node_fail(m, "a kernel with a side of %ld", dim[d]);
    if (groups < 1 || groups > NET_MAX_DIM || dim[1] * groups != channels)
        node_fail(m, "a kernel for %ld channels in %ld groups, not %ld", dim[1], groups, channels);
    if (w->size[0] != dim[2] || w->size[1] != dim[3])
        node_fail(m, "kernel_shape is not that of the weights");
    if (m->failed || set_window(m, &l, w) || !(l.weight = import_array(m, weights, weights->count, 1)))
        return l;
    l.out.c = (int)dim[0];
    l.groups = (int)groups;
    import_steps(m, &l, weights, 0, 1);
    import_bias(m, &l, b, 1);
    return l;
}

int add_conv(struct import *m, struct value *y, const struct tensor *weights, const struct tensor *b)
{
    int from = view_pictures(m, y);
    if (weights->dims.rank != 4)
        return node_fail(m, "a kernel of rank %d", weights->dims.rank);
    struct window w = {.size = {weights->dims.dim[2], weights->dims.dim[3]}};
    read_padded(m, &w, import_shape(m, from));
    struct layer l = conv_of(m, from, weights, b, &w);
    absorb_pad(m, &l);
    return append_picture(m, y, &l);
}

int do_conv(struct import *m, struct value *y)
{
    return add_conv(m, y, import_constant(m, 1), import_optional(m, 2));
}

/* ---- Transposed convolution: zeros between the pixels, and a convolution with the kernel turned around ---- */

/* Make w, as the node has it, the window of that convolution, whose pads are what is left of the kernel beyond its
 * first pixel. Where the size of the output is given, or is that of the input times the strides (auto_pad), the
 * pads are what makes it so. */
static void turn_window(struct import *m, struct window *w, struct shape in)
{
    const long side[2] = {in.h, in.w};
    long more[2] = {0}, out[2] = {side[0] * w->stride[0], side[1] * w->stride[1]};
    bool upper = attr_is(m, "auto_pad", "SAME_UPPER", false), lower = attr_is(m, "auto_pad", "SAME_LOWER", false);
    attr_list(m, "output_padding", 2, 0, more);
    attr_list(m, "output_shape", 2, 1, out);
    for (int i = 0; i < 2; i++) {
        if (upper || lower || attr_find(m->node, "output_shape"))
            share_pads(w, i, (side[i] - 1) * w->stride[i] + more[i] + reach(w, i) + 1 - out[i], upper);
        w->begin[i] = reach(w, i) - w->begin[i];
        w->end[i] = reach(w, i) - w->end[i] + more[i];
        w->stride[i] = 1;
    }
}

/* [C][K/groups][R][S] -> [K][C/groups][R][S], rows and columns turned around. */
static int turn_kernel(struct import *m, const struct tensor *w, long groups, struct tensor *out)
{
    long each_c = w->dims.dim[0] / groups, each_k = w->dims.dim[1], places = w->dims.dim[2] * w->dims.dim[3];
    const struct dims dims = {4, {each_k * groups, each_c, w->dims.dim[2], w->dims.dim[3]}};
    double *data = tensor_new(m, out, w->type, &dims);
    for (long i = 0; data && i < out->count; i++) {
        long k = i / places / each_c, c = i / places % each_c;
        long from = (k / each_k * each_c + c) * each_k + k % each_k;
        data[i] = tensor_at(w, from * places + places - 1 - i % places);
    }
    return data ? 0 : -1;
}

/* Append zeros between the pixels of layer `from`. */
static int add_zeros(struct import *m, int from, const long stride[2])
{
    const struct layer l = {.op = OP_ZEROSTUFF, .in = {from}, .stride_h = (int)stride[0], .stride_w = (int)stride[1]};
    return stride[0] * stride[1] == 1 ? from : import_append(m, &l);
}

int do_conv_transpose(struct import *m, struct value *y)
{
    const struct tensor *given = import_constant(m, 1), *b = import_optional(m, 2);
    int from = view_pictures(m, y);
    long groups = attr_int(m, "group", 1), channels = given->dims.dim[0];
    struct shape in = import_shape(m, from);
    if (given->dims.rank != 4 || channels != in.c || groups < 1 || groups > in.c || in.c % groups)
        return node_fail(m, "a kernel for %ld channels in %ld groups, not %d", channels, groups, in.c);
    struct window w = {.size = {given->dims.dim[2], given->dims.dim[3]}};
    struct tensor turned;
    read_window(m, &w);
    if (turn_kernel(m, given, groups, &turned))
        return -1;
    from = add_zeros(m, from, w.stride);
    turn_window(m, &w, in);
    const struct layer l = conv_of(m, from, &turned, b, &w);
    return append_picture(m, y, &l);
}

/* ---- Pools ---- */

/* ceil_mode along one side of `in` pixels: widen the pads at the end until the last window that begins inside the
 * input or the pads before it is whole. Returns whether it had to. */
static bool ceil_pads(struct window *w, int i, long in)
{
    long padded = in + w->begin[i] + w->end[i], room = padded - reach(w, i) - 1;
    if (room < 0)
        return false;
    long last = (room + w->stride[i] - 1) / w->stride[i] * w->stride[i]; /* where the last window begins */
    if (last >= in + w->begin[i])
        last -= w->stride[i];
    if (last <= room)
        return false;
    w->end[i] += last - room;
    return true;
}

int do_pool(struct import *m, struct value *y)
{
    enum op op = (enum op)m->operator->kind;
    /* The largest number of steps is the largest value. */
    if (!(op == OP_MAXPOOL && y->quantized) && import_check(m, y))
        return -1;
    int from = view_pictures(m, y);
    struct layer l = {.op = op, .in = {from}};
    struct shape in = import_shape(m, from);
    struct window w = {.size = {0, 0}};
    read_padded(m, &w, in);
    if (m->node->n_output > 1 && m->node->output[1][0])
        return node_fail(m, "the positions of the maxima are not given");
    if (!w.size[0])
        return node_fail(m, "no kernel_shape");
    bool padded = w.begin[0] || w.begin[1] || w.end[0] || w.end[1], counted = attr_int(m, "count_include_pad", 0);
    bool ceil = attr_int(m, "ceil_mode", 0);
    bool below = ceil && ceil_pads(&w, 0, in.h), right = ceil && ceil_pads(&w, 1, in.w);
    if (op == OP_AVGPOOL && counted && padded && (below || right))
        return node_fail(m, "ceil_mode with count_include_pad and pads is not run");
    l.exclude_pad = op == OP_AVGPOOL && (below || right || (padded && !counted));
    return set_window(m, &l, &w) ? -1 : append_picture(m, y, &l);
}

int do_global(struct import *m, struct value *y)
{
    int from = view_pictures(m, y);
    struct layer l = {.op = (enum op)m->operator->kind, .in = {from}};
    if (l.op == OP_MAXPOOL) {
        l.r = l.stride_h = import_shape(m, from).h;
        l.s = l.stride_w = import_shape(m, from).w;
    }
    return append_picture(m, y, &l);
}

/* Read the pads before and after each dimension from attribute or operand; since opset 18 `axes` names the
 * dimensions. */
static void dims_pads(struct import *m, int rank, long begin[], long end[])
{
    long pads[2 * ONNX_MAX_RANK], axes[ONNX_MAX_RANK];
    int count = operand_ints(m, 1, "pads", 2 * ONNX_MAX_RANK, pads);
    int named = import_given(m, 3) ? operand_ints(m, 3, "axes", ONNX_MAX_RANK, axes) : -1;
    int n = named < 0 ? rank : named;
    if (count != 2 * n)
        node_fail(m, "pads for %d of %d dimensions", count / 2, n);
    for (int i = 0; i < count; i++)
        if (pads[i] < 0 || pads[i] > NET_MAX_DIM)
            node_fail(m, "a padding of %ld", pads[i]);
    for (int i = 0; i < rank; i++)
        begin[i] = end[i] = 0;
    for (int i = 0; i < n && !m->failed; i++) {
        int d = node_axis(m, named < 0 ? i : axes[i], rank);
        begin[d] = pads[i];
        end[d] = pads[n + i];
    }
}

int do_pad(struct import *m, struct value *y)
{
    long begin[ONNX_MAX_RANK], end[ONNX_MAX_RANK];
    struct wanted wanted = {.channels = -1};
    struct order o;
    dims_pads(m, y->t.dims.rank, begin, end);
    if (!attr_is(m, "mode", "constant", true))
        return node_fail(m, "only padding with a constant is run");
    for (int d = 0; d < y->t.dims.rank; d++)
        wanted.sides[d] = begin[d] || end[d];
    if ((y->batch >= 0 && wanted.sides[y->batch]) || view_order(m, y, &wanted, &o) < 0)
        return node_fail(m, "only rows and columns are padded");
    struct layer l = {.op = OP_PAD, .in = {y->layer}};
    l.alpha = (float)operand_number(m, 2, attr_float(m, "value", 0));
    for (int a = AXIS_H; a <= AXIS_W; a++)
        if (o.dim[a] >= 0) {
            *(a == AXIS_H ? &l.pad_top : &l.pad_left) = (int)begin[o.dim[a]];
            *(a == AXIS_H ? &l.pad_bottom : &l.pad_right) = (int)end[o.dim[a]];
        }
    int layer = import_append(m, &l);
    return layer < 0 || view_put(m, y, &o, import_shape(m, layer)) ? -1 : layer;
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
    struct tensor list;
    const struct tensor *sizes = import_optional(m, 3), *scales = NULL;
    if (!sizes)
        scales = import_given(m, at) ? import_constant(m, at) : attr_tensor(m, "scales", &list) ? &list : NULL;
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
    view_picture(y, to);
    return add_copies(m, from, to);
}
