/* Running a network.
 *   in   struct net; images
 *   out  a plan, the net's program with batch norm folded into weights, weights packed, memory reused by liveness;
 *        logits
 * The program runs over one arena a thread. Convolutions and pools of large pictures run image by image, so that an
 * image stays in the cache from layer to layer. Where pictures have become so small that one does not fill Winograd's
 * convolution, operations run over a group of images; from the first dense layer on over all images of a chunk (a
 * matrix), so that a weight read from memory serves them all. */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MAX_CHUNK 64 /* A thread takes at most so many images at once. */
#define MAX_GROUP 8  /* An operation of a group takes at most so many of them. */

struct infer {
    const struct kernels *k;
    struct threads *threads;
    struct program program;
    int chunk, group; /* images at once, at most: a thread's, a group's */
    int outputs;
    bool copied;      /* the last operation copies the logits out; else the output is a matrix */
    long input_size;  /* floats an image */
    long arena_size;  /* floats a thread */
    long scratch, scratch_size; /* of an operation at work, in the arena */
    struct pages *pages; /* all memory of the plan */
    float **arena;      /* [threads] */
    bool *backward;     /* [threads] whether the next chunk's dense layers read weights from the end (run_dense) */
    struct infer_step *profile; /* [operations]; NULL: not measured */
    struct int8 *int8;  /* runs instead of the program; NULL: none, floats */
    const struct kernels8 *k8; /* its kernels */
};

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
    if (!w || (fast && !direct)) {
        free(direct);
        return -1;
    }
    float *bias = w + size, *scale = bias + channels, *shift = scale + channels;
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

/* ---- Running it ---- */

/* The address of value v of image i of a group. */
static float *value_at(const struct infer *p, float *arena, int v, int i)
{
    return arena + p->program.value[v].place + i * p->program.value[v].image;
}

/* The pixels of a value whose memory is x: of an image inside its border, or of n images of a matrix. */
static struct view view_of(const struct infer *p, int value, float *x, int n)
{
    const struct value *v = &p->program.value[value];
    if (v->matrix)
        return (struct view){x, matrix_blocks(v->shape), 1, n, 0, (long)p->chunk * BLOCK};
    return layout_view(&v->act, x);
}

/* What operations are run on. */
struct run {
    float *arena, *scratch;
    float *logits;  /* of the chunk's images */
    bool backward;  /* dense layers read their weights from the end */
    int image, row; /* the image of its group, and of its chunk */
    int n;          /* images at once: of Winograd's convolution, and where the output is a matrix */
};

/* A dense layer goes through its blocks of output channels two by two, in every other run backward: of
 * weights that do not fit the cache, the last ones read are still there. */
static void run_dense(const struct infer *p, const struct operation *op, const struct run *r, const float *x,
                      float *y)
{
    int pairs = (op->forward.v.conv.blocks + 1) / 2;
    for (int i = 0; i < pairs; i++) {
        struct conv v = op->forward.v.conv;
        int b = 2 * (r->backward ? pairs - 1 - i : i);
        v.blocks = v.blocks - b < 2 ? 1 : 2;
        v.pixels = r->n;
        v.w += (long)b * v.runs * v.run * BLOCK;
        v.bias += b * BLOCK;
        v.scale = v.scale ? v.scale + b * BLOCK : NULL;
        v.shift += b * BLOCK;
        p->k->conv(&v, x, y + b * v.y_block);
    }
}

static void run_conv(const struct infer *p, const struct operation *op, const struct run *r, const float *x,
                     const float *x2, float *y)
{
    struct winograd v = op->forward.v;
    v.count *= r->n;
    v.scratch = r->scratch;
    v.add = x2 ? x2 + p->program.value[op->x2].act.origin : NULL;
    product_run(p->k, op->forward.way, &v, x + op->start, y + p->program.value[op->y].act.origin);
}

