/* Optimizing a net that was made of a graph.
 *   in   the layers in the order of the nodes
 *   out  the same function in fewer: batch norms made of constants folded into the weights before them,
 *        unused
 *        layers and dropout removed, the rest numbered anew */
#include "import.h"

#include <stdlib.h>
#include <string.h>

void import_free_layer(struct layer *l)
{
    float *owned[] = {l->weight, l->bias, l->step, l->scale, l->shift, l->mean, l->var};
    for (size_t j = 0; j < sizeof owned / sizeof *owned; j++)
        free(owned[j]);
    l->weight = l->bias = l->step = l->scale = l->shift = l->mean = l->var = NULL;
}

/* Count for each layer the layers that read it, among those that the output depends on. */
static void count_readers(const struct net *net, int *readers)
{
    memset(readers, 0, MAX_LAYERS * sizeof *readers);
    readers[net->layers - 1] = 1;
    for (int i = net->layers - 1; i > 0; i--)
        for (int j = 0; readers[i] && j < op_inputs(net->layer[i].op); j++)
            readers[net->layer[i].in[j]]++;
}

/* Fold layer i, y = scale * x + shift, into the weights and bias of the layer before it. */
static int fold_affine(struct import *m, int i)
{
    struct layer *affine = &m->net->layer[i], *l = &m->net->layer[affine->in[0]];
    long each = net_weight_count(m->net, affine->in[0]) / l->out.c;
    if (!l->bias && !(l->bias = import_floats(m, l->out.c)))
        return -1;
    for (long k = 0; k < l->out.c; k++) {
        for (long j = k * each; j < (k + 1) * each; j++)
            l->weight[j] *= affine->scale[k];
        l->bias[k] = affine->scale[k] * l->bias[k] + affine->shift[k];
        if (l->step)
            l->step[k] *= affine->scale[k];
    }
    import_free_layer(affine);
    affine->op = OP_DROPOUT; /* the identity, dropped below */
    return 0;
}

static bool can_fold_affine(const struct import *m, const int *readers, int i)
{
    const struct layer *l = &m->net->layer[i];
    if (!m->affine[i] || !readers[i])
        return false;
    const struct layer *from = &m->net->layer[l->in[0]];
    return (from->op == OP_CONV || from->op == OP_DENSE) && readers[l->in[0]] == 1;
}

int import_tidy(struct import *m)
{
    struct net *net = m->net;
    int *readers = calloc(2 * MAX_LAYERS, sizeof *readers);
    int kept = 0, status = 0;
    if (!readers)
        return err_set(m->call.e, "out of memory");
    int *moved = readers + MAX_LAYERS;
    count_readers(net, readers);
    for (int i = 1; i < net->layers && !status; i++)
        if (can_fold_affine(m, readers, i))
            status = fold_affine(m, i);
    for (int i = 0; i < net->layers; i++) {
        struct layer l = net->layer[i];
        for (int j = 0; j < op_inputs(l.op); j++)
            l.in[j] = moved[l.in[j]];
        moved[i] = kept;
        if (l.op == OP_DROPOUT) {
            moved[i] = l.in[0];
        } else if (readers[i]) {
            net->layer[i] = (struct layer){0};
            net->layer[kept++] = l;
        } else {
            import_free_layer(&net->layer[i]);
        }
    }
    net->layers = kept;
    free(readers);
    return status;
}
