/* The plan of running a network.
 *   in   struct net
 *   out  steps over values in one arena: batch norm folded, relu, batch norm, pool and sum fused into the
 *        convolution before them, weights packed, memory reused by liveness
 * Chosen here: direct or Winograd's convolution, how many images a step takes at once. */
#include "infer_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHUNK 64 /* A thread takes at most so many images at once. */
#define MAX_GROUP 8  /* A step of a group takes at most so many of them. */

struct planner {
    struct graph graph;
    const struct net *net;
    struct infer *p;
    struct err *e;
};

static int new_value(struct infer *p, bool matrix, struct shape shape, struct border border, bool flat)
{
    struct value *v = &p->value[p->values];
    if (matrix)
        border = (struct border){0};
    *v = (struct value){.matrix = matrix, .shape = shape, .border = border, .born = p->steps,
                        .last = p->steps};
    v->layout = layout_of(shape, border, flat);
    v->size = matrix ? (long)matrix_blocks(shape) * p->chunk * BLOCK : v->layout.size;
    return p->values++;
}

static struct step *new_step(struct infer *p, enum kind kind, int x, int y)
{
    struct step *s = &p->step[p->steps++];
    *s = (struct step){.kind = kind, .x = x, .x2 = -1, .y = y};
    for (struct step *before = s; s->phase == OF_IMAGE && before > p->step; before--)
        if (before[-1].phase == OF_GROUP)
            s->phase = OF_GROUP;
    if (p->value[y].matrix && kind != STEP_MATRIX)
        s->phase = OF_MATRIX;
    p->value[x].last = p->steps - 1;
    return s;
}

/* Plan a copy of value x inside a border of `fill`, which is part of the shape of the result; `outer` is that
 * which its reader needs. Returns the result. */
static int plan_pad(struct planner *b, int x, struct border pad, float fill, struct border outer)
{
    const struct value *v = &b->p->value[x];
    struct shape s = v->shape;
    s.h += pad.top + pad.bottom;
    s.w += pad.left + pad.right;
    int y = new_value(b->p, false, s, outer, v->layout.pixel == 1);
    const struct layout *to = &b->p->value[y].layout;
    struct step *step = new_step(b->p, STEP_PAD, x, y);
    step->fill = fill;
    step->start = to->origin + pad.top * to->row + pad.left * to->pixel;
    b->p->value[y].filled = true;
    return y;
}

/* The value that conv or pool l reads, with a border of `fill` as l needs it; *start becomes the offset of
 * the first window in it. */
static int pad_input(struct planner *b, const struct layer *l, float fill, long *start)
{
    int x = b->graph.value_of[l->in[0]];
    struct border need = layer_border(l);
    const struct value *v = &b->p->value[x];
    *start = 0;
    if (fill == 0 && !memcmp(&v->border, &need, sizeof need))
        return x;
    if (has_border(need))
        return plan_pad(b, x, need, fill, (struct border){0});
    *start = v->layout.origin;
    return x;
}

/* The input of a step over a matrix: a value of images is gathered into one first. */
static int matrix_input(struct planner *b, int layer)
{
    int x = b->graph.value_of[layer];
    if (b->p->value[x].matrix)
        return x;
    int y = new_value(b->p, true, b->p->value[x].shape, (struct border){0}, false);
    new_step(b->p, STEP_MATRIX, x, y);
    return y;
}

/* Allocate weights, bias, scale and shift of a step side by side, zeroed. */
static int alloc_params(struct planner *b, struct step *s, long weights, long channels)
{
    s->memory = pages_take(b->p->pages, (size_t)weights + 3 * (size_t)channels, sizeof *s->memory);
    return s->memory ? 0 : err_set(b->e, "out of memory");
}

/* Pack the weights of layer i into w and set bias, with the batch norm `folded` (or NULL) folded in. */
static int pack_params(struct planner *b, const struct layer *l, const struct packing *p,
                       const struct layer *folded, float *w, float *bias)
{
    long each = p->size ? (long)(p->c / p->groups) * p->r * p->s : 0;
    float *weight = malloc((size_t)(each * p->k + 1) * sizeof *weight);
    if (!weight)
        return err_set(b->e, "out of memory");
    for (int k = 0; k < p->k; k++) {
        float scale = 1, shift = 0;
        if (folded)
            net_batchnorm(folded, k, &scale, &shift);
        for (long i = k * each; i < (k + 1) * each; i++)
            weight[i] = scale * l->weight[i];
        bias[k] = scale * (l->bias ? l->bias[k] : 0) + shift;
    }
    pack(p, weight, w);
    free(weight);
    return 0;
}

