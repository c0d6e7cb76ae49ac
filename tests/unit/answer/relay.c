/* answer/relay: batches that are sent in turns are answered as each frame is alone, by one thread and by several. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "answer/answer.h"
#include "net/net.h"
#include "onnx/onnx.h"

enum { PIXELS = 28 * 28, CLASSES = 3, MOST = 32, BATCHES = 60 };

struct turn {
    struct relay *relay;
    struct model *model;
    uint8_t gray[2][MOST * PIXELS];
    double p[2][MOST * CLASSES];
    int n[2], wrong, answered;
};

static void check_batch(struct turn *t, int batch)
{
    relay_wait(t->relay, batch);
    for (int i = 0; i < t->n[batch]; i++) {
        double alone = t->gray[batch][i * PIXELS], sum = 0;
        const double *p = t->p[batch] + (long)i * CLASSES;
        for (int k = 0; k < CLASSES; k++)
            sum += p[k];
        t->wrong += !(p[1] > p[0]) != !(alone > 100) || sum < 0.999 || sum > 1.001;
    }
    t->answered += t->n[batch];
    t->n[batch] = 0;
}

/* Frames of one gray each; the batch before is looked at while this one is on its way. */
static void work(void *arg)
{
    struct turn *t = arg;
    for (int i = 0; i < BATCHES; i++) {
        int batch = i % 2, n = t->n[batch] = i * 7 % (MOST + 1);
        for (int k = 0; k < n; k++)
            memset(t->gray[batch] + (long)k * PIXELS, (i * 31 + k * 17) % 256, PIXELS);
        relay_send(t->relay, batch, t->gray[batch], n, t->p[batch]);
        check_batch(t, !batch);
    }
    check_batch(t, (BATCHES - 1) % 2);
}

static void test_threads(const char *file, int threads)
{
    static struct turn turn;
    struct err e = ERR_NONE;
    struct threads *t = threads_new(threads, &e);
    int sent = 0;
    memset(&turn, 0, sizeof turn);
    turn.model = t ? model_load(&file, 1, NULL, NULL, MOST, t, &e) : NULL;
    turn.relay = turn.model ? relay_new(turn.model, &e) : NULL;
    for (int i = 0; i < BATCHES; i++)
        sent += i * 7 % (MOST + 1);
    if (turn.relay)
        relay_run(turn.relay, work, &turn);
    CHECK(turn.answered == sent && !turn.wrong, "%d threads: %d frames in turns, %d wrong %s", threads,
          turn.answered, turn.wrong, e.what);
    relay_free(turn.relay);
    model_free(turn.model);
    threads_free(t);
}

/* A network that says 1 of a frame whose gray is above 100. */
int main(void)
{
    static const char text[] = "input 1 28 28\nglobalpool\nflatten\ndense 3\nsoftmax\n";
    char file[] = "/tmp/relay-XXXXXX";
    struct err e = ERR_NONE;
    int fd = mkstemp(file);
    struct net *net = net_parse(text, sizeof text - 1, "test", &e);
    if (net)
        net_init(net, 1);
    for (int i = 0; net && i < net->layers; i++)
        if (net->layer[i].op == OP_DENSE) {
            const float weight[CLASSES] = {0, 255, 0}, bias[CLASSES] = {0, -100.5f, 0};
            memcpy(net->layer[i].weight, weight, sizeof weight);
            memcpy(net->layer[i].bias, bias, sizeof bias);
        }
    CHECK(fd >= 0 && net && !onnx_save(net, file, &e), "a model: %s", e.what);
    for (int threads = 1; threads < 5; threads++)
        test_threads(file, threads);
    net_free(net);
    close(fd);
    remove(file);
    return check_done();
}
