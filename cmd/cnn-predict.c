/* cnn-predict: frames in, one answer line each out.
 * Frames are gathered until the input pauses or the batch is full; the model (lib/answer) answers them
 * all; answers are joined into numbers, held back until they are steady or counted, and written. */
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer/answer.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/grow.h"
#include "base/threads.h"
#include "tool.h"

static const char usage[] =
    "usage: cnn-predict [-1dehVw] [-j threads] [-k n] [-m model]... [-O output]\n"
    "           [-o format] [-S scale[,mean,std]] [-s seconds] [-t p] [file ...]\n"
    "  -1          print the first digit and end\n"
    "  -d          with -w: digits only, without the signs between them\n"
    "  -e          print how right the answers to labelled frames are, not them\n"
    "  -h          this help\n"
    "  -j threads  work on so many threads (1)\n"
    "  -k n        add the n digits that came next, as digit:probability\n"
    "  -m model    ONNX file; several vote (INKPIPE_MODEL, else the model installed)\n"
    "  -O output   the model's output of that name, where it has several\n"
    "  -o format   text (digit, probability, source, frame, box) or json\n"
    "  -S scale[,mean,std]  input is (pixel * scale - mean) / std, as in -S 1/255\n"
    "  -s seconds  live: print what has held so long, and again when it changes\n"
    "  -t p        an answer less probable than p is none\n"
    "  -V          version and kernels\n"
    "  -w          join what preproc -m found into numbers: 3.14; 26?47, one unread\n"
    "No answers (-)? Frames must come from preproc, whose digits are light on black,\n"
    "20x20 in the middle of 28x28. Look at what it puts out: is the ink dark enough,\n"
    "the picture sharp, the digit whole? Is -t too high?\n"
    "example: camgrab photo.jpg | preproc | cnn-predict\n";

enum {
    MAX_BATCH = 128, /* at most so many frames are answered together */
    WORD_PAUSE = 100 /* so many milliseconds without a frame end a number of a live stream */
};

struct options {
    bool first;       /* the first digit alone */
    bool evaluate;    /* count how right the answers are instead of writing them */
    bool json;        /* JSON Lines, not text */
    bool join;        /* digits and signs of preproc -m into numbers */
    bool digits_only; /* numbers without their signs */
    double hold;      /* an answer once it has held so many seconds; negative: at once */
    double threshold; /* an answer less probable is none */
    int runners;      /* so many of the digits that came next */
    int threads, models;
    const char *model[MODEL_MAX_VOTES];
    const char *output;     /* of the model, by its name; NULL: the one that names classes */
    struct scaling scaling; /* std 0: the model's own */
};

static void check_options(const struct options *o)
{
    if (o->evaluate && (o->first || o->json || o->join || o->hold >= 0 || o->runners))
        tool_usage("-e prints a report, not answers: -1, -k, -o, -s and -w mean nothing with it");
    if (o->join && o->runners)
        tool_usage("-w prints numbers: -k means nothing with it");
    if (o->digits_only && !o->join)
        tool_usage("-d is for numbers: it means nothing without -w");
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.threads = 1, .hold = -1};
    for (int c; (c = tool_getopt(argc, argv, "1dehj:k:m:O:o:S:s:t:Vw")) != -1;)
        switch (c) {
        case '1': o.first = true; break;
        case 'd': o.digits_only = true; break;
        case 'e': o.evaluate = true; break;
        case 'j': o.threads = (int)tool_int(c, optarg, 1, 1024); break;
        case 'k': o.runners = (int)tool_int(c, optarg, 0, LABEL_MAX_CLASSES); break;
        case 'm':
            if (o.models == MODEL_MAX_VOTES)
                tool_usage("-m: at most %d models can vote", MODEL_MAX_VOTES);
            o.model[o.models++] = optarg;
            break;
        case 'O': o.output = optarg; break;
        case 'o': o.json = tool_word(c, optarg, "text or json"); break;
        case 'S':
            if (!scaling_parse(optarg, &o.scaling))
                tool_usage("-S %s: not scale[,mean,std], as in 1/255,0.1307,0.3081", optarg);
            break;
        case 's': o.hold = tool_real(c, optarg, 0, 1e6); break;
        case 't': o.threshold = tool_real(c, optarg, 0, 1); break;
        case 'w': o.join = true; break;
        }
    check_options(&o);
    return o;
}

static struct model *load_model(const struct options *o, struct threads *t, struct err *e)
{
    const struct scaling *scaling = o->scaling.std != 0 ? &o->scaling : NULL;
    struct model *m = model_load(o->model, o->models, o->output, scaling, MAX_BATCH, t, e);
    if (m && m->unscaled)
        tool_warn("%s: says nothing of its input's scaling: 0..1 is used; -S sets it", m->unscaled);
    return m;
}

