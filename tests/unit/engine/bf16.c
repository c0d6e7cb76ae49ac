/* The bf16 kernels: every level against the definition in kernel/bf16.h, on random sizes, with poison
 * around each output that must stay as it was. Copies are compared bit for bit, products to what the
 * order of their additions may change. Needs nothing but lib/kernel and lib/engine/kernels.c.
 *
 *     bf16 [-b]    -b: also time each level's convolution
 */
#include "../check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/engine.h"
#include "engine/kernel/bf16.h"

enum { GUARD = 64 };

static const struct kernels16 *level;
static uint32_t state = 1;

/* 0..n-1 */
static int below(int n)
{
    state = state * 1664525u + 1013904223u;
    return (int)((uint64_t)state * (uint32_t)n >> 32);
}

static void *guarded(long n, size_t size)
{
    char *p = aligned_alloc(64, ((size_t)n * size + 2 * GUARD + 63) / 64 * 64);
    memset(p, 0x5a, (size_t)n * size + 2 * GUARD);
    return p + GUARD;
}

static bool intact(const void *buffer, long n, size_t size)
{
    const char *p = (const char *)buffer - GUARD, *end = (const char *)buffer + (size_t)n * size;
    for (int i = 0; i < GUARD; i++)
        if (p[i] != 0x5a || end[i] != 0x5a)
            return false;
    return true;
}

static void release(void *p)
{
    free((char *)p - GUARD);
}

/* Random floats of many sizes, a fifth of them 0. */
static float *random_floats(long n)
{
    float *p = guarded(n, sizeof *p);
    for (long i = 0; i < n; i++)
        p[i] = below(5) ? ldexpf((float)(below(1 << 24) - (1 << 23)), below(20) - 30) : 0;
    return p;
}

/* The definition: to nearest, halves to even. */
static bf16 rounded(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t rest = bits & 0xffff, half = bits >> 16;
    return (bf16)(half + (rest > 0x8000 || (rest == 0x8000 && half & 1)));
}

