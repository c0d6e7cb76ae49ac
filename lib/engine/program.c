/* A network as a program.
 *   in   struct net, whether it is to be run or trained
 *   out  values and operations: relu, batch norm, pool and sum fused into what is before them, copies with
 *        padding where a reader needs it, direct or Winograd's algorithm for each product */
#include "program.h"

#include <math.h>
#include <string.h>

/* ---- The graph ---- */

static int read_graph(struct program *p)
{
    const struct net *net = p->net;
    size_t n = (size_t)net->layers;
    p->uses = pages_take(p->pages, n, sizeof *p->uses);
    p->reader = pages_take(p->pages, n, sizeof *p->reader);
    p->value_of = pages_take(p->pages, n, sizeof *p->value_of);
    p->value = pages_take(p->pages, 3 * n + 3, sizeof *p->value);
    p->operation = pages_take(p->pages, 3 * n + 3, sizeof *p->operation);
    if (!p->uses || !p->reader || !p->value_of || !p->value || !p->operation)
        return err_set(p->e, "out of memory");
    for (int i = 0; i < net->layers; i++) {
        p->value_of[i] = -1;
        for (int j = 0; j < 2; j++) {
            int from = net->layer[i].in[j];
            if (from >= 0) {
                p->uses[from]++;
                p->reader[from] = i;
            }
        }
    }
    return 0;
}

/* The only reader of layer i, if it is of this op; -1 otherwise. */
static int reader_of(const struct program *p, int i, enum op op)
{
    enum op skipped = p->bytes && op == OP_CONV ? OP_QUANTIZE : OP_DROPOUT, next;
    do {
        if (p->uses[i] != 1)
            return -1;
        i = p->reader[i];
        next = p->net->layer[i].op;
    } while (!p->training && (next == OP_DROPOUT || next == skipped));
    return next == op ? i : -1;
}

bool has_border(struct border b)
{
    return b.top || b.left || b.bottom || b.right;
}

/* The border that layer i's output is written with: the padding of the first convolution with padding that
 * reads it. Others with padding copy the value. */
static struct border border_of(const struct program *p, int i)
{
    struct border b = {0};
    int reader = reader_of(p, i, OP_CONV); /* behind a dropout, perhaps */
    for (int j = i + 1; j < p->net->layers && !has_border(b); j++) {
        const struct layer *l = &p->net->layer[j];
        if (j == reader || (l->op == OP_CONV && l->in[0] == i))
            b = layer_border(l);
    }
    return b;
}

/* Whether the input of one channel is read by convolutions alone, so that it needs no blocks; training, by
 * one. */
static bool is_flat_input(const struct program *p)
{
    bool flat = net_input(p->net).c == 1 && (!p->training || p->uses[0] == 1);
    for (int i = 1; i < p->net->layers; i++)
        for (int j = 0; j < 2; j++)
            if (p->net->layer[i].in[j] == 0 && p->net->layer[i].op != OP_CONV)
                flat = false;
    return flat;
}

static int refuse(const struct program *p, int i, const char *why)
{
    return err_set(p->e, "layer %d: %s%s %s", i, op_name(p->net->layer[i].op), why,
                   p->training ? "cannot be trained" : "is not run");
}

/* ---- Values and operations ---- */

static int new_value(struct program *p, bool matrix, struct shape shape, struct border border, bool flat)
{
    struct value *v = &p->value[p->values];
    if (matrix)
        border = (struct border){0};
    *v = (struct value){.matrix = matrix, .shape = shape, .border = border, .grad_first = -1, .grad_last = -1};
    v->act = layout_of(shape, border, flat);
    v->grad = layout_of(shape, (struct border){0}, false);
    v->size = matrix ? (long)matrix_blocks(shape) * p->images * BLOCK : v->act.size;
    return p->values++;
}

/* Append an operation of layer i that reads x; its output is yet to be made. */
static struct operation *new_operation(struct program *p, enum op op, int i, int x)
{
    struct operation *o = &p->operation[p->operations++];
    *o = (struct operation){.op = op, .first = i, .last = i, .layer = p->net->layer[i], .x = x, .x2 = -1,
                            .fold = -1, .post = -1};
    return o;
}

/* Make the output of an operation. Returns its index. */
static int new_output(struct program *p, struct operation *o, bool matrix, struct shape shape,
                      struct border border, bool flat)
{
    o->y = new_value(p, matrix, shape, border, flat);
    p->value[o->y].needs_grad = o->op == OP_CONV || o->op == OP_DENSE || o->op == OP_BATCHNORM ||
                                p->value[o->x].needs_grad || (o->x2 >= 0 && p->value[o->x2].needs_grad);
    return o->y;
}

