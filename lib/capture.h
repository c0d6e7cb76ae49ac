/* Pictures from anything FFmpeg reads, as gray frames: image and video files, URLs, cameras, the
 * screen, filter graphs.
 *
 * Files are from strangers. A file is opened here and FFmpeg only reads its bytes: it can open
 * nothing else, neither a file nor the network, and containers that name other files (playlists,
 * sdp, concat scripts) are refused. A URL that was typed may use the network, never files. */
#ifndef INKPIPE_CAPTURE_H
#define INKPIPE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"

struct capture_options {
    const char *format;         /* FFmpeg's name of an input format or device; NULL: find it */
    const char **option;        /* "key=value" for that format or its decoder, as FFmpeg names it */
    int options;
    int width, height;          /* size asked of a device; 0: 640x480 of a camera, else the device's
                                   own */
    double rate;                /* frames a second asked of a device; 0: 30 of a camera */
    int threads;                /* decoder threads for videos; 0: as many as there are CPUs */
};

/* What capture_open found. */
enum capture_kind {
    CAPTURE_FILE,   /* pictures wait until they are read */
    CAPTURE_CAMERA, /* pictures come by the clock: V4L2 */
    CAPTURE_LIVE    /* the same: the screen, other devices, a live stream */
};

struct capture;

/* A capture with nothing open. o is copied, what it points to must outlive the capture. NULL when
 * memory is short; free with capture_free. */
struct capture *capture_new(const struct capture_options *o, struct err *e);
void capture_free(struct capture *c);

/* Open a source: a file, "-" for standard input, a URL with "://" in it, a device for
 * options.format or one under /dev/video. One source is open at a time. Returns 0, or -1 with e
 * saying what is wrong and what can be done; e->file is the source. */
int capture_open(struct capture *c, const char *source, struct err *e);
void capture_close(struct capture *c);
enum capture_kind capture_kind(const struct capture *c);

/* The next picture into f, upright, with the facts `source`, `frame` and, unless it is an image
 * file, `time` (those it has already in a PNM file are kept); and its time in seconds since the
 * source's first one, 0 for an image. Returns 1; 0 at the end; -1 on a picture that cannot be
 * decoded: after it one may go on reading. Of a camera whose pictures queue up it gives the newest.
 * It waits at most CAPTURE_PATIENCE seconds for a live source. */
int capture_read(struct capture *c, struct frame *f, double *time, struct err *e);
#define CAPTURE_PATIENCE 5

/* True when the source that is open will give no more after an error: a device that went away. */
bool capture_lost(const struct capture *c);

/* Make a capture_read that waits in another thread return at once, as at the source's end. */
void capture_interrupt(struct capture *c);

#endif
