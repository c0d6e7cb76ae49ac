/* Whole files: written so that a reader never sees half of one, read within a bound. */
#ifndef INKPIPE_FILES_H
#define INKPIPE_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* Make `name` a file of these len bytes, or leave it as it was: a temporary file beside it, fsync, rename, fsync of the
 * directory. A file that was there gives its permissions; a symbolic link stays and what it points to is replaced; a
 * device or pipe is written as it is. Returns 0, or -1 with e->file = name and no temporary file left. */
int file_save(const char *name, const void *bytes, size_t len, struct err *e);

/* file_save without fsync, for files that are quickly made again. After a power cut the file may be empty;
 * after the program was killed it is whole, or as it was. */
int file_replace(const char *name, const void *bytes, size_t len, struct err *e);

/* Read all of a file, a pipe, or standard input (name NULL or "-") of at most `limit` bytes into
 * *bytes (malloc'd, owned by the caller, a NUL behind the last byte that *len does not count).
 * Memory grows with what arrives. Returns 0, or -1 with e->file set and *bytes NULL. */
int file_load(const char *name, size_t limit, uint8_t **bytes, size_t *len, struct err *e);

/* Check that reading `name` (NULL or "-": standard input) does not read the regular file that is written: the
 * one open as `out`, or of the name `out`. Reading would never end, or the file be lost. Returns 0, or -1
 * with e->file = name. */
int file_not_written(const char *name, int out, struct err *e);
int file_not_saved(const char *name, const char *out, struct err *e);

/* Make the directory `path` unless it exists. Returns 0, or -1 with e->file set. */
int file_make_folder(const char *path, struct err *e);

/* Write all of len bytes to fd, over short writes, EINTR and EAGAIN. Returns 0, or -1 with errno set. */
int write_all(int fd, const void *data, size_t len);

/* read(2) over EINTR and EAGAIN. */
ssize_t read_once(int fd, void *data, size_t len);

/* Close *fd, unless it is -1, which it is from now on. */
void close_fd(int *fd);

/* The name of a stream as messages have it: of "-" and NULL "standard input". */
const char *file_shown(const char *name);

#endif
