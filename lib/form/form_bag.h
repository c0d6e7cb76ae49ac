/* Weights by whole number: a distribution that is not normalised, in a hash table. */
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
    int64_t *key;   /* [size] */
    double *weight; /* [size]; negative: the place is free */
    size_t size;    /* a power of two, or 0 */
    size_t n;       /* keys */
};

/* Take everything out; the memory is kept. */
void bag_clear(struct bag *b);
void bag_free(struct bag *b);

/* Returns 0 or -1. */
int bag_add(struct bag *b, int64_t key, double weight, enum semiring ring, struct err *e);

/* The weight of key; 0 when it is not in it. */
double bag_weight(const struct bag *b, int64_t key);

#endif
