/* Running a quantized network in integers.
 *   in   a network of layers between OP_QUANTIZE (program.h), images
 *   out  logits, or maps
 * Values are written with the border that their reader needs, filled with the zero point. From the first
 * dense layer on an operation runs over all images of the chunk at once. */
#include "program.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/int8.h"

#define MAX_BYTES (1L << 30) /* A value or weight has at most so many bytes. */

/* A value of the program as bytes that mean (byte - zero) * scale, one image behind another for those of the
 * chunk where a dense layer reads them (matrix); or, real, floats. */
struct tensor {
    struct layout l; /* by pixel, of a gray input flat */
    bool matrix, real;
    float scale;
    int zero;
    int place_of; /* the value in whose place it lies, its own or another */
    long place;   /* in the arena */
};

struct int8 {
    struct pages *pages; /* all memory, this too */
    int chunk, threads, outputs;
    struct program program;
    struct tensor *tensor; /* [program.values] */
    struct conv8 *conv;    /* [program.operations] of conv and dense layers */
    long arena_size;
    uint8_t **arena; /* [threads] */
};

static struct tensor *tensor_of(const struct int8 *p, int value)
{
    return &p->tensor[p->tensor[value].place_of];
}

/* ---- Making the plan ---- */

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

/* Make the tensor of an operation's output, whose numbers are those of the OP_QUANTIZE that is its last
 * layer, or of x. Returns NULL when it is too large or there is no such layer. */
static struct tensor *new_tensor(struct int8 *p, const struct operation *op)
{
    const struct value *v = &p->program.value[op->y];
    const struct tensor *x = tensor_of(p, op->x);
    struct tensor *t = &p->tensor[op->y];
    bool last = op->y == p->program.output, product = op->op == OP_CONV || op->op == OP_DENSE;
    struct layout l = layout_of(v->shape, v->border, !product && x->l.pixel == 1);
    t->l = layout_by_pixel(&l);
    t->matrix = v->matrix || (last && v->shape.h * v->shape.w == 1);
    t->real = product && last && p->program.net->layer[op->last].op != OP_QUANTIZE;
    t->scale = x->scale;
    t->zero = t->real ? 0 : x->zero;
    if (t->l.size > MAX_BYTES)
        return NULL;
    t->l.size = t->real && !t->matrix ? t->l.row : t->l.size; /* of a map there is room for a row (run_map) */
    bool stays = t->real || op->op == OP_MAXPOOL;
    return stays || read_quantize(&p->program.net->layer[op->last], &t->scale, &t->zero) ? t : NULL;
}

/* The index in the packed array of the weight of output k, channel c and a pixel of the window, of which `span` lie
 * side by side. */
