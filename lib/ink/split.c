#include "split.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "whole.h"

/* Of ways through ink. */
#define SLANT 0.15f  /* cost of a step aside, in pixels of ink */
#define WORTH 4.0f   /* strokes of ink that a cut may cross */

/* Of digits one above another, seen from their side. */
#define PITCH 1.15f  /* of the usual digit's height: from one to the next */
#define MARGIN 0.2f  /* of a digit's share: no cut is nearer to its middle */
#define CENTRAL 0.002f /* cost of being at a window's side, in pixels of ink */

/* Of digits in a row; lengths in parts of the usual digit's height. */
#define MOST_CUTS 192
#define STEP 0.05f    /* from one window in which a way is looked for to the next */
#define REACH 0.12f   /* half of a window's width */
#define ASIDE 0.004f  /* cost of a window's side: the middle is taken where nothing else decides */
#define NARROWEST 0.1f
#define WIDEST 1.5f   /* widths of what may be a digit */
#define LEAST 0.3f    /* and its least height */
#define PLAIN 0.8f    /* a glyph no wider than this is one digit, however odd it looks, */
#define DOUBT (-3.0f) /* with at least this logarithm of a probability: */
#define STEEP 12.0f   /* less by so much for each height that it is wider */
#define SQUARE 1.1f   /* a glyph narrower than this is likelier one digit, */
#define LEAN 1.5f     /* by so much for each height that it is narrower */
#define SURE (-0.3f)  /* what is likelier than this is one digit */
#define NEITHER 5.0f  /* a row less likely by this for each height that it is wide is no row of digits */
#define BROAD 3.0f    /* less likely by this when twice as wide as high */
#define UNLIKELY (-8.0f) /* no digit is less likely than this */
#define CROSSED 0.3f  /* how much likelier the digits have to be for each stroke a cut crosses */

/* A glyph's box in the ink map, seen upright. */
struct view {
    uint8_t *ink; /* its top left corner */
    long step_x, step_y;
    int w, h;
    const uint8_t *gray; /* [h][w] not 0 where ink is the glyph's own; NULL: all is */
};

static struct view view_of(struct box b, struct inkmap *m, enum turn turn)
{
    long w = m->width;
    struct view v = {m->ink, 1, w, box_width(b), box_height(b), NULL};
    if (turn == TURN_RIGHT) {
        v.ink += w - 1;
        v.step_x = w;
        v.step_y = -1;
    } else if (turn == TURN_LEFT) {
        v.ink += (long)(m->height - 1) * w;
        v.step_x = -w;
        v.step_y = 1;
    }
    v.ink += b.x0 * v.step_x + b.y0 * v.step_y;
    return v;
}

/* The same seen from its side: what was above is on the left. */
static struct view from_side(struct view v)
{
    return (struct view){v.ink, v.step_y, v.step_x, v.h, v.w, NULL};
}

static uint8_t *pixel(const struct view *v, int x, int y)
{
    return v->ink + x * v->step_x + y * v->step_y;
}

static bool own_ink(const struct view *v, int x, int y)
{
    return (!v->gray || v->gray[(long)y * v->w + x]) && *pixel(v, x, y) & 1;
}

/* The usual width of a stroke: the median of its runs across. */
static float pen(const struct view *v)
{
    int count[64] = {0}, total = 0, below = 0;
    for (int y = 0; y < v->h; y++)
        for (int x = 0, run = 0; x <= v->w; x++) {
            if (x < v->w && *pixel(v, x, y) & 1) {
                run++;
            } else if (run) {
                count[run < 63 ? run : 63]++;
                total++;
                run = 0;
            }
        }
    for (int n = 1; n < 64; n++) {
        below += count[n];
        if (2 * below > total)
            return (float)n;
    }
    return 1;
}

/* Find the cheapest way from top to bottom of h rows of n pixels, by dynamic programming: each pixel's cost
 * becomes that of the way to it, and *step where that came from: -1, 0 or 1 aside. x[y]: where it goes,
 * `low` being the first pixel's place. */
static void cheapest_way(float *cost, int8_t *step, int h, int n, int low, int *x)
{
    for (int y = 0; y < h; y++)
        for (int i = 0; i < n; i++) {
            float *c = &cost[(long)y * n + i];
            int8_t *s = &step[(long)y * n + i];
            *s = 0;
            if (!y)
                continue;
            const float *up = c - n;
            float best = up[0];
            if (i && up[-1] + SLANT < best)
                best = up[-1] + SLANT, *s = -1;
            if (i + 1 < n && up[1] + SLANT < best)
                best = up[1] + SLANT, *s = 1;
            *c += best;
        }
    const float *last = &cost[(long)(h - 1) * n];
    int end = 0;
    for (int i = 1; i < n; i++)
        end = last[i] < last[end] ? i : end;
    for (int y = h - 1, i = end; y >= 0; i += step[(long)y * n + i], y--)
        x[y] = low + i;
}

