/* turned [FRAMES]: turn labelled digits, for models/turn.onnx to learn which way up they are.
 *
 * Input: frames of 28x28. Output: those labelled as digits, each turned one of the four ways and labelled by where
 * its head points: upright, right, over, left. Which way depends on its number alone. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "ink/ink.h"
#include "stream/stream.h"

/* A quarter turn clockwise. */
static void turn(uint8_t *pixels)
{
    uint8_t as_it_was[DIGIT_PIXELS];
    memcpy(as_it_was, pixels, sizeof as_it_was);
    for (int y = 0; y < DIGIT_SIDE; y++)
        for (int x = 0; x < DIGIT_SIDE; x++)
            pixels[x * DIGIT_SIDE + DIGIT_SIDE - 1 - y] = as_it_was[y * DIGIT_SIDE + x];
}

static int turn_frame(struct frame *f, uint64_t number, struct err *e)
{
    static const char *const head[] = {"upright", "right", "over", "left"};
    char label[LABEL_SIZE];
    if (frame_label(f, label) <= 0 || label[0] < '0' || label[0] > '9' || label[1])
        return 0;
    if (f->width != DIGIT_SIDE || f->height != DIGIT_SIDE)
        return err_set(e, "%dx%d pixels, not 28x28", f->width, f->height);
    struct rng r = rng_seed(1, number);
    int turns = (int)rng_below(&r, 4);
    for (int i = 0; i < turns; i++)
        turn(f->gray);
    return frame_set_fact(f, "label", head[turns], e) || frame_write(STDOUT_FILENO, f, e);
}

int main(int argc, char **argv)
{
    struct err e = ERR_NONE;
    struct frame f = {0};
    if (argc > 2) {
        fputs("usage: turned [frames]\n", stderr);
        return 2;
    }
    struct frame_reader *reader = frame_open(argv[1], &e);
    int got = reader ? 1 : -1;
    for (uint64_t i = 0; got > 0 && (got = frame_read(reader, &f, &e)) > 0; i++)
        if (turn_frame(&f, i, &e)) {
            err_at(&e, frame_stream_name(reader), (long)i);
            got = -1;
        }
    char text[640];
    if (got < 0)
        fprintf(stderr, "turned: %s\n", err_text(&e, text, sizeof text));
    frame_free(&f);
    frame_close(reader);
    return got < 0;
}
