/* A font of pen strokes: every glyph is lines and quadratic curves on a grid where a capital is
 * FONT_CAP units tall. Drawn with a round pen at any size. */
#ifndef INKPIPE_FONT_H
#define INKPIPE_FONT_H

#define FONT_CAP 28  /* Units from the baseline up to the top of a capital. */
#define FONT_PEN 3.4 /* The width of the normal pen in units. */
#define FONT_SPACE 7 /* Units between one glyph and the next. */

/* A glyph's strokes as text: points "x,y" in units (y down, 0 the top of a capital, FONT_CAP the
 * baseline) joined by lines; a point marked ~ is the control point of a quadratic curve between
 * its neighbours; ';' lifts the pen. */
struct glyph {
    int width;
    const char *path;
};

/* The glyph of a byte: a box where the font has none. */
const struct glyph *font_glyph(unsigned char c);

/* Call line(arg, x0, y0, x1, y1) for each straight piece of a path; a curve is several. */
void font_walk(const char *path, void (*line)(void *arg, double x0, double y0, double x1, double y1),
               void *arg);

#endif
