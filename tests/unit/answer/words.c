#include "answer/answer.h"

#include <math.h>
#include <string.h>

#include "../check.h"

static struct words w; /* large */
static char line[WORD_LINE];

static struct answer digit_at(const char *digit, double p, const char *source, int x)
{
    struct answer a;
    answer_clear(&a);
    strcpy(a.digit, digit);
    strcpy(a.source, source);
    a.probability = strcmp(digit, "-") ? p : -1;
    a.frame = 0;
    a.box[0] = x;
    a.box[1] = 10 - x / 10;
    a.box[2] = 8;
    a.box[3] = 12;
    return a;
}

static const struct word *add(struct answer a, long ln, long word, char mark)
{
    return words_add(&w, &a, &(struct standing){ln, word, mark});
}

/* Add a digit and say what ended: "" when nothing did. */
static const char *ended(struct answer a, long ln, long word)
{
    const struct word *done = add(a, ln, word, strcmp(a.digit, "-") ? MARK_DIGIT : MARK_BLANK);
    return done ? done->answer.digit : "";
}

static void test_ends(void)
{
    w = (struct words){0};
    CHECK(!words_end(&w), "no word yet");
    CHECK(!*ended(digit_at("0", 0.9, "s", 10), 0, 0), "opens");
    CHECK(!*ended(digit_at("-", 0, "s", 19), 0, 0), "where nothing is written nothing is added");
    CHECK(!*ended(digit_at("4", 0.5, "s", 30), 0, 0), "goes on");
    struct answer two = digit_at("2", 0.9, "s", 60);
    const struct word *done = words_add(&w, &two, &(struct standing){0, 1, MARK_DIGIT});
    CHECK(done && !strcmp(done->answer.digit, "04"), "the next word ends it");
    CHECK(fabs(done->answer.probability - 0.45) < 1e-12, "product of probabilities");
    const int *box = done->answer.box;
    CHECK(box[0] == 10 && box[1] == 7 && box[2] == 28 && box[3] == 14, "box around both: %d,%d,%d,%d",
          box[0], box[1], box[2], box[3]);
    CHECK(!strcmp(ended(digit_at("3", 0.9, "s", 0), 1, 1), "2"), "so does the next line");
    CHECK(!strcmp(ended(digit_at("5", 0.9, "t", 0), 1, 1), "3"), "and another source");
    CHECK(!strcmp(ended(digit_at("6", 0.9, "t", 0), -1, -1), "5"), "a digit that stands");
    CHECK(!strcmp(ended(digit_at("-", 0, "t", 0), -1, -1), "6"), "alone is alone");
    done = words_end(&w);
    CHECK(done && !answer_given(&done->answer) && done->answer.box[2] == 8, "a word of nothing");
    CHECK(!words_end(&w), "ended is ended");
}

static void test_limits(void)
{
    w = (struct words){.threshold = 0.8};
    ended(digit_at("1", 0.85, "s", 0), 0, 0);
    ended(digit_at("1", 0.85, "s", 9), 0, 0);
    const struct word *done = words_end(&w);
    CHECK(done && !answer_given(&done->answer) && done->places == 2, "the number is under the threshold");
    int ends = 0;
    for (int i = 0; i < ANSWER_DIGITS; i++)
        ends += !!*ended(digit_at("1", 1, "s", 0), 0, 0);
    done = words_end(&w);
    CHECK(ends == 1 && strlen(done->answer.digit) == 1, "the longest number is cut");
    w = (struct words){0};
    for (int i = 0; i < 3 * ANSWER_DIGITS; i++)
        add(digit_at("an-answer-of-thirty-two-bytes-at-", 1, "s", 0), 0, 0, MARK_DIGIT);
    CHECK(strlen(words_end(&w)->answer.digit) < ANSWER_DIGITS, "so is one of long labels");
}

/* A row of this text: digits of probability 0.9, signs and others as they are marked, _ nothing. */
static const struct word *row(const char *text)
{
    for (int x = 0; *text; text++, x += 10) {
        bool digit = *text >= '0' && *text <= '9';
        char label[2] = {digit ? *text : '-'};
        add(digit_at(label, 0.9, "s", x), 0, 0, digit ? MARK_DIGIT : *text == '_' ? MARK_BLANK : *text);
    }
    return words_end(&w);
}

