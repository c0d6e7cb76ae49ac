/* Arrays that grow. */
#ifndef INKPIPE_GROW_H
#define INKPIPE_GROW_H

#include <stddef.h>

#include "err.h"

/* Room for n items of `size` bytes in `array`, which has room for *room of them (NULL: 0). Returns the
 * array, moved perhaps, for the caller to free; what was in it stays. NULL when memory is short, and
 * then the array is as it was. */
void *grow(void *array, size_t n, size_t *room, size_t size, struct err *e);

#endif
