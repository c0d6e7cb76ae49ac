/* What infer_plan.c (making the plan) and infer.c (running it) share. Not part of the library's
 * interface.
 *
 * The plan is a list of steps over values in one arena a thread. Convolutions and pools of large
 * pictures run image by image, so that an image stays in the cache from layer to layer. Where
 * pictures have become so small that one does not fill Winograd's convolution, steps run over a
 * group of images; from the first dense layer on over all images of a chunk ("rows", layout.h), so
 * that a weight read from memory serves them all.
 *
 * One image alone is run by all threads together: each step is cut into parts, of rows, tiles or
 * output channels, and the threads meet after each (struct stage, threads.h). */
#ifndef INKPIPE_INFER_PLAN_H
#define INKPIPE_INFER_PLAN_H

#include "engine.h"
#include "int8.h"
#include "layout.h"
#include "pages.h"

/* From STEP_EACH on they serve foreign models: plain loops, no kernels. */
enum kind {
    STEP_CONV, STEP_WINOGRAD, STEP_AFFINE, STEP_RELU, STEP_ADD, STEP_MAXPOOL, STEP_SUMPOOL,
    STEP_PAD, STEP_ROWS, STEP_EACH, STEP_ANYPOOL, STEP_SURROUND, STEP_UNBLOCK, STEP_BLOCK
};

/* Steps of an earlier phase run first: on each image of a group, then those of the second phase on
 * the group, and once all groups are through, those of the third on all images of the chunk. */
enum phase { OF_IMAGE, OF_GROUP, OF_ROWS };

/* The output of a step. */
struct value {
    bool rows;            /* of all images of the chunk: [rows_blocks(shape)][chunk][BLOCK] */
    struct shape shape;   /* before flattening */
    struct border border; /* where !rows */
    struct layout layout; /* the same */
    long place, size;     /* floats: from the arena's start, of all images */
    long image;           /* floats between images; 0: there is room for one only, or rows */
    int born, last;       /* the steps that write it and read it last */
};

struct step {
    enum kind kind;
    int x, x2, y; /* values; x2: of STEP_ADD */
    long start;   /* STEP_CONV and pools: where in x the first window begins */
    enum phase phase;
    struct conv conv;
    struct winograd winograd;
    struct pool pool;
    float factor;        /* STEP_SUMPOOL */
    float fill;          /* STEP_PAD: what the border holds */
    bool relu;           /* STEP_ADD */
    struct layer layer;  /* of the steps for foreign models: its numbers, not its weights */
    float *memory;       /* in the plan's pages: weights, bias, scale and shift */
    int *offset;         /* owned */
    int parts;           /* that threads do it in when they run one image together */
    int first, last;     /* the layers it covers, as in struct infer_step */
    double multiplies;   /* an image, by the definition */
};

struct infer {
    const struct kernels *k;
    struct threads *threads;
    int chunk, group; /* images at once, at most */
    int values, steps, outputs;
    struct value *value;
    struct step *step;
    int input, output;  /* values */
    long input_size;    /* floats an image */
    long arena_size;    /* floats a thread */
    long scratch, scratch_size; /* of Winograd's convolutions, in the arena */
    struct pages *pages; /* all that the steps own, and the arenas */
    float **arena;      /* [threads] */
    int *order;         /* [steps] the order in which they are run, phase by phase */
    struct stage *stage; /* [steps] of one image run by all threads, in that order */
    bool backward;      /* dense layers go through their weights from the end: see run_conv */
    const float *x;     /* of the run at hand */
    float *logits;
    int n, share;       /* images of the run, and a chunk of it */
    struct infer_step *profile; /* [steps] or NULL: nobody asked */
    struct int8 *int8;  /* or NULL: runs instead of the steps */
};

#endif
