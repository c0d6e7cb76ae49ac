/* The plan is a list of steps over values in one arena a thread. Convolutions and pools of large
 * pictures run image by image, so that an image stays in the cache from layer to layer. Where
 * pictures have become so small that one does not fill Winograd's convolution, steps run over a
 * group of images; from the first dense layer on over all images of a chunk ("rows", layout.h), so
 * that a weight read from memory serves them all. */
#include "infer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "int8.h"
#include "layout.h"
#include "pages.h"

#define CHUNK 64 /* images a thread takes at once, at most */
#define GROUP 8  /* images a step of a group takes */
#define TILES 36 /* of 4x4 outputs that go through Winograd's convolution at once */

/* From STEP_EACH on they serve foreign models: plain loops, no kernels. */
enum kind {
    STEP_CONV, STEP_WINOGRAD, STEP_AFFINE, STEP_RELU, STEP_ADD, STEP_MAXPOOL, STEP_SUMPOOL,
    STEP_PAD, STEP_ROWS, STEP_EACH, STEP_ANYPOOL, STEP_SURROUND, STEP_UNBLOCK, STEP_BLOCK
};

/* Steps of an earlier phase run first: on each image of a group, then those of the second phase on
 * the group, and once all groups are through, those of the third on all images of the chunk. */
enum phase { OF_IMAGE, OF_GROUP, OF_ROWS };

/* The output of a step. */
struct value {
    bool rows;            /* of all images of the chunk: [rows_blocks(shape)][chunk][BLOCK] */
    struct shape shape;   /* before flattening */
    struct border border; /* where !rows */
    struct layout layout; /* the same */
    long place, size;     /* floats: from the arena's start, of all images */
    long image;           /* floats between images; 0: there is room for one only, or rows */
    int born, last;       /* the steps that write it and read it last */
};

struct step {
    enum kind kind;
    int x, x2, y; /* values; x2: of STEP_ADD */
    long start;   /* STEP_CONV and pools: where in x the first window begins */
    enum phase phase;
    struct conv conv;
    struct winograd winograd;
    struct pool pool;
    float factor;        /* STEP_SUMPOOL */
    float fill;          /* STEP_PAD: what the border holds */
    bool relu;           /* STEP_ADD */
    struct layer layer;  /* of the steps for foreign models: its numbers, not its weights */
    float *memory;       /* in the plan's pages: weights, bias, scale and shift */
    int *offset;         /* owned */
};

struct infer {
    const struct kernels *k;
    struct threads *threads;
    int chunk, group; /* images at once, at most */
    int values, steps, outputs;
    struct value *value;
    struct step *step;
    int input, output;  /* values */
    long input_size;    /* floats an image */
    long arena_size;    /* floats a thread */
    long scratch, scratch_size; /* of Winograd's convolutions, in the arena */
    struct pages *pages; /* all that the steps own, and the arenas */
    float **arena;      /* [threads] */
    const float *x;     /* of the run at hand */
    float *logits;
    int n, share;       /* images of the run, and a chunk of it */
    struct int8 *int8;  /* or NULL: runs instead of the steps */
};

/* ---- Making the plan ---- */

struct planner {
    const struct net *net;
    struct infer *p;
    int *uses;     /* [layers] how many layers read it */
    int *reader;   /* [layers] the last that does */
    int *value_of; /* [layers] */
    struct err *e;
};

static int new_value(struct infer *p, bool rows, struct shape shape, struct border border, bool flat)
{
    struct value *v = &p->value[p->values];
    *v = (struct value){.rows = rows, .shape = shape, .border = border, .born = p->steps,
                        .last = p->steps};
    v->layout = layout_of(shape, border, flat);
    v->size = rows ? (long)rows_blocks(shape) * p->chunk * BLOCK : v->layout.size;
    return p->values++;
}

static struct step *new_step(struct infer *p, enum kind kind, int x, int y)
{
    struct step *s = &p->step[p->steps++];
    *s = (struct step){.kind = kind, .x = x, .x2 = -1, .y = y};
    for (struct step *before = s; s->phase == OF_IMAGE && before > p->step; before--)
        if (before[-1].phase == OF_GROUP)
            s->phase = OF_GROUP;
    if (p->value[y].rows && kind != STEP_ROWS)
        s->phase = OF_ROWS;
    p->value[x].last = p->steps - 1;
    return s;
}

