/* Checkpoints.
 *   in   the state of a run and the trainer's arrays
 *   out  a file (learn.h has its format); and back, every length and checksum checked */
#include "learn.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/files.h"
#include "base/grow.h"

static const char magic[8] = {'I', 'N', 'K', 'C', 'K', 'P', 'T', '2'};

#define RECORD (sizeof(struct epoch_record) / sizeof(double))
#define HEAD (sizeof magic + SHA256_SIZE + 8 * 6 + 8 * 5)

/* A checkpoint's bytes as they are written, or read up to end. */
struct pass {
    uint8_t *at;
    const uint8_t *end; /* NULL: they are written */
    bool fits;          /* what has been read so far is there, and the arrays are those of the list */
};

/* Write or read `count` numbers of `size` bytes each, which are little-endian in the file; NULL: they are skipped. */
static void pass(struct pass *p, void *numbers, size_t size, size_t count)
{
    const bool turned = __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__;
    uint8_t *memory = numbers;
    if (p->end && !(p->fits = p->fits && count <= (size_t)(p->end - p->at) / size))
        return;
    if (!memory)
        p->at += count * size;
    for (size_t i = 0; memory && i < count * size; i++) {
        size_t j = turned ? i - i % size + (size - 1 - i % size) : i;
        if (p->end)
            memory[j] = *p->at++;
        else
            *p->at++ = memory[j];
    }
}

static void pass_head(struct pass *p, struct checkpoint *c)
{
    uint64_t *const counts[] = {&c->epoch, &c->batch, &c->steps, &c->correct, &c->seen, &c->records};
    double *const sums[] = {&c->loss, &c->seconds, &c->map.centre, &c->map.class, &c->map.box};
    pass(p, c->identity, 1, SHA256_SIZE);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        pass(p, counts[i], 8, 1);
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        pass(p, sums[i], 8, 1);
}

/* Write or read the arrays of the list, or read but their sizes. */
static void pass_arrays(struct pass *p, const struct train_array *list, int n, bool sizes)
{
    uint64_t arrays = (uint64_t)n;
    pass(p, &arrays, 8, 1);
    p->fits &= arrays == (uint64_t)n;
    for (int i = 0; i < n; i++) {
        uint64_t count = (uint64_t)list[i].count;
        pass(p, &count, 8, 1);
        p->fits &= count == (uint64_t)list[i].count;
        pass(p, sizes ? NULL : list[i].data, 4, (size_t)list[i].count);
    }
}

/* CRC-32 of any number of bytes: zlib counts in 32 bits. */
static uint32_t checksum(const uint8_t *bytes, size_t len)
{
    return (uint32_t)crc32_z(crc32(0, NULL, 0), bytes, len);
}

int checkpoint_save(const char *name, const struct checkpoint *c, const struct train_array *list,
                    int n, struct err *e)
{
    size_t size = HEAD + (size_t)c->records * sizeof(struct epoch_record) + 8 + 4;
    for (int i = 0; i < n; i++)
        size += 8 + 4 * (size_t)list[i].count;
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return err_set(e, "out of memory for a checkpoint of %zu bytes", size);
    struct checkpoint head = *c;
    struct pass p = {.at = bytes + sizeof magic};
    memcpy(bytes, magic, sizeof magic);
    pass_head(&p, &head);
    pass(&p, head.record, sizeof(double), RECORD * (size_t)head.records);
    pass_arrays(&p, list, n, false);
    uint32_t sum = checksum(bytes, size - 4);
    pass(&p, &sum, 4, 1);
    int failed = file_save(name, bytes, size, e);
    free(bytes);
    return failed;
}

/* Read what is before the records; *p becomes the place behind it. */
static int read_head(uint8_t *bytes, size_t len, const struct checkpoint *c, struct pass *p,
                     struct checkpoint *head, struct err *e)
{
    uint32_t sum = 0;
    if (len < sizeof magic || memcmp(bytes, magic, sizeof magic))
        return err_set(e, "not a checkpoint");
    if (len < HEAD + 8 + 4)
        return err_set(e, "the checkpoint is cut short");
    *p = (struct pass){bytes + len - 4, bytes + len, true};
    pass(p, &sum, 4, 1);
    if (sum != checksum(bytes, len - 4))
        return err_set(e, "the checkpoint is damaged: its checksum is wrong");
    *p = (struct pass){bytes + sizeof magic, bytes + len - 4, true};
    pass_head(p, head);
    if (memcmp(head->identity, c->identity, SHA256_SIZE))
        return err_set(e, "the checkpoint is of another run: network, data or options differ");
    if (head->records > CHECKPOINT_MAX_EPOCHS || head->epoch != head->records ||
        head->batch > INT32_MAX || head->steps > INT64_MAX || head->seen > INT64_MAX ||
        head->correct > head->seen || (len - HEAD) / sizeof(struct epoch_record) < head->records)
        return err_set(e, "the checkpoint's counts cannot be");
    return 0;
}

int checkpoint_parse(const uint8_t *bytes, size_t len, struct checkpoint *c,
                     const struct train_array *list, int n, struct err *e)
{
    struct checkpoint head;
    struct pass p, sizes;
    if (read_head((uint8_t *)(uintptr_t)bytes, len, c, &p, &head, e))
        return -1;
    size_t records = (size_t)head.records;
    sizes = p;
    pass(&sizes, NULL, sizeof(double), RECORD * records);
    pass_arrays(&sizes, list, n, true);
    if (!sizes.fits || sizes.at != sizes.end)
        return err_set(e, "the checkpoint's arrays are not those of the network");
    if (!(head.record = zeroed(records ? records : 1, sizeof *head.record, e)))
        return -1;
    pass(&p, head.record, sizeof(double), RECORD * records);
    pass_arrays(&p, list, n, false);
    free(c->record);
    *c = head;
    return 0;
}

int checkpoint_load(const char *name, struct checkpoint *c, const struct train_array *list, int n,
                    struct err *e)
{
    uint8_t *bytes;
    size_t len;
    if (file_load(name, (size_t)CHECKPOINT_MAX_FILE, &bytes, &len, e))
        return -1;
    int failed = checkpoint_parse(bytes, len, c, list, n, e);
    free(bytes);
    return failed ? err_at(e, name, -1) : 0;
}
