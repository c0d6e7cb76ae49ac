/* Labelled images in memory.
 *   in   streams of frames with labels, or with boxes
 *   out  pixels and truth of all, a split by the hash of the pixels, a shuffle for each epoch */
#include "learn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "base/rng.h"

#define UNBALANCED 10 /* A class of so many times another's frames is told. */

void dataset_init(struct dataset *d, int height, int width, int classes)
{
    *d = (struct dataset){.height = height, .width = width, .classes = classes, .kinds = 1, .kind_name = {"-"}};
    sha256_init(&d->content);
}

void dataset_free(struct dataset *d)
{
    free(d->pixels);
    free(d->box);
    free(d->box_end);
    free(d->kind);
    free(d->labels);
    labels_free(&d->named);
    free(d->first);
    free(d->source);
    for (int i = 0; i < d->sources; i++)
        free(d->source_name[i]);
    free(d->source_name);
    dataset_init(d, d->height, d->width, d->classes);
}

static size_t image_size(const struct dataset *d)
{
    return (size_t)d->height * (size_t)d->width;
}

/* Room for so many images. */
static int make_room(struct dataset *d, long images, struct err *e)
{
    const struct {
        void *array;
        size_t size;
    } column[] = {{&d->pixels, image_size(d)}, {&d->labels, sizeof *d->labels}, {&d->source, sizeof *d->source},
                  {&d->box_end, sizeof *d->box_end}, {&d->kind, sizeof *d->kind}};
    size_t room = 0;
    if (images > DATASET_MAX_IMAGES)
        return err_set(e, "more than %ld frames to train on", DATASET_MAX_IMAGES);
    for (int i = 0; i < (d->finder ? 5 : 3); i++) {
        room = d->room;
        if (grow_to(column[i].array, (size_t)images, &room, column[i].size, e))
            return err_set(e, "out of memory after %ld frames", d->images);
    }
    d->room = room;
    return 0;
}

/* The index of the source of that name, which is added if it is new; or -1. */
static int find_source(struct dataset *d, const char *name, struct err *e)
{
    for (int i = 0; i < d->sources; i++)
        if (!strcmp(d->source_name[i], name))
            return i;
    if (d->sources == DATASET_MAX_SOURCES)
        return err_set(e, "more than %d files to train on", DATASET_MAX_SOURCES);
    if (grow_to(&d->source_name, (size_t)d->sources + 1, &d->source_room, sizeof *d->source_name, e))
        return -1;
    if (!(d->source_name[d->sources] = strdup(name)))
        return err_set(e, "out of memory");
    return d->sources++;
}

static int check_size(const struct dataset *d, const struct frame *f, struct err *e)
{
    if (f->width == d->width && f->height == d->height)
        return 0;
    return err_set(e, "the frame is %dx%d, the network reads %dx%d%s", f->width, f->height,
                   d->width, d->height, d->finder ? "" : ": preproc makes such frames");
}

/* The number of a frame's label among the classes named, or met so far; -1 on failure. */
static int find_label(struct dataset *d, const struct frame *f, int source, struct err *e)
{
    char name[LABEL_SIZE];
    int there = frame_label(f, name);
    if (!there)
        return err_set(e, "no label: a filter in between may have dropped `label`");
    if (there < 0)
        return err_set(e, "label '%s' is not a word of at most %d printable characters", name,
                       LABEL_SIZE - 1);
    int class = labels_find(&d->named, name);
    if (class < 0 && d->given)
        return err_set(e, "label '%s' is none of the %d classes", name, d->classes);
    if (class >= 0)
        return class;
    class = d->named.count;
    if (grow_to(&d->first, (size_t)class + 1, &d->first_room, sizeof *d->first, e))
        return -1;
    d->first[class] = (struct first){source, d->number};
    return labels_add(&d->named, name, strlen(name), e);
}

/* The index of a frame's kind of scene, which is added if it is new; 0, the unnamed one, when the frame
 * names none or there is no room for another. */
static int find_kind(struct dataset *d, const struct frame *f)
{
    char name[DATASET_KIND];
    if (!frame_fact(f, "kind", name, sizeof name) || !name[0])
        return 0;
    for (char *p = name; *p; p++)
        *p = *p == ' ' ? '_' : *p;
    for (int i = 0; i < d->kinds; i++)
        if (!strcmp(d->kind_name[i], name))
            return i;
    if (d->kinds == DATASET_MAX_KINDS)
        return 0;
    strcpy(d->kind_name[d->kinds], name);
    return d->kinds++;
}

