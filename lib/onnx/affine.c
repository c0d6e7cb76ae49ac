/* Operators that are affine along the channels: batch norm, sums and products with constants, Scaler,
 * QuantizeLinear and DequantizeLinear.
 *   in   a node, its operands as constants and values
 *   out  a batch norm or quantize layer; tidy.c folds the former into weights */
#include "import.h"

#include <math.h>
#include <stdlib.h>

/* The values of t for each channel of x's layer (flat: of that layer flattened), t being broadcast to x as an
 * ONNX tensor of `like` dims. */
static float *spread(struct import *m, const struct value *x, bool flat, const struct tensor *t,
                     const struct dims *like)
{
    long stride[3];
    const struct view *v = &x->view;
    if (view_strides(m, v, like, stride))
        return NULL;
    long count = flat ? v->size[0] * v->size[1] * v->size[2] : v->size[0];
    float *floats = import_floats(m, count);
    for (long i = 0; floats && i < count; i++) {
        long w = i % v->size[2], h = i / v->size[2] % v->size[1], c = i / v->size[2] / v->size[1];
        if (!flat) {
            c = i;
            h = w = 0;
        }
        floats[i] = (float)tensor_at(t, c * stride[0] + h * stride[1] + w * stride[2]);
    }
    return floats;
}

/* The layer that an affine operation is applied to: x's own where the constants differ by channel only,
 * otherwise x flattened, in which every element is a channel. */
static int channels_layer(struct import *m, const struct value *x, const struct dims *like,
                          bool *flat)
{
    long stride[3];
    if (view_strides(m, &x->view, like, stride))
        return -1;
    struct shape s = import_shape(m, x->layer);
    *flat = is_flat(s);
    if (*flat)
        return x->layer;
    if (stride[AXIS_H] == 0 && stride[AXIS_W] == 0)
        return view_spatial(m, x);
    *flat = true;
    struct layer *l = import_new_layer(m, OP_RESHAPE, x->layer);
    if (!l)
        return -1;
    l->out = (struct shape){(int)shape_values(s), 1, 1};
    return import_finish(m);
}

static int do_batchnorm(struct import *m)
{
    const struct value *x = import_runtime(m, 0);
    const struct tensor *t[4];
    struct dims like = {0};
    bool flat;
    for (int i = 0; i < 4; i++)
        if (!(t[i] = import_constant(m, (size_t)i + 1)))
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
    struct layer *l = from < 0 ? NULL : import_new_layer(m, OP_BATCHNORM, from);
    if (!l)
        return -1;
    l->epsilon = attr_float(&m->call, "epsilon", 1e-5f);
    l->momentum = attr_float(&m->call, "momentum", .9f);
    l->scale = spread(m, x, flat, t[0], &like);
    l->shift = spread(m, x, flat, t[1], &like);
    l->mean = spread(m, x, flat, t[2], &like);
    l->var = spread(m, x, flat, t[3], &like);
    return import_result(m, import_finish(m), &x->view);
}

/* Append y = scale * x + shift as a batch norm. The layer takes over both arrays; NULL is all 1, all 0.
 * After a batch norm made here no layer is appended: the two are composed. */
static int add_affine(struct import *m, int from, float *scale, float *shift)
{
    bool after = m->affine[from];
    struct layer *before = &m->net->layer[from];
    struct layer *l = import_new_layer(m, OP_BATCHNORM, after ? before->in[0] : from);
    if (!l) {
        free(scale);
        free(shift);
        return -1;
    }
    long count = import_shape(m, from).c;
    l->scale = scale ? scale : import_floats(m, count);
    l->shift = shift ? shift : import_floats(m, count);
    l->mean = import_floats(m, count);
    l->var = import_floats(m, count);
    if (m->call.failed)
        return -1;
    for (long i = 0; i < count; i++) {
        float a = scale ? scale[i] : 1, b = shift ? shift[i] : 0;
        l->scale[i] = after ? a * before->scale[i] : a;
        l->shift[i] = after ? a * before->shift[i] + b : b;
        l->var[i] = 1;
    }
    m->affine[m->net->layers - 1] = true;
    return import_finish(m);
}

/* Append an affine layer whose scale or shift is f of each value of operand t. */
static int affine_with(struct import *m, const struct value *x, const struct tensor *t,
                       bool is_scale, double (*f)(double), int sign)
{
    bool flat;
    int from = channels_layer(m, x, &t->dims, &flat);
    float *numbers = from < 0 ? NULL : spread(m, x, flat, t, &t->dims);
    if (!numbers)
        return -1;
    long count = import_shape(m, from).c;
    float *signs = sign < 0 ? import_floats(m, count) : NULL;
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
    return import_result(m, layer, &x->view);
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

/* Append y times -1, for x - y. */
static int add_negative(struct import *m, int layer)
{
    long count = import_shape(m, layer).c;
    float *minus = import_floats(m, count);
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
        if (a->order[i] != b->order[i] && !(view_is_linear(a) && view_is_linear(b)))
            return false;
    }
    return true;
}

