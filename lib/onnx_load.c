/* An ONNX graph made into a net. Each value of the graph is either a constant, computed here
 * (onnx_fold.h), or the output of a layer of the net seen through a `view`: how the axes of the
 * ONNX tensor stand to the layer's C, H and W. Transpose, Reshape, Squeeze and their like change
 * the view only; dense weights and constants are read through it. So a network in NHWC becomes the
 * same net as its twin in NCHW, and nothing is moved at run time. */
#include "onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "onnx_fold.h"

#define OPSET_OLDEST 7
#define OPSET_NEWEST 28 /* the newest whose changes were read */
#define MAX_LAYERS (4 * NET_MAX_LAYERS) /* before those that are folded away are dropped */
#define MAX_METAS 1000

/* A small file must not ask for much memory: of the values of its constants, read and folded, and
 * of weights, there are at most COPIES for each of its bytes, and some to spare. */
#define COPIES 4
#define SPARE_CONSTANTS (1L << 20)
#define SPARE_WEIGHTS (1L << 22)

#define FLOAT_TYPE ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT
#define UINT8_TYPE ONNX__TENSOR_PROTO__DATA_TYPE__UINT8
#define INT8_TYPE ONNX__TENSOR_PROTO__DATA_TYPE__INT8
#define INT64_TYPE ONNX__TENSOR_PROTO__DATA_TYPE__INT64

enum axis { AXIS_C, AXIS_H, AXIS_W };

/* An ONNX tensor as a layer's output. Row-major, its elements run over the axes in `order`, and
 * each dimension is the product of the axes `at` it. Axes of size 1 may be anywhere. size is mostly
 * the layer's shape, but a flattened layer keeps here the shape it had before. */
struct view {
    struct dims dims;
    int batch; /* the dimension of the images; -1: dropped, there is but one */
    long size[3];
    int order[3];
    int at[3];
};

enum kind { NOTHING, INITIALIZER, CONSTANT, RUNTIME };

struct value {
    const char *name;
    enum kind kind;
    bool needed; /* by the output */
    const Onnx__TensorProto *initializer; /* INITIALIZER: not read yet */
    struct tensor tensor;                 /* CONSTANT */
    int layer;                            /* RUNTIME */
    struct view view;
    bool integer;    /* pixels as whole numbers, not cast to float yet */
    bool quantized;  /* the layer has the value that (x - zero) * scale would give */
    double scale, zero;
};

struct import {
    const Onnx__GraphProto *graph;
    struct net *net;
    bool *affine; /* [MAX_LAYERS] a batch norm that was made of constants here */
    struct value *value; /* sorted by name */
    size_t values;
    long batch;       /* images a run as the shapes have it; 1 when it is left open */
    bool one_image;   /* the file fixes it to 1 */
    long constants;   /* constant values that may still be allocated */
    long weights;     /* floats that may still be */
    struct call call; /* the node at hand */
};

/* ---- Values by name ---- */

static int compare_values(const void *a, const void *b)
{
    return strcmp(((const struct value *)a)->name, ((const struct value *)b)->name);
}

static struct value *find_value(struct import *m, const char *name)
{
    struct value key = {.name = name ? name : ""};
    return bsearch(&key, m->value, m->values, sizeof key, compare_values);
}

/* Input i of the node at hand; NULL when it is left out. */
static struct value *input(struct import *m, size_t i)
{
    const Onnx__NodeProto *node = m->call.node;
    return i < node->n_input && node->input[i] && node->input[i][0] ? find_value(m, node->input[i])
                                                                    : NULL;
}

/* The same, which must be there and depend on the image. */
static struct value *runtime(struct import *m, size_t i)
{
    struct value *x = input(m, i);
    if (!x || x->kind != RUNTIME) {
        call_fail(&m->call, "input %zu must depend on the image", i);
        return NULL;
    }
    if (m->net->layer[x->layer].op == OP_SOFTMAX) {
        call_fail(&m->call, "nothing is run after softmax");
        return NULL;
    }
    if (x->integer || x->quantized) {
        call_fail(&m->call, "arithmetic on whole numbers is not run");
        return NULL;
    }
    return x;
}

static const struct tensor *constant(struct import *m, size_t i)
{
    const struct tensor *t = i < m->call.node->n_input ? m->call.in[i] : NULL;
    if (!t)
        call_fail(&m->call, "input %zu must be a constant", i);
    return t;
}

static bool is_given(struct import *m, size_t i)
{
    return input(m, i) != NULL;
}

/* Say what the node's output is: layer's output seen through view. */
static int result(struct import *m, int layer, const struct view *view)
{
    if (layer < 0 || m->call.failed)
        return -1;
    struct value *y = find_value(m, m->call.node->output[0]);
    y->kind = RUNTIME;
    y->layer = layer;
    y->view = *view;
    return 0;
}

/* ---- Layers ---- */

static struct shape out_of(const struct import *m, int layer)
{
    return m->net->layer[layer].out;
}

static long size_of(struct shape s)
{
    return (long)s.c * s.h * s.w;
}

static bool is_flat(struct shape s)
{
    return s.h == 1 && s.w == 1;
}

/* Append a layer; the caller fills in the rest before finish_layer. */
static struct layer *new_layer(struct import *m, enum op op, int from)
{
    struct net *net = m->net;
    if (net->layers == MAX_LAYERS) {
        call_fail(&m->call, "too many layers");
        return NULL;
    }
    struct layer *l = &net->layer[net->layers++];
    *l = (struct layer){.op = op, .in = {from, -1}, .r = 1, .s = 1, .stride_h = 1, .stride_w = 1,
                        .dilation_h = 1, .dilation_w = 1, .groups = 1};
    if (m->call.node && m->call.node->name) {
        strncpy(l->name, m->call.node->name, sizeof l->name - 1);
        l->name[sizeof l->name - 1] = '\0';
    }
    return l;
}

/* Work out the shape of the layer just appended. Returns its index, or -1. */
static int finish_layer(struct import *m)
{
    struct err why = ERR_NONE;
    int i = m->net->layers - 1;
    if (m->call.failed)
        return -1;
    if (net_infer_layer(m->net, i, &why))
        return call_fail(&m->call, "%s", why.what);
    return i;
}

static int add_layer(struct import *m, enum op op, int from)
{
    return new_layer(m, op, from) ? finish_layer(m) : -1;
}

static float *new_floats(struct import *m, long count)
{
    float *floats = NULL;
    if (count > m->weights)
        call_fail(&m->call, "more weights than a file of its size should need");
    else if (!(floats = calloc((size_t)count, sizeof *floats)))
        call_fail(&m->call, "out of memory");
    else
        m->weights -= count;
    return floats;
}

/* ---- Views ---- */

static void natural_order(struct view *v, struct shape s)
{
    const long size[] = {s.c, s.h, s.w};
    for (int a = 0; a < 3; a++) {
        v->size[a] = size[a];
        v->order[a] = a;
    }
}

/* [N][C][H][W] */
static struct view view_nchw(const struct import *m, struct shape s)
{
    struct view v = {.dims = {4, {m->batch, s.c, s.h, s.w}}, .at = {1, 2, 3}};
    natural_order(&v, s);
    return v;
}

/* [N][C*H*W] */
static struct view view_flat(const struct import *m, struct shape s)
{
    struct view v = {.dims = {2, {m->batch, size_of(s)}}, .at = {1, 1, 1}};
    natural_order(&v, s);
    return v;
}

static bool is_nchw(const struct view *v)
{
    if (v->dims.rank != 4 || v->batch != 0)
        return false;
    for (int a = 0; a < 3; a++)
        if (v->size[a] > 1 && v->at[a] != a + 1)
            return false;
    return true;
}

/* True when the elements of an image run in the order C H W. */
static bool is_linear(const struct view *v)
{
    int last = -1;
    for (int i = 0; i < 3; i++) {
        if (v->size[v->order[i]] == 1)
            continue;
        if (v->order[i] < last)
            return false;
        last = v->order[i];
    }
    return v->batch <= 0;
}

