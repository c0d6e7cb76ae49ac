/* Operators on quantized values.
 *   in   QuantizeLinear and DequantizeLinear; the operators on integers that quantizers write instead of them
 *        (QLinear..., and ...Integer behind DynamicQuantizeLinear)
 *   out  layers of the real values that the integers stand for, rounded where the file rounds
 * An integer x means (x - zero) * scale. DynamicQuantizeLinear's scale and zero point, which differ by image,
 * count as 1 and 0 here: its layer has the real values already, and so has all that is made of them. */
#include "import.h"

#include <math.h>
#include <stdlib.h>

/* Read scale and zero point, inputs `at` and at + 1. */
static int read_scale(struct import *m, size_t at, double *scale, double *zero, int *type)
{
    const struct tensor *s = import_constant(m, at), *z = import_optional(m, at + 1);
    if (!s || m->call.failed)
        return -1;
    if (s->count != 1 || (z && z->count != 1))
        return call_fail(&m->call, "one scale and zero point for all values is run, not %ld",
                         s->count);
    *scale = tensor_at(s, 0);
    *zero = z ? tensor_at(z, 0) : 0;
    *type = z ? z->type : TYPE(UINT8);
    if (!isfinite((float)*scale) || !((float)*scale > 0))
        return call_fail(&m->call, "a scale of %g", *scale);
    return 0;
}

/* Make the node's output quantized, if it is asked for. */
static int mark_quantized(struct import *m, int layer, const struct view *view, double scale, double zero)
{
    struct value like = {.quantized = true, .scale = scale, .zero = zero};
    return import_like(m, &like, layer, view);
}

int import_quantized(struct import *m, int layer, const struct view *view, size_t at)
{
    double scale, zero, low, high;
    int type;
    if (layer < 0 || read_scale(m, at, &scale, &zero, &type))
        return -1;
    if (type != TYPE(UINT8) && type != TYPE(INT8))
        return call_fail(&m->call, "only quantization to 8 bits is run");
    /* Quantized probabilities stay as they are: answers are made of the logits before softmax. */
    if (m->net->layer[layer].op == OP_SOFTMAX)
        return mark_quantized(m, layer, view, scale, zero);
    struct layer *l = import_new_layer(m, OP_QUANTIZE, layer);
    if (!l)
        return -1;
    type_range(type, &low, &high);
    l->alpha = (float)scale;
    l->low = (float)(low - zero);
    l->high = (float)(high - zero);
    return mark_quantized(m, import_finish(m), view, scale, zero);
}

int do_quantize(struct import *m)
{
    const struct value *x = import_any(m, 0);
    if (!x || (m->net->layer[x->layer].op != OP_SOFTMAX && !import_runtime(m, 0)))
        return -1;
    return import_quantized(m, x->layer, &x->view, 1);
}

/* Of a value that was quantized by the same scale and zero point, or of pixels. */
int import_dequantized(struct import *m, struct value *out)
{
    const struct value *x = import_any(m, 0);
    double scale, zero;
    int type;
    if (!x || read_scale(m, 1, &scale, &zero, &type))
        return -1;
    *out = *x;
    out->quantized = out->integer = false;
    if (x->quantized) {
        if ((float)scale != (float)x->scale || zero != x->zero)
            return call_fail(&m->call, "not the scale that the value was quantized with");
        return 0;
    }
    if (!x->integer)
        return call_fail(&m->call, "the input was not quantized");
    out->layer = add_scaled(m, view_spatial(m, x), (float)scale, (float)(-zero * scale));
    return out->layer < 0 ? -1 : 0;
}

int do_dequantize(struct import *m)
{
    struct value x;
    return import_dequantized(m, &x) ? -1 : import_result(m, x.layer, &x.view);
}

int do_dynamic_quantize(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    if (!x || import_number(m, 1, 1) || import_number(m, 2, 0))
        return -1;
    return mark_quantized(m, import_add(m, OP_DYNAMIC, x->layer), &x->view, 1, 0);
}

/* ---- Products ---- */

