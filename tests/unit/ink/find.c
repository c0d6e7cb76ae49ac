/* The steps from a picture to the boxes and frames of its digits, each alone: local contrast, pyramid,
 * finder, suppression, cutting. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "base/rng.h"
#include "ink/ink.h"
#include "ink/steps.h"
#include "net/net.h"
#include "onnx/onnx.h"

/* ---- Local contrast ---- */

/* By its definition. */
static double contrast_by_definition(const uint8_t *g, int w, int h, int x, int y)
{
    double sum = 0, squares = 0, n = 0;
    for (int j = y - CONTRAST_WINDOW / 2; j <= y + CONTRAST_WINDOW / 2; j++)
        for (int i = x - CONTRAST_WINDOW / 2; i <= x + CONTRAST_WINDOW / 2; i++)
            if (i >= 0 && i < w && j >= 0 && j < h) {
                sum += g[j * w + i];
                squares += g[j * w + i] * g[j * w + i];
                n++;
            }
    double mean = sum / n, deviation = sqrt(fmax(squares / n - mean * mean, 36));
    return fmin(255, fmax(0, 128 + 32 * (g[y * w + x] - mean) / deviation));
}

static void test_contrast(void)
{
    struct rng r = rng_seed(1, 0);
    for (int i = 0; i < 24; i++) {
        int w = 1 + (int)(rng_bits(&r) % 120), h = 1 + (int)(rng_bits(&r) % 100), far = 0, pixels = w * h;
        int range = 1 << (i % 8 + 1);
        uint8_t *g = malloc((size_t)pixels), *c = malloc((size_t)pixels);
        uint32_t *scratch = malloc(CONTRAST_SCRATCH(w) * sizeof *scratch);
        for (int k = 0; k < pixels; k++)
            g[k] = (uint8_t)(255 - rng_bits(&r) % (unsigned)range);
        ink_local_contrast(g, w, h, c, scratch);
        for (int k = 0; k < pixels; k++)
            far += fabs(contrast_by_definition(g, w, h, k % w, k / w) - c[k]) > 0.51;
        CHECK(!far, "local contrast of %dx%d, pixels of the last %d levels: %d are off", w, h, range, far);
        free(g);
        free(c);
        free(scratch);
    }
}

/* ---- The pyramid ---- */

static void test_pyramid(void)
{
    static const struct {
        int w, h, side, levels, width, height, last_width, last_height;
    } sizes[] = {{640, 480, 320, 4, 320, 240, 40, 30},   {28, 28, 320, 2, 56, 56, 28, 28},
                 {16, 16, 320, 1, 48, 48, 48, 48},       {1, 1, 320, 1, 48, 48, 48, 48},
                 {4000, 3000, 2048, 7, 2000, 1500, 32, 24}, {2049, 3, 2048, 6, 1025, 2, 33, 1},
                 {101, 77, 2048, 2, 101, 77, 51, 39}};
    struct err e = ERR_NONE;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct pyramid p = {0};
        int w = sizes[i].w, h = sizes[i].h, flat = 1;
        uint8_t *g = malloc((size_t)w * (size_t)h);
        memset(g, 77, (size_t)w * (size_t)h);
        pyramid_make(&p, &(struct source){g, w, w, h}, sizes[i].side, &e);
        const struct level *first = p.level, *last = &p.level[p.levels - 1];
        CHECK(first->width == sizes[i].width && first->height == sizes[i].height, "%dx%d begins as %dx%d", w, h,
              first->width, first->height);
        for (int k = 0; k < last->width * last->height; k++)
            flat &= last->gray[k] == 77;
        CHECK(p.levels == sizes[i].levels && last->width == sizes[i].last_width && last->height == sizes[i].last_height,
              "and ends on level %d as %dx%d", p.levels, last->width, last->height);
        CHECK(flat, "flat as it was");
        pyramid_free(&p);
        free(g);
    }
}

/* ---- The finder ---- */

static const char network[] =
    "input 1 64 64\nconv 8 3x3 stride 2 pad 1\nrelu\nconv 8 3x3 pad 1\nrelu\nconv 16 3x3 stride 2 pad 1\nrelu\n"
    "name a\nconv 16 3x3 dilation 2 pad 2\nrelu\nadd a\nconv 17 1x1\nboxes\n";

