/* preproc: frames of any size -> 28x28 frames as MNIST makes them.
 * Frames are read until the input pauses or each thread has its share; lib/ink finds the digits of them
 * all at once, or lib/form the cells of a form; what comes out of them is written in order. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer/answer.h"
#include "base/files.h"
#include "base/privilege.h"
#include "base/threads.h"
#include "form/form.h"
#include "ink/ink.h"
#include "tool.h"

static const char usage[] =
    "usage: preproc [-m] [-F old|new] [-M model] [-x file] [-j threads]\n"
    "               [-f form | -r [name=]x,y,w,h ...] [file ...]\n"
    "Find the handwritten digit in each frame, cut it out and make it 28x28 as MNIST does.\n"
    "  -F old|new   find digits by thresholds (old, the default) or by a network (new)\n"
    "  -f form      the boxes of a printed form, see form(5), on a scan or photo of it\n"
    "  -j threads   work on as many frames at once (1)\n"
    "  -M model     the network that finds digits (find.onnx); means -F new\n"
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
    const char *finder; /* the ONNX file of the network to find digits with; NULL: by thresholds */
    int sight;     /* the file for pictures of what the finder saw; -1: none */
};

/* The finder's network where none is named: the one that is installed. */
static const char *find_finder(void)
{
    static char found[PATH_MAX];
    if (model_find("find.onnx", found, sizeof found))
        return found;
    tool_warn("no finder: name one with -M; neither " PREFIX
              "/share/inkpipe/find.onnx nor the tree's models/find.onnx is there");
    exit(EXIT_FAILED);
}

static int open_sight(const char *name)
{
    struct err e = ERR_NONE;
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0)
        return fd;
    err_errno(&e, "%s: cannot be written", name);
    exit(tool_error(&e));
}

/* "x,y,w,h" or "name=x,y,w,h". */
static void add_region(struct options *o, const char *text)
{
    size_t len = strcspn(text, "=");
    struct region *region = realloc(o->region, ((size_t)o->regions + 1) * sizeof *region);
    if (!region)
        tool_usage("out of memory");
    o->region = region;
    region += o->regions++;
    *region = (struct region){.name = ""};
    if (text[len]) {
        bool good = len > 0 && len < sizeof region->name;
        for (size_t i = 0; i < len; i++)
            good = good && fact_key_byte((unsigned char)text[i]);
        if (!good)
            tool_usage("-r %s: a field's name is up to %d letters, digits, '_', '-' and '.'", text, FORM_NAME - 1);
        memcpy(region->name, text, len);
        text += len + 1;
    }
    tool_box('r', text, region->at);
    if (o->regions > 1 && (!region->name[0] || !o->region[0].name[0]))
        tool_usage("-r more than once: each region needs a name, -r name=x,y,w,h");
}

static struct options parse(int argc, char **argv)
{
    bool by_network = false;
    struct options o = {.threads = 1, .sight = -1};
    for (int c; (c = getopt(argc, argv, "F:f:hj:M:mr:Vx:")) != -1;)
        switch (c) {
        case 'F':
            by_network = !strcmp(optarg, "new");
            if (!by_network && strcmp(optarg, "old"))
                tool_usage("-F %s: old or new", optarg);
            break;
        case 'f': o.form = optarg; break;
        case 'h': tool_help();
        case 'j': o.threads = (int)tool_int(c, optarg, 1, 256); break;
        case 'M': o.finder = optarg; break;
        case 'm': o.many = true; break;
        case 'r': add_region(&o, optarg); break;
        case 'V': tool_version();
        case 'x': o.sight = open_sight(optarg); break;
        default: tool_usage(NULL);
        }
    if (by_network && !o.finder)
        o.finder = find_finder();
    if (o.sight >= 0 && !o.finder)
        tool_usage("-x shows what the network saw: with -F new");
    if (o.form && (o.regions || o.many))
        tool_usage("-f tells where to look: it goes neither with -r nor with -m");
    if (o.form && !strcmp(o.form, "-") && optind == argc)
        tool_usage("form and frames cannot both come from standard input");
    return o;
}

enum { JOBS_PER_THREAD = 4 };

