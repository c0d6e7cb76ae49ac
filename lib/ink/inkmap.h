/* The ink map: how much darker than its paper each pixel is, and which of
 * them are ink.
 *
 * The paper is estimated on a coarse grid: the upper mean of each cell (the mean of what is
 * brighter than the cell's mean), closed by a parabola so that strokes vanish and shadows stay
 * (Sternberg's rolling ball, "Biomedical image processing", 1983), and interpolated between cell
 * centres. Each pixel is compared with that, as a fraction of the paper's brightness, so that a
 * shadow changes nothing. A pixel is ink when it stands out by more than the paper's own texture
 * and by more than a part of the strongest ink near it (Bernsen's local threshold, on the grid).
 * The work for a pixel does not depend on the width of any of these windows. */
#ifndef INKPIPE_INKMAP_H
#define INKPIPE_INKMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/box.h"
#include "base/err.h"

/* A picture, or a part of one: w x h gray pixels, rows `stride` bytes apart. */
struct source {
    const uint8_t *gray;
    long stride;
    int w, h;
};

/* The part of s from (x0, y0) to before (x1, y1), or as far as s goes. */
static inline struct source source_part(const struct source *s, struct box b)
{
    return (struct source){s->gray + b.y0 * s->stride + b.x0, s->stride, min_int(b.x1, s->w) - b.x0,
                           min_int(b.y1, s->h) - b.y0};
}

struct inkmap {
    int width, height; /* of the map: the source's size divided by `reduce` */
    int reduce;        /* source pixels a side of a map pixel, 1 when the source is small */
    uint8_t *gray;     /* [height][width] the picture with dark ink: inverted when ink is light */
    uint8_t *ink;      /* [height][width] contrast to the paper 0..255; bit 0 set where it is ink */
    int floor;         /* contrast below which nothing is ink */

    int cell, gw, gh;  /* side of a grid cell in map pixels, grid size */
    uint8_t *paper;    /* [gh][gw] brightness of the paper */
    uint8_t *peak;     /* [gh][gw] strongest contrast in the cell, then near it */
    uint8_t *mean, *scratch;
    uint32_t *sums;    /* [gh + 1][gw + 1] */
    uint16_t *lines;   /* [INKMAP_LINES][line_size], working memory of a pass over the rows */
    size_t line_size;  /* numbers allocated for each line: the widest map's width and four more */
    size_t size, grid_size; /* bytes allocated for gray and ink; for each of the grids */
};

#define INKMAP_LINES 5 /* working lines that a pass has at once, at most */

/* The shorter side, in map pixels. */
static inline int inkmap_side(const struct inkmap *m)
{
    return min_int(m->width, m->height);
}

/* Bring the source into the map's gray picture, made smaller by averaging when a side is above
 * INKMAP_SIDE. Returns 0, or -1 when memory is short. */
int inkmap_load(struct inkmap *m, const struct source *s, struct err *e);

/* The same, k x k pixels of the source to one of the map's. */
int inkmap_load_by(struct inkmap *m, const struct source *s, int k, struct err *e);
#define INKMAP_SIDE 2560 /* larger pictures are made smaller, unless they are narrow strips */
#define INKMAP_MAX 16384 /* the longest side of a source, and so of a map */

/* How sure it is that the ink is darker than the paper: 1 sure, -1 surely lighter, near 0 cannot
 * tell. */
float inkmap_polarity(struct inkmap *m);

/* Turn the gray picture round, for light ink. */
void inkmap_invert(struct inkmap *m);

/* Fill m->mean with the mean brightness of each cell, m->paper with that of what is not darker. */
void inkmap_faces(struct inkmap *m);

/* Fill m->ink from m->gray, which is softened where the paper is very noisy. */
void inkmap_find(struct inkmap *m);

/* Fill m->ink as inkmap_find did, whatever has become of it. m->gray is as that left it. */
void inkmap_renew(struct inkmap *m);

/* Make m a map of the same size, and of paper as bright: of that it knows nothing else. Returns 0, or -1
 * when memory is short. */
int inkmap_copy_paper(struct inkmap *m, const struct inkmap *of, struct err *e);

/* The same another way: the paper is the picture closed by a square, so that ink is what is darker and
 * no wider than `widest` pixels. This sees no shadow, however hard its edge; but no thicker stroke
 * either. Softens m->gray, whose grain is measured by the paper known before. Returns 0, or -1 when memory
 * is short. */
int inkmap_find_narrow(struct inkmap *m, int widest, struct err *e);

/* Join what is ink across gaps no wider than `widest` pixels, but for what is so near to the picture's
 * edge. Returns 0, or -1 when memory is short. */
int inkmap_join(struct inkmap *m, int widest, struct err *e);

/* Mark the ink anew after some of m->ink was made 0, when that, such as a form's lines, was so much
 * stronger than the writing left that the writing was measured by it. */
void inkmap_find_again(struct inkmap *m);

void inkmap_free(struct inkmap *m);

#endif
