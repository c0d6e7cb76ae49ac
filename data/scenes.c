/* scenes [-h] [-s seed] [-n count] [-g gray|contrast] FRAMES...: draw what the finder learns from.
 *
 * Input: labelled streams of writing. Output: pages that were written on with it and photographed,
 * and in the fact boxes where. Each scene has a generator of random numbers of its own.
 *
 * All pages stand upright: which way up they lie is told by the digits found (lib/ink/upright.c).
 */
#include "scene.h"

#include "stream/stream.h"
#include "ink/ink.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: scenes [-h] [-s seed] [-n count] [-g gray|contrast] frames ...\n";

static const char help_text[] =
    "Draw scenes of 256x256 pixels: pages as somebody may have written on them, photographed.\n"
    "frames: labelled streams, white on black, whose writings are put on the pages: digits, and "
    "frames\n"
    "labelled none. The fact kind tells what a scene is (grid, row, table, words, ...), the fact "
    "boxes what\n"
    "is to be found there: X,Y,W,H,CLASS;... in pixels. CLASS is 0 to 9, a sign of .,-/:+=, other, or ?: a box "
    "that\n"
    "counts for nothing, since its digit is cut, hidden, too small or too large.\n"
    "A scene depends on seed, number and the frames read alone.\n"
    "  -g gray      pixels as a camera gives them; of other writing, what nobody takes for a digit is none\n"
    "  -g contrast  local contrast, what the finder sees (the default)\n"
    "  -n count     of scenes (10)\n"
    "  -s seed      others (1)\n";

static const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7",     "8", "9",
                                    ".", ",", "-", "/", ":", "+", "=", "other", "none", "?"};

/* The fact boxes; text is long enough for MAX_BOXES. The finder knows no class none. */
static void tell_boxes(const struct scene *s, bool finder, char *text)
{
    *text = '\0';
    for (int i = 0; i < s->n; i++) {
        const struct box *b = &s->boxes[i];
        int class = finder && b->class == NONE ? OTHER : b->class;
        text += sprintf(text, "%s%d,%d,%d,%d,%s", i ? ";" : "", b->x0, b->y0, b->x1 - b->x0,
                        b->y1 - b->y0, names[class]);
    }
}

static void *zeros(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    if (!memory)
        abort();
    return memory;
}

static void clear(struct scene *s)
{
    float *layers[] = {s->ink, s->rule, s->back};
    for (int i = 0; i < 3; i++)
        memset(layers[i], 0, PIXELS * sizeof(float));
    s->n = 0;
    s->bare = s->thumb = false;
}

static void to_gray(const struct scene *s, uint8_t *gray)
{
    for (int i = 0; i < PIXELS; i++)
        gray[i] = (uint8_t)lrintf(clamp(s->picture[i]) * 255);
}

static int draw_scenes(struct scene *s, uint64_t seed, long count, bool contrast, struct err *e)
{
    struct frame f = {0};
    char *boxes = zeros(MAX_BOXES, 32);
    uint8_t *gray = zeros(PIXELS, 1);
    uint32_t *scratch = zeros(CONTRAST_SCRATCH(SIDE), sizeof *scratch);
    int failed = frame_resize(&f, SIDE, SIDE, e);
    for (long i = 0; !failed && i < count; i++) {
        s->r = rng_seed(seed, (uint64_t)i);
        clear(s);
        lay_out(s);
        show(s);
        to_gray(s, contrast ? gray : f.gray);
        if (contrast)
            ink_local_contrast(gray, SIDE, SIDE, f.gray, scratch);
        tell_boxes(s, contrast, boxes);
        failed = frame_set_fact(&f, "kind", s->kind, e) || frame_set_fact(&f, "boxes", boxes, e) ||
                 frame_write(STDOUT_FILENO, &f, e);
    }
    free(scratch);
    free(gray);
    free(boxes);
    frame_free(&f);
    return failed ? -1 : 0;
}

static int usage(void)
{
    fputs(usage_text, stderr);
    return 2;
}

static bool number(const char *text, unsigned long long *value)
{
    char *end;
    *value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end;
}

int main(int argc, char **argv)
{
    unsigned long long seed = 1, count = 10;
    bool contrast = true;
    for (int option; (option = getopt(argc, argv, "g:hn:s:")) != -1;)
        if (option == 'h')
            return printf("%s%s", usage_text, help_text) < 0;
        else if (option == 'g' && (!strcmp(optarg, "gray") || !strcmp(optarg, "contrast")))
            contrast = !strcmp(optarg, "contrast");
        else if ((option != 'n' || !number(optarg, &count)) &&
                 (option != 's' || !number(optarg, &seed)))
            return usage();
    if (optind == argc)
        return usage();
    struct err e = ERR_NONE;
    struct scene s = {.stock = stock_new()};
    float **layers[] = {&s.ink, &s.rule, &s.back, &s.picture, &s.spare};
    for (int i = 0; i < 5; i++)
        *layers[i] = zeros(PIXELS, sizeof(float));
    int failed = 0;
    for (int i = optind; !failed && i < argc; i++)
        failed = stock_read(s.stock, argv[i], &e);
    failed = failed || draw_scenes(&s, seed, (long)count, contrast, &e);
    char text[640];
    if (failed)
        fprintf(stderr, "scenes: %s\n", err_text(&e, text, sizeof text));
    for (int i = 0; i < 5; i++)
        free(*layers[i]);
    stock_free(s.stock);
    return failed ? 1 : 0;
}
