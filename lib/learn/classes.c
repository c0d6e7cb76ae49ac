/* The names of the classes that are learnt, each with its number.
 *   in   a list of names: a file's lines, a model's metadata, or the frames' labels as they come
 *   out  struct classes: class i is name[i]; what the labels of all frames together stand for */
#include "learn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/grow.h"

#define MAX_FILE (LABEL_MAX_CLASSES * 64L) /* A list of names has at most so many bytes. */
#define DIGITS 10
#define MEND ": `dense labels` in its .net stands for as many as there are labels"

int classes_find(const struct classes *c, const char *name)
{
    for (int i = 0; i < c->count; i++)
        if (!strcmp(c->of[i].name, name))
            return i;
    return -1;
}

int classes_add(struct classes *c, const char *name, size_t len, struct err *e)
{
    if (!label_is_word(name, len))
        return err_set(e, "'%.*s' cannot be a label: a word of at most %d printable characters",
                       len > 40 ? 40 : (int)len, name, LABEL_SIZE - 1);
    if (c->count == LABEL_MAX_CLASSES)
        return err_set(e, "more than %d labels", LABEL_MAX_CLASSES);
    struct class *of = grow(c->of, (size_t)c->count + 1, &c->room, sizeof *of, e);
    if (!of)
        return -1;
    c->of = of;
    of[c->count] = (struct class){.source = -1};
    memcpy(of[c->count].name, name, len);
    return c->count++;
}

void classes_free(struct classes *c)
{
    free(c->of);
    *c = (struct classes){0};
}

/* Add a name that must be new. */
static int add_new(struct classes *c, const char *name, size_t len, struct err *e)
{
    int n = c->count, class = classes_add(c, name, len, e);
    if (class < 0)
        return -1;
    c->count = n; /* without itself */
    if (classes_find(c, c->of[n].name) >= 0)
        return err_set(e, "'%s' is there twice", c->of[n].name);
    c->count = n + 1;
    return 0;
}

int classes_list(struct classes *c, const char *text, struct err *e)
{
    for (size_t len; *(text += strspn(text, " ")); text += len) {
        len = strcspn(text, " ");
        if (add_new(c, text, len, e))
            return -1;
    }
    return 0;
}

int classes_load(struct classes *c, const char *file, struct err *e)
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
        status = used ? add_new(c, line, used, e) : 0;
        line += len + (line[len] == '\n');
    }
    if (!status && c->count < 2)
        status = err_set(e, "%d name%s: two at least are needed, a name a line", c->count,
                         c->count == 1 ? "" : "s");
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

static bool are_digits(const struct classes *c)
{
    for (int i = 0; i < c->count; i++)
        if (digit_of(c->of[i].name) < 0)
            return false;
    return true;
}

/* Where digits are learnt, class i is digit i, whether there are frames of it or not, and an eleventh is
 * none. Returns -1, with the class that has no place in *wrong. */
static int settle_digits(struct classes *c, int outputs, int *wrong, struct err *e)
{
    struct classes digits = {0};
    for (int i = 0; i < c->count; i++) {
        int digit = digit_of(c->of[i].name);
        *wrong = i;
        if (digit == DIGITS && outputs <= DIGITS)
            return err_set(e, "label none, but the network has %d outputs: an eleventh answers that",
                           outputs);
        if (digit >= outputs)
            return err_set(e, "label %d, but the network has %d outputs", digit, outputs);
    }
    for (int i = 0; i < outputs; i++) {
        char name[LABEL_SIZE] = LABEL_NONE;
        if (i < DIGITS)
            snprintf(name, sizeof name, "%d", i);
        if (classes_add(&digits, name, strlen(name), e) < 0) {
            classes_free(&digits);
            return -1;
        }
    }
    classes_free(c);
    *c = digits;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct class *p = a, *q = b;
    return strcmp(p->name, q->name);
}

int classes_settle(struct classes *c, int outputs, int *wrong, struct err *e)
{
    *wrong = -1;
    if (outputs && outputs <= DIGITS + 1 && are_digits(c))
        return settle_digits(c, outputs, wrong, e);
    int digits = 0;
    for (int i = 0; i < c->count; i++) {
        bool digit = digit_of(c->of[i].name) >= 0;
        digits += digit;
        if (!digit && *wrong < 0)
            *wrong = i;
    }
    if (c->count < 2)
        return err_set(e, "all frames are labelled '%s': nothing is to be told apart",
                       c->count ? c->of[0].name : "");
    if (c->count < outputs && !digits)
        *wrong = -1;
    if (outputs && c->count != outputs && *wrong >= 0)
        return err_set(e, "label '%s' is one of %d, but the network has %d outputs" MEND,
                       c->of[*wrong].name, c->count, outputs);
    if (outputs && c->count != outputs)
        return err_set(e, "the frames have %d labels, but the network has %d outputs" MEND, c->count,
                       outputs);
    qsort(c->of, (size_t)c->count, sizeof *c->of, by_name);
    return 0;
}

char *classes_text(const struct classes *c)
{
    char *text = malloc((size_t)c->count * LABEL_SIZE + 1), *to = text;
    for (int i = 0; text && i < c->count; i++)
        to += sprintf(to, "%s%s", i ? " " : "", c->of[i].name);
    return text;
}
