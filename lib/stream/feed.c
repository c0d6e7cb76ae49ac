#define _GNU_SOURCE 1 /* pipe2 */
#include "stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/files.h"

struct feed {
    char *const *names;
    int count, out;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t taken;
    int wake[2]; /* a byte lies in it while `state` is not FEED_NOTHING */
    enum feed_result state;
    struct feed_item ready;
    struct err error;
    struct frame_reader *reader; /* the thread's, kept here so that a stopped thread leaks nothing */
    struct feed_item reading;
};

static void unlock(void *lock)
{
    pthread_mutex_unlock(lock);
}

/* Put something out for the taker, when the last was taken. */
static void offer(struct feed *f, enum feed_result what)
{
    pthread_mutex_lock(&f->lock);
    pthread_cleanup_push(unlock, &f->lock);
    while (f->state != FEED_NOTHING)
        pthread_cond_wait(&f->taken, &f->lock);
    if (what == FEED_FRAME) {
        struct feed_item spare = f->ready;
        f->ready = f->reading;
        f->reading = spare;
    }
    f->state = what;
    if (write(f->wake[1], "", 1) < 0)
        f->state = FEED_END; /* cannot happen: the pipe is empty */
    pthread_cleanup_pop(1);
}

static void read_stream(struct feed *f, const char *name)
{
    struct err e = ERR_NONE;
    int result = -1;
    f->reader = file_not_written(name, f->out, &e) ? NULL : frame_open(name, &e);
    while (f->reader && (result = frame_read(f->reader, &f->reading.frame, &e)) > 0) {
        frame_source(f->reader, &f->reading.frame, f->reading.source, FEED_SOURCE);
        f->reading.number = frame_number(f->reader, &f->reading.frame);
        offer(f, FEED_FRAME);
    }
    if (f->reader)
        frame_close(f->reader);
    f->reader = NULL;
    if (result < 0) {
        f->error = e;
        offer(f, FEED_ERROR);
    }
}

static void *run(void *arg)
{
    struct feed *f = arg;
    for (int i = 0; i < f->count; i++)
        read_stream(f, f->names[i]);
    if (f->count == 0)
        read_stream(f, NULL);
    offer(f, FEED_END);
    return NULL;
}

struct feed *feed_new(char *const *names, int count, int out, struct err *e)
{
    struct feed *f = calloc(1, sizeof *f);
    if (!f || pipe2(f->wake, O_CLOEXEC) < 0) {
        err_errno(e, "cannot start reading");
        free(f);
        return NULL;
    }
    f->names = names;
    f->count = count;
    f->out = out;
    f->state = FEED_NOTHING;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->taken, NULL);
    if (pthread_create(&f->thread, NULL, run, f) != 0) {
        err_set(e, "cannot start a thread");
        close(f->wake[0]);
        close(f->wake[1]);
        free(f);
        return NULL;
    }
    return f;
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    pthread_cancel(f->thread);
    pthread_join(f->thread, NULL);
    if (f->reader)
        frame_close(f->reader);
    frame_free(&f->ready.frame);
    frame_free(&f->reading.frame);
    pthread_cond_destroy(&f->taken);
    pthread_mutex_destroy(&f->lock);
    close(f->wake[0]);
    close(f->wake[1]);
    free(f);
}

int feed_fd(const struct feed *f)
{
    return f->wake[0];
}

enum feed_result feed_take(struct feed *f, struct feed_item *item, struct err *e)
{
    char byte;
    pthread_mutex_lock(&f->lock);
    enum feed_result state = f->state;
    if (state == FEED_FRAME) {
        struct feed_item spare = *item;
        *item = f->ready;
        f->ready = spare;
    } else if (state == FEED_ERROR) {
        *e = f->error;
    }
    if (state != FEED_NOTHING && state != FEED_END) {
        f->state = FEED_NOTHING;
        if (read(f->wake[0], &byte, 1) == 1)
            pthread_cond_signal(&f->taken);
    }
    pthread_mutex_unlock(&f->lock);
    return state;
}

