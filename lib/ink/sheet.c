#include "sheet.h"

#include <stdlib.h>
#include <string.h>

#define EVEN 0.06f   /* of its brightness, and */
#define PLAY 3       /* levels: what neighbouring cells of a sheet differ by at most */
#define FLAT 0.05f   /* less than the mean of its lighter half is a cell's mean */
#define LEAST 0.03f  /* of the picture is a sheet at least, */
#define MOST 0.92f   /* and at most, or it is the picture */
#define SOLID 0.88f  /* of its convex hull is the sheet */
#define OWN 0.5f     /* of what lies within its outline is paper */

void sheets_free(struct sheets *s)
{
    free(s->label);
    free(s->face);
    free(s->stack);
    free(s->part);
    *s = (struct sheets){0};
}

static int reserve(struct sheets *s, size_t size, struct err *e)
{
    if (size <= s->size)
        return 0;
    sheets_free(s);
    s->label = malloc(size);
    s->face = malloc(size);
    s->stack = malloc(size * sizeof *s->stack);
    s->part = malloc(size * sizeof *s->part);
    if (!s->label || !s->face || !s->stack || !s->part)
        return err_set(e, "out of memory");
    s->size = size;
    return 0;
}

/* The neighbours of cell c above, below, left and right, inside the grid. */
static int neighbours(const struct sheets *s, int c, int *to)
{
    int n = 0, x = c % s->gw;
    if (c >= s->gw)
        to[n++] = c - s->gw;
    if (c < s->gw * (s->gh - 1))
        to[n++] = c + s->gw;
    if (x > 0)
        to[n++] = c - 1;
    if (x + 1 < s->gw)
        to[n++] = c + 1;
    return n;
}

static bool even(const struct sheets *s, int a, int b)
{
    int d = abs(s->face[a] - s->face[b]), more = max_int(s->face[a], s->face[b]);
    return (float)d <= EVEN * (float)more + PLAY;
}

/* Is cell c paper without much ink, and no texture? Its mean is then nearly that of its lighter half. */
static bool flat(const struct inkmap *m, int c)
{
    return (float)(m->paper[c] - m->mean[c]) <= FLAT * (float)m->paper[c] + 1;
}

/* Label what is even and hangs together with cell `from`. Returns how many cells. */
static int grow(struct sheets *s, int from, int id)
{
    int n = 0, area = 0, to[4];
    s->part[from] = id;
    s->stack[n++] = from;
    while (n > 0) {
        int c = s->stack[--n], k = neighbours(s, c, to);
        area++;
        while (k-- > 0)
            if (!s->part[to[k]] && even(s, c, to[k])) {
                s->part[to[k]] = id;
                s->stack[n++] = to[k];
            }
    }
    return area;
}

/* Fill `outside` with what can be reached from the rim of the picture without touching part `id`.
 * Returns how many cells cannot: all within the part's outline. */
static int outline(const struct sheets *s, int id, uint8_t *outside)
{
    int n = 0, cells = s->gw * s->gh, within = cells, to[4];
    memset(outside, 0, (size_t)cells);
    for (int c = 0; c < cells; c++) {
        int x = c % s->gw, y = c / s->gw;
        bool rim = x == 0 || y == 0 || x == s->gw - 1 || y == s->gh - 1;
        if (rim && s->part[c] != id) {
            outside[c] = 1;
            s->stack[n++] = c;
        }
    }
    while (n > 0) {
        int k = neighbours(s, s->stack[--n], to);
        within--;
        while (k-- > 0)
            if (!outside[to[k]] && s->part[to[k]] != id) {
                outside[to[k]] = 1;
                s->stack[n++] = to[k];
            }
    }
    return within;
}

/* Twice the area of the triangle a, b, c. */
static long bend(const int *a, const int *b, const int *c)
{
    return (long)(b[0] - a[0]) * (c[1] - a[1]) - (long)(b[1] - a[1]) * (c[0] - a[0]);
}

/* The left (side 0) or right side of the convex hull of what is not outside, from the top down, as
 * corners of cells. Returns the area between it and the picture's left side. */
static float hull_side(const struct sheets *s, const uint8_t *outside, int side)
{
    int n = 0, *point = s->stack; /* its room: twice as many numbers as corners, two a row */
    float area = 0;
    for (int y = 0; y < s->gh; y++) {
        const uint8_t *row = outside + (long)y * s->gw;
        int x = side ? s->gw - 1 : 0;
        while (x >= 0 && x < s->gw && row[x])
            x += side ? -1 : 1;
        if (x < 0 || x == s->gw)
            continue;
        for (int down = 0; down < 2; down++) {
            int p[2] = {x + side, y + down};
            while (n > 1 && (side ? -1 : 1) * bend(point + 2 * n - 4, point + 2 * n - 2, p) >= 0)
                n--;
            point[2 * n] = p[0];
            point[2 * n++ + 1] = p[1];
        }
    }
    for (int i = 0; i + 1 < n; i++)
        area += (float)(point[2 * i] + point[2 * i + 2]) / 2 *
                (float)(point[2 * i + 3] - point[2 * i + 1]);
    return area;
}

