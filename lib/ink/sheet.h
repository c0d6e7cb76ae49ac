/* Sheets of paper, boards and other even faces in a picture of more than that: a page on a desk or a
 * floor. Found on the grid of an ink map. */
#ifndef INKPIPE_SHEET_H
#define INKPIPE_SHEET_H

#include <stdint.h>

#include "base/err.h"
#include "inkmap.h"

#define SHEETS 2 /* at most so many are told, the largest */

struct sheets {
    struct sheet {
        struct box box; /* in cells */
        int part, cells; /* its label in `part`; how many cells lie within its outline */
    } sheet[SHEETS];
    int n;
    int cell, gw, gh; /* of that map's grid */
    int reduce;       /* and of the map */
    uint8_t *label;   /* [gh][gw] bit i set: within sheet i */
    uint8_t *face;    /* [gh][gw] brightness of the paper */
    int *part;        /* [gh][gw] what hangs together */
    int *stack;
    size_t size;      /* cells that there is room for */
};

/* Find the sheets in the picture m->gray; changes m's grids. Returns 0, or -1 when memory is short. */
int sheets_find(struct sheets *s, struct inkmap *m, struct err *e);

/* m->gray is the box of sheet i and nothing else: cover what is not of the sheet with its paper. */
void sheets_cover(const struct sheets *s, int i, struct inkmap *m);

/* The same for m->ink: what is not of the sheet is none. */
void sheets_wipe(const struct sheets *s, int i, struct inkmap *m);

void sheets_free(struct sheets *s);

#endif
