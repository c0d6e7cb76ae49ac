#define _GNU_SOURCE 1 /* ppoll */
#include "viewer.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "window/window.h"
#include "base/clock.h"
#include "stream/stream.h"
#include "answer/answer.h"

#define PATIENCE 0.030 /* seconds a frame waits for its answer before it is shown without */
#define EARLY_LIMIT 5  /* seconds: a frame further in the future than this has another clock */
#define FIRST_WAIT 1   /* seconds without a frame before the window opens empty */
#define NOTE_TIME 3    /* seconds */
#define RESTART 1      /* seconds from the start of a command that died to the next */

struct viewer {
    const struct viewer_options *o;
    double scale;
    struct window *window;
    struct feed *feed;
    struct child *child; /* NULL without -e */
    struct outlet out;
    struct match match;
    struct feed_item item;   /* the frame at hand */
    struct feed_item unseen; /* one only passed on, while paused */
    struct frame cut;        /* its region, as the command gets it */
    bool has_frame, painted, paused, ended, failed, dirty, quit;
    bool prompt;             /* the last frame was answered while it was at hand */
    double started;          /* when the command was, the last time */
    char alarm[120];         /* how it ended; "" once it answers */
    double taken, due;       /* when the frame came; when it is shown at the latest */
    double base;             /* clock minus the frames' time (-t); NAN: not set */
    double rate, rate_start; /* frames/s over the last second */
    long rate_count, labels;
    char note[300];
    bool note_failed;
    double note_end;
};

static void say(struct viewer *v, bool failed, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(v->note, sizeof v->note, format, args);
    va_end(args);
    v->note_failed = failed;
    v->note_end = clock_now() + NOTE_TIME;
    v->dirty = true;
}

/* The region's part of the frame at hand, with its facts, source and number among them. Returns 1;
 * 0 when the region lies outside of the frame; -1 on failure. */
static int cut_region(struct viewer *v, struct err *e)
{
    const struct frame *f = &v->item.frame;
    struct rect r = view_region(v->o->region, f->width, f->height);
    char number[32];
    if (r.w == 0)
        return 0;
    snprintf(number, sizeof number, "%lld", v->item.number);
    if (frame_resize(&v->cut, r.w, r.h, e) < 0 || frame_copy_facts(&v->cut, f, e) < 0 ||
        frame_set_fact(&v->cut, "source", v->item.source, e) < 0 ||
        frame_set_fact(&v->cut, "frame", number, e) < 0)
        return -1;
    for (int y = 0; y < r.h; y++)
        memcpy(v->cut.gray + (size_t)y * r.w, f->gray + (size_t)(r.y + y) * f->width + r.x,
               (size_t)r.w);
    return 1;
}

/* `s`: the frame as it came, under a name of its own. */
static void save_frame(struct viewer *v)
{
    struct err e = ERR_NONE;
    char name[64];
    if (save_numbered("xview", &v->item.frame, name, sizeof name, &e) < 0)
        say(v, true, "%s", e.what);
    else
        say(v, false, "saved %s", name);
}

/* A digit key: the region's frame, labelled, appended to a file. */
static void save_labelled(struct viewer *v, char digit)
{
    struct err e = ERR_NONE;
    char value[2] = {digit, '\0'};
    if (cut_region(v, &e) <= 0)
        return;
    if (frame_set_fact(&v->cut, "label", value, &e) < 0 ||
        save_append(v->o->labelled, &v->cut, &e) < 0)
        say(v, true, "%s", e.what);
    else
        say(v, false, "labelled %c in %s (%ld so far)", digit, v->o->labelled, ++v->labels);
}

static void press_key(struct viewer *v, struct window_event event)
{
    if (event.repeat)
        return;
    if (event.key == 'q')
        v->quit = true;
    else if (event.key == ' ')
        v->paused = !v->paused;
    else if (event.key == 's' && v->has_frame)
        save_frame(v);
    else if (event.key >= '0' && event.key <= '9' && v->has_frame)
        save_labelled(v, event.key);
    v->base = NAN;
    v->dirty = true;
}

static void handle(struct viewer *v, struct window_event event)
{
    if (event.type == WINDOW_CLOSE)
        v->quit = true;
    else if (event.type == WINDOW_KEY)
        press_key(v, event);
    else if (event.type == WINDOW_EXPOSE || event.type == WINDOW_RESIZE)
        v->dirty = true;
}

