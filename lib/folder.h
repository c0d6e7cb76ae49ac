/* The pictures and videos in a folder. */
#ifndef INKPIPE_FOLDER_H
#define INKPIPE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct name_list {
    char **name; /* [count], each and the array owned by the list */
    size_t count, size;
};

/* Append the files of `folder` to list in the order of their names (by bytes), with `recursive`
 * those of the folders in it too (symbolic links are followed, loops are not). A file is taken
 * when its name ends like a picture's or video's or its first bytes are one's; names that begin
 * with a dot are passed over. Returns 0, or -1 when a folder could not be read: list then holds
 * what could. Free with name_list_free. */
int folder_list(const char *folder, bool recursive, struct name_list *list, struct err *e);

/* Append a copy of name. Returns 0 or -1. */
int name_list_add(struct name_list *list, const char *name, struct err *e);

void name_list_free(struct name_list *list);

/* The label (frame_label) that the folder right above a file is named after, -1 when that is not
 * one: DIR/7/photo.jpg is a 7, DIR/none/photo.jpg is FRAME_NONE. */
int folder_label(const char *name);

#endif
