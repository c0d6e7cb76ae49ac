/* The int8 kernels of every level against the definition, number by number, on random sizes, with
 * poison around each output that must stay as it was. Needs nothing but lib/kernel and
 * lib/engine/kernels.c, so that it can be built for another machine and run in an emulator.
 *
 *     int8 [-b]    -b: also time each level's convolution
 */
#include "../check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/engine.h"
#include "engine/kernel/int8.h"

enum { GUARD = 256, POISON = 0xa5 };

static uint32_t state = 1;

/* 0..n-1 */
static int below(int n)
{
    state = state * 1664525u + 1013904223u;
    return (int)((uint64_t)state * (uint32_t)n >> 32);
}

static uint8_t *bytes(long n, bool random)
{
    uint8_t *p = malloc((size_t)(n + 2 * GUARD));
    for (long i = 0; i < n + 2 * GUARD; i++)
        p[i] = random ? (uint8_t)(below(4) ? below(256) : 255) : POISON;
    return p + GUARD;
}

static void release(void *p)
{
    free((uint8_t *)p - GUARD);
}

static bool same(const uint8_t *a, const uint8_t *b, long n)
{
    return !memcmp(a - GUARD, b - GUARD, (size_t)(n + 2 * GUARD));
}

/* As int8.h says it. */
static uint8_t rounded(float x, int zero, int low)
{
    double y = rint(fmin(fmax(x, -1e6), 1e6)) + zero;
    return (uint8_t)fmin(fmax(y, low), 255);
}

static void define_conv(const struct conv8 *v, const uint8_t *x, void *y)
{
    for (int b = 0; b < v->blocks; b++)
        for (int p = 0; p < v->rows; p++)
            for (int q = 0; q < v->pixels; q++)
                for (int k = 0; k < BLOCK; k++) {
                    int32_t sum = v->bias[b * BLOCK + k];
                    for (int i = 0; i < v->runs; i++)
                        for (int j = 0; j < QUAD * v->quads; j++)
                            sum += x[p * v->x_row + q * v->x_pixel + v->offset[i] + j] *
                                   v->w[((((long)b * v->runs + i) * v->quads + j / QUAD) * BLOCK + k) * QUAD + j % QUAD];
                    long at = p * v->y_row + q * v->y_pixel + b * BLOCK + k;
                    sum = v->rectify && sum < 0 ? 0 : sum;
                    float scaled = (float)sum * v->factor[b * BLOCK + k];
                    if (v->add) {
                        int more = v->add[p * v->add_row + q * v->y_pixel + b * BLOCK + k] - v->add_zero;
                        scaled += (float)more * v->add_factor;
                    }
                    if (v->real)
                        ((float *)y)[at] = scaled;
                    else
                        ((uint8_t *)y)[at] = rounded(scaled, v->zero, v->low);
                }
}

/* A convolution of random shape with its operands; its output has `size` bytes. */
struct problem {
    struct conv8 v;
    int8_t *w;
    int32_t *bias;
    float *factor;
    int offset[8];
    uint8_t *x, *add;
    long size;
};

static struct problem random_problem(void)
{
    struct problem m = {.v = {.blocks = 1 + below(5), .rows = 1 + below(6), .pixels = 1 + below(40),
                              .runs = 1 + below(4), .zero = below(3) ? 0 : below(256),
                              .real = !below(4), .narrow = !below(3)}};
    struct conv8 *v = &m.v;
    bool dense = !below(4);
    int channels = below(4) ? BLOCK * (1 + below(4)) : 1;
    v->quads = kernel_words(channels == 1 ? 1 + below(2) : (1 + below(3)) * channels / QUAD);
    v->low = below(2) ? v->zero : 0;
    if (dense) {
        v->rows = 1;
        v->pixels = below(2) ? 1 : v->pixels;
    }
    v->x_pixel = dense ? v->quads * QUAD : channels * (1 + below(2));
    v->x_row = v->pixels * v->x_pixel + below(64);
    v->y_pixel = v->blocks * BLOCK;
    v->y_row = v->pixels * v->y_pixel + BLOCK * below(3);
    for (int i = 0; i < v->runs; i++)
        m.offset[i] = below((int)v->x_row + 1);
    v->offset = m.offset;
    v->add_row = v->y_row + BLOCK * below(3);
    m.add = bytes(v->rows * v->add_row, true);
    v->rectify = below(2);
    if (below(2)) {
        v->add = m.add;
        v->add_zero = below(2) ? 0 : below(256);
        v->add_factor = (float)(1 + below(300)) / 100;
    }
    m.size = v->rows * v->y_row * (v->real ? 4 : 1);
    long weights = (long)v->blocks * v->runs * v->quads * BLOCK * QUAD;
    m.x = bytes((v->rows + 1) * v->x_row + v->pixels * v->x_pixel + QUAD * v->quads, true);
    m.w = aligned_alloc(64, (size_t)weights);
    m.bias = malloc((size_t)v->blocks * BLOCK * sizeof *m.bias);
    m.factor = malloc((size_t)v->blocks * BLOCK * sizeof *m.factor);
    for (long i = 0; i < weights; i++)
        m.w[i] = (int8_t)(v->narrow ? below(129) - 64 : below(3) ? below(256) - 128 : 127);
    for (int k = 0; k < v->blocks * BLOCK; k++) {
        m.bias[k] = below(200001) - 100000;
        m.factor[k] = below(20) ? (float)(1 + below(1000)) / 4e6f : below(2) ? 20.0f : 0.5f;
    }
    v->w = m.w;
    v->bias = m.bias;
    v->factor = m.factor;
    return m;
}

