#include "parts.h"

#include <stdlib.h>
#include <string.h>

#define EIGHT_MARKS 0x0101010101010101u /* the lowest bits of eight bytes */

static int more_runs(struct parts *p, struct err *e)
{
    int size = p->run_size ? p->run_size * 2 : 1024;
    struct run *run = realloc(p->run, (size_t)size * sizeof *run);
    if (!run)
        return err_set(e, "out of memory");
    p->run = run;
    int32_t *parent = realloc(p->parent, (size_t)size * sizeof *parent);
    if (!parent)
        return err_set(e, "out of memory");
    p->parent = parent;
    p->run_size = size;
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

/* Append the runs of one row. */
static int add_row(struct parts *p, const uint8_t *ink, int w, int y, struct err *e)
{
    int x = 0;
    while (x < w) {
        uint64_t of[4]; /* eight pixels each */
        while (x + 32 <= w && (memcpy(of, ink + x, 32),
                               ((of[0] | of[1] | of[2] | of[3]) & EIGHT_MARKS) == 0))
            x += 32;
        while (x + 8 <= w && (memcpy(of, ink + x, 8), (of[0] & EIGHT_MARKS) == 0))
            x += 8;
        while (x < w && !(ink[x] & 1))
            x++;
        if (x == w)
            break;
        int start = x;
        while (x + 8 <= w && (memcpy(of, ink + x, 8), (of[0] & EIGHT_MARKS) == EIGHT_MARKS))
            x += 8;
        while (x < w && ink[x] & 1)
            x++;
        if (p->runs == p->run_size && more_runs(p, e))
            return -1;
        p->run[p->runs] = (struct run){y, start, x, 0, -1};
        p->parent[p->runs] = p->runs;
        p->runs++;
    }
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
    if (a->runs)
        p->run[a->last].next = i;
    else
        *a = (struct part){r->x0, r->y, r->x1, r->y + 1, 0, 0, i, i, 0};
    a->last = i;
    a->runs++;
    a->x0 = a->x0 < r->x0 ? a->x0 : r->x0;
    a->x1 = a->x1 > r->x1 ? a->x1 : r->x1;
    a->y1 = r->y + 1;
    a->area += r->x1 - r->x0;
    for (int x = r->x0; x < r->x1; x++)
        a->weight += row[x];
}

static int collect(struct parts *p, const uint8_t *ink, int w, struct err *e)
{
    p->parts = 0;
    for (int i = 0; i < p->runs; i++)
        p->parts += p->parent[i] == i;
    if (p->parts > p->part_size) {
        struct part *part = realloc(p->part, (size_t)p->parts * sizeof *part);
        if (!part)
            return err_set(e, "out of memory");
        p->part = part;
        p->part_size = p->parts;
    }
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

int parts_find(struct parts *p, const uint8_t *ink, int w, int h, int limit, struct err *e)
{
    int above = 0;
    p->runs = p->parts = 0;
    for (int y = 0; y < h; y++) {
        int row = p->runs;
        if (add_row(p, ink + (long)y * w, w, y, e))
            return -1;
        if (p->runs > limit)
            return 1;
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
