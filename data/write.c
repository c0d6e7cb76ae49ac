/* What people write, and what is printed (scene.h). */
#include "scene.h"

#include <math.h>
#include <stdlib.h>
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
static void write_blot(struct scene *s, double x, double y, double h);

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

/* Strike the last digit out, or through a nought, as some write it. Boxes from `first` on are it.
 */
static void strike(struct scene *s, int first, double x, double y, double h, bool slash)
{
    int class = slash ? s->boxes[first].class : NONE; /* what is struck out is no digit */
    if (slash || chance(s, 0.3)) {
        double up = slash ? 0.5 : range(s, -0.3, 0.5), reach = slash ? 0.35 : range(s, 0.4, 0.7);
        struct point p[2] = {{x - reach * h, y + up * h}, {x + reach * h, y - up * h}};
        draw_path(s, s->ink, p, 2, stroke_width(s, h), 1);
        path_box(s, p, 2, stroke_width(s, h), OTHER);
    } else if (chance(s, 0.5)) {
        write_scribble(s, x, y, h);
    } else {
        write_blot(s, x, y, h * range(s, 1, 2));
    }
    if (s->n > first + 1)
        join_boxes(&s->boxes[first], &s->boxes[s->n - 1]);
    if (s->n > first) {
        s->n = first + 1;
        s->boxes[first].class = s->boxes[first].class == ANY ? ANY : class;
    }
}

static void write_glyph(struct scene *s, const struct glyph *g, double x, double y, double h,
                        double gain)
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

/* Strokes of signs: points x,y of a box of height 100 whose foot is at 0, y upwards; / lifts the
 * pen. */
static const struct sign {
    char sign;
    double width; /* of its place, in heights */
    int class; /* the apostrophe of 1'000 is a comma, raised */
    const char *strokes;
} signs[] = {
    {'.', 0.25, SIGN + 0, "10,2 12,3"},
    {',', 0.25, SIGN + 1, "14,8 13,-4 5,-18"},
    {'\'', 0.25, SIGN + 1, "14,105 8,85"},
    {'-', 0.55, SIGN + 2, "10,45 48,47"},
    {'/', 0.5, SIGN + 3, "45,112 2,-15"},
    {':', 0.3, SIGN + 4, "12,12 13,13 / 12,58 13,59"},
    {'+', 0.7, SIGN + 5, "10,45 62,46 / 36,75 35,16"},
    {'=', 0.7, SIGN + 6, "10,58 60,60 / 10,34 60,35"},
    {'x', 0.65, OTHER, "10,70 55,15 / 55,70 10,14"},
    {'d', 0.7, OTHER, "10,45 60,45 / 35,75 36,74 / 35,16 36,15"},
    {'(', 0.4, OTHER, "35,110 16,85 8,50 14,12 34,-15"},
    {')', 0.4, OTHER, "6,110 25,85 32,50 26,12 5,-15"},
    {'[', 0.4, OTHER, "35,110 10,110 10,-12 35,-12"},
    {']', 0.4, OTHER, "5,110 30,110 30,-12 5,-12"},
    {'|', 0.3, OTHER, "15,125 15,-30"},
    {'%', 0.8, OTHER, "70,100 10,0 / 10,80 20,98 30,80 20,65 10,80 / 50,20 60,36 70,20 60,3"},
    {'v', 0.7, OTHER, "5,45 25,5 75,105"},
    {'#', 0.8, OTHER, "25,100 20,0 / 55,100 50,0 / 5,65 70,68 / 5,32 70,35"},
    {'~', 0.7, OTHER, "5,40 22,55 42,40 60,55"},
    {'$', 0.6, OTHER, "50,85 25,95 10,75 28,52 48,30 30,5 5,15 / 30,112 29,50 28,-10"},
};
#define SIGNS ((int)(sizeof signs / sizeof *signs))

static const struct sign *find_sign(char c)
{
    for (int i = 0; i < SIGNS; i++)
        if (signs[i].sign == c)
            return &signs[i];
    return NULL;
}

/* Read the next of the points that *strokes says, in heights; false when there is none. *lift: the
 * pen goes up before it. */
static bool next_point(const char **strokes, struct point *p, bool *lift)
{
    char *end;
    const char *at = *strokes + strspn(*strokes, " /");
    *lift = at - *strokes > 1;
    p->x = (double)strtol(at, &end, 10) / 100;
    if (*end != ',')
        return false;
    p->y = (double)strtol(end + 1, &end, 10) / 100;
    *strokes = end;
    return true;
}

