/* The pages of a TIFF file. Input and output are the bytes of the file, in which the offset of the first
 * directory is overwritten by that of the next; a directory left behind is made empty, so that a chain that goes
 * back to it ends there. */
#include "tiff.h"

#include <string.h>

enum { HEADER = 8, ENTRY = 12 }; /* Bytes. */
enum {
    NEW_SUBFILE_TYPE = 254,
    IMAGE_WIDTH = 256,
    IMAGE_LENGTH = 257,
    COMPRESSION = 259,
    STRIP_OFFSETS = 273,
    ROWS_PER_STRIP = 278,
    STRIP_BYTE_COUNTS = 279,
    PLANAR_CONFIGURATION = 284,
    TILE_WIDTH = 322,
    TILE_LENGTH = 323,
    TILE_OFFSETS = 324,
    TILE_BYTE_COUNTS = 325,
    DNG_VERSION = 50706
};
enum { OLD_JPEG = 6, JPEG = 7 };
enum { SHORT = 3, LONG = 4 };
#define MIN_TILE 16    /* A tile's side has at least so many pixels. */
#define MAX_SIDE 65536 /* A page's or tile's side has at most so many pixels; the decoder's limits are lower. */
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
    return tiff_bytes(t->bytes + at, size, t->big_endian);
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

/* The one number of a tag; `missing` where there is no such tag. */
static size_t value(const struct tiff *t, size_t tag, size_t missing)
{
    size_t at = find_entry(t, tag);
    return at ? number(t, at + 8, number(t, at + 2, 2) == LONG ? 4 : 2) : missing;
}

size_t tiff_number(const uint8_t *bytes, size_t len, size_t tag, size_t missing)
{
    struct tiff t;
    return find_directory(&t, bytes, len) ? value(&t, tag, missing) : missing;
}

bool tiff_is_auxiliary(const uint8_t *bytes, size_t len)
{
    return tiff_number(bytes, len, NEW_SUBFILE_TYPE, 0) & REDUCED_OR_MASK;
}

bool tiff_is_tiled(const uint8_t *bytes, size_t len)
{
    struct tiff t;
    return find_directory(&t, bytes, len) && find_entry(&t, TILE_OFFSETS) &&
           !find_entry(&t, STRIP_OFFSETS) && !find_entry(&t, DNG_VERSION);
}

/* ---- tiles ---- */

static bool has_jpeg(const struct tiff *t)
{
    size_t compression = value(t, COMPRESSION, 1);
    return compression == OLD_JPEG || compression == JPEG;
}

bool tiff_is_jpeg(const uint8_t *bytes, size_t len)
{
    struct tiff t;
    return find_directory(&t, bytes, len) && has_jpeg(&t) && !find_entry(&t, DNG_VERSION);
}

/* Where the n numbers of a tag are. Returns false when they are not all in the file. */
static bool find_list(const struct tiff *t, size_t tag, size_t n, struct tiff_list *list)
{
    size_t at = find_entry(t, tag), type = at ? number(t, at + 2, 2) : 0;
    if ((type != SHORT && type != LONG) || number(t, at + 4, 4) < n)
        return false;
    list->size = type == SHORT ? 2 : 4;
    list->is_kept = number(t, at + 4, 4) <= 4 / (size_t)list->size;
    memcpy(list->kept, t->bytes + at + 8, sizeof list->kept);
    list->at = list->is_kept ? at + 8 : number(t, at + 8, 4);
    return list->at <= t->len && n <= (t->len - list->at) / (size_t)list->size;
}

static void put(uint8_t *bytes, bool big_endian, size_t at, size_t n, int size)
{
    for (int i = 0; i < size; i++)
        bytes[at + i] = (uint8_t)(n >> 8 * (big_endian ? size - 1 - i : i));
}

/* Make the entry at `at` say that the tag is this one number. */
static void put_entry(uint8_t *bytes, bool big_endian, size_t at, size_t tag, size_t n)
{
    put(bytes, big_endian, at, tag, 2);
    put(bytes, big_endian, at + 2, LONG, 2);
    put(bytes, big_endian, at + 4, 1, 4);
    put(bytes, big_endian, at + 8, n, 4);
}

