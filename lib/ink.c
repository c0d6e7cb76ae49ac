#include "ink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "edges.h"
#include "glyphs.h"
#include "inkmap.h"
#include "mend.h"
#include "reading.h"
#include "parts.h"
#include "rules.h"
#include "sheet.h"
#include "split.h"
#include "turn.h"
#include "whole.h"

#define TURN_SAMPLE 48   /* digits looked at to tell which way a page lies */
#define ODD_LOOK (-2.0f) /* a glyph of unusual size has to look so much like a digit */
#define SURELY 0.5f      /* of the ink is in upright digits: the page lies so */
#define FEWEST 1.2f      /* upright digits that can tell that the page was turned */
#define LONG 2.5f        /* times as high as wide, and */
#define CROSSED 1.5f     /* strokes in a line of pixels, on average: digits one below another */
#define TURNED 1.15f     /* times as much ink in upright digits as unturned: the page was turned */

#define EDGE_LENGTH 0.1f /* of the picture's shorter side: shorter parts are not searched for edges */
#define LONGEST 1.3f /* of the usual height, and */
#define JOINED 1.8f  /* times its area: what a digit among others may become by its faint ink */
#define DOUBTFUL -0.3f /* less sure than this of a digit (as a logarithm) it is sought elsewhere too */
#define MARGIN 0.5f     /* so much surer has another look to be */
#define HARDLY -1.5f    /* less sure than this, and it may be a shadow's edge */
#define BOXED -1.0f     /* no surer than this is a digit with a box around it */
#define FLOOR -4.0f     /* surer than this is has to be */
#define LEAST 0.06f     /* of the picture's shorter side is what it finds, */
#define FEW 4           /* and at most so many things are like it */
#define EDGED 0.4f      /* of a stroke across a shadow has paper on one side only, at most */
#define NARROW 0.1f /* of the picture's shorter side is a stroke wide at most that a shadow crosses */
#define FORM 8       /* lines and more are a form's or a ruled sheet's */
#define STACKED 1.75f /* of the usual height: in a form, higher glyphs are two that touch */
#define ROW 0.5f     /* of the usual height: what is wider may be several digits, */
#define FORM_ROW 0.9f /* in a form */
#define FAINT 0.2f   /* of a digit's full contrast: ink that may join its pieces */
#define LONGER 1.6f  /* times as long: no digit grows so much by its faint ink */
#define GROWTH 2.2f  /* the same for its area */

struct ink {
    struct inkmap map;
    struct parts parts;
    struct glyphs glyphs;
    struct mend mend;
    struct ink_digit *digit;
    int digits, digit_size;
    uint8_t *cut; /* a digit's box cut out of the picture */
    size_t cut_size;
    uint8_t *saved; /* the map's ink before a turn is tried */
    size_t saved_size;
    int seen;
    int lines; /* ruled or of a form, taken out of the picture */
    bool inverted; /* k->map.gray is */
    struct sheets sheets;
};

struct ink *ink_new(struct err *e)
{
    struct ink *k = calloc(1, sizeof *k);
    if (!k)
        err_set(e, "out of memory");
    return k;
}

void ink_free(struct ink *k)
{
    if (!k)
        return;
    inkmap_free(&k->map);
    parts_free(&k->parts);
    glyphs_free(&k->glyphs);
    mend_free(&k->mend);
    sheets_free(&k->sheets);
    free(k->digit);
    free(k->cut);
    free(k->saved);
    free(k);
}

int ink_seen(const struct ink *k)
{
    return k->seen;
}

static struct ink_digit *new_digit(struct ink *k, struct err *e)
{
    if (k->digits == k->digit_size) {
        int size = k->digit_size ? 2 * k->digit_size : 16;
        struct ink_digit *digit = realloc(k->digit, (size_t)size * sizeof *digit);
        if (!digit) {
            err_set(e, "out of memory");
            return NULL;
        }
        k->digit = digit;
        k->digit_size = size;
    }
    struct ink_digit *d = &k->digit[k->digits++];
    *d = (struct ink_digit){0};
    return d;
}