/* Write a finder with random weights. */
static void write_finder(const char *file, const char *text, const char *labels)
{
    struct err e = ERR_NONE;
    struct net *net = net_parse(text, strlen(text), "network", &e);
    net_init(net, 3);
    net_set_meta(net, "labels", labels, &e);
    onnx_save(net, file, &e);
    net_free(net);
}

static int search(const struct ink_finder *f, const uint8_t *g, int stride, int w, int h,
                  struct candidate *copy, int copies)
{
    struct err e = ERR_NONE;
    struct candidate *found;
    struct search *s = search_new(f, &e);
    int n = search_run(s, &(struct source){g, stride, w, h}, 2048, 0.02f, &found, &e);
    for (int i = 0; i < n && i < copies; i++)
        copy[i] = found[i];
    search_free(s);
    return n;
}

/* A picture that one tile holds gives what it gives as a part of a larger one, away from its edges. */
static void test_tiles(const struct ink_finder *f)
{
    enum { SIDE = 800, PART = 400, MOST = 20000 };
    static struct candidate all[MOST], part[MOST];
    static uint8_t g[SIDE * SIDE];
    struct rng r = rng_seed(1, 0);
    for (int i = 0; i < SIDE * SIDE; i++)
        g[i] = (uint8_t)(rng_bits(&r) % 256);
    int n = search(f, g, SIDE, SIDE, SIDE, all, MOST), x = 320, y = 352;
    int m = search(f, g + y * SIDE + x, SIDE, PART, PART, part, MOST), inner = 0, same = 0;
    for (int i = 0; i < m; i++) {
        struct candidate *c = &part[i];
        if (c->x < 80 || c->y < 80 || c->x + c->w > PART - 80 || c->y + c->h > PART - 80 || c->h > 40)
            continue;
        inner++;
        for (int k = 0; k < n; k++)
            if (fabsf(all[k].x - c->x - (float)x) < 0.1f && fabsf(all[k].y - c->y - (float)y) < 0.1f &&
                fabsf(all[k].score - c->score) < 0.01f) {
                same++;
                break;
            }
    }
    CHECK(n > 0 && n <= MOST && m > 0 && inner > 50 && same == inner,
          "of %d candidates in a part %d are inside it, %d of them among the %d of the whole", m, inner, same, n);
}

static void test_finder(void)
{
    static const struct {
        const char *text, *labels, *what;
    } bad[] = {
        {network, "0 1 2 3 4 5 6 7 8 9", "values, not"},
        {network, "0 1 2 3 4 5 6 7 8 9 sign plus", "its labels are"},
        {network, "0 1 2 3 4 5 6 7 8 . other 8", "its labels are"},
        {"input 1 28 28\nconv 4 3x3\nflatten\ndense 10\nsoftmax\n", "0 1 2 3 4 5 6 7 8 9", "end in boxes"},
        {"input 3 64 64\nconv 17 4x4 stride 4\nboxes\n", "0 1 2 3 4 5 6 7 8 9 . other", "channels"},
        {"input 1 64 64\nconv 17 63x63 stride 4 pad 31\nconv 17 99x99 pad 49\nboxes\n",
         "0 1 2 3 4 5 6 7 8 9 . other", "alike"},
        {"input 1 64 64\nconv 17 2x2 stride 2\nboxes\n", "0 1 2 3 4 5 6 7 8 9 . other", "values, not"},
    };
    char file[] = "/tmp/find-XXXXXX";
    struct err e = ERR_NONE;
    close(mkstemp(file));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        e = (struct err)ERR_NONE;
        write_finder(file, bad[i].text, bad[i].labels);
        CHECK(!ink_finder_load(file, &e) && strstr(e.what, bad[i].what), "refused: %s", e.what);
    }
    e = (struct err)ERR_NONE;
    write_finder(file, network, "0 1 2 3 4 5 6 7 8 9 . other");
    struct ink_finder *f = ink_finder_load(file, &e);
    CHECK(f != NULL, "a finder is loaded %s", e.what);
    unlink(file);
    if (f)
        test_tiles(f);
    ink_finder_free(f);
}

/* ---- Suppression ---- */

