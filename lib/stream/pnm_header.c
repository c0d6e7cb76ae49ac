/* Headers of Netpbm's seven formats: bytes to sizes.
 *   in   bytes of a stream, as many as have arrived
 *   out  struct pnm_header, checked against the limits of frames; or "bytes are missing"; or an error
 * Grammar: pbm(5), pgm(5), ppm(5) and pam(5). */
#include "pnm.h"

#include <stdio.h>
#include <string.h>

/* The bytes of a header that have arrived and are not parsed. */
struct scan {
    const uint8_t *p, *end;
};

enum { MORE = -1 }; /* What next returns when the header goes on behind the bytes that have arrived. */

static bool is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next byte, or MORE. A comment is skipped up to the newline that ends it, as Netpbm does. */
static int next(struct scan *s)
{
    if (s->p == s->end)
        return MORE;
    int c = *s->p++;
    if (c != '#')
        return c;
    while (s->p < s->end) {
        c = *s->p++;
        if (c == '\n' || c == '\r')
            return c;
    }
    return MORE;
}

/* Parse a decimal number, 1 to limit, and the one whitespace byte behind it. Returns 1, 0 when bytes are
 * missing, or -1. */
static int number(struct scan *s, const char *what, long limit, int *value, struct err *e)
{
    int c;
    do
        c = next(s);
    while (is_space(c));
    if (c == MORE)
        return 0;
    long n = 0;
    int digits = 0;
    for (; c >= '0' && c <= '9'; c = next(s), digits++)
        if (n <= limit)
            n = n * 10 + c - '0';
    if (c == MORE)
        return 0;
    if (!digits || !is_space(c))
        return err_set(e, "bad header: byte 0x%02x where %s should be", (unsigned)c, what);
    if (n > limit)
        return err_set(e, "%s is over %ld, the limit", what, limit);
    if (n == 0)
        return err_set(e, "%s is 0", what);
    *value = (int)n;
    return 1;
}

/* Fail with a message that names the format whose magic number the bytes begin with, if it is a known one. */
static int not_an_image(const uint8_t *p, size_t n, struct err *e)
{
    static const struct {
        const char *magic, *name;
    } known[] = {
        {"\xff\xd8\xff", "a JPEG picture: camgrab reads it"},
        {"\x89PNG", "a PNG picture: camgrab reads it"},
        {"GIF8", "a GIF picture: camgrab reads it"},
        {"RIFF", "a RIFF file (WebP, AVI): camgrab reads it"},
        {"\x1f\x8b", "gzip data: use zcat before"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n >= strlen(known[i].magic) && !memcmp(p, known[i].magic, strlen(known[i].magic)))
            return err_set(e, "not a PGM frame but %s", known[i].name);
    if (n < 2)
        return err_set(e, "not a PGM frame: begins with byte 0x%02x", p[0]);
    return err_set(e, "not a PGM frame: begins with bytes 0x%02x 0x%02x", p[0], p[1]);
}

/* Check that the tuple type is a known one of as many samples as DEPTH says. Returns 1 or -1. */
static int check_tuple(struct pnm_header *h, const char *type, struct err *e)
{
    static const struct {
        const char *name;
        int depth;
    } types[] = {
        {"BLACKANDWHITE", 1},       {"GRAYSCALE", 1}, {"BLACKANDWHITE_ALPHA", 2},
        {"GRAYSCALE_ALPHA", 2}, {"RGB", 3},       {"RGB_ALPHA", 4},
    };
    if (!*type)
        return 1;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(type, types[i].name)) {
            if (h->depth == types[i].depth)
                return 1;
            return err_set(e, "PAM tuple type %s with %d samples", type, h->depth);
        }
    return err_set(e, "PAM tuple type %.40s is not known", type);
}

/* Split a line of a PAM header into its key, cut to 15 bytes, and its value, cut to 63. */
static void split_line(const uint8_t *p, const uint8_t *end, char key[16], char value[64])
{
    while (p < end && is_space(*p))
        p++;
    size_t n = 0;
    for (; p < end && !is_space(*p); p++)
        if (n < 15)
            key[n++] = (char)*p;
    key[n] = '\0';
    while (p < end && is_space(*p))
        p++;
    while (end > p && is_space(end[-1]))
        end--;
    n = (size_t)(end - p) < 63 ? (size_t)(end - p) : 63;
    memcpy(value, p, n);
    value[n] = '\0';
}

