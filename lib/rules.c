#include "rules.h"

#include <math.h>
#include <stdlib.h>

#define MAX_LINES 256
#define MIN_SIDE 96      /* smaller pictures are not looked at */
#define GRID 4           /* lines that a line crosses in a grid */
#define LONG 0.25f       /* of the picture's length: what may be a line */
#define COVERED 0.85f    /* of a line's length has to be there, where nothing crosses it */
#define STEEPEST 0.35f
#define FEW 8            /* lines and more are a form's: no soft ones are sought then */
#define PLAY 4           /* pixels that the following of a line may be off */
#define STROKES 32       /* so many that are no lines are remembered, */
#define TRIES 2          /* and followed so often at most */
#define SOON 40          /* pixels along, where a line is not followed further of which less than */
#define SPARSE 0.7f      /* is there */
#define SURELY 16        /* pixels along, and its thickness is known */
#define THICKER 1.6f     /* times as thick, and a pixel more: something crosses the line */
#define APART 8          /* pixels between lines that count each */
#define SIDE 0.55f       /* of a box's side is there */
#define ALONG 0.75f      /* of its length may be the side of a box, and */
#define SIDES 3          /* are there at least, one less at the picture's edge */
#define RIM 0.15f        /* of a box is near its sides */
#define BOX_THICKEST 14  /* times as long as its lines are thick is a box at least */
#define CELL_THICKEST 10 /* the same for a form's box */
#define STRAIGHT 0.07f   /* of its side are its lines off, */
#define LINED 0.65f      /* where nothing touches them */
#define RUNS 16          /* longer runs are counted as one */
#define DARKER 1.7f      /* ink this much darker than the line is a stroke along it */

/* The picture seen along lines: `along` counts in their direction, `across` from line to line. */
struct view {
    uint8_t *ink;
    long step_along, step_across;
    int along, across;
    int thickest; /* a line is at most so thick */
    int level;    /* contrast from which a pixel may belong to a line */
    bool soft;    /* lines with soft edges are sought: folds, and what is out of focus */
    bool form;    /* a form's, which strokes may touch in every cell */
};

#define SEEDS 24 /* places along a view at which lines are looked for */

struct line {
    float course[SEEDS]; /* across, at these places, where it was followed */
    int seed_along, seed_across;
    float from, to;       /* along */
    float from_y, to_y;   /* across, at these */
    int covered, crossed; /* pixels along at which it was there, at which thicker ink was */
    float thick, contrast; /* mean */
    double thick_squares, contrast_squares; /* sums over covered pixels */
    double sa, sy, saa, say, syy; /* sums over covered pixels, a and y from the seed */
    int crossings; /* with lines of the other view */
    bool erase;
};

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static int at(const struct view *v, int along, int across)
{
    return v->ink[along * v->step_along + across * v->step_across];
}

/* The stretch of at least `level` across the view around (a, c), at most thickest + 1 long. */
static int stretch(const struct view *v, int a, int c, int level, int *first)
{
    const uint8_t *line = v->ink + a * v->step_along;
    long step = v->step_across;
    int low = c, high = c + 1, thickest = v->thickest;
    while (low > 0 && high - low <= thickest && line[(low - 1) * step] >= level)
        low--;
    while (high < v->across && high - low <= thickest && line[high * step] >= level)
        high++;
    *first = low;
    return high - low;
}

/* The darkest place of what hangs together with (a, c) across the view, no further than a line is
 * thick. */
static int darkest(const struct view *v, int a, int c)
{
    const uint8_t *line = v->ink + a * v->step_along;
    long step = v->step_across;
    int from = c - v->thickest < 0 ? 0 : c - v->thickest, level = v->level;
    int to = c + v->thickest < v->across ? c + v->thickest : v->across - 1;
    int best = c, most = line[c * step];
    for (int i = c - 1; i >= from && line[i * step] >= level; i--)
        if (line[i * step] > most) {
            most = line[i * step];
            best = i;
        }
    for (int i = c + 1; i <= to && line[i * step] >= level; i++)
        if (line[i * step] > most) {
            most = line[i * step];
            best = i;
        }
    return best;
}

