/* paper [-s seed] [-n count] [-k kind] [-c condition] [FILE]: put the digits of a labelled stream
 * (white on black, as mnist2pgm and hands write them) on paper and photograph it.
 *   -k single   a digit a frame (the default), labelled as it was
 *   -k number   five digits in a row, their digits in the fact truth
 *   -k sheet    lines of numbers, truth with / between the lines
 *   -k part     half a digit, or two or three that touch: label none
 *   -k blank    paper without a digit: specks, edges, textures; label none, no digits read
 *   -k check    put nothing on paper: look at what preproc has made of such frames, and pass on
 *               those it cut out where the ink is; what it cut out elsewhere is labelled none
 *   -k numbers  the same for numbers and preproc -m: the digits of those of which it found as many
 *               as there are, labelled
 *   -c NAME     one of the conditions below; all: one after another; mix (the default): several at
 *               once, at random. The fact condition tells which.
 * The fact ink=x,y,w,h is the box of what was written, in the frame's pixels.
 * A frame depends on seed, number and the digits read alone. */
#include "photo.h"

#include "base/rng.h"
#include "stream/stream.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FINE 84   /* side of an MNIST digit made finer */
#define SMALL 32  /* digits up to this side are made finer */
#define GLYPH 112 /* largest side of a digit */
#define MOST 60   /* digits on a sheet */

enum {
    PLAIN,
    RULED,
    SQUARED,
    SHADOW,
    VIGNETTE,
    TILTED,
    PERSPECTIVE,
    JPEG,
    BLUR,
    NOISE,
    THIN,
    THICK,
    PENCIL,
    COLOUR,
    DARK,
    TOUCHING,
    CONDITIONS
};
static const struct condition {
    const char *name;
    double often; /* in a mix */
} conditions[CONDITIONS] = {
    {"plain", 0},      {"ruled", 0.12},  {"squared", 0.08},     {"shadow", 0.15},
    {"vignette", 0.2}, {"tilted", 0.25}, {"perspective", 0.15}, {"jpeg", 0.3},
    {"blur", 0.25},    {"noise", 0.15},  {"thin", 0.25},        {"thick", 0.15},
    {"pencil", 0.08},  {"colour", 0.2},  {"dark", 0.12},        {"touching", 0.15},
};
static const char *const kinds[] = {"single", "number", "sheet",  "part",
                                    "blank",  "check",  "numbers"};
enum kind { SINGLE, NUMBER, SHEET, PART, BLANK, CHECK, NUMBERS, KINDS };

struct glyph {
    int side, left, top, right, bottom; /* its ink's box, right and bottom beyond it */
    float ink[GLYPH][GLYPH];            /* 0..1 */
};

/* The page: ink on it, and what its paper and pen are like. */
struct page {
    int w, h;
    float *ink;
    double tall; /* pixels of a digit */
    double paper, pen, line, spacing, phase, stroke, margin;
    double turn_x, turn_y, lean_x, lean_y; /* of the camera above the page */
    double light_x, light_y, light_at, shade, edge, vignette;
    uint64_t seed;
    int box[4]; /* of the ink in the photograph: left, top, right, bottom, the last two beyond it */
    bool is[CONDITIONS];
};

static double cubic(const float p[4], double t)
{
    return p[1] + t *
                      (p[2] - p[0] +
                       t * (2 * p[0] - 5 * p[1] + 4 * p[2] - p[3] +
                            t * (3 * (p[1] - p[2]) + p[3] - p[0]))) /
                      2;
}

static float gray_at(const struct frame *f, int x, int y)
{
    bool outside = x < 0 || y < 0 || x >= f->width || y >= f->height;
    return outside ? 0 : f->gray[y * f->width + x] / 255.0f;
}