/* Pixels of a frame of which more than one a thread may wait: of larger ones so many are held at once as
 * there are threads, and one more. */
enum { MAX_SMALL = 1 << 20 };

/* A frame on its way through. */
struct job {
    struct frame in, out;
    struct ink *ink;
    struct form_reader *reader; /* NULL: no form */
    struct easel *easel;        /* likewise */
    char *wire; /* what comes out, as it stands on the wire */
    size_t len, size;
    int seen;
    bool failed, whole; /* whole: all that comes out of it is there, even if it failed */
    struct err e;
};

struct preproc {
    const struct options *o;
    const struct form_layout *layout; /* NULL: no form */
    struct threads *threads;
    struct ink_finder *finder; /* or NULL */
    struct job *job;
    int jobs;
    int status;  /* EXIT_FAILED: something was wrong, and was reported */
    bool told;   /* that there are more digits than are taken */
    bool closed; /* nothing more can be written */
};

static int job_init(struct job *j, const struct ink_finder *finder, bool form, struct err *e)
{
    if (!(j->ink = ink_new(finder, e)))
        return -1;
    if (!form)
        return 0;
    j->easel = malloc(sizeof *j->easel);
    j->reader = form_reader_new(e);
    return j->reader && j->easel ? 0 : err_set(e, "out of memory");
}

static int preproc_init(struct preproc *p, const struct options *o, const struct form_layout *layout, struct err *e)
{
    int jobs = o->threads == 1 ? 1 : JOBS_PER_THREAD * o->threads;
    *p = (struct preproc){.o = o, .layout = layout};
    if (!(p->job = calloc((size_t)jobs, sizeof *p->job)))
        return err_set(e, "out of memory");
    if (!(p->threads = threads_new(o->threads, e)))
        return -1;
    if (o->finder && !(p->finder = ink_finder_load(o->finder, e)))
        return -1;
    while (p->jobs < jobs)
        if (job_init(&p->job[p->jobs++], p->finder, layout != NULL, e))
            return -1;
    return 0;
}

static void preproc_free(struct preproc *p)
{
    for (int i = 0; i < p->jobs; i++) {
        frame_free(&p->job[i].in);
        frame_free(&p->job[i].out);
        ink_free(p->job[i].ink);
        form_reader_free(p->job[i].reader);
        free(p->job[i].easel);
        free(p->job[i].wire);
    }
    free(p->job);
    ink_finder_free(p->finder);
    threads_free(p->threads);
}

/* ---- one frame ---- */

/* The part of the frame to look at (NULL: all of it): box[] = x, y, w, h. Returns -1 when it lies outside. */
static int clip(const struct frame *f, const struct region *part, int *box, struct err *e)
{
    int whole[4] = {0, 0, f->width, f->height};
    memcpy(box, whole, sizeof whole);
    if (!part)
        return 0;
    const int *region = part->at;
    for (int i = 0; i < 2; i++) {
        int room = whole[2 + i] - region[i];
        if (room <= 0)
            return err_set(e, "region %d,%d,%d,%d lies outside the frame of %dx%d", region[0],
                           region[1], region[2], region[3], f->width, f->height);
        box[i] = region[i];
        box[2 + i] = region[2 + i] < room ? region[2 + i] : room;
    }
    return 0;
}

/* Say where a digit was, in the frame that box is a part of; d NULL: that there is none. */
static int set_place(struct job *j, bool many, const struct ink_digit *d, const int *box)
{
    char text[64] = "", line[16] = "", word[16] = "", sign[2] = {d ? ink_sign(d->class) : '\0'};
    if (d) {
        snprintf(text, sizeof text, "%d,%d,%d,%d", d->x + box[0], d->y + box[1], d->w, d->h);
        snprintf(line, sizeof line, "%d", d->line);
        snprintf(word, sizeof word, "%d", d->word);
    }
    const char *mark = !many || !d || d->class < INK_SIGN ? NULL : *sign ? "sign" : "other";
    if (frame_set_fact(&j->out, "box", d ? text : NULL, &j->e) ||
        frame_set_fact(&j->out, "mark", mark, &j->e) ||
        frame_set_fact(&j->out, "sign", mark && *sign ? sign : NULL, &j->e))
        return -1;
    return many && (frame_set_fact(&j->out, "line", d ? line : NULL, &j->e) ||
                    frame_set_fact(&j->out, "word", d ? word : NULL, &j->e))
               ? -1
               : 0;
}

