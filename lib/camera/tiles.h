/* Photos stored as a grid of tiles: HEIF of phones, large AVIF. Known to libavformat 61 (FFmpeg 7);
 * with an older one there are none. */
#ifndef INKPIPE_TILES_H
#define INKPIPE_TILES_H

#include <stdbool.h>

#include <libavformat/avformat.h>

#include "stream/stream.h"

/* The stream of the first tile, when what is open in format is such a photo; -1 otherwise. */
int tiles_stream(const AVFormatContext *format);

/* Decode all tiles and put them together in f. `tile` is a frame whose memory is used. Returns 0 or
 * -1. */
int tiles_read(AVFormatContext *format, struct frame *f, struct frame *tile, struct err *e);

#endif