static void make_finer(const struct frame *f, struct glyph *g)
{
    g->side = FINE;
    for (int y = 0; y < FINE; y++)
        for (int x = 0; x < FINE; x++) {
            double sx = (x + 0.5) * f->width / FINE - 0.5, sy = (y + 0.5) * f->height / FINE - 0.5;
            float column[4], row[4];
            for (int j = 0; j < 4; j++) {
                for (int i = 0; i < 4; i++)
                    row[i] = gray_at(f, (int)floor(sx) + i - 1, (int)floor(sy) + j - 1);
                column[j] = (float)cubic(row, sx - floor(sx));
            }
            g->ink[y][x] = (float)cubic(column, sy - floor(sy));
        }
}

/* One of the two passes of thinning by Zhang and Suen (1984). */
static bool thin_once(uint8_t on[FINE][FINE], int pass)
{
    static const int dx[9] = {0, 1, 1, 1, 0, -1, -1, -1, 0};
    static const int dy[9] = {-1, -1, 0, 1, 1, 1, 0, -1, -1};
    static uint8_t gone[FINE][FINE];
    bool changed = false;
    memset(gone, 0, sizeof gone);
    for (int y = 1; y + 1 < FINE; y++)
        for (int x = 1; x + 1 < FINE; x++) {
            int p[9], around = 0, steps = 0;
            for (int k = 0; k < 9; k++)
                p[k] = on[y + dy[k]][x + dx[k]];
            for (int k = 0; k < 8; k++)
                around += p[k], steps += !p[k] && p[k + 1];
            bool edge = pass ? !(p[0] && p[2] && p[6]) && !(p[0] && p[4] && p[6])
                             : !(p[0] && p[2] && p[4]) && !(p[2] && p[4] && p[6]);
            gone[y][x] = on[y][x] && around >= 2 && around <= 6 && steps == 1 && edge;
            changed |= gone[y][x];
        }
    for (int y = 0; y < FINE; y++)
        for (int x = 0; x < FINE; x++)
            on[y][x] &= !gone[y][x];
    return changed;
}

/* The middle of the strokes drawn again with a pen of that radius. */
static void draw_thin(struct glyph *g, double radius)
{
    static uint8_t on[FINE][FINE];
    for (int y = 0; y < FINE; y++)
        for (int x = 0; x < FINE; x++)
            on[y][x] = g->ink[y][x] > 0.45f;
    for (bool changed = true; changed;) {
        changed = thin_once(on, 0);
        changed = thin_once(on, 1) || changed;
    }
    memset(g->ink, 0, sizeof g->ink);
    int reach = (int)radius + 1;
    for (int y = reach; y < FINE - reach; y++)
        for (int x = reach; x < FINE - reach; x++)
            for (int j = -reach; on[y][x] && j <= reach; j++)
                for (int i = -reach; i <= reach; i++)
                    g->ink[y + j][x + i] =
                        fmaxf(g->ink[y + j][x + i], clamp((float)(radius + 0.5 - hypot(i, j))));
}

static void box_of(struct glyph *g)
{
    g->left = g->top = g->side;
    g->right = g->bottom = 0;
    for (int y = 0; y < g->side; y++)
        for (int x = 0; x < g->side; x++) {
            if (g->ink[y][x] < 0.25f)
                continue;
            g->left = x < g->left ? x : g->left;
            g->right = x >= g->right ? x + 1 : g->right;
            g->top = y < g->top ? y : g->top;
            g->bottom = y + 1;
        }
    if (!g->right)
        g->left = g->top = 0, g->right = g->bottom = g->side;
}

static void make_glyph(const struct frame *f, const struct page *p, struct rng *r, struct glyph *g)
{
    memset(g, 0, sizeof *g);
    double level = p->is[THICK] ? 0.15 : rng_range(r, 0.3, 0.55);
    double steep = fmax(0.55 / level, rng_range(r, 1.2, 4));
    double radius = rng_range(r, 0.9, 2);
    if (f->width <= SMALL && f->height <= SMALL) {
        make_finer(f, g);
        if (p->is[THIN])
            draw_thin(g, radius);
        else
            for (int i = 0; i < GLYPH * GLYPH; i++)
                (&g->ink[0][0])[i] = clamp((float)(((&g->ink[0][0])[i] - level) * steep + 0.5));
    } else {
        g->side = f->width < f->height ? f->width : f->height;
        g->side = g->side < GLYPH ? g->side : GLYPH;
        for (int y = 0; y < g->side; y++)
            for (int x = 0; x < g->side; x++)
                g->ink[y][x] = gray_at(f, x, y);
    }
    box_of(g);
}

