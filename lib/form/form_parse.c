/* From a form's text to struct form. One thing a line; every error says line and word. */
#include "form.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "form_expression.h"
#include "form_list.h"
#include "base/grow.h"

#define MAX_LINE 4096  /* Bytes that hold any line with its NUL. */
#define MAX_WORD 4096  /* Bytes that hold any word with its NUL. */
#define MAX_SIDE 1000  /* A box is at most so many mm wide or high. */

struct parser {
    struct form *form;
    int line;             /* the one at hand, from 1 */
    const char *p;        /* what of it is not yet read */
    char text[MAX_LINE];  /* the line at hand */
    char word[MAX_WORD];  /* the last word or string read */
    struct err *e;
};

__attribute__((format(printf, 2, 3))) static int fail(struct parser *p, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return err_set(p->e, "line %d: %s", p->line, what);
}

static int out_of_memory(struct parser *p)
{
    return err_set(p->e, "out of memory");
}

/* ---- words ---- */

/* Go to the next word. False: the line ends here. */
static bool more(struct parser *p)
{
    p->p += strspn(p->p, " \t\r");
    return *p->p && *p->p != '#';
}

/* A string in quotes, without them. Returns 1; 0 when the next word is no string; -1. */
static int take_string(struct parser *p)
{
    if (!more(p) || *p->p != '"')
        return 0;
    const char *end = strchr(p->p + 1, '"');
    if (!end)
        return fail(p, "'%.40s': there is no second \"", p->p);
    size_t len = (size_t)(end - p->p) - 1;
    memcpy(p->word, p->p + 1, len);
    p->word[len] = '\0';
    p->p = end + 1;
    return 1;
}

/* A word up to a blank, quote or comment; = is one by itself. False: the line ends here. */
static bool take_word(struct parser *p)
{
    if (!more(p))
        return false;
    size_t len = *p->p == '=' || *p->p == '"' ? 1 : strcspn(p->p, " \t\r\"#=");
    memcpy(p->word, p->p, len);
    p->word[len] = '\0';
    p->p += len;
    return true;
}

/* The word or, in quotes, string behind `what`. */
static int take_value(struct parser *p, const char *what)
{
    int string = take_string(p);
    if (string < 0)
        return -1;
    if (!string && !take_word(p))
        return fail(p, "'%s': a word is missing behind it", what);
    return 0;
}

static int take_decimal(struct parser *p, const char *what, int decimals, int64_t *value)
{
    if (!take_word(p))
        return fail(p, "'%s': a number is missing behind it", what);
    if (decimal_parse(p->word, decimals, value))
        return 0;
    if (!decimals)
        return fail(p, "'%.40s': %s must be a whole number, not negative", p->word, what);
    return fail(p, "'%.40s': %s must be a number of at most %d decimal%s", p->word, what, decimals,
                decimals == 1 ? "" : "s");
}

/* Digits only, 0 to high. */
static bool whole(const char *text, int high, int *value)
{
    int64_t n;
    if (strchr(text, '.') || !decimal_parse(text, 0, &n) || n > high)
        return false;
    *value = (int)n;
    return true;
}

static int end_line(struct parser *p)
{
    if (!more(p))
        return 0;
    take_word(p);
    return fail(p, "'%.40s': nothing more should stand here", p->word);
}

/* ---- fields ---- */

static int take_name(struct parser *p, struct form_field *f)
{
    if (!take_word(p))
        return fail(p, "'field': a name is missing behind it");
    bool good = (*p->word >= 'a' && *p->word <= 'z') || (*p->word >= 'A' && *p->word <= 'Z');
    for (const char *c = p->word; *c; c++)
        good &= fact_key_byte(*c) && *c != '-' && *c != '.';
    if (!good)
        return fail(p, "'%.40s': a name is a letter and then letters, digits and _", p->word);
    if (strlen(p->word) >= FORM_NAME)
        return fail(p, "'%.40s': a name has at most %d letters", p->word, FORM_NAME - 1);
    int before = form_find(p->form, p->word);
    if (before >= 0)
        return fail(p, "'%s': line %d has a field of that name", p->word,
                    p->form->field[before].line);
    static const char *const column[] = {"page", "probability", "check", "candidates", "source",
                                         "frame"};
    for (size_t i = 0; i < sizeof column / sizeof *column; i++)
        if (!strcmp(p->word, column[i]))
            return fail(p, "'%s': the table has a column of that name itself", p->word);
    strcpy(f->name, p->word);
    return 0;
}

