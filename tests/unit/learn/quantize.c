/* Networks in 8 bits: beside what they were made of, beside what their file says in floats, the same
 * at every level; and what is not made one. */
#include "../check.h"
#include "../drawn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "onnx/onnx.h"
#include "learn/learn.h"
#include "base/rng.h"

enum { SIDE = 12, PIXELS = SIDE * SIDE, IMAGES = 300, JUDGED = 70 };

static const struct {
    const char *name, *text;
} nets[] = {
    {"batch norm after relu, dense layers",
     "input 1 12 12\nconv 8 3x3\nrelu\nbatchnorm\nconv 40 3x3\nrelu\nbatchnorm\ndropout 0.25\n"
     "flatten\ndense 24\nrelu\nbatchnorm\ndropout 0.5\ndense 10\nsoftmax\n"},
    {"batch norm before relu, padding, global pool",
     "input 1 12 12\nconv 16 3x3 pad same nobias\nbatchnorm\nrelu\nmaxpool 2x2\n"
     "conv 20 3x3 pad same nobias\nbatchnorm\nrelu\nglobalpool\ndense 10\nsoftmax\n"},
    {"strides, dilation, even kernels, no relu",
     "input 1 12 12\nconv 17 3x3 stride 2 pad 1\nconv 9 2x2 dilation 2\nrelu\nconv 33 4x1\n"
     "avgpool 1x2\nflatten\ndense 10\n"},
    {"pool before relu", "input 1 12 12\nconv 16 3x3\nmaxpool 2x2\nrelu\ndropout 0.1\n"
     "conv 32 3x3 pad 1\ndropout 0.3\nrelu\nmaxpool 2x2\nflatten\ndense 10\nsoftmax\n"},
    {"no convolution", "input 1 12 12\nflatten\ndense 30\nrelu\ndense 20\nrelu\ndense 10\nsoftmax\n"},
    {"many blocks", "input 1 12 12\nconv 80 5x5\nrelu\nmaxpool 3x3\nconv 48 1x1\nrelu\nflatten\n"
     "dense 130\nrelu\ndense 10\nsoftmax\n"},
    {"sums with earlier layers, dilation",
     "input 1 12 12\nconv 16 3x3 stride 2 pad same nobias\nbatchnorm\nrelu\nname a\n"
     "conv 16 3x3 pad same dilation 2\nrelu\nadd a\nname b\nconv 16 3x3 pad same\nrelu\nadd b\n"
     "conv 20 1x1\nrelu\nflatten\ndense 10\n"},
};

static const struct {
    const char *text, *what;
} refused[] = {
    {"input 1 12 12\nconv 4 3x3 pad 1\nname a\nrelu\nconv 4 3x3 pad 1\nadd a\nflatten\ndense 10\n",
     "layer 4: add makes it no chain of layers: only chains are quantized"},
    {"input 1 12 12\nconv 4 3x3\nrelu\nbatchnorm\nconv 4 3x3 pad 1\nflatten\ndense 10\n",
     "layer 4: conv with padding behind a batch norm is not quantized"},
    {"input 1 12 12\nflatten\ndense 10\nrelu\nbatchnorm\n",
     "batchnorm at the end is not quantized"},
    {"input 1 12 12\nrelu\nflatten\ndense 10\n", "layer 1: relu is not quantized"},
};

static struct threads *threads;

