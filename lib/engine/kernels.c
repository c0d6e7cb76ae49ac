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
extern const struct kernels16 kernels16_avx512bf16, kernels16_amx;
#endif
#ifdef __aarch64__
extern const struct kernels kernels_neon;
extern const struct kernels8 kernels8_neondot;
#endif
extern const struct kernels8 kernels8_portable;
extern const struct kernels16 kernels16_portable;

/* The levels of a kind that this CPU has, best first: struct kernels, kernels8 or kernels16, each of which
 * begins with its name. */
struct ladder {
    const void *level[8];
    int count;
};

static void add(struct ladder *l, bool has, const void *level)
{
    if (has)
        l->level[l->count++] = level;
}

static const void *named(struct ladder l, const char *name)
{
    for (int i = 0; i < l.count; i++)
        if (!strcmp(kernel_level(l.level[i]), name))
            return l.level[i];
    return NULL;
}

#ifdef __x86_64__

static bool has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

/* Bits of cpuid leaf 7, subleaf 0, register EDX. */
#define TILES_BF16 (1u << 22)
#define TILES_INT8 (1u << 25)

/* Whether the CPU has tiles that multiply such numbers, and Linux lets this process use their registers. */
static bool has_tiles(unsigned numbers)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d;
    const unsigned tile = 1u << 24;
    return __builtin_cpu_supports("avx512vnni") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & tile) &&
           (d & numbers) && !syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA);
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

static struct ladder ladder(void)
{
    struct ladder l = {.count = 0};
#ifdef __x86_64__
    add(&l, has_avx512(), &kernels_avx512);
    add(&l, has_avx2(), &kernels_avx2);
#endif
#ifdef __aarch64__
    add(&l, true, &kernels_neon);
#endif
    add(&l, true, &kernels_portable);
    return l;
}

/* Those of int8 that are not above k. */
static struct ladder ladder8(const struct kernels *k)
{
    struct ladder l = {.count = 0};
    bool plain = k == &kernels_portable;
#ifdef __x86_64__
    bool vnni = k == &kernels_avx512 && __builtin_cpu_supports("avx512vnni");
    add(&l, vnni && has_tiles(TILES_INT8), &kernels8_amx);
    add(&l, vnni, &kernels8_avx512vnni);
    add(&l, !plain && has_newer(AVX_VNNI), &kernels8_avx2vnni);
    add(&l, !plain, &kernels8_avx2);
#endif
#ifdef __aarch64__
    const unsigned long asimd_dot = 1ul << 20;
    add(&l, !plain && (getauxval(AT_HWCAP) & asimd_dot), &kernels8_neondot);
#endif
    (void)plain;
    add(&l, true, &kernels8_portable);
    return l;
}

/* Those of bf16 that are not above k. */
static struct ladder ladder16(const struct kernels *k)
{
    struct ladder l = {.count = 0};
    (void)k;
#ifdef __x86_64__
    bool bf16 = k == &kernels_avx512 && has_newer(AVX512_BF16);
    add(&l, bf16 && has_tiles(TILES_BF16), &kernels16_amx);
    add(&l, bf16, &kernels16_avx512bf16);
#endif
    add(&l, true, &kernels16_portable);
    return l;
}

const struct kernels *kernel_best(void)
{
    return ladder().level[0];
}

const struct kernels8 *kernel8_best(const struct kernels *k)
{
    return ladder8(k).level[0];
}

const struct kernels16 *kernel16_best(const struct kernels *k)
{
    return ladder16(k).level[0];
}

const struct kernels *kernel_named(const char *name)
{
    return named(ladder(), name);
}

const struct kernels8 *kernel8_named(const char *name)
{
    return named(ladder8(kernel_best()), name);
}

const struct kernels16 *kernel16_named(const char *name)
{
    return named(ladder16(kernel_best()), name);
}

int int8_quads(long bytes)
{
    long quads = (bytes + QUAD - 1) / QUAD, steps = (quads + STEP_QUADS - 1) / STEP_QUADS;
    return steps ? (int)(steps * ((quads + steps - 1) / steps)) : 0;
}

int bf16_pairs(int pairs)
{
    int steps = (pairs + STEP_PAIRS - 1) / STEP_PAIRS;
    return steps ? steps * ((pairs + steps - 1) / steps) : 0;
}

const char *kernel_level(const void *level)
{
    return *(const char *const *)level;
}
