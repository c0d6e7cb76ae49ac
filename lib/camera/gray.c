/* Gray frames of decoded pictures. Input is libavcodec's picture in any pixel format: its luma as it is
 * where it has one, by its range; of anything else libswscale makes RGBA first, and BT.601 weighs the
 * colours. What is transparent is laid on paper; frames are turned upright, made of square pixels, cut. */
#include "picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#define WHITE 255
#define MAX_FAINT 8 /* What differs from white by at most so many gray levels cannot be seen on it. */
#define MIN_UNEQUAL 1.1 /* A pixel is square whose sides' ratio is less: a fax's 204 by 196 dots an inch are. */
#define MAX_UNEQUAL 8   /* A ratio above this is a mistake of the file. */

/* The samples that are black and white. */
struct range {
    int black, white;
};

static bool is_full_range(const AVFrame *in, const AVPixFmtDescriptor *d)
{
    if (in->color_range != AVCOL_RANGE_UNSPECIFIED)
        return in->color_range == AVCOL_RANGE_JPEG;
    return d->nb_components < 3 || !strncmp(d->name, "yuvj", 4);
}

static struct range full_range(int depth)
{
    return (struct range){0, (1 << depth) - 1};
}

static struct range luma_range(const AVFrame *in, const AVPixFmtDescriptor *d)
{
    int depth = d->comp[0].depth;
    if (is_full_range(in, d))
        return full_range(depth);
    return (struct range){16 << (depth - 8), 235 << (depth - 8)};
}

/* Component c of every pixel, of 8 to 16 bits, as 8 bits: to [height][width]. */
static int take_component(uint8_t *to, const AVFrame *in, const AVPixFmtDescriptor *d,
                          const AVComponentDescriptor *c, struct range r, struct err *e)
{
    int mask = (1 << c->depth) - 1, low = d->flags & AV_PIX_FMT_FLAG_BE ? 1 : 0;
    float scale = 255.0f / (r.white - r.black);
    uint8_t *table = malloc(mask + 1);
    if (!table)
        return err_set(e, "out of memory");
    for (int i = 0; i <= mask; i++)
        table[i] = fminf(255, fmaxf(0, (i - r.black) * scale + 0.5f));
    for (int y = 0; y < in->height; y++, to += in->width) {
        const uint8_t *from = in->data[c->plane] + (ptrdiff_t)y * in->linesize[c->plane] + c->offset;
        if (c->depth == 8 && r.black == 0 && c->step == 1)
            memcpy(to, from, in->width);
        else if (c->depth == 8)
            for (int x = 0; x < in->width; x++)
                to[x] = table[from[(ptrdiff_t)x * c->step]];
        else
            for (int x = 0; x < in->width; x++, from += c->step)
                to[x] = table[(from[low] | from[!low] << 8) >> c->shift & mask];
    }
    free(table);
    return 0;
}

/* A picture in RGBA. NULL: e says why; free with av_frame_free. */
static AVFrame *to_rgba(const AVFrame *in, struct err *e)
{
    AVFrame *out = av_frame_alloc();
    struct SwsContext *scaler = NULL;
    if (sws_isSupportedInput(in->format))
        scaler = sws_getContext(in->width, in->height, in->format, in->width, in->height,
                                AV_PIX_FMT_RGBA, SWS_POINT, NULL, NULL, NULL);
    if (!scaler)
        err_set(e, "pixel format %s is not supported", av_get_pix_fmt_name(in->format));
    if (scaler && out) {
        out->format = AV_PIX_FMT_RGBA;
        out->width = in->width;
        out->height = in->height;
    }
    if (!scaler || !out || av_frame_get_buffer(out, 0) < 0) {
        if (scaler)
            err_set(e, "out of memory");
        av_frame_free(&out);
    } else {
        const int *table = sws_getCoefficients(SWS_CS_DEFAULT);
        sws_setColorspaceDetails(scaler, table, 1, table, 1, 0, 1 << 16, 1 << 16);
        sws_scale(scaler, (const uint8_t *const *)in->data, in->linesize, 0, in->height, out->data, out->linesize);
    }
    sws_freeContext(scaler);
    return out;
}