/* The weights, input 1, less their zero points, input 3, of which there is one, or one a place along `axis`. */
static int whole_weights(struct import *m, long axis, struct tensor *w)
{
    const struct tensor *x = import_constant(m, 1), *zero = import_optional(m, 3);
    if (!x || m->call.failed || tensor_new(&m->call, w, TYPE(FLOAT), &x->dims))
        return -1;
    long inner = 1;
    for (int d = x->dims.rank - 1; d > axis; d--)
        inner *= x->dims.dim[d];
    if (zero && zero->count != 1 && (axis >= x->dims.rank || zero->count != x->dims.dim[axis]))
        return call_fail(&m->call, "%ld zero points do not fit", zero->count);
    for (long i = 0; i < x->count; i++) {
        long k = zero && zero->count > 1 ? i / inner % zero->count : 0;
        w->data[i] = tensor_at(x, i) - (zero ? tensor_at(zero, k) : 0);
    }
    return 0;
}

/* Input 0 of an operator on integers whose result is scaled by nodes behind it. */
static const struct value *dynamic_input(struct import *m)
{
    const struct value *x = import_any(m, 0);
    if (x && (!x->quantized || x->scale != 1 || x->zero != 0)) {
        call_fail(&m->call, "only what DynamicQuantizeLinear made is multiplied in integers");
        return NULL;
    }
    return x;
}

int do_conv_integer(struct import *m)
{
    const struct value *x = dynamic_input(m);
    struct tensor w = {0};
    struct view view;
    int layer = x && !whole_weights(m, 0, &w) ? add_conv(m, x, &w, NULL, &view) : -1;
    tensor_free(&w);
    return import_result(m, layer, &view);
}

int do_matmul_integer(struct import *m)
{
    const struct value *x = dynamic_input(m);
    struct tensor w = {0};
    struct view view;
    int layer = x && !whole_weights(m, 1, &w) ? add_product(m, x, &w, false, 1, NULL, 0, &view) : -1;
    tensor_free(&w);
    return import_result(m, layer, &view);
}

/* The biases b, integers in steps of the products of input and weights. */
static int real_bias(struct import *m, const struct tensor *b, struct tensor *real)
{
    const struct tensor *x = import_constant(m, 1), *step = import_constant(m, 4);
    if (!b || !x || !step || tensor_new(&m->call, real, TYPE(FLOAT), &b->dims))
        return m->call.failed ? -1 : 0;
    for (long k = 0; k < b->count; k++)
        real->data[k] = tensor_at(b, k) * tensor_at(x, 0) * tensor_at(step, step->count == b->count ? k : 0);
    return 0;
}

/* QLinearConv, QLinearMatMul and QGemm: x, w and their scales and zero points, inputs 0 to 5; biases, input
 * `bias`; the output's scale and zero point, inputs `out` and out + 1. */
static int qlinear(struct import *m, bool conv, size_t bias, size_t out)
{
    struct value x;
    struct tensor w = {0}, b = {0};
    struct view view;
    int layer = -1;
    bool transposed = attr_int(&m->call, "transB", 0) != 0;
    const struct tensor *whole = import_constant(m, 3), *given = bias ? import_optional(m, bias) : NULL;
    if (attr_int(&m->call, "transA", 0))
        return call_fail(&m->call, "only rows of images times a matrix of weights is run");
    if (whole && !m->call.failed && !import_dequantized(m, &x) &&
        !dequantize(&m->call, whole, 4, conv || transposed ? 0 : 1, &w) && !real_bias(m, given, &b)) {
        float alpha = attr_float(&m->call, "alpha", 1);
        const struct tensor *biases = given ? &b : NULL;
        layer = conv ? add_conv(m, &x, &w, biases, &view)
                     : add_product(m, &x, &w, transposed, alpha, biases, alpha, &view);
    }
    tensor_free(&w);
    tensor_free(&b);
    if (layer < 0)
        return -1;
    return out < m->call.node->n_input && import_given(m, out) ? import_quantized(m, layer, &view, out)
                                                               : import_result(m, layer, &view);
}

int do_qlinear_conv(struct import *m)
{
    return qlinear(m, true, 8, 6);
}

int do_qlinear_matmul(struct import *m)
{
    bool gemm = m->call.operator->domain;
    return qlinear(m, false, gemm ? 6 : 0, gemm ? 7 : 6);
}
