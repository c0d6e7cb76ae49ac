/* formtable: answers of a form's cells -> one row a page. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer/answer.h"
#include "form/form.h"
#include "tool.h"

static const char usage[] =
    "usage: formtable [-hV] [-k n] [-o format] [-t p] form [file ...]\n"
    "Read the answers of cnn-predict -o json to the cells of a form, see form(5), and write\n"
    "a table of one row a page: the most probable reading that keeps the form's rules.\n"
    "  -h         this help\n"
    "  -k n       add the n most probable readings of each field that is in check\n"
    "  -o format  tsv or csv (tsv)\n"
    "  -t p       a field less probable than p is in check (0.99)\n"
    "  -V         version\n"
    "example: camgrab scans/ | preproc -f exam.form | cnn-predict -o json |\n"
    "         formtable exam.form >marks.tsv\n";

enum { MAX_COMPLAINTS = 5 /* lines of one file that are said to be bad, one by one */ };

struct options {
    double threshold;
    int best;
    bool csv;
    const char *form;
    char **files;
    size_t n;
};

static struct options parse(int argc, char **argv)
{
    struct options o = {.threshold = .99};
    for (int c; (c = tool_getopt(argc, argv, "hk:o:t:V")) != -1;)
        switch (c) {
        case 'k': o.best = (int)tool_int(c, optarg, 1, 100); break;
        case 'o': o.csv = tool_word(c, optarg, "tsv or csv"); break;
        case 't': o.threshold = tool_real(c, optarg, 0, 1); break;
        }
    if (optind == argc)
        tool_usage("a form is needed: formtable exam.form <answers");
    o.form = argv[optind];
    o.files = argv + optind + 1;
    o.n = (size_t)(argc - optind - 1);
    if (!o.n && !strcmp(o.form, "-"))
        tool_usage("form and answers cannot both come from standard input");
    return o;
}

/* ---- answers in ---- */

/* What an answer says of its cell; -1: it is of no cell. */
static int to_evidence(const struct answer *a, struct form_evidence *evidence, struct err *e)
{
    *evidence = (struct form_evidence){.field = a->field, .cell = a->cell, .frame = a->frame};
    if (!a->field[0])
        return err_set(e, "no field: is it cnn-predict -o json, behind preproc -f?");
    if (a->digit[0] && a->digit[1] && strpbrk(a->digit, "0123456789"))
        return err_set(e, "field '%s': %s is a number, not a digit: is it cnn-predict -w?", a->field, a->digit);
    if (a->page[0])
        evidence->page = a->page;
    if (strcmp(a->source, "-"))
        evidence->source = a->source;
    for (int i = 0; i < a->candidates; i++)
        form_add_class(evidence, a->candidate[i].label, a->candidate[i].probability);
    if (!a->candidates && answer_given(a)) {
        form_add_class(evidence, a->digit, a->probability < 0 ? 1 : a->probability);
        evidence->other += a->probability < 0 ? 0 : 1 - a->probability;
    }
    evidence->empty = !a->candidates && !answer_given(a);
    return 0;
}

/* Is it of a sign between digits that others printed? preproc gives it no cell. */
static bool is_sign(const struct answer *a)
{
    return a->field[0] && a->cell < 0 && a->candidates && !answer_given(a);
}

static int add_line(struct form_table *table, const char *line, struct err *e)
{
    struct answer a;
    struct form_evidence evidence;
    if (answer_parse(line, &a, e))
        return -1;
    if (is_sign(&a))
        return 0;
    return to_evidence(&a, &evidence, e) ? -1 : form_table_add(table, &evidence, e);
}

/* Read a line into text of ANSWER_LINE bytes; of one that is too long, its beginning. */
static bool read_line(FILE *in, char *text)
{
    if (!fgets(text, ANSWER_LINE, in))
        return false;
    for (int c = text[strcspn(text, "\n")]; c != '\n' && c != EOF;)
        c = getc(in);
    return true;
}

static int complain(const char *file, long line, const struct err *bad)
{
    struct err e = ERR_NONE;
    err_set(&e, "line %ld: %s", line, bad->what);
    err_at(&e, file, -1);
    return tool_error(&e);
}

/* Lines that are bad are said, and the others read on. */
static int read_answers(struct form_table *table, const char *name, FILE *in)
{
    char text[ANSWER_LINE];
    long bad = 0, line = 0;
    while (read_line(in, text)) {
        struct err e = ERR_NONE;
        line++;
        if (add_line(table, text, &e) && bad++ < MAX_COMPLAINTS)
            complain(name, line, &e);
    }
    if (bad > MAX_COMPLAINTS)
        tool_warn("%s: %ld more lines like these", name, bad - MAX_COMPLAINTS);
    if (ferror(in))
        tool_warn("%s: cannot read: %s", name, strerror(errno));
    return bad || ferror(in) ? EXIT_FAILED : EXIT_OK;
}

