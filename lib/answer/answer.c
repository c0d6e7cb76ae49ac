/* Answers: from probabilities to the lines that cnn-predict writes.
 *   in   probabilities of the classes of a frame, and where the frame is from
 *   out  struct answer; a line of text or JSON; the answer that has held (steady), the number (words)
 * Lines are read back in answer_read.c. */
#include "answer.h"

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
        struct candidate *c = &a->candidate[room ? a->candidates++ : least];
        strcpy(c->label, label[i]);
        c->probability = p[i];
        if (a->candidates == ANSWER_MAX_CANDIDATES)
            least = least_candidate(a);
    }
}

void answer_decide(struct answer *a, char (*label)[LABEL_SIZE], int n, int reject,
                   const double *p, double threshold)
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
    char *to = a->source, *last = a->source + sizeof a->source - sizeof "%XX";
    for (; *source && to <= last; source++) {
        if (*source > ' ' && *source <= '~')
            *to++ = *source;
        else
            to += sprintf(to, "%%%02X", (unsigned char)*source);
    }
    *to = '\0';
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

struct writer {
    char *text;
    size_t len;
};

/* Append to the line. ANSWER_LINE holds every answer; what does not fit is cut. */
static void put(struct writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct writer *w, const char *format, ...)
{
    size_t room = ANSWER_LINE - w->len;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->text + w->len, room, format, args);
    va_end(args);
    w->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* The index of the candidate that follows candidate `last` when they are sorted by descending probability,
 * then by index; of the first for last = -1. Returns -1 behind the last one. */
static int next_candidate(const struct answer *a, int last)
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
    struct writer w = {text, 0};
    put(&w, "%s\t", a->digit);
    if (a->probability >= 0)
        put(&w, "%.3f\t", a->probability);
    else
        put(&w, "-\t");
    put(&w, "%s\t", a->source);
    if (a->frame >= 0)
        put(&w, "%lld\t", a->frame);
    else
        put(&w, "-\t");
    if (a->box[2])
        put(&w, "%d,%d,%d,%d", a->box[0], a->box[1], a->box[2], a->box[3]);
    else
        put(&w, "-");
    for (int i = next_candidate(a, -1); i >= 0 && runners > 0; i = next_candidate(a, i)) {
        const struct candidate *c = &a->candidate[i];
        if (strcmp(c->label, a->digit) && strcmp(c->label, LABEL_NONE)) {
            put(&w, "\t%s:%.3f", c->label, c->probability);
            runners--;
        }
    }
    put(&w, "\n");
    return w.len;
}

/* Append s as a JSON string, or null for "-" and "". */
static void put_string(struct writer *w, const char *s)
{
    if (!*s || !strcmp(s, "-")) {
        put(w, "null");
        return;
    }
    put(w, "\"");
    for (; *s; s++)
        put(w, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    put(w, "\"");
}

static void put_cell(struct writer *w, const struct answer *a)
{
    put(w, ",\"field\":");
    put_string(w, a->field);
    if (a->cell >= 0)
        put(w, ",\"cell\":%d", a->cell);
    else
        put(w, ",\"cell\":null");
    put(w, ",\"page\":");
    put_string(w, a->page);
}

size_t answer_json(const struct answer *a, char *text)
{
    struct writer w = {text, 0};
    put(&w, "{\"digit\":");
    put_string(&w, a->digit);
    if (a->probability >= 0)
        put(&w, ",\"probability\":%.6f,\"source\":", a->probability);
    else
        put(&w, ",\"probability\":null,\"source\":");
    put_string(&w, a->source);
    if (a->frame >= 0)
        put(&w, ",\"frame\":%lld", a->frame);
    else
        put(&w, ",\"frame\":null");
    if (a->box[2])
        put(&w, ",\"box\":[%d,%d,%d,%d]", a->box[0], a->box[1], a->box[2], a->box[3]);
    else
        put(&w, ",\"box\":null");
    put(&w, ",\"label\":");
    put_string(&w, a->label);
    if (a->field[0])
        put_cell(&w, a);
    put(&w, ",\"probabilities\":");
    if (!a->candidates)
        put(&w, "null");
    for (int i = 0; i < a->candidates; i++) {
        put(&w, i ? "," : "{");
        put_string(&w, a->candidate[i].label);
        put(&w, ":%.6f", a->candidate[i].probability);
    }
    put(&w, a->candidates ? "}}\n" : "}\n");
    return w.len;
}

/* ---- steadying and joining ---- */

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

/* Make box (x, y, w, h; w = 0: none) the smallest that holds both. */
static void join_boxes(int box[4], const int other[4])
{
    if (!other[2])
        return;
    if (!box[2]) {
        memcpy(box, other, 4 * sizeof *box);
        return;
    }
    for (int i = 0; i < 2; i++) {
        int end = box[i] + box[i + 2], other_end = other[i] + other[i + 2];
        box[i] = other[i] < box[i] ? other[i] : box[i];
        box[i + 2] = (other_end > end ? other_end : end) - box[i];
    }
}

bool words_end(struct words *w, struct answer *done)
{
    if (!w->open)
        return false;
    *done = w->at;
    if (!w->digits || done->probability < w->threshold) {
        strcpy(done->digit, "-");
        done->probability = -1;
    }
    w->open = false;
    return true;
}

bool words_add(struct words *w, const struct answer *a, long line, long word, struct answer *done)
{
    size_t len = strlen(w->at.digit), add = strlen(a->digit);
    bool ended = false;
    if (!w->open || word < 0 || w->word != word || w->line != line || w->at.frame != a->frame ||
        strcmp(w->at.source, a->source) || len + add >= sizeof w->at.digit) {
        ended = words_end(w, done);
        w->open = true;
        w->digits = 0;
        w->line = line;
        w->word = word;
        answer_clear(&w->at);
        strcpy(w->at.source, a->source);
        w->at.frame = a->frame;
    }
    if (answer_given(a)) {
        if (w->digits++) {
            strcat(w->at.digit, a->digit);
            w->at.probability *= a->probability;
        } else {
            strcpy(w->at.digit, a->digit);
            w->at.probability = a->probability;
            memset(w->at.box, 0, sizeof w->at.box);
        }
    }
    if (answer_given(a) || !w->digits)
        join_boxes(w->at.box, a->box);
    return ended;
}