/* How far apart in an ONNX tensor of `like` dims, which is broadcast to the view, the elements are
 * that are neighbours along each axis. */
static int axis_strides(struct import *m, const struct view *v, const struct dims *like,
                        long *stride)
{
    long step[ONNX_MAX_RANK], all = 1;
    int shift = v->dims.rank - like->rank;
    if (shift < 0)
        return call_fail(&m->call, "a constant of higher rank");
    memset(stride, 0, 3 * sizeof *stride);
    for (int d = like->rank - 1; d >= 0; d--) {
        step[d] = all;
        all *= like->dim[d];
        if (like->dim[d] == 1)
            step[d] = 0;
        else if (like->dim[d] != v->dims.dim[d + shift] || d + shift == v->batch)
            return call_fail(&m->call, "a constant of %ld entries along dimension %d of %ld",
                             like->dim[d], d + shift, v->dims.dim[d + shift]);
    }
    long inner[ONNX_MAX_RANK];
    for (int d = 0; d < ONNX_MAX_RANK; d++)
        inner[d] = 1;
    for (int i = 2; i >= 0; i--) {
        int a = v->order[i], d = v->at[a];
        if (v->size[a] == 1)
            continue;
        if (d >= shift)
            stride[a] = step[d - shift] * inner[d];
        inner[d] *= v->size[a];
    }
    return 0;
}

/* Give each axis its dimensions in dims[first..]: every dimension must be a product of axes. */
static bool place_axes(struct view *v, int first)
{
    int next = 0;
    for (int d = first; d < v->dims.rank; d++) {
        long size = 1;
        while (size < v->dims.dim[d] && next < 3) {
            int a = v->order[next++];
            if (v->size[a] > 1)
                v->at[a] = d;
            size *= v->size[a];
        }
        if (size != v->dims.dim[d])
            return false;
    }
    for (int a = 0; a < 3; a++)
        if (v->size[a] == 1)
            v->at[a] = v->dims.rank == 4 ? a + 1 : -1;
    return true;
}

/* Where a reshape splits an axis, the image gets a new shape: its sides are dims[first..]. */
static bool new_axes(struct view *v, int first)
{
    long side[3] = {1, 1, 1};
    int sides = 0, rank = v->dims.rank - first;
    if (!is_linear(v))
        return false;
    for (int d = first; d < v->dims.rank; d++)
        if (rank == 3 || v->dims.dim[d] > 1) {
            if (sides == 3)
                return false;
            side[sides++] = v->dims.dim[d];
        }
    struct shape s = sides == 2 ? (struct shape){1, (int)side[0], (int)side[1]}
                                : (struct shape){(int)side[0], (int)side[1], (int)side[2]};
    natural_order(v, s);
    return place_axes(v, first);
}

/* The same elements in the same order, under other dims. The images must stay apart. */
static int reshape_view(struct import *m, struct view *v, const struct dims *dims)
{
    long count = 1;
    bool batched = dims->rank > 0 && dims->dim[0] == m->batch;
    if (v->batch > 0 || (!batched && !m->one_image))
        return call_fail(&m->call, "a shape that mixes images");
    v->dims = *dims;
    v->batch = batched ? 0 : -1;
    for (int d = batched; d < dims->rank; d++) {
        if (dims->dim[d] < 1 || dims->dim[d] > NET_MAX_TENSOR)
            return call_fail(&m->call, "a side of %ld", dims->dim[d]);
        count *= dims->dim[d];
        if (count > NET_MAX_TENSOR)
            return call_fail(&m->call, "a shape too large");
    }
    if (count != v->size[0] * v->size[1] * v->size[2])
        return call_fail(&m->call, "a shape that mixes images");
    struct view old = *v;
    if (place_axes(v, batched))
        return 0;
    *v = old;
    if (count > NET_MAX_DIM || !new_axes(v, batched))
        return call_fail(&m->call, "a reshape that splits channels, rows or columns is not run");
    return 0;
}

/* Make the layer's own shape what the view says: needed before anything that looks at H and W. */
static int spatial(struct import *m, const struct value *x)
{
    struct shape s = out_of(m, x->layer);
    const long *size = x->view.size;
    if (s.c == size[0] && s.h == size[1] && s.w == size[2])
        return x->layer;
    struct layer *l = new_layer(m, OP_RESHAPE, x->layer);
    if (!l)
        return -1;
    l->out = (struct shape){(int)size[0], (int)size[1], (int)size[2]};
    return finish_layer(m);
}

static int need_nchw(struct import *m, const struct value *x)
{
    if (!x)
        return -1;
    if (!is_nchw(&x->view))
        return call_fail(&m->call, "only pictures of one form, [N][C][H][W], are run (rank %d)",
                         x->view.dims.rank);
    return spatial(m, x);
}

/* ---- Constants along channels: batch norm, and sums and products with constants ---- */

/* The values of t, broadcast as an ONNX tensor of `like` dims to x, for each channel of layer
 * `flat ? flattened x : x`. */
static float *spread(struct import *m, const struct value *x, bool flat, const struct tensor *t,
                     const struct dims *like)
{
    long stride[3];
    const struct view *v = &x->view;
    if (axis_strides(m, v, like, stride))
        return NULL;
    long count = flat ? v->size[0] * v->size[1] * v->size[2] : v->size[0];
    float *floats = new_floats(m, count);
    for (long i = 0; floats && i < count; i++) {
        long w = i % v->size[2], h = i / v->size[2] % v->size[1], c = i / v->size[2] / v->size[1];
        if (!flat) {
            c = i;
            h = w = 0;
        }
        floats[i] = (float)t->data[c * stride[0] + h * stride[1] + w * stride[2]];
    }
    return floats;
}

/* The layer to apply such constants to: x as it is where they differ by channel only, else
 * flattened, so that every element is a channel. */
static int channels_layer(struct import *m, const struct value *x, const struct dims *like,
                          bool *flat)
{
    long stride[3];
    if (axis_strides(m, &x->view, like, stride))
        return -1;
    struct shape s = out_of(m, x->layer);
    *flat = is_flat(s);
    if (*flat)
        return x->layer;
    if (stride[AXIS_H] == 0 && stride[AXIS_W] == 0)
        return spatial(m, x);
    *flat = true;
    struct layer *l = new_layer(m, OP_RESHAPE, x->layer);
    if (!l)
        return -1;
    l->out = (struct shape){(int)size_of(s), 1, 1};
    return finish_layer(m);
}

static int do_batchnorm(struct import *m)
{
    const struct value *x = runtime(m, 0);
    const struct tensor *t[4];
    struct dims like = {0};
    bool flat;
    for (int i = 0; i < 4; i++)
        if (!(t[i] = constant(m, (size_t)i + 1)))
            return -1;
    if (!x || attr_int(&m->call, "training_mode", 0) || !attr_int(&m->call, "spatial", 1))
        return call_fail(&m->call, "only inference, by channel, is run");
    like.rank = x->view.dims.rank == 1 ? 1 : x->view.dims.rank - 1;
    for (int i = 0; i < like.rank; i++)
        like.dim[i] = 1;
    like.dim[0] = t[0]->count;
    for (int i = 0; i < 4; i++)
        if (t[i]->dims.rank != 1 || t[i]->count != x->view.dims.dim[x->view.dims.rank - like.rank])
            return call_fail(&m->call, "%ld values for %ld channels", t[i]->count,
                             x->view.dims.dim[x->view.dims.rank - like.rank]);
    int from = channels_layer(m, x, &like, &flat);
    struct layer *l = from < 0 ? NULL : new_layer(m, OP_BATCHNORM, from);
    if (!l)
        return -1;
    l->epsilon = attr_float(&m->call, "epsilon", 1e-5f);
    l->momentum = attr_float(&m->call, "momentum", .9f);
    l->scale = spread(m, x, flat, t[0], &like);
    l->shift = spread(m, x, flat, t[1], &like);
    l->mean = spread(m, x, flat, t[2], &like);
    l->var = spread(m, x, flat, t[3], &like);
    return result(m, finish_layer(m), &x->view);
}

