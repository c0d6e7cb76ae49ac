/* Cutting (cut.h): the step between the boxes of digits and their frames.
 *
 * Input: a box in the picture. Output: 28x28 pixels. The surroundings of the box are reduced to at most
 * CUT_SIDE pixels; the paper is what a closing leaves of them (Serra, 1982: strokes are narrower than its
 * window, shadows are not); ink is what differs from that by more than Otsu's threshold (1979). Rulings and
 * walls that cross the surroundings are taken out. Of the connected components those belong to the digit
 * that lie in its box for the most part. */
#include "cut.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ink.h"
#include "parts.h"

#define MARGIN 0.25f  /* of a box's longer side: so much is looked at around it */
#define CLOSING 0.24f /* of the box's longer side: half the window of the closing; strokes are narrower */
#define BELONGS 0.5f  /* of a component's pixels lie in the box: it is the digit's */
#define MAIN 0.3f     /* of the ink in the box: a component with so much is the digit, wherever else it goes */
#define SPECK 0.1f   /* of the ink in the box: a component with less is dirt */
#define MAX_GROWTH 2.5f /* of the box's longer side at most: what is larger than that is no digit */
#define SPANS 0.9f   /* of the surroundings: a line that crosses so much of them is a ruling or a wall */
#define SLOPE 0.2f   /* of the surroundings: such a line rises by no more */

enum { PIXELS = CUT_SIDE * CUT_SIDE, LINE = 3 * CUT_SIDE };

struct cutter {
    int w, h, reduce;    /* of the surroundings; source pixels to a pixel */
    int x0, y0;          /* where in the source they begin */
    struct box core;     /* the box in them */
    int longer;          /* its longer side */
    uint8_t gray[PIXELS], paper[PIXELS], ink[PIXELS], mask[PIXELS]; /* [h][w]; ink: contrast to the paper */
    uint32_t sum[(CUT_SIDE + 1) * (CUT_SIDE + 1)]; /* of gray, for means */
    struct easel easel;
    struct parts parts;
};

struct cutter *cutter_new(struct err *e)
{
    struct cutter *c = calloc(1, sizeof *c);
    if (!c)
        err_set(e, "out of memory");
    return c;
}

void cutter_free(struct cutter *c)
{
    if (!c)
        return;
    parts_free(&c->parts);
    free(c);
}

/* ---- The surroundings ---- */

/* A row of the surroundings: the means of k x k pixels each, at the right and lower edge of fewer. */
static void load_row(const struct cut_source *s, int x0, int y0, int k, int w, uint8_t *out)
{
    int sum[CUT_SIDE] = {0}, rows = min_int(k, s->h - y0);
    const uint8_t *row = s->gray + y0 * s->stride + x0;
    if (k == 1) {
        memcpy(out, row, (size_t)w);
        return;
    }
    for (int y = 0; y < rows; y++, row += s->stride)
        for (int x = 0; x < w; x++)
            for (int i = x * k; i < min_int(x * k + k, s->w - x0); i++)
                sum[x] += row[i];
    for (int x = 0; x < w; x++) {
        int count = rows * (min_int(x * k + k, s->w - x0) - x * k);
        out[x] = (uint8_t)((sum[x] + count / 2) / count);
    }
}

static void load(struct cutter *c, const struct cut_source *s, struct box box)
{
    int margin = max_int(2, (int)lrintf(MARGIN * (float)box_longer(box)));
    struct box around = box_widen(box, margin, s->w, s->h);
    int k = c->reduce = (box_longer(around) + CUT_SIDE - 1) / CUT_SIDE;
    c->x0 = around.x0;
    c->y0 = around.y0;
    c->w = (box_width(around) + k - 1) / k;
    c->h = (box_height(around) + k - 1) / k;
    c->core = (struct box){(box.x0 - around.x0) / k, (box.y0 - around.y0) / k,
                           (box.x1 - around.x0 + k - 1) / k, (box.y1 - around.y0 + k - 1) / k};
    c->longer = box_longer(c->core);
    for (int y = 0; y < c->h; y++)
        load_row(s, c->x0, c->y0 + y * k, k, c->w, c->gray + y * c->w);
}

static void complement(uint8_t *p, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (uint8_t)~p[i];
}

/* Turn [h][w] round into [w][h]. */
static void transpose(const uint8_t *in, int w, int h, uint8_t *out)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            out[x * h + y] = in[y * w + x];
}

/* Each pixel becomes the greatest of its row within `reach` of it: windows of twice the length, again and
 * again. */
