/* Frames on their way in: a file descriptor to frames.
 *   in   images of any of Netpbm's seven formats, one after another, facts in their headers' comments
 *   out  8-bit gray pixels and facts, in a struct frame that is used again and again
 * The header is parsed by pnm_header.c out of one buffer. Raw PGM is read here, straight into the frame where
 * maxval is 255; other formats are decoded by libnetpbm (pnm.c), which takes its bytes from the same
 * buffer. */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pnm.h"

/* Bytes of a reader's buffer: the longest header, and as many bytes behind it as a pipe holds. */
#define BUFFER_SIZE (2 * FRAME_MAX_HEADER)

struct frame_reader {
    int fd;
    bool standard; /* fd is standard input, which is not ours to close */
    char *name;
    size_t pos, len;        /* buf[pos..len) has arrived and is not yet used */
    bool ended;             /* read(2) has said end of file */
    int read_errno;         /* what read(2) failed with, or 0 */
    bool have_header;       /* `header` is parsed: the whole header of the frame at pos is buffered */
    struct pnm_header header;
    long long frames;       /* read so far */
    bool clipped, failed;
    struct err failure;     /* what a reader that has failed says again at each call */
    uint8_t buf[BUFFER_SIZE];
};

/* A failure is kept in r and counts as the end of file. */
static ssize_t read_next(struct frame_reader *r, void *to, size_t n)
{
    ssize_t got = read_once(r->fd, to, n);
    r->read_errno = got < 0 ? errno : 0;
    r->ended = got <= 0;
    return got;
}

/* Move what is left to the buffer's beginning and read behind it once. False at the end of file. */
static bool fill(struct frame_reader *r)
{
    if (r->ended)
        return false;
    if (r->pos) {
        memmove(r->buf, r->buf + r->pos, r->len - r->pos);
        r->len -= r->pos;
        r->pos = 0;
    }
    ssize_t got = read_next(r, r->buf + r->len, BUFFER_SIZE - r->len);
    r->len += got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* The pnm_source of this reader: up to n bytes of a raster. Large requests are read past the buffer. */
static ssize_t take(void *arg, void *to, size_t n)
{
    struct frame_reader *r = arg;
    if (r->pos == r->len) {
        if (n >= BUFFER_SIZE / 2 && !r->ended)
            return read_next(r, to, n);
        if (!fill(r))
            return 0;
    }
    if (n > r->len - r->pos)
        n = r->len - r->pos;
    memcpy(to, r->buf + r->pos, n);
    r->pos += n;
    return (ssize_t)n;
}

/* Netpbm allows white space between images. */
static void skip_space(struct frame_reader *r)
{
    while (r->frames && r->pos < r->len &&
           (r->buf[r->pos] == ' ' || (r->buf[r->pos] >= '\t' && r->buf[r->pos] <= '\r')))
        r->pos++;
}

/* Parse the header at pos from what is buffered. Returns 1, 0 when bytes are missing, -1 when it is bad. */
static int look(struct frame_reader *r, struct err *e)
{
    if (r->have_header)
        return 1;
    skip_space(r);
    if (r->pos == r->len)
        return 0;
    int got = pnm_read_header(r->buf + r->pos, r->len - r->pos, &r->header, e);
    r->have_header = got == 1;
    return got;
}

/* Read until the buffer holds the next header. Returns 1, 0 when the stream ends before it, or -1. */
static int next_header(struct frame_reader *r, struct err *e)
{
    for (;;) {
        int got = look(r, e);
        if (got)
            return got;
        if (fill(r))
            continue;
        if (r->pos == r->len && !r->read_errno)
            return 0;
        return err_set(e, "truncated: ends inside a frame's header");
    }
}

/* Append the comment from p (behind its #) to end to f's facts when it reads key=value. f->facts has room. */
static void keep_fact(struct frame *f, const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    const uint8_t *key = p;
    while (p < end && fact_key_byte(*p))
        p++;
    if (p == key || p == end || *p != '=')
        return;
    char *to = f->facts + f->facts_len;
    for (p = key; p < end; p++)
        *to++ = (char)(fact_value_byte(*p) ? *p : '?');
    *to++ = '\n';
    f->facts_len = (size_t)(to - f->facts);
}

static int read_facts(const uint8_t *p, size_t n, struct frame *f, struct err *e)
{
    const uint8_t *end = p + n;
    f->facts_len = 0;
    if (f->facts)
        f->facts[0] = '\0';
    while ((p = memchr(p, '#', (size_t)(end - p)))) {
        const uint8_t *stop = ++p;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        if (frame_reserve_facts(f, n + 1, e) < 0)
            return -1;
        keep_fact(f, p, stop);
        p = stop;
    }
    if (f->facts)
        f->facts[f->facts_len] = '\0';
    return 0;
}

static int truncated(size_t got, size_t total, struct err *e)
{
    return err_set(e, "truncated: %zu of %zu bytes of pixels", got, total);
}

/* Read a raster of maxval 255 straight into the frame. */
static int read_bytes(struct frame_reader *r, struct frame *f, size_t total, struct err *e)
{
    for (size_t got = 0; got < total;) {
        if (frame_reserve(f, got + 1, total, e) < 0)
            return -1;
        size_t room = f->gray_size < total ? f->gray_size : total;
        ssize_t n = take(r, f->gray + got, room - got);
        if (n <= 0)
            return truncated(got, total, e);
        got += (size_t)n;
    }
    return 0;
}

/* Scale n samples of `width` bytes, the high one first, to 0..255, rounding to nearest. Returns true when a
 * sample was above maxval and was clipped. */
static bool scale(const uint8_t *from, size_t n, size_t width, unsigned maxval, uint8_t *to)
{
    unsigned largest = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned v = width == 2 ? (unsigned)from[2 * i] << 8 | from[2 * i + 1] : from[i];
        largest = v > largest ? v : largest;
        v = v > maxval ? maxval : v;
        to[i] = (uint8_t)((v * 255 + maxval / 2) / maxval);
    }
    return largest > maxval;
}

