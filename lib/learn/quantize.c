/* Post-training quantization to 8 bits.
 *   in   a trained net, training images to see ranges by, a validation split
 *   out  the same net as a chain of OP_QUANTIZE and layers whose weights are multiples of a step
 * The net is written anew, layer by layer; what has been written so far is run to see the range of the next
 * activation. Batch norm is folded into the weights before or behind it. */
#include "learn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "engine/engine.h"
#include "exam.h"

#define CALIBRATION_IMAGES 512 /* Ranges are chosen on so many training images. */
#define BATCH 64               /* Images are run in batches of so many. */
#define BINS 4096              /* An activation's histogram has so many bins. */

/* How ranges are chosen: with the least squared error, or so that nothing is clipped. */
enum ranges { LEAST_ERROR, WHOLE };

struct writer {
    struct net *from; /* the layers that have not moved to net yet */
    struct net *net;
    struct threads *threads;
    enum ranges ranges;
    const float *x; /* [images][input], what ranges are chosen on */
    int images;
    /* The pending batch norm: what is written means scale * value + shift, channel by channel, until the next
     * weights absorb that. channels 0: none is pending. */
    float *scale, *shift;
    int channels;
    float step; /* of the last quantized activation */
    int *made;  /* [from's layers] the layer of net that gives what this one gave; -1: none does by itself */
    struct err *e;
};

static struct layer *last_layer(const struct writer *w)
{
    return &w->net->layer[w->net->layers - 1];
}

/* Move layer i of from to the end of net. */
static struct layer *take(struct writer *w, int i)
{
    struct layer *l = &w->net->layer[w->net->layers++];
    *l = w->from->layer[i];
    l->in[0] = w->net->layers - 2;
    w->from->layer[i] = (struct layer){0};
    return l;
}

static int refuse(struct writer *w, int i, const char *why)
{
    return err_set(w->e, "layer %d: %s %s", i, op_name(w->from->layer[i].op), why);
}

/* ---- Activations ---- */

/* The histogram of the last value of the net so far. */
struct seen {
    struct infer *plan;
    float *y; /* [BATCH][size] */
    long size;
    float low, high;
    long count[BINS]; /* equal bins from low to high */
};

static int run_batch(const struct writer *w, struct seen *v, int i)
{
    int n = w->images - i < BATCH ? w->images - i : BATCH;
    struct shape in = net_input(w->net);
    infer_run(v->plan, w->x + (long)i * in.c * in.h * in.w, n, v->y);
    return n;
}

static int see(const struct writer *w, struct seen *v)
{
    v->size = net_outputs(w->net);
    v->plan = infer_new(w->net, BATCH, w->threads, kernel_best(), w->e);
    if (!v->plan)
        return -1;
    if (!(v->y = zeroed(BATCH * (size_t)v->size, sizeof *v->y, w->e)))
        return -1;
    for (int i = 0; i < w->images; i += BATCH)
        for (long k = run_batch(w, v, i) * v->size; k-- > 0;) {
            v->low = fminf(v->low, v->y[k]);
            v->high = fmaxf(v->high, v->y[k]);
        }
    if (!isfinite(v->low) || !isfinite(v->high) || !(v->high > v->low))
        return err_set(w->e, "layer %d: its values on the frames are %g to %g",
                       w->net->layers - 1, v->low, v->high);
    float bin = BINS / (v->high - v->low);
    for (int i = 0; i < w->images; i += BATCH)
        for (long k = run_batch(w, v, i) * v->size; k-- > 0;) {
            int at = (int)((v->y[k] - v->low) * bin);
            v->count[at < BINS ? at : BINS - 1]++;
        }
    return 0;
}

/* The squared error of quantizing to 256 levels of `step` from -zero on. */
static double error_of(const struct seen *v, double step, double zero)
{
    double sum = 0;
    for (int i = 0; i < BINS; i++) {
        double x = v->low + (i + 0.5) * (v->high - v->low) / BINS;
        double level = fmin(fmax(rint(x / step), -zero), 255 - zero);
        sum += (double)v->count[i] * (x - step * level) * (x - step * level);
    }
    return sum;
}

static void choose_range(const struct seen *v, enum ranges ranges, float *step, int *zero)
{
    double least = INFINITY;
    for (int part = 100; part >= (ranges == WHOLE ? 100 : 30); part--) {
        double s = (v->high - v->low) * part / 100 / 255, z = rint(-v->low * part / 100 / s);
        double error = error_of(v, s, z);
        if (error < least) {
            least = error;
            *step = (float)s;
            *zero = (int)z;
        }
    }
}

