#include "ink/ink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "ink/steps.h"

static struct ink_finder *finder;

/* A picture to draw in. */
struct picture {
    int w, h;
    uint8_t *gray;
};

static struct picture paper(int w, int h, int shade)
{
    struct picture p = {w, h, malloc((size_t)w * h)};
    memset(p.gray, shade, (size_t)w * h);
    return p;
}

/* A stroke of round pen `width` from (x0, y0) to (x1, y1), edges anti-aliased, ink so dark. */
static void stroke(struct picture *p, float x0, float y0, float x1, float y1, float width,
                   float dark)
{
    float lx = x1 - x0, ly = y1 - y0, length = lx * lx + ly * ly, reach = width / 2 + 1;
    /* All that it can reach, as far as the picture goes. */
    int left = (int)fmaxf(0, floorf(fminf(x0, x1) - reach)), top = (int)fmaxf(0, floorf(fminf(y0, y1) - reach));
    int right = (int)fminf((float)p->w, ceilf(fmaxf(x0, x1) + reach));
    int bottom = (int)fminf((float)p->h, ceilf(fmaxf(y0, y1) + reach));
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++) {
            float dx = (float)x + 0.5f - x0, dy = (float)y + 0.5f - y0;
            float t = length > 0 ? fmaxf(0, fminf(1, (dx * lx + dy * ly) / length)) : 0;
            float off = hypotf(dx - t * lx, dy - t * ly) - width / 2;
            float ink = dark * fmaxf(0, fminf(1, 0.5f - off));
            uint8_t *g = &p->gray[(long)y * p->w + x];
            float value = (float)*g * (1 - ink);
            *g = (uint8_t)(value < *g ? value : *g);
        }
}

/* A seven as high as `size`, its box's corner at (x, y). */
static void seven(struct picture *p, float x, float y, float size, float width)
{
    stroke(p, x, y, x + 0.6f * size, y, width, 0.8f);
    stroke(p, x + 0.6f * size, y, x + 0.2f * size, y + size, width, 0.8f);
}

static int find(const struct picture *p, bool many, struct ink_digit *copy, int copies)
{
    struct err e = ERR_NONE;
    struct ink *k = ink_new(finder, &e);
    struct ink_digit *d = NULL;
    int n = ink_find(k, p->gray, p->w, p->w, p->h, many, &d, &e), digits = 0;
    for (int i = 0; i < n; i++)
        if (d[i].class < INK_SIGN && digits++ < copies)
            copy[digits - 1] = d[i];
    ink_free(k);
    return digits;
}

static float likeness(const uint8_t *a, const uint8_t *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < DIGIT_PIXELS; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? (float)(ab / sqrt(aa * bb)) : 0;
}

static void test_blank(void)
{
    static const int sides[] = {1, 2, 12, 28, 100, 640, 2100};
    for (unsigned i = 0; i < sizeof sides / sizeof *sides; i++)
        for (int shade = 0; shade <= 255; shade += 51) {
            struct picture p = paper(sides[i], sides[i] / 2 + 1, shade);
            CHECK(find(&p, false, NULL, 0) == 0, "%dx%d of shade %d holds no digit", p.w, p.h,
                  shade);
            free(p.gray);
        }
}

static void test_size_place_polarity(void)
{
    struct ink_digit first = {0};
    for (int w = 40; w <= 2560; w *= 4)
        for (int place = 0; place < 9; place++)
            for (int light = 0; light < 2; light++) {
                struct picture p = paper(w, w * 3 / 4, 230);
                float size = (float)w * 0.3f, x = (float)w * (0.1f + 0.25f * (float)(place % 3));
                float y = (float)w * (0.08f + 0.15f * (float)(place / 3));
                seven(&p, x, y, size, size / 9);
                for (long i = 0; light && i < (long)p.w * p.h; i++)
                    p.gray[i] = (uint8_t)(255 - p.gray[i]);
                struct ink_digit d = {0};
                int n = find(&p, false, &d, 1);
                if (!first.w)
                    first = d;
                CHECK(n == 1 && likeness(d.pixels, first.pixels) > 0.93f &&
                          fabsf((float)d.x - x) < 0.09f * size + 3 &&
                          fabsf((float)d.h - size) < 0.25f * size + 3,
                      "the seven, %d wide frame, place %d, %s ink: box %d,%d,%d,%d likeness %.3f",
                      w, place, light ? "light" : "dark", d.x, d.y, d.w, d.h,
                      (double)likeness(d.pixels, first.pixels));
                CHECK(is_normalised(d.pixels, &(struct box){0}), "it is normalised");
                free(p.gray);
            }
}

