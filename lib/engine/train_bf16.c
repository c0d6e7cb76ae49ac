/* The products of convolutions and dense layers in bf16 (kernel/bf16.h).
 *   in   operands in floats, as the other passes have them
 *   out  the same products, of operands rounded to bf16, summed in floats
 * Operands are copied where they are used; all copies of a step of seed.net are a tenth of its time. */
#include "train_plan.h"

#include <string.h>

#define PAIR_BLOCK (2 * BLOCK) /* Numbers of a block of channels for a pair of pixels. */

/* Numbers in bf16 in a memory of floats. */
static bf16 *halves(float *p)
{
    return (void *)p;
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

void bf16_plan_grad(struct trainer *t, struct operation *op)
{
    struct grad16 *h = &op->grad16;
    const struct layout *x = &t->program.value[op->x].act;
    int batch = t->o.batch, blocks = op->forward.pack.blocks;
    bool conv = op->op == OP_CONV;
    if (conv) {
        h->wide = (wide_of(x) + 1) / 2 * 2;
        int used = ((op->layer.out.h - 1) * h->wide + op->layer.out.w + 1) / 2, all = high_of(x) * h->wide / 2;
        h->pairs = kernel_words(used);
        h->pitch = (all + h->pairs - used + 1 + BLOCK - 1) / BLOCK * (long)PAIR_BLOCK;
    } else {
        h->pairs = (batch + 1) / 2 + batch / 2 / STEP_WORDS + 2; /* an upper bound: one more a step */
        h->pitch = (long)(h->pairs + BLOCK) / BLOCK * PAIR_BLOCK;
    }
    /* (Two numbers in bf16 are a float.) */
    h->dy_pairs = train_take(conv ? &t->scratch_size : &t->memory_size, (long)blocks * h->pairs * BLOCK);
    h->x_turned = train_take(&t->scratch_size, (conv ? x->blocks : 2) * BLOCK * h->pitch / 2);
    h->x_pairs = train_take(&t->scratch_size, BLOCK * h->pitch / 2);
}

/* A tile of weights as the gradient of the input reads it: y[k / 2][c][k % 2] = w[c][k]. */
static void turn_tile(const struct trainer *t, const float *w, bf16 *y)
{
    bf16 half[BLOCK][BLOCK];
    t->o.bf16->narrow(1, BLOCK, w, 0, half[0], 0, BLOCK);
    for (int j = 0; j < BLOCK / 2; j++)
        for (int c = 0; c < BLOCK; c++)
            memcpy(y + j * PAIR_BLOCK + 2 * c, &half[c][2 * j], 2 * sizeof *y);
}

/* What is summed over goes in the order of [H][W][C]: tap by tap, back the last one first. */
void bf16_weights(const struct trainer *t, const struct operation *op, int block)
{
    const struct packing *p = &op->forward.pack;
    int window = op->op == OP_CONV ? p->r * p->s : 1, inputs = p->runs / window;
    bool back = !t->frozen && op->back.way == BF16;
    const float *from = t->active + op->forward.weight + (long)block * p->runs * TILE;
    bf16 *to = halves(t->ready + op->forward.ready) + (long)block * p->runs * TILE;
    bf16 *turned = halves(t->ready + op->back.ready) + (long)block * TILE;
    for (int c = 0; c < inputs; c++)
        for (int i = 0; i < window; i++, from += TILE) {
            t->o.bf16->pairs(1, BLOCK, from, 0, to + (long)(i * inputs + c) * TILE, 0);
            long tap = (long)c * window + window - 1 - i;
            if (back)
                turn_tile(t, from, turned + tap * p->blocks * TILE);
        }
}

void bf16_run(const struct trainer *t, const struct operation *op, bool back, const struct conv *v, const float *x,
              float *y, int thread)
{
    const struct product *p = back ? &op->back : &op->forward;
    const struct layout *l = back ? &t->program.value[op->y].grad : &t->program.value[op->x].act;
    struct layout to = layout_by_pixel(l);
    bool dense = op->op == OP_DENSE;
    bf16 *copy = halves((dense ? t->memory : t->scratch[thread]) + p->copy);
    for (int b = 0; b < l->blocks && !dense; b++)
        t->o.bf16->narrow(l->shape.h, l->shape.w, x + l->origin + b * l->block, l->row,
                          copy + to.origin + b * BLOCK, to.row, to.pixel);
    t->o.bf16->conv(v, copy, y);
}

/* dw of a convolution: for each tap channels of x by pixels, times pixels by channels of dy. Rows of both are as
 * wide as x's, so that a tap is an offset; dy is 0 where it has no pixel. */
void bf16_conv_weight_grad(struct trainer *t, const struct operation *op, const float *x,
                           struct view dy, float *dw, bool first, int thread)
{
    const struct grad16 *h = &op->grad16;
    const struct packing *p = &op->forward.pack;
    const struct layout *l = &t->program.value[op->x].act;
    float *scratch = t->scratch[thread];
    bf16 *turned = halves(scratch + h->x_turned), *pairs = halves(scratch + h->dy_pairs);
    for (int b = 0; b < l->blocks; b++) {
        t->o.bf16->pairs(high_of(l), wide_of(l), x + b * l->block, l->row, halves(scratch + h->x_pairs),
                         h->wide * (long)BLOCK);
        t->o.bf16->turn((int)(h->pitch / 2), halves(scratch + h->x_pairs), turned + b * BLOCK * h->pitch, h->pitch);
    }
    for (int b = 0; b < dy.blocks; b++)
        t->o.bf16->pairs(dy.rows, dy.pixels, dy.p + b * dy.block, dy.row,
                         pairs + (long)b * h->pairs * PAIR_BLOCK, h->wide * (long)BLOCK);
    struct conv v = {.blocks = p->blocks, .rows = l->blocks, .pixels = BLOCK, .runs = 1,
                     .run = 2 * h->pairs, .x_row = BLOCK * h->pitch, .x_pixel = h->pitch,
                     .y_block = (long)p->runs * TILE, .y_row = (long)p->r * p->s * TILE,
                     .w16 = pairs, .add = !first};
    for (int tap = 0; tap < p->r * p->s; tap++) {
        int offset = tap / p->s * op->layer.dilation_h * h->wide + tap % p->s * op->layer.dilation_w;
        v.offset = &offset;
        t->o.bf16->conv(&v, turned, dw + (long)tap * TILE);
    }
}

/* ---- Dense layers ---- */

static int image_pairs(const struct trainer *t)
{
    return kernel_words((t->n + 1) / 2);
}

void bf16_dense_round(struct trainer *t, const struct operation *op, bool back, struct view from, int block)
{
    const struct product *p = back ? &op->back : &op->forward;
    int used = (t->n + 1) / 2, all = image_pairs(t);
    for (int b = 0; b < from.blocks; b++, from.p += from.block) {
        bf16 *pairs = halves(t->memory + op->grad16.dy_pairs) + (long)(block + b) * all * PAIR_BLOCK;
        t->o.bf16->narrow(1, from.pixels, from.p, 0, halves(t->memory + p->copy) + (block + b) * (long)BLOCK, 0,
                          p->v.conv.x_pixel);
        if (!back)
            continue;
        t->o.bf16->pairs(1, from.pixels, from.p, 0, pairs, 0);
        memset(pairs + used * PAIR_BLOCK, 0, (size_t)(all - used) * PAIR_BLOCK * sizeof *pairs);
    }
}

/* dw of some blocks of inputs and all outputs: channels of x by images, times images by channels of dy. */
void bf16_dense_weight_grad(struct trainer *t, const struct operation *op, struct view x, int block,
                            int thread)
{
    const struct grad16 *h = &op->grad16;
    float *scratch = t->scratch[thread];
    bf16 *pairs = halves(scratch + h->x_pairs), *turned = halves(scratch + h->x_turned);
    int all = image_pairs(t), whole = (all + BLOCK - 1) / BLOCK * BLOCK, zero = 0;
    for (int b = 0; b < x.blocks; b++) {
        t->o.bf16->pairs(1, x.pixels, x.p + b * x.block, 0, pairs, 0);
        t->o.bf16->turn(whole, pairs, turned + b * BLOCK * h->pitch, h->pitch);
    }
    struct conv v = {.blocks = op->forward.pack.blocks, .rows = x.blocks, .pixels = BLOCK, .runs = 1,
                     .run = 2 * all, .offset = &zero, .x_row = BLOCK * h->pitch,
                     .x_pixel = h->pitch, .y_block = (long)op->forward.pack.runs * TILE, .y_row = TILE,
                     .w16 = halves(t->memory + h->dy_pairs)};
    t->o.bf16->conv(&v, turned, t->g + op->forward.weight + (long)block * TILE);
}
