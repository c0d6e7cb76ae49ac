/* A network: layers, their shapes and their weights. Read from a .net text (net_parse) or an
 * ONNX file (onnx_load), run by infer.h, trained by train.h, written by onnx_save.
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
    /* From foreign models only: infer.h runs them, a .net has no word for them. */
    OP_RESHAPE,   /* the same values in the order C H W under another `out` */
    OP_LEAKYRELU, /* x < 0 ? alpha * x : x */
    OP_SIGMOID,
    OP_TANH,
    OP_CLIP,       /* min(max(x, low), high) */
    OP_SQRT,
    OP_RECIPROCAL, /* 1 / x */
    OP_PAD,        /* alpha around the picture, by the four pads */
    OP_QUANTIZE    /* alpha * min(max(round(x / alpha), low), high), halves to even */
};
#define OP_COUNT (OP_QUANTIZE + 1)

/* Limits on what a net may say; beyond them it is refused. */
#define NET_MAX_LAYERS 1024
#define NET_MAX_DIM 65536          /* any one of C H W K R S */
#define NET_MAX_TENSOR (1L << 26)  /* floats in any weight or activation of one image */
#define NET_MAX_TOTAL (1L << 27)   /* floats that all weights, or all activations of one image, take up
                                      in memory: with their padding, channels in blocks of NET_BLOCK,
                                      groups spread over all channels. So places fit an int. */
#define NET_MAX_WORK (1L << 33)    /* multiplications and comparisons an image, in all layers */
#define NET_BLOCK 16               /* channels that lie side by side in memory */

struct shape {
    int c, h, w;
};

struct layer {
    enum op op;
    int in[2];        /* indices of the layers it reads, smaller than its own; -1: none */
    struct shape out; /* of one image */
    int r, s;         /* kernel or window */
    int stride_h, stride_w, dilation_h, dilation_w, groups; /* 1 where they mean nothing */
    int pad_top, pad_left, pad_bottom, pad_right;
    bool exclude_pad; /* OP_AVGPOOL */
    float rate;       /* OP_DROPOUT */
    float alpha;      /* OP_LEAKYRELU, OP_PAD, OP_QUANTIZE */
    float low, high;  /* OP_CLIP, OP_QUANTIZE */
    float epsilon, momentum; /* OP_BATCHNORM; running = momentum * running + (1 - momentum) * batch */
    char name[64];    /* in .net: the word of `name`; in ONNX: the node's name; "" otherwise */
    float *weight, *bias;              /* owned by the net */
    float *step; /* [K], owned, of a conv or dense layer of a quantised model: its weights are the
                    step's whole multiples, -128..127; NULL otherwise */
    float *scale, *shift, *mean, *var; /* owned by the net */
};

/* A line of metadata: what a user of the model must know. Keys this suite writes and reads:
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
    int metas;
    struct meta *meta;
};

/* Parse a .net text (models/seed.net shows it; cnn-train(1) describes it) of len bytes; `name` is
 * the file's name for messages. Weights are allocated and zero: net_init draws them. Returns NULL
 * with a message that says the line. Free with net_free. */
struct net *net_parse(const char *text, size_t len, const char *name, struct err *e);

/* Read a file and parse it; NULL or "-" is standard input. */
struct net *net_load(const char *name, struct err *e);

void net_free(struct net *net);

/* A copy that shares nothing. NULL when memory is short. */
struct net *net_copy(const struct net *net, struct err *e);

/* Compute every layer's `out` from its inputs and check that all sizes fit and are within the
 * limits. OP_INPUT's out is given. Returns 0 or -1. */
int net_infer_shapes(struct net *net, struct err *e);

/* Make the net read pictures of height x width instead of its own size, every layer's `out`
 * following. On failure (a dense layer or a reshape fixes the size, a window does not fit) returns
 * -1 and the net is as before. */
int net_resize(struct net *net, int height, int width, struct err *e);

/* The same for layer i, whose inputs have their shapes. OP_CONV's and OP_DENSE's out.c and
 * OP_RESHAPE's out are given. */
int net_infer_layer(struct net *net, int i, struct err *e);

/* How many layers it reads: 0, 1 or 2. */
int op_inputs(enum op op);

/* Allocate (zeroed; batch norm: scale and var 1) those parameters of every layer that are NULL;
 * biases only where with_bias[layer] or with_bias is NULL. Shapes must be inferred. */
int net_alloc_params(struct net *net, const bool *with_bias, struct err *e);

/* Draw weights from seed: He normal (He et al. 2015) before a relu, Glorot uniform elsewhere;
 * biases 0; batch norm 1, 0, mean 0, var 1. */
void net_init(struct net *net, uint64_t seed);

/* Number of floats in a layer's parameter, 0 where it has none. */
long net_weight_count(const struct net *net, int layer);
long net_channels(const struct net *net, int layer); /* K: floats in bias, scale, shift, mean, var */
long net_param_count(const struct net *net);  /* of the whole net, as trained */
int64_t net_multiplies(const struct net *net); /* multiply-adds an image forward */
int64_t net_floats(const struct net *net); /* that all activations of one image take up in memory */

/* The net's input and number of outputs. */
struct shape net_input(const struct net *net);
int net_outputs(const struct net *net);

/* A finder: its answer is a map of cells that say where boxes are, not classes. */
#define NET_BOX_CHANNELS 5 /* of its map beside the classes: centre or not, x, y, width, height */
bool net_is_finder(const struct net *net);

/* Metadata. get returns NULL when the key is absent; the pointer lives until the next set. */
const char *net_meta(const struct net *net, const char *key);
double net_meta_number(const struct net *net, const char *key, double otherwise);
int net_set_meta(struct net *net, const char *key, const char *value, struct err *e);

/* The word a .net uses for an op; for the foreign ones, ONNX's name in small letters. */
const char *op_name(enum op op);

#endif
