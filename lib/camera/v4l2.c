/* Cameras of Video4Linux2.
 *   in   a device, the size and rate that are wanted
 *   out  the mode to ask for, by the smallest cost over the formats that the driver enumerates; words on
 *        errors */
#include "picture.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/videodev2.h>

/* The formats that are read, best first: luma in a plane of its own, in every second byte, RGB, compressed. */
static const struct known_format {
    uint32_t fourcc;
    const char *ffmpeg;
} known_formats[] = {
    {V4L2_PIX_FMT_GREY, "gray"},       {V4L2_PIX_FMT_NV12, "nv12"},
    {V4L2_PIX_FMT_YUV420, "yuv420p"},  {V4L2_PIX_FMT_YVU420, "yuv420p"},
    {V4L2_PIX_FMT_YUV422P, "yuv422p"}, {V4L2_PIX_FMT_YUYV, "yuyv422"},
    {V4L2_PIX_FMT_UYVY, "uyvy422"},    {V4L2_PIX_FMT_RGB24, "rgb24"},
    {V4L2_PIX_FMT_BGR24, "bgr24"},     {V4L2_PIX_FMT_BGR32, "bgr0"},
    {V4L2_PIX_FMT_RGB565, "rgb565le"}, {V4L2_PIX_FMT_MJPEG, "mjpeg"},
    {V4L2_PIX_FMT_JPEG, "mjpeg"},      {V4L2_PIX_FMT_H264, "h264"},
};
enum { FORMATS = sizeof known_formats / sizeof *known_formats };

static int try_ioctl(int fd, unsigned long request, void *arg)
{
    int status;
    do
        status = ioctl(fd, request, arg);
    while (status < 0 && errno == EINTR);
    return status;
}

/* True when fd is a device that captures video; name becomes the driver's name of it. */
static bool is_camera(int fd, char *name, size_t size)
{
    struct v4l2_capability cap = {0};
    if (try_ioctl(fd, VIDIOC_QUERYCAP, &cap) < 0)
        return false;
    snprintf(name, size, "%.32s", (const char *)cap.card);
    uint32_t can = cap.capabilities & V4L2_CAP_DEVICE_CAPS ? cap.device_caps : cap.capabilities;
    return (can & V4L2_CAP_VIDEO_CAPTURE) && (can & V4L2_CAP_STREAMING);
}

