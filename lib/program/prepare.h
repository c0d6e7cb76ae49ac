/* Streams of frames, and the digits found in them written as MNIST makes them. preproc is this with
 * options. */
#ifndef INKPIPE_PREPARE_H
#define INKPIPE_PREPARE_H

#include <stdbool.h>

#include "stream/stream.h"

struct prepare_options {
    bool many;     /* every digit, not only the most prominent one */
    int threads;   /* so many frames are worked on at once */
    int region[4]; /* x, y, w, h of the part of a frame to look in; w 0: all of it */
    int out;       /* the file that frames are written to */
    int (*report)(const struct err *e);           /* told of what went wrong, or could be better */
    void (*notice)(const struct frame_reader *r); /* told of each frame read */
};

struct prepare;

/* Options are the caller's and must outlive it. NULL when memory is short or no thread can be had;
 * free with prepare_free. */
struct prepare *prepare_new(const struct prepare_options *o, struct err *e);
void prepare_free(struct prepare *p);

/* All frames of a file (NULL or "-": standard input), in order; each gives one frame at least.
 * Returns 0; 1 when a frame or the whole stream was bad, as was reported; -1 when nothing more can
 * be written. */
int prepare_stream(struct prepare *p, const char *name);

#endif
