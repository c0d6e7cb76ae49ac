/* The room of windows: X11 (known here alone), painting and text, which answer belongs to which frame of a live
 * stream (match), what a window shows of both, strokes of a pen, and the command that runs beside a window. */
#ifndef INKPIPE_WINDOW_H
#define INKPIPE_WINDOW_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer/answer.h"
#include "base/box.h"
#include "base/err.h"
#include "stream/stream.h"

/* Painting into memory: rectangles, gray pictures and text, for windows. Pure: no X.
 *
 * A surface is [height][width] pixels of 0x00RRGGBB; coordinates are in pixels, 0,0 at the top
 * left; whatever falls outside is clipped. */

struct window_surface {
    int width, height;
    uint32_t *pixels; /* owned by whoever made the surface */
};

void paint_fill(struct window_surface *s, struct box r, uint32_t color);

/* Paint the outline of r, `thick` pixels wide, inside it. */
void paint_outline(struct window_surface *s, struct box r, int thick, uint32_t color);

/* Paint a gray picture [height][width] scaled to r: bilinearly, or, when `blocks`, by nearest neighbour. */
void paint_gray(struct window_surface *s, struct box r, const uint8_t *gray, int width, int height, bool blocks);

/* The largest rectangle of width:height inside `room`, centred in it. */
struct box paint_fit(struct box room, int width, int height);

/* Text in a built-in round-ended stroke font (ASCII 32..126; other bytes appear as a box), so that no font need be
 * installed on the X server. `size` is the height of a capital in pixels; y is where the baseline is. `bold` is the
 * stroke's width relative to the normal one: 1 is normal. Returns the x at which the text ends. */
double paint_text(struct window_surface *s, double x, double y, double size, double bold, uint32_t color,
                  const char *text);

/* The width of text as paint_text paints it. */
double paint_text_width(double size, const char *text);

/* Mix two colours linearly: part 0 gives a, 1 gives b. */
uint32_t paint_mix(uint32_t a, uint32_t b, double part);

/* Pen strokes as a person draws them: points joined by thick anti-aliased lines with round ends,
 * white (255) on black (0), undone stroke by stroke. Pure: no window, no time.
 *
 * Points are in frame pixels: 0,0 is the top left corner of a SKETCH_SIDE square, and points
 * outside of it are allowed (the ink is clipped). Ink is kept at SKETCH_RASTER pixels a side, twice
 * the frame, so that a frame is a fair average and a large window still shows a sharp edge. */

#define SKETCH_SIDE 280                 /* Pixels a side of a drawing's frame. */
#define SKETCH_RASTER (2 * SKETCH_SIDE) /* Pixels a side of the raster that holds the ink. */
#define SKETCH_MAX_STROKES 1000000      /* A drawing has at most so many strokes. */

struct window_sketch;

/* An empty drawing with a pen `pen` frame pixels wide (1..SKETCH_SIDE). NULL when memory is
 * short. Free with sketch_free. */
struct window_sketch *sketch_new(double pen, struct err *e);
void sketch_free(struct window_sketch *s);

/* The pen goes down, moves, and goes up. Each move inks the straight line from the last point, so
 * that the ink is under the pointer at once; sketch_up redraws the stroke as a smooth curve
 * through its points (centripetal Catmull-Rom). Moves without the pen down are ignored, and a
 * second down ends the stroke before. Return 0, or -1 when memory is short. */
int sketch_down(struct window_sketch *s, double x, double y, struct err *e);
int sketch_move(struct window_sketch *s, double x, double y, struct err *e);
void sketch_up(struct window_sketch *s);

/* Whether a stroke is being drawn; the number of strokes, that one included. */
bool sketch_is_down(const struct window_sketch *s);
int sketch_strokes(const struct window_sketch *s);

/* Take back the last whole stroke (also one being drawn), and draw those before it anew: 0.3 ms a stroke. False when
 * there is none. */
bool sketch_undo(struct window_sketch *s);

/* Remove all strokes. */
void sketch_clear(struct window_sketch *s);

/* The ink as it stands: [SKETCH_RASTER][SKETCH_RASTER]; owned by s. */
const uint8_t *sketch_ink(const struct window_sketch *s);

/* The ink as a frame: [SKETCH_SIDE][SKETCH_SIDE], each pixel the mean of four of the raster. */
void sketch_frame(const struct window_sketch *s, uint8_t *gray);

/* Draw a line with round ends from a to b into gray [height][width]: each pixel becomes the maximum of
 * itself and its coverage, so that the segments of a polyline leave no seam. Pixel i covers i..i+1; radius
 * is half the line's width. */
void stroke_segment(uint8_t *gray, int width, int height, double ax, double ay, double bx, double by, double radius);

/* How an answer looks: the digit large, how sure it is, ten bars, and what the network saw. Shared
 * by the windows; paints, knows no window. */

