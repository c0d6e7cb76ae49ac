/* Processes ("ranks") that train one model together, each on its part of every batch, on one machine
 * or several. All of them hold the whole model and all data; what differs is which shards of a
 * batch each computes (train.h). A NULL pointer stands for a process that is alone. */
#ifndef INKPIPE_RANKS_H
#define INKPIPE_RANKS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct ranks {
    int rank, count; /* which one this is, 0..count-1; count divides TRAIN_SHARDS */
    int here;        /* how many of them are on this machine */
    /* Set by the first exchange that fails; those after it fail at once. */
    bool failed;
    struct err err;
    const volatile sig_atomic_t *stop; /* the user's wish to end, or NULL */
};

/* Join the others that mpirun has started. r stays in place until ranks_leave. Returns 0; -1 when
 * their number does not divide TRAIN_SHARDS, or this program was built without MPI. There are two of
 * this module: lib/ranks/mpi.c where mpicc is there, else lib/ranks/alone.c. */
int ranks_join(struct ranks *r, const volatile sig_atomic_t *stop, struct err *e);

/* The end. With `failed` the process should exit now, with a status that is not 0: mpirun then ends the
 * other ranks. (MPI_Abort would too, but two at once can leave mpirun waiting for ever.) */
void ranks_leave(struct ranks *r, bool failed);

/* data is [count][bytes], of which each rank has filled in its own part; afterwards all have all.
 * Returns 0, or -1: see r->err. A rank that waits for one that is gone gives up once *stop is set
 * and a moment has passed: mpirun signals those that are left. */
int ranks_gather(struct ranks *r, void *data, size_t bytes);

/* Rank 0's data becomes everyone's. Returns as ranks_gather. */
int ranks_share(struct ranks *r, void *data, size_t bytes);

#endif
