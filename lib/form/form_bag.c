/* Keys and weights side by side, found by number where few are possible and by open addressing with linear
 * probing elsewhere, at most half of whose slots are taken. */
#include "form_bag.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

#define MAX_DENSE (1 << 16) /* Up to so many numbers have a slot each. */
#define MIN_SLOTS 64        /* A hash table begins with so many slots. */

void bag_free(struct bag *b)
{
    free(b->key);
    free(b->weight);
    free(b->slot);
    *b = (struct bag){0};
}

static int set_slots(struct bag *b, size_t slots, struct err *e)
{
    if (grow_to(&b->slot, slots, &b->slot_room, sizeof *b->slot, e))
        return -1;
    b->slots = slots;
    memset(b->slot, 0, slots * sizeof *b->slot);
    return 0;
}

int bag_clear(struct bag *b, int64_t low, int64_t high, struct err *e)
{
    b->n = 0;
    b->low = low;
    b->dense = high - low < MAX_DENSE;
    return set_slots(b, b->dense ? (size_t)(high - low) + 1 : MIN_SLOTS, e);
}

static int enlarge(struct bag *b, struct err *e)
{
    if (set_slots(b, 2 * b->slots, e))
        return -1;
    for (size_t i = 0; i < b->n; i++)
        *bag_slot(b, b->key[i]) = (uint32_t)i + 1;
    return 0;
}

int bag_add(struct bag *b, int64_t key, double weight, enum semiring ring, struct err *e)
{
    uint32_t *slot = bag_slot(b, key);
    if (*slot) {
        b->weight[*slot - 1] = join(ring, b->weight[*slot - 1], weight);
        return 0;
    }
    if (grow_to(&b->key, b->n + 1, &b->key_room, sizeof *b->key, e))
        return -1;
    if (grow_to(&b->weight, b->n + 1, &b->weight_room, sizeof *b->weight, e))
        return -1;
    b->key[b->n] = key;
    b->weight[b->n++] = weight;
    *slot = (uint32_t)b->n;
    return !b->dense && 2 * b->n > b->slots ? enlarge(b, e) : 0;
}

static int compare_weights(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

int bag_keep(struct bag *b, size_t most, struct err *e)
{
    if (b->n <= most)
        return 0;
    double *sorted = malloc(b->n * sizeof *sorted);
    if (!sorted)
        return err_set(e, "out of memory");
    memcpy(sorted, b->weight, b->n * sizeof *sorted);
    qsort(sorted, b->n, sizeof *sorted, compare_weights);
    double least = sorted[most - 1];
    size_t heavier = 0, n = 0;
    while (sorted[heavier] > least)
        heavier++;
    free(sorted);
    size_t equal = most - heavier; /* of those that weigh `least`, so many */
    memset(b->slot, 0, b->slots * sizeof *b->slot);
    for (size_t i = 0; i < b->n; i++) {
        if (b->weight[i] < least || (b->weight[i] == least && equal == 0))
            continue;
        equal -= b->weight[i] == least;
        b->key[n] = b->key[i];
        b->weight[n] = b->weight[i];
        *bag_slot(b, b->key[n]) = (uint32_t)n + 1;
        n++;
    }
    b->n = n;
    return 0;
}