/* The windows' colours. */
#define INK_BACKGROUND 0x14171bu
#define INK_EDGE 0x343b44u
#define INK_TRACK 0x252b32u
#define INK_TEXT 0xe8eaedu
#define INK_QUIET 0x98a1abu
#define INK_ACCENT 0xffd166u /* the answer, and nothing else */
#define INK_OTHER 0x5f88b3u  /* the other digits' bars */
#define INK_ALARM 0xff8a80u

#define PANEL_WIDTH 300  /* The panel's width in pixels at scale 1. */
#define PANEL_HEIGHT 420 /* Its height. */
#define SEEN_SIDE 28     /* Pixels a side of the frame that the network saw. */

/* Where the bars are at scale 1, from the panel's top left corner: digit d's bar is in the row
 * PANEL_BARS_Y + d * PANEL_BAR_STEP and PANEL_BAR_HEIGHT high. */
#define PANEL_BARS_Y 206
#define PANEL_BAR_STEP 22
#define PANEL_BAR_HEIGHT 12

struct window_panel {
    const struct answer *answer; /* NULL: none, `hint` is shown instead */
    bool stale;                  /* the picture has changed since: shown quietly */
    const char *hint;            /* a line in place of the answer */
    const char *alarm;           /* what is wrong with the command; NULL: nothing */
    const char *advice;          /* a second line below the alarm; NULL: none */
    const uint8_t *seen;         /* [SEEN_SIDE][SEEN_SIDE], what the network saw; NULL: not known */
};

/* Paint p into the square of surface at x, y, PANEL_WIDTH x PANEL_HEIGHT times scale. */
void panel_paint(struct window_surface *s, int x, int y, double scale, const struct window_panel *p);

/* Write "98 %"; from 99.5 on "99.5 %", so that only 1 reads as 100 %. text has room for 16 bytes. */
char *panel_percent(double probability, char *text);

/* Paint a text at most `room` pixels wide: one that is wider is cut and ends in "...". */
void panel_text(struct window_surface *s, double x, double y, double size, double room, uint32_t color,
                const char *text);

/* Which frame an answer is about. A command beside a window answers late, not at all, or several
 * times for one frame; an answer must never be shown on another frame. Pure: no window, no clock. */

#define MATCH_MAX_FRAMES 256 /* The last so many frames that were sent are remembered, in a ring. */
#define MATCH_MAX_BOXES 64   /* At most so many answers to one frame are kept. */

struct match_sent {
    uint64_t source; /* the FNV-1a hash of its name */
    long long number;
    double time; /* the frame's own, or when it was sent */
    double at;   /* when it was sent */
};

struct match_box {
    char digit[16];     /* "-": no digit */
    double probability; /* negative: not known */
    int box[4];         /* x y w h; w = 0: not known */
};

/* Start from {.steady = {.hold = seconds}, .lag = -1}. */
struct match {
    struct match_sent sent[MATCH_MAX_FRAMES];
    int count, next; /* frames remembered; index of the next one in sent[] */
    struct match_box box[MATCH_MAX_BOXES]; /* answers to the newest frame */
    int boxes;
    int same;     /* answers so far to the frame `last_number` of `last_source` */
    long long last_number;
    uint64_t last_source;
    double lag;   /* seconds from sending to the latest answer; negative: none yet */
    struct steady steady;
    struct answer steadied; /* the answer that has held, with its latest probability */
    bool settled;           /* there is one: a first answer holds until another has held */
};

/* Note that a frame of `time` seconds was sent to the command at `now` (clock_now). */
void match_send(struct match *m, const char *source, long long number, double time, double now);

/* Find the frame that an answer is about: the one it names, or the newest when it names none. Returns true
 * when that is the newest frame; the answer is then in box[]. An answer that names a frame which was not
 * sent, or is no longer remembered, is ignored. */
bool match_answer(struct match *m, const struct answer *a, double now);

/* Forget all frames and answers: the command ended, or its frames did. */
void match_forget(struct match *m);

/* What xview shows: a frame with its region, boxes and answers, and a strip below it. Paints, knows no window. */

#define VIEW_STRIP 64 /* The height of the strip in pixels at scale 1. */

struct window_view {
    double scale;
    const struct frame *frame; /* NULL: none yet */
    struct box region;        /* in the frame's pixels; empty: the whole of it */
    const struct match *match; /* NULL: no command runs beside it */
    const char *alarm;         /* what is wrong; NULL: nothing */
    const char *note;          /* a word on what was just done; "" */
    bool failed;               /* it could not be done */
    const char *state;         /* "paused", "end of stream"; "" */
    double rate;               /* frames a second; negative: not known */
    const char *source;        /* of the frame; "" */
    long long number;
};

/* Paint all of it. */
void view_paint(struct window_surface *s, const struct window_view *v);

/* The part of region inside a frame of width x height; empty when they do not meet. An empty region is the
 * whole frame. */
struct box view_region(struct box region, int width, int height);

/* What xcheck shows: pictures of cells in rows, below each what it holds, and lines of text above and below
 * them all. Paints, knows no window. */

struct window_tiles {
    double scale;
    int across, down; /* tiles in a row; rows */
};

