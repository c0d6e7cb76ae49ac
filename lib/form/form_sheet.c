/* Which marks are the corners of a sheet, and whose sheet it is. Input: what looks like marks. Output: the
 * homography from paper to picture, and the code at the sheet's foot.
 *
 * Every choice of four, or of three, is tried: each mark's own corners say how paper lies at it, so that a wrong
 * choice fits badly. The best few are asked for the code. */
#include "form_sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MISFIT 0.7     /* mm: of the corners' root mean square, four marks or three */
#define MAX_GUESS 2.5      /* mm: the same, by the affine map of three marks, before perspective is known */
#define MAX_STRETCH 2.2    /* distances between marks are within this factor of what their sides tell */
#define TRIED 8            /* choices that are asked for the code */
#define MIN_BLACK 0.25     /* the code's black reflects that much less than its white */
#define SEARCH_STEP 0.5    /* mm: between places where the code of bent paper is looked for, */
#define SEARCHED 16        /* so many to each side of its own */

struct choice {
    int mark[FORM_MARKS]; /* of the found ones; -1: hidden */
    double misfit;        /* mm */
    struct plane plane;
};

struct search {
    const struct mark *mark;
    int marks;
    const struct form_layout *l;
    struct choice best[TRIED];
    int n;
};

static struct point middle_of(const struct form_rect *r)
{
    return (struct point){r->x + r->w / 2, r->y + r->h / 2};
}

static struct point corner_of(const struct form_rect *r, int i)
{
    return (struct point){r->x + (i == 1 || i == 2 ? r->w : 0), r->y + (i >= 2 ? r->h : 0)};
}

static double squared(struct point a, struct point b)
{
    return (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y);
}

/* The sum of squared distances in mm between a mark's corners and where `plane` has them, which corner is which
 * being chosen for the best: `first` is the mark's corner that is the upper left one on paper. */
static double corner_misfit(const struct mark *m, const struct form_rect *at, const struct plane *plane, int *first)
{
    double best = INFINITY;
    for (int turn = 0; turn < 4; turn++) {
        double sum = 0;
        for (int i = 0; i < 4; i++) {
            struct point on = corner_of(at, i);
            sum += squared(plane_map(plane, on.x, on.y), m->corner[(i + turn) % 4]);
        }
        if (sum < best) {
            best = sum;
            *first = turn;
        }
    }
    return best * (FORM_MARK / m->side) * (FORM_MARK / m->side);
}

/* The root mean square over the marks of a choice; fills the pairs of points for plane_fit. */
static double misfit(const struct search *s, const struct choice *c, struct point *from, struct point *to, int *n)
{
    double sum = 0;
    *n = 0;
    for (int i = 0; i < FORM_MARKS; i++) {
        int first = 0;
        if (c->mark[i] < 0)
            continue;
        const struct mark *m = &s->mark[c->mark[i]];
        sum += corner_misfit(m, &s->l->mark[i], &c->plane, &first);
        for (int k = 0; k < 4; k++, ++*n) {
            from[*n] = corner_of(&s->l->mark[i], k);
            to[*n] = m->corner[(k + first) % 4];
        }
    }
    return sqrt(sum / *n);
}

/* The homography of four middles; of three, the affine map, by the fourth corner of their parallelogram. */
static bool guess(const struct search *s, struct choice *c, int hidden)
{
    struct point from[FORM_MARKS], to[FORM_MARKS];
    for (int i = 0; i < FORM_MARKS; i++) {
        from[i] = middle_of(&s->l->mark[i]);
        if (i != hidden)
            to[i] = s->mark[c->mark[i]].middle;
    }
    if (hidden >= 0) {
        struct point a = to[(hidden + 1) % 4], b = to[(hidden + 2) % 4], d = to[(hidden + 3) % 4];
        to[hidden] = (struct point){a.x + d.x - b.x, a.y + d.y - b.y};
    }
    return plane_fit(from, to, FORM_MARKS, &c->plane);
}