/* The run of ink across the view at (a, c), where there is ink, at most thickest + 1 long; where soft lines
 * are sought what has half its contrast. Returns its length. */
static int run_across(const struct view *v, int a, int c, int *first)
{
    if (!v->soft)
        return stretch(v, a, c, v->level, first);
    int middle = darkest(v, a, c), half = at(v, a, middle) / 2;
    return stretch(v, a, middle, half > v->level ? half : v->level, first);
}

/* A run near across position y. */
static int run_near(const struct view *v, int a, float y, int reach, int *first)
{
    const uint8_t *line = v->ink + a * v->step_along;
    long step = v->step_across;
    int c = (int)lrintf(y);
    for (int d = 0; d <= reach; d++) {
        if (c + d >= 0 && c + d < v->across && line[(c + d) * step] >= v->level)
            return run_across(v, a, c + d, first);
        if (c - d >= 0 && c - d < v->across && line[(c - d) * step] >= v->level)
            return run_across(v, a, c - d, first);
    }
    return 0;
}

/* Take out the n places from `first` on that are no darker than a line of that contrast, and its soft
 * edges, which grow fainter from there. */
static void wipe(const struct view *v, int a, int first, int n, float contrast)
{
    uint8_t *line = v->ink + a * v->step_along;
    long step = v->step_across;
    for (int d = -1; d <= 1 && v->soft; d += 2) {
        int last = 255;
        for (int c = d < 0 ? first - 1 : first + n; c >= 0 && c < v->across; c += d) {
            if (line[c * step] < v->level || line[c * step] > last)
                break;
            last = line[c * step];
            line[c * step] = 0;
        }
    }
    for (int c = first; c < first + n; c++)
        if (line[c * step] < DARKER * contrast)
            line[c * step] = 0;
}

/* Where along the view seed i is: not evenly, since all might fall on a form's lines across. */
static int seed_place(const struct view *v, int i)
{
    int stride = v->along / SEEDS + 1;
    return stride * i + stride * (1 + i * 5 % 8) / 10;
}

/* Which seed is at `along`; -1: none. */
static int seed_at(const struct view *v, int along)
{
    int i = along / (v->along / SEEDS + 1);
    return i < SEEDS && seed_place(v, i) == along ? i : -1;
}

/* The next seed in direction `d` (1 or -1) from `along` on. */
static int next_seed(const struct view *v, int along, int d)
{
    int i = along / (v->along / SEEDS + 1), at = seed_place(v, i);
    return d > 0 ? i + (at < along) : i - (at > along);
}

/* Follow a line from its seed in direction `d` (1 or -1), by predicting its place from where it was
 * and how it slopes. Widens l; wipes it out when l->erase. */
static void follow(const struct view *v, struct line *line, int d, float *slope)
{
    struct line copy = *line, *l = &copy; /* which no pixel written can change, as compilers see it */
    float y = (float)l->seed_across, s = *slope * (float)d, sum_thick = 0, sum_contrast = 0;
    int gap = 0, missed = 0, crossed = 0, seen = 0, last = l->seed_along;
    int most = v->thickest + 4, most_crossed = v->along / 3;
    float last_y = y;
    int a = l->seed_along + (d < 0 ? -1 : 0);
    int seed = next_seed(v, a, d), place = seed_place(v, seed);
    for (int gone = 0; a >= 0 && a < v->along && gap <= most && crossed <= most_crossed; a += d) {
        missed += gap > 0;
        if (++gone > SOON && !l->erase && (float)missed > (1 - SPARSE) * (float)gone)
            break;
        int first, n = run_near(v, a, y, 1 + min_int((gap + crossed) / 10, 4), &first);
        if (a == place) {
            l->course[seed] = y;
            seed += d;
            place = seed_place(v, seed);
        }
        float all = (float)(l->covered + seen);
        float thick = (l->thick * (float)l->covered + sum_thick) / fmaxf(all, 1);
        if (n && n <= v->thickest && (all < SURELY || (float)n <= THICKER * thick + 1)) {
            float off = (float)first + (float)(n - 1) / 2 - y;
            y += 0.3f * off;
            s += 0.02f * off;
            sum_thick += (float)n;
            l->thick_squares += (double)n * n;
            int middle = at(v, a, first + n / 2), other = at(v, a, first + (n - 1) / 2);
            float contrast = (float)(middle > other ? middle : other);
            sum_contrast += contrast;
            l->contrast_squares += contrast * contrast;
            if (l->erase)
                wipe(v, a, first, n, l->contrast);
            double da = a - l->seed_along, dy = y - (float)l->seed_across;
            l->sa += da;
            l->sy += dy;
            l->saa += da * da;
            l->say += da * dy;
            l->syy += dy * dy;
            seen++;
            l->crossed += crossed;
            gap = crossed = 0;
            last = a;
            last_y = y;
        } else {
            *(n ? &crossed : &gap) += 1;
        }
        s = s > STEEPEST ? STEEPEST : s < -STEEPEST ? -STEEPEST : s;
        y += s;
    }
    *line = copy;
    if (l->erase)
        return;
    l = line;
    float all = (float)(l->covered + seen);
    if (all > 0) {
        l->thick = (l->thick * (float)l->covered + sum_thick) / all;
        l->contrast = (l->contrast * (float)l->covered + sum_contrast) / all;
    }
    l->covered += seen;
    if (d > 0) {
        l->to = (float)last;
        l->to_y = last_y;
    } else {
        l->from = (float)last;
        l->from_y = last_y;
    }
    *slope = s * (float)d;
}

