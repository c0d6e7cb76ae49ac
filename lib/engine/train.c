/* A training step.
 *   in   a plan (train_plan.c), a batch, its truth
 *   out  new weights, by AdamW (Loshchilov and Hutter 2019) or SGD; the loss
 * The phases are run here, the operations in train_ops.c. */
#include "train_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "map_loss.h"

/* ---- Weights in and out of the net ---- */

enum direction { FROM_NET, TO_NET };

/* Copy a per-channel parameter between the net and its place in `all`. */
static void move_channels(const struct trainer *t, const struct operation *op, enum direction to,
                          float *net, float *all)
{
    const struct value *x = &t->program.value[op->x];
    bool matrix = op->op == OP_BATCHNORM && x->matrix;
    for (long i = 0; net && i < op->layer.out.c; i++) {
        float *p = &all[matrix ? matrix_at(x->shape, i) : i];
        if (to == FROM_NET)
            *p = net[i];
        else
            net[i] = *p;
    }
}

static void move_params(const struct trainer *t, enum direction to, struct net *net, float *w,
                        float *mean, float *var)
{
    for (int i = 0; i < t->program.operations; i++) {
        const struct operation *op = &t->program.operation[i];
        struct layer *l = &net->layer[op->first];
        if (op->op == OP_CONV || op->op == OP_DENSE) {
            weights_copy(&op->forward.pack, l->weight, w + op->forward.weight, to == FROM_NET);
            move_channels(t, op, to, l->bias, w + op->bias);
        } else if (op->op == OP_BATCHNORM) {
            move_channels(t, op, to, l->scale, w + op->scale);
            move_channels(t, op, to, l->shift, w + op->shift);
            move_channels(t, op, to, l->mean, mean + op->stats);
            move_channels(t, op, to, l->var, var + op->stats);
        }
    }
}

void trainer_export(struct trainer *t, struct net *net, bool ema)
{
    bool average = ema && t->average;
    move_params(t, TO_NET, net, average ? t->average : t->w,
                average ? t->average_mean : t->running_mean,
                average ? t->average_var : t->running_var);
}

/* ---- Making and freeing ---- */

struct trainer *trainer_new(const struct net *net, const struct train_options *o,
                            struct threads *threads, const struct kernels *k, struct err *e)
{
    struct trainer *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(e, "out of memory");
        return NULL;
    }
    t->o = *o;
    t->k = k;
    t->threads = threads;
    long most = (long)(4 * NET_MAX_TOTAL / net_floats(net)); /* so that offsets fit an int */
    if (o->batch > most) {
        err_set(e, "batches of %d images are too large for this net: at most %ld", o->batch, most);
        trainer_free(t);
        return NULL;
    }
    t->net = net_copy(net, e);
    t->pages = pages_new();
    if (!t->pages)
        err_set(e, "out of memory");
    if (!t->net || !t->pages || train_plan(t, e)) {
        trainer_free(t);
        return NULL;
    }
    move_params(t, FROM_NET, t->net, t->w, t->running_mean, t->running_var);
    if (t->average)
        move_params(t, FROM_NET, t->net, t->average, t->average_mean, t->average_var);
    return t;
}

void trainer_free(struct trainer *t)
{
    if (!t)
        return;
    pages_free(t->pages);
    net_free(t->net);
    free(t);
}

/* ---- A step ---- */

/* Run the present phase on one item. */
static void run_item(void *arg, int item, int thread)
{
    struct trainer *t = arg;
    const struct phase *p = t->now;
    item += t->base;
    int first = item, end = item + 1;
    if (p->unit == BY_SHARD) {
        first = train_shard_first(t->n, item);
        end = train_shard_first(t->n, item + 1);
    }
    for (int i = first; i < end; i++)
        for (int j = 0; j < p->count; j++)
            train_run(t, &t->instruction[p->first + j], i, thread);
}

/* Count the items of a phase that are this rank's; t->base becomes the first. A phase by blocks is done by
 * all. */
static int own_items(struct trainer *t, const struct phase *p)
{
    int rank = train_rank(t);
    int first = train_rank_first(t, rank), end = train_rank_first(t, rank + 1);
    t->base = 0;
    if (p->unit == BY_BLOCKS)
        return (p->blocks + 1) / 2;
    t->base = p->unit == BY_SHARD ? first : train_shard_first(t->n, first);
    return (p->unit == BY_SHARD ? end : train_shard_first(t->n, end)) - t->base;
}

