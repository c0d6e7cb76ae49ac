/* Suppression, between the finder and the cutting of digits.
 *
 * Input: the candidates of all levels. Output: those that stay. Each thing is seen on two levels or three:
 * of boxes that cover each other the surest stays (greedy non-maximum suppression). A box inside a larger
 * one is a part of a large digit; where there are several, the larger one is a number. A speck is much
 * smaller than all the rest. */
#include <math.h>
#include <stdlib.h>

#include "steps.h"

/* Two boxes tell of one thing when at least this part of the area that they cover together is covered by both. */
#define MIN_SAME 0.45f
/* A box is inside a larger one when more than this part of its area lies there. */
#define MIN_INSIDE 0.6f
/* A digit is a piece of a larger one when more than this part of its ink's box lies in that of the other's ink. */
#define MIN_WITHIN 0.9f
/* Two or more inside whose scores are on average above this part of the larger box's are digits of a number. */
#define MIN_MEMBERS 0.8f
/* One inside whose score is this many times the larger box's is a digit, not a part of one. */
#define MIN_PART 1.4f
/* A flat sign that holds a digit is more than so many times as wide. */
#define MIN_WIDER 1.3f
/* What may be a blot shares at most this part of its box with others. */
#define MAX_SHARED 0.5f
/* Beside it is a digit: this part of the higher one's height they have in common, and the gap is at most this part
 * of the lower one's. */
#define MIN_ROW 0.6f
#define MAX_APART 0.3f
/* What is not larger than this part of the usual size is a speck. */
#define MAX_SPECK 0.3f

struct box candidate_box(const struct candidate *c)
{
    return (struct box){(int)floorf(c->x), (int)floorf(c->y), (int)ceilf(c->x + c->w), (int)ceilf(c->y + c->h)};
}

int weighted_median(const struct candidate *c, int n, float (*value)(const struct candidate *))
{
    float weight[2048] = {0}, all = 0, below = 0;
    int median = 0;
    for (int i = 0; i < n; i++) {
        float of = c[i].score * fmaxf(c[i].w, c[i].h);
        weight[min_int((int)value(&c[i]), 2047)] += of;
        all += of;
    }
    while (median < 2047 && 2 * (below += weight[median]) < all)
        median++;
    return median;
}

static float area(const struct candidate *c)
{
    return c->w * c->h;
}

static float longer(const struct candidate *c)
{
    return fmaxf(c->w, c->h);
}

/* How much of a line a..a + a_length is also b's. (fminf and fmaxf are calls.) */
static inline float overlap(float a, float a_length, float b, float b_length)
{
    float a_end = a + a_length, b_end = b + b_length;
    return (a_end < b_end ? a_end : b_end) - (a > b ? a : b);
}

/* The area that both boxes cover. */
static inline float shared(const struct candidate *a, const struct candidate *b)
{
    float w = overlap(a->x, a->w, b->x, b->w);
    if (!(w > 0))
        return 0;
    float h = overlap(a->y, a->h, b->y, b->h);
    return h > 0 ? w * h : 0;
}

/* Signs are so small that their boxes on two levels hardly cover each other: they are one sign when the middle of
 * one lies in the other. */
static bool is_same_sign(const struct candidate *a, const struct candidate *b)
{
    return ink_sign(a->class) && ink_sign(b->class) &&
           fabsf(a->x + a->w / 2 - b->x - b->w / 2) < fmaxf(a->w, b->w) / 2 &&
           fabsf(a->y + a->h / 2 - b->y - b->h / 2) < fmaxf(a->h, b->h) / 2;
}

static int compare_places(const struct candidate *a, const struct candidate *b)
{
    return a->y != b->y ? (a->y > b->y) - (a->y < b->y)
                        : a->x != b->x ? (a->x > b->x) - (a->x < b->x) : (a->w > b->w) - (a->w < b->w);
}

/* The surest first; of equals in an order of their own, so that the input's does not matter. */
static int compare_scores(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score) - (x->score > y->score) : compare_places(x, y);
}

static int compare_areas(const void *a, const void *b)
{
    float x = area(a), y = area(b);
    return x != y ? (x < y) - (x > y) : compare_places(a, b);
}

int suppress_same(struct candidate *c, int n)
{
    int left = 0;
    if (n > 0)
        qsort(c, (size_t)n, sizeof *c, compare_scores);
    for (int i = 0; i < n; i++) {
        bool told = false;
        for (int k = 0; k < left && !told; k++) {
            float both = shared(&c[k], &c[i]);
            told = both > 0 && (both >= MIN_SAME * (area(&c[k]) + area(&c[i]) - both) || is_same_sign(&c[k], &c[i]));
        }
        if (!told)
            c[left++] = c[i];
    }
    return left;
}

static bool is_inside(const struct candidate *a, const struct candidate *b)
{
    return shared(a, b) > MIN_INSIDE * area(a);
}