static void insert(struct search *s, const struct choice *c)
{
    int i = s->n;
    if (s->n < TRIED)
        s->n++;
    else if (s->best[--i].misfit <= c->misfit)
        return;
    for (; i > 0 && s->best[i - 1].misfit > c->misfit; i--)
        s->best[i] = s->best[i - 1];
    s->best[i] = *c;
}

static void consider(struct search *s, struct choice *c, int hidden)
{
    struct point from[4 * FORM_MARKS], to[4 * FORM_MARKS];
    int n;
    if (!guess(s, c, hidden) || !(misfit(s, c, from, to, &n) < MAX_GUESS) || !plane_fit(from, to, n, &c->plane))
        return;
    c->misfit = misfit(s, c, from, to, &n);
    if (!(c->misfit < MAX_MISFIT))
        return;
    if (hidden >= 0) /* of two choices that fit, one of four marks is the right one */
        c->misfit += MAX_MISFIT;
    insert(s, c);
}

/* May mark `m` be in the corner `at`, with those that are chosen already? */
static bool may_stand(const struct search *s, const struct choice *c, int at, int m)
{
    if (s->mark[m].upper_left != (at == FORM_UPPER_LEFT))
        return false;
    for (int i = 0; i < at; i++) {
        if (c->mark[i] < 0)
            continue;
        const struct mark *a = &s->mark[c->mark[i]], *b = &s->mark[m];
        double mm = sqrt(squared(middle_of(&s->l->mark[i]), middle_of(&s->l->mark[at])));
        double sides = sqrt(squared(a->middle, b->middle)) / ((a->side + b->side) / 2) * FORM_MARK;
        if (c->mark[i] == m || sides > MAX_STRETCH * mm || sides < mm / MAX_STRETCH)
            return false;
    }
    return true;
}

/* Are the corners, in their order, clockwise? Paper is not seen from behind. */
static bool is_clockwise(const struct search *s, const struct choice *c)
{
    struct point p[FORM_MARKS] = {{0, 0}};
    int n = 0;
    for (int i = 0; i < FORM_MARKS; i++)
        if (c->mark[i] >= 0)
            p[n++] = s->mark[c->mark[i]].middle;
    for (int i = 0; i < n; i++) {
        struct point a = p[i], b = p[(i + 1) % n], d = p[(i + 2) % n];
        if ((b.x - a.x) * (d.y - a.y) - (b.y - a.y) * (d.x - a.x) <= 0)
            return false;
    }
    return true;
}

static void choose(struct search *s, struct choice *c, int at, int hidden)
{
    if (at == FORM_MARKS) {
        if (is_clockwise(s, c))
            consider(s, c, hidden);
        return;
    }
    c->mark[at] = -1; // cppcheck-suppress negativeIndex ; at is never less than 0
    if (at == hidden) {
        choose(s, c, at + 1, hidden);
        return;
    }
    for (int m = 0; m < s->marks; m++)
        if (may_stand(s, c, at, m)) {
            c->mark[at] = m;
            choose(s, c, at + 1, hidden);
        }
    c->mark[at] = -1;
}

/* ---- the code ---- */

/* The mean gray around a point of the paper, over a square of `side` mm. */
static double gray_around(const struct picture *p, const struct plane *plane, double x, double y, double side)
{
    double sum = 0;
    for (int i = 0; i < 9; i++) {
        struct point at = plane_map(plane, x + (i % 3 - 1) * side / 2, y + (i / 3 - 1) * side / 2);
        sum += picture_at(p, at.x, at.y);
    }
    return sum / 9;
}

/* Read the code where it is seen `off` its place. Each square's gray is compared to the paper above and below it:
 * shadows fall on both. Returns how clear the least clear square is, 0..1; below 0: it is no code. */
