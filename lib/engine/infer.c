/* Running a network.
 *   in   a plan (infer_plan.c), images
 *   out  logits
 * Each step calls a kernel on the values in the arena of its thread. */
#include "infer_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "plain.h"

/* The address of value v of image i of a group. */
static float *value_at(const struct infer *p, float *arena, int v, int i)
{
    return arena + p->value[v].place + i * p->value[v].image;
}

/* The pixels of a value whose memory is x: of an image inside its border, or of n images of a matrix. */
static struct view view_of(const struct infer *p, int value, float *x, int n)
{
    const struct value *v = &p->value[value];
    const struct layout *l = &v->layout;
    if (v->matrix)
        return (struct view){x, matrix_blocks(v->shape), 1, n, 0, (long)p->chunk * BLOCK};
    return (struct view){x + l->origin, l->blocks, l->shape.h, l->shape.w, l->row, l->block};
}

/* The same of a pool's input, from the first window on. */
static struct view windows_of(const struct infer *p, const struct step *s, float *x)
{
    struct view v = view_of(p, s->x, x, 1);
    v.p = x + s->start;
    return v;
}

static void run_pad(const struct infer *p, const struct step *s, const float *x, float *y)
{
    const struct layout *from = &p->value[s->x].layout, *to = &p->value[s->y].layout;
    size_t bytes = (size_t)(from->shape.w * from->pixel) * sizeof(float);
    for (int b = 0; b < from->blocks; b++)
        for (int r = 0; r < from->shape.h; r++)
            memcpy(y + s->start + b * to->block + r * to->row,
                   x + from->origin + b * from->block + r * from->row, bytes);
}

int lanes_of(const struct value *v, int b)
{
    struct shape s = v->shape;
    long first = (long)b * BLOCK, all = s.c;
    if (v->matrix && s.c < BLOCK)
        all = (long)s.c * s.h * s.w;
    else if (v->matrix)
        first = (long)b / (s.h * s.w) * BLOCK;
    return all - first < BLOCK ? (int)(all - first) : BLOCK;
}

static void run_each(const struct infer *p, const struct step *s, struct view x, struct view y)
{
    pointwise_function *f = pointwise_of(&s->layer);
    for (int b = 0; b < y.blocks; b++) {
        int lanes = lanes_of(&p->value[s->y], b);
        for (int r = 0; r < y.rows; r++) {
            const float *xr = x.p + b * x.block + r * x.row;
            float *yr = y.p + b * y.block + r * y.row;
            for (long i = 0; i < (long)y.pixels * BLOCK; i++)
                yr[i] = i % BLOCK < lanes ? f(&s->layer, xr[i]) : 0;
        }
    }
}

/* One output pixel of a pool over block `x` of an image; the window is clipped to the image. */
static void pool_pixel(const struct layer *l, const struct layout *from, const float *x, int p,
                       int q, float *y)
{
    bool most = l->op == OP_MAXPOOL;
    int count = 0;
    for (int c = 0; c < BLOCK; c++)
        y[c] = most ? -INFINITY : 0;
    for (int r = 0; r < l->r; r++)
        for (int s = 0; s < l->s; s++) {
            long h = (long)p * l->stride_h - l->pad_top + (long)r * l->dilation_h;
            long w = (long)q * l->stride_w - l->pad_left + (long)s * l->dilation_w;
            if (h < 0 || h >= from->shape.h || w < 0 || w >= from->shape.w)
                continue;
            const float *cell = x + from->origin + h * from->row + w * BLOCK;
            count++;
            for (int c = 0; c < BLOCK; c++)
                y[c] = most ? fmaxf(y[c], cell[c]) : y[c] + cell[c];
        }
    if (!l->exclude_pad)
        count = l->r * l->s;
    for (int c = 0; c < BLOCK && !most && count; c++)
        y[c] /= (float)count;
}

static void run_anypool(const struct infer *p, const struct step *s, const float *x, float *y)
{
    const struct layout *from = &p->value[s->x].layout, *to = &p->value[s->y].layout;
    for (int b = 0; b < to->blocks; b++)
        for (int r = 0; r < to->shape.h; r++)
            for (int q = 0; q < to->shape.w; q++)
                pool_pixel(&s->layer, from, x + b * from->block, r, q,
                           y + to->origin + b * to->block + r * to->row + q * BLOCK);
}

/* What a step is run on. */
struct run {
    float *arena, *scratch;
    float *logits;  /* of the chunk's images */
    int image, row; /* the image of its group, and of its chunk */
    int n;          /* images at once: of STEP_WINOGRAD, and where the output is a matrix */
};

