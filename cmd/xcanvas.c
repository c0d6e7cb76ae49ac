/* Draw with the mouse: a frame at each release of the button. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "child.h"
#include "ink.h"
#include "outlet.h"
#include "panel.h"
#include "stroke.h"
#include "tool.h"
#include "window.h"

static const char usage[] =
    "usage: xcanvas [-hlV] [-e command] [-p pen] [-z scale]\n"
    "Draw with the mouse, white on black; each release of the button writes a frame of 280x280.\n"
    "  -e command  run it beside the window: frames in, answers out, shown with their bars\n"
    "  -l          write only labelled drawings (the default when output is appended to a file)\n"
    "  -p pen      width of the pen in pixels of the frame (28)\n"
    "  -z scale    size of the window's parts (1: a plain screen; default: from Xft.dpi)\n"
    "  -h, -V      this help; the version\n"
    "keys: c clear, u undo a stroke, 0..9 label the drawing, write it and begin anew, q quit\n"
    "  xcanvas | preproc | cnn-predict\n"
    "  xcanvas -e 'preproc | cnn-predict -k 9'\n"
    "  xcanvas >> mine.pgm\n";

#define MARGIN 16 /* pixels at scale 1, as all sizes of the layout */
#define FOOT 26
#define SIDE 420
#define LEAST_SIDE 140
#define SILENCE 1.0 /* seconds after which a missing answer is worth a word */

struct options {
    const char *command;
    bool labelled_only, writes;
    double pen, scale;
};

struct canvas {
    struct options o;
    struct window *window;
    struct sketch *sketch;
    struct child *child; /* NULL without -e */
    struct ink *ink;     /* finds what the network sees, as preproc does; NULL without -e */
    uint8_t seen[DIGIT_PIXELS];
    bool has_seen;
    struct outlet out;
    struct frame frame;
    struct rect paper;      /* where the drawing is in the window */
    long long frames;       /* made so far; the newest is frames - 1 */
    long long answered;     /* frame that `answer` is about; -1: none since the last clear */
    struct answer answer;
    double sent;            /* when the newest frame went to the command */
    bool unreadable;        /* the command said something that is no answer */
    long labelled;
    char note[64];
    bool dirty, ink_dirty, quit;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    stopped = number;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.pen = 28};
    struct stat st;
    int c;
    o.labelled_only = fstat(1, &st) == 0 && S_ISREG(st.st_mode) && fcntl(1, F_GETFL) & O_APPEND;
    while ((c = getopt(argc, argv, "e:lp:z:hV")) != -1)
        switch (c) {
        case 'e':
            o.command = optarg;
            break;
        case 'l':
            o.labelled_only = true;
            break;
        case 'p':
            o.pen = tool_real(c, optarg, 1, SKETCH_SIDE / 2);
            break;
        case 'z':
            o.scale = tool_real(c, optarg, 0.5, 8);
            break;
        case 'h':
            tool_help();
        case 'V':
            tool_version();
        default:
            tool_usage(NULL);
        }
    if (optind < argc)
        tool_usage("%s: xcanvas reads no files", argv[optind]);
    o.writes = !isatty(1);
    if (!o.writes && !o.command)
        tool_usage("frames are not for a terminal: join a program with | or say -e");
    return o;
}

/* What preproc makes of the frame. */
static int look(struct canvas *c, struct err *e)
{
    struct ink_digit *digit;
    int found = ink_find(c->ink, c->frame.gray, SKETCH_SIDE, SKETCH_SIDE, SKETCH_SIDE, false,
                         &digit, e);
    c->has_seen = found > 0;
    if (c->has_seen)
        memcpy(c->seen, digit->pixels, sizeof c->seen);
    return found < 0 ? -1 : 0;
}

/* The newest state of the drawing, as a frame: to the output, to the command. */
static int send_frame(struct canvas *c, int label, struct err *e)
{
    char text[32];
    if (frame_resize(&c->frame, SKETCH_SIDE, SKETCH_SIDE, e) < 0)
        return -1;
    sketch_frame(c->sketch, c->frame.gray);
    snprintf(text, sizeof text, "%lld", c->frames++);
    if (frame_set_fact(&c->frame, "source", "xcanvas", e) < 0 ||
        frame_set_fact(&c->frame, "frame", text, e) < 0)
        return -1;
    snprintf(text, sizeof text, "%d", label);
    if (frame_set_fact(&c->frame, "label", label >= 0 ? text : NULL, e) < 0)
        return -1;
    if (c->o.writes && (label >= 0 || !c->o.labelled_only) &&
        outlet_add(&c->out, &c->frame, e) < 0)
        return -1;
    if (!c->child || label >= 0)
        return 0;
    c->sent = now();
    c->unreadable = false;
    return child_send(c->child, &c->frame, e) < 0 || look(c, e) < 0 ? -1 : 0;
}

static void clear(struct canvas *c)
{
    sketch_clear(c->sketch);
    c->answered = -1;
    c->unreadable = false;
    c->dirty = true;
}

