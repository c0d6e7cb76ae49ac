/* Scenes of known digits, and the boxes that are to be found in them: all ten digits of MNIST's test set at
 * several sizes, places, on paper and forms, dark and light. Needs models/find.onnx and the tests' digits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "base/box.h"
#include "ink/ink.h"
#include "stream/stream.h"

enum { SAMPLES = 250, MOST = 12 };

static uint8_t sample[SAMPLES][DIGIT_PIXELS];
static int label[SAMPLES], samples;

static void read_samples(void)
{
    struct err e = ERR_NONE;
    struct stream_idx *x = idx_open("tests/data/digits-images.gz", "tests/data/digits-labels.gz", &e);
    while (x && samples < SAMPLES && idx_read(x, sample[samples], &label[samples], &e) > 0)
        samples++;
    idx_close(x);
}

/* The nth sample that is a `digit`. */
static const uint8_t *nth(int digit, int n)
{
    for (int i = 0; i < samples; i++)
        if (label[i] == digit && n-- == 0)
            return sample[i];
    return NULL;
}

enum kind { PLAIN, LIGHT, SHADOW, RULED, BOXED };
static const char *const kinds[] = {"plain", "light on dark", "shadow", "ruled", "boxed"};

struct scene {
    int w, h;
    uint8_t gray[640 * 480];
    struct box truth[MOST];
    int digits;
};

/* Draw a sample `side` pixels high and wide in all at x, y, by bilinear interpolation. */
static void draw(struct scene *s, const uint8_t *of, int x, int y, int side)
{
    struct box *box = &s->truth[s->digits++];
    *box = BOX_NONE;
    for (int j = 0; j < side; j++)
        for (int i = 0; i < side; i++) {
            float u = fmaxf(0, ((float)i + 0.5f) * DIGIT_SIDE / (float)side - 0.5f);
            float v = fmaxf(0, ((float)j + 0.5f) * DIGIT_SIDE / (float)side - 0.5f);
            int a = min_int((int)u, DIGIT_SIDE - 2), b = min_int((int)v, DIGIT_SIDE - 2);
            const uint8_t *p = of + b * DIGIT_SIDE + a;
            float right = fminf(u - (float)a, 1), down = fminf(v - (float)b, 1);
            float ink = (1 - down) * ((1 - right) * p[0] + right * p[1]) +
                        down * ((1 - right) * p[DIGIT_SIDE] + right * p[DIGIT_SIDE + 1]);
            uint8_t *g = &s->gray[(y + j) * s->w + x + i];
            *g = (uint8_t)((float)*g * (1 - 0.8f * ink / 255));
            if (ink > 100)
                *box = box_join(*box, (struct box){x + i, y + j, x + i + 1, y + j + 1});
        }
}

static void line(struct scene *s, int x0, int y0, int x1, int y1)
{
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            if (x >= 0 && y >= 0 && x < s->w && y < s->h)
                s->gray[y * s->w + x] = 110;
}

/* `n` digits in a row, each `side` pixels, from x, y on. */
static void make_scene(struct scene *s, int w, int h, enum kind kind, int digit, int n, int side, int x, int y)
{
    *s = (struct scene){.w = w, .h = h};
    memset(s->gray, 220, (size_t)w * (size_t)h);
    for (int j = y + side / 2; kind == RULED && j < h; j += side)
        line(s, 0, j + side / 2, w, j + side / 2 + 1 + side / 60);
    for (int i = 0; i < n; i++) {
        int left = x + i * side;
        if (kind == BOXED) {
            line(s, left, y, left + side, y + 2);
            line(s, left, y + side, left + side, y + side + 2);
            line(s, left, y, left + 2, y + side);
            line(s, left + side, y, left + side + 2, y + side + 2);
        }
        draw(s, nth((digit + i) % 10, i % 3), left + 1, y, side);
    }
    for (int k = 0; k < w * h; k++) {
        if (kind == LIGHT)
            s->gray[k] = (uint8_t)(255 - s->gray[k]);
        if (kind == SHADOW)
            s->gray[k] = (uint8_t)(s->gray[k] * (k % w * 2 < w ? 10 : 6) / 10);
    }
}

static float overlap(struct box a, const struct ink_digit *d)
{
    struct box b = {d->x, d->y, d->x + d->w, d->y + d->h};
    int w = min_int(a.x1, b.x1) - max_int(a.x0, b.x0), h = min_int(a.y1, b.y1) - max_int(a.y0, b.y0);
    float both = w > 0 && h > 0 ? (float)w * (float)h : 0;
    return both / ((float)box_width(a) * (float)box_height(a) + (float)d->w * (float)d->h - both);
}

