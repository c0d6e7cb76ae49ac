/* A net to an ONNX file.
 *   in   struct net
 *   out  the bytes of a ModelProto, packed by protobuf-c: each layer a node, in order, weights as
 *        initializers A quantized model is written with QuantizeLinear and DequantizeLinear around its
 *        layers (QDQ). */
#include "onnx.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "import.h"

#define SAVE_OPSET 13 /* Operators are written as this opset has them, which every common runtime reads. */
#define LATE_OPSET 20 /* A net with functions that came later is written as this opset has them. */
#define SAVE_IR 8     /* The version of the file format that belongs to it. */

#define LAYER_ARENA 12288 /* The messages of a layer, with their names, take fewer bytes than this. */
#define MAX_NODES 4       /* A layer is at most so many nodes, */
#define MAX_TENSORS 7     /* with at most so many initializers, */
#define MAX_OPERANDS 6    /* and a node has at most so many inputs. */

struct writer {
    const struct net *net;
    Onnx__GraphProto *graph;
    char **value; /* [layers]: the ONNX name of each layer's output */
    bool *flat;   /* [layers]: that output is [N][C], not [N][C][H][W] */
    char *arena;  /* the memory of all messages, freed as a whole */
    size_t used, size;
};

/* Zeroed memory from the arena. */
static void *make(struct writer *w, size_t size)
{
    size_t align = _Alignof(max_align_t);
    assert(w->size - w->used >= size + align);
    void *memory = w->arena + w->used;
    w->used += (size + align - 1) / align * align;
    return memory;
}

static bool is_utf8(const char *text)
{
    for (int bytes; *text; text += bytes) {
        long c = text_character(text, &bytes);
        if (c < 0 || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
            return false;
    }
    return true;
}

__attribute__((format(printf, 2, 3))) static char *make_text(struct writer *w, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return strcpy(make(w, strlen(text) + 1), text);
}

/* A copy that is UTF-8, as protobuf's strings must be: of a text that is not, with `?` for bytes beyond
 * ASCII. */
static char *make_utf8(struct writer *w, const char *text)
{
    char *copy = strcpy(make(w, strlen(text) + 1), text);
    if (!is_utf8(text))
        for (char *c = copy; *c; c++)
            *c = *c & 128 ? '?' : *c;
    return copy;
}

static void *make_message(struct writer *w, const ProtobufCMessageDescriptor *type)
{
    void *message = make(w, type->sizeof_message);
    protobuf_c_message_init(type, message);
    return message;
}

/* ---- Parts of a graph ---- */

static bool has_node(const Onnx__GraphProto *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_node; i++)
        if (!strcmp(graph->node[i]->name, name))
            return true;
    return false;
}

/* Make that value the next operand of node. */
static void add_operand(struct writer *w, Onnx__NodeProto *node, const char *name)
{
    assert(node->n_input < MAX_OPERANDS);
    node->input[node->n_input++] = make_text(w, "%s", name);
}

/* Append a node. Its name is for people: the output's where `name` is empty or taken. */
static Onnx__NodeProto *add_node(struct writer *w, const char *type, const char *name,
                                 const char *input, const char *output)
{
    Onnx__NodeProto *node = make_message(w, &onnx__node_proto__descriptor);
    node->op_type = make_text(w, "%s", type);
    node->name = make_utf8(w, name);
    for (int n = 0; !node->name[0] || has_node(w->graph, node->name); n++)
        node->name = n ? make_text(w, "%s_%d", output, n) : make_text(w, "%s", output);
    node->input = make(w, MAX_OPERANDS * sizeof *node->input);
    if (input)
        add_operand(w, node, input);
    node->output = make(w, 3 * sizeof *node->output);
    node->output[node->n_output++] = make_text(w, "%s", output);
    node->attribute = make(w, MAX_OPERANDS * sizeof *node->attribute);
    w->graph->node[w->graph->n_node++] = node;
    return node;
}

