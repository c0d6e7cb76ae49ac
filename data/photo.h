/* What a camera does to a picture of floats, 0 black .. 1 white: paper.c and scenes.c photograph
 * their pages with it. */
#ifndef PHOTO_H
#define PHOTO_H

#include "base/rng.h"

/* Smooth noise of a grid of cells of 1 by 1 at a point, -1..1. */
double noise_at(uint64_t seed, double x, double y);

/* Nearly normal, of deviation 1. */
double bell(struct rng *r);

/* Blur v [h][w] by a Gaussian of that deviation in pixels; sides up to 4096. */
void blur(float *v, int w, int h, double sigma);

/* Leave of v [h][w] what JPEG keeps at that quality, 1..100. */
void jpeg(float *v, int w, int h, int quality);

static inline float clamp(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

#endif
