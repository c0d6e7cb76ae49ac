/* The graph: names to values, nodes to layers, in order.
 *   in   ONNX's GraphProto
 *   out  the net's layers, one node after another: constant ones are folded, the others run by their
 *        operator */
#include "import.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Budgets, so that a small file cannot ask for much memory. */
#define MAX_VALUES_A_BYTE 4      /* A file may have so many numbers, and weights, for each of its bytes, */
#define SPARE_NUMBERS (1L << 22) /* and so many numbers more, of constants and of positions, */
#define SPARE_WEIGHTS (1L << 22) /* and so many weights more. */

/* ---- Values by name ---- */

static int compare_values(const void *a, const void *b)
{
    return strcmp(((const struct value *)a)->name, ((const struct value *)b)->name);
}

/* The value of that name. NULL when there is none. */
static struct value *find_value(struct import *m, const char *name)
{
    struct value key = {.name = name ? name : ""};
    return bsearch(&key, m->value, m->values, sizeof key, compare_values);
}

bool import_given(struct import *m, size_t i)
{
    return i < m->node->n_input && m->in[i];
}

struct value *import_any(struct import *m, size_t i)
{
    if (import_given(m, i) && m->in[i]->kind == RUNTIME)
        return m->in[i];
    node_fail(m, "input %zu must depend on the image", i);
    return &m->none;
}

int import_check(struct import *m, const struct value *x)
{
    if (import_layer(m, x->layer)->op == OP_SOFTMAX)
        return node_fail(m, "nothing is run after softmax");
    return x->integer || x->quantized ? node_fail(m, "arithmetic on whole numbers is not run") : 0;
}

struct value *import_floats(struct import *m, size_t i)
{
    struct value *x = import_any(m, i);
    return import_check(m, x) ? &m->none : x;
}

const struct tensor *import_known(struct import *m, size_t i)
{
    return import_given(m, i) && m->in[i]->kind == CONSTANT ? &m->in[i]->t : NULL;
}

const struct tensor *import_constant(struct import *m, size_t i)
{
    const struct tensor *t = import_known(m, i);
    if (!t)
        node_fail(m, import_given(m, i) ? "input %zu must be a constant" : "input %zu is missing", i);
    return t ? t : &m->none.t;
}

const struct tensor *import_optional(struct import *m, size_t i)
{
    return import_given(m, i) ? import_constant(m, i) : NULL;
}

/* The node's output i; NULL when nobody asks for it. */
static struct value *output(struct import *m, size_t i)
{
    return i < m->node->n_output ? m->out[i] : NULL;
}

int import_output(struct import *m, size_t i, const struct value *y)
{
    struct value *to = output(m, i);
    if (y->layer < 0 || m->failed)
        return -1;
    if (!to)
        return 0;
    const char *name = to->name;
    *to = *y;
    to->name = name;
    to->needed = true;
    return 0;
}

int import_number(struct import *m, size_t i, double number)
{
    struct value y = {.kind = CONSTANT, .batch = -1};
    return tensor_number(m, TYPE(FLOAT), number, &y.t) ? -1 : import_output(m, i, &y);
}

/* ---- Layers ---- */

int import_append(struct import *m, const struct layer *like)
{
    struct layer l = *like;
    struct err why = ERR_NONE;
    int *const ones[] = {&l.r, &l.s, &l.stride_h, &l.stride_w, &l.dilation_h, &l.dilation_w, &l.groups};
    int i = m->net->layers, inputs = op_inputs(l.op);
    bool there = (inputs < 1 || l.in[0] >= 0) && (inputs < 2 || l.in[1] >= 0);
    if (there && i == MAX_LAYERS)
        node_fail(m, "too many layers");
    if (!there || m->failed) {
        net_free_params(&l);
        return -1;
    }
    for (int j = inputs; j < 2; j++)
        l.in[j] = -1;
    for (size_t j = 0; j < sizeof ones / sizeof *ones; j++)
        *ones[j] = *ones[j] ? *ones[j] : 1;
    if (m->node && m->node->name)
        strncpy(l.name, m->node->name, sizeof l.name - 1);
    m->net->layer[m->net->layers++] = l;
    return net_infer_layer(m->net, i, &why) ? node_fail(m, "%s", why.what) : i;
}

