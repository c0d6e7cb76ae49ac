/* Finding corner marks. Input: a picture. Output: quadrilaterals that hold a mark's pattern.
 *
 * The picture is reduced to at most REDUCED pixels a side. What is darker than the mean around it is ink
 * (Bradley and Roth, 2007); of each connected component the four outermost points are its corners; its seven
 * by seven modules, looked up through the homography of the corners, must be those of a mark. The sides of one
 * that is accepted are then found in the picture as it is, to a fraction of a pixel. */
#include "form_marks.h"

#include <math.h>
#include <stdlib.h>

#include "base/grow.h"

#define REDUCED 2048
#define NEARBY 24          /* the mean is taken over a square of 2/24 of the longer side */
#define MIN_SIDE 9         /* reduced pixels: a module is then more than one */
#define MAX_SIDE 5         /* a mark's longer side is at most a fifth of the picture's */
#define INK 0.78           /* ink is darker than this part of the mean around it */
#define MODULES 7
#define MIN_GOOD 45        /* of the 49 modules are as they should be */
#define MIN_DIFFERENCE 24  /* gray levels between its black and its white */
#define PROBES 15          /* places on a side where its edge is looked for */
#define PROBE_STEPS 24     /* of a probe, from one module outside to one inside */

double picture_at(const struct picture *p, double x, double y)
{
    x = fmin(fmax(x - 0.5, 0), p->w - 1.001);
    y = fmin(fmax(y - 0.5, 0), p->h - 1.001);
    int ix = (int)x, iy = (int)y, right = ix + 1 < p->w, below = iy + 1 < p->h;
    double fx = x - ix, fy = y - iy;
    const uint8_t *a = p->gray + (long)iy * p->stride + ix, *b = a + (below ? p->stride : 0);
    return (a[0] + fx * (a[right] - a[0])) * (1 - fy) + (b[0] + fx * (b[right] - b[0])) * fy;
}

/* ---- ink in the reduced picture ---- */

static void add_row(const uint8_t *row, int w, int k, uint32_t *line)
{
    if (k == 2) /* the usual photo */
        for (int x = 0; x < w; x++)
            line[x] += (uint32_t)row[2 * x] + row[2 * x + 1];
    else
        for (int x = 0; x < w; x++)
            for (int i = 0; i < k; i++)
                line[x] += row[x * k + i];
}

static void reduce(const struct picture *p, int k, uint32_t *line, struct picture *small, uint8_t *to)
{
    uint32_t area = (uint32_t)(k * k);
    *small = (struct picture){to, p->w / k, p->w / k, p->h / k};
    for (int y = 0; y < small->h; y++) {
        for (int x = 0; x < small->w; x++)
            line[x] = 0;
        for (int i = 0; i < k; i++)
            add_row(p->gray + ((long)y * k + i) * p->stride, small->w, k, line);
        for (int x = 0; x < small->w; x++)
            *to++ = (uint8_t)(line[x] / area);
    }
}

/* sum [h + 1][w + 1]: of all pixels above and left. */
static void add_up(const struct picture *p, uint32_t *sum)
{
    long n = p->w + 1;
    for (long x = 0; x < n; x++)
        sum[x] = 0;
    for (int y = 0; y < p->h; y++) {
        const uint8_t *row = p->gray + y * p->stride;
        uint32_t *here = sum + (y + 1) * n, all = 0;
        here[0] = 0;
        for (int x = 0; x < p->w; x++)
            here[x + 1] = here[x + 1 - n] + (all += row[x]);
    }
}

static void mark_ink(const struct picture *p, const uint32_t *sum, uint8_t *mask)
{
    int reach = max_int(p->w, p->h) / NEARBY + 1;
    long n = p->w + 1;
    for (int y = 0; y < p->h; y++) {
        int y0 = max_int(y - reach, 0), y1 = min_int(y + reach + 1, p->h);
        const uint32_t *top = sum + y0 * n, *low = sum + y1 * n;
        const uint8_t *row = p->gray + y * p->stride;
        for (int x = 0; x < p->w; x++) {
            int x0 = max_int(x - reach, 0), x1 = min_int(x + reach + 1, p->w);
            uint32_t all = low[x1] - low[x0] - top[x1] + top[x0];
            float area = (float)((y1 - y0) * (x1 - x0));
            mask[(long)y * p->w + x] = (float)row[x] * area < (float)INK * (float)all;
        }
    }
}

/* ---- quadrilaterals ---- */

