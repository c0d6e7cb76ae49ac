/* The finder, the second step of preproc, after the frame is read.
 *
 * Input: gray pixels. Output: candidates. Each level of the pyramid becomes local contrast
 * (ink_local_contrast); a fully convolutional network makes of that a map of cells, MAP_STRIDE x MAP_STRIDE pixels each,
 * that tells for each cell whether writing is centred in it, of which class, and its box; the maxima of the
 * map are the candidates (CenterNet: Zhou et al., "Objects as points", arXiv 1904.07850).
 *
 * Large levels are run in tiles. A tile has as much around it as the network looks at, so that a cell's
 * value does not depend on where tiles are cut. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "engine/engine.h"
#include "onnx/onnx.h"
#include "steps.h"

/* Each level is continued on all sides by so many pixels: a digit cut off there is still centred on the map. */
#define MARGIN 8
/* A box whose longer side is below this, in pixels, is noise of its level; */
#define MIN_SIZE 8
/* and one above this is seen better on the next level, where a part of a large digit is not taken for a small one; */
#define MAX_SIZE 44
/* on the last level this is the most that the network has learnt. */
#define MAX_LAST_SIZE 64
/* Where all boxes of a level are at least so large, in pixels, and one is a digit so probably, its score times how
 * sure it is, finer ones are left out: several small digits may look like a large one, but not a plain one. */
#define MIN_ENOUGH 20
#define MIN_PLAIN 0.5f
/* No tile is wider or higher than this, in pixels, which bounds the memory of the network's maps. */
#define MAX_TILE 768
/* A picture has at most so many candidates, more than any page has, the surest: what follows takes time by
 * their square. */
#define MAX_CANDIDATES 5000

enum {
    PLANS = 16,         /* sizes of tile at most whose plans are kept, */
    MAX_KEPT = 3 * MAX_TILE * MAX_TILE, /* pixels of all those tiles: more than one picture's levels take */
    MAX_PLACE = 1 << 20 /* pixels: nothing lies so far from a picture's corner, whatever a network says */
};

struct ink_finder {
    struct map_net map;
    int reach;               /* pixels around a cell that its value depends on, a multiple of MAP_STRIDE */
    struct refiner *refiner; /* or NULL */
    struct turner *turner;   /* or NULL */
};

/* The network planned for one size of tile. */
struct plan {
    int width, height;
    struct infer *infer;
    long used; /* when, by search.time */
};

struct search {
    const struct ink_finder *finder;
    struct threads *threads; /* one */
    struct plan plan[PLANS];
    long time;
    struct pyramid pyramid;
    const struct level *level; /* of it, at hand */
    int width, height;       /* of that with its margin, multiples of MAP_STRIDE */
    uint8_t *padded, *contrast; /* [height][width] */
    uint32_t *scratch;
    float *tile, *map;       /* the network's input and output */
    size_t padded_room, contrast_room, scratch_room, tile_room, map_room;
    struct candidate *found;
    int founds;
    size_t found_room;
};

/* ---- The network ---- */

/* How far around a cell the network looks, in pixels; -1 where it has layers that look at the
 * whole, or so far that little of a tile would be left. */
static int reach_of(const struct net *net)
{
    long reach = 0, apart = 1; /* pixels between neighbouring values of a layer */
    for (int i = 1; i < net->layers; i++) {
        const struct layer *l = &net->layer[i];
        if (l->op == OP_DENSE || l->op == OP_GLOBALPOOL || l->op == OP_RESHAPE)
            return -1;
        if (l->op != OP_CONV && l->op != OP_MAXPOOL && l->op != OP_AVGPOOL)
            continue;
        int above = max_int(l->pad_top, (l->r - 1) * l->dilation_h - l->pad_top);
        int beside = max_int(l->pad_left, (l->s - 1) * l->dilation_w - l->pad_left);
        reach += apart * max_int(above, beside);
        apart *= max_int(l->stride_h, l->stride_w);
        if (reach > MAX_TILE / 4 || apart > MAP_STRIDE)
            return -1;
    }
    return (int)(reach + MAP_STRIDE - 1) / MAP_STRIDE * MAP_STRIDE;
}