/* A dense layer goes through its blocks of output channels two by two, in every other run backward: of
 * weights that do not fit the cache, the last ones read are still there. */
static void run_dense(const struct infer *p, const struct step *s, int n, const float *x, float *y)
{
    int pairs = (s->conv.blocks + 1) / 2;
    for (int i = 0; i < pairs; i++) {
        struct conv v = s->conv;
        int b = 2 * (p->backward ? pairs - 1 - i : i);
        v.blocks = v.blocks - b < 2 ? 1 : 2;
        v.pixels = n;
        v.w += (long)b * v.runs * v.run * BLOCK;
        v.bias += b * BLOCK;
        v.scale = v.scale ? v.scale + b * BLOCK : NULL;
        v.shift += b * BLOCK;
        p->k->conv(&v, x, y + b * v.y_block);
    }
}

static void run_winograd(const struct infer *p, const struct step *s, const struct run *r,
                         const float *x, const float *x2, float *y)
{
    struct winograd v = s->winograd;
    v.count = r->n * winograd_tiles(v.conv.rows, v.conv.pixels, v.dilation);
    v.scratch = r->scratch;
    v.add = x2 ? x2 + p->value[s->x2].layout.origin : NULL;
    p->k->winograd(&v, x + s->start, y + p->value[s->y].layout.origin);
}

static void run_step(const struct infer *p, const struct step *s, const struct run *r)
{
    const struct layout *from = &p->value[s->x].layout, *to = &p->value[s->y].layout;
    float *x = value_at(p, r->arena, s->x, r->image), *y = value_at(p, r->arena, s->y, r->image);
    float *x2 = s->x2 < 0 ? NULL : value_at(p, r->arena, s->x2, r->image);
    struct view xv = view_of(p, s->x, x, r->n), yv = view_of(p, s->y, y, r->n);
    switch (s->kind) {
    case STEP_CONV:
        if (p->value[s->y].matrix)
            run_dense(p, s, r->n, x, y);
        else
            p->k->conv(&s->conv, x + s->start, y + to->origin);
        break;
    case STEP_WINOGRAD:
        run_winograd(p, s, r, x, x2, y);
        break;
    case STEP_AFFINE:
        p->k->affine(xv, s->memory, s->memory + yv.blocks * BLOCK, s->relu, yv);
        break;
    case STEP_RELU:
        p->k->relu(xv, yv);
        break;
    case STEP_ADD:
        p->k->add(xv, view_of(p, s->x2, x2, r->n), s->relu, yv);
        break;
    case STEP_MAXPOOL:
        p->k->maxpool(&s->pool, windows_of(p, s, x), yv);
        break;
    case STEP_SUMPOOL:
        p->k->sumpool(&s->pool, s->factor, windows_of(p, s, x), yv);
        break;
    case STEP_PAD:
        run_pad(p, s, x, y);
        break;
    case STEP_MATRIX:
        matrix_put(from, x, y, p->chunk, r->row);
        break;
    case STEP_LOGITS:
        layout_get(from, x, r->logits + (long)r->row * p->outputs);
        break;
    case STEP_EACH:
        run_each(p, s, xv, yv);
        break;
    case STEP_ANYPOOL:
        run_anypool(p, s, x, y);
        break;
    case STEP_UNBLOCK:
        layout_get(from, x, y + s->start);
        break;
    case STEP_BLOCK:
        memset(y, 0, (size_t)to->size * sizeof *y);
        layout_put(to, x + s->start, y);
        break;
    case STEP_MUL:
        plain_mul(xv, view_of(p, s->x2, x2, r->n), yv);
        break;
    case STEP_UPSAMPLE:
        plain_upsample(&s->layer, xv, yv);
        break;
    case STEP_DYNAMIC:
        plain_dynamic(&p->value[s->x], xv, yv);
        break;
    }
}

static void measure_step(const struct infer *p, int s, const struct run *r)
{
    double start = p->profile ? clock_now() : 0;
    run_step(p, &p->step[s], r);
    if (p->profile)
        p->profile[s].seconds += clock_now() - start;
}

/* Run on r the steps of a phase from order[i] on. Returns the index behind them. */
static int run_phase(const struct infer *p, enum phase phase, int i, const struct run *r)
{
    for (; i < p->steps && p->step[p->order[i]].phase == phase; i++)
        measure_step(p, p->order[i], r);
    return i;
}

/* Run the first two phases on a group of n images of the chunk, from `first` on. Returns how many steps
 * that were. */
