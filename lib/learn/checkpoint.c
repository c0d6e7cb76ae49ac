/* Checkpoints.
 *   in   the state of a run and the trainer's arrays
 *   out  a file (learn.h has its format); and back, every length and checksum checked */
#include "learn.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/files.h"

static const char magic[8] = {'I', 'N', 'K', 'C', 'K', 'P', 'T', '2'};

#define FIELDS 6 /* The head has so many unsigned numbers. */
#define RECORD (sizeof(struct epoch_record) / sizeof(double))
#define HEAD (sizeof magic + SHA256_SIZE + 8 * FIELDS + 8 * 5)

static uint8_t *put(uint8_t *p, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *p++ = (uint8_t)(x >> (8 * i));
    return p;
}

static uint64_t get(const uint8_t **p, int bytes)
{
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++)
        x |= (uint64_t)*(*p)++ << (8 * i);
    return x;
}

static uint8_t *put_double(uint8_t *p, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return put(p, bits, 8);
}

static double get_double(const uint8_t **p)
{
    uint64_t bits = get(p, 8);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint8_t *put_floats(uint8_t *p, const float *x, long count)
{
    for (long i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        p = put(p, bits, 4);
    }
    return p;
}

static void get_floats(const uint8_t **p, float *x, long count)
{
    for (long i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)get(p, 4);
        memcpy(&x[i], &bits, sizeof bits);
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
    uint8_t *bytes = malloc(size), *p = bytes;
    if (!bytes)
        return err_set(e, "out of memory for a checkpoint of %zu bytes", size);
    memcpy(p, magic, sizeof magic);
    memcpy(p + sizeof magic, c->identity, SHA256_SIZE);
    p += sizeof magic + SHA256_SIZE;
    const uint64_t field[FIELDS] = {c->epoch, c->batch, c->steps, c->correct, c->seen, c->records};
    for (int i = 0; i < FIELDS; i++)
        p = put(p, field[i], 8);
    const double sum[] = {c->loss, c->seconds, c->map.centre, c->map.class, c->map.box};
    for (size_t i = 0; i < sizeof sum / sizeof *sum; i++)
        p = put_double(p, sum[i]);
    for (uint64_t i = 0; i < c->records; i++) {
        double value[RECORD];
        memcpy(value, &c->record[i], sizeof value);
        for (size_t j = 0; j < RECORD; j++)
            p = put_double(p, value[j]);
    }
    p = put(p, (uint64_t)n, 8);
    for (int i = 0; i < n; i++)
        p = put_floats(put(p, (uint64_t)list[i].count, 8), list[i].data, list[i].count);
    put(p, checksum(bytes, size - 4), 4);
    int failed = file_save(name, bytes, size, e);
    free(bytes);
    return failed;
}

/* Parse the head; records and arrays follow it. */
static void parse_head(const uint8_t *p, struct checkpoint *c)
{
    p += sizeof magic;
    memcpy(c->identity, p, SHA256_SIZE);
    p += SHA256_SIZE;
    c->epoch = get(&p, 8);
    c->batch = get(&p, 8);
    c->steps = get(&p, 8);
    c->correct = get(&p, 8);
    c->seen = get(&p, 8);
    c->records = get(&p, 8);
    c->loss = get_double(&p);
    c->seconds = get_double(&p);
    c->map.centre = get_double(&p);
    c->map.class = get_double(&p);
    c->map.box = get_double(&p);
}

/* Whether the arrays from p to end have the sizes of those in list. */
static int arrays_fit(const uint8_t *p, const uint8_t *end, const struct train_array *list, int n)
{
    if (end - p < 8 || get(&p, 8) != (uint64_t)n)
        return 0;
    for (int i = 0; i < n; i++) {
        if (end - p < 8 || get(&p, 8) != (uint64_t)list[i].count ||
            (size_t)(end - p) / 4 < (size_t)list[i].count)
            return 0;
        p += 4 * list[i].count;
    }
    return p == end;
}

static int check_head(const uint8_t *bytes, size_t len, const struct checkpoint *c,
                      struct checkpoint *head, struct err *e)
{
    if (len < sizeof magic || memcmp(bytes, magic, sizeof magic))
        return err_set(e, "not a checkpoint");
    if (len < HEAD + 8 + 4)
        return err_set(e, "the checkpoint is cut short");
    const uint8_t *sum = bytes + len - 4;
    if (get(&sum, 4) != checksum(bytes, len - 4))
        return err_set(e, "the checkpoint is damaged: its checksum is wrong");
    parse_head(bytes, head);
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
    if (check_head(bytes, len, c, &head, e))
        return -1;
    const uint8_t *p = bytes + HEAD, *end = bytes + len - 4;
    size_t records = (size_t)head.records;
    if ((size_t)(end - p) < records * sizeof(struct epoch_record) ||
        !arrays_fit(p + records * sizeof(struct epoch_record), end, list, n))
        return err_set(e, "the checkpoint's arrays are not those of the network");
    head.record = calloc(records ? records : 1, sizeof *head.record);
    if (!head.record)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < records; i++) {
        double value[RECORD] = {0};
        for (size_t j = 0; j < RECORD; j++)
            value[j] = get_double(&p);
        memcpy(&head.record[i], value, sizeof value);
    }
    p += 8;
    for (int i = 0; i < n; i++) {
        p += 8;
        get_floats(&p, list[i].data, list[i].count);
    }
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
