/* A network as a program, made once and run three ways: inference (infer.c), training (train_plan.c)
 * and 8 bits (int8.c). It is values (tensors with shape, border and layout) and, over them, operations with
 * what is fused into each and the product chosen for it. For this room alone. */
#ifndef INKPIPE_PROGRAM_H
#define INKPIPE_PROGRAM_H

#include "engine.h"
#include "kernel/bf16.h"

/* ---- Memory for what lives as long as its owner and is read over and over, weights above all (pages.c) ----
 *
 * It is taken piece by piece and given back all at once. It lies on pages of 2 MB where the system has them: a
 * page of 4 KB costs a microsecond when it is first touched, and a look-up in the page table whenever reading
 * comes to it. */

struct pages;

/* NULL when out of memory. Free with pages_free, which frees all that was taken. */
struct pages *pages_new(void);
void pages_free(struct pages *p);

/* n zeroed things of that size, the first at the start of a cache line; NULL when out of memory. */
void *pages_take(struct pages *p, size_t n, size_t size);

/* Whether there was too little memory for something that was asked for. */
bool pages_short(const struct pages *p);

/* ---- How tensors lie in memory while a network runs (layout.c) ----
 *
 * Activations are in blocks of BLOCK channels (kernel/kernel.h says why), with a border of zeros where the layer that
 * reads them has padding; weights in the order in which the kernels read them. Letters: net.h. */

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

/* The same with all channels of a pixel side by side, as what is in bf16 or bytes lies: [top + h + bottom]
 * [left + w + right][blocks * BLOCK], of a flat one without the last. */
struct layout layout_by_pixel(const struct layout *l);

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

/* Copy weights [K][C/groups][R][S] to where they are packed (pack), or back. Padding lanes are not written. */
void weights_copy(const struct packing *p, float *weight, float *packed, bool pack);

/* Whether Winograd's algorithm (kernel.h) pays for convolution l, or for the gradient of its input, from
 * c channels to k, whose result is rows x pixels: 3x3 of stride 1, as dilated across as down, full blocks of
 * channels, and pictures that fill their tiles so far that half of the multiplications are saved. */
bool suits_winograd(const struct layer *l, int c, int k, int rows, int pixels);

/* ---- The program (program.c) ---- */

/* The output of an operation. */
struct value {
    bool matrix; /* of all images at once: [matrix_blocks(shape)][images][BLOCK]; else image after image */
    struct shape shape;   /* before flattening */
    struct border border; /* of act; of images, not of a matrix */
    struct layout act;    /* the same */
    bool filled;          /* what is around its pixels, a part of its shape, is filled once */
    long place;           /* of act: floats from the start of the arena, or of t->memory */
    long size;            /* floats, of all images that there is room for */
    /* Inference: */
    long image;     /* floats between images; 0: there is room for one, or it is a matrix */
    int born, last; /* the operation that writes it and the last one that reads it */
    /* Training: */
    struct layout grad; /* of the gradient, which may have a border of its own */
    long grad_place;    /* floats from the start of t->memory, or of the thread's memory */
    bool needs_grad, grad_local; /* local: in the thread's memory, one image */
    int grad_first, grad_last;   /* the phases that write it first and use it last; -1: none yet */
};

/* DIRECT: by the definition. WINOGRAD: by his algorithm. BF16: by the definition, of copies in bf16. */
enum way { DIRECT, WINOGRAD, BF16 };

/* A product: a convolution, a dense layer, or the gradient of the input of one, which is the same with the
 * weights turned round. */
struct product {
    struct packing pack;
    enum way way;
    struct winograd v; /* all but weights, bias, scratch and what follows; but for WINOGRAD v.conv alone counts */
    /* Training: */
    long weight; /* place in the parameter arrays, or, turned, in t->back */
    long ready;  /* WINOGRAD and BF16: place in t->ready of the weights as they are read */
    long copy;   /* BF16: place of the copy of x, of a convolution in the thread's memory, else in t->memory */
};

/* The gradient of the weights in bf16. Places in the thread's memory, but dy_pairs of a dense layer. */
struct grad16 {
    int wide, pairs;        /* conv: dy's pixel pairs in rows of `wide`, all of an image */
    long dy_pairs, x_pairs, x_turned; /* dy and x in pairs of pixels (images), and x turned */
    long pitch;             /* from channel to channel of x turned, in bf16 */
};

/* A part of x that meets the same taps of a convolution with strides (train_stride.c). */
struct stride_part {
    int row, column; /* its first pixel; those after it are a stride apart */
    struct conv v;   /* its gradient's: runs of [blocks of dy][taps] */
    long weight;     /* place in t->back: [blocks of x][blocks of dy][taps][run][BLOCK] */
};

/* The part that a tap is of, and which of its taps. */
struct stride_tap {
    const struct stride_part *part;
    int place;
};

/* Operations of an earlier phase of inference run first: on each image of a group, then those of the second
 * phase on the group, and once all groups are through, those of the third on all images of the chunk. */
enum phase_of { OF_IMAGE, OF_GROUP, OF_MATRIX };

