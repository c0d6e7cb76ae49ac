/* What people write, and what is printed (scene.h). */
#include "scene.h"

#include <math.h>
#include <string.h>

static double jitter(struct scene *s, double v)
{
    return v + normal(s, 0.04);
}

static double stroke_width(const struct scene *s, double h)
{
    return fmax(0.6, (s->pen > 0 ? s->pen : 0.09) * h);
}

static void write_scribble(struct scene *s, double x, double y, double h);

/* Whether some of what is h tall at (x, y) may be seen. */
static bool in_sight(const struct scene *s, double x, double y, double h)
{
    struct point at = seen(s, x, y);
    return at.x > -2 * h && at.y > -2 * h && at.x < SIDE + 2 * h && at.y < SIDE + 2 * h;
}

static void join_boxes(struct box *a, const struct box *b)
{
    a->x0 = b->x0 < a->x0 ? b->x0 : a->x0, a->y0 = b->y0 < a->y0 ? b->y0 : a->y0;
    a->x1 = b->x1 > a->x1 ? b->x1 : a->x1, a->y1 = b->y1 > a->y1 ? b->y1 : a->y1;
}

/* Strike the last digit out, or through a nought, as some write it. Boxes from `first` on are it. */
static void strike(struct scene *s, int first, double x, double y, double h, bool slash)
{
    int class = slash ? s->boxes[first].class : OTHER;
    if (slash || chance(s, 0.4)) {
        double up = slash ? 0.5 : range(s, -0.3, 0.5), reach = slash ? 0.35 : range(s, 0.4, 0.7);
        struct point p[2] = {{x - reach * h, y + up * h}, {x + reach * h, y - up * h}};
        draw_path(s, s->ink, p, 2, stroke_width(s, h), 1);
        path_box(s, p, 2, stroke_width(s, h), OTHER);
    } else {
        write_scribble(s, x, y, h);
    }
    if (s->n > first + 1)
        join_boxes(&s->boxes[first], &s->boxes[s->n - 1]);
    if (s->n > first) {
        s->n = first + 1;
        s->boxes[first].class = s->boxes[first].class == ANY ? ANY : class;
    }
}

static void write_glyph(struct scene *s, const struct glyph *g, double x, double y, double h, double gain)
{
    int before = s->n;
    draw_glyph(s, s->ink, g, (struct point){x, y}, h, gain, g->label[0] - '0');
    bool slash = g->label[0] == '0' && chance(s, 0.03);
    if (s->n > before && (slash || chance(s, s->strike)))
        strike(s, before, x, y, h, slash);
}

void write_digit(struct scene *s, double x, double y, double h, double gain)
{
    char label[2] = {(char)('0' + below(s, 10))};
    if (chance(s, 0.04))
        label[0] = '1';
    if (!in_sight(s, x, y, h))
        return;
    const struct glyph *g = stock_draw(s->stock, label, &s->r);
    if (g)
        write_glyph(s, g, x, y, h, gain);
}

