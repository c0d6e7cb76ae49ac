/* preproc: frames of any size -> 28x28 frames as MNIST makes them.
 * Frames are read until the input pauses or each thread has its share; lib/ink finds the digits of them
 * all at once, or lib/form the cells of a form; what comes out of them is written in order. */
#include <fcntl.h>
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/grow.h"
#include "base/threads.h"
#include "form/form.h"
#include "ink/ink.h"
#include "tool.h"

static const char usage[] =
    "usage: preproc [-m] [-M model] [-x file] [-j threads]\n"
    "               [-f form | -r [name=]x,y,w,h ...] [file ...]\n"
    "Find the handwritten digit in each frame, cut it out and make it 28x28 as MNIST does.\n"
    "  -f form      the boxes of a printed form, see form(5), on a scan or photo of it\n"
    "  -j threads   work on as many frames at once (1)\n"
    "  -M model     the network that finds digits (INKPIPE_FINDER, else the one installed)\n"
    "  -m           every digit, in reading order, not only the most prominent one\n"
    "  -r x,y,w,h   look only in this region of the frame; -r name=x,y,w,h, as often as\n"
    "               wanted: every digit of each region, as the field of that name\n"
    "  -x file      pictures of what the network saw, in color\n"
    "  -h           this help\n"
    "  -V           version\n";

/* A part of a frame to look in. */
struct region {
    char name[FORM_NAME]; /* of the field it holds; "": of none */
    int at[4];            /* x, y, w, h */
};

struct options {
    bool many;     /* every digit, not only the most prominent one */
    int threads;   /* so many frames are worked on at once */
    struct region *region; /* [regions]; none: all of a frame */
    int regions;
    const char *form;      /* the file of a form whose boxes are looked for, or NULL */
    const char *finder;    /* the file of the network that finds digits; NULL with a form, which needs none */
    const char *sight_file; /* for pictures of what the finder saw, or NULL */
    int sight;             /* it, when it is open; -1: none */
};

/* Open the file of -x, which is none of those that are read. */
static int open_sight(const struct options *o, char **file)
{
    struct err e = ERR_NONE;
    bool apart = !file_not_saved(o->finder, o->sight_file, &e);
    for (int i = 0; apart && (file[i] || i == 0); i++)
        apart = !file_not_saved(file[i], o->sight_file, &e);
    int fd = apart ? open(o->sight_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    if (fd >= 0)
        return fd;
    if (apart)
        err_errno(&e, "%s: cannot be written", o->sight_file);
    exit(tool_error(&e));
}

/* "x,y,w,h" or "name=x,y,w,h". */
static void add_region(struct options *o, const char *text)
{
    size_t len = strcspn(text, "=");
    struct region *region = realloc(o->region, ((size_t)o->regions + 1) * sizeof *region);
    if (!region)
        exit(tool_error(&(struct err){"out of memory", "", -1}));
    o->region = region;
    region += o->regions++;
    *region = (struct region){.name = ""};
    if (text[len]) {
        bool good = len > 0 && len < sizeof region->name;
        for (size_t i = 0; i < len && good; i++) {
            good = fact_key_byte((unsigned char)text[i]);
            region->name[i] = text[i];
        }
        if (!good)
            tool_usage("-r %s: a field's name is up to %d letters, digits, '_', '-' and '.'", text, FORM_NAME - 1);
        text += len + 1;
    }
    tool_box('r', text, region->at);
    if (o->regions > 1 && (!region->name[0] || !o->region[0].name[0]))
        tool_usage("-r more than once: each region needs a name, -r name=x,y,w,h");
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.threads = 1, .sight = -1};
    for (int c; (c = tool_getopt(argc, argv, "f:hj:M:mr:Vx:")) != -1;)
        switch (c) {
        case 'f': o.form = optarg; break;
        case 'j': o.threads = (int)tool_int(c, optarg, 1, 256); break;
        case 'M': o.finder = optarg; break;
        case 'm': o.many = true; break;
        case 'r': add_region(&o, optarg); break;
        case 'x': o.sight_file = optarg; break;
        }
    if (o.form && (o.regions || o.many || o.finder || o.sight_file))
        tool_usage("-f tells where to look: it goes with none of -r, -m, -M and -x");
    if (o.sight_file && o.regions > 1)
        tool_usage("-x shows what was seen once in a frame: with one -r at most");
    if (o.form && !strcmp(o.form, "-") && optind == argc)
        tool_usage("form and frames cannot both come from standard input");
    if (!o.form && !(o.finder = tool_model(o.finder, "-M or ", TOOL_FINDER)))
        exit(EXIT_FAILED);
    if (o.sight_file)
        o.sight = open_sight(&o, argv + optind);
    return o;
}

