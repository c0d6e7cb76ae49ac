/* A training run of a finder, where it differs from that of a classifier (fit.c).
 *   in   scenes in local contrast, their boxes
 *   out  steps, two a batch, with either sign of contrast; recall and precision on the validation split */
#include "fit_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALIDATE_BATCH 32 /* The validation split is run in batches of so many pictures. */

#define CONTRAST_MEAN 128 /* The byte that stands for a local contrast of 0. */
#define CONTRAST_STD 32   /* Levels of a byte for a local contrast of 1. */

int fit_finder_prepare(struct fit *f, struct err *e)
{
    static const double usual[] = {1, CONTRAST_MEAN, CONTRAST_STD};
    double to[3];
    if (fit_scaling(f->net, usual, to, e))
        return -1;
    f->tone = (struct tone){.options = f->o->tone,
                            .pixels = (long)f->d->height * f->d->width,
                            .seed = f->o->train.seed,
                            .scale = (float)(to[0] / to[2]),
                            .mean = (float)(to[1] / to[0])};
    f->truth = calloc((size_t)f->o->train.batch, sizeof *f->truth);
    return f->truth ? 0 : err_set(e, "out of memory");
}

void fit_finder_fill(void *arg, int i, int thread, float *x)
{
    const struct fit *f = arg;
    (void)thread;
    tone_image(&f->tone, f->state.epoch, f->batch[i], f->turned, f->bare,
               dataset_pixels(f->d, f->batch[i]), x);
}

void fit_finder_step(struct fit *f, int n, double rate)
{
    struct checkpoint *c = &f->state;
    for (int i = 0; i < n; i++)
        f->truth[i] = dataset_truth(f->d, f->batch[i]);
    struct map_loss l = trainer_step_map(f->trainer, fit_finder_fill, f, f->truth, n, rate);
    c->loss += map_loss_total(&l) * n;
    c->map.centre += l.centre * n;
    c->map.class += l.class * n;
    c->map.box += l.box * n;
}

/* Add the scores of pictures from..from + n - 1 of the validation split, without augmentation. */
static void score_batch(struct fit *f, struct infer *plan, long from, int n, float *x, float *map)
{
    struct map_shape shape = map_shape_of(f->net);
    const uint32_t *index = f->s->validation_index + from;
    long size = net_outputs(f->net);
    for (int i = 0; i < n; i++)
        infer_scale(dataset_pixels(f->d, index[i]), f->tone.pixels, f->tone.scale,
                    (double)f->tone.scale * f->tone.mean, 1, x + i * f->tone.pixels);
    infer_run(plan, x, n, map);
    for (int i = 0; i < n; i++) {
        struct map_truth truth = dataset_truth(f->d, index[i]);
        scores_add(&f->scores, f->d->kind[index[i]], &shape, map + i * size, &truth);
    }
}

int fit_finder_validate(struct fit *f, struct err *e)
{
    size_t maps = (size_t)net_outputs(f->net) * VALIDATE_BATCH;
    float *x = malloc((size_t)f->tone.pixels * VALIDATE_BATCH * sizeof *x);
    float *map = malloc(maps * sizeof *map);
    struct infer *plan = infer_new(f->net, VALIDATE_BATCH, f->threads, kernel_best(), e);
    bool ready = x && map && plan;
    if (plan && !ready)
        err_set(e, "out of memory");
    memset(&f->scores, 0, sizeof f->scores);
    for (long from = 0; ready && from < f->s->validation; from += VALIDATE_BATCH) {
        long left = f->s->validation - from;
        score_batch(f, plan, from, left < VALIDATE_BATCH ? (int)left : VALIDATE_BATCH, x, map);
    }
    infer_free(plan);
    free(x);
    free(map);
    return ready ? 0 : -1;
}

void fit_finder_record(const struct fit *f, struct epoch_record *r)
{
    const struct checkpoint *c = &f->state;
    double seen = (double)c->seen;
    r->centre = c->map.centre / seen;
    r->class = c->map.class / seen;
    r->box = c->map.box / seen;
    if (!f->s->validation)
        return;
    r->recall = score_recall(&f->scores.all);
    r->precision = score_precision(&f->scores.all);
}

/* Set the metadata `labels`: the names of the first classes. */
static int set_labels(struct net *net, int classes, struct err *e)
{
    char text[128] = "";
    size_t len = 0;
    for (int i = 0; i < classes; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "", boxes_class[i]);
    return net_set_meta(net, "labels", text, e);
}

int fit_finder_metadata(struct fit *f, struct err *e)
{
    const struct score *all = &f->scores.all;
    return set_labels(f->net, f->d->classes, e) ||
                   fit_set_result(f, "validation_recall", "%.4f", score_recall(all), e) ||
                   fit_set_result(f, "validation_precision", "%.4f", score_precision(all), e)
               ? -1
               : 0;
}
