/* Reading ahead: input is whatever gives frame after frame (files, a camera), output a mailbox that holds one
 * of them for another thread. Nothing is copied: frames change places. */
#define _GNU_SOURCE 1 /* pipe2 */
#include "stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/files.h"

/* Files that are read one after another. */
struct files {
    char *const *name;
    int count, out;
    int next; /* to be opened */
    struct frame_reader *reader; /* NULL: none is open */
};

struct stream_feed {
    feed_source *read;
    void *from;
    bool newest; /* a frame that was not taken gives way to the next */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t taken;
    int wake[2]; /* a pipe that holds one byte while `state` is not FEED_NOTHING */
    enum stream_result state;
    struct stream_item ready;      /* the mailbox: good while `state` is FEED_FRAME */
    struct err error;
    struct stream_item reading; /* the thread's, kept here so that a stopped thread leaks nothing */
    struct files files;       /* as well */
};

static void unlock(void *lock)
{
    pthread_mutex_unlock(lock);
}

/* Put the result of reading into the mailbox, once it is empty; the newest frame replaces one not taken. */
static void offer(struct stream_feed *f, enum stream_result what, const struct err *e)
{
    pthread_mutex_lock(&f->lock);
    pthread_cleanup_push(unlock, &f->lock);
    while (f->state != FEED_NOTHING && !(f->newest && what == FEED_FRAME && f->state == FEED_FRAME))
        pthread_cond_wait(&f->taken, &f->lock);
    if (what == FEED_FRAME) {
        struct stream_item spare = f->ready;
        f->ready = f->reading;
        f->reading = spare;
    }
    f->error = *e;
    bool told = f->state != FEED_NOTHING;
    f->state = what;
    if (!told && write(f->wake[1], "", 1) < 0)
        f->state = FEED_END; /* cannot happen: the pipe is empty */
    pthread_cleanup_pop(1);
}

static void *run(void *arg)
{
    struct stream_feed *f = arg;
    for (int got = 1; got;) {
        struct err e = ERR_NONE;
        got = f->read(f->from, &f->reading, &e);
        offer(f, got > 0 ? FEED_FRAME : got < 0 ? FEED_ERROR : FEED_END, &e);
    }
    return NULL;
}

static struct stream_feed *start(feed_source *read, void *from, const struct files *files, struct err *e)
{
    struct stream_feed *f = calloc(1, sizeof *f);
    if (!f || pipe2(f->wake, O_CLOEXEC) < 0) {
        err_errno(e, "cannot start reading");
        free(f);
        return NULL;
    }
    f->newest = !files;
    if (files)
        f->files = *files;
    f->read = read;
    f->from = files ? &f->files : from;
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

struct stream_feed *feed_newest(feed_source *read, void *from, struct err *e)
{
    return start(read, from, NULL, e);
}

/* A feed_source: the frames of all files. */
static int read_files(void *from, struct stream_item *item, struct err *e)
{
    struct files *s = from;
    while (s->reader || s->next < s->count) {
        if (!s->reader) {
            const char *name = s->name[s->next++];
            s->reader = file_not_written(name, s->out, e) ? NULL : frame_open(name, e);
            if (!s->reader)
                return -1;
        }
        int got = frame_read(s->reader, &item->frame, e);
        if (got > 0) {
            frame_source(s->reader, &item->frame, item->source, FRAME_SOURCE);
            item->number = frame_number(s->reader, &item->frame);
            return 1;
        }
        frame_close(s->reader);
        s->reader = NULL;
        if (got < 0)
            return -1;
    }
    return 0;
}

struct stream_feed *feed_new(char *const *names, int count, int out, struct err *e)
{
    static char *const standard_input[] = {NULL};
    struct files files = {.name = count ? names : standard_input, .count = count ? count : 1,
                          .out = out};
    return start(read_files, NULL, &files, e);
}

void feed_free(struct stream_feed *f)
{
    if (!f)
        return;
    pthread_cancel(f->thread);
    pthread_join(f->thread, NULL);
    if (f->files.reader)
        frame_close(f->files.reader);
    frame_free(&f->ready.frame);
    frame_free(&f->reading.frame);
    pthread_cond_destroy(&f->taken);
    pthread_mutex_destroy(&f->lock);
    close(f->wake[0]);
    close(f->wake[1]);
    free(f);
}

int feed_fd(const struct stream_feed *f)
{
    return f->wake[0];
}

enum stream_result feed_take(struct stream_feed *f, struct stream_item *item, struct err *e)
{
    char byte;
    pthread_mutex_lock(&f->lock);
    enum stream_result state = f->state;
    if (state == FEED_FRAME) {
        struct stream_item spare = *item;
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

