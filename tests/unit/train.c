/* The trainer: gradients against differences of the loss, the same bits for any number of threads,
 * batch-norm statistics, optimisers. A comparison with PyTorch is in torch.c. */
#include "check.h"
#include "nets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "train.h"

enum { N = 13 }; /* images a batch: shards of one and of two */

struct batch {
    long pixels;
    float *x;
    uint8_t label[64];
};

static void fill_from(void *arg, int i, float *x)
{
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
        b.label[i] = (uint8_t)rng_below(&r, (uint32_t)net_outputs(net));
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
static double loss_of(const struct net *net, struct batch *b, double rate, struct net *after,
                      struct threads *t, const struct kernels *k)
{
    struct err e = ERR_NONE;
    struct trainer *trainer = trainer_new(net, &plain, t, k, &e);
    if (!trainer) {
        CHECK(0, "trainer: %s", e.what);
        exit(check_done());
    }
    double loss = trainer_step(trainer, fill_from, b, b->label, N, rate).loss;
    if (after)
        trainer_export(trainer, after, false);
    trainer_free(trainer);
    return loss;
}

/* A parameter of a layer: the w-th of weight, bias, scale, shift; *n floats or NULL. */
static float *param(const struct net *net, int layer, int which, long *n)
{
    struct layer *l = &net->layer[layer];
    float *all[] = {l->weight, l->bias, l->scale, l->shift};
    *n = which == 0 ? net_weight_count(net, layer) : net_channels(net, layer);
    return all[which];
}

/* The loss's slope along a random direction in one parameter: from the gradient, and from two
 * losses on either side. */
static void check_param(const struct net_case *c, const struct net *net, const struct net *stepped,
                        struct batch *b, int layer, int which, struct threads *t)
{
    static const char *const names[] = {"weight", "bias", "scale", "shift"};
    long n;
    const float *w = param(net, layer, which, &n);
    if (!w)
        return;
    const float *after = param(stepped, layer, which, &n);
    const double rate = 1, step = 1e-3;
    struct err e = ERR_NONE;
    struct rng r = rng_seed(21, (uint64_t)(layer * 4 + which));
    struct net *side[2] = {net_copy(net, &e), net_copy(net, &e)};
    double slope = 0, norm = 0;
    for (long i = 0; i < n; i++) {
        double d = rng_normal(&r) / sqrt((double)n);
        slope += d * (w[i] - after[i]) / rate;
        norm += ((w[i] - after[i]) / rate) * ((w[i] - after[i]) / rate);
        param(side[0], layer, which, &n)[i] += (float)(step * d);
        param(side[1], layer, which, &n)[i] -= (float)(step * d);
    }
    const struct kernels *k = kernel_best();
    double seen = (loss_of(side[0], b, 0, NULL, t, k) - loss_of(side[1], b, 0, NULL, t, k)) /
                  (2 * step);
    double allowed = 2e-4 + 0.03 * sqrt(norm / (double)n);
    CHECK(fabs(slope - seen) < allowed, "%s: gradient of %s %s of layer %d (%.5f, %.5f)", c->name,
          op_name(net->layer[layer].op), names[which], layer, slope, seen);
    net_free(side[0]);
    net_free(side[1]);
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

/* After a restat over the images, the first batch norm's mean is that of its input. */
static void check_restat(void)
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
    trainer_restat_begin(trainer);
    trainer_restat_batch(trainer, fill_from, &b, N);
    trainer_restat_batch(trainer, fill_from, &b, N - 5);
    trainer_restat_end(trainer);
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
    check_learning();
    check_restat();
    return check_done();
}
