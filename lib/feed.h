/* Frames read by a thread of their own, so that a window never waits for a writer that stops in the
 * middle of one. Exactly one frame is read ahead: a taker that takes none holds the writer back. */
#ifndef INKPIPE_FEED_H
#define INKPIPE_FEED_H

#include "frame.h"

#define FEED_SOURCE 4096

struct feed;

/* What comes out. All-zero is empty; release with frame_free(&.frame). */
struct feed_item {
    struct frame frame;
    char source[FEED_SOURCE]; /* percent-encoded: the frame's fact, or the stream's name */
    long long number;         /* the frame's fact, or its place in the stream from 0 */
};

enum feed_result {
    FEED_FRAME,  /* an item was taken */
    FEED_NOTHING, /* not yet: poll feed_fd */
    FEED_ERROR,  /* a stream was bad (e says how); the next one is read */
    FEED_END     /* of the last stream */
};

/* Read the named files one after another; none: standard input. The names must outlive the feed. What
 * is taken goes on to the descriptor `out` (-1: nowhere), which none of them may be. NULL when no thread
 * can be started. */
struct feed *feed_new(char *const *names, int count, int out, struct err *e);

/* Stops reading, wherever the thread is. */
void feed_free(struct feed *f);

/* Readable while feed_take would not say FEED_NOTHING. */
int feed_fd(const struct feed *f);

/* Take what was read: the item is exchanged for the taker's, whose memory is used again. */
enum feed_result feed_take(struct feed *f, struct feed_item *item, struct err *e);

#endif
