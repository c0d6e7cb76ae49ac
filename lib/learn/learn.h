/* The room of learning: from labelled frames to a trained model. A data set is read, divided and
 * shuffled (dataset), its images are augmented, the rate follows a schedule, an epoch ends with a
 * checkpoint; at the end probabilities are calibrated, and a model may be quantised. fit_run does a
 * whole run. A finder (net_is_finder) learns boxes instead of labels: its frames say them, its
 * pictures keep their geometry, and it is judged by what it finds. */
#ifndef INKPIPE_LEARN_H
#define INKPIPE_LEARN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sha256.h"
#include "base/threads.h"
#include "engine/engine.h"
#include "net/net.h"
#include "stream/stream.h"

/* The truth of a frame that a finder learns from: its fact `boxes`, X,Y,W,H,LABEL;X,Y,W,H,LABEL;...
 * in pixels. LABEL is the name of a class, or `?`: what is there counts for nothing. */

/* The classes that a finder can tell, in order; one of fewer has the first of them. */
#define BOXES_CLASSES 18
extern const char *const boxes_class[BOXES_CLASSES];
#define BOXES_DIGITS 10 /* The first so many classes are digits. */

/* Read the boxes of a frame with classes among the first `classes` to (*box)[first] and on. *box, of *room, grows as
 * needed and is the caller's (free). Returns how many there are, none where there is no such fact; -1 where it is
 * anything else. */
int boxes_read(const struct frame *f, int classes, long first, struct map_box **box, size_t *room, struct err *e);

/* Add the labels of a file, a name a line, all of them new. Returns 0 or -1. */
int classes_load(struct labels *l, const char *file, struct err *e);

/* Turn the labels that were met into the classes of a network of so many outputs (0: as many as there are
 * labels). Of a network with up to eleven outputs that learns digits, class i is digit i and the eleventh
 * `none`; any others are sorted by name, bytewise. Returns 0; -1 when they do not go together: *wrong is then
 * the class met that the message is about, or -1. */
int classes_settle(struct labels *l, int outputs, int *wrong, struct err *e);

/* Labelled pictures in memory, to train on: all of one size, divided into a part to learn from and
 * a part to judge by, and shuffled anew for every epoch. For a finder the label is a list of boxes. */

#define DATASET_MAX_IMAGES (1L << 26) /* A data set has at most so many images, */
#define DATASET_MAX_SOURCES 4096      /* from at most so many sources, */
#define DATASET_MAX_KINDS 64          /* of at most so many kinds of scenes, the unnamed one among them. */
#define DATASET_KIND 24               /* Bytes that hold a kind's name with its NUL. */

struct dataset {
    int height, width;
    int classes;          /* labels are 0..classes-1; 0: as many as the frames have, until settled */
    struct labels named;  /* the classes; until settled, in the order of their first frames */
    bool given;           /* they were named beforehand */
    struct first {
        int source;       /* where a class's first frame is, */
        long long number; /* and which one of that stream it is, from 0 */
    } *first;             /* [named]; unless they were given */
    size_t first_room;
    long images;                /* there */
    size_t room;                /* for so many */
    uint8_t *pixels;            /* [images][height][width] */
    uint16_t *labels;           /* [images] */
    uint16_t *source;           /* [images]: which of the sources it came from */
    bool finder;                /* boxes are learnt, labels mean nothing */
    long boxes;                 /* there */
    size_t box_room;            /* for so many */
    struct map_box *box;        /* [boxes] */
    long *box_end;              /* [images]: the index in box behind an image's last */
    uint8_t *kind;              /* [images]: index of the scene's fact `kind` in kind_name */
    int kinds;
    char kind_name[DATASET_MAX_KINDS][DATASET_KIND]; /* [kinds]; the first is "-": not said */
    int sources;
    size_t source_room;
    char **source_name;    /* [sources]: the names of the streams read, each once */
    long long number;      /* of the frame at hand in the stream that is read */
    long blank;            /* frames with nothing in them, left out */
    struct sha256 content; /* of each image's pixels followed by its label as one byte (as two, the lower
                              first, where there are more than 256 classes), or by its boxes, as they
                              are in memory, in order; of labels once settled */
};

void dataset_init(struct dataset *d, int height, int width, int classes);

/* Name the classes before frames are read: those of `named`, which are d's from now on. Returns 0; -1 when
 * they are not as many as the network's outputs. */
int dataset_name(struct dataset *d, struct labels *named, struct err *e);

void dataset_free(struct dataset *d);