static int check_net(struct ink_finder *f, struct err *e)
{
    f->reach = reach_of(f->map.net);
    if (f->reach < 0)
        return err_set(e, "not a finder: it does not look at each part of a picture alike");
    struct net *tried = map_net_for(&f->map, MAX_TILE, MAX_TILE, e);
    net_free(tried);
    return tried ? 0 : -1;
}

void ink_file_beside(const char *finder, enum ink_beside which, char *file, size_t size)
{
    const char *slash = strrchr(finder, '/');
    snprintf(file, size, "%.*s%s", slash ? (int)(slash + 1 - finder) : 0, finder,
             which == INK_REFINER ? "refine.onnx" : "turn.onnx");
}

/* Load what lies beside the finder. */
static int load_beside(struct ink_finder *f, const char *finder, struct err *e)
{
    char file[PATH_MAX];
    ink_file_beside(finder, INK_TURNER, file, sizeof file);
    if (!access(file, F_OK) && !(f->turner = turner_load(file, e)))
        return -1;
    ink_file_beside(finder, INK_REFINER, file, sizeof file);
    return !access(file, F_OK) && !(f->refiner = refiner_load(file, e)) ? -1 : 0;
}

const struct turner *ink_finder_turner(const struct ink_finder *f)
{
    return f->turner;
}

const struct refiner *ink_finder_refiner(const struct ink_finder *f)
{
    return f->refiner;
}

struct ink_finder *ink_finder_load(const char *file, struct err *e)
{
    struct ink_finder *f = calloc(1, sizeof *f);
    if (!f) {
        err_set(e, "out of memory");
        return NULL;
    }
    if (map_net_load(&f->map, file, e) || check_net(f, e))
        err_at(e, file, -1);
    else if (!load_beside(f, file, e))
        return f;
    ink_finder_free(f);
    return NULL;
}

void ink_finder_free(struct ink_finder *f)
{
    if (!f)
        return;
    map_net_free(&f->map);
    turner_free(f->turner);
    refiner_free(f->refiner);
    free(f);
}

/* ---- The search ---- */

struct search *search_new(const struct ink_finder *finder, struct err *e)
{
    struct search *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(e, "out of memory");
        return NULL;
    }
    s->finder = finder;
    s->threads = threads_new(1, e);
    if (s->threads)
        return s;
    search_free(s);
    return NULL;
}

void search_free(struct search *s)
{
    if (!s)
        return;
    for (int i = 0; i < PLANS; i++)
        infer_free(s->plan[i].infer);
    threads_free(s->threads);
    pyramid_free(&s->pyramid);
    free(s->padded);
    free(s->contrast);
    free(s->scratch);
    free(s->tile);
    free(s->map);
    free(s->found);
    free(s);
}

/* Drop the plan not used for the longest time, if there is one. Returns its place. */
static struct plan *drop_oldest(struct search *s)
{
    struct plan *oldest = s->plan;
    for (struct plan *p = s->plan; p < s->plan + PLANS; p++)
        if (p->infer && (!oldest->infer || p->used < oldest->used))
            oldest = p;
    infer_free(oldest->infer);
    *oldest = (struct plan){0};
    return oldest;
}

static long kept_pixels(const struct search *s)
{
    long sum = 0;
    for (int i = 0; i < PLANS; i++)
        sum += (long)s->plan[i].width * s->plan[i].height;
    return sum;
}

/* A free place for the plan of so many pixels: the memory of plans goes with their pixels. */
static struct plan *place_for_plan(struct search *s, long pixels)
{
    while (kept_pixels(s) > 0 && kept_pixels(s) + pixels > MAX_KEPT)
        drop_oldest(s);
    for (struct plan *p = s->plan; p < s->plan + PLANS; p++)
        if (!p->infer)
            return p;
    return drop_oldest(s);
}

/* The plan for a size of tile, which is made unless it is there. */
static struct infer *plan_for(struct search *s, int width, int height, struct err *e)
{
    for (struct plan *p = s->plan; p < s->plan + PLANS; p++)
        if (p->infer && p->width == width && p->height == height) {
            p->used = ++s->time;
            return p->infer;
        }
    struct plan *p = place_for_plan(s, (long)width * height);
    struct net *net = map_net_for(&s->finder->map, width, height, e);
    struct infer *infer = net ? infer_new(net, 1, s->threads, kernel_best(), e) : NULL;
    net_free(net);
    if (infer)
        *p = (struct plan){width, height, infer, ++s->time};
    return infer;
}

