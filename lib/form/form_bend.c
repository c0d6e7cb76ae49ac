/* Bent paper. Input: points of the paper, and where they are seen. Output: a smooth map that has them there.
 *
 * Paper bends without stretching, as a cylinder, most often along an edge: what is seen of it beside the flat
 * sheet through its four marks is nearly a cubic across the bend, 0 at the marks, and linear along it. The least
 * squares of both directions' terms, damped (Tikhonov), are good for a point here and there, too. */
#include "form_bend.h"

#include <string.h>

#define DAMPING 0.15 /* A term of that many mm weighs as much as a point that is seen 1 mm off. */

static void terms(const struct bend *b, double x, double y, double term[PLANE_UNKNOWNS])
{
    double u = (x - b->middle.x) / b->half.x, v = (y - b->middle.y) / b->half.y, p = 1 - u * u, q = 1 - v * v;
    const double all[PLANE_UNKNOWNS] = {p, u * p, v * p, u * v * p, q, v * q, u * q, u * v * q};
    memcpy(term, all, sizeof all);
}

void bend_begin(struct bend *b, const struct form_layout *l)
{
    const struct form_rect *first = &l->mark[FORM_UPPER_LEFT], *last = &l->mark[FORM_LOWER_RIGHT];
    *b = (struct bend){.half = {(last->x - first->x) / 2, (last->y - first->y) / 2}};
    b->middle = (struct point){(first->x + last->x + FORM_MARK) / 2, (first->y + last->y + FORM_MARK) / 2};
    for (int i = 0; i < PLANE_UNKNOWNS; i++)
        b->x[i][i] = b->y[i][i] = DAMPING * DAMPING;
}

void bend_note(struct bend *b, struct point at, struct point seen)
{
    double term[PLANE_UNKNOWNS];
    terms(b, at.x, at.y, term);
    plane_add_equation(b->x, term, seen.x - at.x);
    plane_add_equation(b->y, term, seen.y - at.y);
}

static void solve(double equations[PLANE_UNKNOWNS][PLANE_UNKNOWNS + 1], double by[PLANE_UNKNOWNS])
{
    double a[PLANE_UNKNOWNS][PLANE_UNKNOWNS + 1];
    memcpy(a, equations, sizeof a);
    bool solved = plane_solve(a);
    for (int i = 0; i < PLANE_UNKNOWNS; i++)
        by[i] = solved ? a[i][PLANE_UNKNOWNS] : 0;
}

void bend_solve(struct bend *b)
{
    solve(b->x, b->by_x);
    solve(b->y, b->by_y);
    b->bent = true;
}

struct point bend_map(const struct bend *b, double x, double y)
{
    double term[PLANE_UNKNOWNS];
    struct point p = {x, y};
    if (!b->bent)
        return p;
    terms(b, x, y, term);
    for (int i = 0; i < PLANE_UNKNOWNS; i++) {
        p.x += b->by_x[i] * term[i];
        p.y += b->by_y[i] * term[i];
    }
    return p;
}
