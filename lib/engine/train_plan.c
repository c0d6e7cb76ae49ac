/* The plan of a training step.
 *   in   struct net, options
 *   out  the net's program with places of values, gradients and parameters, and the phases in which
 *        instructions run */
#include "train_plan.h"

#include <string.h>

static int plan_output(struct trainer *t, struct err *e)
{
    struct program *g = &t->program;
    if (net_is_finder(t->net)) { /* its output stays a picture */
        t->map = map_shape_of(t->net);
        if (g->value[g->output].matrix)
            return err_set(e, "boxes after a dense layer cannot be trained");
        if (t->o.ranks)
            return err_set(e, "a finder is trained by one process, not by several ranks");
    } else {
        g->output = program_gather(g, t->net->layers - 1);
        t->classes = net_outputs(t->net);
    }
    return g->value[g->output].needs_grad ? 0 : err_set(e, "the network has nothing to train");
}

/* ---- Parameters ---- */

static void place_params(struct trainer *t, struct operation *op, bool sharded)
{
    bool weights = op->op == OP_CONV || op->op == OP_DENSE, norm = op->op == OP_BATCHNORM;
    if ((!weights && !norm) || (op->op == OP_CONV) != sharded)
        return;
    const struct value *x = &t->program.value[op->x];
    struct segment s = {.decay = weights, .sharded = sharded};
    op->channels = (weights ? op->forward.pack.blocks : x->matrix ? matrix_blocks(x->shape) : x->act.blocks) *
                   (long)BLOCK;
    if (weights) {
        s.count = op->forward.pack.size;
        s.place = op->forward.weight = train_take(&t->params, op->forward.pack.size);
        t->segment[t->segments++] = s;
        s.place = op->bias = train_take(&t->params, op->channels);
    } else {
        s.place = op->scale = train_take(&t->params, op->channels);
        op->shift = train_take(&t->params, op->channels);
        op->stats = train_take(&t->stats, op->channels);
    }
    s.count = norm ? 2 * op->channels : op->channels;
    s.decay = false;
    if (norm || op->layer.bias)
        t->segment[t->segments++] = s;
}

/* The border of dy: as far as the first pixel's last tap reaches, and the last pixel's first one. */
static struct border grad_border(const struct operation *op, struct shape x)
{
    const struct layer *l = &op->layer;
    return (struct border){.top = ((l->r - 1) * l->dilation_h - op->pad.top) / l->stride_h,
                           .left = ((l->s - 1) * l->dilation_w - op->pad.left) / l->stride_w,
                           .bottom = (x.h - 1 + op->pad.top) / l->stride_h - (l->out.h - 1),
                           .right = (x.w - 1 + op->pad.left) / l->stride_w - (l->out.w - 1)};
}

/* Plan the gradient of x: input and output channels exchanged, a kernel turned by 180 degrees. */
static int plan_back(struct trainer *t, struct operation *op)
{
    struct value *x = &t->program.value[op->x], *y = &t->program.value[op->y];
    const struct packing *p = &op->forward.pack;
    struct layer turned = op->layer;
    int window = op->op == OP_CONV ? p->r * p->s : 1;
    bool bf16 = op->forward.way == BF16;
    struct packing q = {.k = p->c, .c = p->k, .r = p->r, .s = p->s, .groups = 1, .runs = p->blocks * window,
                        .run = bf16 || p->k >= BLOCK ? BLOCK : p->k, .blocks = p->runs / window};
    q.size = (long)q.blocks * q.runs * q.run * BLOCK;
    op->back = (struct product){.pack = q, .way = bf16 ? BF16 : DIRECT, .weight = train_take(&t->back_size, q.size)};
    turned.out = x->shape;
    if (op->op == OP_CONV)
        y->grad = layout_of(y->shape, grad_border(op, x->shape), false);
    if (op->op == OP_CONV && (turned.stride_h != 1 || turned.stride_w != 1))
        return stride_plan(t, op);
    return product_plan(&t->program, &op->back, &turned, &y->grad, &x->grad);
}

/* Place what a product of an operation needs at hand, where it reads layout x. */
static void place_product(struct trainer *t, const struct operation *op, struct product *p, const struct layout *x)
{
    const struct conv *v = &p->v.conv;
    if (p->way == WINOGRAD) {
        long scratch = winograd_scratch(v->runs, p->v.tiles);
        t->work_size = scratch > t->work_size ? scratch : t->work_size;
        p->ready = train_take(&t->ready_size, 36L * v->blocks * v->runs * TILE);
    } else if (p->way == BF16) {
        p->ready = train_take(&t->ready_size, p->pack.size / 2);
        p->copy = op->op == OP_DENSE ? train_take(&t->memory_size, t->o.batch * v->x_pixel / 2)
                                     : train_take(&t->scratch_size, layout_by_pixel(x).size / 2);
    }
}

