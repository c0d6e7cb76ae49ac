/* What preproc does with a frame (ink.h).
 *
 * Input: gray pixels. Output: digits of 28x28 in reading order. The finder tells where writing is (finder.c),
 * suppression leaves each thing once (suppress.c), cutting makes frames of the boxes (cut.c, normalise.c) and parts
 * what stands in one (pieces.c), what is beside them tells signs apart (sign.c), reading order gives them their places
 * (reading.c). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "steps.h"

/* A picture is looked at for all its digits with at most this longest side, in pixels: a digit of a page with
 * 60 lines is still 12 pixels high; */
#define MAX_PAGE_SIDE 2048
/* to see which way up it lies, with this; */
#define MAX_LOOK_SIDE 1024
/* and for the most prominent one with this, which a camera's frames are looked at fast enough with. */
#define MAX_SINGLE_SIDE 256
/* Of many, what is writing at least so probably, 0..1, but no digit surely enough, is other writing, and takes its
 * place. */
#define MIN_WRITTEN 0.4f
/* The box in which a sign is looked for is at least this part of its width high. */
#define MIN_SIGN_HEIGHT 0.6f
/* What has less than this part of the usual contrast of ink is texture, or shines through the paper. */
#define MIN_CONTRAST 0.3f
/* The same for a sign, which is made with the same pen; of one that was overlooked as part of the next digit's. */
#define MIN_SIGN_CONTRAST 0.6f
/* Ink that reaches the picture's edge is no digit unless it scores at least this, */
#define MIN_AT_EDGE 0.5f
/* or fills at least this part of the picture's width or height, as the digit of a narrow picture does. */
#define MIN_FILLED 0.7f
/* A page is turned when its writing is upright then by at least so much, as a logarithm of the odds: two digits do
 * not reach it. */
#define MIN_EVIDENCE 8.0f
/* The ink of a frame of 28x28 that is nowhere as bright as this, of 255, is stretched. */
#define MIN_BRIGHT 200

enum {
    ASKED = 100,          /* boxes of a page at most are asked whether ink is dark or light, evenly taken */
    MAX_PIECES = 16,      /* of a digit's ink at most are told apart */
    NEAR = 32,            /* boxes at most are taken for a digit's neighbours */
    PIXELS_PER_LINE = 300 /* of a frame's shorter side: drawn lines are one pixel wider for each so many */
};

struct ink {
    struct search *search;
    struct cutter *cutter;
    struct refine *refine;   /* or NULL */
    struct upright *upright; /* or NULL */
    struct ink *look; /* for a look at the page turned: search and cutter are shared with it */
    struct candidate *found; /* what was cut is left of them */
    int founds, seen, more; /* more: cut without having been found */
    int most;               /* there is room for so many */
    struct candidate *shown; /* [showns] as they were found */
    int showns;
    struct box *box;       /* [showns] of them */
    struct ink_digit *cut; /* [showns] what was cut out of them */
    struct glyph *glyph;   /* [founds] id: the candidate */
    struct ink_digit *digit; /* [founds] */
    struct ink_box *seen_box; /* ink_search's */
    size_t seen_room, found_room, shown_room, box_room, cut_room, glyph_room, digit_room;
};

static int make_look(struct ink *k, const struct turner *turner, struct err *e)
{
    k->upright = upright_new(turner, e);
    k->look = k->upright ? calloc(1, sizeof *k->look) : NULL;
    if (!k->look)
        return k->upright ? err_set(e, "out of memory") : -1;
    k->look->search = k->search;
    k->look->cutter = k->cutter;
    k->look->refine = k->refine;
    return 0;
}

/* The workspaces of the networks that lie beside the finder. */
static int make_beside(struct ink *k, const struct ink_finder *finder, struct err *e)
{
    const struct refiner *refiner = ink_finder_refiner(finder);
    const struct turner *turner = ink_finder_turner(finder);
    if (refiner && !(k->refine = refine_new(refiner, e)))
        return -1;
    return turner ? make_look(k, turner, e) : 0;
}

