#include "ink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

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
    float lx = x1 - x0, ly = y1 - y0, length = lx * lx + ly * ly;
    for (int y = 0; y < p->h; y++)
        for (int x = 0; x < p->w; x++) {
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
    struct ink *k = ink_new(&e);
    struct ink_digit *d = NULL;
    int n = ink_find(k, p->gray, p->w, p->w, p->h, many, &d, &e);
    for (int i = 0; i < n && i < copies; i++)
        copy[i] = d[i];
    ink_free(k);
    return n;
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
                          fabsf((float)d.x - x) < 0.06f * size + 3 &&
                          fabsf((float)d.h - size) < 0.25f * size + 3,
                      "the seven, %d wide frame, place %d, %s ink: box %d,%d,%d,%d likeness %.3f",
                      w, place, light ? "light" : "dark", d.x, d.y, d.w, d.h,
                      (double)likeness(d.pixels, first.pixels));
                CHECK(is_normalised(d.pixels), "it is normalised");
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

int main(void)
{
    test_blank();
    test_size_place_polarity();
    test_pen();
    test_shadow();
    return check_done();
}
