#include "edges.h"

#include <math.h>
#include <stdlib.h>

#include "base/grow.h"

#define EDGE 0.25f     /* less of a balance than this is an edge, */
#define MOSTLY 0.4f   /* a part that is edges to this extent is nothing else */
#define DOUBTFUL 0.75f /* looked for in parts that have no more than this */

/* How much lighter than a stretch of ink its surroundings are, on the less light side and on the
 * lighter one: much the same for a stroke on paper, nothing and much for the edge of something. */
struct sides {
    float less, more;
};

/* Mean gray of up to four pixels from (x, y) on, in steps of `step` bytes, `room` of them inside. */
static int mean_gray(const uint8_t *g, long step, int room)
{
    int n = min_int(room, 4), sum = 0;
    for (int i = 0; i < n; i++)
        sum += g[i * step];
    return sum / n;
}

/* The sides of a stretch of ink [a, b) in a line of n pixels `step` bytes apart; `middle` is at
 * g[0]. What lies outside the picture is no paper. */
static struct sides stretch_sides(const uint8_t *g, long step, int a, int middle, int b, int n)
{
    int ink = (g[0] * 2 + g[middle > a ? -step : 0] + g[middle + 1 < b ? step : 0]) / 4;
    int before = a < 2 ? 0 : mean_gray(g + (a - 2 - middle) * step, -step, a - 1) - ink;
    int after = b + 1 >= n ? 0 : mean_gray(g + (b + 1 - middle) * step, step, n - b - 1) - ink;
    before = max_int(before, 0);
    after = max_int(after, 0);
    return (struct sides){(float)min_int(before, after), (float)max_int(before, after)};
}

static struct sides sides_across(const struct inkmap *m, const struct run *r)
{
    int x = (r->x0 + r->x1) / 2;
    return stretch_sides(m->gray + (long)r->y * m->width + x, 1, r->x0, x, r->x1, m->width);
}

/* The stretch of ink in a column that was looked at last; none when up == down. */
struct column {
    int up, down;
};

/* The stretch of ink of column x around row y. */
static struct column stretch_along(const struct inkmap *m, int x, int y)
{
    struct column c = {y, y + 1};
    while (c.up > 0 && m->ink[(long)(c.up - 1) * m->width + x] & 1)
        c.up--;
    while (c.down < m->height && m->ink[(long)c.down * m->width + x] & 1)
        c.down++;
    return c;
}

static struct sides sides_in_column(const struct inkmap *m, int x, int y, struct column c)
{
    return stretch_sides(m->gray + (long)y * m->width + x, m->width, c.up, y, c.down, m->height);
}

static struct sides sides_along(const struct inkmap *m, int x, int y)
{
    return sides_in_column(m, x, y, stretch_along(m, x, y));
}

float two_sided(const struct inkmap *m, const struct parts *all, const struct part *p)
{
    int every = p->runs / 64 + 1, n = 0;
    float less = 0, more = 0;
    for (int i = p->first; i >= 0; i = all->run[i].next) {
        if (n++ % every)
            continue;
        const struct run *r = &all->run[i];
        struct sides across = sides_across(m, r);
        struct sides along = sides_along(m, (r->x0 + r->x1) / 2, r->y);
        less += fmaxf(across.less, along.less) * (float)(r->x1 - r->x0);
        more += fmaxf(across.more, along.more) * (float)(r->x1 - r->x0);
    }
    return more > 0 ? less / more : 0;
}

static bool is_edge(struct sides s)
{
    return s.less < EDGE * s.more;
}

float one_sided(const struct inkmap *m, const struct parts *all, const struct part *p)
{
    int every = p->runs / 64 + 1, n = 0, looked = 0, edges = 0;
    for (int i = p->first; i >= 0; i = all->run[i].next) {
        const struct run *r = &all->run[i];
        if (n++ % every)
            continue;
        looked++;
        edges += is_edge(sides_across(m, r)) || is_edge(sides_along(m, (r->x0 + r->x1) / 2, r->y));
    }
    return looked ? (float)edges / (float)looked : 0;
}

/* What is to be taken out, kept until all has been looked at. */
struct pieces {
    struct piece {
        uint8_t *first;
        int count;
    } *piece;
    int n;
    size_t room;
};

static int keep(struct pieces *p, uint8_t *first, int count, struct err *e)
{
    struct piece *piece = grow(p->piece, (size_t)p->n + 1, &p->room, sizeof *piece, e);
    if (!piece)
        return -1;
    p->piece = piece;
    p->piece[p->n++] = (struct piece){first, count};
    return 0;
}

/* Collect the pieces of a run that have paper on one side only, both across and along. columns: of the
 * picture, kept from run to run, so that no stretch is measured for each of its rows. */
static int look_at_run(struct inkmap *m, const struct run *r, struct column *columns,
                       struct pieces *p, struct err *e)
{
    uint8_t *row = m->ink + (long)r->y * m->width;
    int length = max_int(m->cell / 2, 1);
    if (!is_edge(sides_across(m, r)))
        return 0;
    for (int x = r->x0; x < r->x1; x += length) {
        int end = min_int(x + length, r->x1), middle = (x + end) / 2;
        struct column *c = &columns[middle];
        if (r->y < c->up || r->y >= c->down)
            *c = stretch_along(m, middle, r->y);
        if (is_edge(sides_in_column(m, middle, r->y, *c)) && keep(p, row + x, end - x, e))
            return -1;
    }
    return 0;
}

static int keep_part(struct inkmap *m, const struct parts *all, const struct part *p,
                     struct pieces *pieces, struct err *e)
{
    for (int i = p->first; i >= 0; i = all->run[i].next) {
        const struct run *r = &all->run[i];
        if (keep(pieces, m->ink + (long)r->y * m->width + r->x0, r->x1 - r->x0, e))
            return -1;
    }
    return 0;
}

int edges_erase(struct inkmap *m, const struct parts *all, float least, struct err *e)
{
    struct pieces found = {0};
    struct column *columns = calloc((size_t)m->width, sizeof *columns);
    if (!columns)
        return err_set(e, "out of memory");
    int failed = 0;
    for (int k = 0; k < all->parts && !failed; k++) {
        const struct part *p = &all->part[k];
        if (hypotf((float)box_width(p->box), (float)box_height(p->box)) < least ||
            two_sided(m, all, p) > DOUBTFUL)
            continue;
        int before = found.n;
        for (int i = p->first; i >= 0 && !failed; i = all->run[i].next)
            failed = look_at_run(m, &all->run[i], columns, &found, e);
        long pixels = 0;
        for (int i = before; i < found.n; i++)
            pixels += found.piece[i].count;
        if (!failed && (float)pixels > MOSTLY * (float)p->area) {
            found.n = before;
            failed = keep_part(m, all, p, &found, e);
        }
    }
    for (int i = 0; i < found.n; i++)
        for (int x = 0; x < found.piece[i].count; x++)
            found.piece[i].first[x] &= (uint8_t)~1;
    free(found.piece);
    free(columns);
    return failed ? -1 : found.n;
}