/* y = scale * x + shift, with constants: arrays or, where NULL, 1 and 0. Taken over by the layer.
 * One that follows another is made one with it. */
static int add_affine(struct import *m, int from, float *scale, float *shift)
{
    bool after = m->affine[from];
    struct layer *before = &m->net->layer[from];
    struct layer *l = new_layer(m, OP_BATCHNORM, after ? before->in[0] : from);
    if (!l) {
        free(scale);
        free(shift);
        return -1;
    }
    long count = out_of(m, from).c;
    l->scale = scale ? scale : new_floats(m, count);
    l->shift = shift ? shift : new_floats(m, count);
    l->mean = new_floats(m, count);
    l->var = new_floats(m, count);
    if (m->call.failed)
        return -1;
    for (long i = 0; i < count; i++) {
        float a = scale ? scale[i] : 1, b = shift ? shift[i] : 0;
        l->scale[i] = after ? a * before->scale[i] : a;
        l->shift[i] = after ? a * before->shift[i] + b : b;
        l->var[i] = 1;
    }
    m->affine[m->net->layers - 1] = true;
    return finish_layer(m);
}

/* The numbers of one operand as scale or shift, each through f. */
static int affine_with(struct import *m, const struct value *x, const struct tensor *t,
                       bool is_scale, double (*f)(double), int sign)
{
    bool flat;
    int from = channels_layer(m, x, &t->dims, &flat);
    float *numbers = from < 0 ? NULL : spread(m, x, flat, t, &t->dims);
    if (!numbers)
        return -1;
    long count = out_of(m, from).c;
    float *signs = sign < 0 ? new_floats(m, count) : NULL;
    if (sign < 0 && !signs) {
        free(numbers);
        return -1;
    }
    for (long i = 0; i < count; i++) {
        numbers[i] = (float)f(numbers[i]);
        if (signs)
            signs[i] = -1;
    }
    int layer = add_affine(m, from, is_scale ? numbers : signs, is_scale ? NULL : numbers);
    return result(m, layer, &x->view);
}

static double same(double x)
{
    return x;
}

static double negated(double x)
{
    return -x;
}

static double inverted(double x)
{
    return 1 / x;
}

/* x - y: y times -1 first. */
static int add_negative(struct import *m, int layer)
{
    long count = out_of(m, layer).c;
    float *minus = new_floats(m, count);
    for (long i = 0; minus && i < count; i++)
        minus[i] = -1;
    return minus ? add_affine(m, layer, minus, NULL) : -1;
}

static bool same_views(const struct view *a, const struct view *b)
{
    if (a->dims.rank != b->dims.rank || a->batch != b->batch)
        return false;
    for (int i = 0; i < 3; i++) {
        if (a->size[i] != b->size[i] || (a->size[i] > 1 && a->at[i] != b->at[i]))
            return false;
        if (a->order[i] != b->order[i] && !(is_linear(a) && is_linear(b)))
            return false;
    }
    return true;
}

/* The sum of two values, or their difference. */
static int add_values(struct import *m, bool subtract)
{
    struct value *a = runtime(m, 0), *b = a ? runtime(m, 1) : NULL;
    if (!b)
        return -1;
    if (!same_views(&a->view, &b->view))
        return call_fail(&m->call, "the two inputs have different shapes");
    int x = spatial(m, a), y = x < 0 ? -1 : spatial(m, b);
    if (y >= 0 && subtract)
        y = add_negative(m, y);
    struct layer *l = y < 0 ? NULL : new_layer(m, OP_ADD, x);
    if (!l)
        return -1;
    l->in[1] = y;
    return result(m, finish_layer(m), &a->view);
}

/* Which operand is the constant one: 0, 1 or, when neither is, -1. */
static int constant_operand(struct import *m)
{
    if (m->call.node->n_input != 2) {
        call_fail(&m->call, "two inputs are needed");
        return -1;
    }
    return m->call.in[1] ? 1 : m->call.in[0] ? 0 : -1;
}

static int do_add(struct import *m)
{
    int c = constant_operand(m);
    if (c < 0)
        return m->call.failed ? -1 : add_values(m, false);
    const struct value *x = runtime(m, (size_t)!c);
    return x ? affine_with(m, x, m->call.in[c], false, same, 1) : -1;
}

static int do_sub(struct import *m)
{
    int c = constant_operand(m);
    if (c < 0)
        return m->call.failed ? -1 : add_values(m, true);
    const struct value *x = runtime(m, (size_t)!c);
    return !x       ? -1
           : c == 1 ? affine_with(m, x, m->call.in[c], false, negated, 1)
                    : affine_with(m, x, m->call.in[c], false, same, -1);
}

static int do_mul(struct import *m)
{
    int c = constant_operand(m);
    if (c < 0)
        return call_fail(&m->call, "a product of two values that depend on the image is not run");
    const struct value *x = runtime(m, (size_t)!c);
    return x ? affine_with(m, x, m->call.in[c], true, same, 1) : -1;
}

static int do_div(struct import *m)
{
    if (constant_operand(m) != 1)
        return call_fail(&m->call, "only division by a constant is run");
    const struct value *x = runtime(m, 0);
    return x ? affine_with(m, x, m->call.in[1], true, inverted, 1) : -1;
}

/* ---- Windows ---- */

/* A list attribute of two, one for rows and one for columns. */
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

/* auto_pad along one side: as much as makes the output ceil(in / stride), the odd one at the end
 * (upper) or at the beginning. */
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

/* Zero padding in front of a convolution is the convolution's own. */
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

/* A bias of count channels; absent: NULL. */
static int read_bias(struct import *m, struct layer *l, size_t i, float factor)
{
    if (!is_given(m, i))
        return 0;
    const struct tensor *b = constant(m, i);
    if (!b)
        return -1;
    if (b->count != l->out.c && b->count != 1)
        return call_fail(&m->call, "%ld biases for %d outputs", b->count, l->out.c);
    for (int d = 0; d < b->dims.rank - 1; d++)
        if (b->dims.dim[d] != 1)
            return call_fail(&m->call, "a bias that differs by image");
    l->bias = new_floats(m, l->out.c);
    for (long k = 0; l->bias && k < l->out.c; k++)
        l->bias[k] = factor * (float)b->data[b->count == 1 ? 0 : k];
    return 0;
}

static int do_conv(struct import *m)
{
    const struct value *x = runtime(m, 0);
    const struct tensor *w = constant(m, 1);
    int from = w ? need_nchw(m, x) : -1;
    struct layer *l = from < 0 ? NULL : new_layer(m, OP_CONV, from);
    if (!l)
        return -1;
    if (w->dims.rank != 4)
        return call_fail(&m->call, "a kernel of rank %d", w->dims.rank);
    const long *dim = w->dims.dim;
    for (int d = 0; d < 4; d++)
        if (dim[d] < 1 || dim[d] > NET_MAX_DIM)
            return call_fail(&m->call, "a kernel with a side of %ld", dim[d]);
    struct shape in = out_of(m, from);
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
    if (!(l->weight = new_floats(m, w->count)))
        return -1;
    for (long i = 0; i < w->count; i++)
        l->weight[i] = (float)w->data[i];
    if (read_bias(m, l, 2, 1))
        return -1;
    int layer = finish_layer(m);
    if (layer < 0)
        return -1;
    struct view view = view_nchw(m, l->out);
    return result(m, layer, &view);
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
    const struct value *x = runtime(m, 0);
    int from = need_nchw(m, x);
    struct layer *l = from < 0 ? NULL : new_layer(m, op, from);
    if (!l)
        return -1;
    struct shape in = out_of(m, from);
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
    int layer = finish_layer(m);
    if (layer < 0)
        return -1;
    struct view view = view_nchw(m, l->out);
    return result(m, layer, &view);
}

static int do_maxpool(struct import *m)
{
    return do_pool(m, OP_MAXPOOL);
}

