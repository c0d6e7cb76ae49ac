/* How tensors lie in memory.
 *   in   shapes, layers
 *   out  offsets, packed weights; tensors copied between [C][H][W] and blocks, images and matrices */
#include "program.h"

#include <string.h>

_Static_assert(BLOCK == NET_BLOCK, "what net_infer_shapes bounds is what lies in memory");

static int blocks_of(int channels)
{
    return (channels + BLOCK - 1) / BLOCK;
}

struct layout layout_of(struct shape shape, struct border b, bool flat)
{
    struct layout l = {.shape = shape, .blocks = flat ? 1 : blocks_of(shape.c)};
    l.pixel = flat ? 1 : BLOCK;
    l.row = (b.left + shape.w + b.right) * l.pixel;
    l.block = (b.top + shape.h + b.bottom) * l.row;
    l.size = (l.blocks * l.block + BLOCK - 1) / BLOCK * BLOCK;
    l.origin = b.top * l.row + b.left * l.pixel;
    return l;
}

struct layout layout_by_pixel(const struct layout *l)
{
    return (struct layout){l->shape, 1, l->pixel * l->blocks, l->row * l->blocks, l->block * l->blocks,
                           l->block * l->blocks, l->origin * l->blocks};
}

struct border layer_border(const struct layer *l)
{
    return (struct border){l->pad_top, l->pad_left, l->pad_bottom, l->pad_right};
}

static bool by_value(struct shape shape)
{
    return shape.c < BLOCK;
}

int matrix_blocks(struct shape s)
{
    return by_value(s) ? blocks_of(s.c * s.h * s.w) : blocks_of(s.c) * s.h * s.w;
}

long matrix_at(struct shape s, long i)
{
    if (by_value(s))
        return i;
    long places = (long)s.h * s.w, c = i / places;
    return (c / BLOCK * places + i % places) * BLOCK + c % BLOCK;
}

/* The offset of value (c, y, x). */
static long value_at(const struct layout *l, int c, int y, int x)
{
    return l->origin + c / BLOCK * l->block + c % BLOCK + y * l->row + x * l->pixel;
}

void matrix_copy(const struct layout *l, float *x, float *matrix, int images, int image, bool gather)
{
    struct shape s = l->shape;
    long step = (long)images * BLOCK, i = 0;
    matrix += (long)image * BLOCK;
    for (int b = 0; b < l->blocks && !by_value(s); b++)
        for (int y = 0; y < s.h; y++)
            for (int q = 0; q < s.w; q++, matrix += step) {
                float *pixel = x + value_at(l, b * BLOCK, y, q);
                memcpy(gather ? matrix : pixel, gather ? pixel : matrix, BLOCK * sizeof *pixel);
            }
    for (int c = 0; c < s.c && by_value(s); c++)
        for (int y = 0; y < s.h; y++)
            for (int q = 0; q < s.w; q++, i++) {
                float *value = x + value_at(l, c, y, q), *there = matrix + i / BLOCK * step + i % BLOCK;
                *(gather ? there : value) = gather ? *value : *there;
            }
}

void layout_put(const struct layout *l, const float *chw, float *x)
{
    struct shape s = l->shape;
    for (int c = 0; c < s.c; c++)
        for (int y = 0; y < s.h; y++, chw += s.w) {
            float *to = x + value_at(l, c, y, 0);
            if (l->pixel == 1)
                memcpy(to, chw, (size_t)s.w * sizeof *to);
            for (int q = 0; l->pixel > 1 && q < s.w; q++)
                to[q * BLOCK] = chw[q];
        }
}

void layout_get(const struct layout *l, const float *x, float *chw)
{
    struct shape s = l->shape;
    for (int first = 0; first < s.c; first += BLOCK)
        for (int y = 0; y < s.h; y++) /* a row of all channels of a block lies in the first-level cache */
            for (int c = first; c < s.c && c < first + BLOCK; c++) {
                const float *from = x + value_at(l, c, y, 0);
                float *to = chw + ((long)c * s.h + y) * s.w;
                for (int q = 0; q < s.w; q++)
                    to[q] = from[q * l->pixel];
            }
}

struct packing packing_of(const struct layer *l, struct shape in)
{
    bool dense = l->op == OP_DENSE;
    struct packing p = {.k = l->out.c, .c = in.c, .r = l->r, .s = l->s, .groups = l->groups};
    if (dense) {
        p.r = in.h;
        p.s = in.w;
        p.groups = 1;
        p.by_value = by_value(in);
    }
    p.run = p.by_value ? in.c * in.h * in.w : in.c;
    p.run = p.run < BLOCK ? p.run : BLOCK;
    p.runs = dense ? matrix_blocks(in) : blocks_of(in.c) * p.r * p.s;
    p.blocks = blocks_of(p.k);
    p.size = (long)p.blocks * p.runs * p.run * BLOCK;
    return p;
}

/* The offset of weight (k, c, r, s) in the packed array. */
static long packed_at(const struct packing *p, int k, int c, int r, int s)
{
    long value = ((long)c * p->r + r) * p->s + s, pixel = ((long)(c / BLOCK) * p->r + r) * p->s + s;
    long run = p->by_value ? value / BLOCK : pixel, lane = p->by_value ? value % BLOCK : c % BLOCK;
    return (((long)(k / BLOCK) * p->runs + run) * p->run + lane) * BLOCK + k % BLOCK;
}

void weights_copy(const struct packing *p, float *weight, float *packed, bool pack)
{
    int per_group = p->c / p->groups, places = p->r * p->s;
    for (int k = 0; k < p->k; k++) {
        int first = k / (p->k / p->groups) * per_group;
        for (int c = first; c < first + per_group; c++) {
            long at = packed_at(p, k, c, 0, 0), step = (long)p->run * BLOCK;
            for (int i = 0; i < places; i++, weight++, at += step) {
                if (p->by_value) /* places are not one step apart */
                    at = packed_at(p, k, c, i / p->s, i % p->s);
                *(pack ? &packed[at] : weight) = pack ? *weight : packed[at];
            }
        }
    }
}

bool suits_winograd(const struct layer *l, int c, int k, int rows, int pixels)
{
    return l->r == 3 && l->s == 3 && l->stride_h == 1 && l->stride_w == 1 && l->groups == 1 &&
           l->dilation_h == l->dilation_w && c >= BLOCK && k >= BLOCK &&
           9L * rows * pixels >= 2 * 36L * winograd_tiles(rows, pixels, l->dilation_h);
}
