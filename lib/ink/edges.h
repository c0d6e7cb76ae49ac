/* Edges of shadows, of paper and of things, told from strokes: a stroke has paper on both its sides,
 * an edge is dark on one. */
#ifndef INKPIPE_EDGES_H
#define INKPIPE_EDGES_H

#include "inkmap.h"
#include "parts.h"

/* The less light sides of part p to the lighter ones, over a sample of its runs, each looked at
 * across and down: 1, paper on both; 0, on one or none. What lies outside the picture is no
 * paper. */
float two_sided(const struct inkmap *m, const struct parts *all, const struct part *p);

/* How much of part p, over a sample of its runs, has paper on one side only, across or down. */
float one_sided(const struct inkmap *m, const struct parts *all, const struct part *p);

/* Take the edges out of m's ink where they hang together with strokes, in parts longer than
 * `least`. Returns how many pieces were taken; when there are any, the parts have to be found again;
 * -1 when memory is short. */
int edges_erase(struct inkmap *m, const struct parts *all, float least, struct err *e);

#endif