/* Make it, and the output of the layers covered too. Returns the last one. */
static int cover(struct program *p, struct operation *o, bool matrix, struct shape shape)
{
    p->value_of[o->last] = new_output(p, o, matrix, shape, border_of(p, o->last), false);
    return o->last;
}

/* A copy of value x inside a border of `fill`; `outer` is that which its reader needs. */
static int padded(struct program *p, int i, int x, float fill, struct border outer)
{
    struct operation *o = new_operation(p, OP_INPUT, i, x);
    struct shape s = p->value[x].shape;
    o->pad = layer_border(&o->layer);
    o->fill = fill;
    s.h += o->pad.top + o->pad.bottom;
    s.w += o->pad.left + o->pad.right;
    struct value *y = &p->value[new_output(p, o, false, s, outer, p->value[x].act.pixel == 1)];
    const struct layout *to = &y->act;
    y->filled = true;
    o->start = to->origin + o->pad.top * to->row + o->pad.left * to->pixel;
    return o->y;
}

int program_gather(struct program *p, int layer)
{
    int x = p->value_of[layer];
    if (p->value[x].matrix)
        return x;
    struct operation *o = new_operation(p, OP_FLATTEN, layer, x);
    return new_output(p, o, true, p->value[x].shape, (struct border){0}, false);
}

/* Layers that look at rows and columns cannot follow a dense layer. */
static int need_image(const struct program *p, int i)
{
    for (int j = 0; j < op_inputs(p->net->layer[i].op); j++)
        if (p->value[p->value_of[p->net->layer[i].in[j]]].matrix)
            return refuse(p, i, " after a dense layer");
    return 0;
}

/* ---- Fusing ---- */

/* Extend o over the only reader of its last layer, if that is of this op. Returns that layer, or -1. */
static int fuse(const struct program *p, struct operation *o, enum op op)
{
    int next = reader_of(p, o->last, op);
    if (next >= 0)
        o->last = next;
    return next;
}

/* What is behind a product: running, batch norm, relu and batch norm, or, in bytes, relu alone; training, a
 * relu: of a dense layer only where a batch norm follows, which masks the gradient. */
static void fuse_norms(const struct program *p, struct operation *o)
{
    if (p->bytes) {
        o->relu = fuse(p, o, OP_RELU) >= 0;
        return;
    }
    if (!p->training) {
        o->fold = fuse(p, o, OP_BATCHNORM);
        o->relu = fuse(p, o, OP_RELU) >= 0;
        o->post = o->relu ? fuse(p, o, OP_BATCHNORM) : -1;
        return;
    }
    int relu = reader_of(p, o->last, OP_RELU);
    o->rectified = relu >= 0 && reader_of(p, relu, OP_BATCHNORM) >= 0;
    o->relu = relu >= 0 && (o->op == OP_CONV || o->rectified);
    o->last = o->relu ? relu : o->last;
}

/* Fuse a max pool that halves rows and columns into Winograd's convolution. */
static void fuse_pool(const struct program *p, struct operation *o)
{
    int next = reader_of(p, o->last, OP_MAXPOOL);
    if (next < 0)
        return;
    const struct layer *l = &p->net->layer[next];
    struct shape in = p->net->layer[l->in[0]].out;
    o->halved = l->r == 2 && l->s == 2 && l->stride_h == 2 && l->stride_w == 2 && !pool_is_plain(l) &&
                !has_border(layer_border(l)) && l->out.h == in.h / 2 && l->out.w == in.w / 2;
    o->last = o->halved ? next : o->last;
}

/* Fuse a sum with an image that is made by an earlier operation into it. */
static void fuse_sum(const struct program *p, struct operation *o)
{
    int next = o->halved ? -1 : reader_of(p, o->last, OP_ADD);
    if (next < 0)
        return;
    const int *in = p->net->layer[next].in;
    int other = p->value_of[in[0]] >= 0 ? p->value_of[in[0]] : p->value_of[in[1]];
    if (other < 0 || p->value[other].matrix || p->value[other].shape.c != o->layer.out.c ||
        p->value[other].act.pixel != BLOCK)
        return;
    o->x2 = other;
    o->last = next;
    o->relu_sum = !p->bytes && fuse(p, o, OP_RELU) >= 0;
}

/* ---- Products ---- */

