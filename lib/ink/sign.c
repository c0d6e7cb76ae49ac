/* Signs, between the cutting of digits and their order.
 *
 * Input: candidates whose boxes are those of their ink. Output: the same, with the sign that each is by how far it
 * reaches among the digits beside it, where that tells more than its shape: a slash from a 1, a comma from a
 * point, a colon from whatever it was taken for. The measures are those of how people are taught to write them. */
#include <math.h>

#include "steps.h"

/* A slash is at least so many times as high as the digits beside it, */
#define MIN_SLASH_HEIGHT 1.05f
/* and reaches at least this part of their height below both; or the finder is at least so sure of it. */
#define MIN_SLASH_BELOW 0.06f
#define MIN_SLASH_SURE 0.5f
/* A comma is at least so many times as high as wide, and reaches at least this part of their height below them. */
#define MIN_COMMA 1.3f
#define MIN_COMMA_BELOW 0.115f
/* What is no larger than this part of their height, and no sign, is a speck. */
#define MAX_SPECK 0.35f
/* Points, commas and pairs are at most this part of their height high; */
#define MAX_LOW 0.5f
#define MAX_PAIR 0.85f
/* a colon is at least this part, and an equals sign this. */
#define MIN_COLON 0.35f
#define MIN_EQUALS 0.2f
/* A sign that was overlooked has room of at least this part of their height, and this much below their feet, */
#define MIN_PLACE 0.1f
#define MAX_BELOW 0.3f
/* and as a point is at most this part of it wide; */
#define MAX_POINT 0.3f
/* what has at least this part of its height is a 1 or a slash, at most so many times as wide as high. */
#define MIN_TALL 0.5f
#define MAX_SLASH 0.7f
/* No sign but a slash is higher than this part of the digits. */
#define MAX_HIGH 0.85f
/* A minus is at most this part of its width high, a plus is more. */
#define MAX_FLAT 0.5f
/* A minus or a plus is at least this part of the digits' height wide, */
#define MIN_DASH 0.2f
/* and its middle is at most this part of it off theirs. */
#define MAX_OFF 0.25f
/* The ink of a plus is at least so far from all corners of its box, the sides counted as 1; that of a circle is not. */
#define MIN_PLUS 0.33f
/* A slash leans: it is at least this part of its height wide, and of the four corners of its box two are so near to
 * it, the sides counted as 1, and two so far. */
#define MIN_LEAN 0.25f
#define MAX_ALONG 0.3f
#define MIN_ACROSS 0.5f
/* A row of a frame has ink when a pixel is at least so bright; this many rows without part a pair. */
#define MIN_INK 48
#define MIN_GAP 2
/* The smaller of a pair has at least this part of the larger one's ink. */
#define MIN_ALIKE 0.4f

/* The digits beside a sign, or the one that there is: the mean of their heights and feet, and the lowest foot. */
struct beside {
    int count;
    float height, foot, lowest;
};

/* Is it what signs stand beside? */
static bool is_tall(const struct candidate *c)
{
    return !ink_sign(c->class) || c->class == INK_SLASH;
}

/* The nearest on that side (-1: left, 1: right), no further than it is high; NULL when there is none. */
static const struct candidate *neighbour(const struct candidate *c, int n, int sign, int side)
{
    const struct candidate *s = &c[sign], *best = NULL;
    float middle = s->x + s->w / 2, least = INFINITY;
    for (int i = 0; i < n; i++) {
        float away = (float)side * (c[i].x + c[i].w / 2 - middle);
        float off = s->y + s->h / 2 - c[i].y - c[i].h / 2;
        float gap = side > 0 ? c[i].x - s->x - s->w : s->x - c[i].x - c[i].w;
        if (i != sign && is_tall(&c[i]) && away > 0 && away < least && gap < c[i].h && fabsf(off) < 0.8f * c[i].h) {
            least = away;
            best = &c[i];
        }
    }
    return best;
}

