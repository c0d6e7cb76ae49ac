/* pixelmodel [-g gain] [-l labels] [-m key=value]... [-n channels] [-r] [-s side] OUT.onnx
 *
 * A model whose answers a test can foretell: the logit of class k is gain times one pixel, the k-th
 * from the left of those in the middle of the middle row. -m adds metadata; input_scale is 1/255
 * unless -r (raw) leaves it out; -n is for a model that frames do not fit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/net.h"
#include "onnx/onnx.h"

static int count_words(const char *text)
{
    int n = 0;
    while (*(text += strspn(text, " "))) {
        text += strcspn(text, " ");
        n++;
    }
    return n;
}

static int save(struct net *net, double gain, int classes, int side, char **metas,
                const char *name, struct err *e)
{
    if (net_alloc_params(net, NULL, e))
        return -1;
    struct layer *dense = &net->layer[net->layers - 2];
    long inputs = net_weight_count(net, net->layers - 2) / classes;
    memset(dense->weight, 0, (size_t)(inputs * classes) * sizeof *dense->weight);
    for (int k = 0; k < classes; k++)
        dense->weight[k * inputs + (side / 2) * side + (side - classes) / 2 + k] = (float)gain;
    for (; *metas; metas++) {
        char *value = strchr(*metas, '=');
        *value++ = '\0';
        if (net_set_meta(net, *metas, value, e))
            return -1;
    }
    return onnx_save(net, name, e);
}

int main(int argc, char **argv)
{
    double gain = 5;
    int channels = 1, side = 28, metas = 1;
    const char *labels = "0 1 2 3 4 5 6 7 8 9";
    char *meta[argc + 3], text[256], label_meta[256], scale_meta[] = "input_scale=0.00392156863";
    bool raw = false;
    for (int c; (c = getopt(argc, argv, "g:l:m:n:rs:")) != -1;) {
        switch (c) {
        case 'g': gain = atof(optarg); break;
        case 'l': labels = optarg; break;
        case 'm': meta[metas++] = optarg; break;
        case 'n': channels = atoi(optarg); break;
        case 'r': raw = true; break;
        case 's': side = atoi(optarg); break;
        default: return 2;
        }
    }
    snprintf(label_meta, sizeof label_meta, "labels=%s", labels);
    meta[0] = label_meta;
    if (!raw)
        meta[metas++] = scale_meta;
    meta[metas] = NULL;
    int classes = count_words(labels);
    snprintf(text, sizeof text, "input %d %d %d\nflatten\ndense %d\nsoftmax\n", channels, side,
             side, classes);
    struct err e = ERR_NONE;
    struct net *net = net_parse(text, strlen(text), "pixelmodel", &e);
    if (!net || save(net, gain, classes, side, meta, argv[optind], &e)) {
        fprintf(stderr, "%s\n", e.what);
        return 1;
    }
    net_free(net);
    return 0;
}
