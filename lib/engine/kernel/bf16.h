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

struct kernels16 {
    const char *name; /* "portable", "avx512bf16", "amx" */
    bool beats_winograd; /* conv is quicker than Winograd's algorithm in floats */
    /* As that of floats, but that x lies and is counted in bf16, and weights are w16; without scale and shift.
     * y is added to if `add`; a row is then at most BLOCK pixels. run / 2 has a divisor from 8 to STEP_WORDS, or
     * is at most that (kernel_words). */
    void (*conv)(const struct conv *v, const bf16 *x, float *y);
    /* y[p * y_row + q * y_pixel + k] = x[p * x_row + q * BLOCK + k] for k < BLOCK */
    void (*narrow)(int rows, int pixels, const float *x, long x_row, bf16 *y, long y_row,
                   long y_pixel);
    /* y[p * y_row + q / 2 * 2 * BLOCK + 2 * k + q % 2] = x[p * x_row + q * BLOCK + k]; where pixels
     * are odd the last pair's second half is 0 */
    void (*pairs)(int rows, int pixels, const float *x, long x_row, bf16 *y, long y_row);
    /* [n][BLOCK][2] -> [BLOCK][y_row], of which the first 2 * n are written; n: a multiple of
     * BLOCK */
    void (*turn)(int n, const bf16 *x, bf16 *y, long y_row);
};

#endif
