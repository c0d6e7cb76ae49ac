/* Pictures from anything FFmpeg reads: a file, URL or device to gray frames, one at a time.
 *   in   a source's name and options
 *   out  upright gray frames with the facts `source`, `frame` and `time`
 * capture_open decides how a source is read (enum how); next_picture demuxes and decodes, gray.c makes the
 * picture gray and turns it, as EXIF or the container's display matrix says. */
#include "picture.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <libavdevice/avdevice.h>
#include <libavutil/avstring.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>

#include "base/clock.h"
#include "exif.h"
#include "tiff.h"

/* The further formats and the protocols that a typed URL may have: streams and playlists of the network. */
static const char url_formats[] = "hls,dash,rtsp,rtp,mpjpeg,live_flv";
static const char url_protocols[] =
    "http,https,httpproxy,tls,tcp,udp,udplite,rtp,srtp,rtmp,rtmps,rtmpt,rtmpe,rtmpts,srt,rist,ftp,"
    "sftp,mmsh,mmst,crypto,data";

/* A file of some bytes gives at most so many pixels for each of them, beside those that every file may give:
 * 65,536 a byte are an hour of a screen that stands still in 7 MB. Of an animation of one-pixel frames on the
 * largest canvas it is bounded time. */
#define MAX_PIXELS_A_BYTE 65536
#define MIN_PIXELS_A_FILE (1LL << 30) /* Every file may give at least so many pixels. */

#define MAX_PAGES 65536                /* At most so many pages of a TIFF are looked at. */
#define MAX_IMAGE_FILE (INT32_MAX / 2) /* A file of one picture has less than so many bytes. */

enum how {
    NOTHING,  /* no source is open */
    PNM,      /* frames, read by lib/stream */
    IMAGE,    /* one picture, or the pages of a TIFF, whole in `packet` */
    TILES,    /* one picture in tiles, read by tiles.c */
    CONTAINER /* pictures demuxed by libavformat */
};

struct camera_capture {
    struct camera_options o;
    enum how how;
    enum camera_kind kind;
    int given; /* the descriptor to read instead of what the source names; -1: none */
    char *source;
    char *name; /* the value of the fact `source`: the source, percent-encoded */
    bool lost, ended;
    atomic_bool interrupted;
    long long bytes, pixels; /* of a file, so far */
    int pages;               /* of an image file, looked at so far */
    long long count; /* pictures that the source has given, skipped and damaged ones included */
    double first_time;
    double deadline; /* when FFmpeg is interrupted (clock_now); HUGE_VAL: never */

    struct frame_reader *pnm;
    struct _XDisplay *screen; /* open as long as x11grab needs the server */
    int fd; /* of a file; -1 otherwise */
    uint8_t head[PICTURE_MAX_HEAD];
    int head_len, head_taken; /* bytes of head[] that were read ahead from a pipe, and given to FFmpeg since */
    AVFormatContext *format;
    AVIOContext *io;
    AVCodecContext *decoder;
    int stream;
    int orientation; /* EXIF orientation of the last packet; 0: the picture or stream says it */
    AVPacket *packet, *newer;
    AVFrame *picture;
    struct frame spare;

    struct stream_feed *feed;     /* whose thread reads a live source, and has all above until it ends; NULL: none */
    struct stream_item item; /* taken last */
    double last;           /* when the last whole picture came (clock_now) */
    bool given_up;         /* nothing but damaged pictures came */
    long damaged;
    struct err first_damage;
};

struct camera_capture *capture_new(const struct camera_options *o, struct err *e)
{
    struct camera_capture *c = calloc(1, sizeof *c);
    if (c) {
        c->o = *o;
        c->fd = -1;
        c->packet = av_packet_alloc();
        c->newer = av_packet_alloc();
        c->picture = av_frame_alloc();
    }
    if (!c || !c->packet || !c->newer || !c->picture) {
        err_set(e, "out of memory");
        capture_free(c);
        return NULL;
    }
    avdevice_register_all();
    return c;
}

