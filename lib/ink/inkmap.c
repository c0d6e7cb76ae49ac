#include "inkmap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NARROWEST 96 /* map pixels: no picture is made narrower; what is has cells of a pixel */

/* What counts as ink. Contrasts are fractions of the paper's brightness times 255. */
#define FLOOR 9            /* fainter than this is never ink */
#define TEXTURE_FACTOR 1.8f /* ink stands out by this much more than bare paper does */
#define GRAIN 4            /* pixels: paper's fibres and a camera's noise are finer */
#define GRAIN_FACTOR 4
#define NOISY 22           /* texture from which the picture is blurred first */
#define PEAK_PART 0.40f /* of the strongest ink nearby */
#define USUAL_PEAK 0.6  /* of the cells with ink have no stronger peak: the writing's */
#define STRONGER 1.5f   /* times the writing's peak: what was taken out hid thin writing */
/* The paper's curve in brightness, at most, over a length of the frame's shorter side: what bends
 * more is ink. A stroke as wide as a quarter of that side is dark by 0.14 too little. */
#define BEND 8.9f
#define BEND_SMALL 4.0f /* in those with cells of a pixel, where strokes are wide for their size */
#define RIM_LIGHTER 64     /* levels: a rim so much lighter than the rest is paper around dark ink, */
#define RIM_SAYS 0.3       /* which makes it surer by this */
#define DARK 16            /* added to the paper's brightness: a dark desk's noise is not ink */

static int grow(uint8_t **p, size_t size, struct err *e)
{
    uint8_t *q = realloc(*p, size);
    if (!q)
        return err_set(e, "out of memory");
    *p = q;
    return 0;
}

/* One of INKMAP_LINES working lines, of as many numbers of 16 bits as the map is wide and four more. */
static void *working_line(const struct inkmap *m, int i)
{
    return m->lines + i * m->line_size;
}

static int reserve_lines(struct inkmap *m, struct err *e)
{
    size_t size = (size_t)m->width + 4;
    if (size <= m->line_size)
        return 0;
    uint16_t *lines = realloc(m->lines, INKMAP_LINES * size * sizeof *lines);
    if (!lines)
        return err_set(e, "out of memory");
    m->lines = lines;
    m->line_size = size;
    return 0;
}

static int reserve(struct inkmap *m, struct err *e)
{
    if (reserve_lines(m, e))
        return -1;
    size_t size = (size_t)m->width * m->height;
    if (size > m->size) {
        if (grow(&m->gray, size, e) || grow(&m->ink, size, e))
            return -1;
        m->size = size;
    }
    size = (size_t)m->gw * m->gh;
    if (size > m->grid_size) {
        if (grow(&m->paper, size, e) || grow(&m->peak, size, e) || grow(&m->mean, size, e) ||
            grow(&m->scratch, size, e))
            return -1;
        uint32_t *sums = realloc(m->sums, 2 * (size + 1) * sizeof *sums); /* (gw + 1) * (gh + 1) */
        if (!sums)
            return err_set(e, "out of memory");
        m->sums = sums;
        m->grid_size = size;
    }
    return 0;
}

/* The means of k x k pixels each. Inlined for a constant k the loops go by vectors. */
static inline void reduce_by(const struct inkmap *m, const struct source *s, uint16_t *restrict sum, int k)
{
    int w = m->width, whole = k * k;
    for (int y = 0; y < m->height; y++) {
        memset(sum, 0, (size_t)w * sizeof *sum);
        for (int j = 0; j < k; j++) {
            const uint8_t *row = s->gray + ((long)y * k + j) * s->stride;
            for (int x = 0; x < w; x++)
                for (int i = 0; i < k; i++)
                    sum[x] = (uint16_t)(sum[x] + row[(long)x * k + i]);
        }
        uint8_t *restrict out = m->gray + (long)y * w;
        for (int x = 0; x < w; x++)
            out[x] = (uint8_t)(sum[x] / whole);
    }
}

