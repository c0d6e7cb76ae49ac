#include "ink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/box.h"

/* Widths in pixels of the 28x28 frame. Of MNIST's training digits 99.9 % are wider than 1.73,
 * half are between 2.3 and 3.0, 99 % are under 4.5 (as stroke_width measures). */
#define PASSED 1.55f /* a 28x28 frame with thinner strokes is not MNIST's */
#define THIN 1.95f
#define THIN_TARGET 2.3f
#define THICK 4.2f
#define THICK_TARGET 3.6f

#define FINE EASEL_FINE
#define CANVAS EASEL_SIDE
#define LONGEST 16384 /* of a cut's sides */

/* Unlike fminf and fmaxf these are one instruction each. */
static inline float lesser(float a, float b)
{
    return a < b ? a : b;
}

static inline float greater(float a, float b)
{
    return a > b ? a : b;
}

/* 128 times the root of the sum of squares, within 4 %. */
static inline int magnitude(int dx, int dy)
{
    dx = abs(dx);
    dy = abs(dy);
    return 123 * (dx > dy ? dx : dy) + 51 * (dx > dy ? dy : dx);
}

float stroke_width(const uint8_t *gray, int w, int h)
{
    static const uint8_t outside[LONGEST];
    int64_t ink = 0, variation = 0; /* a long may have but 32 bits */
    for (int y = 0; y < h; y++) {
        const uint8_t *row = gray + (long)y * w;
        const uint8_t *up = y > 0 ? row - w : outside, *down = y + 1 < h ? row + w : outside;
        int some = row[0], change = magnitude(w > 1 ? row[1] : 0, down[0] - up[0]);
        for (int x = 1; x < w - 1; x++) {
            some += row[x];
            change += magnitude(row[x + 1] - row[x - 1], down[x] - up[x]);
        }
        if (w > 1) {
            some += row[w - 1];
            change += magnitude(row[w - 2], down[w - 1] - up[w - 1]);
        }
        ink += some;
        variation += change;
    }
    /* The outermost edge, seen from just outside the picture. */
    for (int x = 0; x < w; x++)
        variation += 128 * (gray[x] + gray[(long)(h - 1) * w + x]);
    for (int y = 0; y < h; y++)
        variation += 128 * (gray[(long)y * w] + gray[(long)y * w + w - 1]);
    return variation > 0 ? (float)(4 * ink * 128) / (float)variation : 0;
}

/* Halve a picture, each pixel the darkest of four, so that a hairline stays. */
static void halve(uint8_t *cut, int *w, int *h)
{
    int nw = (*w + 1) / 2, nh = (*h + 1) / 2;
    for (int y = 0; y < nh; y++)
        for (int x = 0; x < nw; x++) {
            uint8_t top = 0;
            for (int j = 2 * y; j < 2 * y + 2 && j < *h; j++)
                for (int i = 2 * x; i < 2 * x + 2 && i < *w; i++) {
                    uint8_t v = cut[(long)j * *w + i];
                    top = top > v ? top : v;
                }
            cut[(long)y * nw + x] = top;
        }
    *w = nw;
    *h = nh;
}

/* Where output sample i of a line scaled by `scale` comes from: the stretch [from, to) of its n
 * input samples, one output or one input sample wide, whichever is wider. So it is the area's mean
 * when the line gets shorter, and linear interpolation when it gets longer. */
struct span {
    float from, to, width;
};

static struct span source_span(int i, int n, float scale)
{
    float centre = ((float)i + 0.5f) / scale, width = greater(1, 1 / scale);
    return (struct span){greater(0, centre - width / 2), lesser((float)n, centre + width / 2), width};
}

/* How much of sample k lies in s, as a part of its whole. */
static float share(struct span s, int k)
{
    return greater(0, lesser(s.to, (float)(k + 1)) - greater(s.from, (float)k)) / s.width;
}

/* Where the samples of a drawn row come from. */
struct columns {
    int first[CANVAS], last[CANVAS]; /* input samples, last beyond the end */
    float head[CANVAS], tail[CANVAS], middle; /* shares of the first, the last, those between */
};

static void plan_columns(int w, float scale, int tw, struct columns *c)
{
    c->middle = 1 / greater(1, 1 / scale);
    for (int x = 0; x < tw; x++) {
        struct span s = source_span(x, w, scale);
        c->first[x] = (int)s.from;
        c->last[x] = (int)lesser((float)w, ceilf(s.to));
        c->head[x] = share(s, c->first[x]);
        c->tail[x] = share(s, c->last[x] - 1);
    }
}

static void draw_row(const uint8_t *row, const struct columns *c, float *line, int tw)
{
    for (int x = 0; x < tw; x++) {
        int first = c->first[x], last = c->last[x] - 1, between = 0;
        for (int k = first + 1; k < last; k++)
            between += row[k];
        line[x] = row[first] * c->head[x] + (float)between * c->middle;
        line[x] += last > first ? row[last] * c->tail[x] : 0;
    }
}

