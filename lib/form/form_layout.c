/* From a form to places on paper: lines from the top down, names on the left, boxes in a column beside
 * them, a new sheet when one is full. */
#include "form.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "form_font.h"
#include "base/grow.h"

/* All in mm. Printers cut up to 6.4 at the sides and some 8 at the foot. */
#define EDGE 10.0         /* from the paper's edge to a mark */
#define SIDE 22.0         /* from the paper's edge to what is written */
#define TOP 24.0          /* from the paper's edge to the first line */
#define FOOT 24.0         /* from the last line to the paper's edge, at least */
#define BOX_WIDTH 8.0     /* of a digit's box */
#define BOX_HEIGHT 10.0
#define BOX_GAP 2.0       /* between boxes, where there is room for it */
#define MIN_BOX_GAP 0.8   /* between the boxes of a long field, at least */
#define POINT_GAP 3.0     /* what a printed point takes beside the gap */
#define POINT 1.3         /* diameter of the point */
#define ROW_GAP 4.0       /* between a row of boxes and the next */
#define PART_GAP 3.0      /* more between title, texts and boxes */
#define NAME_GAP 6.0      /* between names and boxes */
#define MAX_NAME 70.0     /* of the column of names; longer names take several lines */
#define CODE_SIDE 2.0     /* of the code's squares */

/* In points. */
#define TITLE_SIZE 18.0
#define TEXT_SIZE 10.5
#define NAME_SIZE 11.0
#define FOOT_SIZE 8.0
#define LEADING 1.3       /* from baseline to baseline, in sizes */
#define ASCENT 0.76       /* above the baseline, in sizes */
#define DESCENT 0.22      /* below it */
#define FOOT_GRAY 0.4

struct setter {
    struct form_layout *l;
    int line;            /* of the form's text */
    int sheet;
    double y;            /* where the next line begins */
    double column;       /* where boxes begin */
    struct err *e;
};

static int fail(const struct setter *s, const char *what, const char *which)
{
    return err_set(s->e, "line %d: '%.40s': %s", s->line, which, what);
}

/* font_encode, with the line in the error. */
static char *encode(const struct setter *s, const char *utf8)
{
    struct err e = ERR_NONE;
    char *text = font_encode(utf8, &e);
    if (!text)
        err_set(s->e, "line %d: %s", s->line, e.what);
    return text;
}

static double measure(double points)
{
    return points * MM_PER_POINT;
}

/* ---- items ---- */

static int add_item(struct setter *s, struct form_item item)
{
    struct form_layout *l = s->l;
    if (grow_to(&l->item, l->items + 1, &l->item_room, sizeof *l->item, s->e)) {
        free(item.text);
        return -1;
    }
    item.sheet = s->sheet;
    item.line = s->line;
    l->item[l->items++] = item;
    return 0;
}

/* The `len` bytes at text, in WinAnsiEncoding, with their upper left corner at x, y. */
static int add_text(struct setter *s, const char *text, size_t len, double x, double y, double size,
                    bool bold, double gray)
{
    struct form_item item = {.kind = FORM_ITEM_TEXT, .size = size, .bold = bold, .gray = gray};
    item.at = (struct form_rect){x, y, font_width(text, len, size, bold),
                                 measure(size) * (ASCENT + DESCENT)};
    item.base = y + measure(size) * ASCENT;
    item.text = strndup(text, len);
    return item.text ? add_item(s, item) : err_set(s->e, "out of memory");
}

/* ---- text in lines ---- */

/* How many bytes of text fit in `width`, up to the end of a word; a word that is wider by itself stands
 * alone. */
static size_t fitting(const char *text, double width, double size, bool bold)
{
    size_t fits = 0;
    for (size_t n = 0; text[n];) {
        n += strspn(text + n, " ");
        n += strcspn(text + n, " ");
        if (fits && font_width(text, n, size, bold) > width)
            break;
        fits = n;
    }
    return fits;
}

/* Set text in lines of at most `width` from x, y; with `draw` false only count them. Returns the number
 * of lines, or -1. */
static int set_lines(struct setter *s, const char *text, double x, double y, double width, double size,
                     bool bold, bool draw)
{
    int lines = 0;
    for (; *text; lines++) {
        size_t n = fitting(text, width, size, bold);
        if (font_width(text, n, size, bold) > s->l->width - SIDE - x)
            return fail(s, "wider than the paper", text);
        if (draw && add_text(s, text, n, x, y + lines * measure(size) * LEADING, size, bold, 0))
            return -1;
        text += n;
        text += strspn(text, " ");
    }
    return lines;
}

static double lines_height(int lines, double size)
{
    return lines ? measure(size) * ((lines - 1) * LEADING + ASCENT + DESCENT) : 0;
}

