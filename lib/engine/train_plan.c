/* The plan of a training step.
 *   in   struct net, options
 *   out  operations, places of values, gradients and parameters, and the phases in which instructions run */
#include "train_plan.h"

#include <math.h>
#include <string.h>

/* ---- Planning: operations and values ---- */

struct planner {
    struct graph graph;
    struct trainer *t;
    struct err *e;
};

static int new_value(struct trainer *t, bool matrix, struct shape shape, struct border border, bool flat)
{
    struct value *v = &t->value[t->values];
    if (matrix)
        border = (struct border){0};
    *v = (struct value){.matrix = matrix, .shape = shape, .border = border, .grad_first = -1, .grad_last = -1};
    v->act = layout_of(shape, border, flat);
    v->grad = layout_of(shape, (struct border){0}, false);
    return t->values++;
}

static struct operation *new_operation(struct planner *b, enum op op, int layer, int x, int y)
{
    struct operation *o = &b->t->operation[b->t->operations++];
    *o = (struct operation){.op = op, .layer = layer, .l = &b->t->net->layer[layer], .x = x,
                            .x2 = -1, .y = y};
    struct value *v = &b->t->value[y];
    v->needs_grad = b->t->value[x].needs_grad || op == OP_CONV || op == OP_DENSE ||
                    op == OP_BATCHNORM;
    return o;
}

/* The value that a layer reads, copied into a border where the value has none. */
static int padded(struct planner *b, int layer, float fill)
{
    const struct layer *l = &b->t->net->layer[layer];
    int x = b->graph.value_of[l->in[0]];
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
    int x = b->graph.value_of[layer];
    if (b->t->value[x].matrix)
        return x;
    int y = new_value(b->t, true, b->t->value[x].shape, (struct border){0}, false);
    new_operation(b, OP_FLATTEN, layer, x, y);
    return y;
}

/* Reserve `count` parameters or channels, rounded up to whole blocks. Returns their place. */
static long take(long *total, long count)
{
    long place = *total;
    *total += (count + BLOCK - 1) / BLOCK * BLOCK;
    return place;
}

/* The relu behind layer i that is fused into it, or -1: behind a convolution always; behind a dense layer
 * only where a batch norm follows, which masks the gradient. */
static int fused_relu(const struct planner *b, int i, bool *rectified)
{
    int relu = graph_reader(&b->graph, i, OP_RELU);
    *rectified = relu >= 0 && graph_reader(&b->graph, relu, OP_BATCHNORM) >= 0;
    return relu >= 0 && (*rectified || b->t->net->layer[i].op == OP_CONV) ? relu : -1;
}

/* Whether a convolution can be trained whose padding, which is not part of x's shape, is p. */
static int check_conv(struct planner *b, int i, struct border p)
{
    const struct layer *l = &b->t->net->layer[i];
    int reach_h = (l->r - 1) * l->dilation_h, reach_w = (l->s - 1) * l->dilation_w;
    if (p.top > reach_h || p.bottom > reach_h || p.left > reach_w || p.right > reach_w)
        return err_set(b->e, "layer %d: padding as large as the kernel cannot be trained", i);
    return l->groups == 1 ? 0 : err_set(b->e, "layer %d: convolutions in groups cannot be trained", i);
}

/* Plan a conv or dense layer with the relu fused into it. */
static int plan_product(struct planner *b, int i)
{
    struct trainer *t = b->t;
    const struct layer *l = &t->net->layer[i];
    bool conv = l->op == OP_CONV, rectified;
    int x = conv ? b->graph.value_of[l->in[0]] : gathered(b, l->in[0]);
    struct border pad = conv ? layer_border(l) : (struct border){0};
    if (has_border(pad) && memcmp(&t->value[x].border, &pad, sizeof pad)) {
        x = padded(b, i, 0);
        pad = (struct border){0};
    }
    if (conv && check_conv(b, i, pad))
        return -1;
    int relu = fused_relu(b, i, &rectified), last = relu < 0 ? i : relu;
    int y = new_value(t, !conv, l->out, graph_border(&b->graph, last), false);
    struct operation *op = new_operation(b, l->op, i, x, y);
    op->relu = relu >= 0;
    op->rectified = rectified;
    op->pad = pad;
    op->start = has_border(pad) ? 0 : t->value[x].act.origin;
    op->pack = packing_of(l, t->value[x].shape);
    b->graph.value_of[last] = y;
    return last;
}

