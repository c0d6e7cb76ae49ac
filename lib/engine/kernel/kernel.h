/* The kernels: the inner loops, written once in kernel.c in GNU C vector types and compiled once
 * per instruction-set level into a table of function pointers. kernel_best() chooses at run time;
 * nothing else asks about the CPU.
 *
 * Activations are blocked: channels in blocks of BLOCK, [C/BLOCK][H][W][BLOCK], the same at every
 * level, the last block filled with zeros. A "pixel" below is the BLOCK channels at one place, a
 * "row" is W pixels; operands say how many floats lie between their rows (a tensor may have a
 * border of zeros around it). Sums run in the same order at every tile size, so that a result does
 * not depend on how many pixels are asked for at once. */
#ifndef INKPIPE_KERNEL_H
#define INKPIPE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK 16 /* Channels of a block: NET_BLOCK. */

typedef uint16_t bf16; /* a float's upper half: bf16.h */

#define STEP_WORDS 16 /* A level takes at most so many words, of four bytes or of two bf16, at once. */

/* `words` rounded up so that equal steps of at most STEP_WORDS make them. */
int kernel_words(long words);

/* A convolution of one image, or a dense layer over many (rows 1, pixels = images): implicit GEMM
 * with a table of offsets. For every output block b, row p, pixel q and lane k
 *
 *     y[b][p][q][k] = f(bias[b][k] + sum over i < runs, c < run of
 *                       x[p * x_row + q * x_pixel + offset[i] + c] * w[b][i][c][k])
 *
 * where f is nothing, relu, or (relu and then) scale[b][k] * . + shift[b][k]. */
struct conv {
    int blocks, rows, pixels; /* of the output */
    int runs, run;            /* runs of `run` channels that lie side by side */
    const int *offset;        /* [runs], in floats */
    long x_row, x_pixel;      /* floats between the inputs of neighbouring outputs */
    long y_block, y_row;      /* floats; pixels of y are BLOCK apart */
    const float *w;           /* [blocks][runs][run][BLOCK] */
    const bf16 *w16;          /* instead, where x is bf16: [blocks][runs][run / 2][BLOCK][2] */
    const float *bias;        /* [blocks][BLOCK], or NULL: 0 */
    bool relu, add;           /* add: to y, which takes the place of the bias; where x is bf16 */
    const float *scale, *shift; /* [blocks][BLOCK], or NULL */
};

/* A 3x3 convolution of stride 1 over some images by Winograd's algorithm (winograd.h),
 * with fewer multiplications and a larger error than conv (about 1e-6 of the sums' size); then, if asked, the
 * maximum of each 2x2, or a sum with another image and its relu. A convolution of dilation d is d * d plain
 * ones, each on every d-th pixel of every d-th row. Results do not depend on what is made at once. */
struct winograd {
    struct conv conv; /* blocks; rows and pixels before the pool; relu, bias, scale and shift; x_row,
                         y_block, y_row of x and y; runs: blocks of input channels; offset[i] =
                         i * tiles * BLOCK; w: [36][blocks][runs][BLOCK][BLOCK] */
    int dilation;     /* at least 1 */
    int count;        /* tiles of 4x4 outputs of all images; winograd_tiles an image */
    long x_image, x_block, y_image; /* floats */
    bool pool;        /* without dilation */
    const float *add; /* what the result is added to, or NULL; floats between its parts */
    long add_image, add_block, add_row;
    bool relu_sum;    /* y = max(sum, 0) */
    int tiles;      /* of 4x4 outputs that go through it at once */
    float *scratch; /* winograd_scratch(runs, tiles) floats */
};

/* At most so many tiles go through Winograd's algorithm at once: what lies between its stages then stays
 * in the second-level cache. */
#define WINOGRAD_TILES 36

/* The tiles of an image: of the d * d parts of a convolution of dilation d, which are taken to be alike. */
static inline int winograd_tiles(int rows, int pixels, int d)
{
    return d * d * (((rows + d - 1) / d + 3) / 4) * (((pixels + d - 1) / d + 3) / 4);
}

static inline long winograd_scratch(int runs, int tiles)
{
    return 36L * (runs + 2) * tiles * BLOCK;
}

static inline long winograd_grad_scratch(int blocks, int runs, int tiles)
{
    return 36L * ((blocks + runs) * (long)tiles + (long)blocks * runs * BLOCK) * BLOCK;
}

