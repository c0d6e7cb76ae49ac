#include "glyphs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "edges.h"
#include "base/grow.h"

/* Lengths in parts of the usual digit's. */
#define SPECK 0.12f      /* shorter is dirt */
#define SMALL 0.42f      /* shorter is no digit by itself, but may be a part of one */
#define WIDE 16.0f       /* a row of touching digits may be so long, */
#define DIGIT_WIDE 4.0f  /* in parts of its own height; nothing else is so wide */
#define TALL 2.2f        /* no digit is so high */
#define TALLEST 3.3f     /* but some hand's, */
#define SMALLEST 0.27f   /* and so small may be its noughts */
#define BESIDE 1.5f      /* when digits stand so near beside them, */
#define OFFSET 0.9f      /* and no more than this above or below */
#define STACK 4.5f       /* digits one above another that touch may be so high, */
#define BROAD 0.5f       /* and are not so narrow */
#define NEAR 0.15f       /* parts of one digit are so near to each other */
#define FAINT 0.45f      /* of the usual contrast: fainter is show-through or shadow */
#define ONE_SIDED 0.4f   /* see two_sided */
#define BAR 5            /* times as wide as high */
#define UNDER 0.04f      /* so far below a digit is a bar no foot of it, */
#define UNDERLINE 0.9f   /* if it is so wide */
#define LEAST 0.6f       /* what is surely a digit of the usual size is so long, */
#define MOST 1.5f        /* and no longer */
#define ABOVE 0.25f      /* two parts of a digit, one above the other, are so near, */
#define OVERLAP 0.5f     /* so much of the narrower one is under the other, */
#define BOTH 1.4f        /* and both together so high */

/* Of the most prominent digit, in parts of its longer side. */
#define MARK 0.07f       /* a part of it is no shorter, */
#define PALE 0.5f        /* no fainter (of its contrast), */
#define OTHER 0.6f       /* and if it stands beside it, no higher: that is another digit */
#define RIVAL 0.5f       /* of its prominence: what else is seen as a digit */
#define CRUMB 0.6f       /* shorter things may be a texture's */
#define ALONE 0.7f       /* of what is smaller is one thing */
#define CLUTTER 2.5f     /* times its own ink in smaller things: no digit but a texture */

/* Of the picture. */
#define SMALL_PICTURE 64 /* map pixels a side: less has no room for paper on both sides of a stroke */
#define SHORT 0.04f      /* of its shorter side, and */
#define PIXELS 4         /* map pixels: shorter is not what it is about */
#define FINE 150         /* parts of the shorter side: a page's digits are longer, */
#define LONG 0.8f        /* and no higher than this part of it */
#define CELL_LONG 0.94f  /* of its length is a side of a form's cell, at least, */
#define CELL_THICK 0.1f  /* of its width no thicker, */
#define CELL_NEAR 0.3f   /* and half of this from its edge */
#define CENTRAL 0.25f    /* less prominent by this is what lies at an edge's middle */

static int reserve(struct glyphs *s, int parts, struct err *e)
{
    size_t n = (size_t)parts;
    int *owner = grow(s->owner, n, &s->owner_room, sizeof *owner, e);
    if (!owner)
        return -1;
    s->owner = owner;
    float *score = grow(s->score, n, &s->score_room, sizeof *score, e);
    if (!score)
        return -1;
    s->score = score;
    struct glyph *glyph = grow(s->glyph, n, &s->glyph_room, sizeof *glyph, e);
    if (!glyph)
        return -1;
    s->glyph = glyph;
    return 0;
}

void glyphs_free(struct glyphs *s)
{
    free(s->owner);
    free(s->score);
    free(s->glyph);
    *s = (struct glyphs){0};
}

static float part_length(const struct part *p)
{
    return hypotf((float)box_width(p->box), (float)box_height(p->box));
}

static float part_contrast(const struct part *p)
{
    return (float)p->weight / (float)p->area;
}

