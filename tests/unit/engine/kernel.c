/* Every level's kernels against the portable ones, on random sizes, with poison around each output
 * that must stay as it was. Needs nothing but lib/kernel and lib/engine/kernels.c, so that it can be built
 * for another machine and run in an emulator.
 *
 *     kernel [-b]    -b: also time each level's convolution
 */
#include "../check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/engine.h"
#include "engine/kernel/kernel.h"

#define POISON 12345.0f
enum { GUARD = 64, BIG = 1 << 17 };

static const struct kernels *plain, *level;
static uint32_t state = 1;

/* 0..n-1 */
static int below(int n)
{
    state = state * 1664525u + 1013904223u;
    return (int)((uint64_t)state * (uint32_t)n >> 32);
}

/* A buffer of random values between -1 and 1, a third of them 0, inside a guard. */
static float *random_floats(long n)
{
    float *p = malloc((size_t)(n + 2 * GUARD) * sizeof *p);
    for (long i = 0; i < n + 2 * GUARD; i++)
        p[i] = below(3) ? (float)(below(2001) - 1000) / 1000 : 0;
    return p + GUARD;
}

static float *poisoned(long n)
{
    float *p = malloc((size_t)(n + 2 * GUARD) * sizeof *p);
    for (long i = 0; i < n + 2 * GUARD; i++)
        p[i] = POISON;
    return p + GUARD;
}

static void release(float *p)
{
    free(p - GUARD);
}

/* The largest difference between two outputs of n floats, guards included. */
static double difference(const float *a, const float *b, long n)
{
    double worst = 0;
    for (long i = -GUARD; i < n + GUARD; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (!(d <= worst)) /* NaN too; and GCC 12 for aarch64 dies of fmax here */
            worst = d;
    }
    return worst;
}

/* A random block geometry: rows of pixels with space between the rows. */
struct place {
    int rows, pixels;
    long row, size;
};

static struct place random_place(void)
{
    struct place p = {.rows = 1 + below(9), .pixels = 1 + below(30)};
    p.row = (p.pixels + below(4)) * BLOCK;
    p.size = p.rows * p.row;
    return p;
}

/* Blocks of that geometry, one behind another. */
static struct view view_of(float *p, int blocks, struct place y)
{
    return (struct view){p, blocks, y.rows, y.pixels, y.row, y.size};
}

static double check_conv(void)
{
    int blocks = 1 + below(5), r = 1 + below(3), channels = 1 + below(3), flat = below(2);
    int stride = 1 + below(3);
    struct place y = random_place();
    long x_row = (y.pixels * stride + r) * (flat ? 1 : BLOCK), x_block = (y.rows + r) * x_row;
    int offset[64], runs = 0;
    for (int c = 0; c < (flat ? 1 : channels); c++)
        for (int i = 0; i < r * r; i++)
            offset[runs++] = (int)(c * x_block + i / r * x_row + i % r * (flat ? 1 : BLOCK));
    int run = flat ? 1 : below(2) ? BLOCK : 1 + below(BLOCK);
    float *x = random_floats(4 * x_block + BIG / 8), *w = random_floats((long)blocks * runs * run * BLOCK);
    float *bias = random_floats(3L * blocks * BLOCK);
    struct conv v = {.blocks = blocks, .rows = y.rows, .pixels = y.pixels, .runs = runs, .run = run,
                     .offset = offset, .x_row = x_row, .x_pixel = stride * (flat ? 1 : BLOCK),
                     .y_block = y.size, .y_row = y.row, .w = w, .bias = below(2) ? bias : NULL,
                     .relu = below(2), .scale = below(2) ? bias + blocks * BLOCK : NULL,
                     .shift = bias + 2 * blocks * BLOCK};
    float *a = poisoned(blocks * y.size), *b = poisoned(blocks * y.size);
    plain->conv(&v, x, a);
    level->conv(&v, x, b);
    double d = difference(a, b, blocks * y.size);
    release(x), release(w), release(bias), release(a), release(b);
    return d;
}

/* Winograd's convolution of some images against the portable direct one: plain, pooled, dilated,
 * or added to other images. */
