/* The kernels of one level; see kernel.h. The Makefile gives LEVEL, the level's name; what follows
 * from it is the vector's width and how many vectors and pixels a tile has, so that a tile's sums
 * stay in registers. */
#include "kernel.h"
#include "level.h"

#if defined(__AVX512F__)
#define VW 16     /* floats in a vector */
#define VECTORS 2 /* of output channels in a tile: two blocks */
#define PIXELS 14 /* in a tile, at most: 28 sums, 2 weights, 1 input */
#define CHANNELS 8
#elif defined(__AVX2__)
#define VW 8
#define VECTORS 2
#define PIXELS 6
#define CHANNELS 4
#elif defined(__aarch64__)
#define VW 4
#define VECTORS 4
#define PIXELS 6
#define CHANNELS 4
#else
#define VW 4
#define VECTORS 4
#define PIXELS 2
#define CHANNELS 2
#endif

typedef float vf __attribute__((vector_size(VW * 4), LOOSELY(4)));
typedef int32_t vi __attribute__((vector_size(VW * 4), LOOSELY(4)));
typedef uint32_t vu __attribute__((vector_size(VW * 4), LOOSELY(4)));
typedef vf vf_at __attribute__((aligned(4), may_alias));

INLINE vf load(const float *p)
{
    return *(const vf_at *)p;
}

INLINE void store(float *p, vf x)
{
    *(vf_at *)p = x;
}

/* Where the mask is all ones x, else 0. */
INLINE vf keep(vf x, vi mask)
{
    return (vf)((vi)x & mask);
}

INLINE vf positive(vf x)
{
    return keep(x, x > 0);
}

INLINE vf larger(vf a, vf b)
{
    vi more = b > a;
    return keep(b, more) + keep(a, ~more);
}

/* The place of vector j of a tile in a tensor whose blocks are `block` floats apart. */
INLINE long at(int j, long block)
{
    return j / PER_BLOCK * block + j % PER_BLOCK * VW;
}

/* What happens to a finished sum before it is stored: k is its first channel. */
INLINE vf finished(const struct conv *v, long k, vf sum)
{
    if (v->relu)
        sum = positive(sum);
    if (v->scale)
        sum = sum * load(v->scale + k) + load(v->shift + k);
    return sum;
}

/* P pixels by N vectors of output channels, from channel k on; X is the step between the pixels'
 * inputs. All sums are finished before one is stored: to the compiler a store may change scale and shift. */
INLINE void conv_tile(const struct conv *v, const float *x, long k, float *y, const int P,
                      const int N, const long X)
{
    vf sum[PIXELS][VECTORS];
    long w_block = (long)v->runs * v->run * BLOCK;
    const float *w = v->w + k / BLOCK * w_block;
    UNROLL for (int j = 0; j < N; j++) {
        vf bias = v->bias ? load(v->bias + k + at(j, BLOCK)) : (vf){0};
        UNROLL for (int p = 0; p < P; p++) sum[p][j] = bias;
    }
    for (int i = 0; i < v->runs; i++) {
        const float *xi = x + v->offset[i];
        for (int c = 0; c < v->run; c++, xi++, w += BLOCK) {
            vf wj[VECTORS];
            UNROLL for (int j = 0; j < N; j++) wj[j] = load(w + at(j, w_block));
            UNROLL for (int p = 0; p < P; p++) {
                float xp = xi[p * X];
                UNROLL for (int j = 0; j < N; j++) sum[p][j] += wj[j] * xp;
            }
        }
    }
    UNROLL for (int j = 0; j < N; j++)
        UNROLL for (int p = 0; p < P; p++) sum[p][j] = finished(v, k + at(j, BLOCK), sum[p][j]);
    UNROLL for (int p = 0; p < P; p++)
        UNROLL for (int j = 0; j < N; j++) store(y + p * BLOCK + at(j, v->y_block), sum[p][j]);
}

INLINE void conv_row(const struct conv *v, const float *x, long k, float *y, const int N,
                     const long X)
{
#define TILE(p, n) conv_tile(v, x + (p) * X, k, y + (p) * BLOCK, n, N, X)
    EACH_TILE(v->pixels, TILE)
#undef TILE
}

INLINE void conv_rows(const struct conv *v, const float *x, float *y, const long X)
{
#define ROW(b, p, N)                                                                               \
    conv_row(v, x + (p) * v->x_row, (b) * BLOCK, y + (b) * v->y_block + (p) * v->y_row, N, X)
    EACH_ROW(v->blocks, v->rows, ROW)
#undef ROW
}

