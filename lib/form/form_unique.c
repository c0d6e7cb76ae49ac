/* The rule `unique`. The most probable readings of all pages together are an assignment of pages to
 * values: each page to one, each value to one page, where breaking the rule is a place of the page's own.
 * It is solved by shortest augmenting paths (Jonker and Volgenant, A shortest augmenting path algorithm for
 * dense and sparse linear assignment problems, 1987). Posteriors are those of belief propagation (Huang and
 * Jebara, Approximating the permanent with belief propagation, 2009): exact where pages and the values they
 * share form no circle, close to it otherwise; the exact sum is out of reach (#P-hard). */
#include "form_column.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROUNDS 500    /* Belief propagation goes round so many times at most. */
#define MIN_CHANGE 1e-12  /* A message has changed when it did by more. */

/* A page that may have a value: page `page` by its state `state`. */
struct edge {
    size_t page;
    int state, value; /* values are numbered from 0 */
    double sum, best; /* weights, of which each page's largest is 1 */
    double to_value, to_page; /* messages: odds of this edge, without and with what the other side says */
};

struct pages {
    struct column *c;
    struct edge *edge;    /* [edges], page by page */
    size_t edges, *first; /* [n + 1] of each page */
    size_t *order;        /* [edges], value by value */
    int values;
    double *is_free;      /* [n] weight of states without a number */
};

static void pages_free(struct pages *p)
{
    free(p->edge);
    free(p->first);
    free(p->order);
    free(p->is_free);
}

static double largest(const double *weight, size_t n)
{
    double most = DBL_MIN;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, weight[i]);
    return most;
}

static int fill_edges(struct pages *p, struct err *e)
{
    struct column *c = p->c;
    size_t all = 0;
    for (size_t i = 0; i < c->n; i++)
        all += c->states[i].n;
    p->edge = calloc(all + 1, sizeof *p->edge);
    p->order = calloc(all + 1, sizeof *p->order);
    p->first = calloc(c->n + 1, sizeof *p->first);
    p->is_free = calloc(c->n + 1, sizeof *p->is_free);
    if (!p->edge || !p->order || !p->first || !p->is_free)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < c->n; i++) {
        double sum = largest(c->sum[i], c->states[i].n), best = largest(c->best[i], c->states[i].n);
        p->first[i] = p->edges;
        for (size_t s = 0; s < c->states[i].n; s++)
            if (!state_counts(&c->states[i].state[s]))
                p->is_free[i] += c->sum[i][s] / sum;
            else
                p->edge[p->edges++] = (struct edge){.page = i, .state = (int)s, .to_page = 1,
                                                    .sum = c->sum[i][s] / sum,
                                                    .best = c->best[i][s] / best};
    }
    p->first[c->n] = p->edges;
    return 0;
}

static int64_t value_of(const struct pages *p, const struct edge *edge)
{
    return p->c->states[edge->page].state[edge->state].value;
}

/* An edge and its value, to be sorted. */
struct key {
    int64_t value;
    size_t edge;
};

static int by_value(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->value != y->value)
        return (x->value > y->value) - (x->value < y->value);
    return (x->edge > y->edge) - (x->edge < y->edge);
}

static int number_values(struct pages *p, struct err *e)
{
    struct key *key = malloc((p->edges + 1) * sizeof *key);
    if (!key)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < p->edges; i++)
        key[i] = (struct key){value_of(p, &p->edge[i]), i};
    if (p->edges)
        qsort(key, p->edges, sizeof *key, by_value);
    for (size_t i = 0; i < p->edges; i++) {
        p->values += i == 0 || key[i].value != key[i - 1].value;
        p->order[i] = key[i].edge;
        p->edge[key[i].edge].value = p->values - 1;
    }
    free(key);
    return 0;
}

/* ---- posteriors ---- */

/* Each page's odds of each value, as the other values' messages have them. */
static void tell_values(struct pages *p)
{
    for (size_t i = 0; i < p->c->n; i++) {
        double all = p->is_free[i];
        for (size_t k = p->first[i]; k < p->first[i + 1]; k++)
            all += p->edge[k].sum * p->edge[k].to_page;
        for (size_t k = p->first[i]; k < p->first[i + 1]; k++) {
            double others = fmax(all - p->edge[k].sum * p->edge[k].to_page, all * DBL_EPSILON);
            p->edge[k].to_value = p->edge[k].sum / others;
        }
    }
}

