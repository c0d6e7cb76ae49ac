#include "stream/stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../check.h"
#include "base/files.h"

/* The name of a file that holds these bytes, until the process ends. */
static const char *file_of(const void *bytes, size_t n)
{
    static char names[64][32];
    static int used;
    int fd = memfd_create("idx", MFD_CLOEXEC);
    if (fd < 0 || used == 64 || write_all(fd, bytes, n) < 0)
        abort();
    snprintf(names[used], sizeof names[used], "/proc/self/fd/%d", fd);
    return names[used++];
}
#define FILE_OF(text) file_of(text, sizeof(text) - 1)

/* Three images of 3x2 and their labels. */
#define IMAGES "\0\0\x08\x03\0\0\0\3\0\0\0\2\0\0\0\3abcdefghijklmnopqr"
#define LABELS "\0\0\x08\x01\0\0\0\3\7\2\1"

static void test_reading(void)
{
    struct err e = ERR_NONE;
    uint8_t image[6], turned[6];
    int label;
    struct stream_idx *x = idx_open(FILE_OF(IMAGES), FILE_OF(LABELS), &e);
    CHECK(x && idx_width(x) == 3 && idx_height(x) == 2, "images of 3x2");
    CHECK(idx_read(x, image, &label, &e) == 1 && !memcmp(image, "abcdef", 6) && label == 7, "the first, a 7");
    CHECK(idx_read(x, image, &label, &e) == 1 && idx_read(x, image, &label, &e) == 1 &&
              !memcmp(image, "mnopqr", 6) && label == 1,
          "the third, a 1");
    CHECK(idx_read(x, image, &label, &e) == 0 && idx_read(x, image, &label, &e) == 0, "there is no fourth");
    idx_transpose(image, 3, 2, turned);
    CHECK(!memcmp(turned, "mpnqor", 6), "rows and columns exchanged");
    idx_close(x);
    x = idx_open(FILE_OF(IMAGES), NULL, &e);
    CHECK(x && idx_read(x, image, &label, &e) == 1 && label == -1, "images alone have no label");
    idx_close(x);
}

/* What is wrong with these bytes: on opening, or on reading to the end. */
static void trouble(const char *images, const char *labels, struct err *e)
{
    uint8_t image[6];
    int label, got = 1;
    *e = (struct err)ERR_NONE;
    struct stream_idx *x = idx_open(images, labels, e);
    while (x && got == 1)
        got = idx_read(x, image, &label, e);
    idx_close(x);
}

#define REFUSED(images, labels, message, item)                                                     \
    do {                                                                                           \
        struct err e;                                                                              \
        trouble(images, labels, &e);                                                               \
        CHECK(strstr(e.what, message) && e.frame == (item) && e.file[0], "refused: %s (%s)",       \
              message, e.what);                                                                    \
    } while (0)

static void test_refusals(void)
{
    REFUSED(FILE_OF(""), NULL, "not an IDX file: only 0 bytes long", -1);
    REFUSED(FILE_OF("P5\n1"), NULL, "not an IDX file: begins with bytes 0x50 0x35", -1);
    REFUSED(FILE_OF("\0\0\x0d\3"), NULL, "type 0x0d", -1);
    REFUSED(FILE_OF("\0\0\x08\2"), NULL, "2 dimensions", -1);
    REFUSED(FILE_OF("\0\0\x08\xff"), NULL, "255 dimensions", -1);
    REFUSED(FILE_OF("\0\0\x08\3\0\0\0\1\0\0"), NULL, "ends inside the header", -1);
    REFUSED(FILE_OF("\0\0\x08\3\0\0\0\1\0\0\0\0\0\0\0\5"), NULL, "size 5x0", -1);
    REFUSED(FILE_OF("\0\0\x08\3\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff"), NULL, "a side must be",
            -1);
    REFUSED(FILE_OF("\0\0\x08\3\xff\xff\xff\xff\0\0\0\2\0\0\0\3abcdefgh"), NULL,
            "the header says 4294967295 images", 1);
    REFUSED(FILE_OF(IMAGES "s"), NULL, "more bytes than the 3 images", -1);
    REFUSED(FILE_OF(IMAGES), FILE_OF(LABELS "s"), "more bytes than the 3 labels", -1);
    REFUSED(FILE_OF(LABELS), NULL, "images come first", -1);
    REFUSED(FILE_OF(IMAGES), FILE_OF(IMAGES), "labels were expected", -1);
    REFUSED(FILE_OF(IMAGES), FILE_OF("\0\0\x08\1\0\0\0\2\7\2"), "2 labels for 3 images", -1);
    REFUSED(FILE_OF(IMAGES), FILE_OF("\0\0\x08\1\0\0\0\3\7\2"), "the header says 3 labels", 2);
    REFUSED(FILE_OF("\x1f\x8b\x08\0\0\0\0\0\0\3\7junkjunk"), NULL, "broken gzip file", -1);
    REFUSED("/nonexistent/file", NULL, "cannot open: No such file", -1);
    REFUSED("/", NULL, "cannot read: Is a directory", -1);
}

int main(void)
{
    test_reading();
    test_refusals();
    return check_done();
}
