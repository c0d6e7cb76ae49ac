/* How large a picture says it is, whether it can be decoded or not: for an error that names the limit. */
#ifndef INKPIPE_EXTENT_H
#define INKPIPE_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The sides, in pixels, that the len bytes of a PNG or JPEG file say. Returns whether they say any. Never
 * reads outside the bytes. */
bool extent_of(const uint8_t *bytes, size_t len, long long *width, long long *height);

#endif
