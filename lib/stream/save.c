/* Frames put away into files.
 *   in   a frame
 *   out  a new numbered file, or one more frame at the end of a file; what cannot be written whole is
 * undone */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NUMBER 9999 /* The largest number in a file's name: it has four digits. */

static int write_and_close(int fd, const struct frame *f, struct err *e)
{
    int result = frame_write(fd, f, e);
    if (close(fd) < 0 && result == 0)
        result = err_errno(e, "cannot write");
    return result;
}

int save_numbered(const char *prefix, const struct frame *f, char *name, size_t size, struct err *e)
{
    int fd = -1;
    for (int i = 1; fd < 0 && i <= MAX_NUMBER; i++) {
        snprintf(name, size, "%s-%04d.pgm", prefix, i);
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0)
        return err_errno(e, "cannot create %s", name);
    if (write_and_close(fd, f, e) == 0)
        return 0;
    unlink(name);
    return -1;
}

/* Cut a file back to `size` bytes; not by truncate, which the sandbox takes away. */
static int cut_back(const char *file, off_t size)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int status = ftruncate(fd, size);
    close(fd);
    return status;
}

int save_append(const char *file, const struct frame *f, struct err *e)
{
    struct stat before;
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0 || fstat(fd, &before) < 0) {
        err_errno(e, "cannot write %s", file);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (write_and_close(fd, f, e) == 0)
        return 0;
    if (S_ISREG(before.st_mode) && cut_back(file, before.st_size) < 0)
        err_errno(e, "%s ends in half a frame", file);
    return -1;
}