static void test_pen(void)
{
    for (int width = 2; width <= 40; width += 2) {
        struct picture p = paper(400, 300, 200);
        seven(&p, 120, 50, 180, (float)width);
        struct ink_digit d = {0};
        CHECK(find(&p, false, &d, 1) == 1, "a seven written with a pen %d wide", width);
        float got = stroke_width(d.pixels, DIGIT_SIDE, DIGIT_SIDE);
        CHECK(got > 1.7f && got < 4.7f, "comes out %.2f wide", (double)got);
        free(p.gray);
    }
}

static void test_shadow(void)
{
    struct picture p = paper(640, 480, 240);
    for (int y = 0; y < p.h; y++)
        for (int x = 0; x < p.w; x++)
            p.gray[(long)y * p.w + x] = (uint8_t)(240 - 170 * x / p.w);
    seven(&p, 420, 150, 150, 10);
    struct ink_digit d = {0};
    CHECK(find(&p, false, &d, 1) == 1 && abs(d.x - 415) < 8 && abs(d.w - 100) < 12,
          "a seven in a shadow that takes two thirds of the light");
    free(p.gray);
}

/* Two pieces of a five with a gap between them, as of a pen that skipped. */
static void test_broken(void)
{
    struct picture p = paper(300, 300, 220);
    stroke(&p, 110, 80, 110, 140, 10, 0.8f);
    stroke(&p, 110, 140, 170, 160, 10, 0.8f);
    stroke(&p, 170, 160, 160, 220, 10, 0.8f);
    stroke(&p, 160, 220, 105, 225, 10, 0.8f);
    stroke(&p, 124, 78, 175, 72, 10, 0.8f);
    struct ink_digit d = {0};
    CHECK(find(&p, false, &d, 1) == 1 && d.x < 110 && d.x + d.w > 172 && d.y < 75 &&
              d.y + d.h > 224,
          "the flag of a five that does not touch belongs to it: box %d,%d,%d,%d", d.x, d.y, d.w,
          d.h);
    free(p.gray);
}

static void test_ruled(void)
{
    struct picture p = paper(640, 480, 230);
    for (int y = 40; y < 480; y += 50)
        stroke(&p, -10, (float)y, 650, (float)y + 6, 2, 0.4f);
    CHECK(find(&p, false, NULL, 0) == 0 && find(&p, true, NULL, 0) == 0,
          "ruled paper alone holds no digit");
    seven(&p, 300, 100, 220, 14);
    struct ink_digit d = {0};
    CHECK(find(&p, false, &d, 1) == 1 && abs(d.x - 293) < 10 && abs(d.w - 146) < 16 &&
              abs(d.y - 93) < 10 && abs(d.h - 234) < 16,
          "a seven across the lines comes without them: box %d,%d,%d,%d", d.x, d.y, d.w, d.h);
    free(p.gray);
}

/* Lines as thick as they are in a picture taken from near, one or several, through the digit's foot: of three pictures
 * two at least, for where a line is nearly as long as the surroundings a pixel of the finder's box decides. */
static void test_near_lines(void)
{
    int right = 0;
    for (int apart = 110; apart < 500; apart += 150) {
        struct picture p = paper(640, 480, 225);
        for (int y = 360 - 2 * apart; y < 480; y += apart)
            stroke(&p, -10, (float)y, 650, (float)y + 12, 5, 0.5f);
        seven(&p, 280, 190, 180, 10);
        struct ink_digit d = {0};
        right += find(&p, false, &d, 1) == 1 && abs(d.x - 275) < 8 && abs(d.w - 118) < 14 && abs(d.h - 190) < 14;
        free(p.gray);
    }
    CHECK(right >= 2, "a seven on thick lines, 110, 260 and 410 apart: %d of 3 without them", right);
}

