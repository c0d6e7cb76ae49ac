/* Answers: from probabilities to the lines that cnn-predict writes.
 *   in   probabilities of the classes of a frame, and where the frame is from
 *   out  struct answer; a line of text or JSON; the answer that has held (steady)
 * Lines are read back in answer_read.c; answers become numbers in words.c. */
#include "writer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void answer_clear(struct answer *a)
{
    strcpy(a->digit, "-");
    strcpy(a->source, "-");
    a->probability = -1;
    a->frame = -1;
    memset(a->box, 0, sizeof a->box);
    a->label[0] = a->field[0] = a->page[0] = '\0';
    a->cell = -1;
    a->candidates = 0;
}

/* The least probable candidate, of equal ones the last. */
static int least_candidate(const struct answer *a)
{
    int least = 0;
    for (int i = 1; i < a->candidates; i++)
        if (a->candidate[i].probability <= a->candidate[least].probability)
            least = i;
    return least;
}

/* The classes in their order; where there is not room for all, those more probable take the places of others. */
static void add_candidates(struct answer *a, char (*label)[LABEL_SIZE], int n, const double *p)
{
    int least = 0;
    for (int i = 0; i < n; i++) {
        bool room = a->candidates < ANSWER_MAX_CANDIDATES;
        if (!room && p[i] <= a->candidate[least].probability)
            continue;
        struct answer_candidate *c = &a->candidate[room ? a->candidates++ : least];
        strcpy(c->label, label[i]);
        c->probability = p[i];
        if (a->candidates == ANSWER_MAX_CANDIDATES)
            least = least_candidate(a);
    }
}

void answer_decide(struct answer *a, char (*label)[LABEL_SIZE], int n, int reject, const double *p, double threshold)
{
    strcpy(a->digit, "-");
    a->probability = -1;
    a->candidates = 0;
    int best = 0;
    for (int i = 0; i < n; i++) {
        if (!isfinite(p[i]))
            return;
        if (p[i] > p[best])
            best = i;
    }
    add_candidates(a, label, n, p);
    if (best != reject && p[best] >= threshold) {
        strcpy(a->digit, label[best]);
        a->probability = p[best];
    }
}

void answer_set_source(struct answer *a, const char *source)
{
    text_percent(source, "", a->source, sizeof a->source);
    if (!a->source[0])
        strcpy(a->source, "-");
}

bool answer_given(const struct answer *a)
{
    return strcmp(a->digit, "-") != 0;
}

double answer_probability(const struct answer *a, const char *label)
{
    for (int i = 0; i < a->candidates; i++)
        if (!strcmp(a->candidate[i].label, label))
            return a->candidate[i].probability;
    return 0;
}

/* ---- writing ---- */

void writer_put(struct writer *w, const char *format, ...)
{
    size_t room = w->size - w->len;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->text + w->len, room, format, args);
    va_end(args);
    w->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

int answer_next_candidate(const struct answer *a, int last)
{
    int best = -1;
    for (int i = 0; i < a->candidates; i++) {
        double p = a->candidate[i].probability;
        if (last >= 0) {
            double before = a->candidate[last].probability;
            if (p > before || (p == before && i <= last))
                continue;
        }
        if (best < 0 || p > a->candidate[best].probability)
            best = i;
    }
    return best;
}

size_t answer_text(const struct answer *a, int runners, char *text)
{
    struct writer w = {text, 0, ANSWER_LINE};
    writer_put(&w, a->probability >= 0 ? "%s\t%.3f\t" : "%s\t-\t", a->digit, a->probability);
    writer_put(&w, a->frame >= 0 ? "%s\t%lld\t" : "%s\t-\t", a->source, a->frame);
    writer_put(&w, a->box[2] ? "%d,%d,%d,%d" : "-", a->box[0], a->box[1], a->box[2], a->box[3]);
    for (int i = answer_next_candidate(a, -1); i >= 0 && runners > 0; i = answer_next_candidate(a, i)) {
        const struct answer_candidate *c = &a->candidate[i];
        if (strcmp(c->label, a->digit) && strcmp(c->label, LABEL_NONE)) {
            writer_put(&w, "\t%s:%.3f", c->label, c->probability);
            runners--;
        }
    }
    writer_put(&w, "\n");
    return w.len;
}

void writer_put_text(struct writer *w, const char *s)
{
    writer_put(w, "\"");
    for (; *s; s++)
        writer_put(w, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    writer_put(w, "\"");
}

/* s as a string; null for "-" and "". */
static void put_name(struct writer *w, const char *s)
{
    if (*s && strcmp(s, "-"))
        writer_put_text(w, s);
    else
        writer_put(w, "null");
}

void writer_put_probability(struct writer *w, double p)
{
    writer_put(w, p >= 0 ? "%.6f" : "null", p);
}

void writer_put_box(struct writer *w, const int box[4])
{
    writer_put(w, box[2] ? "[%d,%d,%d,%d]" : "null", box[0], box[1], box[2], box[3]);
}

void writer_put_candidates(struct writer *w, const struct answer_candidate *c, int n)
{
    if (!n)
        writer_put(w, "null");
    for (int i = 0; i < n; i++) {
        writer_put(w, i ? "," : "{");
        put_name(w, c[i].label);
        writer_put(w, ":%.6f", c[i].probability);
    }
    if (n)
        writer_put(w, "}");
}

/* A member of an object, behind the last one: a string or a number from 0, null where it is not there. */
static void put_string(struct writer *w, const char *key, const char *s)
{
    writer_put(w, ",\"%s\":", key);
    put_name(w, s);
}

static void put_whole(struct writer *w, const char *key, long long n)
{
    writer_put(w, n >= 0 ? ",\"%s\":%lld" : ",\"%s\":null", key, n);
}

void writer_put_answer(struct writer *w, const struct answer *a)
{
    writer_put(w, "{\"digit\":");
    put_name(w, a->digit);
    writer_put(w, ",\"probability\":");
    writer_put_probability(w, a->probability);
    put_string(w, "source", a->source);
    put_whole(w, "frame", a->frame);
    writer_put(w, ",\"box\":");
    writer_put_box(w, a->box);
    put_string(w, "label", a->label);
    if (a->field[0]) {
        put_string(w, "field", a->field);
        put_whole(w, "cell", a->cell);
        put_string(w, "page", a->page);
    }
    writer_put(w, ",\"probabilities\":");
    writer_put_candidates(w, a->candidate, a->candidates);
}

size_t answer_json(const struct answer *a, char *text)
{
    struct writer w = {text, 0, ANSWER_LINE};
    writer_put_answer(&w, a);
    writer_put(&w, "}\n");
    return w.len;
}

/* ---- steadying ---- */

bool steady_pass(struct steady *s, const struct answer *a, double time)
{
    if (strcmp(a->digit, s->digit) || strcmp(a->source, s->source) || time < s->since) {
        strcpy(s->digit, a->digit);
        strcpy(s->source, a->source);
        s->since = time;
    }
    if (time - s->since < s->hold || !strcmp(s->digit, s->passed))
        return false;
    strcpy(s->passed, s->digit);
    return true;
}
