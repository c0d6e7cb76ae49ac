/* One X11 window that a program paints itself: events come out, a surface goes in. Pictures go
 * through shared memory (MIT-SHM) where the server is on this machine, through XPutImage
 * elsewhere; a surface is not written while the server still reads it. No fonts, no window
 * manager and no extension are needed. One window a process. */
#ifndef INKPIPE_WINDOW_H
#define INKPIPE_WINDOW_H

#include <stdbool.h>

#include "err.h"
#include "paint.h"

struct window;

enum window_event_type {
    WINDOW_NONE,
    WINDOW_EXPOSE, /* it must be shown again */
    WINDOW_RESIZE, /* and has another size */
    WINDOW_CLOSE,  /* the user closed it */
    WINDOW_KEY,    /* key: a character, as typed */
    WINDOW_DOWN,   /* the first pointer button at x, y */
    WINDOW_MOVE,   /* only between down and up */
    WINDOW_UP
};

struct window_event {
    enum window_event_type type;
    int x, y;
    char key;
    bool repeat; /* WINDOW_KEY: the key has been held since its last event */
};

/* Connect to $DISPLAY (display NULL) or the named one. NULL: e says which display and what may be
 * wrong. Free with window_free, which closes the connection. The window is not made yet. */
struct window *window_open(const char *display, struct err *e);
void window_free(struct window *w);

/* What one pixel of a plain screen is here: Xft.dpi / 96 rounded to halves, 1..4 (1 where
 * the resource is not set). */
double window_scale(const struct window *w);

/* Largest size of a window that fits the screen, in pixels. */
void window_screen(const struct window *w, int *width, int *height);

/* Make the window and map it. Sizes in pixels; min_* is the least a window manager may make of
 * it. `cross`: the pointer is a drawing cross. Returns 0 or -1. */
int window_show(struct window *w, const char *title, int width, int height, int min_width,
                int min_height, bool cross, struct err *e);

/* The connection, to poll for reading; and whether events are waiting already. */
int window_fd(const struct window *w);
bool window_pending(struct window *w);

/* The next event; WINDOW_NONE when there is none. Never waits. */
struct window_event window_next(struct window *w);

/* The surface to paint, of the window's size. NULL while the server still reads the last one (an
 * event will come and a later call succeeds) or when memory is short. What was painted before is
 * still there unless the size changed since. */
struct surface *window_surface(struct window *w);

/* Send part r of the surface to the screen. */
void window_put(struct window *w, struct rect r);

#endif
