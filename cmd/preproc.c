/* preproc: frames of any size -> 28x28 frames as MNIST makes them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frame.h"
#include "ink.h"
#include "privilege.h"
#include "threads.h"
#include "tool.h"

static const char usage[] =
    "usage: preproc [-m] [-j threads] [-r x,y,w,h] [file ...]\n"
    "Find the handwritten digit in each frame, cut it out and make it 28x28 as MNIST does.\n"
    "  -j threads   work on as many frames at once (1)\n"
    "  -m           every digit, in reading order, not only the most prominent one\n"
    "  -r x,y,w,h   look only in this region of the frame\n"
    "  -h           this help\n"
    "  -V           version\n";

struct options {
    bool many;
    int threads;
    int x, y, w, h; /* region; w 0: the whole frame */
};

/* A frame on its way through. */
struct job {
    struct frame in, out;
    struct ink *ink;
    char *wire; /* what comes out, as it stands on the wire */
    size_t len, size;
    int seen;
    bool failed, whole; /* whole: all that comes out of it is there, even if it failed */
    struct err e;
};

struct preproc {
    struct options options;
    struct threads *threads;
    struct job *job;
    int jobs;
    bool told; /* that -m reads all digits */
    bool closed; /* nothing more can be written */
    int status;
};

static void parse_region(const char *text, struct options *o)
{
    char end;
    if (sscanf(text, "%d,%d,%d,%d%c", &o->x, &o->y, &o->w, &o->h, &end) != 4 || o->x < 0 ||
        o->y < 0 || o->w < 1 || o->h < 1)
        tool_usage("-r %s: not a region x,y,w,h", text);
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.threads = 1};
    for (int c; (c = getopt(argc, argv, "hj:mr:V")) != -1;)
        switch (c) {
        case 'h':
            tool_help();
        case 'j':
            o.threads = (int)tool_int('j', optarg, 1, 256);
            break;
        case 'm':
            o.many = true;
            break;
        case 'r':
            parse_region(optarg, &o);
            break;
        case 'V':
            tool_version();
        default:
            tool_usage(NULL);
        }
    return o;
}

/* The part of the frame to look at. Returns -1 when the region lies outside. */
static int clip(const struct frame *f, const struct options *o, int *x, int *y, int *w, int *h,
                struct err *e)
{
    *x = *y = 0;
    *w = f->width;
    *h = f->height;
    if (!o->w)
        return 0;
    if (o->x >= f->width || o->y >= f->height)
        return err_set(e, "region %d,%d,%d,%d lies outside the frame of %dx%d", o->x, o->y, o->w,
                       o->h, f->width, f->height);
    *x = o->x;
    *y = o->y;
    *w = o->w < f->width - o->x ? o->w : f->width - o->x;
    *h = o->h < f->height - o->y ? o->h : f->height - o->y;
    return 0;
}

/* Append a digit (NULL: none, an all-zero frame) to what the job puts out. */
static int put(struct job *j, const struct options *o, const struct ink_digit *d, int x, int y)
{
    char box[64], line[16], word[16], old[64];
    if (d) {
        memcpy(j->out.gray, d->pixels, DIGIT_PIXELS);
        snprintf(box, sizeof box, "%d,%d,%d,%d", d->x + x, d->y + y, d->w, d->h);
        snprintf(line, sizeof line, "%d", d->line);
        snprintf(word, sizeof word, "%d", d->word);
    } else {
        memset(j->out.gray, 0, DIGIT_PIXELS);
    }
    /* A frame that went through before keeps the box it had in its source. */
    bool again = j->in.width == DIGIT_SIDE && j->in.height == DIGIT_SIDE && d &&
                 frame_fact(&j->in, "box", old, sizeof old);
    if (!again && frame_set_fact(&j->out, "box", d ? box : NULL, &j->e))
        return -1;
    if (o->many && !again &&
        (frame_set_fact(&j->out, "line", d ? line : NULL, &j->e) ||
         frame_set_fact(&j->out, "word", d ? word : NULL, &j->e)))
        return -1;
    return frame_append(&j->wire, &j->len, &j->size, &j->out, &j->e);
}

static int work_on(struct job *j, const struct options *o)
{
    int x, y, w, h, digits = 0;
    struct ink_digit *digit = NULL;
    j->whole = false;
    if (frame_resize(&j->out, DIGIT_SIDE, DIGIT_SIDE, &j->e) ||
        frame_copy_facts(&j->out, &j->in, &j->e))
        return -1;
    int outside = clip(&j->in, o, &x, &y, &w, &h, &j->e);
    if (!outside)
        digits = ink_find(j->ink, j->in.gray + (long)y * j->in.width + x, j->in.width, w, h,
                          o->many, &digit, &j->e);
    if (digits < 0)
        return -1;
    j->seen = digits ? ink_seen(j->ink) : 0;
    for (int i = 0; i < digits; i++)
        if (put(j, o, &digit[i], x, y))
            return -1;
    if (!digits && put(j, o, NULL, x, y))
        return -1;
    j->whole = true;
    return outside;
}