/* Pictures of soft blobs. */
static void fill(struct dataset *d, struct split *s)
{
    struct rng r = rng_seed(5, 5);
    dataset_init(d, SIDE, SIDE, 10);
    d->images = IMAGES;
    d->pixels = malloc(IMAGES * PIXELS);
    d->labels = calloc(IMAGES, sizeof *d->labels);
    for (int i = 0; i < IMAGES; i++) {
        double x = rng_range(&r, 2, 10), y = rng_range(&r, 2, 10), size = rng_range(&r, 2, 12);
        for (int p = 0; p < PIXELS; p++) {
            double dx = p % SIDE - x, dy = (p / SIDE - y) * (1 + i % 3);
            d->pixels[i * PIXELS + p] = (uint8_t)(255 * exp(-(dx * dx + dy * dy) / size));
        }
    }
    *s = (struct split){.train = IMAGES - JUDGED, .validation = JUDGED};
    s->train_index = malloc((size_t)s->train * sizeof *s->train_index);
    s->validation_index = malloc(JUDGED * sizeof *s->validation_index);
    for (int i = 0; i < JUDGED; i++)
        s->validation_index[i] = (uint32_t)i;
    for (int i = JUDGED; i < IMAGES; i++)
        s->train_index[i - JUDGED] = (uint32_t)i;
}

/* All images' logits, `batch` at a time; NULL kernels: floats must do. */
static void run(const struct net *net, const struct dataset *d, int batch, struct threads *t,
                const struct kernels8 *k, float *logits)
{
    struct err e = ERR_NONE;
    static float x[IMAGES * PIXELS];
    infer_scale(d->pixels, IMAGES * PIXELS, 1.0 / 255, 0, 1, x);
    struct infer *p = infer_new(net, batch, t, kernel_best(), &e);
    CHECK(p && !infer_int8(p) == !k, "planned in %s %s", k ? kernel_level(k) : "floats", e.what);
    if (!p)
        exit(check_done());
    if (k)
        infer_set_int8(p, k);
    for (int i = 0; i < IMAGES; i += batch)
        infer_run(p, x + i * PIXELS, IMAGES - i < batch ? IMAGES - i : batch, logits + i * 10);
    infer_free(p);
}

static int answer(const float *z)
{
    int most = 0;
    for (int k = 1; k < 10; k++)
        most = z[k] > z[most] ? k : most;
    return most;
}

/* How many answers differ, and the root of the mean squared difference beside that of a's spread. */
static int compare(const float *a, const float *b, double *distance)
{
    int differ = 0;
    double sum = 0, mean = 0, spread = 0;
    for (int i = 0; i < IMAGES * 10; i++)
        mean += a[i] / (IMAGES * 10);
    for (int i = 0; i < IMAGES * 10; i++) {
        sum += (a[i] - b[i]) * (a[i] - b[i]);
        spread += (a[i] - mean) * (a[i] - mean);
    }
    for (int i = 0; i < IMAGES; i++)
        differ += answer(a + i * 10) != answer(b + i * 10);
    *distance = sqrt(sum / spread);
    return differ;
}

/* The same net without what tells that its weights are whole numbers: run in floats. */
static void run_in_floats(const struct net *net, const struct dataset *d, float *logits)
{
    struct net *copy = net_copy(net, NULL);
    for (int i = 0; i < copy->layers; i++) {
        free(copy->layer[i].step);
        copy->layer[i].step = NULL;
    }
    run(copy, d, 64, threads, NULL, logits);
    net_free(copy);
}

static void check_levels(const struct net *net, const struct dataset *d, const float *want)
{
    static const char *const levels[] = {"portable", "avx2", "avx2vnni", "avx512vnni", "amx",
                                         "neondot"};
    static float one[IMAGES * 10], many[IMAGES * 10];
    struct err e = ERR_NONE;
    struct threads *three = threads_new(3, &e);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        const struct kernels8 *k = kernel8_named(kernel_best(), levels[i]);
        if (!k)
            continue;
        run(net, d, 1, threads, k, one);
        run(net, d, 150, three, k, many);
        CHECK(!memcmp(want, one, sizeof one) && !memcmp(want, many, sizeof many),
              "%s: the same bits, alone and in a batch on three threads", levels[i]);
    }
    threads_free(three);
}

