/* What train_plan.c (the plan), train.c (its steps, the parameters, the optimiser) and train_ops.c
 * (each layer's forward and backward pass) share; for this room alone.
 *
 * A step is a list of phases. A phase runs its instructions, in order, for each of its items: for an
 * image, for the images of a shard, or for a pair of blocks of a matrix (layout.h). Between
 * phases all threads meet; batch norm is why: it needs sums over the whole batch before it can go
 * on. Within a phase an image goes through all layers while it is in the cache, and a gradient that
 * is made and used up in one phase lives in the thread's own memory, not in the batch's.
 *
 * Where o.bf16 is given, convolutions and dense layers take their operands from copies in bf16
 * (train_bf16.c), made when they are needed; everything else is as without. */
#ifndef INKPIPE_TRAIN_PLAN_H
#define INKPIPE_TRAIN_PLAN_H

#include "kernel/bf16.h"
#include "engine.h"
#include "plan.h"

/* The output of an operation, for every image of the batch, and its gradient. */
struct value {
    bool matrix; /* [matrix_blocks(shape)][batch][BLOCK], gradient too; else image after image */
    struct shape shape;
    struct border border;    /* of act */
    struct layout act, grad; /* of images, not of a matrix; the gradient may have a border of zeros */
    long act_place, grad_place; /* floats from the start of t->memory, or of the thread's memory */
    bool needs_grad, grad_local; /* local: in the thread's memory, one image */
    int grad_first, grad_last;   /* the phases that write it first and use it last; -1: none yet */
};

/* The bf16 side of a convolution or dense layer; sizes and steps in bf16. C, K: channels in and out
 * in whole blocks; of a dense layer all inputs are channels. `wide` pixels are a row of x with its
 * border, one more where they would be odd. */
struct bf16_plan {
    bool on;                 /* else the operation is done in fp32 */
    int runs, *offset;       /* forward, for x as [H][W][C]; all runs are of one length */
    int back_runs, *back_offset; /* for the gradient of x, dy as [H][W][K] with a border */
    int wide, pairs;         /* conv's weights: dy's pixel pairs in rows of `wide`, all of an image */
    long weight, weight_back; /* places in t->weights16 */
    long x, dy;              /* places: x, then, for conv, dy with its border */
    long dy_pairs, x_pairs, x_turned; /* dy and x in pairs of pixels (images), and x turned */
    long x_pitch, dy_pitch;  /* dense: from image to image */
    long pitch;              /* from channel to channel of x turned */
};

/* How a convolution goes by Winograd's algorithm: forward and the gradient of its weights, and the
 * gradient of its input, each with so many tiles at once. */
struct winograd_plan {
    bool on, back;
    int tiles, back_tiles;
    int *offset, *back_offset; /* of the blocks among the tiles */
    long weight, weight_back;  /* places in t->transformed */
    long sums;                 /* of the weights' gradient: place in the thread's memory */
};

/* A part of x that meets the same taps of a convolution with strides (train_stride.c). */
struct stride_part {
    int row, column;  /* its first pixel; those after it are a stride apart */
    int rows, pixels; /* how many there are */
    int taps, *offset; /* the taps, and where in dy they read: [blocks of dy][taps] */
    long weight;      /* place in t->back: [blocks of x][blocks of dy][taps][run][BLOCK] */
};

/* The part that a tap is of, and which of its taps. */
struct stride_tap {
    int part, place;
};

struct operation {
    enum op op; /* OP_FLATTEN: gather images into a matrix; OP_INPUT: pad x with `factor` */
    int layer;  /* its number, and itself: in t->net */
    const struct layer *l;
    int x, x2, y;   /* values; -1: none */
    bool relu;      /* conv, dense, batch norm: relu follows in the same pass */
    bool rectified; /* batch norm: x is such a relu's output, and only this reads it */
    bool add_x, add_x2; /* backward: add to the gradient of x (x2), which another operation wrote before */
    struct packing pack, pack_back; /* of the weights, and as the gradient of x needs them */
    struct conv conv, back; /* the product forward, and for the gradient of x */
    struct layout spread;   /* conv of stride 1: dy with a border */
    struct stride_part *part; /* conv with strides: of the gradient of x */
    struct stride_tap *tap;   /* [r][s] */
    int parts;
    long part_place;      /* of one, in the thread's memory */
    struct pool pool;
    float factor;     /* average pools; padding */
    struct border pad;   /* conv: its padding, unless x has it in its shape */
    long start;          /* conv: of the first window in x */
    long weight, bias, scale, shift; /* places in the parameter arrays */
    long weight_back;                /* place in t->back */
    long stats; /* batch norm: place in the stats arrays; [channels] each */
    long channels; /* floats in bias, scale, ...: whole blocks */
    struct bf16_plan bf16;
    struct winograd_plan winograd;
};