static void append_quantize(struct writer *w, float step, int zero)
{
    struct layer *l = &w->net->layer[w->net->layers++];
    *l = (struct layer){.op = OP_QUANTIZE, .in = {w->net->layers - 2, -1}, .out = (l - 1)->out,
                        .r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1,
                        .dilation_w = 1, .groups = 1, .alpha = step, .low = (float)-zero,
                        .high = (float)(255 - zero)};
    w->step = step;
}

static int quantize_activation(struct writer *w)
{
    struct seen *v = zeroed(1, sizeof *v, w->e);
    float step = 0;
    int zero = 0, failed = v ? see(w, v) : -1;
    if (!failed) {
        choose_range(v, w->ranges, &step, &zero);
        append_quantize(w, step, zero);
    }
    if (v) {
        infer_free(v->plan);
        free(v->y);
    }
    free(v);
    return failed;
}

/* Append the quantization of the input: pixels are integers already. */
static int quantize_input(struct writer *w)
{
    double scale = net_meta_number(w->net, "input_scale", 1.0 / 255);
    double mean = net_meta_number(w->net, "input_mean", 0);
    double std = net_meta_number(w->net, "input_std", 1);
    double step = scale / std, zero = rint(mean / scale);
    take(w, 0);
    if (!(step > 0) || !isfinite((float)step) || !((float)step > 0) || !(zero >= 0 && zero <= 255))
        return err_set(w->e, "an input scaling of %g, mean %g, std %g", scale, mean, std);
    append_quantize(w, (float)step, (int)zero);
    return 0;
}

/* Quantize what layer i has given, with all that is fused into it. */
static int quantize_layer(struct writer *w, int i)
{
    if (quantize_activation(w))
        return -1;
    if (!w->channels)
        w->made[i] = w->net->layers - 1;
    return 0;
}

/* ---- Weights ---- */

/* The weights of the last layer that belong to one output. */
static long each_of(const struct writer *w)
{
    return net_weight_count(w->net, w->net->layers - 1) / last_layer(w)->out.c;
}

/* Scale output k of l by factor and add `more` to its bias. */
static void scale_output(const struct writer *w, struct layer *l, int k, float factor, float more)
{
    long each = each_of(w);
    for (long i = k * each; i < (k + 1) * each; i++)
        l->weight[i] *= factor;
    l->bias[k] = l->bias[k] * factor + more;
}

/* Make a batch norm pending, behind one that may be pending already. */
static int pend(struct writer *w, const struct layer *norm)
{
    if (!w->channels) {
        w->channels = norm->out.c;
        if (!(w->scale = zeroed((size_t)w->channels, sizeof *w->scale, w->e)) ||
            !(w->shift = zeroed((size_t)w->channels, sizeof *w->shift, w->e)))
            return -1;
        for (int c = 0; c < w->channels; c++)
            w->scale[c] = 1;
    }
    if (norm->out.c != w->channels)
        return err_set(w->e, "batchnorm behind flatten is not quantized");
    for (int c = 0; c < w->channels; c++) {
        float scale, shift;
        net_batchnorm(norm, c, &scale, &shift);
        w->scale[c] *= scale;
        w->shift[c] = scale * w->shift[c] + shift;
    }
    return 0;
}

static void pend_nothing(struct writer *w)
{
    free(w->scale);
    free(w->shift);
    w->scale = w->shift = NULL;
    w->channels = 0;
}

/* Fold the magnitude of the pending scale into the weights of l, before the relu, so that all channels
 * have about the same range. Only its sign stays pending. */
static void push_back(struct writer *w, struct layer *l)
{
    for (int c = 0; c < w->channels; c++) {
        scale_output(w, l, c, fabsf(w->scale[c]), 0);
        w->scale[c] = w->scale[c] < 0 ? -1 : 1;
    }
}

/* Fold the pending batch norm into the weights of l, which read it. */
static void absorb(struct writer *w, struct layer *l)
{
    long each = each_of(w), places = w->channels ? each / w->channels : 1;
    for (int k = 0; k < l->out.c && w->channels; k++)
        for (long i = 0; i < each; i++) {
            float *weight = &l->weight[k * each + i];
            l->bias[k] += *weight * w->shift[i / places];
            *weight *= w->scale[i / places];
        }
    pend_nothing(w);
}

/* The weights of an output are multiplied in pairs of neighbours (kernel/int8.h) of a run: the channels of a place, or
 * the columns of a gray picture. */
struct runs {
    long count, apart; /* how many there are, and weights between the first ones of two */
    long n, step;      /* weights of one, and how far apart they are */
};