struct conv conv_geometry(const struct layer *l, int blocks, int channels, const struct layout *x,
                          const struct layout *y, int *offset)
{
    bool row = x->blocks == 1 && x->pixel == channels && l->dilation_w == 1; /* its taps lie side by side: one run */
    int across = row ? 1 : l->s, runs = 0;
    for (int b = 0; b < x->blocks; b++)
        for (int r = 0; r < l->r; r++)
            for (int s = 0; s < across; s++)
                offset[runs++] = (int)(b * x->block + r * l->dilation_h * x->row + s * l->dilation_w * x->pixel);
    return (struct conv){.blocks = blocks, .rows = l->out.h, .pixels = l->out.w, .runs = runs,
                         .run = l->s / across * channels, .offset = offset, .x_row = l->stride_h * x->row,
                         .x_pixel = l->stride_w * x->pixel, .y_block = y->block, .y_row = y->row};
}

static struct conv dense_geometry(const struct product *p, int images, int *offset)
{
    struct conv v = {.blocks = p->pack.blocks, .rows = 1, .runs = p->pack.runs, .run = p->pack.run,
                     .offset = offset, .x_pixel = BLOCK, .y_block = (long)images * BLOCK};
    if (p->way == BF16) { /* of rows, a cache line apart so that images lie in different sets of the cache */
        v.run *= v.runs;
        v.runs = 1;
        v.x_pixel = v.run + 32;
    }
    for (int i = 0; i < v.runs; i++)
        offset[i] = i * images * BLOCK;
    return v;
}

/* How many tiles go through Winograd's algorithm at once: those of several images of `tiles` each where they
 * are few, or an equal part of an image. */
static int tiles_at_once(int tiles, int group)
{
    int parts = (tiles + WINOGRAD_TILES - 1) / WINOGRAD_TILES, images = WINOGRAD_TILES / tiles;
    if (images < 2)
        return (tiles + parts - 1) / parts;
    return tiles * (images < group ? images : group);
}

int product_plan(const struct program *g, struct product *p, const struct layer *l, const struct layout *x,
                 const struct layout *y)
{
    struct winograd *v = &p->v;
    struct layout copy = layout_by_pixel(x);
    int *offset = pages_take(g->pages, (size_t)p->pack.runs, sizeof *offset);
    if (!offset)
        return -1;
    if (l->op == OP_DENSE)
        v->conv = dense_geometry(p, g->images, offset);
    else if (p->way == BF16)
        v->conv = conv_geometry(l, p->pack.blocks, (int)copy.pixel, &copy, y, offset);
    else
        v->conv = conv_geometry(l, p->pack.blocks, p->pack.run, x, y, offset);
    if (p->way == BF16 || !suits_winograd(l, p->pack.c, p->pack.k, l->out.h, l->out.w))
        return 0;
    p->way = WINOGRAD;
    v->dilation = l->dilation_h;
    v->count = winograd_tiles(l->out.h, l->out.w, v->dilation);
    v->tiles = tiles_at_once(v->count, g->group);
    v->x_block = x->block;
    v->x_image = x->size;
    v->y_image = y->size;
    v->conv.runs = x->blocks;
    for (int i = 0; i < v->conv.runs; i++)
        offset[i] = i * v->tiles * BLOCK;
    return 0;
}

void product_run(const struct kernels *k, enum way way, const struct winograd *v, const float *x, float *y)
{
    if (way == WINOGRAD)
        k->winograd(v, x, y);
    else
        k->conv(&v->conv, x, y);
}

/* Whether a convolution can be trained whose padding, which is not part of x's shape, is pad. */
static int check_conv(const struct program *p, int i, struct border pad)
{
    const struct layer *l = &p->net->layer[i];
    int reach_h = (l->r - 1) * l->dilation_h, reach_w = (l->s - 1) * l->dilation_w;
    if (pad.top > reach_h || pad.bottom > reach_h || pad.left > reach_w || pad.right > reach_w)
        return err_set(p->e, "layer %d: padding as large as the kernel cannot be trained", i);
    return l->groups == 1 ? 0 : err_set(p->e, "layer %d: convolutions in groups cannot be trained", i);
}

/* Whether a product can be done in bf16. */
static bool suits_bf16(const struct program *p, const struct operation *o)
{
    const struct layer *l = &o->layer;
    return p->bf16 && o->forward.pack.run == BLOCK && l->stride_h == 1 && l->stride_w == 1 && !o->start;
}

