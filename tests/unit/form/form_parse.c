/* The form's text: what is read, and what is said of what is wrong. */
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "form/form.h"
#include "form/form_check.h"
#include "form/form_expression.h"

static struct form *parse(const char *text, struct err *e)
{
    return form_parse(text, strlen(text), "dir/t.form", e);
}

static void test_whole(void)
{
    struct err e = ERR_NONE;
    struct form *form = parse("\xef\xbb\xbfpage letter # paper\r\n\n  title \"A # is no comment here\"\n"
                              "text\t\"B\"\n"
                              "field id digits 8 \"Number\" in students.tsv unique\n"
                              "field mass digits 3.2 min .5 max 250 blank \"Mass, g\"\n"
                              "field n digits 2 check luhn rising\n"
                              "field x digits 5.2 =(mass+1.5)*n-2 max 99999\n"
                              "box 60x15mm\n",
                              &e);
    CHECK(form, "all that there is: %s", e.what);
    CHECK(form->paper == FORM_LETTER && form->fields == 4 && form->lines == 7, "paper, fields, lines");
    CHECK(!strcmp(form->line[0].text, "A # is no comment here"), "a # in quotes");
    const struct form_field *f = form->field;
    CHECK(f[0].unique && !strcmp(f[0].list_name, "dir/students.tsv"), "a list is in the form's folder");
    CHECK(f[1].digits == 3 && f[1].decimals == 2 && f[1].min == 50 && f[1].max == 25000 && f[1].blank &&
              !strcmp(f[1].label, "Mass, g"),
          "a point, and rules in its unit");
    CHECK(f[2].check == FORM_LUHN && f[2].rising && !*f[2].label, "check, rising, no text");
    const struct form_expression *x = f[3].equals;
    CHECK(x && expression_uses(x, 1) && expression_uses(x, 2) && !expression_uses(x, 0), "an expression");
    CHECK(x->node[x->nodes - 1].decimals == 2 && x->scale == 1 && x->scale_field == 1, "its unit");
    CHECK(form->line[6].w == 60 && form->line[6].h == 15 && !*form->line[6].text, "a box");
    CHECK(form_find(form, "mass") == 1 && form_find(form, "no") == -1, "fields by name");
    form_free(form);
}

