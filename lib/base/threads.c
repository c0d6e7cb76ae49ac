/* A pool of threads: one caller and n - 1 workers that sleep between jobs.
 *   in   a job: items, or stages of items
 *   out  work called once for each item
 * Items are taken from one atomic counter. In a job of stages each thread begins at its own share of a
 * stage's
 * items and then claims, in a bit set, what others have not begun; between stages all wait for the last
 * item. */
#define _GNU_SOURCE 1 /* sched_getaffinity */
#include "threads.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* A thread polls for the next job or stage at most so many times before it sleeps: about 0.1 ms, which is
 * what waking two sleepers takes. */
#define MAX_SPINS 2000

typedef void work_fn(void *arg, int item, int thread);
typedef void stage_fn(void *arg, int stage, int item, int thread);

struct worker {
    struct threads *pool;
    pthread_t id;
    int number; /* 1..count-1; the caller is 0 */
};

/* What the threads do: items (work), or stages of items (work_stage). */
struct job {
    work_fn *work;
    int items;
    stage_fn *work_stage;
    struct stage *stage;
    int stages;
    void *arg;
};

struct threads {
    int count;
    struct worker *worker; /* [count]; worker[0] is not used */
    pthread_mutex_t lock;
    pthread_cond_t start, done, progress; /* progress: a stage has ended */
    atomic_ulong number; /* of the job at hand: a worker that wakes compares it with the last it did */
    bool open;           /* the caller has not finished its part: workers may still join the job */
    bool quit;
    atomic_int busy;     /* workers in the job */
    atomic_int spins;    /* polls before sleeping: 0, or MAX_SPINS after threads_spin */
    int stage_spins;     /* the same in jobs of stages */
    struct job job;
    atomic_int next;    /* the first item that no thread has taken */
    atomic_int waiting; /* threads asleep on `progress` */
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Polls before sleeping in a job of items (stage NULL) or of stages. */
static int spins_in(const struct threads *t, const struct stage *stage)
{
    return stage ? t->stage_spins : atomic_load(&t->spins);
}

static void take_items(struct threads *t, int thread)
{
    int item;
    while ((item = atomic_fetch_add(&t->next, 1)) < t->job.items)
        t->job.work(t->job.arg, item, thread);
}

static bool stage_over(struct stage *p)
{
    return atomic_load(&p->done) == p->items;
}

static void wait_for_stage(struct threads *t, struct stage *p)
{
    for (int i = 0; i < t->stage_spins && !stage_over(p); i++)
        relax();
    if (stage_over(p))
        return;
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->waiting, 1);
    while (!stage_over(p))
        pthread_cond_wait(&t->progress, &t->lock);
    atomic_fetch_sub(&t->waiting, 1);
    pthread_mutex_unlock(&t->lock);
}

static void end_stage(struct threads *t)
{
    if (!atomic_load(&t->waiting))
        return;
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->progress);
    pthread_mutex_unlock(&t->lock);
}

static void take_stages(struct threads *t, int thread)
{
    for (int n = 0; n < t->job.stages; n++) {
        struct stage *p = &t->job.stage[n];
        for (int i = 0; i < p->items; i++) {
            int item = (p->items * thread / t->count + i) % p->items;
            unsigned long long bit = 1ULL << item;
            if (atomic_load(&p->claimed) & bit || atomic_fetch_or(&p->claimed, bit) & bit)
                continue;
            t->job.work_stage(t->job.arg, n, item, thread);
            if (atomic_fetch_add(&p->done, 1) + 1 == p->items)
                end_stage(t);
        }
        wait_for_stage(t, p);
    }
}