/* The step between pixels is a constant where it matters, so that it stands in the instruction. */
static void conv(const struct conv *v, const float *x, float *y)
{
    if (v->x_pixel == BLOCK)
        conv_rows(v, x, y, BLOCK);
    else if (v->x_pixel == 1)
        conv_rows(v, x, y, 1);
    else if (v->x_pixel == 2L * BLOCK)
        conv_rows(v, x, y, 2L * BLOCK);
    else if (v->x_pixel == 2)
        conv_rows(v, x, y, 2);
    else
        conv_rows(v, x, y, v->x_pixel);
}

/* The gradient for C input channels of U runs and N vectors of output channels: the sums stay in
 * registers over the whole image. */
INLINE void grad_tile(const struct conv *v, bool first, const int *offset, const float *x, const float *dy,
                      float *dw, const int C, const int U, const int N)
{
    vf sum[2 * CHANNELS][VECTORS];
    long w_block = (long)v->runs * v->run * BLOCK, second = U > 1 ? offset[1] - offset[0] : 0;
    UNROLL for (int c = 0; c < U * C; c++)
        UNROLL for (int j = 0; j < N; j++)
            sum[c][j] = first ? (vf){0} : load(dw + c * BLOCK + at(j, w_block));
    for (int p = 0; p < v->rows; p++) {
        const float *xq = x + offset[0] + p * v->x_row, *dyq = dy + p * v->y_row;
        for (int q = 0; q < v->pixels; q++, xq += v->x_pixel, dyq += BLOCK) {
            vf d[VECTORS];
            UNROLL for (int j = 0; j < N; j++) d[j] = load(dyq + at(j, v->y_block));
            UNROLL for (int c = 0; c < U * C; c++)
                UNROLL for (int j = 0; j < N; j++)
                    sum[c][j] += d[j] * (c < C ? xq[c] : xq[second + c - C]);
        }
    }
    UNROLL for (int c = 0; c < U * C; c++)
        UNROLL for (int j = 0; j < N; j++) store(dw + c * BLOCK + at(j, w_block), sum[c][j]);
}

/* Runs of fewer than CHANNELS: two at a time, or too few sums would be under way at once. */
INLINE void grad_short(const struct conv *v, bool first, const float *x, const float *dy, float *dw,
                       const int C, const int N)
{
    int i = 0;
    for (; i + 2 <= v->runs; i += 2, dw += 2 * C * BLOCK)
        grad_tile(v, first, v->offset + i, x, dy, dw, C, 2, N);
    if (i < v->runs)
        grad_tile(v, first, v->offset + i, x, dy, dw, C, 1, N);
}

INLINE void grad_blocks(const struct conv *v, bool first, const float *x, const float *dy, float *dw,
                        const int N)
{
    switch (v->run) {
#define RUN(n)                                                                                     \
    case n:                                                                                        \
        grad_short(v, first, x, dy, dw, n, N);                                                     \
        return;
        RUN(1)
#if CHANNELS > 2
        RUN(2)
        RUN(3)
#endif
#if CHANNELS > 4
        RUN(4)
        RUN(5)
        RUN(6)
        RUN(7)
#endif
#undef RUN
    }
    for (int i = 0; i < v->runs; i++) {
        int c = 0;
        for (; c + CHANNELS <= v->run; c += CHANNELS, dw += CHANNELS * BLOCK)
            grad_tile(v, first, v->offset + i, x + c, dy, dw, CHANNELS, 1, N);
        for (; c < v->run; c++, dw += BLOCK)
            grad_tile(v, first, v->offset + i, x + c, dy, dw, 1, 1, N);
    }
}

static void conv_grad(const struct conv *v, bool first, const float *x, const float *dy, float *dw)
{
    long w_block = (long)v->runs * v->run * BLOCK;
#define ROW(b, p, N) grad_blocks(v, first, x, dy + (b) * v->y_block, dw + (b) * w_block, N)
    EACH_ROW(v->blocks, 1, ROW)
#undef ROW
}

#include "winograd.h"

/* ---- Pointwise, sums and pools ---- */

INLINE float *row_of(struct view v, int b, int p)
{
    return v.p + b * v.block + p * v.row;
}

/* Loops over y: its rows; their vectors, i floats from a row's start; and, for what differs by channel, the
 * blocks' vectors of channels, from lane j on. */
#define EACH_LINE(y)                                                                               \
    for (int b = 0; b < (y).blocks; b++)                                                             \
        for (int p = 0; p < (y).rows; p++)
