/* Every digit of a page: touching ones cut, broken ones joined, which way the page lies. */
#include "ink_steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "split.h"
#include "whole.h"

#define TURN_SAMPLE 48   /* digits looked at to tell which way a page lies */
#define ODD_LOOK (-2.0f) /* a glyph of unusual size has to look so much like a digit */
#define SURELY 0.5f      /* of the ink is in upright digits: the page lies so */
#define FEWEST 1.2f      /* upright digits that can tell that the page was turned */
#define LONG 2.5f        /* times as high as wide, and */
#define CROSSED 1.5f     /* strokes in a line of pixels, on average: digits one below another */
#define TURNED 1.15f     /* times as much ink in upright digits as unturned: the page was turned */
#define LONGEST 1.3f     /* of the usual height, and */
#define JOINED 1.8f      /* times its area: what a digit among others may become by its faint ink */
#define STACKED 1.75f    /* of the usual height: in a form, higher glyphs are two that touch, */
#define BROAD 0.4f       /* if they are wider than this */
#define ROW 0.5f         /* of the usual height: what is wider may be several digits, */
#define FORM_ROW 1.1f    /* in a form */
#define FILLED 0.33f     /* of the glyphs are in a form's cells at least */
#define PALE 0.5f        /* of the usual contrast: the pieces of fainter glyphs are not joined */
#define INKED 128        /* of 255: a stroke */

/* Cut glyph g if it is a row of digits that touch. Returns how many cuts were made, or -1. */
static int split_one(struct ink *k, const struct glyph *g, enum turn turn, struct err *e)
{
    struct box box;
    if (ink_cut_glyph(k, g->id, &box, e))
        return -1;
    if (turn != TURN_NONE && ink_turn_cut(k, box_width(box), box_height(box), turn, e))
        return -1;
    return split_row(upright(&k->map, box, turn), k->cut, k->glyphs.height, &k->map, turn, e);
}

/* Cut digits that touch. Returns how many cuts were made, or -1. */
static int split_touching(struct ink *k, enum turn turn, struct err *e)
{
    const struct glyphs *s = &k->glyphs;
    bool form = k->lines >= INK_FORM;
    int cuts = 0;
    for (int i = 0; cuts >= 0 && i < s->n; i++) {
        const struct glyph *g = &s->glyph[i];
        float w = (float)box_width(g->box), h = (float)box_height(g->box);
        int made = 0;
        if (form && h > STACKED * s->height && w > BROAD * s->height && w < h)
            made = split_stack(g->box, s->height, &k->map, turn, e);
        else if (w > (form ? FORM_ROW : ROW) * s->height)
            made = split_one(k, g, turn, e);
        cuts = made < 0 ? -1 : cuts + made;
    }
    return cuts;
}

/* Join the pieces of glyphs over fainter ink. Returns whether there was any, or -1. What is much
 * fainter than the others is left: it may be a texture, which would grow together. */
static int mend_glyphs(struct ink *k, struct err *e)
{
    const struct glyphs *s = &k->glyphs;
    float *full = malloc(2 * (size_t)(s->n + 1) * sizeof *full);
    if (!full)
        return err_set(e, "out of memory");
    float *sorted = full + s->n + 1;
    for (int i = 0; i < s->n; i++)
        full[i] = sorted[i] = (float)ink_full(k, s->glyph[i].id);
    float usual = s->n ? nth_smallest(sorted, s->n, s->n / 2) : 0;
    int mended = 0;
    for (int i = 0; i < s->n && mended >= 0; i++) {
        int id = s->glyph[i].id;
        struct box box;
        if (full[i] < PALE * usual)
            continue;
        int made = ink_cut_glyph(k, id, &box, e);
        if (!made)
            made = ink_mend(k, id, box, LONGEST * s->height, JOINED, e);
        mended = made < 0 ? -1 : mended | made;
    }
    free(full);
    return mended;
}

