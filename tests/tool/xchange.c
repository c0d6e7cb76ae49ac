/* xchange X Y COMMAND...: run a command (xdotool ...) and print how many microseconds after its start
 * the screen's pixel at X,Y has another colour, and that colour; gives up after ten seconds. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>

static unsigned long look(Display *display, int x, int y)
{
    XImage *image = XGetImage(display, DefaultRootWindow(display), x, y, 1, 1, AllPlanes, ZPixmap);
    unsigned long pixel = image ? XGetPixel(image, 0, 0) : 0;
    if (image)
        XDestroyImage(image);
    return pixel;
}

static long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
    Display *display = XOpenDisplay(NULL);
    if (argc < 4 || !display)
        return 1;
    int x = atoi(argv[1]), y = atoi(argv[2]);
    unsigned long before = look(display, x, y), pixel = before;
    long start = now();
    if (fork() == 0) {
        execvp(argv[3], argv + 3);
        _exit(127);
    }
    while (pixel == before && now() - start < 10000000)
        pixel = look(display, x, y);
    printf("%ld %06lx\n", now() - start, pixel & 0xffffff);
    return pixel == before;
}
