/* formphoto [-f] [-c mm] [-d dpi] [-p megapixels] [-s seed] FORM VALUES DIGITS <pages >photos: fill in printed
 * forms and photograph them. pages: what pdftoppm made of formprint's PDF, a copy a frame, of a form of one sheet.
 * VALUES: a line for each, the values of the form's fields with tabs between them, - for one that stays empty.
 * DIGITS: labelled frames to write with, white on black: where ten are of the labels 0 to 9 in order, they are one
 * hand's, others are taken one by one. A photo depends on seed and number alone.
 *
 * One digit in twenty is written over its box's edge. A pen is black, blue or a pencil; the camera is tilted by up
 * to 25 degrees and turned anyhow; there are shadows, blur, noise and JPEG's quality 50; one mark in forty lies
 * under a thumb.
 *   -c mm    the sheet is bent as a cylinder, its middle so high above two edges (below 0: under them)
 *   -d dpi   it is scanned instead: at any quarter turn, up to 3 degrees askew, JPEG's quality 75
 *   -f       it is faxed: 204 by 98 black or white dots to the inch, made square */
#include "../../data/photo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "form/form.h"
#include "stream/stream.h"

#define OVER_EDGE 0.05 /* of the digits */
#define THUMB 0.1      /* of the photos */
#define QUALITY 50
#define PI 3.14159265358979

struct digits {
    struct frame *of[10];
    int n[10];
};

struct photo {
    const struct form_layout *l;
    struct frame page; /* as printed; then with what is written */
    double ppm;        /* its pixels to a mm */
    double pen, soft, wide, texture;
    uint64_t seed;
    double tilt, axis, turn;        /* of the camera, in radians */
    double rise, bend;              /* mm that the middle stands above the edges; across which direction */
    double scale, middle[2], at[2]; /* of the photo: what `middle` is seen at is pixel `at` */
    double h[9];       /* pixel of the photo to mm, were the sheet flat */
    int hidden;        /* the mark under the thumb, or -1 */
};

static void fail(const struct err *e)
{
    char text[600];
    fprintf(stderr, "formphoto: %s\n", err_text(e, text, sizeof text));
    exit(1);
}

static void load_digits(const char *name, struct digits *d)
{
    struct err e = ERR_NONE;
    struct frame_reader *r = frame_open(name, &e);
    struct frame f = {0};
    int got = -1;
    while (r && (got = frame_read(r, &f, &e)) > 0) {
        char text[LABEL_SIZE];
        if (frame_label(&f, text) <= 0 || text[1] || text[0] < '0' || text[0] > '9')
            continue;
        int label = text[0] - '0';
        d->of[label] = realloc(d->of[label], (size_t)(d->n[label] + 1) * sizeof f);
        if (!d->of[label])
            exit(1);
        d->of[label][d->n[label]++] = f;
        f = (struct frame){0};
    }
    frame_close(r);
    frame_free(&f);
    if (got < 0)
        fail(&e);
}

static double sample(const struct frame *f, double x, double y)
{
    int ix = (int)floor(x), iy = (int)floor(y);
    if (ix < 0 || iy < 0 || ix + 1 >= f->width || iy + 1 >= f->height)
        return 0;
    double fx = x - ix, fy = y - iy;
    const uint8_t *a = f->gray + (long)iy * f->width + ix, *b = a + f->width;
    return ((a[0] + fx * (a[1] - a[0])) * (1 - fy) + (b[0] + fx * (b[1] - b[0])) * fy) / 255;
}

static void ink_box(const struct frame *f, int box[4])
{
    box[0] = f->width, box[1] = f->height, box[2] = box[3] = 0;
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            if (f->gray[y * f->width + x] > 80) {
                box[0] = x < box[0] ? x : box[0];
                box[1] = y < box[1] ? y : box[1];
                box[2] = x >= box[2] ? x + 1 : box[2];
                box[3] = y + 1;
            }
}

