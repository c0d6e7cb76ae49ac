/* The writings that scenes are made of: frames of labelled streams, as the depth of each point in
 * the ink, so that they can be drawn in any size with any pen. */
#ifndef GLYPH_H
#define GLYPH_H

#include "base/err.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GLYPH_MARGIN 8 /* points on each side of a glyph's ink that are not ink */
#define GLYPH_STEP 16  /* units of depth a point */

struct glyph {
    char label[8]; /* "0".."9"; "none": what no digit is mistaken for; "letter": what may be */
    int w, h;      /* points, margins included */
    int8_t *depth; /* [h][w]: how far inside of the ink's edge, in 1/GLYPH_STEP points */
    float half;    /* half of the width of a stroke, in points, on average */
    /* In a line of print, points: of a capital letter, and from the line to the ink's foot. */
    float capital, rise;
};

/* Groups of glyphs: one for each stream that was read. */
struct stock;

struct stock *stock_new(void);
void stock_free(struct stock *s);

/* Read the frames of a labelled stream, white on black; those without ink are left out. A letter of
 * a face has the facts face, a word, and line: the rows where a capital begins and ends. Returns 0
 * or -1. */
int stock_read(struct stock *s, const char *name, struct err *e);

/* One of those with that label at random, NULL when there is none: of a stream as often as the root
 * of its frames says, so that a large stream does not drown the small ones. */
const struct glyph *stock_draw(struct stock *s, const char *label, struct rng *r);

/* Faces, fonts whose letters make words, of a kind ("print", "hand") at random: NULL when there is
 * none. */
const char *stock_face(struct stock *s, const char *kind, struct rng *r);
/* A letter of a face. */
const struct glyph *stock_letter(struct stock *s, const char *face, struct rng *r);

/* How deep in the ink the point (x, y) is, in points; below 0 outside. */
float glyph_depth(const struct glyph *g, float x, float y);

#endif