/* Append a node that makes the output of `node`, which makes OUTPUT_suffix for it. */
static Onnx__NodeProto *follow(struct writer *w, Onnx__NodeProto *node, const char *type, const char *suffix)
{
    char *output = node->output[0];
    node->output[0] = make_text(w, "%s_%s", output, suffix);
    return add_node(w, type, "", node->output[0], output);
}

static Onnx__AttributeProto *add_attribute(struct writer *w, Onnx__NodeProto *node, const char *name,
                                           Onnx__AttributeProto__AttributeType type)
{
    assert(node->n_attribute < MAX_OPERANDS);
    Onnx__AttributeProto *a = make_message(w, &onnx__attribute_proto__descriptor);
    a->name = make_text(w, "%s", name);
    a->has_type = true;
    a->type = type;
    return node->attribute[node->n_attribute++] = a;
}

#define ADD_ATTRIBUTE(type) add_attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##type)

static void add_int(struct writer *w, Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = ADD_ATTRIBUTE(INT);
    a->has_i = true;
    a->i = value;
}

static void add_float(struct writer *w, Onnx__NodeProto *node, const char *name, float value)
{
    Onnx__AttributeProto *a = ADD_ATTRIBUTE(FLOAT);
    a->has_f = true;
    a->f = value;
}

static void add_string(struct writer *w, Onnx__NodeProto *node, const char *name, const char *value)
{
    Onnx__AttributeProto *a = ADD_ATTRIBUTE(STRING);
    a->has_s = true;
    a->s = (ProtobufCBinaryData){strlen(value), (uint8_t *)make_text(w, "%s", value)};
}

static void add_ints(struct writer *w, Onnx__NodeProto *node, const char *name, int count, const int *values)
{
    Onnx__AttributeProto *a = ADD_ATTRIBUTE(INTS);
    a->ints = make(w, (size_t)count * sizeof *a->ints);
    for (int i = 0; i < count; i++)
        a->ints[a->n_ints++] = values[i];
}

/* Append an initializer and make it the next operand of node. rank 0: a scalar. */
static Onnx__TensorProto *add_tensor(struct writer *w, Onnx__NodeProto *node, const char *name, int type, int rank,
                                     const long *dims)
{
    Onnx__TensorProto *t = make_message(w, &onnx__tensor_proto__descriptor);
    t->name = make_text(w, "%s_%s", node->output[0], name);
    t->has_data_type = true;
    t->data_type = type;
    t->dims = make(w, 4 * sizeof *t->dims);
    for (int i = 0; i < rank; i++)
        t->dims[t->n_dims++] = dims[i];
    w->graph->initializer[w->graph->n_initializer++] = t;
    add_operand(w, node, t->name);
    return t;
}

/* add_tensor of floats, which are not copied. */
static void add_floats(struct writer *w, Onnx__NodeProto *node, const char *name, int rank, const long *dims,
                       float *data)
{
    Onnx__TensorProto *t = add_tensor(w, node, name, TYPE(FLOAT), rank, dims);
    t->n_float_data = 1;
    for (int i = 0; i < rank; i++)
        t->n_float_data *= (size_t)dims[i];
    t->float_data = data;
}

static void add_scalar(struct writer *w, Onnx__NodeProto *node, const char *name, float value)
{
    float *copy = make(w, sizeof *copy);
    *copy = value;
    add_floats(w, node, name, 0, NULL, copy);
}

static void add_longs(struct writer *w, Onnx__NodeProto *node, const char *name, int count, const int *values)
{
    Onnx__TensorProto *t = add_tensor(w, node, name, TYPE(INT64), 1, &(long){count});
    t->int64_data = make(w, (size_t)count * sizeof *t->int64_data);
    for (int i = 0; i < count; i++)
        t->int64_data[t->n_int64_data++] = values[i];
}

/* ---- Layers ---- */

/* The name of layer i's value as [N][C*H*W] (flat) or [N][C][H][W]. A Reshape is appended for the other
 * form. */