/* The digit with the middle of its ink at cx, cy mm, `tall` mm tall. */
static void write_digit(struct photo *p, const struct frame *digit, double cx, double cy, double tall)
{
    int box[4];
    ink_box(digit, box);
    double scale = (box[3] - box[1]) / tall, wide = (box[2] - box[0]) / scale; /* its pixels to a mm */
    if (wide > 7)
        scale *= wide / 7;
    double reach = 6;
    struct frame *f = &p->page;
    for (int y = (int)((cy - reach) * p->ppm); y < (int)((cy + reach) * p->ppm); y++)
        for (int x = (int)((cx - reach) * p->ppm); x < (int)((cx + reach) * p->ppm); x++) {
            if (x < 0 || y < 0 || x >= f->width || y >= f->height)
                continue;
            double u = ((x + 0.5) / p->ppm - cx) * scale + (box[0] + box[2]) / 2.0 - 0.5;
            double v = ((y + 0.5) / p->ppm - cy) * scale + (box[1] + box[3]) / 2.0 - 0.5;
            double ink = clamp((float)((sample(digit, u, v) - p->wide) * p->soft + 0.5));
            if (p->texture > 0)
                ink *= 1 - p->texture * (0.5 + 0.5 * noise_at(p->seed + 7, x / 2.5, y / 2.5));
            uint8_t *at = &f->gray[(long)y * f->width + x];
            double light = *at / 255.0, mark = p->pen < light ? light + ink * (p->pen - light) : light;
            *at = (uint8_t)lrint(mark * 255);
        }
}

/* The value in the boxes of a field, as far on the right as it goes. */
static void write_value(struct photo *p, int field, const char *value, const struct digits *d, int hand,
                        struct rng *r)
{
    const struct form_cell *cells[FORM_MAX_CELLS];
    int n = 0, len = 0;
    char digit[FORM_MAX_CELLS + 1];
    for (size_t i = 0; i < p->l->cells; i++)
        if (p->l->cell[i].field == field)
            cells[n++] = &p->l->cell[i];
    for (; *value; value++)
        if (*value >= '0' && *value <= '9' && len < n)
            digit[len++] = *value;
    for (int i = 0; i < len; i++) {
        const struct form_rect *at = &cells[n - len + i]->at;
        int of = digit[i] - '0', which = hand >= 0 ? hand : (int)rng_below(r, (uint32_t)d->n[of]);
        double x = at->x + at->w / 2 + rng_range(r, -0.5, 0.5), y = at->y + at->h / 2 + rng_range(r, -0.7, 0.7);
        if (rng_uniform(r) < OVER_EDGE) {
            double over = rng_range(r, 1.5, 2.5) * (rng_uniform(r) < 0.5 ? -1 : 1);
            *(rng_uniform(r) < 0.4 ? &x : &y) += over;
        }
        write_digit(p, &d->of[of][which], x, y, rng_range(r, 5.5, 7.6));
    }
}

static void take_pen(struct photo *p, struct rng *r)
{
    int kind = (int)rng_below(r, 3);
    p->seed = rng_bits(r);
    p->wide = rng_range(r, 0.3, 0.55);
    p->soft = rng_range(r, 2, 4);
    p->pen = kind == 0 ? rng_range(r, 0.05, 0.2) : kind == 1 ? rng_range(r, 0.25, 0.4) : rng_range(r, 0.4, 0.55);
    p->texture = kind == 2 ? 0.5 : 0;
}

static void fill_in(struct photo *p, char *values, const struct digits *d, int hands, struct rng *r)
{
    char *rest = NULL;
    int hand = hands > 0 && rng_uniform(r) < 0.5 ? (int)rng_below(r, (uint32_t)hands) : -1;
    int field = 0;
    take_pen(p, r);
    for (char *v = strtok_r(values, "\t\n", &rest); v && field < p->l->form->fields; v = strtok_r(NULL, "\t\n", &rest))
        write_value(p, field++, v, d, hand, r);
}

/* ---- the camera ---- */

