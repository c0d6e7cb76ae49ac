/* What xview shows: a frame with its region, boxes and answers, and a strip below it. Paints, knows
 * no window. */
#ifndef INKPIPE_VIEW_H
#define INKPIPE_VIEW_H

#include "frame.h"
#include "match.h"
#include "paint.h"

#define VIEW_STRIP 64 /* height of the strip in pixels at scale 1 */

struct view {
    double scale;
    const struct frame *frame; /* NULL: none yet */
    struct rect region;        /* in the frame's pixels; w = 0: the whole of it */
    const struct match *match; /* NULL: no command runs beside it */
    const char *alarm;         /* what is wrong; NULL: nothing */
    const char *note;          /* a word on what was just done; "" */
    bool failed;               /* it could not be done */
    const char *state;         /* "paused", "end of stream"; "" */
    double rate;               /* frames a second; negative: not known */
    const char *source;        /* of the frame; "" */
    long long number;
};

/* Paint all of it. */
void view_paint(struct surface *s, const struct view *v);

/* The part of region inside a frame of width x height; w = 0 when they do not meet. A region with
 * w = 0 is the whole frame. */
struct rect view_region(struct rect region, int width, int height);

#endif
