/* Networks with weights from a seed, and batch-norm parameters that are not the trivial ones. */
#ifndef INKPIPE_DRAWN_H
#define INKPIPE_DRAWN_H

#include "check.h"
#include "net/net.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

/* Of text; biases, and what batch norm adds and takes away, are at most `most`. */
static struct net *drawn_net(const char *name, const char *text, double most)
{
    struct err e = ERR_NONE;
    struct net *net = net_parse(text, strlen(text), name, &e);
    if (!net) {
        CHECK(0, "%s: %s", name, e.what);
        exit(check_done());
    }
    net_init(net, 7);
    struct rng r = rng_seed(3, 1);
    for (int i = 0; i < net->layers; i++) {
        struct layer *l = &net->layer[i];
        for (int k = 0; k < l->out.c; k++) {
            if (l->bias)
                l->bias[k] = (float)rng_range(&r, -most, most);
            if (l->op == OP_BATCHNORM) {
                l->scale[k] = (float)rng_range(&r, k % 5 ? .2 : -.5, 1.5);
                l->shift[k] = (float)rng_range(&r, -most, most);
                l->mean[k] = (float)rng_range(&r, -most, most);
                l->var[k] = (float)rng_range(&r, .2, 2);
            }
        }
    }
    return net;
}

#endif