/* Layers that look at rows and columns cannot follow a dense layer. */
static int need_image(struct planner *b, int i)
{
    if (b->p->value[b->graph.value_of[b->net->layer[i].in[0]]].matrix)
        return err_set(b->e, "layer %d: %s after a dense layer is not run", i,
                       op_name(b->net->layer[i].op));
    return 0;
}

/* The layers that are fused into a convolution or dense layer: batch norm folded into the weights, relu, a
 * batch norm behind that, a max pool, or a sum and its relu. -1: none. */
struct fused {
    int fold, relu, post, pool, sum, relu_sum;
    int other; /* the value that the sum adds */
    int last; /* the last layer that is covered */
};

/* Extend f over the only reader of its last layer, if that is of this op. Returns that layer, or -1. */
static int fuse(const struct planner *b, struct fused *f, enum op op)
{
    int next = graph_reader(&b->graph, f->last, op);
    if (next >= 0)
        f->last = next;
    return next;
}

static struct fused fused_with(const struct planner *b, int i)
{
    struct fused f = {.last = i, .post = -1, .pool = -1, .sum = -1, .relu_sum = -1, .other = -1};
    f.fold = fuse(b, &f, OP_BATCHNORM);
    f.relu = fuse(b, &f, OP_RELU);
    if (f.relu >= 0)
        f.post = fuse(b, &f, OP_BATCHNORM);
    return f;
}

/* Fuse a max pool that halves rows and columns. */
static void fuse_pool(const struct planner *b, struct fused *f)
{
    int next = graph_reader(&b->graph, f->last, OP_MAXPOOL);
    if (next < 0)
        return;
    const struct layer *l = &b->net->layer[next];
    struct shape in = b->net->layer[l->in[0]].out;
    if (l->r == 2 && l->s == 2 && l->stride_h == 2 && l->stride_w == 2 && l->dilation_h == 1 &&
        l->dilation_w == 1 && !has_border(layer_border(l)) && l->out.h == in.h / 2 &&
        l->out.w == in.w / 2)
        f->pool = f->last = next;
}

/* Fuse a sum with an image that is made by an earlier step. */
static void fuse_sum(const struct planner *b, struct fused *f)
{
    int next = f->pool < 0 ? graph_reader(&b->graph, f->last, OP_ADD) : -1;
    if (next < 0)
        return;
    const struct layer *l = &b->net->layer[next];
    int other = b->graph.value_of[l->in[0]] >= 0 ? b->graph.value_of[l->in[0]] : b->graph.value_of[l->in[1]];
    if (other < 0 || b->p->value[other].matrix || b->p->value[other].shape.c != l->out.c ||
        b->p->value[other].layout.pixel != BLOCK)
        return;
    f->other = other;
    f->sum = f->last = next;
    f->relu_sum = fuse(b, f, OP_RELU);
}

/* Set a step's weights, bias, scale and shift from layer l and what is fused into it. */
static int plan_params(struct planner *b, struct step *s, const struct layer *l,
                       const struct packing *pk, const struct fused *f)
{
    const struct layer *layer = b->net->layer;
    bool fast = s->kind == STEP_WINOGRAD;
    long pairs = (long)pk->blocks * (pk->runs / 9);
    long size = fast ? pk->size / 9 * 36 : pk->size, channels = (long)pk->blocks * BLOCK;
    float *direct = fast ? aligned_alloc(64, (size_t)pk->size * sizeof *direct) : NULL;
    if ((fast && !direct) || alloc_params(b, s, size, channels)) {
        free(direct);
        return err_set(b->e, "out of memory");
    }
    float *w = s->memory, *bias = w + size, *scale = bias + channels, *shift = scale + channels;
    int failed = pack_params(b, l, pk, f->fold < 0 ? NULL : &layer[f->fold], fast ? direct : w, bias);
    if (fast && !failed)
        b->p->k->winograd_weights(pairs, pairs, direct, w);
    free(direct);
    for (int k = 0; f->post >= 0 && k < pk->k; k++)
        net_batchnorm(&layer[f->post], k, &scale[k], &shift[k]);
    s->conv.w = w;
    s->conv.bias = bias;
    s->conv.relu = f->relu >= 0;
    s->conv.scale = f->post < 0 ? NULL : scale;
    s->conv.shift = shift;
    return failed;
}

