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

/* CASE(n) for each number of pixels a tile may have: functions for each, whose loops are unrolled. */
#define WIDTHS_1(CASE) CASE(1)
#define WIDTHS_2(CASE) WIDTHS_1(CASE) CASE(2)
#define WIDTHS_4(CASE) WIDTHS_2(CASE) CASE(3) CASE(4)
#define WIDTHS_6(CASE) WIDTHS_4(CASE) CASE(5) CASE(6)
#define WIDTHS_14(CASE)                                                                            \
    WIDTHS_6(CASE) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#define WIDTHS(CASE) NAME(WIDTHS, PIXELS)(CASE)

#endif
