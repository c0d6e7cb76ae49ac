/* What a picture file says of its picture.
 *   in   the bytes of a file, or the matrix that a decoder tells
 *   out  which way up it is: the number that EXIF gives to each of the eight ways a picture can lie; the shape of
 *        its pixels; its sides */
#include "exif.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tiff.h"

struct span {
    const uint8_t *at;
    size_t len;
};

int exif_of_matrix(double a, double b, double c, double d)
{
    if (fabs(a) + fabs(d) >= fabs(b) + fabs(c))
        return a >= 0 ? (d >= 0 ? 1 : 4) : (d >= 0 ? 2 : 3);
    return c >= 0 ? (b >= 0 ? 5 : 8) : (b >= 0 ? 6 : 7);
}

/* Tag 0x0112 of the first directory of a TIFF file, or of an EXIF block, which is one. */
static int in_tiff(struct span s)
{
    size_t orientation = tiff_number(s.at, s.len, 0x0112, 1);
    return orientation >= 1 && orientation <= 8 ? (int)orientation : 1;
}

/* An EXIF block, with or without the signature of six bytes that JPEG puts before it. */
static int in_exif(struct span s)
{
    if (s.len >= 6 && !memcmp(s.at, "Exif\0\0", 6))
        s = (struct span){s.at + 6, s.len - 6};
    return in_tiff(s);
}

/* The marker of a JPEG's next segment, in which `body` is, from *at on; 0 when there is none before the pixels. */
static uint8_t next_segment(struct span s, size_t *at, struct span *body)
{
    while (*at + 4 <= s.len && s.at[*at] == 0xff && s.at[*at + 1] == 0xff) /* a fill byte */
        ++*at;
    if (*at + 4 > s.len || s.at[*at] != 0xff)
        return 0;
    uint8_t marker = s.at[*at + 1];
    size_t len = tiff_bytes(s.at + *at + 2, 2, true);
    if (marker == 0xda || marker == 0xd9 || len < 2 || len > s.len - *at - 2)
        return 0;
    *body = (struct span){s.at + *at + 4, len - 2};
    *at += 2 + len;
    return marker;
}

static int in_jpeg(struct span s)
{
    struct span body;
    size_t at = 2;
    for (uint8_t marker; (marker = next_segment(s, &at, &body));)
        if (marker == 0xe1 && body.len >= 6 && !memcmp(body.at, "Exif\0\0", 6))
            return in_exif(body);
    return 1;
}

/* PNG's chunks are length, type, content and checksum; WebP's are type, length and content, padded to even. */
static int in_chunks(struct span s, bool png)
{
    size_t at = png ? 8 : 12, around = png ? 12 : 8;
    while (s.len >= around && at <= s.len - around) {
        size_t len = tiff_bytes(s.at + at + (png ? 0 : 4), 4, png);
        if (len > s.len - at - around)
            break;
        if (!memcmp(s.at + at + (png ? 4 : 0), png ? "eXIf" : "EXIF", 4))
            return in_exif((struct span){s.at + at + 8, len});
        at += around + len + (png ? 0 : len & 1);
    }
    return 1;
}

/* ---- HEIF and AVIF (ISO/IEC 23008-12): the properties irot and imir of the primary item ---- */

/* Read n bytes off the front of s as a big-endian number. Returns 0, and s is empty, when s has fewer. */
static uint32_t take(struct span *s, int n)
{
    if (s->len < (size_t)n) {
        s->len = 0;
        return 0;
    }
    uint32_t value = (uint32_t)tiff_bytes(s->at, n, true);
    s->at += n;
    s->len -= n;
    return value;
}

/* Read the next box off the front of s; `body` is cut where the file ends. Returns its type, 0 at the end. */
static uint32_t take_box(struct span *s, struct span *body)
{
    if (!s->len)
        return 0;
    size_t before = s->len, size = take(s, 4);
    uint32_t type = take(s, 4);
    if (size == 1) {
        take(s, 4);
        size = take(s, 4);
    }
    size_t head = before - s->len;
    if (size && size < head)
        return 0;
    size_t len = !size || size - head > s->len ? s->len : size - head;
    *body = (struct span){s->at, len};
    *s = (struct span){s->at + len, s->len - len};
    return type;
}

#define TYPE(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static struct span find_box(struct span s, uint32_t wanted)
{
    struct span body = {NULL, 0};
    for (uint32_t type; (type = take_box(&s, &body));)
        if (type == wanted)
            return body;
    return (struct span){NULL, 0};
}

