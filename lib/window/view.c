/* What xview shows.
 *   in   a frame, a region, the answers to it (struct match), words on the state
 *   out  a painted surface: the frame with boxes, and a strip with the answer below it */
#include "window.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MIN_LATE 0.3    /* Seconds: an answer that comes at least so late is shown with its age. */
#define MIN_BLOCK_ZOOM 4 /* A picture enlarged at least so many times shows its pixels as squares. */

struct box view_region(struct box r, int width, int height)
{
    if (box_empty(r))
        return box_at(0, 0, width, height);
    r = box_clip(r, width, height);
    return box_empty(r) ? (struct box){0, 0, 0, 0} : r;
}

static int strip_height(const struct window_view *v)
{
    return (int)lround(VIEW_STRIP * v->scale);
}

/* Where the frame is shown in a surface of width x height. */
static struct box picture_rect(const struct window_view *v, int width, int height)
{
    int tall = height - strip_height(v);
    struct box room = box_at(0, 0, width, tall > 1 ? tall : 1);
    return v->frame ? paint_fit(room, v->frame->width, v->frame->height) : room;
}

/* Map a rectangle of the frame to the window, in which the frame is shown at `picture`. */
static struct box to_window(const struct window_view *v, struct box picture, struct box r)
{
    double sx = (double)box_width(picture) / v->frame->width;
    double sy = (double)box_height(picture) / v->frame->height;
    return (struct box){picture.x0 + (int)floor(r.x0 * sx), picture.y0 + (int)floor(r.y0 * sy),
                        picture.x0 + (int)ceil(r.x1 * sx), picture.y0 + (int)ceil(r.y1 * sy)};
}

/* Paint words on a dark ground, readable over any picture: above `near`, or inside it at the picture's top. */
static void paint_tag(struct window_surface *s, const struct window_view *v, struct box picture,
                      struct box near, uint32_t color, const char *text)
{
    double size = 13 * v->scale, pad = 6 * v->scale;
    int w = (int)ceil(paint_text_width(size, text) + 2 * pad), h = (int)ceil(size + 2 * pad);
    int x = near.x0 + w <= picture.x1 ? near.x0 : picture.x1 - w;
    int y = near.y0 - h >= picture.y0 ? near.y0 - h : near.y0;
    x = x > picture.x0 ? x : picture.x0;
    paint_fill(s, box_at(x, y, w, h), INK_BACKGROUND);
    paint_text(s, x + pad, y + h - pad, size, 1.1, color, text);
}

static char *words(const char *digit, double probability, char *text, size_t size)
{
    char percent[16];
    if (strcmp(digit, "-") == 0)
        snprintf(text, size, "no digit");
    else if (probability >= 0)
        snprintf(text, size, "%s   %s", digit, panel_percent(probability, percent));
    else
        snprintf(text, size, "%s", digit);
    return text;
}

static void paint_boxes(struct window_surface *s, const struct window_view *v, struct box picture, struct box region)
{
    int thick = (int)lround(2 * v->scale);
    for (int i = 0; i < v->match->boxes; i++) {
        const struct match_box *b = &v->match->box[i];
        char text[48];
        if (strcmp(b->digit, "-") == 0 || b->box[2] == 0)
            continue;
        struct box in = box_at(region.x0 + b->box[0], region.y0 + b->box[1], b->box[2], b->box[3]);
        struct box around = box_around(to_window(v, picture, in), thick);
        struct box dark = box_around(around, 1);
        paint_outline(s, dark, thick + 2, INK_BACKGROUND);
        paint_outline(s, around, thick, INK_ACCENT);
        paint_tag(s, v, picture, dark, INK_ACCENT, words(b->digit, b->probability, text, sizeof text));
    }
}

static void paint_region(struct window_surface *s, const struct window_view *v, struct box picture, struct box region)
{
    int thick = (int)lround(2 * v->scale);
    struct box r = to_window(v, picture, region);
    paint_outline(s, box_around(r, 1), thick + 2, INK_BACKGROUND);
    paint_outline(s, r, thick, INK_TEXT);
}

