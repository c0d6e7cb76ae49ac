/* A net written and read again is the same net, to the bit; and what is no model is refused. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "base/files.h"
#include "../nets.h"
#include "onnx/onnx.h"
#include "base/rng.h"

static char file[] = "/tmp/onnx-unit-XXXXXX";

static void draw(struct net *net)
{
    net_init(net, 3);
    for (int i = 0; i < net->layers; i++) {
        struct layer *l = &net->layer[i];
        struct rng rng = rng_seed(4, (uint64_t)i);
        float *arrays[] = {l->bias, l->scale, l->shift, l->mean, l->var};
        for (size_t j = 0; j < 5; j++)
            for (long k = 0; arrays[j] && k < net_channels(net, i); k++)
                arrays[j][k] = (float)rng_range(&rng, .5, 1.5);
    }
}

static bool same_floats(const float *a, const float *b, long n)
{
    return (!a && !b) || (a && b && !memcmp(a, b, (size_t)n * sizeof *a));
}

static bool same_layer(const struct net *na, int i, const struct net *nb, int j)
{
    const struct layer *a = &na->layer[i], *b = &nb->layer[j];
    long w = net_weight_count(na, i), k = net_channels(na, i);
    return a->op == b->op && !memcmp(&a->out, &b->out, sizeof a->out) && a->r == b->r &&
           a->s == b->s && a->stride_h == b->stride_h && a->stride_w == b->stride_w &&
           a->dilation_h == b->dilation_h && a->dilation_w == b->dilation_w &&
           a->groups == b->groups && a->pad_top == b->pad_top && a->pad_left == b->pad_left &&
           a->pad_bottom == b->pad_bottom && a->pad_right == b->pad_right &&
           a->exclude_pad == b->exclude_pad && a->epsilon == b->epsilon &&
           a->momentum == b->momentum && a->function == b->function && a->first == b->first &&
           a->alpha == b->alpha && a->beta == b->beta && a->low == b->low && a->high == b->high && same_floats(a->weight, b->weight, w) &&
           same_floats(a->bias, b->bias, k) && same_floats(a->scale, b->scale, k) &&
           same_floats(a->shift, b->shift, k) && same_floats(a->mean, b->mean, k) &&
           same_floats(a->var, b->var, k);
}

/* The same layers reading the same layers; dropout, which is not written, is passed over in a. */
static bool same_net(const struct net *a, const struct net *b)
{
    int moved[NET_MAX_LAYERS], j = 0;
    for (int i = 0; i < a->layers; i++) {
        if (a->layer[i].op == OP_DROPOUT) {
            moved[i] = moved[a->layer[i].in[0]];
            continue;
        }
        moved[i] = j;
        if (j == b->layers || !same_layer(a, i, b, j))
            return false;
        for (int n = 0; n < op_inputs(a->layer[i].op); n++)
            if (moved[a->layer[i].in[n]] != b->layer[j].in[n])
                return false;
        j++;
    }
    return j == b->layers;
}

static bool is_reread(const struct net *net)
{
    struct err e = ERR_NONE;
    struct net *back = onnx_save(net, file, &e) ? NULL : onnx_load(file, &e);
    bool same = back && same_net(net, back);
    if (!back)
        printf("# %s\n", e.what);
    net_free(back);
    return same;
}

static void test_round_trip(void)
{
    for (int i = 0; i < NET_CASES; i++) {
        struct err e = ERR_NONE;
        struct net *net = net_parse(net_cases[i].text, strlen(net_cases[i].text), "t", &e);
        draw(net);
        CHECK(is_reread(net), "%s: written and read", net_cases[i].name);
        net_free(net);
    }
}