#define EACH_VECTOR(y) for (long i = 0; i < (long)(y).pixels * BLOCK; i += VW)
#define EACH_LANE(y)                                                                               \
    for (int b = 0; b < (y).blocks; b++)                                                             \
        for (int j = 0; j < BLOCK; j += VW)

static void affine(struct view x, const float *scale, const float *shift, bool rectify, struct view y)
{
    EACH_LANE(y) {
        vf s = load(scale + b * BLOCK + j), t = load(shift + b * BLOCK + j);
        for (int p = 0; p < y.rows; p++) {
            const float *from = row_of(x, b, p);
            float *to = row_of(y, b, p);
            for (long i = j; i < (long)y.pixels * BLOCK; i += BLOCK) {
                vf sum = s * load(from + i) + t;
                store(to + i, rectify ? positive(sum) : sum);
            }
        }
    }
}

/* Two sums of the pixels of a block, in two chains each: of the even pixels and of the odd ones. */
#define EACH_PAIR(x)                                                                               \
    for (int q = 0; q < (x).pixels; q += 2)                                                          \
        UNROLL for (int h = 0; h < 2; h++)                                                         \
            if (q + h < (x).pixels)

INLINE void two_sums(struct view dy, struct view x, const float *mean, float *sum, float *dot)
{
    EACH_LANE(x) {
        vf m = mean ? load(mean + b * BLOCK + j) : (vf){0}, s[2] = {{0}, {0}}, t[2] = {{0}, {0}};
        for (int p = 0; p < x.rows; p++) {
            const float *from = row_of(x, b, p) + j, *dfrom = row_of(dy, b, p) + j;
            EACH_PAIR(x) {
                vf v = load(dfrom + (q + h) * BLOCK);
                s[h] += v;
                t[h] += v * (mean ? (vf)(load(from + (q + h) * BLOCK) - m) : v);
            }
        }
        store(sum + b * BLOCK + j, s[0] + s[1]);
        store(dot + b * BLOCK + j, t[0] + t[1]);
    }
}

/* Compiled for each, with and without a mean. */
static void sums(struct view dy, struct view x, const float *mean, float *sum, float *dot)
{
    if (mean)
        two_sums(dy, x, mean, sum, dot);
    else
        two_sums(dy, x, NULL, sum, dot);
}

static void batchnorm_grad(struct view dy, struct view x, const float *a, const float *b1,
                           const float *c, bool rectified, struct view dx)
{
    EACH_LANE(dx) {
        vf aj = load(a + b * BLOCK + j), bj = load(b1 + b * BLOCK + j), cj = load(c + b * BLOCK + j);
        for (int p = 0; p < dx.rows; p++) {
            const float *from = row_of(x, b, p), *dfrom = row_of(dy, b, p);
            float *to = row_of(dx, b, p);
            for (long i = j; i < (long)dx.pixels * BLOCK; i += BLOCK) {
                vf xi = load(from + i);
                vf d = aj * load(dfrom + i) + bj * xi + cj;
                store(to + i, rectified ? keep(d, xi > 0) : d);
            }
        }
    }
}

static void relu(struct view x, struct view by, struct view y)
{
    EACH_LINE(y) {
        const float *from = row_of(x, b, p), *mask = row_of(by, b, p);
        float *to = row_of(y, b, p);
        EACH_VECTOR(y) store(to + i, keep(load(from + i), load(mask + i) > 0));
    }
}

static void add(struct view a, struct view c, bool rectify, struct view y)
{
    EACH_LINE(y) {
        const float *from = row_of(a, b, p), *other = row_of(c, b, p);
        float *to = row_of(y, b, p);
        EACH_VECTOR(y) {
            vf sum = load(from + i) + load(other + i);
            store(to + i, rectify ? positive(sum) : sum);
        }
    }
}

/* A loop over the vectors of a pooled image: q the output pixel of a row, j the vector in it. */
#define EACH_POOLED(y)                                                                             \
    EACH_LINE(y)                                                                                   \
        for (int q = 0; q < (y).pixels; q++)                                                         \
            for (int j = 0; j < BLOCK; j += VW)
#define WINDOW(x) (row_of(x, b, p * v->stride_h) + q * v->stride_w * BLOCK + j)

static void maxpool(const struct pool *v, struct view x, struct view y)
{
    EACH_POOLED(y) {
        const float *window = WINDOW(x);
        vf most = load(window);
        for (int r = 0; r < v->r; r++)
            for (int s = 0; s < v->s; s++)
                most = larger(most, load(window + r * x.row + s * BLOCK));
        store(row_of(y, b, p) + q * BLOCK + j, most);
    }
}

