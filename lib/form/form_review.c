/* A table that a person corrects.
 *   in   the text of a table, the frames of its cells, what a person says they hold
 *   out  the text of the table, corrected
 * Cells stand by what was read in them, those that were read alike beside one another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "form.h"
#include "form_rows.h"

/* A field that is in check. */
struct item {
    size_t row;
    int field;
    int came;      /* the place behind the last cell of it that came */
    size_t unseen; /* cells of it that a person has neither accepted nor corrected */
    char read[FORM_MAX_CELLS], now[FORM_MAX_CELLS]; /* of each box: a digit, '?', or '-' for empty */
};

struct form_review {
    const struct form *form;
    struct rows rows;
    size_t *first; /* [rows.n + 1] the first item of a row */
    struct item *item;
    struct form_review_cell *cell;
    size_t items, cells, item_room, cell_room;
};

/* ---- readings and boxes ---- */

/* Put the digits of a reading into the boxes of f, those before the point as far right as they go. False: it
 * is no reading of them. */
static bool to_boxes(const struct form_field *f, const char *text, size_t len, char *box)
{
    const char *point = memchr(text, '.', len);
    int n = point ? f->digits + (int)(text + len - 1 - point) : form_cells(f);
    memset(box, '-', FORM_MAX_CELLS);
    if (len == 1 && *text == '-')
        return true;
    if (len == 0 || len >= FORM_NUMBER || n > form_cells(f))
        return false;
    for (size_t i = len; i-- > 0;) {
        if (text + i == point)
            continue;
        if (!memchr("0123456789?", text[i], 11) || n == 0)
            return false;
        box[--n] = text[i];
    }
    return true;
}

/* The boxes as a number. Returns text. */
static char *to_text(const struct form_field *f, const char *box, char text[FORM_NUMBER])
{
    int n = 0, written = 0;
    for (int i = 0; i < form_cells(f); i++) {
        if (f->decimals && i == f->digits) {
            if (!n)
                text[n++] = '0';
            text[n++] = '.';
        }
        if (box[i] == '-')
            continue;
        text[n++] = box[i];
        written++;
    }
    text[n] = '\0';
    return written ? text : strcpy(text, "-");
}

/* ---- what is in check ---- */

/* The field that a word of `check` names, "total:="; -1: none. */
static int field_of(const struct form *form, const char *word)
{
    char name[FORM_NAME];
    size_t len = strcspn(word, ": ");
    snprintf(name, sizeof name, "%.*s", (int)len, word);
    return len < sizeof name ? form_find(form, name) : -1;
}

static int add_item(struct form_review *r, size_t row, int field, struct err *e)
{
    const struct form_field *f = &r->form->field[field];
    const char *text = rows_value(&r->rows, row, 1 + (size_t)field);
    if (grow_to(&r->item, r->items + 1, &r->item_room, sizeof *r->item, e))
        return -1;
    struct item *item = &r->item[r->items++];
    *item = (struct item){.row = row, .field = field};
    if (!to_boxes(f, text, strlen(text), item->read))
        return err_set(e, "line %d: %s is '%.40s', which its %d boxes cannot hold", r->rows.line[row], f->name,
                       text, form_cells(f));
    memcpy(item->now, item->read, sizeof item->now);
    return 0;
}

/* Is it among the items of the row that is being listed? */
static bool is_listed(const struct form_review *r, size_t row, int field)
{
    for (size_t i = r->first[row]; i < r->items; i++)
        if (r->item[i].field == field)
            return true;
    return false;
}

static int list_items(struct form_review *r, size_t row, struct err *e)
{
    r->first[row] = r->items;
    if (row == 0) /* the columns' names */
        return 0;
    for (const char *word = rows_value(&r->rows, row, r->rows.check); *word; word += strspn(word, " ")) {
        int field = field_of(r->form, word);
        bool none = !strcmp(word, "-") || !strncmp(word, "page:", 5);
        if (!none && field < 0)
            return err_set(e, "line %d: check names '%.*s', which the form does not have", r->rows.line[row],
                           (int)strcspn(word, ": "), word);
        if (!none && !is_listed(r, row, field) && add_item(r, row, field, e))
            return -1;
        word += strcspn(word, " ");
    }
    return 0;
}

struct form_review *form_review_parse(const struct form *form, char *text, size_t len, struct err *e)
{
    struct form_review *r = calloc(1, sizeof *r);
    if (!r) {
        free(text);
        err_set(e, "out of memory");
        return NULL;
    }
    r->form = form;
    int status = rows_parse(&r->rows, text, len, form, e);
    if (!status && !(r->first = malloc((r->rows.n + 1) * sizeof *r->first)))
        status = err_set(e, "out of memory");
    for (size_t row = 0; !status && row < r->rows.n; row++)
        status = list_items(r, row, e);
    if (!status) {
        r->first[r->rows.n] = r->items;
        return r;
    }
    form_review_free(r);
    return NULL;
}

void form_review_free(struct form_review *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->cells; i++)
        frame_free(&r->cell[i].frame);
    rows_free(&r->rows);
    free(r->first);
    free(r->item);
    free(r->cell);
    free(r);
}

