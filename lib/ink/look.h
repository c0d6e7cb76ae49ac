/* Finding digits with the network: from a frame to digits of 28x28. */
#ifndef INKPIPE_LOOK_H
#define INKPIPE_LOOK_H

#include "cut.h"
#include "finder.h"
#include "ink.h"

struct look;
struct look *look_new(const struct ink_finder *finder, struct err *e);
void look_free(struct look *l);

/* As ink_find. */
int look_find(struct look *l, const struct cut_source *s, bool many, struct ink_digit **digits, struct err *e);

/* As ink_seen. */
int look_seen(const struct look *l);

/* What the finder saw in the last picture, of which the digits were cut: owned by l. */
const struct ink_candidate *look_candidates(const struct look *l, int *count);

#endif