static void dilate_rows(uint8_t *p, int w, int h, int reach)
{
    uint8_t line[LINE];
    int length = 2 * reach + 1;
    for (int y = 0; y < h; y++) {
        memset(line, 0, sizeof line);
        memcpy(line + reach, p + y * w, (size_t)w);
        for (int have = 1, more; have < length; have += more) {
            more = min_int(have, length - have);
            for (int x = 0; x < w + 2 * reach - more; x++)
                line[x] = line[x] > line[x + more] ? line[x] : line[x + more];
        }
        memcpy(p + y * w, line, (size_t)w);
    }
}

static void dilate(uint8_t *p, uint8_t *scratch, int w, int h, int reach)
{
    dilate_rows(p, w, h, reach);
    transpose(p, w, h, scratch);
    dilate_rows(scratch, h, w, reach);
    transpose(scratch, h, w, p);
}

/* The mean of each pixel and its neighbours, 1-2-1 both ways. */
static void blur(const uint8_t *in, int w, int h, uint8_t *out)
{
    for (int y = 0; y < h; y++) {
        const uint8_t *b = in + y * w, *a = y > 0 ? b - w : b, *c = y + 1 < h ? b + w : b;
        for (int x = 0; x < w; x++) {
            int l = x > 0 ? x - 1 : x, r = x + 1 < w ? x + 1 : x;
            int sum = a[l] + 2 * a[x] + a[r] + 2 * (b[l] + 2 * b[x] + b[r]) + c[l] + 2 * c[x] + c[r];
            out[y * w + x] = (uint8_t)((sum + 8) / 16);
        }
    }
}

/* The contrast of each pixel to the paper. */
static void compare(struct cutter *c, bool light)
{
    int n = c->w * c->h, reach = min_int(max_int(2, (int)lrintf(CLOSING * (float)c->longer)), CUT_SIDE - 1);
    if (light)
        complement(c->gray, n);
    blur(c->gray, c->w, c->h, c->paper);
    dilate(c->paper, c->mask, c->w, c->h, reach);
    complement(c->paper, n);
    dilate(c->paper, c->mask, c->w, c->h, reach);
    complement(c->paper, n);
    for (int i = 0; i < n; i++) {
        int d = c->paper[i] - c->gray[i];
        c->ink[i] = (uint8_t)(d > 0 ? d : 0);
    }
}

/* Sums of all pixels above and left of each: sum [h + 1][w + 1]. */
static void add_up(const uint8_t *gray, int w, int h, uint32_t *sum)
{
    memset(sum, 0, (size_t)(w + 1) * sizeof *sum);
    for (int y = 0; y < h; y++) {
        const uint32_t *above = sum + (size_t)y * (w + 1);
        uint32_t *here = sum + (size_t)(y + 1) * (w + 1), row = 0;
        here[0] = 0;
        for (int x = 0; x < w; x++)
            here[x + 1] = above[x + 1] + (row += gray[y * w + x]);
    }
}

/* Ink is rarer than paper, so that it differs more from the mean nearby: the skewness of the differences. */
float cut_polarity(struct cutter *c, const struct cut_source *s, struct box box)
{
    double dark = 0, light = 0;
    load(c, s, box);
    add_up(c->gray, c->w, c->h, c->sum);
    int reach = max_int(2, (int)lrintf(CLOSING * (float)c->longer)), stride = c->w + 1;
    for (int y = c->core.y0; y < c->core.y1; y++)
        for (int x = c->core.x0; x < c->core.x1; x++) {
            struct box b = box_widen((struct box){x, y, x + 1, y + 1}, reach, c->w, c->h);
            uint32_t sum = c->sum[b.y1 * stride + b.x1] - c->sum[b.y0 * stride + b.x1] -
                           c->sum[b.y1 * stride + b.x0] + c->sum[b.y0 * stride + b.x0];
            float d = (float)sum / (float)(box_width(b) * box_height(b)) - (float)c->gray[y * c->w + x];
            *(d > 0 ? &dark : &light) += fabs((double)(d * d * d));
        }
    return dark + light > 0 ? (float)((dark - light) / (dark + light)) : 0;
}

/* ---- What is ink ---- */

/* Otsu's threshold of the contrasts in the box: the least that is ink. */
static int threshold(const struct cutter *c)
{
    long count[256] = {0}, all = 0, sum = 0;
    for (int y = c->core.y0; y < c->core.y1; y++)
        for (int x = c->core.x0; x < c->core.x1; x++) {
            count[c->ink[y * c->w + x]]++;
            sum += c->ink[y * c->w + x];
            all++;
        }
    long below = 0, below_sum = 0;
    double most = 0;
    int best = 1;
    for (int v = 0; v < 255; v++) {
        below += count[v];
        below_sum += v * count[v];
        long above = all - below;
        if (!below || !above)
            continue;
        double apart = (double)(sum - below_sum) / (double)above - (double)below_sum / (double)below;
        double between = apart * apart * (double)below * (double)above;
        if (between > most) {
            most = between;
            best = v + 1;
        }
    }
    return best;
}