/* Folds across the paper: soft dark lines, the paper beyond them in another light. */
static void test_folded(void)
{
    struct picture p = paper(640, 480, 225);
    seven(&p, 280, 140, 180, 10);
    for (int y = 0; y < 480; y++)
        for (int x = 0; x < 640; x++) {
            float dx = (float)x - 330 + 0.05f * (float)y, dy = (float)y - 230 - 0.03f * (float)x;
            float light = (1 - 0.3f * expf(-dx * dx / 25)) * (1 - 0.3f * expf(-dy * dy / 25));
            p.gray[y * 640 + x] = (uint8_t)((float)p.gray[y * 640 + x] * light * (dx > 0 ? 0.9f : 1));
        }
    struct ink_digit d = {0};
    CHECK(find(&p, false, &d, 1) == 1 && abs(d.x - 275) < 8 && abs(d.w - 118) < 14 &&
              abs(d.h - 190) < 14,
          "a seven across two folds: box %d,%d,%d,%d", d.x, d.y, d.w, d.h);
    free(p.gray);
}

/* A bar under the digit, and a ring around it, are not of it. */
static void test_marked(void)
{
    struct picture p = paper(640, 480, 225);
    seven(&p, 260, 140, 180, 10);
    stroke(&p, 200, 400, 432, 394, 5, 0.8f);
    struct ink_digit d = {0};
    CHECK(find(&p, false, &d, 1) == 1 && abs(d.x - 255) < 8 && abs(d.h - 190) < 14,
          "a seven with a line under it: box %d,%d,%d,%d", d.x, d.y, d.w, d.h);
    free(p.gray);
    p = paper(640, 480, 225);
    seven(&p, 265, 150, 160, 10);
    for (int i = 1; i < 64; i++)
        stroke(&p, 310 + 190 * cosf((float)i / 10), 230 + 185 * sinf((float)i / 10),
               310 + 190 * cosf((float)(i - 1) / 10), 230 + 185 * sinf((float)(i - 1) / 10), 5, 0.8f);
    CHECK(find(&p, false, &d, 1) == 1 && abs(d.x - 260) < 8 && abs(d.h - 170) < 14,
          "a seven in a circle: box %d,%d,%d,%d", d.x, d.y, d.w, d.h);
    free(p.gray);
}

/* A box, of which two sides alone are long enough for lines of a form. */
static void test_large_box(void)
{
    struct picture p = paper(640, 480, 225);
    stroke(&p, 200, 90, 410, 94, 4, 0.7f);
    stroke(&p, 410, 94, 402, 360, 4, 0.7f);
    stroke(&p, 402, 360, 196, 356, 4, 0.7f);
    stroke(&p, 196, 356, 200, 90, 4, 0.7f);
    seven(&p, 260, 130, 180, 12);
    struct ink_digit d = {0};
    CHECK(find(&p, false, &d, 1) == 1 && abs(d.x - 254) < 10 && abs(d.h - 192) < 14,
          "a seven in a large box: box %d,%d,%d,%d", d.x, d.y, d.w, d.h);
    free(p.gray);
}

/* How many of the 70 cells, 10 in a row and 60 apart, have their digit among the n in d, in reading order: that
 * of the first at (x, y), w x h. */
static int in_cells(const struct ink_digit *d, int n, int x, int y, int w, int h)
{
    int right = 0, i = 0;
    for (int cell = 0; cell < 70; cell++)
        for (int k = i; k < n; k++)
            if (abs(d[k].x - x - 60 * (cell % 10)) < 6 && abs(d[k].y - y - 60 * (cell / 10)) < 6 &&
                abs(d[k].w - w) < 7 && abs(d[k].h - h) < 7) {
                right++;
                i = k + 1;
                break;
            }
    return right;
}

/* A form whose lines are much darker than the pencil in its cells. */
static void test_form(void)
{
    struct picture p = paper(640, 480, 230);
    for (int x = 20; x <= 620; x += 60)
        stroke(&p, (float)x, 20, (float)x, 440, 3, 0.85f);
    for (int y = 20; y <= 440; y += 60)
        stroke(&p, 20, (float)y, 620, (float)y, 3, 0.85f);
    for (int i = 0; i < 70; i++) {
        float x = (float)(40 + 60 * (i % 10)), y = (float)(35 + 60 * (i / 10));
        stroke(&p, x, y, x + 20, y, 4, 0.3f);
        stroke(&p, x + 20, y, x + 8, y + 30, 4, 0.3f);
    }
    struct ink_digit d[80];
    memset(d, 0, sizeof d);
    int n = find(&p, true, d, 80), right = in_cells(d, n, 38, 33, 24, 34);
    CHECK(n <= 74 && right >= 67, "70 sevens in pencil in a form's dark cells, in order: %d of %d", right, n);
    free(p.gray);
}

