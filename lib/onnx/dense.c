/* Matrix products with weights, and activation functions.
 *   in   a Gemm, MatMul, or element-wise node
 *   out  a dense layer, or a 1x1 convolution for a product along the channels; a layer of the function */
#include "import.h"

#include <math.h>

/* ---- Dense layers ---- */

/* Copy `count` weights of w, `step` apart, times factor, to `to`. Returns the end of the copy. */
static float *copy_weights(const struct tensor *w, long from, long step, long count, float factor,
                           float *to)
{
    for (long i = 0; i < count; i++)
        *to++ = factor * (float)tensor_at(w, from + i * step);
    return to;
}

/* Append y[k] = factor * sum over f of x[f] * w[f][k], f being in the order of the ONNX tensor x. */
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
    struct view flat = *v; /* the elements of an image as one dimension */
    flat.dims = (struct dims){2, {m->batch, inputs}};
    flat.batch = 0;
    flat.at[0] = flat.at[1] = flat.at[2] = 1;
    struct layer *l = import_new_layer(m, OP_DENSE, x->layer);
    if (!l || view_strides(m, &flat, &like, stride) || !(l->weight = import_floats(m, w->count)))
        return NULL;
    l->out.c = (int)outputs;
    if (import_steps(m, l, w, !transposed, factor))
        return NULL;
    long step = transposed ? 1 : outputs, next = transposed ? inputs : 1;
    float *to = l->weight;
    for (long k = 0; k < outputs; k++) {
        if (view_is_linear(v)) {
            to = copy_weights(w, k * next, step, inputs, factor, to);
            continue;
        }
        for (long c = 0; c < v->size[0]; c++)
            for (long h = 0; h < v->size[1]; h++) {
                long f = c * stride[0] + h * stride[1];
                to = copy_weights(w, k * next + f * step, stride[2] * step, v->size[2], factor, to);
            }
    }
    return l;
}

/* Make the dense layer just appended the node's result, seen through x's view with one dimension replaced. */
static int dense_result(struct import *m, const struct value *x)
{
    int layer = import_finish(m);
    if (layer < 0)
        return -1;
    struct view view = view_flat(m, import_shape(m, layer));
    if (x->view.batch < 0) {
        view.batch = -1;
        view.dims = x->view.dims;
        view.dims.dim[view.dims.rank - 1] = import_shape(m, layer).c;
        view.at[0] = view.dims.rank - 1;
    }
    return import_result(m, layer, &view);
}

static int do_gemm(struct import *m)
{
    struct call *c = &m->call;
    const struct value *x = import_runtime(m, 0);
    const struct tensor *w = import_constant(m, 1);
    if (!x || !w)
        return -1;
    if (w->dims.rank != 2 || x->view.dims.rank != 2 || attr_int(c, "transA", 0))
        return call_fail(c, "only rows of images times a matrix of weights is run");
    if (x->view.batch != 0 && !(x->view.batch < 0 && x->view.dims.dim[0] == 1))
        return call_fail(c, "the images must be the rows");
    struct layer *l = add_dense(m, x, w, attr_int(c, "transB", 0) != 0, attr_float(c, "alpha", 1));
    if (!l || import_bias(m, l, 2, attr_float(c, "beta", 1)))
        return -1;
    return dense_result(m, x);
}

/* Append the product along the channels at each pixel: a convolution with a 1x1 kernel. */
static int pointwise(struct import *m, const struct value *x, const struct tensor *w)
{
    int last = x->view.dims.rank - 1, from = view_spatial(m, x);
    struct layer *l = from < 0 ? NULL : import_new_layer(m, OP_CONV, from);
    long c = w->dims.dim[0], k = w->dims.dim[1];
    if (!l)
        return -1;
    if (x->view.at[AXIS_C] != last || x->view.size[AXIS_C] != x->view.dims.dim[last] ||
        x->view.size[AXIS_C] != c || k < 1 || k > NET_MAX_DIM)
        return call_fail(&m->call, "only a product along the channels is run");
    if (!(l->weight = import_floats(m, w->count)))
        return -1;
    l->out.c = (int)k;
    for (long i = 0; i < w->count; i++)
        l->weight[i] = (float)tensor_at(w, i % c * k + i / c);
    if (import_steps(m, l, w, 1, 1))
        return -1;
    int layer = import_finish(m);
    struct view view = x->view;
    view.size[AXIS_C] = view.dims.dim[last] = k;
    return import_result(m, layer, &view);
}

static int do_matmul(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    const struct tensor *w = import_constant(m, 1);
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
    const struct value *x = import_runtime(m, 0);
    return x ? import_result(m, import_add(m, op, x->layer), &x->view) : -1;
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
    const struct value *x = import_runtime(m, 0);
    struct layer *l = x ? import_new_layer(m, OP_LEAKYRELU, x->layer) : NULL;
    if (!l)
        return -1;
    l->alpha = attr_float(&m->call, "alpha", .01f);
    return import_result(m, import_finish(m), &x->view);
}

static int do_clip(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    struct layer *l = x ? import_new_layer(m, OP_CLIP, x->layer) : NULL;
    if (!l)
        return -1;
    l->low = (float)operand_number(&m->call, 1, attr_float(&m->call, "min", -INFINITY));
    l->high = (float)operand_number(&m->call, 2, attr_float(&m->call, "max", INFINITY));
    if (l->low == 0 && l->high == INFINITY)
        l->op = OP_RELU;
    return import_result(m, import_finish(m), &x->view);
}

static int do_softmax(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
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
    int from = is_flat(import_shape(m, x->layer)) ? x->layer : import_add(m, OP_FLATTEN, x->layer);
    return from < 0 ? -1 : import_result(m, import_add(m, OP_SOFTMAX, from), &x->view);
}

const struct operator dense_operators[] = {
    {"Clip", do_clip},          {"Gemm", do_gemm},       {"LeakyRelu", do_leakyrelu},
    {"LogSoftmax", do_softmax}, {"MatMul", do_matmul},   {"Reciprocal", do_reciprocal},
    {"Relu", do_relu},          {"Sigmoid", do_sigmoid}, {"Softmax", do_softmax},
    {"Sqrt", do_sqrt},          {"Tanh", do_tanh},       {NULL, NULL},
};