/* Of the edges [from, to) of one value: k pages that have it weigh WEIGHT_BROKEN^(k - 1). Over the other
 * pages' odds m, the sum of that without this page is 1 + (A - 1) / w, and with it A, where A is the
 * product of all 1 + w m. Returns the largest change. */
static double tell_pages(struct pages *p, size_t from, size_t to)
{
    const double w = WEIGHT_BROKEN;
    double all = 0, change = 0;
    for (size_t k = from; k < to; k++)
        all += log1p(w * p->edge[p->order[k]].to_value);
    for (size_t k = from; k < to; k++) {
        struct edge *edge = &p->edge[p->order[k]];
        double others = fmax(all - log1p(w * edge->to_value), 0);
        double minus_one = expm1(fmin(others, 600)), told = (1 + minus_one) / (1 + minus_one / w);
        change = fmax(change, fabs(told - edge->to_page));
        edge->to_page = told;
    }
    return change;
}

static void propagate(struct pages *p)
{
    double change = 1;
    for (int round = 0; round < MAX_ROUNDS && change > MIN_CHANGE; round++) {
        change = 0;
        tell_values(p);
        for (size_t from = 0, to; from < p->edges; from = to) {
            int value = p->edge[p->order[from]].value;
            for (to = from + 1; to < p->edges && p->edge[p->order[to]].value == value;)
                to++;
            if (to - from > 1)
                change = fmax(change, tell_pages(p, from, to));
        }
    }
}

static int set_told(struct pages *p, struct err *e)
{
    struct column *c = p->c;
    for (size_t i = 0; i < c->n; i++) {
        if (!(c->told[i] = ones(c->states[i].n)))
            return err_set(e, "out of memory");
        for (size_t k = p->first[i]; k < p->first[i + 1]; k++)
            c->told[i][p->edge[k].state] = p->edge[k].to_page;
    }
    return 0;
}

/* ---- the assignment ---- */

/* Places 0 to values - 1 are the values, values + i is page i's own. */
struct assignment {
    struct pages *p;
    size_t *owner;       /* [places] page + 1; 0: nobody */
    size_t *place;       /* [n] of each page */
    double *own;         /* [n] cost of its own place */
    double *price, *profit; /* dual variables of places and pages */
    double *distance;    /* [places] from the page that is placed; infinite: not reached */
    size_t *from;        /* [places] the page it was reached from */
    bool *done;          /* [places] */
    size_t *reached, n_reached; /* [places] */
};

static double cost(double weight)
{
    return weight > 0 ? -log(weight) : INFINITY;
}

/* A page's own place: a state without a number, or its best value though another page has it. */
static double own_weight(const struct pages *p, size_t page, int *state)
{
    const struct column *c = p->c;
    double best = largest(c->best[page], c->states[page].n), most = -1;
    for (size_t s = 0; s < c->states[page].n; s++) {
        double weight = c->best[page][s] / best *
                        (state_counts(&c->states[page].state[s]) ? WEIGHT_BROKEN : 1);
        if (weight > most) {
            most = weight;
            *state = (int)s;
        }
    }
    return most;
}

static void reach(struct assignment *a, size_t place, size_t page, double distance)
{
    if (a->done[place] || distance >= a->distance[place])
        return;
    if (a->distance[place] == INFINITY)
        a->reached[a->n_reached++] = place;
    a->distance[place] = distance;
    a->from[place] = page;
}

/* Look from a page at `distance` at all places it may have. */
static void look(struct assignment *a, size_t page, double distance)
{
    const struct pages *p = a->p;
    size_t own = (size_t)p->values + page;
    for (size_t k = p->first[page]; k < p->first[page + 1]; k++) {
        size_t place = (size_t)p->edge[k].value;
        reach(a, place, page, distance + cost(p->edge[k].best) - a->profit[page] - a->price[place]);
    }
    reach(a, own, page, distance + a->own[page] - a->profit[page] - a->price[own]);
}

/* The nearest place not done; the reached ones are few. */
static size_t nearest(const struct assignment *a)
{
    size_t best = 0;
    double least = INFINITY;
    for (size_t i = 0; i < a->n_reached; i++) {
        size_t place = a->reached[i];
        if (!a->done[place] && a->distance[place] < least) {
            least = a->distance[place];
            best = place;
        }
    }
    return best;
}

