/* The only place that asks what the CPU can do. */
#include "kernel/kernel.h"

#include <string.h>

extern const struct kernels kernels_portable;
#ifdef __x86_64__
extern const struct kernels kernels_avx2, kernels_avx512;
#endif
#ifdef __aarch64__
extern const struct kernels kernels_neon;
#endif

/* The levels this CPU has, best first, NULL at the end. */
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
