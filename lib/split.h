/* Digits that touch, taken apart. */
#ifndef INKPIPE_SPLIT_H
#define INKPIPE_SPLIT_H

#include "glyphs.h"

/* Cut glyphs that are too wide for one digit along the path from top to bottom that crosses the
 * least ink, by taking the path out of m's ink. Returns how many cuts were made; the parts then
 * have to be found again. */
int split_touching(const struct glyphs *s, struct inkmap *m, enum turn turn);

#endif
