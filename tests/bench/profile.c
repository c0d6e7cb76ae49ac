/* Where the time goes, layer by layer, when a network runs on one thread.
 *
 *     profile MODEL [BATCH [SECONDS [LEVEL]]]    batch 64, 2 seconds
 *
 * GFLOP/s count the multiplications and additions of the definition, whatever algorithm was used. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/engine.h"
#include "onnx/onnx.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int print_step(const struct net *net, const struct infer_step *s, double images, double all)
{
    const struct layer *l = &net->layer[s->first];
    int n = printf("%4d %s", s->first, op_name(l->op));
    if (l->op == OP_CONV)
        n += printf(" %dx%d to %dx%dx%d", l->r, l->s, l->out.c, l->out.h, l->out.w);
    else if (l->op == OP_DENSE)
        n += printf(" to %d", l->out.c);
    for (int i = s->first + 1; i <= s->last; i++)
        n += printf(" + %s", op_name(net->layer[i].op));
    double us = s->seconds / images * 1e6;
    printf("%*s %-10s %8.2f %5.1f %%", n < 56 ? 56 - n : 1, "",
           s->last < s->first ? "copying" : s->winograd ? "Winograd" : "", us, 100 * s->seconds / all);
    if (s->multiplies > 0)
        printf(" %8.1f", 2e-3 * s->multiplies / us);
    return printf("\n");
}

static void profile(const struct net *net, struct infer *p, int batch, double seconds)
{
    long size = (long)net_input(net).c * net_input(net).h * net_input(net).w;
    float *x = calloc((size_t)(batch * size), sizeof *x);
    float *y = calloc((size_t)batch * (size_t)net_outputs(net), sizeof *y);
    int steps, runs = 0;
    if (!x || !y)
        exit(1);
    for (long i = 0; i < batch * size; i++)
        x[i] = (float)(i * 7919L % 255) / 255;
    infer_run(p, x, batch, y);
    const struct infer_step *s = infer_profile(p, &steps);
    double start = now(), all = 0;
    for (; now() < start + seconds; runs++)
        infer_run(p, x, batch, y);
    all = now() - start;
    printf("%-56s %-10s %8s %7s %8s\n", "layer", "how", "us/image", "share", "GFLOP/s");
    double images = (double)runs * batch, in_steps = 0;
    for (int i = 0; i < steps; i++) {
        print_step(net, &s[i], images, all);
        in_steps += s[i].seconds;
    }
    printf("%-67s %8.2f %5.1f %%\n", "everything else", (all - in_steps) / images * 1e6,
           100 * (all - in_steps) / all);
    printf("%-67s %8.2f         = %.0f images/s, batch %d\n", "all", all / images * 1e6,
           images / all, batch);
    free(x);
    free(y);
}

int main(int argc, char **argv)
{
    struct err e = ERR_NONE;
    if (argc < 2) {
        fputs("usage: profile MODEL [BATCH [SECONDS [LEVEL]]]\n", stderr);
        return 2;
    }
    int batch = argc > 2 ? atoi(argv[2]) : 64;
    const struct kernels *k = argc > 4 ? kernel_named(argv[4]) : kernel_best();
    struct net *net = onnx_load(argv[1], &e);
    struct threads *t = threads_new(1, &e);
    struct infer *p = net && t && k && batch > 0 ? infer_new(net, batch, t, k, &e) : NULL;
    if (!p || infer_int8(p)) {
        fprintf(stderr, "profile: %s: %s\n", argv[1], p ? "runs in whole numbers" : e.what);
        return 1;
    }
    profile(net, p, batch, argc > 3 ? atof(argv[3]) : 2);
    infer_free(p);
    threads_free(t);
    net_free(net);
    return 0;
}
