/* What fit.c (the run) and fit_finder.c (what is other about a finder's) share. Not part of the
 * library's interface. */
#ifndef INKPIPE_FIT_RUN_H
#define INKPIPE_FIT_RUN_H

#include "learn.h"

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
    struct augment augment, plain;
    struct tone tone;      /* a finder's instead of both */
    struct net *net;       /* what the trainer's weights are exported to */
    float *logits;         /* [validation][outputs] of it */
    struct scores scores;  /* a finder's instead */
    bool exported;         /* they are those of the trainer's last step */
    uint32_t *order;       /* [train]: the epoch's images */
    const uint32_t *batch; /* of them, the batch at hand */
    const struct augment *look;
    struct augment_room *room; /* [threads] */
    bool turned, bare;        /* the sign of a finder's pictures, and that they are else as they are */
    uint16_t *labels;         /* [train.batch] */
    struct map_truth *truth;  /* [train.batch] */
    double busy;      /* seconds spent in steps since the run began or went on */
    long busy_images; /* and images */
};

/* Set metadata: a number; a result on the validation split, or, where there is none, `-` in place of that of the
 * model that was started from. */
int fit_set_number(struct net *net, const char *key, const char *format, double value, struct err *e);
int fit_set_result(struct fit *f, const char *key, const char *format, double value, struct err *e);

/* Read scale, mean and deviation of the net's input; those of a new net become the usual ones. */
int fit_scaling(struct net *net, const double usual[3], double scaling[3], struct err *e);

/* Prepare a finder's run, once f->net is there. */
int fit_finder_prepare(struct fit *f, struct err *e);

/* Picture i of f->batch, for the trainer. */
void fit_finder_fill(void *arg, int i, int thread, float *x);

/* A step on the n pictures of f->batch; its losses are added to the state's. */
void fit_finder_step(struct fit *f, int n, double rate);

/* f->scores, of f->net on the pictures set aside. Returns 0 or -1. */
int fit_finder_validate(struct fit *f, struct err *e);

/* What a record says of a finder, and its metadata. */
void fit_finder_record(const struct fit *f, struct epoch_record *r);
int fit_finder_metadata(struct fit *f, struct err *e);

#endif
