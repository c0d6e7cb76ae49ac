/* Broken strokes, joined over the fainter ink between their pieces. */
#ifndef INKPIPE_MEND_H
#define INKPIPE_MEND_H

#include "base/box.h"
#include "inkmap.h"
#include "parts.h"

/* Workspace, kept from call to call; all-zero at first. */
struct mend {
    struct box near;    /* the neighbourhood, in the map */
    uint8_t *ink;       /* of it, at a lower threshold: as parts_find takes it */
    struct parts faint; /* of that ink, from the neighbourhood's corner on */
    size_t room;        /* of `ink`, in bytes */
};

/* Look around `box` in m for ink of at least `level`, and make what hangs together with the ink marked
 * in the box ink too, unless it would become longer than `longest`, reach out of the neighbourhood, or
 * grow to more than `growth` times the area: then it is a shadow or another digit. Returns 1 when ink
 * was marked, so that parts have to be found again; 0; or -1. */
int mend(struct mend *s, struct inkmap *m, struct box box, int level, float longest, float growth,
         struct err *e);

void mend_free(struct mend *s);

#endif