static int label(struct canvas *c, int digit, struct err *e)
{
    if (sketch_strokes(c->sketch) == 0)
        return 0;
    if (!c->o.writes) {
        snprintf(c->note, sizeof c->note, "a label needs a file: xcanvas >> mine.pgm");
        c->dirty = true;
        return 0;
    }
    snprintf(c->note, sizeof c->note, "labelled %d   (%ld so far)", digit, ++c->labelled);
    if (send_frame(c, digit, e) < 0)
        return -1;
    clear(c);
    return 0;
}

static int press_key(struct canvas *c, struct window_event event, struct err *e)
{
    if (event.key == 'u' && sketch_undo(c->sketch)) {
        c->dirty = true;
        return send_frame(c, -1, e);
    }
    if (event.repeat)
        return 0;
    if (event.key == 'c')
        clear(c);
    else if (event.key == 'q')
        c->quit = true;
    else if (event.key >= '0' && event.key <= '9')
        return label(c, event.key - '0', e);
    return 0;
}

/* Pointer events, in frame pixels. A stroke begins on the paper and may leave it. */
static int draw(struct canvas *c, struct window_event event, struct err *e)
{
    const struct rect *p = &c->paper;
    double x = (event.x + 0.5 - p->x) * SKETCH_SIDE / p->w;
    double y = (event.y + 0.5 - p->y) * SKETCH_SIDE / p->h;
    bool inside = x >= 0 && y >= 0 && x < SKETCH_SIDE && y < SKETCH_SIDE;
    if (event.type == WINDOW_DOWN) {
        c->dirty = true;
        c->note[0] = '\0';
        return inside ? sketch_down(c->sketch, x, y, e) : 0;
    }
    if (!sketch_is_down(c->sketch))
        return 0;
    c->ink_dirty = true;
    if (sketch_move(c->sketch, x, y, e) < 0)
        return -1;
    if (event.type == WINDOW_MOVE)
        return 0;
    sketch_up(c->sketch);
    c->dirty = true;
    return send_frame(c, -1, e);
}

static int handle(struct canvas *c, struct window_event event, struct err *e)
{
    switch (event.type) {
    case WINDOW_EXPOSE:
    case WINDOW_RESIZE:
        c->dirty = true;
        return 0;
    case WINDOW_CLOSE:
        c->quit = true;
        return 0;
    case WINDOW_KEY:
        return press_key(c, event, e);
    case WINDOW_DOWN:
    case WINDOW_MOVE:
    case WINDOW_UP:
        return draw(c, event, e);
    case WINDOW_NONE:
        break;
    }
    return 0;
}

/* What the command says. An answer to an older frame is not shown. */
static void take_answers(struct canvas *c)
{
    const char *line;
    struct answer a;
    bool was_running = child_is_running(c->child);
    child_work(c->child);
    c->dirty |= was_running && !child_is_running(c->child);
    while ((line = child_line(c->child))) {
        c->unreadable = answer_parse(line, &a, NULL) < 0 || strchr(a.digit, ' ');
        c->dirty = true;
        if (c->unreadable || (a.frame >= 0 && a.frame != c->frames - 1))
            continue;
        c->answer = a;
        c->answered = c->frames - 1;
    }
}

static void lay_out(struct canvas *c, const struct surface *s)
{
    double z = c->o.scale;
    int margin = (int)(MARGIN * z), foot = (int)(FOOT * z);
    int panel = c->child ? (int)(PANEL_WIDTH * z) + margin : 0;
    struct rect room = {margin, margin, s->width - 2 * margin - panel,
                        s->height - 2 * margin - foot};
    room.w = room.w > 1 ? room.w : 1;
    room.h = room.h > 1 ? room.h : 1;
    c->paper = paint_fit(room, 1, 1);
}

static void paint_panel(struct canvas *c, struct surface *s)
{
    double z = c->o.scale;
    bool empty = sketch_strokes(c->sketch) == 0;
    bool late = c->answered != c->frames - 1 && now() - c->sent > SILENCE;
    char alarm[80];
    struct panel p = {.answer = c->answered >= 0 && !empty ? &c->answer : NULL,
                      .stale = c->answered != c->frames - 1 || sketch_is_down(c->sketch),
                      .seen = c->has_seen && !empty ? c->seen : NULL,
                      .hint = empty ? "draw a digit" : late ? "no answer yet" : ""};
    if (*child_end(c->child)) {
        snprintf(alarm, sizeof alarm, "the command %s", child_end(c->child));
        p.alarm = alarm;
        p.advice = "the next stroke starts it again";
    } else if (c->unreadable) {
        p.alarm = "the command's output is not an answer";
        p.advice = "it should end in cnn-predict";
    } else if (p.answer && p.stale && late && !sketch_is_down(c->sketch)) {
        p.answer = NULL;
    }
    panel_paint(s, s->width - (int)((PANEL_WIDTH + MARGIN) * z), c->paper.y, z, &p);
}