/* ROUND, ROUND_GRAD: copies in bf16 of what a dense layer reads. */
enum action { FILL, FORWARD, MOMENTS, BACKWARD, SUMS, ROUND, ROUND_GRAD };

struct instruction {
    enum action action;
    int op; /* operation */
};

enum unit { BY_IMAGE, BY_SHARD, BY_BLOCKS };

struct phase {
    enum unit unit;
    int blocks;       /* BY_BLOCKS: how many there are; an item is a pair */
    int first, count; /* instructions */
    int finish;       /* the batch norm whose sums are complete after it, or -1 */
};

/* Parameters that are updated in one go. */
struct segment {
    long place, count;
    bool decay;   /* weight decay applies */
    bool sharded; /* the gradient is in t->shard_grad, by shard */
};

struct trainer {
    struct train_options o;
    struct net *net; /* a copy of the one given */
    const struct kernels *k;
    struct threads *threads;
    struct pages *pages; /* the memory of all that follows */

    int values, operations, instructions, phases, forward_phases, segments;
    struct value *value;
    struct operation *operation;
    struct instruction *instruction;
    struct phase *phase;
    struct segment *segment;
    int input, output; /* values */
    int classes;

    long params, sharded; /* floats; the sharded ones come first */
    float *w, *g, *m, *v, *average; /* [params]; v: AdamW, average: ema */
    float *shard_grad;              /* [TRAIN_SHARDS][sharded] */
    float *back;                    /* weights as the gradient passes read them */
    long back_size;
    float *transformed;             /* weights as Winograd's algorithm reads them, both ways */
    long transformed_size;

    long stats; /* channels of all batch norms */
    float *running_mean, *running_var, *average_mean, *average_var; /* [stats] */
    float *mean, *inverse, *a, *b, *c; /* [stats] of the batch: mean, 1 / deviation, coefficients */
    float *image_sum, *image_dot; /* [batch][stats] */
    double *square;                    /* [chunks of the update] sums of squares, where o.clip */
    long chunks;
    double *shard_sum;            /* [TRAIN_SHARDS][2][channels] of the batch norms at hand */
    double *stats_sum, *stats_square; /* [stats] */
    double stats_count;                 /* images since trainer_batchnorm_stats_begin */

    float *memory;   /* all values of the batch */
    float **scratch; /* [threads] the thread's memory */
    float *exchange; /* a matrix on its way between ranks: [ranks][images][blocks][BLOCK] */
    long memory_size, scratch_size, exchange_size;
    long map_place;   /* in scratch: a finder's map and its gradient, [channels][rows][columns] each */
    long spare, tile; /* in scratch: a gradient to be added, and sums of dense gradients */
    long winograd, winograd_size; /* in scratch: the tiles of a convolution at hand */

    bf16 *weights16; /* as the forward pass reads them, and as the gradient passes do */
    bf16 *memory16;  /* operands of dense layers, of the batch */
    bf16 **scratch16; /* [threads] of convolutions, of one image */
    long weights16_size, memory16_size, scratch16_size;

    long steps;
    /* The present step: */
    const float *active; /* the weights in use: w or average */
    bool frozen;         /* no dropout, no running statistics: trainer_batchnorm_stats_batch */
    int n;
    train_fill *fill;
    void *fill_arg;
    const uint16_t *labels;
    long *logit_at; /* [classes]: where the logits of the image at hand lie */
    const struct map_truth *truth;
    struct map_shape map;     /* of a finder's output */
    struct map_loss *map_loss; /* [batch] of each picture */
    long *map_boxes;           /* [batch] boxes learnt from */
    float *marks;              /* [batch][rows][columns] */
    double map_total;          /* boxes of the batch */
    const struct phase *now;
    int base; /* the first item of the phase that is this rank's */
};

#define UPDATE_CHUNK 16384 /* An item of the update takes so many floats. */