static void share_rows(struct trainer *t, const struct phase *p)
{
    for (int i = p->first; t->o.ranks && i < p->first + p->count; i++) {
        const struct instruction *in = &t->instruction[i];
        const struct operation *op = &t->program.operation[in->op];
        if (in->action == RUN && !in->back && op->op == OP_FLATTEN)
            train_share_matrix(t, op);
    }
}

static void run_phases(struct trainer *t, int first, int end)
{
    for (int i = first; i < end; i++) {
        const struct phase *p = t->now = &t->phase[i];
        threads_run(t->threads, own_items(t, p), run_item, t);
        share_rows(t, p);
        const struct instruction *last = &t->instruction[p->first + p->count - 1];
        if (last->action == SUMS)
            train_finish(t, &t->program.operation[last->op], last->back);
    }
}

/* Pack block `b` of an operation's weights as the gradient of its input reads them. */
static void turn_block(const struct trainer *t, const struct operation *op, int b)
{
    const struct packing *p = &op->forward.pack, *q = &op->back.pack;
    int window = q->runs / p->blocks;
    for (int k = 0; k < p->blocks; k++)
        for (int i = 0; i < window; i++) {
            const float *from =
                t->w + op->forward.weight + ((long)k * p->runs + (long)b * window + i) * p->run * BLOCK;
            long run = (long)b * q->runs + (long)k * window + window - 1 - i;
            float *to = t->back + (op->part ? stride_weight(op, b, k, i)
                                            : op->back.weight + run * q->run * BLOCK);
            for (int c = 0; c < p->run; c++)
                for (int lane = 0; lane < q->run; lane++)
                    to[lane * BLOCK + c] = from[c * BLOCK + lane];
        }
}

/* The weights as a pass reads them: in bf16 or transformed, and, on the way back, turned. */
struct weights_job {
    const struct trainer *t;
    bool back;
};

/* The blocks of an operation's weights that are made for the pass. Those in bf16 are made for both at once. */
static int weight_blocks(const struct weights_job *job, const struct operation *op)
{
    if (job->back)
        return op->back.way == BF16 ? 0 : op->back.pack.blocks;
    return op->forward.way == DIRECT ? 0 : op->forward.pack.blocks;
}

/* Item: one block of one operation, counted through all of them. */
static void weights_item(void *arg, int item, int thread)
{
    const struct weights_job *job = arg;
    const struct trainer *t = job->t;
    const struct operation *op = t->program.operation;
    (void)thread;
    for (; item >= weight_blocks(job, op); op++)
        item -= weight_blocks(job, op);
    const struct product *p = job->back ? &op->back : &op->forward;
    long each = p->v.conv.runs;
    if (job->back)
        turn_block(t, op, item);
    if (p->way == BF16)
        bf16_weights(t, op, item);
    else if (p->way == WINOGRAD)
        t->k->winograd_weights(each, each * p->pack.blocks,
                               (job->back ? t->back : t->active) + p->weight + item * each * 9 * TILE,
                               t->ready + p->ready + item * each * TILE);
}

static void make_weights(struct trainer *t, bool back)
{
    struct weights_job job = {t, back};
    int items = 0;
    for (int i = 0; i < t->program.operations; i++)
        items += weight_blocks(&job, &t->program.operation[i]);
    threads_run(t->threads, items, weights_item, &job);
}

/* Compute the loss of image i and the gradient of its logits. */
static void softmax_loss(struct trainer *t, int i, struct train_result *r)
{
    const struct value *y = &t->program.value[t->program.output];
    const float *logits = t->memory + y->place;
    float *grad = t->memory + y->grad_place;
    long *at = t->logit_at;
    int best = 0;
    for (int k = 0; k < t->classes; k++) {
        long place = matrix_at(y->shape, k);
        at[k] = (place / BLOCK * t->o.batch + i) * BLOCK + place % BLOCK;
        best = logits[at[k]] > logits[at[best]] ? k : best;
    }
    struct cross_entropy c = {t->classes, at, t->o.label_smoothing, 1, t->n};
    r->loss += cross_entropy(&c, logits, t->labels[i], grad) / t->n;
    r->correct += best == t->labels[i];
}

/* Item: draw the marks of a picture. */
static void mark_item(void *arg, int item, int thread)
{
    struct trainer *t = arg;
    (void)thread;
    t->map_boxes[item] = map_mark(&t->map, &t->truth[item],
                                  t->marks + (long)item * t->map.rows * t->map.columns);
}

