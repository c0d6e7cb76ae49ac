/* The names of the classes that are learnt, each with its number.
 *   in   a list of names: a file's lines, a model's metadata, or the frames' labels as they come
 *   out  a list of labels: class i is label i; what the labels of all frames together stand for */
#include "learn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"

#define MAX_FILE (LABEL_MAX_CLASSES * 64L) /* A list of names has at most so many bytes. */
#define DIGITS 10
#define MEND ": `dense labels` in its .net stands for as many as there are labels"

int classes_load(struct labels *l, const char *file, struct err *e)
{
    uint8_t *bytes;
    size_t size;
    int status = 0;
    if (file_load(file, MAX_FILE, &bytes, &size, e))
        return -1;
    for (const char *line = (char *)bytes; !status && *line;) {
        size_t len = strcspn(line, "\n"), used = len;
        while (used && (line[used - 1] == '\r' || line[used - 1] == ' '))
            used--;
        status = used && labels_add_new(l, line, used, e) < 0 ? -1 : 0;
        line += len + (line[len] == '\n');
    }
    if (!status && l->count < 2)
        status = err_set(e, "%d name%s: two at least are needed, a name a line", l->count,
                         l->count == 1 ? "" : "s");
    free(bytes);
    return status ? err_at(e, file, -1) : 0;
}

/* The number that a digit's or none's label has among digits; -1 for any other. */
static int digit_of(const char *name)
{
    if (!strcmp(name, LABEL_NONE))
        return DIGITS;
    return name[0] >= '0' && name[0] <= '9' && !name[1] ? name[0] - '0' : -1;
}

static bool are_digits(const struct labels *l)
{
    for (int i = 0; i < l->count; i++)
        if (digit_of(l->of[i]) < 0)
            return false;
    return true;
}

/* Where digits are learnt, class i is digit i, whether there are frames of it or not, and an eleventh is
 * none. Returns -1, with the class that has no place in *wrong. */
static int settle_digits(struct labels *l, int outputs, int *wrong, struct err *e)
{
    for (int i = 0; i < l->count; i++) {
        int digit = digit_of(l->of[i]);
        *wrong = i;
        if (digit == DIGITS && outputs <= DIGITS)
            return err_set(e, "label none, but the network has %d outputs: an eleventh answers that",
                           outputs);
        if (digit >= outputs)
            return err_set(e, "label %d, but the network has %d outputs", digit, outputs);
    }
    const char *digits = "0 1 2 3 4 5 6 7 8 9 " LABEL_NONE;
    labels_free(l);
    if (labels_list(l, digits, e))
        return -1;
    l->count = outputs;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int classes_settle(struct labels *l, int outputs, int *wrong, struct err *e)
{
    *wrong = -1;
    if (outputs && outputs <= DIGITS + 1 && are_digits(l))
        return settle_digits(l, outputs, wrong, e);
    int digits = 0;
    for (int i = 0; i < l->count; i++) {
        bool digit = digit_of(l->of[i]) >= 0;
        digits += digit;
        if (!digit && *wrong < 0)
            *wrong = i;
    }
    if (l->count < 2)
        return err_set(e, "all frames are labelled '%s': nothing is to be told apart",
                       l->count ? l->of[0] : "");
    if (l->count < outputs && !digits)
        *wrong = -1;
    if (outputs && l->count != outputs && *wrong >= 0)
        return err_set(e, "label '%s' is one of %d, but the network has %d outputs" MEND,
                       l->of[*wrong], l->count, outputs);
    if (outputs && l->count != outputs)
        return err_set(e, "the frames have %d labels, but the network has %d outputs" MEND, l->count,
                       outputs);
    qsort(l->of, (size_t)l->count, sizeof *l->of, by_name);
    return 0;
}