static int plan_products(struct trainer *t, struct operation *op)
{
    struct value *x = &t->program.value[op->x], *y = &t->program.value[op->y];
    struct winograd *v = &op->forward.v;
    if (op->op != OP_CONV && op->op != OP_DENSE)
        return 0;
    if (x->needs_grad && plan_back(t, op))
        return -1;
    place_product(t, op, &op->forward, &x->act);
    place_product(t, op, &op->back, &y->grad);
    if (op->forward.way == WINOGRAD)
        op->sums = train_take(&t->scratch_size, winograd_grad_scratch(v->conv.blocks, v->conv.runs, v->tiles));
    else if (op->forward.way == BF16)
        bf16_plan_grad(t, op);
    return 0;
}

/* Place the parameters, convolutions first: their gradients are kept by shard. */
static int plan_params(struct trainer *t, struct err *e)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < t->program.operations; i++)
            place_params(t, &t->program.operation[i], pass == 0);
        if (pass == 0)
            t->sharded = t->params;
    }
    for (int i = 0; i < t->program.operations; i++)
        if (plan_products(t, &t->program.operation[i]))
            return err_set(e, "out of memory");
    return 0;
}

/* ---- Phases ---- */

/* The last phase if it is of this kind, otherwise a new one. */
static struct phase *in_phase(struct trainer *t, enum unit unit, int blocks, bool fresh)
{
    bool open = !fresh && t->phases > t->forward_phases && t->instruction[t->instructions - 1].action != SUMS;
    struct phase *p = &t->phase[open ? t->phases - 1 : t->phases];
    if (open && p->unit == unit && p->blocks == blocks)
        return p;
    p = &t->phase[t->phases++];
    *p = (struct phase){.unit = unit, .blocks = blocks, .first = t->instructions};
    return p;
}

static void instruct(struct trainer *t, struct phase *p, enum action action, int op)
{
    t->instruction[t->instructions++] = (struct instruction){action, t->forward_phases > 0, op};
    p->count++;
}

static int blocks_of(const struct value *v)
{
    return v->matrix ? matrix_blocks(v->shape) : 0;
}

static void plan_forward(struct trainer *t)
{
    instruct(t, in_phase(t, BY_IMAGE, 0, true), FILL, 0);
    for (int i = 0; i < t->program.operations; i++) {
        const struct operation *op = &t->program.operation[i];
        const struct value *y = &t->program.value[op->y];
        if (op->op == OP_FLATTEN || !y->matrix) {
            if (op->op == OP_BATCHNORM)
                instruct(t, in_phase(t, BY_IMAGE, 0, false), SUMS, i);
            instruct(t, in_phase(t, BY_IMAGE, 0, false), RUN, i);
        } else {
            if (op->forward.way == BF16)
                instruct(t, in_phase(t, BY_BLOCKS, blocks_of(&t->program.value[op->x]), false), ROUND, i);
            instruct(t, in_phase(t, BY_BLOCKS, blocks_of(y), op->op == OP_DENSE), RUN, i);
        }
    }
    t->forward_phases = t->phases;
}

/* Note that phase p writes the gradient of a value; true when another operation has done so before,
 * so that this one has to add. */
static bool writes_grad(struct trainer *t, int value)
{
    if (value < 0 || !t->program.value[value].needs_grad)
        return false;
    struct value *v = &t->program.value[value];
    bool again = v->grad_first >= 0;
    if (!again)
        v->grad_first = t->phases - 1;
    v->grad_last = t->phases - 1;
    return again;
}

static void plan_backward(struct trainer *t)
{
    t->program.value[t->program.output].grad_first = t->forward_phases - 1;
    for (int i = t->program.operations - 1; i >= 0; i--) {
        struct operation *op = &t->program.operation[i];
        const struct value *x = &t->program.value[op->x];
        bool gather = op->op == OP_FLATTEN, matrix = x->matrix, dense = op->op == OP_DENSE;
        if (!t->program.value[op->y].needs_grad || (!x->needs_grad && gather))
            continue;
        if (op->op == OP_BATCHNORM && !matrix)
            instruct(t, in_phase(t, BY_SHARD, 0, false), SUMS, i);
        if (dense && op->forward.way == BF16)
            instruct(t, in_phase(t, BY_BLOCKS, blocks_of(&t->program.value[op->y]), false), ROUND, i);
        instruct(t, matrix ? in_phase(t, BY_BLOCKS, blocks_of(x), dense) : in_phase(t, BY_SHARD, 0, false), RUN, i);
        t->program.value[op->y].grad_last = t->phases - 1;
        op->add_x = writes_grad(t, op->x);
        op->add_x2 = writes_grad(t, op->x2);
    }
}

/* ---- Memory ---- */