/* Strokes of a sign in a box of height 1 whose foot is at 0, y upwards; 9,9 lifts the pen. */
static const struct sign {
    char sign;
    double width; /* of its place, in heights */
    int class, n;
    struct point p[16];
} signs[] = {
    {'.', 0.25, SIGN, 2, {{0.1, 0.02}, {0.12, 0.03}}},
    {',', 0.25, SIGN, 3, {{0.14, 0.08}, {0.13, -0.04}, {0.05, -0.18}}},
    {'\'', 0.25, SIGN, 2, {{0.14, 1.05}, {0.08, 0.85}}},
    {'-', 0.55, SIGN, 2, {{0.1, 0.45}, {0.48, 0.47}}},
    {'/', 0.5, SIGN, 2, {{0.45, 1.12}, {0.02, -0.15}}},
    {':', 0.3, SIGN, 5, {{0.12, 0.12}, {0.13, 0.13}, {9, 9}, {0.12, 0.58}, {0.13, 0.59}}},
    {'+', 0.7, SIGN, 5, {{0.1, 0.45}, {0.62, 0.46}, {9, 9}, {0.36, 0.75}, {0.35, 0.16}}},
    {'=', 0.7, SIGN, 5, {{0.1, 0.58}, {0.6, 0.6}, {9, 9}, {0.1, 0.34}, {0.6, 0.35}}},
    {'x', 0.65, OTHER, 5, {{0.1, 0.7}, {0.55, 0.15}, {9, 9}, {0.55, 0.7}, {0.1, 0.14}}},
    {'d', 0.7, OTHER, 8, {{0.1, 0.45}, {0.6, 0.45}, {9, 9}, {0.35, 0.75}, {0.36, 0.74}, {9, 9}, {0.35, 0.16}, {0.36, 0.15}}},
    {'(', 0.4, OTHER, 5, {{0.35, 1.1}, {0.16, 0.85}, {0.08, 0.5}, {0.14, 0.12}, {0.34, -0.15}}},
    {')', 0.4, OTHER, 5, {{0.06, 1.1}, {0.25, 0.85}, {0.32, 0.5}, {0.26, 0.12}, {0.05, -0.15}}},
    {'[', 0.4, OTHER, 4, {{0.35, 1.1}, {0.1, 1.1}, {0.1, -0.12}, {0.35, -0.12}}},
    {']', 0.4, OTHER, 4, {{0.05, 1.1}, {0.3, 1.1}, {0.3, -0.12}, {0.05, -0.12}}},
    {'|', 0.3, OTHER, 2, {{0.15, 1.25}, {0.15, -0.3}}},
    {'%', 0.8, OTHER, 13, {{0.7, 1}, {0.1, 0}, {9, 9}, {0.1, 0.8}, {0.2, 0.98}, {0.3, 0.8}, {0.2, 0.65}, {0.1, 0.8}, {9, 9}, {0.5, 0.2}, {0.6, 0.36}, {0.7, 0.2}, {0.6, 0.03}}},
    {'v', 0.7, OTHER, 3, {{0.05, 0.45}, {0.25, 0.05}, {0.75, 1.05}}},
    {'#', 0.8, OTHER, 11, {{0.25, 1}, {0.2, 0}, {9, 9}, {0.55, 1}, {0.5, 0}, {9, 9}, {0.05, 0.65}, {0.7, 0.68}, {9, 9}, {0.05, 0.32}, {0.7, 0.35}}},
    {'~', 0.7, OTHER, 4, {{0.05, 0.4}, {0.22, 0.55}, {0.42, 0.4}, {0.6, 0.55}}},
    {'$', 0.6, OTHER, 11, {{0.5, 0.85}, {0.25, 0.95}, {0.1, 0.75}, {0.28, 0.52}, {0.48, 0.3}, {0.3, 0.05}, {0.05, 0.15}, {9, 9}, {0.3, 1.12}, {0.29, 0.5}, {0.28, -0.1}}},
};
#define SIGNS ((int)(sizeof signs / sizeof *signs))

static const struct sign *find_sign(char c)
{
    for (int i = 0; i < SIGNS; i++)
        if (signs[i].sign == c)
            return &signs[i];
    return NULL;
}

/* A sign with its left at x and its foot at y; small and large, bold and thin as hands make them. */
static void write_sign(struct scene *s, const struct sign *g, double x, double y, double h)
{
    struct point all[16], part[16];
    double size = range(s, 0.75, 1.2), width = stroke_width(s, h) * range(s, 0.8, 1.2);
    double rise = g->class == SIGN ? normal(s, 0.05) : 0;
    int n = 0, m = 0;
    if (strchr(".:d", g->sign))
        width *= range(s, 1, 1.8);
    for (int i = 0; i <= g->n; i++) {
        if (i == g->n || g->p[i].x > 8) {
            draw_path(s, s->ink, part, m, width, 1);
            m = 0;
            continue;
        }
        double gx = jitter(s, g->p[i].x) * size, gy = jitter(s, g->p[i].y) * (gx > 0 ? size : 1) + rise;
        gx = strchr(".:", g->sign) ? g->p[i].x + normal(s, 0.01) : gx;
        gy = strchr(".:", g->sign) ? g->p[i].y + rise : gy;
        struct point at = {x + h * (gx + s->lean * gy), y - h * gy};
        part[m++] = all[n++] = at;
    }
    path_box(s, all, n, width, g->class);
}

