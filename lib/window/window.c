/* One X11 window.
 *   in   events of the X server, a painted surface
 *   out  struct window_event; pixels on the screen, through shared memory (MIT-SHM) where the server is
 *        local */
#include "window.h"

#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>
#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/XKBlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>

#include "base/grow.h"

#define MIN_SCALE 1  /* The scale of the window's parts is at least this. */
#define MAX_SCALE 4  /* It is at most this. */
#define KEYCODES 256 /* X11 has key codes of one byte. */

struct window {
    Display *display;
    int screen;
    Window window;
    GC gc;
    XVisualInfo visual;
    Colormap colors;
    Atom wm_delete;
    int width, height;
    int completion; /* the type of MIT-SHM's completion event; 0: the server has no MIT-SHM */
    XImage *image;  /* of the surface's size */
    XShmSegmentInfo segment;
    bool shared, busy;
    struct window_surface surface;
    bool foreign; /* the screen's pixels are not 0x00RRGGBB: the surface has memory of its own */
    bool held[KEYCODES];
};

/* Set by note_failure, Xlib's error handler, of which a process has one: whether MIT-SHM works (a server
 * on another machine or in another IPC namespace has it too) shows only when a segment is attached. */
static bool attach_failed;

static int note_failure(Display *display, XErrorEvent *event)
{
    (void)display;
    (void)event;
    attach_failed = true;
    return 0;
}

/* Xlib reads the files of its locale when a text is first made a property: now, before the program gives up
 * opening files, and not when the window gets its title. */
static void load_locale(Display *display)
{
    XTextProperty property = {0};
    char *text[] = {""};
    Xutf8TextListToTextProperty(display, text, 1, XUTF8StringStyle, &property);
    XFree(property.value);
}

struct window *window_open(const char *display, struct err *e)
{
    struct window *w = zeroed(1, sizeof *w, e);
    if (!w)
        return NULL;
    w->display = XOpenDisplay(display);
    if (!w->display) {
        const char *name = XDisplayName(display);
        if (*name)
            err_set(e, "cannot open display %s: is an X server (or Xwayland) running there, and "
                       "may this user use it?", name);
        else
            err_set(e, "no display: DISPLAY is not set; a window needs a graphical session "
                       "(or ssh -X)");
        free(w);
        return NULL;
    }
    w->screen = DefaultScreen(w->display);
    load_locale(w->display);
    return w;
}

static void drop_image(struct window *w)
{
    if (!w->image)
        return;
    if (w->shared) {
        XShmDetach(w->display, &w->segment);
        XSync(w->display, False);
        w->image->data = NULL;
        shmdt(w->segment.shmaddr);
    }
    XDestroyImage(w->image);
    w->image = NULL;
    if (w->foreign)
        free(w->surface.pixels);
    w->surface = (struct window_surface){0, 0, NULL};
    w->busy = false;
}

void window_free(struct window *w)
{
    if (!w)
        return;
    drop_image(w);
    if (w->window) {
        XFreeGC(w->display, w->gc);
        XDestroyWindow(w->display, w->window);
        XFreeColormap(w->display, w->colors);
    }
    XCloseDisplay(w->display);
    free(w);
}

double window_scale(const struct window *w)
{
    const char *text = XGetDefault(w->display, "Xft", "dpi");
    double dpi = text ? strtod(text, NULL) : 96;
    double scale = round(dpi / 96 * 2) / 2;
    return scale >= MIN_SCALE ? fmin(scale, MAX_SCALE) : MIN_SCALE;
}

void window_screen(const struct window *w, int *width, int *height)
{
    *width = DisplayWidth(w->display, w->screen);
    *height = DisplayHeight(w->display, w->screen);
}

static int choose_visual(struct window *w, struct err *e)
{
    int depth = DefaultDepth(w->display, w->screen);
    if (!XMatchVisualInfo(w->display, w->screen, depth, TrueColor, &w->visual) &&
        !XMatchVisualInfo(w->display, w->screen, 24, TrueColor, &w->visual))
        return err_set(e, "the display has no true colours");
    return 0;
}

/* A cross with an open middle, from a bitmap: the server may lack the cursor font. */
static Cursor make_cross(struct window *w)
{
    enum { SIDE = 17, ROW = 3 };
    char bits[SIDE * ROW] = {0}, mask[SIDE * ROW] = {0};
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int dx = abs(x - SIDE / 2), dy = abs(y - SIDE / 2);
            int arm = (dx == 0 && dy > 2) || (dy == 0 && dx > 2);
            int near = (dx <= 1 && dy > 1) || (dy <= 1 && dx > 1);
            bits[y * ROW + x / 8] |= (char)(arm << x % 8);
            mask[y * ROW + x / 8] |= (char)(near << x % 8);
        }
    Pixmap shape = XCreateBitmapFromData(w->display, w->window, bits, SIDE, SIDE);
    Pixmap around = XCreateBitmapFromData(w->display, w->window, mask, SIDE, SIDE);
    XColor white = {0, 0xffff, 0xffff, 0xffff, 0, 0}, black = {0, 0, 0, 0, 0, 0};
    Cursor cursor = XCreatePixmapCursor(w->display, shape, around, &white, &black, SIDE / 2, SIDE / 2);
    XFreePixmap(w->display, shape);
    XFreePixmap(w->display, around);
    return cursor;
}