/* Item: compute the loss of a picture and the gradient of its map. */
static void map_item(void *arg, int item, int thread)
{
    struct trainer *t = arg;
    const struct value *y = &t->program.value[t->program.output];
    long size = (long)y->shape.c * y->shape.h * y->shape.w;
    float *map = t->scratch[thread] + t->map_place, *grad = map + size;
    t->map_loss[item] = (struct map_loss){0};
    layout_get(&y->act, t->memory + y->place + item * y->act.size, map);
    map_loss(&t->map, map, &t->truth[item], t->marks + (long)item * t->map.rows * t->map.columns,
             t->map_total, grad, &t->map_loss[item]);
    layout_put(&y->grad, grad, t->memory + y->grad_place + item * y->grad.size);
}

/* Loss of the batch, added up picture by picture, and the gradient of its maps. */
static struct map_loss map_losses(struct trainer *t)
{
    struct map_loss sum = {0};
    long boxes = 0;
    threads_run(t->threads, t->n, mark_item, t);
    for (int i = 0; i < t->n; i++)
        boxes += t->map_boxes[i];
    t->map_total = boxes > 0 ? (double)boxes : 1;
    threads_run(t->threads, t->n, map_item, t);
    for (int i = 0; i < t->n; i++) {
        sum.centre += t->map_loss[i].centre;
        sum.class += t->map_loss[i].class;
        sum.box += t->map_loss[i].box;
    }
    return sum;
}

/* Item: sum a chunk of the gradients of this rank's shards into slot `rank`, so that the ranks' gradients
 * lie one after another. The shard of that slot is this rank's own, or is not computed here. */
static void fold_item(void *arg, int item, int thread)
{
    const struct trainer *t = arg;
    long place = (long)item * UPDATE_CHUNK, left = t->sharded - place;
    long count = left < UPDATE_CHUNK ? left : UPDATE_CHUNK;
    int rank = t->o.ranks->rank, first = train_rank_first(t, rank);
    float *sum = t->shard_grad + first * t->sharded + place;
    (void)thread;
    train_fold(t, sum, train_rank_first(t, rank + 1) - first, t->sharded, count);
    if (first != rank)
        memcpy(t->shard_grad + rank * t->sharded + place, sum, (size_t)count * sizeof *sum);
}

/* How many gradients the update sums: one a shard, or, among ranks, one a rank. */
static int share_gradients(struct trainer *t)
{
    if (!t->o.ranks)
        return TRAIN_SHARDS;
    threads_run(t->threads, (int)((t->sharded + UPDATE_CHUNK - 1) / UPDATE_CHUNK), fold_item, t);
    ranks_gather(t->o.ranks, t->shard_grad, (size_t)t->sharded * sizeof *t->shard_grad);
    return t->o.ranks->count;
}

/* The present update, for run_update. */
struct update_job {
    struct trainer *t;
    struct update numbers;
    float decay;
    int gradients; /* to be summed */
    float factor;  /* of the gradient, which has been summed already where it is clipped */
};

static long chunks_of(const struct segment *s)
{
    return (s->count + UPDATE_CHUNK - 1) / UPDATE_CHUNK;
}

/* The segment that chunk `item`, counted through all of them, is of; its place and count. */
static const struct segment *find_chunk(const struct trainer *t, int item, long *place, long *count)
{
    const struct segment *s = t->segment;
    for (; item >= chunks_of(s); s++)
        item -= (int)chunks_of(s);
    *place = s->place + (long)item * UPDATE_CHUNK;
    long left = s->place + s->count - *place;
    *count = left < UPDATE_CHUNK ? left : UPDATE_CHUNK;
    return s;
}

/* Item: sum a chunk of the gradient and its square. */
static void measure_item(void *arg, int item, int thread)
{
    const struct update_job *job = arg;
    const struct trainer *t = job->t;
    long place, count;
    double square = 0;
    const struct segment *s = find_chunk(t, item, &place, &count);
    float *g = (s->sharded ? t->shard_grad : t->g) + place;
    (void)thread;
    if (s->sharded)
        train_fold(t, g, job->gradients, t->sharded, count);
    for (long i = 0; i < count; i++)
        square += (double)g[i] * g[i];
    t->square[item] = square;
}

/* The factor that clips the gradient's norm (Pascanu et al. 2013). */
static float clip_factor(struct update_job *job)
{
    const struct trainer *t = job->t;
    double square = 0;
    threads_run(t->threads, (int)t->chunks, measure_item, job);
    for (long i = 0; i < t->chunks; i++)
        square += t->square[i];
    double norm = sqrt(square);
    return norm > t->o.clip ? (float)(t->o.clip / norm) : 1;
}

