/* What a camera does to a picture (photo.h): blur, noise, JPEG. */
#include "photo.h"

#include <math.h>
#include <stdbool.h>

double noise_at(uint64_t seed, double x, double y)
{
    double fx = floor(x), fy = floor(y), v[4];
    for (int i = 0; i < 4; i++) {
        uint64_t at = ((uint64_t)(int64_t)(fx + i % 2) << 24) + (uint64_t)(int64_t)(fy + i / 2);
        v[i] = (double)(int64_t)rng_mix(seed + at * 0x9e3779b97f4a7c15u) * 0x1p-63;
    }
    x -= fx, y -= fy;
    x = x * x * (3 - 2 * x), y = y * y * (3 - 2 * y);
    return (v[0] * (1 - x) + v[1] * x) * (1 - y) + (v[2] * (1 - x) + v[3] * x) * y;
}

/* Four numbers of 16 bits added. */
double bell(struct rng *r)
{
    uint64_t b = rng_bits(r);
    double sum = (double)((b & 0xffff) + (b >> 16 & 0xffff) + (b >> 32 & 0xffff) + (b >> 48));
    return (sum / 65535 - 2) * 1.7320508;
}

#define MAX_REACH 20 /* pixels to each side that a blur looks at */

/* v of n values, step apart, by 2 reach + 1 weights; what is beyond an end is as the end is. */
static void blur_line(float *v, int n, int step, const float *kernel, int reach, float *line)
{
    for (int i = -reach; i < n + reach; i++)
        line[i + reach] = v[(i < 0 ? 0 : i >= n ? n - 1 : i) * step];
    for (int i = 0; i < n; i++) {
        float sum = 0;
        for (int k = 0; k <= 2 * reach; k++)
            sum += kernel[k] * line[i + k];
        v[i * step] = sum;
    }
}

void blur(float *v, int w, int h, double sigma)
{
    float kernel[2 * MAX_REACH + 1], sum = 0, line[4096 + 2 * MAX_REACH];
    int reach = (int)fmin(MAX_REACH, ceil(2.5 * sigma));
    for (int k = -reach; k <= reach; k++)
        sum += kernel[k + reach] = (float)exp(-k * k / (2 * sigma * sigma));
    for (int k = 0; k <= 2 * reach; k++)
        kernel[k] /= sum;
    for (int y = 0; y < h; y++)
        blur_line(v + y * w, w, 1, kernel, reach, line);
    for (int x = 0; x < w; x++)
        blur_line(v + x, h, w, kernel, reach, line);
}

/* What is left of 8x8 gray levels, and how: their cosine transform in steps. */
struct transform {
    float cosine[8][8], step[8][8];
};

/* The steps of the standard's luminance table (ITU-T T.81, table K.1), scaled as libjpeg scales
 * them. */
static void make_transform(struct transform *t, int quality)
{
    static const uint8_t table[8][8] = {
        {16, 11, 10, 16, 24, 40, 51, 61},     {12, 12, 14, 19, 26, 58, 60, 55},
        {14, 13, 16, 24, 40, 57, 69, 56},     {14, 17, 22, 29, 51, 87, 80, 62},
        {18, 22, 37, 56, 68, 109, 103, 77},   {24, 35, 55, 64, 81, 104, 113, 92},
        {49, 64, 78, 87, 103, 121, 120, 101}, {72, 92, 95, 98, 112, 100, 103, 99},
    };
    int percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < 8; i++) {
            int step = (table[k][i] * percent + 50) / 100;
            t->step[k][i] = (float)(step > 1 ? step : 1);
            t->cosine[k][i] =
                (float)(cos((2 * i + 1) * k * 3.14159265358979 / 16) / (k ? 2 : 2.8284271));
        }
}

/* to = matrix from, or, back, the transposed matrix. */
static void turn_columns(float from[8][8], float matrix[8][8], bool back, float to[8][8])
{
    for (int k = 0; k < 8; k++)
        for (int x = 0; x < 8; x++) {
            float sum = 0;
            for (int i = 0; i < 8; i++)
                sum += from[i][x] * (back ? matrix[i][k] : matrix[k][i]);
            to[k][x] = sum;
        }
}

static void turn_rows(float from[8][8], float matrix[8][8], bool back, float to[8][8])
{
    for (int y = 0; y < 8; y++)
        for (int k = 0; k < 8; k++) {
            float sum = 0;
            for (int i = 0; i < 8; i++)
                sum += from[y][i] * (back ? matrix[i][k] : matrix[k][i]);
            to[y][k] = sum;
        }
}

static void jpeg_block(struct transform *t, float block[8][8])
{
    float half[8][8];
    turn_rows(block, t->cosine, false, half);
    turn_columns(half, t->cosine, false, block);
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < 8; i++)
            block[k][i] = roundf(block[k][i] / t->step[k][i]) * t->step[k][i];
    turn_rows(block, t->cosine, true, half);
    turn_columns(half, t->cosine, true, block);
}

void jpeg(float *v, int w, int h, int quality)
{
    struct transform t;
    make_transform(&t, quality);
    for (int top = 0; top < h; top += 8)
        for (int left = 0; left < w; left += 8) {
            float block[8][8];
            for (int i = 0; i < 64; i++) {
                int y = top + i / 8 < h ? top + i / 8 : h - 1, x = left + i % 8;
                block[i / 8][i % 8] = clamp(v[y * w + (x < w ? x : w - 1)]) * 255 - 128;
            }
            jpeg_block(&t, block);
            for (int i = 0; i < 64; i++)
                if (top + i / 8 < h && left + i % 8 < w)
                    v[(top + i / 8) * w + left + i % 8] = (block[i / 8][i % 8] + 128) / 255;
        }
}
