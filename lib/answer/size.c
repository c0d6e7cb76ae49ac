/* Frames in the size that a model reads.
 *   in   a frame of preproc, 28x28
 *   out  the same padded with black, or scaled: each pixel the mean of those under a triangle as wide as a pixel of
 *        the smaller picture, so that nothing is skipped where the model's is smaller */
#include "answer.h"

#include <math.h>
#include <string.h>

/* A side up to a quarter longer than the frame's is padded, as LeCun et al. (1998) do for their 32x32; beyond that
 * the digit would be too small in it. */
#define MAX_PADDED (MODEL_FRAME * 5 / 4)

bool model_takes(const struct model *m, int width, int height)
{
    return (width == m->width && height == m->height) || (width == MODEL_FRAME && height == MODEL_FRAME);
}

/* The pixels under the triangle around x: from *first to before *end. */
static void span(double x, double radius, int size, int *first, int *end)
{
    *first = (int)fmax(ceil(x - radius - .5), 0);
    *end = (int)fmin(floor(x + radius - .5) + 1, size);
}

static double weight(double x, double radius, int i)
{
    return fmax(1 - fabs(i + .5 - x) / radius, 0);
}

/* The value at (x, y) of the frame, in its pixels, when one pixel of the result is `step` of its. */
static uint8_t sample(const uint8_t *gray, int width, int height, double x, double y, double step)
{
    double radius = step > 1 ? step : 1, sum = 0, all = 0;
    int left, right, top, bottom;
    span(x, radius, width, &left, &right);
    span(y, radius, height, &top, &bottom);
    for (int i = top; i < bottom; i++)
        for (int j = left; j < right; j++) {
            double w = weight(y, radius, i) * weight(x, radius, j);
            sum += w * gray[i * width + j];
            all += w;
        }
    return all > 0 ? (uint8_t)lrint(sum / all) : 0;
}

void model_fit(const struct model *m, const uint8_t *gray, int width, int height, uint8_t *to)
{
    if (width == m->width && height == m->height) {
        memcpy(to, gray, (size_t)width * (size_t)height);
        return;
    }
    bool padded = m->width >= width && m->height >= height && m->width <= MAX_PADDED && m->height <= MAX_PADDED;
    double step = padded ? 1 : fmax((double)width / m->width, (double)height / m->height);
    int left = (m->width - (int)lrint(width / step)) / 2, top = (m->height - (int)lrint(height / step)) / 2;
    for (int i = 0; i < m->height; i++)
        for (int j = 0; j < m->width; j++) {
            double x = (j - left + .5) * step, y = (i - top + .5) * step;
            bool inside = x > 0 && x < width && y > 0 && y < height;
            to[(long)i * m->width + j] = !inside  ? 0
                                         : padded ? gray[(int)y * width + (int)x]
                                                  : sample(gray, width, height, x, y, step);
        }
}