/* Plan batch norm, relu, dropout or a sum, whose output has the shape of the input. */
static int plan_pointwise(struct planner *b, int i)
{
    struct trainer *t = b->t;
    const struct layer *l = &t->net->layer[i];
    int x = b->graph.value_of[l->in[0]], x2 = l->in[1] < 0 ? -1 : b->graph.value_of[l->in[1]];
    bool flattened = l->op == OP_BATCHNORM && l->out.c != t->value[x].shape.c;
    bool matrix = t->value[x].matrix || (x2 >= 0 && t->value[x2].matrix) || flattened;
    if (matrix) {
        x = gathered(b, l->in[0]);
        x2 = x2 < 0 ? -1 : gathered(b, l->in[1]);
    }
    struct shape s = t->value[x].shape;
    if (x2 >= 0 && memcmp(&s, &t->value[x2].shape, sizeof s))
        return err_set(b->e, "layer %d: a sum of differently flattened inputs cannot be trained", i);
    int relu = l->op == OP_BATCHNORM ? graph_reader(&b->graph, i, OP_RELU) : -1, last = relu < 0 ? i : relu;
    int y = new_value(t, matrix, s, graph_border(&b->graph, last), false);
    struct operation *op = new_operation(b, l->op, i, x, y);
    op->x2 = x2;
    op->relu = relu >= 0;
    for (int j = 0; j < t->operations; j++)
        if (t->operation[j].y == x && l->op == OP_BATCHNORM && t->operation[j].op != OP_BATCHNORM)
            op->rectified = t->operation[j].rectified;
    t->value[y].needs_grad |= x2 >= 0 && t->value[x2].needs_grad;
    b->graph.value_of[last] = y;
    return last;
}

static int plan_pool(struct planner *b, int i)
{
    struct trainer *t = b->t;
    const struct layer *l = &t->net->layer[i];
    bool most = l->op == OP_MAXPOOL;
    if (l->op == OP_AVGPOOL && l->exclude_pad && has_border(layer_border(l)))
        return err_set(b->e, "layer %d: average pooling that leaves out the padding cannot be trained",
                       i);
    int x = padded(b, i, most ? -INFINITY : 0);
    int y = new_value(t, false, l->out, graph_border(&b->graph, i), false);
    struct operation *op = new_operation(b, l->op, i, x, y);
    op->pool = pool_geometry(l, t->value[x].shape);
    op->factor = 1.0f / ((float)op->pool.r * op->pool.s);
    b->graph.value_of[i] = y;
    return i;
}

static int plan_layer(struct planner *b, int i)
{
    const struct layer *l = &b->t->net->layer[i];
    switch (l->op) {
    case OP_CONV:
    case OP_DENSE:
        return plan_product(b, i);
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
    case OP_BOXES:
        b->graph.value_of[i] = b->graph.value_of[l->in[0]];
        return l->op == OP_FLATTEN || i == b->t->net->layers - 1
                   ? i
                   : err_set(b->e, "layer %d: %s before the end cannot be trained", i,
                             op_name(l->op));
    default:
        return err_set(b->e, "layer %d: %s cannot be trained", i, op_name(l->op));
    }
}

/* A finder's output stays a picture. */
static int plan_map(struct planner *b)
{
    struct trainer *t = b->t;
    t->output = b->graph.value_of[t->net->layers - 1];
    t->map = map_shape_of(t->net);
    if (t->value[t->output].matrix)
        return err_set(b->e, "boxes after a dense layer cannot be trained");
    if (t->o.ranks)
        return err_set(b->e, "a finder is trained by one process, not by several ranks");
    return 0;
}

