/* The decoder against brute force: on small forms every way to fill every box is enumerated, weighed by the
 * rules as form(5) has them, and most probable reading and posteriors are compared. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "base/rng.h"
#include "form/form.h"
#include "form/form_check.h"
#include "form/form_states.h"

enum { FIELDS = 4, PAGES = 4, CLASSES = 1200, NOTHING = -1, NONSENSE = -2 };

/* All ways to write one value (NOTHING, NONSENSE) in a field. */
struct class {
    long long value;
    double weight;
};

struct field {
    int classes;
    struct class class[CLASSES];
};

struct trial {
    struct form *form;
    int pages;
    struct form_evidence cell[PAGES][FIELDS][4];
    struct field field[PAGES][FIELDS];
};

static const long long listed[] = {7, 12, 21, 70, 71};

/* ---- by brute force: one field ---- */

/* What these symbols spell: NOTHING, NONSENSE or a number, whose digits go to digit[*n]. */
static long long spelled(const struct form_field *f, const int *symbol, int *digit, int *n)
{
    long long value = 0;
    int cells = form_cells(f);
    *n = 0;
    for (int i = 0; i < cells; i++) {
        if (symbol[i] == SYMBOL_EMPTY) {
            if (*n || (f->decimals && i >= f->digits)) {
                bool all = true;
                for (int k = 0; k < cells; k++)
                    all &= symbol[k] == SYMBOL_EMPTY;
                return all ? NOTHING : NONSENSE;
            }
            continue;
        }
        digit[(*n)++] = symbol[i];
        value = value * 10 + symbol[i];
    }
    return *n ? value : NOTHING;
}

static double own_rules(const struct form_field *f, long long value, const int *digit, int n)
{
    double weight = 1;
    if (value == NOTHING)
        return f->blank ? 1 : WEIGHT_EMPTY;
    if (value == NONSENSE)
        return WEIGHT_BOXES;
    weight *= f->has_min && value < f->min ? WEIGHT_BROKEN : 1;
    weight *= f->has_max && value > f->max ? WEIGHT_BROKEN : 1;
    weight *= f->check && !check_passes(f->check, digit, n) ? WEIGHT_BROKEN : 1;
    bool in = !f->list_name;
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++)
        in |= value == listed[i];
    double outside = SHARE_OUTSIDE * 5 / pow(10, form_cells(f));
    return in ? weight : weight * fmin(outside, SHARE_OUTSIDE);
}

static void add(struct field *field, long long value, double weight)
{
    int i = 0;
    while (i < field->classes && field->class[i].value != value)
        i++;
    if (i == field->classes)
        field->class[field->classes++] = (struct class){value, 0};
    field->class[i].weight += weight;
}

static void enumerate_field(const struct form_field *f, const struct form_evidence *cell, struct field *out)
{
    int cells = form_cells(f), symbol[8], digit[8], n;
    long ways = 1;
    out->classes = 0;
    for (int i = 0; i < cells; i++)
        ways *= SYMBOLS;
    for (long way = 0; way < ways; way++) {
        double p = 1;
        long rest = way;
        for (int i = 0; i < cells; i++, rest /= SYMBOLS) {
            symbol[i] = (int)(rest % SYMBOLS);
            p *= odds_of(&cell[i]).p[symbol[i]];
        }
        long long value = spelled(f, symbol, digit, &n);
        add(out, value, p * own_rules(f, value, digit, n));
    }
}

/* ---- by brute force: pages ---- */

/* The rules between fields, by what each form of the trials says. */
typedef double page_rule(const long long *v);
typedef double pages_rule(const long long *v, int n);

static double times(bool kept)
{
    return kept ? 1 : WEIGHT_BROKEN;
}

static long long number(long long v)
{
    return v == NOTHING ? 0 : v;
}

static double no_rule(const long long *v)
{
    (void)v;
    return 1;
}

static double sum_rule(const long long *v)
{
    if (v[2] < 0 || v[0] == NONSENSE || v[1] == NONSENSE)
        return 1;
    return times(number(v[0]) + number(v[1]) == v[2]);
}

/* c = 10 - a + b, d = 2 * c */
static double two_rules(const long long *v)
{
    bool c = v[2] < 0 || v[0] == NONSENSE || v[1] == NONSENSE || 10 - number(v[0]) + number(v[1]) == v[2];
    bool d = v[3] < 0 || v[2] == NONSENSE || 2 * number(v[2]) == v[3];
    return times(c) * times(d);
}

/* c = a * b, with a in tenths and c in hundredths */
static double product_rule(const long long *v)
{
    if (v[2] < 0 || v[0] == NONSENSE || v[1] == NONSENSE)
        return 1;
    return times(number(v[0]) * number(v[1]) * 10 == v[2]);
}

static double unique_rule(const long long *v, int n)
{
    double weight = 1;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i && v[i] >= 0; k++)
            if (v[k] == v[i]) {
                weight *= WEIGHT_BROKEN;
                break;
            }
    return weight;
}