static double advance(const struct scene *s, char c)
{
    const struct sign *g = find_sign(c);
    return g ? g->width : c == ' ' ? 0.5 : c == '1' ? 0.35 : 0.6 * s->wide;
}

double number_width(const struct scene *s, const char *text, double gap)
{
    double w = 0;
    for (; *text; text++)
        w += s->tall * (advance(s, *text) + gap);
    return w;
}

static double write_one(struct scene *s, char c, double x, double y, double gap)
{
    char label[2] = {c};
    double h = s->tall * range(s, 1 - 0.12 * s->unsteady, 1 + 0.1 * s->unsteady);
    const struct glyph *g = c >= '0' && c <= '9' ? stock_draw(s->stock, label, &s->r) : NULL;
    if (!g) {
        const struct sign *sign = find_sign(c);
        if (sign)
            write_sign(s, sign, x, y, s->tall);
        return x + s->tall * (advance(s, c) + gap);
    }
    double gw = g->w - 2 * GLYPH_MARGIN, gh = g->h - 2 * GLYPH_MARGIN;
    double w = s->wide * gw * (gh >= 0.4 * gw ? h / gh : h / (0.8 * gw));
    double rise = normal(s, 0.05 * s->unsteady) * s->tall;
    write_glyph(s, g, x + w / 2, y - h / 2 + rise, h, 1);
    return x + w + s->tall * (gap + normal(s, 0.02));
}

double write_number(struct scene *s, const char *text, double x, double y, double gap)
{
    for (; *text; text++) {
        if (in_sight(s, x, y, s->tall))
            x = write_one(s, *text, x, y, gap);
        else
            x += s->tall * (advance(s, *text) + gap);
    }
    return x;
}

/* Catmull-Rom, uniform: m points of a curve from p[1] to p[2]. */
static void curve(const struct point p[4], int m, struct point *to)
{
    for (int i = 0; i < m; i++) {
        double t = (double)i / m, tt = t * t, ttt = tt * t;
        double a = -0.5 * t + tt - 0.5 * ttt, b = 1 - 2.5 * tt + 1.5 * ttt;
        double c = 0.5 * t + 2 * tt - 1.5 * ttt, d = -0.5 * tt + 0.5 * ttt;
        to[i].x = a * p[0].x + b * p[1].x + c * p[2].x + d * p[3].x;
        to[i].y = a * p[0].y + b * p[1].y + c * p[2].y + d * p[3].y;
    }
}

#define MAX_WORD 96 /* points of a word before it is made round */

/* Ink of the curve through n points; no longer than what is to be seen of it. */
static void draw_curve(struct scene *s, const struct point *p, int n, double width, int class)
{
    struct point round[MAX_WORD * 4 + 1];
    int m = 0;
    for (int i = 0; i + 1 < n; i++) {
        struct point four[4] = {p[i ? i - 1 : 0], p[i], p[i + 1], p[i + 2 < n ? i + 2 : i + 1]};
        curve(four, 4, round + m);
        m += 4;
    }
    round[m++] = p[n - 1];
    draw_path(s, s->ink, round, m, width, 1);
    if (class >= 0)
        path_box(s, round, m, width, class);
}