static int do_avgpool(struct import *m)
{
    return do_pool(m, OP_AVGPOOL);
}

/* The value over rows and columns of `from`, as [N][C][1][1]. */
static int pool_all(struct import *m, int from, enum op op, bool rows, bool columns)
{
    struct layer *l = from < 0 ? NULL : new_layer(m, op, from);
    if (!l)
        return -1;
    if (op != OP_GLOBALPOOL) {
        struct shape in = out_of(m, from);
        l->r = l->stride_h = rows ? in.h : 1;
        l->s = l->stride_w = columns ? in.w : 1;
    }
    return finish_layer(m);
}

static int do_global(struct import *m, enum op op)
{
    int layer = pool_all(m, need_nchw(m, runtime(m, 0)), op, true, true);
    if (layer < 0)
        return -1;
    struct view view = view_nchw(m, out_of(m, layer));
    return result(m, layer, &view);
}

static int do_global_average(struct import *m)
{
    return do_global(m, OP_GLOBALPOOL);
}

static int do_global_max(struct import *m)
{
    return do_global(m, OP_MAXPOOL);
}

/* The mean over rows, columns or both, wherever they stand in the tensor. */
static int do_reduce_mean(struct import *m)
{
    const struct value *x = runtime(m, 0);
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
    int layer = pool_all(m, spatial(m, x), all ? OP_GLOBALPOOL : OP_AVGPOOL, over[AXIS_H],
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
    return result(m, layer, &view);
}

/* Pads of dims as begin and end of each, from attribute or operand; axes name them since opset 18. */
static int dims_pads(struct import *m, int rank, long begin[], long end[])
{
    struct call *c = &m->call;
    long pads[2 * ONNX_MAX_RANK], axes[ONNX_MAX_RANK];
    int count = operand_ints(c, 1, "pads", 2 * ONNX_MAX_RANK, pads);
    int named = is_given(m, 3) ? operand_ints(c, 3, "axes", ONNX_MAX_RANK, axes) : -1;
    int n = named < 0 ? rank : named;
    if (c->failed || count != 2 * n)
        return call_fail(c, "pads for %d of %d dimensions", count / 2, n);
    for (int i = 0; i < rank; i++)
        begin[i] = end[i] = 0;
    for (int i = 0; i < n; i++) {
        int d;
        if (call_axis(c, named < 0 ? i : axes[i], rank, &d))
            return -1;
        begin[d] = pads[i];
        end[d] = pads[n + i];
        if (begin[d] < 0 || end[d] < 0 || begin[d] > NET_MAX_DIM || end[d] > NET_MAX_DIM)
            return call_fail(c, "a padding of %ld", begin[d] < 0 ? begin[d] : end[d]);
    }
    return 0;
}

static int do_pad(struct import *m)
{
    const struct value *x = runtime(m, 0);
    long begin[ONNX_MAX_RANK], end[ONNX_MAX_RANK];
    if (!x || dims_pads(m, x->view.dims.rank, begin, end))
        return -1;
    if (!attr_is(&m->call, "mode", "constant", true))
        return call_fail(&m->call, "only padding with a constant is run");
    struct view view = x->view;
    int from = spatial(m, x);
    struct layer *l = from < 0 ? NULL : new_layer(m, OP_PAD, from);
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
    return result(m, finish_layer(m), &view);
}

/* ---- Dense layers ---- */

/* y[k] = factor * sum over f of x[f] * w[f][k], f in the order of x's elements. */
static struct layer *add_dense(struct import *m, const struct value *x, const struct tensor *w,
                               bool transposed, float factor)
{
    const struct view *v = &x->view;
    long inputs = v->size[0] * v->size[1] * v->size[2], outputs = w->dims.dim[!transposed];
    if (w->dims.dim[transposed] != inputs || outputs < 1 || outputs > NET_MAX_DIM) {
        call_fail(&m->call, "weights of %ldx%ld for %ld inputs", w->dims.dim[0], w->dims.dim[1],
                  inputs);
        return NULL;
    }
    struct dims like = {2, {1, inputs}};
    long stride[3];
    struct view flat = *v; /* the elements of an image in one dimension */
    flat.dims = (struct dims){2, {m->batch, inputs}};
    flat.batch = 0;
    flat.at[0] = flat.at[1] = flat.at[2] = 1;
    struct layer *l = new_layer(m, OP_DENSE, x->layer);
    if (!l || axis_strides(m, &flat, &like, stride) || !(l->weight = new_floats(m, w->count)))
        return NULL;
    l->out.c = (int)outputs;
    float *to = l->weight;
    for (long k = 0; k < outputs; k++)
        for (long c = 0; c < v->size[0]; c++)
            for (long h = 0; h < v->size[1]; h++)
                for (long i = 0; i < v->size[2]; i++) {
                    long f = c * stride[0] + h * stride[1] + i * stride[2];
                    *to++ = factor * (float)w->data[transposed ? k * inputs + f : f * outputs + k];
                }
    return l;
}

/* The view of a dense layer's output in place of x's. */
static int dense_result(struct import *m, const struct value *x)
{
    int layer = finish_layer(m);
    if (layer < 0)
        return -1;
    struct view view = view_flat(m, out_of(m, layer));
    if (x->view.batch < 0) {
        view.batch = -1;
        view.dims = x->view.dims;
        view.dims.dim[view.dims.rank - 1] = out_of(m, layer).c;
        view.at[0] = view.dims.rank - 1;
    }
    return result(m, layer, &view);
}

static int do_gemm(struct import *m)
{
    struct call *c = &m->call;
    const struct value *x = runtime(m, 0);
    const struct tensor *w = constant(m, 1);
    if (!x || !w)
        return -1;
    if (w->dims.rank != 2 || x->view.dims.rank != 2 || attr_int(c, "transA", 0))
        return call_fail(c, "only rows of images times a matrix of weights is run");
    if (x->view.batch != 0 && !(x->view.batch < 0 && x->view.dims.dim[0] == 1))
        return call_fail(c, "the images must be the rows");
    struct layer *l = add_dense(m, x, w, attr_int(c, "transB", 0) != 0, attr_float(c, "alpha", 1));
    if (!l || read_bias(m, l, 2, attr_float(c, "beta", 1)))
        return -1;
    return dense_result(m, x);
}

/* A product along the channels at each place is a convolution with a 1x1 kernel. */
static int pointwise(struct import *m, const struct value *x, const struct tensor *w)
{
    int last = x->view.dims.rank - 1, from = spatial(m, x);
    struct layer *l = from < 0 ? NULL : new_layer(m, OP_CONV, from);
    long c = w->dims.dim[0], k = w->dims.dim[1];
    if (!l)
        return -1;
    if (x->view.at[AXIS_C] != last || x->view.size[AXIS_C] != x->view.dims.dim[last] ||
        x->view.size[AXIS_C] != c || k < 1 || k > NET_MAX_DIM)
        return call_fail(&m->call, "only a product along the channels is run");
    if (!(l->weight = new_floats(m, w->count)))
        return -1;
    l->out.c = (int)k;
    for (long i = 0; i < w->count; i++)
        l->weight[i] = (float)w->data[i % c * k + i / c];
    int layer = finish_layer(m);
    struct view view = x->view;
    view.size[AXIS_C] = view.dims.dim[last] = k;
    return result(m, layer, &view);
}

static int do_matmul(struct import *m)
{
    const struct value *x = runtime(m, 0);
    const struct tensor *w = constant(m, 1);
    if (!x || !w)
        return -1;
    if (w->dims.rank != 2 || x->view.dims.rank < 1)
        return call_fail(&m->call, "only a product with a matrix of weights is run");
    long inputs = x->view.size[0] * x->view.size[1] * x->view.size[2];
    if (x->view.dims.dim[x->view.dims.rank - 1] != inputs)
        return pointwise(m, x, w);
    if (x->view.batch > 0 || (x->view.batch == 0 && x->view.dims.rank != 2))
        return call_fail(&m->call, "the images must be the rows");
    return add_dense(m, x, w, false, 1) ? dense_result(m, x) : -1;
}

/* ---- One value in, one of the same shape out ---- */

static int do_each(struct import *m, enum op op)
{
    const struct value *x = runtime(m, 0);
    return x ? result(m, add_layer(m, op, x->layer), &x->view) : -1;
}

static int do_relu(struct import *m)
{
    return do_each(m, OP_RELU);
}

static int do_sigmoid(struct import *m)
{
    return do_each(m, OP_SIGMOID);
}

static int do_tanh(struct import *m)
{
    return do_each(m, OP_TANH);
}

static int do_sqrt(struct import *m)
{
    return do_each(m, OP_SQRT);
}

static int do_reciprocal(struct import *m)
{
    return do_each(m, OP_RECIPROCAL);
}

static int do_leakyrelu(struct import *m)
{
    const struct value *x = runtime(m, 0);
    struct layer *l = x ? new_layer(m, OP_LEAKYRELU, x->layer) : NULL;
    if (!l)
        return -1;
    l->alpha = attr_float(&m->call, "alpha", .01f);
    return result(m, finish_layer(m), &x->view);
}

static int do_clip(struct import *m)
{
    const struct value *x = runtime(m, 0);
    struct layer *l = x ? new_layer(m, OP_CLIP, x->layer) : NULL;
    if (!l)
        return -1;
    l->low = (float)operand_number(&m->call, 1, attr_float(&m->call, "min", -INFINITY));
    l->high = (float)operand_number(&m->call, 2, attr_float(&m->call, "max", INFINITY));
    if (l->low == 0 && l->high == INFINITY)
        l->op = OP_RELU;
    return result(m, finish_layer(m), &x->view);
}

static int do_softmax(struct import *m)
{
    const struct value *x = runtime(m, 0);
    int axis;
    long given = attr_int(&m->call, "axis", m->call.opset < 13 ? 1 : -1);
    if (!x || call_axis(&m->call, given, x->view.dims.rank, &axis))
        return -1;
    for (int a = 0; a < 3; a++) {
        int d = x->view.at[a];
        if (x->view.size[a] > 1 && (m->call.opset < 13 ? d < axis : d != axis))
            return call_fail(&m->call, "only softmax over all of an image's values is run");
    }
    if (axis == x->view.batch)
        return call_fail(&m->call, "softmax over the images is not run");
    int from = is_flat(out_of(m, x->layer)) ? x->layer : add_layer(m, OP_FLATTEN, x->layer);
    return from < 0 ? -1 : result(m, add_layer(m, OP_SOFTMAX, from), &x->view);
}

/* ---- Views only ---- */

/* The input's layer under another view. */
static int same_layer(struct import *m, const struct value *x, const struct view *view)
{
    if (result(m, x->layer, view))
        return -1;
    struct value *y = find_value(m, m->call.node->output[0]);
    y->integer = x->integer;
    y->quantized = x->quantized;
    y->scale = x->scale;
    y->zero = x->zero;
    return 0;
}

/* Like runtime, but whole numbers and probabilities will do: nothing is computed. */
static const struct value *any_runtime(struct import *m)
{
    const struct value *x = input(m, 0);
    if (x && x->kind == RUNTIME)
        return x;
    call_fail(&m->call, "input 0 must depend on the image");
    return NULL;
}

static int do_identity(struct import *m)
{
    const struct value *x = any_runtime(m);
    return x ? same_layer(m, x, &x->view) : -1;
}

static int do_dropout(struct import *m)
{
    if (operand_number(&m->call, 2, 0) != 0)
        return call_fail(&m->call, "dropout for training");
    return do_identity(m);
}

static int do_cast(struct import *m)
{
    const struct value *x = any_runtime(m);
    int to = (int)attr_int(&m->call, "to", 0);
    if (!x)
        return -1;
    if (!type_is_float(to) && !x->integer)
        return call_fail(&m->call, "a cast to whole numbers is not run");
    if (same_layer(m, x, &x->view))
        return -1;
    if (type_is_float(to))
        find_value(m, m->call.node->output[0])->integer = false;
    return 0;
}

static int do_view(struct import *m,
                   int (*rule)(struct call *, const struct dims *, struct dims *))
{
    const struct value *x = any_runtime(m);
    struct dims dims = {0};
    if (!x || rule(&m->call, &x->view.dims, &dims))
        return -1;
    struct view view = x->view;
    return reshape_view(m, &view, &dims) ? -1 : same_layer(m, x, &view);
}

static int do_reshape(struct import *m)
{
    return do_view(m, dims_reshape);
}

static int do_squeeze(struct import *m)
{
    return do_view(m, dims_squeeze);
}

static int do_unsqueeze(struct import *m)
{
    return do_view(m, dims_unsqueeze);
}

/* Flatten is kept as a layer where the order is C H W, so that our own nets come back as they
 * were. */
static int do_flatten(struct import *m)
{
    const struct value *x = any_runtime(m);
    if (!x || do_view(m, dims_flatten))
        return -1;
    if (!is_linear(&x->view) || x->integer || x->quantized ||
        x->view.size[0] * x->view.size[1] * x->view.size[2] > NET_MAX_DIM)
        return 0;
    struct value *y = find_value(m, m->call.node->output[0]);
    y->layer = add_layer(m, OP_FLATTEN, x->layer);
    return y->layer < 0 ? -1 : 0;
}

static int do_transpose(struct import *m)
{
    const struct value *x = any_runtime(m);
    int perm[ONNX_MAX_RANK];
    if (!x || dims_perm(&m->call, x->view.dims.rank, perm))
        return -1;
    const struct view *from = &x->view;
    struct view view = *from;
    int next = 0;
    bool placed[3] = {false};
    for (int d = 0; d < view.dims.rank; d++) {
        view.dims.dim[d] = from->dims.dim[perm[d]];
        if (perm[d] == from->batch)
            view.batch = d;
        for (int i = 0; i < 3; i++) {
            int a = from->order[i];
            if (from->at[a] != perm[d])
                continue;
            view.order[next++] = a;
            view.at[a] = d;
            placed[a] = true;
        }
    }
    for (int a = 0; a < 3; a++) /* of size 1, nowhere */
        if (!placed[a])
            view.order[next++] = a;
    return same_layer(m, x, &view);
}

/* The shape is a constant once the number of images is. */
static int do_shape(struct import *m)
{
    const struct value *x = any_runtime(m);
    if (!x)
        return -1;
    int start, end;
    dims_range(&m->call, x->view.dims.rank, &start, &end);
    struct dims dims = {1, {end - start}};
    struct value *y = find_value(m, m->call.node->output[0]);
    if (tensor_new(&m->call, &y->tensor, INT64_TYPE, &dims))
        return -1;
    y->kind = CONSTANT;
    for (long i = 0; i < dims.dim[0]; i++)
        y->tensor.data[i] = (double)x->view.dims.dim[start + i];
    return 0;
}

/* ---- Classical machine learning (ai.onnx.ml), as scikit-learn's converter writes it ---- */

/* (x - offset) * scale */
static int do_scaler(struct import *m)
{
    struct tensor offset = {0}, scale = {0};
    const struct value *x = runtime(m, 0);
    int status = -1;
    if (x && !attr_tensor(&m->call, "offset", &offset) && !attr_tensor(&m->call, "scale", &scale)) {
        status = offset.data ? affine_with(m, x, &offset, false, negated, 1)
                             : result(m, x->layer, &x->view);
        if (!status && scale.data)
            status = affine_with(m, find_value(m, m->call.node->output[0]), &scale, true, same, 1);
    }
    tensor_free(&offset);
    tensor_free(&scale);
    return status;
}

/* Probabilities as a map from class to number: the classes are the labels. */
static int do_zipmap(struct import *m)
{
    struct tensor classes;
    char text[1024] = "";
    size_t used = 0;
    if (attr_tensor(&m->call, "classlabels_int64s", &classes))
        return -1;
    for (long i = 0; i < classes.count && used < sizeof text - 32; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.0f", i ? " " : "",
                                 classes.data[i]);
    tensor_free(&classes);
    if (used && net_set_meta(m->net, "labels", text, m->call.e))
        return call_fail(&m->call, "out of memory");
    return do_identity(m);
}

/* ---- Quantization ---- */

static int read_scale(struct import *m, double *scale, double *zero, int *type)
{
    const struct tensor *s = constant(m, 1), *z = is_given(m, 2) ? constant(m, 2) : NULL;
    if (!s || m->call.failed)
        return -1;
    if (s->count != 1 || (z && z->count != 1))
        return call_fail(&m->call, "one scale and zero point for all values is run, not %ld",
                         s->count);
    *scale = s->data[0];
    *zero = z ? z->data[0] : 0;
    *type = z ? z->type : UINT8_TYPE;
    if (!isfinite((float)*scale) || !((float)*scale > 0))
        return call_fail(&m->call, "a scale of %g", *scale);
    return 0;
}

static int do_quantize(struct import *m)
{
    const struct value *x = runtime(m, 0);
    double scale, zero, low, high;
    int type;
    if (!x || read_scale(m, &scale, &zero, &type))
        return -1;
    if (type != UINT8_TYPE && type != INT8_TYPE)
        return call_fail(&m->call, "only quantization to 8 bits is run");
    type_range(type, &low, &high);
    struct layer *l = new_layer(m, OP_QUANTIZE, x->layer);
    if (!l)
        return -1;
    l->alpha = (float)scale;
    l->low = (float)(low - zero);
    l->high = (float)(high - zero);
    if (result(m, finish_layer(m), &x->view))
        return -1;
    struct value *y = find_value(m, m->call.node->output[0]);
    y->quantized = true;
    y->scale = scale;
    y->zero = zero;
    return 0;
}

/* Of what was quantized with the same numbers, or of pixels. */
static int do_dequantize(struct import *m)
{
    const struct value *x = any_runtime(m);
    double scale, zero;
    int type;
    if (!x || read_scale(m, &scale, &zero, &type))
        return -1;
    if (x->quantized) {
        if ((float)scale != (float)x->scale || zero != x->zero)
            return call_fail(&m->call, "not the scale that the value was quantized with");
        if (same_layer(m, x, &x->view))
            return -1;
        find_value(m, m->call.node->output[0])->quantized = false;
        return 0;
    }
    if (!x->integer)
        return call_fail(&m->call, "the input was not quantized");
    int from = spatial(m, x);
    if (from < 0)
        return -1;
    long count = out_of(m, from).c;
    float *s = new_floats(m, count), *shift = new_floats(m, count);
    for (long i = 0; s && shift && i < count; i++) {
        s[i] = (float)scale;
        shift[i] = (float)(-zero * scale);
    }
    return result(m, add_affine(m, from, s, shift), &x->view);
}

/* ---- The graph ---- */

static const struct {
    const char *type;
    int (*run)(struct import *m);
} operators[] = {
    {"Add", do_add},
    {"AveragePool", do_avgpool},
    {"BatchNormalization", do_batchnorm},
    {"Cast", do_cast},
    {"Clip", do_clip},
    {"Conv", do_conv},
    {"DequantizeLinear", do_dequantize},
    {"Div", do_div},
    {"Dropout", do_dropout},
    {"Flatten", do_flatten},
    {"Gemm", do_gemm},
    {"GlobalAveragePool", do_global_average},
    {"GlobalMaxPool", do_global_max},
    {"Identity", do_identity},
    {"LeakyRelu", do_leakyrelu},
    {"LogSoftmax", do_softmax},
    {"MatMul", do_matmul},
    {"MaxPool", do_maxpool},
    {"Mul", do_mul},
    {"Pad", do_pad},
    {"QuantizeLinear", do_quantize},
    {"Reciprocal", do_reciprocal},
    {"ReduceMean", do_reduce_mean},
    {"Relu", do_relu},
    {"Reshape", do_reshape},
    {"Shape", do_shape},
    {"Scaler", do_scaler},
    {"Sigmoid", do_sigmoid},
    {"Softmax", do_softmax},
    {"Sqrt", do_sqrt},
    {"Squeeze", do_squeeze},
    {"Sub", do_sub},
    {"Tanh", do_tanh},
    {"Transpose", do_transpose},
    {"Unsqueeze", do_unsqueeze},
    {"ZipMap", do_zipmap},
};

static int find_operator(const char *type)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (!strcmp(operators[i].type, type))
            return (int)i;
    return -1;
}

