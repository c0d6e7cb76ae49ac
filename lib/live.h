/* Newest wins: a thread reads a live source as fast as it comes and keeps only the last picture, so
 * that a slow reader gets a fresh one each time instead of an old one. */
#ifndef INKPIPE_LIVE_H
#define INKPIPE_LIVE_H

#include "capture.h"

struct live;

/* Start reading the source that is open in c; until live_stop, c belongs to the thread. NULL when
 * it cannot be started. */
struct live *live_start(struct capture *c, struct err *e);

/* Wait for a picture newer than the last taken and exchange it with f. Returns 1; 0 when the source
 * has ended; -1 when it is lost. */
int live_take(struct live *l, struct frame *f, double *time, struct err *e);

/* Pictures so far that could not be decoded, and into e why the first of them could not. */
long live_damaged(struct live *l, struct err *e);

/* Stop the thread and free l; the source stays open. */
void live_stop(struct live *l);

#endif
