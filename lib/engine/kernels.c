/* Which kernels are used.
 *   in   what the CPU says of itself (cpuid, auxiliary vector)
 *   out  the table of kernels of a level: floats, and for it int8 and bf16
 * This is the only file that asks what the CPU can do. */
#define _GNU_SOURCE 1 /* syscall */
#include "engine.h"
#include "kernel/bf16.h"
#include "kernel/int8.h"
#include "kernel/kernel.h"

#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

extern const struct kernels kernels_portable;
#ifdef __x86_64__
extern const struct kernels kernels_avx2, kernels_avx512;
extern const struct kernels8 kernels8_avx2, kernels8_avx2vnni, kernels8_avx512vnni, kernels8_amx;
extern const struct kernels16 kernels16_avx2, kernels16_avx512, kernels16_avx512bf16, kernels16_amx;
#endif
#ifdef __aarch64__
extern const struct kernels kernels_neon;
extern const struct kernels8 kernels8_neondot;
extern const struct kernels16 kernels16_neon;
#endif
extern const struct kernels8 kernels8_portable;
extern const struct kernels16 kernels16_portable;

/* List the levels this CPU has, best first, NULL at the end. */
static void ladder(const struct kernels *level[8])
{
    int n = 0;
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        level[n++] = &kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        level[n++] = &kernels_avx2;
#endif
#ifdef __aarch64__
    level[n++] = &kernels_neon;
#endif
    level[n++] = &kernels_portable;
    level[n] = NULL;
}

const struct kernels *kernel_best(void)
{
    const struct kernels *level[8];
    ladder(level);
    return level[0];
}

const struct kernels *kernel_named(const char *name)
{
    const struct kernels *level[8];
    ladder(level);
    for (int i = 0; level[i]; i++)
        if (!strcmp(level[i]->name, name))
            return level[i];
    return NULL;
}

/* ---- int8 ---- */

#ifdef __x86_64__

/* Bits of cpuid leaf 7, subleaf 0, register EDX. */
#define TILES_BF16 (1u << 22)
#define TILES_INT8 (1u << 25)

/* Whether the CPU has tiles that multiply such numbers, and Linux lets this process use their registers. */
static bool has_tiles(unsigned numbers)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d;
    const unsigned tile = 1u << 24;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & tile) && (d & numbers) &&
           !syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA);
}

/* Bits of cpuid leaf 7, subleaf 1, register EAX. */
#define AVX_VNNI (1u << 4)
#define AVX512_BF16 (1u << 5)

static bool has_newer(unsigned feature)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & feature);
}

#endif

/* List the levels of int8 kernels that go with k, best first, NULL at the end. */
static void ladder8(const struct kernels *k, const struct kernels8 *level[8])
{
    int n = 0;
    (void)k;
#ifdef __x86_64__
    __builtin_cpu_init();
    bool vnni = k == &kernels_avx512 && __builtin_cpu_supports("avx512vnni");
    if (vnni && has_tiles(TILES_INT8))
        level[n++] = &kernels8_amx;
    if (vnni)
        level[n++] = &kernels8_avx512vnni;
    if (k != &kernels_portable && has_newer(AVX_VNNI))
        level[n++] = &kernels8_avx2vnni;
    if (k != &kernels_portable)
        level[n++] = &kernels8_avx2;
#endif
#ifdef __aarch64__
    const unsigned long asimd_dot = 1ul << 20;
    if (k != &kernels_portable && (getauxval(AT_HWCAP) & asimd_dot))
        level[n++] = &kernels8_neondot;
#endif
    level[n++] = &kernels8_portable;
    level[n] = NULL;
}

const struct kernels8 *kernel8_best(const struct kernels *k)
{
    const struct kernels8 *level[8];
    ladder8(k, level);
    return level[0];
}

const struct kernels8 *kernel8_named(const char *name)
{
    const struct kernels8 *level[8];
    ladder8(kernel_best(), level);
    for (int i = 0; level[i]; i++)
        if (!strcmp(level[i]->name, name))
            return level[i];
    return NULL;
}

int int8_quads(long bytes)
{
    long quads = (bytes + QUAD - 1) / QUAD, steps = (quads + STEP_QUADS - 1) / STEP_QUADS;
    return steps ? (int)(steps * ((quads + steps - 1) / steps)) : 0;
}

/* ---- bf16 ---- */

/* List the levels of bf16 kernels that go with k, best first, NULL at the end. */
static void ladder16(const struct kernels *k, const struct kernels16 *level[8])
{
    int n = 0;
    (void)k;
#ifdef __x86_64__
    bool bf16 = k == &kernels_avx512 && has_newer(AVX512_BF16);
    if (bf16 && __builtin_cpu_supports("avx512vnni") && has_tiles(TILES_BF16))
        level[n++] = &kernels16_amx;
    if (bf16)
        level[n++] = &kernels16_avx512bf16;
    if (k == &kernels_avx512)
        level[n++] = &kernels16_avx512;
    if (k != &kernels_portable)
        level[n++] = &kernels16_avx2;
#endif
#ifdef __aarch64__
    if (k != &kernels_portable)
        level[n++] = &kernels16_neon;
#endif
    level[n++] = &kernels16_portable;
    level[n] = NULL;
}

const struct kernels16 *kernel16_best(const struct kernels *k)
{
    const struct kernels16 *level[8];
    ladder16(k, level);
    return level[0];
}

const struct kernels16 *kernel16_named(const char *name)
{
    const struct kernels16 *level[8];
    ladder16(kernel_best(), level);
    for (int i = 0; level[i]; i++)
        if (!strcmp(level[i]->name, name))
            return level[i];
    return NULL;
}

int bf16_pairs(int pairs)
{
    int steps = (pairs + STEP_PAIRS - 1) / STEP_PAIRS;
    return steps ? steps * ((pairs + steps - 1) / steps) : 0;
}

const char *kernel_level(const struct kernels *k)
{
    return k->name;
}

const char *kernel8_level(const struct kernels8 *k)
{
    return k->name;
}

const char *kernel16_level(const struct kernels16 *k)
{
    return k->name;
}
