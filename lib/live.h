/* Newest wins: a thread reads a live source as fast as it comes and keeps only the last picture, so
 * that a slow reader gets a fresh one each time instead of an old one. */
#ifndef INKPIPE_LIVE_H
#define INKPIPE_LIVE_H

#include "capture.h"

struct live;

/* Start reading the source that is open in c: in a thread when it is live, to which c belongs until
 * live_stop; of a file, live_read is capture_read. NULL when it cannot be started. */
struct live *live_start(struct capture *c, struct err *e);

/* Wait for a picture newer than the last one given and exchange it with f. Returns as capture_read
 * does; of a live source damaged pictures are passed over, unless there is nothing else for
 * CAPTURE_PATIENCE seconds. */
int live_read(struct live *l, struct frame *f, double *time, struct err *e);

/* Pictures of a live source so far that could not be decoded, and into e why the first could not. */
long live_damaged(struct live *l, struct err *e);

/* Stop the thread and free l; the source stays open. */
void live_stop(struct live *l);

#endif
