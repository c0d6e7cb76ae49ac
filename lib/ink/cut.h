/* The ink of one digit: a box the finder found -> a frame of 28x28 as MNIST makes them. */
#ifndef INKPIPE_CUT_H
#define INKPIPE_CUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/box.h"
#include "base/err.h"

#define CUT_SIDE 128 /* pixels: the part of the picture that is worked on is reduced to this */

/* A picture: w x h gray pixels, rows `stride` bytes apart. */
struct cut_source {
    const uint8_t *gray;
    long stride;
    int w, h;
};

/* Workspace, for one thread at a time. */
struct cutter;
struct cutter *cutter_new(struct err *e);
void cutter_free(struct cutter *c);

/* How much darker (above 0) or lighter (below) than its surroundings what stands in the box is, -1..1. */
float cut_polarity(struct cutter *c, const struct cut_source *s, struct box box);

/* Cut the digit in `box` out of the picture, dark ink or light. other: the boxes of n other digits, whose
 * ink is not this one's. Fills pixels [28][28] and makes *box that of the ink. Returns the ink's
 * contrast to the paper, 1..255; 0 when there is no ink; -1 when memory is short. */
int cut_digit(struct cutter *c, const struct cut_source *s, bool light, const struct box *other, int n,
              struct box *box, uint8_t *pixels, struct err *e);

#endif