static bool is_known(const Onnx__NodeProto *node)
{
    const char *domain = node->domain ? node->domain : "", *type = node->op_type;
    if (!type || (find_operator(type) < 0 && !can_fold(type)))
        return false;
    bool classical = !strcmp(type, "Scaler") || !strcmp(type, "ZipMap");
    return classical ? !strcmp(domain, "ai.onnx.ml") : !domain[0] || !strcmp(domain, "ai.onnx");
}

static bool is_needed(struct import *m, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_output; i++) {
        const struct value *y = find_value(m, node->output[i]);
        if (y && y->needed)
            return true;
    }
    return false;
}

/* Mark what the output is made of. Nodes stand in order, so that one pass from the end does. */
static void mark_needed(struct import *m, struct value *output)
{
    output->needed = true;
    for (size_t n = m->graph->n_node; n-- > 0;) {
        const Onnx__NodeProto *node = m->graph->node[n];
        if (!is_needed(m, node))
            continue;
        for (size_t i = 0; i < node->n_input; i++) {
            struct value *x = find_value(m, node->input[i]);
            if (x)
                x->needed = true;
        }
    }
}

/* One message that lists every operator that cannot be run. */
static int check_operators(struct import *m)
{
    char list[230] = "";
    size_t used = 0;
    int more = 0;
    for (size_t n = 0; n < m->graph->n_node; n++) {
        const Onnx__NodeProto *node = m->graph->node[n];
        if (!is_needed(m, node) || is_known(node))
            continue;
        char one[128];
        int len = snprintf(one, sizeof one, "%s%.40s (node '%.40s')", used ? ", " : "",
                           node->op_type ? node->op_type : "?", node->name ? node->name : "");
        if (used + (size_t)len < sizeof list) {
            memcpy(list + used, one, (size_t)len + 1);
            used += (size_t)len;
        } else {
            more++;
        }
    }
    char rest[32] = "";
    if (more)
        snprintf(rest, sizeof rest, " and %d more", more);
    return used || more ? err_set(m->call.e, "operators that are not run: %s%s", list, rest) : 0;
}

