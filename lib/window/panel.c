/* How an answer looks.
 *   in   an answer, what the network saw
 *   out  the digit, its probability, a bar for each digit, painted into a surface */
#include "window.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct place {
    struct window_surface *s;
    int x, y;
    double scale;
};

static int px(const struct place *at, double units)
{
    return (int)lround(units * at->scale);
}

static struct box area(const struct place *at, double x, double y, double w, double h)
{
    return box_at(at->x + px(at, x), at->y + px(at, y), px(at, w), px(at, h));
}

char *panel_percent(double probability, char *text)
{
    double percent = probability * 100;
    if (percent >= 99.5 && percent < 100)
        snprintf(text, 16, "%.1f %%", floor(fmin(percent, 99.9) * 10) / 10);
    else
        snprintf(text, 16, "%.0f %%", percent);
    return text;
}

void panel_text(struct window_surface *s, double x, double y, double size, double room, uint32_t color,
                const char *text)
{
    char cut[256];
    snprintf(cut, sizeof cut, "%s", text);
    size_t n = strlen(cut);
    while (n > 3 && paint_text_width(size, cut) > room) {
        n--;
        memcpy(cut + n - 3, "...", 4);
    }
    paint_text(s, x, y, size, 1, color, cut);
}

static void text(const struct place *at, double x, double y, double size, uint32_t color, const char *string)
{
    panel_text(at->s, at->x + x * at->scale, at->y + y * at->scale, size * at->scale,
               (PANEL_WIDTH - x) * at->scale, color, string);
}

/* Paint the digit or number as large as 140 x 116 units allow. */
static void paint_digit(const struct place *at, const char *digit, uint32_t color)
{
    const double room = 140, tall = 116;
    double size = fmin(tall, tall * room / paint_text_width(tall, digit));
    paint_text(at->s, at->x + (size * 0.09 + 2) * at->scale,
               at->y + ((tall + size) / 2 + 10) * at->scale, size * at->scale, 1.25, color, digit);
}

static void paint_answer(const struct place *at, const struct window_panel *p)
{
    char percent[16];
    uint32_t color = p->stale ? paint_mix(INK_BACKGROUND, INK_ACCENT, 0.35) : INK_ACCENT;
    uint32_t quiet = p->stale ? paint_mix(INK_BACKGROUND, INK_TEXT, 0.35) : INK_TEXT;
    if (!answer_given(p->answer)) {
        text(at, 2, 84, 26, quiet, "no digit");
        return;
    }
    paint_digit(at, p->answer->digit, color);
    if (p->answer->probability >= 0)
        text(at, 2, 176, 24, quiet, panel_percent(p->answer->probability, percent));
}

static void paint_bars(const struct place *at, const struct window_panel *p)
{
    const double left = 24, width = 200;
    for (int d = 0; d < 10; d++) {
        char name[2] = {(char)('0' + d), '\0'}, percent[16] = "";
        double y = PANEL_BARS_Y + d * PANEL_BAR_STEP, part = 0;
        bool is_answer = p->answer && strcmp(p->answer->digit, name) == 0;
        if (p->answer)
            part = is_answer && !p->answer->candidates ? p->answer->probability
                                                       : answer_probability(p->answer, name);
        part = fmin(1, fmax(0, part));
        uint32_t color = is_answer ? INK_ACCENT : INK_OTHER;
        if (p->stale)
            color = paint_mix(INK_TRACK, color, 0.35);
        text(at, 2, y + 11.5, 11, is_answer && !p->stale ? INK_TEXT : INK_QUIET, name);
        paint_fill(at->s, area(at, left, y, width, PANEL_BAR_HEIGHT), INK_TRACK);
        paint_fill(at->s, area(at, left, y, width * part, PANEL_BAR_HEIGHT), color);
        if (part > 0.005)
            text(at, left + width + 12, y + 11.5, 11, is_answer && !p->stale ? INK_TEXT : INK_QUIET,
                 panel_percent(part, percent));
    }
}

static void paint_seen(const struct place *at, const uint8_t *seen)
{
    const double side = 4 * SEEN_SIDE, left = PANEL_WIDTH - side;
    paint_gray(at->s, area(at, left, 0, side, side), seen, SEEN_SIDE, SEEN_SIDE, true);
    paint_outline(at->s, box_around(area(at, left, 0, side, side), 1), 1, INK_EDGE);
    text(at, left, side + 18, 9.5, INK_QUIET, "what is read");
}

void panel_paint(struct window_surface *s, int x, int y, double scale, const struct window_panel *p)
{
    struct place at = {s, x, y, scale};
    paint_fill(s, area(&at, 0, 0, PANEL_WIDTH, PANEL_HEIGHT + 8), INK_BACKGROUND);
    if (p->alarm) {
        text(&at, 2, 66, 10.5, INK_ALARM, p->alarm);
        if (p->advice)
            text(&at, 2, 92, 10.5, INK_QUIET, p->advice);
    } else if (p->answer) {
        paint_answer(&at, p);
    } else {
        text(&at, 2, 84, 15, INK_QUIET, p->hint);
    }
    if (p->seen && !p->alarm)
        paint_seen(&at, p->seen);
    paint_bars(&at, p);
}
