/* The text of a table that formtable made, as TSV, taken apart: rows of columns. */
#ifndef INKPIPE_FORM_ROWS_H
#define INKPIPE_FORM_ROWS_H

#include "form.h"

/* The first row are the columns' names: page, the form's fields, the columns of its lists, probability,
 * check, candidates where they were asked for, source, frame, whatever else. All-zero is empty. */
struct rows {
    char *bytes; /* what all values point into */
    char **value; /* [n][columns] */
    int *line;    /* [n] of the file, from 1 */
    size_t n, columns, value_room, line_room;
    size_t check, source; /* the columns' indices; candidates are behind check, frame behind source */
    bool candidates;
};

/* Take a text of len bytes apart, which is theirs from now on (malloc'd, a NUL behind it), and hold its
 * columns to the form's. Returns 0, or -1 with the line. Free with rows_free either way. */
int rows_parse(struct rows *rows, char *text, size_t len, const struct form *form, struct err *e);
void rows_free(struct rows *rows);

static inline char *rows_value(const struct rows *rows, size_t row, size_t column)
{
    return rows->value[row * rows->columns + column];
}

#endif
