/* Digits that touch, taken apart. */
#ifndef INKPIPE_SPLIT_H
#define INKPIPE_SPLIT_H

#include "glyphs.h"

/* Cut glyph g, several digits each of about the `usual` width, along the paths from top to bottom
 * that cross the least ink, by taking the paths out of m's ink. Returns how many cuts were made (the
 * parts then have to be found again), or -1 when memory is short. */
int split_glyph(const struct glyph *g, float usual, struct inkmap *m, enum turn turn,
                struct err *e);

/* The same for digits one above another that touch, each of about the usual `height`, cut from left
 * to right. */
int split_stack(const struct glyph *g, float height, struct inkmap *m, enum turn turn,
                struct err *e);

#endif
