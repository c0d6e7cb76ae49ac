/* Streams of frames answered: read, gathered into batches, and their answers written, each as early
 * as can be. cnn-predict is this with options. */
#ifndef INKPIPE_PREDICT_H
#define INKPIPE_PREDICT_H

#include <stdio.h>

#include "batch.h"
#include "answer/answer.h"

struct predict_options {
    FILE *out;        /* for the answers */
    bool first;       /* the first digit alone */
    bool evaluate;    /* count how right they are instead of writing them */
    bool json;        /* JSON Lines, not text */
    bool join;        /* digits of preproc -m into numbers */
    bool steady;      /* an answer once it has held for `hold` seconds */
    double hold;
    double threshold; /* an answer less probable is none */
    int runners;      /* so many of the digits that came next */
    int (*report)(const struct err *e);           /* told of a frame that preproc did not make */
    void (*notice)(const struct frame_reader *r); /* told of each frame read */
};

struct predict {
    const struct predict_options *o;
    struct model *model;
    bool done;           /* nothing more is to be written */
    long frames, digits; /* read; answered with a digit (or, evaluating, without one to be read) */
    struct evaluation evaluation;
    struct batch batch;
    int limit;    /* so many frames are answered together: grows, so that the first is not late */
    bool live;    /* the frames say the time */
    bool doubted; /* a frame was reported */
    struct steady steady;
    struct words words;
};

/* Options and model are the caller's and must outlive it. Returns 0 or -1; free with predict_free. */
int predict_init(struct predict *p, const struct predict_options *o, struct model *m,
                 struct err *e);
void predict_free(struct predict *p);

/* Answer all frames of a file (NULL or "-": standard input), until p is done. Returns 0; -1 when
 * it cannot be read, has none, or a frame is not for this model; those before it were answered. */
int predict_stream(struct predict *p, const char *name, struct err *e);

#endif
