/* A font of pen strokes: every glyph is lines and quadratic curves on a grid where a capital is
 * FONT_CAP units tall. Drawn with a round pen at any size. */
#ifndef INKPIPE_FONT_H
#define INKPIPE_FONT_H

#include <stdint.h>

#define FONT_CAP 28  /* Units from the baseline up to the top of a capital. */
#define FONT_PEN 3.4 /* The width of the normal pen in units. */
#define FONT_SPACE 7 /* Units between one glyph and the next. */

/* A glyph's strokes as text: points "x,y" in units (y down, 0 the top of a capital, FONT_CAP the baseline) joined by
 * lines; a point marked ~ is the control point of a quadratic curve between its neighbours; ';' lifts the pen. */
struct glyph {
    int width;
    const char *path;
};

/* The glyph of a byte: a box where the font has none. */
const struct glyph *font_glyph(unsigned char c);

/* A glyph is drawn into a mask of coverage first and blended onto the surface once, so that nothing is
 * blended twice where its strokes cross. */
struct pen {
    uint8_t *mask;
    int width, height;
    double left, top; /* where in the mask the grid begins */
    double scale, radius;
    double x, y;      /* where on the grid the pen is */
};

void font_draw(const char *path, struct pen *p);

#endif
