/* The products of convolutions and dense layers in bf16 (kernel/bf16.h).
 *   in   operands in floats, as the other passes have them
 *   out  the same products, of operands rounded to bf16, summed in floats
 * Operands are copied where they are used; all copies of a step of seed.net are a tenth of its time. */
#include "train_plan.h"

#include <string.h>

#define PAIR_BLOCK (2 * BLOCK) /* Numbers of a block of channels for a pair of pixels. */

/* ---- Planning ---- */

/* Reserve `count` numbers, rounded up to whole cache lines, of a memory of *total. Returns their place. */
static long take(long *total, long count)
{
    long place = *total;
    *total += (count + 31) / 32 * 32;
    return place;
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

/* Plan the convolution of l from an image of layout `from` to one of l->out, in so many blocks. Its runs are a
 * kernel's rows, or, where it is dilated across, single taps. */
static void plan_conv(struct trainer *t, struct product16 *p, const struct layer *l,
                      const struct layout *from, int blocks)
{
    int across = l->dilation_w == 1 ? 1 : l->s, runs = l->r * across;
    long c = from->blocks * (long)BLOCK, row = wide_of(from) * c;
    int *offset = train_offsets(t, runs);
    if (offset)
        run_offsets(l, across, c, row, 1, 0, offset);
    p->v = (struct conv16){.blocks = blocks, .rows = l->out.h, .pixels = l->out.w, .runs = runs,
                           .pairs = (int)(l->r * l->s * c / 2 / runs), .offset = offset, .x_row = row,
                           .x_pixel = c};
    p->x = take(&t->scratch16_size, from->blocks * from->block);
    p->weight = take(&t->weights16_size, l->r * l->s * c * blocks * BLOCK);
}

/* The same of a dense layer from so many blocks. */
static void plan_dense(struct trainer *t, struct product16 *p, int from, int blocks)
{
    long c = from * (long)BLOCK;
    long pitch = c + 32; /* a cache line more: images lie in different sets of the cache */
    p->v = (struct conv16){.blocks = blocks, .rows = 1, .runs = 1, .pairs = (int)(c / 2),
                           .offset = train_offsets(t, 1), .x_pixel = pitch};
    p->x = take(&t->memory16_size, t->o.batch * pitch);
    p->weight = take(&t->weights16_size, c * blocks * BLOCK);
}

/* Plan the copies for the gradient of the weights of a convolution. */
static void plan_conv_pairs(struct trainer *t, struct operation *op)
{
    struct bf16_plan *h = &op->bf16;
    const struct layout *x = &t->program.value[op->x].act;
    h->wide = (wide_of(x) + 1) / 2 * 2;
    int used = ((op->layer.out.h - 1) * h->wide + op->layer.out.w + 1) / 2, all = high_of(x) * h->wide / 2;
    h->pairs = bf16_pairs(used);
    h->pitch = (all + h->pairs - used + 1 + BLOCK - 1) / BLOCK * (long)PAIR_BLOCK;
    h->dy_pairs = take(&t->scratch16_size, (long)op->forward.pack.blocks * h->pairs * PAIR_BLOCK);
    h->x_turned = take(&t->scratch16_size, x->blocks * BLOCK * h->pitch);
}

static void plan_dense_pairs(struct trainer *t, struct operation *op)
{
    struct bf16_plan *h = &op->bf16;
    int batch = t->o.batch;
    h->pairs = (batch + 1) / 2 + batch / 2 / STEP_PAIRS + 2; /* an upper bound: one more a step */
    h->pitch = (long)(h->pairs + BLOCK) / BLOCK * PAIR_BLOCK;
    h->dy_pairs = take(&t->memory16_size, (long)op->forward.pack.blocks * h->pairs * PAIR_BLOCK);
    h->x_turned = take(&t->scratch16_size, 2 * BLOCK * h->pitch);
}

int bf16_plan(struct trainer *t, struct operation *op)
{
    struct bf16_plan *h = &op->bf16;
    const struct packing *p = &op->forward.pack;
    const struct value *x = &t->program.value[op->x], *y = &t->program.value[op->y];
    bool strided = op->layer.stride_h != 1 || op->layer.stride_w != 1;
    struct layer turned = op->layer;
    turned.out = x->shape;
    h->on = t->o.bf16 && p->run == BLOCK && !strided && !op->start &&
            (!op->forward.fast || t->o.bf16->beats_winograd);
    if (!h->on)
        return 0;
    if (op->op == OP_CONV) {
        plan_conv(t, &h->forward, &op->layer, &x->act, p->blocks);
        if (x->needs_grad)
            plan_conv(t, &h->back, &turned, &y->grad, op->back.pack.blocks);
        plan_conv_pairs(t, op);
    } else {
        plan_dense(t, &h->forward, p->runs, p->blocks);
        plan_dense(t, &h->back, p->blocks, p->runs);
        plan_dense_pairs(t, op);
    }
    h->x_pairs = take(&t->scratch16_size, h->pitch * BLOCK);
    return h->forward.v.offset && (h->back.v.offset || !x->needs_grad) ? 0 : -1;
}

/* ---- Weights ---- */

/* Blocks of inputs go in the order of [H][W][C], tap by tap. */
void bf16_weights(const struct trainer *t, const struct operation *op, int block)
{
    const struct packing *p = &op->forward.pack;
    int window = op->op == OP_CONV ? p->r * p->s : 1, inputs = p->runs / window;
    bool back = !t->frozen && t->program.value[op->x].needs_grad;
    const float *from = t->active + op->weight + (long)block * p->runs * TILE;
    bf16 *to = t->weights16 + op->bf16.forward.weight + (long)block * p->runs * TILE;
    bf16 *turned = t->weights16 + op->bf16.back.weight + (long)block * TILE;
    for (int c = 0; c < inputs; c++)
        for (int i = 0; i < window; i++, from += TILE) {
            t->o.bf16->pairs(1, BLOCK, from, 0, to + (long)(i * inputs + c) * TILE, 0);
            long tap = (long)c * window + window - 1 - i;
            if (back)
                t->o.bf16->turn_weights(from, turned + tap * p->blocks * TILE);
        }
}

/* ---- Convolution ---- */

/* What a product needs at hand; `block` is the first one of what is made. */
static struct conv16 conv_of(const struct trainer *t, const struct operation *op, bool back, struct view to,
                             int block)
{
    const struct product16 *p = back ? &op->bf16.back : &op->bf16.forward;
    struct conv16 v = p->v;
    v.blocks = to.blocks;
    v.pixels = to.pixels;
    v.y_block = to.block;
    v.y_row = to.row;
    v.w = t->weights16 + p->weight + (long)block * v.runs * v.pairs * PAIR_BLOCK;
    v.bias = back ? NULL : t->active + op->bias + block * BLOCK;
    v.relu = !back && op->relu;
    return v;
}

void bf16_conv(struct trainer *t, const struct operation *op, bool back, struct view from, struct view to,
               int thread)
{
    const struct value *value = t->program.value;
    const struct layout *l = back ? &value[op->y].grad : &value[op->x].act;
    struct conv16 v = conv_of(t, op, back, to, 0);
    bf16 *copy = t->scratch16[thread] + (back ? op->bf16.back.x : op->bf16.forward.x);
    for (int b = 0; b < from.blocks; b++)
        t->o.bf16->narrow(from.rows, from.pixels, from.p + b * from.block, from.row,
                          copy + l->origin * l->blocks + b * BLOCK, v.x_row, v.x_pixel);
    t->o.bf16->conv(&v, copy, to.p);
}

/* dw: for each tap channels of x by pixels, times pixels by channels of dy. Rows of both are as wide
 * as x's, so that a tap is an offset; dy is 0 where it has no pixel. */
void bf16_conv_weight_grad(struct trainer *t, const struct operation *op, const float *x,
                           struct view dy, float *dw, bool first, int thread)
{
    const struct bf16_plan *h = &op->bf16;
    const struct packing *p = &op->forward.pack;
    const struct layout *l = &t->program.value[op->x].act;
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
        int offset = tap / p->s * op->layer.dilation_h * h->wide + tap % p->s * op->layer.dilation_w;
        v.offset = &offset;
        t->o.bf16->conv(&v, turned, dw + (long)tap * TILE);
    }
}