/* Run OP_RESHAPE, OP_CONCAT or OP_SLICE: out of the blocks of each input into a list in the order C H W, and
 * from there into those of the output. */
static void run_moved(const struct infer *p, const struct operation *op, const float *x, const float *x2,
                      float *list, float *y)
{
    const struct value *value = p->program.value;
    struct shape s = value[op->x].shape;
    layout_get(&value[op->x].act, x, list);
    if (x2)
        layout_get(&value[op->x2].act, x2, list + (long)s.c * s.h * s.w);
    memset(y, 0, (size_t)value[op->y].act.size * sizeof *y);
    layout_put(&value[op->y].act, list + (op->op == OP_SLICE ? (long)op->layer.first * s.h * s.w : 0), y);
}

static void run_operation(const struct infer *p, const struct operation *op, const struct run *r)
{
    const struct value *from = &p->program.value[op->x], *to = &p->program.value[op->y];
    float *x = value_at(p, r->arena, op->x, r->image), *y = value_at(p, r->arena, op->y, r->image);
    float *x2 = op->x2 < 0 ? NULL : value_at(p, r->arena, op->x2, r->image);
    struct view xv = view_of(p, op->x, x, r->n), yv = view_of(p, op->y, y, r->n);
    struct view x2v = x2 ? view_of(p, op->x2, x2, r->n) : xv;
    switch (op->op) {
    case OP_CONV:
        run_conv(p, op, r, x, x2, y);
        break;
    case OP_DENSE:
        run_dense(p, op, r, x, y);
        break;
    case OP_BATCHNORM:
        p->k->affine(xv, op->memory, op->memory + yv.blocks * BLOCK, op->relu, yv);
        break;
    case OP_RELU:
    case OP_ADD:
    case OP_MAXPOOL:
    case OP_AVGPOOL:
    case OP_GLOBALPOOL:
        if (pool_is_plain(&op->layer))
            plain_pool(&op->layer, xv, yv);
        else
            operation_run(p->k, op, xv, x2v, yv);
        break;
    case OP_INPUT:
        pad_image(op, &from->act, x, &to->act, y);
        break;
    case OP_FLATTEN:
        matrix_copy(&from->act, x, y, p->chunk, r->row, true);
        break;
    case OP_SOFTMAX:
        layout_get(&from->act, x, r->logits + (long)r->row * p->outputs);
        break;
    case OP_RESHAPE:
    case OP_CONCAT:
    case OP_SLICE:
        run_moved(p, op, x, x2, r->scratch, y);
        break;
    case OP_MUL:
        plain_mul(xv, x2v, yv);
        break;
    case OP_DYNAMIC:
        plain_dynamic(from, xv, yv);
        break;
    case OP_UPSAMPLE:
    case OP_ZEROSTUFF:
        plain_upsample(&op->layer, xv, yv);
        break;
    default:
        plain_each(&op->layer, to, xv, yv);
    }
}

static void measure(const struct infer *p, int i, const struct run *r)
{
    double start = p->profile ? clock_now() : 0;
    run_operation(p, &p->program.operation[i], r);
    if (p->profile)
        p->profile[i].seconds += clock_now() - start;
}

static void run_phase(const struct infer *p, enum phase_of phase, const struct run *r)
{
    for (int i = 0; i < p->program.operations; i++)
        if (p->program.operation[i].phase == phase)
            measure(p, i, r);
}

/* Run the first two phases on a group of n images of the chunk, from `first` on. */
static void run_group(const struct infer *p, const float *x, struct run *r, int first, int n)
{
    const struct program *g = &p->program;
    for (int i = 0; i < n; i++) {
        r->image = i;
        r->row = first + i;
        r->n = 1;
        layout_put(&g->value[g->input].act, x + (first + i) * p->input_size,
                   value_at(p, r->arena, g->input, i));
        run_phase(p, OF_IMAGE, r);
    }
    for (int i = 0; i < g->operations; i++) {
        bool at_once = g->operation[i].forward.way == WINOGRAD;
        int times = g->operation[i].phase != OF_GROUP ? 0 : at_once ? 1 : n;
        r->n = at_once ? n : 1;
        for (r->image = 0; r->image < times; r->image++) {
            r->row = first + r->image;
            measure(p, i, r);
        }
    }
    r->image = 0;
}

