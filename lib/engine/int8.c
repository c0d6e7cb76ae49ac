/* Running a quantized network in integers.
 *   in   a chain of layers between OP_QUANTIZE (int8.h), images
 *   out  logits, or maps
 * Values are written with the border that their reader needs, filled with the zero point. From the first
 * dense layer on a step runs over all images of the chunk at once. */
#include "int8.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define MAX_BYTES (1L << 30) /* A value or weight has at most so many bytes. */

/* Bytes that mean (byte - zero) * scale: [top + h + bottom][left + w + right][channels], one behind
 * another for the images of the chunk where a dense layer reads them (matrix); or, real, floats. */
struct tensor {
    struct shape shape;
    int channels; /* shape.c rounded up to a multiple of BLOCK; 1 of a gray input */
    struct border border;
    long row, size, origin;
    bool matrix, real;
    float scale;
    int zero;
    long place; /* in the arena */
};

enum kind { STEP_CONV, STEP_MAXPOOL, STEP_MEAN };

struct step {
    enum kind kind;
    int x, y; /* values */
    int x2;   /* STEP_CONV: what is added, or -1 */
    struct conv8 conv;
    struct pool pool;
    float factor;   /* STEP_MEAN: of the sum of bytes less their zeros */
};

struct int8 {
    const struct kernels8 *k;
    struct pages *pages; /* all memory, this too */
    int chunk, threads, values, steps, outputs;
    struct tensor *value;
    struct step *step;
    long arena_size;
    uint8_t **arena; /* [threads] */
};

/* ---- Making the plan ---- */

/* The state of planning: layer i is the next one. */
struct planner {
    const struct net *net;
    struct int8 *p;
    int *value_of; /* [layers] the value that holds the layer's output; -1: none does */
    int i;
    int value;
    bool flat;  /* the value was flattened: only dense layers may read it */
    bool dense; /* a dense layer has been planned: only such may follow */
};

static bool is_op(const struct planner *b, int i, enum op op)
{
    return i < b->net->layers && b->net->layer[i].op == op;
}

/* The first layer from i on that is no dropout, which is the identity here. */
static int skip_idle(const struct planner *b, int i)
{
    while (is_op(b, i, OP_DROPOUT))
        i++;
    return i;
}

/* The reader of the value before layer i: the first layer from i on that is neither dropout nor
 * OP_QUANTIZE. */
static int reader_of(const struct planner *b, int i)
{
    while (is_op(b, i, OP_DROPOUT) || is_op(b, i, OP_QUANTIZE))
        i++;
    return i;
}

static bool ends(const struct planner *b, int i)
{
    return i == b->net->layers ||
           (i == b->net->layers - 1 && (is_op(b, i, OP_SOFTMAX) || is_op(b, i, OP_BOXES)));
}

/* Read scale and zero point of OP_QUANTIZE. Returns false unless its levels are a byte: -zero to 255 -
 * zero steps. */
static bool read_quantize(const struct layer *l, float *scale, int *zero)
{
    if (l->op != OP_QUANTIZE || !(l->alpha > 0) || !isfinite(l->alpha) || !(l->low >= -255) ||
        !(l->low <= 0))
        return false;
    *scale = l->alpha;
    *zero = (int)-l->low;
    return l->low == -*zero && l->high == 255 - *zero;
}

/* Append a value of that shape with the border that its reader, from layer `next` on, needs. Returns its
 * index, or -1 when it is too large. */
static int new_value(struct planner *b, struct shape shape, int channels, int next)
{
    struct tensor *v = &b->p->value[b->p->values];
    struct border border = {0};
    int reader = reader_of(b, next);
    if (is_op(b, reader, OP_CONV))
        border = layer_border(&b->net->layer[reader]);
    *v = (struct tensor){.shape = shape, .channels = channels, .border = border};
    v->matrix = (ends(b, reader) && shape.h * shape.w == 1) || is_op(b, reader, OP_DENSE) ||
                is_op(b, reader, OP_FLATTEN) || is_op(b, reader, OP_RESHAPE);
    v->row = (long)(border.left + shape.w + border.right) * channels;
    v->origin = border.top * v->row + (long)border.left * channels;
    if (v->row > MAX_BYTES || (border.top + shape.h + border.bottom) > MAX_BYTES / v->row)
        return -1;
    v->size = (border.top + shape.h + border.bottom) * v->row;
    return b->p->values++;
}

