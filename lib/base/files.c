/* Whole files: bytes to a file and back.
 *   in   a name and bytes, or a name and a limit
 *   out  a file replaced at once (temporary file, rename), or its bytes in memory */
#define _GNU_SOURCE 1 /* realpath */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grow.h"

int write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n >= 0) {
            p += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

ssize_t read_once(int fd, void *data, size_t len)
{
    ssize_t got;
    while ((got = read(fd, data, len)) < 0 && (errno == EINTR || errno == EAGAIN)) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (errno == EAGAIN)
            poll(&wait, 1, -1);
    }
    return got;
}

void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool is_standard(const char *name)
{
    return !name || !strcmp(name, "-");
}

const char *file_shown(const char *name)
{
    return is_standard(name) ? "standard input" : name;
}

/* Create a temporary file in the directory of `name`, and put its name into temp. Returns its descriptor, or -1. */
static int open_beside(const char *name, char temp[PATH_MAX], struct err *e)
{
    const char *slash = strrchr(name, '/');
    int dir = slash ? (int)(slash - name) + 1 : 0;
    for (int i = 0; i < 1000; i++) {
        int n = snprintf(temp, PATH_MAX, "%.*s.%.200s.%ld.%d", dir, name, name + dir, (long)getpid(), i);
        if (n >= PATH_MAX) {
            errno = ENAMETOOLONG;
            break;
        }
        int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            break;
    }
    return err_errno(e, "cannot write");
}

/* Make a rename in the directory of `name` durable (fsync). A file system that cannot is no error. */
static void sync_directory(const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", name);
    int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Write all of an open file, which gets the permissions of `old` unless NULL, and close it. */
static int finish(int fd, const struct stat *old, const void *bytes, size_t len, bool durable, struct err *e)
{
    bool whole = !write_all(fd, bytes, len) && (!old || !fchmod(fd, old->st_mode & 0777)) && (!durable || !fsync(fd));
    if (!whole)
        err_errno(e, "cannot write");
    if (close(fd) < 0 && whole)
        return err_errno(e, "cannot write");
    return whole ? 0 : -1;
}

static int write_special(const char *name, const void *bytes, size_t len, struct err *e)
{
    int fd = open(name, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? err_errno(e, "cannot open for writing") : finish(fd, NULL, bytes, len, false, e);
}

static int replace(const char *name, const struct stat *old, const void *bytes, size_t len, bool durable, struct err *e)
{
    char temp[PATH_MAX];
    int fd = open_beside(name, temp, e);
    if (fd < 0)
        return -1;
    int status = finish(fd, old, bytes, len, durable, e);
    if (!status && rename(temp, name))
        status = err_errno(e, "cannot write");
    if (status)
        unlink(temp);
    else if (durable)
        sync_directory(name);
    return status;
}

static int save(const char *name, const void *bytes, size_t len, bool durable, struct err *e)
{
    struct stat st;
    char real[PATH_MAX];
    if (stat(name, &st) < 0)
        return replace(name, NULL, bytes, len, durable, e);
    if (S_ISDIR(st.st_mode))
        return err_set(e, "cannot write: is a directory");
    if (!S_ISREG(st.st_mode))
        return write_special(name, bytes, len, e);
    if (!realpath(name, real))
        return err_errno(e, "cannot write");
    return replace(real, &st, bytes, len, durable, e);
}

int file_save(const char *name, const void *bytes, size_t len, struct err *e)
{
    return save(name, bytes, len, true, e) < 0 ? err_at(e, name, -1) : 0;
}

int file_replace(const char *name, const void *bytes, size_t len, struct err *e)
{
    return save(name, bytes, len, false, e) < 0 ? err_at(e, name, -1) : 0;
}

static int too_large(size_t limit, struct err *e)
{
    return err_set(e, "larger than %zu bytes, the limit", limit);
}

/* Read fd to its end into *bytes, which grows. On failure the caller frees it. */
static int read_all(int fd, size_t limit, uint8_t **bytes, size_t *len, struct err *e)
{
    struct stat st;
    size_t room = 65536, size = 0, n = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        if ((unsigned long long)st.st_size > limit)
            return too_large(limit, e);
        room = (size_t)st.st_size + 2;
    }
    for (;;) {
        if (grow_to(bytes, n + 2 > room ? n + 2 : room, &size, 1, e))
            return -1;
        ssize_t got = read_once(fd, *bytes + n, size - 1 - n);
        if (got < 0)
            return err_errno(e, "cannot read");
        if (got == 0)
            break;
        if ((n += (size_t)got) > limit)
            return too_large(limit, e);
    }
    (*bytes)[n] = '\0';
    *len = n;
    return 0;
}

int file_load(const char *name, size_t limit, uint8_t **bytes, size_t *len, struct err *e)
{
    *bytes = NULL;
    *len = 0;
    bool standard = is_standard(name);
    int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    int status = fd < 0 ? err_errno(e, "cannot open") : read_all(fd, limit, bytes, len, e);
    if (fd >= 0 && !standard)
        close(fd);
    if (status == 0)
        return 0;
    free(*bytes);
    *bytes = NULL;
    return err_at(e, file_shown(name), -1);
}

static int check_is_other(const char *name, const struct stat *out, struct err *e)
{
    struct stat in;
    if (!S_ISREG(out->st_mode) || (is_standard(name) ? fstat(STDIN_FILENO, &in) : stat(name, &in)) < 0 ||
        in.st_dev != out->st_dev || in.st_ino != out->st_ino)
        return 0;
    return err_set(e, "is also the file to write to") | err_at(e, file_shown(name), -1);
}

int file_not_written(const char *name, int out, struct err *e)
{
    struct stat st;
    return fstat(out, &st) < 0 ? 0 : check_is_other(name, &st, e);
}

int file_not_saved(const char *name, const char *out, struct err *e)
{
    struct stat st;
    return stat(out, &st) < 0 ? 0 : check_is_other(name, &st, e);
}

int file_make_folder(const char *path, struct err *e)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    return err_errno(e, "cannot make directory") | err_at(e, path, -1);
}
