/* Pictures of one source after another, as frames for whoever reads them. camgrab is this with
 * options. */
#ifndef INKPIPE_GRAB_H
#define INKPIPE_GRAB_H

#include <stdbool.h>

#include "camera/camera.h"

struct grab_options {
    struct capture_options capture; /* its rate is also what is picked from a video */
    int out;       /* the file that frames are written to */
    bool mirror;
    int region[4]; /* x, y, w, h of what is kept of a picture; w 0: all */
    long count;    /* frames to write; 0: all */
    double skip;   /* seconds of a source to drop; -1: what serves, 1 of a camera with `count` */
    bool wait;     /* for a source that is missing, and for one that was lost */
    int (*report)(const struct err *e); /* told of what went wrong; the next picture follows */
};

struct grab {
    const struct grab_options *o;
    struct capture *capture;
    struct frame frame, spare;
    long written;
    double next_time; /* of a video's next frame to be picked */
    bool failed;      /* something was reported */
    bool closed;      /* nothing more can be written */
};

/* Options are the caller's and must outlive it. Returns 0 or -1; free with grab_free. */
int grab_init(struct grab *g, const struct grab_options *o, struct err *e);
void grab_free(struct grab *g);

/* All pictures of a source (capture_open; NULL: the first camera, or what the format has without a
 * name), until all that are wanted are written. */
void grab_source(struct grab *g, const char *source);

/* Whether more are wanted, and can be written. */
bool grab_goes_on(const struct grab *g);

#endif
