/* A network's losses, gradients, three AdamW steps, running statistics and logits against PyTorch's,
 * tensor by tensor. tests/make-torch-fixture.py made the numbers. */
#include "../check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

static const char text[] = "input 1 12 12\nconv 6 3x3\nrelu\nbatchnorm\nname a\n"
                           "conv 6 3x3 pad same nobias\nbatchnorm\nadd a\nrelu\nmaxpool 2x2\n"
                           "flatten\ndense 12\nrelu\nbatchnorm\ndense 10\nsoftmax\n";
enum { N = 16 };

/* The fixture: lines of "name value value ...". */
static char *fixture;

static void load_fixture(void)
{
    FILE *f = fopen("tests/data/torch.txt", "r");
    size_t size = 1 << 20;
    fixture = calloc(size, 1);
    if (!f || !fixture || !fread(fixture, 1, size - 1, f)) {
        CHECK(0, "tests/data/torch.txt can be read (run from the tree's root)");
        exit(check_done());
    }
    fclose(f);
}

/* The values of a tensor, `count` of them or the test ends. Freed by the caller. */
static float *tensor(const char *name, long count)
{
    size_t len = strlen(name);
    float *v = malloc((size_t)count * sizeof *v);
    for (char *line = fixture; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) || line[len] != ' ')
            continue;
        char *p = line + len;
        for (long i = 0; i < count; i++)
            v[i] = strtof(p, &p);
        if (*p == '\n')
            return v;
    }
    CHECK(0, "the fixture has %ld values of %s", count, name);
    exit(check_done());
}

/* The largest difference, relative to the tensor's largest value. */
static double difference(const float *a, const float *b, long n)
{
    double most = 1e-12, worst = 0;
    for (long i = 0; i < n; i++) {
        most = fmax(most, fabs(b[i]));
        worst = fmax(worst, fabs((double)a[i] - b[i]));
    }
    return worst / most;
}

/* Every parameter of the net by PyTorch's name for it. */
struct param {
    const char *name;
    float *data;
    long count;
};

static int params_of(const struct net *net, struct param *list)
{
    int n = 0;
    static char names[128][24];
    for (int i = 0; i < net->layers; i++) {
        struct layer *l = &net->layer[i];
        const char *words[] = {"weight", "bias", "weight", "bias", "running_mean", "running_var"};
        float *data[] = {l->weight, l->bias, l->scale, l->shift, l->mean, l->var};
        for (int j = 0; j < 6; j++) {
            if (!data[j])
                continue;
            snprintf(names[n], sizeof names[n], "l%d.%s", i, words[j]);
            list[n] = (struct param){names[n], data[j],
                                     j ? net_channels(net, i) : net_weight_count(net, i)};
            n++;
        }
    }
    return n;
}

static bool is_statistic(const struct param *p)
{
    return strstr(p->name, "running") != NULL;
}

static void fill(void *arg, int i, int thread, float *x)
{
    (void)thread;
    memcpy(x, (const float *)arg + i * 144, 144 * sizeof *x);
}

static void check_gradients(struct net *net, float *x, const uint16_t *label, struct threads *t)
{
    struct err e = ERR_NONE;
    struct train_options o = {.batch = N, .optimizer = OPT_SGD, .label_smoothing = 0.1};
    struct trainer *trainer = trainer_new(net, &o, t, kernel_best(), &e);
    struct net *after = net_copy(net, &e);
    struct param before[64], stepped[64];
    int n = params_of(net, before);
    params_of(after, stepped);
    trainer_step(trainer, fill, x, label, N, 1);
    trainer_export(trainer, after, false);
    for (int i = 0; i < n; i++) {
        if (is_statistic(&before[i]))
            continue;
        char name[64];
        snprintf(name, sizeof name, "gradient.%s", before[i].name);
        float *want = tensor(name, before[i].count);
        for (long j = 0; j < before[i].count; j++)
            stepped[i].data[j] = before[i].data[j] - stepped[i].data[j];
        double d = difference(stepped[i].data, want, before[i].count);
        CHECK(d < 1e-4, "gradient of %s (differs by %.1e)", before[i].name, d);
        free(want);
    }
    trainer_free(trainer);
    net_free(after);
}

static void check_steps(struct net *net, float *x, const uint16_t *label, struct threads *t)
{
    struct err e = ERR_NONE;
    struct train_options o = {.batch = N, .optimizer = OPT_ADAMW, .label_smoothing = 0.1,
                              .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8};
    struct trainer *trainer = trainer_new(net, &o, t, kernel_best(), &e);
    for (int s = 0; s < 3; s++) {
        char name[16];
        snprintf(name, sizeof name, "loss%d", s);
        float *want = tensor(name, 1);
        double loss = trainer_step(trainer, fill, x, label, N, 0.01).loss;
        CHECK(fabs(loss - *want) < 2e-5, "loss of step %d (%.6f, %.6f)", s, loss, (double)*want);
        free(want);
    }
    trainer_export(trainer, net, false);
    struct param p[64];
    int n = params_of(net, p);
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "stepped.%s", p[i].name);
        float *want = tensor(name, p[i].count);
        double d = difference(p[i].data, want, p[i].count);
        CHECK(d < 1e-3, "%s after three steps (differs by %.1e)", p[i].name, d);
        free(want);
    }
    trainer_free(trainer);
}

static void check_logits(const struct net *net, const float *x, struct threads *t)
{
    struct err e = ERR_NONE;
    float logits[N * 10], *want = tensor("logits", N * 10);
    struct infer *p = infer_new(net, N, t, kernel_best(), &e);
    infer_run(p, x, N, logits);
    double d = difference(logits, want, N * 10);
    CHECK(d < 1e-3, "logits after three steps (differ by %.1e)", d);
    infer_free(p);
    free(want);
}

int main(void)
{
    struct err e = ERR_NONE;
    load_fixture();
    struct net *net = net_parse(text, strlen(text), "torch", &e);
    struct threads *t = threads_new(2, &e);
    struct param p[64];
    int n = net ? params_of(net, p) : 0;
    CHECK(net && n == 19, "the network has 19 tensors");
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "initial.%s", p[i].name);
        if (is_statistic(&p[i]))
            continue;
        float *initial = tensor(name, p[i].count);
        memcpy(p[i].data, initial, (size_t)p[i].count * sizeof *initial);
        free(initial);
    }
    float *x = tensor("x", N * 144), *numbers = tensor("label", N);
    uint16_t label[N];
    for (int i = 0; i < N; i++)
        label[i] = (uint16_t)numbers[i];
    check_gradients(net, x, label, t);
    check_steps(net, x, label, t);
    check_logits(net, x, t);
    threads_free(t);
    net_free(net);
    free(x);
    free(numbers);
    free(fixture);
    return check_done();
}
