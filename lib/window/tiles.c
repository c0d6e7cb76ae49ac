/* What xcheck shows.
 *   in   pictures of cells, what they hold, lines of text
 *   out  a painted surface; how many tiles fit it, and which one the pointer is at */
#include "window.h"

#include <math.h>

/* Sizes in pixels at scale 1. */
#define MARGIN 12    /* Between tiles, and around them. */
#define TILE 72      /* The side of a cell's picture. */
#define TILE_FOOT 26 /* The height of what it holds, below it. */
#define LINE 24      /* The height of a line of text, of which one is above the tiles and two below. */

void tiles_size(double scale, int across, int down, int *width, int *height)
{
    *width = (int)(scale * (MARGIN + across * (TILE + MARGIN)));
    *height = (int)(scale * (3 * LINE + MARGIN + down * (TILE + TILE_FOOT + MARGIN)));
}

struct window_tiles tiles_fit(double scale, int width, int height)
{
    double across = (width / scale - MARGIN) / (TILE + MARGIN);
    double down = (height / scale - 3 * LINE - MARGIN) / (TILE + TILE_FOOT + MARGIN);
    return (struct window_tiles){scale, (int)fmax(1, across), (int)fmax(1, down)};
}

/* Where tile i is: its picture, and what it holds below that. */
static struct box place(const struct window_tiles *t, int i)
{
    double z = t->scale;
    return box_at((int)(z * (MARGIN + i % t->across * (TILE + MARGIN))),
                  (int)(z * (LINE + MARGIN + i / t->across * (TILE + TILE_FOOT + MARGIN))), (int)(z * TILE),
                  (int)(z * (TILE + TILE_FOOT)));
}

int tiles_at(const struct window_tiles *t, int x, int y)
{
    for (int i = 0; i < t->across * t->down; i++)
        if (box_inside(box_at(x, y, 1, 1), place(t, i), -1))
            return i;
    return -1;
}

void tiles_paint(struct window_surface *s, const struct window_tiles *t, int i, const struct window_tile *tile)
{
    double z = t->scale;
    const struct frame *f = tile->frame;
    struct box at = place(t, i), picture = box_at(at.x0, at.y0, box_width(at), box_width(at));
    paint_gray(s, paint_fit(picture, f->width, f->height), f->gray, f->width, f->height, false);
    paint_outline(s, box_around(picture, 2), 2, tile->chosen ? INK_TEXT : INK_EDGE);
    paint_text(s, at.x0 + 4 * z, at.y1 - 5 * z, 14 * z, 1.2, tile->keyed ? INK_ACCENT : INK_TEXT, tile->holds);
    paint_text(s, at.x0 + 28 * z, at.y1 - 5 * z, 10 * z, 1, INK_QUIET, tile->others);
}

void tiles_paint_words(struct window_surface *s, double scale, const char *head, const char *foot, const char *alarm)
{
    const char *keys = "0-9 correct    - empty    ? cannot be told    Return accept all    u undo    q quit";
    double z = scale, room = s->width - 2 * MARGIN * z;
    panel_text(s, MARGIN * z, (LINE - 6) * z, 12 * z, room, INK_TEXT, head);
    panel_text(s, MARGIN * z, s->height - (LINE + 8) * z, 10 * z, room, INK_TEXT, foot);
    panel_text(s, MARGIN * z, s->height - 8 * z, 10 * z, room, *alarm ? INK_ALARM : INK_QUIET,
               *alarm ? alarm : keys);
}
