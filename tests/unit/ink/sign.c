/* Which sign it is, between digits 100 high whose feet are at 200. */
#include <stdio.h>
#include <string.h>

#include "../check.h"
#include "ink/ink.h"
#include "ink/steps.h"

static uint8_t bar[DIGIT_PIXELS], pair[DIGIT_PIXELS], speck[DIGIT_PIXELS], stroke[DIGIT_PIXELS];
static uint8_t cross[DIGIT_PIXELS];

static struct candidate at(float x, float y, float w, float h, int class)
{
    return (struct candidate){.x = x, .y = y, .w = w, .h = h, .score = 0.9f, .class = class, .sure = 0.4f};
}

/* The class of what stands there between a 4 and a 7. */
static int between(struct candidate c, const uint8_t *pixels)
{
    struct candidate all[3] = {at(100, 100, 60, 100, 4), c, at(260, 102, 60, 98, 7)};
    return sign_class(all, 3, 1, pixels);
}

/* Where a sign is looked for that the finder has not seen: c between a 4 and a 7, so far apart. */
static int place(float apart, struct candidate c, struct box *where)
{
    struct candidate all[3] = {at(100, 100, 60, 100, 4), at(160 + apart, 102, 60, 98, 7), c};
    return sign_place(all, c.w > 0 ? 3 : 2, 0, where);
}

static void test_places(void)
{
    struct candidate nothing = {0};
    struct box b;
    CHECK(place(40, nothing, &b) == 0 && b.x0 == 160 && b.x1 == 200 && b.y0 == 102 && b.y1 > 220 && b.y1 < 240,
          "between digits is a place, to below the line: %d..%d, %d..%d", b.x0, b.x1, b.y0, b.y1);
    CHECK(place(40, at(175, 188, 12, 12, INK_POINT), &b) == 1, "of a sign, which may be a part of one");
    CHECK(place(40, at(165, 120, 30, 50, INK_OTHER), &b) == -1, "not where other writing leaves no room");
    CHECK(place(8, nothing, &b) == -1, "nor between digits without room");
    CHECK(place(200, nothing, &b) == -1, "nor between those of other numbers");
}

static void test_overlooked(void)
{
    struct box place = {160, 100, 200, 230};
    struct candidate point = at(175, 188, 12, 12, INK_POINT), high = at(175, 110, 12, 12, INK_POINT);
    struct candidate one = at(175, 98, 20, 104, INK_POINT), minus = at(165, 148, 30, 8, INK_MINUS);
    CHECK(sign_overlooked(&point, place, 0) && point.class == INK_POINT, "a point is overlooked easily");
    CHECK(!sign_overlooked(&point, place, 1), "but not where there is one");
    CHECK(!sign_overlooked(&high, place, 0), "nothing that small stands high");
    CHECK(sign_overlooked(&one, place, 0) && one.class == 1, "a 1 is, too");
    CHECK(sign_overlooked(&minus, place, 0), "and a minus");
}

static void test_specks(void)
{
    struct candidate c[] = {at(100, 100, 60, 100, 4), at(175, 140, 20, 20, 3), at(200, 188, 12, 12, INK_POINT),
                            at(240, 102, 60, 98, 7), at(900, 900, 20, 20, 5)};
    CHECK(sign_drop_specks(c, 5) == 4 && c[1].class == INK_POINT && c[3].class == 5,
          "beside digits a speck goes, a point and a small digit far away stay");
}

static void test_crumbs(void)
{
    struct candidate c[] = {at(100, 100, 60, 100, 4), at(170, 150, 8, 14, INK_POINT), at(180, 185, 12, 33, INK_COMMA),
                            at(200, 102, 60, 98, 7), at(270, 188, 12, 12, INK_POINT), at(290, 102, 60, 98, 7)};
    CHECK(sign_drop_crumbs(c, 6) == 5 && c[1].class == INK_COMMA && c[3].class == INK_POINT,
          "of two signs between the same digits the larger stays");
}