struct ink *ink_new(const struct ink_finder *finder, struct err *e)
{
    struct ink *k = calloc(1, sizeof *k);
    if (!k)
        err_set(e, "out of memory");
    else if ((k->search = search_new(finder, e)) && (k->cutter = cutter_new(e)) && !make_beside(k, finder, e))
        return k;
    ink_free(k);
    return NULL;
}

void ink_free(struct ink *k)
{
    if (!k)
        return;
    if (k->look) {
        k->look->search = NULL;
        k->look->cutter = NULL;
        k->look->refine = NULL;
    }
    ink_free(k->look);
    search_free(k->search);
    cutter_free(k->cutter);
    refine_free(k->refine);
    upright_free(k->upright);
    free(k->found);
    free(k->shown);
    free(k->box);
    free(k->cut);
    free(k->glyph);
    free(k->digit);
    free(k->seen_box);
    free(k);
}

int ink_seen(const struct ink *k)
{
    return k->seen;
}

/* ---- What there is ---- */

/* Room for n candidates. */
static int make_room(struct ink *k, size_t n, struct err *e)
{
    return grow_to(&k->found, n, &k->found_room, sizeof *k->found, e) ||
                   grow_to(&k->shown, n, &k->shown_room, sizeof *k->shown, e) ||
                   grow_to(&k->box, n, &k->box_room, sizeof *k->box, e) ||
                   grow_to(&k->cut, n, &k->cut_room, sizeof *k->cut, e) ||
                   grow_to(&k->glyph, n, &k->glyph_room, sizeof *k->glyph, e) ||
                   grow_to(&k->digit, n, &k->digit_room, sizeof *k->digit, e)
               ? -1
               : 0;
}

static float prominence(const struct candidate *c)
{
    return (c->class < INK_SIGN ? 1e6f : 1) * c->score * sqrtf(c->w * c->h);
}

/* Put the most prominent candidate first: a digit, or where there is none whatever is. */
static void put_first(struct candidate *c, int n)
{
    for (int i = 1; i < n; i++)
        if (prominence(&c[i]) > prominence(&c[0])) {
            struct candidate first = c[0];
            c[0] = c[i];
            c[i] = first;
        }
}

/* Make other writing of what is writing, but no digit surely enough. */
static void doubt_digits(struct candidate *c, int n)
{
    for (int i = 0; i < n; i++)
        if (c[i].class < INK_SIGN && c[i].score < MIN_SCORE && c[i].written >= MIN_WRITTEN) {
            c[i].class = INK_OTHER;
            c[i].score = MIN_SCORE;
        }
}

/* Leave what is surely enough what it seems to be, by its class where there are many. */
static int drop_doubtful(struct candidate *c, int n, bool many)
{
    int left = 0;
    if (many)
        doubt_digits(c, n);
    for (int i = 0; i < n; i++)
        if (many ? c[i].score >= (ink_sign(c[i].class) ? MIN_DOUBTFUL : MIN_SCORE) : c[i].written >= MIN_DOUBTFUL)
            c[left++] = c[i];
    return left;
}

/* The finder may see but one line of two. */
static struct box box_to_cut(const struct candidate *c)
{
    struct candidate to_cut = *c;
    if (ink_sign(c->class))
        to_cut.h = fmaxf(c->h, MIN_SIGN_HEIGHT * c->w);
    to_cut.y -= (to_cut.h - c->h) / 2;
    return candidate_box(&to_cut);
}

static int find_candidates(struct ink *k, const struct source *s, int side, bool many, struct err *e)
{
    struct candidate *c;
    int n = search_run(k->search, s, side, MIN_DOUBTFUL, &c, e);
    if (n < 0)
        return -1;
    k->most = 3 * n + 1; /* more is seldom found in them and between them */
    if (make_room(k, (size_t)k->most, e))
        return -1;
    if (k->refine && many) /* a single one, mostly large, is told no better by it */
        n = refine(k->refine, search_pyramid(k->search), c, suppress_same(c, n), MIN_DOUBTFUL);
    int seen = n;
    if (n > 0)
        memcpy(k->found, c, (size_t)n * sizeof *c);
    n = suppress(k->found, drop_doubtful(k->found, n, many));
    k->founds = k->showns = n = many ? suppress_blots(k->found, n, c, seen) : n;
    if (!many)
        put_first(k->found, n);
    for (int i = 0; i < n; i++) {
        k->seen += k->found[i].class < INK_SIGN && k->found[i].score >= MIN_SCORE;
        k->found[i].id = i;
        k->shown[i] = k->found[i];
        k->box[i] = box_to_cut(&k->found[i]);
        k->box[i].x1 = max_int(1, min_int(k->box[i].x1, s->w));
        k->box[i].y1 = max_int(1, min_int(k->box[i].y1, s->h));
        k->box[i].x0 = max_int(0, min_int(k->box[i].x0, k->box[i].x1 - 1));
        k->box[i].y0 = max_int(0, min_int(k->box[i].y0, k->box[i].y1 - 1));
    }
    return 0;
}

