#include "whole.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "whole_table.h"

#define SIDE 28
#define BOX 20
#define INKED 76 /* fainter pixels do not count for the box */
#define DIGITS 10

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

static struct whole ink_box(const struct whole_picture *p, const int *left, const int *right)
{
    struct whole b = {p->w, p->h, 0, 0, 0};
    for (int y = 0; y < p->h; y++) {
        const uint8_t *row = p->gray + (long)y * p->w;
        int first = left[y], last = right[y];
        while (first < last && row[first] <= INKED)
            first++;
        while (last > first && row[last - 1] <= INKED)
            last--;
        if (first == last)
            continue;
        b.x0 = b.x0 < first ? b.x0 : first;
        b.x1 = b.x1 > last ? b.x1 : last;
        b.y0 = b.y0 < y ? b.y0 : y;
        b.y1 = y + 1;
    }
    return b.x1 ? b : (struct whole){0};
}

/* The sum of row y up to x, between pixels too. */
static float sum_to(const struct whole_picture *p, int y, float x)
{
    int whole = (int)x < p->w ? (int)x : p->w - 1;
    return (float)p->sums[(long)y * (p->w + 1) + whole] +
           (x - (float)whole) * (float)p->gray[(long)y * p->w + whole];
}

/* The ink of box b as BOX x BOX pixels, its aspect kept. */
static void fit(const struct whole_picture *p, const struct whole *b, const int *left,
                const int *right, float out[BOX][BOX])
{
    int w = b->x1 - b->x0, h = b->y1 - b->y0;
    float size = (float)(w > h ? w : h) / BOX, reach = fmaxf(size, 1) / 2;
    memset(out, 0, BOX * sizeof *out);
    for (int y = b->y0; y < b->y1; y++) {
        float line[BOX] = {0}, low = (float)left[y], high = (float)right[y];
        if (left[y] >= right[y])
            continue;
        for (int t = 0; t < BOX; t++) {
            float middle = (float)b->x0 + ((float)t + 0.5f) * size;
            float from = fmaxf(low, middle - reach), to = fminf(high, middle + reach);
            line[t] = to > from ? sum_to(p, y, to) - sum_to(p, y, from) : 0;
        }
        int first = (int)(((float)(y - b->y0) - reach) / size - 0.5f);
        for (int t = first < 0 ? 0 : first; t < BOX; t++) {
            float middle = (float)b->y0 + ((float)t + 0.5f) * size;
            float part = fminf((float)(y + 1), middle + reach) - fmaxf((float)y, middle - reach);
            if (middle - reach >= (float)(y + 1))
                break;
            for (int i = 0; part > 0 && i < BOX; i++)
                out[t][i] += part * line[i];
        }
    }
}

/* What the network sees: the box with its centre of mass in the middle, means of 2x2 pixels. */
static void centre(float box[BOX][BOX], int16_t *input)
{
    float sum = 1e-9f, sx = 0, sy = 0, most = 1e-9f, frame[SIDE][SIDE] = {0};
    for (int y = 0; y < BOX; y++)
        for (int x = 0; x < BOX; x++) {
            float v = box[y][x];
            sum += v;
            sx += v * ((float)x + 0.5f);
            sy += v * ((float)y + 0.5f);
            most = fmaxf(most, v);
        }
    int left = (int)lrintf(SIDE / 2 - sx / sum), top = (int)lrintf(SIDE / 2 - sy / sum);
    for (int y = 0; y < BOX; y++)
        for (int x = 0; x < BOX; x++)
            if (y + top >= 0 && y + top < SIDE && x + left >= 0 && x + left < SIDE)
                frame[y + top][x + left] = box[y][x];
    for (int y = 0; y < SIDE; y += 2)
        for (int x = 0; x < SIDE; x += 2) {
            float four = frame[y][x] + frame[y][x + 1] + frame[y + 1][x] + frame[y + 1][x + 1];
            input[y / 2 * (SIDE / 2) + x / 2] = (int16_t)lrintf(four * 255 / 4 / most);
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

static void layer(const float *in, int ins, const int16_t *weight, const int16_t *bias, float *out,
                  int outs)
{
    for (int o = 0; o < outs; o++)
        out[o] = bias[o];
    for (int i = 0; i < ins; i++)
        for (int o = 0; in[i] != 0 && o < outs; o++)
            out[o] += in[i] * weight[o * ins + i];
    for (int o = 0; o < outs; o++)
        out[o] /= WHOLE_SCALE;
}

static float log_digit(const int16_t *input)
{
    float hidden[WHOLE_HIDDEN], deeper[WHOLE_DEEPER], out[DIGITS + 1];
    for (int h = 0; h < WHOLE_HIDDEN; h++) {
        int unit = whole_bias[h] * 255;
        for (int i = 0; i < WHOLE_INPUTS; i++)
            unit += whole_weight[h * WHOLE_INPUTS + i] * input[i];
        hidden[h] = unit > 0 ? (float)unit / (255 * WHOLE_SCALE) : 0;
    }
    layer(hidden, WHOLE_HIDDEN, whole_deeper_weight, whole_deeper_bias, deeper, WHOLE_DEEPER);
    for (int h = 0; h < WHOLE_DEEPER; h++)
        deeper[h] = fmaxf(0, deeper[h]);
    layer(deeper, WHOLE_DEEPER, whole_out_weight, whole_out_bias, out, DIGITS + 1);
    return log_sum(out, DIGITS) - log_sum(out, DIGITS + 1);
}

struct whole whole_look(const struct whole_picture *p, const int *left, const int *right)
{
    float box[BOX][BOX];
    int16_t input[WHOLE_INPUTS];
    struct whole w = ink_box(p, left, right);
    if (!w.x1)
        return w;
    fit(p, &w, left, right, box);
    centre(box, input);
    w.log_p = log_digit(input);
    return w;
}

int whole_of(const uint8_t *gray, int w, int h, float *log_p, struct err *e)
{
    struct whole_picture p = {gray, w, h, malloc((size_t)(w + 1) * h * sizeof *p.sums)};
    int *sides = malloc(2 * (size_t)h * sizeof *sides);
    if (p.sums && sides) {
        for (int y = 0; y < h; y++) {
            sides[y] = 0;
            sides[h + y] = w;
        }
        whole_sum(&p);
        *log_p = whole_look(&p, sides, sides + h).log_p;
    }
    bool whole = p.sums && sides;
    free(p.sums);
    free(sides);
    return whole ? 0 : err_set(e, "out of memory");
}