/* A form of separate boxes, whose lines lie in pairs. */
static void test_boxes(void)
{
    struct picture p = paper(640, 480, 230);
    for (int i = 0; i < 70; i++) {
        float x = (float)(20 + 60 * (i % 10)), y = (float)(20 + 60 * (i / 10));
        stroke(&p, x, y, x + 53, y, 2, 0.5f);
        stroke(&p, x, y + 53, x + 53, y + 53, 2, 0.5f);
        stroke(&p, x, y, x, y + 53, 2, 0.5f);
        stroke(&p, x + 53, y, x + 53, y + 53, 2, 0.5f);
        seven(&p, x + 16, y + 12, 28, 4);
    }
    struct ink_digit d[80];
    memset(d, 0, sizeof d);
    int n = find(&p, true, d, 80), right = in_cells(d, n, 34, 30, 21, 32);
    CHECK(n <= 74 && right >= 67, "70 sevens in boxes, in order: %d of %d", right, n);
    free(p.gray);
}

/* Two lines of sevens on squared paper, some so long that they reach those below. */
static void test_stacked(void)
{
    struct picture p = paper(800, 400, 225);
    for (int i = 0; i < 10; i++) {
        stroke(&p, 0, (float)(25 + 40 * i), 800, (float)(25 + 40 * i), 2, 0.3f);
        stroke(&p, (float)(45 + 70 * i), 0, (float)(45 + 70 * i), 400, 2, 0.3f);
        seven(&p, (float)(60 + 70 * i), 80, i % 3 == 1 ? 66 : 50, 6);
        seven(&p, (float)(60 + 70 * i), 146, 50, 6);
    }
    struct ink_digit d[22];
    memset(d, 0, sizeof d);
    int n = find(&p, true, d, 22), right = 0;
    for (int i = 0; i < 20; i++)
        for (int k = 0; k < n && k < 22; k++)
            right += d[k].line == i / 10 && abs(d[k].x - (57 + 70 * (i % 10))) < 8 &&
                     abs(d[k].y - (i < 10 ? 77 : 143)) < 12;
    CHECK(n >= 18 && n <= 21 && right >= 15, "20 sevens in two lines that touch: %d, %d right", n, right);
    free(p.gray);
}

/* Draw what is darker in `from`, at (x0, y0). */
static void lay(struct picture *p, const struct picture *from, int x0, int y0)
{
    for (int y = 0; y < from->h; y++)
        for (int x = 0; x < from->w; x++) {
            uint8_t *to = &p->gray[(long)(y0 + y) * p->w + x0 + x], ink = from->gray[y * from->w + x];
            *to = ink < *to ? ink : *to;
        }
}

#define ROWS 8
#define MOST_COLUMNS 64

/* A form of square cells with a seven in each, under three lines of signs (its print); its boxes apart
 * by `apart`. So many at least are to be found in their places. */
