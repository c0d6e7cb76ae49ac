#include "batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int batch_init(struct batch *b, struct model *m, struct err *e)
{
    size_t n = (size_t)m->batch;
    *b = (struct batch){.model = m};
    b->slot = malloc(n * sizeof *b->slot);
    b->gray = malloc(n * (size_t)m->width * (size_t)m->height);
    b->p = malloc(n * (size_t)m->classes * sizeof *b->p);
    if (b->slot && b->gray && b->p)
        return 0;
    batch_free(b);
    return err_set(e, "out of memory");
}

void batch_free(struct batch *b)
{
    free(b->slot);
    free(b->gray);
    free(b->p);
    *b = (struct batch){0};
}

static long whole_fact(const struct frame *f, const char *key)
{
    char text[24], *end;
    if (!frame_fact(f, key, text, sizeof text) || *text < '0' || *text > '9')
        return -1;
    errno = 0;
    long n = strtol(text, &end, 10);
    return errno || *end ? -1 : n;
}

static double time_fact(const struct frame *f)
{
    char text[64], *end;
    if (!frame_fact(f, "time", text, sizeof text))
        return -1;
    double t = strtod(text, &end);
    return end != text && !*end && t >= 0 && t < 1e12 ? t : -1;
}

const struct batch_slot *batch_add(struct batch *b, const struct frame_reader *r,
                                   const struct frame *f)
{
    struct batch_slot *s = &b->slot[b->waiting++];
    struct answer *a = &s->answer;
    size_t pixels = (size_t)f->width * (size_t)f->height;
    char text[ANSWER_SOURCE];
    answer_clear(a);
    answer_set_source(a, frame_source(r, f, text, sizeof text));
    a->frame = frame_number(r, f);
    if (frame_fact(f, "box", text, sizeof text))
        answer_parse_box(text, a->box);
    if (frame_label(f) >= 0)
        strcpy(a->label, frame_label_text(frame_label(f)));
    s->time = time_fact(f);
    s->line = whole_fact(f, "line");
    s->word = whole_fact(f, "word");
    s->blank = !memcmp(f->gray, f->gray + 1, pixels - 1);
    if (!s->blank)
        memcpy(b->gray + (size_t)b->asked++ * pixels, f->gray, pixels);
    return s;
}

void batch_answer(struct batch *b, double threshold)
{
    struct model *m = b->model;
    const double *p = b->p;
    if (b->asked)
        model_run(m, b->gray, b->asked, b->p);
    for (int i = 0; i < b->waiting; i++) {
        if (b->slot[i].blank)
            continue;
        answer_decide(&b->slot[i].answer, m->label, m->classes, m->reject, p, threshold);
        p += m->classes;
    }
}

void batch_clear(struct batch *b)
{
    b->waiting = b->asked = 0;
}
