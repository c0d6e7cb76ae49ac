/* Ink on a scene's page (scene.h). All is drawn through the view: a line remains one, a glyph is
 * turned and stretched as the page is at its place. */
#include "scene.h"

#include <math.h>

double range(struct scene *s, double low, double high)
{
    return rng_range(&s->r, low, high);
}

double log_range(struct scene *s, double low, double high)
{
    return low * exp(rng_range(&s->r, 0, log(high / low)));
}

double normal(struct scene *s, double deviation)
{
    return deviation * rng_normal(&s->r);
}

bool chance(struct scene *s, double probability)
{
    return rng_uniform(&s->r) < probability;
}

int below(struct scene *s, int n)
{
    return (int)rng_below(&s->r, (uint32_t)n);
}

struct point seen(const struct scene *s, double x, double y)
{
    const double *v = s->view;
    double far = v[6] * x + v[7] * y + v[8];
    far = far > 0.2 ? far : 0.2;
    return (struct point){(v[0] * x + v[1] * y + v[2]) / far, (v[3] * x + v[4] * y + v[5]) / far};
}

static void add_box(struct scene *s, struct box b)
{
    if (s->n < MAX_BOXES && b.x1 > b.x0 && b.y1 > b.y0)
        s->boxes[s->n++] = b;
}

/* The class under which a box of that size is told, -1 when not at all. `cut`: how much of the ink
 * lies beyond the picture, 0..1. */
static int class_of(int class, int longest, double cut)
{
    bool fits = longest >= MIN_TALL && longest <= MAX_TALL;
    if (class >= OTHER)
        return fits && cut < 0.3 ? class : -1;
    if (longest < MIN_NEAR || longest > MAX_NEAR)
        return -1;
    return fits && cut < 0.06 ? class : ANY;
}

/* What takes the picture to the glyph's points, and the size of one there. */
struct placing {
    double a, b, c, d; /* from a difference in the picture to one of points */
    struct point middle;
    double scale; /* pixels a point */
};

static struct placing place(struct scene *s, const struct glyph *g, struct point at, double h)
{
    double gw = g->w - 2 * GLYPH_MARGIN, gh = g->h - 2 * GLYPH_MARGIN;
    double scale = gh >= 0.4 * gw ? h / gh : h / (0.8 * gw);
    double angle = s->slope + normal(s, 0.06 * s->unsteady),
           lean = s->lean + normal(s, 0.08 * s->unsteady);
    double wide = s->wide * range(s, 0.9, 1.1), co = cos(angle), si = sin(angle);
    struct point o = seen(s, at.x, at.y), px = seen(s, at.x + 1, at.y),
                 py = seen(s, at.x, at.y + 1);
    /* page difference = scale (turn) (slant) (points) */
    double m00 = scale * wide * co, m01 = scale * (-si - lean * co);
    double m10 = scale * wide * si, m11 = scale * (co - lean * si);
    double j00 = px.x - o.x, j01 = py.x - o.x, j10 = px.y - o.y, j11 = py.y - o.y;
    double t00 = j00 * m00 + j01 * m10, t01 = j00 * m01 + j01 * m11;
    double t10 = j10 * m00 + j11 * m10, t11 = j10 * m01 + j11 * m11;
    double det = t00 * t11 - t01 * t10;
    det = fabs(det) < 1e-6 ? 1e-6 : det;
    return (struct placing){t11 / det, -t01 / det, -t10 / det, t00 / det, o, sqrt(fabs(det))};
}

/* How much wider than it is the stroke becomes on each side, in points, so that it is the scene's
 * pen. */
static double pen_change(const struct scene *s, const struct glyph *g, double h)
{
    double gh = g->h - 2 * GLYPH_MARGIN, wanted = 0.5 * s->pen * gh;
    if (s->pen <= 0)
        return 0;
    wanted = fmax(wanted, 0.3 * gh / h);  /* no pen is thinner than 0.6 pixels */
    wanted = fmax(wanted, 0.4 * g->half); /* what is thinner falls into pieces */
    return fmin(wanted - g->half, GLYPH_MARGIN - 3);
}

