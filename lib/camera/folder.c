/* The pictures and videos in a folder.
 *   in   a folder's name
 *   out  the names of its files that are pictures, by extension or magic number, sorted by their bytes */
#include "picture.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"

static bool begins_like_a_picture(const char *name)
{
    uint8_t head[PICTURE_MAX_HEAD];
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof head);
    if (fd >= 0)
        close(fd);
    return n > 0 && picture_type(head, n) != PICTURE_UNKNOWN;
}

int name_list_add(struct camera_names *list, const char *name, struct err *e)
{
    if (grow_to(&list->name, list->count + 1, &list->size, sizeof *list->name, e))
        return -1;
    if (!(list->name[list->count] = strdup(name)))
        return err_set(e, "out of memory");
    list->count++;
    return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int visit(FTS *tree, FTSENT *f, bool recursive, struct camera_names *list, struct err *e)
{
    bool hidden = f->fts_level > 0 && f->fts_name[0] == '.';
    switch (f->fts_info) {
    case FTS_D:
        if (f->fts_level > 0 && (hidden || !recursive))
            fts_set(tree, f, FTS_SKIP);
        return 0;
    case FTS_F:
        if (!hidden && (picture_named(f->fts_name) || begins_like_a_picture(f->fts_path)))
            return name_list_add(list, f->fts_path, e);
        return 0;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        errno = f->fts_errno;
        return err_errno(e, "cannot be read") | err_at(e, f->fts_path, -1);
    }
    return 0;
}

int folder_list(const char *folder, bool recursive, struct camera_names *list, struct err *e)
{
    char *roots[2] = {(char *)folder, NULL};
    FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    if (!tree)
        return err_errno(e, "cannot be read");
    int status = 0;
    for (FTSENT *f; (f = fts_read(tree));)
        if (visit(tree, f, recursive, list, e))
            status = -1;
    fts_close(tree);
    return status;
}

void name_list_free(struct camera_names *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->name[i]);
    free(list->name);
    *list = (struct camera_names){0};
}

bool folder_label(const char *name, char label[static LABEL_SIZE])
{
    const char *end = strrchr(name, '/');
    while (end && end > name && end[-1] == '/')
        end--;
    const char *begin = end;
    while (begin && begin > name && begin[-1] != '/')
        begin--;
    size_t len = (size_t)(end - begin);
    if (!end || !label_is_word(begin, len) || strspn(begin, ".") >= len)
        return false;
    memcpy(label, begin, len);
    label[len] = '\0';
    return true;
}