static int pam_number(const char *key, const char *value, struct pnm_header *h, struct err *e)
{
    static const struct {
        const char *key, *name;
        long limit;
        size_t offset;
    } fields[] = {
        {"WIDTH", "width", FRAME_MAX_SIDE, offsetof(struct pnm_header, width)},
        {"HEIGHT", "height", FRAME_MAX_SIDE, offsetof(struct pnm_header, height)},
        {"DEPTH", "PAM depth", 4, offsetof(struct pnm_header, depth)},
        {"MAXVAL", "maxval", 65535, offsetof(struct pnm_header, maxval)},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(key, fields[i].key))
            continue;
        char text[80];
        int n = snprintf(text, sizeof text, "%s\n", value);
        struct scan s = {(const uint8_t *)text, (const uint8_t *)text + n};
        int got = number(&s, fields[i].name, fields[i].limit, (int *)((char *)h + fields[i].offset), e);
        return got ? got : err_set(e, "bad PAM header: %s has no number", key);
    }
    return err_set(e, "bad PAM header: line %s is not known", key);
}

static int read_pam(struct scan *s, struct pnm_header *h, struct err *e)
{
    char type[64] = "";
    for (;;) {
        const uint8_t *line = s->p;
        const uint8_t *end = memchr(line, '\n', (size_t)(s->end - line));
        if (!end)
            return 0;
        s->p = end + 1;
        char key[16], value[64];
        split_line(line, end, key, value);
        if (!strcmp(key, "ENDHDR"))
            break;
        if (*key == '\0' || *key == '#')
            continue;
        if (!strcmp(key, "TUPLTYPE"))
            memcpy(type, value, sizeof type);
        else if (pam_number(key, value, h, e) < 0)
            return -1;
    }
    if (!h->width || !h->height || !h->depth || !h->maxval)
        return err_set(e, "bad PAM header: WIDTH, HEIGHT, DEPTH and MAXVAL must be there");
    return check_tuple(h, type, e);
}

static int read_pnm(struct scan *s, struct pnm_header *h, struct err *e)
{
    bool bits = h->format == '1' || h->format == '4';
    h->depth = h->format == '3' || h->format == '6' ? 3 : 1;
    h->maxval = 1;
    int c = next(s);
    if (c == MORE)
        return 0;
    if (!is_space(c))
        return err_set(e, "bad header: no space behind P%c", h->format);
    int got = number(s, "width", FRAME_MAX_SIDE, &h->width, e);
    if (got == 1)
        got = number(s, "height", FRAME_MAX_SIDE, &h->height, e);
    if (got == 1 && !bits)
        got = number(s, "maxval", 65535, &h->maxval, e);
    return got;
}

int pnm_read_header(const uint8_t *p, size_t n, struct pnm_header *h, struct err *e)
{
    *h = (struct pnm_header){0};
    if (n > FRAME_MAX_HEADER)
        n = FRAME_MAX_HEADER;
    if (n >= 1 && p[0] != 'P')
        return not_an_image(p, n, e);
    if (n < 2)
        return 0;
    if (p[1] < '1' || p[1] > '7')
        return not_an_image(p, n, e);
    h->format = (char)p[1];
    struct scan s = {p + 2, p + n};
    int got = h->format == '7' ? read_pam(&s, h, e) : read_pnm(&s, h, e);
    if (got == 0 && n == FRAME_MAX_HEADER)
        return err_set(e, "header is over %d bytes, the limit", FRAME_MAX_HEADER);
    if (got == 1 && frame_check_size(h->width, h->height, e) < 0)
        return -1;
    h->length = (size_t)(s.p - p);
    return got;
}

size_t pnm_raster_size(const struct pnm_header *h)
{
    size_t row = (size_t)h->width * (size_t)h->depth * (h->maxval > 255 ? 2 : 1);
    if (h->format == '4')
        row = ((size_t)h->width + 7) / 8;
    return h->format <= '3' ? 0 : row * (size_t)h->height; /* at most 8 times FRAME_MAX_PIXELS, 2^31 */
}