/* A point of the paper, from its middle, in space; z towards the camera. */
static void bend_paper(const struct photo *p, double *x, double *y, double *z)
{
    double cx = cos(p->bend), cy = sin(p->bend), reach = fabs(cx) * p->l->width / 2 + fabs(cy) * p->l->height / 2;
    double radius = reach * reach / (2 * p->rise), s = *x * cx + *y * cy, more = radius * sin(s / radius) - s;
    *x += more * cx;
    *y += more * cy;
    *z = p->rise - radius * (1 - cos(s / radius));
}

/* The pixel at which a point of the paper is seen, the camera tilted by `tilt` around an axis at `axis`, then
 * turned. */
static void look(const struct photo *p, double x, double y, double *out)
{
    double dx = x - p->l->width / 2, dy = y - p->l->height / 2, dz = 0, far = 1.6 * p->l->height;
    if (p->rise != 0)
        bend_paper(p, &dx, &dy, &dz);
    double u = dx * cos(p->axis) + dy * sin(p->axis), v = -dx * sin(p->axis) + dy * cos(p->axis);
    double z = far + v * sin(p->tilt) - dz * cos(p->tilt);
    double a = u / z, b = (v * cos(p->tilt) + dz * sin(p->tilt)) / z;
    double px = a * cos(p->axis) - b * sin(p->axis), py = a * sin(p->axis) + b * cos(p->axis);
    out[0] = (px * cos(p->turn) - py * sin(p->turn) - p->middle[0]) * p->scale + p->at[0];
    out[1] = (px * sin(p->turn) + py * cos(p->turn) - p->middle[1]) * p->scale + p->at[1];
}

/* h with h8 = 1 that takes from[i] to to[i], four points, by elimination. */
static void solve_plane(double from[4][2], double to[4][2], double *h)
{
    double a[8][9];
    for (int i = 0; i < 4; i++) {
        double x = from[i][0], y = from[i][1], u = to[i][0], v = to[i][1];
        memcpy(a[2 * i], (double[9]){x, y, 1, 0, 0, 0, -u * x, -u * y, u}, sizeof a[0]);
        memcpy(a[2 * i + 1], (double[9]){0, 0, 0, x, y, 1, -v * x, -v * y, v}, sizeof a[0]);
    }
    for (int i = 0; i < 8; i++) {
        int best = i;
        for (int k = i; k < 8; k++)
            best = fabs(a[k][i]) > fabs(a[best][i]) ? k : best;
        for (int c = 0; c < 9; c++) {
            double t = a[i][c];
            a[i][c] = a[best][c], a[best][c] = t;
        }
        for (int k = 0; k < 8; k++) {
            double f = k == i ? 0 : a[k][i] / a[i][i];
            for (int c = i; c < 9; c++)
                a[k][c] -= f * a[i][c];
        }
    }
    for (int i = 0; i < 8; i++)
        h[i] = a[i][8] / a[i][i];
    h[8] = 1;
}

/* The plane through the sheet's corners as they are seen. */
static void find_plane(struct photo *p, double low[2], double high[2])
{
    double seen[4][2], mm[4][2];
    low[0] = low[1] = 1e9;
    high[0] = high[1] = -1e9;
    for (int i = 0; i < 4; i++) {
        mm[i][0] = i & 1 ? p->l->width : 0;
        mm[i][1] = i & 2 ? p->l->height : 0;
        look(p, mm[i][0], mm[i][1], seen[i]);
        for (int k = 0; k < 2; k++) {
            low[k] = fmin(low[k], seen[i][k]);
            high[k] = fmax(high[k], seen[i][k]);
        }
    }
    solve_plane(seen, mm, p->h);
}

