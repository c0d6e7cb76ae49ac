/* views FINDER [frames]: what the network that looks again learns from.
 *
 * Input: scenes in gray, as scenes -g gray draws them. Output: views (lib/ink/refine.c) of what the finder takes for
 * writing on them, rightly or wrongly, a little beside its place; the fact boxes says what is in the view. Of what it
 * is hardly sure of, and no digit, a third is enough: there is so much of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "each.h"
#include "ink/ink.h"

#define LEAST 0.12  /* how probable it is to the finder that what is looked at is writing; */
#define HARDLY 0.2  /* of what scores less than this, and is no digit, */
#define KEPT 0.33   /* so much is left */
#define SAME 0.3    /* of the area that two boxes cover together, covered by both: they are of one thing, perhaps */
#define SHIFT 0.1   /* of a box's longer side: it is moved by up to this */
#define ZOOM 0.175  /* the logarithm of a box's size changes by up to this */
#define MIN_SEEN 0.8 /* of a box's area: what is seen of it less than this counts for nothing */
#define MIN_DIGIT 7 /* pixels of the longer side: nobody can tell digits below this, */
#define MIN_SIGN 2  /* or signs below this */

/* A box of the scene; the rest of the line is its class. */
struct truth {
    float x, y, w, h;
    char class[8];
};

enum { MAX_TRUTHS = 1024 };

static struct ink *ink;
static struct rng rng;

static int read_truth(const struct frame *f, struct truth *t)
{
    static char boxes[FRAME_MAX_HEADER];
    int n = 0;
    const char *p = frame_fact(f, "boxes", boxes, sizeof boxes) ? boxes : "";
    for (; *p && n < MAX_TRUTHS; p += strcspn(p, ";"), p += *p == ';')
        n += sscanf(p, "%f,%f,%f,%f,%7[^;]", &t[n].x, &t[n].y, &t[n].w, &t[n].h, t[n].class) == 5;
    return n;
}

static bool is_digit(const struct truth *t)
{
    return *t->class >= '0' && *t->class <= '9';
}

static float length_shared(float a, float a_length, float b, float b_length)
{
    return fmaxf(0, fminf(a + a_length, b + b_length) - fmaxf(a, b));
}

static bool is_of_digit(const struct ink_box *b, const struct truth *t, int n)
{
    for (int i = 0; i < n; i++) {
        float both = length_shared(b->x, b->w, t[i].x, t[i].w) * length_shared(b->y, b->h, t[i].y, t[i].h);
        if (is_digit(&t[i]) && both >= SAME * (b->w * b->h + t[i].w * t[i].h - both))
            return true;
    }
    return false;
}

static struct ink_box beside(struct ink_box b)
{
    float side = fmaxf(b.w, b.h), zoom = (float)exp(rng_range(&rng, -ZOOM, ZOOM));
    b.x += (float)rng_range(&rng, -SHIFT, SHIFT) * side + b.w * (1 - zoom) / 2;
    b.y += (float)rng_range(&rng, -SHIFT, SHIFT) * side + b.h * (1 - zoom) / 2;
    b.w *= zoom;
    b.h *= zoom;
    return b;
}

/* Write the box as it lies in the view, if its middle does; ? where nobody can tell what it is. */
static int tell_box(const struct truth *t, const struct ink_view *v, char *text, bool first)
{
    float x = (t->x - v->x) / v->step, y = (t->y - v->y) / v->step, w = t->w / v->step, h = t->h / v->step;
    const char *class = !strcmp(t->class, "none") ? "other" : t->class;
    bool told = *class != '?', large = is_digit(t) || !strcmp(class, "other");
    float inside = length_shared(x, w, 0, INK_VIEW) * length_shared(y, h, 0, INK_VIEW);
    if (told && !(x + w / 2 >= 0 && x + w / 2 < INK_VIEW && y + h / 2 >= 0 && y + h / 2 < INK_VIEW))
        return 0;
    told = told && inside >= MIN_SEEN * w * h && fmaxf(w, h) >= (large ? MIN_DIGIT : MIN_SIGN);
    long x0 = lrintf(fmaxf(x, 0)), y0 = lrintf(fmaxf(y, 0));
    long x1 = lrintf(fminf(x + w, INK_VIEW)), y1 = lrintf(fminf(y + h, INK_VIEW));
    if (x1 <= x0 || y1 <= y0)
        return 0;
    return sprintf(text, "%s%ld,%ld,%ld,%ld,%s", first ? "" : ";", x0, y0, x1 - x0, y1 - y0, told ? class : "?");
}

static int write_view(const struct frame *scene, struct ink_box b, const struct truth *t, int n, struct err *e)
{
    static struct frame f;
    static char boxes[MAX_TRUTHS * 32];
    char kind[64];
    struct ink_view v;
    int length = 0;
    ink_view(ink, &b, &v);
    *boxes = '\0';
    for (int i = 0; i < n; i++)
        length += tell_box(&t[i], &v, boxes + length, !length);
    if (frame_resize(&f, INK_VIEW, INK_VIEW, e))
        return -1;
    memcpy(f.gray, v.level, sizeof v.level);
    return frame_set_fact(&f, "kind", frame_fact(scene, "kind", kind, sizeof kind), e) ||
                   frame_set_fact(&f, "boxes", boxes, e) || frame_write(STDOUT_FILENO, &f, e)
               ? -1
               : 0;
}

static int look(struct frame *f, long number, struct err *e)
{
    static struct truth truth[MAX_TRUTHS];
    const struct ink_box *box;
    int n = read_truth(f, truth), found = ink_search(ink, f->gray, f->width, f->height, LEAST, &box, e);
    rng = rng_seed(1, (uint64_t)number);
    for (int i = 0; i < found; i++) {
        if (box[i].score < HARDLY && !is_of_digit(&box[i], truth, n) && rng_uniform(&rng) > KEPT)
            continue;
        if (write_view(f, beside(box[i]), truth, n, e))
            return -1;
    }
    return found < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct err e = ERR_NONE;
    char text[640];
    struct ink_finder *finder = argc > 1 ? ink_finder_load(argv[1], &e) : NULL;
    if (argc < 2) {
        fputs("usage: views finder [frames]\n", stderr);
        return 2;
    }
    ink = finder ? ink_new(finder, &e) : NULL;
    if (!ink)
        fprintf(stderr, "views: %s\n", err_text(&e, text, sizeof text));
    int status = ink ? each_frame(argc - 1, argv + 1, "views", look) : 1;
    ink_free(ink);
    ink_finder_free(finder);
    return status;
}
