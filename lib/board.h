/* What xcanvas shows: the paper with the drawing, a line of help below it, and the panel with the
 * answer beside it. Paints, knows no window. */
#ifndef INKPIPE_BOARD_H
#define INKPIPE_BOARD_H

#include "paint.h"
#include "panel.h"
#include "stroke.h"

struct board {
    double scale;
    const struct sketch *sketch;
    const char *note;          /* a word on what was just done; "": the keys are explained */
    const struct panel *panel; /* NULL: no command runs beside it */
};

/* The size of the window as it opens, and the least that makes sense, in pixels. */
void board_size(double scale, bool panel, int *width, int *height);
void board_least(double scale, bool panel, int *width, int *height);

/* The square to draw on in a window of width x height. */
struct rect board_paper(double scale, bool panel, int width, int height);

/* A point of the window as a point of the drawing, in frame pixels; true when it is on the paper. */
bool board_point(struct rect paper, int x, int y, double *frame_x, double *frame_y);

/* Paint all of it, or the paper alone. */
void board_paint(struct surface *s, const struct board *b);
void board_paint_paper(struct surface *s, struct rect paper, const struct sketch *sketch);

#endif