struct window_tile {
    const struct frame *frame;
    const char *holds, *others; /* what it holds; quietly, what else it could be */
    bool keyed, chosen;         /* a person said what it holds; the next key is for it */
};

/* The size in pixels of a window for so many tiles; the tiles that fit a window, at least one. */
void tiles_size(double scale, int across, int down, int *width, int *height);
struct window_tiles tiles_fit(double scale, int width, int height);

/* Which tile is at that point of the window, from 0; -1: none. */
int tiles_at(const struct window_tiles *t, int x, int y);

/* Paint tile i; the lines above and below the tiles, of which an `alarm` that is not "" takes the last. */
void tiles_paint(struct window_surface *s, const struct window_tiles *t, int i, const struct window_tile *tile);
void tiles_paint_words(struct window_surface *s, double scale, const char *head, const char *foot, const char *alarm);

/* One X11 window that a program paints itself: events come out, a surface goes in. Pictures go through shared memory
 * (MIT-SHM) where the server is on this machine, through XPutImage elsewhere; a surface is not written while the server
 * still reads it. No fonts, no window manager and no extension are needed. One window a process. */

struct window;

enum window_event_type {
    WINDOW_NONE,
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

/* Pixels of this screen for one of a screen of 96 dpi: the resource Xft.dpi over 96, rounded to halves,
 * 1..4 (1 where it is not set). */
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

/* The next event; WINDOW_NONE when there is none. Never waits. Before it the window may have become `dirty`, so that
 * it must be shown again, or have been closed (quit). */
struct window_event window_next(struct window *w, bool *dirty, bool *quit);

/* The surface to paint, of the window's size. NULL while the server still reads the last one (an
 * event will come and a later call succeeds) or when memory is short. What was painted before is
 * still there unless the size changed since. */
struct window_surface *window_surface(struct window *w);

/* Send part r of the surface to the screen. */
void window_put(struct window *w, struct box r);

/* A command of the user's run beside a window: frames go to its standard input, lines come from its standard output.
 * Nothing here ever waits: frames that the command is too slow for are replaced by newer ones (the newest wins), and a
 * command that dies is noticed and started again by the next frame. Its standard error is the caller's. */

#define CHILD_MAX_LINE 65536 /* A line has at most so many bytes with its NUL; a longer one comes in pieces. */

struct window_child;

/* Prepare to run `sh -c command`, a text that must outlive the child; nothing is started. NULL when memory is short.
 * The caller must ignore SIGPIPE (the command gets the default back). Free with child_free, which closes the command's
 * input and gives it half a second to end; then its process group gets SIGTERM and, half a second later, SIGKILL. */
struct window_child *child_new(const char *command, struct err *e);
void child_free(struct window_child *c);

/* Send a frame; start the command when it is not running. A frame still waiting from before is
 * dropped. Returns 0; -1 when the command cannot be started. */
int child_send(struct window_child *c, const struct frame *f, struct err *e);

/* What to poll for: p[0] to read, p[1] to write; c may be NULL. Returns the seconds after which to call child_work
 * anyway, HUGE_VAL for never: no descriptor tells of the end of a command that has closed its output. */
double child_poll(const struct window_child *c, struct pollfd p[2]);

/* Do whatever can be done without waiting: write, read, notice a death. Call after poll. Returns true when
 * the command has ended since the last call. */
bool child_work(struct window_child *c);

/* Take the next whole line out (without its newline); NULL when there is none. The text is owned by
 * c and lives until the next call. */
const char *child_line(struct window_child *c);

/* Whether the command is running; and, from its end until its next start, how it ended ("ended with status
 * 127", "ended: Killed (signal 9)"), otherwise "". */
bool child_is_running(const struct window_child *c);
const char *child_end(const struct window_child *c);

/* The event loop of a window with a command beside it and frames that go out: events, answers and
 * whatever else is waited for, in turn:
 *
 *     while (!l.quit && no signal asks to end) {
 *         take events (loop_event), answers (child_work, child_line) and more
 *         write (outlet_work), paint what is dirty
 *         loop_wait
 *     } */
struct window_loop {
    struct window *window;
    struct window_child *child; /* NULL: no command */
    struct stream_outlet out;
    double scale; /* of the window's parts */
    bool dirty;   /* the window must be painted */
    bool quit;    /* the window was closed, or the reader of `out` has gone */
};

/* Connect to the display (window_show makes the window); prepare the command (NULL: none); write to `out`
 * (-1: nowhere). scale 0: as the screen has it. Returns 0 or -1; end with loop_close either way. */
int loop_open(struct window_loop *l, const char *command, int out, double scale, struct err *e);
void loop_close(struct window_loop *l);

/* The next key or pointer event; WINDOW_NONE when there is none. Never waits. What else happens to the
 * window makes it dirty or asks to quit. */
struct window_event loop_event(struct window_loop *l);

/* Wait until something happens to the window, the command or the output, until fd can be read (-1: none),
 * or until that time (clock_now; HUGE_VAL: for ever). Signals are let in, by the mask `open`, only here. */
void loop_wait(struct window_loop *l, int fd, double until, const sigset_t *open);

#endif
