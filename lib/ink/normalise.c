/* Normalisation, the last step of a digit: its ink becomes a frame as MNIST's are.
 *
 * Input: gray ink [h][w]. Output: 28x28 pixels. The ink is drawn four times finer than it comes out, so that
 * its longer side is 20 pixels there; strokes far from MNIST's width are widened or thinned by grey-scale
 * morphology (Serra, 1982); the means of 4x4 pixels are stretched to full white, and the centre of mass comes
 * to the middle by a shift of whole pixels (as LeCun et al., 1998, made MNIST). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

/* Widths of strokes in pixels of the frame. Of MNIST's training digits 99.9 % are wider than 1.73, half are
 * between 2.3 and 3.0, 99 % are under 4.5 (as stroke_width measures).
 * A frame of 28x28 with thinner strokes than this is not MNIST's. */
#define MIN_PASSED 1.55f
/* Strokes thinner than this are widened */
#define MIN_WIDTH 1.95f
/* to this. */
#define WIDENED 2.3f
/* Strokes wider than this are thinned */
#define MAX_WIDTH 4.2f
/* to this. */
#define THINNED 3.6f

enum { FINE = EASEL_FINE, CANVAS = EASEL_SIDE };

struct box box_of(const uint8_t *p, int w, int h, int least)
{
    struct box box = BOX_NONE;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            if (p[y * w + x] >= least)
                box = box_join(box, box_at(x, y, 1, 1));
    return box;
}

/* ---- How wide strokes are ---- */

static int pixel(const uint8_t *gray, int w, int h, int x, int y)
{
    return x >= 0 && y >= 0 && x < w && y < h ? gray[y * w + x] : 0;
}

/* 128 times the root of the sum of squares, within 4 %. */
static int magnitude(int dx, int dy)
{
    int more = max_int(abs(dx), abs(dy)), less = min_int(abs(dx), abs(dy));
    return 123 * more + 51 * less;
}

float stroke_width(const uint8_t *gray, int w, int h)
{
    int64_t ink = 0, variation = 0;
    for (int y = -1; y <= h; y++)
        for (int x = -1; x <= w; x++) {
            ink += pixel(gray, w, h, x, y);
            variation += magnitude(pixel(gray, w, h, x + 1, y) - pixel(gray, w, h, x - 1, y),
                                   pixel(gray, w, h, x, y + 1) - pixel(gray, w, h, x, y - 1));
        }
    return variation > 0 ? (float)(4 * ink * 128) / (float)variation : 0;
}

/* ---- Drawing ---- */

/* Up to where a line of samples is summed: `at` of them and a part of the next. */
struct place {
    int at;
    float part;
};

/* What the samples of a scaled line are means of: from..to of the line, each `width` long. */
struct scaled {
    struct place from[CANVAS], to[CANVAS];
    float width;
};

static struct place place_of(float to, int n)
{
    to = fmaxf(0, fminf(to, (float)n));
    int at = min_int((int)to, n - 1);
    return (struct place){at, to - (float)at};
}

/* Scale a line of n samples to one of `count`, each between two of the former when the line gets longer. */
static void scale_line(struct scaled *s, int n, float scale, int count)
{
    s->width = fmaxf(1, 1 / scale);
    for (int i = 0; i < count; i++) {
        float middle = ((float)i + 0.5f) / scale;
        s->from[i] = place_of(middle - s->width / 2, n);
        s->to[i] = place_of(middle + s->width / 2, n);
    }
}

/* The integral of samples, whose running sums these are, up to a place. */
static float integral(const float *sum, struct place to)
{
    return sum[to.at] + to.part * (sum[to.at + 1] - sum[to.at]);
}

static float sample(const float *sum, const struct scaled *s, int i)
{
    return (integral(sum, s->to[i]) - integral(sum, s->from[i])) / s->width;
}

/* Draw the cut [h][w], scaled, into the middle of the canvas. */
static void draw(struct easel *e, const uint8_t *cut, int w, int h, float scale)
{
    float sum[EASEL_CUT + 1] = {0};
    int tw = min_int((int)ceilf((float)w * scale), CANVAS), th = min_int((int)ceilf((float)h * scale), CANVAS);
    uint8_t *out = e->canvas + (CANVAS - th) / 2 * CANVAS + (CANVAS - tw) / 2;
    struct scaled line;
    memset(e->canvas, 0, sizeof e->canvas);
    scale_line(&line, w, scale, tw);
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++)
            sum[x + 1] = sum[x] + cut[y * w + x];
        for (int x = 0; x < tw; x++)
            e->row[y][x] = sample(sum, &line, x);
    }
    scale_line(&line, h, scale, th);
    for (int x = 0; x < tw; x++) {
        for (int y = 0; y < h; y++)
            sum[y + 1] = sum[y] + e->row[y][x];
        for (int y = 0; y < th; y++)
            out[y * CANVAS + x] = (uint8_t)fmaxf(0, fminf(255, sample(sum, &line, y) + 0.5f));
    }
}

/* One step of widening (or thinning): each pixel the most (least) of its neighbours, four and eight of them in
 * turn, which makes octagons. */
static void step(uint8_t *canvas, uint8_t *old, bool widen, bool eight)
{
    static const int by[8] = {-1, 1, -CANVAS, CANVAS, -CANVAS - 1, -CANVAS + 1, CANVAS - 1, CANVAS + 1};
    memcpy(old, canvas, CANVAS * CANVAS);
    for (int i = 0; i < (eight ? 8 : 4); i++) {
        const uint8_t *other = old + by[i];
        for (int k = CANVAS + 1; k < CANVAS * (CANVAS - 1) - 1; k++)
            if (widen)
                canvas[k] = canvas[k] > other[k] ? canvas[k] : other[k];
            else
                canvas[k] = canvas[k] < other[k] ? canvas[k] : other[k];
    }
}

