/* How many frames a second go through a pipe: written by a child as mnist2pgm does, read here. Of
 * five rounds the best and the median. */
#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void write_frames(int fd, int side, long frames)
{
    struct frame f = {0};
    char *wire = NULL, text[24];
    size_t len = 0, size = 0;
    if (frame_resize(&f, side, side, NULL))
        _exit(1);
    memset(f.gray, 7, (size_t)side * (size_t)side);
    frame_set_fact(&f, "source", "t10k-images-idx3-ubyte", NULL);
    frame_set_fact(&f, "label", "7", NULL);
    for (long i = 0; i < frames; i++) {
        snprintf(text, sizeof text, "%ld", i);
        frame_set_fact(&f, "frame", text, NULL);
        frame_append(&wire, &len, &size, &f, NULL);
        if (len >= 65536 || i == frames - 1) {
            if (write_all(fd, wire, len))
                _exit(1);
            len = 0;
        }
    }
    _exit(0);
}

/* Seconds to read the frames of a child. */
static double round_trip(int side, long frames)
{
    int fd[2];
    if (pipe(fd))
        exit(1);
    double start = now();
    if (fork() == 0)
        write_frames(fd[1], side, frames);
    close(fd[1]);
    char name[32];
    snprintf(name, sizeof name, "/dev/fd/%d", fd[0]);
    struct frame_reader *r = frame_open(name, NULL);
    struct frame f = {0};
    long n = 0;
    while (frame_read(r, &f, NULL) == 1)
        n++;
    double seconds = now() - start;
    if (n != frames)
        exit(1);
    frame_close(r);
    frame_free(&f);
    close(fd[0]);
    wait(NULL);
    return seconds;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(int side, long frames)
{
    double t[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        t[i] = round_trip(side, frames);
    qsort(t, ROUNDS, sizeof *t, by_size);
    printf("frames of %4dx%-4d through a pipe: best %8.0f, median %8.0f a second\n", side, side,
           (double)frames / t[0], (double)frames / t[ROUNDS / 2]);
}

int main(void)
{
    measure(28, 200000);
    measure(480, 2000);
    measure(2048, 100);
    return 0;
}