/* The contrast that counts as full ink in glyph `id`: what an eighth of its ink exceeds. */
static int full_ink(const struct ink *k, int id)
{
    long count[256] = {0}, total = 0, above = 0;
    for (int i = 0; i < k->parts.parts; i++) {
        if (k->glyphs.owner[i] != id)
            continue;
        for (int r = k->parts.part[i].first; r >= 0; r = k->parts.run[r].next) {
            const struct run *run = &k->parts.run[r];
            const uint8_t *row = k->map.ink + (long)run->y * k->map.width;
            for (int x = run->x0; x < run->x1; x++)
                count[row[x]]++;
            total += run->x1 - run->x0;
        }
    }
    for (int v = 255; v > 1; v--) {
        above += count[v];
        if (above * 8 > total)
            return v;
    }
    return 1;
}

/* Copy the gray of pixels [x0 - 1, x1] of row y, ink and its soft edge, into the cut. shade: what a
 * contrast comes out as. */
static void cut_row(struct ink *k, const struct part *box, int y, int x0, int x1,
                    const uint8_t *shade)
{
    if (y < box->y0 || y >= box->y1)
        return;
    const uint8_t *row = k->map.ink + (long)y * k->map.width;
    uint8_t *out = k->cut + (long)(y - box->y0) * (box->x1 - box->x0) - box->x0;
    x0 -= x0 > box->x0;
    x1 += x1 < box->x1;
    for (int x = x0; x < x1; x++)
        out[x] = shade[row[x]];
}

/* Cut the parts of glyph `id` out of the picture, by their mask and a pixel around it. */
static int cut_glyph(struct ink *k, int id, struct part *box, struct err *e)
{
    const struct parts *p = &k->parts;
    *box = (struct part){k->map.width, k->map.height, 0, 0, 0, 0, 0, 0, 0};
    for (int i = 0; i < p->parts; i++) {
        const struct part *q = &p->part[i];
        if (k->glyphs.owner[i] != id)
            continue;
        box->x0 = q->x0 - 1 < box->x0 ? q->x0 - 1 : box->x0;
        box->y0 = q->y0 - 1 < box->y0 ? q->y0 - 1 : box->y0;
        box->x1 = q->x1 + 1 > box->x1 ? q->x1 + 1 : box->x1;
        box->y1 = q->y1 + 1 > box->y1 ? q->y1 + 1 : box->y1;
    }
    box->x0 = box->x0 < 0 ? 0 : box->x0;
    box->y0 = box->y0 < 0 ? 0 : box->y0;
    box->x1 = box->x1 > k->map.width ? k->map.width : box->x1;
    box->y1 = box->y1 > k->map.height ? k->map.height : box->y1;
    size_t size = (size_t)(box->x1 - box->x0) * (box->y1 - box->y0);
    if (size > k->cut_size) {
        uint8_t *cut = realloc(k->cut, size);
        if (!cut)
            return err_set(e, "out of memory");
        k->cut = cut;
        k->cut_size = size;
    }
    memset(k->cut, 0, size);
    uint8_t shade[256];
    int full = full_ink(k, id), low = full / 8;
    for (int v = 0; v < 256; v++)
        shade[v] = (uint8_t)(v <= low ? 0 : v >= full ? 255 : (v - low) * 255 / (full - low));
    for (int i = 0; i < p->parts; i++)
        for (int r = k->glyphs.owner[i] == id ? p->part[i].first : -1; r >= 0; r = p->run[r].next)
            for (int y = p->run[r].y - 1; y <= p->run[r].y + 1; y++)
                cut_row(k, box, y, p->run[r].x0, p->run[r].x1, shade);
    return 0;
}

/* The cut has a margin without ink on some sides: bring it in to the ink. */
static void trim(struct ink *k, struct part *box)
{
    int w = box->x1 - box->x0, h = box->y1 - box->y0, x0 = w, y0 = h, x1 = 0, y1 = 0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            if (k->cut[(long)y * w + x] > 25) {
                x0 = x0 < x ? x0 : x;
                x1 = x1 > x + 1 ? x1 : x + 1;
                y0 = y0 < y ? y0 : y;
                y1 = y + 1;
            }
    if (x1 <= x0)
        return;
    for (int y = y0; y < y1; y++)
        memmove(k->cut + (long)(y - y0) * (x1 - x0), k->cut + (long)y * w + x0, (size_t)(x1 - x0));
    *box = (struct part){box->x0 + x0, box->y0 + y0, box->x0 + x1, box->y0 + y1, 0, 0, 0, 0, 0};
}