/* Room for `height` from s->y, on a new sheet if need be. */
static int make_room(struct setter *s, double height)
{
    if (s->y + height <= s->l->height - FOOT)
        return 0;
    if (TOP + height > s->l->height - FOOT)
        return err_set(s->e, "line %d: higher than the paper", s->line);
    if (s->sheet + 1 == FORM_MAX_SHEETS)
        return err_set(s->e, "line %d: more than %d sheets", s->line, FORM_MAX_SHEETS);
    s->sheet++;
    s->y = TOP;
    return 0;
}

/* A title or text, which is not parted from the row of boxes below it. */
static int set_text(struct setter *s, const struct form_line *line, bool before_boxes)
{
    bool bold = line->kind == FORM_TITLE;
    double size = bold ? TITLE_SIZE : TEXT_SIZE, width = s->l->width - 2 * SIDE;
    char *text = encode(s, line->text);
    if (!text)
        return -1;
    int lines = set_lines(s, text, SIDE, 0, width, size, bold, false);
    double height = lines_height(lines, size);
    int status = lines < 0 || make_room(s, height + (before_boxes ? BOX_HEIGHT + PART_GAP : 0)) ? -1 : 0;
    if (status == 0 && set_lines(s, text, SIDE, s->y, width, size, bold, true) < 0)
        status = -1;
    s->y += height + measure(size) * (LEADING - ASCENT - DESCENT) + (bold ? PART_GAP : 0);
    free(text);
    return status;
}

/* ---- rows of boxes ---- */

/* A row: its name, as it is printed, and the width of what stands beside it. */
struct row {
    const char *utf8;
    double width, height;
};

/* The gap between a field's boxes; negative: they do not fit on the paper. */
static double box_gap(const struct form_layout *l, const struct form_field *f)
{
    int cells = form_cells(f);
    double room = l->width - 2 * SIDE - cells * BOX_WIDTH - (f->decimals ? POINT_GAP : 0);
    if (cells == 1)
        return room < 0 ? -1 : 0;
    double gap = fmin(BOX_GAP, room / (cells - 1));
    return gap < MIN_BOX_GAP ? -1 : gap;
}

static bool is_row(const struct form_line *line)
{
    return line->kind == FORM_FIELD || line->kind == FORM_BOX;
}

static struct row describe(const struct form_layout *l, const struct form_line *line)
{
    if (line->kind == FORM_BOX)
        return (struct row){line->text, line->w, line->h};
    const struct form_field *f = &l->form->field[line->field];
    int cells = form_cells(f);
    double gap = box_gap(l, f);
    return (struct row){*f->label ? f->label : f->name,
                        gap < 0 ? l->width : cells * BOX_WIDTH + (cells - 1) * gap +
                                                 (f->decimals ? POINT_GAP : 0), BOX_HEIGHT};
}

static int add_cells(struct setter *s, int field, double x, double y)
{
    struct form_layout *l = s->l;
    const struct form_field *f = &l->form->field[field];
    double gap = box_gap(l, f);
    for (int i = 0; i < form_cells(f); i++, x += BOX_WIDTH + gap) {
        if (f->decimals && i == f->digits) {
            struct form_rect point = {x - gap + (gap + POINT_GAP - POINT) / 2,
                                      y + BOX_HEIGHT - POINT, POINT, POINT};
            if (add_item(s, (struct form_item){.kind = FORM_ITEM_POINT, .at = point}))
                return -1;
            x += POINT_GAP;
        }
        struct form_rect at = {x, y, BOX_WIDTH, BOX_HEIGHT};
        if (grow_to(&l->cell, l->cells + 1, &l->cell_room, sizeof *l->cell, s->e))
            return -1;
        l->cell[l->cells++] = (struct form_cell){s->sheet, field, i, at};
        if (add_item(s, (struct form_item){.kind = FORM_ITEM_FRAME, .at = at}))
            return -1;
    }
    return 0;
}

/* The name on the left and the boxes in the column, both in the middle of the row; or the name above
 * boxes that do not fit beside it. */
static int set_row(struct setter *s, const struct form_line *line)
{
    struct row row = describe(s->l, line);
    if (row.width > s->l->width - 2 * SIDE)
        return fail(s, "wider than the paper", row.utf8);
    bool beside = s->column + row.width <= s->l->width - SIDE;
    double width = beside ? s->column - SIDE - NAME_GAP : s->l->width - 2 * SIDE;
    char *name = encode(s, row.utf8);
    if (!name)
        return -1;
    int lines = set_lines(s, name, SIDE, 0, width, NAME_SIZE, false, false);
    double text = lines_height(lines, NAME_SIZE);
    double height = beside ? fmax(text, row.height) : text + (lines ? 1.5 : 0) + row.height;
    int status = lines < 0 || make_room(s, height) ? -1 : 0;
    double name_y = beside ? s->y + (height - text) / 2 : s->y;
    if (status == 0 && set_lines(s, name, SIDE, name_y, width, NAME_SIZE, false, true) < 0)
        status = -1;
    free(name);
    struct form_rect at = {beside ? s->column : SIDE, s->y + (beside ? (height - row.height) / 2
                                                                      : height - row.height),
                           row.width, row.height};
    if (status == 0)
        status = line->kind == FORM_FIELD
                     ? add_cells(s, line->field, at.x, at.y)
                     : add_item(s, (struct form_item){.kind = FORM_ITEM_FRAME, .at = at});
    s->y += height + ROW_GAP;
    return status;
}

