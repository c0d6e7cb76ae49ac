/* Ranks by MPI, which is known here alone.
 *   in   a rank's part of some bytes
 *   out  the parts of all
 * Only bytes are moved: the caller sums them in an order that does not depend on the number of ranks,
 * which no MPI_Reduce of floats promises. */
#include "engine/engine.h"

#include <mpi.h>

#include "base/clock.h"

#define MAX_PIECE (1 << 30) /* A message has at most so many bytes: MPI counts in int. */
#define MAX_GRACE 0.3 /* Seconds that a rank waits for others at most, once stopped: mpirun kills after 1. */

int ranks_join(struct ranks *r, const volatile sig_atomic_t *stop, struct err *e)
{
    int level;
    MPI_Comm machine;
    *r = (struct ranks){.stop = stop, .err = ERR_NONE};
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS)
        return err_set(e, "MPI could not be started");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &r->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &r->count);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &r->here);
    MPI_Comm_free(&machine);
    if (r->count > TRAIN_SHARDS || TRAIN_SHARDS % r->count)
        return err_set(e, "%d ranks cannot share a batch: 1, 2, 4 or %d can", r->count, TRAIN_SHARDS);
    return 0;
}

void ranks_leave(struct ranks *r, bool failed)
{
    if (r->count && !failed)
        MPI_Finalize();
}

static int fail(struct ranks *r, const char *why)
{
    r->failed = true;
    return err_set(&r->err, "%s", why);
}

/* Wait for a message, but not for ever once the user wants to end, or mpirun says so. */
static int wait_for(struct ranks *r, MPI_Request *request)
{
    int done = 0;
    double since = 0;
    while (!done) {
        if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return fail(r, "the connection to the other ranks is broken");
        if (done || !r->stop || !*r->stop)
            continue;
        since = since > 0 ? since : clock_now();
        if (clock_now() - since > MAX_GRACE)
            return fail(r, "stopped while it waited for another rank, which is slow or has ended");
    }
    return 0;
}

int ranks_gather(struct ranks *r, void *data, size_t bytes)
{
    MPI_Request request;
    if (!r || r->count == 1)
        return 0;
    if (r->failed)
        return -1;
    if (bytes > MAX_PIECE)
        return fail(r, "too much for one message");
    if (MPI_Iallgather(MPI_IN_PLACE, 0, MPI_BYTE, data, (int)bytes, MPI_BYTE, MPI_COMM_WORLD,
                       &request) != MPI_SUCCESS)
        return fail(r, "the connection to the other ranks is broken");
    return wait_for(r, &request);
}

int ranks_share(struct ranks *r, void *data, size_t bytes)
{
    if (!r || r->count == 1)
        return 0;
    for (char *p = data; bytes && !r->failed;) {
        MPI_Request request;
        size_t piece = bytes < MAX_PIECE ? bytes : MAX_PIECE;
        if (MPI_Ibcast(p, (int)piece, MPI_BYTE, 0, MPI_COMM_WORLD, &request) != MPI_SUCCESS)
            return fail(r, "the connection to the other ranks is broken");
        wait_for(r, &request);
        p += piece;
        bytes -= piece;
    }
    return r->failed ? -1 : 0;
}
