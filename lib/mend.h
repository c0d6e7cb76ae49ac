/* Broken strokes, joined over the fainter ink between their pieces. */
#ifndef INKPIPE_MEND_H
#define INKPIPE_MEND_H

#include "inkmap.h"
#include "parts.h"

/* Workspace, kept from call to call; all-zero at first. */
struct mend {
    struct parts faint; /* of the neighbourhood, at a lower threshold */
    uint8_t *window;
    size_t size;
};

/* Look around the box x0, y0, x1, y1 in m for ink of at least `level`, and make what hangs together
 * with the ink marked in the box ink too, unless it would become longer than `longest`, reach out
 * of the neighbourhood, or grow to more than `growth` times the area: then it is a shadow or
 * another digit. Returns 1 when ink was marked, so that parts have to be found again; 0; or -1. */
int mend(struct mend *s, struct inkmap *m, const struct part *box, int level, float longest,
         float growth, struct err *e);

void mend_free(struct mend *s);

#endif