/* Turn the w x h cut upright. */
static int turn_cut(struct ink *k, int w, int h, enum turn turn, struct err *e)
{
    uint8_t *turned = malloc((size_t)w * h);
    if (!turned)
        return err_set(e, "out of memory");
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            long to = turn == TURN_RIGHT ? (long)(w - 1 - x) * h + y : (long)x * h + h - 1 - y;
            turned[to] = k->cut[(long)y * w + x];
        }
    memcpy(k->cut, turned, (size_t)w * h);
    free(turned);
    return 0;
}

/* Make glyph `id` a digit; its box in pixels of the source. */
static int make_digit(struct ink *k, int id, enum turn turn, struct ink_digit *d, struct err *e)
{
    struct part box;
    if (cut_glyph(k, id, &box, e))
        return -1;
    trim(k, &box);
    int s = k->map.reduce, w = box.x1 - box.x0, h = box.y1 - box.y0;
    *d = (struct ink_digit){.x = box.x0 * s, .y = box.y0 * s, .w = w * s, .h = h * s};
    if (turn != TURN_NONE && turn_cut(k, w, h, turn, e))
        return -1;
    normalise(k->cut, turn ? h : w, turn ? w : h, d->pixels);
    return 0;
}

static int find_parts(struct ink *k, struct err *e)
{
    int limit = (int)((size_t)k->map.width * k->map.height / 8 + 1000);
    return parts_find(&k->parts, k->map.ink, k->map.width, k->map.height, limit, e);
}

/* Ink of a glyph that is fainter than this is not looked for. */
static int faint_level(const struct ink *k, int id)
{
    int level = (int)(FAINT * (float)full_ink(k, id));
    return level > k->map.floor ? level : k->map.floor;
}

static int find_one(struct ink *k, struct err *e)
{
    int n = glyphs_one(&k->glyphs, &k->map, &k->parts, e);
    if (n > 0) {
        const struct glyph *g = &k->glyphs.glyph[0];
        struct part box = {g->x0, g->y0, g->x1, g->y1, 0, 0, 0, 0, 0};
        int longer = g->x1 - g->x0 > g->y1 - g->y0 ? g->x1 - g->x0 : g->y1 - g->y0;
        int mended = mend(&k->mend, &k->map, &box, faint_level(k, 0), LONGER * (float)longer, GROWTH, e);
        if (mended < 0 || (mended > 0 && find_parts(k, e)))
            return -1;
        if (mended > 0)
            n = glyphs_one(&k->glyphs, &k->map, &k->parts, e);
    }
    k->seen = k->glyphs.seen;
    if (n <= 0)
        return n;
    struct ink_digit *d = new_digit(k, e);
    return d ? make_digit(k, 0, TURN_NONE, d, e) : -1;
}

/* Cut glyph g if it is a row of digits that touch. Returns how many cuts were made, or -1. */
static int split_one(struct ink *k, const struct glyph *g, enum turn turn, struct err *e)
{
    struct part box;
    if (cut_glyph(k, g->id, &box, e))
        return -1;
    int w = box.x1 - box.x0, h = box.y1 - box.y0;
    if (turn != TURN_NONE && turn_cut(k, w, h, turn, e))
        return -1;
    struct glyph at = upright(box.x0, box.y0, box.x1, box.y1, k->map.width, k->map.height, turn);
    return split_row(&at, k->cut, k->glyphs.height, &k->map, turn, e);
}

/* Cut digits that touch. Returns how many cuts were made, or -1. */
static int split_touching(struct ink *k, enum turn turn, struct err *e)
{
    const struct glyphs *s = &k->glyphs;
    int cuts = 0;
    for (int i = 0; cuts >= 0 && i < s->n; i++) {
        const struct glyph *g = &s->glyph[i];
        float w = (float)(g->x1 - g->x0), h = (float)(g->y1 - g->y0);
        int made = 0;
        if (k->lines >= FORM && h > STACKED * s->height && w > 0.4f * s->height && w < h)
            made = split_stack(g, s->height, &k->map, turn, e);
        else if (w > (k->lines >= FORM ? FORM_ROW : ROW) * s->height)
            made = split_one(k, g, turn, e);
        cuts = made < 0 ? -1 : cuts + made;
    }
    return cuts;
}

/* Join the pieces of glyphs over fainter ink. Returns whether there was any, or -1. What is much
 * fainter than the others is left: it may be a texture, which would grow together. */
