#include "net.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "rng.h"

#define NET_MAX_TEXT (1L << 20) /* bytes in a .net */
#define MAX_WORDS 24            /* words in one of its lines */

static const char *const op_names[OP_COUNT] = {
    [OP_INPUT] = "input",
    [OP_CONV] = "conv",
    [OP_DENSE] = "dense",
    [OP_BATCHNORM] = "batchnorm",
    [OP_RELU] = "relu",
    [OP_MAXPOOL] = "maxpool",
    [OP_AVGPOOL] = "avgpool",
    [OP_GLOBALPOOL] = "globalpool",
    [OP_DROPOUT] = "dropout",
    [OP_FLATTEN] = "flatten",
    [OP_ADD] = "add",
    [OP_SOFTMAX] = "softmax",
    [OP_RESHAPE] = "reshape",
    [OP_LEAKYRELU] = "leakyrelu",
    [OP_SIGMOID] = "sigmoid",
    [OP_TANH] = "tanh",
    [OP_CLIP] = "clip",
    [OP_SQRT] = "sqrt",
    [OP_RECIPROCAL] = "reciprocal",
    [OP_PAD] = "pad",
    [OP_QUANTIZE] = "quantize",
};

const char *op_name(enum op op)
{
    return op_names[op];
}

int op_inputs(enum op op)
{
    return op == OP_INPUT ? 0 : op == OP_ADD ? 2 : 1;
}

/* ---- Shapes ---- */

static long shape_size(struct shape s)
{
    return (long)s.c * s.h * s.w;
}

static bool same_shape(struct shape a, struct shape b)
{
    return a.c == b.c && a.h == b.h && a.w == b.w;
}

static bool dim_ok(int n)
{
    return n >= 1 && n <= NET_MAX_DIM;
}

/* Each dimension is at most 2^16, so the product of three fits a long. */
static int check_shape(struct shape s, struct err *e)
{
    if (!dim_ok(s.c) || !dim_ok(s.h) || !dim_ok(s.w))
        return err_set(e, "a shape of %dx%dx%d: each side must be 1..%d", s.c, s.h, s.w,
                       NET_MAX_DIM);
    if (shape_size(s) > NET_MAX_TENSOR)
        return err_set(e, "%dx%dx%d is more than %ld values", s.c, s.h, s.w, NET_MAX_TENSOR);
    return 0;
}

/* How often a window of `size` cells, `dilation` apart, fits into `in` cells padded before and
 * after, `stride` apart; 0 when it does not. */
static int window_count(int in, int size, int stride, int dilation, int before, int after)
{
    long room = (long)in + before + after - ((long)(size - 1) * dilation + 1);
    return room < 0 ? 0 : (int)(room / stride + 1);
}

static bool pads_ok(const struct layer *l)
{
    const int pads[] = {l->pad_top, l->pad_left, l->pad_bottom, l->pad_right};
    for (int i = 0; i < 4; i++)
        if (pads[i] < 0 || pads[i] > NET_MAX_DIM)
            return false;
    return true;
}

static int infer_window(const struct layer *l, struct shape in, struct shape *out, struct err *e)
{
    if (!dim_ok(l->r) || !dim_ok(l->s) || !dim_ok(l->stride_h) || !dim_ok(l->stride_w) ||
        !dim_ok(l->dilation_h) || !dim_ok(l->dilation_w))
        return err_set(e, "window, stride and dilation must be 1..%d", NET_MAX_DIM);
    if (!pads_ok(l))
        return err_set(e, "padding must be 0..%d", NET_MAX_DIM);
    out->h = window_count(in.h, l->r, l->stride_h, l->dilation_h, l->pad_top, l->pad_bottom);
    out->w = window_count(in.w, l->s, l->stride_w, l->dilation_w, l->pad_left, l->pad_right);
    if (!out->h || !out->w)
        return err_set(e, "a %dx%d window does not fit into %dx%d", l->r, l->s, in.h, in.w);
    return 0;
}

