/* What xview does: frames from files or a pipe in a window, their region to a command, its answers
 * over them. */
#ifndef INKPIPE_VIEWER_H
#define INKPIPE_VIEWER_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"
#include "window/window.h"

struct viewer_options {
    const char *command;  /* gets the region's frames, gives answers; NULL: none */
    const char *labelled; /* file that digit keys append to */
    struct rect region;   /* that is read, in the frame's pixels; w = 0: all of it */
    double scale;         /* of the text; 0: as the screen has it */
    double hold, least;   /* seconds an answer must hold; that a frame is shown at least */
    bool pass;            /* all frames go on to standard output */
    bool paced;           /* frames are shown at the pace of their time fact */
    bool exit_at_end;
    int (*report)(const struct err *e); /* told of a stream that is bad; the next one is read */
    bool (*stopped)(void);              /* whether a signal asks to end */
};

struct viewer;

/* Open a window that fits the first frame of the named files (none: standard input), when one comes
 * soon. NULL when there is no screen or memory is short. Options and names must outlive it. SIGPIPE
 * must be ignored. Free with viewer_free. */
struct viewer *viewer_new(const struct viewer_options *o, char **names, int count, struct err *e);
void viewer_free(struct viewer *v);

/* Until the user ends it. Signals are let in, by the mask `open`, only while it waits. Returns 0; 1
 * when a stream was bad; -1 on failure. */
int viewer_run(struct viewer *v, const sigset_t *open, struct err *e);

#endif
