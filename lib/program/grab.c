#define _GNU_SOURCE 1 /* F_SETPIPE_SZ */
#include "grab.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/files.h"
#include "camera/camera.h"

enum { MIRRORED = 2 /* EXIF's orientation */, FILE_PIPE = 1 << 20 };

int grab_init(struct grab *g, const struct grab_options *o, struct err *e)
{
    *g = (struct grab){.o = o, .capture = capture_new(&o->capture, e)};
    return g->capture ? 0 : -1;
}

void grab_free(struct grab *g)
{
    capture_free(g->capture);
    frame_free(&g->frame);
    frame_free(&g->spare);
}

bool grab_goes_on(const struct grab *g)
{
    return !g->closed && !(g->o->count > 0 && g->written >= g->o->count);
}

static void report(struct grab *g, const struct err *e)
{
    g->failed = true;
    g->o->report(e);
}

/* Whether a picture of this time is dropped, or not among those picked. */
static bool is_passed_over(struct grab *g, double time)
{
    const struct grab_options *o = g->o;
    enum capture_kind kind = capture_kind(g->capture);
    double skip = o->skip >= 0 ? o->skip : kind == CAPTURE_CAMERA && o->count > 0 ? 1 : 0;
    if (time < skip)
        return true;
    if (kind != CAPTURE_FILE || o->capture.rate <= 0)
        return false;
    if (time < g->next_time - 1e-6)
        return true;
    g->next_time = (time > g->next_time + 1 / o->capture.rate ? time : g->next_time) +
                   1 / o->capture.rate;
    return false;
}

/* Make the frame at hand what is to be written. */
static int finish_picture(struct grab *g, const char *source, struct err *e)
{
    const struct grab_options *o = g->o;
    struct frame *f = &g->frame;
    const int *box = o->region;
    int label = folder_label(source);
    if (o->mirror && gray_turn(f, MIRRORED, &g->spare, e))
        return -1;
    if (box[2] && gray_cut(f, box[0], box[1], box[2], box[3], e))
        return -1;
    return label >= 0 && frame_label(f) == -1
               ? frame_set_fact(f, "label", frame_label_text(label), e)
               : 0;
}

static int write_picture(struct grab *g, const char *source, struct err *e)
{
    if (finish_picture(g, source, e))
        return err_at(e, source, -1);
    g->written++;
    errno = 0;
    if (frame_write(g->o->out, &g->frame, e) == 0)
        return 0;
    g->closed = true;
    if (errno == EPIPE)
        *e = (struct err)ERR_NONE; /* the reader has had enough */
    return err_at(e, "standard output", -1);
}

/* Files fill the pipe while their reader works. For a live source it is one page small: then it is
 * writable when the reader has taken everything, and only then the newest picture is taken. */
static void fit_pipe(int fd, bool live)
{
    if (live)
        pipe_shrink(fd);
    else
        fcntl(fd, F_SETPIPE_SZ, FILE_PIPE);
}

static void wait_for_reader(int fd)
{
    struct pollfd out = {.fd = fd, .events = POLLOUT};
    while (poll(&out, 1, -1) < 0 && errno == EINTR)
        ;
}

static void tell_damage(struct grab *g, struct live *live, const char *source)
{
    struct err why = ERR_NONE, e = ERR_NONE;
    long damaged = live_damaged(live, &why);
    if (damaged == 0)
        return;
    err_set(&e, "%ld damaged pictures passed over (%s)", damaged, why.what);
    err_at(&e, source, -1);
    g->o->report(&e);
}

/* Read what is open to its end. Returns false when it was lost before. */
static bool read_source(struct grab *g, const char *source)
{
    struct err e = ERR_NONE;
    struct live *live = live_start(g->capture, &e);
    bool is_live = capture_kind(g->capture) != CAPTURE_FILE;
    int got = live ? 1 : -1;
    fit_pipe(g->o->out, is_live);
    while (live && got && grab_goes_on(g)) {
        double time;
        e = (struct err)ERR_NONE;
        if (is_live)
            wait_for_reader(g->o->out);
        got = live_read(live, &g->frame, &time, &e);
        if (got < 0 && !is_live && !capture_lost(g->capture))
            report(g, &e);
        else if (got < 0 || (got > 0 && !is_passed_over(g, time) && write_picture(g, source, &e)))
            break;
    }
    if (e.what[0])
        report(g, &e);
    if (live)
        tell_damage(g, live, source);
    live_stop(live);
    return got >= 0;
}

/* The first camera that can be opened, else the first there is, else the first name. */
static const char *default_camera(struct v4l2_camera list[V4L2_DEVICES])
{
    int count = v4l2_cameras(list, V4L2_DEVICES);
    for (int i = 0; i < count; i++)
        if (!list[i].error)
            return list[i].device;
    return count ? list[0].device : "/dev/video0";
}

void grab_source(struct grab *g, const char *source)
{
    struct v4l2_camera list[V4L2_DEVICES];
    bool failed = g->failed, missing = false;
    for (;;) {
        struct err e = ERR_NONE;
        const char *name = source ? source : g->o->capture.format ? "" : default_camera(list);
        bool open = !file_not_written(name, g->o->out, &e) && !capture_open(g->capture, name, &e);
        if (!open && !missing)
            report(g, &e);
        missing = !open;
        g->next_time = 0;
        bool lost = !open || !read_source(g, name);
        capture_close(g->capture);
        if (!lost || !g->o->wait || !grab_goes_on(g))
            break;
        sleep(1);
    }
    if (g->o->wait && !g->closed)
        g->failed = failed; /* what was lost came back */
}
