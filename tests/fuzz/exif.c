/* Orientation and sides of a picture file that a stranger made, and the pages of a TIFF. */
#include <stdlib.h>
#include <string.h>

#include "camera/exif.h"
#include "camera/tiff.h"

#define MAX_PAGES 100

static void walk(const uint8_t *data, size_t size)
{
    struct err e = ERR_NONE;
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return;
    memcpy(bytes, data, size);
    for (int i = 0, more = 1; i < MAX_PAGES && more > 0; i++, more = tiff_next_page(bytes, size, &e)) {
        struct tiff_grid g;
        tiff_is_auxiliary(bytes, size);
        if (tiff_is_tiled(bytes, size) && !tiff_open_tiles(bytes, size, &g, &e))
            for (size_t tile = 0; tile < g.tiles; tile++)
                tiff_set_tile(bytes, &g, tile);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int orientation = exif_orientation(data, size);
    if (orientation < 1 || orientation > 8)
        abort();
    long long width = 0, height = 0;
    exif_sides(data, size, &width, &height);
    if (width < 0 || width >= 1LL << 32 || height < 0 || height >= 1LL << 32)
        abort();
    if (size > 0)
        walk(data, size);
    return 0;
}
