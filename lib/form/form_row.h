/* A field's row of boxes, taken flat out of a picture. */
#ifndef INKPIPE_FORM_ROW_H
#define INKPIPE_FORM_ROW_H

#include <math.h>

#include "base/box.h"
#include "form_bend.h"
#include "form_marks.h"

#define FINE 8            /* pixels of a row to a mm */
#define MARGIN 24         /* pixels around the boxes of a row: 3 mm */
#define SURE_INK 26       /* of 255: paper's own unevenness is less */

struct cell_place {
    const struct form_rect *at;
    size_t cell;     /* of the layout */
    struct box line; /* the middle of the box's lines, in the row's pixels: x1 and y1 are its right and lower ones */
    int dx, dy;      /* by which they were moved */
    int ink;         /* the least contrast that is ink in it */
    int full;        /* the contrast of full ink */
    long area;       /* pixels of ink */
    struct box box;  /* around them */
};

/* A field's row. */
struct row {
    double x, y; /* mm on paper of its upper left corner */
    struct point off; /* mm: by so far it is looked for beside where the bend has it */
    int w, h, cells;
    double ppm;  /* the picture's pixels to a mm */
    int rough;   /* the spread of the paper's grain */
    int band;    /* pixels on either side of a line's middle that are taken out */
    struct cell_place cell[FORM_MAX_CELLS];
    struct bend bend; /* of the paper, as far as it is known */
    uint8_t *gray, *ink;      /* [h][w]; ink: contrast to the paper */
    uint8_t *paper, *turned;  /* [h][w], to work in */
    size_t gray_room, ink_room, paper_room, turned_room;
};

/* Begin a sheet, with what its code tells of how the paper is bent. */
void row_begin(struct row *row, const struct form_layout *l, const struct form_sheet *sheet);

/* Lay out the cells from `first` on that are one field's on one sheet. Returns how many. */
size_t row_lay(struct row *row, const struct form_layout *l, size_t first);

/* Take it out of the picture, its boxes where they are to be seen. Returns 0, or -1 when memory is short. */
int row_take_flat(struct row *row, const struct picture *p, const struct plane *plane, struct err *e);
void row_free(struct row *row);

/* Take off the ink what half of n pixels have, which are counted: the paper's. Returns how much that is. */
int row_level(struct row *row, const int count[256], int n);

/* The contrast that this part of n pixels have no more than. */
int row_quantile(const int count[256], int n, double part);

static inline int row_pixels(double mm)
{
    return (int)lrint(mm * FINE);
}

/* Contrast at a pixel; 0 beyond the row. */
static inline int row_ink(const struct row *row, int x, int y)
{
    return x < 0 || y < 0 || x >= row->w || y >= row->h ? 0 : row->ink[y * row->w + x];
}

#endif
