/* Where on a page what is written (scene.h). Pages reach beyond the picture, so that nothing ends
 * at its edge by chance. */
#include "scene.h"

#include <math.h>
#include <string.h>

#define FROM (-70)
#define TO (SIDE + 70)

/* Lines of a form or sheet: how wide, how dark. */
static void draw_walls(struct scene *s, double x0, double y0, double x1, double y1)
{
    draw_rectangle(s, s->rule, x0, y0, x1, y1, s->wall, 1);
}

/* Cells as forms have them, most with a digit. */
static void grid(struct scene *s)
{
    double ch = s->tall * range(s, 1.1, 2.2), cw = ch * range(s, 0.7, 1.6),
           full = rng_uniform(&s->r);
    double loose = chance(s, 0.15) ? range(s, 0.1, 0.22) : range(s, 0, 0.12),
           apart = chance(s, 0.3) ? range(s, 0.05, 0.3) * cw : 0;
    double size = range(s, 0.8, 1.1);
    bool boxed = chance(s, 0.85), words = chance(s, 0.2);
    s->kind = "grid";
    for (double y = FROM - range(s, 0, ch); y < TO; y += ch)
        for (double x = FROM - fmod(s->tall * 7, cw); x < TO; x += cw) {
            if (boxed)
                draw_walls(s, x + apart / 2, y + apart / 2, x + cw - apart / 2, y + ch - apart / 2);
            if (!chance(s, 0.3 + 0.7 * full))
                continue;
            double cx = x + cw / 2 + normal(s, cw * loose), cy = y + ch / 2 + normal(s, ch * loose);
            if (words && chance(s, 0.2))
                write_other(s, cx, cy, s->tall * range(s, 0.6, 1.1));
            else
                write_digit(s, cx, cy, s->tall * size * range(s, 0.8, 1.1),
                            chance(s, 0.7) ? 1 : range(s, 0.4, 1));
        }
}

/* A row of n cells from (x, y): boxes, or a base line with ticks. */
static void row_of_cells(struct scene *s, double x, double y, int n, bool comb)
{
    double ch = s->tall * range(s, 1.15, 2.2),
           cw = comb ? s->tall * range(s, 0.8, 1.8) : ch * range(s, 0.6, 1.3);
    double apart = !comb && chance(s, 0.3) ? range(s, 0.1, 0.5) * cw : 0,
           tick = range(s, 0.12, 1) * ch;
    double full = chance(s, 0.6) ? 1 : range(s, 0.3, 1), loose = range(s, 0.02, 0.14),
           size = range(s, 0.75, 1.05);
    int filled = (int)ceil(n * full);
    if (comb)
        draw_line(s, s->rule, x, y + ch, x + n * cw, y + ch, s->wall, 1);
    for (int i = 0; i <= n; i++, x += cw + apart) {
        if (comb)
            draw_line(s, s->rule, x, y + ch, x, y + ch - tick, s->wall, 1);
        if (i == n)
            break;
        if (!comb)
            draw_walls(s, x, y, x + cw, y + ch);
        if (i < filled)
            write_digit(s, x + cw / 2 + normal(s, cw * loose),
                        y + ch * (comb ? 0.45 : 0.5) + normal(s, ch * loose),
                        s->tall * size * range(s, 0.88, 1.08), 1);
    }
}

/* A few rows with words beside. */
static void rows_of_cells(struct scene *s, bool comb)
{
    bool labels = chance(s, 0.5);
    const char *face = stock_face(s->stock, "print", &s->r);
    s->kind = comb ? "comb" : "row";
    double y = range(s, -s->tall, SIDE * 0.6), print = s->tall * range(s, 0.3, 0.9);
    for (int rows = 1 + below(s, 4); rows > 0 && y < SIDE; rows--) {
        double x = range(s, -60, 90);
        if (labels && chance(s, 0.7))
            write_word(s, s->rule, face, range(s, -30, 20), y - 0.3 * print, print, 3 + below(s, 9),
                       0);
        row_of_cells(s, x, y, 3 + below(s, 18), comb);
        y += s->tall * range(s, 2.4, 6);
    }
}

