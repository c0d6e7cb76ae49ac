/* What preproc does with a frame (look.h).
 *
 * Input: gray pixels. Output: digits of 28x28 in reading order. The finder tells where digits are
 * (finder.h), suppression leaves each once (suppress.h), reading order gives them their places
 * (reading.h), cutting makes frames of their boxes (cut.h). */
#include "look.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "reading.h"
#include "suppress.h"

#define PAGE_SIDE 2048    /* pixels: a picture is looked at for all its digits with this longest side, */
#define SINGLE_SIDE 320   /* and for the most prominent one with this */
#define LEAST 0.4f        /* the score of what may be one of many digits, */
#define LEAST_SINGLE 0.1f /* and of what may be the only one */
#define BRIGHT 200        /* of 255: a frame of 28x28 whose ink is darker than this is stretched */

struct look {
    struct search *search;
    struct cutter *cutter;
    struct ink_candidate *found; /* the search's */
    int founds, seen;
    struct ink_digit *digit;
    struct glyph *glyph; /* [founds], id: the candidate */
    struct box *box;     /* [founds] of the candidates, in pixels of the picture */
    int digits;
    size_t digit_room, glyph_room, box_room;
};

struct look *look_new(const struct ink_finder *finder, struct err *e)
{
    struct look *l = calloc(1, sizeof *l);
    if (!l) {
        err_set(e, "out of memory");
        return NULL;
    }
    if ((l->search = search_new(finder, e)) && (l->cutter = cutter_new(e)))
        return l;
    look_free(l);
    return NULL;
}

void look_free(struct look *l)
{
    if (!l)
        return;
    search_free(l->search);
    cutter_free(l->cutter);
    free(l->digit);
    free(l->glyph);
    free(l->box);
    free(l);
}

int look_seen(const struct look *l)
{
    return l->seen;
}

const struct ink_candidate *look_candidates(const struct look *l, int *count)
{
    *count = l->founds;
    return l->found;
}

static int reserve(struct look *l, size_t n, struct err *e)
{
    struct ink_digit *digit = grow(l->digit, n, &l->digit_room, sizeof *digit, e);
    l->digit = digit ? digit : l->digit;
    struct glyph *glyph = digit ? grow(l->glyph, n, &l->glyph_room, sizeof *glyph, e) : NULL;
    l->glyph = glyph ? glyph : l->glyph;
    struct box *box = glyph ? grow(l->box, n, &l->box_room, sizeof *box, e) : NULL;
    l->box = box ? box : l->box;
    return box ? 0 : -1;
}

/* The pixels of the picture that a candidate's box touches; at least one. */
static struct box box_of(const struct ink_candidate *c, const struct cut_source *s)
{
    int x0 = max_int(0, min_int((int)floorf(c->x), s->w - 1));
    int y0 = max_int(0, min_int((int)floorf(c->y), s->h - 1));
    return (struct box){x0, y0, max_int(x0 + 1, min_int((int)ceilf(c->x + c->w), s->w)),
                        max_int(y0 + 1, min_int((int)ceilf(c->y + c->h), s->h))};
}

static float prominence(const struct ink_candidate *c)
{
    return c->score * sqrtf(sqrtf(c->w * c->h));
}

/* The most prominent digit, or -1. */
static int most_prominent(const struct ink_candidate *c, int n)
{
    int best = -1;
    for (int i = 0; i < n; i++)
        if (c[i].class < INK_SIGN && (best < 0 || prominence(&c[i]) > prominence(&c[best])))
            best = i;
    return best;
}

static int find_candidates(struct look *l, const struct cut_source *s, bool many, struct err *e)
{
    l->founds = search_run(l->search, s->gray, s->stride, s->w, s->h, many ? PAGE_SIDE : SINGLE_SIDE,
                           many ? LEAST : LEAST_SINGLE, &l->found, e);
    if (l->founds < 0)
        return -1;
    l->founds = suppress(l->found, l->founds, e);
    if (l->founds < 0 || reserve(l, (size_t)l->founds + 1, e))
        return -1;
    l->seen = 0;
    for (int i = 0; i < l->founds; i++)
        l->seen += l->found[i].class < INK_SIGN && l->found[i].score >= LEAST;
    for (int i = 0; i < l->founds; i++)
        l->box[i] = box_of(&l->found[i], s);
    return 0;
}

