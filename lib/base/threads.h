/* A pool of POSIX threads that sleep between jobs. */
#ifndef INKPIPE_THREADS_H
#define INKPIPE_THREADS_H

#include "err.h"

struct threads;

/* n threads in all, the caller among them; n = 1 starts none. Returns NULL when a thread cannot be
 * started. Free with threads_free, which joins them. */
struct threads *threads_new(int n, struct err *e);
void threads_free(struct threads *t);

/* For many short jobs one after another: from now on a thread polls for about 0.1 ms for the next job, or
 * for the end of this one, before it sleeps. Does nothing where there are more threads than CPUs. */
void threads_spin(struct threads *t);

/* How many threads t has. */
int threads_count(const struct threads *t);

/* Call work(arg, item, thread) for every item 0..items-1, each once, on any thread (0..threads_count-1), and return
 * when all are done. Which thread does which item is not determined: results must not depend on it. */
void threads_run(struct threads *t, int items, void (*work)(void *arg, int item, int thread), void *arg);

/* How many CPUs this process may run on. */
int threads_available(void);

#endif
