/* Weights by whole number: a distribution that is not normalised. */
#ifndef INKPIPE_FORM_BAG_H
#define INKPIPE_FORM_BAG_H

#include "form.h"

/* How weights of one number come together: for posteriors their sum, for the most probable reading the
 * larger. */
enum semiring { SUM, MAX };

static inline double join(enum semiring ring, double a, double b)
{
    return ring == SUM ? a + b : a > b ? a : b;
}

struct bag {
    size_t n;
    int64_t *key;    /* [n] in the order they came */
    double *weight;  /* [n] */
    size_t key_room, weight_room;
    int64_t low;     /* of keys */
    bool dense;      /* few numbers are possible: slot[key - low]; else a hash table */
    uint32_t *slot;  /* [slots] place + 1; 0: free */
    size_t slots, slot_room;
};

/* Take everything out, for keys from low to high; the memory is kept. Returns 0 or -1. */
int bag_clear(struct bag *b, int64_t low, int64_t high, struct err *e);
void bag_free(struct bag *b);

/* A key outside the range is a mistake. Returns 0 or -1. */
int bag_add(struct bag *b, int64_t key, double weight, enum semiring ring, struct err *e);

/* Keep the `most` heaviest keys; of those that weigh the same, which came first. Returns 0 or -1. */
int bag_keep(struct bag *b, size_t most, struct err *e);

/* The slot of key, or the free one where it belongs. (The mixer is that of splitmix64.) */
static inline uint32_t *bag_slot(const struct bag *b, int64_t key)
{
    if (b->dense)
        return &b->slot[key - b->low];
    uint64_t hash = (uint64_t)key;
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
    size_t i = (size_t)(hash ^ hash >> 31) & (b->slots - 1);
    while (b->slot[i] && b->key[b->slot[i] - 1] != key)
        i = (i + 1) & (b->slots - 1);
    return &b->slot[i];
}

/* The weight of key; 0 when it is not in it. */
static inline double bag_weight(const struct bag *b, int64_t key)
{
    if (b->dense && (key < b->low || (uint64_t)(key - b->low) >= b->slots))
        return 0;
    uint32_t at = *bag_slot(b, key);
    return at ? b->weight[at - 1] : 0;
}

#endif
