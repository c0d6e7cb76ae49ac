/* What one thread of this machine can do at most: multiplications and additions of registers that
 * wait for nothing, in GFLOP/s.
 *
 *     peak fp32|bf16    prints 0 where the CPU, or this program, has no instructions for it */
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 2000000, SUMS = 12 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 12")
#endif

/* ROUNDS times SUMS times `one`, which takes part in `sum`; the compiler must believe it is needed. */
#define RUN(vector, zero, factor, one)                                                             \
    do {                                                                                           \
        vector sum[SUMS];                                                                          \
        UNROLL for (int i = 0; i < SUMS; i++) sum[i] = (zero);                                     \
        for (int r = 0; r < ROUNDS; r++)                                                           \
            UNROLL for (int i = 0; i < SUMS; i++)                                                  \
            {                                                                                      \
                sum[i] = (one);                                                                    \
                __asm__ volatile("" : factor(sum[i]));                                             \
            }                                                                                      \
    } while (0)

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("avx512f"))) static double run_512(void)
{
    __m512 a = _mm512_set1_ps(0.5f);
    RUN(__m512, _mm512_setzero_ps(), "+v", _mm512_fmadd_ps(a, a, sum[i]));
    return 32;
}

__attribute__((target("avx2,fma"))) static double run_256(void)
{
    __m256 a = _mm256_set1_ps(0.5f);
    RUN(__m256, _mm256_setzero_ps(), "+x", _mm256_fmadd_ps(a, a, sum[i]));
    return 16;
}

__attribute__((target("avx512f,avx512bf16"))) static double run_bf16(void)
{
    __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.5f));
    RUN(__m512, _mm512_setzero_ps(), "+v", _mm512_dpbf16_ps(sum[i], a, a));
    return 64;
}

static double run(const char *what)
{
    __builtin_cpu_init();
    if (!strcmp(what, "bf16"))
        return __builtin_cpu_supports("avx512bf16") ? run_bf16() : 0;
    if (__builtin_cpu_supports("avx512f"))
        return run_512();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? run_256() : 0;
}
#elif defined(__aarch64__)
#include <arm_neon.h>

static double run(const char *what)
{
    float32x4_t a = vdupq_n_f32(0.5f);
    if (!strcmp(what, "bf16"))
        return 0;
    RUN(float32x4_t, vdupq_n_f32(0), "+w", vfmaq_f32(sum[i], a, a));
    return 8;
}
#else
static double run(const char *what)
{
    (void)what;
    return 0;
}
#endif

int main(int argc, char **argv)
{
    double best = 0;
    for (int i = 0; argc > 1 && i < 20; i++) {
        double start = now(), flop = run(argv[1]);
        double rate = flop * SUMS * ROUNDS / (now() - start) * 1e-9;
        best = flop > 0 && rate > best ? rate : best;
    }
    printf("%.0f\n", best);
    return argc > 1 ? 0 : 2;
}