static void test_cells(int side, int apart, float w, int columns, int least)
{
    int step = side + apart, top = 4 * step, left = 2 * step;
    struct picture p = paper(left + (columns + 2) * step, top + (ROWS + 2) * step, 235);
    struct picture cell = paper(step + 4, step + 4, 235), sign = paper(step, step, 235);
    float c = (float)side, off = 3 + w / 2;
    for (int i = 0; i < 2; i++) {
        stroke(&cell, 2, 2 + (float)i * c, 2 + c, 2 + (float)i * c, w / 2, 0.7f);
        stroke(&cell, 2 + (float)i * c, 2, 2 + (float)i * c, 2 + c, w / 2, 0.7f);
        float x = (0.2f + 0.3f * (float)i) * c;
        stroke(&sign, x, 0.2f * c, x, 0.7f * c, w, 0.8f);
    }
    stroke(&sign, 0.2f * c, 0.2f * c, 0.5f * c, 0.7f * c, w, 0.8f); /* an N */
    seven(&cell, 2 + 0.3f * c, 2 + 0.2f * c, 0.6f * c, w);
    for (int i = 0; i < ROWS * columns; i++)
        lay(&p, &cell, left + i % columns * step, top + i / columns * step);
    for (int i = 0; i < 2 * columns; i++)
        lay(&p, &sign, left + i % columns * step, step / 2 + i / columns * step * 3 / 2);
    struct ink_digit d[ROWS * MOST_COLUMNS];
    memset(d, 0, sizeof d);
    int n = find(&p, true, d, ROWS * columns), right = 0;
    for (int i = 0; i < n && i < ROWS * columns; i++) {
        int x = d[i].x - left - 2 - (int)(0.3f * c), y = d[i].y - top - 2 - (int)(0.2f * c);
        int column = (x + step / 2) / step, row = (y + step / 2) / step;
        right += (float)abs(x - column * step) < off && (float)abs(y - row * step) < off &&
                 d[i].line - d[0].line == row && likeness(d[i].pixels, d[0].pixels) > 0.8f;
    }
    CHECK(n <= ROWS * columns && right >= least, "%d cells of %d pixels, %d apart, in %d: %d, %d right",
          ROWS * columns, side, apart, p.w, n, right);
    free(p.gray);
    free(cell.gray);
    free(sign.gray);
}

/* A page of writing that lies askew on a desk of dark boards with a grain. */
static void test_page_on_desk(void)
{
    struct picture p = paper(800, 600, 70);
    for (int i = 0; i < 800 * 600; i++)
        p.gray[i] = (uint8_t)(70 + i / 800 * 5 % 17 + i * 7 % 13 * (i % 3 - 1) - (i / 800 % 90 < 4 ? 30 : 0));
    for (int y = 100; y < 500; y++)
        memset(p.gray + (long)y * 800 + 160 + y / 10, 215, 460);
    for (int i = 0; i < 12; i++)
        seven(&p, (float)(240 + 60 * (i % 6)), (float)(200 + 120 * (i / 6)), 45, 4);
    struct ink_digit d[12];
    memset(d, 0, sizeof d);
    int n = find(&p, true, d, 12), right = 0;
    for (int i = 0; i < n && i < 12; i++)
        right += abs(d[i].x - (238 + 60 * (i % 6))) < 6 && abs(d[i].y - (198 + 120 * (i / 6))) < 6;
    CHECK(n == 12 && right == 12, "12 sevens on a page on a desk: %d, %d right", n, right);
    free(p.gray);
}

/* A small sheet that lies askew on a table with a grain, lighter than it and darker. */
static void test_sheet(void)
{
    for (int table = 90; table < 250; table += 140) {
        struct picture p = paper(640, 480, table);
        for (int i = 0; i < 640 * 480; i++)
            p.gray[i] = (uint8_t)(table + i * 7 % 13 * (i % 3 - 1) * 2 / 3);
        for (int y = 120; y < 360; y++)
            memset(p.gray + (long)y * 640 + 200 + y / 8, 170, 200);
        seven(&p, 300, 190, 90, 7);
        struct ink_digit d = {0};
        CHECK(find(&p, false, &d, 1) == 1 && abs(d.x - 296) < 8 && abs(d.h - 97) < 12,
              "a seven on a sheet on a table of %d: box %d,%d,%d,%d", table, d.x, d.y, d.w, d.h);
        free(p.gray);
    }
}

/* The hard edge of a shadow across the digit. */
static void test_shadow_across(void)
{
    struct picture p = paper(640, 480, 220);
    seven(&p, 270, 150, 180, 9);
    for (int y = 0; y < 480; y++)
        for (int x = 250 + y / 4; x < 640; x++)
            p.gray[(long)y * 640 + x] = (uint8_t)(p.gray[(long)y * 640 + x] * 0.6f);
    struct ink_digit d = {0};
    CHECK(find(&p, false, &d, 1) == 1 && abs(d.x - 265) < 8 && abs(d.w - 117) < 12,
          "a seven across a shadow's edge: box %d,%d,%d,%d", d.x, d.y, d.w, d.h);
    free(p.gray);
}