/* Gray, and unless NULL opaque, of any picture: [height][width] each. */
static int take_colours(uint8_t *gray, uint8_t *opaque, const AVFrame *in, struct err *e)
{
    AVFrame *rgba = to_rgba(in, e);
    for (int y = 0; rgba && y < rgba->height; y++) {
        const uint8_t *from = rgba->data[0] + (ptrdiff_t)y * rgba->linesize[0];
        for (int x = 0; x < rgba->width; x++) {
            const uint8_t *p = from + 4 * x;
            *gray++ = (uint8_t)((19595 * p[0] + 38470 * p[1] + 7471 * p[2] + 32768) >> 16);
            if (opaque)
                *opaque++ = p[3];
        }
    }
    int status = rgba ? 0 : -1;
    av_frame_free(&rgba);
    return status;
}

/* A gray of that opacity, 0..255, composed over `paper`. */
static int on_paper(int gray, int opaque, int paper)
{
    return (gray * opaque + paper * (255 - opaque) + 127) / 255;
}

/* The darkest and the lightest of n pixels on paper. */
static struct range range_on_paper(const uint8_t *gray, const uint8_t *opaque, size_t n, int paper)
{
    struct range r = {255, 0};
    for (size_t i = 0; i < n; i++) {
        int v = on_paper(gray[i], opaque[i], paper);
        r.black = v < r.black ? v : r.black;
        r.white = v > r.white ? v : r.white;
    }
    return r;
}

/* Compose n pixels over white; over black where that leaves nothing to be seen, as of white ink for a dark page. */
static void lay_on_paper(uint8_t *gray, const uint8_t *opaque, size_t n)
{
    int paper = WHITE;
    if (range_on_paper(gray, opaque, n, WHITE).black >= WHITE - MAX_FAINT) {
        struct range on_black = range_on_paper(gray, opaque, n, 0);
        paper = on_black.black < on_black.white ? 0 : WHITE;
    }
    for (size_t i = 0; i < n; i++)
        gray[i] = (uint8_t)on_paper(gray[i], opaque[i], paper);
}

/* True when the first component is an integer luma. */
static bool has_luma(const AVPixFmtDescriptor *d)
{
    const uint64_t others = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM |
                            AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER;
    return !(d->flags & others) && d->comp[0].depth >= 8 && d->comp[0].depth <= 16 && strncmp(d->name, "xyz", 3) != 0;
}

static int convert(struct frame *out, uint8_t *opaque, const AVFrame *in, const AVPixFmtDescriptor *d, struct err *e)
{
    const AVComponentDescriptor *last = &d->comp[d->nb_components - 1];
    if (!has_luma(d))
        return take_colours(out->gray, opaque, in, e);
    if (opaque && take_component(opaque, in, d, last, full_range(last->depth), e))
        return -1;
    return take_component(out->gray, in, d, &d->comp[0], luma_range(in, d), e);
}

int gray_from_picture(struct frame *out, const AVFrame *in, struct err *e)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(in->format);
    if (!d || (d->flags & AV_PIX_FMT_FLAG_HWACCEL))
        return err_set(e, "the decoder gave a picture of an unknown pixel format");
    if (frame_resize(out, in->width, in->height, e))
        return -1;
    size_t n = (size_t)in->width * in->height;
    bool transparent = d->flags & (AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_PAL);
    uint8_t *opaque = transparent ? malloc(n) : NULL;
    if (transparent && !opaque)
        return err_set(e, "out of memory");
    int status = convert(out, opaque, in, d, e);
    if (!status && opaque)
        lay_on_paper(out->gray, opaque, n);
    free(opaque);
    return status;
}

