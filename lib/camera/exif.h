/* What a picture file says of its picture, whether that can be decoded or not. Which way up it is: the Orientation
 * tag of EXIF (JEITA CP-3451), found in JPEG (APP1), PNG (eXIf), WebP (EXIF) and TIFF files; in HEIF and AVIF files
 * the properties irot and imir, which FFmpeg before 8 does not tell. */
#ifndef INKPIPE_EXIF_H
#define INKPIPE_EXIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The orientation 1..8 that the len bytes of a picture file say, 1 where they say nothing or
 * nonsense. Never reads outside the bytes. */
int exif_orientation(const uint8_t *bytes, size_t len);

/* How many times wider than high the pixels of a JPEG file are by the dots an inch or centimetre of its JFIF
 * header; 0: it does not say. */
double exif_jpeg_shape(const uint8_t *bytes, size_t len);

/* The sides, in pixels, of a PNG (IHDR; ISO/IEC 15948, 11.2.2) or JPEG file (the first marker SOF; ITU-T T.81,
 * B.2.2). Returns whether it says any. Never reads outside the bytes. */
bool exif_sides(const uint8_t *bytes, size_t len, long long *width, long long *height);

/* The orientation nearest to x' = a x + c y, y' = b x + d y, with y downwards. */
int exif_of_matrix(double a, double b, double c, double d);

#endif
