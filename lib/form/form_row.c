/* A row of boxes taken flat. Input: a picture, the homography of its sheet, what is known of its bend. Output: the
 * row, FINE pixels to a millimetre: its ink, and where its boxes' lines are.
 *
 * Its paper is what a closing leaves (Serra, 1982), ink what is darker than that. The boxes' lines are found again
 * in the row itself, for paper is never quite flat. Where they lie far from where they should, the paper is bent,
 * and the row is taken again by where they were found. */
#include "form_row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

#define CLOSING 13        /* pixels: half the window of the closing; strokes are narrower than 3 mm */
#define MAX_SHIFT 24      /* pixels that a box may lie beside where it is looked for */
#define MAX_STEP 5        /* pixels by which that differs from one box to the next, at most; */
#define BROADENED 2       /* pixels by which lines are made broader on either side, to find them askew */
#define STEP_COST 4       /* quarters of the lines' contrast that each of them costs */
#define STRAIGHT 4        /* pixels: when half the boxes are off by more, the paper is bent */
#define MAX_LOOKS 4       /* times that a row of bent paper is taken flat */
#define LOOK_STEP 4.0     /* mm: a row that is not to be seen is looked for so far to either side */
#define MIN_BAND 2        /* pixels on either side of a line's middle that are taken out with it, at least */
#define MAX_BAND 6
#define MAX_SUBSAMPLES 4  /* a side, of the picture's pixels in one of the row's */

size_t row_lay(struct row *row, const struct form_layout *l, size_t first)
{
    const struct form_cell *c = &l->cell[first];
    size_t n = 1;
    while (first + n < l->cells && c[n].field == c->field && c[n].sheet == c->sheet)
        n++;
    row->x = c->at.x - (double)MARGIN / FINE;
    row->y = c->at.y - (double)MARGIN / FINE;
    row->w = row->h = 0;
    row->cells = (int)n;
    for (size_t i = 0; i < n; i++) {
        const struct form_rect *at = &c[i].at;
        int x = row_pixels(at->x - row->x), y = row_pixels(at->y - row->y);
        row->cell[i] = (struct cell_place){.at = at, .cell = first + i,
                                           .line = {x, y, x + row_pixels(at->w), y + row_pixels(at->h)}};
        row->w = max_int(row->w, row->cell[i].line.x1 + MARGIN);
        row->h = max_int(row->h, row->cell[i].line.y1 + MARGIN);
    }
    return n;
}

static int reserve(struct row *r, struct err *e)
{
    size_t n = (size_t)r->w * (size_t)r->h;
    bool whole = !grow_to(&r->gray, n, &r->gray_room, 1, e) && !grow_to(&r->paper, n, &r->paper_room, 1, e) &&
                 !grow_to(&r->ink, n, &r->ink_room, 1, e) && !grow_to(&r->turned, n, &r->turned_room, 1, e);
    return whole ? 0 : -1;
}

void row_free(struct row *row)
{
    free(row->gray);
    free(row->ink);
    free(row->paper);
    free(row->turned);
}

/* Pixels of the picture to a mm, in the middle of the row. */
static double resolution(const struct row *row, const struct plane *plane)
{
    double x = row->x + row->w / 2.0 / FINE, y = row->y + row->h / 2.0 / FINE;
    struct point a = plane_map(plane, x, y), b = plane_map(plane, x + 1, y), c = plane_map(plane, x, y + 1);
    return sqrt(fabs((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)));
}

/* Gray at a point as picture_at has it, in whole numbers: 256 parts to a pixel. */
static inline int gray_at(const struct picture *p, float x, float y)
{
    int ix = (int)(x * 256) - 128, iy = (int)(y * 256) - 128;
    ix = max_int(0, min_int(ix, (p->w - 1) * 256 - 1));
    iy = max_int(0, min_int(iy, (p->h - 1) * 256 - 1));
    const uint8_t *a = p->gray + (long)(iy >> 8) * p->stride + (ix >> 8), *b = a + p->stride;
    int fx = ix & 255, fy = iy & 255;
    return ((a[0] * (256 - fx) + a[1] * fx) * (256 - fy) + (b[0] * (256 - fx) + b[1] * fx) * fy) >> 16;
}