enum {
    JOBS_PER_THREAD = 4,
    /* Pixels of a frame of which more than one a thread may wait: of larger ones so many are held at once as
     * there are threads, and one more. */
    MAX_SMALL = 1 << 20
};

/* What a thread works with. */
struct worker {
    struct ink *ink;            /* NULL with a form; */
    struct form_reader *reader; /* NULL without, */
    struct easel *easel;        /* as this */
};

/* A frame on its way through. */
struct job {
    struct frame in, out;
    char *wire; /* what comes out, as it stands on the wire */
    size_t len, size;
    uint8_t *sight; /* with -x: a picture of what the finder saw, [height][width][3]; else NULL */
    int seen;
    bool failed, whole; /* whole: all that comes out of it is there, even if it failed */
    struct err e;
};

struct preproc {
    const struct options *o;
    const struct form_layout *layout; /* NULL: no form */
    struct threads *threads;
    struct ink_finder *finder; /* or NULL */
    struct worker *worker;     /* [workers] one a thread */
    int workers;
    struct job *job;
    int jobs;
    int status;  /* EXIT_FAILED: something was wrong, and was reported */
    bool told;   /* that there are more digits than are taken */
    bool closed; /* nothing more can be written */
};

static int worker_init(struct worker *w, const struct preproc *p, struct err *e)
{
    if (!p->layout)
        return (w->ink = ink_new(p->finder, e)) ? 0 : -1;
    if (!(w->reader = form_reader_new(e)))
        return -1;
    return (w->easel = zeroed(1, sizeof *w->easel, e)) ? 0 : -1;
}

static int preproc_init(struct preproc *p, struct err *e)
{
    int threads = p->o->threads, jobs = threads == 1 ? 1 : JOBS_PER_THREAD * threads;
    if (!(p->job = zeroed((size_t)jobs, sizeof *p->job, e)) ||
        !(p->worker = zeroed((size_t)threads, sizeof *p->worker, e)))
        return -1;
    p->jobs = jobs;
    if (!(p->threads = threads_new(threads, e)) || (!p->layout && !(p->finder = ink_finder_load(p->o->finder, e))))
        return -1;
    while (p->workers < threads)
        if (worker_init(&p->worker[p->workers++], p, e))
            return -1;
    return 0;
}

static void preproc_free(struct preproc *p)
{
    for (int i = 0; i < p->jobs; i++) {
        frame_free(&p->job[i].in);
        frame_free(&p->job[i].out);
        free(p->job[i].wire);
        free(p->job[i].sight);
    }
    for (int i = 0; i < p->workers; i++) {
        ink_free(p->worker[i].ink);
        form_reader_free(p->worker[i].reader);
        free(p->worker[i].easel);
    }
    free(p->job);
    free(p->worker);
    ink_finder_free(p->finder);
    threads_free(p->threads);
}

/* ---- one frame ---- */

/* The part of the frame to look at (NULL: all of it): box[] = x, y, w, h. Returns -1 when it lies outside. */
static int clip(const struct frame *f, const struct region *part, int *box, struct err *e)
{
    int whole[4] = {0, 0, f->width, f->height};
    memcpy(box, part ? part->at : whole, sizeof whole);
    for (int i = 0; i < 2; i++) {
        int room = whole[2 + i] - box[i];
        if (room <= 0)
            return err_set(e, "region %d,%d,%d,%d lies outside the frame of %dx%d", part->at[0], part->at[1],
                           part->at[2], part->at[3], f->width, f->height);
        box[2 + i] = box[2 + i] < room ? box[2 + i] : room;
    }
    return 0;
}

/* Say where a digit was, in the frame that box is a part of; d NULL: that there is none. many: say its place in
 * reading order, and whether it is something else. */
static int set_place(struct job *j, bool many, const struct ink_digit *d, const int *box)
{
    char text[64], sign[2] = {d ? ink_sign(d->class) : '\0'};
    const char *mark = !many || !d || d->class < INK_SIGN ? NULL : *sign ? "sign" : "other";
    if (d)
        snprintf(text, sizeof text, "%d,%d,%d,%d", d->x + box[0], d->y + box[1], d->w, d->h);
    if (frame_set_fact(&j->out, "box", d ? text : NULL, &j->e) || frame_set_fact(&j->out, "mark", mark, &j->e) ||
        frame_set_fact(&j->out, "sign", mark && *sign ? sign : NULL, &j->e))
        return -1;
    if (!many)
        return 0;
    bool failed = frame_set_number(&j->out, "line", d ? d->line : -1, &j->e) ||
                  frame_set_number(&j->out, "word", d ? d->word : -1, &j->e);
    return failed ? -1 : 0;
}

/* Append a digit (NULL: none, an all-zero frame) to what the job puts out; field: NULL, or the one that it is
 * in that place of (below 0: in none, as a sign is). */
