/* What the ink in a box is made of: pieces 100 high beside each other, and crosses. */
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "ink/ink.h"
#include "ink/steps.h"

static struct thing thing[MAX_THINGS];

static int part(int class, int n, struct box a, struct box b, struct box c)
{
    struct box piece[] = {a, b, c};
    return part_pieces(piece, n, class, thing);
}

static void test_parts(void)
{
    struct box one = {0, 10, 20, 110}, slash = {30, 0, 70, 120}, none = BOX_NONE, zero = {10, 0, 80, 100};
    struct box high = {90, 30, 100, 40}, low = {90, 80, 100, 90};
    CHECK(part(INK_SLASH, 2, one, slash, none) == 2 && thing[0].class == 1 && thing[1].class == INK_SLASH,
          "a slash and a 1 are two things");
    CHECK(part(INK_OTHER, 2, one, slash, none) == 2 && thing[0].class == INK_OTHER, "what is other stays so");
    CHECK(part(1, 1, one, none, none) == 0, "one piece is one thing");
    CHECK(part(0, 2, one, slash, none) == 0, "a 0 of two halves is a 0");
    CHECK(part(INK_COLON, 2, high, low, none) == 0, "two dots are a colon");
    CHECK(part(0, 3, zero, high, low) == 1 && thing[0].box.x1 == 80, "a digit is left without the colon beside it");
    CHECK(part(0, 2, zero, low, none) == 1 && thing[0].box.x1 == 80, "and without a point");
    CHECK(part(5, 2, zero, high, none) == 0, "but what stands high beside it is its own");
    CHECK(part(INK_PLUS, 2, one, high, none) == 2 && thing[0].class == 1 && thing[1].class == INK_PLUS,
          "a 1 parts from a sign");
}

static void test_regions(void)
{
    uint8_t mask[] = {1, 0, 0, 0, 1, 0, 1, 0, 0};
    uint16_t list[9];
    CHECK(take_region(mask, 3, 3, 0, 2, false, list) == 1 && mask[0] == 2 && mask[4] == 1, "a corner does not connect");
    mask[0] = 1;
    CHECK(take_region(mask, 3, 3, 0, 2, true, list) == 3 && mask[6] == 2 && !mask[1], "unless it is to");
}

static void test_crosses(void)
{
    uint8_t cross[DIGIT_PIXELS] = {0}, frame[DIGIT_PIXELS] = {0}, blank[DIGIT_PIXELS] = {0}, line[DIGIT_PIXELS] = {0};
    for (int i = 4; i < 24; i++)
        for (int k = 4; k < 24; k++) {
            cross[i * DIGIT_SIDE + k] = abs(i - k) < 2 || abs(i + k - 27) < 2 ? 255 : 0;
            line[i * DIGIT_SIDE + k] = abs(i - k) < 2 ? 255 : 0;
            frame[i * DIGIT_SIDE + k] = i == 4 || i == 23 || k == 4 || k == 23 ? 255 : 0;
        }
    CHECK(is_crossed_out(cross), "a cross is in all corners");
    CHECK(!is_crossed_out(line), "a line is in two");
    CHECK(!is_crossed_out(frame), "a frame is no cross");
    CHECK(!is_crossed_out(blank), "nor is nothing");
}

int main(void)
{
    test_parts();
    test_regions();
    test_crosses();
    return check_done();
}