static void reduce(const struct inkmap *m, const struct source *s, uint16_t *sum)
{
    switch (m->reduce) {
    case 2: reduce_by(m, s, sum, 2); break;
    case 3: reduce_by(m, s, sum, 3); break;
    default: reduce_by(m, s, sum, m->reduce);
    }
}

int inkmap_load(struct inkmap *m, const struct source *s, struct err *e)
{
    int k = (max_int(s->w, s->h) + INKMAP_SIDE - 1) / INKMAP_SIDE;
    return inkmap_load_by(m, s, min_int(k, max_int(1, min_int(s->w, s->h) / NARROWEST)), e);
}

int inkmap_load_by(struct inkmap *m, const struct source *s, int k, struct err *e)
{
    m->reduce = k;
    m->width = s->w / k;
    m->height = s->h / k;
    int side = inkmap_side(m);
    m->cell = side < NARROWEST ? 1 : side < 240 ? 4 : side < 720 ? 8 : 16;
    m->gw = (m->width + m->cell - 1) / m->cell;
    m->gh = (m->height + m->cell - 1) / m->cell;
    if (reserve(m, e))
        return -1;
    if (k > 1) {
        uint16_t *sum = malloc((size_t)m->width * sizeof *sum);
        if (!sum)
            return err_set(e, "out of memory");
        reduce(m, s, sum);
        free(sum);
        return 0;
    }
    for (int y = 0; y < s->h; y++)
        memcpy(m->gray + (long)y * s->w, s->gray + y * s->stride, (size_t)s->w);
    return 0;
}

void inkmap_free(struct inkmap *m)
{
    free(m->gray);
    free(m->ink);
    free(m->paper);
    free(m->peak);
    free(m->mean);
    free(m->scratch);
    free(m->sums);
    free(m->lines);
    *m = (struct inkmap){0};
}

static void complement(uint8_t *grid, size_t n)
{
    for (size_t i = 0; i < n; i++)
        grid[i] = (uint8_t)~grid[i];
}

void inkmap_invert(struct inkmap *m)
{
    complement(m->gray, (size_t)m->width * m->height);
}

/* out = the larger of itself and `in` lowered by `cost`. */
static void raise(uint8_t *restrict out, const uint8_t *restrict in, int n, uint8_t cost)
{
    for (int x = 0; x < n; x++) {
        uint8_t v = in[x] > cost ? (uint8_t)(in[x] - cost) : 0;
        out[x] = out[x] > v ? out[x] : v;
    }
}

/* A shape to dilate by: costs[d], for a distance of d cells; as many as cost less than 255. */
struct shape {
    const uint8_t *cost;
    int reach;
};

/* Dilate the grid by a shape whose cost is the sum of that of the distances down and across:
 * columns first, then rows. */
static void dilate(uint8_t *grid, uint8_t *scratch, int gw, int gh, const struct shape *s)
{
    size_t n = (size_t)gw * gh;
    memcpy(scratch, grid, n);
    for (int d = 1; d < gh && d <= s->reach; d++) {
        size_t shift = (size_t)d * gw;
        raise(grid, scratch + shift, (int)(n - shift), s->cost[d]);
        raise(grid + shift, scratch, (int)(n - shift), s->cost[d]);
    }
    memcpy(scratch, grid, n);
    for (int y = 0; y < gh; y++)
        for (int d = 1; d < gw && d <= s->reach; d++) {
            size_t row = (size_t)y * gw;
            raise(grid + row, scratch + row + d, gw - d, s->cost[d]);
            raise(grid + row + d, scratch + row, gw - d, s->cost[d]);
        }
}

/* Close the paper by a parabola: what is darker and narrower than the parabola is filled. */
static void close_paper(struct inkmap *m)
{
    int side = min_int(m->gw, m->gh);
    float bend = (m->cell == 1 ? BEND_SMALL : BEND) * 255 / (float)(side * side);
    uint8_t *cost = working_line(m, 0);
    struct shape s = {.cost = cost};
    /* A cost reaches 255 within half the shorter side. */
    for (int d = 0; d <= m->width && bend * (float)d * (float)d < 255; d++) {
        cost[d] = (uint8_t)(bend * (float)d * (float)d);
        s.reach = d;
    }
    size_t n = (size_t)m->gw * m->gh;
    dilate(m->paper, m->scratch, m->gw, m->gh, &s);
    complement(m->paper, n);
    dilate(m->paper, m->scratch, m->gw, m->gh, &s);
    complement(m->paper, n);
}

