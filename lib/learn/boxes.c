/* The truth of a frame that a finder learns from: its fact `boxes`. Input: a frame; output: boxes. */
#include "learn.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

const char *const boxes_class[BOXES_CLASSES] = {"0", "1", "2", "3", "4", "5", "6", "7",     "8",
                                                "9", ".", ",", "-", "/", ":", "+", "=", "other"};

/* A whole number of at most FRAME_MAX_SIDE either way, and the comma behind it. */
static bool take_number(const char **p, float *value)
{
    const char *text = *p;
    bool minus = *text == '-';
    int n = 0;
    text += minus;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        if ((n = n * 10 + (*text - '0')) > FRAME_MAX_SIDE)
            return false;
    *p = text + 1;
    *value = (float)(minus ? -n : n);
    return *text == ',';
}

static int find_class(const char *label, size_t len, int classes)
{
    for (int i = 0; i < classes; i++)
        if (strlen(boxes_class[i]) == len && !memcmp(boxes_class[i], label, len))
            return i;
    return -1;
}

/* A box of a class has its centre in the frame; one that counts for nothing may lie anywhere. */
static int read_box(const struct frame *f, const char *text, int classes, struct map_box *b,
                    struct err *e)
{
    const char *p = text;
    int shown = (int)strcspn(text, ";");
    shown = shown < 40 ? shown : 40;
    if (!take_number(&p, &b->x) || !take_number(&p, &b->y) || !take_number(&p, &b->w) ||
        !take_number(&p, &b->h) || b->w < 1 || b->h < 1)
        return err_set(e, "boxes: '%.*s' is not X,Y,W,H,LABEL in pixels", shown, text);
    size_t len = strcspn(p, ";");
    b->class = len == 1 && *p == '?' ? MAP_IGNORE : find_class(p, len, classes);
    if (b->class == MAP_IGNORE && !(len == 1 && *p == '?'))
        return err_set(e, "boxes: the label '%.*s' is not %s to %s or ?", len < 40 ? (int)len : 40,
                       p, boxes_class[0], boxes_class[classes - 1]);
    float x = b->x + b->w / 2, y = b->y + b->h / 2;
    if (b->class != MAP_IGNORE &&
        (x < 0 || y < 0 || x >= (float)f->width || y >= (float)f->height))
        return err_set(e, "boxes: the middle of '%.*s' is not in the frame of %dx%d", shown, text,
                       f->width, f->height);
    return 0;
}

int boxes_read(const struct frame *f, int classes, long first, struct map_box **box, size_t *room, struct err *e)
{
    int boxes = 0; /* a header's bytes bound their number */
    char *text = malloc(f->facts_len + 1);
    if (!text)
        return err_set(e, "out of memory");
    const char *p = frame_fact(f, "boxes", text, f->facts_len + 1);
    for (; boxes >= 0 && p && *p; p += strcspn(p, ";"), p += *p == ';') {
        bool failed = grow_to(box, (size_t)(first + boxes) + 1, room, sizeof **box, e) ||
                      read_box(f, p, classes, &(*box)[first + boxes], e);
        boxes = failed ? -1 : boxes + 1;
    }
    free(text);
    return boxes;
}