/* digits N or N.M */
static int take_digits(struct parser *p, struct form_field *f)
{
    if (!take_word(p) || strcmp(p->word, "digits"))
        return fail(p, "'%.40s': digits and their number should stand behind the name", p->word);
    if (!take_word(p))
        return fail(p, "'digits': a number is missing behind it");
    char copy[32];
    snprintf(copy, sizeof copy, "%.*s", (int)sizeof copy - 1, p->word);
    char *point = strchr(copy, '.');
    if (point)
        *point++ = '\0';
    if (strlen(p->word) < sizeof copy && whole(copy, FORM_MAX_CELLS, &f->digits) &&
        (!point || (whole(point, FORM_MAX_CELLS, &f->decimals) && f->decimals > 0)) &&
        f->digits > 0 && form_cells(f) <= FORM_MAX_CELLS)
        return 0;
    return fail(p, "'%.40s': digits are N or N.M, together 1 to %d", p->word, FORM_MAX_CELLS);
}

static int take_check(struct parser *p, struct form_field *f)
{
    static const char *const name[] = {[FORM_LUHN] = "luhn", [FORM_MOD11] = "mod11",
                                       [FORM_MOD97] = "mod97", [FORM_VERHOEFF] = "verhoeff"};
    if (!take_word(p))
        return fail(p, "'check': a word is missing behind it");
    for (int i = FORM_LUHN; i <= FORM_VERHOEFF; i++)
        if (!strcmp(p->word, name[i])) {
            f->check = (enum form_check)i;
            return 0;
        }
    return fail(p, "'%.40s': check is luhn, mod11, mod97 or verhoeff", p->word);
}

/* The list's name, from the form's folder unless it begins with /. */
static int take_list(struct parser *p, struct form_field *f)
{
    const char *slash = strrchr(p->form->name, '/');
    int dir = slash ? (int)(slash - p->form->name) + 1 : 0;
    if (take_value(p, "in"))
        return -1;
    if (!*p->word)
        return fail(p, "'in': the name of a file is missing behind it");
    if (f->decimals)
        return fail(p, "'in': a list is of whole numbers, and '%s' has a point", f->name);
    if (f->list_name)
        return fail(p, "'in': '%s' has a list already", f->name);
    if (*p->word == '/')
        dir = 0;
    size_t size = (size_t)dir + strlen(p->word) + 1;
    f->list_name = malloc(size);
    if (!f->list_name)
        return out_of_memory(p);
    snprintf(f->list_name, size, "%.*s%s", dir, p->form->name, p->word);
    return 0;
}

static int take_expression(struct parser *p, struct form_field *f)
{
    if (f->equals)
        return fail(p, "'=': '%s' has an expression already", f->name);
    f->equals = expression_parse(p->form, f, &p->p, p->e);
    if (f->equals)
        return 0;
    char what[sizeof p->e->what];
    snprintf(what, sizeof what, "%s", p->e ? p->e->what : "");
    return fail(p, "%s", what);
}

static int take_rule(struct parser *p, struct form_field *f)
{
    const char *word = p->word;
    if (!strcmp(word, "blank"))
        f->blank = true;
    else if (!strcmp(word, "unique"))
        f->unique = true;
    else if (!strcmp(word, "rising"))
        f->rising = true;
    else if (!strcmp(word, "min"))
        return f->has_min = true, take_decimal(p, "min", f->decimals, &f->min);
    else if (!strcmp(word, "max"))
        return f->has_max = true, take_decimal(p, "max", f->decimals, &f->max);
    else if (!strcmp(word, "check"))
        return take_check(p, f);
    else if (!strcmp(word, "in"))
        return take_list(p, f);
    else if (!strcmp(word, "="))
        return take_expression(p, f);
    else
        return fail(p, "'%.40s': a field has no such rule", word);
    return 0;
}