static void test_signs(void)
{
    static const struct {
        const char *row, *number, *digits;
    } rows[] = {
        {"3.14", "3.14", "314"},
        {"12,50", "12,50", "1250"},
        {"-5", "-5", "5"},
        {"12/03/2024", "12/03/2024", "12032024"},
        {"17:45", "17:45", "1745"},
        {"12+3=", "12+3=", "123"},
        {".5", ".5", "5"},
        {"5,-", "5,-", "5"},
        {"26?47", "26?47", "26?47"},
        {"2_6", "26", "26"},
        {"?1", "?1", "?1"},
        {"12.", "12", "12"},
        {"12:", "12", "12"},
        {"1,_", "1", "1"},
        {"-", "-", "-"},
        {".", "-", "-"},
        {"+-", "-", "-"},
        {"????", "-", "-"},
        {"?:", "-", "-"},
        {"_", "-", "-"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        w = (struct words){0};
        const struct word *done = row(rows[i].row);
        CHECK(!strcmp(done->answer.digit, rows[i].number), "%s: %s", rows[i].row, done->answer.digit);
        CHECK(answer_given(&done->answer) == (done->answer.probability >= 0), "a probability if there is a number");
        w.digits_only = true;
        done = row(rows[i].row);
        CHECK(!strcmp(done->answer.digit, rows[i].digits), "%s, digits only: %s", rows[i].row, done->answer.digit);
    }
}

static void test_probability(void)
{
    w = (struct words){0};
    CHECK(row("26?47")->answer.probability < 0.1, "an unread place is never passed over");
    double digits = row("314")->answer.probability, number = row("3.14")->answer.probability;
    CHECK(number < digits && number > 0.8 * digits, "a sign counts: %f, %f", number, digits);
    CHECK(row("314.")->answer.probability == digits, "but at the end, where it is left out");
    CHECK(row("314.")->answer.box[2] == 28, "and in no box");
    w.digits_only = true;
    CHECK(row("3.14")->answer.probability == number, "it counts when it is not written, too");
}

static void test_marks(void)
{
    CHECK(mark_of_facts(NULL, NULL) == MARK_DIGIT && mark_of_facts(NULL, ".") == MARK_DIGIT, "no mark");
    CHECK(mark_of_facts("sign", "/") == '/' && mark_of_facts("other", NULL) == MARK_OTHER, "marks");
    CHECK(mark_of_facts("sign", NULL) == MARK_OTHER && mark_of_facts("sign", "") == MARK_OTHER &&
              mark_of_facts("sign", "7") == MARK_OTHER && mark_of_facts("sign", "--") == MARK_OTHER &&
              mark_of_facts("other", ".") == MARK_OTHER && mark_of_facts("", "") == MARK_OTHER,
          "what is no sign is other writing");
    static const struct {
        const char *label;
        char mark;
        bool stands;
    } answers[] = {
        {"7", MARK_DIGIT, true}, {"A", MARK_DIGIT, true},     {"7", MARK_OTHER, false},
        {"7", '/', false},       {"A", MARK_OTHER, true},     {"A", '/', false},
        {"plus", '/', true},     {"plus", MARK_OTHER, false},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct answer a = digit_at(answers[i].label, 0.9, "s", 0);
        answer_heed_mark(&a, answers[i].mark);
        CHECK(answer_given(&a) == answers[i].stands && (a.probability >= 0) == answers[i].stands,
              "%s, marked %c", answers[i].label, answers[i].mark);
    }
    w = (struct words){0};
    add(digit_at("7", 0.9, "s", 0), 0, 0, MARK_DIGIT);
    add(digit_at("plus", 0.9, "s", 9), 0, 0, '/');
    add(digit_at("X", 0.9, "s", 18), 0, 0, MARK_OTHER);
    CHECK(!strcmp(words_end(&w)->answer.digit, "7+X"), "a class that is a sign is written as one");
    add(digit_at("-", 0, "s", 0), 0, 0, MARK_DIGIT);
    add(digit_at("7", 0.9, "s", 9), 0, 0, MARK_DIGIT);
    CHECK(!strcmp(words_end(&w)->answer.digit, "?7"), "what the model refuses is unread");
}

static void test_json(void)
{
    w = (struct words){0};
    struct answer a = digit_at("-", 0, "s", 0), again;
    for (int i = 0; i < 20; i++)
        a.candidate[i] = (struct answer_candidate){{(char)('a' + i)}, i == 3 ? 0.5 : 0.01};
    a.candidates = 20;
    add(digit_at("3", 0.5, "s", 0), 0, 0, MARK_DIGIT);
    add(digit_at("-", 0, "s", 9), 0, 0, '-');
    add(a, 0, 0, MARK_DIGIT);
    const struct word *word = words_end(&w);
    word_json(word, line);
    CHECK(strstr(line, "\"digit\":\"3-?\""), "the number: %s", line);
    CHECK(strstr(line, "\"probabilities\":null,\"places\":[{\"digit\":\"3\",\"probability\":0.500000,"
                       "\"box\":[0,10,8,12],\"probabilities\":null},{\"digit\":\"-\",\"probability\":0.9"),
          "its places: %s", line);
    CHECK(strstr(line, "{\"digit\":\"?\",\"probability\":null,\"box\":[0,10,8,12],\"probabilities\":"
                       "{\"d\":0.500000,\"a\":0.010000,"),
          "the most probable candidate first: %s", line);
    CHECK(word->place[2].candidates == PLACE_MAX_CANDIDATES, "and not too many of them");
    CHECK(!answer_parse(line, &again, NULL) && !strcmp(again.digit, "3-?"), "it is read as an answer");
    struct answer_candidate longest = {"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"", 1};
    for (int i = 0; i < ANSWER_MAX_CANDIDATES; i++)
        a.candidate[i] = longest;
    a.candidates = ANSWER_MAX_CANDIDATES;
    for (int i = 0; i < ANSWER_DIGITS - 1; i++)
        add(a, 0, 0, MARK_DIGIT);
    word = words_end(&w);
    CHECK(word->places == ANSWER_DIGITS - 1 && word_json(word, line) < WORD_LINE - 1, "the longest fits");
}

int main(void)
{
    test_ends();
    test_limits();
    test_signs();
    test_probability();
    test_marks();
    test_json();
    return check_done();
}
