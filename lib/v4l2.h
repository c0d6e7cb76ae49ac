/* Cameras of Video4Linux2: which there are, what they offer, what to ask of them. Capturing itself
 * is libavdevice's. */
#ifndef INKPIPE_V4L2_H
#define INKPIPE_V4L2_H

#include <stdbool.h>

#include "err.h"

#define V4L2_DEVICES 64 /* /dev/video0 .. /dev/video63 are looked at */

struct v4l2_camera {
    char device[32]; /* /dev/videoN */
    char name[40];   /* what the driver calls it */
    int error;       /* errno of opening it, 0 when it can be used */
};

/* The devices that capture video (or cannot be opened to find out), at most max of them; a
 * camera's metadata nodes are left out. Returns their number. */
int v4l2_cameras(struct v4l2_camera *list, int max);

/* Which format, size and rate to ask of a camera. */
struct v4l2_mode {
    int width, height;
    double rate;
    char format[32]; /* FFmpeg's name: a pixel format or a codec */
};

/* Choose for device: the size nearest to width x height, then the raw format that gives `rate` at
 * that size (the one whose luma is cheapest to take), else Motion JPEG, else whatever there is.
 * *mode is what to ask for; format "" where the driver says nothing of its formats. Returns 0, or
 * -1 when device cannot be opened or is no camera, with advice in e. */
int v4l2_choose(const char *device, int width, int height, double rate, struct v4l2_mode *mode,
                struct err *e);

/* Put into e why using device failed with this errno, in words one can act on. Returns -1. */
int v4l2_error(const char *device, int error, struct err *e);

/* What device offers as text, "yuyv422 640x480 320x240; mjpeg 1280x720 ...", for messages and
 * lists. Returns text. */
char *v4l2_offers(const char *device, char *text, int size);

#endif