/* How much of a pixel is covered: depth in pixels, half the stroke's width there. */
static float cover(double depth, double half)
{
    double in = depth + 0.5, thin = 2 * half > 1 ? 1 : 2 * half < 0.15 ? 0.15 : 2 * half;
    return (float)(in <= 0 ? 0 : in >= 1 ? thin : in * thin);
}

void draw_glyph(struct scene *s, float *layer, const struct glyph *g, struct point at, double h,
                double gain, int class)
{
    struct placing p = place(s, g, at, h);
    double change = pen_change(s, g, h), half = (g->half + change) * p.scale;
    double reach = 0.5 * hypot(g->w, g->h) * p.scale * 1.3 + 2, all = 0, within = 0;
    struct box b = {SIDE, SIDE, 0, 0, class};
    if (p.middle.x < -reach || p.middle.y < -reach || p.middle.x > SIDE + reach ||
        p.middle.y > SIDE + reach)
        return;
    for (int y = (int)(p.middle.y - reach); y <= (int)(p.middle.y + reach); y++)
        for (int x = (int)(p.middle.x - reach); x <= (int)(p.middle.x + reach); x++) {
            double dx = x + 0.5 - p.middle.x, dy = y + 0.5 - p.middle.y;
            double gx = p.a * dx + p.b * dy + 0.5 * g->w - 0.5,
                   gy = p.c * dx + p.d * dy + 0.5 * g->h - 0.5;
            if (gx < -1 || gy < -1 || gx > g->w || gy > g->h)
                continue;
            float ink = cover((glyph_depth(g, (float)gx, (float)gy) + change) * p.scale, half);
            all += ink;
            if (ink <= 0 || x < 0 || y < 0 || x >= SIDE || y >= SIDE)
                continue;
            within += ink;
            float *to = &layer[y * SIDE + x];
            *to = ink * (float)gain > *to ? ink * (float)gain : *to;
            if (ink < 0.3f * fminf(1, (float)(2 * half)))
                continue;
            b.x0 = x < b.x0 ? x : b.x0, b.x1 = x >= b.x1 ? x + 1 : b.x1;
            b.y0 = y < b.y0 ? y : b.y0, b.y1 = y + 1;
        }
    int longest = b.x1 - b.x0 > b.y1 - b.y0 ? b.x1 - b.x0 : b.y1 - b.y0;
    double cut = 1 - within / fmax(all, 1e-6);
    b.class = class < 0 ? -1 : class_of(class, cut > 0.06 ? (int)fmax(longest, h) : longest, cut);
    if (b.class >= 0)
        add_box(s, b);
}

/* A straight line of the picture with round ends. */
static void draw_segment(float *layer, struct point a, struct point b, double width, double gain)
{
    double dx = b.x - a.x, dy = b.y - a.y, length = hypot(dx, dy) + 1e-9, reach = width / 2 + 1;
    int top = (int)fmax(0, fmin(a.y, b.y) - reach),
        bottom = (int)fmin(SIDE - 1, fmax(a.y, b.y) + reach);
    double left = fmin(a.x, b.x) - reach, right = fmax(a.x, b.x) + reach, steep = fabs(dy) / length;
    float most = (float)fmin(1, width);
    for (int y = top; y <= bottom; y++) {
        double from = left, to = right;
        if (steep > 0.02) {
            double middle = a.x + (y + 0.5 - a.y) * dx / dy, half = reach / steep + 1;
            from = fmax(from, middle - half), to = fmin(to, middle + half);
        }
        for (int x = (int)fmax(0, from); x <= (int)fmin(SIDE - 1, to); x++) {
            double px = x + 0.5 - a.x, py = y + 0.5 - a.y;
            double t = (px * dx + py * dy) / (length * length);
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            double off2 = (px - t * dx) * (px - t * dx) + (py - t * dy) * (py - t * dy);
            if (off2 >= reach * reach)
                continue;
            float ink = most * clamp((float)(fmax(width, 1) / 2 + 0.5 - sqrt(off2))) * (float)gain;
            float *at = &layer[y * SIDE + x];
            *at = ink > *at ? ink : *at;
        }
    }
}