/* Hold the camera so that the whole sheet is seen in w by h pixels. */
static void hold_camera(struct photo *p, struct rng *r, int w, int h)
{
    double low[2], high[2];
    p->tilt = rng_range(r, 0, 25 * PI / 180);
    p->axis = rng_range(r, 0, 2 * PI);
    p->turn = rng_below(r, 4) * PI / 2 + rng_range(r, -0.2, 0.2);
    if ((w > h) != (fabs(sin(p->turn)) > 0.7))
        p->turn += PI / 2;
    p->scale = 1;
    p->middle[0] = p->middle[1] = p->at[0] = p->at[1] = 0;
    find_plane(p, low, high);
    p->scale = fmin(w / (high[0] - low[0]), h / (high[1] - low[1])) * rng_range(r, 0.82, 0.98);
    for (int k = 0; k < 2; k++) {
        p->middle[k] = (low[k] + high[k]) / 2;
        p->at[k] = (k ? h : w) / 2.0;
    }
    find_plane(p, low, high);
    p->hidden = rng_uniform(r) < THUMB ? (int)rng_below(r, FORM_MARKS) : -1;
}

static void map_plane(const double *h, double x, double y, double *out)
{
    double z = h[6] * x + h[7] * y + 1;
    out[0] = (h[0] * x + h[1] * y + h[2]) / z;
    out[1] = (h[3] * x + h[4] * y + h[5]) / z;
}

/* The point of the paper that is seen at a pixel: the flat sheet's is mended by how far from the pixel it is
 * seen, again and again. */
static void paper_at(const struct photo *p, double x, double y, double *mm)
{
    double flat[2], seen[2], there[2];
    map_plane(p->h, x, y, flat);
    memcpy(mm, flat, sizeof flat);
    for (int i = 0; i < 12 && p->rise != 0; i++) {
        look(p, mm[0], mm[1], seen);
        map_plane(p->h, seen[0], seen[1], there);
        mm[0] += flat[0] - there[0];
        mm[1] += flat[1] - there[1];
    }
}

enum { GRID = 8 }; /* pixels between points whose place on bent paper is looked for, by which others are placed */

/* The places on the paper of a row of such points. */
static void place_row(const struct photo *p, int y, int n, double (*mm)[2])
{
    for (int i = 0; i < n; i++)
        paper_at(p, i * GRID, y, mm[i]);
}

/* Those of the pixels of row y. */
static void paper_row(const struct photo *p, int w, int y, double (*mm)[2])
{
    static double grid[2][16384 / GRID + 2][2];
    int n = w / GRID + 2, top = y / GRID * GRID;
    if (p->rise == 0) {
        for (int x = 0; x < w; x++)
            map_plane(p->h, x, y, mm[x]);
        return;
    }
    if (y == top)
        for (int i = 0; i < 2; i++)
            place_row(p, top + i * GRID, n, grid[i]);
    for (int x = 0; x < w; x++)
        for (int k = 0; k < 2; k++) {
            double fx = (double)(x % GRID) / GRID, fy = (double)(y - top) / GRID;
            int i = x / GRID;
            mm[x][k] = (grid[0][i][k] * (1 - fx) + grid[0][i + 1][k] * fx) * (1 - fy) +
                       (grid[1][i][k] * (1 - fx) + grid[1][i + 1][k] * fx) * fy;
        }
}

static double under_thumb(const struct photo *p, double x, double y)
{
    if (p->hidden < 0)
        return 0;
    const struct form_rect *m = &p->l->mark[p->hidden];
    double dx = (x - m->x - m->w / 2) / 9, dy = (y - m->y - m->h / 2 + (p->hidden < 2 ? 6 : -6)) / 13;
    return dx * dx + dy * dy < 1;
}

