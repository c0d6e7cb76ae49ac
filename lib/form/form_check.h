/* Check digits, each as a small automaton that reads a number's digits from the right. */
#ifndef INKPIPE_FORM_CHECK_H
#define INKPIPE_FORM_CHECK_H

#include "form.h"

#define CHECK_MAX_STATES 97

/* The automaton of a check has states 0 to check_states - 1 and begins in 0. */
int check_states(enum form_check check);

/* The state behind `state` when the digit at `place`, from 0 at the right, is read. */
int check_step(enum form_check check, int state, int place, int digit);

bool check_accepts(enum form_check check, int state);

/* Does the number that these n digits spell, from the left, pass? */
bool check_passes(enum form_check check, const int *digit, int n);

#endif
