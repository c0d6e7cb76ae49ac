/* A picture of what the finder saw. */
#include "ink_steps.h"

#include <string.h>

#include "base/box.h"

#define PIXELS_PER_LINE 300 /* of the frame's shorter side: lines are one pixel wider for each so many */

struct sight {
    uint8_t *rgb; /* [height][width][3] */
    int width, height, thick;
};

static void fill(const struct sight *s, struct box b, const uint8_t *colour)
{
    for (int y = max_int(b.y0, 0); y < min_int(b.y1, s->height); y++)
        for (int x = max_int(b.x0, 0); x < min_int(b.x1, s->width); x++)
            memcpy(s->rgb + 3 * ((size_t)y * s->width + x), colour, 3);
}

static void outline(const struct sight *s, const struct ink_candidate *c, int x, int y)
{
    int t = s->thick, lit = 80 + (int)(c->score * 175);
    int channel = c->class < INK_SIGN ? 1 : ink_sign(c->class) ? 2 : 0;
    uint8_t colour[3] = {0, 0, 0};
    colour[channel] = (uint8_t)lit;
    struct box b = {x + (int)c->x, y + (int)c->y, x + (int)(c->x + c->w), y + (int)(c->y + c->h)};
    fill(s, (struct box){b.x0 - t, b.y0 - t, b.x1 + t, b.y0}, colour);
    fill(s, (struct box){b.x0 - t, b.y1, b.x1 + t, b.y1 + t}, colour);
    fill(s, (struct box){b.x0 - t, b.y0, b.x0, b.y1}, colour);
    fill(s, (struct box){b.x1, b.y0, b.x1 + t, b.y1}, colour);
}

void ink_draw_sight(const struct ink *k, int x, int y, uint8_t *rgb, int width, int height)
{
    int n;
    const struct ink_candidate *c = ink_candidates(k, &n);
    struct sight s = {rgb, width, height, 1 + min_int(width, height) / PIXELS_PER_LINE};
    for (int i = 0; i < n; i++)
        outline(&s, &c[i], x, y);
}
