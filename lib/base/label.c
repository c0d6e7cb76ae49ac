/* Labels: what can be one, the names of signs, and lists of labels. */
#include "label.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

static const struct {
    char character;
    char name[8];
} signs[] = {{'.', "point"}, {',', "comma"}, {'-', "minus"}, {'/', "slash"},
             {':', "colon"}, {'+', "plus"},  {'=', "equals"}};
#define SIGNS (sizeof signs / sizeof *signs)

static bool is_printable(int c)
{
    return c > ' ' && c <= '~';
}

bool label_is_word(const char *text, size_t len)
{
    if (len < 1 || len >= LABEL_SIZE || (len == 1 && *text == '-'))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_printable(text[i]))
            return false;
    return true;
}

bool label_of_character(int c, char label[static LABEL_SIZE])
{
    if (!is_printable(c))
        return false;
    label[0] = (char)c;
    label[1] = '\0';
    for (size_t i = 0; i < SIGNS; i++)
        if (signs[i].character == c)
            strcpy(label, signs[i].name);
    return true;
}

bool label_is_sign(char c)
{
    for (size_t i = 0; i < SIGNS; i++)
        if (signs[i].character == c)
            return true;
    return false;
}

char label_character(const char *label)
{
    bool single = label[0] && !label[1];
    if (single && label[0] >= '0' && label[0] <= '9')
        return label[0];
    for (size_t i = 0; i < SIGNS; i++)
        if (!strcmp(label, signs[i].name) || (single && label[0] == signs[i].character))
            return signs[i].character;
    return '\0';
}

int labels_find(const struct labels *l, const char *label)
{
    for (int i = 0; i < l->count; i++)
        if (!strcmp(l->of[i], label))
            return i;
    return -1;
}

int labels_add(struct labels *l, const char *label, size_t len, struct err *e)
{
    char name[LABEL_SIZE] = "";
    if (!label_is_word(label, len))
        return err_set(e, "'%.*s' cannot be a label: a word of at most %d printable characters",
                       len > 40 ? 40 : (int)len, label, LABEL_SIZE - 1);
    memcpy(name, label, len);
    int found = labels_find(l, name);
    if (found >= 0)
        return found;
    if (l->count == LABEL_MAX_CLASSES)
        return err_set(e, "more than %d labels", LABEL_MAX_CLASSES);
    if (grow_to(&l->of, (size_t)l->count + 1, &l->room, sizeof *l->of, e))
        return -1;
    memcpy(l->of[l->count], name, sizeof name);
    return l->count++;
}

int labels_add_new(struct labels *l, const char *label, size_t len, struct err *e)
{
    int count = l->count, number = labels_add(l, label, len, e);
    return number < 0 || l->count > count ? number : err_set(e, "label '%s' is there twice", l->of[number]);
}

int labels_list(struct labels *l, const char *text, struct err *e)
{
    for (size_t len; *(text += strspn(text, " ")); text += len) {
        len = strcspn(text, " ");
        if (labels_add_new(l, text, len, e) < 0)
            return -1;
    }
    return 0;
}

void labels_free(struct labels *l)
{
    free(l->of);
    *l = (struct labels){0};
}
