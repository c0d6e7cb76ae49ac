/* Suppression (suppress.h): the step between the finder and the cutting of digits.
 *
 * Input: the candidates of all levels. Output: those that stay. Each thing is seen on two levels or three:
 * of boxes that cover each other the surest stays (greedy non-maximum suppression). A box inside a larger
 * one is a part of a large digit; where there are several, the larger one is a number. A speck is much
 * smaller than all the rest. */
#include "suppress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME 0.45f        /* of the area that two boxes cover together, covered by both: they tell of one thing */
#define INSIDE 0.6f       /* of a smaller box's area lies within a larger one: it is inside */
#define MEMBERS_SURE 0.8f /* times the larger box's score: two or more inside that are so sure, on average, are a number */
#define PART_SURE 1.4f    /* times the larger box's score: no part of a digit is so sure */
#define SPECK 0.3f        /* of the usual size: what is smaller is a speck */

static float inter(const struct ink_candidate *a, const struct ink_candidate *b)
{
    float w = fminf(a->x + a->w, b->x + b->w) - fmaxf(a->x, b->x);
    float h = fminf(a->y + a->h, b->y + b->h) - fmaxf(a->y, b->y);
    return w > 0 && h > 0 ? w * h : 0;
}

static float area(const struct ink_candidate *c)
{
    return c->w * c->h;
}

static float size_of(const struct ink_candidate *c)
{
    return fmaxf(c->w, c->h);
}

/* The candidates by their middle across, so that neighbours are found. */
struct entry {
    struct ink_candidate c;
    float middle;
    bool gone;
};

static int compare_middles(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->middle != y->middle)
        return x->middle > y->middle ? 1 : -1;
    return x->c.y != y->c.y ? (x->c.y > y->c.y) - (x->c.y < y->c.y) : (x->c.w > y->c.w) - (x->c.w < y->c.w);
}

/* What to compare entries by, the greatest first. */
struct rank {
    float key;
    int entry;
};

static int compare_ranks(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? 1 : -1;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

/* The first entry whose middle is not left of x. */
static int first_from(const struct entry *e, int n, float x)
{
    int low = 0, high = n;
    while (low < high) {
        int mid = (low + high) / 2;
        if (e[mid].middle < x)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Drop what covers nearly the same as entry i. */
static void drop_same(struct entry *e, int n, int i)
{
    /* The wider of two such boxes is at most 1 / SAME times as wide, and holds a part of the other. */
    const struct ink_candidate *c = &e[i].c;
    float reach = c->w * (1 + 1 / SAME) / 2;
    for (int k = first_from(e, n, e[i].middle - reach); k < n && e[k].middle <= e[i].middle + reach; k++) {
        float both = e[k].gone || k == i ? 0 : inter(c, &e[k].c);
        if (both > 0 && both >= SAME * (area(c) + area(&e[k].c) - both))
            e[k].gone = true;
    }
}

/* What lies inside a larger box. */
struct members {
    int count;
    float scores; /* their sum */
    float surest; /* the greatest of them */
};

static bool is_inside(const struct entry *a, const struct ink_candidate *c)
{
    return !a->gone && area(&a->c) < area(c) && inter(&a->c, c) > INSIDE * area(&a->c);
}

static void settle_inside(struct entry *e, int n, int i)
{
    const struct ink_candidate *c = &e[i].c;
    struct members m = {0, 0, 0};
    int first = first_from(e, n, c->x), k;
    for (k = first; k < n && e[k].middle <= c->x + c->w; k++) {
        if (!is_inside(&e[k], c))
            continue;
        m.count++;
        m.scores += e[k].c.score;
        m.surest = fmaxf(m.surest, e[k].c.score);
    }
    if ((m.count >= 2 && m.scores > MEMBERS_SURE * c->score * (float)m.count) ||
        m.surest >= PART_SURE * c->score) {
        e[i].gone = true;
        return;
    }
    for (k = first; k < n && e[k].middle <= c->x + c->w; k++)
        if (is_inside(&e[k], c))
            e[k].gone = true;
}

static int remaining(struct entry *e, int n)
{
    int left = 0;
    for (int i = 0; i < n; i++)
        if (!e[i].gone)
            e[left++] = e[i];
    return left;
}

/* The usual size of what is there: half of the evidence, score times size, is of smaller things. */
static float usual_size(const struct entry *e, int n, struct rank *rank)
{
    float all = 0, seen = 0;
    for (int i = 0; i < n; i++) {
        rank[i] = (struct rank){size_of(&e[i].c), i};
        all += e[i].c.score * size_of(&e[i].c);
    }
    qsort(rank, (size_t)n, sizeof *rank, compare_ranks);
    for (int i = 0; i < n; i++)
        if ((seen += e[rank[i].entry].c.score * rank[i].key) >= all / 2)
            return rank[i].key;
    return 0;
}

static void by(struct rank *rank, const struct entry *e, int n, float (*key)(const struct ink_candidate *))
{
    for (int i = 0; i < n; i++)
        rank[i] = (struct rank){key(&e[i].c), i};
    qsort(rank, (size_t)n, sizeof *rank, compare_ranks);
}

static float score_of(const struct ink_candidate *c)
{
    return c->score;
}

static int settle(struct entry *e, int n, bool same, struct rank *rank)
{
    qsort(e, (size_t)n, sizeof *e, compare_middles);
    by(rank, e, n, score_of);
    for (int i = 0; i < n; i++)
        if (!e[rank[i].entry].gone)
            drop_same(e, n, rank[i].entry);
    n = remaining(e, n);
    if (same)
        return n;
    by(rank, e, n, area);
    for (int i = 0; i < n; i++)
        if (!e[rank[i].entry].gone)
            settle_inside(e, n, rank[i].entry);
    n = remaining(e, n);
    float usual = usual_size(e, n, rank);
    for (int i = 0; i < n; i++)
        e[i].gone = size_of(&e[i].c) <= SPECK * usual;
    return remaining(e, n);
}

static int suppress_some(struct ink_candidate *c, int n, bool same, struct err *e)
{
    struct entry *entry = malloc((size_t)(n + 1) * sizeof *entry);
    struct rank *rank = malloc((size_t)(n + 1) * sizeof *rank);
    if (entry && rank) {
        for (int i = 0; i < n; i++)
            entry[i] = (struct entry){c[i], c[i].x + c[i].w / 2, false};
        n = settle(entry, n, same, rank);
        for (int i = 0; i < n; i++)
            c[i] = entry[i].c;
    } else {
        n = err_set(e, "out of memory");
    }
    free(entry);
    free(rank);
    return n;
}

int suppress(struct ink_candidate *c, int n, struct err *e)
{
    return suppress_some(c, n, false, e);
}

int suppress_same(struct ink_candidate *c, int n, struct err *e)
{
    return suppress_some(c, n, true, e);
}
