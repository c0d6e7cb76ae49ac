/* A finder's map: its losses against numpy's (tests/make-map-fixture.py) and their gradient
 * against differences; a step of the trainer on it; the boxes that are read off it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "base/rng.h"
#include "engine/map_loss.h"

enum { CELLS = 63, CHANNELS = 8 };
static const struct map_shape shape = {.classes = 3, .rows = 9, .columns = 7, .stride = 4};

static const struct map_box boxes[] = {
    {3, 4, 8, 17, 2}, {15, 20, 10, 10, 0}, {14, 22, 9, 9, 1}, {12, 0, 20, 30, MAP_IGNORE},
    {0, 0, 9, 9, MAP_IGNORE}};
static const struct map_box two[] = {
    {3, 4, 8, 17, 2}, {12, 0, 20, 30, MAP_IGNORE}, {15, 20, 10, 10, 0}};

static struct map_loss loss_of(const float *map, const struct map_truth *t, float *grad)
{
    float marks[CELLS];
    struct map_loss l = {0};
    long n = map_mark(&shape, t, marks);
    map_loss(&shape, map, t, marks, n > 0 ? (double)n : 1, grad, &l);
    return l;
}

static void make_map(float *map)
{
    for (int i = 0; i < CHANNELS * CELLS; i++)
        map[i] = 2 * sinf(.7f * (float)i);
}

static void test_losses(void)
{
    static const struct {
        const char *name;
        struct map_truth truth;
        struct map_loss loss;
    } cases[] = {
        {"two boxes in one cell: the later one counts", {boxes, 3}, {7.755353, 1.168720, 1.625108}},
        {"what counts for nothing, and a centre in it", {two, 3}, {3.054252, 1.204990, 1.366954}},
        {"no box", {boxes + 4, 1}, {25.298605, 0, 0}},
    };
    float map[CHANNELS * CELLS], grad[CHANNELS * CELLS];
    make_map(map);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct map_loss l = loss_of(map, &cases[i].truth, grad), want = cases[i].loss;
        CHECK(fabs(l.centre - want.centre) < 1e-3 && fabs(l.class - want.class) < 1e-4 &&
                  fabs(l.box - want.box) < 1e-4,
              "%s: %.6f %.6f %.6f", cases[i].name, l.centre, l.class, l.box);
    }
}

static void test_gradient(void)
{
    const struct map_truth truth = {two, 3};
    float map[CHANNELS * CELLS], grad[CHANNELS * CELLS], unused[CHANNELS * CELLS];
    double worst = 0;
    make_map(map);
    loss_of(map, &truth, grad);
    for (int i = 0; i < CHANNELS * CELLS; i++) {
        const float step = 1e-2f, at = map[i];
        map[i] = at + step;
        struct map_loss above = loss_of(map, &truth, unused);
        map[i] = at - step;
        struct map_loss below = loss_of(map, &truth, unused);
        map[i] = at;
        double seen = (map_loss_total(&above) - map_loss_total(&below)) / (2 * (double)step);
        worst = fmax(worst, fabs(seen - grad[i]));
    }
    CHECK(worst < 2e-3, "the gradient is that of the differences, within %.5f", worst);
}

/* Logits of any size give losses and slopes that are numbers. */
static void test_extremes(void)
{
    const struct map_truth truth = {two, 3};
    float map[CHANNELS * CELLS], grad[CHANNELS * CELLS];
    bool finite = true;
    for (int side = -1; side <= 1; side += 2) {
        for (int i = 0; i < CHANNELS * CELLS; i++)
            map[i] = (float)side * (i % 2 ? 1e4f : 50);
        struct map_loss l = loss_of(map, &truth, grad);
        finite &= isfinite(map_loss_total(&l));
        for (int i = 0; i < CHANNELS * CELLS; i++)
            finite &= isfinite(grad[i]);
    }
    CHECK(finite, "logits of 10,000 either way");
}

/* ---- The trainer ---- */

static const char finder[] = "input 1 36 28\n"
                             "conv 6 3x3 stride 2 pad same\nrelu\nbatchnorm\n"
                             "conv 18 3x3 stride 2 pad same nobias\nbatchnorm\nrelu\nname a\n"
                             "conv 18 3x3 pad same dilation 2 nobias\nbatchnorm\nrelu\nadd a\n"
                             "conv 8 1x1\nboxes\n";

enum { N = 11, PIXELS = 36 * 28 };

static void fill(void *arg, int i, int thread, float *x)
{
    const float *from = arg;
    (void)thread;
    memcpy(x, from + (long)i * PIXELS, PIXELS * sizeof *x);
}

/* The net after one step of plain gradient descent, and the loss before it. */
static struct net *step(const struct net *net, double clip, double rate, int threads, double *loss)
{
    static float x[N * PIXELS];
    struct map_truth truth[N];
    struct rng r = rng_seed(4, 4);
    struct err e = ERR_NONE;
    struct train_options o = {.batch = N, .optimizer = OPT_SGD, .clip = clip};
    for (long i = 0; i < N * PIXELS; i++)
        x[i] = (float)rng_range(&r, -1, 1);
    for (int i = 0; i < N; i++)
        truth[i] = (struct map_truth){boxes, i % 4};
    struct threads *t = threads_new(threads, &e);
    struct trainer *trainer = trainer_new(net, &o, t, kernel_best(), &e);
    struct net *after = net_copy(net, &e);
    if (!trainer || !after) {
        CHECK(0, "trainer: %s", e.what);
        exit(check_done());
    }
    struct map_loss l = trainer_step_map(trainer, fill, x, truth, N, rate);
    *loss = map_loss_total(&l);
    trainer_export(trainer, after, false);
    trainer_free(trainer);
    threads_free(t);
    return after;
}

