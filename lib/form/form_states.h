/* What a field may say: the readings of its boxes, weighed by what was seen in them and by its own rules.
 *
 * A rule is never certain, since people miscount and write beside boxes: a reading that breaks one weighs a
 * small part of what its boxes say (the constants below). So the most probable reading keeps the rules
 * unless all that keep them are that much less probable, and then the plain one stands. */
#ifndef INKPIPE_FORM_STATES_H
#define INKPIPE_FORM_STATES_H

#include "form.h"

enum { SYMBOL_EMPTY = 10, SYMBOLS }; /* of a box: a digit, or nothing */

/* The probability of each symbol in a box. */
struct odds {
    float p[SYMBOLS];
};

#define WEIGHT_BROKEN 1e-3 /* Each of min, max, check, =, unique and rising that a reading breaks weighs so much. */
#define WEIGHT_EMPTY 1e-3  /* An empty field that may not be empty weighs so much. */
#define WEIGHT_BOXES 1e-3  /* Boxes that make no number, one behind a written one being empty, weigh so much. */
#define SHARE_OUTSIDE 1e-2 /* So large a share of numbers is not in their list, and is then any number. */
#define MIN_WEIGHT 1e-9    /* A reading that weighs less, beside its field's best, is not told apart. */
#define MAX_STATES 4096    /* So many readings of a field at most are told apart. */

/* A reading: all ways to write one value, with leading zeros or empty boxes. */
struct state {
    int64_t value;
    double p;       /* weight: the probability of its boxes times those of broken rules; not normalised */
    double seen;    /* the probability of the boxes of its most probable way, rules apart */
    double top;     /* the weight of that way */
    int entry;      /* of the list; -1: none */
    int written;    /* boxes written in that way; STATE_EMPTY, STATE_OTHER, STATE_REST */
    unsigned broken; /* by that way, of the field's own rules */
};
enum {
    STATE_EMPTY = 0,
    STATE_OTHER = -1, /* boxes that make no number */
    STATE_REST = -2   /* all numbers that are too improbable to be told apart: they keep no rule */
};
struct states {
    struct state *state; /* [n] values rising; before them EMPTY, behind them OTHER and REST */
    size_t n, room;
};

/* What was seen becomes odds: no symbol is impossible, and writing that is no digit is an empty box with
 * something in it or a digit that cannot be told. */
struct odds odds_of(const struct form_evidence *evidence);
struct odds odds_unknown(void);

/* Find the readings of field f in its cells, odds[form_cells(f)] from the left. Returns 0 or -1. Free
 * s->state with free. */
int states_find(struct states *s, const struct form_field *f, const struct odds *odds, struct err *e);

/* n weights of 1, malloc'd; NULL: no memory. */
double *ones(size_t n);

/* The most states that any of n fields has; at least 1. */
size_t most_states(const struct states *s, size_t n);

/* Write a reading as text of FORM_NUMBER bytes. `sure`: its digits are those of the reading, else one that
 * no symbol of its box speaks for is ?. */
void state_text(const struct form_field *f, const struct state *s, const struct odds *odds, bool sure,
                char *text);

/* Has it a number of its own, to be held against other fields' and pages' rules? */
static inline bool state_counts(const struct state *s)
{
    return s->written > 0;
}

#endif