static void maxpool_grad(const struct pool *v, struct view x, struct view y, struct view dy,
                         struct view dx)
{
    EACH_POOLED(y) {
        const float *window = WINDOW(x);
        float *dwindow = WINDOW(dx);
        vf most = load(row_of(y, b, p) + q * BLOCK + j), d = load(row_of(dy, b, p) + q * BLOCK + j);
        vi open = ~(vi){0}; /* where nobody has taken the gradient yet */
        for (int r = 0; r < v->r; r++)
            for (int s = 0; s < v->s; s++) {
                vi here = (load(window + r * x.row + s * BLOCK) == most) & open;
                float *to = dwindow + r * dx.row + s * BLOCK;
                store(to, load(to) + keep(d, here));
                open &= ~here;
            }
    }
}

static void sumpool(const struct pool *v, float factor, struct view x, struct view y)
{
    EACH_POOLED(y) {
        const float *window = WINDOW(x);
        vf sum = {0};
        for (int r = 0; r < v->r; r++)
            for (int s = 0; s < v->s; s++)
                sum += load(window + r * x.row + s * BLOCK);
        store(row_of(y, b, p) + q * BLOCK + j, sum * factor);
    }
}

static void sumpool_grad(const struct pool *v, float factor, struct view dy, struct view dx)
{
    EACH_POOLED(dy) {
        float *window = WINDOW(dx);
        vf d = load(row_of(dy, b, p) + q * BLOCK + j) * factor;
        for (int r = 0; r < v->r; r++)
            for (int s = 0; s < v->s; s++) {
                float *to = window + r * dx.row + s * BLOCK;
                store(to, load(to) + d);
            }
    }
}

/* The finaliser "lowbias32" of Chris Wellons' hash prospector. */
INLINE vu hash(vu x)
{
    x ^= x >> 16;
    x *= 0x7feb352dU;
    x ^= x >> 15;
    x *= 0x846ca68bU;
    x ^= x >> 16;
    return x;
}

static void dropout(struct view x, uint32_t key, uint32_t index, uint32_t step, uint32_t threshold,
                    float factor, struct view y)
{
    vu lane;
    for (int k = 0; k < VW; k++)
        lane[k] = (uint32_t)k;
    EACH_LINE(y) {
        const float *from = row_of(x, b, p);
        float *to = row_of(y, b, p);
        uint32_t first = index + (uint32_t)b * step + (uint32_t)(p * y.pixels * BLOCK);
        EACH_VECTOR(y) {
            vi kept = (vi)(hash(hash(lane + (first + (uint32_t)i)) ^ key) >= threshold);
            store(to + i, keep(load(from + i) * factor, kept));
        }
    }
}

INLINE void average(long n, float ema, const float *restrict w, float *restrict a)
{
    for (long i = 0; a && i < n; i++)
        a[i] = w[i] + ema * (a[i] - w[i]);
}

static void adamw(long n, const struct update *u, float *restrict w, const float *restrict g,
                  float *restrict m, float *restrict v, float *restrict a)
{
    const struct update c = *u;
    for (long i = 0; i < n; i++) {
        m[i] += (g[i] - m[i]) * (1 - c.beta1);
        v[i] += (g[i] * g[i] - v[i]) * (1 - c.beta2);
        w[i] -= c.decay * w[i] +
                c.rate * (m[i] * c.correct1) / (__builtin_sqrtf(v[i] * c.correct2) + c.epsilon);
    }
    average(n, u->ema, w, a);
}

static void sgd(long n, const struct update *u, float *restrict w, const float *restrict g,
                float *restrict m, float *restrict a)
{
    const struct update c = *u;
    for (long i = 0; i < n; i++) {
        m[i] = c.beta1 * m[i] + (g[i] + c.decay * w[i]);
        w[i] -= c.rate * m[i];
    }
    average(n, u->ema, w, a);
}

extern const struct kernels NAME(kernels, LEVEL);
const struct kernels NAME(kernels, LEVEL) = {
    .name = TEXT(LEVEL),
    .conv = conv,
    .winograd_weights = winograd_weights,
    .winograd = winograd,
    .winograd_grad = winograd_grad,
    .conv_grad = conv_grad,
    .affine = affine,
    .sums = sums,
    .batchnorm_grad = batchnorm_grad,
    .relu = relu,
    .add = add,
    .maxpool = maxpool,
    .maxpool_grad = maxpool_grad,
    .sumpool = sumpool,
    .sumpool_grad = sumpool_grad,
    .dropout = dropout,
    .adamw = adamw,
    .sgd = sgd,
};