static int put(struct job *j, bool many, const char *field, int cell, const struct ink_digit *d, const int *box)
{
    char old[64];
    if (field && (frame_set_fact(&j->out, "field", field, &j->e) || frame_set_number(&j->out, "cell", cell, &j->e)))
        return -1;
    if (d)
        memcpy(j->out.gray, d->pixels, DIGIT_PIXELS);
    else
        memset(j->out.gray, 0, DIGIT_PIXELS);
    /* A frame that went through before keeps the box it had in its source. */
    bool again = j->in.width == DIGIT_SIDE && j->in.height == DIGIT_SIDE && d &&
                 frame_fact(&j->in, "box", old, sizeof old);
    if (!again && set_place(j, many, d, box))
        return -1;
    return frame_append(&j->wire, &j->len, &j->size, &j->out, &j->e);
}

/* Draw what the finder saw in the frame, of which it has looked at box. */
static int draw_sight(struct job *j, const struct ink *ink, const int *box)
{
    size_t pixels = (size_t)j->in.width * (size_t)j->in.height;
    if (!(j->sight = malloc(3 * pixels)))
        return err_set(&j->e, "out of memory");
    ink_draw_sight(ink, j->in.gray, j->in.width, j->in.height, box[0], box[1], j->sight);
    return 0;
}

/* Put out the digit or digits of a part of the frame. Returns 0; 1 when the part lies outside; -1. */
static int read_part(struct job *j, struct ink *ink, const struct options *o, const struct region *part)
{
    int box[4], digits = 0;
    bool named = part && part->name[0];
    struct ink_digit *digit = NULL;
    int outside = clip(&j->in, part, box, &j->e);
    if (!outside)
        digits = ink_find(ink, j->in.gray + (long)box[1] * j->in.width + box[0], j->in.width,
                          box[2], box[3], o->many || named, &digit, &j->e);
    if (digits < 0 || (o->sight >= 0 && !outside && draw_sight(j, ink, box)))
        return -1;
    j->seen = digits && !named ? ink_seen(ink) : 0;
    for (int i = 0, cell = 0; i < digits || i == 0; i++) {
        const struct ink_digit *d = i < digits ? &digit[i] : NULL;
        if (put(j, o->many || named, named ? part->name : NULL, d && ink_sign(d->class) ? -1 : cell++, d, box))
            return -1;
    }
    return outside ? 1 : 0;
}

static int read_parts(struct job *j, struct ink *ink, const struct options *o)
{
    int outside = 0;
    for (int i = 0; i < o->regions || i == 0; i++) {
        int status = read_part(j, ink, o, o->regions ? &o->region[i] : NULL);
        if (status < 0)
            return -1;
        outside |= status;
    }
    j->whole = true;
    return outside ? -1 : 0;
}

/* ---- a form ---- */

static int put_cell(struct job *j, struct easel *easel, const struct form_layout *l, const struct form_ink *ink)
{
    const struct form_cell *c = &l->cell[ink->cell];
    struct ink_digit d = {.x = ink->x, .y = ink->y, .w = ink->w, .h = ink->h, .class = -1};
    if (ink->cut)
        normalise(easel, ink->cut, ink->cut_w, ink->cut_h, d.pixels);
    return put(j, false, l->form->field[c->field].name, c->cell, ink->cut ? &d : NULL, (const int[4]){0});
}

/* Put out the cells of a sheet. A picture without one is said, and the others are done. The number of the copy
 * tells its page; without numbers pages are told by their order. */
static int read_sheet(struct job *j, const struct worker *w, const struct form_layout *l)
{
    struct form_sheet sheet;
    struct form_ink *ink;
    size_t n;
    j->whole = true;
    if (form_find_sheet(w->reader, l, j->in.gray, j->in.width, j->in.width, j->in.height, &sheet, &j->e) ||
        frame_set_number(&j->out, "page", sheet.code.copy ? (long long)sheet.code.copy : -1, &j->e))
        return -1;
    j->whole = false;
    if (form_read_cells(w->reader, l, j->in.gray, j->in.width, j->in.width, j->in.height, &sheet, &ink, &n, &j->e))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (put_cell(j, w->easel, l, &ink[i]))
            return -1;
    j->whole = true;
    return 0;
}

static void work(void *arg, int item, int thread)
{
    const struct preproc *p = arg;
    const struct worker *w = &p->worker[thread];
    struct job *j = &p->job[item];
    j->len = 0;
    j->seen = 0;
    j->whole = false;
    j->failed = frame_resize(&j->out, DIGIT_SIDE, DIGIT_SIDE, &j->e) || frame_copy_facts(&j->out, &j->in, &j->e) ||
                (p->layout ? read_sheet(j, w, p->layout) : read_parts(j, w->ink, p->o));
}

/* ---- streams ---- */

static int report(struct preproc *p, const struct err *e)
{
    p->status = tool_error(e);
    return -1;
}

