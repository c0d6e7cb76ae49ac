/* The ink in a sheet's cells. Input: a picture and the homography of its sheet. Output: gray cuts of what is
 * written in each cell.
 *
 * In a field's row of boxes, taken flat, the boxes' lines are taken out but where a stroke crosses them or runs
 * along them. A connected component belongs to the cell in whose box most of it lies; one that is at home in two
 * is two digits that touch, and is parted between them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "form.h"
#include "form_row.h"
#include "form_sheet.h"

#define MIN_INK 12        /* of 255: ink of a pale row has at least so much, */
#define ROUGH 4           /* and at least so many times the spread of the paper's grain */
#define MIN_PALE 23       /* of 255: full ink of a pale row has at least so much, */
#define GRAIN 6           /* and at least so many times that spread; or it is empty */
#define FAINT 45          /* of 255: where full ink has less, strokes are followed through the grain, */
#define FAINT_BLUR 3      /* pixels by which a line's blur reaches farther beside them */
#define MIN_FINE 6        /* pixels of the picture to a mm that it takes */
#define STROKE 4          /* by so many pixels to either side */
#define INK 0.4           /* of the contrast of full ink: what has more is ink */
#define FULL_AREA 80      /* pixels of a box: so many have the contrast of full ink, or more */
#define SPECK 9           /* pixels: what is smaller is dirt */
#define MIN_AREA 30       /* pixels of ink that a digit has at least: half a square mm */
#define MIN_LENGTH 10     /* pixels: a digit is taller or wider */
#define PARTED 0.3        /* of a component's pixels in boxes: so many in a second box, and it is parted */
#define OUTSIDE 0.6       /* of a component's pixels: so many in no box, and it comes from elsewhere */
#define MAX_THICK 16      /* pixels to either side: a line is not thicker */
#define BESIDE 3          /* pixels by which a stroke along a line makes it thicker, at least */
#define RIM 7             /* pixels from the middle of a line: what is no further is perhaps left of it */
#define RIM_THICK 3       /* pixels: what is left of a line is thicker by no more than one of the picture's */

struct form_reader {
    struct mark_finder finder;
    struct blobs blobs;
    struct row row;
    uint8_t *mask, *owner; /* of the row: [h][w]; owner: cell + 1 */
    size_t mask_room, owner_room;
    int thick; /* pixels: of a line that a stroke runs along, at least */
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
    row_free(&r->row);
    free(r->mask);
    free(r->owner);
    free(r->found);
    free(r);
}

int form_find_sheet(struct form_reader *r, const struct form_layout *layout, const uint8_t *gray, long stride,
                    int w, int h, struct form_sheet *sheet, struct err *e)
{
    struct picture p = {gray, stride, w, h};
    return sheet_find(&r->finder, &p, layout, sheet, e);
}

/* ---- what is ink ---- */

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

/* Pixels of ink in a run across a line, through this one. */
static int thickness(const struct form_reader *r, int x, int y, bool vertical)
{
    int n = 0, dx = vertical, dy = !vertical;
    for (int i = 0; i < MAX_THICK && is_ink(r, x + i * dx, y + i * dy); i++)
        n++;
    for (int i = 1; i < MAX_THICK && is_ink(r, x - i * dx, y - i * dy); i++)
        n++;
    return n;
}

/* How thick the boxes' lines are: most of each is in no stroke. */
static int line_thickness(const struct form_reader *r)
{
    int count[256] = {0}, n = 0;
    for (int i = 0; i < r->row.cells; i++) {
        const struct box *b = &r->row.cell[i].line;
        for (int x = b->x0; x < b->x1; x++, n += 2) {
            count[thickness(r, x, b->y0, false)]++;
            count[thickness(r, x, b->y1, false)]++;
        }
        for (int y = b->y0; y < b->y1; y++, n += 2) {
            count[thickness(r, b->x0, y, true)]++;
            count[thickness(r, b->x1, y, true)]++;
        }
    }
    return row_quantile(count, n, 0.75);
}

/* Mark what is to be taken out of the bands of one box's lines in `owner`, by 1; `all` of them, or what is ink
 * and no stroke's. A stroke crosses the line or, along it, makes it thicker than lines are. */
