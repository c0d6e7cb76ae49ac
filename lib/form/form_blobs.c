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
    if (grow_to(&b->run, most, &b->run_room, sizeof *b->run, e))
        return -1;
    if (grow_to(&b->parent, most, &b->parent_room, sizeof *b->parent, e))
        return -1;
    for (int x = 0; x < w; x++) {
        int x0 = x;
        while (x < w && row[x])
            x++;
        if (x == x0)
            continue;
        b->parent[b->runs] = b->runs;
        b->run[b->runs++] = (struct stretch){y, x0, x, -1, -1};
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

/* Put run i behind its blob's others, or begin a blob with it. */
static int gather(struct blobs *b, int i, struct err *e)
{
    struct stretch *r = &b->run[i];
    struct box box = {r->x0, r->y, r->x1, r->y + 1};
    int first = root(b->parent, i);
    if (first == i) {
        if (grow_to(&b->blob, (size_t)b->blobs + 1, &b->blob_room, sizeof *b->blob, e))
            return -1;
        r->blob = b->blobs++;
        b->blob[r->blob] = (struct blob){box, r->x1 - r->x0, i, i};
        return 0;
    }
    r->blob = b->run[first].blob;
    struct blob *blob = &b->blob[r->blob];
    b->run[blob->last].next = i;
    blob->last = i;
    blob->area += r->x1 - r->x0;
    blob->box = box_join(blob->box, box);
    return 0;
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
    for (int i = 0; i < b->runs; i++)
        if (gather(b, i, e))
            return -1;
    return 0;
}

void blobs_free(struct blobs *b)
{
    free(b->run);
    free(b->blob);
    free(b->parent);
    *b = (struct blobs){0};
}