static int infer_conv(const struct layer *l, struct shape in, struct shape *out, struct err *e)
{
    if (l->groups < 1 || in.c % l->groups || out->c % l->groups)
        return err_set(e, "%d groups do not divide %d channels in and %d out", l->groups, in.c,
                       out->c);
    return infer_window(l, in, out, e);
}

/* A pool whose window lies in the padding alone would have no value. */
static int infer_pool(const struct layer *l, struct shape in, struct shape *out, struct err *e)
{
    long rows = (long)(l->r - 1) * l->dilation_h + 1, columns = (long)(l->s - 1) * l->dilation_w + 1;
    if (l->pad_top >= rows || l->pad_bottom >= rows || l->pad_left >= columns ||
        l->pad_right >= columns)
        return err_set(e, "padding must be smaller than the window");
    out->c = in.c;
    return infer_window(l, in, out, e);
}

static int infer_add(const struct net *net, const struct layer *l, struct shape *out,
                     struct err *e)
{
    struct shape a = net->layer[l->in[0]].out, b = net->layer[l->in[1]].out;
    if (!same_shape(a, b))
        return err_set(e, "cannot add %dx%dx%d and %dx%dx%d", a.c, a.h, a.w, b.c, b.h, b.w);
    *out = a;
    return 0;
}

static int infer_pad(const struct layer *l, struct shape in, struct shape *out, struct err *e)
{
    if (!pads_ok(l))
        return err_set(e, "padding must be 0..%d", NET_MAX_DIM);
    *out = (struct shape){in.c, in.h + l->pad_top + l->pad_bottom,
                          in.w + l->pad_left + l->pad_right};
    return 0;
}

static int infer_flat(struct shape in, struct shape *out, struct err *e)
{
    if (shape_size(in) > NET_MAX_DIM)
        return err_set(e, "flattening %dx%dx%d gives more than %d channels", in.c, in.h, in.w,
                       NET_MAX_DIM);
    *out = (struct shape){(int)shape_size(in), 1, 1};
    return 0;
}

static int infer_reshape(struct shape in, struct shape out, struct err *e)
{
    if (check_shape(out, e))
        return -1;
    if (shape_size(in) != shape_size(out))
        return err_set(e, "%dx%dx%d values cannot be %dx%dx%d", in.c, in.h, in.w, out.c, out.h,
                       out.w);
    return 0;
}

/* The output's shape from those of the inputs. */
static int infer_op(struct net *net, struct layer *l, struct err *e)
{
    struct shape in = net->layer[l->in[0]].out;
    switch (l->op) {
    case OP_CONV:
        return infer_conv(l, in, &l->out, e);
    case OP_DENSE:
        l->out.h = l->out.w = 1;
        return 0;
    case OP_MAXPOOL:
    case OP_AVGPOOL:
        return infer_pool(l, in, &l->out, e);
    case OP_GLOBALPOOL:
        l->out = (struct shape){in.c, 1, 1};
        return 0;
    case OP_FLATTEN:
        return infer_flat(in, &l->out, e);
    case OP_ADD:
        return infer_add(net, l, &l->out, e);
    case OP_RESHAPE:
        return infer_reshape(in, l->out, e);
    case OP_PAD:
        return infer_pad(l, in, &l->out, e);
    default:
        l->out = in;
        return 0;
    }
}

int net_infer_layer(struct net *net, int i, struct err *e)
{
    struct layer *l = &net->layer[i];
    if ((l->op == OP_INPUT) != (i == 0))
        return err_set(e, "input must be the first layer, and only that");
    for (int j = 0; j < op_inputs(l->op); j++)
        if (l->in[j] < 0 || l->in[j] >= i)
            return err_set(e, "a layer must read layers before it");
    if (l->op == OP_INPUT)
        return check_shape(l->out, e);
    if (infer_op(net, l, e) || check_shape(l->out, e))
        return -1;
    if (net_weight_count(net, i) > NET_MAX_TENSOR)
        return err_set(e, "more than %ld weights in one layer", NET_MAX_TENSOR);
    return 0;
}

