/* The ink in a sheet's cells. Input: a picture and the homography of its sheet. Output: gray cuts of what is
 * written in each cell.
 *
 * A field's row of boxes is taken flat, FINE pixels to a millimetre. Its paper is what a closing leaves (Serra,
 * 1982), ink what is darker than that. The boxes' lines are found again in the row itself, for paper is never
 * quite flat, and taken out but where a stroke crosses them. A connected component belongs to the cell in whose
 * box most of it lies; one that is at home in two is two digits that touch, and is parted between them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "form.h"
#include "form_sheet.h"

#define FINE 8            /* pixels of a row to a mm */
#define MARGIN 24         /* pixels around the boxes of a row: 3 mm */
#define CLOSING 13        /* pixels: half the window of the closing; strokes are narrower than 3 mm */
#define MAX_SHIFT 14      /* pixels that a row's lines may lie beside where the marks have them */
#define MAX_CELL_SHIFT 4  /* pixels that a box may lie beside where its row has it */
#define MIN_BAND 2        /* pixels on either side of a line's middle that are taken out with it, at least */
#define MAX_BAND 6
#define SURE_INK 26       /* of 255: paper's own unevenness is less */
#define MIN_INK 12        /* of 255: ink of a pale row has at least so much, */
#define ROUGH 4           /* and at least so many times the spread of the paper's grain */
#define MIN_PALE 6        /* times that spread: with less full ink a row is not pale, but empty */
#define INK 0.4           /* of the contrast of full ink: what has more is ink */
#define FULL_AREA 80      /* pixels of a box: so many have the contrast of full ink, or more */
#define SPECK 9           /* pixels: what is smaller is dirt */
#define MIN_AREA 30       /* pixels of ink that a digit has at least: half a square mm */
#define MIN_LENGTH 10     /* pixels: a digit is taller or wider */
#define PARTED 0.3        /* of a component's pixels in boxes: so many in a second box, and it is parted */
#define OUTSIDE 0.6       /* of a component's pixels: so many in no box, and it comes from elsewhere */
#define RIM 7             /* pixels from the middle of a line: what is no further is perhaps left of it */
#define RIM_THICK 3       /* pixels: what is left of a line is thicker by no more than one of the picture's */
#define MAX_SUBSAMPLES 4  /* a side, of the picture's pixels in one of the row's */

struct cell_place {
    const struct form_rect *at;
    size_t cell;     /* of the layout */
    struct box line; /* the middle of the box's lines, in the row's pixels: x1 and y1 are its right and lower ones */
    int dx, dy;      /* by which they were moved */
    int ink;         /* the least contrast that is ink in it */
    int full;        /* the contrast of full ink */
    long area;       /* pixels of ink */
    struct box box;  /* around them */
};

/* A field's row. */
struct row {
    double x, y; /* mm on paper of its upper left corner */
    int w, h, cells;
    double ppm;  /* the picture's pixels to a mm */
    int rough;   /* the spread of the paper's grain */
    int band;    /* pixels on either side of a line's middle that are taken out */
    struct cell_place cell[FORM_MAX_CELLS];
};

struct form_reader {
    struct mark_finder finder;
    struct blobs blobs;
    struct row row;
    uint8_t *gray, *paper, *ink, *mask, *owner, *turned; /* of the row: [h][w]; owner: cell + 1 */
    size_t gray_room, paper_room, ink_room, mask_room, owner_room, turned_room;
    struct form_ink *found;
    size_t found_room, finds;
};

struct form_reader *form_reader_new(struct err *e)
{
    struct form_reader *r = calloc(1, sizeof *r);
    if (!r)
        err_set(e, "out of memory");
    return r;
}

static void forget(struct form_reader *r)
{
    for (size_t i = 0; i < r->finds; i++)
        free(r->found[i].cut);
    r->finds = 0;
}

