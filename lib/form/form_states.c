/* From odds to readings. The field's rules are one automaton that reads the boxes from the right: empty
 * boxes only behind the last digit, the check digit's state, and the comparison with min and max so far.
 * The best completion from each of its states is found from the left end back (Viterbi 1967), which is an
 * exact bound for best-first search: ways come out by falling weight. Entries of a list are weighed one by
 * one. */
#include "form_states.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "form_check.h"
#include "form_expression.h"
#include "form_list.h"

#define MIN_SYMBOL 1e-5  /* Any symbol in any box has at least this probability: networks are too sure. */
#define MISSED 1e-4      /* A box that was found empty has a digit in it with this probability. */
#define SHARE_DIGIT .5   /* Of writing that is no digit, so large a share is one that cannot be told. */
#define MIN_TOLD .5      /* A box is told when a symbol in it has at least this probability. */
#define MAX_NODES 200000 /* A search looks at so many nodes at most. */

enum { LESS, EQUAL, MORE, ORDERS };

struct automaton {
    const struct form_field *f;
    const struct odds *odds;
    int cells, least;      /* boxes; of them written at least, unless all are empty */
    int checks, lows, highs, states; /* sizes of its parts; of the whole */
    int min[FORM_MAX_CELLS], max[FORM_MAX_CELLS]; /* digits from the right */
    double outside;        /* weight of what is not in the list; 1 without one */
    double *best;          /* [cells + 1][states] weight of the best completion */
};

/* A state of the automaton, taken apart. */
struct part {
    int check, low, high;
    bool ended; /* an empty box was read */
};

/* ---- odds ---- */

static struct odds odds_floor(const double *p)
{
    struct odds o;
    double sum = 0;
    for (int i = 0; i < SYMBOLS; i++)
        sum += p[i];
    for (int i = 0; i < SYMBOLS; i++)
        o.p[i] = (float)((1 - SYMBOLS * MIN_SYMBOL) * p[i] / sum + MIN_SYMBOL);
    return o;
}

struct odds odds_of(const struct form_evidence *evidence)
{
    double p[SYMBOLS];
    for (int i = 0; i < 10; i++)
        p[i] = evidence->empty ? MISSED / 10
                               : evidence->digit[i] + SHARE_DIGIT * evidence->other / 10;
    p[SYMBOL_EMPTY] = evidence->empty ? 1 - MISSED : (1 - SHARE_DIGIT) * evidence->other;
    return odds_floor(p);
}

struct odds odds_unknown(void)
{
    double p[SYMBOLS];
    for (int i = 0; i < SYMBOLS; i++)
        p[i] = 1;
    return odds_floor(p);
}

/* ---- the automaton ---- */

static int pack(const struct automaton *a, struct part s)
{
    return ((s.check * a->lows + (a->lows > 1 ? s.low : 0)) * a->highs + (a->highs > 1 ? s.high : 0)) * 2 +
           s.ended;
}

static int start_of(const struct automaton *a)
{
    return pack(a, (struct part){.low = EQUAL, .high = EQUAL});
}

static struct part unpack(const struct automaton *a, int state)
{
    struct part s = {.ended = state % 2};
    state /= 2;
    s.high = a->highs > 1 ? state % ORDERS : EQUAL;
    state /= a->highs;
    s.low = a->lows > 1 ? state % ORDERS : EQUAL;
    s.check = state / a->lows;
    return s;
}

static int compare(int before, int digit, int with)
{
    return digit < with ? LESS : digit > with ? MORE : before;
}

/* The state behind `state` when the box at `place` from the right shows `symbol`; -1: no number. */
static int step(const struct automaton *a, int state, int place, int symbol)
{
    struct part s = unpack(a, state);
    bool empty = symbol == SYMBOL_EMPTY;
    if (empty ? place < a->least : s.ended)
        return -1;
    if (!empty)
        s.check = check_step(a->f->check, s.check, place, symbol);
    s.low = compare(s.low, empty ? 0 : symbol, a->min[place]);
    s.high = compare(s.high, empty ? 0 : symbol, a->max[place]);
    s.ended = empty;
    return pack(a, s);
}

static unsigned broken_by(const struct automaton *a, int state)
{
    struct part s = unpack(a, state);
    return (a->f->has_min && s.low == LESS ? FORM_BROKEN_MIN : 0) |
           (a->f->has_max && s.high == MORE ? FORM_BROKEN_MAX : 0) |
           (check_accepts(a->f->check, s.check) ? 0 : FORM_BROKEN_CHECK);
}

static double weight_of(unsigned broken)
{
    double weight = 1;
    for (; broken; broken &= broken - 1)
        weight *= WEIGHT_BROKEN;
    return weight;
}

