/* A preload that stands in for V4L2 cameras: it answers open and ioctl for /dev/videoN where the
 * environment has FAKE_VIDEON, a list of words:
 *
 *     yuyv mjpeg   formats offered: YUYV is drawn here (black to white from left to right, limited
 *                  range), Motion JPEG is the file named by FAKE_JPEG; of several files, with :
 *                  between them, each picture is the next
 *     busy denied meta   it is in use; may not be opened; is a camera's metadata node
 *     lose=N       when N pictures were taken it is unplugged, and plugged in again a second later
 *     gone=N       the same, for good
 *     stall=N      after N pictures it gives no more, without an error
 *     corrupt=N    each N-th buffer comes back with the error flag and nothing in it
 *     rate=N       pictures a second (30)
 *     asked=FD     a picture is due when a byte can be read there, not by the clock
 *     slow         raw pictures above 320x240 only at 5 a second, as over USB 2
 *
 * Every path that is opened is written to the file named by FAKE_LOG, one a line.
 *
 * Like a driver it fills the buffers that are queued when a picture is due, so a program that is
 * late finds old ones; and it remembers the size the last program set (here: 320x240). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <linux/videodev2.h>

enum { CAMERAS = 8, BUFFERS = 8, BUFFER_SIZE = 4 << 20 };

struct queue {
    int index[BUFFERS], count;
};

static struct camera {
    bool open, streaming;
    int fd;
    int width, height;
    uint32_t format;
    uint8_t *memory;
    struct queue queued, filled;
    struct timeval stamp[BUFFERS];
    uint32_t used[BUFFERS], flags[BUFFERS];
    double next, away_until;
    long pictures, taken, opened;
} cameras[CAMERAS];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static const char *spec(int n)
{
    char name[32];
    snprintf(name, sizeof name, "FAKE_VIDEO%d", n);
    return getenv(name);
}

/* The value of word= in the camera's list; 1 for the bare word, 0 when it is not there. */
static long word(int n, const char *w)
{
    const char *at = spec(n);
    size_t len = strlen(w);
    for (; at && *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (!strncmp(at, w, len) && (at[len] == '=' || at[len] == ' ' || !at[len]))
            return at[len] == '=' ? atol(at + len + 1) : 1;
    return 0;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

static int open_camera(int n)
{
    struct camera *c = &cameras[n];
    if (!spec(n) || now() < c->away_until)
        return fail(ENOENT);
    if (word(n, "denied"))
        return fail(EACCES);
    c->fd = memfd_create("camera", MFD_CLOEXEC);
    if (c->fd < 0 || ftruncate(c->fd, (off_t)BUFFERS * BUFFER_SIZE))
        return -1;
    c->memory = mmap(NULL, (size_t)BUFFERS * BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                     c->fd, 0);
    c->open = true;
    c->width = 320;
    c->height = 240;
    c->format = word(n, "yuyv") ? V4L2_PIX_FMT_YUYV : V4L2_PIX_FMT_MJPEG;
    return c->fd;
}

static int camera_of_path(const char *path)
{
    return !strncmp(path, "/dev/video", 10) ? atoi(path + 10) : -1;
}

static int log_file = -1;

/* Opened at once: later the program may have given up opening files. */
__attribute__((constructor)) static void open_log(void)
{
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    const char *log = getenv("FAKE_LOG");
    int fd = log ? real(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    log_file = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 100);
}

static int open_path(const char *symbol, const char *path, int flags, mode_t mode)
{
    int n = camera_of_path(path);
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, symbol);
    if (log_file >= 0 && !(flags & O_PATH))
        dprintf(log_file, "%s\n", path);
    if (n >= 0)
        return n < CAMERAS ? open_camera(n) : fail(ENOENT);
    return real(path, flags, mode);
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                                  \
        va_end(args);                                                                              \
        return open_path(#name, path, flags, mode);                                                \
    }
OPEN(open)
OPEN(open64)

int close(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
    for (int n = 0; n < CAMERAS; n++)
        if (cameras[n].open && cameras[n].fd == fd) {
            double away = cameras[n].away_until;
            long opened = cameras[n].opened + cameras[n].streaming;
            munmap(cameras[n].memory, (size_t)BUFFERS * BUFFER_SIZE);
            cameras[n] = (struct camera){.away_until = away, .opened = opened};
        }
    return real(fd);
}

/* The file for a picture, of those in FAKE_JPEG. */
static FILE *next_file(long picture)
{
    char list[4096], *name = list, *rest;
    long files = 1;
    snprintf(list, sizeof list, "%s", getenv("FAKE_JPEG") ? getenv("FAKE_JPEG") : "");
    for (const char *c = list; *c; c++)
        files += *c == ':';
    for (long i = picture % files; i > 0; i--)
        name = strchr(name, ':') + 1;
    if ((rest = strchr(name, ':')))
        *rest = '\0';
    return *name ? fopen(name, "rb") : NULL;
}

static void draw(struct camera *c, int buffer)
{
    uint8_t *to = c->memory + (size_t)buffer * BUFFER_SIZE;
    if (c->format == V4L2_PIX_FMT_YUYV) {
        for (int x = 0; x < c->width; x++) {
            to[2 * x] = 16 + 219 * x / (c->width - 1);
            to[2 * x + 1] = 128;
        }
        for (int y = 1; y < c->height; y++)
            memcpy(to + (size_t)y * c->width * 2, to, (size_t)c->width * 2);
        c->used[buffer] = (uint32_t)(c->width * c->height * 2);
        return;
    }
    FILE *f = next_file(c->pictures);
    c->used[buffer] = f ? (uint32_t)fread(to, 1, BUFFER_SIZE, f) : 0;
    if (f)
        fclose(f);
}

static int take(struct queue *q)
{
    int first = q->index[0];
    memmove(q->index, q->index + 1, sizeof *q->index * (size_t)--q->count);
    return first;
}

static double interval(int n)
{
    struct camera *c = &cameras[n];
    long rate = word(n, "rate");
    if (word(n, "slow") && c->format == V4L2_PIX_FMT_YUYV && c->width > 320)
        return 0.2;
    return 1.0 / (rate ? rate : 30);
}

/* Whether a picture is due, at c->next. */
static bool is_due(int n)
{
    struct camera *c = &cameras[n];
    struct pollfd asked = {.fd = (int)word(n, "asked"), .events = POLLIN};
    char byte;
    if (!c->streaming || !asked.fd)
        return c->streaming && c->next <= now();
    c->next = now();
    return poll(&asked, 1, 0) > 0 && read(asked.fd, &byte, 1) == 1;
}

/* Take the pictures that are due by now. */
static void expose(int n)
{
    struct camera *c = &cameras[n];
    long stall = word(n, "stall"), corrupt = word(n, "corrupt");
    for (; is_due(n); c->next += interval(n)) {
        if (!c->queued.count || (stall && c->pictures >= stall))
            continue;
        int b = take(&c->queued);
        c->pictures++;
        draw(c, b);
        c->flags[b] = 0;
        if (corrupt && c->pictures % corrupt == 0) {
            c->flags[b] = V4L2_BUF_FLAG_ERROR;
            c->used[b] = 0;
        }
        c->stamp[b].tv_sec = (time_t)c->next;
        c->stamp[b].tv_usec = (suseconds_t)((c->next - (double)c->stamp[b].tv_sec) * 1e6);
        c->filled.index[c->filled.count++] = b;
    }
}

static int dequeue(int n, struct v4l2_buffer *b)
{
    struct camera *c = &cameras[n];
    long lose = word(n, "lose"), gone = word(n, "gone");
    expose(n);
    if ((lose && !c->opened && c->taken >= lose) || (gone && c->taken >= gone)) {
        c->away_until = gone ? 1e18 : now() + 1;
        return fail(ENODEV);
    }
    if (!c->filled.count)
        return fail(EAGAIN);
    int i = take(&c->filled);
    c->taken++;
    b->index = (uint32_t)i;
    b->bytesused = c->used[i];
    b->flags = c->flags[i] | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    b->timestamp = c->stamp[i];
    return 0;
}

static int enumerate_format(int n, struct v4l2_fmtdesc *f)
{
    uint32_t offered[2];
    unsigned count = 0;
    if (word(n, "yuyv"))
        offered[count++] = V4L2_PIX_FMT_YUYV;
    if (word(n, "mjpeg"))
        offered[count++] = V4L2_PIX_FMT_MJPEG;
    if (f->index >= count)
        return fail(EINVAL);
    f->pixelformat = offered[f->index];
    f->flags = f->pixelformat == V4L2_PIX_FMT_MJPEG ? V4L2_FMT_FLAG_COMPRESSED : 0;
    return 0;
}

static int enumerate_size(struct v4l2_frmsizeenum *s)
{
    static const unsigned sizes[][2] = {{320, 240}, {640, 480}, {1280, 720}};
    if (s->index >= 3)
        return fail(EINVAL);
    s->type = V4L2_FRMSIZE_TYPE_DISCRETE;
    s->discrete.width = sizes[s->index][0];
    s->discrete.height = sizes[s->index][1];
    return 0;
}

static int set_format(int n, struct v4l2_format *f)
{
    struct camera *c = &cameras[n];
    if (word(n, "busy"))
        return fail(EBUSY);
    if (f->fmt.pix.pixelformat == V4L2_PIX_FMT_YUYV ? word(n, "yuyv") : word(n, "mjpeg"))
        c->format = f->fmt.pix.pixelformat;
    c->width = f->fmt.pix.width >= 1280 ? 1280 : f->fmt.pix.width >= 640 ? 640 : 320;
    c->height = c->width == 1280 ? 720 : c->width * 3 / 4;
    return 0;
}

static void get_format(const struct camera *c, struct v4l2_format *f)
{
    f->fmt.pix.width = (uint32_t)c->width;
    f->fmt.pix.height = (uint32_t)c->height;
    f->fmt.pix.pixelformat = c->format;
    f->fmt.pix.field = V4L2_FIELD_NONE;
    f->fmt.pix.bytesperline = c->format == V4L2_PIX_FMT_YUYV ? (uint32_t)c->width * 2 : 0;
    f->fmt.pix.sizeimage =
        c->format == V4L2_PIX_FMT_YUYV ? (uint32_t)(c->width * c->height * 2) : BUFFER_SIZE;
}

static void describe(int n, struct v4l2_capability *cap)
{
    *cap = (struct v4l2_capability){.capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING |
                                                    V4L2_CAP_META_CAPTURE |
                                                    V4L2_CAP_DEVICE_CAPS};
    cap->device_caps = (word(n, "meta") ? V4L2_CAP_META_CAPTURE : V4L2_CAP_VIDEO_CAPTURE) |
                       V4L2_CAP_STREAMING;
    snprintf((char *)cap->driver, sizeof cap->driver, "fake");
    snprintf((char *)cap->card, sizeof cap->card, "Fake Camera %d", n);
}

static int start(struct camera *c, bool on)
{
    c->streaming = on;
    c->next = now() + 0.01;
    return 0;
}

static int answer(int n, unsigned long request, void *arg)
{
    struct camera *c = &cameras[n];
    struct v4l2_buffer *b = arg;
    if (now() < c->away_until)
        return fail(ENODEV);
    if (request != VIDIOC_QUERYCAP && word(n, "meta"))
        return fail(ENOTTY);
    switch (request) {
    case VIDIOC_QUERYCAP:
        describe(n, arg);
        return 0;
    case VIDIOC_ENUM_FMT:
        return enumerate_format(n, arg);
    case VIDIOC_ENUM_FRAMESIZES:
        return enumerate_size(arg);
    case VIDIOC_ENUM_FRAMEINTERVALS: {
        struct v4l2_frmivalenum *i = arg;
        if (i->index > 0)
            return fail(EINVAL);
        bool slow = word(n, "slow") && i->pixel_format == V4L2_PIX_FMT_YUYV && i->width > 320;
        i->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        i->discrete = (struct v4l2_fract){1, slow ? 5 : 30};
        return 0;
    }
    case VIDIOC_S_FMT:
        if (set_format(n, arg))
            return -1;
        get_format(c, arg);
        return 0;
    case VIDIOC_G_FMT:
        get_format(c, arg);
        return 0;
    case VIDIOC_S_PARM:
    case VIDIOC_G_PARM: {
        struct v4l2_streamparm *p = arg;
        p->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        p->parm.capture.timeperframe = (struct v4l2_fract){1, (uint32_t)(1 / interval(n) + 0.5)};
        return 0;
    }
    case VIDIOC_ENUMINPUT:
        return ((struct v4l2_input *)arg)->index > 0 ? fail(EINVAL) : 0;
    case VIDIOC_G_INPUT:
        *(int *)arg = 0;
        return 0;
    case VIDIOC_S_INPUT:
        return 0;
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *r = arg;
        if (word(n, "busy"))
            return fail(EBUSY);
        r->count = r->count < BUFFERS ? r->count : BUFFERS;
        return 0;
    }
    case VIDIOC_QUERYBUF:
        b->length = BUFFER_SIZE;
        b->m.offset = b->index * BUFFER_SIZE;
        return 0;
    case VIDIOC_QBUF:
        c->queued.index[c->queued.count++] = (int)b->index;
        return 0;
    case VIDIOC_DQBUF:
        return dequeue(n, b);
    case VIDIOC_STREAMON:
        return start(c, true);
    case VIDIOC_STREAMOFF:
        return start(c, false);
    }
    return fail(ENOTTY);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    for (int n = 0; n < CAMERAS; n++)
        if (cameras[n].open && cameras[n].fd == fd)
            return answer(n, request, arg);
    int (*real)(int, unsigned long, ...) =
        (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    return real(fd, request, arg);
}
