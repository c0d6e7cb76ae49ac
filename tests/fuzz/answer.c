/* What answer_parse accepts, answer_text and answer_json write so that it reads back the same. Each
 * line of the input is an answer; they are steadied and joined, and each is a source's name too.
 *     build/libfuzzer/fuzz/answer tests/fuzz/corpus/answer */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "answer/answer.h"

static struct answer first, again;
static char line[ANSWER_LINE], line_of_word[WORD_LINE];

static void read_back(void)
{
    if (answer_parse(line, &again, NULL) || strcmp(first.digit, again.digit) ||
        strcmp(first.source, again.source) || first.frame != again.frame ||
        memcmp(first.box, again.box, sizeof first.box))
        abort();
}

static void write_and_read(void)
{
    answer_text(&first, ANSWER_MAX_CANDIDATES, line);
    read_back();
    answer_json(&first, line);
    read_back();
    if (first.field[0] && strcmp(first.field, "-") &&
        (strcmp(first.field, again.field) || first.cell != again.cell))
        abort();
}

/* Any bytes as a source: what is written of it reads back. */
static void name_source(const char *text)
{
    answer_clear(&first);
    answer_set_source(&first, text);
    write_and_read();
}

static void use(struct steady *s, struct words *w, int number)
{
    static const char marks[] = {MARK_DIGIT, MARK_BLANK, MARK_OTHER, '.', '-'};
    char mark = marks[number % (int)sizeof marks];
    double p = answer_probability(&first, "7");
    steady_pass(s, &first, first.frame / 25.0);
    if (p < 0 || p > 1)
        abort();
    answer_heed_mark(&first, mark);
    const struct word *word = words_add(w, &first, &(struct standing){number / 8, number / 2 % 3 - 1, mark});
    if (word && (!word->answer.digit[0] || word_json(word, line_of_word) >= WORD_LINE - 1))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct steady steady;
    static struct words words;
    char *text = malloc(len + 1);
    if (!text)
        return 0;
    memcpy(text, data, len);
    text[len] = '\0';
    steady = (struct steady){.hold = 0.1, .passed = "-"};
    words = (struct words){.threshold = 0.5};
    int number = 0;
    for (char *next, *at = text; at; at = next) {
        next = strchr(at, '\n');
        if (next)
            *next++ = '\0';
        struct err e = ERR_NONE;
        if (!answer_parse(at, &first, &e)) {
            write_and_read();
            use(&steady, &words, number++);
        } else if (!e.what[0]) {
            abort();
        }
        name_source(at);
    }
    words_end(&words);
    free(text);
    return 0;
}
