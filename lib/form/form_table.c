/* From what was read in cells to rows. Cells are kept as odds, some 50 bytes each; when all are there, first
 * the fields with rules between pages are solved, one after the other, then each page by itself, told what
 * the other pages say. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "form_column.h"
#include "form_list.h"
#include "form_page.h"

#define MIN_SURE .5    /* From this probability of a reading on, its digits stand where boxes tell none. */
#define MIN_SEEN 1e-4  /* A reading whose boxes are less probable is doubtful: rules alone speak for it. */

#define MIN_OTHER 5e-5 /* From this probability on a reading is named beside the best. */

struct row {
    struct form_row out;
    char *key, *sources, *frames;
    const char *page;        /* within key; NULL: numbered */
    char number[24];
    struct odds *odds;       /* [cells of all fields] */
    bool *seen;              /* [cells of all fields] */
    int *came;               /* [fields] cells that came, those beyond the field's boxes too */
    int last;                /* place of the last cell that came among those of all fields; -1: none yet */
};

struct form_table {
    const struct form *form;
    struct row **row;        /* [rows] */
    struct row *open;        /* of pages without a number: the one whose sheets are coming; or NULL */
    size_t rows, row_room;
    size_t *bucket, buckets; /* a hash table of keys: row + 1, the newest of its key */
    int *first, cells;       /* [fields] each field's first cell among those of all fields; their number */
    struct column **column;  /* [fields] NULL: no rule between pages */
    bool ruled[FORM_MAX_FIELDS]; /* a rule `=` touches the field */
    double threshold;
    int best;
};

/* ---- memory ---- */

struct form_table *form_table_new(const struct form *form, struct err *e)
{
    struct form_table *t = calloc(1, sizeof *t);
    if (t) {
        t->form = form;
        t->first = calloc((size_t)form->fields, sizeof *t->first);
        t->column = calloc((size_t)form->fields, sizeof *t->column);
    }
    if (!t || !t->first || !t->column) {
        err_set(e, "out of memory");
        form_table_free(t);
        return NULL;
    }
    for (int i = 0; i < form->fields; i++) {
        t->first[i] = t->cells;
        t->cells += form_cells(&form->field[i]);
        for (int k = 0; form->field[i].equals && k < form->fields; k++)
            t->ruled[k] |= k == i || expression_uses(form->field[i].equals, k);
    }
    return t;
}

static void row_free(struct row *r, int fields)
{
    for (int i = 0; r->out.answer && i < fields; i++)
        free(r->out.answer[i].other);
    free(r->out.answer);
    free(r->key);
    free(r->sources);
    free(r->frames);
    free(r->odds);
    free(r->seen);
    free(r->came);
    free(r);
}

void form_table_free(struct form_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->rows; i++)
        row_free(t->row[i], t->form->fields);
    for (int i = 0; t->column && i < t->form->fields; i++)
        column_free(t->column[i]);
    free(t->row);
    free(t->bucket);
    free(t->first);
    free(t->column);
    free(t);
}

static struct row *row_new(const struct form_table *t, const char *key, bool page)
{
    struct row *r = calloc(1, sizeof *r);
    size_t fields = (size_t)t->form->fields, cells = (size_t)t->cells;
    if (!r)
        return NULL;
    r->key = strdup(key);
    r->out.answer = calloc(fields, sizeof *r->out.answer);
    r->odds = calloc(cells, sizeof *r->odds);
    r->seen = calloc(cells, sizeof *r->seen);
    r->came = calloc(fields, sizeof *r->came);
    if (!r->key || !r->out.answer || !r->odds || !r->seen || !r->came) {
        row_free(r, t->form->fields);
        return NULL;
    }
    r->page = page ? r->key : NULL;
    r->last = -1;
    return r;
}

/* ---- adding ---- */

void form_add_class(struct form_evidence *evidence, const char *label, double probability)
{
    if (label[0] >= '0' && label[0] <= '9' && !label[1])
        evidence->digit[label[0] - '0'] += probability;
    else
        evidence->other += probability;
}

/* FNV-1a. */
static size_t hash(const char *text)
{
    uint64_t h = 14695981039346656037u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return (size_t)(h ^ h >> 32);
}