/* Layers that a .net cannot say, put between the layers of one that can. */
static void test_foreign(void)
{
    static const char text[] = "input 2 8 8\nrelu\nrelu\nrelu\nrelu\nrelu\nrelu\nrelu\nrelu\n"
                               "avgpool 3x3 pad 1\nconv 4 3x3\nrelu\nconv 2 1x1\n"
                               "flatten\ndense 3\n";
    struct err e = ERR_NONE;
    struct net *net = net_parse(text, sizeof text - 1, "t", &e);
    struct layer *l = net->layer;
    draw(net);
    l[1].op = OP_MUL;
    l[1].in[1] = 0;
    l[2].op = OP_CONCAT;
    l[2].in[1] = 0;
    l[3].op = OP_SLICE;
    l[3].first = 1;
    l[3].out.c = 2;
    l[4].op = OP_UPSAMPLE;
    l[4].stride_h = 2;
    l[5].op = OP_DYNAMIC;
    l[6].op = OP_PAD;
    l[6].alpha = -1;
    l[6].pad_top = 1;
    l[6].pad_right = 2;
    l[7].op = OP_QUANTIZE;
    l[7].alpha = .125f;
    l[7].low = -100;
    l[7].high = 155;
    l[9].exclude_pad = true;
    l[11].op = OP_RESHAPE;
    l[11].out = (struct shape){2, 4, 4};
    CHECK(!net_infer_shapes(net, &e), "foreign layers have shapes: %s", e.what);
    for (int i = 12; i <= 14; i += 2) { /* the conv and the dense layer after the reshape */
        free(l[i].weight);
        l[i].weight = NULL;
    }
    net_alloc_params(net, NULL, &e);
    CHECK(is_reread(net), "foreign layers: written and read");
    net_free(net);
}

/* Every function of a value. */
static void test_functions(void)
{
    for (int f = 0; f < FUNCTION_COUNT; f++) {
        static const char text[] = "input 1 2 2\nrelu\nflatten\ndense 2\n";
        struct err e = ERR_NONE;
        struct net *net = net_parse(text, sizeof text - 1, "t", &e);
        struct layer *l = &net->layer[1];
        draw(net);
        l->op = OP_POINTWISE;
        l->function = (enum function)f;
        bool alpha = f == FUNCTION_CELU || f == FUNCTION_ELU || f == FUNCTION_HARD_SIGMOID || f == FUNCTION_POW ||
                     f == FUNCTION_GREATER ||
                     f == FUNCTION_LEAKY_RELU || f == FUNCTION_SELU || f == FUNCTION_THRESHOLDED_RELU;
        l->alpha = alpha ? .25f : 0;
        l->beta = f == FUNCTION_HARD_SIGMOID || f == FUNCTION_SELU ? .75f : 0;
        l->low = f == FUNCTION_CLIP ? -.5f : 0;
        l->high = f == FUNCTION_CLIP ? 6 : 0;
        CHECK(is_reread(net), "function %d: written and read", f);
        net_free(net);
    }
}

/* The bytes of a finder with these metadata instead of its own, read again. */
static struct net *reread_as(const char *from, const char *to, struct err *e)
{
    uint8_t *bytes;
    size_t len, n = strlen(from);
    *e = (struct err)ERR_NONE;
    if (file_load(file, ONNX_MAX_FILE, &bytes, &len, e))
        return NULL;
    for (size_t i = 0; i + n <= len; i++)
        if (!memcmp(bytes + i, from, n))
            memcpy(bytes + i, to, n);
    struct net *net = onnx_parse(bytes, len, e);
    free(bytes);
    return net;
}

