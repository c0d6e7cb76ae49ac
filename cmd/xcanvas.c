/* xcanvas: draw with the mouse, a frame at each release of the button. The drawing goes out as frames and to
 * the command beside the window; the answers that come back are shown (the room of windows paints). */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ink/ink.h"
#include "tool.h"
#include "window/window.h"

static const char usage[] =
    "usage: xcanvas [-hlV] [-e command] [-p pen] [-z scale]\n"
    "Draw with the mouse, white on black; each release of the button writes a frame of 280x280.\n"
    "  -e command  run it beside the window: frames in, answers out, shown with their bars\n"
    "  -l          write only labelled drawings (the default when output is appended to a file)\n"
    "  -p pen      width of the pen in pixels of the frame (28)\n"
    "  -z scale    size of the window's parts (1: a plain screen; default: from Xft.dpi)\n"
    "  -h, -V      this help; the version\n"
    "keys: c clear, u undo a stroke, q quit; 0..9 and any other character label the drawing,\n"
    "      write it and begin anew; \\ before c, u, q or \\ makes that one a label\n"
    "  xcanvas | preproc | cnn-predict\n"
    "  xcanvas -e 'preproc | cnn-predict -k 9'\n"
    "  xcanvas >> mine.pgm\n";

/* Sizes in pixels at scale 1. */
#define MARGIN 16          /* Between the window's edge, the paper and the panel. */
#define FOOT 26            /* The height of the line of help. */
#define PAPER_SIDE 420     /* The side of the paper as the window opens. */
#define MIN_PAPER_SIDE 140 /* The side of the paper in the smallest window. */

#define MAX_SILENCE 1.0 /* The window says so after more than so many seconds without an answer. */

struct options {
    const char *command; /* gets the frames, gives answers; NULL: none */
    const char *finder;  /* the file of the network that finds digits; NULL without a command */
    bool writes;         /* frames go to standard output */
    bool labelled_only;  /* of them, those with a label */
    double pen;          /* its width in pixels of the frame */
    double scale;        /* of the window's parts; 0: as the screen has it */
};

static struct options parse(int argc, char **argv)
{
    struct options o = {.pen = 28};
    struct stat st;
    int c;
    o.labelled_only = fstat(1, &st) == 0 && S_ISREG(st.st_mode) && fcntl(1, F_GETFL) & O_APPEND;
    while ((c = tool_getopt(argc, argv, "e:lp:z:hV")) != -1)
        switch (c) {
        case 'e': o.command = optarg; break;
        case 'l': o.labelled_only = true; break;
        case 'p': o.pen = tool_real(c, optarg, 1, SKETCH_SIDE / 2); break;
        case 'z': o.scale = tool_real(c, optarg, 0.5, 8); break;
        }
    if (optind < argc)
        tool_usage("%s: xcanvas reads no files", argv[optind]);
    o.writes = !isatty(1);
    if (!o.writes && !o.command)
        tool_usage("frames are not for a terminal: join a program with | or say -e");
    if (o.command && !(o.finder = tool_model(NULL, "", TOOL_FINDER)))
        exit(EXIT_FAILED);
    return o;
}

struct canvas {
    const struct options *o;
    struct window_loop loop; /* its command is the one of -e */
    struct window_sketch *sketch;
    struct ink_finder *finder; /* NULL without -e, as ink is */
    struct ink *ink; /* finds what the network sees, as preproc does */
    uint8_t seen[DIGIT_PIXELS];
    bool has_seen;
    struct frame frame;
    struct box paper;  /* where the drawing is in the window */
    long long frames;   /* made so far; the newest is frames - 1 */
    long long answered; /* frame that `answer` is about; -1: none since the last clear */
    struct answer answer;
    double sent;        /* when the newest frame went to the command */
    bool unreadable;    /* the command said something that is no answer */
    long labelled;
    bool literal;       /* the key before was \: the next is a label, also if it is a command */
    char note[96];
    bool ink_dirty;     /* of the window only the paper must be painted */
};

/* What preproc makes of the frame. */
static int look(struct canvas *c, struct err *e)
{
    struct ink_digit *digit;
    int found = ink_find(c->ink, c->frame.gray, SKETCH_SIDE, SKETCH_SIDE, SKETCH_SIDE, false, &digit, e);
    c->has_seen = found > 0;
    if (c->has_seen)
        memcpy(c->seen, digit->pixels, sizeof c->seen);
    return found < 0 ? -1 : 0;
}

