#include "inkmap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What counts as ink. Contrasts are fractions of the paper's brightness times 255. */
#define FLOOR 9            /* fainter than this is never ink */
#define TEXTURE_FACTOR 1.8f /* ink stands out by this much more than bare paper does */
#define GRAIN 4            /* pixels: paper's fibres and a camera's noise are finer */
#define GRAIN_FACTOR 4
#define NOISY 22           /* texture from which the picture is blurred first */
#define PEAK_PART 0.40f /* of the strongest ink nearby */
/* The paper's curve in brightness, at most, over a length of the frame's shorter side: what bends
 * more is ink. A stroke as wide as a quarter of that side is dark by 0.14 too little. */
#define BEND 8.9f
#define BEND_SMALL 4.0f /* in frames under 96 pixels, where strokes are wide for their size */
#define DARK 16            /* added to the paper's brightness: a dark desk's noise is not ink */

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

static int grow(uint8_t **p, size_t size, struct err *e)
{
    uint8_t *q = realloc(*p, size);
    if (!q)
        return err_set(e, "out of memory");
    *p = q;
    return 0;
}

static int reserve(struct inkmap *m, struct err *e)
{
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
        m->grid_size = size;
    }
    return 0;
}

static void reduce(struct inkmap *m, const uint8_t *source, long stride, uint32_t *sum)
{
    int k = m->reduce;
    for (int y = 0; y < m->height; y++) {
        memset(sum, 0, (size_t)m->width * sizeof *sum);
        for (int j = 0; j < k; j++) {
            const uint8_t *row = source + ((long)y * k + j) * stride;
            for (int x = 0; x < m->width; x++)
                for (int i = 0; i < k; i++)
                    sum[x] += row[(long)x * k + i];
        }
        uint8_t *out = m->gray + (long)y * m->width;
        for (int x = 0; x < m->width; x++)
            out[x] = (uint8_t)(sum[x] / (uint32_t)(k * k));
    }
}

int inkmap_load(struct inkmap *m, const uint8_t *source, long stride, int w, int h, struct err *e)
{
    int k = (max_int(w, h) + INKMAP_SIDE - 1) / INKMAP_SIDE;
    k = min_int(k, max_int(1, min_int(w, h) / 96));
    m->reduce = k;
    m->width = w / k;
    m->height = h / k;
    int side = min_int(m->width, m->height);
    m->cell = side < 96 ? 1 : side < 240 ? 4 : side < 720 ? 8 : 16;
    m->gw = (m->width + m->cell - 1) / m->cell;
    m->gh = (m->height + m->cell - 1) / m->cell;
    if (reserve(m, e))
        return -1;
    if (k > 1) {
        uint32_t *sum = malloc((size_t)m->width * sizeof *sum);
        if (!sum)
            return err_set(e, "out of memory");
        reduce(m, source, stride, sum);
        free(sum);
        return 0;
    }
    for (int y = 0; y < h; y++)
        memcpy(m->gray + (long)y * w, source + y * stride, (size_t)w);
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
    *m = (struct inkmap){0};
}

void inkmap_invert(struct inkmap *m)
{
    size_t n = (size_t)m->width * m->height;
    for (size_t i = 0; i < n; i++)
        m->gray[i] = (uint8_t)(255 - m->gray[i]);
}

/* a[x] = the larger (or smaller) of a[x] and a[x + shift], for x < n - shift. */
static void fold(uint8_t *a, const uint8_t *b, int n, bool larger)
{
    if (larger)
        for (int x = 0; x < n; x++)
            a[x] = a[x] > b[x] ? a[x] : b[x];
    else
        for (int x = 0; x < n; x++)
            a[x] = a[x] < b[x] ? a[x] : b[x];
}

/* Running maximum (or minimum) over 2r+1 elements `step` bytes apart in lines of n such, in place:
 * windows double until they are wide enough. What lies outside is ignored. t holds n + 2r. */