long capture_stop(struct camera_capture *c, struct err *e)
{
    atomic_store(&c->interrupted, true);
    feed_free(c->feed);
    c->feed = NULL;
    *e = c->first_damage;
    return c->damaged;
}

void capture_close(struct camera_capture *c)
{
    struct err damage;
    capture_stop(c, &damage);
    if (c->packet)
        av_packet_unref(c->packet);
    if (c->newer)
        av_packet_unref(c->newer);
    av_frame_unref(c->picture);
    avcodec_free_context(&c->decoder);
    avformat_close_input(&c->format);
    if (c->io)
        av_freep(&c->io->buffer);
    avio_context_free(&c->io);
    frame_close(c->pnm);
    c->pnm = NULL;
    screen_close(c->screen);
    c->screen = NULL;
    if (c->fd > 0)
        close(c->fd);
    c->fd = -1;
    free(c->source);
    free(c->name);
    c->source = c->name = NULL;
    c->how = NOTHING;
}

void capture_free(struct camera_capture *c)
{
    if (!c)
        return;
    capture_close(c);
    av_packet_free(&c->packet);
    av_packet_free(&c->newer);
    av_frame_free(&c->picture);
    frame_free(&c->spare);
    frame_free(&c->item.frame);
    free(c);
}

enum camera_kind capture_kind(const struct camera_capture *c)
{
    return c->kind;
}

bool capture_lost(const struct camera_capture *c)
{
    return c->lost;
}

/* ---- files: FFmpeg gets bytes, never names ---- */

static int read_bytes(void *opaque, uint8_t *to, int size)
{
    struct camera_capture *c = opaque;
    int kept = c->head_len - c->head_taken;
    if (kept > 0) {
        int n = size < kept ? size : kept;
        memcpy(to, c->head + c->head_taken, n);
        c->head_taken += n;
        return n;
    }
    ssize_t n = read_once(c->fd, to, size);
    c->bytes += n > 0 ? n : 0;
    return n < 0 ? AVERROR(errno) : n == 0 ? AVERROR_EOF : (int)n;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    struct camera_capture *c = opaque;
    struct stat st;
    if (whence == AVSEEK_SIZE)
        return fstat(c->fd, &st) ? AVERROR(errno) : st.st_size;
    off_t at = lseek(c->fd, offset, whence & ~AVSEEK_FORCE);
    return at < 0 ? AVERROR(errno) : at;
}

static int open_nothing(AVFormatContext *s, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
    (void)s, (void)io, (void)url, (void)flags, (void)options;
    return AVERROR(EACCES);
}

static int past_deadline(void *opaque)
{
    struct camera_capture *c = opaque;
    return clock_now() > c->deadline || atomic_load(&c->interrupted);
}

static bool is_seekable(int fd)
{
    struct stat st;
    return !fstat(fd, &st) && S_ISREG(st.st_mode);
}

/* Let FFmpeg read c->fd. */
static int open_io(struct camera_capture *c, struct err *e)
{
    enum { BUFFER = 1 << 16 };
    uint8_t *buffer = av_malloc(BUFFER);
    c->io = buffer ? avio_alloc_context(buffer, BUFFER, 0, c, read_bytes, NULL, is_seekable(c->fd) ? seek_bytes : NULL)
                   : NULL;
    if (c->io)
        return 0;
    av_free(buffer);
    return err_set(e, "out of memory");
}

/* Read all of the file into the packet. */
static int read_whole(struct camera_capture *c, struct err *e)
{
    int n = av_get_packet(c->io, c->packet, MAX_IMAGE_FILE);
    if (n == MAX_IMAGE_FILE)
        return err_set(e, "picture file too large");
    if (n < 0 || c->io->error)
        return err_set(e, "%s", n == AVERROR(ENOMEM) ? "out of memory" : av_err2str(n < 0 ? n : c->io->error));
    c->packet->flags = 0; /* that the file was shorter is no damage */
    return 0;
}

/* ---- containers, devices, URLs ---- */