/* Take a pixel out, with what faint ink might join the sides again; but no other glyph's ink. */
static void take(const struct view *v, int x, int y)
{
    if (own_ink(v, x, y) || !(*pixel(v, x, y) & 1))
        *pixel(v, x, y) = 0;
}

/* Take a way out: x[y] in each row. */
static void take_way(const struct view *v, const int *x)
{
    for (int y = 0; y < v->h; y++) {
        take(v, x[y], y);
        if (y && x[y - 1] != x[y]) /* no diagonal may connect across */
            take(v, x[y - 1], y);
    }
}

/* Cut v into n digits, a way through it near each border between them, where that costs no more than
 * WORTH. Returns how many cuts were made, or -1 when memory is short. */
static int cut_into(const struct view *v, int n)
{
    float stroke = pen(v), share = (float)v->w / (float)n, reach = share * (0.5f - MARGIN);
    float *cost = malloc((size_t)v->w * v->h * sizeof *cost);
    int8_t *step = malloc((size_t)v->w * v->h);
    int *x = malloc((size_t)v->h * sizeof *x);
    int cuts = cost && step && x ? 0 : -1;
    for (int k = 1; cuts >= 0 && k < n; k++) {
        float middle = share * (float)k;
        int low = max_int((int)(middle - reach), 1), ink = 0;
        int wide = min_int((int)(middle + reach) + 1, v->w - 1) - low;
        if (wide <= 0)
            continue;
        for (int y = 0; y < v->h; y++)
            for (int i = 0; i < wide; i++) {
                float aside = 2 * fabsf((float)i - (float)wide / 2) / (float)wide;
                cost[(long)y * wide + i] = (own_ink(v, low + i, y) ? 1 : 0) + CENTRAL * aside;
            }
        cheapest_way(cost, step, v->h, wide, low, x);
        for (int y = 0; y < v->h; y++)
            ink += own_ink(v, x[y], y);
        if ((float)ink <= WORTH * stroke + 2) {
            take_way(v, x);
            cuts++;
        }
    }
    free(cost);
    free(step);
    free(x);
    return cuts;
}

/* A way through a row of digits from top to bottom, in each line of pixels. */
struct cut {
    int *x;     /* [h] */
    float mean;
    float cost; /* in strokes of ink */
};

/* Workspace for a row. */
struct row {
    const struct view *v;
    float height, pen;
    struct cut *cut; /* from left to right; the first and the last are its sides */
    int cuts;
    int *x, *before; /* [MOST_CUTS][h] the cuts' x; [MOST_CUTS] for the best row up to a cut */
    float *best;
    uint32_t *sums;
    float *cost;
    int8_t *step;
};

static int compare_cuts(const void *a, const void *b)
{
    float x = ((const struct cut *)a)->mean, y = ((const struct cut *)b)->mean;
    return (x > y) - (x < y);
}

static bool known(const struct row *r, const int *x)
{
    for (int i = 0; i < r->cuts; i++)
        if (!memcmp(r->cut[i].x, x, (size_t)r->v->h * sizeof *x))
            return true;
    return false;
}

/* Find the cheapest way with x in [low, high) and keep it, if it is cheap enough and new. */
static void find_cut(struct row *r, int low, int high)
{
    const struct view *v = r->v;
    struct cut *c = &r->cut[r->cuts];
    int n = high - low, h = v->h;
    for (int y = 0; y < h; y++)
        for (int i = 0; i < n; i++) {
            float aside = fabsf((float)(2 * i - n + 1)) / (float)n;
            r->cost[(long)y * n + i] = (own_ink(v, low + i, y) ? 1 : 0) + ASIDE * aside;
        }
    *c = (struct cut){.x = r->x + (long)r->cuts * h};
    cheapest_way(r->cost, r->step, h, n, low, c->x);
    for (int y = h - 1; y >= 0; y--) {
        c->mean += (float)c->x[y] / (float)h;
        c->cost += own_ink(v, c->x[y], y) ? 1 / r->pen : 0;
    }
    if (c->cost <= WORTH && !known(r, c->x))
        r->cuts++;
}

static void find_cuts(struct row *r)
{
    int w = r->v->w, h = r->v->h, reach = (int)fmaxf(2, REACH * r->height);
    float step = fmaxf(STEP * r->height, (float)w / (MOST_CUTS - 2));
    for (float x = step; x < (float)w - 1; x += step) {
        int low = (int)x - reach, high = (int)x + reach + 1;
        low = max_int(low, 1);
        high = min_int(high, w - 1);
        if (high > low && r->cuts < MOST_CUTS - 2)
            find_cut(r, low, high);
    }
    for (int side = 0; side < 2; side++) {
        struct cut *c = &r->cut[r->cuts];
        *c = (struct cut){r->x + (long)r->cuts++ * h, side ? (float)w : -1, 0};
        for (int y = 0; y < h; y++)
            c->x[y] = side ? w : -1;
    }
    qsort(r->cut, (size_t)r->cuts, sizeof *r->cut, compare_cuts);
}