/* The only reader of layer i, over dropout (which does nothing here), if it is of this op, else -1. */
static int only_reader(const struct planner *b, int i, enum op op)
{
    do {
        if (b->uses[i] != 1)
            return -1;
        i = b->reader[i];
    } while (b->net->layer[i].op == OP_DROPOUT);
    return b->net->layer[i].op == op ? i : -1;
}

static bool has_border(struct border b)
{
    return b.top || b.left || b.bottom || b.right;
}

/* The border that the value of layer i is written with: its only reader's padding, if that is a
 * convolution. Other readers with padding copy it (pad_input). */
static struct border border_for(const struct planner *b, int i)
{
    int reader = only_reader(b, i, OP_CONV);
    return reader < 0 ? (struct border){0} : layer_border(&b->net->layer[reader]);
}

/* The value that conv or pool l reads, with the padding that l needs, filled with `fill`; *start is
 * where in it the first window begins. */
static int pad_input(struct planner *b, const struct layer *l, float fill, long *start)
{
    int x = b->value_of[l->in[0]];
    struct border need = layer_border(l);
    struct value *v = &b->p->value[x];
    *start = 0;
    if (fill == 0 && !memcmp(&v->border, &need, sizeof need))
        return x;
    if (!has_border(need)) {
        *start = v->layout.origin;
        return x;
    }
    int y = new_value(b->p, false, v->shape, need, v->layout.pixel == 1);
    new_step(b->p, STEP_PAD, x, y)->fill = fill;
    return y;
}

/* The input of a step over rows: a value of images is gathered first. */
static int rows_input(struct planner *b, int layer)
{
    int x = b->value_of[layer];
    if (b->p->value[x].rows)
        return x;
    int y = new_value(b->p, true, b->p->value[x].shape, (struct border){0}, false);
    new_step(b->p, STEP_ROWS, x, y);
    return y;
}

/* Weights, bias, scale and shift of a step side by side, zeroed. */
static int alloc_params(struct planner *b, struct step *s, long weights, long channels)
{
    s->memory = pages_take(b->p->pages, (size_t)weights + 3 * (size_t)channels);
    return s->memory ? 0 : err_set(b->e, "out of memory");
}

/* Batch norm as y = scale * x + shift. */
static void affine_of(const struct layer *l, long i, float *scale, float *shift)
{
    double a = l->scale[i] / sqrt((double)l->var[i] + l->epsilon);
    *scale = (float)a;
    *shift = (float)(l->shift[i] - a * l->mean[i]);
}

/* Fill w (packed) and bias from layer i, with the batch norm `folded` (or NULL) multiplied in. */
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
            affine_of(folded, k, &scale, &shift);
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
    if (b->p->value[b->value_of[b->net->layer[i].in[0]]].rows)
        return err_set(b->e, "layer %d: %s after a dense layer is not run", i,
                       op_name(b->net->layer[i].op));
    return 0;
}

/* What one pass over a convolution or dense layer takes in: batch norm folded into the weights, relu,
 * a batch norm after that, and a maximum pool. Layers, or -1. */
struct fused {
    int fold, relu, post, pool;
    int last; /* the last of them */
};

/* Extends f over the only reader of its last layer, if that is of this op. */
static int fuse(const struct planner *b, struct fused *f, enum op op)
{
    int next = only_reader(b, f->last, op);
    if (next >= 0)
        f->last = next;
    return next;
}

static struct fused fused_with(const struct planner *b, int i)
{
    struct fused f = {.last = i, .post = -1, .pool = -1};
    f.fold = fuse(b, &f, OP_BATCHNORM);
    f.relu = fuse(b, &f, OP_RELU);
    if (f.relu >= 0)
        f.post = fuse(b, &f, OP_BATCHNORM);
    return f;
}

static int tiles_of(struct shape s)
{
    return ((s.h + 3) / 4) * ((s.w + 3) / 4);
}

/* Whether layer l, a convolution that reads x, is one for Winograd's algorithm: full blocks of
 * channels, and pictures that fill the tiles so far that half of the multiplications are saved. */
static bool suits_winograd(const struct layer *l, const struct value *x)
{
    return l->r == 3 && l->s == 3 && l->stride_h == 1 && l->stride_w == 1 && l->dilation_h == 1 &&
           l->dilation_w == 1 && l->groups == 1 && x->shape.c >= BLOCK && l->out.c >= BLOCK &&
           x->layout.pixel == BLOCK && 9L * l->out.h * l->out.w >= 2 * 36L * tiles_of(l->out);
}