static int options_of(struct camera_capture *c, AVDictionary **dict, struct err *e)
{
    for (int i = 0; i < c->o.options; i++) {
        const char *equals = strchr(c->o.option[i], '=');
        if (!equals)
            return err_set(e, "option %s: not key=value", c->o.option[i]);
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)(equals - c->o.option[i]), c->o.option[i]);
        av_dict_set(dict, key, equals + 1, 0);
    }
    return 0;
}

/* Add size, rate and format to what is asked of a device, where no option gives them. */
static int device_options(struct camera_capture *c, AVDictionary **dict, struct err *e)
{
    char text[64];
    struct v4l2_mode m = {.width = c->o.width, .height = c->o.height, .rate = c->o.rate};
    if (c->kind == CAPTURE_CAMERA) {
        m = (struct v4l2_mode){m.width ? m.width : 640, m.height ? m.height : 480, m.rate > 0 ? m.rate : 30, ""};
        if (v4l2_choose(c->source, &m, e))
            return -1;
    }
    if (m.width > 0) {
        snprintf(text, sizeof text, "%dx%d", m.width, m.height);
        av_dict_set(dict, "video_size", text, AV_DICT_DONT_OVERWRITE);
    }
    if (m.rate > 0) {
        snprintf(text, sizeof text, "%g", m.rate);
        av_dict_set(dict, "framerate", text, AV_DICT_DONT_OVERWRITE);
    }
    if (m.format[0])
        av_dict_set(dict, "input_format", m.format, AV_DICT_DONT_OVERWRITE);
    return 0;
}

/* Detect the format of c->io from its content, not from a name. */
static const AVInputFormat *probe(struct camera_capture *c, struct err *e)
{
    const AVInputFormat *format = NULL;
    if (av_probe_input_buffer2(c->io, &format, NULL, NULL, 0, 0) < 0 || !format) {
        err_set(e, "not a picture or video of a kind known here");
        return NULL;
    }
    char name[64];
    snprintf(name, sizeof name, "%s", format->name);
    name[strcspn(name, ",")] = '\0';
    if (!picture_format(name)) {
        err_set(e, "not a picture or video (%s)", format->long_name);
        return NULL;
    }
    return format;
}

static bool is_device(const AVInputFormat *format)
{
    return format->priv_class && AV_IS_INPUT_DEVICE(format->priv_class->category);
}