int v4l2_cameras(struct camera_device *list, int max)
{
    int count = 0;
    for (int i = 0; i < V4L2_MAX_DEVICES && count < max; i++) {
        struct camera_device c = {.name = "", .error = 0};
        snprintf(c.device, sizeof c.device, "/dev/video%d", i);
        int fd = open(c.device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
            continue;
        c.error = fd < 0 ? errno : 0;
        if (fd < 0 || is_camera(fd, c.name, sizeof c.name))
            list[count++] = c;
        if (fd >= 0)
            close(fd);
    }
    return count;
}

/* The highest rate, in frames a second, of a format at a size; 0 when the driver does not tell. */
static double best_rate(int fd, uint32_t fourcc, int width, int height)
{
    double best = 0;
    struct v4l2_frmivalenum i = {.pixel_format = fourcc, .width = width, .height = height};
    for (; try_ioctl(fd, VIDIOC_ENUM_FRAMEINTERVALS, &i) == 0; i.index++) {
        struct v4l2_fract t = i.type == V4L2_FRMIVAL_TYPE_DISCRETE ? i.discrete : i.stepwise.min;
        if (t.numerator > 0)
            best = fmax(best, (double)t.denominator / t.numerator);
        if (i.type != V4L2_FRMIVAL_TYPE_DISCRETE)
            break;
    }
    return best;
}

static int clamp_step(int v, int low, int high, int step)
{
    v = v < low ? low : v > high ? high : v;
    return step > 1 ? v - (v - low) % step : v;
}

/* The distance of a size from the wanted one, in pixels of both sides; twice that when a side is too small. */
static double distance(int w, int h, int want_w, int want_h)
{
    double d = fabs((double)w - want_w) + fabs((double)h - want_h);
    return w < want_w || h < want_h ? 2 * d : d;
}

/* Find the size of a format nearest to the wanted one. Returns false when the driver enumerates none. */
static bool nearest_size(int fd, uint32_t fourcc, int want_w, int want_h, int *w, int *h)
{
    bool found = false;
    struct v4l2_frmsizeenum s = {.pixel_format = fourcc};
    for (; try_ioctl(fd, VIDIOC_ENUM_FRAMESIZES, &s) == 0; s.index++) {
        int at_w = s.discrete.width, at_h = s.discrete.height;
        if (s.type != V4L2_FRMSIZE_TYPE_DISCRETE) {
            at_w = clamp_step(want_w, s.stepwise.min_width, s.stepwise.max_width, s.stepwise.step_width);
            at_h = clamp_step(want_h, s.stepwise.min_height, s.stepwise.max_height, s.stepwise.step_height);
        }
        if (!found || distance(at_w, at_h, want_w, want_h) < distance(*w, *h, want_w, want_h)) {
            *w = at_w;
            *h = at_h;
        }
        found = true;
        if (s.type != V4L2_FRMSIZE_TYPE_DISCRETE)
            break;
    }
    return found;
}

static bool offers(int fd, uint32_t fourcc)
{
    struct v4l2_fmtdesc f = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    for (; try_ioctl(fd, VIDIOC_ENUM_FMT, &f) == 0; f.index++)
        if (f.pixelformat == fourcc)
            return true;
    return false;
}

static void choose(int fd, struct v4l2_mode *mode)
{
    const struct v4l2_mode want = *mode;
    double best = HUGE_VAL;
    for (int i = 0; i < FORMATS; i++) {
        const struct known_format *k = &known_formats[i];
        int w = want.width, h = want.height;
        if (!offers(fd, k->fourcc))
            continue;
        nearest_size(fd, k->fourcc, want.width, want.height, &w, &h);
        double rate = best_rate(fd, k->fourcc, w, h);
        bool slow = rate > 0 && rate < want.rate * 0.95;
        /* Lexicographic: the size's distance, then what is missing of the rate, then the table's order. */
        double cost = distance(w, h, want.width, want.height) * 1000 + (slow ? 100 + want.rate - rate : 0) + i * 0.01;
        if (cost >= best)
            continue;
        best = cost;
        mode->width = w;
        mode->height = h;
        mode->rate = slow ? rate : want.rate;
        snprintf(mode->format, sizeof mode->format, "%s", k->ffmpeg);
    }
}

int v4l2_choose(const char *device, struct v4l2_mode *mode, struct err *e)
{
    mode->format[0] = '\0';
    int fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return v4l2_error(device, errno, e);
    char name[40];
    bool camera = is_camera(fd, name, sizeof name);
    if (camera)
        choose(fd, mode);
    close(fd);
    if (!camera)
        return v4l2_error(device, ENOTTY, e);
    return 0;
}

/* Write ": cameras here: /dev/video0, /dev/video2", or that there is none, into text. */
static const char *others(char *text, int size)
{
    struct camera_device list[V4L2_MAX_DEVICES];
    int count = v4l2_cameras(list, V4L2_MAX_DEVICES);
    int at = snprintf(text, size, count ? "cameras here: " : "there is no camera here");
    for (int i = 0; i < count && at < size; i++)
        at += snprintf(text + at, size - at, "%s%s", i ? ", " : "", list[i].device);
    return text;
}

int v4l2_error(const char *device, int error, struct err *e)
{
    char text[160];
    err_at(e, device, -1);
    switch (error) {
    case ENOENT:
        return err_set(e, "no such camera; %s", others(text, sizeof text));
    case EACCES:
    case EPERM:
        return err_set(e, "no permission to use this camera: become a member of the group `video' "
                          "(sudo adduser $USER video) and log in again");
    case EBUSY:
        return err_set(e, "in use by another program: close it, or look for it with `fuser %s'", device);
    case ENODEV:
    case ENXIO:
        return err_set(e, "the camera was unplugged or turned off; %s", others(text, sizeof text));
    case ENOTTY:
        return err_set(e, "not a node that captures video; %s", others(text, sizeof text));
    case ETIMEDOUT:
        return err_set(e, "no picture for some seconds: unplug the camera and plug it in again");
    }
    return err_set(e, "%s", strerror(error));
}

char *v4l2_offers(const char *device, char *text, int size)
{
    text[0] = '\0';
    int fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return text;
    int at = 0;
    for (int i = 0; i < FORMATS; i++) {
        if (!offers(fd, known_formats[i].fourcc) || at >= size)
            continue;
        at += snprintf(text + at, size - at, "%s%s", at ? "; " : "", known_formats[i].ffmpeg);
        struct v4l2_frmsizeenum s = {.pixel_format = known_formats[i].fourcc};
        for (; at < size && try_ioctl(fd, VIDIOC_ENUM_FRAMESIZES, &s) == 0; s.index++) {
            if (s.type != V4L2_FRMSIZE_TYPE_DISCRETE) {
                at += snprintf(text + at, size - at, " %ux%u-%ux%u", s.stepwise.min_width,
                               s.stepwise.min_height, s.stepwise.max_width, s.stepwise.max_height);
                break;
            }
            at += snprintf(text + at, size - at, " %ux%u", s.discrete.width, s.discrete.height);
        }
    }
    close(fd);
    return text;
}