static double value(bf16 x)
{
    uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* bf16 between -1 and 1. */
static bf16 *random_halves(long n)
{
    bf16 *p = guarded(n, sizeof *p);
    for (long i = 0; i < n; i++)
        p[i] = rounded((float)(below(2001) - 1000) / 1000);
    return p;
}

static bool copies_right(void)
{
    int rows = 1 + below(4), pixels = 1 + below(20), blocks = 1 + below(3);
    long x_row = (pixels + below(3)) * BLOCK, y_pixel = blocks * BLOCK, y_row = pixels * y_pixel;
    long pair_row = (pixels + 1) / 2 * 2 * BLOCK;
    float *x = random_floats(rows * x_row);
    bf16 *y = guarded(rows * y_row, sizeof *y), *z = guarded(rows * pair_row, sizeof *z);
    level->narrow(rows, pixels, x, x_row, y, y_row, y_pixel);
    level->pairs(rows, pixels, x, x_row, z, pair_row);
    bool right = intact(y, rows * y_row, sizeof *y) && intact(z, rows * pair_row, sizeof *z);
    for (int p = 0; p < rows; p++)
        for (int q = 0; q < pixels; q++)
            for (int k = 0; k < BLOCK; k++) {
                bf16 want = rounded(x[p * x_row + q * BLOCK + k]);
                const bf16 *pair = z + p * pair_row + q / 2 * 2 * BLOCK + 2 * k;
                right = right && y[p * y_row + q * y_pixel + k] == want && pair[q % 2] == want &&
                        (q != pixels - 1 || q % 2 || pair[1] == 0);
                for (int b = 1; b < blocks; b++) /* the other channels are not touched */
                    right = right && (q == pixels - 1 ||
                                      y[p * y_row + q * y_pixel + b * BLOCK + k] == 0x5a5a);
            }
    release(x), release(y), release(z);
    return right;
}

static bool turns_right(void)
{
    int n = BLOCK * (1 + below(4));
    long row = 2 * n + 2 * below(5), size = (BLOCK - 1) * row + 2 * n;
    bf16 *x = random_halves((long)n * 2 * BLOCK), *y = guarded(size, sizeof *y);
    level->turn(n, x, y, row);
    bool right = intact(y, size, sizeof *y);
    for (int c = 0; c < BLOCK; c++)
        for (int i = 0; i < 2 * n; i++)
            right = right && y[c * row + i] == x[(i / 2 * BLOCK + c) * 2 + i % 2];
    release(x), release(y);
    return right;
}

/* NaN stays NaN, infinities stay, and what is too large for a half becomes one. */
static bool limits_right(void)
{
    float x[BLOCK] = {NAN, INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 1, -0.0f};
    uint32_t odd = 0x7f800001; /* a NaN whose upper half is infinity */
    bf16 y[BLOCK], z[2 * BLOCK];
    memcpy(&x[7], &odd, sizeof odd);
    level->narrow(1, 1, x, 0, y, 0, 0);
    level->pairs(1, 1, x, 0, z, 0);
    bool right = isnan(value(y[0])) && isnan(value(y[7])) && isnan(value(z[0])) && isnan(value(z[14]));
    for (int i = 1; i < 7; i++)
        right = right && y[i] == rounded(x[i]) && z[2 * i] == y[i];
    return right;
}

/* What conv defines, in double precision; *scale: the sum of the products' sizes. */
static double wanted(const struct conv *v, const bf16 *x, int b, int p, int q, int k, double start,
                     double *scale)
{
    double sum = start;
    *scale = fabs(start);
    for (int i = 0; i < v->runs; i++)
        for (int j = 0; j < v->run; j++) {
            long run = ((long)b * v->runs + i) * (v->run / 2);
            double product = value(x[p * v->x_row + q * v->x_pixel + v->offset[i] + j]) *
                             value(v->w16[((run + j / 2) * BLOCK + k) * 2 + j % 2]);
            sum += product;
            *scale += fabs(product);
        }
    return v->relu && !(sum > 0) ? 0 : sum;
}

/* A convolution of random shape, or a gradient's product that adds; the largest error in units of its
 * sum's size, or 1 where something else was written. */
static double conv_error(void)
{
    static const int sizes[] = {8, 12, 16, 24, 32, 48, 3, 13};
    int offset[3], blocks = 1 + below(5);
    struct conv v = {.blocks = blocks, .rows = 1 + below(4), .pixels = 1 + below(40),
                       .runs = 1 + below(3), .run = 2 * sizes[below(8)], .offset = offset,
                       .relu = below(2)};
    v.add = below(3) == 0;
    v.pixels = v.add ? 1 + below(BLOCK) : v.pixels;
    v.x_pixel = 2 * (1 + below(40));
    v.x_row = v.pixels * v.x_pixel + below(9);
    for (int i = 0; i < v.runs; i++)
        offset[i] = below(100);
    v.y_row = (v.pixels + below(2)) * BLOCK;
    v.y_block = v.rows * v.y_row;
    long x_size = v.rows * v.x_row + v.pixels * v.x_pixel + 100 + v.run;
    long y_size = v.blocks * v.y_block;
    bf16 *x = random_halves(x_size);
    bf16 *w = random_halves((long)blocks * v.runs * v.run * BLOCK);
    float *bias = random_floats(blocks * BLOCK), *y = random_floats(y_size);
    float *before = malloc((size_t)y_size * sizeof *before);
    memcpy(before, y, (size_t)y_size * sizeof *y);
    v.w16 = w;
    v.bias = below(2) ? bias : NULL;
    level->conv(&v, x, y);
    double worst = intact(y, y_size, sizeof *y) ? 0 : 1, scale;
    for (int b = 0; b < blocks; b++)
        for (int p = 0; p < v.rows; p++)
            for (int q = 0; q < v.y_row / BLOCK; q++)
                for (int k = 0; k < BLOCK; k++) {
                    long at = b * v.y_block + p * v.y_row + q * BLOCK + k;
                    double start = v.add ? before[at] : v.bias ? bias[b * BLOCK + k] : 0;
                    if (q >= v.pixels)
                        worst = y[at] == before[at] ? worst : 1;
                    else
                        worst = fmax(worst, fabs(y[at] - wanted(&v, x, b, p, q, k, start, &scale)) /
                                                fmax(scale, 1e-30));
                }
    release(x), release(w), release(bias), release(y);
    free(before);
    return worst;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void time_conv(int c, int blocks, int side)
{
    int offset[3], wide = side + 2;
    struct conv v = {.blocks = blocks, .rows = side, .pixels = side, .runs = 3,
                       .run = 3 * c, .offset = offset, .x_row = wide * c, .x_pixel = c,
                       .y_row = side * BLOCK, .y_block = (long)side * side * BLOCK};
    for (int i = 0; i < 3; i++)
        offset[i] = i * wide * c;
    bf16 *x = random_halves((long)wide * wide * c), *w = random_halves(9L * c * blocks * BLOCK);
    float *y = random_floats(blocks * v.y_block);
    double best = 1e9;
    v.w16 = w;
    for (int i = 0; i < 400; i++) {
        double start = now();
        level->conv(&v, x, y);
        best = fmin(best, now() - start);
    }
    printf("# %s: %dx%d, %d to %d channels: %.0f GFLOP/s\n", level->name, side, side, c,
           blocks * BLOCK, 2e-9 * side * side * 9 * c * blocks * BLOCK / best);
    release(x), release(w), release(y);
}

static void check_level(void)
{
    bool copies = true, turns = true;
    double worst = 0;
    for (int i = 0; i < 200; i++) {
        copies = copies && copies_right();
        turns = turns && turns_right();
        worst = fmax(worst, conv_error());
    }
    CHECK(copies, "%s: copies are rounded to nearest", level->name);
    CHECK(turns, "%s: pairs are turned", level->name);
    CHECK(limits_right(), "%s: NaN, infinities and the largest floats", level->name);
    CHECK(worst < 2e-6, "%s: products (%.1e)", level->name, worst);
}

int main(int argc, char **argv)
{
    static const char *const levels[] = {"portable", "avx512bf16", "amx"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        level = kernel16_named(kernel_best(), levels[i]);
        if (!level)
            continue;
        check_level();
        if (argc > 1 && !strcmp(argv[1], "-b")) {
            time_conv(32, 2, 24);
            time_conv(32, 4, 10);
            time_conv(64, 4, 8);
        }
    }
    CHECK(kernel16_named(kernel_named("portable"), NULL) == kernel16_named(kernel_best(), "portable"),
          "no bf16 level is above the other kernels'");
    return check_done();
}
