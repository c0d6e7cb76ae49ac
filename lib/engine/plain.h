/* Plain loops, without kernels, for layers that only models from elsewhere have; for this room alone. */
#ifndef INKPIPE_PLAIN_H
#define INKPIPE_PLAIN_H

#include "infer_plan.h"

/* The function of OP_POINTWISE or OP_QUANTIZE, of one value. */
typedef float pointwise_function(const struct layer *l, float x);
pointwise_function *pointwise_of(const struct layer *l);

/* Steps:
 *   plain_mul       y = x * x2
 *   plain_upsample  OP_UPSAMPLE, OP_ZEROSTUFF
 *   plain_dynamic   OP_DYNAMIC, image by image; x is of value v */
void plain_mul(struct view x, struct view x2, struct view y);
void plain_upsample(const struct layer *l, struct view x, struct view y);
void plain_dynamic(const struct value *v, struct view x, struct view y);

#endif