static void mark(struct cutter *c)
{
    int least = threshold(c);
    for (int i = 0; i < c->w * c->h; i++)
        c->mask[i] = c->ink[i] >= least;
}

static int at(const struct cutter *c, int x, int y)
{
    return y * c->w + x;
}

/* ---- Rulings and walls ---- */

/* The surroundings as they are, or turned over so that columns are rows. */
struct plane {
    uint8_t *ink, *mask; /* [h][w] */
    int w, h;
    struct box core;
};

/* A line from the left edge of the surroundings to the right one. */
struct ruling {
    int from, to; /* rows where it begins and ends */
    int thick;
};

static int ruling_at(const struct ruling *r, int x, int w)
{
    int last = max_int(w - 1, 1);
    return r->from + ((r->to - r->from) * 2 * x + (r->to > r->from ? last : -last)) / (2 * last);
}

/* The sum of the ink on the line, or 0 where too little of it is ink. */
static int ruling_ink(const struct plane *p, const struct ruling *r)
{
    int on = 0, sum = 0;
    for (int x = 0; x < p->w; x++) {
        int i = ruling_at(r, x, p->w) * p->w + x;
        on += p->mask[i] != 0;
        sum += p->ink[i];
    }
    return (float)on >= SPANS * (float)p->w ? sum : 0;
}

/* How many pixels of ink are in column x without a gap around row y. */
static int run_at(const struct plane *p, int x, int y)
{
    int top = y, bottom = y;
    while (top > 0 && p->mask[(top - 1) * p->w + x])
        top--;
    while (bottom < p->h && p->mask[bottom * p->w + x])
        bottom++;
    return bottom - top;
}

/* The usual thickness of the line on both sides of the box. */
static int thickness(const struct plane *p, const struct ruling *r)
{
    int count[CUT_SIDE + 1] = {0}, all = 0, seen = 0, t = 1;
    for (int x = 0; x < p->w; x++) {
        int run = x >= p->core.x0 && x < p->core.x1 ? 0 : run_at(p, x, ruling_at(r, x, p->w));
        count[run] += run > 0;
        all += run > 0;
    }
    while (t < CUT_SIDE && 2 * (seen += count[t]) < all)
        t++;
    return t;
}

/* The strongest line; false when there is none. */
static bool find_ruling(const struct plane *p, struct ruling *best)
{
    int rise = (int)(SLOPE * (float)p->w), most = 0;
    for (int from = 0; from < p->h; from++) {
        if (!p->mask[from * p->w] && !p->mask[from * p->w + 1])
            continue;
        for (int to = max_int(0, from - rise); to <= min_int(p->h - 1, from + rise); to++) {
            if (!p->mask[to * p->w + p->w - 1] && !p->mask[to * p->w + p->w - 2])
                continue;
            struct ruling r = {from, to, 0};
            int sum = ruling_ink(p, &r);
            if (sum > most) {
                most = sum;
                *best = r;
            }
        }
    }
    if (most > 0)
        best->thick = thickness(p, best);
    return most > 0;
}

static bool is_ink(const struct plane *p, int x, int y)
{
    return y >= 0 && y < p->h && p->mask[y * p->w + x];
}

/* Take the line out where no stroke crosses it. Returns whether there was such a place. */
static bool erase_ruling(const struct plane *p, const struct ruling *r)
{
    bool erased = false;
    for (int x = 0; x < p->w; x++) {
        int middle = ruling_at(r, x, p->w), top = middle - (r->thick + 1) / 2;
        int bottom = middle + (r->thick + 1) / 2 + 1;
        if (is_ink(p, x, top - 1) && is_ink(p, x, bottom))
            continue;
        for (int y = max_int(top, 0); y < min_int(bottom, p->h); y++)
            p->ink[y * p->w + x] = p->mask[y * p->w + x] = 0;
        erased = true;
    }
    return erased;
}

/* Erase the lines that cross the surroundings from left to right, and leave the box on both sides. */
static bool erase_across(const struct plane *p)
{
    bool erased = false;
    struct ruling r;
    if (p->core.x0 == 0 || p->core.x1 == p->w)
        return false;
    while (find_ruling(p, &r) && erase_ruling(p, &r))
        erased = true;
    return erased;
}