static double cross(struct point a, struct point b, struct point c)
{
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

/* A blob, whose points are the corners of its pixels. */
struct outline {
    const struct blobs *blobs;
    const struct blob *blob;
};

/* Of the blob's outline, the point that is farthest from `from` (to NULL), or from the line from-to on the
 * side `sign`. */
static struct point farthest(const struct outline *o, struct point from, const struct point *to, double sign)
{
    struct point best = from;
    double most = -1;
    for (int r = o->blob->first; r >= 0; r = o->blobs->run[r].next) {
        const struct stretch *s = &o->blobs->run[r];
        for (int i = 0; i < 4; i++) {
            struct point p = {i & 1 ? s->x1 : s->x0, i & 2 ? s->y + 1 : s->y};
            double away = to ? sign * cross(from, *to, p) : hypot(p.x - from.x, p.y - from.y);
            if (away > most) {
                most = away;
                best = p;
            }
        }
    }
    return best;
}

/* The corners of a blob, clockwise as the picture shows them (y grows downwards). */
static void find_corners(const struct outline *o, struct point corner[4])
{
    struct box b = o->blob->box;
    struct point middle = {(b.x0 + b.x1) / 2.0, (b.y0 + b.y1) / 2.0};
    corner[0] = farthest(o, middle, NULL, 0);
    corner[2] = farthest(o, corner[0], NULL, 0);
    corner[1] = farthest(o, corner[0], &corner[2], -1);
    corner[3] = farthest(o, corner[0], &corner[2], 1);
}

/* ---- the pattern ---- */

static const struct point unit[4] = {{0, 0}, {MODULES, 0}, {MODULES, MODULES}, {0, MODULES}};

/* 0 for the modules at the outside, 3 for the one in the middle. */
static int ring(int i)
{
    int x = i % MODULES, y = i / MODULES;
    return min_int(min_int(x, MODULES - 1 - x), min_int(y, MODULES - 1 - y));
}

static bool is_black(int ring, bool upper_left)
{
    return upper_left ? ring < 2 : ring != 1;
}

static bool matches(const double gray[MODULES * MODULES], bool upper_left)
{
    double black = 0, white = 0;
    int blacks = 0, good = 0;
    for (int i = 0; i < MODULES * MODULES; i++) {
        bool is = is_black(ring(i), upper_left);
        *(is ? &black : &white) += gray[i];
        blacks += is;
    }
    black /= blacks;
    white /= MODULES * MODULES - blacks;
    for (int i = 0; i < MODULES * MODULES; i++)
        good += (gray[i] < (black + white) / 2) == is_black(ring(i), upper_left);
    return white - black >= MIN_DIFFERENCE && good >= MIN_GOOD;
}

/* Is a mark's pattern within these corners? */
static bool is_mark(const struct picture *p, struct mark *m)
{
    double gray[MODULES * MODULES];
    struct plane plane;
    if (!plane_fit(unit, m->corner, 4, &plane))
        return false;
    for (int i = 0; i < MODULES * MODULES; i++) {
        struct point at = plane_map(&plane, i % MODULES + 0.5, i / MODULES + 0.5);
        gray[i] = picture_at(p, at.x, at.y);
    }
    m->middle = plane_map(&plane, MODULES / 2.0, MODULES / 2.0);
    m->side = sqrt(fabs(cross(m->corner[0], m->corner[1], m->corner[2])) / 2 +
                   fabs(cross(m->corner[0], m->corner[2], m->corner[3])) / 2);
    m->upper_left = matches(gray, true);
    return m->upper_left || matches(gray, false);
}

/* ---- corners to a fraction of a pixel ---- */

/* The line a x + b y = c, a^2 + b^2 = 1. */
struct line {
    double a, b, c;
};

/* The line with the least squared distances from n points. */
static struct line fit_line(const struct point *p, int n)
{
    double x = 0, y = 0, xx = 0, xy = 0, yy = 0;
    for (int i = 0; i < n; i++) {
        x += p[i].x / n;
        y += p[i].y / n;
    }
    for (int i = 0; i < n; i++) {
        xx += (p[i].x - x) * (p[i].x - x);
        xy += (p[i].x - x) * (p[i].y - y);
        yy += (p[i].y - y) * (p[i].y - y);
    }
    double along = atan2(2 * xy, xx - yy) / 2;
    struct line line = {-sin(along), cos(along), 0};
    line.c = line.a * x + line.b * y;
    return line;
}

/* Where gray crosses the middle between outside and inside on the way from `from` to `to`. */
static bool find_edge(const struct picture *p, struct point from, struct point to, struct point *edge)
{
    double gray[PROBE_STEPS + 1], least = 255, most = 0;
    for (int i = 0; i <= PROBE_STEPS; i++) {
        double t = (double)i / PROBE_STEPS;
        gray[i] = picture_at(p, from.x + t * (to.x - from.x), from.y + t * (to.y - from.y));
        least = fmin(least, gray[i]);
        most = fmax(most, gray[i]);
    }
    double middle = (least + most) / 2;
    for (int i = 0; i < PROBE_STEPS && most - least >= MIN_DIFFERENCE / 2; i++)
        if (gray[i] >= middle && gray[i + 1] < middle) {
            double t = (i + (gray[i] - middle) / (gray[i] - gray[i + 1])) / PROBE_STEPS;
            *edge = (struct point){from.x + t * (to.x - from.x), from.y + t * (to.y - from.y)};
            return true;
        }
    return false;
}

/* The side from corner i to the next: its edge at some places between, or the corners themselves. */
static struct line find_side(const struct picture *p, const struct mark *m, const struct plane *plane, int i)
{
    struct point found[PROBES];
    int n = 0;
    struct point a = unit[i], b = unit[(i + 1) % 4];
    double nx = (a.y - b.y) / MODULES, ny = (b.x - a.x) / MODULES; /* a module inwards */
    for (int k = 0; k < PROBES; k++) {
        double t = (k + 1.0) / (PROBES + 1), x = a.x + t * (b.x - a.x), y = a.y + t * (b.y - a.y);
        n += find_edge(p, plane_map(plane, x - nx, y - ny), plane_map(plane, x + nx * 0.7, y + ny * 0.7), &found[n]);
    }
    if (n < PROBES / 2) {
        found[0] = m->corner[i];
        found[1] = m->corner[(i + 1) % 4];
        n = 2;
    }
    struct line line = fit_line(found, n);
    int close = 0; /* dust and ends of pens move an edge: once more without what lies far from the line */
    for (int k = 0; k < n; k++)
        if (fabs(line.a * found[k].x + line.b * found[k].y - line.c) < fmax(m->side / MODULES * 0.15, 0.7))
            found[close++] = found[k];
    return close >= PROBES / 2 ? fit_line(found, close) : line;
}

static void refine(const struct picture *p, struct mark *m)
{
    struct plane plane;
    struct line side[4];
    if (!plane_fit(unit, m->corner, 4, &plane))
        return;
    for (int i = 0; i < 4; i++)
        side[i] = find_side(p, m, &plane, i);
    for (int i = 0; i < 4; i++) {
        const struct line *f = &side[(i + 3) % 4], *g = &side[i];
        double d = f->a * g->b - f->b * g->a;
        struct point at = {(f->c * g->b - f->b * g->c) / d, (f->a * g->c - f->c * g->a) / d};
        if (fabs(d) > 0.1 && hypot(at.x - m->corner[i].x, at.y - m->corner[i].y) < m->side / MODULES)
            m->corner[i] = at;
    }
    if (plane_fit(unit, m->corner, 4, &plane))
        m->middle = plane_map(&plane, MODULES / 2.0, MODULES / 2.0);
}

/* ---- all of them ---- */

static void keep(struct mark_finder *f, struct mark m)
{
    int smallest = 0;
    if (f->marks < MAX_MARKS) {
        f->mark[f->marks++] = m;
        return;
    }
    for (int i = 1; i < MAX_MARKS; i++)
        if (f->mark[i].side < f->mark[smallest].side)
            smallest = i;
    if (m.side > f->mark[smallest].side)
        f->mark[smallest] = m;
}

static bool may_be_mark(const struct blob *b, const struct picture *small)
{
    int w = box_width(b->box), h = box_height(b->box), most = max_int(small->w, small->h) / MAX_SIDE;
    return min_int(w, h) >= MIN_SIDE && max_int(w, h) <= most && max_int(w, h) <= 3 * min_int(w, h) &&
           6 * b->area >= (long)w * h;
}

static int reserve(struct mark_finder *f, int w, int h, struct err *e)
{
    size_t n = (size_t)w * (size_t)h, sums = ((size_t)w + 1) * ((size_t)h + 1);
    bool whole = !grow_to(&f->small, n, &f->small_room, 1, e) && !grow_to(&f->mask, n, &f->mask_room, 1, e) &&
                 !grow_to(&f->sum, sums, &f->sum_room, sizeof *f->sum, e) &&
                 !grow_to(&f->line, (size_t)w, &f->line_room, sizeof *f->line, e);
    return whole ? 0 : -1;
}

int marks_find(struct mark_finder *f, const struct picture *p, struct err *e)
{
    int k = (max_int(p->w, p->h) + REDUCED - 1) / REDUCED;
    struct picture small;
    f->marks = 0;
    if (p->w < k * MIN_SIDE || p->h < k * MIN_SIDE)
        return 0;
    if (reserve(f, p->w / k, p->h / k, e))
        return -1;
    reduce(p, k, f->line, &small, f->small);
    add_up(&small, f->sum);
    mark_ink(&small, f->sum, f->mask);
    if (blobs_find(&f->blobs, f->mask, small.w, small.h, e))
        return -1;
    for (int i = 0; i < f->blobs.blobs; i++) {
        struct mark m;
        if (!may_be_mark(&f->blobs.blob[i], &small))
            continue;
        find_corners(&(struct outline){&f->blobs, &f->blobs.blob[i]}, m.corner);
        if (!is_mark(&small, &m))
            continue;
        for (int c = 0; c < 4; c++)
            m.corner[c] = (struct point){m.corner[c].x * k, m.corner[c].y * k};
        m.side *= k;
        refine(p, &m);
        keep(f, m);
    }
    return 0;
}

void marks_free(struct mark_finder *f)
{
    blobs_free(&f->blobs);
    free(f->small);
    free(f->mask);
    free(f->sum);
    free(f->line);
    *f = (struct mark_finder){0};
}