static void test_finder(void)
{
    static const char text[] = "input 1 64 64\nconv 4 3x3 stride 4 pad same\nrelu\nconv 17 1x1\nboxes\n";
    struct err e = ERR_NONE;
    struct net *net = net_parse(text, sizeof text - 1, "t", &e), *other;
    draw(net);
    net_set_meta(net, "inkpipe_tile", "7", &e);
    CHECK(is_reread(net), "a finder: written and read");
    other = reread_as("\x02" "64", "\x02" "48", &e);
    CHECK(other && net_is_finder(other) && net_input(other).h == 48 &&
              other->layer[other->layers - 1].out.h == 12,
          "its pictures may be of another size%s", e.what);
    net_free(other);
    static const char *const bad[][3] = {
        {"\x05" "boxes", "\x05" "bowls", "inkpipe_task: 'bowls' is not boxes"},
        {"\x02" "64", "\x02" "6 ", "inkpipe_tile: '6 ' is not a side of 1 to 65536 pixels"},
        {"\x02" "64", "\x02" "-4", "inkpipe_tile: '-4' is not"},
        {"\x02" "64", "\x02" "00", "inkpipe_tile: '00' is not"},
        {"inkpipe_task", "inkpipe_tusk", "the input's dimension 2 is open"},
        {"inkpipe_tile", "inkpipe_tale", "inkpipe_tile: '' is not"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        other = reread_as(bad[i][0], bad[i][1], &e);
        CHECK(!other && strstr(e.what, bad[i][2]), "%s: %s", bad[i][2], e.what);
        net_free(other);
    }
    net_free(net);
}

static void test_metadata(void)
{
    struct err e = ERR_NONE;
    static const char text[] = "input 1 2 2\nflatten\ndense 2\n";
    struct net *net = net_parse(text, sizeof text - 1, "t", &e);
    net_set_meta(net, "command", "cnn-train -s 1 \xc3\xa9.pgm", &e);
    net_set_meta(net, "labels", "a\xff", &e);
    net_set_meta(net, "empty", "", &e);
    onnx_save(net, file, &e);
    struct net *back = onnx_load(file, &e);
    CHECK(back && back->metas == 3, "three entries of metadata");
    CHECK(back && !strcmp(net_meta(back, "command"), "cnn-train -s 1 \xc3\xa9.pgm"), "UTF-8 stays");
    CHECK(back && !strcmp(net_meta(back, "labels"), "a?"), "what is not UTF-8 is replaced");
    net_free(back);

    uint8_t *a, *b;
    size_t a_len, b_len;
    file_load(file, ONNX_MAX_FILE, &a, &a_len, &e);
    onnx_save(net, file, &e);
    file_load(file, ONNX_MAX_FILE, &b, &b_len, &e);
    CHECK(a_len == b_len && !memcmp(a, b, a_len), "the same net, the same bytes");
    int refused = 0;
    for (size_t n = 0; n < a_len; n++) {
        struct net *cut = onnx_parse(a, n, &e);
        refused += !cut;
        net_free(cut);
    }
    CHECK(refused > (int)a_len * 9 / 10, "cut short it is refused: at %d of %zu places", refused,
          a_len);
    CHECK(onnx_save(net, "/nonexistent/m.onnx", &e), "no such folder");
    free(a);
    free(b);
    net_free(net);
}

static void test_wire(void)
{
    struct err e = ERR_NONE;
    CHECK(!onnx_check_wire(NULL, 0, &e), "nothing is an empty message");
    CHECK(onnx_check_wire((const uint8_t *)"\x3a\x7f", 2, &e), "a length beyond the end");
    CHECK(onnx_check_wire((const uint8_t *)"\x3b", 1, &e), "a group");
    CHECK(onnx_check_wire((const uint8_t *)"\x00", 1, &e), "field 0");
    CHECK(onnx_check_wire((const uint8_t *)"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, &e),
          "a varint without end");
    CHECK(onnx_check_wire((const uint8_t *)"\x3a\x02\x0a\x7f", 4, &e), "inside its parent");

    /* graph > node > attribute > graph ..., each of the three a byte tag and a length */
    uint8_t deep[60];
    size_t len = sizeof deep;
    for (size_t at = 0, n = 0; at + 2 <= len; at += 2, n++) {
        deep[at] = n == 0 ? 0x3a : n % 3 == 1 ? 0x0a : n % 3 == 2 ? 0x2a : 0x32;
        deep[at + 1] = (uint8_t)(len - at - 2);
    }
    CHECK(onnx_check_wire(deep, len, &e) && strstr(e.what, "nested"), "30 deep: %s", e.what);

    size_t many = (1 << 19) + 2;
    uint8_t *empty = calloc(1, many);
    for (size_t i = 0; i < many; i += 2)
        empty[i] = 0x3a; /* graph, again and again */
    CHECK(onnx_check_wire(empty, many, &e), "too many parts: %s", e.what);
    free(empty);
}

int main(void)
{
    close(mkstemp(file));
    test_round_trip();
    test_foreign();
    test_functions();
    test_finder();
    test_metadata();
    test_wire();
    unlink(file);
    return check_done();
}
