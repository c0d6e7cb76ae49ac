/* How large a network is and what running it takes, for tests. */
#ifndef INKPIPE_TESTS_NETSIZE_H
#define INKPIPE_TESTS_NETSIZE_H

#include "net/net.h"

/* Parameters that are trained. */
static inline long net_param_count(const struct net *net)
{
    long count = 0;
    for (int i = 0; i < net->layers; i++) {
        const struct layer *l = &net->layer[i];
        int arrays = !!l->bias + !!l->scale + !!l->shift;
        count += net_weight_count(net, i) + arrays * net_channels(net, i);
    }
    return count;
}

/* Multiplications for an image. */
static inline int64_t net_multiplies(const struct net *net)
{
    int64_t count = 0;
    for (int i = 0; i < net->layers; i++)
        count += (int64_t)net_weight_count(net, i) * net->layer[i].out.h * net->layer[i].out.w;
    return count;
}

#endif
