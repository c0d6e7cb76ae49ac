/* lib/dataset: what is refused, how the pictures are divided and shuffled. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "learn/learn.h"
#include "base/rng.h"

#define N 1200

static char stream[] = "/tmp/dataset-XXXXXX";

/* A stream of n frames of side 4 whose pixels are drawn from `from + i` and labelled i % 10. */
static void write_stream(int n, int from)
{
    FILE *f = fopen(stream, "wb");
    if (!f)
        exit(1);
    for (int i = 0; i < n; i++) {
        struct rng r = rng_seed(9, (uint64_t)(from + i));
        fprintf(f, "P5\n# label=%d\n4 4\n255\n", i % 10);
        for (int j = 0; j < 16; j++)
            fputc((int)rng_below(&r, 256), f);
    }
    fclose(f);
}

static void write_text(const char *text)
{
    FILE *f = fopen(stream, "wb");
    if (!f)
        exit(1);
    fputs(text, f);
    fclose(f);
}

static int read_stream(struct dataset *d, struct err *e)
{
    struct frame_reader *r = frame_open(stream, e);
    int got = r ? dataset_read(d, r, e) : -1;
    frame_close(r);
    return got;
}

/* A stream is all that is read. */
static int read_all(struct dataset *d, struct err *e)
{
    return read_stream(d, e) || dataset_settle(d, e) ? -1 : 0;
}

