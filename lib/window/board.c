/* What xcanvas shows.
 *   in   a drawing, a panel, a line of help
 *   out  a painted surface; where on the window the paper is, and what point of the drawing the pointer is
 *        at */
#include "window.h"

/* Sizes in pixels at scale 1. */
#define MARGIN 16          /* Between the window's edge, the paper and the panel. */
#define FOOT 26            /* The height of the line of help. */
#define PAPER_SIDE 420     /* The side of the paper as the window opens. */
#define MIN_PAPER_SIDE 140 /* The side of the paper in the smallest window. */

static void size(double scale, bool panel, int side, int *width, int *height)
{
    *width = (int)((side + 2 * MARGIN + (panel ? PANEL_WIDTH + MARGIN : 0)) * scale);
    *height = (int)((side + 2 * MARGIN + FOOT) * scale);
}

void board_size(double scale, bool panel, int *width, int *height)
{
    size(scale, panel, PAPER_SIDE, width, height);
}

void board_least(double scale, bool panel, int *width, int *height)
{
    size(scale, panel, MIN_PAPER_SIDE, width, height);
}

struct box board_paper(double scale, bool panel, int width, int height)
{
    int margin = (int)(MARGIN * scale), foot = (int)(FOOT * scale);
    int beside = panel ? (int)(PANEL_WIDTH * scale) + margin : 0;
    int w = width - 2 * margin - beside, h = height - 2 * margin - foot;
    return paint_fit(box_at(margin, margin, w > 1 ? w : 1, h > 1 ? h : 1), 1, 1);
}

bool board_point(struct box paper, int x, int y, double *frame_x, double *frame_y)
{
    *frame_x = (x + 0.5 - paper.x0) * SKETCH_SIDE / box_width(paper);
    *frame_y = (y + 0.5 - paper.y0) * SKETCH_SIDE / box_height(paper);
    return *frame_x >= 0 && *frame_y >= 0 && *frame_x < SKETCH_SIDE && *frame_y < SKETCH_SIDE;
}

void board_paint_paper(struct surface *s, struct box paper, const struct sketch *sketch)
{
    paint_gray(s, paper, sketch_ink(sketch), SKETCH_RASTER, SKETCH_RASTER, false);
}

void board_paint(struct surface *s, const struct board *b)
{
    const char *keys = "c clear    u undo    0-9 label    q quit";
    double z = b->scale;
    struct box paper = board_paper(z, b->panel, s->width, s->height);
    paint_fill(s, box_at(0, 0, s->width, s->height), INK_BACKGROUND);
    paint_outline(s, box_around(paper, 1), 1, INK_EDGE);
    board_paint_paper(s, paper, b->sketch);
    panel_text(s, paper.x0, s->height - MARGIN * z, 10 * z, box_width(paper),
               b->note[0] ? INK_TEXT : INK_QUIET, b->note[0] ? b->note : keys);
    if (b->panel)
        panel_paint(s, s->width - (int)((PANEL_WIDTH + MARGIN) * z), paper.y0, z, b->panel);
}
