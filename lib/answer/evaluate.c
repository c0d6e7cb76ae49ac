/* How good answers are.
 *   in   pairs of truth and answer with its probability
 *   out  accuracy, confusion matrix, reliability table, expected calibration error (Guo et al. 2017) */
#include "answer.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MISTAKES 4 /* A class's line says at most so many answers that it was mistaken for. */

/* Begin with the classes of v. */
static int begin(struct evaluation *v, struct err *e)
{
    size_t all = (size_t)v->labels.count + 1;
    v->classes = v->labels.count;
    v->digits = v->classes == 10;
    for (int i = 0; i < v->classes; i++)
        v->digits &= v->labels.of[i][0] == '0' + i && !v->labels.of[i][1];
    v->count = calloc(all * all, sizeof *v->count);
    return v->count ? 0 : err_set(e, "out of memory");
}

int evaluation_init(struct evaluation *v, const char *labels, struct err *e)
{
    *v = (struct evaluation){0};
    return labels_list(&v->labels, labels, e) ? -1 : begin(v, e);
}

int evaluation_of_model(struct evaluation *v, const struct model *m, struct err *e)
{
    char(*label)[LABEL_SIZE] = m->labels.of;
    bool digits = true;
    for (int i = 0; i < m->classes; i++)
        digits &= i == m->reject || (isdigit((unsigned char)label[i][0]) && !label[i][1]);
    if (digits)
        return evaluation_init(v, "0 1 2 3 4 5 6 7 8 9", e);
    *v = (struct evaluation){0};
    for (int i = 0; i < m->classes; i++)
        if (i != m->reject && labels_add(&v->labels, label[i], strlen(label[i]), e) < 0)
            return -1;
    return begin(v, e);
}

void evaluation_free(struct evaluation *v)
{
    labels_free(&v->labels);
    free(v->count);
    v->count = NULL;
}

int evaluation_class(const struct evaluation *v, const char *label)
{
    if (!strcmp(label, LABEL_NONE) || !strcmp(label, "-"))
        return v->classes;
    return labels_find(&v->labels, label);
}

int evaluation_check(const struct evaluation *v, int there, const char *label, struct err *e)
{
    if (!there)
        return err_set(e, "no label to compare with; a filter in between may have dropped it");
    if (there > 0 && evaluation_class(v, label) >= 0)
        return 0;
    if (v->digits)
        return err_set(e, "the label '%s' is not a digit 0..9 or none", label);
    return err_set(e, "the label '%s' is no class of the model", label);
}

static long *cell(const struct evaluation *v, int truth, int answer)
{
    return &v->count[(size_t)truth * ((size_t)v->classes + 1) + (size_t)answer];
}

void evaluation_add(struct evaluation *v, int truth, int digit, double probability)
{
    ++*cell(v, truth, digit);
    if (digit == v->classes)
        return;
    int bin = (int)ceil(probability * EVALUATE_BINS) - 1;
    bin = bin < 0 ? 0 : bin >= EVALUATE_BINS ? EVALUATE_BINS - 1 : bin;
    v->given[bin]++;
    v->right[bin] += digit == truth;
    v->sum[bin] += probability;
}

static long row_sum(const struct evaluation *v, int truth)
{
    long sum = 0;
    for (int i = 0; i <= v->classes; i++)
        sum += *cell(v, truth, i);
    return sum;
}

double evaluation_calibration_error(const struct evaluation *v)
{
    double gap = 0;
    long given = 0;
    for (int i = 0; i < EVALUATE_BINS; i++) {
        gap += fabs((double)v->right[i] - v->sum[i]);
        given += v->given[i];
    }
    return given ? gap / (double)given : 0;
}

static double percent(long part, long whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* ---- the report ---- */

static void put_row(const struct evaluation *v, int truth, FILE *to)
{
    if (truth == v->classes)
        fprintf(to, "%5s", LABEL_NONE);
    else
        fprintf(to, "%5d", truth);
    for (int i = 0; i <= v->classes; i++)
        fprintf(to, " %5ld", *cell(v, truth, i));
    fprintf(to, "  %7.2f\n", percent(*cell(v, truth, truth), row_sum(v, truth)));
}

/* Of digits: what for what. */
static void put_confusion(const struct evaluation *v, bool empty, FILE *to)
{
    fprintf(to, "\ntruth");
    for (int i = 0; i < v->classes; i++)
        fprintf(to, " %5d", i);
    fprintf(to, " %5s  right %%\n", "-");
    for (int i = 0; i < v->classes + empty; i++)
        put_row(v, i, to);
}

/* The answer that class `truth` was mistaken for most often, but no more often than `most` times and, of those
 * of as many, one behind `last`; -1 when there is none. */
static int next_mistake(const struct evaluation *v, int truth, long most, int last)
{
    int best = -1;
    for (int i = 0; i <= v->classes; i++) {
        long n = *cell(v, truth, i);
        if (i == truth || !n || n > most || (n == most && i <= last))
            continue;
        if (best < 0 || n > *cell(v, truth, best))
            best = i;
    }
    return best;
}

static const char *name_of(const struct evaluation *v, int class, const char *none)
{
    return class < v->classes ? v->labels.of[class] : none;
}

/* Of any other classes, of which there may be many: a line a class, with the MAX_MISTAKES worst. */
static void put_classes(const struct evaluation *v, bool empty, FILE *to)
{
    fprintf(to, "\n%-12s %7s %7s  %7s  mistaken for\n", "truth", "frames", "right", "right %");
    for (int i = 0; i < v->classes + empty; i++) {
        long frames = row_sum(v, i), most = frames, right = *cell(v, i, i);
        fprintf(to, "%-12s %7ld %7ld  %7.2f", name_of(v, i, LABEL_NONE), frames, right, percent(right, frames));
        int mistake = -1;
        for (int n = 0; n < MAX_MISTAKES && (mistake = next_mistake(v, i, most, mistake)) >= 0; n++) {
            most = *cell(v, i, mistake);
            fprintf(to, "%s%s %ld", n ? ", " : "  ", name_of(v, mistake, "-"), most);
        }
        fprintf(to, "\n");
    }
}

void evaluation_write(const struct evaluation *v, FILE *to)
{
    long empty = row_sum(v, v->classes), false_digits = empty - *cell(v, v->classes, v->classes);
    long frames = empty, right = empty - false_digits, refused = 0;
    for (int i = 0; i < v->classes; i++) {
        frames += row_sum(v, i);
        right += *cell(v, i, i);
        refused += *cell(v, i, v->classes);
    }
    fprintf(to, "accuracy %.2f %%: %ld of %ld right, %ld wrong, %ld refused\n",
            percent(right, frames), right, frames, frames - right - refused, refused);
    fprintf(to, "expected calibration error %.2f %%\n", 100 * evaluation_calibration_error(v));
    if (empty)
        fprintf(to, "false digits %.2f %%: %ld of %ld frames without one\n",
                percent(false_digits, empty), false_digits, empty);
    (v->digits ? put_confusion : put_classes)(v, empty, to);
    fprintf(to, "\nprobability  answers   mean %%  right %%\n");
    for (int i = 0; i < EVALUATE_BINS; i++)
        if (v->given[i])
            fprintf(to, "%5.2f-%.2f %9ld  %7.2f  %7.2f\n", (double)i / EVALUATE_BINS,
                    (double)(i + 1) / EVALUATE_BINS, v->given[i],
                    100 * v->sum[i] / (double)v->given[i], percent(v->right[i], v->given[i]));
}
