/* A training run.
 *   in   a net, a data set and its split, options
 *   out  the trained net with its metadata; a record an epoch; checkpoints
 * What a finder does otherwise is in fit_finder.c. */
#include "fit_run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/engine.h"

#define MAX_STATS_IMAGES 10000 /* Batch-norm statistics are recomputed from at most so many images; */
#define MAX_STATS_SCENES 512   /* those of a finder, whose pictures have more pixels, from so many. */
#define VALIDATE_BATCH 256     /* The validation split is run in batches of so many images. */

static long batches(const struct fit *f)
{
    return (f->s->train + f->o->train.batch - 1) / f->o->train.batch;
}

/* The first image of batch b: batches differ in size by one image at most. */
static long batch_start(const struct fit *f, long b)
{
    return (long)((int64_t)f->s->train * b / batches(f));
}

static long steps_an_epoch(const struct fit *f)
{
    return batches(f) * f->passes;
}

/* The images trained on before step s of an epoch. */
static long seen_before(const struct fit *f, long s)
{
    long b = s / f->passes, n = batch_start(f, b + 1) - batch_start(f, b);
    return f->passes * batch_start(f, b) + s % f->passes * n;
}

static void fill(void *arg, int i, int thread, float *x)
{
    struct fit *f = arg;
    augment_image(f->look, f->state.epoch, f->batch[i], dataset_pixels(f->d, f->batch[i]),
                  &f->room[thread], x);
}

static void tell_progress(const struct fit *f)
{
    if (!f->w->progress)
        return;
    const struct checkpoint *c = &f->state;
    double rate = f->busy > 0 ? (double)f->busy_images / f->busy : 0;
    long images = f->passes * f->s->train;
    double left = (double)(f->o->epochs - (long)c->epoch) * (double)images - (double)c->seen;
    struct fit_progress p = {.epoch = (int)c->epoch + 1,
                             .epochs = f->o->epochs,
                             .done = (long)c->seen,
                             .images = images,
                             .loss = c->loss / (double)c->seen,
                             .accuracy = f->d->finder ? NAN : (double)c->correct / (double)c->seen,
                             .rate = rate,
                             .left = rate > 0 ? left / rate : 0};
    f->w->progress(f->w->arg, &p);
}

static double rate_now(const struct fit *f, uint64_t step)
{
    return schedule_rate(f->o->schedule, f->o->rate, f->o->warmup, (long)step,
                         steps_an_epoch(f) * f->o->epochs);
}

/* The decay of a moving average that spans the part o->average of the run's steps; 0: no average. */
static double moving_average(const struct fit *f)
{
    double span = f->o->average * (double)steps_an_epoch(f) * f->o->epochs;
    return f->o->average > 0 ? 1 - 1 / fmax(span, 1.01) : 0;
}

static struct ranks *ranks_of(const struct fit *f)
{
    return f->o->train.ranks;
}

/* Whether an exchange with the other ranks has failed, after which nothing means anything. */
static bool lost(const struct fit *f, struct err *e)
{
    const struct ranks *r = ranks_of(f);
    if (r && r->failed)
        *e = r->err;
    return r && r->failed;
}

/* Take a step on the n images of f->batch. */
static void label_step(struct fit *f, int n, double rate)
{
    struct checkpoint *c = &f->state;
    for (int i = 0; i < n; i++)
        f->labels[i] = f->d->labels[f->batch[i]];
    struct train_result r = trainer_step(f->trainer, fill, f, f->labels, n, rate);
    c->loss += r.loss * n;
    c->correct += (uint64_t)r.correct;
}

static int diverged(const struct fit *f, struct err *e)
{
    return err_set(e, "the training has diverged: after %llu steps its loss is no number; a rate lower than "
                   "%g (-l) may hold", (unsigned long long)f->state.steps, f->o->rate);
}

