/* The second look, between the finder and suppression.
 *
 * Input: candidates, and the pyramid that they were found in. Output: those that stay, with what they are and their
 * boxes told better. The finder looks at every place of a picture with little work for each; a second network, which
 * has learnt from what the finder takes for writing, looks at those places alone, each with its surroundings and at one
 * size (a cascade: Viola and Jones, "Rapid object detection using a boosted cascade of simple features", 2001; Cai
 * and Vasconcelos, "Cascade R-CNN", 2018). What the two say is joined by the mean of their log odds. */
#include <math.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "steps.h"

/* A view is so many times as wide and high as the longer side of its candidate. */
#define VIEW_CONTEXT 2
/* The levels of a view for one deviation of its pixels; and what is added to that deviation, in levels of gray, so
 * that the noise of a plain surface stays faint. */
#define VIEW_STEP 40
#define VIEW_NOISE 3
/* What stands in the view is centred in one of so many cells each way around its middle. */
#define MIDDLE 2
/* It is what the candidate tells of when the boxes share at least this part of the area that they cover together.
 * Where they do not, as of a wall beside a digit, only so much of what is seen counts as they share. */
#define MIN_SHARED 0.4f
/* What the finder is so sure of, by its score, is not looked at again. */
#define MIN_SURE 0.7f

enum { CELLS = INK_VIEW / MAP_STRIDE };

struct refiner {
    struct map_net map;
};

struct refine {
    const struct refiner *refiner;
    struct threads *threads; /* one */
    struct infer *infer;
    struct ink_view view;
    float input[INK_VIEW * INK_VIEW];
    float *map;
};

/* ---- The network ---- */

struct refiner *refiner_load(const char *file, struct err *e)
{
    struct refiner *r = calloc(1, sizeof *r);
    if (!r) {
        err_set(e, "out of memory");
        return NULL;
    }
    struct net *tried = map_net_load(&r->map, file, e) ? NULL : map_net_for(&r->map, INK_VIEW, INK_VIEW, e);
    net_free(tried);
    if (tried)
        return r;
    err_at(e, file, -1);
    refiner_free(r);
    return NULL;
}

void refiner_free(struct refiner *r)
{
    if (!r)
        return;
    map_net_free(&r->map);
    free(r);
}

struct refine *refine_new(const struct refiner *refiner, struct err *e)
{
    struct refine *r = calloc(1, sizeof *r);
    struct net *net = map_net_for(&refiner->map, INK_VIEW, INK_VIEW, e);
    if (r && net) {
        r->refiner = refiner;
        r->map = malloc(map_values(&refiner->map, INK_VIEW, INK_VIEW) * sizeof *r->map);
        r->threads = threads_new(1, e);
        r->infer = r->threads ? infer_new(net, 1, r->threads, kernel_best(), e) : NULL;
    }
    net_free(net);
    if (r && r->map && r->infer)
        return r;
    if (net && (!r || !r->map))
        err_set(e, "out of memory");
    refine_free(r);
    return NULL;
}

void refine_free(struct refine *r)
{
    if (!r)
        return;
    infer_free(r->infer);
    threads_free(r->threads);
    free(r->map);
    free(r);
}

/* ---- The view of a candidate ---- */

/* The level whose pixels are just not larger than the view's. */
static const struct level *level_for(const struct pyramid *p, float step)
{
    const struct level *l = p->level;
    while (l + 1 < p->level + p->levels && l[1].scale <= (double)step)
        l++;
    return l;
}

/* The level at a point, by linear interpolation; below 0 outside of it. */
static float sample(const struct level *l, float x, float y)
{
    if (!(x >= -0.5f && y >= -0.5f && x <= (float)l->width - 0.5f && y <= (float)l->height - 0.5f))
        return -1;
    int i = (int)floorf(x), j = (int)floorf(y);
    float right = x - (float)i, below = y - (float)j;
    int left = max_int(i, 0), next = min_int(i + 1, l->width - 1);
    const uint8_t *a = l->gray + (size_t)max_int(j, 0) * (size_t)l->width;
    const uint8_t *b = l->gray + (size_t)min_int(j + 1, l->height - 1) * (size_t)l->width;
    return (1 - below) * ((1 - right) * a[left] + right * a[next]) +
           below * ((1 - right) * b[left] + right * b[next]);
}