static int mend_glyphs(struct ink *k, struct err *e)
{
    const struct glyphs *s = &k->glyphs;
    float *full = malloc(2 * (size_t)(s->n + 1) * sizeof *full);
    if (!full)
        return err_set(e, "out of memory");
    float *sorted = full + s->n + 1;
    for (int i = 0; i < s->n; i++)
        full[i] = sorted[i] = (float)full_ink(k, s->glyph[i].id);
    float usual = s->n ? nth_smallest(sorted, s->n, s->n / 2) : 0;
    int mended = 0;
    for (int i = 0; i < s->n && mended >= 0; i++) {
        struct part box;
        if (full[i] < 0.5f * usual)
            continue;
        int made = cut_glyph(k, s->glyph[i].id, &box, e);
        if (!made)
            made = mend(&k->mend, &k->map, &box, faint_level(k, s->glyph[i].id),
                        LONGEST * s->height, JOINED, e);
        mended = made < 0 ? -1 : mended | made;
    }
    free(full);
    return mended;
}

/* After the ink has changed: find the parts again, and group them into glyphs. */
static int group_again(struct ink *k, enum turn turn, struct err *e)
{
    float height = k->glyphs.height;
    if (find_parts(k, e) || glyphs_measure(&k->glyphs, &k->map, &k->parts, turn, e))
        return -1;
    if (k->glyphs.height > STACKED * height) /* by what is no digit */
        k->glyphs.height = height;
    glyphs_all(&k->glyphs, &k->map, &k->parts, turn, 0);
    return 0;
}

/* Group the parts into glyphs, cutting what touches and joining what is broken; what was joined may
 * be digits that only come near to each other, and is cut again. */
static int find_glyphs(struct ink *k, enum turn turn, struct err *e)
{
    glyphs_all(&k->glyphs, &k->map, &k->parts, turn,
               k->lines >= FORM ? TOUCHING_ROWS | TOUCHING_STACKS : TOUCHING_ROWS);
    int cuts = split_touching(k, turn, e);
    if (cuts < 0)
        return -1;
    if (cuts > 0 && group_again(k, turn, e))
        return -1;
    if (cuts == 0)
        glyphs_all(&k->glyphs, &k->map, &k->parts, turn, 0);
    int mended = mend_glyphs(k, e);
    if (mended <= 0)
        return mended;
    if (group_again(k, turn, e))
        return -1;
    cuts = split_touching(k, turn, e);
    return cuts > 0 ? group_again(k, turn, e) : cuts;
}

/* Cut glyph `id` out and see how much it looks like a whole digit when the page lies turned so: *whole,
 * the logarithm of a probability. The cut is left as it lies in the picture, w x h. */
static int look_at(struct ink *k, int id, enum turn turn, int *w, int *h, float *whole, struct err *e)
{
    struct part box;
    if (cut_glyph(k, id, &box, e))
        return -1;
    trim(k, &box);
    *w = box.x1 - box.x0;
    *h = box.y1 - box.y0;
    if (turn == TURN_NONE)
        return whole_of(k->cut, *w, *h, whole, e);
    return turn_cut(k, *w, *h, turn, e) || whole_of(k->cut, *h, *w, whole, e) ||
                   turn_cut(k, *h, *w, turn == TURN_LEFT ? TURN_RIGHT : TURN_LEFT, e)
               ? -1
               : 0;
}

/* Of the glyphs of unusual size keep those that look like digits. */
static int sift_odd(struct ink *k, enum turn turn, struct err *e)
{
    struct glyphs *s = &k->glyphs;
    int n = 0, w, h;
    for (int i = 0; i < s->n; i++) {
        float whole = 0;
        if (s->glyph[i].odd && look_at(k, s->glyph[i].id, turn, &w, &h, &whole, e))
            return -1;
        if (whole > ODD_LOOK)
            s->glyph[n++] = s->glyph[i];
    }
    s->n = n;
    return 0;
}

/* Is the w x h cut much longer than wide, and yet no 1? A row of digits seen from its side is: going
 * along it, one crosses more than one stroke at a time. */