static float odds_at(const struct automaton *a, int place, int symbol)
{
    return a->odds[a->cells - 1 - place].p[symbol];
}

static void spell(int64_t value, bool there, int *digit)
{
    for (int i = 0; i < FORM_MAX_CELLS; i++, value /= 10)
        digit[i] = there ? (int)(value % 10) : 0;
}

static int automaton_init(struct automaton *a, const struct form_field *f, const struct odds *odds,
                          struct err *e)
{
    int64_t all = power_of_ten(form_cells(f)) - 1;
    *a = (struct automaton){.f = f, .odds = odds, .cells = form_cells(f), .outside = 1,
                            .checks = check_states(f->check), .lows = f->has_min ? ORDERS : 1,
                            .highs = f->has_max ? ORDERS : 1};
    a->least = f->decimals ? f->decimals : 1;
    a->states = a->checks * a->lows * a->highs * 2;
    spell(f->min, f->has_min, a->min);
    spell(f->max < all ? f->max : all, f->has_max, a->max);
    if (f->list)
        a->outside = fmin(SHARE_OUTSIDE, SHARE_OUTSIDE * f->list->entries / (double)(all + 1));
    a->best = malloc((size_t)(a->cells + 1) * (size_t)a->states * sizeof *a->best);
    return a->best ? 0 : err_set(e, "out of memory");
}

/* Fill in `best`, and return the weight of all ways together. */
static double find_best(struct automaton *a, double *sum)
{
    size_t n = (size_t)a->states;
    for (size_t s = 0; s < n; s++)
        a->best[(size_t)a->cells * n + s] = sum[(size_t)a->cells * n + s] =
            a->outside * weight_of(broken_by(a, (int)s));
    for (int place = a->cells - 1; place >= 0; place--)
        for (size_t s = 0; s < n; s++) {
            size_t at = (size_t)place * n + s;
            a->best[at] = sum[at] = 0;
            for (int symbol = 0; symbol < SYMBOLS; symbol++) {
                int to = step(a, (int)s, place, symbol);
                if (to < 0)
                    continue;
                size_t next = (size_t)(place + 1) * n + (size_t)to;
                a->best[at] = fmax(a->best[at], odds_at(a, place, symbol) * a->best[next]);
                sum[at] += odds_at(a, place, symbol) * sum[next];
            }
        }
    return sum[start_of(a)];
}

/* ---- best-first search ---- */

struct node {
    double bound, seen; /* weight of the best way through it; probability of its boxes so far */
    int64_t value;
    int state, place, written;
};

struct heap {
    struct node *node;
    size_t n, room;
};

static int push(struct heap *h, struct node node, struct err *e)
{
    if (grow_to(&h->node, h->n + 1, &h->room, sizeof *h->node, e))
        return -1;
    size_t i = h->n++;
    for (; i && h->node[(i - 1) / 2].bound < node.bound; i = (i - 1) / 2)
        h->node[i] = h->node[(i - 1) / 2];
    h->node[i] = node;
    return 0;
}

static struct node pop(struct heap *h)
{
    struct node top = h->node[0], last = h->node[--h->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->node[child + 1].bound > h->node[child].bound)
            child++;
        if (h->node[child].bound <= last.bound)
            break;
        h->node[i] = h->node[child];
    }
    h->node[i] = last;
    return top;
}

static int expand(const struct automaton *a, const struct node *from, double least, struct heap *h,
                  struct err *e)
{
    int64_t unit = power_of_ten(from->place);
    for (int symbol = 0; symbol < SYMBOLS; symbol++) {
        int to = step(a, from->state, from->place, symbol);
        if (to < 0)
            continue;
        struct node n = *from;
        n.seen *= odds_at(a, from->place, symbol);
        n.place++;
        n.state = to;
        if (symbol != SYMBOL_EMPTY) {
            n.value += symbol * unit;
            n.written++;
        }
        n.bound = n.seen * a->best[(size_t)n.place * (size_t)a->states + (size_t)to];
        if (n.bound >= least && push(h, n, e))
            return -1;
    }
    return 0;
}

static int add_state(struct states *s, struct state state, struct err *e)
{
    if (grow_to(&s->state, s->n + 1, &s->room, sizeof *s->state, e))
        return -1;
    s->state[s->n++] = state;
    return 0;
}

static int add_way(struct states *s, const struct automaton *a, const struct node *n, struct err *e)
{
    struct state state = {.value = n->value, .p = n->bound, .top = n->bound, .seen = n->seen, .entry = -1,
                          .written = n->written, .broken = broken_by(a, n->state)};
    if (a->f->list)
        state.broken |= FORM_BROKEN_IN;
    return add_state(s, state, e);
}