/* Add all frames of r. A frame of another size, without a label or, where the classes were named, with one
 * that is none of them is an error which names file and frame; frames whose pixels are all equal are
 * counted and left out. For a finder a frame's boxes must be right, and one with nothing in it stays.
 * Returns 0 or -1; what was added stays. */
int dataset_read(struct dataset *d, struct frame_reader *r, struct err *e);

/* All frames are read: their labels become the numbers of classes (classes_settle). Returns 0 or -1. A
 * finder's need it not. */
int dataset_settle(struct dataset *d, struct err *e);

/* What is wrong with how many frames each class has: none, or so few beside another's that it will be read
 * badly. Returns text, "" when nothing is (or memory is short). */
char *dataset_balance(const struct dataset *d, char *text, size_t size);

/* Rank 0's data (but for the sources' names) becomes that of all ranks, whose d is new. Returns 0 or
 * -1. */
int dataset_share(struct dataset *d, struct ranks *ranks, struct err *e);

/* Indices of the images to learn from and to judge by, each in the data's order. */
struct split {
    long train, validation;
    uint32_t *train_index, *validation_index;
};

/* Set aside `validation` images, chosen by a hash of their pixels: the same pictures whatever the
 * seed, the order or the number of times the data names them, and a picture that is there twice
 * is not on both sides (but for the last one chosen). Returns 0 or -1; e says when nothing would
 * be left to learn from. */
int dataset_split(const struct dataset *d, long validation, struct split *s, struct err *e);
void split_free(struct split *s);

/* order[n] = index[n] shuffled for `epoch` (Fisher & Yates). */
void dataset_shuffle(const uint32_t *index, long n, uint64_t seed, uint64_t epoch, uint32_t *order);

/* The boxes of an image. */
static inline struct map_truth dataset_truth(const struct dataset *d, uint32_t image)
{
    long first = image ? d->box_end[image - 1] : 0;
    return (struct map_truth){d->box + first, (int)(d->box_end[image] - first)};
}

/* The pixels of an image. */
static inline const uint8_t *dataset_pixels(const struct dataset *d, uint32_t image)
{
    return d->pixels + (size_t)image * (size_t)d->height * (size_t)d->width;
}

/* Pictures bent at random while they are trained on, so that a network sees each digit in more
 * hands than wrote it. All geometry is one bilinear warp; what a picture becomes depends on
 * (seed, epoch, index) alone, never on the thread that does it.
 *
 * In the order they are done:
 *   stroke  pen width: gray dilation or erosion by a fraction of a pixel
 *   warp    rotation, shear, zoom and shift as in Keras' ImageDataGenerator (angles about the
 *           centre; zoom drawn for each axis; a shift is a fraction of the side), and an elastic
 *           displacement (Simard et al. 2003), here a cubic B-spline over a coarse random grid
 *   erase   a rectangle of 2 to 10 % of the picture goes black (Zhong et al. 2017)
 * What comes in from beyond the border is black. */

#define AUGMENT_MAX_SIDE 64 /* A side of a picture is at most so many pixels. */

/* How far each distortion goes: a value is drawn evenly from -x to x. 0 is off. */
struct augment_options {
    double rotate;  /* degrees, 0..180 */
    double shear;   /* degrees, 0..60 */
    double zoom;    /* factor 1 - zoom to 1 + zoom an axis, 0..0.9 */
    double shift;   /* of the side, 0..1 */
    double elastic; /* root mean square displacement in pixels of a 28-pixel side, 0..4 */
    double stroke;  /* pixels the pen's edge moves, 0..2 */
    double erase;   /* the probability of a rectangle, 0..1 */
};

/* The default; all zero is everything off. */
#define AUGMENT_DEFAULT                                                                            \
    {                                                                                              \
        .rotate = 10, .shear = 10, .zoom = 0.1, .shift = 0.1, .elastic = 0.6, .stroke = 0.4        \
    }
extern const struct augment_options augment_none;

/* Read `rotate=10,zoom=.1,...`: what is not named is off; the words `default` and `none`, which
 * must come first, start from those. Returns 0, or -1 with e naming the word that is wrong. */
int augment_parse(const char *text, struct augment_options *o, struct err *e);

/* The options as augment_parse reads them, `none` when all are off. Returns text. */
char *augment_text(const struct augment_options *o, char *text, size_t size);

#define AUGMENT_NODES 7 /* The elastic grid has so many nodes an axis: 4 cells, cubic B-splines. */

struct augment {
    struct augment_options options;
    bool off; /* nothing to do but scale */
    int height, width;
    uint64_t seed;
    float scale, offset; /* x = pixel * scale + offset */
    float basis_y[AUGMENT_MAX_SIDE][AUGMENT_NODES]; /* B-spline weights of the nodes in a row */
    float basis_x[AUGMENT_NODES][AUGMENT_MAX_SIDE]; /* and along a row */
};

