/* Finding handwritten digits in a picture: from gray pixels of any size to 28x28 frames as MNIST
 * makes them. A pure function of the pixels: inkmap.h says what is ink, parts.h what hangs
 * together, normalise.h how a digit is made 28x28. */
#ifndef INKPIPE_INK_H
#define INKPIPE_INK_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "normalise.h"

struct ink_digit {
    int x, y, w, h;  /* its box in the source's pixels */
    int line, word;  /* place in reading order, from 0; both count through the frame */
    uint8_t pixels[DIGIT_PIXELS]; /* white ink on black */
};

/* Workspace for pictures of any size, reused from one to the next; one thread at a time. */
struct ink;

struct ink *ink_new(struct err *e);
void ink_free(struct ink *k);

/* Find the digit (many: all digits, in reading order) in `gray`, w x h pixels (1..16384 a side),
 * rows `stride` bytes apart. Returns how many there are, and *digits points to them until the next
 * call; 0 when there is none; -1 when memory is short. */
int ink_find(struct ink *k, const uint8_t *gray, long stride, int w, int h, bool many,
             struct ink_digit **digits, struct err *e);

/* How many things as prominent as a digit the last picture held, whether asked for or not. */
int ink_seen(const struct ink *k);

#endif
