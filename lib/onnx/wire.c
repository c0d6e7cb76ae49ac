/* Protobuf on the wire.
 *   in   the bytes of a file
 *   out  whether they are well formed: every length inside its parent, depth and counts bounded
 * The walk is iterative, over protobuf-c's descriptors of ONNX's messages. */
#include "onnx.h"

#include "onnx.pb-c.h"

/* A message or field of two bytes takes a hundred bytes in memory, so that their numbers are bounded. */
#define MAX_MESSAGES (1L << 18) /* A file has at most so many messages, */
#define MAX_FIELDS (1L << 22)   /* and at most so many fields. */

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* A message that the walk is in: its type, and the byte behind its last. */
struct level {
    size_t end;
    const ProtobufCMessageDescriptor *type;
};

/* Read a varint of at most ten bytes that ends before `end`. Returns false when there is none. */
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

/* Read a value of wire type `wire` at *at: a varint is skipped; of others *length becomes their number of
 * bytes, and *at stays in front of these. Returns -1 when the value does not end before `end`. */
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

/* The type of the message in field `number` of `type`; NULL when that is no message. */
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