/* The height that half of the digits do not reach. */
static float usual_height(const struct glyph *g, int n)
{
    int count[2048] = {0}, seen = 0;
    for (int i = 0; i < n; i++)
        count[min_int(box_height(g[i].box), 2047)]++;
    for (int h = 0; h < 2047; h++)
        if ((seen += count[h]) * 2 > n)
            return (float)h;
    return 2047;
}

/* Put what is to be cut into reading order. */
static int read_order(struct look *l, bool many, struct err *e)
{
    int n = 0, one = many ? -1 : most_prominent(l->found, l->founds);
    for (int i = 0; i < l->founds; i++)
        if (many ? l->found[i].class < INK_SIGN : i == one)
            l->glyph[n++] = (struct glyph){.box = l->box[i], .id = i};
    return n && reading_order(l->glyph, n, usual_height(l->glyph, n), e) ? -1 : n;
}

/* Is the ink lighter than the paper? As most of the boxes have it. */
static bool is_light(struct look *l, const struct cut_source *s, int n)
{
    float sum = 0;
    for (int i = 0; i < n; i++)
        sum += l->found[l->glyph[i].id].score * cut_polarity(l->cutter, s, l->glyph[i].box);
    return sum < 0;
}

/* The boxes of others that may reach into the surroundings of box `id`, gathered in `near`. */
static int neighbours(const struct look *l, int id, struct box *near, int most)
{
    struct box b = l->box[id];
    int n = 0;
    for (int i = 0; i < l->founds && n < most; i++)
        if (i != id && !box_apart(b, l->box[i], box_longer(b) / 4 + 2))
            near[n++] = l->box[i];
    return n;
}

static int cut_all(struct look *l, const struct cut_source *s, int n, struct err *e)
{
    enum { NEAR = 32 };
    struct box near[NEAR];
    bool light = is_light(l, s, n);
    l->digits = 0;
    for (int i = 0; i < n; i++) {
        const struct glyph *g = &l->glyph[i];
        struct ink_digit *d = &l->digit[l->digits];
        struct box box = g->box;
        int others = neighbours(l, g->id, near, NEAR);
        int cut = cut_digit(l->cutter, s, light, near, others, &box, d->pixels, e);
        if (cut < 0)
            return -1;
        if (!cut)
            continue;
        d->x = box.x0;
        d->y = box.y0;
        d->w = box_width(box);
        d->h = box_height(box);
        d->line = g->line;
        d->word = g->word;
        d->class = l->found[g->id].class;
        l->digits++;
    }
    return 0;
}

/* A frame of 28x28 that is as MNIST makes them is the answer already, but that dim ink is made bright.
 * Returns 1 when it is, 0 when not, -1 when memory is short. */
static int pass_through(struct look *l, const struct cut_source *s, struct err *e)
{
    uint8_t pixels[DIGIT_PIXELS];
    int most = 0;
    if (s->w != DIGIT_SIDE || s->h != DIGIT_SIDE)
        return 0;
    for (int i = 0; i < DIGIT_PIXELS; i++) {
        pixels[i] = s->gray[i / DIGIT_SIDE * s->stride + i % DIGIT_SIDE];
        most = max_int(most, pixels[i]);
    }
    if (!is_normalised(pixels))
        return 0;
    if (reserve(l, 1, e))
        return -1;
    struct ink_digit *d = &l->digit[0];
    *d = (struct ink_digit){.class = -1};
    for (int i = 0; i < DIGIT_PIXELS; i++)
        d->pixels[i] = (uint8_t)(most < BRIGHT ? pixels[i] * 255 / most : pixels[i]);
    normalised_box(pixels, &d->x, &d->y, &d->w, &d->h);
    l->founds = 0;
    l->seen = 1;
    return 1;
}

int look_find(struct look *l, const struct cut_source *s, bool many, struct ink_digit **digits, struct err *e)
{
    int passed = pass_through(l, s, e);
    l->digits = passed;
    if (!passed) {
        int n = find_candidates(l, s, many, e) ? -1 : read_order(l, many, e);
        if (n < 0 || cut_all(l, s, n, e))
            return -1;
    }
    *digits = l->digit;
    return l->digits;
}
