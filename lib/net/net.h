/* The room of networks: layers, their shapes and their weights. Read from a .net text (net_parse) or an
 * ONNX file (onnx_load), run and trained by the engine, written by onnx_save.
 *
 * Letters, here and in every module that works on tensors:
 *   N images in a batch     C channels in     H W height and width in
 *   K channels out          P Q height and width out      R S kernel height and width
 * Tensors named by letters are dense and row-major: weights [K][C][R][S] have S fastest. */
#ifndef INKPIPE_NET_H
#define INKPIPE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum op {
    OP_INPUT,     /* the image; always layer 0 */
    OP_CONV,      /* weight [K][C/groups][R][S], bias [K] or NULL */
    OP_DENSE,     /* weight [K][C*H*W] over the flattened input (order C H W), bias [K] or NULL */
    OP_BATCHNORM, /* scale, shift, mean, var: [C] each */
    OP_RELU,
    OP_MAXPOOL,    /* padding counts as minus infinity */
    OP_AVGPOOL,    /* the mean of the R x S window; padding counts as 0 unless exclude_pad */
    OP_GLOBALPOOL, /* the mean over H W: [C][1][1] */
    OP_DROPOUT,    /* at training: 0 with probability rate, else x / (1 - rate); else identity */
    OP_FLATTEN,    /* [C][H][W] -> [C*H*W][1][1] */
    OP_ADD,        /* the sum of two inputs of one shape */
    OP_SOFTMAX,    /* last, over C */
    OP_BOXES,      /* last, of a finder: its input, a map of cells (map_loss.h says of what) */
    /* Of models from elsewhere only: they can be run, not trained; a .net has no word for them. */
    OP_RESHAPE,   /* the same values in the order C H W under another `out` */
    OP_POINTWISE, /* each value by itself: `function` */
    OP_MUL,       /* the product of two inputs of one shape */
    OP_CONCAT,    /* the channels of two inputs of one height and width, one after the other */
    OP_SLICE,     /* out.c of the channels, from channel `first` on */
    OP_UPSAMPLE,  /* each pixel stride_h x stride_w times */
    OP_ZEROSTUFF, /* stride_h - 1 rows and stride_w - 1 columns of zeros between those of the picture */
    OP_PAD,       /* alpha around the picture, by the four pads */
    OP_QUANTIZE,  /* alpha * min(max(round(x / alpha), low), high), halves to even */
    OP_DYNAMIC    /* the same in 256 levels from the image's lowest value, or 0, to its highest, or 0 */
};
#define OP_COUNT (OP_DYNAMIC + 1)

/* The functions of OP_POINTWISE, as ONNX defines the operators of these names. */
enum function {
    FUNCTION_ABS,
    FUNCTION_CELU,         /* alpha */
    FUNCTION_CLIP,         /* min(max(x, low), high) */
    FUNCTION_ELU,          /* x < 0 ? alpha * (exp(x) - 1) : x */
    FUNCTION_ERF,
    FUNCTION_EXP,
    FUNCTION_GREATER,      /* x > alpha ? 1 : 0 */
    FUNCTION_GELU,         /* x * Phi(x), the normal distribution (Hendrycks and Gimpel 2016) */
    FUNCTION_GELU_TANH,    /* its approximation by tanh */
    FUNCTION_HARD_SIGMOID, /* min(max(alpha * x + beta, 0), 1) */
    FUNCTION_HARD_SWISH,   /* x * hard sigmoid of alpha 1/6, beta 1/2 */
    FUNCTION_LEAKY_RELU,   /* x < 0 ? alpha * x : x */
    FUNCTION_LOG,
    FUNCTION_MISH,         /* x * tanh(softplus(x)) */
    FUNCTION_POW,          /* x to the power of alpha */
    FUNCTION_RECIPROCAL,   /* 1 / x */
    FUNCTION_SELU,         /* beta * (x < 0 ? alpha * (exp(x) - 1) : x) */
    FUNCTION_SIGMOID,
    FUNCTION_SOFTPLUS,     /* log(1 + exp(x)) */
    FUNCTION_SOFTSIGN,     /* x / (1 + |x|) */
    FUNCTION_SQRT,
    FUNCTION_TANH,
    FUNCTION_THRESHOLDED_RELU /* x > alpha ? x : 0 */
};
#define FUNCTION_COUNT (FUNCTION_THRESHOLDED_RELU + 1)

/* Limits: a net beyond one of them is refused. */
#define NET_MAX_LAYERS 1024        /* A net has at most so many layers. */
#define NET_MAX_DIM 65536          /* Each of C H W K R S is at most this. */
#define NET_MAX_TENSOR (1L << 26)  /* A weight, or an activation of one image, has at most so many floats. */
#define NET_MAX_TOTAL (1L << 27)   /* All weights, and all activations of one image, take up at most so many
                                      floats in memory: padded, channels in blocks of NET_BLOCK, groups
                                      spread over all channels. So offsets fit an int. */
#define NET_MAX_WORK (1L << 33)    /* All layers do at most so many multiplications and comparisons an image. */
#define NET_BLOCK 16               /* So many channels lie side by side in memory. */

struct shape {
    int c, h, w;
};

