/* Augmentation of digits.
 *   in   pixels [H][W] of an image, seed, epoch, index
 *   out  the network's input: pen width, then one bilinear warp (affine and elastic, Simard et al. 2003),
 *        then
 *        random erasing (Zhong et al. 2017) */
#include "learn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

#define PAD 1 /* Pixels of border before a row's first; AUGMENT_PADDED leaves two behind its last. */
#define STRIDE AUGMENT_PADDED

const struct augment_options augment_none = {0};

static const struct word {
    const char *name;
    size_t offset;
    double high;
} words[] = {
    {"rotate", offsetof(struct augment_options, rotate), 180},
    {"shear", offsetof(struct augment_options, shear), 60},
    {"zoom", offsetof(struct augment_options, zoom), 0.9},
    {"shift", offsetof(struct augment_options, shift), 1},
    {"elastic", offsetof(struct augment_options, elastic), 4},
    {"stroke", offsetof(struct augment_options, stroke), 2},
    {"erase", offsetof(struct augment_options, erase), 1},
};
#define WORDS (sizeof words / sizeof *words)

/* `name=value` of len bytes. */
static int parse_word(const char *text, size_t len, struct augment_options *o, struct err *e)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)(len < sizeof copy ? len : sizeof copy - 1), text);
    char *value = strchr(copy, '=');
    if (value)
        *value++ = '\0';
    for (size_t i = 0; i < WORDS; i++) {
        if (strcmp(copy, words[i].name))
            continue;
        char *end = value;
        double x = value ? strtod(value, &end) : -1;
        if (!value || end == value || *end || !(x >= 0 && x <= words[i].high))
            return err_set(e, "%s: not a number from 0 to %g", copy, words[i].high);
        memcpy((char *)o + words[i].offset, &x, sizeof x);
        return 0;
    }
    return err_set(e, "'%s' is no augmentation: rotate, shear, zoom, shift, elastic, stroke, erase",
                   copy);
}

int augment_parse(const char *text, struct augment_options *o, struct err *e)
{
    *o = augment_none;
    const char *p = text;
    for (;;) {
        size_t len = strcspn(p, ",");
        if (p == text && len == 7 && !strncmp(p, "default", len))
            *o = (struct augment_options)AUGMENT_DEFAULT;
        else if (!(p == text && len == 4 && !strncmp(p, "none", len)) && parse_word(p, len, o, e))
            return -1;
        if (!p[len])
            return 0;
        p += len + 1;
    }
}

char *augment_text(const struct augment_options *o, char *text, size_t size)
{
    size_t used = 0;
    snprintf(text, size, "none");
    for (size_t i = 0; i < WORDS; i++) {
        double x;
        memcpy(&x, (const char *)o + words[i].offset, sizeof x);
        if (x > 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s=%g", used ? "," : "",
                                     words[i].name, x);
    }
    return text;
}

/* The cubic B-spline at distance d from its node, in cells. */
static double bspline(double d)
{
    d = fabs(d);
    if (d < 1)
        return 2.0 / 3 - d * d + d * d * d / 2;
    return d < 2 ? (2 - d) * (2 - d) * (2 - d) / 6 : 0;
}

/* The weight of node j (at -1, 0, ... cells) for pixel i of `side`, which spans 4 cells. */
static float node_weight(int j, int i, int side)
{
    double at = side > 1 ? (AUGMENT_NODES - 3) * (double)i / (side - 1) : 0;
    return (float)bspline(at - (j - 1));
}

void augment_init(struct augment *a, const struct augment_options *o, uint64_t seed, int height,
                  int width, double scale, double mean, double std)
{
    memset(a, 0, sizeof *a);
    a->options = *o;
    a->off = !memcmp(o, &augment_none, sizeof *o);
    a->height = height;
    a->width = width;
    a->seed = seed;
    a->scale = (float)(scale / std);
    a->offset = (float)(-mean / std);
    for (int j = 0; j < AUGMENT_NODES; j++) {
        for (int y = 0; y < height; y++)
            a->basis_y[y][j] = node_weight(j, y, height);
        for (int x = 0; x < width; x++)
            a->basis_x[j][x] = node_weight(j, x, width);
    }
}

