/* What the plans of running and of training share.
 *   in   struct net, layouts
 *   out  the readers of each layer, the borders of values, the geometry of operations */
#include "plan.h"

int graph_init(struct graph *g, const struct net *net, bool running, struct pages *p)
{
    size_t n = (size_t)net->layers;
    *g = (struct graph){net, running, pages_take(p, n, sizeof(int)), pages_take(p, n, sizeof(int)),
                        pages_take(p, n, sizeof(int))};
    if (!g->uses || !g->reader || !g->value_of)
        return -1;
    for (int i = 0; i < net->layers; i++) {
        g->value_of[i] = -1;
        for (int j = 0; j < 2; j++) {
            int from = net->layer[i].in[j];
            if (from >= 0) {
                g->uses[from]++;
                g->reader[from] = i;
            }
        }
    }
    return 0;
}

int graph_reader(const struct graph *g, int i, enum op op)
{
    do {
        if (g->uses[i] != 1)
            return -1;
        i = g->reader[i];
    } while (g->running && g->net->layer[i].op == OP_DROPOUT);
    return g->net->layer[i].op == op ? i : -1;
}

bool has_border(struct border b)
{
    return b.top || b.left || b.bottom || b.right;
}

struct border graph_border(const struct graph *g, int i)
{
    struct border b = {0};
    int reader = graph_reader(g, i, OP_CONV); /* behind a dropout, perhaps */
    for (int j = i + 1; j < g->net->layers && !has_border(b); j++) {
        const struct layer *l = &g->net->layer[j];
        if (j == reader || (l->op == OP_CONV && l->in[0] == i))
            b = layer_border(l);
    }
    return b;
}

bool graph_flat_input(const struct graph *g)
{
    bool flat = net_input(g->net).c == 1 && (g->running || g->uses[0] == 1);
    for (int i = 1; i < g->net->layers; i++)
        for (int j = 0; j < 2; j++)
            if (g->net->layer[i].in[j] == 0 && g->net->layer[i].op != OP_CONV)
                flat = false;
    return flat;
}

struct conv conv_geometry(const struct layer *l, const struct packing *p, const struct layout *x,
                          const struct layout *y, int *offset)
{
    struct conv v = {.blocks = p->blocks, .rows = l->out.h, .pixels = l->out.w, .runs = p->runs,
                     .run = p->run, .offset = offset, .x_row = l->stride_h * x->row,
                     .x_pixel = l->stride_w * x->pixel, .y_block = y->block, .y_row = y->row};
    conv_offsets(p, l, x, offset);
    if (x->pixel == 1 && l->dilation_w == 1) { /* the taps of a kernel's row lie side by side: one run */
        for (int r = 0; r < l->r; r++)
            offset[r] = offset[r * l->s];
        v.runs = l->r;
        v.run = l->s;
    }
    return v;
}

struct conv dense_geometry(const struct packing *p, int images, int *offset)
{
    dense_offsets(p, images, offset);
    return (struct conv){.blocks = p->blocks, .rows = 1, .runs = p->runs, .run = p->run,
                         .offset = offset, .x_pixel = BLOCK, .y_block = (long)images * BLOCK};
}

struct pool pool_geometry(const struct layer *l, struct shape in)
{
    bool all = l->op == OP_GLOBALPOOL;
    return (struct pool){all ? in.h : l->r, all ? in.w : l->s, l->stride_h, l->stride_w};
}
