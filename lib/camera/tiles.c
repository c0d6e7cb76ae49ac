/* Photos stored as a grid of tiles.
 *   in   an open HEIF or AVIF file whose tiles libavformat 61 groups (AVStreamGroup)
 *   out  one gray frame, each tile decoded and copied to its place */
#include "picture.h"

#if LIBAVFORMAT_VERSION_MAJOR >= 61

static const AVStreamGroup *find_grid(const AVFormatContext *format)
{
    for (unsigned i = 0; i < format->nb_stream_groups; i++)
        if (format->stream_groups[i]->type == AV_STREAM_GROUP_PARAMS_TILE_GRID &&
            format->stream_groups[i]->nb_streams > 0)
            return format->stream_groups[i];
    return NULL;
}

int tiles_stream(const AVFormatContext *format)
{
    const AVStreamGroup *grid = find_grid(format);
    return grid ? grid->streams[0]->index : -1;
}

static int decode_tile(const AVStream *stream, const AVPacket *packet, struct frame *tile, struct err *e)
{
    AVCodecContext *decoder = picture_decoder(stream->codecpar->codec_id, stream->codecpar, 1, NULL, e);
    AVFrame *picture = av_frame_alloc();
    int status = decoder && picture ? avcodec_send_packet(decoder, packet) : AVERROR(ENOMEM);
    if (status >= 0)
        status = avcodec_send_packet(decoder, NULL);
    if (status >= 0)
        status = avcodec_receive_frame(decoder, picture);
    if (status < 0)
        err_set(e, "a tile cannot be decoded: %s", picture_error(status));
    else
        status = gray_from_picture(tile, picture, e);
    av_frame_free(&picture);
    avcodec_free_context(&decoder);
    return status < 0 ? -1 : 0;
}

/* Decode a packet and copy its picture to each place that the grid gives its stream. Returns the number of
 * places, or -1. */
static int place(const AVStreamGroup *grid, const AVPacket *packet, struct frame *canvas,
                 struct frame *tile, struct err *e)
{
    const AVStreamGroupTileGrid *g = grid->params.tile_grid;
    int placed = 0;
    for (unsigned i = 0; i < g->nb_tiles; i++) {
        const AVStream *stream = grid->streams[g->offsets[i].idx];
        if (stream->index != packet->stream_index)
            continue;
        if (placed == 0 && decode_tile(stream, packet, tile, e))
            return -1;
        gray_put(canvas, tile, g->offsets[i].horizontal, g->offsets[i].vertical);
        placed++;
    }
    return placed;
}

int tiles_read(AVFormatContext *format, struct frame *f, struct frame *tile, struct err *e)
{
    const AVStreamGroup *grid = find_grid(format);
    if (!grid)
        return err_set(e, "no tiles");
    const AVStreamGroupTileGrid *g = grid->params.tile_grid;
    AVPacket *packet = av_packet_alloc();
    unsigned placed = 0;
    int status = packet ? frame_resize(f, g->coded_width, g->coded_height, e)
                        : err_set(e, "out of memory");
    while (status >= 0 && placed < g->nb_tiles && av_read_frame(format, packet) >= 0) {
        status = place(grid, packet, f, tile, e);
        placed += status > 0 ? status : 0;
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    if (status >= 0 && placed < g->nb_tiles)
        status = err_set(e, "only %u of %u tiles are there", placed, g->nb_tiles);
    if (status < 0)
        return -1;
    return gray_cut(f, g->horizontal_offset, g->vertical_offset, g->width, g->height, e);
}

#else

int tiles_stream(const AVFormatContext *format)
{
    (void)format;
    return -1;
}

int tiles_read(AVFormatContext *format, struct frame *f, struct frame *tile, struct err *e)
{
    (void)format, (void)f, (void)tile;
    return err_set(e, "tiles need FFmpeg 7");
}

#endif