/* The last two rows of the cut that were drawn: neighbouring rows of the canvas share them. */
struct drawn {
    int row[2]; /* of the cut, -1 at first */
    float line[2][CANVAS];
};

static const float *drawn_row(struct drawn *d, const uint8_t *cut, int w, int y,
                              const struct columns *c, int tw)
{
    if (d->row[y & 1] != y)
        draw_row(cut + (long)y * w, c, d->line[y & 1], tw);
    d->row[y & 1] = y;
    return d->line[y & 1];
}

/* Draw cut [h][w], scaled, into the middle of the canvas [CANVAS][CANVAS]. */
static void draw(const uint8_t *cut, int w, int h, float scale, uint8_t *canvas)
{
    struct drawn drawn = {.row = {-1, -1}};
    struct columns columns;
    int tw = min_int((int)ceilf((float)w * scale), CANVAS);
    int th = min_int((int)ceilf((float)h * scale), CANVAS);
    int left = (CANVAS - tw) / 2, top = (CANVAS - th) / 2;
    plan_columns(w, scale, tw, &columns);
    memset(canvas, 0, CANVAS * CANVAS);
    for (int t = 0; t < th; t++) {
        float sum[CANVAS] = {0};
        struct span s = source_span(t, h, scale);
        for (int y = (int)s.from; y < h && (float)y < s.to; y++) {
            const float *line = drawn_row(&drawn, cut, w, y, &columns, tw);
            float part = share(s, y);
            for (int x = 0; x < tw; x++)
                sum[x] += line[x] * part;
        }
        for (int x = 0; x < tw; x++)
            canvas[(top + t) * CANVAS + left + x] = (uint8_t)lesser(255, sum[x] + 0.5f);
    }
}

/* One step of widening (or thinning): each pixel the most (least) of its neighbours, four and
 * eight of them in turn, which makes octagons. */
static void step(uint8_t *canvas, uint8_t *old, bool widen, bool eight)
{
    memcpy(old, canvas, CANVAS * CANVAS);
    static const int by[8] = {-1, 1, -CANVAS, CANVAS, -CANVAS - 1, -CANVAS + 1, CANVAS - 1,
                              CANVAS + 1};
    for (int i = 0; i < (eight ? 8 : 4); i++) {
        int offset = by[i];
        for (int k = CANVAS + 1; k < CANVAS * (CANVAS - 1) - 1; k++) {
            uint8_t a = canvas[k], b = old[k + offset];
            if (widen)
                canvas[k] = a > b ? a : b;
            else
                canvas[k] = a < b ? a : b;
        }
    }
}

/* Thin by n steps, but keep what is too thin to survive that. */
static void thin(struct easel *e, int n)
{
    uint8_t *canvas = e->canvas, *before = e->before, *opened = e->opened;
    memcpy(before, canvas, CANVAS * CANVAS);
    for (int i = 0; i < n; i++)
        step(canvas, e->old, false, i & 1);
    memcpy(opened, canvas, CANVAS * CANVAS);
    for (int i = 0; i < n + 1; i++)
        step(opened, e->old, true, i & 1);
    for (int k = 0; k < CANVAS * CANVAS; k++)
        if (before[k] > opened[k] + 64 && before[k] > canvas[k])
            canvas[k] = before[k];
}

static struct box ink_box(const uint8_t *pixels, int side)
{
    struct box b = {side, side, 0, 0};
    uint8_t all[CANVAS] = {0}; /* what any row has */
    for (int y = 0; y < side; y++) {
        const uint8_t *row = pixels + y * side;
        uint8_t any = 0;
        for (int x = 0; x < side; x++) {
            any |= row[x];
            all[x] |= row[x];
        }
        b.y0 = any && y < b.y0 ? y : b.y0;
        b.y1 = any ? y + 1 : b.y1;
    }
    for (int x = 0; x < side; x++) {
        b.x0 = x < b.x0 && all[x] ? x : b.x0;
        b.x1 = all[x] ? x + 1 : b.x1;
    }
    return b;
}

static void centre_of_mass(const uint8_t *pixels, float *cx, float *cy)
{
    float sum = 0, sx = 0, sy = 0;
    for (int y = 0; y < DIGIT_SIDE; y++)
        for (int x = 0; x < DIGIT_SIDE; x++) {
            float v = pixels[y * DIGIT_SIDE + x];
            sum += v;
            sx += v * (float)x;
            sy += v * (float)y;
        }
    *cx = sum > 0 ? sx / sum : 0;
    *cy = sum > 0 ? sy / sum : 0;
}

