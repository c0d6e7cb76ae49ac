/* lib/augment: what each distortion does to a picture, and that it depends on nothing but seed,
 * epoch and index. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "learn/learn.h"
#include "../check.h"

#define SIDE 28
#define DRAWS 500

static struct augment_room room;

/* A ring of radius 7 about the middle, two pixels thick. */
static void ring(uint8_t *pixels)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double d = fabs(hypot(x - 13.5, y - 13.5) - 7);
            pixels[y * SIDE + x] = (uint8_t)(d < 1 ? 255 : d < 2 ? 255 * (2 - d) : 0);
        }
}

static struct augment prepare(const char *text)
{
    struct augment a;
    struct augment_options o;
    struct err e = ERR_NONE;
    CHECK(!augment_parse(text, &o, &e), "%s is understood", text);
    augment_init(&a, &o, 7, SIDE, SIDE, 1, 0, 1);
    return a;
}

static double ink(const float *x)
{
    double sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++)
        sum += (double)x[i];
    return sum;
}

/* Centre of mass along columns (step 1) or rows (step SIDE), from the middle. */
static double centre(const float *x, int step)
{
    double sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++)
        sum += (double)x[i] * (i / step % SIDE);
    return sum / ink(x) - 13.5;
}

struct range {
    double low, high, mean;
};

static void take(struct range *r, int i, double value)
{
    r->low = i == 0 || value < r->low ? value : r->low;
    r->high = i == 0 || value > r->high ? value : r->high;
    r->mean += value / DRAWS;
}

/* Ink relative to the picture's, and where its centre is, over many draws. */
static void survey(const char *text, struct range *amount, struct range *x, struct range *y)
{
    struct augment a = prepare(text);
    uint8_t pixels[SIDE * SIDE];
    float from[SIDE * SIDE], to[SIDE * SIDE];
    ring(pixels);
    for (int i = 0; i < SIDE * SIDE; i++)
        from[i] = pixels[i];
    *amount = *x = *y = (struct range){0};
    for (int i = 0; i < DRAWS; i++) {
        augment_image(&a, 1, (uint64_t)i, false, pixels, &room, to);
        take(amount, i, ink(to) / ink(from));
        take(x, i, centre(to, 1));
        take(y, i, centre(to, SIDE));
    }
}

static void check_none(void)
{
    struct augment a = prepare("none");
    augment_init(&a, &augment_none, 7, SIDE, SIDE, 1 / 255.0, 0.5, 0.25);
    uint8_t pixels[SIDE * SIDE];
    float x[SIDE * SIDE];
    ring(pixels);
    augment_image(&a, 0, 0, false, pixels, &room, x);
    double worst = 0;
    for (int i = 0; i < SIDE * SIDE; i++)
        worst = fmax(worst, fabs((double)x[i] - (pixels[i] / 255.0 - 0.5) / 0.25));
    CHECK(worst < 1e-5, "nothing on: only scaled (off by %g)", worst);
}

static void check_each(void)
{
    struct range amount, x, y;
    survey("shift=0.1", &amount, &x, &y);
    CHECK(x.low < -2.5 && x.low > -2.81 && x.high > 2.5 && x.high < 2.81,
          "shift .1 of 28 pixels reaches 2.8 sideways (%.2f to %.2f)", x.low, x.high);
    CHECK(y.low < -2.5 && y.low > -2.81 && y.high > 2.5 && y.high < 2.81,
          "and up and down (%.2f to %.2f)", y.low, y.high);
    CHECK(fabs(x.mean) < 0.25 && fabs(y.mean) < 0.25, "evenly (mean %.2f, %.2f)", x.mean, y.mean);
    CHECK(amount.low > 0.98 && amount.high < 1.02, "and keeps the ink (%.3f to %.3f)", amount.low,
          amount.high);
    survey("zoom=0.1", &amount, &x, &y);
    CHECK(amount.low < 0.87 && amount.low > 0.8 && amount.high > 1.15 && amount.high < 1.25,
          "zoom .1 on both axes scales the area by 1/1.21 to 1/0.81 (%.3f to %.3f)", amount.low,
          amount.high);
    CHECK(fabs(x.low) < 0.1 && fabs(y.high) < 0.1, "and keeps the centre");
    survey("rotate=180", &amount, &x, &y);
    CHECK(amount.low > 0.97 && amount.high < 1.03 && fabs(x.low) < 0.1 && fabs(y.high) < 0.1,
          "a ring rotated is a ring");
    survey("shear=20", &amount, &x, &y);
    CHECK(amount.low > 0.97 && amount.high < 1.03 && fabs(x.low) < 0.1 && fabs(y.high) < 0.1,
          "shear keeps area and centre");
    survey("stroke=0.5", &amount, &x, &y);
    CHECK(amount.low < 0.85 && amount.low > 0.5 && amount.high > 1.15 && amount.high < 1.5,
          "stroke .5 moves the edges of a two-pixel pen (%.3f to %.3f)", amount.low, amount.high);
    survey("elastic=1", &amount, &x, &y);
    CHECK(x.low < -0.3 && x.high > 0.3 && fabs(x.mean) < 0.1, "elastic moves (%.2f to %.2f)", x.low,
          x.high);
    survey("erase=0.5", &amount, &x, &y);
    CHECK(amount.low < 0.9 && amount.high > 0.999 && amount.mean < 0.99, "erase takes ink away");
}

