#include "exif.h"

#include <stdbool.h>
#include <string.h>

struct span {
    const uint8_t *at;
    size_t len;
};

static uint32_t number(const uint8_t *p, int bytes, bool big_endian)
{
    uint32_t n = 0;
    for (int i = 0; i < bytes; i++)
        n = n << 8 | p[big_endian ? i : bytes - 1 - i];
    return n;
}

/* A TIFF file, or the same bytes inside an EXIF block: the first directory's tag 0x0112. */
static int in_tiff(struct span s)
{
    if (s.len < 8 || (memcmp(s.at, "II*\0", 4) && memcmp(s.at, "MM\0*", 4)))
        return 1;
    bool big = s.at[0] == 'M';
    size_t directory = number(s.at + 4, 4, big);
    if (directory > s.len - 2)
        return 1;
    uint32_t entries = number(s.at + directory, 2, big);
    for (size_t at = directory + 2; entries > 0 && at + 12 <= s.len; at += 12, entries--) {
        if (number(s.at + at, 2, big) != 0x0112)
            continue;
        uint32_t type = number(s.at + at + 2, 2, big);
        uint32_t value = number(s.at + at + 8, type == 4 ? 4 : 2, big);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* An EXIF block, with or without the six bytes that open it in JPEG. */
static int in_exif(struct span s)
{
    if (s.len >= 6 && !memcmp(s.at, "Exif\0\0", 6))
        s = (struct span){s.at + 6, s.len - 6};
    return in_tiff(s);
}

static int in_jpeg(struct span s)
{
    size_t at = 2;
    while (at + 4 <= s.len && s.at[at] == 0xff) {
        uint8_t marker = s.at[at + 1];
        if (marker == 0xff) { /* fill */
            at++;
            continue;
        }
        if (marker == 0xda || marker == 0xd9)
            break;
        size_t len = number(s.at + at + 2, 2, true);
        if (len < 2 || len > s.len - at - 2)
            break;
        if (marker == 0xe1 && len >= 8 && !memcmp(s.at + at + 4, "Exif\0\0", 6))
            return in_exif((struct span){s.at + at + 4, len - 2});
        at += 2 + len;
    }
    return 1;
}

static int in_png(struct span s)
{
    size_t at = 8;
    while (s.len >= 12 && at <= s.len - 12) {
        size_t len = number(s.at + at, 4, true);
        if (len > s.len - at - 12)
            break;
        if (!memcmp(s.at + at + 4, "eXIf", 4))
            return in_exif((struct span){s.at + at + 8, len});
        at += 12 + len;
    }
    return 1;
}

static int in_webp(struct span s)
{
    size_t at = 12;
    while (s.len >= 8 && at <= s.len - 8) {
        size_t len = number(s.at + at + 4, 4, false);
        if (len > s.len - at - 8)
            break;
        if (!memcmp(s.at + at, "EXIF", 4))
            return in_exif((struct span){s.at + at + 8, len});
        at += 8 + len + (len & 1);
    }
    return 1;
}

int exif_orientation(const uint8_t *bytes, size_t len)
{
    struct span s = {bytes, len};
    if (len >= 2 && !memcmp(bytes, "\xff\xd8", 2))
        return in_jpeg(s);
    if (len >= 8 && !memcmp(bytes, "\x89PNG\r\n\x1a\n", 8))
        return in_png(s);
    if (len >= 12 && !memcmp(bytes, "RIFF", 4) && !memcmp(bytes + 8, "WEBP", 4))
        return in_webp(s);
    return in_tiff(s);
}
