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

/* A level of struct kernels, kernels8 or kernels16, each of which begins with its name. */
struct level {
    const void *kernels;
    bool has; /* whether this CPU has it */
};

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

/* The first of some levels, best first, that this CPU has and that has this name, or, NULL, any. */
static const void *find(const struct level *l, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (l[i].has && (!name || !strcmp(kernel_level(l[i].kernels), name)))
            return l[i].kernels;
    return NULL;
}
#define FIND(levels, name) find(levels, sizeof(levels) / sizeof *(levels), name)

const struct kernels *kernel_named(const char *name)
{
    const struct level levels[] = {
#ifdef __x86_64__
        {&kernels_avx512, has_avx512()},
        {&kernels_avx2, has_avx2()},
#endif
#ifdef __aarch64__
        {&kernels_neon, true},
#endif
        {&kernels_portable, true},
    };
    return FIND(levels, name);
}

const struct kernels *kernel_best(void)
{
    return kernel_named(NULL);
}

const struct kernels8 *kernel8_named(const struct kernels *k, const char *name)
{
    bool plain = k == &kernels_portable;
#ifdef __x86_64__
    bool vnni = k == &kernels_avx512 && __builtin_cpu_supports("avx512vnni");
#endif
#ifdef __aarch64__
    const unsigned long asimd_dot = 1ul << 20;
#endif
    const struct level levels[] = {
#ifdef __x86_64__
        {&kernels8_amx, vnni && has_tiles(TILES_INT8)},
        {&kernels8_avx512vnni, vnni},
        {&kernels8_avx2vnni, !plain && has_newer(AVX_VNNI)},
        {&kernels8_avx2, !plain},
#endif
#ifdef __aarch64__
        {&kernels8_neondot, !plain && (getauxval(AT_HWCAP) & asimd_dot)},
#endif
        {&kernels8_portable, true},
    };
    (void)plain;
    return FIND(levels, name);
}

const struct kernels16 *kernel16_named(const struct kernels *k, const char *name)
{
#ifdef __x86_64__
    bool bf16 = k == &kernels_avx512 && has_newer(AVX512_BF16);
#endif
    const struct level levels[] = {
#ifdef __x86_64__
        {&kernels16_amx, bf16 && has_tiles(TILES_BF16)},
        {&kernels16_avx512bf16, bf16},
#endif
        {&kernels16_portable, true},
    };
    (void)k;
    return FIND(levels, name);
}

int kernel_words(long words)
{
    long steps = (words + STEP_WORDS - 1) / STEP_WORDS;
    return steps ? (int)(steps * ((words + steps - 1) / steps)) : 0;
}

const char *kernel_level(const void *level)
{
    return *(const char *const *)level;
}
