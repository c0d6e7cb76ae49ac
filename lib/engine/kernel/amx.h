/* What kernels for AMX share. The CPU's tiles are used alike by all: 0..3 hold sums of up to 16 pixels by
 * the 16 channels of a block, 4 and 5 the pixels, 6 and 7 weights; two by two they are multiplied. What
 * is summed over comes in words of four bytes (two bf16, four bytes), up to 16 a tile. */
#ifndef AMX_H
#define AMX_H

#include <immintrin.h>
#include <stdint.h>

#include "kernel.h"

/* As _tile_loadconfig reads it. */
struct tiles {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* The work of one call: `count` groups of `width` neighbouring pixels of a row. */
struct groups {
    int a_row, width, count; /* groups a row, pixels in one, groups in all */
    int steps, words;        /* of a run, and words in one */
};

/* Of `rows` rows of `pixels`; steps and words are left to say. */
static struct groups groups_of(int rows, int pixels)
{
    struct groups g;
    g.a_row = (pixels + 15) / 16;
    g.width = (pixels + g.a_row - 1) / g.a_row;
    g.count = g.a_row * rows;
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

/* The first pixel of group i in its row: the last group of a row may overlap the one before. */
static int group_pixel(const struct groups *g, int pixels, int i)
{
    int first = i % g->a_row * g->width, last = pixels - g->width;
    return first < last ? first : last;
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
