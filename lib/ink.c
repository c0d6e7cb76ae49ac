#include "ink_steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "edges.h"
#include "reading.h"

#define EDGE_LENGTH 0.1f /* of the picture's shorter side: shorter parts are not searched for edges */
#define BOX 12           /* map pixels: a form's boxes are larger */
#define FAINT 0.2f       /* of a digit's full contrast: ink that may join its pieces */
#define LONGER 1.6f      /* times as long: no digit grows so much by its faint ink */
#define GROWTH 2.2f      /* the same for its area */

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
    inkmap_free(&k->first);
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

struct ink_digit *ink_new_digit(struct ink *k, struct err *e)
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
int ink_full(const struct ink *k, int id)
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
int ink_cut_glyph(struct ink *k, int id, struct part *box, struct err *e)
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
    int full = ink_full(k, id), low = full / 8;
    for (int v = 0; v < 256; v++)
        shade[v] = (uint8_t)(v <= low ? 0 : v >= full ? 255 : (v - low) * 255 / (full - low));
    for (int i = 0; i < p->parts; i++)
        for (int r = k->glyphs.owner[i] == id ? p->part[i].first : -1; r >= 0; r = p->run[r].next)
            for (int y = p->run[r].y - 1; y <= p->run[r].y + 1; y++)
                cut_row(k, box, y, p->run[r].x0, p->run[r].x1, shade);
    return 0;
}

