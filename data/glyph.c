/* From frames of writing to depths (glyph.h). A frame is made finer where it is small, by
 * Catmull-Rom splines, and split at half of its brightest level; depths are chamfer distances of 5,
 * 7 and 11 (Borgefors, "Distance transformations in digital images", 1986), smoothed. A glyph is
 * worked out when it is drawn for the first time. */
#include "glyph.h"

#include "stream/stream.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FINE 128 /* pixels of a side of a frame made finer, at most */
#define MAX_GROUPS 16
#define MAX_SHELVES 128

/* The glyphs of a stream with one label, or the letters of a face, by their places in all. */
struct shelf {
    char label[8];
    bool face;
    size_t *at, n, size;
};

struct group {
    struct shelf shelves[MAX_SHELVES];
    int n;
    double often; /* the root of its frames */
};

struct entry {
    uint8_t *gray; /* [side][side], until the glyph is worked out */
    int w, h, line[2];
    struct glyph glyph;
};

struct stock {
    struct group *groups;
    int n;
    struct entry *all;
    size_t count, size;
};

struct stock *stock_new(void)
{
    struct stock *s = calloc(1, sizeof *s);
    struct group *groups = calloc(MAX_GROUPS, sizeof *groups);
    if (!s || !groups)
        abort();
    s->groups = groups;
    return s;
}

void stock_free(struct stock *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->all[i].gray);
        free(s->all[i].glyph.depth);
    }
    for (int g = 0; g < s->n; g++)
        for (int i = 0; i < s->groups[g].n; i++)
            free(s->groups[g].shelves[i].at);
    free(s->groups);
    free(s->all);
    free(s);
}

static void *grown(void *array, size_t n, size_t *size, size_t each)
{
    if (n < *size)
        return array;
    *size = *size ? 2 * *size : 64;
    array = realloc(array, *size * each);
    if (!array)
        abort();
    return array;
}

static struct shelf *find_shelf(struct group *g, const char *label, bool face)
{
    for (int i = 0; i < g->n; i++)
        if (g->shelves[i].face == face && !strcmp(g->shelves[i].label, label))
            return &g->shelves[i];
    return NULL;
}

static int put_on_shelf(struct group *g, const char *label, bool face, size_t at, struct err *e)
{
    struct shelf *shelf = find_shelf(g, label, face);
    if (!shelf) {
        if (g->n == MAX_SHELVES)
            return err_set(e, "more than %d labels and faces", MAX_SHELVES);
        shelf = &g->shelves[g->n++];
        snprintf(shelf->label, sizeof shelf->label, "%s", label);
        shelf->face = face;
    }
    shelf->at = grown(shelf->at, shelf->n, &shelf->size, sizeof *shelf->at);
    shelf->at[shelf->n++] = at;
    return 0;
}

static bool has_ink(const struct frame *f)
{
    int ink = 0;
    for (int i = 0; i < f->width * f->height; i++)
        ink += f->gray[i] > 100;
    return ink > 3;
}

static int add_frame(struct stock *s, struct group *g, const struct frame *f, struct err *e)
{
    char label[8] = "none", face[8] = "", line[16] = "";
    frame_fact(f, "label", label, sizeof label);
    frame_fact(f, "face", face, sizeof face);
    frame_fact(f, "line", line, sizeof line);
    s->all = grown(s->all, s->count, &s->size, sizeof *s->all);
    struct entry *new = &s->all[s->count];
    *new = (struct entry){.w = f->width, .h = f->height};
    memcpy(new->glyph.label, label, sizeof label);
    if (sscanf(line, "%d,%d", &new->line[0], &new->line[1]) != 2)
        new->line[0] = 0, new->line[1] = f->height;
    size_t size = (size_t)f->width * (size_t)f->height;
    new->gray = malloc(size);
    if (!new->gray)
        abort();
    memcpy(new->gray, f->gray, size);
    s->count++;
    bool digit = strspn(label, "0123456789") == 1;
    if (*face && !digit && put_on_shelf(g, face, true, s->count - 1, e) < 0)
        return -1;
    return strcmp(label, "letter") ? put_on_shelf(g, label, false, s->count - 1, e) : 0;
}

int stock_read(struct stock *s, const char *name, struct err *e)
{
    if (s->n == MAX_GROUPS)
        return err_set(e, "more than %d streams", MAX_GROUPS);
    struct frame_reader *reader = frame_open(name, e);
    if (!reader)
        return -1;
    struct group *g = &s->groups[s->n++];
    struct frame f = {0};
    int got;
    size_t before = s->count;
    while ((got = frame_read(reader, &f, e)) == 1) {
        if (f.width > MAX_FINE || f.height > MAX_FINE) {
            got = err_set(e, "%s: frame %lld is larger than %dx%d", name, frame_number(reader, &f),
                          MAX_FINE, MAX_FINE);
            break;
        }
        if (has_ink(&f) && (got = add_frame(s, g, &f, e)) < 0)
            break;
    }
    g->often = sqrt((double)(s->count - before));
    frame_free(&f);
    frame_close(reader);
    return got;
}

