/* The line that a person watches while work is long. */
#ifndef INKPIPE_PROGRESS_H
#define INKPIPE_PROGRESS_H

#include <stddef.h>

#include "learn/learn.h"

/* `epoch 2/10 [=====>    ]  1834 images/s  1:23 left  loss 0.0512  99.12 %`, cut to `columns`.
 * Returns text. */
char *progress_text(const struct fit_progress *p, int columns, char *text, size_t size);

/* Seconds as m:ss or h:mm:ss. Returns text. */
char *progress_time(double seconds, char *text, size_t size);

#endif
