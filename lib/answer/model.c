/* Models that are asked for answers: ONNX files to probabilities of classes.
 *   in   files, frames of gray pixels
 *   out  a probability a class: softmax of the logits over the file's temperature (Guo et al. 2017), or what a
 *        sigmoid at the end made; the mean over the networks
 * The files' metadata say how pixels are scaled and what the outputs are called. */
#include "answer.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "engine/engine.h"
#include "net/net.h"
#include "onnx/onnx.h"

#define MAX_PIECE 64 /* A thread takes at most so many frames at once. */

/* Parse a number or a fraction of two and move *p behind it. Returns false when it is neither or not finite. */
static bool parse_fraction(const char **p, double *x)
{
    char *end;
    *x = strtod(*p, &end);
    if (end == *p)
        return false;
    if (*end == '/') {
        const char *below = end + 1;
        *x /= strtod(below, &end);
        if (end == below)
            return false;
    }
    *p = end;
    return isfinite(*x);
}

static bool scaling_is_possible(const struct scaling *s)
{
    return isfinite(s->scale) && isfinite(s->mean) && isfinite(s->std) && s->std != 0;
}

bool scaling_parse(const char *text, struct scaling *s)
{
    *s = (struct scaling){1, 0, 1};
    if (!parse_fraction(&text, &s->scale))
        return false;
    if (!*text)
        return true;
    return *text++ == ',' && parse_fraction(&text, &s->mean) && *text++ == ',' &&
           parse_fraction(&text, &s->std) && !*text && scaling_is_possible(s);
}

/* The classes of a network, and of the model: those that the file names, else 0, 1, 2 ... */
static int read_labels(struct model *m, struct voter *v, const struct net *net, struct err *e)
{
    struct labels own = {0};
    const char *text = net_meta(net, "labels");
    int status = text ? labels_list(&own, text, e) : 0;
    for (int i = 0; !text && !status && i < v->outputs; i++) {
        char number[LABEL_SIZE];
        size_t len = (size_t)snprintf(number, sizeof number, "%d", i);
        status = labels_add(&own, number, len, e) < 0 ? -1 : 0;
    }
    if (!status && own.count != v->outputs)
        status = err_set(e, "labels: %d names for %d outputs", own.count, v->outputs);
    for (int i = 0; !status && i < v->outputs; i++)
        if ((v->class[i] = labels_add(&m->labels, own.of[i], strlen(own.of[i]), e)) < 0)
            status = -1;
    labels_free(&own);
    m->classes = m->labels.count;
    m->reject = labels_find(&m->labels, LABEL_NONE);
    return status;
}

static int read_numbers(struct model *m, struct voter *v, const struct net *net,
                        const struct scaling *given, const char *file, struct err *e)
{
    v->temperature = net_meta_number(net, "temperature", 1);
    v->scaling.scale = net_meta_number(net, "input_scale", 1.0 / 255);
    v->scaling.mean = net_meta_number(net, "input_mean", 0);
    v->scaling.std = net_meta_number(net, "input_std", 1);
    if (given)
        v->scaling = *given;
    else if (!net_meta(net, "input_scale") && !m->unscaled)
        m->unscaled = file;
    if (!isfinite(v->temperature) || v->temperature <= 0)
        return err_set(e, "temperature %g is not above 0", v->temperature);
    if (!scaling_is_possible(&v->scaling))
        return err_set(e, "input scaling %g, mean %g, std %g cannot be", v->scaling.scale,
                       v->scaling.mean, v->scaling.std);
    return 0;
}

static int add_voter(struct model *m, const struct net *net, const struct scaling *given,
                     const char *file, struct threads *t, struct err *e)
{
    struct voter *v = &m->voter[m->voters];
    struct shape in = net_input(net);
    v->outputs = net_outputs(net);
    if (net_is_finder(net))
        return err_set(e, "a finder, which says where digits are: preproc uses it, on pictures");
    v->channels = in.c;
    v->sigmoid = net_is_sigmoid(net);
    if (in.c != 1 && in.c != 3)
        return err_set(e, "its input has %d channels: frames are gray, of 1, or the same in 3", in.c);
    if (v->outputs < 2 || v->outputs > LABEL_MAX_CLASSES)
        return err_set(e, "it has %d output%s: from 2 to %d can be answers", v->outputs, v->outputs == 1 ? "" : "s",
                       LABEL_MAX_CLASSES);
    if (m->voters && (in.w != m->width || in.h != m->height))
        return err_set(e, "reads frames of %dx%d, the model before it of %dx%d: they cannot vote",
                       in.w, in.h, m->width, m->height);
    m->width = in.w;
    m->height = in.h;
    m->channels = in.c > m->channels ? in.c : m->channels;
    if (m->batch > NET_MAX_TOTAL / net_floats(net))
        m->batch = (int)(NET_MAX_TOTAL / net_floats(net));
    if (read_labels(m, v, net, e) || read_numbers(m, v, net, given, file, e))
        return -1;
    v->infer = infer_new(net, m->batch, t, kernel_best(), e);
    if (!v->infer)
        return -1;
    m->voters++;
    return 0;
}