static struct runs runs_of(const struct writer *w, const struct layer *l)
{
    int from = l->in[0];
    while (w->net->layer[from].op == OP_FLATTEN)
        from = w->net->layer[from].in[0];
    struct shape in = w->net->layer[from].out;
    bool dense = l->op == OP_DENSE;
    long places = dense ? (long)in.h * in.w : (long)l->r * l->s;
    if (in.c > 1)
        return (struct runs){.count = places, .apart = 1, .n = in.c, .step = places};
    return dense ? (struct runs){.count = 1, .n = places, .step = 1}
                 : (struct runs){.count = l->r, .apart = l->s, .n = l->s, .step = 1};
}

/* Round a pair of weights to multiples of step: each at most 127, two of one sign at most 128 together, so
 * that AVX2's vpmaddubsw, which adds two products in 16 bits, cannot saturate. Returns the squared error. */
static double round_pair(float *first, float *second, float step, bool write)
{
    float *const weight[2] = {first, second};
    float steps[2];
    double error = 0;
    for (int i = 0; i < 2; i++)
        steps[i] = fminf(fmaxf(rintf(weight[i] ? *weight[i] / step : 0), -127), 127);
    float excess = fabsf(steps[0] + steps[1]) - 128;
    int large = fabsf(steps[1]) > fabsf(steps[0]);
    if (steps[0] * steps[1] > 0 && excess > 0)
        steps[large] -= copysignf(excess, steps[large]);
    for (int i = 0; i < 2 && weight[i]; i++) {
        error += (*weight[i] - step * steps[i]) * (*weight[i] - step * steps[i]);
        *weight[i] = write ? step * steps[i] : *weight[i];
    }
    return error;
}

/* The same of all of an output's. */
static double round_all(const struct runs *r, float *weight, float step, bool write)
{
    double sum = 0;
    for (long run = 0; run < r->count; run++)
        for (long i = 0; i < r->n; i += 2) {
            float *first = weight + run * r->apart + i * r->step;
            sum += round_pair(first, i + 1 < r->n ? first + r->step : NULL, step, write);
        }
    return sum;
}

/* The step with the least squared error for an output's weights. */
static float weight_step(const struct runs *r, float *weight, enum ranges ranges)
{
    float most = 0, best = 0;
    double least = INFINITY;
    for (long i = 0; i < r->count * r->n; i++)
        most = fmaxf(most, fabsf(weight[i]));
    if (!(most > 1e-20f))
        return 1;
    for (int part = 200; part >= (ranges == WHOLE ? 100 : 70); part -= 2) {
        float step = most * (float)part / 100 / 127;
        double sum = round_all(r, weight, step, false);
        if (sum < least) {
            least = sum;
            best = step;
        }
    }
    return best;
}

/* Quantize the weights of l, and its bias to integers of 32 bits, in the unit of the sums of products. */
static int quantize_weights(struct writer *w, struct layer *l)
{
    const struct runs runs = runs_of(w, l);
    if (!(l->step = zeroed((size_t)l->out.c, sizeof *l->step, w->e)))
        return -1;
    for (int k = 0; k < l->out.c; k++) {
        float *weight = l->weight + k * each_of(w);
        float step = l->step[k] = weight_step(&runs, weight, w->ranges);
        round_all(&runs, weight, step, true);
        float unit = w->step * step;
        l->bias[k] = unit * fminf(fmaxf(rintf(l->bias[k] / unit), -0x1p30f), 0x1p30f);
    }
    return 0;
}

/* ---- Layers ---- */

static bool is_op(const struct writer *w, int i, enum op op)
{
    return i < w->from->layers && w->from->layer[i].op == op;
}

/* Make batch norms from layer i on pending. Returns the layer behind them, or -1. */
static int take_norms(struct writer *w, int i)
{
    for (; is_op(w, i, OP_DROPOUT) || is_op(w, i, OP_BATCHNORM); i++)
        if (is_op(w, i, OP_BATCHNORM) && pend(w, &w->from->layer[i]))
            return -1;
    return i;
}

static bool has_pads(const struct layer *l)
{
    return l->pad_top || l->pad_left || l->pad_bottom || l->pad_right;
}

/* Whether layer i adds a value that is quantized by itself to the one before it. */
static bool adds(const struct writer *w, int i)
{
    if (!is_op(w, i, OP_ADD) || w->channels)
        return false;
    const int *in = w->from->layer[i].in;
    return w->made[in[0] == i - 1 ? in[1] : in[0]] >= 0;
}

static void write_add(struct writer *w, int i)
{
    const int *in = w->from->layer[i].in;
    int other = w->made[in[0] == i - 1 ? in[1] : in[0]];
    take(w, i)->in[1] = other;
}

