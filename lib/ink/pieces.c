/* What the ink in a box is made of, after cutting.
 *
 * Input: a mask of pixels. Output: its connected regions (flood fill); of the pieces of a candidate's ink, the things
 * that they are: the finder takes a slash and the 1 after it for one, or two 1s, or a digit and the colon before it,
 * whose pieces stand apart. */
#include <math.h>

#include "steps.h"

/* A pixel of a frame is ink when it is at least so bright, of 255. */
#define MIN_BRIGHT 100
/* Ink is in a corner when no more than this part of the sides is between: of 5,000 digits of MNIST none is so near to
 * all four, of crosses on digits nine in ten. */
#define MAX_CORNER 0.1f

/* A stroke that is a thing of its own is at least this part of all the ink high, */
#define MIN_STROKE 0.6f
/* and at most so many times its height wide, as a slash is. */
#define MAX_STROKE 0.7f
/* A sign beside a digit is at most so many times the digit's height wide. */
#define MAX_BESIDE 0.3f

int take_region(uint8_t *mask, int w, int h, int at, uint8_t to, bool corners, uint16_t *list)
{
    int n = 0, value = mask[at];
    mask[at] = to;
    list[n++] = (uint16_t)at;
    for (int i = 0; i < n; i++) {
        int x = list[i] % w, y = list[i] / w;
        struct box near = box_widen(box_at(x, y, 1, 1), 1, w, h);
        for (int j = near.y0; j < near.y1; j++)
            for (int k = near.x0; k < near.x1; k++)
                if (mask[j * w + k] == value && (corners || j == y || k == x)) {
                    mask[j * w + k] = to;
                    list[n++] = (uint16_t)(j * w + k);
                }
    }
    return n;
}

/* ---- A cross ---- */

float frame_corner(const uint8_t *pixels, bool right, bool low)
{
    struct box box = box_of(pixels, DIGIT_SIDE, DIGIT_SIDE, MIN_BRIGHT);
    float least = 2;
    for (int y = box.y0; y < box.y1; y++)
        for (int x = box.x0; x < box.x1; x++)
            if (pixels[y * DIGIT_SIDE + x] >= MIN_BRIGHT)
                least = fminf(least, (float)(right ? box.x1 - 1 - x : x - box.x0) / (float)box_width(box) +
                                         (float)(low ? box.y1 - 1 - y : y - box.y0) / (float)box_height(box));
    return least;
}

bool is_crossed_out(const uint8_t *pixels)
{
    struct box box = box_of(pixels, DIGIT_SIDE, DIGIT_SIDE, MIN_BRIGHT);
    int edge = 0; /* pixels of ink on the box's sides: a frame has it all around */
    if (box_empty(box))
        return false;
    for (int x = box.x0; x < box.x1; x++)
        edge += (pixels[box.y0 * DIGIT_SIDE + x] >= MIN_BRIGHT) + (pixels[(box.y1 - 1) * DIGIT_SIDE + x] >= MIN_BRIGHT);
    for (int y = box.y0; y < box.y1; y++)
        edge += (pixels[y * DIGIT_SIDE + box.x0] >= MIN_BRIGHT) + (pixels[y * DIGIT_SIDE + box.x1 - 1] >= MIN_BRIGHT);
    /* A 1 has no corners of its own. */
    bool all = 2 * box_width(box) > box_height(box) && edge < box_width(box) + box_height(box);
    for (int corner = 0; all && corner < 4; corner++)
        all = frame_corner(pixels, corner & 1, corner & 2) <= MAX_CORNER;
    return all;
}

/* ---- A digit with signs beside it ---- */

/* Is the piece beside the digit, on that side of it (-1: left, 1: right), and as narrow as a sign? */
static bool is_beside(struct box piece, struct box digit, int side)
{
    bool apart = side < 0 ? piece.x1 <= digit.x0 : piece.x0 >= digit.x1;
    return apart && (float)box_width(piece) <= MAX_BESIDE * (float)box_height(digit);
}

/* The box of a digit, the largest piece, without what is beside it on one side: a pair, or something low. */
static struct box without_signs(const struct box *piece, int n)
{
    struct box all = piece[0];
    for (int side = -1; side <= 1; side += 2) {
        struct box digit = piece[0], sign = BOX_NONE;
        int count = 0;
        for (int i = 1; i < n; i++)
            if (is_beside(piece[i], piece[0], side)) {
                sign = box_join(sign, piece[i]);
                count++;
            } else {
                digit = box_join(digit, piece[i]);
            }
        if (count == 2 || (count == 1 && 2 * sign.y0 >= piece[0].y0 + piece[0].y1))
            return digit;
        all = box_join(all, box_join(digit, sign));
    }
    return all;
}

/* ---- Strokes beside each other ---- */

static bool is_stroke(struct box piece, int height)
{
    return (float)box_height(piece) >= MIN_STROKE * (float)height &&
           (float)box_width(piece) <= MAX_STROKE * (float)box_height(piece);
}

/* Strokes become things, the tallest of those taken for a slash that; what else there is becomes the last one. */
static int part_strokes(const struct box *piece, int n, int height, int class, struct thing *thing)
{
    int strokes = 0, tallest = 0;
    struct box rest = BOX_NONE;
    for (int i = 0; i < n; i++)
        if (strokes < MAX_THINGS - 1 && is_stroke(piece[i], height)) {
            thing[strokes] = (struct thing){piece[i], class == INK_OTHER ? class : 1};
            tallest = box_height(piece[i]) > box_height(thing[tallest].box) ? strokes : tallest;
            strokes++;
        } else {
            rest = box_join(rest, piece[i]);
        }
    if (class == INK_SLASH)
        thing[tallest].class = class;
    if (!box_empty(rest))
        thing[strokes++] = (struct thing){rest, class};
    return strokes;
}

int part_pieces(const struct box *piece, int n, int class, struct thing *thing)
{
    struct box all = BOX_NONE;
    int strokes = 0;
    for (int i = 0; i < n; i++)
        all = box_join(all, piece[i]);
    for (int i = 0; i < n; i++)
        strokes += is_stroke(piece[i], box_height(all));
    if (n < 2)
        return 0;
    if ((strokes > 1 || (strokes && ink_sign(class))) && (class == 1 || class >= INK_SIGN))
        return part_strokes(piece, n, box_height(all), class, thing);
    thing[0] = (struct thing){class < INK_SIGN ? without_signs(piece, n) : all, class};
    return box_width(thing[0].box) < box_width(all);
}
