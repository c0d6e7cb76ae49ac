/* Frames on their way out of a program that must not wait for its reader, as one with a window must not.
 *   in   frames (outlet_add)
 *   out  their bytes to a descriptor, as many at a time as it takes; the rest is kept in memory */
#define _GNU_SOURCE 1 /* F_SETPIPE_SZ */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe that polls as writable takes at least this many bytes without making the writer wait (pipe(7)). */
#define MAX_PIECE 4096

void outlet_init(struct stream_outlet *o, int fd)
{
    struct stat st;
    *o = (struct stream_outlet){.fd = fd};
    o->piecewise = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode);
}

void outlet_free(struct stream_outlet *o)
{
    free(o->data);
    o->data = NULL;
    o->len = o->size = o->sent = 0;
}

int outlet_add(struct stream_outlet *o, const struct frame *f, struct err *e)
{
    return frame_append(&o->data, &o->len, &o->size, f, e);
}

bool outlet_busy(const struct stream_outlet *o)
{
    return o->sent < o->len;
}

static short ready(const struct stream_outlet *o, short events, int wait_ms)
{
    struct pollfd p = {o->fd, events, 0};
    return poll(&p, 1, wait_ms) > 0 ? p.revents : 0;
}

static int write_out(struct stream_outlet *o, int wait_ms, struct err *e)
{
    while (outlet_busy(o)) {
        size_t n = o->len - o->sent;
        if (o->piecewise) {
            if (!ready(o, POLLOUT, wait_ms))
                return 0;
            n = n < MAX_PIECE ? n : MAX_PIECE;
        }
        ssize_t written = write(o->fd, o->data + o->sent, n);
        if (written < 0 && errno == EAGAIN && wait_ms == 0)
            return 0;
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return err_errno(e, "standard output");
        o->sent += written > 0 ? (size_t)written : 0;
    }
    o->len = o->sent = 0;
    return 0;
}

int outlet_work(struct stream_outlet *o, struct err *e)
{
    return write_out(o, 0, e);
}

int outlet_flush(struct stream_outlet *o, struct err *e)
{
    while (outlet_busy(o))
        if (write_out(o, -1, e) < 0)
            return -1;
    return 0;
}

bool outlet_is_closed(const struct stream_outlet *o)
{
    return o->piecewise && ready(o, 0, 0) & POLLERR;
}

/* ---- Pipes whose reader is live ---- */

void pipe_shrink(int fd)
{
    fcntl(fd, F_SETPIPE_SZ, (int)sysconf(_SC_PAGESIZE));
}

bool pipe_is_live(int fd)
{
    return fcntl(fd, F_GETPIPE_SZ) == (int)sysconf(_SC_PAGESIZE);
}

bool pipe_holds(int fd)
{
    struct stat st;
    struct pollfd gone = {.fd = fd};
    int held;
    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && ioctl(fd, FIONREAD, &held) == 0 &&
           held > 0 && poll(&gone, 1, 0) == 0;
}

bool pipe_wait_taken(int fd)
{
    enum { STEP = 2 }; /* Milliseconds between two looks: no event tells a writer that a pipe is empty. */
    bool waited = false;
    for (; pipe_holds(fd); waited = true)
        poll(NULL, 0, STEP);
    return waited;
}