static bool is_row_aside(const struct ink *k, int w, int h, enum turn turn)
{
    int across = turn ? h : w, down = turn ? w : h, strokes = 0;
    if ((float)down < LONG * (float)across)
        return false;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            long at = (long)y * w + x, before = turn ? at - w : at - 1;
            bool first = turn ? y == 0 : x == 0;
            strokes += k->cut[at] >= 128 && (first || k->cut[before] < 128);
        }
    return (float)strokes > CROSSED * (float)down;
}

/* How glyphs look when the page lies turned in some way. */
struct looks {
    float ink;     /* of all, */
    float upright; /* and of what looks like whole digits that are upright */
    float digits;  /* how many those are */
};

/* See how the glyphs found look: a sample of them. */
static int judge_turn(struct ink *k, enum turn turn, struct looks *l, struct err *e)
{
    const struct glyphs *s = &k->glyphs;
    int every = s->n / TURN_SAMPLE + 1, w, h;
    *l = (struct looks){0};
    for (int i = 0; i < s->n; i += every) {
        float log_p[TURNS], whole, ink = 0;
        uint8_t pixels[DIGIT_PIXELS];
        if (look_at(k, s->glyph[i].id, turn, &w, &h, &whole, e))
            return -1;
        normalise(k->cut, w, h, pixels);
        turn_likelihood(pixels, log_p);
        for (long p = 0; p < (long)w * h; p++)
            ink += k->cut[p];
        l->ink += ink;
        float p = is_row_aside(k, w, h, turn) ? 0 : expf(whole + log_p[turn]);
        l->upright += ink * p;
        l->digits += p * (float)every;
    }
    return 0;
}

/* Find the glyphs of a page that lies turned so, and judge that by them. */
static int try_turn(struct ink *k, enum turn turn, struct looks *l, struct err *e)
{
    if (glyphs_measure(&k->glyphs, &k->map, &k->parts, turn, e) || find_glyphs(k, turn, e) ||
        sift_odd(k, turn, e))
        return -1;
    return judge_turn(k, turn, l, e);
}

/* Keep the ink as it is, to come back to when a turn was tried: what touches is then cut. */
static int save_ink(struct ink *k, struct err *e)
{
    size_t size = (size_t)k->map.width * k->map.height;
    if (size > k->saved_size) {
        uint8_t *saved = realloc(k->saved, size);
        if (!saved)
            return err_set(e, "out of memory");
        k->saved = saved;
        k->saved_size = size;
    }
    memcpy(k->saved, k->map.ink, size);
    return 0;
}

static int undo_turn(struct ink *k, struct err *e)
{
    memcpy(k->map.ink, k->saved, (size_t)k->map.width * k->map.height);
    return find_parts(k, e);
}

/* Find the glyphs, and which way the page lies: as most of its ink looks like digits. */
static int find_turn(struct ink *k, enum turn *turn, struct err *e)
{
    struct looks l[TURNS];
    *turn = TURN_NONE;
    if (save_ink(k, e) || try_turn(k, TURN_NONE, &l[TURN_NONE], e))
        return -1;
    if (l[TURN_NONE].upright > SURELY * l[TURN_NONE].ink)
        return 0;
    for (enum turn t = TURN_RIGHT; t < TURNS; t++)
        if (undo_turn(k, e) || try_turn(k, t, &l[t], e))
            return -1;
    enum turn side = l[TURN_LEFT].upright > l[TURN_RIGHT].upright ? TURN_LEFT : TURN_RIGHT;
    if (l[side].upright > TURNED * l[TURN_NONE].upright && l[side].digits > FEWEST)
        *turn = side;
    if (*turn == TURN_LEFT) /* the last that was tried */
        return 0;
    return undo_turn(k, e) ? -1 : try_turn(k, *turn, &l[*turn], e);
}

static int find_all(struct ink *k, struct err *e)
{
    enum turn turn = TURN_NONE;
    struct glyphs *s = &k->glyphs;
    if (find_turn(k, &turn, e) || reading_order(s->glyph, s->n, s->height, e))
        return -1;
    for (int i = 0; i < s->n; i++) {
        struct ink_digit *d = new_digit(k, e);
        if (!d || make_digit(k, s->glyph[i].id, turn, d, e))
            return -1;
        d->line = s->glyph[i].line;
        d->word = s->glyph[i].word;
    }
    k->seen = s->n;
    return 0;
}