/* Is sign a one of the two parts of sign b? The finder may see a point more surely than the colon that it is of. */
static bool is_half(const struct candidate *a, const struct candidate *b)
{
    bool pair = b->class == INK_COLON || b->class == INK_EQUALS;
    return pair && ink_sign(a->class) && a->class != b->class && 2 * area(a) < area(b) && is_inside(a, b);
}

/* Is flat sign a so wide that a digit is in it? On a coarse level a minus and the digit after it look like one. */
static bool holds_digit(const struct candidate *a, const struct candidate *b)
{
    float x = b->x + b->w / 2 - a->x, y = b->y + b->h / 2 - a->y;
    return (a->class == INK_MINUS || a->class == INK_EQUALS) && b->class < INK_SIGN && b->score >= MIN_SCORE &&
           a->w > MIN_WIDER * b->w && x > 0 && x < a->w && y > 0 && y < a->h;
}

/* Drop each for which the test is true with another. */
static int drop_when(struct candidate *c, int n, bool (*test)(const struct candidate *, const struct candidate *))
{
    int left = 0;
    for (int i = 0; i < n; i++) {
        bool drop = false;
        for (int k = 0; k < n && !drop; k++)
            drop = test(&c[i], &c[k]);
        if (!drop)
            c[left++] = c[i];
    }
    return left;
}

/* Is a, once cut, a piece of b: of other writing, or of a digit whose ink it shares? */
static bool is_part(const struct candidate *a, const struct candidate *b)
{
    return b->class == INK_OTHER ? is_inside(a, b)
                                 : !ink_sign(a->class) && !ink_sign(b->class) && shared(a, b) > MIN_WITHIN * area(a);
}

int suppress_parts(struct candidate *c, int n)
{
    int left = 0;
    if (n > 0)
        qsort(c, (size_t)n, sizeof *c, compare_areas);
    for (int i = 0; i < n; i++) {
        bool part = false;
        for (int k = 0; k < left && !part; k++)
            part = is_part(&c[i], &c[k]);
        if (!part)
            c[left++] = c[i];
    }
    return left;
}

/* Is c, with so many after it that are no larger, a number or something that a digit stands on? */
static bool is_several(const struct candidate *c, const struct candidate *smaller, int n)
{
    int count = 0;
    float scores = 0, surest = 0;
    for (int i = 0; i < n; i++)
        if (is_inside(&smaller[i], c)) {
            count++;
            scores += smaller[i].score;
            surest = fmaxf(surest, smaller[i].score);
        }
    return (count >= 2 && scores > MIN_MEMBERS * c->score * (float)count) || surest >= MIN_PART * c->score;
}

/* Of boxes inside others leave the larger or the smaller ones; two dots are no part of a digit. */
static int settle_inside(struct candidate *c, int n)
{
    int left = 0;
    if (n > 0)
        qsort(c, (size_t)n, sizeof *c, compare_areas);
    for (int i = 0; i < n; i++) {
        if (is_several(&c[i], &c[i + 1], n - i - 1))
            continue;
        struct candidate whole = c[left++] = c[i];
        int after = i + 1;
        for (int k = i + 1; k < n; k++)
            if (!is_inside(&c[k], &whole) || c[k].class == INK_COLON)
                c[after++] = c[k];
        n = after;
    }
    return left;
}

int suppress(struct candidate *c, int n)
{
    n = drop_when(c, drop_when(c, n, holds_digit), is_half);
    n = settle_inside(c, suppress_same(c, n));
    float usual = (float)weighted_median(c, n, longer);
    int left = 0;
    for (int i = 0; i < n; i++)
        if (longer(&c[i]) > MAX_SPECK * usual || ink_sign(c[i].class))
            c[left++] = c[i];
    return left;
}

/* Does a digit, about as high, stand beside it? */
static bool is_in_row(const struct candidate *blot, const struct candidate *c, int n)
{
    for (int i = 0; i < n; i++) {
        float low = fminf(blot->h, c[i].h), high = fmaxf(blot->h, c[i].h);
        if (c[i].class < INK_SIGN && overlap(blot->y, blot->h, c[i].y, c[i].h) >= MIN_ROW * high &&
            overlap(blot->x, blot->w, c[i].x, c[i].w) > -MAX_APART * low)
            return true;
    }
    return false;
}

int suppress_blots(struct candidate *c, int n, const struct candidate *seen, int count)
{
    int all = n;
    for (int i = 0; i < count; i++) {
        float others = 0;
        for (int k = 0; k < n; k++)
            others += shared(&c[k], &seen[i]);
        if (seen[i].class != INK_OTHER || others > MAX_SHARED * area(&seen[i]) || !is_in_row(&seen[i], c, n))
            continue;
        c[all] = seen[i];
        c[all++].score = MIN_DOUBTFUL;
    }
    return all;
}