int main(void)
{
    for (int i = 4; i < 24; i++)
        for (int k = 13; k < 16; k++)
            cross[i * DIGIT_SIDE + k] = cross[k * DIGIT_SIDE + i] = 255;
    for (int y = 4; y < 24; y++)
        memset(stroke + y * DIGIT_SIDE + 17 - (y - 4) * 8 / 20, 255, 2);
    for (int y = 4; y < 24; y++)
        memset((y < 10 || y > 18 ? pair : bar) + y * DIGIT_SIDE + 12, 255, 4);
    memcpy(speck, pair, sizeof pair);
    memset(speck, 0, 8 * DIGIT_SIDE);
    memcpy(bar + 4 * DIGIT_SIDE, pair + 4 * DIGIT_SIDE, 6 * DIGIT_SIDE);
    CHECK(between(at(200, 188, 12, 12, INK_COMMA), bar) == INK_POINT, "a point stands on the line");
    CHECK(between(at(200, 185, 12, 33, INK_POINT), bar) == INK_COMMA, "a comma reaches below it");
    CHECK(between(at(200, 185, 12, 33, 1), bar) == INK_COMMA, "and is no small 1");
    CHECK(between(at(200, 185, 12, 33, 9), bar) == INK_COMMA, "nor a small 9");
    CHECK(between(at(200, 150, 40, 10, INK_MINUS), bar) == INK_MINUS, "a minus is what it was taken for");
    CHECK(between(at(190, 90, 40, 125, 1), bar) == 1, "a 1 is one, however high");
    CHECK(between(at(190, 90, 40, 125, 1), stroke) == INK_SLASH, "unless it leans from corner to corner");
    CHECK(between(at(190, 98, 40, 104, 1), stroke) == 1, "and reaches further than digits");
    CHECK(between(at(200, 185, 33, 33, INK_COMMA), bar) == INK_POINT, "what is as wide as high is no comma");
    CHECK(between(at(190, 120, 50, 50, INK_MINUS), bar) == INK_PLUS, "what is as high as wide is no minus");
    CHECK(between(at(190, 102, 70, 98, INK_PLUS), bar) < INK_SIGN, "what is as high as digits no plus");
    CHECK(between(at(190, 98, 40, 104, INK_SLASH), bar) == 1, "nor is another a slash");
    struct candidate sure = at(190, 98, 40, 104, INK_SLASH);
    sure.sure = 0.9f;
    CHECK(between(sure, bar) == INK_SLASH, "but a sure one");
    for (int class = 0; class < INK_CLASSES; class++) {
        CHECK(between(at(200, 130, 15, 60, class), pair) == INK_COLON, "two dots are a colon, not class %d", class);
        CHECK(between(at(190, 135, 60, 35, class), pair) == INK_EQUALS, "two lines are equals, not class %d", class);
    }
    CHECK(between(at(200, 130, 15, 60, INK_POINT), speck) == INK_POINT, "a point below a speck is no colon");
    CHECK(between(at(200, 98, 50, 102, 5), pair) == 5, "a digit whose top line stands apart is one");
    for (int class = 0; class < INK_CLASSES; class++)
        CHECK(between(at(190, 145, 40, 10, class), bar) == INK_MINUS, "a dash is a minus, not class %d", class);
    CHECK(between(at(206, 145, 8, 8, INK_MINUS), bar) == INK_POINT, "what is tiny is none");
    CHECK(between(at(185, 125, 50, 50, INK_OTHER), cross) == INK_PLUS, "a cross is a plus, not other writing");
    CHECK(between(at(185, 125, 50, 50, INK_OTHER), bar) == INK_OTHER, "another shape is what it was");
    struct candidate first[2] = {at(190, 98, 40, 104, INK_SLASH), at(260, 102, 60, 98, 7)};
    first[0].sure = 0.9f;
    CHECK(sign_class(first, 2, 0, stroke) == 1, "nor does a number begin with a slash");
    struct candidate alone = at(190, 90, 40, 125, 1);
    CHECK(sign_class(&alone, 1, 0, stroke) == 1, "of one alone nothing tells");
    test_places();
    test_overlooked();
    test_specks();
    test_crumbs();
    return check_done();
}