static float ink_at(const struct glyph *g, double x, double y)
{
    int ix = (int)floor(x), iy = (int)floor(y);
    if (ix < 0 || iy < 0 || ix + 1 >= g->side || iy + 1 >= g->side)
        return 0;
    float fx = (float)(x - ix), fy = (float)(y - iy);
    const float *a = &g->ink[iy][ix], *b = &g->ink[iy + 1][ix];
    return (a[0] + fx * (a[1] - a[0])) * (1 - fy) + (b[0] + fx * (b[1] - b[0])) * fy;
}

/* What makes the digit `tall` pixels tall, and no more than 1.6 times as wide. */
static double glyph_scale(const struct glyph *g, double tall)
{
    int w = g->right - g->left, h = g->bottom - g->top;
    return tall / (h * 1.6 > w ? h : w);
}

/* The digit's ink onto the page, the middle of its box at (cx, cy). */
static void place(struct page *p, const struct glyph *g, double cx, double cy, double tall,
                  double angle)
{
    double scale = glyph_scale(g, tall), reach = hypot(g->right - g->left, g->bottom - g->top);
    double mx = (g->left + g->right) / 2.0 - 0.5, my = (g->top + g->bottom) / 2.0 - 0.5;
    int half = (int)(reach * scale / 2) + 3;
    double c = cos(angle) / scale, s = sin(angle) / scale;
    for (int y = (int)cy - half; y <= (int)cy + half; y++)
        for (int x = (int)cx - half; x <= (int)cx + half; x++) {
            if (x < 0 || y < 0 || x >= p->w || y >= p->h)
                continue;
            double dx = x + 0.5 - cx, dy = y + 0.5 - cy;
            float ink = ink_at(g, mx + c * dx + s * dy, my - s * dx + c * dy);
            float *at = &p->ink[y * p->w + x];
            *at = 1 - (1 - *at) * (1 - clamp(ink));
        }
}

/* A page of w x h pixels for digits `tall` pixels tall, as its conditions have it. */
static void lay_page(struct page *p, struct rng *r, int w, int h, double tall)
{
    p->w = w, p->h = h, p->tall = tall;
    p->box[0] = w, p->box[1] = h, p->box[2] = p->box[3] = 0;
    p->ink = calloc((size_t)w * (size_t)h, sizeof *p->ink);
    if (!p->ink)
        exit(1);
    p->seed = rng_bits(r);
    p->paper = rng_range(r, 0.72, 0.98);
    p->pen = rng_range(r, 0.03, 0.3);
    if (p->is[COLOUR])
        p->pen = p->paper - rng_range(r, 0.3, 0.5);
    if (p->is[DARK])
        p->paper = rng_range(r, 0.05, 0.3), p->pen = rng_range(r, 0.7, 1);
    p->line = rng_range(r, 0.1, 0.35);
    p->stroke = fmax(0.7, tall * rng_range(r, 0.01, 0.035));
    p->spacing = tall * (p->is[SQUARED] ? rng_range(r, 0.4, 1.1) : rng_range(r, 1.1, 2.2));
    p->phase = rng_range(r, 0, p->spacing);
    p->margin = rng_uniform(r) < 0.2 ? rng_range(r, 0, w) : -1;
    double angle = rng_range(r, 0, 6.28318);
    p->light_x = cos(angle), p->light_y = sin(angle);
    p->light_at = rng_range(r, -0.3, 0.3) * fmax(w, h);
    p->shade = rng_range(r, 0.2, 0.5);
    p->edge = rng_range(r, 0.04, 0.4) * fmax(w, h);
    p->vignette = rng_range(r, 0.3, 0.65);
}

