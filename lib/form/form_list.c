/* From a TSV to a list: lines of tab-separated columns, the first an entry, which no two lines share. */
#include "form_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "form_check.h"
#include "form_expression.h"
#include "base/grow.h"

#define MAX_COLUMNS 64 /* A list has at most so many columns. */
#define MAX_NAME (FORM_NAME + 12) /* bytes of a column's name that the file does not give */
#define MAX_ENTRIES 1000000 /* A list has at most so many entries. */

struct reader {
    const struct form_field *f;
    struct form_list *list;
    int line;
    char *column[MAX_COLUMNS]; /* of the line at hand */
    int columns;
    struct err *e;
};

/* Cut a line at its tabs. */
static int split(struct reader *r, char *line)
{
    for (r->columns = 0; line; r->columns++) {
        if (r->columns == MAX_COLUMNS)
            return err_set(r->e, "line %d: more than %d columns", r->line, MAX_COLUMNS);
        r->column[r->columns] = line + strspn(line, " ");
        char *tab = strchr(line, '\t'), *end = tab ? tab : line + strlen(line);
        line = tab ? tab + 1 : NULL;
        while (end > r->column[r->columns] && (end[-1] == ' ' || end[-1] == '\r'))
            end--;
        *end = '\0';
    }
    return 0;
}

static bool only_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* The columns' names: those of a first line that has no number, else numbers from 2. */
static int name_columns(struct reader *r, bool header)
{
    struct form_list *list = r->list;
    list->columns = r->columns - 1;
    list->name = malloc((size_t)r->columns * sizeof *list->name);
    list->names = malloc((size_t)r->columns * MAX_NAME);
    if (!list->name || !list->names)
        return err_set(r->e, "out of memory");
    for (int i = 0; i < list->columns; i++) {
        char *name = list->names + (size_t)i * MAX_NAME;
        snprintf(name, MAX_NAME, "%s.%d", r->f->name, i + 2);
        list->name[i] = header ? r->column[i + 1] : name;
    }
    return 0;
}

/* Hold an entry to what the field can be. */
static int check_entry(struct reader *r, const char *text, int64_t *value)
{
    const struct form_field *f = r->f;
    int n = (int)strlen(text), digit[FORM_MAX_CELLS];
    if (!only_digits(text))
        return err_set(r->e, "line %d: '%.40s': not a number; columns are divided by tabs", r->line, text);
    if (n > form_cells(f))
        return err_set(r->e, "line %d: '%.40s': field '%s' has %d boxes", r->line, text, f->name,
                       form_cells(f));
    for (int i = 0; i < n; i++)
        digit[i] = text[i] - '0';
    decimal_parse(text, 0, value);
    if ((f->has_min && *value < f->min) || (f->has_max && *value > f->max))
        return err_set(r->e, "line %d: '%s': not within %s of field '%s'", r->line, text,
                       f->has_min && *value < f->min ? "min" : "max", f->name);
    if (!check_passes(f->check, digit, n))
        return err_set(r->e, "line %d: '%s': its check digit is wrong", r->line, text);
    return 0;
}

static int add_columns(struct reader *r)
{
    struct form_list *list = r->list;
    size_t n = (size_t)list->entries * (size_t)list->columns;
    if (grow_to(&list->value, n + (size_t)list->columns + 1, &list->value_room, sizeof *list->value, r->e))
        return -1;
    for (int i = 0; i < list->columns; i++)
        list->value[n + (size_t)i] = i + 1 < r->columns ? r->column[i + 1] : "";
    return 0;
}

static int add_entry(struct reader *r)
{
    struct form_list *list = r->list;
    struct form_entry entry = {.text = r->column[0], .line = r->line, .index = list->entries};
    if (list->entries == MAX_ENTRIES)
        return err_set(r->e, "line %d: more than %d entries", r->line, MAX_ENTRIES);
    if (r->columns > list->columns + 1)
        return err_set(r->e, "line %d: '%.40s': %d columns, and the first line has %d", r->line,
                       entry.text, r->columns, list->columns + 1);
    if (check_entry(r, entry.text, &entry.value) || add_columns(r))
        return -1;
    if (grow_to(&list->entry, (size_t)list->entries + 1, &list->entry_room, sizeof *list->entry, r->e))
        return -1;
    list->entry[list->entries++] = entry;
    return 0;
}

