/* From one plane to another, as a camera or scanner sees paper: a homography, x' ~ H x (Hartley and Zisserman,
 * Multiple View Geometry, 2004, chapter 4). */
#ifndef INKPIPE_FORM_PLANE_H
#define INKPIPE_FORM_PLANE_H

#include <stdbool.h>

struct point {
    double x, y;
};

/* Rows of H one after another. */
struct plane {
    double h[9];
};

/* The homography with the least squared error (in the algebraic sense) that takes from[i] to to[i], n at least
 * 4. False when they do not determine one. */
bool plane_fit(const struct point *from, const struct point *to, int n, struct plane *plane);

enum { PLANE_UNKNOWNS = 8 };

/* Least squares: add the equation row . unknowns = right to a, which holds A'A and A'b and begins as zeros. */
void plane_add_equation(double a[PLANE_UNKNOWNS][PLANE_UNKNOWNS + 1], const double row[PLANE_UNKNOWNS], double right);

/* The unknowns come into the last column. False when the equations do not determine them. */
bool plane_solve(double a[PLANE_UNKNOWNS][PLANE_UNKNOWNS + 1]);

static inline struct point plane_map(const struct plane *p, double x, double y)
{
    double w = p->h[6] * x + p->h[7] * y + p->h[8];
    return (struct point){(p->h[0] * x + p->h[1] * y + p->h[2]) / w, (p->h[3] * x + p->h[4] * y + p->h[5]) / w};
}

#endif
