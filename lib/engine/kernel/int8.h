/* The kernels of quantised networks: products of unsigned bytes (activations) and signed bytes
 * (weights), summed in 32 bits, the same integers at every level. Written once in int8.c, but for
 * the dot product, which no vector type of the compiler has and which is an intrinsic of each level.
 *
 * Activations are [H][W][C], C a multiple of BLOCK (a gray picture: 1). So the R x S window of a
 * convolution is R runs of S * C bytes that lie side by side, taken four bytes ("a quad") at a
 * time; and an image is a row of a dense layer as it stands. */
#ifndef INKPIPE_KERNEL_INT8_H
#define INKPIPE_KERNEL_INT8_H

#include "kernel.h"

#define QUAD 4         /* Bytes of a quad. */
#define INT8_SLACK 128 /* So many bytes behind an activation may be read; their weights are 0. */

/* A convolution of one image, or a dense layer over many (rows 1, pixels = images). For every
 * output block b, row p, pixel q and lane k
 *
 *     sum = bias[b][k] + sum over i < runs, j < 4 * quads of
 *           x[p * x_row + q * x_pixel + offset[i] + j] * w[b][i][j / 4][k][j % 4]
 *     y[p * y_row + q * y_pixel + b * BLOCK + k] = min(max(round(sum * factor[b][k]) + zero, low), 255)
 *
 * halves rounded to even; or, where `real`, y is floats: sum * factor. Where `rectify`, the sum becomes at
 * least 0, and to sum * factor a value of another image is added, which lies as y does but for its rows:
 * add_factor * (add[p * add_row + q * y_pixel + b * BLOCK + k] - add_zero). No sum leaves 32 bits, and what is
 * rounded is within 2^30. */
struct conv8 {
    int blocks, rows, pixels; /* of the output */
    int runs, quads;     /* kernel_words(quads) == quads */
    const int *offset;   /* [runs], in bytes */
    long x_row, x_pixel; /* bytes */
    long y_row, y_pixel; /* bytes, or floats */
    const int8_t *w;     /* [blocks][runs][quads][BLOCK][QUAD] */
    const int32_t *bias; /* [blocks][BLOCK] */
    const float *factor; /* [blocks][BLOCK] */
    int zero, low;
    bool real, rectify;
    const uint8_t *add; /* NULL: nothing */
    long add_row;
    int add_zero;
    float add_factor;
    bool narrow; /* no two neighbouring products of any x leave 16 bits: int8_is_narrow(w) */
};

struct kernels8 {
    const char *name; /* "portable", "avx2", "avx2vnni", "avx512vnni", "amx", "neondot" */
    void (*conv)(const struct conv8 *v, const uint8_t *x, void *y);
    /* y [rows][pixels] = the maximum of each window, channel by channel; pixels are `pixel` bytes apart
     * in x and y (a multiple of BLOCK, or 1) */
    void (*maxpool)(const struct pool *v, int rows, int pixels, const uint8_t *x, long x_row,
                    uint8_t *y, long y_row, long pixel);
    /* y[i] = min(max(round(x[i] / scale) + zero, 0), 255) */
    void (*quantize)(long n, const float *x, float scale, int zero, uint8_t *y);
};

#endif
