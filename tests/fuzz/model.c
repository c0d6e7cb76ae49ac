/* A stranger's model, run: its labels and scaling are read, its network planned, and a bright and a
 * dark frame answered. Some vote with themselves, some are told their scaling. Networks that are slow
 * are left out.
 * Run: build/libfuzzer/fuzz/model tests/fuzz/corpus/model */
#include "../netsize.h"
#include "answer/answer.h"
#include "net/net.h"
#include "onnx/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAMES = 2, SLOW = 1 << 20, LARGE = 1 << 20 };

/* Whether running the network takes a moment only. */
static bool is_quick(const struct net *net)
{
    long values = 0;
    for (int i = 0; i < net->layers; i++) {
        const struct layer *l = &net->layer[i];
        long out = (long)l->out.c * l->out.h * l->out.w;
        values += out * (l->op == OP_MAXPOOL || l->op == OP_AVGPOOL ? (long)l->r * l->s : 1);
        if (l->pad_top + l->pad_left + l->pad_bottom + l->pad_right > 1024)
            return false;
    }
    return net_multiplies(net) < SLOW && values < LARGE && net_param_count(net) < LARGE;
}

static void answer(struct model *m)
{
    size_t pixels = (size_t)m->width * (size_t)m->height;
    uint8_t *gray = malloc(FRAMES * pixels);
    double *p = malloc(FRAMES * (size_t)m->classes * sizeof *p);
    static char line[ANSWER_LINE];
    static struct answer a, again;
    if (gray && p) {
        for (size_t i = 0; i < FRAMES * pixels; i++)
            gray[i] = (uint8_t)(i < pixels ? 255 - i % 7 : i * i);
        model_doubt(gray, m->width, m->height);
        memset(gray + pixels, 0, (size_t)m->width);
        model_doubt(gray + pixels, m->width, m->height);
        memset(gray, 0, pixels);
        model_doubt(gray, m->width, m->height);
        gray[0] = 255;
        model_doubt(gray, m->width, m->height);
        model_run(m, gray, FRAMES, p);
        for (int i = 0; i < FRAMES; i++) {
            answer_clear(&a);
            answer_decide(&a, m->labels.of, m->classes, m->reject, p + i * m->classes, 0.5);
            answer_json(&a, line);
            if (answer_parse(line, &again, NULL))
                abort();
        }
    }
    free(gray);
    free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file; /* kept from run to run */
    static char name[32];
    const char *names[] = {name, name};
    const struct scaling other = {1 / 128.0, 1, 0.5};
    if (!file) {
        file = memfd_create("model", MFD_CLOEXEC);
        snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    }
    struct err e = ERR_NONE;
    struct net *net = onnx_parse(data, size, &e);
    bool quick = net && is_quick(net);
    struct scaling given;
    const char *text = net ? net_meta(net, "input_scale") : NULL;
    if (text && scaling_parse(text, &given) && given.std == 0)
        abort();
    net_free(net);
    if (!quick)
        return 0;
    if (ftruncate(file, 0) < 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        abort();
    struct threads *t = threads_new(1, &e);
    struct model *m = t ? model_load(names, 1 + (int)(size % 2), NULL, size % 3 ? NULL : &other, FRAMES,
                                     t, &e) : NULL;
    if (m)
        answer(m);
    else if (!e.what[0])
        abort();
    model_free(m);
    threads_free(t);
    return 0;
}
