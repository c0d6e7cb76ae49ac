/* What filters of labelled frames share: each frame of the file that is named, or of standard input, goes to a
 * function, which writes what becomes of it. */
#pragma once

#include <stdio.h>

#include "stream/stream.h"

/* Returns main's status. each: of frame `number`; -1 on failure. */
static int each_frame(int argc, char **argv, const char *program,
                      int (*each)(struct frame *f, long number, struct err *e))
{
    struct err e = ERR_NONE;
    struct frame f = {0};
    if (argc > 2) {
        fprintf(stderr, "usage: %s [frames]\n", program);
        return 2;
    }
    struct frame_reader *reader = frame_open(argv[1], &e);
    int got = reader ? 1 : -1;
    for (long i = 0; got > 0 && (got = frame_read(reader, &f, &e)) > 0; i++)
        if (each(&f, i, &e))
            got = err_at(&e, frame_stream_name(reader), i);
    char text[640];
    if (got < 0)
        fprintf(stderr, "%s: %s\n", program, err_text(&e, text, sizeof text));
    frame_free(&f);
    frame_close(reader);
    return got < 0;
}
