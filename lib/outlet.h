/* Frames on their way out of a program that must not wait: a window's. What the reader has no room
 * for is kept and written when it has. */
#ifndef INKPIPE_OUTLET_H
#define INKPIPE_OUTLET_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"

struct outlet {
    int fd;
    bool piecewise; /* fd may make a writer wait (not a file): written in pieces that fit a page */
    char *data;
    size_t len, size, sent; /* bytes held, allocated, written */
};

/* Write to fd, which stays the caller's. */
void outlet_init(struct outlet *o, int fd);
void outlet_free(struct outlet *o);

/* Add a frame. Returns 0, or -1 when memory is short. */
int outlet_add(struct outlet *o, const struct frame *f, struct err *e);

/* Is anything left to write? */
bool outlet_busy(const struct outlet *o);

/* Write what can be written without waiting. Returns 0, or -1 with errno set (EPIPE: the reader
 * has gone). */
int outlet_work(struct outlet *o, struct err *e);

/* Write the rest, however long it takes. Returns as outlet_work. */
int outlet_flush(struct outlet *o, struct err *e);

/* True when the reader of a pipe has gone, found out without writing. */
bool outlet_is_closed(const struct outlet *o);

#endif
