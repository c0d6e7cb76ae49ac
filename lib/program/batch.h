/* Frames gathered to be answered together, each with what its facts say. */
#ifndef INKPIPE_BATCH_H
#define INKPIPE_BATCH_H

#include "answer/answer.h"
#include "stream/stream.h"

struct batch_slot {
    struct answer answer; /* source, frame, box and label since batch_add, all after batch_answer */
    bool blank;           /* all pixels are equal */
    double time;          /* of its fact, in seconds; negative: not there */
    long line, word;      /* likewise; -1: not there */
};

struct batch {
    struct model *model;     /* the caller's */
    int waiting, asked;      /* slots in use; of them not blank */
    struct batch_slot *slot; /* [model->batch] */
    uint8_t *gray;           /* [asked][height][width] */
    double *p;               /* [asked][classes] */
};

/* An empty batch for m, which must outlive it. Returns 0 or -1; free with batch_free. */
int batch_init(struct batch *b, struct model *m, struct err *e);
void batch_free(struct batch *b);

/* Add the frame last read from r, which has the model's size, to a batch that is not full (waiting
 * < model->batch). Facts that are malformed count as not there. Returns its slot. */
const struct batch_slot *batch_add(struct batch *b, const struct frame_reader *r,
                                   const struct frame *f);

/* Decide all answers (answer_decide); blank frames are "-" without asking the model. The slots
 * 0..waiting-1 are the caller's to read until batch_clear empties the batch. */
void batch_answer(struct batch *b, double threshold);
void batch_clear(struct batch *b);

#endif