/* Make the plan for t->net and t->o, and all its memory. Returns 0 or -1. */
int train_plan(struct trainer *t, struct err *e);

/* The offsets of an operation, n of them; NULL when memory is short. */
static inline int *train_offsets(struct trainer *t, long n)
{
    return pages_take(t->pages, (size_t)n, sizeof(int));
}

/* Run one instruction for an item (image, or pair of blocks) on a thread. */
void train_run(struct trainer *t, const struct instruction *in, int item, int thread);

/* ---- train_bf16.c: the products of an operation whose op->bf16.on ---- */

/* Decide whether a convolution's or dense layer's products are done in bf16, and plan its copies if
 * so. Returns 0 or -1. */
int bf16_plan(struct trainer *t, struct operation *op, struct err *e);

/* Copy block `block` of the outputs' weights from t->active, also as the gradient passes read them. */
void bf16_weights(const struct trainer *t, const struct operation *op, int block);

/* One image; x is its memory with the border. dw is set if `first`, else added to. */
void bf16_conv_forward(struct trainer *t, const struct operation *op, const float *x, struct view y,
                       int thread);
void bf16_conv_weight_grad(struct trainer *t, const struct operation *op, const float *x,
                           struct view dy, float *dw, bool first, int thread);
void bf16_conv_input_grad(struct trainer *t, const struct operation *op, struct view dy, struct view dx,
                          int thread);

/* Some blocks, from number `block` on, of a dense layer's inputs or of its outputs' gradient are copied (ROUND,
 * ROUND_GRAD); and what all such copies are needed for. */
void bf16_dense_round(struct trainer *t, const struct operation *op, struct view x, int block);
void bf16_dense_round_grad(struct trainer *t, const struct operation *op, struct view dy, int block);
void bf16_dense_forward(struct trainer *t, const struct operation *op, struct view y, int block);
void bf16_dense_weight_grad(struct trainer *t, const struct operation *op, struct view x, int block,
                            int thread);
void bf16_dense_input_grad(struct trainer *t, const struct operation *op, struct view dx, int block);

/* ---- train_stride.c: the gradient of x of a convolution with strides ---- */

/* Plan it, and dy's border. Returns 0 or -1. */
int stride_plan(struct trainer *t, struct operation *op, struct err *e);

/* The place in t->back of the weights between block `block` of x, block k of y, and a tap. */
long stride_weight(const struct operation *op, int block, int k, int tap);

/* One image; dy is its memory with the border. */
void stride_backward(struct trainer *t, const struct operation *op, const float *dy, struct view dx,
                     int thread);

/* ---- train_winograd.c: the products of a convolution by Winograd's algorithm ---- */

/* Decide whether (op->winograd), and plan memory. Returns 0 or -1. */
int winograd_plan(struct trainer *t, struct operation *op, struct err *e);

/* Transform block `block` of an operation's outputs from t->active, or of its inputs from t->back. */
void winograd_weights(const struct trainer *t, const struct operation *op, int block, bool back);

/* One image: what v, a direct convolution, says, where op->winograd.on (.back). */
void winograd_forward(struct trainer *t, const struct operation *op, const struct conv *v,
                      const float *x, float *y, int thread);
void winograd_backward(struct trainer *t, const struct operation *op, const struct conv *v,
                       const float *dy, float *dx, int thread);

/* Image `image` of a shard; with its last one dw is set. */
void winograd_weight_grad(struct trainer *t, const struct operation *op, const float *x,
                          struct view dy, float *dw, int image, bool last, int thread);

/* Batch norm, between phases: from all images' sums, forward or back, to the batch's numbers. */
void train_finish(struct trainer *t, const struct operation *op, bool back);

/* Exchange the matrix that an OP_FLATTEN has gathered from this rank's images, so that it is of all
 * images. */
void train_share_matrix(struct trainer *t, const struct operation *op);

/* The first image of a shard when the batch has n. */
int train_shard_first(int n, int shard);

/* The first shard of a rank; that of rank + 1 is its end. */
static inline int train_rank_first(const struct trainer *t, int rank)
{
    return t->o.ranks ? rank * (TRAIN_SHARDS / t->o.ranks->count) : rank * TRAIN_SHARDS;
}
static inline int train_rank(const struct trainer *t)
{
    return t->o.ranks ? t->o.ranks->rank : 0;
}

#endif
