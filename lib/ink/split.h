/* Digits that touch, taken apart. */
#ifndef INKPIPE_SPLIT_H
#define INKPIPE_SPLIT_H

#include "glyphs.h"

/* Cut a glyph into the row of digits that it most probably is, by taking ways from top to bottom out
 * of m's ink: of all rows which the cheapest ways through it would leave, that whose digits look
 * most like whole ones (over-segmentation and a lattice: Casey and Lecolinet, "A survey of methods
 * and strategies in character segmentation", 1996). box: the glyph's, upright, and gray its pixels there
 * [h][w] as white ink, its own alone. `height`: of the usual digit. Returns how many cuts were made (the
 * parts then have to be found again), or -1 when memory is short. */
int split_row(struct box box, const uint8_t *gray, float height, struct inkmap *m, enum turn turn,
              struct err *e);

/* Cut digits one above another that touch, each of about the usual `height`, from left to
 * right where the least ink is crossed. Returns as split_row does. */
int split_stack(struct box box, float height, struct inkmap *m, enum turn turn, struct err *e);

#endif
