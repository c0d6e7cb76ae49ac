/* The headers of Netpbm's seven formats, and the rasters of those six that are not raw PGM.
 * frame_read.c reads streams with it; programs use stream.h. */
#ifndef INKPIPE_PNM_H
#define INKPIPE_PNM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "stream.h"

struct pnm_header {
    char format;       /* '1'..'7' of P1..P7 */
    int width, height; /* within FRAME_MAX_SIDE and FRAME_MAX_PIXELS */
    int maxval;        /* 1..65535; 1 for P1 and P4 */
    int depth;         /* samples a pixel: 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha */
    size_t length;     /* bytes of the header, with the one whitespace byte that ends it */
};

/* Read a header from the n bytes at p, as pgm(5) and pam(5) give the grammar: a comment runs from
 * # to the end of its line and stands for a newline. Returns 1; 0 when the header goes on beyond
 * n bytes; -1 when it is none, or says a size beyond the limits. */
int pnm_read_header(const uint8_t *p, size_t n, struct pnm_header *h, struct err *e);

/* Bytes of the raster after the header; 0 for the plain formats, where only reading tells. */
size_t pnm_raster_size(const struct pnm_header *h);

/* Where pnm_decode takes its bytes: up to n into `to`; returns how many, 0 at the end, -1 on a
 * failed read. Called from the caller's thread. */
typedef ssize_t pnm_source(void *arg, void *to, size_t n);

/* Read the raster that follows h through libnetpbm into f as gray (luma of RGB; what is transparent is white). Takes
 * not a byte more than the image has, but for the one after the last sample of a plain image. f grows as bytes arrive.
 * One call at a time runs in a process: others wait for it. Returns 0 or -1. */
int pnm_decode(const struct pnm_header *h, pnm_source *source, void *arg, struct frame *f, struct err *e);

#endif
