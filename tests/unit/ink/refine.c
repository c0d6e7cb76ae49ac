/* The second look: the view of a candidate, and what is made of what is seen there. Needs models/refine.onnx and the
 * tests' digits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "base/box.h"
#include "ink/ink.h"
#include "ink/steps.h"
#include "stream/stream.h"

enum { SIDE = 200 };

static uint8_t picture[SIDE * SIDE];
static struct pyramid pyramid;

/* Paper of that gray. */
static void lay(int gray)
{
    memset(picture, gray, sizeof picture);
}

static void fill(int x, int y, int w, int h, int gray)
{
    for (int j = y; j < y + h; j++)
        memset(picture + j * SIDE + x, gray, (size_t)w);
}

static void look_at(struct candidate c, struct ink_view *v)
{
    struct err e = ERR_NONE;
    CHECK(!pyramid_make(&pyramid, &(struct source){picture, SIDE, SIDE, SIDE}, SIDE, &e), "a pyramid %s", e.what);
    take_view(&pyramid, &c, v);
}

static int level_at(const struct ink_view *v, int x, int y)
{
    return v->level[y * INK_VIEW + x];
}

static void test_view(void)
{
    struct ink_view v, large;
    lay(200);
    fill(60, 60, 20, 20, 50);
    look_at((struct candidate){.x = 60, .y = 60, .w = 20, .h = 20}, &v);
    CHECK(v.x == 50 && v.y == 50 && v.step == 1, "the view is twice as wide as the box: %g, %g, %g", (double)v.x,
          (double)v.y, (double)v.step);
    CHECK(level_at(&v, 20, 20) < 100 && level_at(&v, 11, 11) == level_at(&v, 20, 20) && level_at(&v, 8, 20) > 130,
          "what is in the box is in its middle: %d in it, %d outside", level_at(&v, 20, 20), level_at(&v, 8, 20));
    lay(200);
    fill(60, 60, 80, 80, 50);
    look_at((struct candidate){.x = 60, .y = 60, .w = 80, .h = 80}, &large);
    int far = 0;
    for (int i = 0; i < INK_VIEW * INK_VIEW; i++)
        far += abs(large.level[i] - v.level[i]) > 2;
    CHECK(!far, "a thing four times as large looks the same: %d levels differ", far);
    lay(100);
    fill(60, 60, 20, 20, 25);
    look_at((struct candidate){.x = 60, .y = 60, .w = 20, .h = 20}, &large);
    for (int i = far = 0; i < INK_VIEW * INK_VIEW; i++)
        far += abs(large.level[i] - v.level[i]) > 5;
    CHECK(!far, "so it does in half the light: %d levels differ", far);
    fill(0, 0, 20, 20, 25);
    look_at((struct candidate){.w = 20, .h = 20}, &v);
    CHECK(level_at(&v, 5, 5) == CONTRAST_PAPER && level_at(&v, 15, 15) < CONTRAST_PAPER,
          "outside of the picture is paper: %d", level_at(&v, 5, 5));
    lay(100);
    fill(60, 60, 1, 1, 101);
    look_at((struct candidate){.x = 50, .y = 50, .w = 20, .h = 20}, &v);
    CHECK(level_at(&v, 0, 0) < CONTRAST_PAPER + 1 && level_at(&v, 20, 20) < CONTRAST_PAPER + 16,
          "faint noise stays faint: %d", level_at(&v, 20, 20));
}

/* Draw a digit twice as large as it is, dark on the paper, at x, y. Its box. */
static struct box draw(const uint8_t *pixels, int x, int y)
{
    struct box box = BOX_NONE;
    for (int j = 0; j < 2 * DIGIT_SIDE; j++)
        for (int i = 0; i < 2 * DIGIT_SIDE; i++) {
            int ink = pixels[j / 2 * DIGIT_SIDE + i / 2];
            picture[(y + j) * SIDE + x + i] = (uint8_t)(210 - ink * 160 / 255);
            if (ink > 127)
                box = box_join(box, box_at(x + i, y + j, 1, 1));
        }
    return box;
}

static struct candidate doubted(float x, float y, float w, float h, int class)
{
    return (struct candidate){.x = x, .y = y, .w = w, .h = h, .class = class, .written = 0.5f, .digits = 0.5f};
}

static float off(const struct candidate *c, struct box b)
{
    return fabsf(c->x - (float)b.x0) + fabsf(c->y - (float)b.y0) + fabsf(c->x + c->w - (float)b.x1) +
           fabsf(c->y + c->h - (float)b.y1);
}

static void test_refine(struct refine *r)
{
    enum { DIGITS = 20 };
    struct err e = ERR_NONE;
    struct stream_idx *digits = idx_open("tests/data/digits-images.gz", "tests/data/digits-labels.gz", &e);
    uint8_t pixels[DIGIT_PIXELS];
    int label, stayed = 0, nearer = 0, empty = 0;
    for (int i = 0; digits && i < DIGITS && idx_read(digits, pixels, &label, &e) > 0; i++) {
        lay(210);
        struct box b = draw(pixels, 70, 70);
        float w = (float)box_width(b), h = (float)box_height(b), side = fmaxf(w, h);
        struct candidate c[] = {doubted((float)b.x0 + 0.1f * side, (float)b.y0 - 0.1f * side, w, h, 3),
                                doubted(20, 150, w, h, 3)};
        float before = off(&c[0], b);
        CHECK(!pyramid_make(&pyramid, &(struct source){picture, SIDE, SIDE, SIDE}, SIDE, &e), "a pyramid %s", e.what);
        int left = refine(r, &pyramid, c, 2, 0.3f);
        empty += left > 1 || (left == 1 && c[0].y > 120);
        stayed += left > 0 && c[0].y < 120 && c[0].class < INK_SIGN && c[0].written > 0.5f;
        nearer += left > 0 && off(&c[0], b) < before;
    }
    CHECK(stayed >= DIGITS - 1, "%d of %d digits are surer", stayed, DIGITS);
    CHECK(nearer >= DIGITS - 2, "the boxes of %d come nearer to them", nearer);
    CHECK(!empty, "empty paper is dropped: %d are left", empty);
    struct candidate point = doubted(20, 20, 4, 4, INK_POINT);
    CHECK(refine(r, &pyramid, &point, 1, 0.3f) == 1 && point.class == INK_POINT && point.written == 0.5f,
          "signs are as they were");
    idx_close(digits);
}

int main(void)
{
    struct err e = ERR_NONE;
    struct refiner *network = refiner_load("models/refine.onnx", &e);
    struct refine *r = network ? refine_new(network, &e) : NULL;
    CHECK(r != NULL, "the network is loaded %s", e.what);
    test_view();
    if (r)
        test_refine(r);
    refine_free(r);
    refiner_free(network);
    pyramid_free(&pyramid);
    return check_done();
}
