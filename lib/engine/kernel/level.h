/* What the sources of kernels share: each is compiled once for every level, whose name the Makefile
 * gives as LEVEL. VW, the floats in a vector, and PIXELS, the most pixels of a tile, are the source's
 * own, chosen so that a tile's sums stay in registers. */
#ifndef LEVEL_H
#define LEVEL_H

#define NAME2(a, b) a##_##b
#define NAME(a, b) NAME2(a, b)
#define TEXT2(a) #a
#define TEXT(a) TEXT2(a)

/* How a vector's type is aligned that is an argument too: GCC 14 for aarch64 takes none there that is less
 * aligned than its size. What is anywhere in memory has a type of its own, NAME_at. */
#ifdef __aarch64__
#define LOOSELY(bytes) may_alias
#else
#define LOOSELY(bytes) may_alias, aligned(bytes)
#endif

#define PER_BLOCK (BLOCK / VW) /* vectors in a block */

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

#define GROUP (VECTORS / PER_BLOCK) /* blocks of output channels in a tile: 1 or 2 */

/* A row of `pixels` in tiles of nearly equal width: TILE(p, n) makes n of them, a constant, from p on, so that
 * its loops are unrolled. */
#define EACH_TILE(pixels, TILE)                                                                    \
    for (int tiles = ((pixels) + PIXELS - 1) / PIXELS, p = 0, n; tiles > 0; tiles--, p += n) {     \
        n = ((pixels) - p + tiles - 1) / tiles;                                                    \
        switch (n) {                                                                               \
            WIDTHS(TILE)                                                                           \
        }                                                                                          \
    }
#define WIDTHS(TILE) NAME(WIDTHS, PIXELS)(TILE)
#define WIDTH(TILE, n)                                                                             \
    case n:                                                                                        \
        TILE(p, n);                                                                                \
        break;
#define WIDTHS_1(TILE) WIDTH(TILE, 1)
#define WIDTHS_2(TILE) WIDTHS_1(TILE) WIDTH(TILE, 2)
#define WIDTHS_4(TILE) WIDTHS_2(TILE) WIDTH(TILE, 3) WIDTH(TILE, 4)
#define WIDTHS_6(TILE) WIDTHS_4(TILE) WIDTH(TILE, 5) WIDTH(TILE, 6)
#define WIDTHS_8(TILE) WIDTHS_6(TILE) WIDTH(TILE, 7) WIDTH(TILE, 8)
#define WIDTHS_14(TILE)                                                                            \
    WIDTHS_8(TILE) WIDTH(TILE, 9) WIDTH(TILE, 10) WIDTH(TILE, 11) WIDTH(TILE, 12) WIDTH(TILE, 13)  \
    WIDTH(TILE, 14)

/* ROW(b, p, N) for rows p of blocks b, GROUP blocks at once: N vectors of output channels, a constant. */
#define EACH_ROW(blocks, rows, ROW)                                                                \
    for (int b = 0; b < (blocks); b += GROUP)                                                      \
        for (int p = 0; p < (rows); p++)                                                           \
            if (GROUP == 1 || b + GROUP <= (blocks))                                                  \
                ROW(b, p, VECTORS);                                                                \
            else                                                                                   \
                ROW(b, p, PER_BLOCK);

#endif