static void check_net(const char *name, const char *text, struct dataset *d, const struct split *s)
{
    static float before[IMAGES * 10], after[IMAGES * 10], floats[IMAGES * 10];
    struct err e = ERR_NONE;
    struct quantize_report r;
    struct net *net = drawn_net(name, text, .3);
    run(net, d, 64, threads, NULL, before);
    for (int i = 0; i < IMAGES; i++)
        d->labels[i] = (uint16_t)answer(before + i * 10);
    struct net *made = quantize_net(net, d, s, 1, threads, &r, &e);
    CHECK(made, "%s: quantized %s", name, e.what);
    if (!made)
        exit(check_done());
    double distance;
    run(made, d, 64, threads, kernel8_named(kernel_best(), NULL), after);
    int differ = compare(before, after, &distance);
    CHECK(distance < 0.1 && differ < IMAGES / 10,
          "%s: about the same logits as in floats (%.3f), %d of %d answers differ", name, distance,
          differ, IMAGES);
    CHECK(r.images == JUDGED && r.before == JUDGED && r.after > JUDGED * 9 / 10 &&
              net_meta(made, "quantized"),
          "%s: the report counts %ld of %ld", name, r.after, r.images);
    run_in_floats(made, d, floats);
    differ = compare(floats, after, &distance);
    CHECK(distance < 0.01 && differ <= 1, "%s: the file's meaning in floats (%.4f), %d differ", name,
          distance, differ);
    check_levels(made, d, after);

    char file[] = "/tmp/quantize-XXXXXX";
    close(mkstemp(file));
    struct net *read = onnx_save(made, file, &e) ? NULL : onnx_load(file, &e);
    CHECK(read, "%s: written and read %s", name, e.what);
    if (read)
        run(read, d, 64, threads, kernel8_named(kernel_best(), NULL), floats);
    CHECK(!memcmp(after, floats, sizeof after), "%s: a file keeps every bit", name);
    unlink(file);
    net_free(read);
    net_free(made);
    net_free(net);
}

static void check_refused(const struct dataset *d, const struct split *s)
{
    struct quantize_report r;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct err e = ERR_NONE;
        struct net *net = drawn_net("refused", refused[i].text, .3);
        struct net *made = quantize_net(net, d, s, 1, threads, &r, &e);
        CHECK(!made && !strcmp(e.what, refused[i].what), "refused: %s", e.what);
        net_free(made);
        net_free(net);
    }
    struct err e = ERR_NONE;
    struct net *net = drawn_net(nets[0].name, nets[0].text, .3), *made = quantize_net(net, d, s, -1, threads, &r, &e);
    CHECK(!made && strstr(e.what, "it would lose more than"), "refused: %s", e.what);
    struct split none = {.train = s->train, .train_index = s->train_index};
    made = quantize_net(net, d, &none, 1, threads, &r, &e);
    CHECK(!made && strstr(e.what, "set aside"), "refused: %s", e.what);
    net_free(net);
}

/* What may stand in a file, and cannot be run in 32 bits, is run in floats. */
static void check_fallback(const struct dataset *d, const struct split *s)
{
    struct err e = ERR_NONE;
    struct quantize_report r;
    struct net *net = drawn_net(nets[4].name, nets[4].text, .3), *made = quantize_net(net, d, s, 1, threads, &r, &e);
    static float logits[IMAGES * 10];
    struct layer *dense = &made->layer[3], *levels = &made->layer[1];
    const float bias = dense->bias[0], step = dense->step[0], weight = dense->weight[0];
    dense->bias[0] = 1e30f;
    run(made, d, 64, threads, NULL, logits);
    dense->bias[0] = bias;
    dense->step[0] = 1e-38f;
    run(made, d, 64, threads, NULL, logits);
    dense->step[0] = step;
    dense->weight[0] = 3.4f * step;
    run(made, d, 64, threads, NULL, logits);
    dense->weight[0] = weight;
    levels->low = -3.5f;
    run(made, d, 64, threads, NULL, logits);
    levels->low = -300;
    levels->high = -45;
    run(made, d, 64, threads, NULL, logits);
    levels->low = 0;
    levels->high = 255;
    run(made, d, 64, threads, kernel8_named(kernel_best(), NULL), logits);
    net_free(made);
    net_free(net);
}