/* Values rising; of twins the earlier line first. */
static int compare_entries(const void *a, const void *b)
{
    const struct form_entry *x = a, *y = b;
    return x->value != y->value ? (x->value > y->value) - (x->value < y->value) : x->line - y->line;
}

/* Order entries by value, and refuse one that is there twice. */
static int sort_entries(struct reader *r)
{
    struct form_list *list = r->list;
    size_t n = (size_t)list->entries;
    struct form_entry *sorted = malloc(n * sizeof *sorted);
    list->by_value = malloc(n * sizeof *list->by_value);
    if (!sorted || !list->by_value) {
        free(sorted);
        return err_set(r->e, "out of memory");
    }
    memcpy(sorted, list->entry, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_entries);
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i++) {
        list->by_value[i] = sorted[i].index;
        if (i && sorted[i].value == sorted[i - 1].value)
            status = err_set(r->e, "line %d: '%s' is there already, on line %d", sorted[i].line,
                             sorted[i].text, sorted[i - 1].line);
    }
    free(sorted);
    return status;
}

int list_find(const struct form_list *list, int64_t value)
{
    int low = 0, high = list->entries;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (list->entry[list->by_value[middle]].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->entries && list->entry[list->by_value[low]].value == value ? list->by_value[low] : -1;
}

int form_list_find(const struct form_list *list, const char *text)
{
    int64_t value;
    return decimal_parse(text, 0, &value) ? list_find(list, value) : -1;
}

static int read_lines(struct reader *r)
{
    for (char *line = r->list->bytes, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        r->line++;
        if (!line[strspn(line, " \t\r")])
            continue;
        if (split(r, line))
            return -1;
        bool first = !r->list->name, header = first && !strspn(r->column[0], "0123456789");
        if (first && name_columns(r, header))
            return -1;
        if (!header && add_entry(r))
            return -1;
    }
    return r->list->entries ? sort_entries(r) : err_set(r->e, "no entries");
}

static int read_all(struct reader *r, char *bytes, size_t len)
{
    r->list->bytes = bytes;
    if (memchr(bytes, '\0', len))
        return err_set(r->e, "a NUL byte: is this a list?");
    if (len >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3))
        memmove(bytes, bytes + 3, len - 2); /* a byte order mark */
    return read_lines(r);
}

struct form_list *list_parse(const struct form_field *f, char *bytes, size_t len, struct err *e)
{
    struct reader r = {.f = f, .list = calloc(1, sizeof *r.list), .e = e};
    if (!r.list) {
        free(bytes);
        err_set(e, "out of memory");
        return NULL;
    }
    if (read_all(&r, bytes, len) == 0)
        return r.list;
    list_free(r.list);
    return NULL;
}

struct form_list *list_load(const struct form_field *f, struct err *e)
{
    uint8_t *bytes;
    size_t len;
    if (file_load(f->list_name, FORM_MAX_LIST, &bytes, &len, e))
        return NULL;
    struct form_list *list = list_parse(f, (char *)bytes, len, e);
    if (!list)
        err_at(e, f->list_name, -1);
    return list;
}

void list_free(struct form_list *list)
{
    if (!list)
        return;
    free(list->bytes);
    free(list->entry);
    free(list->by_value);
    free(list->name);
    free(list->names);
    free(list->value);
    free(list);
}

int form_list_columns(const struct form_list *list)
{
    return list->columns;
}

const char *form_list_column(const struct form_list *list, int column)
{
    return list->name[column];
}

const char *form_list_value(const struct form_list *list, int entry, int column)
{
    return list->value[(size_t)entry * (size_t)list->columns + (size_t)column];
}
