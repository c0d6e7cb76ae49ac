/* A network's forward pass as its definition reads, in double, one layer a function and no thought
 * of speed: what infer and train are compared with. Letters: lib/net/net.h. */
#ifndef INKPIPE_REFERENCE_H
#define INKPIPE_REFERENCE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net/net.h"

static long shape_count(struct shape s)
{
    return (long)s.c * s.h * s.w;
}

/* x [C][H][W] -> y [K][P][Q] */
static void reference_conv(const struct layer *l, struct shape in, const double *x, double *y)
{
    int per_group = in.c / l->groups, k_per_group = l->out.c / l->groups;
    for (int k = 0; k < l->out.c; k++)
        for (int p = 0; p < l->out.h; p++)
            for (int q = 0; q < l->out.w; q++) {
                double sum = l->bias ? l->bias[k] : 0;
                for (int c = 0; c < per_group; c++)
                    for (int r = 0; r < l->r; r++)
                        for (int s = 0; s < l->s; s++) {
                            int h = p * l->stride_h - l->pad_top + r * l->dilation_h;
                            int w = q * l->stride_w - l->pad_left + s * l->dilation_w;
                            if (h < 0 || h >= in.h || w < 0 || w >= in.w)
                                continue;
                            int ci = k / k_per_group * per_group + c;
                            sum += x[(ci * in.h + h) * in.w + w] *
                                   l->weight[((k * per_group + c) * l->r + r) * l->s + s];
                        }
                *y++ = sum;
            }
}

static void reference_dense(const struct layer *l, struct shape in, const double *x, double *y)
{
    long n = shape_count(in);
    for (int k = 0; k < l->out.c; k++) {
        y[k] = l->bias ? l->bias[k] : 0;
        for (long i = 0; i < n; i++)
            y[k] += x[i] * l->weight[k * n + i];
    }
}

static void reference_pool(const struct layer *l, struct shape in, const double *x, double *y)
{
    bool all = l->op == OP_GLOBALPOOL, most = l->op == OP_MAXPOOL;
    int r = all ? in.h : l->r, s = all ? in.w : l->s;
    for (int c = 0; c < in.c; c++)
        for (int p = 0; p < l->out.h; p++)
            for (int q = 0; q < l->out.w; q++) {
                double sum = 0, max = -INFINITY;
                for (int i = 0; i < r * s; i++) {
                    int h = p * l->stride_h - l->pad_top + i / s;
                    int w = q * l->stride_w - l->pad_left + i % s;
                    if (h < 0 || h >= in.h || w < 0 || w >= in.w)
                        continue;
                    sum += x[(c * in.h + h) * in.w + w];
                    max = fmax(max, x[(c * in.h + h) * in.w + w]);
                }
                *y++ = most ? max : sum / (r * s);
            }
}

/* Layers of models from elsewhere: of functions, the few that stand for all (tests/onnx.bats has each). */
static double reference_function(const struct layer *l, double x)
{
    return l->function == FUNCTION_SIGMOID ? 1 / (1 + exp(-x))
           : l->function == FUNCTION_MISH  ? x * tanh(log1p(exp(x)))
                                           : tanh(x);
}

static void reference_upsample(const struct layer *l, struct shape in, const double *x, double *y)
{
    for (int c = 0; c < l->out.c; c++)
        for (int p = 0; p < l->out.h; p++)
            for (int q = 0; q < l->out.w; q++) {
                bool between = l->op == OP_ZEROSTUFF && (p % l->stride_h || q % l->stride_w);
                *y++ = between ? 0 : x[(c * in.h + p / l->stride_h) * in.w + q / l->stride_w];
            }
}

static void reference_dynamic(long n, const double *x, double *y)
{
    double low = 0, high = 0;
    for (long j = 0; j < n; j++) {
        low = fmin(low, x[j]);
        high = fmax(high, x[j]);
    }
    double step = (high - low) / 255, zero = rint(-low / step);
    for (long j = 0; j < n; j++)
        y[j] = step * (fmin(fmax(rint(x[j] / step) + zero, 0), 255) - zero);
}

/* Every layer's output for one image x [C][H][W]: value[i] of shape layer[i].out, allocated here.
 * Batch norm uses its running statistics, dropout does nothing, softmax is left out. */
static void reference_forward(const struct net *net, const float *x, double **value)
{
    for (int i = 0; i < net->layers; i++) {
        const struct layer *l = &net->layer[i];
        long n = shape_count(l->out), plane = (long)l->out.h * l->out.w;
        double *y = value[i] = malloc((size_t)n * sizeof *y);
        const double *a = i ? value[l->in[0]] : NULL, *b = l->in[1] >= 0 ? value[l->in[1]] : NULL;
        struct shape in = i ? net->layer[l->in[0]].out : l->out;
        if (l->op == OP_CONV)
            reference_conv(l, in, a, y);
        else if (l->op == OP_DENSE)
            reference_dense(l, in, a, y);
        else if (l->op == OP_MAXPOOL || l->op == OP_AVGPOOL || l->op == OP_GLOBALPOOL)
            reference_pool(l, in, a, y);
        else if (l->op == OP_UPSAMPLE || l->op == OP_ZEROSTUFF)
            reference_upsample(l, in, a, y);
        else if (l->op == OP_DYNAMIC)
            reference_dynamic(n, a, y);
        else
            for (long j = 0; j < n; j++) {
                long c = j / plane;
                if (l->op == OP_INPUT)
                    y[j] = x[j];
                else if (l->op == OP_BATCHNORM)
                    y[j] = (a[j] - l->mean[c]) / sqrt((double)l->var[c] + l->epsilon) * l->scale[c] +
                           l->shift[c];
                else if (l->op == OP_RELU)
                    y[j] = a[j] > 0 ? a[j] : 0;
                else if (l->op == OP_POINTWISE)
                    y[j] = reference_function(l, a[j]);
                else if (l->op == OP_MUL)
                    y[j] = a[j] * b[j];
                else if (l->op == OP_CONCAT)
                    y[j] = j < in.c * plane ? a[j] : b[j - in.c * plane];
                else if (l->op == OP_SLICE)
                    y[j] = a[j + l->first * plane];
                else
                    y[j] = b ? a[j] + b[j] : a[j];
            }
    }
}

#endif