/* A 28x28 frame that is normalised is the answer already. */
static int pass_through(struct ink *k, const uint8_t *gray, long stride, struct err *e)
{
    uint8_t pixels[DIGIT_PIXELS];
    for (int y = 0; y < DIGIT_SIDE; y++)
        memcpy(pixels + y * DIGIT_SIDE, gray + y * stride, DIGIT_SIDE);
    if (!is_normalised(pixels))
        return 0;
    struct ink_digit *d = new_digit(k, e);
    if (!d)
        return -1;
    memcpy(d->pixels, pixels, sizeof pixels);
    normalised_box(pixels, &d->x, &d->y, &d->w, &d->h);
    k->seen = 1;
    return 1;
}

static int erase_edges(struct ink *k, struct err *e)
{
    int side = k->map.width < k->map.height ? k->map.width : k->map.height;
    int erased = side < 64 ? 0 : edges_erase(&k->map, &k->parts, EDGE_LENGTH * (float)side, e);
    return erased > 0 ? find_parts(k, e) : erased;
}

/* What the ink map found: lines taken out, and its parts. Returns 0; 1 when it is too much; -1. */
static int find_strokes(struct ink *k, struct err *e)
{
    k->lines = rules_erase(&k->map, e);
    if (k->lines >= FORM)
        inkmap_find_again(&k->map);
    int failed = k->lines < 0 ? -1 : find_parts(k, e);
    return failed ? failed : erase_edges(k, e);
}

/* Find the ink of the picture in k->map.gray, which is of that sheet (-1: of none), and its parts. */
static int find_ink(struct ink *k, int sheet, struct err *e)
{
    k->inverted = inkmap_polarity(&k->map) < 0;
    if (k->inverted)
        inkmap_invert(&k->map);
    inkmap_find(&k->map);
    if (sheet >= 0)
        sheets_wipe(&k->sheets, sheet, &k->map);
    return find_strokes(k, e);
}

/* The likeliest digit so far, and how sure it is that it is one: the logarithm of a probability. */
struct likeliest {
    struct ink_digit digit;
    float sure;
    int seen, side; /* side: the picture's shorter one */
};

/* Is the digit found by another look clear of the picture's edge, not too small for one whose shorter
 * side is `side`, and not one of many? Or it is a piece of something else. */
static bool stands_out(const struct ink *k, int side)
{
    const struct ink_digit *d = &k->digit[0];
    int w = k->map.width * k->map.reduce, h = k->map.height * k->map.reduce, near = k->map.reduce;
    return d->x > near && d->y > near && d->x + d->w < w - near && d->y + d->h < h - near &&
           (float)(d->w > d->h ? d->w : d->h) > LEAST * (float)side && k->seen <= FEW;
}

/* Compare with what find_one has found by another look, (x, y) from the source's corner. */
static int compare(struct ink *k, struct likeliest *best, int x, int y, struct err *e)
{
    float log_p = -INFINITY;
    if (k->digits && stands_out(k, best->side) &&
        whole_of(k->digit[0].pixels, DIGIT_SIDE, DIGIT_SIDE, &log_p, e))
        return -1;
    if (log_p > best->sure + MARGIN && log_p > FLOOR) {
        best->digit = k->digit[0];
        best->digit.x += x;
        best->digit.y += y;
        best->sure = log_p;
        best->seen = k->seen;
    }
    k->digits = 0;
    return 0;
}

/* What was found may be a box of a form, with a digit in it: look for one without its sides. */
static int find_in_box(struct ink *k, struct likeliest *best, struct err *e)
{
    struct glyph box = k->glyphs.glyph[0];
    int erased = rules_erase_box(&k->map, box.x0, box.y0, box.x1, box.y1, e);
    if (erased <= 0)
        return erased;
    int failed = find_parts(k, e);
    if (failed < 0 || (!failed && find_one(k, e) < 0))
        return -1;
    const struct glyph *g = &k->glyphs.glyph[0];
    if (k->digits && 3 * (g->y1 - g->y0) < box.y1 - box.y0)
        k->digits = 0;
    best->sure = fminf(best->sure, BOXED) - MARGIN;
    return compare(k, best, 0, 0, e);
}

