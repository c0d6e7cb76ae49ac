/* cnn-predict: frames in, one answer line each out. */
#include <ctype.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "batch.h"
#include "clock.h"
#include "evaluate.h"
#include "frame.h"
#include "model.h"
#include "privilege.h"
#include "tool.h"

static const char usage[] =
    "usage: cnn-predict [-1ehVw] [-j threads] [-k n] [-m model]... [-o format]\n"
    "                   [-S scale[,mean,std]] [-s seconds] [-t p] [file ...]\n"
    "  -1          print the first digit and end\n"
    "  -e          print how right the answers to labelled frames are, not them\n"
    "  -h          this help\n"
    "  -j threads  work on so many threads (1)\n"
    "  -k n        add the n digits that came next, as digit:probability\n"
    "  -m model    ONNX file; several vote (INKPIPE_MODEL, else the model installed)\n"
    "  -o format   text (digit, probability, source, frame, box) or json\n"
    "  -S scale[,mean,std]  input is (pixel * scale - mean) / std, as in -S 1/255\n"
    "  -s seconds  live: print what has held so long, and again when it changes\n"
    "  -t p        an answer less probable than p is none\n"
    "  -V          version and kernels\n"
    "  -w          join the digits of preproc -m into numbers\n"
    "No answers (-)? Frames must come from preproc, whose digits are light on black,\n"
    "20x20 in the middle of 28x28. Look at what it puts out: is the ink dark enough,\n"
    "the picture sharp, the digit whole? Is -t too high?\n"
    "example: camgrab photo.jpg | preproc | cnn-predict\n";

enum { BATCH = 128, WORD_PAUSE = 100 /* ms without a frame end a word */ };

struct options {
    bool first, evaluate, json, join, steady, rescale;
    int threads, runners, models;
    double hold, threshold;
    struct scaling scaling;
    const char *model[MODEL_MAX_VOTES];
};

struct predict {
    struct options o;
    struct threads *threads;
    struct model *model;
    struct batch batch;
    int limit; /* so many frames are answered together: grows, so that the first is not late */
    bool live; /* the frames say the time */
    bool done; /* nothing more is to be printed */
    long frames, digits;
    bool doubted; /* warned of a frame that preproc did not make */
    struct steady steady;
    struct words words;
    struct evaluation evaluation;
};

static void check_options(const struct options *o)
{
    if (o->evaluate && (o->first || o->json || o->join || o->steady || o->runners))
        tool_usage("-e prints a report, not answers: -1, -k, -o, -s and -w mean nothing with it");
    if (o->join && (o->steady || o->runners))
        tool_usage("-w prints numbers: -k and -s mean nothing with it");
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.threads = 1};
    for (int c; (c = getopt(argc, argv, "1ehj:k:m:o:S:s:t:Vw")) != -1;) {
        switch (c) {
        case '1': o.first = true; break;
        case 'e': o.evaluate = true; break;
        case 'h': tool_help();
        case 'j': o.threads = (int)tool_int(c, optarg, 1, 1024); break;
        case 'k': o.runners = (int)tool_int(c, optarg, 0, ANSWER_MAX_CLASSES); break;
        case 'm':
            if (o.models == MODEL_MAX_VOTES)
                tool_usage("-m: at most %d models can vote", MODEL_MAX_VOTES);
            o.model[o.models++] = optarg;
            break;
        case 'o':
            o.json = !strcmp(optarg, "json");
            if (!o.json && strcmp(optarg, "text"))
                tool_usage("-o %s: not text or json", optarg);
            break;
        case 'S':
            o.rescale = true;
            if (!scaling_parse(optarg, &o.scaling))
                tool_usage("-S %s: not scale[,mean,std], as in 1/255,0.1307,0.3081", optarg);
            break;
        case 's': o.steady = true; o.hold = tool_real(c, optarg, 0, 1e6); break;
        case 't': o.threshold = tool_real(c, optarg, 0, 1); break;
        case 'V': tool_version();
        case 'w': o.join = true; break;
        default: tool_usage(NULL);
        }
    }
    check_options(&o);
    return o;
}

/* ---- answers out ---- */

static void print(struct predict *p, const struct answer *a)
{
    char line[ANSWER_LINE];
    bool given = answer_given(a);
    if (p->done || (p->o.first && !given))
        return;
    size_t len = p->o.json ? answer_json(a, line) : answer_text(a, p->o.runners, line);
    fwrite(line, 1, len, stdout);
    p->digits += given;
    p->done = p->o.first || ferror(stdout);
}

static void count(struct predict *p, const struct answer *a)
{
    bool digit = isdigit((unsigned char)a->label[0]);
    evaluation_add(&p->evaluation, digit ? a->label[0] - '0' : EVALUATE_NONE,
                   answer_given(a) ? a->digit[0] - '0' : EVALUATE_NONE, a->probability);
    p->digits += answer_given(a) || !digit;
}

