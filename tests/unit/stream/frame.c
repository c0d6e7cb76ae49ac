#include "stream/stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"
#include "stream/pnm.h"

/* A reader of these bytes. */
static struct frame_reader *reader_of(const void *bytes, size_t n)
{
    char name[64];
    int fd = memfd_create("stream", MFD_CLOEXEC);
    if (fd < 0 || write_all(fd, bytes, n) < 0)
        abort();
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    struct frame_reader *r = frame_open(name, NULL);
    close(fd);
    return r;
}

/* Read the one frame these bytes hold; -1 with a message in e. */
static int read_one(const void *bytes, size_t n, struct frame *f, struct err *e)
{
    struct frame_reader *r = reader_of(bytes, n);
    int got = frame_read(r, f, e);
    frame_close(r);
    return got;
}

static void test_numbers(void)
{
    static const struct {
        const char *text;
        long whole;
        double time;
    } facts[] = {
        {"0", 0, 0}, {"17", 17, 17}, {"1.5", -1, 1.5}, {"-1", -1, -1}, {"", -1, -1}, {"3x", -1, -1}, {" 3", -1, 3},
        {"nan", -1, -1}, {"1e99", -1, -1}, {"99999999999999999999", -1, -1}, {"123456789012345678901234", -1, -1},
    };
    struct frame f = {0};
    CHECK(frame_whole_fact(&f, "time") == -1 && frame_time(&f) == -1, "not there");
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        CHECK(!frame_set_fact(&f, "time", facts[i].text, NULL), "set");
        CHECK(frame_whole_fact(&f, "time") == facts[i].whole, "%s is a whole number or not", facts[i].text);
        CHECK(frame_time(&f) == facts[i].time, "%s is a time or not", facts[i].text);
    }
    frame_free(&f);
}

static void test_facts(void)
{
    struct frame f = {0}, g = {0};
    struct err e = ERR_NONE;
    char value[16], label[LABEL_SIZE];
    CHECK(!frame_fact(&f, "source", value, sizeof value), "an empty frame has no facts");
    CHECK(frame_label(&f, label) == 0, "and no label");
    frame_set_fact(&f, "source", "a.jpg", &e);
    frame_set_fact(&f, "label", "7", &e);
    frame_set_fact(&f, "frame", "12", &e);
    CHECK(!strcmp(f.facts, "source=a.jpg\nlabel=7\nframe=12\n"), "facts keep their order");
    CHECK(frame_label(&f, label) == 1 && !strcmp(label, "7"), "the label is 7");
    static const char *const wrong[] = {"", "-", "a b", "none ", "a-word-of-thirty-three-characters"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        frame_set_fact(&f, "label", wrong[i], &e);
        CHECK(frame_label(&f, label) == -1 && strlen(label) < LABEL_SIZE, "'%s' is no label", wrong[i]);
    }
    static const char *const words[] = {"0", "none", "A", "minus", "?", "--",
                                        "a-word-of-thirty-two--characters"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        frame_set_fact(&f, "label", words[i], &e);
        CHECK(frame_label(&f, label) == 1 && !strcmp(label, words[i]), "%s is one", words[i]);
    }
    frame_set_fact(&f, "label", "23", &e);
    CHECK(!strcmp(f.facts, "source=a.jpg\nlabel=23\nframe=12\n"), "a fact is replaced in place");
    CHECK(!frame_fact(&f, "sourc", value, sizeof value), "a key is compared whole");
    CHECK(!strcmp(frame_fact(&f, "source", value, 4), "a.j"), "a value is cut to the room");
    frame_copy_facts(&g, &f, &e);
    CHECK(!strcmp(g.facts, f.facts), "facts are copied");
    frame_set_fact(&f, "source", NULL, &e);
    frame_set_fact(&f, "none", NULL, &e);
    CHECK(!strcmp(f.facts, "label=23\nframe=12\n"), "a fact is removed");
    CHECK(frame_set_fact(&f, "box", "1\n2", &e) == -1, "a newline in a value is refused");
    CHECK(frame_set_fact(&f, "box", "\033[2J", &e) == -1, "so is an escape sequence");
    CHECK(frame_set_fact(&f, "b x", "1", &e) == -1 && frame_set_fact(&f, "", "1", &e) == -1,
          "so is a key that is no name");
    CHECK(!strcmp(f.facts, "label=23\nframe=12\n"), "and nothing has changed");
    frame_free(&f);
    frame_free(&g);
}

