/* The bf16 kernels of one level; see bf16.h. The Makefile gives LEVEL, the level's name. */
#include "bf16.h"
#include "level.h"

#include <string.h>

#ifdef __AVX512BF16__
#include <immintrin.h>
#define VW 16     /* floats in a vector */
#define VECTORS 2 /* of output channels in a tile */
#define PIXELS 8
#else
#define VW 4
#define VECTORS 4
#define PIXELS 1
#endif

#define PAIR_BLOCK (2 * BLOCK) /* bf16 in a block of pairs */

typedef float vf __attribute__((vector_size(VW * 4), LOOSELY(4)));
typedef uint32_t vu __attribute__((vector_size(VW * 4), LOOSELY(2)));
typedef vf vf_at __attribute__((aligned(4), may_alias));
typedef vu vu_at __attribute__((aligned(2), may_alias));

/* ---- Floats to bf16 ---- */

#ifndef __AVX512BF16__

/* The upper half of each float rounded; a NaN stays one. */
INLINE vu rounded(vf x)
{
    vu bits = (vu)x, nan = (vu)(x != x);
    bits += 0x7fff + (bits >> 16 & 1);
    return (bits & ~nan) | (nan & 0x7fc00000);
}

#endif

static void narrow(int rows, int pixels, const float *x, long x_row, bf16 *y, long y_row,
                   long y_pixel)
{
    for (int p = 0; p < rows; p++)
        for (int q = 0; q < pixels; q++) {
            const float *from = x + p * x_row + q * BLOCK;
            bf16 *to = y + p * y_row + q * y_pixel;
#ifdef __AVX512BF16__
            __m256i half = (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from));
            _mm256_storeu_si256((__m256i_u *)to, half);
#else
            for (int j = 0; j < BLOCK; j += VW) {
                vu bits = rounded(*(const vf_at *)(from + j)) >> 16;
                for (int k = 0; k < VW; k++)
                    to[j + k] = (bf16)bits[k];
            }
#endif
        }
}

/* Two pixels' channels side by side; x1 NULL: zeros. */

#ifdef __AVX512BF16__