/* 3x3 mean of a grid, in place through scratch; cells outside count as the nearest inside. */
static void smooth(uint8_t *grid, uint8_t *scratch, int gw, int gh)
{
    for (int y = 0; y < gh; y++)
        for (int x = 0; x < gw; x++) {
            int sum = 0;
            for (int j = -1; j <= 1; j++) {
                const uint8_t *row = grid + (long)min_int(max_int(y + j, 0), gh - 1) * gw;
                sum += row[max_int(x - 1, 0)] + 2 * row[x] + row[min_int(x + 1, gw - 1)];
            }
            scratch[(long)y * gw + x] = (uint8_t)((sum + 6) / 12);
        }
    memcpy(grid, scratch, (size_t)gw * gh);
}

/* The mean of each cell. */
static void cell_means(struct inkmap *m)
{
    uint16_t *restrict sum = working_line(m, 0);
    for (int cy = 0; cy < m->gh; cy++) {
        int y0 = cy * m->cell, y1 = min_int(y0 + m->cell, m->height);
        memset(sum, 0, (size_t)m->width * sizeof *sum);
        for (int y = y0; y < y1; y++) {
            const uint8_t *restrict row = m->gray + (long)y * m->width;
            for (int x = 0; x < m->width; x++)
                sum[x] = (uint16_t)(sum[x] + row[x]);
        }
        for (int cx = 0; cx < m->gw; cx++) {
            int x0 = cx * m->cell, x1 = min_int(x0 + m->cell, m->width), all = 0;
            for (int x = x0; x < x1; x++)
                all += sum[x];
            m->mean[(long)cy * m->gw + cx] = (uint8_t)(all / ((x1 - x0) * (y1 - y0)));
        }
    }
}

/* Each cell's value for each of its pixels. */
static void spread(const struct inkmap *m, const uint8_t *cells, uint8_t *row)
{
    for (int cx = 0; cx < m->gw; cx++)
        memset(row + cx * m->cell, cells[cx], (size_t)min_int(m->cell, m->width - cx * m->cell));
}

/* The mean of what is not darker than each cell's mean. */
static void upper_means(struct inkmap *m)
{
    uint16_t *restrict sum = working_line(m, 0), *restrict count = working_line(m, 1);
    uint8_t *restrict mean = working_line(m, 2);
    for (int cy = 0; cy < m->gh; cy++) {
        int y0 = cy * m->cell, y1 = min_int(y0 + m->cell, m->height);
        memset(sum, 0, (size_t)m->width * sizeof *sum);
        memset(count, 0, (size_t)m->width * sizeof *count);
        spread(m, m->mean + (long)cy * m->gw, mean);
        for (int y = y0; y < y1; y++) {
            const uint8_t *restrict row = m->gray + (long)y * m->width;
            for (int x = 0; x < m->width; x++) {
                sum[x] = (uint16_t)(sum[x] + (row[x] >= mean[x] ? row[x] : 0));
                count[x] = (uint16_t)(count[x] + (row[x] >= mean[x]));
            }
        }
        for (int cx = 0; cx < m->gw; cx++) {
            int x1 = min_int((cx + 1) * m->cell, m->width), all = 0, n = 0;
            for (int x = cx * m->cell; x < x1; x++) {
                all += sum[x];
                n += count[x];
            }
            /* A cell's brightest pixel is not darker than its mean. */
            // cppcheck-suppress zerodiv
            m->paper[(long)cy * m->gw + cx] = (uint8_t)(all / n);
        }
    }
}

/* Sums of the cubes of differences from the mean nearby: of all, without their signs, and of those of
 * darker pixels. */
struct skew {
    uint64_t sizes, darker;
};