/* Copy the logits of the n images of a chunk out of a matrix. */
static void take_logits(const struct infer *p, const float *arena, int n, float *logits)
{
    const struct value *out = &p->program.value[p->program.output];
    for (int i = 0; i < n && !p->copied; i++)
        for (long k = 0; k < p->outputs; k++) {
            long at = matrix_at(out->shape, k);
            *logits++ = arena[out->place + (at / BLOCK * p->chunk + i) * BLOCK + at % BLOCK];
        }
}

/* Run the plan on a chunk of images. */
static void run_chunk(const struct infer *p, int thread, const float *x, int n, float *logits)
{
    if (p->int8) {
        int8_run(p->int8, p->k8, thread, x, n, logits);
        return;
    }
    float *arena = p->arena[thread];
    struct run r = {.arena = arena, .scratch = arena + p->scratch, .logits = logits,
                    .backward = p->backward[thread]};
    p->backward[thread] = !r.backward;
    for (int i = 0; i < n; i += p->group)
        run_group(p, x, &r, i, n - i < p->group ? n - i : p->group);
    r.n = n;
    run_phase(p, OF_MATRIX, &r);
    take_logits(p, arena, n, logits);
}

const struct infer_step *infer_profile(struct infer *p, int *count)
{
    *count = p->program.operations;
    if (!p->profile && *count)
        p->profile = pages_take(p->pages, (size_t)*count, sizeof *p->profile);
    for (int i = 0; p->profile && i < *count; i++) {
        const struct operation *op = &p->program.operation[i];
        const struct packing *pk = &op->forward.pack;
        double multiplies = pk->size ? (double)pk->k * pk->c / pk->groups * pk->r * pk->s : 0;
        p->profile[i] = (struct infer_step){op->first, op->last, op->forward.way == WINOGRAD,
                                            multiplies * op->layer.out.h * op->layer.out.w, 0};
    }
    return p->profile;
}

const struct kernels8 *infer_int8(const struct infer *p)
{
    return p->k8;
}

void infer_set_int8(struct infer *p, const struct kernels8 *k)
{
    p->k8 = p->int8 ? k : NULL;
}

void infer_run_on(struct infer *p, int thread, const float *x, int n, float *logits)
{
    for (int i = 0; i < n; i += p->chunk)
        run_chunk(p, thread, x + i * p->input_size, n - i < p->chunk ? n - i : p->chunk,
                  logits + (long)i * p->outputs);
}

struct batch {
    struct infer *p;
    const float *x;
    float *logits;
    int n, share; /* images in all, and of an item */
};

static void run_share(void *arg, int item, int thread)
{
    const struct batch *b = arg;
    int first = item * b->share, n = b->n - first < b->share ? b->n - first : b->share;
    infer_run_on(b->p, thread, b->x + first * b->p->input_size, n, b->logits + (long)first * b->p->outputs);
}

void infer_run(struct infer *p, const float *x, int n, float *logits)
{
    int threads = threads_count(p->threads), share = (n + threads - 1) / threads;
    struct batch b = {p, x, logits, n, share < p->chunk ? share : p->chunk};
    threads_run(p->threads, (n + b.share - 1) / b.share, run_share, &b);
}

void infer_scale(const uint8_t *pixels, long count, double scale, double mean, double std, float *x)
{
    float table[256];
    for (int i = 0; i < 256; i++)
        table[i] = (float)((i * scale - mean) / std);
    for (long i = 0; i < count; i++)
        x[i] = table[pixels[i]];
}
