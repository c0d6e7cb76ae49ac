/* framecat [-l] [FILE...]: read streams as every program of the suite does, and write them as every
 * program does. -l: one line a frame instead: size, label, source, number, "clipped" or "-". */
#include "stream/stream.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void list(const struct frame_reader *r, const struct frame *f)
{
    char source[1024], label[LABEL_SIZE];
    int there = frame_label(f, label);
    printf("%dx%d\t%s\t%s\t%lld\t%s\n", f->width, f->height, there > 0 ? label : there ? "?" : "-",
           frame_source(r, f, source, sizeof source), frame_number(r, f),
           frame_was_clipped(r) ? "clipped" : "-");
}

static int copy(const char *name, bool listing, struct err *e)
{
    struct frame_reader *r = frame_open(name, e);
    if (!r)
        return -1;
    struct frame f = {0};
    int got;
    while ((got = frame_read(r, &f, e)) == 1) {
        if (listing)
            list(r, &f);
        else if (frame_write(STDOUT_FILENO, &f, e) < 0)
            break;
    }
    frame_free(&f);
    frame_close(r);
    return got ? -1 : 0;
}

int main(int argc, char **argv)
{
    bool listing = argc > 1 && !strcmp(argv[1], "-l");
    int first = listing ? 2 : 1, status = 0;
    for (int i = first; i < argc || i == first; i++) {
        struct err e = ERR_NONE;
        char text[640];
        if (copy(argv[i], listing, &e) < 0) {
            fprintf(stderr, "framecat: %s\n", err_text(&e, text, sizeof text));
            status = 1;
        }
    }
    return status;
}
