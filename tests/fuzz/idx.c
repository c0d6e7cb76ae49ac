/* IDX files are from strangers. The first byte says where the file of images ends and that of
 * labels begins. Run: build/libfuzzer/fuzz/idx tests/fuzz/corpus/idx */
#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(int fd, const uint8_t *data, size_t size, char name[32])
{
    snprintf(name, 32, "/proc/self/fd/%d", fd);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
}

static int read_images(struct stream_idx *x, bool labels, struct err *e)
{
    int width = idx_width(x), height = idx_height(x), label, got = 0;
    size_t pixels = (size_t)width * (size_t)height;
    if (pixels > 1 << 20)
        return 0;
    uint8_t *image = malloc(pixels), *turned = malloc(pixels);
    if (!image || !turned)
        got = err_set(e, "out of memory") | err_at(e, "-", -1);
    while (image && turned && (got = idx_read(x, image, &label, e)) == 1) {
        if (label < (labels ? 0 : -1) || label > 255)
            abort();
        idx_transpose(image, width, height, turned);
    }
    free(image);
    free(turned);
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int images, labels; /* files, kept from run to run */
    char images_name[32], labels_name[32];
    if (!images) {
        images = memfd_create("images", MFD_CLOEXEC);
        labels = memfd_create("labels", MFD_CLOEXEC);
    }
    if (size < 1)
        return 0;
    size_t split = 1 + (size - 1) * (data[0] | 1u) / 255;
    put(images, data + 1, split - 1, images_name);
    put(labels, data + split, size - split, labels_name);
    struct err e = ERR_NONE;
    struct stream_idx *x = idx_open(images_name, split == size ? NULL : labels_name, &e);
    int got = x ? 0 : -1;
    if (x)
        got = read_images(x, split != size, &e);
    idx_close(x);
    if (got < 0 && (!e.what[0] || !e.file[0]))
        abort();
    return 0;
}
