/* Tensors and attributes.
 *   in   TensorProto and AttributeProto as protobuf-c unpacked them
 *   out  struct tensor and numbers, every type, size and count checked */
#include "import.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int node_fail(struct import *m, const char *format, ...)
{
    char what[256];
    if (m->failed)
        return -1;
    m->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (!m->node)
        return err_set(m->e, "%s", what);
    const char *name = m->node->name && m->node->name[0]         ? m->node->name
                       : m->node->n_output && m->node->output[0] ? m->node->output[0]
                                                                 : "?";
    return err_set(m->e, "node '%.60s' (%.30s): %s", name,
                   m->node->op_type ? m->node->op_type : "?", what);
}

/* ---- Attributes ---- */

const Onnx__AttributeProto *attr_find(const Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (node->attribute[i]->name && !strcmp(node->attribute[i]->name, name))
            return node->attribute[i];
    return NULL;
}

/* The attribute of that type; NULL when it is absent or of another, which fails the node. Files of the first
 * versions of the format leave the type out. */
static const Onnx__AttributeProto *find(struct import *m, const char *name, int type)
{
    const Onnx__AttributeProto *a = attr_find(m->node, name);
    if (!a || !a->has_type || (int)a->type == 0 || (int)a->type == type)
        return a;
    node_fail(m, "attribute %.30s has the wrong type", a->name);
    return NULL;
}