static double check_winograd(void)
{
    int blocks = 1 + below(5), in_blocks = 1 + below(3), images = 1 + below(3), d = 1 + below(4);
    bool pool = d == 1 && below(2), sum = !pool && below(2);
    struct place y = random_place();
    const struct pool half = {.r = 2, .s = 2, .stride_h = 2, .stride_w = 2};
    long x_row = (y.pixels + 2 * d + below(2)) * BLOCK, x_block = (y.rows + 2 * d) * x_row;
    long x_image = in_blocks * x_block, y_image = blocks * y.size;
    int direct[3 * 9], offset[3], tiles = 1 + below(30);
    for (int i = 0; i < in_blocks * 9; i++)
        direct[i] = (int)(i / 9 * x_block + i % 9 / 3 * d * x_row + i % 3 * d * BLOCK);
    for (int i = 0; i < in_blocks; i++)
        offset[i] = i * tiles * BLOCK;
    long size = (long)blocks * in_blocks * BLOCK * BLOCK;
    float *x = random_floats(images * x_image), *w = random_floats(9 * size);
    float *u = poisoned(36 * size), *bias = random_floats(3L * blocks * BLOCK);
    float *scratch = poisoned(winograd_scratch(in_blocks, tiles));
    float *a = poisoned(images * y_image), *b = poisoned(images * y_image), *c = poisoned(y_image);
    float *other = random_floats(images * y_image);
    struct conv v = {.blocks = blocks, .rows = y.rows, .pixels = y.pixels, .runs = in_blocks * 9,
                     .run = BLOCK, .offset = direct, .x_row = x_row, .x_pixel = BLOCK,
                     .y_block = y.size, .y_row = y.row, .w = w, .bias = below(2) ? bias : NULL,
                     .relu = below(2), .scale = below(2) ? bias + blocks * BLOCK : NULL,
                     .shift = bias + 2 * blocks * BLOCK};
    struct winograd fast = {.conv = v, .x_image = x_image, .x_block = x_block, .y_image = y_image,
                            .count = images * winograd_tiles(y.rows, y.pixels, d), .dilation = d,
                            .pool = pool, .add = sum ? other : NULL, .relu_sum = below(2),
                            .add_image = y_image, .add_block = y.size, .add_row = y.row,
                            .tiles = tiles, .scratch = scratch};
    fast.conv.runs = in_blocks;
    fast.conv.offset = offset;
    fast.conv.w = u;
    for (int i = 0; i < images; i++) {
        plain->conv(&v, x + i * x_image, pool ? c : a + i * y_image);
        struct view to = view_of(a + i * y_image, blocks, y), small = to;
        small.rows /= 2;
        small.pixels /= 2;
        if (pool)
            plain->maxpool(&half, view_of(c, blocks, y), small);
        if (sum)
            plain->add(to, view_of(other + i * y_image, blocks, y), fast.relu_sum, to);
    }
    level->winograd_weights(blocks * in_blocks, blocks * in_blocks, w, u);
    level->winograd(&fast, x, b);
    double worst = difference(a, b, images * y_image);
    if (u[-1] != POISON || u[36 * size] != POISON || scratch[-1] != POISON ||
        scratch[winograd_scratch(in_blocks, tiles)] != POISON)
        worst = POISON;
    release(x), release(w), release(u), release(bias), release(scratch);
    release(a), release(b), release(c), release(other);
    return worst;
}

static double check_conv_grad(void)
{
    int blocks = 1 + below(4), runs = 1 + below(4), run = 1 + below(BLOCK);
    struct place y = random_place();
    int offset[4] = {0, BLOCK, (int)y.row, (int)y.row + BLOCK};
    float *x = random_floats(y.size + y.row + 2 * BLOCK), *dy = random_floats(blocks * y.size);
    long n = (long)blocks * runs * run * BLOCK;
    struct conv v = {.blocks = blocks, .rows = y.rows, .pixels = y.pixels, .runs = runs, .run = run,
                     .offset = offset, .x_row = y.row, .x_pixel = BLOCK, .y_block = y.size, .y_row = y.row};
    bool first = below(2);
    float *a = poisoned(n), *b = poisoned(n);
    for (long i = 0; i < n; i++)
        a[i] = b[i] = (float)i / (float)n;
    plain->conv_grad(&v, first, x, dy, a);
    level->conv_grad(&v, first, x, dy, b);
    double d = difference(a, b, n);
    release(x), release(dy), release(a), release(b);
    return d;
}

