/* What xcanvas does: the mouse draws in a window; each release of the button is a frame for
 * standard output and for a command, whose answers are shown beside the drawing. */
#ifndef INKPIPE_CANVAS_H
#define INKPIPE_CANVAS_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"

struct canvas_options {
    const char *command; /* gets the frames, gives answers; NULL: none */
    bool writes;         /* frames go to standard output */
    bool labelled_only;  /* of them, those with a label */
    double pen;          /* its width in pixels of the frame */
    double scale;        /* of the window's parts; 0: as the screen has it */
    bool (*stopped)(void); /* whether a signal asks to end */
};

struct canvas;

/* Open the window. NULL when there is no screen or memory is short. The options must outlive it;
 * SIGPIPE must be ignored. Free with canvas_free. */
struct canvas *canvas_new(const struct canvas_options *o, struct err *e);
void canvas_free(struct canvas *c);

/* Until the user ends it. Signals are let in, by the mask `open`, only while it waits. Returns 0 or
 * -1. */
int canvas_run(struct canvas *c, const sigset_t *open, struct err *e);

#endif