/* A finder's maps: about those of floats, the same at every level, also of a picture of another size. */
static void check_finder(void)
{
    enum { OTHER_SIDE = 28, CELLS = OTHER_SIDE / 4 * (OTHER_SIDE / 4), MAP = CELLS * 23 };
    static float x[OTHER_SIDE * OTHER_SIDE], floats[MAP], whole[MAP];
    struct err e = ERR_NONE;
    struct dataset d;
    struct split s;
    struct quantize_report r;
    struct map_box box[IMAGES];
    fill(&d, &s);
    struct net *net = drawn_net("finder", "input 1 12 12\nconv 16 3x3 stride 2 pad same\nrelu\n"
                                "conv 32 3x3 stride 2 pad same\nrelu\nname a\nconv 32 3x3 pad same dilation 2\n"
                                "relu\nadd a\nconv 23 1x1\nboxes\n", .3);
    d.finder = true;
    d.classes = 18;
    d.box = box;
    d.box_end = malloc(IMAGES * sizeof *d.box_end);
    d.kind = calloc(IMAGES, 1);
    d.kinds = 1;
    for (int i = 0; i < IMAGES; i++) {
        box[i] = (struct map_box){2, 2, 8, 8, i % 10};
        d.box_end[i] = i + 1;
    }
    net_set_meta(net, "input_mean", "128", &e);
    net_set_meta(net, "input_scale", "1", &e);
    net_set_meta(net, "input_std", "32", &e);
    struct net *made = quantize_net(net, &d, &s, 1e3, threads, &r, &e);
    CHECK(made && r.images == JUDGED && net_meta(made, "validation_recall"), "a finder in 8 bits %s", e.what);
    if (!made)
        exit(check_done());
    net_resize(made, OTHER_SIDE, OTHER_SIDE, &e);
    net_resize(net, OTHER_SIDE, OTHER_SIDE, &e);
    for (int i = 0; i < OTHER_SIDE * OTHER_SIDE; i++)
        x[i] = (float)(i * 37 % 256 - 128) / 32;
    struct infer *p = infer_new(net, 1, threads, kernel_best(), &e), *q = infer_new(made, 1, threads, kernel_best(), &e);
    CHECK(q && infer_int8(q), "a finder of another size is run in whole numbers");
    infer_run(p, x, 1, floats);
    infer_run(q, x, 1, whole);
    double apart = 0, all = 0;
    for (int i = 0; i < MAP; i++) {
        apart += (whole[i] - floats[i]) * (whole[i] - floats[i]);
        all += floats[i] * floats[i];
    }
    CHECK(apart < .01 * all, "its maps are about those of floats (%.4f)", sqrt(apart / all));
    memcpy(floats, whole, sizeof floats);
    infer_set_int8(q, kernel8_named(kernel_best(), "portable"));
    infer_run(q, x, 1, whole);
    CHECK(!memcmp(floats, whole, sizeof floats), "and the same at every level");
    infer_free(p);
    infer_free(q);
    net_free(made);
    net_free(net);
    free(d.box_end);
    free(d.kind);
    d.box = NULL;
    d.box_end = NULL;
    d.kind = NULL;
    free(s.train_index);
    free(s.validation_index);
    dataset_free(&d);
}

int main(void)
{
    struct err e = ERR_NONE;
    struct dataset d;
    struct split s;
    threads = threads_new(1, &e);
    fill(&d, &s);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        check_net(nets[i].name, nets[i].text, &d, &s);
    check_refused(&d, &s);
    check_fallback(&d, &s);
    check_finder();
    free(s.train_index);
    free(s.validation_index);
    dataset_free(&d);
    threads_free(threads);
    return check_done();
}