static struct beside look_beside(const struct candidate *c, int n, int sign)
{
    struct beside b = {0, 0, 0, 0};
    for (int side = -1; side <= 1; side += 2) {
        const struct candidate *d = neighbour(c, n, sign, side);
        if (!d)
            continue;
        b.count++;
        b.height += d->h;
        b.foot += d->y + d->h;
        b.lowest = fmaxf(b.lowest, d->y + d->h);
    }
    b.height /= fmaxf(1, (float)b.count);
    b.foot /= fmaxf(1, (float)b.count);
    return b;
}

/* Are there two things of about one size, one above the other, as in no digit? */
static bool is_pair(const uint8_t *pixels)
{
    int part[2] = {0, 0}, empty = 0, parts = 0; /* the ink of the two; rows without since the last */
    for (int y = 0; y < DIGIT_SIDE; y++) {
        int most = 0, sum = 0;
        for (int x = 0; x < DIGIT_SIDE; x++) {
            most = max_int(most, pixels[y * DIGIT_SIDE + x]);
            sum += pixels[y * DIGIT_SIDE + x];
        }
        if (most < MIN_INK) {
            empty++;
            continue;
        }
        parts += !parts || empty >= MIN_GAP;
        if (parts > 2)
            return false;
        part[parts - 1] += sum;
        empty = 0;
    }
    return min_int(part[0], part[1]) > MIN_ALIKE * (float)max_int(part[0], part[1]);
}

/* Is it one stroke from its lower left to its upper right corner? */
static bool leans(const struct candidate *c, const uint8_t *pixels)
{
    float along = fmaxf(frame_corner(pixels, false, true), frame_corner(pixels, true, false));
    float across = fminf(frame_corner(pixels, false, false), frame_corner(pixels, true, true));
    return c->w >= MIN_LEAN * c->h && along <= MAX_ALONG && across >= MIN_ACROSS;
}

/* Is it flat, at half the height of the digits? */
static bool is_dash(const struct candidate *c, struct beside b)
{
    float off = c->y + c->h / 2 - (b.foot - b.height / 2);
    return c->h <= MAX_FLAT * c->w && c->w >= MIN_DASH * b.height && fabsf(off) < MAX_OFF * b.height;
}

/* Is there ink in the middle, and none toward the corners, as in no digit? */
static bool is_plus(const uint8_t *pixels)
{
    float least = 2;
    for (int corner = 0; corner < 4; corner++)
        least = fminf(least, frame_corner(pixels, corner & 1, corner & 2));
    return least >= MIN_PLUS && pixels[DIGIT_PIXELS / 2 + DIGIT_SIDE / 2] >= MIN_INK;
}

/* What class candidate c is, of digits beside it. */
static int settle(const struct candidate *c, const uint8_t *pixels, struct beside b)
{
    float h = c->h / b.height, below = c->y + c->h - b.foot;
    bool narrow = c->w < 0.7f * c->h, low = h < MAX_LOW && b.foot - c->y < MAX_LOW * b.height;
    if (h > (narrow ? MIN_COLON : MIN_EQUALS) && h < MAX_PAIR && is_pair(pixels))
        return narrow ? INK_COLON : INK_EQUALS;
    if (is_dash(c, b))
        return INK_MINUS;
    bool tiny = fmaxf(c->w, c->h) < MIN_DASH * b.height;
    bool spot = c->class == 1 || (ink_sign(c->class) && (tiny || (c->class != INK_MINUS && c->class != INK_PLUS)));
    if (low && (spot || (narrow && c->class < INK_SIGN)))
        return below >= MIN_COMMA_BELOW * b.height && c->h >= MIN_COMMA * c->w ? INK_COMMA : INK_POINT;
    if (spot && tiny)
        return INK_POINT;
    if (c->class == INK_MINUS || c->class == INK_PLUS)
        return h > MAX_HIGH ? 4 : c->h > MAX_FLAT * c->w ? INK_PLUS : INK_MINUS;
    if (c->class == INK_OTHER && h <= MAX_HIGH && is_plus(pixels))
        return INK_PLUS;
    bool reaches = h >= MIN_SLASH_HEIGHT && c->y + c->h - b.lowest >= MIN_SLASH_BELOW * b.height;
    if (c->class == INK_SLASH && !reaches && (c->sure < MIN_SLASH_SURE || b.count < 2))
        return 1;
    bool stroke = (c->class == 1 || c->class == INK_OTHER) && leans(c, pixels);
    return reaches && b.count == 2 && stroke ? INK_SLASH : c->class;
}