static void test_bad(void)
{
    static const struct {
        const char *text, *what;
    } bad[] = {
        {"", "no line with a field"},
        {"page a5\n", "line 1: 'a5': page is a4 or letter"},
        {"page a4 landscape\n", "line 1: 'landscape': nothing more should stand here"},
        {"page a4\npage a4\n", "line 2: 'page': a form has one paper"},
        {"colour red\n", "line 1: 'colour': a line begins with page, title, text, field or box"},
        {"title Exam\n", "line 1: 'title': a text in quotes is missing behind it"},
        {"title \"Exam\n", "line 1: '\"Exam': there is no second \""},
        {"field\n", "line 1: 'field': a name is missing behind it"},
        {"field 1a digits 2\n", "line 1: '1a': a name is a letter and then letters, digits and _"},
        {"field page digits 2\n", "line 1: 'page': the table has a column of that name itself"},
        {"field a digits 2\n\nfield a digits 1\n", "line 3: 'a': line 1 has a field of that name"},
        {"field a digit 2\n", "line 1: 'digit': digits and their number should stand behind the name"},
        {"field a digits 0\n", "line 1: '0': digits are N or N.M, together 1 to 18"},
        {"field a digits 19\n", "line 1: '19': digits are N or N.M, together 1 to 18"},
        {"field a digits 3.\n", "line 1: '3.': digits are N or N.M, together 1 to 18"},
        {"field a digits 2 maxx 12\n", "line 1: 'maxx': a field has no such rule"},
        {"field a digits 2 max\n", "line 1: 'max': a number is missing behind it"},
        {"field a digits 2 max -1\n", "line 1: '-1': max must be a whole number, not negative"},
        {"field a digits 2.1 max 1.55\n", "line 1: '1.55': max must be a number of at most 1 decimal"},
        {"field a digits 2 min 12 max 11\n",
         "line 1: 'min': it is above max, which 'a' can never keep"},
        {"field a digits 2 min 100\n", "line 1: 'min': 'a' can never be so large: it has 2 digits"},
        {"field a digits 2 check crc\n", "line 1: 'crc': check is luhn, mod11, mod97 or verhoeff"},
        {"field a digits 2.1 in b.tsv\n",
         "line 1: 'in': a list is of whole numbers, and 'a' has a point"},
        {"field a digits 2 in b.tsv in c.tsv\n", "line 1: 'in': 'a' has a list already"},
        {"field a digits 2 \"A\" \"B\"\n", "line 1: 'B': a second text for one field"},
        {"field a digits 2 = a + 1\n", "line 1: 'a': a field cannot be in its own rule"},
        {"field a digits 2 = b + 1\n", "line 1: 'b': no field before this one has that name"},
        {"field b digits 2\nfield a digits 2 = b + b\n",
         "line 2: 'b': a field may be in an expression once"},
        {"field b digits 2\nfield a digits 2 = b +\n",
         "line 2: '=': a field or number should stand here"},
        {"field b digits 2\nfield a digits 2 = (b + 1\n", "line 2: '(': there is no ) for it"},
        {"field b digits 2\nfield a digits 2 = b - 1.2.3\n", "line 2: '1.2.3': not a number"},
        {"field b digits 1\nfield a digits 2 = b min 20\n",
         "line 2: '=': this can never be: a is never so small"},
        {"field b digits 1\nfield a digits 1 = b + 10\n",
         "line 2: '=': this can never be: a is never so large"},
        {"field b digits 2 min 50\nfield a digits 1 = b\n",
         "line 2: '=': this can never be: a is never so large"},
        {"field a digits 2.1 = 3.25\n", "line 1: '=': this can never be: a has 1 decimal"},
        {"field b digits 18\nfield a digits 18 = 1000 * b\n",
         "line 2: '*': the result has too many digits"},
        {"box 60x15\nfield a digits 1\n", "line 1: '60x15': not a size such as 60x15mm"},
        {"box 0x15mm\n", "line 1: '0x15mm': not a size such as 60x15mm"},
        {"box 60x15mm \"A\" \"B\"\n", "line 1: '\"': nothing more should stand here"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = ERR_NONE;
        struct form *form = parse(bad[i].text, &e);
        CHECK(!form && !strcmp(e.what, bad[i].what) && !strcmp(e.file, "dir/t.form"), "%s", bad[i].what);
        if (strcmp(e.what, bad[i].what))
            printf("# got: %s\n", e.what);
        form_free(form);
    }
    struct err e = ERR_NONE;
    struct form *form = parse("field b digits 2 min 50 blank\nfield a digits 1 = b\n", &e);
    CHECK(form, "where b is empty, a may be 0: %s", e.what);
    form_free(form);
    CHECK(!form_parse("field\0", 6, "t.form", &e), "a NUL: %s", e.what);
}

static bool passes(enum form_check check, const char *text)
{
    int digit[32], n = (int)strlen(text);
    for (int i = 0; i < n; i++)
        digit[i] = text[i] - '0';
    return check_passes(check, digit, n);
}

/* Numbers that others publish, and each with one digit changed. */
static void test_checks(void)
{
    static const struct {
        enum form_check check;
        const char *number, *name;
    } good[] = {
        {FORM_LUHN, "4539578763621486", "luhn: a card"},
        {FORM_LUHN, "79927398713", "luhn: the textbook's"},
        {FORM_MOD11, "0306406152", "mod11: an ISBN"},
        {FORM_MOD97, "3214282912345698765432161182", "mod97: GB82WEST12345698765432 as digits"},
        {FORM_VERHOEFF, "2363", "verhoeff: 236 and its digit"},
        {FORM_VERHOEFF, "123451", "verhoeff: 12345 and its digit"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char other[32];
        bool found = false;
        size_t n = strlen(good[i].number);
        CHECK(passes(good[i].check, good[i].number), "%s", good[i].name);
        for (size_t k = 0; k < n; k++) {
            strcpy(other, good[i].number);
            other[k] = (char)('0' + (other[k] - '0' + 1 + (int)k) % 10);
            found |= strcmp(other, good[i].number) && passes(good[i].check, other);
        }
        CHECK(!found, "%s: no other digit will do", good[i].name);
    }
}

int main(void)
{
    test_whole();
    test_bad();
    test_checks();
    return check_done();
}
