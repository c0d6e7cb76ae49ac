/* How a network is trained, in the words of cnn-train's options: names instead of enums, and what
 * was not said taken from what usually goes with the rest. */
#ifndef INKPIPE_RECIPE_H
#define INKPIPE_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "learn/learn.h"

struct recipe {
    int optimizer;          /* recipe_optimizer's */
    struct fit_options fit; /* rate, warmup and weight decay are -1 until recipe_complete */
    double validation;      /* frames set aside: a part when under 1, else a count */
};

/* What cnn-train does without options. */
extern const struct recipe recipe_default;

/* The optimizer called `adamw`, `adam` (as Keras has it) or `sgd`; -1 when there is none. */
int recipe_optimizer(const char *name);

/* The precision of products called `fp32` (0) or `bf16` (1); -1 when there is none. */
int recipe_precision(const char *name);

/* Fill in what is -1 by optimizer and schedule; a run that starts from a model takes a tenth of the
 * usual rate. */
void recipe_complete(struct recipe *r, bool from_model);

/* The frames to set aside of a number of images. */
long recipe_validation(const struct recipe *r, long images);

/* The recipe as a command line with nothing left to a default: what goes into the model's metadata.
 * `net` is -n's or, when from_model, -i's file, of which the last part is named. Returns text. */
char *recipe_command(const struct recipe *r, const char *net, bool from_model, long validation,
                     char *text, size_t size);

/* Whether frames can train net: gray pictures of at most AUGMENT_MAX_SIDE come in, 2 to 11 outputs
 * go out. Returns 0 or -1. */
int recipe_check_net(const struct net *net, struct err *e);

#endif