/* Prepare for pictures of height x width (at most AUGMENT_MAX_SIDE each) and for results
 * x = (pixel * scale - mean) / std. */
void augment_init(struct augment *a, const struct augment_options *o, uint64_t seed, int height,
                  int width, double scale, double mean, double std);

/* Working memory of a thread: a picture with a border of one pixel before and two after, so that a warp
 * that is held within -1..side never reads outside. */
#define AUGMENT_PADDED (AUGMENT_MAX_SIDE + 3)
struct augment_room {
    float padded[AUGMENT_PADDED][AUGMENT_PADDED];
};

/* Picture `index` as it looks in `epoch`: pixels [H][W] -> x [H][W]; `plain`: scaled alone. May be called from
 * several threads at once, each with its own room. */
void augment_image(const struct augment *a, uint64_t epoch, uint64_t index, bool plain, const uint8_t *pixels,
                   struct augment_room *room, float *x);

/* Pictures of local contrast changed at random while a finder is trained on them: the sign turned
 * (light ink), gain and noise; nothing moves, so that boxes stay true. What a picture becomes depends on
 * (seed, epoch, index) alone, never on the thread that does it. */

struct tone_options {
    double gain;  /* contrast is multiplied by 1 - gain to 1 + gain; 0..0.9 */
    double noise; /* deviation of the strongest noise, in the network's numbers; 0..4 */
};

struct tone {
    struct tone_options options;
    long pixels;
    uint64_t seed;
    float scale, mean; /* x = (pixel - mean) * scale */
};

/* Picture `index` as it looks in `epoch`, n pixels -> x. Each has a sign drawn for the epoch, and
 * the other one where `turned`. `plain`: the sign alone. Several threads may call it at once. */
void tone_image(const struct tone *t, uint64_t epoch, uint64_t index, bool turned, bool plain,
                const uint8_t *pixels, float *x);

/* The learning rate, step by step. */

enum schedule {
    SCHEDULE_ONECYCLE, /* up from peak/25 and down to nothing, both by a cosine (Smith & Topin 2018,
                          as PyTorch's OneCycleLR) */
    SCHEDULE_COSINE,   /* straight up from 0, then down to nothing by a cosine (Loshchilov & Hutter
                          2017, without restarts) */
    SCHEDULE_CONSTANT  /* straight up from 0, then the peak */
};

/* The rate of step 0..steps-1. `warmup` is the part of the steps, 0..1, that the way up takes. */
double schedule_rate(enum schedule s, double peak, double warmup, long step, long steps);

/* The name of each schedule, and its default warm-up. */
extern const struct schedule_kind {
    const char *name;
    double warmup;
} schedule_kind[];
#define SCHEDULE_NAMES "onecycle, cosine or constant"

/* Checkpoints: all that a training run needs to go on as if it had never stopped. What is drawn at
 * random depends on (seed, epoch, image, step) alone, so a place in the run and the trainer's
 * arrays are enough.
 *
 * The file, numbers little-endian:
 *   8 bytes  "INKCKPT2"
 *   32       identity: SHA-256 of options, data and starting weights; a run resumes only its own
 *   8 x 6    epoch, batch, steps, correct, seen, records (unsigned)
 *   8 x 5    loss, seconds, and a finder's three losses (double)
 *   8 x 13   a record, `records` times: the fields of struct epoch_record (doubles)
 *   8        arrays; then for each: 8 its count, 4 x count its floats
 *   4        CRC-32 (zlib's) of all bytes before
 * A file that is not exactly this, or whose arrays are not of the run's sizes, is refused before
 * anything of it is used. */

#define CHECKPOINT_MAX_EPOCHS 100000    /* A run has at most so many epochs. */
#define CHECKPOINT_MAX_FILE 0x7fffffffL /* A checkpoint has at most so many bytes. */

/* One epoch's line. Without a validation split its values are NAN; a finder's run has its own three
 * losses, recall and precision, the others have accuracies. */
struct epoch_record {
    double epoch; /* from 1 */
    double loss, accuracy;
    double validation_loss, validation_accuracy;
    double rate; /* of its last step */
    double seconds, images_per_second;
    double centre, class, box;
    double recall, precision;
};

