#include "pair.h"

#include "pair_table.h"

#define SIDE 28
#define FIRST_ROW 4
#define ROWS 10 /* of means of 2x2 pixels */
#define COLUMNS (SIDE / 2)

float pair_odds(const uint8_t *pixels)
{
    int sum[PAIR_INPUTS];
    for (int y = 0; y < ROWS; y++)
        for (int x = 0; x < COLUMNS; x++) {
            const uint8_t *p = pixels + (FIRST_ROW + 2 * y) * SIDE + 2 * x;
            sum[y * COLUMNS + x] = p[0] + p[1] + p[SIDE] + p[SIDE + 1];
        }
    float odds = (float)pair_out_bias[0] / PAIR_SCALE;
    for (int h = 0; h < PAIR_HIDDEN; h++) {
        long unit = (long)pair_bias[h] * 4 * 255;
        for (int i = 0; i < PAIR_INPUTS; i++)
            unit += pair_weight[h * PAIR_INPUTS + i] * sum[i];
        if (unit > 0)
            odds += (float)unit / (4 * 255 * PAIR_SCALE) * pair_out_weight[h] / PAIR_SCALE;
    }
    return odds;
}