/* Small sevens, not much thicker than the squares' lines, all over squared paper. */
static void test_squared_sheet(void)
{
    struct picture p = paper(900, 800, 225);
    for (int i = 0; i < 37; i++) {
        stroke(&p, -10, (float)(10 + 24 * i), 910, (float)(4 + 24 * i), 2, 0.35f);
        stroke(&p, (float)(14 + 24 * i), -10, (float)(20 + 24 * i), 810, 2, 0.35f);
    }
    for (int i = 0; i < 70; i++)
        seven(&p, (float)(60 + 80 * (i % 10)), (float)(60 + 100 * (i / 10)), 50, 5);
    CHECK(find(&p, true, NULL, 0) == 70, "seventy sevens on squared paper");
    free(p.gray);
}

/* A box drawn close around the digit. */
static void test_box(void)
{
    struct picture p = paper(640, 480, 225);
    static const float side[4][4] = {
        {110, 90, 312, 94}, {312, 94, 308, 346}, {308, 346, 106, 342}, {106, 342, 110, 90}};
    for (int i = 0; i < 4; i++)
        stroke(&p, side[i][0], side[i][1], side[i][2], side[i][3], 3, 0.8f);
    seven(&p, 160, 130, 170, 10);
    struct ink_digit d = {0};
    CHECK(find(&p, false, &d, 1) == 1 && abs(d.x - 155) < 10 && abs(d.w - 112) < 14,
          "a seven in a box close around it: box %d,%d,%d,%d", d.x, d.y, d.w, d.h);
    free(p.gray);
}

/* A line of sevens, one with a long tail, and a small nought. */
static void test_odd_sizes(void)
{
    struct picture p = paper(500, 300, 220);
    for (int i = 0; i < 5; i++)
        if (i != 3)
            seven(&p, (float)(60 + 70 * i), 80, 50, 5);
    stroke(&p, 270, 80, 300, 80, 5, 0.8f);
    stroke(&p, 300, 80, 272, 160, 5, 0.8f);
    for (int i = 0; i < 12; i++) {
        float a = 0.5236f * (float)i, b = 0.5236f * (float)(i + 1);
        stroke(&p, 415 + 12 * cosf(a), 115 + 12 * sinf(a), 415 + 12 * cosf(b), 115 + 12 * sinf(b), 4, 0.8f);
    }
    struct ink_digit d[6];
    memset(d, 0, sizeof d);
    int n = find(&p, true, d, 6);
    CHECK(n == 6 && d[3].h > 75 && d[5].h < 35 && d[5].line == 0,
          "a seven half as high again and a nought half as high as the others: %d, %d high, %d high", n,
          d[3].h, d[5].h);
    free(p.gray);
}

/* Two lines of eight sevens on a page that lies on its side. */
static void test_row_aside(void)
{
    struct picture p = paper(600, 300, 220), side = paper(300, 600, 0);
    for (int i = 0; i < 16; i++)
        seven(&p, (float)(60 + 60 * (i % 8)), (float)(60 + 110 * (i / 8)), 50, 5);
    for (int y = 0; y < 300; y++)
        for (int x = 0; x < 600; x++)
            side.gray[x * 300 + 299 - y] = p.gray[y * 600 + x];
    struct ink_digit d[16];
    memset(d, 0, sizeof d);
    int n = find(&side, true, d, 16);
    bool ordered = n == 16;
    for (int i = 0; i < 16 && ordered; i++)
        ordered = abs(d[i].y - (58 + 60 * (i % 8))) < 8 && d[i].line == i / 8;
    CHECK(ordered, "two lines of sevens on their side: %d, the first at %d,%d", n, d[0].x, d[0].y);
    free(p.gray);
    free(side.gray);
}

/* The edge of a table in the picture, dark beside the paper. */
static void test_edge(void)
{
    struct picture p = paper(640, 480, 60);
    for (int y = 60; y < 480; y++)
        memset(p.gray + (long)y * 640 + 80 + y / 8, 220, (size_t)(500 - y / 8));
    CHECK(find(&p, false, NULL, 0) == 0, "paper on a table holds no digit");
    seven(&p, 320, 150, 120, 9);
    struct ink_digit d = {0};
    CHECK(find(&p, false, &d, 1) == 1 && abs(d.x - 315) < 8 && abs(d.w - 82) < 12,
          "a seven on paper on a table: box %d,%d,%d,%d", d.x, d.y, d.w, d.h);
    free(p.gray);
}