static long packed_at(const struct conv8 *v, int span, long channels, int k, int c, int pixel)
{
    long run = pixel / span, byte = pixel % span * channels + c;
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
static bool pack_output(const struct layer *l, const struct tensor *x, int k, const struct conv8 *v, int8_t *packed,
                        float factor, int32_t *bias)
{
    struct shape in = x->l.shape;
    int pixels = l->op == OP_DENSE ? in.h * in.w : l->r * l->s;
    long sum = 0, size = 0, i = (long)k * in.c * pixels;
    for (int c = 0; c < in.c; c++)
        for (int pixel = 0; pixel < pixels; pixel++, i++) {
            int whole;
            if (!whole_weight(l, k, i, &whole))
                return false;
            packed[packed_at(v, pixels / v->runs, x->l.pixel, k, c, pixel)] = (int8_t)whole;
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
static int fill_conv(struct pages *pages, struct conv8 *v, const struct layer *l, const struct tensor *x,
                     const struct tensor *y)
{
    long channels = (long)v->blocks * BLOCK, quad = BLOCK * QUAD;
    if (v->runs > MAX_BYTES / v->quads / quad || v->blocks > MAX_BYTES / ((long)v->runs * v->quads * quad))
        return -1;
    size_t weights = (size_t)(v->blocks * (long)v->runs * v->quads * quad);
    int8_t *packed = pages_take(pages, weights, sizeof *packed);
    float *factor = pages_take(pages, (size_t)channels, sizeof *factor);
    int32_t *bias = pages_take(pages, (size_t)channels, sizeof *bias);
    if (!packed || !factor || !bias)
        return -1;
    for (int k = 0; k < l->out.c; k++) {
        factor[k] = x->scale * l->step[k];
        if (!y->real)
            factor[k] /= y->scale;
        if ((v->rectify && !(factor[k] > 0)) || !pack_output(l, x, k, v, packed, factor[k], &bias[k]))
            return -1;
    }
    v->w = packed;
    v->factor = factor;
    v->bias = bias;
    v->narrow = is_narrow(packed, (long)weights);
    return 0;
}

/* Plan the sum with tensor `other` that is fused into a convolution to y. */
static int plan_sum(struct conv8 *v, const struct tensor *other, const struct tensor *y)
{
    if (!other->l.size || other->matrix || other->l.pixel != y->l.pixel ||
        memcmp(&other->l.shape, &y->l.shape, sizeof y->l.shape))
        return -1;
    v->add_row = other->l.row;
    v->add_zero = other->zero;
    v->add_factor = y->real ? other->scale : other->scale / y->scale;
    return 0;
}

/* Plan a conv or dense layer with the relu, the sum and OP_QUANTIZE behind it. */
static int plan_conv(struct int8 *p, struct operation *op, struct conv8 *v)
{
    const struct layer *l = &op->layer;
    const struct tensor *x = tensor_of(p, op->x), *y = new_tensor(p, op);
    bool dense = l->op == OP_DENSE;
    struct shape in = p->program.net->layer[l->in[0]].out;
    bool fits = dense ? !has_border(p->program.value[p->tensor[op->x].place_of].border)
                      : !memcmp(&in, &x->l.shape, sizeof in); /* it was not flattened */
    int *offset = pages_take(p->pages, (size_t)l->r * (size_t)l->s, sizeof *offset);
    if (!y || !fits || !l->step || l->groups != 1 || !offset)
        return -1;
    struct conv c = {.blocks = op->forward.pack.blocks, .rows = 1, .runs = 1, .run = (int)x->l.size,
                     .x_pixel = x->l.size};
    if (!dense)
        c = conv_geometry(l, c.blocks, (int)x->l.pixel, &x->l, &y->l, offset);
    *v = (struct conv8){.blocks = c.blocks, .rows = c.rows, .pixels = c.pixels, .runs = c.runs,
                        .quads = kernel_words((c.run + QUAD - 1) / QUAD), .offset = offset, .x_row = c.x_row,
                        .x_pixel = c.x_pixel, .y_row = y->l.row, .y_pixel = dense ? y->l.size : y->l.pixel,
                        .zero = y->zero, .low = op->relu && op->x2 < 0 ? y->zero : 0, .real = y->real,
                        .rectify = op->relu && (y->real || op->x2 >= 0)};
    if (op->x2 >= 0 && plan_sum(v, tensor_of(p, op->x2), y))
        return -1;
    return fill_conv(p->pages, v, l, x, y);
}

/* Plan a max pool, of which scale and zero point stay, or a mean pool with the OP_QUANTIZE behind it. */
static int plan_pool(struct int8 *p, struct operation *op)
{
    const struct tensor *x = tensor_of(p, op->x);
    long window = (long)op->pool.r * op->pool.s;
    op->factor = x->scale / ((float)op->pool.r * (float)op->pool.s);
    return pool_is_plain(&op->layer) || window > INT32_MAX / 512 || !new_tensor(p, op) ? -1 : 0;
}

/* Let an operation's output lie where its input does. */
static int keep_place(struct int8 *p, const struct operation *op)
{
    struct border x = p->program.value[op->x].border, y = p->program.value[op->y].border;
    p->tensor[op->y].place_of = p->tensor[op->x].place_of;
    return has_border(y) && memcmp(&x, &y, sizeof x) ? -1 : 0;
}

static int plan_operation(struct int8 *p, struct operation *op, struct conv8 *conv)
{
    struct tensor *x = tensor_of(p, op->x);
    int zero;
    float scale;
    if (op->op == OP_QUANTIZE && op->x == p->program.input)
        return new_tensor(p, op) ? 0 : -1;
    if (!x->l.size || x->real)
        return -1;
    op->start = has_border(op->pad) ? 0 : x->l.origin;
    switch (op->op) {
    case OP_CONV:
    case OP_DENSE:
        return plan_conv(p, op, conv);
    case OP_MAXPOOL:
    case OP_AVGPOOL:
    case OP_GLOBALPOOL:
        return plan_pool(p, op);
    case OP_QUANTIZE: /* a second one of the same numbers */
        return read_quantize(&op->layer, &scale, &zero) && scale == x->scale && zero == x->zero
                   ? keep_place(p, op)
                   : -1;
    case OP_FLATTEN:
        x->matrix = true;
        return keep_place(p, op);
    default:
        return -1;
    }
}

static long bytes_of(const struct int8 *p, const struct tensor *v)
{
    long bytes = v->l.size * (v->real ? (long)sizeof(float) : 1) * (v->matrix ? p->chunk : 1);
    return (bytes + INT8_SLACK + 63) / 64 * 64;
}

/* Place every value; none share memory, so that borders are filled once, with the zero point. */
static int alloc_arenas(struct int8 *p)
{
    for (int i = 0; i < p->program.values; i++) {
        p->tensor[i].place = p->arena_size;
        p->arena_size += bytes_of(p, &p->tensor[i]);
    }
    if (p->arena_size > MAX_BYTES)
        return -1;
    p->arena = pages_take(p->pages, (size_t)p->threads, sizeof *p->arena);
    for (int t = 0; p->arena && t < p->threads; t++) {
        p->arena[t] = pages_take(p->pages, (size_t)p->arena_size, 1);
        if (!p->arena[t])
            return -1;
        for (int i = 0; i < p->program.values; i++)
            memset(p->arena[t] + p->tensor[i].place, p->tensor[i].zero, (size_t)bytes_of(p, &p->tensor[i]));
    }
    return p->arena ? 0 : -1;
}

static int make_plan(struct int8 *p)
{
    struct program *g = &p->program;
    if (program_make(g) || !(p->tensor = pages_take(p->pages, (size_t)g->values, sizeof *p->tensor)) ||
        !(p->conv = pages_take(p->pages, (size_t)g->operations, sizeof *p->conv)))
        return -1;
    for (int i = 0; i < g->values; i++)
        p->tensor[i].place_of = i;
    p->tensor[g->input].l.pixel = net_input(g->net).c;
    for (int i = 0; i < g->operations; i++)
        if (plan_operation(p, &g->operation[i], &p->conv[i]))
            return -1;
    const struct tensor *last = tensor_of(p, g->output);
    bool product = false;
    for (int i = 0; i < g->operations; i++)
        product |= g->operation[i].op != OP_QUANTIZE;
    return product && (last->matrix || last->real) ? alloc_arenas(p) : -1;
}

struct int8 *int8_new(const struct net *net, int chunk, int threads, struct pages *pages)
{
    struct err ignored;
    struct int8 *p = pages_take(pages, 1, sizeof *p);
    if (!p)
        return NULL;
    *p = (struct int8){.pages = pages, .chunk = chunk, .threads = threads, .outputs = net_outputs(net),
                       .program = {.net = net, .bytes = true, .images = 1, .group = 1, .pages = pages,
                                   .e = &ignored}};
    return net->layers > 2 && net->layer[1].op == OP_QUANTIZE && !make_plan(p) ? p : NULL;
}

/* ---- Running it ---- */

/* The address of image i of a value. */
static uint8_t *image_of(const struct tensor *v, uint8_t *arena, int i)
{
    return arena + v->place + (v->matrix ? i * v->l.size : 0);
}

static void read_input(const struct kernels8 *k, const struct tensor *v, const float *x, uint8_t *to)
{
    int rows = v->l.row == v->l.shape.w ? 1 : v->l.shape.h; /* those of a gray picture without a border: all in one */
    long wide = (long)v->l.shape.h / rows * v->l.shape.w;
    for (int c = 0; c < v->l.shape.c; c++)
        for (int r = 0; r < rows; r++, x += wide) {
            uint8_t *row = to + v->l.origin + r * v->l.row + c;
            if (v->l.pixel == 1)
                k->quantize(wide, x, v->scale, v->zero, row);
            else
                for (long q = 0; q < wide; q++)
                    k->quantize(1, x + q, v->scale, v->zero, row + q * v->l.pixel);
        }
}

static void mean_pixel(const struct kernels8 *k, const struct operation *s, const struct tensor *x,
                       const struct tensor *y, const uint8_t *window, uint8_t *to)
{
    int32_t zeros = s->pool.r * s->pool.s * x->zero;
    for (int c = 0; c < x->l.pixel; c += BLOCK) {
        int32_t sum[BLOCK] = {0};
        float mean[BLOCK];
        int n = x->l.pixel < BLOCK ? x->l.pixel : BLOCK;
        for (int r = 0; r < s->pool.r; r++)
            for (int q = 0; q < s->pool.s; q++) {
                const uint8_t *pixel = window + r * x->l.row + (long)q * x->l.pixel + c;
                for (int j = 0; j < n; j++)
                    sum[j] += pixel[j];
            }
        for (int j = 0; j < n; j++)
            mean[j] = (float)(sum[j] - zeros) * s->factor;
        k->quantize(n, mean, y->scale, y->zero, to + c);
    }
}

static void run_mean(const struct kernels8 *k, const struct operation *s, const struct tensor *from,
                     const struct tensor *to, const uint8_t *x, uint8_t *y)
{
    for (int r = 0; r < to->l.shape.h; r++)
        for (int q = 0; q < to->l.shape.w; q++)
            mean_pixel(k, s, from, to,
                       x + r * s->pool.stride_h * from->l.row +
                           (long)q * s->pool.stride_w * from->l.pixel,
                       y + r * to->l.row + (long)q * to->l.pixel);
}

/* The convolution of operation s on image i, or, of a dense layer, on n images. */
static struct conv8 conv_of(const struct int8 *p, int s, uint8_t *arena, int i, int n)
{
    struct conv8 conv = p->conv[s];
    int x2 = p->program.operation[s].x2;
    if (!conv.pixels)
        conv.pixels = n;
    if (x2 >= 0)
        conv.add = image_of(tensor_of(p, x2), arena, i) + tensor_of(p, x2)->l.origin;
    return conv;
}

/* Run operation s on image i, whose pixels are at `image`, or, of a dense layer, on n images. */
static void run_operation(const struct int8 *p, const struct kernels8 *k, int s, uint8_t *arena, const float *image,
                          int i, int n)
{
    const struct operation *op = &p->program.operation[s];
    const struct tensor *x = tensor_of(p, op->x), *y = tensor_of(p, op->y);
    uint8_t *from = image_of(x, arena, i) + op->start, *to = image_of(y, arena, i) + y->l.origin;
    struct conv8 conv;
    switch (op->op) {
    case OP_CONV:
    case OP_DENSE:
        conv = conv_of(p, s, arena, i, n);
        k->conv(&conv, from, to);
        break;
    case OP_MAXPOOL:
        k->maxpool(&op->pool, y->l.shape.h, y->l.shape.w, from, x->l.row, to, y->l.row, x->l.pixel);
        break;
    case OP_AVGPOOL:
    case OP_GLOBALPOOL:
        run_mean(k, op, x, y, from, to);
        break;
    default:
        if (op->x == p->program.input)
            read_input(k, y, image, image_of(y, arena, i));
    }
}

/* Run the last operation on an image, row by row, and copy each row out while it is in the first-level
 * cache: real numbers, [C][H][W]. */
static void run_map(const struct int8 *p, const struct kernels8 *k, uint8_t *arena, int i, float *map)
{
    int s = p->program.operations - 1;
    const struct operation *op = &p->program.operation[s];
    const struct tensor *x = tensor_of(p, op->x), *y = tensor_of(p, op->y);
    const float *row = (const float *)(const void *)(arena + y->place);
    long channels = y->l.pixel;
    struct conv8 conv = conv_of(p, s, arena, i, 1);
    conv.rows = 1;
    for (int r = 0; r < y->l.shape.h; r++, map += y->l.shape.w) {
        k->conv(&conv, image_of(x, arena, i) + op->start + r * conv.x_row, arena + y->place);
        if (conv.add)
            conv.add += conv.add_row;
        for (long c = 0; c < y->l.shape.c; c++)
            for (long q = 0; q < y->l.shape.w; q++)
                map[c * y->l.shape.h * y->l.shape.w + q] = row[q * channels + c];
    }
}

/* Copy the last value out as floats. */
static void write_logits(const struct int8 *p, const uint8_t *arena, int n, float *logits)
{
    const struct tensor *v = tensor_of(p, p->program.output);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < p->outputs; k++, logits++) {
            const uint8_t *at = arena + v->place;
            if (v->real)
                memcpy(logits, at + (i * v->l.size + k) * (long)sizeof *logits, sizeof *logits);
            else
                *logits = (float)(at[i * v->l.size + k] - v->zero) * v->scale;
        }
}

void int8_run(const struct int8 *p, const struct kernels8 *k, int thread, const float *x, int n, float *logits)
{
    const struct program *g = &p->program;
    uint8_t *arena = p->arena[thread];
    struct shape in = g->value[g->input].shape;
    bool map = !tensor_of(p, g->output)->matrix;
    for (int i = 0; i < n; i++) {
        for (int s = 0; s < g->operations - map; s++)
            if (g->operation[s].op != OP_DENSE)
                run_operation(p, k, s, arena, x + (long)i * in.c * in.h * in.w, i, n);
        if (map)
            run_map(p, k, arena, i, logits + (long)i * p->outputs);
    }
    for (int s = 0; s < g->operations; s++)
        if (g->operation[s].op == OP_DENSE)
            run_operation(p, k, s, arena, x, 0, n);
    if (!map)
        write_logits(p, arena, n, logits);
}
