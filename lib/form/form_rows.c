/* From a table's text to rows: lines cut at their tabs. */
#define _GNU_SOURCE 1 /* strsep */
#include "form_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

/* Cut a line at its tabs. Returns how many values it has, or -1. */
static long split(struct rows *r, char *line, struct err *e)
{
    size_t used = r->n * r->columns;
    long n = 0;
    for (char *next = line; next; n++) {
        if (grow_to(&r->value, used + (size_t)n + 1, &r->value_room, sizeof *r->value, e))
            return -1;
        r->value[used + (size_t)n] = strsep(&next, "\t");
    }
    return n;
}

static int add_row(struct rows *r, char *line, int number, struct err *e)
{
    if (grow_to(&r->line, r->n + 1, &r->line_room, sizeof *r->line, e))
        return -1;
    r->line[r->n] = number;
    long n = split(r, line, e);
    if (n < 0)
        return -1;
    if (!r->n)
        r->columns = (size_t)n;
    if ((size_t)n != r->columns)
        return err_set(e, "line %d: %ld columns, not the %zu of line 1", number, n, r->columns);
    r->n++;
    return 0;
}

static int expect(const struct rows *r, size_t column, const char *name, struct err *e)
{
    if (column >= r->columns)
        return err_set(e, "line 1: the column '%s' is missing; is it the table of this form, with tabs?", name);
    if (strcmp(rows_value(r, 0, column), name))
        return err_set(e, "line 1: column %zu is '%.40s', not '%s' as the form has it", column + 1,
                       rows_value(r, 0, column), name);
    return 0;
}

/* The columns are those of the form, in formtable's order. */
static int check_header(struct rows *r, const struct form *form, struct err *e)
{
    size_t at = 1;
    if (!r->n)
        return err_set(e, "it is empty");
    if (expect(r, 0, "page", e))
        return -1;
    for (int i = 0; i < form->fields; i++)
        if (expect(r, at++, form->field[i].name, e))
            return -1;
    for (int i = 0; i < form->fields; i++)
        at += form->field[i].list ? (size_t)form_list_columns(form->field[i].list) : 0;
    r->check = at + 1;
    if (expect(r, at, "probability", e) || expect(r, at + 1, "check", e))
        return -1;
    r->candidates = at + 2 < r->columns && !strcmp(rows_value(r, 0, at + 2), "candidates");
    r->source = at + (r->candidates ? 3 : 2);
    return expect(r, r->source, "source", e) || expect(r, r->source + 1, "frame", e) ? -1 : 0;
}

/* Without the newline, and the byte before it that some editors write. */
static void end_line(char *line)
{
    size_t len = strlen(line);
    if (len && line[len - 1] == '\r')
        line[len - 1] = '\0';
}

int rows_parse(struct rows *rows, char *text, size_t len, const struct form *form, struct err *e)
{
    int number = 0;
    *rows = (struct rows){.bytes = text};
    if (memchr(text, '\0', len))
        return err_set(e, "a NUL byte: is this a table?");
    if (!strncmp(text, "\xef\xbb\xbf", 3))
        text += 3; /* a byte order mark */
    for (char *next = text, *line; (line = strsep(&next, "\n"));) {
        end_line(line);
        number++;
        if (*line && add_row(rows, line, number, e))
            return -1;
    }
    return check_header(rows, form, e);
}

void rows_free(struct rows *rows)
{
    free(rows->bytes);
    free(rows->value);
    free(rows->line);
}