static double frame_time(const struct viewer *v, double otherwise)
{
    char text[64], *end;
    if (!frame_fact(&v->item.frame, "time", text, sizeof text))
        return otherwise;
    double t = strtod(text, &end);
    return end != text && isfinite(t) ? t : otherwise;
}

static void count_rate(struct viewer *v, double t)
{
    v->rate_count++;
    if (t - v->rate_start < 1)
        return;
    if (v->rate_start > 0)
        v->rate = (double)v->rate_count / (t - v->rate_start);
    v->rate_start = t;
    v->rate_count = 0;
}

/* A new frame is at hand: to the command, and soon to the screen. */
static int begin_frame(struct viewer *v, struct err *e)
{
    double t = clock_now(), time = frame_time(v, NAN), start = t;
    v->has_frame = true;
    count_rate(v, t);
    if (v->o->paced && isfinite(time)) {
        if (!(fabs(v->base + time - t) < EARLY_LIMIT) || v->base + time < t)
            v->base = t - time;
        start = v->base + time;
    }
    v->taken = start;
    v->due = start;
    v->painted = false;
    if (!v->child)
        return 0;
    if (!child_is_running(v->child)) {
        if (v->started > 0 && t - v->started < RESTART)
            return 0;
        v->started = t;
    }
    int cut = cut_region(v, e);
    if (cut <= 0)
        return cut;
    match_send(&v->match, v->item.source, v->item.number, isfinite(time) ? time : t, t);
    if (v->prompt)
        v->due += PATIENCE;
    v->prompt = false;
    return child_send(v->child, &v->cut, e);
}

/* May the next frame be taken? */
static bool wants_frame(const struct viewer *v)
{
    if (v->ended || outlet_busy(&v->out))
        return false;
    if (v->paused)
        return v->o->pass;
    return !v->has_frame || (v->painted && clock_now() >= v->taken + v->o->least);
}

static int take_frame(struct viewer *v, struct err *e)
{
    struct err bad = ERR_NONE;
    if (!wants_frame(v))
        return 0;
    struct feed_item *item = v->paused ? &v->unseen : &v->item;
    switch (feed_take(v->feed, item, &bad)) {
    case FEED_FRAME:
        if (v->o->pass && outlet_add(&v->out, &item->frame, e) < 0)
            return -1;
        return v->paused ? 0 : begin_frame(v, e);
    case FEED_ERROR:
        v->o->report(&bad);
        v->failed = true;
        break;
    case FEED_END:
        v->ended = v->dirty = true;
        v->quit |= v->o->exit_at_end;
        if (v->o->pass && !outlet_busy(&v->out))
            close(1);
        break;
    case FEED_NOTHING:
        break;
    }
    return 0;
}

static void take_answers(struct viewer *v)
{
    const char *line;
    struct answer a;
    bool was_running = child_is_running(v->child);
    child_work(v->child);
    if (was_running && !child_is_running(v->child)) {
        match_forget(&v->match);
        snprintf(v->alarm, sizeof v->alarm, "the command %s", child_end(v->child));
        v->dirty = true;
    }
    while ((line = child_line(v->child))) {
        if (answer_parse(line, &a, NULL) < 0)
            continue;
        v->alarm[0] = '\0';
        if (match_answer(&v->match, &a, clock_now())) {
            v->prompt = true;
            v->due = v->taken;
        }
        v->dirty |= v->painted;
    }
}

static void show(struct viewer *v)
{
    double t = clock_now();
    if (v->note[0] && t >= v->note_end) {
        v->note[0] = '\0';
        v->dirty = true;
    }
    bool fresh = v->has_frame && !v->painted && t >= v->due;
    struct surface *s = v->dirty || fresh ? window_surface(v->window) : NULL;
    if (!s)
        return;
    struct view look = {.scale = v->scale,
                        .frame = v->has_frame ? &v->item.frame : NULL,
                        .region = v->o->region,
                        .match = v->child ? &v->match : NULL,
                        .alarm = v->alarm[0] ? v->alarm : NULL,
                        .note = v->note,
                        .failed = v->note_failed,
                        .state = v->ended    ? "end of the stream"
                                 : v->paused ? "paused"
                                 : v->has_frame ? "" : "no frames yet",
                        .rate = v->rate,
                        .source = v->item.source,
                        .number = v->item.number};
    view_paint(s, &look);
    window_put(v->window, (struct rect){0, 0, s->width, s->height});
    v->painted |= v->has_frame && t >= v->due;
    v->dirty = false;
}