void take_view(const struct pyramid *p, const struct candidate *c, struct ink_view *v)
{
    float value[INK_VIEW * INK_VIEW], sum = 0, squares = 0, side = VIEW_CONTEXT * fmaxf(c->w, c->h);
    int inside = 0;
    v->x = c->x + (c->w - side) / 2;
    v->y = c->y + (c->h - side) / 2;
    v->step = side / INK_VIEW;
    const struct level *l = level_for(p, v->step);
    float scale = (float)l->scale;
    for (int i = 0; i < INK_VIEW * INK_VIEW; i++) {
        float x = v->x + ((float)(i % INK_VIEW) + 0.5f) * v->step;
        float y = v->y + ((float)(i / INK_VIEW) + 0.5f) * v->step;
        value[i] = sample(l, x / scale - 0.5f, y / scale - 0.5f);
        if (value[i] < 0)
            continue;
        sum += value[i];
        squares += value[i] * value[i];
        inside++;
    }
    float mean = sum / (float)max_int(inside, 1);
    float deviation = sqrtf(fmaxf(squares / (float)max_int(inside, 1) - mean * mean, 0)) + VIEW_NOISE;
    for (int i = 0; i < INK_VIEW * INK_VIEW; i++) {
        float level = value[i] < 0 ? 0 : VIEW_STEP * (value[i] - mean) / deviation;
        v->level[i] = (uint8_t)lrintf(fminf(fmaxf(CONTRAST_PAPER + level, 0), 255));
    }
}

/* ---- What it is ---- */

static float log_odds(float p)
{
    p = fminf(fmaxf(p, 1e-4f), 1 - 1e-4f);
    return logf(p / (1 - p));
}

/* How probable it is that two say so probably. */
static float joined(float p, float q)
{
    return 1 / (1 + expf(-(log_odds(p) + log_odds(q)) / 2));
}

/* The part of the area that two boxes cover together which is covered by both. */
static float overlap(const struct candidate *a, const struct candidate *b)
{
    float w = fminf(a->x + a->w, b->x + b->w) - fmaxf(a->x, b->x);
    float h = fminf(a->y + a->h, b->y + b->h) - fmaxf(a->y, b->y);
    return w > 0 && h > 0 ? w * h / (a->w * a->h + b->w * b->h - w * h) : 0;
}

/* What the network sees where *c is: of the cells in the middle, the one that most probably tells of it. */
static struct candidate look(struct refine *r, const struct pyramid *p, const struct candidate *c)
{
    struct candidate seen = {0};
    struct ink_view *v = &r->view;
    float most = -1;
    take_view(p, c, v);
    for (int i = 0; i < INK_VIEW * INK_VIEW; i++)
        r->input[i] = r->refiner->map.input[v->level[i]];
    infer_run(r->infer, r->input, 1, r->map);
    for (int y = CELLS / 2 - MIDDLE; y < CELLS / 2 + MIDDLE; y++)
        for (int x = CELLS / 2 - MIDDLE; x < CELLS / 2 + MIDDLE; x++) {
            struct candidate at = map_candidate(&r->refiner->map, r->map, CELLS, CELLS, x, y);
            at.x = v->x + at.x * v->step, at.y = v->y + at.y * v->step, at.w *= v->step, at.h *= v->step;
            float told = at.written * sqrtf(overlap(&at, c));
            if (told > most) {
                most = told;
                seen = at;
            }
        }
    return seen;
}

/* Join what the network has seen to what the finder says of *c, and its box to the middle of both. */
static void join(struct candidate *c, const struct candidate *seen)
{
    float both = overlap(c, seen);
    bool same = both >= MIN_SHARED;
    c->written = joined(c->written, same ? seen->written : seen->written * both);
    c->digits = joined(c->digits, seen->digits);
    bool digit = candidate_is_digit(c);
    c->class = digit ? seen->digit : INK_OTHER;
    c->sure = digit ? c->digits : 1 - c->digits;
    c->score = c->written * sqrtf(c->sure);
    if (!same)
        return;
    c->x = (c->x + seen->x) / 2;
    c->y = (c->y + seen->y) / 2;
    c->w = (c->w + seen->w) / 2;
    c->h = (c->h + seen->h) / 2;
}

int refine(struct refine *r, const struct pyramid *p, struct candidate *c, int n, float least)
{
    int left = 0;
    for (int i = 0; i < n; i++) {
        if (!ink_sign(c[i].class) && c[i].score < MIN_SURE) { /* signs are too small for it to know them better */
            struct candidate seen = look(r, p, &c[i]);
            join(&c[i], &seen);
        }
        if (c[i].written >= least)
            c[left++] = c[i];
    }
    return left;
}
