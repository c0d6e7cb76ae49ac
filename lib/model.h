/* A model that is asked for answers: one network from a file, or several that vote (the mean of
 * their probabilities), with what their metadata say: input scaling, labels, temperature. */
#ifndef INKPIPE_MODEL_H
#define INKPIPE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "err.h"
#include "threads.h"

#define MODEL_MAX_VOTES 32

/* Input scaling: x = (pixel * scale - mean) / std, of pixels 0..255. */
struct scaling {
    double scale, mean, std;
};

/* Read "scale", "scale,mean,std", each a number or a fraction as 1/255; what is left out is 0 and 1.
 * Returns false when text is not that, or says a number that cannot be (std 0). */
bool scaling_parse(const char *text, struct scaling *s);

/* A network of the vote. */
struct voter {
    struct infer *infer;
    struct scaling scaling;
    double temperature;
    int outputs;
    int class[ANSWER_MAX_CLASSES]; /* the model's class of each output */
};

struct model {
    int width, height;    /* of the frames it reads */
    int classes, reject;  /* reject: the class named "none", -1 when there is none */
    char label[ANSWER_MAX_CLASSES][ANSWER_LABEL]; /* the classes' names */
    int batch;            /* frames at a time */
    int voters;
    struct voter voter[MODEL_MAX_VOTES];
    const char *unscaled; /* the first file whose metadata have no input_scale, when no scaling was
                             given: 0..1 is used. NULL: none */
    float *x, *logits;    /* [batch][height * width], [batch][most outputs] */
};

/* Load n files (1..MODEL_MAX_VOTES) that read frames of one size, and plan them for `batch` frames
 * on threads t, which must outlive the model. Networks without labels answer 0, 1, 2 ...; classes
 * are united by label, and a network that lacks one gives it probability 0. `given`, when not NULL,
 * takes the place of the files' scaling. `files` must outlive the model. Returns NULL on failure;
 * free with model_free. */
struct model *model_load(const char *const *files, int n, const struct scaling *given, int batch,
                         struct threads *t, struct err *e);
void model_free(struct model *m);

/* Probabilities of n frames (1..batch): gray [n][height][width] -> p [n][classes]. */
void model_run(struct model *m, const uint8_t *gray, int n, double *p);

/* The model to use when none is named: default.onnx in share/inkpipe beside the program's bin, in
 * PREFIX/share/inkpipe, or in models beside the tree's build. Writes its name into path and returns
 * true; false when there is none. */
bool model_find(char *path, size_t size);

/* What is unlike a frame that preproc made, where a digit is light on black, in a box of 20/28 of
 * the side, its centre of mass in the middle. */
enum model_doubt {
    DOUBT_NONE,
    DOUBT_PAPER, /* the border is not black */
    DOUBT_EDGE   /* ink runs into the border, and is larger than that box or out of the middle */
};
enum model_doubt model_doubt(const uint8_t *gray, int width, int height);

#endif