/* Rename the entry `from` to `tag`, which is no greater, and move it to where that is in order, as decoders want it. */
static void rename_entry(uint8_t *bytes, const struct tiff *t, size_t from, size_t tag, size_t n)
{
    size_t at = find_entry(t, from);
    put_entry(bytes, t->big_endian, at, tag, n);
    for (; at > t->directory + 2 && number(t, at - ENTRY, 2) > tag; at -= ENTRY) {
        uint8_t entry[ENTRY];
        memcpy(entry, bytes + at, ENTRY);
        memcpy(bytes + at, bytes + at - ENTRY, ENTRY);
        memcpy(bytes + at - ENTRY, entry, ENTRY);
    }
}

static bool in_range(size_t n, size_t least)
{
    return n >= least && n <= MAX_SIDE;
}

/* Read what the directory says of its tiles. Returns false when that cannot be, or is not read. */
static bool find_grid(const struct tiff *t, struct tiff_grid *g)
{
    *g = (struct tiff_grid){.width = value(t, IMAGE_WIDTH, 0),
                            .height = value(t, IMAGE_LENGTH, 0),
                            .tile_width = value(t, TILE_WIDTH, 0),
                            .tile_height = value(t, TILE_LENGTH, 0),
                            .big_endian = t->big_endian};
    if (!in_range(g->width, 1) || !in_range(g->height, 1) || !in_range(g->tile_width, MIN_TILE) ||
        !in_range(g->tile_height, MIN_TILE) || value(t, PLANAR_CONFIGURATION, 1) != 1)
        return false;
    g->across = (g->width + g->tile_width - 1) / g->tile_width;
    g->tiles = g->across * ((g->height + g->tile_height - 1) / g->tile_height);
    return find_list(t, TILE_OFFSETS, g->tiles, &g->offset) && find_list(t, TILE_BYTE_COUNTS, g->tiles, &g->length);
}

int tiff_open_tiles(uint8_t *bytes, size_t len, struct tiff_grid *grid, struct err *e)
{
    struct tiff t;
    if (!find_directory(&t, bytes, len) || !find_grid(&t, grid))
        return err_set(e, "a TIFF in tiles that are damaged or of an unusual kind: `tiffcp -s' (package "
                          "libtiff-tools) may make strips of them");
    rename_entry(bytes, &t, IMAGE_WIDTH, IMAGE_WIDTH, grid->tile_width);
    rename_entry(bytes, &t, IMAGE_LENGTH, IMAGE_LENGTH, grid->tile_height);
    rename_entry(bytes, &t, TILE_LENGTH, TILE_LENGTH, 0);
    rename_entry(bytes, &t, TILE_WIDTH, ROWS_PER_STRIP, grid->tile_height);
    rename_entry(bytes, &t, TILE_OFFSETS, STRIP_OFFSETS, 0);
    rename_entry(bytes, &t, TILE_BYTE_COUNTS, STRIP_BYTE_COUNTS, 0);
    grid->entry[0] = find_entry(&t, STRIP_OFFSETS);
    grid->entry[1] = find_entry(&t, STRIP_BYTE_COUNTS);
    return 0;
}

/* Number i of a list. */
static size_t item(const uint8_t *bytes, const struct tiff_grid *g, const struct tiff_list *list, size_t i)
{
    const struct tiff t = {.bytes = list->is_kept ? list->kept : bytes + list->at,
                           .big_endian = g->big_endian};
    return number(&t, i * (size_t)list->size, list->size);
}

void tiff_set_tile(uint8_t *bytes, const struct tiff_grid *g, size_t tile)
{
    put_entry(bytes, g->big_endian, g->entry[0], STRIP_OFFSETS, item(bytes, g, &g->offset, tile));
    put_entry(bytes, g->big_endian, g->entry[1], STRIP_BYTE_COUNTS, item(bytes, g, &g->length, tile));
}
