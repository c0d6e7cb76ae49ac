/* What a net makes of the images set aside; this room's own. A classifier's logits are kept, and which of them
 * are right; of a finder's maps how well they find. */
#ifndef INKPIPE_LEARN_EXAM_H
#define INKPIPE_LEARN_EXAM_H

#include "learn.h"

struct exam {
    const struct dataset *d;
    const struct split *s;
    struct threads *threads;
    struct ranks *ranks;  /* which share the images of a classifier; NULL: none */
    uint16_t *labels;     /* [validation] */
    float *logits;        /* [validation][classes]; a finder's maps, of a batch */
    struct scores scores; /* a finder's */
};

/* Prepare for nets of so many outputs. Returns 0 or -1; exam_free in both cases. */
int exam_init(struct exam *m, const struct dataset *d, const struct split *s, long outputs, struct threads *t,
              struct ranks *ranks, struct err *e);
void exam_free(struct exam *m);

/* Run the net on all images set aside. Returns 0, or -1 when it cannot be run or another rank is lost. */
int exam_sit(struct exam *m, const struct net *net, struct err *e);

/* Whether image i of those set aside is classified rightly. */
bool exam_is_right(const struct exam *m, long i);

/* How many images are classified rightly; of a finder, digits found and told rightly, less those that are none. */
long exam_right(const struct exam *m);

/* Set what the net tells of itself: recall and precision, or temperature, fitted anew, and accuracy. Where no image
 * is set aside a result that it had becomes `-`. */
int exam_describe(const struct exam *m, struct net *net, struct err *e);

/* Set metadata to a number. */
int set_number(struct net *net, const char *key, const char *format, double value, struct err *e);

/* Scale an image to x as the net wants it. */
void scale_image(const struct net *net, const struct dataset *d, uint32_t image, float *x);

#endif