/* A maximum pool that halves rows and columns can be taken in too. */
static void fuse_pool(const struct planner *b, struct fused *f)
{
    int next = only_reader(b, f->last, OP_MAXPOOL);
    if (next < 0)
        return;
    const struct layer *l = &b->net->layer[next];
    struct shape in = b->net->layer[l->in[0]].out;
    if (l->r == 2 && l->s == 2 && l->stride_h == 2 && l->stride_w == 2 && l->dilation_h == 1 &&
        l->dilation_w == 1 && !has_border(layer_border(l)) && l->out.h == in.h / 2 &&
        l->out.w == in.w / 2)
        f->pool = f->last = next;
}

/* A step's weights, bias, scale and shift, from layer l. */
static int plan_params(struct planner *b, struct step *s, const struct layer *l,
                       const struct packing *pk, const struct fused *f)
{
    const struct layer *layer = b->net->layer;
    bool fast = s->kind == STEP_WINOGRAD;
    long size = fast ? pk->size / 9 * 36 : pk->size, channels = (long)pk->blocks * BLOCK;
    float *direct = fast ? aligned_alloc(64, (size_t)pk->size * sizeof *direct) : NULL;
    if ((fast && !direct) || alloc_params(b, s, size, channels)) {
        free(direct);
        return err_set(b->e, "out of memory");
    }
    float *w = s->memory, *bias = w + size, *scale = bias + channels, *shift = scale + channels;
    int failed = pack_params(b, l, pk, f->fold < 0 ? NULL : &layer[f->fold], fast ? direct : w, bias);
    if (fast && !failed)
        b->p->k->winograd_weights(pk->blocks, pk->runs / 9, direct, w);
    free(direct);
    for (int k = 0; f->post >= 0 && k < pk->k; k++)
        affine_of(&layer[f->post], k, &scale[k], &shift[k]);
    s->conv.w = w;
    s->conv.bias = bias;
    s->conv.relu = f->relu >= 0;
    s->conv.scale = f->post < 0 ? NULL : scale;
    s->conv.shift = shift;
    return failed;
}

/* The geometry of a convolution by Winograd's algorithm, once s->conv has that of a direct one. */
static void plan_winograd(struct infer *p, struct step *s, const struct fused *f)
{
    const struct value *x = &p->value[s->x], *y = &p->value[s->y];
    int tiles = tiles_of((struct shape){1, s->conv.rows, s->conv.pixels});
    int at_once = tiles * (tiles < TILES / 2 ? p->group : 1);
    struct winograd *v = &s->winograd;
    if (tiles < TILES / 2)
        s->phase = OF_GROUP;
    s->conv.runs /= 9;
    v->x_block = x->layout.block;
    v->x_image = x->layout.size;
    v->y_image = y->layout.size;
    v->pool = f->pool >= 0;
    v->tiles = at_once < TILES ? at_once : TILES;
    for (int i = 0; i < s->conv.runs; i++)
        s->offset[i] = i * v->tiles * BLOCK;
    v->conv = s->conv;
    long scratch = winograd_scratch(s->conv.runs, v->tiles);
    if (p->scratch_size < scratch)
        p->scratch_size = scratch;
}

/* Conv or dense, with what follows it as far as it can be done in the same pass. Returns the last
 * layer it covers, -1. */
static int plan_conv(struct planner *b, int i)
{
    const struct layer *l = &b->net->layer[i];
    bool dense = l->op == OP_DENSE;
    long start = 0;
    if (!dense && need_image(b, i))
        return -1;
    int x = dense ? rows_input(b, l->in[0]) : pad_input(b, l, 0, &start);
    struct packing pk = packing_of(l, b->p->value[x].shape);
    struct fused f = fused_with(b, i);
    bool fast = !dense && suits_winograd(l, &b->p->value[x]);
    if (fast)
        fuse_pool(b, &f);
    struct shape out = f.pool < 0 ? l->out : b->net->layer[f.pool].out;
    int y = new_value(b->p, dense, out, border_for(b, f.last), false);
    struct step *s = new_step(b->p, fast ? STEP_WINOGRAD : STEP_CONV, x, y);
    s->start = start;
    s->offset = malloc((size_t)pk.runs * sizeof *s->offset);
    if (!s->offset)
        return err_set(b->e, "out of memory");
    s->conv = (struct conv){.blocks = pk.blocks, .rows = 1, .runs = pk.runs, .run = pk.run,
                            .offset = s->offset};
    if (plan_params(b, s, l, &pk, &f))
        return -1;
    const struct layout *xl = &b->p->value[x].layout, *yl = &b->p->value[y].layout;
    if (dense) {
        dense_offsets(&pk, b->p->chunk, s->offset);
        s->conv.x_pixel = BLOCK;
        s->conv.y_block = (long)b->p->chunk * BLOCK;
    } else {
        conv_offsets(&pk, l, xl, s->offset);
        s->conv.rows = l->out.h;
        s->conv.pixels = l->out.w;
        s->conv.x_row = l->stride_h * xl->row;
        s->conv.x_pixel = l->stride_w * xl->pixel;
        s->conv.y_row = yl->row;
        s->conv.y_block = yl->block;
    }
    if (fast)
        plan_winograd(b->p, s, &f);
    b->value_of[f.last] = y;
    return f.last;
}

