#include "onnx.h"

#include "onnx.pb-c.h"

/* A message or field of two bytes on the wire becomes a hundred in memory: beyond these counts a
 * file is no model but an attack. */
#define MAX_MESSAGES (1L << 18)
#define MAX_FIELDS (1L << 22)

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Where the walk is: in message `type`, which ends at byte `end`. */
struct level {
    size_t end;
    const ProtobufCMessageDescriptor *type;
};

/* Read a varint of at most ten bytes before `end`. Returns false when there is none. */
static bool read_varint(const uint8_t *bytes, size_t *at, size_t end, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 70 && *at < end; shift += 7) {
        uint8_t byte = bytes[(*at)++];
        *value |= shift < 64 ? (uint64_t)(byte & 127) << shift : 0;
        if (byte < 128)
            return true;
    }
    return false;
}

/* The size of a field's value at *at: of a message, its bytes alone, so that the walk goes on
 * inside. Returns -1 when it does not fit before `end`. */
static int skip_value(const uint8_t *bytes, size_t *at, size_t end, int wire, size_t *length)
{
    uint64_t value = 0;
    *length = 0;
    switch (wire) {
    case WIRE_VARINT:
        return read_varint(bytes, at, end, &value) ? 0 : -1;
    case WIRE_64:
    case WIRE_32:
        *length = wire == WIRE_64 ? 8 : 4;
        break;
    case WIRE_BYTES:
        if (!read_varint(bytes, at, end, &value) || value > end - *at)
            return -1;
        *length = (size_t)value;
        break;
    default:
        return -1;
    }
    return *length <= end - *at ? 0 : -1;
}

/* The type of a field that is a message, else NULL. */
static const ProtobufCMessageDescriptor *message_type(const ProtobufCMessageDescriptor *type,
                                                      uint64_t number)
{
    const ProtobufCFieldDescriptor *field =
        number > UINT32_MAX ? NULL
                            : protobuf_c_message_descriptor_get_field(type, (unsigned)number);
    return field && field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
}

int onnx_check_wire(const uint8_t *bytes, size_t len, struct err *e)
{
    struct level stack[ONNX_MAX_DEPTH];
    int depth = 0;
    size_t at = 0;
    long messages = 0, fields = 0;
    if (len > ONNX_MAX_FILE)
        return err_set(e, "larger than %ld MiB", ONNX_MAX_FILE >> 20);
    stack[0] = (struct level){len, &onnx__model_proto__descriptor};
    while (depth >= 0) {
        struct level *l = &stack[depth];
        if (at == l->end) {
            depth--;
            continue;
        }
        uint64_t key;
        size_t length;
        if (!read_varint(bytes, &at, l->end, &key) || key >> 3 == 0 ||
            skip_value(bytes, &at, l->end, key & 7, &length))
            return err_set(e, "not an ONNX model, or a damaged one: byte %zu", at);
        if (++fields > MAX_FIELDS)
            return err_set(e, "more than %ld fields", MAX_FIELDS);
        const ProtobufCMessageDescriptor *inner =
            (key & 7) == WIRE_BYTES ? message_type(l->type, key >> 3) : NULL;
        if (!inner) {
            at += length;
            continue;
        }
        if (++depth == ONNX_MAX_DEPTH)
            return err_set(e, "nested more than %d deep", ONNX_MAX_DEPTH);
        if (++messages > MAX_MESSAGES)
            return err_set(e, "more than %ld parts", MAX_MESSAGES);
        stack[depth] = (struct level){at + length, inner};
    }
    return 0;
}
