/* The room of answers: models that read 28x28 pixels (model), what they say as lines of text and
 * back (answer), the numbers they make (words), and how often they are right (evaluate). */
#ifndef INKPIPE_ANSWER_H
#define INKPIPE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/label.h"
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
 * (on one line; null for what is not there; `label` is the truth, of a labelled frame). That of a form's
 * cell has behind the label "field":"q1","cell":0,"page":"3". */

#define ANSWER_MAX_CANDIDATES 128 /* An answer holds at most so many classes, the most probable ones. */
#define ANSWER_DIGITS 256      /* Bytes that hold a number with its NUL. */
#define ANSWER_SOURCE 4096     /* Bytes that hold a percent-encoded source with its NUL. */
#define ANSWER_NAME 64         /* Bytes that hold a form's field or page with its NUL. */
#define ANSWER_LINE 20480      /* Bytes that hold any line with its newline and NUL. */

struct answer_candidate {
    char label[LABEL_SIZE];
    double probability; /* 0..1 */
};

/* A fixed size, no pointers: an answer may be copied and needs no freeing. */
struct answer {
    char digit[ANSWER_DIGITS];  /* "7"; a joined number, "0042"; "-": no digit */
    double probability;         /* of digit, 0..1; negative: not there */
    char source[ANSWER_SOURCE]; /* percent-encoded; "-": not there */
    long long frame;            /* in that source, from 0; negative: not there */
    int box[4];                 /* x y w h in the source's pixels; w = 0: not there */
    char label[LABEL_SIZE];     /* the ground truth; "": not there */
    char field[ANSWER_NAME];    /* of a form; "": not there, nor are cell and page */
    int cell;                   /* place in the field, from 0; negative: not there */
    char page[ANSWER_NAME];     /* "": not there */
    int candidates;             /* of candidate[]; 0 when no network was run */
    struct answer_candidate candidate[ANSWER_MAX_CANDIDATES]; /* in the model's order; after answer_parse of
                                                       a text line, the answer first */
};

/* Make a an answer in which nothing is there: digit "-". (Leaves candidate[] as it is.) */
void answer_clear(struct answer *a);

/* Decide from the probabilities p of n classes named label[]: they become candidates, or of more than
 * ANSWER_MAX_CANDIDATES the most probable ones, the most probable of all the digit. It is "-" when class `reject`
 * wins (-1: there is no such class), when its probability is under `threshold`, or when a probability is not a
 * number. Other fields of a are left as they are. */
void answer_decide(struct answer *a, char (*label)[LABEL_SIZE], int n, int reject, const double *p, double threshold);

/* Set a's source: bytes that are not printable ASCII become %XX, and what would not fit is cut. */
void answer_set_source(struct answer *a, const char *source);

/* True when a gives a digit or number, false when it is "-". */
bool answer_given(const struct answer *a);

/* The probability of the class named label: 0 when it is not among the candidates. */
double answer_probability(const struct answer *a, const char *label);

/* Read "x,y,w,h" (whole numbers from 0, w and h from 1). Returns false and leaves box alone when text is not that. */
bool answer_parse_box(const char *text, int box[4]);

/* Write a as a text line, with its newline, into text of ANSWER_LINE bytes; after the box come up to `runners`
 * runners-up (for "-": the most probable digits), never the class "none". Returns the length. */
size_t answer_text(const struct answer *a, int runners, char *text);

/* The same as JSON. */
size_t answer_json(const struct answer *a, char *text);

/* Read a line written by either function back (newline or not). A text line may end early: what is missing is not
 * there. JSON may have its keys in any order, others among them, and white space. Whatever is out of range, not
 * printable ASCII or too long is refused. Returns 0, or -1 with what is wrong in e. */
int answer_parse(const char *line, struct answer *a, struct err *e);

/* Steadying (hysteresis in time): of a live stream's answers, pass one when it has been the same for `hold`
 * seconds, and again only when another has been passed since. Start from {.hold = seconds, .passed = "-"}. */
struct steady {
    double hold;                 /* seconds */
    double since;                /* time of the first in the present run of equal answers */
    char source[ANSWER_SOURCE];  /* of the run: an answer from another source begins a new run */
    char digit[ANSWER_DIGITS];   /* of the run */
    char passed[ANSWER_DIGITS];  /* the digit passed last, "-" before the first */
};

/* Add the answer to the frame at `time` seconds. Returns true when it has now held: print it. */
bool steady_pass(struct steady *s, const struct answer *a, double time);

/* Joining: what stands in the places of one word becomes one answer, the number. A sign that belongs to a number
 * is written where it stands, a place that holds what cannot be read as `?`; a point, comma or colon at
 * the end of a word is left out, and a word in which no digit was read is no number, but "-". */

