/* The pages of a TIFF file. Input and output are the bytes of the file, in which the offset of the first
 * directory is overwritten by that of the next; a directory left behind is made empty, so that a chain that goes
 * back to it ends there. */
#include "tiff.h"

#include <string.h>

enum { HEADER = 8, ENTRY = 12 }; /* Bytes. */
enum { NEW_SUBFILE_TYPE = 254, STRIP_OFFSETS = 273, TILE_OFFSETS = 324 };
#define REDUCED_OR_MASK 5 /* These bits of NewSubfileType. */

struct tiff {
    const uint8_t *bytes;
    size_t len;
    bool big_endian;
    size_t directory; /* where the first begins */
    size_t entries;   /* how many of it are in the file */
};

static size_t number(const struct tiff *t, size_t at, int size)
{
    size_t n = 0;
    for (int i = 0; i < size; i++)
        n = n << 8 | t->bytes[at + (t->big_endian ? i : size - 1 - i)];
    return n;
}

/* Find the first directory. Returns false when this is no TIFF file or the directory is outside it. */
static bool find_directory(struct tiff *t, const uint8_t *bytes, size_t len)
{
    *t = (struct tiff){.bytes = bytes, .len = len};
    if (len < HEADER || (memcmp(bytes, "II*\0", 4) && memcmp(bytes, "MM\0*", 4)))
        return false;
    t->big_endian = bytes[0] == 'M';
    t->directory = number(t, 4, 4);
    if (t->directory < HEADER || t->directory > len - 2)
        return false;
    size_t room = (len - t->directory - 2) / ENTRY;
    t->entries = number(t, t->directory, 2);
    t->entries = t->entries < room ? t->entries : room;
    return true;
}

/* Where the entry of a tag is; 0: there is none. */
static size_t find_entry(const struct tiff *t, size_t tag)
{
    size_t at = t->directory + 2;
    for (size_t i = 0; i < t->entries; i++, at += ENTRY)
        if (number(t, at, 2) == tag)
            return at;
    return 0;
}

int tiff_next_page(uint8_t *bytes, size_t len, struct err *e)
{
    struct tiff t;
    if (!find_directory(&t, bytes, len))
        return 0;
    size_t link = t.directory + 2 + number(&t, t.directory, 2) * ENTRY;
    if (link > len - 4 || number(&t, link, 4) == 0)
        return 0;
    memset(bytes + t.directory, 0, 2);
    memmove(bytes + 4, bytes + link, 4);
    if (!find_directory(&t, bytes, len))
        return err_set(e, "its next page is outside the file");
    if (t.entries == 0)
        return err_set(e, "its next page is empty, or one that was before");
    return 1;
}

bool tiff_is_auxiliary(const uint8_t *bytes, size_t len)
{
    struct tiff t;
    size_t at = find_directory(&t, bytes, len) ? find_entry(&t, NEW_SUBFILE_TYPE) : 0;
    return at && number(&t, at + 8, 4) & REDUCED_OR_MASK;
}

bool tiff_is_tiled(const uint8_t *bytes, size_t len)
{
    struct tiff t;
    return find_directory(&t, bytes, len) && find_entry(&t, TILE_OFFSETS) &&
           !find_entry(&t, STRIP_OFFSETS);
}