/* ---- Their ink ---- */

/* Is the ink of the first n lighter than the paper? As most of the boxes have it. */
static bool is_light(struct ink *k, const struct source *s, int n)
{
    float sum = 0;
    for (int i = 0; i < n; i += 1 + n / ASKED)
        sum += k->found[i].score * cut_polarity(k->cutter, s, k->box[i]);
    return sum < 0;
}

/* Say where the ink of a candidate is. */
static void set_ink(struct ink *k, struct candidate *c, struct box box)
{
    struct ink_digit *d = &k->cut[c->id];
    c->x = (float)box.x0, c->y = (float)box.y0, c->w = (float)box_width(box), c->h = (float)box_height(box);
    d->x = box.x0, d->y = box.y0, d->w = box_width(box), d->h = box_height(box);
    d->class = c->class;
}

/* Cut candidate i, whose box becomes that of its ink. Returns the contrast of the ink, or 0. */
static int cut_one(struct ink *k, const struct source *s, bool light, bool many, int i)
{
    struct box near[NEAR], box = k->box[i], cut = box;
    int n = 0;
    struct candidate *c = &k->found[i];
    bool sign = ink_sign(c->class) != 0, doubtful = many && c->class == INK_OTHER && c->score < MIN_SCORE;
    for (int j = 0; j < k->showns && n < NEAR; j++)
        if (j != i && k->shown[j].score >= MIN_SCORE &&
            !(ink_sign(k->shown[j].class) && (sign || !k->found[j].contrast)) &&
            !box_apart(box, k->box[j], box_longer(box) / 4 + 2))
            near[n++] = candidate_box(&k->shown[j]);
    enum cut_as what = sign ? CUT_SIGN : doubtful ? CUT_BLOT : CUT_DIGIT;
    c->contrast = cut_digit(k->cutter, s, light, near, n, what, &cut, k->cut[i].pixels);
    if (c->class < INK_SIGN && (cut_was_blotted(k->cutter) || is_crossed_out(k->cut[i].pixels)))
        c->class = INK_OTHER;
    set_ink(k, c, cut);
    bool wall = many && c->contrast && c->class >= INK_SIGN && !doubtful && cut_is_wall(k->cutter);
    if (wall || (doubtful && !cut_was_blotted(k->cutter)))
        c->contrast = 0;
    return c->contrast;
}

/* Cut what candidate *c is, or one of the things that it turned out to be. Returns whether there is ink. */
static bool cut_thing(struct ink *k, const struct source *s, bool light, const struct thing *thing,
                      struct candidate *c)
{
    struct box box = thing->box;
    c->class = thing->class;
    enum cut_as what = ink_sign(c->class) ? CUT_SIGN : CUT_DIGIT;
    c->contrast = cut_digit(k->cutter, s, light, NULL, 0, what, &box, k->cut[c->id].pixels);
    if (c->contrast)
        set_ink(k, c, box);
    return c->contrast > 0;
}

/* Part candidate i of n, which was cut last, where it is several things. The others' candidates come after the n. */
static void part_one(struct ink *k, const struct source *s, bool light, int i, int n)
{
    struct box piece[MAX_PIECES];
    struct thing thing[MAX_THINGS];
    struct candidate whole = k->found[i];
    int pieces = cut_pieces(k->cutter, piece, MAX_PIECES);
    int things = part_pieces(piece, pieces, whole.class, thing);
    if (!things)
        return;
    cut_thing(k, s, light, &thing[0], &k->found[i]);
    for (int t = 1; t < things && n + k->more < k->most; t++) {
        struct candidate *c = &k->found[n + k->more];
        *c = whole;
        c->id = k->showns + k->more;
        k->more += cut_thing(k, s, light, &thing[t], c);
    }
}

