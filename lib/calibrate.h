/* Probabilities that mean what they say: one temperature, by which logits are divided before
 * softmax (Guo et al. 2017), fitted where the truth is known. */
#ifndef INKPIPE_CALIBRATE_H
#define INKPIPE_CALIBRATE_H

#include <stdint.h>

#define CALIBRATE_LOW 0.5 /* the bounds of a fitted temperature */
#define CALIBRATE_HIGH 5.0

/* Mean negative log probability of the truth; logits [n][k], labels [n] in 0..k-1. n at least 1. */
double calibrate_loss(const float *logits, const uint8_t *labels, long n, int k,
                      double temperature);

/* The temperature at which that loss is least, to three digits; 1 when n is 0. */
double calibrate_temperature(const float *logits, const uint8_t *labels, long n, int k);

#endif