int import_add(struct import *m, enum op op, int from)
{
    return import_append(m, &(struct layer){.op = op, .in = {from}});
}

float *import_filled(struct import *m, long count, float value)
{
    float *floats = NULL;
    if (m->failed)
        return NULL;
    if (count > m->weights)
        node_fail(m, "more weights than a file of its size should need");
    else if (!(floats = calloc((size_t)count, sizeof *floats)))
        node_fail(m, "out of memory");
    m->weights -= floats ? count : 0;
    for (long i = 0; floats && value != 0 && i < count; i++)
        floats[i] = value;
    return floats;
}

float *import_array(struct import *m, const struct tensor *t, long count, double factor)
{
    float *floats = import_filled(m, count, 0);
    for (long i = 0; floats && i < count; i++)
        floats[i] = (float)(factor * tensor_at(t, t->count == 1 ? 0 : i));
    return floats;
}

void import_steps(struct import *m, struct layer *l, const struct tensor *w, int axis, float factor)
{
    const struct tensor steps = {.data = w->step, .count = w->step_axis < 0 ? 1 : l->out.c};
    if (w->step && (w->step_axis < 0 || w->step_axis == axis))
        l->step = import_array(m, &steps, l->out.c, factor);
}

void import_bias(struct import *m, struct layer *l, const struct tensor *b, double factor)
{
    if (!b)
        return;
    if (b->count != l->out.c && b->count != 1)
        node_fail(m, "%ld biases for %d outputs", b->count, l->out.c);
    for (int d = 0; d < b->dims.rank - 1; d++)
        if (b->dims.dim[d] != 1)
            node_fail(m, "a bias that differs by image");
    l->bias = import_array(m, b, l->out.c, factor);
}

int import_function(struct import *m, int from, enum function function, float alpha)
{
    return import_append(m, &(struct layer){.op = OP_POINTWISE, .in = {from}, .function = function, .alpha = alpha});
}

/* ---- The graph ---- */

static struct value **find_values(struct import *m, char **name, size_t count)
{
    struct value **v = memory_new(&m->memory, (count + 1) * sizeof *v);
    for (size_t i = 0; v && i < count; i++)
        v[i] = name[i] && name[i][0] ? find_value(m, name[i]) : NULL;
    return v;
}

/* Make a step of each node, and mark the values that the output depends on. Nodes are sorted topologically, so that
 * one pass from the end does. */
static int make_steps(struct import *m, struct value *output)
{
    size_t count = m->graph->n_node;
    m->step = memory_new(&m->memory, (count + 1) * sizeof *m->step);
    output->needed = true;
    for (size_t n = count; m->step && n-- > 0;) {
        const Onnx__NodeProto *node = m->graph->node[n];
        struct step *s = &m->step[n];
        *s = (struct step){.node = node,
                           .operator = operator_of(node),
                           .in = find_values(m, node->input, node->n_input),
                           .out = find_values(m, node->output, node->n_output)};
        if (!s->in || !s->out)
            return err_set(m->e, "out of memory");
        for (size_t i = 0; i < node->n_output; i++)
            s->needed = s->needed || (s->out[i] && s->out[i]->needed);
        for (size_t i = 0; i < node->n_input && s->needed; i++)
            if (s->in[i])
                s->in[i]->needed = true;
    }
    return m->step ? 0 : err_set(m->e, "out of memory");
}

