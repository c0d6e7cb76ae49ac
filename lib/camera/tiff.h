/* The pages of a TIFF file (Adobe, TIFF Revision 6.0), of which FFmpeg decodes the first: each is made the first
 * in turn. */
#ifndef INKPIPE_TIFF_H
#define INKPIPE_TIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Make the page after the first one of this file the first, and forget the one that was. Returns 1; 0 when it
 * was the last; -1 when the file is damaged there, or its pages go round. Never reads or writes outside the bytes. */
int tiff_next_page(uint8_t *bytes, size_t len, struct err *e);

/* Is the first page a small copy of another page, or a mask of one? */
bool tiff_is_auxiliary(const uint8_t *bytes, size_t len);

/* Is the first page stored in tiles, not in strips? */
bool tiff_is_tiled(const uint8_t *bytes, size_t len);

#endif
