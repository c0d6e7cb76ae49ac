/* Connected parts of an ink map, as runs: a run is a stretch of ink in one row. Work and memory
 * go with the amount of ink, not with the size of the picture. */
#ifndef INKPIPE_PARTS_H
#define INKPIPE_PARTS_H

#include <stdint.h>

#include "base/box.h"
#include "base/err.h"

/* Ink in row y from x0 to x1 - 1. The runs of a part are chained by `next` in order of y, x0. */
struct run {
    int32_t y, x0, x1;
    int32_t part; /* index of its part */
    int32_t next; /* index of the next run of the part; -1: last */
};

struct part {
    struct box box;
    long area;       /* pixels of ink */
    long weight;     /* sum of their contrasts */
    int first, last; /* its first and last run */
    int runs;
};

struct parts {
    struct run *run;
    int runs;
    struct part *part;
    int parts;
    int32_t *parent; /* of the union-find over runs, used while labelling */
    size_t run_room, parent_room, part_room;
};

/* Find the 8-connected parts of ink [h][w] (bit 0 set: ink), runs joined by union-find. What has so many
 * runs that it is no writing has no parts. Returns 0, or -1 when memory is short. */
int parts_find(struct parts *p, const uint8_t *ink, int w, int h, struct err *e);

void parts_free(struct parts *p);

#endif
