#include "rules.h"

#include <math.h>
#include <stdlib.h>

#define MAX_LINES 256
#define MIN_SIDE 96      /* smaller pictures are not looked at */
#define GRID 4           /* lines that a line crosses in a grid */
#define LONG 0.25f       /* of the picture's length: what may be a line; taken out are those so long: */
#define FROM_EDGE 0.6f   /* from one edge, */
#define CROSSED 0.4f     /* crossed twice, */
#define THIN 25          /* and times as long as thick, the former and those with */
#define COMPANIONS 4     /* so many beside them */
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
    int from = max_int(c - v->thickest, 0), to = min_int(c + v->thickest, v->across - 1);
    int level = v->level;
    int best = c, most = line[c * step];
    for (int d = -1; d <= 1; d += 2)
        for (int i = c + d; i >= from && i <= to && line[i * step] >= level; i += d)
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
    return stretch(v, a, middle, max_int(half, v->level), first);
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

/* The following of a line in one direction. */
struct trail {
    float y, slope;        /* where it should be next, and how much further across for a step */
    int gap, crossed;      /* steps since it was seen: with nothing there, with something thicker */
    int seen, last;        /* steps at which it was seen, and the last such place along, */
    float last_y;          /* and across */
    float thick, contrast; /* sums over what was seen */
};

/* How thick the line is on average, as far as it was followed. */
static float mean_thick(const struct line *l, const struct trail *t)
{
    return (l->thick * (float)l->covered + t->thick) / (float)(l->covered + t->seen);
}

/* The line is there: n places from `first` on, at a. */
static inline void see_run(const struct view *v, struct line *l, struct trail *t, int a, int first, int n)
{
    float off = (float)first + (float)(n - 1) / 2 - t->y;
    t->y += 0.3f * off;
    t->slope += 0.02f * off;
    t->thick += (float)n;
    l->thick_squares += (double)n * n;
    float contrast = (float)max_int(at(v, a, first + n / 2), at(v, a, first + (n - 1) / 2));
    t->contrast += contrast;
    l->contrast_squares += contrast * contrast;
    if (l->erase)
        wipe(v, a, first, n, l->contrast);
    double da = a - l->seed_along, dy = t->y - (float)l->seed_across;
    l->sa += da;
    l->sy += dy;
    l->saa += da * da;
    l->say += da * dy;
    l->syy += dy * dy;
    t->seen++;
    l->crossed += t->crossed;
    t->gap = t->crossed = 0;
    t->last = a;
    t->last_y = t->y;
}

/* Widen l by what was followed in direction d. */
static void add_trail(struct line *l, const struct trail *t, int d)
{
    float all = (float)(l->covered + t->seen);
    if (all > 0) {
        l->thick = (l->thick * (float)l->covered + t->thick) / all;
        l->contrast = (l->contrast * (float)l->covered + t->contrast) / all;
    }
    l->covered += t->seen;
    *(d > 0 ? &l->to : &l->from) = (float)t->last;
    *(d > 0 ? &l->to_y : &l->from_y) = t->last_y;
}

/* Follow a line from its seed in direction `d` (1 or -1), by predicting its place from where it was and
 * how it slopes: *slope, along the view. Widens it; wipes it out when line->erase. */