/* Append a frame's pixels, source and label. */
static void add_image(struct dataset *d, const struct frame *f, int source, int label)
{
    size_t size = image_size(d);
    memcpy(d->pixels + (size_t)d->images * size, f->gray, size);
    d->labels[d->images] = (uint16_t)label;
    d->source[d->images] = (uint16_t)source;
    d->images++;
}

static int add_scene(struct dataset *d, const struct frame *f, int source, struct err *e)
{
    int boxes = boxes_read(f, d->classes, d->boxes, &d->box, &d->box_room, e);
    if (boxes < 0 || make_room(d, d->images + 1, e))
        return -1;
    sha256_add(&d->content, f->gray, image_size(d));
    if (boxes)
        sha256_add(&d->content, d->box + d->boxes, (size_t)boxes * sizeof *d->box);
    d->boxes += boxes;
    d->box_end[d->images] = d->boxes;
    d->kind[d->images] = (uint8_t)find_kind(d, f);
    add_image(d, f, source, 0);
    return 0;
}

static int add_frame(struct dataset *d, const struct frame *f, int source, struct err *e)
{
    if (check_size(d, f, e))
        return -1;
    if (d->finder)
        return add_scene(d, f, source, e);
    int label = find_label(d, f, source, e);
    if (label < 0)
        return -1;
    if (!memcmp(f->gray, f->gray + 1, image_size(d) - 1)) {
        d->blank++;
        return 0;
    }
    if (make_room(d, d->images + 1, e))
        return -1;
    add_image(d, f, source, label);
    return 0;
}

int dataset_read(struct dataset *d, struct frame_reader *r, struct err *e)
{
    const char *name = frame_stream_name(r);
    int source = find_source(d, name, e);
    if (source < 0)
        return err_at(e, name, -1);
    struct frame f = {0};
    int got;
    d->number = 0;
    while ((got = frame_read(r, &f, e)) > 0 && !(got = add_frame(d, &f, source, e)))
        d->number++;
    frame_free(&f);
    return got ? err_at(e, name, d->number) : 0;
}

/* What was learnt from, in the order in which it was read. */
static void sum_up(struct dataset *d)
{
    for (long i = 0; i < d->images; i++) {
        const uint8_t label[] = {(uint8_t)d->labels[i], (uint8_t)(d->labels[i] >> 8)};
        sha256_add(&d->content, dataset_pixels(d, (uint32_t)i), image_size(d));
        sha256_add(&d->content, label, d->classes > 256 ? 2 : 1);
    }
}

/* The classes in their order, and the labels' numbers by it. */
static int sort_labels(struct dataset *d, struct err *e)
{
    int wrong, n = d->named.count, *number = calloc((size_t)n + 1, sizeof *number);
    char(*met)[LABEL_SIZE] = calloc((size_t)n + 1, sizeof *met);
    int status = number && met ? 0 : err_set(e, "out of memory");
    if (!status) {
        memcpy(met, d->named.of, (size_t)n * sizeof *met);
        status = classes_settle(&d->named, d->classes, &wrong, e);
        if (status && wrong >= 0)
            err_at(e, d->source_name[d->first[wrong].source], d->first[wrong].number);
    }
    for (int i = 0; !status && i < n; i++)
        number[i] = labels_find(&d->named, met[i]);
    for (long i = 0; !status && i < d->images; i++)
        d->labels[i] = (uint16_t)number[d->labels[i]];
    free(number);
    free(met);
    return status;
}

int dataset_settle(struct dataset *d, struct err *e)
{
    if (!d->given && sort_labels(d, e))
        return -1;
    d->classes = d->named.count;
    sum_up(d);
    return 0;
}

char *dataset_balance(const struct dataset *d, char *text, size_t size)
{
    long *frames = calloc((size_t)d->classes, sizeof *frames);
    char(*class)[LABEL_SIZE] = d->named.of;
    int least = 0, most = 0, missing = 0;
    for (long i = 0; frames && i < d->images; i++)
        frames[d->labels[i]]++;
    for (int i = 0; frames && i < d->classes; i++) {
        least = frames[i] < frames[least] ? i : least;
        most = frames[i] > frames[most] ? i : most;
        missing += !frames[i];
    }
    *text = '\0';
    if (missing == 1)
        snprintf(text, size, "there is no frame of class %s", class[least]);
    else if (missing)
        snprintf(text, size, "there is no frame of class %s and of %d more", class[least], missing - 1);
    else if (frames && frames[most] >= UNBALANCED * frames[least])
        snprintf(text, size, "there are %ld frames of class %s and %ld of class %s, which will be read badly",
                 frames[most], class[most], frames[least], class[least]);
    free(frames);
    return text;
}

