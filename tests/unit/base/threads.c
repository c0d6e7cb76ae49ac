/* lib/threads: each item once, by a thread that is there, whether the threads sleep or spin; stages
 * one after another, in quick and in slow succession. */
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
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

enum { STAGES = 5, MOST = 64 };

struct record {
    int items[STAGES];
    atomic_int times[STAGES][MOST], done[STAGES];
    atomic_int early; /* items begun before the stage before was over */
    atomic_int thread_wrong;
    int count; /* threads */
};

static void note(void *arg, int stage, int item, int thread)
{
    struct record *r = arg;
    if (stage > 0 && atomic_load(&r->done[stage - 1]) != r->items[stage - 1])
        atomic_fetch_add(&r->early, 1);
    if (thread < 0 || thread >= r->count)
        atomic_fetch_add(&r->thread_wrong, 1);
    atomic_fetch_add(&r->times[stage][item], 1);
    atomic_fetch_add(&r->done[stage], 1);
}

static void note_item(void *arg, int item, int thread)
{
    note(arg, 0, item, thread);
}

/* Items not done exactly `jobs` times. */
static int wrong(struct record *r, int stages, int jobs)
{
    int n = 0;
    for (int s = 0; s < stages; s++)
        for (int i = 0; i < MOST; i++)
            n += atomic_load(&r->times[s][i]) != (i < r->items[s] ? jobs : 0);
    return n;
}

static void check_jobs(int count)
{
    enum { JOBS = 300 };
    struct err e = ERR_NONE;
    struct threads *t = threads_new(count, &e);
    struct record stages = {.items = {1, 2, 7, 64, 3}, .count = count};
    struct record items = {.items = {40}, .count = count};
    struct stage stage[STAGES] = {{.items = 0}};
    for (int s = 0; s < STAGES; s++)
        stage[s].items = stages.items[s];
    for (int job = 0; job < JOBS; job++) {
        for (int s = 0; s < STAGES; s++)
            atomic_store(&stages.done[s], 0);
        threads_stages(t, STAGES, stage, note, &stages);
        if (job % 3 == 0)
            threads_run(t, 40, note_item, &items);
        if (job % 100 == 0) /* the others go to sleep */
            nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    CHECK(wrong(&stages, STAGES, JOBS) == 0, "%d threads: every item of every stage once a job", count);
    CHECK(atomic_load(&stages.early) == 0, "%d threads: no stage begins before the last is over", count);
    CHECK(wrong(&items, 1, JOBS / 3) == 0, "%d threads: jobs without stages in between", count);
    CHECK(atomic_load(&stages.thread_wrong) + atomic_load(&items.thread_wrong) == 0,
          "%d threads: numbered from 0", count);
    threads_free(t);
}

int main(void)
{
    check_jobs(1);
    check_jobs(2);
    check_jobs(5);
    for (int threads = 1; threads < 6; threads++) {
        check_pool(threads, false);
        check_pool(threads, true);
    }
    return check_done();
}