/* ---- Dense ---- */

static int image_pairs(const struct trainer *t)
{
    return bf16_pairs((t->n + 1) / 2);
}

void bf16_dense_round(struct trainer *t, const struct operation *op, bool back, struct view from, int block)
{
    const struct product16 *p = back ? &op->bf16.back : &op->bf16.forward;
    int used = (t->n + 1) / 2, all = image_pairs(t);
    for (int b = 0; b < from.blocks; b++, from.p += from.block) {
        bf16 *pairs = t->memory16 + op->bf16.dy_pairs + (long)(block + b) * all * PAIR_BLOCK;
        t->o.bf16->narrow(1, from.pixels, from.p, 0, t->memory16 + p->x + (block + b) * (long)BLOCK, 0,
                          p->v.x_pixel);
        if (!back)
            continue;
        t->o.bf16->pairs(1, from.pixels, from.p, 0, pairs, 0);
        memset(pairs + used * PAIR_BLOCK, 0, (size_t)(all - used) * PAIR_BLOCK * sizeof *pairs);
    }
}

void bf16_dense(struct trainer *t, const struct operation *op, bool back, struct view to, int block)
{
    struct conv16 v = conv_of(t, op, back, to, block);
    t->o.bf16->conv(&v, t->memory16 + (back ? op->bf16.back.x : op->bf16.forward.x), to.p);
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
    struct conv16 v = {.blocks = op->forward.pack.blocks, .rows = x.blocks, .pixels = BLOCK, .runs = 1,
                       .pairs = all, .offset = h->forward.v.offset, .x_row = BLOCK * h->pitch,
                       .x_pixel = h->pitch, .y_block = (long)op->forward.pack.runs * TILE, .y_row = TILE,
                       .w = t->memory16 + h->dy_pairs};
    t->o.bf16->conv(&v, turned, t->g + op->weight + (long)block * TILE);
}
