/* Matrix products with weights, and classifiers.
 *   in   a Gemm, MatMul, Softmax node; scikit-learn's LinearClassifier and Normalizer
 *   out  a dense layer, or a 1x1 convolution for a product along the channels; softmax */
#include "import.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Dense layers ---- */

/* Make l's y[k] = factor * sum over f of x[f] * w[f][k], f being the element that lies at at[f] in x; a convolution: of
 * the channels alone. */
static void set_weights(struct import *m, struct layer *l, const struct tensor *at, const struct tensor *w,
                        bool transposed, float factor)
{
    long inputs = at->count, outputs = w->dims.dim[!transposed];
    if (w->dims.dim[transposed] != inputs || outputs < 1 || outputs > NET_MAX_DIM)
        node_fail(m, "weights of %ldx%ld for %ld inputs", w->dims.dim[0], w->dims.dim[1], inputs);
    if (m->failed || !(l->weight = import_filled(m, w->count, 0)))
        return;
    l->out.c = (int)outputs;
    for (long k = 0; k < outputs; k++)
        for (long f = 0; f < inputs; f++)
            l->weight[k * inputs + (long)tensor_at(at, f)] =
                factor * (float)tensor_at(w, transposed ? k * inputs + f : f * outputs + k);
    import_steps(m, l, w, !transposed, factor);
}

/* Make l the product along the channels at each pixel, which are the last dimension: a convolution with a 1x1
 * kernel. */
static void set_pointwise(struct import *m, struct layer *l, struct value *y, const struct tensor *w, bool transposed,
                          float factor)
{
    struct order o;
    l->in[0] = view_order(m, y, &(struct wanted){.channels = y->t.dims.rank - 1}, &o);
    if (l->in[0] < 0 || w->dims.dim[transposed] != o.shape.c) {
        node_fail(m, "only a product along the channels is run");
        return;
    }
    const struct tensor channels = tensor_natural(&(struct dims){1, {o.shape.c}});
    set_weights(m, l, &channels, w, transposed, factor);
    view_put(m, y, &o, (struct shape){l->out.c, o.shape.h, o.shape.w});
}

int add_product(struct import *m, struct value *y, const struct tensor *w, bool transposed, float factor,
                const struct tensor *b, float b_factor)
{
    struct dims *dims = &y->t.dims;
    int last = dims->rank - 1;
    if (w->dims.rank != 2 || last < 0)
        return node_fail(m, "only a product with a matrix of weights is run");
    bool whole = dims->dim[last] == y->t.count;
    if (whole && (y->batch == last || (y->batch == 0 && last != 1)))
        return node_fail(m, "the images must be the rows");
    struct layer l = {.op = whole ? OP_DENSE : OP_CONV, .in = {y->layer}};
    if (whole) {
        set_weights(m, &l, &y->t, w, transposed, factor);
        dims->dim[last] = w->dims.dim[!transposed];
        y->t = tensor_natural(dims);
    } else {
        set_pointwise(m, &l, y, w, transposed, factor);
    }
    import_bias(m, &l, b, b_factor);
    return import_append(m, &l);
}

int do_gemm(struct import *m, struct value *y)
{
    const struct tensor *w = import_constant(m, 1), *b = import_optional(m, 2);
    if (w->dims.rank != 2 || y->t.dims.rank != 2 || attr_int(m, "transA", 0))
        return node_fail(m, "only rows of images times a matrix of weights is run");
    if (y->batch > 0 || y->t.dims.dim[0] != 1)
        return node_fail(m, "the images must be the rows");
    return add_product(m, y, w, attr_int(m, "transB", 0) != 0, attr_float(m, "alpha", 1), b, attr_float(m, "beta", 1));
}

int do_matmul(struct import *m, struct value *y)
{
    return add_product(m, y, import_constant(m, 1), false, 1, NULL, 0);
}

int do_softmax(struct import *m, struct value *y)
{
    int axis = node_axis(m, attr_int(m, "axis", m->opset < 13 ? 1 : -1), y->t.dims.rank);
    for (int d = 0; d < y->t.dims.rank; d++)
        if (y->t.dims.dim[d] > 1 && (m->opset < 13 ? d < axis : d != axis))
            return node_fail(m, "only softmax over all of an image's values is run");
    if (axis == y->batch)
        return node_fail(m, "softmax over the images is not run");
    int from = is_flat(import_shape(m, y->layer)) ? y->layer : import_add(m, OP_FLATTEN, y->layer);
    return import_add(m, OP_SOFTMAX, from);
}

/* ---- Classifiers of scikit-learn ---- */

/* Labels are separated by spaces: a space in a name becomes a line below. */
static int set_labels(struct import *m, const char *strings, const char *ints)
{
    const Onnx__AttributeProto *s = attr_find(m->node, strings), *n = attr_find(m->node, ints);
    size_t size = 1, used = 0;
    for (size_t i = 0; s && i < s->n_strings; i++)
        size += s->strings[i].len + 1;
    size += n ? n->n_ints * 24 : 0;
    char *text = calloc(size, 1);
    if (!text)
        return node_fail(m, "out of memory");
    for (size_t i = 0; s && i < s->n_strings; i++) {
        text[used] = ' ';
        used += used > 0;
        for (size_t j = 0; j < s->strings[i].len; j++, used++)
            text[used] = s->strings[i].data[j] == ' ' ? '_' : (char)s->strings[i].data[j];
    }
    for (size_t i = 0; size > 1 && !(s && s->n_strings) && n && i < n->n_ints; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? " " : "", (long long)n->ints[i]);
    int status = used ? net_set_meta(m->net, "labels", text, m->e) : 0;
    free(text);
    return status ? node_fail(m, "out of memory") : 0;
}

/* ZipMap, a map from class to probability: its classes become the labels. */
int do_zipmap(struct import *m, struct value *y)
{
    return set_labels(m, "classlabels_strings", "classlabels_int64s") ? -1 : y->layer;
}

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
    struct tensor w, b;
    bool weighted = attr_tensor(m, "coefficients", &w), biased = attr_tensor(m, "intercepts", &b);
    long inputs = y->t.count, count = weighted ? w.count : 0, classes = count / inputs;
    if (count != classes * inputs || classes < 2)
        return node_fail(m, "%ld coefficients for %ld inputs and at least 2 classes", count, inputs);
    w.dims = (struct dims){2, {classes, inputs}};
    int layer = transform(m, add_product(m, y, &w, true, 1, biased ? &b : NULL, 1));
    return set_labels(m, "classlabels_strings", "classlabels_ints") ? -1 : layer;
}

/* Normalizer of probabilities to a sum of 1. Those of a sigmoid: p / sum(p) = softmax(log(p)). */
int do_normalizer(struct import *m, struct value *y)
{
    const struct layer *l = import_layer(m, y->layer);
    bool sigmoid = l->op == OP_POINTWISE && l->function == FUNCTION_SIGMOID;
    if (!attr_is(m, "norm", "L1", false) || (l->op != OP_SOFTMAX && !sigmoid) || !is_flat(l->out))
        return node_fail(m, "only probabilities are normalized, to a sum of 1 (L1)");
    return l->op == OP_SOFTMAX ? y->layer : import_add(m, OP_SOFTMAX, import_function(m, y->layer, FUNCTION_LOG, 0));
}
