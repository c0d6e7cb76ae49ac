/* hands [-s seed] [-n count] [-x] SHAPES: write the digits of a file of skeletons (as
 * models/shapes.txt is) in many hands: count frames of SIDE x SIDE, ink white on black, each with
 * the label of its shape. Ten frames in a row, the digits in order, are one hand's: its slant,
 * proportion, roundness, unsteadiness and pen, and the forms it has chosen, are alike in them.
 * -x: what is no digit instead (label none). A frame depends on seed and number alone. */
#include "stream/stream.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE 112
#define TALL 80 /* pixels of the longer side of a writing */
#define MAX_SHAPES 512
#define MAX_POINTS 64
#define MAX_LINE 2048
#define STEPS 8 /* of a curve, from point to point */
#define MAX_TRACK (MAX_POINTS * STEPS)

struct point {
    double x, y;
    bool corner, lift; /* the curve turns sharply here; the pen goes up after it */
};

struct shape {
    int label; /* 10: none */
    double weight;
    int points;
    struct point from[MAX_POINTS], to[MAX_POINTS];
};

enum pen { ROUND, CHISEL, BRUSH, PENCIL, MARKER, PENS };

/* What is alike in all that one hand writes. */
struct hand {
    double slant, wide, turn, unsteady, soft;
    double head; /* under 1: what is above the middle is small, over 1: large */
    enum pen pen;
    double width;  /* of the pen, in pixels */
    double opaque; /* how much ink a stroke leaves, 0..1 */
    double dry;    /* how much of a brush's or pencil's stroke the paper shows through, 0..1 */
    double nib;    /* the chisel's angle */
    uint64_t forms;
};

static int parse_points(char *text, struct point *points)
{
    int n = 0;
    char *rest;
    for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        if (!strcmp(word, "/") && n) {
            points[n - 1].lift = true;
            continue;
        }
        struct point p = {0};
        char mark = 0;
        if (n == MAX_POINTS || sscanf(word, "%lf,%lf%c", &p.x, &p.y, &mark) < 2)
            return -1;
        p.corner = mark == '*';
        points[n++] = p;
    }
    if (n)
        points[n - 1].lift = true;
    return n;
}

/* Returns 1, 0 for a line without a shape, -1 for a bad one. */
static int parse_shape(char *line, struct shape *s)
{
    char label[16];
    int at = 0;
    if (line[0] == '#' || line[0] == '\n')
        return 0;
    *s = (struct shape){0};
    if (sscanf(line, "%15s %lf %n", label, &s->weight, &at) < 2)
        return -1;
    s->label = strcmp(label, "none") ? label[0] - '0' : 10;
    char *second = strchr(line + at, '|');
    if (second)
        *second++ = '\0';
    s->points = parse_points(line + at, s->from);
    memcpy(s->to, s->from, sizeof s->to);
    return s->points > 1 && (!second || parse_points(second, s->to) == s->points) ? 1 : -1;
}

static int read_shapes(const char *name, struct shape *shapes)
{
    FILE *file = fopen(name, "r");
    if (!file) {
        perror(name);
        exit(1);
    }
    char line[MAX_LINE];
    int n = 0, number = 0;
    while (n < MAX_SHAPES && fgets(line, sizeof line, file)) {
        int got = parse_shape(line, &shapes[n]);
        number++;
        if (got < 0) {
            fprintf(stderr, "hands: %s: line %d is no shape\n", name, number);
            exit(1);
        }
        n += got;
    }
    fclose(file);
    return n;
}

static double between(struct rng *r, double low, double high)
{
    return rng_range(r, low, high);
}