static int padded(int channels)
{
    return (channels + BLOCK - 1) / BLOCK * BLOCK;
}

static struct step *new_step(struct planner *b, enum kind kind, int y)
{
    struct step *s = &b->p->step[b->p->steps++];
    *s = (struct step){.kind = kind, .x = b->value, .y = y, .x2 = -1};
    b->value = y;
    return s;
}

/* A layer's window in x, r x s pixels, as runs of `span` pixels that lie side by side: a kernel's row, of a
 * dense layer all, a single one where the kernel is dilated across. */
struct window {
    int r, s, span, runs;
};

static struct window window_of(const struct layer *l, const struct tensor *x)
{
    struct window w = {l->r, l->s, l->dilation_w == 1 ? l->s : 1, 0};
    if (l->op == OP_DENSE)
        w = (struct window){x->shape.h, x->shape.w, x->shape.h * x->shape.w, 0};
    w.runs = w.r * w.s / w.span;
    return w;
}

static void fill_offsets(const struct window *w, const struct layer *l, const struct tensor *x,
                         int *offset)
{
    for (int i = 0; i < w->runs; i++) {
        int pixel = i * w->span;
        offset[i] = (int)(pixel / w->s * l->dilation_h * x->row +
                          (long)(pixel % w->s) * l->dilation_w * x->channels);
    }
}

/* The index in the packed array of the weight of output k, channel c and a pixel of the window. */
static long packed_at(const struct conv8 *v, const struct window *w, int channels, int k, int c,
                      int pixel)
{
    long run = pixel / w->span, byte = (long)(pixel % w->span) * channels + c;
    long quad = (k / BLOCK * (long)v->runs + run) * v->quads + byte / QUAD;
    return (quad * BLOCK + k % BLOCK) * QUAD + byte % QUAD;
}

/* Weight i of output k as a multiple of the step. Returns false when it is no whole one. */
static bool whole_weight(const struct layer *l, int k, long i, int *whole)
{
    float steps = l->weight[i] / l->step[k];
    if (!(fabsf(steps) < 129))
        return false;
    *whole = (int)lrintf(steps);
    return fabsf(steps - (float)*whole) < 1e-3f && *whole >= -128 && *whole <= 127;
}

/* Pack weights and bias of output k. Returns false when a sum could exceed 32 bits, or 30 after the
 * factor, or a weight is no multiple of the step. */
static bool pack_output(const struct layer *l, const struct tensor *x, const struct window *w, int k,
                        const struct conv8 *v, int8_t *packed, float factor, int32_t *bias)
{
    int pixels = w->r * w->s;
    long sum = 0, size = 0, i = (long)k * x->shape.c * pixels;
    for (int c = 0; c < x->shape.c; c++)
        for (int pixel = 0; pixel < pixels; pixel++, i++) {
            int whole;
            if (!whole_weight(l, k, i, &whole))
                return false;
            packed[packed_at(v, w, x->channels, k, c, pixel)] = (int8_t)whole;
            sum += whole;
            size += abs(whole);
        }
    double start = rint((l->bias ? l->bias[k] : 0) / ((double)x->scale * l->step[k])) -
                   (double)x->zero * (double)sum;
    double most = fabs(start) + 255.0 * (double)size;
    if (!(most < INT32_MAX && most * fabs((double)factor) + 255.0 * (double)v->add_factor < 0x1p30))
        return false;
    *bias = (int32_t)start;
    return true;
}

/* Whether no sum of two neighbouring products can exceed 16 bits. */
static bool is_narrow(const int8_t *w, long size)
{
    for (long i = 0; i < size; i += 2) {
        int positive = (w[i] > 0 ? w[i] : 0) + (w[i + 1] > 0 ? w[i + 1] : 0);
        int negative = (w[i] < 0 ? w[i] : 0) + (w[i + 1] < 0 ? w[i + 1] : 0);
        if (positive > 128 || negative < -128)
            return false;
    }
    return true;
}

