/* Messages of an expression: sums and products of independent fields are convolutions, done node by node
 * from the fields up (inside), and the weight that the rest of the rule gives to a node's value from the
 * whole down (outside), which for a field is what it is told. */
#include "form_page.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIN_INSIDE 1e-13 /* A value of a node that weighs less, beside the node's best, is left out. */
#define MAX_SIDE 1024    /* Where an operator's sides make more pairs of values than the square of this, the */
                         /* heaviest so many of each are looked at, or more of one where the other has fewer. */
#define MIN_CHANGE 1e-14 /* A message has changed when a weight in it, of at most 1, did by more. */
#define MAX_SWEEPS 40    /* So many times at most all factors speak; graphs without loops need fewer. */
#define MAX_TIE 1e-9     /* Two weights are equal when they differ by no larger a part. */

/* ---- memory ---- */

static bool touches(const struct page *p, int factor, int field)
{
    return p->rule[factor] == field || expression_uses(p->form->field[p->rule[factor]].equals, field);
}

struct page *page_new(const struct form *form, struct err *e)
{
    struct page *p = calloc(1, sizeof *p);
    size_t fields = (size_t)form->fields;
    bool whole = p != NULL;
    for (int i = 0; whole && i < form->fields; i++)
        p->factors += form->field[i].equals != NULL;
    if (whole) {
        p->form = form;
        p->rule = calloc((size_t)p->factors + 1, sizeof *p->rule);
        p->states = calloc(fields, sizeof *p->states);
        p->prior = calloc(fields, sizeof *p->prior);
        p->message = calloc((size_t)p->factors + 1, sizeof *p->message);
        p->log_total = calloc((size_t)p->factors + 1, sizeof *p->log_total);
        p->awake = calloc((size_t)p->factors + 1, sizeof *p->awake);
        whole = p->awake && p->rule && p->states && p->prior && p->message && p->log_total;
    }
    for (int i = 0, factor = 0; whole && i < form->fields; i++)
        if (form->field[i].equals) {
            p->rule[factor] = i;
            whole = (p->message[factor++] = calloc(fields, sizeof **p->message)) != NULL;
        }
    if (whole)
        return p;
    err_set(e, "out of memory");
    page_free(p);
    return NULL;
}

static void free_arrays(struct page *p)
{
    for (int i = 0; p->prior && i < p->form->fields; i++) {
        free(p->prior[i]);
        p->prior[i] = NULL;
    }
    for (int f = 0; p->message && f < p->factors; f++)
        for (int i = 0; p->message[f] && i < p->form->fields; i++) {
            free(p->message[f][i]);
            p->message[f][i] = NULL;
        }
}

void page_free(struct page *p)
{
    if (!p)
        return;
    free_arrays(p);
    for (int f = 0; p->message && f < p->factors; f++)
        free(p->message[f]);
    for (int i = 0; i < EXPRESSION_MAX_NODES; i++) {
        bag_free(&p->inside[i]);
        bag_free(&p->outside[i]);
    }
    free(p->rule);
    free(p->states);
    free(p->prior);
    free(p->message);
    free(p->log_total);
    free(p->awake);
    free(p);
}

int page_reset(struct page *p, struct err *e)
{
    free_arrays(p);
    for (int i = 0; i < p->form->fields; i++) {
        size_t n = p->states[i].n;
        if (!(p->prior[i] = ones(n)))
            return err_set(e, "out of memory");
        for (size_t s = 0; s < n; s++)
            p->prior[i][s] = p->states[i].state[s].p;
        for (int f = 0; f < p->factors; f++)
            if (touches(p, f, i) && !(p->message[f][i] = ones(n)))
                return err_set(e, "out of memory");
    }
    return 0;
}

/* ---- one factor ---- */

/* What a field says to a factor about its state s: all but what that factor told it. */
static double incoming(const struct page *p, int field, int factor, size_t s)
{
    double weight = p->prior[field][s];
    for (int f = 0; f < p->factors; f++)
        if (f != factor && p->message[f][field])
            weight *= p->message[f][field][s];
    return weight;
}

/* A factor at work. Of its inputs, the fields in the expression, the weight of all states and of those
 * that are numbers or empty; the same of the field whose rule it is, where empty is free of it. */
struct work {
    struct page *p;
    enum semiring ring;
    int factor, field;
    const struct form_expression *x;
    double all[EXPRESSION_MAX_NODES], number[EXPRESSION_MAX_NODES], other[EXPRESSION_MAX_NODES];
    double field_all, field_number, field_free;
    struct err *e;
};

static bool is_number(const struct state *s)
{
    return s->written != STATE_OTHER;
}

/* Is a field free of its own rule? */
static bool is_free(const struct state *s)
{
    return s->written == STATE_EMPTY || s->written == STATE_OTHER;
}

