/* Each operation of a training step, forward and backward.
 *   in   an operation and an item of a phase: an image, or a pair of blocks of a matrix
 *   out  its activations, its gradients, its sums for batch norm */
#include "train_plan.h"

#include <math.h>
#include <string.h>

int train_shard_first(int n, int shard)
{
    return (shard * n + TRAIN_SHARDS - 1) / TRAIN_SHARDS;
}

/* Sum eight partial sums by a binary tree, always in the same order. */
static double fold(const double s[TRAIN_SHARDS])
{
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

static struct view view_rows(const struct trainer *t, const struct value *v, float *base, int item)
{
    int all = matrix_blocks(v->shape), first = 2 * item;
    long block = (long)t->o.batch * BLOCK;
    return (struct view){base + first * block, first, all - first < 2 ? all - first : 2, 1, t->n, 0,
                         block};
}

static struct view view_layout(const struct layout *l, float *base)
{
    return (struct view){base + l->origin, 0, l->blocks, l->shape.h, l->shape.w, l->row, l->block};
}

static float *act_of(const struct trainer *t, const struct value *v, int item)
{
    return t->memory + v->act_place + (v->matrix ? 0 : item * v->act.size);
}

static float *grad_of(const struct trainer *t, const struct value *v, int item, int thread)
{
    if (v->grad_local)
        return t->scratch[thread] + v->grad_place;
    return t->memory + v->grad_place + (v->matrix ? 0 : item * v->grad.size);
}

static struct view act_view(const struct trainer *t, int value, int item)
{
    const struct value *v = &t->value[value];
    float *base = act_of(t, v, item);
    return v->matrix ? view_rows(t, v, base, item) : view_layout(&v->act, base);
}

static struct view grad_view(const struct trainer *t, int value, int item, int thread)
{
    const struct value *v = &t->value[value];
    float *base = grad_of(t, v, item, thread);
    return v->matrix ? view_rows(t, v, base, item) : view_layout(&v->grad, base);
}

/* Where an operation writes the gradient of its input: in place, or, when it has to be added, in the
 * spare. */
static struct view grad_target(const struct trainer *t, int value, bool adding, int item, int thread)
{
    struct view v = grad_view(t, value, item, thread);
    if (!adding)
        return v;
    v.p = t->scratch[thread] + t->spare;
    v.row = (long)v.pixels * BLOCK;
    v.block = v.rows * v.row;
    return v;
}

static void add_spare(const struct trainer *t, int value, bool adding, int item, int thread)
{
    if (!adding)
        return;
    struct view to = grad_view(t, value, item, thread);
    struct view from = grad_target(t, value, true, item, thread);
    for (int b = 0; b < to.blocks; b++) {
        float *p = to.p + b * to.block;
        t->k->add(to.rows, to.pixels, p, to.row, from.p + b * from.block, from.row, false, p, to.row);
    }
}

static void zero_view(struct view v)
{
    for (int b = 0; b < v.blocks; b++)
        for (int r = 0; r < v.rows; r++)
            memset(v.p + b * v.block + r * v.row, 0, (size_t)v.pixels * BLOCK * sizeof *v.p);
}

static void copy_view(struct view from, struct view to)
{
    for (int b = 0; b < to.blocks; b++)
        for (int r = 0; r < to.rows; r++)
            memcpy(to.p + b * to.block + r * to.row, from.p + b * from.block + r * from.row,
                   (size_t)to.pixels * BLOCK * sizeof *to.p);
}

/* ---- Convolution ---- */

static void conv_forward(struct trainer *t, const struct operation *op, int item, int thread)
{
    const struct value *x = &t->value[op->x], *y = &t->value[op->y];
    if (op->bf16.on) {
        bf16_conv_forward(t, op, act_of(t, x, item), act_view(t, op->y, item), thread);
        return;
    }
    struct conv v = {.blocks = op->pack.blocks, .rows = y->shape.h, .pixels = y->shape.w,
                     .runs = op->runs, .run = op->run, .offset = op->offset,
                     .x_row = op->l->stride_h * x->act.row,
                     .x_pixel = op->l->stride_w * x->act.pixel,
                     .y_block = y->act.block, .y_row = y->act.row, .w = t->active + op->weight,
                     .bias = t->active + op->bias, .relu = op->relu};
    float *to = act_of(t, y, item) + y->act.origin;
    if (op->winograd.on)
        winograd_forward(t, op, &v, act_of(t, x, item), to, thread);
    else
        t->k->conv(&v, act_of(t, x, item), to);
}

/* Mask dy by the relu fused into the operation, unless the batch norm behind has done it. */
static void relu_backward(struct trainer *t, int y, int item, int thread)
{
    struct view d = grad_view(t, y, item, thread), a = act_view(t, y, item);
    for (int b = 0; b < d.blocks; b++) {
        float *p = d.p + b * d.block;
        t->k->relu_grad(d.rows, d.pixels, p, d.row, a.p + b * a.block, a.row, p, d.row);
    }
}

/* Where the gradient of x goes; p is NULL where x needs none. */
static struct view dx_target(const struct trainer *t, const struct operation *op, int item, int thread)
{
    if (!t->value[op->x].needs_grad)
        return (struct view){0};
    return grad_target(t, op->x, op->add_x, item, thread);
}

/* Sums over the image's pixels, added to those of the shard. */
static void bias_backward(struct trainer *t, struct view dy, float *bias, bool first)
{
    float sum[BLOCK], square[BLOCK];
    for (int b = 0; b < dy.blocks; b++) {
        t->k->moments(dy.rows, dy.pixels, dy.p + b * dy.block, dy.row, sum, square);
        for (int k = 0; k < BLOCK; k++)
            bias[b * BLOCK + k] = first ? sum[k] : bias[b * BLOCK + k] + sum[k];
    }
}

static void conv_weight_grad(struct trainer *t, const struct operation *op, struct view dy,
                             float *dw, int item, int thread)
{
    const struct value *x = &t->value[op->x];
    int shard = item * TRAIN_SHARDS / t->n, first = train_shard_first(t->n, shard);
    if (op->winograd.on) {
        bool last = item + 1 == train_shard_first(t->n, shard + 1);
        winograd_weight_grad(t, op, act_of(t, x, item), dy, dw, item - first, last, thread);
        return;
    }
    struct conv_grad g = {.blocks = op->pack.blocks, .rows = dy.rows, .pixels = dy.pixels,
                          .runs = op->runs, .run = op->run, .offset = op->offset,
                          .x_row = op->l->stride_h * x->act.row,
                          .x_pixel = op->l->stride_w * x->act.pixel,
                          .dy_block = dy.block, .dy_row = dy.row, .first = item == first};
    t->k->conv_grad(&g, act_of(t, x, item), dy.p, dw);
}

static void conv_input_grad(struct trainer *t, const struct operation *op, struct view dy, int item,
                            int thread)
{
    const float *wide = dy.p - t->value[op->y].grad.origin;
    struct view dx = grad_target(t, op->x, op->add_x, item, thread);
    if (op->part) {
        stride_backward(t, op, wide, dx, thread);
        return;
    }
    struct conv v = {.blocks = op->pack_back.blocks, .rows = dx.rows, .pixels = dx.pixels,
                     .runs = op->pack_back.runs, .run = op->pack_back.run,
                     .offset = op->offset_back, .x_row = op->spread.row, .x_pixel = BLOCK,
                     .y_block = dx.block, .y_row = dx.row, .w = t->back + op->weight_back};
    if (op->winograd.back)
        winograd_backward(t, op, &v, wide, dx.p, thread);
    else
        t->k->conv(&v, wide, dx.p);
}

static void conv_backward(struct trainer *t, const struct operation *op, int item, int thread)
{
    const struct value *x = &t->value[op->x];
    struct view dy = grad_view(t, op->y, item, thread);
    int shard = item * TRAIN_SHARDS / t->n;
    bool first = item == train_shard_first(t->n, shard);
    float *grad = t->shard_grad + shard * t->sharded;
    if (op->relu && !op->rectified)
        relu_backward(t, op->y, item, thread);
    if (op->l->bias)
        bias_backward(t, dy, grad + op->bias, first);
    if (op->bf16.on) {
        bf16_conv_backward(t, op, act_of(t, x, item), dy, dx_target(t, op, item, thread),
                           grad + op->weight, first, thread);
    } else {
        conv_weight_grad(t, op, dy, grad + op->weight, item, thread);
        if (x->needs_grad)
            conv_input_grad(t, op, dy, item, thread);
    }
    if (x->needs_grad)
        add_spare(t, op->x, op->add_x, item, thread);
}

/* ---- Dense, over a pair of blocks of outputs (forward) or of inputs (backward) ---- */

static void dense_forward(struct trainer *t, const struct operation *op, int item)
{
    struct view y = act_view(t, op->y, item);
    if (op->bf16.on) {
        bf16_dense_forward(t, op, y);
        return;
    }
    long per_block = (long)op->pack.runs * op->pack.run * BLOCK;
    struct conv v = {.blocks = y.blocks, .rows = 1, .pixels = t->n, .runs = op->pack.runs,
                     .run = op->pack.run, .offset = op->offset, .x_pixel = BLOCK,
                     .y_block = y.block, .w = t->active + op->weight + y.first * per_block,
                     .bias = t->active + op->bias + y.first * BLOCK, .relu = op->relu};
    t->k->conv(&v, act_of(t, &t->value[op->x], 0), y.p);
}

/* The weights' gradient between one block of inputs and all outputs: a shard at a time into a small
 * tile, the tiles folded by a tree. */
static void dense_weight_grad(struct trainer *t, const struct operation *op, const float *x,
                              int run, const float *dy, float *tile)
{
    int inputs = op->pack.run;
    long block = (long)t->o.batch * BLOCK, per_block = (long)op->pack.runs * inputs * BLOCK;
    int zero = 0;
    for (int b = 0; b < op->pack.blocks; b += 2) {
        int blocks = op->pack.blocks - b < 2 ? 1 : 2;
        long size = (long)blocks * inputs * BLOCK;
        for (int s = 0; s < TRAIN_SHARDS; s++) {
            int first = train_shard_first(t->n, s);
            struct conv_grad g = {.blocks = blocks, .rows = 1,
                                  .pixels = train_shard_first(t->n, s + 1) - first, .runs = 1,
                                  .run = inputs, .offset = &zero, .x_pixel = BLOCK,
                                  .dy_block = block, .first = true};
            t->k->conv_grad(&g, x + first * BLOCK, dy + b * block + first * BLOCK, tile + s * size);
        }
        for (int half = 1; half < TRAIN_SHARDS; half *= 2)
            for (int s = 0; s < TRAIN_SHARDS; s += 2 * half)
                t->k->add(1, (int)(size / BLOCK), tile + s * size, 0, tile + (s + half) * size, 0,
                          false, tile + s * size, 0);
        for (int j = 0; j < blocks; j++)
            memcpy(t->g + op->weight + (b + j) * per_block + (long)run * inputs * BLOCK,
                   tile + j * inputs * BLOCK, (size_t)inputs * BLOCK * sizeof *tile);
    }
}

/* The biases' gradients, folded by shard; done by the item that owns block 0 of the inputs. */
static void dense_bias_grad(struct trainer *t, const struct operation *op, const float *dy)
{
    long block = (long)t->o.batch * BLOCK;
    for (int b = 0; b < op->pack.blocks; b++) {
        float sum[TRAIN_SHARDS][BLOCK], square[BLOCK];
        for (int s = 0; s < TRAIN_SHARDS; s++) {
            int first = train_shard_first(t->n, s);
            t->k->moments(1, train_shard_first(t->n, s + 1) - first, dy + b * block + first * BLOCK,
                          0, sum[s], square);
        }
        for (int k = 0; k < BLOCK; k++) {
            double part[TRAIN_SHARDS];
            for (int s = 0; s < TRAIN_SHARDS; s++)
                part[s] = sum[s][k];
            t->g[op->bias + b * BLOCK + k] = (float)fold(part);
        }
    }
}

/* The gradients of weights and of x. */
static void dense_products(struct trainer *t, const struct operation *op, struct view x,
                           const float *dy, struct view dx, int thread)
{
    for (int b = 0; b < x.blocks; b++)
        dense_weight_grad(t, op, x.p + b * x.block, x.first + b, dy, t->scratch[thread] + t->tile);
    if (!dx.p)
        return;
    long per_block = (long)op->pack_back.runs * op->pack_back.run * BLOCK;
    struct conv v = {.blocks = dx.blocks, .rows = 1, .pixels = t->n, .runs = op->pack_back.runs,
                     .run = op->pack_back.run, .offset = op->offset_back, .x_pixel = BLOCK,
                     .y_block = dx.block, .w = t->back + op->weight_back + dx.first * per_block};
    t->k->conv(&v, dy, dx.p);
}

static void dense_backward(struct trainer *t, const struct operation *op, int item, int thread)
{
    const float *dy = grad_of(t, &t->value[op->y], 0, thread);
    struct view x = act_view(t, op->x, item), dx = dx_target(t, op, item, thread);
    if (item == 0)
        dense_bias_grad(t, op, dy);
    if (op->bf16.on)
        bf16_dense_backward(t, op, x, dx, thread);
    else
        dense_products(t, op, x, dy, dx, thread);
    if (dx.p)
        add_spare(t, op->x, op->add_x, item, thread);
}

/* ---- Batch norm ---- */

/* Two sums for each channel, to image_sum and image_dot: of one image, or, of a matrix, of each shard
 * (slot s is shard s). */
static float *slot(const struct trainer *t, float *sums, const struct operation *op, int i, int block)
{
    return sums + i * t->stats + op->stats + block * BLOCK;
}

static void batchnorm_moments(struct trainer *t, const struct operation *op, int item)
{
    struct view x = act_view(t, op->x, item);
    for (int b = 0; b < x.blocks; b++)
        t->k->moments(x.rows, x.pixels, x.p + b * x.block, x.row, slot(t, t->image_sum, op, item, b),
                      slot(t, t->image_dot, op, item, b));
}

static void batchnorm_sums(struct trainer *t, const struct operation *op, int item, int thread)
{
    struct view x = act_view(t, op->x, item), dy = grad_view(t, op->y, item, thread);
    for (int b = 0; b < x.blocks; b++)
        t->k->batchnorm_sums(x.rows, x.pixels, dy.p + b * dy.block, dy.row, x.p + b * x.block, x.row,
                             t->mean + op->stats + b * BLOCK, slot(t, t->image_sum, op, item, b),
                             slot(t, t->image_dot, op, item, b));
}

/* All channels' two sums over each shard, its images in order; the other ranks' shards are theirs to
 * sum. */
static void sum_shards(struct trainer *t, const struct operation *op)
{
    long c = op->channels;
    int first = train_rank_first(t, train_rank(t)), end = train_rank_first(t, train_rank(t) + 1);
    for (int s = first; s < end; s++) {
        double *sum = t->shard_sum + s * 2 * c, *dot = sum + c;
        memset(sum, 0, (size_t)(2 * c) * sizeof *sum);
        for (int j = train_shard_first(t->n, s); j < train_shard_first(t->n, s + 1); j++)
            for (long i = 0; i < c; i++) {
                sum[i] += t->image_sum[j * t->stats + op->stats + i];
                dot[i] += t->image_dot[j * t->stats + op->stats + i];
            }
    }
    ranks_gather(t->o.ranks, t->shard_sum, (size_t)((end - first) * 2 * c) * sizeof(double));
}

/* Channel i's two sums over the batch, from those of the shards. */
static void fold_shards(const struct trainer *t, const struct operation *op, long i, double *sum,
                        double *dot)
{
    double s[TRAIN_SHARDS], d[TRAIN_SHARDS];
    for (int j = 0; j < TRAIN_SHARDS; j++) {
        s[j] = t->shard_sum[j * 2 * op->channels + i];
        d[j] = t->shard_sum[(j * 2 + 1) * op->channels + i];
    }
    *sum = fold(s);
    *dot = fold(d);
}

/* The same of a matrix, whose slots are the shards. */
static void fold_slots(const struct trainer *t, const struct operation *op, long i, double *sum,
                       double *dot)
{
    double s[TRAIN_SHARDS], d[TRAIN_SHARDS];
    for (int j = 0; j < TRAIN_SHARDS; j++) {
        s[j] = t->image_sum[j * t->stats + op->stats + i];
        d[j] = t->image_dot[j * t->stats + op->stats + i];
    }
    *sum = fold(s);
    *dot = fold(d);
}

/* Set mean and deviation of channel i from the sum and the sum of squares of `count` values; from them the
 * coefficients of the normalization, and the running or recomputed statistics. */
static void set_moments(struct trainer *t, const struct operation *op, long i, double sum,
                        double square, double count)
{
    long s = op->stats + i;
    float epsilon = op->l->epsilon, momentum = op->l->momentum;
    double mean = sum / count, var = fmax(square / count - mean * mean, 0);
    t->mean[s] = (float)mean;
    t->inverse[s] = (float)(1 / sqrt(var + epsilon));
    t->a[s] = t->active[op->scale + i] * t->inverse[s];
    t->b[s] = t->active[op->shift + i] - t->mean[s] * t->a[s];
    double unbiased = count > 1 ? var * count / (count - 1) : var;
    if (t->frozen) {
        t->stats_sum[s] += sum / count * t->n;
        t->stats_square[s] += square / count * t->n;
    } else {
        t->running_mean[s] = momentum * t->running_mean[s] + (1 - momentum) * (float)mean;
        t->running_var[s] = momentum * t->running_var[s] + (1 - momentum) * (float)unbiased;
    }
}

/* Set the gradients of scale and shift of channel i from its two sums, and the coefficients of
 * dx = a dy + b x + c. */
static void set_sums(struct trainer *t, const struct operation *op, long i, double sum, double dot,
                     double count)
{
    long s = op->stats + i;
    double inverse = t->inverse[s], a = t->w[op->scale + i] * inverse;
    double b = -a * inverse * inverse * dot / count;
    t->g[op->shift + i] = (float)sum;
    t->g[op->scale + i] = (float)(dot * inverse);
    t->a[s] = (float)a;
    t->b[s] = (float)b;
    t->c[s] = (float)(-a * sum / count - b * t->mean[s]);
}

static double count_of(const struct trainer *t, const struct operation *op)
{
    const struct value *x = &t->value[op->x];
    return x->matrix ? t->n : (double)t->n * x->shape.h * x->shape.w;
}

void train_finish_moments(struct trainer *t, const struct operation *op)
{
    double sum, square;
    sum_shards(t, op);
    for (long i = 0; i < op->channels; i++) {
        fold_shards(t, op, i, &sum, &square);
        set_moments(t, op, i, sum, square, count_of(t, op));
    }
}

void train_finish_sums(struct trainer *t, const struct operation *op)
{
    double sum, dot;
    sum_shards(t, op);
    for (long i = 0; i < op->channels; i++) {
        fold_shards(t, op, i, &sum, &dot);
        set_sums(t, op, i, sum, dot, count_of(t, op));
    }
}

/* Batch norm of a matrix: one item holds all sums of a block, so that moments and sums need no phase. */
static void shard_sums(struct trainer *t, const struct operation *op, struct view x, struct view dy,
                       int b)
{
    for (int s = 0; s < TRAIN_SHARDS; s++) {
        int first = train_shard_first(t->n, s), pixels = train_shard_first(t->n, s + 1) - first;
        const float *xs = x.p + b * x.block + first * BLOCK;
        float *sum = slot(t, t->image_sum, op, s, x.first + b);
        float *dot = slot(t, t->image_dot, op, s, x.first + b);
        if (dy.p)
            t->k->batchnorm_sums(1, pixels, dy.p + b * dy.block + first * BLOCK, 0, xs, 0,
                                 t->mean + op->stats + (x.first + b) * BLOCK, sum, dot);
        else
            t->k->moments(1, pixels, xs, 0, sum, dot);
    }
}

static void matrix_moments(struct trainer *t, const struct operation *op, struct view x, int b)
{
    double sum, square;
    shard_sums(t, op, x, (struct view){0}, b);
    for (long i = (long)(x.first + b) * BLOCK, end = i + BLOCK; i < end; i++) {
        fold_slots(t, op, i, &sum, &square);
        set_moments(t, op, i, sum, square, t->n);
    }
}

static void matrix_sums(struct trainer *t, const struct operation *op, struct view x, struct view dy,
                      int b)
{
    double sum, dot;
    shard_sums(t, op, x, dy, b);
    for (long i = (long)(x.first + b) * BLOCK, end = i + BLOCK; i < end; i++) {
        fold_slots(t, op, i, &sum, &dot);
        set_sums(t, op, i, sum, dot, t->n);
    }
}

static void batchnorm_forward(struct trainer *t, const struct operation *op, int item)
{
    struct view x = act_view(t, op->x, item), y = act_view(t, op->y, item);
    for (int b = 0; b < x.blocks; b++) {
        long s = op->stats + (x.first + b) * BLOCK;
        if (t->value[op->x].matrix)
            matrix_moments(t, op, x, b);
        t->k->affine(x.rows, x.pixels, x.p + b * x.block, x.row, t->a + s, t->b + s,
                     y.p + b * y.block, y.row);
    }
}

static void batchnorm_backward(struct trainer *t, const struct operation *op, int item, int thread)
{
    struct view x = act_view(t, op->x, item), dy = grad_view(t, op->y, item, thread);
    if (t->value[op->x].matrix)
        for (int b = 0; b < x.blocks; b++)
            matrix_sums(t, op, x, dy, b);
    if (!t->value[op->x].needs_grad)
        return;
    struct view dx = grad_target(t, op->x, op->add_x, item, thread);
    for (int b = 0; b < x.blocks; b++) {
        long s = op->stats + (x.first + b) * BLOCK;
        t->k->batchnorm_grad(x.rows, x.pixels, dy.p + b * dy.block, dy.row, x.p + b * x.block, x.row,
                             t->a + s, t->b + s, t->c + s, op->rectified, dx.p + b * dx.block,
                             dx.row);
    }
    add_spare(t, op->x, op->add_x, item, thread);
}

/* ---- The others ---- */

static void relu_forward(struct trainer *t, const struct operation *op, int item)
{
    struct view x = act_view(t, op->x, item), y = act_view(t, op->y, item);
    for (int b = 0; b < x.blocks; b++)
        t->k->relu(x.rows, x.pixels, x.p + b * x.block, x.row, y.p + b * y.block, y.row);
}

static void relu_only_backward(struct trainer *t, const struct operation *op, int item, int thread)
{
    struct view y = act_view(t, op->y, item), dy = grad_view(t, op->y, item, thread);
    struct view dx = grad_target(t, op->x, op->add_x, item, thread);
    for (int b = 0; b < y.blocks; b++)
        t->k->relu_grad(y.rows, y.pixels, dy.p + b * dy.block, dy.row, y.p + b * y.block, y.row,
                        dx.p + b * dx.block, dx.row);
    add_spare(t, op->x, op->add_x, item, thread);
}

/* 32 bits of a hash (SplitMix64) of seed, step, layer and image, on which a dropout mask depends. */
static uint32_t dropout_key(const struct trainer *t, const struct operation *op, int image)
{
    uint64_t x = t->o.seed;
    const uint64_t part[3] = {(uint64_t)t->steps, (uint64_t)op->layer, (uint64_t)image};
    for (int i = 0; i < 3; i++) {
        x = (x ^ part[i]) + 0x9e3779b97f4a7c15u;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        x ^= x >> 31;
    }
    return (uint32_t)x;
}

/* Dropout, forward on activations or backward on gradients. */
static void dropout(struct trainer *t, const struct operation *op, struct view from, struct view to,
                    int item)
{
    bool matrix = t->value[op->x].matrix;
    uint32_t key = dropout_key(t, op, matrix ? 0 : item);
    uint32_t per_block = (uint32_t)((matrix ? t->o.batch : to.rows * to.pixels) * BLOCK);
    double rate = t->frozen ? 0 : op->l->rate;
    for (int b = 0; b < to.blocks; b++)
        t->k->dropout(to.rows, to.pixels, from.p + b * from.block, from.row, key,
                      (uint32_t)(to.first + b) * per_block, (uint32_t)(rate * 0x1p32),
                      (float)(1 / (1 - rate)), to.p + b * to.block, to.row);
}

static void dropout_backward(struct trainer *t, const struct operation *op, int item, int thread)
{
    dropout(t, op, grad_view(t, op->y, item, thread),
            grad_target(t, op->x, op->add_x, item, thread), item);
    add_spare(t, op->x, op->add_x, item, thread);
}

static void pool_forward(struct trainer *t, const struct operation *op, int item)
{
    const struct value *x = &t->value[op->x];
    struct view y = act_view(t, op->y, item);
    struct pool v = op->pool;
    v.x_row = x->act.row;
    v.y_row = y.row;
    const float *from = act_of(t, x, item) + x->act.origin;
    for (int b = 0; b < y.blocks; b++)
        if (op->op == OP_MAXPOOL)
            t->k->maxpool(&v, from + b * x->act.block, y.p + b * y.block);
        else
            t->k->sumpool(&v, op->factor, from + b * x->act.block, y.p + b * y.block);
}

static void pool_backward(struct trainer *t, const struct operation *op, int item, int thread)
{
    struct view x = act_view(t, op->x, item), y = act_view(t, op->y, item);
    struct view dy = grad_view(t, op->y, item, thread);
    struct view dx = grad_target(t, op->x, op->add_x, item, thread);
    struct pool v = op->pool;
    v.x_row = x.row;
    v.y_row = y.row;
    zero_view(dx);
    for (int b = 0; b < y.blocks; b++)
        if (op->op == OP_MAXPOOL)
            t->k->maxpool_grad(&v, x.p + b * x.block, y.p + b * y.block, dy.p + b * dy.block, dy.row,
                               dx.p + b * dx.block, dx.row);
        else
            t->k->sumpool_grad(&v, op->factor, dy.p + b * dy.block, dy.row, dx.p + b * dx.block,
                               dx.row);
    add_spare(t, op->x, op->add_x, item, thread);
}

static void add_forward(struct trainer *t, const struct operation *op, int item)
{
    struct view x = act_view(t, op->x, item), x2 = act_view(t, op->x2, item);
    struct view y = act_view(t, op->y, item);
    for (int b = 0; b < y.blocks; b++)
        t->k->add(y.rows, y.pixels, x.p + b * x.block, x.row, x2.p + b * x2.block, x2.row, false,
                  y.p + b * y.block, y.row);
}

static void add_backward(struct trainer *t, const struct operation *op, int item, int thread)
{
    struct view dy = grad_view(t, op->y, item, thread);
    const struct {
        int value;
        bool adding;
    } to[2] = {{op->x, op->add_x}, {op->x2, op->add_x2}};
    for (int i = 0; i < 2; i++) {
        if (!t->value[to[i].value].needs_grad)
            continue;
        copy_view(dy, grad_target(t, to[i].value, to[i].adding, item, thread));
        add_spare(t, to[i].value, to[i].adding, item, thread);
    }
}

/* Copy images first..end of matrix v between their place and a packed one. */
static void move_rows(const struct trainer *t, const struct value *v, int first, int end, bool out,
                      float *packed)
{
    size_t size = (size_t)(end - first) * BLOCK;
    for (int b = 0; b < matrix_blocks(v->shape); b++) {
        float *matrix = t->memory + v->act_place + ((long)b * t->o.batch + first) * BLOCK;
        float *there = packed + (size_t)b * size;
        memcpy(out ? there : matrix, out ? matrix : there, size * sizeof *matrix);
    }
}

void train_share_matrix(struct trainer *t, const struct operation *op)
{
    const struct value *v = &t->value[op->y];
    int ranks = t->o.ranks->count, most = 0, first[TRAIN_SHARDS + 1];
    for (int r = 0; r <= ranks; r++) {
        first[r] = train_shard_first(t->n, train_rank_first(t, r));
        most = r && first[r] - first[r - 1] > most ? first[r] - first[r - 1] : most;
    }
    size_t size = (size_t)most * (size_t)matrix_blocks(v->shape) * BLOCK;
    int own = train_rank(t);
    move_rows(t, v, first[own], first[own + 1], true, t->exchange + (size_t)own * size);
    if (ranks_gather(t->o.ranks, t->exchange, size * sizeof *t->exchange))
        return;
    for (int r = 0; r < ranks; r++)
        if (r != own)
            move_rows(t, v, first[r], first[r + 1], false, t->exchange + (size_t)r * size);
}

static void matrix_backward(struct trainer *t, const struct operation *op, int item, int thread)
{
    const struct value *x = &t->value[op->x];
    struct view dx = grad_target(t, op->x, op->add_x, item, thread);
    struct layout l = x->grad;
    l.row = dx.row;
    l.block = dx.block;
    l.origin = 0;
    if (x->shape.c % BLOCK)
        zero_view(dx);
    matrix_get(&l, dx.p, t->memory + t->value[op->y].grad_place, t->o.batch, item);
    add_spare(t, op->x, op->add_x, item, thread);
}

/* Pad x by a border of `factor`, which is part of y's shape. */
static void pad_forward(struct trainer *t, const struct operation *op, int item)
{
    struct view x = act_view(t, op->x, item), y = act_view(t, op->y, item);
    for (int b = 0; b < y.blocks; b++)
        for (int r = 0; r < y.rows; r++)
            for (long i = 0; i < (long)y.pixels * BLOCK; i++)
                y.p[b * y.block + r * y.row + i] = op->factor;
    y.p += op->pad.top * y.row + op->pad.left * BLOCK;
    copy_view(x, (struct view){y.p, 0, x.blocks, x.rows, x.pixels, y.row, y.block});
}

static void pad_backward(struct trainer *t, const struct operation *op, int item, int thread)
{
    struct view dy = grad_view(t, op->y, item, thread);
    struct view dx = grad_target(t, op->x, op->add_x, item, thread);
    dy.p += op->pad.top * dy.row + op->pad.left * BLOCK;
    copy_view(dy, dx);
    add_spare(t, op->x, op->add_x, item, thread);
}

static void fill(struct trainer *t, int item, int thread)
{
    const struct value *x = &t->value[t->input];
    float *chw = t->scratch[thread] + t->spare;
    t->fill(t->fill_arg, item, thread, chw);
    layout_put(&x->act, chw, act_of(t, x, item));
}

static void forward(struct trainer *t, const struct operation *op, int item, int thread)
{
    const struct value *x = &t->value[op->x];
    switch (op->op) {
    case OP_CONV:
        conv_forward(t, op, item, thread);
        break;
    case OP_DENSE:
        dense_forward(t, op, item);
        break;
    case OP_BATCHNORM:
        batchnorm_forward(t, op, item);
        break;
    case OP_RELU:
        relu_forward(t, op, item);
        break;
    case OP_DROPOUT:
        dropout(t, op, act_view(t, op->x, item), act_view(t, op->y, item), item);
        break;
    case OP_ADD:
        add_forward(t, op, item);
        break;
    case OP_INPUT:
        pad_forward(t, op, item);
        break;
    case OP_FLATTEN:
        matrix_put(&x->act, act_of(t, x, item), t->memory + t->value[op->y].act_place, t->o.batch,
                 item);
        break;
    default:
        pool_forward(t, op, item);
    }
}

static void backward(struct trainer *t, const struct operation *op, int item, int thread)
{
    switch (op->op) {
    case OP_CONV:
        conv_backward(t, op, item, thread);
        break;
    case OP_DENSE:
        dense_backward(t, op, item, thread);
        break;
    case OP_BATCHNORM:
        batchnorm_backward(t, op, item, thread);
        break;
    case OP_RELU:
        relu_only_backward(t, op, item, thread);
        break;
    case OP_DROPOUT:
        dropout_backward(t, op, item, thread);
        break;
    case OP_ADD:
        add_backward(t, op, item, thread);
        break;
    case OP_INPUT:
        pad_backward(t, op, item, thread);
        break;
    case OP_FLATTEN:
        matrix_backward(t, op, item, thread);
        break;
    default:
        pool_backward(t, op, item, thread);
    }
}

void train_run(struct trainer *t, const struct instruction *in, int item, int thread)
{
    const struct operation *op = &t->operation[in->op];
    switch (in->action) {
    case FILL:
        fill(t, item, thread);
        break;
    case FORWARD:
        forward(t, op, item, thread);
        break;
    case MOMENTS:
        batchnorm_moments(t, op, item);
        break;
    case BACKWARD:
        backward(t, op, item, thread);
        break;
    case SUMS:
        batchnorm_sums(t, op, item, thread);
        break;
    case ROUND:
        bf16_dense_round(t, op, act_view(t, op->x, item));
        break;
    case ROUND_GRAD:
        bf16_dense_round_grad(t, op, grad_view(t, op->y, item, thread));
        break;
    }
}
