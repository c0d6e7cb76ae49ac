#include "gray.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

/* What black and white are in samples of a luma of `depth` bits. */
struct range {
    int black, white;
};

static bool is_full_range(const AVFrame *in, const AVPixFmtDescriptor *d)
{
    if (in->color_range != AVCOL_RANGE_UNSPECIFIED)
        return in->color_range == AVCOL_RANGE_JPEG;
    return d->nb_components < 3 || !strncmp(d->name, "yuvj", 4);
}

static struct range luma_range(const AVFrame *in, const AVPixFmtDescriptor *d)
{
    int depth = d->comp[0].depth;
    if ((d->flags & AV_PIX_FMT_FLAG_RGB) || depth < 8 || is_full_range(in, d))
        return (struct range){0, (1 << depth) - 1};
    return (struct range){16 << (depth - 8), 235 << (depth - 8)};
}

static uint8_t to_8_bits(int sample, struct range r)
{
    double v = (sample - r.black) * 255.0 / (r.white - r.black) + 0.5;
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

static uint8_t luma_of_rgb(int r, int g, int b)
{
    return (uint8_t)((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
}

#define WHITE 255
#define FAINT 8 /* levels: less is not seen */

/* A colour as it looks on paper of gray `paper`. */
static uint8_t on_paper(int gray, int alpha, int paper)
{
    return (uint8_t)((gray * alpha + paper * (255 - alpha) + 127) / 255);
}

static void from_luma8(struct frame *out, const AVFrame *in, const AVComponentDescriptor *c,
                       struct range range)
{
    uint8_t table[256];
    for (int i = 0; i < 256; i++)
        table[i] = to_8_bits(i, range);
    bool as_it_is = range.black == 0 && c->step == 1;
    for (int y = 0; y < out->height; y++) {
        const uint8_t *from = in->data[c->plane] + (ptrdiff_t)y * in->linesize[c->plane] + c->offset;
        uint8_t *to = out->gray + (size_t)y * out->width;
        if (as_it_is)
            memcpy(to, from, out->width);
        else
            for (int x = 0; x < out->width; x++)
                to[x] = table[from[(ptrdiff_t)x * c->step]];
    }
}

/* Little-endian luma of 9 to 16 bits. */
static void from_luma16(struct frame *out, const AVFrame *in, const AVComponentDescriptor *c,
                        struct range range)
{
    float scale = 255.0f / (range.white - range.black);
    for (int y = 0; y < out->height; y++) {
        const uint8_t *from = in->data[c->plane] + (ptrdiff_t)y * in->linesize[c->plane] + c->offset;
        uint8_t *to = out->gray + (size_t)y * out->width;
        for (int x = 0; x < out->width; x++, from += c->step) {
            int sample = (from[0] | from[1] << 8) >> c->shift;
            float v = (sample - range.black) * scale + 0.5f;
            to[x] = v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
        }
    }
}

static void from_rgb8(struct frame *out, const AVFrame *in, const AVPixFmtDescriptor *d, int paper)
{
    bool alpha = d->flags & AV_PIX_FMT_FLAG_ALPHA;
    for (int y = 0; y < out->height; y++) {
        uint8_t *to = out->gray + (size_t)y * out->width;
        const uint8_t *from[4] = {0};
        for (int i = 0; i < 3 + alpha; i++) {
            const AVComponentDescriptor *c = &d->comp[i];
            from[i] = in->data[c->plane] + (ptrdiff_t)y * in->linesize[c->plane] + c->offset;
        }
        ptrdiff_t step = d->comp[0].step;
        for (ptrdiff_t x = 0; x < out->width; x++) {
            to[x] = luma_of_rgb(from[0][x * step], from[1][x * step], from[2][x * step]);
            if (alpha)
                to[x] = on_paper(to[x], from[3][x * step], paper);
        }
    }
}

static void from_palette(struct frame *out, const AVFrame *in, int paper)
{
    uint8_t table[256];
    for (int i = 0; i < 256; i++) {
        uint32_t argb;
        memcpy(&argb, in->data[1] + 4 * i, 4);
        uint8_t gray = luma_of_rgb(argb >> 16 & 255, argb >> 8 & 255, argb & 255);
        table[i] = on_paper(gray, argb >> 24, paper);
    }
    for (int y = 0; y < out->height; y++) {
        const uint8_t *from = in->data[0] + (ptrdiff_t)y * in->linesize[0];
        uint8_t *to = out->gray + (size_t)y * out->width;
        for (int x = 0; x < out->width; x++)
            to[x] = table[from[x]];
    }
}

/* Any format whose components are whole numbers, one line of each component at a time. */
static int from_components(struct frame *out, const AVFrame *in, const AVPixFmtDescriptor *d,
                           struct range range, int paper, struct err *e)
{
    bool alpha = d->flags & AV_PIX_FMT_FLAG_ALPHA;
    bool rgb = d->flags & AV_PIX_FMT_FLAG_RGB;
    bool inverted = in->format == AV_PIX_FMT_MONOWHITE;
    int width = out->width, last = d->nb_components - 1;
    uint16_t *line = calloc((size_t)width * 4, sizeof *line);
    if (!line)
        return err_set(e, "out of memory");
    for (int y = 0; y < out->height; y++) {
        uint8_t *to = out->gray + (size_t)y * width;
        for (int i = 0; i <= last; i++)
            if (i == 0 || rgb || (alpha && i == last))
                av_read_image_line2(line + (size_t)i * width, (const uint8_t **)in->data,
                                    in->linesize, d, 0, y, i, width, 0, sizeof *line);
        const uint16_t *a = line + (size_t)last * width;
        for (int x = 0; x < width; x++) {
            int c[3];
            for (int i = 0; i < (rgb ? 3 : 1); i++)
                c[i] = to_8_bits(line[(size_t)i * width + x],
                                 rgb ? (struct range){0, (1 << d->comp[i].depth) - 1} : range);
            int gray = rgb ? luma_of_rgb(c[0], c[1], c[2]) : inverted ? 255 - c[0] : c[0];
            struct range opaque = {0, (1 << d->comp[last].depth) - 1};
            to[x] = alpha ? on_paper(gray, to_8_bits(a[x], opaque), paper) : gray;
        }
    }
    free(line);
    return 0;
}

/* Floating point, Bayer and the like: by swscale. */
static int from_anything(struct frame *out, const AVFrame *in, struct err *e)
{
    struct SwsContext *scaler = NULL;
    if (sws_isSupportedInput(in->format))
        scaler = sws_getContext(in->width, in->height, in->format, in->width, in->height,
                                AV_PIX_FMT_GRAY8, SWS_POINT, NULL, NULL, NULL);
    if (!scaler)
        return err_set(e, "pixel format %s is not supported", av_get_pix_fmt_name(in->format));
    const int *table = sws_getCoefficients(SWS_CS_DEFAULT);
    sws_setColorspaceDetails(scaler, table, 1, table, 1, 0, 1 << 16, 1 << 16);
    uint8_t *to[4] = {out->gray};
    int stride[4] = {out->width};
    sws_scale(scaler, (const uint8_t *const *)in->data, in->linesize, 0, in->height, to, stride);
    sws_freeContext(scaler);
    return 0;
}

static bool is_rgb_bytes(const AVPixFmtDescriptor *d)
{
    if (!(d->flags & AV_PIX_FMT_FLAG_RGB) || d->nb_components < 3)
        return false;
    for (int i = 0; i < d->nb_components; i++)
        if (d->comp[i].depth != 8 || d->comp[i].shift || d->comp[i].step != d->comp[0].step)
            return false;
    return true;
}

/* Whole numbers of any format, laid on paper of that gray where they are transparent. */
static int from_numbers(struct frame *out, const AVFrame *in, const AVPixFmtDescriptor *d, int paper,
                        struct err *e)
{
    struct range range = luma_range(in, d);
    const AVComponentDescriptor *luma = &d->comp[0];
    bool plain = !(d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_PAL |
                               AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_BE));
    if (d->flags & AV_PIX_FMT_FLAG_PAL)
        from_palette(out, in, paper);
    else if (plain && luma->depth == 8 && luma->shift == 0)
        from_luma8(out, in, luma, range);
    else if (plain && luma->depth > 8)
        from_luma16(out, in, luma, range);
    else if (is_rgb_bytes(d))
        from_rgb8(out, in, d, paper);
    else
        return from_components(out, in, d, range, paper, e);
    return 0;
}

/* Are all pixels that gray, but for `play`? */
static bool all_are(const struct frame *f, int gray, int play)
{
    size_t n = (size_t)f->width * f->height, i = 0;
    while (i < n && abs(f->gray[i] - gray) <= play)
        i++;
    return i == n;
}

int gray_from_picture(struct frame *out, const AVFrame *in, struct err *e)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(in->format);
    if (!d || (d->flags & AV_PIX_FMT_FLAG_HWACCEL))
        return err_set(e, "the decoder gave a picture of an unknown pixel format");
    if (frame_resize(out, in->width, in->height, e))
        return -1;
    if (d->flags & (AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER) || d->comp[0].depth > 16 ||
        in->format == AV_PIX_FMT_XYZ12LE || in->format == AV_PIX_FMT_XYZ12BE)
        return from_anything(out, in, e);

    if (from_numbers(out, in, d, WHITE, e))
        return -1;
    if (!(d->flags & (AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_PAL)) || !all_are(out, WHITE, FAINT))
        return 0;
    /* White ink on nothing, as for a dark page, is seen on black. */
    if (from_numbers(out, in, d, 0, e))
        return -1;
    return all_are(out, out->gray[0], 0) ? from_numbers(out, in, d, WHITE, e) : 0;
}

/* Where a source pixel goes: to[y * step_y + x * step_x + start]. */
static void turn_pixels(uint8_t *to, const struct frame *from, ptrdiff_t start, ptrdiff_t step_x,
                        ptrdiff_t step_y)
{
    enum { BLOCK = 64 }; /* a block of both pictures stays in the first-level cache */
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
    turn_pixels(spare->gray, f, way[orientation].start, way[orientation].step_x,
                way[orientation].step_y);
    struct frame turned = *f;
    turned.gray = spare->gray;
    turned.gray_size = spare->gray_size;
    turned.width = spare->width;
    turned.height = spare->height;
    spare->gray = f->gray;
    spare->gray_size = f->gray_size;
    *f = turned;
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
