/* The gradient of the input of a convolution with strides. Input: dy; output: dx. Pixels of x whose row
 * and column leave the same remainders by the strides meet the same taps of the kernel, and the
 * gradient of such a part of x is a convolution of stride 1 of dy with these taps alone: together the
 * parts cost what the forward pass does (the sub-pixel decomposition of a transposed convolution). */
#include "train_plan.h"

#include <string.h>

/* How far along dy the pixel is that a tap of the kernel joins to pixel `first` of a part of x; false
 * when it joins none. */
static bool tap_shift(int first, int pad, int tap, int dilation, int stride, int *shift)
{
    int from = first + pad - tap * dilation;
    *shift = from / stride;
    return from % stride == 0;
}

/* Plan a part whose first pixel is set, and which tap is its. */
static int plan_part(struct trainer *t, struct operation *op, struct stride_part *p)
{
    const struct layer *l = &op->layer;
    const struct layout *dy = &t->program.value[op->y].grad;
    struct shape x = t->program.value[op->x].shape;
    int window = l->r * l->s, blocks = op->forward.pack.blocks, taps = 0, down, across;
    int *offset = pages_take(t->pages, (size_t)blocks * (size_t)window, sizeof *offset);
    if (!offset)
        return -1;
    for (int i = 0; i < window; i++)
        if (tap_shift(p->row, op->pad.top, i / l->s, l->dilation_h, l->stride_h, &down) &&
            tap_shift(p->column, op->pad.left, i % l->s, l->dilation_w, l->stride_w, &across)) {
            op->tap[i] = (struct stride_tap){p, taps};
            offset[taps++] = (int)(dy->origin + down * dy->row + across * (long)BLOCK);
        }
    for (int i = taps; i < blocks * taps; i++)
        offset[i] = offset[i - taps] + (int)dy->block;
    p->v = (struct conv){.blocks = op->back.pack.blocks, .rows = (x.h - p->row + l->stride_h - 1) / l->stride_h,
                         .pixels = (x.w - p->column + l->stride_w - 1) / l->stride_w, .runs = blocks * taps,
                         .run = op->back.pack.run, .offset = offset, .x_row = dy->row, .x_pixel = BLOCK};
    p->v.y_row = p->v.pixels * (long)BLOCK;
    p->v.y_block = p->v.rows * p->v.y_row;
    return 0;
}

int stride_plan(struct trainer *t, struct operation *op)
{
    const struct layer *l = &op->layer;
    int parts = l->stride_h * l->stride_w;
    long weight = op->back.weight;
    op->part = pages_take(t->pages, (size_t)parts, sizeof *op->part);
    op->tap = pages_take(t->pages, (size_t)l->r * (size_t)l->s, sizeof *op->tap);
    if (!op->part || !op->tap)
        return -1;
    for (int i = 0; i < parts; i++) {
        struct stride_part *p = &op->part[i];
        *p = (struct stride_part){.row = i / l->stride_w, .column = i % l->stride_w, .weight = weight};
        if (plan_part(t, op, p))
            return -1;
        long size = p->v.blocks * p->v.y_block;
        t->work_size = size > t->work_size ? size : t->work_size;
        weight += (long)p->v.blocks * p->v.runs * p->v.run * BLOCK;
    }
    return 0;
}

long stride_weight(const struct operation *op, int block, int k, int tap)
{
    const struct stride_part *p = op->tap[tap].part;
    long run = (long)block * p->v.runs + k * (p->v.runs / op->forward.pack.blocks) + op->tap[tap].place;
    return p->weight + run * p->v.run * BLOCK;
}

void stride_backward(struct trainer *t, const struct operation *op, const float *dy, struct view dx, float *part)
{
    int down = op->layer.stride_h, across = op->layer.stride_w;
    for (int i = 0; i < down * across; i++) {
        const struct stride_part *p = &op->part[i];
        struct conv v = p->v;
        const float *from = part;
        v.w = t->back + p->weight;
        t->k->conv(&v, dy, part);
        for (int b = 0; b < v.blocks; b++)
            for (int r = p->row; r < dx.rows; r += down)
                for (int q = p->column; q < dx.pixels; q += across, from += BLOCK)
                    memcpy(dx.p + b * dx.block + r * dx.row + q * (long)BLOCK, from, BLOCK * sizeof *from);
    }
}
