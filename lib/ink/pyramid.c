/* The image pyramid, between the frame and local contrast.
 *
 * Input: gray pixels of any size. Output: the levels, one after the other. Each pixel of a
 * level is the mean of those it stands for (Burt and Adelson, "The Laplacian pyramid as a compact image code", 1983,
 * with a box for the filter); tiny pictures are enlarged by linear interpolation. */
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "steps.h"

/* Levels end before the longest side is below this, in pixels: a digit that fills the picture is small enough
 * for the network there. */
#define MIN_SIDE 28
/* A picture whose longest side is below this, in pixels, is enlarged by a whole number to at least this: its
 * digits are too small for the network. */
#define MIN_FIRST_SIDE 48

/* So many columns are summed at once. */
enum { STRIP = 840 };

/* The means of `rows` rows of w pixels, k by k, at the right of fewer. Columns are summed first, many at once. k is
 * at most 128, so that sums of columns have 16 bits and single precision divides exactly. */
static void reduce_rows(const uint8_t *p, long stride, int w, int rows, int k, uint8_t *out)
{
    uint16_t sum[STRIP];
    for (int n; w > 0; w -= n, p += n) {
        n = min_int(w, STRIP / k * k);
        for (int x = 0; x < n; x++)
            sum[x] = p[x];
        for (int y = 1; y < rows; y++)
            for (int x = 0; x < n; x++)
                sum[x] = (uint16_t)(sum[x] + p[y * stride + x]);
        for (int x = 0; x < n; x += k) {
            int all = 0, count = min_int(k, n - x) * rows;
            for (int i = 0; i < k && x + i < n; i++)
                all += sum[x + i];
            *out++ = (uint8_t)((float)(all + count / 2) / (float)count);
        }
    }
}

/* The same of two whole rows, two by two. */
static void halve(const uint8_t *row, const uint8_t *below, int means, uint8_t *out)
{
    for (int i = 0; i < means; i++)
        out[i] = (uint8_t)((row[2 * i] + row[2 * i + 1] + below[2 * i] + below[2 * i + 1] + 2) / 4);
}

void reduce(const struct source *s, struct box part, int k, uint8_t *out)
{
    int w = box_width(part);
    for (int y = part.y0; y < part.y1; y += k, out += (w + k - 1) / k) {
        const uint8_t *row = s->gray + y * s->stride + part.x0;
        int rows = min_int(k, part.y1 - y), whole = k == 2 && rows == 2 ? w / 2 : 0;
        halve(row, row + s->stride, whole, out);
        if (k == 1)
            memmove(out, row, (size_t)w);
        else
            reduce_rows(row + 2 * whole, s->stride, w - 2 * whole, rows, k, out + whole);
    }
}

/* Where sample i of a line enlarged k times lies between the n samples of the line: after *at, by so many parts
 * of 2k. */
static int between(int i, int k, int n, int *at)
{
    int place = max_int(2 * i + 1 - k, 0);
    *at = min_int(place / (2 * k), n - 1);
    return *at == n - 1 ? 0 : place - *at * 2 * k;
}

static void enlarge(const struct level *p, const struct source *s, int k)
{
    int whole = 2 * k;
    for (int y = 0; y < p->height; y++) {
        int j, down = between(y, k, s->h, &j);
        const uint8_t *a = s->gray + j * s->stride, *b = down ? a + s->stride : a;
        for (int x = 0; x < p->width; x++) {
            int i, right = between(x, k, s->w, &i), next = i + (right > 0);
            int upper = a[i] * (whole - right) + a[next] * right, lower = b[i] * (whole - right) + b[next] * right;
            int sum = upper * (whole - down) + lower * down;
            p->gray[(size_t)y * p->width + x] = (uint8_t)((sum + whole * whole / 2) / (whole * whole));
        }
    }
}

int pyramid_make(struct pyramid *p, const struct source *s, int side, struct err *e)
{
    int longest = max_int(s->w, s->h), more = (MIN_FIRST_SIDE + longest - 1) / longest;
    int less = (longest + side - 1) / side;
    int w = more * ((s->w + less - 1) / less), h = more * ((s->h + less - 1) / less);
    struct level l = {NULL, w, h, (double)less / more};
    if (grow_to(&p->gray, 2 * (size_t)l.width * (size_t)l.height + 2 * MAX_LEVELS, &p->room, 1, e))
        return -1;
    l.gray = p->gray;
    if (more == 1)
        reduce(s, (struct box){0, 0, s->w, s->h}, less, l.gray);
    else
        enlarge(&l, s, more);
    p->level[0] = l;
    for (p->levels = 1; max_int(l.width, l.height) >= 2 * MIN_SIDE; p->level[p->levels++] = l) {
        struct source above = {l.gray, l.width, l.width, l.height};
        uint8_t *next = l.gray + (size_t)l.width * (size_t)l.height;
        l = (struct level){next, (l.width + 1) / 2, (l.height + 1) / 2, 2 * l.scale};
        reduce(&above, (struct box){0, 0, above.w, above.h}, 2, l.gray);
    }
    return 0;
}

void pyramid_free(struct pyramid *p)
{
    free(p->gray);
    *p = (struct pyramid){0};
}
