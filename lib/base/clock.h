/* Time measured on the monotonic clock. */
#ifndef INKPIPE_CLOCK_H
#define INKPIPE_CLOCK_H

#include <math.h>
#include <time.h>

/* Seconds since some moment in the past, on a clock that never jumps: only differences mean anything. */
static inline double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A duration of `seconds`, at least 0, as system calls take it. */
static inline struct timespec clock_span(double seconds)
{
    return (struct timespec){(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
}

#endif
