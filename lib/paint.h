/* Painting into memory: rectangles, gray pictures and text, for windows. Pure: no X.
 *
 * A surface is [height][width] pixels of 0x00RRGGBB; coordinates are in pixels, 0,0 at the top
 * left; whatever falls outside is clipped. */
#ifndef INKPIPE_PAINT_H
#define INKPIPE_PAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct surface {
    int width, height;
    uint32_t *pixels; /* owned by whoever made the surface */
};

struct rect {
    int x, y, w, h;
};

/* The part of r that lies inside width x height; without pixels (w or h 0 or less) when none does. */
struct rect paint_clip(struct rect r, int width, int height);

void paint_fill(struct surface *s, struct rect r, uint32_t color);

/* A frame of lines `thick` pixels wide just inside r. */
void paint_outline(struct surface *s, struct rect r, int thick, uint32_t color);

/* A gray picture [height][width] stretched over r: smooth when it grows or shrinks, or, when
 * `blocks`, in sharp-edged pixels. */
void paint_gray(struct surface *s, struct rect r, const uint8_t *gray, int width, int height,
                bool blocks);

/* The largest rectangle of width:height inside `room`, centred in it. */
struct rect paint_fit(struct rect room, int width, int height);

/* Text in a built-in round-ended stroke font (ASCII 32..126; other bytes appear as a box), so that
 * no font need be installed on the X server. `size` is the height of a capital in pixels; y is
 * where the baseline is. `bold` is the stroke's width relative to the normal one: 1 is normal.
 * Returns the x at which the text ends. */
double paint_text(struct surface *s, double x, double y, double size, double bold, uint32_t color,
                  const char *text);

/* How wide paint_text would make it. */
double paint_text_width(double size, const char *text);

/* Two colours mixed: 0 gives a, 1 gives b. */
uint32_t paint_mix(uint32_t a, uint32_t b, double part);

#endif
