/* libinkpipe: handwritten digits read from gray pixels, as `preproc | cnn-predict` reads them. The
 * one header that is installed; inkpipe(3) has an example.
 *
 * A reader is used by one thread at a time; different readers are independent. Nothing here
 * prints, exits, reads the environment or keeps state outside the reader. */
#ifndef INKPIPE_H
#define INKPIPE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct inkpipe;

struct inkpipe_digit {
    const char *label;  /* "0".."9"; "-": this is no digit */
    double probability; /* of the most probable class, 0..1 */
    int x, y, w, h;     /* its box in the picture's pixels */
    int line, word;     /* its place in reading order, each from 0 */
    const double *probabilities; /* of all classes, in inkpipe_label's order */
};

/* The version, as "0.1.0". */
const char *inkpipe_version(void);

/* Load a model (an ONNX file as cnn-predict(1) reads them; NULL: the installed default.onnx) and a finder
 * (one that finds digits; NULL: the installed find.onnx) and make a reader of them. Returns NULL on
 * failure and writes why, one line, into error, size bytes; error may be NULL. Free with
 * inkpipe_close. */
struct inkpipe *inkpipe_open(const char *model, const char *finder, char *error, size_t size);

/* Free a reader and everything it handed out. NULL is let pass. */
void inkpipe_close(struct inkpipe *r);

/* Find and read the most prominent digit in gray, or with many != 0 every digit in reading order.
 * A picture is height rows of width bytes (each side 1..16384), 0 black to 255 white, a row every
 * stride bytes; ink may be darker or lighter than what it is on. Returns how many digits there
 * are, 0 for none; -1 on failure: inkpipe_error says why. *digits, which belongs to the reader, is
 * valid until the next call with it. */
int inkpipe_read(struct inkpipe *r, const unsigned char *gray, size_t stride, int width, int height,
                 int many, const struct inkpipe_digit **digits);

/* How many classes the model has, and the name of class i, 0 <= i < classes: "0".."9", and "none"
 * where the model knows what is no digit. NULL for another i. Owned by the reader. */
int inkpipe_classes(const struct inkpipe *r);
const char *inkpipe_label(const struct inkpipe *r, int i);

/* Why the last inkpipe_read failed; "" when it did not. Owned by the reader. */
const char *inkpipe_error(const struct inkpipe *r);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
