/* Other looks at a picture in which no digit was found, or what is hardly one: in a box, in a circle, on a
 * sheet, in narrow strokes. */
#include "ink_steps.h"

#include <math.h>

#include "edges.h"
#include "rules.h"
#include "whole.h"

#define DOUBTFUL (-0.3f) /* less sure than this of a digit (as a logarithm) it is sought elsewhere too */
#define MARGIN 0.5f    /* so much surer has another look to be */
#define HARDLY (-1.5f) /* less sure than this, and it may be a shadow's edge */
#define BOXED (-1.0f)  /* no surer than this is a digit with a box around it */
#define AROUND 0.7f    /* of a digit's rows and columns has ink on both sides: it is surrounded */
#define WITHIN 0.27f   /* of what is around it is a digit at least, */
#define RINGED 0.42f   /* and of a ring drawn around it */
#define FLOOR (-4.0f)  /* surer than this is has to be */
#define LEAST 0.06f    /* of the picture's shorter side is what it finds, */
#define FEW 4          /* and at most so many things are like it */
#define LIGHT (-0.35f) /* under this polarity the ink is surely light */
#define UNSURE 0.15f   /* no further from 0, and it may be the other way round */
#define DOTS 12         /* parts of a dotted digit at least, */
#define SPECK 5         /* times shorter than the longest is dirt, */
#define LARGE 12        /* and the longest is so much shorter than the picture */
#define EDGED 0.4f     /* of a stroke across a shadow has paper on one side only, at most */
#define NARROW 0.1f    /* of the picture's shorter side is a stroke wide at most that a shadow crosses */

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

/* Is the digit found inside the likeliest so far, which is more than twice as large, as a sheet's edges
 * are? */
static bool lies_within(const struct ink_digit *d, int x, int y, const struct ink_digit *box)
{
    int longer = d->w > d->h ? d->w : d->h, longest = box->w > box->h ? box->w : box->h;
    return x > box->x && y > box->y && x + d->w < box->x + box->w && y + d->h < box->y + box->h &&
           2 * longer < longest;
}

/* Compare with what find_one has found by another look, (x, y) from the source's corner. */
static int compare(struct ink *k, struct likeliest *best, float least, int x, int y, struct err *e)
{
    float log_p = -INFINITY;
    if (k->digits && stands_out(k, best->side) &&
        whole_of(k->digit[0].pixels, DIGIT_SIDE, DIGIT_SIDE, &log_p, e))
        return -1;
    bool within = k->digits && lies_within(k->digit, k->digit[0].x + x, k->digit[0].y + y, &best->digit);
    if (log_p > best->sure + (within ? 0 : MARGIN) && log_p > least) {
        best->digit = k->digit[0];
        best->digit.x += x;
        best->digit.y += y;
        best->sure = log_p;
        best->seen = k->seen;
    }
    k->digits = 0;
    return 0;
}

/* Is there ink among the n pixels from `p` on, `step` bytes apart? */
static bool inked(const uint8_t *p, long step, int n)
{
    while (n > 0 && !(*p & 1)) {
        p += step;
        n--;
    }
    return n > 0;
}

/* Is what lies in box q surrounded by ink that lies in box `ring`? */
static bool surrounded(const struct inkmap *m, struct box q, struct box ring)
{
    int rows = 0, columns = 0;
    for (int y = q.y0; y < q.y1; y++) {
        const uint8_t *row = m->ink + (long)y * m->width;
        rows += inked(row + ring.x0, 1, q.x0 - ring.x0) && inked(row + q.x1, 1, ring.x1 - q.x1);
    }
    for (int x = q.x0; x < q.x1; x++) {
        const uint8_t *column = m->ink + x;
        columns += inked(column + (long)ring.y0 * m->width, m->width, q.y0 - ring.y0) &&
                   inked(column + (long)q.y1 * m->width, m->width, ring.y1 - q.y1);
    }
    return (float)rows > AROUND * (float)box_height(q) &&
           (float)columns > AROUND * (float)box_width(q);
}

/* Take a run out of the ink. */
static void take_out_run(struct ink *k, const struct run *r)
{
    uint8_t *row = k->map.ink + (long)r->y * k->map.width;
    for (int x = r->x0; x < r->x1; x++)
        row[x] &= (uint8_t)~1;
}