static void hold_camera(struct page *p, struct rng *r)
{
    double tilt = rng_range(r, 0.07, 0.25) * (rng_uniform(r) < 0.5 ? -1 : 1);
    double angle = p->is[TILTED] ? tilt : rng_range(r, -0.04, 0.04);
    p->turn_x = cos(angle), p->turn_y = sin(angle);
    if (p->is[PERSPECTIVE]) {
        p->lean_x = rng_range(r, -0.35, 0.35) / p->w;
        p->lean_y = rng_range(r, -0.35, 0.35) / p->h;
    }
}

static float page_ink(const struct page *p, double x, double y)
{
    int ix = (int)floor(x), iy = (int)floor(y);
    if (ix < 0 || iy < 0 || ix + 1 >= p->w || iy + 1 >= p->h)
        return 0;
    float fx = (float)(x - ix), fy = (float)(y - iy);
    const float *a = &p->ink[iy * p->w + ix], *b = a + p->w;
    return (a[0] + fx * (a[1] - a[0])) * (1 - fy) + (b[0] + fx * (b[1] - b[0])) * fy;
}

static double printed_line(const struct page *p, double at)
{
    double off = fabs(remainder(at - p->phase, p->spacing));
    return fmax(0, fmin(1, p->stroke / 2 + 0.5 - off));
}

/* What the page with so much ink looks like at a point of it, 0 black .. 1 white. */
static double page_light(const struct page *p, double x, double y, double ink)
{
    double light = p->paper + 0.02 * noise_at(p->seed + 1, x / 40, y / 40);
    double line = p->is[RULED] || p->is[SQUARED] ? printed_line(p, y) : 0;
    if (p->is[SQUARED])
        line = fmax(line, printed_line(p, x));
    else if (p->is[RULED] && p->margin > 0)
        line = fmax(line, fmax(0, fmin(1, p->stroke / 2 + 0.5 - fabs(x - p->margin))));
    double mark = p->is[DARK] ? light + line * p->line * 0.6 : light * (1 - line * p->line);
    if (p->is[PENCIL] && ink > 0)
        ink *= 0.62 + 0.3 * noise_at(p->seed + 2, x / 1.4, y / 1.4);
    return mark + ink * (p->pen - mark);
}

static double light_on(const struct page *p, double x, double y)
{
    double light = 1, dx = x - p->w / 2.0, dy = y - p->h / 2.0;
    if (p->is[SHADOW]) {
        double at = dx * p->light_x + dy * p->light_y - p->light_at;
        light *= 1 - p->shade / (1 + exp(-6 * at / p->edge));
    }
    if (p->is[VIGNETTE])
        light *= 1 - p->vignette * 4 * (dx * dx + dy * dy) / (p->w * p->w + p->h * p->h);
    return light;
}

static void note_ink(struct page *p, int x, int y)
{
    p->box[0] = x < p->box[0] ? x : p->box[0];
    p->box[1] = y < p->box[1] ? y : p->box[1];
    p->box[2] = x >= p->box[2] ? x + 1 : p->box[2];
    p->box[3] = y + 1;
}

static void photograph(struct page *p, struct rng *r, struct frame *f)
{
    struct err e = ERR_NONE;
    float *v = malloc((size_t)p->w * (size_t)p->h * sizeof *v);
    if (!v || frame_resize(f, p->w, p->h, &e) < 0)
        exit(1);
    for (int y = 0; y < p->h; y++)
        for (int x = 0; x < p->w; x++) {
            double dx = x - p->w / 2.0, dy = y - p->h / 2.0;
            double far = 1 + p->lean_x * dx + p->lean_y * dy;
            double px = (p->turn_x * dx - p->turn_y * dy) / far + p->w / 2.0;
            double py = (p->turn_y * dx + p->turn_x * dy) / far + p->h / 2.0;
            float ink = page_ink(p, px, py);
            v[y * p->w + x] = (float)(page_light(p, px, py, ink) * light_on(p, x, y));
            if (ink > 0.3f)
                note_ink(p, x, y);
        }
    double sigma = p->tall * (p->is[BLUR] ? rng_range(r, 0.015, 0.035) : rng_range(r, 0, 0.01));
    if (sigma > 0.25)
        blur(v, p->w, p->h, sigma);
    double grain = p->is[NOISE] ? rng_range(r, 0.03, 0.08) : rng_range(r, 0, 0.01);
    for (int i = 0; i < p->w * p->h; i++)
        v[i] += (float)(grain * bell(r));
    if (p->is[JPEG])
        jpeg(v, p->w, p->h, 40);
    for (int i = 0; i < p->w * p->h; i++)
        f->gray[i] = (uint8_t)lrintf(clamp(v[i]) * 255);
    free(v);
}

