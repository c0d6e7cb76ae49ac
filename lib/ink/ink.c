#include "ink_steps.h"

#include <stdlib.h>
#include <string.h>

#include "edges.h"
#include "base/grow.h"
#include "look.h"
#include "reading.h"

#define EDGE_LENGTH 0.1f /* of the picture's shorter side: shorter parts are not searched for edges */
#define EDGES_FROM 64    /* map pixels: nor are narrower pictures */
#define BOX 12           /* map pixels: a form's boxes are larger */
#define PALE 25          /* of 255: no ink to trim to */
#define FAINT 0.2f       /* of a digit's full contrast: ink that may join its pieces */
#define LONGER 1.6f      /* times as long: no digit grows so much by its faint ink */
#define GROWTH 2.2f      /* the same for its area */

struct ink *ink_new(const struct ink_finder *finder, struct err *e)
{
    struct ink *k = calloc(1, sizeof *k);
    if (!k)
        err_set(e, "out of memory");
    if (k && finder && !(k->look = look_new(finder, e))) {
        ink_free(k);
        return NULL;
    }
    return k;
}

void ink_free(struct ink *k)
{
    if (!k)
        return;
    look_free(k->look);
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

const struct ink_candidate *ink_candidates(const struct ink *k, int *n)
{
    *n = 0;
    return k->look ? look_candidates(k->look, n) : NULL;
}

int ink_seen(const struct ink *k)
{
    return k->seen;
}

struct ink_digit *ink_new_digit(struct ink *k, struct err *e)
{
    struct ink_digit *digit = grow(k->digit, (size_t)k->digits + 1, &k->digit_room, sizeof *digit, e);
    if (!digit)
        return NULL;
    k->digit = digit;
    digit += k->digits++;
    *digit = (struct ink_digit){0};
    return digit;
}

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
static void cut_row(struct ink *k, const struct box *box, int y, int x0, int x1,
                    const uint8_t *shade)
{
    if (y < box->y0 || y >= box->y1)
        return;
    const uint8_t *row = k->map.ink + (long)y * k->map.width;
    uint8_t *out = k->cut + (long)(y - box->y0) * box_width(*box) - box->x0;
    x0 -= x0 > box->x0;
    x1 += x1 < box->x1;
    for (int x = x0; x < x1; x++)
        out[x] = shade[row[x]];
}

int ink_cut_glyph(struct ink *k, int id, struct box *box, struct err *e)
{
    const struct parts *p = &k->parts;
    *box = BOX_NONE;
    for (int i = 0; i < p->parts; i++)
        if (k->glyphs.owner[i] == id)
            *box = box_join(*box, p->part[i].box);
    *box = box_widen(*box, 1, k->map.width, k->map.height);
    size_t size = (size_t)box_width(*box) * box_height(*box);
    uint8_t *cut = grow(k->cut, size, &k->cut_room, 1, e);
    if (!cut)
        return -1;
    k->cut = cut;
    memset(cut, 0, size);
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

void ink_trim(struct ink *k, struct box *box)
{
    int w = box_width(*box), h = box_height(*box), x0 = w, y0 = h, x1 = 0, y1 = 0;
    for (int y = 0; y < h; y++) {
        const uint8_t *row = k->cut + (long)y * w;
        int first = 0, last = w;
        while (first < w && row[first] <= PALE)
            first++;
        if (first == w)
            continue;
        while (row[last - 1] <= PALE)
            last--;
        x0 = min_int(x0, first);
        x1 = max_int(x1, last);
        y0 = min_int(y0, y);
        y1 = y + 1;
    }
    if (x1 <= x0)
        return;
    for (int y = y0; y < y1; y++)
        memmove(k->cut + (long)(y - y0) * (x1 - x0), k->cut + (long)y * w + x0, (size_t)(x1 - x0));
    *box = (struct box){box->x0 + x0, box->y0 + y0, box->x0 + x1, box->y0 + y1};
}

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

int ink_make_digit(struct ink *k, int id, enum turn turn, struct ink_digit *d, struct err *e)
{
    struct box box;
    if (ink_cut_glyph(k, id, &box, e))
        return -1;
    ink_trim(k, &box);
    int s = k->map.reduce, w = box_width(box), h = box_height(box);
    *d = (struct ink_digit){.x = box.x0 * s, .y = box.y0 * s, .w = w * s, .h = h * s};
    if (turn != TURN_NONE && ink_turn_cut(k, w, h, turn, e))
        return -1;
    normalise(&k->easel, k->cut, turn ? h : w, turn ? w : h, d->pixels);
    return 0;
}

int ink_find_parts(struct ink *k, struct err *e)
{
    return parts_find(&k->parts, k->map.ink, k->map.width, k->map.height, e);
}

int ink_mend(struct ink *k, int id, struct box box, float longest, float growth, struct err *e)
{
    int level = max_int((int)(FAINT * (float)ink_full(k, id)), k->map.floor);
    return mend(&k->mend, &k->map, box, level, longest, growth, e);
}

int ink_find_one(struct ink *k, struct err *e)
{
    int n = glyphs_one(&k->glyphs, &k->map, &k->parts, e);
    if (n > 0) {
        struct box box = k->glyphs.glyph[0].box;
        int mended = ink_mend(k, 0, box, LONGER * (float)box_longer(box), GROWTH, e);
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
static int pass_through(struct ink *k, const struct source *s, struct err *e)
{
    uint8_t pixels[DIGIT_PIXELS];
    for (int y = 0; y < DIGIT_SIDE; y++)
        memcpy(pixels + y * DIGIT_SIDE, s->gray + y * s->stride, DIGIT_SIDE);
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
    int side = inkmap_side(&k->map);
    int erased = side < EDGES_FROM ? 0 : edges_erase(&k->map, &k->parts, EDGE_LENGTH * (float)side, e);
    return erased > 0 ? ink_find_parts(k, e) : erased;
}

static bool is_box(struct ink *k, struct box b)
{
    return box_width(b) > BOX && box_height(b) > BOX && rules_is_box(&k->map, b);
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
    if (ink_find_parts(k, e))
        return -1;
    for (int i = 0; i < k->parts.parts; i++) {
        struct box b = k->parts.part[i].box;
        if (!is_box(k, b))
            continue;
        boxes++;
        w += box_width(b);
        h += box_height(b);
    }
    if (boxes < INK_FORM)
        return 0;
    for (int i = 0; i < k->parts.parts; i++) {
        struct box b = k->parts.part[i].box;
        if (!alike(box_width(b), w / boxes) || !alike(box_height(b), h / boxes))
            continue;
        k->grid = box_join(k->grid, b);
        rules_wipe_box(&k->map, b);
    }
    return boxes;
}

int ink_find_strokes(struct ink *k, struct err *e)
{
    k->grid = BOX_NONE;
    int boxes = k->many ? wipe_boxes(k, e) : 0;
    if (boxes < 0)
        return -1;
    k->lines = rules_erase(&k->map, k->many ? &k->grid : NULL, e);
    if (k->lines < 0)
        return -1;
    k->lines += boxes;
    if (k->lines >= INK_FORM)
        inkmap_find_again(&k->map);
    return ink_find_parts(k, e) || erase_edges(k, e) ? -1 : 0;
}

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

static int find_single(struct ink *k, const struct source *s, struct err *e)
{
    if (inkmap_load(&k->map, s, e) || ink_find_ink(k, -1, e) || ink_find_one(k, e))
        return -1;
    return ink_find_otherwise(k, s, e);
}

int ink_find(struct ink *k, const uint8_t *gray, long stride, int w, int h, bool many,
             struct ink_digit **digits, struct err *e)
{
    struct source s = {gray, stride, w, h};
    k->digits = k->seen = 0;
    k->many = many;
    if (k->look) {
        k->digits = look_find(k->look, &(struct cut_source){gray, stride, w, h}, many, digits, e);
        k->seen = look_seen(k->look);
        return k->digits;
    }
    int passed = w == DIGIT_SIDE && h == DIGIT_SIDE ? pass_through(k, &s, e) : 0;
    if (passed < 0 || (!passed && (many ? ink_find_many(k, &s, e) : find_single(k, &s, e))))
        return -1;
    *digits = k->digit;
    return k->digits;
}
