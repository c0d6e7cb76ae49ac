/* How tensors lie in memory while a network runs (kernel/kernel.h says why), for this room alone:
 * activations in blocks of BLOCK channels, with a border of zeros where the layer that reads them has
 * padding; weights in the order in which the kernels read them. Shared by infer.c and train.c. Letters:
 * net.h. */
#ifndef INKPIPE_LAYOUT_H
#define INKPIPE_LAYOUT_H

#include "net/net.h"
#include "kernel/kernel.h"

/* An activation of one image: [blocks][top + h + bottom][left + w + right][BLOCK], all counts in
 * floats. A one-channel input has no block dimension: pixel is 1, [top + h + bottom][left + w +
 * right]. */
struct layout {
    struct shape shape;
    int blocks;
    long pixel, row, block, size;
    long origin; /* of the first pixel inside the border */
};

/* Padding around a tensor. */
struct border {
    int top, left, bottom, right;
};

/* The layout of a shape with a border; flat: one channel without a block dimension. */
struct layout layout_of(struct shape shape, struct border border, bool flat);

/* The padding of a convolution or pool. */
struct border layer_border(const struct layer *l);

/* A matrix: the tensor that dense layers read and write, images by values, as
 * [matrix_blocks][images][BLOCK]. A block holds BLOCK channels of one pixel, blocks being in the order
 * [C/BLOCK][H][W]; where there are fewer channels than BLOCK, it holds BLOCK values in the order C H W. */
int matrix_blocks(struct shape shape);

/* The index in [matrix_blocks][BLOCK] of value i (in the order C H W) of a shape. */
long matrix_at(struct shape shape, long i);

/* Copy one image to column `image` of a matrix of `images` images (gather), or back. Lanes beyond the image's
 * channels are not written. */
void matrix_copy(const struct layout *l, float *x, float *matrix, int images, int image, bool gather);

/* Copy [C][H][W] floats into a layout's inside, and back. */
void layout_put(const struct layout *l, const float *chw, float *x);
void layout_get(const struct layout *l, const float *x, float *chw);

/* A convolution's or a dense layer's weights as the kernels want them: [K/BLOCK][runs][run][BLOCK].
 * A dense layer is a convolution whose kernel covers its whole input. Grouped convolutions are
 * spread over all channels, with zeros. */
struct packing {
    int k, c, r, s, groups;
    bool by_value;  /* the second case of a matrix: runs go over values, not pixels */
    int runs, run;  /* run channels lie side by side: BLOCK, or C when there are fewer */
    int blocks;     /* of K */
    long size;      /* floats */
};

/* The packing of a conv or dense layer that reads an input of shape `in` (for a dense layer: the
 * shape before it was flattened). */
struct packing packing_of(const struct layer *l, struct shape in);

/* [K][C/groups][R][S] -> packed, and back. Padding lanes become 0. */
void pack(const struct packing *p, const float *weight, float *packed);
void unpack(const struct packing *p, const float *packed, float *weight);

/* Whether Winograd's algorithm (kernel.h) pays for convolution l, or for the gradient of its input, from
 * c channels to k, whose result is rows x pixels: 3x3 of stride 1, as dilated across as down, full blocks of
 * channels, and pictures that fill their tiles so far that half of the multiplications are saved. */
bool suits_winograd(const struct layer *l, int c, int k, int rows, int pixels);

/* The offset of each run from a window's first pixel, to table[p->runs]: of a convolution in x, of a dense
 * layer in a matrix of `images` images. */
void conv_offsets(const struct packing *p, const struct layer *l, const struct layout *x,
                  int *table);
void dense_offsets(const struct packing *p, int images, int *table);

#endif
