/* xview: show a frame stream in a window, and what a command says about it. Frames are read ahead by a thread, their
 * region goes to the command, and its answers are drawn over the frames they are about (the room of windows paints). */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer/answer.h"
#include "base/clock.h"
#include "base/privilege.h"
#include "tool.h"
#include "window/window.h"

static const char usage[] =
    "usage: xview [-hptVx] [-d seconds] [-e command] [-o file] [-r x,y,w,h] [-s seconds] "
    "[-z scale] [file ...]\n"
    "Show frames from files or standard input in a window, with answers drawn over them.\n"
    "  -d seconds  show each frame at least so long (0)\n"
    "  -e command  run it beside the window: the region's frames in, answers out\n"
    "  -o file     where label keys append the region's frame (labelled.pgm)\n"
    "  -p          pass all frames on to standard output\n"
    "  -r x,y,w,h  the region that is read, in the frame's pixels (all of it)\n"
    "  -s seconds  an answer must hold so long before the large number changes (0.25)\n"
    "  -t          show recorded frames at the pace of their time fact\n"
    "  -x          exit at the end of the stream\n"
    "  -z scale    size of the text (1: a plain screen; default: from Xft.dpi)\n"
    "  -h, -V      this help; the version\n"
    "keys: q quit, space pause, s save the frame as xview-NNNN.pgm, 0..9 and any other\n"
    "      character save labelled; \\ before q, s or \\ makes that one a label\n"
    "  camgrab | xview -r 300,100,200,200 -e 'preproc | cnn-predict'\n";

#define MAX_PATIENCE 0.030 /* seconds a frame waits for its answer before it is shown without */
#define MAX_EARLY 5 /* seconds: a frame further in the future than this has another clock */
#define FIRST_WAIT 1 /* The window opens empty after so many seconds without a frame. */
#define NOTE_TIME 3  /* A note is shown for so many seconds. */
#define MIN_RESTART 1 /* seconds from the start of a command that died to the next */

struct options {
    const char *command;  /* gets the region's frames, gives answers; NULL: none */
    const char *labelled; /* file that label keys append to */
    struct box region;   /* that is read, in the frame's pixels; empty: all of it */
    double scale;         /* of the text; 0: as the screen has it */
    double hold, least;   /* seconds an answer must hold; that a frame is shown at least */
    bool pass;            /* all frames go on to standard output */
    bool paced;           /* frames are shown at the pace of their time fact */
    bool exit_at_end;
};

static struct options parse(int argc, char **argv)
{
    struct options o = {.labelled = "labelled.pgm", .hold = 0.25};
    int c, region[4] = {0};
    while ((c = tool_getopt(argc, argv, "d:e:o:pr:s:txz:hV")) != -1)
        switch (c) {
        case 'd': o.least = tool_real(c, optarg, 0, 86400); break;
        case 'e': o.command = optarg; break;
        case 'o': o.labelled = optarg; break;
        case 'p': o.pass = true; break;
        case 'r': tool_box(c, optarg, region); break;
        case 's': o.hold = tool_real(c, optarg, 0, 3600); break;
        case 't': o.paced = true; break;
        case 'x': o.exit_at_end = true; break;
        case 'z': o.scale = tool_real(c, optarg, 0.5, 8); break;
        }
    o.region = box_at(region[0], region[1], region[2], region[3]);
    if (o.pass && isatty(1))
        tool_usage("-p: frames are not for a terminal");
    if (optind == argc && isatty(0))
        tool_usage("no frames: name a file, or join a program with |");
    return o;
}

struct viewer {
    const struct options *o;
    struct window_loop loop; /* its command is the one of -e */
    struct stream_feed *feed;
    struct match match;
    struct stream_item item;   /* the frame at hand */
    struct stream_item unseen; /* one only passed on, while paused */
    struct frame cut;        /* its region, as the command gets it */
    bool has_frame, painted, paused, ended, failed;
    bool prompt;             /* the last frame was answered while it was at hand */
    double started;          /* when the command was, the last time */
    char alarm[120];         /* how it ended; "" once it answers */
    double taken, due;       /* when the frame came; when it is shown at the latest */
    double base;             /* clock minus the frames' time (-t); NAN: not set */
    double rate, rate_start; /* frames/s over the last second; negative: not known yet */
    long rate_count, labels;
    bool literal; /* the key before was \: the next is a label, also if it is a command */
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
    v->loop.dirty = true;
}