INLINE void pair(const float *x0, const float *x1, bf16 *y)
{
    const __m512i order = (__m512i)(__v32hi){
        0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    __m512 second = x1 ? _mm512_loadu_ps(x1) : _mm512_setzero_ps();
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(second, _mm512_loadu_ps(x0));
    _mm512_storeu_si512(y, _mm512_permutexvar_epi16(order, both));
}

#else

INLINE void pair(const float *x0, const float *x1, bf16 *y)
{
    for (int j = 0; j < BLOCK; j += VW) {
        vu first = rounded(*(const vf_at *)(x0 + j)), second = {0};
        if (x1)
            second = rounded(*(const vf_at *)(x1 + j));
        const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
        vu low = little ? first : second, high = little ? second : first;
        *(vu_at *)(y + 2 * j) = low >> 16 | (high & 0xffff0000);
    }
}

#endif

static void pairs(int rows, int pixels, const float *x, long x_row, bf16 *y, long y_row)
{
    for (int p = 0; p < rows; p++) {
        const float *from = x + p * x_row;
        bf16 *to = y + p * y_row;
        int q = 0;
        for (; q + 2 <= pixels; q += 2, from += 2 * BLOCK, to += PAIR_BLOCK)
            pair(from, from + BLOCK, to);
        if (q < pixels)
            pair(from, NULL, to);
    }
}

/* ---- Turning ---- */

#ifdef __AVX512BF16__

/* 16 x 16 words: rows are paired, then pairs of rows, within the four quarters of a register; then
 * the quarters change places. */
INLINE void turn_words(const bf16 *x, bf16 *y, long y_row)
{
    __m512i a[16], b[16];
    UNROLL for (int i = 0; i < 16; i++) a[i] = _mm512_loadu_si512(x + i * PAIR_BLOCK);
    UNROLL for (int i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4) {
        a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
        a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
        a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
        a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        __m512i even0 = _mm512_shuffle_i32x4(a[i], a[i + 4], 0x88);
        __m512i odd0 = _mm512_shuffle_i32x4(a[i], a[i + 4], 0xdd);
        __m512i even1 = _mm512_shuffle_i32x4(a[i + 8], a[i + 12], 0x88);
        __m512i odd1 = _mm512_shuffle_i32x4(a[i + 8], a[i + 12], 0xdd);
        _mm512_storeu_si512(y + i * y_row, _mm512_shuffle_i32x4(even0, even1, 0x88));
        _mm512_storeu_si512(y + (i + 4) * y_row, _mm512_shuffle_i32x4(odd0, odd1, 0x88));
        _mm512_storeu_si512(y + (i + 8) * y_row, _mm512_shuffle_i32x4(even0, even1, 0xdd));
        _mm512_storeu_si512(y + (i + 12) * y_row, _mm512_shuffle_i32x4(odd0, odd1, 0xdd));
    }
}

#else

INLINE void turn_words(const bf16 *x, bf16 *y, long y_row)
{
    for (int c = 0; c < BLOCK; c++)
        for (int i = 0; i < BLOCK; i++)
            memcpy(y + c * y_row + 2 * i, x + i * PAIR_BLOCK + 2 * c, 2 * sizeof *y);
}

#endif

static void turn(int n, const bf16 *x, bf16 *y, long y_row)
{
    for (int i = 0; i < n; i += BLOCK)
        turn_words(x + (long)i * PAIR_BLOCK, y + 2L * i, y_row);
}

/* ---- Products: sum + the two halves of x (a pair in every lane) times those of w ---- */

#ifdef __AVX512BF16__

INLINE vf dot(vf sum, vu x, vu w)
{
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)w);
}

#else

INLINE vf dot(vf sum, vu x, vu w)
{
    sum += (vf)(x << 16) * (vf)(w << 16);
    return sum + (vf)(x & 0xffff0000) * (vf)(w & 0xffff0000);
}

#endif

static long w_block(const struct conv *v)
{
    return (long)v->runs * v->run * BLOCK;
}

/* The place of vector j of a tile in a tensor whose blocks are `block` apart and which has `size`
 * elements a channel. */
INLINE long at(int j, long block, int size)
{
    return j / PER_BLOCK * block + j % PER_BLOCK * VW * size;
}

INLINE vu pair_at(const bf16 *x)
{
    uint32_t word;
    memcpy(&word, x, sizeof word);
    return (vu){0} + word;
}

/* P pixels by N vectors of output channels from block b on; y is the first pixel's place there. */
INLINE void conv_tile(const struct conv *v, const bf16 *x, int b, float *y, const int P,
                      const int N)
{
    vf sum[PIXELS][VECTORS];
    long block = w_block(v);
    const bf16 *w = v->w16 + b * block;
    UNROLL for (int p = 0; p < P; p++)
        UNROLL for (int j = 0; j < N; j++) {
            const float *start = v->add ? y + p * BLOCK + at(j, v->y_block, 1)
                                        : v->bias + b * BLOCK + at(j, BLOCK, 1);
            sum[p][j] = v->add || v->bias ? *(const vf_at *)start : (vf){0};
        }
    for (int i = 0; i < v->runs; i++) {
        const bf16 *xi = x + v->offset[i];
        for (int c = 0; c < v->run / 2; c++, xi += 2, w += PAIR_BLOCK) {
            vu wj[VECTORS];
            UNROLL for (int j = 0; j < N; j++) wj[j] = *(const vu_at *)(w + at(j, block, 2));
            UNROLL for (int p = 0; p < P; p++) {
                vu xp = pair_at(xi + p * v->x_pixel);
                UNROLL for (int j = 0; j < N; j++) sum[p][j] = dot(sum[p][j], xp, wj[j]);
            }
        }
    }
    UNROLL for (int p = 0; p < P; p++)
        UNROLL for (int j = 0; j < N; j++) {
            vf s = sum[p][j];
            *(vf_at *)(y + p * BLOCK + at(j, v->y_block, 1)) = v->relu ? (vf)((vu)s & (vu)(s > 0)) : s;
        }
}