/* Write a conv or dense layer with batch norm, relu and batch norm, or a sum, behind it. Returns the next
 * layer, or -1. */
static int write_conv(struct writer *w, int i)
{
    const struct layer *from = &w->from->layer[i];
    if (from->groups != 1)
        return refuse(w, i, "in groups is not quantized");
    for (int c = 0; c < w->channels && has_pads(from); c++)
        if (w->shift[c] != 0)
            return refuse(w, i, "with padding behind a batch norm is not quantized");
    struct layer *l = take(w, i);
    if (!l->bias && !(l->bias = zeroed((size_t)l->out.c, sizeof *l->bias, w->e)))
        return -1;
    absorb(w, l);
    int next = take_norms(w, i + 1);
    for (int k = 0; k < w->channels; k++)
        scale_output(w, l, k, w->scale[k], w->shift[k]);
    pend_nothing(w);
    if (next < 0)
        return -1;
    bool relu = is_op(w, next, OP_RELU);
    int behind = relu ? take_norms(w, next + 1) : next;
    if (behind < 0)
        return -1;
    push_back(w, l);
    if (quantize_weights(w, l))
        return -1;
    if (relu)
        take(w, next);
    if (adds(w, behind))
        write_add(w, behind++);
    if (behind == w->from->layers || is_op(w, behind, OP_SOFTMAX) || is_op(w, behind, OP_BOXES))
        return behind;
    return quantize_layer(w, behind - 1) ? -1 : behind;
}

static int write_pool(struct writer *w, int i)
{
    const struct layer *l = &w->from->layer[i];
    if (w->channels && has_pads(l))
        return refuse(w, i, "with padding behind a batch norm is not quantized");
    for (int c = 0; c < w->channels && l->op == OP_MAXPOOL; c++)
        if (w->scale[c] < 0)
            return refuse(w, i, "behind a batch norm with a negative scale is not quantized");
    bool most = take(w, i)->op == OP_MAXPOOL;
    return most || !quantize_layer(w, i) ? i + 1 : -1;
}

/* Whether layer i is monotonic, so that it commutes with max pooling. */
static bool keeps_order(const struct net *net, int i)
{
    const struct layer *l = &net->layer[i];
    for (int c = 0; l->op == OP_BATCHNORM && c < l->out.c; c++)
        if (l->scale[c] < 0)
            return false;
    return l->op == OP_RELU || l->op == OP_DROPOUT || l->op == OP_BATCHNORM;
}

/* Move max pooling behind relu and batch norm, which can then be folded into the convolution before, unless a
 * sum might read what is between them. */
static void pools_last(struct net *net)
{
    for (int i = 0; i < net->layers; i++)
        if (net->layer[i].op == OP_ADD)
            return;
    for (int i = net->layers - 2; i > 0; i--)
        for (int k = i; k + 1 < net->layers && net->layer[k].op == OP_MAXPOOL &&
                        net->layer[k + 1].in[0] == k && keeps_order(net, k + 1); k++) {
            struct layer pool = net->layer[k];
            net->layer[k] = net->layer[k + 1];
            net->layer[k].in[0] = pool.in[0];
            net->layer[k].out = net->layer[pool.in[0]].out;
            net->layer[k + 1] = pool;
            net->layer[k + 1].in[0] = k;
        }
}

/* Write layer i with what is fused into it. Returns the next layer, or -1. */
static int write_layer(struct writer *w, int i)
{
    enum op op = w->from->layer[i].op;
    if (op == OP_ADD || (i && w->from->layer[i].in[0] != i - 1))
        return refuse(w, i, "makes it no chain of layers: only chains are quantized");
    switch (op) {
    case OP_INPUT:
        return quantize_input(w) ? -1 : 1;
    case OP_CONV:
    case OP_DENSE:
        return write_conv(w, i);
    case OP_MAXPOOL:
    case OP_AVGPOOL:
    case OP_GLOBALPOOL:
        return write_pool(w, i);
    case OP_BATCHNORM:
    case OP_DROPOUT:
        return take_norms(w, i);
    case OP_FLATTEN:
    case OP_SOFTMAX:
    case OP_BOXES:
        take(w, i);
        return i + 1;
    case OP_QUANTIZE:
        return err_set(w->e, "the model is in 8 bits already");
    default:
        return refuse(w, i, "is not quantized");
    }
}

static int write_layers(struct writer *w)
{
    int layers = w->from->layers, i = 0;
    pools_last(w->from);
    while (i >= 0 && i < layers)
        i = write_layer(w, i);
    if (i >= 0 && w->channels)
        return err_set(w->e, "batchnorm at the end is not quantized");
    return i < 0 ? -1 : 0;
}

