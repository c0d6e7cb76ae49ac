#include "grow.h"

#include <stdlib.h>

#define LEAST 16 /* items: less is not asked for */

void *grow(void *array, size_t n, size_t *room, size_t size, struct err *e)
{
    if (array && n <= *room)
        return array;
    size_t more = 2 * *room > LEAST ? 2 * *room : LEAST; /* or adding one by one would copy much */
    more = n > more ? n : more;
    void *grown = realloc(array, more * size);
    if (grown)
        *room = more;
    else
        err_set(e, "out of memory");
    return grown;
}
