/* What kernels for AMX share. The CPU's tiles are used alike by all: 0..3 hold sums of up to 16 pixels by
 * the 16 channels of a block, 4 and 5 the pixels, 6 and 7 weights; two by two they are multiplied. What
 * is summed over comes in words of four bytes (two bf16, four bytes), up to 16 a tile. */
#ifndef AMX_H
#define AMX_H

#include <immintrin.h>
#include <stdint.h>

#include "kernel.h"
#include "level.h"

/* As _tile_loadconfig reads it. */
struct tiles {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* The work of one call: `count` groups of `width` neighbouring pixels of a row. */
struct groups {
    int pixels, a_row, width, count; /* pixels of a row, groups a row, pixels in one, groups in all */
    int steps, words;                /* of a run, and words in one */
};

/* Of `rows` rows of `pixels` and runs of `words`. */
static struct groups groups_of(int rows, int pixels, int words)
{
    struct groups g = {.pixels = pixels, .a_row = (pixels + 15) / 16, .steps = (words + 15) / 16};
    g.width = (pixels + g.a_row - 1) / g.a_row;
    g.count = g.a_row * rows;
    while (words % g.steps)
        g.steps++;
    g.words = words / g.steps;
    return g;
}

static void configure(const struct groups *g)
{
    struct tiles t = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        t.rows[i] = (uint8_t)(i < 6 ? g->width : g->words);
        t.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? g->words * 4 : BLOCK * 4);
    }
    __asm__ volatile("" : : "r"(&t) : "memory"); /* GCC 12 takes eight bytes of it for all */
    _tile_loadconfig(&t);
}

/* How far the first pixel of group i is from that of group 0, rows and pixels being so far apart: the last group
 * of a row may overlap the one before. */
static long group_at(const struct groups *g, int i, long row, long pixel)
{
    int first = i % g->a_row * g->width, last = g->pixels - g->width;
    return i / g->a_row * row + (first < last ? first : last) * pixel;
}

/* SUM(k) of each tile of sums in use: 0, of two groups 1, and of two blocks (wide) 2 and 3. */
#define EACH_SUM(two, wide, SUM)                                                                   \
    do {                                                                                           \
        SUM(0);                                                                                    \
        if (two)                                                                                   \
            SUM(1);                                                                                \
        if (wide)                                                                                  \
            SUM(2);                                                                                \
        if ((two) && (wide))                                                                       \
            SUM(3);                                                                                \
    } while (0)

/* Add to them the products of the groups at x[0] and x[1], whose pixels are x_pixel bytes apart, by the weights of a
 * block at w and of the next, w_block bytes behind: MULTIPLY is the instruction of the including source, `unit` the
 * bytes that its offsets count. */
INLINE void multiply(const struct groups *g, const void *const x[2], long x_pixel, const int *offset, long unit,
                     int runs, const char *w, long w_block, const bool two, const bool wide)
{
    const long row = BLOCK * 4, step = g->words * 4L;
    for (int r = 0; r < runs; r++)
        for (long at = offset[r] * unit, s = 0; s < g->steps; s++, at += step, w += step * BLOCK) {
            _tile_loadd(6, w, row);
            _tile_loadd(4, (const char *)x[0] + at, x_pixel);
            MULTIPLY(0, 4, 6);
            if (two) {
                _tile_loadd(5, (const char *)x[1] + at, x_pixel);
                MULTIPLY(1, 5, 6);
            }
            if (wide) {
                _tile_loadd(7, w + w_block, row);
                MULTIPLY(2, 4, 7);
                if (two)
                    MULTIPLY(3, 5, 7);
            }
        }
}

/* conv_groups of every two blocks and every two groups, or what is left of them: its last two arguments
 * say whether there are two groups and two blocks, as constants, for which it is compiled. */
#define EACH_TWO(conv_groups, v, g, x, y)                                  \
    for (int b = 0; b < (v)->blocks; b += 2) {                             \
        bool wide = b + 1 < (v)->blocks;                                   \
        for (int i = 0; i < (g)->count; i += 2) {                          \
            bool two = i + 1 < (g)->count;                                 \
            if (wide && two)                                               \
                conv_groups(v, g, x, b, y, i, true, true);                 \
            else if (wide)                                                 \
                conv_groups(v, g, x, b, y, i, false, true);                \
            else if (two)                                                  \
                conv_groups(v, g, x, b, y, i, true, false);                \
            else                                                           \
                conv_groups(v, g, x, b, y, i, false, false);               \
        }                                                                  \
    }

#endif
