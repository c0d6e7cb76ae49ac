#include "base/label.h"

#include <string.h>

#include "../check.h"

static void test_words(void)
{
    CHECK(label_is_word("7", 1) && label_is_word("none", 4) && label_is_word("--", 2), "words");
    CHECK(!label_is_word("", 0) && !label_is_word("-", 1) && !label_is_word("a b", 3) && !label_is_word("\x7f", 1),
          "what an answer could not hold");
    char longest[LABEL_SIZE];
    memset(longest, 'x', sizeof longest);
    CHECK(label_is_word(longest, LABEL_SIZE - 1) && !label_is_word(longest, LABEL_SIZE), "32 bytes");
}

static void test_characters(void)
{
    char label[LABEL_SIZE];
    for (int c = ' ' + 1; c <= '~'; c++) {
        bool sign = strchr(".,-/:+=", c), number = sign || (c >= '0' && c <= '9');
        CHECK(label_of_character(c, label) && label_is_word(label, strlen(label)), "%c is a label", c);
        CHECK((strlen(label) > 1) == sign, "a sign's is a name: %s", label);
        CHECK(label_character(label) == (number ? c : '\0'), "%s stands for it in numbers", label);
        CHECK(label_character((char[2]){(char)c}) == (number ? c : '\0'), "so does %c", c);
        CHECK(label_is_sign((char)c) == sign, "%c is a sign or not", c);
    }
    CHECK(!label_of_character(' ', label) && !label_of_character('\t', label) && !label_of_character(0xe4, label),
          "no label");
    CHECK(!label_character("") && !label_character("12") && !label_character("none") && !label_is_sign('\0'),
          "nothing in a number");
}

int main(void)
{
    test_words();
    test_characters();
    return check_done();
}
