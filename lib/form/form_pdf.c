/* A laid out form as PDF 1.4 (ISO 32000-1 describes a later one): what all copies share is a form XObject
 * for each sheet, so that a copy more is a page object and a short stream. Nothing is compressed and
 * nothing is dated: the same form gives the same bytes. */
#include "form.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "form_font.h"
#include "base/grow.h"

/* Objects 1 to 5 are fixed, then come the sheets, then each page and its stream. */
enum { CATALOG = 1, PAGES, INFO, REGULAR, BOLD, FIRST_SHEET };

struct pdf {
    const struct form_layout *l;
    char *bytes;
    size_t len, room;
    size_t *offset; /* [objects + 1] of each object, from 1 */
    int objects;
    struct err *e;
    bool failed;
};

static void put_bytes(struct pdf *p, const void *bytes, size_t len)
{
    p->failed = p->failed || grow_to(&p->bytes, p->len + len + 1, &p->room, 1, p->e);
    if (p->failed)
        return;
    memcpy(p->bytes + p->len, bytes, len);
    p->len += len;
}

__attribute__((format(printf, 2, 3))) static void put(struct pdf *p, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_bytes(p, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* A length in points with two decimals, made of whole numbers: no locale has a say in it. */
static void put_length(struct pdf *p, double mm)
{
    long hundredths = (long)(mm / MM_PER_POINT * 100 + (mm < 0 ? -.5 : .5));
    put(p, "%s%ld.%02ld ", hundredths < 0 ? "-" : "", labs(hundredths) / 100, labs(hundredths) % 100);
}

static void put_gray(struct pdf *p, double gray, const char *operator)
{
    put(p, "%d.%02d %s\n", (int)gray, (int)(gray * 100 + .5) % 100, operator);
}

/* x, y of the lower left corner in PDF's sense, and the size. */
static void put_rect(struct pdf *p, struct form_rect at)
{
    put_length(p, at.x);
    put_length(p, p->l->height - at.y - at.h);
    put_length(p, at.w);
    put_length(p, at.h);
    put(p, "re\n");
}

/* A string in parentheses, as PDF has it. */
static void put_string(struct pdf *p, const char *text)
{
    put(p, "(");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '(' || c == ')' || c == '\\')
            put(p, "\\%c", c);
        else if (c < ' ' || c > '~')
            put(p, "\\%03o", c);
        else
            put_bytes(p, text, 1);
    }
    put(p, ")");
}

/* ---- what is drawn ---- */

static void draw_text(struct pdf *p, const char *text, double x, double base, double size, bool bold,
                      double gray)
{
    put(p, "BT\n/%s %d.%02d Tf\n", bold ? "B" : "R", (int)size, (int)(size * 100 + .5) % 100);
    put_gray(p, gray, "g");
    put_length(p, x);
    put_length(p, p->l->height - base);
    put(p, "Td\n");
    put_string(p, text);
    put(p, " Tj\nET\n");
}