static void test_many(void)
{
    struct picture p = paper(800, 600, 210);
    for (int line = 0; line < 3; line++)
        for (int i = 0; i < 6; i++)
            seven(&p, (float)(60 + 60 * i + (i > 2 ? 200 : 0)),
                  (float)(80 + 150 * line) + 5 * (float)i, 50, 6);
    struct ink_digit d[20];
    memset(d, 0, sizeof d);
    int n = find(&p, true, d, 20);
    CHECK(n == 18, "18 sevens in three sloping lines: %d", n);
    bool ordered = true;
    for (int i = 0; i < n && i < 18; i++)
        ordered = ordered && d[i].line == i / 6 && d[i].word == i / 3 &&
                  abs(d[i].x - (57 + 60 * (i % 6) + (i % 6 > 2 ? 200 : 0))) < 8;
    CHECK(ordered, "they come line by line, from the left, in two words each");
    free(p.gray);
}

/* Sevens, of some of which the pen all but skipped the stem. */
static void test_many_broken(void)
{
    struct picture p = paper(500, 300, 225);
    for (int i = 0; i < 10; i++) {
        float x = (float)(50 + 80 * (i % 5)), y = (float)(60 + 110 * (i / 5));
        stroke(&p, x, y, x + 30, y, 6, 0.8f);
        stroke(&p, x + 30, y, x + 24, y + 15, 6, 0.8f);
        stroke(&p, x + 24, y + 15, x + 16, y + 35, 6, i % 3 ? 0.8f : 0.25f);
        stroke(&p, x + 16, y + 35, x + 10, y + 50, 6, 0.8f);
    }
    struct ink_digit d[11];
    memset(d, 0, sizeof d);
    int n = find(&p, true, d, 11);
    bool whole = true;
    for (int i = 0; i < n && i < 10; i++)
        whole = whole && abs(d[i].w - 36) < 6 && abs(d[i].h - 56) < 6;
    CHECK(n == 10 && whole, "10 sevens, 4 of them broken, come whole: %d", n);
    free(p.gray);
}

static uint32_t noise(uint32_t *state)
{
    return *state = *state * 1664525u + 1013904223u;
}

static void test_noise(void)
{
    struct picture p = paper(320, 240, 0);
    uint32_t state = 1;
    for (int many = 0; many < 2; many++)
        for (int amplitude = 1; amplitude < 256; amplitude *= 2) {
            for (long i = 0; i < (long)p.w * p.h; i++)
                p.gray[i] = (uint8_t)(128 + (int)((noise(&state) >> 16) * (unsigned)amplitude >> 16) -
                                      amplitude / 2);
            int n = find(&p, many, NULL, 0);
            CHECK(n == 0, "noise of amplitude %d holds no digit: %d", amplitude, n);
        }
    free(p.gray);
}

/* After a digit at the foot of a tall picture comes a wide one with so many dots that it is no writing:
 * nothing of the first is left to be looked for in it. */
static void test_after_another(void)
{
    struct err e = ERR_NONE;
    struct ink *k = ink_new(finder, &e);
    struct ink_digit *d = NULL;
    struct picture tall = paper(100, 2500, 220), dots = paper(2500, 100, 220);
    seven(&tall, 30, 2400, 80, 8);
    for (int i = 0; i < 2500 * 100; i++)
        dots.gray[i] = i / 2500 % 2 && i % 2 ? 20 : 220;
    for (int many = 0; many < 2; many++) {
        int first = ink_find(k, tall.gray, 100, 100, 2500, many, &d, &e);
        int second = ink_find(k, dots.gray, 2500, 2500, 100, many, &d, &e);
        CHECK((many || first == 1) && second == 0, "a digit, then dots: %d, %d found", first, second);
    }
    ink_free(k);
    free(tall.gray);
    free(dots.gray);
}

/* A cell as large as `side`, its corner at (x, y). */
static void cell(struct picture *p, float x, float y, float side, float width)
{
    stroke(p, x, y, x + side, y, width, 0.7f);
    stroke(p, x, y + side, x + side, y + side, width, 0.7f);
    stroke(p, x, y, x, y + side, width, 0.7f);
    stroke(p, x + side, y, x + side, y + side, width, 0.7f);
}

