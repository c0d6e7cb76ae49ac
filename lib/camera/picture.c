/* The kinds of files that pictures come in, and pictures decoded from their bytes. Input are names and
 * bytes of files, output what kind they are and libavcodec's pictures. */
#include "picture.h"

#include <string.h>

#include <libavutil/avstring.h>
#include <libavutil/imgutils.h>

#include "exif.h"

#define BYTES(s) (s), sizeof(s) - 1
#define NO_BYTES NULL, 0

/* All that is known of kinds of files. What holds its pictures itself is here; hls, dash, concat, sdp, image2
 * and svg, which name other files, are not. */
static const struct kind {
    const char *formats; /* FFmpeg's names for it, with commas */
    const char *endings; /* of files' names, with commas */
    const char *bytes;   /* how it begins; a dot stands for any byte */
    size_t len;
    enum picture_type type;
    enum AVCodecID codec;
} kinds[] = {
    {"jpeg_pipe", "jpg,jpeg,jpe,jfif", BYTES("\xff\xd8\xff"), PICTURE_IMAGE, AV_CODEC_ID_MJPEG},
    {"png_pipe,apng", "png", BYTES("\x89PNG\r\n\x1a\n"), PICTURE_IMAGE, AV_CODEC_ID_PNG},
    {"webp_pipe", "webp", BYTES("RIFF....WEBP"), PICTURE_IMAGE, AV_CODEC_ID_WEBP},
    {"bmp_pipe", "bmp,dib", BYTES("BM"), PICTURE_IMAGE, AV_CODEC_ID_BMP},
    {"tiff_pipe", "tif,tiff", BYTES("II*\0"), PICTURE_IMAGE, AV_CODEC_ID_TIFF},
    {"", "", BYTES("MM\0*"), PICTURE_IMAGE, AV_CODEC_ID_TIFF},
    {"jpegxl_pipe,jpegxl_anim", "jxl", BYTES("\xff\x0a"), PICTURE_IMAGE, AV_CODEC_ID_JPEGXL},
    {"", "", BYTES("\0\0\0\x0cJXL \r\n\x87\n"), PICTURE_IMAGE, AV_CODEC_ID_JPEGXL},
    {"j2k_pipe", "jp2", BYTES("\0\0\0\x0cjP  \r\n\x87\n"), PICTURE_IMAGE, AV_CODEC_ID_JPEG2000},
    {"", "j2k", BYTES("\xff\x4f\xff\x51"), PICTURE_IMAGE, AV_CODEC_ID_JPEG2000},
    {"qoi_pipe", "qoi", BYTES("qoif"), PICTURE_IMAGE, AV_CODEC_ID_QOI},
    {"pam_pipe,pbm_pipe,pgm_pipe,ppm_pipe", "pgm,ppm,pbm,pnm,pam", NO_BYTES, PICTURE_PNM, 0},
    {"jpegls_pipe,pcx_pipe,psd_pipe,sgi_pipe", "", NO_BYTES, PICTURE_IMAGE, 0},
    {"sunrast_pipe,xbm_pipe,xpm_pipe,xwd_pipe", "", NO_BYTES, PICTURE_IMAGE, 0},
    {"", "pdf", BYTES("%PDF-"), PICTURE_PDF, 0},
    {"", "heic,heif", BYTES("....ftyphei"), PICTURE_HEIF, 0},
    {"", "", BYTES("....ftypmif1"), PICTURE_HEIF, 0},
    {"", "avif", BYTES("....ftypavif"), PICTURE_HEIF, 0},
    {"mov", "mp4,mov,m4v,3gp", BYTES("....ftyp"), PICTURE_VIDEO, 0},
    {"gif", "gif", BYTES("GIF8"), PICTURE_VIDEO, 0},
    {"matroska", "mkv,webm", BYTES("\x1a\x45\xdf\xa3"), PICTURE_VIDEO, 0},
    {"avi", "avi", BYTES("RIFF....AVI "), PICTURE_VIDEO, 0},
    {"asf", "wmv", NO_BYTES, PICTURE_VIDEO, 0},
    {"flv", "flv", NO_BYTES, PICTURE_VIDEO, 0},
    {"mjpeg,mjpeg_2000", "mjpeg,mjpg", NO_BYTES, PICTURE_VIDEO, 0},
    {"mpeg,mpegts,mpegvideo", "mpg,mpeg,mts,m2ts", NO_BYTES, PICTURE_VIDEO, 0},
    {"ogg", "ogv", NO_BYTES, PICTURE_VIDEO, 0},
    {"av1,h261,h263,h264,hevc,m4v,obu,vc1,vvc,yuv4mpegpipe", "", NO_BYTES, PICTURE_VIDEO, 0},
    {"cine,dv,flic,gxf,ivf,lavf,mxf,nut,rm,swf", "", NO_BYTES, PICTURE_VIDEO, 0},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* The kind of a file that begins with these bytes; NULL: not known. */
static const struct kind *find_kind(const uint8_t *head, size_t len)
{
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        size_t same = 0;
        while (same < k->len && same < len && (k->bytes[same] == '.' || head[same] == (uint8_t)k->bytes[same]))
            same++;
        if (k->len > 0 && same == k->len)
            return k;
    }
    return NULL;
}