/* A disc of four Bezier curves, whose handles are .5523 of the radius. */
static void draw_disc(struct pdf *p, struct form_rect at)
{
    static const int from[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    double r = at.w / 2, x = at.x + r, y = p->l->height - at.y - r, handle = .5523;
    put_gray(p, 0, "g");
    put_length(p, x + r);
    put_length(p, y);
    put(p, "m\n");
    for (int i = 0; i < 4; i++) {
        const int *a = from[i], *b = from[(i + 1) % 4];
        put_length(p, x + r * (a[0] + handle * b[0]));
        put_length(p, y + r * (a[1] + handle * b[1]));
        put_length(p, x + r * (b[0] + handle * a[0]));
        put_length(p, y + r * (b[1] + handle * a[1]));
        put_length(p, x + r * b[0]);
        put_length(p, y + r * b[1]);
        put(p, "c\n");
    }
    put(p, "f\n");
}

static void draw_item(struct pdf *p, const struct form_item *item)
{
    switch (item->kind) {
    case FORM_ITEM_TEXT:
        draw_text(p, item->text, item->at.x, item->base, item->size, item->bold, item->gray);
        break;
    case FORM_ITEM_FRAME:
        put_gray(p, item->gray, "G");
        put_length(p, FORM_LINE);
        put(p, "w\n");
        put_rect(p, item->at);
        put(p, "S\n");
        break;
    case FORM_ITEM_POINT: draw_disc(p, item->at); break;
    case FORM_ITEM_RULE:
        put_gray(p, item->gray, "g");
        put_rect(p, item->at);
        put(p, "f\n");
        break;
    }
}

/* The square in the middle of a mark, `part` sevenths of its side. */
static struct form_rect mark_part(struct form_rect mark, int part)
{
    double side = mark.w * part / 7, margin = (mark.w - side) / 2;
    return (struct form_rect){mark.x + margin, mark.y + margin, side, side};
}

static void draw_marks(struct pdf *p)
{
    put_gray(p, 0, "g");
    for (int i = 0; i < FORM_MARKS; i++) {
        bool core = i != FORM_UPPER_LEFT;
        put_rect(p, p->l->mark[i]);
        put_rect(p, mark_part(p->l->mark[i], core ? 5 : 3));
        if (core)
            put_rect(p, mark_part(p->l->mark[i], 3));
    }
    put(p, "f*\n"); /* what lies in two of them is white, in three black */
}

static void draw_sheet(struct pdf *p, int sheet)
{
    draw_marks(p);
    for (size_t i = 0; i < p->l->items; i++)
        if (p->l->item[i].sheet == sheet)
            draw_item(p, &p->l->item[i]);
}

/* What a copy has for itself: its code and number. */
static void draw_copy(struct pdf *p, int sheet, int copy)
{
    bool bit[FORM_CODE_BITS];
    struct form_code code = {p->l->code, (unsigned)sheet, (unsigned)copy};
    form_code_write(code, bit);
    put(p, "/S%d Do\n", sheet);
    put_gray(p, 0, "g");
    for (int i = 0; i < FORM_CODE_BITS; i++)
        if (bit[i])
            put_rect(p, p->l->bit[i]);
    put(p, "f\n");
    if (copy) {
        char number[32];
        int n = snprintf(number, sizeof number, "No. %d", copy);
        const struct form_rect *at = &p->l->number;
        double size = at->h / MM_PER_POINT;
        draw_text(p, number, at->x + at->w - font_width(number, (size_t)n, size, false),
                  at->y + at->h * .78, size, false, .4);
    }
}

/* ---- objects ---- */

static void begin(struct pdf *p, int object)
{
    p->offset[object] = p->len;
    put(p, "%d 0 obj\n", object);
}

static void end(struct pdf *p)
{
    put(p, "endobj\n");
}

/* A stream: its dictionary's entries, then what draw makes, whose length is filled in behind it. */
static void put_stream(struct pdf *p, int object, const char *entries, int sheet, int copy)
{
    begin(p, object);
    put(p, "<< %s/Length ", entries);
    size_t hole = p->len;
    put(p, "%010d >>\nstream\n", 0);
    size_t start = p->len;
    if (copy < 0)
        draw_sheet(p, sheet);
    else
        draw_copy(p, sheet, copy);
    char length[16];
    snprintf(length, sizeof length, "%010zu", p->len - start);
    if (!p->failed)
        memcpy(p->bytes + hole, length, 10);
    put(p, "endstream\n");
    end(p);
}

static void put_box(struct pdf *p, const char *name)
{
    put(p, "/%s [0 0 ", name);
    put_length(p, p->l->width);
    put_length(p, p->l->height);
    put(p, "]\n");
}

static void put_fixed(struct pdf *p, int pages)
{
    static const char *const font[] = {"Helvetica", "Helvetica-Bold"};
    begin(p, CATALOG);
    put(p, "<< /Type /Catalog /Pages %d 0 R\n/ViewerPreferences << /PrintScaling /None >> >>\n", PAGES);
    end(p);
    begin(p, PAGES);
    put(p, "<< /Type /Pages /Count %d\n", pages);
    put_box(p, "MediaBox");
    put(p, "/Resources << /Font << /R %d 0 R /B %d 0 R >> /XObject <<", REGULAR, BOLD);
    for (int i = 0; i < p->l->sheets; i++)
        put(p, " /S%d %d 0 R", i, FIRST_SHEET + i);
    put(p, " >> >>\n/Kids [");
    for (int i = 0; i < pages; i++)
        put(p, "%d 0 R%s", FIRST_SHEET + p->l->sheets + 2 * i, i + 1 < pages ? "\n" : "");
    put(p, "] >>\n");
    end(p);
    for (int i = 0; i < 2; i++) {
        begin(p, REGULAR + i);
        put(p, "<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>\n", font[i]);
        end(p);
    }
}

static int put_info(struct pdf *p)
{
    const struct form *form = p->l->form;
    char *title = NULL;
    for (int i = 0; i < form->lines && !title; i++)
        if (form->line[i].kind == FORM_TITLE && !(title = font_encode(form->line[i].text, p->e)))
            return -1;
    begin(p, INFO);
    put(p, "<< /Producer (inkpipe) /Title ");
    put_string(p, title ? title : "");
    put(p, " >>\n");
    end(p);
    free(title);
    return 0;
}

static void put_sheets(struct pdf *p)
{
    for (int i = 0; i < p->l->sheets; i++) {
        char entries[256];
        long w = (long)(p->l->width / MM_PER_POINT + 1), h = (long)(p->l->height / MM_PER_POINT + 1);
        snprintf(entries, sizeof entries, "/Type /XObject /Subtype /Form /BBox [0 0 %ld %ld]\n"
                 "/Resources << /Font << /R %d 0 R /B %d 0 R >> >>\n", w, h, REGULAR, BOLD);
        put_stream(p, FIRST_SHEET + i, entries, i, -1);
    }
}

static void put_pages(struct pdf *p, int copies)
{
    int object = FIRST_SHEET + p->l->sheets;
    for (int copy = copies ? 1 : 0; copy <= copies; copy++)
        for (int sheet = 0; sheet < p->l->sheets; sheet++, object += 2) {
            begin(p, object);
            put(p, "<< /Type /Page /Parent %d 0 R /Contents %d 0 R >>\n", PAGES, object + 1);
            end(p);
            put_stream(p, object + 1, "", sheet, copy);
        }
}

static void put_trailer(struct pdf *p)
{
    size_t start = p->len;
    put(p, "xref\n0 %d\n0000000000 65535 f \n", p->objects + 1);
    for (int i = 1; i <= p->objects; i++)
        put(p, "%010zu 00000 n \n", p->offset[i]);
    put(p, "trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\nstartxref\n%zu\n%%%%EOF\n",
        p->objects + 1, CATALOG, INFO, start);
}

int form_pdf(const struct form_layout *layout, int copies, uint8_t **bytes, size_t *len, struct err *e)
{
    int pages = (copies ? copies : 1) * layout->sheets;
    struct pdf p = {.l = layout, .objects = FIRST_SHEET - 1 + layout->sheets + 2 * pages, .e = e};
    p.offset = calloc((size_t)p.objects + 1, sizeof *p.offset);
    if (!p.offset)
        return err_set(e, "out of memory");
    put(&p, "%%PDF-1.4\n%%\xe2\xe3\xcf\xd3\n");
    put_fixed(&p, pages);
    p.failed |= put_info(&p) < 0;
    put_sheets(&p);
    put_pages(&p, copies);
    put_trailer(&p);
    free(p.offset);
    *bytes = (uint8_t *)p.bytes;
    *len = p.len;
    if (!p.failed)
        return 0;
    free(p.bytes);
    *bytes = NULL;
    return -1;
}