/* Write the net in 8 bits, with its metadata unchanged. Returns NULL on failure. */
static struct net *write_net(const struct net *net, enum ranges ranges, const float *x, int images,
                             struct threads *t, struct err *e)
{
    struct writer w = {.threads = t, .ranges = ranges, .x = x, .images = images, .e = e};
    int failed = !(w.from = net_copy(net, e)) || !(w.net = zeroed(1, sizeof *w.net, e)) ||
                 !(w.net->layer = zeroed(2 * (size_t)net->layers + 1, sizeof *w.net->layer, e)) ||
                 !(w.made = zeroed((size_t)net->layers, sizeof *w.made, e));
    for (int i = 0; w.made && i < net->layers; i++)
        w.made[i] = -1;
    for (int i = 0; !failed && i < net->metas; i++)
        failed = net_set_meta(w.net, net->meta[i].key, net->meta[i].value, e);
    if (!failed)
        failed = write_layers(&w);
    pend_nothing(&w);
    free(w.made);
    net_free(w.from);
    if (!failed)
        return w.net;
    net_free(w.net);
    return NULL;
}

/* ---- Measuring ---- */

/* What ranges are chosen on: n of the images to learn from, of a finder's every other one with light ink. Owned
 * by the caller. */
static float *calibration(const struct net *net, const struct dataset *d, const struct split *s, long n,
                          struct err *e)
{
    long size = (long)d->height * d->width;
    float *x = zeroed((size_t)(n * size), sizeof *x, e);
    for (long i = 0; x && i < n; i++)
        scale_image(net, d, s->train_index[i * (s->train / n)], x + i * size);
    for (long i = size; x && d->finder && i < n * size; i++)
        x[i] = i / size % 2 ? -x[i] : x[i];
    return x;
}

/* Set what the net tells of itself, and of what 8 bits cost. */
static int describe(struct net *net, const struct exam *m, const struct quantize_report *r,
                    struct err *e)
{
    char text[128];
    double before = (double)r->before / (double)r->images, after = (double)r->after / (double)r->images;
    const char *what = m->d->finder ? "digits right less wrong" : "accuracy";
    snprintf(text, sizeof text, "int8: validation %s %.5f, in floats %.5f", what, after, before);
    return exam_describe(m, net, e) || net_set_meta(net, "quantized", text, e) ? -1 : 0;
}

/* Quantize, with one way to choose ranges and then the other. Returns the first net that loses at most
 * max_loss, or NULL: r->after is then that of the better one. */
static struct net *quantize_best(const struct net *net, const float *x, int images, struct exam *m,
                                 double max_loss, struct quantize_report *r, struct err *e)
{
    if (exam_sit(m, net, e))
        return NULL;
    if (m->d->finder)
        r->images = m->scores.all.digits;
    r->before = exam_right(m);
    for (enum ranges ranges = LEAST_ERROR; ranges <= WHOLE; ranges++) {
        struct net *made = write_net(net, ranges, x, images, m->threads, e);
        if (!made || exam_sit(m, made, e)) {
            net_free(made);
            return NULL;
        }
        long right = exam_right(m);
        r->after = ranges == LEAST_ERROR || right > r->after ? right : r->after;
        double loss = (double)(r->before - right) / (double)r->images;
        bool good = loss <= max_loss, told = good && !describe(made, m, r, e);
        if (told)
            return made;
        net_free(made);
        if (good)
            return NULL;
    }
    err_set(e, "in 8 bits %ld of %ld %s set aside are right, instead of %ld: it would lose more than %g points",
            r->after, r->images, m->d->finder ? "digits in frames" : "frames", r->before, 100 * max_loss);
    return NULL;
}

struct net *quantize_net(const struct net *net, const struct dataset *d, const struct split *s,
                         double max_loss, struct threads *t, struct quantize_report *r,
                         struct err *e)
{
    struct exam m = {0};
    long images = s->train < CALIBRATION_IMAGES ? s->train : CALIBRATION_IMAGES;
    *r = (struct quantize_report){.images = s->validation};
    if (!s->validation) {
        err_set(e, "no frames are set aside to measure what 8 bits cost");
        return NULL;
    }
    float *x = calibration(net, d, s, images, e);
    struct net *made = NULL;
    if (x && !exam_init(&m, d, s, net_outputs(net), t, NULL, e))
        made = quantize_best(net, x, (int)images, &m, max_loss, r, e);
    exam_free(&m);
    free(x);
    return made;
}
