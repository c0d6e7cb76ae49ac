/* Random numbers that depend on (seed, stream, position) alone, so that results do not depend on
 * the order of work or on threads: give each image, layer or epoch a stream of its own. The
 * generator is SplitMix64 (Steele, Lea & Flood 2014): a mixed counter. */
#ifndef INKPIPE_RNG_H
#define INKPIPE_RNG_H

#include <math.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

/* The mixing step: a bijection of 64-bit words whose outputs look independent. */
static inline uint64_t rng_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The beginning of stream `stream` of `seed`. For streams of several indices, mix them:
 * rng_seed(seed, rng_mix(epoch) + image). */
static inline struct rng rng_seed(uint64_t seed, uint64_t stream)
{
    uint64_t state = rng_mix(seed + 0x9e3779b97f4a7c15u) + 0xd1342543de82ef95u * stream;
    return (struct rng){rng_mix(state)};
}

/* The next 64 random bits. */
static inline uint64_t rng_bits(struct rng *r)
{
    r->state += 0x9e3779b97f4a7c15u;
    return rng_mix(r->state);
}

/* Uniform in [0, 1), a multiple of 2^-53. */
static inline double rng_uniform(struct rng *r)
{
    return (double)(rng_bits(r) >> 11) * 0x1p-53;
}

/* Uniform in [low, high). */
static inline double rng_range(struct rng *r, double low, double high)
{
    return low + (high - low) * rng_uniform(r);
}

/* Uniform in 0..n-1; n at least 1. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)(((rng_bits(r) >> 32) * n) >> 32);
}

/* Normal with mean 0 and deviation 1 (Box & Muller 1958; the pair's second is not kept, so that
 * each call takes two steps of the stream). */
static inline double rng_normal(struct rng *r)
{
    double u = 1.0 - rng_uniform(r), v = rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

#endif
