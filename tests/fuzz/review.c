/* A table to be corrected and the facts of its cells are from strangers: any bytes are refused with an error, or
 * make a table that can be corrected, written, and read again. Up to a NUL byte they are the table; then each line
 * is a cell, its facts divided by semicolons.
 *     build/libfuzzer/fuzz/review tests/fuzz/corpus/review */
#include <stdlib.h>
#include <string.h>

#include "form/form_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = "page a4\nfield id digits 3 unique\nfield kg digits 2.1 blank\n";
static const char listed[] = "117\tAda\n771\tBob\n012\t\n";

static char *copy(const char *bytes, size_t len)
{
    char *out = malloc(len + 1);
    if (out) {
        memcpy(out, bytes, len);
        out[len] = '\0';
    }
    return out;
}

static void add_cell(struct form_review *review, const char *facts, size_t len)
{
    struct err e = ERR_NONE;
    char source[64] = "a.pgm", number[32] = "0";
    struct frame f = {0};
    if (!frame_resize(&f, 1, 1, &e) && !frame_reserve_facts(&f, len + 2, &e)) {
        for (size_t i = 0; i < len; i++)
            f.facts[i] = (char)(facts[i] == ';' ? '\n' : facts[i]);
        memcpy(f.facts + len, "\n", 2);
        f.facts_len = len + 1;
        frame_fact(&f, "source", source, sizeof source);
        frame_fact(&f, "frame", number, sizeof number);
        if (form_review_add(review, &f, source, atoi(number), &e) && !e.what[0])
            abort();
    }
    frame_free(&f);
}

/* Give every cell what the next key says, and look at it as a window does. */
static void correct(struct form_review *review)
{
    for (size_t i = 0; i < form_review_cells(review); i++) {
        struct form_review_cell *cell = form_review_cell(review, i);
        char others[4], line[600];
        form_review_others(review, i, others);
        form_review_describe(review, i, line, sizeof line);
        if (strlen(others) > 3 || !strchr("0123456789?-", cell->read) || !line[0])
            abort();
        *cell->now = "0123456789?-"[i % 12];
        cell->keyed = i % 5;
    }
}

static void write_again(struct form_review *review, const struct form *form)
{
    struct err e = ERR_NONE;
    char *bytes;
    size_t len;
    if (form_review_write(review, &bytes, &len, &e)) {
        if (!e.what[0])
            abort();
        return;
    }
    struct form_review *again = form_review_parse(form, bytes, len, &e);
    if (!again && strcmp(e.what, "out of memory"))
        abort();
    if (again && (!form_review_same_pages(review, again) || form_review_fields(again) > form_review_fields(review)))
        abort();
    form_review_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_NONE;
    const char *bytes = (const char *)data, *end = size ? memchr(data, '\0', size) : NULL;
    size_t len = end ? (size_t)(end - bytes) : size;
    struct form *form = form_parse(text, sizeof text - 1, "fuzz.form", &e);
    char *list = form ? copy(listed, sizeof listed - 1) : NULL;
    if (list)
        form->field[0].list = list_parse(&form->field[0], list, sizeof listed - 1, &e);
    bool ready = form && form->field[0].list;
    char *table = ready ? copy(bytes, len) : NULL, *cells = copy(bytes + len, size - len);
    struct form_review *review = table ? form_review_parse(form, table, len, &e) : NULL;
    if (table && !review && !e.what[0])
        abort();
    for (char *line = cells && end ? cells + 1 : NULL, *next; review && line; line = next) {
        if ((next = strchr(line, '\n')))
            *next++ = '\0';
        add_cell(review, line, strlen(line));
    }
    if (review) {
        if (!form_review_sort(review, &e))
            correct(review);
        write_again(review, form);
    }
    form_review_free(review);
    form_free(form);
    free(cells);
    return 0;
}
