/* The most products of bytes that one thread of this machine can do, in billions a second: dot
 * products of registers, or of tiles, that wait for nothing. Prints 0 where the CPU has neither. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/engine.h"
#include "engine/kernel/int8.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#ifdef __x86_64__
#include <immintrin.h>

enum { ROUNDS = 200000 };

/* Four tiles of sums: each product of 16 x 64 by 64 x 16 bytes. */
__attribute__((target("amx-tile,amx-int8"))) static double run_tiles(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } tiles = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        tiles.row_bytes[i] = 64;
        tiles.rows[i] = 16;
    }
    __asm__ volatile("" : : "r"(&tiles) : "memory"); /* GCC 12 takes eight bytes of it for all */
    _tile_loadconfig(&tiles);
    for (int i = 0; i < ROUNDS; i++) {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 5, 6);
        _tile_dpbusd(2, 4, 7);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_release();
    return 4.0 * 16 * 16 * 64 * ROUNDS;
}

/* Twelve registers of sums: each product of 64 bytes by 64. */
__attribute__((target("avx512f,avx512vnni"))) static double run_vectors(void)
{
    __m512i sum[12], x = _mm512_set1_epi8(1), w = x;
    memset(sum, 0, sizeof sum);
#define EACH(do)                                                                                   \
    do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11)
#define DOT(i) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(sum[i]) : "v"(x), "v"(w));
    for (int i = 0; i < ROUNDS; i++) {
        EACH(DOT)
    }
    return 12.0 * 64 * ROUNDS;
}

static double (*runner(void))(void)
{
    if (kernel8_named(kernel_best(), "amx"))
        return run_tiles;
    return kernel8_named(kernel_best(), "avx512vnni") ? run_vectors : NULL;
}
#else
static double (*runner(void))(void)
{
    return NULL;
}
#endif

int main(void)
{
    double (*run)(void) = runner(), best = 0;
    for (double end = now() + 0.5; run && now() < end;) {
        double start = now(), products = run();
        best = fmax(best, products / (now() - start));
    }
    printf("%.0f\n", best * 1e-9);
    return 0;
}
