#include "split.h"

#include <math.h>
#include <stdlib.h>

#define SLANT 0.3f    /* cost of a step aside, in pixels of ink */
#define MARGIN 0.2f   /* of a digit's width: no cut is nearer to the sides */

#define WORTH 4.0f    /* strokes of ink that a cut may cross */

/* A glyph's box in the ink map, seen upright. */
struct view {
    uint8_t *ink; /* its top left corner */
    long step_x, step_y;
    int w, h;
};

static struct view view_of(const struct glyph *g, struct inkmap *m, enum turn turn)
{
    long w = m->width;
    struct view v = {m->ink, 1, w, g->x1 - g->x0, g->y1 - g->y0};
    if (turn == TURN_RIGHT) {
        v.ink += w - 1;
        v.step_x = w;
        v.step_y = -1;
    } else if (turn == TURN_LEFT) {
        v.ink += (long)(m->height - 1) * w;
        v.step_x = -w;
        v.step_y = 1;
    }
    v.ink += g->x0 * v.step_x + g->y0 * v.step_y;
    return v;
}

/* The same seen from its side: what was above is on the left. */
static struct view aside(struct view v)
{
    return (struct view){v.ink, v.step_y, v.step_x, v.h, v.w};
}

static uint8_t *pixel(const struct view *v, int x, int y)
{
    return v->ink + x * v->step_x + y * v->step_y;
}

/* The usual width of a stroke: the median of its runs across. */
static float pen(const struct view *v)
{
    int count[64] = {0}, total = 0, below = 0;
    for (int y = 0; y < v->h; y++)
        for (int x = 0, run = 0; x <= v->w; x++) {
            if (x < v->w && *pixel(v, x, y) & 1) {
                run++;
            } else if (run) {
                count[run < 63 ? run : 63]++;
                total++;
                run = 0;
            }
        }
    for (int n = 1; n < 64; n++) {
        below += count[n];
        if (2 * below > total)
            return (float)n;
    }
    return 1;
}

/* Find the cheapest path from top to bottom with x in [low, high); its ink is the result. cost and
 * path have room for h * (high - low). */
static float cheapest_path(const struct view *v, int low, int high, float *cost, int8_t *path,
                           int *end)
{
    int n = high - low;
    for (int y = 0; y < v->h; y++)
        for (int i = 0; i < n; i++) {
            float *c = &cost[(long)y * n + i];
            float here = *pixel(v, low + i, y) & 1 ? 1 : 0;
            float aside = 2 * fabsf((float)i - (float)n / 2) / (float)n;
            here += 0.002f * aside;
            *c = here;
            path[(long)y * n + i] = 0;
            if (!y)
                continue;
            const float *up = c - n;
            float best = up[0];
            if (i && up[-1] + SLANT < best) {
                best = up[-1] + SLANT;
                path[(long)y * n + i] = -1;
            }
            if (i + 1 < n && up[1] + SLANT < best) {
                best = up[1] + SLANT;
                path[(long)y * n + i] = 1;
            }
            *c += best;
        }
    *end = 0;
    for (int i = 1; i < n; i++)
        if (cost[(long)(v->h - 1) * n + i] < cost[(long)(v->h - 1) * n + *end])
            *end = i;
    float ink = 0;
    for (int y = v->h - 1, i = *end; y >= 0; i += path[(long)y * n + i], y--)
        ink += *pixel(v, low + i, y) & 1;
    return ink;
}

static void take_out(const struct view *v, int low, int n, const int8_t *path, int end)
{
    for (int y = v->h - 1, i = end; y >= 0; y--) {
        int step = path[(long)y * n + i];
        *pixel(v, low + i, y) = 0;
        if (step) /* no diagonal may connect across */
            *pixel(v, low + i + step, y) = 0;
        i += step;
    }
}

/* Cut v into n digits where a path costs no more than `worth` strokes of ink. Returns how many cuts
 * were made, or -1 when memory is short. */
static int cut_into(const struct view *v, int n, float worth)
{
    float stroke = pen(v), share = (float)v->w / (float)n;
    float *cost = malloc((size_t)v->w * v->h * sizeof *cost);
    int8_t *path = malloc((size_t)v->w * v->h);
    int cuts = cost && path ? 0 : -1;
    for (int i = 1; cuts >= 0 && i < n; i++) {
        float middle = share * (float)i, reach = share * (0.5f - MARGIN);
        int low = (int)(middle - reach), high = (int)(middle + reach) + 1, end;
        low = low < 1 ? 1 : low;
        high = high > v->w - 1 ? v->w - 1 : high;
        if (high <= low)
            continue;
        if (cheapest_path(v, low, high, cost, path, &end) <= worth * stroke + 2) {
            take_out(v, low, high - low, path, end);
            cuts++;
        }
    }
    free(cost);
    free(path);
    return cuts;
}

int split_glyph(const struct glyph *g, float usual, struct inkmap *m, enum turn turn,
                struct err *e)
{
    struct view v = view_of(g, m, turn);
    int n = (int)lrintf((float)v.w / (1.15f * usual));
    int cuts = cut_into(&v, n < 2 ? 2 : n > 12 ? 12 : n, WORTH);
    return cuts < 0 ? err_set(e, "out of memory") : cuts;
}

int split_stack(const struct glyph *g, float height, struct inkmap *m, enum turn turn,
                struct err *e)
{
    struct view v = view_of(g, m, turn), side = aside(v);
    int n = (int)lrintf((float)v.h / (1.15f * height));
    int cuts = cut_into(&side, n < 2 ? 2 : n, WORTH);
    return cuts < 0 ? err_set(e, "out of memory") : cuts;
}
