/* A pool of threads: one caller and n - 1 workers that sleep between jobs.
 *   in   a job: items
 *   out  work called once for each item, which are taken from one atomic counter */
#define _GNU_SOURCE 1 /* sched_getaffinity */
#include "threads.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "grow.h"

/* A thread polls for the next job at most so many times before it sleeps: about 0.1 ms, which is
 * what waking two sleepers takes. */
#define MAX_SPINS 2000

typedef void work_fn(void *arg, int item, int thread);

struct worker {
    struct threads *pool;
    pthread_t id;
    int number; /* 1..count-1; the caller is 0 */
};

struct threads {
    int count;
    struct worker *worker; /* [count]; worker[0] is not used */
    pthread_mutex_t lock;
    pthread_cond_t start, done;
    atomic_ulong number; /* of the job at hand: a worker that wakes compares it with the last it did */
    bool open;           /* the caller has not finished its part: workers may still join the job */
    bool quit;
    atomic_int busy;     /* workers in the job */
    atomic_int spins;    /* polls before sleeping: 0, or MAX_SPINS after threads_spin */
    work_fn *work;       /* the job */
    int items;
    void *arg;
    atomic_int next;     /* the first item that no thread has taken */
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take_items(struct threads *t, int thread)
{
    int item;
    while ((item = atomic_fetch_add(&t->next, 1)) < t->items)
        t->work(t->arg, item, thread);
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
        int spins = atomic_load(&t->spins);
        atomic_fetch_add(&t->busy, 1);
        pthread_mutex_unlock(&t->lock);
        take_items(t, w->number);
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

struct threads *threads_new(int n, struct err *e)
{
    struct threads *t = zeroed(1, sizeof *t, e);
    if (!t || !(t->worker = zeroed((size_t)(n > 0 ? n : 1), sizeof *t->worker, e))) {
        free(t);
        return NULL;
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->start, NULL);
    pthread_cond_init(&t->done, NULL);
    for (t->count = 1; t->count < n; t->count++) {
        struct worker *w = &t->worker[t->count];
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

/* The caller takes items until none is left, with every worker that wakes before. */
void threads_run(struct threads *t, int items, work_fn *work, void *arg)
{
    if (t->count == 1 || items == 1) {
        for (int i = 0; i < items; i++)
            work(arg, i, 0);
        return;
    }
    pthread_mutex_lock(&t->lock);
    t->work = work;
    t->items = items;
    t->arg = arg;
    atomic_store(&t->next, 0);
    t->open = true;
    atomic_fetch_add(&t->number, 1);
    pthread_cond_broadcast(&t->start);
    pthread_mutex_unlock(&t->lock);
    take_items(t, 0);
    pthread_mutex_lock(&t->lock);
    t->open = false;
    pthread_mutex_unlock(&t->lock);
    int spins = atomic_load(&t->spins);
    for (int i = 0; i < spins && atomic_load(&t->busy); i++)
        relax();
    pthread_mutex_lock(&t->lock);
    while (atomic_load(&t->busy))
        pthread_cond_wait(&t->done, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

int threads_available(void)
{
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set))
        return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}
