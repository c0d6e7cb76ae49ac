/* The room of the engine: a network (net/net.h) run (infer), trained (trainer) and trained by
 * several processes (ranks), with the kernels that the CPU does best. CONTRIBUTING.md explains how
 * it works; layouts are those of kernel/kernel.h. */
#ifndef INKPIPE_ENGINE_H
#define INKPIPE_ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/threads.h"
#include "net/net.h"

/* The kernels: the inner loops, compiled once for each level of instruction set into tables of function
 * pointers (kernel/kernel.h: in floats; kernels8: whole numbers, kernel/int8.h; kernels16: bf16,
 * kernel/bf16.h). Nothing else asks what the CPU can do. */

struct kernels;
struct kernels8;
struct kernels16;

/* The best level that this CPU has. */
const struct kernels *kernel_best(void);

/* The level of that name, or the best one where name is NULL, of int8 and bf16 among those that are not above k's.
 * Returns NULL where it is not compiled in or the CPU lacks it. */
const struct kernels *kernel_named(const char *name);
const struct kernels8 *kernel8_named(const struct kernels *k, const char *name);
const struct kernels16 *kernel16_named(const struct kernels *k, const char *name);

/* The name of a level, "avx512", "amx", with which its table begins, of whichever of the three kinds. */
const char *kernel_level(const void *level);

/* Processes ("ranks") that train one model together, each on its part of every batch, on one machine
 * or several. All of them hold the whole model and all data; what differs is which shards of a
 * batch each computes (trainer). A NULL pointer stands for a process that is alone. */

struct ranks {
    int rank, count; /* which one this is, 0..count-1; count divides TRAIN_SHARDS */
    int here;        /* how many of them are on this machine */
    /* Set by the first exchange that fails; later ones then fail at once. */
    bool failed;
    struct err err;
    const volatile sig_atomic_t *stop; /* the user's wish to end, or NULL */
};

/* Join the others that mpirun has started. r stays in place until ranks_leave. Returns 0; -1 when
 * their number does not divide TRAIN_SHARDS, or this program was built without MPI. There are two of
 * this module: lib/engine/ranks/mpi.c where mpicc is there, else lib/engine/ranks/alone.c. */
int ranks_join(struct ranks *r, const volatile sig_atomic_t *stop, struct err *e);

/* Leave the others. With `failed` the process should exit now, with a status that is not 0: mpirun then
 * ends the other ranks. (MPI_Abort would too, but two at once can leave mpirun waiting for ever.) */
void ranks_leave(struct ranks *r, bool failed);

/* All-gather: data is [count][bytes], of which each rank has filled its own part; afterwards all have all
 * parts. Returns 0, or -1: see r->err. A rank that waits for one that is gone gives up once *stop is set
 * and a moment has passed: mpirun signals those that are left. */
int ranks_gather(struct ranks *r, void *data, size_t bytes);

/* Broadcast: rank 0's data becomes that of all. Returns as ranks_gather. */
int ranks_share(struct ranks *r, void *data, size_t bytes);

/* Running a network: a plan made once (batch norm folded into the convolution before it, relu and
 * bias fused, weights packed for the kernels, all memory allocated), then run for any number of
 * batches. */

struct infer;

/* Plan net for batches of up to `batch` images on the threads of t (owned by the caller, must
 * outlive the plan) with kernels k (kernel_best() unless a test forces a level). The net is not
 * needed afterwards. A softmax at the end is left out: the results are logits. Returns NULL on
 * failure; free with infer_free. */
struct infer *infer_new(const struct net *net, int batch, struct threads *t,
                        const struct kernels *k, struct err *e);
void infer_free(struct infer *p);

/* The int8 kernels that the plan of a quantised model runs with (kernel8_named(k, NULL)); NULL when it runs in
 * floats. */
const struct kernels8 *infer_int8(const struct infer *p);

/* Run the plan with other int8 kernels, for tests and benchmarks. Call it before the first run. */
void infer_set_int8(struct infer *p, const struct kernels8 *k);

/* Run n images (1..batch): x [n][C][H][W] scaled as the net wants them -> logits [n][K]. Never
 * allocates, never fails. The result for one image does not depend on n nor on the threads, among which a
 * batch is shared image by image. */
void infer_run(struct infer *p, const float *x, int n, float *logits);

/* The same of any number of images on the caller's thread alone, which is number `thread` of those of infer_new:
 * each may run images of its own at a time. */
void infer_run_on(struct infer *p, int thread, const float *x, int n, float *logits);

/* A step of the plan and how long it took. */
struct infer_step {
    int first, last;   /* the layers it covers; last < first: it prepares the input of `first` */
    bool winograd;     /* by his algorithm */
    double multiplies; /* of an image, by the definition, whatever the algorithm saves */
    double seconds;    /* in all runs since infer_profile */
};

/* Measure from now on; the plan must have one thread. Returns the plan's steps (owned by it, NULL where
 * memory is short or the plan has none, since it runs in whole numbers), and how many they are. */
const struct infer_step *infer_profile(struct infer *p, int *count);

/* Turn pixels 0..255 [n][count] into the net's scale: (pixel * scale - mean) / std. */
void infer_scale(const uint8_t *pixels, long count, double scale, double mean, double std,
                 float *x);

