/* Rectangles of pixels, half open: a box holds the pixels from (x0, y0) to before (x1, y1). */
#ifndef INKPIPE_BOX_H
#define INKPIPE_BOX_H

#include <limits.h>
#include <stdbool.h>

static inline int min_int(int a, int b)
{
    return a < b ? a : b;
}

static inline int max_int(int a, int b)
{
    return a > b ? a : b;
}

struct box {
    int x0, y0, x1, y1;
};

/* The empty box, neutral in box_join: joined with a box it is that box. */
#define BOX_NONE (struct box){INT_MAX, INT_MAX, INT_MIN, INT_MIN}

static inline struct box box_at(int x, int y, int w, int h)
{
    return (struct box){x, y, x + w, y + h};
}

static inline int box_width(struct box b)
{
    return b.x1 - b.x0;
}

static inline int box_height(struct box b)
{
    return b.y1 - b.y0;
}

/* The longer side. */
static inline int box_longer(struct box b)
{
    return max_int(box_width(b), box_height(b));
}

/* The smallest box that holds both. */
static inline struct box box_join(struct box a, struct box b)
{
    return (struct box){min_int(a.x0, b.x0), min_int(a.y0, b.y0), max_int(a.x1, b.x1),
                        max_int(a.y1, b.y1)};
}

/* `b` widened by `by` pixels on all sides and clipped to a picture of w x h. */
static inline struct box box_widen(struct box b, int by, int w, int h)
{
    return (struct box){max_int(b.x0 - by, 0), max_int(b.y0 - by, 0), min_int(b.x1 + by, w),
                        min_int(b.y1 + by, h)};
}

/* `b` larger by so many pixels on all sides. */
static inline struct box box_around(struct box b, int by)
{
    return (struct box){b.x0 - by, b.y0 - by, b.x1 + by, b.y1 + by};
}

/* The part of `b` that lies in a picture of w x h; empty when none does. */
static inline struct box box_clip(struct box b, int w, int h)
{
    return box_widen(b, 0, w, h);
}

/* Has it no pixels? */
static inline bool box_empty(struct box b)
{
    return b.x1 <= b.x0 || b.y1 <= b.y0;
}

/* True when `a` lies in `b`, more than `margin` pixels away from each of its sides. */
static inline bool box_inside(struct box a, struct box b, int margin)
{
    return a.x0 > b.x0 + margin && a.y0 > b.y0 + margin && a.x1 < b.x1 - margin && a.y1 < b.y1 - margin;
}

/* True when more than `near` pixels lie between a and b, horizontally or vertically. */
static inline bool box_apart(struct box a, struct box b, int near)
{
    return b.y0 > a.y1 + near || b.y1 < a.y0 - near || b.x0 > a.x1 + near || b.x1 < a.x0 - near;
}

#endif
