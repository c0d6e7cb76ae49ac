/* A sheet in a picture: drawn from its layout by a known homography, at every turn, with a mark hidden, and what
 * is no sheet. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "form/form.h"
#include "form/form_plane.h"

enum { W = 1300, H = 1300 };

static uint8_t gray[W * H];

static struct form *parse(const char *text, struct form_layout *l)
{
    struct err e = ERR_NONE;
    struct form *form = form_parse(text, strlen(text), "t.form", &e);
    if (!form || form_lay_out(form, l, &e))
        printf("# %s\n", e.what);
    return form;
}

static bool holds(const struct form_rect *r, double x, double y, double wider)
{
    return x > r->x - wider && y > r->y - wider && x < r->x + r->w + wider && y < r->y + r->h + wider;
}

static bool in_mark(const struct form_layout *l, int i, double x, double y)
{
    const struct form_rect *m = &l->mark[i];
    if (!holds(m, x, y, 0))
        return false;
    double away = fmax(fabs(x - m->x - m->w / 2), fabs(y - m->y - m->h / 2));
    return i == FORM_UPPER_LEFT ? away > 1.5 : away > 2.5 || away < 1.5;
}

/* Is there ink at a point of the paper? In cell `crossed` there is a 1 that leaves its box below. */
static bool is_black(const struct form_layout *l, const bool *bit, int hidden, int crossed, double x, double y)
{
    for (int i = 0; i < FORM_MARKS; i++)
        if (i != hidden && in_mark(l, i, x, y))
            return true;
    for (int i = 0; i < FORM_CODE_BITS; i++)
        if (bit[i] && holds(&l->bit[i], x, y, 0))
            return true;
    for (size_t i = 0; i < l->cells; i++) {
        const struct form_rect *at = &l->cell[i].at;
        if (l->cell[i].sheet == 0 && holds(at, x, y, 0.15) && !holds(at, x, y, -0.15))
            return true;
        if ((int)i == crossed && fabs(x - at->x - at->w / 2) < 0.4 && y > at->y + 3 && y < at->y + at->h + 1.5)
            return true;
    }
    return false;
}

/* The sheet turned by `turn` around the middle of the picture, 3.3 pixels to a mm at its middle, with perspective. */
static struct plane draw(const struct form_layout *l, unsigned form, double turn, int hidden, int crossed)
{
    bool bit[FORM_CODE_BITS];
    struct point mm[4], at[4];
    struct plane to, back;
    for (int i = 0; i < 4; i++) {
        mm[i] = (struct point){i & 1 ? l->width : 0, i & 2 ? l->height : 0};
        double x = mm[i].x - l->width / 2, y = mm[i].y - l->height / 2, far = 1 + 0.0006 * y;
        at[i].x = W / 2 + 3.3 * (x * cos(turn) - y * sin(turn)) / far;
        at[i].y = H / 2 + 3.3 * (x * sin(turn) + y * cos(turn)) / far;
    }
    plane_fit(mm, at, 4, &to);
    plane_fit(at, mm, 4, &back);
    form_code_write((struct form_code){form, 0, 77}, bit);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            struct point p = plane_map(&back, x + 0.5, y + 0.5);
            bool paper = p.x > 0 && p.y > 0 && p.x < l->width && p.y < l->height;
            gray[y * W + x] = !paper ? 90 : is_black(l, bit, hidden, crossed, p.x, p.y) ? 30 : 210;
        }
    return to;
}

static double worst(const struct form_layout *l, const struct plane *truth, const double h[9])
{
    struct plane found;
    double away = 0;
    memcpy(found.h, h, sizeof found.h);
    for (size_t i = 0; i < l->cells; i++) {
        const struct form_rect *at = &l->cell[i].at;
        struct point a = plane_map(truth, at->x, at->y), b = plane_map(&found, at->x, at->y);
        away = fmax(away, hypot(a.x - b.x, a.y - b.y));
    }
    return away;
}