/* Letters that join, as they go through a word: x in heights of a small letter, y upwards. */
static const struct letter {
    double width;
    int n;
    struct point p[8];
} letters[] = {
    {0.8, 6, {{0.25, 1}, {0.2, 0.1}, {0.4, 0.1}, {0.6, 1}, {0.62, 0.1}, {0.8, 0.1}}},      /* u */
    {0.9, 7, {{0.1, 1}, {0.15, 0}, {0.3, 0.9}, {0.5, 0.9}, {0.55, 0.05}, {0.7, 0}, {0.9, 0.2}}}, /* n */
    {0.7, 6, {{0.35, 0.5}, {0.4, 0.95}, {0.2, 0.9}, {0.15, 0.3}, {0.4, 0}, {0.7, 0.2}}},   /* e */
    {0.6, 5, {{0.35, 1.2}, {0.3, 2}, {0.15, 1.6}, {0.2, 0.1}, {0.6, 0.1}}},                /* l */
    {0.5, 4, {{0.25, 0.95}, {0.2, 0.3}, {0.3, 0.02}, {0.5, 0.15}}},                        /* i */
    {0.9, 7, {{0.55, 0.9}, {0.25, 0.9}, {0.1, 0.4}, {0.3, 0}, {0.55, 0.9}, {0.6, 0.1}, {0.9, 0.2}}}, /* a */
    {0.9, 8, {{0.5, 0.9}, {0.15, 0.8}, {0.2, 0.2}, {0.5, 0.3}, {0.55, 0.9}, {0.5, -0.9}, {0.2, -0.8}, {0.9, 0.2}}}, /* g */
    {0.8, 6, {{0.4, 0.95}, {0.15, 0.6}, {0.3, 0.05}, {0.55, 0.4}, {0.4, 0.95}, {0.8, 0.8}}}, /* o */
    {0.7, 6, {{0.3, 1}, {0.35, 1.1}, {0.5, 0.4}, {0.35, 0}, {0.15, 0.15}, {0.7, 0.2}}},    /* s */
    {0.7, 6, {{0.3, 1.7}, {0.25, 0.2}, {0.4, 0}, {0.55, 0.3}, {0.4, 1.1}, {0.7, 1}}},      /* t */
    {1.2, 8, {{0.1, 1}, {0.12, 0}, {0.35, 0.95}, {0.42, 0}, {0.65, 0.95}, {0.8, 0.8}, {0.8, 0.05}, {1.2, 0.2}}}, /* m */
    {0.9, 7, {{0.3, 1.4}, {0.35, 2}, {0.15, 1.5}, {0.15, 0}, {0.4, 0.9}, {0.55, 0.1}, {0.9, 0.2}}}, /* h */
    {0.6, 5, {{0.15, 0.9}, {0.25, 1}, {0.4, 0.85}, {0.42, 0.1}, {0.6, 0.1}}},              /* r */
};
#define LETTERS ((int)(sizeof letters / sizeof *letters))

double write_cursive(struct scene *s, double x, double y, double h, int count)
{
    struct point p[MAX_WORD];
    int n = 0;
    double size = h * 0.6, squeeze = range(s, 0.7, 1.3), start = x;
    for (int i = 0; i < count && n + 8 < MAX_WORD; i++) {
        const struct letter *l = &letters[below(s, LETTERS)];
        double big = i == 0 && chance(s, 0.5) ? 1.7 : 1;
        for (int k = 0; k < l->n; k++) {
            double lx = (l->p[k].x + normal(s, 0.05)) * squeeze, ly = (l->p[k].y + normal(s, 0.07)) * big;
            p[n++] = (struct point){x + size * (lx * big + s->lean * ly), y - size * ly};
        }
        x += size * l->width * squeeze * big;
    }
    draw_curve(s, p, n, stroke_width(s, h), x - start < 3.5 * h ? OTHER : -1);
    return x;
}

static void write_scribble(struct scene *s, double x, double y, double h)
{
    struct point p[24];
    int n = 3 + below(s, 14), back = below(s, 2);
    double wide = range(s, 0.4, 1.6);
    for (int i = 0; i < n; i++) {
        double t = (double)i / n;
        p[i].x = x + h * (back ? wide * (i % 2 ? 0.5 : -0.5) : range(s, -0.5, 0.5) * wide) + normal(s, 0.05 * h);
        p[i].y = y + h * (back ? t - 0.5 : range(s, -0.5, 0.5)) + normal(s, 0.03 * h);
    }
    draw_curve(s, p, n, stroke_width(s, h) * range(s, 0.7, 2), OTHER);
}

/* A spot of ink: a short thick path. */
static void write_blot(struct scene *s, double x, double y, double h)
{
    struct point p[4];
    int n = 2 + below(s, 3);
    for (int i = 0; i < n; i++)
        p[i] = (struct point){x + range(s, -0.25, 0.25) * h, y + range(s, -0.25, 0.25) * h};
    draw_curve(s, p, n, h * range(s, 0.3, 0.7), OTHER);
}