#define MAX_SIGN 16 /* points of a sign, at most */

/* A sign with its left at x and its foot at y; small and large, bold and thin as hands make them.
 */
static void write_sign(struct scene *s, const struct sign *g, double x, double y, double h)
{
    struct point all[MAX_SIGN], p;
    bool lift, dotted = strchr(".:", g->sign);
    double size = range(s, 0.75, 1.2), width = stroke_width(s, h) * range(s, 0.8, 1.2);
    double rise = g->class < OTHER ? normal(s, 0.05) : 0;
    const char *strokes = g->strokes;
    int n = 0, first = 0;
    if (strchr(".:d", g->sign))
        width *= range(s, 1, 1.8);
    while (n < MAX_SIGN && next_point(&strokes, &p, &lift)) {
        double gx = dotted ? p.x + normal(s, 0.01) : jitter(s, p.x) * size;
        double gy = rise + (dotted ? p.y : jitter(s, p.y) * size);
        if (lift) {
            draw_path(s, s->ink, all + first, n - first, width, 1);
            first = n;
        }
        all[n++] = (struct point){x + h * (gx + s->lean * gy), y - h * gy};
    }
    draw_path(s, s->ink, all + first, n - first, width, 1);
    path_box(s, all, n, width, g->class);
}

static double advance(const struct scene *s, char c)
{
    const struct sign *g = find_sign(c);
    return g ? g->width : c == ' ' ? 0.5 : c == '1' ? 0.35 : 0.6 * s->wide;
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

/* Letters that join, as they go through a word: a small letter is 100 tall, y upwards. */
static const struct letter {
    double width;
    const char *strokes;
} letters[] = {
    {0.8, "25,100 20,10 40,10 60,100 62,10 80,10"},             /* u */
    {0.9, "10,100 15,0 30,90 50,90 55,5 70,0 90,20"},           /* n */
    {0.7, "35,50 40,95 20,90 15,30 40,0 70,20"},                /* e */
    {0.6, "35,120 30,200 15,160 20,10 60,10"},                  /* l */
    {0.5, "25,95 20,30 30,2 50,15"},                            /* i */
    {0.9, "55,90 25,90 10,40 30,0 55,90 60,10 90,20"},          /* a */
    {0.9, "50,90 15,80 20,20 50,30 55,90 50,-90 20,-80 90,20"}, /* g */
    {0.8, "40,95 15,60 30,5 55,40 40,95 80,80"},                /* o */
    {0.7, "30,100 35,110 50,40 35,0 15,15 70,20"},              /* s */
    {0.7, "30,170 25,20 40,0 55,30 40,110 70,100"},             /* t */
    {1.2, "10,100 12,0 35,95 42,0 65,95 80,80 80,5 120,20"},    /* m */
    {0.9, "30,140 35,200 15,150 15,0 40,90 55,10 90,20"},       /* h */
    {0.6, "15,90 25,100 40,85 42,10 60,10"},                    /* r */
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
        const char *strokes = l->strokes;
        bool lift;
        for (struct point at; n < MAX_WORD && next_point(&strokes, &at, &lift);) {
            double lx = (at.x + normal(s, 0.05)) * squeeze, ly = (at.y + normal(s, 0.07)) * big;
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
        p[i].x = x + h * (back ? wide * (i % 2 ? 0.5 : -0.5) : range(s, -0.5, 0.5) * wide) +
                 normal(s, 0.05 * h);
        p[i].y = y + h * (back ? t - 0.5 : range(s, -0.5, 0.5)) + normal(s, 0.03 * h);
    }
    draw_curve(s, p, n, stroke_width(s, h) * range(s, 0.7, 2), NONE);
}

/* A spot of ink: a short thick path. */
static void write_blot(struct scene *s, double x, double y, double h)
{
    struct point p[4];
    int n = 2 + below(s, 3);
    for (int i = 0; i < n; i++)
        p[i] = (struct point){x + range(s, -0.25, 0.25) * h, y + range(s, -0.25, 0.25) * h};
    draw_curve(s, p, n, h * range(s, 0.3, 0.7), NONE);
}

void write_other(struct scene *s, double x, double y, double h)
{
    double u = rng_uniform(&s->r);
    const struct glyph *g = u < 0.5 ? stock_draw(s->stock, "none", &s->r) : NULL;
    if (g)
        draw_glyph(s, s->ink, g, (struct point){x, y}, h, 1, NONE);
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
static double write_letter(struct scene *s, float *layer, const struct glyph *g, double x, double y,
                           double h, int class)
{
    double gw = g->w - 2 * GLYPH_MARGIN, gh = g->h - 2 * GLYPH_MARGIN;
    bool digit = class >= 0 && class < SIGN; /* as tall as a capital, whatever its frame says */
    double scale = h / (digit ? gh : g->capital), rise = digit ? 0 : g->rise;
    double tall = gh >= 0.4 * gw ? gh * scale : 0.8 * gw * scale, w = gw * scale * s->wide;
    struct point middle = {x + w / 2, y - (rise + gh / 2) * scale};
    draw_glyph(s, layer, g, middle, tall, 1, class);
    return x + w;
}

#define MIN_WORD 4 /* letters: in a shorter word an O may be a nought, for all that one can see */

static double write_letters(struct scene *s, float *layer, const char *face, double x, double y,
                            double h, int count, double digits)
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
        bool letter = !strcmp(g->label, "letter"), unclear = letter && count < MIN_WORD;
        int class = digit ? label[0] - '0' : mute ? -1 : unclear ? ANY : letter ? OTHER : NONE;
        x = write_letter(s, layer, g, x, y, h, class) + space;
    }
    return x;
}