/* The sums over the whole net. Each term is bounded by net_infer_layer, and the count of layers too,
 * so that they fit. */
static int check_totals(const struct net *net, struct err *e)
{
    long values = 0, weights = 0;
    for (int i = 0; i < net->layers; i++) {
        values += shape_size(net->layer[i].out);
        weights += net_weight_count(net, i) + 4 * net_channels(net, i);
    }
    if (values > NET_MAX_TOTAL || weights > NET_MAX_TOTAL)
        return err_set(e, "the net is too large: more than %ld %s", NET_MAX_TOTAL,
                       values > NET_MAX_TOTAL ? "values an image" : "weights");
    return 0;
}

int net_infer_shapes(struct net *net, struct err *e)
{
    if (net->layers < 1 || net->layers > NET_MAX_LAYERS)
        return err_set(e, "a net has 1..%d layers, not %d", NET_MAX_LAYERS, net->layers);
    for (int i = 0; i < net->layers; i++) {
        struct err why = ERR_NONE;
        const struct layer *l = &net->layer[i];
        if (net_infer_layer(net, i, &why))
            return err_set(e, "layer %d (%s%s%s): %s", i, op_name(l->op), l->name[0] ? " " : "",
                           l->name, why.what);
    }
    return check_totals(net, e);
}

/* ---- Counts ---- */

/* With out.c and the kernel within NET_MAX_DIM the product can pass a long's range only when it is
 * far beyond NET_MAX_TENSOR: it is cut off there. */
long net_weight_count(const struct net *net, int layer)
{
    const struct layer *l = &net->layer[layer];
    if (l->op != OP_CONV && l->op != OP_DENSE)
        return 0;
    struct shape in = net->layer[l->in[0]].out;
    long count = l->op == OP_DENSE ? shape_size(in) : (long)(in.c / l->groups) * l->r;
    if (count > NET_MAX_TENSOR)
        return NET_MAX_TENSOR + 1;
    if (l->op == OP_CONV)
        count *= l->s;
    if (count > NET_MAX_TENSOR)
        return NET_MAX_TENSOR + 1;
    return count * l->out.c;
}

long net_channels(const struct net *net, int layer)
{
    const struct layer *l = &net->layer[layer];
    return l->op == OP_CONV || l->op == OP_DENSE || l->op == OP_BATCHNORM ? l->out.c : 0;
}

long net_param_count(const struct net *net)
{
    long count = 0;
    for (int i = 0; i < net->layers; i++) {
        const struct layer *l = &net->layer[i];
        int arrays = !!l->bias + !!l->scale + !!l->shift;
        count += net_weight_count(net, i) + arrays * net_channels(net, i);
    }
    return count;
}

long net_multiplies(const struct net *net)
{
    long count = 0;
    for (int i = 0; i < net->layers; i++)
        count += net_weight_count(net, i) * net->layer[i].out.h * net->layer[i].out.w;
    return count;
}

struct shape net_input(const struct net *net)
{
    return net->layer[0].out;
}

int net_outputs(const struct net *net)
{
    return (int)shape_size(net->layer[net->layers - 1].out);
}

/* ---- Memory ---- */

void net_free(struct net *net)
{
    if (!net)
        return;
    for (int i = 0; i < net->layers; i++) {
        struct layer *l = &net->layer[i];
        float *owned[] = {l->weight, l->bias, l->step, l->scale, l->shift, l->mean, l->var};
        for (size_t j = 0; j < sizeof owned / sizeof *owned; j++)
            free(owned[j]);
    }
    for (int i = 0; i < net->metas; i++) {
        free(net->meta[i].key);
        free(net->meta[i].value);
    }
    free(net->layer);
    free(net->meta);
    free(net);
}

static int copy_floats(float **to, const float *from, long count)
{
    if (!from)
        return 0;
    *to = malloc((size_t)count * sizeof **to);
    if (!*to)
        return -1;
    memcpy(*to, from, (size_t)count * sizeof **to);
    return 0;
}

