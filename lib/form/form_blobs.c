/* Connected components (Rosenfeld and Pfaltz, 1966), of runs of pixels instead of pixels. */
#include "form_blobs.h"

#include <stdlib.h>

#include "base/grow.h"

static int root(int *parent, int i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* The first run of a blob is its root. */
static void join(int *parent, int a, int b)
{
    a = root(parent, a);
    b = root(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

static int add_runs(struct blobs *b, const uint8_t *row, int w, int y, struct err *e)
{
    size_t most = (size_t)b->runs + (size_t)w / 2 + 1;
    struct stretch *run = grow(b->run, most, &b->run_room, sizeof *run, e);
    if (!run)
        return -1;
    b->run = run;
    int *parent = grow(b->parent, most, &b->parent_room, sizeof *parent, e);
    if (!parent)
        return -1;
    b->parent = parent;
    for (int x = 0; x < w; x++) {
        int x0 = x;
        while (x < w && row[x])
            x++;
        if (x == x0)
            continue;
        parent[b->runs] = b->runs;
        run[b->runs++] = (struct stretch){y, x0, x, -1};
    }
    return 0;
}

/* Join runs [middle, end) of a row with those of the row above, [begin, middle), that they touch. */
static void join_rows(struct blobs *b, int begin, int middle, int end)
{
    for (int i = begin, k = middle; i < middle && k < end;) {
        if (b->run[i].x1 >= b->run[k].x0 && b->run[k].x1 >= b->run[i].x0)
            join(b->parent, i, k);
        if (b->run[i].x1 < b->run[k].x1)
            i++;
        else
            k++;
    }
}

static int gather(struct blobs *b, struct err *e)
{
    for (int i = 0; i < b->runs; i++) {
        const struct stretch *r = &b->run[i];
        int of = root(b->parent, i);
        if (of == i) {
            struct blob *blob = grow(b->blob, (size_t)b->blobs + 1, &b->blob_room, sizeof *blob, e);
            if (!blob)
                return -1;
            b->blob = blob;
            blob[b->blobs++] = (struct blob){{r->x0, r->y, r->x1, r->y + 1}, 0, i, i};
        }
    }
    return 0;
}

/* The blob whose first run is `first`; blobs are in the order of their first runs. */
static struct blob *find(struct blobs *b, int first)
{
    int low = 0, high = b->blobs - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (b->blob[middle].first < first)
            low = middle + 1;
        else
            high = middle;
    }
    return &b->blob[low];
}

int blobs_find(struct blobs *b, const uint8_t *mask, int w, int h, struct err *e)
{
    int begin = 0;
    b->runs = b->blobs = 0;
    for (int y = 0; y < h; y++) {
        int middle = b->runs;
        if (add_runs(b, mask + (long)y * w, w, y, e))
            return -1;
        join_rows(b, begin, middle, b->runs);
        begin = middle;
    }
    if (gather(b, e))
        return -1;
    for (int i = 0; i < b->runs; i++) {
        const struct stretch *r = &b->run[i];
        struct blob *blob = find(b, root(b->parent, i));
        if (blob->last != i)
            b->run[blob->last].next = i;
        blob->last = i;
        blob->area += r->x1 - r->x0;
        blob->box = box_join(blob->box, (struct box){r->x0, r->y, r->x1, r->y + 1});
    }
    return 0;
}

void blobs_free(struct blobs *b)
{
    free(b->run);
    free(b->blob);
    free(b->parent);
    *b = (struct blobs){0};
}