static int plan_operations(struct planner *b)
{
    struct trainer *t = b->t;
    const struct net *net = t->net;
    t->input = new_value(t, false, net_input(net), graph_border(&b->graph, 0), graph_flat_input(&b->graph));
    b->graph.value_of[0] = t->input;
    for (int i = 1; i < net->layers; i++)
        if (b->graph.value_of[i] < 0) {
            if (!b->graph.uses[i] && i != net->layers - 1)
                return err_set(b->e, "layer %d: its output is not used", i);
            if (plan_layer(b, i) < 0)
                return -1;
        }
    if (net_is_finder(net))
        return plan_map(b);
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
    op->channels = (weights ? op->pack.blocks : x->matrix ? matrix_blocks(x->shape) : x->act.blocks) *
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

/* Plan the weights that the gradient of x needs: input and output channels exchanged, a kernel turned by 180
 * degrees. */
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
    int *offset = train_offsets(t, p.runs), *offset_back = train_offsets(t, q->runs);
    if (!offset || !offset_back)
        return err_set(e, "out of memory");
    if (!conv) {
        op->conv = dense_geometry(&p, t->o.batch, offset);
        op->back = dense_geometry(q, t->o.batch, offset_back);
        return 0;
    }
    const struct layer *l = op->l;
    struct shape s = l->out;
    int reach_h = (l->r - 1) * l->dilation_h, reach_w = (l->s - 1) * l->dilation_w;
    struct border around = {.top = reach_h - op->pad.top, .left = reach_w - op->pad.left};
    around.bottom = x->shape.h + reach_h - around.top - s.h;
    around.right = x->shape.w + reach_w - around.left - s.w;
    op->conv = conv_geometry(l, &p, &x->act, &y->act, offset);
    if (l->stride_h != 1 || l->stride_w != 1)
        return x->needs_grad ? stride_plan(t, op, e) : 0;
    op->spread = layout_of(s, around, false);
    if (x->needs_grad)
        y->grad = op->spread;
    conv_offsets(q, l, &op->spread, offset_back);
    op->back = (struct conv){.blocks = q->blocks, .rows = x->shape.h, .pixels = x->shape.w,
                             .runs = q->runs, .run = q->run, .offset = offset_back,
                             .x_row = op->spread.row, .x_pixel = BLOCK};
    return 0;
}

/* Place the parameters, convolutions first: their gradients are kept by shard. */
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
            if (place_back(t, &t->operation[i], e) || bf16_plan(t, &t->operation[i], e) ||
                winograd_plan(t, &t->operation[i], e))
                return -1;
    return 0;
}

/* ---- Planning: phases ---- */

/* The last phase if it is of this kind, otherwise a new one. */
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
    return v->matrix ? matrix_blocks(v->shape) : 0;
}

