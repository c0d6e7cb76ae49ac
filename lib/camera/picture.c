#include "picture.h"

#include <string.h>

#include "stream/stream.h"

/* How files begin. A dot in a pattern stands for any byte. */
static const struct magic {
    const char *bytes;
    size_t len;
    enum picture_type type;
    enum AVCodecID codec;
} magics[] = {
    {"\xff\xd8\xff", 3, PICTURE_IMAGE, AV_CODEC_ID_MJPEG},
    {"\x89PNG\r\n\x1a\n", 8, PICTURE_IMAGE, AV_CODEC_ID_PNG},
    {"RIFF....WEBP", 12, PICTURE_IMAGE, AV_CODEC_ID_WEBP},
    {"BM", 2, PICTURE_IMAGE, AV_CODEC_ID_BMP},
    {"II*\0", 4, PICTURE_IMAGE, AV_CODEC_ID_TIFF},
    {"MM\0*", 4, PICTURE_IMAGE, AV_CODEC_ID_TIFF},
    {"\xff\x0a", 2, PICTURE_IMAGE, AV_CODEC_ID_JPEGXL},
    {"\0\0\0\x0cJXL \r\n\x87\n", 12, PICTURE_IMAGE, AV_CODEC_ID_JPEGXL},
    {"\0\0\0\x0cjP  \r\n\x87\n", 12, PICTURE_IMAGE, AV_CODEC_ID_JPEG2000},
    {"\xff\x4f\xff\x51", 4, PICTURE_IMAGE, AV_CODEC_ID_JPEG2000},
    {"qoif", 4, PICTURE_IMAGE, AV_CODEC_ID_QOI},
    {"GIF8", 4, PICTURE_VIDEO, AV_CODEC_ID_NONE},
    {"....ftyp", 8, PICTURE_VIDEO, AV_CODEC_ID_NONE}, /* MP4, MOV, HEIF, AVIF */
    {"\x1a\x45\xdf\xa3", 4, PICTURE_VIDEO, AV_CODEC_ID_NONE}, /* Matroska, WebM */
    {"RIFF....AVI ", 12, PICTURE_VIDEO, AV_CODEC_ID_NONE},
};

static const struct magic *find_magic(const uint8_t *head, size_t len)
{
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        const struct magic *m = &magics[i];
        size_t same = 0;
        while (same < m->len && same < len &&
               (m->bytes[same] == '.' || head[same] == (uint8_t)m->bytes[same]))
            same++;
        if (same == m->len)
            return m;
    }
    return NULL;
}

enum picture_type picture_type(const uint8_t *head, size_t len)
{
    if (len >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '7' &&
        strchr(" \t\n\v\f\r#", head[2]) && head[2])
        return PICTURE_PNM;
    const struct magic *m = find_magic(head, len);
    return m ? m->type : PICTURE_UNKNOWN;
}

enum AVCodecID picture_codec(const uint8_t *head, size_t len)
{
    const struct magic *m = find_magic(head, len);
    return m ? m->codec : AV_CODEC_ID_NONE;
}

AVCodecContext *picture_decoder(enum AVCodecID id, const AVCodecParameters *par, int threads,
                                AVDictionary **options, struct err *e)
{
    const AVCodec *codec = avcodec_find_decoder(id);
    if (!codec) {
        err_set(e, "this FFmpeg has no decoder for %s", avcodec_get_name(id));
        return NULL;
    }
    AVCodecContext *decoder = avcodec_alloc_context3(codec);
    if (!decoder || (par && avcodec_parameters_to_context(decoder, par) < 0)) {
        err_set(e, "out of memory");
        avcodec_free_context(&decoder);
        return NULL;
    }
    decoder->max_pixels = FRAME_MAX_PIXELS;
    if (!par && (id == AV_CODEC_ID_MJPEG || id == AV_CODEC_ID_PNG)) /* a file cut short is an error */
        decoder->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
    decoder->thread_count = threads;
    int status = avcodec_open2(decoder, codec, options);
    if (status < 0) {
        err_set(e, "%s decoder: %s", codec->name, av_err2str(status));
        avcodec_free_context(&decoder);
    }
    return decoder;
}

int picture_decode(AVFrame *picture, const AVPacket *packet, struct err *e)
{
    AVCodecContext *decoder =
        picture_decoder(picture_codec(packet->data, packet->size), NULL, 1, NULL, e);
    if (!decoder)
        return -1;
    int status = avcodec_send_packet(decoder, packet);
    if (status >= 0) {
        status = avcodec_receive_frame(decoder, picture);
        if (status == AVERROR(EAGAIN)) {
            avcodec_send_packet(decoder, NULL);
            status = avcodec_receive_frame(decoder, picture);
        }
    }
    if (status < 0)
        err_set(e, "not a whole %s picture: %s", avcodec_get_name(decoder->codec_id),
                status == AVERROR_EOF ? "no picture in it" : av_err2str(status));
    avcodec_free_context(&decoder);
    return status < 0 ? -1 : 0;
}