static void tell_manager(struct window *w, const char *title, int min_width, int min_height)
{
    XSizeHints size = {.flags = PMinSize, .min_width = min_width, .min_height = min_height};
    XWMHints hints = {.flags = InputHint | StateHint, .input = True, .initial_state = NormalState};
    char name[] = "inkpipe";
    XClassHint class = {name, name};
    Xutf8SetWMProperties(w->display, w->window, title, title, NULL, 0, &size, &hints, &class);
    long pid = getpid();
    XChangeProperty(w->display, w->window, XInternAtom(w->display, "_NET_WM_PID", False),
                    XA_CARDINAL, 32, PropModeReplace, (unsigned char *)&pid, 1);
    w->wm_delete = XInternAtom(w->display, "WM_DELETE_WINDOW", False);
    XSetWMProtocols(w->display, w->window, &w->wm_delete, 1);
}

int window_show(struct window *w, const char *title, int width, int height, int min_width,
                int min_height, bool cross, struct err *e)
{
    if (choose_visual(w, e) < 0)
        return -1;
    Window root = RootWindow(w->display, w->screen);
    w->colors = XCreateColormap(w->display, root, w->visual.visual, AllocNone);
    XSetWindowAttributes a = {
        .background_pixel = 0,
        .border_pixel = 0,
        .bit_gravity = NorthWestGravity,
        .colormap = w->colors,
        .event_mask = ExposureMask | StructureNotifyMask | KeyPressMask | KeyReleaseMask |
                      FocusChangeMask | ButtonPressMask | ButtonReleaseMask | Button1MotionMask};
    w->window = XCreateWindow(
        w->display, root, 0, 0, (unsigned)width, (unsigned)height, 0, w->visual.depth, InputOutput,
        w->visual.visual, CWBackPixel | CWBorderPixel | CWBitGravity | CWColormap | CWEventMask, &a);
    w->gc = XCreateGC(w->display, w->window, 0, NULL);
    w->width = width;
    w->height = height;
    tell_manager(w, title, min_width, min_height);
    if (cross) {
        Cursor cursor = make_cross(w);
        XDefineCursor(w->display, w->window, cursor);
        XFreeCursor(w->display, cursor);
    }
    XkbSetDetectableAutoRepeat(w->display, True, NULL);
    if (XShmQueryExtension(w->display))
        w->completion = XShmGetEventBase(w->display) + ShmCompletion;
    XMapWindow(w->display, w->window);
    XFlush(w->display);
    return 0;
}

int window_fd(const struct window *w)
{
    return ConnectionNumber(w->display);
}

bool window_pending(struct window *w)
{
    return XPending(w->display) > 0;
}

static struct window_event key_event(struct window *w, XKeyEvent *event)
{
    struct window_event out = {.type = WINDOW_NONE};
    char text[8] = "";
    KeySym symbol;
    if (XLookupString(event, text, sizeof text, &symbol, NULL) == 1) {
        out.type = WINDOW_KEY;
        out.key = text[0];
        out.repeat = w->held[event->keycode & (KEYCODES - 1)];
    }
    w->held[event->keycode & (KEYCODES - 1)] = true;
    return out;
}

static struct window_event button_event(const XButtonEvent *event)
{
    enum window_event_type type = event->type == ButtonPress ? WINDOW_DOWN : WINDOW_UP;
    return (struct window_event){.type = event->button == Button1 ? type : WINDOW_NONE,
                                 .x = event->x,
                                 .y = event->y};
}

static void resize(struct window *w, const XConfigureEvent *event, bool *dirty)
{
    *dirty |= event->width != w->width || event->height != w->height;
    w->width = event->width;
    w->height = event->height;
}

static struct window_event translate(struct window *w, XEvent *event, bool *dirty, bool *quit)
{
    if (w->completion && event->type == w->completion) {
        w->busy = false;
        return (struct window_event){.type = WINDOW_NONE};
    }
    switch (event->type) {
    case Expose:
        *dirty = true;
        break;
    case ConfigureNotify:
        resize(w, &event->xconfigure, dirty);
        break;
    case ClientMessage:
        *quit |= (Atom)event->xclient.data.l[0] == w->wm_delete;
        break;
    case KeyPress:
        return key_event(w, &event->xkey);
    case KeyRelease:
        w->held[event->xkey.keycode & (KEYCODES - 1)] = false;
        break;
    case FocusOut:
        memset(w->held, 0, sizeof w->held);
        break;
    case ButtonPress:
    case ButtonRelease:
        return button_event(&event->xbutton);
    case MotionNotify:
        return (struct window_event){
            .type = WINDOW_MOVE, .x = event->xmotion.x, .y = event->xmotion.y};
    case MappingNotify:
        XRefreshKeyboardMapping(&event->xmapping);
        break;
    }
    return (struct window_event){.type = WINDOW_NONE};
}