/* n digits in a row from x on, standing on y; returns where the row ends. */
static double place_row(struct page *p, const struct frame *digits, int n, double x, double y,
                        struct rng *r)
{
    double space = p->is[TOUCHING] ? -0.03 : rng_range(r, 0.1, 0.3);
    for (int i = 0; i < n; i++) {
        struct glyph g;
        make_glyph(&digits[i], p, r, &g);
        double tall = p->tall * rng_range(r, 0.92, 1.08);
        double wide = (g.right - g.left) * glyph_scale(&g, tall);
        double jump = p->tall * rng_range(r, -0.05, 0.05);
        place(p, &g, x + wide / 2, y - p->tall / 2 + jump, tall, rng_range(r, -0.05, 0.05));
        x += wide + p->tall * (space + rng_range(r, -0.04, 0.04) * !p->is[TOUCHING]);
    }
    return x;
}

struct job {
    enum kind kind;
    int condition; /* CONDITIONS: all, CONDITIONS + 1: mix */
    uint64_t seed;
    struct frame_reader *reader;
    struct frame digits[MOST];
    struct frame out;
};

static _Noreturn void fail(const struct err *e)
{
    char text[640];
    fprintf(stderr, "paper: %s\n", err_text(e, text, sizeof text));
    exit(1);
}

static bool next_digit(struct job *j, int i)
{
    struct err e = ERR_NONE;
    int got = frame_read(j->reader, &j->digits[i], &e);
    if (got < 0)
        fail(&e);
    return got;
}

static char digit_of(const struct job *j, int i)
{
    char label[LABEL_SIZE];
    bool digit = frame_label(&j->digits[i], label) > 0 && label[0] >= '0' && label[0] <= '9' && !label[1];
    return digit ? label[0] : '-';
}

static bool single(struct job *j, struct page *p, struct rng *r)
{
    if (!next_digit(j, 0))
        return false;
    double tall = 20 * exp(rng_range(r, 0, 1.5)), factor = rng_range(r, 1.4, 3);
    int w = (int)fmax(32, tall * factor), h = (int)fmax(32, w * rng_range(r, 0.8, 1.25));
    h = h < tall * 1.35 ? (int)(tall * 1.35) : h;
    lay_page(p, r, w, h, tall);
    struct glyph g;
    make_glyph(&j->digits[0], p, r, &g);
    double free_x = fmax(0, w - tall * 1.3), free_y = fmax(0, h - tall * 1.3);
    double cx = w / 2.0 + free_x * rng_range(r, -0.4, 0.4);
    double cy = h / 2.0 + free_y * rng_range(r, -0.4, 0.4);
    if (rng_uniform(r) < 0.5) /* writing stands on the lines */
        p->phase = cy + tall * rng_range(r, 0.45, 0.6);
    place(p, &g, cx, cy, tall, rng_range(r, -0.08, 0.08));
    return true;
}

static bool number(struct job *j, struct page *p, struct rng *r)
{
    struct err e = ERR_NONE;
    char truth[6] = "";
    for (int i = 0; i < 5; i++) {
        if (!next_digit(j, i))
            return false;
        truth[i] = digit_of(j, i);
    }
    double tall = rng_range(r, 32, 80);
    lay_page(p, r, (int)(tall * rng_range(r, 8, 9.5)), (int)(tall * rng_range(r, 2.2, 3.5)), tall);
    double x = tall * rng_range(r, 0.5, 1), y = p->h / 2.0 + tall * rng_range(r, 0.3, 0.7);
    p->phase = y + tall * rng_range(r, 0, 0.1);
    place_row(p, j->digits, 5, x, y, r);
    return !frame_set_fact(&j->out, "truth", truth, &e);
}