/* The bucket of a key: that of its newest row, or the free one where it belongs. */
static size_t *find_bucket(const struct form_table *t, const char *key)
{
    size_t i = hash(key) % t->buckets;
    while (t->bucket[i] && strcmp(t->row[t->bucket[i] - 1]->key, key))
        i = (i + 1) % t->buckets;
    return &t->bucket[i];
}

static int enlarge_buckets(struct form_table *t, struct err *e)
{
    size_t buckets = t->buckets ? 2 * t->buckets : 64;
    size_t *bucket = calloc(buckets, sizeof *bucket);
    if (!bucket)
        return err_set(e, "out of memory");
    free(t->bucket);
    t->bucket = bucket;
    t->buckets = buckets;
    for (size_t i = 0; i < t->rows; i++)
        *find_bucket(t, t->row[i]->key) = i + 1;
    return 0;
}

static struct row *add_row(struct form_table *t, const char *key, bool page, struct err *e)
{
    if (2 * t->rows >= t->buckets && enlarge_buckets(t, e))
        return NULL;
    if (grow_to(&t->row, t->rows + 1, &t->row_room, sizeof *t->row, e))
        return NULL;
    struct row *r = row_new(t, key, page);
    if (!r) {
        err_set(e, "out of memory");
        return NULL;
    }
    size_t *bucket = find_bucket(t, key);
    if (*bucket)
        r->out.twice = t->row[*bucket - 1]->out.twice = true;
    snprintf(r->number, sizeof r->number, "%zu", t->rows + 1);
    t->row[t->rows++] = r;
    *bucket = t->rows;
    return r;
}

/* Add a word to a list of them, unless it is the last one. *whether says that it must be, or is, added. */
static int add_word(char **words, const char *word, bool *whether)
{
    size_t len = *words ? strlen(*words) : 0, more = strlen(word);
    if (!*whether && len >= more && !strcmp(*words + len - more, word) &&
        (len == more || (*words)[len - more - 1] == ' '))
        return 0;
    *whether = true;
    char *grown = realloc(*words, len + more + 2);
    if (!grown)
        return -1;
    *words = grown;
    sprintf(grown + len, "%s%s", len ? " " : "", word);
    return 0;
}

static int add_source(struct row *r, const struct form_evidence *evidence)
{
    char frame[24] = "-";
    bool added = false;
    if (evidence->frame >= 0)
        snprintf(frame, sizeof frame, "%lld", evidence->frame);
    const char *last = r->frames ? strrchr(r->frames, ' ') : NULL;
    last = last ? last + 1 : r->frames;
    added = last && strcmp(last, frame) != 0; /* another frame of one source */
    return add_word(&r->sources, evidence->source ? evidence->source : "-", &added) ||
                   (added && add_word(&r->frames, frame, &added))
               ? -1
               : 0;
}

static int check_evidence(const struct form_table *t, const struct form_evidence *evidence, int field,
                          struct err *e)
{
    const struct form *form = t->form;
    double sum = evidence->other;
    bool good = isfinite(evidence->other) && evidence->other >= 0;
    for (int i = 0; i < 10; i++) {
        good &= isfinite(evidence->digit[i]) && evidence->digit[i] >= 0;
        sum += evidence->digit[i];
    }
    if (field < 0)
        return err_set(e, "field '%.40s' is not in %s", evidence->field, form->name);
    if (form->paper && evidence->cell >= form_cells(&form->field[field]))
        return err_set(e, "cell %d of field '%s', which has %d: is it %s that was printed?",
                       evidence->cell, evidence->field, form_cells(&form->field[field]), form->name);
    if (!evidence->empty && (!good || sum <= 0 || sum > 1.5))
        return err_set(e, "field '%s': no probabilities of digits", evidence->field);
    return 0;
}

/* The row of cells with the fact `page`, or of a picture of a form that others printed: the newest of its
 * key, unless it has the cell at `place` already. */
static struct row *find_row(struct form_table *t, const char *key, bool page, int place, struct err *e)
{
    size_t *bucket = t->buckets ? find_bucket(t, key) : NULL;
    struct row *r = bucket && *bucket ? t->row[*bucket - 1] : NULL;
    return r && (place < 0 || !r->seen[place]) ? r : add_row(t, key, page, e);
}

/* The row of a sheet without a number: sheets come in order, so that cells that do not go on are the next
 * row's. */
