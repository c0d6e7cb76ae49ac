/* Painting into memory.
 *   in   a surface of 0x00RRGGBB, shapes, gray pictures, text
 *   out  the surface's pixels
 * Pictures are shrunk by whole factors by averaging, then resampled bilinearly. */
#include "window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/box.h"
#include "font.h"

void paint_fill(struct window_surface *s, struct box r, uint32_t color)
{
    r = box_clip(r, s->width, s->height);
    for (int y = r.y0; y < r.y1; y++)
        for (int x = r.x0; x < r.x1; x++)
            s->pixels[(size_t)y * s->width + x] = color;
}

void paint_outline(struct window_surface *s, struct box r, int thick, uint32_t color)
{
    paint_fill(s, box_at(r.x0, r.y0, box_width(r), thick), color);
    paint_fill(s, box_at(r.x0, r.y1 - thick, box_width(r), thick), color);
    paint_fill(s, box_at(r.x0, r.y0, thick, box_height(r)), color);
    paint_fill(s, box_at(r.x1 - thick, r.y0, thick, box_height(r)), color);
}

struct box paint_fit(struct box room, int width, int height)
{
    double scale = fmin((double)box_width(room) / width, (double)box_height(room) / height);
    int w = (int)fmax(1, width * scale), h = (int)fmax(1, height * scale);
    return box_at(room.x0 + (box_width(room) - w) / 2, room.y0 + (box_height(room) - h) / 2, w, h);
}

uint32_t paint_mix(uint32_t a, uint32_t b, double part)
{
    uint32_t mixed = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        double x = a >> shift & 255, y = b >> shift & 255;
        mixed |= (uint32_t)lround(x + (y - x) * part) << shift;
    }
    return mixed;
}

/* One output coordinate of a resampling: input coordinates low and high, of weights 256 - part and part. */
struct tap {
    int low, high, part;
};

static void make_taps(struct tap *t, int out, int first, int count, int n, bool blocks)
{
    for (int i = 0; i < count; i++) {
        double at = (first + i + 0.5) * n / out - 0.5;
        at = at < 0 ? 0 : at > n - 1 ? n - 1 : at;
        int low = blocks ? (int)(at + 0.5) : (int)at;
        int high = low + 1 < n ? low + 1 : low;
        t[i] = (struct tap){low, high, blocks ? 0 : (int)((at - low) * 256)};
    }
}

/* Downsample by `block`, each pixel the mean of block x block, so that thin lines do not vanish. The
 * caller frees the result, NULL when memory is short. */
static uint8_t *shrink(const uint8_t *gray, int width, int height, int block)
{
    int w = width / block, h = height / block;
    uint8_t *small = malloc((size_t)w * h);
    if (!small)
        return NULL;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            unsigned sum = 0;
            for (int v = 0; v < block; v++)
                for (int u = 0; u < block; u++)
                    sum += gray[((size_t)y * block + v) * width + (size_t)x * block + u];
            small[(size_t)y * w + x] = (uint8_t)(sum / (unsigned)(block * block));
        }
    return small;
}

static void paint_rows(struct window_surface *s, struct box c, const uint8_t *gray, int width,
                       const struct tap *tx, const struct tap *ty)
{
    for (int y = 0; y < box_height(c); y++) {
        const uint8_t *a = gray + (size_t)ty[y].low * width, *b = gray + (size_t)ty[y].high * width;
        uint32_t *out = s->pixels + (size_t)(c.y0 + y) * s->width + c.x0;
        int q = ty[y].part;
        for (int x = 0; x < box_width(c); x++) {
            struct tap t = tx[x];
            int top = a[t.low] * (256 - t.part) + a[t.high] * t.part;
            int low = b[t.low] * (256 - t.part) + b[t.high] * t.part;
            uint32_t v = (uint32_t)(top * (256 - q) + low * q) >> 16;
            out[x] = v * 0x010101;
        }
    }
}

static void paint_straight(struct window_surface *s, struct box r, struct box c, const uint8_t *gray)
{
    for (int y = 0; y < box_height(c); y++) {
        const uint8_t *in = gray + (size_t)(c.y0 - r.y0 + y) * box_width(r) + (c.x0 - r.x0);
        uint32_t *out = s->pixels + (size_t)(c.y0 + y) * s->width + c.x0;
        for (int x = 0; x < box_width(c); x++)
            out[x] = in[x] * 0x010101u;
    }
}

void paint_gray(struct window_surface *s, struct box r, const uint8_t *gray, int width, int height, bool blocks)
{
    struct box c = box_clip(r, s->width, s->height);
    if (box_empty(c))
        return;
    if (box_width(r) == width && box_height(r) == height) {
        paint_straight(s, r, c, gray);
        return;
    }
    int out_w = box_width(r), out_h = box_height(r), w = box_width(c), h = box_height(c);
    int block = blocks ? 1 : (int)fmin((double)width / out_w, (double)height / out_h);
    uint8_t *small = NULL;
    if (block > 1 && (small = shrink(gray, width, height, block))) {
        gray = small;
        width /= block;
        height /= block;
    }
    struct tap *taps = malloc(((size_t)w + h) * sizeof *taps);
    if (taps) {
        make_taps(taps, out_w, c.x0 - r.x0, w, width, blocks);
        make_taps(taps + w, out_h, c.y0 - r.y0, h, height, blocks);
        paint_rows(s, c, gray, width, taps, taps + w);
    }
    free(taps);
    free(small);
}

static void lay(struct window_surface *s, int left, int top, const struct pen *p, uint32_t color)
{
    struct box c = box_clip(box_at(left, top, p->width, p->height), s->width, s->height);
    for (int y = c.y0; y < c.y1; y++)
        for (int x = c.x0; x < c.x1; x++) {
            uint8_t v = p->mask[(size_t)(y - top) * p->width + (x - left)];
            uint32_t *out = &s->pixels[(size_t)y * s->width + x];
            if (v)
                *out = v == 255 ? color : paint_mix(*out, color, v / 255.0);
        }
}

double paint_text(struct window_surface *s, double x, double y, double size, double bold, uint32_t color,
                  const char *text)
{
    double scale = size / FONT_CAP, radius = fmax(0.5, FONT_PEN * bold * scale / 2);
    int margin = (int)ceil(radius) + 2;
    for (; *text; text++) {
        const struct glyph *g = font_glyph((unsigned char)*text);
        int left = (int)floor(x) - margin, top = (int)floor(y - size * 1.2) - margin;
        struct pen p = {.width = (int)ceil(g->width * scale) + 2 * margin + 1,
                        .height = (int)ceil(size * 1.6) + 2 * margin,
                        .left = x - left,
                        .top = y - size - top,
                        .scale = scale,
                        .radius = radius};
        p.mask = calloc((size_t)p.width, (size_t)p.height);
        if (p.mask) {
            font_draw(g->path, &p);
            lay(s, left, top, &p, color);
        }
        free(p.mask);
        x += (g->width + FONT_SPACE) * scale;
    }
    return x;
}

double paint_text_width(double size, const char *text)
{
    double units = 0;
    for (; *text; text++)
        units += font_glyph((unsigned char)*text)->width + FONT_SPACE;
    return (units > 0 ? units - FONT_SPACE : 0) * size / FONT_CAP;
}