long attr_int(struct import *m, const char *name, long otherwise)
{
    const Onnx__AttributeProto *a = find(m, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    return a ? (long)a->i : otherwise;
}

float attr_float(struct import *m, const char *name, float otherwise)
{
    const Onnx__AttributeProto *a = find(m, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    return a ? a->f : otherwise;
}

bool attr_is(struct import *m, const char *name, const char *value, bool otherwise)
{
    const Onnx__AttributeProto *a = find(m, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    return a ? a->s.len == strlen(value) && !memcmp(a->s.data, value, a->s.len) : otherwise;
}

int attr_ints(struct import *m, const char *name, int max, long *values)
{
    const Onnx__AttributeProto *a = find(m, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (!a)
        return -1;
    if (a->n_ints > (size_t)max) {
        node_fail(m, "attribute %.30s has %zu values", name, a->n_ints);
        return 0;
    }
    for (size_t i = 0; i < a->n_ints; i++)
        values[i] = (long)a->ints[i];
    return (int)a->n_ints;
}

int attr_list(struct import *m, const char *name, int count, long low, long *values)
{
    long list[ONNX_MAX_RANK];
    int n = attr_ints(m, name, ONNX_MAX_RANK, list);
    bool fits = n == count;
    for (int i = 0; i < n; i++)
        fits = fits && list[i] >= low && list[i] <= NET_MAX_DIM;
    if (n >= 0 && !fits)
        return node_fail(m, "%s must be %d numbers of %ld..%d", name, count, low, NET_MAX_DIM);
    for (int i = 0; i < n; i++)
        values[i] = list[i];
    return m->failed ? -1 : 0;
}

int operand_ints(struct import *m, size_t index, const char *name, int max, long *values)
{
    if (!import_given(m, index))
        return attr_ints(m, name, max, values);
    const struct tensor *t = m->in[index];
    if (!t || type_is_float(t->type) || t->count > max || t->dims.rank > 1) {
        node_fail(m, "%s must be %s", name, t ? "a short list of whole numbers" : "a constant");
        return 0;
    }
    for (long i = 0; i < t->count; i++)
        values[i] = (long)fmin(fmax(tensor_at(t, i), -0x1p62), 0x1p62);
    return (int)t->count;
}

double operand_number(struct import *m, size_t index, double otherwise)
{
    if (!import_given(m, index))
        return otherwise;
    const struct tensor *t = m->in[index];
    if (!t || t->count != 1) {
        node_fail(m, "input %zu must be one constant number", index);
        return otherwise;
    }
    return tensor_at(t, 0);
}

int node_axis(struct import *m, long axis, int rank, int *result)
{
    if (axis < -rank || axis >= rank)
        return node_fail(m, "axis %ld of a tensor of rank %d", axis, rank);
    *result = (int)(axis < 0 ? axis + rank : axis);
    return 0;
}

/* ---- Tensors ---- */

/* Types whose values are numbers: bytes of one in raw_data, range of an integer one. */
static const struct number {
    int bytes;
    bool is_float;
    double low, high;
} numbers[] = {
    [TYPE(FLOAT)] = {.bytes = 4, .is_float = true},
    [TYPE(DOUBLE)] = {.bytes = 8, .is_float = true},
    [TYPE(FLOAT16)] = {.bytes = 2, .is_float = true},
    [TYPE(BFLOAT16)] = {.bytes = 2, .is_float = true},
    [TYPE(BOOL)] = {1, false, 0, 1},
    [TYPE(INT8)] = {1, false, -0x1p7, 0x1p7 - 1},
    [TYPE(UINT8)] = {1, false, 0, 0x1p8 - 1},
    [TYPE(INT16)] = {2, false, -0x1p15, 0x1p15 - 1},
    [TYPE(UINT16)] = {2, false, 0, 0x1p16 - 1},
    [TYPE(INT32)] = {4, false, -0x1p31, 0x1p31 - 1},
    [TYPE(UINT32)] = {4, false, 0, 0x1p32 - 1},
    [TYPE(INT64)] = {8, false, -0x1p63, 0x1p63 - 1},
    [TYPE(UINT64)] = {8, false, 0, 0x1p64 - 1},
};

/* Of 0 bytes where values of the type are no numbers. */
static struct number number_of(int type)
{
    bool known = type >= 0 && type < (int)(sizeof numbers / sizeof *numbers);
    return known ? numbers[type] : (struct number){0};
}

bool type_is_float(int type)
{
    return number_of(type).is_float;
}

bool type_range(int type, double *low, double *high)
{
    struct number n = number_of(type);
    *low = n.low;
    *high = n.high;
    return n.bytes && !n.is_float;
}

void tensor_free(struct tensor *t)
{
    free(t->data);
    free(t->step);
    *t = (struct tensor){0};
}

/* The number of values of a constant, or -1 when there are too many. The product of some of its sides is
 * no larger: a side of 0 counts as 1 there. */
static long count_values(struct import *m, const struct dims *dims)
{
    long count = 1;
    bool none = false;
    for (int i = 0; i < dims->rank; i++) {
        if (dims->dim[i] < 0 || dims->dim[i] > NET_MAX_TENSOR)
            return node_fail(m, "a constant with a side of %ld", dims->dim[i]);
        count *= dims->dim[i] ? dims->dim[i] : 1;
        none |= dims->dim[i] == 0;
        if (count > NET_MAX_TENSOR)
            return node_fail(m, "a constant of more than %ld values", NET_MAX_TENSOR);
    }
    return none ? 0 : count;
}

int tensor_new(struct import *m, struct tensor *t, int type, const struct dims *dims)
{
    long count = count_values(m, dims);
    if (count < 0)
        return -1;
    if (count > m->constants)
        return node_fail(m, "more constant values than a file of its size should need");
    m->constants -= count;
    *t = (struct tensor){.type = type, .dims = *dims, .count = count};
    t->data = calloc((size_t)count + 1, sizeof *t->data);
    return t->data ? 0 : node_fail(m, "out of memory");
}

int tensor_set_steps(struct import *m, struct tensor *t, const struct tensor *steps, int axis)
{
    t->step = malloc((size_t)steps->count * sizeof *t->step);
    if (!t->step)
        return node_fail(m, "out of memory");
    for (long i = 0; i < steps->count; i++)
        t->step[i] = tensor_at(steps, i);
    t->step_axis = axis;
    return 0;
}

struct tensor *tensor_temporary(struct import *m)
{
    assert(m->temporaries < MAX_TEMPORARIES);
    return &m->temporary[m->temporaries++];
}

struct tensor *attr_tensor(struct import *m, const char *name)
{
    const Onnx__AttributeProto *a = attr_find(m->node, name);
    if (!a)
        return NULL;
    struct tensor *t = tensor_temporary(m);
    return tensor_list(m, a, a->n_ints > 0, t) ? NULL : t;
}

int tensor_list(struct import *m, const Onnx__AttributeProto *a, bool whole, struct tensor *t)
{
    struct dims dims = {1, {(long)(whole ? a->n_ints : a->n_floats)}};
    if (tensor_new(m, t, whole ? TYPE(INT64) : TYPE(FLOAT), &dims))
        return -1;
    for (long i = 0; i < t->count; i++)
        t->data[i] = whole ? (double)a->ints[i] : a->floats[i];
    return 0;
}

static uint64_t little_endian(const uint8_t *bytes, int size)
{
    uint64_t word = 0;
    for (int i = size - 1; i >= 0; i--)
        word = word << 8 | bytes[i];
    return word;
}

static double from_float_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* IEEE 754 half precision. */
static double from_half_bits(uint32_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size = exponent == 31 ? (fraction ? NAN : INFINITY)
                  : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                 : ldexp(fraction, -24);
    return bits >> 15 & 1 ? -size : size;
}

/* A value from its bits in raw_data. */
static double from_bits(int type, uint64_t bits)
{
    double number;
    switch (type) {
    case TYPE(FLOAT):
        return from_float_bits((uint32_t)bits);
    case TYPE(DOUBLE):
        memcpy(&number, &bits, sizeof number);
        return number;
    case TYPE(FLOAT16):
        return from_half_bits((uint32_t)bits);
    case TYPE(BFLOAT16):
        return from_float_bits((uint32_t)bits << 16);
    case TYPE(INT8):
        return (int8_t)bits;
    case TYPE(INT16):
        return (int16_t)bits;
    case TYPE(INT32):
        return (int32_t)bits;
    case TYPE(INT64):
        return (double)(int64_t)bits;
    default:
        return (double)bits;
    }
}

/* Read the values from the list that the type has in TensorProto (float_data, int32_data, ...). */
static int read_typed(struct import *m, const Onnx__TensorProto *p, struct tensor *t)
{
    bool wide = t->type == TYPE(UINT32) || t->type == TYPE(UINT64);
    size_t count = t->type == TYPE(FLOAT)    ? p->n_float_data
                   : t->type == TYPE(DOUBLE) ? p->n_double_data
                   : t->type == TYPE(INT64)  ? p->n_int64_data
                   : wide                    ? p->n_uint64_data
                                             : p->n_int32_data;
    if (count != (size_t)t->count)
        return node_fail(m, "tensor '%.60s' has %zu values, not %ld", p->name ? p->name : "", count,
                         t->count);
    for (size_t i = 0; i < count; i++)
        t->data[i] = t->type == TYPE(FLOAT)    ? (double)p->float_data[i]
                     : t->type == TYPE(DOUBLE) ? p->double_data[i]
                     : t->type == TYPE(INT64)  ? (double)p->int64_data[i]
                     : wide                    ? (double)p->uint64_data[i]
                                               : from_bits(t->type, (uint32_t)p->int32_data[i]);
    return 0;
}

static int read_raw(struct import *m, const Onnx__TensorProto *p, struct tensor *t)
{
    int size = number_of(t->type).bytes;
    if (p->raw_data.len != (size_t)t->count * (size_t)size)
        return node_fail(m, "tensor '%.60s' has %zu bytes, not %ld of %d", p->name ? p->name : "",
                         p->raw_data.len, t->count, size);
    for (long i = 0; i < t->count; i++)
        t->data[i] = from_bits(t->type, little_endian(p->raw_data.data + i * size, size));
    return 0;
}

/* The floats of a tensor in the unpacked message itself, or NULL where they must be converted. They are
 * aligned, since protobuf-c allocates every string of bytes. */
static const float *plain_floats(const Onnx__TensorProto *p, long count)
{
    if (p->n_float_data == (size_t)count && !p->raw_data.len)
        return p->float_data;
    bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    return little && p->raw_data.len == (size_t)count * sizeof(float) ? (void *)p->raw_data.data
                                                                      : NULL;
}

int tensor_read(struct import *m, const Onnx__TensorProto *p, struct tensor *t)
{
    const char *name = p->name ? p->name : "";
    int type = p->has_data_type ? p->data_type : 0;
    if (p->n_external_data || (p->has_data_location && (int)p->data_location == 1))
        return node_fail(m,
                         "the weights are in another file, which is not read: export with "
                         "torch.onnx.export(..., external_data=False) or join them in Python with "
                         "onnx.save(onnx.load(f), f)");
    if (!number_of(type).bytes)
        return node_fail(m, "tensor '%.60s' has a type that is not read: %d", name, type);
    if (p->n_dims > ONNX_MAX_RANK || p->segment)
        return node_fail(m, "tensor '%.60s' has %zu dimensions", name, p->n_dims);
    struct dims dims = {.rank = (int)p->n_dims};
    for (size_t i = 0; i < p->n_dims; i++) {
        if (p->dims[i] < 0 || p->dims[i] > NET_MAX_TENSOR)
            return node_fail(m, "tensor '%.60s' has a side of %lld", name, (long long)p->dims[i]);
        dims.dim[i] = (long)p->dims[i];
    }
    long count = count_values(m, &dims);
    if (count < 0)
        return -1;
    const float *floats = type == TYPE(FLOAT) && count ? plain_floats(p, count) : NULL;
    if (floats) {
        *t = (struct tensor){.type = type, .dims = dims, .count = count, .floats = floats};
        return 0;
    }
    if (tensor_new(m, t, type, &dims))
        return -1;
    return p->has_raw_data && p->raw_data.len ? read_raw(m, p, t) : read_typed(m, p, t);
}