INLINE void conv_row(const struct conv *v, const bf16 *x, int b, float *y, const int N)
{
#define TILE(p, n) conv_tile(v, x + p * v->x_pixel, b, y + p * BLOCK, n, N)
    EACH_TILE(v->pixels, TILE)
#undef TILE
}

static void conv(const struct conv *v, const bf16 *x, float *y)
{
#define ROW(b, p, N) conv_row(v, x + p * v->x_row, b, y + b * v->y_block + p * v->y_row, N)
    EACH_ROW(v->blocks, v->rows, ROW)
#undef ROW
}

/* ---- Products in tiles of the CPU (AMX): the sums lie in them as in y ---- */

#if defined(__AMX_BF16__) || defined(__AMXBF16__) /* Clang before 17 */

#define MULTIPLY _tile_dpbf16ps
#include "amx.h"

static void rectify(float *y, int width)
{
    for (int p = 0; p < width; p++) {
        vf s = *(const vf_at *)(y + p * BLOCK);
        *(vf_at *)(y + p * BLOCK) = (vf)((vu)s & (vu)(s > 0));
    }
}

/* Groups i and, where `two`, i + 1; block b and, where `wide`, b + 1. */
INLINE void conv_groups(const struct conv *v, const struct groups *g, const bf16 *x, int b,
                        float *y, int i, const bool two, const bool wide)
{
    static const float nothing[2 * BLOCK];
    const void *const from[2] = {x + group_at(g, i, v->x_row, v->x_pixel),
                                 x + group_at(g, i + two, v->x_row, v->x_pixel)};
    float *y0 = y + b * v->y_block + group_at(g, i, v->y_row, BLOCK);
    float *y1 = y + b * v->y_block + group_at(g, i + two, v->y_row, BLOCK);
    float *const sum[4] = {y0, y1, y0 + v->y_block, y1 + v->y_block};
    const float *bias = v->bias ? v->bias + b * BLOCK : nothing;
    const long row = BLOCK * 4, start = v->add ? row : 0;
#define START(k) _tile_loadd(k, v->add ? sum[k] : bias + (k) / 2 * BLOCK, start)
#define STORE(k) _tile_stored(k, sum[k], row)
#define RECTIFY(k) rectify(sum[k], g->width)
    EACH_SUM(two, wide, START);
    multiply(g, from, v->x_pixel * 2, v->offset, sizeof *x, v->runs, (const char *)(v->w16 + b * w_block(v)),
             w_block(v) * 2, two, wide);
    EACH_SUM(two, wide, STORE);
    if (v->relu)
        EACH_SUM(two, wide, RECTIFY);
}

static void conv_tiles(const struct conv *v, const bf16 *x, float *y)
{
    if (v->rows * v->pixels < 4 || v->runs == 0) {
        conv(v, x, y); /* tiles would be nearly empty */
        return;
    }
    const struct groups g = groups_of(v->rows, v->pixels, v->run / 2);
    configure(&g);
    EACH_TWO(conv_groups, v, &g, x, y)
    _tile_release();
}

#define BEATS_WINOGRAD true

#else

#define conv_tiles conv
#define BEATS_WINOGRAD false

#endif

extern const struct kernels16 NAME(kernels16, LEVEL);
const struct kernels16 NAME(kernels16, LEVEL) = {
    .name = TEXT(LEVEL),
    .beats_winograd = BEATS_WINOGRAD,
    .conv = conv_tiles,
    .narrow = narrow,
    .pairs = pairs,
    .turn = turn,
};
