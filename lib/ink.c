#include "ink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inkmap.h"
#include "parts.h"

struct ink {
    struct inkmap map;
    struct parts parts;
    struct ink_digit *digit;
    int digits, digit_size;
    uint8_t *cut; /* a digit's box cut out of the picture */
    size_t cut_size;
    float *score; /* of each part */
    uint8_t *taken; /* part belongs to the digit being cut */
    int score_size;
    int seen;
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
    free(k->digit);
    free(k->cut);
    free(k->score);
    free(k->taken);
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

static int reserve(struct ink *k, struct err *e)
{
    int n = k->parts.parts;
    if (n <= k->score_size)
        return 0;
    float *score = realloc(k->score, (size_t)n * sizeof *score);
    if (score)
        k->score = score;
    uint8_t *taken = realloc(k->taken, (size_t)n);
    if (taken)
        k->taken = taken;
    if (!score || !taken)
        return err_set(e, "out of memory");
    k->score_size = n;
    return 0;
}

static float part_length(const struct part *p)
{
    return hypotf((float)(p->x1 - p->x0), (float)(p->y1 - p->y0));
}

/* How much a part looks like what the picture is about: long, strong, in the middle. */
static float prominence(const struct inkmap *m, const struct part *p)
{
    float length = part_length(p), side = (float)(m->width < m->height ? m->width : m->height);
    if (length < 0.04f * side || length < 4)
        return 0;
    float strength = (float)p->weight / (float)p->area / 255;
    float dx = (float)(p->x0 + p->x1) / (float)m->width - 1;
    float dy = (float)(p->y0 + p->y1) / (float)m->height - 1;
    float central = 1 - 0.25f * (dx * dx + dy * dy);
    return length * sqrtf(strength) * central;
}

/* Does part q belong to the same digit as a digit with box p: a flag, a second stroke? */
static bool same_digit(const struct part *p, const struct part *q)
{
    float height = (float)(p->y1 - p->y0), width = (float)(p->x1 - p->x0);
    float size = fmaxf(height, width);
    float dx = fmaxf(0, (float)(q->x0 > p->x0 ? q->x0 - p->x1 : p->x0 - q->x1));
    float dy = fmaxf(0, (float)(q->y0 > p->y0 ? q->y0 - p->y1 : p->y0 - q->y1));
    if (part_length(q) < 0.07f * size)
        return false;
    if ((float)q->weight / (float)q->area < 0.5f * (float)p->weight / (float)p->area)
        return false;
    bool beside = dx > 0 && (float)(q->y1 - q->y0) > 0.6f * height;
    return !beside && hypotf(dx, dy) < 0.15f * size;
}

/* The contrast that counts as full ink: what a tenth of the ink exceeds. */
static int full_ink(const struct ink *k)
{
    long count[256] = {0}, total = 0;
    for (int i = 0; i < k->parts.runs; i++) {
        const struct run *r = &k->parts.run[i];
        if (!k->taken[r->part])
            continue;
        const uint8_t *row = k->map.ink + (long)r->y * k->map.width;
        for (int x = r->x0; x < r->x1; x++)
            count[row[x]]++;
        total += r->x1 - r->x0;
    }
    long above = 0;
    for (int v = 255; v > 0; v--) {
        above += count[v];
        if (above * 8 > total)
            return v;
    }
    return 1;
}

/* Copy the gray of pixels [x0 - 1, x1] of row y, ink and its soft edge, into the cut. */
static void cut_row(struct ink *k, const struct part *box, int y, int x0, int x1, int full)
{
    if (y < box->y0 || y >= box->y1)
        return;
    const uint8_t *row = k->map.ink + (long)y * k->map.width;
    uint8_t *out = k->cut + (long)(y - box->y0) * (box->x1 - box->x0);
    int low = full / 8;
    for (int x = x0 > box->x0 ? x0 - 1 : box->x0; x <= x1 && x < box->x1; x++) {
        int v = (row[x] - low) * 255 / (full - low);
        out[x - box->x0] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

/* Cut the taken parts out of the picture, by their mask and a pixel around it. */
static int cut_digit(struct ink *k, struct part *box, struct err *e)
{
    const struct inkmap *m = &k->map;
    box->x0 -= box->x0 > 0;
    box->y0 -= box->y0 > 0;
    box->x1 += box->x1 < m->width;
    box->y1 += box->y1 < m->height;
    size_t size = (size_t)(box->x1 - box->x0) * (box->y1 - box->y0);
    if (size > k->cut_size) {
        uint8_t *cut = realloc(k->cut, size);
        if (!cut)
            return err_set(e, "out of memory");
        k->cut = cut;
        k->cut_size = size;
    }
    memset(k->cut, 0, size);
    int full = full_ink(k);
    for (int i = 0; i < k->parts.runs; i++) {
        const struct run *r = &k->parts.run[i];
        if (!k->taken[r->part])
            continue;
        for (int y = r->y - 1; y <= r->y + 1; y++)
            cut_row(k, box, y, r->x0, r->x1, full);
    }
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

static int make_digit(struct ink *k, struct part box, struct err *e)
{
    struct ink_digit *d = new_digit(k, e);
    if (!d || cut_digit(k, &box, e))
        return -1;
    trim(k, &box);
    int s = k->map.reduce;
    d->x = box.x0 * s;
    d->y = box.y0 * s;
    d->w = (box.x1 - box.x0) * s;
    d->h = (box.y1 - box.y0) * s;
    normalise(k->cut, box.x1 - box.x0, box.y1 - box.y0, d->pixels);
    return 0;
}

static int find_one(struct ink *k, struct err *e)
{
    struct parts *p = &k->parts;
    int best = -1;
    if (reserve(k, e))
        return -1;
    for (int i = 0; i < p->parts; i++) {
        k->score[i] = prominence(&k->map, &p->part[i]);
        k->taken[i] = 0;
        if (k->score[i] > 0 && (best < 0 || k->score[i] > k->score[best]))
            best = i;
    }
    k->seen = 0;
    if (best < 0)
        return 0;
    struct part box = p->part[best];
    k->taken[best] = 1;
    for (bool grown = true; grown;) {
        grown = false;
        for (int i = 0; i < p->parts; i++) {
            const struct part *q = &p->part[i];
            if (k->taken[i] || !same_digit(&box, q))
                continue;
            box.x0 = box.x0 < q->x0 ? box.x0 : q->x0;
            box.x1 = box.x1 > q->x1 ? box.x1 : q->x1;
            box.y0 = box.y0 < q->y0 ? box.y0 : q->y0;
            box.y1 = box.y1 > q->y1 ? box.y1 : q->y1;
            k->taken[i] = 1;
            grown = true;
        }
    }
    for (int i = 0; i < p->parts; i++)
        k->seen += k->score[i] > 0.5f * k->score[best] && !k->taken[i];
    k->seen++;
    return make_digit(k, box, e);
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

int ink_find(struct ink *k, const uint8_t *gray, long stride, int w, int h, bool many,
             struct ink_digit **digits, struct err *e)
{
    (void)many;
    k->digits = k->seen = 0;
    if (w == DIGIT_SIDE && h == DIGIT_SIDE) {
        int passed = pass_through(k, gray, stride, e);
        *digits = k->digit;
        if (passed)
            return passed;
    }
    if (inkmap_load(&k->map, gray, stride, w, h, e))
        return -1;
    if (inkmap_polarity(&k->map) < 0)
        inkmap_invert(&k->map);
    inkmap_find(&k->map);
    int limit = (int)((size_t)k->map.width * k->map.height / 8 + 1000);
    int failed = parts_find(&k->parts, k->map.ink, k->map.width, k->map.height, limit, e);
    if (failed < 0 || (failed == 0 && find_one(k, e)))
        return -1;
    *digits = k->digit;
    return k->digits;
}
