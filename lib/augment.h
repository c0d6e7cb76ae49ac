/* Pictures bent at random while they are trained on, so that a network sees each digit in more
 * hands than wrote it. All geometry is one bilinear warp; what a picture becomes depends on
 * (seed, epoch, index) alone, never on the thread that does it.
 *
 * In the order they are done:
 *   stroke  pen width: gray dilation or erosion by a fraction of a pixel
 *   warp    rotation, shear, zoom and shift as in Keras' ImageDataGenerator (angles about the
 *           centre; zoom drawn for each axis; a shift is a fraction of the side), and an elastic
 *           displacement (Simard et al. 2003), here a cubic B-spline over a coarse random grid
 *   erase   a rectangle of 2 to 10 % of the picture goes black (Zhong et al. 2017)
 * What comes in from beyond the border is black. */
#ifndef INKPIPE_AUGMENT_H
#define INKPIPE_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define AUGMENT_MAX_SIDE 64 /* of a picture, in pixels */

/* How far each distortion goes: a value is drawn evenly from -x to x. 0 is off. */
struct augment_options {
    double rotate;  /* degrees, 0..180 */
    double shear;   /* degrees, 0..60 */
    double zoom;    /* factor 1 - zoom to 1 + zoom an axis, 0..0.9 */
    double shift;   /* of the side, 0..1 */
    double elastic; /* root mean square displacement in pixels of a 28-pixel side, 0..4 */
    double stroke;  /* pixels the pen's edge moves, 0..2 */
    double erase;   /* how probable a rectangle is, 0..1 */
};

/* What is on when nobody says otherwise; everything off is all zero. */
#define AUGMENT_DEFAULT                                                                            \
    {                                                                                              \
        .rotate = 10, .shear = 10, .zoom = 0.1, .shift = 0.1, .elastic = 0.6, .stroke = 0.4        \
    }
extern const struct augment_options augment_none;

/* Read `rotate=10,zoom=.1,...`: what is not named is off; the words `default` and `none`, which
 * must come first, start from those. Returns 0, or -1 with e naming the word that is wrong. */
int augment_parse(const char *text, struct augment_options *o, struct err *e);

/* The options as augment_parse reads them, `none` when all are off. Returns text. */
char *augment_text(const struct augment_options *o, char *text, size_t size);

#define AUGMENT_NODES 7 /* an axis of the elastic grid: 4 cells, cubic */

struct augment {
    struct augment_options options;
    bool off; /* nothing to do but scale */
    int height, width;
    uint64_t seed;
    float scale, offset; /* x = pixel * scale + offset */
    float basis_y[AUGMENT_MAX_SIDE][AUGMENT_NODES]; /* B-spline weights of the nodes in a row */
    float basis_x[AUGMENT_NODES][AUGMENT_MAX_SIDE]; /* and along a row */
};

/* Prepare for pictures of height x width (at most AUGMENT_MAX_SIDE each) and for results
 * x = (pixel * scale - mean) / std. */
void augment_init(struct augment *a, const struct augment_options *o, uint64_t seed, int height,
                  int width, double scale, double mean, double std);

/* Picture `index` as it looks in `epoch`: pixels [H][W] -> x [H][W]. May be called from several
 * threads at once. */
void augment_image(const struct augment *a, uint64_t epoch, uint64_t index, const uint8_t *pixels,
                   float *x);

#endif