/* The orientation that turns as `first` does and then as `then` does: the product of their matrices. */
static int compose(int first, int then)
{
    static const int8_t matrix[9][4] = {[1] = {1, 0, 0, 1},   [2] = {-1, 0, 0, 1},
                                        [3] = {-1, 0, 0, -1}, [4] = {1, 0, 0, -1},
                                        [5] = {0, 1, 1, 0},   [6] = {0, 1, -1, 0},
                                        [7] = {0, -1, -1, 0}, [8] = {0, -1, 1, 0}};
    const int8_t *m = matrix[first], *n = matrix[then];
    return exif_of_matrix(n[0] * m[0] + n[2] * m[1], n[1] * m[0] + n[3] * m[1],
                          n[0] * m[2] + n[2] * m[3], n[1] * m[2] + n[3] * m[3]);
}

/* The orientation that property `index` (from 1) of the container ipco stands for: 1 unless it is irot or imir. */
static int property_turn(struct span ipco, uint32_t index)
{
    static const int counterclockwise[4] = {1, 8, 3, 6};
    struct span body = {NULL, 0};
    uint32_t type = 0;
    for (; index > 0; index--)
        if (!(type = take_box(&ipco, &body)))
            return 1;
    if (type == TYPE('i', 'r', 'o', 't'))
        return counterclockwise[take(&body, 1) & 3];
    if (type == TYPE('i', 'm', 'i', 'r'))
        return take(&body, 1) & 1 ? 2 : 4;
    return 1;
}

static int in_heif(struct span s)
{
    struct span meta = find_box(s, TYPE('m', 'e', 't', 'a'));
    take(&meta, 4);
    struct span pitm = find_box(meta, TYPE('p', 'i', 't', 'm'));
    uint32_t primary = take(&pitm, 4) >> 24 ? take(&pitm, 4) : take(&pitm, 2);
    struct span iprp = find_box(meta, TYPE('i', 'p', 'r', 'p'));
    struct span ipco = find_box(iprp, TYPE('i', 'p', 'c', 'o'));
    struct span ipma = find_box(iprp, TYPE('i', 'p', 'm', 'a'));
    uint32_t version = take(&ipma, 4);
    for (uint32_t items = take(&ipma, 4); items > 0 && ipma.len > 0; items--) {
        uint32_t item = take(&ipma, version >> 24 ? 4 : 2);
        int orientation = 1;
        for (uint32_t n = take(&ipma, 1); n > 0; n--) {
            uint32_t index = version & 1 ? take(&ipma, 2) & 0x7fff : take(&ipma, 1) & 0x7f;
            if (item == primary && index <= 256)
                orientation = compose(orientation, property_turn(ipco, index));
        }
        if (item == primary)
            return orientation;
    }
    return 1;
}

double exif_jpeg_shape(const uint8_t *bytes, size_t len)
{
    struct span body;
    size_t at = 2;
    if (len < 2 || memcmp(bytes, "\xff\xd8", 2) || next_segment((struct span){bytes, len}, &at, &body) != 0xe0 ||
        body.len < 12 || memcmp(body.at, "JFIF", 5))
        return 0;
    int unit = body.at[7], x = body.at[8] << 8 | body.at[9], y = body.at[10] << 8 | body.at[11];
    return unit >= 1 && unit <= 2 && x > 0 ? (double)y / x : 0;
}

/* Does a frame of a JPEG begin with this marker? The other three of the row are tables. */
static bool is_frame(uint8_t marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

bool exif_sides(const uint8_t *bytes, size_t len, long long *width, long long *height)
{
    struct span body;
    size_t at = 2;
    if (len >= 24 && !memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) && !memcmp(bytes + 12, "IHDR", 4)) {
        *width = (long long)tiff_bytes(bytes + 16, 4, true);
        *height = (long long)tiff_bytes(bytes + 20, 4, true);
        return true;
    }
    if (len < 2 || memcmp(bytes, "\xff\xd8", 2))
        return false;
    for (uint8_t marker; (marker = next_segment((struct span){bytes, len}, &at, &body));)
        if (is_frame(marker) && body.len >= 5) { /* bits of a sample, height, width */
            *height = body.at[1] << 8 | body.at[2];
            *width = body.at[3] << 8 | body.at[4];
            return true;
        }
    return false;
}

int exif_orientation(const uint8_t *bytes, size_t len)
{
    struct span s = {bytes, len};
    if (len >= 2 && !memcmp(bytes, "\xff\xd8", 2))
        return in_jpeg(s);
    if (len >= 8 && !memcmp(bytes, "\x89PNG\r\n\x1a\n", 8))
        return in_chunks(s, true);
    if (len >= 12 && !memcmp(bytes, "RIFF", 4) && !memcmp(bytes + 8, "WEBP", 4))
        return in_chunks(s, false);
    if (len >= 12 && !memcmp(bytes + 4, "ftyp", 4))
        return in_heif(s);
    return in_tiff(s);
}
