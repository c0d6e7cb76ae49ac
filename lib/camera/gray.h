/* A decoded picture of any of FFmpeg's pixel formats as 8-bit gray: the luma, full range, whatever
 * the source's range and bit depth, transparent parts on white, or on black where nothing would be seen. */
#ifndef INKPIPE_GRAY_H
#define INKPIPE_GRAY_H

#include <libavutil/frame.h>

#include "camera.h"

/* Make out the gray of in (its size, no facts changed). Luma is the Y of YUV formats, expanded from
 * 16..235 to 0..255 where in is of limited range (YUV that does not say is), and
 * 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) of RGB. Returns 0 or -1. */
int gray_from_picture(struct frame *out, const AVFrame *in, struct err *e);

/* Make a picture whose pixels are so many times wider than high one of square pixels: its coarser side gets more
 * of them, interpolated between the two nearest. Ratios that are nearly 1 or beyond belief (0 too) leave it as it
 * is, and so does one that would make it larger than a frame can be. `spare` is as of gray_turn. Returns 0 or -1. */
int gray_square(struct frame *f, double wide, struct frame *spare, struct err *e);

/* Copy a tile to (x, y) of the canvas, clipped to it. */
void gray_put(struct frame *canvas, const struct frame *tile, int x, int y);

#endif
