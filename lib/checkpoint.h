/* Checkpoints: all that a training run needs to go on as if it had never stopped. What is drawn at
 * random depends on (seed, epoch, image, step) alone, so a place in the run and the trainer's
 * arrays are enough.
 *
 * The file, numbers little-endian:
 *   8 bytes  "INKCKPT1"
 *   32       identity: SHA-256 of options, data and starting weights; a run resumes only its own
 *   8 x 6    epoch, batch, steps, correct, seen, records (unsigned)
 *   8 x 2    loss, seconds (double)
 *   8 x 8    a record, `records` times: the fields of struct epoch_record (doubles)
 *   8        arrays; then for each: 8 its count, 4 x count its floats
 *   4        CRC-32 (zlib's) of all bytes before
 * A file that is not exactly this, or whose arrays are not of the run's sizes, is refused before
 * anything of it is used. */
#ifndef INKPIPE_CHECKPOINT_H
#define INKPIPE_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "sha256.h"
#include "train.h"

#define CHECKPOINT_MAX_EPOCHS 100000
#define CHECKPOINT_MAX_FILE 0x7fffffffL

/* One epoch's line. Without a validation split its two values are NAN. */
struct epoch_record {
    double epoch; /* from 1 */
    double loss, accuracy;
    double validation_loss, validation_accuracy;
    double rate; /* of its last step */
    double seconds, images_per_second;
};

struct checkpoint {
    uint8_t identity[SHA256_SIZE];
    uint64_t epoch, batch;  /* to be done next, from 0 */
    uint64_t steps;         /* taken by the trainer */
    uint64_t correct, seen; /* images of the epoch at hand */
    double loss, seconds;   /* sum over those images; time spent on them */
    uint64_t records;       /* finished epochs */
    struct epoch_record *record; /* [records], owned by the checkpoint (free) */
};

/* Write a checkpoint with the n arrays of list to `name`: at no moment is there a half-written file
 * of that name. Returns 0 or -1. */
int checkpoint_save(const char *name, const struct checkpoint *c, const struct train_array *list,
                    int n, struct err *e);

/* Read a checkpoint and fill the arrays of list. c->identity is given: another one in the file is
 * an error. On failure returns -1 and neither c nor the arrays are changed. */
int checkpoint_load(const char *name, struct checkpoint *c, const struct train_array *list, int n,
                    struct err *e);

/* The same from memory. */
int checkpoint_parse(const uint8_t *bytes, size_t len, struct checkpoint *c,
                     const struct train_array *list, int n, struct err *e);

#endif
