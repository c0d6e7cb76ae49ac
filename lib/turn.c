#include "turn.h"

#include <math.h>

#define BLOCK 4
#define BLOCKS 7

/* 64 times the weights of logistic regression on MNIST's training digits and those turned either
 * way, relative to the upright ones. */
static const int16_t weight[TURNS][BLOCKS * BLOCKS] = {
    {0},
    {50, 2, -346, -312, -249, -336, -110, 394, 227, 118, -162, -244, -314, -232,
     423, 326, 30, 12, -156, -271, -88, 485, 343, 169, -4, -180, -105, -175,
     592, 308, 207, -19, -70, -141, -273, 689, 212, 71, -116, -113, -149, -250,
     264, 83, -1, -184, -405, -283, -136},
    {154, 412, 141, 212, 311, 190, 141, 306, 285, 277, 101, 184, 172, 364,
     150, 224, 114, 187, 135, 160, 426, 79, 73, -23, 4, 11, 180, 236,
     131, -131, -81, -194, -154, -33, 21, 140, -258, -361, -354, -293, -208, -113,
     8, -404, -414, -476, -602, -596, -220},
};
static const int16_t bias[TURNS] = {0, 3, -8};

void turn_likelihood(const uint8_t *pixels, float *log_p)
{
    float most = 0, total = 0;
    for (int t = 0; t < TURNS; t++) {
        long sum = 0;
        for (int y = 0; y < BLOCK * BLOCKS; y++)
            for (int x = 0; x < BLOCK * BLOCKS; x++)
                sum += weight[t][y / BLOCK * BLOCKS + x / BLOCK] *
                       pixels[y * BLOCK * BLOCKS + x];
        log_p[t] = ((float)sum / (255 * BLOCK * BLOCK) + bias[t]) / 64;
        most = fmaxf(most, log_p[t]);
    }
    for (int t = 0; t < TURNS; t++)
        total += expf(log_p[t] - most);
    for (int t = 0; t < TURNS; t++)
        log_p[t] -= most + logf(total);
}
