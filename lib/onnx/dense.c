/* Matrix products with weights, and classifiers.
 *   in   a Gemm, MatMul, Softmax node; scikit-learn's LinearClassifier and Normalizer
 *   out  a dense layer, or a 1x1 convolution for a product along the channels; softmax */
#include "import.h"

/* ---- Dense layers ---- */

/* Append y[k] = factor * sum over f of x[f] * w[f][k], f being in the order of the ONNX tensor y; a convolution:
 * of the channels alone. It is to be finished. */
static struct layer *add_weights(struct import *m, enum op op, int from, const struct view *v, const struct tensor *w,
                                 bool transposed, float factor)
{
    long inputs = view_count(v), outputs = w->dims.dim[!transposed], stride[3];
    struct view flat = *v; /* the elements of an image as one dimension */
    flat.dims = (struct dims){2, {m->batch, inputs}};
    flat.batch = 0;
    flat.at[0] = flat.at[1] = flat.at[2] = 1;
    struct layer *l = import_new_layer(m, op, from);
    if (!l || view_strides(m, &flat, &(struct dims){2, {1, inputs}}, stride) ||
        !(l->weight = import_filled(m, w->count, 0)))
        return NULL;
    l->out.c = (int)outputs;
    float *to = l->weight;
    for (long k = 0; k < outputs; k++)
        for (long c = 0; c < v->size[0]; c++)
            for (long y = 0; y < v->size[1]; y++)
                for (long x = 0; x < v->size[2]; x++) {
                    long f = c * stride[0] + y * stride[1] + x * stride[2];
                    *to++ = factor * (float)tensor_at(w, transposed ? k * inputs + f : f * outputs + k);
                }
    return import_steps(m, l, w, !transposed, factor) ? NULL : l;
}

/* Append a dense layer, and make y's view that of its output: y's with one dimension replaced. */
static struct layer *add_dense(struct import *m, struct value *y, const struct tensor *w, bool transposed,
                               float factor)
{
    const struct view x = y->view;
    long inputs = view_count(&x), outputs = w->dims.dim[!transposed];
    if (w->dims.dim[transposed] != inputs || outputs < 1 || outputs > NET_MAX_DIM) {
        node_fail(m, "weights of %ldx%ld for %ld inputs", w->dims.dim[0], w->dims.dim[1], inputs);
        return NULL;
    }
    y->view = view_flat(m, (struct shape){(int)outputs, 1, 1});
    if (x.batch < 0) {
        y->view.batch = -1;
        y->view.dims = x.dims;
        y->view.dims.dim[x.dims.rank - 1] = outputs;
        y->view.at[0] = x.dims.rank - 1;
    }
    return add_weights(m, OP_DENSE, y->layer, &x, w, transposed, factor);
}

/* Append the product along the channels at each pixel: a convolution with a 1x1 kernel. */
static struct layer *add_pointwise(struct import *m, struct value *y, const struct tensor *w, bool transposed,
                                   float factor)
{
    struct view *v = &y->view;
    int last = v->dims.rank - 1, from = view_spatial(m, y);
    long c = w->dims.dim[transposed], k = w->dims.dim[!transposed];
    if (v->at[AXIS_C] != last || v->size[AXIS_C] != v->dims.dim[last] || v->size[AXIS_C] != c || k < 1 ||
        k > NET_MAX_DIM) {
        node_fail(m, "only a product along the channels is run");
        return NULL;
    }
    const struct view channels = {.size = {c, 1, 1}, .order = {0, 1, 2}};
    v->size[AXIS_C] = v->dims.dim[last] = k;
    return add_weights(m, OP_CONV, from, &channels, w, transposed, factor);
}

