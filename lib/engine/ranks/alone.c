/* Ranks without MPI: there is one, and nothing to exchange. */
#include "engine/engine.h"

int ranks_join(struct ranks *r, const volatile sig_atomic_t *stop, struct err *e)
{
    *r = (struct ranks){.count = 1, .here = 1, .stop = stop};
    return err_set(e, "was built without MPI: build it where mpicc is (Debian: libopenmpi-dev)");
}

void ranks_leave(struct ranks *r, bool failed)
{
    (void)r, (void)failed;
}

int ranks_gather(struct ranks *r, void *data, size_t bytes)
{
    (void)r, (void)data, (void)bytes;
    return 0;
}

int ranks_share(struct ranks *r, void *data, size_t bytes)
{
    (void)r, (void)data, (void)bytes;
    return 0;
}
