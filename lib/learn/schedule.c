/* Schedules of the learning rate.
 *   in   a step of a run
 *   out  its learning rate (Smith and Topin 2018; Loshchilov and Hutter 2017) */
#include "learn.h"

#include <math.h>

const struct schedule_kind schedule_kind[] = {
    [SCHEDULE_ONECYCLE] = {"onecycle", 0.3},
    [SCHEDULE_COSINE] = {"cosine", 0.05},
    [SCHEDULE_CONSTANT] = {"constant", 0},
};

/* Interpolate from `from` (at 0) to `to` (at 1) by half a cosine. */
static double ease(double from, double to, double at)
{
    return to + (from - to) * (1 + cos(3.14159265358979323846 * at)) / 2;
}

double schedule_rate(enum schedule s, double peak, double warmup, long step, long steps)
{
    double up = warmup * (double)steps, at = (double)step;
    if (at < up)
        return s == SCHEDULE_ONECYCLE ? ease(peak / 25, peak, at / up) : peak * (at + 1) / (up + 1);
    if (s == SCHEDULE_CONSTANT)
        return peak;
    return ease(peak, 0, (at - up) / ((double)steps - up));
}
