/* Local contrast (ink_local_contrast), the first step of the finder.
 *
 * Input: gray pixels. Output: a byte a pixel, 128 + 32 (pixel - mean) / deviation, where mean and
 * deviation are those of the window around the pixel, as far as that lies in the picture. Sums over
 * windows are differences of running sums, so that the work does not depend on the window's size
 * (box filtering, McDonnell, "Box-filtering techniques", 1981).
 * Single precision is the same everywhere: each operation is rounded as IEEE 754 says, and none are
 * fused. */
#include "ink.h"

#include <math.h>
#include <string.h>

/* A deviation below this, in gray levels, counts as this, so that a camera's noise on bare paper stays small. */
#define MIN_DEVIATION 6

enum { REACH = CONTRAST_WINDOW / 2 };

/* Of each column, over the rows of the window: sums of pixels and of their squares, [width]. Of each row
 * of these: running sums, which begin REACH + 1 columns before the picture and end REACH after it,
 * [width + CONTRAST_WINDOW]. Sums of squares may wrap around: their differences do not. */
struct sums {
    uint32_t *column, *column_squares, *run, *run_squares;
    int width;
};

/* Take a row into the sums, times being 1, or out of them, times being -1. */
static void add_row(const struct sums *s, const uint8_t *row, int times)
{
    uint32_t *restrict column = s->column, *restrict squares = s->column_squares;
    for (int x = 0; x < s->width; x++) {
        uint32_t v = row[x];
        column[x] += (uint32_t)times * v;
        squares[x] += (uint32_t)times * v * v;
    }
}

static void run_sums(const struct sums *s)
{
    uint32_t sum = 0, squares = 0;
    for (int x = 0; x < s->width + REACH; x++) {
        s->run[REACH + 1 + x] = sum += x < s->width ? s->column[x] : 0;
        s->run_squares[REACH + 1 + x] = squares += x < s->width ? s->column_squares[x] : 0;
    }
}

/* sum, squares: of `count` pixels around this one. */
static inline uint8_t contrast_of(uint8_t pixel, uint32_t sum, uint32_t squares, int count)
{
    float n = (float)count, all = (float)(int32_t)sum; /* exact */
    float variance = n * (float)(int32_t)squares - all * all, least = n * n * MIN_DEVIATION * MIN_DEVIATION;
    float deviation = sqrtf(variance > least ? variance : least);
    float level = CONTRAST_PAPER + 0.5f + (n * (float)pixel - all) * CONTRAST_STEP / deviation;
    level = level < 0 ? 0 : level;
    return (uint8_t)(int)(level > 255 ? 255 : level);
}

/* How many pixels of a line of n the window around one of them has. */
static inline int window_size(int at, int n)
{
    return (at + REACH < n ? at + REACH + 1 : n) - (at > REACH ? at - REACH : 0);
}

static void contrast_row(const struct sums *s, const uint8_t *row, int rows, uint8_t *restrict out)
{
    const uint32_t *run = s->run, *squares = s->run_squares;
    for (int x = 0; x < s->width; x++) {
        int end = x + CONTRAST_WINDOW;
        out[x] = contrast_of(row[x], run[end] - run[x], squares[end] - squares[x],
                             rows * window_size(x, s->width));
    }
}

void ink_local_contrast(const uint8_t *gray, int width, int height, uint8_t *contrast, uint32_t *scratch)
{
    size_t run = (size_t)width + CONTRAST_WINDOW;
    struct sums s = {scratch, scratch + width, scratch + 2 * (size_t)width, scratch + 2 * (size_t)width + run,
                     width};
    memset(scratch, 0, CONTRAST_SCRATCH(width) * sizeof *scratch);
    for (int y = 0; y < height && y < REACH; y++)
        add_row(&s, gray + (size_t)y * width, 1);
    for (int y = 0; y < height; y++) {
        if (y + REACH < height)
            add_row(&s, gray + (size_t)(y + REACH) * width, 1);
        if (y > REACH)
            add_row(&s, gray + (size_t)(y - REACH - 1) * width, -1);
        run_sums(&s);
        contrast_row(&s, gray + (size_t)y * width, window_size(y, height), contrast + (size_t)y * width);
    }
}