/* Make the geometry of Winograd's algorithm from that of the direct convolution in s->conv. */
static void plan_winograd(struct infer *p, struct step *s, const struct fused *f, int dilation)
{
    const struct value *x = &p->value[s->x], *y = &p->value[s->y];
    int tiles = winograd_tiles(s->conv.rows, s->conv.pixels, dilation);
    int at_once = tiles * (tiles < WINOGRAD_TILES / 2 ? p->group : 1);
    struct winograd *v = &s->winograd;
    if (tiles < WINOGRAD_TILES / 2)
        s->phase = OF_GROUP;
    s->conv.runs /= 9;
    v->dilation = dilation;
    v->x_block = x->layout.block;
    v->x_image = x->layout.size;
    v->y_image = y->layout.size;
    v->pool = f->pool >= 0;
    v->relu_sum = f->relu_sum >= 0;
    if (f->sum >= 0) {
        const struct layout *add = &p->value[f->other].layout;
        s->x2 = f->other;
        p->value[s->x2].last = p->steps - 1;
        v->add_image = add->size;
        v->add_block = add->block;
        v->add_row = add->row;
    }
    v->tiles = at_once < WINOGRAD_TILES ? at_once : WINOGRAD_TILES;
    for (int i = 0; i < s->conv.runs; i++)
        s->offset[i] = i * v->tiles * BLOCK;
    v->conv = s->conv;
    long scratch = winograd_scratch(s->conv.runs, v->tiles);
    if (p->scratch_size < scratch)
        p->scratch_size = scratch;
}

/* Plan a conv or dense layer with the layers that can be fused into it. Returns the last layer covered, or
 * -1. */
static int plan_conv(struct planner *b, int i)
{
    const struct layer *l = &b->net->layer[i];
    bool dense = l->op == OP_DENSE;
    long start = 0;
    if (!dense && need_image(b, i))
        return -1;
    int x = dense ? matrix_input(b, l->in[0]) : pad_input(b, l, 0, &start);
    struct packing pk = packing_of(l, b->p->value[x].shape);
    struct fused f = fused_with(b, i);
    bool fast = !dense && suits_winograd(l, b->p->value[x].shape.c, l->out.c, l->out.h, l->out.w);
    if (fast) {
        fuse_pool(b, &f);
        fuse_sum(b, &f);
    }
    struct shape out = f.pool < 0 ? l->out : b->net->layer[f.pool].out;
    int y = new_value(b->p, dense, out, graph_border(&b->graph, f.last), false);
    struct step *s = new_step(b->p, fast ? STEP_WINOGRAD : STEP_CONV, x, y);
    s->start = start;
    s->multiplies = (double)pk.k * pk.c / pk.groups * pk.r * pk.s * l->out.h * l->out.w;
    s->offset = pages_take(b->p->pages, (size_t)pk.runs, sizeof *s->offset);
    if (!s->offset)
        return err_set(b->e, "out of memory");
    s->conv = dense ? dense_geometry(&pk, b->p->chunk, s->offset)
                    : conv_geometry(l, &pk, &b->p->value[x].layout, &b->p->value[y].layout, s->offset);
    if (plan_params(b, s, l, &pk, &f))
        return -1;
    if (fast)
        plan_winograd(b->p, s, &f, l->dilation_h);
    b->graph.value_of[f.last] = y;
    return f.last;
}

/* Append a step of layer i, of a model from elsewhere, from value x to value y. */
static int plan_plain(struct planner *b, int i, enum kind kind, int x, int y)
{
    struct layer *l = &new_step(b->p, kind, x, y)->layer;
    *l = b->net->layer[i];
    l->weight = l->bias = l->scale = l->shift = l->mean = l->var = NULL;
    b->graph.value_of[i] = y;
    return i;
}

static int plan_each(struct planner *b, int i, enum kind kind)
{
    int x = b->graph.value_of[b->net->layer[i].in[0]];
    const struct value *v = &b->p->value[x];
    int y = new_value(b->p, v->matrix, v->shape, graph_border(&b->graph, i), false);
    return plan_plain(b, i, kind, x, y);
}

/* Plan a plain step from an image to one of another shape. */
static int plan_image(struct planner *b, int i, enum kind kind)
{
    const struct layer *l = &b->net->layer[i];
    if (need_image(b, i))
        return -1;
    int y = new_value(b->p, false, l->out, graph_border(&b->graph, i), false);
    return plan_plain(b, i, kind, b->graph.value_of[l->in[0]], y);
}