static void follow(const struct view *v, struct line *line, int d, float *slope)
{
    struct line l = *line; /* a copy, which no pixel written can change, as compilers see it */
    struct trail t = {.y = (float)l.seed_across, .slope = *slope * (float)d, .last = l.seed_along,
                      .last_y = (float)l.seed_across};
    int most_gap = v->thickest + 4, most_crossed = v->along / 3, missed = 0;
    int a = l.seed_along + (d < 0 ? -1 : 0);
    int seed = next_seed(v, a, d), place = seed_place(v, seed);
    for (int gone = 1; a >= 0 && a < v->along && t.gap <= most_gap && t.crossed <= most_crossed;
         a += d, gone++) {
        missed += t.gap > 0;
        if (gone > SOON && !l.erase && (float)missed > (1 - SPARSE) * (float)gone)
            break;
        int first, n = run_near(v, a, t.y, 1 + min_int((t.gap + t.crossed) / 10, 4), &first);
        if (a == place) {
            l.course[seed] = t.y;
            seed += d;
            place = seed_place(v, seed);
        }
        if (n && n <= v->thickest &&
            (l.covered + t.seen < SURELY || (float)n <= THICKER * mean_thick(&l, &t) + 1))
            see_run(v, &l, &t, a, first, n);
        else
            *(n ? &t.crossed : &t.gap) += 1;
        t.slope = t.slope > STEEPEST ? STEEPEST : t.slope < -STEEPEST ? -STEEPEST : t.slope;
        t.y += t.slope;
    }
    if (!l.erase) {
        add_trail(&l, &t, d);
        *slope = t.slope * (float)d;
    }
    *line = l;
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

/* How far its ends may be off, in pixels. */
static float slack(const struct line *l)
{
    return 3 + 0.03f * (l->to - l->from);
}

/* Do l (along one view) and k (along the other) meet or cross? */
static bool meets(const struct line *l, const struct line *k)
{
    float a = (k->from_y + k->to_y) / 2, c = (l->from_y + l->to_y) / 2;
    return a >= l->from - slack(l) && a <= l->to + slack(l) && c >= k->from - slack(k) &&
           c <= k->to + slack(k);
}

/* Is `where` near an end of l? */
static bool at_end(const struct line *l, float where)
{
    return fminf(fabsf(where - l->from), fabsf(where - l->to)) < slack(l);
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

/* Is l, which makes so many corners with lines of the other view, one to take out: from edge to edge, of
 * a grid, or one of many side by side? */
static bool is_ruled(const struct view *v, const struct line *l, int corners, const struct line *lines,
                     int n)
{
    float length = l->to - l->from + 1, all = (float)v->along, margin = 0.03f * all + 2;
    bool from_edge = l->from < margin, to_edge = l->to > all - margin;
    bool thin = length > THIN * l->thick;
    if ((from_edge && to_edge) || v->soft)
        return from_edge && to_edge;
    return ((from_edge || to_edge) && length > FROM_EDGE * all && thin) ||
           (l->crossings >= 2 && corners < 2 && length > CROSSED * all &&
            bend(l) < 0.7f + 0.004f * length) ||
           l->crossings >= GRID || (companions(l, lines, n) >= COMPANIONS && thin);
}

/* Choose the lines to take out. */
static void decide(const struct view *v, struct line *lines, int n, const struct line *others,
                   int n_others)
{
    for (int i = 0; i < n; i++) {
        int corners = 0;
        lines[i].crossings = count_crossings(&lines[i], others, n_others, &corners);
        lines[i].erase = is_ruled(v, &lines[i], corners, lines, n);
    }
}

/* Take out the lines that are to go. Returns how many, those that lie side by side counted once. */
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

/* Is there ink near the view's first (or last) places across along most of it, as of a box's side? */
static bool may_be_side(const struct view *v, bool last)
{
    int inked = 0, first;
    for (int a = 0; a < v->along; a++)
        inked += rim_run(v, a, last, &first) > 0;
    return (float)inked > ALONG * (float)v->along;
}

/* How many of a box's sides may be there. */
static int count_sides(const struct view *flat, const struct view *upright)
{
    return may_be_side(flat, false) + may_be_side(flat, true) + may_be_side(upright, false) +
           may_be_side(upright, true);
}

/* What is looked for: lines so thick at most, soft ones, a form's. */
struct search {
    int thickest;
    bool soft, form;
};

/* The box, seen along its flat sides or its upright ones. */
static struct view view_along(const struct inkmap *m, struct box b, bool upright, struct search s)
{
    int w = box_width(b), h = box_height(b);
    uint8_t *ink = m->ink + (long)b.y0 * m->width + b.x0;
    if (upright)
        return (struct view){ink, m->width, 1, h, w, s.thickest, m->floor, s.soft, s.form};
    return (struct view){ink, 1, m->width, w, h, s.thickest, m->floor, s.soft, s.form};
}

/* The lines of a form's box are so thick at most. */
static struct search cell_search(struct box b)
{
    return (struct search){min_int(box_width(b), box_height(b)) / CELL_THICKEST + 1, false, false};
}

bool rules_is_box(struct inkmap *m, struct box box)
{
    struct view flat = view_along(m, box, false, cell_search(box));
    struct view upright = view_along(m, box, true, cell_search(box));
    return is_side(&flat, false) && is_side(&flat, true) && is_side(&upright, false) &&
           is_side(&upright, true);
}

void rules_wipe_box(struct inkmap *m, struct box box)
{
    struct view flat = view_along(m, box, false, cell_search(box));
    struct view upright = view_along(m, box, true, cell_search(box));
    if (count_sides(&flat, &upright) < SIDES)
        return;
    for (int last = 0; last < 2; last++) {
        wipe_side(&flat, last);
        wipe_side(&upright, last);
    }
}

int rules_erase_box(struct inkmap *m, struct box box, struct err *e)
{
    struct search s = {min_int(box_width(box), box_height(box)) / BOX_THICKEST + 2, false, false};
    struct view flat = view_along(m, box, false, s), upright = view_along(m, box, true, s);
    bool cut = box.x0 <= 1 || box.y0 <= 1 || box.x1 + 1 >= m->width || box.y1 + 1 >= m->height;
    if (count_sides(&flat, &upright) + cut < SIDES)
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

/* Join the grid with those of a view's lines that cross many. */
static void add_to_grid(struct box *grid, const struct line *lines, int n, bool upright)
{
    for (int i = 0; i < n; i++) {
        const struct line *l = &lines[i];
        int from = (int)l->from, to = (int)l->to + 1;
        int low = (int)fminf(l->from_y, l->to_y), high = (int)fmaxf(l->from_y, l->to_y) + 1;
        if (l->crossings >= GRID)
            *grid = box_join(*grid, upright ? (struct box){low, from, high, to}
                                            : (struct box){from, low, to, high});
    }
}

/* Take out what is looked for, and join the grid, if there is one, with it. lines: room for twice
 * MAX_LINES. Returns how many. */
static int erase_lines(struct inkmap *m, struct search s, struct line *lines, struct box *grid)
{
    struct box all = {0, 0, m->width, m->height};
    struct view flat = view_along(m, all, false, s), upright = view_along(m, all, true, s);
    struct line *others = lines + MAX_LINES;
    int n = find_lines(&flat, lines), k = find_lines(&upright, others);
    decide(&flat, lines, n, others, k);
    decide(&upright, others, k, lines, n);
    if (grid) {
        add_to_grid(grid, lines, n, false);
        add_to_grid(grid, others, k, true);
    }
    return erase(&flat, lines, n) + erase(&upright, others, k);
}

int rules_erase(struct inkmap *m, struct box *grid, struct err *e)
{
    int side = inkmap_side(m), erased = 0;
    if (side < MIN_SIDE)
        return 0;
    struct line *lines = malloc(2 * MAX_LINES * sizeof *lines);
    if (!lines)
        return err_set(e, "out of memory");
    if (grid) /* first thin ones, which are thicker where strokes meet them */
        erased = erase_lines(m, (struct search){side / 160 + 2, false, true}, lines, grid);
    erased += erase_lines(m, (struct search){side / 96 + 2, false, false}, lines, grid);
    if (erased < FEW)
        erased += erase_lines(m, (struct search){side / 64 + 2, true, false}, lines, grid);
    free(lines);
    return erased;
}
