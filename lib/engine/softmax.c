/* What is made of a classifier's logits: probabilities, the answer, the loss and its gradient. */
#include "map_loss.h"

#include <math.h>

void softmax(const float *logits, int k, double temperature, double *p)
{
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < k; i++)
        most = fmax(most, logits[i]);
    for (int i = 0; i < k; i++)
        sum += p[i] = exp((logits[i] - most) / temperature);
    for (int i = 0; i < k; i++)
        p[i] /= sum;
}

int argmax(const float *logits, int k)
{
    int best = 0;
    for (int i = 1; i < k; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

double cross_entropy(const struct cross_entropy *c, const float *logits, int truth, float *grad)
{
    double most = -INFINITY, sum = 0, loss = 0;
    for (int k = 0; k < c->classes; k++)
        most = fmax(most, logits[c->at[k]]);
    for (int k = 0; k < c->classes; k++)
        sum += exp(logits[c->at[k]] - most);
    for (int k = 0; k < c->classes; k++) {
        double x = logits[c->at[k]] - most;
        double target = c->smoothing / c->classes + (k == truth ? 1 - c->smoothing : 0);
        // cppcheck-suppress invalidFunctionArg ; the largest logit adds 1
        loss += target * (log(sum) - x);
        grad[c->at[k]] = (float)(c->weight * (exp(x) / sum - target) / c->count);
    }
    return loss;
}