static int read_file(struct form_table *table, const char *name)
{
    bool standard = !strcmp(name, "-");
    FILE *in = standard ? stdin : fopen(name, "r");
    if (!in) {
        struct err e = ERR_NONE;
        err_errno(&e, "cannot open");
        err_at(&e, name, -1);
        return tool_error(&e);
    }
    int status = read_answers(table, standard ? "standard input" : name, in);
    if (!standard)
        fclose(in);
    return status;
}

/* ---- the table out ---- */

/* A value, with what stands before it on the line. `text`: in CSV it is quoted, so that who reads it may
 * leave its zeros as they are. */
static void put(const struct options *o, bool first, const char *value, bool text)
{
    if (!first)
        putchar(o->csv ? ',' : '\t');
    if (!o->csv || (!text && !value[strcspn(value, ",\"\r\n")])) {
        fputs(value, stdout);
        return;
    }
    putchar('"');
    for (; *value; value++) {
        if (*value == '"')
            putchar('"');
        putchar(*value);
    }
    putchar('"');
}

static void end_row(const struct options *o)
{
    fputs(o->csv ? "\r\n" : "\n", stdout);
}

/* A number that stands for somebody or something. */
static bool identifies(const struct form_field *f)
{
    return f->list || f->unique || f->check;
}

/* The name of a list's column: with the field's before it when the table has that name already. */
static void put_column(const struct options *o, const struct form *form, int field, int column)
{
    static const char *const own[] = {"page", "probability", "check", "candidates", "source", "frame"};
    const char *name = form_list_column(form->field[field].list, column);
    bool taken = form_find(form, name) >= 0 || !*name;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        taken |= !strcmp(name, own[i]);
    for (int i = 0; i < field && !taken; i++)
        for (int k = 0; form->field[i].list && k < form_list_columns(form->field[i].list); k++)
            taken |= !strcmp(name, form_list_column(form->field[i].list, k));
    char full[512];
    snprintf(full, sizeof full, "%s.%.400s", form->field[field].name, name);
    put(o, false, taken ? full : name, false);
}

static void put_header(const struct options *o, const struct form *form)
{
    put(o, true, "page", false);
    for (int i = 0; i < form->fields; i++)
        put(o, false, form->field[i].name, false);
    for (int i = 0; i < form->fields; i++)
        for (int k = 0; form->field[i].list && k < form_list_columns(form->field[i].list); k++)
            put_column(o, form, i, k);
    put(o, false, "probability", false);
    put(o, false, "check", false);
    if (o->best)
        put(o, false, "candidates", false);
    put(o, false, "source", false);
    put(o, false, "frame", false);
    end_row(o);
}

/* Text that is put together. */
struct text {
    char bytes[32768];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->bytes + t->len, sizeof t->bytes - t->len, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < sizeof t->bytes - t->len)
        t->len += (size_t)n;
}

/* The doubtful fields, each with the rules that it breaks: `q1 total:= id:in,unique`. */
static void put_check(const struct options *o, const struct form *form, const struct form_row *row)
{
    static struct text t;
    t.len = 0;
    t.bytes[0] = '\0';
    add(&t, "%s", row->twice ? "page:twice" : "");
    for (int i = 0; i < form->fields; i++) {
        const struct form_answer *a = &row->answer[i];
        if (!a->doubtful)
            continue;
        add(&t, "%s%s", t.len ? " " : "", form->field[i].name);
        char before = ':';
        for (unsigned rule = 1; rule <= FORM_MISSING; rule <<= 1)
            if (a->broken & rule) {
                add(&t, "%c%s", before, form_broken_word((enum form_broken)rule));
                before = ',';
            }
    }
    put(o, false, t.len ? t.bytes : "-", false);
}

/* `id=20211234:0.7200,20211284:0.2000 q1=7:0.9000` */
static void put_candidates(const struct options *o, const struct form *form, const struct form_row *row)
{
    static struct text t;
    t.len = 0;
    t.bytes[0] = '\0';
    for (int i = 0; i < form->fields; i++)
        for (int k = 0; k < row->answer[i].others; k++) {
            const struct form_reading *reading = &row->answer[i].other[k];
            if (k)
                add(&t, ",");
            else
                add(&t, "%s%s=", t.len ? " " : "", form->field[i].name);
            add(&t, "%s:%.4f", reading->text, reading->probability);
        }
    put(o, false, t.len ? t.bytes : "-", false);
}

