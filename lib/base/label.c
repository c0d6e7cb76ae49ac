/* Labels: what can be one, and the names of signs. */
#include "label.h"

#include <string.h>

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
