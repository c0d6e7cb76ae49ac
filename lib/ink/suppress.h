/* Candidates that tell of one thing twice, or of a part of one, or of nothing. */
#ifndef INKPIPE_SUPPRESS_H
#define INKPIPE_SUPPRESS_H

#include "finder.h"

/* Put the candidates that are to stay first, and return how many; the order of the others is lost. -1 when
 * memory is short. */
int suppress(struct ink_candidate *c, int n, struct err *e);

/* The same, but only those go whose box is nearly another's. */
int suppress_same(struct ink_candidate *c, int n, struct err *e);

#endif
