/* A finder's map to boxes.
 *   in   the raw outputs of a network that ends in `boxes`
 *   out  the peaks of the centres' logits, each with its cell's box, class and score
 * Source: CenterNet (Zhou et al., arXiv 1904.07850). */
#include "map_loss.h"

#include <math.h>
#include <stdbool.h>

#define MAX_LOG_SIDE 5.0f /* The log of a box's side over MAP_UNIT is at most this, at least minus this. */

/* Whether a cell is a local maximum of its eight neighbours; of equal cells the first is. */
static bool is_peak(const struct map_shape *s, const float *map, int y, int x)
{
    float centre = map[y * s->columns + x];
    for (int j = y - 1; j <= y + 1; j++)
        for (int i = x - 1; i <= x + 1; i++) {
            if (j < 0 || i < 0 || j >= s->rows || i >= s->columns)
                continue;
            float other = map[j * s->columns + i];
            bool before = j < y || (j == y && i < x);
            if (other > centre || (before && other == centre))
                return false;
        }
    return true;
}

struct map_shape map_shape_of(const struct net *net)
{
    struct shape s = net->layer[net->layers - 1].out;
    return (struct map_shape){.classes = s.c - NET_BOX_CHANNELS, .rows = s.h, .columns = s.w,
                              .stride = net_input(net).h / s.h};
}

static float side(float log_side)
{
    return MAP_UNIT * expf(fmaxf(-MAX_LOG_SIDE, fminf(log_side, MAX_LOG_SIDE)));
}

static struct map_found read_cell(const struct map_shape *s, const float *map, int y, int x)
{
    long cells = (long)s->rows * s->columns;
    const float *cell = map + (long)y * s->columns + x, *box = cell + (1 + s->classes) * cells;
    struct map_found f = {.score = 1 / (1 + expf(-cell[0]))};
    for (int k = 1; k < s->classes; k++)
        if (cell[(1 + k) * cells] > cell[(1 + f.box.class) * cells])
            f.box.class = k;
    f.box.w = side(box[2 * cells]);
    f.box.h = side(box[3 * cells]);
    f.box.x = (float)s->stride * ((float)x + box[0]) - f.box.w / 2;
    f.box.y = (float)s->stride * ((float)y + box[cells]) - f.box.h / 2;
    return f;
}

int map_boxes(const struct map_shape *s, const float *map, float threshold, struct map_found *found,
              int max)
{
    float logit = logf(threshold / (1 - threshold));
    int n = 0;
    for (int y = 0; y < s->rows; y++)
        for (int x = 0; x < s->columns && n < max; x++)
            if (map[y * s->columns + x] > logit && is_peak(s, map, y, x))
                found[n++] = read_cell(s, map, y, x);
    return n;
}

float map_overlap(const struct map_box *a, const struct map_box *b)
{
    float w = fminf(a->x + a->w, b->x + b->w) - fmaxf(a->x, b->x);
    float h = fminf(a->y + a->h, b->y + b->h) - fmaxf(a->y, b->y);
    float both = w > 0 && h > 0 ? w * h : 0;
    return both / (a->w * a->h + b->w * b->h - both);
}