static void place_values(struct trainer *t)
{
    long spare = 2L * t->o.batch * BLOCK;
    for (int i = 0; i < t->program.values; i++) {
        struct value *v = &t->program.value[i];
        spare = v->size > spare && !v->matrix ? v->size : spare;
        v->size *= v->matrix ? 1 : t->o.batch;
        v->place = train_take(&t->memory_size, v->size);
        v->grad_local = !v->matrix && v->grad_first == v->grad_last;
        if (!v->needs_grad)
            continue;
        if (v->grad_local)
            v->grad_place = train_take(&t->scratch_size, v->grad.size);
        else
            v->grad_place = train_take(&t->memory_size, v->matrix ? v->size : v->grad.size * t->o.batch);
    }
    for (int i = 0; t->o.ranks && i < t->program.operations; i++) {
        const struct value *y = &t->program.value[t->program.operation[i].y];
        long size = (long)blocks_of(y) * (t->o.batch + TRAIN_SHARDS) * BLOCK;
        if (t->program.operation[i].op == OP_FLATTEN && size > t->exchange_size)
            t->exchange_size = size;
    }
    struct shape map = t->program.value[t->program.output].shape;
    t->map_place = train_take(&t->scratch_size, t->map.rows ? 2L * map.c * map.h * map.w : 0);
    t->spare = train_take(&t->scratch_size, spare);
    t->work = train_take(&t->scratch_size, t->work_size);
    t->tile = train_take(&t->scratch_size, TRAIN_SHARDS * 2 * BLOCK * BLOCK);
}

/* n zeroed floats; NULL when memory is short, as of all that is taken after that (pages_short). */
static float *floats(struct trainer *t, long n)
{
    return pages_take(t->pages, (size_t)n, sizeof(float));
}

static int alloc_memory(struct trainer *t, struct err *e)
{
    long images = t->o.batch;
    bool adam = t->o.optimizer == OPT_ADAMW, average = t->o.ema > 0;
    const struct {
        float **array;
        long count;
    } all[] = {
        {&t->w, t->params}, {&t->g, t->params}, {&t->m, t->params},
        {adam ? &t->v : NULL, t->params}, {average ? &t->average : NULL, t->params},
        {&t->running_mean, t->stats}, {&t->running_var, t->stats},
        {&t->average_mean, t->stats}, {&t->average_var, t->stats},
        {&t->mean, t->stats}, {&t->inverse, t->stats},
        {&t->a, t->stats}, {&t->b, t->stats}, {&t->c, t->stats},
        {&t->image_sum, images * t->stats}, {&t->image_dot, images * t->stats},
        {&t->shard_grad, TRAIN_SHARDS * t->sharded}, {&t->back, t->back_size}, {&t->ready, t->ready_size},
        {&t->memory, t->memory_size}, {&t->exchange, t->exchange_size},
        {&t->marks, images * t->map.rows * t->map.columns},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].array)
            *all[i].array = floats(t, all[i].count);
    for (int i = 0; i < t->segments; i++)
        t->chunks += (t->segment[i].count + UPDATE_CHUNK - 1) / UPDATE_CHUNK;
    if (t->o.clip > 0)
        t->square = pages_take(t->pages, (size_t)t->chunks, sizeof *t->square);
    t->map_loss = pages_take(t->pages, (size_t)images, sizeof *t->map_loss);
    t->map_boxes = pages_take(t->pages, (size_t)images, sizeof *t->map_boxes);
    t->logit_at = pages_take(t->pages, (size_t)t->classes, sizeof *t->logit_at);
    t->shard_sum = pages_take(t->pages, (size_t)(2 * TRAIN_SHARDS * t->stats), sizeof *t->shard_sum);
    t->stats_sum = pages_take(t->pages, (size_t)t->stats, sizeof *t->stats_sum);
    t->stats_square = pages_take(t->pages, (size_t)t->stats, sizeof *t->stats_square);
    int threads = threads_count(t->threads);
    t->scratch = pages_take(t->pages, (size_t)threads, sizeof *t->scratch);
    for (int i = 0; i < threads && !pages_short(t->pages); i++)
        t->scratch[i] = floats(t, t->scratch_size);
    return pages_short(t->pages) ? err_set(e, "out of memory") : 0;
}

int train_plan(struct trainer *t, struct err *e)
{
    long n = t->net->layers;
    struct program *g = &t->program;
    *g = (struct program){.net = t->net, .training = true, .images = t->o.batch, .group = WINOGRAD_TILES,
                          .bf16 = t->o.bf16, .pages = t->pages, .e = e};
    t->segment = pages_take(t->pages, (size_t)(6 * n), sizeof *t->segment);
    t->instruction = pages_take(t->pages, (size_t)(12 * n + 12), sizeof *t->instruction);
    t->phase = pages_take(t->pages, (size_t)(12 * n + 12), sizeof *t->phase);
    if (pages_short(t->pages))
        return err_set(e, "out of memory");
    if (program_make(g) || plan_output(t, e) || plan_params(t, e))
        return -1;
    plan_forward(t);
    plan_backward(t);
    place_values(t);
    if (alloc_memory(t, e))
        return -1;
    program_fill(g, t->memory);
    return 0;
}