static int do_step(struct fit *f, struct err *e)
{
    struct checkpoint *c = &f->state;
    double start = clock_now();
    long b = (long)c->batch / f->passes, from = batch_start(f, b);
    int n = (int)(batch_start(f, b + 1) - from);
    f->batch = f->order + from;
    f->turned = (long)c->batch % f->passes;
    if (f->d->finder)
        fit_finder_step(f, n, rate_now(f, c->steps));
    else
        label_step(f, n, rate_now(f, c->steps));
    if (lost(f, e))
        return -1;
    if (!isfinite(c->loss))
        return diverged(f, e);
    double seconds = clock_now() - start;
    f->exported = false;
    f->busy += seconds;
    f->busy_images += n;
    c->seconds += seconds;
    c->seen += (uint64_t)n;
    c->steps++;
    c->batch++;
    tell_progress(f);
    return 0;
}

/* Whether one of the ranks was told to stop, so that all stop after the same step. */
static bool stopped(const struct fit *f)
{
    char told[TRAIN_SHARDS] = {0};
    struct ranks *r = ranks_of(f);
    told[r ? r->rank : 0] = f->w->stop && *f->w->stop;
    ranks_gather(r, told, 1);
    return memchr(told, 1, sizeof told);
}

/* Do the rest of the present epoch. Returns 1 when told to stop before its end, -1 on failure. */
static int do_epoch(struct fit *f, struct err *e)
{
    struct checkpoint *c = &f->state;
    bool plain = (long)c->epoch >= f->o->epochs - f->o->plain_epochs;
    f->look = plain ? &f->plain : &f->augment;
    f->bare = plain;
    dataset_shuffle(f->s->train_index, f->s->train, f->o->train.seed, c->epoch, f->order);
    while ((long)c->batch < steps_an_epoch(f)) {
        if (stopped(f))
            return 1;
        if (do_step(f, e))
            return -1;
    }
    return 0;
}

/* Recompute the batch-norm statistics for the averaged weights, from images without augmentation. */
static void recompute_batchnorm_stats(struct fit *f)
{
    long most = f->d->finder ? MAX_STATS_SCENES : MAX_STATS_IMAGES;
    long n = f->s->train < most ? f->s->train : most;
    dataset_shuffle(f->s->train_index, f->s->train, f->o->train.seed, UINT64_MAX, f->order);
    f->look = &f->plain;
    f->bare = true;
    f->turned = false;
    trainer_batchnorm_stats_begin(f->trainer);
    for (long from = 0; from < n; from += f->o->train.batch) {
        long left = n - from;
        f->batch = f->order + from;
        trainer_batchnorm_stats_batch(f->trainer, f->d->finder ? fit_finder_fill : fill, f,
                             left < f->o->train.batch ? (int)left : f->o->train.batch);
    }
    trainer_batchnorm_stats_end(f->trainer);
}

/* How many images of the validation split a rank computes. */
static long slice(const struct fit *f)
{
    int ranks = ranks_of(f) ? ranks_of(f)->count : 1;
    return (f->s->validation + ranks - 1) / ranks;
}

/* Compute the net's logits for the validation split. */
static int validate(struct fit *f, struct err *e)
{
    if (f->d->finder)
        return fit_finder_validate(f, e);
    size_t size = (size_t)f->d->height * (size_t)f->d->width;
    float *x = malloc(VALIDATE_BATCH * size * sizeof *x);
    struct infer *plan = infer_new(f->net, VALIDATE_BATCH, f->threads, kernel_best(), e);
    if (!x && plan)
        err_set(e, "out of memory");
    long first = ranks_of(f) ? ranks_of(f)->rank * slice(f) : 0, end = first + slice(f);
    end = end < f->s->validation ? end : f->s->validation;
    for (long from = first; x && plan && from < end; from += VALIDATE_BATCH) {
        long left = end - from;
        int n = left < VALIDATE_BATCH ? (int)left : VALIDATE_BATCH;
        for (int i = 0; i < n; i++)
            augment_image(&f->plain, 0, 0,
                          dataset_pixels(f->d, f->s->validation_index[from + i]), f->room,
                          x + (size_t)i * size);
        infer_run(plan, x, n, f->logits + from * f->d->classes);
    }
    bool failed = !x || !plan;
    infer_free(plan);
    free(x);
    if (failed)
        return -1;
    ranks_gather(ranks_of(f), f->logits, (size_t)(slice(f) * f->d->classes) * sizeof *f->logits);
    return lost(f, e) ? -1 : 0;
}

