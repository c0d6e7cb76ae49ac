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

const struct recipe recipe_default = {
    .validation = 1.0 / 12,
    .fit = {.train = {.batch = -1, .beta1 = 0.9, .beta2 = 0.999, .weight_decay = -1, .seed = 1},
            .rate = -1,
            .schedule = SCHEDULE_ONECYCLE,
            .warmup = -1,
            .average = 0.05,
            .epochs = 10,
            .augment = AUGMENT_DEFAULT,
            .tone = {.gain = -1, .noise = -1}}};

void recipe_complete(struct recipe *r, bool from_model, bool finder)
{
    struct fit_options *f = &r->fit;
    if (f->train.batch < 0)
        f->train.batch = finder ? 16 : 64;
    if (f->tone.gain < 0)
        f->tone.gain = 0.15;
    if (f->tone.noise < 0)
        f->tone.noise = 0.15;
    f->train.clip = finder ? FINDER_CLIP : 0;
    if (f->rate < 0)
        f->rate = optimizers[r->optimizer].rate / (from_model ? 10 : 1);
    if (f->warmup < 0)
        f->warmup = schedule_warmup(f->schedule);
    if (f->train.weight_decay < 0)
        f->train.weight_decay = finder ? optimizers[r->optimizer].finder_decay
                                       : optimizers[r->optimizer].decay;
    f->train.optimizer = optimizers[r->optimizer].optimizer;
    f->train.epsilon = optimizers[r->optimizer].epsilon;
}

long recipe_validation(const struct recipe *r, long images)
{
    return lround(r->validation < 1 ? r->validation * (double)images : r->validation);
}

char *recipe_command(const struct recipe *r, const char *net, bool from_model, bool finder,
                     long validation, char *text, size_t size)
{
    const struct fit_options *f = &r->fit;
    const char *slash = strrchr(net, '/');
    char smoothing[32] = "", look[320], augment[256];
    if (finder)
        snprintf(look, sizeof look, "-g %g -N %g", f->tone.gain, f->tone.noise);
    else
        snprintf(look, sizeof look, "-a %s", augment_text(&f->augment, augment, sizeof augment));
    if (!finder)
        snprintf(smoothing, sizeof smoothing, "-L %g ", f->train.label_smoothing);
    snprintf(text, size,
             "cnn-train -%c %s -e %d -b %d -O %s -l %g -S %s -W %g -w %g %s-E %g %s -A %d "
             "-v %ld -s %llu%s",
             from_model ? 'i' : 'n', slash ? slash + 1 : net, f->epochs, f->train.batch,
             optimizers[r->optimizer].name, f->rate, schedule_name(f->schedule), f->warmup,
             f->train.weight_decay, smoothing, f->average, look, f->plain_epochs, validation,
             (unsigned long long)f->train.seed, f->train.bf16 ? " -p bf16" : "");
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
