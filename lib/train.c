/* The plan of a training step, the parameters and their update. What the plan is made of is in
 * train_plan.h, what each operation does in train_ops.c. */
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train_plan.h"

#define UPDATE_CHUNK 16384 /* floats that one item of the update takes */

/* ---- Planning: operations and values ---- */

struct planner {
    struct trainer *t;
    int *uses, *reader; /* [layers] */
    int *value_of;      /* [layers] */
    struct err *e;
};

static int new_value(struct trainer *t, bool rows, struct shape shape, struct border border, bool flat)
{
    struct value *v = &t->value[t->values];
    *v = (struct value){.rows = rows, .shape = shape, .grad_first = -1, .grad_last = -1};
    v->act = layout_of(shape, border, flat);
    v->grad = layout_of(shape, (struct border){0}, false);
    return t->values++;
}

static struct operation *new_operation(struct planner *b, enum op op, int layer, int x, int y)
{
    struct operation *o = &b->t->operation[b->t->operations++];
    *o = (struct operation){.op = op, .layer = layer, .l = &b->t->net->layer[layer], .x = x,
                            .x2 = -1, .y = y, .spread_place = -1};
    struct value *v = &b->t->value[y];
    v->needs_grad = b->t->value[x].needs_grad || op == OP_CONV || op == OP_DENSE ||
                    op == OP_BATCHNORM;
    return o;
}

static int only_reader(const struct planner *b, int i, enum op op)
{
    return b->uses[i] == 1 && b->t->net->layer[b->reader[i]].op == op ? b->reader[i] : -1;
}

/* The border a value is stored with: the padding of the one convolution that reads it. */
static struct border border_for(const struct planner *b, int layer)
{
    int reader = only_reader(b, layer, OP_CONV);
    return reader < 0 ? (struct border){0} : layer_border(&b->t->net->layer[reader]);
}

static bool has_border(struct border p)
{
    return p.top || p.left || p.bottom || p.right;
}

/* The value that layer reads, inside a border of its own where the value itself has none. */
static int padded(struct planner *b, int layer, float fill)
{
    const struct layer *l = &b->t->net->layer[layer];
    int x = b->value_of[l->in[0]];
    struct border p = layer_border(l);
    struct shape s = b->t->value[x].shape;
    if (!has_border(p))
        return x;
    s.h += p.top + p.bottom;
    s.w += p.left + p.right;
    int y = new_value(b->t, false, s, (struct border){0}, false);
    struct operation *op = new_operation(b, OP_INPUT, layer, x, y);
    op->pad = p;
    op->factor = fill;
    return y;
}

static int gathered(struct planner *b, int layer)
{
    int x = b->value_of[layer];
    if (b->t->value[x].rows)
        return x;
    int y = new_value(b->t, true, b->t->value[x].shape, (struct border){0}, false);
    new_operation(b, OP_FLATTEN, layer, x, y);
    return y;
}

/* The number of batch-norm channels or parameters that follow; whole blocks. */
static long take(long *total, long count)
{
    long place = *total;
    *total += (count + BLOCK - 1) / BLOCK * BLOCK;
    return place;
}

/* The relu after layer i that its pass can do too: always for a convolution; for a dense layer only
 * where batch norm, which follows, masks the gradient. */
static int fused_relu(const struct planner *b, int i, bool *rectified)
{
    int relu = only_reader(b, i, OP_RELU);
    *rectified = relu >= 0 && only_reader(b, relu, OP_BATCHNORM) >= 0;
    return relu >= 0 && (*rectified || b->t->net->layer[i].op == OP_CONV) ? relu : -1;
}

static int plan_conv(struct planner *b, int i)
{
    struct trainer *t = b->t;
    const struct layer *l = &t->net->layer[i];
    int x = b->value_of[l->in[0]];
    struct border pad = layer_border(l);
    if (b->uses[l->in[0]] != 1) {
        x = padded(b, i, 0);
        pad = (struct border){0};
    }
    if (pad.top > (l->r - 1) * l->dilation_h || pad.bottom > (l->r - 1) * l->dilation_h ||
        pad.left > (l->s - 1) * l->dilation_w || pad.right > (l->s - 1) * l->dilation_w)
        return err_set(b->e, "layer %d: padding as large as the kernel cannot be trained", i);
    if (l->groups != 1)
        return err_set(b->e, "layer %d: convolutions in groups cannot be trained", i);
    bool rectified;
    int relu = fused_relu(b, i, &rectified), last = relu < 0 ? i : relu;
    int y = new_value(t, false, l->out, border_for(b, last), false);
    struct operation *op = new_operation(b, OP_CONV, i, x, y);
    op->relu = relu >= 0;
    op->rectified = rectified;
    op->pad = pad;
    op->pack = packing_of(l, t->value[x].shape);
    b->value_of[last] = y;
    return last;
}

