/* The room of ink: from gray pixels of any size to digits of 28x28 as MNIST makes them. */
#ifndef INKPIPE_INK_H
#define INKPIPE_INK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A cut-out digit made as MNIST makes its own: gray ink on black, scaled with its aspect kept into a 20x20 box,
 * the centre of mass brought to pixel (14, 14) of 28x28 by a whole-pixel shift; and strokes far from MNIST's
 * width brought toward it. */
#define DIGIT_SIDE 28
#define DIGIT_BOX 20
#define DIGIT_PIXELS (DIGIT_SIDE * DIGIT_SIDE)

/* Working memory of normalise: a digit is drawn EASEL_FINE times finer than it comes out, from a cut that is
 * made smaller first where it has more than EASEL_CUT pixels a side. */
#define EASEL_FINE 4
#define EASEL_SIDE (DIGIT_SIDE * EASEL_FINE)
#define EASEL_CUT 160
struct easel {
    float row[EASEL_CUT][EASEL_SIDE];        /* the cut, scaled across alone */
    uint8_t canvas[EASEL_SIDE * EASEL_SIDE]; /* the digit */
    uint8_t old[EASEL_SIDE * EASEL_SIDE];    /* as it was before the step at hand */
    uint8_t before[EASEL_SIDE * EASEL_SIDE]; /* as it was before it was thinned */
    uint8_t opened[EASEL_SIDE * EASEL_SIDE]; /* thinned, and widened again */
};

/* cut [h][w]: ink 0 none .. 255 full, used as scratch. Fills out [28][28]. */
void normalise(struct easel *e, uint8_t *cut, int w, int h, uint8_t *out);

/* What the finder takes a thing for: a digit 0..9, one of the signs that belong to numbers, or other writing. */
#define INK_SIGNS ".,-/:+="
enum { INK_SIGN = 10, INK_OTHER = INK_SIGN + sizeof INK_SIGNS - 1, INK_CLASSES };

/* The character of a class that is a sign, or 0. */
char ink_sign(int class);

struct ink_digit {
    int x, y, w, h;  /* its box in the source's pixels */
    int line, word;  /* place in reading order, from 0; both count through the frame */
    int class;       /* what the finder takes it for, or -1: it was not asked */
    uint8_t pixels[DIGIT_PIXELS]; /* white ink on black */
};

/* Local contrast, what the finder sees of a picture: each pixel is told by how much it differs from its
 * surroundings, measured in their deviation, so that light, shadow and paper say nothing. */
#define CONTRAST_WINDOW 41  /* pixels a side of the surroundings */
#define CONTRAST_PAPER 128  /* a pixel like its surroundings */
#define CONTRAST_STEP 32    /* levels from there for one deviation */

/* Words of scratch that a picture so wide takes. */
#define CONTRAST_SCRATCH(width) (4 * (size_t)(width) + 4 * CONTRAST_WINDOW)

/* Fill contrast [height][width] from gray [height][width]; the two may not overlap. Darker than the
 * surroundings is below CONTRAST_PAPER, lighter is above. All machines give the same bytes. */
void ink_local_contrast(const uint8_t *gray, int width, int height, uint8_t *contrast, uint32_t *scratch);

/* The network that finds digits, read only: any number of workspaces share it. Load it from an ONNX file;
 * NULL with a message when there is none, or it is another network. */
struct ink_finder;
struct ink_finder *ink_finder_load(const char *file, struct err *e);
void ink_finder_free(struct ink_finder *f);

/* The files, in the folder of a finder's, of the networks that are loaded with it where they are: one looks again at
 * what the finder saw, one tells which way up pages lie. Without, the finder alone counts, and pages are read as they
 * lie. */
enum ink_beside { INK_REFINER, INK_TURNER };
void ink_file_beside(const char *finder, enum ink_beside which, char *file, size_t size);

/* Workspace for pictures of any size, reused from one to the next; one thread at a time. */
struct ink;

/* Finds digits with `finder`, which must outlive the workspace. NULL when memory is short. */
struct ink *ink_new(const struct ink_finder *finder, struct err *e);
void ink_free(struct ink *k);

/* Find the digit (many: all digits, in reading order) in `gray`, w x h pixels (1..16384 a side),
 * rows `stride` bytes apart. Returns how many there are, and *digits points to them until the next
 * call; 0 when there is none; -1 when memory is short. */
int ink_find(struct ink *k, const uint8_t *gray, long stride, int w, int h, bool many,
             struct ink_digit **digits, struct err *e);

/* What the network that looks again reads of a box in a picture: the box with its surroundings, always of one size,
 * as levels of contrast (above). */
#define INK_VIEW 40
struct ink_box {
    float x, y, w, h; /* pixels of the picture */
    float score;
};
struct ink_view {
    float x, y, step; /* its left and upper edge, and the side of one of its pixels, in pixels of the picture */
    uint8_t level[INK_VIEW * INK_VIEW];
};

/* For what teaches that network: fill *box with what the finder alone takes for writing that is no sign, at least so
 * probably (`least`, 0..1), until the next call. Returns how many they are; -1 when memory is short. */
int ink_search(struct ink *k, const uint8_t *gray, int w, int h, float least, const struct ink_box **box,
               struct err *e);

/* The view of a box in the picture that was searched last. */
void ink_view(const struct ink *k, const struct ink_box *box, struct ink_view *view);

/* Draw the picture gray [height][width] into rgb [height][width][3], with the boxes of what the finder saw last,
 * in that part of it that begins at x, y: digits green, signs blue, other writing red, the brighter the surer. */
void ink_draw_sight(const struct ink *k, const uint8_t *gray, int width, int height, int x, int y, uint8_t *rgb);

/* How many digits the finder saw in the last picture, whether asked for or not. */
int ink_seen(const struct ink *k);

#endif