/* Fail with one message that lists every operator that cannot be run, with its nodes. */
static int check_operators(struct import *m)
{
    char list[230] = "", rest[32] = "";
    size_t used = 0;
    int more = 0;
    for (size_t n = 0; n < m->graph->n_node; n++) {
        const Onnx__NodeProto *node = m->graph->node[n];
        if (!m->step[n].needed || m->step[n].operator)
            continue;
        size_t room = sizeof list - used;
        int len = snprintf(list + used, room, "%s%.40s (node '%.40s')", used ? ", " : "",
                           node->op_type ? node->op_type : "?", node->name ? node->name : "");
        bool fits = (size_t)len < room;
        used += fits ? (size_t)len : 0;
        list[used] = '\0';
        more += !fits;
    }
    if (more)
        snprintf(rest, sizeof rest, " and %d more", more);
    return used || more ? err_set(m->e, "operators that are not run: %s%s", list, rest) : 0;
}

/* Read the initializers among the node's inputs. Returns how many inputs depend on the image, or -1. */
static int read_inputs(struct import *m)
{
    const Onnx__NodeProto *node = m->node;
    int count = 0;
    for (size_t i = 0; i < node->n_input; i++) {
        struct value *x = m->in[i];
        if (node->input[i] && node->input[i][0] && (!x || x->kind == NOTHING))
            return node_fail(m, "it reads '%.60s', which nothing before it makes", node->input[i]);
        if (x && x->kind == INITIALIZER) {
            if (tensor_read(m, x->initializer, &x->t))
                return -1;
            x->kind = CONSTANT;
        }
        count += x && x->kind == RUNTIME;
    }
    return count;
}

static int run_node(struct import *m, bool constant)
{
    const struct operator *o = m->operator;
    runner *run = constant ? o->fold : o->run;
    if (!run)
        return node_fail(m, constant ? "its inputs are all constant" : "it is run on constants only");
    if (constant && m->node->n_input)
        import_constant(m, 0);
    else if (!constant && o->takes != ITSELF)
        o->takes == ANY ? import_any(m, 0) : import_floats(m, 0);
    if (m->failed)
        return -1;
    struct value y = import_given(m, 0) ? *m->in[0] : (struct value){.kind = CONSTANT, .batch = -1};
    y.layer = run(m, &y);
    return import_output(m, (size_t)o->out, &y);
}

static int run_step(struct import *m, const struct step *s)
{
    m->node = s->node;
    m->operator = s->operator;
    m->in = s->in;
    m->out = s->out;
    if (!output(m, 0) && !m->operator->out && m->operator->run != do_split)
        node_fail(m, "no output");
    int count = operator_check(m) ? -1 : read_inputs(m);
    if (!m->failed)
        run_node(m, count == 0);
    m->node = NULL;
    return m->failed ? -1 : 0;
}

static int run_steps(struct import *m)
{
    for (size_t n = 0; n < m->graph->n_node; n++)
        if (m->step[n].needed && run_step(m, &m->step[n]))
            return -1;
    return 0;
}

/* ---- Input and output ---- */

static struct value *add_value(struct import *m, const char *name, enum kind kind)
{
    struct value *v = &m->value[m->values++];
    *v = (struct value){.name = name ? name : "", .kind = kind, .batch = -1};
    return v;
}

/* Make the table of all names in the graph, sorted. An input that is an initializer too is a constant. */
static int make_names(struct import *m)
{
    const Onnx__GraphProto *g = m->graph;
    size_t count = g->n_initializer + g->n_input;
    for (size_t n = 0; n < g->n_node; n++)
        count += g->node[n]->n_output;
    m->value = memory_new(&m->memory, (count + 1) * sizeof *m->value);
    if (!m->value)
        return err_set(m->e, "out of memory");
    for (size_t i = 0; i < g->n_initializer; i++)
        add_value(m, g->initializer[i]->name, INITIALIZER)->initializer = g->initializer[i];
    qsort(m->value, m->values, sizeof *m->value, compare_values);
    size_t initializers = m->values;
    for (size_t i = 0; i < g->n_input; i++) {
        struct value key = {.name = g->input[i]->name ? g->input[i]->name : ""};
        if (!bsearch(&key, m->value, initializers, sizeof key, compare_values))
            add_value(m, g->input[i]->name, NOTHING);
    }
    for (size_t n = 0; n < g->n_node; n++)
        for (size_t i = 0; i < g->node[n]->n_output; i++)
            if (g->node[n]->output[i] && g->node[n]->output[i][0])
                add_value(m, g->node[n]->output[i], NOTHING);
    qsort(m->value, m->values, sizeof *m->value, compare_values);
    for (size_t i = 1; i < m->values; i++)
        if (!strcmp(m->value[i - 1].name, m->value[i].name))
            return err_set(m->e, "two things are named '%.60s'", m->value[i].name);
    return 0;
}

