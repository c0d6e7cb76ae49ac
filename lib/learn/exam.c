/* How good a net is.
 *   in   a net, the images set aside and their truth
 *   out  logits and how many are right, or a finder's scores; what the model's metadata say of it */
#include "exam.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

#define BATCH 64 /* Images are run in batches of so many. */

int exam_init(struct exam *m, const struct dataset *d, const struct split *s, long outputs, struct threads *t,
              struct ranks *ranks, struct err *e)
{
    size_t n = (size_t)s->validation + TRAIN_SHARDS; /* the last rank's part may be shorter than the others' */
    *m = (struct exam){.d = d, .s = s, .threads = t, .ranks = ranks};
    if (!(m->labels = zeroed(n, sizeof *m->labels, e)) ||
        !(m->logits = zeroed((d->finder ? BATCH : n) * (size_t)outputs, sizeof *m->logits, e)))
        return -1;
    for (long i = 0; i < s->validation; i++)
        m->labels[i] = d->labels[s->validation_index[i]];
    return 0;
}

void exam_free(struct exam *m)
{
    free(m->labels);
    free(m->logits);
}

void scale_image(const struct net *net, const struct dataset *d, uint32_t image, float *x)
{
    infer_scale(dataset_pixels(d, image), (long)d->height * d->width, net_meta_number(net, "input_scale", 1.0 / 255),
                net_meta_number(net, "input_mean", 0), net_meta_number(net, "input_std", 1), x);
}

static void add_scores(struct exam *m, const struct net *net, const uint32_t *image, int n)
{
    struct map_shape shape = map_shape_of(net);
    for (int i = 0; i < n; i++) {
        struct map_truth truth = dataset_truth(m->d, image[i]);
        scores_add(&m->scores, m->d->kind[image[i]], &shape, m->logits + (long)i * net_outputs(net), &truth);
    }
}

/* Run the images from `from` to before `end`, of those set aside. */
static void run(struct exam *m, const struct net *net, struct infer *plan, long from, long end, float *x)
{
    long size = (long)m->d->height * m->d->width;
    for (; from < end; from += BATCH) {
        const uint32_t *image = m->s->validation_index + from;
        int n = end - from < BATCH ? (int)(end - from) : BATCH;
        for (int i = 0; i < n; i++)
            scale_image(net, m->d, image[i], x + i * size);
        infer_run(plan, x, n, m->logits + (m->d->finder ? 0 : from * m->d->classes));
        if (m->d->finder)
            add_scores(m, net, image, n);
    }
}

int exam_sit(struct exam *m, const struct net *net, struct err *e)
{
    int ranks = m->ranks ? m->ranks->count : 1, rank = m->ranks ? m->ranks->rank : 0;
    long all = m->s->validation, part = (all + ranks - 1) / ranks, from = rank * part, end = from + part;
    float *x = zeroed(BATCH * (size_t)m->d->height * (size_t)m->d->width, sizeof *x, e);
    struct infer *plan = x ? infer_new(net, BATCH, m->threads, kernel_best(), e) : NULL;
    bool failed = !plan;
    memset(&m->scores, 0, sizeof m->scores);
    if (plan)
        run(m, net, plan, from, end < all ? end : all, x);
    infer_free(plan);
    free(x);
    if (!failed && ranks_gather(m->ranks, m->logits, (size_t)(part * m->d->classes) * sizeof *m->logits)) {
        *e = m->ranks->err;
        failed = true;
    }
    return failed ? -1 : 0;
}

bool exam_is_right(const struct exam *m, long i)
{
    return argmax(m->logits + i * m->d->classes, m->d->classes) == m->labels[i];
}

long exam_right(const struct exam *m)
{
    long right = m->scores.all.right - m->scores.all.wrong;
    for (long i = 0; i < m->s->validation && !m->d->finder; i++)
        right += exam_is_right(m, i);
    return right;
}

int set_number(struct net *net, const char *key, const char *format, double value, struct err *e)
{
    char text[64];
    snprintf(text, sizeof text, format, value);
    return net_set_meta(net, key, text, e);
}

static int set_result(const struct exam *m, struct net *net, const char *key, const char *format, double value,
                      struct err *e)
{
    if (m->s->validation)
        return set_number(net, key, format, value, e);
    return net_meta(net, key) ? net_set_meta(net, key, "-", e) : 0;
}

int exam_describe(const struct exam *m, struct net *net, struct err *e)
{
    long n = m->s->validation;
    const struct score *all = &m->scores.all;
    if (m->d->finder)
        return set_result(m, net, "validation_recall", "%.4f", score_recall(all), e) ||
                       set_result(m, net, "validation_precision", "%.4f", score_precision(all), e)
                   ? -1
                   : 0;
    double temperature = calibrate_temperature(m->logits, m->labels, n, m->d->classes);
    if (set_number(net, "temperature", "%.4f", temperature, e))
        return -1;
    return set_result(m, net, "validation_accuracy", "%.5f", (double)exam_right(m) / (double)n, e);
}