/* Where boxes begin: behind the longest name that is no longer than MAX_NAME. */
static int find_column(struct setter *s)
{
    const struct form *form = s->l->form;
    double widest = 0;
    for (int i = 0; i < form->lines; i++) {
        if (!is_row(&form->line[i]))
            continue;
        s->line = form->line[i].line;
        char *name = encode(s, describe(s->l, &form->line[i]).utf8);
        if (!name)
            return -1;
        widest = fmax(widest, fmin(font_width(name, strlen(name), NAME_SIZE, false), MAX_NAME));
        free(name);
    }
    s->column = SIDE + widest + NAME_GAP;
    return 0;
}

/* ---- what stands on every sheet ---- */

static void place_marks(struct form_layout *l)
{
    double right = l->width - EDGE - FORM_MARK, low = l->height - EDGE - FORM_MARK;
    l->mark[FORM_UPPER_LEFT] = (struct form_rect){EDGE, EDGE, FORM_MARK, FORM_MARK};
    l->mark[FORM_UPPER_RIGHT] = (struct form_rect){right, EDGE, FORM_MARK, FORM_MARK};
    l->mark[FORM_LOWER_RIGHT] = (struct form_rect){right, low, FORM_MARK, FORM_MARK};
    l->mark[FORM_LOWER_LEFT] = (struct form_rect){EDGE, low, FORM_MARK, FORM_MARK};
    int columns = FORM_CODE_BITS / FORM_CODE_ROWS;
    double x = (l->width - columns * CODE_SIDE) / 2, middle = l->height - EDGE - FORM_MARK / 2;
    for (int i = 0; i < FORM_CODE_BITS; i++)
        l->bit[i] = (struct form_rect){x + i % columns * CODE_SIDE,
                                       middle + (i / columns - FORM_CODE_ROWS / 2.0) * CODE_SIDE,
                                       CODE_SIDE, CODE_SIDE};
    double height = measure(FOOT_SIZE) * (ASCENT + DESCENT);
    l->number = (struct form_rect){l->width - SIDE - 40, middle - height / 2, 40, height};
}

static int add_foot(struct setter *s)
{
    char text[32];
    for (s->sheet = 0; s->l->sheets > 1 && s->sheet < s->l->sheets; s->sheet++) {
        snprintf(text, sizeof text, "%d / %d", s->sheet + 1, s->l->sheets);
        if (add_text(s, text, strlen(text), SIDE, s->l->number.y, FOOT_SIZE, false, FOOT_GRAY))
            return -1;
    }
    return 0;
}

/* FNV-1a (Fowler, Noll, Vo), folded to 16 bits, of where each field's boxes are, to a tenth of a mm. */
static unsigned find_code(const struct form_layout *l)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < l->cells; i++) {
        const struct form_cell *c = &l->cell[i];
        char text[128];
        snprintf(text, sizeof text, "%d %s %d %.1f %.1f %.1f %.1f;", c->sheet,
                 l->form->field[c->field].name, c->cell, c->at.x, c->at.y, c->at.w, c->at.h);
        for (const char *p = text; *p; p++)
            hash = (hash ^ (unsigned char)*p) * 16777619u;
    }
    return (hash >> 16 ^ hash) & 0xffff;
}

static int set_all(struct setter *s)
{
    const struct form *form = s->l->form;
    if (find_column(s))
        return -1;
    for (int i = 0; i < form->lines; i++) {
        const struct form_line *line = &form->line[i];
        bool boxes_next = i + 1 < form->lines && is_row(&form->line[i + 1]);
        s->line = line->line;
        if (is_row(line) ? set_row(s, line) : set_text(s, line, boxes_next))
            return -1;
        if (boxes_next != is_row(line) && s->y > TOP)
            s->y += PART_GAP;
    }
    s->l->sheets = s->sheet + 1;
    return add_foot(s);
}

int form_lay_out(const struct form *form, struct form_layout *layout, struct err *e)
{
    struct setter s = {.l = layout, .y = TOP, .e = e};
    bool a4 = form->paper == FORM_A4;
    *layout = (struct form_layout){.form = form, .width = a4 ? 210 : 215.9, .height = a4 ? 297 : 279.4};
    int status = form->paper ? 0 : err_set(e, "no line 'page a4' or 'page letter': what paper is it for?");
    place_marks(layout);
    if (status == 0 && set_all(&s) == 0) {
        layout->code = find_code(layout);
        return 0;
    }
    form_layout_free(layout);
    return err_at(e, form->name, -1);
}

void form_layout_free(struct form_layout *layout)
{
    for (size_t i = 0; i < layout->items; i++)
        free(layout->item[i].text);
    free(layout->item);
    free(layout->cell);
    *layout = (struct form_layout){0};
}
