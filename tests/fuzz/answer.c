/* What answer_parse accepts, answer_text and answer_json write so that it reads back the same.
 *     build/fuzz/answer tests/fuzz/corpus/answer */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

static struct answer first, again;
static char line[ANSWER_LINE];

static void read_back(void)
{
    if (answer_parse(line, &again, NULL) || strcmp(first.digit, again.digit) ||
        strcmp(first.source, again.source) || first.frame != again.frame ||
        memcmp(first.box, again.box, sizeof first.box))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err e = ERR_NONE;
    char *text = malloc(len + 1);
    if (!text)
        return 0;
    memcpy(text, data, len);
    text[len] = '\0';
    if (!answer_parse(text, &first, &e)) {
        answer_text(&first, ANSWER_MAX_CLASSES, line);
        read_back();
        answer_json(&first, line);
        read_back();
    }
    free(text);
    return 0;
}
