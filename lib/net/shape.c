/* Shapes and costs.
 *   in   layers and the shape of the input
 *   out  each layer's output shape; floats and multiplications, held to the limits of net.h
 * Every net passes here, from text or from ONNX: behind it all sizes and offsets of one image fit an int. */
#include "net.h"

/* The values of a shape. Each dimension is at most 2^16, so that the product fits. */
static int64_t shape_size(struct shape s)
{
    return (int64_t)s.c * s.h * s.w;
}

static bool same_shape(struct shape a, struct shape b)
{
    return a.c == b.c && a.h == b.h && a.w == b.w;
}

static bool dim_ok(int n)
{
    return n >= 1 && n <= NET_MAX_DIM;
}

static int check_shape(struct shape s, struct err *e)
{
    if (!dim_ok(s.c) || !dim_ok(s.h) || !dim_ok(s.w))
        return err_set(e, "a shape of %dx%dx%d: each side must be 1..%d", s.c, s.h, s.w, NET_MAX_DIM);
    if (shape_size(s) > NET_MAX_TENSOR)
        return err_set(e, "%dx%dx%d is more than %ld values", s.c, s.h, s.w, NET_MAX_TENSOR);
    return 0;
}

/* The output size along one side: how many windows of `size` taps, `dilation` apart, begin `stride` apart
 * in `in` pixels padded before and after; 0 when none fits. */
static int window_count(int in, int size, int stride, int dilation, int before, int after)
{
    long room = (long)in + before + after - ((long)(size - 1) * dilation + 1);
    return room < 0 ? 0 : (int)(room / stride + 1);
}

static bool pads_ok(const struct layer *l)
{
    const int pads[] = {l->pad_top, l->pad_left, l->pad_bottom, l->pad_right};
    for (int i = 0; i < 4; i++)
        if (pads[i] < 0 || pads[i] > NET_MAX_DIM)
            return false;
    return true;
}

static int infer_window(const struct layer *l, struct shape in, struct shape *out, struct err *e)
{
    if (!dim_ok(l->r) || !dim_ok(l->s) || !dim_ok(l->stride_h) || !dim_ok(l->stride_w) ||
        !dim_ok(l->dilation_h) || !dim_ok(l->dilation_w))
        return err_set(e, "window, stride and dilation must be 1..%d", NET_MAX_DIM);
    if (!pads_ok(l))
        return err_set(e, "padding must be 0..%d", NET_MAX_DIM);
    out->h = window_count(in.h, l->r, l->stride_h, l->dilation_h, l->pad_top, l->pad_bottom);
    out->w = window_count(in.w, l->s, l->stride_w, l->dilation_w, l->pad_left, l->pad_right);
    if (!out->h || !out->w)
        return err_set(e, "a %dx%d window does not fit into %dx%d", l->r, l->s, in.h, in.w);
    return 0;
}

static int infer_conv(const struct layer *l, struct shape in, struct shape *out, struct err *e)
{
    if (l->groups < 1 || in.c % l->groups || out->c % l->groups)
        return err_set(e, "%d groups do not divide %d channels in and %d out", l->groups, in.c, out->c);
    return infer_window(l, in, out, e);
}

/* Padding as wide as the window is refused: a window may then lie in padding alone and has no maximum or mean. */
static int infer_pool(const struct layer *l, struct shape in, struct shape *out, struct err *e)
{
    long rows = (long)(l->r - 1) * l->dilation_h + 1, columns = (long)(l->s - 1) * l->dilation_w + 1;
    if (l->pad_top >= rows || l->pad_bottom >= rows || l->pad_left >= columns || l->pad_right >= columns)
        return err_set(e, "padding must be smaller than the window");
    out->c = in.c;
    return infer_window(l, in, out, e);
}

static int infer_pair(const struct net *net, const struct layer *l, struct shape *out, struct err *e)
{
    struct shape a = net->layer[l->in[0]].out, b = net->layer[l->in[1]].out;
    bool fit = l->op == OP_CONCAT ? a.h == b.h && a.w == b.w : same_shape(a, b);
    if (!fit)
        return err_set(e, "cannot %s %dx%dx%d and %dx%dx%d",
                       l->op == OP_ADD   ? "add"
                       : l->op == OP_MUL ? "multiply"
                                         : "join",
                       a.c, a.h, a.w, b.c, b.h, b.w);
    *out = a;
    if (l->op == OP_CONCAT)
        out->c += b.c;
    return 0;
}