#define PLACE_MAX_CANDIDATES 12 /* A place has at most so many candidates, the most probable ones. */
#define WORD_LINE (1 << 19)     /* Bytes that hold the JSON of any word with its newline and NUL. */

/* What preproc takes a frame for: a sign's character (label_is_sign), or one of these. */
enum { MARK_DIGIT = '\0', MARK_BLANK = ' ', MARK_OTHER = '?' };

/* What preproc says of a frame: its reading position and what it takes it for. */
struct standing {
    long line, word; /* from 0; word -1: it stands alone */
    char mark;
};

struct word_place {
    char text[LABEL_SIZE];   /* "7"; a sign; "?": unread */
    double probability;      /* that text is right; of `?`, that a guess is */
    int box[4];              /* as an answer's */
    int candidates;          /* of candidate[], the most probable first; 0 when no network was run */
    struct answer_candidate candidate[PLACE_MAX_CANDIDATES];
};

/* A number: its text, the product of the places' probabilities, and the box of all. */
struct word {
    struct answer answer;
    int places;
    struct word_place place[ANSWER_DIGITS];
};

/* Start from {.threshold = t}. Large: some 350 KB. */
struct words {
    double threshold; /* a word whose probability is under it is "-" */
    bool digits_only; /* signs are left out */
    bool open;        /* a word has begun and not ended */
    int now;          /* which of word[] is being added to; the other is the one that ended last */
    long line, number; /* the reading position of the word */
    size_t len;        /* of its text */
    struct word word[2];
};

/* The mark that a frame's facts `mark` and `sign` say, each NULL where it is not there. */
char mark_of_facts(const char *mark, const char *sign);

/* Refuse the answer to a frame with that mark when preproc took it for something else: to a sign only a class
 * that is a sign may stand, to other writing only one that is neither sign nor digit. */
void answer_heed_mark(struct answer *a, char mark);

/* Add the answer to a frame. When this ends the word before it, that is returned, good until the next call;
 * else NULL. */
const struct word *words_add(struct words *w, const struct answer *a, const struct standing *at);

/* End the word that is open and return it; NULL when there is none. */
const struct word *words_end(struct words *w);

/* Write the word as an answer's JSON, which has behind the probabilities "places": of each its text as "digit" and its
 * probability (null of `?`), box and probabilities, into text of WORD_LINE bytes. Returns the length. */
size_t word_json(const struct word *w, char *text);

/* A model that is asked for answers: one network from a file, or several that vote (the mean of
 * their probabilities), with what their metadata say: input scaling, labels, temperature. */

#define MODEL_MAX_VOTES 32 /* A model is at most so many networks. */

/* Input scaling: x = (pixel * scale - mean) / std, of pixels 0..255. */
struct scaling {
    double scale, mean, std;
};

/* Read "scale" or "scale,mean,std", each a number or a fraction such as 1/255; mean and std default to 0
 * and 1. Returns false when text is neither, a number is not finite, or std is 0. */
bool scaling_parse(const char *text, struct scaling *s);

/* One network of the ensemble. */
struct voter {
    struct infer *infer;
    struct scaling scaling;
    double temperature;
    int outputs, channels; /* channels of its input, each the gray frame */
    bool sigmoid;          /* its outputs are probabilities as they are */
    int class[LABEL_MAX_CLASSES]; /* the model's class of each output */
};

struct model {
    int width, height;    /* of the pictures it reads */
    int classes, reject;  /* reject: the class named "none", -1 when there is none */
    struct labels labels; /* the classes' names */
    int channels;         /* the most that a network's input has */
    int batch;            /* frames at a time, fewer than was asked for where they are large */
    int voters;
    struct voter voter[MODEL_MAX_VOTES];
    const char *unscaled; /* the first file whose metadata have no input_scale, when no scaling was
                             given: 0..1 is used. NULL: none */
    struct threads *threads;
    int piece;            /* frames that a thread takes at once, at most */
    float *x, *logits;    /* [threads][piece][most channels][height * width], [threads][piece][classes] */
    double *share;        /* [threads][classes]: a network's probabilities */
};

/* Load n files (1..MODEL_MAX_VOTES) that read pictures of one size, and plan them for `batch` frames on threads t,
 * which must outlive the model. Of several outputs a file's is the one named `output`; NULL: the one that names
 * classes. Networks without labels answer 0, 1, 2 ...; classes are united by label, and a network that lacks one gives
 * it probability 0. `given`, when not NULL, takes the place of the files' scaling. `files` must outlive the model.
 * Returns NULL on failure; free with model_free. */
struct model *model_load(const char *const *files, int n, const char *output, const struct scaling *given,
                         int batch, struct threads *t, struct err *e);
void model_free(struct model *m);