/* Erase lines across and down. Returns whether there were any. */
static bool erase_rulings(struct cutter *c)
{
    struct plane upright = {c->ink, c->mask, c->w, c->h, c->core};
    struct plane turned = {c->paper, c->gray, c->h, c->w, {c->core.y0, c->core.x0, c->core.y1, c->core.x1}};
    bool across = erase_across(&upright);
    transpose(c->ink, c->w, c->h, turned.ink); /* gray and paper are not needed any more */
    transpose(c->mask, c->w, c->h, turned.mask);
    if (!erase_across(&turned))
        return across;
    transpose(turned.ink, c->h, c->w, c->ink);
    transpose(turned.mask, c->h, c->w, c->mask);
    return true;
}

/* ---- What is the digit's ---- */

static bool holds(struct box b, int x, int y)
{
    return x >= b.x0 && x < b.x1 && y >= b.y0 && y < b.y1;
}

/* How far from the middle of b a point is, 1 at its sides. */
static float from_middle(struct box b, int x, int y)
{
    float dx = fabsf((float)(2 * x + 1 - b.x0 - b.x1)) / (float)max_int(box_width(b), 1);
    float dy = fabsf((float)(2 * y + 1 - b.y0 - b.y1)) / (float)max_int(box_height(b), 1);
    return fmaxf(dx, dy);
}

/* Take out what is the ink of another digit: in its box and not in this one's, or nearer to its middle. */
static void give_away(struct cutter *c, struct box other)
{
    int k = c->reduce;
    struct box b = {(other.x0 - c->x0) / k, (other.y0 - c->y0) / k, (other.x1 - c->x0) / k, (other.y1 - c->y0) / k};
    for (int y = max_int(b.y0, 0); y < min_int(b.y1, c->h); y++)
        for (int x = max_int(b.x0, 0); x < min_int(b.x1, c->w); x++)
            if (!holds(c->core, x, y) || from_middle(b, x, y) < from_middle(c->core, x, y))
                c->mask[at(c, x, y)] = 0;
}

struct tally {
    long all, inside; /* pixels of a component, and of those in the box */
};

static struct tally count_part(const struct cutter *c, const struct part *p, struct box core)
{
    struct tally t = {0, 0};
    for (int r = p->first; r >= 0; r = c->parts.run[r].next) {
        const struct run *run = &c->parts.run[r];
        t.all += run->x1 - run->x0;
        if (run->y >= core.y0 && run->y < core.y1)
            t.inside += max_int(0, min_int(run->x1, core.x1) - max_int(run->x0, core.x0));
    }
    return t;
}

/* Mark the pixels of a component that are the digit's by 2. */
static void keep_part(struct cutter *c, const struct part *p, struct box limit)
{
    for (int r = p->first; r >= 0; r = c->parts.run[r].next) {
        const struct run *run = &c->parts.run[r];
        for (int x = run->x0; x < run->x1; x++)
            if (holds(limit, x, run->y))
                c->mask[at(c, x, run->y)] = 2;
    }
}

/* Mark what is the digit's by 2. Returns 1; 0 where there is nothing; -1 when memory is short. */
static int keep_parts(struct cutter *c, struct err *e)
{
    struct box core = c->core, all = {0, 0, c->w, c->h};
    long inside = 0, kept = 0;
    if (parts_find(&c->parts, c->mask, c->w, c->h, e))
        return -1;
    for (int i = 0; i < c->parts.parts; i++) {
        struct tally t = count_part(c, &c->parts.part[i], core);
        inside += t.inside;
    }
    for (int i = 0; i < c->parts.parts; i++) {
        const struct part *p = &c->parts.part[i];
        struct tally t = count_part(c, p, core);
        bool belongs = (float)t.inside >= BELONGS * (float)t.all;
        if ((float)t.inside < SPECK * (float)inside ||
            !(belongs || (float)t.inside >= MAIN * (float)inside))
            continue;
        keep_part(c, p, belongs ? all : core);
        kept += t.inside;
    }
    return kept > 0;
}

/* The contrast of full ink: an eighth of the digit's pixels have more. */
static int full_ink(const struct cutter *c)
{
    long count[256] = {0}, all = 0, above = 0;
    for (int i = 0; i < c->w * c->h; i++)
        if (c->mask[i] == 2) {
            count[c->ink[i]]++;
            all++;
        }
    for (int v = 255; v > 1; v--)
        if ((above += count[v]) * 8 > all)
            return v;
    return 1;
}