/* Root mean square of its distance from the best straight line. */
static float bend(const struct line *l)
{
    double n = l->covered, vaa = l->saa - l->sa * l->sa / n, vay = l->say - l->sa * l->sy / n;
    double vyy = l->syy - l->sy * l->sy / n;
    return vaa > 0 ? (float)sqrt(fmax(0, vyy - vay * vay / vaa) / n) : 0;
}

static bool is_long(const struct view *v, const struct line *l)
{
    float length = l->to - l->from + 1, n = (float)l->covered;
    float thick = l->thick * l->thick, contrast = l->contrast * l->contrast; /* their squares */
    float spread = (float)l->thick_squares / n - thick;
    float uneven = (float)l->contrast_squares / n - contrast;
    return length >= LONG * (float)v->along && length >= 12 * l->thick &&
           n >= COVERED * (length - (float)l->crossed) && n >= 0.4f * length &&
           spread < (v->form ? 0.25f * thick : fminf(0.25f * thick, 0.8f + 0.03f * thick)) + 0.7f &&
           uneven < (v->soft ? 0.05f : 0.12f) * contrast + 9 && bend(l) < 1 + 0.008f * length;
}

/* How many of the lines go through place c at seed i, with so much play? */
static int on_lines(const struct line *lines, int n, int i, float c, float play)
{
    int on = 0;
    for (int k = 0; k < n; k++)
        on += fabsf(c - lines[k].course[i]) < play + lines[k].thick / 2;
    return on;
}

/* Follow the line through (a, c) both ways. */
static struct line follow_both(const struct view *v, int a, int c)
{
    struct line l = {.seed_along = a, .seed_across = c};
    float slope = 0;
    for (int k = 0; k < SEEDS; k++)
        l.course[k] = -INFINITY;
    follow(v, &l, 1, &slope);
    follow(v, &l, -1, &slope);
    return l;
}

static int find_lines(const struct view *v, struct line *lines)
{
    struct line other[STROKES]; /* what was followed last and is no line */
    int n = 0, others = 0;
    for (int i = 0, a; i < SEEDS && (a = seed_place(v, i)) < v->along; i++)
        for (int c = 0, first; c < v->across && n < MAX_LINES; c++) {
            const uint8_t *line = v->ink + a * v->step_along;
            while (c < v->across && line[c * v->step_across] < v->level)
                c++;
            if (c == v->across)
                break;
            int thick = run_across(v, a, c, &first);
            float middle = (float)first + (float)(thick - 1) / 2;
            if (thick <= v->thickest && !on_lines(lines, n, i, middle, PLAY) &&
                on_lines(other, others < STROKES ? others : STROKES, i, middle, 1) < TRIES) {
                struct line l = follow_both(v, a, first + thick / 2);
                if (is_long(v, &l))
                    lines[n++] = l;
                else
                    other[others++ % STROKES] = l;
            }
            c = first + thick > c ? first + thick : c + 1;
            while (c < v->across && line[c * v->step_across] >= v->level)
                c++;
        }
    return n;
}

