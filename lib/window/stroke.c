/* Pen strokes to ink.
 *   in   points of a pen, undo
 *   out  a raster of coverage, [SKETCH_RASTER][SKETCH_RASTER]; a frame of half its side
 * A stroke is inked as lines while it is drawn and again as a centripetal Catmull-Rom curve when it ends. */
#include "window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

#define RASTER_BYTES ((size_t)SKETCH_RASTER * SKETCH_RASTER)
#define SCALE ((double)SKETCH_RASTER / SKETCH_SIDE) /* Pixels of the raster a frame pixel, along a side. */
#define CURVE_STEP 3.0 /* Frame pixels between the points of a smoothed curve, about. */

struct point {
    float x, y;
};

struct window_sketch {
    double pen;
    bool down;
    struct point *points;
    size_t count, room;
    size_t *first; /* [strokes]: index of each stroke's first point */
    int strokes;
    size_t strokes_room;
    uint8_t ink[RASTER_BYTES];
    uint8_t before[RASTER_BYTES]; /* the raster as it was before the last stroke */
};

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

void stroke_segment(uint8_t *gray, int width, int height, double ax, double ay, double bx, double by, double radius)
{
    double reach = radius + 1;
    int x0 = (int)clamp(floor(fmin(ax, bx) - reach), 0, width);
    int x1 = (int)clamp(ceil(fmax(ax, bx) + reach), 0, width);
    int y0 = (int)clamp(floor(fmin(ay, by) - reach), 0, height);
    int y1 = (int)clamp(ceil(fmax(ay, by) + reach), 0, height);
    float dx = (float)(bx - ax), dy = (float)(by - ay);
    float length2 = dx * dx + dy * dy;
    float inverse = length2 > 0 ? 1 / length2 : 0;
    for (int y = y0; y < y1; y++) {
        uint8_t *row = gray + (size_t)y * width;
        float py = (float)(y + 0.5 - ay);
        for (int x = x0; x < x1; x++) {
            float px = (float)(x + 0.5 - ax);
            float t = (px * dx + py * dy) * inverse;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            float ex = px - t * dx, ey = py - t * dy;
            float cover = (float)radius + 0.5f - sqrtf(ex * ex + ey * ey);
            cover = cover < 0 ? 0 : cover > 1 ? 1 : cover;
            uint8_t v = (uint8_t)(cover * 255 + 0.5f);
            row[x] = row[x] > v ? row[x] : v;
        }
    }
}

struct window_sketch *sketch_new(double pen, struct err *e)
{
    struct window_sketch *s = zeroed(1, sizeof *s, e);
    if (s)
        s->pen = pen;
    return s;
}

void sketch_free(struct window_sketch *s)
{
    if (!s)
        return;
    free(s->points);
    free(s->first);
    free(s);
}

static int add_point(struct window_sketch *s, double x, double y, struct err *e)
{
    if (grow_to(&s->points, s->count + 1, &s->room, sizeof *s->points, e))
        return -1;
    s->points[s->count++] = (struct point){(float)clamp(x, -SKETCH_SIDE, 2 * SKETCH_SIDE),
                                           (float)clamp(y, -SKETCH_SIDE, 2 * SKETCH_SIDE)};
    return 0;
}

static void ink_line(struct window_sketch *s, struct point a, struct point b)
{
    stroke_segment(s->ink, SKETCH_RASTER, SKETCH_RASTER, a.x * SCALE, a.y * SCALE, b.x * SCALE,
                   b.y * SCALE, s->pen * SCALE / 2);
}

/* The point at u (0..1) of the Catmull-Rom curve from b to c, with a and d its neighbours, in the
 * centripetal parametrisation, which neither loops nor overshoots (Yuksel et al. 2011). */
