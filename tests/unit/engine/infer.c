/* infer's logits against the definition, for every kernel level, batch size and thread count. */
#include "../check.h"
#include "../reference.h"
#include "../drawn.h"
#include "../nets.h"

#include "engine/engine.h"
#include "base/rng.h"

/* What training has no use for: pictures large and small for Winograd's convolution. */
static const struct net_case winograd_case = {
    "by Winograd's algorithm, odd sizes",
    "input 1 19 21\nconv 16 3x3\nrelu\nconv 17 3x3 pad 1\nrelu\nbatchnorm\nmaxpool 2x2\n"
    "conv 32 3x3 pad 1\nname a\nbatchnorm\nrelu\nconv 32 3x3 pad 1\nadd a\nrelu\nmaxpool 2x2\n"
    "conv 20 3x3 pad 1\nflatten\ndense 10\nsoftmax\n"};

/* The finder's kinds of layers: strides from one channel, dilations, sums before a relu and behind one, sums
 * of an image read with another border, and a map that no dense layer gathers. */
static const struct net_case map_case = {
    "a map, with dilated convolutions and sums",
    "input 1 76 92\nconv 16 3x3 stride 2 pad same\nrelu\nconv 32 3x3 stride 2 pad same\nbatchnorm\nrelu\nname a\n"
    "conv 32 3x3 pad same nobias\nbatchnorm\nrelu\nadd a\nname b\n"
    "conv 32 3x3 pad same dilation 2\nbatchnorm\nadd b\nrelu\nname c\n"
    "conv 32 3x3 pad same dilation 4\nrelu\nadd c\nrelu\nname d\n"
    "conv 20 3x3 pad same dilation 3\nrelu\nconv 17 1x1\nboxes\n"};

/* Late in a network, where groups of images go together. */
static const struct net_case small_case = {
    "sums and dilations of small pictures",
    "input 1 14 14\nconv 32 3x3 pad same\nrelu\nname a\nconv 32 3x3 pad same\nadd a\nrelu\nname b\n"
    "conv 32 3x3 pad same dilation 2\nrelu\nadd b\nconv 20 3x3 dilation 2\nconv 10 1x1\n"};

static const char *const levels[] = {"portable", "avx2", "avx512", "neon"};

static void check_infer(const char *name, const struct net *net)
{
    enum { N = 70 };
    struct err e = ERR_NONE;
    long pixels = shape_count(net_input(net)), k = net_outputs(net);
    float *x = malloc((size_t)(N * pixels) * sizeof *x);
    float *one = malloc((size_t)(N * k) * sizeof *one), *all = malloc((size_t)(N * k) * sizeof *all);
    struct rng r = rng_seed(5, 5);
    for (long i = 0; i < N * pixels; i++)
        x[i] = (float)rng_range(&r, -1, 1);
    for (size_t v = 0; v < sizeof levels / sizeof *levels; v++) {
        const struct kernels *kernels = kernel_named(levels[v]);
        if (!kernels)
            continue;
        double worst = 0;
        struct threads *alone = threads_new(1, &e), *three = threads_new(3, &e);
        struct infer *p = infer_new(net, 1, alone, kernels, &e);
        struct infer *q = infer_new(net, N, three, kernels, &e);
        CHECK(p && q, "%s, %s: planned %s", name, levels[v], e.what);
        if (!p || !q)
            return;
        for (int i = 0; i < N; i++)
            infer_run(p, x + i * pixels, 1, one + i * k);
        bool same = true;
        for (int i = 0; i < 9; i++) {
            infer_run(q, x + i * pixels, 1, all);
            same &= !memcmp(one + i * k, all, (size_t)k * sizeof *all);
        }
        CHECK(same, "%s, %s: the same bits of one image where there are three threads", name, levels[v]);
        infer_run(q, x, N, all);
        for (int i = 0; i < N; i += 23) {
            double *value[NET_MAX_LAYERS];
            reference_forward(net, x + i * pixels, value);
            for (int j = 0; j < k; j++)
                worst = fmax(worst, fabs(value[net->layers - 1][j] - one[i * k + j]));
            for (int j = 0; j < net->layers; j++)
                free(value[j]);
        }
        CHECK(worst < 1e-4, "%s, %s: logits as defined (differ by %.1e)", name, levels[v], worst);
        CHECK(!memcmp(one, all, (size_t)(N * k) * sizeof *one),
              "%s, %s: the same bits alone and in a batch on three threads", name, levels[v]);
        infer_free(p);
        infer_free(q);
        threads_free(alone);
        threads_free(three);
    }
    free(x);
    free(one);
    free(all);
}