void form_reader_free(struct form_reader *r)
{
    if (!r)
        return;
    forget(r);
    marks_free(&r->finder);
    blobs_free(&r->blobs);
    free(r->gray);
    free(r->paper);
    free(r->ink);
    free(r->mask);
    free(r->owner);
    free(r->turned);
    free(r->found);
    free(r);
}

int form_find_sheet(struct form_reader *r, const struct form_layout *layout, const uint8_t *gray, long stride,
                    int w, int h, struct form_sheet *sheet, struct err *e)
{
    struct picture p = {gray, stride, w, h};
    struct plane plane;
    if (sheet_find(&r->finder, &p, layout, &plane, &sheet->code, e))
        return -1;
    memcpy(sheet->to_picture, plane.h, sizeof plane.h);
    return 0;
}

/* ---- a row taken flat ---- */

static int to_pixels(double mm)
{
    return (int)lrint(mm * FINE);
}

/* The cells from `first` on that are one field's on one sheet. Returns how many. */
static size_t lay_row(struct row *row, const struct form_layout *l, size_t first)
{
    const struct form_cell *c = &l->cell[first];
    size_t n = 1;
    while (first + n < l->cells && c[n].field == c->field && c[n].sheet == c->sheet)
        n++;
    *row = (struct row){.x = c->at.x - (double)MARGIN / FINE, .y = c->at.y - (double)MARGIN / FINE};
    for (size_t i = 0; i < n; i++) {
        const struct form_rect *at = &c[i].at;
        int x = to_pixels(at->x - row->x), y = to_pixels(at->y - row->y);
        row->cell[i] = (struct cell_place){.at = at, .cell = first + i,
                                           .line = {x, y, x + to_pixels(at->w), y + to_pixels(at->h)}};
        row->w = max_int(row->w, row->cell[i].line.x1 + MARGIN);
        row->h = max_int(row->h, row->cell[i].line.y1 + MARGIN);
    }
    row->cells = (int)n;
    return n;
}

static int reserve_row(struct form_reader *r, struct err *e)
{
    size_t n = (size_t)r->row.w * (size_t)r->row.h;
    bool whole = !grow_to(&r->gray, n, &r->gray_room, 1, e) && !grow_to(&r->paper, n, &r->paper_room, 1, e) &&
                 !grow_to(&r->ink, n, &r->ink_room, 1, e) && !grow_to(&r->mask, n, &r->mask_room, 1, e) &&
                 !grow_to(&r->owner, n, &r->owner_room, 1, e) && !grow_to(&r->turned, n, &r->turned_room, 1, e);
    return whole ? 0 : -1;
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
static void flatten(struct form_reader *r, const struct picture *p, const struct plane *plane)
{
    struct row *row = &r->row;
    row->ppm = fmax(resolution(row, plane), 1);
    int k = max_int(1, (int)fmin(rint(row->ppm / FINE), MAX_SUBSAMPLES));
    const float fw = (float)p->w, fh = (float)p->h, step = 1.0f / (float)(FINE * k);
    const double *h = plane->h;
    for (int y = 0; y < row->h; y++)
        for (int x = 0; x < row->w; x++) {
            int sum = 0;
            for (int i = 0; i < k * k; i++) {
                float px = (float)row->x + ((float)(x * k + i % k) + 0.5f) * step;
                float py = (float)row->y + ((float)(y * k + i / k) + 0.5f) * step;
                float z = 1 / ((float)h[6] * px + (float)h[7] * py + (float)h[8]);
                float u = ((float)h[0] * px + (float)h[1] * py + (float)h[2]) * z;
                float v = ((float)h[3] * px + (float)h[4] * py + (float)h[5]) * z;
                sum += gray_at(p, u > 0 ? u < fw ? u : fw : 0, v > 0 ? v < fh ? v : fh : 0);
            }
            r->gray[y * row->w + x] = (uint8_t)(sum / (k * k));
        }
}

/* ---- contrast to the paper ---- */

static void transpose(const uint8_t *in, int w, int h, uint8_t *out)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            out[x * h + y] = in[y * w + x];
}