/* Each pixel of the row is the mean of as many points as the picture has pixels there. */
static void flatten(struct row *r, const struct picture *p, const struct plane *plane)
{
    r->ppm = fmax(resolution(r, plane), 1);
    int k = max_int(1, (int)fmin(rint(r->ppm / FINE), MAX_SUBSAMPLES));
    const float fw = (float)p->w, fh = (float)p->h, step = 1.0f / (float)(FINE * k);
    const double *h = plane->h;
    for (int y = 0; y < r->h; y++)
        for (int x = 0; x < r->w; x++) {
            int sum = 0;
            struct point at = bend_map(&r->bend, r->x + (double)x / FINE, r->y + (double)y / FINE);
            at.x += r->off.x;
            at.y += r->off.y;
            for (int i = 0; i < k * k; i++) {
                float px = (float)at.x + ((float)(i % k) + 0.5f) * step;
                float py = (float)at.y + ((float)(i / k) + 0.5f) * step;
                float z = 1 / ((float)h[6] * px + (float)h[7] * py + (float)h[8]);
                float u = ((float)h[0] * px + (float)h[1] * py + (float)h[2]) * z;
                float v = ((float)h[3] * px + (float)h[4] * py + (float)h[5]) * z;
                sum += gray_at(p, u > 0 ? u < fw ? u : fw : 0, v > 0 ? v < fh ? v : fh : 0);
            }
            r->gray[y * r->w + x] = (uint8_t)(sum / (k * k));
        }
}

/* ---- contrast to the paper ---- */

static void transpose(const uint8_t *in, int w, int h, uint8_t *out)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            out[x * h + y] = in[y * w + x];
}

/* Each pixel becomes the greatest (least) of those within `reach` rows of it. */
static void spread_rows(const uint8_t *p, uint8_t *out, int w, int h, int reach, bool greatest)
{
    for (int y = 0; y < h; y++) {
        uint8_t *to = out + y * w;
        int y0 = max_int(y - reach, 0), y1 = min_int(y + reach + 1, h);
        memcpy(to, p + y0 * w, (size_t)w);
        for (int k = y0 + 1; k < y1; k++) {
            const uint8_t *from = p + k * w;
            if (greatest)
                for (int x = 0; x < w; x++)
                    to[x] = to[x] > from[x] ? to[x] : from[x];
            else
                for (int x = 0; x < w; x++)
                    to[x] = to[x] < from[x] ? to[x] : from[x];
        }
    }
}

/* `p` dilated or eroded by a square, in place. */
static void spread(uint8_t *p, uint8_t *scratch, int w, int h, int reach, bool greatest)
{
    spread_rows(p, scratch, w, h, reach, greatest);
    transpose(scratch, w, h, p);
    spread_rows(p, scratch, h, w, reach, greatest);
    transpose(scratch, h, w, p);
}

int row_quantile(const int count[256], int n, double part)
{
    int v = 0;
    for (int seen = count[0]; seen < part * n; seen += count[++v])
        ;
    return v;
}

int row_level(struct row *r, const int count[256], int n)
{
    int none = row_quantile(count, n, 0.5);
    r->rough = row_quantile(count, n, 0.75) - none;
    for (int i = 0; i < r->w * r->h; i++)
        r->ink[i] = (uint8_t)max_int(r->ink[i] - none, 0);
    return none;
}

static void compare(struct row *r)
{
    int w = r->w, h = r->h;
    memcpy(r->paper, r->gray, (size_t)w * (size_t)h);
    spread(r->paper, r->turned, w, h, CLOSING, true);
    spread(r->paper, r->turned, w, h, CLOSING, false);
    for (int i = 0; i < w * h; i++) {
        int paper = max_int(r->paper[i], 16), d = paper - r->gray[i];
        r->ink[i] = (uint8_t)(d > 0 ? min_int(d * 255 / paper, 255) : 0);
    }
    /* The paper's grain lies below what a closing leaves: most of the row's pixels are paper. */
    int count[256] = {0};
    for (int i = 0; i < w * h; i++)
        count[r->ink[i]]++;
    row_level(r, count, w * h);
}

/* ---- the boxes' lines ---- */

