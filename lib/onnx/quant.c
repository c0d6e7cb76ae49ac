/* Operators on quantized values.
 *   in   QuantizeLinear and DequantizeLinear; the operators on integers that quantizers write instead of them
 *        (QLinear..., and ...Integer behind DynamicQuantizeLinear)
 *   out  layers of the real values that the integers stand for, rounded where the file rounds
 * An integer x means (x - zero) * scale. DynamicQuantizeLinear's scale and zero point, which differ by image,
 * count as 1 and 0 here: its layer has the real values already, and so has all that is made of them. */
#include "import.h"

#include <math.h>

/* Scale and zero point of quantized values: one for all (axis -1), or one a place along an axis. */
struct steps {
    const struct tensor *scale, *zero; /* zero is NULL where it is 0 */
    int axis;
};

/* Read them, inputs `at` and at + 1: of x, a constant, unless one of them, along that axis; NULL: one only. */
static void read_steps(struct import *m, size_t at, const struct tensor *x, long along, struct steps *s)
{
    const struct tensor *scale = import_constant(m, at), *zero = import_optional(m, at + 1);
    bool many = x && (scale->count != 1 || scale->dims.rank > 1);
    *s = (struct steps){scale, zero, -1};
    if (x && attr_int(m, "block_size", 0))
        node_fail(m, "quantization in blocks");
    if (!x && scale->count != 1)
        node_fail(m, "one scale and zero point for all values is run, not %ld", scale->count);
    if (many)
        s->axis = node_axis(m, along, x->dims.rank);
    if (many && (scale->dims.rank != 1 || scale->count != x->dims.dim[s->axis]))
        node_fail(m, "%ld scales do not fit", scale->count);
    if (zero && zero->count != scale->count)
        node_fail(m, "%ld zero points for %ld scales", zero->count, scale->count);
    for (long k = 0; k < scale->count; k++)
        if (!isfinite((float)tensor_at(scale, k)) || !((float)tensor_at(scale, k) > 0))
            node_fail(m, "a scale of %g", tensor_at(scale, k));
}

/* The place along an axis (-1: 0) of element i of x. */
static long place_along(const struct tensor *x, int axis, long i)
{
    return axis < 0 ? 0 : i / dims_inner(&x->dims, axis) % x->dims.dim[axis];
}

static double zero_at(const struct tensor *zero, long k)
{
    return zero ? tensor_at(zero, k) : 0;
}

/* ---- Constants ---- */

/* Make out (x - zero) * scale, scale and zero being inputs `at` and at + 1 of the node, along that axis of x. */
static int dequantize(struct import *m, const struct tensor *x, size_t at, long along, struct tensor *out)
{
    const struct tensor given = *x;
    struct steps s;
    read_steps(m, at, x, along, &s);
    double *data = tensor_new(m, out, TYPE(FLOAT), &given.dims);
    if (!data)
        return -1;
    bool eight = s.scale->count > 0; /* bits hold every number of steps */
    for (long i = 0; i < given.count; i++) {
        long k = place_along(&given, s.axis, i);
        float steps = (float)(tensor_at(&given, i) - zero_at(s.zero, k));
        data[i] = steps * (float)tensor_at(s.scale, k);
        eight = eight && steps >= -128 && steps <= 127;
    }
    if (!eight)
        return 0;
    struct tensor steps;
    out->step_axis = s.axis;
    out->step = tensor_each(m, s.scale, TYPE(DOUBLE), NULL, &steps) ? NULL : steps.data;
    return out->step ? 0 : -1;
}

int fold_dequantize(struct import *m, struct value *y)
{
    return dequantize(m, &y->t, 1, attr_int(m, "axis", 1), &y->t);
}

int fold_quantize(struct import *m, struct value *y)
{
    const struct tensor x = y->t;
    struct steps s;
    double low, high;
    read_steps(m, 1, &x, attr_int(m, "axis", 1), &s);
    int type = s.zero ? s.zero->type : (int)attr_int(m, "output_dtype", TYPE(UINT8));
    if (!type_range(type, &low, &high))
        return node_fail(m, "quantization to type %d", type);
    double *data = tensor_new(m, &y->t, type, &x.dims);
    for (long i = 0; data && i < x.count; i++) {
        long k = place_along(&x, s.axis, i);
        double steps = rint((float)tensor_at(&x, i) / (float)tensor_at(s.scale, k));
        data[i] = fmin(fmax(steps + zero_at(s.zero, k), low), high);
    }
    return data ? 0 : -1;
}

/* ---- Values that depend on the image ---- */

/* Append y in steps of `scale` and `zero`, inputs `at` and at + 1. */
static int quantize(struct import *m, struct value *y, size_t at)
{
    double low, high;
    struct steps s;
    read_steps(m, at, NULL, 0, &s);
    int type = s.zero ? s.zero->type : TYPE(UINT8);
    y->scale = tensor_at(s.scale, 0);
    y->zero = zero_at(s.zero, 0);
    if (type != TYPE(UINT8) && type != TYPE(INT8))
        return node_fail(m, "only quantization to 8 bits is run");
    y->quantized = true;
    /* Quantized probabilities stay as they are: answers are made of the logits before softmax. */
    if (import_layer(m, y->layer)->op == OP_SOFTMAX)
        return y->layer;
    type_range(type, &low, &high);
    return import_append(m, &(struct layer){.op = OP_QUANTIZE, .in = {y->layer}, .alpha = (float)y->scale,
                                            .low = (float)(low - y->zero), .high = (float)(high - y->zero)});
}

