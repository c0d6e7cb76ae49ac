/* What a finder learns from and is judged by: the fact `boxes`, pictures with their sign turned, and
 * the count of what is found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "learn/learn.h"

static struct frame frame_with(const char *boxes)
{
    struct frame f = {0};
    struct err e = ERR_NONE;
    if (frame_resize(&f, 64, 32, &e) || (boxes && frame_set_fact(&f, "boxes", boxes, &e))) {
        CHECK(0, "a frame with boxes=%s: %s", boxes ? boxes : "", e.what);
        exit(check_done());
    }
    return f;
}

static void test_boxes(void)
{
    struct frame f = frame_with("3,4,8,17,7;-5,0,9,9,?;40,20,10,10,other;"), none = frame_with(NULL);
    struct map_box *b = NULL;
    size_t size = 0;
    struct err e = ERR_NONE;
    CHECK(boxes_read(&f, BOXES_CLASSES, 0, &b, &size, &e) == 3, "three boxes%s", e.what);
    CHECK(b[0].x == 3 && b[0].y == 4 && b[0].w == 8 && b[0].h == 17 && b[0].class == 7, "a seven");
    CHECK(b[1].class == MAP_IGNORE && b[1].x == -5, "what counts for nothing may be cut");
    CHECK(b[2].class == 17, "other writing");
    CHECK(boxes_read(&none, BOXES_CLASSES, 0, &b, &size, &e) == 0, "no fact, no boxes");
    free(b);
    frame_free(&f);
    frame_free(&none);
}

static void test_hostile_boxes(void)
{
    static const struct {
        const char *boxes, *message;
    } cases[] = {
        {"3,4,8,17", "'3,4,8,17' is not X,Y,W,H,LABEL in pixels"},
        {"3,4,8,,7", "'3,4,8,,7' is not"},
        {"3 ,4,8,9,7", "'3 ,4,8,9,7' is not"},
        {"1,1,5,5,7;3,4,0,17,7", "'3,4,0,17,7' is not"},
        {"3,4,-8,17,7", "'3,4,-8,17,7' is not"},
        {"99999999999999999999,4,8,17,7", "is not X,Y,W,H,LABEL"},
        {"1,1,5,5,;", "the label '' is not 0 to other or ?"},
        {"1,1,5,5,seven", "the label 'seven' is not 0 to other or ?"},
        {"1,1,5,5,10", "the label '10' is not"},
        {"1,1,5,5,?;;", "'' is not X,Y,W,H,LABEL"},
        {"60,4,9,9,1", "the middle of '60,4,9,9,1' is not in the frame of 64x32"},
        {"-9,4,9,9,1", "the middle of '-9,4,9,9,1' is not"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frame f = frame_with(cases[i].boxes);
        struct map_box *b = NULL;
        size_t size = 0;
        struct err e = ERR_NONE;
        CHECK(boxes_read(&f, BOXES_CLASSES, 0, &b, &size, &e) == -1 && strstr(e.what, cases[i].message), "%s: %s",
              cases[i].boxes, e.what);
        free(b);
        frame_free(&f);
    }
    struct frame f = frame_with("1,1,5,5,+");
    struct map_box *b = NULL;
    size_t size = 0;
    struct err e = ERR_NONE;
    CHECK(boxes_read(&f, 10, 0, &b, &size, &e) == -1 && strstr(e.what, "is not 0 to 9 or ?"),
          "a class that the network does not have: %s", e.what);
    free(b);
    frame_free(&f);
}

static void test_tone(void)
{
    enum { N = 4096 };
    static uint8_t pixels[N];
    static float x[N], y[N];
    struct tone t = {.options = {.gain = 0.15, .noise = 0.15}, .pixels = N, .seed = 5,
                     .scale = 1 / 32.0f, .mean = 128};
    int light = 0;
    bool opposite = true, within = true;
    for (int i = 0; i < N; i++)
        pixels[i] = (uint8_t)(i % 256);
    for (uint64_t i = 0; i < 64; i++) {
        tone_image(&t, 3, i, false, true, pixels, x);
        tone_image(&t, 3, i, true, true, pixels, y);
        light += x[1] > 0;
        for (int j = 1; j < 256; j++)
            opposite &= x[j] == -y[j];
        opposite &= fabsf(x[0]) >= 127 / 32.0f && x[128] == 0;
        tone_image(&t, 3, i, false, false, pixels, y);
        within &= fabs(y[1] / x[1] - 1) < .15 + .5;
    }
    CHECK(light > 16 && light < 48, "either sign is there: %d of 64", light);
    CHECK(opposite, "turned, a picture has the other sign");
    CHECK(within, "gain and noise are small");
    int noisy = 0, changed = 0;
    for (uint64_t i = 0; i < 100; i++) {
        tone_image(&t, 3, i, false, true, pixels, x);
        tone_image(&t, 3, i, false, false, pixels, y);
        noisy += y[128] != 0; /* gain alone leaves 0 at 0 */
        changed += fabsf(y[1] - x[1]) > .01f;
        tone_image(&t, 4, i, true, false, pixels, x);
        tone_image(&t, 4, i, true, false, pixels, y);
        changed -= memcmp(x, y, sizeof x) != 0;
    }
    CHECK(noisy > 15 && noisy < 45, "three in ten are noisy: %d of 100", noisy);
    CHECK(changed > 80, "contrast changes with the picture, and is the same again: %d of 100", changed);
}