/* Add every step-th pixel of a row of n. Sums of 256 cubes of up to 255 fit 32 bits. */
static inline void add_cubes(const uint8_t *near, const uint8_t *row, int n, int step,
                             struct skew *s)
{
    for (int from = 0; from < n; from += 256 * step) {
        uint32_t sizes = 0, darker = 0;
        int end = min_int(n, from + 256 * step);
        for (int x = from; x < end; x += step) {
            uint16_t more = (uint16_t)(near[x] > row[x] ? near[x] - row[x] : 0);
            uint16_t size = (uint16_t)(near[x] > row[x] ? more : row[x] - near[x]);
            sizes += (uint32_t)(uint16_t)(size * size) * size;
            darker += (uint32_t)(uint16_t)(more * more) * more;
        }
        s->sizes += sizes;
        s->darker += darker;
    }
}

/* Fill m->scratch with the means about each cell, of cells up to a third of the shorter side away, by a
 * summed-area table. */
static void local_means(struct inkmap *m)
{
    uint32_t *sat = m->sums;
    int sw = m->gw + 1, r = max_int(1, min_int(m->gw, m->gh) / 3);
    memset(sat, 0, (size_t)sw * (size_t)(m->gh + 1) * sizeof *sat);
    for (int y = 0; y < m->gh; y++)
        for (int x = 0; x < m->gw; x++)
            sat[(y + 1) * sw + x + 1] = sat[y * sw + x + 1] + sat[(y + 1) * sw + x] -
                                        sat[y * sw + x] + m->mean[(long)y * m->gw + x];
    for (int y = 0; y < m->gh; y++) {
        int y0 = max_int(y - r, 0), y1 = min_int(y + r + 1, m->gh);
        for (int x = 0; x < m->gw; x++) {
            int x0 = max_int(x - r, 0), x1 = min_int(x + r + 1, m->gw);
            uint32_t sum = sat[y1 * sw + x1] - sat[y0 * sw + x1] - sat[y1 * sw + x0] + sat[y0 * sw + x0];
            m->scratch[(long)y * m->gw + x] = (uint8_t)(sum / (uint32_t)((x1 - x0) * (y1 - y0)));
        }
    }
}

/* How much lighter the cells at the picture's edge are than all, of which each counts as often as it has
 * rows, every step-th. */
static double lighter_rim(const struct inkmap *m, int step)
{
    double rim = 0, rims = 0, all = 0, cells = 0;
    for (int y = 0; y < m->gh; y++) {
        int rows = (min_int(m->cell, m->height - y * m->cell) + step - 1) / step;
        for (int x = 0; x < m->gw; x++) {
            bool at_rim = y == 0 || x == 0 || y == m->gh - 1 || x == m->gw - 1;
            double sum = rows * m->mean[(long)y * m->gw + x];
            all += sum;
            cells += rows;
            rim += at_rim ? sum : 0;
            rims += at_rim ? rows : 0;
        }
    }
    return rim / rims - all / cells;
}

float inkmap_polarity(struct inkmap *m)
{
    int step = m->cell > 4 ? 2 : 1;
    struct skew skew = {0, 0};
    uint8_t *near = working_line(m, 0);
    cell_means(m);
    local_means(m);
    for (int y = 0; y < m->height; y += step) {
        const uint8_t *row = m->gray + (long)y * m->width;
        spread(m, m->scratch + (long)(y / m->cell) * m->gw, near);
        if (step == 1) /* constants, for the compiler's sake */
            add_cubes(near, row, m->width, 1, &skew);
        else
            add_cubes(near, row, m->width, 2, &skew);
    }
    double cubes = (double)(2 * (int64_t)skew.darker - (int64_t)skew.sizes);
    double rim = fmax(-1, fmin(1, lighter_rim(m, step) / RIM_LIGHTER));
    double sure = (skew.sizes > 0 ? cubes / (double)skew.sizes : 0) + RIM_SAYS * rim;
    return (float)fmax(-1, fmin(1, sure));
}

