/* ONNX files: the models' format (https://onnx.ai, schema onnx.proto, read and written with
 * protobuf-c). A file is hostile until proven otherwise: onnx_check_wire walks the bytes before
 * protobuf-c sees them, and every shape, count and offset is checked before it is used. */
#ifndef INKPIPE_ONNX_H
#define INKPIPE_ONNX_H

#include "net/net.h"

#define ONNX_MAX_FILE (256L << 20) /* A file has at most so many bytes. */
#define ONNX_MAX_DEPTH 16          /* Messages nest at most so deep. */

/* Load a model. Every operator that cannot be run is listed, with node names, in one message;
 * external data is refused with the words of the export call that avoids it. Returns NULL on
 * failure. The result has shapes and weights; metadata_props are its metadata. */
struct net *onnx_load(const char *name, struct err *e);

/* The same of the output of that name; NULL: of the one that names classes. That is the one that ends in softmax
 * or a sigmoid, else the one of most layers; where two are as good it must be named. */
struct net *onnx_load_output(const char *name, const char *output, struct err *e);

/* Load a model from memory. */
struct net *onnx_parse(const uint8_t *bytes, size_t len, struct err *e);

/* Write a model to a temporary file beside `name`, fsync, rename. The batch dimension is dynamic
 * ("N"); input is named "input" [N][C][H][W], output "probabilities" (or "logits" when the net
 * does not end in softmax). Dropout is left out. Returns 0 or -1. */
int onnx_save(const struct net *net, const char *name, struct err *e);

/* Walk protobuf wire bytes iteratively: lengths inside their parent, depth at most
 * ONNX_MAX_DEPTH. Returns 0 or -1. */
int onnx_check_wire(const uint8_t *bytes, size_t len, struct err *e);

#endif