static int copy_layer(struct net *to, const struct net *from, int i)
{
    const struct layer *l = &from->layer[i];
    struct layer *copy = &to->layer[i];
    *copy = *l;
    copy->weight = copy->bias = copy->step = NULL;
    copy->scale = copy->shift = copy->mean = copy->var = NULL;
    long k = net_channels(from, i);
    return copy_floats(&copy->weight, l->weight, net_weight_count(from, i)) ||
           copy_floats(&copy->step, l->step, net_channels(from, i)) ||
                   copy_floats(&copy->bias, l->bias, k) || copy_floats(&copy->scale, l->scale, k) ||
                   copy_floats(&copy->shift, l->shift, k) || copy_floats(&copy->mean, l->mean, k) ||
                   copy_floats(&copy->var, l->var, k)
               ? -1
               : 0;
}

struct net *net_copy(const struct net *net, struct err *e)
{
    struct net *copy = calloc(1, sizeof *copy);
    if (!copy || !(copy->layer = calloc((size_t)net->layers, sizeof *copy->layer)))
        goto fail;
    for (int i = 0; i < net->layers; i++) {
        copy->layers = i + 1;
        if (copy_layer(copy, net, i))
            goto fail;
    }
    for (int i = 0; i < net->metas; i++)
        if (net_set_meta(copy, net->meta[i].key, net->meta[i].value, NULL))
            goto fail;
    return copy;
fail:
    net_free(copy);
    err_set(e, "out of memory");
    return NULL;
}

static int fill_new(float **array, long count, float value)
{
    if (*array)
        return 0;
    *array = calloc((size_t)count, sizeof **array);
    if (!*array)
        return -1;
    for (long i = 0; i < count && value != 0; i++)
        (*array)[i] = value;
    return 0;
}

int net_alloc_params(struct net *net, const bool *with_bias, struct err *e)
{
    for (int i = 0; i < net->layers; i++) {
        struct layer *l = &net->layer[i];
        long k = net_channels(net, i);
        int status = 0;
        if (l->op == OP_CONV || l->op == OP_DENSE) {
            status = fill_new(&l->weight, net_weight_count(net, i), 0);
            if (!status && (!with_bias || with_bias[i]))
                status = fill_new(&l->bias, k, 0);
        } else if (l->op == OP_BATCHNORM) {
            status = fill_new(&l->scale, k, 1) || fill_new(&l->shift, k, 0) ||
                     fill_new(&l->mean, k, 0) || fill_new(&l->var, k, 1);
        }
        if (status)
            return err_set(e, "out of memory");
    }
    return 0;
}

/* ---- First weights ---- */

/* True when layer i's output goes into a relu, at once or after a batch norm. */
static bool feeds_relu(const struct net *net, int i)
{
    for (int j = i + 1; j < net->layers; j++) {
        const struct layer *l = &net->layer[j];
        if (l->in[0] != i)
            continue;
        if (l->op == OP_RELU || (l->op == OP_BATCHNORM && feeds_relu(net, j)))
            return true;
    }
    return false;
}

static void init_weights(struct net *net, int i, struct rng rng)
{
    struct layer *l = &net->layer[i];
    long count = net_weight_count(net, i);
    double in = (double)count / l->out.c;
    double out = l->op == OP_DENSE ? l->out.c : (double)l->out.c / l->groups * l->r * l->s;
    if (feeds_relu(net, i)) {
        double deviation = sqrt(2 / in);
        for (long j = 0; j < count; j++)
            l->weight[j] = (float)(deviation * rng_normal(&rng));
    } else {
        double limit = sqrt(6 / (in + out));
        for (long j = 0; j < count; j++)
            l->weight[j] = (float)rng_range(&rng, -limit, limit);
    }
}

