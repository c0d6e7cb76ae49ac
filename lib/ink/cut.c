/* Cutting, the step between the boxes of digits and their frames.
 *
 * Input: a box in the picture. Output: 28x28 pixels. The surroundings of the box are reduced to at most SIDE
 * pixels; the paper is what a closing leaves of them (Serra, 1982: strokes are narrower than its window,
 * shadows are not); ink is what differs from that by more than Otsu's threshold (1979). Rulings and walls that
 * cross the surroundings are taken out, and frames around the digit. Of the connected components those belong to the
 * digit that lie in its box for the most part, and of the others what is in its box and nearer to its middle than to
 * another's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

/* The surroundings are reduced to at most so many pixels a side: a digit is then six times as large as in its
 * frame. */
#define SIDE 128
/* So much is looked at around a box, as a part of its longer side. */
#define MARGIN 0.25f
/* The same for a sign, which else would seem to cross it. */
#define SIGN_MARGIN 0.75f
/* Half the window of the closing, as a part of the box's longer side: a stroke is no wider than the window. */
#define CLOSING 0.24f
/* The same for a sign or a blot: a point fills its box. */
#define FULL_CLOSING 0.6f
/* A component is the digit's, also where it leaves the box, when at least this part of its pixels lies in it. */
#define MIN_OWN 0.55f
/* The same for a sign, whose box is less exact. */
#define SIGN_OWN 0.45f
/* And for a blot, which may touch digits on both sides. */
#define BLOT_OWN 1
/* Of another what is inside is the digit's, unless it is less than this part of the ink in the box: a wall. */
#define MIN_MAIN 0.3f
/* A line is a ruling or a wall when ink covers at least this part of its way through the surroundings; */
#define MIN_COVERED 0.9f
/* and when it rises by at most this part of that way. */
#define MAX_SLOPE 0.2f
/* A frame lies along the sides of its box, no further from them than this part of the longer one, */
#define FRAME 0.12f
/* but for this part of its pixels; */
#define MAX_INWARD 0.03f
/* and the ink in it is at least this part of its own. */
#define MIN_FRAMED 0.15f
/* A wall between two digits is at least so many times as high as wide. */
#define MIN_WALL 1.7f
/* A square of this part of the box's longer side fits into a blot; it fits into fewer than one of 200 digits of
 * MNIST. */
#define BLOT 0.42f
/* A pixel paler than this, of 255, is not counted to the digit's box. */
#define MIN_INK 26

enum { PIXELS = SIDE * SIDE, KEPT = 2, SEEN };

struct cutter {
    int w, h, reduce; /* of the surroundings; pixels of the picture to one of theirs */
    int x0, y0;       /* where in the picture they begin */
    struct box core;  /* the box in them */
    int rulings;      /* lines that were taken out */
    bool blotted;     /* there was a blot in the box */
    int longer;       /* its longer side */
    uint8_t gray[PIXELS], paper[PIXELS], ink[PIXELS]; /* [h][w]; ink: contrast to the paper */
    uint8_t picture[PIXELS]; /* [h][w] gray, which is scratch once lines are looked for */
    uint8_t mask[PIXELS];  /* [h][w] 1: ink, KEPT: the digit's */
    uint8_t marked[PIXELS]; /* [h][w] ink, before lines were taken out */
    uint16_t list[PIXELS]; /* the pixels of a component */
    uint32_t scratch[CONTRAST_SCRATCH(SIDE)];
    struct easel easel;
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
    free(c);
}

bool cut_was_ruled(const struct cutter *c)
{
    return c->rulings > 0;
}

bool cut_was_blotted(const struct cutter *c)
{
    return c->blotted;
}

/* ---- The surroundings ---- */

static void load(struct cutter *c, const struct source *s, struct box box, float part)
{
    int margin = max_int(2, (int)lrintf(part * (float)box_longer(box)));
    struct box around = box_widen(box, margin, s->w, s->h);
    int k = c->reduce = (box_longer(around) + SIDE - 1) / SIDE;
    c->x0 = around.x0;
    c->y0 = around.y0;
    c->w = (box_width(around) + k - 1) / k;
    c->h = (box_height(around) + k - 1) / k;
    c->core = (struct box){(box.x0 - around.x0) / k, (box.y0 - around.y0) / k, (box.x1 - around.x0 + k - 1) / k,
                           (box.y1 - around.y0 + k - 1) / k};
    c->longer = box_longer(c->core);
    reduce(s, around, k, c->gray);
}

