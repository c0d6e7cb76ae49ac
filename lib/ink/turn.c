#include "turn.h"

#include <math.h>

#include "turn_table.h"

#define BLOCK 4
#define BLOCKS 7
#define INPUTS (BLOCKS * BLOCKS)

void turn_likelihood(const uint8_t *pixels, float *log_p)
{
    int sum[INPUTS] = {0};
    for (int y = 0; y < BLOCK * BLOCKS; y++)
        for (int x = 0; x < BLOCK * BLOCKS; x++)
            sum[y / BLOCK * BLOCKS + x / BLOCK] += pixels[y * BLOCK * BLOCKS + x];
    for (int t = 0; t < TURNS; t++)
        log_p[t] = (float)turn_out_bias[t] / TURN_SCALE;
    for (int h = 0; h < TURN_HIDDEN; h++) {
        long unit = (long)turn_bias[h] * 255 * BLOCK * BLOCK;
        for (int i = 0; i < INPUTS; i++)
            unit += turn_weight[h * INPUTS + i] * sum[i];
        float value = unit > 0 ? (float)unit / (255 * BLOCK * BLOCK * TURN_SCALE) : 0;
        for (int t = 0; t < TURNS; t++)
            log_p[t] += value * turn_out_weight[t * TURN_HIDDEN + h] / TURN_SCALE;
    }
    float most = fmaxf(log_p[0], fmaxf(log_p[1], log_p[2])), total = 0;
    for (int t = 0; t < TURNS; t++)
        total += expf(log_p[t] - most);
    for (int t = 0; t < TURNS; t++)
        log_p[t] -= most + logf(total);
}
