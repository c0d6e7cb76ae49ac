/* The losses of training: a classifier's (softmax.c) and a finder's (map_loss.c); for this room and its tests. */
#ifndef INKPIPE_MAP_LOSS_H
#define INKPIPE_MAP_LOSS_H

#include "engine.h"

/* Softmax and cross-entropy with label smoothing: target = (1 - s) * onehot + s / classes. */
struct cross_entropy {
    int classes;
    const long *at;   /* [classes]: where each class's logit lies */
    double smoothing; /* s, 0..1 */
    double weight, count; /* the gradient is that of weight * loss / count */
};

/* Returns the loss of one example; its gradient into grad, which lies as logits do. */
double cross_entropy(const struct cross_entropy *c, const float *logits, int truth, float *grad);

#define MAP_UNIT 24.0f /* pixels: the side whose logarithm is 0 in a map */

/* The number of one picture's boxes that are learnt from: cells that hold a centre. `marks` is made
 * for map_loss: [rows][columns], how near a cell is to a centre, 0..1, 1 where the cell counts for
 * nothing; 2 + k in the cell that is the centre of box k. Cells under a box of MAP_IGNORE, and one
 * around it, count for nothing, but for those that are another box's centre. */
long map_mark(const struct map_shape *s, const struct map_truth *t, float *marks);

/* Add the losses of a picture marked so, divided by `boxes` (those of the whole batch, at least 1),
 * to *loss, and set grad [channels][rows][columns] to the gradient of map_loss_total. */
void map_loss(const struct map_shape *s, const float *map, const struct map_truth *t,
              const float *marks, double boxes, float *grad, struct map_loss *loss);

#endif
