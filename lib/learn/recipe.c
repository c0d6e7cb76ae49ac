/* Options of a run to what they mean.
 *   in   the options that were given
 *   out  all numbers of the run: defaults by optimizer and kind of network, checked */
#include "learn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum optimizer optimizer;
    double rate, decay, finder_decay, epsilon;
} optimizers[] = { /* in the order of RECIPE_OPTIMIZERS */
    {"adamw", OPT_ADAMW, 0.002, 0.01, 0.0001, 1e-8},
    {"adam", OPT_ADAMW, 0.001, 0, 0, 1e-7},
    {"sgd", OPT_SGD, 0.05, 0.0005, 0.0001, 1e-8},
};
#define FINDER_CLIP 5 /* The norm of a finder's gradient is at most this: no tile full of writing dominates. */

const struct fit_options recipe_default = {
    .train = {.batch = -1, .beta1 = 0.9, .beta2 = 0.999, .weight_decay = -1, .seed = 1},
    .validation = 1.0 / 12,
    .rate = -1,
    .schedule = SCHEDULE_ONECYCLE,
    .warmup = -1,
    .average = 0.05,
    .epochs = 10,
    .augment = AUGMENT_DEFAULT,
    .tone = {.gain = -1, .noise = -1}};

void recipe_complete(struct fit_options *o, bool from_model, bool finder)
{
    if (o->train.batch < 0)
        o->train.batch = finder ? 16 : 64;
    if (o->tone.gain < 0)
        o->tone.gain = 0.15;
    if (o->tone.noise < 0)
        o->tone.noise = 0.15;
    o->train.clip = finder ? FINDER_CLIP : 0;
    if (o->rate < 0)
        o->rate = optimizers[o->optimizer].rate / (from_model ? 10 : 1);
    if (o->warmup < 0)
        o->warmup = schedule_kind[o->schedule].warmup;
    if (o->train.weight_decay < 0)
        o->train.weight_decay = finder ? optimizers[o->optimizer].finder_decay
                                       : optimizers[o->optimizer].decay;
    o->train.optimizer = optimizers[o->optimizer].optimizer;
    o->train.epsilon = optimizers[o->optimizer].epsilon;
}

long recipe_validation(const struct fit_options *o, long images)
{
    return lround(o->validation < 1 ? o->validation * (double)images : o->validation);
}

char *recipe_command(const struct fit_options *o, const char *net, bool from_model, bool finder,
                     long validation, char *text, size_t size)
{
    const char *slash = strrchr(net, '/');
    char smoothing[32] = "", look[320], augment[256];
    if (finder)
        snprintf(look, sizeof look, "-g %g -N %g", o->tone.gain, o->tone.noise);
    else
        snprintf(look, sizeof look, "-a %s", augment_text(&o->augment, augment, sizeof augment));
    if (!finder)
        snprintf(smoothing, sizeof smoothing, "-L %g ", o->train.label_smoothing);
    snprintf(text, size,
             "cnn-train -%c %s -e %d -b %d -O %s -l %g -S %s -W %g -w %g %s-E %g %s -A %d "
             "-v %ld -s %llu%s",
             from_model ? 'i' : 'n', slash ? slash + 1 : net, o->epochs, o->train.batch,
             optimizers[o->optimizer].name, o->rate, schedule_kind[o->schedule].name, o->warmup,
             o->train.weight_decay, smoothing, o->average, look, o->plain_epochs, validation,
             (unsigned long long)o->train.seed, o->train.bf16 ? " -p bf16" : "");
    return text;
}

static int check_finder(const struct net *net, struct err *e)
{
    struct shape in = net_input(net), out = net->layer[net->layers - 1].out;
    if (in.c != 1 || in.h != in.w || in.h > FRAME_MAX_SIDE)
        return err_set(e, "the finder reads %dx%dx%d; its frames are gray squares of at most %d pixels",
                       in.c, in.h, in.w, FRAME_MAX_SIDE);
    if (out.c > NET_BOX_CHANNELS + BOXES_CLASSES)
        return err_set(e, "a map of %d channels: there are %d classes, which makes %d", out.c,
                       BOXES_CLASSES, NET_BOX_CHANNELS + BOXES_CLASSES);
    return 0;
}

int recipe_check_net(const struct net *net, struct err *e)
{
    struct shape in = net_input(net);
    if (net_is_finder(net))
        return check_finder(net, e);
    if (in.c != 1 || in.h > AUGMENT_MAX_SIDE || in.w > AUGMENT_MAX_SIDE)
        return err_set(e, "the network reads %dx%dx%d; frames are gray and at most %d pixels a side",
                       in.c, in.h, in.w, AUGMENT_MAX_SIDE);
    if (net_outputs(net) < 2 || net_outputs(net) > LABEL_MAX_CLASSES)
        return err_set(e, "the network has %d outputs, not 2 to %d", net_outputs(net),
                       LABEL_MAX_CLASSES);
    return 0;
}
