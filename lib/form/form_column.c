/* A field of all pages; and the rule `rising`: a chain of pages (a hidden Markov model), whose posteriors
 * come from one pass forward and one back, and whose most probable reading from Viterbi's algorithm. A
 * step that falls weighs WEIGHT_BROKEN; one from or to a page without a number is free. */
#include "form_column.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "form_bag.h"

struct column *column_new(const struct form_field *field, size_t n, struct err *e)
{
    struct column *c = calloc(1, sizeof *c);
    if (c) {
        c->field = field;
        c->n = n;
        c->states = calloc(n + 1, sizeof *c->states);
        c->sum = calloc(n + 1, sizeof *c->sum);
        c->best = calloc(n + 1, sizeof *c->best);
        c->told = calloc(n + 1, sizeof *c->told);
        c->choice = calloc(n + 1, sizeof *c->choice);
        c->broken = calloc(n + 1, sizeof *c->broken);
    }
    if (c && c->states && c->sum && c->best && c->told && c->choice && c->broken)
        return c;
    err_set(e, "out of memory");
    column_free(c);
    return NULL;
}

void column_free(struct column *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++) {
        if (c->states)
            free(c->states[i].state);
        if (c->sum)
            free(c->sum[i]);
        if (c->best)
            free(c->best[i]);
        if (c->told)
            free(c->told[i]);
    }
    free(c->states);
    free(c->sum);
    free(c->best);
    free(c->told);
    free(c->choice);
    free(c->broken);
    free(c);
}

/* ---- rising ---- */

/* Does the step from one page's state to the next one's keep the rule? */
static bool rises(const struct column *c, const struct state *from, const struct state *to)
{
    if (from->written == STATE_REST || to->written == STATE_REST)
        return false;
    if (!state_counts(from) || !state_counts(to))
        return true;
    return c->field->unique ? from->value < to->value : from->value <= to->value;
}

static void scale(double *weight, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, weight[i]);
    for (size_t i = 0; i < n && most > 0; i++)
        weight[i] /= most;
}

/* What page `from`, whose states weigh `weight`, tells its neighbour `to`: the weight of all its states
 * with each of the neighbour's. Both have their values rising, so that those which keep the rule are a run
 * from one end, which only grows. */
static void tell(const struct column *c, size_t from, size_t to, const double *weight, enum semiring ring,
                 double *out)
{
    const struct states *a = &c->states[from], *b = &c->states[to];
    bool forward = from < to;
    double all = 0, is_free = 0, kept = 0;
    for (size_t i = 0; i < a->n; i++) {
        all = join(ring, all, weight[i]);
        if (!state_counts(&a->state[i]) && a->state[i].written != STATE_REST)
            is_free = join(ring, is_free, weight[i]);
    }
    for (size_t j = 0, i = 0; j < b->n; j++) {
        size_t to_state = forward ? j : b->n - 1 - j;
        const struct state *other = &b->state[to_state];
        if (!state_counts(other)) {
            out[to_state] = other->written == STATE_REST ? WEIGHT_BROKEN * all : all;
            continue;
        }
        for (; i < a->n; i++) {
            const struct state *mine = &a->state[forward ? i : a->n - 1 - i];
            if (mine->written != STATE_REST && !(forward ? rises(c, mine, other) : rises(c, other, mine)))
                break;
            if (state_counts(mine))
                kept = join(ring, kept, weight[forward ? i : a->n - 1 - i]);
        }
        double good = join(ring, kept, is_free), broken = ring == SUM ? fmax(all - good, 0) : all;
        out[to_state] = join(ring, good, WEIGHT_BROKEN * broken);
    }
    scale(out, b->n);
}

/* weight[s] = own[s] * told[s] */
static void weigh(double *weight, const double *own, const double *told, size_t n)
{
    for (size_t s = 0; s < n; s++)
        weight[s] = own[s] * told[s];
}

/* From the last page back: what those behind a page tell it, to told[page]. */
static void pass_back(const struct column *c, double **own, double **told, enum semiring ring,
                      double *weight)
{
    for (size_t i = c->n - 1; i > 0; i--) {
        weigh(weight, own[i], told[i], c->states[i].n);
        tell(c, i, i - 1, weight, ring, told[i - 1]);
    }
}

/* From the first page on: c->told is what those behind tell a page, and becomes what both sides do. */
static void pass_forward(struct column *c, double *weight, double *before)
{
    for (size_t s = 0; s < c->states[0].n; s++)
        before[s] = 1;
    for (size_t i = 0; i < c->n; i++) {
        weigh(weight, c->sum[i], before, c->states[i].n);
        weigh(c->told[i], c->told[i], before, c->states[i].n);
        if (i + 1 < c->n)
            tell(c, i, i + 1, weight, SUM, before);
    }
}

/* told is what those behind tell a page: with the page before it chosen, the best is its own to choose. */
static void choose(struct column *c, double **told)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct state *before = i ? &c->states[i - 1].state[c->choice[i - 1]] : NULL;
        double most = -1;
        bool kept = true;
        for (size_t s = 0; s < c->states[i].n; s++) {
            bool keeps = !before || rises(c, before, &c->states[i].state[s]);
            double weight = c->best[i][s] * told[i][s] * (keeps ? 1 : WEIGHT_BROKEN);
            if (weight > most) {
                most = weight;
                kept = keeps;
                c->choice[i] = (int)s;
            }
        }
        c->broken[i] |= kept ? 0 : FORM_BROKEN_RISING;
    }
}

int column_rising(struct column *c, struct err *e)
{
    size_t most = most_states(c->states, c->n);
    double *weight = ones(most), *before = ones(most), **told = calloc(c->n + 1, sizeof *told);
    bool whole = weight && before && told;
    for (size_t i = 0; whole && i < c->n; i++)
        whole = (told[i] = ones(c->states[i].n)) && (c->told[i] || (c->told[i] = ones(c->states[i].n)));
    if (whole && c->n) {
        pass_back(c, c->best, told, MAX, weight);
        choose(c, told);
        pass_back(c, c->sum, c->told, SUM, weight);
        pass_forward(c, weight, before);
    }
    for (size_t i = 0; told && i < c->n; i++)
        free(told[i]);
    free(told);
    free(weight);
    free(before);
    return whole ? 0 : err_set(e, "out of memory");
}

int column_solve(struct column *c, struct err *e)
{
    return c->field->rising ? column_rising(c, e) : column_unique(c, e);
}
