/* Bent paper: a cylinder before a camera, known by the places of a form's boxes alone. */
#include "form/form_bend.h"

#include <math.h>
#include <string.h>

#include "../check.h"

/* Paper whose middle stands `rise` mm above its two edges, bent across x or across y, seen from straight above. */
struct paper {
    const struct form_layout *l;
    double rise;
    bool across_x;
};

enum { DISTANCE = 475 }; /* mm from the camera */

/* Where a point, from the middle, is seen; in mm at the height of the edges. */
static struct point see(const struct paper *p, double x, double y)
{
    double reach = (p->across_x ? p->l->width : p->l->height) / 2, radius = reach * reach / (2 * p->rise);
    double *across = p->across_x ? &x : &y, angle = *across / radius;
    double far = DISTANCE - p->rise + radius * (1 - cos(angle));
    *across = radius * sin(angle);
    return (struct point){x * DISTANCE / far, y * DISTANCE / far};
}

/* Where it would be seen, were the paper flat through its marks: they stand in a rectangle. */
static struct point truth(const struct paper *p, const struct bend *b, double x, double y)
{
    struct point mark = see(p, b->half.x, b->half.y), at = see(p, x - b->middle.x, y - b->middle.y);
    return (struct point){b->middle.x + at.x * b->half.x / mark.x, b->middle.y + at.y * b->half.y / mark.y};
}

/* Note every `step`th box of the form. */
static void note(struct bend *b, const struct paper *p, size_t step)
{
    for (size_t i = 0; i < p->l->cells; i += step) {
        const struct form_rect *at = &p->l->cell[i].at;
        struct point c = {at->x + at->w / 2, at->y + at->h / 2};
        bend_note(b, c, truth(p, b, c.x, c.y));
    }
    bend_solve(b);
}

/* The most, of all boxes, that they are seen beside where the bend has them, in mm. */
static double worst(const struct bend *b, const struct paper *p)
{
    double most = 0;
    for (size_t i = 0; i < p->l->cells; i++) {
        const struct form_rect *at = &p->l->cell[i].at;
        struct point want = truth(p, b, at->x, at->y), got = bend_map(b, at->x, at->y);
        most = fmax(most, hypot(want.x - got.x, want.y - got.y));
    }
    return most;
}

static void test_flat(const struct form_layout *l)
{
    struct bend b;
    bend_begin(&b, l);
    struct point at = bend_map(&b, 31, 47);
    CHECK(!b.bent && at.x == 31 && at.y == 47, "paper of which nothing was seen is flat");
    for (size_t i = 0; i < l->cells; i++)
        bend_note(&b, (struct point){l->cell[i].at.x, l->cell[i].at.y},
                  (struct point){l->cell[i].at.x, l->cell[i].at.y});
    bend_solve(&b);
    at = bend_map(&b, 31, 47);
    CHECK(hypot(at.x - 31, at.y - 47) < 1e-6, "paper of which all is seen at its place is flat");
}

static void test_cylinders(const struct form_layout *l)
{
    for (int i = 0; i < 8; i++) {
        struct paper p = {l, (i & 1 ? -1 : 1) * (i & 4 ? 20 : 8), i & 2};
        struct bend b;
        bend_begin(&b, l);
        double flat = worst(&b, &p);
        note(&b, &p, 1);
        double all = worst(&b, &p);
        CHECK(all < 0.4 && all < flat / 5, "%g mm across %c: boxes are %.2f mm off, not %.2f", p.rise,
              p.across_x ? 'x' : 'y', all, flat);
        bend_begin(&b, l);
        note(&b, &p, 5);
        CHECK(worst(&b, &p) < 1.5, "... by a fifth of the boxes: %.2f mm", worst(&b, &p));
        struct point mark = {b.middle.x + b.half.x, b.middle.y - b.half.y}, at = bend_map(&b, mark.x, mark.y);
        CHECK(hypot(at.x - mark.x, at.y - mark.y) < 1e-6, "... a mark stays where it was found");
    }
}

/* One point does not throw the others about: the terms are damped. */
static void test_one_point(const struct form_layout *l)
{
    struct bend b;
    bend_begin(&b, l);
    struct point at = b.middle, seen = {at.x + 2, at.y};
    bend_note(&b, at, seen);
    bend_solve(&b);
    struct point got = bend_map(&b, at.x, at.y);
    CHECK(b.bent && fabs(got.x - seen.x) < 0.1 && got.y == at.y, "a point is seen where it was: %.2f mm off",
          fabs(got.x - seen.x));
    double most = 0;
    for (int i = 0; i <= 100; i++) {
        struct point p = bend_map(&b, l->width * (i % 10) / 10, l->height * (i / 10) / 10);
        most = fmax(most, hypot(p.x - l->width * (i % 10) / 10, p.y - l->height * (i / 10) / 10));
    }
    CHECK(most < 2.1, "and no other is moved farther: %.2f mm", most);
}

int main(void)
{
    static const char text[] = "page a4\nfield a digits 12\nfield b digits 12\nfield c digits 12\nbox 60x60mm\n"
                               "field d digits 12\nbox 60x60mm\nfield e digits 12\n";
    struct err e = ERR_NONE;
    struct form_layout l;
    struct form *form = form_parse(text, strlen(text), "t.form", &e);
    if (!form || form_lay_out(form, &l, &e)) {
        printf("# %s\n", e.what);
        return 1;
    }
    test_flat(&l);
    test_cylinders(&l);
    test_one_point(&l);
    form_layout_free(&l);
    form_free(form);
    return check_done();
}