/* Ways of at least weight `least`, the best first. */
static int search(const struct automaton *a, double least, struct states *s, struct err *e)
{
    struct heap h = {0};
    struct node first = {.seen = 1, .state = start_of(a)};
    int status = 0;
    first.bound = a->best[first.state];
    if (first.bound >= least)
        status = push(&h, first, e);
    for (int i = 0; status == 0 && h.n && i < MAX_NODES && s->n < MAX_STATES; i++) {
        struct node n = pop(&h);
        if (n.place < a->cells)
            status = expand(a, &n, least, &h, e);
        else if (!a->f->list || list_find(a->f->list, n.value) < 0)
            status = add_way(s, a, &n, e);
    }
    free(h.node);
    return status;
}

/* ---- lists ---- */

/* Zeros and empty boxes in front of m digits: the probability of all ways together and of the best, which
 * has `zeros` zeros. */
struct pad {
    double sum, top;
    int zeros;
};

static void find_pads(const struct automaton *a, struct pad *pad)
{
    for (int m = 0; m <= a->cells; m++) {
        pad[m] = (struct pad){0};
        for (int n = m; n <= a->cells; n++) {
            double p = 1;
            for (int place = m; place < a->cells; place++)
                p *= odds_at(a, place, place < n ? 0 : SYMBOL_EMPTY);
            pad[m].sum += p;
            if (p > pad[m].top) {
                pad[m].top = p;
                pad[m].zeros = n - m;
            }
        }
    }
}

/* A state for each entry of at least MIN_WEIGHT of the best. */
static int add_entries(const struct automaton *a, struct states *s, struct err *e)
{
    const struct form_list *list = a->f->list;
    struct pad pad[FORM_MAX_CELLS + 1];
    double best = 0;
    find_pads(a, pad);
    for (int i = 0; i < list->entries; i++) {
        int64_t rest = list->entry[i].value;
        int m = 0;
        double p = 1;
        for (; rest || m < a->least; m++, rest /= 10)
            p *= odds_at(a, m, (int)(rest % 10));
        struct state state = {.value = list->entry[i].value, .p = p * pad[m].sum, .top = p * pad[m].top,
                              .seen = p * pad[m].top, .entry = i, .written = m + pad[m].zeros};
        if (state.p < best * MIN_WEIGHT)
            continue;
        best = fmax(best, state.p);
        if (add_state(s, state, e))
            return -1;
    }
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->state[i].p >= best * MIN_WEIGHT)
            s->state[kept++] = s->state[i];
    s->n = kept;
    return 0;
}

/* ---- all together ---- */

static int by_value(const void *a, const void *b)
{
    const struct state *x = a, *y = b;
    if (x->value != y->value)
        return (x->value > y->value) - (x->value < y->value);
    return (x->top < y->top) - (x->top > y->top);
}

/* Ways to write one value become one state. */
static void join_ways(struct states *s)
{
    size_t n = 0;
    if (s->n)
        qsort(s->state, s->n, sizeof *s->state, by_value);
    for (size_t i = 0; i < s->n; i++)
        if (n && s->state[n - 1].value == s->state[i].value)
            s->state[n - 1].p += s->state[i].p;
        else
            s->state[n++] = s->state[i];
    s->n = n;
}

/* The probabilities, rules apart, that the boxes make a number, that all are empty, and of the rest. */
struct shares {
    double number, empty, other;
};

/* Odds are rounded: what is left is counted, since 1 less the others would be their rounding. */
static struct shares find_shares(const struct automaton *a)
{
    struct shares s = {.empty = 1};
    double digit[FORM_MAX_CELLS], all = 1;
    for (int place = 0; place < a->cells; place++) {
        digit[place] = 0;
        for (int i = 0; i < SYMBOL_EMPTY; i++)
            digit[place] += odds_at(a, place, i);
        s.empty *= odds_at(a, place, SYMBOL_EMPTY);
        all *= digit[place] + odds_at(a, place, SYMBOL_EMPTY);
    }
    for (int n = a->least; n <= a->cells; n++) {
        double p = 1;
        for (int place = 0; place < a->cells; place++)
            p *= place < n ? digit[place] : odds_at(a, place, SYMBOL_EMPTY);
        s.number += p;
    }
    s.other = fmax(all - s.number - s.empty, 0);
    return s;
}

static int best_symbol(const struct odds *o)
{
    int best = 0;
    for (int i = 1; i < SYMBOLS; i++)
        if (o->p[i] > o->p[best])
            best = i;
    return best;
}

/* Are the boxes, each read by itself, no number? *p is how probable that reading is. */
static bool plain_is_none(const struct automaton *a, double *p)
{
    bool ended = false, none = false, written = false;
    *p = 1;
    for (int place = 0; place < a->cells; place++) {
        int symbol = best_symbol(&a->odds[a->cells - 1 - place]);
        bool empty = symbol == SYMBOL_EMPTY;
        *p *= odds_at(a, place, symbol);
        none |= empty ? place < a->least : ended;
        ended |= empty;
        written |= !empty;
    }
    return none && written;
}