void net_init(struct net *net, uint64_t seed)
{
    for (int i = 0; i < net->layers; i++) {
        struct layer *l = &net->layer[i];
        long k = net_channels(net, i);
        if (l->weight)
            init_weights(net, i, rng_seed(seed, (uint64_t)i));
        for (long j = 0; j < k; j++) {
            if (l->bias)
                l->bias[j] = 0;
            if (l->op == OP_BATCHNORM) {
                l->scale[j] = l->var[j] = 1;
                l->shift[j] = l->mean[j] = 0;
            }
        }
    }
}

/* ---- Metadata ---- */

static struct meta *find_meta(const struct net *net, const char *key)
{
    for (int i = 0; i < net->metas; i++)
        if (!strcmp(net->meta[i].key, key))
            return &net->meta[i];
    return NULL;
}

const char *net_meta(const struct net *net, const char *key)
{
    const struct meta *m = find_meta(net, key);
    return m ? m->value : NULL;
}

double net_meta_number(const struct net *net, const char *key, double otherwise)
{
    const char *value = net_meta(net, key);
    if (!value)
        return otherwise;
    char *end;
    double number = strtod(value, &end);
    return end == value || *end || !isfinite(number) ? otherwise : number;
}

int net_set_meta(struct net *net, const char *key, const char *value, struct err *e)
{
    char *copy = strdup(value);
    struct meta *m = find_meta(net, key);
    if (copy && m) {
        free(m->value);
        m->value = copy;
        return 0;
    }
    char *key_copy = strdup(key);
    struct meta *more = realloc(net->meta, ((size_t)net->metas + 1) * sizeof *more);
    if (more)
        net->meta = more;
    if (!copy || !key_copy || !more) {
        free(copy);
        free(key_copy);
        return err_set(e, "out of memory");
    }
    net->meta[net->metas++] = (struct meta){key_copy, copy};
    // cppcheck-suppress memleak ; both are the meta's
    return 0;
}

/* ---- The .net text ---- */

struct parser {
    struct net *net;
    int line;                      /* the one at hand, from 1 */
    int current;                   /* the layer whose value the next line reads; -1: none yet */
    char *word[MAX_WORDS];         /* the line's words */
    int words, next;               /* how many, and the first not yet taken */
    int line_of[NET_MAX_LAYERS];   /* the line a layer is from */
    bool with_bias[NET_MAX_LAYERS];
    struct err *e;
};

__attribute__((format(printf, 2, 3))) static int fail(struct parser *p, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return err_set(p->e, "line %d: %s", p->line, what);
}

/* A number of digits only, low..high. Returns false when it is not. */
static bool read_int(const char *text, int low, int high, int *value)
{
    long n = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || n > high)
            return false;
        n = n * 10 + (*text - '0');
    }
    *value = (int)n;
    return n >= low && n <= high;
}

static const char *take(struct parser *p)
{
    return p->next < p->words ? p->word[p->next++] : NULL;
}

static bool take_word(struct parser *p, const char *word)
{
    if (p->next == p->words || strcmp(p->word[p->next], word))
        return false;
    p->next++;
    return true;
}

static int take_int(struct parser *p, const char *what, int low, int high, int *value)
{
    const char *text = take(p);
    if (!text)
        return fail(p, "%s: a number is missing", what);
    if (!read_int(text, low, high, value))
        return fail(p, "%s: '%.40s' is not a whole number %d..%d", what, text, low, high);
    return 0;
}

/* RxS; where `one_will_do`, N means NxN. */
static int take_size(struct parser *p, const char *what, bool one_will_do, int *r, int *s)
{
    const char *text = take(p);
    if (!text)
        return fail(p, "%s: a size is missing", what);
    char copy[32];
    snprintf(copy, sizeof copy, "%s", text);
    char *x = strchr(copy, 'x');
    if (x)
        *x++ = '\0';
    if (strlen(text) >= sizeof copy || (!x && !one_will_do) ||
        !read_int(copy, 1, NET_MAX_DIM, r) || !read_int(x ? x : copy, 1, NET_MAX_DIM, s))
        return fail(p, "%s: '%.40s' is not a size such as 3x3, each 1..%d", what, text,
                    NET_MAX_DIM);
    return 0;
}

