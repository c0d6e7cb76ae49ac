/* Plain loops, without kernels, for layers that only models from elsewhere have; for this room alone. */
#ifndef INKPIPE_PLAIN_H
#define INKPIPE_PLAIN_H

#include "program.h"

/* plain_each      OP_POINTWISE, OP_QUANTIZE; y is of value v
 * plain_pool      pools that pool_is_plain
 * plain_mul       y = x * x2
 * plain_upsample  OP_UPSAMPLE, OP_ZEROSTUFF
 * plain_dynamic   OP_DYNAMIC, image by image; x is of value v */
void plain_each(const struct layer *l, const struct value *v, struct view x, struct view y);
void plain_pool(const struct layer *l, struct view x, struct view y);
void plain_mul(struct view x, struct view x2, struct view y);
void plain_upsample(const struct layer *l, struct view x, struct view y);
void plain_dynamic(const struct value *v, struct view x, struct view y);

#endif
