/* lib/checkpoint: what is written is read again, and nothing else is taken for a checkpoint. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "../check.h"
#include "learn/learn.h"
#include "base/files.h"

static char name[] = "/tmp/checkpoint-XXXXXX";
static float weights[5] = {1, -2, NAN, 1e-40f, INFINITY}, moments[3] = {4, 5, 6};
static const struct train_array arrays[2] = {{weights, 5}, {moments, 3}};
static uint8_t *bytes;
static size_t len;

static struct checkpoint example(void)
{
    static struct epoch_record record[2] = {
        {1, 0.5, 0.9, NAN, NAN, 1e-3, 12.5, 4400, 0, 0, 0, NAN, NAN},
        {2, 0.25, NAN, NAN, NAN, 1e-4, 12.5, 4400, 0.2, 0.02, 0.03, 0.9, 0.8}};
    struct checkpoint c = {.epoch = 2, .batch = 17, .steps = 1737, .correct = 100, .seen = 128,
                           .loss = 31.25, .seconds = 0.75, .map = {25, 4, 2.25},
                           .records = 2, .record = record};
    memset(c.identity, 0xab, sizeof c.identity);
    return c;
}

/* An empty checkpoint that knows its identity, as a run has it that wants to go on. */
static struct checkpoint wanting(void)
{
    struct checkpoint c = {0};
    memset(c.identity, 0xab, sizeof c.identity);
    return c;
}

static void check_round_trip(void)
{
    struct checkpoint c = example(), back = wanting();
    struct err e = ERR_NONE;
    CHECK(!checkpoint_save(name, &c, arrays, 2, &e), "saved%s", e.what);
    float w[5] = {0}, m[3] = {0};
    const struct train_array into[2] = {{w, 5}, {m, 3}};
    CHECK(!checkpoint_load(name, &back, into, 2, &e), "loaded%s", e.what);
    CHECK(!memcmp(w, weights, sizeof w) && !memcmp(m, moments, sizeof m), "the arrays' bits");
    CHECK(back.epoch == 2 && back.batch == 17 && back.steps == 1737 && back.correct == 100 &&
              back.seen == 128 && back.loss == 31.25 && back.seconds == 0.75 && back.records == 2 &&
              back.map.centre == 25 && back.map.class == 4 && back.map.box == 2.25,
          "the place in the run");
    CHECK(!memcmp(back.record, c.record, 2 * sizeof *c.record), "the records' bits");
    free(back.record);
    CHECK(!file_load(name, 1 << 20, &bytes, &len, &e), "the file is %zu bytes", len);
    CHECK(len == 8 + 32 + 48 + 40 + 208 + 8 + 8 + 20 + 8 + 12 + 4, "as the format says");
}

/* What parsing these bytes says; the arrays and the checkpoint must stay as they were. */
static const char *refusal(const uint8_t *data, size_t size, const struct train_array *want, int n)
{
    static struct err e;
    e = (struct err)ERR_NONE;
    struct checkpoint c = wanting(), before = c;
    if (!checkpoint_parse(data, size, &c, want, n, &e)) {
        free(c.record);
        return "taken";
    }
    return memcmp(&c, &before, sizeof c) ? "changed" : e.what;
}

/* The bytes with the number at `at` changed and the checksum made right again. */
static const char *forged(size_t at, uint64_t value)
{
    uint8_t *copy = malloc(len);
    if (!copy)
        exit(1);
    memcpy(copy, bytes, len);
    for (int i = 0; i < 8; i++)
        copy[at + (size_t)i] = (uint8_t)(value >> (8 * i));
    uint32_t sum = (uint32_t)crc32(0, copy, (uInt)len - 4);
    for (int i = 0; i < 4; i++)
        copy[len - 4 + (size_t)i] = (uint8_t)(sum >> (8 * i));
    const char *what = refusal(copy, len, arrays, 2);
    free(copy);
    return what;
}

static void check_refusals(void)
{
    const struct train_array fewer[2] = {{weights, 5}, {moments, 2}};
    const struct train_array other[2] = {{weights, 4}, {moments, 3}};
    CHECK(!strcmp(refusal(bytes, len, arrays, 2), "taken"), "the whole is taken");
    int taken = 0;
    for (size_t n = 0; n < len; n++)
        taken += !strcmp(refusal(bytes, n, arrays, 2), "taken");
    CHECK(!taken, "cut short anywhere: refused");
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 0x10;
        taken += !strcmp(refusal(bytes, len, arrays, 2), "taken");
        bytes[i] ^= 0x10;
    }
    CHECK(!taken, "a bit turned anywhere: refused");
    CHECK(strstr(refusal(bytes, len, arrays, 1), "arrays"), "fewer arrays wanted");
    CHECK(strstr(refusal(bytes, len, fewer, 2), "arrays"), "a smaller array wanted");
    CHECK(strstr(refusal(bytes, len, other, 2), "arrays"), "another size wanted");
    CHECK(strstr(forged(8, 1), "another run"), "another identity");
    CHECK(strstr(forged(40, 3), "cannot be"), "an epoch that is not behind the records");
    CHECK(strstr(forged(64, 129), "cannot be"), "more right than seen");
    CHECK(strstr(forged(80, 1), "cannot be"), "fewer records than epochs");
    CHECK(strstr(forged(80, UINT64_MAX), "cannot be"), "records without end");
    CHECK(strstr(forged(336, UINT64_MAX), "arrays"), "arrays without end");
    CHECK(strstr(forged(344, UINT64_MAX / 4), "arrays"), "an array without end");
    CHECK(strstr(forged(344, 6), "arrays"), "an array longer by one");
}

static void check_files(void)
{
    struct checkpoint c = wanting();
    struct err e = ERR_NONE;
    CHECK(checkpoint_load("/nowhere/x", &c, arrays, 2, &e) == -1 && !strcmp(e.file, "/nowhere/x"),
          "no such file: %s", e.what);
    e = (struct err)ERR_NONE;
    CHECK(checkpoint_save("/nowhere/x", &c, arrays, 2, &e) == -1 && e.what[0], "cannot write: %s",
          e.what);
    e = (struct err)ERR_NONE;
    CHECK(checkpoint_save("/dev/full", &c, arrays, 2, &e) == -1 && strstr(e.what, "space"),
          "full disk: %s", e.what);
}

int main(void)
{
    int fd = mkstemp(name);
    if (fd < 0)
        return 1;
    close(fd);
    check_round_trip();
    check_refusals();
    check_files();
    free(bytes);
    unlink(name);
    return check_done();
}
