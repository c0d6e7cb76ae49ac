/* Frames in the size that a model reads, and frames that are none of preproc's.
 *   in   a frame of preproc, 28x28
 *   out  the same padded with black, or scaled: each pixel the mean of those under a triangle as wide as a pixel of
 *        the smaller picture, so that nothing is skipped where the model's is smaller; or what is odd about it */
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

/* The box of the pixels of at least 128, and the centre of mass of all. */
struct extent {
    int left, right, top, bottom; /* all inside */
    double x, y;
};

static struct extent measure(const uint8_t *gray, int width, int height)
{
    struct extent m = {.left = width, .right = -1, .top = height, .bottom = -1};
    double mass = 0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int g = gray[y * width + x];
            mass += g;
            m.x += g * (x + 0.5);
            m.y += g * (y + 0.5);
            if (g < 128)
                continue;
            m.left = x < m.left ? x : m.left;
            m.right = x > m.right ? x : m.right;
            m.top = y < m.top ? y : m.top;
            m.bottom = y;
        }
    m.x /= mass > 0 ? mass : 1;
    m.y /= mass > 0 ? mass : 1;
    return m;
}

/* In all of MNIST the border's mean is at most 9. In one frame of a hundred a digit touches the border;
 * its box is still at most 20 pixels long, and its centre of mass within a pixel of the middle. */
enum model_doubt model_doubt(const uint8_t *gray, int width, int height)
{
    long sum = 0, count = 0;
    int brightest = 0;
    for (int y = 0; y < height; y++) {
        int step = y == 0 || y == height - 1 || width == 1 ? 1 : width - 1;
        for (int x = 0; x < width; x += step) {
            int g = gray[y * width + x];
            sum += g;
            count++;
            brightest = g > brightest ? g : brightest;
        }
    }
    if (sum > 64 * count)
        return DOUBT_PAPER;
    if (brightest < 128)
        return DOUBT_NONE;
    struct extent ink = measure(gray, width, height);
    bool large = 28 * (ink.right - ink.left) > 20 * width || 28 * (ink.bottom - ink.top) > 20 * height;
    bool aside = fabs(ink.x - width / 2.0) > 1.5 || fabs(ink.y - height / 2.0) > 1.5;
    return large || aside ? DOUBT_EDGE : DOUBT_NONE;
}
