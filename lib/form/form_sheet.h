/* A sheet in a picture, from its marks. */
#ifndef INKPIPE_FORM_SHEET_H
#define INKPIPE_FORM_SHEET_H

#include "form.h"
#include "form_marks.h"

/* Find the sheet. Returns 0, or -1 with what is missing. */
int sheet_find(struct mark_finder *f, const struct picture *p, const struct form_layout *l, struct form_sheet *sheet,
               struct err *e);

#endif
