/* What hangs together in a mask: its connected components, by runs and union-find. */
#ifndef INKPIPE_FORM_BLOBS_H
#define INKPIPE_FORM_BLOBS_H

#include <stddef.h>
#include <stdint.h>

#include "base/box.h"
#include "base/err.h"

/* Pixels x0 to before x1 of row y. */
struct stretch {
    int y, x0, x1;
    int next; /* the blob's next, below or to the right; -1: none */
    int blob;
};

struct blob {
    struct box box;
    long area;       /* pixels */
    int first, last; /* of its stretches */
};

/* All-zero is empty. */
struct blobs {
    struct stretch *run;
    struct blob *blob;
    int *parent; /* of a run */
    int runs, blobs;
    size_t run_room, blob_room, parent_room;
};

/* Find the blobs of mask [h][w] (pixels that are not 0; the eight around one touch it), in the order of their
 * first pixels. Returns 0, or -1 when memory is short. */
int blobs_find(struct blobs *b, const uint8_t *mask, int w, int h, struct err *e);
void blobs_free(struct blobs *b);

#endif
