/* The products of 3x3 convolutions by Winograd's algorithm (kernel/winograd.h).
 *   in   an operation of stride 1 that suits_winograd, an image
 *   out  the convolution, the gradient of its input, the gradient of its weights */
#include "train_plan.h"

#define TILE (BLOCK * BLOCK) /* Weights of a block of inputs by a block of outputs. */

/* ---- Planning ---- */

/* How many tiles go through at once: those of several images of `tiles` each, or an equal part of an
 * image. */
static int at_once(int tiles)
{
    int parts = (tiles + WINOGRAD_TILES - 1) / WINOGRAD_TILES;
    return parts > 1 ? (tiles + parts - 1) / parts : WINOGRAD_TILES / tiles * tiles;
}

/* The offset of each block of a group of tiles. Returns NULL when memory is short. */
static int *block_offsets(struct trainer *t, int blocks, int tiles)
{
    int *offset = train_offsets(t, blocks);
    for (int i = 0; offset && i < blocks; i++)
        offset[i] = i * tiles * BLOCK;
    return offset;
}

static long take(long *total, long count)
{
    long place = *total;
    *total += count;
    return place;
}

static void room(struct trainer *t, long scratch)
{
    if (t->winograd_size < scratch)
        t->winograd_size = scratch;
}

int winograd_plan(struct trainer *t, struct operation *op, struct err *e)
{
    struct winograd_plan *w = &op->winograd;
    const struct layer *l = op->l;
    const struct value *x = &t->value[op->x];
    if (op->op != OP_CONV || op->bf16.on)
        return 0;
    int inputs = op->pack.runs / 9, outputs = op->pack.blocks;
    w->on = suits_winograd(l, op->pack.c, op->pack.k, l->out.h, l->out.w);
    w->back = x->needs_grad && suits_winograd(l, op->pack.c, op->pack.k, x->shape.h, x->shape.w);
    if (w->on) {
        w->tiles = at_once(winograd_tiles(l->out.h, l->out.w, l->dilation_h));
        w->offset = block_offsets(t, inputs, w->tiles);
        w->weight = take(&t->transformed_size, 36L * inputs * outputs * TILE);
        w->sums = take(&t->scratch_size, winograd_grad_scratch(outputs, inputs, w->tiles));
        room(t, winograd_scratch(inputs, w->tiles));
    }
    if (w->back) {
        w->back_tiles = at_once(winograd_tiles(x->shape.h, x->shape.w, l->dilation_h));
        w->back_offset = block_offsets(t, outputs, w->back_tiles);
        w->weight_back = take(&t->transformed_size, 36L * inputs * outputs * TILE);
        room(t, winograd_scratch(outputs, w->back_tiles));
    }
    return (w->on && !w->offset) || (w->back && !w->back_offset) ? err_set(e, "out of memory") : 0;
}

/* ---- Weights ---- */

void winograd_weights(const struct trainer *t, const struct operation *op, int block, bool back)
{
    long inputs = op->pack.runs / 9, outputs = op->pack.blocks, each = back ? outputs : inputs;
    const float *from = back ? t->back + op->weight_back : t->active + op->weight;
    t->k->winograd_weights(each, inputs * outputs, from + block * each * 9 * TILE,
                           t->transformed + block * each * TILE +
                               (back ? op->winograd.weight_back : op->winograd.weight));
}

/* ---- The passes ---- */

/* Run v, a direct convolution, by Winograd's algorithm instead. */
static void run(struct trainer *t, const struct conv *v, int dilation, long x_block, int tiles,
                const int *offset, long weight, const float *x, float *y, int thread)
{
    struct winograd w = {.conv = *v, .count = winograd_tiles(v->rows, v->pixels, dilation),
                         .dilation = dilation, .x_block = x_block, .tiles = tiles,
                         .scratch = t->scratch[thread] + t->winograd};
    w.conv.runs /= 9;
    w.conv.offset = offset;
    w.conv.w = t->transformed + weight;
    t->k->winograd(&w, x, y);
}

void winograd_forward(struct trainer *t, const struct operation *op, const struct conv *v,
                      const float *x, float *y, int thread)
{
    const struct winograd_plan *w = &op->winograd;
    run(t, v, op->l->dilation_h, t->value[op->x].act.block, w->tiles, w->offset, w->weight, x, y, thread);
}

void winograd_backward(struct trainer *t, const struct operation *op, const struct conv *v,
                       const float *dy, float *dx, int thread)
{
    const struct winograd_plan *w = &op->winograd;
    run(t, v, op->l->dilation_h, op->spread.block, w->back_tiles, w->back_offset, w->weight_back, dy, dx,
        thread);
}

void winograd_weight_grad(struct trainer *t, const struct operation *op, const float *x,
                          struct view dy, float *dw, int image, bool last, int thread)
{
    const struct layout *l = &t->value[op->x].act;
    struct winograd w = {.conv = {.blocks = dy.blocks, .rows = dy.rows, .pixels = dy.pixels,
                                  .runs = op->pack.runs / 9, .offset = op->winograd.offset,
                                  .x_row = l->row, .y_block = dy.block, .y_row = dy.row},
                         .dilation = op->l->dilation_h, .x_block = l->block, .tiles = op->winograd.tiles,
                         .scratch = t->scratch[thread] + op->winograd.sums};
    t->k->winograd_grad(&w, image, last, x, dy.p, dw);
}
