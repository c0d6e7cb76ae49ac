/* Temperature scaling (Guo et al. 2017).
 *   in   logits and labels
 *   out  the temperature of the least cross-entropy, by golden section */
#include "learn.h"

#include <math.h>

double calibrate_loss(const float *logits, const uint16_t *labels, long n, int k,
                      double temperature)
{
    double loss = 0;
    for (long i = 0; i < n; i++) {
        const float *z = logits + i * k;
        double most = z[0], sum = 0;
        for (int j = 1; j < k; j++)
            most = fmax(most, z[j]);
        for (int j = 0; j < k; j++)
            sum += exp((z[j] - most) / temperature);
        // cppcheck-suppress invalidFunctionArg ; the largest logit adds 1
        loss += log(sum) - (z[labels[i]] - most) / temperature;
    }
    return loss / (double)n;
}

/* Golden-section search over the logarithm of the temperature: the loss has one minimum. */
double calibrate_temperature(const float *logits, const uint16_t *labels, long n, int k)
{
    if (n == 0)
        return 1;
    const double golden = 0.6180339887498949;
    double low = log(CALIBRATE_LOW), high = log(CALIBRATE_HIGH);
    double a = high - golden * (high - low), b = low + golden * (high - low);
    double at_a = calibrate_loss(logits, labels, n, k, exp(a));
    double at_b = calibrate_loss(logits, labels, n, k, exp(b));
    while (high - low > 1e-4) {
        if (at_a <= at_b) {
            high = b, b = a, at_b = at_a;
            a = high - golden * (high - low);
            at_a = calibrate_loss(logits, labels, n, k, exp(a));
        } else {
            low = a, a = b, at_a = at_b;
            b = low + golden * (high - low);
            at_b = calibrate_loss(logits, labels, n, k, exp(b));
        }
    }
    return exp((low + high) / 2);
}
