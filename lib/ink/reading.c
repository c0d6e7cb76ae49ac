/* Reading order: which digits make a line, in which order the lines follow, where words end.
 *
 * Input: the boxes of a page. Output: the same in order, with the numbers of their lines and words. Lines are
 * gathered by a sweep from left to right: each digit joins the line whose course, as it has run so far, comes
 * nearest to it, so that lines may be skewed and curved. */
#include <math.h>
#include <stdlib.h>

#include "steps.h"

#define SAME_LINE 0.55f /* of the digits' height: how far from its course a line's digit may be */
#define HIGH 1.6f       /* of the height: it has a tail */
#define LEVEL 0.4f      /* within this, two pieces of line that do not overlap are one */
#define WORD_GAP 0.75f  /* of the height, and */
#define WORD_RATIO 1.9f /* times the usual gap: where a word ends */

/* A line while it is gathered: its course near its right end. */
struct line {
    float x, y, slope; /* running means, slope beyond that of the page */
    float from, to;    /* its extent */
    float level;       /* mean of y over its digits */
    int count, order;
};

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The k-th smallest of a, which is put in another order; 0 <= k < n. */
static float nth_smallest(float *a, int n, int k)
{
    qsort(a, (size_t)n, sizeof *a, compare_floats);
    return a[k];
}

static float middle_x(const struct glyph *g)
{
    return (float)(g->box.x0 + g->box.x1) / 2;
}

static float middle_y(const struct glyph *g)
{
    return (float)(g->box.y0 + g->box.y1) / 2;
}

static int compare_x(const void *a, const void *b)
{
    float x = middle_x(a), y = middle_x(b);
    return (x > y) - (x < y);
}

static int compare_place(const void *a, const void *b)
{
    const struct glyph *g = a, *h = b;
    return g->line != h->line ? (g->line > h->line) - (g->line < h->line) : compare_x(a, b);
}

/* The slope of writing: the median of that from each glyph to its neighbour on the right. g is
 * sorted by x. */
static float page_slope(const struct glyph *g, int n, float height, float *slopes)
{
    int found = 0;
    for (int i = 0; i < n; i++) {
        float best = 4 * height, slope = 0;
        for (int k = i + 1; k < n; k++) {
            float dx = middle_x(&g[k]) - middle_x(&g[i]), dy = middle_y(&g[k]) - middle_y(&g[i]);
            if (dx > best)
                break;
            if (dx < 0.4f * height || fabsf(dy) > 0.5f * dx + 0.2f * height)
                continue;
            float cost = dx + 2 * fabsf(dy);
            if (cost < best) {
                best = cost;
                slope = dy / dx;
            }
        }
        if (best < 4 * height)
            slopes[found++] = slope;
    }
    return found >= 3 ? nth_smallest(slopes, found, found / 2) : 0;
}

/* Where a glyph stands for a line whose course is at y: its middle, but of a high one that part of it
 * that is nearest, for its tail may go up or down. y is out of the page's slope. */
static float level_at(const struct glyph *g, float height, float slope, float y)
{
    float aside = slope * middle_x(g);
    float high = (float)g->box.y0 + height / 2 - aside, low = (float)g->box.y1 - height / 2 - aside;
    return (float)box_height(g->box) > HIGH * height ? fmaxf(high, fminf(low, y)) : middle_y(g) - aside;
}

/* The line that g belongs to, *y: its level there. */
static struct line *nearest_line(struct line *lines, int n, const struct glyph *g, float height,
                                 float slope, float *y)
{
    struct line *best = NULL;
    float least = SAME_LINE * height, x = middle_x(g);
    *y = level_at(g, height, slope, -INFINITY);
    for (int i = 0; i < n; i++) {
        struct line *l = &lines[i];
        float reach = fminf(x - l->x, 4 * height), course = l->y + l->slope * reach;
        float level = level_at(g, height, slope, course), off = fabsf(level - course);
        if (x > l->to - 0.5f * height && off < least) {
            least = off;
            best = l;
            *y = level;
        }
    }
    return best;
}

