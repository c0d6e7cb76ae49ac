/* The engine alone: images a second of a network, running or training.
 *
 *     engine infer|train|train-bf16 NET BATCH THREADS SECONDS [LEVEL]
 *
 * prints the best of the rates measured in SECONDS; tests/bench/bench.py calls it beside the peers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/engine.h"
#include "onnx/onnx.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fill(void *arg, int i, int thread, float *x)
{
    (void)thread;
    memcpy(x, (float *)arg + i * 784L, 784 * sizeof *x);
}

static struct net *load(const char *name, struct err *e)
{
    size_t len = strlen(name);
    if (len > 5 && !strcmp(name + len - 5, ".onnx"))
        return onnx_load(name, e);
    struct net *net = net_load(name, e);
    if (net)
        net_init(net, 1);
    return net;
}

/* The best rate, in images a second, of running p or training r for some seconds. */
static double measure(struct infer *p, struct trainer *r, int batch, double seconds)
{
    float *x = calloc((size_t)batch * 784, sizeof *x), *y = calloc((size_t)batch * 64, sizeof *y);
    uint16_t *label = calloc((size_t)batch, sizeof *label);
    if (!x || !y || !label)
        exit(1);
    for (int i = 0; i < batch * 784; i++)
        x[i] = (float)(i * 7919L % 255) / 255;
    int rounds = batch < 64 ? 64 / batch : 1;
    double best = 0, end = now() + seconds;
    while (now() < end) {
        double start = now();
        for (int i = 0; i < rounds; i++)
            if (r)
                trainer_step(r, fill, x, label, batch, 1e-4);
            else
                infer_run(p, x, batch, y);
        double rate = rounds * batch / (now() - start);
        best = rate > best ? rate : best;
    }
    free(x);
    free(y);
    free(label);
    return best;
}

int main(int argc, char **argv)
{
    struct err e = ERR_NONE;
    if (argc < 6) {
        fputs("usage: engine infer|train|train-bf16 NET BATCH THREADS SECONDS [LEVEL]\n", stderr);
        return 2;
    }
    bool bf16 = !strcmp(argv[1], "train-bf16");
    bool train = bf16 || !strcmp(argv[1], "train");
    int batch = atoi(argv[3]);
    const struct kernels8 *int8 = argc > 6 ? kernel8_named(kernel_best(), argv[6]) : NULL;
    const struct kernels *k = argc > 6 ? kernel_named(argv[6]) : kernel_best();
    k = !k && int8 ? kernel_best() : k;
    struct net *net = load(argv[2], &e);
    struct threads *t = threads_new(atoi(argv[4]), &e);
    struct train_options o = {.batch = batch, .optimizer = OPT_ADAMW, .beta1 = 0.9, .beta2 = 0.999,
                              .epsilon = 1e-8};
    if (bf16)
        o.bf16 = kernel16_named(kernel_best(), argc > 6 ? argv[6] : NULL);
    k = !k && o.bf16 ? kernel_best() : k;
    bool ok = net && t && k && (!bf16 || o.bf16);
    struct infer *p = ok && !train ? infer_new(net, batch, t, k, &e) : NULL;
    struct trainer *r = ok && train ? trainer_new(net, &o, t, k, &e) : NULL;
    if (!p && !r) {
        fprintf(stderr, "engine: %s: %s\n", argv[2], e.what);
        return 1;
    }
    if (train)
        threads_spin(t);
    if (p && int8)
        infer_set_int8(p, int8);
    printf("%.0f\n", measure(p, r, batch, atof(argv[5])));
    infer_free(p);
    trainer_free(r);
    threads_free(t);
    net_free(net);
    return 0;
}