static void put_row(const struct options *o, const struct form *form, const struct form_row *row)
{
    char probability[32];
    put(o, true, row->page, false);
    for (int i = 0; i < form->fields; i++)
        put(o, false, row->answer[i].reading.text, identifies(&form->field[i]));
    for (int i = 0; i < form->fields; i++)
        for (int k = 0; form->field[i].list && k < form_list_columns(form->field[i].list); k++) {
            int entry = row->answer[i].entry;
            const char *value = entry < 0 ? "" : form_list_value(form->field[i].list, entry, k);
            put(o, false, *value ? value : "-", false);
        }
    snprintf(probability, sizeof probability, "%.4f", row->probability);
    put(o, false, probability, false);
    put_check(o, form, row);
    if (o->best)
        put_candidates(o, form, row);
    put(o, false, row->source ? row->source : "-", false); /* memory was short for them */
    put(o, false, row->frame ? row->frame : "-", false);
    end_row(o);
}

/* ---- what is wrong with the stack of pages ---- */

static int check_row(const struct form *form, const struct form_row *row)
{
    int status = EXIT_OK;
    if (row->twice) {
        tool_warn("page %s is there more than once: %s frame %s", row->page, row->source, row->frame);
        status = EXIT_FAILED;
    }
    for (int i = 0; form->paper && i < form->fields; i++)
        if (row->answer[i].broken & FORM_MISSING) {
            tool_warn("page %s: cells of %s are missing: is there a sheet that did not come?", row->page,
                      form->field[i].name);
            return EXIT_FAILED;
        }
    return status;
}

static int compare_numbers(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

/* Say which numbers between the first and the last page's did not come; pages without numbers have none. */
static void say_gaps(const struct form_table *table)
{
    static struct text t;
    size_t n = form_table_rows(table);
    long *number = malloc((n + 1) * sizeof *number);
    bool good = number != NULL;
    for (size_t i = 0; good && i < n; i++) {
        char *end;
        number[i] = strtol(form_table_row(table, i)->page, &end, 10);
        good = !*end && number[i] > 0 && number[i] <= FORM_MAX_COPY;
    }
    if (good)
        qsort(number, n, sizeof *number, compare_numbers);
    t.len = 0;
    for (size_t i = 1; good && i < n && t.len < 200; i++) {
        long from = number[i - 1] + 1, to = number[i] - 1;
        if (from < to)
            add(&t, "%s%ld-%ld", t.len ? ", " : "", from, to);
        else if (from == to)
            add(&t, "%s%ld", t.len ? ", " : "", from);
    }
    if (t.len)
        tool_warn("of the pages between the first and the last these are not there: %s", t.bytes);
    free(number);
}

static bool anything(const struct form *form, const struct form_row *row)
{
    for (int i = 0; i < form->fields; i++)
        if (strcmp(row->answer[i].reading.text, "-"))
            return true;
    return false;
}

static int put_table(const struct options *o, const struct form *form, const struct form_table *table)
{
    int status = EXIT_OK;
    bool read = false;
    put_header(o, form);
    for (size_t i = 0; i < form_table_rows(table); i++) {
        const struct form_row *row = form_table_row(table, i);
        put_row(o, form, row);
        read |= anything(form, row);
        if (check_row(form, row))
            status = EXIT_FAILED;
    }
    say_gaps(table);
    if (read || status)
        return status;
    tool_warn("every field of every page is empty: is it the form that was filled in?");
    return EXIT_NO_ANSWER;
}

/* ---- all of it ---- */

static int make_table(const struct options *o, const struct form *form)
{
    static char *input[] = {"-", NULL};
    struct err e = ERR_NONE;
    struct form_table *table = form_table_new(form, &e);
    int status = table ? EXIT_OK : tool_error(&e);
    for (char **file = o->n ? o->files : input; table && *file; file++)
        if (read_file(table, *file))
            status = EXIT_FAILED;
    if (table && !form_table_rows(table)) {
        tool_warn("no answers to any cell of %s", o->form);
        status = EXIT_FAILED;
    } else if (table && form_table_solve(table, o->threshold, o->best, &e)) {
        status = tool_error(&e);
    } else if (table) {
        int wrong = put_table(o, form, table);
        status = status ? status : wrong;
    }
    form_table_free(table);
    return status;
}

/* Answers are from strangers: from here on nothing but them and the lists is opened. */
static void drop_privileges(const struct options *o, const struct form *form)
{
    size_t n = 0;
    const char **list = tool_alloc((size_t)form->fields + 1, sizeof *list);
    for (int i = 0; i < form->fields; i++)
        if (form->field[i].list_name)
            list[n++] = form->field[i].list_name;
    tool_drop_privileges((struct privilege){.file = list, .files = n}, o->files, o->n);
    free(list);
}

static int run(const struct options *o)
{
    struct err e = ERR_NONE;
    struct form *form = form_load(o->form, &e);
    if (form)
        drop_privileges(o, form);
    int status = form && !form_read_lists(form, &e) ? make_table(o, form) : tool_error(&e);
    form_free(form);
    return status;
}

int main(int argc, char **argv)
{
    tool_init("formtable", usage);
    struct options o = parse(argc, argv);
    return tool_close(run(&o));
}