/* Set weights, factors and bias of layer l, whose output is y. */
static int fill_conv(struct pages *pages, struct step *s, const struct layer *l, const struct window *w,
                     const struct tensor *x, const struct tensor *y)
{
    struct conv8 *v = &s->conv;
    long channels = (long)v->blocks * BLOCK, quad = BLOCK * QUAD;
    if (w->runs > MAX_BYTES / v->quads / quad ||
        v->blocks > MAX_BYTES / ((long)w->runs * v->quads * quad))
        return -1;
    size_t weights = (size_t)(v->blocks * (long)v->runs * v->quads * quad);
    int8_t *packed = pages_take(pages, weights, sizeof *packed);
    float *factor = pages_take(pages, (size_t)channels, sizeof *factor);
    int32_t *bias = pages_take(pages, (size_t)channels, sizeof *bias);
    int *offset = pages_take(pages, (size_t)w->runs, sizeof *offset);
    if (!packed || !factor || !bias || !offset)
        return -1;
    for (int k = 0; k < l->out.c; k++) {
        factor[k] = x->scale * l->step[k];
        if (!y->real)
            factor[k] /= y->scale;
        if ((v->rectify && !(factor[k] > 0)) || !pack_output(l, x, w, k, v, packed, factor[k], &bias[k]))
            return -1;
    }
    fill_offsets(w, l, x, offset);
    v->w = packed;
    v->factor = factor;
    v->bias = bias;
    v->offset = offset;
    v->narrow = is_narrow(packed, (long)weights);
    return 0;
}

/* The value that layer i, a sum, adds to what layer i - 1 makes, which has that shape; -1 when i is none, or
 * adds what is no value. */
static int added_by(const struct planner *b, int i, struct shape shape)
{
    if (!is_op(b, i, OP_ADD))
        return -1;
    const int *in = b->net->layer[i].in;
    int other = b->value_of[in[0] == i - 1 ? in[1] : in[0]];
    return other >= 0 && !memcmp(&b->p->value[other].shape, &shape, sizeof shape) &&
                   b->p->value[other].channels == padded(shape.c) && !b->p->value[other].matrix
               ? other
               : -1;
}

/* Fuse into s the sum with value `other`, which has y's shape. */
static void fuse_sum(struct planner *b, struct step *s, int other, const struct tensor *y)
{
    const struct tensor *v = &b->p->value[other];
    s->x2 = other;
    s->conv.add_row = v->row;
    s->conv.add_zero = v->zero;
    s->conv.add_factor = y->real ? v->scale : v->scale / y->scale;
}

/* Plan a conv or dense layer with the relu, the sum and OP_QUANTIZE behind it. */
static int plan_conv(struct planner *b)
{
    const struct layer *l = &b->net->layer[b->i];
    struct tensor x = b->p->value[b->value];
    bool dense = l->op == OP_DENSE;
    struct border need = dense ? (struct border){0} : layer_border(l);
    if (!l->step || l->groups != 1 || (!dense && (b->dense || b->flat)) ||
        memcmp(&x.border, &need, sizeof need))
        return -1;
    b->dense = dense;
    int next = skip_idle(b, b->i + 1);
    bool relu = is_op(b, next, OP_RELU);
    next = skip_idle(b, next + relu);
    int other = dense ? -1 : added_by(b, next, l->out);
    next = skip_idle(b, next + (other >= 0));
    bool real = ends(b, next);
    struct tensor made = {0};
    if (!real && (next == b->net->layers ||
                  !read_quantize(&b->net->layer[next], &made.scale, &made.zero)))
        return -1;
    next += !real;
    int y = new_value(b, l->out, padded(l->out.c), next);
    if (y < 0)
        return -1;
    struct tensor *to = &b->p->value[y];
    to->real = real;
    if (real && !to->matrix)
        to->size = to->row; /* of a map there is room for a row (run_map) */
    to->scale = made.scale;
    to->zero = made.zero;
    struct step *s = new_step(b, STEP_CONV, y);
    struct window w = window_of(l, &x);
    s->conv = (struct conv8){.blocks = to->channels / BLOCK, .rows = 1, .runs = w.runs,
                             .quads = int8_quads((long)w.span * x.channels), .x_pixel = x.size,
                             .y_pixel = to->size, .zero = to->zero,
                             .low = relu && other < 0 ? to->zero : 0, .real = real,
                             .rectify = relu && (real || other >= 0)};
    if (!dense) {
        s->conv.rows = l->out.h;
        s->conv.pixels = l->out.w;
        s->conv.x_row = l->stride_h * x.row;
        s->conv.x_pixel = (long)l->stride_w * x.channels;
        s->conv.y_row = to->row;
        s->conv.y_pixel = to->channels;
    }
    if (other >= 0)
        fuse_sum(b, s, other, to);
    b->i = next;
    b->flat = false;
    return fill_conv(b->p->pages, s, l, &w, &x, to);
}