#define EDGE (GLYPH_MARGIN + 3) /* points around the ink within which depths are worked out */
#define MAX_WIDE (MAX_FINE + 2 * EDGE)

/* A frame made finer, and what is worked out of it. */
struct fine {
    int w, h; /* of the frame */
    float gray[MAX_FINE][MAX_FINE];
    int left, top, right, bottom; /* of its ink, the last two beyond it */
    int wide, high;               /* of the ink with its edge */
    int in[MAX_WIDE * MAX_WIDE],
        out[MAX_WIDE * MAX_WIDE]; /* distances to ink, to no ink, in fifths */
    float depth[MAX_WIDE * MAX_WIDE];
};

static float cubic(const float p[4], float t)
{
    return p[1] + 0.5f * t *
                      (p[2] - p[0] +
                       t * (2 * p[0] - 5 * p[1] + 4 * p[2] - p[3] +
                            t * (3 * (p[1] - p[2]) + p[3] - p[0])));
}

/* The value at `at` of n values, step apart, that are 0 beyond their ends. */
static float between(const float *v, int n, int step, float at)
{
    int first = (int)floorf(at);
    float p[4];
    for (int k = 0; k < 4; k++) {
        int i = first - 1 + k;
        p[k] = i < 0 || i >= n ? 0 : v[i * step];
    }
    return cubic(p, at - (float)first);
}

