#include "ink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inkmap.h"
#include "parts.h"
#include "rules.h"

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

/* How much lighter than a pixel of the part its surroundings are on one of two sides, in parts of
 * how much they are on the other: 1 for a stroke on paper, 0 for the edge of something dark. */
static float balance(int ink, int before, int after)
{
    int a = before - ink, b = after - ink, less = a < b ? a : b, more = a > b ? a : b;
    return more > 0 && less > 0 ? (float)less / (float)more : 0;
}

/* Mean gray of up to four pixels from (x, y) on, in steps of `step` bytes, `room` of them inside. */
static int mean_gray(const uint8_t *g, long step, int room)
{
    int n = room < 4 ? room : 4, sum = 0;
    for (int i = 0; i < n; i++)
        sum += g[i * step];
    return sum / n;
}

/* The balance of a stretch of ink [a, b) in a line of n pixels `step` bytes apart, whose middle is
 * at g[0]. */
static float stretch_balance(const uint8_t *g, long step, int a, int middle, int b, int n)
{
    if (a < 2 || b + 1 >= n)
        return 0;
    int ink = (g[0] * 2 + g[middle > a ? -step : 0] + g[middle + 1 < b ? step : 0]) / 4;
    return balance(ink, mean_gray(g + (a - 2 - middle) * step, -step, a - 1),
                   mean_gray(g + (b + 1 - middle) * step, step, n - b - 1));
}

/* A stroke has paper on both its sides; the edge of a shadow or of the paper on only one. The mean
 * over a sample of the part's runs, each looked at across and down. What lies outside the picture
 * is no paper. */
static float two_sided(const struct ink *k, const struct part *p)
{
    const struct inkmap *m = &k->map;
    int every = p->runs / 64 + 1, n = 0, sampled = 0;
    float sum = 0;
    for (int i = p->first; i >= 0; i = k->parts.run[i].next) {
        if (n++ % every)
            continue;
        const struct run *r = &k->parts.run[i];
        int x = (r->x0 + r->x1) / 2, up = r->y, down = r->y + 1;
        const uint8_t *g = m->gray + (long)r->y * m->width + x;
        while (up > 0 && m->ink[(long)(up - 1) * m->width + x] & 1)
            up--;
        while (down < m->height && m->ink[(long)down * m->width + x] & 1)
            down++;
        sum += fmaxf(stretch_balance(g, 1, r->x0, x, r->x1, m->width),
                     stretch_balance(g, m->width, up, r->y, down, m->height));
        sampled++;
    }
    return sum / (float)sampled;
}

/* How much a part looks like what the picture is about: long, strong, in the middle. 0: cannot be
 * a digit by itself; negative: cannot be a part of one. */
static float prominence(const struct ink *k, const struct part *p)
{
    const struct inkmap *m = &k->map;
    float length = part_length(p), side = (float)(m->width < m->height ? m->width : m->height);
    if (length < 0.04f * side || length < 4)
        return 0;
    float strength = (float)p->weight / (float)p->area / 255;
    float dx = (float)(p->x0 + p->x1) / (float)m->width - 1;
    float dy = (float)(p->y0 + p->y1) / (float)m->height - 1;
    float central = 1 - 0.25f * (dx * dx + dy * dy);
    float sides = side < 64 ? 1 : two_sided(k, p);
    if (sides < 0.4f)
        return -1;
    if (p->x1 - p->x0 > 5 * (p->y1 - p->y0))
        return 0;
    return length * strength * central * sides;
}

static float square(float x)
{
    return x * x;
}

/* How far part q is from the taken parts, by a sample of its runs; at least `limit` when beyond. */
static float distance(const struct ink *k, const struct part *q, float limit)
{
    const struct parts *p = &k->parts;
    int every = q->runs / 32 + 1, n = 0;
    float least = square(limit);
    for (int i = q->first; i >= 0; i = p->run[i].next) {
        if (n++ % every)
            continue;
        const struct run *a = &p->run[i];
        for (int t = 0; t < p->parts; t++) {
            if (!k->taken[t])
                continue;
            for (int j = p->part[t].first; j >= 0; j = p->run[j].next) {
                const struct run *b = &p->run[j];
                float dy = (float)abs(a->y - b->y);
                float dx = a->x0 > b->x1 ? (float)(a->x0 - b->x1) : b->x0 > a->x1 ? (float)(b->x0 - a->x1) : 0;
                least = fminf(least, square(dx) + square(dy));
            }
        }
    }
    return sqrtf(least);
}

/* Does part q belong to the same digit as the taken parts, whose box is p: a flag, a second stroke,
 * the rest of a broken one? */
static bool same_digit(const struct ink *k, const struct part *p, const struct part *q)
{
    float height = (float)(p->y1 - p->y0), width = (float)(p->x1 - p->x0);
    float size = fmaxf(height, width), near = 0.15f * size;
    float dx = fmaxf(0, (float)(q->x0 > p->x0 ? q->x0 - p->x1 : p->x0 - q->x1));
    float dy = fmaxf(0, (float)(q->y0 > p->y0 ? q->y0 - p->y1 : p->y0 - q->y1));
    float length = part_length(q);
    if (length < 0.07f * size || length > 1.5f * size || dx > near || dy > near)
        return false;
    if ((float)q->weight / (float)q->area < 0.5f * (float)p->weight / (float)p->area)
        return false;
    bool beside = dx > 0 && (float)(q->y1 - q->y0) > 0.6f * height;
    return !beside && distance(k, q, near) < near;
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
        k->score[i] = prominence(k, &p->part[i]);
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
            if (k->taken[i] || k->score[i] < 0 || !same_digit(k, &box, q))
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
    rules_erase(&k->map);
    int limit = (int)((size_t)k->map.width * k->map.height / 8 + 1000);
    int failed = parts_find(&k->parts, k->map.ink, k->map.width, k->map.height, limit, e);
    if (failed < 0 || (failed == 0 && find_one(k, e)))
        return -1;
    *digits = k->digit;
    return k->digits;
}