static int plan_dense(struct planner *b, int i)
{
    int x = gathered(b, b->t->net->layer[i].in[0]);
    bool rectified;
    int relu = fused_relu(b, i, &rectified), last = relu < 0 ? i : relu;
    int y = new_value(b->t, true, b->t->net->layer[i].out, (struct border){0}, false);
    struct operation *op = new_operation(b, OP_DENSE, i, x, y);
    op->relu = relu >= 0;
    op->rectified = rectified;
    op->pack = packing_of(op->l, b->t->value[x].shape);
    b->value_of[last] = y;
    return last;
}

/* Batch norm, relu, dropout, sum: an output like the input. */
static int plan_pointwise(struct planner *b, int i)
{
    struct trainer *t = b->t;
    const struct layer *l = &t->net->layer[i];
    int x = b->value_of[l->in[0]], x2 = l->in[1] < 0 ? -1 : b->value_of[l->in[1]];
    bool flattened = l->op == OP_BATCHNORM && l->out.c != t->value[x].shape.c;
    bool rows = t->value[x].rows || (x2 >= 0 && t->value[x2].rows) || flattened;
    if (rows) {
        x = gathered(b, l->in[0]);
        x2 = x2 < 0 ? -1 : gathered(b, l->in[1]);
    }
    struct shape s = t->value[x].shape;
    if (x2 >= 0 && memcmp(&s, &t->value[x2].shape, sizeof s))
        return err_set(b->e, "layer %d: a sum of differently flattened inputs cannot be trained", i);
    int y = new_value(t, rows, s, rows ? (struct border){0} : border_for(b, i), false);
    struct operation *op = new_operation(b, l->op, i, x, y);
    op->x2 = x2;
    for (int j = 0; j < t->operations; j++)
        if (t->operation[j].y == x && l->op == OP_BATCHNORM)
            op->rectified = t->operation[j].rectified;
    t->value[y].needs_grad |= x2 >= 0 && t->value[x2].needs_grad;
    b->value_of[i] = y;
    return i;
}

static int plan_pool(struct planner *b, int i)
{
    struct trainer *t = b->t;
    const struct layer *l = &t->net->layer[i];
    bool most = l->op == OP_MAXPOOL, all = l->op == OP_GLOBALPOOL;
    if (l->op == OP_AVGPOOL && l->exclude_pad && has_border(layer_border(l)))
        return err_set(b->e, "layer %d: average pooling that leaves out the padding cannot be trained",
                       i);
    int x = padded(b, i, most ? -INFINITY : 0);
    struct shape in = t->value[x].shape;
    int y = new_value(t, false, l->out, border_for(b, i), false);
    struct operation *op = new_operation(b, l->op, i, x, y);
    op->pool = (struct pool){.rows = l->out.h, .pixels = l->out.w, .r = all ? in.h : l->r,
                             .s = all ? in.w : l->s, .stride_h = l->stride_h,
                             .stride_w = l->stride_w};
    op->factor = 1.0f / ((float)op->pool.r * op->pool.s);
    b->value_of[i] = y;
    return i;
}

static int plan_layer(struct planner *b, int i)
{
    const struct layer *l = &b->t->net->layer[i];
    switch (l->op) {
    case OP_CONV:
        return plan_conv(b, i);
    case OP_DENSE:
        return plan_dense(b, i);
    case OP_BATCHNORM:
    case OP_RELU:
    case OP_DROPOUT:
    case OP_ADD:
        return plan_pointwise(b, i);
    case OP_MAXPOOL:
    case OP_AVGPOOL:
    case OP_GLOBALPOOL:
        return plan_pool(b, i);
    case OP_FLATTEN:
    case OP_SOFTMAX:
        b->value_of[i] = b->value_of[l->in[0]];
        return l->op == OP_FLATTEN || i == b->t->net->layers - 1
                   ? i
                   : err_set(b->e, "layer %d: softmax before the end cannot be trained", i);
    default:
        return err_set(b->e, "layer %d: %s cannot be trained", i, op_name(l->op));
    }
}

