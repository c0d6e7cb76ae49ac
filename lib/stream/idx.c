/* MNIST's files: IDX to images and labels, item after item.
 *   in   an IDX file, plain or gzip, from a file or a pipe (zlib reads both)
 *   out  images of height x width bytes, labels of one byte or, QMNIST's, of a row of integers
 * Format: Yann LeCun, The MNIST database of handwritten digits. */
#include "stream.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#define MAX_COLUMNS 64 /* A label is at most so many integers. */

struct idx {
    gzFile file;
    char *name;
    bool images;
    uint32_t count, next;
    int width, height;
    size_t item; /* bytes of an image or label */
};

/* Read n bytes. Returns n, fewer at the end of the file, -1 on a failed read. */
static long read_bytes(struct idx *x, uint8_t *to, size_t n, struct err *e)
{
    errno = 0;
    int got = gzread(x->file, to, (unsigned)n);
    if (got == (int)n)
        return got;
    int code;
    gzerror(x->file, &code);
    if (code == Z_ERRNO)
        return err_errno(e, "cannot read");
    if (code == Z_MEM_ERROR)
        return err_set(e, "out of memory");
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return err_set(e, "broken gzip file");
    return got < 0 ? 0 : got;
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int check_magic(const uint8_t *magic, struct err *e)
{
    if (magic[0] || magic[1])
        return err_set(e, "not an IDX file: begins with bytes 0x%02x 0x%02x", magic[0], magic[1]);
    if (magic[2] == 12 && magic[3] == 2)
        return 0;
    if (magic[2] != 8)
        return err_set(e, "IDX file of type 0x%02x: only unsigned bytes (0x08) are read, and rows of "
                       "integers (0x0c) as labels", magic[2]);
    if (magic[3] != 1 && magic[3] != 3)
        return err_set(e, "IDX file of %d dimensions: images have 3, labels 1", magic[3]);
    return 0;
}

static int read_header(struct idx *x, struct err *e)
{
    uint8_t magic[4], sizes[12];
    long got = read_bytes(x, magic, sizeof magic, e);
    if (got < 0)
        return -1;
    if (got < 4)
        return err_set(e, "not an IDX file: only %ld bytes long", got);
    if (check_magic(magic, e) < 0)
        return -1;
    size_t n = 4 * (size_t)magic[3];
    got = read_bytes(x, sizes, n, e);
    if (got < 0)
        return -1;
    if (got < (long)n)
        return err_set(e, "truncated: ends inside the header");
    x->images = magic[3] == 3;
    x->count = big_endian(sizes);
    uint32_t height = x->images ? big_endian(sizes + 4) : 1;
    uint32_t columns = magic[3] == 2 ? big_endian(sizes + 4) : 0;
    if (columns > MAX_COLUMNS || (magic[3] == 2 && !columns))
        return err_set(e, "labels of %lu integers: they have 1 to %d", (unsigned long)columns,
                       MAX_COLUMNS);
    uint32_t width = x->images ? big_endian(sizes + 8) : columns ? 4 * columns : 1;
    if (frame_check_size(width, height, e) < 0)
        return -1;
    x->width = (int)width;
    x->height = (int)height;
    x->item = (size_t)width * height;
    return 0;
}

struct idx *idx_open(const char *name, struct err *e)
{
    bool standard = !name || !strcmp(name, "-");
    const char *shown = standard ? "standard input" : name;
    struct idx *x = calloc(1, sizeof *x);
    if (!x || !(x->name = strdup(shown))) {
        err_set(e, "out of memory");
        goto failed;
    }
    errno = 0;
    x->file = standard ? gzdopen(dup(STDIN_FILENO), "rb") : gzopen(name, "rb");
    if (!x->file) {
        err_errno(e, "cannot open");
        goto failed;
    }
    gzbuffer(x->file, 128 * 1024);
    if (read_header(x, e) == 0)
        return x;
failed:
    err_at(e, shown, -1);
    idx_close(x);
    return NULL;
}

void idx_close(struct idx *x)
{
    if (!x)
        return;
    if (x->file)
        gzclose(x->file);
    free(x->name);
    free(x);
}

int idx_width(const struct idx *x)
{
    return x->width;
}

int idx_height(const struct idx *x)
{
    return x->height;
}

static const char *items(const struct idx *x)
{
    return x->images ? "images" : "labels";
}

/* Check that the file ends behind its last item. */
static int check_end(struct idx *x, struct err *e)
{
    uint8_t byte;
    long got = read_bytes(x, &byte, 1, e);
    if (got == 1)
        err_set(e, "has more bytes than the %lu %s its header says", (unsigned long)x->count,
                items(x));
    return got == 0 ? 0 : err_at(e, x->name, -1);
}

int idx_read(struct idx *x, uint8_t *item, struct err *e)
{
    if (x->next == x->count)
        return check_end(x, e);
    long got = read_bytes(x, item, x->item, e);
    if (got == (long)x->item) {
        x->next++;
        return 1;
    }
    if (got >= 0)
        err_set(e, "truncated: the header says %lu %s", (unsigned long)x->count, items(x));
    return err_at(e, x->name, x->next);
}

int idx_skip(struct idx *x, uint32_t n, struct err *e)
{
    if (n > x->count - x->next)
        n = x->count - x->next;
    uint8_t chunk[8192];
    for (; n; n--, x->next++) {
        for (size_t left = x->item; left;) {
            size_t part = left < sizeof chunk ? left : sizeof chunk;
            long got = read_bytes(x, chunk, part, e);
            if (got >= 0 && got < (long)part)
                err_set(e, "truncated: the header says %lu %s", (unsigned long)x->count, items(x));
            if (got < (long)part)
                return err_at(e, x->name, x->next);
            left -= part;
        }
    }
    return 0;
}

static int check_pair(const struct idx_pair *p, struct err *e)
{
    if (!p->images->images) {
        err_set(e, "is a file of labels: images come first");
        return err_at(e, p->images->name, -1);
    }
    if (!p->labels)
        return 0;
    if (p->labels->images)
        err_set(e, "is a file of images: labels were expected");
    else if (p->labels->count != p->images->count)
        err_set(e, "%lu labels for %lu images", (unsigned long)p->labels->count,
                (unsigned long)p->images->count);
    else
        return 0;
    return err_at(e, p->labels->name, -1);
}

int idx_pair_open(struct idx_pair *p, const char *images_name, const char *labels_name,
                  struct err *e)
{
    *p = (struct idx_pair){.images = idx_open(images_name, e)};
    if (p->images && labels_name)
        p->labels = idx_open(labels_name, e);
    if (p->images && (p->labels || !labels_name) && check_pair(p, e) == 0)
        return 0;
    idx_pair_close(p);
    return -1;
}

void idx_pair_close(struct idx_pair *p)
{
    idx_close(p->images);
    idx_close(p->labels);
    *p = (struct idx_pair){0};
}

int idx_pair_read(struct idx_pair *p, uint8_t *image, int *label, struct err *e)
{
    uint8_t item[4 * MAX_COLUMNS];
    *label = -1;
    int got = idx_read(p->images, image, e);
    if (got < 0 || !p->labels)
        return got;
    if (idx_read(p->labels, item, e) < 0)
        return -1;
    if (!got)
        return 0;
    uint32_t number = p->labels->item == 1 ? *item : big_endian(item);
    if (number > INT_MAX) {
        err_set(e, "label %d is below 0", (int)number);
        return err_at(e, p->labels->name, p->labels->next - 1);
    }
    *label = (int)number;
    return got;
}

int idx_pair_skip(struct idx_pair *p, uint32_t n, struct err *e)
{
    if (idx_skip(p->images, n, e) < 0)
        return -1;
    return p->labels ? idx_skip(p->labels, n, e) : 0;
}

void idx_transpose(const uint8_t *from, int width, int height, uint8_t *to)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            to[(long)x * height + y] = from[(long)y * width + x];
}