/* Does the box touch the edge of the surroundings? */
static bool is_at_edge(const struct cutter *c, struct box b)
{
    return b.x0 <= 0 || b.y0 <= 0 || b.x1 >= c->w || b.y1 >= c->h;
}

static void complement(uint8_t *p, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (uint8_t)~p[i];
}

/* Turn [h][w] over into [w][h]. */
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
    uint8_t line[3 * SIDE];
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
static void compare(struct cutter *c, bool light, float closing)
{
    int n = c->w * c->h, reach = min_int(max_int(2, (int)lrintf(closing * (float)c->longer)), SIDE - 1);
    if (light)
        complement(c->gray, n);
    memcpy(c->picture, c->gray, (size_t)n);
    blur(c->gray, c->w, c->h, c->paper);
    dilate(c->paper, c->mask, c->w, c->h, reach);
    complement(c->paper, n);
    dilate(c->paper, c->mask, c->w, c->h, reach);
    complement(c->paper, n);
    for (int i = 0; i < n; i++)
        c->ink[i] = (uint8_t)max_int(c->paper[i] - c->gray[i], 0);
}

/* Ink is rarer than paper, so that it differs more from the mean nearby: the skewness of local contrast. */
float cut_polarity(struct cutter *c, const struct source *s, struct box box)
{
    float dark = 0, light = 0;
    load(c, s, box, MARGIN);
    ink_local_contrast(c->gray, c->w, c->h, c->ink, c->scratch);
    for (int y = c->core.y0; y < c->core.y1; y++)
        for (int x = c->core.x0; x < c->core.x1; x++) {
            float d = (float)(CONTRAST_PAPER - c->ink[y * c->w + x]);
            *(d > 0 ? &dark : &light) += fabsf(d * d * d);
        }
    return dark + light > 0 ? (dark - light) / (dark + light) : 0;
}

/* ---- What is ink ---- */

