/* Networks in memory: copies, parameters, their first values, metadata.
 *   in   layers whose shapes are known
 *   out  weights drawn from a seed: He et al. 2015 before a relu, Glorot and Bengio 2010 elsewhere */
#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

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
    [OP_BOXES] = "boxes",
    [OP_RESHAPE] = "reshape",
    [OP_POINTWISE] = "pointwise",
    [OP_MUL] = "mul",
    [OP_CONCAT] = "concat",
    [OP_SLICE] = "slice",
    [OP_UPSAMPLE] = "upsample",
    [OP_ZEROSTUFF] = "zerostuff",
    [OP_PAD] = "pad",
    [OP_QUANTIZE] = "quantize",
    [OP_DYNAMIC] = "dynamicquantize",
};

const char *op_name(enum op op)
{
    return op_names[op];
}

int op_inputs(enum op op)
{
    return op == OP_INPUT ? 0 : op == OP_ADD || op == OP_MUL || op == OP_CONCAT ? 2 : 1;
}

/* ---- Memory ---- */

/* The arrays that a layer owns: weights, and what there is of each of its channels. */
#define PARAMS(l) {&(l)->weight, &(l)->bias, &(l)->step, &(l)->scale, &(l)->shift, &(l)->mean, &(l)->var}
#define PARAM_COUNT 7

static long param_size(const struct net *net, int layer, int param)
{
    return param ? net_channels(net, layer) : net_weight_count(net, layer);
}

void net_free_params(struct layer *l)
{
    float **owned[PARAM_COUNT] = PARAMS(l);
    for (int i = 0; i < PARAM_COUNT; i++) {
        free(*owned[i]);
        *owned[i] = NULL;
    }
}

void net_free(struct net *net)
{
    if (!net)
        return;
    for (int i = 0; i < net->layers; i++)
        net_free_params(&net->layer[i]);
    for (int i = 0; i < net->metas; i++) {
        free(net->meta[i].key);
        free(net->meta[i].value);
    }
    free(net->layer);
    free(net->meta);
    free(net);
}

static int copy_layer(struct layer *copy, const struct net *from, int layer)
{
    int status = 0;
    *copy = from->layer[layer];
    float **array[PARAM_COUNT] = PARAMS(copy);
    for (int i = 0; i < PARAM_COUNT; i++) {
        const float *values = *array[i];
        size_t bytes = (size_t)param_size(from, layer, i) * sizeof *values;
        *array[i] = values && !status ? malloc(bytes) : NULL;
        if (*array[i])
            memcpy(*array[i], values, bytes);
        else if (values)
            status = -1;
    }
    return status;
}

struct net *net_copy(const struct net *net, struct err *e)
{
    struct net *copy = calloc(1, sizeof *copy);
    if (!copy || !(copy->layer = calloc((size_t)net->layers, sizeof *copy->layer)))
        goto fail;
    copy->open = net->open;
    for (int i = 0; i < net->layers; i++) {
        copy->layers = i + 1;
        if (copy_layer(&copy->layer[i], net, i))
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

int net_set_labels(struct net *net, int labels, struct err *e)
{
    bool with_bias[NET_MAX_LAYERS];
    for (int i = 0; i < net->layers; i++)
        with_bias[i] = net->layer[i].bias;
    for (int i = net->open; i < net->layers; i++)
        net_free_params(&net->layer[i]);
    net->layer[net->open].out.c = labels;
    return net_infer_shapes(net, e) || net_alloc_params(net, with_bias, e) ? -1 : 0;
}

/* ---- First weights ---- */

/* The first logit of a cell being a centre, which is a probability of 3 %: about as rare as centres are,
 * so that training does not begin with all cells wrong (Lin et al. 2017). */
#define FIRST_CENTRE_LOGIT (-3.5f)

/* True when layer i's output goes into a relu, directly or through batch norms. */
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
    float *map = net_is_finder(net) ? net->layer[net->layer[net->layers - 1].in[0]].bias : NULL;
    if (map)
        map[0] = FIRST_CENTRE_LOGIT;
}

/* ---- Metadata ---- */

/* Where these are something else, probabilities would be wrong without a word. */
static const char *const numbers[] = {"temperature", "input_scale", "input_mean", "input_std"};

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

static bool read_number(const char *text, double *number)
{
    char *end;
    *number = strtod(text, &end);
    return end != text && !*end && isfinite(*number);
}

double net_meta_number(const struct net *net, const char *key, double otherwise)
{
    const char *value = net_meta(net, key);
    double number;
    return value && read_number(value, &number) ? number : otherwise;
}

int net_set_meta(struct net *net, const char *key, const char *value, struct err *e)
{
    double number;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(key, numbers[i]) && !read_number(value, &number))
            return err_set(e, "its metadata %s is '%.40s', which is no number", key, value);
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

bool net_is_finite(const struct net *net, int i)
{
    float **array[PARAM_COUNT] = PARAMS(&net->layer[i]);
    for (int j = 0; j < PARAM_COUNT; j++) {
        long count = *array[j] ? param_size(net, i, j) : 0;
        for (long k = 0; k < count; k++)
            if (!isfinite((*array[j])[k]))
                return false;
    }
    return true;
}

void net_batchnorm(const struct layer *l, long k, float *scale, float *shift)
{
    double a = l->scale[k] / sqrt((double)l->var[k] + l->epsilon);
    *scale = (float)a;
    *shift = (float)(l->shift[k] - a * l->mean[k]);
}