/* Is a part a line from edge to edge of the picture, near a third edge: a side of a form's cell? */
static bool is_side(const struct inkmap *m, const struct part *p)
{
    int w = box_width(p->box), h = box_height(p->box);
    int across = w > h ? m->height : m->width, along = w > h ? m->width : m->height;
    int middle = w > h ? p->box.y0 + p->box.y1 : p->box.x0 + p->box.x1; /* twice */
    int longer = max_int(w, h), thick = min_int(w, h), near = min_int(middle, 2 * across - middle);
    return longer >= CELL_LONG * (float)along && thick < CELL_THICK * (float)across &&
           near < CELL_NEAR * (float)across;
}

/* How much a part looks like what the picture is about: long, strong, in the middle. 0: cannot be
 * a digit by itself; negative: cannot be a part of one. */
static float prominence(const struct inkmap *m, const struct parts *all, const struct part *p)
{
    float length = part_length(p), side = (float)inkmap_side(m);
    if (length < SHORT * side || length < PIXELS)
        return 0;
    float dx = (float)(p->box.x0 + p->box.x1) / (float)m->width - 1;
    float dy = (float)(p->box.y0 + p->box.y1) / (float)m->height - 1;
    float central = 1 - CENTRAL * (dx * dx + dy * dy);
    float sides = side < SMALL_PICTURE ? 1 : two_sided(m, all, p);
    if (sides < ONE_SIDED || is_side(m, p))
        return -1;
    if (box_width(p->box) > BAR * box_height(p->box))
        return 0;
    return length * part_contrast(p) / 255 * central * sides;
}

static int square(int x)
{
    return x * x;
}

static int run_distance(const struct run *a, const struct run *b)
{
    int dx = a->x0 > b->x1 ? a->x0 - b->x1 : b->x0 > a->x1 ? b->x0 - a->x1 : 0;
    return square(dx) + square(a->y - b->y);
}

/* The same from a box. */
static int box_distance(struct box a, const struct run *b)
{
    int dx = a.x0 > b->x1 ? a.x0 - b->x1 : b->x0 > a.x1 ? b->x0 - a.x1 : 0;
    int dy = a.y0 > b->y ? a.y0 - b->y : b->y >= a.y1 ? b->y - a.y1 + 1 : 0;
    return square(dx) + square(dy);
}

/* The square of the distance of run r from a part's run k or one after it, `least` when beyond that.
 * near: its root. */
static int part_distance(const struct parts *p, int k, const struct run *r, int near, int least)
{
    for (; k >= 0 && p->run[k].y <= r->y + near; k = p->run[k].next) {
        int d = run_distance(r, &p->run[k]);
        least = least < d ? least : d;
    }
    return least;
}

/* How far part q is from glyph `id`, by a sample of its runs; `limit` when beyond. What is below `enough`
 * may be more than the least. Both parts' runs go down: those of the glyph too far above one are so above
 * the next. */
static float distance(const struct glyphs *s, const struct parts *p, int id, const struct part *q,
                      float limit, float enough)
{
    int every = q->runs / 32 + 1, near = (int)ceilf(limit), beyond = square(near) + 1;
    int least = beyond;
    for (int t = 0; t < p->parts; t++) {
        if (s->owner[t] != id || box_apart(p->part[t].box, q->box, near))
            continue;
        int k = p->part[t].first;
        for (int i = q->first, n = 0; i >= 0; i = p->run[i].next) {
            if (n++ % every || box_distance(p->part[t].box, &p->run[i]) >= least)
                continue;
            while (k >= 0 && p->run[k].y < p->run[i].y - near)
                k = p->run[k].next;
            least = part_distance(p, k, &p->run[i], near, least);
            if (sqrtf((float)least) < enough)
                return sqrtf((float)least);
        }
    }
    return least < beyond ? sqrtf((float)least) : limit;
}

/* Is q a bar under p, as long as that is wide: an underline, unless it is all but on it? */
static bool underlines(struct box p, struct box q)
{
    int w = box_width(q);
    return w > BAR * box_height(q) && (float)w > UNDERLINE * (float)box_width(p) &&
           (float)(q.y0 - p.y1) > UNDER * (float)box_longer(p);
}

/* Does part q belong to glyph 0, whose box is p and whose first part has that contrast: a flag, a second
 * stroke, the rest of a broken one? */
