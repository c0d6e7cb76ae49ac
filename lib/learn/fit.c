/* A training run.
 *   in   a net, a data set and its split, options
 *   out  the trained net with its metadata; a record an epoch; checkpoints
 * A finder learns boxes instead of labels: each batch twice, with either sign of contrast. */
#include "learn.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/grow.h"
#include "engine/engine.h"
#include "exam.h"

#define MAX_STATS_IMAGES 10000 /* Batch-norm statistics are recomputed from at most so many images; */
#define MAX_STATS_SCENES 512   /* those of a finder, whose pictures have more pixels, from so many. */

#define CONTRAST_MEAN 128 /* The byte that stands for a local contrast of 0. */
#define CONTRAST_STD 32   /* Levels of a byte for a local contrast of 1. */

/* A run. */
struct fit {
    const struct fit_options *o;
    const struct dataset *d;
    const struct split *s;
    const struct fit_watch *w;
    struct threads *threads;
    const char *file; /* of the checkpoint */
    struct trainer *trainer;
    struct train_array *array;
    int arrays;
    int passes; /* steps on each batch: a finder learns from it with either sign */
    struct checkpoint state;
    struct augment augment;
    struct tone tone;      /* a finder's instead */
    struct net *net;       /* what the trainer's weights are exported to */
    struct exam exam;      /* what it makes of the images set aside */
    bool exported;         /* they are those of the trainer's last step */
    uint32_t *order;       /* [train]: the epoch's images */
    const uint32_t *batch; /* of them, the batch at hand */
    bool plain;            /* they are not augmented */
    bool turned;           /* a finder's have the other sign */
    struct augment_room *room; /* [threads] */
    uint16_t *labels;          /* [train.batch] */
    struct map_truth *truth;   /* [train.batch] */
    double busy;      /* seconds spent in steps since the run began or went on */
    long busy_images; /* and images */
};

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

