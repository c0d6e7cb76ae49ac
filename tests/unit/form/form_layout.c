/* Paper: what is printed lies on it, clear of the edge and of one another; the code; the PDF. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "form/form.h"
#include "form/form_font.h"

static struct form *parse(const char *text)
{
    struct err e = ERR_NONE;
    struct form *form = form_parse(text, strlen(text), "t.form", &e);
    if (!form)
        printf("# %s\n", e.what);
    return form;
}

static bool meet(struct form_rect a, struct form_rect b)
{
    return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

static bool on_paper(const struct form_layout *l, struct form_rect r, double margin)
{
    return r.x >= margin && r.y >= margin && r.x + r.w <= l->width - margin &&
           r.y + r.h <= l->height - margin;
}

/* Nothing is printed over anything else, nor where printers cut. */
static void check_places(const struct form_layout *l, const char *name)
{
    bool inside = true, apart = true;
    for (size_t i = 0; i < l->items; i++) {
        const struct form_item *a = &l->item[i];
        inside &= on_paper(l, a->at, 10);
        for (int m = 0; m < FORM_MARKS; m++)
            apart &= !meet(a->at, l->mark[m]);
        for (int b = 0; b < FORM_CODE_BITS; b++)
            apart &= !meet(a->at, l->bit[b]);
        for (size_t k = 0; k < i; k++)
            apart &= a->sheet != l->item[k].sheet || !meet(a->at, l->item[k].at);
    }
    for (int m = 0; m < FORM_MARKS; m++)
        inside &= on_paper(l, l->mark[m], 9.99);
    CHECK(inside, "%s: nothing nearer to the edge than 10 mm", name);
    CHECK(apart, "%s: nothing over anything else", name);
}

static void test_examples(void)
{
    static const char *const name[] = {"exam", "log", "survey", "score"};
    for (size_t i = 0; i < 4; i++) {
        char path[64];
        struct err e = ERR_NONE;
        struct form_layout l;
        snprintf(path, sizeof path, "examples/%s.form", name[i]);
        struct form *form = form_load(path, &e);
        CHECK(form && form_lay_out(form, &l, &e) == 0, "%s is laid out: %s", path, e.what);
        size_t cells = 0;
        for (int k = 0; k < form->fields; k++)
            cells += (size_t)form_cells(&form->field[k]);
        CHECK(l.cells == cells && l.cell[0].field == 0 && l.cell[cells - 1].field == form->fields - 1,
              "%s: all its cells, in its order", path);
        check_places(&l, path);
        CHECK((l.sheets > 1) == (i == 2), "%s: %d sheets", path, l.sheets);
        form_layout_free(&l);
        form_free(form);
    }
}