static void check_net(const struct net_case *c)
{
    struct net *net = drawn_net(c->name, c->text, 1);
    check_infer(c->name, net);
    net_free(net);
}

/* A layer, put in the place of a relu, of a model from elsewhere. */
struct foreign {
    int at;
    struct layer layer;
};

static void check_foreign(const struct net_case *c, const struct foreign *foreign, int n)
{
    struct err e = ERR_NONE;
    struct net *net = drawn_net(c->name, c->text, 1);
    for (int i = 0; i < n; i++) {
        struct layer *l = &net->layer[foreign[i].at], before = *l;
        *l = foreign[i].layer;
        l->in[0] = before.in[0];
        if (op_inputs(l->op) < 2)
            l->in[1] = -1;
    }
    for (int i = 0; i < net->layers; i++) { /* of other sizes than the text has */
        free(net->layer[i].weight);
        net->layer[i].weight = NULL;
    }
    CHECK(!net_infer_shapes(net, &e) && !net_alloc_params(net, NULL, &e), "%s: shapes %s", c->name, e.what);
    net_init(net, 7);
    check_infer(c->name, net);
    net_free(net);
}

/* Between convolutions, before and behind those on groups of images. */
static void check_foreign_pictures(void)
{
    static const struct net_case c = {
        "layers from elsewhere on pictures",
        "input 1 14 14\nconv 32 3x3 pad same\nrelu\nname a\nconv 32 3x3 pad same\nadd a\nrelu\nrelu\nrelu\n"
        "relu\nconv 20 3x3 dilation 2\nrelu\nrelu\nconv 10 1x1\nrelu\n"};
    static const struct foreign layers[] = {
        {5, {.op = OP_POINTWISE, .function = FUNCTION_MISH}},
        {6, {.op = OP_MUL, .in = {0, 2}}},
        {7, {.op = OP_CONCAT, .in = {0, 2}}},
        {8, {.op = OP_SLICE, .first = 17, .out.c = 33}},
        {10, {.op = OP_UPSAMPLE, .stride_h = 2, .stride_w = 1}},
        {11, {.op = OP_ZEROSTUFF, .stride_h = 1, .stride_w = 3}},
        {13, {.op = OP_POINTWISE, .function = FUNCTION_SIGMOID}},
    };
    check_foreign(&c, layers, sizeof layers / sizeof *layers);
}

/* On the input, beside whose one channel memory holds what the image before left, and between dense layers. */
static void check_foreign_lists(void)
{
    static const struct net_case c = {
        "layers from elsewhere on lists",
        "input 1 6 6\nrelu\nconv 20 3x3\nrelu\nflatten\ndense 30\nrelu\nrelu\nrelu\ndense 10\n"};
    static const struct foreign layers[] = {
        {1, {.op = OP_DYNAMIC}},
        {6, {.op = OP_POINTWISE, .function = FUNCTION_TANH}},
        {7, {.op = OP_MUL, .in = {0, 5}}},
        {8, {.op = OP_DYNAMIC}},
    };
    check_foreign(&c, layers, sizeof layers / sizeof *layers);
}


static void check_softmax(void)
{
    const float logits[3] = {1, 2, 1000};
    double p[3];
    softmax(logits, 3, 1, p);
    CHECK(p[2] == 1 && p[0] == 0, "softmax of large logits does not overflow");
    softmax(logits, 2, 2, p);
    CHECK(fabs(p[1] / p[0] - exp(0.5)) < 1e-12, "softmax divides by the temperature");
}

static void check_scale(void)
{
    const uint8_t pixels[2] = {0, 255};
    float x[2];
    infer_scale(pixels, 2, 1 / 255.0, 0.5, 0.25, x);
    CHECK(x[0] == -2 && x[1] == 2, "pixels are scaled, then normalised");
}

int main(void)
{
    for (int i = 0; i < NET_CASES; i++)
        check_net(&net_cases[i]);
    check_net(&winograd_case);
    check_net(&map_case);
    check_net(&small_case);
    check_foreign_pictures();
    check_foreign_lists();
    check_softmax();
    check_scale();
    return check_done();
}
