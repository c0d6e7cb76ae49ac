/* The learning rate, step by step. */
#ifndef INKPIPE_SCHEDULE_H
#define INKPIPE_SCHEDULE_H

enum schedule {
    SCHEDULE_ONECYCLE, /* up from peak/25 and down to nothing, both by a cosine (Smith & Topin 2018,
                          as PyTorch's OneCycleLR) */
    SCHEDULE_COSINE,   /* straight up from 0, then down to nothing by a cosine (Loshchilov & Hutter
                          2017, without restarts) */
    SCHEDULE_CONSTANT  /* straight up from 0, then the peak */
};

/* The rate of step 0..steps-1. `warmup` is the part of the steps, 0..1, that the way up takes. */
double schedule_rate(enum schedule s, double peak, double warmup, long step, long steps);

/* The usual warm-up: 0.3, 0.05 and 0. */
double schedule_warmup(enum schedule s);

/* The schedule called `onecycle`, `cosine` or `constant`; -1 when there is none of that name. */
int schedule_named(const char *name);
const char *schedule_name(enum schedule s);

#endif
