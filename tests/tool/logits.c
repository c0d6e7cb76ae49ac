/* What a model makes of raw floats, for comparing with other runtimes:
 *
 *     logits MODEL.onnx [BATCH] <floats >floats
 *
 * reads images [N][C][H][W] of native floats and writes [N][K]; a softmax at the end is left out.
 * `logits -` is asked again and again in one process: a line `BATCH BYTES MODEL.onnx` and so many bytes of floats are
 * answered by a line `ok BYTES` and so many of them, or by a line that says what is wrong.
 * `logits -s MODEL.net MODEL.onnx` writes a net with weights of seed 1 as a model,
 * `logits -c FROM.onnx TO.onnx` reads a model and writes it as ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "engine/engine.h"
#include "onnx/onnx.h"
#include "base/rng.h"

static int fail(const struct err *e)
{
    char text[600];
    fprintf(stderr, "logits: %s\n", err_text(e, text, sizeof text));
    return 1;
}

/* Batch norm with statistics that are not all 0 and 1, so that a mistake in them shows. */
static void draw(struct net *net)
{
    net_init(net, 1);
    for (int i = 0; i < net->layers; i++) {
        struct rng rng = rng_seed(2, (uint64_t)i);
        struct layer *l = &net->layer[i];
        for (long k = 0; k < net_channels(net, i); k++) {
            if (l->bias)
                l->bias[k] = (float)rng_range(&rng, -.1, .1);
            if (l->op != OP_BATCHNORM)
                continue;
            l->scale[k] = (float)rng_range(&rng, .5, 1.5);
            l->shift[k] = (float)rng_range(&rng, -.2, .2);
            l->mean[k] = (float)rng_range(&rng, -.2, .2);
            l->var[k] = (float)rng_range(&rng, .5, 1.5);
        }
    }
}

static int save(const char *from, const char *to, bool drawn)
{
    struct err e = ERR_NONE;
    struct net *net = drawn ? net_load(from, &e) : onnx_load(from, &e);
    if (!net)
        return fail(&e);
    if (drawn)
        draw(net);
    int status = onnx_save(net, to, &e) ? fail(&e) : 0;
    net_free(net);
    return status;
}

/* The logits of the images in len bytes, *count floats that are the caller's; NULL with e set. */
static float *run(const char *name, int batch, const uint8_t *bytes, size_t len, size_t *count, struct err *e)
{
    struct net *net = onnx_load(name, e);
    struct threads *threads = net ? threads_new(1, e) : NULL;
    struct infer *infer = threads ? infer_new(net, batch, threads, kernel_best(), e) : NULL;
    float *logits = NULL;
    if (infer) {
        struct shape in = net_input(net);
        size_t each = (size_t)in.c * (size_t)in.h * (size_t)in.w, n = len / sizeof(float) / each;
        size_t outputs = (size_t)net_outputs(net);
        logits = calloc(n * outputs + 1, sizeof *logits);
        for (size_t i = 0; i < n; i += (size_t)batch)
            infer_run(infer, (const float *)(const void *)bytes + i * each,
                      n - i < (size_t)batch ? (int)(n - i) : batch, logits + i * outputs);
        *count = n * outputs;
    }
    infer_free(infer);
    threads_free(threads);
    net_free(net);
    return logits;
}

static int once(const char *name, int batch)
{
    struct err e = ERR_NONE;
    uint8_t *bytes = NULL;
    size_t len = 0, count = 0;
    if (file_load("-", 1L << 30, &bytes, &len, &e))
        return fail(&e);
    float *logits = run(name, batch, bytes, len, &count, &e);
    free(bytes);
    if (!logits)
        return fail(&e);
    fwrite(logits, sizeof *logits, count, stdout);
    free(logits);
    return fclose(stdout) != 0;
}

static int serve(void)
{
    char name[4096], text[600];
    int batch;
    size_t len, count = 0;
    while (scanf("%d %zu %4095[^\n]", &batch, &len, name) == 3 && getchar() == '\n') {
        struct err e = ERR_NONE;
        uint8_t *bytes = malloc(len + 1);
        float *logits = NULL;
        if (bytes && fread(bytes, 1, len, stdin) == len)
            logits = run(name, batch, bytes, len, &count, &e);
        if (logits) {
            printf("ok %zu\n", count * sizeof *logits);
            fwrite(logits, sizeof *logits, count, stdout);
        } else {
            printf("%s\n", err_text(&e, text, sizeof text));
        }
        free(logits);
        free(bytes);
        if (fflush(stdout))
            return 1;
    }
    return !feof(stdin);
}

int main(int argc, char **argv)
{
    if (argc == 4 && (!strcmp(argv[1], "-s") || !strcmp(argv[1], "-c")))
        return save(argv[2], argv[3], argv[1][1] == 's');
    if (argc == 2 && !strcmp(argv[1], "-"))
        return serve();
    if (argc == 2 || argc == 3)
        return once(argv[1], argc == 3 ? atoi(argv[2]) : 16);
    fprintf(stderr, "usage: logits model.onnx [batch] | logits - | logits -s net model | logits -c model model\n");
    return 2;
}
