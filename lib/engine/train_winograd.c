/* The products of 3x3 convolutions by Winograd's algorithm (kernel/winograd.h).
 *   in   an operation of stride 1 that suits_winograd, an image
 *   out  the convolution, the gradient of its input, the gradient of its weights */
#include "train_plan.h"

#include <stdlib.h>

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
static int *block_offsets(int blocks, int tiles)
{
    int *offset = malloc((size_t)blocks * sizeof *offset);
    if (!offset)
        return NULL;
    for (int i = 0; i < blocks; i++)
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
    w->on = l->dilation_h == 1 && suits_winograd(l, op->pack.c, op->pack.k, l->out.h, l->out.w);
    w->back = l->dilation_h == 1 && x->needs_grad &&
              suits_winograd(l, op->pack.c, op->pack.k, x->shape.h, x->shape.w);
    if (w->on) {
        w->tiles = at_once(winograd_tiles(l->out.h, l->out.w));
        w->offset = block_offsets(inputs, w->tiles);
        w->weight = take(&t->transformed_size, 36L * inputs * outputs * TILE);
        w->sums = take(&t->scratch_size, winograd_grad_scratch(outputs, inputs, w->tiles));
        room(t, winograd_scratch(inputs, w->tiles));
    }
    if (w->back) {
        w->back_tiles = at_once(winograd_tiles(x->shape.h, x->shape.w));
        w->back_offset = block_offsets(outputs, w->back_tiles);
        w->weight_back = take(&t->transformed_size, 36L * inputs * outputs * TILE);
        room(t, winograd_scratch(outputs, w->back_tiles));
    }
    return (w->on && !w->offset) || (w->back && !w->back_offset) ? err_set(e, "out of memory") : 0;
}

/* ---- Weights ---- */

static int blocks_of(const struct operation *op)
{
    return op->winograd.on ? op->pack.blocks : 0;
}

/* Item: a block of outputs of an operation, counted through all of them. */
static void weights_item(void *arg, int item, int thread)
{
    const struct trainer *t = arg;
    const struct operation *op = t->operation;
    (void)thread;
    for (; item >= blocks_of(op); op++)
        item -= blocks_of(op);
    long inputs = op->pack.runs / 9;
    t->k->winograd_weights(inputs, inputs * op->pack.blocks,
                           t->active + op->weight + item * inputs * 9 * TILE,
                           t->transformed + op->winograd.weight + item * inputs * TILE);
}

void winograd_weights(struct trainer *t)
{
    int items = 0;
    for (int i = 0; i < t->operations; i++)
        items += blocks_of(&t->operation[i]);
    if (items)
        threads_run(t->threads, items, weights_item, t);
}

void winograd_weights_back(const struct trainer *t, const struct operation *op, int block)
{
    long outputs = op->pack.blocks;
    if (op->winograd.back)
        t->k->winograd_weights(outputs, outputs * op->pack_back.blocks,
                               t->back + op->weight_back + block * outputs * 9 * TILE,
                               t->transformed + op->winograd.weight_back + block * outputs * TILE);
}

/* ---- The passes ---- */

void winograd_forward(struct trainer *t, const struct operation *op, const struct conv *v,
                      const float *x, float *y, int thread)
{
    struct winograd w = {.conv = *v, .count = winograd_tiles(v->rows, v->pixels), .end = v->blocks,
                         .dilation = 1, .x_block = t->value[op->x].act.block, .tiles = op->winograd.tiles,
                         .scratch = t->scratch[thread] + t->winograd};
    w.conv.runs /= 9;
    w.conv.offset = op->winograd.offset;
    w.conv.w = t->transformed + op->winograd.weight;
    t->k->winograd(&w, x, y);
}

void winograd_backward(struct trainer *t, const struct operation *op, const struct conv *v,
                       const float *dy, float *dx, int thread)
{
    struct winograd w = {.conv = *v, .count = winograd_tiles(v->rows, v->pixels), .end = v->blocks,
                         .dilation = 1, .x_block = op->spread.block, .tiles = op->winograd.back_tiles,
                         .scratch = t->scratch[thread] + t->winograd};
    w.conv.runs /= 9;
    w.conv.offset = op->winograd.back_offset;
    w.conv.w = t->transformed + op->winograd.weight_back;
    t->k->winograd(&w, dy, dx);
}

void winograd_weight_grad(struct trainer *t, const struct operation *op, const float *x,
                          struct view dy, float *dw, int image, bool last, int thread)
{
    const struct layout *l = &t->value[op->x].act;
    struct winograd w = {.conv = {.blocks = dy.blocks, .rows = dy.rows, .pixels = dy.pixels,
                                  .runs = op->pack.runs / 9, .offset = op->winograd.offset,
                                  .x_row = l->row, .y_block = dy.block, .y_row = dy.row},
                         .dilation = 1, .x_block = l->block, .tiles = op->winograd.tiles,
                         .scratch = t->scratch[thread] + op->winograd.sums};
    t->k->winograd_grad(&w, image, last, x, dy.p, dw);
}