static void give(struct predict *p, const struct batch_slot *s)
{
    struct answer word;
    if (p->o.evaluate) {
        count(p, &s->answer);
    } else if (p->o.join) {
        if (words_add(&p->words, &s->answer, s->line, s->word, &word))
            print(p, &word);
    } else if (!p->o.steady || steady_pass(&p->steady, &s->answer, s->time >= 0 ? s->time : clock_now())) {
        print(p, &s->answer);
    }
}

/* Answer all that wait. */
static void answer(struct predict *p)
{
    batch_answer(&p->batch, p->o.join ? 0 : p->o.threshold); /* numbers are refused as a whole */
    for (int i = 0; i < p->batch.waiting; i++)
        give(p, &p->batch.slot[i]);
    batch_clear(&p->batch);
    p->done |= fflush(stdout) != 0;
}

static void end_word(struct predict *p)
{
    struct answer word;
    if (words_end(&p->words, &word))
        print(p, &word);
    p->done |= fflush(stdout) != 0;
}

/* ---- frames in ---- */

static const char *stream_name(const struct frame_reader *r)
{
    const char *name = frame_stream_name(r);
    return strcmp(name, "-") ? name : "standard input";
}

static void add(struct predict *p, struct frame_reader *r, const struct frame *f)
{
    const struct batch_slot *s = batch_add(&p->batch, r, f);
    p->frames++;
    if (s->time >= 0 && !p->live) {
        p->live = true;
        pipe_shrink(STDOUT_FILENO);
    }
}

static void warn(struct predict *p, struct frame_reader *r, const struct frame *f)
{
    tool_note_clipping(r);
    enum model_doubt doubt = p->doubted ? DOUBT_NONE : model_doubt(f->gray, f->width, f->height);
    if (doubt != DOUBT_NONE) {
        p->doubted = true;
        tool_warn("%s: frame %lld: %s: was it made by preproc? The digit should be light on "
                  "black, in the middle, in a box of %dx%d", stream_name(r),
                  frame_number(r, f),
                  doubt == DOUBT_PAPER ? "the border is bright, as paper is"
                                       : "the ink runs into the edge",
                  p->model->width * 20 / 28, p->model->height * 20 / 28);
    }
}

static int check_frame(struct predict *p, struct frame_reader *r, const struct frame *f,
                       struct err *e)
{
    int status = 0;
    if (f->width != p->model->width || f->height != p->model->height)
        status = err_set(e, "%dx%d pixels, but the model reads %dx%d: put preproc before "
                         "cnn-predict", f->width, f->height, p->model->width, p->model->height);
    else if (p->o.evaluate && frame_label(f) == -1)
        status = err_set(e, "no label to compare with; a filter in between may have dropped it");
    else if (p->o.evaluate && frame_label(f) < 0)
        status = err_set(e, "the label is not a digit 0..9 or none");
    return status ? err_at(e, stream_name(r), frame_number(r, f)) : 0;
}

/* When the input pauses, all that can be said is said before it is waited for. */
static void pause_input(struct predict *p, struct frame_reader *r)
{
    struct pollfd input = {.fd = frame_fd(r), .events = POLLIN};
    if (p->words.open && poll(&input, 1, WORD_PAUSE) == 0)
        end_word(p);
}

/* While a slow reader has not taken the last answer, newer pictures take the place of what waits:
 * of a live stream the newest wins. Numbers are not taken apart. Returns as frame_read. */
static int stay_fresh(struct predict *p, struct frame_reader *r, struct frame *f, struct err *e)
{
    int got = 1;
    while (got > 0 && !p->o.join && pipe_is_live(frame_fd(r)) && pipe_holds(STDOUT_FILENO)) {
        struct pollfd input = {.fd = frame_fd(r), .events = POLLIN};
        if (frame_would_block(r)) {
            poll(&input, 1, 2);
            continue;
        }
        got = frame_read(r, f, e);
        if (got > 0 && check_frame(p, r, f, e))
            got = -1;
        if (got <= 0)
            break;
        const struct answer *last = &p->batch.slot[0].answer;
        if (p->batch.waiting == p->limit ||
            (p->batch.waiting && last->frame != frame_number(r, f)))
            batch_clear(&p->batch);
        add(p, r, f);
        warn(p, r, f);
    }
    return got;
}