/* Mean contrast along the vertical line x, from y0 to before y1. */
static int down(const struct row *r, const uint8_t *ink, int x, int y0, int y1)
{
    int sum = 0;
    for (int y = max_int(y0, 0); x >= 0 && x < r->w && y < min_int(y1, r->h); y++)
        sum += ink[y * r->w + x];
    return sum / max_int(y1 - y0, 1);
}

static int across(const struct row *r, const uint8_t *ink, int y, int x0, int x1)
{
    int sum = 0;
    for (int x = max_int(x0, 0); y >= 0 && y < r->h && x < min_int(x1, r->w); x++)
        sum += ink[y * r->w + x];
    return sum / max_int(x1 - x0, 1);
}

/* How well a box's sides are there when it is moved by d: as the worse of two. */
static int sides(const struct row *r, const uint8_t *ink, const struct cell_place *c, int d, bool vertical)
{
    const struct box *b = &c->line;
    return vertical ? min_int(down(r, ink, b->x0 + d, b->y0, b->y1), down(r, ink, b->x1 + d, b->y0, b->y1))
                    : min_int(across(r, ink, b->y0 + d, b->x0, b->x1), across(r, ink, b->y1 + d, b->x0, b->x1));
}

static void move(struct cell_place *c, int dx, int dy)
{
    c->line = (struct box){c->line.x0 + dx, c->line.y0 + dy, c->line.x1 + dx, c->line.y1 + dy};
    c->dx += dx;
    c->dy += dy;
}

enum { SHIFTS = 2 * MAX_SHIFT + 1 };

/* The shift of the cell before that goes best with shift i of a cell; before[]: the best score of all cells up to
 * that one, by its shift. */
static int come_from(const int before[SHIFTS], int i)
{
    int best = i;
    for (int k = max_int(i - MAX_STEP, 0); k <= min_int(i + MAX_STEP, SHIFTS - 1); k++)
        if (before[k] - STEP_COST * abs(k - i) > before[best] - STEP_COST * abs(best - i))
            best = k;
    return best;
}

/* Move each cell by up to `most` to where its sides are best to be seen, cells beside one another about alike
 * (Viterbi). */
static void track(struct row *r, const uint8_t *ink, int most, bool vertical)
{
    int score[FORM_MAX_CELLS][SHIFTS], from[FORM_MAX_CELLS][SHIFTS], n = r->cells, at = MAX_SHIFT;
    for (int c = 0; c < n; c++)
        for (int i = 0; i < SHIFTS; i++) {
            int d = i - MAX_SHIFT, in = abs(d) <= most;
            score[c][i] = in ? 4 * sides(r, ink, &r->cell[c], d, vertical) - abs(d) : -1;
            if (c == 0)
                continue;
            int k = from[c][i] = come_from(score[c - 1], i);
            score[c][i] += score[c - 1][k] - STEP_COST * abs(k - i);
        }
    for (int i = 0; i < SHIFTS; i++)
        if (score[n - 1][i] > score[n - 1][at])
            at = i;
    for (int c = n - 1; c >= 0; c--) {
        int d = at - MAX_SHIFT;
        move(&r->cell[c], vertical ? d : 0, vertical ? 0 : d);
        at = c ? from[c][at] : at;
    }
}

/* Lines a little askew are found where they are broadened, first, and then as they are. */
static void align(struct row *r)
{
    int w = r->w, h = r->h;
    memcpy(r->paper, r->ink, (size_t)w * (size_t)h);
    spread(r->paper, r->turned, w, h, BROADENED, true);
    track(r, r->paper, MAX_SHIFT, true);
    track(r, r->paper, MAX_SHIFT, false);
    track(r, r->ink, MAX_STEP, true);
    track(r, r->ink, MAX_STEP, false);
}

/* Mean contrast so many pixels outside (negative: inside) of all lines. */
static int line_profile(const struct row *r, int t)
{
    int sum = 0;
    for (int i = 0; i < r->cells; i++) {
        const struct box *b = &r->cell[i].line;
        sum += down(r, r->ink, b->x0 - t, b->y0 + MAX_BAND, b->y1 - MAX_BAND) +
               down(r, r->ink, b->x1 + t, b->y0 + MAX_BAND, b->y1 - MAX_BAND) +
               across(r, r->ink, b->y0 - t, b->x0 + MAX_BAND, b->x1 - MAX_BAND) +
               across(r, r->ink, b->y1 + t, b->x0 + MAX_BAND, b->x1 - MAX_BAND);
    }
    return sum / (4 * r->cells);
}