static double read_code(const struct picture *p, const struct form_layout *l, const struct plane *plane,
                        struct point off, struct form_code *code)
{
    const int columns = FORM_CODE_BITS / FORM_CODE_ROWS;
    double part[FORM_CODE_BITS], least = 1e9, most = 0;
    bool bit[FORM_CODE_BITS];
    for (int i = 0; i < FORM_CODE_BITS; i++) {
        const struct form_rect *r = &l->bit[i], *top = &l->bit[i % columns];
        double x = r->x + r->w / 2 + off.x, y = top->y + off.y;
        double above = gray_around(p, plane, x, y - r->h * 0.75, r->h * 0.4);
        double below = gray_around(p, plane, x, y + r->h * (FORM_CODE_ROWS + 0.75), r->h * 0.4);
        part[i] = gray_around(p, plane, x, r->y + r->h / 2 + off.y, r->h * 0.5) / fmax((above + below) / 2, 1);
        least = fmin(least, part[i]);
        most = fmax(most, part[i]);
    }
    double middle = (least + most) / 2, clear = 1;
    for (int i = 0; i < FORM_CODE_BITS; i++) {
        bit[i] = part[i] < middle;
        clear = fmin(clear, fabs(part[i] - middle) / fmax(most - middle, 1e-9));
    }
    return most - least > MIN_BLACK && form_code_read(bit, code) ? clear : -1;
}

static bool is_ours(const struct form_layout *l, const struct form_code *code)
{
    return code->form == l->code && (int)code->sheet < l->sheets;
}

/* Look for the code of the form around its place, where bent paper has it: the clearest one. */
static bool search_code(const struct picture *p, const struct form_layout *l, const struct plane *plane,
                        struct point *off, struct form_code *code)
{
    double best = -1;
    for (int i = -SEARCHED; i <= SEARCHED; i++)
        for (int k = -SEARCHED; k <= SEARCHED; k++) {
            struct form_code c;
            struct point at = {i * SEARCH_STEP, k * SEARCH_STEP};
            double clear = read_code(p, l, plane, at, &c);
            if (clear > best && is_ours(l, &c)) {
                best = clear;
                *off = at;
                *code = c;
            }
        }
    return best >= 0;
}

static const char *name_of(const struct form_layout *l)
{
    return l->form->name ? l->form->name : "the form";
}

static int say_missing(const struct search *s, struct err *e)
{
    if (s->marks == 0)
        return err_set(e, "no corner mark of a form is in the picture: is it one that formprint made, and all of it "
                          "to be seen?");
    if (s->marks < FORM_MARKS - 1)
        return err_set(e, "of a form's four corner marks %d can be seen: three are needed", s->marks);
    return err_set(e, "the corner marks that can be seen (%d) are not those of one sheet of %.100s", s->marks,
                   name_of(s->l));
}

static int accept(struct form_sheet *sheet, const struct plane *plane, struct point off, struct form_code code)
{
    *sheet = (struct form_sheet){.code_off = {off.x, off.y}, .code = code};
    memcpy(sheet->to_picture, plane->h, sizeof plane->h);
    return 0;
}

/* Of the choices, the first with the form's code at its place, or else around it. */
static int find_code(const struct search *s, const struct picture *p, struct form_sheet *sheet, struct err *e)
{
    struct form_code code, other = {0};
    struct point off = {0, 0};
    bool another = false;
    for (int i = 0; i < s->n; i++) {
        if (read_code(p, s->l, &s->best[i].plane, off, &code) < 0)
            continue;
        if (is_ours(s->l, &code))
            return accept(sheet, &s->best[i].plane, off, code);
        other = code;
        another = true;
    }
    if (another)
        return err_set(e, "it is a sheet of another form than %.100s (its code is %04x, not %04x)", name_of(s->l),
                       other.form, s->l->code);
    for (int i = 0; i < s->n; i++)
        if (search_code(p, s->l, &s->best[i].plane, &off, &code))
            return accept(sheet, &s->best[i].plane, off, code);
    if (!s->n)
        return say_missing(s, e);
    return err_set(e, "the code at the sheet's foot cannot be read: is it a sheet of %.100s, and all of it to be seen?",
                   name_of(s->l));
}

int sheet_find(struct mark_finder *f, const struct picture *p, const struct form_layout *l, struct form_sheet *sheet,
               struct err *e)
{
    struct choice c;
    if (marks_find(f, p, e))
        return -1;
    struct search s = {.mark = f->mark, .marks = f->marks, .l = l};
    for (int hidden = -1; hidden < FORM_MARKS; hidden++)
        choose(&s, &c, 0, hidden);
    return find_code(&s, p, sheet, e);
}
