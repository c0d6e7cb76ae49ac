/* lib/calibrate: logits whose truth was drawn with a known temperature give it back. */
#include <math.h>
#include <stdlib.h>

#include "learn/learn.h"
#include "../check.h"
#include "base/rng.h"

#define N 20000
#define K 4

static void check_known(double temperature)
{
    float *logits = calloc(N * K, sizeof *logits);
    uint16_t *labels = calloc(N, sizeof *labels);
    if (!logits || !labels)
        exit(1);
    struct rng r = rng_seed(1, 2);
    for (long i = 0; i < N; i++) {
        double p[K], sum = 0;
        for (int j = 0; j < K; j++) {
            logits[i * K + j] = (float)(3 * rng_normal(&r));
            sum += p[j] = exp((double)logits[i * K + j] / temperature);
        }
        double at = sum * rng_uniform(&r);
        int truth = 0;
        while (truth < K - 1 && (at -= p[truth]) >= 0)
            truth++;
        labels[i] = (uint16_t)truth;
    }
    double got = calibrate_temperature(logits, labels, N, K);
    CHECK(fabs(got / temperature - 1) < 0.05, "temperature %g is found (%.4f)", temperature, got);
    double least = calibrate_loss(logits, labels, N, K, got);
    CHECK(least <= calibrate_loss(logits, labels, N, K, got * 1.01) &&
              least <= calibrate_loss(logits, labels, N, K, got / 1.01),
          "the loss is least there");
    free(logits);
    free(labels);
}

int main(void)
{
    const float sure[] = {1000, 0, -1000, 5}, even[] = {2, 2};
    const uint16_t right[] = {0}, wrong[] = {2};
    check_known(0.8);
    check_known(1);
    check_known(2.5);
    CHECK(calibrate_temperature(NULL, NULL, 0, K) == 1, "1 without data");
    CHECK(fabs(calibrate_temperature(sure, right, 1, 4) - CALIBRATE_LOW) < 1e-3, "bounded below");
    CHECK(fabs(calibrate_temperature(sure, wrong, 1, 4) - CALIBRATE_HIGH) < 1e-3, "and above");
    CHECK(calibrate_loss(sure, wrong, 1, 4, 1) == 2000, "large logits do not overflow");
    CHECK(fabs(calibrate_loss(even, right, 1, 2, 3) - log(2)) < 1e-12, "one of two: log 2");
    return check_done();
}