/* The sums of the canvas's columns over FINE rows from cy on. */
static void sum_rows(const uint8_t *canvas, int cy, uint16_t *line)
{
    memset(line, 0, CANVAS * sizeof *line);
    for (int j = cy < 0 ? 0 : cy; j < cy + FINE && j < CANVAS; j++)
        for (int x = 0; x < CANVAS; x++)
            line[x] = (uint16_t)(line[x] + canvas[j * CANVAS + x]);
}

/* Average the canvas down from pixel (ox, oy) into [28][28] and stretch it to full black. */
static void shrink(const uint8_t *canvas, int ox, int oy, uint8_t *out)
{
    uint16_t line[CANVAS];
    int sums[DIGIT_PIXELS], most = 1;
    for (int y = 0; y < DIGIT_SIDE; y++) {
        sum_rows(canvas, y * FINE + oy, line);
        for (int x = 0; x < DIGIT_SIDE; x++) {
            int sum = 0;
            for (int cx = x * FINE + ox; cx < x * FINE + ox + FINE; cx++)
                sum += cx >= 0 && cx < CANVAS ? line[cx] : 0;
            sums[y * DIGIT_SIDE + x] = sum;
            most = most > sum ? most : sum;
        }
    }
    for (int k = 0; k < DIGIT_PIXELS; k++) {
        int v = sums[k] * 255 / most;
        out[k] = (uint8_t)(v < 6 ? 0 : v);
    }
}

static void shift(uint8_t *pixels, int dx, int dy)
{
    uint8_t old[DIGIT_PIXELS];
    memcpy(old, pixels, sizeof old);
    memset(pixels, 0, DIGIT_PIXELS);
    for (int y = 0; y < DIGIT_SIDE; y++)
        for (int x = 0; x < DIGIT_SIDE; x++)
            if (y - dy >= 0 && y - dy < DIGIT_SIDE && x - dx >= 0 && x - dx < DIGIT_SIDE)
                pixels[y * DIGIT_SIDE + x] = old[(y - dy) * DIGIT_SIDE + x - dx];
}

/* Draw the cut so that after widening by `steps` its box is DIGIT_BOX long. */
static struct box draw_widened(const uint8_t *cut, int w, int h, int steps, struct easel *e)
{
    int longer = max_int(w, h), want = DIGIT_BOX * FINE;
    float scale = (float)(want - 2 * steps) / (float)longer;
    struct box b = {0, 0, 0, 0};
    for (int i = 0; i < 3; i++) {
        draw(cut, w, h, scale, e->canvas);
        for (int k = 0; k < steps; k++)
            step(e->canvas, e->old, true, k & 1);
        if (steps < 0)
            thin(e, -steps);
        b = ink_box(e->canvas, CANVAS);
        int got = box_longer(b);
        if (got <= want && got > want - FINE)
            break;
        scale *= (float)want / (float)(got > 0 ? got : want);
    }
    return b;
}

/* The canvas pixel at which the 28x28 frame starts, so that ink from a to b (exclusive) is in its
 * middle and begins at a whole pixel. */
static int frame_start(int a, int b)
{
    return a - FINE * ((CANVAS - (b - a)) / (2 * FINE));
}

void normalise(struct easel *e, uint8_t *cut, int w, int h, uint8_t *out)
{
    float width = stroke_width(cut, w, h);
    int longer = max_int(w, h);
    while (longer > 8 * DIGIT_BOX && width * DIGIT_BOX < 0.6f * (float)longer) {
        halve(cut, &w, &h);
        longer = max_int(w, h);
        width = stroke_width(cut, w, h);
    }
    width *= DIGIT_BOX / (float)longer;
    float more = width < THIN ? THIN_TARGET - width : width > THICK ? THICK_TARGET - width : 0;
    struct box b = draw_widened(cut, w, h, (int)lrintf(more / 2 * FINE), e);
    shrink(e->canvas, frame_start(b.x0, b.x1), frame_start(b.y0, b.y1), out);
    float cx, cy;
    centre_of_mass(out, &cx, &cy);
    shift(out, (int)lrintf(DIGIT_SIDE / 2 - cx), (int)lrintf(DIGIT_SIDE / 2 - cy));
}

bool is_normalised(const uint8_t *pixels)
{
    struct box b = ink_box(pixels, DIGIT_SIDE);
    if (box_longer(b) != DIGIT_BOX && box_longer(b) != DIGIT_BOX - 1)
        return false;
    float cx, cy;
    centre_of_mass(pixels, &cx, &cy);
    if (fabsf(cx - DIGIT_SIDE / 2) > 0.51f || fabsf(cy - DIGIT_SIDE / 2) > 0.51f)
        return false;
    return stroke_width(pixels, DIGIT_SIDE, DIGIT_SIDE) >= PASSED;
}

void normalised_box(const uint8_t *pixels, int *x, int *y, int *w, int *h)
{
    struct box b = ink_box(pixels, DIGIT_SIDE);
    *x = b.x0;
    *y = b.y0;
    *w = box_width(b);
    *h = box_height(b);
}
