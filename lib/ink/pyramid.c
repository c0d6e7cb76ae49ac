/* The image pyramid (pyramid.h), between the frame and local contrast.
 *
 * Input: gray pixels of any size. Output: the levels, one after the other in one buffer. Each pixel of a
 * level is the mean of those it stands for (Burt and Adelson, "The Laplacian pyramid as a compact image
 * code", 1983, with a box for the filter); tiny pictures are enlarged by linear interpolation. */
#include "pyramid.h"

#include <stdlib.h>
#include <string.h>

#include "base/box.h"
#include "base/grow.h"

#define MIN_SIDE 28   /* pixels: no level but the first has a longest side below this */
#define TINY_SIDE 48   /* pixels: a picture whose longest side is below this is enlarged by a whole number to at least this */

/* The means of k x k pixels each; at the right and lower edge of fewer. */
static void reduce_row(const uint8_t *gray, long stride, int w, int rows, int k, uint32_t *sum, uint8_t *out)
{
    int width = (w + k - 1) / k;
    memset(sum, 0, (size_t)width * sizeof *sum);
    for (int j = 0; j < rows; j++, gray += stride)
        for (int x = 0, at = 0; x < width; x++)
            for (int end = min_int(at + k, w); at < end; at++)
                sum[x] += gray[at];
    for (int x = 0; x < width; x++) {
        uint32_t count = (uint32_t)(rows * (min_int(x * k + k, w) - x * k));
        out[x] = (uint8_t)((sum[x] + count / 2) / count);
    }
}

/* The mean of two rows of n pixels and of each two of their pixels. */
static void halve_row(const uint8_t *restrict a, const uint8_t *restrict b, int n, uint8_t *restrict out)
{
    for (int x = 0; x < n; x++)
        out[x] = (uint8_t)((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) / 4);
}

static int reduce(struct pyramid *p, const uint8_t *gray, long stride, int w, int h, int k, struct err *e)
{
    uint32_t *sum = malloc((size_t)p->width * sizeof *sum);
    if (!sum)
        return err_set(e, "out of memory");
    for (int y = 0; y < p->height; y++) {
        const uint8_t *row = gray + (long)y * k * stride;
        uint8_t *out = p->gray + (size_t)y * p->width;
        int rows = min_int(k, h - y * k);
        if (k == 1) {
            memcpy(out, row, (size_t)w);
        } else if (k == 2 && rows == 2 && w % 2 == 0) {
            halve_row(row, row + stride, p->width, out);
        } else {
            reduce_row(row, stride, w, rows, k, sum, out);
        }
    }
    free(sum);
    return 0;
}

/* Where sample i of a line enlarged k times lies between samples of the line: after *at, by so many parts
 * of 2k. */
static int between(int i, int k, int n, int *at)
{
    int place = max_int(2 * i + 1 - k, 0);
    *at = min_int(place / (2 * k), n - 1);
    return *at == n - 1 ? 0 : place - *at * 2 * k;
}

static void enlarge(struct pyramid *p, const uint8_t *gray, long stride, int w, int h, int k)
{
    int whole = 2 * k;
    for (int y = 0; y < p->height; y++) {
        int j, down = between(y, k, h, &j);
        const uint8_t *a = gray + j * stride, *b = down ? a + stride : a;
        for (int x = 0; x < p->width; x++) {
            int i, right = between(x, k, w, &i), next = i + (right > 0);
            int upper = a[i] * (whole - right) + a[next] * right;
            int lower = b[i] * (whole - right) + b[next] * right;
            int sum = upper * (whole - down) + lower * down;
            p->gray[(size_t)y * p->width + x] = (uint8_t)((sum + whole * whole / 2) / (whole * whole));
        }
    }
}

int pyramid_start(struct pyramid *p, const uint8_t *gray, long stride, int w, int h, int side, struct err *e)
{
    int longest = max_int(w, h), more = (TINY_SIDE + longest - 1) / longest;
    int less = (longest + side - 1) / side;
    p->width = more * ((w + less - 1) / less);
    p->height = more * ((h + less - 1) / less);
    p->scale = (double)less / more;
    uint8_t *room = grow(p->gray, (size_t)p->width * (size_t)p->height, &p->room, 1, e);
    if (!room)
        return -1;
    p->gray = room;
    if (more == 1)
        return reduce(p, gray, stride, w, h, less, e);
    enlarge(p, gray, stride, w, h, more);
    return 0;
}

int pyramid_next(struct pyramid *p)
{
    int w = p->width, h = p->height, width = (w + 1) / 2;
    if (max_int(w, h) < 2 * MIN_SIDE)
        return 0;
    for (int y = 0; y < h; y += 2) { /* what is written has been read */
        const uint8_t *a = p->gray + (size_t)y * w, *b = y + 1 < h ? a + w : a;
        uint8_t *out = p->gray + (size_t)(y / 2) * width;
        for (int x = 0; x < w / 2; x++)
            out[x] = (uint8_t)((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) / 4);
        if (w % 2)
            out[width - 1] = (uint8_t)((a[w - 1] + b[w - 1] + 1) / 2);
    }
    p->width = width;
    p->height = (h + 1) / 2;
    p->scale *= 2;
    return 1;
}

void pyramid_free(struct pyramid *p)
{
    free(p->gray);
    *p = (struct pyramid){0};
}