static void test_turns(struct form_reader *r, const struct form_layout *l)
{
    for (int i = 0; i < 9; i++) {
        struct err e = ERR_NONE;
        struct form_sheet sheet;
        struct form_ink *ink;
        size_t n = 0;
        int hidden = i % 5 - 1;
        double turn = i * 0.7;
        struct plane truth = draw(l, l->code, turn, hidden, 2);
        int status = form_find_sheet(r, l, gray, W, W, H, &sheet, &e);
        CHECK(status == 0 && sheet.code.copy == 77, "turned by %.1f, mark %d hidden: %s", turn, hidden, e.what);
        if (status)
            continue;
        CHECK(worst(l, &truth, sheet.to_picture) < (hidden < 0 ? 1 : 3), "... its boxes within %.2f pixels",
              worst(l, &truth, sheet.to_picture));
        status = form_read_cells(r, l, gray, W, W, H, &sheet, &ink, &n, &e);
        bool good = status == 0 && n == l->cells;
        for (size_t k = 0; good && k < n; k++)
            if (!(good = ink[k].cell == k && (ink[k].w > 0) == (k == 2)))
                printf("# cell %zu: %d,%d,%d,%d\n", k, ink[k].x, ink[k].y, ink[k].w, ink[k].h);
        CHECK(good, "... ink in the one box where it is");
        CHECK(good && abs(ink[2].cut_h - 68) < 6 && ink[2].cut_w < 12, "... all of it: %dx%d", ink[2].cut_w,
              ink[2].cut_h);
    }
}

/* A 1 in a cell, of that gray. */
static void write_one(const struct form_rect *at, const struct plane *to, uint8_t ink)
{
    for (double y = at->y + 2; y < at->y + at->h - 2; y += 0.1)
        for (double x = at->x + at->w / 2 - 0.5; x < at->x + at->w / 2 + 0.5; x += 0.1) {
            struct point p = plane_map(to, x, y);
            gray[(int)p.y * W + (int)p.x] = ink;
        }
}

static bool has_ink(struct form_reader *r, const struct form_layout *l, size_t cell)
{
    struct err e = ERR_NONE;
    struct form_sheet sheet;
    struct form_ink *ink;
    size_t n;
    return !form_find_sheet(r, l, gray, W, W, H, &sheet, &e) &&
           !form_read_cells(r, l, gray, W, W, H, &sheet, &ink, &n, &e) && ink[cell].w > 0;
}

/* A hard pencil takes a tenth of the paper's light; so does what was rubbed out beside clear ink. */
static void test_pale(struct form_reader *r, const struct form_layout *l)
{
    struct plane to = draw(l, l->code, 0.1, -1, -1);
    CHECK(!has_ink(r, l, 1), "nothing is written");
    write_one(&l->cell[1].at, &to, 189);
    write_one(&l->cell[2].at, &to, 189);
    CHECK(has_ink(r, l, 1) && has_ink(r, l, 2), "pale ink is ink");
    write_one(&l->cell[2].at, &to, 60);
    CHECK(!has_ink(r, l, 1) && has_ink(r, l, 2), "but not beside clear ink");
}

static void test_wrong(struct form_reader *r, const struct form_layout *l)
{
    struct err e = ERR_NONE;
    struct form_sheet sheet;
    draw(l, l->code ^ 5, 0.3, -1, -1);
    CHECK(form_find_sheet(r, l, gray, W, W, H, &sheet, &e) == -1 && strstr(e.what, "another form"),
          "another form: %s", e.what);
    memset(gray, 200, sizeof gray);
    e = (struct err)ERR_NONE;
    CHECK(form_find_sheet(r, l, gray, W, W, H, &sheet, &e) == -1 && strstr(e.what, "no corner mark"), "%s", e.what);
    e = (struct err)ERR_NONE;
    CHECK(form_find_sheet(r, l, gray, 1, 1, 1, &sheet, &e) == -1, "a pixel: %s", e.what);
}

int main(void)
{
    struct err e = ERR_NONE;
    struct form_layout l, letter;
    struct form *form = parse("page a4\nfield id digits 5\nfield n digits 1.2\n", &l);
    struct form *other = parse("page letter\nfield a digits 4\n", &letter);
    struct form_reader *r = form_reader_new(&e);
    test_turns(r, &l);
    test_turns(r, &letter);
    test_pale(r, &l);
    test_wrong(r, &l);
    form_reader_free(r);
    form_layout_free(&l);
    form_layout_free(&letter);
    form_free(form);
    form_free(other);
    return check_done();
}