static void wait_for_something(struct viewer *v, const sigset_t *open)
{
    bool wants = wants_frame(v);
    struct pollfd p[5] = {{window_fd(v->window), POLLIN, 0},
                          {wants ? feed_fd(v->feed) : -1, POLLIN, 0},
                          {v->o->pass && !v->ended ? 1 : -1, outlet_busy(&v->out) ? POLLOUT : 0, 0},
                          {child_read_fd(v->child), POLLIN, 0},
                          {child_write_fd(v->child), POLLOUT, 0}};
    double t = clock_now(), until = t + 3600;
    if (v->has_frame && !v->painted && v->due > t)
        until = fmin(until, v->due);
    if (v->has_frame && v->painted && v->taken + v->o->least > t)
        until = fmin(until, v->taken + v->o->least);
    if (v->note[0])
        until = fmin(until, v->note_end);
    if (child_is_ending(v->child))
        until = fmin(until, t + CHILD_ENDS);
    struct timespec left = clock_span(window_pending(v->window) ? 0 : fmax(0, until - t));
    ppoll(p, 5, &left, open);
    if (v->o->pass && !v->ended && outlet_is_closed(&v->out))
        v->quit = true;
}

int viewer_run(struct viewer *v, const sigset_t *open, struct err *e)
{
    while (!v->quit && !v->o->stopped()) {
        struct window_event event;
        while ((event = window_next(v->window)).type != WINDOW_NONE)
            handle(v, event);
        if (v->child)
            take_answers(v);
        if (take_frame(v, e) < 0)
            return -1;
        if (v->o->pass && !v->ended && outlet_work(&v->out, e) < 0)
            return errno == EPIPE ? v->failed : -1;
        show(v);
        if (!v->quit && !v->o->stopped())
            wait_for_something(v, open);
    }
    return v->failed;
}

/* A window that fits the first frame, when one comes soon. */
static int start(struct viewer *v, char **names, int count, struct err *e)
{
    int width, height, w = 640, h = 480;
    int out = v->o->pass ? STDOUT_FILENO : -1;
    if (!(v->window = window_open(NULL, e)) || !(v->feed = feed_new(names, count, out, e)) ||
        (v->o->command && !(v->child = child_new(v->o->command, e))))
        return -1;
    v->scale = v->o->scale > 0 ? v->o->scale : window_scale(v->window);
    struct pollfd first = {feed_fd(v->feed), POLLIN, 0};
    poll(&first, 1, FIRST_WAIT * 1000);
    if (take_frame(v, e) < 0)
        return -1;
    if (v->has_frame) {
        w = v->item.frame.width;
        h = v->item.frame.height;
    }
    double z = v->scale, strip = VIEW_STRIP * z;
    window_screen(v->window, &width, &height);
    double fit = fmin(width * 0.9 / w, (height * 0.9 - strip) / h);
    double grow = fmin(fit, fmax(z, 320 * z / (w < h ? h : w)));
    v->dirty = true;
    return window_show(v->window, "inkpipe view", (int)(fmax(320 * z, w * grow)),
                       (int)(h * grow + strip), (int)(240 * z), (int)(120 * z + strip), false, e);
}

struct viewer *viewer_new(const struct viewer_options *o, char **names, int count, struct err *e)
{
    struct viewer *v = calloc(1, sizeof *v);
    if (!v) {
        err_set(e, "out of memory");
        return NULL;
    }
    v->o = o;
    v->match = (struct match){.steady = {.hold = o->hold}, .lag = -1};
    v->rate = -1;
    v->base = NAN;
    v->prompt = true;
    outlet_init(&v->out, STDOUT_FILENO);
    if (!start(v, names, count, e))
        return v;
    viewer_free(v);
    return NULL;
}

void viewer_free(struct viewer *v)
{
    if (!v)
        return;
    child_free(v->child);
    feed_free(v->feed);
    window_free(v->window);
    outlet_free(&v->out);
    frame_free(&v->item.frame);
    frame_free(&v->unseen.frame);
    frame_free(&v->cut);
    free(v);
}
