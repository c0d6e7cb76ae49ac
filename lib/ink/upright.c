/* Which way up a page lies.
 *
 * Input: gray pixels of a page. Output: the same, turned by quarters until its writing stands upright.
 * Algorithm: the finder has learnt upright digits alone, so that it is surer of their classes when they
 * stand upright; a small copy of the page is looked at in all four ways. */
#include <math.h>
#include <stdlib.h>

#include "base/grow.h"
#include "steps.h"

/* The small copy's longest side, in pixels, is at most this: digits of a page of 40 lines are still found. */
#define MAX_COPY_SIDE 1024
/* A page is turned when its digits are surer by this factor than as it lies: pages on their side gave 1.9 to
 * 3.9, upright ones at most 1.0; */
#define MIN_GAIN 1.5f
/* and when they add up to this, some eight sure digits: a single number may look like another one upside down. */
#define MIN_EVIDENCE 6.0f
/* Of a page whose digits are as sure as this on average, 0..1, the other ways are not looked at: it saves three
 * looks, and pages on their side had at most 0.48. */
#define MIN_UPRIGHT 0.55f

void upright_free(struct upright *u)
{
    pyramid_free(&u->copy);
    free(u->turned);
    free(u->page);
}

struct box upright_back(struct box b, int turns, int w, int h)
{
    switch (turns) {
    case 1: return (struct box){b.y0, h - b.x1, b.y1, h - b.x0};
    case 2: return (struct box){w - b.x1, h - b.y1, w - b.x0, h - b.y0};
    case 3: return (struct box){w - b.y1, b.x0, w - b.y0, b.x1};
    default: return b;
    }
}

/* Turn a picture by so many quarters clockwise into *out. */
static int turn(const struct source *s, int turns, uint8_t **out, size_t *room, struct source *turned, struct err *e)
{
    int w = turns % 2 ? s->h : s->w, h = turns % 2 ? s->w : s->h;
    if (grow_to(out, (size_t)w * (size_t)h, room, 1, e))
        return -1;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            struct box from = upright_back(box_at(x, y, 1, 1), turns, s->w, s->h);
            (*out)[(size_t)y * (size_t)w + (size_t)x] = s->gray[from.y0 * s->stride + from.x0];
        }
    *turned = (struct source){*out, w, w, h};
    return 0;
}

/* How sure the finder is of the digits that it sees: the sum, and the mean by their scores. */
static int weigh(struct search *search, const struct source *s, float *sum, float *mean, struct err *e)
{
    struct candidate *c;
    int n = search_run(search, s, MAX_COPY_SIDE, MIN_SCORE, &c, e);
    float scores = 0;
    *sum = 0;
    if (n < 0)
        return -1;
    n = suppress(c, n);
    for (int i = 0; i < n; i++)
        if (c[i].class < INK_SIGN) {
            scores += c[i].score;
            *sum += c[i].score * c[i].sure * c[i].sure;
        }
    *mean = scores > 0 ? *sum / scores : 1;
    return 0;
}

int upright_turn(struct upright *u, struct search *search, struct source *s, struct err *e)
{
    float sum, mean;
    if (pyramid_start(&u->copy, s, MAX_COPY_SIDE, e))
        return -1;
    struct source copy = {u->copy.gray, u->copy.width, u->copy.width, u->copy.height}, turned;
    if (weigh(search, &copy, &sum, &mean, e))
        return -1;
    float best = fmaxf(MIN_GAIN * sum, MIN_EVIDENCE);
    int turns = 0, ways = mean >= MIN_UPRIGHT ? 1 : 4;
    for (int t = 1; t < ways; t++) {
        if (turn(&copy, t, &u->turned, &u->turned_room, &turned, e) || weigh(search, &turned, &sum, &mean, e))
            return -1;
        turns = sum > best ? t : turns;
        best = fmaxf(best, sum);
    }
    return turns && turn(s, turns, &u->page, &u->page_room, s, e) ? -1 : turns;
}
