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

void train_fold(const struct trainer *t, float *part, int parts, long step, long count)
{
    for (int half = 1; half < parts; half *= 2)
        for (int i = 0; i < parts; i += 2 * half) {
            struct view sum = {part + i * step, 1, 1, (int)(count / BLOCK), 0, 0}, more = sum;
            more.p += half * step;
            t->k->add(sum, more, false, sum);
        }
}

/* Sum eight partial sums by a binary tree, always in the same order. */
static double fold(const double s[TRAIN_SHARDS])
{
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

static struct view view_rows(const struct trainer *t, const struct value *v, float *base, int item)
{
    int left = matrix_blocks(v->shape) - 2 * item;
    long block = (long)t->o.batch * BLOCK;
    return (struct view){base + 2 * item * block, left < 2 ? left : 2, 1, t->n, 0, block};
}

/* The number, in the value, of the first block that an item's views have. */
static int first_block(const struct trainer *t, int value, int item)
{
    return t->program.value[value].matrix ? 2 * item : 0;
}

static float *act_of(const struct trainer *t, const struct value *v, int item)
{
    return t->memory + v->place + (v->matrix ? 0 : item * v->act.size);
}

static float *grad_of(const struct trainer *t, const struct value *v, int item, int thread)
{
    if (v->grad_local)
        return t->scratch[thread] + v->grad_place;
    return t->memory + v->grad_place + (v->matrix ? 0 : item * v->grad.size);
}

static struct view act_view(const struct trainer *t, int value, int item)
{
    const struct value *v = &t->program.value[value];
    float *base = act_of(t, v, item);
    return v->matrix ? view_rows(t, v, base, item) : layout_view(&v->act, base);
}

static struct view grad_view(const struct trainer *t, int value, int item, int thread)
{
    const struct value *v = &t->program.value[value];
    float *base = grad_of(t, v, item, thread);
    return v->matrix ? view_rows(t, v, base, item) : layout_view(&v->grad, base);
}

/* The images of a shard, in a view of a matrix. */
static struct view view_shard(const struct trainer *t, struct view v, int shard)
{
    int first = train_shard_first(t->n, shard);
    v.p += first * (long)BLOCK;
    v.pixels = train_shard_first(t->n, shard + 1) - first;
    return v;
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

/* ---- Products ---- */

/* The product of an operation forward, or, back, for the gradient of its input, to a view: of an image, or of
 * an item's blocks of a matrix, of all images. */
static void run_product(struct trainer *t, const struct operation *op, bool back, struct view to, int item,
                        int thread)
{
    const struct product *p = back ? &op->back : &op->forward;
    const struct value *x = &t->program.value[op->x], *y = &t->program.value[op->y];
    const float *from = back ? grad_of(t, y, item, thread) : act_of(t, x, item) + op->start;
    if (back && op->part) {
        stride_backward(t, op, from, to, t->scratch[thread] + t->work);
        return;
    }
    struct winograd v = p->v;
    int first = op->op == OP_DENSE ? 2 * item : 0;
    long place = (long)first * p->pack.runs * p->pack.run * BLOCK;
    v.conv.blocks = to.blocks;
    v.conv.pixels = to.pixels;
    v.conv.y_block = to.block;
    v.conv.y_row = to.row;
    v.conv.w = (back ? t->back : t->active) + p->weight + place;
    if (p->way == WINOGRAD)
        v.conv.w = t->ready + p->ready;
    v.conv.w16 = (const bf16 *)(const void *)(t->ready + p->ready) + place;
    if (!back)
        v.conv.bias = t->active + op->bias + first * BLOCK;
    v.conv.relu = !back && op->relu;
    v.scratch = t->scratch[thread] + t->work;
    if (p->way == BF16)
        bf16_run(t, op, back, &v.conv, from, to.p, thread);
    else
        product_run(t->k, p->way, &v, from, to.p);
}

/* Sums over the image's pixels, added to those of the shard. */
static void bias_grad(struct trainer *t, struct view dy, float *bias, bool first)
{
    float sum[BLOCK], square[BLOCK];
    int blocks = dy.blocks;
    dy.blocks = 1;
    for (int b = 0; b < blocks; b++, dy.p += dy.block, bias += BLOCK) {
        t->k->sums(dy, dy, NULL, sum, square);
        for (int k = 0; k < BLOCK; k++)
            bias[k] = first ? sum[k] : bias[k] + sum[k];
    }
}

/* The gradient of the weights, added to that of the image's shard. */
static void conv_weight_grad(struct trainer *t, const struct operation *op, struct view dy,
                             float *dw, int item, int thread)
{
    const float *x = act_of(t, &t->program.value[op->x], item) + op->start;
    int shard = item * TRAIN_SHARDS / t->n, first = train_shard_first(t->n, shard);
    if (op->forward.way == BF16) {
        bf16_conv_weight_grad(t, op, x, dy, dw, item == first, thread);
        return;
    }
    struct winograd w = op->forward.v;
    w.conv.y_block = dy.block;
    w.conv.y_row = dy.row;
    if (op->forward.way == WINOGRAD) {
        w.scratch = t->scratch[thread] + op->sums;
        t->k->winograd_grad(&w, item - first, item + 1 == train_shard_first(t->n, shard + 1), x, dy.p, dw);
        return;
    }
    t->k->conv_grad(&w.conv, item == first, x, dy.p, dw);
}

static void conv_param_grads(struct trainer *t, const struct operation *op, int item, int thread)
{
    struct view dy = grad_view(t, op->y, item, thread);
    int shard = item * TRAIN_SHARDS / t->n;
    float *grad = t->shard_grad + shard * t->sharded;
    if (op->relu && !op->rectified) /* else the batch norm behind has masked dy */
        t->k->relu(dy, act_view(t, op->y, item), dy);
    if (op->layer.bias)
        bias_grad(t, dy, grad + op->bias, item == train_shard_first(t->n, shard));
    conv_weight_grad(t, op, dy, grad + op->forward.weight, item, thread);
}

/* The weights' gradient between one block of inputs, of number `run`, and all outputs: a shard at a time into
 * a small tile, the tiles folded by a tree. */
static void dense_weight_grad(struct trainer *t, const struct operation *op, struct view x, int run,
                              struct view dy, float *tile)
{
    int inputs = op->forward.pack.run, zero = 0;
    long per_block = (long)op->forward.pack.runs * inputs * BLOCK;
    for (int b = 0; b < op->forward.pack.blocks; b += 2, dy.p += 2 * dy.block) {
        int blocks = op->forward.pack.blocks - b < 2 ? 1 : 2;
        long size = (long)blocks * inputs * BLOCK;
        for (int s = 0; s < TRAIN_SHARDS; s++) {
            struct view from = view_shard(t, x, s);
            struct conv v = {.blocks = blocks, .rows = 1, .pixels = from.pixels, .runs = 1, .run = inputs,
                             .offset = &zero, .x_pixel = BLOCK, .y_block = dy.block};
            t->k->conv_grad(&v, true, from.p, view_shard(t, dy, s).p, tile + s * size);
        }
        train_fold(t, tile, TRAIN_SHARDS, size, size);
        for (int j = 0; j < blocks; j++)
            memcpy(t->g + op->forward.weight + (b + j) * per_block + (long)run * inputs * BLOCK,
                   tile + j * inputs * BLOCK, (size_t)inputs * BLOCK * sizeof *tile);
    }
}

/* The biases' gradients, folded by shard; done by the item that owns block 0 of the inputs. */
static void dense_bias_grad(struct trainer *t, const struct operation *op, struct view dy)
{
    float *bias = t->g + op->bias;
    dy.blocks = 1;
    for (int b = 0; b < op->forward.pack.blocks; b++, dy.p += dy.block, bias += BLOCK) {
        float sum[TRAIN_SHARDS][BLOCK], square[BLOCK];
        double part[TRAIN_SHARDS];
        for (int s = 0; s < TRAIN_SHARDS; s++) {
            struct view images = view_shard(t, dy, s);
            t->k->sums(images, images, NULL, sum[s], square);
        }
        for (int k = 0; k < BLOCK; k++) {
            for (int s = 0; s < TRAIN_SHARDS; s++)
                part[s] = sum[s][k];
            bias[k] = (float)fold(part);
        }
    }
}

static void dense_param_grads(struct trainer *t, const struct operation *op, int item, int thread)
{
    struct view x = act_view(t, op->x, item), dy = grad_view(t, op->y, 0, thread);
    int first = first_block(t, op->x, item);
    if (item == 0)
        dense_bias_grad(t, op, dy);
    if (op->forward.way == BF16) {
        bf16_dense_weight_grad(t, op, x, first, thread);
        return;
    }
    for (int b = 0; b < x.blocks; b++, x.p += x.block)
        dense_weight_grad(t, op, x, first + b, dy, t->scratch[thread] + t->tile);
}

/* ---- Batch norm ---- */

/* Batch norm needs two sums a channel over the batch: forward of x and x * x, backward of dy and
 * dy * (x - mean). They go to image_sum and image_dot for each image, then to shard_sum. */

/* The gradient of y, masked by the relu that is fused into the operation. */
static struct view masked_grad(struct trainer *t, const struct operation *op, int item, int thread)
{
    struct view dy = grad_view(t, op->y, item, thread);
    if (op->relu)
        t->k->relu(dy, act_view(t, op->y, item), dy);
    return dy;
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

/* Set mean and deviation of channel i from the sum and the sum of squares of `count` values; from them the
 * coefficients of the normalization, and the running or recomputed statistics. */
static void set_moments(struct trainer *t, const struct operation *op, long i, double sum,
                        double square, double count)
{
    long s = op->stats + i;
    float epsilon = op->layer.epsilon, momentum = op->layer.momentum;
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

/* From the shards' sums to the batch's numbers, of channels first..end - 1. */
static void finish_channels(struct trainer *t, const struct operation *op, bool back, long first, long end)
{
    const struct value *x = &t->program.value[op->x];
    double count = x->matrix ? t->n : (double)t->n * x->shape.h * x->shape.w;
    for (long i = first; i < end; i++) {
        double sum[TRAIN_SHARDS], dot[TRAIN_SHARDS];
        for (int s = 0; s < TRAIN_SHARDS; s++) {
            sum[s] = t->shard_sum[s * 2 * op->channels + i];
            dot[s] = t->shard_sum[(s * 2 + 1) * op->channels + i];
        }
        if (back)
            set_sums(t, op, i, fold(sum), fold(dot), count);
        else
            set_moments(t, op, i, fold(sum), fold(dot), count);
    }
}

void train_finish(struct trainer *t, const struct operation *op, bool back)
{
    sum_shards(t, op);
    finish_channels(t, op, back, 0, op->channels);
}

/* An item's sums: an image's, or shard by shard those of its blocks of a matrix, which hold all images, so that the
 * batch's numbers need no phase. */
static void batchnorm_sums(struct trainer *t, const struct operation *op, int item, int thread, bool back)
{
    struct view x = act_view(t, op->x, item), from = back ? masked_grad(t, op, item, thread) : x;
    bool matrix = t->program.value[op->x].matrix;
    long first = first_block(t, op->x, item) * BLOCK, channels = (long)x.blocks * BLOCK;
    const float *mean = back ? t->mean + op->stats + first : NULL;
    if (!matrix) {
        long at = item * t->stats + op->stats;
        t->k->sums(from, x, mean, t->image_sum + at, t->image_dot + at);
        return;
    }
    for (int s = 0; s < TRAIN_SHARDS; s++) {
        float sum[2 * BLOCK], dot[2 * BLOCK];
        double *to = t->shard_sum + s * 2 * op->channels + first;
        t->k->sums(view_shard(t, from, s), view_shard(t, x, s), mean, sum, dot);
        for (long i = 0; i < channels; i++) {
            to[i] = sum[i];
            to[op->channels + i] = dot[i];
        }
    }
    finish_channels(t, op, back, first, first + channels);
}

/* ---- The others ---- */

/* 32 bits of a hash (SplitMix64) of seed, step, layer and image, on which a dropout mask depends. */
static uint32_t dropout_key(const struct trainer *t, const struct operation *op, int image)
{
    uint64_t x = t->o.seed;
    const uint64_t part[3] = {(uint64_t)t->steps, (uint64_t)op->first, (uint64_t)image};
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
    bool matrix = t->program.value[op->x].matrix;
    uint32_t key = dropout_key(t, op, matrix ? 0 : item);
    uint32_t per_block = (uint32_t)((matrix ? t->o.batch : to.rows * to.pixels) * BLOCK);
    double rate = t->frozen ? 0 : op->layer.rate;
    t->k->dropout(from, key, (uint32_t)first_block(t, op->x, item) * per_block, per_block,
                  (uint32_t)(rate * 0x1p32), (float)(1 / (1 - rate)), to);
}

static void pool_grad(struct trainer *t, const struct operation *op, struct view x, struct view y,
                      struct view dy, struct view dx)
{
    zero_view(dx);
    if (op->op == OP_MAXPOOL)
        t->k->maxpool_grad(&op->pool, x, y, dy, dx);
    else
        t->k->sumpool_grad(&op->pool, op->factor, dy, dx);
}

/* Copy images first..end of matrix v between their place and a packed one. */
static void move_rows(const struct trainer *t, const struct value *v, int first, int end, bool out,
                      float *packed)
{
    size_t size = (size_t)(end - first) * BLOCK;
    for (int b = 0; b < matrix_blocks(v->shape); b++) {
        float *matrix = t->memory + v->place + ((long)b * t->o.batch + first) * BLOCK;
        float *there = packed + (size_t)b * size;
        memcpy(out ? there : matrix, out ? matrix : there, size * sizeof *matrix);
    }
}

void train_share_matrix(struct trainer *t, const struct operation *op)
{
    const struct value *v = &t->program.value[op->y];
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

/* Gather an image's gradient out of that of a matrix. */
static void flatten_grad(struct trainer *t, const struct operation *op, struct view dx, int item)
{
    struct layout l = t->program.value[op->x].grad;
    l.row = dx.row;
    l.block = dx.block;
    l.origin = 0;
    if (l.shape.c % BLOCK)
        zero_view(dx);
    matrix_copy(&l, dx.p, t->memory + t->program.value[op->y].grad_place, t->o.batch, item, false);
}

static void fill(struct trainer *t, int item, int thread)
{
    const struct value *x = &t->program.value[t->program.input];
    float *chw = t->scratch[thread] + t->spare;
    t->fill(t->fill_arg, item, thread, chw);
    layout_put(&x->act, chw, act_of(t, x, item));
}

/* What reads and writes values of one kind, images or matrices. */
static void pointwise_forward(struct trainer *t, const struct operation *op, int item, int thread)
{
    const struct value *value = t->program.value;
    struct view x = act_view(t, op->x, item), y = act_view(t, op->y, item);
    long s = op->stats + first_block(t, op->x, item) * BLOCK;
    switch (op->op) {
    case OP_BATCHNORM:
        if (t->program.value[op->x].matrix)
            batchnorm_sums(t, op, item, thread, false);
        t->k->affine(x, t->a + s, t->b + s, op->relu, y);
        break;
    case OP_DROPOUT:
        dropout(t, op, x, y, item);
        break;
    case OP_INPUT:
        pad_image(op, &value[op->x].act, act_of(t, &value[op->x], item), &value[op->y].act,
                  act_of(t, &value[op->y], item));
        break;
    default:
        operation_run(t->k, op, x, op->x2 < 0 ? x : act_view(t, op->x2, item), y);
    }
}

static void pointwise_grad(struct trainer *t, const struct operation *op, struct view dx, int item,
                           int thread)
{
    struct view x = act_view(t, op->x, item), y = act_view(t, op->y, item);
    struct view dy = grad_view(t, op->y, item, thread);
    long s = op->stats + first_block(t, op->x, item) * BLOCK;
    switch (op->op) {
    case OP_BATCHNORM:
        t->k->batchnorm_grad(dy, x, t->a + s, t->b + s, t->c + s, op->rectified, dx);
        break;
    case OP_RELU:
        t->k->relu(dy, y, dx);
        break;
    case OP_DROPOUT:
        dropout(t, op, dy, dx, item);
        break;
    case OP_ADD:
        copy_view(dy, dx);
        break;
    case OP_INPUT:
        dy.p += op->pad.top * dy.row + op->pad.left * (long)BLOCK; /* what of y is x */
        copy_view(dy, dx);
        break;
    default:
        pool_grad(t, op, x, y, dy, dx);
    }
}

static void forward(struct trainer *t, const struct operation *op, int item, int thread)
{
    const struct value *x = &t->program.value[op->x];
    if (op->op == OP_CONV || op->op == OP_DENSE)
        run_product(t, op, false, act_view(t, op->y, item), item, thread);
    else if (op->op == OP_FLATTEN)
        matrix_copy(&x->act, act_of(t, x, item), t->memory + t->program.value[op->y].place, t->o.batch, item,
                    true);
    else
        pointwise_forward(t, op, item, thread);
}

/* Compute the gradient of an operation's input `value`: in place, or, where another operation has written one
 * before, in the spare, which is then added. */
static void input_grad(struct trainer *t, const struct operation *op, int value, bool adding, int item,
                       int thread)
{
    if (value < 0 || !t->program.value[value].needs_grad)
        return;
    struct view to = grad_view(t, value, item, thread), dx = to;
    if (adding) {
        dx.p = t->scratch[thread] + t->spare;
        dx.row = (long)dx.pixels * BLOCK;
        dx.block = dx.rows * dx.row;
    }
    if (op->op == OP_CONV || op->op == OP_DENSE)
        run_product(t, op, true, dx, item, thread);
    else if (op->op == OP_FLATTEN)
        flatten_grad(t, op, dx, item);
    else
        pointwise_grad(t, op, dx, item, thread);
    if (adding)
        t->k->add(to, dx, false, to);
}

static void backward(struct trainer *t, const struct operation *op, int item, int thread)
{
    if (op->op == OP_CONV)
        conv_param_grads(t, op, item, thread);
    else if (op->op == OP_DENSE)
        dense_param_grads(t, op, item, thread);
    else if (op->op == OP_BATCHNORM && t->program.value[op->x].matrix)
        batchnorm_sums(t, op, item, thread, true);
    input_grad(t, op, op->x, op->add_x, item, thread);
    input_grad(t, op, op->x2, op->add_x2, item, thread);
}

void train_run(struct trainer *t, const struct instruction *in, int item, int thread)
{
    const struct operation *op = &t->program.operation[in->op];
    switch (in->action) {
    case FILL:
        fill(t, item, thread);
        break;
    case RUN:
        (in->back ? backward : forward)(t, op, item, thread);
        break;
    case SUMS:
        batchnorm_sums(t, op, item, thread, in->back);
        break;
    case ROUND:
        bf16_dense_round(t, op, in->back, in->back ? grad_view(t, op->y, item, thread) : act_view(t, op->x, item),
                         first_block(t, in->back ? op->y : op->x, item));
        break;
    }
}