static int run_group(const struct infer *p, const float *x, struct run *r, int first, int n)
{
    int done = 0;
    for (int i = 0; i < n; i++) {
        r->image = i;
        r->row = first + i;
        r->n = 1;
        layout_put(&p->value[p->input].layout, x + (first + i) * p->input_size,
                   value_at(p, r->arena, p->input, i));
        done = run_phase(p, OF_IMAGE, 0, r);
    }
    for (; done < p->steps && p->step[p->order[done]].phase == OF_GROUP; done++) {
        bool at_once = p->step[p->order[done]].kind == STEP_WINOGRAD;
        r->n = at_once ? n : 1;
        for (r->image = 0; r->image < (at_once ? 1 : n); r->image++) {
            r->row = first + r->image;
            measure_step(p, p->order[done], r);
        }
    }
    r->image = 0;
    return done;
}

/* Copy the logits of the n images of a chunk out, unless STEP_LOGITS has. */
static void take_logits(const struct infer *p, const float *arena, int n, float *logits)
{
    if (p->output < 0)
        return;
    const struct value *out = &p->value[p->output];
    for (int i = 0; i < n; i++)
        for (long k = 0; k < p->outputs; k++) {
            long at = matrix_at(out->shape, k);
            *logits++ = arena[out->place + (at / BLOCK * p->chunk + i) * BLOCK + at % BLOCK];
        }
}

/* Run the plan on a chunk of images. */
static void run_chunk(void *arg, int item, int thread)
{
    const struct infer *p = arg;
    int first = item * p->share, n = p->n - first < p->share ? p->n - first : p->share;
    const float *x = p->x + first * p->input_size;
    float *logits = p->logits + (long)first * p->outputs;
    if (p->int8) {
        int8_run(p->int8, thread, x, n, logits);
        return;
    }
    float *arena = p->arena[thread];
    struct run r = {.arena = arena, .scratch = arena + p->scratch, .logits = logits};
    int done = 0;
    for (int i = 0; i < n; i += p->group)
        done = run_group(p, x, &r, i, n - i < p->group ? n - i : p->group);
    r.n = n;
    run_phase(p, OF_MATRIX, done, &r);
    take_logits(p, arena, n, logits);
}

const struct infer_step *infer_profile(struct infer *p, int *count)
{
    static const char *const how[] = {
        [STEP_CONV] = "direct", [STEP_WINOGRAD] = "Winograd", [STEP_AFFINE] = "by itself",
        [STEP_RELU] = "by itself", [STEP_ADD] = "by itself", [STEP_MAXPOOL] = "by itself",
        [STEP_SUMPOOL] = "by itself", [STEP_PAD] = "padding", [STEP_MATRIX] = "gathering",
        [STEP_LOGITS] = "copying",        [STEP_EACH] = "plain", [STEP_ANYPOOL] = "plain",
        [STEP_UNBLOCK] = "reshaping", [STEP_BLOCK] = "reshaping", [STEP_MUL] = "plain",
        [STEP_UPSAMPLE] = "plain", [STEP_DYNAMIC] = "plain"};
    *count = p->steps;
    if (!p->profile && p->steps)
        p->profile = pages_take(p->pages, (size_t)p->steps, sizeof *p->profile);
    for (int i = 0; p->profile && i < p->steps; i++) {
        const struct step *s = &p->step[i];
        p->profile[i] = (struct infer_step){s->first, s->last, how[s->kind], s->multiplies, 0};
    }
    return p->profile;
}

const struct kernels8 *infer_int8(const struct infer *p)
{
    return p->int8 ? int8_kernels(p->int8) : NULL;
}

void infer_set_int8(struct infer *p, const struct kernels8 *k)
{
    if (p->int8)
        int8_set_kernels(p->int8, k);
}

void infer_run(struct infer *p, const float *x, int n, float *logits)
{
    int threads = threads_count(p->threads), share = (n + threads - 1) / threads;
    p->x = x;
    p->logits = logits;
    p->n = n;
    p->share = share < p->chunk ? share : p->chunk;
    p->backward = !p->backward;
    threads_run(p->threads, (n + p->share - 1) / p->share, run_chunk, p);
}

void infer_scale(const uint8_t *pixels, long count, double scale, double mean, double std, float *x)
{
    float table[256];
    for (int i = 0; i < 256; i++)
        table[i] = (float)((i * scale - mean) / std);
    for (long i = 0; i < count; i++)
        x[i] = table[pixels[i]];
}