/* Plan a conv or dense layer with the layers that can be fused into it. */
static int plan_product(struct program *p, int i)
{
    const struct layer *l = &p->net->layer[i];
    bool conv = l->op == OP_CONV;
    struct border pad = conv ? layer_border(l) : (struct border){0};
    if (conv && need_image(p, i))
        return -1;
    int x = conv ? p->value_of[l->in[0]] : program_gather(p, l->in[0]);
    if (has_border(pad) && memcmp(&p->value[x].border, &pad, sizeof pad)) {
        x = padded(p, i, x, 0, (struct border){0});
        pad = (struct border){0};
    }
    if (conv && p->training && check_conv(p, i, pad))
        return -1;
    struct operation *o = new_operation(p, l->op, i, x);
    o->pad = pad;
    o->start = has_border(pad) ? 0 : p->value[x].act.origin;
    o->forward.pack = packing_of(l, p->value[x].shape);
    bool fast = suits_winograd(l, p->value[x].shape.c, l->out.c, l->out.h, l->out.w);
    if (suits_bf16(p, o) && (!fast || p->bf16->beats_winograd))
        o->forward.way = BF16;
    fuse_norms(p, o);
    if (p->bytes && conv)
        fuse_sum(p, o);
    if (p->bytes)
        fuse(p, o, OP_QUANTIZE);
    else if (!p->training && fast) {
        fuse_pool(p, o);
        fuse_sum(p, o);
    }
    cover(p, o, !conv, o->halved ? p->net->layer[o->last].out : l->out);
    if (product_plan(p, &o->forward, l, &p->value[x].act, &p->value[o->y].act))
        return err_set(p->e, "out of memory");
    return o->last;
}

/* ---- The others ---- */

bool pool_is_plain(const struct layer *l)
{
    return l->dilation_h != 1 || l->dilation_w != 1 || (l->exclude_pad && has_border(layer_border(l)));
}

static int plan_pool(struct program *p, int i)
{
    const struct layer *l = &p->net->layer[i];
    bool plain = pool_is_plain(l), all = l->op == OP_GLOBALPOOL;
    if (need_image(p, i))
        return -1;
    if (plain && p->training)
        return err_set(p->e, "layer %d: average pooling that leaves out the padding cannot be trained", i);
    int x = p->value_of[l->in[0]];
    if (!plain && has_border(layer_border(l)))
        x = padded(p, i, x, l->op == OP_MAXPOOL ? -INFINITY : 0, (struct border){0});
    struct operation *o = new_operation(p, l->op, i, x);
    struct shape in = p->value[x].shape;
    o->pool = (struct pool){all ? in.h : l->r, all ? in.w : l->s, l->stride_h, l->stride_w};
    o->factor = 1.0f / ((float)o->pool.r * o->pool.s);
    if (p->bytes && l->op != OP_MAXPOOL)
        fuse(p, o, OP_QUANTIZE);
    return cover(p, o, false, l->out);
}

/* Plan a layer whose output has the shape of its inputs, a batch norm or, running, a sum with the relu behind
 * it. */
static int plan_pointwise(struct program *p, int i)
{
    const struct layer *l = &p->net->layer[i];
    int x = p->value_of[l->in[0]], x2 = l->in[1] < 0 ? -1 : p->value_of[l->in[1]];
    bool flattened = l->op == OP_BATCHNORM && l->out.c != p->value[x].shape.c;
    bool matrix = p->value[x].matrix || (x2 >= 0 && p->value[x2].matrix) || flattened;
    if (matrix) {
        x = program_gather(p, l->in[0]);
        x2 = x2 < 0 ? -1 : program_gather(p, l->in[1]);
    }
    struct shape shape = p->value[x].shape;
    if (x2 >= 0 && memcmp(&shape, &p->value[x2].shape, sizeof shape))
        return refuse(p, i, " of differently flattened inputs");
    struct operation *o = new_operation(p, l->op, i, x);
    o->x2 = x2;
    if (l->op == OP_BATCHNORM || (l->op == OP_ADD && !p->training))
        o->relu = fuse(p, o, OP_RELU) >= 0;
    for (const struct operation *from = p->operation; l->op == OP_BATCHNORM && from < o; from++)
        if (from->y == x && from->op != OP_BATCHNORM)
            o->rectified = from->rectified;
    return cover(p, o, matrix, shape);
}

/* Plan a layer from images to one of its own shape. */
static int plan_image(struct program *p, int i)
{
    const struct layer *l = &p->net->layer[i];
    if (need_image(p, i))
        return -1;
    struct operation *o = new_operation(p, l->op, i, p->value_of[l->in[0]]);
    o->x2 = op_inputs(l->op) < 2 ? -1 : p->value_of[l->in[1]];
    return cover(p, o, false, l->out);
}