/* A value below which a part q of the grid's cells lie. */
static int quantile(const uint8_t *grid, size_t n, double q)
{
    size_t count[256] = {0}, want = (size_t)(q * (double)n), seen = 0;
    for (size_t i = 0; i < n; i++)
        count[grid[i]]++;
    for (int v = 0; v < 256; v++) {
        seen += count[v];
        if (seen > want)
            return v;
    }
    return 255;
}

/* n values from `from` on, each `slope` / 16 more. */
static inline void ramp(uint16_t *out, int from, int slope, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = (uint16_t)((from + i * slope) >> 4);
}

/* Values of a row of cells for a row of pixels, interpolated between their centres, times 16. */
static void across(const struct inkmap *m, const uint8_t *cells, uint16_t *out)
{
    int c = m->cell, shift = c == 1 ? 0 : c == 4 ? 2 : c == 8 ? 3 : 4;
    ramp(out, cells[0] * 256, 0, min_int(c / 2, m->width));
    for (int cx = 0; cx < m->gw; cx++) {
        int here = cells[cx] * 16, next = cells[min_int(cx + 1, m->gw - 1)] * 16;
        int x0 = cx * c + c / 2, n = min_int(c, m->width - x0);
        int slope = (next - here) * 16 >> shift, from = here * 16 + slope / 2 * (c > 1);
        if (n == 8) /* written out for the compiler's sake */
            ramp(out + x0, from, slope, 8);
        else if (n == 16)
            ramp(out + x0, from, slope, 16);
        else
            ramp(out + x0, from, slope, n);
    }
}

/* out = a + (b - a) * part / 2^15; values under 2^13 (so that it is one multiplication for eight). */
static void between(const uint16_t *restrict a, const uint16_t *restrict b, int16_t part, int n,
                    uint16_t *restrict out)
{
    for (int x = 0; x < n; x++) {
        int16_t twice = (int16_t)(2 * (b[x] - a[x]));
        out[x] = (uint16_t)(a[x] + (int16_t)(twice * part >> 16));
    }
}

/* A grid's values for pixels, row after row from the top. */
struct rows {
    const uint8_t *grid;
    int cell_row;            /* of `above`; -1 at first */
    uint16_t *above, *below; /* at the centres of two rows of cells */
    uint16_t *at;            /* of the row asked for, times 16 */
};

/* They take the first three working lines. */
static struct rows rows_of(const struct inkmap *m, const uint8_t *grid)
{
    return (struct rows){grid, -1, working_line(m, 0), working_line(m, 1), working_line(m, 2)};
}

static void rows_seek(struct rows *r, const struct inkmap *m, int y)
{
    int c = m->cell, fy = max_int(2 * y + 1 - c, 0); /* in half pixels from the first centre */
    int cy = min_int(fy / (2 * c), m->gh - 1);
    int16_t part = (int16_t)min_int((fy - cy * 2 * c) * (32768 / (2 * c)), 32767);
    if (cy != r->cell_row) {
        if (cy == r->cell_row + 1 && cy > 0)
            memcpy(r->above, r->below, (size_t)m->width * sizeof *r->above);
        else
            across(m, r->grid + (long)cy * m->gw, r->above);
        across(m, r->grid + (long)min_int(cy + 1, m->gh - 1) * m->gw, r->below);
        r->cell_row = cy;
    }
    between(r->above, r->below, part, m->width, r->at);
}

/* One row's contrasts: (paper - gray) / (paper + DARK), times 255; paper is times 16, factor[x] is
 * 255 * 2^12 / (paper + DARK). top[x] becomes the largest so far. */
static void contrast_row(const uint8_t *restrict gray, const uint16_t *restrict paper,
                         const uint16_t *restrict factor, int n, uint8_t *restrict ink,
                         uint8_t *restrict top)
{
    for (int x = 0; x < n; x++) {
        uint16_t g = (uint16_t)(gray[x] * 16);
        uint16_t d = paper[x] > g ? (uint16_t)(paper[x] - g) : 0;
        ink[x] = (uint8_t)((uint32_t)d * factor[x] >> 16);
        top[x] = top[x] > ink[x] ? top[x] : ink[x];
    }
}