static void extend(struct line *l, const struct glyph *g, float y)
{
    float x = middle_x(g), dx = x - l->x, share = l->count < 3 ? 0.5f : 0.4f;
    float off = y - l->y - l->slope * dx;
    if (dx > 0 && l->count > 1)
        l->slope += 0.15f * fmaxf(-0.1f, fminf(0.1f, off / dx));
    l->y += l->slope * dx * share + share * off;
    l->x += share * dx;
    l->to = fmaxf(l->to, (float)g->box.x1);
    l->level += (y - l->level) / (float)++l->count;
}

/* Make pieces that lie at one level and do not overlap the same line: `order` becomes that of the
 * first piece. */
static void join_pieces(struct line *lines, int n, float height)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++) {
            struct line *a = &lines[k], *b = &lines[i];
            if (b->order != i || a->order != k)
                continue;
            bool apart = a->to < b->from + 0.3f * height || b->to < a->from + 0.3f * height;
            if (!apart || fabsf(a->level - b->level) > LEVEL * height)
                continue;
            float all = (float)(a->count + b->count);
            a->level = (a->level * (float)a->count + b->level * (float)b->count) / all;
            a->count += b->count;
            a->from = fminf(a->from, b->from);
            a->to = fmaxf(a->to, b->to);
            b->order = k;
        }
}

/* Number the lines from the top. */
static void number_lines(struct line *lines, int n, struct glyph *g, int glyphs)
{
    for (int i = 0; i < glyphs; i++) {
        int own = g[i].line, above = 0;
        while (lines[own].order != own)
            own = lines[own].order;
        for (int k = 0; k < n; k++)
            above += lines[k].order == k && (lines[k].level < lines[own].level ||
                                             (k < own && lines[k].level == lines[own].level));
        g[i].line = above;
    }
}

static float gap(const struct glyph *a, const struct glyph *b)
{
    return fmaxf(0, (float)(b->box.x0 - a->box.x1));
}

static void number_words(struct glyph *g, int n, float height, float *gaps)
{
    int word = -1;
    for (int i = 0, end; i < n; i = end) {
        for (end = i; end < n && g[end].line == g[i].line; end++)
            ;
        int count = 0;
        for (int k = i + 1; k < end; k++)
            gaps[count++] = gap(&g[k - 1], &g[k]);
        float usual = count >= 3 ? nth_smallest(gaps, count, (count - 1) / 2) : 0;
        float limit = fmaxf(WORD_GAP * height, WORD_RATIO * usual);
        for (int k = i; k < end; k++) {
            word += k == i || gap(&g[k - 1], &g[k]) > limit;
            g[k].word = word;
        }
    }
}

int reading_order(struct glyph *g, int n, float height, struct err *e)
{
    if (n == 0)
        return 0;
    struct line *lines = malloc((size_t)(n + 1) * sizeof *lines);
    float *scratch = malloc((size_t)(n + 1) * sizeof *scratch);
    if (!lines || !scratch) {
        free(lines);
        free(scratch);
        return err_set(e, "out of memory");
    }
    qsort(g, (size_t)n, sizeof *g, compare_x);
    float slope = page_slope(g, n, height, scratch);
    int count = 0;
    for (int i = 0; i < n; i++) {
        float y;
        struct line *l = nearest_line(lines, count, &g[i], height, slope, &y);
        if (!l) {
            l = &lines[count];
            *l = (struct line){middle_x(&g[i]), y, 0, (float)g[i].box.x0, (float)g[i].box.x0, y, 0, count};
            count++;
        }
        extend(l, &g[i], y);
        g[i].line = (int)(l - lines);
    }
    join_pieces(lines, count, height);
    number_lines(lines, count, g, n);
    qsort(g, (size_t)n, sizeof *g, compare_place);
    number_words(g, n, height, scratch);
    free(lines);
    free(scratch);
    return 0;
}
