/* The sides of a picture, where decoding it has failed. Input are the bytes of a PNG file (its first chunk is
 * IHDR; ISO/IEC 15948, 11.2.2) or a JPEG file (the first marker SOF; ITU-T T.81, B.2.2), output its width and
 * height. */
#include "extent.h"

#include <string.h>

static long long number(const uint8_t *p, int bytes)
{
    long long n = 0;
    for (int i = 0; i < bytes; i++)
        n = n << 8 | p[i];
    return n;
}

/* Does a frame of a JPEG begin with this marker? The other three of the row are tables. */
static bool is_frame(uint8_t marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

static bool in_jpeg(const uint8_t *bytes, size_t len, long long *width, long long *height)
{
    for (size_t at = 2; at + 9 <= len && bytes[at] == 0xff;) {
        uint8_t marker = bytes[at + 1];
        if (is_frame(marker)) { /* marker, length, bits of a sample, height, width */
            *height = number(bytes + at + 5, 2);
            *width = number(bytes + at + 7, 2);
            return true;
        }
        at += marker == 0xff ? 1 : 2 + (size_t)number(bytes + at + 2, 2);
    }
    return false;
}

bool extent_of(const uint8_t *bytes, size_t len, long long *width, long long *height)
{
    if (len >= 3 && !memcmp(bytes, "\xff\xd8\xff", 3))
        return in_jpeg(bytes, len, width, height);
    if (len < 24 || memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) || memcmp(bytes + 12, "IHDR", 4))
        return false;
    *width = number(bytes + 16, 4);
    *height = number(bytes + 20, 4);
    return true;
}
