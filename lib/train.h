/* Training a network: forward, backward, optimiser. Data-parallel over a fixed number of shards of
 * the batch; sums over the batch (gradients, batch-norm statistics) are folded by a fixed binary
 * tree over the shards, so that any number of threads gives the same bits, and so does any number of
 * processes: each computes the shards of a whole subtree, and they exchange sums, not gradients of
 * images. What is small and needs the whole batch (dense layers, the update) each computes for
 * itself. */
#ifndef INKPIPE_TRAIN_H
#define INKPIPE_TRAIN_H

#include <stdint.h>

#include "net.h"
#include "ranks.h"
#include "threads.h"
#include "kernel/bf16.h"

/* Image i of a batch belongs to shard i * TRAIN_SHARDS / n. Written in a model's metadata. */
#define TRAIN_SHARDS 8

enum optimizer {
    OPT_ADAMW, /* Loshchilov & Hutter 2019; decoupled weight decay. weight_decay 0: Adam */
    OPT_SGD    /* momentum (Nesterov: no), weight decay added to the gradient */
};

struct train_options {
    int batch;              /* images a step, at most; 64 */
    enum optimizer optimizer;
    double beta1;           /* Adam's beta1, SGD's momentum; 0.9 */
    double beta2, epsilon;  /* Adam; 0.999, 1e-8 (Keras: 1e-7) */
    double weight_decay;    /* on conv and dense weights only, never on biases or batch norm */
    double label_smoothing; /* 0..1: target = (1 - s) * onehot + s / K */
    double ema;             /* decay of the weights' moving average a step; 0: none */
    uint64_t seed;          /* of dropout */
    const struct kernels16 *bf16; /* products in bf16 by these kernels; NULL: all in fp32. Sums, batch
                                     norm, weights and optimiser are fp32 either way */
    struct ranks *ranks;    /* the processes that train it together; NULL: this one alone */
};

struct trainer;

/* Fill image i (0..n-1) of the batch at hand: x [C][H][W], scaled as the net wants it. Called from
 * several threads at once. */
typedef void train_fill(void *arg, int i, float *x);

struct train_result {
    double loss;  /* mean cross-entropy over the batch (with label smoothing) */
    int correct;  /* images whose largest logit is the label's */
};

/* Prepare to train `net` (weights are copied in; the net is not changed until trainer_export). The
 * net must end in dense or conv/globalpool and softmax. Returns NULL on failure. */
struct trainer *trainer_new(const struct net *net, const struct train_options *o,
                            struct threads *t, const struct kernels *k, struct err *e);
void trainer_free(struct trainer *t);

/* One optimiser step on n images (1..batch) with learning rate `rate`. The dropout masks depend on
 * (seed, the number of steps taken so far, image, unit) only. Among several ranks fill is asked for
 * this one's images only, and the result means nothing once ranks->failed. */
struct train_result trainer_step(struct trainer *t, train_fill *fill, void *arg,
                                 const uint8_t *labels, int n, double rate);

/* Write the weights and running statistics into net (the one given to trainer_new or a copy of
 * it): the averaged ones when `ema` and there are some, else the current ones. */
void trainer_export(struct trainer *t, struct net *net, bool ema);

/* Make batch-norm statistics again for the weights that trainer_export(ema) gives: between begin
 * and end, feed batches (no dropout, no update). Mean and variance over all images fed become the
 * averaged model's statistics. */
void trainer_restat_begin(struct trainer *t);
void trainer_restat_batch(struct trainer *t, train_fill *fill, void *arg, int n);
void trainer_restat_end(struct trainer *t);

/* All of the state a checkpoint must hold besides the step count, as arrays in a fixed order: their
 * number and sizes depend on the net and the options only, never on threads or kernel level. */
struct train_array {
    float *data;
    long count;
};
int trainer_arrays(struct trainer *t, struct train_array *list, int max);
void trainer_set_steps(struct trainer *t, long steps);

#endif
