/* Rules that hold between pages: one field of all of them. */
#ifndef INKPIPE_FORM_COLUMN_H
#define INKPIPE_FORM_COLUMN_H

#include "form_states.h"

/* A field of n pages. Under its page's other rules each state has two weights: of all readings of the page
 * with it, and of the best one. */
struct column {
    const struct form_field *field;
    size_t n;
    struct states *states; /* [n], owned */
    double **sum, **best;  /* [n][states.n], owned */
    /* Found: */
    double **told; /* [n][states.n], owned: the weight that the other pages give to each state */
    int *choice;   /* [n], owned: states of the most probable readings */
    unsigned *broken; /* [n], owned: FORM_BROKEN_UNIQUE, FORM_BROKEN_RISING */
};

/* An empty column of n pages, whose states, sum and best are the caller's to fill in (malloc'd). */
struct column *column_new(const struct form_field *field, size_t n, struct err *e);
void column_free(struct column *c);

/* Solve it under `unique` or `rising`, or both, which is to rise each time. Returns 0 or -1. */
int column_solve(struct column *c, struct err *e);

/* The two rules (column_solve asks for them). */
int column_unique(struct column *c, struct err *e);
int column_rising(struct column *c, struct err *e);

#endif
