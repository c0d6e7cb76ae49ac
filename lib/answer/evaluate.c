/* How good answers are.
 *   in   pairs of truth and answer with its probability
 *   out  accuracy, confusion matrix, reliability table, expected calibration error (Guo et al. 2017) */
#include "answer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void evaluation_add(struct evaluation *v, int truth, int digit, double probability)
{
    v->count[truth][digit]++;
    if (digit == EVALUATE_NONE)
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
    for (int i = 0; i <= EVALUATE_NONE; i++)
        sum += v->count[truth][i];
    return sum;
}

long evaluation_frames(const struct evaluation *v)
{
    long sum = 0;
    for (int i = 0; i <= EVALUATE_NONE; i++)
        sum += row_sum(v, i);
    return sum;
}

long evaluation_right(const struct evaluation *v)
{
    long sum = 0;
    for (int i = 0; i <= EVALUATE_NONE; i++)
        sum += v->count[i][i];
    return sum;
}

long evaluation_refused(const struct evaluation *v)
{
    long sum = 0;
    for (int i = 0; i < 10; i++)
        sum += v->count[i][EVALUATE_NONE];
    return sum;
}

long evaluation_false_digits(const struct evaluation *v)
{
    return row_sum(v, EVALUATE_NONE) - v->count[EVALUATE_NONE][EVALUATE_NONE];
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

static void put(char *text, size_t *len, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void put(char *text, size_t *len, const char *format, ...)
{
    size_t room = EVALUATE_TEXT - *len;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + *len, room, format, args);
    va_end(args);
    *len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static double percent(long part, long whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void put_row(const struct evaluation *v, int truth, char *text, size_t *len)
{
    if (truth == EVALUATE_NONE)
        put(text, len, "%5s", "none");
    else
        put(text, len, "%5d", truth);
    for (int i = 0; i <= EVALUATE_NONE; i++)
        put(text, len, " %5ld", v->count[truth][i]);
    put(text, len, "  %7.2f\n", percent(v->count[truth][truth], row_sum(v, truth)));
}

size_t evaluation_text(const struct evaluation *v, char *text)
{
    size_t len = 0;
    long frames = evaluation_frames(v), right = evaluation_right(v);
    long refused = evaluation_refused(v), empty = row_sum(v, EVALUATE_NONE);
    put(text, &len, "accuracy %.2f %%: %ld of %ld right, %ld wrong, %ld refused\n",
        percent(right, frames), right, frames, frames - right - refused, refused);
    put(text, &len, "expected calibration error %.2f %%\n", 100 * evaluation_calibration_error(v));
    if (empty)
        put(text, &len, "false digits %.2f %%: %ld of %ld frames without one\n",
            percent(evaluation_false_digits(v), empty), evaluation_false_digits(v), empty);

    put(text, &len, "\ntruth");
    for (int i = 0; i < 10; i++)
        put(text, &len, " %5d", i);
    put(text, &len, " %5s  right %%\n", "-");
    for (int i = 0; i <= (empty ? EVALUATE_NONE : 9); i++)
        put_row(v, i, text, &len);

    put(text, &len, "\nprobability  answers   mean %%  right %%\n");
    for (int i = 0; i < EVALUATE_BINS; i++)
        if (v->given[i])
            put(text, &len, "%5.2f-%.2f %9ld  %7.2f  %7.2f\n", (double)i / EVALUATE_BINS,
                (double)(i + 1) / EVALUATE_BINS, v->given[i],
                100 * v->sum[i] / (double)v->given[i], percent(v->right[i], v->given[i]));
    return len;
}