/* Are all the cells around (x, y) that are inside the picture within the outline? */
static bool inner(const struct sheets *s, const uint8_t *outside, int x, int y)
{
    for (int j = y - 1; j <= y + 1; j++)
        for (int i = x - 1; i <= x + 1; i++)
            if (i >= 0 && j >= 0 && i < s->gw && j < s->gh && outside[j * s->gw + i])
                return false;
    return true;
}

/* The sheet without its rim, whose cells may show what it lies on. */
static void mark(struct sheets *s, int i, const uint8_t *outside)
{
    struct box *b = &s->sheet[i].box;
    for (int y = 0; y < s->gh; y++)
        for (int x = 0; x < s->gw; x++) {
            if (!inner(s, outside, x, y))
                continue;
            s->label[y * s->gw + x] |= (uint8_t)(1 << i);
            *b = box_join(*b, (struct box){x, y, x + 1, y + 1});
        }
}

/* Is part `id`, of that area, a sheet? *within: the cells in its outline. */
static bool is_sheet(const struct sheets *s, int id, int area, uint8_t *outside, int *within)
{
    int cells = s->gw * s->gh;
    if ((float)area < LEAST * (float)cells)
        return false;
    *within = outline(s, id, outside);
    if ((float)*within > MOST * (float)cells || (float)area < OWN * (float)*within)
        return false;
    float hull = hull_side(s, outside, 1) - hull_side(s, outside, 0);
    return (float)*within >= SOLID * hull;
}

/* Put a sheet among the largest so far, the largest first. */
static void keep_sheet(struct sheets *s, int part, int cells)
{
    int i = s->n < SHEETS ? s->n++ : SHEETS;
    for (; i > 0 && s->sheet[i - 1].cells < cells; i--)
        if (i < SHEETS)
            s->sheet[i] = s->sheet[i - 1];
    if (i < SHEETS)
        s->sheet[i] = (struct sheet){BOX_NONE, part, cells};
}

/* Take m's grid over, with room for all that is done on it. */
static int begin(struct sheets *s, struct inkmap *m, struct err *e)
{
    size_t cells = (size_t)m->gw * m->gh;
    s->n = 0;
    if (reserve(s, cells + 4 * (size_t)m->gh + 4, e)) /* 4 numbers a row: hull_side's */
        return -1;
    s->gw = m->gw;
    s->gh = m->gh;
    s->cell = m->cell;
    s->reduce = m->reduce;
    inkmap_faces(m);
    memcpy(s->face, m->paper, cells);
    memset(s->label, 0, cells);
    for (size_t c = 0; c < cells; c++)
        s->part[c] = flat(m, (int)c) ? 0 : -1;
    return 0;
}

int sheets_find(struct sheets *s, struct inkmap *m, struct err *e)
{
    int cells = m->gw * m->gh, within, found;
    if (begin(s, m, e))
        return -1;
    for (int c = 0, id = 1; c < cells; c++) {
        if (s->part[c])
            continue;
        int area = grow(s, c, id);
        if (is_sheet(s, id, area, m->scratch, &within))
            keep_sheet(s, id, within);
        id++;
    }
    found = s->n;
    s->n = 0;
    for (int i = 0; i < found; i++) {
        s->sheet[s->n] = s->sheet[i];
        outline(s, s->sheet[s->n].part, m->scratch);
        mark(s, s->n, m->scratch);
        s->n += s->sheet[s->n].box.x1 > 0; /* what is all rim is none */
    }
    return 0;
}

/* The cell of row y nearest to x that is of the sheet; -1 when there is none. */
static int nearest(const struct sheets *s, int i, int x, int y)
{
    for (int d = 0; d < s->gw; d++) {
        if (x - d >= 0 && s->label[y * s->gw + x - d] & 1 << i)
            return y * s->gw + x - d;
        if (x + d < s->gw && s->label[y * s->gw + x + d] & 1 << i)
            return y * s->gw + x + d;
    }
    return -1;
}

/* Go through the cells of the box of sheet i that are not of it. paint: cover them with the paper
 * nearest to them; or take away their ink. */
static void treat_rest(const struct sheets *s, int i, struct inkmap *m, bool paint)
{
    struct box b = s->sheet[i].box;
    int gw = box_width(b), gh = box_height(b);
    for (int cy = 0; cy < gh; cy++)
        for (int cx = 0; cx < gw; cx++) {
            int x0 = cx * m->width / gw, x1 = (cx + 1) * m->width / gw;
            int y0 = cy * m->height / gh, y1 = (cy + 1) * m->height / gh;
            int near = nearest(s, i, b.x0 + cx, b.y0 + cy);
            if (near < 0 || near == (b.y0 + cy) * s->gw + b.x0 + cx)
                continue;
            for (int y = y0; y < y1; y++)
                memset((paint ? m->gray : m->ink) + (long)y * m->width + x0,
                       paint ? s->face[near] : 0, (size_t)(x1 - x0));
        }
}

void sheets_cover(const struct sheets *s, int i, struct inkmap *m)
{
    treat_rest(s, i, m, true);
}

void sheets_wipe(const struct sheets *s, int i, struct inkmap *m)
{
    treat_rest(s, i, m, false);
}
