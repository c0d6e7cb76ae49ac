/* Labelled pictures in memory, to train on: all of one size, divided into a part to learn from and
 * a part to judge by, and shuffled anew for every epoch. */
#ifndef INKPIPE_DATASET_H
#define INKPIPE_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "frame.h"
#include "ranks.h"
#include "sha256.h"

#define DATASET_MAX_IMAGES (1L << 26)
#define DATASET_MAX_SOURCES 4096

struct dataset {
    int height, width, classes; /* labels are 0..classes-1; FRAME_NONE is 10 */
    long images, size;          /* there, and allocated */
    uint8_t *pixels;            /* [images][height][width] */
    uint8_t *labels;            /* [images] */
    uint16_t *source;           /* [images]: which of the sources it came from */
    int sources;
    char **source_name;    /* [sources]: the names of the streams read, each once */
    long blank;            /* frames with nothing in them, left out */
    struct sha256 content; /* of each image's pixels followed by its label as one byte, in order */
};

void dataset_init(struct dataset *d, int height, int width, int classes);
void dataset_free(struct dataset *d);

/* Add all frames of r. A frame of another size, without a label or with a label that is not
 * one of the classes (digits, and `none` where there are eleven) is an error which names file and frame; frames whose pixels are all equal are
 * counted and left out. Returns 0 or -1; what was added stays. */
int dataset_read(struct dataset *d, struct frame_reader *r, struct err *e);

/* Rank 0's data (but for the sources' names) becomes that of all ranks, whose d is new. Returns 0 or
 * -1. */
int dataset_share(struct dataset *d, struct ranks *ranks, struct err *e);

/* Indices of the images to learn from and to judge by, each in the data's order. */
struct split {
    long train, validation;
    uint32_t *train_index, *validation_index;
};

/* Set aside `validation` images, chosen by a hash of their pixels: the same pictures whatever the
 * seed, the order or the number of times the data names them, and a picture that is there twice
 * is not on both sides (but for the last one chosen). Returns 0 or -1; e says when nothing would
 * be left to learn from. */
int dataset_split(const struct dataset *d, long validation, struct split *s, struct err *e);
void split_free(struct split *s);

/* order[n] = index[n] shuffled for `epoch` (Fisher & Yates). */
void dataset_shuffle(const uint32_t *index, long n, uint64_t seed, uint64_t epoch, uint32_t *order);

/* The pixels of an image. */
static inline const uint8_t *dataset_pixels(const struct dataset *d, uint32_t image)
{
    return d->pixels + (size_t)image * (size_t)d->height * (size_t)d->width;
}

#endif
