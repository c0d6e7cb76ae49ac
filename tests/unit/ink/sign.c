/* Which sign it is, between digits 100 high whose feet are at 200. */
#include <stdio.h>
#include <string.h>

#include "../check.h"
#include "ink/ink.h"
#include "ink/steps.h"

static uint8_t bar[DIGIT_PIXELS], pair[DIGIT_PIXELS], speck[DIGIT_PIXELS];

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

static struct candidate may_be_slash(struct candidate c)
{
    c.slash = true;
    return c;
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
    CHECK(place(40, at(170, 120, 20, 50, INK_OTHER), &b) == -1, "not where other writing is");
    CHECK(place(8, nothing, &b) == -1, "nor between digits without room");
    CHECK(place(200, nothing, &b) == -1, "nor between those of other numbers");
}

int main(void)
{
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
    CHECK(between(may_be_slash(at(190, 90, 40, 125, 1)), bar) == INK_SLASH, "unless the finder had a doubt");
    CHECK(between(may_be_slash(at(190, 98, 40, 104, 1)), bar) == 1, "and it reaches further than digits");
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
    struct candidate alone = may_be_slash(at(190, 90, 40, 125, 1));
    CHECK(sign_class(&alone, 1, 0, bar) == 1, "of one alone nothing tells");
    test_places();
    return check_done();
}
