/* Reading order: which digits make a line, in which order the lines follow, where words end.
 *
 * Lines are gathered by a sweep from left to right: each digit joins the line whose course, as it
 * has run so far, comes nearest to it, so that lines may be skewed and curved. */
#ifndef INKPIPE_READING_H
#define INKPIPE_READING_H

#include <stdbool.h>

#include "base/box.h"
#include "base/err.h"

/* What may be a digit. */
struct glyph {
    struct box box; /* upright */
    int id;         /* the caller's */
    int line, word; /* set by reading_order: both from 0 through the page */
    bool odd;       /* of another size than the usual digit */
};

/* Put n glyphs of a page into reading order, `height` being that of its usual digit, and set their
 * line and word. Returns 0, or -1 when memory is short. */
int reading_order(struct glyph *g, int n, float height, struct err *e);

/* The k-th smallest of a, which is put in another order; 0 <= k < n. */
float nth_smallest(float *a, int n, int k);

#endif