static void photograph(struct photo *p, struct rng *r, struct frame *out, int w, int h)
{
    struct err e = ERR_NONE;
    float *v = malloc((size_t)w * (size_t)h * sizeof *v);
    double angle = rng_range(r, 0, 2 * PI), at = rng_range(r, -0.3, 0.3) * h, edge = rng_range(r, 0.02, 0.3) * h;
    double shade = rng_uniform(r) < 0.6 ? rng_range(r, 0.2, 0.5) : 0, lamp = rng_range(r, 0.75, 0.98);
    double table = rng_range(r, 0.1, 0.8), grain = rng_range(r, 0.005, 0.02);
    uint64_t seed = rng_bits(r);
    static double mm[16384][2];
    if (!v || frame_resize(out, w, h, &e))
        exit(1);
    for (int y = 0; y < h; y++) {
        paper_row(p, w, y, mm);
        for (int x = 0; x < w; x++) {
            double mx = mm[x][0], my = mm[x][1];
            bool on = mx >= 0 && my >= 0 && mx < p->l->width && my < p->l->height;
            double light = on ? sample(&p->page, mx * p->ppm - 0.5, my * p->ppm - 0.5) * 0.94 + 0.03 : table;
            if (!on)
                light += 0.1 * noise_at(seed, x / 60.0, y / 9.0);
            if (under_thumb(p, mx, my))
                light = 0.55 + 0.1 * noise_at(seed + 1, x / 50.0, y / 50.0);
            double far = (x - w / 2.0) * cos(angle) + (y - h / 2.0) * sin(angle) - at;
            v[(long)y * w + x] = (float)(light * lamp * (1 - shade / (1 + exp(-6 * far / edge))) + grain * bell(r));
        }
    }
    blur(v, w, h, rng_range(r, 0.4, 1.3) * h / 4000);
    jpeg(v, w, h, QUALITY);
    for (long i = 0; i < (long)w * h; i++)
        out->gray[i] = (uint8_t)lrintf(clamp(v[i]) * 255);
    free(v);
}

static void take_photo(struct photo *p, struct rng *r, struct frame *out, double rise, int w, int h)
{
    bool wide = rng_uniform(r) < 0.5;
    struct rng bent = *r; /* so that the camera is held as it is over a flat sheet */
    p->rise = rise;
    p->bend = rng_below(&bent, 2) * PI / 2 + rng_range(&bent, -0.3, 0.3);
    hold_camera(p, r, wide ? h : w, wide ? w : h);
    photograph(p, r, out, wide ? h : w, wide ? w : h);
}

/* ---- the scanner ---- */

/* Soften v, so that a pixel is the mean of what the scanner sees in it. */
static void soften(struct frame *f, double sigma)
{
    float *v = malloc((size_t)f->width * (size_t)f->height * sizeof *v);
    if (!v)
        exit(1);
    for (long i = 0; i < (long)f->width * f->height; i++)
        v[i] = f->gray[i];
    blur(v, f->width, f->height, sigma);
    for (long i = 0; i < (long)f->width * f->height; i++)
        f->gray[i] = (uint8_t)lrintf(v[i]);
    free(v);
}

/* Scan the page at dpi_x by dpi_y, a little askew, at a quarter turn; black and white alone: as a fax. */
static void scan(struct photo *p, struct rng *r, struct frame *out, double dpi_x, double dpi_y, bool fax)
{
    struct err e = ERR_NONE;
    int quarter = fax ? 2 * (int)rng_below(r, 2) : (int)rng_below(r, 4);
    double skew = rng_range(r, -3, 3) * PI / 180 + quarter * PI / 2, sx = dpi_x / 25.4, sy = dpi_y / 25.4;
    double wide = quarter % 2 ? p->l->height : p->l->width, tall = quarter % 2 ? p->l->width : p->l->height;
    double off_x = rng_range(r, -2, 2), off_y = rng_range(r, -2, 2), white = rng_range(r, 0.85, 1), grain = 0.01;
    int w = (int)(wide * sx), h = (int)(tall * sy);
    float *v = malloc((size_t)w * (size_t)h * sizeof *v);
    if (!v || frame_resize(out, w, h, &e))
        exit(1);
    if (dpi_x < 25.4 * p->ppm)
        soften(&p->page, 0.4 * p->ppm * 25.4 / dpi_x);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double dx = (x + 0.5) / sx - wide / 2 + off_x, dy = (y + 0.5) / sy - tall / 2 + off_y;
            double mx = dx * cos(skew) + dy * sin(skew) + p->l->width / 2;
            double my = -dx * sin(skew) + dy * cos(skew) + p->l->height / 2;
            bool on = mx >= 0 && my >= 0 && mx < p->l->width && my < p->l->height;
            double light = on ? sample(&p->page, mx * p->ppm - 0.5, my * p->ppm - 0.5) * 0.94 + 0.03 : 0.9;
            light = light * white + grain * bell(r);
            v[(long)y * w + x] = (float)(fax ? light > 0.6 : light);
        }
    if (!fax)
        jpeg(v, w, h, 75);
    for (long i = 0; i < (long)w * h; i++)
        out->gray[i] = (uint8_t)lrintf(clamp(v[i]) * 255);
    free(v);
}