/* The region's part of the frame at hand, with its facts, source and number among them. Returns 1;
 * 0 when the region lies outside of the frame; -1 on failure. */
static int cut_region(struct viewer *v, struct err *e)
{
    const struct frame *f = &v->item.frame;
    struct box r = view_region(v->o->region, f->width, f->height);
    int w = box_width(r), h = box_height(r);
    if (box_empty(r))
        return 0;
    if (frame_resize(&v->cut, w, h, e) < 0 || frame_copy_facts(&v->cut, f, e) < 0 ||
        frame_set_fact(&v->cut, "source", v->item.source, e) < 0 ||
        frame_set_number(&v->cut, "frame", v->item.number, e) < 0)
        return -1;
    for (int y = 0; y < h; y++)
        memcpy(v->cut.gray + (size_t)y * w, f->gray + (size_t)(r.y0 + y) * f->width + r.x0, w);
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

/* A key that is a label: the region's frame, labelled, appended to a file. */
static void save_labelled(struct viewer *v, char key)
{
    struct err e = ERR_NONE;
    char value[LABEL_SIZE];
    if (!label_of_character(key, value) || cut_region(v, &e) <= 0)
        return;
    if (frame_set_fact(&v->cut, "label", value, &e) < 0 || save_append(v->o->labelled, &v->cut, &e) < 0)
        say(v, true, "%s", e.what);
    else
        say(v, false, "labelled %s in %s (%ld so far)", value, v->o->labelled, ++v->labels);
}

static void press_key(struct viewer *v, struct window_event event)
{
    if (event.type != WINDOW_KEY || event.repeat)
        return;
    bool literal = v->literal;
    v->literal = event.key == '\\' && !literal;
    if (literal || !strchr("q s\\", event.key)) {
        if (v->has_frame)
            save_labelled(v, event.key);
    } else if (event.key == 'q') {
        v->loop.quit = true;
    } else if (event.key == ' ') {
        v->paused = !v->paused;
    } else if (event.key == 's' && v->has_frame) {
        save_frame(v);
    }
    v->base = NAN;
    v->loop.dirty = true;
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
    double t = clock_now(), time = frame_time(&v->item.frame), start = t;
    v->has_frame = true;
    count_rate(v, t);
    if (v->o->paced && time >= 0) {
        if (!(fabs(v->base + time - t) < MAX_EARLY) || v->base + time < t)
            v->base = t - time;
        start = v->base + time;
    }
    v->taken = start;
    v->due = start;
    v->painted = false;
    if (!v->loop.child)
        return 0;
    if (!child_is_running(v->loop.child)) {
        if (v->started > 0 && t - v->started < MIN_RESTART)
            return 0;
        v->started = t;
    }
    int cut = cut_region(v, e);
    if (cut <= 0)
        return cut;
    match_send(&v->match, v->item.source, v->item.number, time >= 0 ? time : t, t);
    if (v->prompt)
        v->due += MAX_PATIENCE;
    v->prompt = false;
    return child_send(v->loop.child, &v->cut, e);
}

/* May the next frame be taken? */
static bool wants_frame(const struct viewer *v)
{
    if (v->ended || outlet_busy(&v->loop.out))
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
    struct stream_item *item = v->paused ? &v->unseen : &v->item;
    switch (feed_take(v->feed, item, &bad)) {
    case FEED_FRAME:
        if (v->o->pass && outlet_add(&v->loop.out, &item->frame, e) < 0)
            return -1;
        return v->paused ? 0 : begin_frame(v, e);
    case FEED_ERROR:
        tool_error(&bad);
        v->failed = true;
        break;
    case FEED_END:
        v->ended = v->loop.dirty = true;
        v->loop.quit |= v->o->exit_at_end;
        if (v->o->pass)
            close(STDOUT_FILENO); /* its reader need not wait for the window */
        v->loop.out.fd = -1;
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
    if (child_work(v->loop.child)) {
        match_forget(&v->match);
        snprintf(v->alarm, sizeof v->alarm, "the command %s", child_end(v->loop.child));
        v->loop.dirty = true;
    }
    while ((line = child_line(v->loop.child))) {
        if (answer_parse(line, &a, NULL) < 0)
            continue;
        v->alarm[0] = '\0';
        if (match_answer(&v->match, &a, clock_now())) {
            v->prompt = true;
            v->due = v->taken;
        }
        v->loop.dirty |= v->painted;
    }
}

static void show(struct viewer *v)
{
    double t = clock_now();
    if (v->note[0] && t >= v->note_end) {
        v->note[0] = '\0';
        v->loop.dirty = true;
    }
    bool fresh = v->has_frame && !v->painted && t >= v->due;
    struct window_surface *s = v->loop.dirty || fresh ? window_surface(v->loop.window) : NULL;
    if (!s)
        return;
    struct window_view look = {.scale = v->loop.scale,
                               .frame = v->has_frame ? &v->item.frame : NULL,
                               .region = v->o->region,
                               .match = v->loop.child ? &v->match : NULL,
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
    window_put(v->loop.window, box_at(0, 0, s->width, s->height));
    v->painted |= v->has_frame && t >= v->due;
    v->loop.dirty = false;
}

/* The time, after t, at which something must be shown, taken or taken away. What was due at t has been done,
 * or waits for an event. */
static double next_time(const struct viewer *v, double t)
{
    double until = HUGE_VAL;
    if (v->has_frame && !v->painted && v->due > t)
        until = fmin(until, v->due);
    if (v->has_frame && v->painted && v->taken + v->o->least > t)
        until = fmin(until, v->taken + v->o->least);
    return v->note[0] ? fmin(until, v->note_end) : until;
}

static int run(struct viewer *v, const sigset_t *open, struct err *e)
{
    while (!v->loop.quit && !tool_stopped()) {
        struct window_event event;
        while ((event = loop_event(&v->loop)).type != WINDOW_NONE)
            press_key(v, event);
        if (v->loop.child)
            take_answers(v);
        if (take_frame(v, e) < 0)
            return -1;
        if (outlet_work(&v->loop.out, e) < 0)
            return errno == EPIPE ? 0 : -1;
        double t = clock_now();
        show(v);
        loop_wait(&v->loop, wants_frame(v) ? feed_fd(v->feed) : -1, next_time(v, t), open);
    }
    return 0;
}

/* Frames are from strangers: from here on files are written only where frames are saved, and nothing is
 * started. A command needs what it needs. */
static void drop_privileges(const struct viewer *v, char **names, int count)
{
    char labelled[PATH_MAX];
    snprintf(labelled, sizeof labelled, "%s", v->o->labelled);
    if (!v->o->command)
        privilege_drop(&(struct privilege){(const char *const *)names, (size_t)count,
                                           {".", dirname(labelled)}, true});
}

/* A window that fits the first frame, when one comes soon. */
static int start(struct viewer *v, char **names, int count, struct err *e)
{
    int width, height, w = 640, h = 480;
    int out = v->o->pass ? STDOUT_FILENO : -1;
    if (loop_open(&v->loop, v->o->command, out, v->o->scale, e) < 0)
        return -1;
    drop_privileges(v, names, count);
    if (!(v->feed = feed_new(names, count, out, e)))
        return -1;
    struct pollfd first = {feed_fd(v->feed), POLLIN, 0};
    poll(&first, 1, FIRST_WAIT * 1000);
    if (take_frame(v, e) < 0)
        return -1;
    if (v->has_frame) {
        w = v->item.frame.width;
        h = v->item.frame.height;
    }
    double z = v->loop.scale, strip = VIEW_STRIP * z;
    window_screen(v->loop.window, &width, &height);
    double fit = fmin(width * 0.9 / w, (height * 0.9 - strip) / h);
    double grow = fmin(fit, fmax(z, 320 * z / (w < h ? h : w)));
    return window_show(v->loop.window, "inkpipe view", (int)(fmax(320 * z, w * grow)),
                       (int)(h * grow + strip), (int)(240 * z), (int)(120 * z + strip), false, e);
}

int main(int argc, char **argv)
{
    static struct viewer v;
    struct err e = ERR_NONE;
    sigset_t open;
    tool_init("xview", usage);
    struct options o = parse(argc, argv);
    tool_catch_ends(&open);
    v.o = &o;
    v.match = (struct match){.steady = {.hold = o.hold}, .lag = -1};
    v.rate = -1;
    v.base = NAN;
    v.prompt = true;
    bool failed = start(&v, argv + optind, argc - optind, &e) < 0 || run(&v, &open, &e) < 0;
    if (failed)
        tool_error(&e);
    feed_free(v.feed);
    loop_close(&v.loop);
    frame_free(&v.item.frame);
    frame_free(&v.unseen.frame);
    frame_free(&v.cut);
    return tool_close(failed || v.failed ? EXIT_FAILED : EXIT_OK);
}
