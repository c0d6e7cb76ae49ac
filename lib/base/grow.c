/* Arrays that grow by doubling. */
#include "grow.h"

#include <stdlib.h>
#include <string.h>

#define MIN_ROOM 16 /* An array has room for at least so many items. */

void *grow(void *array, size_t n, size_t *room, size_t size, struct err *e)
{
    if (array && n <= *room)
        return array;
    size_t more = 2 * *room > MIN_ROOM ? 2 * *room : MIN_ROOM; /* adding one by one copies O(n) items */
    more = n > more ? n : more;
    size_t bytes;
    void *grown = __builtin_mul_overflow(more, size, &bytes) ? NULL : realloc(array, bytes);
    if (grown)
        *room = more;
    else
        err_set(e, "out of memory");
    return grown;
}

int grow_to(void *array, size_t n, size_t *room, size_t size, struct err *e)
{
    void *items;
    memcpy(&items, array, sizeof items); /* a pointer to whatever the items are */
    items = grow(items, n, room, size, e);
    if (!items)
        return -1;
    memcpy(array, &items, sizeof items);
    return 0;
}