static int add_special(const struct automaton *a, double found, double all, struct states *s,
                       struct err *e)
{
    double plain;
    struct shares share = find_shares(a);
    bool blank = a->f->blank;
    struct state nothing = {.p = share.empty * (blank ? 1 : WEIGHT_EMPTY), .seen = share.empty, .entry = -1,
                            .written = STATE_EMPTY, .broken = blank ? 0 : FORM_BROKEN_EMPTY};
    nothing.top = nothing.p;
    struct state other = {.p = WEIGHT_BOXES * share.other, .entry = -1,
                          .written = STATE_OTHER, .broken = FORM_BROKEN_BOXES};
    if (plain_is_none(a, &plain)) {
        other.seen = plain;
        other.top = plain * WEIGHT_BOXES;
    }
    struct state rest = {.p = fmax(all - found, 0), .entry = -1, .written = STATE_REST};
    if (add_state(s, other, e) || add_state(s, rest, e) || add_state(s, nothing, e))
        return -1;
    memmove(s->state + 1, s->state, (s->n - 1) * sizeof *s->state);
    s->state[0] = nothing;
    return 0;
}

/* The weight of ways outside the list (without a list: of all). */
static double weigh_all(struct automaton *a, struct err *e)
{
    double *sum = malloc((size_t)(a->cells + 1) * (size_t)a->states * sizeof *sum);
    double all = sum ? find_best(a, sum) : -1;
    if (!sum)
        err_set(e, "out of memory");
    free(sum);
    return all;
}

int states_find(struct states *s, const struct form_field *f, const struct odds *odds, struct err *e)
{
    struct automaton a;
    *s = (struct states){0};
    if (automaton_init(&a, f, odds, e))
        return -1;
    double all = weigh_all(&a, e), found = 0, listed = 0, best = 0;
    int status = all < 0 || (f->list && add_entries(&a, s, e)) ? -1 : 0;
    for (size_t i = 0; i < s->n; i++) {
        listed += s->state[i].p;
        best = fmax(best, s->state[i].p);
    }
    if (status == 0)
        status = search(&a, fmax(best, a.best[start_of(&a)]) * MIN_WEIGHT, s, e);
    for (size_t i = 0; i < s->n; i++)
        found += s->state[i].p;
    join_ways(s);
    /* Entries are among the ways outside, too, at that weight. */
    if (status == 0)
        status = add_special(&a, found - listed + (f->list ? listed * a.outside : 0), all, s, e);
    free(a.best);
    if (status) {
        free(s->state);
        *s = (struct states){0};
    }
    return status;
}

double *ones(size_t n)
{
    double *array = malloc((n + 1) * sizeof *array);
    for (size_t i = 0; array && i < n; i++)
        array[i] = 1;
    return array;
}

size_t most_states(const struct states *s, size_t n)
{
    size_t most = 1;
    for (size_t i = 0; i < n; i++)
        most = s[i].n > most ? s[i].n : most;
    return most;
}

/* ---- text ---- */

static char told(const struct odds *o, int digit, bool sure)
{
    return sure || o->p[best_symbol(o)] >= MIN_TOLD ? (char)('0' + digit) : '?';
}

/* The boxes as they are, each by itself: what makes no number is shown so. */
static void plain_text(const struct form_field *f, const struct odds *odds, char *text)
{
    int cells = form_cells(f);
    for (int i = 0; i < cells; i++) {
        int symbol = best_symbol(&odds[i]);
        if (f->decimals && i == f->digits)
            *text++ = '.';
        if (symbol != SYMBOL_EMPTY)
            *text++ = told(&odds[i], symbol, false);
    }
    *text = '\0';
}

void state_text(const struct form_field *f, const struct state *s, const struct odds *odds, bool sure,
                char *text)
{
    int cells = form_cells(f);
    if (s->written == STATE_EMPTY) {
        strcpy(text, "-");
        return;
    }
    if (s->written < 0) {
        plain_text(f, odds, text);
        return;
    }
    if (s->entry >= 0 && sure) {
        snprintf(text, FORM_NUMBER, "%s", f->list->entry[s->entry].text);
        return;
    }
    int written = s->written > f->decimals ? s->written : f->decimals + 1;
    for (int place = written - 1; place >= 0; place--) {
        int digit = (int)(s->value / power_of_ten(place) % 10);
        *text++ = place < s->written ? told(&odds[cells - 1 - place], digit, sure) : '0';
        if (place && place == f->decimals)
            *text++ = '.';
    }
    *text = '\0';
}