/* Numbers with a frame round them, or a line under. */
static void framed(struct scene *s)
{
    char text[32];
    s->kind = "frame";
    for (int n = 1 + below(s, 4); n > 0; n--) {
        double x = range(s, 0, SIDE * 0.7), y = range(s, s->tall, SIDE), h = s->tall,
               gap = range(s, -0.04, 0.3);
        double m = range(s, 0.1, 0.8) * h;
        double end = write_number(s, make_text(s, text), x, y, gap);
        int how = below(s, 4);
        float *layer = chance(s, 0.5) ? s->rule : s->ink;
        if (how < 2)
            draw_rectangle(s, layer, x - m, y - h - m * range(s, 0.4, 1),
                           end + m * range(s, 0.3, 1), y + m, s->wall, 1);
        else if (how == 2)
            draw_line(s, layer, x - m, y + 0.1 * h + m / 3, end + m,
                      y + 0.1 * h + m / 3 + normal(s, 2), s->wall, 1);
        else
            for (int k = 0; k < 40; k++) {
                double a = 6.2832 * k / 40, b = 6.2832 * (k + 1) / 40, cx = (x + end) / 2,
                       cy = y - h / 2;
                double rx = (end - x) / 2 + m + 0.3 * h, ry = h / 2 + m;
                draw_line(s, s->ink, cx + rx * cos(a), cy + ry * sin(a), cx + rx * cos(b),
                          cy + ry * sin(b), s->wall, 1);
            }
    }
}

static void rule_page(struct scene *s, double y, double lead)
{
    if (chance(s, 0.45))
        for (; y < TO; y += lead)
            draw_line(s, s->rule, FROM, y, TO, y, s->wall, 1);
    else if (chance(s, 0.4)) {
        double pitch = fmax(4, s->tall * range(s, 0.4, 1.5));
        for (double at = FROM; at < TO; at += pitch) {
            draw_line(s, s->rule, FROM, at, TO, at, s->wall, 1);
            draw_line(s, s->rule, at, FROM, at, TO, s->wall, 1);
        }
    }
    if (chance(s, 0.1)) {
        double x = range(s, 0, SIDE);
        draw_line(s, s->rule, x, FROM, x, TO, s->wall, 1);
    }
}

/* Lines of numbers, with words between; words: mostly words. */
static void lines_of(struct scene *s, double words, bool sums)
{
    double lead = s->tall * range(s, 1.3, 2.8),
           gap = chance(s, 0.55) ? range(s, -0.15, 0.06) : range(s, 0.05, 0.6);
    double first = FROM + range(s, 0, lead), margin = chance(s, 0.4) ? range(s, 0, 90) : FROM,
           full = range(s, 0.5, 1);
    char text[32];
    bool under = chance(s, 0.07);
    const char *hand = chance(s, 0.5) ? stock_face(s->stock, "hand", &s->r) : NULL;
    rule_page(s, first + 0.1 * s->tall, lead);
    for (double y = first; y < TO + s->tall; y += lead) {
        if (!chance(s, full))
            continue;
        for (double x = margin + range(s, 0, 40); x < TO;) {
            if (hand && chance(s, words)) {
                x = write_word(s, s->ink, hand, x, y, s->tall * range(s, 0.7, 1.1), 2 + below(s, 8),
                               0);
            } else if (chance(s, words)) {
                x = write_cursive(s, x, y, s->tall * range(s, 0.7, 1.2), 2 + below(s, 8));
            } else {
                do
                    make_text(s, text);
                while (sums && strspn(text, "0123456789") == strlen(text) && chance(s, 0.8));
                double from = x, foot = y + normal(s, s->tall * 0.04);
                x = write_number(s, text, x, foot, gap);
                if (under)
                    draw_line(s, s->ink, from, foot + 0.12 * s->tall, x,
                              foot + s->tall * range(s, 0.1, 0.2), s->wall, 1);
            }
            x += s->tall * range(s, 0.4, 3);
            if (chance(s, 0.06)) {
                write_other(s, x + s->tall / 2, y - s->tall / 2, s->tall * range(s, 0.5, 1.2));
                x += 1.5 * s->tall;
            }
        }
    }
}

/* Writing too small for this level: several digits of it are none. */
static void tiny(struct scene *s)
{
    s->kind = "tiny";
    s->tall = log_range(s, 2.5, MIN_NEAR);
    s->wall = range(s, 0.6, 1);
    lines_of(s, chance(s, 0.6) ? 0 : range(s, 0, 0.9), false);
    s->tall = MIN_TALL;
}

static void scattered(struct scene *s, int n, double low, double high)
{
    for (int i = 0; i < n; i++) {
        double x = range(s, 0, SIDE), y = range(s, 0, SIDE), h = log_range(s, low, high);
        if (chance(s, 0.85))
            write_digit(s, x, y, h, chance(s, 0.6) ? 1 : range(s, 0.4, 1));
        else
            write_other(s, x, y, h);
    }
}