/* The peaks of a row of cells, of whose columns of pixels the strongest is top[x]. */
static void cell_peaks(struct inkmap *m, int cy, const uint8_t *top)
{
    for (int cx = 0; cx < m->gw; cx++) {
        int x1 = min_int((cx + 1) * m->cell, m->width), most = 0;
        for (int x = cx * m->cell; x < x1; x++)
            most = max_int(most, top[x]);
        m->peak[(long)cy * m->gw + cx] = (uint8_t)most;
    }
}

/* The paper of row y: as it was closed pixel by pixel, or interpolated. */
static void paper_row(const struct inkmap *m, struct rows *r, const uint8_t *closed, int y)
{
    if (!closed)
        rows_seek(r, m, y);
    for (int x = 0; closed && x < m->width; x++)
        r->at[x] = (uint16_t)(closed[(long)y * m->width + x] * 16);
}

/* Contrast of every pixel to the paper, and the strongest of every cell. */
static void contrasts(struct inkmap *m, const uint8_t *closed)
{
    struct rows paper = rows_of(m, m->paper);
    uint16_t *factor = working_line(m, 3);
    uint64_t inverse[256]; /* four times the same */
    uint8_t *top = working_line(m, 4);
    for (int i = 0; i < 256; i++)
        inverse[i] = (255u << 12) / (uint32_t)(i + DARK) * 0x0001000100010001u;
    for (int cy = 0; cy < m->gh; cy++) {
        int y0 = cy * m->cell, y1 = min_int(y0 + m->cell, m->height);
        memset(top, 0, (size_t)m->width);
        for (int y = y0; y < y1; y++) {
            paper_row(m, &paper, closed, y);
            for (int x = 0; x < m->width; x += 4) /* the paper is even enough for that */
                memcpy(factor + x, &inverse[paper.at[x] >> 4], sizeof *inverse);
            contrast_row(m->gray + (long)y * m->width, paper.at, factor, m->width,
                         m->ink + (long)y * m->width, top);
        }
        cell_peaks(m, cy, top);
    }
}

/* Mark what reaches the threshold: part / 2^16 of peak, which is times 16, and at least floor. */
static void cut_row(uint8_t *restrict ink, const uint16_t *restrict peak, int n, uint16_t part,
                    uint8_t floor)
{
    for (int x = 0; x < n; x++) {
        uint8_t level = (uint8_t)((uint32_t)peak[x] * part >> 16);
        level = level > floor ? level : floor;
        ink[x] = (uint8_t)((ink[x] & ~1) | (ink[x] >= level));
    }
}

static void cut(struct inkmap *m)
{
    struct rows peak = rows_of(m, m->peak);
    for (int y = 0; y < m->height; y++) {
        rows_seek(&peak, m, y);
        cut_row(m->ink + (long)y * m->width, peak.at, m->width, (uint16_t)(PEAK_PART * 65536 / 16),
                (uint8_t)min_int(m->floor, 255));
    }
}

void inkmap_faces(struct inkmap *m)
{
    cell_means(m);
    upper_means(m);
}

/* Estimate the paper and compare every pixel with it. */
static void compare(struct inkmap *m)
{
    inkmap_faces(m);
    close_paper(m);
    if (m->cell > 1)
        smooth(m->paper, m->scratch, m->gw, m->gh);
    contrasts(m, NULL);
}

/* The median difference of pixels GRAIN apart, as a contrast: on a page full of ink, whose cells
 * all hold some, this still tells of the paper. */
static float grain(const struct inkmap *m)
{
    size_t count[256] = {0}, total = 0, seen = 0;
    int every = m->height / 128 + 1;
    for (int y = 0; y < m->height; y += every) {
        const uint8_t *row = m->gray + (long)y * m->width;
        for (int x = 0; x + GRAIN < m->width; x += 2)
            count[abs(row[x] - row[x + GRAIN])]++;
        total += (size_t)(m->width - GRAIN + 1) / 2;
    }
    int v = 0;
    while (v < 255 && 2 * (seen += count[v]) < total)
        v++;
    int paper = quantile(m->paper, (size_t)m->gw * m->gh, 0.5);
    return ((float)v + 0.5f) * 255 / (float)(paper + DARK);
}