static int infer_slice(const struct layer *l, struct shape in, struct shape *out, struct err *e)
{
    if (l->first < 0 || out->c < 1 || l->first > in.c - out->c)
        return err_set(e, "%d channels from %d on are not there: there are %d", out->c, l->first, in.c);
    out->h = in.h;
    out->w = in.w;
    return 0;
}

static int infer_larger(const struct layer *l, struct shape in, struct shape *out, struct err *e)
{
    bool zeros = l->op == OP_ZEROSTUFF; /* they are between pixels, none behind the last */
    if (!dim_ok(l->stride_h) || !dim_ok(l->stride_w) || in.h > NET_MAX_DIM / l->stride_h ||
        in.w > NET_MAX_DIM / l->stride_w)
        return err_set(e, "%dx%d pixels, %d and %d times, are more than %d", in.h, in.w,
                       l->stride_h, l->stride_w, NET_MAX_DIM);
    *out = (struct shape){in.c, in.h * l->stride_h, in.w * l->stride_w};
    out->h -= zeros ? l->stride_h - 1 : 0;
    out->w -= zeros ? l->stride_w - 1 : 0;
    return 0;
}

static int infer_pad(const struct layer *l, struct shape in, struct shape *out, struct err *e)
{
    if (!pads_ok(l))
        return err_set(e, "padding must be 0..%d", NET_MAX_DIM);
    *out = (struct shape){in.c, in.h + l->pad_top + l->pad_bottom,
                          in.w + l->pad_left + l->pad_right};
    return 0;
}

static int infer_flat(struct shape in, struct shape *out, struct err *e)
{
    if (shape_size(in) > NET_MAX_DIM)
        return err_set(e, "flattening %dx%dx%d gives more than %d channels", in.c, in.h, in.w, NET_MAX_DIM);
    *out = (struct shape){(int)shape_size(in), 1, 1};
    return 0;
}

static int infer_reshape(struct shape in, struct shape out, struct err *e)
{
    if (check_shape(out, e))
        return -1;
    if (shape_size(in) != shape_size(out))
        return err_set(e, "%dx%dx%d values cannot be %dx%dx%d", in.c, in.h, in.w, out.c, out.h, out.w);
    return 0;
}

/* A map of cells, each of which covers as many pixels of the picture down as across. */
static int infer_boxes(const struct net *net, struct shape in, struct shape *out, struct err *e)
{
    struct shape picture = net_input(net);
    int stride = picture.h / in.h;
    if (in.c <= NET_BOX_CHANNELS)
        return err_set(e, "a map of %d channels: 1 for centres, 1 for each class and 4 for a box", in.c);
    if (in.h * stride != picture.h || in.w * stride != picture.w)
        return err_set(e, "a map of %dx%d does not divide a picture of %dx%d into square cells",
                       in.h, in.w, picture.h, picture.w);
    *out = in;
    return 0;
}

/* Infer l->out from the shapes of its inputs. */
static int infer_op(struct net *net, struct layer *l, struct err *e)
{
    struct shape in = net->layer[l->in[0]].out;
    switch (l->op) {
    case OP_CONV:
        return infer_conv(l, in, &l->out, e);
    case OP_DENSE:
        l->out.h = l->out.w = 1;
        return 0;
    case OP_MAXPOOL:
    case OP_AVGPOOL:
        return infer_pool(l, in, &l->out, e);
    case OP_GLOBALPOOL:
        l->out = (struct shape){in.c, 1, 1};
        return 0;
    case OP_FLATTEN:
        return infer_flat(in, &l->out, e);
    case OP_ADD:
    case OP_MUL:
    case OP_CONCAT:
        return infer_pair(net, l, &l->out, e);
    case OP_SLICE:
        return infer_slice(l, in, &l->out, e);
    case OP_UPSAMPLE:
    case OP_ZEROSTUFF:
        return infer_larger(l, in, &l->out, e);
    case OP_RESHAPE:
        return infer_reshape(in, l->out, e);
    case OP_PAD:
        return infer_pad(l, in, &l->out, e);
    case OP_BOXES:
        return infer_boxes(net, in, &l->out, e);
    default:
        l->out = in;
        return 0;
    }
}

