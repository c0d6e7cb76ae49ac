/* Pen strokes as a person draws them: points joined by thick anti-aliased lines with round ends,
 * white (255) on black (0), undone stroke by stroke. Pure: no window, no time.
 *
 * Points are in frame pixels: 0,0 is the top left corner of a SKETCH_SIDE square, and points
 * outside of it are allowed (the ink is clipped). Ink is kept at SKETCH_RASTER pixels a side, twice
 * the frame, so that a frame is a fair average and a large window still shows a sharp edge. */
#ifndef INKPIPE_STROKE_H
#define INKPIPE_STROKE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define SKETCH_SIDE 280
#define SKETCH_RASTER (2 * SKETCH_SIDE)
#define SKETCH_MAX_STROKES 1000000

struct sketch;

/* An empty drawing with a pen `pen` frame pixels wide (1..SKETCH_SIDE). NULL when memory is
 * short. Free with sketch_free. */
struct sketch *sketch_new(double pen, struct err *e);
void sketch_free(struct sketch *s);

/* The pen goes down, moves, and goes up. Each move inks the straight line from the last point, so
 * that the ink is under the pointer at once; sketch_up redraws the stroke as a smooth curve
 * through its points (centripetal Catmull-Rom). Moves without the pen down are ignored, and a
 * second down ends the stroke before. Return 0, or -1 when memory is short. */
int sketch_down(struct sketch *s, double x, double y, struct err *e);
int sketch_move(struct sketch *s, double x, double y, struct err *e);
void sketch_up(struct sketch *s);

/* Is a stroke being drawn? How many strokes are there (with it)? */
bool sketch_is_down(const struct sketch *s);
int sketch_strokes(const struct sketch *s);

/* Take back the last whole stroke (also one being drawn). False when there is none. */
bool sketch_undo(struct sketch *s);

/* Remove all strokes. */
void sketch_clear(struct sketch *s);

/* The ink as it stands: [SKETCH_RASTER][SKETCH_RASTER]; owned by s. */
const uint8_t *sketch_ink(const struct sketch *s);

/* The ink as a frame: [SKETCH_SIDE][SKETCH_SIDE], each pixel the mean of four of the raster. */
void sketch_frame(const struct sketch *s, uint8_t *gray);

/* One thick segment from a to b into gray [height][width], by the larger of what is there and the
 * segment's coverage: overlapping segments of one line leave no seam. Pixel i covers i..i+1;
 * radius is half the line's width. */
void stroke_segment(uint8_t *gray, int width, int height, double ax, double ay, double bx,
                    double by, double radius);

#endif
