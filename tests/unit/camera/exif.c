/* Orientation tags, as cameras and phones write them into JPEG, PNG, WebP and TIFF files. */
#include <string.h>

#include "../check.h"
#include "camera/exif.h"

/* A string with zero bytes in it, without the NUL that C adds. */
#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

#define LITTLE(n) "II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0" n "\0\0\0\0\0\0\0"
#define BIG(n) "MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0" n "\0\0\0\0\0\0"
#define EXIF "Exif\0\0"

static void test_formats(void)
{
    CHECK(exif_orientation(BYTES(LITTLE("\6"))) == 6, "TIFF, little end first");
    CHECK(exif_orientation(BYTES(BIG("\3"))) == 3, "TIFF, big end first");
    CHECK(exif_orientation(BYTES("\xff\xd8\xff\xe1\0\x22" EXIF LITTLE("\5"))) == 5, "JPEG");
    CHECK(exif_orientation(BYTES("\xff\xd8\xff\xe0\0\4JF\xff\xff\xe1\0\x22" EXIF BIG("\7"))) == 7,
          "JPEG, behind another segment and a fill byte");
    CHECK(exif_orientation(BYTES("\xff\xd8\xff\xe1\0\12http:adobe\xff\xe1\0\x22" EXIF BIG("\7"))) ==
              1,
          "JPEG whose segment is cut: nothing");
    CHECK(exif_orientation(BYTES("\x89PNG\r\n\x1a\n\0\0\0\1IHDR.crc.\0\0\0\x1a"
                                 "eXIf" LITTLE("\2") "crc.")) == 2,
          "PNG");
    CHECK(exif_orientation(BYTES("RIFF....WEBPVP8X\1\0\0\0.\0EXIF\x1a\0\0\0" LITTLE("\4"))) == 4,
          "WebP, behind a chunk of odd length");
    CHECK(exif_orientation(BYTES("RIFF....WEBPEXIF\x20\0\0\0" EXIF LITTLE("\10"))) == 8,
          "WebP whose EXIF begins as in JPEG");
}

#define BOX(len, type, body) "\0\0\0" len type body
#define IROT(n) BOX("\x09", "irot", n)
#define IMIR(n) BOX("\x09", "imir", n)

static void test_heif(void)
{
    CHECK(exif_orientation(BYTES("\0\0\0\x10" "ftypheic\0\0\0\0\0\0\0\x50meta\0\0\0\0"
                                 "\0\0\0\x0epitm\0\0\0\0\0\2\0\0\0\x36iprp\0\0\0\x1aipco"
                                 IROT("\1") IMIR("\1")
                                 "\0\0\0\x14ipma\0\0\0\0\0\0\0\1\0\2\1\1")) == 8,
          "HEIF turned counterclockwise");
    CHECK(exif_orientation(BYTES("\0\0\0\x10" "ftypheic\0\0\0\0\0\0\0\x51meta\0\0\0\0"
                                 "\0\0\0\x0epitm\0\0\0\0\0\2\0\0\0\x37iprp\0\0\0\x1aipco"
                                 IROT("\1") IMIR("\1")
                                 "\0\0\0\x15ipma\0\0\0\0\0\0\0\1\0\2\2\x81\2")) == 7,
          "HEIF turned, then mirrored");
    CHECK(exif_orientation(BYTES("\0\0\0\x10" "ftypheic\0\0\0\0\0\0\0\x50meta\0\0\0\0"
                                 "\0\0\0\x0epitm\0\0\0\0\0\2\0\0\0\x36iprp\0\0\0\x1aipco"
                                 IROT("\1") IMIR("\1")
                                 "\0\0\0\x14ipma\0\0\0\0\0\0\0\1\0\3\1\1")) == 1,
          "HEIF where another item is turned");
}

static void test_nonsense(void)
{
    CHECK(exif_orientation(BYTES("")) == 1, "nothing");
    CHECK(exif_orientation(BYTES(LITTLE("\0"))) == 1, "orientation 0");
    CHECK(exif_orientation(BYTES(LITTLE("\11"))) == 1, "orientation 9");
    CHECK(exif_orientation(BYTES("II*\0\xff\xff\xff\xff")) == 1, "a directory beyond the end");
    CHECK(exif_orientation(BYTES("\xff\xd8\xff\xda\0\4..\xff\xe1\0\x22" EXIF LITTLE("\5"))) == 1,
          "EXIF behind the picture's data is not its");
}

/* Cut anywhere, it is read within its bytes (a sanitizer or valgrind sees to that). */
static void test_cut(void)
{
    static const uint8_t whole[] = "\xff\xd8\xff\xe1\0\x22" EXIF LITTLE("\5");
    int right = 1;
    for (size_t len = 0; len < sizeof whole; len++) {
        int got = exif_orientation(whole, len);
        right &= got == 1 || (got == 5 && len + 5 >= sizeof whole);
    }
    CHECK(right, "cut anywhere it says 1 until the tag is there");
}

int main(void)
{
    test_formats();
    test_heif();
    test_nonsense();
    test_cut();
    return check_done();
}