static double rising_rule(const long long *v, int n)
{
    double weight = 1;
    for (int i = 1; i < n; i++)
        weight *= times(v[i] < 0 || v[i - 1] < 0 || v[i] >= v[i - 1]);
    return weight;
}

struct truth {
    double total, best;
    double *weight[PAGES][FIELDS]; /* by class */
};

/* All readings of the trial, one after the other: page by page, field by field. */
struct walk {
    const struct trial *t;
    page_rule *page;
    pages_rule *pages; /* over field 0; NULL: none */
    struct truth *truth;
    int at[PAGES][FIELDS];
};

static double weigh(const struct walk *w)
{
    double weight = 1;
    long long first[PAGES];
    for (int i = 0; i < w->t->pages; i++) {
        long long v[FIELDS] = {0};
        for (int k = 0; k < w->t->form->fields; k++) {
            const struct class *c = &w->t->field[i][k].class[w->at[i][k]];
            weight *= c->weight;
            v[k] = c->value;
        }
        weight *= w->page(v);
        first[i] = v[0];
    }
    return w->pages ? weight * w->pages(first, w->t->pages) : weight;
}

static void walk(struct walk *w, int step)
{
    int fields = w->t->form->fields, page = step / fields, field = step % fields;
    if (page < w->t->pages) {
        for (int i = 0; i < w->t->field[page][field].classes; i++) {
            w->at[page][field] = i;
            walk(w, step + 1);
        }
        return;
    }
    double weight = weigh(w);
    w->truth->total += weight;
    w->truth->best = fmax(w->truth->best, weight);
    for (int i = 0; i < w->t->pages; i++)
        for (int k = 0; k < fields; k++)
            w->truth->weight[i][k][w->at[i][k]] += weight;
}

/* ---- comparing ---- */

/* The class that an answer names. */
static int class_of(const struct trial *t, int page, int field, const struct form_answer *a)
{
    long long value = NOTHING;
    const char *text = a->others ? a->other[0].text : a->reading.text;
    if (a->broken & FORM_BROKEN_BOXES) {
        value = NONSENSE;
    } else if (strcmp(text, "-")) {
        value = 0;
        for (const char *p = text; *p; p++)
            value = *p == '.' ? value : value * 10 + (*p - '0');
    }
    const struct field *f = &t->field[page][field];
    for (int i = 0; i < f->classes; i++)
        if (f->class[i].value == value)
            return i;
    return -1;
}

struct errors {
    double best, posterior, row;
    int bad;
};

static void compare(struct trial *t, struct walk *w, const struct form_table *table, struct errors *errors)
{
    double row[PAGES], product = 1;
    for (int i = 0; i < t->pages; i++) {
        const struct form_row *r = form_table_row(table, (size_t)i);
        row[i] = r->probability;
        product *= row[i];
        for (int k = 0; k < t->form->fields; k++) {
            int c = class_of(t, i, k, &r->answer[k]);
            if (c < 0) {
                errors->bad++;
                return;
            }
            w->at[i][k] = c;
            double error = fabs(r->answer[k].reading.probability - w->truth->weight[i][k][c] / w->truth->total);
            errors->posterior = fmax(errors->posterior, error);
        }
    }
    errors->best = fmax(errors->best, 1 - weigh(w) / w->truth->best);
    if (t->pages == 1)
        errors->row = fmax(errors->row, fabs(product - weigh(w) / w->truth->total));
}

/* What a network might say of a cell; `mess`: how unsure it is, from 0. */
static void draw_cell(struct form_evidence *cell, struct rng *rng, double mess)
{
    double sum = 0;
    memset(cell->digit, 0, sizeof cell->digit);
    cell->other = 0;
    cell->empty = rng_below(rng, 5) == 0;
    for (int i = 0; i < 10; i++)
        sum += cell->digit[i] = exp(rng_uniform(rng) * 8 / (mess + .2));
    if (rng_below(rng, 4) == 0)
        sum += cell->other = sum * rng_uniform(rng) * mess;
    for (int i = 0; i < 10; i++)
        cell->digit[i] /= sum;
    cell->other /= sum;
}

static void fill(struct trial *t, struct form_table *table, struct rng *rng, double mess)
{
    static char page[PAGES][16];
    struct err e = ERR_NONE;
    for (int i = 0; i < t->pages; i++)
        for (int k = 0; k < t->form->fields; k++) {
            const struct form_field *f = &t->form->field[k];
            for (int c = 0; c < form_cells(f); c++) {
                struct form_evidence *cell = &t->cell[i][k][c];
                snprintf(page[i], sizeof page[i], "%d", i + 1);
                *cell = (struct form_evidence){.page = page[i], .field = f->name, .cell = c, .frame = i};
                draw_cell(cell, rng, mess);
                form_table_add(table, cell, &e);
            }
            enumerate_field(f, t->cell[i][k], &t->field[i][k]);
        }
}