static void test_limits(void)
{
    struct err e = ERR_NONE;
    struct form_layout l;
    struct form *form = parse("page letter\nfield a digits 18 \"A name that is a good deal longer than the "
                              "column of names may be, so that it takes several lines, and then some\"\n"
                              "field b digits 9.9\nfield c digits 17 \"C\"\nbox 160x200mm\n");
    CHECK(form_lay_out(form, &l, &e) == 0 && l.sheets == 2, "the longest fields: %s", e.what);
    check_places(&l, "the longest fields");
    form_layout_free(&l);
    form_free(form);

    static const struct {
        const char *text, *what;
    } bad[] = {
        {"field a digits 1\n", "no line 'page a4' or 'page letter': what paper is it for?"},
        {"page a4\nfield a digits 1\nbox 180x10mm \"B\"\n", "line 3: 'B': wider than the paper"},
        {"page a4\nfield a digits 1\nbox 10x280mm\n", "line 3: higher than the paper"},
        {"page a4\ntitle \"\xc5\x82\"\nfield a digits 1\n",
         "line 2: '\xc5\x82': PDF's standard fonts have the letters of Western Europe only"},
        {"page a4\nfield a digits 1 \"\xff\"\n", "line 2: '?': not UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        e = (struct err)ERR_NONE;
        form = parse(bad[i].text);
        CHECK(form_lay_out(form, &l, &e) == -1 && !strcmp(e.what, bad[i].what) && !strcmp(e.file, "t.form"),
              "%s", i == 4 ? "not UTF-8" : bad[i].what);
        if (strcmp(e.what, bad[i].what))
            printf("# got: %s\n", e.what);
        form_free(form);
    }
    char many[20000] = "page a4\n";
    for (int i = 0; i < 17; i++)
        strcat(many, "box 100x240mm\n");
    strcat(many, "field a digits 1\n");
    form = parse(many);
    CHECK(form_lay_out(form, &l, &e) == -1, "more than 16 sheets");
    form_free(form);
}

static void test_code(void)
{
    bool bit[FORM_CODE_BITS], good = true, wrong = false;
    struct form_code code;
    for (unsigned i = 0; i < 500; i++) {
        struct form_code in = {i * 131 % 65536, i % 16, i * 7919 % 65536};
        form_code_write(in, bit);
        good &= form_code_read(bit, &code) && code.form == in.form && code.sheet == in.sheet &&
                code.copy == in.copy;
        bit[i % FORM_CODE_BITS] ^= true;
        wrong |= form_code_read(bit, &code);
        bit[(i + 1) % FORM_CODE_BITS] ^= true;
        wrong |= form_code_read(bit, &code);
    }
    CHECK(good, "codes are read as they were written");
    CHECK(!wrong, "with one or two bits wrong they are none");
    memset(bit, false, sizeof bit);
    CHECK(!form_code_read(bit, &code), "white is none");
    memset(bit, true, sizeof bit);
    CHECK(!form_code_read(bit, &code), "black is none");
}

static unsigned code_of(const char *text)
{
    struct err e = ERR_NONE;
    struct form_layout l;
    struct form *form = parse(text);
    form_lay_out(form, &l, &e);
    unsigned code = l.code;
    form_layout_free(&l);
    form_free(form);
    return code;
}

static void test_form_code(void)
{
    unsigned code = code_of("page a4\nfield a digits 2 max 12\nfield b digits 2\n");
    CHECK(code == code_of("page a4\nfield a digits 2 max 20 blank\nfield b digits 2 = a + 1\n"),
          "rules may change, and it is the same form");
    CHECK(code != code_of("page a4\nfield a digits 2\nfield c digits 2\n") &&
              code != code_of("page a4\nfield a digits 2\nfield b digits 3\n") &&
              code != code_of("page letter\nfield a digits 2\nfield longer digits 2\n"),
          "another name, number of boxes or place, and it is another");
}

static void test_pdf(void)
{
    struct err e = ERR_NONE;
    struct form_layout l;
    struct form *form = parse("page a4\ntitle \"(A\\\\\xc3\xa4)\"\nfield a digits 2.1\n");
    uint8_t *one, *two;
    size_t len, len2;
    form_lay_out(form, &l, &e);
    CHECK(form_pdf(&l, 3, &one, &len, &e) == 0 && form_pdf(&l, 3, &two, &len2, &e) == 0 && len == len2 &&
              !memcmp(one, two, len),
          "the same bytes twice");
    CHECK(!memcmp(one, "%PDF-1.4\n", 9) && !memcmp(one + len - 6, "%%EOF\n", 6), "a PDF from end to end");
    bool found = false;
    for (size_t i = 0; i + 12 < len; i++)
        found |= !memcmp(one + i, "(\\(A\\\\\\\\\\344\\))", 15);
    CHECK(found, "strings are escaped");
    free(one);
    free(two);
    form_layout_free(&l);
    form_free(form);
}

static void test_font(void)
{
    CHECK(fabs(font_width("Hello", 5, 1000, false) / MM_PER_POINT - (722 + 556 + 222 + 222 + 556)) < 1e-6,
          "Helvetica's widths");
    CHECK(fabs(font_width("Hello", 5, 1000, true) / MM_PER_POINT - (722 + 556 + 278 + 278 + 611)) < 1e-6,
          "Helvetica-Bold's");
    struct err e = ERR_NONE;
    char *text = font_encode("\xe2\x82\xac \xc3\xbc", &e);
    CHECK(text && !strcmp(text, "\x80 \xfc"), "UTF-8 to WinAnsiEncoding");
    free(text);
}

int main(void)
{
    test_examples();
    test_limits();
    test_code();
    test_form_code();
    test_pdf();
    test_font();
    return check_done();
}
