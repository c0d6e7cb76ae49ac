/* Augmentation of a finder's pictures.
 *   in   bytes of local contrast, seed, epoch, index
 *   out  the network's input: sign, gain and noise drawn at random; nothing moves */
#include "learn.h"

#include "base/rng.h"

#define NOISY_PART 0.3 /* The share of the pictures that get noise. */

/* Turn the sign of a byte of contrast around 128; 0, which has no opposite, becomes 255. */
static uint8_t turn(uint8_t pixel)
{
    return pixel ? (uint8_t)(256 - pixel) : 255;
}

/* Add noise: sums of four uniform numbers of 16 bits are nearly normal, of deviation 65536 / sqrt(3). */
static void add_noise(struct rng *r, double deviation, long n, float *x)
{
    float unit = (float)(deviation * 1.7320508 / 65536);
    for (long i = 0; i < n; i++) {
        uint64_t bits = rng_bits(r);
        int sum = (int)(bits & 65535) + (int)(bits >> 16 & 65535) + (int)(bits >> 32 & 65535) +
                  (int)(bits >> 48);
        x[i] += unit * (float)(sum - 2 * 65536);
    }
}

void tone_image(const struct tone *t, uint64_t epoch, uint64_t index, bool turned, bool plain,
                const uint8_t *pixels, float *x)
{
    struct rng r = rng_seed(t->seed, rng_mix(epoch) + index);
    bool light = (rng_bits(&r) >> 63) != turned;
    if (turned)
        r.state = rng_mix(r.state); /* another gain and other noise for the other sign */
    double gain = plain ? 1 : rng_range(&r, 1 - t->options.gain, 1 + t->options.gain);
    float value[256], factor = (float)gain * t->scale;
    for (int i = 0; i < 256; i++)
        value[i] = ((float)(light ? turn((uint8_t)i) : i) - t->mean) * factor;
    for (long i = 0; i < t->pixels; i++)
        x[i] = value[pixels[i]];
    if (!plain && rng_uniform(&r) < NOISY_PART && t->options.noise > 0)
        add_noise(&r, t->options.noise * rng_uniform(&r), t->pixels, x);
}