/* The sum of squares of what a step of rate 1 took off, and the slope of the loss along it. */
static double moved(const struct net *a, const struct net *b)
{
    double sum = 0;
    for (int i = 0; i < a->layers; i++) {
        const float *from[] = {a->layer[i].weight, a->layer[i].bias, a->layer[i].scale,
                               a->layer[i].shift};
        const float *to[] = {b->layer[i].weight, b->layer[i].bias, b->layer[i].scale,
                             b->layer[i].shift};
        for (int j = 0; j < 4; j++)
            for (long k = 0; from[j] && k < (j ? net_channels(a, i) : net_weight_count(a, i)); k++)
                sum += pow((double)from[j][k] - to[j][k], 2);
    }
    return sum;
}

static bool same(const struct net *a, const struct net *b)
{
    return moved(a, b) == 0;
}

static void test_trainer(void)
{
    struct err e = ERR_NONE;
    struct net *net = net_parse(finder, strlen(finder), "finder", &e);
    double loss, ahead, unused;
    CHECK(net && net_is_finder(net), "a finder is read%s", e.what);
    net_init(net, 3);
    CHECK(net->layer[net->layers - 2].bias[0] == -3.5f, "centres are rare at first");
    struct net *one = step(net, 0, 1, 1, &loss), *three = step(net, 0, 1, 3, &unused);
    CHECK(same(one, three) && loss == unused, "three threads make the same step as one");
    double norm = sqrt(moved(net, one)), small = 1e-3 / norm;
    struct net *near = step(net, 0, small, 1, &unused);
    net_free(step(near, 0, 0, 1, &ahead));
    CHECK(fabs((loss - ahead) / (small * norm * norm) - 1) < 0.05,
          "along the gradient the loss falls as it says: %.5f, %.5f", loss - ahead,
          small * norm * norm);
    struct net *clipped = step(net, norm / 4, 1, 2, &unused), *whole = step(net, 2 * norm, 1, 2, &unused);
    CHECK(fabs(sqrt(moved(net, clipped)) / norm - 0.25) < 1e-4, "a norm of %.3f is clipped to %.3f",
          norm, sqrt(moved(net, clipped)));
    CHECK(same(whole, one), "one below the limit stays");
    struct net *all[] = {net, one, three, near, clipped, whole};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        net_free(all[i]);
}

/* ---- Boxes ---- */

static void set_box(float *map, int cell, float logit, int class, const struct map_box *b)
{
    map[cell] = logit;
    map[(1 + class) * CELLS + cell] = 1;
    map[4 * CELLS + cell] = (b->x + b->w / 2) / 4 - (float)(cell % 7);
    map[5 * CELLS + cell] = (b->y + b->h / 2) / 4 - (float)(cell / 7);
    map[6 * CELLS + cell] = logf(b->w / 24);
    map[7 * CELLS + cell] = logf(b->h / 24);
}

static void test_boxes(void)
{
    float map[CHANNELS * CELLS] = {0};
    struct map_found found[4];
    for (int i = 0; i < CELLS; i++)
        map[i] = -9;
    CHECK(map_boxes(&shape, map, .4f, found, 4) == 0, "nothing in nothing");
    set_box(map, 2 * 7 + 1, 2, 2, &boxes[0]);
    map[3 * 7 + 1] = 1.9f; /* beside the peak */
    set_box(map, 6 * 7 + 5, 0, 0, &boxes[1]);
    map[6 * 7 + 6] = 0;           /* alike: the first is the peak */
    map[0] = logf(.4f / .6f) - .01f; /* just not probable enough */
    int n = map_boxes(&shape, map, .4f, found, 4);
    CHECK(n == 2, "two peaks: %d", n);
    CHECK(map_overlap(&found[0].box, &boxes[0]) > .999f && found[0].box.class == 2 &&
              fabsf(found[0].score - .8808f) < 1e-3f,
          "the first box, its class and how probable it is");
    CHECK(map_overlap(&found[1].box, &boxes[1]) > .999f && found[1].box.class == 0, "the second");
    CHECK(map_boxes(&shape, map, .4f, found, 1) == 1, "no more than there is room for");
    CHECK(fabsf(map_overlap(&boxes[1], &boxes[2]) - 64 / (100.0f + 81 - 64)) < 1e-6f &&
              map_overlap(&boxes[0], &boxes[1]) == 0,
          "the overlap of boxes");
    map[6 * CELLS + 2 * 7 + 1] = 1e9f;
    map_boxes(&shape, map, .4f, found, 4);
    CHECK(isfinite(found[0].box.w) && found[0].box.w < 4000, "a width beyond reason is cut off");
}

int main(void)
{
    test_losses();
    test_gradient();
    test_extremes();
    test_trainer();
    test_boxes();
    return check_done();
}
