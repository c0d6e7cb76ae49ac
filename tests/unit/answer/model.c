#include "answer/answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/threads.h"
#include "net/net.h"
#include "onnx/onnx.h"

#include "../check.h"

static void test_scaling(void)
{
    static const char *const bad[] = {"", "x", "1,2", "1,2,0", "1,2,3,4", "1/0", "1/", "1,,2",
                                      "nan", "1,inf,1", "1,0,1/0", "1 ,0,1", "1,0,1 "};
    struct scaling s;
    CHECK(scaling_parse("0.5", &s) && s.scale == 0.5 && s.mean == 0 && s.std == 1, "a scale alone");
    CHECK(scaling_parse("1/255,-0.5,3/4", &s) && s.scale == 1.0 / 255 && s.mean == -0.5 &&
          s.std == 0.75, "fractions, mean and deviation");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!scaling_parse(bad[i], &s), "refuses \"%s\"", bad[i]);
}

enum { SIDE = 28 };
static uint8_t gray[SIDE * SIDE];

/* Make gray black but for a box of ink. */
static void ink(int x, int y, int w, int h)
{
    memset(gray, 0, sizeof gray);
    for (int i = y; i < y + h; i++)
        memset(gray + i * SIDE + x, 255, (size_t)w);
}

static void test_doubt(void)
{
    ink(10, 4, 8, 20);
    CHECK(model_doubt(gray, SIDE, SIDE) == DOUBT_NONE, "a box of 20 in the middle");
    ink(4, 10, 20, 8);
    CHECK(model_doubt(gray, SIDE, SIDE) == DOUBT_NONE, "and a wide one");
    for (size_t i = 0; i < sizeof gray; i++)
        gray[i] = 255 - gray[i];
    CHECK(model_doubt(gray, SIDE, SIDE) == DOUBT_PAPER, "its negative");
    memset(gray, 120, sizeof gray);
    CHECK(model_doubt(gray, SIDE, SIDE) == DOUBT_PAPER, "gray paper");
    ink(12, 0, 3, 28);
    CHECK(model_doubt(gray, SIDE, SIDE) == DOUBT_EDGE, "a stroke from edge to edge");
    ink(0, 0, 8, 12);
    CHECK(model_doubt(gray, SIDE, SIDE) == DOUBT_EDGE, "a digit in a corner");
    ink(9, 8, 8, 20);
    gray[2 * SIDE + 14] = 255;
    CHECK(model_doubt(gray, SIDE, SIDE) == DOUBT_EDGE, "a digit at the bottom");
    /* As MNIST has it: the box of 20 reaches the edge since its mass is at the other end. */
    ink(8, 12, 12, 6);
    for (int y = 0; y < 14; y++)
        gray[y * SIDE + 14] = y < 2 ? 140 : 60;
    CHECK(model_doubt(gray, SIDE, SIDE) == DOUBT_NONE, "a thin stroke up to the edge");
    memset(gray, 0, sizeof gray);
    CHECK(model_doubt(gray, SIDE, SIDE) == DOUBT_NONE, "nothing");
    CHECK(model_doubt(gray, 1, 1) == DOUBT_NONE, "a frame of one pixel");
}

/* A frame in the size of a model: padded, larger and smaller, not as wide as high. */
static void test_fit(void)
{
    static uint8_t to[64 * 64];
    struct model m = {.width = 32, .height = 32};
    CHECK(model_takes(&m, 32, 32) && model_takes(&m, SIDE, SIDE) && !model_takes(&m, 32, SIDE) &&
              !model_takes(&m, 640, 480), "its own size and preproc's");
    ink(10, 4, 8, 20);
    gray[0] = 7;
    model_fit(&m, gray, SIDE, SIDE, to);
    CHECK(to[2 * 32 + 2] == 7 && !to[0] && to[6 * 32 + 12] == 255 && !to[6 * 32 + 11] && to[25 * 32 + 19] == 255 &&
              !to[26 * 32 + 19], "32x32 is padded by 2");
    m = (struct model){.width = 56, .height = 56};
    model_fit(&m, gray, SIDE, SIDE, to);
    CHECK(to[30 * 56 + 28] == 255 && !to[30 * 56 + 18] && !to[30 * 56 + 37] && to[30 * 56 + 20] > 128 &&
              to[30 * 56 + 19] < 128 && to[30 * 56 + 35] > 128 && to[30 * 56 + 36] < 128, "56x56 is twice as large");
    m = (struct model){.width = 14, .height = 20};
    model_fit(&m, gray, SIDE, SIDE, to);
    long sum = 0;
    for (int i = 0; i < 14 * 20; i++)
        sum += to[i];
    CHECK(!to[0] && !to[2 * 14 + 7] && to[10 * 14 + 7] == 255 && labs(sum - 255 * 40) < 255 * 2,
          "14x20 is half as large, in the middle: %ld", sum);
    memset(gray, 90, sizeof gray);
    m = (struct model){.width = 8, .height = 8};
    model_fit(&m, gray, SIDE, SIDE, to);
    for (int i = 0; i < 64; i++)
        sum = to[i] == 90 ? sum : -1;
    CHECK(sum >= 0, "a gray frame is gray at 8x8");
}

/* A network of which fewer run at once than was asked for: each of its values are many. */
static void test_batch(void)
{
    enum { FRAMES = 20, CLASSES = 3 };
    static const char text[] = "input 1 28 28\nconv 8192 1x1\nrelu\nglobalpool\ndense 3\nsoftmax\n";
    static uint8_t frames[FRAMES * SIDE * SIDE];
    double all[FRAMES * CLASSES], one[CLASSES];
    char file[] = "/tmp/model-XXXXXX";
    const char *const files[] = {file};
    struct err e = ERR_NONE;
    int fd = mkstemp(file);
    struct net *net = net_parse(text, sizeof text - 1, "test", &e);
    struct threads *t = threads_new(1, &e);
    struct model *m = NULL;
    if (net)
        net_init(net, 1);
    if (fd >= 0 && net && t && !onnx_save(net, file, &e))
        m = model_load(files, 1, NULL, NULL, FRAMES, t, &e);
    CHECK(m && m->batch < FRAMES, "few large ones at once: %d, %s", m ? m->batch : 0, e.what);
    for (size_t i = 0; i < sizeof frames; i++)
        frames[i] = (uint8_t)(i * i / 100);
    if (m)
        model_run(m, frames, FRAMES, all);
    for (int i = 0; m && i < FRAMES; i++) {
        model_run(m, frames + i * SIDE * SIDE, 1, one);
        CHECK(!memcmp(one, all + i * CLASSES, sizeof one), "frame %d among all is as alone", i);
    }
    model_free(m);
    threads_free(t);
    net_free(net);
    close(fd);
    remove(file);
}

int main(void)
{
    test_batch();
    test_fit();
    test_scaling();
    test_doubt();
    return check_done();
}