/* How much what lies from left to right looks like one digit: a logarithm, at most 0. */
static float look(const struct row *r, const struct whole_picture *p, const int *left,
                  const int *right)
{
    struct whole one = whole_look(p, left, right);
    float w = (float)box_width(one.box), h = (float)box_height(one.box);
    if (h < LEAST * r->height)
        return UNLIKELY;
    return fmaxf(one.log_p, UNLIKELY) - BROAD * fmaxf(0, w / h - 1);
}

/* How much the whole row looks like one digit: a logarithm. */
static float look_at_all(const struct row *r, const struct whole_picture *p)
{
    float wide = (float)r->v->w / fmaxf(r->height, (float)r->v->h);
    float one = fmaxf(look(r, p, NULL, NULL), DOUBT - STEEP * fmaxf(0, wide - PLAIN));
    one += LEAN * fmaxf(0, SQUARE - wide);
    return wide > WIDEST ? fminf(one, -NEITHER * wide) : one;
}

/* The logarithm so far of the best row up to cut a, with that cut. */
static float so_far(const struct row *r, int a)
{
    return r->best[a] - (a ? CROSSED * r->cut[a].cost : 0);
}

/* Find the best row up to cut b: from its last digit's other side, r->before[b], first where the row
 * up to there is best, for a look costs time and can only make it worse. left: room for a line's
 * start. */
static void best_up_to(struct row *r, int b, const struct whole_picture *p, int *left)
{
    bool tried[MOST_CUTS] = {false};
    r->best[b] = MOST_CUTS * UNLIKELY;
    r->before[b] = 0;
    for (;;) {
        int best = -1;
        for (int a = 0; a < b; a++) {
            float wide = r->cut[b].mean - r->cut[a].mean;
            bool digit = wide >= NARROWEST * r->height && wide <= WIDEST * r->height;
            if (digit && !tried[a] && (a || b < r->cuts - 1) && so_far(r, a) > r->best[b] &&
                (best < 0 || so_far(r, a) > so_far(r, best)))
                best = a;
        }
        if (best < 0)
            return;
        tried[best] = true;
        for (int y = 0; y < r->v->h; y++)
            left[y] = r->cut[best].x[y] + 1;
        float sum = so_far(r, best) + look(r, p, left, r->cut[b].x);
        if (sum > r->best[b]) {
            r->best[b] = sum;
            r->before[b] = best;
        }
    }
}

/* Is a row of several digits likelier than `whole`? r->before[b] is then the cut before b. left:
 * room for a line's start. */
static bool choose(struct row *r, const struct whole_picture *p, float whole, int *left)
{
    int last = r->cuts - 1;
    r->best[0] = 0;
    for (int b = 1; b <= last; b++)
        best_up_to(r, b, p, left);
    return r->best[last] > whole && r->before[last] > 0;
}

static int cut_out(const struct row *r)
{
    int made = 0;
    for (int b = r->before[r->cuts - 1]; b > 0; b = r->before[b], made++)
        take_way(r->v, r->cut[b].x);
    return made;
}

/* Cut the row where that is likelier than `whole`. Returns how many cuts were made. */
static int try_cuts(struct row *r, const struct whole_picture *p, float whole)
{
    r->pen = pen(r->v);
    find_cuts(r);
    return choose(r, p, whole, r->x + (long)MOST_CUTS * r->v->h) ? cut_out(r) : 0;
}

int split_row(struct box box, const uint8_t *gray, float height, struct inkmap *m,
              enum turn turn, struct err *e)
{
    struct view v = view_of(box, m, turn);
    v.gray = gray;
    size_t area = (size_t)v.w * v.h, lines = (size_t)v.h * (MOST_CUTS + 1);
    struct cut cuts[MOST_CUTS];
    int before[MOST_CUTS];
    float best[MOST_CUTS];
    struct row r = {.v = &v, .height = height, .cut = cuts, .before = before, .best = best};
    r.x = malloc(lines * sizeof *r.x);
    r.sums = malloc((area + (size_t)v.h) * sizeof *r.sums);
    r.cost = malloc(area * sizeof *r.cost);
    r.step = malloc(area);
    int made = -1;
    if (r.x && r.sums && r.cost && r.step) {
        struct whole_picture p = {gray, v.w, v.h, r.sums};
        whole_sum(&p);
        float whole = look_at_all(&r, &p);
        made = whole < SURE ? try_cuts(&r, &p, whole) : 0;
    }
    free(r.x);
    free(r.sums);
    free(r.cost);
    free(r.step);
    return made < 0 ? err_set(e, "out of memory") : made;
}

int split_stack(struct box box, float height, struct inkmap *m, enum turn turn, struct err *e)
{
    struct view side = from_side(view_of(box, m, turn));
    int cuts = cut_into(&side, max_int((int)lrintf((float)side.w / (PITCH * height)), 2));
    return cuts < 0 ? err_set(e, "out of memory") : cuts;
}