/* Do l (along one view) and k (along the other) meet or cross? */
static bool meets(const struct line *l, const struct line *k)
{
    float a = (k->from_y + k->to_y) / 2, c = (l->from_y + l->to_y) / 2;
    float slack = 3 + 0.03f * (l->to - l->from), slack2 = 3 + 0.03f * (k->to - k->from);
    return a >= l->from - slack && a <= l->to + slack && c >= k->from - slack2 &&
           c <= k->to + slack2;
}

/* Is `where` near an end of l? */
static bool at_end(const struct line *l, float where)
{
    float slack = 3 + 0.03f * (l->to - l->from);
    return fminf(fabsf(where - l->from), fabsf(where - l->to)) < slack;
}

/* Do l (along one view) and k (along the other) make a corner? */
static bool corner(const struct line *l, const struct line *k)
{
    return meets(l, k) && at_end(l, (k->from_y + k->to_y) / 2) &&
           at_end(k, (l->from_y + l->to_y) / 2);
}

/* How many of the lines run beside l, no further apart than a quarter of its length each. */
static int companions(const struct line *l, const struct line *lines, int n)
{
    int count = 0;
    float length = l->to - l->from;
    for (int i = 0; i < n; i++) {
        const struct line *k = &lines[i];
        float common = fminf(l->to, k->to) - fmaxf(l->from, k->from);
        if (k != l && common > 0.5f * length && fabsf(k->from_y - l->from_y) < 0.75f * length)
            count++;
    }
    return count;
}

/* How many of the others, which run the other way, meet or cross l, up to GRID of them and each some way
 * from the next; how many of these make a corner with it. */
static int count_crossings(const struct line *l, const struct line *others, int n, int *corners)
{
    float place[GRID];
    int count = 0;
    for (int k = 0; k < n && count < GRID; k++) {
        float where = (others[k].from_y + others[k].to_y) / 2;
        bool apart = meets(l, &others[k]);
        for (int i = 0; i < count; i++)
            apart = apart && fabsf(where - place[i]) >= APART;
        if (apart) {
            place[count++] = where;
            *corners += corner(l, &others[k]);
        }
    }
    return count;
}

static void decide(const struct view *v, struct line *lines, int n, const struct line *others,
                   int n_others)
{
    for (int i = 0; i < n; i++) {
        struct line *l = &lines[i];
        float length = l->to - l->from + 1, margin = 0.03f * (float)v->along + 2;
        bool from_edge = l->from < margin, to_edge = l->to > (float)v->along - margin;
        int corners = 0;
        l->crossings = count_crossings(l, others, n_others, &corners);
        if (v->soft) {
            l->erase = from_edge && to_edge;
            continue;
        }
        l->erase = (from_edge && to_edge) ||
                   ((from_edge || to_edge) && length > 0.6f * (float)v->along &&
                    length > 25 * l->thick) ||
                   (l->crossings >= 2 && corners < 2 && length > 0.4f * (float)v->along &&
                    bend(l) < 0.7f + 0.004f * length) ||
                   l->crossings >= GRID ||
                   (companions(l, lines, n) >= 4 && length > 25 * l->thick);
    }
}

static int erase(const struct view *v, struct line *lines, int n)
{
    int counted = 0;
    for (int i = 0; i < n; i++) {
        float slope = (lines[i].to_y - lines[i].from_y) / fmaxf(1, lines[i].to - lines[i].from);
        int seed = seed_at(v, lines[i].seed_along);
        if (!lines[i].erase)
            continue;
        counted += !on_lines(lines, i, seed, (float)lines[i].seed_across, APART);
        follow(v, &lines[i], 1, &slope);
        follow(v, &lines[i], -1, &slope);
    }
    return counted;
}

/* Of the n lines found in a box, choose those along its sides that are no thicker than it. Returns how
 * many. */