static void check_refusals(void)
{
    static const char *bad[][2] = {
        {"P5\n# label=3\n4 4\n255\n0123456789abcde", "truncated"},
        {"P5\n# label=3\n3 4\n255\n0123456789ab", "reads 4x4: preproc"},
        {"P5\n4 4\n255\n0123456789abcdef", "a filter in between may have dropped `label`"},
        {"P5\n# label=a b\n4 4\n255\n0123456789abcdef", "label 'a b' is not a word"},
        {"P5\n# label=x\n4 4\n255\n0123456789abcdef", "label 'x' is one of 2, but the network has 5"},
        {"P5\n# label=12\n4 4\n255\n0123456789abcdef", "label '12' is one of 2, but"},
        {"P5\n# label=5\n4 4\n255\n0123456789abcdef", "label 5, but the network has 5 outputs"},
        {"P5\n# label=none\n4 4\n255\n0123456789abcdef", "label none, but the network has 5 outputs"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct dataset d;
        struct err e = ERR_NONE;
        char text[8192];
        snprintf(text, sizeof text, "P5\n# label=4\n4 4\n255\n0123456789abcdef%s", bad[i][0]);
        write_text(text);
        dataset_init(&d, 4, 4, 5);
        CHECK(read_all(&d, &e) == -1 && strstr(e.what, bad[i][1]) && e.frame == 1 &&
                  !strcmp(e.file, stream),
              "frame %lld: %s", e.frame, e.what);
        dataset_free(&d);
    }
}

static void check_blank(void)
{
    struct dataset d;
    struct err e = ERR_NONE;
    write_text("P5\n# label=4\n2 2\n255\n    P5\n# label=4\n2 2\n255\n   .");
    dataset_init(&d, 2, 2, 10);
    CHECK(!read_stream(&d, &e) && d.images == 1 && d.blank == 1, "a blank frame is left out");
    dataset_free(&d);
}

static int has(const struct dataset *d, const uint32_t *index, long n, const uint8_t *pixels)
{
    for (long i = 0; i < n; i++)
        if (!memcmp(dataset_pixels(d, index[i]), pixels, 16))
            return 1;
    return 0;
}

/* Two datasets: b holds a's pictures, in two streams the other way round, one of them twice. */
static void check_split(void)
{
    struct dataset a, b;
    struct split s, t;
    struct err e = ERR_NONE;
    dataset_init(&a, 4, 4, 10);
    dataset_init(&b, 4, 4, 10);
    write_stream(N, 0);
    CHECK(!read_all(&a, &e) && a.images == N, "read %d frames", N);
    write_stream(N / 2, N / 2);
    CHECK(!read_stream(&b, &e), "read the second half");
    write_stream(N / 2, 0);
    CHECK(!read_stream(&b, &e) && !read_all(&b, &e) && b.images == N + N / 2 && b.sources == 1,
          "and the first half, twice");
    CHECK(!dataset_split(&a, N / 12, &s, &e) && s.train == N - N / 12 && s.validation == N / 12,
          "split");
    int doubled = 0, seen[N] = {0}, label[10] = {0}, unequal = 0;
    for (long i = 0; i < s.train; i++)
        seen[s.train_index[i]]++;
    for (long i = 0; i < s.validation; i++) {
        seen[s.validation_index[i]]++;
        label[a.labels[s.validation_index[i]]]++;
    }
    for (int i = 0; i < N; i++)
        doubled += seen[i] != 1;
    for (int i = 0; i < 10; i++)
        unequal += label[i] < 2 || label[i] > 25;
    CHECK(!doubled && !unequal, "every image on one side, every label on both");

    long n = N / 12 + N / 24;
    CHECK(!dataset_split(&b, n, &t, &e), "split the other");
    int both = 0, moved = 0;
    for (long i = 0; i < t.validation - 1; i++)
        both += has(&b, t.train_index, t.train, dataset_pixels(&b, t.validation_index[i]));
    for (long i = 0; i < t.validation; i++)
        moved += !has(&a, s.validation_index, s.validation, dataset_pixels(&b, t.validation_index[i]));
    CHECK(both <= 1, "a picture that is there twice is on one side (%d on both)", both);
    CHECK(moved < N / 60, "the same pictures are set aside whatever the order (%d others)", moved);
    split_free(&s);
    split_free(&t);

    CHECK(dataset_split(&a, N, &s, &e) == -1 && strstr(e.what, "nothing is left"), "%s", e.what);
    CHECK(!dataset_split(&a, 0, &s, &e) && s.train == N && !s.validation, "none set aside");
    uint32_t order[N], again[N];
    dataset_shuffle(s.train_index, N, 1, 0, order);
    int kept = 0, sum = 0;
    for (int i = 0; i < N; i++) {
        kept += order[i] == (uint32_t)i;
        sum += (int)order[i];
    }
    CHECK(kept < 10 && sum == N * (N - 1) / 2, "shuffled, all there");
    dataset_shuffle(s.train_index, N, 1, 0, again);
    CHECK(!memcmp(order, again, sizeof order), "the same epoch, the same order");
    dataset_shuffle(s.train_index, N, 1, 1, again);
    CHECK(memcmp(order, again, sizeof order), "another epoch, another order");
    dataset_shuffle(s.train_index, N, 2, 0, again);
    CHECK(memcmp(order, again, sizeof order), "another seed, another order");
    split_free(&s);
    char x[65], y[65];
    sha256_text(&a.content, x);
    sha256_text(&b.content, y);
    CHECK(strcmp(x, y), "other data, another checksum");
    dataset_free(&a);
    dataset_free(&b);
}

/* The checksum is that of pixels and label bytes, so that others can compute it. */
static void check_content(void)
{
    struct dataset d;
    struct err e = ERR_NONE;
    struct sha256 want;
    char got[65], expected[65];
    dataset_init(&d, 2, 2, 10);
    write_text("P5\n# label=4\n2 2\n255\nabcdP5\n# label=1\n# box=1,1,2,2\n2 2\n255\nefgh");
    CHECK(!read_all(&d, &e), "two frames");
    sha256_init(&want);
    sha256_add(&want, "abcd\4efgh\1", 10);
    sha256_text(&want, expected);
    sha256_text(&d.content, got);
    CHECK(!strcmp(got, expected), "checksum of pixels and labels");
    dataset_free(&d);
}

/* Words become classes in the order of their names, or in one that was given. */
static void check_words(void)
{
    struct dataset d;
    struct err e = ERR_NONE;
    struct labels named = {0};
    write_text("P5\n# label=plus\n2 2\n255\nabcdP5\n# label=B\n2 2\n255\nefgh"
               "P5\n# label=plus\n2 2\n255\nijkl");
    dataset_init(&d, 2, 2, 0);
    CHECK(!read_all(&d, &e) && d.classes == 2 && d.labels[0] == 1 && d.labels[1] == 0 &&
              d.labels[2] == 1 && !strcmp(d.named.of[0], "B") && !strcmp(d.named.of[1], "plus"),
          "two words: %s", e.what);
    dataset_free(&d);
    dataset_init(&d, 2, 2, 3);
    CHECK(!labels_list(&named, "plus minus B", &e) && !dataset_name(&d, &named, &e) &&
              !read_all(&d, &e) && d.labels[0] == 0 && d.labels[1] == 2 && d.classes == 3,
          "in an order that was given: %s", e.what);
    dataset_free(&d);
    dataset_init(&d, 2, 2, 3);
    CHECK(!labels_list(&named, "plus minus C", &e) && !dataset_name(&d, &named, &e) &&
              read_all(&d, &e) && strstr(e.what, "label 'B' is none of the 3 classes") && e.frame == 1,
          "none of those named: %s", e.what);
    dataset_free(&d);
    e = (struct err)ERR_NONE;
    CHECK(labels_list(&named, "a b a", &e) && strstr(e.what, "'a' is there twice"), "twice");
    labels_free(&named);
}

int main(void)
{
    int fd = mkstemp(stream);
    if (fd < 0)
        return 1;
    close(fd);
    check_refusals();
    check_blank();
    check_split();
    check_content();
    check_words();
    unlink(stream);
    return check_done();
}
