/* The networks that tell where writing is: the finder, and the one that looks again (refine.c).
 *
 * Input: a file, and the map that the network in it makes of a picture. Output: candidates, in pixels of that picture.
 * A map has cells of MAP_STRIDE x MAP_STRIDE pixels; each tells whether writing is centred in it, of which class, and
 * its box (CenterNet: Zhou et al., "Objects as points", arXiv 1904.07850; net(5)). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "onnx/onnx.h"
#include "steps.h"

/* The network tells a box's width and height as the logarithms of their ratios to this, in pixels. */
#define UNIT 24
/* A box is left to the reader when digits in it are at least so probable, times how probable writing is: it refuses
 * what is none. */
#define MIN_DIGIT 0.16f

/* The map's channels. */
enum { CENTRE, CLASS };
enum { DX, DY, LOG_W, LOG_H, SIZES }; /* after the classes */

char ink_sign(int class)
{
    return class >= INK_SIGN && class < INK_OTHER ? INK_SIGNS[class - INK_SIGN] : '\0';
}

/* ---- The network ---- */

/* The class a label names, or -1. */
static int class_named(const char *label, size_t len)
{
    if (len == 1 && *label >= '0' && *label <= '9')
        return *label - '0';
    const char *sign = len == 1 ? strchr(INK_SIGNS, *label) : NULL;
    if (sign)
        return INK_SIGN + (int)(sign - INK_SIGNS);
    return len == 5 && !memcmp(label, "other", len) ? INK_OTHER : -1;
}

static int read_labels(struct map_net *m, struct err *e)
{
    unsigned seen = 0;
    const char *labels = net_meta(m->net, "labels");
    for (const char *p = labels ? labels : ""; *(p += strspn(p, " "));) {
        size_t len = strcspn(p, " ");
        int class = class_named(p, len);
        if (class < 0 || seen & 1u << class)
            return err_set(e, "not a finder: its labels are \"%.60s\"", labels);
        seen |= 1u << class;
        m->class[m->classes++] = class;
        p += len;
    }
    return (seen & 0x3ff) == 0x3ff ? 0 : err_set(e, "not a finder: its labels are not the digits");
}

int net_read_scaling(const struct net *net, double scale, double mean, float input[256], struct err *e)
{
    uint8_t levels[256];
    scale = net_meta_number(net, "input_scale", scale);
    mean = net_meta_number(net, "input_mean", mean * scale);
    double std = net_meta_number(net, "input_std", 1);
    if (!isfinite(scale) || !isfinite(mean) || !isfinite(std) || std == 0)
        return err_set(e, "its input scaling cannot be");
    for (int i = 0; i < 256; i++)
        levels[i] = (uint8_t)i;
    infer_scale(levels, 256, scale, mean, std, input);
    return 0;
}

int map_net_load(struct map_net *m, const char *file, struct err *e)
{
    m->net = onnx_load(file, e);
    if (!m->net)
        return -1;
    if (!net_is_finder(m->net))
        return err_set(e, "not a finder: it does not end in boxes");
    if (net_input(m->net).c != 1)
        return err_set(e, "not a finder: its input has %d channels, not 1", net_input(m->net).c);
    return net_read_scaling(m->net, 1.0 / CONTRAST_STEP, CONTRAST_PAPER, m->input, e) || read_labels(m, e) ? -1 : 0;
}

void map_net_free(struct map_net *m)
{
    net_free(m->net);
}

size_t map_values(const struct map_net *m, int width, int height)
{
    return (size_t)(1 + m->classes + SIZES) * (size_t)(width / MAP_STRIDE) * (size_t)(height / MAP_STRIDE);
}

struct net *map_net_for(const struct map_net *m, int width, int height, struct err *e)
{
    struct net *net = net_copy(m->net, e);
    if (!net)
        return NULL;
    if (!net_resize(net, height, width, e)) {
        struct shape out = net->layer[net->layers - 1].out;
        if (out.c == 1 + m->classes + SIZES && out.h == height / MAP_STRIDE && out.w == width / MAP_STRIDE)
            return net;
        err_set(e, "not a finder: of %dx%d pixels it makes %dx%dx%d values, not %dx%dx%d", width, height,
                out.c, out.h, out.w, 1 + m->classes + SIZES, height / MAP_STRIDE, width / MAP_STRIDE);
    }
    net_free(net);
    return NULL;
}

/* ---- A cell ---- */

bool candidate_is_digit(const struct candidate *c)
{
    return c->written * c->digits >= MIN_DIGIT;
}

/* Say what the cell holds. It is a digit when all digits together are probable enough. logit: of the first class;
 * those of the others are `cells` apart. */
static void read_class(const struct map_net *m, const float *logit, long cells, struct candidate *c)
{
    float digits = 0, signs = 0, most = logit[0], of[INK_CLASSES] = {0};
    int sign = INK_SIGN;
    for (int k = 0; k < m->classes; k++)
        most = fmaxf(most, logit[k * cells]);
    for (int k = 0; k < m->classes; k++)
        of[m->class[k]] = expf(logit[k * cells] - most);
    for (int d = 0; d < INK_SIGN; d++) {
        digits += of[d];
        c->digit = of[d] > of[c->digit] ? d : c->digit;
    }
    for (int k = INK_SIGN; k < INK_OTHER; k++) {
        signs += of[k];
        sign = of[k] > of[sign] ? k : sign;
    }
    float all = digits + signs + of[INK_OTHER];
    c->digits = digits / all;
    c->class = signs > of[INK_OTHER] ? sign : INK_OTHER;
    if (digits >= signs && candidate_is_digit(c))
        c->class = c->digit;
    c->sure = of[c->class] / all;
}

struct candidate map_candidate(const struct map_net *m, const float *map, int width, int height, int x, int y)
{
    long cells = (long)width * height, cell = (long)y * width + x;
    const float *class = map + CLASS * cells + cell, *size = class + m->classes * cells;
    struct candidate c = {.w = UNIT * expf(size[LOG_W * cells]), .h = UNIT * expf(size[LOG_H * cells])};
    c.x = MAP_STRIDE * ((float)x + size[DX * cells]) - c.w / 2;
    c.y = MAP_STRIDE * ((float)y + size[DY * cells]) - c.h / 2;
    c.written = 1 / (1 + expf(-map[CENTRE * cells + cell]));
    read_class(m, class, cells, &c);
    c.score = c.written * sqrtf(c.sure);
    return c;
}