/* A decimal number in [low, high). */
static int take_real(struct parser *p, const char *what, double low, double high, float *value)
{
    const char *text = take(p);
    if (!text)
        return fail(p, "%s: a number is missing", what);
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || strspn(text, "0123456789.eE+-") != strlen(text) ||
        !(number >= low && number < high))
        return fail(p, "%s: '%.40s' is not a number of at least %g and below %g", what, text, low,
                    high);
    *value = (float)number;
    return 0;
}

static int unknown_word(struct parser *p)
{
    return fail(p, "%s: unknown word '%.40s'", p->word[0], p->word[p->next]);
}

/* Padding that makes the output ceil(in / stride): half of it before, the odd one after. */
static void pad_same(int in, int size, int stride, int dilation, int *before, int *after)
{
    long out = (in + stride - 1L) / stride;
    long total = (out - 1) * stride + (long)(size - 1) * dilation + 1 - in;
    *before = total > 0 ? (int)(total / 2) : 0;
    *after = total > 0 ? (int)(total - total / 2) : 0;
}

static int take_pad(struct parser *p, struct layer *l, bool *same)
{
    *same = take_word(p, "same");
    if (*same)
        return 0;
    if (take_int(p, "pad", 0, NET_MAX_DIM, &l->pad_top))
        return -1;
    l->pad_left = l->pad_bottom = l->pad_right = l->pad_top;
    return 0;
}

static int parse_input(struct parser *p, struct layer *l)
{
    return take_int(p, "channels", 1, NET_MAX_DIM, &l->out.c) ||
                   take_int(p, "height", 1, NET_MAX_DIM, &l->out.h) ||
                   take_int(p, "width", 1, NET_MAX_DIM, &l->out.w)
               ? -1
               : 0;
}

/* conv K RxS [stride N|NxM] [pad N|same] [dilation N] [groups N] [nobias] */
static int parse_conv(struct parser *p, struct layer *l)
{
    bool same = false, *with_bias = &p->with_bias[l - p->net->layer];
    *with_bias = true;
    if (take_int(p, "channels", 1, NET_MAX_DIM, &l->out.c) ||
        take_size(p, "kernel", false, &l->r, &l->s))
        return -1;
    while (p->next < p->words) {
        int status = 0;
        if (take_word(p, "stride"))
            status = take_size(p, "stride", true, &l->stride_h, &l->stride_w);
        else if (take_word(p, "pad"))
            status = take_pad(p, l, &same);
        else if (take_word(p, "dilation"))
            status = take_size(p, "dilation", true, &l->dilation_h, &l->dilation_w);
        else if (take_word(p, "groups"))
            status = take_int(p, "groups", 1, NET_MAX_DIM, &l->groups);
        else if (take_word(p, "nobias"))
            *with_bias = false;
        else
            return unknown_word(p);
        if (status)
            return -1;
    }
    if (same) {
        struct shape in = p->net->layer[p->current].out;
        pad_same(in.h, l->r, l->stride_h, l->dilation_h, &l->pad_top, &l->pad_bottom);
        pad_same(in.w, l->s, l->stride_w, l->dilation_w, &l->pad_left, &l->pad_right);
    }
    return 0;
}

/* maxpool RxS [stride N|NxM] [pad N|same]; the stride is the window unless given */
static int parse_pool(struct parser *p, struct layer *l)
{
    bool same = false;
    if (take_size(p, "window", false, &l->r, &l->s))
        return -1;
    l->stride_h = l->r;
    l->stride_w = l->s;
    while (p->next < p->words) {
        int status = 0;
        if (take_word(p, "stride"))
            status = take_size(p, "stride", true, &l->stride_h, &l->stride_w);
        else if (take_word(p, "pad"))
            status = take_pad(p, l, &same);
        else
            return unknown_word(p);
        if (status)
            return -1;
    }
    if (same) {
        struct shape in = p->net->layer[p->current].out;
        pad_same(in.h, l->r, l->stride_h, 1, &l->pad_top, &l->pad_bottom);
        pad_same(in.w, l->s, l->stride_w, 1, &l->pad_left, &l->pad_right);
    }
    return 0;
}

