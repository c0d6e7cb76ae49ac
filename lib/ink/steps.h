/* The steps from a picture to its digits, for the files of this room alone, in the order they are taken.
 * Functions that can fail return -1, or NULL, with what went wrong in *e. */
#ifndef INKPIPE_STEPS_H
#define INKPIPE_STEPS_H

#include "base/box.h"
#include "ink.h"

struct net;

/* A picture: w x h gray pixels, rows `stride` bytes apart. */
struct source {
    const uint8_t *gray;
    long stride;
    int w, h;
};

/* Writing is what has at least this score, 0..1. */
#define MIN_SCORE 0.34f
/* A sign of many digits has at least this score: they are so small that the finder is less sure of them. So has a
 * blot, which the finder has hardly learnt; and what may be the only digit is writing so probably: which digit, the
 * reader says. */
#define MIN_DOUBTFUL 0.29f

/* What the finder takes for writing. */
struct candidate {
    float x, y, w, h; /* its box in pixels of the picture: left, top, width, height */
    float score;      /* `written` times the root of `sure` */
    int class;
    float sure;       /* how probable its class is, 0..1 */
    int id, contrast; /* once it is cut: the digit it is cut into, and the contrast of its ink, 1..255 */
    float written;     /* how probable it is that writing is centred here, 0..1; */
    float digits;      /* and that what is written is a digit, */
    int digit;         /* most probably this one */
};

/* The pixels that a candidate's box touches. */
struct box candidate_box(const struct candidate *c);

/* The value that half of n candidates do not reach, each counted by its score and size; 0..2047. */
int weighted_median(const struct candidate *c, int n, float (*value)(const struct candidate *));

/* ---- pyramid.c: the picture at several sizes, each half the one before ---- */

struct level {
    uint8_t *gray; /* [height][width], the pyramid's */
    int width, height;
    double scale; /* pixels of the picture a side of one of its pixels */
};

enum { MAX_LEVELS = 12 }; /* from the largest picture to the smallest */
struct pyramid {
    struct level level[MAX_LEVELS]; /* the largest first */
    int levels;
    uint8_t *gray; /* owned */
    size_t room;
};

/* The means of k x k pixels each of a part of s into out [ceil(height / k)][ceil(width / k)]; at its right and
 * lower edge of fewer. */
void reduce(const struct source *s, struct box part, int k, uint8_t *out);

/* Make the levels of a picture. The first is reduced by a whole number so that its longest side is at most `side`, or
 * enlarged when it is tiny; the last one's is 28 to 55. */
int pyramid_make(struct pyramid *p, const struct source *s, int side, struct err *e);
void pyramid_free(struct pyramid *p);

/* ---- map.c: networks that end in boxes, from their map to candidates ---- */

/* A cell of a map is so many pixels wide and high. */
#define MAP_STRIDE 4

struct map_net {
    struct net *net; /* owned */
    float input[256]; /* what it reads for a level */
    int classes;
    int class[INK_CLASSES]; /* what a candidate holds by the network's own order */
};

/* Load it from a file. map_net_free also after a failure. */
int map_net_load(struct map_net *m, const char *file, struct err *e);
void map_net_free(struct map_net *m);

/* A copy of the network that reads width x height pixels, and how many values its map has; NULL when it is no finder,
 * too. */
struct net *map_net_for(const struct map_net *m, int width, int height, struct err *e);
size_t map_values(const struct map_net *m, int width, int height);

/* What cell x, y of a map of width x height cells tells of, in pixels of the network's input. */
struct candidate map_candidate(const struct map_net *m, const float *map, int width, int height, int x, int y);

/* Is it so probable that digits are written there that it is left to the reader, who refuses what is none? */
bool candidate_is_digit(const struct candidate *c);

/* What a network reads for each level of a pixel, by its own words or else (level - mean) * scale. */
int net_read_scaling(const struct net *net, double scale, double mean, float input[256], struct err *e);

/* ---- finder.c: the network, from a picture to candidates ---- */

/* The networks that look again, and that tell which way up pages lie, or NULL. */
const struct refiner *ink_finder_refiner(const struct ink_finder *f);
const struct turner *ink_finder_turner(const struct ink_finder *f);