struct operation {
    enum op op; /* OP_INPUT: x inside a border of `fill`, which is part of y's shape; OP_FLATTEN: images gathered
                   into a matrix; OP_SOFTMAX: the logits copied out */
    int first, last;    /* the layers it covers; last < first: it prepares the input of `first` */
    struct layer layer; /* `first`; its weights are the net's */
    int x, x2, y;       /* values; -1: none. x2: what is added or multiplied */
    int fold, post;     /* the batch norms folded into the weights, and behind the relu; -1: none */
    bool relu;          /* follows in the same pass */
    bool halved;        /* a 2x2 max pool follows */
    bool relu_sum;      /* of a product to which x2 is added: relu behind that */
    struct border pad;  /* OP_INPUT; conv: its padding, unless x has it in its shape */
    float fill;
    long start;         /* conv: of the first window in x; OP_INPUT: of x in y */
    struct pool pool;
    float factor;       /* average pools */
    struct product forward;
    /* Inference: */
    enum phase_of phase;
    float *memory; /* batch norm: scale and shift */
    /* Training: */
    bool rectified; /* product: the batch norm behind the relu masks dy; batch norm: x is such a relu's */
    bool add_x, add_x2; /* backward: add to the gradient of x (x2), which another operation wrote before */
    struct product back; /* the gradient of x */
    struct stride_part *part; /* [stride_h][stride_w], of the gradient of x; NULL: it has no strides */
    struct stride_tap *tap;   /* [r][s] */
    long bias, scale, shift; /* places in the parameter arrays */
    long sums;  /* of the weights' gradient by Winograd's algorithm: place in the thread's memory */
    long stats; /* batch norm: place in the stats arrays; [channels] each */
    long channels; /* floats in bias, scale, ...: whole blocks */
    struct grad16 grad16;
};

struct program {
    const struct net *net;
    bool training; /* else dropout is the identity, and more is fused */
    bool bytes;    /* OP_QUANTIZE is fused into what is before it, batch norm is not */
    int images;    /* of a matrix */
    int group;     /* images that go through Winograd's algorithm together, at most */
    const struct kernels16 *bf16; /* training: those of products in bf16; NULL: none is */
    struct pages *pages; /* all its memory */
    struct err *e;
    int *uses;     /* [layers] how many layers read the layer */
    int *reader;   /* [layers] the last one that reads it */
    int *value_of; /* [layers] the value that holds its output; -1: none does */
    int values, operations, input, output;
    struct value *value;
    struct operation *operation;
};

/* Make the program of a net; net, training, bytes, images, group, pages and e are set. Returns 0 or -1. */
int program_make(struct program *p);

/* The value of layer `layer` as a matrix: a value of images is gathered into one first. */
int program_gather(struct program *p, int layer);

/* Plan a product whose pack and way are set, of layer l from x to y, or, dense, over a matrix. Where the way is
 * DIRECT and Winograd's algorithm suits it, it becomes that. Returns 0, or -1 when memory is short. */
int product_plan(const struct program *g, struct product *p, const struct layer *l, const struct layout *x,
                 const struct layout *y);

/* Run v, the geometry of a product in floats with the rest filled in. */
void product_run(const struct kernels *k, enum way way, const struct winograd *v, const float *x, float *y);

/* The geometry of convolution l from x, of whose pixels so many channels lie side by side, to blocks of y. Into
 * offset go the places of the runs: those of a kernel's row are one where all its taps lie side by side. */
struct conv conv_geometry(const struct layer *l, int blocks, int channels, const struct layout *x,
                          const struct layout *y, int *offset);

/* Run a relu, a sum or a pool. */
void operation_run(const struct kernels *k, const struct operation *op, struct view x, struct view x2,
                   struct view y);

bool has_border(struct border b);

/* Whether a pool counts what is inside the picture only, or has gaps: kernels do not do it. */
bool pool_is_plain(const struct layer *l);

/* The pixels of one image inside its border. */
struct view layout_view(const struct layout *l, float *base);

/* Copy what is inside x's border into y, an OP_INPUT's output. */
void pad_image(const struct operation *op, const struct layout *x, const float *from, const struct layout *y,
               float *to);

/* Fill what is around the pixels of such outputs, once for all images. */
void program_fill(const struct program *p, float *memory);

/* ---- Plain loops, without kernels, for layers that only models from elsewhere have (plain.c) ---- */

/* plain_each      OP_POINTWISE, OP_QUANTIZE; y is of value v
 * plain_pool      pools that pool_is_plain
 * plain_mul       y = x * x2
 * plain_upsample  OP_UPSAMPLE, OP_ZEROSTUFF
 * plain_dynamic   OP_DYNAMIC, image by image; x is of value v */
void plain_each(const struct layer *l, const struct value *v, struct view x, struct view y);
void plain_pool(const struct layer *l, struct view x, struct view y);
void plain_mul(struct view x, struct view x2, struct view y);
void plain_upsample(const struct layer *l, struct view x, struct view y);
void plain_dynamic(const struct value *v, struct view x, struct view y);

/* ---- A quantised network run in integers (int8.c) ----
 *
 * That is a program of conv and dense layers with 8-bit weights (struct layer, step), each between two OP_QUANTIZE,
 * with relu, sums with earlier results, max and mean pooling among them. The same numbers as OP_QUANTIZE in floats
 * gives, but for the rounding of those. */

struct int8;

/* Plan net for chunks of up to `chunk` images on each of `threads` threads, with memory of `pages`, which it
 * lives as long as. Returns NULL when the program has anything else, its sums could leave 32 bits, or memory is
 * short: it is run in floats then. The net is not needed afterwards. */
struct int8 *int8_new(const struct net *net, int chunk, int threads, struct pages *pages);

/* Run n images (1..chunk) on thread `thread`: x [n][C][H][W] -> logits [n][outputs]. */
void int8_run(const struct int8 *p, const struct kernels8 *k, int thread, const float *x, int n, float *logits);

#endif
