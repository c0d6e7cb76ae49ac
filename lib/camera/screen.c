/* Whether an X display can be grabbed: asks the server, by Xlib. */
#include "picture.h"

#include <stdio.h>
#include <string.h>

#include <X11/Xlib.h>

struct _XDisplay *screen_open(const char *source, struct err *e)
{
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(source, "+"), source);
    Display *display = XOpenDisplay(name[0] ? name : NULL);
    if (!display) {
        err_set(e, "no X display can be opened: %s", name[0] ? "is an X server there?" : "is DISPLAY set?");
        return NULL;
    }
    int major, event, error;
    if (!XQueryExtension(display, "XWAYLAND", &major, &event, &error))
        return display;
    err_set(e, "this is a Wayland desktop, whose screen X programs only see black: grab a file "
               "made by its own screen recorder");
    XCloseDisplay(display);
    return NULL;
}

void screen_close(struct _XDisplay *display)
{
    if (display)
        XCloseDisplay(display);
}