static void paint_picture(struct window_surface *s, const struct window_view *v)
{
    struct box picture = picture_rect(v, s->width, s->height);
    paint_fill(s, box_at(0, 0, s->width, picture.y0), 0);
    paint_fill(s, box_at(0, 0, picture.x0, s->height), 0);
    paint_fill(s, box_at(picture.x1, 0, s->width, s->height), 0);
    paint_fill(s, box_at(0, picture.y1, s->width, s->height), 0);
    if (!v->frame)
        return;
    paint_gray(s, picture, v->frame->gray, v->frame->width, v->frame->height,
               box_width(picture) >= MIN_BLOCK_ZOOM * v->frame->width);
    struct box region = view_region(v->region, v->frame->width, v->frame->height);
    if (!box_empty(v->region) && !box_empty(region))
        paint_region(s, v, picture, region);
    if (v->match)
        paint_boxes(s, v, picture, region);
}

/* Write the digits of the newest frame, "3 1 4", into text. Returns false unless there are several. */
static bool several(const struct match *m, char *text, size_t size)
{
    size_t n = 0;
    int digits = 0;
    for (int i = 0; i < m->boxes && n + sizeof m->box[0].digit + 2 < size; i++) {
        if (strcmp(m->box[i].digit, "-") == 0)
            continue;
        n += (size_t)snprintf(text + n, size - n, "%s%s", digits++ ? " " : "", m->box[i].digit);
    }
    return digits > 1;
}

/* Paint the answer, large, at the left of the strip. Returns the x at which it ends. */
static double paint_answer(struct window_surface *s, const struct window_view *v, double x, double middle)
{
    const struct match *m = v->match;
    char text[96], percent[16];
    double size = 32 * v->scale, small = 15 * v->scale;
    if (m->boxes > 1 && several(m, text, sizeof text))
        return paint_text(s, x, middle + size / 2, size, 1.2, INK_ACCENT, text);
    if (!m->settled)
        return x;
    if (!answer_given(&m->steadied))
        return paint_text(s, x, middle + small / 2, small, 1, INK_TEXT, "no digit");
    snprintf(text, sizeof text, "%.40s", m->steadied.digit);
    x = paint_text(s, x, middle + size / 2, size, 1.2, INK_ACCENT, text) + 10 * v->scale;
    if (m->steadied.probability >= 0)
        x = paint_text(s, x, middle + small / 2 + 0.5, small, 1, INK_TEXT,
                       panel_percent(m->steadied.probability, percent));
    if (m->lag > MIN_LATE) {
        snprintf(text, sizeof text, "%.1f s behind", m->lag);
        x = paint_text(s, x + 16 * v->scale, middle + small / 2, 10 * v->scale, 1, INK_QUIET, text);
    }
    return x;
}

static void paint_right(struct window_surface *s, double right, double y, double size, double room,
                        uint32_t color, const char *text)
{
    double width = fmin(paint_text_width(size, text), room);
    panel_text(s, right - width, y, size, room + 1, color, text);
}

static void paint_strip(struct window_surface *s, const struct window_view *v)
{
    int h = strip_height(v), top = s->height - h;
    double z = v->scale, left = 16 * z, right = s->width - 16 * z, middle = top + h / 2.0;
    char rate[48] = "", place[160] = "";
    paint_fill(s, box_at(0, top, s->width, h), INK_BACKGROUND);
    paint_fill(s, box_at(0, top, s->width, 1), INK_EDGE);
    if (v->alarm) {
        panel_text(s, left, middle + 6 * z, 12 * z, right - left, INK_ALARM, v->alarm);
        return;
    }
    if (v->match)
        left = paint_answer(s, v, left, middle) + 24 * z;
    double room = right - left;
    if (v->state[0])
        snprintf(rate, sizeof rate, "%s", v->state);
    else if (v->rate >= 0)
        snprintf(rate, sizeof rate, "%.1f frames/s", v->rate);
    if (v->frame)
        snprintf(place, sizeof place, "%.120s  %lld", v->source, v->number);
    if (room < 60 * z)
        return;
    uint32_t color = v->note[0] && v->failed ? INK_ALARM : INK_TEXT;
    paint_right(s, right, middle - 4 * z, 11 * z, room, color, v->note[0] ? v->note : rate);
    paint_right(s, right, middle + 16 * z, 10 * z, room, INK_QUIET, place);
}

void view_paint(struct window_surface *s, const struct window_view *v)
{
    paint_picture(s, v);
    paint_strip(s, v);
}
