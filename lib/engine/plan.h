/* What the plans of running and of training share: who reads what, and the geometry of operations. For this
 * room alone. */
#ifndef INKPIPE_PLAN_H
#define INKPIPE_PLAN_H

#include "kernel/kernel.h"
#include "layout.h"
#include "net/net.h"
#include "pages.h"

/* A network that is planned. */
struct graph {
    const struct net *net;
    bool running;  /* not training: dropout is the identity */
    int *uses;     /* [layers] how many layers read the layer */
    int *reader;   /* [layers] the last one that reads it */
    int *value_of; /* [layers] the value that holds its output; -1: not planned yet */
};

/* Returns 0, or -1 when memory of p is short. */
int graph_init(struct graph *g, const struct net *net, bool running, struct pages *p);

/* The only reader of layer i, if it is of this op; -1 otherwise. */
int graph_reader(const struct graph *g, int i, enum op op);

bool has_border(struct border b);

/* The border that layer i's output is written with: the padding of the first convolution with padding that
 * reads it. Others with padding copy the value. */
struct border graph_border(const struct graph *g, int i);

/* Whether the input of one channel is read by convolutions alone, so that it needs no blocks; training, by
 * one. */
bool graph_flat_input(const struct graph *g);

/* The geometry of a convolution from x to y, and of a dense layer over a matrix of so many images: all but
 * weights, bias and what follows. offset, of p->runs, is filled in. */
struct conv conv_geometry(const struct layer *l, const struct packing *p, const struct layout *x,
                          const struct layout *y, int *offset);
struct conv dense_geometry(const struct packing *p, int images, int *offset);

/* A pool over an input of shape `in`. */
struct pool pool_geometry(const struct layer *l, struct shape in);

#endif
