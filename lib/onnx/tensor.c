/* Tensors and attributes.
 *   in   TensorProto and AttributeProto as protobuf-c unpacked them
 *   out  struct tensor and numbers, every type, size and count checked */
#include "import.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
};

void *memory_new(struct memory *memory, size_t size)
{
    struct block *b = size > memory->left ? NULL : calloc(1, sizeof(max_align_t) + size);
    if (!b)
        return NULL;
    memory->left -= size;
    b->next = memory->last;
    memory->last = b;
    return (char *)b + sizeof(max_align_t);
}

void memory_free(struct memory *memory)
{
    for (struct block *b = memory->last, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    memory->last = NULL;
}

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

void attr_list(struct import *m, const char *name, int count, long low, long *values)
{
    long list[ONNX_MAX_RANK];
    int n = attr_ints(m, name, ONNX_MAX_RANK, list);
    bool fits = n == count;
    for (int i = 0; i < n; i++)
        fits = fits && list[i] >= low && list[i] <= NET_MAX_DIM;
    if (n >= 0 && !fits)
        node_fail(m, "%s must be %d numbers of %ld..%d", name, count, low, NET_MAX_DIM);
    else if (n >= 0)
        memcpy(values, list, (size_t)n * sizeof *list);
}

int operand_ints(struct import *m, size_t index, const char *name, int max, long *values)
{
    if (!import_given(m, index))
        return attr_ints(m, name, max, values);
    const struct tensor *t = import_known(m, index);
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
    const struct tensor *t = import_known(m, index);
    if (!t || t->count != 1) {
        node_fail(m, "input %zu must be one constant number", index);
        return otherwise;
    }
    return tensor_at(t, 0);
}

int node_axis(struct import *m, long axis, int rank)
{
    if (axis >= -rank && axis < rank)
        return (int)(axis < 0 ? axis + rank : axis);
    node_fail(m, "axis %ld of a tensor of rank %d", axis, rank);
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

/* The product of some of the sides is no larger than the result: a side of 0 counts as 1 there. */
long dims_check(struct import *m, const struct dims *dims)
{
    long count = 1;
    bool none = false;
    for (int i = 0; i < dims->rank; i++) {
        if (dims->dim[i] < 0 || dims->dim[i] > NET_MAX_TENSOR)
            return node_fail(m, "a tensor with a side of %ld", dims->dim[i]);
        count *= dims->dim[i] ? dims->dim[i] : 1;
        none |= dims->dim[i] == 0;
        if (count > NET_MAX_TENSOR)
            return node_fail(m, "a tensor of more than %ld values", NET_MAX_TENSOR);
    }
    return none ? 0 : count;
}

double *tensor_new(struct import *m, struct tensor *t, int type, const struct dims *dims)
{
    long count = m->failed ? -1 : dims_check(m, dims);
    if (count < 0)
        return NULL;
    double *data = count > m->numbers ? NULL : memory_new(&m->memory, ((size_t)count + 1) * sizeof *data);
    if (!data)
        node_fail(m, count > m->numbers ? "more values than a file of its size should need" : "out of memory");
    *t = (struct tensor){.type = type, .dims = *dims, .count = count, .data = data};
    m->numbers -= data ? count : 0;
    return data;
}

int tensor_number(struct import *m, int type, double number, struct tensor *t)
{
    double *data = tensor_new(m, t, type, &(struct dims){0});
    if (data)
        *data = number;
    return data ? 0 : -1;
}

bool attr_tensor(struct import *m, const char *name, struct tensor *t)
{
    const Onnx__AttributeProto *a = attr_find(m->node, name);
    return a && !tensor_list(m, a, a->n_ints > 0, t);
}

int tensor_list(struct import *m, const Onnx__AttributeProto *a, bool whole, struct tensor *t)
{
    struct dims dims = {1, {(long)(whole ? a->n_ints : a->n_floats)}};
    double *data = tensor_new(m, t, whole ? TYPE(INT64) : TYPE(FLOAT), &dims);
    for (long i = 0; data && i < t->count; i++)
        data[i] = whole ? (double)a->ints[i] : a->floats[i];
    return data ? 0 : -1;
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

/* Value i from the list that the type has in TensorProto (float_data, int32_data, ...). */
static double typed_value(const Onnx__TensorProto *p, int type, long i)
{
    switch (type) {
    case TYPE(FLOAT):
        return p->float_data[i];
    case TYPE(DOUBLE):
        return p->double_data[i];
    case TYPE(INT64):
        return (double)p->int64_data[i];
    case TYPE(UINT32):
    case TYPE(UINT64):
        return (double)p->uint64_data[i];
    default:
        return from_bits(type, (uint32_t)p->int32_data[i]);
    }
}

/* How many values that list has. */
static size_t typed_count(const Onnx__TensorProto *p, int type)
{
    bool wide = type == TYPE(UINT32) || type == TYPE(UINT64);
    return type == TYPE(FLOAT)    ? p->n_float_data
           : type == TYPE(DOUBLE) ? p->n_double_data
           : type == TYPE(INT64)  ? p->n_int64_data
           : wide                 ? p->n_uint64_data
                                  : p->n_int32_data;
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
    long count = dims_check(m, &dims);
    if (count < 0)
        return -1;
    const float *floats = type == TYPE(FLOAT) && count ? plain_floats(p, count) : NULL;
    if (floats) {
        *t = (struct tensor){.type = type, .dims = dims, .count = count, .floats = floats};
        return 0;
    }
    bool raw = p->has_raw_data && p->raw_data.len;
    int size = number_of(type).bytes;
    if (raw && p->raw_data.len != (size_t)count * (size_t)size)
        return node_fail(m, "tensor '%.60s' has %zu bytes, not %ld of %d", name, p->raw_data.len, count, size);
    if (!raw && typed_count(p, type) != (size_t)count)
        return node_fail(m, "tensor '%.60s' has %zu values, not %ld", name, typed_count(p, type), count);
    double *data = tensor_new(m, t, type, &dims);
    for (long i = 0; data && i < count; i++)
        data[i] = raw ? from_bits(type, little_endian(p->raw_data.data + i * size, size)) : typed_value(p, type, i);
    return data ? 0 : -1;
}
