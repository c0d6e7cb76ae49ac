/* Ruled, squared and table lines, and folds: found by following thin runs of ink along the picture,
 * taken out where nothing but the line is there, left where a stroke crosses. */
#ifndef INKPIPE_RULES_H
#define INKPIPE_RULES_H

#include "inkmap.h"

/* Take the lines out of m's ink. A line is thin, long and nearly straight, and either it reaches
 * from edge to edge, or it is one of many side by side, or other lines cross it: so that a one or
 * the bar of a seven is none; nor is a side of a box by itself, for all are to go or none. Soft lines
 * such as folds are taken out where few others are, if they reach from edge to edge. grid: NULL, or of a
 * page of many digits, which may touch the lines all along; *grid is then joined with the box of those
 * lines that cross several others, as a form's do. Returns how many lines were taken out, or -1 when
 * memory is short. */
int rules_erase(struct inkmap *m, struct box *grid, struct err *e);

/* Are all sides of the box thin lines, as of a form's? And take out the sides, if it may be such: strokes
 * may lie along or across them. */
bool rules_is_box(struct inkmap *m, struct box box);
void rules_wipe_box(struct inkmap *m, struct box box);

/* Take out the sides of a box that was drawn, if three are there at least, at the picture's edge two.
 * Returns as rules_erase does. */
int rules_erase_box(struct inkmap *m, struct box box, struct err *e);

#endif