/* A step of layer i from value x to value y, for foreign models. */
static int plan_plain(struct planner *b, int i, enum kind kind, int x, int y)
{
    struct layer *l = &new_step(b->p, kind, x, y)->layer;
    *l = b->net->layer[i];
    l->weight = l->bias = l->scale = l->shift = l->mean = l->var = NULL;
    b->value_of[i] = y;
    return i;
}

static int plan_each(struct planner *b, int i)
{
    int x = b->value_of[b->net->layer[i].in[0]];
    const struct value *v = &b->p->value[x];
    struct border border = v->rows ? (struct border){0} : border_for(b, i);
    return plan_plain(b, i, STEP_EACH, x, new_value(b->p, v->rows, v->shape, border, false));
}

/* From an image to an image of another shape: OP_PAD, or any pool. */
static int plan_image(struct planner *b, int i, enum kind kind)
{
    const struct layer *l = &b->net->layer[i];
    if (need_image(b, i))
        return -1;
    int y = new_value(b->p, false, l->out, border_for(b, i), false);
    return plan_plain(b, i, kind, b->value_of[l->in[0]], y);
}

/* Out of the blocks, and into those of the other shape. */
static int plan_reshape(struct planner *b, int i)
{
    const struct layer *l = &b->net->layer[i];
    if (need_image(b, i))
        return -1;
    struct shape list = {1, 1, l->out.c * l->out.h * l->out.w};
    int x = new_value(b->p, false, list, (struct border){0}, true);
    plan_plain(b, i, STEP_UNBLOCK, b->value_of[l->in[0]], x);
    return plan_plain(b, i, STEP_BLOCK, x, new_value(b->p, false, l->out, border_for(b, i), false));
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
    int y = new_value(b->p, false, l->out, border_for(b, i), false);
    struct step *s = new_step(b->p, most ? STEP_MAXPOOL : STEP_SUMPOOL, x, y);
    s->start = start;
    struct shape in = b->p->value[x].shape;
    const struct layout *xl = &b->p->value[x].layout, *yl = &b->p->value[y].layout;
    bool all = l->op == OP_GLOBALPOOL;
    s->pool = (struct pool){.rows = l->out.h, .pixels = l->out.w, .r = all ? in.h : l->r,
                            .s = all ? in.w : l->s, .stride_h = l->stride_h,
                            .stride_w = l->stride_w, .x_row = xl->row, .y_row = yl->row};
    s->factor = 1.0f / ((float)s->pool.r * s->pool.s);
    b->value_of[i] = y;
    return i;
}

/* Batch norm that no convolution took in. */
static int plan_affine(struct planner *b, int i)
{
    const struct layer *l = &b->net->layer[i];
    int x = b->value_of[l->in[0]];
    struct value *v = &b->p->value[x];
    bool rows = v->rows, flattened = b->net->layer[l->in[0]].out.c != v->shape.c;
    struct shape shape = v->shape;
    if (flattened && !rows) {
        x = rows_input(b, l->in[0]);
        rows = true;
    }
    int y = new_value(b->p, rows, shape, rows ? (struct border){0} : border_for(b, i), false);
    struct step *s = new_step(b->p, STEP_AFFINE, x, y);
    long channels = (rows ? rows_blocks(shape) : b->p->value[y].layout.blocks) * (long)BLOCK;
    if (alloc_params(b, s, 0, channels))
        return -1;
    for (long k = 0; k < l->out.c; k++) {
        long at = rows ? rows_at(shape, k) : k;
        affine_of(l, k, &s->memory[at], &s->memory[channels + at]);
    }
    b->value_of[i] = y;
    return i;
}