/* Is the ink of a candidate cut off by the picture's edge? */
static bool is_cut_off(const struct candidate *c, const struct source *s)
{
    bool at_edge = c->x <= 1 || c->y <= 1 || c->x + c->w >= (float)s->w - 1 || c->y + c->h >= (float)s->h - 1;
    return at_edge && c->score < MIN_AT_EDGE && c->w < MIN_FILLED * (float)s->w && c->h < MIN_FILLED * (float)s->h;
}

static float contrast_of(const struct candidate *c)
{
    return (float)c->contrast;
}

/* Look for a sign in the place, where there are so many: its ink is the digits', and touches neither of them nor a
 * line, as the teeth of a comb do. Its candidate comes after the last. */
static void look_for_sign(struct ink *k, const struct source *s, bool light, struct box place, int signs,
                          int contrast)
{
    struct box box = place;
    struct candidate *c = &k->found[k->founds];
    *c = (struct candidate){.score = 1, .class = INK_POINT, .id = k->showns + k->more};
    uint8_t *pixels = k->cut[c->id].pixels;
    c->contrast = cut_digit(k->cutter, s, light, NULL, 0, CUT_SIGN, &box, pixels);
    if (cut_was_ruled(k->cutter) || (float)c->contrast < MIN_SIGN_CONTRAST * (float)contrast || box.x0 <= place.x0 ||
        box.x1 >= place.x1 || box.y1 >= place.y1)
        return;
    set_ink(k, c, box);
    c->class = sign_class(k->found, k->founds + 1, k->founds, pixels);
    if (sign_overlooked(c, place, signs)) {
        k->founds++;
        k->more++;
    }
}

/* Look for signs between digits that stand beside each other. */
static void look_for_signs(struct ink *k, const struct source *s, bool light)
{
    int n = k->founds;
    struct box place;
    for (int i = 0; i < n; i++) {
        int signs = sign_place(k->found, n, i, &place);
        if (signs >= 0 && k->showns + k->more < k->most)
            look_for_sign(k, s, light, place, signs, k->found[i].contrast);
    }
    k->founds = suppress_parts(k->found, suppress_same(k->found, k->founds));
}

/* Cut the first n candidates and leave those that have ink of their own, as dark as the others'. many: part them and
 * look for signs between them, too. */
static void cut_all(struct ink *k, const struct source *s, int n, bool many)
{
    bool light = is_light(k, s, n);
    int cut = 0, left = 0;
    k->more = 0;
    for (int signs = 1; signs >= 0; signs--) /* which have no ink where they are parts of digits */
        for (int i = 0; i < n; i++)
            if ((ink_sign(k->shown[i].class) != 0) == signs && cut_one(k, s, light, many, i) && many)
                part_one(k, s, light, i, n);
    for (int i = 0; i < n + k->more; i++)
        if (k->found[i].contrast && (many || !is_cut_off(&k->found[i], s)))
            k->found[cut++] = k->found[i];
    int usual = weighted_median(k->found, cut, contrast_of);
    for (int i = 0; i < cut; i++)
        if ((float)k->found[i].contrast >
            (ink_sign(k->found[i].class) ? MIN_SIGN_CONTRAST : MIN_CONTRAST) * (float)usual)
            k->found[left++] = k->found[i];
    k->founds = suppress_parts(k->found, suppress_same(k->found, left));
    if (!many)
        return;
    k->founds = sign_drop_specks(k->found, k->founds);
    look_for_signs(k, s, light);
}

/* ---- Their order ---- */

static float height_of(const struct candidate *c)
{
    return c->h;
}

/* A sign stands anywhere between the foot and the head of its line: give it the height of the nearest digit
 * beside it, if that is nearer than `height`. */