static int plan_pad_layer(struct planner *b, int i)
{
    const struct layer *l = &b->net->layer[i];
    if (need_image(b, i))
        return -1;
    b->graph.value_of[i] = plan_pad(b, b->graph.value_of[l->in[0]], layer_border(l), l->alpha,
                                    graph_border(&b->graph, i));
    return i;
}

/* A list of that many values, in the order C H W. */
static int new_list(struct planner *b, long values)
{
    return new_value(b->p, false, (struct shape){1, 1, (int)values}, (struct border){0}, true);
}

/* Plan OP_RESHAPE, OP_CONCAT or OP_SLICE: out of the blocks of each input into a list, and from there into
 * those of the output. */
static int plan_moved(struct planner *b, int i)
{
    const struct layer *l = &b->net->layer[i];
    const int *value_of = b->graph.value_of;
    struct shape in[2] = {{0}};
    for (int j = 0; j < op_inputs(l->op); j++) {
        in[j] = b->net->layer[l->in[j]].out;
        if (b->p->value[value_of[l->in[j]]].matrix)
            return err_set(b->e, "layer %d: %s after a dense layer is not run", i, op_name(l->op));
    }
    long first = (long)in[0].c * in[0].h * in[0].w, second = (long)in[1].c * in[1].h * in[1].w;
    int list = new_list(b, first + second);
    plan_plain(b, i, STEP_UNBLOCK, value_of[l->in[0]], list);
    if (second) {
        plan_plain(b, i, STEP_UNBLOCK, value_of[l->in[1]], list);
        b->p->step[b->p->steps - 1].start = first;
    }
    plan_plain(b, i, STEP_BLOCK, list, new_value(b->p, false, l->out, graph_border(&b->graph, i), false));
    if (l->op == OP_SLICE)
        b->p->step[b->p->steps - 1].start = (long)l->first * in[0].h * in[0].w;
    return i;
}

static int plan_pool(struct planner *b, int i)
{
    const struct layer *l = &b->net->layer[i];
    if (need_image(b, i))
        return -1;
    if (l->dilation_h != 1 || l->dilation_w != 1 || (l->exclude_pad && has_border(layer_border(l))))
        return plan_image(b, i, STEP_ANYPOOL);
    bool most = l->op == OP_MAXPOOL;
    long start;
    int x = pad_input(b, l, most ? -INFINITY : 0, &start);
    int y = new_value(b->p, false, l->out, graph_border(&b->graph, i), false);
    struct step *s = new_step(b->p, most ? STEP_MAXPOOL : STEP_SUMPOOL, x, y);
    s->start = start;
    s->pool = pool_geometry(l, b->p->value[x].shape);
    s->factor = 1.0f / ((float)s->pool.r * s->pool.s);
    b->graph.value_of[i] = y;
    return i;
}

/* Set the scale and shift of a batch norm that is fused into no convolution. */
static int set_affine(struct planner *b, struct step *s, const struct layer *l)
{
    const struct value *y = &b->p->value[s->y];
    long channels = (y->matrix ? matrix_blocks(y->shape) : y->layout.blocks) * (long)BLOCK;
    if (alloc_params(b, s, 0, channels))
        return -1;
    for (long k = 0; k < l->out.c; k++) {
        long at = y->matrix ? matrix_at(y->shape, k) : k;
        net_batchnorm(l, k, &s->memory[at], &s->memory[channels + at]);
    }
    return 0;
}

/* Plan a relu, a product, or a batch norm or a sum with the relu behind it. */
static int plan_pointwise(struct planner *b, int i, enum kind kind)
{
    const struct layer *l = &b->net->layer[i];
    const struct value *value = b->p->value;
    int x = b->graph.value_of[l->in[0]], x2 = l->in[1] < 0 ? -1 : b->graph.value_of[l->in[1]];
    bool flattened = kind == STEP_AFFINE && l->out.c != value[x].shape.c;
    bool matrix = value[x].matrix || (x2 >= 0 && value[x2].matrix) || flattened;
    if (matrix) {
        x = matrix_input(b, l->in[0]);
        x2 = x2 < 0 ? -1 : matrix_input(b, l->in[1]);
    }
    struct shape shape = value[x].shape;
    if (x2 >= 0 && memcmp(&shape, &value[x2].shape, sizeof shape))
        return err_set(b->e, "layer %d: %s of differently flattened inputs is not run", i, op_name(l->op));
    int relu = kind == STEP_MUL ? -1 : graph_reader(&b->graph, i, OP_RELU), last = relu < 0 ? i : relu;
    int y = new_value(b->p, matrix, shape, graph_border(&b->graph, last), false);
    struct step *s = new_step(b->p, kind, x, y);
    s->x2 = x2;
    s->relu = relu >= 0;
    if (x2 >= 0)
        b->p->value[x2].last = b->p->steps - 1;
    b->graph.value_of[last] = y;
    return kind == STEP_AFFINE && set_affine(b, s, l) ? -1 : last;
}

