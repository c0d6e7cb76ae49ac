/* The room of answers: models that read 28x28 pixels (model), what they say as lines of text and
 * back (answer), how often they are right (evaluate), and which answer belongs to which frame of a
 * live stream (match). */
#ifndef INKPIPE_ANSWER_H
#define INKPIPE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/threads.h"

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

/* A model that is asked for answers: one network from a file, or several that vote (the mean of
 * their probabilities), with what their metadata say: input scaling, labels, temperature. */

#define MODEL_MAX_VOTES 32

/* Input scaling: x = (pixel * scale - mean) / std, of pixels 0..255. */
struct scaling {
    double scale, mean, std;
};

/* Read "scale", "scale,mean,std", each a number or a fraction as 1/255; what is left out is 0 and 1.
 * Returns false when text is not that, or says a number that cannot be (std 0). */
bool scaling_parse(const char *text, struct scaling *s);

/* A network of the vote. */
struct voter {
    struct infer *infer;
    struct scaling scaling;
    double temperature;
    int outputs;
    int class[ANSWER_MAX_CLASSES]; /* the model's class of each output */
};

struct model {
    int width, height;    /* of the frames it reads */
    int classes, reject;  /* reject: the class named "none", -1 when there is none */
    char label[ANSWER_MAX_CLASSES][ANSWER_LABEL]; /* the classes' names */
    int batch;            /* frames at a time */
    int voters;
    struct voter voter[MODEL_MAX_VOTES];
    const char *unscaled; /* the first file whose metadata have no input_scale, when no scaling was
                             given: 0..1 is used. NULL: none */
    float *x, *logits;    /* [batch][height * width], [batch][most outputs] */
};

/* Load n files (1..MODEL_MAX_VOTES) that read frames of one size, and plan them for `batch` frames
 * on threads t, which must outlive the model. Networks without labels answer 0, 1, 2 ...; classes
 * are united by label, and a network that lacks one gives it probability 0. `given`, when not NULL,
 * takes the place of the files' scaling. `files` must outlive the model. Returns NULL on failure;
 * free with model_free. */
struct model *model_load(const char *const *files, int n, const struct scaling *given, int batch,
                         struct threads *t, struct err *e);
void model_free(struct model *m);

/* Probabilities of n frames (1..batch): gray [n][height][width] -> p [n][classes]. */
void model_run(struct model *m, const uint8_t *gray, int n, double *p);

/* The model `name` (default.onnx) that is installed: in share/inkpipe beside the program's bin, in
 * PREFIX/share/inkpipe, or in models beside the tree's build. Writes where it is into path and returns
 * true; false when there is none. */
bool model_find(const char *name, char *path, size_t size);

/* What is unlike a frame that preproc made, where a digit is light on black, in a box of 20/28 of
 * the side, its centre of mass in the middle. */
enum model_doubt {
    DOUBT_NONE,
    DOUBT_PAPER, /* the border is not black */
    DOUBT_EDGE   /* ink runs into the border, and is larger than that box or out of the middle */
};
enum model_doubt model_doubt(const uint8_t *gray, int width, int height);

/* How good answers are: accuracy, which digit is taken for which, and whether probabilities mean
 * what they say. */

#define EVALUATE_NONE 10    /* no digit: as the answer refused, as the truth FRAME_NONE */
#define EVALUATE_BINS 20    /* of probability, each 0.05 wide */
#define EVALUATE_TEXT 4096  /* bytes that hold the report */

/* Counts; all zero is where one starts. */
struct evaluation {
    long count[11][11];        /* [truth][answer] */
    long given[EVALUATE_BINS]; /* answers whose probability is in the bin (0 goes in the first) */
    long right[EVALUATE_BINS]; /* of them */
    double sum[EVALUATE_BINS]; /* of their probabilities */
};

/* Count one answer: truth and digit are 0..9 or EVALUATE_NONE, probability is the digit's, 0..1 (of
 * no meaning when there is none). */
void evaluation_add(struct evaluation *v, int truth, int digit, double probability);

long evaluation_frames(const struct evaluation *v);
long evaluation_right(const struct evaluation *v);
/* Digits that were answered with none, and frames without a digit that were answered with one. */
long evaluation_refused(const struct evaluation *v);
long evaluation_false_digits(const struct evaluation *v);

/* The expected calibration error (Naeini et al. 2015; Guo et al. 2017) over the answers given: the
 * mean over the bins, weighted by their answers, of |share right - mean probability|. 0 when no
 * answer was given. */
double evaluation_calibration_error(const struct evaluation *v);

/* Write the report, as cnn-predict(1) describes it, into text of EVALUATE_TEXT bytes: accuracy and
 * calibration error, the confusion table, the reliability table; what it says of frames without a
 * digit is left out when there were none of these. Returns its length. */
size_t evaluation_text(const struct evaluation *v, char *text);

/* Which frame an answer is about. A command beside a window answers late, not at all, or several
 * times for one frame; what it says must never be shown on another picture. Pure. */

#define MATCH_FRAMES 256 /* frames remembered, newest last */
#define MATCH_BOXES 64   /* answers kept of one frame */

struct match_sent {
    uint64_t source; /* a hash of its name */
    long long number;
    double time; /* the frame's own, or when it was sent */
    double at;   /* when it was sent */
};

struct match_box {
    char digit[16];     /* "-": no digit */
    double probability; /* negative: not known */
    int box[4];         /* x y w h; w = 0: not known */
};

/* Start from {.steady = {.hold = seconds}, .lag = -1}. */
struct match {
    struct match_sent sent[MATCH_FRAMES];
    int count, next; /* remembered; where the next one goes */
    struct match_box box[MATCH_BOXES]; /* answers to the newest frame */
    int boxes;
    int same;     /* answers so far to the frame answered last */
    long long last_number;
    uint64_t last_source;
    double lag;   /* seconds from sending to the latest answer; negative: none yet */
    struct steady steady;
    struct answer steadied; /* the answer that has held, with its latest probability */
    bool settled;           /* there is one: a first answer holds until another has held */
};

/* A frame went to the command. */
void match_send(struct match *m, const char *source, long long number, double time, double now);

/* An answer came: true when it is about the newest frame (it is then among box[]). An answer that
 * names no frame is taken to be about the newest; one that names a frame that was never sent is
 * left alone. */
bool match_answer(struct match *m, const struct answer *a, double now);

/* The command ended, or its frames did: nothing that was said holds any longer. */
void match_forget(struct match *m);

#endif
