/* truth: label frames that preproc -m has made of scenes.
 *
 * Input: frames with the facts box, where they were cut out, and boxes, what is on their scene. Output: those
 * whose label is plain. A frame is the digit whose box is nearly its own; part of a digit, a sign or what
 * the scene calls none is none. So the reader learns from digits as they are found and cut, and to refuse what is
 * none. */
#include "each.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define SAME 0.55  /* of the area that a frame and a digit cover together, covered by both: it is that digit */
#define APART 0.25 /* the same, below which it is only a part; between the two nobody can tell */
#define MIN_PART 0.05 /* the same, from which on it is a part of it */
#define PLAIN "-+:=" /* what is never taken for a digit by eye; an O may be a nought, a comma a 1 */
#define MIN_TALL 14 /* pixels: digits whose longer side is less are not plain enough to learn from */

static double overlap(const double a[4], const double b[4])
{
    double w = fmin(a[0] + a[2], b[0] + b[2]) - fmax(a[0], b[0]);
    double h = fmin(a[1] + a[3], b[1] + b[3]) - fmax(a[1], b[1]);
    double both = w > 0 && h > 0 ? w * h : 0;
    return both / (a[2] * a[3] + b[2] * b[3] - both + 1e-9);
}

/* The label of what lies in `box` among `boxes`; NULL where it is not plain. bare: nothing else is on the scene. */
static const char *label_of(const double box[4], const char *boxes, bool bare, char label[2])
{
    double most = 0, b[4];
    for (const char *p = boxes; *p; p += strcspn(p, ";"), p += *p == ';') {
        char class[8] = "";
        if (sscanf(p, "%lf,%lf,%lf,%lf,%7[^;]", &b[0], &b[1], &b[2], &b[3], class) != 5)
            continue;
        double same = overlap(box, b);
        bool digit = *class >= '0' && *class <= '9', none = !strcmp(class, "none");
        if (digit && same > SAME && fmax(b[2], b[3]) >= MIN_TALL) {
            label[0] = *class;
            return label;
        }
        if (same > SAME && none)
            return "none";
        if (same > MIN_PART && (digit ? same > APART : none || !strchr(PLAIN, *class)))
            return NULL;
        most = fmax(most, same);
    }
    return bare || most > MIN_PART ? "none" : NULL;
}

/* Are there only surfaces and things on the scene? Other kinds have letters without a box, small ones and large
 * ones, and bars that alone would be a 1. */
static bool is_bare(const struct frame *f)
{
    char kind[16] = "";
    return frame_fact(f, "kind", kind, sizeof kind) && (!strcmp(kind, "empty") || !strcmp(kind, "clutter"));
}

/* Returns -1 when it cannot be written. */
static int tell(struct frame *f, long number, struct err *e)
{
    (void)number;
    static char boxes[FRAME_MAX_HEADER];
    char place[64], label[2] = "";
    double box[4];
    if (!frame_fact(f, "box", place, sizeof place) ||
        sscanf(place, "%lf,%lf,%lf,%lf", &box[0], &box[1], &box[2], &box[3]) != 4)
        return 0;
    const char *all = frame_fact(f, "boxes", boxes, sizeof boxes) ? boxes : "";
    const char *what = label_of(box, all, is_bare(f), label);
    if (!what)
        return 0;
    return frame_set_fact(f, "boxes", NULL, e) || frame_set_fact(f, "label", what, e) ||
           frame_write(STDOUT_FILENO, f, e);
}

int main(int argc, char **argv)
{
    return each_frame(argc, argv, "truth", tell);
}