static int parse_dense(struct parser *p, struct layer *l)
{
    if (take_int(p, "outputs", 1, NET_MAX_DIM, &l->out.c))
        return -1;
    p->with_bias[l - p->net->layer] = !take_word(p, "nobias");
    return 0;
}

static int parse_batchnorm(struct parser *p, struct layer *l)
{
    l->epsilon = 1e-3f;
    l->momentum = .99f;
    while (p->next < p->words) {
        int status;
        if (take_word(p, "epsilon"))
            status = take_real(p, "epsilon", 0, 1, &l->epsilon);
        else if (take_word(p, "momentum"))
            status = take_real(p, "momentum", 0, 1, &l->momentum);
        else
            return unknown_word(p);
        if (status)
            return -1;
    }
    return 0;
}

static int parse_dropout(struct parser *p, struct layer *l)
{
    return take_real(p, "rate", 0, 1, &l->rate);
}

/* The layer that carries a name, or -1. */
static int find_named(const struct parser *p, const char *name)
{
    for (int i = 0; i < p->net->layers; i++)
        if (p->net->layer[i].name[0] && !strcmp(p->net->layer[i].name, name))
            return i;
    return -1;
}

static int take_named(struct parser *p, int *layer)
{
    const char *name = take(p);
    if (!name)
        return fail(p, "%s: a name is missing", p->word[0]);
    *layer = find_named(p, name);
    if (*layer < 0)
        return fail(p, "nothing above is named '%.40s'", name);
    return 0;
}

static int parse_add(struct parser *p, struct layer *l)
{
    return take_named(p, &l->in[1]);
}

static int parse_name(struct parser *p)
{
    const char *name = take(p);
    struct layer *l = &p->net->layer[p->current];
    if (!name)
        return fail(p, "name: a word is missing");
    if (strlen(name) >= sizeof l->name)
        return fail(p, "name: '%.40s...' is longer than %zu letters", name, sizeof l->name - 1);
    if (find_named(p, name) >= 0)
        return fail(p, "the name '%.40s' is taken", name);
    if (l->name[0])
        return fail(p, "this value has the name '%.40s' already", l->name);
    snprintf(l->name, sizeof l->name, "%s", name);
    return 0;
}

static const struct {
    enum op op;
    int (*parse)(struct parser *p, struct layer *l); /* NULL: no operands */
} grammar[] = {
    {OP_INPUT, parse_input},     {OP_CONV, parse_conv},         {OP_DENSE, parse_dense},
    {OP_BATCHNORM, parse_batchnorm}, {OP_RELU, NULL},           {OP_MAXPOOL, parse_pool},
    {OP_AVGPOOL, parse_pool},    {OP_GLOBALPOOL, NULL},         {OP_DROPOUT, parse_dropout},
    {OP_FLATTEN, NULL},          {OP_ADD, parse_add},           {OP_SOFTMAX, NULL},
};

/* What may stand where: input first and once, nothing after softmax. */
static int check_order(struct parser *p, bool is_input)
{
    if (p->current < 0)
        return is_input ? 0 : fail(p, "the first line must be 'input C H W'");
    if (is_input)
        return fail(p, "a second input");
    if (p->net->layer[p->net->layers - 1].op == OP_SOFTMAX)
        return fail(p, "nothing may follow softmax");
    return 0;
}