/* Plan a max pool, of which scale and zero point stay, or a mean pool with the OP_QUANTIZE behind it. */
static int plan_pool(struct planner *b)
{
    const struct layer *l = &b->net->layer[b->i];
    struct tensor x = b->p->value[b->value], made = x;
    bool mean = l->op != OP_MAXPOOL;
    int next = mean ? skip_idle(b, b->i + 1) : b->i;
    if (l->dilation_h != 1 || l->dilation_w != 1 || has_border(layer_border(l)) || b->flat || b->dense ||
        has_border(x.border) || next == b->net->layers ||
        (mean && !read_quantize(&b->net->layer[next], &made.scale, &made.zero)))
        return -1;
    int y = new_value(b, l->out, x.channels, next + 1);
    if (y < 0)
        return -1;
    b->p->value[y].scale = made.scale;
    b->p->value[y].zero = made.zero;
    struct step *s = new_step(b, mean ? STEP_MEAN : STEP_MAXPOOL, y);
    s->pool = pool_geometry(l, x.shape);
    s->factor = x.scale / ((float)s->pool.r * (float)s->pool.s);
    b->i = next + 1;
    return mean && (long)s->pool.r * s->pool.s > INT32_MAX / 512 ? -1 : 0;
}

static int plan_layer(struct planner *b)
{
    const struct layer *l = &b->net->layer[b->i];
    const struct tensor *v = &b->p->value[b->value];
    float scale;
    int zero;
    switch (l->op) {
    case OP_CONV:
    case OP_DENSE:
        return plan_conv(b);
    case OP_MAXPOOL:
    case OP_AVGPOOL:
    case OP_GLOBALPOOL:
        return plan_pool(b);
    case OP_QUANTIZE: /* a second one of the same numbers */
        b->i++;
        return read_quantize(l, &scale, &zero) && scale == v->scale && zero == v->zero ? 0 : -1;
    case OP_RESHAPE:
    case OP_FLATTEN:
        b->i++;
        b->flat = true;
        return l->out.h == 1 && l->out.w == 1 && v->matrix ? 0 : -1;
    case OP_DROPOUT:
        b->i++;
        return 0;
    default:
        return -1;
    }
}

/* Does each layer read the one before it? A sum reads an earlier one, too. */
static bool is_chain(const struct net *net)
{
    for (int i = 1; i < net->layers; i++) {
        const int *in = net->layer[i].in;
        if (in[0] != i - 1 && !(net->layer[i].op == OP_ADD && in[1] == i - 1))
            return false;
    }
    return true;
}

static int plan_layers(struct planner *b)
{
    struct int8 *p = b->p;
    struct shape in = net_input(b->net);
    float scale;
    int zero;
    if (!is_chain(b->net) || b->net->layers < 3 ||
        !read_quantize(&b->net->layer[1], &scale, &zero))
        return -1;
    b->value = new_value(b, in, in.c == 1 ? 1 : padded(in.c), 2);
    if (b->value < 0)
        return -1;
    p->value[0].scale = scale;
    p->value[0].zero = zero;
    for (int i = 0; i < b->net->layers; i++)
        b->value_of[i] = -1;
    for (b->i = 2; !ends(b, b->i); b->value_of[b->i - 1] = b->value)
        if (p->value[b->value].real || plan_layer(b))
            return -1;
    const struct tensor *last = &p->value[b->value];
    return p->steps && (last->matrix || last->real) ? 0 : -1;
}

