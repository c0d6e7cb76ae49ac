/* Answers to a form's cells are from strangers: any lines become a table whose probabilities are some, or
 * the error says why not. The form has every rule that needs no file.
 *     build/libfuzzer/fuzz/formtable tests/fuzz/corpus/formtable */
#include <stdlib.h>
#include <string.h>

#include "answer/answer.h"
#include "form/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = "page a4\nfield id digits 3 unique check luhn\nfield a digits 2 max 12 blank\n"
                           "field b digits 1.1 min 0.5\nfield sum digits 3.1 = a + 2 * b\n"
                           "field m digits 2 rising\nfield k digits 2 = m - 1\n";

static void add(struct form_table *table, const char *line)
{
    static struct answer a;
    struct err e = ERR_NONE;
    if (answer_parse(line, &a, &e)) {
        if (!e.what[0])
            abort();
        return;
    }
    struct form_evidence evidence = {.field = a.field, .cell = a.cell, .frame = a.frame, .source = a.source,
                                     .page = a.page[0] ? a.page : NULL, .empty = !a.candidates};
    for (int i = 0; i < a.candidates; i++)
        form_add_class(&evidence, a.candidate[i].label, a.candidate[i].probability);
    if (form_table_add(table, &evidence, &e) && !e.what[0])
        abort();
}

static bool is_share(double p)
{
    return p >= 0 && p <= 1;
}

static void look_at(const struct form *form, const struct form_table *table)
{
    for (size_t i = 0; i < form_table_rows(table); i++) {
        const struct form_row *row = form_table_row(table, i);
        if (!is_share(row->probability) || !row->page[0])
            abort();
        for (int k = 0; k < form->fields; k++) {
            const struct form_answer *a = &row->answer[k];
            if (!is_share(a->reading.probability) || !a->reading.text[0] || (a->broken && !a->doubtful))
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_NONE;
    struct form *form = form_parse(text, sizeof text - 1, "fuzz.form", &e);
    struct form_table *table = form ? form_table_new(form, &e) : NULL;
    char *lines = malloc(size + 1);
    if (table && lines) {
        memcpy(lines, data, size);
        lines[size] = '\0';
        for (char *line = lines, *next; line; line = next) {
            next = strchr(line, '\n');
            if (next)
                *next++ = '\0';
            add(table, line);
        }
        if (form_table_solve(table, .99, 3, &e) == 0)
            look_at(form, table);
        else if (!e.what[0])
            abort();
    }
    free(lines);
    form_table_free(table);
    form_free(form);
    return 0;
}
