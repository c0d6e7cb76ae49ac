/* The steps of finding digits, for ink.c, ink_page.c and ink_doubt.c alone. Functions that can fail return
 * -1, or NULL, with what went wrong in *e. */
#ifndef INKPIPE_INK_STEPS_H
#define INKPIPE_INK_STEPS_H

#include "glyphs.h"
#include "ink.h"
#include "inkmap.h"
#include "mend.h"
#include "parts.h"
#include "rules.h"
#include "sheet.h"
#include "turn.h"

#define INK_FORM 8 /* lines and more are a form's or a ruled sheet's */

struct look;
struct ink {
    struct look *look; /* or NULL: by thresholds */
    struct inkmap map;
    struct inkmap first; /* the picture's as it was first looked at, kept while it is seen otherwise */
    struct parts parts;
    struct glyphs glyphs;
    struct mend mend;
    struct ink_digit *digit;
    int digits;
    size_t digit_room;
    uint8_t *cut; /* a digit's box cut out of the picture: ink 0 none .. 255 full */
    size_t cut_room;
    struct easel easel;
    uint8_t *saved; /* the map's ink before a turn is tried */
    size_t saved_room;
    int seen;
    float likely; /* of a page's digits, how many look like such and upright */
    bool many; /* digits are asked for */
    int lines; /* ruled or of a form, taken out of the picture */
    struct box grid; /* of a form's lines, or BOX_NONE; only where many are asked for */
    bool inverted; /* k->map.gray is */
    float polarity; /* of the picture, see inkmap.h */
    struct sheets sheets;
};

/* ---- ink.c ---- */

/* Room for one more digit, all zero; good until the next. */
struct ink_digit *ink_new_digit(struct ink *k, struct err *e);

/* The contrast that counts as full ink in glyph `id`: what an eighth of its ink exceeds. */
int ink_full(const struct ink *k, int id);

/* Join the pieces of glyph `id`, whose box that is, over its fainter ink: as mend does. */
int ink_mend(struct ink *k, int id, struct box box, float longest, float growth, struct err *e);

/* Cut glyph `id` out of the map into k->cut, by the mask of its parts and a pixel around it; *box: where
 * it lay. Trim: cut off the rim without ink. Turn: make the cut, w x h, from a page that lies so upright. */
int ink_cut_glyph(struct ink *k, int id, struct box *box, struct err *e);
void ink_trim(struct ink *k, struct box *box);
int ink_turn_cut(struct ink *k, int w, int h, enum turn turn, struct err *e);

/* Glyph `id` as the network wants it, its box in pixels of the source. */
int ink_make_digit(struct ink *k, int id, enum turn turn, struct ink_digit *d, struct err *e);

/* From k->map.gray to k->map.ink and its parts; of the sheet with that number alone, or -1. From the ink
 * on: lines and edges taken out. After the ink has changed: its parts anew. */
int ink_find_ink(struct ink *k, int sheet, struct err *e);
int ink_find_strokes(struct ink *k, struct err *e);
int ink_find_parts(struct ink *k, struct err *e);

/* The most prominent digit: k->digit[0], if k->digits. */
int ink_find_one(struct ink *k, struct err *e);

/* ---- ink_page.c: all digits of a page ---- */

int ink_find_page(struct ink *k, struct err *e);

/* ---- ink_many.c: all digits of a picture of pages ---- */

int ink_find_many(struct ink *k, const struct source *s, struct err *e);

/* ---- ink_doubt.c ---- */

/* A picture in which no digit was found, or what is hardly one, is looked at in other ways; the
 * likeliest digit is taken. */
int ink_find_otherwise(struct ink *k, const struct source *s, struct err *e);

#endif