static bool same_digit(const struct glyphs *s, const struct parts *all, struct box p, float contrast,
                       const struct part *q)
{
    float size = (float)box_longer(p), near = NEAR * size, length = part_length(q);
    float dx = fmaxf(0, (float)(q->box.x0 > p.x0 ? q->box.x0 - p.x1 : p.x0 - q->box.x1));
    float dy = fmaxf(0, (float)(q->box.y0 > p.y0 ? q->box.y0 - p.y1 : p.y0 - q->box.y1));
    if (length < MARK * size || length > MOST * size || dx > near || dy > near)
        return false;
    if (part_contrast(q) < PALE * contrast || underlines(p, q->box))
        return false;
    bool beside = dx > 0 && (float)box_height(q->box) > OTHER * (float)box_height(p);
    return !beside && distance(s, all, 0, q, near, near) < near;
}

/* Is what belongs to glyphs only some of many things shorter than `length`, as in a texture? What is
 * fainter than `contrast` does not count; one thing alone within `box` may be the digit in it. */
static bool lost_in_clutter(const struct glyphs *s, const struct parts *p, float length,
                            float contrast, const struct box *box)
{
    long own = 0, clutter = 0, most = 0;
    for (int i = 0; i < p->parts; i++) {
        const struct part *q = &p->part[i];
        if (s->owner[i] >= 0)
            own += q->weight;
        else if (part_length(q) < length && part_contrast(q) >= contrast) {
            clutter += q->weight;
            if (box && q->weight > most && box_inside(q->box, *box, 0))
                most = q->weight;
        }
    }
    if ((float)most > ALONE * (float)clutter)
        clutter -= most;
    return (float)clutter > CLUTTER * (float)own;
}

/* Make part `first` glyph 0, with all that belongs to it. Returns its box. */
static struct box gather(struct glyphs *s, const struct parts *p, int first)
{
    struct box box = p->part[first].box;
    float contrast = part_contrast(&p->part[first]);
    s->owner[first] = 0;
    for (bool grown = true; grown;) {
        grown = false;
        for (int i = 0; i < p->parts; i++) {
            if (s->owner[i] == 0 || s->score[i] < 0 || !same_digit(s, p, box, contrast, &p->part[i]))
                continue;
            box = box_join(box, p->part[i].box);
            s->owner[i] = 0;
            grown = true;
        }
    }
    return box;
}

int glyphs_one(struct glyphs *s, const struct inkmap *m, const struct parts *p, struct err *e)
{
    int best = -1;
    s->n = s->seen = 0;
    if (reserve(s, p->parts, e))
        return -1;
    for (int i = 0; i < p->parts; i++) {
        s->score[i] = prominence(m, p, &p->part[i]);
        s->owner[i] = -1;
        if (s->score[i] > 0 && (best < 0 || s->score[i] > s->score[best]))
            best = i;
    }
    if (best < 0)
        return 0;
    struct box box = gather(s, p, best);
    float length = hypotf((float)box_width(box), (float)box_height(box));
    if (lost_in_clutter(s, p, CRUMB * length, 0, &box))
        return 0;
    for (int i = 0; i < p->parts; i++)
        s->seen += s->score[i] > RIVAL * s->score[best] && s->owner[i] < 0;
    s->seen++;
    s->glyph[0] = (struct glyph){.box = box};
    return s->n = 1;
}

/* ---- all digits of a page ---- */

/* The usual height: where a histogram of heights, by the logarithm and weighted by height, is
 * highest. */
#define BINS_PER_OCTAVE 4
#define BINS (16 * BINS_PER_OCTAVE)
#define SURE 2.5f /* times the least contrast of ink: fainter counts less, for noise is many specks */

