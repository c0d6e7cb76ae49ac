/* Running a network: a plan made once (batch norm folded into the convolution before it, relu and
 * bias fused, weights packed for the kernels, all memory allocated), then run for any number of
 * batches. */
#ifndef INKPIPE_INFER_H
#define INKPIPE_INFER_H

#include <stdint.h>

#include "net.h"
#include "threads.h"
#include "kernel/kernel.h"
#include "kernel/int8.h"

struct infer;

/* Plan net for batches of up to `batch` images on the threads of t (owned by the caller, must
 * outlive the plan) with kernels k (kernel_best() unless a test forces a level). The net is not
 * needed afterwards. A softmax at the end is left out: the results are logits. Returns NULL on
 * failure; free with infer_free. */
struct infer *infer_new(const struct net *net, int batch, struct threads *t,
                        const struct kernels *k, struct err *e);
void infer_free(struct infer *p);

/* The kernels of the integers that the plan runs in (int8.h; made for kernel8_best(k)); NULL: it runs
 * in floats, as all do but those of quantised models. */
const struct kernels8 *infer_int8(const struct infer *p);

/* The same plan with other kernels for integers, for tests and benches. Before the first run. */
void infer_set_int8(struct infer *p, const struct kernels8 *k);

/* Run n images (1..batch): x [n][C][H][W] scaled as the net wants them -> logits [n][K]. Never
 * allocates, never fails. The result for one image does not depend on n nor on the threads. A batch
 * is shared among the threads image by image, one image alone step by step (threads_stages). */
void infer_run(struct infer *p, const float *x, int n, float *logits);

/* What a step of the plan does and how long it took. */
struct infer_step {
    int first, last;   /* the layers it covers; last < first: it prepares `first` */
    const char *how;   /* "direct", "Winograd", ... */
    double multiplies; /* an image, by the definition */
    double seconds;    /* in all runs since infer_profile */
};

/* Measure from now on; the plan must have one thread. Returns the plan's steps (owned by it, NULL where memory is short or the plan
 * has none, since it runs in whole numbers), and how many they are. */
const struct infer_step *infer_profile(struct infer *p, int *count);

/* Turn pixels 0..255 [n][count] into the net's scale: (pixel * scale - mean) / std. */
void infer_scale(const uint8_t *pixels, long count, double scale, double mean, double std,
                 float *x);

/* p[i] = softmax(logits / temperature), k of them, in double. */
void softmax(const float *logits, int k, double temperature, double *p);

#endif