static const char *value_as(struct writer *w, int i, bool flat)
{
    if (w->flat[i] == flat)
        return w->value[i];
    char *name = make_text(w, "%s_%s", w->value[i], flat ? "flat" : "square");
    for (size_t n = 0; n < w->graph->n_node; n++)
        if (!strcmp(w->graph->node[n]->output[0], name))
            return name;
    struct shape s = w->net->layer[i].out;
    Onnx__NodeProto *node = add_node(w, "Reshape", "", w->value[i], name);
    add_longs(w, node, "shape", flat ? 2 : 4,
              flat ? (const int[]){-1, s.c * s.h * s.w} : (const int[]){-1, s.c, s.h, s.w});
    return name;
}

static void add_window(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    add_ints(w, node, "kernel_shape", 2, (const int[]){l->r, l->s});
    add_ints(w, node, "strides", 2, (const int[]){l->stride_h, l->stride_w});
    add_ints(w, node, "pads", 4,
             (const int[]){l->pad_top, l->pad_left, l->pad_bottom, l->pad_right});
    if (l->dilation_h != 1 || l->dilation_w != 1)
        add_ints(w, node, "dilations", 2, (const int[]){l->dilation_h, l->dilation_w});
}

/* ---- Quantized weights and biases ---- */

/* The scale of layer i's output where that is quantized to 8 bits; 0 where it is not. */
static float activation_scale(const struct net *net, int i)
{
    enum op op;
    while ((op = net->layer[i].op) == OP_MAXPOOL || op == OP_FLATTEN || op == OP_DROPOUT ||
           op == OP_RESHAPE)
        i = net->layer[i].in[0];
    return op == OP_QUANTIZE ? net->layer[i].alpha : 0;
}

static void add_raw(struct writer *w, Onnx__NodeProto *node, const char *name, int type, int rank, const long *dims,
                    ProtobufCBinaryData data)
{
    Onnx__TensorProto *t = add_tensor(w, node, name, type, rank, dims);
    t->has_raw_data = true;
    t->raw_data = data;
}

/* Make floats the next operand of node as integers of that type (`bytes` in all) with a DequantizeLinear: integer
 * times scale[k] along the first axis, zero point 0. */
static void add_steps(struct writer *w, Onnx__NodeProto *node, const char *name, int type, int rank, const long *dims,
                      uint8_t *numbers, size_t bytes, float *scale)
{
    size_t zeros = (size_t)dims[0] * (type == TYPE(INT8) ? 1 : 4);
    char *output = make_text(w, "%s_%s", node->output[0], name);
    Onnx__NodeProto *back = add_node(w, "DequantizeLinear", "", NULL, output);
    Onnx__NodeProto **last = w->graph->node + w->graph->n_node - 2; /* the node itself comes last */
    last[1] = last[0];
    last[0] = back;
    add_raw(w, back, "steps", type, rank, dims, (ProtobufCBinaryData){bytes, numbers});
    add_floats(w, back, "scale", 1, dims, scale);
    add_raw(w, back, "zero", type, 1, dims, (ProtobufCBinaryData){zeros, make(w, zeros)});
    add_int(w, back, "axis", 0);
    add_operand(w, node, output);
}

static void add_weight(struct writer *w, Onnx__NodeProto *node, const struct layer *l, int rank,
                       const long *dims)
{
    if (!l->step) {
        add_floats(w, node, "weight", rank, dims, l->weight);
        return;
    }
    long each = 1;
    for (int i = 1; i < rank; i++)
        each *= dims[i];
    uint8_t *steps = make(w, (size_t)(dims[0] * each));
    for (long i = 0; i < dims[0] * each; i++)
        steps[i] = (uint8_t)(int)rintf(l->weight[i] / l->step[i / each]);
    add_steps(w, node, "weight", TYPE(INT8), rank, dims, steps,
              (size_t)(dims[0] * each), l->step);
}