/* Continue the level by its outermost pixels on all sides. */
static int pad(struct search *s, struct err *e)
{
    const struct level *l = s->level;
    s->width = (l->width + 2 * MARGIN + MAP_STRIDE - 1) / MAP_STRIDE * MAP_STRIDE;
    s->height = (l->height + 2 * MARGIN + MAP_STRIDE - 1) / MAP_STRIDE * MAP_STRIDE;
    size_t n = (size_t)s->width * (size_t)s->height;
    if (grow_to(&s->padded, n, &s->padded_room, 1, e) || grow_to(&s->contrast, n, &s->contrast_room, 1, e) ||
        grow_to(&s->scratch, CONTRAST_SCRATCH(s->width), &s->scratch_room, sizeof *s->scratch, e))
        return -1;
    for (int y = 0; y < s->height; y++) {
        const uint8_t *row = l->gray + (size_t)min_int(max_int(y - MARGIN, 0), l->height - 1) * l->width;
        uint8_t *out = s->padded + (size_t)y * s->width;
        memset(out, row[0], MARGIN);
        memcpy(out + MARGIN, row, (size_t)l->width);
        memset(out + MARGIN + l->width, row[l->width - 1], (size_t)(s->width - l->width - MARGIN));
    }
    return 0;
}

/* A line of the level cut into tiles: their size and how far they are apart. */
struct cuts {
    int size, step, count;
};

static struct cuts cut_line(int length, int reach)
{
    if (length <= MAX_TILE)
        return (struct cuts){length, length, 1};
    int inner = length - 2 * reach, most = MAX_TILE - 2 * reach, count = (inner + most - 1) / most;
    int step = (inner + count * MAP_STRIDE - 1) / (count * MAP_STRIDE) * MAP_STRIDE;
    return (struct cuts){step + 2 * reach, step, count};
}

/* Where tile i begins. The last one ends where the line does. */
static int tile_start(const struct cuts *c, int i, int length)
{
    return min_int(i * c->step, length - c->size);
}

/* The cells of a tile that are its own: the others are another's, or outside of the level. */
static struct box own_cells(const struct search *s, struct box tile)
{
    int reach = s->finder->reach;
    struct box own = {tile.x0 ? tile.x0 + reach : 0, tile.y0 ? tile.y0 + reach : 0,
                      tile.x1 < s->width ? tile.x1 - reach : tile.x1,
                      tile.y1 < s->height ? tile.y1 - reach : tile.y1};
    return (struct box){(own.x0 - tile.x0) / MAP_STRIDE, (own.y0 - tile.y0) / MAP_STRIDE,
                        (own.x1 - tile.x0) / MAP_STRIDE, (own.y1 - tile.y0) / MAP_STRIDE};
}

/* Is no neighbour of the cell greater? */
static bool is_peak(const float *map, int w, int h, int x, int y)
{
    float here = map[(long)y * w + x];
    for (int j = max_int(y - 1, 0); j <= min_int(y + 1, h - 1); j++)
        for (int i = max_int(x - 1, 0); i <= min_int(x + 1, w - 1); i++)
            if (map[(long)j * w + i] > here)
                return false;
    return true;
}

/* The candidate centred in cell x, y of a tile, in the picture. */
static struct candidate candidate_at(const struct search *s, struct box tile, int x, int y)
{
    int width = box_width(tile) / MAP_STRIDE, height = box_height(tile) / MAP_STRIDE;
    struct candidate c = map_candidate(&s->finder->map, s->map, width, height, x, y);
    float scale = (float)s->level->scale;
    c.x = (c.x + (float)(tile.x0 - MARGIN)) * scale;
    c.y = (c.y + (float)(tile.y0 - MARGIN)) * scale;
    c.w *= scale;
    c.h *= scale;
    return c;
}