/* Thin by n steps, but keep what is too thin to survive that. */
static void thin(struct easel *e, int n)
{
    uint8_t *canvas = e->canvas, *before = e->before, *opened = e->opened;
    memcpy(before, canvas, sizeof e->canvas);
    for (int i = 0; i < n; i++)
        step(canvas, e->old, false, i & 1);
    memcpy(opened, canvas, sizeof e->canvas);
    for (int i = 0; i < n + 1; i++)
        step(opened, e->old, true, i & 1);
    for (int k = 0; k < CANVAS * CANVAS; k++)
        if (before[k] > opened[k] + 64 && before[k] > canvas[k])
            canvas[k] = before[k];
}

/* Draw the cut so that after widening by `steps` its box, which is returned, is DIGIT_BOX long. */
static struct box draw_widened(struct easel *e, const uint8_t *cut, int w, int h, int steps)
{
    int want = DIGIT_BOX * FINE;
    float scale = (float)(want - 2 * steps) / (float)max_int(w, h);
    struct box b = {0, 0, 0, 0};
    for (int i = 0; i < 3; i++) {
        draw(e, cut, w, h, scale);
        for (int k = 0; k < steps; k++)
            step(e->canvas, e->old, true, k & 1);
        if (steps < 0)
            thin(e, -steps);
        b = box_of(e->canvas, CANVAS, CANVAS, 1);
        int got = box_empty(b) ? want : box_longer(b);
        if (got <= want && got > want - FINE)
            break;
        scale *= (float)want / (float)got;
    }
    return box_empty(b) ? (struct box){0, 0, 0, 0} : b;
}

/* ---- The frame ---- */

/* The canvas pixel at which the frame starts, so that ink from a to b (exclusive) is in its middle and begins
 * at a whole pixel. */
static int frame_start(int a, int b)
{
    return a - FINE * ((CANVAS - (b - a)) / (2 * FINE));
}

/* Average the canvas down from pixel (ox, oy) into [28][28] and stretch it to full white. */
static void shrink(const uint8_t *canvas, int ox, int oy, uint8_t *out)
{
    int sums[DIGIT_PIXELS] = {0}, most = 1;
    for (int y = 0; y < CANVAS; y++)
        for (int x = 0; x < CANVAS; x++)
            sums[y / FINE * DIGIT_SIDE + x / FINE] += pixel(canvas, CANVAS, CANVAS, x + ox, y + oy);
    for (int k = 0; k < DIGIT_PIXELS; k++)
        most = max_int(most, sums[k]);
    for (int k = 0; k < DIGIT_PIXELS; k++) {
        int v = sums[k] * 255 / most;
        out[k] = (uint8_t)(v < 6 ? 0 : v);
    }
}

/* How far the centre of mass lies from the middle of the frame. */
static void off_centre(const uint8_t *pixels, float *dx, float *dy)
{
    float sum = 0, sx = 0, sy = 0;
    for (int k = 0; k < DIGIT_PIXELS; k++) {
        sum += pixels[k];
        sx += (float)(pixels[k] * (k % DIGIT_SIDE));
        sy += (float)(pixels[k] * (k / DIGIT_SIDE));
    }
    *dx = (sum > 0 ? sx / sum : 0) - DIGIT_SIDE / 2;
    *dy = (sum > 0 ? sy / sum : 0) - DIGIT_SIDE / 2;
}

static void shift(uint8_t *pixels, int dx, int dy)
{
    uint8_t old[DIGIT_PIXELS];
    memcpy(old, pixels, sizeof old);
    for (int y = 0; y < DIGIT_SIDE; y++)
        for (int x = 0; x < DIGIT_SIDE; x++)
            pixels[y * DIGIT_SIDE + x] = (uint8_t)pixel(old, DIGIT_SIDE, DIGIT_SIDE, x - dx, y - dy);
}

void normalise(struct easel *e, uint8_t *cut, int w, int h, uint8_t *out)
{
    int k = (max_int(w, h) + EASEL_CUT - 1) / EASEL_CUT;
    if (k > 1) { /* what is written has been read */
        reduce(&(struct source){cut, w, w, h}, (struct box){0, 0, w, h}, k, cut);
        w = (w + k - 1) / k;
        h = (h + k - 1) / k;
    }
    float width = stroke_width(cut, w, h) * DIGIT_BOX / (float)max_int(w, h), dx, dy;
    float more = width < MIN_WIDTH ? WIDENED - width : width > MAX_WIDTH ? THINNED - width : 0;
    struct box b = draw_widened(e, cut, w, h, (int)lrintf(more / 2 * FINE));
    shrink(e->canvas, frame_start(b.x0, b.x1), frame_start(b.y0, b.y1), out);
    off_centre(out, &dx, &dy);
    shift(out, -(int)lrintf(dx), -(int)lrintf(dy));
}

bool is_normalised(const uint8_t *pixels, struct box *box)
{
    float dx, dy;
    *box = box_of(pixels, DIGIT_SIDE, DIGIT_SIDE, 1);
    off_centre(pixels, &dx, &dy);
    return !box_empty(*box) && (box_longer(*box) == DIGIT_BOX || box_longer(*box) == DIGIT_BOX - 1) &&
           fabsf(dx) <= 0.51f && fabsf(dy) <= 0.51f && stroke_width(pixels, DIGIT_SIDE, DIGIT_SIDE) >= MIN_PASSED;
}
