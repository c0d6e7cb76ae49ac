/* Memory: arrays of zeros, and arrays that grow by doubling. */
#include "grow.h"

#include <stdlib.h>
#include <string.h>

#define MIN_ROOM 16 /* An array has room for at least so many items. */

void *zeroed(size_t n, size_t size, struct err *e)
{
    void *items = calloc(n, size);
    if (!items)
        err_set(e, "out of memory");
    return items;
}

int grow_to(void *array, size_t n, size_t *room, size_t size, struct err *e)
{
    void *items;
    memcpy(&items, array, sizeof items); /* a pointer to whatever the items are */
    if (items && n <= *room)
        return 0;
    size_t more = 2 * *room > MIN_ROOM ? 2 * *room : MIN_ROOM; /* adding one by one copies O(n) items */
    more = n > more ? n : more;
    size_t bytes;
    items = __builtin_mul_overflow(more, size, &bytes) ? NULL : realloc(items, bytes);
    if (!items)
        return err_set(e, "out of memory");
    *room = more;
    memcpy(array, &items, sizeof items);
    return 0;
}
