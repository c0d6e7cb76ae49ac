/* Matrix products with weights, and classifiers.
 *   in   a Gemm, MatMul, Softmax node; scikit-learn's LinearClassifier and Normalizer
 *   out  a dense layer, or a 1x1 convolution for a product along the channels; softmax */
#include "import.h"


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

/* Set the view of a dense layer's output: that of x with one dimension replaced. */
static int dense_view(struct import *m, const struct value *x, struct view *view)
{
    int layer = import_finish(m);
    if (layer < 0)
        return -1;
    *view = view_flat(m, import_shape(m, layer));
    if (x->view.batch < 0) {
        view->batch = -1;
        view->dims = x->view.dims;
        view->dims.dim[view->dims.rank - 1] = import_shape(m, layer).c;
        view->at[0] = view->dims.rank - 1;
    }
    return layer;
}

/* Append the product along the channels at each pixel: a convolution with a 1x1 kernel. */
static int pointwise(struct import *m, const struct value *x, const struct tensor *w, bool transposed, float factor,
                     struct view *view)
{
    int last = x->view.dims.rank - 1, from = view_spatial(m, x);
    struct layer *l = from < 0 ? NULL : import_new_layer(m, OP_CONV, from);
    long c = w->dims.dim[transposed], k = w->dims.dim[!transposed];
    if (!l)
        return -1;
    if (x->view.at[AXIS_C] != last || x->view.size[AXIS_C] != x->view.dims.dim[last] ||
        x->view.size[AXIS_C] != c || k < 1 || k > NET_MAX_DIM)
        return call_fail(&m->call, "only a product along the channels is run");
    if (!(l->weight = import_floats(m, w->count)))
        return -1;
    l->out.c = (int)k;
    for (long i = 0; i < w->count; i++)
        l->weight[i] = factor * (float)tensor_at(w, transposed ? i : i % c * k + i / c);
    *view = x->view;
    view->size[AXIS_C] = view->dims.dim[last] = k;
    return import_steps(m, l, w, !transposed, factor);
}

int add_product(struct import *m, const struct value *x, const struct tensor *w, bool transposed, float factor,
                const struct tensor *b, float b_factor, struct view *view)
{
    const struct dims *d = &x->view.dims;
    if (w->dims.rank != 2 || d->rank < 1)
        return call_fail(&m->call, "only a product with a matrix of weights is run");
    long inputs = x->view.size[0] * x->view.size[1] * x->view.size[2];
    if (d->dim[d->rank - 1] != inputs) {
        if (pointwise(m, x, w, transposed, factor, view))
            return -1;
        struct layer *conv = &m->net->layer[m->net->layers - 1];
        return import_bias(m, conv, b, b_factor) ? -1 : import_finish(m);
    }
    if (x->view.batch > 0 || (x->view.batch == 0 && d->rank != 2))
        return call_fail(&m->call, "the images must be the rows");
    struct layer *l = add_dense(m, x, w, transposed, factor);
    return !l || import_bias(m, l, b, b_factor) ? -1 : dense_view(m, x, view);
}

int do_gemm(struct import *m)
{
    struct call *c = &m->call;
    const struct value *x = import_runtime(m, 0);
    const struct tensor *w = import_constant(m, 1), *b = import_optional(m, 2);
    struct view view;
    if (!x || !w || c->failed)
        return -1;
    if (w->dims.rank != 2 || x->view.dims.rank != 2 || attr_int(c, "transA", 0))
        return call_fail(c, "only rows of images times a matrix of weights is run");
    if (x->view.batch != 0 && !(x->view.batch < 0 && x->view.dims.dim[0] == 1))
        return call_fail(c, "the images must be the rows");
    int layer = add_product(m, x, w, attr_int(c, "transB", 0) != 0, attr_float(c, "alpha", 1), b,
                            attr_float(c, "beta", 1), &view);
    return import_result(m, layer, &view);
}

int do_matmul(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    const struct tensor *w = import_constant(m, 1);
    struct view view;
    return x && w ? import_result(m, add_product(m, x, w, false, 1, NULL, 0, &view), &view) : -1;
}

int do_softmax(struct import *m)
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

/* ---- Classifiers of scikit-learn ---- */

/* Append softmax or a sigmoid as attribute post_transform has it. */
static int transform(struct import *m, int layer)
{
    if (layer < 0 || attr_is(&m->call, "post_transform", "NONE", true))
        return layer;
    if (attr_is(&m->call, "post_transform", "SOFTMAX", false))
        return import_add(m, OP_SOFTMAX, layer);
    if (attr_is(&m->call, "post_transform", "LOGISTIC", false))
        return import_function(m, layer, FUNCTION_SIGMOID, 0);
    return call_fail(&m->call, "a post_transform that is not run");
}

/* Output 0, the class itself, is left out; output 1 has a score a class. */
int do_linear_classifier(struct import *m)
{
    struct tensor w = {0}, b = {0};
    struct view view;
    const struct value *x = import_runtime(m, 0);
    int status = -1;
    if (x && !attr_tensor(&m->call, "coefficients", &w) && !attr_tensor(&m->call, "intercepts", &b)) {
        long inputs = x->view.size[0] * x->view.size[1] * x->view.size[2];
        w.dims = (struct dims){2, {w.count / inputs, inputs}};
        if (w.count != w.dims.dim[0] * inputs || w.dims.dim[0] < 2)
            call_fail(&m->call, "%ld coefficients for %ld inputs and at least 2 classes", w.count, inputs);
        else
            status = add_product(m, x, &w, true, 1, b.data ? &b : NULL, 1, &view);
        status = import_output(m, 1, transform(m, status), &view);
    }
    tensor_free(&w);
    tensor_free(&b);
    return status || import_labels(m, "classlabels_strings", "classlabels_ints") ? -1 : 0;
}

/* Normalizer of probabilities to a sum of 1. Those of a sigmoid: p / sum(p) = softmax(log(p)). */
int do_normalizer(struct import *m)
{
    const struct value *x = import_any(m, 0);
    if (!x)
        return -1;
    const struct layer *l = &m->net->layer[x->layer];
    bool sigmoid = l->op == OP_POINTWISE && l->function == FUNCTION_SIGMOID;
    if (!attr_is(&m->call, "norm", "L1", false) || (l->op != OP_SOFTMAX && !sigmoid) || !is_flat(l->out))
        return call_fail(&m->call, "only probabilities are normalized, to a sum of 1 (L1)");
    if (l->op == OP_SOFTMAX)
        return import_same(m, x, &x->view);
    return import_result(m, import_add(m, OP_SOFTMAX, import_function(m, x->layer, FUNCTION_LOG, 0)), &x->view);
}