/* Make a fax's pixels square, as camgrab does by the file's resolution. */
static void make_square(struct frame *f, double taller)
{
    struct err e = ERR_NONE;
    int w = f->width, h = f->height, high = (int)(h * taller);
    uint8_t *old = malloc((size_t)w * (size_t)h);
    if (!old)
        exit(1);
    memcpy(old, f->gray, (size_t)w * (size_t)h);
    if (frame_resize(f, w, high, &e))
        exit(1);
    for (int y = 0; y < high; y++) {
        double at = fmin(fmax((y + 0.5) / taller - 0.5, 0), h - 1.001);
        int i = (int)at;
        const uint8_t *above = old + (long)i * w;
        for (int x = 0; x < w; x++)
            f->gray[(long)y * w + x] = (uint8_t)lrint(above[x] * (1 - at + i) + above[w + x] * (at - i));
    }
    free(old);
}

/* It ends with all that it holds, which a leak sanitizer need not say. */
const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "detect_leaks=0";
}

int main(int argc, char **argv)
{
    struct err e = ERR_NONE;
    struct digits d = {0};
    struct form_layout layout;
    uint64_t seed = 1;
    double megapixels = 12, rise = 0, dpi = 0;
    bool fax = false;
    for (int c; (c = getopt(argc, argv, "c:d:fp:s:")) != -1;)
        switch (c) {
        case 'c': rise = atof(optarg); break;
        case 'd': dpi = atof(optarg); break;
        case 'f': fax = true; break;
        case 'p': megapixels = atof(optarg); break;
        case 's': seed = strtoull(optarg, NULL, 10); break;
        default: return 2;
        }
    if (argc - optind != 3)
        return fprintf(stderr, "usage: formphoto [-f] [-c mm] [-d dpi] [-p megapixels] [-s seed] "
                               "form values digits <pages\n"), 2;
    struct form *form = form_load(argv[optind], &e);
    FILE *values = fopen(argv[optind + 1], "r");
    if (!form || !values || form_lay_out(form, &layout, &e))
        fail(&e);
    load_digits(argv[optind + 2], &d);
    int hands = d.n[0]; /* as many frames of each digit from its beginning are hands' */
    for (int i = 0; i < 10; i++) {
        int n = 0;
        while (n < d.n[i] && d.of[i][n].width > 28)
            n++;
        hands = n < hands ? n : hands;
        if (!d.n[i])
            return fprintf(stderr, "formphoto: no digit %d\n", i), 1;
    }
    int w = (int)(sqrt(megapixels * 1e6 * 3 / 4)), h = w * 4 / 3;
    struct photo p = {.l = &layout};
    struct frame_reader *pages = frame_open("-", &e);
    struct frame out = {0};
    char line[4096], number[24];
    int got = 0;
    for (long i = 0; pages && (got = frame_read(pages, &p.page, &e)) > 0 && fgets(line, sizeof line, values); i++) {
        struct rng r = rng_seed(seed, (uint64_t)i);
        p.ppm = p.page.width / layout.width;
        fill_in(&p, line, &d, hands, &r);
        if (fax || dpi > 0)
            scan(&p, &r, &out, fax ? 204 : dpi, fax ? 98 : dpi, fax);
        else
            take_photo(&p, &r, &out, rise, w, h);
        if (fax)
            make_square(&out, 204 / 98.0);
        snprintf(number, sizeof number, "%ld", i);
        if (frame_set_fact(&out, "frame", number, &e) || frame_write(STDOUT_FILENO, &out, &e))
            fail(&e);
    }
    if (!pages || got < 0)
        fail(&e);
    fclose(values);
    form_layout_free(&layout);
    form_free(form);
    return 0;
}