static int choose_sides(const struct view *v, struct line *lines, int n, float thickest)
{
    int chosen = 0;
    for (int i = 0; i < n; i++) {
        struct line *l = &lines[i];
        float middle = (l->from_y + l->to_y) / 2, far = (float)v->across - middle;
        l->erase = l->to - l->from > SIDE * (float)v->along && l->thick < thickest &&
                   fminf(middle, far) < RIM * (float)v->across + l->thick;
        chosen += l->erase;
    }
    return chosen;
}

static float thinnest(const struct line *lines, int n)
{
    float least = INFINITY;
    for (int i = 0; i < n; i++)
        least = fminf(least, lines[i].thick);
    return least;
}

/* Is there ink near the view's first (or last) places across along most of it, as of a box's side? */
static bool may_be_side(const struct view *v, bool last)
{
    int rim = (int)(RIM * (float)v->across) + 1, inked = 0;
    for (int a = 0; a < v->along; a++) {
        int c = 0;
        while (c < rim && at(v, a, last ? v->across - 1 - c : c) < v->level)
            c++;
        inked += c < rim;
    }
    return (float)inked > ALONG * (float)v->along;
}

/* The first run of ink within the rim at the view's first (or last) places across, at a. Returns its
 * length, 0 when there is none. */
static int rim_run(const struct view *v, int a, bool last, int *first)
{
    int rim = (int)(RIM * (float)v->across) + 1, c = 0, n = 0, d = last ? -1 : 1;
    int outer = last ? v->across - 1 : 0;
    while (c < rim && at(v, a, outer + c * d) < v->level)
        c++;
    while (c < rim && c + n < v->across && at(v, a, outer + (c + n) * d) >= v->level)
        n++;
    *first = last ? outer - c - n + 1 : c;
    return n;
}

/* Is there a thin and straight line along the view's first (or last) places across? */
static bool is_side(const struct view *v, bool last)
{
    int reach = (int)(STRAIGHT * (float)v->across) + 1, lined = 0, first;
    for (int a = 0; a < v->along; a++) {
        int n = rim_run(v, a, last, &first), far = last ? v->across - first - n : first;
        lined += n > 0 && n <= v->thickest && far <= reach;
    }
    return (float)lined > LINED * (float)v->along;
}

/* Take out a box's side: runs in its rim that are not much longer than most. */
static void wipe_side(const struct view *v, bool last)
{
    int count[RUNS] = {0}, total = 0, below = 0, usual = 0, first;
    for (int a = 0; a < v->along; a++) {
        int n = rim_run(v, a, last, &first);
        count[n < RUNS ? n : RUNS - 1] += n > 0;
        total += n > 0;
    }
    while (2 * below < total)
        below += count[++usual];
    for (int a = 0; usual <= v->thickest && a < v->along; a++) {
        int n = rim_run(v, a, last, &first);
        for (int c = 0; n <= usual + usual / 2 + 1 && c < n; c++)
            v->ink[a * v->step_along + (first + c) * v->step_across] = 0;
    }
}

/* The pixels from x0, y0 to x1, y1, seen along the sides. */
static void box_views(struct inkmap *m, int x0, int y0, int x1, int y1, struct view *flat,
                      struct view *upright)
{
    int w = x1 - x0, h = y1 - y0, thickest = (w < h ? w : h) / CELL_THICKEST + 1;
    uint8_t *ink = m->ink + (long)y0 * m->width + x0;
    *flat = (struct view){ink, 1, m->width, w, h, thickest, m->floor, false, false};
    *upright = (struct view){ink, m->width, 1, h, w, thickest, m->floor, false, false};
}

bool rules_is_box(struct inkmap *m, int x0, int y0, int x1, int y1)
{
    struct view flat, upright;
    box_views(m, x0, y0, x1, y1, &flat, &upright);
    return is_side(&flat, false) && is_side(&flat, true) && is_side(&upright, false) &&
           is_side(&upright, true);
}

void rules_wipe_box(struct inkmap *m, int x0, int y0, int x1, int y1)
{
    struct view flat, upright;
    box_views(m, x0, y0, x1, y1, &flat, &upright);
    if (may_be_side(&flat, false) + may_be_side(&flat, true) + may_be_side(&upright, false) +
            may_be_side(&upright, true) < SIDES)
        return;
    for (int last = 0; last < 2; last++) {
        wipe_side(&flat, last);
        wipe_side(&upright, last);
    }
}

