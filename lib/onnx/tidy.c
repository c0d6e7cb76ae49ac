/* Optimizing a net that was made of a graph.
 *   in   the layers in the order of the nodes
 *   out  the same function in fewer: batch norms made of constants folded into the weights before them, unused
 *        layers and dropout removed, the rest numbered anew; dense layers that pictures are made of as convolutions */
#include "import.h"

/* Count for each layer the layers that read it, among those that the output depends on; they are 0 before. */
static void count_readers(const struct net *net, int *readers)
{
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
    if (!l->bias && !(l->bias = import_filled(m, l->out.c, 0)))
        return -1;
    for (long k = 0; k < l->out.c; k++) {
        for (long j = k * each; j < (k + 1) * each; j++)
            l->weight[j] *= affine->scale[k];
        l->bias[k] = affine->scale[k] * l->bias[k] + affine->shift[k];
        if (l->step)
            l->step[k] *= affine->scale[k];
    }
    net_free_params(affine);
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

/* ---- Pictures behind dense layers ---- */

/* Layers that look at the sides of their input, or move values; the others take a matrix of images too. */
static const bool needs_picture[OP_COUNT] = {
    [OP_CONV] = true, [OP_MAXPOOL] = true, [OP_AVGPOOL] = true, [OP_GLOBALPOOL] = true, [OP_PAD] = true,
    [OP_RESHAPE] = true, [OP_CONCAT] = true, [OP_SLICE] = true, [OP_UPSAMPLE] = true, [OP_ZEROSTUFF] = true};

/* The shape that a layer's values keep in memory: flattening does not move them. */
static struct shape kept_shape(const struct net *net, int i)
{
    const struct layer *l = &net->layer[i];
    while (l->op != OP_INPUT && l->op != OP_DENSE && !needs_picture[l->op])
        l = &net->layer[l->in[0]];
    return l->out;
}

/* Dense layers gather the images into a matrix, behind which there are no pictures any more. Those from which a
 * layer is reached that needs pictures become convolutions with a kernel as large as their input, and what was
 * flattened for them, or for a sum with something else, is moved. needed, 0 before, marks them. */
static void keep_pictures(struct net *net, int *needed)
{
    for (int i = net->layers - 1; i > 0; i--) {
        struct layer *l = &net->layer[i];
        if (op_inputs(l->op) == 2 && l->op != OP_CONCAT) {
            struct shape a = kept_shape(net, l->in[0]), b = kept_shape(net, l->in[1]);
            needed[i] |= a.c != b.c || a.h != b.h || a.w != b.w;
        }
        if (needs_picture[l->op] || needed[i])
            for (int j = 0; j < op_inputs(l->op); j++)
                needed[l->in[j]] = 1;
    }
    for (int i = 1; i < net->layers; i++) {
        struct layer *l = &net->layer[i];
        if (needed[i] && l->op == OP_FLATTEN)
            l->op = OP_RESHAPE;
        if (!needed[i] || l->op != OP_DENSE)
            continue;
        l->op = OP_CONV;
        l->r = net->layer[l->in[0]].out.h;
        l->s = net->layer[l->in[0]].out.w;
    }
}

int import_tidy(struct import *m)
{
    struct net *net = m->net;
    int *readers = memory_new(&m->memory, MAX_LAYERS * sizeof *readers);
    int *moved = memory_new(&m->memory, MAX_LAYERS * sizeof *moved);
    int kept = 0, status = 0;
    if (!readers || !moved)
        return err_set(m->e, "out of memory");
    count_readers(net, readers);
    for (int i = 1; i < net->layers && !status; i++)
        if (can_fold_affine(m, readers, i))
            status = fold_affine(m, i);
    keep_pictures(net, moved);
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
            net_free_params(&net->layer[i]);
        }
    }
    net->layers = kept;
    return status;
}