static void running(uint8_t *a, int n, int r, bool larger, uint8_t *t)
{
    int total = n + 2 * r, width = 1, want = 2 * r + 1;
    memset(t, larger ? 0 : 255, (size_t)total);
    memcpy(t + r, a, (size_t)n);
    while (width * 2 <= want) {
        fold(t, t + width, total - width, larger);
        width *= 2;
    }
    if (width < want)
        fold(t, t + want - width, total - (want - width), larger);
    memcpy(a, t, (size_t)n);
}

static void extreme(uint8_t *grid, int gw, int gh, int r, bool larger)
{
    uint8_t line[INKMAP_MAX], t[3 * INKMAP_MAX];
    int rx = min_int(r, gw - 1), ry = min_int(r, gh - 1);
    for (int y = 0; y < gh; y++)
        running(grid + (long)y * gw, gw, rx, larger, t);
    for (int x = 0; x < gw; x++) {
        for (int y = 0; y < gh; y++)
            line[y] = grid[(long)y * gw + x];
        running(line, gh, ry, larger, t);
        for (int y = 0; y < gh; y++)
            grid[(long)y * gw + x] = line[y];
    }
}

/* One line's part of a parabola's work: out = the most (least) of itself and `in` lowered (raised)
 * by `cost`. */
static void meet(uint8_t *out, const uint8_t *in, int n, int cost, bool larger)
{
    for (int x = 0; x < n; x++) {
        int v = larger ? in[x] - cost : in[x] + cost;
        v = v < 0 ? 0 : v > 255 ? 255 : v;
        out[x] = (uint8_t)(larger == (v > out[x]) ? v : out[x]);
    }
}

/* Dilate (erode) the grid by a parabola, which is done for columns, then for rows. */
static void parabola(uint8_t *grid, uint8_t *scratch, int gw, int gh, float bend, bool larger)
{
    size_t n = (size_t)gw * gh;
    memcpy(scratch, grid, n);
    for (int d = 1; d < gh; d++) {
        int cost = (int)(bend * (float)d * (float)d);
        if (cost > 255)
            break;
        size_t shift = (size_t)d * gw;
        meet(grid, scratch + shift, (int)(n - shift), cost, larger);
        meet(grid + shift, scratch, (int)(n - shift), cost, larger);
    }
    memcpy(scratch, grid, n);
    for (int d = 1; d < gw; d++) {
        int cost = (int)(bend * (float)d * (float)d);
        if (cost > 255)
            break;
        for (int y = 0; y < gh; y++) {
            size_t row = (size_t)y * gw;
            meet(grid + row, scratch + row + d, gw - d, cost, larger);
            meet(grid + row + d, scratch + row, gw - d, cost, larger);
        }
    }
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
    for (int cy = 0; cy < m->gh; cy++)
        for (int cx = 0; cx < m->gw; cx++) {
            int x0 = cx * m->cell, x1 = min_int(x0 + m->cell, m->width);
            int y0 = cy * m->cell, y1 = min_int(y0 + m->cell, m->height);
            int sum = 0;
            for (int y = y0; y < y1; y++) {
                const uint8_t *row = m->gray + (long)y * m->width;
                for (int x = x0; x < x1; x++)
                    sum += row[x];
            }
            m->mean[(long)cy * m->gw + cx] = (uint8_t)(sum / ((x1 - x0) * (y1 - y0)));
        }
}

/* The mean of what is not darker than each cell's mean. */
static void upper_means(struct inkmap *m)
{
    for (int cy = 0; cy < m->gh; cy++)
        for (int cx = 0; cx < m->gw; cx++) {
            int x0 = cx * m->cell, x1 = min_int(x0 + m->cell, m->width);
            int y0 = cy * m->cell, y1 = min_int(y0 + m->cell, m->height);
            int mean = m->mean[(long)cy * m->gw + cx], sum = 0, count = 0;
            for (int y = y0; y < y1; y++) {
                const uint8_t *row = m->gray + (long)y * m->width;
                for (int x = x0; x < x1; x++) {
                    int above = row[x] >= mean;
                    sum += above ? row[x] : 0;
                    count += above;
                }
            }
            m->paper[(long)cy * m->gw + cx] = (uint8_t)(count ? sum / count : mean);
        }
}