static void test_suppress(void)
{
    static const struct {
        const char *what;
        int n, left;
        struct candidate c[4]; /* those that stay first */
    } cases[] = {
        {"nothing", 0, 0, {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}},
        {"one digit on two levels", 2, 1, {{10, 10, 20, 30, .9f, 3, 1, 0, 0, 0, 0, 0}, {11, 9, 22, 30, .8f, 3, 1, 0, 0, 0, 0, 0}}},
        {"two digits beside each other", 2, 2, {{10, 10, 20, 30, .9f, 3, 1, 0, 0, 0, 0, 0}, {28, 10, 20, 30, .8f, 4, 1, 0, 0, 0, 0, 0}}},
        {"a part of a digit", 2, 1, {{10, 10, 40, 60, .9f, 8, 1, 0, 0, 0, 0, 0}, {15, 12, 30, 28, .8f, 0, 1, 0, 0, 0, 0, 0}}},
        {"a number taken for a digit", 3, 2,
         {{10, 10, 30, 50, .9f, 1, 1, 0, 0, 0, 0, 0}, {45, 10, 30, 50, .9f, 0, 1, 0, 0, 0, 0, 0}, {10, 9, 65, 52, .7f, 0, 1, 0, 0, 0, 0, 0}}},
        {"a speck", 4, 3, {{0, 0, 30, 40, .9f, 1, 1, 0, 0, 0, 0, 0}, {40, 0, 30, 40, .9f, 2, 1, 0, 0, 0, 0, 0}, {80, 0, 30, 40, .9f, 3, 1, 0, 0, 0, 0, 0}, {150, 30, 5, 5, .9f, 0, 1, 0, 0, 0, 0, 0}}},
        {"a point that is a part of a colon", 3, 2,
         {{0, 0, 30, 50, .9f, 3, 1, 0, 0, 0, 0, 0}, {34, 12, 8, 32, .4f, INK_COLON, 1, 0, 0, 0, 0, 0}, {35, 37, 6, 6, .7f, INK_POINT, 1, 0, 0, 0, 0, 0}}},
        {"a colon in a digit's box", 2, 2,
         {{0, 0, 40, 50, .9f, 3, 1, 0, 0, 0, 0, 0}, {1, 12, 8, 32, .4f, INK_COLON, 1, 0, 0, 0, 0, 0}}},
        {"a minus and a digit taken for a minus", 3, 2,
         {{30, 0, 40, 50, .8f, 2, 1, 0, 0, 0, 0, 0}, {2, 22, 20, 6, .6f, INK_MINUS, 1, 0, 0, 0, 0, 0}, {0, 2, 70, 46, .9f, INK_MINUS, 1, 0, 0, 0, 0, 0}}},
        {"the same score twice", 2, 1, {{10, 10, 20, 30, .9f, 3, 1, 0, 0, 0, 0, 0}, {10, 10, 20, 30, .9f, 3, 1, 0, 0, 0, 0, 0}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int turned = 0; turned < 2; turned++) {
            struct candidate c[4];
            int n = cases[i].n, right = 0;
            for (int k = 0; k < n; k++)
                c[k] = cases[i].c[turned ? n - 1 - k : k];
            int left = suppress(c, n);
            for (int k = 0; k < left; k++)
                for (int j = 0; j < cases[i].left; j++)
                    right += c[k].x == cases[i].c[j].x && c[k].h == cases[i].c[j].h && !(n == 2 && left == 1 && j);
            CHECK(left == cases[i].left && right == left, "%s%s: %d stay", cases[i].what,
                  turned ? ", in another order" : "", left);
        }
}

/* What the finder doubts and cutting may find to be a blot. */
static void test_blots(void)
{
    struct candidate kept[4] = {{100, 0, 40, 50, .9f, 3, 1, 0, 0, 0, 0, 0}};
    const struct candidate seen[] = {{50, 0, 55, 50, .35f, INK_OTHER, 1, 0, 0, 0, 0, 0}, {90, 0, 60, 60, .35f, INK_OTHER, 1, 0, 0, 0, 0, 0},
                                     {300, 0, 50, 50, .35f, INK_OTHER, 1, 0, 0, 0, 0, 0}, {145, 0, 40, 50, .35f, 5, 1, 0, 0, 0, 0, 0}};
    int n = suppress_blots(kept, 1, seen, 4);
    CHECK(n == 2 && kept[1].x == 50, "beside a digit, not on it nor far away, may be a blot: %d", n);
    struct candidate loop[] = {{0, 0, 40, 50, .8f, 6, 1, 0, 0, 0, 0, 0}, {10, 25, 28, 24, .9f, 0, 1, 0, 0, 0, 0, 0}};
    CHECK(suppress_parts(loop, 2) == 1 && loop[0].class == 6, "ink that is part of a digit's is no digit");
}

int main(void)
{
    test_blots();
    test_contrast();
    test_pyramid();
    test_finder();
    test_suppress();
    return check_done();
}
