/* A stranger's finder: it is refused with a word, or looks at a small picture and says where digits are, which
 * is inside. Finders that are slow, or learn much, are left out.
 * Run: build/libfuzzer/fuzz/finder tests/fuzz/corpus/finder */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ink/ink.h"
#include "net/net.h"
#include "onnx/onnx.h"

#include "../netsize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WIDTH = 96, HEIGHT = 64, SLOW = 4000, LARGE = 1 << 20 };

/* Whether a pixel of the picture costs few multiplications. */
static bool is_quick(const struct net *net)
{
    struct shape in = net_input(net);
    long values = 0;
    for (int i = 0; i < net->layers; i++)
        values += (long)net->layer[i].out.c * net->layer[i].out.h * net->layer[i].out.w;
    return net_multiplies(net) + values < (int64_t)SLOW * in.h * in.w && net_param_count(net) < LARGE;
}

static void find(struct ink *k, bool many)
{
    static uint8_t gray[HEIGHT][WIDTH];
    struct err e = ERR_NONE;
    struct ink_digit *digit;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            gray[y][x] = (x % 32 == 12 || x % 32 == 13) && y > 16 && y < 44 ? 40 : (uint8_t)(200 + x * y % 7);
    int n = ink_find(k, gray[0], WIDTH, WIDTH, HEIGHT, many, &digit, &e);
    if ((n < 0 && !e.what[0]) || (!many && n > 1))
        abort();
    for (int i = 0; i < n; i++)
        if (digit[i].x < 0 || digit[i].y < 0 || digit[i].w < 1 || digit[i].h < 1 ||
            digit[i].x + digit[i].w > WIDTH || digit[i].y + digit[i].h > HEIGHT)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file; /* kept from run to run */
    static char name[32];
    if (!file) {
        file = memfd_create("finder", MFD_CLOEXEC);
        snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    }
    struct err e = ERR_NONE;
    struct net *net = onnx_parse(data, size, &e);
    bool quick = net && is_quick(net);
    net_free(net);
    if (!quick)
        return 0;
    if (ftruncate(file, 0) < 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        abort();
    struct ink_finder *finder = ink_finder_load(name, &e);
    struct ink *k = finder ? ink_new(finder, &e) : NULL;
    if (k) {
        find(k, false);
        find(k, true);
    } else if (!e.what[0]) {
        abort();
    }
    ink_free(k);
    ink_finder_free(finder);
    return 0;
}