double write_word(struct scene *s, float *layer, const char *face, double x, double y, double h,
                  int count, double digits)
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

double write_squares(struct scene *s, float *layer, double x, double y, double h, int count)
{
    double width = h * range(s, 0.04, 0.1);
    for (; count > 0; count--, x += 1.1 * h) {
        struct point p[2], corner[2] = {{x, y - h}, {x + h, y}};
        if (!in_sight(s, x, y, h))
            continue;
        for (int strokes = 4 + below(s, 9); strokes > 0; strokes--) {
            double u = rng_uniform(&s->r), v = rng_uniform(&s->r), reach = range(s, 0.3, 1);
            p[0] = p[1] = (struct point){x + u * h, y - v * h};
            if (chance(s, 0.5))
                p[0].x = x + u * (1 - reach) * h, p[1].x = p[0].x + reach * h;
            else if (chance(s, 0.6))
                p[0].y = y - v * (1 - reach) * h, p[1].y = p[0].y - reach * h;
            else
                p[1].x += range(s, -0.4, 0.4) * h, p[1].y += 0.4 * h * reach;
            draw_path(s, layer, p, 2, width, 1);
        }
        path_box(s, corner, 2, width, layer == s->back ? -1 : NONE);
    }
    return x;
}

/* A number as people write them: plain, with a point or comma, a date, a time, a sum. */
static const char *const forms[] = {
    "n",     "n",           "n",         "n",          "n,n",       "n.n",   "nn.nn",   "nn,nn",
    "-n",    "nn/nn/nnnn",  "nn.nn.nn",  "nn-nn-nnnn", "nn:nn",     "n.nnn", "n,nnn",   "n'nnn",
    "n/n",   "+nn nnn nnn", "n:n",       "n-n",        "n%",        "$n",    "#n",      "n.",
    "n)",    "(n)",         "n+n",       "n-n",        "n + n = n", "n+n=n", "nn-nn=n", "nxn=nn",
    "n x n", "(n+n)xn",     "n-nx(n+n)", "nndn=n",     "n=n",       "[n,n]", "|n|",     "n~n",
};

char *make_text(struct scene *s, char text[32])
{
    const char *form = forms[below(s, chance(s, 0.4) ? 4 : (int)(sizeof forms / sizeof *forms))];
    int n = 0, only = form[0] == 'n' && !form[1];
    for (; *form && n < 30; form++) {
        int digits = *form != 'n' ? 0 : only ? 1 + below(s, 9) : chance(s, 0.2) ? 2 : 1;
        if (!digits)
            text[n++] = *form;
        for (int i = 0; i < digits && n < 30; i++)
            text[n++] = (char)('0' + (chance(s, 0.06) ? 1 : below(s, 10))); /* a 1 is easily overlooked */
    }
    text[n] = '\0';
    return text;
}