static void take_part(struct threads *t, int thread)
{
    if (t->job.stage)
        take_stages(t, thread);
    else
        take_items(t, thread);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct threads *t = w->pool;
    unsigned long seen = 0;
    pthread_mutex_lock(&t->lock);
    for (;;) {
        while (atomic_load(&t->number) == seen && !t->quit)
            pthread_cond_wait(&t->start, &t->lock);
        if (t->quit)
            break;
        seen = atomic_load(&t->number);
        if (!t->open)
            continue;
        int spins = spins_in(t, t->job.stage);
        atomic_fetch_add(&t->busy, 1);
        pthread_mutex_unlock(&t->lock);
        take_part(t, w->number);
        pthread_mutex_lock(&t->lock);
        if (atomic_fetch_sub(&t->busy, 1) == 1)
            pthread_cond_signal(&t->done);
        if (!spins)
            continue;
        pthread_mutex_unlock(&t->lock);
        for (int i = 0; i < spins && atomic_load(&t->number) == seen; i++)
            relax();
        pthread_mutex_lock(&t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* Do a job: the caller takes items until none is left, with every worker that wakes before. */
static void run_job(struct threads *t, const struct job *job)
{
    pthread_mutex_lock(&t->lock);
    t->job = *job;
    atomic_store(&t->next, 0);
    t->open = true;
    atomic_fetch_add(&t->number, 1);
    pthread_cond_broadcast(&t->start);
    pthread_mutex_unlock(&t->lock);
    take_part(t, 0);
    pthread_mutex_lock(&t->lock);
    t->open = false;
    pthread_mutex_unlock(&t->lock);
    int spins = spins_in(t, job->stage);
    for (int i = 0; i < spins && atomic_load(&t->busy); i++)
        relax();
    pthread_mutex_lock(&t->lock);
    while (atomic_load(&t->busy))
        pthread_cond_wait(&t->done, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

struct threads *threads_new(int n, struct err *e)
{
    struct threads *t = calloc(1, sizeof *t);
    struct worker *worker = calloc((size_t)(n > 0 ? n : 1), sizeof *worker);
    if (!t || !worker) {
        free(t);
        free(worker);
        err_set(e, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->start, NULL);
    pthread_cond_init(&t->done, NULL);
    pthread_cond_init(&t->progress, NULL);
    t->worker = worker;
    t->stage_spins = n <= threads_available() ? MAX_SPINS : 0;
    for (t->count = 1; t->count < n; t->count++) {
        struct worker *w = &worker[t->count];
        w->pool = t;
        w->number = t->count;
        int failed = pthread_create(&w->id, NULL, worker_main, w);
        if (failed) {
            errno = failed;
            err_errno(e, "cannot start thread %d of %d", t->count + 1, n);
            threads_free(t);
            return NULL;
        }
    }
    return t;
}

void threads_free(struct threads *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->quit = true;
    pthread_cond_broadcast(&t->start);
    pthread_mutex_unlock(&t->lock);
    for (int i = 1; i < t->count; i++)
        pthread_join(t->worker[i].id, NULL);
    pthread_cond_destroy(&t->start);
    pthread_cond_destroy(&t->done);
    pthread_cond_destroy(&t->progress);
    pthread_mutex_destroy(&t->lock);
    free(t->worker);
    free(t);
}

void threads_spin(struct threads *t)
{
    atomic_store(&t->spins, t->count <= threads_available() ? MAX_SPINS : 0);
}

int threads_count(const struct threads *t)
{
    return t->count;
}

void threads_run(struct threads *t, int items, work_fn *work, void *arg)
{
    if (t->count == 1 || items == 1) {
        for (int i = 0; i < items; i++)
            work(arg, i, 0);
        return;
    }
    run_job(t, &(struct job){.work = work, .items = items, .arg = arg});
}

void threads_stages(struct threads *t, int stages, struct stage *stage, stage_fn *work, void *arg)
{
    for (int i = 0; i < stages; i++) {
        atomic_store(&stage[i].claimed, 0);
        atomic_store(&stage[i].done, 0);
    }
    struct job job = {.work_stage = work, .stage = stage, .stages = stages, .arg = arg};
    if (t->count > 1) {
        run_job(t, &job);
        return;
    }
    for (int n = 0; n < stages; n++)
        for (int i = 0; i < stage[n].items; i++)
            work(arg, n, i, 0);
}

int threads_available(void)
{
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set))
        return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}
