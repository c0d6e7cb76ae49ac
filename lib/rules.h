/* Ruled, squared and table lines, and folds: found by following thin runs of ink along the picture,
 * taken out where nothing but the line is there, left where a stroke crosses. */
#ifndef INKPIPE_RULES_H
#define INKPIPE_RULES_H

#include "inkmap.h"

/* Take the lines out of m's ink. A line is thin, long and nearly straight, and either it reaches
 * from edge to edge, or it is one of many side by side, or other lines cross it: so that a one or
 * the bar of a seven is none; nor is a side of a box by itself, for all are to go or none. Soft lines
 * such as folds are taken out where few others are, if they reach from edge to edge. Returns how many
 * lines were taken out, or -1 when memory is short. */
int rules_erase(struct inkmap *m, struct err *e);

/* Where lines cross several others, as a form's do. x0 > x1: nowhere. */
struct rules_grid {
    float x0, y0, x1, y1;
};

/* The same on a page of many digits, which may touch the lines all along. *grid is widened to theirs. */
int rules_erase_form(struct inkmap *m, struct rules_grid *grid, struct err *e);

/* Are all sides of the rectangle thin lines, as of a form's box? And take out the sides, if it may be such:
 * strokes may lie along or across them. */
bool rules_is_box(struct inkmap *m, int x0, int y0, int x1, int y1);
void rules_wipe_box(struct inkmap *m, int x0, int y0, int x1, int y1);

/* The same for the sides of a box drawn from x0, y0 to x1, y1 (beyond it), if three are there at least,
 * at the picture's edge two. */
int rules_erase_box(struct inkmap *m, int x0, int y0, int x1, int y1, struct err *e);

#endif