/* Read a raster of another maxval, scaling what is buffered as it arrives. */
static int read_scaled(struct frame_reader *r, struct frame *f, size_t pixels, struct err *e)
{
    unsigned maxval = (unsigned)r->header.maxval;
    size_t width = maxval > 255 ? 2 : 1;
    for (size_t done = 0; done < pixels;) {
        size_t n = (r->len - r->pos) / width;
        if (n == 0) {
            if (!fill(r))
                return truncated(done * width + r->len - r->pos, pixels * width, e);
            continue;
        }
        if (n > pixels - done)
            n = pixels - done;
        if (frame_reserve(f, done + n, pixels, e) < 0)
            return -1;
        r->clipped |= scale(r->buf + r->pos, n, width, maxval, f->gray + done);
        r->pos += n * width;
        done += n;
    }
    return 0;
}

static int read_frame(struct frame_reader *r, struct frame *f, struct err *e)
{
    int got = next_header(r, e);
    if (got <= 0)
        return got;
    const struct pnm_header *h = &r->header;
    if (read_facts(r->buf + r->pos, h->length, f, e) < 0)
        return -1;
    r->pos += h->length;
    r->have_header = false;
    r->clipped = false;
    f->width = h->width;
    f->height = h->height;
    size_t pixels = (size_t)h->width * (size_t)h->height;
    if (h->format != '5')
        got = pnm_decode(h, take, r, f, e);
    else if (h->maxval == 255)
        got = read_bytes(r, f, pixels, e);
    else
        got = read_scaled(r, f, pixels, e);
    if (got < 0)
        return -1;
    r->frames++;
    return 1;
}

struct frame_reader *frame_open(const char *name, struct err *e)
{
    if (!name)
        name = "-";
    int fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (fd >= 0)
        return frame_open_begun(fd, name, NULL, 0, e);
    err_errno(e, "cannot open");
    err_at(e, name, -1);
    return NULL;
}

struct frame_reader *frame_open_begun(int fd, const char *name, const void *begun, size_t len, struct err *e)
{
    bool standard = !strcmp(name, "-");
    struct frame_reader *r = malloc(sizeof *r);
    char *copy = strdup(name);
    if (!r || !copy || len > sizeof r->buf) {
        err_set(e, "out of memory");
        err_at(e, name, -1);
        if (!standard)
            close(fd);
        free(copy);
        free(r);
        return NULL;
    }
    memset(r, 0, offsetof(struct frame_reader, buf));
    r->fd = fd;
    r->standard = standard;
    r->name = copy;
    if (len)
        memcpy(r->buf, begun, len);
    r->len = len;
    return r;
}

void frame_close(struct frame_reader *r)
{
    if (!r)
        return;
    if (!r->standard)
        close(r->fd);
    free(r->name);
    free(r);
}

int frame_read(struct frame_reader *r, struct frame *f, struct err *e)
{
    if (!r->failed) {
        struct err local = ERR_NONE;
        int got = read_frame(r, f, &local);
        if (got >= 0)
            return got;
        if (r->read_errno) { /* a failed read looks like a truncated stream */
            errno = r->read_errno;
            err_errno(&local, "cannot read");
        }
        r->failed = true;
        r->failure = local;
        err_at(&r->failure, file_shown(r->name), r->frames);
    }
    if (e)
        *e = r->failure;
    return -1;
}

/* Whether frame_read would return without waiting: the frame at pos is buffered whole, or reading has ended. */
static bool is_buffered(struct frame_reader *r)
{
    if (r->failed || r->ended)
        return true;
    int got = look(r, NULL);
    if (got <= 0)
        return got < 0;
    size_t raster = pnm_raster_size(&r->header);
    return raster && r->len - r->pos >= r->header.length + raster;
}

bool frame_would_block(struct frame_reader *r)
{
    while (!is_buffered(r)) {
        if (r->len - r->pos == BUFFER_SIZE)
            return false;
        struct pollfd ready = {.fd = r->fd, .events = POLLIN};
        if (poll(&ready, 1, 0) <= 0)
            return true;
        fill(r);
    }
    return false;
}

int frame_fd(const struct frame_reader *r)
{
    return r->fd;
}

const char *frame_stream_name(const struct frame_reader *r)
{
    return r->name;
}

bool frame_was_clipped(const struct frame_reader *r)
{
    return r->clipped;
}

const char *frame_source(const struct frame_reader *r, const struct frame *f, char *text, size_t size)
{
    if (frame_fact(f, "source", text, size))
        return text;
    return text_percent(r->name, "%", text, size);
}

long long frame_number(const struct frame_reader *r, const struct frame *f)
{
    long long n = frame_whole_fact(f, "frame");
    return n >= 0 ? n : r->frames ? r->frames - 1 : 0;
}