struct checkpoint {
    uint8_t identity[SHA256_SIZE];
    uint64_t epoch, batch;  /* the next to be done, from 0 */
    uint64_t steps;         /* taken by the trainer */
    uint64_t correct, seen; /* images of the present epoch: right ones, all so far */
    double loss, seconds;   /* sum over those images; time spent on them */
    struct map_loss map;    /* sums, of a finder */
    uint64_t records;       /* finished epochs */
    struct epoch_record *record; /* [records], owned by the checkpoint (free) */
};

/* Write a checkpoint with the n arrays of list to `name`: at no moment is there a half-written file
 * of that name. Returns 0 or -1. */
int checkpoint_save(const char *name, const struct checkpoint *c, const struct train_array *list,
                    int n, struct err *e);

/* Read a checkpoint and fill the arrays of list. c->identity is given: another one in the file is
 * an error. On failure returns -1 and neither c nor the arrays are changed. */
int checkpoint_load(const char *name, struct checkpoint *c, const struct train_array *list, int n,
                    struct err *e);

/* Parse a checkpoint in memory as checkpoint_load does. */
int checkpoint_parse(const uint8_t *bytes, size_t len, struct checkpoint *c,
                     const struct train_array *list, int n, struct err *e);

/* Probabilities that mean what they say: one temperature, by which logits are divided before
 * softmax (Guo et al. 2017), fitted where the truth is known. */

#define CALIBRATE_LOW 0.5  /* A fitted temperature is at least this */
#define CALIBRATE_HIGH 5.0 /* and at most this. */

/* The mean cross-entropy: negative log probability of the truth; logits [n][k], labels [n] in 0..k-1. n at
 * least 1. */
double calibrate_loss(const float *logits, const uint16_t *labels, long n, int k,
                      double temperature);

/* The temperature at which that loss is least, to three digits; 1 when n is 0. */
double calibrate_temperature(const float *logits, const uint16_t *labels, long n, int k);

/* A trained network in 8 bits: weights in whole multiples of a step for each output channel,
 * activations in 256 levels. The result is a net that the engine runs in integers, and
 * onnx_save writes QuantizeLinear and DequantizeLinear, so that other runtimes give the same
 * answers. */

#define QUANTIZE_MAX_LOSS 0.0002 /* The usual max_loss: 0.02 points of the validation split's accuracy; */
#define QUANTIZE_MAX_FINDER_LOSS 0.003 /* and a finder's: 0.3 points of the digits in the split's pictures. */

struct quantize_report {
    long images;        /* in the validation split; of a finder, digits in them */
    long before, after; /* how many of them are right, in floats and in 8 bits; of digits, less those said
                           wrongly */
};

/* The net in 8 bits. Batch norm goes into the weights before or after it; the range of each
 * activation is the one with the least squared error on a part of the split's training images, the
 * layers before it being in 8 bits already. Metadata are the net's, with the temperature fitted anew,
 * the accuracy in 8 bits, and "quantized", which says what that costs. Returns NULL when the net is
 * no chain of layers that can be quantized, or where r, which is filled in, says that it loses more
 * than max_loss of the accuracy. Free with net_free. */
struct net *quantize_net(const struct net *net, const struct dataset *d, const struct split *s,
                         double max_loss, struct threads *t, struct quantize_report *r,
                         struct err *e);

/* How well a finder finds: the boxes that its maps say against those that are true, by size of
 * digit and by kind of scene. */

#define SCORE_SIZES 3 /* Groups of digits by their longer side: under 16 pixels, under 32, and the rest. */

/* Counts of a group. */
struct score {
    long digits;    /* of the ground truth */
    long found;     /* true positives: digits that a peak found */
    long wrong;     /* false positives: peaks said to be digits that found none */
    long right;     /* true positives of the right class */
    double overlap; /* the sum of map_overlap over the true positives */
};

/* A finder's scores. */
struct scores {
    struct score all, size[SCORE_SIZES], kind[DATASET_MAX_KINDS];
};

double score_recall(const struct score *s);    /* found / digits; 1 where there are none */
double score_precision(const struct score *s); /* found / (found + wrong); 1 where nothing is */

/* Add a picture of this kind, its map and its truth. A peak above 0.4 whose class is a digit finds the
 * true digit that it overlaps most, by 0.4 at least and not found by a better one yet; one whose
 * middle is in a box that counts for nothing is not counted. */
void scores_add(struct scores *s, int kind, const struct map_shape *shape, const float *map,
                const struct map_truth *truth);

/* The header of the groups' lines, and the line of group 0, 1, ... without newline, tab-separated: all, by
 * size, by d's kinds of scenes. line returns text, "" where the group is empty, or NULL behind the last. */
extern const char score_header[];
char *scores_line(const struct scores *s, const struct dataset *d, int group, char *text, size_t size);

