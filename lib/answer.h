/* The answer to a frame: how it is decided, written as a line, and read back.
 *
 * A text line is made of tab-separated fields, `-` for what is not there:
 *
 *     digit  probability  source  frame  box  [runner-up:probability ...]
 *     7      0.998        a.jpg   0      120,44,61,88  1:0.001  9:0.000
 *
 * A JSON line is one object that holds the same and the probability of every class:
 *
 *     {"digit":"7","probability":0.998112,"source":"a.jpg","frame":0,"box":[120,44,61,88],
 *      "label":null,"probabilities":{"0":0.000012,...}}
 *
 * (on one line; null for what is not there; `label` is the truth, of a labelled frame). */
#ifndef INKPIPE_ANSWER_H
#define INKPIPE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define ANSWER_MAX_CLASSES 128 /* of a model that is asked for answers */
#define ANSWER_LABEL 16        /* bytes of a class's name with its NUL */
#define ANSWER_DIGITS 256      /* bytes of a number with its NUL */
#define ANSWER_SOURCE 4096     /* bytes of a percent-encoded source with its NUL */
#define ANSWER_LINE 16384      /* bytes that hold any line with its newline and NUL */

struct candidate {
    char label[ANSWER_LABEL];
    double probability; /* 0..1 */
};

/* A fixed size, no pointers: an answer may be copied and needs no freeing. */
struct answer {
    char digit[ANSWER_DIGITS];  /* "7"; a joined number, "0042"; "-": no digit */
    double probability;         /* of digit, 0..1; negative: not there */
    char source[ANSWER_SOURCE]; /* percent-encoded; "-": not there */
    long long frame;            /* in that source, from 0; negative: not there */
    int box[4];                 /* x y w h in the source's pixels; w = 0: not there */
    char label[ANSWER_LABEL];   /* the truth; "": not there */
    int candidates;             /* 0 when the net was not asked */
    struct candidate candidate[ANSWER_MAX_CLASSES]; /* in the model's order; after answer_parse of
                                                       a text line, the answer first */
};

/* An answer that says nothing: digit "-", nothing there. (Leaves candidate[] as it is.) */
void answer_clear(struct answer *a);

/* Decide from the probabilities p of n classes (n <= ANSWER_MAX_CLASSES) named label[]: all of
 * them become candidates, the most probable the digit. It is "-" when class `reject` wins (-1:
 * there is no such class), when its probability is under `threshold`, or when a probability is not
 * a number. Other fields of a are left as they are. */
void answer_decide(struct answer *a, char (*label)[ANSWER_LABEL], int n, int reject,
                   const double *p, double threshold);

/* Set a's source: bytes that are not printable ASCII become %XX, and what would not fit is cut. */
void answer_set_source(struct answer *a, const char *source);

/* True when a says a digit (not "-"). */
bool answer_given(const struct answer *a);

/* The probability of the class named label: 0 when it is not among the candidates. */
double answer_probability(const struct answer *a, const char *label);

/* Read "x,y,w,h" (whole numbers from 0, w and h from 1). Returns false and leaves box alone when
 * text is not that. */
bool answer_parse_box(const char *text, int box[4]);

/* Write a as a text line, with its newline, into text of ANSWER_LINE bytes; after the box come up to
 * `runners` runners-up (for "-": the most probable digits), never the class "none". Returns the
 * length. */
size_t answer_text(const struct answer *a, int runners, char *text);

/* The same as JSON. */
size_t answer_json(const struct answer *a, char *text);

/* Read a line written by either function back (newline or not). A text line may end early: what is
 * missing is not there. JSON may have its keys in any order, others among them, and white space.
 * Whatever is out of range, not printable ASCII or too long is refused. Returns 0, or -1 with what
 * is wrong in e. */
int answer_parse(const char *line, struct answer *a, struct err *e);

/* Steadying: of a live stream's answers, pass one when it has held for `hold` seconds, and again
 * only when another has held since. Start from {.hold = seconds, .passed = "-"}. */
struct steady {
    double hold;                 /* seconds */
    double since;                /* time of the first of the equal answers at hand */
    char source[ANSWER_SOURCE];  /* their source; its time starts anew in another */
    char digit[ANSWER_DIGITS];   /* what they say */
    char passed[ANSWER_DIGITS];  /* what was passed last; nothing yet counts as "-" */
};

/* Tell the answer to the frame at `time` seconds. True: it has held, print it. */
bool steady_pass(struct steady *s, const struct answer *a, double time);

/* Joining: the digits of one word become one answer, whose digit is the number, whose probability
 * is their product and whose box is theirs together. Frames that hold no digit add nothing to
 * their word; a word without any digit is "-". Start from {.threshold = t}. */
struct words {
    double threshold; /* a word whose probability is under it is "-" */
    bool open;        /* there is a word in `at` */
    int digits;       /* in it */
    long line, word;  /* its reading position */
    struct answer at;
};

/* Add the answer of a frame at reading position (line, word); word -1: it stands alone. When this
 * ends the word before it, that is written to *done and true returned. */
bool words_add(struct words *w, const struct answer *a, long line, long word, struct answer *done);

/* End the word at hand: true when there was one, in *done. */
bool words_end(struct words *w, struct answer *done);

#endif
