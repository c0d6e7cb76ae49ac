/* The two of PDF's 14 standard fonts that forms are printed in: Helvetica and Helvetica-Bold, which every
 * reader of PDF has, so that none is embedded. */
#ifndef INKPIPE_FORM_FONT_H
#define INKPIPE_FORM_FONT_H

#include "form.h"

/* UTF-8 to WinAnsiEncoding, the letters of Western Europe: malloc'd, owned by the caller. NULL with the
 * character in e when one is not among them. */
char *font_encode(const char *utf8, struct err *e);

/* The width of a text in WinAnsiEncoding, set in `points`, in mm. */
double font_width(const char *text, size_t len, double points, bool bold);

#define MM_PER_POINT (25.4 / 72)

#endif