/* Append a digit (NULL: none, an all-zero frame) to what the job puts out. */
static int put(struct job *j, bool many, const struct ink_digit *d, const int *box)
{
    char old[64];
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

/* Say which field and place the frame that is put out next belongs to. */
static int set_cell(struct job *j, const char *field, int cell)
{
    char text[16];
    snprintf(text, sizeof text, "%d", cell);
    return frame_set_fact(&j->out, "field", field, &j->e) || frame_set_fact(&j->out, "cell", text, &j->e) ? -1 : 0;
}

/* Put out the digit or digits of a part of the frame. Returns 0; 1 when the part lies outside; -1. */
static int read_part(struct job *j, const struct options *o, const struct region *part)
{
    int box[4], digits = 0;
    bool named = part && part->name[0];
    struct ink_digit *digit = NULL;
    int outside = clip(&j->in, part, box, &j->e);
    if (!outside)
        digits = ink_find(j->ink, j->in.gray + (long)box[1] * j->in.width + box[0], j->in.width,
                          box[2], box[3], o->many || named, &digit, &j->e);
    if (digits < 0)
        return -1;
    j->seen = digits && !named ? ink_seen(j->ink) : 0;
    for (int i = 0; i < digits || i == 0; i++)
        if ((named && set_cell(j, part->name, i)) || put(j, o->many, i < digits ? &digit[i] : NULL, box))
            return -1;
    return outside ? 1 : 0;
}

static int read_parts(struct job *j, const struct options *o)
{
    int outside = 0;
    for (int i = 0; i < o->regions || i == 0; i++) {
        int status = read_part(j, o, o->regions ? &o->region[i] : NULL);
        if (status < 0)
            return -1;
        outside |= status;
    }
    j->whole = true;
    return outside ? -1 : 0;
}

/* ---- a form ---- */

/* The number of the copy, which is what tells its page; without numbers pages are told by their order. */
static int set_page(struct job *j, const struct form_code *code)
{
    char text[16];
    snprintf(text, sizeof text, "%u", code->copy);
    return frame_set_fact(&j->out, "page", code->copy ? text : NULL, &j->e);
}

static int put_cell(struct job *j, const struct form_layout *l, const struct form_ink *ink)
{
    const struct form_cell *c = &l->cell[ink->cell];
    struct ink_digit d = {.x = ink->x, .y = ink->y, .w = ink->w, .h = ink->h, .class = -1};
    if (ink->cut)
        normalise(j->easel, ink->cut, ink->cut_w, ink->cut_h, d.pixels);
    if (set_cell(j, l->form->field[c->field].name, c->cell))
        return -1;
    return put(j, false, ink->cut ? &d : NULL, (const int[4]){0});
}

/* Put out the cells of a sheet. A picture without one is said, and the others are done. */
static int read_sheet(struct job *j, const struct form_layout *l)
{
    struct form_sheet sheet;
    struct form_ink *ink;
    size_t n;
    j->whole = true;
    if (form_find_sheet(j->reader, l, j->in.gray, j->in.width, j->in.width, j->in.height, &sheet, &j->e) ||
        set_page(j, &sheet.code))
        return -1;
    j->whole = false;
    if (form_read_cells(j->reader, l, j->in.gray, j->in.width, j->in.width, j->in.height, &sheet, &ink, &n, &j->e))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (put_cell(j, l, &ink[i]))
            return -1;
    j->whole = true;
    return 0;
}

static int work_on(struct job *j, const struct preproc *p)
{
    j->whole = false;
    j->seen = 0;
    if (frame_resize(&j->out, DIGIT_SIDE, DIGIT_SIDE, &j->e) ||
        frame_copy_facts(&j->out, &j->in, &j->e))
        return -1;
    return p->layout ? read_sheet(j, p->layout) : read_parts(j, p->o);
}

static void work(void *arg, int item, int thread)
{
    (void)thread;
    struct preproc *p = arg;
    struct job *j = &p->job[item];
    j->len = 0;
    j->failed = work_on(j, p) < 0;
}

/* ---- streams ---- */

static int report(struct preproc *p, const struct err *e)
{
    p->status = tool_error(e);
    return -1;
}

/* Say once that there was more to be had. */
static void tell_more(struct preproc *p, const char *name)
{
    if (!p->told)
        tool_warn("%s: several digits in a frame: the most prominent is taken; -m reads all", name);
    p->told = true;
}

/* Write a picture of what the finder saw in a frame. */
static int show_sight(const struct preproc *p, const struct job *j, struct err *e)
{
    char head[64];
    int box[4], w = j->in.width, h = j->in.height;
    int len = snprintf(head, sizeof head, "P6\n%d %d\n255\n", w, h);
    size_t size = 3 * (size_t)w * (size_t)h;
    struct err outside = ERR_NONE;
    if (clip(&j->in, p->o->regions ? p->o->region : NULL, box, &outside))
        return 0;
    uint8_t *rgb = malloc(size);
    if (!rgb)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < size / 3; i++)
        memset(rgb + 3 * i, j->in.gray[i], 3);
    ink_draw_sight(j->ink, box[0], box[1], rgb, w, h);
    int failed = write_all(p->o->sight, head, (size_t)len) || write_all(p->o->sight, rgb, size);
    free(rgb);
    return failed ? err_errno(e, "the picture of what was seen") : 0;
}