struct layer {
    enum op op;
    int in[2];        /* the layers it reads, each of a smaller index than its own; -1: none */
    struct shape out; /* of one image */
    int r, s;         /* kernel or window */
    int stride_h, stride_w, dilation_h, dilation_w, groups; /* 1 where they mean nothing */
    int pad_top, pad_left, pad_bottom, pad_right;
    bool exclude_pad; /* OP_AVGPOOL */
    float rate;       /* OP_DROPOUT */
    enum function function; /* OP_POINTWISE */
    int first;        /* OP_SLICE */
    float alpha;      /* OP_POINTWISE, OP_PAD, OP_QUANTIZE */
    float beta;       /* OP_POINTWISE */
    float low, high;  /* FUNCTION_CLIP, OP_QUANTIZE */
    float epsilon, momentum; /* OP_BATCHNORM; running = momentum * running + (1 - momentum) * batch */
    char name[64];    /* in .net: the word of `name`; in ONNX: the node's name; "" otherwise */
    float *weight, *bias;              /* owned by the net */
    float *step; /* [K], owned, of a conv or dense layer of a quantised model: its weights are the
                    step's whole multiples, -128..127; NULL otherwise */
    float *scale, *shift, *mean, *var; /* owned by the net */
};

/* An entry of metadata: what a user of the model must know. Keys this suite writes and reads:
 *   input_scale input_mean input_std   x = (pixel * scale - mean) / std, pixel 0..255
 *   labels       the outputs' names in order, separated by spaces; "none" is the reject class
 *   inkpipe_task "boxes": a finder, whose last layer is OP_BOXES; labels are its classes' names, and
 *                inkpipe_tile is the side of the pictures that it was trained on. The onnx room alone
 *                reads and writes these two
 *   temperature  logits are divided by it before softmax
 *   command data_sha256 seed shards validation_accuracy   how it was made, how good it is */
struct meta {
    char *key, *value;
};

struct net {
    int layers;
    struct layer *layer; /* [layers], in an order in which inputs come first; the last is the output */
    int open; /* the layer of a .net's `dense labels`, whose outputs are counted later; 0: none */
    int metas;
    struct meta *meta;
};

/* Parse a .net text (models/seed.net shows it; net(5) describes it) of len bytes; `name` is
 * the file's name for messages. Weights are allocated and zero: net_init draws them. Returns NULL
 * with a message that says the line. Free with net_free. */
struct net *net_parse(const char *text, size_t len, const char *name, struct err *e);

/* Give the layer of `dense labels` so many outputs: the shapes behind it follow, and its parameters and those
 * behind it are new, as net_parse makes them. Returns 0 or -1. */
int net_set_labels(struct net *net, int labels, struct err *e);

/* Read a file and parse it; NULL or "-" is standard input. */
struct net *net_load(const char *name, struct err *e);

void net_free(struct net *net);
void net_free_params(struct layer *l); /* the arrays that a layer owns, which it has no more then */

/* A copy that shares nothing. NULL when memory is short. */
struct net *net_copy(const struct net *net, struct err *e);

/* Compute every layer's `out` from its inputs and check that all sizes fit and are within the
 * limits. OP_INPUT's out is given. Returns 0 or -1. */
int net_infer_shapes(struct net *net, struct err *e);

/* Make the net read pictures of height x width instead of its own size, every layer's `out` following. On failure (a
 * dense layer or a reshape fixes the size, a window does not fit) returns -1 and the net is as before. */
int net_resize(struct net *net, int height, int width, struct err *e);

/* net_infer_shapes of layer i alone, whose inputs have their shapes. out.c of OP_CONV, OP_DENSE and OP_SLICE,
 * and out of OP_RESHAPE, are given. The sums over the net are not checked. */
int net_infer_layer(struct net *net, int i, struct err *e);

/* How many layers an op reads: 0, 1 or 2. */
int op_inputs(enum op op);

/* Allocate (zeroed; batch norm: scale and var 1) those parameters of every layer that are NULL;
 * biases only where with_bias[layer] or with_bias is NULL. Shapes must be inferred. */
int net_alloc_params(struct net *net, const bool *with_bias, struct err *e);

/* Draw weights from seed: He normal (He et al. 2015) before a relu, Glorot uniform elsewhere;
 * biases 0; batch norm 1, 0, mean 0, var 1. */
void net_init(struct net *net, uint64_t seed);

/* Counts. Of a layer: floats in weight; in each of bias, scale, shift, mean and var (K); 0 where it has
 * none. Of the net: floats that all activations of an image take up in memory. */
long net_weight_count(const struct net *net, int layer);
long net_channels(const struct net *net, int layer);
bool net_is_finite(const struct net *net, int i); /* all weights of layer i are numbers */
int64_t net_floats(const struct net *net);

/* Channel k of a batch norm as scale * x + shift, which a convolution's weights can take in. */
void net_batchnorm(const struct layer *l, long k, float *scale, float *shift);

/* The shape of the net's input; the number of its outputs. */
struct shape net_input(const struct net *net);
int net_outputs(const struct net *net);

/* Whether the outputs are probabilities as they are, each by itself, since a sigmoid made them; otherwise they
 * are logits, which softmax makes probabilities. */
bool net_is_sigmoid(const struct net *net);

/* A finder: its answer is a map of cells that say where boxes are, not classes. */
#define NET_BOX_CHANNELS 5 /* of its map beside the classes: centre or not, x, y, width, height */
bool net_is_finder(const struct net *net);

/* Metadata: the value of a key, NULL (as a number: `otherwise`) when it is absent; set or replace one. The
 * pointer lives until the next net_set_meta. Scales and temperatures that are no numbers are refused. */
const char *net_meta(const struct net *net, const char *key);
double net_meta_number(const struct net *net, const char *key, double otherwise);
int net_set_meta(struct net *net, const char *key, const char *value, struct err *e);

/* The word that a .net has for an op; for those that it has none for, ONNX's name in lower case. */
const char *op_name(enum op op);

#endif