float inkmap_polarity(struct inkmap *m)
{
    cell_means(m);
    size_t grid = (size_t)m->gw * m->gh;
    memcpy(m->scratch, m->mean, grid);
    /* Local means over a third of the frame: repeated 3x3 would be slow, so average a coarser
     * sampling: a summed-area table of the cells. */
    uint32_t *sat = calloc((size_t)(m->gw + 1) * (m->gh + 1), sizeof *sat);
    if (!sat)
        return 0;
    int sw = m->gw + 1;
    for (int y = 0; y < m->gh; y++)
        for (int x = 0; x < m->gw; x++)
            sat[(y + 1) * sw + x + 1] = sat[y * sw + x + 1] + sat[(y + 1) * sw + x] -
                                        sat[y * sw + x] + m->mean[(long)y * m->gw + x];
    int r = max_int(1, min_int(m->gw, m->gh) / 3);
    double cubes = 0, sizes = 0, border = 0, borders = 0, all = 0;
    int step = m->cell > 4 ? 2 : 1;
    for (int y = 0; y < m->height; y += step) {
        const uint8_t *row = m->gray + (long)y * m->width;
        int cy = y / m->cell, y0 = max_int(cy - r, 0), y1 = min_int(cy + r + 1, m->gh);
        for (int cx = 0; cx < m->gw; cx++) {
            int x0 = max_int(cx - r, 0), x1 = min_int(cx + r + 1, m->gw);
            int local = (int)((sat[y1 * sw + x1] - sat[y0 * sw + x1] - sat[y1 * sw + x0] +
                               sat[y0 * sw + x0]) / (uint32_t)((x1 - x0) * (y1 - y0)));
            int end = min_int((cx + 1) * m->cell, m->width);
            long cube = 0, size = 0;
            for (int x = cx * m->cell; x < end; x += step) {
                int d = local - row[x];
                cube += (long)d * d * d;
                size += (long)d * d * abs(d);
            }
            cubes += (double)cube;
            sizes += (double)size;
            all += m->mean[(long)cy * m->gw + cx];
            if (cy == 0 || cx == 0 || cy == m->gh - 1 || cx == m->gw - 1) {
                border += m->mean[(long)cy * m->gw + cx];
                borders++;
            }
        }
    }
    free(sat);
    double cells = (double)((m->height + step - 1) / step) * m->gw;
    double rim = (border / borders - all / cells) / 64;
    double skew = sizes > 0 ? cubes / sizes : 0;
    double sure = skew + 0.3 * fmax(-1, fmin(1, rim));
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

/* Values of a grid along one row of pixels, interpolated between cell centres, times 16. */
static void grid_row(const struct inkmap *m, const uint8_t *grid, int y, uint16_t *out)
{
    int c = m->cell;
    int fy = max_int(2 * y + 1 - c, 0); /* in half pixels from the first centre */
    int cy = min_int(fy / (2 * c), m->gh - 1), ny = min_int(cy + 1, m->gh - 1);
    int wy = fy - cy * 2 * c;
    const uint8_t *a = grid + (long)cy * m->gw, *b = grid + (long)ny * m->gw;
    int previous = (a[0] * (2 * c - wy) + b[0] * wy) * 8 / c;
    for (int x = 0; x < min_int(c / 2, m->width); x++)
        out[x] = (uint16_t)previous;
    for (int cx = 0; cx < m->gw; cx++) {
        int nx = min_int(cx + 1, m->gw - 1);
        int next = (a[nx] * (2 * c - wy) + b[nx] * wy) * 8 / c;
        int x0 = cx * c + c / 2, x1 = min_int(x0 + c, m->width);
        int slope = (next - previous) * 16 / c, value = previous * 16 + slope / 2 * (c > 1);
        for (int x = x0; x < x1; x++)
            out[x] = (uint16_t)((value + (x - x0) * slope) >> 4);
        previous = next;
    }
}

/* Contrast of every pixel to the interpolated paper, and the strongest of every cell. */
static void contrasts(struct inkmap *m)
{
    uint16_t paper[INKMAP_MAX];
    uint32_t inverse[512];
    for (int i = 0; i < 512; i++)
        inverse[i] = (255u << 12) / (uint32_t)(i + DARK);
    memset(m->peak, 0, (size_t)m->gw * m->gh);
    for (int y = 0; y < m->height; y++) {
        const uint8_t *row = m->gray + (long)y * m->width;
        uint8_t *ink = m->ink + (long)y * m->width;
        uint8_t *peak = m->peak + (long)(y / m->cell) * m->gw;
        grid_row(m, m->paper, y, paper);
        for (int cx = 0; cx < m->gw; cx++) {
            int x0 = cx * m->cell, x1 = min_int(x0 + m->cell, m->width), top = peak[cx];
            uint32_t k = inverse[paper[x0] >> 4];
            for (int x = x0; x < x1; x++) {
                int d = paper[x] - row[x] * 16;
                d = d < 0 ? 0 : d;
                d = (int)((uint32_t)d * k >> 16);
                d = d > 255 ? 255 : d;
                ink[x] = (uint8_t)d;
                top = top > d ? top : d;
            }
            peak[cx] = (uint8_t)top;
        }
    }
}

/* Mark what reaches the threshold. */
static long cut(struct inkmap *m, int floor)
{
    uint16_t peak[INKMAP_MAX];
    int part = (int)(PEAK_PART * 4096 / 16 + 0.5f);
    long count = 0;
    for (int y = 0; y < m->height; y++) {
        uint8_t *ink = m->ink + (long)y * m->width;
        grid_row(m, m->peak, y, peak);
        int kept = 0;
        for (int x = 0; x < m->width; x++) {
            int level = peak[x] * part >> 12;
            level = level > floor ? level : floor;
            bool keep = ink[x] >= level;
            ink[x] = (uint8_t)((ink[x] & ~1) | keep);
            kept += keep;
        }
        count += kept;
    }
    return count;
}

/* Estimate the paper and compare every pixel with it. */
static void compare(struct inkmap *m)
{
    int side = min_int(m->gw, m->gh);
    float bend = (m->cell == 1 ? BEND_SMALL : BEND) * 255 / (float)(side * side);
    cell_means(m);
    upper_means(m);
    parabola(m->paper, m->scratch, m->gw, m->gh, bend, true);
    parabola(m->paper, m->scratch, m->gw, m->gh, bend, false);
    if (m->cell > 1)
        smooth(m->paper, m->scratch, m->gw, m->gh);
    contrasts(m);
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

/* 1-2-1 both ways, in place: rows above are kept in line[2][width]. */
static int blur(struct inkmap *m)
{
    int w = m->width;
    uint8_t *line = malloc(2 * (size_t)w);
    if (!line)
        return -1;
    memcpy(line, m->gray, (size_t)w);
    for (int y = 0; y < m->height; y++) {
        uint8_t *row = m->gray + (long)y * w, *above = line, *here = line + w;
        const uint8_t *below = y + 1 < m->height ? row + w : row;
        for (int x = 0; x < w; x++)
            here[x] = (uint8_t)((above[x] + 2 * row[x] + below[x] + 2) / 4);
        memcpy(above, row, (size_t)w);
        for (int x = 1; x + 1 < w; x++)
            row[x] = (uint8_t)((here[x - 1] + 2 * here[x] + here[x + 1] + 2) / 4);
    }
    free(line);
    return 0;
}

static float texture(const struct inkmap *m)
{
    if (m->cell == 1)
        return 0;
    float cells = (float)quantile(m->peak, (size_t)m->gw * m->gh, 0.3);
    return fminf(cells, GRAIN_FACTOR * grain(m));
}

long inkmap_find(struct inkmap *m)
{
    compare(m);
    m->texture = texture(m);
    if (m->texture > NOISY && m->cell >= 8 && blur(m) == 0) {
        compare(m);
        m->texture = texture(m);
    }
    m->floor = max_int(FLOOR, (int)(TEXTURE_FACTOR * m->texture));
    int side = min_int(m->gw, m->gh);
    int r = max_int(1, m->cell == 1 ? side * 3 / 10 : side * 3 / 20);
    extreme(m->peak, m->gw, m->gh, r, true);
    if (m->cell > 1)
        smooth(m->peak, m->scratch, m->gw, m->gh);
    return cut(m, m->floor);
}
