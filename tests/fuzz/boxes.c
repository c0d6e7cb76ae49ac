/* The fact `boxes` of a frame is from strangers. Whatever is read of it is within the frame's bounds.
 * Run: build/libfuzzer/fuzz/boxes tests/fuzz/corpus/boxes */
#include "learn/learn.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_box(const struct map_box *b)
{
    float x = b->x + b->w / 2, y = b->y + b->h / 2;
    if (b->class < MAP_IGNORE || b->class >= BOXES_CLASSES || !(b->w >= 1) || !(b->h >= 1))
        abort();
    if (b->class != MAP_IGNORE && !(x >= 0 && y >= 0 && x < 64 && y < 64))
        abort();
}

/* Marks of a map, which every box must fit. */
static void check_marks(const struct map_box *box, int boxes)
{
    static float map[17 * 256];
    static struct scores scores;
    const struct map_shape shape = {.classes = 12, .rows = 16, .columns = 16, .stride = 4};
    const struct map_truth truth = {box, boxes};
    map[boxes % 256] = 1;
    memset(&scores, 0, sizeof scores);
    scores_add(&scores, 0, &shape, map, &truth);
    if (scores.all.found > scores.all.digits)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame f = {.width = 64, .height = 64};
    struct map_box *box = NULL;
    struct err e = ERR_NONE;
    size_t room = 0;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(data[i] >= ' ' && data[i] <= '~' ? data[i] : '?');
    text[size] = '\0';
    if (!frame_set_fact(&f, "boxes", text, &e)) {
        int boxes = boxes_read(&f, BOXES_CLASSES, 0, &box, &room, &e);
        if (boxes < 0 && !e.what[0])
            abort();
        for (int i = 0; i < boxes; i++)
            check_box(&box[i]);
        if (boxes >= 0)
            check_marks(box, boxes);
    }
    free(box);
    free(text);
    frame_free(&f);
    return 0;
}
