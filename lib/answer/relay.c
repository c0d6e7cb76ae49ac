/* Batches on their way through a model.
 *   in   frames of two batches, sent in turns
 *   out  their probabilities, while the caller reads the next frames and writes the last answers
 * The model's threads take shares of the older batch, then of the newer one, and wait for none of each other
 * in between. */
#include "answer.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/grow.h"

struct sent {
    const uint8_t *gray;
    double *p;
    int n, share;        /* frames in all, and of a share */
    int taken, finished; /* frames */
};

struct relay {
    struct model *m;
    struct threads *beside; /* two: the caller's work and the model's; NULL: the model has one thread, the caller's */
    pthread_mutex_t lock;
    pthread_cond_t news; /* a batch was sent or finished, or the caller's work is done */
    struct sent sent[2];
    int newer; /* the batch sent last */
    bool over;
    void (*work)(void *arg); /* the caller's */
    void *arg;
};

struct relay *relay_new(struct model *m, struct err *e)
{
    struct relay *r = zeroed(1, sizeof *r, e);
    bool alone = threads_count(m->threads) == 1;
    if (!r || (!alone && !(r->beside = threads_new(2, e)))) {
        free(r);
        return NULL;
    }
    r->m = m;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->news, NULL);
    return r;
}

void relay_free(struct relay *r)
{
    if (!r)
        return;
    threads_free(r->beside);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->news);
    free(r);
}

/* Under the lock: a batch of which frames are left to take, the older one first. NULL: none. */
static struct sent *next_batch(struct relay *r)
{
    struct sent *older = &r->sent[!r->newer], *newer = &r->sent[r->newer];
    return older->taken < older->n ? older : newer->taken < newer->n ? newer : NULL;
}

/* Take shares until the caller's work is done. */
static void serve(void *arg, int item, int thread)
{
    struct relay *r = arg;
    (void)item;
    pthread_mutex_lock(&r->lock);
    while (!r->over) {
        struct sent *s = next_batch(r);
        if (!s) {
            pthread_cond_wait(&r->news, &r->lock);
            continue;
        }
        int first = s->taken, n = s->n - first < s->share ? s->n - first : s->share;
        s->taken += n;
        pthread_mutex_unlock(&r->lock);
        model_run_on(r->m, thread, s->gray + (long)first * r->m->width * r->m->height, n,
                     s->p + (long)first * r->m->classes);
        pthread_mutex_lock(&r->lock);
        s->finished += n;
        if (s->finished == s->n)
            pthread_cond_broadcast(&r->news);
    }
    pthread_mutex_unlock(&r->lock);
}

static void run_side(void *arg, int item, int thread)
{
    struct relay *r = arg;
    (void)thread;
    if (item) {
        threads_run(r->m->threads, threads_count(r->m->threads), serve, r);
        return;
    }
    r->work(r->arg);
    pthread_mutex_lock(&r->lock);
    r->over = true;
    pthread_cond_broadcast(&r->news);
    pthread_mutex_unlock(&r->lock);
}

void relay_run(struct relay *r, void (*work)(void *arg), void *arg)
{
    r->work = work;
    r->arg = arg;
    if (r->beside)
        threads_run(r->beside, 2, run_side, r);
    else
        work(arg);
}

void relay_send(struct relay *r, int batch, const uint8_t *gray, int n, double *p)
{
    if (!r->beside) {
        model_run(r->m, gray, n, p);
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->sent[batch] = (struct sent){gray, p, n, model_share(r->m, n), 0, 0};
    r->newer = batch;
    pthread_cond_broadcast(&r->news);
    pthread_mutex_unlock(&r->lock);
}

void relay_wait(struct relay *r, int batch)
{
    pthread_mutex_lock(&r->lock);
    while (r->sent[batch].finished < r->sent[batch].n)
        pthread_cond_wait(&r->news, &r->lock);
    pthread_mutex_unlock(&r->lock);
}