/* The newest state of the drawing, as a frame: to the output, to the command. */
static int send_frame(struct canvas *c, const char *label, struct err *e)
{
    if (frame_resize(&c->frame, SKETCH_SIDE, SKETCH_SIDE, e) < 0)
        return -1;
    sketch_frame(c->sketch, c->frame.gray);
    if (frame_set_fact(&c->frame, "source", "xcanvas", e) < 0 ||
        frame_set_number(&c->frame, "frame", c->frames++, e) < 0 || frame_set_fact(&c->frame, "label", label, e) < 0)
        return -1;
    if (c->o->writes && (label || !c->o->labelled_only) && outlet_add(&c->loop.out, &c->frame, e) < 0)
        return -1;
    if (!c->loop.child || label)
        return 0;
    c->sent = clock_now();
    c->unreadable = false;
    return child_send(c->loop.child, &c->frame, e) < 0 || look(c, e) < 0 ? -1 : 0;
}

static void clear(struct canvas *c)
{
    sketch_clear(c->sketch);
    c->answered = -1;
    c->unreadable = false;
    c->loop.dirty = true;
}

static int label(struct canvas *c, char key, struct err *e)
{
    char name[LABEL_SIZE];
    if (sketch_strokes(c->sketch) == 0 || !label_of_character(key, name))
        return 0;
    if (!c->o->writes) {
        snprintf(c->note, sizeof c->note, "a label needs a file: xcanvas >> mine.pgm");
        c->loop.dirty = true;
        return 0;
    }
    snprintf(c->note, sizeof c->note, "labelled %s   (%ld so far)", name, ++c->labelled);
    if (send_frame(c, name, e) < 0)
        return -1;
    clear(c);
    return 0;
}

static int press_key(struct canvas *c, struct window_event event, struct err *e)
{
    bool literal = c->literal;
    if (event.repeat && (literal || event.key != 'u'))
        return 0;
    c->literal = event.key == '\\' && !literal;
    if (literal || !strchr("cuq\\", event.key))
        return label(c, event.key, e);
    if (event.key == 'u' && sketch_undo(c->sketch)) {
        c->loop.dirty = true;
        return send_frame(c, NULL, e);
    }
    if (event.key == 'c')
        clear(c);
    else if (event.key == 'q')
        c->loop.quit = true;
    return 0;
}

/* Map a point of the window to the drawing, in frame pixels. Returns true when it is on the paper. */
static bool to_paper(const struct canvas *c, int x, int y, double *frame_x, double *frame_y)
{
    *frame_x = (x + 0.5 - c->paper.x0) * SKETCH_SIDE / box_width(c->paper);
    *frame_y = (y + 0.5 - c->paper.y0) * SKETCH_SIDE / box_height(c->paper);
    return *frame_x >= 0 && *frame_y >= 0 && *frame_x < SKETCH_SIDE && *frame_y < SKETCH_SIDE;
}