static double spread(struct rng *r, double most)
{
    return most * rng_range(r, -1, 1);
}

static float max_of(float a, float b)
{
    return a > b ? a : b;
}

static float min_of(float a, float b)
{
    return a < b ? a : b;
}

/* Move the pen's edge out (amount > 0) or in by up to one pixel: mix the picture with its dilation or
 * erosion by the four neighbours, which is put into result [H][W] first. */
static void move_edge(const struct augment *a, float (*in)[STRIDE], float amount, float *result)
{
    float *out = result;
    for (int y = 0; y < a->height; y++, out += a->width) {
        const float *up = in[y] + PAD, *row = in[y + 1] + PAD, *down = in[y + 2] + PAD;
        if (amount > 0)
            for (int x = 0; x < a->width; x++)
                out[x] = max_of(max_of(max_of(row[x - 1], row[x + 1]), max_of(up[x], down[x])),
                                   row[x]);
        else
            for (int x = 0; x < a->width; x++)
                out[x] = min_of(min_of(min_of(row[x - 1], row[x + 1]), min_of(up[x], down[x])),
                                   row[x]);
    }
    float t = fabsf(amount);
    out = result;
    for (int y = 0; y < a->height; y++, out += a->width) {
        float *row = in[y + PAD] + PAD;
        for (int x = 0; x < a->width; x++)
            row[x] += t * (out[x] - row[x]);
    }
}

/* The map from a pixel of the result to the padded picture: x' = xx * x + xy * y + x0, y' likewise. */
struct affine {
    float xx, xy, x0, yx, yy, y0;
};

static struct affine draw_affine(const struct augment *a, struct rng *r)
{
    const double degree = 3.14159265358979323846 / 180;
    const struct augment_options *o = &a->options;
    double angle = spread(r, o->rotate) * degree, slant = spread(r, o->shear) * degree;
    double zoom_x = 1 + spread(r, o->zoom), zoom_y = 1 + spread(r, o->zoom);
    double shift_x = spread(r, o->shift) * a->width, shift_y = spread(r, o->shift) * a->height;
    double c = cos(angle), s = sin(angle), k = tan(slant);
    struct affine m = {.xx = (float)(c * zoom_x),
                       .xy = (float)((c * k - s) * zoom_y),
                       .yx = (float)(s * zoom_x),
                       .yy = (float)((s * k + c) * zoom_y)};
    float middle_x = (float)(a->width - 1) / 2, middle_y = (float)(a->height - 1) / 2;
    m.x0 = middle_x - m.xx * middle_x - m.xy * middle_y + (float)shift_x + PAD;
    m.y0 = middle_y - m.yx * middle_x - m.yy * middle_y + (float)shift_y + PAD;
    return m;
}

typedef float nodes[2][AUGMENT_NODES][AUGMENT_NODES]; /* x and y displacements */

/* Draw the nodes uniformly within `reach`, a deviation of reach / sqrt(3), of which a sum of B-splines
 * keeps 0.48. */
static void draw_nodes(const struct augment *a, struct rng *r, nodes grid)
{
    double reach = a->options.elastic * sqrt(3.0) / 0.48;
    for (int d = 0; d < 2; d++) {
        double most = reach * (d ? a->height : a->width) / 28;
        for (int j = 0; j < AUGMENT_NODES; j++)
            for (int i = 0; i < AUGMENT_NODES; i++)
                grid[d][j][i] = (float)spread(r, most);
    }
}

