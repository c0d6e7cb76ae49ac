/* Plain loops for layers that only models from elsewhere have.
 *   in   values of the plan, in blocks of channels (program.h)
 *   out  the same of the layer's function
 * Source: ONNX's operator specifications, Operators.md. */
#include "program.h"

#include <math.h>

/* ---- Functions of one value ---- */

typedef float pointwise_function(const struct layer *l, float x);

static float elu(float alpha, float x)
{
    return x < 0 ? alpha * expm1f(x) : x;
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static float softplus(float x)
{
    return fmaxf(x, 0) + log1pf(expf(-fabsf(x)));
}

static float hard_sigmoid(float alpha, float beta, float x)
{
    return fminf(fmaxf(alpha * x + beta, 0), 1);
}

#define FUNCTIONS(F)                                                                               \
    F(ABS, fabsf(x))                                                                               \
    F(CELU, x < 0 ? l->alpha * expm1f(x / l->alpha) : x)                                           \
    F(CLIP, fminf(fmaxf(x, l->low), l->high))                                                      \
    F(ELU, elu(l->alpha, x))                                                                       \
    F(ERF, erff(x))                                                                                \
    F(EXP, expf(x))                                                                                \
    F(GELU, .5f * x * (1 + erff(x * .70710678f)))                                                  \
    F(GELU_TANH, .5f * x * (1 + tanhf(.79788456f * (x + .044715f * x * x * x))))                   \
    F(GREATER, x > l->alpha ? 1 : 0)                                                               \
    F(HARD_SIGMOID, hard_sigmoid(l->alpha, l->beta, x))                                            \
    F(HARD_SWISH, x * hard_sigmoid(1 / 6.f, .5f, x))                                               \
    F(LEAKY_RELU, x < 0 ? l->alpha * x : x)                                                        \
    F(LOG, logf(x))                                                                                \
    F(MISH, x * tanhf(softplus(x)))                                                                \
    F(POW, powf(x, l->alpha))                                                                      \
    F(RECIPROCAL, 1 / x)                                                                           \
    F(SELU, l->beta * elu(l->alpha, x))                                                            \
    F(SIGMOID, sigmoid(x))                                                                         \
    F(SOFTPLUS, softplus(x))                                                                       \
    F(SOFTSIGN, x / (1 + fabsf(x)))                                                                \
    F(SQRT, sqrtf(x))                                                                              \
    F(TANH, tanhf(x))                                                                              \
    F(THRESHOLDED_RELU, x > l->alpha ? x : 0)

#define DEFINE(name, value)                                                                        \
    static float f_##name(const struct layer *l, float x)                                          \
    {                                                                                              \
        (void)l;                                                                                   \
        return value;                                                                              \
    }
#define ENTRY(name, value) [FUNCTION_##name] = f_##name,

FUNCTIONS(DEFINE)
DEFINE(quantize, l->alpha * fminf(fmaxf(rintf(x / l->alpha), l->low), l->high))

/* The function of OP_POINTWISE or OP_QUANTIZE. */
static pointwise_function *pointwise_of(const struct layer *l)
{
    static pointwise_function *const functions[FUNCTION_COUNT] = {FUNCTIONS(ENTRY)};
    return l->op == OP_QUANTIZE ? f_quantize : functions[l->function];
}

/* ---- Steps ---- */

/* How many channels of block b are the shape's. */
static int lanes_of(const struct value *v, int b)
{
    struct shape s = v->shape;
    long first = (long)b * BLOCK, all = s.c;
    if (v->matrix && s.c < BLOCK)
        all = (long)s.c * s.h * s.w;
    else if (v->matrix)
        first = (long)b / (s.h * s.w) * BLOCK;
    return all - first < BLOCK ? (int)(all - first) : BLOCK;
}

static float *row_of(struct view v, int b, int r)
{
    return v.p + b * v.block + r * v.row;
}

void plain_each(const struct layer *l, const struct value *v, struct view x, struct view y)
{
    pointwise_function *f = pointwise_of(l);
    for (int b = 0; b < y.blocks; b++) {
        int lanes = lanes_of(v, b);
        for (int r = 0; r < y.rows; r++) {
            const float *xr = row_of(x, b, r);
            float *yr = row_of(y, b, r);
            for (long i = 0; i < (long)y.pixels * BLOCK; i++)
                yr[i] = i % BLOCK < lanes ? f(l, xr[i]) : 0;
        }
    }
}

/* One output pixel of a pool over block b of an image; the window is clipped to the image. */
static void pool_pixel(const struct layer *l, struct view x, int b, int p, int q, float *y)
{
    bool most = l->op == OP_MAXPOOL;
    int count = 0;
    for (int c = 0; c < BLOCK; c++)
        y[c] = most ? -INFINITY : 0;
    for (int r = 0; r < l->r; r++)
        for (int s = 0; s < l->s; s++) {
            long h = (long)p * l->stride_h - l->pad_top + (long)r * l->dilation_h;
            long w = (long)q * l->stride_w - l->pad_left + (long)s * l->dilation_w;
            if (h < 0 || h >= x.rows || w < 0 || w >= x.pixels)
                continue;
            const float *cell = row_of(x, b, (int)h) + w * BLOCK;
            count++;
            for (int c = 0; c < BLOCK; c++)
                y[c] = most ? fmaxf(y[c], cell[c]) : y[c] + cell[c];
        }
    if (!l->exclude_pad)
        count = l->r * l->s;
    for (int c = 0; c < BLOCK && !most && count; c++)
        y[c] /= (float)count;
}

void plain_pool(const struct layer *l, struct view x, struct view y)
{
    for (int b = 0; b < y.blocks; b++)
        for (int p = 0; p < y.rows; p++)
            for (int q = 0; q < y.pixels; q++)
                pool_pixel(l, x, b, p, q, row_of(y, b, p) + q * (long)BLOCK);
}

void plain_mul(struct view x, struct view x2, struct view y)
{
    for (int b = 0; b < y.blocks; b++)
        for (int r = 0; r < y.rows; r++) {
            const float *xr = row_of(x, b, r), *xr2 = row_of(x2, b, r);
            float *yr = row_of(y, b, r);
            for (long i = 0; i < (long)y.pixels * BLOCK; i++)
                yr[i] = xr[i] * xr2[i];
        }
}

void plain_upsample(const struct layer *l, struct view x, struct view y)
{
    bool zeros = l->op == OP_ZEROSTUFF;
    for (int b = 0; b < y.blocks; b++)
        for (int r = 0; r < y.rows; r++)
            for (int q = 0; q < y.pixels; q++) {
                const float *pixel = row_of(x, b, r / l->stride_h) + q / l->stride_w * (long)BLOCK;
                float *yq = row_of(y, b, r) + q * (long)BLOCK;
                bool between = zeros && (r % l->stride_h || q % l->stride_w);
                for (int c = 0; c < BLOCK; c++)
                    yq[c] = between ? 0 : pixel[c];
            }
}

/* The range of an image's values, which begins and ends at 0 at the latest. */
static void find_range(const struct value *v, struct view x, float *low, float *high)
{
    *low = *high = 0;
    for (int b = 0; b < x.blocks; b++) {
        int lanes = lanes_of(v, b);
        for (int r = 0; r < x.rows; r++)
            for (int q = 0; q < x.pixels; q++)
                for (int c = 0; c < lanes; c++) {
                    float value = row_of(x, b, r)[q * (long)BLOCK + c];
                    *low = fminf(*low, value);
                    *high = fmaxf(*high, value);
                }
    }
}

static void quantize_image(const struct value *v, struct view x, struct view y)
{
    float low, high;
    find_range(v, x, &low, &high);
    float scale = (high - low) / 255;
    scale = scale > 0 ? scale : 1;
    float zero = rintf(fminf(fmaxf(-low / scale, 0), 255));
    struct layer l = {.op = OP_QUANTIZE, .alpha = scale, .low = -zero, .high = 255 - zero};
    plain_each(&l, v, x, y);
}

void plain_dynamic(const struct value *v, struct view x, struct view y)
{
    int images = v->matrix ? x.pixels : 1; /* an image is a pixel of a matrix */
    x.pixels = y.pixels /= images;
    for (int i = 0; i < images; i++, x.p += BLOCK, y.p += BLOCK)
        quantize_image(v, x, y);
}