/* How many of the scene's digits are found, each in its place. *more: boxes beside them. */
static int found_in(struct ink *k, const struct scene *s, bool many, int *more)
{
    struct err e = ERR_NONE;
    struct ink_digit *d;
    int n = ink_find(k, s->gray, s->w, s->w, s->h, many, &d, &e), right = 0;
    for (int i = 0; i < s->digits; i++)
        for (int j = 0; j < n; j++)
            if (d[j].class < INK_SIGN && overlap(s->truth[i], &d[j]) > 0.6f) {
                right++;
                break;
            }
    *more = n - right;
    return right;
}

/* Each table's line: ten scenes, that begin with each digit. */
static void test_scenes(struct ink *k)
{
    static const struct {
        enum kind kind;
        bool many;
        int w, h, n, side, x, y;
        int least, most; /* digits that are found of all, boxes that are none */
    } table[] = {
        {PLAIN, false, 640, 480, 1, 300, 170, 90, 10, 0},  {PLAIN, false, 320, 240, 1, 60, 20, 30, 10, 0},
        {LIGHT, false, 200, 200, 1, 120, 40, 40, 10, 0},   {SHADOW, false, 640, 480, 1, 200, 230, 90, 10, 0},
        {RULED, false, 640, 480, 1, 160, 240, 120, 10, 0},  {PLAIN, false, 28, 28, 1, 24, 2, 2, 10, 0},
        {PLAIN, true, 640, 480, 5, 90, 60, 190, 49, 1},    {PLAIN, true, 640, 480, 8, 40, 150, 190, 78, 2},
        {LIGHT, true, 640, 240, 6, 80, 60, 80, 58, 2},     {SHADOW, true, 640, 480, 5, 90, 60, 190, 47, 3},
        {RULED, true, 640, 480, 6, 60, 100, 190, 57, 3},   {BOXED, true, 640, 480, 8, 60, 60, 190, 77, 6},
    };
    static struct scene s;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int right = 0, extra = 0, more;
        for (int digit = 0; digit < 10; digit++) {
            make_scene(&s, table[i].w, table[i].h, table[i].kind, digit, table[i].n, table[i].side, table[i].x,
                       table[i].y);
            right += found_in(k, &s, table[i].many, &more);
            extra += more;
        }
        CHECK(right >= table[i].least && extra <= table[i].most, "%s, %dx%d, %d of %d pixels%s: %d of %d in place, %d more",
              kinds[table[i].kind], table[i].w, table[i].h, table[i].n, table[i].side,
              table[i].many ? ", all" : "", right, 10 * table[i].n, extra);
    }
}

/* What MNIST made passes as it is; dim, it is stretched. */
static void test_passes(struct ink *k)
{
    struct err e = ERR_NONE;
    struct ink_digit *d;
    int same = 0, near = 0;
    for (int i = 0; i < samples; i++) {
        uint8_t dim[DIGIT_PIXELS];
        int far = 0;
        same += ink_find(k, sample[i], DIGIT_SIDE, DIGIT_SIDE, DIGIT_SIDE, false, &d, &e) == 1 &&
                !memcmp(d->pixels, sample[i], DIGIT_PIXELS);
        for (int p = 0; p < DIGIT_PIXELS; p++)
            dim[p] = sample[i][p] / 2;
        if (ink_find(k, dim, DIGIT_SIDE, DIGIT_SIDE, DIGIT_SIDE, false, &d, &e) != 1)
            continue;
        for (int p = 0; p < DIGIT_PIXELS; p++)
            far += abs(d->pixels[p] - sample[i][p]) > 4;
        near += !far;
    }
    CHECK(same == samples && samples == SAMPLES, "%d of %d frames of MNIST pass unchanged", same, samples);
    CHECK(near == samples, "%d of them, half as bright, come out as bright as they were", near);
}

static void test_nothing(struct ink *k)
{
    static const int sides[] = {1, 2, 12, 28, 100, 640};
    static uint8_t gray[640 * 640];
    struct err e = ERR_NONE;
    struct ink_digit *d;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        for (int shade = 0; shade <= 255; shade += 51) {
            memset(gray, shade, sizeof gray);
            CHECK(ink_find(k, gray, sides[i], sides[i], sides[i] / 2 + 1, true, &d, &e) == 0,
                  "%d pixels of shade %d hold no digit", sides[i], shade);
        }
}

int main(void)
{
    struct err e = ERR_NONE;
    struct ink_finder *f = ink_finder_load("models/find.onnx", &e);
    struct ink *k = f ? ink_new(f, &e) : NULL;
    CHECK(k != NULL, "the finder is loaded %s", e.what);
    read_samples();
    if (k) {
        test_scenes(k);
        test_passes(k);
        test_nothing(k);
    }
    ink_free(k);
    ink_finder_free(f);
    return check_done();
}