/* Winograd's gradient of some images against the portable direct one. */
static double check_winograd_grad(void)
{
    int blocks = 1 + below(5), in_blocks = 1 + below(3), images = 1 + below(4), d = 1 + below(4);
    struct place y = random_place();
    long x_row = (y.pixels + 2 * d + below(2)) * BLOCK, x_block = (y.rows + 2 * d) * x_row;
    long x_image = in_blocks * x_block, dy_image = blocks * y.size;
    int direct[3 * 9], offset[3], tiles = 1 + below(40);
    for (int i = 0; i < in_blocks * 9; i++)
        direct[i] = (int)(i / 9 * x_block + i % 9 / 3 * d * x_row + i % 3 * d * BLOCK);
    for (int i = 0; i < in_blocks; i++)
        offset[i] = i * tiles * BLOCK;
    long n = 9L * blocks * in_blocks * BLOCK * BLOCK;
    long room = winograd_grad_scratch(blocks, in_blocks, tiles);
    float *x = random_floats(images * x_image), *dy = random_floats(images * dy_image);
    float *a = poisoned(n), *b = poisoned(n), *scratch = poisoned(room);
    struct conv v = {.blocks = blocks, .rows = y.rows, .pixels = y.pixels, .runs = in_blocks * 9,
                     .run = BLOCK, .offset = direct, .x_row = x_row, .x_pixel = BLOCK, .y_block = y.size,
                     .y_row = y.row};
    struct winograd fast = {.conv = {.blocks = blocks, .rows = y.rows, .pixels = y.pixels,
                                     .runs = in_blocks, .offset = offset, .x_row = x_row,
                                     .y_block = y.size, .y_row = y.row},
                            .dilation = d, .x_block = x_block, .tiles = tiles, .scratch = scratch};
    for (int i = 0; i < images; i++) {
        plain->conv_grad(&v, i == 0, x + i * x_image, dy + i * dy_image, a);
        level->winograd_grad(&fast, i, i == images - 1, x + i * x_image, dy + i * dy_image, b);
    }
    double worst = scratch[-1] != POISON || scratch[room] != POISON ? POISON : difference(a, b, n);
    release(x), release(dy), release(a), release(b), release(scratch);
    return worst;
}

/* Call `run` with both levels on copies of the same output; x, dy are inputs. */
#define COMPARE(n, call)                                                                           \
    do {                                                                                           \
        float *a = poisoned(n), *b = poisoned(n), *y = a;                                          \
        const struct kernels *k = plain;                                                           \
        call;                                                                                      \
        y = b;                                                                                     \
        k = level;                                                                                 \
        call;                                                                                      \
        worst = fmax(worst, difference(a, b, n));                                                  \
        release(a), release(b);                                                                    \
    } while (0)

static double check_pointwise(void)
{
    struct place p = random_place();
    int blocks = 1 + below(3), channels = blocks * BLOCK;
    long size = blocks * p.size;
    float *x = random_floats(size), *dy = random_floats(size), *v = random_floats(3L * channels);
    const float *w = v + channels, *u = w + channels;
    struct view from = view_of(x, blocks, p), dfrom = view_of(dy, blocks, p);
    double worst = 0;
#define TO view_of(y, blocks, p)
    COMPARE(size, k->affine(from, v, w, p.rows & 1, TO));
    COMPARE(2 * channels, k->sums(from, from, NULL, y, y + channels));
    COMPARE(2 * channels, k->sums(dfrom, from, v, y, y + channels));
    COMPARE(size, k->batchnorm_grad(dfrom, from, v, w, u, p.rows & 1, TO));
    COMPARE(size, k->relu(from, from, TO));
    COMPARE(size, k->relu(dfrom, from, TO));
    COMPARE(size, k->add(from, dfrom, p.rows & 1, TO));
    COMPARE(size, k->dropout(from, 77, 1000, 5000, 1u << 30, 4 / 3.f, TO));
#undef TO
    release(x), release(dy), release(v);
    return worst;
}

static double check_pools(void)
{
    struct pool v = {1 + below(3), 1 + below(3), 1 + below(3), 1 + below(3)};
    struct place out = random_place(), in = {0};
    int blocks = 1 + below(3);
    in.row = ((out.pixels - 1) * v.stride_w + v.s) * BLOCK;
    in.size = ((out.rows - 1) * v.stride_h + v.r) * in.row;
    long n = blocks * in.size, size = blocks * out.size;
    float *x = random_floats(n), *dy = random_floats(size), *most = poisoned(size);
    struct view from = view_of(x, blocks, in), dfrom = view_of(dy, blocks, out);
    struct view found = view_of(most, blocks, out);
    double worst = 0;
    plain->maxpool(&v, from, found);
    COMPARE(size, k->maxpool(&v, from, view_of(y, blocks, out)));
    COMPARE(size, k->sumpool(&v, 0.25f, from, view_of(y, blocks, out)));
    COMPARE(n, k->maxpool_grad(&v, from, found, dfrom, view_of(y, blocks, in)));
    COMPARE(n, k->sumpool_grad(&v, 0.25f, dfrom, view_of(y, blocks, in)));
    release(x), release(dy), release(most);
    return worst;
}