static int fill_input(struct work *w, int node)
{
    int field = w->x->node[node].field;
    const struct states *states = &w->p->states[field];
    struct bag *bag = &w->p->inside[node];
    w->all[node] = w->number[node] = w->other[node] = 0;
    for (size_t s = 0; s < states->n; s++) {
        double weight = incoming(w->p, field, w->factor, s);
        const struct state *state = &states->state[s];
        w->all[node] = join(w->ring, w->all[node], weight);
        if (!is_number(state)) {
            w->other[node] = join(w->ring, w->other[node], weight);
            continue;
        }
        w->number[node] = join(w->ring, w->number[node], weight);
        if (weight > 0 && state->written != STATE_REST && bag_add(bag, state_counts(state) ? state->value : 0, weight, w->ring, w->e))
            return -1;
    }
    return 0;
}

static double heaviest(const struct bag *b)
{
    double most = 0;
    for (size_t i = 0; i < b->n; i++)
        most = fmax(most, b->weight[i]);
    return most;
}

/* Leave out the least of both sides' values, so that they do not make too many pairs. */
static int limit_pairs(struct bag *left, struct bag *right, struct err *e)
{
    struct bag *less = left->n < right->n ? left : right, *more = less == left ? right : left;
    size_t pairs = MAX_SIDE * MAX_SIDE, most = less->n < MAX_SIDE ? less->n : MAX_SIDE;
    if (more->n == 0 || less->n <= pairs / more->n)
        return 0;
    return bag_keep(less, most, e) || bag_keep(more, pairs / most, e) ? -1 : 0;
}

/* The convolution of both sides of an operator. */
static int combine(struct work *w, int node)
{
    const struct form_node *n = &w->x->node[node];
    struct bag *left = &w->p->inside[n->left], *right = &w->p->inside[n->right];
    if (limit_pairs(left, right, w->e))
        return -1;
    double least = heaviest(left) * heaviest(right) * MIN_INSIDE;
    for (size_t i = 0; i < left->n; i++)
        for (size_t j = 0; j < right->n; j++) {
            double weight = left->weight[i] * right->weight[j];
            if (weight > least &&
                bag_add(&w->p->inside[node], expression_apply(n, left->key[i], right->key[j]), weight,
                        w->ring, w->e))
                return -1;
        }
    return 0;
}

static int find_inside(struct work *w)
{
    for (int i = 0; i < w->x->nodes; i++) {
        const struct form_node *n = &w->x->node[i];
        int status;
        if (bag_clear(&w->p->inside[i], n->least, n->most, w->e))
            return -1;
        if (n->kind == NODE_FIELD)
            status = fill_input(w, i);
        else if (n->kind == NODE_CONSTANT)
            status = bag_add(&w->p->inside[i], n->low, 1, w->ring, w->e);
        else
            status = combine(w, i);
        if (status)
            return -1;
    }
    return 0;
}

/* The weight that the other side and all above give to each value of an operator's side. */
static int divide(struct work *w, int node, bool left)
{
    const struct form_node *n = &w->x->node[node];
    int side = left ? n->left : n->right;
    const struct bag *mine = &w->p->inside[side], *others = &w->p->inside[left ? n->right : n->left];
    if (bag_clear(&w->p->outside[side], w->x->node[side].least, w->x->node[side].most, w->e))
        return -1;
    for (size_t i = 0; i < mine->n; i++) {
        double weight = 0;
        for (size_t j = 0; j < others->n; j++) {
            int64_t value = left ? expression_apply(n, mine->key[i], others->key[j])
                                 : expression_apply(n, others->key[j], mine->key[i]);
            weight = join(w->ring, weight, others->weight[j] * bag_weight(&w->p->outside[node], value));
        }
        if (weight > 0 && bag_add(&w->p->outside[side], mine->key[i], weight, w->ring, w->e))
            return -1;
    }
    return 0;
}

/* The field's own values, in the unit of the whole expression: what it may come to. */
static int fill_whole(struct work *w)
{
    const struct states *states = &w->p->states[w->field];
    const struct form_node *whole = &w->x->node[w->x->nodes - 1];
    struct bag *bag = &w->p->outside[w->x->nodes - 1];
    if (bag_clear(bag, whole->least, whole->most, w->e))
        return -1;
    w->field_all = w->field_number = w->field_free = 0;
    for (size_t s = 0; s < states->n; s++) {
        double weight = incoming(w->p, w->field, w->factor, s);
        w->field_all = join(w->ring, w->field_all, weight);
        if (is_free(&states->state[s])) {
            w->field_free = join(w->ring, w->field_free, weight);
            continue;
        }
        w->field_number = join(w->ring, w->field_number, weight);
        int64_t value = states->state[s].value * w->x->scale_field;
        int64_t come_to = value / w->x->scale;
        if (weight > 0 && state_counts(&states->state[s]) && value % w->x->scale == 0 &&
            come_to >= whole->least && come_to <= whole->most &&
            bag_add(bag, come_to, weight, w->ring, w->e))
            return -1;
    }
    return 0;
}

