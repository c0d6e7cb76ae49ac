/* turned [FRAMES]: turn labelled digits, for models/turn.onnx to learn which way up they are.
 *
 * Input: frames of 28x28. Output: those labelled as digits, each turned one of the four ways and labelled by where
 * its head points: upright, right, over, left. Which way depends on its number alone. */
#include "each.h"

#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "ink/ink.h"

/* A quarter turn clockwise. */
static void turn(uint8_t *pixels)
{
    uint8_t as_it_was[DIGIT_PIXELS];
    memcpy(as_it_was, pixels, sizeof as_it_was);
    for (int y = 0; y < DIGIT_SIDE; y++)
        for (int x = 0; x < DIGIT_SIDE; x++)
            pixels[x * DIGIT_SIDE + DIGIT_SIDE - 1 - y] = as_it_was[y * DIGIT_SIDE + x];
}

static int turn_frame(struct frame *f, long number, struct err *e)
{
    static const char *const head[] = {"upright", "right", "over", "left"};
    char label[LABEL_SIZE];
    if (frame_label(f, label) <= 0 || label[0] < '0' || label[0] > '9' || label[1])
        return 0;
    if (f->width != DIGIT_SIDE || f->height != DIGIT_SIDE)
        return err_set(e, "%dx%d pixels, not 28x28", f->width, f->height);
    struct rng r = rng_seed(1, (uint64_t)number);
    int turns = (int)rng_below(&r, 4);
    for (int i = 0; i < turns; i++)
        turn(f->gray);
    return frame_set_fact(f, "label", head[turns], e) || frame_write(STDOUT_FILENO, f, e);
}

int main(int argc, char **argv)
{
    return each_frame(argc, argv, "turned", turn_frame);
}