/* Read initializers and gather the node's constant inputs. Returns how many inputs are runtime, or
 * -1. */
static int gather_inputs(struct import *m)
{
    const Onnx__NodeProto *node = m->call.node;
    int count = 0;
    for (size_t i = 0; i < node->n_input; i++) {
        struct value *x = input(m, i);
        m->call.in[i] = NULL;
        if (!node->input[i] || !node->input[i][0])
            continue;
        if (!x || x->kind == NOTHING)
            return call_fail(&m->call, "it reads '%.60s', which nothing before it makes",
                             node->input[i]);
        if (x->kind == INITIALIZER) {
            if (tensor_read(&m->call, x->initializer, &x->tensor))
                return -1;
            x->kind = CONSTANT;
        }
        if (x->kind == CONSTANT)
            m->call.in[i] = &x->tensor;
        else
            count++;
    }
    return count;
}

static int fold_node(struct import *m)
{
    struct value *y = find_value(m, m->call.node->output[0]);
    m->call.out = &y->tensor;
    int status = fold(&m->call);
    if (status == 1)
        return call_fail(&m->call, "its inputs are all constant");
    y->kind = CONSTANT;
    return status;
}

static int run_node(struct import *m, const Onnx__NodeProto *node)
{
    struct call *c = &m->call;
    c->node = node;
    c->in = calloc(node->n_input + 1, sizeof *c->in);
    int status = -1;
    if (!c->in) {
        call_fail(c, "out of memory");
    } else if (node->n_output < 1 || !node->output[0] || !node->output[0][0]) {
        call_fail(c, "no output");
    } else {
        int count = gather_inputs(m), i = find_operator(node->op_type);
        if (count == 0)
            status = fold_node(m);
        else if (count > 0 && i < 0)
            call_fail(c, "it is run on constants only");
        else if (count > 0)
            status = operators[i].run(m);
    }
    free(c->in);
    c->in = NULL;
    c->node = NULL;
    return status || c->failed ? -1 : 0;
}

