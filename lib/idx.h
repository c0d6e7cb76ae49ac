/* IDX files, the format MNIST comes in: big-endian header, then unsigned bytes, all images or all
 * labels in a row. Read item after item, plain or gzip, from a file or a pipe; memory does not
 * depend on what the header says.
 *
 *     00 00 08 03  N(4) H(4) W(4)  N images of H rows of W bytes
 *     00 00 08 01  N(4)            N labels of one byte
 */
#ifndef INKPIPE_IDX_H
#define INKPIPE_IDX_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct idx;

/* Open a file, NULL or "-" for standard input, and read its header. Returns NULL when it is not an
 * IDX file of bytes in one or three dimensions, or its images are beyond the limits of frame.h.
 * Close with idx_close. */
struct idx *idx_open(const char *name, struct err *e);
void idx_close(struct idx *x);

/* The size of an item (labels: 1x1). */
int idx_width(const struct idx *x);
int idx_height(const struct idx *x);

/* Read the next item, idx_height rows of idx_width bytes, into item. Returns 1; 0 when all
 * that the header counts have been read; -1 when the file ends before, goes on behind the last one, or
 * is a broken gzip file: e then names file and item. */
int idx_read(struct idx *x, uint8_t *item, struct err *e);

/* Go past the next n items, or to the end when fewer are left. Returns 0 or -1. */
int idx_skip(struct idx *x, uint32_t n, struct err *e);

/* Images and, unless NULL, the labels that go with them. */
struct idx_pair {
    struct idx *images, *labels;
};

/* Open both (labels_name NULL: images alone) and check that they are what they should be and as
 * many. Returns 0, or -1 with nothing left open. */
int idx_pair_open(struct idx_pair *p, const char *images_name, const char *labels_name,
                  struct err *e);
void idx_pair_close(struct idx_pair *p);

/* idx_read of both; *label is 0..255, or -1 without labels. */
int idx_pair_read(struct idx_pair *p, uint8_t *image, int *label, struct err *e);
int idx_pair_skip(struct idx_pair *p, uint32_t n, struct err *e);

/* An image of width columns and height rows with rows and columns exchanged (EMNIST stores them
 * so): to has height columns and width rows. The two must not overlap. */
void idx_transpose(const uint8_t *from, int width, int height, uint8_t *to);

#endif