static double check_updates(void)
{
    long n = 1 + below(1000);
    struct update u = {.rate = 0.01f, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-8f,
                       .decay = 0.001f, .correct1 = 2, .correct2 = 3, .ema = 0.9f};
    float *g = random_floats(n), *start = random_floats(4 * n);
    double worst = 0;
    for (long i = 2 * n; i < 3 * n; i++)
        start[i] = fabsf(start[i]) + 0.1f;
    COMPARE(4 * n, (memcpy(y, start, (size_t)(4 * n) * sizeof *y),
                    k->adamw(n, &u, y, g, y + n, y + 2 * n, y + 3 * n)));
    COMPARE(4 * n, (memcpy(y, start, (size_t)(4 * n) * sizeof *y),
                    k->sgd(n, &u, y, g, y + n, y + 2 * n)));
    release(g), release(start);
    return worst;
}

static void check(const char *name, double (*once)(void), double allowed)
{
    double worst = 0;
    for (int i = 0; i < 200; i++)
        worst = fmax(worst, once());
    CHECK(worst <= allowed, "%s: %s as the portable one (differs by %.1e)", level->name, name, worst);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* GFLOP/s of seed.net's 3x3 convolutions, by the definition and by Winograd's algorithm (counted as
 * if it did all the multiplications). */
static void time_conv(int in_blocks, int blocks, int side, int images, int tiles)
{
    int direct[4 * 9], offset[4];
    long x_row = (side + 2) * BLOCK, x_block = (side + 2) * x_row, y_block = (long)side * side * BLOCK;
    for (int i = 0; i < in_blocks * 9; i++)
        direct[i] = (int)(i / 9 * x_block + i % 9 / 3 * x_row + i % 3 * BLOCK);
    for (int i = 0; i < in_blocks; i++)
        offset[i] = i * tiles * BLOCK;
    long size = (long)in_blocks * blocks * BLOCK * BLOCK;
    float *x = random_floats(images * in_blocks * x_block), *w = random_floats(9 * size);
    float *y = poisoned(images * blocks * y_block), *u = poisoned(36 * size);
    float *scratch = poisoned(winograd_scratch(in_blocks, tiles));
    struct conv v = {.blocks = blocks, .rows = side, .pixels = side, .runs = in_blocks * 9,
                     .run = BLOCK, .offset = direct, .x_row = x_row, .x_pixel = BLOCK,
                     .y_block = y_block, .y_row = side * BLOCK, .w = w};
    struct winograd fast = {.conv = v, .count = images * winograd_tiles(side, side, 1),
                            .dilation = 1, .x_image = in_blocks * x_block, .x_block = x_block,
                            .y_image = blocks * y_block, .tiles = tiles, .scratch = scratch};
    fast.conv.runs = in_blocks;
    fast.conv.offset = offset;
    fast.conv.w = u;
    level->winograd_weights(blocks * in_blocks, blocks * in_blocks, w, u);
    double best[2] = {1e9, 1e9};
    for (int i = 0; i < 400; i++) {
        double start = now();
        if (i & 1)
            level->winograd(&fast, x, y);
        else
            for (int j = 0; j < images; j++)
                level->conv(&v, x + j * fast.x_image, y + j * fast.y_image);
        best[i & 1] = fmin(best[i & 1], now() - start);
    }
    double flop = 2.0 * images * side * side * 9 * in_blocks * blocks * BLOCK * BLOCK * 1e-9;
    printf("# %s: %d images %dx%d, %d to %d channels, %d tiles: %.1f GFLOP/s, Winograd %.1f\n",
           level->name, images, side, side, in_blocks * BLOCK, blocks * BLOCK, tiles,
           flop / best[0], flop / best[1]);
    release(x), release(w), release(y), release(u), release(scratch);
}

int main(int argc, char **argv)
{
    static const char *const levels[] = {"portable", "avx2", "avx512", "neon"};
    plain = kernel_named("portable");
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        level = kernel_named(levels[i]);
        if (!level)
            continue;
        check("conv", check_conv, 2e-4);
        check("winograd", check_winograd, 2e-4);
        check("conv_grad", check_conv_grad, 2e-4);
        check("winograd_grad", check_winograd_grad, 1e-3);
        check("pointwise", check_pointwise, 1e-4);
        check("pools", check_pools, 1e-5);
        check("updates", check_updates, 1e-5);
        if (argc > 1 && !strcmp(argv[1], "-b")) {
            time_conv(2, 2, 24, 1, 36);
            time_conv(2, 4, 10, 8, 36);
            time_conv(4, 4, 8, 8, 36);
        }
    }
    return check_done();
}