static bool is_large(const struct job *j)
{
    return j->in.gray_size > MAX_SMALL;
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
        if (p->o->sight >= 0 && show_sight(p, j, &e))
            return report(p, &e);
        if (j->failed) {
            err_at(&j->e, name, -1);
            report(p, &j->e);
        }
        if (!j->whole) /* what came after it would be out of step */
            return -1;
        if (j->seen > 1 && !p->o->many)
            tell_more(p, name);
        if (i >= p->o->threads && is_large(j))
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
    if (frame_set_fact(&j->in, "source", text, &j->e))
        return -1;
    snprintf(text, sizeof text, "%lld", number);
    return frame_set_fact(&j->in, "frame", text, &j->e);
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
        bool enough = waiting == p->jobs || (waiting > p->o->threads && is_large(j));
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

/* Models and frames are from strangers: from here on nothing but them is opened. */
static void drop_privileges(const struct options *o, char **files, int n)
{
    const char **file = calloc((size_t)n + 1, sizeof *file);
    struct err e = ERR_NONE;
    if (!file) {
        err_set(&e, "out of memory");
        exit(tool_error(&e));
    }
    for (int i = 0; i < n; i++)
        file[i] = files[i];
    if (o->finder)
        file[n++] = o->finder;
    privilege_drop(&(struct privilege){.file = file, .files = (size_t)n});
    free(file);
}

static int run(const struct options *o, char **file, const struct form_layout *layout)
{
    struct err e = ERR_NONE;
    struct preproc p;
    if (preproc_init(&p, o, layout, &e))
        report(&p, &e);
    else
        do
            read_stream(&p, *file);
        while (!p.closed && *file && *++file);
    preproc_free(&p);
    return p.status;
}

/* The form is the user's own; what it says of lists is not looked at. */
static int run_form(const struct options *o, char **file, const struct form *form)
{
    struct err e = ERR_NONE;
    struct form_layout layout;
    if (form_lay_out(form, &layout, &e))
        return tool_error(&e);
    int status = run(o, file, &layout);
    form_layout_free(&layout);
    return status;
}

int main(int argc, char **argv)
{
    static char *input[] = {NULL, NULL};
    struct err e = ERR_NONE;
    tool_init("preproc", usage);
    struct options o = parse(argc, argv);
    char **file = optind < argc ? argv + optind : input;
    struct form *form = o.form ? form_load(o.form, &e) : NULL;
    if (o.form && !form)
        return tool_error(&e);
    drop_privileges(&o, argv + optind, argc - optind);
    int status = o.form ? run_form(&o, file, form) : run(&o, file, NULL);
    form_free(form);
    free(o.region);
    return tool_close(status);
}