/* Otsu's threshold of the contrasts in the box: the least that is ink. */
static int threshold(const struct cutter *c)
{
    long count[256] = {0}, all = 0, sum = 0, below = 0, below_sum = 0;
    double most = 0;
    int best = 1;
    for (int y = c->core.y0; y < c->core.y1; y++)
        for (int x = c->core.x0; x < c->core.x1; x++) {
            count[c->ink[y * c->w + x]]++;
            sum += c->ink[y * c->w + x];
            all++;
        }
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
    return (float)on >= MIN_COVERED * (float)p->w ? sum : 0;
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

/* The median thickness of the line on both sides of the box. */
static int thickness(const struct plane *p, const struct ruling *r)
{
    int count[SIDE + 1] = {0}, all = 0, seen = 0, t = 1;
    for (int x = 0; x < p->w; x++) {
        int run = x >= p->core.x0 && x < p->core.x1 ? 0 : run_at(p, x, ruling_at(r, x, p->w));
        count[run] += run > 0;
        all += run > 0;
    }
    while (t < SIDE && 2 * (seen += count[t]) < all)
        t++;
    return t;
}

/* Does the row begin (from 0) or end (from w - 2) with ink? */
static bool touches(const struct plane *p, int y, int x)
{
    return p->mask[y * p->w + x] || p->mask[y * p->w + x + 1];
}

/* The strongest line; false when there is none. */
static bool find_ruling(const struct plane *p, struct ruling *best)
{
    int rise = (int)(MAX_SLOPE * (float)p->w), most = 0;
    for (int from = 0; from < p->h; from++)
        for (int to = max_int(0, from - rise); touches(p, from, 0) && to <= min_int(p->h - 1, from + rise); to++) {
            struct ruling r = {from, to, 0};
            int sum = touches(p, to, p->w - 2) ? ruling_ink(p, &r) : 0;
            if (sum > most) {
                most = sum;
                *best = r;
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

/* Take the line out where no stroke crosses it. Returns whether that was half of it or more: else it is a blot. */
static bool erase_ruling(const struct plane *p, const struct ruling *r)
{
    int erased = 0;
    for (int x = 0; x < p->w; x++) {
        int middle = ruling_at(r, x, p->w), top = middle - (r->thick + 1) / 2;
        int bottom = middle + (r->thick + 1) / 2 + 1;
        if (is_ink(p, x, top - 1) && is_ink(p, x, bottom))
            continue;
        erased += p->mask[middle * p->w + x] != 0;
        for (int y = max_int(top, 0); y < min_int(bottom, p->h); y++)
            p->ink[y * p->w + x] = p->mask[y * p->w + x] = 0;
    }
    return 2 * erased >= p->w;
}

/* Erase the lines that cross the surroundings from left to right, and leave the box on both sides. Returns how many
 * they are. */
static int erase_across(const struct plane *p)
{
    int erased = 0;
    struct ruling r;
    while (p->core.x0 > 0 && p->core.x1 < p->w && find_ruling(p, &r) && erase_ruling(p, &r))
        erased++;
    return erased;
}

/* Erase lines across and down. Returns how many there were. */
static int erase_rulings(struct cutter *c)
{
    struct plane upright = {c->ink, c->mask, c->w, c->h, c->core};
    struct plane turned = {c->paper, c->gray, c->h, c->w, {c->core.y0, c->core.x0, c->core.y1, c->core.x1}};
    int across = erase_across(&upright);
    transpose(c->ink, c->w, c->h, turned.ink); /* gray and paper are not needed any more */
    transpose(c->mask, c->w, c->h, turned.mask);
    int down = erase_across(&turned);
    if (!down)
        return across;
    transpose(turned.ink, c->h, c->w, c->ink);
    transpose(turned.mask, c->h, c->w, c->mask);
    return across + down;
}

/* ---- Frames ---- */

static bool holds(struct box b, int x, int y)
{
    return x >= b.x0 && x < b.x1 && y >= b.y0 && y < b.y1;
}

/* How many of the first n pixels in the list are in the box. */
static int count_inside(const struct cutter *c, struct box box, int n)
{
    int inside = 0;
    for (int i = 0; i < n; i++)
        inside += holds(box, c->list[i] % c->w, c->list[i] / c->w);
    return inside;
}

/* The box of the first n pixels in the list. */
static struct box box_of_list(const struct cutter *c, int n)
{
    struct box b = BOX_NONE;
    for (int i = 0; i < n; i++)
        b = box_join(b, box_at(c->list[i] % c->w, c->list[i] / c->w, 1, 1));
    return b;
}

/* Is a component of n pixels a frame around ink, or two or three sides of one: does nearly all of it lie along the
 * sides of its box? */
static bool is_frame(const struct cutter *c, int n)
{
    struct box b = box_of_list(c, n);
    int t = max_int(2, (int)(FRAME * (float)box_longer(b))), inner = 0;
    b = (struct box){b.x0 + t, b.y0 + t, b.x1 - t, b.y1 - t};
    if (2 * box_width(b) < box_width(c->core) || 2 * box_height(b) < box_height(c->core) ||
        (float)count_inside(c, b, n) > MAX_INWARD * (float)n)
        return false;
    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++)
            inner += c->mask[y * c->w + x] != 0;
    return (float)inner >= MIN_FRAMED * (float)n;
}

/* Erase a component of n pixels with its soft edge. */
static void erase_component(struct cutter *c, int n)
{
    for (int i = 0; i < n; i++) {
        int at = c->list[i], x = at % c->w, y = at / c->w;
        for (int v = max_int(y - 1, 0); v <= min_int(y + 1, c->h - 1); v++)
            for (int u = max_int(x - 1, 0); u <= min_int(x + 1, c->w - 1); u++)
                if (!c->mask[v * c->w + u])
                    c->ink[v * c->w + u] = 0;
    }
}

/* Erase the frames that stand by themselves. Returns whether there were any. */
static bool erase_frames(struct cutter *c)
{
    bool erased = false;
    for (int at = 0; at < c->w * c->h; at++) {
        int n = c->mask[at] == 1 ? take_region(c->mask, c->w, c->h, at, 0, true, c->list) : 0;
        bool frame = n && is_frame(c, n);
        if (frame)
            erase_component(c, n);
        erased |= frame;
        for (int i = 0; i < n && !frame; i++)
            c->mask[c->list[i]] = SEEN;
    }
    for (int i = 0; i < c->w * c->h; i++)
        c->mask[i] = c->mask[i] != 0;
    return erased;
}

/* ---- What is the digit's ---- */

/* How far from the middle of the pixels from..to one is, 1 at their ends. */
static float from_middle(int from, int to, int at)
{
    return fabsf((float)(2 * at + 1 - from - to)) / (float)max_int(to - from, 1);
}

/* Is the pixel nearer to the middle of b than to that of a? Of boxes beside each other its column tells, of
 * boxes above each other its row. */
static bool is_nearer(struct box a, struct box b, int x, int y)
{
    long across = labs((long)a.x0 + a.x1 - b.x0 - b.x1) * (box_height(a) + box_height(b));
    long down = labs((long)a.y0 + a.y1 - b.y0 - b.y1) * (box_width(a) + box_width(b));
    return across >= down ? from_middle(b.x0, b.x1, x) < from_middle(a.x0, a.x1, x)
                          : from_middle(b.y0, b.y1, y) < from_middle(a.y0, a.y1, y);
}

/* A box of the picture in the surroundings. */
static struct box in_surroundings(const struct cutter *c, struct box b)
{
    int k = c->reduce;
    return (struct box){(b.x0 - c->x0) / k, (b.y0 - c->y0) / k, (b.x1 - c->x0) / k, (b.y1 - c->y0) / k};
}

/* Is the pixel nearer to the middle of another digit's box than to this one's? */
static bool is_anothers(const struct cutter *c, const struct box *other, int n, int x, int y)
{
    for (int i = 0; i < n; i++)
        if (is_nearer(c->core, in_surroundings(c, other[i]), x, y))
            return true;
    return false;
}

/* Does a box that is smaller than this one hold the first n pixels of the list, too? */
static bool is_held_closer(const struct cutter *c, const struct box *other, int others, int n)
{
    long area = (long)box_width(c->core) * box_height(c->core);
    for (int i = 0; i < others; i++) {
        struct box b = in_surroundings(c, other[i]);
        if ((long)box_width(b) * box_height(b) < area && (float)count_inside(c, b, n) >= MIN_OWN * (float)n)
            return true;
    }
    return false;
}

/* Put those of the first n pixels in the list first that are in the box and not another's. Returns how many they
 * are. */
static int put_own_first(struct cutter *c, const struct box *other, int others, int n)
{
    int own = 0;
    for (int i = 0; i < n; i++) {
        uint16_t at = c->list[i];
        int x = at % c->w, y = at / c->w;
        if (!holds(c->core, x, y) || is_anothers(c, other, others, x, y))
            continue;
        c->list[i] = c->list[own];
        c->list[own++] = at;
    }
    return own;
}

/* Of the components leave those that are the digit's; of those that go on beyond it what is in its box and not
 * another's. A sign stands by itself in its surroundings. Returns whether there is any ink. */
static bool keep_components(struct cutter *c, const struct box *other, int others, enum cut_as what)
{
    bool sign = what == CUT_SIGN;
    float least = sign ? SIGN_OWN : what == CUT_BLOT ? BLOT_OWN : MIN_OWN;
    int all = 0;
    bool any = false;
    for (int y = c->core.y0; y < c->core.y1; y++)
        for (int x = c->core.x0; x < c->core.x1; x++)
            all += c->mask[y * c->w + x];
    for (int at = 0; at < c->w * c->h; at++) {
        int n = c->mask[at] == 1 ? take_region(c->mask, c->w, c->h, at, 0, true, c->list) : 0;
        struct box whole = box_of_list(c, n);
        int own = (float)count_inside(c, c->core, n) >= least * (float)n ? n : put_own_first(c, other, others, n);
        if (is_held_closer(c, other, others, n) || (own < n && (sign || (float)own < MIN_MAIN * (float)all)) ||
            (sign && is_at_edge(c, whole)))
            own = 0;
        for (int i = 0; i < own; i++)
            c->mask[c->list[i]] = KEPT;
        any |= own > 0;
    }
    return any;
}

/* ---- Is it a digit at all ---- */

/* Is there a blot in the box? The closing takes the middle of a large one for paper, which is as dark as the ink. */
static bool looks_blotted(struct cutter *c)
{
    long gray = 0, contrast = 0;
    int inked = 0, n = c->w * c->h, across = (int)lrintf(BLOT * (float)c->longer);
    for (int i = 0; i < n; i++)
        if (c->mask[i] == KEPT) {
            gray += c->picture[i];
            contrast += c->ink[i];
            inked++;
        }
    for (int i = 0; i < n; i++) /* nearly as dark as the ink is on average */
        c->paper[i] = c->mask[i] != KEPT && (c->mask[i] || c->picture[i] * inked >= gray + contrast / 4);
    dilate(c->paper, c->gray, c->w, c->h, max_int(across / 2, 1));
    for (int y = c->core.y0; y < c->core.y1; y++)
        for (int x = c->core.x0; x < c->core.x1; x++)
            if (!c->paper[y * c->w + x])
                return true;
    return false;
}

/* On how many lines that were taken out did the digit's ink, in the box b, stand and hang: 0 to 2? */
static int ends_on_lines(const struct cutter *c, struct box b)
{
    bool end[2] = {false, false};
    for (int y = 1; y < c->h - 1; y++)
        for (int x = 0; x < c->w; x++)
            for (int i = -1; i <= 1 && c->mask[y * c->w + x] == KEPT; i += 2)
                if (!c->mask[(y + i) * c->w + x] && c->marked[(y + i) * c->w + x])
                    end[2 * y > b.y0 + b.y1] = true;
    return end[0] + end[1];
}

bool cut_is_wall(const struct cutter *c)
{
    struct box b = box_of(c->mask, c->w, c->h, KEPT);
    return c->rulings > 0 && MIN_WALL * (float)box_width(b) <= (float)box_height(b) &&
           ends_on_lines(c, b) >= min_int(c->rulings, 2);
}

/* ---- Its frame ---- */

/* The contrast of full ink: an eighth of the digit's pixels have more. */
static int full_ink(const struct cutter *c)
{
    int count[256] = {0}, all = 0, above = 0, full = 256;
    for (int i = 0; i < c->w * c->h; i++)
        if (c->mask[i] == KEPT) {
            count[c->ink[i]]++;
            all++;
        }
    while (--full > 1 && (above += count[full]) * 8 <= all)
        ;
    return full;
}

/* Make the frame of what was found, of ink and its soft edge, and *box that of the ink. Returns the contrast of
 * the ink. */
static int draw(struct cutter *c, const struct source *s, struct box *box, uint8_t *pixels)
{
    int full = full_ink(c), low = full / 8, n = c->w * c->h;
    uint8_t level[256]; /* of a contrast */
    for (int i = 0; i < 256; i++)
        level[i] = (uint8_t)max_int(0, min_int((i - low) * 255 / max_int(full - low, 1), 255));
    for (int i = 0; i < n; i++)
        c->paper[i] = c->mask[i] == KEPT;
    dilate(c->paper, c->gray, c->w, c->h, 1);
    for (int i = 0; i < n; i++)
        c->gray[i] = c->paper[i] ? level[c->ink[i]] : 0;
    struct box ink = box_of(c->gray, c->w, c->h, MIN_INK);
    for (int y = ink.y0; y < ink.y1; y++)
        memcpy(c->paper + (y - ink.y0) * box_width(ink), c->gray + y * c->w + ink.x0, (size_t)box_width(ink));
    *box = (struct box){c->x0 + ink.x0 * c->reduce, c->y0 + ink.y0 * c->reduce,
                        min_int(c->x0 + ink.x1 * c->reduce, s->w), min_int(c->y0 + ink.y1 * c->reduce, s->h)};
    normalise(&c->easel, c->paper, box_width(ink), box_height(ink), pixels);
    return full;
}

/* A box of the surroundings in the picture. */
static struct box in_picture(const struct cutter *c, struct box b)
{
    int k = c->reduce;
    return (struct box){c->x0 + b.x0 * k, c->y0 + b.y0 * k, c->x0 + b.x1 * k, c->y0 + b.y1 * k};
}

int cut_pieces(struct cutter *c, struct box *piece, int most)
{
    int found = 0, largest = 0;
    for (int i = 0; i < c->w * c->h; i++)
        c->paper[i] = c->mask[i] == KEPT;
    for (int at = 0; at < c->w * c->h && found < most; at++) {
        if (!c->paper[at])
            continue;
        int held = take_region(c->paper, c->w, c->h, at, 0, true, c->list);
        struct box b = box_of_list(c, held);
        piece[found] = in_picture(c, b);
        if (held > largest) {
            b = piece[0];
            piece[0] = piece[found];
            piece[found] = b;
            largest = held;
        }
        found++;
    }
    return found;
}

int cut_digit(struct cutter *c, const struct source *s, bool light, const struct box *other, int n, enum cut_as what,
              struct box *box, uint8_t *pixels)
{
    load(c, s, *box, what == CUT_SIGN ? SIGN_MARGIN : MARGIN);
    compare(c, light, what == CUT_DIGIT ? CLOSING : FULL_CLOSING);
    mark(c);
    memcpy(c->marked, c->mask, (size_t)c->w * (size_t)c->h);
    c->rulings = erase_rulings(c);
    if ((what == CUT_DIGIT && erase_frames(c)) || c->rulings)
        mark(c); /* ink paler than the lines is told from paper without them */
    if (!keep_components(c, other, n, what))
        return 0;
    c->blotted = what != CUT_SIGN && looks_blotted(c);
    return draw(c, s, box, pixels);
}