/* Add l's bias: as integers of 32 bits where the layer's products are integers, else as floats. */
static void add_bias(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    long count = l->out.c;
    float x = l->step ? activation_scale(w->net, l->in[0]) : 0;
    if (!l->bias)
        return;
    if (!(x > 0)) {
        add_floats(w, node, "bias", 1, &count, l->bias);
        return;
    }
    uint8_t *steps = make(w, (size_t)count * 4);
    float *scale = make(w, (size_t)count * sizeof *scale);
    for (long i = 0; i < count; i++) {
        scale[i] = x * l->step[i];
        float whole = fminf(fmaxf(rintf(l->bias[i] / scale[i]), -0x1p30f), 0x1p30f);
        for (int b = 0; b < 4; b++)
            steps[4 * i + b] = (uint8_t)((int32_t)whole >> 8 * b);
    }
    add_steps(w, node, "bias", TYPE(INT32), 1, &count, steps,
              (size_t)count * 4, scale);
}

/* ---- Layers ---- */

static void save_conv(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    long c = w->net->layer[l->in[0]].out.c;
    add_weight(w, node, l, 4, (const long[]){l->out.c, c / l->groups, l->r, l->s});
    add_bias(w, node, l);
    add_window(w, node, l);
    if (l->groups != 1)
        add_int(w, node, "group", l->groups);
}

static void save_dense(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    struct shape in = w->net->layer[l->in[0]].out;
    add_weight(w, node, l, 2, (const long[]){l->out.c, (long)in.c * in.h * in.w});
    add_bias(w, node, l);
    add_int(w, node, "transB", 1);
}

static void save_batchnorm(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    long c = l->out.c;
    add_floats(w, node, "scale", 1, &c, l->scale);
    add_floats(w, node, "shift", 1, &c, l->shift);
    add_floats(w, node, "mean", 1, &c, l->mean);
    add_floats(w, node, "var", 1, &c, l->var);
    add_float(w, node, "epsilon", l->epsilon);
    add_float(w, node, "momentum", l->momentum);
}

static void save_avgpool(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    add_window(w, node, l);
    add_int(w, node, "count_include_pad", !l->exclude_pad);
}

/* The functions whose operators came after SAVE_OPSET. */
static bool is_late(const struct layer *l)
{
    return l->op == OP_POINTWISE && (l->function == FUNCTION_GELU || l->function == FUNCTION_GELU_TANH ||
                                     l->function == FUNCTION_HARD_SWISH || l->function == FUNCTION_MISH);
}

static void save_pointwise(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    const struct operator *o = operator_of(node);
    if (operator_takes(o, "alpha"))
        add_float(w, node, "alpha", l->alpha);
    if (operator_takes(o, "beta") || operator_takes(o, "gamma"))
        add_float(w, node, operator_takes(o, "beta") ? "beta" : "gamma", l->beta);
    if (l->function == FUNCTION_POW || l->function == FUNCTION_GREATER)
        add_scalar(w, node, "number", l->alpha);
    if (l->function == FUNCTION_GREATER)
        add_int(w, follow(w, node, "Cast", "truth"), "to", TYPE(FLOAT));
    if (l->function == FUNCTION_GELU_TANH)
        add_string(w, node, "approximate", "tanh");
    if (l->function != FUNCTION_CLIP)
        return;
    add_scalar(w, node, "min", l->low);
    add_scalar(w, node, "max", l->high);
}

static void save_slice(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    add_longs(w, node, "starts", 1, &l->first);
    add_longs(w, node, "ends", 1, (const int[]){l->first + l->out.c});
    add_longs(w, node, "axes", 1, (const int[]){1});
}

static void save_axis(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    (void)l;
    add_int(w, node, "axis", 1);
}

static void save_upsample(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    float *scales = make(w, 4 * sizeof *scales);
    scales[0] = scales[1] = 1;
    scales[2] = (float)l->stride_h;
    scales[3] = (float)l->stride_w;
    add_operand(w, node, "");
    add_floats(w, node, "scales", 1, (const long[]){4}, scales);
    add_string(w, node, "mode", "nearest");
    add_string(w, node, "coordinate_transformation_mode", "asymmetric");
    add_string(w, node, "nearest_mode", "floor");
}

/* Zeros between pixels: a transposed convolution with a kernel of 1x1 that is one, channel by channel. */
static void save_zerostuff(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    float *ones = make(w, (size_t)l->out.c * sizeof *ones);
    for (int c = 0; c < l->out.c; c++)
        ones[c] = 1;
    add_floats(w, node, "weight", 4, (const long[]){l->out.c, 1, 1, 1}, ones);
    add_ints(w, node, "strides", 2, (const int[]){l->stride_h, l->stride_w});
    add_int(w, node, "group", l->out.c);
}