static int find_outside(struct work *w)
{
    if (fill_whole(w))
        return -1;
    for (int i = w->x->nodes - 1; i >= 0; i--) {
        bool sides = w->x->node[i].kind >= NODE_PLUS;
        if (sides && (divide(w, i, true) || divide(w, i, false)))
            return -1;
    }
    return 0;
}

/* Of all inputs but `skip` (-1: none): the weight with all of them numbers, and with one that is none. */
static void weigh_inputs(const struct work *w, int skip, double *numbers, double *none)
{
    *numbers = 1;
    *none = 0;
    for (int i = 0; i < w->x->nodes; i++) {
        if (i == skip || w->x->node[i].kind != NODE_FIELD)
            continue;
        *none = join(w->ring, *none * w->all[i], *numbers * w->other[i]);
        *numbers *= w->number[i];
    }
}

/* The weight of states of which `kept` keep the rule, `whole` all of them, exempt ones apart. */
static double soften(const struct work *w, double kept, double whole, double exempt)
{
    double broken = w->ring == SUM ? fmax(whole - kept, 0) : whole;
    return join(w->ring, join(w->ring, kept, WEIGHT_BROKEN * broken), exempt);
}

/* Set a message, its largest weight 1. Returns how much it changed. */
static double set_message(double *message, const double *to, size_t n)
{
    double most = 0, change = 0;
    for (size_t s = 0; s < n; s++)
        most = fmax(most, to[s]);
    for (size_t s = 0; s < n; s++) {
        double weight = most > 0 ? to[s] / most : 1;
        change = fmax(change, fabs(weight - message[s]));
        message[s] = weight;
    }
    return change;
}

static double tell_field(struct work *w, double *to)
{
    const struct states *states = &w->p->states[w->field];
    double numbers, none, total = 0;
    weigh_inputs(w, -1, &numbers, &none);
    for (size_t s = 0; s < states->n; s++) {
        const struct state *state = &states->state[s];
        int64_t value = state_counts(state) ? state->value * w->x->scale_field : 0;
        double kept = 0;
        if (is_free(state))
            kept = numbers;
        else if (state_counts(state) && value % w->x->scale == 0)
            kept = bag_weight(&w->p->inside[w->x->nodes - 1], value / w->x->scale);
        to[s] = soften(w, kept, numbers, none);
        total = join(w->ring, total, to[s] * incoming(w->p, w->field, w->factor, s));
    }
    w->p->log_total[w->factor] = log(fmax(total, DBL_MIN));
    return set_message(w->p->message[w->factor][w->field], to, states->n);
}

static double tell_input(struct work *w, int node, double *to)
{
    int field = w->x->node[node].field;
    const struct states *states = &w->p->states[field];
    double numbers, none;
    weigh_inputs(w, node, &numbers, &none);
    double exempt = join(w->ring, w->field_all * none, w->field_free * numbers);
    for (size_t s = 0; s < states->n; s++) {
        const struct state *state = &states->state[s];
        int64_t value = state_counts(state) ? state->value : 0;
        double kept = state->written == STATE_REST ? 0 : bag_weight(&w->p->outside[node], value);
        if (is_number(state))
            to[s] = soften(w, kept, numbers * w->field_number, exempt);
        else
            to[s] = join(w->ring, numbers, none) * w->field_all;
    }
    return set_message(w->p->message[w->factor][field], to, states->n);
}

/* Factors that share the field have something new to say. */
static void wake_others(struct page *p, int factor, int field)
{
    for (int f = 0; f < p->factors; f++)
        if (f != factor && p->message[f][field])
            p->awake[f] = true;
}

/* Send all messages of a factor. */
static int send(struct page *p, int factor, enum semiring ring, struct err *e)
{
    struct work *w = calloc(1, sizeof *w);
    double *to = malloc(most_states(p->states, (size_t)p->form->fields) * sizeof *to);
    int status = w && to ? 0 : err_set(e, "out of memory");
    if (status == 0) {
        w->p = p;
        w->ring = ring;
        w->factor = factor;
        w->field = p->rule[factor];
        w->x = p->form->field[w->field].equals;
        w->e = e;
        status = find_inside(w) || find_outside(w) ? -1 : 0;
    }
    if (status == 0) {
        if (tell_field(w, to) > MIN_CHANGE)
            wake_others(p, factor, w->field);
        for (int i = 0; i < w->x->nodes; i++)
            if (w->x->node[i].kind == NODE_FIELD && tell_input(w, i, to) > MIN_CHANGE)
                wake_others(p, factor, w->x->node[i].field);
    }
    free(to);
    free(w);
    return status;
}