void write_other(struct scene *s, double x, double y, double h)
{
    double u = rng_uniform(&s->r);
    const struct glyph *g = u < 0.5 ? stock_draw(s->stock, "none", &s->r) : NULL;
    if (g)
        draw_glyph(s, s->ink, g, (struct point){x, y}, h, 1, OTHER);
    else if (u < 0.65)
        write_scribble(s, x, y, h);
    else if (u < 0.72)
        write_blot(s, x, y, h);
    else if (u < 0.8)
        write_cursive(s, x - h, y + h / 3, h, 1 + below(s, 5));
    else
        write_sign(s, find_sign("xd()[]%v#~$"[below(s, 11)]), x - 0.3 * h, y + h / 2, h);
}

void write_mark(struct scene *s, double x, double y, double h)
{
    double tall = s->tall;
    s->tall = h;
    write_sign(s, find_sign("-:+=x="[below(s, 6)]), x - 0.3 * h, y + h / 2, h);
    s->tall = tall;
}

/* A letter with its left at x on the line at y, its capitals h tall; where it ends. */
static double write_letter(struct scene *s, float *layer, const struct glyph *g, double x, double y, double h,
                           int class)
{
    double gw = g->w - 2 * GLYPH_MARGIN, gh = g->h - 2 * GLYPH_MARGIN;
    bool digit = class >= 0 && class < SIGN; /* as tall as a capital, whatever its frame says */
    double scale = h / (digit ? gh : g->capital), rise = digit ? 0 : g->rise;
    double tall = gh >= 0.4 * gw ? gh * scale : 0.8 * gw * scale, w = gw * scale * s->wide;
    struct point middle = {x + w / 2, y - (rise + gh / 2) * scale};
    draw_glyph(s, layer, g, middle, tall, 1, class);
    return x + w;
}

static double write_letters(struct scene *s, float *layer, const char *face, double x, double y, double h,
                            int count, double digits)
{
    double space = h * range(s, 0.08, 0.25);
    for (int i = 0; i < count; i++) {
        bool mute = layer == s->back, digit = !mute && chance(s, digits);
        char label[2] = {(char)('0' + below(s, 10))};
        if (!in_sight(s, x, y, h)) {
            x += 0.7 * h;
            continue;
        }
        const struct glyph *g =
            digit ? stock_draw(s->stock, label, &s->r) : stock_letter(s->stock, face, &s->r);
        if (!g)
            break;
        x = write_letter(s, layer, g, x, y, h, digit ? label[0] - '0' : mute ? -1 : OTHER) + space;
    }
    return x;
}

double write_word(struct scene *s, float *layer, const char *face, double x, double y, double h, int count,
                  double digits)
{
    double pen = s->pen, lean = s->lean, slope = s->slope, unsteady = s->unsteady, wide = s->wide;
    if (!face)
        return x;
    if (!strncmp(face, "print", 5))
        s->pen = s->lean = s->slope = s->unsteady = 0, s->wide = 1;
    x = write_letters(s, layer, face, x, y, h, count, digits);
    s->pen = pen, s->lean = lean, s->slope = slope, s->unsteady = unsteady, s->wide = wide;
    return x;
}

/* A number as people write them: plain, with a point or comma, a date, a time, a sum. */
static const char *const forms[] = {
    "n", "n", "n", "n", "n,n", "n.n", "nn.nn", "nn,nn", "-n", "nn/nn/nnnn", "nn.nn.nn", "nn-nn-nnnn",
    "nn:nn", "n.nnn", "n,nnn", "n'nnn", "n/n", "+nn nnn nnn", "n:n", "n-n", "n%", "$n", "#n", "n.", "n)", "(n)",
    "n+n", "n-n", "n + n = n", "n+n=n", "nn-nn=n", "nxn=nn", "n x n", "(n+n)xn", "n-nx(n+n)", "nndn=n", "n=n",
    "[n,n]", "|n|", "n~n",
};

void make_text(struct scene *s, char text[32])
{
    const char *form = forms[below(s, chance(s, 0.5) ? 4 : (int)(sizeof forms / sizeof *forms))];
    int n = 0, only = form[0] == 'n' && !form[1];
    for (; *form && n < 30; form++) {
        int digits = *form != 'n' ? 0 : only ? 1 + below(s, 9) : chance(s, 0.2) ? 2 : 1;
        if (!digits)
            text[n++] = *form;
        for (int i = 0; i < digits && n < 30; i++)
            text[n++] = (char)('0' + below(s, 10));
    }
    text[n] = '\0';
}
