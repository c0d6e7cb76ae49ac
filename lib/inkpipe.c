#define _GNU_SOURCE 1 /* reallocarray */
#include "inkpipe.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/stream.h"
#include "ink/ink.h"
#include "answer/answer.h"
#include "base/threads.h"

#define BATCH 16 /* The model reads so many digits at a time. */

struct inkpipe {
    char file[PATH_MAX];
    const char *files[1]; /* of the model, which remembers their names */
    struct threads *threads;
    struct model *model;
    struct ink_finder *finder;
    struct ink *ink;
    struct inkpipe_digit *digit; /* [room] */
    double *p;                   /* [room][classes] */
    uint8_t *gray;               /* [BATCH] pictures in the model's size */
    int room;
    char error[640];
};

const char *inkpipe_version(void)
{
    return VERSION;
}

static int load_finder(struct inkpipe *r, const char *file, struct err *e)
{
    char found[PATH_MAX];
    if (!file && !model_find("find.onnx", found, sizeof found))
        return err_set(e, "no finder is installed");
    return (r->finder = ink_finder_load(file ? file : found, e)) && (r->ink = ink_new(r->finder, e)) ? 0 : -1;
}

static int load(struct inkpipe *r, const char *file, struct err *e)
{
    if (!file && !model_find("default.onnx", r->file, sizeof r->file))
        return err_set(e, "no model is installed");
    if (file && snprintf(r->file, sizeof r->file, "%s", file) >= (int)sizeof r->file)
        return err_set(e, "the model's name is too long");
    r->files[0] = r->file;
    if (!(r->threads = threads_new(1, e)) || !(r->model = model_load(r->files, 1, NULL, NULL, BATCH, r->threads, e)))
        return -1;
    r->gray = malloc(BATCH * (size_t)r->model->width * (size_t)r->model->height);
    return r->gray ? 0 : err_set(e, "out of memory");
}

struct inkpipe *inkpipe_open(const char *model, const char *finder, char *error, size_t size)
{
    struct err e = ERR_NONE;
    struct inkpipe *r = calloc(1, sizeof *r);
    if (!r)
        err_set(&e, "out of memory");
    if (r && !load(r, model, &e) && !load_finder(r, finder, &e))
        return r;
    inkpipe_close(r);
    if (error && size)
        err_text(&e, error, size);
    return NULL;
}

void inkpipe_close(struct inkpipe *r)
{
    if (!r)
        return;
    model_free(r->model);
    ink_free(r->ink);
    ink_finder_free(r->finder);
    threads_free(r->threads);
    free(r->digit);
    free(r->p);
    free(r->gray);
    free(r);
}

static int make_room(struct inkpipe *r, int n, struct err *e)
{
    if (n <= r->room)
        return 0;
    struct inkpipe_digit *digit = reallocarray(r->digit, (size_t)n, sizeof *digit);
    r->digit = digit ? digit : r->digit;
    double *p = reallocarray(r->p, (size_t)n * (size_t)r->model->classes, sizeof *p);
    r->p = p ? p : r->p;
    if (!digit || !p)
        return err_set(e, "out of memory");
    r->room = n;
    // cppcheck-suppress memleak ; both are the reader's
    return 0;
}

/* Ask the model about n digits, a batch at a time: r->p. */
static void ask(struct inkpipe *r, const struct ink_digit *found, int n)
{
    size_t pixels = (size_t)r->model->width * (size_t)r->model->height;
    for (int i = 0; i < n; i += BATCH) {
        int some = n - i < BATCH ? n - i : BATCH;
        for (int j = 0; j < some; j++)
            model_fit(r->model, found[i + j].pixels, DIGIT_SIDE, DIGIT_SIDE, r->gray + (size_t)j * pixels);
        model_run(r->model, r->gray, some, r->p + (size_t)i * (size_t)r->model->classes);
    }
}

/* many: what the finder takes for no digit is none, as cnn-predict has it of a frame with a mark. */
static struct inkpipe_digit answer(const struct model *m, const struct ink_digit *d, bool many, const double *p)
{
    int best = 0;
    bool none = many && d->class >= INK_SIGN;
    for (int i = 1; i < m->classes; i++)
        if (p[i] > p[best])
            best = i;
    return (struct inkpipe_digit){.label = none || best == m->reject ? "-" : m->labels.of[best],
                                  .probability = p[best],
                                  .x = d->x,
                                  .y = d->y,
                                  .w = d->w,
                                  .h = d->h,
                                  .line = d->line,
                                  .word = d->word,
                                  .probabilities = p};
}

static int read_digits(struct inkpipe *r, const unsigned char *gray, size_t stride, int width,
                       int height, int many, struct err *e)
{
    struct ink_digit *found;
    if (!gray || frame_check_size(width, height, e))
        return gray ? -1 : err_set(e, "no pixels");
    if (stride < (size_t)width || stride > (size_t)LONG_MAX / (size_t)height)
        return err_set(e, "rows of %d pixels cannot be %zu bytes apart", width, stride);
    int n = ink_find(r->ink, gray, (long)stride, width, height, many, &found, e);
    if (n <= 0 || make_room(r, n, e))
        return n <= 0 ? n : -1;
    ask(r, found, n);
    for (int i = 0; i < n; i++)
        r->digit[i] = answer(r->model, &found[i], many, r->p + (size_t)i * (size_t)r->model->classes);
    return n;
}

int inkpipe_read(struct inkpipe *r, const unsigned char *gray, size_t stride, int width, int height,
                 int many, const struct inkpipe_digit **digits)
{
    struct err e = ERR_NONE;
    int n = read_digits(r, gray, stride, width, height, many != 0, &e);
    err_text(&e, r->error, sizeof r->error);
    *digits = n > 0 ? r->digit : NULL;
    return n;
}

int inkpipe_classes(const struct inkpipe *r)
{
    return r->model->classes;
}

const char *inkpipe_label(const struct inkpipe *r, int i)
{
    return i >= 0 && i < r->model->classes ? r->model->labels.of[i] : NULL;
}

const char *inkpipe_error(const struct inkpipe *r)
{
    return r->error;
}