/* After the ink has changed: find the parts again, and group them into glyphs. */
static int group_again(struct ink *k, enum turn turn, struct err *e)
{
    float height = k->glyphs.height;
    if (ink_find_parts(k, e) || glyphs_measure(&k->glyphs, &k->map, &k->parts, turn, e))
        return -1;
    if (k->glyphs.height > STACKED * height) /* by what is no digit */
        k->glyphs.height = height;
    glyphs_all(&k->glyphs, &k->map, &k->parts, turn, 0);
    return 0;
}

/* Group the parts into glyphs, cutting what touches and joining what is broken; what was joined may
 * be digits that only come near to each other, and is cut again. */
static int find_glyphs(struct ink *k, enum turn turn, struct err *e)
{
    glyphs_all(&k->glyphs, &k->map, &k->parts, turn,
               k->lines >= INK_FORM ? TOUCHING_ROWS | TOUCHING_STACKS : TOUCHING_ROWS);
    int cuts = split_touching(k, turn, e);
    if (cuts < 0 || (cuts > 0 && group_again(k, turn, e)))
        return -1;
    if (cuts == 0)
        glyphs_all(&k->glyphs, &k->map, &k->parts, turn, 0);
    int mended = mend_glyphs(k, e);
    if (mended <= 0)
        return mended;
    if (group_again(k, turn, e))
        return -1;
    cuts = split_touching(k, turn, e);
    return cuts > 0 ? group_again(k, turn, e) : cuts;
}

/* Cut glyph `id` out and see how much it looks like a whole digit when the page lies turned so: *whole,
 * the logarithm of a probability. The cut is left as it lies in the picture, w x h. */
static int look_at(struct ink *k, int id, enum turn turn, int *w, int *h, float *whole, struct err *e)
{
    struct box box;
    if (ink_cut_glyph(k, id, &box, e))
        return -1;
    ink_trim(k, &box);
    *w = box_width(box);
    *h = box_height(box);
    if (turn == TURN_NONE)
        return whole_of(k->cut, *w, *h, whole, e);
    return ink_turn_cut(k, *w, *h, turn, e) || whole_of(k->cut, *h, *w, whole, e) ||
                   ink_turn_cut(k, *h, *w, turn == TURN_LEFT ? TURN_RIGHT : TURN_LEFT, e)
               ? -1
               : 0;
}

/* Of the glyphs of unusual size keep those that look like digits. */
static int sift_odd(struct ink *k, enum turn turn, struct err *e)
{
    struct glyphs *s = &k->glyphs;
    int n = 0, w, h;
    for (int i = 0; i < s->n; i++) {
        float whole = 0;
        if (s->glyph[i].odd && look_at(k, s->glyph[i].id, turn, &w, &h, &whole, e))
            return -1;
        if (whole > ODD_LOOK)
            s->glyph[n++] = s->glyph[i];
    }
    s->n = n;
    return 0;
}

/* Is the w x h cut much longer than wide, and yet no 1? A row of digits seen from its side is: going
 * along it, one crosses more than one stroke at a time. */
static bool is_row_aside(const struct ink *k, int w, int h, enum turn turn)
{
    int across = turn ? h : w, down = turn ? w : h, strokes = 0;
    if ((float)down < LONG * (float)across)
        return false;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            long at = (long)y * w + x, before = turn ? at - w : at - 1;
            bool first = turn ? y == 0 : x == 0;
            strokes += k->cut[at] >= INKED && (first || k->cut[before] < INKED);
        }
    return (float)strokes > CROSSED * (float)down;
}

/* How glyphs look when the page lies turned in some way. */
struct looks {
    float ink;     /* of all, */
    float upright; /* and of what looks like whole digits that are upright */
    float digits;  /* how many those are */
};

/* See how the glyphs found look: a sample of them. */
static int judge_turn(struct ink *k, enum turn turn, struct looks *l, struct err *e)
{
    const struct glyphs *s = &k->glyphs;
    int every = s->n / TURN_SAMPLE + 1, w, h;
    *l = (struct looks){0};
    for (int i = 0; i < s->n; i += every) {
        float log_p[TURNS], whole, ink = 0;
        uint8_t pixels[DIGIT_PIXELS];
        if (look_at(k, s->glyph[i].id, turn, &w, &h, &whole, e))
            return -1;
        normalise(&k->easel, k->cut, w, h, pixels);
        turn_likelihood(pixels, log_p);
        for (long p = 0; p < (long)w * h; p++)
            ink += k->cut[p];
        l->ink += ink;
        float p = is_row_aside(k, w, h, turn) ? 0 : expf(whole + log_p[turn]);
        l->upright += ink * p;
        l->digits += p * (float)every;
    }
    return 0;
}

