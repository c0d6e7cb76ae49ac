/* A trained network in 8 bits: weights in whole multiples of a step for each output channel,
 * activations in 256 levels. What comes out is a net in which int8.h finds what it runs, and
 * onnx_save writes QuantizeLinear and DequantizeLinear, so that other runtimes give the same
 * answers. */
#ifndef INKPIPE_QUANTIZE_H
#define INKPIPE_QUANTIZE_H

#include "dataset.h"
#include "net.h"
#include "threads.h"

#define QUANTIZE_MAX_LOSS 0.0002 /* of the validation split's accuracy, as a rule: 0.02 points */

struct quantize_report {
    long images;        /* in the validation split */
    long before, after; /* how many of them are right, in floats and in 8 bits */
};

/* The net in 8 bits. Batch norm goes into the weights before or after it; the range of each
 * activation is the one with the least squared error on a part of the split's training images, the
 * layers before it being in 8 bits already. Metadata are the net's, with the temperature fitted anew,
 * the accuracy in 8 bits, and "quantized", which says what that costs. Returns NULL when the net is
 * no chain of layers that can be quantized, or where r, which is filled in, says that it loses more
 * than max_loss of the accuracy. Free with net_free. */
struct net *quantize_net(const struct net *net, const struct dataset *d, const struct split *s,
                         double max_loss, struct threads *t, struct quantize_report *r,
                         struct err *e);

#endif