static int parse_layer(struct parser *p, enum op op, int (*parse)(struct parser *, struct layer *))
{
    struct net *net = p->net;
    if (check_order(p, op == OP_INPUT))
        return -1;
    if (net->layers == NET_MAX_LAYERS)
        return fail(p, "more than %d layers", NET_MAX_LAYERS);
    int i = net->layers;
    struct layer *l = &net->layer[i];
    *l = (struct layer){.op = op, .in = {p->current, -1}, .r = 1, .s = 1, .stride_h = 1,
                        .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .groups = 1};
    if (parse && parse(p, l))
        return -1;
    p->line_of[i] = p->line;
    net->layers++;
    struct err why = ERR_NONE;
    if (net_infer_layer(net, i, &why))
        return fail(p, "%s", why.what);
    p->current = i;
    return 0;
}

static int parse_words(struct parser *p)
{
    int status = 0;
    if (take_word(p, "name") || take_word(p, "from")) {
        if (check_order(p, false))
            return -1;
        status = p->word[0][0] == 'n' ? parse_name(p) : take_named(p, &p->current);
    } else {
        size_t i = 0, n = sizeof grammar / sizeof *grammar;
        while (i < n && !take_word(p, op_name(grammar[i].op)))
            i++;
        if (i == n)
            return fail(p, "unknown word '%.40s'", p->word[0]);
        status = parse_layer(p, grammar[i].op, grammar[i].parse);
    }
    if (status)
        return -1;
    return p->next < p->words ? unknown_word(p) : 0;
}

/* Cut a line (NUL-terminated, changed) into words. */
static int parse_line(struct parser *p, char *line)
{
    char *rest = line;
    line[strcspn(line, "#")] = '\0';
    p->words = p->next = 0;
    for (char *word; (word = strtok_r(rest, " \t\r", &rest));) {
        if (p->words == MAX_WORDS)
            return fail(p, "more than %d words", MAX_WORDS);
        p->word[p->words++] = word;
    }
    return p->words ? parse_words(p) : 0;
}

/* Every value is read by a later layer, but for the last, which is the answer. */
static int check_used(struct parser *p)
{
    const struct net *net = p->net;
    bool used[NET_MAX_LAYERS] = {false};
    for (int i = 1; i < net->layers; i++) {
        used[net->layer[i].in[0]] = true;
        if (net->layer[i].op == OP_ADD)
            used[net->layer[i].in[1]] = true;
    }
    for (int i = 0; i < net->layers - 1; i++)
        if (!used[i]) {
            p->line = p->line_of[i];
            return fail(p, "no later line reads this value");
        }
    if (p->current != net->layers - 1)
        return fail(p, "nothing follows 'from'");
    return check_totals(net, p->e);
}

static int parse_text(struct parser *p, char *text)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        p->line++;
        if (parse_line(p, line))
            return -1;
    }
    if (p->current < 0)
        return fail(p, "no 'input C H W'");
    return check_used(p) || net_alloc_params(p->net, p->with_bias, p->e) ? -1 : 0;
}

struct net *net_parse(const char *text, size_t len, const char *name, struct err *e)
{
    char *copy = NULL;
    struct net *net = NULL;
    struct parser *p = calloc(1, sizeof *p);
    int status = -1;
    if (len > NET_MAX_TEXT)
        err_set(e, "more than %ld bytes", NET_MAX_TEXT);
    else if (memchr(text, '\0', len))
        err_set(e, "not a text");
    else if (!p || !(copy = strndup(text, len)) || !(net = calloc(1, sizeof *net)) ||
             !(net->layer = calloc(NET_MAX_LAYERS, sizeof *net->layer)))
        err_set(e, "out of memory");
    else {
        *p = (struct parser){.net = net, .current = -1, .e = e};
        status = parse_text(p, copy);
    }
    free(copy);
    free(p);
    if (!status)
        return net;
    err_at(e, name, -1);
    net_free(net);
    return NULL;
}

struct net *net_load(const char *name, struct err *e)
{
    uint8_t *text;
    size_t len;
    if (file_load(name, NET_MAX_TEXT, &text, &len, e))
        return NULL;
    struct net *net = net_parse((const char *)text, len, name && strcmp(name, "-") ? name : "-", e);
    free(text);
    return net;
}
