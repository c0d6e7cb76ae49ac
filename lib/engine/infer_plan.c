/* The plan of running a network.
 *   in   struct net
 *   out  its program with batch norm folded into weights, weights packed, memory reused by liveness
 * Chosen here: how many images an operation takes at once. */
#include "infer_plan.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CHUNK 64 /* A thread takes at most so many images at once. */
#define MAX_GROUP 8  /* An operation of a group takes at most so many of them. */

/* ---- Parameters ---- */

/* Pack an operation's weights into w, which is zero, and set bias, with the batch norm that is folded in. */
static void pack_params(const struct program *g, const struct operation *op, float *w, float *bias)
{
    const struct packing *p = &op->forward.pack;
    const struct layer *l = &op->layer;
    long each = (long)p->runs * p->run;
    weights_copy(p, l->weight, w, true);
    for (int k = 0; k < p->k; k++) {
        float scale = 1, shift = 0, *of_k = w + k / BLOCK * each * BLOCK + k % BLOCK;
        if (op->fold >= 0)
            net_batchnorm(&g->net->layer[op->fold], k, &scale, &shift);
        for (long i = 0; i < each; i++)
            of_k[i * BLOCK] *= scale;
        bias[k] = scale * (l->bias ? l->bias[k] : 0) + shift;
    }
}

/* Set the parameters of a product. */
static int plan_params(struct infer *p, struct operation *op)
{
    const struct packing *pk = &op->forward.pack;
    struct conv *v = &op->forward.v.conv;
    bool fast = op->forward.way == WINOGRAD;
    long size = fast ? pk->size / 9 * 36 : pk->size, channels = (long)pk->blocks * BLOCK;
    float *direct = fast ? calloc((size_t)pk->size, sizeof *direct) : NULL;
    float *w = pages_take(p->pages, (size_t)(size + 3 * channels), sizeof *w);
    float *bias = w + size, *scale = bias + channels, *shift = scale + channels;
    if (!w || (fast && !direct)) {
        free(direct);
        return -1;
    }
    pack_params(&p->program, op, fast ? direct : w, bias);
    if (fast)
        p->k->winograd_weights((long)pk->blocks * v->runs, (long)pk->blocks * v->runs, direct, w);
    free(direct);
    for (int k = 0; op->post >= 0 && k < pk->k; k++)
        net_batchnorm(&p->program.net->layer[op->post], k, &scale[k], &shift[k]);
    v->w = w;
    v->bias = bias;
    v->relu = op->relu;
    v->scale = op->post < 0 ? NULL : scale;
    v->shift = shift;
    return 0;
}

/* Set what Winograd's convolution does with its sums, and find the room that it needs. */
static void plan_winograd(struct infer *p, struct operation *op)
{
    struct winograd *v = &op->forward.v;
    v->pool = op->halved;
    v->relu_sum = op->relu_sum;
    if (op->x2 >= 0) {
        const struct layout *add = &p->program.value[op->x2].act;
        v->add_image = add->size;
        v->add_block = add->block;
        v->add_row = add->row;
    }
    long scratch = winograd_scratch(v->conv.runs, v->tiles);
    if (p->scratch_size < scratch)
        p->scratch_size = scratch;
}

/* Set the scale and shift of a batch norm that is fused into no product. */
static int plan_affine(struct infer *p, struct operation *op)
{
    const struct value *y = &p->program.value[op->y];
    long channels = (y->matrix ? matrix_blocks(y->shape) : y->act.blocks) * (long)BLOCK;
    op->memory = pages_take(p->pages, 2 * (size_t)channels, sizeof *op->memory);
    for (long k = 0; op->memory && k < op->layer.out.c; k++) {
        long at = y->matrix ? matrix_at(y->shape, k) : k;
        net_batchnorm(&op->layer, k, &op->memory[at], &op->memory[channels + at]);
    }
    return op->memory ? 0 : -1;
}

/* What is moved lies in the scratch in between, in the order C H W. */
static void plan_moved(struct infer *p, const struct operation *op)
{
    long floats = 0;
    for (int j = 0; j < op_inputs(op->op); j++) {
        struct shape s = p->program.value[j ? op->x2 : op->x].shape;
        floats += (long)s.c * s.h * s.w;
    }
    if (p->scratch_size < floats)
        p->scratch_size = floats;
}

