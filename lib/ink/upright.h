/* Which way up a page lies, and the page turned so that its writing is upright. */
#ifndef INKPIPE_UPRIGHT_H
#define INKPIPE_UPRIGHT_H

#include "cut.h"
#include "finder.h"

/* Workspace, for one thread at a time. */
struct upright;
struct upright *upright_new(struct err *e);
void upright_free(struct upright *u);

/* Find out by `search` how many quarter turns clockwise, 0..3, make the writing of *s upright, and turn it:
 * *s becomes the turned picture, which u owns until the next call. Returns the turns, or -1 when memory is
 * short. */
int upright_turn(struct upright *u, struct search *search, struct cut_source *s, struct err *e);

/* A box of the turned picture as it lies in the picture of w x h that it was made of. */
struct box upright_back(struct box b, int turns, int w, int h);

#endif
