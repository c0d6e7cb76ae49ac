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

#include "base/grow.h"

#define MAX_COLUMNS 64 /* A label is at most so many integers. */

struct file {
    gzFile file;
    const char *name;
    bool is_images;
    uint32_t count, next; /* items; the one that is read next */
    int width, height;    /* of an item, in bytes: a label of K integers is 4K x 1 */
    size_t item;          /* bytes of one */
};

struct stream_idx {
    struct file images, labels; /* the file of labels NULL: none */
};

/* Read n bytes. Returns n, fewer at the end of the file, -1 on a failed read. */
static long read_bytes(struct file *x, uint8_t *to, size_t n, struct err *e)
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

static int read_header(struct file *x, struct err *e)
{
    uint8_t magic[4], sizes[12];
    long got = read_bytes(x, magic, sizeof magic, e);
    if (got < 4)
        return got < 0 ? -1 : err_set(e, "not an IDX file: only %ld bytes long", got);
    if (check_magic(magic, e) < 0)
        return -1;
    size_t n = 4 * (size_t)magic[3];
    got = read_bytes(x, sizes, n, e);
    if (got < (long)n)
        return got < 0 ? -1 : err_set(e, "truncated: ends inside the header");
    x->is_images = magic[3] == 3;
    x->count = big_endian(sizes);
    uint32_t height = x->is_images ? big_endian(sizes + 4) : 1;
    uint32_t columns = magic[3] == 2 ? big_endian(sizes + 4) : 0;
    if (columns > MAX_COLUMNS || (magic[3] == 2 && !columns))
        return err_set(e, "labels of %lu integers: they have 1 to %d", (unsigned long)columns, MAX_COLUMNS);
    uint32_t width = x->is_images ? big_endian(sizes + 8) : columns ? 4 * columns : 1;
    if (frame_check_size(width, height, e) < 0)
        return -1;
    x->width = (int)width;
    x->height = (int)height;
    x->item = (size_t)width * height;
    return 0;
}

static int open_file(struct file *x, const char *name, struct err *e)
{
    bool standard = !name || !strcmp(name, "-");
    x->name = file_shown(name);
    errno = 0;
    x->file = standard ? gzdopen(dup(STDIN_FILENO), "rb") : gzopen(name, "rb");
    if (!x->file)
        return err_errno(e, "cannot open") | err_at(e, x->name, -1);
    gzbuffer(x->file, 128 * 1024);
    return read_header(x, e) ? err_at(e, x->name, -1) : 0;
}

static const char *items(const struct file *x)
{
    return x->is_images ? "images" : "labels";
}

/* Check that the file ends behind its last item. */
static int check_end(struct file *x, struct err *e)
{
    uint8_t byte;
    long got = read_bytes(x, &byte, 1, e);
    if (got == 1)
        err_set(e, "has more bytes than the %lu %s its header says", (unsigned long)x->count, items(x));
    return got == 0 ? 0 : err_at(e, x->name, -1);
}

/* Returns as idx_read. */
static int read_item(struct file *x, uint8_t *item, struct err *e)
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

static int check_pair(const struct stream_idx *x, struct err *e)
{
    const struct file *images = &x->images, *labels = &x->labels;
    if (!images->is_images)
        return err_set(e, "is a file of labels: images come first") | err_at(e, images->name, -1);
    if (!labels->file)
        return 0;
    if (labels->is_images)
        err_set(e, "is a file of images: labels were expected");
    else if (labels->count != images->count)
        err_set(e, "%lu labels for %lu images", (unsigned long)labels->count, (unsigned long)images->count);
    else
        return 0;
    return err_at(e, labels->name, -1);
}

struct stream_idx *idx_open(const char *images, const char *labels, struct err *e)
{
    struct stream_idx *x = zeroed(1, sizeof *x, e);
    if (!x)
        err_at(e, file_shown(images), -1);
    else if (!open_file(&x->images, images, e) && !(labels && open_file(&x->labels, labels, e)) && !check_pair(x, e))
        return x;
    idx_close(x);
    return NULL;
}

void idx_close(struct stream_idx *x)
{
    if (x && x->images.file)
        gzclose(x->images.file);
    if (x && x->labels.file)
        gzclose(x->labels.file);
    free(x);
}

int idx_width(const struct stream_idx *x)
{
    return x->images.width;
}

int idx_height(const struct stream_idx *x)
{
    return x->images.height;
}

int idx_read(struct stream_idx *x, uint8_t *image, int *label, struct err *e)
{
    uint8_t item[4 * MAX_COLUMNS];
    *label = -1;
    int got = read_item(&x->images, image, e);
    if (got < 0 || !x->labels.file)
        return got;
    if (read_item(&x->labels, item, e) < 0)
        return -1;
    if (!got)
        return 0;
    uint32_t number = x->labels.item == 1 ? *item : big_endian(item);
    if (number > INT_MAX)
        return err_set(e, "label %d is below 0", (int)number) | err_at(e, x->labels.name, x->labels.next - 1);
    *label = (int)number;
    return got;
}

void idx_transpose(const uint8_t *from, int width, int height, uint8_t *to)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            to[(long)x * height + y] = from[(long)y * width + x];
}