/* The longest part that lies inside box `ring`; NULL when none does. */
static const struct part *longest_within(const struct parts *p, struct box ring)
{
    const struct part *most = NULL;
    for (int i = 0; i < p->parts; i++) {
        const struct part *q = &p->part[i];
        if (box_inside(q->box, ring, 1) && (!most || box_longer(q->box) > box_longer(most->box)))
            most = q;
    }
    return most;
}

/* What was found may be a circle around a digit, or the edges of the sheet it is on: look for one in what
 * lies inside that. */
static int find_within(struct ink *k, struct likeliest *best, struct err *e)
{
    struct box ring = k->glyphs.glyph[0].box;
    const struct part *most = longest_within(&k->parts, ring);
    float longest = (float)box_longer(ring), length = most ? (float)box_longer(most->box) : 0;
    if (!most || length < WITHIN * longest)
        return 0;
    float least = DOUBTFUL;
    best->sure -= MARGIN;
    if (length > RINGED * longest && surrounded(&k->map, most->box, ring)) {
        best->sure = fminf(best->sure, BOXED - MARGIN);
        least = BOXED - MARGIN;
    }
    for (int i = 0; i < k->parts.runs; i++)
        if (!box_inside(k->parts.part[k->parts.run[i].part].box, ring, 1))
            take_out_run(k, &k->parts.run[i]);
    if (ink_find_parts(k, e) || ink_find_one(k, e))
        return -1;
    if (k->digits && (float)box_longer(k->glyphs.glyph[0].box) < WITHIN * longest)
        k->digits = 0;
    return compare(k, best, least, 0, 0, e);
}

/* What was found may be a box of a form, with a digit in it: look for one without its sides. */
static int find_in_box(struct ink *k, struct likeliest *best, struct err *e)
{
    struct box box = k->glyphs.glyph[0].box;
    int erased = rules_erase_box(&k->map, box, e);
    if (erased <= 0)
        return erased < 0 ? -1 : find_within(k, best, e);
    if (ink_find_parts(k, e) || ink_find_one(k, e))
        return -1;
    if (k->digits && 3 * box_height(k->glyphs.glyph[0].box) < box_height(box))
        k->digits = 0;
    best->sure = fminf(best->sure, BOXED) - MARGIN;
    return compare(k, best, FLOOR, 0, 0, e);
}

/* Keep the map as it was first, or take it back. */
static void swap_maps(struct ink *k)
{
    struct inkmap first = k->map;
    k->map = k->first;
    k->first = first;
}

/* Look for one on the sheets of paper in the picture, and keep its first map. */
static int find_on_sheets(struct ink *k, const struct source *s, struct likeliest *best, struct err *e)
{
    int reduce = k->map.reduce, c = k->map.cell * reduce;
    struct source whole = {s->gray, s->stride, k->map.width * reduce, k->map.height * reduce};
    if (k->inverted)
        inkmap_invert(&k->map);
    if (sheets_find(&k->sheets, &k->map, e))
        return -1;
    if (k->inverted)
        inkmap_invert(&k->map);
    swap_maps(k);
    if (inkmap_copy_paper(&k->map, &k->first, e))
        return -1;
    for (int i = 0; i < k->sheets.n; i++) {
        struct box b = k->sheets.sheet[i].box;
        b = (struct box){b.x0 * c, b.y0 * c, b.x1 * c, b.y1 * c};
        struct source part = source_part(&whole, b);
        if (inkmap_load(&k->map, &part, e))
            return -1;
        sheets_cover(&k->sheets, i, &k->map);
        if (ink_find_ink(k, i, e) || ink_find_one(k, e) || compare(k, best, FLOOR, b.x0, b.y0, e))
            return -1;
    }
    return 0;
}

