/* How well a finder finds.
 *   in   maps, the ground truth's boxes
 *   out  true and false positives, by size of digit and kind of scene; recall and precision of them */
#include "learn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_SCORE 0.4f   /* A peak counts when its centre's probability is above this. */
#define MIN_OVERLAP 0.4f /* It finds a true box when their intersection over union is at least this. */
#define MAX_FOUND 256    /* At most so many peaks of a picture count. */
#define MAX_TRUE 1024    /* At most so many true boxes of a picture count. */

static const char *const size_name[SCORE_SIZES] = {"9-16", "16-32", "32-60"};

static int size_of(const struct map_box *b)
{
    float side = fmaxf(b->w, b->h);
    return side < 16 ? 0 : side < 32 ? 1 : 2;
}

static bool is_digit(const struct map_box *b)
{
    return b->class >= 0 && b->class < BOXES_DIGITS;
}

static int by_score(const void *a, const void *b)
{
    const struct map_found *p = a, *q = b;
    return p->score < q->score ? 1 : p->score > q->score ? -1 : 0;
}

/* The true digit, among those not found yet, that f overlaps most; -1 when none by MIN_OVERLAP. */
static int find_digit(const struct map_found *f, const struct map_truth *t, const bool *taken)
{
    float most = MIN_OVERLAP;
    int best = -1;
    for (int k = 0; k < t->boxes && k < MAX_TRUE; k++) {
        float overlap = taken[k] || !is_digit(&t->box[k]) ? 0 : map_overlap(&f->box, &t->box[k]);
        if (overlap >= most) {
            most = overlap;
            best = k;
        }
    }
    return best;
}

static bool counts_for_nothing(const struct map_found *f, const struct map_truth *t)
{
    float x = f->box.x + f->box.w / 2, y = f->box.y + f->box.h / 2;
    for (int k = 0; k < t->boxes; k++) {
        const struct map_box *b = &t->box[k];
        if (b->class == MAP_IGNORE && x >= b->x && y >= b->y && x < b->x + b->w && y < b->y + b->h)
            return true;
    }
    return false;
}

/* Add counts to the scores of all, of a size and of a kind. */
static void add(struct scores *s, int size, int kind, struct score more)
{
    struct score *to[] = {&s->all, &s->size[size], &s->kind[kind]};
    for (int i = 0; i < 3; i++) {
        to[i]->digits += more.digits;
        to[i]->found += more.found;
        to[i]->wrong += more.wrong;
        to[i]->right += more.right;
        to[i]->overlap += more.overlap;
    }
}

void scores_add(struct scores *s, int kind, const struct map_shape *shape, const float *map,
                const struct map_truth *truth)
{
    struct map_found found[MAX_FOUND];
    bool taken[MAX_TRUE] = {false};
    int n = map_boxes(shape, map, MIN_SCORE, found, MAX_FOUND);
    qsort(found, (size_t)n, sizeof *found, by_score);
    for (int k = 0; k < truth->boxes; k++)
        if (is_digit(&truth->box[k]))
            add(s, size_of(&truth->box[k]), kind, (struct score){.digits = 1});
    for (int i = 0; i < n; i++) {
        if (!is_digit(&found[i].box))
            continue;
        int k = find_digit(&found[i], truth, taken);
        if (k >= 0) {
            const struct map_box *b = &truth->box[k];
            taken[k] = true;
            add(s, size_of(b), kind,
                (struct score){.found = 1, .right = b->class == found[i].box.class,
                               .overlap = map_overlap(b, &found[i].box)});
        } else if (!counts_for_nothing(&found[i], truth)) {
            add(s, size_of(&found[i].box), kind, (struct score){.wrong = 1});
        }
    }
}

static double part(double a, double b)
{
    return b > 0 ? a / b : 1;
}

double score_recall(const struct score *s)
{
    return part((double)s->found, (double)s->digits);
}

double score_precision(const struct score *s)
{
    return part((double)s->found, (double)(s->found + s->wrong));
}

const char score_header[] = "group\tdigits\trecall\tprecision\toverlap\tclass";

char *scores_line(const struct scores *s, const struct dataset *d, int group, char *text, size_t size)
{
    int kind = group - 1 - SCORE_SIZES;
    if (kind >= d->kinds)
        return NULL;
    const char *name = group == 0 ? "all" : kind < 0 ? size_name[group - 1] : d->kind_name[kind];
    const struct score *g = group == 0 ? &s->all : kind < 0 ? &s->size[group - 1] : &s->kind[kind];
    snprintf(text, size, "%s\t%ld\t%.4f\t%.4f\t%.4f\t%.4f", name, g->digits, score_recall(g),
             score_precision(g), part(g->overlap, (double)g->found), part((double)g->right, (double)g->found));
    if (kind == 0 && !g->digits && !g->wrong) /* no scene is of an unnamed kind */
        *text = '\0';
    return text;
}
