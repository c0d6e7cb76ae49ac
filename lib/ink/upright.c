/* Which way up a page lies (upright.h).
 *
 * Input: gray pixels of a page. Output: the same, turned by quarters until its writing stands upright.
 * Algorithm: the finder has learnt upright digits alone, so that it is surer of their classes when they
 * stand upright; a small copy of the page is looked at in all four ways. */
#include "upright.h"

#include <math.h>
#include <stdlib.h>

#include "base/grow.h"
#include "pyramid.h"
#include "suppress.h"

/* The small copy's longest side, in pixels, is at most this: digits of a page of 40 lines are still found. */
#define MAX_COPY_SIDE 1024
/* A candidate counts from this score on, 0..1. */
#define MIN_SCORE 0.4f
/* A page is turned when its digits are surer by this factor than as it lies: pages on their side gave 2.4 to
 * 4.7, upright ones at most 1.3; */
#define MIN_GAIN 2.0f
/* and when they add up to this, some eight sure digits: a single number may look like another one upside down. */
#define MIN_EVIDENCE 6.0f
/* Of a page whose digits are as sure as this on average, 0..1, the other ways are not looked at: it saves three
 * looks, and pages on their side had at most 0.45. */
#define MIN_UPRIGHT 0.55f

struct upright {
    struct pyramid copy;
    uint8_t *turned, *page;
    size_t turned_room, page_room;
};

struct upright *upright_new(struct err *e)
{
    struct upright *u = calloc(1, sizeof *u);
    if (!u)
        err_set(e, "out of memory");
    return u;
}

void upright_free(struct upright *u)
{
    if (!u)
        return;
    pyramid_free(&u->copy);
    free(u->turned);
    free(u->page);
    free(u);
}

/* Turn pixels by so many quarters clockwise into *out [w or h][h or w]. */
static int turn(const struct cut_source *s, int turns, uint8_t **out, size_t *room, struct cut_source *turned,
                struct err *e)
{
    uint8_t *p = grow(*out, (size_t)s->w * (size_t)s->h, room, 1, e);
    if (!p)
        return -1;
    *out = p;
    int w = turns % 2 ? s->h : s->w, h = turns % 2 ? s->w : s->h;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            struct box from = upright_back(box_at(x, y, 1, 1), turns, s->w, s->h);
            p[(size_t)y * (size_t)w + (size_t)x] = s->gray[from.y0 * s->stride + from.x0];
        }
    *turned = (struct cut_source){p, w, w, h};
    return 0;
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

/* How sure the finder is of the digits that it sees: the sum, and the mean by their scores. */
struct evidence {
    float sum, mean;
};

static int weigh(struct search *search, const struct cut_source *s, struct evidence *v, struct err *e)
{
    struct ink_candidate *c;
    int n = search_run(search, s->gray, s->stride, s->w, s->h, MAX_COPY_SIDE, MIN_SCORE, &c, e);
    if (n < 0 || (n = suppress(c, n, e)) < 0)
        return -1;
    float scores = 0;
    *v = (struct evidence){0};
    for (int i = 0; i < n; i++)
        if (c[i].class < INK_SIGN) {
            scores += c[i].score;
            v->sum += c[i].score * c[i].sure * c[i].sure;
        }
    v->mean = scores > 0 ? v->sum / scores : 1;
    return 0;
}

int upright_turn(struct upright *u, struct search *search, struct cut_source *s, struct err *e)
{
    struct evidence v;
    if (pyramid_start(&u->copy, s->gray, s->stride, s->w, s->h, MAX_COPY_SIDE, e))
        return -1;
    struct cut_source copy = {u->copy.gray, u->copy.width, u->copy.width, u->copy.height}, turned;
    if (weigh(search, &copy, &v, e))
        return -1;
    float best = fmaxf(MIN_GAIN * v.sum, MIN_EVIDENCE);
    int turns = 0, ways = v.mean >= MIN_UPRIGHT ? 1 : 4;
    for (int t = 1; t < ways; t++) {
        if (turn(&copy, t, &u->turned, &u->turned_room, &turned, e) || weigh(search, &turned, &v, e))
            return -1;
        turns = v.sum > best ? t : turns;
        best = fmaxf(best, v.sum);
    }
    return turns && turn(s, turns, &u->page, &u->page_room, s, e) ? -1 : turns;
}
