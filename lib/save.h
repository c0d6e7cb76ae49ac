/* Frames put away into files by a key press. */
#ifndef INKPIPE_SAVE_H
#define INKPIPE_SAVE_H

#include "frame.h"

/* Write f into a new file PREFIX-NNNN.pgm, the first such name that is free; name gets it (cut to
 * size). Returns 0; -1 when it cannot be written, and then there is no such file. */
int save_numbered(const char *prefix, const struct frame *f, char *name, size_t size,
                  struct err *e);

/* Append f to a file, made when it is not there. Returns 0 or -1; what was in the file stays. */
int save_append(const char *file, const struct frame *f, struct err *e);

#endif
