/* The ink of a row of boxes: faint pencil in the paper's grain, and strokes along a box's lines. The row is drawn
 * as a scanner of 200 dpi sees it; the sheet's homography is known. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "base/rng.h"
#include "form/form.h"

#define PPM 8.0    /* pixels to a mm */
#define PAPER 205.0
#define LINE 40.0
enum { W = 500, H = 160, MOST_STROKES = 8 };

struct stroke {
    double x0, y0, x1, y1; /* mm from the upper left corner of a cell */
    int cell;
    double wide, light; /* mm; of the paper's, what it leaves */
};

struct scene {
    const struct form_layout *l;
    struct stroke stroke[MOST_STROKES];
    int strokes;
    double grain; /* its standard deviation */
};

static uint8_t gray[W * H];

static double distance(const struct stroke *s, double x, double y)
{
    double dx = s->x1 - s->x0, dy = s->y1 - s->y0, t = ((x - s->x0) * dx + (y - s->y0) * dy) / (dx * dx + dy * dy);
    t = fmin(fmax(t, 0), 1);
    return hypot(x - s->x0 - t * dx, y - s->y0 - t * dy);
}

/* How much of a pixel a line of that half width takes whose middle lies so far away. */
static double cover(double away, double half)
{
    return fmin(fmax((half - away) * PPM + 0.5, 0), fmin(1, 2 * half * PPM));
}

/* Half a millimetre of noise is alike, as in paper: sums of uniform numbers over the pixels around. */
static double noise(const double *white, int x, int y)
{
    double sum = 0;
    for (int i = 0; i < 4; i++)
        sum += white[(y + i / 2) * (W + 1) + x + i % 2];
    return sum / 2 * sqrt(12);
}

static void draw(const struct scene *s, uint64_t seed, double left, double top)
{
    static double white[(W + 1) * (H + 1)];
    struct rng r = rng_seed(seed, 1);
    for (int i = 0; i < (W + 1) * (H + 1); i++)
        white[i] = rng_uniform(&r) - 0.5;
    for (int i = 0; i < W * H; i++) {
        double x = left + (i % W + 0.5) / PPM, y = top + (i / W + 0.5) / PPM, light = PAPER;
        for (size_t c = 0; c < s->l->cells; c++) {
            const struct form_rect *at = &s->l->cell[c].at;
            double out = fmax(fabs(x - at->x - at->w / 2) - at->w / 2, fabs(y - at->y - at->h / 2) - at->h / 2);
            light += cover(fabs(out), FORM_LINE / 2) * (LINE - PAPER);
        }
        for (int k = 0; k < s->strokes; k++) {
            const struct stroke *t = &s->stroke[k];
            const struct form_rect *at = &s->l->cell[t->cell].at;
            double ink = PAPER + cover(distance(t, x - at->x, y - at->y), t->wide / 2) * (t->light - 1) * PAPER;
            light = fmin(light, ink);
        }
        light += s->grain * noise(white, i % W, i / W);
        gray[i] = (uint8_t)lrint(fmin(fmax(light, 0), 255));
    }
}

/* Draw and read it: the cells, until the next call. */
static const struct form_ink *read_scene(struct form_reader *r, const struct scene *s, uint64_t seed)
{
    double left = s->l->cell[0].at.x - 5, top = s->l->cell[0].at.y - 5;
    struct form_sheet sheet = {.to_picture = {PPM, 0, -left * PPM, 0, PPM, -top * PPM, 0, 0, 1}};
    struct form_ink *ink;
    struct err e = ERR_NONE;
    size_t n;
    draw(s, seed, left, top);
    return form_read_cells(r, s->l, gray, W, W, H, &sheet, &ink, &n, &e) ? NULL : ink;
}

/* A 7 in a cell: a bar, and a stem. */
static void write_seven(struct scene *s, int cell, double y, double wide, double light)
{
    s->stroke[s->strokes++] = (struct stroke){2, y, 6, y, cell, wide, light};
    s->stroke[s->strokes++] = (struct stroke){6, y, 3.5, 8, cell, wide, light};
}