int net_infer_layer(struct net *net, int i, struct err *e)
{
    struct layer *l = &net->layer[i];
    if ((l->op == OP_INPUT) != (i == 0))
        return err_set(e, "input must be the first layer, and only that");
    for (int j = 0; j < op_inputs(l->op); j++)
        if (l->in[j] < 0 || l->in[j] >= i)
            return err_set(e, "a layer must read layers before it");
    if (l->op == OP_INPUT)
        return check_shape(l->out, e);
    if (infer_op(net, l, e) || check_shape(l->out, e))
        return -1;
    if (net_weight_count(net, i) > NET_MAX_TENSOR)
        return err_set(e, "more than %ld weights in one layer", NET_MAX_TENSOR);
    return 0;
}

/* ---- What a net costs ---- */

static int64_t in_blocks(int channels)
{
    return ((int64_t)channels + NET_BLOCK - 1) / NET_BLOCK * NET_BLOCK;
}

/* Whether layer i is a picture of a single channel that is not padded to a block: the network's input, read
 * by one convolution alone. */
static bool is_plain(const struct net *net, int i)
{
    int readers = 0;
    if (i > 0 || net->layer[i].out.c > 1)
        return false;
    for (int k = 1; k < net->layers; k++)
        for (int j = 0; j < 2; j++)
            if (net->layer[k].in[j] == i)
                readers += net->layer[k].op == OP_CONV ? 1 : 2;
    return readers == 1;
}

/* The floats that layer i's output takes up in memory, with the padding of the layer `border` around it
 * (NULL: none). */
static int64_t kept(const struct net *net, int i, const struct layer *border)
{
    struct shape s = net->layer[i].out;
    int64_t h = s.h, w = s.w;
    if (border) {
        h += border->pad_top + border->pad_bottom;
        w += border->pad_left + border->pad_right;
    }
    return (is_plain(net, i) ? 1 : in_blocks(s.c)) * h * w;
}

/* The floats of layer i's output and, when it pads, of a padded copy of its input; where values are moved,
 * those of the list that they go through. */
static int64_t activation(const struct net *net, int i)
{
    const struct layer *l = &net->layer[i];
    int64_t n = kept(net, i, NULL);
    if (l->op == OP_RESHAPE || l->op == OP_CONCAT)
        n += shape_size(l->out);
    if (l->op == OP_SLICE)
        n += shape_size(net->layer[l->in[0]].out);
    bool padded = l->pad_top || l->pad_left || l->pad_bottom || l->pad_right;
    return padded && l->in[0] >= 0 ? n + kept(net, l->in[0], l) : n;
}

/* The floats of layer i's weights packed for the kernels: blocks of channels, groups spread over all channels. */
static int64_t packed(const struct net *net, int i)
{
    const struct layer *l = &net->layer[i];
    if (l->op != OP_CONV && l->op != OP_DENSE)
        return 4 * net_channels(net, i);
    struct shape in = net->layer[l->in[0]].out;
    int64_t inputs = l->op == OP_DENSE ? in_blocks(in.c) * in.h * in.w
                     : (in.c < NET_BLOCK ? in.c : in_blocks(in.c)) * l->r;
    if (inputs > NET_MAX_TOTAL)
        return NET_MAX_TOTAL + 1;
    return in_blocks(l->out.c) * (l->op == OP_DENSE ? inputs : inputs * l->s);
}

/* The multiplications (of pooling: comparisons or additions) of layer i for an image. */
static int64_t work(const struct net *net, int i)
{
    const struct layer *l = &net->layer[i];
    if (l->op == OP_CONV || l->op == OP_DENSE)
        return packed(net, i) * l->out.h * l->out.w;
    return kept(net, i, NULL) * (l->op == OP_MAXPOOL || l->op == OP_AVGPOOL ? (int64_t)l->r * l->s : 1);
}

/* Bound the sums over the net, once, before memory is allocated. Each term is below 2^63: work is computed
 * only where packed is within its bound. */
