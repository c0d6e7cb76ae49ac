/* How good answers are: accuracy, which digit is taken for which, and whether probabilities mean
 * what they say. */
#ifndef INKPIPE_EVALUATE_H
#define INKPIPE_EVALUATE_H

#include <stddef.h>

#define EVALUATE_NONE 10    /* no digit: as the answer refused, as the truth FRAME_NONE */
#define EVALUATE_BINS 20    /* of probability, each 0.05 wide */
#define EVALUATE_TEXT 4096  /* bytes that hold the report */

/* Counts; all zero is where one starts. */
struct evaluation {
    long count[11][11];        /* [truth][answer] */
    long given[EVALUATE_BINS]; /* answers whose probability is in the bin (0 goes in the first) */
    long right[EVALUATE_BINS]; /* of them */
    double sum[EVALUATE_BINS]; /* of their probabilities */
};

/* Count one answer: truth and digit are 0..9 or EVALUATE_NONE, probability is the digit's, 0..1 (of
 * no meaning when there is none). */
void evaluation_add(struct evaluation *v, int truth, int digit, double probability);

long evaluation_frames(const struct evaluation *v);
long evaluation_right(const struct evaluation *v);
/* Digits that were answered with none, and frames without a digit that were answered with one. */
long evaluation_refused(const struct evaluation *v);
long evaluation_false_digits(const struct evaluation *v);

/* The expected calibration error (Naeini et al. 2015; Guo et al. 2017) over the answers given: the
 * mean over the bins, weighted by their answers, of |share right - mean probability|. 0 when no
 * answer was given. */
double evaluation_calibration_error(const struct evaluation *v);

/* Write the report, as cnn-predict(1) describes it, into text of EVALUATE_TEXT bytes: accuracy and
 * calibration error, the confusion table, the reliability table; what it says of frames without a
 * digit is left out when there were none of these. Returns its length. */
size_t evaluation_text(const struct evaluation *v, char *text);

#endif