static int take_peaks(struct search *s, struct box tile, float least, struct err *e)
{
    int w = box_width(tile) / MAP_STRIDE, h = box_height(tile) / MAP_STRIDE;
    float most = s->level == &s->pyramid.level[s->pyramid.levels - 1] ? MAX_LAST_SIZE : MAX_SIZE;
    struct box own = own_cells(s, tile);
    for (int y = own.y0; y < own.y1; y++)
        for (int x = own.x0; x < own.x1; x++) {
            long cell = (long)y * w + x;
            if (!(s->map[cell] >= least) || !is_peak(s->map, w, h, x, y))
                continue;
            struct candidate c = candidate_at(s, tile, x, y);
            float size = fmaxf(c.w, c.h) / (float)s->level->scale;
            bool fits = size <= most && (size >= MIN_SIZE || ink_sign(c.class));
            if (!(fits && fabsf(c.x) < MAX_PLACE && fabsf(c.y) < MAX_PLACE))
                continue;
            if (grow_to(&s->found, (size_t)s->founds + 1, &s->found_room, sizeof *s->found, e))
                return -1;
            s->found[s->founds++] = c;
        }
    return 0;
}

static int run_tile(struct search *s, struct box tile, float least, struct err *e)
{
    const struct ink_finder *f = s->finder;
    int w = box_width(tile), h = box_height(tile);
    struct infer *plan = plan_for(s, w, h, e);
    if (!plan || grow_to(&s->tile, (size_t)w * (size_t)h, &s->tile_room, sizeof *s->tile, e) ||
        grow_to(&s->map, map_values(&f->map, w, h), &s->map_room, sizeof *s->map, e))
        return -1;
    for (int y = 0; y < h; y++) {
        const uint8_t *row = s->contrast + (size_t)(tile.y0 + y) * s->width + tile.x0;
        for (int x = 0; x < w; x++)
            s->tile[(size_t)y * w + x] = f->map.input[row[x]];
    }
    infer_run(plan, s->tile, 1, s->map);
    return take_peaks(s, tile, least, e);
}

static int search_level(struct search *s, float least, struct err *e)
{
    if (pad(s, e))
        return -1;
    ink_local_contrast(s->padded, s->width, s->height, s->contrast, s->scratch);
    struct cuts across = cut_line(s->width, s->finder->reach);
    struct cuts down = cut_line(s->height, s->finder->reach);
    for (int j = 0; j < down.count; j++)
        for (int i = 0; i < across.count; i++) {
            int x = tile_start(&across, i, s->width), y = tile_start(&down, j, s->height);
            if (run_tile(s, (struct box){x, y, x + across.size, y + down.size}, least, e))
                return -1;
        }
    return 0;
}

/* Is all that was found on a level, from candidate `first` on, so large that there is nothing to be seen on a finer
 * one? Those levels take most of the time, and their noise is what is most often taken for writing. */
static bool is_enough(const struct search *s, int first)
{
    float least = INFINITY;
    bool plain = false;
    for (int i = first; i < s->founds; i++)
        if (s->found[i].score >= MIN_SCORE && !ink_sign(s->found[i].class)) {
            least = fminf(least, fmaxf(s->found[i].w, s->found[i].h) / (float)s->level->scale);
            plain |= s->found[i].class < INK_SIGN && s->found[i].score * s->found[i].sure >= MIN_PLAIN;
        }
    return plain && least >= MIN_ENOUGH;
}

const struct pyramid *search_pyramid(const struct search *s)
{
    return &s->pyramid;
}

static int compare_scores(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

int search_run(struct search *s, const struct source *picture, int side, float least, struct candidate **found,
               struct err *e)
{
    float logit = logf(least / (1 - least));
    s->founds = 0;
    if (pyramid_make(&s->pyramid, picture, side, e))
        return -1;
    for (int i = s->pyramid.levels - 1, before = 0; i >= 0 && !is_enough(s, before); i--) {
        before = s->founds;
        s->level = &s->pyramid.level[i];
        if (search_level(s, logit, e))
            return -1;
    }
    *found = s->found;
    if (s->founds > MAX_CANDIDATES)
        qsort(s->found, (size_t)s->founds, sizeof *s->found, compare_scores);
    return min_int(s->founds, MAX_CANDIDATES);
}