/* Plan layer i. Returns the last layer that its operation covers, or -1. */
static int plan_layer(struct program *p, int i)
{
    const struct layer *l = &p->net->layer[i];
    bool last = i == p->net->layers - 1;
    if (p->training && l->op > OP_BOXES)
        return refuse(p, i, "");
    switch (l->op) {
    case OP_CONV:
    case OP_DENSE:
        return plan_product(p, i);
    case OP_MAXPOOL:
    case OP_AVGPOOL:
    case OP_GLOBALPOOL:
        return plan_pool(p, i);
    case OP_SOFTMAX:
    case OP_BOXES:
        if (!last)
            return refuse(p, i, " before the end");
        break;
    case OP_FLATTEN:
        break;
    case OP_DROPOUT:
        if (p->training)
            return plan_pointwise(p, i);
        break;
    case OP_PAD:
        if (need_image(p, i))
            return -1;
        p->value_of[i] = padded(p, i, p->value_of[l->in[0]], l->alpha, border_of(p, i));
        return i;
    case OP_RESHAPE:
        if (p->bytes && l->out.h * l->out.w == 1)
            break;
        return plan_image(p, i);
    case OP_UPSAMPLE:
    case OP_ZEROSTUFF:
    case OP_CONCAT:
    case OP_SLICE:
        return plan_image(p, i);
    default:
        return plan_pointwise(p, i);
    }
    p->value_of[i] = p->value_of[l->in[0]];
    return i;
}

/* Whether layer i is to be planned now: it is neither covered nor in the middle of what an operation covers. */
static bool is_open(const struct program *p, int i)
{
    const int *in = p->net->layer[i].in;
    return p->value_of[i] < 0 && p->value_of[in[0]] >= 0 && (in[1] < 0 || p->value_of[in[1]] >= 0);
}

int program_make(struct program *p)
{
    const struct net *net = p->net;
    if (read_graph(p))
        return -1;
    p->value_of[0] = p->input = new_value(p, false, net_input(net), border_of(p, 0), is_flat_input(p));
    for (int i = 1; i < net->layers; i++) {
        bool used = p->uses[i] || i == net->layers - 1;
        if (!used && p->training)
            return err_set(p->e, "layer %d: its output is not used", i);
        if (!used || !is_open(p, i))
            continue;
        int before = p->operations, last = plan_layer(p, i);
        if (last < 0)
            return -1;
        for (int o = before; o < p->operations; o++) {
            p->operation[o].first = i;
            p->operation[o].last = o < p->operations - 1 ? i - 1 : last;
        }
    }
    p->output = p->value_of[net->layers - 1];
    return 0;
}

/* ---- Running ---- */

void operation_run(const struct kernels *k, const struct operation *op, struct view x, struct view x2,
                   struct view y)
{
    if (op->op == OP_RELU)
        k->relu(x, x, y);
    else if (op->op == OP_ADD)
        k->add(x, x2, op->relu, y);
    else if (op->op == OP_MAXPOOL)
        k->maxpool(&op->pool, x, y);
    else
        k->sumpool(&op->pool, op->factor, x, y);
}

struct view layout_view(const struct layout *l, float *base)
{
    return (struct view){base + l->origin, l->blocks, l->shape.h, l->shape.w, l->row, l->block};
}

void pad_image(const struct operation *op, const struct layout *x, const float *from, const struct layout *y,
               float *to)
{
    size_t bytes = (size_t)(x->shape.w * x->pixel) * sizeof *to;
    for (int b = 0; b < x->blocks; b++)
        for (int r = 0; r < x->shape.h; r++)
            memcpy(to + op->start + b * y->block + r * y->row, from + x->origin + b * x->block + r * x->row,
                   bytes);
}

void program_fill(const struct program *p, float *memory)
{
    for (int i = 0; i < p->operations; i++) {
        const struct operation *o = &p->operation[i];
        const struct value *v = &p->value[o->y];
        const struct layout *l = &v->act;
        for (long b = 0; o->op == OP_INPUT && b < v->size / l->size * l->blocks; b++)
            for (int r = 0; r < l->shape.h; r++)
                for (long j = 0; j < l->shape.w * l->pixel; j++)
                    memory[v->place + b / l->blocks * l->size + b % l->blocks * l->block + l->origin +
                           r * l->row + j] = o->fill;
    }
}
