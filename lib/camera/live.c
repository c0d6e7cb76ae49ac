#include "camera.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

struct live {
    struct capture *capture;
    bool threaded; /* false: the source is a file, nothing below is used */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under lock: */
    struct frame newest;
    double time;    /* of newest */
    bool fresh;     /* newest has not been taken */
    bool stop;      /* the thread shall end */
    int status;     /* 1 while it runs, then what the last capture_read said */
    struct err e;   /* why it is lost */
    long damaged;
    struct err first_damage;
};

static void keep(struct live *l, struct frame *f, double time)
{
    struct frame older = l->newest;
    l->newest = *f;
    *f = older;
    l->time = time;
    l->fresh = true;
}

/* Note the result of one read, under lock. Returns whether to go on. */
static bool note(struct live *l, int status, struct frame *f, double time, const struct err *e,
                 double silence)
{
    if (status > 0) {
        keep(l, f, time);
    } else if (status < 0 && !capture_lost(l->capture) && silence < CAPTURE_PATIENCE) {
        if (l->damaged++ == 0)
            l->first_damage = *e;
    } else {
        l->status = status;
        l->e = *e;
    }
    return l->status == 1 && !l->stop;
}

static void *read_all(void *arg)
{
    struct live *l = arg;
    struct frame f = {0};
    double last = clock_now();
    for (bool go_on = true; go_on;) {
        struct err e = ERR_NONE;
        double time = 0;
        int status = capture_read(l->capture, &f, &time, &e);
        if (status > 0)
            last = clock_now();
        pthread_mutex_lock(&l->lock);
        go_on = note(l, status, &f, time, &e, clock_now() - last);
        pthread_cond_signal(&l->changed);
        pthread_mutex_unlock(&l->lock);
    }
    frame_free(&f);
    return NULL;
}

struct live *live_start(struct capture *c, struct err *e)
{
    struct live *l = calloc(1, sizeof *l);
    if (!l) {
        err_set(e, "out of memory");
        return NULL;
    }
    l->capture = c;
    l->status = 1;
    if (capture_kind(c) == CAPTURE_FILE)
        return l;
    l->threaded = true;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    if (pthread_create(&l->thread, NULL, read_all, l)) {
        err_set(e, "cannot start a thread");
        pthread_cond_destroy(&l->changed);
        pthread_mutex_destroy(&l->lock);
        free(l);
        return NULL;
    }
    return l;
}

int live_read(struct live *l, struct frame *f, double *time, struct err *e)
{
    if (!l->threaded)
        return capture_read(l->capture, f, time, e);
    pthread_mutex_lock(&l->lock);
    while (!l->fresh && l->status == 1)
        pthread_cond_wait(&l->changed, &l->lock);
    int status = l->fresh ? 1 : l->status;
    if (l->fresh) {
        double taken = l->time;
        keep(l, f, 0);
        l->fresh = false;
        *time = taken;
    } else if (status < 0) {
        *e = l->e;
    }
    pthread_mutex_unlock(&l->lock);
    return status;
}

long live_damaged(struct live *l, struct err *e)
{
    if (!l->threaded)
        return 0;
    pthread_mutex_lock(&l->lock);
    long damaged = l->damaged;
    *e = l->first_damage;
    pthread_mutex_unlock(&l->lock);
    return damaged;
}

void live_stop(struct live *l)
{
    if (l && l->threaded) {
        pthread_mutex_lock(&l->lock);
        l->stop = true;
        pthread_mutex_unlock(&l->lock);
        capture_interrupt(l->capture);
        pthread_join(l->thread, NULL);
        pthread_cond_destroy(&l->changed);
        pthread_mutex_destroy(&l->lock);
        frame_free(&l->newest);
    }
    free(l);
}