static int plan_relu(struct planner *b, int i)
{
    int x = b->value_of[b->net->layer[i].in[0]];
    bool rows = b->p->value[x].rows;
    int y = new_value(b->p, rows, b->p->value[x].shape,
                      rows ? (struct border){0} : border_for(b, i), false);
    new_step(b->p, STEP_RELU, x, y);
    b->value_of[i] = y;
    return i;
}

static int plan_add(struct planner *b, int i)
{
    const struct layer *l = &b->net->layer[i];
    bool rows = b->p->value[b->value_of[l->in[0]]].rows || b->p->value[b->value_of[l->in[1]]].rows;
    int x = rows ? rows_input(b, l->in[0]) : b->value_of[l->in[0]];
    int x2 = rows ? rows_input(b, l->in[1]) : b->value_of[l->in[1]];
    struct shape s1 = b->p->value[x].shape, s2 = b->p->value[x2].shape;
    if (s1.c != s2.c || s1.h != s2.h || s1.w != s2.w)
        return err_set(b->e, "layer %d: a sum of differently flattened inputs is not run", i);
    int relu = only_reader(b, i, OP_RELU), last = relu >= 0 ? relu : i;
    int y = new_value(b->p, rows, s1, rows ? (struct border){0} : border_for(b, last), false);
    struct step *s = new_step(b->p, STEP_ADD, x, y);
    s->x2 = x2;
    s->relu = relu >= 0;
    b->p->value[x2].last = b->p->steps - 1;
    b->value_of[last] = y;
    return last;
}

/* Plan layer i. Returns the last layer the step covers, or -1. */
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
        return plan_affine(b, i);
    case OP_RELU:
        return plan_relu(b, i);
    case OP_ADD:
        return plan_add(b, i);
    case OP_DROPOUT:
    case OP_FLATTEN:
        b->value_of[i] = b->value_of[l->in[0]];
        return i;
    case OP_SOFTMAX:
        if (i != b->net->layers - 1)
            return err_set(b->e, "layer %d: softmax before the end is not run", i);
        b->value_of[i] = b->value_of[l->in[0]];
        return i;
    case OP_LEAKYRELU:
    case OP_SIGMOID:
    case OP_TANH:
    case OP_CLIP:
    case OP_SQRT:
    case OP_RECIPROCAL:
    case OP_QUANTIZE:
        return plan_each(b, i);
    case OP_PAD:
        return plan_image(b, i, STEP_SURROUND);
    case OP_RESHAPE:
        return plan_reshape(b, i);
    default:
        break;
    }
    return err_set(b->e, "layer %d: %s is not run", i, op_name(l->op));
}

/* Uses and readers of every layer. */
static void count_uses(struct planner *b)
{
    for (int i = 0; i < b->net->layers; i++)
        for (int j = 0; j < 2; j++) {
            int from = b->net->layer[i].in[j];
            if (from >= 0) {
                b->uses[from]++;
                b->reader[from] = i;
            }
        }
}

/* True when only convolutions read the one-channel input, so that it needs no blocks. */
static bool flat_input(const struct planner *b)
{
    bool flat = net_input(b->net).c == 1;
    for (int i = 1; i < b->net->layers; i++)
        for (int j = 0; j < 2; j++)
            if (b->net->layer[i].in[j] == 0 && b->net->layer[i].op != OP_CONV)
                flat = false;
    return flat;
}

static int plan_layers(struct planner *b)
{
    struct infer *p = b->p;
    const struct net *net = b->net;
    count_uses(b);
    for (int i = 0; i < net->layers; i++)
        b->value_of[i] = -1;
    b->value_of[0] = p->input = new_value(p, false, net_input(net), border_for(b, 0), flat_input(b));
    for (int i = 1; i < net->layers; i++)
        if (b->value_of[i] < 0 && b->uses[i] + (i == net->layers - 1) > 0) {
            bool covered = false; /* a layer in the middle of a fused step has no value */
            for (int j = 0; j < 2; j++) {
                int in = net->layer[i].in[j];
                covered |= in >= 0 && b->value_of[in] < 0;
            }
            if (covered)
                continue;
            if (plan_layer(b, i) < 0)
                return -1;
        }
    p->output = rows_input(b, net->layers - 1);
    p->value[p->output].last = p->steps;
    return 0;
}

/* Room for a group of images in the values that steps of groups read and write. Such values must not
 * share a place with those of the steps before, which run again for each image. */