/* Whether the model can be asked about a frame of that size: its own, or that of preproc's frames; write the
 * frame to `to` in the model's size, padded or scaled. */
#define MODEL_FRAME 28 /* A frame of preproc has so many rows and columns. */
bool model_takes(const struct model *m, int width, int height);
void model_fit(const struct model *m, const uint8_t *gray, int width, int height, uint8_t *to);

/* Probabilities of n frames: gray [n][height][width] -> p [n][classes]. */
void model_run(struct model *m, const uint8_t *gray, int n, double *p);

/* The same of up to model_share(m, n) frames, what a thread takes at once of n, on the caller's thread alone,
 * which is number `thread` of the model's. */
int model_share(const struct model *m, int n);
void model_run_on(struct model *m, int thread, const uint8_t *gray, int n, double *p);

/* Two batches on their way through a model, while the caller reads the next frames and writes the last answers. */
struct relay;

/* On the model's threads, beside which the caller's is one more where they are several. NULL when it cannot be
 * started; free with relay_free. The model must outlive it. */
struct relay *relay_new(struct model *m, struct err *e);
void relay_free(struct relay *r);

/* Call work(arg), once; in it batches can be sent and waited for. Returns when it does. */
void relay_run(struct relay *r, void (*work)(void *arg), void *arg);

/* Send n frames as batch 0 or 1, as to model_run; that batch must not be on its way. What gray and p point to is the
 * model's until relay_wait, which waits until the batch is answered. */
void relay_send(struct relay *r, int batch, const uint8_t *gray, int n, double *p);
void relay_wait(struct relay *r, int batch);

/* The model `name` (default.onnx) that is installed: in share/inkpipe beside the program's bin, in
 * PREFIX/share/inkpipe, or in models beside the tree's build. Writes where it is into path and returns
 * true; false when there is none: then path is where it would be installed. */
bool model_find(const char *name, char *path, size_t size);

/* How a frame differs from one that preproc made, in which a digit is light on black, its box at most 20/28
 * of the side and its centre of mass in the middle. */
enum model_doubt {
    DOUBT_NONE,
    DOUBT_PAPER, /* the border is bright: its mean is above 64 */
    DOUBT_EDGE   /* ink touches the border, and its box is larger or its centre further from the middle */
};
enum model_doubt model_doubt(const uint8_t *gray, int width, int height);

/* How good answers are: accuracy, which class is taken for which, and whether probabilities mean what they say. */

#define EVALUATE_BINS 20 /* Probabilities are counted in so many bins, each 0.05 wide. */

/* The counts of an evaluation of a model's classes and of one more, the last: no digit, which as an answer is a
 * reject and as the truth `none`. */
struct evaluation {
    int classes;               /* without that one */
    struct labels labels;      /* their names */
    bool digits;               /* the classes are 0 to 9, in this order */
    long *count;               /* [classes + 1][classes + 1]: truth, answer */
    long given[EVALUATE_BINS]; /* digits answered with a probability in (i / BINS, (i + 1) / BINS]; 0 in the
                                  first bin */
    long right[EVALUATE_BINS]; /* those of them that were right */
    double sum[EVALUATE_BINS]; /* the sum of their probabilities */
};

/* Begin with classes of these names, with blanks between them, `none` not among them. Returns 0, or -1 when memory
 * is short; free with evaluation_free in both cases. */
int evaluation_init(struct evaluation *v, const char *labels, struct err *e);

/* The same with the classes that a frame shown to m may have: its own; of a model that reads digits all ten,
 * whether it knows them or not. */
int evaluation_of_model(struct evaluation *v, const struct model *m, struct err *e);
void evaluation_free(struct evaluation *v);

/* The number of a truth or an answer: a class's, v->classes for "none" and "-"; -1 for any other word. */
int evaluation_class(const struct evaluation *v, const char *label);

/* Whether a frame's label, as frame_label gave it and returned `there`, is one of the classes or `none`. Returns
 * 0, or -1 with what is wrong in e. */
int evaluation_check(const struct evaluation *v, int there, const char *label, struct err *e);

/* Count one answer: truth and digit are numbers of evaluation_class, probability is the digit's, 0..1
 * (without meaning where no digit was answered). */
void evaluation_add(struct evaluation *v, int truth, int digit, double probability);

/* The expected calibration error (Naeini et al. 2015; Guo et al. 2017) over the answers given: the mean over the bins,
 * weighted by their answers, of |share right - mean probability|. 0 when no answer was given. */
double evaluation_calibration_error(const struct evaluation *v);

/* Write the report, as cnn-predict(1) describes it: accuracy and calibration error; the confusion table of digits, or a
 * line a class that says what it was mistaken for; the reliability table. What it says of frames without a digit is
 * left out when there were none of these. */
void evaluation_write(const struct evaluation *v, FILE *to);

#endif
