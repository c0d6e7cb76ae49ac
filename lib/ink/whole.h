/* Telling a whole digit from a part of one and from several that touch. */
#ifndef INKPIPE_WHOLE_H
#define INKPIPE_WHOLE_H

#include <stdint.h>

#include "base/box.h"
#include "base/err.h"

/* A picture of ink of which stretches are looked at. */
struct whole_picture {
    const uint8_t *gray; /* [h][w] white ink on black */
    int w, h;
    uint32_t *sums; /* [h][w + 1] what precedes each pixel in its row: whole_sum fills it; the caller's */
};

void whole_sum(struct whole_picture *p);

/* What a stretch of a picture is. */
struct whole {
    struct box box; /* of its ink; all 0 when there is none */
    float log_p;    /* logarithm of the probability that this is one whole digit */
};

/* Look at the pixels of each row y from left[y] to right[y] - 1 (NULL: all): a small network
 * (whole_table.h) on the means of 2x2 pixels of what normalise would roughly make of them. */
struct whole whole_look(const struct whole_picture *p, const int *left, const int *right);

/* The same for all of gray [h][w]: *log_p. Returns 0, or -1 when memory is short. */
int whole_of(const uint8_t *gray, int w, int h, float *log_p, struct err *e);

#endif