enum picture_type picture_type(const uint8_t *head, size_t len)
{
    if (len >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '7' && strchr(" \t\n\v\f\r#", head[2]) && head[2])
        return PICTURE_PNM;
    const struct kind *k = find_kind(head, len);
    return k ? k->type : PICTURE_UNKNOWN;
}

enum AVCodecID picture_codec(const uint8_t *head, size_t len)
{
    const struct kind *k = find_kind(head, len);
    return k ? k->codec : AV_CODEC_ID_NONE;
}

bool picture_named(const char *name)
{
    int i = 0;
    while (i < KINDS && !av_match_ext(name, kinds[i].endings))
        i++;
    return i < KINDS;
}

bool picture_format(const char *name)
{
    int i = 0;
    while (i < KINDS && !av_match_name(name, kinds[i].formats))
        i++;
    return i < KINDS;
}

void picture_formats(char *text, size_t size)
{
    for (int i = 0; i < KINDS; i++)
        if (*kinds[i].formats)
            av_strlcatf(text, size, "%s%s", *text ? "," : "", kinds[i].formats);
}

/* Pictures get their memory here: a file of some bytes can ask for gigabytes. */
static int limited_buffer(AVCodecContext *decoder, AVFrame *picture, int flags)
{
    int size = av_image_get_buffer_size(picture->format, picture->width, picture->height, 1);
    return size < 0 || size > PICTURE_MAX_BYTES ? AVERROR(EFBIG)
                                                : avcodec_default_get_buffer2(decoder, picture, flags);
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
    decoder->get_buffer2 = limited_buffer;
    if (!par && (id == AV_CODEC_ID_MJPEG || id == AV_CODEC_ID_PNG)) /* a truncated file is an error */
        decoder->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
    decoder->thread_count = threads;
    int status = avcodec_open2(decoder, codec, options);
    if (status < 0) {
        err_set(e, "%s decoder: %s", codec->name, av_err2str(status));
        avcodec_free_context(&decoder);
    }
    return decoder;
}

/* Say why a picture was not decoded. FFmpeg has one word for damage and for too many pixels, of which it counts
 * some more on each side. */
static void tell_undecoded(const AVCodecContext *decoder, const AVPacket *packet, int status, struct err *e)
{
    const long long more = 128;
    long long width, height;
    if (status == AVERROR_INVALIDDATA && exif_sides(packet->data, (size_t)packet->size, &width, &height) &&
        (width + more) * (height + more) >= FRAME_MAX_PIXELS)
        err_set(e, "%lldx%lld pixels are too many: with %lld added to each side they must be fewer than %ld", width,
                height, more, FRAME_MAX_PIXELS);
    else
        err_set(e, "not a whole %s picture: %s", avcodec_get_name(decoder->codec_id),
                status == AVERROR_EOF ? "no picture in it" : picture_error(status));
}

int picture_decode(AVFrame *picture, const AVPacket *packet, struct err *e)
{
    AVCodecContext *decoder = picture_decoder(picture_codec(packet->data, packet->size), NULL, 1, NULL, e);
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
        tell_undecoded(decoder, packet, status, e);
    avcodec_free_context(&decoder);
    return status < 0 ? -1 : 0;
}
