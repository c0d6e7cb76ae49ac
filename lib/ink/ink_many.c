/* All digits of a picture: in more of its pixels or enlarged where they are small, of the sheets in it. */
#include "ink_steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FINE 28   /* map pixels: the digits of a page are no smaller, if the picture has so many */
#define COARSE 20 /* lower digits are looked at enlarged, in a form and */
#define PAGE 64   /* where there are so many */
#define JUNK 0.5f /* of a digit's worth is what is none, less */
#define SURER 2.5f /* so much more has to be on a sheet by itself */

/* Find the digits of the picture in k->map, which is of that sheet (-1: of none). Returns 0, or -1. */
static int find_in_map(struct ink *k, int sheet, struct err *e)
{
    k->digits = 0;
    if (sheet >= 0)
        sheets_cover(&k->sheets, sheet, &k->map);
    return ink_find_ink(k, sheet, e) || ink_find_page(k, e) ? -1 : 0;
}

/* n values `step` apart made 2 n, between the nearest four by a cubic curve. */
static void enlarge_line(const uint8_t *in, long step, int n, uint8_t *out, long out_step)
{
    static const int weight[4] = {-9, 111, 29, -3}; /* of 128, from the farther side on */
    for (int i = 0; i < 2 * n; i++) {
        int at = i / 2, d = i % 2 ? 1 : -1, sum = 64;
        for (int k = 0; k < 4; k++) {
            int from = at + (k - 1) * d;
            sum += weight[k] * in[(from < 0 ? 0 : from < n ? from : n - 1) * step];
        }
        out[i * out_step] = (uint8_t)(sum < 0 ? 0 : sum >= 255 * 128 ? 255 : sum / 128);
    }
}

/* The picture twice as large; NULL: memory is short. */
static uint8_t *enlarge(const struct source *s)
{
    size_t size = (size_t)s->w * s->h;
    uint8_t *wide = malloc(2 * size), *large = malloc(4 * size);
    for (int y = 0; wide && large && y < s->h; y++)
        enlarge_line(s->gray + y * s->stride, 1, s->w, wide + 2L * s->w * y, 1);
    for (int x = 0; wide && large && x < 2 * s->w; x++)
        enlarge_line(wide + x, 2L * s->w, s->h, large + x, 2L * s->w);
    if (!wide) {
        free(large);
        large = NULL;
    }
    free(wide);
    return large;
}

/* Find the digits in the picture twice as large. */
static int find_enlarged(struct ink *k, const struct source *s, int sheet, struct err *e)
{
    uint8_t *large = enlarge(s);
    if (!large)
        return err_set(e, "out of memory");
    struct source twice = {large, 2L * s->w, 2 * s->w, 2 * s->h};
    int failed = inkmap_load_by(&k->map, &twice, 1, e) || find_in_map(k, sheet, e);
    free(large);
    for (int i = 0; i < k->digits; i++) {
        struct ink_digit *d = &k->digit[i];
        d->w = (d->x + d->w + 1) / 2 - d->x / 2;
        d->h = (d->y + d->h + 1) / 2 - d->y / 2;
        d->x /= 2;
        d->y /= 2;
    }
    return failed ? -1 : 0;
}

/* Find the digits of a picture, or of the part of one that is that sheet's (-1: of none); in more of its
 * pixels where it was made smaller and they came out small. */
static int find_in(struct ink *k, const struct source *s, int sheet, struct err *e)
{
    if (inkmap_load(&k->map, s, e) || find_in_map(k, sheet, e))
        return -1;
    bool page = k->lines >= INK_FORM || k->digits >= PAGE, whole = k->map.reduce == 1;
    if (whole && page && k->glyphs.height < COARSE && max_int(s->w, s->h) <= INKMAP_SIDE)
        return find_enlarged(k, s, sheet, e);
    int finer = max_int((int)((float)k->map.reduce * k->glyphs.height / FINE), 1);
    if (k->digits == 0 || finer >= k->map.reduce)
        return 0;
    return inkmap_load_by(&k->map, s, finer, e) || find_in_map(k, sheet, e) ? -1 : 0;
}

/* The digits found best so far. */
struct found {
    struct ink_digit *digit; /* owned */
    int n;
    float worth;
};

static float worth(const struct ink *k)
{
    return k->likely - JUNK * ((float)k->digits - k->likely);
}

/* Keep what was found, (x, y) from the picture's corner, if it is worth more. */
static int keep_better(const struct ink *k, struct found *best, int x, int y, struct err *e)
{
    if (k->digits == 0 || worth(k) < best->worth + SURER)
        return 0;
    struct ink_digit *digit = realloc(best->digit, (size_t)k->digits * sizeof *digit);
    if (!digit)
        return err_set(e, "out of memory");
    *best = (struct found){digit, k->digits, worth(k)};
    memcpy(digit, k->digit, (size_t)k->digits * sizeof *digit);
    for (int i = 0; i < best->n; i++) {
        digit[i].x += x;
        digit[i].y += y;
    }
    return 0;
}

static int find_on_sheets(struct ink *k, const struct source *s, struct found *best, struct err *e)
{
    int side = k->sheets.cell * k->sheets.reduce;
    for (int i = 0; i < k->sheets.n; i++) {
        struct box b = k->sheets.sheet[i].box;
        b = (struct box){b.x0 * side, b.y0 * side, b.x1 * side, b.y1 * side};
        struct source part = source_part(s, b);
        if (find_in(k, &part, i, e) || keep_better(k, best, b.x0, b.y0, e))
            return -1;
    }
    return 0;
}

int ink_find_many(struct ink *k, const struct source *s, struct err *e)
{
    struct found best = {NULL, 0, -INFINITY};
    if (inkmap_load(&k->map, s, e) || sheets_find(&k->sheets, &k->map, e) || find_in(k, s, -1, e))
        return -1;
    if (k->sheets.n == 0)
        return 0;
    int failed = keep_better(k, &best, 0, 0, e) || find_on_sheets(k, s, &best, e);
    k->digits = 0;
    for (int i = 0; !failed && i < best.n; i++) {
        struct ink_digit *d = ink_new_digit(k, e);
        if (d)
            *d = best.digit[i];
        failed = !d;
    }
    free(best.digit);
    k->seen = k->digits;
    return failed ? -1 : 0;
}