/* Write the picture of what the finder saw in a frame, if there is one. */
static int show_sight(const struct preproc *p, struct job *j, struct err *e)
{
    char head[64];
    int len = snprintf(head, sizeof head, "P6\n%d %d\n255\n", j->in.width, j->in.height);
    size_t bytes = 3 * (size_t)j->in.width * (size_t)j->in.height;
    int failed = j->sight && (write_all(p->o->sight, head, (size_t)len) || write_all(p->o->sight, j->sight, bytes));
    free(j->sight);
    j->sight = NULL;
    return failed ? err_errno(e, "the picture of what was seen") : 0;
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
            return report(p, &e);
        }
        if (show_sight(p, j, &e))
            return report(p, &e);
        if (j->failed) {
            err_at(&j->e, name, -1);
            report(p, &j->e);
        }
        if (!j->whole) /* what came after it would be out of step */
            return -1;
        if (j->seen > 1 && !p->o->many && !p->told) {
            tool_warn("%s: several digits in a frame: the most prominent is taken; -m reads all", name);
            p->told = true;
        }
        if (i >= p->o->threads && j->in.gray_size > MAX_SMALL)
            frame_free(&j->in);
    }
    return 0;
}

/* Note where the frame is from, for those after us, unless it says so itself. */
static int note_source(struct frame_reader *r, struct job *j)
{
    char text[FRAME_SOURCE];
    const char *source = frame_source(r, &j->in, text, sizeof text);
    long long number = frame_number(r, &j->in);
    if (source != text)
        snprintf(text, sizeof text, "%s", source);
    j->e = (struct err)ERR_NONE;
    j->e.frame = number;
    return frame_set_fact(&j->in, "source", text, &j->e) || frame_set_number(&j->in, "frame", number, &j->e) ? -1 : 0;
}

/* Read and work until the stream ends, or cannot be gone on with. */
static void read_all(struct preproc *p, struct frame_reader *r)
{
    struct err e = ERR_NONE;
    const char *name = frame_stream_name(r);
    bool live = false;
    int waiting = 0, got;
    while ((got = frame_read(r, &p->job[waiting].in, &e)) > 0) {
        struct job *j = &p->job[waiting];
        tool_note_clipping(r);
        if (note_source(r, j)) {
            report(p, &j->e);
            return;
        }
        waiting++;
        if (!live && (live = pipe_is_live(frame_fd(r))))
            pipe_shrink(STDOUT_FILENO);
        bool enough = waiting == p->jobs || (waiting > p->o->threads && j->in.gray_size > MAX_SMALL);
        if (!enough && !frame_would_block(r))
            continue;
        if (flush(p, waiting, name))
            return;
        waiting = 0;
        if (live)
            pipe_wait_taken(STDOUT_FILENO);
    }
    if (!flush(p, waiting, name) && got < 0)
        report(p, &e);
}

static void read_stream(struct preproc *p, const char *name)
{
    struct err e = ERR_NONE;
    bool apart = !file_not_written(name, STDOUT_FILENO, &e);
    struct frame_reader *r = apart ? frame_open(name, &e) : NULL;
    if (r)
        read_all(p, r);
    else
        report(p, &e);
    frame_close(r);
}

static int run(const struct options *o, char **file, const struct form_layout *layout)
{
    struct err e = ERR_NONE;
    struct preproc p = {.o = o, .layout = layout};
    if (preproc_init(&p, &e))
        report(&p, &e);
    else
        do
            read_stream(&p, *file);
        while (!p.closed && *file && *++file);
    preproc_free(&p);
    return p.status;
}

int main(int argc, char **argv)
{
    static char *input[] = {NULL, NULL};
    struct err e = ERR_NONE;
    tool_init("preproc", usage);
    /* The plans of tiles take turns: what is freed goes back, or glibc would hold twice their memory. */
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
    struct options o = parse(argc, argv);
    char **file = optind < argc ? argv + optind : input;
    char refiner[PATH_MAX] = "-", turner[PATH_MAX] = "-";
    if (o.finder) {
        ink_file_beside(o.finder, INK_REFINER, refiner, sizeof refiner);
        ink_file_beside(o.finder, INK_TURNER, turner, sizeof turner);
    }
    const char *const own[] = {o.form ? o.form : o.finder, refiner, turner};
    tool_drop_privileges((struct privilege){.file = own, .files = 3}, argv + optind, (size_t)(argc - optind));
    struct form *form = o.form ? form_load(o.form, &e) : NULL; /* what it says of lists is not looked at */
    struct form_layout layout = {0};
    int status = o.form && (!form || form_lay_out(form, &layout, &e)) ? tool_error(&e)
                                                                      : run(&o, file, form ? &layout : NULL);
    form_layout_free(&layout);
    form_free(form);
    free(o.region);
    return tool_close(status);
}
