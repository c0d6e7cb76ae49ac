/* Homographies from points: the normalised direct linear transform, solved by its normal equations. */
#include "form_plane.h"

#include <math.h>
#include <string.h>

#define LEAST_PIVOT 1e-9 /* below it, points of order 1 lie on a line */

/* What brings points' mean to 0 and their mean distance from it to about 1: (p - mean) * scale. */
struct norm {
    double x, y, scale;
};

static struct norm find_norm(const struct point *p, int n)
{
    struct norm m = {0, 0, 0};
    double away = 0;
    for (int i = 0; i < n; i++) {
        m.x += p[i].x / n;
        m.y += p[i].y / n;
    }
    for (int i = 0; i < n; i++)
        away += hypot(p[i].x - m.x, p[i].y - m.y) / n;
    m.scale = away > 0 ? 1 / away : 0;
    return m;
}

void plane_add_equation(double a[PLANE_UNKNOWNS][PLANE_UNKNOWNS + 1], const double row[PLANE_UNKNOWNS], double right)
{
    for (int i = 0; i < PLANE_UNKNOWNS; i++) {
        for (int k = 0; k < PLANE_UNKNOWNS; k++)
            a[i][k] += row[i] * row[k];
        a[i][PLANE_UNKNOWNS] += row[i] * right;
    }
}

/* Gauss's elimination with pivots. */
bool plane_solve(double a[PLANE_UNKNOWNS][PLANE_UNKNOWNS + 1])
{
    for (int i = 0; i < PLANE_UNKNOWNS; i++) {
        int best = i;
        for (int k = i + 1; k < PLANE_UNKNOWNS; k++)
            if (fabs(a[k][i]) > fabs(a[best][i]))
                best = k;
        if (!(fabs(a[best][i]) > LEAST_PIVOT))
            return false;
        for (int c = 0; c <= PLANE_UNKNOWNS && best != i; c++) {
            double t = a[i][c];
            a[i][c] = a[best][c];
            a[best][c] = t;
        }
        for (int k = 0; k < PLANE_UNKNOWNS; k++) {
            double f = k == i ? 0 : a[k][i] / a[i][i];
            for (int c = i; c <= PLANE_UNKNOWNS; c++)
                a[k][c] -= f * a[i][c];
        }
    }
    for (int i = 0; i < PLANE_UNKNOWNS; i++)
        a[i][PLANE_UNKNOWNS] /= a[i][i];
    return true;
}

static void multiply(const double a[9], const double b[9], double out[9])
{
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            out[3 * i + k] = a[3 * i] * b[k] + a[3 * i + 1] * b[3 + k] + a[3 * i + 2] * b[6 + k];
}

bool plane_fit(const struct point *from, const struct point *to, int n, struct plane *plane)
{
    struct norm f = find_norm(from, n), t = find_norm(to, n);
    double a[PLANE_UNKNOWNS][PLANE_UNKNOWNS + 1] = {{0}};
    if (!(f.scale > 0 && t.scale > 0))
        return false;
    for (int i = 0; i < n; i++) {
        double x = (from[i].x - f.x) * f.scale, y = (from[i].y - f.y) * f.scale;
        double u = (to[i].x - t.x) * t.scale, v = (to[i].y - t.y) * t.scale;
        plane_add_equation(a, (const double[]){x, y, 1, 0, 0, 0, -u * x, -u * y}, u);
        plane_add_equation(a, (const double[]){0, 0, 0, x, y, 1, -v * x, -v * y}, v);
    }
    if (!plane_solve(a))
        return false;
    double h[9] = {0, 0, 0, 0, 0, 0, 0, 0, 1}, half[9];
    for (int i = 0; i < PLANE_UNKNOWNS; i++)
        h[i] = a[i][PLANE_UNKNOWNS];
    const double before[9] = {f.scale, 0, -f.x * f.scale, 0, f.scale, -f.y * f.scale, 0, 0, 1};
    const double after[9] = {1 / t.scale, 0, t.x, 0, 1 / t.scale, t.y, 0, 0, 1};
    multiply(h, before, half);
    multiply(after, half, plane->h);
    return true;
}
