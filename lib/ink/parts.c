#include "parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

/* Writing has fewer runs than one for so many pixels, and these. */
#define PIXELS_PER_RUN 8
#define FEW_RUNS 1000

#define EIGHT_MARKS 0x0101010101010101u /* the lowest bits of eight bytes, */
/* Times this the eight bits are the highest byte, that of the first byte in memory the lowest bit. */
#define GATHER (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 0x8040201008040201u : 0x0102040810204080u)

/* Room for n runs. */
static int reserve_runs(struct parts *p, size_t n, struct err *e)
{
    struct run *run = grow(p->run, n, &p->run_room, sizeof *run, e);
    if (!run)
        return -1;
    p->run = run;
    int32_t *parent = grow(p->parent, n, &p->parent_room, sizeof *parent, e);
    if (!parent)
        return -1;
    p->parent = parent;
    return 0;
}

static int32_t root(int32_t *parent, int32_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* The smaller index becomes the root, so that a part's root is its first run. */
static void join(int32_t *parent, int32_t a, int32_t b)
{
    a = root(parent, a);
    b = root(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

/* Which of up to 64 pixels are ink: bit i for p[i]. */
static uint64_t marks(const uint8_t *p, int n)
{
    uint64_t of[8] = {0}, any = 0, bits = 0;
    if (n >= 64)
        memcpy(of, p, 64);
    else
        memcpy(of, p, (size_t)n);
    for (int i = 0; i < 8; i++)
        any |= of[i];
    for (int i = 0; i < 8 && any & EIGHT_MARKS; i++)
        bits |= (of[i] & EIGHT_MARKS) * GATHER >> 56 << 8 * i;
    return bits;
}

static void add_run(struct parts *p, int y, int x0, int x1)
{
    p->run[p->runs] = (struct run){y, x0, x1, 0, -1};
    p->parent[p->runs] = p->runs;
    p->runs++;
}

/* Append the runs of one row. */
static int add_row(struct parts *p, const uint8_t *ink, int w, int y, struct err *e)
{
    int start = -1; /* of the run that is open */
    uint64_t last = 0;
    if (reserve_runs(p, (size_t)p->runs + (size_t)w / 2 + 1, e))
        return -1;
    for (int x = 0; x < w; x += 64) {
        uint64_t here = marks(ink + x, w - x), changes = here ^ (here << 1 | last);
        last = here >> 63;
        for (; changes; changes &= changes - 1) {
            int at = x + __builtin_ctzll(changes);
            if (start >= 0)
                add_run(p, y, start, at);
            start = start < 0 ? at : -1;
        }
    }
    if (start >= 0)
        add_run(p, y, start, w);
    return 0;
}

/* Join the runs [b, end) of a row with the touching ones [a, b) of the row above. */
static void join_rows(struct parts *p, int a, int b, int end)
{
    for (int i = a, j = b; i < b && j < end;) {
        const struct run *r = &p->run[i], *s = &p->run[j];
        if (r->x1 >= s->x0 && s->x1 >= r->x0)
            join(p->parent, i, j);
        if (r->x1 < s->x1)
            i++;
        else
            j++;
    }
}

static void add_to_part(struct parts *p, struct part *a, int i, const uint8_t *ink, int w)
{
    struct run *r = &p->run[i];
    const uint8_t *row = ink + (long)r->y * w;
    struct box box = {r->x0, r->y, r->x1, r->y + 1};
    if (a->runs)
        p->run[a->last].next = i;
    else
        *a = (struct part){.box = box, .first = i};
    a->box = box_join(a->box, box);
    a->last = i;
    a->runs++;
    a->area += r->x1 - r->x0;
    for (int x = r->x0; x < r->x1; x++)
        a->weight += row[x];
}

static int collect(struct parts *p, const uint8_t *ink, int w, struct err *e)
{
    p->parts = 0;
    for (int i = 0; i < p->runs; i++)
        p->parts += p->parent[i] == i;
    struct part *part = grow(p->part, (size_t)p->parts, &p->part_room, sizeof *part, e);
    if (!part)
        return -1;
    p->part = part;
    int parts = 0;
    for (int i = 0; i < p->runs; i++) {
        if (p->parent[i] == i) {
            p->part[parts].runs = 0;
            p->run[i].part = parts++;
        } else {
            p->run[i].part = p->run[root(p->parent, i)].part;
        }
        add_to_part(p, &p->part[p->run[i].part], i, ink, w);
    }
    return 0;
}

int parts_find(struct parts *p, const uint8_t *ink, int w, int h, struct err *e)
{
    int above = 0;
    long most = (long)w * h / PIXELS_PER_RUN + FEW_RUNS;
    p->runs = p->parts = 0;
    for (int y = 0; y < h; y++) {
        int row = p->runs;
        if (add_row(p, ink + (long)y * w, w, y, e))
            return -1;
        if (p->runs > most) {
            p->runs = 0;
            return 0;
        }
        join_rows(p, above, row, p->runs);
        above = row;
    }
    return collect(p, ink, w, e);
}

void parts_free(struct parts *p)
{
    free(p->run);
    free(p->part);
    free(p->parent);
    *p = (struct parts){0};
}
