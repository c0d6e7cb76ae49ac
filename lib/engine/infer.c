/* Running a network.
 *   in   a plan (infer_plan.c), images
 *   out  logits
 * Each operation calls a kernel on the values in the arena of its thread. */
#include "infer_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

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

/* How an operation is done. */
static const char *how(const struct operation *op)
{
    switch (op->op) {
    case OP_CONV:
    case OP_DENSE:
        return op->forward.way == WINOGRAD ? "Winograd" : "direct";
    case OP_INPUT:
        return "padding";
    case OP_FLATTEN:
        return "gathering";
    case OP_SOFTMAX:
        return "copying";
    default:
        return op->op > OP_BOXES ? "plain" : "by itself";
    }
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
        p->profile[i] = (struct infer_step){op->first, op->last, how(op),
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