static void mark_lines(struct form_reader *r, const struct cell_place *c, bool all)
{
    int band = r->row.band;
    for (int side = 0; side < 4; side++) {
        bool vertical = side < 2;
        int at = side == 0 ? c->line.x0 : side == 1 ? c->line.x1 : side == 2 ? c->line.y0 : c->line.y1;
        int from = (vertical ? c->line.y0 : c->line.x0) - band, to = (vertical ? c->line.y1 : c->line.x1) + band;
        for (int t = -band; t <= band; t++)
            for (int s = from; s <= to; s++) {
                int x = vertical ? at + t : s, y = vertical ? s : at + t;
                bool in = x >= 0 && y >= 0 && x < r->row.w && y < r->row.h;
                if (all ? in : is_ink(r, x, y) && !crosses(r, x, y, t, vertical) &&
                               thickness(r, x, y, vertical) < r->thick)
                    r->owner[y * r->row.w + x] = 1;
            }
    }
}

/* Count the contrasts of the pixels so far within a box. Returns how many they are. */
static int count_inside(const struct form_reader *r, const struct cell_place *c, int inset, int count[256])
{
    struct box b = {c->line.x0 + inset, c->line.y0 + inset, c->line.x1 - inset, c->line.y1 - inset};
    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++)
            count[row_ink(&r->row, x, y)]++;
    return box_width(b) * box_height(b);
}

/* Twice the mean contrast along the straight stroke through a pixel that has most of it, by what is in no line:
 * of grain less than half is left. */
static int stroke_at(const struct form_reader *r, int x, int y)
{
    static const int8_t quarter[8][2] = {{4, 0}, {4, 2}, {4, 4}, {2, 4}, {0, 4}, {-2, 4}, {-4, 4}, {-4, 2}};
    int w = r->row.w, best = 0;
    for (int k = 0; k < 8; k++) {
        int sum = 0, n = 0;
        for (int i = -STROKE; i <= STROKE; i++) {
            int at = (y + quarter[k][1] * i / 4) * w + x + quarter[k][0] * i / 4;
            sum += r->owner[at] ? 0 : r->row.paper[at];
            n += !r->owner[at];
        }
        if (n > STROKE)
            best = max_int(best, 2 * sum / n);
    }
    return best;
}

/* Bring faint strokes out of the grain. What is over `most` counts as that: a dark spot does not spread. The
 * boxes' lines go. */
static void follow_strokes(struct form_reader *r, int most)
{
    int w = r->row.w, h = r->row.h, count[256] = {0}, n = 0;
    memset(r->owner, 0, (size_t)w * (size_t)h);
    r->row.band += FAINT_BLUR;
    for (int i = 0; i < r->row.cells; i++)
        mark_lines(r, &r->row.cell[i], true);
    for (int i = 0; i < w * h; i++)
        r->row.paper[i] = (uint8_t)min_int(r->row.ink[i], most);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            bool inner = min_int(x, y) >= STROKE && x < w - STROKE && y < h - STROKE;
            r->row.ink[y * w + x] = inner ? (uint8_t)min_int(stroke_at(r, x, y), 255) : 0;
        }
    for (int i = 0; i < r->row.cells; i++)
        n += count_inside(r, &r->row.cell[i], r->row.band + 1, count);
    int none = row_level(&r->row, count, n); /* strokes spread above it, and not below */
    r->row.rough = min_int(r->row.rough, none - row_quantile(count, n, 0.25));
}

/* The contrast that FULL_AREA pixels within the box have. */
static void measure_ink(struct form_reader *r, struct cell_place *c)
{
    int count[256] = {0}, all = 0, v = 255;
    count_inside(r, c, r->row.band + 1, count);
    while (v > 0 && (all += count[v]) < FULL_AREA)
        v--;
    c->full = v;
}

/* The most of them all. */
static int measure_row(struct form_reader *r)
{
    int full = 0;
    for (int i = 0; i < r->row.cells; i++) {
        measure_ink(r, &r->row.cell[i]);
        full = max_int(full, r->row.cell[i].full);
    }
    return full;
}

/* A row has one pen: beside clear ink, what is faint is rubbed out or on the paper's back; where all ink is
 * faint, it is a hard pencil's. */