int do_quantize(struct import *m, struct value *y)
{
    return import_layer(m, y->layer)->op != OP_SOFTMAX && import_check(m, y) ? -1 : quantize(m, y, 1);
}

/* Of a value that was quantized by the same scale and zero point, or of pixels. */
int do_dequantize(struct import *m, struct value *y)
{
    struct steps s;
    read_steps(m, 1, NULL, 0, &s);
    double scale = tensor_at(s.scale, 0), zero = zero_at(s.zero, 0);
    if (y->quantized && ((float)scale != (float)y->scale || zero != y->zero))
        return node_fail(m, "not the scale that the value was quantized with");
    if (!y->quantized && !y->integer)
        return node_fail(m, "the input was not quantized");
    int layer = y->quantized ? y->layer : add_scaled(m, y->layer, (float)scale, (float)(-zero * scale));
    y->quantized = y->integer = false;
    return layer;
}

int do_dynamic_quantize(struct import *m, struct value *y)
{
    if (import_number(m, 1, 1) || import_number(m, 2, 0))
        return -1;
    y->quantized = true;
    y->scale = 1;
    y->zero = 0;
    return import_add(m, OP_DYNAMIC, y->layer);
}

/* ---- Products ---- */

/* Make w the weights, input 1, less their zero points, input 3, of which there is one, or one a place along `axis`.
 * They are of the product of y, an operator's on integers whose result is scaled by nodes behind it. */
static const struct tensor *whole_weights(struct import *m, struct value *y, int axis, struct tensor *w)
{
    if (!y->quantized || y->scale != 1 || y->zero != 0)
        node_fail(m, "only what DynamicQuantizeLinear made is multiplied in integers");
    y->quantized = false;
    const struct tensor *x = import_constant(m, 1), *zero = import_optional(m, 3);
    bool many = zero && zero->count != 1;
    if (many && (axis >= x->dims.rank || zero->count != x->dims.dim[axis]))
        node_fail(m, "%ld zero points do not fit", zero->count);
    double *data = tensor_new(m, w, TYPE(FLOAT), &x->dims);
    for (long i = 0; data && i < x->count; i++)
        data[i] = tensor_at(x, i) - zero_at(zero, place_along(x, many ? axis : -1, i));
    return data ? w : &m->none.t;
}

int do_conv_integer(struct import *m, struct value *y)
{
    struct tensor w;
    return add_conv(m, y, whole_weights(m, y, 0, &w), NULL);
}

int do_matmul_integer(struct import *m, struct value *y)
{
    struct tensor w;
    return add_product(m, y, whole_weights(m, y, 1, &w), false, 1, NULL, 0);
}

/* Make real the biases b, integers in steps of the products of input and weights; NULL where there are none. */
static const struct tensor *real_bias(struct import *m, const struct tensor *b, struct tensor *real)
{
    const struct tensor *x = import_constant(m, 1), *step = import_constant(m, 4);
    double *data = b ? tensor_new(m, real, TYPE(FLOAT), &b->dims) : NULL;
    for (long k = 0; data && k < b->count; k++)
        data[k] = tensor_at(b, k) * tensor_at(x, 0) * tensor_at(step, step->count == b->count ? k : 0);
    return data ? real : NULL;
}

/* QLinearConv, QLinearMatMul and QGemm: x, w and their scales and zero points, inputs 0 to 5; biases, input
 * `bias`; the output's scale and zero point, inputs `out` and out + 1. */
static int qlinear(struct import *m, struct value *y, bool conv, size_t bias, size_t out)
{
    bool transposed = attr_int(m, "transB", 0) != 0;
    const struct tensor *whole = import_constant(m, 3), *b = bias ? import_optional(m, bias) : NULL;
    float alpha = attr_float(m, "alpha", 1);
    struct tensor w, real;
    if (attr_int(m, "transA", 0))
        return node_fail(m, "only rows of images times a matrix of weights is run");
    y->layer = do_dequantize(m, y);
    if (dequantize(m, whole, 4, conv || transposed ? 0 : 1, &w))
        return -1;
    b = real_bias(m, b, &real);
    y->layer = conv ? add_conv(m, y, &w, b) : add_product(m, y, &w, transposed, alpha, b, alpha);
    return import_given(m, out) ? quantize(m, y, out) : y->layer;
}

int do_qlinear_conv(struct import *m, struct value *y)
{
    return qlinear(m, y, true, 8, 6);
}

int do_qlinear_matmul(struct import *m, struct value *y)
{
    bool gemm = m->operator->domain;
    return qlinear(m, y, false, gemm ? 6 : 0, gemm ? 7 : 6);
}
