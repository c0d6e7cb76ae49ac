/* The products of convolutions and dense layers in bf16 (kernel/bf16.h).
 *   in   operands in floats, as the other passes have them
 *   out  the same products, of operands rounded to bf16, summed in floats
 * Operands are copied where they are used; all copies of a step of seed.net are a tenth of its time. */
#include "train_plan.h"

#include <string.h>

#define TILE (BLOCK * BLOCK)   /* Weights of a block of inputs by a block of outputs. */
#define PAIR_BLOCK (2 * BLOCK) /* Numbers of a block of channels for a pair of pixels. */

/* ---- Planning ---- */

/* Reserve `count` numbers, rounded up to whole cache lines, of a memory of *total. Returns their place. */
static long take(long *total, long count)
{
    long place = *total;
    *total += (count + 31) / 32 * 32;
    return place;
}

/* The offsets in [H][W][C] of a kernel's runs: its rows, or, where it is dilated across, single taps.
 * *runs becomes their number. Returns NULL when memory is short. */
static int *tap_offsets(struct trainer *t, const struct layer *l, long row, long pixel, int *runs)
{
    int across = l->dilation_w == 1 ? 1 : l->s;
    *runs = l->r * across;
    int *offset = train_offsets(t, *runs);
    for (int i = 0; offset && i < *runs; i++)
        offset[i] = (int)(i / across * l->dilation_h * row + i % across * l->dilation_w * pixel);
    return offset;
}

/* The pixels of a row, and the rows, of a layout with its border. */
static int wide_of(const struct layout *l)
{
    return (int)(l->row / l->pixel);
}

static int high_of(const struct layout *l)
{
    return (int)(l->block / l->row);
}

static void plan_conv(struct trainer *t, struct operation *op)
{
    struct bf16_plan *h = &op->bf16;
    const struct layout *x = &t->value[op->x].act, *y = &op->spread;
    long c = x->blocks * BLOCK, k = op->pack.blocks * BLOCK;
    int out_h = op->l->out.h, out_w = op->l->out.w;
    h->offset = tap_offsets(t, op->l, wide_of(x) * c, c, &h->runs);
    h->back_offset = tap_offsets(t, op->l, wide_of(y) * k, k, &h->back_runs);
    h->wide = (wide_of(x) + 1) / 2 * 2;
    int used = ((out_h - 1) * h->wide + out_w + 1) / 2, all = high_of(x) * h->wide / 2;
    h->pairs = bf16_pairs(used);
    int blocks_of_pairs = (all + h->pairs - used + 1 + BLOCK - 1) / BLOCK;
    h->pitch = (long)blocks_of_pairs * PAIR_BLOCK;
    h->x = take(&t->scratch16_size, x->blocks * x->block);
    h->dy = take(&t->scratch16_size, y->blocks * y->block);
    h->dy_pairs = take(&t->scratch16_size, (long)op->pack.blocks * h->pairs * PAIR_BLOCK);
    h->x_pairs = take(&t->scratch16_size, h->pitch * BLOCK);
    h->x_turned = take(&t->scratch16_size, c * h->pitch);
}

static void plan_dense(struct trainer *t, struct operation *op)
{
    struct bf16_plan *h = &op->bf16;
    long c = op->pack.runs * BLOCK, k = op->pack.blocks * BLOCK;
    int batch = t->o.batch;
    h->offset = h->back_offset = train_offsets(t, 1);
    h->runs = h->back_runs = 1;
    h->x_pitch = c + 32; /* a cache line more: images then lie in different sets of the cache */
    h->dy_pitch = k + 32;
    h->pairs = (batch + 1) / 2 + batch / 2 / STEP_PAIRS + 2; /* an upper bound: one more a step */
    h->pitch = (long)(h->pairs + BLOCK) / BLOCK * PAIR_BLOCK;
    h->x = take(&t->memory16_size, batch * h->x_pitch);
    h->dy = take(&t->memory16_size, batch * h->dy_pitch);
    h->dy_pairs = take(&t->memory16_size, (long)op->pack.blocks * h->pairs * PAIR_BLOCK);
    h->x_pairs = take(&t->scratch16_size, h->pitch * BLOCK);
    h->x_turned = take(&t->scratch16_size, 2 * BLOCK * h->pitch);
}

int bf16_plan(struct trainer *t, struct operation *op, struct err *e)
{
    bool conv = op->op == OP_CONV;
    bool strided = conv && (op->l->stride_h != 1 || op->l->stride_w != 1);
    bool fast = conv && suits_winograd(op->l, op->pack.c, op->pack.k, op->l->out.h, op->l->out.w);
    op->bf16.on = t->o.bf16 && op->pack.run == BLOCK && !strided && !op->start &&
                  (!fast || t->o.bf16->beats_winograd);
    if (!op->bf16.on)
        return 0;
    op->bf16.weight = take(&t->weights16_size, op->pack.size);
    op->bf16.weight_back = take(&t->weights16_size, op->pack.size);
    if (conv)
        plan_conv(t, op);
    else
        plan_dense(t, op);
    return op->bf16.offset && op->bf16.back_offset ? 0 : err_set(e, "out of memory");
}