/* Put those first that have a score. */
static int drop_scoreless(struct candidate *c, int n)
{
    int left = 0;
    for (int i = 0; i < n; i++)
        if (c[i].score > 0)
            c[left++] = c[i];
    return left;
}

int sign_drop_specks(struct candidate *c, int n)
{
    for (int i = 0; i < n; i++) {
        struct beside b = look_beside(c, n, i);
        c[i].score = !ink_sign(c[i].class) && b.count && fmaxf(c[i].w, c[i].h) <= MAX_SPECK * b.height ? 0 : c[i].score;
    }
    return drop_scoreless(c, n);
}

/* Is it a point or a comma that stands with a larger sign between the same two digits? */
static bool is_crumb(const struct candidate *c, int n, int i)
{
    const struct candidate *left = neighbour(c, n, i, -1), *right = neighbour(c, n, i, 1);
    if ((c[i].class != INK_POINT && c[i].class != INK_COMMA) || !left || !right)
        return false;
    for (int k = 0; k < n; k++)
        if (ink_sign(c[k].class) && c[k].class != INK_SLASH && c[k].w * c[k].h > c[i].w * c[i].h &&
            neighbour(c, n, k, -1) == left && neighbour(c, n, k, 1) == right)
            return true;
    return false;
}

int sign_drop_crumbs(struct candidate *c, int n)
{
    for (int i = 0; i < n; i++)
        c[i].score = is_crumb(c, n, i) ? 0 : c[i].score;
    return drop_scoreless(c, n);
}

int sign_place(const struct candidate *c, int n, int i, struct box *place)
{
    const struct candidate *left = &c[i], *right = is_tall(left) ? neighbour(c, n, i, 1) : NULL;
    if (!right)
        return -1;
    float h = (left->h + right->h) / 2, x0 = left->x + left->w, x1 = right->x;
    if (x1 - x0 < MIN_PLACE * h)
        return -1;
    int signs = 0;
    float top = fmaxf(left->y, right->y), foot = fmaxf(left->y + left->h, right->y + right->h);
    for (int k = 0; k < n; k++)
        if (c[k].x < x1 && c[k].x + c[k].w > x0 && c[k].y < foot + MAX_BELOW * h && c[k].y + c[k].h > top &&
            &c[k] != left && &c[k] != right && (signs++, !ink_sign(c[k].class)))
            return -1;
    *place = (struct box){(int)ceilf(x0), (int)top, (int)x1, (int)(foot + MAX_BELOW * h)};
    return signs;
}

bool sign_overlooked(struct candidate *c, struct box place, int signs)
{
    float height = (float)box_height(place), top = (float)place.y0;
    if (c->class == INK_COLON || c->class == INK_EQUALS)
        return true;
    if (signs)
        return false;
    if (2 * c->y >= top + (float)place.y1)
        return c->w <= MAX_POINT * height;
    if (c->h >= MIN_TALL * height && c->w <= MAX_SLASH * c->h)
        c->class = 1;
    return c->class != INK_POINT;
}

int sign_class(const struct candidate *c, int n, int i, const uint8_t *pixels)
{
    struct beside b = look_beside(c, n, i);
    return b.count ? settle(&c[i], pixels, b) : c[i].class;
}
