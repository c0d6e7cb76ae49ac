#include "predict.h"

#include <ctype.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"

enum { WORD_PAUSE = 100 /* ms without a frame end a word */ };

int predict_init(struct predict *p, const struct predict_options *o, struct model *m, struct err *e)
{
    *p = (struct predict){.o = o, .model = m, .limit = 1,
                          .steady = {.hold = o->hold, .passed = "-"},
                          .words = {.threshold = o->threshold}};
    return batch_init(&p->batch, m, e);
}

void predict_free(struct predict *p)
{
    batch_free(&p->batch);
}

/* ---- answers out ---- */

static void print(struct predict *p, const struct answer *a)
{
    char line[ANSWER_LINE];
    bool given = answer_given(a);
    if (p->done || (p->o->first && !given))
        return;
    size_t len = p->o->json ? answer_json(a, line) : answer_text(a, p->o->runners, line);
    fwrite(line, 1, len, p->o->out);
    p->digits += given;
    p->done = p->o->first || ferror(p->o->out);
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
    double time = s->time >= 0 || !p->o->steady ? s->time : clock_now();
    if (p->o->evaluate) {
        count(p, &s->answer);
    } else if (p->o->join) {
        if (words_add(&p->words, &s->answer, s->line, s->word, &word))
            print(p, &word);
    } else if (!p->o->steady || steady_pass(&p->steady, &s->answer, time)) {
        print(p, &s->answer);
    }
}

/* Answer all that wait. */
static void answer(struct predict *p)
{
    batch_answer(&p->batch, p->o->join ? 0 : p->o->threshold); /* numbers are refused as a whole */
    for (int i = 0; i < p->batch.waiting; i++)
        give(p, &p->batch.slot[i]);
    batch_clear(&p->batch);
    p->done |= fflush(p->o->out) != 0;
}

static void end_word(struct predict *p)
{
    struct answer word;
    if (words_end(&p->words, &word))
        print(p, &word);
    p->done |= fflush(p->o->out) != 0;
}

/* ---- frames in ---- */

static const char *stream_name(const struct frame_reader *r)
{
    const char *name = frame_stream_name(r);
    return strcmp(name, "-") ? name : "standard input";
}

static void doubt(struct predict *p, struct frame_reader *r, const struct frame *f)
{
    p->o->notice(r);
    enum model_doubt doubt = p->doubted ? DOUBT_NONE : model_doubt(f->gray, f->width, f->height);
    struct err e = ERR_NONE;
    if (doubt == DOUBT_NONE)
        return;
    p->doubted = true;
    err_set(&e, "%s: was it made by preproc? The digit should be light on black, in the middle, "
            "in a box of %dx%d",
            doubt == DOUBT_PAPER ? "the border is bright, as paper is"
                                 : "the ink runs into the edge",
            p->model->width * 20 / 28, p->model->height * 20 / 28);
    err_at(&e, stream_name(r), frame_number(r, f));
    p->o->report(&e);
}

static void add(struct predict *p, struct frame_reader *r, const struct frame *f)
{
    const struct batch_slot *s = batch_add(&p->batch, r, f);
    p->frames++;
    doubt(p, r, f);
    if (s->time >= 0 && !p->live) {
        p->live = true;
        pipe_shrink(fileno(p->o->out));
    }
}

static int check_frame(struct predict *p, struct frame_reader *r, const struct frame *f,
                       struct err *e)
{
    int status = 0;
    if (f->width != p->model->width || f->height != p->model->height)
        status = err_set(e, "%dx%d pixels, but the model reads %dx%d: put preproc before "
                         "cnn-predict", f->width, f->height, p->model->width, p->model->height);
    else if (p->o->evaluate && frame_label(f) == -1)
        status = err_set(e, "no label to compare with; a filter in between may have dropped it");
    else if (p->o->evaluate && frame_label(f) < 0)
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
    while (got > 0 && !p->o->join && pipe_is_live(frame_fd(r)) && pipe_holds(fileno(p->o->out))) {
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
    }
    return got;
}

int predict_stream(struct predict *p, const char *name, struct err *e)
{
    struct frame f = {0};
    struct frame_reader *r = NULL;
    if (file_not_written(name, fileno(p->o->out), e) || !(r = frame_open(name, e)))
        return -1;
    long before = p->frames;
    int got = 0;
    while (!p->done && (got = frame_read(r, &f, e)) > 0 && !(got = check_frame(p, r, &f, e))) {
        add(p, r, &f);
        bool pause = frame_would_block(r);
        if (!pause && p->batch.waiting < p->limit)
            continue;
        answer(p);
        p->limit = p->limit < p->model->batch ? 2 * p->limit : p->model->batch;
        if (pause)
            pause_input(p, r);
        int more = 1;
        while (p->live && (more = stay_fresh(p, r, &f, e)) > 0 && p->batch.waiting)
            answer(p);
        if (more <= 0) {
            got = more;
            break;
        }
        if (p->live && pipe_wait_taken(fileno(p->o->out)))
            p->limit = 1; /* a slow reader: more would be old when it comes to them */
    }
    answer(p);
    end_word(p);
    if (got == 0 && p->frames == before && !p->done) {
        got = err_set(e, "no frames");
        err_at(e, stream_name(r), -1);
    }
    frame_free(&f);
    frame_close(r);
    return got < 0 ? -1 : 0;
}