/* Find the glyphs of a page that lies turned so, and judge that by them. */
static int try_turn(struct ink *k, enum turn turn, struct looks *l, struct err *e)
{
    if (glyphs_measure(&k->glyphs, &k->map, &k->parts, turn, e) || find_glyphs(k, turn, e) ||
        sift_odd(k, turn, e))
        return -1;
    return judge_turn(k, turn, l, e);
}

/* Keep the ink as it is, to come back to when a turn was tried: what touches is then cut. */
static int save_ink(struct ink *k, struct err *e)
{
    size_t size = (size_t)k->map.width * k->map.height;
    uint8_t *saved = grow(k->saved, size, &k->saved_room, 1, e);
    if (!saved)
        return -1;
    k->saved = saved;
    memcpy(saved, k->map.ink, size);
    return 0;
}

static int undo_turn(struct ink *k, struct err *e)
{
    memcpy(k->map.ink, k->saved, (size_t)k->map.width * k->map.height);
    return ink_find_parts(k, e);
}

/* Find the glyphs, and which way the page lies: as most of its ink looks like digits. */
static int find_turn(struct ink *k, enum turn *turn, struct err *e)
{
    struct looks l[TURNS];
    *turn = TURN_NONE;
    k->likely = 0;
    if (save_ink(k, e) || try_turn(k, TURN_NONE, &l[TURN_NONE], e))
        return -1;
    k->likely = l[TURN_NONE].digits;
    if (l[TURN_NONE].upright > SURELY * l[TURN_NONE].ink)
        return 0;
    for (enum turn t = TURN_RIGHT; t < TURNS; t++)
        if (undo_turn(k, e) || try_turn(k, t, &l[t], e))
            return -1;
    enum turn side = l[TURN_LEFT].upright > l[TURN_RIGHT].upright ? TURN_LEFT : TURN_RIGHT;
    if (l[side].upright > TURNED * l[TURN_NONE].upright && l[side].digits > FEWEST)
        *turn = side;
    k->likely = l[*turn].digits;
    if (*turn == TURN_LEFT) /* the last that was tried */
        return 0;
    return undo_turn(k, e) ? -1 : try_turn(k, *turn, &l[*turn], e);
}

static bool is_in(struct box g, struct box box)
{
    int x = (g.x0 + g.x1) / 2, y = (g.y0 + g.y1) / 2;
    return x >= box.x0 && x < box.x1 && y >= box.y0 && y < box.y1;
}

/* Of a form in whose cells there are glyphs enough the others are its print. */
static void leave_out_print(struct ink *k, enum turn turn)
{
    struct glyphs *s = &k->glyphs;
    int inside = 0, n = 0;
    if (k->grid.x0 > k->grid.x1)
        return;
    struct box box = upright(&k->map, k->grid, turn);
    for (int i = 0; i < s->n; i++)
        inside += is_in(s->glyph[i].box, box);
    if ((float)inside < FILLED * (float)s->n)
        return;
    for (int i = 0; i < s->n; i++)
        if (is_in(s->glyph[i].box, box))
            s->glyph[n++] = s->glyph[i];
    s->n = n;
}

int ink_find_page(struct ink *k, struct err *e)
{
    enum turn turn = TURN_NONE;
    struct glyphs *s = &k->glyphs;
    if (find_turn(k, &turn, e))
        return -1;
    leave_out_print(k, turn);
    if (reading_order(s->glyph, s->n, s->height, e))
        return -1;
    for (int i = 0; i < s->n; i++) {
        struct ink_digit *d = ink_new_digit(k, e);
        if (!d || ink_make_digit(k, s->glyph[i].id, turn, d, e))
            return -1;
        d->line = s->glyph[i].line;
        d->word = s->glyph[i].word;
    }
    k->seen = s->n;
    return 0;
}
