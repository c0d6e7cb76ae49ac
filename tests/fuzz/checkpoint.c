/* A checkpoint may be a stranger's. Its checksum and identity are made right first, so that what
 * stands behind them is reached. Run: build/libfuzzer/fuzz/checkpoint tests/fuzz/corpus/checkpoint */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "learn/learn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written, and reads the same. */
static void check_round_trip(struct checkpoint *c, const struct train_array *list, int n)
{
    char name[64];
    float a[3], b[2];
    const struct train_array again[] = {{a, 3}, {b, 2}};
    struct checkpoint d = {0};
    struct err e = ERR_NONE;
    snprintf(name, sizeof name, "/dev/shm/checkpoint-%ld", (long)getpid());
    memcpy(d.identity, c->identity, sizeof d.identity);
    if (!checkpoint_save(name, c, list, n, &e) && !checkpoint_load(name, &d, again, 2, &e) &&
        (d.steps != c->steps || d.records != c->records || memcmp(a, list[0].data, sizeof a)))
        __builtin_trap();
    free(d.record);
    unlink(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    float a[3], b[2];
    const struct train_array arrays[] = {{a, 3}, {b, 2}};
    struct checkpoint c = {0};
    struct err e = ERR_NONE;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    if (size >= 40)
        memcpy(c.identity, data + 8, sizeof c.identity);
    if (checkpoint_parse(copy, size, &c, arrays, 2, &e) && !e.what[0])
        __builtin_trap();
    if (size >= 4) {
        uint32_t sum = (uint32_t)crc32(0, copy, (uInt)size - 4);
        for (int i = 0; i < 4; i++)
            copy[size - 4 + (size_t)i] = (uint8_t)(sum >> (8 * i));
        e = (struct err)ERR_NONE;
        if (checkpoint_parse(copy, size, &c, arrays, 2, &e) == 0)
            check_round_trip(&c, arrays, 2);
        else if (!e.what[0])
            __builtin_trap();
        c.identity[size % SHA256_SIZE] ^= 1; /* of another run */
        if (checkpoint_parse(copy, size, &c, arrays, 2, &e) == 0)
            __builtin_trap();
    }
    free(c.record);
    free(copy);
    return 0;
}