/* ---- Input and output ---- */

static struct value *add_value(struct import *m, const char *name, enum kind kind)
{
    struct value *v = &m->value[m->values++];
    *v = (struct value){.name = name ? name : "", .kind = kind};
    return v;
}

/* A table of all the names in the graph. An input that is an initializer too is a constant. */
static int name_values(struct import *m)
{
    const Onnx__GraphProto *g = m->graph;
    size_t count = g->n_initializer + g->n_input;
    for (size_t n = 0; n < g->n_node; n++)
        count += g->node[n]->n_output;
    m->value = calloc(count + 1, sizeof *m->value);
    if (!m->value)
        return err_set(m->call.e, "out of memory");
    for (size_t i = 0; i < g->n_initializer; i++)
        add_value(m, g->initializer[i]->name, INITIALIZER)->initializer = g->initializer[i];
    qsort(m->value, m->values, sizeof *m->value, compare_values);
    size_t initializers = m->values;
    for (size_t i = 0; i < g->n_input; i++) {
        struct value key = {.name = g->input[i]->name ? g->input[i]->name : ""};
        if (!bsearch(&key, m->value, initializers, sizeof key, compare_values))
            add_value(m, g->input[i]->name, NOTHING);
    }
    for (size_t n = 0; n < g->n_node; n++)
        for (size_t i = 0; i < g->node[n]->n_output; i++)
            if (g->node[n]->output[i] && g->node[n]->output[i][0])
                add_value(m, g->node[n]->output[i], NOTHING);
    qsort(m->value, m->values, sizeof *m->value, compare_values);
    for (size_t i = 1; i < m->values; i++)
        if (!strcmp(m->value[i - 1].name, m->value[i].name))
            return err_set(m->call.e, "two things are named '%.60s'", m->value[i].name);
    return 0;
}

static int read_dims(const Onnx__TypeProto__Tensor *type, struct dims *dims, bool *open,
                     struct err *e)
{
    const Onnx__TensorShapeProto *shape = type->shape;
    *open = true;
    if (!shape || shape->n_dim < 1 || shape->n_dim > 4)
        return err_set(e, "the input must have 1 to 4 dimensions");
    dims->rank = (int)shape->n_dim;
    for (int i = 0; i < dims->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[i];
        bool known = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
                     d->dim_value > 0;
        if (i > 0 && !known)
            return err_set(e, "the input's dimension %d is open: export with a fixed size", i);
        if (known && d->dim_value > NET_MAX_DIM)
            return err_set(e, "the input's dimension %d is %lld", i, (long long)d->dim_value);
        dims->dim[i] = known ? (long)d->dim_value : 1;
        if (i == 0)
            *open = !known;
    }
    return 0;
}

/* The picture in an input of these dims: [N][C][H][W], [N][H][W][C] when that has the look of it,
 * [N][H][W] or [N][pixels], of a square where they make one. */
static struct view input_view(const struct import *m, const struct dims *dims, struct shape *s)
{
    const long *d = dims->dim;
    if (dims->rank == 4) {
        bool nhwc = d[3] <= 4 && d[1] > 4;
        *s = nhwc ? (struct shape){(int)d[3], (int)d[1], (int)d[2]}
                  : (struct shape){(int)d[1], (int)d[2], (int)d[3]};
        struct view v = view_nchw(m, *s);
        if (nhwc) {
            v.dims = *dims;
            const int order[] = {AXIS_H, AXIS_W, AXIS_C}, at[] = {3, 1, 2};
            memcpy(v.order, order, sizeof order);
            memcpy(v.at, at, sizeof at);
        }
        return v;
    }
    int first = dims->rank == 1 ? 0 : 1;
    if (dims->rank == 3) {
        *s = (struct shape){1, (int)d[1], (int)d[2]};
    } else {
        int side = (int)lround(sqrt((double)d[first]));
        *s = (long)side * side == d[first] ? (struct shape){1, side, side}
                                           : (struct shape){1, 1, (int)d[first]};
    }
    struct view v = {.dims = *dims, .batch = first ? 0 : -1};
    natural_order(&v, *s);
    place_axes(&v, first);
    return v;
}

static int add_input(struct import *m)
{
    const Onnx__ValueInfoProto *info = NULL;
    struct err *e = m->call.e;
    for (size_t i = 0; i < m->graph->n_input; i++) {
        const struct value *v = find_value(m, m->graph->input[i]->name);
        if (v->kind != NOTHING || !v->needed)
            continue;
        if (info)
            return err_set(e, "two inputs: '%.60s' and '%.60s'", info->name, v->name);
        info = m->graph->input[i];
    }
    if (!info)
        return err_set(e, "no input that the output depends on");
    if (!info->type || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
        !info->type->tensor_type)
        return err_set(e, "the input must be a tensor");
    const Onnx__TypeProto__Tensor *type = info->type->tensor_type;
    struct dims dims;
    bool open;
    double low, high;
    if (read_dims(type, &dims, &open, e))
        return -1;
    bool integer = type_range(type->elem_type, &low, &high);
    if (!integer && !type_is_float(type->elem_type))
        return err_set(e, "the input must be numbers");
    m->batch = dims.rank == 1 ? 1 : dims.dim[0];
    m->one_image = dims.rank == 1 || (!open && dims.dim[0] == 1);
    struct value *v = find_value(m, info->name);
    v->kind = RUNTIME;
    v->integer = integer;
    struct layer *l = new_layer(m, OP_INPUT, -1);
    v->view = input_view(m, &dims, &l->out);
    v->layer = finish_layer(m);
    if (v->layer == 0 && type->elem_type == UINT8_TYPE)
        return net_set_meta(m->net, "input_scale", "1", e);
    return v->layer < 0 ? -1 : 0;
}

static void free_layer(struct layer *l)
{
    float *owned[] = {l->weight, l->bias, l->scale, l->shift, l->mean, l->var};
    for (size_t j = 0; j < sizeof owned / sizeof *owned; j++)
        free(owned[j]);
    l->weight = l->bias = l->scale = l->shift = l->mean = l->var = NULL;
}

/* The net's last layer is the output: [N][K]. */
static int set_output(struct import *m, const struct value *y)
{
    struct net *net = m->net;
    struct err *e = m->call.e;
    if (y->kind != RUNTIME)
        return err_set(e, "the output '%.60s' does not depend on the image", y->name);
    if (y->integer || y->quantized)
        return err_set(e, "the output '%.60s' is whole numbers", y->name);
    if (!is_linear(&y->view))
        return err_set(e, "the output '%.60s' is not a list of values an image", y->name);
    int last = y->layer;
    if (last == 0)
        return err_set(e, "the model does nothing");
    if (!is_flat(out_of(m, last)))
        last = add_layer(m, OP_FLATTEN, last);
    if (last < 0)
        return -1;
    for (int i = last + 1; i < net->layers; i++)
        free_layer(&net->layer[i]);
    net->layers = last + 1;
    return 0;
}

/* ---- Tidying ---- */

/* How many layers that the output needs read each layer. */
static void count_readers(const struct net *net, int *readers)
{
    memset(readers, 0, MAX_LAYERS * sizeof *readers);
    readers[net->layers - 1] = 1;
    for (int i = net->layers - 1; i > 0; i--)
        for (int j = 0; readers[i] && j < op_inputs(net->layer[i].op); j++)
            readers[net->layer[i].in[j]]++;
}