/* The workspace of a search through one picture after another, by one thread. `finder` must outlive it. */
struct search;
struct search *search_new(const struct ink_finder *finder, struct err *e);
void search_free(struct search *s);

/* Look for writing in the picture, reduced so that its longest side is at most `side`. Candidates whose score
 * is at least `least`, on all levels of the pyramid, in no order, are the search's until the next call.
 * Returns how many they are. */
int search_run(struct search *s, const struct source *picture, int side, float least, struct candidate **found,
               struct err *e);

/* The pyramid of the last picture, the search's until the next. */
const struct pyramid *search_pyramid(const struct search *s);

/* ---- refine.c: the second look ---- */

/* The network, read only, as ink_finder is. */
struct refiner;
struct refiner *refiner_load(const char *file, struct err *e);
void refiner_free(struct refiner *r);

/* The workspace of one thread. `refiner` must outlive it. */
struct refine;
struct refine *refine_new(const struct refiner *refiner, struct err *e);
void refine_free(struct refine *r);

/* The view of a candidate. */
void take_view(const struct pyramid *p, const struct candidate *c, struct ink_view *view);

/* Look again at n candidates of the pyramid's picture, but not at signs nor at what is sure. Those where writing is at
 * least so probable are put first. Returns how many they are. */
int refine(struct refine *r, const struct pyramid *p, struct candidate *c, int n, float least);

/* ---- suppress.c: what tells of one thing twice, or of a part of one ---- */

/* Put the candidates that are to stay first, and return how many; the order is lost. */
int suppress(struct candidate *c, int n);

/* Put those of all that were seen, `count`, after the n that stay which may be blots on digits: the finder is not sure
 * of them, or they touch a digit. Their score is MIN_DOUBTFUL. Returns how many there are then. */
int suppress_blots(struct candidate *c, int n, const struct candidate *seen, int count);

/* The same, but only those go whose box is nearly another's. */
int suppress_same(struct candidate *c, int n);

/* The same, but only those go that are inside of other writing, as pieces of a blot or of a cross are. */
int suppress_parts(struct candidate *c, int n);

/* ---- sign.c: which sign it is ---- */

enum { INK_POINT = INK_SIGN, INK_COMMA, INK_MINUS, INK_SLASH, INK_COLON, INK_PLUS, INK_EQUALS };

/* The class of candidate i of n, all cut, i into these pixels [28][28]: of a sign, and what may be one, by the
 * digits beside it, of any other as it was. */
int sign_class(const struct candidate *c, int n, int i, const uint8_t *pixels);

/* Put those of n candidates, all cut, first that are no specks beside digits, and return how many. */
int sign_drop_specks(struct candidate *c, int n);

/* The same, that are no crumbs beside signs, whose classes are settled. */
int sign_drop_crumbs(struct candidate *c, int n);

/* The place between digit i and the one on its right, where a sign or a 1 may be that the finder has not seen, or not
 * whole. Returns how many signs are there; -1 when there is no such digit, no room, or something else. */
int sign_place(const struct candidate *c, int n, int i, struct box *place);

/* Is candidate *c, by itself in the place, of so many signs, one that was overlooked? Sets the class of what has none
 * by the digits beside it. */
bool sign_overlooked(struct candidate *c, struct box place, int signs);

/* ---- upright.c: which way up a page lies ---- */

/* The network that tells it, read only, as ink_finder is. */
struct turner;
struct turner *turner_load(const char *file, struct err *e);
void turner_free(struct turner *t);

/* The workspace of one thread. `turner` must outlive it. */
struct upright;
struct upright *upright_new(const struct turner *turner, struct err *e);
void upright_free(struct upright *u);

/* How probable each way is that a page may lie: the logarithms, by the quarter turns clockwise that make it
 * upright. */
struct evidence {
    float way[4];
    int asked; /* digits */
};

/* Ask the n candidates that were cut into cut[id]. */
struct evidence upright_ask(struct upright *u, const struct candidate *c, int n, const struct ink_digit *cut);

/* How much more probable upright is than any other way; whether it is plainly so, and
 * at least by `least`; the most probable way, by its turns,
 * of those whose bits are not set. */