/* A frame that waits for its answer. */
struct slot {
    struct answer answer; /* source, frame, box and label from the start */
    struct standing at;   /* blank: all pixels are equal, and no model is asked */
    double time;          /* of its fact, in seconds; negative: not there */
};

/* Frames that are answered together. */
struct batch {
    int waiting, asked; /* slots in use; of them not blank */
    struct slot slot[MAX_BATCH];
    uint8_t *gray;       /* [asked][height][width] */
    double *probability; /* [asked][classes] */
};

struct predict {
    const struct options *o;
    struct model *model;
    struct relay *relay;
    char **files;
    int status;
    bool done;           /* nothing more is to be written */
    long frames, digits; /* read; answered with a digit (or, evaluating, without one to be read) */
    struct evaluation evaluation;
    struct batch batch[2]; /* one is filled while the other is on its way */
    int now;               /* the one that is filled */
    int limit;    /* so many frames are answered together: grows, so that the first is not late */
    bool live;    /* the frames say the time */
    bool doubted; /* a frame was reported */
    struct steady steady;
    double word_time; /* of the last frame of the number that is being joined, in seconds */
    struct words words;
};

/* p is all 0. */
static int predict_init(struct predict *p, const struct options *o, struct model *m, struct err *e)
{
    p->o = o;
    p->model = m;
    p->limit = 1;
    p->steady = (struct steady){.hold = o->hold, .passed = "-"};
    p->words.threshold = o->threshold;
    p->words.digits_only = o->digits_only;
    for (int i = 0; i < 2; i++) {
        struct batch *b = &p->batch[i];
        b->gray = zeroed((size_t)m->batch, (size_t)m->width * (size_t)m->height, e);
        b->probability = b->gray ? zeroed((size_t)m->batch, (size_t)m->classes * sizeof *b->probability, e) : NULL;
        if (!b->probability)
            return -1;
    }
    if (!(p->relay = relay_new(m, e)))
        return -1;
    return o->evaluate ? evaluation_of_model(&p->evaluation, m, e) : 0;
}

/* ---- answers out ---- */

/* Print an answer, which may be that of a word. */
static void print(struct predict *p, const struct answer *a, const struct word *word)
{
    static char line[WORD_LINE]; /* large */
    bool given = answer_given(a);
    if (p->done || (p->o->first && !given))
        return;
    size_t len = !p->o->json ? answer_text(a, p->o->runners, line)
                 : word      ? word_json(word, line)
                             : answer_json(a, line);
    fwrite(line, 1, len, stdout);
    p->digits += given;
    p->done = p->o->first || ferror(stdout);
}

static void count(struct predict *p, const struct answer *a)
{
    struct evaluation *v = &p->evaluation;
    int truth = evaluation_class(v, a->label);
    evaluation_add(v, truth, evaluation_class(v, a->digit), a->probability);
    p->digits += answer_given(a) || truth == v->classes;
}

/* Print an answer, or with -s note it and print it when it has held. */
static void say(struct predict *p, const struct answer *a, const struct word *word, double time)
{
    if (p->o->hold < 0 || steady_pass(&p->steady, a, time))
        print(p, a, word);
}

static void say_word(struct predict *p, const struct word *word)
{
    if (word)
        say(p, &word->answer, word, p->word_time);
}

static void give(struct predict *p, const struct slot *s)
{
    double time = s->time >= 0 ? s->time : clock_now();
    if (p->o->evaluate) {
        count(p, &s->answer);
    } else if (p->o->join) {
        say_word(p, words_add(&p->words, &s->answer, &s->at));
        p->word_time = time;
    } else {
        say(p, &s->answer, NULL, time);
    }
}

/* Wait for a batch's answers, where it has frames, and give them. */
static void finish_batch(struct predict *p, int batch)
{
    const struct model *m = p->model;
    struct batch *b = &p->batch[batch];
    double threshold = p->o->join ? 0 : p->o->threshold; /* numbers are refused as a whole */
    const double *probability = b->probability;
    relay_wait(p->relay, batch);
    for (int i = 0; i < b->waiting; i++) {
        struct slot *s = &b->slot[i];
        if (s->at.mark != MARK_BLANK) {
            answer_decide(&s->answer, m->labels.of, m->classes, m->reject, probability, threshold);
            answer_heed_mark(&s->answer, s->at.mark);
            probability += m->classes;
        }
        give(p, s);
    }
    b->waiting = b->asked = 0;
    p->done |= fflush(stdout) != 0;
}

