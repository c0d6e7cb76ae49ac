/* The int8 kernels of one level; see int8.h. The Makefile gives LEVEL, the level's name. */
#include "int8.h"
#include "level.h"

#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#endif

#if defined(__AVX512VNNI__)
#define VW 16     /* 32-bit sums in a vector */
#define VECTORS 2 /* of output channels in a tile */
#define PIXELS 14
#elif defined(__AVX2__)
#define VW 8
#define VECTORS 2
#ifdef __AVXVNNI__
#define PIXELS 6
#else
#define PIXELS 4
#endif
#elif defined(__ARM_FEATURE_DOTPROD)
#define VW 4
#define VECTORS 4
#define PIXELS 6
#elif defined(__SSE2__)
#define VW 4
#define VECTORS 4
#define PIXELS 2
#else
#define VW 4
#define VECTORS 4
#define PIXELS 1
#endif

#if defined(__AVX2__) && !defined(__AVXVNNI__) && !defined(__AVX512VNNI__)
#define NARROW 1 /* knowing that is of use */
#else
#define NARROW 0
#endif

typedef int32_t vi __attribute__((vector_size(VW * 4), LOOSELY(4)));
typedef float vf __attribute__((vector_size(VW * 4), LOOSELY(4)));
typedef vi vi_at __attribute__((aligned(4), may_alias));
typedef vf vf_at __attribute__((aligned(4), may_alias));
typedef int8_t vb __attribute__((vector_size(VW * 4), aligned(1), may_alias));
typedef uint8_t bytes __attribute__((vector_size(BLOCK), LOOSELY(1)));
typedef bytes bytes_at __attribute__((aligned(1), may_alias));

/* ---- The dot product: sum + x (a quad of bytes in every lane) * w, quad by quad ---- */

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)

INLINE vi dot(vi sum, vi x, vi w, bool narrow)
{
    (void)narrow;
#ifdef __AVX512VNNI__
    return (vi)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
#else
    return (vi)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, (__m256i)w);
#endif
}

#elif defined(__SSE2__)

typedef int16_t words __attribute__((vector_size(VW * 4), LOOSELY(4)));
typedef uint16_t uwords __attribute__((vector_size(VW * 4), LOOSELY(4)));

/* The sums of neighbouring products. */
INLINE vi sums_of_two(words a, words b)
{
#ifdef __AVX2__
    return (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
    return (vi)_mm_madd_epi16((__m128i)a, (__m128i)b);
#endif
}

/* The even and the odd bytes apart, in 16 bits each: vpmaddubsw, which takes them together, saturates
 * sums of two products, and is for weights that rule that out. */
INLINE vi dot(vi sum, vi x, vi w, bool narrow)
{
#ifdef __AVX2__
    if (narrow)
        return sum + sums_of_two((words)_mm256_maddubs_epi16((__m256i)x, (__m256i)w), (words){0} + 1);
#endif
    (void)narrow;
    sum += sums_of_two((words)x & 255, (words)w << 8 >> 8);
    return sum + sums_of_two((words)((uwords)x >> 8), (words)w >> 8);
}

#elif defined(__ARM_FEATURE_DOTPROD)

/* Both operands must be signed: x - 128, and 128 w comes back as twice 64 w. */
INLINE vi dot(vi sum, vi x, vi w, bool narrow)
{
    (void)narrow;
    int8x16_t b = vreinterpretq_s8_s32((int32x4_t)w);
    int8x16_t a = vreinterpretq_s8_s32((int32x4_t)(x ^ (int32_t)0x80808080));
    int32x4_t s = vdotq_s32((int32x4_t)sum, a, b);
    s = vdotq_s32(s, vdupq_n_s8(64), b);
    return (vi)vdotq_s32(s, vdupq_n_s8(64), b);
}

#else

INLINE vi dot(vi sum, vi x, vi w, bool narrow)
{
    (void)narrow;
    vb b = (vb)w;
    for (int k = 0; k < VW; k++)
        for (int j = 0; j < QUAD; j++)
            sum[k] += (int32_t)((uint32_t)x[k] >> 8 * j & 255) * b[QUAD * k + j];
    return sum;
}

#endif

/* ---- Convolution ---- */

/* Four bytes, the first the lowest, in every lane. */
INLINE vi quad(const uint8_t *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
        word = __builtin_bswap32(word);
    return (vi){0} + (int32_t)word;
}

/* y = round(x) + zero in low..255, halves to even; x is within 2^30. */

#if defined(__AVX512F__)

INLINE void put(uint8_t *y, vf x, int zero, int low)
{
    __m512i whole = _mm512_cvtps_epi32((__m512)x);
    whole = _mm512_add_epi32(whole, _mm512_set1_epi32(zero));
    whole = _mm512_max_epi32(whole, _mm512_set1_epi32(low));
    _mm_storeu_si128((__m128i_u *)y, _mm512_cvtusepi32_epi8(whole));
}

#elif defined(__AVX2__)

INLINE void put(uint8_t *y, vf x, int zero, int low)
{
    __m256i whole = _mm256_cvtps_epi32((__m256)x);
    whole = _mm256_add_epi32(whole, _mm256_set1_epi32(zero));
    whole = _mm256_max_epi32(whole, _mm256_set1_epi32(low));
    __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(whole),
                                    _mm256_extracti128_si256(whole, 1));
    _mm_storeu_si64(y, _mm_packus_epi16(half, half));
}

