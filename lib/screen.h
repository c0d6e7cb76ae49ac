/* Can an X display be grabbed? */
#ifndef INKPIPE_SCREEN_H
#define INKPIPE_SCREEN_H

#include "err.h"

/* Check the display of an x11grab source ("", ":0.0", ":0.0+10,20"; without a name the one X
 * programs use). Returns 0; -1 when there is none, or when it is Xwayland's, which gives black
 * pictures without an error. */
int screen_check(const char *source, struct err *e);

#endif