static void try(struct form *form, int pages, page_rule *page, pages_rule *rule, struct rng *rng, double mess,
                struct errors *errors)
{
    struct err e = ERR_NONE;
    struct trial *t = calloc(1, sizeof *t);
    struct truth truth = {0};
    struct form_table *table = form_table_new(form, &e);
    t->form = form;
    t->pages = pages;
    fill(t, table, rng, mess);
    if (form_table_solve(table, 1, 3, &e))
        errors->bad++;
    struct walk w = {.t = t, .page = page, .pages = rule, .truth = &truth};
    for (int i = 0; i < pages; i++)
        for (int k = 0; k < form->fields; k++)
            truth.weight[i][k] = calloc(CLASSES, sizeof(double));
    walk(&w, 0);
    compare(t, &w, table, errors);
    for (int i = 0; i < pages; i++)
        for (int k = 0; k < form->fields; k++)
            free(truth.weight[i][k]);
    form_table_free(table);
    free(t);
}

static struct form *parse(const char *text)
{
    struct err e = ERR_NONE;
    struct form *form = form_parse(text, strlen(text), "t.form", &e);
    if (!form || form_read_lists(form, &e))
        printf("# %s: %s\n", e.file, e.what);
    return form;
}

static void run(const char *name, const char *text, int pages, page_rule *page, pages_rule *rule, int times,
                double tolerance)
{
    struct form *form = parse(text);
    struct errors errors = {0};
    struct rng rng = rng_seed(7, 0);
    for (int i = 0; i < times; i++)
        try(form, pages, page, rule, &rng, i % 5 / 4.0, &errors);
    CHECK(!errors.bad && errors.best < 1e-6, "%s: the most probable reading of all (%g)", name, errors.best);
    CHECK(errors.posterior < tolerance, "%s: posteriors within %g", name, errors.posterior);
    CHECK(errors.row < tolerance, "%s: the row's probability within %g", name, errors.row);
    form_free(form);
}

/* ---- rules ---- */

/* Sums are within what readings weigh that are not told apart (MIN_WEIGHT), beside rules that are all broken;
 * unique is belief propagation. */
static void test_rules(const char *dir)
{
    char text[512];
    snprintf(text, sizeof text, "page a4\nfield a digits 2 in %s/list.tsv\n", dir);
    run("in", text, 1, no_rule, NULL, 200, 1e-6);
    run("no rule", "page a4\nfield a digits 3\n", 1, no_rule, NULL, 30, 1e-6);
    run("min, max, blank", "page a4\nfield a digits 2 min 11 max 31 blank\n", 1, no_rule, NULL, 200, 1e-6);
    run("a point", "page a4\nfield a digits 1.2 max 3.1 blank\n", 1, no_rule, NULL, 30, 1e-6);
    run("luhn", "page a4\nfield a digits 3 check luhn\n", 1, no_rule, NULL, 30, 1e-6);
    run("mod11", "page a4\nfield a digits 3 check mod11 max 500\n", 1, no_rule, NULL, 30, 1e-6);
    run("mod97", "page a4\nfield a digits 3 check mod97\n", 1, no_rule, NULL, 30, 1e-6);
    run("verhoeff", "page a4\nfield a digits 3 check verhoeff\n", 1, no_rule, NULL, 30, 1e-6);
    run("=", "page a4\nfield a digits 1\nfield b digits 2\nfield c digits 2 = a + b\n", 1, sum_rule, NULL, 100,
        1e-5);
    run("= of what may be blank",
        "page a4\nfield a digits 1 blank\nfield b digits 1 blank max 5\nfield c digits 2 blank = a + b\n", 1,
        sum_rule, NULL, 200, 1e-5);
    run("two = that share a field",
        "page a4\nfield a digits 1\nfield b digits 1\nfield c digits 2 = 10 - a + b\nfield d digits 2 = 2 * c\n",
        1, two_rules, NULL, 10, 1e-3);
    run("= with * and points", "page a4\nfield a digits 1.1\nfield b digits 1\nfield c digits 1.2 = a * b\n", 1,
        product_rule, NULL, 20, 1e-5);
    run("rising", "page a4\nfield a digits 1 rising\n", 4, no_rule, rising_rule, 100, 1e-6);
    run("rising and =", "page a4\nfield a digits 1 rising\nfield b digits 1\nfield c digits 1 = a + b\n", 2,
        sum_rule, rising_rule, 10, 1e-6);
    run("unique, of three pages", "page a4\nfield a digits 1 unique blank\n", 3, no_rule, unique_rule, 200, .1);
    run("unique, of four pages", "page a4\nfield a digits 1 unique\n", 4, no_rule, unique_rule, 60, .1);
    snprintf(text, sizeof text, "page a4\nfield a digits 2 in %s/list.tsv unique\n", dir);
    run("unique in a list", text, 2, no_rule, unique_rule, 60, .1);
}

int main(void)
{
    char dir[] = "/tmp/form-table-XXXXXX", name[64];
    if (!mkdtemp(dir))
        return 1;
    snprintf(name, sizeof name, "%s/list.tsv", dir);
    FILE *list = fopen(name, "w");
    fputs("number\tname\n7\tA\n12\tB\n21\tC\n70\tD\n71\tE\n", list);
    fclose(list);
    test_rules(dir);
    remove(name);
    remove(dir);
    return check_done();
}