/* Send all that wait to the model and answer the batch before; where no more come at once, these, too. */
static void answer(struct predict *p, bool more)
{
    int now = p->now;
    relay_send(p->relay, now, p->batch[now].gray, p->batch[now].asked, p->batch[now].probability);
    p->now = !now;
    finish_batch(p, !now);
    if (!more)
        finish_batch(p, now);
}

static void end_word(struct predict *p)
{
    say_word(p, words_end(&p->words));
    p->done |= fflush(stdout) != 0;
}

/* ---- frames in ---- */

static char mark_of(const struct frame *f)
{
    char mark[8], sign[4];
    if (!memcmp(f->gray, f->gray + 1, (size_t)f->width * (size_t)f->height - 1))
        return MARK_BLANK;
    return mark_of_facts(frame_fact(f, "mark", mark, sizeof mark), frame_fact(f, "sign", sign, sizeof sign));
}

/* Note what the frame's facts say; those that are malformed count as not there. */
static void slot_fill(struct slot *s, const struct frame_reader *r, const struct frame *f)
{
    char text[ANSWER_SOURCE];
    answer_clear(&s->answer);
    answer_set_source(&s->answer, frame_source(r, f, text, sizeof text));
    s->answer.frame = frame_number(r, f);
    if (frame_fact(f, "box", text, sizeof text))
        answer_parse_box(text, s->answer.box);
    if (frame_label(f, text) > 0)
        strcpy(s->answer.label, text);
    frame_fact(f, "field", s->answer.field, sizeof s->answer.field);
    frame_fact(f, "page", s->answer.page, sizeof s->answer.page);
    long cell = frame_whole_fact(f, "cell");
    s->answer.cell = cell <= INT_MAX ? (int)cell : -1;
    s->time = frame_time(f);
    s->at = (struct standing){frame_whole_fact(f, "line"), frame_whole_fact(f, "word"), mark_of(f)};
}

/* Say once that a frame does not look like one of preproc's. */
static void doubt(struct predict *p, struct frame_reader *r, const struct frame *f)
{
    enum model_doubt doubt = p->doubted ? DOUBT_NONE : model_doubt(f->gray, f->width, f->height);
    if (doubt == DOUBT_NONE)
        return;
    p->doubted = true;
    tool_warn("%s: frame %lld: %s: was it made by preproc? The digit should be light on black, in "
              "the middle, in a box of %dx%d", file_shown(frame_stream_name(r)), frame_number(r, f),
              doubt == DOUBT_PAPER ? "the border is bright, as paper is"
                                   : "the ink runs into the edge",
              f->width * 20 / 28, f->height * 20 / 28);
}

/* Add the frame last read from r, of a size that the model takes, to a batch that is not full. */
static void add(struct predict *p, struct frame_reader *r, const struct frame *f)
{
    struct batch *b = &p->batch[p->now];
    struct slot *s = &b->slot[b->waiting++];
    size_t pixels = (size_t)p->model->width * (size_t)p->model->height;
    slot_fill(s, r, f);
    if (s->at.mark != MARK_BLANK)
        model_fit(p->model, f->gray, f->width, f->height, b->gray + (size_t)b->asked++ * pixels);
    p->frames++;
    tool_note_clipping(r);
    doubt(p, r, f);
    if (s->time >= 0 && !p->live) {
        p->live = true;
        pipe_shrink(STDOUT_FILENO);
    }
}

/* Returns as frame_read; -1 also for a frame of another size or, with -e, without a label. */
static int read_frame(struct predict *p, struct frame_reader *r, struct frame *f, struct err *e)
{
    const struct model *m = p->model;
    char source[FRAME_SOURCE], label[LABEL_SIZE];
    int got = frame_read(r, f, e);
    if (got <= 0)
        return got;
    if (!model_takes(m, f->width, f->height)) {
        err_set(e, "%dx%d pixels, but the model reads %dx%d: put preproc before cnn-predict",
                f->width, f->height, m->width, m->height);
        return err_at(e, file_shown(frame_stream_name(r)), frame_number(r, f));
    }
    if (!p->o->evaluate || !evaluation_check(&p->evaluation, frame_label(f, label), label, e))
        return 1;
    frame_source(r, f, source, sizeof source);
    return err_at(e, strcmp(source, "-") ? source : file_shown(frame_stream_name(r)), frame_number(r, f));
}

/* When a live input pauses, all that can be said is said before it is waited for. What is recorded, or comes
 * over a slow link, pauses anywhere: there a word ends where the facts say so. */
static void pause_input(struct predict *p, struct frame_reader *r)
{
    struct pollfd input = {.fd = frame_fd(r), .events = POLLIN};
    if (p->words.open && pipe_is_live(input.fd) && poll(&input, 1, WORD_PAUSE) == 0)
        end_word(p);
}

