/* Any pixels of any size: the first bytes say how wide, how large each is drawn, and whether all digits are
 * wanted. Needs models/find.onnx, as it is in the tree. Run: build/libfuzzer/fuzz/ink tests/fuzz/corpus/ink */
#include <stdlib.h>
#include <string.h>

#include "ink/ink.h"

static struct ink_finder *finder;
static struct ink *ink;

static bool load(struct err *e)
{
    if (!finder)
        finder = ink_finder_load("models/find.onnx", e);
    if (finder && !ink)
        ink = ink_new(finder, e);
    return ink != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 4)
        return 0;
    int w = data[0] % 64 + 1, zoom = data[1] % 12 + 1, h = (int)((len - 3) / (size_t)w);
    if (h < 1 || h > 64)
        return 0;
    struct err e = ERR_NONE;
    struct ink_digit *digit;
    uint8_t *gray = malloc((size_t)(w * zoom) * (size_t)(h * zoom));
    if (!load(&e) || !gray) {
        free(gray);
        return 0;
    }
    for (int y = 0; y < h * zoom; y++)
        for (int x = 0; x < w * zoom; x++)
            gray[y * w * zoom + x] = data[3 + y / zoom * w + x / zoom];
    int n = ink_find(ink, gray, w * zoom, w * zoom, h * zoom, data[2] & 1, &digit, &e);
    for (int i = 0; i < n; i++)
        if (digit[i].x < 0 || digit[i].y < 0 || digit[i].w < 1 || digit[i].h < 1 ||
            digit[i].x + digit[i].w > w * zoom || digit[i].y + digit[i].h > h * zoom)
            abort();
    if ((n < 0 && strcmp(e.what, "out of memory")) || (!(data[2] & 1) && n > 1))
        abort();
    free(gray);
    return 0;
}