static struct row *open_row(struct form_table *t, const char *key, int place, struct err *e)
{
    if (!t->open || place <= t->open->last)
        t->open = add_row(t, key, false, e);
    return t->open;
}

/* A page is known by its fact, else by source and frame, with a tab between, which is in no page's name. */
static struct row *row_of(struct form_table *t, const struct form_evidence *evidence, int place, struct err *e)
{
    const char *source = evidence->source ? evidence->source : "-";
    size_t size = strlen(evidence->page ? evidence->page : source) + 32;
    char *key = malloc(size);
    if (!key) {
        err_set(e, "out of memory");
        return NULL;
    }
    if (evidence->page)
        snprintf(key, size, "%s", evidence->page);
    else
        snprintf(key, size, "%s\t%lld", source, evidence->frame);
    bool numbered = evidence->page || !t->form->paper || place < 0;
    struct row *r = numbered ? find_row(t, key, evidence->page != NULL, place, e)
                             : open_row(t, key, place, e);
    free(key);
    return r;
}

int form_table_add(struct form_table *t, const struct form_evidence *evidence, struct err *e)
{
    int field = form_find(t->form, evidence->field);
    if (check_evidence(t, evidence, field, e))
        return -1;
    int cells = form_cells(&t->form->field[field]), cell = evidence->cell;
    struct row *r = row_of(t, evidence, cell >= 0 && cell < cells ? t->first[field] + cell : -1, e);
    if (!r)
        return -1;
    if (add_source(r, evidence))
        return err_set(e, "out of memory");
    cell = cell < 0 ? r->came[field] : cell;
    r->came[field]++;
    if (cell < cells) {
        r->last = t->first[field] + cell;
        r->odds[r->last] = odds_of(evidence);
        r->seen[r->last] = true;
    }
    return 0;
}

/* ---- deciding ---- */

/* A field that says nothing, and stands in nobody's way. */
static int set_other(struct states *s, unsigned broken, struct err *e)
{
    *s = (struct states){.state = malloc(sizeof *s->state), .n = 1, .room = 1};
    if (!s->state)
        return err_set(e, "out of memory");
    s->state[0] = (struct state){.p = 1, .top = 1, .seen = 1, .entry = -1, .written = STATE_OTHER,
                                 .broken = broken};
    return 0;
}

/* Bring what came of a field to the right end of its boxes when others printed the form, and count cells
 * that did not come as unknown when we did. */
static void settle_cells(const struct form_table *t, struct row *r, int field)
{
    int cells = form_cells(&t->form->field[field]), came = r->came[field];
    struct odds *odds = r->odds + t->first[field];
    bool *seen = r->seen + t->first[field];
    struct form_evidence nothing = {.empty = true};
    if (!t->form->paper && came > 0 && came < cells && !seen[cells - 1]) {
        memmove(odds + cells - came, odds, (size_t)came * sizeof *odds);
        memset(seen, true, (size_t)cells * sizeof *seen);
        for (int i = 0; i < cells - came; i++)
            odds[i] = odds_of(&nothing);
    }
    for (int i = 0; i < cells; i++)
        if (!seen[i])
            odds[i] = odds_unknown();
}

static unsigned missing(const struct form_table *t, const struct row *r, int field)
{
    for (int i = 0; i < form_cells(&t->form->field[field]); i++)
        if (!r->seen[t->first[field] + i])
            return FORM_MISSING;
    return 0;
}

static int find_states(const struct form_table *t, const struct row *r, int field, struct states *s,
                       struct err *e)
{
    const struct form_field *f = &t->form->field[field];
    if (!r->came[field])
        return set_other(s, FORM_MISSING, e);
    if (r->came[field] > form_cells(f))
        return set_other(s, FORM_BROKEN_BOXES, e);
    return states_find(s, f, r->odds + t->first[field], e);
}

static void forget_states(struct page *p)
{
    for (int i = 0; i < p->form->fields; i++) {
        free(p->states[i].state);
        p->states[i] = (struct states){0};
    }
}

/* The states of a field that other pages have told their weights; 0: they say nothing of it, or the page is
 * not filled with it. */
static size_t told_states(const struct form_table *t, size_t row, int field, const struct page *p)
{
    const struct column *c = t->column[field];
    return c && p->states[field].n == c->states[row].n ? p->states[field].n : 0;
}