/* Append the sum of two values that depend on the image, or their difference. */
static int add_values(struct import *m, bool subtract)
{
    struct value *a = import_runtime(m, 0), *b = a ? import_runtime(m, 1) : NULL;
    if (!b)
        return -1;
    if (!same_views(&a->view, &b->view))
        return call_fail(&m->call, "the two inputs have different shapes");
    int x = view_spatial(m, a), y = x < 0 ? -1 : view_spatial(m, b);
    if (y >= 0 && subtract)
        y = add_negative(m, y);
    struct layer *l = y < 0 ? NULL : import_new_layer(m, OP_ADD, x);
    if (!l)
        return -1;
    l->in[1] = y;
    return import_result(m, import_finish(m), &a->view);
}

/* The index of the constant operand, 0 or 1; -1 when neither is constant. */
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
    const struct value *x = import_runtime(m, (size_t)!c);
    return x ? affine_with(m, x, m->call.in[c], false, same, 1) : -1;
}

static int do_sub(struct import *m)
{
    int c = constant_operand(m);
    if (c < 0)
        return m->call.failed ? -1 : add_values(m, true);
    const struct value *x = import_runtime(m, (size_t)!c);
    return !x       ? -1
           : c == 1 ? affine_with(m, x, m->call.in[c], false, negated, 1)
                    : affine_with(m, x, m->call.in[c], false, same, -1);
}

static int do_mul(struct import *m)
{
    int c = constant_operand(m);
    if (c < 0)
        return call_fail(&m->call, "a product of two values that depend on the image is not run");
    const struct value *x = import_runtime(m, (size_t)!c);
    return x ? affine_with(m, x, m->call.in[c], true, same, 1) : -1;
}

static int do_div(struct import *m)
{
    if (constant_operand(m) != 1)
        return call_fail(&m->call, "only division by a constant is run");
    const struct value *x = import_runtime(m, 0);
    return x ? affine_with(m, x, m->call.in[1], true, inverted, 1) : -1;
}

/* Scaler of ai.onnx.ml, as scikit-learn's converter writes it: (x - offset) * scale. */
static int do_scaler(struct import *m)
{
    struct tensor offset = {0}, scale = {0};
    const struct value *x = import_runtime(m, 0);
    int status = -1;
    if (x && !attr_tensor(&m->call, "offset", &offset) && !attr_tensor(&m->call, "scale", &scale)) {
        status = offset.data ? affine_with(m, x, &offset, false, negated, 1)
                             : import_result(m, x->layer, &x->view);
        if (!status && scale.data)
            status = affine_with(m, import_find(m, m->call.node->output[0]), &scale, true, same, 1);
    }
    tensor_free(&offset);
    tensor_free(&scale);
    return status;
}

/* ---- Quantization ---- */

static int read_scale(struct import *m, double *scale, double *zero, int *type)
{
    const struct tensor *s = import_constant(m, 1),
                        *z = import_given(m, 2) ? import_constant(m, 2) : NULL;
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

/* QuantizeLinear. Quantized probabilities stay as they are: answers are made of the logits before softmax. */
static int do_quantize(struct import *m)
{
    const struct value *x = import_any(m);
    bool done = x && m->net->layer[x->layer].op == OP_SOFTMAX;
    double scale, zero, low, high;
    int type;
    if (!x || (!done && !import_runtime(m, 0)) || read_scale(m, &scale, &zero, &type))
        return -1;
    if (type != TYPE(UINT8) && type != TYPE(INT8))
        return call_fail(&m->call, "only quantization to 8 bits is run");
    type_range(type, &low, &high);
    struct layer *l = done ? NULL : import_new_layer(m, OP_QUANTIZE, x->layer);
    if (l) {
        l->alpha = (float)scale;
        l->low = (float)(low - zero);
        l->high = (float)(high - zero);
    }
    if (import_result(m, l ? import_finish(m) : x->layer, &x->view))
        return -1;
    struct value *y = import_find(m, m->call.node->output[0]);
    y->quantized = true;
    y->scale = scale;
    y->zero = zero;
    return 0;
}

/* DequantizeLinear of a value that was quantized by the same scale and zero point, or of pixels. */
static int do_dequantize(struct import *m)
{
    const struct value *x = import_any(m);
    double scale, zero;
    int type;
    if (!x || read_scale(m, &scale, &zero, &type))
        return -1;
    if (x->quantized) {
        if ((float)scale != (float)x->scale || zero != x->zero)
            return call_fail(&m->call, "not the scale that the value was quantized with");
        if (import_same(m, x, &x->view))
            return -1;
        import_find(m, m->call.node->output[0])->quantized = false;
        return 0;
    }
    if (!x->integer)
        return call_fail(&m->call, "the input was not quantized");
    int from = view_spatial(m, x);
    if (from < 0)
        return -1;
    long count = import_shape(m, from).c;
    float *s = import_floats(m, count), *shift = import_floats(m, count);
    for (long i = 0; s && shift && i < count; i++) {
        s[i] = (float)scale;
        shift[i] = (float)(-zero * scale);
    }
    return import_result(m, add_affine(m, from, s, shift), &x->view);
}

const struct operator affine_operators[] = {
    {"Add", do_add},
    {"BatchNormalization", do_batchnorm},
    {"DequantizeLinear", do_dequantize},
    {"Div", do_div},
    {"Mul", do_mul},
    {"QuantizeLinear", do_quantize},
    {"Scaler", do_scaler},
    {"Sub", do_sub},
    {NULL, NULL},
};