/* While a slow reader has not taken the last answer, newer pictures take the place of what waits:
 * of a live stream the newest wins. Numbers are not taken apart. Returns as read_frame. */
static int stay_fresh(struct predict *p, struct frame_reader *r, struct frame *f, struct err *e)
{
    while (!p->o->join && pipe_is_live(frame_fd(r)) && pipe_holds(STDOUT_FILENO)) {
        struct pollfd input = {.fd = frame_fd(r), .events = POLLIN};
        if (frame_would_block(r)) {
            poll(&input, 1, 2);
            continue;
        }
        int got = read_frame(p, r, f, e);
        if (got <= 0)
            return got;
        struct batch *b = &p->batch[p->now];
        if (b->waiting == p->limit || (b->waiting && b->slot[0].answer.frame != frame_number(r, f)))
            b->waiting = b->asked = 0;
        add(p, r, f);
    }
    return 1;
}

/* Answer all frames of a file, until p is done; on failure, those before what is wrong. The last of a recorded
 * file may still be on their way. */
static int predict_stream(struct predict *p, const char *name, struct err *e)
{
    struct frame f = {0};
    struct frame_reader *r = NULL;
    if (file_not_written(name, STDOUT_FILENO, e) || !(r = frame_open(name, e)))
        return -1;
    long before = p->frames;
    int got = 0;
    while (!p->done && (got = read_frame(p, r, &f, e)) > 0) {
        add(p, r, &f);
        bool pause = frame_would_block(r);
        if (!pause && p->batch[p->now].waiting < p->limit)
            continue;
        answer(p, !pause && !p->live);
        p->limit = 2 * p->limit < p->model->batch ? 2 * p->limit : p->model->batch;
        if (pause)
            pause_input(p, r);
        while (p->live && (got = stay_fresh(p, r, &f, e)) > 0 && p->batch[p->now].waiting)
            answer(p, false);
        if (got <= 0)
            break;
        if (p->live && pipe_wait_taken(STDOUT_FILENO))
            p->limit = 1; /* a slow reader: more would be old when it comes to them */
    }
    answer(p, got == 0 && !p->live && !p->o->join);
    if (got >= 0)
        end_word(p);
    p->words.open = false; /* of a number that is cut off nothing is said: its part would be another */
    if (got == 0 && p->frames == before && !p->done)
        got = err_set(e, "no frames") | err_at(e, file_shown(frame_stream_name(r)), -1);
    frame_free(&f);
    frame_close(r);
    return got < 0 ? -1 : 0;
}

/* After the last frame: the report, and whether there was an answer at all. */
static int finish(const struct predict *p, int status)
{
    if (p->o->evaluate && p->frames)
        evaluation_write(&p->evaluation, stdout);
    if (status != EXIT_OK || !p->frames || p->digits || ferror(stdout))
        return status;
    tool_warn("no digit in %ld frame%s: is the ink dark enough, the picture sharp, the digit "
              "whole, -t not too high? Do the frames come from preproc?",
              p->frames, p->frames == 1 ? "" : "s");
    return EXIT_NO_ANSWER;
}

static void predict_files(void *arg)
{
    struct predict *p = arg;
    char **file = p->files;
    do {
        struct err e = ERR_NONE;
        if (!predict_stream(p, *file, &e))
            continue;
        finish_batch(p, !p->now);
        p->status = tool_error(&e);
    } while (*file && *++file && !p->done);
    finish_batch(p, !p->now);
}

static int run(struct options *o, char **files)
{
    struct err e = ERR_NONE;
    static struct predict p; /* large */
    struct threads *t = threads_new(o->threads, &e);
    struct model *m = t ? load_model(o, t, &e) : NULL;
    int status = m && !predict_init(&p, o, m, &e) ? EXIT_OK : tool_error(&e);
    if (status == EXIT_OK) {
        p.files = files;
        relay_run(p.relay, predict_files, &p);
        status = finish(&p, p.status);
    }
    for (int i = 0; i < 2; i++) {
        free(p.batch[i].gray);
        free(p.batch[i].probability);
    }
    relay_free(p.relay);
    evaluation_free(&p.evaluation);
    model_free(m);
    threads_free(t);
    return status;
}

int main(int argc, char **argv)
{
    tool_init("cnn-predict", usage);
    struct options o = parse(argc, argv);
    char **files = argv + optind;
    if (!o.models && (o.model[0] = tool_model(NULL, "-m or ", TOOL_READER)))
        o.models = 1;
    if (!o.models)
        return tool_close(EXIT_FAILED);
    struct privilege keep = {.file = o.model, .files = (size_t)o.models};
    tool_drop_privileges(keep, files, (size_t)(argc - optind));
    return tool_close(run(&o, files));
}
