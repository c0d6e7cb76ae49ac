/* A decoded picture of any of FFmpeg's pixel formats as 8-bit gray: the luma, full range, whatever
 * the source's range and bit depth, transparent parts on white, or on black where nothing would be seen. */
#ifndef INKPIPE_GRAY_H
#define INKPIPE_GRAY_H

#include <libavutil/frame.h>

#include "frame.h"

/* Make out the gray of in (its size, no facts changed). Luma is the Y of YUV formats, expanded from
 * 16..235 to 0..255 where in is of limited range (YUV that does not say is), and
 * 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) of RGB. Returns 0 or -1. */
int gray_from_picture(struct frame *out, const AVFrame *in, struct err *e);

/* Turn a picture as an EXIF orientation 1..8 says (1: as it is, 2: mirrored left to right, 3: by 180
 * degrees, 4: mirrored top to bottom, 5: about the main diagonal, 6: 90 degrees clockwise, 7: about
 * the other diagonal, 8: 90 degrees counterclockwise). `spare` is a frame whose memory is used and
 * left in it, for speed over many pictures. Returns 0 or -1. */
int gray_turn(struct frame *f, int orientation, struct frame *spare, struct err *e);

/* Keep only the rectangle x,y,width,height, which must lie in the picture. Returns 0 or -1. */
int gray_cut(struct frame *f, int x, int y, int width, int height, struct err *e);

#endif
