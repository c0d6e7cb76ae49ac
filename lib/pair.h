/* Telling two touching digits from one wide digit. */
#ifndef INKPIPE_PAIR_H
#define INKPIPE_PAIR_H

#include <stdint.h>

/* The logarithm of the odds that pixels [28][28], normalised, are two digits that touch rather than
 * one that is wide: a small network (pair_table.h). It is asked of things at least 0.9 times as
 * wide as they are high; others were not in its training. */
float pair_odds(const uint8_t *pixels);

#endif