/* That a value exists which keeps min and max. */
static int check_range(struct parser *p, const struct form_field *f)
{
    int64_t high = power_of_ten(form_cells(f)) - 1;
    if (f->has_min && f->min > high)
        return fail(p, "'min': '%s' can never be so large: it has %d digit%s", f->name,
                    form_cells(f), form_cells(f) == 1 ? "" : "s");
    if (f->has_min && f->has_max && f->min > f->max)
        return fail(p, "'min': it is above max, which '%s' can never keep", f->name);
    return 0;
}

static int add_line(struct parser *p, struct form_line line)
{
    struct form *form = p->form;
    if (grow_to(&form->line, (size_t)form->lines + 1, &form->line_room, sizeof *form->line, p->e))
        return -1;
    line.line = p->line;
    form->line[form->lines++] = line;
    return 0;
}

/* Read f's expression once more, now that min and max are known, and with it end the line. */
static int read_again(struct parser *p, struct form_field *f, const char *expression)
{
    free(f->equals);
    f->equals = NULL;
    p->p = expression;
    int status = take_expression(p, f);
    p->p = "";
    return status;
}

/* The rules of a field, whose strings may stand among them. */
static int take_rules(struct parser *p, struct form_field *f)
{
    const char *expression = NULL;
    for (int string; more(p);) {
        if ((string = take_string(p)) < 0)
            return -1;
        if (string) {
            if (f->label)
                return fail(p, "'%.40s': a second text for one field", p->word);
            if (!(f->label = strdup(p->word)))
                return out_of_memory(p);
            continue;
        }
        take_word(p);
        if (!strcmp(p->word, "="))
            expression = p->p;
        if (take_rule(p, f))
            return -1;
    }
    if (check_range(p, f))
        return -1;
    return expression ? read_again(p, f, expression) : 0;
}

static int parse_field(struct parser *p)
{
    struct form *form = p->form;
    if (form->fields == FORM_MAX_FIELDS)
        return fail(p, "'field': there are %d already, the limit", FORM_MAX_FIELDS);
    if (grow_to(&form->field, (size_t)form->fields + 1, &form->field_room, sizeof *form->field, p->e))
        return -1;
    struct form_field f = {.line = p->line};
    int status = take_name(p, &f) || take_digits(p, &f) || take_rules(p, &f) ? -1 : 0;
    if (status == 0 && !f.label && !(f.label = strdup("")))
        status = out_of_memory(p);
    form->field[form->fields++] = f; /* also a broken one: form_free frees what it has */
    return status ? -1 : add_line(p, (struct form_line){.kind = FORM_FIELD, .field = form->fields - 1});
}

/* ---- the other lines ---- */

static int parse_page(struct parser *p)
{
    if (p->form->paper)
        return fail(p, "'page': a form has one paper");
    if (!take_word(p))
        return fail(p, "'page': a word is missing behind it");
    if (!strcmp(p->word, "a4"))
        p->form->paper = FORM_A4;
    else if (!strcmp(p->word, "letter"))
        p->form->paper = FORM_LETTER;
    else
        return fail(p, "'%.40s': page is a4 or letter", p->word);
    return 0;
}

static int parse_text(struct parser *p, enum form_line_kind kind, const char *word)
{
    int string = take_string(p);
    if (string < 0)
        return -1;
    if (!string)
        return fail(p, "'%s': a text in quotes is missing behind it", word);
    char *text = strdup(p->word);
    if (!text)
        return out_of_memory(p);
    if (add_line(p, (struct form_line){.kind = kind, .text = text}) == 0)
        return 0; // cppcheck-suppress memleak ; the line owns it
    free(text);
    return -1;
}

