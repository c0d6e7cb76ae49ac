/* Memory on large pages.
 *   in   sizes
 *   out  zeroed pieces of chunks that are whole pages of 2 MB, freed together */
#include "program.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE ((size_t)2 << 20) /* Bytes of a large page. */
#define LINE ((size_t)64)      /* Bytes of a cache line. */

/* What a chunk begins with. */
struct chunk {
    struct chunk *next;
};

struct pages {
    struct chunk *chunk;
    char *free; /* in the newest chunk, `left` bytes */
    size_t left;
    bool lacking; /* something was not given */
};

struct pages *pages_new(void)
{
    return calloc(1, sizeof(struct pages));
}

void pages_free(struct pages *p)
{
    while (p && p->chunk) {
        struct chunk *next = p->chunk->next;
        free(p->chunk);
        p->chunk = next;
    }
    free(p);
}

/* Add a chunk of whole pages. By calloc, so that a page that is never touched takes no memory. */
static int add_chunk(struct pages *p, size_t bytes)
{
    size_t size = (bytes + PAGE - 1) / PAGE * PAGE;
    struct chunk *c = calloc(1, sizeof *c + PAGE + size);
    if (!c)
        return -1;
    c->next = p->chunk;
    p->chunk = c;
    p->free = (char *)(c + 1) + (PAGE - (uintptr_t)(c + 1) % PAGE) % PAGE;
    p->left = size;
#ifdef MADV_HUGEPAGE
    madvise(p->free, size, MADV_HUGEPAGE); /* a hint: nothing depends on it */
#endif
    // cppcheck-suppress memleak ; pages_free frees the chunks
    return 0;
}

void *pages_take(struct pages *p, size_t n, size_t size)
{
    size_t bytes;
    p->lacking |= __builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2;
    if (p->lacking)
        return NULL;
    bytes = (bytes / LINE + 1) * LINE;
    p->lacking = bytes > p->left && add_chunk(p, bytes);
    if (p->lacking)
        return NULL;
    void *taken = p->free;
    p->free += bytes;
    p->left -= bytes;
    return taken;
}

bool pages_short(const struct pages *p)
{
    return p->lacking;
}