static float usual_height(const struct glyphs *s, const struct inkmap *m, const struct parts *p,
                          float tallest, enum turn turn)
{
    float bin[BINS + 2] = {0}, best = 0;
    int top = 0;
    for (int i = 0; i < p->parts; i++) {
        const struct part *q = &p->part[i];
        float height = (float)(turn == TURN_NONE ? box_height(q->box) : box_width(q->box));
        float sure = fminf(1, part_contrast(q) / (SURE * (float)m->floor));
        int b = (int)(log2f(height) * BINS_PER_OCTAVE) + 1;
        if (s->score[i] > 0 && height <= tallest && b <= BINS)
            bin[b] += height * sure * sure;
    }
    for (int b = 1; b <= BINS; b++) {
        float sum = bin[b - 1] / 2 + bin[b] + bin[b + 1] / 2;
        if (sum > best) {
            best = sum;
            top = b;
        }
    }
    return best > 0 ? exp2f(((float)top - 0.5f) / BINS_PER_OCTAVE) : 0;
}

int glyphs_measure(struct glyphs *s, const struct inkmap *m, const struct parts *p,
                   enum turn turn, struct err *e)
{
    float side = (float)inkmap_side(m);
    float least = fmaxf(PIXELS, side / FINE), longest = side < SMALL_PICTURE ? side : LONG * side;
    s->n = 0;
    if (reserve(s, p->parts, e))
        return -1;
    for (int i = 0; i < p->parts; i++) {
        const struct part *q = &p->part[i];
        s->score[i] = part_length(q) < least ? 0 : side < SMALL_PICTURE ? 1 : two_sided(m, p, q);
        if (part_length(q) >= least && s->score[i] < ONE_SIDED)
            s->score[i] = -1;
        s->owner[i] = -1;
    }
    s->height = usual_height(s, m, p, longest, turn);
    return 0;
}

/* Is part i by itself of a digit's size? */
static bool is_digit(const struct glyphs *s, const struct part *q, int i)
{
    float length = (float)box_longer(q->box);
    return s->score[i] > 0 && length > LEAST * s->height && length < MOST * s->height;
}

struct box upright(const struct inkmap *m, struct box b, enum turn turn)
{
    if (turn == TURN_RIGHT)
        return (struct box){b.y0, m->width - b.x1, b.y1, m->width - b.x0};
    if (turn == TURN_LEFT)
        return (struct box){m->height - b.y1, b.x0, m->height - b.y0, b.x1};
    return b;
}

static float usual_contrast(const struct glyphs *s, const struct parts *p)
{
    long count[256] = {0}, total = 0, below = 0;
    for (int i = 0; i < p->parts; i++)
        if (is_digit(s, &p->part[i], i)) {
            count[(int)part_contrast(&p->part[i])]++;
            total++;
        }
    for (int v = 0; v < 256; v++) {
        below += count[v];
        if (2 * below > total)
            return (float)v;
    }
    return 0;
}

/* Do two parts of some size, one above the other, belong to one digit? */
static bool stacked(struct box a, struct box b, float height)
{
    float common = (float)(min_int(a.x1, b.x1) - max_int(a.x0, b.x0));
    float narrow = (float)min_int(box_width(a), box_width(b));
    float apart = (float)(max_int(a.y0, b.y0) - min_int(a.y1, b.y1));
    float all = (float)box_height(box_join(a, b));
    return common > OVERLAP * narrow && apart < ABOVE * height && all < BOTH * height;
}

/* Was it put to another glyph? */
static bool is_gone(const struct glyph *g)
{
    return g->box.x0 < 0;
}

static void absorb(struct glyphs *s, int into, int id, int parts)
{
    struct glyph *a = &s->glyph[into], *b = &s->glyph[id];
    a->box = box_join(a->box, b->box);
    b->box.x0 = -1;
    for (int i = 0; i < parts; i++)
        if (s->owner[i] == id)
            s->owner[i] = into;
}

/* Give each small part to the glyph it is nearest to, if it is near to one. */
static void adopt(struct glyphs *s, const struct inkmap *m, const struct parts *p, enum turn turn,
                  float contrast)
{
    float near = NEAR * s->height;
    for (int i = 0; i < p->parts; i++) {
        const struct part *q = &p->part[i];
        float length = part_length(q), least = near;
        if (s->owner[i] >= 0 || s->score[i] < 0 || length < SPECK * s->height ||
            length > SMALL * 1.5f * s->height || part_contrast(q) < FAINT * contrast)
            continue;
        struct box b = upright(m, q->box, turn);
        int best = -1;
        for (int k = 0; k < s->n; k++) {
            const struct glyph *g = &s->glyph[k];
            if (is_gone(g) || box_apart(g->box, b, (int)near))
                continue;
            float d = distance(s, p, k, q, least, 0);
            if (d < least) {
                least = d;
                best = k;
            }
        }
        if (best < 0)
            continue;
        s->glyph[best].box = box_join(s->glyph[best].box, b);
        s->owner[i] = best;
    }
}

