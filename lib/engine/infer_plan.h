/* What infer_plan.c (making the plan) and infer.c (running it) share; for this room alone.
 *
 * The plan is a list of steps over values in one arena a thread. Convolutions and pools of large
 * pictures run image by image, so that an image stays in the cache from layer to layer. Where
 * pictures have become so small that one does not fill Winograd's convolution, steps run over a
 * group of images; from the first dense layer on over all images of a chunk (a matrix, layout.h), so
 * that a weight read from memory serves them all. */
#ifndef INKPIPE_INFER_PLAN_H
#define INKPIPE_INFER_PLAN_H

#include "engine.h"
#include "int8.h"
#include "plan.h"

/* STEP_LOGITS copies an image out of the arena. From STEP_EACH on: steps of models from elsewhere, plain
 * loops without kernels. */
enum kind {
    STEP_CONV, STEP_WINOGRAD, STEP_AFFINE, STEP_RELU, STEP_ADD, STEP_MAXPOOL, STEP_SUMPOOL,
    STEP_PAD, STEP_MATRIX, STEP_LOGITS, STEP_EACH, STEP_ANYPOOL, STEP_UNBLOCK, STEP_BLOCK, STEP_MUL,
    STEP_UPSAMPLE, STEP_DYNAMIC
};

/* Steps of an earlier phase run first: on each image of a group, then those of the second phase on
 * the group, and once all groups are through, those of the third on all images of the chunk. */
enum phase { OF_IMAGE, OF_GROUP, OF_MATRIX };

/* The output of a step. */
struct value {
    bool matrix;          /* of all images of the chunk: [matrix_blocks(shape)][chunk][BLOCK] */
    struct shape shape;   /* before flattening */
    struct border border; /* of images, not of a matrix */
    struct layout layout; /* the same */
    bool filled;          /* its border is part of the shape (STEP_PAD) and is filled once */
    long place, size;     /* floats: from the arena's start, of all images */
    long image;           /* floats between images; 0: there is room for one, or it is a matrix */
    int born, last;       /* the step that writes it and the last one that reads it */
};

struct step {
    enum kind kind;
    int x, x2, y; /* values; x2: of STEP_ADD, STEP_MUL, and of STEP_WINOGRAD with a sum fused into it */
    long start;   /* STEP_CONV and pools: the offset of the first window in x; STEP_PAD: of x in y; STEP_UNBLOCK,
                     STEP_BLOCK: of the image in the list */
    enum phase phase;
    struct conv conv;
    struct winograd winograd;
    struct pool pool;
    float factor;        /* STEP_SUMPOOL */
    float fill;          /* STEP_PAD: what surrounds x in y */
    bool relu;           /* STEP_ADD, STEP_AFFINE: relu follows in the same pass */
    struct layer layer;  /* from STEP_EACH on: a copy without weights */
    float *memory;       /* weights, bias, scale and shift */
    int *offset;
    int first, last;     /* the layers it covers, as in struct infer_step */
    double multiplies;   /* an image, by the definition */
};

struct infer {
    const struct kernels *k;
    struct threads *threads;
    int chunk, group; /* images at once, at most: a thread's, a group's */
    int values, steps, outputs;
    struct value *value;
    struct step *step;
    int input, output;  /* values; output: a matrix, or -1, where STEP_LOGITS copies it out */
    long input_size;    /* floats an image */
    long arena_size;    /* floats a thread */
    long scratch, scratch_size; /* of Winograd's convolutions, in the arena */
    struct pages *pages; /* all memory of the plan */
    float **arena;      /* [threads] */
    int *order;         /* [steps] their indices in the order of running, phase by phase */
    bool backward;      /* dense layers read their weights from the end in this run (infer.c) */
    const float *x;     /* the input and the output of the present run */
    float *logits;
    int n, share;       /* images of the run, and of a thread's chunk */
    struct infer_step *profile; /* [steps]; NULL: not measured */
    struct int8 *int8;  /* runs instead of the steps; NULL: none, floats */
};

/* How many channels of block b are the shape's. */
int lanes_of(const struct value *v, int b);

#endif