static int check_totals(const struct net *net, struct err *e)
{
    int64_t values = 0, weights = 0;
    double operations = 0;
    for (int i = 0; i < net->layers; i++) {
        values += activation(net, i);
        weights += packed(net, i);
        if (values > NET_MAX_TOTAL || weights > NET_MAX_TOTAL)
            return err_set(e, "the net is too large: more than %ld %s", NET_MAX_TOTAL,
                           values > NET_MAX_TOTAL ? "values an image" : "weights");
        operations += (double)work(net, i);
    }
    if (operations > (double)NET_MAX_WORK)
        return err_set(e, "the net is too slow: more than %ld operations an image", NET_MAX_WORK);
    return 0;
}

int64_t net_floats(const struct net *net)
{
    int64_t n = 0;
    for (int i = 0; i < net->layers; i++)
        n += activation(net, i);
    return n;
}

int net_infer_shapes(struct net *net, struct err *e)
{
    if (net->layers < 1 || net->layers > NET_MAX_LAYERS)
        return err_set(e, "a net has 1..%d layers, not %d", NET_MAX_LAYERS, net->layers);
    for (int i = 0; i < net->layers; i++) {
        struct err why = ERR_NONE;
        const struct layer *l = &net->layer[i];
        if (net_infer_layer(net, i, &why))
            return err_set(e, "layer %d (%s%s%s): %s", i, op_name(l->op), l->name[0] ? " " : "", l->name, why.what);
    }
    return check_totals(net, e);
}

/* ---- Another size ---- */

static int resize_layers(struct net *net, int height, int width, struct err *e)
{
    net->layer[0].out.h = height;
    net->layer[0].out.w = width;
    for (int i = 1; i < net->layers; i++) {
        const struct layer *l = &net->layer[i];
        if (l->op == OP_DENSE || l->op == OP_RESHAPE)
            return err_set(e, "layer %d: %s reads one size only", i, op_name(l->op));
    }
    return net_infer_shapes(net, e);
}

int net_resize(struct net *net, int height, int width, struct err *e)
{
    struct err unused = ERR_NONE;
    struct shape before = net_input(net);
    if (!resize_layers(net, height, width, e))
        return 0;
    net->layer[0].out = before;
    net_infer_shapes(net, &unused);
    return -1;
}

/* ---- Counts ---- */

/* What is beyond NET_MAX_TENSOR is cut off there, so that it fits a long of 32 bits as well. */
long net_weight_count(const struct net *net, int layer)
{
    const struct layer *l = &net->layer[layer];
    if (l->op != OP_CONV && l->op != OP_DENSE)
        return 0;
    struct shape in = net->layer[l->in[0]].out;
    int64_t count = l->op == OP_DENSE ? shape_size(in) : (int64_t)(in.c / l->groups) * l->r;
    if (count > NET_MAX_TENSOR)
        return NET_MAX_TENSOR + 1;
    if (l->op == OP_CONV)
        count *= l->s;
    if (count > NET_MAX_TENSOR)
        return NET_MAX_TENSOR + 1;
    count *= l->out.c;
    return (long)(count <= NET_MAX_TENSOR ? count : NET_MAX_TENSOR + 1);
}

long net_channels(const struct net *net, int layer)
{
    const struct layer *l = &net->layer[layer];
    return l->op == OP_CONV || l->op == OP_DENSE || l->op == OP_BATCHNORM ? l->out.c : 0;
}

struct shape net_input(const struct net *net)
{
    return net->layer[0].out;
}

int net_outputs(const struct net *net)
{
    return (int)shape_size(net->layer[net->layers - 1].out);
}

bool net_is_sigmoid(const struct net *net)
{
    const struct layer *l = &net->layer[net->layers - 1];
    while (l->op == OP_FLATTEN || l->op == OP_RESHAPE || l->op == OP_DROPOUT || l->op == OP_QUANTIZE)
        l = &net->layer[l->in[0]];
    return l->op == OP_POINTWISE && (l->function == FUNCTION_SIGMOID || l->function == FUNCTION_HARD_SIGMOID);
}

bool net_is_finder(const struct net *net)
{
    return net->layer[net->layers - 1].op == OP_BOXES;
}
