#include "whole.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "whole_table.h"

#define SIDE 28
#define BOX 20
#define INKED 76 /* fainter pixels do not count for the box */
#define DIGITS 10
#define UNIT 512 /* what 1 is between layers */

void whole_sum(struct whole_picture *p)
{
    for (int y = 0; y < p->h; y++) {
        const uint8_t *row = p->gray + (long)y * p->w;
        uint32_t *sum = p->sums + (long)y * (p->w + 1);
        sum[0] = 0;
        for (int x = 0; x < p->w; x++)
            sum[x + 1] = sum[x] + row[x];
    }
}

/* Of ways that cross, the right one may be on the left: such rows count for the box, without ink. */
static struct box ink_box(const struct whole_picture *p, const int *left, const int *right)
{
    struct box b = {p->w, p->h, 0, 0};
    for (int y = 0; y < p->h; y++) {
        const uint8_t *row = p->gray + (long)y * p->w;
        int first = left ? left[y] : 0, last = right ? right[y] : p->w;
        while (first < last && row[first] <= INKED)
            first++;
        while (last > first && row[last - 1] <= INKED)
            last--;
        if (first == last)
            continue;
        b = box_join(b, (struct box){first, y, last, y + 1});
    }
    return b.x1 ? b : (struct box){0};
}

/* 256 times the sum of a row up to x / 256 pixels, between pixels too. */
static uint32_t sum_to(const uint32_t *sums, int x)
{
    uint32_t whole = (uint32_t)x >> 8, part = (uint32_t)x & 255;
    return sums[whole] * 256 + (part ? part * (sums[whole + 1] - sums[whole]) : 0);
}

