/* Whether an X display can be grabbed. */
#ifndef INKPIPE_SCREEN_H
#define INKPIPE_SCREEN_H

#include "base/err.h"

/* Open the display of an x11grab source ("", ":0.0", ":0.0+10,20"; without a name the one X programs
 * use) to see whether it can be grabbed. NULL when there is none, or when it is Xwayland's, which
 * gives black pictures without an error. Keep it open while grabbing: a server whose last client
 * leaves may restart. */
struct _XDisplay *screen_open(const char *source, struct err *e);
void screen_close(struct _XDisplay *display);

#endif
