/* Pictures whose pixels are not square, as of a fax of 204 by 98 dots an inch, made of square ones. */
#ifndef INKPIPE_SQUARE_H
#define INKPIPE_SQUARE_H

#include <stddef.h>
#include <stdint.h>

#include "stream/stream.h"

/* How many times wider than high the pixels of a JPEG file are by the dots an inch or centimetre of its JFIF
 * header; 0: it does not say. */
double square_of_jpeg(const uint8_t *bytes, size_t len);

/* Make a picture whose pixels are so many times wider than high one of square pixels: its coarser side gets more of
 * them, interpolated between the two nearest. Ratios that are nearly 1 or beyond belief (0 too) leave it as it is, and
 * so does one that would make it larger than a frame can be. `spare` is as of gray_turn. Returns 0 or -1. */
int square_pixels(struct frame *f, double wide, struct frame *spare, struct err *e);

#endif
