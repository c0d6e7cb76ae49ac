/* IDX images, as MNIST has them, to frames: a stream, or files in folders. mnist2pgm is this with
 * options. */
#ifndef INKPIPE_IDX_FRAMES_H
#define INKPIPE_IDX_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct idx_frames_options {
    const char *images, *labels; /* IDX files, "-": standard input; labels may be NULL */
    uint32_t from, to;           /* images from..to-1, or to the last */
    bool transposed;             /* rows and columns are to be exchanged */
    const char *dir;             /* a folder that is there, for dir/LABEL/NNNNN.pgm; or NULL: */
    int out;                     /* the file that the stream is written to */
};

/* Frames carry the facts source, frame and, of a labelled image, label. Returns 0, also when the reader of
 * the stream has gone; or -1, with all frames before the one that is wrong written. */
int idx_frames(const struct idx_frames_options *o, struct err *e);

#endif