/* Item: update a chunk of the parameters. */
static void update_item(void *arg, int item, int thread)
{
    const struct update_job *job = arg;
    struct trainer *t = job->t;
    long place, count;
    (void)thread;
    const struct segment *s = find_chunk(t, item, &place, &count);
    float *average = t->average ? t->average + place : NULL;
    struct update u = job->numbers;
    u.decay = s->decay ? job->decay : 0;
    float *g = (s->sharded ? t->shard_grad : t->g) + place;
    if (s->sharded && !t->square)
        train_fold(t, g, job->gradients, t->sharded, count);
    for (long i = 0; job->factor != 1 && i < count; i++)
        g[i] *= job->factor;
    if (t->o.optimizer == OPT_ADAMW)
        t->k->adamw(count, &u, t->w + place, g, t->m + place, t->v + place, average);
    else
        t->k->sgd(count, &u, t->w + place, g, t->m + place, average);
}

static void update_params(struct trainer *t, double rate)
{
    const struct train_options *o = &t->o;
    double steps = (double)t->steps + 1;
    struct update_job job = {.t = t, .gradients = share_gradients(t)};
    job.numbers = (struct update){.rate = (float)rate, .beta1 = (float)o->beta1,
                                  .beta2 = (float)o->beta2, .epsilon = (float)o->epsilon,
                                  .correct1 = (float)(1 / (1 - pow(o->beta1, steps))),
                                  .correct2 = (float)(1 / (1 - pow(o->beta2, steps))),
                                  .ema = (float)o->ema};
    job.decay = (float)((o->optimizer == OPT_ADAMW ? rate : 1) * o->weight_decay);
    job.factor = t->square ? clip_factor(&job) : 1;
    threads_run(t->threads, (int)t->chunks, update_item, &job);
}

/* Zero the gradients of shards without an image, which nothing writes. */
static void clear_empty_shards(struct trainer *t)
{
    for (int s = 0; s < TRAIN_SHARDS; s++)
        if (train_shard_first(t->n, s) == train_shard_first(t->n, s + 1))
            memset(t->shard_grad + s * t->sharded, 0, (size_t)t->sharded * sizeof *t->shard_grad);
}

/* Run n images forward with these weights. */
static void forward(struct trainer *t, const float *weights, bool frozen, train_fill *fill,
                    void *arg, int n)
{
    t->active = weights;
    t->frozen = frozen;
    t->fill = fill;
    t->fill_arg = arg;
    t->n = n;
    make_weights(t, false);
    run_phases(t, 0, t->forward_phases);
}

/* Run backward from the gradient of the output, and update the weights. */
static void backward_and_update(struct trainer *t, double rate)
{
    make_weights(t, true);
    clear_empty_shards(t);
    run_phases(t, t->forward_phases, t->phases);
    update_params(t, rate);
    t->steps++;
}

struct train_result trainer_step(struct trainer *t, train_fill *fill, void *arg,
                                 const uint16_t *labels, int n, double rate)
{
    struct train_result r = {0};
    t->labels = labels;
    forward(t, t->w, false, fill, arg, n);
    for (int i = 0; i < n; i++)
        softmax_loss(t, i, &r);
    backward_and_update(t, rate);
    return r;
}

struct map_loss trainer_step_map(struct trainer *t, train_fill *fill, void *arg,
                                 const struct map_truth *truth, int n, double rate)
{
    t->truth = truth;
    forward(t, t->w, false, fill, arg, n);
    struct map_loss loss = map_losses(t);
    backward_and_update(t, rate);
    return loss;
}

void trainer_set_steps(struct trainer *t, long steps)
{
    t->steps = steps;
}

int trainer_arrays(struct trainer *t, struct train_array *list, int max)
{
    const struct train_array all[] = {
        {t->w, t->params},           {t->m, t->params},          {t->running_mean, t->stats},
        {t->running_var, t->stats},  {t->v, t->params},          {t->average, t->params},
        {t->average_mean, t->stats}, {t->average_var, t->stats},
    };
    int n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].data && n < max)
            list[n++] = all[i];
    return n;
}

/* ---- Batch-norm statistics of the averaged weights ---- */

void trainer_batchnorm_stats_batch(struct trainer *t, train_fill *fill, void *arg, int n)
{
    forward(t, t->average ? t->average : t->w, true, fill, arg, n);
    t->stats_count += n;
}

void trainer_batchnorm_stats_end(struct trainer *t)
{
    float *means = t->average ? t->average_mean : t->running_mean;
    float *vars = t->average ? t->average_var : t->running_var;
    for (long i = 0; t->stats_count > 0 && i < t->stats; i++) {
        double mean = t->stats_sum[i] / t->stats_count;
        means[i] = (float)mean;
        vars[i] = (float)fmax(t->stats_square[i] / t->stats_count - mean * mean, 0);
        t->stats_sum[i] = t->stats_square[i] = 0;
    }
    t->stats_count = 0;
}
