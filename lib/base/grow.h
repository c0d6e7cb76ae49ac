/* Memory that is not there is an error; arrays that grow. */
#ifndef INKPIPE_GROW_H
#define INKPIPE_GROW_H

#include <stddef.h>

#include "err.h"

/* n items of `size` bytes, all zero, which are the caller's (free). NULL when memory is short. */
void *zeroed(size_t n, size_t size, struct err *e);

/* Make room for n items of `size` bytes in the array whose pointer is at `array` (NULL: for none yet), which has
 * room for *room. It is perhaps moved, with its items as they were, and stays the caller's. Returns 0; -1 when
 * memory is short: the array is then as it was. */
int grow_to(void *array, size_t n, size_t *room, size_t size, struct err *e);

#endif