/* Is a digit of usual size next to g in its line? */
static bool in_line(const struct glyphs *s, struct box g)
{
    float near = BESIDE * s->height, offset = OFFSET * s->height;
    for (int i = 0; i < s->n; i++) {
        struct box q = s->glyph[i].box;
        if (!is_gone(&s->glyph[i]) && !s->glyph[i].odd && (float)(q.x0 - g.x1) < near &&
            (float)(g.x0 - q.x1) < near && abs(q.y0 + q.y1 - g.y0 - g.y1) < 2 * offset)
            return true;
    }
    return false;
}

/* Add what is too high or too small for the usual digit but stands in a line with such. */
static void add_odd(struct glyphs *s, const struct inkmap *m, const struct parts *p, enum turn turn,
                    float contrast)
{
    for (int i = 0; i < p->parts; i++) {
        const struct part *q = &p->part[i];
        struct box b = upright(m, q->box, turn);
        float w = (float)box_width(b), h = (float)box_height(b);
        bool small = h > SMALLEST * s->height && h <= SMALL * s->height && w < 2 * h;
        bool high = h > TALL * s->height && h < TALLEST * s->height && w < h && w > 0.2f * h;
        if (s->owner[i] >= 0 || s->score[i] <= 0 || part_contrast(q) < FAINT * contrast ||
            !(small || high) || !in_line(s, b))
            continue;
        s->owner[i] = s->n;
        s->glyph[s->n++] = (struct glyph){.box = b, .odd = true};
    }
}

/* Keep the glyphs that may be digits, or with TOUCHING_ROWS several. */
static void sift(struct glyphs *s, unsigned touching)
{
    int n = 0;
    float widest = touching & TOUCHING_ROWS ? WIDE : DIGIT_WIDE;
    for (int i = 0; i < s->n; i++) {
        struct glyph g = s->glyph[i];
        float w = (float)box_width(g.box), h = (float)box_height(g.box);
        g.id = i;
        bool usual = fmaxf(w, h) > SMALL * s->height && h > 0.3f * s->height && h * widest > w;
        if (!is_gone(&g) && (usual || g.odd))
            s->glyph[n++] = g;
    }
    s->n = n;
}

int glyphs_all(struct glyphs *s, const struct inkmap *m, const struct parts *p, enum turn turn,
               unsigned touching)
{
    float contrast = usual_contrast(s, p), height = s->height;
    s->n = 0;
    for (int i = 0; i < p->parts; i++) {
        const struct part *q = &p->part[i];
        struct box b = upright(m, q->box, turn);
        float w = (float)box_width(b), h = (float)box_height(b);
        s->owner[i] = -1;
        float tallest = touching & TOUCHING_STACKS && w > BROAD * height && w < h ? STACK : TALL;
        if (s->score[i] <= 0 || fmaxf(w, h) < SMALL * height || h > tallest * height ||
            w > WIDE * height || part_contrast(q) < FAINT * contrast)
            continue;
        s->owner[i] = s->n;
        s->glyph[s->n++] = (struct glyph){.box = b};
    }
    for (int i = 0; i < s->n; i++)
        for (int k = 0; k < i; k++)
            if (!is_gone(&s->glyph[k]) && !is_gone(&s->glyph[i]) &&
                stacked(s->glyph[k].box, s->glyph[i].box, height))
                absorb(s, k, i, p->parts);
    adopt(s, m, p, turn, contrast);
    add_odd(s, m, p, turn, contrast);
    sift(s, touching);
    if (lost_in_clutter(s, p, s->height, FAINT * contrast, NULL))
        s->n = 0;
    return s->n;
}