/* Rows and columns that are open are the tile's; 0: they may not be. */
static int read_dims(const Onnx__TypeProto__Tensor *type, int tile, struct dims *dims, bool *open,
                     struct err *e)
{
    const Onnx__TensorShapeProto *shape = type->shape;
    *open = true;
    if (!shape || shape->n_dim < 1 || shape->n_dim > 4)
        return err_set(e, "the input must have 1 to 4 dimensions");
    dims->rank = (int)shape->n_dim;
    for (int i = 0; i < dims->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[i];
        bool known = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
                     d->dim_value > 0;
        bool side = tile && i >= 2;
        if (i > 0 && !known && !side)
            return err_set(e, "the input's dimension %d is open: export with a fixed size", i);
        if (known && d->dim_value > NET_MAX_DIM)
            return err_set(e, "the input's dimension %d is %lld", i, (long long)d->dim_value);
        dims->dim[i] = known ? (long)d->dim_value : side ? tile : 1;
        if (i == 0)
            *open = !known;
    }
    return 0;
}

/* Make v the pictures of an input of these dims: [N][C][H][W], [N][H][W][C] where the sizes suggest it, [N][H][W], or
 * [N][pixels], which is a square picture where that is possible. */
static int view_input(struct import *m, const struct dims *dims, struct value *v, struct shape *s)
{
    const long *d = dims->dim;
    v->t = tensor_natural(dims);
    v->batch = dims->rank == 1 ? -1 : 0;
    if (dims->rank == 4 && d[3] <= 4 && d[1] > 4) {
        *s = (struct shape){(int)d[3], (int)d[1], (int)d[2]};
        return view_put(m, v, &(struct order){.dim = {3, 1, 2}, .turned = true}, *s);
    }
    if (dims->rank == 4) {
        *s = (struct shape){(int)d[1], (int)d[2], (int)d[3]};
    } else if (dims->rank == 3) {
        *s = (struct shape){1, (int)d[1], (int)d[2]};
    } else {
        int pixels = (int)d[dims->rank - 1], side = (int)lround(sqrt(pixels));
        *s = (long)side * side == pixels ? (struct shape){1, side, side} : (struct shape){1, 1, pixels};
    }
    return 0;
}

static int make_input(struct import *m)
{
    const Onnx__ValueInfoProto *info = NULL;
    struct value *v = NULL;
    struct err *e = m->e;
    for (size_t i = 0; i < m->graph->n_input; i++) {
        struct value *input = find_value(m, m->graph->input[i]->name);
        if (!input || input->kind != NOTHING || !input->needed)
            continue;
        if (info)
            return err_set(e, "two inputs: '%.60s' and '%.60s'", info->name, input->name);
        v = input;
        info = m->graph->input[i];
    }
    if (!info)
        return err_set(e, "no input that the output depends on");
    if (!info->type || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
        !info->type->tensor_type)
        return err_set(e, "the input must be a tensor");
    const Onnx__TypeProto__Tensor *type = info->type->tensor_type;
    struct dims dims;
    bool open;
    double low, high;
    if (read_dims(type, m->tile, &dims, &open, e))
        return -1;
    bool integer = type_range(type->elem_type, &low, &high);
    if (!integer && !type_is_float(type->elem_type))
        return err_set(e, "the input must be numbers");
    m->batch = dims.rank == 1 ? 1 : dims.dim[0];
    m->one_image = dims.rank == 1 || (!open && dims.dim[0] == 1);
    v->kind = RUNTIME;
    v->integer = integer;
    if (dims.rank > 1)
        dims.dim[0] = 1;
    struct layer l = {.op = OP_INPUT};
    if (view_input(m, &dims, v, &l.out))
        return -1;
    v->layer = import_append(m, &l);
    if (v->layer == 0 && type->elem_type == TYPE(UINT8))
        return net_set_meta(m->net, "input_scale", "1", e);
    return v->layer < 0 ? -1 : 0;
}

