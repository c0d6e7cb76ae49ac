/* The room of pictures from outside: files, videos, URLs, screens and cameras as gray frames. FFmpeg
 * and V4L2 are known here alone. */
#ifndef INKPIPE_CAMERA_H
#define INKPIPE_CAMERA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "stream/stream.h"

/* Pictures from anything FFmpeg reads, as gray frames: image and video files, URLs, cameras, the
 * screen, filter graphs.
 *
 * Files are from strangers. A file is opened here and FFmpeg only reads its bytes: it can open
 * nothing else, neither a file nor the network, and containers that name other files (playlists,
 * sdp, concat scripts) are refused. A URL that was typed may use the network, never files. */

struct camera_options {
    const char *format;         /* FFmpeg's name of an input format or device; NULL: find it */
    const char **option;        /* "key=value" for that format or its decoder, as FFmpeg names it */
    int options;
    int width, height;          /* size asked of a device; 0: 640x480 of a camera, else the device's
                                   own */
    double rate;                /* frames a second asked of a device; 0: 30 of a camera */
};

/* What capture_open found. */
enum camera_kind {
    CAPTURE_FILE,   /* a recording: its pictures wait until they are read */
    CAPTURE_CAMERA, /* a V4L2 camera: pictures come in real time */
    CAPTURE_LIVE    /* the screen, another device or a live stream: pictures come in real time */
};

struct camera_capture;

/* A capture with nothing open. o is copied, what it points to must outlive the capture. NULL when
 * memory is short; free with capture_free. */
struct camera_capture *capture_new(const struct camera_options *o, struct err *e);
void capture_free(struct camera_capture *c);

/* Open a source: a file, "-" for standard input, a URL with "://" in it, a device for options.format or one under
 * /dev/video; but where fd is not -1, what is open there, a file or a pipe of pdf_start's, is read from where it
 * stands, and stays the caller's. One source is open at a time. Returns 0, or -1 with e saying what is wrong and
 * what can be done; e->file is the source. */
int capture_open(struct camera_capture *c, const char *source, int fd, struct err *e);
void capture_close(struct camera_capture *c);
enum camera_kind capture_kind(const struct camera_capture *c);

/* The next picture into f, upright, of square pixels where an image file says that its own are not, with the facts
 * `source`, `frame` and, unless it is an image file, `time` (those it has already in a PNM file are kept); and its
 * time in seconds since the source's first one, 0 for an image. Returns 1; 0 at the end; -1 on a picture that cannot
 * be decoded: after it one may go on reading.
 * Of a live source or camera the newest wins: from the first call on a thread reads it as fast as it comes and keeps
 * only the last picture, so that a slow reader gets a fresh one each time. A call waits for one that is newer than
 * the last; damaged ones are passed over, unless there is nothing else for CAPTURE_PATIENCE seconds. */
int capture_read(struct camera_capture *c, struct frame *f, double *time, struct err *e);
#define CAPTURE_PATIENCE 5 /* A live source may be silent for at most so many seconds. */

/* Stop reading the source, which is good for nothing but capture_close then. Returns how many pictures of a live
 * source could not be decoded, and puts into e why the first could not. */
long capture_stop(struct camera_capture *c, struct err *e);

/* True when the open source, a file, gives no more pictures after an error. */
bool capture_lost(const struct camera_capture *c);

/* The pictures and videos in a folder. */

struct camera_names {
    char **name; /* [count], each and the array owned by the list */
    size_t count, size;
};

/* Append the files of `folder` to list in the order of their names (by bytes), with `recursive` those of the folders in
 * it too (symbolic links are followed, loops are not). A file is taken when its name ends like a picture's or video's
 * or its first bytes are one's; names that begin with a dot are passed over. Returns 0, or -1 when a folder could not
 * be read: list then holds what could. Free with name_list_free. */
int folder_list(const char *folder, bool recursive, struct camera_names *list, struct err *e);

/* Append a copy of name. Returns 0 or -1. */
int name_list_add(struct camera_names *list, const char *name, struct err *e);

void name_list_free(struct camera_names *list);

/* Start reading the PDF files in list by `program`, poppler's pdftoppm, before privileges are given up and
 * threads are started: a process is left that runs it, without a shell, for one file after another, as long as its
 * pages are wanted. fd[], of list->count, gets for each PDF the descriptor that capture_open takes, which is the
 * caller's. Returns 0 or -1. */
int pdf_start(const char *program, const struct camera_names *list, int *fd, struct err *e);

/* The label that the folder right above a file is named after: of DIR/7/photo.jpg "7", of DIR/plus/photo.jpg "plus".
 * Returns false when there is no such folder or its name can be no label (label_is_word), as that of `.` and `..`. */
bool folder_label(const char *name, char label[static LABEL_SIZE]);

/* Cameras of Video4Linux2: which there are, what they offer, what to ask of them. Capturing itself is libavdevice's. */

#define V4L2_MAX_DEVICES 64 /* At most so many devices are looked at: /dev/video0 to /dev/video63. */

struct camera_device {
    char device[32]; /* /dev/videoN */
    char name[40];   /* what the driver calls it */
    int error;       /* errno of opening it, 0 when it can be used */
};

/* The devices that capture video (or cannot be opened to find out), at most max of them; a
 * camera's metadata nodes are left out. Returns their number. */
int v4l2_cameras(struct camera_device *list, int max);

/* What device offers as text, "yuyv422 640x480 320x240; mjpeg 1280x720 ...", for messages and lists. Returns text. */
char *v4l2_offers(const char *device, char *text, int size);

/* Turn a picture as an EXIF orientation 1..8 says (1: as it is, 2: mirrored left to right, 3: by 180
 * degrees, 4: mirrored top to bottom, 5: about the main diagonal, 6: 90 degrees clockwise, 7: about
 * the other diagonal, 8: 90 degrees counterclockwise). `spare` is a frame whose memory is used and
 * left in it, for speed over many pictures. Returns 0 or -1. */
int gray_turn(struct frame *f, int orientation, struct frame *spare, struct err *e);

/* Keep only the rectangle x,y,width,height, which must lie in the picture. Returns 0 or -1. */
int gray_cut(struct frame *f, int x, int y, int width, int height, struct err *e);

#endif