static bool flat_input(const struct planner *b)
{
    const struct net *net = b->t->net;
    return net_input(net).c == 1 && only_reader(b, 0, OP_CONV) >= 0;
}

static int plan_operations(struct planner *b)
{
    struct trainer *t = b->t;
    const struct net *net = t->net;
    for (int i = 0; i < net->layers; i++) {
        b->value_of[i] = -1;
        for (int j = 0; j < 2; j++) {
            int from = net->layer[i].in[j];
            if (from >= 0) {
                b->uses[from]++;
                b->reader[from] = i;
            }
        }
    }
    t->input = new_value(t, false, net_input(net), border_for(b, 0), flat_input(b));
    b->value_of[0] = t->input;
    for (int i = 1; i < net->layers; i++)
        if (b->value_of[i] < 0) {
            if (!b->uses[i] && i != net->layers - 1)
                return err_set(b->e, "layer %d: its output is not used", i);
            if (plan_layer(b, i) < 0)
                return -1;
        }
    t->output = gathered(b, net->layers - 1);
    t->classes = net_outputs(net);
    return 0;
}

/* ---- Planning: parameters ---- */

static void place_params(struct trainer *t, struct operation *op, bool sharded)
{
    bool weights = op->op == OP_CONV || op->op == OP_DENSE, norm = op->op == OP_BATCHNORM;
    if ((!weights && !norm) || (op->op == OP_CONV) != sharded)
        return;
    const struct value *x = &t->value[op->x];
    struct segment s = {.decay = weights, .sharded = sharded};
    op->channels = (weights ? op->pack.blocks : x->rows ? rows_blocks(x->shape) : x->act.blocks) *
                   (long)BLOCK;
    if (weights) {
        s.count = op->pack.size;
        s.place = op->weight = take(&t->params, op->pack.size);
        t->segment[t->segments++] = s;
        s.place = op->bias = take(&t->params, op->channels);
    } else {
        s.place = op->scale = take(&t->params, op->channels);
        op->shift = take(&t->params, op->channels);
        op->stats = take(&t->stats, op->channels);
    }
    s.count = norm ? 2 * op->channels : op->channels;
    s.decay = false;
    if (norm || op->l->bias)
        t->segment[t->segments++] = s;
}

/* A row of the kernel over an input of one channel is one run of its taps, not a run for each. */
static void join_taps(struct operation *op, const struct layout *x)
{
    int taps = x->pixel == 1 && op->l->dilation_w == 1 ? op->pack.s : 1;
    op->runs = op->pack.runs / taps;
    op->run = op->pack.run * taps;
    for (int i = 0; i < op->runs; i++)
        op->offset[i] = op->offset[i * taps];
}

/* The weights as the gradient of x needs them: output and input channels change places, and a
 * convolution's kernel is turned round. */
static int place_back(struct trainer *t, struct operation *op, struct err *e)
{
    struct value *x = &t->value[op->x], *y = &t->value[op->y];
    struct packing p = op->pack;
    bool conv = op->op == OP_CONV;
    int window = conv ? p.r * p.s : 1;
    op->pack_back = (struct packing){.k = p.c, .c = p.k, .r = p.r, .s = p.s, .groups = 1};
    struct packing *q = &op->pack_back;
    q->run = p.k < BLOCK ? p.k : BLOCK;
    q->runs = p.blocks * window;
    q->blocks = p.runs / window;
    q->size = (long)q->blocks * q->runs * q->run * BLOCK;
    op->weight_back = take(&t->back_size, q->size);
    op->offset = malloc((size_t)p.runs * sizeof *op->offset);
    op->offset_back = malloc((size_t)q->runs * sizeof *op->offset_back);
    if (!op->offset || !op->offset_back)
        return err_set(e, "out of memory");
    if (!conv) {
        dense_offsets(&p, t->o.batch, op->offset);
        dense_offsets(q, t->o.batch, op->offset_back);
        return 0;
    }
    const struct layer *l = op->l;
    struct shape s = {p.k, (l->out.h - 1) * l->stride_h + 1, (l->out.w - 1) * l->stride_w + 1};
    int reach_h = (l->r - 1) * l->dilation_h, reach_w = (l->s - 1) * l->dilation_w;
    struct border around = {.top = reach_h - op->pad.top, .left = reach_w - op->pad.left};
    around.bottom = x->shape.h + reach_h - around.top - s.h;
    around.right = x->shape.w + reach_w - around.left - s.w;
    op->spread = layout_of(s, around, false);
    if (x->needs_grad && l->stride_h == 1 && l->stride_w == 1)
        y->grad = op->spread;
    else if (x->needs_grad)
        op->spread_place = take(&t->scratch_size, op->spread.size);
    conv_offsets(&p, l, &x->act, op->offset);
    join_taps(op, &x->act);
    conv_offsets(q, l, &op->spread, op->offset_back);
    return 0;
}