/* The cut has a margin without ink on some sides: bring it in to the ink. */
void ink_trim(struct ink *k, struct part *box)
{
    int w = box->x1 - box->x0, h = box->y1 - box->y0, x0 = w, y0 = h, x1 = 0, y1 = 0;
    for (int y = 0; y < h; y++) {
        const uint8_t *row = k->cut + (long)y * w;
        int first = 0, last = w;
        while (first < w && row[first] <= 25)
            first++;
        if (first == w)
            continue;
        while (row[last - 1] <= 25)
            last--;
        x0 = x0 < first ? x0 : first;
        x1 = x1 > last ? x1 : last;
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
int ink_turn_cut(struct ink *k, int w, int h, enum turn turn, struct err *e)
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
int ink_make_digit(struct ink *k, int id, enum turn turn, struct ink_digit *d, struct err *e)
{
    struct part box;
    if (ink_cut_glyph(k, id, &box, e))
        return -1;
    ink_trim(k, &box);
    int s = k->map.reduce, w = box.x1 - box.x0, h = box.y1 - box.y0;
    *d = (struct ink_digit){.x = box.x0 * s, .y = box.y0 * s, .w = w * s, .h = h * s};
    if (turn != TURN_NONE && ink_turn_cut(k, w, h, turn, e))
        return -1;
    normalise(k->cut, turn ? h : w, turn ? w : h, d->pixels);
    return 0;
}

int ink_find_parts(struct ink *k, struct err *e)
{
    int limit = (int)((size_t)k->map.width * k->map.height / 8 + 1000);
    return parts_find(&k->parts, k->map.ink, k->map.width, k->map.height, limit, e);
}

/* Ink of a glyph that is fainter than this is not looked for. */
int ink_faint_level(const struct ink *k, int id)
{
    int level = (int)(FAINT * (float)ink_full(k, id));
    return level > k->map.floor ? level : k->map.floor;
}

int ink_find_one(struct ink *k, struct err *e)
{
    int n = glyphs_one(&k->glyphs, &k->map, &k->parts, e);
    if (n > 0) {
        const struct glyph *g = &k->glyphs.glyph[0];
        struct part box = {g->x0, g->y0, g->x1, g->y1, 0, 0, 0, 0, 0};
        int longer = g->x1 - g->x0 > g->y1 - g->y0 ? g->x1 - g->x0 : g->y1 - g->y0;
        int mended = mend(&k->mend, &k->map, &box, ink_faint_level(k, 0), LONGER * (float)longer, GROWTH, e);
        if (mended < 0 || (mended > 0 && ink_find_parts(k, e)))
            return -1;
        if (mended > 0)
            n = glyphs_one(&k->glyphs, &k->map, &k->parts, e);
    }
    k->seen = k->glyphs.seen;
    if (n <= 0)
        return n;
    struct ink_digit *d = ink_new_digit(k, e);
    return d ? ink_make_digit(k, 0, TURN_NONE, d, e) : -1;
}
/* A 28x28 frame that is normalised is the answer already. */
static int pass_through(struct ink *k, const uint8_t *gray, long stride, struct err *e)
{
    uint8_t pixels[DIGIT_PIXELS];
    for (int y = 0; y < DIGIT_SIDE; y++)
        memcpy(pixels + y * DIGIT_SIDE, gray + y * stride, DIGIT_SIDE);
    if (!is_normalised(pixels))
        return 0;
    struct ink_digit *d = ink_new_digit(k, e);
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
    return erased > 0 ? ink_find_parts(k, e) : erased;
}

static bool is_box(struct ink *k, const struct part *p)
{
    return p->x1 - p->x0 > BOX && p->y1 - p->y0 > BOX &&
           rules_is_box(&k->map, p->x0, p->y0, p->x1, p->y1);
}

static bool alike(int length, int usual)
{
    return 4 * length > 3 * usual && 3 * length < 4 * usual;
}

/* Take out boxes that stand apart, where there are as many as a form has; they are its grid. Returns how
 * many, or -1. */
static int wipe_boxes(struct ink *k, struct err *e)
{
    int boxes = 0, w = 0, h = 0;
    struct rules_grid *g = &k->grid;
    if (ink_find_parts(k, e))
        return -1;
    for (int i = 0; i < k->parts.parts; i++) {
        const struct part *p = &k->parts.part[i];
        bool box = is_box(k, p);
        boxes += box;
        w += box ? p->x1 - p->x0 : 0;
        h += box ? p->y1 - p->y0 : 0;
    }
    if (boxes < INK_FORM)
        return 0;
    for (int i = 0; i < k->parts.parts; i++) {
        const struct part *p = &k->parts.part[i];
        if (!alike(p->x1 - p->x0, w / boxes) || !alike(p->y1 - p->y0, h / boxes))
            continue;
        *g = (struct rules_grid){fminf(g->x0, (float)p->x0), fminf(g->y0, (float)p->y0),
                                 fmaxf(g->x1, (float)p->x1), fmaxf(g->y1, (float)p->y1)};
        rules_wipe_box(&k->map, p->x0, p->y0, p->x1, p->y1);
    }
    return boxes;
}

int ink_find_strokes(struct ink *k, struct err *e)
{
    k->grid = (struct rules_grid){INFINITY, INFINITY, -INFINITY, -INFINITY};
    int boxes = k->many ? wipe_boxes(k, e) : 0;
    if (boxes < 0)
        return -1;
    k->lines = k->many ? rules_erase_form(&k->map, &k->grid, e) : rules_erase(&k->map, e);
    if (k->lines < 0)
        return -1;
    k->lines += boxes;
    if (k->lines >= INK_FORM)
        inkmap_find_again(&k->map);
    return ink_find_parts(k, e) || erase_edges(k, e) ? -1 : 0;
}

/* Find the ink of the picture in k->map.gray, which is of that sheet (-1: of none), and its parts. */
int ink_find_ink(struct ink *k, int sheet, struct err *e)
{
    k->polarity = inkmap_polarity(&k->map);
    k->inverted = k->polarity < 0;
    if (k->inverted)
        inkmap_invert(&k->map);
    inkmap_find(&k->map);
    if (sheet >= 0)
        sheets_wipe(&k->sheets, sheet, &k->map);
    return ink_find_strokes(k, e);
}

static int find_single(struct ink *k, const uint8_t *gray, long stride, int w, int h, struct err *e)
{
    if (inkmap_load(&k->map, gray, stride, w, h, e) || ink_find_ink(k, -1, e) || ink_find_one(k, e))
        return -1;
    return ink_find_otherwise(k, gray, stride, w, h, e);
}

int ink_find(struct ink *k, const uint8_t *gray, long stride, int w, int h, bool many,
             struct ink_digit **digits, struct err *e)
{
    k->digits = k->seen = 0;
    k->many = many;
    if (w == DIGIT_SIDE && h == DIGIT_SIDE) {
        int passed = pass_through(k, gray, stride, e);
        *digits = k->digit;
        if (passed)
            return passed;
    }
    if (many ? ink_find_many(k, gray, stride, w, h, e) : find_single(k, gray, stride, w, h, e))
        return -1;
    *digits = k->digit;
    return k->digits;
}