static void free_problem(struct problem *m)
{
    release(m->x);
    release(m->add);
    free(m->w);
    free(m->bias);
    free(m->factor);
}

static bool check_conv(const struct kernels8 *k)
{
    struct problem m = random_problem();
    m.v.offset = m.offset;
    uint8_t *a = bytes(m.size, false), *b = bytes(m.size, false);
    define_conv(&m.v, m.x, a);
    k->conv(&m.v, m.x, b);
    bool equal = same(a, b, m.size);
    release(a);
    release(b);
    free_problem(&m);
    return equal;
}

static bool check_maxpool(const struct kernels8 *k)
{
    long pixel = below(3) ? BLOCK * (1 + below(4)) : 1;
    int rows = 1 + below(6), pixels = 1 + below(9);
    struct pool v = {1 + below(3), 1 + below(3), 1 + below(3), 1 + below(3)};
    long x_row = (pixels * v.stride_w + v.s) * pixel + below(32), y_row = pixels * pixel + below(32);
    long size = rows * y_row;
    uint8_t *x = bytes((rows * v.stride_h + v.r) * x_row, true);
    uint8_t *a = bytes(size, false), *b = bytes(size, false);
    for (int p = 0; p < rows; p++)
        for (long i = 0; i < pixels * pixel; i++) {
            uint8_t *most = &a[p * y_row + i];
            *most = 0;
            for (int r = 0; r < v.r; r++)
                for (int s = 0; s < v.s; s++) {
                    uint8_t xi = x[(p * v.stride_h + r) * x_row +
                                   (i / pixel * v.stride_w + s) * pixel + i % pixel];
                    *most = xi > *most ? xi : *most;
                }
        }
    k->maxpool(&v, rows, pixels, x, x_row, b, y_row, pixel);
    bool equal = same(a, b, size);
    release(x);
    release(a);
    release(b);
    return equal;
}

static bool check_quantize(const struct kernels8 *k)
{
    long n = 1 + below(200);
    int zero = below(256);
    float *x = malloc((size_t)n * sizeof *x), scale = (float)(1 + below(100)) / 64;
    for (long i = 0; i < n; i++) /* many of them halves */
        x[i] = below(20) ? scale * (float)(below(1024) - 512) / 2 : below(2) ? -1e30f : 1e30f;
    uint8_t *a = bytes(n, false), *b = bytes(n, false);
    for (long i = 0; i < n; i++)
        a[i] = rounded(x[i] / scale, zero, 0);
    k->quantize(n, x, scale, zero, b);
    bool equal = same(a, b, n);
    release(a);
    release(b);
    free(x);
    return equal;
}

static void check_level(const struct kernels8 *k)
{
    static const struct {
        const char *name;
        bool (*check)(const struct kernels8 *k);
    } checks[] = {{"conv", check_conv}, {"maxpool", check_maxpool}, {"quantize", check_quantize}};
    for (size_t c = 0; c < sizeof checks / sizeof *checks; c++) {
        int wrong = 0;
        for (int i = 0; i < 300; i++)
            wrong += !checks[c].check(k);
        CHECK(!wrong, "%s: %s gives the same numbers as its definition (%d of 300 differ)", k->name,
              checks[c].name, wrong);
    }
}

static void bench(const struct kernels8 *k)
{
    enum { SIDE = 24, C = 32, K = 32, ROUNDS = 200 };
    static uint8_t x[(SIDE + 2) * (SIDE + 2) * C + INT8_SLACK], y[SIDE * SIDE * K];
    static int8_t w[K * 9 * C];
    static int32_t bias[K];
    static float factor[K];
    const int row = (SIDE + 2) * C, offset[3] = {0, row, 2 * row};
    struct conv8 v = {.blocks = K / BLOCK, .rows = SIDE, .pixels = SIDE, .runs = 3,
                      .quads = kernel_words(3 * C / QUAD), .offset = offset, .x_row = row, .x_pixel = C,
                      .y_row = SIDE * K, .y_pixel = K, .w = w, .bias = bias, .factor = factor};
    double best = 1e9;
    for (int t = 0; t < 20; t++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (int i = 0; i < ROUNDS; i++)
            k->conv(&v, x, y);
        clock_gettime(CLOCK_MONOTONIC, &b);
        best = fmin(best, (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec));
    }
    printf("# %s: conv %.0f billion multiplies a second\n", k->name,
           1e-9 * SIDE * SIDE * K * 9.0 * C * ROUNDS / best);
}

int main(int argc, char **argv)
{
    static const char *const levels[] = {"portable", "avx2", "avx2vnni", "avx512vnni", "amx",
                                         "neondot"};
    int found = 0;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        const struct kernels8 *k = kernel8_named(kernel_best(), levels[i]);
        if (!k)
            continue;
        found++;
        check_level(k);
        if (argc > 1 && !strcmp(argv[1], "-b"))
            bench(k);
    }
    CHECK(found && kernel8_named(kernel_best(), "portable"), "%d levels on this CPU", found);
    CHECK(!kernel8_named(kernel_best(), "none"), "a level of another name is none");
    CHECK(!strcmp(kernel8_named(kernel_named("portable"), NULL)->name, "portable"),
          "the portable level keeps to itself");
    CHECK(kernel_words(1) == 1 && kernel_words(16) == 16 && kernel_words(24) == 24 &&
              kernel_words(17) == 18 && kernel_words(100) == 105,
          "runs are divided in equal steps");
    return check_done();
}
