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
#include "upright.h"

#define PAGE_SIDE 2048    /* pixels: a picture is looked at for all its digits with this longest side, */
#define SINGLE_SIDE 320   /* and for the most prominent one with this */
#define LEAST 0.4f        /* the score of what may be one of many digits, */
#define LEAST_SINGLE 0.1f /* and of what may be the only one */
#define MAX_FOUND 10000   /* candidates of a picture, more than any page has: time is bounded */
#define MAX_ASKED 100     /* boxes are asked whether ink is dark or light, evenly taken from all */
#define PALE 0.3f         /* of the usual contrast of writing: what has less is none */
#define BRIGHT 200        /* of 255: a frame of 28x28 whose ink is darker than this is stretched */

struct look {
    struct search *search;
    struct cutter *cutter;
    struct upright *upright;
    struct ink_candidate *found; /* the search's */
    int founds, seen;
    struct ink_candidate *shown; /* as they were found, before any was cut */
    int showns;
    struct ink_digit *digit;
    struct glyph *glyph; /* [founds], id: the candidate */
    struct box *box;     /* [founds] of the candidates, in pixels of the picture */
    uint8_t (*frame)[DIGIT_PIXELS]; /* [founds] what was cut out of them */
    int digits;
    size_t digit_room, glyph_room, box_room, frame_room, shown_room;
};

struct look *look_new(const struct ink_finder *finder, struct err *e)
{
    struct look *l = calloc(1, sizeof *l);
    if (!l) {
        err_set(e, "out of memory");
        return NULL;
    }
    if ((l->search = search_new(finder, e)) && (l->cutter = cutter_new(e)) &&
        (l->upright = upright_new(e)))
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
    upright_free(l->upright);
    free(l->digit);
    free(l->glyph);
    free(l->box);
    free(l->frame);
    free(l->shown);
    free(l);
}

int look_seen(const struct look *l)
{
    return l->seen;
}

const struct ink_candidate *look_candidates(const struct look *l, int *count)
{
    *count = l->showns;
    return l->shown;
}

static int reserve_one(void *array, size_t n, size_t *room, size_t size, struct err *e)
{
    void **p = array;
    void *q = grow(*p, n, room, size, e);
    *p = q ? q : *p;
    return q ? 0 : -1;
}

/* Room for n candidates. */
static int reserve(struct look *l, size_t n, struct err *e)
{
    return reserve_one(&l->digit, n, &l->digit_room, sizeof *l->digit, e) ||
           reserve_one(&l->glyph, n, &l->glyph_room, sizeof *l->glyph, e) ||
           reserve_one(&l->box, n, &l->box_room, sizeof *l->box, e) ||
           reserve_one(&l->frame, n, &l->frame_room, sizeof *l->frame, e) ||
           reserve_one(&l->shown, n, &l->shown_room, sizeof *l->shown, e);
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
    return c->score * sqrtf(c->w * c->h);
}

/* The most prominent digit; where there is none, whatever is; -1: there is nothing. */
static int most_prominent(const struct ink_candidate *c, int n)
{
    int best = -1;
    for (int i = 0; i < n; i++) {
        bool digit = c[i].class < INK_SIGN, before = best >= 0 && c[best].class < INK_SIGN;
        if (best < 0 || digit > before || (digit == before && prominence(&c[i]) > prominence(&c[best])))
            best = i;
    }
    return best;
}