/* 1-2-1 both ways, in place: the row above is kept as it was. */
static void blur(struct inkmap *m)
{
    int w = m->width;
    uint8_t *restrict above = working_line(m, 0), *restrict here = working_line(m, 1);
    memcpy(above, m->gray, (size_t)w);
    for (int y = 0; y < m->height; y++) {
        uint8_t *row = m->gray + (long)y * w;
        const uint8_t *below = y + 1 < m->height ? row + w : row;
        for (int x = 0; x < w; x++)
            here[x] = (uint8_t)((above[x] + 2 * row[x] + below[x] + 2) / 4);
        memcpy(above, row, (size_t)w);
        for (int x = 1; x + 1 < w; x++)
            row[x] = (uint8_t)((here[x - 1] + 2 * here[x] + here[x + 1] + 2) / 4);
    }
}

/* The contrast of bare paper: noise, fibres. */
static float texture(const struct inkmap *m)
{
    if (m->cell == 1)
        return 0;
    float cells = (float)quantile(m->peak, (size_t)m->gw * m->gh, 0.3);
    return fminf(cells, GRAIN_FACTOR * grain(m));
}

/* Mark the ink by the peaks of the cells. */
static void mark(struct inkmap *m)
{
    int side = min_int(m->gw, m->gh);
    int reach = max_int(1, m->cell == 1 ? side * 3 / 10 : side * 3 / 20);
    uint8_t *cost = working_line(m, 0);
    memset(cost, 0, (size_t)reach + 1);
    struct shape flat = {cost, reach};
    dilate(m->peak, m->scratch, m->gw, m->gh, &flat);
    if (m->cell > 1)
        smooth(m->peak, m->scratch, m->gw, m->gh);
    cut(m);
}

/* Mark the ink of a picture whose bare paper has contrasts of that size. */
static void mark_above(struct inkmap *m, float bare)
{
    m->floor = max_int(FLOOR, (int)(TEXTURE_FACTOR * bare));
    mark(m);
}

void inkmap_find(struct inkmap *m)
{
    compare(m);
    float bare = texture(m);
    if (bare > NOISY && m->cell >= 8) {
        blur(m);
        compare(m);
        bare = texture(m);
    }
    mark_above(m, bare);
}

int inkmap_copy_paper(struct inkmap *m, const struct inkmap *of, struct err *e)
{
    m->reduce = of->reduce;
    m->width = of->width;
    m->height = of->height;
    m->cell = of->cell;
    m->gw = of->gw;
    m->gh = of->gh;
    if (reserve(m, e))
        return -1;
    memcpy(m->paper, of->paper, (size_t)m->gw * m->gh);
    return 0;
}

void inkmap_renew(struct inkmap *m)
{
    compare(m);
    mark(m);
}

/* out[i] = the larger, or smaller, of in[i] and in[i + k]; k may be negative. Where there is no in[i +
 * k] it is in[i]. */
static void pairs(const uint8_t *restrict in, uint8_t *restrict out, long n, long k, bool larger)
{
    long from = k < 0 ? -k : 0, to = k < 0 ? n : n - k;
    memcpy(out, in, (size_t)(from < n ? from : n));
    for (long i = from; larger && i < to; i++)
        out[i] = in[i] > in[i + k] ? in[i] : in[i + k];
    for (long i = from; !larger && i < to; i++)
        out[i] = in[i] < in[i + k] ? in[i] : in[i + k];
    if (to < n)
        memcpy(out + (to > 0 ? to : 0), in + (to > 0 ? to : 0), (size_t)(n - (to > 0 ? to : 0)));
}

/* The largest, or smallest, of `length` pixels from each on, `step` apart: windows of twice the
 * length, again and again. *a is the picture, and then the result; *b is scratch. */