static void test_double_keys(void)
{
    static const char bytes[] = "P5\n# a=1\n# b=2\n# a=3\n1 1\n255\nx";
    struct frame f = {0};
    struct err e = ERR_NONE;
    char value[8];
    CHECK(read_one(bytes, sizeof bytes - 1, &f, &e) == 1, "a header with a key twice is read");
    CHECK(!strcmp(frame_fact(&f, "a", value, sizeof value), "1"), "its first line counts");
    frame_set_fact(&f, "a", "4", &e);
    CHECK(!strcmp(f.facts, "a=4\nb=2\n"), "setting leaves one");
    frame_set_fact(&f, "a", "5", &e);
    frame_set_fact(&f, "a", NULL, &e);
    CHECK(!strcmp(f.facts, "b=2\n"), "removing leaves none");
    frame_free(&f);
}

static void test_which_comments_are_facts(void)
{
    static const char bytes[] = "P5 # key=1\n#tight=2\n#  wide =no\n# Created by GIMP a=b\n"
                                "# =x\n# tab=a\tb\x1b\xc3\n1 # mid=3\r1 #\n255\nx";
    struct frame f = {0};
    struct err e = ERR_NONE;
    CHECK(read_one(bytes, sizeof bytes - 1, &f, &e) == 1, "comments anywhere before maxval");
    CHECK(!strcmp(f.facts, "key=1\ntight=2\ntab=a?b??\nmid=3\n"),
          "key=value is a fact, bytes that are not printable ASCII become ?");
    frame_free(&f);
}

static void test_percent(void)
{
    char text[64];
    CHECK(!strcmp(text_percent("a b%\n\xc3\xa9/c", "%", text, sizeof text), "a%20b%25%0A%C3%A9/c"),
          "space, %%, controls and UTF-8 are encoded");
    CHECK(!strcmp(text_percent("abc def", "%", text, 6), "abc"), "an escape is never cut in two");
    CHECK(!strcmp(text_percent("abc", "%", text, 3), "ab"), "the end is cut to the room");
}

static void test_limits(void)
{
    struct err e = ERR_NONE;
    CHECK(frame_check_size(16384, 16384, &e) == 0, "16384x16384 is the largest frame");
    CHECK(frame_check_size(16385, 1, &e) && frame_check_size(1, 16385, &e), "16385 is too long");
    CHECK(frame_check_size(0, 5, &e) && frame_check_size(5, -1, &e), "so is nothing");
}

/* Frames of many sizes and with many facts come back as they were written. */
static void test_round_trip(void)
{
    static const int sizes[][2] = {{1, 1}, {28, 28}, {16384, 1}, {1, 16384}, {640, 480},
                                   {256, 256}, {257, 511}, {28, 28}};
    enum { N = sizeof sizes / sizeof *sizes };
    char *wire = NULL;
    size_t len = 0, size = 0;
    struct err e = ERR_NONE;
    struct frame f = {0};
    char value[20000];
    for (int i = 0; i < N; i++) {
        frame_resize(&f, sizes[i][0], sizes[i][1], &e);
        for (int p = 0; p < f.width * f.height; p++)
            f.gray[p] = (uint8_t)(p * 7 + i);
        memset(value, 'a' + i, sizeof value);
        value[i * 2500] = '\0';
        frame_set_fact(&f, "text", value, &e);
        CHECK(frame_append(&wire, &len, &size, &f, &e) == 0, "frame %d is written", i);
    }
    struct frame_reader *r = reader_of(wire, len);
    int right = 0, got;
    for (int i = 0; (got = frame_read(r, &f, &e)) == 1; i++) {
        bool same = f.width == sizes[i][0] && f.height == sizes[i][1] &&
                    (int)f.facts_len == i * 2500 + 6 && frame_number(r, &f) == i;
        for (int p = 0; same && p < f.width * f.height; p++)
            same = f.gray[p] == (uint8_t)(p * 7 + i);
        right += same;
    }
    CHECK(right == N && got == 0, "%d of %d frames come back as they were", right, N);
    frame_close(r);
    frame_free(&f);
    free(wire);
}

