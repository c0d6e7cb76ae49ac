/* Image files (one picture, or few, in a file) decoded from memory with libavcodec, without a
 * container around them. */
#ifndef INKPIPE_PICTURE_H
#define INKPIPE_PICTURE_H

#include <libavcodec/avcodec.h>

#include "base/err.h"

/* What a file is, by its first bytes. */
enum picture_type {
    PICTURE_UNKNOWN,
    PICTURE_PNM,   /* P1..P7: lib/frame reads it */
    PICTURE_IMAGE, /* JPEG, PNG, WebP, BMP, TIFF, JPEG XL, ...: picture_decode */
    PICTURE_VIDEO  /* a container of pictures (an animated GIF or HEIF among them) */
};

/* Bytes of a file that picture_type and picture_codec look at. */
#define PICTURE_HEAD 32

enum picture_type picture_type(const uint8_t *head, size_t len);

/* libavcodec's decoder for a PICTURE_IMAGE, AV_CODEC_ID_NONE otherwise. */
enum AVCodecID picture_codec(const uint8_t *head, size_t len);

/* Open the decoder of codec id (par: what a container knows, or NULL) with FRAME_MAX_PIXELS as
 * its limit. Returns NULL on failure; free with avcodec_free_context. */
AVCodecContext *picture_decoder(enum AVCodecID id, const AVCodecParameters *par, int threads,
                                AVDictionary **options, struct err *e);

/* Decode the whole file in packet (a PICTURE_IMAGE) into picture. Returns 0 or -1. */
int picture_decode(AVFrame *picture, const AVPacket *packet, struct err *e);

#endif
