#include "screen.h"

#include <stdio.h>
#include <string.h>

#include <X11/Xlib.h>

int screen_check(const char *source, struct err *e)
{
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(source, "+"), source);
    Display *display = XOpenDisplay(name[0] ? name : NULL);
    if (!display)
        return err_set(e, "no X display can be opened: %s", name[0] ? "is an X server there?"
                                                                    : "is DISPLAY set?");
    int major, event, error;
    int xwayland = XQueryExtension(display, "XWAYLAND", &major, &event, &error);
    XCloseDisplay(display);
    if (xwayland)
        return err_set(e, "this is a Wayland desktop, whose screen X programs only see black: "
                          "grab a file made by its own screen recorder");
    return 0;
}