static struct hand draw_hand(uint64_t seed, uint64_t number)
{
    struct rng r = rng_seed(seed, rng_mix(number) | 1);
    struct hand h = {.slant = 0.12 + 0.17 * rng_normal(&r), .turn = 0.05 * rng_normal(&r)};
    h.wide = between(&r, 0.55, 1.05);
    h.unsteady = 0.6 + 3.2 * pow(rng_uniform(&r), 1.5);
    h.head = exp(between(&r, -0.22, 0.22));
    h.soft = rng_uniform(&r);
    h.pen = (enum pen)rng_below(&r, PENS);
    h.opaque = 1;
    h.nib = between(&r, 0.3, 1.2);
    static const double low[PENS] = {2.5, 4, 5, 2, 8}, high[PENS] = {8, 10, 15, 5, 17};
    h.width = between(&r, low[h.pen], high[h.pen]);
    if (h.pen == BRUSH || h.pen == PENCIL)
        h.dry = between(&r, 0, 0.8);
    if (h.pen != ROUND)
        h.opaque = between(&r, 0.6, 1);
    h.forms = rng_bits(&r);
    return h;
}

/* One of the shapes with that label, by weight. */
static const struct shape *choose(const struct shape *shapes, int n, int label, struct rng r)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += shapes[i].label == label ? shapes[i].weight : 0;
    double left = sum * rng_uniform(&r);
    const struct shape *chosen = NULL;
    for (int i = 0; i < n; i++) {
        if (shapes[i].label != label)
            continue;
        chosen = &shapes[i];
        left -= shapes[i].weight;
        if (left < 0)
            break;
    }
    if (!chosen) {
        fprintf(stderr, "hands: no shape for label %d\n", label);
        exit(1);
    }
    return chosen;
}

/* The shape's points as this hand sets them this time. */
static void write_points(const struct shape *s, const struct hand *h, struct rng *r,
                         struct point *p)
{
    double t = between(r, -0.25, 1.25), c, d, sway = 3 * h->unsteady * rng_normal(r);
    double phase = between(r, 0, 6.28), turn = h->turn + 0.05 * rng_normal(r);
    double slant = h->slant + 0.04 * rng_normal(r), wide = h->wide * between(r, 0.9, 1.1);
    for (int i = 0; i < s->points; i++) {
        p[i] = s->from[i];
        double x = s->from[i].x + t * (s->to[i].x - s->from[i].x);
        double y = s->from[i].y + t * (s->to[i].y - s->from[i].y);
        x += h->unsteady * rng_normal(r), y += h->unsteady * rng_normal(r);
        y = y > 0 && y < 100 ? 100 * pow(y / 100, h->head) : y;
        c = sin(y / 40 + phase), d = sin(x / 40 + phase * 2);
        x = (x - 50 + sway * c) * wide;
        y = y - 50 + sway * d / 2;
        x -= slant * y;
        p[i].x = cos(turn) * x - sin(turn) * y;
        p[i].y = sin(turn) * x + cos(turn) * y;
        p[i].corner &= rng_uniform(r) > 0.35 * h->soft;
    }
}

/* The curve through the points, a centripetal Catmull-Rom spline begun anew at each corner. */
static struct point curve(struct point a, struct point b, struct point c, struct point d, double t)
{
    double ab = sqrt(hypot(b.x - a.x, b.y - a.y)) + 1e-6;
    double bc = sqrt(hypot(c.x - b.x, c.y - b.y)) + 1e-6;
    double cd = sqrt(hypot(d.x - c.x, d.y - c.y)) + 1e-6;
    double mx = c.x - b.x + bc * ((b.x - a.x) / ab - (c.x - a.x) / (ab + bc));
    double my = c.y - b.y + bc * ((b.y - a.y) / ab - (c.y - a.y) / (ab + bc));
    double nx = c.x - b.x + bc * ((d.x - c.x) / cd - (d.x - b.x) / (bc + cd));
    double ny = c.y - b.y + bc * ((d.y - c.y) / cd - (d.y - b.y) / (bc + cd));
    double tt = t * t, ttt = tt * t;
    return (struct point){
        .x = (2 * ttt - 3 * tt + 1) * b.x + (ttt - 2 * tt + t) * mx + (3 * tt - 2 * ttt) * c.x +
             (ttt - tt) * nx,
        .y = (2 * ttt - 3 * tt + 1) * b.y + (ttt - 2 * tt + t) * my + (3 * tt - 2 * ttt) * c.y +
             (ttt - tt) * ny,
    };
}

