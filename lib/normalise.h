/* A cut-out digit made as MNIST makes its own: gray ink on black, scaled with its aspect kept into
 * a 20x20 box, the centre of mass brought to pixel (14, 14) of 28x28 by a whole-pixel shift; and
 * strokes far from MNIST's width brought toward it. */
#ifndef INKPIPE_NORMALISE_H
#define INKPIPE_NORMALISE_H

#include <stdbool.h>
#include <stdint.h>

#define DIGIT_SIDE 28
#define DIGIT_BOX 20
#define DIGIT_PIXELS (DIGIT_SIDE * DIGIT_SIDE)

/* cut [h][w]: ink 0 none .. 255 full, used as scratch. Fills out [28][28]. */
void normalise(uint8_t *cut, int w, int h, uint8_t *out);

/* True when pixels [28][28] is normalised already, as every frame of MNIST and everything
 * normalise has made is: 19 or 20 pixels long, centred, strokes not too thin. */
bool is_normalised(const uint8_t *pixels);

/* The box of the ink in pixels [28][28]. */
void normalised_box(const uint8_t *pixels, int *x, int *y, int *w, int *h);

/* Mean width of the strokes in a gray picture [h][w]: twice its ink over its total variation,
 * which for ink with sharp edges is twice area over perimeter. 0 when there is no ink. */
float stroke_width(const uint8_t *gray, int w, int h);

#endif
