/* The sizes at which a picture is looked at: each level half the one before, so that every digit is
 * between MIN and MAX pixels on some level whatever its size in the picture. */
#ifndef INKPIPE_PYRAMID_H
#define INKPIPE_PYRAMID_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pyramid {
    int width, height; /* of the level at hand */
    double scale;      /* source pixels a side of one of its pixels */
    uint8_t *gray;     /* [height][width], owned */
    size_t room;
};

/* Make the first level of a picture of w x h gray pixels, rows `stride` bytes apart: reduced by a whole
 * number so that its longest side is at most `side`, or enlarged when it is tiny. Returns 0, or -1 when
 * memory is short. */
int pyramid_start(struct pyramid *p, const uint8_t *gray, long stride, int w, int h, int side, struct err *e);

/* Go on to the next level, half as large. Returns 0 when that would be too small, else 1. */
int pyramid_next(struct pyramid *p);

void pyramid_free(struct pyramid *p);

#endif
