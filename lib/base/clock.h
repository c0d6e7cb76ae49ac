/* The time that passes. */
#ifndef INKPIPE_CLOCK_H
#define INKPIPE_CLOCK_H

#include <math.h>
#include <time.h>

/* Seconds on a clock that never jumps; what it counts from means nothing. */
static inline double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* So many seconds (0 and more), as system calls take them. */
static inline struct timespec clock_span(double seconds)
{
    return (struct timespec){(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
}

#endif
