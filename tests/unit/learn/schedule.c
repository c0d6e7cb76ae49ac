/* lib/schedule: where the rate starts, peaks and ends. */
#include <math.h>
#include <string.h>

#include "../check.h"
#include "learn/learn.h"

static void check_shape(enum schedule s, double warmup)
{
    const long steps = 1000;
    long peak = 0;
    int wrong_way = 0;
    double last = 0;
    for (long i = 0; i < steps; i++) {
        double rate = schedule_rate(s, 0.5, warmup, i, steps);
        if (rate > schedule_rate(s, 0.5, warmup, peak, steps))
            peak = i;
        wrong_way += i > 0 && (double)i < warmup * steps && rate <= last;
        wrong_way += i > 0 && (double)i > warmup * steps && rate > last;
        last = rate;
    }
    const char *name = schedule_kind[s].name;
    CHECK(peak == lround(warmup * steps), "%s peaks after its warm-up (step %ld)", name, peak);
    CHECK(fabs(schedule_rate(s, 0.5, warmup, peak, steps) - 0.5) < 1e-12, "%s peaks at the peak",
          name);
    CHECK(!wrong_way, "%s rises before and never after", name);
}

int main(void)
{
    for (int s = 0; s <= SCHEDULE_CONSTANT; s++) {
        check_shape((enum schedule)s, 0.3);
        check_shape((enum schedule)s, 0);
        CHECK(strstr(SCHEDULE_NAMES, schedule_kind[s].name), "name %d", s);
        for (long steps = 1; steps < 4; steps++)
            for (long i = 0; i < steps; i++) {
                double rate = schedule_rate((enum schedule)s, 1, 1, i, steps);
                CHECK(rate > 0 && rate <= 1, "step %ld of %ld has a rate (%g)", i, steps, rate);
            }
    }
    CHECK(fabs(schedule_rate(SCHEDULE_ONECYCLE, 0.5, 0.3, 0, 1000) - 0.02) < 1e-12,
          "one-cycle: from peak/25");
    CHECK(schedule_rate(SCHEDULE_ONECYCLE, 0.5, 0.3, 999, 1000) < 1e-5, "one-cycle: to nothing");
    CHECK(fabs(schedule_rate(SCHEDULE_COSINE, 0.5, 0, 500, 1000) - 0.25) < 1e-12, "cosine: halfway");
    CHECK(schedule_rate(SCHEDULE_CONSTANT, 0.5, 0, 0, 1000) == 0.5, "constant: from the start");
    CHECK(fabs(schedule_rate(SCHEDULE_CONSTANT, 1, 0.1, 0, 40) - 0.2) < 1e-12,
          "constant: warm-up begins above nothing");
    return check_done();
}