static void save_dynamic(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    (void)l;
    Onnx__NodeProto *back = follow(w, node, "DequantizeLinear", "steps");
    for (int i = 0; i < 2; i++)
        back->input[back->n_input++] = node->output[node->n_output++] =
            make_text(w, "%s_%s", back->output[0], i ? "zero" : "scale");
}

static void save_pad(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    add_longs(w, node, "pads", 8,
              (const int[]){0, 0, l->pad_top, l->pad_left, 0, 0, l->pad_bottom, l->pad_right});
    add_scalar(w, node, "value", l->alpha);
}

static void save_reshape(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    add_longs(w, node, "shape", 4, (const int[]){-1, l->out.c, l->out.h, l->out.w});
}

/* Add QuantizeLinear and DequantizeLinear of the same scale and zero point, which round to whole steps. */
static void save_quantize(struct writer *w, Onnx__NodeProto *node, const struct layer *l)
{
    add_scalar(w, node, "scale", l->alpha);
    Onnx__TensorProto *zero = add_tensor(w, node, "zero", TYPE(UINT8), 0, NULL);
    zero->int32_data = make(w, sizeof *zero->int32_data);
    zero->int32_data[0] = (int32_t)-l->low;
    zero->n_int32_data = 1;
    Onnx__NodeProto *back = follow(w, node, "DequantizeLinear", "steps");
    for (size_t i = 1; i < node->n_input; i++)
        back->input[back->n_input++] = node->input[i];
}

/* The form of a node's input and output: as it comes, [N][C][H][W], or [N][C]. */
enum form { SAME, SQUARE, FLAT };

static const struct {
    const char *type;
    enum form in, out;
    void (*save)(struct writer *w, Onnx__NodeProto *node, const struct layer *l);
} nodes[OP_COUNT] = {
    [OP_CONV] = {"Conv", SQUARE, SQUARE, save_conv},
    [OP_DENSE] = {"Gemm", FLAT, FLAT, save_dense},
    [OP_BATCHNORM] = {"BatchNormalization", SAME, SAME, save_batchnorm},
    [OP_RELU] = {"Relu", SAME, SAME, NULL},
    [OP_MAXPOOL] = {"MaxPool", SQUARE, SQUARE, add_window},
    [OP_AVGPOOL] = {"AveragePool", SQUARE, SQUARE, save_avgpool},
    [OP_GLOBALPOOL] = {"GlobalAveragePool", SQUARE, SQUARE, NULL},
    [OP_FLATTEN] = {"Flatten", SAME, FLAT, NULL},
    [OP_ADD] = {"Add", SAME, SAME, NULL},
    [OP_SOFTMAX] = {"Softmax", FLAT, FLAT, save_axis},
    [OP_RESHAPE] = {"Reshape", SAME, SQUARE, save_reshape},
    [OP_POINTWISE] = {NULL, SAME, SAME, save_pointwise},
    [OP_MUL] = {"Mul", SAME, SAME, NULL},
    [OP_CONCAT] = {"Concat", SAME, SAME, save_axis},
    [OP_SLICE] = {"Slice", SAME, SAME, save_slice},
    [OP_UPSAMPLE] = {"Resize", SQUARE, SQUARE, save_upsample},
    [OP_ZEROSTUFF] = {"ConvTranspose", SQUARE, SQUARE, save_zerostuff},
    [OP_DYNAMIC] = {"DynamicQuantizeLinear", SAME, SAME, save_dynamic},
    [OP_PAD] = {"Pad", SQUARE, SQUARE, save_pad},
    [OP_QUANTIZE] = {"QuantizeLinear", SAME, SAME, save_quantize},
};

