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

/* Pixels of a side of x in the part that begins at `first`. */
static int part_size(int side, int first, int stride)
{
    return (side - first + stride - 1) / stride;
}

static int plan_part(struct trainer *t, struct operation *op, struct stride_part *p, const struct layout *dy,
                     struct border b)
{
    const struct layer *l = &op->layer;
    int window = l->r * l->s, number = (int)(p - op->part), blocks = op->forward.pack.blocks, shift[2];
    p->offset = train_offsets(t, (long)blocks * window);
    for (int i = 0; p->offset && i < window; i++)
        if (tap_shift(p->row, op->pad.top, i / l->s, l->dilation_h, l->stride_h, &shift[0]) &&
            tap_shift(p->column, op->pad.left, i % l->s, l->dilation_w, l->stride_w, &shift[1])) {
            op->tap[i] = (struct stride_tap){number, p->taps};
            p->offset[p->taps++] =
                (int)((b.top + shift[0]) * dy->row + (b.left + shift[1]) * (long)BLOCK);
        }
    for (int i = p->taps; p->offset && i < blocks * p->taps; i++)
        p->offset[i] = p->offset[i - p->taps] + (int)dy->block;
    return p->offset ? 0 : -1;
}

int stride_plan(struct trainer *t, struct operation *op)
{
    const struct layer *l = &op->layer;
    struct shape x = t->program.value[op->x].shape;
    struct value *y = &t->program.value[op->y];
    /* As far as the first pixel's last tap reaches, and the last pixel's first one. */
    struct border b = {.top = ((l->r - 1) * l->dilation_h - op->pad.top) / l->stride_h,
                       .left = ((l->s - 1) * l->dilation_w - op->pad.left) / l->stride_w,
                       .bottom = (x.h - 1 + op->pad.top) / l->stride_h - (l->out.h - 1),
                       .right = (x.w - 1 + op->pad.left) / l->stride_w - (l->out.w - 1)};
    y->grad = layout_of(y->shape, b, false);
    op->part = pages_take(t->pages, (size_t)l->stride_h * (size_t)l->stride_w, sizeof *op->part);
    op->tap = pages_take(t->pages, (size_t)l->r * (size_t)l->s, sizeof *op->tap);
    if (!op->part || !op->tap)
        return -1;
    long place = op->weight_back, most = 0;
    for (int i = 0; i < l->stride_h * l->stride_w; i++) {
        struct stride_part *p = &op->part[op->parts];
        *p = (struct stride_part){.row = i / l->stride_w, .column = i % l->stride_w, .weight = place};
        if (p->row >= x.h || p->column >= x.w)
            continue;
        op->parts++;
        p->rows = part_size(x.h, p->row, l->stride_h);
        p->pixels = part_size(x.w, p->column, l->stride_w);
        if (plan_part(t, op, p, &y->grad, b))
            return -1;
        long size = (long)op->back.pack.blocks * p->rows * p->pixels * BLOCK;
        most = size > most ? size : most;
        place += (long)op->back.pack.blocks * op->forward.pack.blocks * p->taps * op->back.pack.run * BLOCK;
    }
    op->part_place = t->scratch_size;
    t->scratch_size += most;
    return 0;
}

long stride_weight(const struct operation *op, int block, int k, int tap)
{
    const struct stride_part *p = &op->part[op->tap[tap].part];
    long run = (long)block * op->forward.pack.blocks * p->taps + (long)k * p->taps + op->tap[tap].place;
    return p->weight + run * op->back.pack.run * BLOCK;
}

/* A part of dx to where it belongs. */
static void scatter(const struct operation *op, const struct stride_part *p, const float *part,
                    struct view dx)
{
    for (int b = 0; b < dx.blocks; b++)
        for (int r = 0; r < p->rows; r++) {
            float *to = dx.p + b * dx.block + (p->row + (long)r * op->layer.stride_h) * dx.row +
                        p->column * (long)BLOCK;
            for (int q = 0; q < p->pixels; q++, part += BLOCK, to += op->layer.stride_w * (long)BLOCK)
                memcpy(to, part, BLOCK * sizeof *to);
        }
}

void stride_backward(struct trainer *t, const struct operation *op, const float *dy, struct view dx,
                     int thread)
{
    float *part = t->scratch[thread] + op->part_place;
    for (int i = 0; i < op->parts; i++) {
        const struct stride_part *p = &op->part[i];
        long row = (long)p->pixels * BLOCK;
        struct conv v = {.blocks = op->back.pack.blocks, .rows = p->rows, .pixels = p->pixels,
                         .runs = op->forward.pack.blocks * p->taps, .run = op->back.pack.run,
                         .offset = p->offset, .x_row = t->program.value[op->y].grad.row, .x_pixel = BLOCK,
                         .y_block = p->rows * row, .y_row = row, .w = t->back + p->weight};
        if (p->taps)
            t->k->conv(&v, dy, part);
        else
            memset(part, 0, (size_t)(v.blocks * v.y_block) * sizeof *part);
        scatter(op, p, part, dx);
    }
}
