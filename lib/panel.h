/* How an answer looks: the digit large, how sure it is, ten bars, and what the network saw. Shared
 * by the windows; paints, knows no window. */
#ifndef INKPIPE_PANEL_H
#define INKPIPE_PANEL_H

#include "answer.h"
#include "paint.h"

/* The windows' colours. */
#define INK_BACKGROUND 0x14171bu
#define INK_EDGE 0x343b44u
#define INK_TRACK 0x252b32u
#define INK_TEXT 0xe8eaedu
#define INK_QUIET 0x98a1abu
#define INK_ACCENT 0xffd166u /* the answer, and nothing else */
#define INK_OTHER 0x5f88b3u  /* the other digits' bars */
#define INK_ALARM 0xff8a80u

#define PANEL_WIDTH 300 /* pixels at scale 1 */
#define PANEL_HEIGHT 420
#define SEEN_SIDE 28

/* Where the bars are at scale 1, from the panel's top left corner: digit d's bar is in the row
 * PANEL_BARS_Y + d * PANEL_BAR_STEP and PANEL_BAR_HEIGHT high. */
#define PANEL_BARS_Y 206
#define PANEL_BAR_STEP 22
#define PANEL_BAR_HEIGHT 12

struct panel {
    const struct answer *answer; /* NULL: none, `hint` is shown instead */
    bool stale;                  /* the picture has changed since: shown quietly */
    const char *hint;            /* a line in place of the answer */
    const char *alarm;           /* what is wrong with the command; NULL: nothing */
    const char *advice;          /* a second line below the alarm; NULL: none */
    const uint8_t *seen;         /* [SEEN_SIDE][SEEN_SIDE], what the network saw; NULL: not known */
};

/* Paint p into the square of surface at x, y, PANEL_WIDTH x PANEL_HEIGHT times scale. */
void panel_paint(struct surface *s, int x, int y, double scale, const struct panel *p);

/* "98 %"; "99.9 %" never reads as 100. text has room for 16 bytes. */
char *panel_percent(double probability, char *text);

/* A text no wider than `room` pixels: cut with "..." where it is. */
void panel_text(struct surface *s, double x, double y, double size, double room, uint32_t color,
                const char *text);

#endif
