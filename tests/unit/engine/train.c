/* The trainer: gradients against differences of the loss, the same bits for any number of threads,
 * batch-norm statistics, optimisers. A comparison with PyTorch is in torch.c. */
#include "../check.h"
#include "../nets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "engine/engine.h"

enum { N = 13 }; /* images a batch: shards of one and of two */

struct batch {
    long pixels;
    float *x;
    uint16_t label[64];
};

static void fill_from(void *arg, int i, int thread, float *x)
{
    (void)thread;
    const struct batch *b = arg;
    memcpy(x, b->x + i * b->pixels, (size_t)b->pixels * sizeof *x);
}

static struct batch make_batch(const struct net *net, int n)
{
    struct shape in = net_input(net);
    struct batch b = {.pixels = (long)in.c * in.h * in.w};
    struct rng r = rng_seed(11, 2);
    b.x = malloc((size_t)(n * b.pixels) * sizeof *b.x);
    for (long i = 0; i < n * b.pixels; i++)
        b.x[i] = (float)rng_range(&r, -1, 1);
    for (int i = 0; i < n; i++)
        b.label[i] = (uint16_t)rng_below(&r, (uint32_t)net_outputs(net));
    return b;
}

static struct net *make_net(const struct net_case *c)
{
    struct err e = ERR_NONE;
    struct net *net = net_parse(c->text, strlen(c->text), c->name, &e);
    struct rng r = rng_seed(3, 1);
    if (!net) {
        CHECK(0, "%s: %s", c->name, e.what);
        exit(check_done());
    }
    net_init(net, 7);
    for (int i = 0; i < net->layers; i++) {
        struct layer *l = &net->layer[i];
        for (int k = 0; k < l->out.c; k++) {
            if (l->bias)
                l->bias[k] = (float)rng_range(&r, -0.2, 0.2);
            if (l->op == OP_BATCHNORM) {
                l->scale[k] = (float)rng_range(&r, -1, 2);
                l->shift[k] = (float)rng_range(&r, -0.5, 0.5);
            }
        }
    }
    return net;
}

static const struct train_options plain = {.batch = N, .optimizer = OPT_SGD, .label_smoothing = 0.1,
                                           .seed = 9};

/* One step of plain gradient descent on `net`. Returns the loss before it; `after`, if given, gets
 * the weights after it. */
static double step_once(const struct net *net, const struct train_options *o, struct batch *b,
                        double rate, struct net *after, struct threads *t, const struct kernels *k)
{
    struct err e = ERR_NONE;
    struct trainer *trainer = trainer_new(net, o, t, k, &e);
    if (!trainer) {
        CHECK(0, "trainer: %s", e.what);
        exit(check_done());
    }
    double loss = trainer_step(trainer, fill_from, b, b->label, o->batch, rate).loss;
    if (after)
        trainer_export(trainer, after, false);
    trainer_free(trainer);
    return loss;
}

static double loss_of(const struct net *net, struct batch *b, double rate, struct net *after,
                      struct threads *t, const struct kernels *k)
{
    return step_once(net, &plain, b, rate, after, t, k);
}

/* A parameter of a layer: the w-th of weight, bias, scale, shift; *n floats or NULL. */
static float *param(const struct net *net, int layer, int which, long *n)
{
    struct layer *l = &net->layer[layer];
    float *all[] = {l->weight, l->bias, l->scale, l->shift};
    *n = which == 0 ? net_weight_count(net, layer) : net_channels(net, layer);
    return all[which];
}

/* The loss's slope along a direction in one parameter, from a step to either side. */
static double slope_seen(const struct net *net, struct batch *b, int layer, int which,
                         const double *direction, double step, struct threads *t)
{
    struct err e = ERR_NONE;
    double loss[2];
    for (int side = 0; side < 2; side++) {
        struct net *moved = net_copy(net, &e);
        long n;
        float *w = param(moved, layer, which, &n);
        for (long i = 0; i < n; i++)
            w[i] += (float)(side ? -step * direction[i] : step * direction[i]);
        loss[side] = loss_of(moved, b, 0, NULL, t, kernel_best());
        net_free(moved);
    }
    return (loss[0] - loss[1]) / (2 * step);
}