/* Rotation: a bar ends up at angles within the bounds. */
static void check_rotation(void)
{
    struct augment a = prepare("rotate=30");
    uint8_t pixels[SIDE * SIDE] = {0};
    for (int x = 4; x < 24; x++)
        pixels[13 * SIDE + x] = pixels[14 * SIDE + x] = 255;
    double most = 0, least = 0;
    for (int i = 0; i < DRAWS; i++) {
        float to[SIDE * SIDE];
        augment_image(&a, 0, (uint64_t)i, false, pixels, &room, to);
        double xx = 0, xy = 0, yy = 0;
        for (int j = 0; j < SIDE * SIDE; j++) {
            double x = j % SIDE - 13.5, y = j / SIDE - 13.5;
            xx += (double)to[j] * x * x;
            xy += (double)to[j] * x * y;
            yy += (double)to[j] * y * y;
        }
        double angle = atan2(2 * xy, xx - yy) / 2 * 180 / 3.14159265358979;
        most = fmax(most, angle);
        least = fmin(least, angle);
    }
    CHECK(most > 28.5 && most < 31 && least < -28.5 && least > -31,
          "rotate=30 turns a bar by -30 to 30 degrees (%.1f to %.1f)", least, most);
}

static void check_repeats(void)
{
    struct augment a = prepare("default,erase=0.5"), b = a;
    uint8_t pixels[SIDE * SIDE];
    float first[SIDE * SIDE], x[SIDE * SIDE];
    ring(pixels);
    augment_image(&a, 3, 5, false, pixels, &room, first);
    augment_image(&a, 3, 6, false, pixels, &room, x);
    CHECK(memcmp(first, x, sizeof x), "another index, another picture");
    augment_image(&a, 4, 5, false, pixels, &room, x);
    CHECK(memcmp(first, x, sizeof x), "another epoch, another picture");
    augment_image(&a, 3, 5, false, pixels, &room, x);
    CHECK(!memcmp(first, x, sizeof x), "the same index and epoch, the same bits");
    b.seed = 8;
    augment_image(&b, 3, 5, false, pixels, &room, x);
    CHECK(memcmp(first, x, sizeof x), "another seed, another picture");
}

/* Everything at its utmost, on the largest, the smallest and an oblong picture. */
static void check_extremes(void)
{
    static const int size[][2] = {{64, 64}, {1, 1}, {64, 3}, {5, 61}};
    struct augment_options o;
    struct err e = ERR_NONE;
    static uint8_t white[64 * 64];
    static float x[64 * 64 + 1];
    memset(white, 255, sizeof white);
    CHECK(!augment_parse("rotate=180,shear=60,zoom=.9,shift=1,elastic=4,stroke=2,erase=1", &o, &e),
          "the largest values are understood");
    for (int k = 0; k < 4; k++) {
        struct augment a;
        int n = size[k][0] * size[k][1], outside = 0;
        augment_init(&a, &o, 1, size[k][0], size[k][1], 1, 0, 1);
        x[n] = -7;
        for (int i = 0; i < 200; i++) {
            augment_image(&a, 0, (uint64_t)i, false, white, &room, x);
            for (int j = 0; j < n; j++)
                outside += !(x[j] >= 0 && x[j] <= 255.001f);
        }
        CHECK(!outside && x[n] == -7, "%dx%d: values stay within 0..255", size[k][1], size[k][0]);
    }
}

static void check_parse(void)
{
    static const char *bad[] = {"",         "rotate",       "rotate=",      "rotate=x", "rotate=-1",
                                "zoom=1",   "shift=2",      "spin=3",       "erase=nan", "rotate=1,",
                                "rotate=5x", "rotate=1,none", "defaults", "stroke=inf"};
    struct augment_options o, back;
    char text[200];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = ERR_NONE;
        CHECK(augment_parse(bad[i], &o, &e) == -1 && e.what[0], "'%s' is refused: %s", bad[i],
              e.what);
    }
    struct err e = ERR_NONE;
    const struct augment_options usual = AUGMENT_DEFAULT;
    CHECK(!augment_parse("default,rotate=3,erase=.25", &o, &e) && o.rotate == 3 && o.erase == 0.25 &&
              o.zoom == usual.zoom,
          "default, then changes");
    CHECK(!augment_parse(augment_text(&o, text, sizeof text), &back, &e) &&
              !memcmp(&o, &back, sizeof o),
          "written and read again: %s", text);
    CHECK(!strcmp(augment_text(&augment_none, text, sizeof text), "none"), "none is written so");
}

int main(void)
{
    check_none();
    check_each();
    check_rotation();
    check_repeats();
    check_extremes();
    check_parse();
    return check_done();
}
