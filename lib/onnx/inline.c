/* Functions of the model itself.
 *   in   a ModelProto whose nodes call functions that it defines
 *   out  a graph in which each call is replaced by the function's nodes, names and attributes put in
 * Source: ONNX IR specification, Functions. */
#include "import.h"

#include <stdio.h>
#include <string.h>

#define MAX_NODES 16384     /* A graph has at most so many nodes once its functions are inlined. */
#define MAX_BYTES (64L << 20) /* Nodes and names that are made for it take at most so many bytes. */
#define MAX_CALLS 16        /* Functions call each other at most so deep. */

struct inliner {
    const Onnx__ModelProto *model;
    struct memory *memory;
    Onnx__GraphProto *graph; /* that is made */
    int calls;
    struct err *e;
};

/* A call that is being replaced; NULL: the graph itself. */
struct frame {
    const Onnx__FunctionProto *function;
    const Onnx__NodeProto *caller; /* its names are those of the whole graph */
    int depth, number;
};

/* Zeroed memory that lives as long as the graph. */
static void *make(struct inliner *w, size_t size)
{
    void *p = memory_new(w->memory, size);
    if (!p)
        err_set(w->e, size > w->memory->left ? "functions that make a graph too large" : "out of memory");
    return p;
}

static const Onnx__FunctionProto *find_function(const Onnx__ModelProto *model, const Onnx__NodeProto *node)
{
    const char *type = node->op_type ? node->op_type : "", *domain = node->domain ? node->domain : "";
    for (size_t i = 0; i < model->n_functions; i++) {
        const Onnx__FunctionProto *f = model->functions[i];
        if (!strcmp(f->name ? f->name : "", type) && !strcmp(f->domain ? f->domain : "", domain))
            return f;
    }
    return NULL;
}

/* The name in the whole graph of a value in a function: the caller's where it is an input or an output. */
static char *name_of(struct inliner *w, const struct frame *f, char *name)
{
    if (!f || !name || !name[0])
        return name;
    for (size_t i = 0; i < f->function->n_input; i++)
        if (!strcmp(f->function->input[i], name))
            return i < f->caller->n_input ? f->caller->input[i] : "";
    for (size_t i = 0; i < f->function->n_output; i++)
        if (!strcmp(f->function->output[i], name) && i < f->caller->n_output && f->caller->output[i][0])
            return f->caller->output[i];
    size_t size = strlen(name) + 24;
    char *text = make(w, size);
    if (text)
        snprintf(text, size, "%s/%d", name, f->number);
    return text;
}

static char **names_of(struct inliner *w, const struct frame *f, char **names, size_t count)
{
    char **list = make(w, (count + 1) * sizeof *list);
    for (size_t i = 0; list && i < count; i++)
        if (!(list[i] = name_of(w, f, names[i])))
            return NULL;
    return list;
}

static bool is_without_default(const Onnx__FunctionProto *f, const char *name)
{
    for (size_t i = 0; i < f->n_attribute; i++)
        if (!strcmp(f->attribute[i], name))
            return true;
    return false;
}

/* The attribute in the whole graph of one in a function: that of the call where it refers to one. *out is NULL where
 * the call has none. */
static int attribute_of(struct inliner *w, const struct frame *f, Onnx__AttributeProto *given,
                        Onnx__AttributeProto **out)
{
    const char *refers = given->ref_attr_name;
    *out = given;
    if (!refers || !refers[0])
        return 0;
    const Onnx__AttributeProto *from = attr_find(f->caller, refers);
    *out = NULL;
    if (!from && is_without_default(f->function, refers))
        return 0;
    if (!from)
        return err_set(w->e, "function '%.60s': the default of attribute %.30s is not read",
                       f->function->name ? f->function->name : "", refers);
    if (!(*out = make(w, sizeof **out)))
        return -1;
    **out = *from;
    (*out)->name = given->name;
    return 0;
}

/* A node as it stands in the whole graph. */
static Onnx__NodeProto *copy_node(struct inliner *w, const struct frame *f, const Onnx__NodeProto *node)
{
    Onnx__NodeProto *copy = make(w, sizeof *copy);
    Onnx__AttributeProto **attribute = make(w, (node->n_attribute + 1) * sizeof *attribute);
    if (!copy || !attribute)
        return NULL;
    *copy = *node;
    copy->input = names_of(w, f, node->input, node->n_input);
    copy->output = names_of(w, f, node->output, node->n_output);
    copy->attribute = attribute;
    copy->n_attribute = 0;
    for (size_t i = 0; i < node->n_attribute; i++) {
        Onnx__AttributeProto **next = &attribute[copy->n_attribute];
        if (attribute_of(w, f, node->attribute[i], next))
            return NULL;
        copy->n_attribute += *next != NULL;
    }
    return copy->input && copy->output ? copy : NULL;
}

/* The function must be of the model's version of the operators, which is the one that is read. */
static int check_version(struct inliner *w, const Onnx__FunctionProto *f)
{
    const Onnx__ModelProto *m = w->model;
    for (size_t i = 0; i < f->n_opset_import; i++)
        for (size_t j = 0; j < m->n_opset_import; j++) {
            const Onnx__OperatorSetIdProto *a = f->opset_import[i], *b = m->opset_import[j];
            if ((!a->domain || !a->domain[0]) && (!b->domain || !b->domain[0]) && a->version != b->version)
                return err_set(w->e, "function '%.60s' uses operators of version %lld, the model %lld",
                               f->name ? f->name : "", (long long)a->version, (long long)b->version);
        }
    return 0;
}

/* Append nodes, each call replaced by the function's nodes. */
static int append(struct inliner *w, const struct frame *f, Onnx__NodeProto **node, size_t count)
{
    Onnx__GraphProto *g = w->graph;
    for (size_t i = 0; i < count; i++) {
        Onnx__NodeProto *n = f ? copy_node(w, f, node[i]) : node[i];
        if (!n)
            return -1;
        const Onnx__FunctionProto *function = find_function(w->model, n);
        if (function) {
            struct frame inner = {function, n, f ? f->depth + 1 : 0, w->calls++};
            if (inner.depth == MAX_CALLS)
                return err_set(w->e, "functions that call each other more than %d deep", MAX_CALLS);
            if (w->calls > MAX_NODES)
                return err_set(w->e, "more than %d calls of functions", MAX_NODES);
            if (check_version(w, function) || append(w, &inner, function->node, function->n_node))
                return -1;
            continue;
        }
        if (g->n_node == MAX_NODES)
            return err_set(w->e, "more than %d nodes in functions", MAX_NODES);
        g->node[g->n_node++] = n;
    }
    return 0;
}

const Onnx__GraphProto *inline_functions(const Onnx__ModelProto *model, struct memory *memory, struct err *e)
{
    struct inliner w = {.model = model, .memory = memory, .e = e};
    if (!model->n_functions)
        return model->graph;
    memory->left = MAX_BYTES;
    if (!(w.graph = make(&w, sizeof *w.graph)))
        return NULL;
    *w.graph = *model->graph;
    w.graph->n_node = 0;
    if (!(w.graph->node = make(&w, MAX_NODES * sizeof *w.graph->node)))
        return NULL;
    return append(&w, NULL, model->graph->node, model->graph->n_node) ? NULL : w.graph;
}