static bool sheet(struct job *j, struct page *p, struct rng *r)
{
    struct err e = ERR_NONE;
    char truth[2 * MOST] = "";
    int w = 700, h = 800, used = 0, n = 0;
    lay_page(p, r, w, h, rng_range(r, 34, 48));
    p->spacing = p->tall * (p->is[SQUARED] ? 0.8 : 2);
    for (double y = 3 * p->tall; y < h - 2.5 * p->tall && used + 15 < MOST; y += 2 * p->tall) {
        double x = 2 * p->tall;
        if (n)
            truth[n++] = '/';
        while (x < w - 8 * p->tall) {
            int digits = 2 + (int)rng_below(r, 4);
            for (int i = 0; i < digits; i++) {
                if (!next_digit(j, used + i))
                    return false;
                truth[n++] = digit_of(j, used + i);
            }
            x = place_row(p, &j->digits[used], digits, x, y, r) + 0.9 * p->tall;
            used += digits;
        }
        p->phase = y + 0.05 * p->tall;
    }
    return !frame_set_fact(&j->out, "truth", truth, &e);
}

/* Leave the left half of a digit; false when it could be taken for another. */
static bool halve(struct glyph *g, char digit, struct rng *r)
{
    if (!strchr("489", digit))
        return false;
    int middle = g->left + (int)((g->right - g->left) * rng_range(r, 0.4, 0.55));
    for (int y = 0; y < g->side; y++)
        for (int x = middle; x < g->side; x++)
            g->ink[y][x] = 0;
    box_of(g);
    return true;
}

static bool part(struct job *j, struct page *p, struct rng *r)
{
    double tall = 30 * exp(rng_range(r, 0, 1.2));
    int n = 1 + (rng_uniform(r) < 0.8) + (rng_uniform(r) < 0.3);
    lay_page(p, r, (int)(tall * (n + 0.8)), (int)(tall * rng_range(r, 1.5, 2)), tall);
    if (n > 1) {
        for (int i = 0; i < n; i++)
            if (!next_digit(j, i))
                return false;
        p->is[TOUCHING] = true;
        place_row(p, j->digits, n, tall * 0.5, p->h / 2.0 + tall / 2, r);
        return true;
    }
    struct glyph g;
    do {
        if (!next_digit(j, 0))
            return false;
        make_glyph(&j->digits[0], p, r, &g);
    } while (!halve(&g, digit_of(j, 0), r));
    place(p, &g, p->w / 2.0, p->h / 2.0, tall, rng_range(r, -0.1, 0.1));
    return true;
}

static void line(struct page *p, double cx, double cy, double angle, double length, double wide)
{
    double c = cos(angle), s = sin(angle);
    for (int y = 0; y < p->h; y++)
        for (int x = 0; x < p->w; x++) {
            double along = fabs((x - cx) * c + (y - cy) * s);
            double off = fabs((y - cy) * c - (x - cx) * s);
            float ink = clamp((float)fmin(wide / 2 + 0.5 - off, length / 2 + 0.5 - along));
            float *at = &p->ink[y * p->w + x];
            *at = fmaxf(*at, ink);
        }
}

static bool blank(struct page *p, struct rng *r)
{
    int w = 80 + (int)rng_below(r, 180), h = 80 + (int)rng_below(r, 180);
    lay_page(p, r, w, h, 60);
    double rough = rng_range(r, 4, 40), stretch = exp(rng_range(r, -2, 2));
    int what = (int)rng_below(r, 4), n = 4 + (int)rng_below(r, 7);
    for (int i = 0; what == 1 && i < n; i++) /* specks */
        line(p, rng_range(r, 0, w), rng_range(r, 0, h), rng_range(r, 0, 3), rng_range(r, 1, 4),
             rng_range(r, 1, 4));
    for (int i = 0; what == 2 && i < n; i++) /* edges, from side to side */
        line(p, rng_range(r, 0, w), rng_range(r, 0, h), rng_range(r, 0, 3.14), 1000,
             rng_range(r, 1, 12));
    for (int i = 0; what == 3 && i < w * h; i++) /* cloth, wood, leaves */
        p->ink[i] = clamp((float)(0.5 + noise_at(p->seed + 7, i % w / rough * stretch, i / w / rough) +
                                  0.5 * noise_at(p->seed + 8, i % w / 3.0, i / w / 3.0 * stretch)));
    return true;
}