static int load(struct model *m, const char *file, const char *output, const struct scaling *given,
                struct threads *t, struct err *e)
{
    struct net *net = onnx_load_output(file, output, e);
    int failed = net ? add_voter(m, net, given, file, t, e) : -1;
    net_free(net);
    return failed ? err_at(e, file, -1) : 0;
}

struct model *model_load(const char *const *files, int n, const char *output, const struct scaling *given,
                         int batch, struct threads *t, struct err *e)
{
    struct model *m = zeroed(1, sizeof *m, e);
    if (!m)
        return NULL;
    m->batch = batch;
    for (int i = 0; i < n; i++)
        if (load(m, files[i], output, given, t, e)) {
            model_free(m);
            return NULL;
        }
    size_t threads = (size_t)threads_count(t), pixels = (size_t)m->channels * (size_t)m->width * (size_t)m->height;
    m->threads = t;
    m->piece = (m->batch + (int)threads - 1) / (int)threads;
    m->piece = m->piece < MAX_PIECE ? m->piece : MAX_PIECE;
    if ((m->x = zeroed(threads * (size_t)m->piece, pixels * sizeof *m->x, e)) &&
        (m->logits = zeroed(threads * (size_t)m->piece, (size_t)m->classes * sizeof *m->logits, e)) &&
        (m->share = zeroed(threads, (size_t)m->classes * sizeof *m->share, e)))
        return m;
    model_free(m);
    return NULL;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->voters; i++)
        infer_free(m->voter[i].infer);
    labels_free(&m->labels);
    free(m->x);
    free(m->logits);
    free(m->share);
    free(m);
}

/* Scale n frames and, where the network has several channels, repeat each of them. */
static void scale_frames(const struct model *m, const struct voter *v, const uint8_t *gray, int n, float *x)
{
    long pixels = (long)m->width * m->height;
    for (int k = 0; k < n; k++, gray += pixels, x += pixels * v->channels) {
        infer_scale(gray, pixels, v->scaling.scale, v->scaling.mean, v->scaling.std, x);
        for (int c = 1; c < v->channels; c++)
            memcpy(x + c * pixels, x, (size_t)pixels * sizeof *x);
    }
}

/* Scaling and softmax lie in the thread that runs the network: frames stay in its cache. */
void model_run_on(struct model *m, int thread, const uint8_t *gray, int n, double *p)
{
    float *x = m->x + (long)thread * m->piece * m->channels * m->width * m->height;
    float *all = m->logits + (long)thread * m->piece * m->classes;
    double *share = m->share + (long)thread * m->classes;
    memset(p, 0, (size_t)n * (size_t)m->classes * sizeof *p);
    for (int i = 0; i < m->voters; i++) {
        const struct voter *v = &m->voter[i];
        scale_frames(m, v, gray, n, x);
        infer_run_on(v->infer, thread, x, n, all);
        for (int k = 0; k < n; k++) {
            const float *logits = all + (long)k * v->outputs;
            if (!v->sigmoid)
                softmax(logits, v->outputs, v->temperature, share);
            for (int j = 0; j < v->outputs; j++)
                p[(long)k * m->classes + v->class[j]] += (v->sigmoid ? logits[j] : share[j]) / m->voters;
        }
    }
}

int model_share(const struct model *m, int n)
{
    int threads = threads_count(m->threads), share = (n + threads - 1) / threads;
    return share < m->piece ? share : m->piece;
}

struct question {
    struct model *m;
    const uint8_t *gray;
    double *p;
    int n, share; /* frames in all, and of an item */
};

static void run_share(void *arg, int item, int thread)
{
    const struct question *q = arg;
    long first = (long)item * q->share;
    int n = q->n - first < q->share ? (int)(q->n - first) : q->share;
    model_run_on(q->m, thread, q->gray + first * q->m->width * q->m->height, n, q->p + first * q->m->classes);
}

void model_run(struct model *m, const uint8_t *gray, int n, double *p)
{
    struct question q = {m, gray, p, n, model_share(m, n)};
    threads_run(m->threads, n ? (n + q.share - 1) / q.share : 0, run_share, &q);
}

bool model_find(const char *name, char *path, size_t size)
{
    static const char *const beside[] = {"../share/inkpipe/", "", "../models/", "../../models/"};
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(program, '/');
    for (int i = 0; i < 4; i++) {
        int len = !*beside[i] ? snprintf(path, size, "%s%s", PREFIX "/share/inkpipe/", name)
                  : slash     ? snprintf(path, size, "%.*s/%s%s", (int)(slash - program), program, beside[i], name)
                              : 0;
        if (len > 0 && (size_t)len < size && access(path, R_OK) == 0)
            return true;
    }
    snprintf(path, size, "%s%s", PREFIX "/share/inkpipe/", name);
    return false;
}