#else

/* The sum with 1.5 * 2^23 leaves no bits for less than whole numbers. */
INLINE void put(uint8_t *y, vf x, int zero, int low)
{
    const float magic = 12582912;
    for (int k = 0; k < VW; k++) {
        float bounded = x[k] < -1024 ? -1024 : x[k] > 1024 ? 1024 : x[k];
        int32_t whole = (int32_t)((bounded + magic) - magic) + zero;
        whole = whole < low ? low : whole;
        y[k] = (uint8_t)(whole > 255 ? 255 : whole);
    }
}

#endif

INLINE vi positive(vi x)
{
    return x & (x > 0);
}

/* Bytes as whole numbers. (GCC converts vectors of them one by one.) */
INLINE vi widened(const uint8_t *p)
{
#if defined(__AVX512F__)
    return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i_u *)p));
#elif defined(__AVX2__)
    return (vi)_mm256_cvtepu8_epi32(_mm_loadu_si64(p));
#else
    vi x;
    for (int k = 0; k < VW; k++)
        x[k] = p[k];
    return x;
#endif
}

/* A finished sum before it is rounded: `channel` is its first; the pixel of the image that is added is at
 * `add`, or that is NULL. */
INLINE vf scaled(const struct conv8 *v, vi sum, long channel, const uint8_t *add)
{
    if (v->rectify)
        sum = positive(sum);
    vf x = __builtin_convertvector(sum, vf) * *(const vf_at *)(v->factor + channel);
    if (add) {
        vi more = widened(add + channel) - v->add_zero;
        x += __builtin_convertvector(more, vf) * v->add_factor;
    }
    return x;
}

/* What happens to it then: y is the row's place, which the pixel is `pixel` behind. */
INLINE void finish(const struct conv8 *v, vi sum, long channel, const uint8_t *add, void *y, long pixel)
{
    vf x = scaled(v, sum, channel, add);
    if (v->real)
        *(vf_at *)((float *)y + pixel + channel) = x;
    else
        put((uint8_t *)y + pixel + channel, x, v->zero, v->low);
}

#if defined(__AVX512F__)

INLINE __m512i rounded(const struct conv8 *v, vi sum, long channel, const uint8_t *add)
{
    return _mm512_cvtps_epi32((__m512)scaled(v, sum, channel, add));
}

/* The same for two blocks of two neighbouring pixels at once, whose bytes are packed together. */
INLINE void finish_two(const struct conv8 *v, vi p0, vi p1, vi q0, vi q1, long channel, const uint8_t *add,
                       uint8_t *y)
{
    const __m512i zero = _mm512_set1_epi16((short)v->zero);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const uint8_t *more = add ? add + v->y_pixel : NULL;
    __m512i a = _mm512_packs_epi32(rounded(v, p0, channel, add), rounded(v, p1, channel + BLOCK, add));
    __m512i b = _mm512_packs_epi32(rounded(v, q0, channel, more), rounded(v, q1, channel + BLOCK, more));
    __m512i bytes = _mm512_packus_epi16(_mm512_adds_epi16(a, zero), _mm512_adds_epi16(b, zero));
    bytes = _mm512_max_epu8(bytes, _mm512_set1_epi8((char)v->low));
    bytes = _mm512_permutexvar_epi32(order, bytes);
    _mm256_storeu_si256((__m256i_u *)(y + channel), _mm512_castsi512_si256(bytes));
    _mm256_storeu_si256((__m256i_u *)(y + v->y_pixel + channel), _mm512_extracti64x4_epi64(bytes, 1));
}

#endif

static long w_block(const struct conv8 *v)
{
    return (long)v->runs * v->quads * BLOCK * QUAD;
}

/* Vector j of the blocks from w on. */
INLINE vi weight(const int8_t *w, long block, int j)
{
    return *(const vi_at *)(w + j / PER_BLOCK * block + j % PER_BLOCK * VW * QUAD);
}

/* P pixels by N vectors of output channels, from `channel` on; the first pixel of the image that is added is
 * at `add`. */
