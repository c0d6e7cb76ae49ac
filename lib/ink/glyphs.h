/* Which parts of the ink are digits, and which belong together: parts of an ink map grouped into
 * glyphs. */
#ifndef INKPIPE_GLYPHS_H
#define INKPIPE_GLYPHS_H

#include "inkmap.h"
#include "parts.h"
#include "reading.h"
#include "turn.h"

struct glyphs {
    struct glyph *glyph; /* [n], boxes upright in the way the page lies; id: see owner */
    int n;
    int *owner;    /* of each part: the id of its glyph, or -1 */
    float *score;  /* of each part; negative: not a stroke on paper */
    float height;  /* of the usual digit, in map pixels */
    int seen;      /* how many things as prominent as a digit glyphs_one saw */
    size_t owner_room, score_room, glyph_room;
};

/* Group the parts around the most prominent one into a glyph (id 0). Returns how many glyphs there
 * are, 0 or 1; -1 when memory is short. */
int glyphs_one(struct glyphs *s, const struct inkmap *m, const struct parts *p, struct err *e);

/* Measure all parts of a page that lies turned so: fills score and height. Returns 0 or -1. */
int glyphs_measure(struct glyphs *s, const struct inkmap *m, const struct parts *p,
                   enum turn turn, struct err *e);

/* What is kept though it is no digit: it may be several that touch. */
#define TOUCHING_ROWS 1u   /* too wide for one */
#define TOUCHING_STACKS 2u /* too high */

/* After glyphs_measure: group all parts of digit size with what belongs to them, on a page that
 * lies turned so. touching: a sum of the above. Returns how many there are. */
int glyphs_all(struct glyphs *s, const struct inkmap *m, const struct parts *p, enum turn turn,
               unsigned touching);

/* A box in the map, as it is when the page, which lies turned so, is upright. */
struct box upright(const struct inkmap *m, struct box b, enum turn turn);

void glyphs_free(struct glyphs *s);

#endif