static const char *draw_conditions(struct job *j, long i, struct page *p, struct rng *r)
{
    int one = j->condition < CONDITIONS ? j->condition : (int)(i % (j->kind == NUMBER ? 16 : 15));
    memset(p->is, 0, sizeof p->is);
    if (j->condition <= CONDITIONS) {
        p->is[one] = true;
        return conditions[one].name;
    }
    for (int c = 0; c < CONDITIONS; c++)
        p->is[c] = rng_uniform(r) < conditions[c].often;
    return "mix";
}

static bool make_page(struct job *j, struct page *p, struct rng *r)
{
    switch (j->kind) {
    case SINGLE:
        return single(j, p, r);
    case NUMBER:
        return number(j, p, r);
    case SHEET:
        return sheet(j, p, r);
    case PART:
        return part(j, p, r);
    default:
        return blank(p, r);
    }
}

/* Returns 1, 0 at the stream's end, -1 when writing failed. */
static int make_frame(struct job *j, long i)
{
    struct err e = ERR_NONE;
    struct page p = {0};
    struct rng r = rng_seed(j->seed, (uint64_t)i);
    const char *condition = draw_conditions(j, i, &p, &r);
    char label[16] = "none";
    bool made = make_page(j, &p, &r);
    if (made) {
        hold_camera(&p, &r);
        photograph(&p, &r, &j->out);
    }
    free(p.ink);
    if (!made)
        return 0;
    char ink[64], at[32];
    snprintf(at, sizeof at, "%ld", i);
    snprintf(ink, sizeof ink, "%d,%d,%d,%d", p.box[0], p.box[1], p.box[2] - p.box[0],
             p.box[3] - p.box[1]);
    bool inked = p.box[2] > 0 && j->kind != SHEET;
    bool labelled = j->kind != SINGLE || frame_fact(&j->digits[0], "label", label, sizeof label);
    if (j->kind == NUMBER || j->kind == SHEET)
        labelled = false;
    if (frame_set_fact(&j->out, "label", labelled ? label : NULL, &e) ||
        frame_set_fact(&j->out, "ink", inked ? ink : NULL, &e) ||
        frame_set_fact(&j->out, "frame", at, &e) ||
        frame_set_fact(&j->out, "condition", condition, &e))
        return -1;
    return frame_write(STDOUT_FILENO, &j->out, &e) ? -1 : 1;
}

/* How much of two boxes x,y,w,h together both cover, 0..1. */
static double overlap(const double a[4], const double b[4])
{
    double w = fmin(a[0] + a[2], b[0] + b[2]) - fmax(a[0], b[0]);
    double h = fmin(a[1] + a[3], b[1] + b[3]) - fmax(a[1], b[1]);
    double both = w > 0 && h > 0 ? w * h : 0;
    return both / (a[2] * a[3] + b[2] * b[3] - both + 1e-9);
}

static bool box_fact(const struct frame *f, const char *key, double box[4])
{
    char text[64];
    return frame_fact(f, key, text, sizeof text) &&
           sscanf(text, "%lf,%lf,%lf,%lf", &box[0], &box[1], &box[2], &box[3]) == 4;
}