/* Fill a page with a row: all fields, or only those that the rules join with `field`; the others say
 * nothing. What other pages tell is part of the prior. */
static int fill_page(const struct form_table *t, size_t row, int field, struct page *p, struct err *e)
{
    forget_states(p);
    for (int i = 0; i < t->form->fields; i++) {
        bool needed = field < 0 || i == field || (t->ruled[i] && t->ruled[field]);
        if (needed ? find_states(t, t->row[row], i, &p->states[i], e) : set_other(&p->states[i], 0, e))
            return -1;
    }
    if (page_reset(p, e))
        return -1;
    for (int i = 0; i < t->form->fields; i++)
        for (size_t s = 0; s < told_states(t, row, i, p); s++)
            p->prior[i][s] *= t->column[i]->told[row][s];
    return 0;
}

/* Leave fields whose rules between pages are decided no choice. */
static void fix_choices(const struct form_table *t, size_t row, struct page *p)
{
    for (int i = 0; i < t->form->fields; i++)
        for (size_t s = 0; s < told_states(t, row, i, p); s++)
            if ((int)s != t->column[i]->choice[row])
                p->prior[i][s] = 0;
}

static int fill_column(struct form_table *t, int field, struct column *c, struct page *p, struct err *e)
{
    for (size_t i = 0; i < t->rows; i++) {
        if (fill_page(t, i, field, p, e))
            return -1;
        size_t n = p->states[field].n;
        c->sum[i] = malloc(n * sizeof **c->sum);
        c->best[i] = malloc(n * sizeof **c->best);
        if (!c->sum[i] || !c->best[i])
            return err_set(e, "out of memory");
        if (page_infer(p, SUM, e))
            return -1;
        page_belief(p, field, c->sum[i]);
        fix_choices(t, i, p);
        if (page_infer(p, MAX, e))
            return -1;
        page_belief(p, field, c->best[i]);
        c->states[i] = p->states[field];
        p->states[field] = (struct states){0};
    }
    return 0;
}

static int solve_columns(struct form_table *t, struct page *p, struct err *e)
{
    for (int i = 0; i < t->form->fields; i++) {
        const struct form_field *f = &t->form->field[i];
        if (!f->unique && !f->rising)
            continue;
        struct column *c = column_new(f, t->rows, e);
        if (!c)
            return -1;
        if (fill_column(t, i, c, p, e) || column_solve(c, e)) {
            column_free(c);
            return -1;
        }
        t->column[i] = c;
    }
    return 0;
}

/* ---- rows ---- */

static void set_reading(const struct form_table *t, const struct row *r, int field, const struct state *s,
                        double probability, bool sure, struct form_reading *reading)
{
    reading->probability = fmin(probability, 1);
    state_text(&t->form->field[field], s, r->odds + t->first[field], sure, reading->text);
    if (!r->came[field] || !reading->text[0])
        strcpy(reading->text, "-");
}

/* The most probable readings of a field, the one that stands first. */
static int add_others(const struct form_table *t, const struct row *r, int field, const struct states *s,
                      double *belief, double total, int choice, struct err *e)
{
    struct form_answer *a = &r->out.answer[field];
    a->other = calloc((size_t)t->best + 1, sizeof *a->other);
    if (!a->other)
        return err_set(e, "out of memory");
    for (size_t next = (size_t)choice;
         a->others < t->best && (!a->others || belief[next] >= MIN_OTHER * total);) {
        if (s->state[next].written >= 0 || (int)next == choice)
            set_reading(t, r, field, &s->state[next], belief[next] / total, true, &a->other[a->others++]);
        belief[next] = -1;
        for (size_t i = 0; i < s->n; i++)
            next = belief[i] > belief[next] ? i : next;
    }
    return 0;
}