INLINE void conv_tile(const struct conv8 *v, const uint8_t *x, long channel, const uint8_t *add, void *y,
                      long pixel, const int P, const int N, const bool narrow)
{
    vi sum[PIXELS][4 * VECTORS];
    long block = w_block(v);
    const int8_t *w = v->w + channel / BLOCK * block;
    UNROLL for (int j = 0; j < N; j++)
        UNROLL for (int p = 0; p < P; p++) sum[p][j] = *(const vi_at *)(v->bias + channel + j * VW);
    for (int i = 0; i < v->runs; i++) {
        const uint8_t *xi = x + v->offset[i];
        for (int c = 0; c < v->quads; c++, xi += QUAD, w += BLOCK * QUAD) {
            vi wj[4 * VECTORS];
            UNROLL for (int j = 0; j < N; j++) wj[j] = weight(w, block, j);
            UNROLL for (int p = 0; p < P; p++) {
                vi xp = quad(xi + p * v->x_pixel);
                UNROLL for (int j = 0; j < N; j++) sum[p][j] = dot(sum[p][j], xp, wj[j], narrow);
            }
        }
    }
    UNROLL for (int p = 0; p < P; p++) {
        const uint8_t *more = add ? add + p * v->y_pixel : NULL;
#ifdef __AVX512F__
        if (N == 2 && !v->real && (p | 1) < P) {
            if (p % 2 == 0)
                finish_two(v, sum[p][0], sum[p][1], sum[p + 1][0], sum[p + 1][1], channel, more,
                           (uint8_t *)y + pixel + p * v->y_pixel);
            continue;
        }
#endif
        UNROLL for (int j = 0; j < N; j++)
            finish(v, sum[p][j], channel + j * VW, more, y, pixel + p * v->y_pixel);
    }
}

/* A row of y, which is `row` behind its first; the added image's row is at `add`. */
INLINE void conv_row(const struct conv8 *v, const uint8_t *x, long channel, const uint8_t *add, void *y,
                     long row, const int N, const bool narrow)
{
#define TILE(p, n)                                                                                 \
    conv_tile(v, x + p * v->x_pixel, channel, add ? add + p * v->y_pixel : NULL, y, row + p * v->y_pixel, n, \
              N, narrow)
    EACH_TILE(v->pixels, TILE)
#undef TILE
}

/* A dense layer of one image is as quick as its weights come: many sums at once. */
INLINE int conv_one(const struct conv8 *v, const uint8_t *x, void *y, const bool narrow)
{
    const int group = 4 * VECTORS / PER_BLOCK;
    int b = 0;
    if (v->rows * v->pixels == 1)
        for (; b + group <= v->blocks; b += group)
            conv_tile(v, x, b * BLOCK, v->add, y, 0, 1, 4 * VECTORS, narrow);
    return b;
}

INLINE void conv_rows(const struct conv8 *v, const uint8_t *x, void *y, const bool narrow)
{
    int first = conv_one(v, x, y, narrow);
#define ROW(b, p, N)                                                                               \
    conv_row(v, x + p * v->x_row, (first + b) * BLOCK, v->add ? v->add + p * v->add_row : NULL, y,             \
             p * v->y_row, N, narrow)
    EACH_ROW(v->blocks - first, v->rows, ROW)
#undef ROW
}

/* A copy of v, which no byte that is stored can be taken to change, stays in registers. */
static void conv(const struct conv8 *v, const uint8_t *x, void *y)
{
    const struct conv8 copy = *v;
    if (NARROW && copy.narrow)
        conv_rows(&copy, x, y, true);
    else
        conv_rows(&copy, x, y, false);
}

/* ---- Convolution in tiles of the CPU (AMX) ---- */

#if defined(__AMX_INT8__) || defined(__AMXINT8__) /* Clang before 17 */

#define MULTIPLY _tile_dpbusd
#include "amx.h"

/* A group's sums in one block and, where `wide`, the next. */
INLINE void finish_group(const struct conv8 *v, const struct groups *g, const int32_t *sums,
                         const int32_t *more, long channel, const uint8_t *add, void *y, long pixel,
                         const bool wide)
{
    vi bias = *(const vi_at *)(v->bias + channel);
    vi bias1 = wide ? *(const vi_at *)(v->bias + channel + BLOCK) : bias;
    int p = 0;
    for (; wide && !v->real && p + 2 <= g->width; p += 2) {
        const vi_at *a = (const vi_at *)(sums + p * BLOCK), *b = (const vi_at *)(more + p * BLOCK);
        finish_two(v, a[0] + bias, b[0] + bias1, a[1] + bias, b[1] + bias1, channel,
                   add ? add + p * v->y_pixel : NULL, (uint8_t *)y + pixel + p * v->y_pixel);
    }
    for (; p < g->width; p++) {
        long at = pixel + p * v->y_pixel;
        const uint8_t *from = add ? add + p * v->y_pixel : NULL;
        finish(v, *(const vi_at *)(sums + p * BLOCK) + bias, channel, from, y, at);
        if (wide)
            finish(v, *(const vi_at *)(more + p * BLOCK) + bias1, channel + BLOCK, from, y, at);
    }
}

