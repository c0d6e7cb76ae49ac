/* The corner marks in a picture: where they may be. */
#ifndef INKPIPE_FORM_MARKS_H
#define INKPIPE_FORM_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "form_blobs.h"
#include "form_plane.h"

/* Gray pixels: 0 black, 255 white. */
struct picture {
    const uint8_t *gray; /* [h] rows, `stride` bytes apart */
    long stride;
    int w, h;
};

/* Gray at a point, pixel x, y having its middle at x + 1/2, y + 1/2; beyond the sides as at them. */
double picture_at(const struct picture *p, double x, double y);

struct mark {
    struct point corner[4]; /* of its outer edge, clockwise; which comes first says nothing */
    struct point middle;    /* where the diagonals meet */
    double side;            /* pixels: the root of its area */
    bool upper_left;        /* it is of the kind of FORM_UPPER_LEFT */
};

enum { MAX_MARKS = 24 }; /* that are kept; the largest */

/* Memory used again from picture to picture; all-zero is empty. */
struct mark_finder {
    struct blobs blobs;
    uint8_t *small, *mask;
    uint32_t *sum, *line;
    size_t small_room, mask_room, sum_room, line_room;
    struct mark mark[MAX_MARKS];
    int marks;
};

/* Find what looks like a mark. Returns 0, or -1 when memory is short. */
int marks_find(struct mark_finder *f, const struct picture *p, struct err *e);
void marks_free(struct mark_finder *f);

#endif