/* Blocks of pixels of a tensor: of an image, or of some images in a matrix (one row). */
struct view {
    float *p;
    int blocks, rows, pixels;
    long row, block; /* floats from one to the next; pixels are BLOCK apart */
};

/* A pooling window. Padding is a border in x, which the caller fills (minus infinity for max pooling). */
struct pool {
    int r, s, stride_h, stride_w;
};

/* The coefficients of one AdamW or SGD step (train.c). */
struct update {
    float rate, beta1, beta2, epsilon, decay; /* decay = rate * weight_decay for AdamW */
    float correct1, correct2;                 /* 1 / (1 - beta^t) */
    float ema;                                /* the average keeps this share; < 0: there is none */
};

/* Views have as many blocks, rows and pixels as the result y (dx), but for the x of a pool, whose pixels are
 * the windows' first. Vectors are [blocks][BLOCK]. x and y may be the same memory. */
struct kernels {
    const char *name; /* "portable", "avx2", "avx512", "neon" */

    void (*conv)(const struct conv *v, const float *x, float *y);
    /* y as conv's result; w [pairs][9][BLOCK][BLOCK], pairs of output and input blocks -> what
     * winograd wants, [36][all][BLOCK][BLOCK], of which `pairs` are written at each of the 36 */
    void (*winograd_weights)(long pairs, long all, const float *w, float *transformed);
    void (*winograd)(const struct winograd *v, const float *x, float *y);
    /* The gradient of a convolution's weights, summed over images that come one after another:
     * `image` counts them, and with the last dw is set, as conv_grad's. In v y is dy; count, pool, relu and
     * what is added to y do not matter, and scratch, of winograd_grad_scratch floats, holds what is known so
     * far. */
    void (*winograd_grad)(const struct winograd *v, int image, bool last, const float *x,
                          const float *dy, float *dw);
    /* The gradient of a convolution's weights; in v y is dy, and what comes behind the sum does not matter:
     * dw[b][i][c][k] (+)= sum over p, q of dy[b][p][q][k] * x[p * x_row + q * x_pixel + offset[i] + c];
     * `first`: dw is set, not added to. */
    void (*conv_grad)(const struct conv *v, bool first, const float *x, const float *dy, float *dw);

    /* y = scale * x + shift; then relu if asked */
    void (*affine)(struct view x, const float *scale, const float *shift, bool rectify, struct view y);
    /* sum = sum of dy, dot = sum of dy * (x - mean), or, without mean, of dy * dy, over each block's pixels */
    void (*sums)(struct view dy, struct view x, const float *mean, float *sum, float *dot);
    /* dx = a * dy + b * x + c; 0 where rectified and x <= 0 (x is then a relu's output) */
    void (*batchnorm_grad)(struct view dy, struct view x, const float *a, const float *b,
                           const float *c, bool rectified, struct view dx);
    /* y = by > 0 ? x : 0: by x itself the relu, of dy by the relu's result its gradient */
    void (*relu)(struct view x, struct view by, struct view y);
    /* y = a + b; then relu if asked */
    void (*add)(struct view a, struct view b, bool rectify, struct view y);
    /* y = the window's maximum; the gradient adds dy to dx at the first place that holds it */
    void (*maxpool)(const struct pool *v, struct view x, struct view y);
    void (*maxpool_grad)(const struct pool *v, struct view x, struct view y, struct view dy,
                         struct view dx);
    /* y = factor * the window's sum; the gradient adds factor * dy to dx all over the window */
    void (*sumpool)(const struct pool *v, float factor, struct view x, struct view y);
    void (*sumpool_grad)(const struct pool *v, float factor, struct view dy, struct view dx);
    /* y = x * factor where hash(key, i) >= threshold, else 0; i counts the floats of a block, the first
     * block's from `index`, the next one's from index + step */
    void (*dropout)(struct view x, uint32_t key, uint32_t index, uint32_t step, uint32_t threshold,
                    float factor, struct view y);

    /* Optimiser steps over n floats: w weights, g gradient, m v moments, a average (or NULL). */
    void (*adamw)(long n, const struct update *u, float *w, const float *g, float *m, float *v,
                  float *a);
    void (*sgd)(long n, const struct update *u, float *w, const float *g, float *m, float *a);
};

#endif
