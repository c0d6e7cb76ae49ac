/* Frames in memory and on their way out: sizes and facts, the header they make.
 *   in   a struct frame
 *   out  a raw PGM image (pgm-stream(5)) in one writev(2) where the pipe takes it
 * Reading is in frame_read.c. */
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/grow.h"

int frame_check_size(long long width, long long height, struct err *e)
{
    if (width < 1 || height < 1 || width > FRAME_MAX_SIDE || height > FRAME_MAX_SIDE)
        return err_set(e, "size %lldx%lld: a side must be 1 to %d", width, height, FRAME_MAX_SIDE);
    if (width * height > FRAME_MAX_PIXELS)
        return err_set(e, "size %lldx%lld: over %ld pixels, the limit", width, height, FRAME_MAX_PIXELS);
    return 0;
}

void frame_free(struct frame *f)
{
    free(f->gray);
    free(f->facts);
    *f = (struct frame){0};
}

int frame_reserve(struct frame *f, size_t n, size_t total, struct err *e)
{
    if (n <= f->gray_size)
        return 0;
    size_t size = f->gray_size < 65536 ? 65536 : f->gray_size * 2;
    if (size < n)
        size = n;
    if (size > total)
        size = total;
    uint8_t *grown = realloc(f->gray, size);
    if (!grown)
        return err_set(e, "out of memory for %zu bytes of pixels", size);
    f->gray = grown;
    f->gray_size = size;
    return 0;
}

int frame_resize(struct frame *f, int width, int height, struct err *e)
{
    if (frame_check_size(width, height, e) < 0)
        return -1;
    size_t n = (size_t)width * (size_t)height;
    if (frame_reserve(f, n, n, e) < 0)
        return -1;
    f->width = width;
    f->height = height;
    return 0;
}

int frame_reserve_facts(struct frame *f, size_t n, struct err *e)
{
    bool fresh = !f->facts;
    if (grow_to(&f->facts, n, &f->facts_size, 1, e))
        return err_set(e, "out of memory for a frame's facts");
    if (fresh)
        f->facts[0] = '\0';
    return 0;
}

/* Find the first line with `key` at or after offset `from`. Returns its offset, or facts_len when there is
 * none; *end becomes the offset behind the line. */
static size_t find_fact(const struct frame *f, size_t from, const char *key, size_t *end)
{
    size_t key_len = strlen(key);
    while (from < f->facts_len) {
        const char *line = f->facts + from;
        const char *newline = memchr(line, '\n', f->facts_len - from);
        *end = newline ? (size_t)(newline - f->facts) + 1 : f->facts_len;
        if (*end - from > key_len && line[key_len] == '=' && !memcmp(line, key, key_len))
            return from;
        from = *end;
    }
    *end = f->facts_len;
    return f->facts_len;
}

const char *frame_fact(const struct frame *f, const char *key, char *value, size_t size)
{
    size_t end, start = find_fact(f, 0, key, &end);
    if (start == f->facts_len || size == 0)
        return NULL;
    start += strlen(key) + 1;
    size_t n = end - 1 - start;
    if (n > size - 1)
        n = size - 1;
    memcpy(value, f->facts + start, n);
    value[n] = '\0';
    return value;
}

long long frame_whole_fact(const struct frame *f, const char *key)
{
    char text[24], *end;
    if (!frame_fact(f, key, text, sizeof text) || *text < '0' || *text > '9')
        return -1;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    return errno || *end ? -1 : n;
}

double frame_time(const struct frame *f)
{
    char text[64], *end;
    if (!frame_fact(f, "time", text, sizeof text))
        return -1;
    double t = strtod(text, &end);
    return end != text && !*end && t >= 0 && t < 1e12 ? t : -1;
}

static int check_fact(const char *key, const char *value, struct err *e)
{
    const char *p = key;
    while (fact_key_byte((unsigned char)*p))
        p++;
    if (p == key || *p)
        return err_set(e, "fact %s: not a name of letters, digits, '_', '-' and '.'", key);
    for (p = value; p && *p; p++)
        if (!fact_value_byte((unsigned char)*p))
            return err_set(e, "fact %s: byte 0x%02x in its value is not printable ASCII", key, (unsigned char)*p);
    return 0;
}

static void cut_facts(struct frame *f, size_t start, size_t end)
{
    memmove(f->facts + start, f->facts + end, f->facts_len - end);
    f->facts_len -= end - start;
    f->facts[f->facts_len] = '\0';
}