static void choose_ink(struct form_reader *r)
{
    int full = measure_row(r), least = SURE_INK;
    if (full < FAINT && r->row.ppm >= MIN_FINE) {
        follow_strokes(r, max_int(full, SURE_INK));
        full = measure_row(r);
        least = 2 * SURE_INK;
    }
    if (full >= max_int(MIN_PALE, GRAIN * r->row.rough))
        least = min_int(max_int(max_int(MIN_INK, ROUGH * r->row.rough), (int)(INK * full)), least);
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
            r->mask[y * r->row.w + x] = r->row.ink[y * r->row.w + x] >= least;
    }
}

/* Leave out a printed thing that lies in the row. */
static void blank(struct form_reader *r, const struct form_rect *at, double wider)
{
    struct box b = {row_pixels(at->x - wider - r->row.x), row_pixels(at->y - wider - r->row.y),
                    row_pixels(at->x + at->w + wider - r->row.x), row_pixels(at->y + at->h + wider - r->row.y)};
    b = (struct box){max_int(b.x0, 0), max_int(b.y0, 0), min_int(b.x1, r->row.w), min_int(b.y1, r->row.h)};
    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++)
            r->owner[y * r->row.w + x] = 1;
}

static void take_out_print(struct form_reader *r, const struct form_layout *l, int sheet)
{
    size_t n = (size_t)r->row.w * (size_t)r->row.h;
    memset(r->owner, 0, n);
    r->thick = line_thickness(r) + BESIDE;
    for (int i = 0; i < r->row.cells; i++)
        mark_lines(r, &r->row.cell[i], false);
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
                count[r->row.ink[y * r->row.w + x]]++;
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
            int v = (r->row.ink[y * r->row.w + x] - low) * 255 / max_int(full - low, 1);
            *to++ = is_owned(r, x, y, cell) ? (uint8_t)max_int(0, min_int(v, 255)) : 0;
        }
    return cut;
}

/* The box in the picture of a box in the row. */
static void set_box(const struct form_reader *r, const struct cell_place *c, const struct picture *p,
                    const struct plane *plane, struct form_ink *out)
{
    double x0 = p->w, y0 = p->h, x1 = 0, y1 = 0;
    for (int i = 0; i < 4; i++) {
        double x = i & 1 ? c->box.x1 : c->box.x0, y = i & 2 ? c->box.y1 : c->box.y0;
        struct point on = bend_map(&r->row.bend, r->row.x + x / FINE, r->row.y + y / FINE);
        struct point at = plane_map(plane, on.x, on.y);
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
            set_box(r, c, p, plane, out);
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
    size_t pixels = (size_t)r->row.w * (size_t)r->row.h;
    if (grow_to(&r->mask, pixels, &r->mask_room, 1, e) || grow_to(&r->owner, pixels, &r->owner_room, 1, e) ||
        row_take_flat(&r->row, p, plane, e))
        return -1;
    choose_ink(r);
    mark_ink(r);
    take_out_print(r, l, sheet);
    return share_out(r, e) || put_cells(r, p, plane, e) ? -1 : 0;
}

static int read_rows(struct form_reader *r, const struct form_layout *l, const struct picture *p,
                     const struct plane *plane, int sheet, struct err *e)
{
    forget(r);
    for (size_t i = 0; i < l->cells && p->w > 1 && p->h > 1;) {
        size_t cells = row_lay(&r->row, l, i);
        if (l->cell[i].sheet == sheet && read_row(r, l, p, plane, sheet, e))
            return -1;
        i += cells;
    }
    return 0;
}

int form_read_cells(struct form_reader *r, const struct form_layout *layout, const uint8_t *gray, long stride,
                    int w, int h, const struct form_sheet *sheet, struct form_ink **ink, size_t *n, struct err *e)
{
    struct picture p = {gray, stride, w, h};
    struct plane plane;
    int number = (int)sheet->code.sheet;
    memcpy(plane.h, sheet->to_picture, sizeof plane.h);
    row_begin(&r->row, layout, sheet);
    if (read_rows(r, layout, &p, &plane, number, e))
        return -1;
    /* The last rows tell of the first ones, too. */
    if (r->row.bend.bent && read_rows(r, layout, &p, &plane, number, e))
        return -1;
    *ink = r->found;
    *n = r->finds;
    return 0;
}