static int compare_scores(const void *a, const void *b)
{
    const struct ink_candidate *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

/* Of more candidates than any page has, keep the surest. Returns how many stay. */
static int keep_surest(struct ink_candidate *c, int n)
{
    if (n <= MAX_FOUND)
        return n;
    qsort(c, (size_t)n, sizeof *c, compare_scores);
    return MAX_FOUND;
}

static int find_candidates(struct look *l, const struct cut_source *s, bool many, struct err *e)
{
    l->founds = search_run(l->search, s->gray, s->stride, s->w, s->h, many ? PAGE_SIDE : SINGLE_SIDE,
                           many ? LEAST : LEAST_SINGLE, &l->found, e);
    if (l->founds < 0)
        return -1;
    l->founds = suppress(l->found, l->founds, e);
    l->founds = keep_surest(l->found, l->founds);
    if (l->founds < 0 || reserve(l, (size_t)l->founds + 1, e))
        return -1;
    l->showns = l->founds;
    if (l->founds)
        memcpy(l->shown, l->found, (size_t)l->founds * sizeof *l->shown);
    l->seen = 0;
    for (int i = 0; i < l->founds; i++)
        l->seen += l->found[i].class < INK_SIGN && l->found[i].score >= LEAST;
    for (int i = 0; i < l->founds; i++)
        l->box[i] = box_of(&l->found[i], s);
    return 0;
}

/* Is the ink lighter than the paper? As most of the boxes have it (one >= 0: that one). */
static bool is_light(struct look *l, const struct cut_source *s, int one)
{
    float sum = 0;
    int step = one >= 0 ? 1 : 1 + l->founds / MAX_ASKED;
    for (int i = max_int(one, 0); i < (one >= 0 ? one + 1 : l->founds); i += step)
        sum += l->found[i].score * cut_polarity(l->cutter, s, l->box[i]);
    return sum < 0;
}

/* The boxes of others that may reach into the surroundings of box i, gathered in `near`. */
static int neighbours(const struct look *l, int i, struct box *near, int most)
{
    struct box b = l->box[i];
    int n = 0;
    for (int k = 0; k < l->founds && n < most; k++)
        if (k != i && l->found[k].score >= LEAST && !box_apart(b, l->box[k], box_longer(b) / 4 + 2))
            near[n++] = l->box[k];
    return n;
}

/* Cut candidate i, whose box becomes that of its ink. As cut_digit. */
static int cut_one(struct look *l, const struct cut_source *s, bool light, int i, struct err *e)
{
    enum { NEAR = 32 };
    struct box near[NEAR], box = l->box[i];
    struct ink_candidate *c = &l->found[i];
    int n = neighbours(l, i, near, NEAR), cut = cut_digit(l->cutter, s, light, near, n, &box, l->frame[c->id], e);
    c->x = (float)box.x0;
    c->y = (float)box.y0;
    c->w = (float)box_width(box);
    c->h = (float)box_height(box);
    return cut;
}

/* Drop what is much paler than the writing: texture, and what shines through. Returns how many stay. */
static int drop_pale(struct ink_candidate *c, int n)
{
    float of[256] = {0}, all = 0, seen = 0;
    int usual = 0, left = 0;
    for (int i = 0; i < n; i++) {
        of[c[i].contrast] += c[i].score * c[i].h;
        all += c[i].score * c[i].h;
    }
    while (usual < 255 && 2 * (seen += of[usual]) < all)
        usual++;
    for (int i = 0; i < n; i++)
        if ((float)c[i].contrast > PALE * (float)usual)
            c[left++] = c[i];
    return left;
}

/* Cut all candidates (one >= 0: that one) and leave those that have ink of their own. */
static int cut_all(struct look *l, const struct cut_source *s, int one, struct err *e)
{
    bool light = is_light(l, s, one);
    int left = 0;
    for (int i = 0; i < l->founds; i++) {
        if (one >= 0 && i != one)
            continue;
        l->found[i].id = i;
        int cut = cut_one(l, s, light, i, e);
        if (cut < 0)
            return -1;
        l->found[i].contrast = cut;
        if (cut)
            l->found[left++] = l->found[i];
    }
    left = drop_pale(l->found, left);
    l->founds = suppress_same(l->found, left, e);
    return l->founds < 0 ? -1 : 0;
}

static struct box whole_box(const struct ink_candidate *c)
{
    return (struct box){(int)c->x, (int)c->y, (int)(c->x + c->w), (int)(c->y + c->h)};
}

/* The height that half of the digits do not reach; of all that is there where there are none. */
static float usual_height(const struct ink_candidate *c, int n)
{
    int count[2048] = {0}, digits = 0, seen = 0, h = 0;
    for (int i = 0; i < n; i++)
        digits += c[i].class < INK_SIGN;
    for (int i = 0; i < n; i++)
        if (!digits || c[i].class < INK_SIGN)
            count[min_int((int)c[i].h, 2047)]++;
    while (h < 2047 && 2 * (seen += count[h]) <= (digits ? digits : n))
        h++;
    return (float)max_int(h, 1);
}

/* A sign stands anywhere between the foot and the head of its line: give it the height of the nearest digit
 * beside it, if that is nearer than `height`. */
static struct box raised(const struct ink_candidate *c, int n, const struct ink_candidate *sign, float height)
{
    struct box box = whole_box(sign);
    float nearest = height, middle = sign->y + sign->h / 2;
    for (int i = 0; i < n; i++) {
        float gap = fmaxf(c[i].x - sign->x - sign->w, sign->x - c[i].x - c[i].w);
        if (c[i].class >= INK_SIGN || gap >= nearest || fabsf(c[i].y + c[i].h / 2 - middle) > 0.7f * c[i].h)
            continue;
        nearest = gap;
        box.y0 = (int)c[i].y;
        box.y1 = (int)(c[i].y + c[i].h);
    }
    return box;
}

/* Put the digits, and what stands between them, into reading order. */
static int order(struct look *l, struct err *e)
{
    const struct ink_candidate *c = l->found;
    int n = l->digits = l->founds;
    float height = usual_height(c, n);
    for (int i = 0; i < n; i++) {
        struct box box = ink_sign(c[i].class) ? raised(c, n, &c[i], height) : whole_box(&c[i]);
        l->glyph[i] = (struct glyph){.box = box, .id = i};
    }
    if (reading_order(l->glyph, n, height, e))
        return -1;
    for (int i = 0; i < n; i++) {
        const struct glyph *g = &l->glyph[i];
        struct box box = whole_box(&c[g->id]);
        l->digit[i] = (struct ink_digit){box.x0, box.y0, box_width(box), box_height(box), g->line, g->word,
                                         c[g->id].class, {0}};
        memcpy(l->digit[i].pixels, l->frame[c[g->id].id], DIGIT_PIXELS);
    }
    return 0;
}

/* The boxes of a page that was turned, as they lie in the picture. */
static void turn_back(struct look *l, int turns, const struct cut_source *s)
{
    for (int i = 0; turns && i < l->digits; i++) {
        struct ink_digit *d = &l->digit[i];
        struct box b = upright_back(box_at(d->x, d->y, d->w, d->h), turns, s->w, s->h);
        d->x = b.x0, d->y = b.y0, d->w = box_width(b), d->h = box_height(b);
    }
    for (int i = 0; turns && i < l->showns; i++) {
        struct ink_candidate *c = &l->shown[i];
        struct box b = upright_back(whole_box(c), turns, s->w, s->h);
        c->x = (float)b.x0, c->y = (float)b.y0, c->w = (float)box_width(b), c->h = (float)box_height(b);
    }
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
    l->founds = l->showns = 0;
    l->seen = 1;
    return 1;
}

int look_find(struct look *l, const struct cut_source *s, bool many, struct ink_digit **digits, struct err *e)
{
    int passed = pass_through(l, s, e);
    l->digits = passed;
    if (!passed) {
        struct cut_source page = *s;
        int turns = many ? upright_turn(l->upright, l->search, &page, e) : 0;
        if (turns < 0 || find_candidates(l, &page, many, e))
            return -1;
        int one = many ? -1 : most_prominent(l->found, l->founds);
        if (l->founds && (cut_all(l, &page, one, e) || order(l, e)))
            return -1;
        turn_back(l, turns, s);
    }
    *digits = l->digit;
    return l->digits;
}