/* Each pixel becomes the greatest (least) of those within CLOSING rows of it, by windows of twice the length,
 * again and again. In place: row y of `p` then tells of rows y .. y + 2 CLOSING, so that it is moved. */
static void spread_rows(uint8_t *p, uint8_t *out, int w, int h, bool greatest)
{
    const int length = 2 * CLOSING + 1;
    for (int y = 0; y < h; y++) {
        uint8_t *to = out + y * w;
        int y0 = max_int(y - CLOSING, 0), y1 = min_int(y - CLOSING + length, h);
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
static void spread(uint8_t *p, uint8_t *scratch, int w, int h, bool greatest)
{
    spread_rows(p, scratch, w, h, greatest);
    transpose(scratch, w, h, p);
    spread_rows(p, scratch, h, w, greatest);
    transpose(scratch, h, w, p);
}

/* The contrast that this part of n pixels have no more than. */
static int quantile(const int count[256], int n, double part)
{
    int v = 0;
    for (int seen = count[0]; seen < part * n; seen += count[++v])
        ;
    return v;
}

static void compare(struct form_reader *r)
{
    int w = r->row.w, h = r->row.h;
    memcpy(r->paper, r->gray, (size_t)w * (size_t)h);
    spread(r->paper, r->turned, w, h, true);
    spread(r->paper, r->turned, w, h, false);
    for (int i = 0; i < w * h; i++) {
        int paper = max_int(r->paper[i], 16), d = paper - r->gray[i];
        r->ink[i] = (uint8_t)(d > 0 ? min_int(d * 255 / paper, 255) : 0);
    }
    /* The paper's grain lies below what a closing leaves: most of the row's pixels are paper. */
    int count[256] = {0};
    for (int i = 0; i < w * h; i++)
        count[r->ink[i]]++;
    int none = quantile(count, w * h, 0.5);
    r->row.rough = quantile(count, w * h, 0.75) - none;
    for (int i = 0; i < w * h; i++)
        r->ink[i] = (uint8_t)max_int(r->ink[i] - none, 0);
}

/* ---- the boxes' lines ---- */

static int ink_at(const struct form_reader *r, int x, int y)
{
    return x < 0 || y < 0 || x >= r->row.w || y >= r->row.h ? 0 : r->ink[y * r->row.w + x];
}

/* Mean contrast along the vertical line x, from y0 to before y1. */
static int down(const struct form_reader *r, int x, int y0, int y1)
{
    int sum = 0;
    for (int y = y0; y < y1; y++)
        sum += ink_at(r, x, y);
    return sum / max_int(y1 - y0, 1);
}

static int across(const struct form_reader *r, int y, int x0, int x1)
{
    int sum = 0;
    for (int x = x0; x < x1; x++)
        sum += ink_at(r, x, y);
    return sum / max_int(x1 - x0, 1);
}

/* How well a box's sides are there when it is moved by d: as the worse of two. */
static int sides(const struct form_reader *r, const struct cell_place *c, int d, bool vertical)
{
    const struct box *b = &c->line;
    return vertical ? min_int(down(r, b->x0 + d, b->y0, b->y1), down(r, b->x1 + d, b->y0, b->y1))
                    : min_int(across(r, b->y0 + d, b->x0, b->x1), across(r, b->y1 + d, b->x0, b->x1));
}

/* The shift of the cells from `first` to before `end` at which their sides are best to be seen. */
static int best_shift(const struct form_reader *r, int first, int end, int most, bool vertical)
{
    int best = 0, score = -1;
    for (int i = 0; i <= 2 * most; i++) {
        int d = i & 1 ? -(i + 1) / 2 : i / 2, sum = 0; /* 0, -1, 1, -2, ...: the nearest of equal ones */
        for (int k = first; k < end; k++)
            sum += sides(r, &r->row.cell[k], d, vertical);
        if (sum > score) {
            score = sum;
            best = d;
        }
    }
    return best;
}

static void move(struct cell_place *c, int dx, int dy)
{
    c->line = (struct box){c->line.x0 + dx, c->line.y0 + dy, c->line.x1 + dx, c->line.y1 + dy};
    c->dx += dx;
    c->dy += dy;
}

static void align(struct form_reader *r)
{
    int n = r->row.cells;
    for (int turn = 0; turn < 2; turn++) { /* the sides' ends are known better the second time */
        int dx = best_shift(r, 0, n, MAX_SHIFT, true);
        for (int i = 0; i < n; i++)
            move(&r->row.cell[i], dx, 0);
        int dy = best_shift(r, 0, n, MAX_SHIFT, false);
        for (int i = 0; i < n; i++)
            move(&r->row.cell[i], 0, dy);
    }
    for (int i = 0; i < n; i++) {
        int x = best_shift(r, i, i + 1, MAX_CELL_SHIFT, true), y = best_shift(r, i, i + 1, MAX_CELL_SHIFT, false);
        move(&r->row.cell[i], x, y);
    }
}

/* Mean contrast so many pixels outside (negative: inside) of all lines. */
static int line_profile(const struct form_reader *r, int t)
{
    int sum = 0;
    for (int i = 0; i < r->row.cells; i++) {
        const struct box *b = &r->row.cell[i].line;
        sum += down(r, b->x0 - t, b->y0 + MAX_BAND, b->y1 - MAX_BAND) +
               down(r, b->x1 + t, b->y0 + MAX_BAND, b->y1 - MAX_BAND) +
               across(r, b->y0 - t, b->x0 + MAX_BAND, b->x1 - MAX_BAND) +
               across(r, b->y1 + t, b->x0 + MAX_BAND, b->x1 - MAX_BAND);
    }
    return sum / (4 * r->row.cells);
}

/* As wide as a line's blur could be taken for ink on both sides of it. */
static void measure_band(struct form_reader *r)
{
    r->row.band = MIN_BAND;
    while (r->row.band < MAX_BAND && line_profile(r, r->row.band + 1) > SURE_INK / 2)
        r->row.band++;
}

/* ---- what is ink ---- */

/* The contrast that FULL_AREA pixels within the box have. */
static void measure_ink(struct form_reader *r, struct cell_place *c)
{
    int count[256] = {0}, inset = r->row.band + 1, all = 0, v = 255;
    for (int y = c->line.y0 + inset; y < c->line.y1 - inset; y++)
        for (int x = c->line.x0 + inset; x < c->line.x1 - inset; x++)
            count[ink_at(r, x, y)]++;
    while (v > 0 && (all += count[v]) < FULL_AREA)
        v--;
    c->full = v;
}

/* A row has one pen: beside clear ink, what is faint is rubbed out or on the paper's back; where all ink is
 * faint, it is a hard pencil's. */
static void choose_ink(struct form_reader *r)
{
    int full = 0, rough = r->row.rough, least = SURE_INK;
    for (int i = 0; i < r->row.cells; i++) {
        measure_ink(r, &r->row.cell[i]);
        full = max_int(full, r->row.cell[i].full);
    }
    if (full >= MIN_PALE * rough)
        least = min_int(max_int(max_int(MIN_INK, ROUGH * rough), (int)(INK * full)), SURE_INK);
    for (int i = 0; i < r->row.cells; i++)
        r->row.cell[i].ink = max_int(least, (int)(INK * r->row.cell[i].full));
}

/* The cell whose box is nearest to column x. */
static int nearest(const struct row *row, int x)
{
    int i = 0;
    while (i + 1 < row->cells && 2 * x > row->cell[i].line.x1 + row->cell[i + 1].line.x0)
        i++;
    return i;
}

static void mark_ink(struct form_reader *r)
{
    for (int x = 0; x < r->row.w; x++) {
        int least = r->row.cell[nearest(&r->row, x)].ink;
        for (int y = 0; y < r->row.h; y++)
            r->mask[y * r->row.w + x] = r->ink[y * r->row.w + x] >= least;
    }
}

static bool is_ink(const struct form_reader *r, int x, int y)
{
    return x >= 0 && y >= 0 && x < r->row.w && y < r->row.h && r->mask[y * r->row.w + x];
}

/* Does a straight stroke through the pixel have ink on both sides of the line's band? The pixel is t beside the
 * line's middle; `ahead` and `aside` are the steps across the line and along it. */
static bool crosses(const struct form_reader *r, int x, int y, int t, bool vertical)
{
    static const int slope[] = {0, -1, 1, -2, 2, -3, 3}; /* thirds of a pixel along for one across */
    int before = -(r->row.band + 1) - t, behind = r->row.band + 1 - t;
    for (size_t i = 0; i < sizeof slope / sizeof *slope; i++) {
        int a = before * slope[i] / 3, b = behind * slope[i] / 3;
        if (vertical ? is_ink(r, x + before, y + a) && is_ink(r, x + behind, y + b)
                     : is_ink(r, x + a, y + before) && is_ink(r, x + b, y + behind))
            return true;
    }
    return false;
}

/* Mark what is to be taken out of the bands of one box's lines in `owner`, by 1. */
static void mark_lines(struct form_reader *r, const struct cell_place *c)
{
    int band = r->row.band;
    for (int side = 0; side < 4; side++) {
        bool vertical = side < 2;
        int at = side == 0 ? c->line.x0 : side == 1 ? c->line.x1 : side == 2 ? c->line.y0 : c->line.y1;
        int from = (vertical ? c->line.y0 : c->line.x0) - band, to = (vertical ? c->line.y1 : c->line.x1) + band;
        for (int t = -band; t <= band; t++)
            for (int s = from; s <= to; s++) {
                int x = vertical ? at + t : s, y = vertical ? s : at + t;
                if (is_ink(r, x, y) && !crosses(r, x, y, t, vertical))
                    r->owner[y * r->row.w + x] = 1;
            }
    }
}

/* Leave out a printed thing that lies in the row. */
static void blank(struct form_reader *r, const struct form_rect *at, double wider)
{
    struct box b = {to_pixels(at->x - wider - r->row.x), to_pixels(at->y - wider - r->row.y),
                    to_pixels(at->x + at->w + wider - r->row.x), to_pixels(at->y + at->h + wider - r->row.y)};
    b = (struct box){max_int(b.x0, 0), max_int(b.y0, 0), min_int(b.x1, r->row.w), min_int(b.y1, r->row.h)};
    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++)
            r->owner[y * r->row.w + x] = 1;
}

static void take_out_print(struct form_reader *r, const struct form_layout *l, int sheet)
{
    size_t n = (size_t)r->row.w * (size_t)r->row.h;
    memset(r->owner, 0, n);
    for (int i = 0; i < r->row.cells; i++)
        mark_lines(r, &r->row.cell[i]);
    for (size_t i = 0; i < l->items; i++) {
        const struct form_item *item = &l->item[i];
        if (item->sheet == sheet && (item->kind == FORM_ITEM_TEXT || item->kind == FORM_ITEM_POINT))
            blank(r, &item->at, item->kind == FORM_ITEM_POINT ? 0.5 : 0.2);
    }
    for (size_t i = 0; i < n; i++)
        r->mask[i] = r->mask[i] && !r->owner[i];
}

/* ---- whose ink it is ---- */

static bool holds(struct box b, int x, int y)
{
    return x > b.x0 && x < b.x1 && y > b.y0 && y < b.y1;
}

/* Pixels of a component, and where they lie. */
struct tally {
    long all, boxes;             /* boxes: those in any box */
    long in[FORM_MAX_CELLS];
    long rim;                    /* near a line */
};

static void count(const struct form_reader *r, const struct blob *b, struct tally *t)
{
    memset(t, 0, sizeof *t);
    for (int i = b->first; i >= 0; i = r->blobs.run[i].next) {
        const struct stretch *s = &r->blobs.run[i];
        for (int x = s->x0; x < s->x1; x++) {
            int cell = nearest(&r->row, x);
            struct box line = r->row.cell[cell].line;
            bool in = holds(line, x, s->y);
            t->all++;
            t->boxes += in;
            t->in[cell] += in;
            struct box core = {line.x0 + RIM, line.y0 + RIM, line.x1 - RIM, line.y1 - RIM};
            struct box wide = {line.x0 - RIM, line.y0 - RIM, line.x1 + RIM, line.y1 + RIM};
            t->rim += holds(wide, x, s->y) && !holds(core, x, s->y);
        }
    }
}

/* Is it no digit's, but dirt, part of a line, or something that reaches into the row? */
static bool is_foreign(const struct row *row, const struct blob *b, const struct tally *t)
{
    bool touches = b->box.x0 == 0 || b->box.y0 == 0 || b->box.x1 == row->w || b->box.y1 == row->h;
    double thin = RIM_THICK + FINE / row->ppm, length = box_width(b->box) + box_height(b->box);
    return b->area < SPECK || !t->boxes || ((double)(t->all - t->boxes) > OUTSIDE * (double)t->all && touches) ||
           (t->rim == t->all && (double)t->all < thin * length);
}

static void give(struct form_reader *r, const struct blob *b, int to)
{
    for (int i = b->first; i >= 0; i = r->blobs.run[i].next) {
        const struct stretch *s = &r->blobs.run[i];
        for (int x = s->x0; x < s->x1; x++) {
            int cell = to >= 0 ? to : nearest(&r->row, x);
            struct cell_place *c = &r->row.cell[cell];
            r->owner[s->y * r->row.w + x] = (uint8_t)(cell + 1);
            c->box = box_join(c->box, (struct box){x, s->y, x + 1, s->y + 1});
            c->area++;
        }
    }
}

/* Mark each ink pixel in `owner` by its cell + 1. */
static int share_out(struct form_reader *r, struct err *e)
{
    if (blobs_find(&r->blobs, r->mask, r->row.w, r->row.h, e))
        return -1;
    memset(r->owner, 0, (size_t)r->row.w * (size_t)r->row.h);
    for (int i = 0; i < r->row.cells; i++) {
        r->row.cell[i].box = BOX_NONE;
        r->row.cell[i].area = 0;
    }
    for (int i = 0; i < r->blobs.blobs; i++) {
        const struct blob *b = &r->blobs.blob[i];
        struct tally t;
        int best = 0;
        count(r, b, &t);
        if (is_foreign(&r->row, b, &t))
            continue;
        for (int k = 1; k < r->row.cells; k++)
            if (t.in[k] > t.in[best])
                best = k;
        give(r, b, (double)t.in[best] >= (1 - PARTED) * (double)t.boxes ? best : -1);
    }
    return 0;
}

/* ---- cuts ---- */

static bool is_empty(const struct cell_place *c)
{
    return c->area < MIN_AREA || box_longer(c->box) < MIN_LENGTH;
}

/* Is a pixel, or one of the eight around it, the cell's? */
static bool is_owned(const struct form_reader *r, int x, int y, int cell)
{
    for (int j = max_int(y - 1, 0); j <= min_int(y + 1, r->row.h - 1); j++)
        for (int i = max_int(x - 1, 0); i <= min_int(x + 1, r->row.w - 1); i++)
            if (r->owner[j * r->row.w + i] == cell + 1)
                return true;
    return false;
}

/* The contrast of full ink: an eighth of the cell's ink has more. */
static int full_ink(const struct form_reader *r, int cell)
{
    const struct cell_place *c = &r->row.cell[cell];
    long count[256] = {0}, above = 0;
    int v = 255;
    for (int y = c->box.y0; y < c->box.y1; y++)
        for (int x = c->box.x0; x < c->box.x1; x++)
            if (r->owner[y * r->row.w + x] == cell + 1)
                count[r->ink[y * r->row.w + x]]++;
    while (v > 1 && (above += count[v]) * 8 <= c->area)
        v--;
    return v;
}

/* The ink of a cell with its soft edge, stretched to 0..255. NULL when memory is short. */
static uint8_t *cut_out(const struct form_reader *r, int cell, struct form_ink *out, struct err *e)
{
    struct box b = r->row.cell[cell].box;
    int full = full_ink(r, cell), low = full / 8;
    out->cut_w = box_width(b);
    out->cut_h = box_height(b);
    uint8_t *cut = malloc((size_t)out->cut_w * (size_t)out->cut_h), *to = cut;
    if (!cut) {
        err_set(e, "out of memory");
        return NULL;
    }
    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++) {
            int v = (r->ink[y * r->row.w + x] - low) * 255 / max_int(full - low, 1);
            *to++ = is_owned(r, x, y, cell) ? (uint8_t)max_int(0, min_int(v, 255)) : 0;
        }
    return cut;
}

