/* The loss of a finder's map.
 *   in   a map, the ground truth's boxes
 *   out  three losses and the gradient of the map
 * Source: CenterNet (Zhou et al., arXiv 1904.07850): a penalty-reduced focal loss for centres, reduced near a
 * centre by a Gaussian that grows with the box; losses of class and box at the centres alone. */
#include "map_loss.h"

#include <math.h>
#include <string.h>

#define CLASS_WEIGHT 0.7     /* The weight of the classes' loss in the total; the other two weigh 1. */
#define CLASS_SMOOTHING 0.05 /* Label smoothing: so much of a class's probability goes to all classes. */
#define MIN_SPREAD 0.6f      /* A Gaussian's deviation is at least so many cells: boxes under 14 pixels. */
#define SPREADS_A_SIDE 6     /* A box's side is so many deviations of its Gaussian. */

double map_loss_total(const struct map_loss *l)
{
    return l->centre + CLASS_WEIGHT * l->class + l->box;
}

/* ---- Marks ---- */

static int clamp(int x, int low, int high)
{
    return x < low ? low : x > high ? high : x;
}

/* Mark the cells under an ignored box, and one cell around: they add nothing to the loss. */
static void mark_ignored(const struct map_shape *s, const struct map_box *b, float *marks)
{
    float cell = (float)s->stride;
    int left = (int)fmaxf(floorf(b->x / cell) - 1, 0);
    int top = (int)fmaxf(floorf(b->y / cell) - 1, 0);
    int right = (int)fminf(floorf((b->x + b->w) / cell) + 2, (float)s->columns);
    int bottom = (int)fminf(floorf((b->y + b->h) / cell) + 2, (float)s->rows);
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++)
            marks[y * s->columns + x] = 1;
}

/* The cell that holds a box's centre, -1 outside the map. */
static int centre_cell(const struct map_shape *s, const struct map_box *b)
{
    float x = (b->x + b->w / 2) / (float)s->stride, y = (b->y + b->h / 2) / (float)s->stride;
    if (!(x >= 0 && y >= 0 && x < (float)s->columns && y < (float)s->rows))
        return -1;
    return (int)y * s->columns + (int)x;
}

/* Draw the Gaussian around a centre: each mark becomes the maximum of itself and that. */
static void mark_near(const struct map_shape *s, const struct map_box *b, int cell, float *marks)
{
    float unit = (float)(SPREADS_A_SIDE * s->stride);
    float wide = fmaxf(MIN_SPREAD, b->w / unit), high = fmaxf(MIN_SPREAD, b->h / unit);
    int reach = (int)fminf(3 * fmaxf(wide, high), (float)(s->rows + s->columns)) + 1;
    int i = cell % s->columns, j = cell / s->columns;
    int right = clamp(i + reach, 0, s->columns - 1), bottom = clamp(j + reach, 0, s->rows - 1);
    for (int y = clamp(j - reach, 0, j); y <= bottom; y++)
        for (int x = clamp(i - reach, 0, i); x <= right; x++) {
            float dx = (float)(x - i) / wide, dy = (float)(y - j) / high;
            float *m = &marks[y * s->columns + x];
            *m = fmaxf(*m, expf(-(dx * dx + dy * dy) / 2));
        }
}

long map_mark(const struct map_shape *s, const struct map_truth *t, float *marks)
{
    long centres = 0;
    memset(marks, 0, (size_t)s->rows * (size_t)s->columns * sizeof *marks);
    for (int k = 0; k < t->boxes; k++)
        if (t->box[k].class == MAP_IGNORE)
            mark_ignored(s, &t->box[k], marks);
        else if (centre_cell(s, &t->box[k]) >= 0)
            mark_near(s, &t->box[k], centre_cell(s, &t->box[k]), marks);
    for (int k = 0; k < t->boxes; k++) {
        int cell = t->box[k].class == MAP_IGNORE ? -1 : centre_cell(s, &t->box[k]);
        if (cell < 0)
            continue;
        centres += marks[cell] < 2;
        marks[cell] = 2 + (float)k;
    }
    return centres;
}

/* ---- Losses ---- */

/* log(1 + e^x) without overflow. */
static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* The focal loss of a cell that is a centre, -(1 - p)^2 log p; *slope becomes its derivative by the logit. */
static double loss_of_centre(double logit, double *slope)
{
    double log_p = -softplus(-logit), p = exp(log_p), q = 1 - p;
    *slope = 2 * p * q * q * log_p - q * q * q;
    return -q * q * log_p;
}

/* The focal loss of a cell that is none, -(1 - near)^4 p^2 log(1 - p), near being its mark. */
static double loss_of_other(double logit, double near, double *slope)
{
    double log_q = -softplus(logit), q = exp(log_q), p = 1 - q;
    double weight = (1 - near) * (1 - near) * (1 - near) * (1 - near);
    *slope = weight * (p * p * p - 2 * p * p * q * log_q);
    return -weight * p * p * log_q;
}

/* The L1 loss of a centre's four numbers against those of its box, the mean of the four. */
static double loss_of_box(const struct map_shape *s, int cell, const float *map,
                          const struct map_box *b, double boxes, float *grad)
{
    int cells = s->rows * s->columns;
    const double truth[4] = {(b->x + b->w / 2) / (float)s->stride - (float)(cell % s->columns),
                             (b->y + b->h / 2) / (float)s->stride - (float)(cell / s->columns),
                             log(b->w / MAP_UNIT), log(b->h / MAP_UNIT)};
    double loss = 0;
    for (int k = 0; k < 4; k++) {
        double off = map[k * cells] - truth[k];
        loss += fabs(off) / 4;
        grad[k * cells] = (float)((off > 0 ? 1 : off < 0 ? -1 : 0) / (4 * boxes));
    }
    return loss;
}

void map_loss(const struct map_shape *s, const float *map, const struct map_truth *t,
              const float *marks, double boxes, float *grad, struct map_loss *loss)
{
    int cells = s->rows * s->columns;
    struct map_loss sum = {0};
    long plane[s->classes];
    struct cross_entropy c = {s->classes, plane, CLASS_SMOOTHING, CLASS_WEIGHT, boxes};
    for (int k = 0; k < s->classes; k++)
        plane[k] = (long)k * cells;
    memset(grad, 0, (size_t)(5 + s->classes) * (size_t)cells * sizeof *grad);
    for (int i = 0; i < cells; i++) {
        double slope = 0;
        if (marks[i] < 1)
            sum.centre += loss_of_other(map[i], marks[i], &slope);
        if (marks[i] >= 2) {
            const struct map_box *b = &t->box[(int)marks[i] - 2];
            long class = i + (long)cells, box = i + (long)cells * (1 + s->classes);
            sum.centre += loss_of_centre(map[i], &slope);
            sum.class += cross_entropy(&c, map + class, b->class, grad + class);
            sum.box += loss_of_box(s, i, map + box, b, boxes, grad + box);
        }
        grad[i] = (float)(slope / boxes);
    }
    loss->centre += sum.centre / boxes;
    loss->class += sum.class / boxes;
    loss->box += sum.box / boxes;
}