static int set_answer(const struct form_table *t, size_t row, const struct page *p, int field, int choice,
                      double *belief, struct err *e)
{
    const struct row *r = t->row[row];
    const struct states *s = &p->states[field];
    const struct state *state = &s->state[choice];
    struct form_answer *a = &r->out.answer[field];
    double total = 0;
    for (size_t i = 0; i < s->n; i++)
        total += belief[i];
    bool told = state->written != STATE_REST;
    double probability = told && total > 0 ? belief[choice] / total : 0;
    a->entry = state->entry;
    a->broken |= state->broken | missing(t, r, field);
    if (t->column[field])
        a->broken |= t->column[field]->broken[row];
    set_reading(t, r, field, state, probability, probability >= MIN_SURE, &a->reading);
    a->doubtful |= a->broken || r->out.twice || probability < t->threshold || state->seen < MIN_SEEN;
    return a->doubtful && t->best ? add_others(t, r, field, s, belief, total, choice, e) : 0;
}

/* A broken rule `=` is named at its field, and all fields in it are doubtful. */
static void name_broken(const struct form_table *t, struct row *r, const struct page *p, const int *choice)
{
    for (int f = 0; f < p->factors; f++) {
        int field = p->rule[f];
        if (page_keeps(p, f, choice))
            continue;
        r->out.answer[field].broken |= FORM_BROKEN_EQUALS;
        for (int i = 0; i < t->form->fields; i++)
            if (expression_uses(t->form->field[field].equals, i))
                r->out.answer[i].doubtful = true;
    }
}

struct solution {
    int choice[FORM_MAX_FIELDS];
    double *belief[FORM_MAX_FIELDS]; /* NULL or owned */
};

static int find_beliefs(const struct page *p, struct solution *s, struct err *e)
{
    for (int i = 0; i < p->form->fields; i++) {
        free(s->belief[i]);
        if (!(s->belief[i] = malloc((p->states[i].n + 1) * sizeof *s->belief[i])))
            return err_set(e, "out of memory");
        page_belief(p, i, s->belief[i]);
    }
    return 0;
}

static int solve_row(struct form_table *t, size_t row, struct page *p, struct solution *s, struct err *e)
{
    struct row *r = t->row[row];
    if (fill_page(t, row, -1, p, e) || page_infer(p, SUM, e) || find_beliefs(p, s, e))
        return -1;
    double total = page_log_total(p);
    fix_choices(t, row, p);
    if (page_best(p, s->choice, e))
        return -1;
    r->out.probability = fmin(exp(page_log_weight(p, s->choice) - total), 1);
    name_broken(t, r, p, s->choice);
    for (int i = 0; i < t->form->fields; i++) {
        if (p->states[i].state[s->choice[i]].written == STATE_REST)
            r->out.probability = 0;
        if (set_answer(t, row, p, i, s->choice[i], s->belief[i], e))
            return -1;
    }
    r->out.page = r->page ? r->page : r->number;
    r->out.source = r->sources;
    r->out.frame = r->frames;
    return 0;
}

int form_table_solve(struct form_table *t, double threshold, int best, struct err *e)
{
    struct page *p = page_new(t->form, e);
    struct solution *s = calloc(1, sizeof *s);
    int status = p && s ? 0 : err_set(e, "out of memory");
    t->threshold = threshold;
    t->best = best;
    for (size_t i = 0; status == 0 && i < t->rows; i++)
        for (int k = 0; k < t->form->fields; k++)
            settle_cells(t, t->row[i], k);
    if (status == 0)
        status = solve_columns(t, p, e);
    for (size_t i = 0; status == 0 && i < t->rows; i++)
        status = solve_row(t, i, p, s, e);
    if (p)
        forget_states(p);
    for (int i = 0; s && i < FORM_MAX_FIELDS; i++)
        free(s->belief[i]);
    free(s);
    page_free(p);
    return status;
}

size_t form_table_rows(const struct form_table *t)
{
    return t->rows;
}

const struct form_row *form_table_row(const struct form_table *t, size_t i)
{
    return &t->row[i]->out;
}

const char *form_broken_word(enum form_broken rule)
{
    switch (rule) {
    case FORM_BROKEN_EMPTY: return "empty";
    case FORM_BROKEN_BOXES: return "boxes";
    case FORM_BROKEN_MIN: return "min";
    case FORM_BROKEN_MAX: return "max";
    case FORM_BROKEN_CHECK: return "check";
    case FORM_BROKEN_IN: return "in";
    case FORM_BROKEN_EQUALS: return "=";
    case FORM_BROKEN_UNIQUE: return "unique";
    case FORM_BROKEN_RISING: return "rising";
    case FORM_MISSING: return "missing";
    }
    return "";
}