/* As wide as a line's blur could be taken for ink on both sides of it. */
static void measure_band(struct row *r)
{
    r->band = MIN_BAND;
    while (r->band < MAX_BAND && line_profile(r, r->band + 1) > SURE_INK / 2)
        r->band++;
}

/* ---- bent paper ---- */

/* How well a box's lines, broadened, are to be seen where it is; 0: not all four of them are. */
static int clearness(const struct row *r, const struct cell_place *c)
{
    int x = sides(r, r->paper, c, 0, true), y = sides(r, r->paper, c, 0, false), least = min_int(x, y);
    return least < SURE_INK || 2 * least < max_int(x, y) ? 0 : least;
}

/* Look for the row so far beside its place. Returns how many boxes can be seen; *clear: how well, all together. */
static int look(struct row *r, const struct picture *p, const struct plane *plane, struct point off, int *clear)
{
    int seen = 0;
    *clear = 0;
    for (int i = 0; i < r->cells; i++)
        move(&r->cell[i], -r->cell[i].dx, -r->cell[i].dy);
    r->off = off;
    flatten(r, p, plane);
    compare(r);
    align(r);
    for (int i = 0; i < r->cells; i++) {
        int c = clearness(r, &r->cell[i]);
        *clear += c;
        seen += c > 0;
    }
    return seen;
}

/* Where most boxes cannot be seen, look around. Returns how many then can; all of them, for a row that is moved by
 * the width of a box shows all but one. */
static int look_around(struct row *r, const struct picture *p, const struct plane *plane)
{
    struct point best = {0, 0};
    int most = 0, clear;
    for (int i = 0; i < 9; i++) {
        struct point off = {(i % 3 - 1) * LOOK_STEP, (i / 3 - 1) * LOOK_STEP};
        if (look(r, p, plane, off, &clear) == r->cells && clear > most) {
            most = clear;
            best = off;
        }
    }
    return look(r, p, plane, best, &clear);
}

/* Are the boxes about where they were looked for? */
static bool is_straight(const struct row *r)
{
    int astray = 0;
    for (int i = 0; i < r->cells; i++)
        astray += max_int(abs(r->cell[i].dx), abs(r->cell[i].dy)) > STRAIGHT;
    return r->off.x == 0 && r->off.y == 0 && 2 * astray <= r->cells;
}

static void note_boxes(const struct row *r, struct bend *bend)
{
    for (int i = 0; i < r->cells; i++) {
        const struct cell_place *c = &r->cell[i];
        struct point at = {c->at->x + c->at->w / 2, c->at->y + c->at->h / 2};
        struct point seen = bend_map(&r->bend, at.x + (double)c->dx / FINE, at.y + (double)c->dy / FINE);
        if (clearness(r, c))
            bend_note(bend, at, (struct point){seen.x + r->off.x, seen.y + r->off.y});
    }
}

int row_take_flat(struct row *r, const struct picture *p, const struct plane *plane, struct err *e)
{
    const struct bend known = r->bend;
    bool straight = false;
    if (reserve(r, e))
        return -1;
    for (int i = 0; i < MAX_LOOKS && !straight; i++) {
        struct bend bend = known;
        int clear, seen = look(r, p, plane, (struct point){0, 0}, &clear);
        if (2 * seen < r->cells && i == 0)
            seen = look_around(r, p, plane);
        straight = is_straight(r);
        if (!straight && seen < r->cells)
            break;
        note_boxes(r, &bend);
        if (r->bend.bent || !straight)
            bend_solve(&bend);
        r->bend = bend;
    }
    measure_band(r);
    return 0;
}

void row_begin(struct row *row, const struct form_layout *l, const struct form_sheet *sheet)
{
    const struct form_rect *first = &l->bit[0], *last = &l->bit[FORM_CODE_BITS - 1];
    struct point at = {(first->x + last->x + last->w) / 2, (first->y + last->y + last->h) / 2};
    bend_begin(&row->bend, l);
    if (sheet->code_off[0] == 0 && sheet->code_off[1] == 0)
        return;
    bend_note(&row->bend, at, (struct point){at.x + sheet->code_off[0], at.y + sheet->code_off[1]});
    bend_solve(&row->bend);
}
