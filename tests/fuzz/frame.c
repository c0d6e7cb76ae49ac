/* A stream is from strangers. Whatever is read of it is written again, and must then read the same.
 * Run: build/libfuzzer/fuzz/frame tests/fuzz/corpus/frame */
#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A reader of these bytes; the file behind it is used again. */
static struct frame_reader *reader_of(int fd, const void *data, size_t size)
{
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    return frame_open(name, NULL);
}

/* Whether memory was too short to go on: no fault of what was read. */
static bool is_short(const struct err *e)
{
    return !strncmp(e->what, "out of memory", 13) || strstr(e->what, "Cannot allocate memory");
}

static void check_facts(const struct frame *f)
{
    for (size_t i = 0; i < f->facts_len; i++)
        if (f->facts[i] != '\n' && (f->facts[i] < ' ' || f->facts[i] > '~'))
            abort();
    if (f->facts && f->facts[f->facts_len])
        abort();
}

static void check_round_trip(int fd, const struct frame *f)
{
    char *wire = NULL;
    size_t len = 0, size = 0;
    struct frame again = {0};
    struct err e = ERR_NONE;
    if (frame_append(&wire, &len, &size, f, &e) == 0) {
        struct frame_reader *r = reader_of(fd, wire, len);
        if (r && (frame_would_block(r) || frame_read(r, &again, &e) != 1 ||
                  again.width != f->width || again.height != f->height ||
                  again.facts_len != f->facts_len ||
                  memcmp(again.gray, f->gray, (size_t)f->width * (size_t)f->height) ||
                  (f->facts_len && memcmp(again.facts, f->facts, f->facts_len)) ||
                  frame_read(r, &again, &e) != 0) && !is_short(&e))
            abort();
        frame_close(r);
    } else if (!is_short(&e) && (!e.what[0] || f->facts_len < FRAME_MAX_HEADER / 4)) {
        abort();
    }
    frame_free(&again);
    free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int in, again; /* files, kept from run to run */
    if (!in) {
        in = memfd_create("in", MFD_CLOEXEC);
        again = memfd_create("again", MFD_CLOEXEC);
    }
    struct frame_reader *r = reader_of(in, data, size);
    struct frame f = {0};
    struct err e = ERR_NONE;
    char text[64], label[LABEL_SIZE];
    int got = 0;
    while (r && (got = frame_read(r, &f, &e)) == 1) {
        check_facts(&f);
        check_round_trip(again, &f);
        frame_source(r, &f, text, sizeof text);
        if (frame_number(r, &f) < 0 || frame_label(&f, label) > 1 || frame_would_block(r) ||
            (frame_was_clipped(r) && f.width == 0) || frame_fd(r) < 0 || !frame_stream_name(r))
            abort();
    }
    if (got < 0 && (!e.what[0] || f.gray_size > 65536 + 64 * size))
        abort();
    frame_free(&f);
    frame_close(r);
    return 0;
}