/* A training run: epochs of augmented batches, validation, checkpoints, and the finished model with
 * the facts its users need. The same options, data and starting weights give the same model, bit
 * for bit on one kind of CPU, for any number of threads and interruptions. */

struct fit_options {
    struct train_options train; /* its seed is that of the whole run; its ema is set here */
    int optimizer;              /* its place in RECIPE_OPTIMIZERS */
    double validation;          /* images to set aside: a part when under 1, else a count */
    double average;             /* weights are averaged over this last part of the run, 0..0.2 */
    double rate;                /* the schedule's peak */
    enum schedule schedule;
    double warmup; /* part of the steps, 0..1 */
    int epochs;    /* 1..CHECKPOINT_MAX_EPOCHS */
    int plain_epochs; /* the last ones, done without augmentation */
    struct augment_options augment;
    struct tone_options tone; /* a finder's instead */
    const char *command; /* the options as text, for the model's metadata; two runs with the same
                            command, data and starting weights are one run */
};

/* Where a run is. */
struct fit_progress {
    int epoch, epochs;     /* from 1 */
    long done, images;     /* of this epoch */
    double loss, accuracy; /* over those done; a finder's accuracy is NAN */
    double rate;           /* images a second, of training, since the run began or went on */
    double left;           /* seconds until the last epoch is done, by that rate */
};

/* What the run tells while it goes; a function that is NULL is told nothing. */
struct fit_watch {
    /* A line of the log, without newline: the header; an epoch, when its checkpoint is written; at the end of
     * a finder's run its scores. Epochs done before a resume are told again, so that the lines are those of a
     * run without an end between. Returns 0, or -1 with e filled to end the run. */
    int (*line)(const char *line, struct err *e);
    /* After each step. */
    void (*progress)(const struct fit_progress *p);
    /* At the end a word on each source, where there are several, and on each class. */
    void (*note)(const char *format, ...) __attribute__((format(printf, 1, 2)));
    const volatile sig_atomic_t *stop; /* when not 0, the run ends after the step at hand */
};

/* Train net on d's images, divided by s. The checkpoint named `checkpoint` is written after every
 * epoch and when told to stop (NULL: none is); with `resume` the run goes on from it when it is there.
 * Returns 0 when all epochs are done: net then has the final weights (averaged ones when o->average is not 0,
 * with batch-norm statistics made again) and all metadata. Returns 1 when it was told to stop, the
 * checkpoint being written; -1 on failure. In both cases net is as before. */
int fit_run(struct net *net, const struct dataset *d, const struct split *s,
            const struct fit_options *o, struct threads *t, const char *checkpoint, bool resume,
            const struct fit_watch *w, struct err *e);

/* An epoch's line: tab-separated fields in the order of struct epoch_record, `-` for what is not there. Returns
 * text. */
char *fit_line(const struct epoch_record *r, bool finder, char *text, size_t size);

/* The line that a person watches while work is long:
 * `epoch 2/10 [=====>    ]  1834 images/s  1:23 left  loss 0.0512  99.12 %`, cut to `columns`.
 * Returns text. */
char *progress_text(const struct fit_progress *p, int columns, char *text, size_t size);

/* Seconds as m:ss or h:mm:ss. Returns text. */
char *progress_time(double seconds, char *text, size_t size);

/* How a network is trained, in the words of cnn-train's options: names instead of enums, and what
 * was not said taken from what usually goes with the rest. */

/* What cnn-train does without options; rate, warmup, weight decay, batch and a finder's gain and noise are -1 until
 * recipe_complete. */
extern const struct fit_options recipe_default;

#define RECIPE_OPTIMIZERS "adamw, adam or sgd" /* Adam is as Keras has it. */

/* Fill in what is -1 by optimizer, schedule and kind of network; a run that starts from a model takes
 * a tenth of the usual rate. */
void recipe_complete(struct fit_options *o, bool from_model, bool finder);

/* The frames to set aside of a number of images. */
long recipe_validation(const struct fit_options *o, long images);

/* The recipe as a command line with nothing left to a default: what goes into the model's metadata.
 * `net` is -n's or, when from_model, -i's file, of which the last part is named. Returns text. */
char *recipe_command(const struct fit_options *o, const char *net, bool from_model, bool finder,
                     long validation, char *text, size_t size);

/* Whether frames can train net: gray pictures of at most AUGMENT_MAX_SIDE come in, 2 to
 * LABEL_MAX_CLASSES outputs go out; or gray squares and a finder's map. Returns 0 or -1. */
int recipe_check_net(const struct net *net, struct err *e);

#endif