/* box WxHmm ["caption"] */
static int parse_box(struct parser *p)
{
    char size[32], *x, *mm;
    int w = 0, h = 0;
    if (!take_word(p))
        return fail(p, "'box': a size such as 60x15mm is missing behind it");
    snprintf(size, sizeof size, "%.*s", (int)sizeof size - 1, p->word);
    if ((x = strchr(size, 'x')))
        *x++ = '\0';
    if (x && (mm = strstr(x, "mm")) && !mm[2])
        *mm = '\0';
    else
        x = NULL;
    if (strlen(p->word) >= sizeof size || !x || !whole(size, MAX_SIDE, &w) ||
        !whole(x, MAX_SIDE, &h) || !w || !h)
        return fail(p, "'%.40s': not a size such as 60x15mm", p->word);
    int string = take_string(p);
    char *text = string < 0 ? NULL : strdup(string ? p->word : "");
    if (string < 0)
        return -1;
    if (!text)
        return out_of_memory(p);
    if (add_line(p, (struct form_line){.kind = FORM_BOX, .text = text, .w = w, .h = h}) == 0)
        return 0;
    free(text);
    return -1;
}

static int parse_line(struct parser *p)
{
    int status;
    if (!more(p))
        return 0;
    take_word(p);
    if (!strcmp(p->word, "page"))
        status = parse_page(p);
    else if (!strcmp(p->word, "title"))
        status = parse_text(p, FORM_TITLE, "title");
    else if (!strcmp(p->word, "text"))
        status = parse_text(p, FORM_TEXT, "text");
    else if (!strcmp(p->word, "field"))
        status = parse_field(p);
    else if (!strcmp(p->word, "box"))
        status = parse_box(p);
    else
        status = fail(p, "'%.40s': a line begins with page, title, text, field or box", p->word);
    return status ? -1 : end_line(p);
}

static int parse_all(struct parser *p, const char *text, size_t len)
{
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        text += 3; /* a byte order mark */
        len -= 3;
    }
    while (len) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;
        p->line++;
        if (n >= sizeof p->text)
            return fail(p, "'%.40s': a line of %zu bytes, more than %d", text, n, MAX_LINE - 1);
        if (memchr(text, '\0', n))
            return fail(p, "a NUL byte: is this a form's text?");
        memcpy(p->text, text, n);
        p->text[n] = '\0';
        p->p = p->text;
        if (parse_line(p))
            return -1;
        n += end != NULL;
        text += n;
        len -= n;
    }
    return p->form->fields ? 0 : err_set(p->e, "no line with a field");
}

struct form *form_parse(const char *text, size_t len, const char *name, struct err *e)
{
    struct form *form = calloc(1, sizeof *form);
    struct parser *p = calloc(1, sizeof *p);
    int status = form && p ? 0 : err_set(e, "out of memory");
    if (status == 0 && !(form->name = strdup(name)))
        status = err_set(e, "out of memory");
    if (status == 0) {
        p->form = form;
        p->e = e;
        status = parse_all(p, text, len);
    }
    free(p);
    if (status == 0)
        return form;
    form_free(form);
    err_at(e, name, -1);
    return NULL;
}

struct form *form_load(const char *name, struct err *e)
{
    bool standard = !name || !strcmp(name, "-");
    uint8_t *bytes;
    size_t len;
    if (file_load(name, FORM_MAX_TEXT, &bytes, &len, e))
        return NULL;
    struct form *form = form_parse((const char *)bytes, len, standard ? "standard input" : name, e);
    free(bytes);
    return form;
}

int form_read_lists(struct form *form, struct err *e)
{
    for (int i = 0; i < form->fields; i++) {
        struct form_field *f = &form->field[i];
        if (f->list_name && !f->list && !(f->list = list_load(f, e)))
            return -1;
    }
    return 0;
}

void form_free(struct form *form)
{
    if (!form)
        return;
    for (int i = 0; i < form->fields; i++) {
        free(form->field[i].label);
        free(form->field[i].list_name);
        free(form->field[i].equals);
        list_free(form->field[i].list);
    }
    for (int i = 0; i < form->lines; i++)
        free(form->line[i].text);
    free(form->field);
    free(form->line);
    free(form->name);
    free(form);
}

int form_find(const struct form *form, const char *name)
{
    for (int i = 0; i < form->fields; i++)
        if (!strcmp(form->field[i].name, name))
            return i;
    return -1;
}

int form_cells(const struct form_field *f)
{
    return f->digits + f->decimals;
}