/* The box in the picture of a box in the row. */
static void set_box(const struct row *row, const struct cell_place *c, const struct picture *p,
                    const struct plane *plane, struct form_ink *out)
{
    double x0 = p->w, y0 = p->h, x1 = 0, y1 = 0;
    for (int i = 0; i < 4; i++) {
        double x = i & 1 ? c->box.x1 : c->box.x0, y = i & 2 ? c->box.y1 : c->box.y0;
        struct point at = plane_map(plane, row->x + x / FINE, row->y + y / FINE);
        x0 = fmin(x0, fmax(at.x, 0));
        y0 = fmin(y0, fmax(at.y, 0));
        x1 = fmax(x1, fmin(at.x, p->w));
        y1 = fmax(y1, fmin(at.y, p->h));
    }
    out->x = (int)floor(x0);
    out->y = (int)floor(y0);
    out->w = max_int((int)ceil(x1) - out->x, 1);
    out->h = max_int((int)ceil(y1) - out->y, 1);
}

static int put_cells(struct form_reader *r, const struct picture *p, const struct plane *plane, struct err *e)
{
    for (int i = 0; i < r->row.cells; i++) {
        const struct cell_place *c = &r->row.cell[i];
        if (grow_to(&r->found, r->finds + 1, &r->found_room, sizeof *r->found, e))
            return -1;
        struct form_ink *out = &r->found[r->finds];
        *out = (struct form_ink){.cell = c->cell};
        if (!is_empty(c)) {
            set_box(&r->row, c, p, plane, out);
            if (!(out->cut = cut_out(r, i, out, e)))
                return -1;
        }
        r->finds++;
    }
    return 0;
}

static int read_row(struct form_reader *r, const struct form_layout *l, const struct picture *p,
                    const struct plane *plane, int sheet, struct err *e)
{
    if (reserve_row(r, e))
        return -1;
    flatten(r, p, plane);
    compare(r);
    align(r);
    measure_band(r);
    choose_ink(r);
    mark_ink(r);
    take_out_print(r, l, sheet);
    return share_out(r, e) || put_cells(r, p, plane, e) ? -1 : 0;
}

int form_read_cells(struct form_reader *r, const struct form_layout *layout, const uint8_t *gray, long stride,
                    int w, int h, const struct form_sheet *sheet, struct form_ink **ink, size_t *n, struct err *e)
{
    struct picture p = {gray, stride, w, h};
    struct plane plane;
    memcpy(plane.h, sheet->to_picture, sizeof plane.h);
    forget(r);
    for (size_t i = 0; i < layout->cells;) {
        size_t cells = lay_row(&r->row, layout, i);
        if (layout->cell[i].sheet == (int)sheet->code.sheet && w > 1 && h > 1 &&
            read_row(r, layout, &p, &plane, (int)sheet->code.sheet, e))
            return -1;
        i += cells;
    }
    *ink = r->found;
    *n = r->finds;
    return 0;
}