static long bytes_of(const struct int8 *p, const struct tensor *v)
{
    long bytes = v->size * (v->real ? (long)sizeof(float) : 1) * (v->matrix ? p->chunk : 1);
    return (bytes + INT8_SLACK + 63) / 64 * 64;
}

/* Place every value; none share memory, so that borders are filled once. */
static int alloc_arenas(struct int8 *p)
{
    for (int i = 0; i < p->values; i++) {
        p->value[i].place = p->arena_size;
        p->arena_size += bytes_of(p, &p->value[i]);
    }
    if (p->arena_size > MAX_BYTES)
        return -1;
    p->arena = pages_take(p->pages, (size_t)p->threads, sizeof *p->arena);
    for (int t = 0; p->arena && t < p->threads; t++) {
        p->arena[t] = pages_take(p->pages, (size_t)p->arena_size, 1);
        if (!p->arena[t])
            return -1;
        for (int i = 0; i < p->values; i++)
            memset(p->arena[t] + p->value[i].place, p->value[i].zero,
                   (size_t)bytes_of(p, &p->value[i]));
    }
    return p->arena ? 0 : -1;
}

struct int8 *int8_new(const struct net *net, int chunk, int threads, const struct kernels8 *k,
                      struct pages *pages)
{
    size_t n = (size_t)net->layers + 1;
    struct int8 *p = pages_take(pages, 1, sizeof *p);
    struct planner b = {.net = net, .p = p};
    if (!p)
        return NULL;
    *p = (struct int8){.k = k, .pages = pages, .chunk = chunk, .threads = threads,
                       .outputs = net_outputs(net)};
    p->value = pages_take(pages, n, sizeof *p->value);
    p->step = pages_take(pages, n, sizeof *p->step);
    b.value_of = pages_take(pages, n, sizeof *b.value_of);
    return p->value && p->step && b.value_of && !plan_layers(&b) && !alloc_arenas(p) ? p : NULL;
}

const struct kernels8 *int8_kernels(const struct int8 *p)
{
    return p->k;
}

void int8_set_kernels(struct int8 *p, const struct kernels8 *k)
{
    p->k = k;
}

/* ---- Running it ---- */

/* The address of image i of a value. */
static uint8_t *image_of(const struct tensor *v, uint8_t *arena, int i)
{
    return arena + v->place + (v->matrix ? i * v->size : 0);
}

static void read_input(const struct int8 *p, const float *x, uint8_t *to)
{
    const struct tensor *v = &p->value[0];
    struct shape s = v->shape;
    if (v->channels == 1 && v->row == s.w) {
        p->k->quantize((long)s.h * s.w, x, v->scale, v->zero, to + v->origin);
        return;
    }
    for (int c = 0; c < s.c; c++)
        for (int r = 0; r < s.h; r++, x += s.w) {
            uint8_t *row = to + v->origin + r * v->row + c;
            if (v->channels == 1)
                p->k->quantize(s.w, x, v->scale, v->zero, row);
            else
                for (int q = 0; q < s.w; q++)
                    p->k->quantize(1, x + q, v->scale, v->zero, row + (long)q * v->channels);
        }
}

static void mean_pixel(const struct int8 *p, const struct step *s, const struct tensor *x,
                       const struct tensor *y, const uint8_t *window, uint8_t *to)
{
    int32_t zeros = s->pool.r * s->pool.s * x->zero;
    for (int c = 0; c < x->channels; c += BLOCK) {
        int32_t sum[BLOCK] = {0};
        float mean[BLOCK];
        int n = x->channels < BLOCK ? x->channels : BLOCK;
        for (int r = 0; r < s->pool.r; r++)
            for (int q = 0; q < s->pool.s; q++) {
                const uint8_t *pixel = window + r * x->row + (long)q * x->channels + c;
                for (int j = 0; j < n; j++)
                    sum[j] += pixel[j];
            }
        for (int j = 0; j < n; j++)
            mean[j] = (float)(sum[j] - zeros) * s->factor;
        p->k->quantize(n, mean, y->scale, y->zero, to + c);
    }
}

