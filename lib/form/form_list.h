/* The list of a rule `in FILE`: a TSV whose first column is what the field may be. */
#ifndef INKPIPE_FORM_LIST_H
#define INKPIPE_FORM_LIST_H

#include "form.h"

struct form_entry {
    int64_t value;
    const char *text;  /* as it stands in the file: its leading zeros are kept */
    int line;          /* of the file, from 1 */
    int index;         /* its own in form_list.entry */
};

struct form_list {
    char *bytes;             /* the file: all texts point into it */
    int entries, columns;    /* columns beside the first */
    struct form_entry *entry; /* [entries], in the file's order */
    int *by_value;           /* [entries] indices of entries, their values rising */
    const char **name;       /* [columns] */
    char *names;             /* what name[] points into when the file does not name them */
    const char **value;      /* columns of all entries */
    size_t entry_room, value_room;
};

/* Take the list of field f apart, len bytes that are its own from now on (malloc'd, a NUL behind them), and
 * hold every entry to the field's other rules. NULL with line and word. Free with list_free. */
struct form_list *list_parse(const struct form_field *f, char *bytes, size_t len, struct err *e);

/* Read it from its file. NULL with the list's name, line and word. */
struct form_list *list_load(const struct form_field *f, struct err *e);
void list_free(struct form_list *list);

/* The index of the entry of that value; -1: there is none. */
int list_find(const struct form_list *list, int64_t value);

#endif
