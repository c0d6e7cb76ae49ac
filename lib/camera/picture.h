/* Pictures on their way from files to gray frames; for this room alone. The kinds of files that they come in, and
 * image files (one picture, or few, in a file) decoded from memory with libavcodec, without a container around them
 * (picture.c); what else frames are made of (tiles.c, gray.c); whether there is a screen (screen.c). */
#ifndef INKPIPE_PICTURE_H
#define INKPIPE_PICTURE_H

#include <stdbool.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "camera.h"

/* What a file is, by its magic number. */
enum picture_type {
    PICTURE_UNKNOWN,
    PICTURE_PNM,   /* P1..P7: lib/stream reads it */
    PICTURE_IMAGE, /* JPEG, PNG, WebP, BMP, TIFF, JPEG XL, ...: picture_decode */
    PICTURE_PDF,   /* pages, which pdf.c has made into frames */
    PICTURE_HEIF,  /* a container of photos, AVIF too */
    PICTURE_VIDEO  /* a container of pictures (an animated GIF among them) */
};

#define PICTURE_MAX_HEAD 32 /* picture_type and picture_codec look at most at so many bytes of a file's beginning. */

enum picture_type picture_type(const uint8_t *head, size_t len);

/* libavcodec's decoder for a PICTURE_IMAGE, AV_CODEC_ID_NONE otherwise. */
enum AVCodecID picture_codec(const uint8_t *head, size_t len);

/* Does a file's name end as those of pictures and videos do? */
bool picture_named(const char *name);

/* Is that FFmpeg's name of a format that holds its pictures itself? All of them, with commas between, are
 * added to text, which has room for size bytes (PICTURE_FORMATS is enough). */
bool picture_format(const char *name);
void picture_formats(char *text, size_t size);
#define PICTURE_FORMATS 1024

/* Bytes that one picture may take in memory as it is decoded; one that takes more is AVERROR(EFBIG). */
#define PICTURE_MAX_BYTES (1 << 30)

/* What FFmpeg's status says. */
#define picture_error(status)                                                                      \
    ((status) == AVERROR(EFBIG) ? "it takes more than 1 GiB of memory" : av_err2str(status))

/* Open the decoder of codec id (par: what a container knows, or NULL) with FRAME_MAX_PIXELS and
 * PICTURE_MAX_BYTES as its limits. Returns NULL on failure; free with avcodec_free_context. */
AVCodecContext *picture_decoder(enum AVCodecID id, const AVCodecParameters *par, int threads,
                                AVDictionary **options, struct err *e);

/* Decode the whole file in packet (a PICTURE_IMAGE) into picture. Returns 0 or -1. */
int picture_decode(AVFrame *picture, const AVPacket *packet, struct err *e);

/* ---- A decoded picture of any of FFmpeg's pixel formats as 8-bit gray (gray.c) ----
 *
 * The luma, full range, whatever the source's range and bit depth, transparent parts on white, or on black where
 * nothing would be seen. */

/* Make out the gray of in (its size, no facts changed). Luma is the Y of YUV formats, expanded from
 * 16..235 to 0..255 where in is of limited range (YUV that does not say is), and
 * 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) of RGB. Returns 0 or -1. */
int gray_from_picture(struct frame *out, const AVFrame *in, struct err *e);

/* Make a picture whose pixels are so many times wider than high one of square pixels: its coarser side gets more
 * of them, interpolated between the two nearest. Ratios that are nearly 1 or beyond belief (0 too) leave it as it
 * is, and so does one that would make it larger than a frame can be. `spare` is as of gray_turn. Returns 0 or -1. */
int gray_square(struct frame *f, double wide, struct frame *spare, struct err *e);

/* Copy a tile to (x, y) of the canvas, clipped to it. */
void gray_put(struct frame *canvas, const struct frame *tile, int x, int y);

/* ---- Photos stored as a grid of tiles: HEIF of phones, large AVIF (tiles.c) ----
 *
 * Known to libavformat 61 (FFmpeg 7); with an older one there are none. */

/* The stream of the first tile, when what is open in format is such a photo; -1 otherwise. */
int tiles_stream(const AVFormatContext *format);

/* Decode all tiles and put them together in f. `tile` is a frame whose memory is used. Returns 0 or -1. */
int tiles_read(AVFormatContext *format, struct frame *f, struct frame *tile, struct err *e);

/* ---- What to ask of a camera (v4l2.c) ---- */

/* The format, size and rate to ask of a camera. */
struct v4l2_mode {
    int width, height;
    double rate;
    char format[32]; /* FFmpeg's name: a pixel format or a codec */
};

/* Choose for device what is nearest to the mode wanted: its size, then the raw format that gives its rate at
 * that size (the one whose luma is cheapest to take), else Motion JPEG, else whatever there is.
 * *mode becomes what to ask for; format "" where the driver says nothing of its formats. Returns 0, or
 * -1 when device cannot be opened or is no camera, with advice in e. */
int v4l2_choose(const char *device, struct v4l2_mode *mode, struct err *e);

/* Put into e why using device failed with this errno, in words one can act on. Returns -1. */
int v4l2_error(const char *device, int error, struct err *e);

/* ---- Whether an X display can be grabbed (screen.c) ---- */

/* Open the display of an x11grab source ("", ":0.0", ":0.0+10,20"; without a name the one X programs use) to see
 * whether it can be grabbed. NULL when there is none, or when it is Xwayland's, which gives black pictures without an
 * error. Keep it open while grabbing: a server whose last client leaves may restart. */
struct _XDisplay *screen_open(const char *source, struct err *e);
void screen_close(struct _XDisplay *display);

#endif