static void size_groups(struct infer *p)
{
    for (int i = 0; i < p->steps; i++) {
        const struct step *s = &p->step[i];
        int used[3] = {s->x, s->x2, s->y};
        for (int j = 0; s->phase == OF_GROUP && j < 3; j++) {
            struct value *v = used[j] < 0 ? NULL : &p->value[used[j]];
            if (!v || v->rows || v->image)
                continue;
            v->image = v->size;
            v->size *= p->group;
            if (used[j] != s->y)
                v->born = 0;
        }
    }
}

/* Give every value its place in the arena: the lowest that no living value has. Values with a border
 * keep their place for good, since the border is filled only once. */
static void place_values(struct infer *p)
{
    for (int i = 0; i < p->values; i++) {
        struct value *v = &p->value[i];
        if (v->rows || has_border(v->border)) {
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

/* Borders that are not zero. */
static void fill_borders(struct infer *p, float *arena)
{
    for (int i = 0; i < p->steps; i++) {
        const struct value *v = &p->value[p->step[i].y];
        if (p->step[i].kind == STEP_PAD)
            for (long j = 0; j < v->size; j++)
                arena[v->place + j] = p->step[i].fill;
    }
}

static int alloc_arenas(struct infer *p, struct err *e)
{
    int n = threads_count(p->threads);
    p->arena = calloc((size_t)n, sizeof *p->arena);
    for (int t = 0; p->arena && t < n; t++) {
        p->arena[t] = pages_take(p->pages, (size_t)p->arena_size);
        if (!p->arena[t])
            return err_set(e, "out of memory");
        fill_borders(p, p->arena[t]);
    }
    return p->arena ? 0 : err_set(e, "out of memory");
}

static int make_plan(struct infer *p, const struct net *net, struct err *e)
{
    size_t n = (size_t)net->layers;
    int *memory = calloc(3 * n, sizeof *memory);
    struct planner b = {.net = net, .p = p, .uses = memory, .e = e};
    p->value = calloc(3 * n + 3, sizeof *p->value);
    p->step = calloc(3 * n + 3, sizeof *p->step);
    int failed = -1;
    if (!memory || !p->value || !p->step) {
        err_set(e, "out of memory");
    } else {
        b.reader = memory + n;
        b.value_of = memory + 2 * n;
        failed = plan_layers(&b);
    }
    free(memory);
    if (failed)
        return -1;
    size_groups(p);
    place_values(p);
    p->scratch = p->arena_size;
    p->arena_size += p->scratch_size;
    return alloc_arenas(p, e);
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
    p->chunk = share < CHUNK ? share : CHUNK;
    p->group = p->chunk < GROUP ? p->chunk : GROUP;
    p->outputs = net_outputs(net);
    p->input_size = (long)net_input(net).c * net_input(net).h * net_input(net).w;
    p->int8 = int8_new(net, p->chunk, threads_count(t), kernel8_best(k));
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
    int8_free(p->int8);
    for (int i = 0; p->step && i < p->steps; i++)
        free(p->step[i].offset);
    pages_free(p->pages);
    free(p->arena);
    free(p->step);
    free(p->value);
    free(p);
}

/* ---- Running it ---- */

/* Where value v of image i of a group is. */
static float *value_at(const struct infer *p, float *arena, int v, int i)
{
    return arena + p->value[v].place + i * p->value[v].image;
}

/* The blocks of a value that a pointwise step goes over: `count` of them, each of rows x pixels. */
struct walk {
    int count, rows, pixels;
    long row, block, origin;
};

static struct walk walk_of(const struct value *v, int chunk, int n)
{
    if (v->rows)
        return (struct walk){rows_blocks(v->shape), 1, n, 0, (long)chunk * BLOCK, 0};
    const struct layout *l = &v->layout;
    return (struct walk){l->blocks, l->shape.h, l->shape.w, l->row, l->block, l->origin};
}

static void run_pointwise(const struct infer *p, const struct step *s, const float *x,
                          const float *x2, float *y, int n)
{
    struct walk from = walk_of(&p->value[s->x], p->chunk, n);
    struct walk to = walk_of(&p->value[s->y], p->chunk, n);
    struct walk from2 = s->x2 < 0 ? from : walk_of(&p->value[s->x2], p->chunk, n);
    for (int b = 0; b < to.count; b++) {
        const float *xb = x + from.origin + b * from.block;
        float *yb = y + to.origin + b * to.block;
        if (s->kind == STEP_RELU)
            p->k->relu(to.rows, to.pixels, xb, from.row, yb, to.row);
        else if (s->kind == STEP_ADD)
            p->k->add(to.rows, to.pixels, xb, from.row, x2 + from2.origin + b * from2.block,
                      from2.row, s->relu, yb, to.row);
        else
            p->k->affine(to.rows, to.pixels, xb, from.row, s->memory + b * BLOCK,
                         s->memory + (to.count + b) * BLOCK, yb, to.row);
    }
}

static void run_pool(const struct infer *p, const struct step *s, const float *x, float *y)
{
    const struct layout *from = &p->value[s->x].layout, *to = &p->value[s->y].layout;
    for (int b = 0; b < to->blocks; b++) {
        const float *xb = x + s->start + b * from->block;
        float *yb = y + to->origin + b * to->block;
        if (s->kind == STEP_MAXPOOL)
            p->k->maxpool(&s->pool, xb, yb);
        else
            p->k->sumpool(&s->pool, s->factor, xb, yb);
    }
}

static void run_pad(const struct infer *p, const struct step *s, const float *x, float *y)
{
    const struct layout *from = &p->value[s->x].layout, *to = &p->value[s->y].layout;
    size_t bytes = (size_t)(from->shape.w * from->pixel) * sizeof(float);
    for (int b = 0; b < from->blocks; b++)
        for (int r = 0; r < from->shape.h; r++)
            memcpy(y + to->origin + b * to->block + r * to->row,
                   x + from->origin + b * from->block + r * from->row, bytes);
}

/* The channels of block b that are used. */
static int lanes_of(const struct value *v, int b)
{
    struct shape s = v->shape;
    long first = (long)b * BLOCK, all = s.c;
    if (v->rows && s.c < BLOCK)
        all = (long)s.c * s.h * s.w;
    else if (v->rows)
        first = (long)b / (s.h * s.w) * BLOCK;
    return all - first < BLOCK ? (int)(all - first) : BLOCK;
}

static float each(const struct layer *l, float x)
{
    switch (l->op) {
    case OP_LEAKYRELU:
        return x < 0 ? l->alpha * x : x;
    case OP_SIGMOID:
        return 1 / (1 + expf(-x));
    case OP_TANH:
        return tanhf(x);
    case OP_CLIP:
        return fminf(fmaxf(x, l->low), l->high);
    case OP_SQRT:
        return sqrtf(x);
    case OP_RECIPROCAL:
        return 1 / x;
    case OP_QUANTIZE:
        return l->alpha * fminf(fmaxf(rintf(x / l->alpha), l->low), l->high);
    default:
        return x;
    }
}

static void run_each(const struct infer *p, const struct step *s, const float *x, float *y, int n)
{
    struct walk from = walk_of(&p->value[s->x], p->chunk, n);
    struct walk to = walk_of(&p->value[s->y], p->chunk, n);
    for (int b = 0; b < to.count; b++) {
        int lanes = lanes_of(&p->value[s->y], b);
        for (int r = 0; r < to.rows; r++) {
            const float *xr = x + from.origin + b * from.block + r * from.row;
            float *yr = y + to.origin + b * to.block + r * to.row;
            for (long i = 0; i < (long)to.pixels * BLOCK; i++)
                yr[i] = i % BLOCK < lanes ? each(&s->layer, xr[i]) : 0;
        }
    }
}

/* One pixel of a pool, from block `x` of an image: the window's cells that are inside it. */
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

/* The picture with alpha around it. */
static void run_surround(const struct infer *p, const struct step *s, const float *x, float *y)
{
    const struct layout *from = &p->value[s->x].layout, *to = &p->value[s->y].layout;
    size_t bytes = (size_t)from->shape.w * BLOCK * sizeof(float);
    for (int b = 0; b < to->blocks; b++)
        for (int r = 0; r < to->shape.h; r++) {
            float *yr = y + to->origin + b * to->block + r * to->row;
            int h = r - s->layer.pad_top;
            for (long i = 0; i < (long)to->shape.w * BLOCK; i++)
                yr[i] = s->layer.alpha;
            if (h >= 0 && h < from->shape.h)
                memcpy(yr + s->layer.pad_left * BLOCK,
                       x + from->origin + b * from->block + h * from->row, bytes);
        }
}

static void run_conv(const struct infer *p, const struct step *s, const float *x, float *y, int n)
{
    const struct value *to = &p->value[s->y];
    struct conv v = s->conv;
    if (to->rows)
        v.pixels = n;
    p->k->conv(&v, x + s->start, y + (to->rows ? 0 : to->layout.origin));
}

static void run_winograd(const struct infer *p, const struct step *s, const float *x, float *y,
                         float *scratch, int n)
{
    struct winograd v = s->winograd;
    v.images = n;
    v.scratch = scratch;
    p->k->winograd(&v, x + s->start, y + p->value[s->y].layout.origin);
}

/* One step: on image i of a group, or, where its output is rows, on n images (STEP_ROWS: on image i
 * of a group, which is image `row` of the chunk). STEP_WINOGRAD: on n images from i on. */
static void run_step(const struct infer *p, const struct step *s, float *arena, int i, int row, int n)
{
    const struct layout *from = &p->value[s->x].layout, *to = &p->value[s->y].layout;
    const float *x = value_at(p, arena, s->x, i);
    const float *x2 = s->x2 < 0 ? NULL : value_at(p, arena, s->x2, i);
    float *y = value_at(p, arena, s->y, i);
    switch (s->kind) {
    case STEP_CONV:
        run_conv(p, s, x, y, n);
        break;
    case STEP_WINOGRAD:
        run_winograd(p, s, x, y, arena + p->scratch, n);
        break;
    case STEP_AFFINE:
    case STEP_RELU:
    case STEP_ADD:
        run_pointwise(p, s, x, x2, y, n);
        break;
    case STEP_MAXPOOL:
    case STEP_SUMPOOL:
        run_pool(p, s, x, y);
        break;
    case STEP_PAD:
        run_pad(p, s, x, y);
        break;
    case STEP_ROWS:
        rows_put(from, x, y, p->chunk, row);
        break;
    case STEP_EACH:
        run_each(p, s, x, y, n);
        break;
    case STEP_ANYPOOL:
        run_anypool(p, s, x, y);
        break;
    case STEP_SURROUND:
        run_surround(p, s, x, y);
        break;
    case STEP_UNBLOCK:
        layout_get(from, x, y);
        break;
    case STEP_BLOCK:
        memset(y, 0, (size_t)to->size * sizeof *y);
        layout_put(to, x, y);
        break;
    }
}

/* A group of n images, the chunk's from `first` on. */
static void run_group(const struct infer *p, const float *pixels, float *arena, int first, int n)
{
    const struct value *in = &p->value[p->input];
    for (int i = 0; i < n; i++) {
        layout_put(&in->layout, pixels + i * p->input_size, value_at(p, arena, p->input, i));
        for (int s = 0; s < p->steps; s++)
            if (p->step[s].phase == OF_IMAGE)
                run_step(p, &p->step[s], arena, i, first + i, 1);
    }
    for (int s = 0; s < p->steps; s++) {
        bool at_once = p->step[s].kind == STEP_WINOGRAD;
        for (int i = 0; p->step[s].phase == OF_GROUP && i < (at_once ? 1 : n); i++)
            run_step(p, &p->step[s], arena, i, first + i, at_once ? n : 1);
    }
}

/* A chunk of images. */
static void run_chunk(void *arg, int item, int thread)
{
    const struct infer *p = arg;
    int first = item * p->share, n = p->n - first < p->share ? p->n - first : p->share;
    if (p->int8) {
        int8_run(p->int8, thread, p->x + first * p->input_size, n,
                 p->logits + (long)first * p->outputs);
        return;
    }
    float *arena = p->arena[thread];
    const struct value *out = &p->value[p->output];
    for (int i = 0; i < n; i += p->group)
        run_group(p, p->x + (first + i) * p->input_size, arena, i, n - i < p->group ? n - i : p->group);
    for (int s = 0; s < p->steps; s++)
        if (p->step[s].phase == OF_ROWS)
            run_step(p, &p->step[s], arena, 0, 0, n);
    for (int i = 0; i < n; i++)
        for (long k = 0; k < p->outputs; k++) {
            long at = rows_at(out->shape, k);
            p->logits[(first + i) * p->outputs + k] =
                arena[out->place + (at / BLOCK * p->chunk + i) * BLOCK + at % BLOCK];
        }
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

void softmax(const float *logits, int k, double temperature, double *p)
{
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < k; i++)
        most = fmax(most, logits[i]);
    for (int i = 0; i < k; i++)
        sum += p[i] = exp((logits[i] - most) / temperature);
    for (int i = 0; i < k; i++)
        p[i] /= sum;
}