/* The box of what is the digit's. */
static struct box kept_box(const struct cutter *c)
{
    struct box box = BOX_NONE;
    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w; x++)
            if (c->mask[at(c, x, y)] == 2)
                box = box_join(box, (struct box){x, y, x + 1, y + 1});
    return box;
}

/* The digit's ink and its soft edge, of which `full` is full ink, stretched to 0..255, into paper [height of
 * box][width of box]. */
static struct box draw_ink(struct cutter *c, int full)
{
    int low = full / 8;
    struct box box = box_widen(kept_box(c), 1, c->w, c->h);
    uint8_t *out = c->paper;
    for (int y = box.y0; y < box.y1; y++)
        for (int x = box.x0; x < box.x1; x++) {
            struct box near = box_widen((struct box){x, y, x + 1, y + 1}, 1, c->w, c->h);
            bool own = false;
            for (int j = near.y0; j < near.y1; j++)
                for (int i = near.x0; i < near.x1; i++)
                    own |= c->mask[at(c, i, j)] == 2;
            int v = own ? (c->ink[at(c, x, y)] - low) * 255 / max_int(full - low, 1) : 0;
            *out++ = (uint8_t)max_int(0, min_int(v, 255));
        }
    return box;
}

/* Trim what is pale from the sides of the cut, in place. */
static void trim(uint8_t *cut, struct box *box)
{
    int w = box_width(*box), h = box_height(*box);
    struct box b = BOX_NONE;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            if (cut[y * w + x] > 25)
                b = box_join(b, (struct box){x, y, x + 1, y + 1});
    if (b.x1 <= b.x0)
        return;
    for (int y = b.y0; y < b.y1; y++)
        memmove(cut + (y - b.y0) * box_width(b), cut + y * w + b.x0, (size_t)box_width(b));
    *box = (struct box){box->x0 + b.x0, box->y0 + b.y0, box->x0 + b.x1, box->y0 + b.y1};
}

/* Find the ink of the digit in `box`: mark its pixels by 2. Returns 1; 0 where there is none; -1 when memory
 * is short. */
static int find_ink(struct cutter *c, const struct cut_source *s, bool light, const struct box *other, int n,
                    struct box box, struct err *e)
{
    load(c, s, box);
    compare(c, light);
    mark(c);
    if (erase_rulings(c)) { /* ink paler than the lines is told from paper once they are gone */
        mark(c);
        if (erase_rulings(c))
            mark(c);
    }
    for (int i = 0; i < n; i++)
        give_away(c, other[i]);
    return keep_parts(c, e);
}

/* A box of the surroundings in pixels of the picture. */
static struct box in_source(const struct cutter *c, const struct cut_source *s, struct box b)
{
    int k = c->reduce;
    return (struct box){c->x0 + b.x0 * k, c->y0 + b.y0 * k, min_int(c->x0 + b.x1 * k, s->w),
                        min_int(c->y0 + b.y1 * k, s->h)};
}

/* Does the digit go on beyond the surroundings, other than where the picture ends? Then widen *box. */
static bool goes_on(const struct cutter *c, const struct cut_source *s, struct box *box)
{
    struct box ink = kept_box(c), all = in_source(c, s, (struct box){0, 0, c->w, c->h});
    bool more = (ink.x0 == 0 && all.x0 > 0) || (ink.y0 == 0 && all.y0 > 0) ||
                (ink.x1 == c->w && all.x1 < s->w) || (ink.y1 == c->h && all.y1 < s->h);
    *box = box_join(*box, in_source(c, s, ink));
    return more;
}

/* Make the frame of what was found. Returns the contrast of its ink. */
static int finish(struct cutter *c, const struct cut_source *s, struct box *box, uint8_t *pixels)
{
    int full = full_ink(c);
    struct box ink = draw_ink(c, full);
    trim(c->paper, &ink);
    *box = in_source(c, s, ink);
    normalise(&c->easel, c->paper, box_width(ink), box_height(ink), pixels);
    return full;
}

int cut_digit(struct cutter *c, const struct cut_source *s, bool light, const struct box *other, int n,
              struct box *box, uint8_t *pixels, struct err *e)
{
    struct box at = *box;
    int kept;
    while ((kept = find_ink(c, s, light, other, n, at, e)) > 0 && goes_on(c, s, &at))
        if ((float)box_longer(at) > MAX_GROWTH * (float)box_longer(*box))
            return find_ink(c, s, light, other, n, *box, e) > 0 ? finish(c, s, box, pixels) : -1;
    return kept > 0 ? finish(c, s, box, pixels) : kept;
}
