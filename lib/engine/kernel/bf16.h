/* The kernels of training in bfloat16: a float's upper half, 8 bits of precision. Operands of
 * products are rounded to it (to nearest, halves to even), products and sums are floats. Written
 * once in bf16.c; only what no vector type has, the dot product and the CPU's tiles before all, is
 * intrinsics of its level.
 *
 * One kernel does all products: of a convolution, of its gradients, of dense layers. It takes its
 * operands in pairs that are neighbours in what is summed over, since that is what the CPUs' dot
 * products take: of channels or, for the gradient of weights, of pixels. So images are turned from
 * blocks of floats into [H][W][C] (narrow), or into [C][pixels] (pairs, then turn). */
#ifndef INKPIPE_KERNEL_BF16_H
#define INKPIPE_KERNEL_BF16_H

#include "kernel.h"

typedef uint16_t bf16; /* a float's upper half */

#define STEP_PAIRS 16 /* A level takes at most so many pairs at once. */

/* For every output block b, row p, pixel q and lane k
 *
 *     y[b][p][q][k] = f(start + sum over i < runs, j < 2 * pairs of
 *                       x[p * x_row + q * x_pixel + offset[i] + j] * w[b][i][j / 2][k][j % 2])
 *
 * where start is y itself if `add` (a row is then at most BLOCK pixels), else bias[b][k], and f is
 * nothing or relu. */
struct conv16 {
    int blocks, rows, pixels; /* of the output */
    int runs, pairs;          /* `pairs` has a divisor from 8 to STEP_PAIRS, or is at most that */
    const int *offset;        /* [runs], in bf16 */
    long x_row, x_pixel;      /* bf16 */
    long y_block, y_row;      /* floats; pixels of y are BLOCK apart */
    const bf16 *w;            /* [blocks][runs][pairs][BLOCK][2] */
    const float *bias;        /* [blocks][BLOCK], or NULL: 0 */
    bool relu, add;
};

struct kernels16 {
    const char *name; /* "portable", "avx512bf16", "amx" */
    bool beats_winograd; /* conv is quicker than Winograd's algorithm in floats */
    void (*conv)(const struct conv16 *v, const bf16 *x, float *y);
    /* y[p * y_row + q * y_pixel + k] = x[p * x_row + q * BLOCK + k] for k < BLOCK */
    void (*narrow)(int rows, int pixels, const float *x, long x_row, bf16 *y, long y_row,
                   long y_pixel);
    /* y[p * y_row + q / 2 * 2 * BLOCK + 2 * k + q % 2] = x[p * x_row + q * BLOCK + k]; where pixels
     * are odd the last pair's second half is 0 */
    void (*pairs)(int rows, int pixels, const float *x, long x_row, bf16 *y, long y_row);
    /* [n][BLOCK][2] -> [BLOCK][y_row], of which the first 2 * n are written; n: a multiple of
     * BLOCK */
    void (*turn)(int n, const bf16 *x, bf16 *y, long y_row);
    /* A block of weights [BLOCK c][BLOCK k] as the gradient of the input reads it:
     * y[k / 2][c][k % 2] = w[c][k] */
    void (*turn_weights)(const float *w, bf16 *y);
};

/* `pairs` rounded up to a number that conv16 takes. */
int bf16_pairs(int pairs);

#endif