static void put(float *map, const struct map_shape *s, const struct map_box *b, float logit)
{
    int cells = s->rows * s->columns;
    float x = (b->x + b->w / 2) / 4, y = (b->y + b->h / 2) / 4;
    int cell = (int)y * s->columns + (int)x, box = (1 + s->classes) * cells + cell;
    map[cell] = logit;
    map[(1 + b->class) * cells + cell] = 3;
    map[box] = x - floorf(x);
    map[box + cells] = y - floorf(y);
    map[box + 2 * cells] = logf(b->w / 24);
    map[box + 3 * cells] = logf(b->h / 24);
}

static void test_scores(void)
{
    enum { CELLS = 32 * 32 };
    const struct map_shape shape = {.classes = 12, .rows = 32, .columns = 32, .stride = 4};
    const struct map_box truth[] = {{10, 10, 12, 14, 3}, {40, 10, 20, 30, 5}, {80, 10, 30, 50, 7},
                                    {10, 80, 20, 20, 11}, {50, 80, 30, 30, MAP_IGNORE}};
    const struct map_truth t = {truth, 5};
    static float map[17 * CELLS];
    static struct scores s;
    char line[128];
    for (int i = 0; i < CELLS; i++)
        map[i] = -9;
    put(map, &shape, &truth[0], 2);                               /* found and right */
    put(map, &shape, &(struct map_box){42, 12, 20, 30, 6}, 1);    /* found, another digit */
    put(map, &shape, &(struct map_box){88, 70, 30, 50, 7}, 1);    /* elsewhere: wrong */
    put(map, &shape, &truth[3], 2);                               /* no digit, and said so */
    put(map, &shape, &(struct map_box){60, 86, 20, 20, 8}, 1);    /* where nothing counts */
    scores_add(&s, 1, &shape, map, &t);
    CHECK(s.all.digits == 3 && s.all.found == 2 && s.all.wrong == 1 && s.all.right == 1,
          "three digits, two found, one wrong, one read right");
    CHECK(s.size[0].found == 1 && s.size[1].digits == 1 && s.size[2].found == 0 && s.size[2].wrong == 1,
          "by size");
    CHECK(!memcmp(&s.kind[1], &s.all, sizeof s.all) && s.kind[0].digits == 0, "by kind");
    CHECK(fabs(s.size[1].overlap - 504 / 696.0) < 1e-3, "the overlap: %.4f", s.size[1].overlap);
    const struct dataset d = {.kinds = 2, .kind_name = {"-", "form"}};
    CHECK(!strcmp(scores_line(&s, &d, 0, line, sizeof line),
                  "all\t3\t0.6667\t0.6667\t0.8621\t0.5000"),
          "a line: %s", line);
    CHECK(!*scores_line(&s, &d, 1 + SCORE_SIZES, line, sizeof line) &&
              !strncmp(scores_line(&s, &d, 2 + SCORE_SIZES, line, sizeof line), "form\t3\t", 7) &&
              !scores_line(&s, &d, 3 + SCORE_SIZES, line, sizeof line),
          "a line a kind of scene: %s", line);
    CHECK(score_recall(&s.kind[0]) == 1 && score_precision(&s.kind[0]) == 1, "nothing is all right");
}

int main(void)
{
    test_boxes();
    test_hostile_boxes();
    test_tone();
    test_scores();
    return check_done();
}
