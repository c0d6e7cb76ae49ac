/* The .net text, shapes, weights and metadata of a network. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../netsize.h"
#include "../check.h"
#include "net/net.h"

static struct net *parse(const char *text, struct err *e)
{
    return net_parse(text, strlen(text), "t.net", e);
}

static bool shape_is(struct shape s, int c, int h, int w)
{
    return s.c == c && s.h == h && s.w == w;
}

static void test_seed(void)
{
    struct err e = ERR_NONE;
    struct net *net = net_load("models/seed.net", &e);
    CHECK(net, "seed.net is read");
    CHECK(shape_is(net_input(net), 1, 28, 28) && net_outputs(net) == 10, "28x28 in, 10 out");
    CHECK(net->layers == 24, "24 layers");
    CHECK(net_param_count(net) == 320 + 64 + 9248 + 64 + 18496 + 128 + 36928 + 128 + 524800 + 1024 +
                                      5130,
          "parameters as Keras counts the trainable ones: %ld", net_param_count(net));
    CHECK(net_multiplies(net) == 26 * 26 * 288 + 24 * 24 * 9216 + 10 * 10 * 18432 + 8 * 8 * 36864 +
                                     1024 * 512 + 5120,
          "multiply-adds: %lld", (long long)net_multiplies(net));
    CHECK(net->layer[3].epsilon == 1e-3f && net->layer[3].momentum == .99f, "Keras' batch norm");
    net_free(net);
}

static void test_windows(void)
{
    struct err e = ERR_NONE;
    struct net *net = parse("input 4 28 27\n"
                            "conv 8 5x3 stride 2x1 pad 1 # comment\n"
                            "conv 8 3x3 stride 2 pad same groups 4 nobias\r\n"
                            "conv 6 3x3 dilation 2 pad same\n"
                            "maxpool 2x2 stride 1\navgpool 3x2 pad 1\nglobalpool\n",
                            &e);
    CHECK(net, "every option of a window: %s", e.what);
    CHECK(shape_is(net->layer[1].out, 8, 13, 27), "conv with stride and pad");
    CHECK(shape_is(net->layer[2].out, 8, 7, 14), "conv, same padding, stride 2");
    CHECK(net->layer[2].pad_top == 1 && net->layer[2].pad_bottom == 1 &&
              net->layer[2].pad_left == 1 && net->layer[2].pad_right == 1,
          "as much before as after, whatever the side");
    CHECK(!net->layer[2].bias && net->layer[1].bias, "nobias");
    CHECK(net_weight_count(net, 2) == 8 * 2 * 9, "a group sees its channels only");
    CHECK(shape_is(net->layer[3].out, 6, 7, 14), "dilated conv, same padding");
    CHECK(shape_is(net->layer[4].out, 6, 6, 13), "pool with stride 1");
    CHECK(shape_is(net->layer[5].out, 6, 2, 7), "a pool's stride is its window");
    CHECK(shape_is(net->layer[6].out, 6, 1, 1), "global pool");
    net_free(net);
}

static void test_residual(void)
{
    struct err e = ERR_NONE;
    struct net *net = parse("input 1 8 8\nconv 4 3x3 pad 1\nname a\nrelu\nconv 4 3x3 pad 1\n"
                            "name b\nfrom a\nconv 4 1x1\nadd b\nsoftmax\n",
                            &e);
    CHECK(net, "a residual sum: %s", e.what);
    CHECK(net->layer[4].in[0] == 1, "from continues at the named value");
    CHECK(net->layer[5].op == OP_ADD && net->layer[5].in[0] == 4 && net->layer[5].in[1] == 3,
          "add reads both");
    net_free(net);
}

static void test_resize(void)
{
    struct err e = ERR_NONE;
    struct net *net = parse("input 1 64 64\nconv 4 3x3 stride 2 pad same\nrelu\nmaxpool 2x2\nname a\n"
                            "conv 4 3x3 pad same dilation 2\nadd a\nconv 17 1x1\nboxes\n",
                            &e);
    CHECK(net && net_is_finder(net) && shape_is(net->layer[7].out, 17, 16, 16), "a finder: %s", e.what);
    CHECK(!net_resize(net, 40, 100, &e) && shape_is(net_input(net), 1, 40, 100) &&
              shape_is(net->layer[7].out, 17, 10, 25),
          "the same net, another picture%s", e.what);
    CHECK(net_resize(net, 2, 2, &e) == -1 && strstr(e.what, "layer 3") &&
              shape_is(net->layer[7].out, 17, 10, 25),
          "too small: %s", e.what);
    CHECK(net_resize(net, 42, 100, &e) == -1 && strstr(e.what, "square cells"), "%s", e.what);
    CHECK(net_resize(net, NET_MAX_DIM, NET_MAX_DIM, &e) == -1 && shape_is(net_input(net), 1, 40, 100),
          "too large: %s", e.what);
    net_free(net);
    net = net_load("models/seed.net", &e);
    CHECK(net_resize(net, 56, 56, &e) == -1 && strstr(e.what, "dense reads one size only") &&
              shape_is(net_input(net), 1, 28, 28),
          "dense: %s", e.what);
    net_free(net);
}

static void test_init(void)
{
    struct err e = ERR_NONE;
    struct net *a = net_load("models/seed.net", &e), *b = net_copy(a, &e);
    net_init(a, 1);
    net_init(b, 1);
    long n = net_weight_count(a, 18);
    CHECK(!memcmp(a->layer[18].weight, b->layer[18].weight, (size_t)n * sizeof(float)),
          "one seed, one net");
    double sum = 0, squares = 0;
    for (long i = 0; i < n; i++) {
        sum += a->layer[18].weight[i];
        squares += (double)a->layer[18].weight[i] * a->layer[18].weight[i];
    }
    CHECK(fabs(sum / n) < 3 * sqrt(2. / 1024 / n), "He normal: mean 0");
    CHECK(fabs(squares / n * 1024 / 2 - 1) < .02, "He normal: variance 2 / fan-in");
    net_init(b, 2);
    CHECK(memcmp(a->layer[18].weight, b->layer[18].weight, (size_t)n * sizeof(float)),
          "another seed, another net");
    float limit = sqrtf(6.f / (512 + 10));
    bool within = true;
    for (long i = 0; i < net_weight_count(a, 22); i++)
        within = within && fabsf(a->layer[22].weight[i]) <= limit;
    CHECK(within, "Glorot uniform before softmax");
    net_free(a);
    net_free(b);
}

static void test_meta(void)
{
    struct err e = ERR_NONE;
    struct net *net = parse("input 1 2 2\n", &e);
    CHECK(!net_meta(net, "seed") && net_meta_number(net, "seed", 7) == 7, "absent");
    CHECK(!net_set_meta(net, "seed", "12", &e) && net_meta_number(net, "seed", 7) == 12, "set");
    CHECK(!net_set_meta(net, "seed", "nan", &e) && net_meta_number(net, "seed", 7) == 7,
          "not a number");
    CHECK(net->metas == 1, "set again replaces");
    CHECK(net_set_meta(net, "temperature", "nan", &e) &&
              strstr(e.what, "its metadata temperature is 'nan', which is no number"),
          "a temperature is a number: %s", e.what);
    CHECK(net_set_meta(net, "input_scale", "1x", &e), "so is a scale");
    struct net *copy = net_copy(net, &e);
    CHECK(!strcmp(net_meta(copy, "seed"), "nan"), "copied");
    net_free(net);
    net_free(copy);
}

static void test_bad(void)
{
    static const struct {
        const char *text, *what;
    } bad[] = {
        {"", "line 1: no 'input C H W'"},
        {"# nothing\n\n", "line 3: no 'input C H W'"},
        {"relu\n", "line 1: the first line must be 'input C H W'"},
        {"name a\n", "line 1: the first line must be 'input C H W'"},
        {"input 1 28\n", "line 1: width: a number is missing"},
        {"input 1 28 28 28\n", "line 1: input: unknown word '28'"},
        {"input 0 28 28\n", "line 1: channels: '0' is not a whole number 1..65536"},
        {"input 1 -28 28\n", "line 1: height: '-28' is not a whole number 1..65536"},
        {"input 1 99999999999999999999 28\n",
         "line 1: height: '99999999999999999999' is not a whole number 1..65536"},
        {"input 65536 65536 65536\n", "line 1: 65536x65536x65536 is more than 67108864 values"},
        {"input 1 8 8\ninput 1 8 8\n", "line 2: a second input"},
        {"input 1 8 8\nconvolve 3\n", "line 2: unknown word 'convolve'"},
        {"input 1 8 8\nconv 4\n", "line 2: kernel: a size is missing"},
        {"input 1 8 8\nconv 4 3\n", "line 2: kernel: '3' is not a size such as 3x3, each 1..65536"},
        {"input 1 8 8\nconv 4 3x\n",
         "line 2: kernel: '3x' is not a size such as 3x3, each 1..65536"},
        {"input 1 8 8\nconv 4 0x3\n",
         "line 2: kernel: '0x3' is not a size such as 3x3, each 1..65536"},
        {"input 1 8 8\nconv 4 9x9\n", "line 2: a 9x9 window does not fit into 8x8"},
        {"input 1 8 8\nconv 4 3x3 padding 1\n", "line 2: conv: unknown word 'padding'"},
        {"input 3 8 8\nconv 4 3x3 groups 2\n",
         "line 2: 2 groups do not divide 3 channels in and 4 out"},
        {"input 65536 4 4\nconv 65536 3x3\n",
         "line 2: more than 67108864 weights in one layer"},
        {"input 1 8 8\nmaxpool 2x2 pad 2\n", "line 2: padding must be smaller than the window"},
        {"input 1 8 8\ndropout 1\n",
         "line 2: rate: '1' is not a number of at least 0 and below 1"},
        {"input 1 8 8\ndropout nan\n",
         "line 2: rate: 'nan' is not a number of at least 0 and below 1"},
        {"input 1 8 8\nbatchnorm epsilon\n", "line 2: epsilon: a number is missing"},
        {"input 1 8 8\nadd a\n", "line 2: nothing above is named 'a'"},
        {"input 1 8 8\nname a\nname b\n", "line 3: this value has the name 'a' already"},
        {"input 1 8 8\nname a\nrelu\nname a\n", "line 4: the name 'a' is taken"},
        {"input 1 8 8\nname a\nmaxpool 2x2\nadd a\n", "line 4: cannot add 1x4x4 and 1x8x8"},
        {"input 1 8 8\nsoftmax\nrelu\n", "line 3: nothing may follow softmax"},
        {"input 1 8 8\nconv 6 1x1\nboxes\nrelu\n", "line 4: nothing may follow boxes"},
        {"input 1 8 8\nconv 5 1x1\nboxes\n",
         "line 3: a map of 5 channels: 1 for centres, 1 for each class and 4 for a box"},
        {"input 1 9 8\nconv 6 2x2 stride 2\nboxes\n",
         "line 3: a map of 4x4 does not divide a picture of 9x8 into square cells"},
        {"input 1 8 8\nname a\nrelu\nfrom a\nrelu\n", "line 3: no later line reads this value"},
        {"input 1 8 8\nname a\nrelu\nfrom a\n", "line 5: nothing follows 'from'"},
        {"input 256 512 512\nrelu\nrelu\n",
         "the net is too large: more than 134217728 values an image"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = ERR_NONE;
        struct net *net = parse(bad[i].text, &e);
        CHECK(!net && !strcmp(e.what, bad[i].what) && !strcmp(e.file, "t.net"), "%s",
              bad[i].what);
        if (strcmp(e.what, bad[i].what))
            printf("# got: %s\n", e.what);
        net_free(net);
    }
    struct err e = ERR_NONE;
    CHECK(!net_parse("input\0", 6, "t.net", &e) && !strcmp(e.what, "not a text"), "a NUL");
    CHECK(!net_load("/nonexistent.net", &e), "no such file");
}

int main(void)
{
    test_seed();
    test_windows();
    test_residual();
    test_resize();
    test_init();
    test_meta();
    test_bad();
    return check_done();
}