int add_product(struct import *m, struct value *y, const struct tensor *w, bool transposed, float factor,
                const struct tensor *b, float b_factor)
{
    const struct dims *d = &y->view.dims;
    if (!w || w->dims.rank != 2 || d->rank < 1)
        return node_fail(m, "only a product with a matrix of weights is run");
    bool whole = d->dim[d->rank - 1] == view_count(&y->view);
    if (whole && (y->view.batch > 0 || (y->view.batch == 0 && d->rank != 2)))
        return node_fail(m, "the images must be the rows");
    struct layer *l = whole ? add_dense(m, y, w, transposed, factor) : add_pointwise(m, y, w, transposed, factor);
    return !l || import_bias(m, l, b, b_factor) ? -1 : import_finish(m);
}

int do_gemm(struct import *m, struct value *y)
{
    const struct view *v = &y->view;
    const struct tensor *w = import_constant(m, 1), *b = import_optional(m, 2);
    if (m->failed)
        return -1;
    if (w->dims.rank != 2 || v->dims.rank != 2 || attr_int(m, "transA", 0))
        return node_fail(m, "only rows of images times a matrix of weights is run");
    if (v->batch != 0 && !(v->batch < 0 && v->dims.dim[0] == 1))
        return node_fail(m, "the images must be the rows");
    return add_product(m, y, w, attr_int(m, "transB", 0) != 0, attr_float(m, "alpha", 1), b, attr_float(m, "beta", 1));
}

int do_matmul(struct import *m, struct value *y)
{
    return add_product(m, y, import_constant(m, 1), false, 1, NULL, 0);
}

int do_softmax(struct import *m, struct value *y)
{
    const struct view *v = &y->view;
    int axis;
    if (node_axis(m, attr_int(m, "axis", m->opset < 13 ? 1 : -1), v->dims.rank, &axis))
        return -1;
    for (int a = 0; a < 3; a++)
        if (v->size[a] > 1 && (m->opset < 13 ? v->at[a] < axis : v->at[a] != axis))
            return node_fail(m, "only softmax over all of an image's values is run");
    if (axis == v->batch)
        return node_fail(m, "softmax over the images is not run");
    int from = is_flat(import_shape(m, y->layer)) ? y->layer : import_add(m, OP_FLATTEN, y->layer);
    return import_add(m, OP_SOFTMAX, from);
}

/* ---- Classifiers of scikit-learn ---- */

/* Append softmax or a sigmoid as attribute post_transform has it. */
static int transform(struct import *m, int layer)
{
    if (attr_is(m, "post_transform", "NONE", true))
        return layer;
    if (attr_is(m, "post_transform", "SOFTMAX", false))
        return import_add(m, OP_SOFTMAX, layer);
    if (attr_is(m, "post_transform", "LOGISTIC", false))
        return import_function(m, layer, FUNCTION_SIGMOID, 0);
    return node_fail(m, "a post_transform that is not run");
}

/* Output 0, the class itself, is left out; output 1 has a score a class. */
int do_linear_classifier(struct import *m, struct value *y)
{
    struct tensor *w = attr_tensor(m, "coefficients"), *b = attr_tensor(m, "intercepts");
    long inputs = view_count(&y->view), count = w ? w->count : 0, classes = count / inputs;
    if (count != classes * inputs || classes < 2)
        return node_fail(m, "%ld coefficients for %ld inputs and at least 2 classes", count, inputs);
    w->dims = (struct dims){2, {classes, inputs}};
    int layer = transform(m, add_product(m, y, w, true, 1, b, 1));
    return import_labels(m, "classlabels_strings", "classlabels_ints") ? -1 : layer;
}

/* Normalizer of probabilities to a sum of 1. Those of a sigmoid: p / sum(p) = softmax(log(p)). */
int do_normalizer(struct import *m, struct value *y)
{
    const struct layer *l = &m->net->layer[y->layer];
    bool sigmoid = l->op == OP_POINTWISE && l->function == FUNCTION_SIGMOID;
    if (!attr_is(m, "norm", "L1", false) || (l->op != OP_SOFTMAX && !sigmoid) || !is_flat(l->out))
        return node_fail(m, "only probabilities are normalized, to a sum of 1 (L1)");
    return l->op == OP_SOFTMAX ? y->layer : import_add(m, OP_SOFTMAX, import_function(m, y->layer, FUNCTION_LOG, 0));
}