/* Exactly one whitespace byte ends the header, whatever the raster begins with. */
static void test_first_raster_byte(void)
{
    for (const char *c = "#\r\n \t7\v"; *c; c++)
        for (const char *end = "\n \r\t"; *end; end++) {
            char bytes[32];
            int n = snprintf(bytes, sizeof bytes, "P5\n2 1\n255%c%cy", *end, *c);
            struct frame f = {0};
            struct err e = ERR_NONE;
            CHECK(read_one(bytes, (size_t)n, &f, &e) == 1 && f.gray[0] == *c && f.gray[1] == 'y',
                  "raster begins with 0x%02x behind 0x%02x", *c, *end);
            frame_free(&f);
        }
}

static void test_headers(void)
{
    static const struct {
        const char *bytes, *message;
    } cases[] = {
        {"P5 2 1 255 ab", NULL},
        {"P5\t2\v1\f255\rab", NULL},
        {"P5\r\n2\r\n1 255\nab", NULL},
        {"P5\n# one\n#two\n2 # three\n1\n# four\n255\nab", NULL},
        {"P5\n02 0001 00255\nab", NULL},
        {"P5#c\n2 1#c\n255#c\nab", NULL},
        {"# c\nP5\n2 1\n255\nab", "not a PGM frame"},
        {"\nP5\n2 1\n255\nab", "not a PGM frame"},
        {"P52 1\n255\nab", "no space behind P5"},
        {"P8\n2 1\n255\nab", "not a PGM frame"},
        {"\xff\xd8\xff\xe0\n", "JPEG"},
        {"P", "truncated: ends inside a frame's header"},
        {"P5\n2 1\n255", "truncated: ends inside a frame's header"},
        {"P5\n2 1\n255\n", "truncated: 0 of 2 bytes of pixels"},
        {"P5\n2 1\n255\na", "truncated: 1 of 2 bytes of pixels"},
        {"P5\n2 1\n0\nab", "maxval is 0"},
        {"P5\n2 1\n65536\nab", "maxval is over 65535"},
        {"P5\n2 1\n-1\nab", "byte 0x2d where maxval should be"},
        {"P5\n2 1\n255x\nab", "byte 0x78 where maxval should be"},
        {"P5\n2x1\n255\nab", "byte 0x78 where width should be"},
        {"P5\n0 1\n255\n", "width is 0"},
        {"P5\n2 0\n255\n", "height is 0"},
        {"P5\n1000000000 1000000000\n255\n", "width is over 16384"},
        {"P5\n2 99999999999999999999999\n255\n", "height is over 16384"},
        {"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\nab", NULL},
        {"P7\n# c\n\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nENDHDR\nab", NULL},
        {"P7\nWIDTH 2\nHEIGHT 1\nMAXVAL 255\nENDHDR\nab", "must be there"},
        {"P7\nWIDTH\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\nab", "WIDTH has no number"},
        {"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1000000\nMAXVAL 255\nENDHDR\nab", "PAM depth is over 4"},
        {"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\nabcdef",
         "tuple type GRAYSCALE with 3 samples"},
        {"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nTUPLTYPE FFT\nENDHDR\nab",
         "FFT is not known"},
        {"P7\nWIDTH 2\nCOLOUR red\n", "line COLOUR is not known"},
        {"P7\nWIDTH 2\n", "truncated: ends inside a frame's header"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frame f = {0};
        struct err e = ERR_NONE;
        int got = read_one(cases[i].bytes, strlen(cases[i].bytes), &f, &e);
        if (cases[i].message)
            CHECK(got == -1 && strstr(e.what, cases[i].message) && e.frame == 0, "refused: %s",
                  cases[i].message);
        else
            CHECK(got == 1 && f.width == 2 && f.height == 1 && f.gray[0] == 'a' && f.gray[1] == 'b',
                  "header %zu is read", i);
        frame_free(&f);
    }
}

static void test_long_header(void)
{
    static char bytes[FRAME_MAX_HEADER + 100];
    struct frame f = {0};
    struct err e = ERR_NONE;
    memset(bytes, 'c', sizeof bytes);
    memcpy(bytes, "P5\n#", 4);
    memcpy(bytes + FRAME_MAX_HEADER - 9, "\n1 1 255\nx", 10);
    CHECK(read_one(bytes, FRAME_MAX_HEADER + 1, &f, &e) == 1, "a header of 65536 bytes is read");
    CHECK(read_one(bytes, FRAME_MAX_HEADER - 5, &f, &e) == -1 && strstr(e.what, "truncated"),
          "cut, it is truncated");
    bytes[FRAME_MAX_HEADER - 9] = 'c';
    memcpy(bytes + FRAME_MAX_HEADER - 8, "\n1 1 255\nx", 10);
    CHECK(read_one(bytes, FRAME_MAX_HEADER + 2, &f, &e) == -1 && strstr(e.what, "over 65536 bytes"),
          "one byte more is refused");
    frame_free(&f);
}

static void test_maxval(void)
{
    static const char bytes[] = "P5 3 1 100\n\0\x32\x64"
                                "P5 2 1 100\n\x64\x65"
                                "P5 3 1 1023\n\0\0\x02\0\x03\xff"
                                "P5 3 1 65535\n\0\x80\x80\x80\xff\xff"
                                "P5 2 1 1023\n\x03\xff\x04\0";
    struct frame f = {0};
    struct err e = ERR_NONE;
    struct frame_reader *r = reader_of(bytes, sizeof bytes - 1);
    CHECK(frame_read(r, &f, &e) == 1 && f.gray[0] == 0 && f.gray[1] == 128 && f.gray[2] == 255,
          "maxval 100 is scaled to 255");
    CHECK(!frame_was_clipped(r), "nothing was clipped");
    CHECK(frame_read(r, &f, &e) == 1 && f.gray[0] == 255 && f.gray[1] == 255 &&
              frame_was_clipped(r),
          "101 of 100 is white and said to be clipped");
    CHECK(frame_read(r, &f, &e) == 1 && f.gray[0] == 0 && f.gray[1] == 128 && f.gray[2] == 255 &&
              !frame_was_clipped(r),
          "10 bits: big end first");
    CHECK(frame_read(r, &f, &e) == 1 && f.gray[0] == 0 && f.gray[1] == 128 && f.gray[2] == 255,
          "16 bits");
    CHECK(frame_read(r, &f, &e) == 1 && f.gray[1] == 255 && frame_was_clipped(r),
          "1024 of 1023 is clipped");
    CHECK(frame_read(r, &f, &e) == 0, "and that was all");
    frame_close(r);
    frame_free(&f);
}

static void test_pam_alpha(void)
{
    static const char gray[] = "P7\nWIDTH 3\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\n"
                               "TUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n\x10\xff\x10\0\0\x80";
    static const char rgb[] = "P7\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\n"
                              "TUPLTYPE RGB_ALPHA\nENDHDR\n\xff\0\0\xff\xff\0\0\0";
    struct frame f = {0};
    struct err e = ERR_NONE;
    CHECK(read_one(gray, sizeof gray - 1, &f, &e) == 1 && f.gray[0] == 16 && f.gray[1] == 255 &&
              f.gray[2] == 127,
          "what is transparent is white paper");
    CHECK(read_one(rgb, sizeof rgb - 1, &f, &e) == 1 && f.gray[0] == 76 && f.gray[1] == 255,
          "red is 76 by luma");
    frame_free(&f);
}

/* A header that promises 256 MiB in front of ten bytes must not cost them. */
static void test_lying_header(const char *header)
{
    char bytes[128];
    int n = snprintf(bytes, sizeof bytes, "%s0101010101", header);
    struct frame f = {0};
    struct err e = ERR_NONE;
    CHECK(read_one(bytes, (size_t)n, &f, &e) == -1 && strstr(e.what, "truncated") &&
              f.gray_size <= 1 << 16,
          "P%c that lies costs %zu bytes", header[1], f.gray_size);
    frame_free(&f);
}

static void test_failure_stays(void)
{
    static const char bytes[] = "P5 1 1 255\nx P5 1 1 255\nyP5 1 0 255\nP5 1 1 255\nz";
    struct frame_reader *r = reader_of(bytes, sizeof bytes - 1);
    struct frame f = {0};
    struct err e = ERR_NONE;
    CHECK(frame_read(r, &f, &e) == 1 && frame_read(r, &f, &e) == 1, "two frames, a space between");
    CHECK(frame_read(r, &f, &e) == -1 && e.frame == 2 && strstr(e.what, "height"),
          "frame 2 is bad");
    e = (struct err)ERR_NONE;
    CHECK(frame_read(r, &f, &e) == -1 && e.frame == 2 && strstr(e.what, "height"),
          "and the stream ends there");
    CHECK(!frame_would_block(r), "without waiting");
    frame_close(r);
    frame_free(&f);
}

/* A read that fails half-way is told from a stream that ends: a directory cannot be read on. */
static void test_failed_read(const char *begun)
{
    struct frame f = {0};
    struct err e = ERR_NONE;
    struct frame_reader *r = frame_open_begun(open("/", O_RDONLY), "dir", begun, strlen(begun), &e);
    CHECK(r && frame_read(r, &f, &e) == -1 && !strcmp(e.what, "cannot read: Is a directory"),
          "a read that fails behind %.2s is said", begun);
    frame_close(r);
    frame_free(&f);
}

static void test_would_block(void)
{
    int fd[2];
    char name[64];
    struct frame f = {0};
    struct err e = ERR_NONE;
    if (pipe(fd) < 0)
        abort();
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd[0]);
    struct frame_reader *r = frame_open(name, &e);
    CHECK(frame_would_block(r), "an empty pipe would block");
    write_all(fd[1], "P5\n2 ", 5);
    CHECK(frame_would_block(r), "so would half a header");
    write_all(fd[1], "1\n255\na", 7);
    CHECK(frame_would_block(r), "and half a raster");
    write_all(fd[1], "bP5\n2 1\n255\ncd\nP5\n2 1", 21);
    CHECK(!frame_would_block(r) && frame_read(r, &f, &e) == 1 && f.gray[1] == 'b',
          "a whole frame would not");
    CHECK(!frame_would_block(r) && frame_read(r, &f, &e) == 1 && f.gray[1] == 'd',
          "nor the next, which is buffered");
    CHECK(frame_would_block(r), "the third is not whole");
    close(fd[1]);
    CHECK(!frame_would_block(r), "at the end nothing blocks");
    CHECK(frame_read(r, &f, &e) == -1 && e.frame == 2, "the third is truncated");
    frame_close(r);
    close(fd[0]);
    frame_free(&f);
}

