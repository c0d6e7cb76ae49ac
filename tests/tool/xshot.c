/* xshot [x y width height]: the screen, or a part of it, as a PPM on standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>

/* A colour's part of a pixel, 0..255. */
static int part(unsigned long pixel, unsigned long mask)
{
    unsigned long lowest = mask & (~mask + 1);
    return (int)((pixel & mask) / lowest * 255 / (mask / lowest));
}

int main(int argc, char **argv)
{
    Display *display = XOpenDisplay(NULL);
    if (!display || (argc != 1 && argc != 5))
        return 1;
    int screen = DefaultScreen(display);
    int x = 0, y = 0, w = DisplayWidth(display, screen), h = DisplayHeight(display, screen);
    if (argc == 5) {
        x = atoi(argv[1]);
        y = atoi(argv[2]);
        w = atoi(argv[3]);
        h = atoi(argv[4]);
    }
    XImage *image = XGetImage(display, RootWindow(display, screen), x, y, (unsigned)w, (unsigned)h,
                              AllPlanes, ZPixmap);
    if (!image)
        return 1;
    Visual *visual = DefaultVisual(display, screen);
    printf("P6\n%d %d\n255\n", w, h);
    for (y = 0; y < h; y++)
        for (x = 0; x < w; x++) {
            unsigned long pixel = XGetPixel(image, x, y);
            putchar(part(pixel, visual->red_mask));
            putchar(part(pixel, visual->green_mask));
            putchar(part(pixel, visual->blue_mask));
        }
    XDestroyImage(image);
    XCloseDisplay(display);
    return fflush(stdout) != 0;
}