static double median(double a, double b, double c)
{
    return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* The slope along a random direction, from the gradient, and as it is seen: the median of three, since
 * losses are good to 1e-6 or so, and a relu or a maximum may turn round between two of them. Far larger
 * steps meet more of those, far smaller ones drown in the rounding. */
static void check_param(const struct net_case *c, const struct net *net, const struct net *stepped,
                        struct batch *b, int layer, int which, struct threads *t)
{
    static const char *const names[] = {"weight", "bias", "scale", "shift"};
    long n;
    const float *w = param(net, layer, which, &n);
    if (!w)
        return;
    const float *after = param(stepped, layer, which, &n); /* by a rate of 1 */
    struct rng r = rng_seed(21, (uint64_t)(layer * 4 + which));
    double *direction = malloc((size_t)n * sizeof *direction);
    double slope = 0, norm = 0;
    for (long i = 0; i < n; i++) {
        double gradient = (double)w[i] - after[i];
        direction[i] = rng_normal(&r) / sqrt((double)n);
        slope += direction[i] * gradient;
        norm += gradient * gradient;
    }
    double seen = median(slope_seen(net, b, layer, which, direction, 0.8e-3, t),
                         slope_seen(net, b, layer, which, direction, 1e-3, t),
                         slope_seen(net, b, layer, which, direction, 1.25e-3, t));
    double allowed = 2e-4 + 0.03 * sqrt(norm / (double)n);
    CHECK(fabs(slope - seen) < allowed, "%s: gradient of %s %s of layer %d (%.5f, %.5f)", c->name,
          op_name(net->layer[layer].op), names[which], layer, slope, seen);
    free(direction);
}

static bool same_weights(const struct net *a, const struct net *b, double tolerance)
{
    for (int i = 0; i < a->layers; i++)
        for (int which = 0; which < 4; which++) {
            long n;
            const float *p = param(a, i, which, &n), *q = param(b, i, which, &n);
            for (long j = 0; p && j < n; j++)
                if (!(fabs((double)p[j] - q[j]) <= tolerance))
                    return false;
        }
    return true;
}

static void check_net(const struct net_case *c)
{
    struct err e = ERR_NONE;
    struct net *net = make_net(c), *one = net_copy(net, &e), *other = net_copy(net, &e);
    struct batch b = make_batch(net, N);
    struct threads *alone = threads_new(1, &e), *three = threads_new(3, &e);
    loss_of(net, &b, 1, one, alone, kernel_best());
    loss_of(net, &b, 1, other, three, kernel_best());
    CHECK(same_weights(one, other, 0), "%s: the same bits on one thread and three", c->name);
    static const char *const levels[] = {"portable", "avx2", "avx512", "neon"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (kernel_named(levels[i])) {
            loss_of(net, &b, 1, other, alone, kernel_named(levels[i]));
            CHECK(same_weights(one, other, 1e-4), "%s: %s kernels agree", c->name, levels[i]);
        }
    for (int i = 0; i < net->layers; i++)
        for (int which = 0; which < 4; which++)
            check_param(c, net, one, &b, i, which, three);
    threads_free(alone);
    threads_free(three);
    free(b.x);
    net_free(net);
    net_free(one);
    net_free(other);
}

/* The length of all gradients, and of their difference from others, where `net` became `one` and
 * `other` by a step of rate 1. */
static double gradient_length(const struct net *one, const struct net *other)
{
    double sum = 0;
    for (int i = 0; i < one->layers; i++)
        for (int which = 0; which < 4; which++) {
            long n;
            const float *p = param(one, i, which, &n), *q = param(other, i, which, &n);
            for (long j = 0; p && j < n; j++)
                sum += ((double)p[j] - q[j]) * ((double)p[j] - q[j]);
        }
    return sqrt(sum);
}

/* In bf16 the gradients are those of fp32 but for the rounding, at every level, and the same bits for
 * any number of threads. */
static void check_bf16(const struct net_case *c, int n, double allowed)
{
    static const char *const levels[] = {"portable", "avx512bf16", "amx"};
    struct err e = ERR_NONE;
    struct net *net = make_net(c), *exact = net_copy(net, &e);
    struct net *one = net_copy(net, &e), *other = net_copy(net, &e);
    struct batch b = make_batch(net, n);
    struct threads *alone = threads_new(1, &e), *three = threads_new(3, &e);
    struct train_options o = plain;
    o.batch = n;
    step_once(net, &o, &b, 1, exact, alone, kernel_best());
    double length = gradient_length(net, exact);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        o.bf16 = kernel16_named(kernel_best(), levels[i]);
        if (!o.bf16)
            continue;
        step_once(net, &o, &b, 1, one, alone, kernel_best());
        step_once(net, &o, &b, 1, other, three, kernel_best());
        CHECK(same_weights(one, other, 0), "%s: bf16 (%s): the same bits on one thread and three",
              c->name, levels[i]);
        double off = gradient_length(exact, one) / length;
        CHECK(off < allowed, "%s: bf16 (%s): the gradients of fp32, off by %.4f", c->name,
              levels[i], off);
        CHECK(off > 1e-5, "%s: bf16 (%s) is not fp32", c->name, levels[i]);
    }
    threads_free(alone);
    threads_free(three);
    free(b.x);
    net_free(net);
    net_free(exact);
    net_free(one);
    net_free(other);
}

/* Straight networks show the error of the products alone: no relu nor maximum goes the other way for a
 * little difference, and no small batch norm makes much of it. */
static void check_bf16_nets(void)
{
    static const struct net_case straight[] = {
        {"straight: padding, rows of odd width", "input 2 9 11\nconv 20 3x3 pad 1\nconv 33 3x3 pad 1\n"
                                               "conv 64 3x3\nflatten\ndense 40\ndense 10\nsoftmax\n"},
        {"straight: dilation, even kernels, a sum",
         "input 1 16 13\nconv 32 3x3\nname a\nconv 32 2x3 dilation 1x2 pad same\nadd a\n"
         "conv 48 4x2 dilation 2x1\navgpool 2x2\nconv 16 1x1\nflatten\ndense 7\nsoftmax\n"},
        {"straight: one image high, five wide", "input 1 5 9\nconv 16 5x5\nconv 17 1x5\nflatten\n"
                                                 "dense 3\nsoftmax\n"},
    };
    static const int images[] = {1, 13, 45, 64};
    for (size_t i = 0; i < sizeof straight / sizeof *straight; i++)
        for (size_t j = 0; j < sizeof images / sizeof *images; j++)
            check_bf16(&straight[i], images[j], 0.01);
    for (int i = 0; i < NET_CASES; i++)
        if (strcmp(net_cases[i].name, "no dense layer")) /* nor 16 channels: nothing is in bf16 */
            check_bf16(&net_cases[i], N, 0.2);
}

/* to += share * (after - before), parameter by parameter. */
static void add_step(const struct net *before, const struct net *after, float share, struct net *to)
{
    for (int i = 0; i < to->layers; i++)
        for (int which = 0; which < 4; which++) {
            long n;
            const float *p = param(before, i, which, &n), *q = param(after, i, which, &n);
            float *sum = param(to, i, which, &n);
            for (long j = 0; sum && j < n; j++)
                sum[j] += share * (q[j] - p[j]);
        }
}

/* Where no batch norm mixes them, the gradient of a batch is the mean of its images' own: however many
 * there are in a shard. */
static void check_mean(int n)
{
    static const struct net_case c = {
        "sums over images", "input 1 15 14\nconv 18 3x3\nrelu\nconv 32 3x3 pad 1\nmaxpool 2x2\nconv 33 3x3\n"
                            "flatten\ndense 5\nsoftmax\n"};
    struct err e = ERR_NONE;
    struct net *net = make_net(&c), *all = net_copy(net, &e), *one = net_copy(net, &e);
    struct net *mean = net_copy(net, &e);
    struct batch b = make_batch(net, n);
    struct threads *t = threads_new(1, &e);
    struct train_options o = plain;
    o.batch = n;
    step_once(net, &o, &b, 1, all, t, kernel_best());
    double length = gradient_length(net, all);
    o.batch = 1;
    for (int i = 0; i < n; i++) {
        struct batch alone = {.pixels = b.pixels, .x = b.x + i * b.pixels, .label = {b.label[i]}};
        step_once(net, &o, &alone, 1, one, t, kernel_best());
        add_step(net, one, 1 / (float)n, mean);
    }
    double off = gradient_length(mean, all) / length;
    CHECK(off < 1e-4, "%s: %d images, the mean of their gradients (off by %.1e)", c.name, n, off);
    threads_free(t);
    free(b.x);
    net_free(net);
    net_free(all);
    net_free(one);
    net_free(mean);
}

/* A few steps on one batch must learn it by heart, with either optimiser. */
static void check_learning(void)
{
    static const struct {
        const char *name;
        struct train_options o;
        double rate;
    } cases[] = {
        {"AdamW", {.batch = 32, .optimizer = OPT_ADAMW, .beta1 = 0.9, .beta2 = 0.999,
                   .epsilon = 1e-8, .weight_decay = 0.01, .ema = 0.5}, 0.01},
        {"SGD with momentum", {.batch = 32, .optimizer = OPT_SGD, .beta1 = 0.9, .ema = 0.5}, 0.05},
    };
    for (int i = 0; i < 2; i++) {
        struct err e = ERR_NONE;
        struct net *net = make_net(&net_cases[0]);
        struct batch b = make_batch(net, 32);
        struct threads *t = threads_new(2, &e);
        struct trainer *trainer = trainer_new(net, &cases[i].o, t, kernel_best(), &e);
        struct train_result r = {0};
        for (int s = 0; s < 200; s++)
            r = trainer_step(trainer, fill_from, &b, b.label, 32, cases[i].rate);
        CHECK(r.correct >= 28 && r.loss < 0.5, "%s learns a batch by heart (loss %.3f, %d of 32)",
              cases[i].name, r.loss, r.correct);
        trainer_free(trainer);
        threads_free(t);
        net_free(net);
        free(b.x);
    }
}

/* Once batch-norm statistics are computed anew over the images, the first batch norm's mean is that of its input. */
static void check_batchnorm_stats(void)
{
    static const struct net_case c = {"batch norm first", "input 2 4 4\nbatchnorm\nflatten\n"
                                                          "dense 3\nsoftmax\n"};
    struct err e = ERR_NONE;
    struct net *net = make_net(&c);
    struct batch b = make_batch(net, N);
    struct threads *t = threads_new(1, &e);
    struct train_options o = plain;
    o.ema = 0.9;
    struct trainer *trainer = trainer_new(net, &o, t, kernel_best(), &e);
    trainer_step(trainer, fill_from, &b, b.label, N, 0.1);
    trainer_batchnorm_stats_batch(trainer, fill_from, &b, N);
    trainer_batchnorm_stats_batch(trainer, fill_from, &b, N - 5);
    trainer_batchnorm_stats_end(trainer);
    trainer_export(trainer, net, true);
    double sum = 0, square = 0, count = (2 * N - 5) * 16.0;
    for (int i = 0; i < 2 * N - 5; i++)
        for (int j = 0; j < 16; j++) {
            double x = b.x[(i % N) * b.pixels + j];
            sum += x;
            square += x * x;
        }
    double mean = sum / count, var = square / count - mean * mean;
    CHECK(fabs(net->layer[1].mean[0] - mean) < 1e-5 && fabs(net->layer[1].var[0] - var) < 1e-5,
          "statistics made again are those of the images fed");
    trainer_free(trainer);
    threads_free(t);
    net_free(net);
    free(b.x);
}

int main(void)
{
    for (int i = 0; i < NET_CASES; i++)
        check_net(&net_cases[i]);
    check_bf16_nets();
    check_mean(3);
    check_mean(45);
    check_mean(64);
    check_learning();
    check_batchnorm_stats();
    return check_done();
}
