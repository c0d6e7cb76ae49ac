/* A training run: epochs of augmented batches, validation, checkpoints, and the finished model with
 * the facts its users need. The same options, data and starting weights give the same model, bit
 * for bit on one kind of CPU, for any number of threads and interruptions. */
#ifndef INKPIPE_FIT_H
#define INKPIPE_FIT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "augment.h"
#include "checkpoint.h"
#include "dataset.h"
#include "net.h"
#include "schedule.h"
#include "threads.h"
#include "train.h"

struct fit_options {
    struct train_options train; /* its seed is that of the whole run; its ema is set here */
    double average;             /* weights are averaged over this last part of the run, 0..0.2 */
    double rate;                /* the schedule's peak */
    enum schedule schedule;
    double warmup; /* part of the steps, 0..1 */
    int epochs;    /* 1..CHECKPOINT_MAX_EPOCHS */
    int plain_epochs; /* the last ones, done without augmentation */
    struct augment_options augment;
    const char *command; /* the options as text, for the model's metadata; two runs with the same
                            command, data and starting weights are one run */
};

/* Where a run is. */
struct fit_progress {
    int epoch, epochs;     /* from 1 */
    long done, images;     /* of this epoch */
    double loss, accuracy; /* over those done */
    double rate;           /* images a second, of training, since the run began or went on */
    double left;           /* seconds until the last epoch is done, by that rate */
};

/* What the run tells while it goes; arg is handed to each. */
struct fit_watch {
    void *arg;
    /* An epoch is finished and its checkpoint written; epochs done before a resume are told again,
     * so that the lines are those of a run without an end between. Returns 0, or -1 with e filled
     * to end the run. */
    int (*epoch)(void *arg, const struct epoch_record *r, struct err *e);
    /* After each step. */
    void (*progress)(void *arg, const struct fit_progress *p);
    /* At the end, for each source that has images set aside: how many of them are right. */
    void (*source)(void *arg, const char *name, long right, long images);
    const volatile sig_atomic_t *stop; /* when not 0, the run ends after the step at hand */
};

/* Train net on d's images, divided by s. The checkpoint named `checkpoint` is written after every
 * epoch and when told to stop (NULL: none is); with `resume` the run goes on from it when it is there. Returns 0
 * when all epochs are done: net then has the final weights (averaged ones when o->average is not 0,
 * with batch-norm statistics made again) and all metadata. Returns 1 when it was told to stop, the
 * checkpoint being written; -1 on failure. In both cases net is as before. */
int fit_run(struct net *net, const struct dataset *d, const struct split *s,
            const struct fit_options *o, struct threads *t, const char *checkpoint, bool resume,
            const struct fit_watch *w, struct err *e);

/* The header of the epochs' lines, and a line, without newline: tab-separated fields in the order
 * of struct epoch_record, `-` for what is not there. line returns text. */
extern const char fit_header[];
char *fit_line(const struct epoch_record *r, char *text, size_t size);

#endif
