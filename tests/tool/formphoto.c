/* formphoto [-s seed] [-p megapixels] FORM VALUES DIGITS <pages >photos: fill in printed forms and photograph
 * them. pages: what pdftoppm made of formprint's PDF, a copy a frame, of a form of one sheet. VALUES: a line for
 * each, the values of the form's fields with tabs between them, - for one that stays empty. DIGITS: labelled
 * frames to write with, white on black: where ten are of the labels 0 to 9 in order, they are one hand's, others
 * are taken one by one. A photo depends on seed and number alone.
 *
 * One digit in twenty is written over its box's edge. A pen is black, blue or a pencil; the camera is tilted by up
 * to 25 degrees and turned anyhow; there are shadows, blur, noise and JPEG's quality 50; one mark in forty lies
 * under a thumb. */
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
    double h[9];       /* pixel of the photo to mm */
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

/* Where a point of the paper is seen, the camera tilted by `tilt` around an axis at `axis`, then turned. */
static void look(const struct form_layout *l, double x, double y, double tilt, double axis, double turn, double *out)
{
    double dx = x - l->width / 2, dy = y - l->height / 2, far = 1.6 * l->height;
    double u = dx * cos(axis) + dy * sin(axis), v = -dx * sin(axis) + dy * cos(axis);
    double z = far + v * sin(tilt), a = u / z, b = v * cos(tilt) / z;
    double px = a * cos(axis) - b * sin(axis), py = a * sin(axis) + b * cos(axis);
    out[0] = px * cos(turn) - py * sin(turn);
    out[1] = px * sin(turn) + py * cos(turn);
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

/* Hold the camera so that the whole sheet is seen in w by h pixels. */
static void hold_camera(struct photo *p, struct rng *r, int w, int h)
{
    double tilt = rng_range(r, 0, 25 * PI / 180), axis = rng_range(r, 0, 2 * PI);
    double turn = rng_below(r, 4) * PI / 2 + rng_range(r, -0.2, 0.2), seen[4][2], mm[4][2];
    if ((w > h) != (fabs(sin(turn)) > 0.7))
        turn += PI / 2;
    double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
    for (int i = 0; i < 4; i++) {
        mm[i][0] = i & 1 ? p->l->width : 0;
        mm[i][1] = i & 2 ? p->l->height : 0;
        look(p->l, mm[i][0], mm[i][1], tilt, axis, turn, seen[i]);
        for (int k = 0; k < 2; k++) {
            low[k] = fmin(low[k], seen[i][k]);
            high[k] = fmax(high[k], seen[i][k]);
        }
    }
    double scale = fmin(w / (high[0] - low[0]), h / (high[1] - low[1])) * rng_range(r, 0.82, 0.98);
    for (int i = 0; i < 4; i++) {
        seen[i][0] = (seen[i][0] - (low[0] + high[0]) / 2) * scale + w / 2.0;
        seen[i][1] = (seen[i][1] - (low[1] + high[1]) / 2) * scale + h / 2.0;
    }
    solve_plane(seen, mm, p->h);
    p->hidden = rng_uniform(r) < THUMB ? (int)rng_below(r, FORM_MARKS) : -1;
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
    if (!v || frame_resize(out, w, h, &e))
        exit(1);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double z = p->h[6] * x + p->h[7] * y + 1;
            double mx = (p->h[0] * x + p->h[1] * y + p->h[2]) / z, my = (p->h[3] * x + p->h[4] * y + p->h[5]) / z;
            bool on = mx >= 0 && my >= 0 && mx < p->l->width && my < p->l->height;
            double light = on ? sample(&p->page, mx * p->ppm - 0.5, my * p->ppm - 0.5) * 0.94 + 0.03 : table;
            if (!on)
                light += 0.1 * noise_at(seed, x / 60.0, y / 9.0);
            if (under_thumb(p, mx, my))
                light = 0.55 + 0.1 * noise_at(seed + 1, x / 50.0, y / 50.0);
            double far = (x - w / 2.0) * cos(angle) + (y - h / 2.0) * sin(angle) - at;
            v[(long)y * w + x] = (float)(light * lamp * (1 - shade / (1 + exp(-6 * far / edge))) + grain * bell(r));
        }
    blur(v, w, h, rng_range(r, 0.4, 1.3) * h / 4000);
    jpeg(v, w, h, QUALITY);
    for (long i = 0; i < (long)w * h; i++)
        out->gray[i] = (uint8_t)lrintf(clamp(v[i]) * 255);
    free(v);
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
    double megapixels = 12;
    for (int c; (c = getopt(argc, argv, "p:s:")) != -1;)
        if (c == 's')
            seed = strtoull(optarg, NULL, 10);
        else if (c == 'p')
            megapixels = atof(optarg);
        else
            return 2;
    if (argc - optind != 3)
        return fprintf(stderr, "usage: formphoto [-s seed] [-p megapixels] form values digits <pages\n"), 2;
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
        bool wide = rng_uniform(&r) < 0.5;
        hold_camera(&p, &r, wide ? h : w, wide ? w : h);
        photograph(&p, &r, &out, wide ? h : w, wide ? w : h);
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
