/* How well a finder finds. Input: maps and the boxes that are true; output: counts in groups. */
#include "learn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THRESHOLD 0.4f   /* of a centre's probability */
#define MIN_OVERLAP 0.4f /* of a box with the true one */
#define MAX_FOUND 256    /* peaks of a picture that are looked at */
#define MAX_TRUE 1024    /* boxes of a picture that are */

const char *const score_size_name[SCORE_SIZES] = {"9-16", "16-32", "32-60"};

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

/* The true digit that is found by f, or -1. */
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

/* Add to the scores of a size and a kind. */
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
    int n = map_boxes(shape, map, THRESHOLD, found, MAX_FOUND);
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

char *score_line(const char *group, const struct score *s, char *text, size_t size)
{
    snprintf(text, size, "%s\t%ld\t%.4f\t%.4f\t%.4f\t%.4f", group, s->digits, score_recall(s),
             score_precision(s), part(s->overlap, (double)s->found),
             part((double)s->right, (double)s->found));
    return text;
}