static void run_mean(const struct int8 *p, const struct step *s, const uint8_t *x, uint8_t *y)
{
    const struct tensor *from = &p->value[s->x], *to = &p->value[s->y];
    for (int r = 0; r < to->shape.h; r++)
        for (int q = 0; q < to->shape.w; q++)
            mean_pixel(p, s, from, to,
                       x + r * s->pool.stride_h * from->row +
                           (long)q * s->pool.stride_w * from->channels,
                       y + r * to->row + (long)q * to->channels);
}

/* The convolution of a step on image i, or, of a dense layer, on n images. */
static struct conv8 conv_of(const struct int8 *p, const struct step *s, uint8_t *arena, int i, int n)
{
    struct conv8 conv = s->conv;
    if (!conv.pixels)
        conv.pixels = n;
    if (s->x2 >= 0)
        conv.add = image_of(&p->value[s->x2], arena, i) + p->value[s->x2].origin;
    return conv;
}

/* Run a step on image i, or, of a dense layer, on n images. */
static void run_step(const struct int8 *p, const struct step *s, uint8_t *arena, int i, int n)
{
    const struct tensor *x = &p->value[s->x], *y = &p->value[s->y];
    uint8_t *from = image_of(x, arena, i), *to = image_of(y, arena, i) + y->origin;
    struct conv8 conv;
    switch (s->kind) {
    case STEP_CONV:
        conv = conv_of(p, s, arena, i, n);
        p->k->conv(&conv, from, to);
        break;
    case STEP_MAXPOOL:
        p->k->maxpool(&s->pool, y->shape.h, y->shape.w, from, x->row, to, y->row, x->channels);
        break;
    case STEP_MEAN:
        run_mean(p, s, from, to);
        break;
    }
}

/* Run the last step on an image, row by row, and copy each row out while it is in the first-level cache: real
 * numbers, [C][H][W]. */
static void run_map(const struct int8 *p, uint8_t *arena, float *map)
{
    const struct step *s = &p->step[p->steps - 1];
    const struct tensor *x = &p->value[s->x], *y = &p->value[s->y];
    const float *row = (const float *)(const void *)(arena + y->place);
    long channels = y->channels;
    struct conv8 conv = conv_of(p, s, arena, 0, 1);
    conv.rows = 1;
    for (int r = 0; r < y->shape.h; r++, map += y->shape.w) {
        p->k->conv(&conv, arena + x->place + r * conv.x_row, arena + y->place);
        if (conv.add)
            conv.add += conv.add_row;
        for (long c = 0; c < y->shape.c; c++)
            for (long q = 0; q < y->shape.w; q++)
                map[c * y->shape.h * y->shape.w + q] = row[q * channels + c];
    }
}

/* Copy the last value out as floats. */
static void write_logits(const struct int8 *p, const uint8_t *arena, int n, float *logits)
{
    const struct tensor *v = &p->value[p->values - 1];
    for (int i = 0; i < n; i++)
        for (int k = 0; k < p->outputs; k++, logits++) {
            const uint8_t *at = arena + v->place;
            if (v->real)
                memcpy(logits, at + (i * v->size + k) * (long)sizeof *logits, sizeof *logits);
            else
                *logits = (float)(at[i * v->size + k] - v->zero) * v->scale;
        }
}

void int8_run(const struct int8 *p, int thread, const float *x, int n, float *logits)
{
    uint8_t *arena = p->arena[thread];
    struct shape in = p->value[0].shape;
    bool map = !p->value[p->values - 1].matrix;
    int dense = 0; /* the first step that runs over the whole chunk */
    while (dense < p->steps && !(p->step[dense].kind == STEP_CONV && !p->step[dense].conv.pixels))
        dense++;
    for (int i = 0; i < n; i++) {
        read_input(p, x + (long)i * in.c * in.h * in.w, image_of(&p->value[0], arena, i));
        for (int s = 0; s < dense - map; s++)
            run_step(p, &p->step[s], arena, i, n);
        if (map)
            run_map(p, arena, logits + (long)i * p->outputs);
    }
    for (int s = dense; s < p->steps; s++)
        run_step(p, &p->step[s], arena, 0, n);
    p->k->release();
    if (!map)
        write_logits(p, arena, n, logits);
}
