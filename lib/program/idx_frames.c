#include "idx_frames.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/files.h"
#include "stream/stream.h"

/* One conversion under way. */
struct job {
    const struct idx_frames_options *o;
    struct idx_pair idx;
    struct frame frame;
    uint8_t *item; /* an image as it is stored */
    char *wire;    /* frames on their way out */
    size_t len, size;
};

/* A pipe's worth. */
#define WIRE_BYTES 65536

static int flush(struct job *j, struct err *e)
{
    int status = write_all(j->o->out, j->wire, j->len);
    j->len = 0;
    if (status == 0)
        return 0;
    if (errno == EPIPE)
        return 1;
    err_errno(e, "cannot write");
    return err_at(e, "standard output", -1);
}

/* Write the frame to DIR/LABEL/NNNNN.pgm. */
static int write_file(struct job *j, uint32_t number, int label, struct err *e)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s", j->o->dir);
    if (label >= 0 && n < PATH_MAX) {
        n += snprintf(path + n, sizeof path - (size_t)n, "/%d", label);
        if (n < PATH_MAX && file_make_folder(path, e) < 0)
            return -1;
    }
    if (n < PATH_MAX)
        n += snprintf(path + n, sizeof path - (size_t)n, "/%05lu.pgm", (unsigned long)number);
    if (n >= PATH_MAX)
        return err_set(e, "%s: name too long", j->o->dir);
    j->len = 0;
    if (frame_append(&j->wire, &j->len, &j->size, &j->frame, e) < 0)
        return -1;
    return file_replace(path, j->wire, j->len, e);
}

static int set_facts(struct job *j, uint32_t number, int label, struct err *e)
{
    char text[16];
    snprintf(text, sizeof text, "%lu", (unsigned long)number);
    if (frame_set_fact(&j->frame, "frame", text, e) < 0)
        return -1;
    if (label < 0)
        return 0;
    if (label > 9) {
        err_set(e, "label %d is not a digit", label);
        return err_at(e, j->o->labels, number);
    }
    snprintf(text, sizeof text, "%d", label);
    return frame_set_fact(&j->frame, "label", text, e);
}

/* Convert image `number`, the next. Returns 0; 1 when there is none, or nobody reads; -1. */
static int convert(struct job *j, uint32_t number, struct err *e)
{
    int label;
    int got = idx_pair_read(&j->idx, j->item ? j->item : j->frame.gray, &label, e);
    if (got <= 0)
        return got < 0 ? -1 : 1;
    if (j->item)
        idx_transpose(j->item, j->frame.height, j->frame.width, j->frame.gray);
    if (set_facts(j, number, label, e) < 0)
        return -1;
    if (j->o->dir)
        return write_file(j, number, label, e);
    if (frame_append(&j->wire, &j->len, &j->size, &j->frame, e) < 0)
        return -1;
    return j->len >= WIRE_BYTES ? flush(j, e) : 0;
}

static int prepare(struct job *j, struct err *e)
{
    const struct idx_frames_options *o = j->o;
    char source[PATH_MAX];
    if (idx_pair_open(&j->idx, o->images, o->labels, e) < 0)
        return -1;
    int width = idx_width(j->idx.images), height = idx_height(j->idx.images);
    if (o->transposed && !(j->item = malloc((size_t)width * (size_t)height)))
        return err_set(e, "out of memory");
    if (frame_resize(&j->frame, o->transposed ? height : width, o->transposed ? width : height,
                     e) < 0)
        return -1;
    percent_encode(o->images, source, sizeof source);
    if (frame_set_fact(&j->frame, "source", source, e) < 0)
        return -1;
    return idx_pair_skip(&j->idx, o->from, e);
}

int idx_frames(const struct idx_frames_options *o, struct err *e)
{
    struct job j = {.o = o};
    struct err unwritten = ERR_NONE;
    int ended = prepare(&j, e);
    for (uint32_t i = o->from; ended == 0 && i < o->to; i++)
        ended = convert(&j, i, e);
    if (!o->dir && flush(&j, &unwritten) < 0) {
        *e = unwritten;
        ended = -1;
    }
    idx_pair_close(&j.idx);
    frame_free(&j.frame);
    free(j.item);
    free(j.wire);
    return ended < 0 ? -1 : 0;
}
