/* Arrays that grow. */
#ifndef INKPIPE_GROW_H
#define INKPIPE_GROW_H

#include <stddef.h>

#include "err.h"

/* Make room for n items of `size` bytes in `array`, which has room for *room (array NULL: for none). Returns
 * the array, perhaps moved, with its items as they were; the caller owns it. Returns NULL when memory is
 * short: the array is then as it was. */
void *grow(void *array, size_t n, size_t *room, size_t size, struct err *e);

/* The same for the array whose pointer is at `array`. Returns 0, or -1 when memory is short. */
int grow_to(void *array, size_t n, size_t *room, size_t size, struct err *e);

#endif