static int trace(const struct point *p, int n, struct point *track)
{
    int m = 0;
    for (int i = 0; i + 1 < n; i++) {
        if (p[i].lift)
            continue;
        bool first = !i || p[i].corner || p[i - 1].lift;
        bool last = p[i + 1].corner || p[i + 1].lift;
        struct point a = first ? p[i] : p[i - 1], d = last ? p[i + 1] : p[i + 2];
        for (int k = 0; k < STEPS; k++)
            track[m++] = curve(a, p[i], p[i + 1], d, (double)k / (STEPS - 1));
        track[m - 1].lift = p[i + 1].lift;
    }
    return m;
}

/* The track scaled and shifted into the middle of the frame. */
static void fit(struct point *track, int n)
{
    double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
    for (int i = 0; i < n; i++) {
        left = fmin(left, track[i].x), right = fmax(right, track[i].x);
        top = fmin(top, track[i].y), bottom = fmax(bottom, track[i].y);
    }
    double scale = TALL / fmax(fmax(right - left, bottom - top), 1);
    for (int i = 0; i < n; i++) {
        track[i].x = (track[i].x - (left + right) / 2) * scale + SIDE / 2.0;
        track[i].y = (track[i].y - (top + bottom) / 2) * scale + SIDE / 2.0;
    }
}

/* Smooth noise of a grid of cells, -1..1. */
static double noise(uint64_t seed, double x, double y)
{
    double fx = floor(x), fy = floor(y), v[4];
    for (int i = 0; i < 4; i++) {
        uint64_t at = rng_mix((uint64_t)(int64_t)(fx + i % 2) * 0x9e3779b9u) +
                      (uint64_t)(int64_t)(fy + i / 2);
        struct rng r = rng_seed(seed, at);
        v[i] = rng_range(&r, -1, 1);
    }
    x -= fx, y -= fy;
    x = x * x * (3 - 2 * x), y = y * y * (3 - 2 * y);
    return (v[0] * (1 - x) + v[1] * x) * (1 - y) + (v[2] * (1 - x) + v[3] * x) * y;
}

/* The pen's mark at a pixel: how much of it is covered, and by which place in the stroke. */
struct mark {
    float cover, along, across;
};

static void mark_segment(struct mark *marks, struct point a, struct point b, double radius,
                         double along)
{
    double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy + 1e-9;
    int left = (int)fmax(0, fmin(a.x, b.x) - radius - 2);
    int right = (int)fmin(SIDE - 1, fmax(a.x, b.x) + radius + 2);
    int top = (int)fmax(0, fmin(a.y, b.y) - radius - 2);
    int bottom = (int)fmin(SIDE - 1, fmax(a.y, b.y) + radius + 2);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            double px = x + 0.5 - a.x, py = y + 0.5 - a.y;
            double t = fmax(0, fmin(1, (px * dx + py * dy) / length2));
            double off = hypot(px - t * dx, py - t * dy);
            float cover = (float)fmax(0, fmin(1, radius + 0.5 - off));
            struct mark *m = &marks[y * SIDE + x];
            if (cover <= m->cover)
                continue;
            double side = copysign(off / radius, px * dy - py * dx);
            *m = (struct mark){cover, (float)(along + t * sqrt(length2)), (float)side};
        }
}

static double pen_radius(const struct hand *h, struct point a, struct point b, double along,
                         uint64_t seed)
{
    double half = h->width / 2;
    if (h->pen == CHISEL)
        return half * (0.35 + 0.65 * fabs(sin(atan2(b.y - a.y, b.x - a.x) + h->nib)));
    double sway = h->pen == BRUSH ? 0.35 : 0.12;
    return fmax(0.8, half * (1 + sway * noise(seed, along / 25, 0)));
}