int dataset_name(struct dataset *d, struct labels *named, struct err *e)
{
    if (d->classes && named->count != d->classes)
        return err_set(e, "%d names of classes, but the network has %d outputs", named->count,
                       d->classes);
    d->named = *named;
    *named = (struct labels){0};
    d->classes = d->named.count;
    d->given = true;
    return 0;
}

int dataset_share(struct dataset *d, struct ranks *ranks, struct err *e)
{
    long images = d->images;
    int classes = d->named.count;
    ranks_share(ranks, &images, sizeof images);
    ranks_share(ranks, &classes, sizeof classes);
    if (!ranks->failed && (make_room(d, images, e) ||
                           grow_to(&d->named.of, (size_t)classes, &d->named.room, sizeof *d->named.of, e)))
        return -1;
    d->images = images;
    d->named.count = d->classes = classes;
    size_t n = (size_t)images;
    ranks_share(ranks, &d->content, sizeof d->content);
    ranks_share(ranks, d->pixels, n * image_size(d));
    ranks_share(ranks, d->named.of, (size_t)d->named.count * sizeof *d->named.of);
    if (ranks_share(ranks, d->labels, n * sizeof *d->labels) || ranks_share(ranks, d->source, n * sizeof *d->source)) {
        *e = ranks->err;
        return -1;
    }
    return 0;
}

/* An image and the hash of its pixels, by which images are sorted: the first ones are the validation
 * split. */
struct place {
    uint64_t hash;
    uint32_t image;
};

static uint64_t hash_pixels(const uint8_t *p, size_t len)
{
    uint64_t hash = len, word;
    for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
        word = 0;
        for (int i = 0; i < 8; i++)
            word |= (uint64_t)p[i] << (8 * i);
        hash = rng_mix(hash ^ word) + 0x9e3779b97f4a7c15u;
    }
    for (; len; p++, len--)
        hash = rng_mix(hash ^ *p) + 0x9e3779b97f4a7c15u;
    return rng_mix(hash);
}

static int by_hash(const void *a, const void *b)
{
    const struct place *p = a, *q = b;
    if (p->hash != q->hash)
        return p->hash < q->hash ? -1 : 1;
    return p->image < q->image ? -1 : p->image > q->image;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *p = a, *q = b;
    return *p < *q ? -1 : *p > *q;
}

int dataset_split(const struct dataset *d, long validation, struct split *s, struct err *e)
{
    *s = (struct split){.train = d->images - validation, .validation = validation};
    if (s->train <= 0)
        return err_set(e, "%ld of %ld frames set aside for validation: nothing is left to learn from",
                       validation, d->images);
    size_t n = (size_t)d->images;
    struct place *place = zeroed(n, sizeof *place, e);
    uint32_t *index = place ? zeroed(n, sizeof *index, e) : NULL;
    if (!index) {
        free(place);
        return -1;
    }
    for (size_t i = 0; i < n; i++)
        place[i] = (struct place){
            hash_pixels(dataset_pixels(d, (uint32_t)i), image_size(d)), (uint32_t)i};
    qsort(place, n, sizeof *place, by_hash);
    for (size_t i = 0; i < n; i++)
        index[i] = place[i].image;
    free(place);
    s->validation_index = index;
    s->train_index = index + validation;
    qsort(s->validation_index, (size_t)s->validation, sizeof *index, by_number);
    qsort(s->train_index, (size_t)s->train, sizeof *index, by_number);
    return 0;
}

void split_free(struct split *s)
{
    free(s->validation_index);
    *s = (struct split){0};
}

void dataset_shuffle(const uint32_t *index, long n, uint64_t seed, uint64_t epoch, uint32_t *order)
{
    struct rng r = rng_seed(rng_mix(seed + 1), epoch);
    memcpy(order, index, (size_t)n * sizeof *order);
    for (long i = n - 1; i > 0; i--) {
        uint32_t j = rng_below(&r, (uint32_t)i + 1), image = order[i];
        order[i] = order[j];
        order[j] = image;
    }
}