/* Add the elastic displacement of row y: at[x] += it. */
static void displace(const struct augment *a, int y, float grid[AUGMENT_NODES][AUGMENT_NODES],
                     float *at)
{
    for (int i = 0; i < AUGMENT_NODES; i++) {
        float node = 0;
        for (int j = 0; j < AUGMENT_NODES; j++)
            node += a->basis_y[y][j] * grid[j][i];
        const float *weight = a->basis_x[i];
        for (int x = 0; x < a->width; x++)
            at[x] += node * weight[x];
    }
}

static void warp(const struct augment *a, struct affine m, nodes grid, float (*in)[STRIDE],
                 float *result)
{
    float from_x[AUGMENT_MAX_SIDE], from_y[AUGMENT_MAX_SIDE];
    float last_x = (float)(a->width + PAD), last_y = (float)(a->height + PAD);
    for (int y = 0; y < a->height; y++, result += a->width) {
        for (int x = 0; x < a->width; x++) {
            from_x[x] = m.xx * (float)x + m.xy * (float)y + m.x0;
            from_y[x] = m.yx * (float)x + m.yy * (float)y + m.y0;
        }
        if (a->options.elastic > 0) {
            displace(a, y, grid[0], from_x);
            displace(a, y, grid[1], from_y);
        }
        for (int x = 0; x < a->width; x++) {
            float sx = max_of(0, min_of(from_x[x], last_x));
            float sy = max_of(0, min_of(from_y[x], last_y));
            int ix = (int)sx, iy = (int)sy;
            float fx = sx - (float)ix, fy = sy - (float)iy;
            const float *p = &in[iy][ix], *q = p + STRIDE;
            float above = p[0] + fx * (p[1] - p[0]), below = q[0] + fx * (q[1] - q[0]);
            result[x] = (above + fy * (below - above)) * a->scale + a->offset;
        }
    }
}

/* Blacken a rectangle of 2 to 10 % of the picture, of sides at a ratio of 1:3 to 3:1. */
static void erase(const struct augment *a, struct rng *r, float *x)
{
    double area = rng_range(r, 0.02, 0.1) * a->width * a->height;
    double ratio = exp(rng_range(r, -1.0986, 1.0986));
    int w = (int)lround(sqrt(area * ratio)), h = (int)lround(sqrt(area / ratio));
    w = w < 1 ? 1 : w > a->width ? a->width : w;
    h = h < 1 ? 1 : h > a->height ? a->height : h;
    int left = (int)rng_below(r, (uint32_t)(a->width - w + 1));
    int top = (int)rng_below(r, (uint32_t)(a->height - h + 1));
    for (int i = top; i < top + h; i++)
        for (int j = left; j < left + w; j++)
            x[i * a->width + j] = a->offset;
}

static void scale_only(const struct augment *a, const uint8_t *pixels, float *x)
{
    for (int i = 0; i < a->height * a->width; i++)
        x[i] = (float)pixels[i] * a->scale + a->offset;
}

void augment_image(const struct augment *a, uint64_t epoch, uint64_t index, bool plain, const uint8_t *pixels,
                   struct augment_room *room, float *x)
{
    if (plain || a->off) {
        scale_only(a, pixels, x);
        return;
    }
    float(*padded)[STRIDE] = room->padded;
    memset(padded, 0, (size_t)(a->height + 3) * sizeof *padded);
    for (int i = 0; i < a->height; i++)
        for (int j = 0; j < a->width; j++)
            padded[i + PAD][j + PAD] = pixels[i * a->width + j];

    struct rng r = rng_seed(a->seed, rng_mix(epoch) + index);
    double stroke = spread(&r, a->options.stroke);
    for (double left = fabs(stroke); left > 0; left -= 1)
        move_edge(a, padded, (float)copysign(fmin(left, 1), stroke), x);

    struct affine m = draw_affine(a, &r);
    nodes grid;
    if (a->options.elastic > 0)
        draw_nodes(a, &r, grid);
    warp(a, m, grid, padded, x);
    if (a->options.erase > 0 && rng_uniform(&r) < a->options.erase)
        erase(a, &r, x);
}