/* Scale and shift by constants go into the weights of the layer before. */
static int fold_affine(struct import *m, int i)
{
    struct layer *affine = &m->net->layer[i], *l = &m->net->layer[affine->in[0]];
    long each = net_weight_count(m->net, affine->in[0]) / l->out.c;
    if (!l->bias && !(l->bias = new_floats(m, l->out.c)))
        return -1;
    for (long k = 0; k < l->out.c; k++) {
        for (long j = k * each; j < (k + 1) * each; j++)
            l->weight[j] *= affine->scale[k];
        l->bias[k] = affine->scale[k] * l->bias[k] + affine->shift[k];
    }
    free_layer(affine);
    affine->op = OP_DROPOUT; /* does nothing: dropped below */
    return 0;
}

static bool can_fold_affine(const struct import *m, const int *readers, int i)
{
    const struct layer *l = &m->net->layer[i];
    if (!m->affine[i] || !readers[i])
        return false;
    const struct layer *from = &m->net->layer[l->in[0]];
    return (from->op == OP_CONV || from->op == OP_DENSE) && readers[l->in[0]] == 1;
}

/* Fold constants into weights, drop what nothing reads, number the rest anew. */
static int tidy(struct import *m)
{
    struct net *net = m->net;
    int *readers = calloc(2 * MAX_LAYERS, sizeof *readers), *moved = readers + MAX_LAYERS;
    int kept = 0, status = 0;
    if (!readers)
        return err_set(m->call.e, "out of memory");
    count_readers(net, readers);
    for (int i = 1; i < net->layers && !status; i++)
        if (can_fold_affine(m, readers, i))
            status = fold_affine(m, i);
    for (int i = 0; i < net->layers; i++) {
        struct layer l = net->layer[i];
        for (int j = 0; j < op_inputs(l.op); j++)
            l.in[j] = moved[l.in[j]];
        moved[i] = kept;
        if (l.op == OP_DROPOUT) {
            moved[i] = l.in[0];
        } else if (readers[i]) {
            net->layer[i] = (struct layer){0};
            net->layer[kept++] = l;
        } else {
            free_layer(&net->layer[i]);
        }
    }
    net->layers = kept;
    free(readers);
    return status;
}

static int check_finite(const struct net *net, struct err *e)
{
    for (int i = 0; i < net->layers; i++) {
        const struct layer *l = &net->layer[i];
        const float *arrays[] = {l->weight, l->bias, l->scale, l->shift, l->mean, l->var};
        for (size_t j = 0; j < sizeof arrays / sizeof *arrays; j++) {
            long count = j ? net_channels(net, i) : net_weight_count(net, i);
            for (long k = 0; arrays[j] && k < count; k++)
                if (!isfinite(arrays[j][k]))
                    return err_set(e, "node '%.60s': a weight that is not a number", l->name);
        }
        for (long k = 0; l->op == OP_BATCHNORM && k < l->out.c; k++)
            if (!(l->var[k] + l->epsilon > 0))
                return err_set(e, "node '%.60s': a variance of %g", l->name, l->var[k]);
    }
    return 0;
}

static int import_graph(struct import *m, const char *output)
{
    struct err *e = m->call.e;
    m->net = calloc(1, sizeof *m->net);
    m->affine = calloc(MAX_LAYERS, sizeof *m->affine);
    if (!m->net || !m->affine || !(m->net->layer = calloc(MAX_LAYERS, sizeof *m->net->layer)))
        return err_set(e, "out of memory");
    if (name_values(m))
        return -1;
    struct value *y = find_value(m, output);
    if (!y)
        return err_set(e, "nothing makes the output '%.60s'", output ? output : "");
    mark_needed(m, y);
    if (check_operators(m) || add_input(m))
        return -1;
    for (size_t n = 0; n < m->graph->n_node; n++)
        if (is_needed(m, m->graph->node[n]) && run_node(m, m->graph->node[n]))
            return -1;
    if (set_output(m, y) || tidy(m) || net_infer_shapes(m->net, e))
        return -1;
    return check_finite(m->net, e);
}

/* The net that makes one of the graph's outputs. */
static struct net *import_output(const Onnx__GraphProto *graph, long opset, size_t file_size,
                                 const char *output, struct err *e)
{
    struct import m = {.graph = graph,
                       .constants = COPIES * (long)file_size + SPARE_CONSTANTS,
                       .weights = COPIES * (long)file_size + SPARE_WEIGHTS};
    m.call = (struct call){.opset = opset, .budget = &m.constants, .e = e};
    int status = import_graph(&m, output);
    for (size_t i = 0; i < m.values; i++)
        tensor_free(&m.value[i].tensor);
    free(m.value);
    free(m.affine);
    if (!status)
        return m.net;
    net_free(m.net);
    return NULL;
}

/* ---- The file ---- */

static int read_opset(const Onnx__ModelProto *model, long *opset, struct err *e)
{
    *opset = 0;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const char *domain = model->opset_import[i]->domain;
        if (!domain || !domain[0] || !strcmp(domain, "ai.onnx"))
            *opset = (long)model->opset_import[i]->version;
    }
    if (*opset < OPSET_OLDEST || *opset > OPSET_NEWEST)
        return err_set(e, "operators of version (opset) %ld: %d to %d are read", *opset,
                       OPSET_OLDEST, OPSET_NEWEST);
    return 0;
}

static int read_metas(const Onnx__ModelProto *model, struct net *net, struct err *e)
{
    if (model->n_metadata_props > MAX_METAS)
        return err_set(e, "more than %d entries of metadata", MAX_METAS);
    for (size_t i = 0; i < model->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *p = model->metadata_props[i];
        if (p->key && p->value && net_set_meta(net, p->key, p->value, e))
            return -1;
    }
    return 0;
}

/* Classifiers give the class as well as its probability: an output of whole numbers or text is not
 * the one to run. */
static bool is_answer(const Onnx__ValueInfoProto *output)
{
    double low, high;
    const Onnx__TypeProto *type = output->type;
    if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !type->tensor_type)
        return true;
    int kind = type->tensor_type->elem_type;
    return kind != ONNX__TENSOR_PROTO__DATA_TYPE__STRING && !type_range(kind, &low, &high);
}

/* The first output that can be made; where none can, why the first cannot. */
static struct net *import_model(const Onnx__ModelProto *model, size_t file_size, struct err *e)
{
    long opset;
    if (!model->graph || model->graph->n_output < 1) {
        err_set(e, "not an ONNX model: no graph with an output");
        return NULL;
    }
    if (read_opset(model, &opset, e))
        return NULL;
    struct net *net = NULL;
    struct err first = ERR_NONE;
    for (size_t i = 0; i < model->graph->n_output && i < 8 && !net; i++) {
        struct err why = ERR_NONE;
        const Onnx__ValueInfoProto *output = model->graph->output[i];
        if (model->graph->n_output > 1 && !is_answer(output))
            continue;
        net = import_output(model->graph, opset, file_size, output->name, &why);
        if (!net && !first.what[0])
            first = why;
    }
    if (!net) {
        err_set(e, "%s", first.what[0] ? first.what : "no output is numbers");
        return NULL;
    }
    if (read_metas(model, net, e)) {
        net_free(net);
        return NULL;
    }
    return net;
}

struct net *onnx_parse(const uint8_t *bytes, size_t len, struct err *e)
{
    if (onnx_check_wire(bytes, len, e))
        return NULL;
    Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, len, bytes);
    if (!model) {
        err_set(e, "not an ONNX model, or a damaged one");
        return NULL;
    }
    struct net *net = import_model(model, len, e);
    onnx__model_proto__free_unpacked(model, NULL);
    return net;
}

struct net *onnx_load(const char *name, struct err *e)
{
    uint8_t *bytes;
    size_t len;
    if (file_load(name, ONNX_MAX_FILE, &bytes, &len, e))
        return NULL;
    struct net *net = onnx_parse(bytes, len, e);
    free(bytes);
    if (!net)
        err_at(e, name, -1);
    return net;
}