/* One write(2) a frame, so that a reader gets it whole; one page of pipe. */
static void test_live_writing(void)
{
    int fd[2];
    static char bytes[4096];
    struct frame f = {0};
    struct err e = ERR_NONE;
    if (pipe(fd) < 0)
        abort();
    pipe_shrink(fd[1]);
    CHECK(fcntl(fd[1], F_GETPIPE_SZ) == sysconf(_SC_PAGESIZE), "the pipe holds one page");
    frame_resize(&f, 28, 28, &e);
    memset(f.gray, 0, 784);
    frame_set_fact(&f, "frame", "0", &e);
    CHECK(frame_write(fd[1], &f, &e) == 0, "a frame is written");
    CHECK(read(fd[0], bytes, sizeof bytes) == 784 + 23, "and read in one piece");
    close(fd[0]);
    close(fd[1]);
    frame_free(&f);
}

/* A descriptor set non-blocking by someone else is waited for. */
static void test_nonblocking(void)
{
    int fd[2];
    char name[64], *wire = NULL;
    size_t len = 0, size = 0;
    struct frame f = {0};
    struct err e = ERR_NONE;
    if (pipe(fd) < 0)
        abort();
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd[0]);
    struct frame_reader *r = frame_open(name, &e);
    fcntl(frame_fd(r), F_SETFL, O_NONBLOCK);
    fcntl(fd[1], F_SETFL, O_NONBLOCK);
    frame_resize(&f, 640, 480, &e);
    memset(f.gray, 9, 640 * 480);
    frame_append(&wire, &len, &size, &f, &e);
    pid_t child = fork();
    if (child == 0)
        _exit(write_all(fd[1], wire, len) != 0);
    close(fd[1]);
    CHECK(frame_read(r, &f, &e) == 1 && frame_read(r, &f, &e) == 0, "non-blocking pipes are read");
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "and written");
    frame_close(r);
    close(fd[0]);
    frame_free(&f);
    free(wire);
}