/* Plan layer i. Returns the last layer that its step covers, or -1. */
static int plan_layer(struct planner *b, int i)
{
    const struct layer *l = &b->net->layer[i];
    switch (l->op) {
    case OP_CONV:
    case OP_DENSE:
        return plan_conv(b, i);
    case OP_MAXPOOL:
    case OP_AVGPOOL:
    case OP_GLOBALPOOL:
        return plan_pool(b, i);
    case OP_BATCHNORM:
        return plan_pointwise(b, i, STEP_AFFINE);
    case OP_RELU:
        return plan_pointwise(b, i, STEP_RELU);
    case OP_ADD:
        return plan_pointwise(b, i, STEP_ADD);
    case OP_MUL:
        return plan_pointwise(b, i, STEP_MUL);
    case OP_DROPOUT:
    case OP_FLATTEN:
        b->graph.value_of[i] = b->graph.value_of[l->in[0]];
        return i;
    case OP_SOFTMAX:
    case OP_BOXES:
        if (i != b->net->layers - 1)
            return err_set(b->e, "layer %d: %s before the end is not run", i, op_name(l->op));
        b->graph.value_of[i] = b->graph.value_of[l->in[0]];
        return i;
    case OP_POINTWISE:
    case OP_QUANTIZE:
        return plan_each(b, i, STEP_EACH);
    case OP_DYNAMIC:
        return plan_each(b, i, STEP_DYNAMIC);
    case OP_PAD:
        return plan_pad_layer(b, i);
    case OP_UPSAMPLE:
    case OP_ZEROSTUFF:
        return plan_image(b, i, STEP_UPSAMPLE);
    case OP_RESHAPE:
    case OP_CONCAT:
    case OP_SLICE:
        return plan_moved(b, i);
    default:
        break;
    }
    return err_set(b->e, "layer %d: %s is not run", i, op_name(l->op));
}

static int plan_layers(struct planner *b)
{
    struct infer *p = b->p;
    const struct net *net = b->net;
    b->graph.value_of[0] = p->input = new_value(p, false, net_input(net), graph_border(&b->graph, 0),
                                                graph_flat_input(&b->graph));
    for (int i = 1; i < net->layers; i++)
        if (b->graph.value_of[i] < 0 && b->graph.uses[i] + (i == net->layers - 1) > 0) {
            bool covered = false; /* a layer in the middle of a fused step has no value */
            for (int j = 0; j < 2; j++) {
                int in = net->layer[i].in[j];
                covered |= in >= 0 && b->graph.value_of[in] < 0;
            }
            if (covered)
                continue;
            int before = p->steps, last = plan_layer(b, i);
            if (last < 0)
                return -1;
            for (int s = before; s < p->steps; s++) {
                p->step[s].first = i;
                p->step[s].last = s < p->steps - 1 ? i - 1 : last;
            }
        }
    p->output = b->graph.value_of[net->layers - 1];
    if (p->value[p->output].matrix) {
        p->value[p->output].last = p->steps;
    } else {
        new_step(p, STEP_LOGITS, p->output, p->output);
        p->output = -1;
    }
    return 0;
}

/* Make room for a group of images in the values that steps of groups read and write. Such values must not
 * share memory with values of the steps before, which run again for each image. */
static void size_groups(struct infer *p)
{
    for (int i = 0; i < p->steps; i++) {
        const struct step *s = &p->step[i];
        int used[3] = {s->x, s->x2, s->y};
        for (int j = 0; s->phase == OF_GROUP && j < 3; j++) {
            struct value *v = used[j] < 0 ? NULL : &p->value[used[j]];
            if (!v || v->matrix || v->image)
                continue;
            v->image = v->size;
            v->size *= p->group;
            if (used[j] != s->y || s->kind == STEP_LOGITS)
                v->born = 0;
        }
    }
}

/* Place every value in the arena, at the lowest offset that overlaps no value alive at the same time
 * (first fit). Values with a border are alive throughout, since the border is filled once. */
