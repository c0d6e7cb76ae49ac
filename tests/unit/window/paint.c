/* Painting into memory: clipping, scaling, text. */
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "window/font.h"
#include "window/window.h"

enum { W = 120, H = 80 };

static uint32_t guarded[W * H + 2];
static struct window_surface s = {W, H, guarded + 1};

static void wipe(void)
{
    memset(guarded, 0, sizeof guarded);
    guarded[0] = guarded[W * H + 1] = 0xdeadbeef;
}

static int intact(void)
{
    return guarded[0] == 0xdeadbeef && guarded[W * H + 1] == 0xdeadbeef;
}

static int count(uint32_t color)
{
    int n = 0;
    for (int i = 0; i < W * H; i++)
        n += s.pixels[i] == color;
    return n;
}

static void test_rectangles(void)
{
    wipe();
    paint_fill(&s, box_at(10, 10, 5, 4), 1);
    CHECK(count(1) == 20, "a filled rectangle");
    paint_fill(&s, box_at(-5, -5, 10, 10), 2);
    paint_fill(&s, box_at(W - 3, H - 3, 100, 100), 2);
    paint_fill(&s, box_at(500, 500, 10, 10), 2);
    paint_fill(&s, box_at(20, 20, -4, 3), 2);
    CHECK(count(2) == 25 + 9 && intact(), "clipped at every edge");
    wipe();
    paint_outline(&s, box_at(20, 20, 10, 10), 2, 3);
    CHECK(count(3) == 100 - 36, "an outline lies just inside");
}

static void test_fit(void)
{
    struct box r = paint_fit(box_at(10, 10, 200, 100), 640, 480);
    CHECK(r.x0 == 43 && r.y0 == 10 && r.x1 == 43 + 133 && r.y1 == 110, "a wide room: %d,%d to %d,%d",
          r.x0, r.y0, r.x1, r.y1);
    r = paint_fit(box_at(0, 0, 100, 300), 200, 100);
    CHECK(r.x0 == 0 && r.y0 == 125 && r.x1 == 100 && r.y1 == 175, "a high room");
}

static void test_gray(void)
{
    static const uint8_t two[4] = {0, 255, 255, 0};
    wipe();
    paint_gray(&s, box_at(0, 0, 2, 2), two, 2, 2, false);
    CHECK(s.pixels[1] == 0xffffff && s.pixels[0] == 0 && s.pixels[W] == 0xffffff, "one to one");
    wipe();
    paint_gray(&s, box_at(0, 0, 40, 40), two, 2, 2, true);
    CHECK(count(0xffffff) == 800, "blocks have sharp edges");
    wipe();
    paint_gray(&s, box_at(-30, -30, 300, 300), two, 2, 2, false);
    CHECK(intact(), "a picture larger than the surface is clipped");
    static uint8_t fine[800 * 400];
    for (int i = 0; i < 800 * 400; i++)
        fine[i] = i % 800 % 8 ? 255 : 0; /* a line of one pixel in eight */
    wipe();
    paint_gray(&s, box_at(0, 0, 100, 50), fine, 800, 400, false);
    uint32_t v = s.pixels[10 * W + 50] & 255;
    CHECK(v > 200 && v < 240, "shrinking averages: thin lines survive (%u)", v);
}

static void test_text(void)
{
    wipe();
    double end = paint_text(&s, 10, 40, 20, 1, 0xffffff, "17");
    int ink = count(0xffffff);
    CHECK(ink > 50 && intact(), "text leaves ink (%d pixels)", ink);
    CHECK(end > 40 && end < 50, "and tells where it ends (%.1f)", end);
    wipe();
    paint_text(&s, 10, 40, 20, 1, 0xffffff, "\xff\n");
    CHECK(count(0xffffff) > 50, "a byte that is no glyph is a box");
    wipe();
    paint_text(&s, -1000, 40, 20, 1, 0xffffff, "far");
    paint_text(&s, 110, 5, 60, 2, 0xffffff, "@@@");
    paint_text(&s, 110, 1000, 60, 2, 0xffffff, "@@@");
    CHECK(intact(), "text is clipped");
    CHECK(paint_text_width(28, "") == 0, "no text has no width");
    CHECK(paint_text_width(28, "00") == 18 + FONT_SPACE + 18, "digits are as wide as each other");
    int blank = 0;
    for (int c = '!'; c <= '~'; c++) {
        wipe();
        char text[2] = {(char)c, '\0'};
        paint_text(&s, 20, 50, 28, 1, 0xffffff, text);
        blank += count(0) == W * H;
    }
    CHECK(blank == 0, "every printable character has a glyph");
}

static void test_mix(void)
{
    CHECK(paint_mix(0x000000, 0xffffff, 0.5) == 0x808080, "half of black and white");
    CHECK(paint_mix(0x102030, 0xffffff, 0) == 0x102030, "none of the second");
    CHECK(paint_mix(0x102030, 0xabcdef, 1) == 0xabcdef, "all of it");
}

static void test_percent(void)
{
    const struct {
        double probability;
        const char *text;
    } cases[] = {{0, "0 %"}, {0.982, "98 %"}, {0.9949, "99 %"}, {0.995, "99.5 %"}, {0.9999, "99.9 %"}, {1, "100 %"}};
    char text[16];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(!strcmp(panel_percent(cases[i].probability, text), cases[i].text), "%g reads %s",
              cases[i].probability, text);
}

static void test_tiles(void)
{
    static const uint8_t gray[4] = {255, 255, 255, 255};
    const struct frame frame = {.width = 2, .height = 2, .gray = (uint8_t *)gray};
    int width, height;
    tiles_size(1.5, 7, 3, &width, &height);
    struct window_tiles t = tiles_fit(1.5, width, height);
    CHECK(t.across == 7 && t.down == 3, "a window for 7 x 3 tiles fits %d x %d", t.across, t.down);
    t = tiles_fit(1.5, width - 1, height - 1);
    CHECK(t.across == 6 && t.down == 2, "one that is smaller by a pixel fits %d x %d", t.across, t.down);
    t = tiles_fit(4, 5, 5);
    CHECK(t.across == 1 && t.down == 1, "any window fits one");
    CHECK(tiles_at(&t, 100, 250) == 0 && tiles_at(&t, 5, 5) == -1, "a point on a tile, and one beside it");
    t = tiles_fit(0.25, W, H);
    CHECK(tiles_at(&t, 3 + 3 * 21 + 9, 9 + 27 + 9) == t.across + 3, "the fourth tile of the second row is %d",
          tiles_at(&t, 3 + 3 * 21 + 9, 9 + 27 + 9));
    wipe();
    for (int i = 0; i < 2 * t.across * t.down; i++)
        tiles_paint(&s, &t, i, &(struct window_tile){&frame, "1", "72", i == 1, i == 0});
    tiles_paint_words(&s, 0.25, "head", "foot", "");
    CHECK(intact(), "tiles beyond the surface are clipped");
    CHECK(s.pixels[(9 + 9) * W + 3 + 9] == 0xffffff && count(INK_TEXT) > 0 && count(INK_EDGE) > 0,
          "pictures, and the edge of the chosen one");
}

int main(void)
{
    test_percent();
    test_rectangles();
    test_fit();
    test_gray();
    test_text();
    test_tiles();
    test_mix();
    return check_done();
}
