/* Pen strokes: no gaps, fair edges, whole strokes undone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "window/window.h"

enum { SIDE = SKETCH_SIDE, PIXELS = SIDE * SIDE };

static uint8_t frame[PIXELS], other[PIXELS];

static struct window_sketch *fresh(void)
{
    struct err e = ERR_NONE;
    return sketch_new(28, &e);
}

static void line(struct window_sketch *s, double x0, double y0, double x1, double y1, int steps)
{
    sketch_down(s, x0, y0, NULL);
    for (int i = 1; i <= steps; i++)
        sketch_move(s, x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps, NULL);
    sketch_up(s);
}

static int at(double x, double y)
{
    return frame[(int)y * SIDE + (int)x];
}

static void test_one_fast_move_has_no_gap(void)
{
    struct window_sketch *s = fresh();
    line(s, 20, 20, 260, 250, 1);
    sketch_frame(s, frame);
    int gaps = 0;
    for (int i = 0; i <= 240; i++)
        gaps += at(20 + i, 20 + i * 230 / 240.0) != 255;
    CHECK(gaps == 0, "a stroke of two points is one unbroken line (%d gaps)", gaps);
    sketch_free(s);
}

static void test_dot(void)
{
    struct window_sketch *s = fresh();
    sketch_down(s, 140, 140, NULL);
    sketch_up(s);
    sketch_frame(s, frame);
    double ink = 0;
    for (int i = 0; i < PIXELS; i++)
        ink += frame[i] / 255.0;
    double disc = acos(-1) * 14 * 14;
    CHECK(fabs(ink - disc) < disc * 0.01, "a click is a disc of the pen's area: %.1f of %.1f", ink,
          disc);
    CHECK(at(140, 140) == 255 && at(140, 157) == 0, "white inside, black outside");
    sketch_free(s);
}

static void test_edges_are_smooth(void)
{
    struct window_sketch *s = fresh();
    line(s, 30, 60, 250, 110, 5);
    sketch_frame(s, frame);
    int between = 0;
    for (int x = 60; x < 220; x++) {
        int grays = 0;
        for (int y = 0; y < SIDE; y++)
            grays += at(x, y) > 0 && at(x, y) < 255;
        between += grays >= 2;
    }
    CHECK(between == 160, "every column across the line has gray pixels on both edges (%d of 160)",
          between);
    sketch_free(s);
}

static void test_corner_of_a_curve(void)
{
    struct window_sketch *s = fresh();
    sketch_down(s, 240, 140, NULL);
    for (int i = 1; i <= 12; i++) /* a circle in twelve points, as a quick hand gives them */
        sketch_move(s, 140 + 100 * cos(i * acos(-1) / 6), 140 + 100 * sin(i * acos(-1) / 6), NULL);
    sketch_up(s);
    sketch_frame(s, frame);
    double worst = 0;
    for (int i = 30; i < 330; i++) { /* between the ends, which have no neighbour to bend to */
        double a = i * acos(-1) / 180, reach = 0;
        for (double r = 80; r < 120; r += 0.25)
            reach = at(140 + r * cos(a), 140 + r * sin(a)) > 127 ? r : reach;
        worst = fmax(worst, fabs(reach - 114));
    }
    CHECK(worst < 1.25, "twelve points make a circle: off by %.2f pixels at most", worst);
    sketch_free(s);
}

static void test_undo(void)
{
    struct window_sketch *s = fresh();
    line(s, 20, 20, 200, 60, 4);
    sketch_frame(s, other);
    line(s, 200, 60, 60, 250, 9);
    CHECK(sketch_strokes(s) == 2, "two strokes");
    CHECK(sketch_undo(s), "undo");
    sketch_frame(s, frame);
    CHECK(memcmp(frame, other, PIXELS) == 0, "the ink is as before the stroke, bit for bit");
    sketch_down(s, 10, 10, NULL);
    sketch_move(s, 90, 90, NULL);
    CHECK(sketch_undo(s) && !sketch_is_down(s), "undo of the stroke being drawn");
    sketch_frame(s, frame);
    CHECK(memcmp(frame, other, PIXELS) == 0, "and its ink is gone");
    CHECK(sketch_undo(s) && !sketch_undo(s), "undo to the beginning, and no further");
    sketch_frame(s, frame);
    memset(other, 0, PIXELS);
    CHECK(memcmp(frame, other, PIXELS) == 0, "an empty drawing");
    sketch_free(s);
}

static void test_undo_of_many(void)
{
    struct window_sketch *s = fresh(), *t = fresh();
    srand(1);
    for (int i = 0; i < 300; i++) {
        double a = rand() % SIDE, b = rand() % SIDE, c = rand() % 40, d = rand() % 40;
        line(s, a, b, a + c, b + d, 3);
        if (i < 150)
            line(t, a, b, a + c, b + d, 3);
    }
    for (int i = 0; i < 150; i++)
        sketch_undo(s);
    sketch_frame(s, frame);
    sketch_frame(t, other);
    CHECK(memcmp(frame, other, PIXELS) == 0, "300 strokes, 150 undone: the first 150");
    sketch_clear(s);
    sketch_frame(s, frame);
    memset(other, 0, PIXELS);
    CHECK(sketch_strokes(s) == 0 && memcmp(frame, other, PIXELS) == 0, "clear");
    sketch_free(s);
    sketch_free(t);
}

static void test_outside(void)
{
    struct window_sketch *s = fresh();
    sketch_move(s, 100, 100, NULL);
    CHECK(sketch_strokes(s) == 0, "a move without the pen down draws nothing");
    line(s, 100, 100, 1e6, -1e6, 1);
    line(s, -50, -50, -40, -40, 1);
    sketch_frame(s, frame);
    CHECK(at(100, 100) == 255, "a stroke that leaves the paper is clipped");
    sketch_down(s, 10, 200, NULL);
    sketch_down(s, 200, 200, NULL);
    CHECK(sketch_strokes(s) == 4, "a second pen down ends the stroke before");
    sketch_free(s);
}

int main(void)
{
    test_one_fast_move_has_no_gap();
    test_dot();
    test_edges_are_smooth();
    test_corner_of_a_curve();
    test_undo();
    test_undo_of_many();
    test_outside();
    return check_done();
}
