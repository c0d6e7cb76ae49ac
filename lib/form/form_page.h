/* The fields of one page together, under its rules `= EXPRESSION`: a factor graph whose variables are the
 * fields and whose factors are these rules, solved by message passing (Kschischang, Frey and Loeliger,
 * Factor graphs and the sum-product algorithm, 2001). Where no two rules meet in more than one field the
 * graph is a forest, and all that is found is exact; else it is an approximation.
 *
 * A factor is 1 where the rule holds and WEIGHT_BROKEN where it does not. An empty field counts as 0 in an
 * expression; the rule of a field that is empty or no number holds, and so does one over a field that is
 * no number. */
#ifndef INKPIPE_FORM_PAGE_H
#define INKPIPE_FORM_PAGE_H

#include "form_bag.h"
#include "form_expression.h"
#include "form_states.h"

struct page {
    const struct form *form;
    int factors;
    int *rule;              /* [factors] the field whose rule it is */
    struct states *states;  /* [fields] the caller's */
    double **prior;         /* [fields][states[field].n] weights, the caller's to fill */
    double ***message;      /* [factors][fields][n] from factor to field; NULL where it has none */
    bool *awake;            /* [factors] what a factor was told has changed since it spoke */
    double *log_total;      /* [factors] of all weight under the factor */
    struct bag inside[EXPRESSION_MAX_NODES], outside[EXPRESSION_MAX_NODES];
};

/* A page of that form, to be used for one page after another. Returns NULL or what page_free frees. */
struct page *page_new(const struct form *form, struct err *e);
void page_free(struct page *p);

/* Make room for the states that are now in p->states, and let the prior be their weights. Returns 0 or -1. */
int page_reset(struct page *p, struct err *e);

/* Send all messages until they stay as they are. Returns 0 or -1. */
int page_infer(struct page *p, enum semiring ring, struct err *e);

/* The weight of each state of a field, after page_infer: of all readings of the page with it, or of the
 * best one. To out[n]; not normalised. */
void page_belief(const struct page *p, int field, double *out);

/* The most probable reading of the page: a state for each field. Runs page_infer(MAX). Returns 0 or -1. */
int page_best(struct page *p, int *choice, struct err *e);

/* The logarithm of a reading's weight, and of all readings', after page_infer(SUM). */
double page_log_weight(const struct page *p, const int *choice);
double page_log_total(const struct page *p);

/* Does the reading keep the rule of factor i? */
bool page_keeps(const struct page *p, int factor, const int *choice);

#endif