static void paint_paper(struct canvas *c, struct surface *s)
{
    paint_gray(s, c->paper, sketch_ink(c->sketch), SKETCH_RASTER, SKETCH_RASTER, false);
}

static void paint_all(struct canvas *c, struct surface *s)
{
    const char *keys = "c clear    u undo    0-9 label    q quit";
    double z = c->o.scale;
    lay_out(c, s);
    paint_fill(s, (struct rect){0, 0, s->width, s->height}, INK_BACKGROUND);
    struct rect edge = {c->paper.x - 1, c->paper.y - 1, c->paper.w + 2, c->paper.h + 2};
    paint_outline(s, edge, 1, INK_EDGE);
    paint_paper(c, s);
    panel_text(s, c->paper.x, s->height - MARGIN * z, 10 * z, c->paper.w,
               c->note[0] ? INK_TEXT : INK_QUIET, c->note[0] ? c->note : keys);
    if (c->child)
        paint_panel(c, s);
}

static void show(struct canvas *c)
{
    struct surface *s = c->dirty || c->ink_dirty ? window_surface(c->window) : NULL;
    if (!s)
        return;
    if (c->dirty) {
        paint_all(c, s);
        window_put(c->window, (struct rect){0, 0, s->width, s->height});
    } else {
        paint_paper(c, s);
        window_put(c->window, c->paper);
    }
    c->dirty = c->ink_dirty = false;
}

/* Until something happens: the time at which silence becomes worth a word is something. */
static void wait_for_something(struct canvas *c, const sigset_t *open)
{
    struct pollfd p[4] = {{window_fd(c->window), POLLIN, 0},
                          {c->o.writes ? 1 : -1, outlet_busy(&c->out) ? POLLOUT : 0, 0},
                          {c->child ? child_read_fd(c->child) : -1, POLLIN, 0},
                          {c->child ? child_write_fd(c->child) : -1, POLLOUT, 0}};
    double left = c->sent + SILENCE - now();
    bool timed = c->child && c->answered != c->frames - 1 && left > 0;
    bool dying = c->child && child_is_running(c->child) && child_read_fd(c->child) < 0;
    double wait = dying ? 0.02 : window_pending(c->window) ? 0 : left + 0.01;
    struct timespec t = {(time_t)wait, (long)((wait - floor(wait)) * 1e9)};
    bool forever = !timed && !dying && !window_pending(c->window);
    if (ppoll(p, 4, forever ? NULL : &t, open) == 0 && timed)
        c->dirty = true;
    if (outlet_is_closed(&c->out))
        c->quit = true;
}

static int run(struct canvas *c, const sigset_t *open, struct err *e)
{
    while (!c->quit && !stopped) {
        struct window_event event;
        while ((event = window_next(c->window)).type != WINDOW_NONE)
            if (handle(c, event, e) < 0)
                return -1;
        if (c->child)
            take_answers(c);
        if (outlet_work(&c->out, e) < 0)
            return errno == EPIPE ? 0 : -1;
        show(c);
        if (!c->quit && !stopped)
            wait_for_something(c, open);
    }
    return outlet_is_closed(&c->out) || outlet_flush(&c->out, e) == 0 || errno == EPIPE ? 0 : -1;
}

static int start(struct canvas *c, struct err *e)
{
    if (!(c->window = window_open(NULL, e)) || !(c->sketch = sketch_new(c->o.pen, e)) ||
        (c->o.command && (!(c->child = child_new(c->o.command, e)) || !(c->ink = ink_new(e)))))
        return -1;
    if (c->o.scale == 0)
        c->o.scale = window_scale(c->window);
    double z = c->o.scale, beside = c->child ? PANEL_WIDTH + MARGIN : 0;
    c->dirty = true;
    return window_show(c->window, "draw a digit", (int)((SIDE + 2 * MARGIN + beside) * z),
                       (int)((SIDE + 2 * MARGIN + FOOT) * z),
                       (int)((LEAST_SIDE + 2 * MARGIN + beside) * z),
                       (int)((LEAST_SIDE + 2 * MARGIN + FOOT) * z), true, e);
}

int main(int argc, char **argv)
{
    static struct canvas c;
    struct err e = ERR_NONE;
    sigset_t blocked, open;
    tool_init("xcanvas", usage);
    c.o = parse(argc, argv);
    c.answered = -1;
    outlet_init(&c.out, 1);
    sigemptyset(&blocked);
    const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    for (int i = 0; i < 3; i++) {
        sigaddset(&blocked, ends[i]);
        signal(ends[i], stop);
    }
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &blocked, &open);
    int status = start(&c, &e) < 0 || run(&c, &open, &e) < 0 ? tool_error(&e) : EXIT_OK;
    child_free(c.child);
    ink_free(c.ink);
    sketch_free(c.sketch);
    window_free(c.window);
    outlet_free(&c.out);
    frame_free(&c.frame);
    return tool_close(status);
}
