/* A quantised network run in integers, for infer.c: its program (program.h), where that is of conv and dense
 * layers with 8-bit weights (struct layer, step), each between two OP_QUANTIZE, with relu, sums with earlier
 * results, max and mean pooling among them. The same numbers as OP_QUANTIZE in floats gives, but for the
 * rounding of those. */
#ifndef INKPIPE_INT8_H
#define INKPIPE_INT8_H

#include "kernel/int8.h"
#include "net/net.h"
#include "pages.h"

struct int8;

/* Plan net for chunks of up to `chunk` images on each of `threads` threads, with memory of `pages`, which it
 * lives as long as. Returns NULL when the program has anything else, its sums could leave 32 bits, or memory is
 * short: it is run in floats then. The net is not needed afterwards. */
struct int8 *int8_new(const struct net *net, int chunk, int threads, const struct kernels8 *k,
                      struct pages *pages);

/* Its kernels, and other ones instead. */
const struct kernels8 *int8_kernels(const struct int8 *p);
void int8_set_kernels(struct int8 *p, const struct kernels8 *k);

/* Run n images (1..chunk) on thread `thread`: x [n][C][H][W] -> logits [n][outputs]. */
void int8_run(const struct int8 *p, int thread, const float *x, int n, float *logits);

#endif
