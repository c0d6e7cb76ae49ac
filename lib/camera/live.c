/* An open source read to its end.
 *   in   pictures of a camera, a screen or a file (capture_read)
 *   out  each picture of a file; of a live source, which a thread reads as it comes, the newest
 *        (feed_newest) */
#include "camera.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

struct live {
    struct capture *capture;
    struct feed *feed;     /* NULL: the source is a file, nothing below is used */
    struct feed_item item; /* taken last */
    /* Written by the thread, read when it has ended: */
    double last; /* when the last whole picture came (clock_now) */
    bool lost;
    long damaged;
    struct err first_damage;
};

/* capture_read without a cancellation point inside: FFmpeg would leak and keep locks. */
static int read_picture(struct capture *c, struct feed_item *item, struct err *e)
{
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    int status = capture_read(c, &item->frame, &item->time, e);
    pthread_setcancelstate(before, NULL);
    pthread_testcancel();
    return status;
}

/* A feed_source: the next whole picture. */
static int read_whole(void *from, struct feed_item *item, struct err *e)
{
    struct live *l = from;
    while (!l->lost) {
        struct err bad = ERR_NONE;
        int status = read_picture(l->capture, item, &bad);
        if (status > 0)
            l->last = clock_now();
        if (status >= 0)
            return status;
        l->lost = capture_lost(l->capture) || clock_now() - l->last >= CAPTURE_PATIENCE;
        if (l->lost) {
            *e = bad;
            return -1;
        }
        if (l->damaged++ == 0)
            l->first_damage = bad;
    }
    return 0;
}

struct live *live_start(struct capture *c, struct err *e)
{
    struct live *l = calloc(1, sizeof *l);
    if (!l) {
        err_set(e, "out of memory");
        return NULL;
    }
    l->capture = c;
    l->last = clock_now();
    if (capture_kind(c) == CAPTURE_FILE || (l->feed = feed_newest(read_whole, l, e)))
        return l;
    free(l);
    return NULL;
}

int live_read(struct live *l, struct frame *f, double *time, struct err *e)
{
    if (!l->feed)
        return capture_read(l->capture, f, time, e);
    struct pollfd there = {.fd = feed_fd(l->feed), .events = POLLIN};
    enum feed_result got;
    while ((got = feed_take(l->feed, &l->item, e)) == FEED_NOTHING)
        poll(&there, 1, -1);
    if (got == FEED_FRAME) {
        struct frame older = *f;
        *f = l->item.frame;
        l->item.frame = older;
        *time = l->item.time;
    }
    return got == FEED_FRAME ? 1 : got == FEED_ERROR ? -1 : 0;
}

long live_stop(struct live *l, struct err *e)
{
    if (l->feed) {
        capture_interrupt(l->capture);
        feed_free(l->feed);
        frame_free(&l->item.frame);
    }
    long damaged = l->damaged;
    *e = l->first_damage;
    free(l);
    return damaged;
}