static int find_stream(struct camera_capture *c, AVDictionary **options, struct err *e)
{
    if (!is_device(c->format->iformat))
        avformat_find_stream_info(c->format, NULL);
    c->stream = av_find_best_stream(c->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (c->stream < 0)
        return err_set(e, "no pictures in it");
    for (unsigned i = 0; i < c->format->nb_streams; i++)
        c->format->streams[i]->discard = (int)i == c->stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    const AVCodecParameters *par = c->format->streams[c->stream]->codecpar;
    int threads = c->kind != CAPTURE_FILE; /* 0: the CPUs. A decoder is as many pictures late as it has threads. */
    c->decoder = picture_decoder(par->codec_id, par, threads, options, e);
    return c->decoder ? 0 : -1;
}

static int refuse_unused(const AVDictionary *options, struct err *e)
{
    const AVDictionaryEntry *left = av_dict_get(options, "", NULL, AV_DICT_IGNORE_SUFFIX);
    if (left && strcmp(left->key, "video_size") && strcmp(left->key, "framerate"))
        return err_set(e, "no option %s for this source", left->key);
    return 0;
}

/* Put into e what FFmpeg's error status means for this source. Returns -1. */
static int open_error(struct camera_capture *c, int status, struct err *e)
{
    if (c->kind == CAPTURE_CAMERA) {
        v4l2_error(c->source, status == AVERROR_EXIT ? ETIMEDOUT : AVUNERROR(status), e);
        char offers[200];
        size_t at = strlen(e->what);
        if (status == AVERROR(EINVAL) && v4l2_offers(c->source, offers, sizeof offers)[0])
            snprintf(e->what + at, sizeof e->what - at, "; the camera offers %s", offers);
        return -1;
    }
    if (status != AVERROR_EXIT && c->io && picture_type(c->head, c->head_len) == PICTURE_HEIF)
        return err_set(e, "a HEIF photo that this FFmpeg cannot read (7 can): `heif-convert' makes a "
                          "JPEG of it");
    if (status == AVERROR_EOF)
        return err_set(e, "no picture in it");
    if (status == AVERROR_EXIT)
        return err_set(e, "no answer for %d seconds", CAPTURE_PATIENCE);
    if (status == AVERROR_INVALIDDATA)
        return err_set(e, "not a picture or video, or a damaged one");
    return err_set(e, "%s", av_err2str(status));
}

/* Restrict FFmpeg to what this source needs: bytes handed to it, the network, or a device. */
static int limit_format(struct camera_capture *c, const AVInputFormat *format, AVDictionary **options, struct err *e)
{
    c->format->interrupt_callback = (AVIOInterruptCB){past_deadline, c};
    if (options_of(c, options, e))
        return -1;
    if (c->io) {
        c->format->pb = c->io;
        c->format->io_open = open_nothing;
        av_dict_set(options, "protocol_whitelist", "none", 0);
    } else if (!format) {
        char list[PICTURE_FORMATS + sizeof url_formats];
        snprintf(list, sizeof list, "%s", url_formats);
        picture_formats(list, sizeof list);
        av_dict_set(options, "format_whitelist", list, 0);
        av_dict_set(options, "protocol_whitelist", url_protocols, 0);
    } else if (c->kind != CAPTURE_FILE && device_options(c, options, e)) {
        return -1;
    }
    if (c->kind == CAPTURE_CAMERA)
        c->format->flags |= AVFMT_FLAG_NONBLOCK;
    c->deadline = c->kind == CAPTURE_FILE ? HUGE_VAL : clock_now() + 2 * CAPTURE_PATIENCE;
    return 0;
}

/* Find the video stream of the open format and its decoder. `options` are those that the format did not take. */
static int find_pictures(struct camera_capture *c, AVDictionary **options, struct err *e)
{
    int tiles = tiles_stream(c->format);
    c->how = tiles < 0 ? CONTAINER : TILES;
    if (tiles >= 0)
        c->stream = tiles;
    else if (find_stream(c, options, e))
        return -1;
    return refuse_unused(*options, e);
}

static int open_format(struct camera_capture *c, const AVInputFormat *format, struct err *e)
{
    AVDictionary *options = NULL;
    c->format = avformat_alloc_context();
    if (!c->format)
        return err_set(e, "out of memory");
    int failed = limit_format(c, format, &options, e);
    if (!failed) {
        int status = avformat_open_input(&c->format, c->io ? "" : c->source, format, &options);
        failed = status < 0 ? open_error(c, status, e) : find_pictures(c, &options, e);
    }
    if (!failed && !format && c->format->duration > 0) /* a URL of known length is not live */
        c->kind = CAPTURE_FILE;
    av_dict_free(&options);
    return failed;
}

/* Open the source as c->fd. Standard input is descriptor 0, which capture_close leaves open. */
static int open_fd(struct camera_capture *c, struct err *e)
{
    struct stat st;
    c->fd = c->given >= 0             ? dup(c->given)
            : !strcmp(c->source, "-") ? 0
                                      : open(c->source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (c->fd < 0 || fstat(c->fd, &st))
        return err_set(e, "%s", strerror(errno));
    if (S_ISDIR(st.st_mode))
        return err_set(e, "is a folder");
    while (c->head_len < PICTURE_MAX_HEAD) {
        ssize_t n = read_once(c->fd, c->head + c->head_len, PICTURE_MAX_HEAD - c->head_len);
        if (n < 0)
            return err_set(e, "%s", strerror(errno));
        if (n == 0)
            break;
        c->head_len += n;
    }
    if (c->head_len == 0 && c->given >= 0 && S_ISFIFO(st.st_mode))
        return err_set(e, "not a PDF that pdftoppm can read: it is damaged, or has a password");
    if (c->head_len == 0)
        return err_set(e, "the file is empty");
    if (S_ISREG(st.st_mode) && lseek(c->fd, -c->head_len, SEEK_CUR) >= 0)
        c->head_taken = c->head_len;
    return 0;
}

/* A named image file is one picture, whatever follows in it. Standard input and .mjpeg files may
 * carry one after another, which libavformat can tell apart in formats that have a parser. */
static bool is_one_image(const struct camera_capture *c, enum AVCodecID codec)
{
    if (strcmp(c->source, "-") && !av_match_ext(c->source, "mjpeg,mjpg"))
        return true;
    AVCodecParserContext *parser = av_parser_init(codec);
    av_parser_close(parser);
    return !parser;
}

static int open_file(struct camera_capture *c, struct err *e)
{
    c->kind = CAPTURE_FILE;
    c->head_len = c->head_taken = 0;
    if (open_fd(c, e))
        return -1;
    enum picture_type type = picture_type(c->head, c->head_len);
    if (type == PICTURE_PNM && !c->o.format) {
        c->pnm = frame_open_begun(c->fd, c->source, c->head + c->head_taken, c->head_len - c->head_taken, e);
        c->fd = -1;
        c->how = PNM;
        return c->pnm ? 0 : -1;
    }
    if (type == PICTURE_PDF && (c->given >= 0 || !strcmp(c->source, "-")))
        return err_set(e, "a PDF, which is read only as a file that is named");
    if (type == PICTURE_PDF)
        return err_set(e, "a PDF, which takes the program pdftoppm to read: install the package "
                          "poppler-utils");
    if (open_io(c, e))
        return -1;
    enum AVCodecID codec = picture_codec(c->head, c->head_len);
    if (!c->o.format && type == PICTURE_IMAGE && is_one_image(c, codec)) {
        c->how = IMAGE;
        return read_whole(c, e);
    }
    ssize_t begun = is_seekable(c->fd) ? pread(c->fd, c->io->buffer, c->io->buffer_size, 0) : 0;
    int turn = begun > 0 ? exif_orientation(c->io->buffer, begun) : 1;
    c->orientation = turn > 1 ? turn : 0; /* of a HEIF file; others give it by packet or stream */
    const AVInputFormat *format = c->o.format ? av_find_input_format(c->o.format) : probe(c, e);
    return format ? open_format(c, format, e) : -1;
}

static int open_device(struct camera_capture *c, const AVInputFormat *format, struct err *e)
{
    bool camera = av_match_name("v4l2", format->name);
    c->kind = camera                          ? CAPTURE_CAMERA
              : !strcmp(format->name, "lavfi") ? CAPTURE_FILE
                                               : CAPTURE_LIVE;
    if (!strcmp(format->name, "x11grab") && !(c->screen = screen_open(c->source, e)))
        return -1;
    return open_format(c, format, e);
}

static int open_source(struct camera_capture *c, struct err *e)
{
    const AVInputFormat *format = NULL;
    if (c->given >= 0)
        return open_file(c, e);
    if (c->o.format && !(format = av_find_input_format(c->o.format)))
        return err_set(e, "this FFmpeg has no input format %s", c->o.format);
    if (!format && (!strncmp(c->source, "/dev/video", 10) || !strncmp(c->source, "/dev/v4l/", 9)))
        format = av_find_input_format("v4l2");
    if (format && is_device(format))
        return open_device(c, format, e);
    if (strstr(c->source, "://") && access(c->source, F_OK)) {
        c->kind = CAPTURE_LIVE;
        return open_format(c, NULL, e);
    }
    return open_file(c, e);
}

/* Make c a source of that name, of which nothing has been read. */
static int name_source(struct camera_capture *c, const char *source, struct err *e)
{
    capture_close(c);
    size_t room = strlen(source) * 3 + strlen(c->o.format ? c->o.format : "") + 1;
    c->source = strdup(source);
    c->name = malloc(room);
    if (!c->source || !c->name)
        return err_set(e, "out of memory");
    text_percent(source[0] || !c->o.format ? source : c->o.format, "%", c->name, room);
    text_hide_password(c->name);
    c->lost = c->ended = c->given_up = false;
    c->damaged = 0;
    atomic_store(&c->interrupted, false);
    c->count = c->bytes = c->pixels = c->pages = 0;
    c->first_time = NAN;
    c->orientation = 0;
    return 0;
}

int capture_open(struct camera_capture *c, const char *source, int fd, struct err *e)
{
    c->given = fd;
    if (name_source(c, source, e))
        return -1;
    if (open_source(c, e)) {
        err_at(e, source[0] || !c->o.format ? source : c->o.format, -1);
        capture_close(c);
        return -1;
    }
    return 0;
}

/* ---- reading ---- */

static int lose(struct camera_capture *c, int status, struct err *e)
{
    c->lost = true;
    return open_error(c, status, e);
}

/* av_read_frame, polling a camera so that the deadline holds (a driver would block). */
static int read_packet(struct camera_capture *c, AVPacket *packet)
{
    const struct timespec pause = {0, 2000000};
    for (;;) {
        int status = av_read_frame(c->format, packet);
        if (status == AVERROR(EAGAIN)) {
            if (past_deadline(c))
                return AVERROR_EXIT;
            nanosleep(&pause, NULL);
            continue;
        }
        if (status >= 0 && (packet->stream_index != c->stream || packet->size == 0)) {
            av_packet_unref(packet);
            if (c->kind != CAPTURE_FILE && past_deadline(c))
                return AVERROR_EXIT;
            continue;
        }
        return status;
    }
}

/* Replace c->packet by the newest that the camera has ready, if its codec has intra frames only. */
static void take_newest(struct camera_capture *c)
{
    const AVCodecDescriptor *d = avcodec_descriptor_get(c->decoder->codec_id);
    if (c->kind != CAPTURE_CAMERA || !d || !(d->props & AV_CODEC_PROP_INTRA_ONLY))
        return;
    while (av_read_frame(c->format, c->newer) >= 0) {
        if (c->newer->size > 0) {
            av_packet_unref(c->packet);
            av_packet_move_ref(c->packet, c->newer);
            c->count++;
        }
        av_packet_unref(c->newer);
    }
}

static bool is_image_pipe(const struct camera_capture *c)
{
    size_t len = strlen(c->format->iformat->name);
    return len > 5 && !strcmp(c->format->iformat->name + len - 5, "_pipe");
}

static int count_pixels(struct camera_capture *c, struct err *e)
{
    c->pixels += (long long)c->picture->width * c->picture->height;
    if (!c->io || c->pixels <= MIN_PIXELS_A_FILE + MAX_PIXELS_A_BYTE * c->bytes)
        return 1;
    c->lost = true;
    return err_set(e, "more than %d pixels for each of its bytes: not read further", MAX_PIXELS_A_BYTE);
}

/* Decode the next picture of a container into c->picture. Returns as capture_read does. */
static int next_picture(struct camera_capture *c, struct err *e)
{
    c->deadline = c->kind == CAPTURE_FILE ? HUGE_VAL : clock_now() + CAPTURE_PATIENCE;
    for (;;) {
        int status = avcodec_receive_frame(c->decoder, c->picture);
        if (status >= 0)
            return count_pixels(c, e);
        if (status == AVERROR_EOF && c->count == 0)
            return lose(c, status, e);
        if (status == AVERROR_EOF)
            return 0;
        if (status != AVERROR(EAGAIN))
            return err_set(e, "%s", picture_error(status));
        status = c->ended ? AVERROR_EOF : read_packet(c, c->packet);
        if (status == AVERROR_EOF) {
            c->ended = true;
            avcodec_send_packet(c->decoder, NULL);
            continue;
        }
        if (atomic_load(&c->interrupted))
            return 0;
        if (status < 0)
            return lose(c, status, e);
        take_newest(c);
        if (is_image_pipe(c))
            c->orientation = exif_orientation(c->packet->data, c->packet->size);
        status = avcodec_send_packet(c->decoder, c->packet);
        av_packet_unref(c->packet);
        if (status < 0 && status != AVERROR(EAGAIN)) {
            c->count++;
            return err_set(e, "not decoded: %s", picture_error(status));
        }
    }
}

static int orientation(const struct camera_capture *c)
{
    if (c->orientation)
        return c->orientation;
    const void *bytes = NULL;
    const AVFrameSideData *side = av_frame_get_side_data(c->picture, AV_FRAME_DATA_DISPLAYMATRIX);
    if (side)
        bytes = side->data;
    else if (c->how == CONTAINER || c->how == TILES) {
        const AVStream *stream = c->format->streams[c->stream];
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
        const AVPacketSideData *found = av_packet_side_data_get(
            stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
        bytes = found ? found->data : NULL;
#else
        bytes = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, NULL);
#endif
    }
    const int32_t *m = bytes;
    return m ? exif_of_matrix(m[0], m[1], m[3], m[4]) : 1;
}

/* How many times wider than high an image file says its pixels are; 0: it does not. */
static double pixel_shape(const struct camera_capture *c)
{
    enum AVCodecID codec = c->how == IMAGE ? picture_codec(c->packet->data, c->packet->size) : AV_CODEC_ID_NONE;
    if (codec == AV_CODEC_ID_MJPEG)
        return exif_jpeg_shape(c->packet->data, c->packet->size);
    return codec == AV_CODEC_ID_TIFF ? av_q2d(c->picture->sample_aspect_ratio) : 0;
}

static double picture_time(struct camera_capture *c)
{
    if (c->how != CONTAINER)
        return 0;
    const AVStream *stream = c->format->streams[c->stream];
    double t;
    if (c->picture->best_effort_timestamp != AV_NOPTS_VALUE)
        t = c->picture->best_effort_timestamp * av_q2d(stream->time_base);
    else if (stream->avg_frame_rate.num > 0)
        t = c->count / av_q2d(stream->avg_frame_rate);
    else
        t = c->count;
    if (isnan(c->first_time))
        c->first_time = t;
    return t - c->first_time;
}

static int set_facts(struct camera_capture *c, struct frame *f, double time, struct err *e)
{
    char text[32];
    if (!frame_fact(f, "source", text, sizeof text) && frame_set_fact(f, "source", c->name, e))
        return -1;
    if (!frame_fact(f, "frame", text, sizeof text) && frame_set_number(f, "frame", c->count, e))
        return -1;
    snprintf(text, sizeof text, "%.3f", time);
    return c->how == CONTAINER ? frame_set_fact(f, "time", text, e) : 0;
}

/* Find the next page of an image file in the packet, small copies of pages and masks passed over. Returns as
 * capture_read does. */
static int next_page(struct camera_capture *c, struct err *e)
{
    AVPacket *p = c->packet;
    if (picture_codec(c->head, c->head_len) != AV_CODEC_ID_TIFF)
        return 0;
    for (; c->pages < MAX_PAGES; c->pages++) {
        int more = tiff_next_page(p->data, p->size, e);
        if (more <= 0 || !tiff_is_auxiliary(p->data, p->size))
            return more;
    }
    return err_set(e, "more than %d pages: not read further", MAX_PAGES);
}

/* Decode the first page in the packet, a TIFF in strips or another picture, into f. Returns 1 or -1. */
static int decode_strips(struct camera_capture *c, struct frame *f, struct err *e)
{
    if (picture_decode(c->picture, c->packet, e) || count_pixels(c, e) < 0)
        return -1;
    return gray_from_picture(f, c->picture, e) ? -1 : 1;
}

static int decode_page(struct camera_capture *c, struct frame *f, struct err *e)
{
    AVPacket *p = c->packet;
    struct tiff_grid g;
    c->orientation = exif_orientation(p->data, p->size);
    if (tiff_is_jpeg(p->data, p->size))
        return err_set(e, "a TIFF of JPEG, which is not read: `tiffcp -c lzw' (package libtiff-tools) "
                          "makes one that is");
    if (!tiff_is_tiled(p->data, p->size))
        return decode_strips(c, f, e);
    if (tiff_open_tiles(p->data, p->size, &g, e) || frame_resize(f, (int)g.width, (int)g.height, e))
        return -1;
    for (size_t i = 0; i < g.tiles; i++) {
        tiff_set_tile(p->data, &g, i);
        if (decode_strips(c, &c->spare, e) < 0)
            return -1;
        gray_put(f, &c->spare, (int)(i % g.across * g.tile_width), (int)(i / g.across * g.tile_height));
    }
    return 1;
}

static int read_image(struct camera_capture *c, struct frame *f, struct err *e)
{
    if (c->ended)
        return 0;
    if (c->pages > 0) {
        int more = next_page(c, e);
        c->ended = more <= 0;
        if (c->ended)
            return more;
    }
    int status = decode_page(c, f, e);
    if (status < 0 && c->pages > 0)
        err_at(e, NULL, c->count);
    c->pages++;
    c->count += status < 0;
    return status;
}

static int read_tiles(struct camera_capture *c, struct frame *f, struct err *e)
{
    if (c->ended)
        return 0;
    c->ended = true;
    f->facts_len = 0;
    if (tiles_read(c->format, f, &c->spare, e))
        return -1;
    return gray_turn(f, orientation(c), &c->spare, e) ? -1 : 1;
}

static int read_frame(struct camera_capture *c, struct frame *f, double *time, struct err *e)
{
    *time = 0;
    if (c->how == TILES)
        return read_tiles(c, f, e);
    if (c->how == PNM) {
        int status = frame_read(c->pnm, f, e);
        c->lost = status < 0;
        return status;
    }
    int status = c->how == IMAGE ? read_image(c, f, e) : next_picture(c, e);
    if (status <= 0)
        return status;
    f->facts_len = 0;
    *time = picture_time(c);
    if (c->how != IMAGE && gray_from_picture(f, c->picture, e))
        return -1;
    double shape = pixel_shape(c);
    int turn = orientation(c);
    av_frame_unref(c->picture);
    return gray_square(f, shape, &c->spare, e) || gray_turn(f, turn, &c->spare, e) ? -1 : 1;
}

static int read_picture(struct camera_capture *c, struct frame *f, double *time, struct err *e)
{
    int status = read_frame(c, f, time, e);
    if (status > 0 && set_facts(c, f, *time, e))
        status = -1;
    if (status < 0) {
        err_at(e, c->source, -1);
        return -1;
    }
    c->count += status;
    return status;
}

/* ---- live sources ---- */

/* A feed_source: the next whole picture. Inside is no cancellation point: FFmpeg would leak and keep locks. */
static int read_live(void *from, struct stream_item *item, struct err *e)
{
    struct camera_capture *c = from;
    while (!c->given_up) {
        int before;
        struct err bad = ERR_NONE;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
        int status = read_picture(c, &item->frame, &item->time, &bad);
        pthread_setcancelstate(before, NULL);
        pthread_testcancel();
        if (status > 0)
            c->last = clock_now();
        if (status >= 0)
            return status;
        c->given_up = c->lost || clock_now() - c->last >= CAPTURE_PATIENCE;
        if (c->given_up) {
            *e = bad;
            return -1;
        }
        if (c->damaged++ == 0)
            c->first_damage = bad;
    }
    return 0;
}

int capture_read(struct camera_capture *c, struct frame *f, double *time, struct err *e)
{
    if (c->kind == CAPTURE_FILE)
        return read_picture(c, f, time, e);
    if (!c->feed) {
        c->last = clock_now();
        if (!(c->feed = feed_newest(read_live, c, e)))
            return -1;
    }
    struct pollfd there = {.fd = feed_fd(c->feed), .events = POLLIN};
    enum stream_result got;
    while ((got = feed_take(c->feed, &c->item, e)) == FEED_NOTHING)
        poll(&there, 1, -1);
    if (got != FEED_FRAME)
        return got == FEED_ERROR ? -1 : 0;
    struct frame older = *f;
    *f = c->item.frame;
    c->item.frame = older;
    *time = c->item.time;
    return 1;
}