/* p[k] = softmax(logits[k] / temperature), computed in double. */
void softmax(const float *logits, int k, double temperature, double *p);

/* The index of the largest of k logits, the first of equal ones. */
int argmax(const float *logits, int k);

/* A finder's map: what a network that ends in `boxes` answers of a picture, [1 + classes + 4][rows]
 * [columns] of raw outputs; a cell covers stride x stride pixels. Channels, in order: the logit of "a
 * box has its centre in this cell"; the logits of the classes; the centre's place in the cell, x and
 * y, 0..1; log(width / 24) and log(height / 24), in pixels. */
struct map_shape {
    int classes, rows, columns, stride;
};

/* A box of a picture, in pixels. */
#define MAP_IGNORE (-1) /* what is under it counts for nothing, true or not */
struct map_box {
    float x, y, w, h; /* left, top, width, height */
    int class;        /* 0..classes-1, or MAP_IGNORE */
};

/* What is true of a picture. */
struct map_truth {
    const struct map_box *box;
    int boxes;
};

/* A box that a map says, with the probability of its centre; its class is the most probable one. */
struct map_found {
    struct map_box box;
    float score;
};

/* The shape of the map of a finder (net_is_finder). */
struct map_shape map_shape_of(const struct net *net);

/* The cells whose centre is more probable than `threshold` and than that of the eight around them,
 * from the top: at most `max` of them. Returns how many. */
int map_boxes(const struct map_shape *s, const float *map, float threshold, struct map_found *found,
              int max);

/* Intersection over union of two boxes. */
float map_overlap(const struct map_box *a, const struct map_box *b);

/* The three losses of a finder, each a mean over boxes. */
struct map_loss {
    double centre, class, box;
};

/* The weighted sum of the losses, which training minimises. */
double map_loss_total(const struct map_loss *l);

/* Training a network: forward, backward, optimiser. Data-parallel over a fixed number of shards of
 * the batch; sums over the batch (gradients, batch-norm statistics) are folded by a fixed binary
 * tree over the shards, so that any number of threads gives the same bits, and so does any number of
 * processes: each computes the shards of a whole subtree, and they exchange sums, not gradients of
 * images. What is small and needs the whole batch (dense layers, the update) each computes for
 * itself. */

/* A batch of n images is divided into so many shards, image i into shard i * TRAIN_SHARDS / n. The bits of
 * a trained model depend on it: it is in the metadata. */
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
    double clip;            /* the gradient's norm, at most; 0: as it is */
    uint64_t seed;          /* of dropout */
    const struct kernels16 *bf16; /* products in bf16 by these kernels; NULL: all in fp32. Sums, batch
                                     norm, weights and optimiser are fp32 either way */
    struct ranks *ranks;    /* the processes that train it together; NULL: this one alone */
};

struct trainer;

/* Fill image i (0..n-1) of the present batch: x [C][H][W], scaled as the net wants it. Called from
 * several threads at once, each with its own number `thread`, 0..threads_count - 1. */
typedef void train_fill(void *arg, int i, int thread, float *x);

struct train_result {
    double loss;  /* mean cross-entropy over the batch (with label smoothing) */
    int correct;  /* images whose largest logit is the label's */
};

/* Prepare to train `net` (weights are copied in; the net is not changed until trainer_export). The
 * net must end in dense or conv/globalpool and softmax, or, a finder, in a map and boxes, and is then
 * trained by one process. Returns NULL on failure. */
struct trainer *trainer_new(const struct net *net, const struct train_options *o,
                            struct threads *t, const struct kernels *k, struct err *e);
void trainer_free(struct trainer *t);

/* One optimiser step on n images (1..batch) with learning rate `rate`. The dropout masks depend on
 * (seed, the number of steps taken so far, image, unit) only. Among several ranks fill is asked for
 * this one's images only, and the result means nothing once ranks->failed. */
struct train_result trainer_step(struct trainer *t, train_fill *fill, void *arg,
                                 const uint16_t *labels, int n, double rate);

/* One optimiser step of a finder, from the ground truth of each picture. Returns the losses of the batch. */
struct map_loss trainer_step_map(struct trainer *t, train_fill *fill, void *arg,
                                 const struct map_truth *truth, int n, double rate);

/* Write the weights and running statistics into net (the one given to trainer_new or a copy of
 * it): the averaged ones when `ema` and there are some, else the current ones. */
void trainer_export(struct trainer *t, struct net *net, bool ema);

/* Recompute the batch-norm statistics for the weights that trainer_export(ema) gives: feed batches (no dropout, no
 * update). At the end mean and variance over all images fed become the averaged model's statistics. */
void trainer_batchnorm_stats_batch(struct trainer *t, train_fill *fill, void *arg, int n);
void trainer_batchnorm_stats_end(struct trainer *t);

/* All of the state a checkpoint must hold besides the step count, as arrays in a fixed order: their
 * number and sizes depend on the net and the options only, never on threads or kernel level. */
struct train_array {
    float *data;
    long count;
};
int trainer_arrays(struct trainer *t, struct train_array *list, int max);
void trainer_set_steps(struct trainer *t, long steps);

#endif