static bool is_tall(const struct form_ink *ink, double mm)
{
    return fabs(ink->cut_h / 8.0 - mm) < 0.8;
}

enum { SEEDS = 20 };

static void test_faint(struct form_reader *r, const struct form_layout *l)
{
    struct scene s = {.l = l, .grain = 2.5};
    int whole = 0, seen = 0, beside = 0;
    write_seven(&s, 1, 2, 0.4, 0.92);
    write_seven(&s, 3, 2, 0.4, 0.92);
    for (uint64_t i = 0; i < SEEDS; i++) {
        const struct form_ink *ink = read_scene(r, &s, i);
        whole += ink && is_tall(&ink[1], 6.4) && is_tall(&ink[3], 6.4);
        seen += ink && (ink[0].w || ink[2].w || ink[4].w);
    }
    CHECK(whole >= SEEDS - 1, "a hard pencil's strokes in the grain are whole: %d of %d rows", whole, SEEDS);
    CHECK(!seen, "and the boxes beside are empty");
    write_seven(&s, 0, 2, 0.5, 0.3);
    for (uint64_t i = 0; i < SEEDS; i++) {
        const struct form_ink *ink = read_scene(r, &s, i);
        beside += ink && is_tall(&ink[0], 6.5) && !ink[1].w && !ink[3].w;
    }
    CHECK(beside == SEEDS, "beside clear ink they were rubbed out: %d of %d rows", beside, SEEDS);
}

/* Grain of any strength is nothing written, and a dot is none. */
static void test_nothing(struct form_reader *r, const struct form_layout *l)
{
    for (int grain = 0; grain <= 8; grain += 2) {
        struct scene s = {.l = l, .grain = grain};
        int seen = 0;
        s.stroke[s.strokes++] = (struct stroke){3, 4, 3, 4.2, 2, 0.5, 0.8};
        for (uint64_t i = 0; i < SEEDS; i++) {
            const struct form_ink *ink = read_scene(r, &s, i);
            for (size_t k = 0; k < l->cells; k++)
                seen += !ink || ink[k].w;
        }
        CHECK(!seen, "grain of %d and a dot are nothing: seen in %d boxes of %d", grain, seen, SEEDS * 5);
    }
}

/* The bar of a 7 on, in and under its box's upper line is the 7's; of half a millimetre in the middle of the line,
 * little can be seen. */
static void test_along(struct form_reader *r, const struct form_layout *l)
{
    for (int i = 0; i < 22; i++) {
        struct scene s = {.l = l, .grain = 1};
        double y = (i / 2 - 4) / 10.0, wide = i % 2 ? 0.8 : 0.5, tall = 8 - y + wide;
        write_seven(&s, 1, y, wide, 0.25);
        const struct form_ink *ink = read_scene(r, &s, 3);
        double found = ink ? ink[1].cut_h / 8.0 : 0;
        CHECK(fabs(found - tall) < 0.3, "a bar of %.1f mm, %.1f mm under the line: %.1f mm tall", wide, y, found);
        double across = ink ? ink[1].cut_w / 8.0 : 0;
        CHECK(fabs(across - 4 - wide) < 0.5 || (wide < 0.6 && fabs(y) < 0.15), "... %.1f mm wide", across);
        CHECK(ink && !ink[0].w && !ink[2].w, "... and no line is left");
    }
}

int main(void)
{
    struct err e = ERR_NONE;
    struct form_layout l;
    struct form *form = form_parse("page a4\nfield a digits 5\n", 25, "t.form", &e);
    struct form_reader *r = form_reader_new(&e);
    if (!form || !r || form_lay_out(form, &l, &e)) {
        printf("# %s\n", e.what);
        return 1;
    }
    test_faint(r, &l);
    test_nothing(r, &l);
    test_along(r, &l);
    form_reader_free(r);
    form_layout_free(&l);
    form_free(form);
    return check_done();
}