/* Groups i and, where `two`, i + 1; block b and, where `wide`, b + 1. */
INLINE void conv_groups(const struct conv8 *v, const struct groups *g, const uint8_t *x, int b,
                        void *y, int i, const bool two, const bool wide)
{
    const void *const from[2] = {x + group_at(g, i, v->x_row, v->x_pixel),
                                 x + group_at(g, i + two, v->x_row, v->x_pixel)};
    _Alignas(64) int32_t sums[4][16 * BLOCK];
#define START(k) _tile_zero(k)
#define STORE(k) _tile_stored(k, sums[k], BLOCK * sizeof(int32_t))
    EACH_SUM(two, wide, START);
    multiply(g, from, v->x_pixel, v->offset, sizeof *x, v->runs, (const char *)(v->w + b * w_block(v)), w_block(v), two,
             wide);
    EACH_SUM(two, wide, STORE);
    for (int p = 0; p < 1 + two; p++)
        finish_group(v, g, sums[p], sums[2 + p], b * BLOCK,
                     v->add ? v->add + group_at(g, i + p, v->add_row, v->y_pixel) : NULL, y,
                     group_at(g, i + p, v->y_row, v->y_pixel), wide);
}

static void conv_tiles(const struct conv8 *v, const uint8_t *x, void *y)
{
    if (v->rows * v->pixels < 4 || v->runs * v->quads < STEP_WORDS / 2) {
        conv(v, x, y); /* tiles would be nearly empty */
        return;
    }
    const struct groups g = groups_of(v->rows, v->pixels, v->quads);
    configure(&g);
    EACH_TWO(conv_groups, v, &g, x, y)
    _tile_release();
}

#else

#define conv_tiles conv

#endif

/* ---- The rest ---- */

INLINE bytes most_of(bytes a, bytes b)
{
    bytes more = (bytes)(a > b);
    return (a & more) | (b & ~more);
}

static void maxpool_bytes(const struct pool *v, const uint8_t *x, long x_row, uint8_t *y, long pixel)
{
    for (long c = 0; c < pixel; c++) {
        uint8_t most = 0;
        for (int r = 0; r < v->r; r++)
            for (int s = 0; s < v->s; s++) {
                uint8_t xi = x[r * x_row + s * pixel + c];
                most = xi > most ? xi : most;
            }
        y[c] = most;
    }
}

INLINE void maxpool_pixel(const uint8_t *x, long x_row, uint8_t *y, long pixel, const int R,
                          const int S)
{
    for (long c = 0; c < pixel; c += BLOCK) {
        bytes most = {0};
        for (int r = 0; r < R; r++)
            for (int s = 0; s < S; s++)
                most = most_of(most, *(const bytes_at *)(x + r * x_row + s * pixel + c));
        *(bytes_at *)(y + c) = most;
    }
}

static void maxpool(const struct pool *v, int rows, int pixels, const uint8_t *x, long x_row,
                    uint8_t *y, long y_row, long pixel)
{
    for (int p = 0; p < rows; p++)
        for (int q = 0; q < pixels; q++) {
            const uint8_t *window = x + p * v->stride_h * x_row + q * v->stride_w * pixel;
            uint8_t *to = y + p * y_row + q * pixel;
            if (pixel % BLOCK)
                maxpool_bytes(v, window, x_row, to, pixel);
            else if (v->r == 2 && v->s == 2)
                maxpool_pixel(window, x_row, to, pixel, 2, 2);
            else
                maxpool_pixel(window, x_row, to, pixel, v->r, v->s);
        }
}

/* x / scale, not far beyond what a byte holds. */
INLINE vf levels(vf x, float scale)
{
    const vf most = (vf){0} + 1024, least = -most;
    x /= scale;
    vi above = x > least;
    x = (vf)(((vi)x & above) | ((vi)least & ~above));
    vi below = x < most;
    return (vf)(((vi)x & below) | ((vi)most & ~below));
}

static void quantize(long n, const float *x, float scale, int zero, uint8_t *y)
{
    long i = 0;
    for (; i + VW <= n; i += VW)
        put(y + i, levels(*(const vf_at *)(x + i), scale), zero, 0);
    for (uint8_t last[VW]; i < n; i++) {
        put(last, levels((vf){0} + x[i], scale), zero, 0);
        y[i] = last[0];
    }
}

extern const struct kernels8 NAME(kernels8, LEVEL);
const struct kernels8 NAME(kernels8, LEVEL) = {
    .name = TEXT(LEVEL),
    .conv = conv_tiles,
    .maxpool = maxpool,
    .quantize = quantize,
};