static int read_stream(struct predict *p, const char *name)
{
    struct err e = ERR_NONE;
    struct frame f = {0};
    struct frame_reader *r = frame_open(name, &e);
    if (!r)
        return tool_error(&e);
    long before = p->frames;
    int got = 0;
    while (!p->done && (got = frame_read(r, &f, &e)) > 0 && !(got = check_frame(p, r, &f, &e))) {
        add(p, r, &f);
        warn(p, r, &f);
        bool pause = frame_would_block(r);
        if (!pause && p->batch.waiting < p->limit)
            continue;
        answer(p);
        p->limit = p->limit < BATCH ? 2 * p->limit : BATCH;
        if (pause)
            pause_input(p, r);
        int more = 1;
        while (p->live && (more = stay_fresh(p, r, &f, &e)) > 0 && p->batch.waiting)
            answer(p);
        if (more <= 0) {
            got = more;
            break;
        }
        if (p->live && pipe_wait_taken(STDOUT_FILENO))
            p->limit = 1; /* a slow reader: more would be old when it comes to them */
    }
    answer(p);
    end_word(p);
    if (got == 0 && p->frames == before && !p->done) {
        got = err_set(&e, "no frames");
        err_at(&e, stream_name(r), -1);
    }
    frame_free(&f);
    frame_close(r);
    return got < 0 ? tool_error(&e) : EXIT_OK;
}

/* ---- start and end ---- */

/* The model to use when none is named. */
static int find_model(struct options *o)
{
    static char found[PATH_MAX];
    if (o->models)
        return EXIT_OK;
    const char *named = getenv("INKPIPE_MODEL");
    bool use = named && *named;
    if (!use && !model_find(found, sizeof found)) {
        tool_warn("no model: name one with -m or INKPIPE_MODEL; neither " PREFIX
                  "/share/inkpipe/default.onnx nor the tree's models/default.onnx is there");
        return EXIT_FAILED;
    }
    o->model[o->models++] = use ? named : found;
    return EXIT_OK;
}

/* Models and frames are from strangers: from here on nothing but them is opened. */
static int drop_privileges(const struct options *o, char **files, size_t n)
{
    const char **file = calloc((size_t)o->models + n, sizeof *file);
    struct err e = ERR_NONE;
    if (!file) {
        err_set(&e, "out of memory");
        return tool_error(&e);
    }
    memcpy(file, o->model, (size_t)o->models * sizeof *file);
    memcpy(file + o->models, files, n * sizeof *file);
    privilege_drop(&(struct privilege){.file = file, .files = (size_t)o->models + n});
    free(file);
    return EXIT_OK;
}

static int load_model(struct predict *p)
{
    struct err e = ERR_NONE;
    const struct options *o = &p->o;
    p->threads = threads_new(o->threads, &e);
    if (p->threads)
        p->model = model_load(o->model, o->models, o->rescale ? &o->scaling : NULL, BATCH,
                              p->threads, &e);
    if (!p->model)
        return tool_error(&e);
    if (p->model->unscaled)
        tool_warn("%s: says nothing of its input's scaling: 0..1 is used; -S sets it",
                  p->model->unscaled);
    return EXIT_OK;
}

static int start(struct predict *p, char **files, size_t n)
{
    if (find_model(&p->o) || drop_privileges(&p->o, files, n) || load_model(p))
        return EXIT_FAILED;
    struct model *m = p->model;
    for (int i = 0; p->o.evaluate && i < m->classes; i++)
        if (i != m->reject && (m->label[i][1] || m->label[i][0] < '0' || m->label[i][0] > '9')) {
            tool_warn("%s: -e needs a model of digits: it has the label %s", p->o.model[0],
                      m->label[i]);
            return EXIT_FAILED;
        }
    struct err e = ERR_NONE;
    return batch_init(&p->batch, m, &e) ? tool_error(&e) : EXIT_OK;
}

static void stop(struct predict *p)
{
    batch_free(&p->batch);
    model_free(p->model);
    threads_free(p->threads);
}

/* After the last frame: the report, and whether there was an answer at all. */
static int finish(struct predict *p, int status)
{
    char report[EVALUATE_TEXT];
    if (p->o.evaluate && p->frames) {
        size_t len = evaluation_text(&p->evaluation, report);
        fwrite(report, 1, len, stdout);
    }
    if (status != EXIT_OK || !p->frames || p->digits || ferror(stdout))
        return status;
    tool_warn("no digit in %ld frame%s: is the ink dark enough, the picture sharp, the digit "
              "whole, -t not too high? Do the frames come from preproc?",
              p->frames, p->frames == 1 ? "" : "s");
    return EXIT_NO_ANSWER;
}

int main(int argc, char **argv)
{
    tool_init("cnn-predict", usage);
    struct options o = parse(argc, argv);
    struct predict p = {.o = o, .limit = 1, .steady = {.hold = o.hold, .passed = "-"},
                        .words = {.threshold = o.threshold}};
    int status = start(&p, argv + optind, (size_t)(argc - optind));
    if (status == EXIT_OK && optind == argc)
        status = read_stream(&p, NULL);
    else if (status == EXIT_OK)
        for (int i = optind; i < argc && !p.done; i++)
            status |= read_stream(&p, argv[i]);
    status = finish(&p, status);
    stop(&p);
    return tool_close(status);
}