static void make_finer(const struct entry *en, struct fine *f)
{
    static float rows[MAX_FINE][MAX_FINE], plain[MAX_FINE * MAX_FINE];
    int times = 84 / (en->w > en->h ? en->w : en->h);
    times = times < 1 ? 1 : times > 3 ? 3 : times;
    f->w = en->w * times, f->h = en->h * times;
    for (int i = 0; i < en->w * en->h; i++)
        plain[i] = en->gray[i] / 255.0f;
    for (int y = 0; y < en->h; y++)
        for (int x = 0; x < f->w; x++)
            rows[y][x] =
                between(plain + y * en->w, en->w, 1, ((float)x + 0.5f) / (float)times - 0.5f);
    for (int y = 0; y < f->h; y++)
        for (int x = 0; x < f->w; x++)
            f->gray[y][x] =
                between(&rows[0][x], en->h, MAX_FINE, ((float)y + 0.5f) / (float)times - 0.5f);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* d [h][w] holds 0 where the distance is 0, else a large number, of which two at each side stay so.
 */
static void chamfer(int *d, int w, int h)
{
    const int to[8] = {-w - 1, -w, -w + 1, -1, -w - 2, -2 * w - 1, -2 * w + 1, -w + 2};
    static const int far[8] = {7, 5, 7, 5, 11, 11, 11, 11};
    for (int back = 0; back < 2; back++)
        for (int i = 2; i < h - 2; i++) {
            int *row = d + (back ? h - 1 - i : i) * w;
            for (int k = 2; k < w - 2; k++) {
                int *at = row + (back ? w - 1 - k : k), near = *at;
                for (int n = 0; n < 8; n++)
                    near = least(near, (back ? at[-to[n]] : at[to[n]]) + far[n]);
                *at = near;
            }
        }
}

static float brightest(const struct fine *f)
{
    float high = 0;
    for (int y = 0; y < f->h; y++)
        for (int x = 0; x < f->w; x++)
            high = f->gray[y][x] > high ? f->gray[y][x] : high;
    return high;
}

static void find_ink(struct fine *f, float level)
{
    f->left = f->w, f->top = f->h, f->right = f->bottom = 0;
    for (int y = 0; y < f->h; y++)
        for (int x = 0; x < f->w; x++) {
            if (f->gray[y][x] <= level)
                continue;
            f->left = least(f->left, x), f->top = least(f->top, y);
            f->right = x >= f->right ? x + 1 : f->right, f->bottom = y + 1;
        }
    f->wide = f->right - f->left + 2 * EDGE, f->high = f->bottom - f->top + 2 * EDGE;
}

static void split(struct fine *f, float level)
{
    for (int y = 0; y < f->high; y++)
        for (int x = 0; x < f->wide; x++) {
            int fx = x - EDGE + f->left, fy = y - EDGE + f->top, at = y * f->wide + x;
            bool inside = fx >= 0 && fy >= 0 && fx < f->w && fy < f->h;
            bool ink = inside && f->gray[fy][fx] > level;
            f->in[at] = ink ? 0 : 1 << 20;
            f->out[at] = ink ? 1 << 20 : 0;
        }
}

/* Depth in points, from the middle of a point to the ink's edge, the mean of a point and its eight
 * neighbours. */
static float smooth_depth(const struct fine *f, const float *at)
{
    const float *up = at - f->wide, *down = at + f->wide;
    return 0.25f * at[0] + 0.125f * (at[-1] + at[1] + up[0] + down[0]) +
           0.0625f * (up[-1] + up[1] + down[-1] + down[1]);
}

static void find_depths(struct fine *f)
{
    float level = 0.5f * brightest(f);
    find_ink(f, level);
    split(f, level);
    chamfer(f->in, f->wide, f->high);
    chamfer(f->out, f->wide, f->high);
    for (int i = 0; i < f->wide * f->high; i++)
        f->depth[i] = f->in[i] ? 0.5f - (float)f->in[i] / 5 : (float)f->out[i] / 5 - 0.5f;
}

static void work_out(struct entry *en)
{
    static struct fine f;
    make_finer(en, &f);
    find_depths(&f);
    struct glyph *g = &en->glyph;
    int skip = EDGE - GLYPH_MARGIN;
    g->w = f.wide - 2 * skip, g->h = f.high - 2 * skip;
    g->depth = malloc((size_t)g->w * (size_t)g->h);
    if (!g->depth)
        abort();
    float sum = 0, ink = 0, most = 127.0f / GLYPH_STEP;
    for (int y = 0; y < g->h; y++)
        for (int x = 0; x < g->w; x++) {
            float d = smooth_depth(&f, f.depth + (y + skip) * f.wide + x + skip);
            d = d < -most ? -most : d > most ? most : d;
            g->depth[y * g->w + x] = (int8_t)lrintf(d * GLYPH_STEP);
            sum += d > 0 ? d : 0, ink += d > 0;
        }
    float times = (float)f.h / (float)en->h;
    g->capital = times * (float)(en->line[1] - en->line[0]);
    g->rise = times * (float)en->line[1] - (float)f.bottom;
    g->half = ink > 0 && sum / ink > 0.35f ? 2 * sum / ink : 0.7f;
    free(en->gray);
    en->gray = NULL;
}

static const struct glyph *take(struct stock *s, const struct shelf *shelf, struct rng *r)
{
    struct entry *en = &s->all[shelf->at[rng_below(r, (uint32_t)shelf->n)]];
    if (en->gray)
        work_out(en);
    return &en->glyph;
}

const struct glyph *stock_draw(struct stock *s, const char *label, struct rng *r)
{
    const struct shelf *shelves[MAX_GROUPS], *chosen = NULL;
    double all = 0, left;
    for (int g = 0; g < s->n; g++) {
        shelves[g] = find_shelf(&s->groups[g], label, false);
        all += shelves[g] ? s->groups[g].often : 0;
    }
    left = all * rng_uniform(r);
    for (int g = 0; g < s->n && (!chosen || left >= 0); g++)
        if (shelves[g]) {
            chosen = shelves[g];
            left -= s->groups[g].often;
        }
    return chosen ? take(s, chosen, r) : NULL;
}

const char *stock_face(struct stock *s, const char *kind, struct rng *r)
{
    const char *faces[MAX_SHELVES];
    uint32_t n = 0;
    for (int g = 0; g < s->n; g++)
        for (int i = 0; i < s->groups[g].n && n < MAX_SHELVES; i++) {
            const struct shelf *shelf = &s->groups[g].shelves[i];
            if (shelf->face && !strncmp(shelf->label, kind, strlen(kind)))
                faces[n++] = shelf->label;
        }
    return n ? faces[rng_below(r, n)] : NULL;
}

const struct glyph *stock_letter(struct stock *s, const char *face, struct rng *r)
{
    for (int g = 0; g < s->n; g++) {
        const struct shelf *shelf = find_shelf(&s->groups[g], face, true);
        if (shelf)
            return take(s, shelf, r);
    }
    return NULL;
}

float glyph_depth(const struct glyph *g, float x, float y)
{
    float right = (float)g->w - 1.001f, foot = (float)g->h - 1.001f;
    float cx = x < 0 ? 0 : x > right ? right : x, cy = y < 0 ? 0 : y > foot ? foot : y;
    int ix = (int)cx, iy = (int)cy;
    float fx = cx - (float)ix, fy = cy - (float)iy;
    const int8_t *a = g->depth + iy * g->w + ix, *b = a + g->w;
    float top = (float)a[0] + fx * (float)(a[1] - a[0]),
          bottom = (float)b[0] + fx * (float)(b[1] - b[0]);
    float beyond = fabsf(x - cx) + fabsf(y - cy);
    return (top + fy * (bottom - top)) / GLYPH_STEP - beyond;
}