/* Convolutions first: their gradients are kept by shard. */
static int plan_params(struct trainer *t, struct err *e)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < t->operations; i++)
            place_params(t, &t->operation[i], pass == 0);
        if (pass == 0)
            t->sharded = t->params;
    }
    for (int i = 0; i < t->operations; i++)
        if (t->operation[i].op == OP_CONV || t->operation[i].op == OP_DENSE)
            if (place_back(t, &t->operation[i], e))
                return -1;
    return 0;
}

/* ---- Planning: phases ---- */

/* The current phase if it is of this kind, else a new one. */
static struct phase *in_phase(struct trainer *t, enum unit unit, int blocks, bool fresh)
{
    struct phase *p = t->phases ? &t->phase[t->phases - 1] : NULL;
    bool open = p && p->finish < 0 && t->phases > t->forward_phases;
    if (!fresh && open && p->unit == unit && p->blocks == blocks)
        return p;
    p = &t->phase[t->phases++];
    *p = (struct phase){.unit = unit, .blocks = blocks, .first = t->instructions, .finish = -1};
    return p;
}

static void instruct(struct trainer *t, struct phase *p, enum action action, int op)
{
    t->instruction[t->instructions++] = (struct instruction){action, op};
    p->count++;
}

static int blocks_of(const struct value *v)
{
    return v->rows ? rows_blocks(v->shape) : 0;
}

static void plan_forward(struct trainer *t)
{
    instruct(t, in_phase(t, BY_IMAGE, 0, true), FILL, 0);
    for (int i = 0; i < t->operations; i++) {
        const struct operation *op = &t->operation[i];
        const struct value *y = &t->value[op->y];
        if (op->op == OP_FLATTEN || !y->rows) {
            if (op->op == OP_BATCHNORM) {
                struct phase *p = in_phase(t, BY_IMAGE, 0, false);
                instruct(t, p, MOMENTS, i);
                p->finish = i;
            }
            instruct(t, in_phase(t, BY_IMAGE, 0, false), FORWARD, i);
        } else {
            instruct(t, in_phase(t, BY_BLOCKS, blocks_of(y), op->op == OP_DENSE), FORWARD, i);
        }
    }
    t->forward_phases = t->phases;
}

/* Note that phase p writes the gradient of a value; true when another operation has done so before,
 * so that this one has to add. */
static bool writes_grad(struct trainer *t, int value)
{
    if (value < 0 || !t->value[value].needs_grad)
        return false;
    struct value *v = &t->value[value];
    bool again = v->grad_first >= 0;
    if (!again)
        v->grad_first = t->phases - 1;
    v->grad_last = t->phases - 1;
    return again;
}

static void plan_backward(struct trainer *t)
{
    t->value[t->output].grad_first = t->forward_phases - 1;
    for (int i = t->operations - 1; i >= 0; i--) {
        struct operation *op = &t->operation[i];
        const struct value *x = &t->value[op->x];
        bool gather = op->op == OP_FLATTEN, rows = x->rows, dense = op->op == OP_DENSE;
        if (!t->value[op->y].needs_grad || (!x->needs_grad && gather))
            continue;
        if (op->op == OP_BATCHNORM && !rows) {
            struct phase *p = in_phase(t, BY_SHARD, 0, false);
            instruct(t, p, SUMS, i);
            p->finish = i;
        }
        struct phase *p = rows ? in_phase(t, BY_BLOCKS, blocks_of(x), dense)
                               : in_phase(t, BY_SHARD, 0, false);
        instruct(t, p, BACKWARD, i);
        t->value[op->y].grad_last = t->phases - 1;
        op->add_x = writes_grad(t, op->x);
        op->add_x2 = writes_grad(t, op->x2);
    }
}

