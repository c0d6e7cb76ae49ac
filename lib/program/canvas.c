#define _GNU_SOURCE 1 /* ppoll */
#include "canvas.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "window/window.h"
#include "base/clock.h"
#include "ink/ink.h"
#include "stream/stream.h"

#define SILENCE 1.0 /* seconds after which a missing answer is worth a word */

struct canvas {
    const struct canvas_options *o;
    double scale;
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
    if (c->o->writes && (label >= 0 || !c->o->labelled_only) &&
        outlet_add(&c->out, &c->frame, e) < 0)
        return -1;
    if (!c->child || label >= 0)
        return 0;
    c->sent = clock_now();
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
    if (!c->o->writes) {
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
    double x, y;
    bool inside = board_point(c->paper, event.x, event.y, &x, &y);
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

/* The panel as it should look now; `alarm` is room for a line. */
static struct panel look_of_panel(const struct canvas *c, char *alarm, size_t size)
{
    bool empty = sketch_strokes(c->sketch) == 0, down = sketch_is_down(c->sketch);
    bool waiting = c->answered != c->frames - 1;
    bool late = waiting && clock_now() - c->sent > SILENCE;
    struct panel p = {.answer = c->answered >= 0 && !empty && !(late && !down) ? &c->answer : NULL,
                      .stale = waiting || down,
                      .seen = c->has_seen && !empty ? c->seen : NULL,
                      .hint = empty ? "draw a digit" : late ? "no answer yet" : ""};
    if (*child_end(c->child)) {
        snprintf(alarm, size, "the command %s", child_end(c->child));
        p.alarm = alarm;
        p.advice = "the next stroke starts it again";
    } else if (c->unreadable) {
        p.alarm = "the command's output is not an answer";
        p.advice = "it should end in cnn-predict";
    }
    return p;
}

static void show(struct canvas *c)
{
    struct surface *s = c->dirty || c->ink_dirty ? window_surface(c->window) : NULL;
    char alarm[80];
    if (!s)
        return;
    c->paper = board_paper(c->scale, c->child, s->width, s->height);
    if (c->dirty) {
        struct board b = {.scale = c->scale, .sketch = c->sketch, .note = c->note};
        struct panel panel;
        if (c->child) {
            panel = look_of_panel(c, alarm, sizeof alarm);
            b.panel = &panel;
        }
        board_paint(s, &b);
        window_put(c->window, (struct rect){0, 0, s->width, s->height});
    } else {
        board_paint_paper(s, c->paper, c->sketch);
        window_put(c->window, c->paper);
    }
    c->dirty = c->ink_dirty = false;
}

/* Until something happens: the time at which silence becomes worth a word is something. */
static void wait_for_something(struct canvas *c, const sigset_t *open)
{
    struct pollfd p[4] = {{window_fd(c->window), POLLIN, 0},
                          {c->o->writes ? 1 : -1, outlet_busy(&c->out) ? POLLOUT : 0, 0},
                          {child_read_fd(c->child), POLLIN, 0},
                          {child_write_fd(c->child), POLLOUT, 0}};
    double left = c->sent + SILENCE - clock_now();
    bool timed = c->child && c->answered != c->frames - 1 && left > 0;
    bool ending = child_is_ending(c->child), pending = window_pending(c->window);
    struct timespec t = clock_span(ending ? CHILD_ENDS : pending ? 0 : fmax(0, left + 0.01));
    bool forever = !timed && !ending && !pending;
    if (ppoll(p, 4, forever ? NULL : &t, open) == 0 && timed)
        c->dirty = true;
    if (outlet_is_closed(&c->out))
        c->quit = true;
}

int canvas_run(struct canvas *c, const sigset_t *open, struct err *e)
{
    while (!c->quit && !c->o->stopped()) {
        struct window_event event;
        while ((event = window_next(c->window)).type != WINDOW_NONE)
            if (handle(c, event, e) < 0)
                return -1;
        if (c->child)
            take_answers(c);
        if (outlet_work(&c->out, e) < 0)
            return errno == EPIPE ? 0 : -1;
        show(c);
        if (!c->quit && !c->o->stopped())
            wait_for_something(c, open);
    }
    return outlet_is_closed(&c->out) || outlet_flush(&c->out, e) == 0 || errno == EPIPE ? 0 : -1;
}

static int start(struct canvas *c, struct err *e)
{
    if (!(c->window = window_open(NULL, e)) || !(c->sketch = sketch_new(c->o->pen, e)) ||
        (c->o->command && (!(c->child = child_new(c->o->command, e)) || !(c->ink = ink_new(e)))))
        return -1;
    c->scale = c->o->scale > 0 ? c->o->scale : window_scale(c->window);
    int width, height, least_width, least_height;
    board_size(c->scale, c->child, &width, &height);
    board_least(c->scale, c->child, &least_width, &least_height);
    c->dirty = true;
    return window_show(c->window, "draw a digit", width, height, least_width, least_height, true,
                       e);
}

struct canvas *canvas_new(const struct canvas_options *o, struct err *e)
{
    struct canvas *c = calloc(1, sizeof *c);
    if (!c) {
        err_set(e, "out of memory");
        return NULL;
    }
    c->o = o;
    c->answered = -1;
    outlet_init(&c->out, STDOUT_FILENO);
    if (!start(c, e))
        return c;
    canvas_free(c);
    return NULL;
}

void canvas_free(struct canvas *c)
{
    if (!c)
        return;
    child_free(c->child);
    ink_free(c->ink);
    sketch_free(c->sketch);
    window_free(c->window);
    outlet_free(&c->out);
    frame_free(&c->frame);
    free(c);
}