/* Digits too large for this level: what they are made of is no digit. Half of them are lines as thin as a
 * mouse or a stylus draws, whose parts look most like small digits. */
static void large(struct scene *s)
{
    double h = log_range(s, 94, 330);
    char text[32];
    s->kind = "large";
    if (chance(s, 0.5))
        s->pen = log_range(s, 1.2, 6) / h;
    s->tall = h;
    for (int n = 1 + below(s, 3); n > 0; n--)
        if (chance(s, 0.4))
            write_number(s, make_text(s, text), range(s, -h, SIDE), range(s, 0, SIDE + h), range(s, -0.1, 0.4));
        else if (chance(s, 0.75))
            write_digit(s, range(s, 0, SIDE), range(s, 0, SIDE), h * range(s, 0.8, 1.2), 1);
        else if (chance(s, 0.3))
            write_word(s, s->rule, stock_face(s->stock, "print", &s->r), range(s, -h, SIDE),
                       range(s, 0, SIDE + h), h, 4, 0);
        else
            write_other(s, range(s, 0, SIDE), range(s, 0, SIDE), h);
    s->tall = 90;
}

/* A table with printed heads and written numbers. */
static void table(struct scene *s)
{
    double ch = s->tall * range(s, 1.4, 2.6), cw = s->tall * range(s, 1.5, 5),
           print = s->tall * range(s, 0.35, 0.8);
    double x0 = range(s, FROM, 60), y0 = range(s, FROM, 60);
    int rows = 2 + below(s, 7), columns = 2 + below(s, 6);
    char text[32];
    const char *face = stock_face(s->stock, "print", &s->r);
    s->kind = "table";
    for (int j = 0; j < rows; j++)
        for (int i = 0; i < columns; i++) {
            double x = x0 + i * cw, y = y0 + j * ch;
            draw_walls(s, x, y, x + cw, y + ch);
            if (!i || (!j && chance(s, 0.8))) {
                write_word(s, s->rule, face, x + 0.2 * print, y + ch * 0.65, print,
                           1 + below(s, (int)(cw / print)), chance(s, 0.2));
                continue;
            }
            int n = 1 + below(s, 3);
            for (int k = 0; k < n; k++)
                text[k] = (char)('0' + below(s, 10));
            text[n] = '\0';
            if (chance(s, 0.75))
                write_number(s, text, x + range(s, 0.05, 0.4) * cw, y + ch * range(s, 0.7, 0.95),
                             0.05);
        }
}

/* A page of letters of one face; of its words so many are numbers. */
static void lettered(struct scene *s, float *layer, const char *kind, double h, double digits)
{
    double lead = h * range(s, 1.4, 2.6), squares = chance(s, 0.15) ? 0.8 : 0;
    const char *face = stock_face(s->stock, kind, &s->r);
    for (double y = FROM; y < TO; y += lead) {
        if (chance(s, 0.05))
            face = stock_face(s->stock, kind, &s->r);
        for (double x = FROM + range(s, 0, 60); face && x < TO; x += h * range(s, 0.5, 1.2))
            if (chance(s, squares))
                x = write_squares(s, layer, x, y, h, 1 + below(s, 10));
            else
                x = write_word(s, layer, face, x, y, h, 1 + below(s, 10), chance(s, digits) ? 1 : 0.01);
    }
}

/* Writing that is no digit: words, or signs, letters and scribbles alone. */
static void words(struct scene *s)
{
    int what = below(s, 4);
    s->kind = "words";
    if (what == 0)
        lines_of(s, 0.97, false);
    else if (what == 1)
        lettered(s, s->ink, "hand", s->tall, 0.03);
    else
        for (int n = 1 + below(s, 16); n > 0; n--)
            (what == 2 ? write_other : write_mark)(s, range(s, 0, SIDE), range(s, 0, SIDE),
                                                   range(s, 8, 90));
}

/* A ring of n corners round (cx, cy), rx by ry, as uneven as that. */
static void make_ring(struct scene *s, struct point *p, int n, double cx, double cy, double rx,
                      double ry, double uneven)
{
    double turn = range(s, 0, 6.28), c = cos(turn), si = sin(turn);
    for (int i = 0; i < n; i++) {
        double angle = 6.2832 * i / n, far = 1 - uneven * rng_uniform(&s->r);
        double x = rx * far * cos(angle), y = ry * far * sin(angle);
        p[i] = (struct point){cx + c * x - si * y, cy + si * x + c * y};
    }
}

