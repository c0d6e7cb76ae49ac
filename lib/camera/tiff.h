/* The pages of a TIFF file (Adobe, TIFF Revision 6.0), of which FFmpeg decodes the first: each is made the first
 * in turn. */
#ifndef INKPIPE_TIFF_H
#define INKPIPE_TIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The number of so many bytes at p. */
static inline size_t tiff_bytes(const uint8_t *p, int size, bool big_endian)
{
    size_t n = 0;
    for (int i = 0; i < size; i++)
        n = n << 8 | p[big_endian ? i : size - 1 - i];
    return n;
}

/* Make the page after the first one of this file the first, and forget the one that was. Returns 1; 0 when it
 * was the last; -1 when the file is damaged there, or its pages go round. Never reads or writes outside the bytes. */
int tiff_next_page(uint8_t *bytes, size_t len, struct err *e);

/* The one number of a tag of the first page; `missing` where there is no such tag, or the bytes are no TIFF file. */
size_t tiff_number(const uint8_t *bytes, size_t len, size_t tag, size_t missing);

/* Is the first page a small copy of another page, or a mask of one? */
bool tiff_is_auxiliary(const uint8_t *bytes, size_t len);

/* Is the first page stored as JPEG, which FFmpeg gives as black without a word? (Not in a DNG.) */
bool tiff_is_jpeg(const uint8_t *bytes, size_t len);

/* Is the first page stored in tiles, not in strips? (Those of a DNG FFmpeg reads.) */
bool tiff_is_tiled(const uint8_t *bytes, size_t len);

/* The tiles of a page, from its upper left corner row by row; those at the right and below reach over it. */
struct tiff_grid {
    size_t width, height;           /* pixels of the page */
    size_t tile_width, tile_height; /* pixels of a tile */
    size_t across, tiles;           /* tiles in a row, and in all */
    struct tiff_list {
        size_t at;       /* where in the file they are, unless kept */
        int size;        /* bytes of a number */
        bool is_kept;    /* they were in the directory, which is overwritten, and are here: */
        uint8_t kept[4];
    } offset, length;    /* of the tiles in the file */
    size_t entry[2];     /* where the directory says the offset and the length of the strip */
    bool big_endian;
};

/* Make the first page, which is in tiles, one of a single strip as large as a tile, which tiff_set_tile chooses.
 * Returns 0, or -1 when the tiles are not all there or of a kind that cannot be read so. */
int tiff_open_tiles(uint8_t *bytes, size_t len, struct tiff_grid *grid, struct err *e);
void tiff_set_tile(uint8_t *bytes, const struct tiff_grid *grid, size_t tile);

#endif