/* Export the trainer's weights to f->net and compute f->logits, unless that is done. */
static int export(struct fit *f, struct err *e)
{
    if (f->exported)
        return 0;
    bool ema = moving_average(f) > 0;
    if (ema)
        recompute_batchnorm_stats(f);
    trainer_export(f->trainer, f->net, ema);
    if (f->s->validation && validate(f, e))
        return -1;
    f->exported = true;
    return 0;
}

static uint16_t label_of(const struct fit *f, long i)
{
    return f->d->labels[f->s->validation_index[i]];
}

static bool is_right(const struct fit *f, long i)
{
    return argmax(f->logits + i * f->d->classes, f->d->classes) == label_of(f, i);
}

static double validation_accuracy(const struct fit *f)
{
    long right = 0;
    for (long i = 0; i < f->s->validation; i++)
        right += is_right(f, i);
    return f->s->validation ? (double)right / (double)f->s->validation : NAN;
}

/* The labels of the validation split; owned by the caller. */
static uint16_t *validation_labels(const struct fit *f, struct err *e)
{
    uint16_t *labels = malloc(((size_t)f->s->validation + 1) * sizeof *labels);
    if (!labels)
        err_set(e, "out of memory");
    for (long i = 0; labels && i < f->s->validation; i++)
        labels[i] = label_of(f, i);
    return labels;
}

static int save_checkpoint(struct fit *f, struct err *e)
{
    return f->file ? checkpoint_save(f->file, &f->state, f->array, f->arrays, e) : 0;
}

/* Fill the fields of a record that a classifier has. */
static int label_record(const struct fit *f, struct epoch_record *r, struct err *e)
{
    const struct checkpoint *c = &f->state;
    uint16_t *labels = validation_labels(f, e);
    if (!labels)
        return -1;
    r->accuracy = (double)c->correct / (double)c->seen;
    r->validation_accuracy = validation_accuracy(f);
    if (f->s->validation)
        r->validation_loss = calibrate_loss(f->logits, labels, f->s->validation, f->d->classes, 1);
    free(labels);
    return 0;
}

/* Append the record of the finished epoch and begin the next one. */
static int end_epoch(struct fit *f, struct err *e)
{
    struct checkpoint *c = &f->state;
    if (export(f, e))
        return -1;
    struct epoch_record r = {.epoch = (double)c->epoch + 1,
                             .loss = c->loss / (double)c->seen,
                             .accuracy = NAN,
                             .validation_loss = NAN,
                             .validation_accuracy = NAN,
                             .recall = NAN,
                             .precision = NAN,
                             .rate = rate_now(f, c->steps - 1),
                             .seconds = c->seconds,
                             .images_per_second = (double)c->seen / c->seconds};
    if (f->d->finder)
        fit_finder_record(f, &r);
    else if (label_record(f, &r, e))
        return -1;
    struct epoch_record *more = realloc(c->record, (size_t)(c->records + 1) * sizeof *more);
    if (!more)
        return err_set(e, "out of memory");
    c->record = more;
    c->record[c->records++] = r;
    c->epoch++;
    c->batch = c->correct = c->seen = 0;
    c->loss = c->seconds = 0;
    c->map = (struct map_loss){0};
    if (save_checkpoint(f, e))
        return -1;
    return f->w->epoch ? f->w->epoch(f->w->arg, &r, e) : 0;
}

int fit_set_number(struct net *net, const char *key, const char *format, double value,
                   struct err *e)
{
    char text[64];
    snprintf(text, sizeof text, format, value);
    return net_set_meta(net, key, text, e);
}