/* Picture i of f->batch, for the trainer. */
static void fill(void *arg, int i, int thread, float *x)
{
    const struct fit *f = arg;
    uint32_t image = f->batch[i];
    const uint8_t *pixels = dataset_pixels(f->d, image);
    if (f->d->finder)
        tone_image(&f->tone, f->state.epoch, image, f->turned, f->plain, pixels, x);
    else
        augment_image(&f->augment, f->state.epoch, image, f->plain, pixels, &f->room[thread], x);
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
    f->w->progress(&p);
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

static void map_step(struct fit *f, int n, double rate)
{
    struct checkpoint *c = &f->state;
    for (int i = 0; i < n; i++)
        f->truth[i] = dataset_truth(f->d, f->batch[i]);
    struct map_loss l = trainer_step_map(f->trainer, fill, f, f->truth, n, rate);
    c->loss += map_loss_total(&l) * n;
    c->map.centre += l.centre * n;
    c->map.class += l.class * n;
    c->map.box += l.box * n;
}

/* Going on from the checkpoint would end as this run does, so it does not stay. */
static void forget(const struct fit *f)
{
    if (f->file)
        unlink(f->file);
}

static int learnt_nothing(const struct fit *f, struct err *e)
{
    forget(f);
    return err_set(e, "nothing was learnt: the network is worse than one that answers all alike; a rate lower than "
                   "%g (-l) may help", f->o->rate);
}

static int diverged(const struct fit *f, struct err *e)
{
    forget(f);
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
    (f->d->finder ? map_step : label_step)(f, n, rate_now(f, c->steps));
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
    f->plain = (long)c->epoch >= f->o->epochs - f->o->plain_epochs;
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
    f->plain = true;
    f->turned = false;
    for (long from = 0; from < n; from += f->o->train.batch) {
        long left = n - from;
        f->batch = f->order + from;
        trainer_batchnorm_stats_batch(f->trainer, fill, f, left < f->o->train.batch ? (int)left : f->o->train.batch);
    }
    trainer_batchnorm_stats_end(f->trainer);
}

/* Export the trainer's weights to f->net and judge it, unless that is done. */
static int export(struct fit *f, struct err *e)
{
    if (f->exported)
        return 0;
    bool ema = moving_average(f) > 0;
    if (ema)
        recompute_batchnorm_stats(f);
    trainer_export(f->trainer, f->net, ema);
    if (f->s->validation && exam_sit(&f->exam, f->net, e))
        return -1;
    f->exported = true;
    return 0;
}

static int save_checkpoint(struct fit *f, struct err *e)
{
    return f->file ? checkpoint_save(f->file, &f->state, f->array, f->arrays, e) : 0;
}

static const char *header(bool finder)
{
    return finder ? "epoch\tloss\tcentre\tclass\tbox\trecall\tprecision\trate\tseconds\t"
                    "images_per_second"
                  : "epoch\tloss\taccuracy\tvalidation_loss\tvalidation_accuracy\trate\tseconds\t"
                    "images_per_second";
}

/* Print a line of the log, if somebody listens. */
static int print(const struct fit *f, const char *line, struct err *e)
{
    return f->w->line ? f->w->line(line, e) : 0;
}

static int print_record(const struct fit *f, const struct epoch_record *r, struct err *e)
{
    char line[256];
    return print(f, fit_line(r, f->d->finder, line, sizeof line), e);
}

/* The record of the epoch that ends. */
static struct epoch_record record(const struct fit *f)
{
    const struct checkpoint *c = &f->state;
    const struct exam *m = &f->exam;
    bool finder = f->d->finder;
    long n = f->s->validation;
    double seen = (double)c->seen;
    struct epoch_record r = {.epoch = (double)c->epoch + 1,
                             .loss = c->loss / seen,
                             .accuracy = finder ? NAN : (double)c->correct / seen,
                             .validation_loss = NAN,
                             .validation_accuracy = NAN,
                             .rate = rate_now(f, c->steps - 1),
                             .seconds = c->seconds,
                             .images_per_second = seen / c->seconds,
                             .centre = c->map.centre / seen,
                             .class = c->map.class / seen,
                             .box = c->map.box / seen,
                             .recall = n && finder ? score_recall(&m->scores.all) : NAN,
                             .precision = n && finder ? score_precision(&m->scores.all) : NAN};
    if (n && !finder) {
        r.validation_loss = calibrate_loss(m->logits, m->labels, n, f->d->classes, 1);
        r.validation_accuracy = (double)exam_right(m) / (double)n;
    }
    return r;
}

/* Append the record of the finished epoch and begin the next one. */
static int end_epoch(struct fit *f, struct err *e)
{
    struct checkpoint *c = &f->state;
    if (export(f, e))
        return -1;
    struct epoch_record *more = realloc(c->record, (size_t)(c->records + 1) * sizeof *more);
    if (!more)
        return err_set(e, "out of memory");
    c->record = more;
    c->record[c->records] = record(f);
    c->epoch++;
    c->batch = c->correct = c->seen = 0;
    c->loss = c->seconds = 0;
    c->map = (struct map_loss){0};
    c->records++;
    return save_checkpoint(f, e) ? -1 : print_record(f, &c->record[c->records - 1], e);
}

/* Read scale, mean and deviation of the net's input; those of a new net become the usual ones. */
static int read_scaling(struct net *net, const double usual[3], double scaling[3], struct err *e)
{
    static const char *const key[] = {"input_scale", "input_mean", "input_std"};
    bool is_new = !net_meta(net, key[0]);
    for (int i = 0; i < 3; i++) {
        if (is_new && set_number(net, key[i], "%.15g", usual[i], e))
            return -1;
        scaling[i] = net_meta_number(net, key[i], usual[i]);
    }
    return 0;
}

/* The outputs' names: a finder's are the first classes that boxes can have. */
static int set_labels(struct fit *f, struct err *e)
{
    char *names = zeroed((size_t)f->d->classes, LABEL_SIZE, e), *to = names;
    for (int i = 0; to && i < f->d->classes; i++)
        to += sprintf(to, "%s%s", i ? " " : "", f->d->finder ? boxes_class[i] : f->d->named.of[i]);
    int status = names ? net_set_meta(f->net, "labels", names, e) : -1;
    free(names);
    return status;
}

static int set_metadata(struct fit *f, struct err *e)
{
    char data[2 * SHA256_SIZE + 1];
    sha256_text(&f->d->content, data);
    if (net_set_meta(f->net, "command", f->o->command, e) ||
        net_set_meta(f->net, "data_sha256", data, e) ||
        set_number(f->net, "seed", "%.0f", (double)f->o->train.seed, e) ||
        set_number(f->net, "shards", "%.0f", TRAIN_SHARDS, e) || set_labels(f, e))
        return -1;
    return exam_describe(&f->exam, f->net, e);
}

/* Tell of each source that has images set aside how many of them are right. */
static void tell_sources(const struct fit *f)
{
    for (int source = 0; f->d->sources > 1 && source < f->d->sources; source++) {
        long right = 0, images = 0;
        for (long i = 0; i < f->s->validation; i++)
            if (f->d->source[f->s->validation_index[i]] == source) {
                images++;
                right += exam_is_right(&f->exam, i);
            }
        if (images)
            f->w->note("%s: %.2f %% of %ld frames set aside are right", f->d->source_name[source],
                       100.0 * (double)right / (double)images, images);
    }
}

static void tell_classes(const struct fit *f)
{
    const struct dataset *d = f->d;
    size_t n = (size_t)d->classes;
    long *frames = calloc(3 * n, sizeof *frames);
    if (!frames)
        return;
    long *aside = frames + n, *right = aside + n;
    for (long i = 0; i < d->images; i++)
        frames[d->labels[i]]++;
    for (long i = 0; i < f->s->validation; i++) {
        aside[f->exam.labels[i]]++;
        right[f->exam.labels[i]] += exam_is_right(&f->exam, i);
    }
    for (size_t i = 0; i < n; i++)
        f->w->note("class %s: %ld frames, %ld of them set aside, %ld of these right", d->named.of[i],
                   frames[i], aside[i], right[i]);
    free(frames);
}

/* A finder's scores, by size of digit and by kind of scene. What cannot be printed, the end of the program finds. */
static void print_scores(const struct fit *f)
{
    char line[256];
    print(f, score_header, NULL);
    for (int i = 0; scores_line(&f->exam.scores, f->d, i, line, sizeof line); i++)
        if (*line)
            print(f, line, NULL);
}

/* What the finished run has to say. */
static void tell_results(const struct fit *f)
{
    if (f->d->finder && f->s->validation)
        print_scores(f);
    if (f->d->finder || !f->w->note)
        return;
    tell_sources(f);
    tell_classes(f);
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
        sha256_add(&s, kernel_level(f->o->train.bf16), strlen(kernel_level(f->o->train.bf16)));
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
    for (uint64_t i = 0; i < c->records; i++)
        if (print_record(f, &c->record[i], e))
            return -1;
    return 0;
}

/* Prepare what pictures become before they are learnt from. */
static int prepare_looks(struct fit *f, struct err *e)
{
    static const double usual[2][3] = {{1.0 / 255, 0, 1}, {1, CONTRAST_MEAN, CONTRAST_STD}};
    const struct fit_options *o = f->o;
    double to[3];
    if (read_scaling(f->net, usual[f->d->finder], to, e))
        return -1;
    f->tone = (struct tone){.options = o->tone,
                            .pixels = (long)f->d->height * f->d->width,
                            .seed = o->train.seed,
                            .scale = (float)(to[0] / to[2]),
                            .mean = (float)(to[1] / to[0])};
    if (!f->d->finder)
        augment_init(&f->augment, &o->augment, o->train.seed, f->d->height, f->d->width, to[0], to[1], to[2]);
    return 0;
}

static int prepare(struct fit *f, struct net *net, struct err *e)
{
    const struct fit_options *o = f->o;
    size_t arrays = (size_t)net->layers * 64, n = (size_t)f->s->train;
    f->net = net_copy(net, e);
    if (!f->net || prepare_looks(f, e) ||
        exam_init(&f->exam, f->d, f->s, net_outputs(net), f->threads, o->train.ranks, e))
        return -1;
    struct train_options train = o->train;
    train.ema = moving_average(f);
    f->trainer = trainer_new(net, &train, f->threads, kernel_best(), e);
    if (!f->trainer)
        return -1;
    if (!(f->array = zeroed(arrays, sizeof *f->array, e)) || !(f->order = zeroed(n, sizeof *f->order, e)) ||
        !(f->labels = zeroed((size_t)o->train.batch, sizeof *f->labels, e)) ||
        !(f->truth = zeroed((size_t)o->train.batch, sizeof *f->truth, e)) ||
        !(f->room = zeroed((size_t)threads_count(f->threads), sizeof *f->room, e)))
        return -1;
    f->arrays = trainer_arrays(f->trainer, f->array, (int)arrays);
    identify(f, net);
    return 0;
}

/* Whether the last epoch was far worse than a guess: with twice the loss of classes equally probable. */
static bool is_worse_than_guess(const struct fit *f)
{
    const struct epoch_record *r = f->state.record + f->state.records - 1;
    return !f->d->finder && f->d->classes > 1 && r->loss >= 2 * log(f->d->classes);
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
    if (is_worse_than_guess(f))
        return learnt_nothing(f, e);
    for (int i = 0; i < f->net->layers; i++)
        if (!net_is_finite(f->net, i))
            return diverged(f, e);
    return 0;
}

int fit_run(struct net *net, const struct dataset *d, const struct split *s,
            const struct fit_options *o, struct threads *t, const char *checkpoint, bool resume,
            const struct fit_watch *w, struct err *e)
{
    struct fit f = {.o = o, .d = d, .s = s, .w = w, .threads = t, .file = checkpoint,
                    .passes = d->finder ? 2 : 1};
    int status = -1;
    if (!print(&f, header(d->finder), e) && !prepare(&f, net, e) && !agree(&f, e) && !(resume && resume_run(&f, e)) &&
        !(resume && o->train.ranks && share_state(&f, e)))
        status = run(&f, e);
    if (!status) {
        tell_results(&f);
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
    exam_free(&f.exam);
    free(f.state.record);
    return status;
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