/* Look for one on the sheets of paper in the picture. gray is the source. */
static int find_on_sheets(struct ink *k, const uint8_t *gray, long stride, struct likeliest *best,
                          struct err *e)
{
    int reduce = k->map.reduce, w = k->map.width, h = k->map.height;
    if (k->inverted)
        inkmap_invert(&k->map);
    if (sheets_find(&k->sheets, &k->map, e))
        return -1;
    for (int i = 0; i < k->sheets.n; i++) {
        const struct sheet *t = &k->sheets.sheet[i];
        int c = k->sheets.cell, x0 = t->x0 * c, y0 = t->y0 * c;
        int x1 = t->x1 * c < w ? t->x1 * c : w, y1 = t->y1 * c < h ? t->y1 * c : h;
        if (inkmap_load(&k->map, gray + (long)y0 * reduce * stride + (long)x0 * reduce, stride,
                        (x1 - x0) * reduce, (y1 - y0) * reduce, e))
            return -1;
        sheets_cover(&k->sheets, i, &k->map);
        int failed = find_ink(k, i, e);
        if (failed < 0 || (!failed && find_one(k, e) < 0) ||
            compare(k, best, x0 * reduce, y0 * reduce, e))
            return -1;
    }
    return 0;
}

/* Has glyph 0 paper on both its sides? */
static bool on_paper(const struct ink *k)
{
    const struct part *most = NULL;
    for (int i = 0; i < k->parts.parts; i++)
        if (k->glyphs.owner[i] == 0 && (!most || k->parts.part[i].area > most->area))
            most = &k->parts.part[i];
    return most && one_sided(&k->map, &k->parts, most) < EDGED;
}

/* Look for one in narrow strokes, dark and light ones; light ones first if so. gray is the source, w x
 * h. */
static int find_narrow(struct ink *k, const uint8_t *gray, long stride, int w, int h, bool light,
                       struct likeliest *best, struct err *e)
{
    for (int i = 0; i < 2 && best->sure < HARDLY * (float)(i + 1); i++) {
        if (inkmap_load(&k->map, gray, stride, w, h, e))
            return -1;
        if (light == (i == 0))
            inkmap_invert(&k->map);
        int side = k->map.width < k->map.height ? k->map.width : k->map.height;
        if (inkmap_find_narrow(&k->map, (int)(NARROW * (float)side), e))
            return -1;
        int failed = find_strokes(k, e);
        if (failed < 0 || (!failed && find_one(k, e) < 0))
            return -1;
        if (k->digits && !on_paper(k))
            k->digits = 0;
        if (compare(k, best, 0, 0, e))
            return -1;
    }
    return 0;
}

/* A picture in which no digit was found, or what is hardly one, is looked at in other ways; the
 * likeliest digit is taken. gray is the source, w x h. */
static int find_otherwise(struct ink *k, const uint8_t *gray, long stride, int w, int h,
                          struct err *e)
{
    struct likeliest best = {.sure = -INFINITY, .seen = k->seen, .side = w < h ? w : h};
    bool light = k->inverted;
    if (k->digits) {
        best.digit = k->digit[0];
        if (whole_of(best.digit.pixels, DIGIT_SIDE, DIGIT_SIDE, &best.sure, e))
            return -1;
    }
    k->digits = 0;
    if (k->glyphs.n && find_in_box(k, &best, e))
        return -1;
    if (best.sure < DOUBTFUL && k->map.cell > 1 && find_on_sheets(k, gray, stride, &best, e))
        return -1;
    if (best.sure < HARDLY && k->map.cell > 1 && find_narrow(k, gray, stride, w, h, light, &best, e))
        return -1;
    struct ink_digit *d = best.digit.w ? new_digit(k, e) : NULL;
    if (d)
        *d = best.digit;
    k->seen = best.seen;
    return best.digit.w && !d ? -1 : 0;
}

int ink_find(struct ink *k, const uint8_t *gray, long stride, int w, int h, bool many,
             struct ink_digit **digits, struct err *e)
{
    k->digits = k->seen = 0;
    if (w == DIGIT_SIDE && h == DIGIT_SIDE) {
        int passed = pass_through(k, gray, stride, e);
        *digits = k->digit;
        if (passed)
            return passed;
    }
    if (inkmap_load(&k->map, gray, stride, w, h, e))
        return -1;
    int failed = find_ink(k, -1, e);
    if (failed < 0 || (failed == 0 && (many ? find_all(k, e) : find_one(k, e))))
        return -1;
    if (!many && find_otherwise(k, gray, stride, w, h, e))
        return -1;
    *digits = k->digit;
    return k->digits;
}