static void test_framed(void)
{
    struct err e = ERR_NONE;
    struct cutter *c = cutter_new(&e);
    uint8_t bare[DIGIT_PIXELS], framed[DIGIT_PIXELS];
    for (int width = 1; width <= 5; width++) {
        struct picture p = paper(120, 120, 220);
        struct source s = {p.gray, p.w, p.w, p.h};
        struct box box = {29, 29, 92, 92};
        seven(&p, 45, 40, 40, 4);
        cut_digit(c, &s, false, NULL, 0, CUT_DIGIT, &box, bare);
        cell(&p, 30, 30, 60, (float)width);
        box = (struct box){29, 29, 92, 92};
        cut_digit(c, &s, false, NULL, 0, CUT_DIGIT, &box, framed);
        CHECK(likeness(bare, framed) > 0.97f, "a cell with walls %d wide is no part of the seven in it", width);
        free(p.gray);
    }
    cutter_free(c);
}

/* Is a bar a wall when it hangs on so many of two lines? */
static bool is_wall(int lines, float from, float to)
{
    struct err e = ERR_NONE;
    struct cutter *c = cutter_new(&e);
    struct picture p = paper(160, 160, 220);
    struct source s = {p.gray, p.w, p.w, p.h};
    struct box box = {74, (int)from - 4, 87, (int)to + 4};
    uint8_t pixels[DIGIT_PIXELS];
    stroke(&p, 80, from, 80, to, 4, 0.8f);
    for (int i = 0; i < lines; i++)
        stroke(&p, 0, i ? 50 : 110, 160, i ? 50 : 110, 3, 0.8f);
    cut_digit(c, &s, false, NULL, 0, CUT_DIGIT, &box, pixels);
    bool wall = cut_is_wall(c);
    free(p.gray);
    cutter_free(c);
    return wall;
}

static void test_walls(void)
{
    CHECK(is_wall(1, 70, 108), "a bar on a line is the tooth of a comb");
    CHECK(is_wall(2, 52, 108), "one from line to line is a wall");
    CHECK(!is_wall(2, 62, 108), "one that stands on the lower of two is writing");
    CHECK(!is_wall(1, 60, 96), "so is one above the line");
    CHECK(!is_wall(0, 60, 100), "and one where no line is");
}

static void test_cut_off(void)
{
    struct ink_digit d;
    struct picture p = paper(320, 240, 220);
    stroke(&p, 150, -20, 120, 50, 8, 0.8f);
    CHECK(find(&p, false, &d, 1) == 0, "a bar that comes in from the upper edge is no digit");
    free(p.gray);
    struct picture narrow = paper(120, 116, 220);
    seven(&narrow, 30, 6, 90, 10);
    CHECK(find(&narrow, false, &d, 1) == 1, "a seven that fills the picture is read");
    free(narrow.gray);
}

int main(void)
{
    struct err error = ERR_NONE;
    finder = ink_finder_load("models/find.onnx", &error);
    CHECK(finder != NULL, "the finder is loaded %s", error.what);
    if (!finder)
        return check_done();
    test_blank();
    test_size_place_polarity();
    test_pen();
    test_shadow();
    test_broken();
    test_ruled();
    test_near_lines();
    test_folded();
    test_large_box();
    test_marked();
    test_form();
    test_boxes();
    test_cut_off();
    test_framed();
    test_walls();
    test_stacked();
    test_cells(20, 0, 1.6f, 12, 88);
    test_cells(24, 0, 1.6f, 12, 96);
    test_cells(40, 0, 3, 12, 96);
    test_cells(40, 8, 3, 12, 96);
    test_cells(80, 12, 6, 12, 95);
    test_cells(40, 0, 3, 64, 512); /* wider than the ink map */
    test_odd_sizes();
    test_row_aside();
    test_edge();
    test_sheet();
    test_page_on_desk();
    test_shadow_across();
    test_squared_sheet();
    test_box();
    test_many();
    test_many_broken();
    test_noise();
    test_after_another();
    ink_finder_free(finder);
    return check_done();
}