static int clip(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

/* The ink of box b as BOX x BOX pixels, its aspect kept. Such a pixel is the ink of its part of the
 * box, or when that is less than a pixel wide, of a pixel's width about its middle. */
static void fit(const struct whole_picture *p, struct box b, const int *left, const int *right,
                float out[BOX][BOX])
{
    int from[BOX], to[BOX];
    float size = (float)box_longer(b) / BOX, reach = (size > 1 ? size : 1) / 2;
    memset(out, 0, BOX * sizeof *out);
    for (int t = 0; t < BOX; t++) {
        float middle = ((float)t + 0.5f) * size;
        from[t] = (int)(((float)b.x0 + middle - reach) * 256);
        to[t] = (int)(((float)b.x0 + middle + reach) * 256);
    }
    for (int y = b.y0; y < b.y1; y++) {
        const uint32_t *sums = p->sums + (long)y * (p->w + 1);
        int low = left ? left[y] * 256 : 0, high = (right ? right[y] : p->w) * 256;
        float line[BOX], above = (float)(y - b.y0), below = above + 1;
        if (low >= high)
            continue;
        for (int t = 0; t < BOX; t++)
            line[t] = (float)(sum_to(sums, clip(to[t], low, high)) -
                              sum_to(sums, clip(from[t], low, high)));
        int first = (int)((above - reach) / size - 0.5f);
        for (int t = first < 0 ? 0 : first; t < BOX; t++) {
            float top = ((float)t + 0.5f) * size - reach, bottom = top + 2 * reach;
            if (top >= below)
                break;
            float part = (bottom < below ? bottom : below) - (top > above ? top : above);
            for (int i = 0; part > 0 && i < BOX; i++)
                out[t][i] += part * line[i];
        }
    }
}

/* What the network sees: the box with its centre of mass in the middle, means of 2x2 pixels. */
static void centre(float box[BOX][BOX], int16_t *input)
{
    float sum = 1e-9f, sx = 0, sy = 0, most = 1e-9f, frame[SIDE][SIDE] = {0};
    for (int y = 0; y < BOX; y++) {
        float row = 0;
        for (int x = 0; x < BOX; x++) {
            float v = box[y][x];
            row += v;
            sx += v * ((float)x + 0.5f);
            most = v > most ? v : most;
        }
        sum += row;
        sy += row * ((float)y + 0.5f);
    }
    int left = (int)lrintf(SIDE / 2 - sx / sum), top = (int)lrintf(SIDE / 2 - sy / sum);
    int x0 = clip(-left, 0, BOX), x1 = clip(SIDE - left, x0, BOX);
    for (int y = clip(-top, 0, BOX); y < BOX && y + top < SIDE; y++)
        memcpy(&frame[y + top][x0 + left], &box[y][x0], (size_t)(x1 - x0) * sizeof box[y][0]);
    float scale = 255 / (4 * most);
    for (int y = 0; y < SIDE; y += 2)
        for (int x = 0; x < SIDE; x += 2) {
            float four = frame[y][x] + frame[y][x + 1] + frame[y + 1][x] + frame[y + 1][x + 1];
            *input++ = (int16_t)lrintf(four * scale);
        }
}

static float log_sum(const float *v, int n)
{
    float most = v[0], sum = 0;
    for (int i = 1; i < n; i++)
        most = fmaxf(most, v[i]);
    for (int i = 0; i < n; i++)
        sum += expf(v[i] - most);
    return most + logf(fmaxf(sum, 1)); /* the largest alone makes it 1 */
}

/* A layer's sums: `in` is `unit` times what it stands for, out is unit * WHOLE_SCALE times. (The sizes
 * are multiples of 8, and constants where this is called, so that it is done in vectors.) */
static inline void layer(const int16_t *in, int ins, int unit, const int16_t *weight,
                         const int16_t *bias, int32_t *out, int outs)
{
    for (int o = 0; o < outs; o++) {
        int32_t sum = 0;
        for (int i = 0; i < ins; i++)
            sum += in[i] * weight[o * ins + i];
        out[o] = sum + bias[o] * unit;
    }
}

/* Of n such sums what is above 0, as UNIT times what it stands for. */
static void relu(const int32_t *sum, int unit, int16_t *out, int n)
{
    float scale = (float)UNIT / (float)(unit * WHOLE_SCALE);
    for (int i = 0; i < n; i++) {
        float v = (float)sum[i] * scale;
        out[i] = (int16_t)(v < 0 ? 0 : v > INT16_MAX ? INT16_MAX : v + 0.5f);
    }
}

static float log_digit(const int16_t *input)
{
    int32_t sum[WHOLE_HIDDEN];
    int16_t hidden[WHOLE_HIDDEN], deeper[WHOLE_DEEPER];
    float out[DIGITS + 1];
    layer(input, WHOLE_INPUTS, 255, whole_weight, whole_bias, sum, WHOLE_HIDDEN);
    relu(sum, 255, hidden, WHOLE_HIDDEN);
    layer(hidden, WHOLE_HIDDEN, UNIT, whole_deeper_weight, whole_deeper_bias, sum, WHOLE_DEEPER);
    relu(sum, UNIT, deeper, WHOLE_DEEPER);
    layer(deeper, WHOLE_DEEPER, UNIT, whole_out_weight, whole_out_bias, sum, DIGITS + 1);
    for (int d = 0; d <= DIGITS; d++)
        out[d] = (float)sum[d] / (UNIT * WHOLE_SCALE);
    return log_sum(out, DIGITS) - log_sum(out, DIGITS + 1);
}

struct whole whole_look(const struct whole_picture *p, const int *left, const int *right)
{
    float box[BOX][BOX];
    int16_t input[WHOLE_INPUTS] = {0};
    struct whole w = {.box = ink_box(p, left, right)};
    if (!w.box.x1)
        return w;
    fit(p, w.box, left, right, box);
    centre(box, input);
    w.log_p = log_digit(input);
    return w;
}

int whole_of(const uint8_t *gray, int w, int h, float *log_p, struct err *e)
{
    struct whole_picture p = {gray, w, h, malloc((size_t)(w + 1) * h * sizeof *p.sums)};
    if (!p.sums)
        return err_set(e, "out of memory");
    whole_sum(&p);
    *log_p = whole_look(&p, NULL, NULL).log_p;
    free(p.sums);
    return 0;
}