float upright_margin(const struct evidence *e);
bool upright_is_plain(const struct evidence *e, float least);
int upright_guess(const struct evidence *e, unsigned tried);

/* Turn *s by so many quarters clockwise: it becomes a picture that u owns until the next call. */
int upright_turn(struct upright *u, int turns, struct source *s, struct err *e);

/* A box of the turned picture as it lies in the picture of w x h that it was made of. */
struct box upright_back(struct box b, int turns, int w, int h);

/* ---- cut.c: from a box to the ink of its digit ---- */

struct cutter;
struct cutter *cutter_new(struct err *e);
void cutter_free(struct cutter *c);

/* How much darker (above 0) or lighter (below) than its surroundings what stands in the box is, -1..1. */
float cut_polarity(struct cutter *c, const struct source *s, struct box box);

/* What is cut as a sign stands by itself; it and what is cut as a blot may fill their boxes. */
enum cut_as { CUT_DIGIT, CUT_SIGN, CUT_BLOT };

/* Cut the digit in `box` out of the picture, dark ink or light. other: the boxes of n other digits, whose ink
 * is not this one's. Fills pixels [28][28] and makes *box that of the ink. Returns the ink's contrast to the paper,
 * 1..255; 0 when there is no ink. */
int cut_digit(struct cutter *c, const struct source *s, bool light, const struct box *other, int n, enum cut_as what,
              struct box *box, uint8_t *pixels);

/* Whether lines crossed the surroundings of the last digit; whether there was a blot in its box. */
bool cut_was_ruled(const struct cutter *c);
bool cut_was_blotted(const struct cutter *c);

/* Is the ink of what was cut last, which is no digit, a wall between digits: a bar that ended on a line? */
bool cut_is_wall(const struct cutter *c);

/* The boxes in the picture of the connected pieces of the last digit's ink, the largest first, at most so many.
 * Returns how many they are. */
int cut_pieces(struct cutter *c, struct box *piece, int most);

/* ---- pieces.c: what the ink in a box is made of ---- */

/* Set the pixels of mask [h][w] that are connected with pixel `at`, of its value and beside each other (corners: or
 * by a corner), to `to`, another value, and list them. Returns how many they are. */
int take_region(uint8_t *mask, int w, int h, int at, uint8_t to, bool corners, uint16_t *list);

/* How far the ink of a frame is from a corner of its box (right, low: which), the sides counted as 1. */
float frame_corner(const uint8_t *pixels, bool right, bool low);

/* Is a frame's ink in all four corners of its box, as a cross is and no digit? */
bool is_crossed_out(const uint8_t *pixels);

/* What stands by itself in a candidate's box. */
struct thing {
    struct box box;
    int class;
};
enum { MAX_THINGS = 4 };

/* Part what the finder takes for one thing of that class, but whose n pieces, the largest first, stand beside each
 * other: strokes, and signs beside a digit, which is left without them. Fills thing [MAX_THINGS] and returns how
 * many they are; 0 when it is one as it is. */
int part_pieces(const struct box *piece, int n, int class, struct thing *thing);

/* ---- normalise.c (normalise is in ink.h) ---- */

/* True when pixels [28][28] is normalised already, as every frame of MNIST and everything normalise has made
 * is: 19 or 20 pixels long, centred, strokes not too thin. Then *box is that of its ink. */
bool is_normalised(const uint8_t *pixels, struct box *box);

/* The box of the pixels [h][w] that are at least so bright, or BOX_NONE. */
struct box box_of(const uint8_t *p, int w, int h, int least);

/* Mean width of the strokes in a gray picture [h][w]: twice its ink over its total variation, which for ink
 * with sharp edges is twice area over perimeter. 0 when there is no ink. */
float stroke_width(const uint8_t *gray, int w, int h);

/* ---- reading.c: reading order ---- */

/* What is to be put in order. */
struct glyph {
    struct box box; /* upright */
    int id;         /* the caller's */
    int line, word; /* both from 0 through the page */
};

/* Put n glyphs of a page into reading order, `height` being that of its usual digit, and set their line and
 * word. Returns 0 or -1. */
int reading_order(struct glyph *g, int n, float height, struct err *e);

#endif
