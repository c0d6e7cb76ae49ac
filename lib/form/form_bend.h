/* Bent paper: by how far its points are seen beside where its corner marks would have them, were it flat. */
#ifndef INKPIPE_FORM_BEND_H
#define INKPIPE_FORM_BEND_H

#include "form.h"
#include "form_plane.h"

struct bend {
    struct point middle, half;                           /* mm: of the marks, and half the distances between them */
    double x[PLANE_UNKNOWNS][PLANE_UNKNOWNS + 1];        /* the normal equations of what was seen, to either side */
    double y[PLANE_UNKNOWNS][PLANE_UNKNOWNS + 1];
    double by_x[PLANE_UNKNOWNS], by_y[PLANE_UNKNOWNS];   /* mm: the weights of the terms */
    bool bent;                                           /* they are not all 0 */
};

/* Flat paper, of which nothing was seen yet. */
void bend_begin(struct bend *b, const struct form_layout *l);

/* The point `at` of the paper was seen where `seen` would be, were it flat. */
void bend_note(struct bend *b, struct point at, struct point seen);

/* Bend it as it was seen. */
void bend_solve(struct bend *b);

/* Where a point of the paper would be seen, were it flat. */
struct point bend_map(const struct bend *b, double x, double y);

#endif