static struct point catmull_rom(const struct point p[4], double u)
{
    double t[4] = {0, 0, 0, 0};
    for (int i = 1; i < 4; i++)
        t[i] = t[i - 1] + fmax(1e-3, sqrt(hypot(p[i].x - p[i - 1].x, p[i].y - p[i - 1].y)));
    double at = t[1] + u * (t[2] - t[1]), x[4], y[4];
    for (int i = 0; i < 4; i++) {
        x[i] = p[i].x;
        y[i] = p[i].y;
    }
    for (int level = 1; level < 4; level++) /* Barry and Goldman's pyramid */
        for (int i = 0; i < 4 - level; i++) {
            int low = level == 3 ? 1 : i, high = level == 3 ? 2 : i + level;
            double w = (at - t[low]) / (t[high] - t[low]);
            x[i] += w * (x[i + 1] - x[i]);
            y[i] += w * (y[i + 1] - y[i]);
        }
    return (struct point){(float)x[0], (float)y[0]};
}

/* Draw stroke i as a smooth curve. */
static void ink_stroke(struct window_sketch *s, int i)
{
    const struct point *p = s->points + s->first[i];
    long n = (long)((i + 1 < s->strokes ? s->first[i + 1] : s->count) - s->first[i]);
    if (n == 1)
        ink_line(s, p[0], p[0]);
    for (long k = 0; k + 1 < n; k++) {
        struct point q[4] = {p[k ? k - 1 : 0], p[k], p[k + 1], p[k + 2 < n ? k + 2 : n - 1]};
        int steps = (int)ceil(hypot(q[2].x - q[1].x, q[2].y - q[1].y) / CURVE_STEP);
        struct point from = q[1];
        for (int step = 1; step <= steps; step++) {
            struct point to = step == steps ? q[2] : catmull_rom(q, (double)step / steps);
            ink_line(s, from, to);
            from = to;
        }
    }
}

int sketch_down(struct window_sketch *s, double x, double y, struct err *e)
{
    sketch_up(s);
    if (s->strokes == SKETCH_MAX_STROKES)
        return err_set(e, "more than %d strokes", SKETCH_MAX_STROKES);
    if (grow_to(&s->first, (size_t)s->strokes + 1, &s->strokes_room, sizeof *s->first, e) || add_point(s, x, y, e) < 0)
        return -1;
    s->first[s->strokes++] = s->count - 1;
    s->down = true;
    memcpy(s->before, s->ink, RASTER_BYTES);
    ink_line(s, s->points[s->count - 1], s->points[s->count - 1]);
    return 0;
}

int sketch_move(struct window_sketch *s, double x, double y, struct err *e)
{
    if (!s->down)
        return 0;
    struct point last = s->points[s->count - 1];
    if (hypot(x - last.x, y - last.y) < 0.25)
        return 0;
    if (add_point(s, x, y, e) < 0)
        return -1;
    ink_line(s, last, s->points[s->count - 1]);
    return 0;
}

void sketch_up(struct window_sketch *s)
{
    if (!s->down)
        return;
    s->down = false;
    memcpy(s->ink, s->before, RASTER_BYTES);
    ink_stroke(s, s->strokes - 1);
}

bool sketch_is_down(const struct window_sketch *s)
{
    return s->down;
}

int sketch_strokes(const struct window_sketch *s)
{
    return s->strokes;
}

bool sketch_undo(struct window_sketch *s)
{
    if (s->strokes == 0)
        return false;
    s->count = s->first[--s->strokes];
    if (s->down) {
        memcpy(s->ink, s->before, RASTER_BYTES);
        s->down = false;
        return true;
    }
    memset(s->ink, 0, RASTER_BYTES);
    for (int i = 0; i < s->strokes; i++)
        ink_stroke(s, i);
    return true;
}

void sketch_clear(struct window_sketch *s)
{
    s->count = 0;
    s->strokes = 0;
    s->down = false;
    memset(s->ink, 0, RASTER_BYTES);
}

const uint8_t *sketch_ink(const struct window_sketch *s)
{
    return s->ink;
}

void sketch_frame(const struct window_sketch *s, uint8_t *gray)
{
    for (int y = 0; y < SKETCH_SIDE; y++) {
        const uint8_t *top = s->ink + (size_t)2 * y * SKETCH_RASTER, *low = top + SKETCH_RASTER;
        for (int x = 0; x < SKETCH_SIDE; x++)
            *gray++ = (uint8_t)((top[2 * x] + top[2 * x + 1] + low[2 * x] + low[2 * x + 1] + 2) / 4);
    }
}