/* Give each page on the path its new place, from the free end back. */
static void augment(struct assignment *a, size_t place, size_t start)
{
    for (size_t page;;) {
        page = a->from[place];
        size_t before = a->place[page];
        a->owner[place] = page + 1;
        a->place[page] = place;
        if (page == start)
            return;
        place = before;
    }
}

/* Place one page more by the shortest path (Dijkstra 1959, by reduced costs) to a free place. */
static void place_page(struct assignment *a, size_t page)
{
    size_t end;
    a->n_reached = 0;
    look(a, page, 0);
    for (;;) {
        end = nearest(a);
        a->done[end] = true;
        if (!a->owner[end])
            break;
        look(a, a->owner[end] - 1, a->distance[end]);
    }
    double length = a->distance[end];
    a->profit[page] += length;
    for (size_t i = 0; i < a->n_reached; i++) {
        size_t place = a->reached[i];
        if (a->done[place] && place != end) {
            a->price[place] += a->distance[place] - length;
            a->profit[a->owner[place] - 1] += length - a->distance[place];
        }
    }
    augment(a, end, page);
    for (size_t i = 0; i < a->n_reached; i++) {
        a->distance[a->reached[i]] = INFINITY;
        a->done[a->reached[i]] = false;
    }
}

static void take_choices(struct assignment *a)
{
    struct column *c = a->p->c;
    for (size_t i = 0; i < c->n; i++) {
        own_weight(a->p, i, &c->choice[i]);
        for (size_t k = a->p->first[i]; k < a->p->first[i + 1]; k++)
            if ((size_t)a->p->edge[k].value == a->place[i])
                c->choice[i] = a->p->edge[k].state;
    }
}

static int assign(struct pages *p, struct err *e)
{
    size_t n = p->c->n, places = (size_t)p->values + n + 1;
    struct assignment a = {.p = p, .owner = calloc(places, sizeof *a.owner),
                           .place = calloc(n + 1, sizeof *a.place), .own = calloc(n + 1, sizeof *a.own),
                           .price = calloc(places, sizeof *a.price),
                           .profit = calloc(n + 1, sizeof *a.profit),
                           .distance = malloc(places * sizeof *a.distance),
                           .from = calloc(places, sizeof *a.from), .done = calloc(places, sizeof *a.done),
                           .reached = calloc(places, sizeof *a.reached)};
    bool whole = a.owner && a.place && a.own && a.price && a.profit && a.distance && a.from && a.done &&
                 a.reached;
    for (size_t i = 0; whole && i < places; i++)
        a.distance[i] = INFINITY;
    for (size_t i = 0; whole && i < n; i++) {
        int state;
        a.own[i] = cost(own_weight(p, i, &state));
        place_page(&a, i);
    }
    if (whole)
        take_choices(&a);
    free(a.owner);
    free(a.place);
    free(a.own);
    free(a.price);
    free(a.profit);
    free(a.distance);
    free(a.from);
    free(a.done);
    free(a.reached);
    return whole ? 0 : err_set(e, "out of memory");
}

/* ---- both ---- */

/* Name the rule for all pages that share a value with another. */
static int find_broken(struct pages *p, struct err *e)
{
    struct column *c = p->c;
    size_t *holders = calloc((size_t)p->values + 1, sizeof *holders);
    if (!holders)
        return err_set(e, "out of memory");
    for (int twice = 0; twice < 2; twice++)
        for (size_t k = 0; k < p->edges; k++)
            if (p->edge[k].state == c->choice[p->edge[k].page]) {
                if (twice && holders[p->edge[k].value] > 1)
                    c->broken[p->edge[k].page] |= FORM_BROKEN_UNIQUE;
                holders[p->edge[k].value] += !twice;
            }
    free(holders);
    return 0;
}

int column_unique(struct column *c, struct err *e)
{
    struct pages p = {.c = c};
    int status = fill_edges(&p, e) || number_values(&p, e) || assign(&p, e) || find_broken(&p, e) ? -1 : 0;
    if (status == 0) {
        propagate(&p);
        status = set_told(&p, e);
    }
    pages_free(&p);
    return status;
}