static void work(void *arg, int item, int thread)
{
    (void)thread;
    struct preproc *p = arg;
    struct job *j = &p->job[item];
    j->len = 0;
    j->failed = work_on(j, &p->options) < 0;
}

/* Work on the first n jobs and write what comes out of them, in order. */
static int flush(struct preproc *p, int n, const char *name)
{
    struct err e = ERR_NONE;
    threads_run(p->threads, n, work, p);
    for (int i = 0; i < n; i++) {
        struct job *j = &p->job[i];
        if (j->len && write_all(STDOUT_FILENO, j->wire, j->len)) {
            err_errno(&e, "standard output");
            p->closed = true;
            return tool_error(&e);
        }
        if (j->failed)
            p->status = (err_at(&j->e, name, -1), tool_error(&j->e));
        if (!j->whole) /* what came after it would be out of step */
            return -1;
        if (j->seen > 1 && !p->options.many && !p->told) {
            tool_warn("%s: several digits in a frame: the most prominent is taken; -m reads all",
                      name);
            p->told = true;
        }
    }
    return 0;
}

/* Note where the frame is from, for those after us, unless it says so itself. */
static int note_source(struct frame_reader *r, struct job *j)
{
    char text[1024];
    const char *source = frame_source(r, &j->in, text, sizeof text);
    long long number = frame_number(r, &j->in);
    if (source != text)
        snprintf(text, sizeof text, "%s", source);
    j->e = (struct err)ERR_NONE;
    j->e.frame = number;
    if (frame_set_fact(&j->in, "source", text, &j->e))
        return -1;
    snprintf(text, sizeof text, "%lld", number);
    return frame_set_fact(&j->in, "frame", text, &j->e);
}

static int read_stream(struct preproc *p, const char *name)
{
    struct err e = ERR_NONE;
    struct frame_reader *r = frame_open(name, &e);
    if (!r)
        return tool_error(&e);
    int waiting = 0, got, failed = 0;
    bool live = false;
    name = frame_stream_name(r);
    while (!failed && (got = frame_read(r, &p->job[waiting].in, &e)) > 0) {
        struct job *j = &p->job[waiting];
        tool_note_clipping(r);
        if (note_source(r, j)) {
            failed = tool_error(&j->e);
            break;
        }
        waiting++;
        if (!live && (live = pipe_is_live(frame_fd(r))))
            pipe_shrink(STDOUT_FILENO);
        if (waiting == p->jobs || frame_would_block(r)) {
            failed |= flush(p, waiting, name);
            waiting = 0;
            if (live)
                pipe_wait_taken(STDOUT_FILENO);
        }
    }
    if (!failed && waiting)
        failed = flush(p, waiting, name);
    if (!failed && got < 0)
        failed = tool_error(&e);
    frame_close(r);
    return failed;
}

static int start(struct preproc *p)
{
    struct err e = ERR_NONE;
    p->threads = threads_new(p->options.threads, &e);
    p->jobs = p->options.threads == 1 ? 1 : 4 * p->options.threads;
    p->job = calloc((size_t)p->jobs, sizeof *p->job);
    if (!p->job)
        err_set(&e, "out of memory");
    if (!p->threads || !p->job)
        return tool_error(&e);
    for (int i = 0; i < p->jobs; i++)
        if (!(p->job[i].ink = ink_new(&e)))
            return tool_error(&e);
    return 0;
}

static void stop(struct preproc *p)
{
    for (int i = 0; p->job && i < p->jobs; i++) {
        frame_free(&p->job[i].in);
        frame_free(&p->job[i].out);
        ink_free(p->job[i].ink);
        free(p->job[i].wire);
    }
    free(p->job);
    threads_free(p->threads);
}

int main(int argc, char **argv)
{
    tool_init("preproc", usage);
    struct preproc p = {.options = parse(argc, argv)};
    privilege_drop(&(struct privilege){.file = (const char *const *)argv + optind,
                                       .files = (size_t)(argc - optind)});
    p.status = start(&p);
    p.closed = p.status != 0;
    if (optind == argc && !p.closed)
        p.status |= read_stream(&p, NULL);
    for (int i = optind; i < argc && !p.closed; i++)
        p.status |= read_stream(&p, argv[i]);
    stop(&p);
    return tool_close(p.status ? EXIT_FAILED : EXIT_OK);
}