int frame_set_fact(struct frame *f, const char *key, const char *value, struct err *e)
{
    if (check_fact(key, value, e) < 0)
        return -1;
    size_t key_len = strlen(key), value_len = value ? strlen(value) : 0;
    size_t line = value ? key_len + value_len + 2 : 0;
    if (line > FRAME_MAX_HEADER)
        return err_set(e, "fact %s: longer than a header may be", key);
    if (value && frame_reserve_facts(f, f->facts_len + line + 1, e) < 0)
        return -1;
    size_t end, at = find_fact(f, 0, key, &end);
    for (size_t start = at; start < f->facts_len; start = find_fact(f, at, key, &end))
        cut_facts(f, start, end);
    if (!value)
        return 0;
    char *p = f->facts + at;
    memmove(p + line, p, f->facts_len - at);
    memcpy(p, key, key_len);
    p[key_len] = '=';
    memcpy(p + key_len + 1, value, value_len);
    p[line - 1] = '\n';
    f->facts_len += line;
    f->facts[f->facts_len] = '\0';
    return 0;
}

int frame_set_number(struct frame *f, const char *key, long long number, struct err *e)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", number);
    return frame_set_fact(f, key, number < 0 ? NULL : text, e);
}

int frame_copy_facts(struct frame *to, const struct frame *from, struct err *e)
{
    if (to == from)
        return 0;
    if (frame_reserve_facts(to, from->facts_len + 1, e) < 0)
        return -1;
    if (from->facts_len)
        memcpy(to->facts, from->facts, from->facts_len);
    to->facts_len = from->facts_len;
    to->facts[to->facts_len] = '\0';
    return 0;
}

int frame_label(const struct frame *f, char label[static LABEL_SIZE])
{
    char text[LABEL_SIZE + 1] = "";
    label[0] = '\0';
    if (!frame_fact(f, "label", text, sizeof text))
        return 0;
    size_t len = strlen(text);
    bool word = label_is_word(text, len);
    memcpy(label, text, LABEL_SIZE - 1);
    label[len < LABEL_SIZE ? len : LABEL_SIZE - 1] = '\0';
    return word ? 1 : -1;
}

/* An upper bound of the bytes that f's header has in the stream. */
static size_t header_bound(const struct frame *f)
{
    size_t lines = 0;
    for (size_t i = 0; i < f->facts_len; i++)
        lines += f->facts[i] == '\n';
    return sizeof "P5\n16384 16384\n255\n" + f->facts_len + 2 * lines;
}

/* Write f's header at `to`. Returns the byte behind it. */
static char *put_header(char *to, const struct frame *f)
{
    memcpy(to, "P5\n", 3);
    to += 3;
    for (size_t at = 0; at < f->facts_len;) {
        const char *line = f->facts + at;
        const char *newline = memchr(line, '\n', f->facts_len - at);
        size_t n = newline ? (size_t)(newline - line) + 1 : f->facts_len - at;
        *to++ = '#';
        *to++ = ' ';
        memcpy(to, line, n);
        to += n;
        at += n;
    }
    return to + sprintf(to, "%d %d\n255\n", f->width, f->height);
}

static int check_writable(const struct frame *f, struct err *e)
{
    if (frame_check_size(f->width, f->height, e) < 0)
        return -1;
    if (header_bound(f) > FRAME_MAX_HEADER)
        return err_set(e, "facts are longer than a header may be (%d bytes)", FRAME_MAX_HEADER);
    return 0;
}

int frame_append(char **buf, size_t *len, size_t *size, const struct frame *f, struct err *e)
{
    if (check_writable(f, e) < 0)
        return -1;
    size_t header = header_bound(f);
    size_t pixels = (size_t)f->width * (size_t)f->height;
    size_t need = *len + header + pixels;
    if (grow_to(buf, need, size, 1, e))
        return err_set(e, "out of memory for a %dx%d frame", f->width, f->height);
    char *to = put_header(*buf + *len, f);
    memcpy(to, f->gray, pixels);
    *len = (size_t)(to - *buf) + pixels;
    return 0;
}

int frame_write(int fd, const struct frame *f, struct err *e)
{
    if (check_writable(f, e) < 0) {
        errno = EINVAL;
        return -1;
    }
    char *header = malloc(header_bound(f));
    if (!header)
        return err_set(e, "out of memory for a %dx%d frame", f->width, f->height);
    size_t pixels = (size_t)f->width * (size_t)f->height;
    size_t head = (size_t)(put_header(header, f) - header);
    struct iovec parts[2] = {{header, head}, {f->gray, pixels}};
    ssize_t n;
    do
        n = writev(fd, parts, 2);
    while (n < 0 && errno == EINTR);
    size_t done = n < 0 ? 0 : (size_t)n;
    int status = n < 0 && errno != EAGAIN ? -1 : 0;
    if (status == 0 && done < head) {
        status = write_all(fd, header + done, head - done);
        done = head;
    }
    if (status == 0)
        status = write_all(fd, f->gray + (done - head), pixels - (done - head));
    if (status < 0)
        err_errno(e, "cannot write");
    free(header);
    return status;
}