int rules_erase_box(struct inkmap *m, int x0, int y0, int x1, int y1, struct err *e)
{
    int w = x1 - x0, h = y1 - y0, thickest = (w < h ? w : h) / BOX_THICKEST + 2;
    uint8_t *ink = m->ink + (long)y0 * m->width + x0;
    struct view flat = {ink, 1, m->width, w, h, thickest, m->floor, false, false};
    struct view upright = {ink, m->width, 1, h, w, thickest, m->floor, false, false};
    bool cut = x0 <= 1 || y0 <= 1 || x1 + 1 >= m->width || y1 + 1 >= m->height;
    if (may_be_side(&flat, false) + may_be_side(&flat, true) + may_be_side(&upright, false) +
            may_be_side(&upright, true) + cut < SIDES)
        return 0;
    struct line *lines = malloc(2 * MAX_LINES * sizeof *lines);
    if (!lines)
        return err_set(e, "out of memory");
    struct line *others = lines + MAX_LINES;
    int n = find_lines(&flat, lines), k = find_lines(&upright, others), erased = 0;
    float thick = 1 + 1.4f * fminf(thinnest(lines, n), thinnest(others, k));
    int across = choose_sides(&flat, lines, n, thick), along = choose_sides(&upright, others, k, thick);
    if (across > 0 && along > 0 && across + along + cut >= SIDES)
        erased = erase(&flat, lines, n) + erase(&upright, others, k);
    free(lines);
    return erased;
}

/* Widen the grid, seen along a view's lines, to those of the lines that cross many. */
static void add_to_grid(const struct line *lines, int n, float *from, float *to, float *low, float *high)
{
    for (int i = 0; i < n; i++) {
        const struct line *l = &lines[i];
        if (l->crossings < GRID)
            continue;
        *from = fminf(*from, l->from);
        *to = fmaxf(*to, l->to);
        *low = fminf(*low, fminf(l->from_y, l->to_y));
        *high = fmaxf(*high, fmaxf(l->from_y, l->to_y));
    }
}

/* What is taken out at one go: lines so thick at most, soft ones, a form's. */
struct search {
    int thickest;
    bool soft, form;
};

/* Take out such lines, and widen the grid, if there is one, to theirs. lines: room for twice MAX_LINES.
 * Returns how many. */
static int erase_lines(struct inkmap *m, struct search s, struct line *lines, struct rules_grid *g)
{
    struct view flat = {m->ink, 1, m->width, m->width, m->height, s.thickest, m->floor, s.soft, s.form};
    struct view upright = {m->ink,     m->width, 1,      m->height, m->width,
                           s.thickest, m->floor, s.soft, s.form};
    struct line *others = lines + MAX_LINES;
    int n = find_lines(&flat, lines), k = find_lines(&upright, others);
    decide(&flat, lines, n, others, k);
    decide(&upright, others, k, lines, n);
    if (g) {
        add_to_grid(lines, n, &g->x0, &g->x1, &g->y0, &g->y1);
        add_to_grid(others, k, &g->y0, &g->y1, &g->x0, &g->x1);
    }
    return erase(&flat, lines, n) + erase(&upright, others, k);
}

static int erase_all(struct inkmap *m, bool form, struct rules_grid *g, struct err *e)
{
    int side = m->width < m->height ? m->width : m->height, erased = 0;
    if (side < MIN_SIDE)
        return 0;
    struct line *lines = malloc(2 * MAX_LINES * sizeof *lines);
    if (!lines)
        return err_set(e, "out of memory");
    if (form) /* first thin ones, which are thicker where strokes meet them */
        erased = erase_lines(m, (struct search){side / 160 + 2, false, true}, lines, g);
    erased += erase_lines(m, (struct search){side / 96 + 2, false, false}, lines, g);
    if (erased < FEW)
        erased += erase_lines(m, (struct search){side / 64 + 2, true, false}, lines, g);
    free(lines);
    return erased;
}

int rules_erase(struct inkmap *m, struct err *e)
{
    return erase_all(m, false, NULL, e);
}

int rules_erase_form(struct inkmap *m, struct rules_grid *grid, struct err *e)
{
    return erase_all(m, true, grid, e);
}
