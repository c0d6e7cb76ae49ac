#include "mend.h"

#include <stdlib.h>

#include "base/grow.h"

void mend_free(struct mend *s)
{
    parts_free(&s->faint);
    free(s->ink);
    *s = (struct mend){0};
}

/* Pixels of faint part q that are marked as ink in the map, within a box there. */
static long marked(const struct mend *s, const struct inkmap *m, const struct part *q, struct box within)
{
    long n = 0;
    for (int i = q->first; i >= 0; i = s->faint.run[i].next) {
        const struct run *r = &s->faint.run[i];
        int y = r->y + s->near.y0;
        const uint8_t *row = m->ink + (long)y * m->width;
        int x1 = min_int(r->x1 + s->near.x0, within.x1);
        if (y < within.y0 || y >= within.y1)
            continue;
        for (int x = max_int(r->x0 + s->near.x0, within.x0); x < x1; x++)
            n += row[x] & 1;
    }
    return n;
}

static bool is_acceptable(const struct mend *s, const struct inkmap *m, const struct part *q,
                          struct box box, float longest, float growth)
{
    struct box all = {0, 0, box_width(s->near), box_height(s->near)};
    if ((float)box_longer(q->box) > longest || !box_inside(q->box, all, 0) ||
        marked(s, m, q, box) == 0)
        return false;
    long before = marked(s, m, q, s->near);
    return q->area > before && (float)q->area < growth * (float)before;
}

static void mark(const struct mend *s, struct inkmap *m, const struct part *q)
{
    for (int i = q->first; i >= 0; i = s->faint.run[i].next) {
        const struct run *r = &s->faint.run[i];
        uint8_t *row = m->ink + (long)(r->y + s->near.y0) * m->width + s->near.x0;
        for (int x = r->x0; x < r->x1; x++)
            row[x] |= 1;
    }
}

/* Find the faint parts of the neighbourhood. */
static int find_faint(struct mend *s, const struct inkmap *m, int level, struct err *e)
{
    int w = box_width(s->near), h = box_height(s->near);
    uint8_t *ink = grow(s->ink, (size_t)w * h, &s->room, 1, e);
    if (!ink)
        return -1;
    s->ink = ink;
    uint8_t least = (uint8_t)min_int(level, 255), any = level <= 255;
    for (int y = 0; y < h; y++) {
        const uint8_t *restrict row = m->ink + (long)(y + s->near.y0) * m->width + s->near.x0;
        uint8_t *restrict out = ink + (long)y * w;
        for (int x = 0; x < w; x++)
            out[x] = (uint8_t)((row[x] & 1) | ((row[x] >= least) & any));
    }
    return parts_find(&s->faint, ink, w, h, e);
}

int mend(struct mend *s, struct inkmap *m, struct box box, int level, float longest, float growth,
         struct err *e)
{
    int changed = 0;
    s->near = box_widen(box, box_longer(box) + 2, m->width, m->height);
    if (find_faint(s, m, level, e))
        return -1;
    for (int i = 0; i < s->faint.parts; i++) {
        const struct part *q = &s->faint.part[i];
        if (is_acceptable(s, m, q, box, longest, growth)) {
            mark(s, m, q);
            changed = 1;
        }
    }
    return changed;
}