/* Make the output the net's last layer: [N][K], or a finder's map. */
static int make_output(struct import *m, const struct value *y)
{
    struct net *net = m->net;
    struct err *e = m->e;
    if (y->kind != RUNTIME)
        return err_set(e, "the output '%.60s' does not depend on the image", y->name);
    if (y->integer || y->quantized)
        return err_set(e, "the output '%.60s' is whole numbers", y->name);
    if (y->t.data || y->batch > 0)
        return err_set(e, "the output '%.60s' is not a list of values an image", y->name);
    int last = y->layer;
    if (last == 0)
        return err_set(e, "the model does nothing");
    if (m->tile || !is_flat(import_shape(m, last)))
        last = import_add(m, m->tile ? OP_BOXES : OP_FLATTEN, last);
    if (last < 0)
        return -1;
    for (int i = last + 1; i < net->layers; i++)
        net_free_params(&net->layer[i]);
    net->layers = last + 1;
    return 0;
}

/* ---- The net ---- */

static int check_finite(const struct net *net, struct err *e)
{
    for (int i = 0; i < net->layers; i++) {
        const struct layer *l = &net->layer[i];
        if (!net_is_finite(net, i))
            return err_set(e, "node '%.60s': a weight that is not a number", l->name);
        for (long k = 0; l->op == OP_BATCHNORM && k < l->out.c; k++)
            if (!(l->var[k] + l->epsilon > 0))
                return err_set(e, "node '%.60s': a variance of %g", l->name, l->var[k]);
    }
    return 0;
}

static int make_net(struct import *m, const char *output)
{
    struct err *e = m->e;
    m->net = calloc(1, sizeof *m->net);
    m->affine = memory_new(&m->memory, MAX_LAYERS * sizeof *m->affine);
    if (!m->net || !m->affine || !(m->net->layer = calloc(MAX_LAYERS, sizeof *m->net->layer)))
        return err_set(e, "out of memory");
    if (make_names(m))
        return -1;
    struct value *y = find_value(m, output);
    if (!y)
        return err_set(e, "nothing makes the output '%.60s'", output);
    if (make_steps(m, y) || check_operators(m) || make_input(m) || run_steps(m) || make_output(m, y) ||
        import_tidy(m) || net_infer_shapes(m->net, e))
        return -1;
    return check_finite(m->net, e);
}

struct net *import_graph(const Onnx__GraphProto *graph, long opset, size_t file_size, int tile, const char *output,
                         struct err *e)
{
    struct import m = {.graph = graph,
                       .opset = opset,
                       .tile = tile,
                       .memory = {.left = SIZE_MAX},
                       .none = {.kind = RUNTIME, .layer = -1, .batch = -1},
                       .numbers = MAX_VALUES_A_BYTE * (long)file_size + SPARE_NUMBERS,
                       .weights = MAX_VALUES_A_BYTE * (long)file_size + SPARE_WEIGHTS,
                       .e = e};
    int status = make_net(&m, output);
    memory_free(&m.memory);
    if (!status)
        return m.net;
    net_free(m.net);
    return NULL;
}