static void *decode_many(void *arg)
{
    static const char good[] = "P2\n2 1\n9\n0 9\n", bad[] = "P2\n2 1\n9\n0 x\n";
    long *right = arg;
    for (int i = 0; i < 200; i++) {
        struct frame f = {0};
        struct err e = ERR_NONE;
        *right += read_one(good, sizeof good - 1, &f, &e) == 1 && f.gray[1] == 255;
        *right += read_one(bad, sizeof bad - 1, &f, &e) == -1 && strstr(e.what, "bad P2 image");
        frame_free(&f);
    }
    return NULL;
}

/* libnetpbm's error handler is one for a process: threads must not meet in it. */
static void test_fence(void)
{
    pthread_t thread[4];
    long right[4] = {0};
    for (int i = 0; i < 4; i++)
        if (pthread_create(&thread[i], NULL, decode_many, &right[i]))
            abort();
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        CHECK(right[i] == 400, "thread %d: good and bad plain images are told apart", i);
    }
}

int main(void)
{
    test_facts();
    test_numbers();
    test_double_keys();
    test_which_comments_are_facts();
    test_percent();
    test_limits();
    test_round_trip();
    test_first_raster_byte();
    test_headers();
    test_long_header();
    test_maxval();
    test_pam_alpha();
    test_lying_header("P5\n16384 16384\n255\n");
    test_lying_header("P5\n16384 16384\n65535\n");
    test_lying_header("P6\n16384 16384\n255\n");
    test_lying_header("P1\n16384 16384\n");
    test_lying_header("P4\n16384 16384\n");
    test_lying_header("P7\nWIDTH 16384\nHEIGHT 16384\nDEPTH 4\nMAXVAL 65535\nENDHDR\n");
    test_failure_stays();
    test_failed_read("");
    test_failed_read("P5 2 1 255\na");
    test_failed_read("P5 2 1 99\na");
    test_failed_read("P6 2 1 255\nab");
    test_failed_read("P6");
    test_would_block();
    test_live_writing();
    test_nonblocking();
    test_fence();
    return check_done();
}