bool form_review_same_pages(const struct form_review *a, const struct form_review *b)
{
    bool same = a->rows.n == b->rows.n && a->rows.columns == b->rows.columns;
    for (size_t row = 0; same && row < a->rows.n; row++)
        same = !strcmp(rows_value(&a->rows, row, 0), rows_value(&b->rows, row, 0));
    return same;
}

size_t form_review_fields(const struct form_review *r)
{
    return r->items;
}

/* ---- the cells in ---- */

/* Does the word stand among the words of the text? */
static bool among(const char *word, const char *text)
{
    size_t len = strlen(word);
    for (; *text; text += strspn(text, " ")) {
        if (!strncmp(text, word, len) && (text[len] == ' ' || !text[len]))
            return true;
        text += strcspn(text, " ");
    }
    return false;
}

/* Is it a cell of that row: by the page's number; where pages have none, or the number is there twice, by
 * the picture. */
static bool of_row(const struct rows *t, size_t row, const char *page, const char *source, const char *frame)
{
    if (page && strcmp(page, rows_value(t, row, 0)))
        return false;
    bool numbered = page && !among("page:twice", rows_value(t, row, t->check));
    return numbered || (among(source, rows_value(t, row, t->source)) &&
                        among(frame, rows_value(t, row, t->source + 1)));
}

static struct item *item_of(const struct form_review *r, const struct frame *f, const char *source,
                            long long number)
{
    char field[FORM_NAME], page[64], frame[32];
    int index = frame_fact(f, "field", field, sizeof field) ? form_find(r->form, field) : -1;
    const char *numbered = frame_fact(f, "page", page, sizeof page);
    snprintf(frame, sizeof frame, "%lld", number);
    for (size_t i = 0; index >= 0 && i < r->items; i++)
        if (r->item[i].field == index && of_row(&r->rows, r->item[i].row, numbered, source, frame))
            return &r->item[i];
    return NULL;
}

int form_review_add(struct form_review *r, struct frame *f, const char *source, long long number, struct err *e)
{
    char text[16];
    struct item *item = item_of(r, f, source, number);
    if (!item)
        return 0;
    int place = frame_fact(f, "cell", text, sizeof text) ? atoi(text) : item->came;
    const struct form_field *field = &r->form->field[item->field];
    if (place < 0 || place >= form_cells(field))
        return err_set(e, "cell %d of %s: it has %d boxes", place, field->name, form_cells(field));
    if (grow_to(&r->cell, r->cells + 1, &r->cell_room, sizeof *r->cell, e))
        return -1;
    r->cell[r->cells++] = (struct form_review_cell){.item = (size_t)(item - r->item), .place = place,
                                                    .now = &item->now[place], .frame = *f};
    *f = (struct frame){0};
    item->came = place + 1;
    return 0;
}

/* Digits that do not stand at the right, as where a box between them is empty, go to the boxes with ink. */
static void align(struct item *item, int boxes, const char *ink)
{
    int digits = 0, inked = 0;
    char digit[FORM_MAX_CELLS];
    for (int k = 0; k < boxes; k++) {
        inked += ink[k];
        if (item->read[k] != '-')
            digit[digits++] = item->read[k];
    }
    if (digits != inked)
        return;
    for (int k = boxes - 1; k >= 0; k--)
        item->read[k] = ink[k] ? digit[--digits] : '-';
    memcpy(item->now, item->read, sizeof item->now);
}

static int align_all(struct form_review *r, struct err *e)
{
    char(*ink)[FORM_MAX_CELLS] = calloc(r->items + 1, sizeof *ink);
    if (!ink)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < r->cells; i++)
        ink[r->cell[i].item][r->cell[i].place] = frame_fact(&r->cell[i].frame, "box", (char[16]){0}, 16) != NULL;
    for (size_t i = 0; i < r->items; i++)
        align(&r->item[i], form_cells(&r->form->field[r->item[i].field]), ink[i]);
    free(ink);
    return 0;
}

static int compare_cells(const void *a, const void *b)
{
    const struct form_review_cell *x = a, *y = b;
    if (x->read != y->read)
        return x->read - y->read;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return x->place - y->place;
}

int form_review_sort(struct form_review *r, struct err *e)
{
    for (size_t i = 0; i < r->items; i++) {
        const struct item *item = &r->item[i];
        if (!item->came)
            return err_set(e, "line %d: no cells of %s on page %.40s are among the frames",
                           r->rows.line[item->row], r->form->field[item->field].name,
                           rows_value(&r->rows, item->row, 0));
    }
    if (align_all(r, e))
        return -1;
    for (size_t i = 0; i < r->cells; i++)
        r->cell[i].read = r->item[r->cell[i].item].read[r->cell[i].place];
    if (r->cells)
        qsort(r->cell, r->cells, sizeof *r->cell, compare_cells);
    return 0;
}

size_t form_review_cells(const struct form_review *r)
{
    return r->cells;
}

struct form_review_cell *form_review_cell(const struct form_review *r, size_t i)
{
    return &r->cell[i];
}

/* ---- what is known of a cell ---- */