/* ---- Weights ---- */

/* Blocks of inputs go in the order of [H][W][C], tap by tap. */
void bf16_weights(const struct trainer *t, const struct operation *op, int block)
{
    const struct packing *p = &op->pack;
    int window = op->op == OP_CONV ? p->r * p->s : 1, inputs = p->runs / window;
    bool back = !t->frozen && t->value[op->x].needs_grad;
    const float *from = t->active + op->weight + (long)block * p->runs * TILE;
    bf16 *to = t->weights16 + op->bf16.weight + (long)block * p->runs * TILE;
    bf16 *turned = t->weights16 + op->bf16.weight_back + (long)block * TILE;
    for (int c = 0; c < inputs; c++)
        for (int i = 0; i < window; i++, from += TILE) {
            t->o.bf16->pairs(1, BLOCK, from, 0, to + (long)(i * inputs + c) * TILE, 0);
            long tap = (long)c * window + window - 1 - i;
            if (back)
                t->o.bf16->turn_weights(from, turned + tap * p->blocks * TILE);
        }
}

/* ---- Convolution ---- */

void bf16_conv_forward(struct trainer *t, const struct operation *op, const float *x, struct view y,
                       int thread)
{
    const struct bf16_plan *h = &op->bf16;
    const struct layout *l = &t->value[op->x].act;
    int wide = wide_of(l);
    long c = l->blocks * BLOCK;
    bf16 *x16 = t->scratch16[thread] + h->x;
    for (int b = 0; b < l->blocks; b++)
        t->o.bf16->narrow(high_of(l), wide, x + b * l->block, l->row, x16 + b * BLOCK, wide * c, c);
    struct conv16 v = {.blocks = y.blocks, .rows = y.rows, .pixels = y.pixels, .runs = h->runs,
                       .pairs = (int)(op->l->r * op->l->s * c / 2 / h->runs), .offset = h->offset,
                       .x_row = wide * c, .x_pixel = c, .y_block = y.block, .y_row = y.row,
                       .w = t->weights16 + h->weight, .bias = t->active + op->bias,
                       .relu = op->relu};
    t->o.bf16->conv(&v, x16, y.p);
}

/* dw: for each tap channels of x by pixels, times pixels by channels of dy. Rows of both are as wide
 * as x's, so that a tap is an offset; dy is 0 where it has no pixel. */
void bf16_conv_weight_grad(struct trainer *t, const struct operation *op, const float *x,
                           struct view dy, float *dw, bool first, int thread)
{
    const struct bf16_plan *h = &op->bf16;
    const struct packing *p = &op->pack;
    const struct layout *l = &t->value[op->x].act;
    bf16 *base = t->scratch16[thread], *turned = base + h->x_turned, *pairs = base + h->dy_pairs;
    for (int b = 0; b < l->blocks; b++) {
        t->o.bf16->pairs(high_of(l), wide_of(l), x + b * l->block, l->row, base + h->x_pairs,
                         h->wide * (long)BLOCK);
        t->o.bf16->turn((int)(h->pitch / 2), base + h->x_pairs, turned + b * BLOCK * h->pitch,
                        h->pitch);
    }
    for (int b = 0; b < dy.blocks; b++)
        t->o.bf16->pairs(dy.rows, dy.pixels, dy.p + b * dy.block, dy.row,
                         pairs + (long)b * h->pairs * PAIR_BLOCK, h->wide * (long)BLOCK);
    struct conv16 v = {.blocks = p->blocks, .rows = l->blocks, .pixels = BLOCK, .runs = 1,
                       .pairs = h->pairs, .x_row = BLOCK * h->pitch, .x_pixel = h->pitch,
                       .y_block = (long)p->runs * TILE, .y_row = (long)p->r * p->s * TILE,
                       .w = pairs, .add = !first};
    for (int tap = 0; tap < p->r * p->s; tap++) {
        int offset = tap / p->s * op->l->dilation_h * h->wide + tap % p->s * op->l->dilation_w;
        v.offset = &offset;
        t->o.bf16->conv(&v, turned, dw + (long)tap * TILE);
    }
}

