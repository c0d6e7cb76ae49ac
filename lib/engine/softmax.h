/* The loss of a classifier, for the trainer's own files. */
#ifndef INKPIPE_SOFTMAX_H
#define INKPIPE_SOFTMAX_H

/* Softmax and cross-entropy with label smoothing: target = (1 - s) * onehot + s / classes. */
struct cross_entropy {
    int classes;
    const long *at;   /* [classes]: where each class's logit lies */
    double smoothing; /* s, 0..1 */
    double weight, count; /* the gradient is that of weight * loss / count */
};

/* Returns the loss of one example; its gradient into grad, which lies as logits do. */
double cross_entropy(const struct cross_entropy *c, const float *logits, int truth, float *grad);

#endif