/* A wheel, a cup, a clock: rings with spokes. */
static void draw_wheel(struct scene *s, double cx, double cy, double size)
{
    struct point p[33];
    double width = log_range(s, 0.7, 6);
    make_ring(s, p, 32, cx, cy, size, size * range(s, 0.3, 1), 0);
    p[32] = p[0];
    draw_path(s, s->ink, p, 33, width, 1);
    for (int i = 0, spokes = below(s, 20); i < spokes; i++)
        draw_line(s, s->ink, cx, cy, p[i * 32 / spokes].x, p[i * 32 / spokes].y, width * 0.5, 1);
}

/* Whether a box of those drawn lies in these bounds. */
static bool taken(const struct scene *s, double x0, double y0, double x1, double y1)
{
    for (int i = 0; i < s->n; i++) {
        const struct box *b = &s->boxes[i];
        if (b->x1 > x0 && b->x0 < x1 && b->y1 > y0 && b->y0 < y1)
            return true;
    }
    return false;
}

/* The rings of a pad: pairs of wires through holes, where nothing is written. */
static void add_coil(struct scene *s)
{
    double size = log_range(s, 6, 40), pitch = size * range(s, 0.8, 2), width = size * range(s, 0.06, 0.2);
    double rx = size * range(s, 0.2, 0.5), ry = size * range(s, 0.5, 1), y = range(s, -size, SIDE + size);
    double apart = chance(s, 0.6) ? range(s, 0.2, 0.6) * rx : 0, climb = normal(s, 0.1);
    for (double x = FROM; x < TO; x += pitch, y += climb * pitch) {
        struct point p[17], at = seen(s, x, y);
        if (taken(s, at.x - 2 * rx, at.y - ry - 2, at.x + 2 * rx, at.y + ry + 2))
            continue;
        for (double dx = 0; dx <= apart; dx += apart + 1) {
            for (int i = 0; i <= 16; i++)
                p[i] = (struct point){x + dx + rx * cos(i * 0.36), y + ry * sin(i * 0.36)};
            draw_path(s, s->ink, p, 17, width, 1);
        }
        draw_line(s, s->ink, x + rx, y + ry, x + rx + 0.1, y + ry, 3 * width, 1);
    }
}

/* Edges and surfaces as a room has them; soft and round ones as a face has them. */
static void clutter(struct scene *s)
{
    bool soft = chance(s, 0.3);
    s->kind = "clutter";
    for (int n = 2 + below(s, 16); n > 0; n--) {
        struct point p[24];
        double cx = range(s, -20, SIDE + 20), cy = range(s, -20, SIDE + 20),
               size = log_range(s, 6, 200);
        int corners = soft ? 24 : 3 + below(s, 3);
        make_ring(s, p, corners, cx, cy, size, size * range(s, 0.2, 1), soft ? 0.1 : 0.5);
        fill_polygon(s->ink, p, corners, (float)rng_uniform(&s->r));
        if (chance(s, 0.15))
            draw_wheel(s, range(s, 0, SIDE), range(s, 0, SIDE), log_range(s, 4, 110));
        if (chance(s, 0.4))
            draw_line(s, s->ink, range(s, 0, SIDE), range(s, 0, SIDE), range(s, 0, SIDE),
                      range(s, 0, SIDE), log_range(s, 0.7, 12), rng_uniform(&s->r));
    }
    if (chance(s, 0.2))
        add_coil(s);
    if (soft)
        blur(s->ink, SIDE, SIDE, range(s, 0.7, 5));
}

static void add_dust(struct scene *s, int n)
{
    for (; n > 0; n--) {
        double x = range(s, 0, SIDE), y = range(s, 0, SIDE),
               w = range(s, 0.5, fmin(4, 0.2 * s->tall));
        draw_line(s, s->ink, x, y, x + normal(s, 1.5), y + normal(s, 1.5), w, range(s, 0.2, 1));
    }
}

/* Folds, scratches, hairs, threads: lines that belong to nothing. */
static void add_folds(struct scene *s, int n)
{
    for (; n > 0; n--) {
        double x = range(s, 0, SIDE), y = range(s, 0, SIDE), reach = log_range(s, 10, 400),
               angle = range(s, 0, 6.28);
        draw_line(s, chance(s, 0.5) ? s->rule : s->ink, x, y, x + reach * cos(angle),
                  y + reach * sin(angle), log_range(s, 0.5, fmin(5, 0.2 * s->tall)),
                  range(s, 0.15, 1));
    }
}

