/* Lines of answers as they are put together; this room's own. */
#ifndef INKPIPE_ANSWER_WRITER_H
#define INKPIPE_ANSWER_WRITER_H

#include "answer.h"

/* A line of less than `size` bytes; what does not fit is cut. */
struct writer {
    char *text;
    size_t len, size;
};

void writer_put(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* In JSON: s as a string; a probability, null when negative; a box, null when it is not there; candidates, null
 * when there are none. */
void writer_put_text(struct writer *w, const char *s);
void writer_put_probability(struct writer *w, double p);
void writer_put_box(struct writer *w, const int box[4]);
void writer_put_candidates(struct writer *w, const struct answer_candidate *c, int n);

/* An answer's object as far as its brace. */
void writer_put_answer(struct writer *w, const struct answer *a);

/* The index of the candidate that follows candidate `last` when they are sorted by descending probability,
 * then by index; of the first for last = -1. Returns -1 behind the last one. */
int answer_next_candidate(const struct answer *a, int last);

#endif