int fit_set_result(struct fit *f, const char *key, const char *format, double value, struct err *e)
{
    if (f->s->validation)
        return fit_set_number(f->net, key, format, value, e);
    return net_meta(f->net, key) ? net_set_meta(f->net, key, "-", e) : 0;
}

int fit_scaling(struct net *net, const double usual[3], double scaling[3], struct err *e)
{
    static const char *const key[] = {"input_scale", "input_mean", "input_std"};
    bool is_new = !net_meta(net, key[0]);
    for (int i = 0; i < 3; i++) {
        if (is_new && fit_set_number(net, key[i], "%.15g", usual[i], e))
            return -1;
        scaling[i] = net_meta_number(net, key[i], usual[i]);
    }
    return 0;
}

/* The outputs' names. */
static int set_labels(struct net *net, const struct classes *c, struct err *e)
{
    char *text = classes_text(c);
    int status = text ? net_set_meta(net, "labels", text, e) : err_set(e, "out of memory");
    free(text);
    return status;
}

static int label_metadata(struct fit *f, struct err *e)
{
    uint16_t *labels = validation_labels(f, e);
    if (!labels)
        return -1;
    double t = calibrate_temperature(f->logits, labels, f->s->validation, f->d->classes);
    free(labels);
    if (set_labels(f->net, &f->d->named, e) ||
        fit_set_number(f->net, "temperature", "%.4f", t, e))
        return -1;
    return fit_set_result(f, "validation_accuracy", "%.5f", validation_accuracy(f), e);
}

static int set_metadata(struct fit *f, struct err *e)
{
    char data[2 * SHA256_SIZE + 1];
    sha256_text(&f->d->content, data);
    if (net_set_meta(f->net, "command", f->o->command, e) ||
        net_set_meta(f->net, "data_sha256", data, e) ||
        fit_set_number(f->net, "seed", "%.0f", (double)f->o->train.seed, e) ||
        fit_set_number(f->net, "shards", "%.0f", TRAIN_SHARDS, e))
        return -1;
    return f->d->finder ? fit_finder_metadata(f, e) : label_metadata(f, e);
}

static void tell_sources(const struct fit *f)
{
    for (int source = 0; f->w->source && source < f->d->sources; source++) {
        long right = 0, images = 0;
        for (long i = 0; i < f->s->validation; i++)
            if (f->d->source[f->s->validation_index[i]] == source) {
                images++;
                right += is_right(f, i);
            }
        if (images)
            f->w->source(f->w->arg, f->d->source_name[source], right, images);
    }
}

static void tell_classes(const struct fit *f)
{
    const struct dataset *d = f->d;
    size_t n = (size_t)d->classes;
    long *frames = f->w->class ? calloc(3 * n, sizeof *frames) : NULL;
    if (!frames)
        return;
    long *aside = frames + n, *right = aside + n;
    for (long i = 0; i < d->images; i++)
        frames[d->labels[i]]++;
    for (long i = 0; i < f->s->validation; i++) {
        aside[label_of(f, i)]++;
        right[label_of(f, i)] += is_right(f, i);
    }
    for (size_t i = 0; i < n; i++)
        f->w->class(f->w->arg, d->named.of[i].name, frames[i], aside[i], right[i]);
    free(frames);
}

/* Compute the identity of the run: SHA-256 of options, data and starting weights. */
static void identify(struct fit *f, const struct net *net)
{
    struct sha256 s;
    uint8_t data[SHA256_SIZE];
    sha256_init(&s);
    sha256_add(&s, f->o->command, strlen(f->o->command) + 1);
    sha256_digest(&f->d->content, data);
    sha256_add(&s, data, sizeof data);
    for (int i = 0; i < net->layers; i++) {
        const struct layer *l = &net->layer[i];
        const float *vector[] = {l->bias, l->scale, l->shift, l->mean, l->var};
        sha256_add(&s, &l->op, sizeof l->op);
        sha256_add(&s, &l->rate, sizeof l->rate);
        if (l->weight)
            sha256_add(&s, l->weight, (size_t)net_weight_count(net, i) * sizeof(float));
        for (size_t j = 0; j < sizeof vector / sizeof *vector; j++)
            if (vector[j])
                sha256_add(&s, vector[j], (size_t)net_channels(net, i) * sizeof(float));
    }
    sha256_digest(&s, f->state.identity);
}