/* The n digits of a number, labelled when all are there. Returns 0 or -1. */
static int check_number(struct job *j, int n)
{
    struct err e = ERR_NONE;
    char truth[16] = "";
    if (!n || !frame_fact(&j->digits[0], "truth", truth, sizeof truth) || (int)strlen(truth) != n)
        return 0;
    for (int i = 0; i < n; i++)
        if (frame_set_fact(&j->digits[i], "label", (char[2]){truth[i]}, &e) ||
            frame_write(STDOUT_FILENO, &j->digits[i], &e))
            return -1;
    return 0;
}

/* The frames of one number are one after another, with its place in the fact `frame`. */
static int check_numbers(struct job *j)
{
    char last[32] = "", at[32] = "";
    int n = 0;
    while (next_digit(j, n)) {
        frame_fact(&j->digits[n], "frame", at, sizeof at);
        if (strcmp(at, last)) {
            if (check_number(j, n))
                return -1;
            struct frame first = j->digits[0];
            j->digits[0] = j->digits[n];
            j->digits[n] = first;
            n = 0;
            memcpy(last, at, sizeof last);
        }
        n += n + 1 < MOST;
    }
    return check_number(j, n);
}

/* Returns 1, 0 at the stream's end, -1 when writing failed. */
static int check_frame(struct job *j)
{
    struct err e = ERR_NONE;
    struct frame *f = &j->digits[0];
    char label[16] = "";
    double ink[4], box[4];
    if (!next_digit(j, 0))
        return 0;
    if (!box_fact(f, "box", box))
        return 1;
    frame_fact(f, "label", label, sizeof label);
    double same = box_fact(f, "ink", ink) ? overlap(ink, box) : 1;
    bool none = !strcmp(label, "none");
    if (!none && same < 0.3 && box[2] > 0.5 * box[3]) { /* what is narrower looks like a 1 */
        if (frame_set_fact(f, "label", "none", &e))
            return -1;
        same = 1;
    }
    return same < (none ? 0.85 : 0.7) ? 1 : frame_write(STDOUT_FILENO, f, &e) ? -1 : 1;
}

static int usage(void)
{
    fputs("usage: paper [-s seed] [-n count] [-k kind] [-c condition] [file]\n"
          "kinds: single number sheet part blank check numbers\n"
          "conditions: mix all",
          stderr);
    for (int c = 0; c < CONDITIONS; c++)
        fprintf(stderr, " %s", conditions[c].name);
    fputc('\n', stderr);
    return 2;
}

static int find_condition(const char *name)
{
    for (int c = 0; c < CONDITIONS; c++)
        if (!strcmp(name, conditions[c].name))
            return c;
    return !strcmp(name, "all") ? CONDITIONS : !strcmp(name, "mix") ? CONDITIONS + 1 : -1;
}

static int find_kind(const char *name)
{
    for (int k = 0; k < KINDS; k++)
        if (!strcmp(name, kinds[k]))
            return k;
    return -1;
}

int main(int argc, char **argv)
{
    static struct job j = {.seed = 1, .condition = CONDITIONS + 1};
    long frames = -1;
    int kind = SINGLE;
    for (int option; (option = getopt(argc, argv, "c:k:n:s:")) != -1;)
        switch (option) {
        case 'c':
            j.condition = find_condition(optarg);
            break;
        case 'k':
            kind = find_kind(optarg);
            break;
        case 'n':
            frames = atol(optarg);
            break;
        case 's':
            j.seed = strtoull(optarg, NULL, 10);
            break;
        default:
            return usage();
        }
    if (j.condition < 0 || kind < 0 || (kind == BLANK && frames < 0) || argc > optind + 1)
        return usage();
    j.kind = (enum kind)kind;
    struct err e = ERR_NONE;
    j.reader = kind == BLANK ? NULL : frame_open(argv[optind], &e);
    if (kind != BLANK && !j.reader)
        fail(&e);
    int got = 1;
    for (long i = 0; got == 1 && i != frames; i++)
        got = kind == CHECK     ? check_frame(&j)
              : kind == NUMBERS ? check_numbers(&j)
                                : make_frame(&j, i);
    for (int i = 0; i < MOST; i++)
        frame_free(&j.digits[i]);
    frame_free(&j.out);
    frame_close(j.reader);
    return got < 0;
}
