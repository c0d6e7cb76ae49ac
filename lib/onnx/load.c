/* An ONNX file to a net.
 *   in   the bytes of a file, which may be a stranger's
 *   out  struct net, with the file's metadata
 * wire.c checks the bytes, protobuf-c unpacks them, inline.c puts in the model's own functions, graph.c and the
 * table of operators make layers (import.h), tidy.c folds them. */
#include "import.h"

#include <stdlib.h>
#include <string.h>

#include "base/files.h"

#define MIN_OPSET 7    /* The oldest opset that is read. */
#define MAX_OPSET 28   /* The newest opset whose changes are known here. */
#define MAX_OUTPUTS 8   /* Of a graph's outputs at most so many are tried. */
#define MAX_METAS 1000 /* A file has at most so many entries of metadata. */

static int read_opset(const Onnx__ModelProto *model, long *opset, struct err *e)
{
    *opset = 0;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const char *domain = model->opset_import[i]->domain;
        if (!domain || !domain[0] || !strcmp(domain, "ai.onnx"))
            *opset = (long)model->opset_import[i]->version;
    }
    if (*opset < MIN_OPSET || *opset > MAX_OPSET)
        return err_set(e, "operators of version (opset) %ld: %d to %d are read", *opset,
                       MIN_OPSET, MAX_OPSET);
    return 0;
}

static const char *find_meta(const Onnx__ModelProto *model, const char *key)
{
    for (size_t i = 0; i < model->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *p = model->metadata_props[i];
        if (p->key && p->value && !strcmp(p->key, key))
            return p->value;
    }
    return NULL;
}

/* The side of the pictures that a finder was trained on; 0 of any other model. */
static int read_tile(const Onnx__ModelProto *model, int *tile, struct err *e)
{
    const char *task = find_meta(model, "inkpipe_task"), *side = find_meta(model, "inkpipe_tile");
    char *end = NULL;
    *tile = 0;
    if (!task)
        return 0;
    if (strcmp(task, "boxes"))
        return err_set(e, "inkpipe_task: '%.40s' is not boxes", task);
    long n = side && side[0] >= '0' && side[0] <= '9' ? strtol(side, &end, 10) : 0;
    if (!end || *end || n < 1 || n > NET_MAX_DIM)
        return err_set(e, "inkpipe_tile: '%.40s' is not a side of 1 to %d pixels",
                       side ? side : "", NET_MAX_DIM);
    *tile = (int)n;
    return 0;
}

static int read_metas(const Onnx__ModelProto *model, struct net *net, struct err *e)
{
    if (model->n_metadata_props > MAX_METAS)
        return err_set(e, "more than %d entries of metadata", MAX_METAS);
    for (size_t i = 0; i < model->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *p = model->metadata_props[i];
        if (p->key && p->value && net_set_meta(net, p->key, p->value, e))
            return -1;
    }
    return 0;
}

/* True unless the output is of integers or text, as the class is that classifiers give beside the
 * probabilities. */
static bool is_answer(const Onnx__ValueInfoProto *output)
{
    double low, high;
    const Onnx__TypeProto *type = output->type;
    if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !type->tensor_type)
        return true;
    int kind = type->tensor_type->elem_type;
    return kind != ONNX__TENSOR_PROTO__DATA_TYPE__STRING && !type_range(kind, &low, &high);
}

/* How much a net looks like one that names classes: one that ends in softmax or a sigmoid more than one that does
 * not, and of those the one of more layers, since features come before what is made of them. */
static int likeness(const struct net *net)
{
    const struct layer *l = &net->layer[net->layers - 1];
    while (l->op == OP_FLATTEN || l->op == OP_RESHAPE)
        l = &net->layer[l->in[0]];
    return net->layers + (l->op == OP_SOFTMAX || net_is_sigmoid(net) ? MAX_LAYERS : 0);
}