/* Check that all ranks do the same run: one net, one set of options, one kernel level. */
static int agree(struct fit *f, struct err *e)
{
    struct ranks *r = ranks_of(f);
    if (!r)
        return 0;
    uint8_t all[TRAIN_SHARDS][SHA256_SIZE];
    struct sha256 s;
    sha256_init(&s);
    sha256_add(&s, f->state.identity, sizeof f->state.identity);
    sha256_add(&s, kernel_level(kernel_best()), strlen(kernel_level(kernel_best())));
    if (f->o->train.bf16)
        sha256_add(&s, kernel16_level(f->o->train.bf16), strlen(kernel16_level(f->o->train.bf16)));
    sha256_digest(&s, all[r->rank]);
    ranks_gather(r, all, sizeof *all);
    for (int i = 1; i < r->count && !r->failed; i++)
        if (memcmp(all[0], all[i], sizeof *all))
            return err_set(e, "rank %d has another network, other options or another kind of CPU", i);
    return lost(f, e) ? -1 : 0;
}

/* Share the state of rank 0 with all ranks. */
static int share_state(struct fit *f, struct err *e)
{
    struct ranks *r = ranks_of(f);
    struct checkpoint own = f->state;
    ranks_share(r, &f->state, sizeof f->state);
    if (r->rank) {
        f->state.record = own.record;
        f->state.records = own.records;
    }
    for (int i = 0; i < f->arrays; i++)
        ranks_share(r, f->array[i].data, (size_t)f->array[i].count * sizeof *f->array[i].data);
    trainer_set_steps(f->trainer, (long)f->state.steps);
    return lost(f, e) ? -1 : 0;
}

/* Go on from the checkpoint, if there is one. */
static int resume_run(struct fit *f, struct err *e)
{
    if (!f->file || (access(f->file, F_OK) && errno == ENOENT))
        return 0;
    struct checkpoint *c = &f->state;
    if (checkpoint_load(f->file, c, f->array, f->arrays, e))
        return -1;
    if (c->epoch > (uint64_t)f->o->epochs || c->batch >= (uint64_t)steps_an_epoch(f) ||
        c->steps != c->epoch * (uint64_t)steps_an_epoch(f) + c->batch ||
        c->seen != (uint64_t)seen_before(f, (long)c->batch)) {
        err_set(e, "the checkpoint's counts cannot be");
        return err_at(e, f->file, -1);
    }
    trainer_set_steps(f->trainer, (long)c->steps);
    for (uint64_t i = 0; f->w->epoch && i < c->records; i++)
        if (f->w->epoch(f->w->arg, &c->record[i], e))
            return -1;
    return 0;
}

/* Prepare augmentation and scaling of digits. */
static int prepare_looks(struct fit *f, struct err *e)
{
    static const double usual[] = {1.0 / 255, 0, 1};
    const struct fit_options *o = f->o;
    double to[3];
    if (fit_scaling(f->net, usual, to, e))
        return -1;
    augment_init(&f->augment, &o->augment, o->train.seed, f->d->height, f->d->width, to[0], to[1], to[2]);
    augment_init(&f->plain, &augment_none, 0, f->d->height, f->d->width, to[0], to[1], to[2]);
    return 0;
}