/* ---- all of them ---- */

int page_infer(struct page *p, enum semiring ring, struct err *e)
{
    for (int f = 0; f < p->factors; f++) {
        p->awake[f] = true;
        for (int i = 0; i < p->form->fields; i++)
            for (size_t s = 0; p->message[f][i] && s < p->states[i].n; s++)
                p->message[f][i][s] = 1;
    }
    bool any = p->factors > 0;
    for (int sweep = 0; any && sweep < MAX_SWEEPS; sweep++) {
        any = false;
        for (int i = 0; i < p->factors; i++) {
            int factor = sweep % 2 ? p->factors - 1 - i : i;
            if (!p->awake[factor])
                continue;
            any = true;
            p->awake[factor] = false;
            if (send(p, factor, ring, e))
                return -1;
        }
    }
    return 0;
}

void page_belief(const struct page *p, int field, double *out)
{
    for (size_t s = 0; s < p->states[field].n; s++)
        out[s] = incoming(p, field, -1, s);
}

/* The best state of a field; *tied: another is as good. */
static int best_state(const struct page *p, int field, bool *tied)
{
    size_t best = 0;
    double most = -1;
    for (size_t s = 0; s < p->states[field].n; s++) {
        double weight = incoming(p, field, -1, s);
        if (weight > most * (1 + MAX_TIE)) {
            *tied = false;
            best = s;
            most = weight;
        } else if (weight >= most * (1 - MAX_TIE)) {
            *tied = true;
        }
    }
    return (int)best;
}

/* Where states of a field are equally good, the fields' choices might not fit together: choose one, and
 * ask the others again. */
static int choose(struct page *p, int field, int state, struct err *e)
{
    for (size_t s = 0; s < p->states[field].n; s++)
        if (s != (size_t)state)
            p->prior[field][s] = 0;
    return page_infer(p, MAX, e);
}

int page_best(struct page *p, int *choice, struct err *e)
{
    if (page_infer(p, MAX, e))
        return -1;
    for (int i = 0; i < p->form->fields; i++) {
        bool tied = false, ruled = false;
        choice[i] = best_state(p, i, &tied);
        for (int f = 0; f < p->factors; f++)
            ruled |= p->message[f][i] != NULL;
        if (tied && ruled && choose(p, i, choice[i], e))
            return -1;
    }
    return 0;
}

/* The value of an expression under a reading. False, when a field in it is no number: *kept says whether the
 * rule holds then. */
static bool evaluate(const struct page *p, const struct form_expression *x, const int *choice,
                     int64_t *value, bool *kept)
{
    int64_t at[EXPRESSION_MAX_NODES] = {0};
    for (int i = 0; i < x->nodes; i++) {
        const struct form_node *n = &x->node[i];
        at[i] = n->low;
        if (n->kind == NODE_FIELD) {
            const struct state *s = &p->states[n->field].state[choice[n->field]];
            *kept &= s->written != STATE_REST;
            if (!is_number(s)) {
                *kept = true;
                return false;
            }
            at[i] = state_counts(s) ? s->value : 0;
        } else if (n->kind != NODE_CONSTANT) {
            at[i] = expression_apply(n, at[n->left], at[n->right]);
        }
    }
    *value = at[x->nodes - 1];
    return true;
}

bool page_keeps(const struct page *p, int factor, const int *choice)
{
    int field = p->rule[factor];
    const struct form_expression *x = p->form->field[field].equals;
    const struct state *s = &p->states[field].state[choice[field]];
    int64_t value;
    bool kept = s->written != STATE_REST;
    if (is_free(s) || !evaluate(p, x, choice, &value, &kept) || !kept)
        return is_free(s) || kept;
    return value * x->scale == s->value * x->scale_field;
}

double page_log_weight(const struct page *p, const int *choice)
{
    double sum = 0;
    for (int i = 0; i < p->form->fields; i++)
        sum += log(p->prior[i][choice[i]]);
    for (int f = 0; f < p->factors; f++)
        sum += page_keeps(p, f, choice) ? 0 : log(WEIGHT_BROKEN);
    return sum;
}

/* Bethe's formula: the factors' totals, and the fields' once less for each factor they are in. */
double page_log_total(const struct page *p)
{
    double sum = 0;
    for (int i = 0; i < p->form->fields; i++) {
        double total = 0;
        int factors = 0;
        for (size_t s = 0; s < p->states[i].n; s++)
            total += incoming(p, i, -1, s);
        for (int f = 0; f < p->factors; f++)
            factors += p->message[f][i] != NULL;
        sum += (1 - factors) * log(total);
    }
    for (int f = 0; f < p->factors; f++)
        sum += p->log_total[f];
    return sum;
}
