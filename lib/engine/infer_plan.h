/* What infer_plan.c (making the plan) and infer.c (running it) share; for this room alone.
 *
 * The plan is a program (program.h) over one arena a thread. Convolutions and pools of large pictures run
 * image by image, so that an image stays in the cache from layer to layer. Where pictures have become so
 * small that one does not fill Winograd's convolution, operations run over a group of images; from the first
 * dense layer on over all images of a chunk (a matrix), so that a weight read from memory serves
 * them all. */
#ifndef INKPIPE_INFER_PLAN_H
#define INKPIPE_INFER_PLAN_H

#include "program.h"

struct infer {
    const struct kernels *k;
    struct threads *threads;
    struct program program;
    int chunk, group; /* images at once, at most: a thread's, a group's */
    int outputs;
    bool copied;      /* the last operation copies the logits out; else the output is a matrix */
    long input_size;  /* floats an image */
    long arena_size;  /* floats a thread */
    long scratch, scratch_size; /* of an operation at work, in the arena */
    struct pages *pages; /* all memory of the plan */
    float **arena;      /* [threads] */
    bool *backward;     /* [threads] whether the next chunk's dense layers read weights from the end (infer.c) */
    struct infer_step *profile; /* [operations]; NULL: not measured */
    struct int8 *int8;  /* runs instead of the program; NULL: none, floats */
    const struct kernels8 *k8; /* its kernels */
};

#endif