static void windows(uint8_t **a, uint8_t **b, long n, long step, int length, bool larger)
{
    for (int have = 1; have < length;) {
        int more = min_int(have, length - have);
        pairs(*a, *b, n, more * step, larger);
        uint8_t *swap = *a;
        *a = *b;
        *b = swap;
        have += more;
    }
}

/* The same of the pixels of each row. */
static void windows_in_rows(uint8_t **a, uint8_t **b, int w, int h, int step, int length, bool larger)
{
    uint8_t *of = *a, *to = *b;
    for (int y = 0; y < h; y++) {
        of = *a + (long)y * w;
        to = *b + (long)y * w;
        windows(&of, &to, w, step, length, larger);
    }
    *a = of - (long)(h - 1) * w; /* either may hold the result */
    *b = to - (long)(h - 1) * w;
}

/* Close a picture by a square: of the squares that lie wholly in it and hold a pixel, the lightest
 * pixel of the darkest one. */
static void close_square(const struct inkmap *m, uint8_t **a, uint8_t **b, int side)
{
    long n = (long)m->width * m->height, w = m->width;
    int more = side - 1;
    windows_in_rows(a, b, m->width, m->height, 1, side, true);
    windows(a, b, n, w, side, true);
    for (int y = 0; y < m->height; y++) /* from here on squares would reach out of the picture */
        memset(*a + (y + 1) * w - more, 255, (size_t)more);
    memset(*a + n - more * w, 255, (size_t)(more * w));
    windows_in_rows(a, b, m->width, m->height, -1, side, false);
    windows(a, b, n, -w, side, false);
}

int inkmap_find_narrow(struct inkmap *m, int widest, struct err *e)
{
    size_t n = (size_t)m->width * m->height;
    uint8_t *both = malloc(2 * n);
    if (!both)
        return err_set(e, "out of memory");
    uint8_t *a = both, *b = both + n;
    blur(m);
    memcpy(a, m->gray, n);
    close_square(m, &a, &b, widest + 1);
    contrasts(m, a);
    free(both);
    mark_above(m, texture(m));
    return 0;
}

int inkmap_join(struct inkmap *m, int widest, struct err *e)
{
    size_t n = (size_t)m->width * m->height;
    uint8_t *both = malloc(2 * n);
    if (!both)
        return err_set(e, "out of memory");
    uint8_t *a = both, *b = both + n;
    for (size_t i = 0; i < n; i++)
        a[i] = m->ink[i] & 1 ? m->ink[i] : 0;
    close_square(m, &a, &b, widest + 1);
    for (int y = widest; y < m->height - widest; y++) /* nearer to the edges squares reach out */
        for (int x = widest; x < m->width - widest; x++)
            m->ink[(long)y * m->width + x] = a[(long)y * m->width + x];
    free(both);
    return 0;
}

/* The usual peak of the cells that hold ink. */
static int usual_peak(struct inkmap *m)
{
    size_t n = (size_t)m->gw * m->gh, inked = 0;
    for (size_t i = 0; i < n; i++)
        if (m->peak[i] >= m->floor)
            m->scratch[inked++] = m->peak[i];
    return inked ? quantile(m->scratch, inked, USUAL_PEAK) : 255;
}

void inkmap_find_again(struct inkmap *m)
{
    size_t n = (size_t)m->gw * m->gh;
    int before = quantile(m->peak, n, 0.5);
    for (int cy = 0; cy < m->gh; cy++) {
        uint8_t *top = working_line(m, 0);
        memset(top, 0, (size_t)m->width);
        int y1 = min_int((cy + 1) * m->cell, m->height);
        for (int y = cy * m->cell; y < y1; y++)
            raise(top, m->ink + (long)y * m->width, m->width, 0);
        cell_peaks(m, cy, top);
    }
    int usual = usual_peak(m);
    if ((float)before < STRONGER * (float)usual)
        return;
    for (size_t i = 0; i < n; i++)
        m->peak[i] = (uint8_t)min_int(m->peak[i], usual);
    mark(m);
}