struct window_event window_next(struct window *w, bool *dirty, bool *quit)
{
    struct window_event out = {.type = WINDOW_NONE};
    while (out.type == WINDOW_NONE && XPending(w->display)) {
        XEvent event;
        XNextEvent(w->display, &event);
        out = translate(w, &event, dirty, quit);
    }
    return out;
}

/* Make the image in shared memory. Returns false, and leaves w as it was, where that fails. */
static bool make_shared(struct window *w)
{
    w->image = XShmCreateImage(w->display, w->visual.visual, (unsigned)w->visual.depth, ZPixmap,
                               NULL, &w->segment, (unsigned)w->width, (unsigned)w->height);
    if (!w->image)
        return false;
    size_t bytes = (size_t)w->image->bytes_per_line * (size_t)w->image->height;
    w->segment.shmid = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
    w->segment.shmaddr = w->segment.shmid < 0 ? (void *)-1 : shmat(w->segment.shmid, NULL, 0);
    bool attached = false;
    if (w->segment.shmaddr != (void *)-1) {
        w->segment.readOnly = True;
        attach_failed = false;
        XErrorHandler before = XSetErrorHandler(note_failure);
        attached = XShmAttach(w->display, &w->segment);
        XSync(w->display, False);
        XSetErrorHandler(before);
        attached = attached && !attach_failed;
    }
    if (w->segment.shmid >= 0)
        shmctl(w->segment.shmid, IPC_RMID, NULL); /* freed when both sides have detached */
    if (!attached) {
        if (w->segment.shmaddr != (void *)-1)
            shmdt(w->segment.shmaddr);
        XDestroyImage(w->image);
        w->image = NULL;
        return false;
    }
    w->image->data = w->segment.shmaddr;
    return true;
}

static bool make_plain(struct window *w)
{
    w->image = XCreateImage(w->display, w->visual.visual, (unsigned)w->visual.depth, ZPixmap, 0,
                            NULL, (unsigned)w->width, (unsigned)w->height, 32, 0);
    if (!w->image)
        return false;
    w->image->data = calloc((size_t)w->image->height, (size_t)w->image->bytes_per_line);
    if (!w->image->data) {
        XDestroyImage(w->image);
        w->image = NULL;
        return false;
    }
    return true;
}

static bool is_native(const struct window *w)
{
    const uint32_t one = 1;
    int order = *(const uint8_t *)&one ? LSBFirst : MSBFirst;
    return w->image->bits_per_pixel == 32 && w->image->byte_order == order &&
           w->visual.red_mask == 0xff0000 && w->visual.green_mask == 0xff00 &&
           w->visual.blue_mask == 0xff && w->image->bytes_per_line == 4 * w->width;
}

struct window_surface *window_surface(struct window *w)
{
    if (w->busy)
        return NULL;
    if (w->image && (w->surface.width != w->width || w->surface.height != w->height))
        drop_image(w);
    if (!w->image) {
        w->shared = w->completion && make_shared(w);
        if (!w->shared)
            w->completion = 0;
        if (!w->shared && !make_plain(w))
            return NULL;
        w->foreign = !is_native(w);
        w->surface.width = w->width;
        w->surface.height = w->height;
        w->surface.pixels = w->foreign ? calloc((size_t)w->width * w->height, sizeof(uint32_t))
                                       : (uint32_t *)(void *)w->image->data;
        if (!w->surface.pixels) {
            drop_image(w);
            return NULL;
        }
    }
    return &w->surface;
}

/* Scale v (0..255) to the bits of a mask. */
static unsigned long scale_to_mask(uint32_t v, unsigned long mask)
{
    unsigned long lowest = mask & (~mask + 1), top = lowest ? mask / lowest : 0;
    return (v * top + 127) / 255 * lowest;
}

/* Convert 0x00RRGGBB to the masks and byte order of a foreign screen. */
static void convert(struct window *w, struct box r)
{
    for (int y = r.y0; y < r.y1; y++)
        for (int x = r.x0; x < r.x1; x++) {
            uint32_t c = w->surface.pixels[(size_t)y * w->surface.width + x];
            XPutPixel(w->image, x, y, scale_to_mask(c >> 16 & 255, w->visual.red_mask) |
                          scale_to_mask(c >> 8 & 255, w->visual.green_mask) |
                          scale_to_mask(c & 255, w->visual.blue_mask));
        }
}

void window_put(struct window *w, struct box r)
{
    r = box_clip(r, w->surface.width, w->surface.height);
    if (!w->image || w->busy || box_empty(r))
        return;
    if (w->foreign)
        convert(w, r);
    if (w->shared)
        w->busy = XShmPutImage(w->display, w->window, w->gc, w->image, r.x0, r.y0, r.x0, r.y0,
                               (unsigned)box_width(r), (unsigned)box_height(r), True);
    else
        XPutImage(w->display, w->window, w->gc, w->image, r.x0, r.y0, r.x0, r.y0,
                  (unsigned)box_width(r), (unsigned)box_height(r));
    XFlush(w->display);
}
