/* The network that finds digits (find.onnx): a picture -> candidates, each a box with what it may hold. */
#ifndef INKPIPE_FINDER_H
#define INKPIPE_FINDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ink.h"

/* The workspace of a search through one picture after another, by one thread. `finder` must outlive it. */
struct search;
struct search *search_new(const struct ink_finder *finder, struct err *e);
void search_free(struct search *s);

/* Look for writing in w x h gray pixels, rows `stride` bytes apart, reduced so that the longest side is at
 * most `side`. Candidates whose score is at least `least`, on all levels of the pyramid, in no order,
 * belong to the search until the next call. Returns how many they are, or -1 when memory is short. */
int search_run(struct search *s, const uint8_t *gray, long stride, int w, int h, int side, float least,
               struct ink_candidate **found, struct err *e);

#endif
