/* Open addressing with linear probing; at most half of the places are taken. */
#include "form_bag.h"

#include <stdlib.h>

#define MIN_SIZE 64

void bag_clear(struct bag *b)
{
    for (size_t i = 0; i < b->size && b->n; i++)
        b->weight[i] = -1;
    b->n = 0;
}

void bag_free(struct bag *b)
{
    free(b->key);
    free(b->weight);
    *b = (struct bag){0};
}

/* The place of key, or the free one where it belongs. (The mixer is that of splitmix64.) */
static size_t place_of(const struct bag *b, int64_t key)
{
    uint64_t hash = (uint64_t)key;
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
    size_t i = (size_t)(hash ^ hash >> 31) & (b->size - 1);
    while (b->weight[i] >= 0 && b->key[i] != key)
        i = (i + 1) & (b->size - 1);
    return i;
}

static int enlarge(struct bag *b, struct err *e)
{
    struct bag more = {.size = b->size ? 2 * b->size : MIN_SIZE, .n = b->n};
    more.key = malloc(more.size * sizeof *more.key);
    more.weight = malloc(more.size * sizeof *more.weight);
    if (!more.key || !more.weight) {
        bag_free(&more);
        return err_set(e, "out of memory");
    }
    for (size_t i = 0; i < more.size; i++)
        more.weight[i] = -1;
    for (size_t i = 0; i < b->size; i++)
        if (b->weight[i] >= 0) {
            size_t to = place_of(&more, b->key[i]);
            more.key[to] = b->key[i];
            more.weight[to] = b->weight[i];
        }
    bag_free(b);
    *b = more;
    return 0;
}

int bag_add(struct bag *b, int64_t key, double weight, enum semiring ring, struct err *e)
{
    if (2 * b->n >= b->size && enlarge(b, e))
        return -1;
    size_t i = place_of(b, key);
    if (b->weight[i] >= 0) {
        b->weight[i] = join(ring, b->weight[i], weight);
        return 0;
    }
    b->key[i] = key;
    b->weight[i] = weight;
    b->n++;
    return 0;
}

double bag_weight(const struct bag *b, int64_t key)
{
    if (!b->n)
        return 0;
    size_t i = place_of(b, key);
    return b->weight[i] >= 0 ? b->weight[i] : 0;
}