static int plan_operation(struct infer *p, struct operation *op)
{
    switch (op->op) {
    case OP_CONV:
    case OP_DENSE:
        if (op->forward.way == WINOGRAD)
            plan_winograd(p, op);
        return plan_params(p, op);
    case OP_BATCHNORM:
        return plan_affine(p, op);
    case OP_RESHAPE:
    case OP_CONCAT:
    case OP_SLICE:
        plan_moved(p, op);
        break;
    default:
        break;
    }
    return 0;
}

/* ---- Phases and memory ---- */

/* Note when each operation runs, and when each value is written first and read last. */
static void find_phases(struct program *g)
{
    enum phase_of phase = OF_IMAGE;
    for (int i = 0; i < g->operations; i++) {
        struct operation *op = &g->operation[i];
        const int used[3] = {op->x, op->x2, op->y};
        if (op->forward.way == WINOGRAD && op->forward.v.count < WINOGRAD_TILES / 2)
            phase = OF_GROUP;
        op->phase = g->value[op->y].matrix && op->op != OP_FLATTEN ? OF_MATRIX : phase;
        if (op->y != op->x)
            g->value[op->y].born = i;
        for (int j = 0; j < 3; j++)
            if (used[j] >= 0)
                g->value[used[j]].last = i;
    }
}

/* Make room for a group of images in the values that operations of groups read and write. Such values must not
 * share memory with values of the operations before, which run again for each image. */
static void size_groups(struct infer *p)
{
    for (int i = 0; i < p->program.operations; i++) {
        const struct operation *op = &p->program.operation[i];
        int used[3] = {op->x, op->x2, op->y};
        for (int j = 0; op->phase == OF_GROUP && j < 3; j++) {
            struct value *v = used[j] < 0 ? NULL : &p->program.value[used[j]];
            if (!v || v->matrix || v->image)
                continue;
            v->image = v->size;
            v->size *= p->group;
            if (used[j] != op->y || op->op == OP_SOFTMAX)
                v->born = 0;
        }
    }
}

/* Place every value in the arena, at the lowest offset that overlaps no value alive at the same time
 * (first fit). Values with a border are alive throughout, since the border is filled once. */
static void place_values(struct infer *p)
{
    struct program *g = &p->program;
    for (int i = 0; i < g->values; i++) {
        struct value *v = &g->value[i];
        if (v->matrix || v->filled || has_border(v->border)) {
            v->born = 0;
            v->last = g->operations;
        }
        bool moved = true;
        while (moved) {
            moved = false;
            for (int j = 0; j < i; j++) {
                struct value *o = &g->value[j];
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
    p->scratch = p->arena_size;
    p->arena_size += p->scratch_size;
}

static int alloc_arenas(struct infer *p)
{
    int n = threads_count(p->threads);
    p->arena = pages_take(p->pages, (size_t)n, sizeof *p->arena);
    p->backward = pages_take(p->pages, (size_t)n, sizeof *p->backward);
    for (int t = 0; p->arena && t < n; t++) {
        p->arena[t] = pages_take(p->pages, (size_t)p->arena_size, sizeof *p->arena[t]);
        if (!p->arena[t])
            return -1;
        program_fill(&p->program, p->arena[t]);
    }
    return p->arena && p->backward ? 0 : -1;
}

static int make_plan(struct infer *p, const struct net *net, struct err *e)
{
    struct program *g = &p->program;
    *g = (struct program){.net = net, .images = p->chunk, .group = p->group, .pages = p->pages, .e = e};
    if (program_make(g))
        return -1;
    p->copied = !g->value[g->output].matrix;
    if (p->copied)
        g->operation[g->operations++] =
            (struct operation){.op = OP_SOFTMAX, .first = net->layers - 1, .last = net->layers - 1,
                               .x = g->output, .x2 = -1, .y = g->output};
    for (int i = 0; i < g->operations; i++)
        if (plan_operation(p, &g->operation[i]))
            return err_set(e, "out of memory");
    find_phases(g);
    size_groups(p);
    place_values(p);
    return alloc_arenas(p) ? err_set(e, "out of memory") : 0;
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
    p->int8 = int8_new(net, p->chunk, threads_count(t), p->pages);
    p->k8 = p->int8 ? kernel8_named(k, NULL) : NULL;
    /* (In floats answers are others, if only a little.) */
    if (!p->int8 && (pages_short(p->pages) ? err_set(e, "out of memory") : make_plan(p, net, e))) {
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
