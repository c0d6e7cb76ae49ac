/* The kinds of files that pictures come in; and image files (one picture, or few, in a file) decoded from
 * memory with libavcodec, without a container around them. */
#ifndef INKPIPE_PICTURE_H
#define INKPIPE_PICTURE_H

#include <stdbool.h>

#include <libavcodec/avcodec.h>

#include "base/err.h"

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

#endif