/* The ink may be what was taken for paper: look for one the other way round. */
static int find_inverted(struct ink *k, const struct source *s, bool inverted, struct likeliest *best,
                         struct err *e)
{
    if (inkmap_load(&k->map, s, e))
        return -1;
    if (!inverted)
        inkmap_invert(&k->map);
    inkmap_find(&k->map);
    return ink_find_strokes(k, e) || ink_find_one(k, e) ? -1 : compare(k, best, FLOOR, 0, 0, e);
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

/* Look for one in narrow strokes, dark and light ones; light ones first if so. */
static int find_narrow(struct ink *k, const struct source *s, bool light, struct likeliest *best,
                       struct err *e)
{
    for (int i = 0; i < 2 && best->sure < HARDLY * (float)(i + 1); i++) {
        if (inkmap_load(&k->map, s, e))
            return -1;
        if (light == (i == 0))
            inkmap_invert(&k->map);
        if (inkmap_find_narrow(&k->map, (int)(NARROW * (float)inkmap_side(&k->map)), e) ||
            ink_find_strokes(k, e) || ink_find_one(k, e))
            return -1;
        if (k->digits && !on_paper(k))
            k->digits = 0;
        if (compare(k, best, FLOOR, 0, 0, e))
            return -1;
    }
    return 0;
}

/* Is what was found cut off by two edges of the picture or more, as a shadow is? */
static bool cut_off(const struct ink *k)
{
    const struct ink_digit *d = &k->digit[0];
    int w = k->map.width * k->map.reduce, h = k->map.height * k->map.reduce, near = k->map.reduce;
    int edges = (d->x <= near) + (d->y <= near) + (d->x + d->w >= w - near) + (d->y + d->h >= h - near);
    return edges >= 2;
}

/* Are the parts dots, many and much alike? Then specks among them are taken out. Returns how long the
 * longest is; 0 when they are no dots. */
static int find_dots(struct ink *k)
{
    const struct parts *p = &k->parts;
    int longest = 0, dots = 0;
    for (int i = 0; i < p->parts; i++)
        longest = max_int(longest, box_longer(p->part[i].box));
    for (int i = 0; i < p->runs; i++)
        if (SPECK * box_longer(p->part[p->run[i].part].box) < longest)
            take_out_run(k, &p->run[i]);
    for (int i = 0; i < p->parts; i++)
        dots += SPECK * box_longer(p->part[i].box) >= longest;
    return dots >= DOTS && LARGE * longest < inkmap_side(&k->map) ? longest : 0;
}

/* Look for one in dots: join them. */
static int find_dotted(struct ink *k, struct likeliest *best, struct err *e)
{
    swap_maps(k);
    inkmap_renew(&k->map);
    if (ink_find_parts(k, e))
        return -1;
    int longest = find_dots(k);
    if (!longest)
        return 0;
    if (inkmap_join(&k->map, 2 * longest, e) || ink_find_parts(k, e) || ink_find_one(k, e))
        return -1;
    return compare(k, best, BOXED, 0, 0, e);
}

int ink_find_otherwise(struct ink *k, const struct source *s, struct err *e)
{
    struct likeliest best = {.sure = -INFINITY, .seen = k->seen, .side = min_int(s->w, s->h)};
    bool light = k->polarity < LIGHT, large = k->map.cell > 1, unsure = fabsf(k->polarity) < UNSURE;
    bool inverted = k->inverted;
    if (k->digits) {
        best.digit = k->digit[0];
        if (whole_of(best.digit.pixels, DIGIT_SIDE, DIGIT_SIDE, &best.sure, e))
            return -1;
        if (cut_off(k))
            best.sure = fminf(best.sure, HARDLY) - MARGIN;
    }
    k->digits = 0;
    if (k->glyphs.n && find_in_box(k, &best, e))
        return -1;
    if (best.sure < DOUBTFUL && large && find_on_sheets(k, s, &best, e))
        return -1;
    if (best.sure < HARDLY && large && unsure && find_inverted(k, s, inverted, &best, e))
        return -1;
    if (best.sure < HARDLY && large && find_narrow(k, s, light, &best, e))
        return -1;
    if (best.sure < DOUBTFUL && large && find_dotted(k, &best, e))
        return -1;
    struct ink_digit *d = best.digit.w ? ink_new_digit(k, e) : NULL;
    if (d)
        *d = best.digit;
    k->seen = best.seen;
    return best.digit.w && !d ? -1 : 0;
}