/* Printed words where nothing is written. */
static void add_print(struct scene *s, double digits)
{
    const char *face = stock_face(s->stock, "print", &s->r);
    double h = s->tall * range(s, 0.3, 1);
    for (int n = 1 + below(s, 12); n > 0; n--) {
        double x = range(s, -40, SIDE), y = range(s, h, SIDE);
        int letters = 1 + below(s, 9);
        struct point a = seen(s, x, y - h), b = seen(s, x + letters * h, y);
        if (!taken(s, fmin(a.x, b.x) - 2, fmin(a.y, b.y) - 2, fmax(a.x, b.x) + 2,
                   fmax(a.y, b.y) + h))
            write_word(s, s->rule, face, x, y, h, letters, chance(s, digits));
    }
}

/* Paper or a surface without writing: specks, dust, lines at most. */
static void empty(struct scene *s)
{
    s->kind = "empty";
    s->bare = chance(s, 0.6);
    if (s->bare)
        return;
    rule_page(s, FROM, s->tall * range(s, 1, 3));
    add_dust(s, below(s, 30));
    add_folds(s, chance(s, 0.3) ? 1 + below(s, 4) : 0);
}

/* A file of one digit of some 16 to 30 pixels, enlarged. */
static void thumb(struct scene *s)
{
    s->kind = "thumb";
    s->thumb = true;
    double h = log_range(s, 12, 58);
    s->tall = h;
    write_digit(s, range(s, 60, SIDE - 60), range(s, 60, SIDE - 60), h, 1);
}

static void barcode(struct scene *s)
{
    double unit = log_range(s, 1, 6), x = range(s, -20, 60), end = range(s, 120, TO),
           y = range(s, -60, 120), h = range(s, 30, 240);
    s->kind = "barcode";
    for (; x < end; x += unit * (1 + below(s, 3))) {
        double w = unit * (1 + below(s, 3));
        for (double at = x; at < x + w; at += 0.5)
            draw_line(s, s->ink, at, y, at, y + h, 0.7, 1);
        x += w;
    }
}

static void maze(struct scene *s)
{
    double pitch = log_range(s, 6, 50), width = pitch * range(s, 0.05, 0.4);
    s->kind = "maze";
    for (double y = FROM; y < TO; y += pitch)
        for (double x = FROM; x < TO; x += pitch) {
            if (chance(s, 0.5))
                draw_line(s, s->ink, x, y, x + pitch, y, width, 1);
            if (chance(s, 0.5))
                draw_line(s, s->ink, x, y, x, y + pitch, width, 1);
        }
}

/* Bars across the picture: cables, beams, edges of what lies there. */
static void bars(struct scene *s)
{
    s->kind = "bars";
    bool crossed = chance(s, 0.7), alike = chance(s, 0.4);
    double angle = range(s, 0, 6.28), width = log_range(s, 0.7, 16), ink = range(s, 0.3, 1);
    for (int n = 1 + below(s, 11); n > 0; n--) {
        double x = range(s, 0, SIDE), y = range(s, 0, SIDE), reach = 2 * SIDE;
        double a = crossed ? range(s, 0, 6.28) : angle + normal(s, 0.05);
        draw_line(s, s->ink, x - reach * cos(a), y - reach * sin(a), x + reach * cos(a), y + reach * sin(a),
                  alike ? width : log_range(s, 0.7, 16), alike ? ink : range(s, 0.2, 1));
    }
}

/* Cloth, wood, leaves, gravel: stains of all sizes. */
static void cloth(struct scene *s)
{
    s->kind = "cloth";
    double coarse = log_range(s, 2, 50), stretch = log_range(s, 0.12, 8), fine = log_range(s, 1, 6);
    double grain = range(s, 0, 1), hard = log_range(s, 0.5, 6), level = range(s, 0.2, 0.8);
    uint64_t seed = rng_bits(&s->r);
    for (int i = 0; i < PIXELS; i++) {
        double x = i % SIDE, y = i / SIDE;
        double v = noise_at(seed, x / coarse * stretch, y / coarse) +
                   grain * noise_at(seed + 1, x / fine, y / fine * stretch);
        s->ink[i] = clamp((float)(level + hard * v));
    }
}