/* ---- Memory ---- */

static void place_values(struct trainer *t)
{
    for (int i = 0; i < t->values; i++) {
        struct value *v = &t->value[i];
        long rows = (long)blocks_of(v) * t->o.batch * BLOCK;
        v->act_place = take(&t->memory_size, v->rows ? rows : v->act.size * t->o.batch);
        v->grad_local = !v->rows && v->grad_first == v->grad_last;
        if (!v->needs_grad)
            continue;
        if (v->grad_local)
            v->grad_place = take(&t->scratch_size, v->grad.size);
        else
            v->grad_place = take(&t->memory_size, v->rows ? rows : v->grad.size * t->o.batch);
    }
    for (int i = 0; t->o.ranks && i < t->operations; i++) {
        const struct value *y = &t->value[t->operation[i].y];
        long size = (long)blocks_of(y) * (t->o.batch + TRAIN_SHARDS) * BLOCK;
        if (t->operation[i].op == OP_FLATTEN && size > t->exchange_size)
            t->exchange_size = size;
    }
    long spare = 2L * t->o.batch * BLOCK;
    for (int i = 0; i < t->values; i++) {
        struct shape s = t->value[i].shape;
        long size = layout_of(s, (struct border){0}, false).size;
        if (!t->value[i].rows && size > spare)
            spare = size;
    }
    t->spare = take(&t->scratch_size, spare);
    t->tile = take(&t->scratch_size, TRAIN_SHARDS * 2 * BLOCK * BLOCK);
}

/* n floats, zeroed, or NULL and *ok false. */
static float *floats(long n, bool *ok)
{
    size_t bytes = ((size_t)n * sizeof(float) + 63) / 64 * 64 + 64;
    float *p = *ok ? aligned_alloc(64, bytes) : NULL;
    if (p)
        memset(p, 0, bytes);
    *ok = p;
    return p;
}

static int alloc_memory(struct trainer *t, struct err *e)
{
    bool ok = true;
    int slots = t->o.batch > TRAIN_SHARDS ? t->o.batch : TRAIN_SHARDS;
    t->w = floats(t->params, &ok);
    t->g = floats(t->params, &ok);
    t->m = floats(t->params, &ok);
    t->v = t->o.optimizer == OPT_ADAMW ? floats(t->params, &ok) : NULL;
    t->average = t->o.ema > 0 ? floats(t->params, &ok) : NULL;
    t->shard_grad = floats(TRAIN_SHARDS * t->sharded, &ok);
    t->back = floats(t->back_size, &ok);
    float **stats[] = {&t->running_mean, &t->running_var, &t->average_mean, &t->average_var,
                       &t->mean, &t->inverse, &t->a, &t->b, &t->c};
    for (size_t i = 0; i < sizeof stats / sizeof *stats; i++)
        *stats[i] = floats(t->stats, &ok);
    t->image_sum = floats(slots * t->stats, &ok);
    t->image_dot = floats(slots * t->stats, &ok);
    t->memory = floats(t->memory_size, &ok);
    t->exchange = floats(t->exchange_size, &ok);
    t->shard_sum = calloc(2 * TRAIN_SHARDS * ((size_t)t->stats + 1), sizeof *t->shard_sum);
    t->restat_sum = calloc((size_t)t->stats + 1, sizeof *t->restat_sum);
    t->restat_square = calloc((size_t)t->stats + 1, sizeof *t->restat_square);
    t->scratch = calloc((size_t)threads_count(t->threads), sizeof *t->scratch);
    ok = ok && t->shard_sum && t->restat_sum && t->restat_square && t->scratch;
    for (int i = 0; ok && i < threads_count(t->threads); i++)
        t->scratch[i] = floats(t->scratch_size, &ok);
    return ok ? 0 : err_set(e, "out of memory");
}

