/* Pixels that are not square. Input is a gray frame and what its file says of its resolution, output a frame
 * whose pixels are as wide as high, by linear interpolation along the coarser side. */
#include "square.h"

#include <math.h>
#include <string.h>

/* Sides of a pixel whose ratio is less are square: a fax's 204 by 196 dots an inch are. */
#define MIN_UNEQUAL 1.1
/* A ratio above this is a mistake of the file. */
#define MAX_UNEQUAL 8

double square_of_jpeg(const uint8_t *bytes, size_t len)
{
    static const uint8_t begin[] = {0xff, 0xd8, 0xff, 0xe0};
    if (len < 18 || memcmp(bytes, begin, 4) || memcmp(bytes + 6, "JFIF", 5))
        return 0;
    int unit = bytes[13], x = bytes[14] << 8 | bytes[15], y = bytes[16] << 8 | bytes[17];
    return unit >= 1 && unit <= 2 && x > 0 ? (double)y / x : 0;
}

/* Interpolate n samples that are `step` apart to m: to[i * step]. */
static void stretch(uint8_t *to, int m, const uint8_t *from, int n, ptrdiff_t step)
{
    for (int i = 0; i < m; i++) {
        double at = fmin(fmax((i + 0.5) * n / m - 0.5, 0), n - 1);
        int low = (int)at, high = low + 1 < n ? low + 1 : low;
        int a = from[low * step], b = from[high * step];
        to[i * step] = (uint8_t)(a + (b - a) * (at - low) + 0.5);
    }
}

int square_pixels(struct frame *f, double wide, struct frame *spare, struct err *e)
{
    double ratio = wide > 1 ? wide : 1 / wide;
    if (!(ratio >= MIN_UNEQUAL && ratio <= MAX_UNEQUAL))
        return 0;
    double width = round(f->width * fmax(wide, 1)), height = round(f->height * fmax(1 / wide, 1));
    if (width > FRAME_MAX_SIDE || height > FRAME_MAX_SIDE || width * height > FRAME_MAX_PIXELS)
        return 0;
    if (frame_resize(spare, (int)width, (int)height, e))
        return -1;
    if (wide > 1)
        for (int y = 0; y < f->height; y++)
            stretch(spare->gray + (size_t)y * spare->width, spare->width,
                    f->gray + (size_t)y * f->width, f->width, 1);
    else
        for (int x = 0; x < f->width; x++)
            stretch(spare->gray + x, spare->height, f->gray + x, f->height, f->width);
    struct frame squared = *f;
    squared.gray = spare->gray;
    squared.gray_size = spare->gray_size;
    squared.width = spare->width;
    squared.height = spare->height;
    spare->gray = f->gray;
    spare->gray_size = f->gray_size;
    *f = squared;
    return 0;
}