/* The readings of an item in the column `candidates`: "20211234:0.72,20211284:0.2"; "": none. */
static const char *candidates(const struct form_review *r, const struct item *item, size_t *len)
{
    const char *name = r->form->field[item->field].name;
    const char *word = r->rows.candidates ? rows_value(&r->rows, item->row, r->rows.check + 1) : "";
    size_t n = strlen(name);
    for (; *word; word += strspn(word, " ")) {
        *len = strcspn(word, " ");
        if (*len > n && !strncmp(word, name, n) && word[n] == '=') {
            *len -= n + 1;
            return word + n + 1;
        }
        word += *len;
    }
    *len = 0;
    return "";
}

void form_review_others(const struct form_review *r, size_t i, char text[4])
{
    const struct form_review_cell *cell = &r->cell[i];
    const struct item *item = &r->item[cell->item];
    size_t len, n = 0;
    const char *at = candidates(r, item, &len), *end = at + len;
    while (at < end && n < 3) {
        char box[FORM_MAX_CELLS];
        size_t whole = strcspn(at, ", ");
        if (to_boxes(&r->form->field[item->field], at, strcspn(at, ":, "), box) &&
            box[cell->place] != cell->read && !memchr(text, box[cell->place], n))
            text[n++] = box[cell->place];
        at += whole + 1;
    }
    text[n] = '\0';
}

void form_review_describe(const struct form_review *r, size_t i, char *text, size_t size)
{
    const struct item *item = &r->item[r->cell[i].item];
    const struct form_field *f = &r->form->field[item->field];
    char number[FORM_NUMBER];
    size_t len;
    const char *other = candidates(r, item, &len);
    snprintf(text, size, "page %.40s   %s   box %d of %s   %.*s", rows_value(&r->rows, item->row, 0), f->name,
             r->cell[i].place + 1, to_text(f, item->now, number), (int)len, other);
}

/* ---- the table out ---- */

static const struct item *find_item(const struct form_review *r, size_t row, int field)
{
    for (size_t i = r->first[row]; i < r->first[row + 1]; i++)
        if (r->item[i].field == field)
            return &r->item[i];
    return NULL;
}

static bool is_changed(const struct item *item)
{
    return item && memcmp(item->now, item->read, sizeof item->now) != 0;
}

/* What is left to check: a field of which a person has seen all cells is not. */
static void put_check(const struct form_review *r, size_t row, FILE *out)
{
    const char *before = "";
    for (const char *word = rows_value(&r->rows, row, r->rows.check); *word; word += strspn(word, " ")) {
        int field = field_of(r->form, word), len = (int)strcspn(word, " ");
        const struct item *item = field < 0 ? NULL : find_item(r, row, field);
        if (!item || item->unseen) {
            fprintf(out, "%s%.*s", before, len, word);
            before = " ";
        }
        word += len;
    }
    if (!*before)
        putc('-', out);
}

/* What a field's list says of the number that stands there now. */
static void put_joined(const struct form_field *f, const struct item *item, char *const *old, FILE *out)
{
    char text[FORM_NUMBER];
    int entry = is_changed(item) ? form_list_find(f->list, to_text(f, item->now, text)) : -1;
    for (int i = 0; i < form_list_columns(f->list); i++) {
        const char *now = entry < 0 ? "" : form_list_value(f->list, entry, i);
        fprintf(out, "\t%s", !is_changed(item) ? old[i] : *now ? now : "-");
    }
}

static void put_row(const struct form_review *r, size_t row, FILE *out)
{
    char text[FORM_NUMBER], *const *old = r->rows.value + row * r->rows.columns;
    size_t at = 1 + (size_t)r->form->fields;
    fputs(old[0], out);
    for (int i = 0; i < r->form->fields; i++) {
        const struct item *item = find_item(r, row, i);
        fprintf(out, "\t%s", is_changed(item) ? to_text(&r->form->field[i], item->now, text) : old[1 + i]);
    }
    for (int i = 0; i < r->form->fields; i++) {
        const struct form_field *f = &r->form->field[i];
        if (!f->list)
            continue;
        put_joined(f, find_item(r, row, i), old + at, out);
        at += (size_t)form_list_columns(f->list);
    }
    for (; at < r->rows.columns; at++) {
        putc('\t', out);
        if (row && at == r->rows.check)
            put_check(r, row, out);
        else
            fputs(old[at], out);
    }
    putc('\n', out);
}

int form_review_write(struct form_review *r, char **bytes, size_t *len, struct err *e)
{
    for (size_t i = 0; i < r->items; i++)
        r->item[i].unseen = 0;
    for (size_t i = 0; i < r->cells; i++)
        r->item[r->cell[i].item].unseen += !r->cell[i].keyed && !r->cell[i].accepted;
    *bytes = NULL;
    FILE *out = open_memstream(bytes, len);
    for (size_t row = 0; out && row < r->rows.n; row++)
        put_row(r, row, out);
    bool whole = out && !ferror(out);
    whole = out && !fclose(out) && whole;
    if (whole)
        return 0;
    free(*bytes);
    *bytes = NULL;
    return err_set(e, "out of memory");
}
