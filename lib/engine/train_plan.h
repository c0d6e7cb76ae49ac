/* What train_plan.c (the plan), train.c (its steps, the parameters, the optimiser) and train_ops.c
 * (each layer's forward and backward pass) share; for this room alone.
 *
 * A step is a list of phases. A phase runs its instructions, in order, for each of its items: for an
 * image, for the images of a shard, or for a pair of blocks of a matrix (program.h). Between
 * phases all threads meet; batch norm is why: it needs sums over the whole batch before it can go
 * on. Within a phase an image goes through all layers while it is in the cache, and a gradient that
 * is made and used up in one phase lives in the thread's own memory, not in the batch's.
 *
 * Products in bf16 take their operands from copies (train_bf16.c), made when they are needed; everything else is
 * as without. */
#ifndef INKPIPE_TRAIN_PLAN_H
#define INKPIPE_TRAIN_PLAN_H

#include "program.h"

/* SUMS: of a batch norm of images, the last of its phase, after which they are complete. ROUND: copies in bf16 of what a dense layer reads. */
enum action { FILL, RUN, SUMS, ROUND };

struct instruction {
    enum action action;
    bool back; /* of the way back */
    int op;    /* operation */
};

enum unit { BY_IMAGE, BY_SHARD, BY_BLOCKS };

struct phase {
    enum unit unit;
    int blocks;       /* BY_BLOCKS: how many there are; an item is a pair */
    int first, count; /* instructions */
};

/* Parameters that are updated in one go. */
struct segment {
    long place, count;
    bool decay;   /* weight decay applies */
    bool sharded; /* the gradient is in t->shard_grad, by shard, else in t->g */
};

struct trainer {
    struct train_options o;
    struct net *net; /* a copy of the one given */
    const struct kernels *k;
    struct threads *threads;
    struct pages *pages; /* the memory of all that follows */

    struct program program; /* of net */
    int instructions, phases, forward_phases, segments;
    struct instruction *instruction;
    struct phase *phase;
    struct segment *segment;
    int classes;

    long params, sharded; /* floats; the sharded ones come first */
    float *w, *g, *m, *v, *average; /* [params]; v: AdamW, average: ema */
    float *shard_grad;              /* [TRAIN_SHARDS][sharded] */
    float *back;                    /* weights as the gradient passes read them */
    long back_size;
    float *ready;                   /* weights as Winograd's algorithm and products in bf16 read them, both ways */
    long ready_size;

    long stats; /* channels of all batch norms */
    float *running_mean, *running_var, *average_mean, *average_var; /* [stats] */
    float *mean, *inverse, *a, *b, *c; /* [stats] of the batch: mean, 1 / deviation, coefficients */
    float *image_sum, *image_dot; /* [batch][stats] */
    double *square;                    /* [chunks of the update] sums of squares, where o.clip */
    long chunks;
    double *shard_sum;            /* [TRAIN_SHARDS][2][channels] of the batch norms at hand */
    double *stats_sum, *stats_square; /* [stats] */
    double stats_count;               /* images fed for them */

    float *memory;   /* all values of the batch */
    float **scratch; /* [threads] the thread's memory */
    float *exchange; /* a matrix on its way between ranks: [ranks][images][blocks][BLOCK] */
    long memory_size, scratch_size, exchange_size;
    long map_place;   /* in scratch: a finder's map and its gradient, [channels][rows][columns] each */
    long spare, tile; /* in scratch: a gradient to be added, and sums of dense gradients */
    long work, work_size; /* in scratch: of the product at hand, Winograd's tiles or a part of x */

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

#define TILE (BLOCK * BLOCK) /* Weights of a block of inputs by a block of outputs. */
#define UPDATE_CHUNK 16384 /* An item of the update takes so many floats. */

/* Make the plan for t->net and t->o, and all its memory. Returns 0 or -1. */
int train_plan(struct trainer *t, struct err *e);

/* Reserve `count` floats of a memory of *total, rounded up to whole cache lines. Returns their place. */
static inline long train_take(long *total, long count)
{
    long place = *total;
    *total += (count + BLOCK - 1) / BLOCK * BLOCK;
    return place;
}

/* Run one instruction for an item (image, or pair of blocks) on a thread. */
void train_run(struct trainer *t, const struct instruction *in, int item, int thread);

/* ---- train_bf16.c: the products of an operation in bf16 ---- */

/* Plan the copies for the gradient of an operation's weights. */
void bf16_plan_grad(struct trainer *t, struct operation *op);

/* Copy block `block` of the outputs' weights from t->active, also as the gradient of the input reads them. */
void bf16_weights(const struct trainer *t, const struct operation *op, int block);

/* Run v, the geometry of a product with the rest filled in: forward from x, or, back, from the gradient of y. Of a
 * convolution x is the memory of an image, which is copied; of a dense layer the copies are made before (ROUND):
 * of some blocks, from number `block` on. */
void bf16_run(const struct trainer *t, const struct operation *op, bool back, const struct conv *v, const float *x,
              float *y, int thread);
void bf16_dense_round(struct trainer *t, const struct operation *op, bool back, struct view from, int block);

/* The gradient of the weights: of a convolution and one image, set if `first`, else added to; of a dense layer,
 * that of some blocks of x, from number `block` on. */
void bf16_conv_weight_grad(struct trainer *t, const struct operation *op, const float *x,
                           struct view dy, float *dw, bool first, int thread);
void bf16_dense_weight_grad(struct trainer *t, const struct operation *op, struct view x, int block,
                            int thread);

/* ---- train_stride.c: the gradient of x of a convolution with strides ---- */

/* Plan it, dy's border being planned. Returns 0 or -1. */
int stride_plan(struct trainer *t, struct operation *op);

/* The place in t->back of the weights between block `block` of x, block k of y, and a tap. */
long stride_weight(const struct operation *op, int block, int k, int tap);

/* One image; dy is its memory with the border, part the thread's at t->work. */
void stride_backward(struct trainer *t, const struct operation *op, const float *dy, struct view dx, float *part);

/* Batch norm, between phases: from all images' sums, forward or back, to the batch's numbers. */
void train_finish(struct trainer *t, const struct operation *op, bool back);

/* Exchange the matrix that an OP_FLATTEN has gathered from this rank's images, so that it is of all
 * images. */
void train_share_matrix(struct trainer *t, const struct operation *op);

/* Sum parts of `count` floats (whole blocks), which are `step` apart, by a binary tree into the first: 1, 2, 4 or 8. */
void train_fold(const struct trainer *t, float *part, int parts, long step, long count);

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
