#include "mend.h"

#include <stdlib.h>
#include <string.h>

void mend_free(struct mend *s)
{
    parts_free(&s->faint);
    free(s->window);
    *s = (struct mend){0};
}

static int reserve(struct mend *s, size_t size, struct err *e)
{
    if (size <= s->size)
        return 0;
    uint8_t *window = realloc(s->window, size);
    if (!window)
        return err_set(e, "out of memory");
    s->window = window;
    s->size = size;
    return 0;
}

/* The box and its neighbourhood, its longer side's width all around, inside the map. */
static struct part around(const struct inkmap *m, const struct part *box)
{
    int w = box->x1 - box->x0, h = box->y1 - box->y0, margin = (w > h ? w : h) + 2;
    struct part a = {box->x0 - margin, box->y0 - margin, box->x1 + margin, box->y1 + margin,
                     0, 0, 0, 0, 0};
    a.x0 = a.x0 < 0 ? 0 : a.x0;
    a.y0 = a.y0 < 0 ? 0 : a.y0;
    a.x1 = a.x1 > m->width ? m->width : a.x1;
    a.y1 = a.y1 > m->height ? m->height : a.y1;
    return a;
}

/* Pixels of faint part q that are marked as ink in the map, those inside the box alone counted when
 * `box` is given. */
static long marked(const struct mend *s, const struct inkmap *m, const struct part *q,
                   const struct part *window, const struct part *box)
{
    long n = 0;
    for (int i = q->first; i >= 0; i = s->faint.run[i].next) {
        const struct run *r = &s->faint.run[i];
        int y = r->y + window->y0;
        const uint8_t *row = m->ink + (long)y * m->width + window->x0;
        if (box && (y < box->y0 || y >= box->y1))
            continue;
        for (int x = r->x0; x < r->x1; x++)
            n += row[x] & 1 && (!box || (x + window->x0 >= box->x0 && x + window->x0 < box->x1));
    }
    return n;
}

static bool acceptable(const struct mend *s, const struct inkmap *m, const struct part *q,
                       const struct part *window, const struct part *box, float longest,
                       float growth)
{
    int w = q->x1 - q->x0, h = q->y1 - q->y0, ww = window->x1 - window->x0;
    int wh = window->y1 - window->y0;
    if ((float)(w > h ? w : h) > longest || q->x0 == 0 || q->y0 == 0 || q->x1 == ww || q->y1 == wh)
        return false;
    if (marked(s, m, q, window, box) == 0)
        return false;
    long before = marked(s, m, q, window, NULL);
    return q->area > before && (float)q->area < growth * (float)before;
}

static void mark(const struct mend *s, struct inkmap *m, const struct part *q,
                 const struct part *window)
{
    for (int i = q->first; i >= 0; i = s->faint.run[i].next) {
        const struct run *r = &s->faint.run[i];
        uint8_t *row = m->ink + (long)(r->y + window->y0) * m->width + window->x0;
        for (int x = r->x0; x < r->x1; x++)
            row[x] |= 1;
    }
}

int mend(struct mend *s, struct inkmap *m, const struct part *box, int level, float longest,
         float growth, struct err *e)
{
    struct part window = around(m, box);
    int w = window.x1 - window.x0, h = window.y1 - window.y0, changed = 0;
    if (reserve(s, (size_t)w * h, e))
        return -1;
    uint8_t least = (uint8_t)(level < 255 ? level : 255), any = level <= 255;
    for (int y = 0; y < h; y++) {
        const uint8_t *restrict row = m->ink + (long)(y + window.y0) * m->width + window.x0;
        uint8_t *restrict out = s->window + (long)y * w;
        for (int x = 0; x < w; x++)
            out[x] = (uint8_t)((row[x] & 1) | ((row[x] >= least) & any));
    }
    if (parts_find(&s->faint, s->window, w, h, w * h / 8 + 1000, e))
        return -1;
    for (int i = 0; i < s->faint.parts; i++) {
        const struct part *q = &s->faint.part[i];
        if (acceptable(s, m, q, &window, box, longest, growth)) {
            mark(s, m, q, &window);
            changed = 1;
        }
    }
    return changed;
}