/* Pointer events, in frame pixels. A stroke begins on the paper and may leave it. */
static int draw(struct canvas *c, struct window_event event, struct err *e)
{
    double x, y;
    bool inside = to_paper(c, event.x, event.y, &x, &y);
    if (event.type == WINDOW_DOWN) {
        c->loop.dirty = true;
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
    c->loop.dirty = true;
    return send_frame(c, NULL, e);
}

static int handle(struct canvas *c, struct window_event event, struct err *e)
{
    return event.type == WINDOW_KEY ? press_key(c, event, e) : draw(c, event, e);
}

/* What the command says. An answer to an older frame is not shown. */
static void take_answers(struct canvas *c)
{
    const char *line;
    struct answer a;
    c->loop.dirty |= child_work(c->loop.child);
    while ((line = child_line(c->loop.child))) {
        c->unreadable = answer_parse(line, &a, NULL) < 0 || strchr(a.digit, ' ');
        c->loop.dirty = true;
        if (c->unreadable || (a.frame >= 0 && a.frame != c->frames - 1))
            continue;
        c->answer = a;
        c->answered = c->frames - 1;
    }
}

static bool is_waiting(const struct canvas *c)
{
    return c->loop.child && c->answered != c->frames - 1;
}

/* Is a missing answer worth a word? */
static bool is_late(const struct canvas *c)
{
    return is_waiting(c) && clock_now() - c->sent > MAX_SILENCE;
}

/* The panel as it should look now; `alarm` is room for a line. */
static struct window_panel look_of_panel(const struct canvas *c, char *alarm, size_t size)
{
    bool empty = sketch_strokes(c->sketch) == 0, down = sketch_is_down(c->sketch);
    bool late = is_late(c);
    struct window_panel p = {.answer = c->answered >= 0 && !empty && !(late && !down) ? &c->answer : NULL,
                             .stale = is_waiting(c) || down,
                             .seen = c->has_seen && !empty ? c->seen : NULL,
                             .hint = empty ? "draw a digit" : late ? "no answer yet" : ""};
    if (*child_end(c->loop.child)) {
        snprintf(alarm, size, "the command %s", child_end(c->loop.child));
        p.alarm = alarm;
        p.advice = "the next stroke starts it again";
    } else if (c->unreadable) {
        p.alarm = "the command's output is not an answer";
        p.advice = "it should end in cnn-predict";
    }
    return p;
}

/* The size of a window whose paper has that side. */
static void size_for(const struct canvas *c, int side, int *width, int *height)
{
    *width = (int)((side + 2 * MARGIN + (c->loop.child ? PANEL_WIDTH + MARGIN : 0)) * c->loop.scale);
    *height = (int)((side + 2 * MARGIN + FOOT) * c->loop.scale);
}

/* Where the paper, a square, is in a window. */
static struct box place_paper(const struct canvas *c, int width, int height)
{
    int margin = (int)(MARGIN * c->loop.scale), foot = (int)(FOOT * c->loop.scale);
    int beside = c->loop.child ? (int)(PANEL_WIDTH * c->loop.scale) + margin : 0;
    int w = width - 2 * margin - beside, h = height - 2 * margin - foot;
    return paint_fit(box_at(margin, margin, w > 1 ? w : 1, h > 1 ? h : 1), 1, 1);
}

static void paint_paper(const struct canvas *c, struct window_surface *s)
{
    paint_gray(s, c->paper, sketch_ink(c->sketch), SKETCH_RASTER, SKETCH_RASTER, false);
}

/* Paint the paper with the drawing, a line of help below it, and the panel with the answer beside it. */
static void paint_all(const struct canvas *c, struct window_surface *s)
{
    const char *keys = "c clear    u undo    0-9 label    q quit";
    char alarm[80];
    double z = c->loop.scale;
    paint_fill(s, box_at(0, 0, s->width, s->height), INK_BACKGROUND);
    paint_outline(s, box_around(c->paper, 1), 1, INK_EDGE);
    paint_paper(c, s);
    panel_text(s, c->paper.x0, s->height - MARGIN * z, 10 * z, box_width(c->paper),
               c->note[0] ? INK_TEXT : INK_QUIET, c->note[0] ? c->note : keys);
    if (!c->loop.child)
        return;
    struct window_panel panel = look_of_panel(c, alarm, sizeof alarm);
    panel_paint(s, s->width - (int)((PANEL_WIDTH + MARGIN) * z), c->paper.y0, z, &panel);
}

static void show(struct canvas *c)
{
    struct window_surface *s = c->loop.dirty || c->ink_dirty ? window_surface(c->loop.window) : NULL;
    if (!s)
        return;
    c->paper = place_paper(c, s->width, s->height);
    (c->loop.dirty ? paint_all : paint_paper)(c, s);
    window_put(c->loop.window, c->loop.dirty ? box_at(0, 0, s->width, s->height) : c->paper);
    c->loop.dirty = c->ink_dirty = false;
}

static int run(struct canvas *c, const sigset_t *open, struct err *e)
{
    while (!c->loop.quit && !tool_stopped()) {
        struct window_event event;
        while ((event = loop_event(&c->loop)).type != WINDOW_NONE)
            if (handle(c, event, e) < 0)
                return -1;
        if (c->loop.child)
            take_answers(c);
        if (outlet_work(&c->loop.out, e) < 0)
            return errno == EPIPE ? 0 : -1;
        bool late = is_late(c);
        show(c);
        double until = is_waiting(c) && !late ? c->sent + MAX_SILENCE + 0.01 : HUGE_VAL;
        loop_wait(&c->loop, -1, until, open);
        c->loop.dirty |= is_late(c) != late;
    }
    struct stream_outlet *out = &c->loop.out;
    return outlet_is_closed(out) || outlet_flush(out, e) == 0 || errno == EPIPE ? 0 : -1;
}

static int start(struct canvas *c, struct err *e)
{
    int width, height, least_width, least_height;
    if (loop_open(&c->loop, c->o->command, STDOUT_FILENO, c->o->scale, e) < 0 ||
        !(c->sketch = sketch_new(c->o->pen, e)) || (c->o->command &&
         (!(c->finder = ink_finder_load(c->o->finder, e)) || !(c->ink = ink_new(c->finder, e)))))
        return -1;
    size_for(c, PAPER_SIDE, &width, &height);
    size_for(c, MIN_PAPER_SIDE, &least_width, &least_height);
    return window_show(c->loop.window, "draw a digit", width, height, least_width, least_height, true, e);
}

int main(int argc, char **argv)
{
    static struct canvas c;
    struct err e = ERR_NONE;
    sigset_t open;
    tool_init("xcanvas", usage);
    struct options o = parse(argc, argv);
    tool_catch_ends(&open);
    c.o = &o;
    c.answered = -1;
    int status = !start(&c, &e) && !run(&c, &open, &e) ? EXIT_OK : tool_error(&e);
    loop_close(&c.loop);
    sketch_free(c.sketch);
    ink_free(c.ink);
    ink_finder_free(c.finder);
    frame_free(&c.frame);
    return tool_close(status);
}