/* The net of the output named `wanted`; NULL: of the one that names classes, unless another is just as good. Where none
 * can be imported, NULL and why the first cannot. */
static struct net *import_best(const Onnx__GraphProto *g, long opset, size_t file_size, int tile, const char *wanted,
                               struct err *e)
{
    struct net *best = NULL;
    const char *best_name = NULL, *equal = NULL;
    struct err first = ERR_NONE;
    for (size_t i = 0; i < g->n_output && (wanted || i < MAX_OUTPUTS); i++) {
        struct err why = ERR_NONE;
        const char *name = g->output[i]->name ? g->output[i]->name : "";
        if (wanted ? strcmp(name, wanted) != 0 : g->n_output > 1 && !is_answer(g->output[i]))
            continue;
        struct net *net = import_graph(g, opset, file_size, tile, name, &why);
        if (!net) {
            first = first.what[0] ? first : why;
        } else if (!best || likeness(net) > likeness(best)) {
            net_free(best);
            best = net;
            best_name = name;
            equal = NULL;
        } else {
            equal = likeness(net) == likeness(best) ? name : equal;
            net_free(net);
        }
        if (wanted)
            break;
    }
    if (best && !equal)
        return best;
    if (best)
        err_set(e, "'%.60s' and '%.60s' both may be the answer: name the output with -O", best_name, equal);
    else if (wanted && !first.what[0])
        err_set(e, "it has no output '%.60s'", wanted);
    else
        err_set(e, "%s", first.what[0] ? first.what : "no output is numbers");
    net_free(best);
    return NULL;
}

static struct net *import_model(const Onnx__ModelProto *model, size_t file_size, const char *output, struct err *e)
{
    long opset;
    int tile;
    struct memory memory = {.last = NULL};
    if (!model->graph || model->graph->n_output < 1) {
        err_set(e, "not an ONNX model: no graph with an output");
        return NULL;
    }
    if (read_opset(model, &opset, e) || read_tile(model, &tile, e))
        return NULL;
    const Onnx__GraphProto *graph = inline_functions(model, &memory, e);
    struct net *net = graph ? import_best(graph, opset, file_size, tile, output, e) : NULL;
    memory_free(&memory);
    if (!net || !read_metas(model, net, e))
        return net;
    net_free(net);
    return NULL;
}

/* malloc for protobuf-c, which fails alike for a damaged file and a lack of memory: *data notes the
 * latter. */
static void *allocate(void *data, size_t size)
{
    bool *short_of_memory = data;
    void *p = malloc(size);
    *short_of_memory |= !p;
    return p;
}

static void release(void *data, void *p)
{
    (void)data;
    free(p);
}

static struct net *parse(const uint8_t *bytes, size_t len, const char *output, struct err *e)
{
    bool short_of_memory = false;
    ProtobufCAllocator allocator = {allocate, release, &short_of_memory};
    if (onnx_check_wire(bytes, len, e))
        return NULL;
    Onnx__ModelProto *model = onnx__model_proto__unpack(&allocator, len, bytes);
    if (!model) {
        err_set(e, short_of_memory ? "out of memory" : "not an ONNX model, or a damaged one");
        return NULL;
    }
    struct net *net = import_model(model, len, output, e);
    onnx__model_proto__free_unpacked(model, &allocator);
    return net;
}

struct net *onnx_parse(const uint8_t *bytes, size_t len, struct err *e)
{
    return parse(bytes, len, NULL, e);
}

struct net *onnx_load_output(const char *name, const char *output, struct err *e)
{
    uint8_t *bytes;
    size_t len;
    if (file_load(name, ONNX_MAX_FILE, &bytes, &len, e))
        return NULL;
    struct net *net = parse(bytes, len, output, e);
    free(bytes);
    if (!net)
        err_at(e, name, -1);
    return net;
}

struct net *onnx_load(const char *name, struct err *e)
{
    return onnx_load_output(name, NULL, e);
}