void gray_put(struct frame *canvas, const struct frame *tile, int x, int y)
{
    if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height)
        return;
    int width = tile->width < canvas->width - x ? tile->width : canvas->width - x;
    int height = tile->height < canvas->height - y ? tile->height : canvas->height - y;
    for (int row = 0; row < height; row++)
        memcpy(canvas->gray + (size_t)(y + row) * canvas->width + x, tile->gray + (size_t)row * tile->width, width);
}

/* Give f the pixels and the size of `made`, and that the memory of f's. */
static void take_pixels(struct frame *f, struct frame *made)
{
    struct frame old = *f;
    f->gray = made->gray;
    f->gray_size = made->gray_size;
    f->width = made->width;
    f->height = made->height;
    made->gray = old.gray;
    made->gray_size = old.gray_size;
}

/* Copy pixel (x, y) to to[start + y * step_y + x * step_x]. */
static void turn_pixels(uint8_t *to, const struct frame *from, ptrdiff_t start, ptrdiff_t step_x, ptrdiff_t step_y)
{
    enum { BLOCK = 64 }; /* Pixels a side of a tile: a tile of both pictures fits the first-level cache. */
    for (int top = 0; top < from->height; top += BLOCK)
        for (int left = 0; left < from->width; left += BLOCK) {
            int bottom = top + BLOCK < from->height ? top + BLOCK : from->height;
            int right = left + BLOCK < from->width ? left + BLOCK : from->width;
            for (int y = top; y < bottom; y++) {
                const uint8_t *row = from->gray + (size_t)y * from->width;
                uint8_t *p = to + start + y * step_y + left * step_x;
                for (int x = left; x < right; x++, p += step_x)
                    *p = row[x];
            }
        }
}

int gray_turn(struct frame *f, int orientation, struct frame *spare, struct err *e)
{
    if (orientation < 2 || orientation > 8)
        return 0;
    ptrdiff_t w = f->width, h = f->height;
    bool swap = orientation >= 5;
    if (frame_resize(spare, swap ? h : w, swap ? w : h, e))
        return -1;
    const struct {
        ptrdiff_t start, step_x, step_y;
    } way[9] = {
        [2] = {w - 1, -1, w},
        [3] = {w * h - 1, -1, -w},
        [4] = {w * (h - 1), 1, -w},
        [5] = {0, h, 1},
        [6] = {h - 1, h, -1},
        [7] = {w * h - 1, -h, -1},
        [8] = {h * (w - 1), -h, 1},
    };
    turn_pixels(spare->gray, f, way[orientation].start, way[orientation].step_x, way[orientation].step_y);
    take_pixels(f, spare);
    return 0;
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

int gray_square(struct frame *f, double wide, struct frame *spare, struct err *e)
{
    double ratio = wide > 1 ? wide : 1 / wide;
    if (!(ratio >= MIN_UNEQUAL && ratio <= MAX_UNEQUAL))
        return 0;
    double width = round(f->width * fmax(wide, 1)), height = round(f->height * fmax(1 / wide, 1));
    if (frame_check_size(width, height, NULL))
        return 0;
    if (frame_resize(spare, (int)width, (int)height, e))
        return -1;
    if (wide > 1)
        for (int y = 0; y < f->height; y++)
            stretch(spare->gray + (size_t)y * spare->width, spare->width, f->gray + (size_t)y * f->width, f->width, 1);
    else
        for (int x = 0; x < f->width; x++)
            stretch(spare->gray + x, spare->height, f->gray + x, f->height, f->width);
    take_pixels(f, spare);
    return 0;
}

int gray_cut(struct frame *f, int x, int y, int width, int height, struct err *e)
{
    if (x < 0 || y < 0 || width < 1 || height < 1 || x > f->width - width || y > f->height - height)
        return err_set(e, "region %d,%d,%d,%d is not inside the %dx%d picture", x, y, width, height,
                       f->width, f->height);
    for (int row = 0; row < height; row++)
        memmove(f->gray + (size_t)row * width, f->gray + (size_t)(y + row) * f->width + x, width);
    f->width = width;
    f->height = height;
    return 0;
}