static void save_layer(struct writer *w, int i)
{
    const struct layer *l = &w->net->layer[i];
    if (l->op == OP_INPUT) {
        w->value[i] = make_text(w, "input");
        return;
    }
    if (l->op == OP_DROPOUT || l->op == OP_BOXES) {
        w->value[i] = w->value[l->in[0]];
        w->flat[i] = w->flat[l->in[0]];
        return;
    }
    bool flat = nodes[l->op].in == SAME ? w->flat[l->in[0]] : nodes[l->op].in == FLAT;
    const char *a = value_as(w, l->in[0], flat), *b = op_inputs(l->op) == 2 ? value_as(w, l->in[1], flat) : NULL;
    w->value[i] = make_text(w, "%s_%d", op_name(l->op), i);
    w->flat[i] = nodes[l->op].out == SAME ? flat : nodes[l->op].out == FLAT;
    const char *type = l->op == OP_POINTWISE ? operator_name(l->function) : nodes[l->op].type;
    Onnx__NodeProto *node = add_node(w, type, l->name, a, w->value[i]);
    if (b)
        add_operand(w, node, b);
    if (nodes[l->op].save)
        nodes[l->op].save(w, node, l);
}

/* ---- The model ---- */

/* The description of a graph's input or output: float [N][...]. A size of 0 is symbolic, of the name
 * beside it. */
static Onnx__ValueInfoProto *make_value_info(struct writer *w, const char *name, int rank,
                                             const int *dims, const char *const *open)
{
    Onnx__ValueInfoProto *info = make_message(w, &onnx__value_info_proto__descriptor);
    Onnx__TypeProto__Tensor *tensor = make_message(w, &onnx__type_proto__tensor__descriptor);
    Onnx__TensorShapeProto *shape = make_message(w, &onnx__tensor_shape_proto__descriptor);
    info->name = make_text(w, "%s", name);
    info->type = make_message(w, &onnx__type_proto__descriptor);
    info->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    info->type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = TYPE(FLOAT);
    tensor->shape = shape;
    shape->dim = make(w, ((size_t)rank + 1) * sizeof *shape->dim);
    for (int i = -1; i < rank; i++) {
        Onnx__TensorShapeProto__Dimension *dim = make_message(w, &onnx__tensor_shape_proto__dimension__descriptor);
        shape->dim[shape->n_dim++] = dim;
        if (i >= 0 && dims[i]) {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim->dim_value = dims[i];
            continue;
        }
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        dim->dim_param = make_text(w, "%s", i < 0 ? "N" : open[i]);
    }
    return info;
}

/* Make the last value the graph's output: [N][outputs], or a finder's map, of a picture of any size. */
static void save_output(struct writer *w)
{
    static const char *const open[] = {"", "rows", "columns"};
    Onnx__GraphProto *g = w->graph;
    const struct net *net = w->net;
    int last = net->layers - 1, outputs = net_outputs(net);
    enum op op = net->layer[last].op;
    const char *name = op == OP_BOXES ? "boxes" : op == OP_SOFTMAX ? "probabilities" : "logits";
    g->output = make(w, sizeof *g->output);
    g->output[g->n_output++] =
        op == OP_BOXES ? make_value_info(w, name, 3, (const int[]){net->layer[last].out.c, 0, 0}, open)
                       : make_value_info(w, name, 1, &outputs, NULL);
    if (op == OP_BOXES || (w->flat[last] && op != OP_DROPOUT))
        g->node[g->n_node - 1]->output[0] = make_text(w, "%s", name);
    else
        add_longs(w, add_node(w, "Reshape", "", w->value[last], name), "shape", 2, (const int[]){-1, outputs});
}

static void save_input(struct writer *w)
{
    static const char *const open[] = {"", "height", "width"};
    struct shape in = net_input(w->net);
    bool any = net_is_finder(w->net);
    w->graph->input = make(w, sizeof *w->graph->input);
    w->graph->input[w->graph->n_input++] =
        make_value_info(w, "input", 3, (const int[]){in.c, any ? 0 : in.h, any ? 0 : in.w}, open);
}