static void place_values(struct infer *p)
{
    for (int i = 0; i < p->values; i++) {
        struct value *v = &p->value[i];
        if (v->matrix || v->filled || has_border(v->border)) {
            v->born = 0;
            v->last = p->steps;
        }
        bool moved = true;
        while (moved) {
            moved = false;
            for (int j = 0; j < i; j++) {
                struct value *o = &p->value[j];
                bool alive = o->last >= v->born && o->born <= v->last;
                if (alive && v->place < o->place + o->size && o->place < v->place + v->size) {
                    v->place = o->place + o->size;
                    moved = true;
                }
            }
        }
        if (p->arena_size < v->place + v->size)
            p->arena_size = v->place + v->size;
    }
}

/* Fill what STEP_PAD surrounds pictures with. */
static void fill_borders(const struct infer *p, float *arena)
{
    for (int i = 0; i < p->steps; i++) {
        const struct value *v = &p->value[p->step[i].y];
        const struct layout *l = &v->layout;
        for (long b = 0; p->step[i].kind == STEP_PAD && b < v->size / l->size * l->blocks; b++)
            for (int r = 0; r < l->shape.h; r++) {
                float *row = arena + v->place + b / l->blocks * l->size + b % l->blocks * l->block +
                             l->origin + r * l->row;
                for (long j = 0; j < l->shape.w * l->pixel; j++)
                    row[j] = p->step[i].fill;
            }
    }
}

static int alloc_arenas(struct infer *p, struct err *e)
{
    int n = threads_count(p->threads);
    p->arena = pages_take(p->pages, (size_t)n, sizeof *p->arena);
    for (int t = 0; p->arena && t < n; t++) {
        p->arena[t] = pages_take(p->pages, (size_t)p->arena_size, sizeof *p->arena[t]);
        if (!p->arena[t])
            return err_set(e, "out of memory");
        fill_borders(p, p->arena[t]);
    }
    return p->arena ? 0 : err_set(e, "out of memory");
}

static int order_steps(struct infer *p, struct err *e)
{
    int n = 0;
    p->order = pages_take(p->pages, (size_t)p->steps, sizeof *p->order);
    for (enum phase phase = OF_IMAGE; p->order && phase <= OF_MATRIX; phase++)
        for (int i = 0; i < p->steps; i++)
            if (p->step[i].phase == phase)
                p->order[n++] = i;
    return p->order ? 0 : err_set(e, "out of memory");
}

static int make_plan(struct infer *p, const struct net *net, struct err *e)
{
    size_t n = (size_t)net->layers;
    struct planner b = {.net = net, .p = p, .e = e};
    p->value = pages_take(p->pages, 3 * n + 3, sizeof *p->value);
    p->step = pages_take(p->pages, 3 * n + 3, sizeof *p->step);
    if (!p->value || !p->step || graph_init(&b.graph, net, true, p->pages))
        return err_set(e, "out of memory");
    if (plan_layers(&b))
        return -1;
    size_groups(p);
    place_values(p);
    p->scratch = p->arena_size;
    p->arena_size += p->scratch_size;
    return order_steps(p, e) ? -1 : alloc_arenas(p, e);
}

struct infer *infer_new(const struct net *net, int batch, struct threads *t,
                        const struct kernels *k, struct err *e)
{
    struct infer *p = calloc(1, sizeof *p);
    if (!p || !(p->pages = pages_new())) {
        free(p);
        err_set(e, "out of memory");
        return NULL;
    }
    p->k = k;
    p->threads = t;
    int share = (batch + threads_count(t) - 1) / threads_count(t);
    p->chunk = share < MAX_CHUNK ? share : MAX_CHUNK;
    if (p->chunk > NET_MAX_TOTAL / net_floats(net))
        p->chunk = (int)(NET_MAX_TOTAL / net_floats(net));
    p->group = p->chunk < MAX_GROUP ? p->chunk : MAX_GROUP;
    p->outputs = net_outputs(net);
    p->input_size = (long)net_input(net).c * net_input(net).h * net_input(net).w;
    p->int8 = int8_new(net, p->chunk, threads_count(t), kernel8_best(k), p->pages);
    if (!p->int8 && make_plan(p, net, e)) {
        infer_free(p);
        return NULL;
    }
    return p;
}

void infer_free(struct infer *p)
{
    if (!p)
        return;
    pages_free(p->pages);
    free(p);
}