static int prepare(struct fit *f, struct net *net, struct err *e)
{
    const struct fit_options *o = f->o;
    size_t arrays = (size_t)net->layers * 64, n = (size_t)f->s->train;
    f->net = net_copy(net, e);
    if (!f->net || (f->d->finder ? fit_finder_prepare(f, e) : prepare_looks(f, e)))
        return -1;
    struct train_options train = o->train;
    train.ema = moving_average(f);
    f->trainer = trainer_new(net, &train, f->threads, kernel_best(), e);
    if (!f->trainer)
        return -1;
    f->array = calloc(arrays, sizeof *f->array);
    f->order = calloc(n, sizeof *f->order);
    f->labels = calloc((size_t)o->train.batch, sizeof *f->labels);
    f->room = calloc((size_t)threads_count(f->threads), sizeof *f->room);
    f->logits = calloc((size_t)(f->s->validation + TRAIN_SHARDS) * (size_t)f->d->classes,
                       sizeof *f->logits);
    if (!f->array || !f->order || !f->labels || !f->room || !f->logits)
        return err_set(e, "out of memory");
    f->arrays = trainer_arrays(f->trainer, f->array, (int)arrays);
    identify(f, net);
    return 0;
}

/* Run from the present state to the end. Returns 0, 1 when it was stopped, or -1. */
static int run(struct fit *f, struct err *e)
{
    while ((int)f->state.epoch < f->o->epochs) {
        int status = do_epoch(f, e);
        if (status > 0)
            return lost(f, e) || save_checkpoint(f, e) ? -1 : 1;
        if (status < 0 || end_epoch(f, e))
            return -1;
    }
    if (export(f, e) || set_metadata(f, e))
        return -1;
    return net_is_finite(f->net) ? 0 : diverged(f, e);
}

int fit_run(struct net *net, const struct dataset *d, const struct split *s,
            const struct fit_options *o, struct threads *t, const char *checkpoint, bool resume,
            const struct fit_watch *w, struct err *e)
{
    struct fit f = {.o = o, .d = d, .s = s, .w = w, .threads = t, .file = checkpoint,
                    .passes = d->finder ? 2 : 1};
    int status = -1;
    if (!prepare(&f, net, e) && !agree(&f, e) && !(resume && resume_run(&f, e)) &&
        !(resume && o->train.ranks && share_state(&f, e)))
        status = run(&f, e);
    if (!status) {
        if (!d->finder) {
            tell_sources(&f);
            tell_classes(&f);
        } else if (w->scores && s->validation)
            w->scores(w->arg, &f.scores);
        struct net trained = *f.net;
        *f.net = *net;
        *net = trained;
    }
    net_free(f.net);
    trainer_free(f.trainer);
    free(f.array);
    free(f.order);
    free(f.labels);
    free(f.room);
    free(f.truth);
    free(f.logits);
    free(f.state.record);
    return status;
}

const char *fit_header(bool finder)
{
    return finder ? "epoch\tloss\tcentre\tclass\tbox\trecall\tprecision\trate\tseconds\t"
                    "images_per_second"
                  : "epoch\tloss\taccuracy\tvalidation_loss\tvalidation_accuracy\trate\tseconds\t"
                    "images_per_second";
}

char *fit_line(const struct epoch_record *r, bool finder, char *text, size_t size)
{
    const double result[] = {finder ? r->recall : r->validation_loss, finder ? r->precision : r->validation_accuracy};
    char of[2][32];
    int len = finder ? snprintf(text, size, "%.0f\t%.5f\t%.5f\t%.5f\t%.5f", r->epoch, r->loss, r->centre, r->class,
                                r->box)
                     : snprintf(text, size, "%.0f\t%.5f\t%.5f", r->epoch, r->loss, r->accuracy);
    for (int i = 0; i < 2; i++)
        if (isnan(result[1]))
            strcpy(of[i], "-");
        else
            snprintf(of[i], sizeof of[i], "%.*f", finder ? 4 : 5, result[i]);
    if (len >= 0 && (size_t)len < size)
        snprintf(text + len, size - (size_t)len, "\t%s\t%s\t%.3g\t%.1f\t%.0f", of[0], of[1], r->rate, r->seconds,
                 r->images_per_second);
    return text;
}