void bf16_conv_input_grad(struct trainer *t, const struct operation *op, struct view dy, struct view dx,
                          int thread)
{
    const struct bf16_plan *h = &op->bf16;
    const struct layout *l = &op->spread;
    int wide = wide_of(l);
    long k = dy.blocks * (long)BLOCK;
    bf16 *dy16 = t->scratch16[thread] + h->dy, *inside = dy16 + l->origin * dy.blocks;
    for (int b = 0; b < dy.blocks; b++)
        t->o.bf16->narrow(dy.rows, dy.pixels, dy.p + b * dy.block, dy.row, inside + b * BLOCK,
                          wide * k, k);
    struct conv16 v = {.blocks = dx.blocks, .rows = dx.rows, .pixels = dx.pixels,
                       .runs = h->back_runs,
                       .pairs = (int)(op->l->r * op->l->s * k / 2 / h->back_runs),
                       .offset = h->back_offset, .x_row = wide * k, .x_pixel = k,
                       .y_block = dx.block, .y_row = dx.row, .w = t->weights16 + h->weight_back};
    t->o.bf16->conv(&v, dy16, dx.p);
}

/* ---- Dense ---- */

void bf16_dense_round(struct trainer *t, const struct operation *op, struct view x, int block)
{
    const struct bf16_plan *h = &op->bf16;
    bf16 *to = t->memory16 + h->x + block * (long)BLOCK;
    for (int b = 0; b < x.blocks; b++)
        t->o.bf16->narrow(1, x.pixels, x.p + b * x.block, 0, to + b * BLOCK, 0, h->x_pitch);
}

static int image_pairs(const struct trainer *t)
{
    return bf16_pairs((t->n + 1) / 2);
}

void bf16_dense_round_grad(struct trainer *t, const struct operation *op, struct view dy, int block)
{
    const struct bf16_plan *h = &op->bf16;
    bf16 *to = t->memory16 + h->dy + block * (long)BLOCK;
    int used = (t->n + 1) / 2, all = image_pairs(t);
    for (int b = 0; b < dy.blocks; b++) {
        bf16 *pairs = t->memory16 + h->dy_pairs + (long)(block + b) * all * PAIR_BLOCK;
        const float *from = dy.p + b * dy.block;
        t->o.bf16->narrow(1, dy.pixels, from, 0, to + b * BLOCK, 0, h->dy_pitch);
        t->o.bf16->pairs(1, dy.pixels, from, 0, pairs, 0);
        memset(pairs + used * PAIR_BLOCK, 0, (size_t)(all - used) * PAIR_BLOCK * sizeof *pairs);
    }
}

void bf16_dense_forward(struct trainer *t, const struct operation *op, struct view y, int block)
{
    const struct bf16_plan *h = &op->bf16;
    struct conv16 v = {.blocks = y.blocks, .rows = 1, .pixels = y.pixels, .runs = 1,
                       .pairs = op->pack.runs * BLOCK / 2, .offset = h->offset,
                       .x_pixel = h->x_pitch, .y_block = y.block,
                       .w = t->weights16 + h->weight + (long)block * op->pack.runs * TILE,
                       .bias = t->active + op->bias + block * BLOCK, .relu = op->relu};
    t->o.bf16->conv(&v, t->memory16 + h->x, y.p);
}

/* dw of some blocks of inputs and all outputs: channels of x by images, times images by channels of
 * dy. */
void bf16_dense_weight_grad(struct trainer *t, const struct operation *op, struct view x, int block,
                            int thread)
{
    const struct bf16_plan *h = &op->bf16;
    bf16 *pairs = t->scratch16[thread] + h->x_pairs, *turned = t->scratch16[thread] + h->x_turned;
    int all = image_pairs(t), whole = (all + BLOCK - 1) / BLOCK * BLOCK;
    for (int b = 0; b < x.blocks; b++) {
        t->o.bf16->pairs(1, x.pixels, x.p + b * x.block, 0, pairs, 0);
        t->o.bf16->turn(whole, pairs, turned + b * BLOCK * h->pitch, h->pitch);
    }
    struct conv16 v = {.blocks = op->pack.blocks, .rows = x.blocks, .pixels = BLOCK, .runs = 1,
                       .pairs = all, .offset = h->offset, .x_row = BLOCK * h->pitch,
                       .x_pixel = h->pitch, .y_block = (long)op->pack.runs * TILE, .y_row = TILE,
                       .w = t->memory16 + h->dy_pairs};
    t->o.bf16->conv(&v, turned, t->g + op->weight + (long)block * TILE);
}

void bf16_dense_input_grad(struct trainer *t, const struct operation *op, struct view dx, int block)
{
    const struct bf16_plan *h = &op->bf16;
    struct conv16 v = {.blocks = dx.blocks, .rows = 1, .pixels = dx.pixels, .runs = 1,
                       .pairs = op->pack.blocks * BLOCK / 2, .offset = h->back_offset,
                       .x_pixel = h->dy_pitch, .y_block = dx.block,
                       .w = t->weights16 + h->weight_back +
                            (long)block * op->pack.blocks * TILE};
    t->o.bf16->conv(&v, t->memory16 + h->dy, dx.p);
}