static Onnx__GraphProto *make_graph(struct writer *w)
{
    Onnx__GraphProto *g = w->graph = make_message(w, &onnx__graph_proto__descriptor);
    const struct net *net = w->net;
    size_t layers = (size_t)net->layers + 1;
    g->name = make_text(w, "net");
    g->node = make(w, MAX_NODES * layers * sizeof *g->node);
    g->initializer = make(w, MAX_TENSORS * layers * sizeof *g->initializer);
    w->value = make(w, layers * sizeof *w->value);
    w->flat = make(w, layers * sizeof *w->flat);
    save_input(w);
    for (int i = 0; i < net->layers; i++)
        save_layer(w, i);
    save_output(w);
    return g;
}

static void add_meta(struct writer *w, Onnx__ModelProto *m, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = make_message(w, &onnx__string_string_entry_proto__descriptor);
    entry->key = make_utf8(w, key);
    entry->value = make_utf8(w, value);
    m->metadata_props[m->n_metadata_props++] = entry;
}

/* The net's, and what the graph cannot say: that it is a finder, and of pictures of which side. */
static void save_metas(struct writer *w, Onnx__ModelProto *m)
{
    const struct net *net = w->net;
    char tile[16];
    m->metadata_props = make(w, ((size_t)net->metas + 3) * sizeof *m->metadata_props);
    for (int i = 0; i < net->metas; i++)
        if (strcmp(net->meta[i].key, "inkpipe_task") && strcmp(net->meta[i].key, "inkpipe_tile"))
            add_meta(w, m, net->meta[i].key, net->meta[i].value);
    if (!net_is_finder(net))
        return;
    snprintf(tile, sizeof tile, "%d", net_input(net).h);
    add_meta(w, m, "inkpipe_task", "boxes");
    add_meta(w, m, "inkpipe_tile", tile);
}

static Onnx__ModelProto *make_model(struct writer *w)
{
    Onnx__ModelProto *m = make_message(w, &onnx__model_proto__descriptor);
    Onnx__OperatorSetIdProto *opset = make_message(w, &onnx__operator_set_id_proto__descriptor);
    m->has_ir_version = true;
    m->ir_version = SAVE_IR;
    m->producer_name = make_text(w, "inkpipe");
    m->producer_version = make_text(w, "%s", VERSION);
    m->opset_import = make(w, sizeof *m->opset_import);
    m->opset_import[m->n_opset_import++] = opset;
    opset->domain = make_text(w, "%s", "");
    opset->has_version = true;
    opset->version = SAVE_OPSET;
    for (int i = 0; i < w->net->layers; i++)
        opset->version = is_late(&w->net->layer[i]) ? LATE_OPSET : opset->version;
    m->graph = make_graph(w);
    save_metas(w, m);
    return m;
}

static size_t arena_size(const struct net *net)
{
    size_t size = ((size_t)net->layers + 2) * LAYER_ARENA;
    for (int i = 0; i < net->layers; i++)
        if (net->layer[i].op == OP_ZEROSTUFF)
            size += (size_t)net->layer[i].out.c * sizeof(float);
        else if (net->layer[i].step)
            size += (size_t)net_weight_count(net, i) + 16 * (size_t)net_channels(net, i);
    for (int i = 0; i < net->metas; i++)
        size += strlen(net->meta[i].key) + strlen(net->meta[i].value) + 512;
    return size;
}

int onnx_save(const struct net *net, const char *name, struct err *e)
{
    struct writer w = {.net = net, .size = arena_size(net)};
    w.arena = calloc(1, w.size);
    if (!w.arena)
        return err_set(e, "out of memory");
    Onnx__ModelProto *model = make_model(&w);
    size_t len = onnx__model_proto__get_packed_size(model);
    uint8_t *bytes = len > ONNX_MAX_FILE ? NULL : malloc(len);
    int status;
    if (len > ONNX_MAX_FILE)
        status = err_set(e, "a model larger than %ld MiB", ONNX_MAX_FILE >> 20);
    else if (!bytes)
        status = err_set(e, "out of memory");
    else
        status = file_save(name, bytes, onnx__model_proto__pack(model, bytes), e);
    free(bytes);
    free(w.arena);
    return status ? err_at(e, name, -1) : 0;
}