static void plan_forward(struct trainer *t)
{
    instruct(t, in_phase(t, BY_IMAGE, 0, true), FILL, 0);
    for (int i = 0; i < t->operations; i++) {
        const struct operation *op = &t->operation[i];
        const struct value *y = &t->value[op->y];
        if (op->op == OP_FLATTEN || !y->matrix) {
            if (op->op == OP_BATCHNORM) {
                struct phase *p = in_phase(t, BY_IMAGE, 0, false);
                instruct(t, p, MOMENTS, i);
                p->finish = i;
            }
            instruct(t, in_phase(t, BY_IMAGE, 0, false), FORWARD, i);
        } else {
            if (op->bf16.on)
                instruct(t, in_phase(t, BY_BLOCKS, blocks_of(&t->value[op->x]), false), ROUND, i);
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
        bool gather = op->op == OP_FLATTEN, matrix = x->matrix, dense = op->op == OP_DENSE;
        if (!t->value[op->y].needs_grad || (!x->needs_grad && gather))
            continue;
        if (op->op == OP_BATCHNORM && !matrix) {
            struct phase *p = in_phase(t, BY_SHARD, 0, false);
            instruct(t, p, SUMS, i);
            p->finish = i;
        }
        if (dense && op->bf16.on)
            instruct(t, in_phase(t, BY_BLOCKS, blocks_of(&t->value[op->y]), false), ROUND_GRAD, i);
        struct phase *p = matrix ? in_phase(t, BY_BLOCKS, blocks_of(x), dense)
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
        long matrix = (long)blocks_of(v) * t->o.batch * BLOCK;
        v->act_place = take(&t->memory_size, v->matrix ? matrix : v->act.size * t->o.batch);
        v->grad_local = !v->matrix && v->grad_first == v->grad_last;
        if (!v->needs_grad)
            continue;
        if (v->grad_local)
            v->grad_place = take(&t->scratch_size, v->grad.size);
        else
            v->grad_place = take(&t->memory_size, v->matrix ? matrix : v->grad.size * t->o.batch);
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
        if (!t->value[i].matrix && size > spare)
            spare = size;
    }
    struct shape map = t->value[t->output].shape;
    t->map_place = take(&t->scratch_size, t->map.rows ? 2L * map.c * map.h * map.w : 0);
    t->spare = take(&t->scratch_size, spare);
    t->winograd = take(&t->scratch_size, t->winograd_size);
    t->tile = take(&t->scratch_size, TRAIN_SHARDS * 2 * BLOCK * BLOCK);
}

/* n zeroed things of that size; *ok becomes false when memory is short. */
static void *things(struct trainer *t, long n, size_t size, bool *ok)
{
    void *p = pages_take(t->pages, (size_t)n, size);
    *ok = *ok && p;
    return p;
}

static float *floats(struct trainer *t, long n, bool *ok)
{
    return things(t, n, sizeof(float), ok);
}

static int alloc_memory(struct trainer *t, struct err *e)
{
    bool ok = true;
    long images = t->o.batch;
    float **params[] = {&t->w, &t->g, &t->m, t->o.optimizer == OPT_ADAMW ? &t->v : NULL,
                        t->o.ema > 0 ? &t->average : NULL};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++)
        if (params[i])
            *params[i] = floats(t, t->params, &ok);
    float **stats[] = {&t->running_mean, &t->running_var, &t->average_mean, &t->average_var,
                       &t->mean, &t->inverse, &t->a, &t->b, &t->c};
    for (size_t i = 0; i < sizeof stats / sizeof *stats; i++)
        *stats[i] = floats(t, t->stats, &ok);
    t->shard_grad = floats(t, TRAIN_SHARDS * t->sharded, &ok);
    t->back = floats(t, t->back_size, &ok);
    t->transformed = floats(t, t->transformed_size, &ok);
    t->image_sum = floats(t, images * t->stats, &ok);
    t->image_dot = floats(t, images * t->stats, &ok);
    t->memory = floats(t, t->memory_size, &ok);
    t->exchange = floats(t, t->exchange_size, &ok);
    for (int i = 0; i < t->segments; i++)
        t->chunks += (t->segment[i].count + UPDATE_CHUNK - 1) / UPDATE_CHUNK;
    if (t->o.clip > 0)
        t->square = things(t, t->chunks, sizeof *t->square, &ok);
    t->map_loss = things(t, images, sizeof *t->map_loss, &ok);
    t->map_boxes = things(t, images, sizeof *t->map_boxes, &ok);
    t->marks = floats(t, images * t->map.rows * t->map.columns, &ok);
    t->logit_at = things(t, t->classes, sizeof *t->logit_at, &ok);
    t->shard_sum = things(t, 2 * TRAIN_SHARDS * t->stats, sizeof *t->shard_sum, &ok);
    t->stats_sum = things(t, t->stats, sizeof *t->stats_sum, &ok);
    t->stats_square = things(t, t->stats, sizeof *t->stats_square, &ok);
    t->weights16 = things(t, t->weights16_size, sizeof *t->weights16, &ok);
    t->memory16 = things(t, t->memory16_size, sizeof *t->memory16, &ok);
    int threads = threads_count(t->threads);
    t->scratch = things(t, threads, sizeof *t->scratch, &ok);
    t->scratch16 = things(t, threads, sizeof *t->scratch16, &ok);
    for (int i = 0; ok && i < threads; i++) {
        t->scratch[i] = floats(t, t->scratch_size, &ok);
        t->scratch16[i] = things(t, t->scratch16_size, sizeof *t->scratch16[i], &ok);
    }
    return ok ? 0 : err_set(e, "out of memory");
}

int train_plan(struct trainer *t, struct err *e)
{
    long n = t->net->layers;
    bool ok = true;
    struct planner b = {.t = t, .e = e};
    t->value = things(t, 3 * n + 2, sizeof *t->value, &ok);
    t->operation = things(t, 3 * n + 2, sizeof *t->operation, &ok);
    t->segment = things(t, 6 * n, sizeof *t->segment, &ok);
    t->instruction = things(t, 12 * n + 12, sizeof *t->instruction, &ok);
    t->phase = things(t, 12 * n + 12, sizeof *t->phase, &ok);
    if (!ok || graph_init(&b.graph, t->net, false, t->pages))
        return err_set(e, "out of memory");
    if (plan_operations(&b) || plan_params(t, e))
        return -1;
    if (!t->value[t->output].needs_grad)
        return err_set(e, "the network has nothing to train");
    plan_forward(t);
    plan_backward(t);
    place_values(t);
    return alloc_memory(t, e);
}