/* One stroke's ink onto the page: what lies under it darkens it. */
static void ink_stroke(const struct mark *marks, const struct hand *h, uint64_t seed, float *page)
{
    for (int i = 0; i < SIDE * SIDE; i++) {
        const struct mark *m = &marks[i];
        if (m->cover <= 0)
            continue;
        double left = h->opaque;
        if (h->dry > 0 && h->pen == BRUSH)
            left *= 1 - h->dry * fmax(0, noise(seed + 1, m->along / 30, m->across * 4) +
                                             0.4 * noise(seed + 2, m->along / 90, 9));
        else if (h->dry > 0)
            left *= 1 - h->dry * fabs(noise(seed + 1, i % SIDE / 1.7, i / SIDE / 1.7));
        page[i] = 1 - (1 - page[i]) * (1 - (float)fmax(0, left) * m->cover);
    }
}

static void write_track(const struct point *track, int n, const struct hand *h, uint64_t seed,
                        float *page)
{
    struct mark *marks = calloc(SIDE * SIDE, sizeof *marks);
    if (!marks)
        exit(1);
    double along = 0;
    for (int i = 0; i + 1 < n; i++) {
        if (!track[i].lift) {
            double radius = pen_radius(h, track[i], track[i + 1], along, seed);
            mark_segment(marks, track[i], track[i + 1], radius, along);
            along += hypot(track[i + 1].x - track[i].x, track[i + 1].y - track[i].y);
        }
        if (track[i].lift || i + 2 == n) {
            ink_stroke(marks, h, seed, page);
            memset(marks, 0, SIDE * SIDE * sizeof *marks);
        }
    }
    free(marks);
}

static void write_frame(const struct shape *shapes, int count, uint64_t seed, long number,
                        bool none, struct frame *f)
{
    struct hand h = draw_hand(seed, (uint64_t)number / 10);
    struct rng r = rng_seed(seed ^ 0x5eed, (uint64_t)number);
    int label = none ? 10 : (int)(number % 10);
    struct rng form = rng_seed(h.forms, (uint64_t)label);
    const struct shape *s = choose(shapes, count, label, none ? r : form);
    struct point p[MAX_POINTS], track[MAX_TRACK];
    write_points(s, &h, &r, p);
    int n = trace(p, s->points, track);
    fit(track, n);
    float page[SIDE * SIDE] = {0};
    write_track(track, n, &h, rng_bits(&r), page);
    for (int i = 0; i < SIDE * SIDE; i++)
        f->gray[i] = (uint8_t)lrintf(page[i] * 255);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    long frames = 10;
    bool none = false;
    for (int option; (option = getopt(argc, argv, "n:s:x")) != -1;)
        switch (option) {
        case 'n':
            frames = atol(optarg);
            break;
        case 's':
            seed = strtoull(optarg, NULL, 10);
            break;
        case 'x':
            none = true;
            break;
        default:
            return 2;
        }
    if (optind + 1 != argc) {
        fputs("usage: hands [-s seed] [-n count] [-x] shapes\n", stderr);
        return 2;
    }
    static struct shape shapes[MAX_SHAPES];
    int count = read_shapes(argv[optind], shapes);
    struct err e = ERR_NONE;
    struct frame f = {0};
    bool ok = frame_resize(&f, SIDE, SIDE, &e) == 0;
    for (long i = 0; ok && i < frames; i++) {
        char label[2] = {(char)('0' + i % 10)};
        write_frame(shapes, count, seed, i, none, &f);
        ok = !frame_set_fact(&f, "label", none ? "none" : label, &e) &&
             !frame_write(STDOUT_FILENO, &f, &e);
    }
    frame_free(&f);
    return ok ? 0 : 1;
}