/* ---- Weights in and out of the net ---- */

enum direction { FROM_NET, TO_NET };

/* Copy a per-channel parameter between the net and its place in `all`. */
static void move_channels(const struct trainer *t, const struct operation *op, enum direction to,
                          float *net, float *all)
{
    const struct value *x = &t->value[op->x];
    bool rows = op->op == OP_BATCHNORM && x->rows;
    for (long i = 0; net && i < op->l->out.c; i++) {
        float *p = &all[rows ? rows_at(x->shape, i) : i];
        if (to == FROM_NET)
            *p = net[i];
        else
            net[i] = *p;
    }
}

static void move_params(const struct trainer *t, enum direction to, struct net *net, float *w,
                        float *mean, float *var)
{
    for (int i = 0; i < t->operations; i++) {
        const struct operation *op = &t->operation[i];
        struct layer *l = &net->layer[op->layer];
        if (op->op == OP_CONV || op->op == OP_DENSE) {
            if (to == FROM_NET)
                pack(&op->pack, l->weight, w + op->weight);
            else
                unpack(&op->pack, w + op->weight, l->weight);
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

static int plan(struct trainer *t, struct err *e)
{
    size_t n = (size_t)t->net->layers;
    int *memory = calloc(3 * n, sizeof *memory);
    struct planner b = {.t = t, .uses = memory, .e = e};
    t->value = calloc(3 * n + 2, sizeof *t->value);
    t->operation = calloc(3 * n + 2, sizeof *t->operation);
    t->segment = calloc(6 * n, sizeof *t->segment);
    t->instruction = calloc(12 * n + 12, sizeof *t->instruction);
    t->phase = calloc(12 * n + 12, sizeof *t->phase);
    bool ok = memory && t->value && t->operation && t->segment && t->instruction && t->phase;
    if (ok) {
        b.reader = memory + n;
        b.value_of = memory + 2 * n;
    }
    int failed = ok ? plan_operations(&b) : err_set(e, "out of memory");
    free(memory);
    if (failed || plan_params(t, e))
        return -1;
    if (!t->value[t->output].needs_grad)
        return err_set(e, "the network has nothing to train");
    plan_forward(t);
    plan_backward(t);
    place_values(t);
    return alloc_memory(t, e);
}

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
    t->net = net_copy(net, e);
    if (!t->net || plan(t, e)) {
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
    for (int i = 0; t->operation && i < t->operations; i++) {
        free(t->operation[i].offset);
        free(t->operation[i].offset_back);
    }
    for (int i = 0; t->scratch && i < threads_count(t->threads); i++)
        free(t->scratch[i]);
    void *owned[] = {t->value, t->operation, t->segment, t->instruction, t->phase, t->w, t->g, t->m,
                     t->v, t->average, t->shard_grad, t->back, t->running_mean, t->running_var,
                     t->average_mean, t->average_var, t->mean, t->inverse, t->a, t->b, t->c,
                     t->image_sum, t->image_dot, t->memory, t->restat_sum, t->restat_square,
                     t->scratch, t->exchange, t->shard_sum};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    net_free(t->net);
    free(t);
}

/* ---- A step ---- */

/* One item of the phase at hand. */
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

/* The items of a phase that are this rank's; t->base is the first. What is by blocks all do. */
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
        const struct operation *op = &t->operation[t->instruction[i].op];
        if (t->instruction[i].action == FORWARD && op->op == OP_FLATTEN)
            train_share_rows(t, op);
    }
}

static void run_phases(struct trainer *t, int first, int end)
{
    for (int i = first; i < end; i++) {
        const struct phase *p = t->now = &t->phase[i];
        threads_run(t->threads, own_items(t, p), run_item, t);
        share_rows(t, p);
        if (p->finish >= 0 && i < t->forward_phases)
            train_finish_moments(t, &t->operation[p->finish]);
        else if (p->finish >= 0)
            train_finish_sums(t, &t->operation[p->finish]);
    }
}

/* Block `b` of the inputs of an operation, as the gradient pass reads its weights. */
static void turn_block(const struct trainer *t, const struct operation *op, int b)
{
    const struct packing *p = &op->pack, *q = &op->pack_back;
    int window = q->runs / p->blocks;
    for (int k = 0; k < p->blocks; k++)
        for (int i = 0; i < window; i++) {
            const float *from =
                t->w + op->weight + ((long)k * p->runs + (long)b * window + i) * p->run * BLOCK;
            float *to = t->back + op->weight_back +
                        ((long)b * q->runs + (long)k * window + window - 1 - i) * q->run * BLOCK;
            for (int c = 0; c < p->run; c++)
                for (int lane = 0; lane < q->run; lane++)
                    to[lane * BLOCK + c] = from[c * BLOCK + lane];
        }
}

/* Item: one block of one operation, counted through all of them. */
static void turn_item(void *arg, int item, int thread)
{
    const struct trainer *t = arg;
    (void)thread;
    for (int i = 0; i < t->operations; i++) {
        const struct operation *op = &t->operation[i];
        if (item < op->pack_back.blocks && t->value[op->x].needs_grad) {
            turn_block(t, op, item);
            return;
        }
        item -= t->value[op->x].needs_grad ? op->pack_back.blocks : 0;
    }
}

static void turn_weights(struct trainer *t)
{
    int items = 0;
    for (int i = 0; i < t->operations; i++)
        if (t->value[t->operation[i].x].needs_grad)
            items += t->operation[i].pack_back.blocks;
    threads_run(t->threads, items, turn_item, t);
}

/* Loss and the gradient of the logits of image i. */
static void softmax_loss(struct trainer *t, int i, struct train_result *r)
{
    const struct value *y = &t->value[t->output];
    const float *logits = t->memory + y->act_place;
    float *grad = t->memory + y->grad_place;
    double smooth = t->o.label_smoothing, most = -INFINITY, sum = 0;
    long at[t->classes];
    int best = 0;
    for (int k = 0; k < t->classes; k++) {
        long place = rows_at(y->shape, k);
        at[k] = (place / BLOCK * t->o.batch + i) * BLOCK + place % BLOCK;
        if (logits[at[k]] > most) {
            most = logits[at[k]];
            best = k;
        }
    }
    for (int k = 0; k < t->classes; k++)
        sum += exp(logits[at[k]] - most);
    for (int k = 0; k < t->classes; k++) {
        double x = logits[at[k]] - most;
        double target = smooth / t->classes + (k == t->labels[i] ? 1 - smooth : 0);
        r->loss += target * (log(sum) - x) / t->n;
        grad[at[k]] = (float)((exp(x) / sum - target) / t->n);
    }
    r->correct += best == t->labels[i];
}

/* Sum `count` floats of `shards` gradients, which are t->sharded apart, by a tree into `sum` (which
 * may be the first of them). */
static void fold_gradients(const struct trainer *t, const float *first, int shards, long count,
                           float *sum)
{
    const float *s[TRAIN_SHARDS];
    for (int i = 0; i < shards; i++)
        s[i] = first + i * t->sharded;
    if (shards == 8)
        for (long i = 0; i < count; i++)
            sum[i] = ((s[0][i] + s[1][i]) + (s[2][i] + s[3][i])) +
                     ((s[4][i] + s[5][i]) + (s[6][i] + s[7][i]));
    else if (shards == 4)
        for (long i = 0; i < count; i++)
            sum[i] = (s[0][i] + s[1][i]) + (s[2][i] + s[3][i]);
    else if (shards == 2)
        for (long i = 0; i < count; i++)
            sum[i] = s[0][i] + s[1][i];
    else if (sum != s[0])
        memcpy(sum, s[0], (size_t)count * sizeof *sum);
}

/* Item: a chunk of the gradients of this rank's shards, which become one. The ranks' own ones then
 * stand one after another where the first shards' were: those are this rank's or nobody's here. */
static void fold_item(void *arg, int item, int thread)
{
    const struct trainer *t = arg;
    long place = (long)item * UPDATE_CHUNK, left = t->sharded - place;
    int rank = t->o.ranks->rank, first = train_rank_first(t, rank);
    (void)thread;
    fold_gradients(t, t->shard_grad + first * t->sharded + place,
                   train_rank_first(t, rank + 1) - first, left < UPDATE_CHUNK ? left : UPDATE_CHUNK,
                   t->shard_grad + rank * t->sharded + place);
}

/* How many gradients are to be folded by the update: the shards' or, among ranks, theirs. */
static int share_gradients(struct trainer *t)
{
    if (!t->o.ranks)
        return TRAIN_SHARDS;
    threads_run(t->threads, (int)((t->sharded + UPDATE_CHUNK - 1) / UPDATE_CHUNK), fold_item, t);
    ranks_gather(t->o.ranks, t->shard_grad, (size_t)t->sharded * sizeof *t->shard_grad);
    return t->o.ranks->count;
}

/* The update at hand, for run_update. */
struct update_job {
    struct trainer *t;
    struct update numbers;
    float decay;
    int gradients; /* to be folded */
};

static long chunks_of(const struct segment *s)
{
    return (s->count + UPDATE_CHUNK - 1) / UPDATE_CHUNK;
}

/* Item: a chunk of a segment, counted through all of them. */
static void update_item(void *arg, int item, int thread)
{
    const struct update_job *job = arg;
    struct trainer *t = job->t;
    const struct segment *s = t->segment;
    (void)thread;
    for (; item >= chunks_of(s); s++)
        item -= (int)chunks_of(s);
    long place = s->place + (long)item * UPDATE_CHUNK, left = s->place + s->count - place;
    long count = left < UPDATE_CHUNK ? left : UPDATE_CHUNK;
    float *average = t->average ? t->average + place : NULL;
    struct update u = job->numbers;
    u.decay = s->decay ? job->decay : 0;
    if (s->sharded)
        fold_gradients(t, t->shard_grad + place, job->gradients, count, t->g + place);
    if (t->o.optimizer == OPT_ADAMW)
        t->k->adamw(count, &u, t->w + place, t->g + place, t->m + place, t->v + place, average);
    else
        t->k->sgd(count, &u, t->w + place, t->g + place, t->m + place, average);
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
    long items = 0;
    for (int i = 0; i < t->segments; i++)
        items += chunks_of(&t->segment[i]);
    threads_run(t->threads, (int)items, update_item, &job);
}

/* Shards without an image write no gradient: theirs is 0. */
static void clear_empty_shards(struct trainer *t)
{
    for (int s = 0; s < TRAIN_SHARDS; s++)
        if (train_shard_first(t->n, s) == train_shard_first(t->n, s + 1))
            memset(t->shard_grad + s * t->sharded, 0, (size_t)t->sharded * sizeof *t->shard_grad);
}

struct train_result trainer_step(struct trainer *t, train_fill *fill, void *arg,
                                 const uint8_t *labels, int n, double rate)
{
    struct train_result r = {0};
    t->active = t->w;
    t->frozen = false;
    t->fill = fill;
    t->fill_arg = arg;
    t->labels = labels;
    t->n = n;
    run_phases(t, 0, t->forward_phases);
    for (int i = 0; i < n; i++)
        softmax_loss(t, i, &r);
    turn_weights(t);
    clear_empty_shards(t);
    run_phases(t, t->forward_phases, t->phases);
    update_params(t, rate);
    t->steps++;
    return r;
}

long trainer_steps(const struct trainer *t)
{
    return t->steps;
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

/* ---- Batch-norm statistics made again ---- */

void trainer_restat_begin(struct trainer *t)
{
    memset(t->restat_sum, 0, (size_t)t->stats * sizeof *t->restat_sum);
    memset(t->restat_square, 0, (size_t)t->stats * sizeof *t->restat_square);
    t->restat_count = 0;
}

void trainer_restat_batch(struct trainer *t, train_fill *fill, void *arg, int n)
{
    t->active = t->average ? t->average : t->w;
    t->frozen = true;
    t->fill = fill;
    t->fill_arg = arg;
    t->n = n;
    run_phases(t, 0, t->forward_phases);
    t->restat_count += n;
}

void trainer_restat_end(struct trainer *t)
{
    float *means = t->average ? t->average_mean : t->running_mean;
    float *vars = t->average ? t->average_var : t->running_var;
    for (long i = 0; t->restat_count > 0 && i < t->stats; i++) {
        double mean = t->restat_sum[i] / t->restat_count;
        means[i] = (float)mean;
        vars[i] = (float)fmax(t->restat_square[i] / t->restat_count - mean * mean, 0);
    }
}
