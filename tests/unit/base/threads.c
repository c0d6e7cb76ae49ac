/* lib/threads: each item once, by a thread that is there, whether the threads sleep or spin, in quick and in
 * slow succession. */
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "../check.h"
#include "base/threads.h"

#define ITEMS 37

struct tally {
    atomic_int done[ITEMS], strange;
    int threads, pause; /* microseconds an item takes, in every 64th job */
};

static void count(void *arg, int item, int thread)
{
    struct tally *t = arg;
    t->done[item]++;
    t->strange += thread < 0 || thread >= t->threads;
    if (t->pause && item % 2)
        usleep((useconds_t)t->pause);
}

/* Jobs of 0 to ITEMS items, some short and some long enough for those who wait to go to sleep. */
static void check_pool(int threads, bool spin)
{
    struct err e = ERR_NONE;
    struct threads *t = threads_new(threads, &e);
    if (spin)
        threads_spin(t);
    int wrong = 0;
    struct tally tally = {.threads = threads};
    for (int job = 0; job < 2000; job++) {
        int items = job % (ITEMS + 1);
        tally.pause = job % 64 == 63 ? 300 : 0;
        threads_run(t, items, count, &tally);
        for (int i = 0; i < ITEMS; i++)
            wrong += atomic_exchange(&tally.done[i], 0) != (i < items);
    }
    CHECK(!wrong, "%d threads%s: each item once, all done on return", threads,
          spin ? " that spin" : "");
    CHECK(!tally.strange && threads_count(t) == threads, "%d threads: their numbers", threads);
    threads_free(t);
}

int main(void)
{
    for (int threads = 1; threads < 6; threads++) {
        check_pool(threads, false);
        check_pool(threads, true);
    }
    return check_done();
}