static void draw_view(struct scene *s)
{
    double angle = chance(s, 0.8) ? normal(s, 0.06) : normal(s, 0.2), c, n, scale = 1;
    if (chance(s, 0.04))
        angle = normal(s, 0.1) + (chance(s, 0.5) ? 0.78 : -0.78);
    double lean_x = 0, lean_y = 0, middle = SIDE / 2.0;
    if (chance(s, 0.3))
        lean_x = range(s, -0.6, 0.6) / SIDE, lean_y = range(s, -0.6, 0.6) / SIDE;
    c = cos(angle) * scale, n = sin(angle) * scale;
    /* (x, y) - middle, turned, divided by how far it is, + middle */
    double g = lean_x, h = lean_y, w = 1 - middle * (lean_x + lean_y);
    double m[9] = {c, -n, middle * (n - c), n, c, -middle * (n + c), g, h, w};
    for (int i = 0; i < 3; i++) {
        m[i] += middle * m[6 + i];
        m[3 + i] += middle * m[6 + i];
    }
    memcpy(s->view, m, sizeof m);
}

static void draw_hand(struct scene *s)
{
    s->tall = chance(s, 0.3) ? log_range(s, 26, 58) : log_range(s, 10, 46);
    s->pen = chance(s, 0.4) ? 0 : log_range(s, 0.035, 0.22);
    s->lean = chance(s, 0.85) ? normal(s, 0.12) : range(s, -0.3, 0.6);
    s->slope = normal(s, 0.03);
    s->wide = range(s, 0.75, 1.2);
    s->unsteady = range(s, 0.4, 1.5);
    s->wall = chance(s, 0.6) ? range(s, 0.6, 2) : range(s, 1, fmin(8, 0.2 * s->tall));
    s->wall_ink = chance(s, 0.3) ? 1 : range(s, 0.15, 1);
    s->dash = chance(s, 0.08) ? range(s, 1, 5) : 0;
    s->strike = chance(s, 0.12) ? range(s, 0.03, 0.35) : 0;
}

static void numbers(struct scene *s)
{
    s->kind = "numbers";
    lines_of(s, chance(s, 0.6) ? 0 : range(s, 0, 0.8), false);
}

static void sums(struct scene *s)
{
    s->kind = "sums";
    lines_of(s, 0, true);
}

static void scatter(struct scene *s)
{
    s->kind = "scatter";
    scattered(s, 3 + below(s, 22), 9, 60);
}

static void few(struct scene *s)
{
    s->kind = "few";
    if (chance(s, 0.3))
        s->pen = log_range(s, 1, 3) / s->tall;
    scattered(s, 1 + below(s, 4), 12, 56);
}

static void comb(struct scene *s)
{
    rows_of_cells(s, true);
}

static void row(struct scene *s)
{
    rows_of_cells(s, false);
}

static void print(struct scene *s)
{
    s->kind = "print";
    lettered(s, s->rule, "print", log_range(s, 5, 40), 0.08);
}

static const struct {
    void (*draw)(struct scene *s);
    int often;
    bool digits; /* there may be some */
} kinds[] = {
    {grid, 15, true},    {comb, 7, true},    {row, 10, true},    {framed, 6, true},
    {numbers, 20, true}, {sums, 12, true},   {table, 5, true},   {few, 8, true},
    {scatter, 11, true}, {thumb, 8, true},   {words, 6, true},   {print, 4, true},
    {large, 14, false},  {tiny, 5, false},   {empty, 5, false},  {clutter, 5, false},
    {barcode, 1, false}, {maze, 1, false},  {bars, 5, false},    {cloth, 5, false},
};
#define KINDS ((int)(sizeof kinds / sizeof *kinds))

void lay_out(struct scene *s)
{
    int all = 0, kind = 0;
    draw_view(s);
    draw_hand(s);
    if (chance(s, 0.1))
        lettered(s, s->back, chance(s, 0.7) ? "print" : "hand", log_range(s, 4, 20), 0);
    for (int k = 0; k < KINDS; k++)
        all += kinds[k].often;
    for (int left = below(s, all); left >= kinds[kind].often; kind++)
        left -= kinds[kind].often;
    kinds[kind].draw(s);
    if (s->thumb || s->bare)
        return;
    if (chance(s, 0.12))
        add_dust(s, 1 + below(s, 20));
    if (chance(s, 0.12))
        add_folds(s, 1 + below(s, 4));
    if (chance(s, 0.03))
        add_coil(s);
    if (chance(s, 0.12))
        add_print(s, kinds[kind].digits ? 0.1 : 0);
}