void draw_path(struct scene *s, float *layer, const struct point *p, int n, double width,
               double gain)
{
    for (int i = 0; i + 1 < n; i++)
        draw_segment(layer, seen(s, p[i].x, p[i].y), seen(s, p[i + 1].x, p[i + 1].y), width, gain);
}

void path_box(struct scene *s, const struct point *p, int n, double width, int class)
{
    double x0 = 1e9, y0 = 1e9, x1 = -1e9, y1 = -1e9, half = fmax(width, 1) / 2;
    for (int i = 0; i < n; i++) {
        struct point at = seen(s, p[i].x, p[i].y);
        x0 = fmin(x0, at.x - half), x1 = fmax(x1, at.x + half);
        y0 = fmin(y0, at.y - half), y1 = fmax(y1, at.y + half);
    }
    double area = (x1 - x0) * (y1 - y0), longest = fmax(x1 - x0, y1 - y0);
    struct box b = {(int)floor(fmax(0, x0) + 0.3), (int)floor(fmax(0, y0) + 0.3),
                    (int)ceil(fmin(SIDE, x1) - 0.3), (int)ceil(fmin(SIDE, y1) - 0.3), class};
    if (b.x1 <= b.x0 || b.y1 <= b.y0)
        return;
    double cut = 1 - fmin(1, (b.x1 - b.x0) * (b.y1 - b.y0) / area);
    if (class >= SIGN && class < OTHER) /* its size is that of the digits beside it */
        b.class = s->tall < MIN_TALL || longest > MAX_TALL ? -1 : cut < 0.3 ? class : ANY;
    else
        b.class = class_of(class, (int)longest, cut);
    if (b.class >= 0)
        add_box(s, b);
}

void draw_line(struct scene *s, float *layer, double x0, double y0, double x1, double y1,
               double width, double gain)
{
    double length = hypot(x1 - x0, y1 - y0), dx = (x1 - x0) / length, dy = (y1 - y0) / length;
    double step = s->dash > 0 ? s->dash : length;
    for (double at = 0; at < length; at += 2 * step) {
        double end = fmin(length, at + step);
        struct point p[2] = {{x0 + at * dx, y0 + at * dy}, {x0 + end * dx, y0 + end * dy}};
        draw_path(s, layer, p, 2, width, gain);
    }
}

void draw_rectangle(struct scene *s, float *layer, double x0, double y0, double x1, double y1,
                    double width, double gain)
{
    draw_line(s, layer, x0, y0, x1, y0, width, gain);
    draw_line(s, layer, x1, y0, x1, y1, width, gain);
    draw_line(s, layer, x1, y1, x0, y1, width, gain);
    draw_line(s, layer, x0, y1, x0, y0, width, gain);
}

void fill_polygon(float *layer, const struct point *p, int n, float value)
{
    for (int y = 0; y < SIDE; y++) {
        double cross[32];
        int m = 0;
        for (int i = 0; i < n && m < 32; i++) {
            struct point a = p[i], b = p[(i + 1) % n];
            double at = y + 0.5;
            if ((a.y <= at) != (b.y <= at))
                cross[m++] = a.x + (at - a.y) * (b.x - a.x) / (b.y - a.y);
        }
        for (int x = 0; x < SIDE; x++) {
            int left = 0;
            for (int i = 0; i < m; i++)
                left += cross[i] <= x + 0.5;
            if (left % 2)
                layer[y * SIDE + x] = value;
        }
    }
}