static struct box raised(const struct candidate *c, int n, const struct candidate *sign, float height)
{
    struct box box = candidate_box(sign);
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

/* Say of each sign which it is. They are told by what all were taken for. */
static void settle_signs(struct ink *k)
{
    for (int slashes = 0; slashes < 2; slashes++) { /* which are told by the digits beside them once signs are none */
        for (int i = 0; i < k->founds; i++)
            k->cut[k->found[i].id].class = sign_class(k->found, k->founds, i, k->cut[k->found[i].id].pixels);
        for (int i = 0; i < k->founds; i++)
            if (slashes || k->cut[k->found[i].id].class != INK_SLASH)
                k->found[i].class = k->cut[k->found[i].id].class;
    }
    k->founds = suppress_parts(k->found, suppress_same(k->found, k->founds));
    k->founds = sign_drop_crumbs(k->found, k->founds);
}

/* Put the digits, and what stands between them, into reading order. */
static int put_in_order(struct ink *k, struct err *e)
{
    const struct candidate *c = k->found;
    int n = k->founds;
    float height = fmaxf(1, (float)weighted_median(c, n, height_of));
    for (int i = 0; i < n; i++)
        k->glyph[i] = (struct glyph){
            .box = ink_sign(c[i].class) ? raised(c, n, &c[i], height) : candidate_box(&c[i]), .id = c[i].id};
    if (reading_order(k->glyph, n, height, e))
        return -1;
    for (int i = 0; i < n; i++) {
        k->digit[i] = k->cut[k->glyph[i].id];
        k->digit[i].line = k->glyph[i].line;
        k->digit[i].word = k->glyph[i].word;
    }
    return 0;
}

/* The boxes of a page that was turned, as they lie in the picture. */
static void turn_back(struct ink *k, int turns, const struct source *s)
{
    for (int i = 0; i < k->founds; i++) {
        struct ink_digit *d = &k->digit[i];
        struct box b = upright_back(box_at(d->x, d->y, d->w, d->h), turns, s->w, s->h);
        d->x = b.x0, d->y = b.y0, d->w = box_width(b), d->h = box_height(b);
    }
    for (int i = 0; i < k->showns; i++)
        k->box[i] = upright_back(k->box[i], turns, s->w, s->h);
}

/* ---- A frame ---- */

/* A frame of 28x28 that is as MNIST makes them is the answer already, but that dim ink is made bright.
 * Returns 1 when it is, 0 when not, -1 when memory is short. */
static int pass_through(struct ink *k, const struct source *s, struct err *e)
{
    struct box box;
    uint8_t pixels[DIGIT_PIXELS];
    int most = 0;
    if (s->w != DIGIT_SIDE || s->h != DIGIT_SIDE)
        return 0;
    for (int i = 0; i < DIGIT_PIXELS; i++) {
        pixels[i] = s->gray[i / DIGIT_SIDE * s->stride + i % DIGIT_SIDE];
        most = max_int(most, pixels[i]);
    }
    if (!is_normalised(pixels, &box))
        return 0;
    if (make_room(k, 1, e))
        return -1;
    k->digit[0] = (struct ink_digit){box.x0, box.y0, box_width(box), box_height(box), 0, 0, -1, {0}};
    for (int i = 0; i < DIGIT_PIXELS; i++)
        k->digit[0].pixels[i] = (uint8_t)(most < MIN_BRIGHT ? pixels[i] * 255 / most : pixels[i]);
    return k->seen = 1;
}

static int find_ink(struct ink *k, const struct source *s, int side, bool many, struct err *e)
{
    k->seen = 0;
    if (find_candidates(k, s, side, many, e))
        return -1;
    cut_all(k, s, many ? k->founds : min_int(k->founds, 1), many);
    return 0;
}

/* Is a digit among what was found? */
static bool has_digit(const struct ink *k)
{
    for (int i = 0; i < k->founds; i++)
        if (k->found[i].class < INK_SIGN)
            return true;
    return false;
}

/* Unless what was found on the page has a digit and stands plainly upright, look at it in the other ways, too, the
 * most probable first, until it does. Returns by how many quarters the page was turned. */
static int find_upright(struct ink *k, struct source *page, struct err *e)
{
    struct source as_it_lies = *page;
    struct evidence lies = upright_ask(k->upright, k->found, k->founds, k->cut);
    if (!k->founds || (has_digit(k) && upright_is_plain(&lies, 0)))
        return 0;
    for (unsigned tried = 1; tried != 0xf;) {
        int turns = upright_guess(&lies, tried);
        tried |= 1u << turns;
        *page = as_it_lies;
        if (upright_turn(k->upright, turns, page, e) || find_ink(k->look, page, MAX_LOOK_SIDE, true, e))
            return -1;
        struct evidence turned = upright_ask(k->upright, k->look->found, k->look->founds, k->look->cut);
        if (upright_is_plain(&turned, fmaxf(upright_margin(&lies), MIN_EVIDENCE)))
            return find_ink(k, page, MAX_PAGE_SIDE, true, e) ? -1 : turns;
    }
    *page = as_it_lies;
    return 0;
}

static int find_digits(struct ink *k, const struct source *s, bool many, struct err *e)
{
    struct source page = *s;
    if (find_ink(k, &page, many ? MAX_PAGE_SIDE : MAX_SINGLE_SIDE, many, e))
        return -1;
    int turns = many && k->upright ? find_upright(k, &page, e) : 0;
    if (turns < 0)
        return -1;
    settle_signs(k);
    if (put_in_order(k, e))
        return -1;
    turn_back(k, turns, s);
    return k->founds;
}

int ink_find(struct ink *k, const uint8_t *gray, long stride, int w, int h, bool many, struct ink_digit **digits,
             struct err *e)
{
    struct source s = {gray, stride, w, h};
    k->founds = k->showns = k->seen = 0;
    int n = pass_through(k, &s, e);
    if (!n)
        n = find_digits(k, &s, many, e);
    *digits = k->digit;
    return n;
}

/* ---- What the second network learns from ---- */

int ink_search(struct ink *k, const uint8_t *gray, int w, int h, float least, const struct ink_box **box,
               struct err *e)
{
    struct source s = {gray, w, w, h};
    struct candidate *c;
    int n = search_run(k->search, &s, MAX_PAGE_SIDE, least, &c, e), left = 0;
    if (n < 0 || grow_to(&k->seen_box, (size_t)n + 1, &k->seen_room, sizeof *k->seen_box, e))
        return -1;
    for (int i = 0; i < n; i++)
        if (!ink_sign(c[i].class))
            k->seen_box[left++] = (struct ink_box){c[i].x, c[i].y, c[i].w, c[i].h, c[i].score};
    *box = k->seen_box;
    return left;
}

void ink_view(const struct ink *k, const struct ink_box *box, struct ink_view *view)
{
    take_view(search_pyramid(k->search), &(struct candidate){.x = box->x, .y = box->y, .w = box->w, .h = box->h}, view);
}

/* ---- A picture of what was seen ---- */

static void fill(uint8_t *rgb, int width, int height, struct box b, const uint8_t *colour)
{
    b = box_clip(b, width, height);
    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++)
            memcpy(rgb + 3 * ((size_t)y * width + x), colour, 3);
}

void ink_draw_sight(const struct ink *k, const uint8_t *gray, int width, int height, int x, int y, uint8_t *rgb)
{
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++)
        memset(rgb + 3 * i, gray[i], 3);
    int t = 1 + min_int(width, height) / PIXELS_PER_LINE;
    for (int i = 0; i < k->showns; i++) {
        const struct candidate *c = &k->shown[i];
        struct box b = k->box[i];
        uint8_t colour[3] = {0, 0, 0};
        colour[c->class < INK_SIGN ? 1 : ink_sign(c->class) ? 2 : 0] = (uint8_t)(80 + (int)(c->score * 175));
        b = (struct box){b.x0 + x, b.y0 + y, b.x1 + x, b.y1 + y};
        fill(rgb, width, height, (struct box){b.x0 - t, b.y0 - t, b.x1 + t, b.y0}, colour);
        fill(rgb, width, height, (struct box){b.x0 - t, b.y1, b.x1 + t, b.y1 + t}, colour);
        fill(rgb, width, height, (struct box){b.x0 - t, b.y0, b.x0, b.y1}, colour);
        fill(rgb, width, height, (struct box){b.x1, b.y0, b.x1 + t, b.y1}, colour);
    }
}
