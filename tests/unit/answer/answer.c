#include "answer/answer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../check.h"

static char digits[11][LABEL_SIZE] = {"0", "1", "2", "3", "4", "5",
                                              "6", "7", "8", "9", "none"};
static char line[ANSWER_LINE];

/* An answer where class `best` of n has probability p and the others share the rest. */
static struct answer decided(int best, double p, int n, double threshold)
{
    double all[11];
    for (int i = 0; i < n; i++)
        all[i] = i == best ? p : (1 - p) / (n - 1);
    struct answer a;
    answer_clear(&a);
    answer_decide(&a, digits, n, n == 11 ? 10 : -1, all, threshold);
    return a;
}

static void test_decide(void)
{
    struct answer a = decided(7, 0.91, 10, 0);
    CHECK(!strcmp(a.digit, "7") && a.probability == 0.91, "the most probable class");
    CHECK(a.candidates == 10 && fabs(answer_probability(&a, "3") - 0.01) < 1e-12, "all classes");
    CHECK(answer_probability(&a, "none") == 0, "a class the model does not have");
    CHECK(!answer_given(&(struct answer){.digit = "-"}) && answer_given(&a), "given or not");
    a = decided(7, 0.91, 10, 0.92);
    CHECK(!answer_given(&a) && a.probability < 0, "under the threshold");
    CHECK(answer_probability(&a, "7") == 0.91, "the candidates are still there");
    a = decided(7, 0.91, 10, 0.91);
    CHECK(answer_given(&a), "at the threshold");
    a = decided(10, 0.8, 11, 0);
    CHECK(!answer_given(&a), "the reject class wins");
    double bad[3] = {0.1, NAN, 0.9};
    answer_decide(&a, digits, 3, -1, bad, 0);
    CHECK(!answer_given(&a) && a.candidates == 0, "not a number");
}

static void test_text(void)
{
    struct answer a = decided(7, 0.998, 11, 0);
    a.candidate[3].probability = 0.0015;
    a.candidate[1].probability = 0.0005;
    strcpy(a.source, "a%20b.jpg");
    a.frame = 12;
    size_t len = answer_text(&a, 0, line);
    CHECK(!strcmp(line, "7\t0.998\ta%20b.jpg\t12\t-\n"), "text: %s", line);
    CHECK(len == strlen(line), "its length");
    answer_parse_box("1,2,30,40", a.box);
    answer_text(&a, 2, line);
    CHECK(!strcmp(line, "7\t0.998\ta%20b.jpg\t12\t1,2,30,40\t3:0.002\t1:0.001\n"), "-k 2: %s", line);
    answer_text(&a, 99, line);
    CHECK(!strstr(line, "none") && strstr(line, "\t0:") && strstr(line, "\t9:"), "every digit once");
    a = decided(4, 0.5, 10, 0.9);
    answer_text(&a, 1, line);
    CHECK(!strcmp(line, "-\t-\t-\t-\t-\t4:0.500\n"), "refused, with its best: %s", line);
}

static void test_source(void)
{
    struct answer a;
    char longest[2 * ANSWER_SOURCE];
    answer_set_source(&a, "a%20b\t\33[2J\xc3\xa9");
    CHECK(!strcmp(a.source, "a%20b%09%1B[2J%C3%A9"), "source: %s", a.source);
    answer_set_source(&a, "");
    CHECK(!strcmp(a.source, "-"), "no source");
    memset(longest, '\t', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    answer_set_source(&a, longest);
    CHECK(strlen(a.source) == (ANSWER_SOURCE - 1) / 3 * 3, "a long one is cut: %zu", strlen(a.source));
}

static void test_json(void)
{
    double p[3] = {0.125, 0.625, 0.25};
    struct answer a;
    answer_clear(&a);
    answer_json(&a, line);
    CHECK(!strcmp(line, "{\"digit\":null,\"probability\":null,\"source\":null,\"frame\":null,"
                        "\"box\":null,\"label\":null,\"probabilities\":null}\n"), "nothing");
    answer_decide(&a, digits, 3, -1, p, 0);
    strcpy(a.source, "q\"\\.pgm");
    strcpy(a.label, "2");
    a.frame = 0;
    answer_parse_box("0,1,2,3", a.box);
    answer_json(&a, line);
    CHECK(!strcmp(line, "{\"digit\":\"1\",\"probability\":0.625000,\"source\":\"q\\\"\\\\.pgm\","
                        "\"frame\":0,\"box\":[0,1,2,3],\"label\":\"2\",\"probabilities\":{"
                        "\"0\":0.125000,\"1\":0.625000,\"2\":0.250000}}\n"), "all: %s", line);
}

static bool same(const struct answer *a, const struct answer *b, double tolerance)
{
    if (strcmp(a->digit, b->digit) || strcmp(a->source, b->source) || a->frame != b->frame ||
        memcmp(a->box, b->box, sizeof a->box) || fabs(a->probability - b->probability) > tolerance)
        return false;
    for (int i = 0; i < 10; i++) {
        double p = answer_probability(a, digits[i]), q = answer_probability(b, digits[i]);
        if (fabs(p - q) > tolerance)
            return false;
    }
    return true;
}

static void test_round_trip(void)
{
    struct answer a = decided(6, 0.75, 11, 0), b;
    strcpy(a.source, "tab%09\"\\");
    a.frame = 123456789012;
    answer_parse_box("5,6,7,8", a.box);
    answer_text(&a, 9, line);
    CHECK(!answer_parse(line, &b, NULL) && same(&a, &b, 0.0005), "text with ten probabilities");
    answer_json(&a, line);
    CHECK(!answer_parse(line, &b, NULL) && same(&a, &b, 0.0000005), "JSON");
    answer_clear(&a);
    answer_text(&a, 0, line);
    CHECK(!answer_parse(line, &b, NULL) && same(&a, &b, 0), "text that says nothing");
    answer_json(&a, line);
    CHECK(!answer_parse(line, &b, NULL) && same(&a, &b, 0), "JSON that says nothing");
    memset(a.source, '"', ANSWER_SOURCE - 1);
    a.source[ANSWER_SOURCE - 1] = '\0';
    a.candidates = ANSWER_MAX_CANDIDATES;
    for (int i = 0; i < a.candidates; i++)
        a.candidate[i] = (struct answer_candidate){"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"", 0.5};
    CHECK(answer_json(&a, line) < ANSWER_LINE - 1, "the longest line fits");
    CHECK(!answer_parse(line, &b, NULL) && b.candidates == a.candidates, "and is read back");
}

static void test_parse(void)
{
    static const char *const good[] = {
        "7", "7\n", "-\t-\n", "7\t0.9\tx\t3", "42\t0.81\tsheet.jpg\t0\t3,4,5,6\n",
        "{}", "{ \"digit\" : \"7\" } ",
        "{\"frame\":3,\"more\":[1,{\"a\":\"}\\\"\"}],\"digit\":\"7\"}",
    };
    static const char *const bad[] = {
        "", "\n", "\t0.5", "7\t1.5", "7\tnan", "7\t0.5x", "7\t0.5\t\t0", "7\t0.5\tx\t-1",
        "7\t0.5\tx\t99999999999999999999", "7\t0.5\tx\t0\t1,2,3", "7\t0.5\tx\t0\t1,2,0,3",
        "7\t0.5\tx\t0\t1,2,3,99999", "7\t0.5\tx\t0\t-\t3", "7\t0.5\tx\t0\t-\t:0.5", "7\t0.5\tx\t0\t-\t-:0.5",
        "\33[2J\t0.5", "7\t0.5\tx\33", "{", "{\"digit\"}", "{\"digit\":7}", "{\"digit\":\"7\"} x",
        "{\"digit\":\"7\",}", "{\"probability\":2}", "{\"box\":[1,2,3]}", "{\"box\":[1,2,3,4,5]}",
        "{\"probabilities\":{\"1\":0.5", "{\"source\":\"a\\n\"}", "{\"more\":[}", "{\"more\":\"",
        "{\"digit\":\"\"}",
    };
    struct answer a;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(!answer_parse(good[i], &a, NULL), "reads %zu", i);
    CHECK(!strcmp(a.digit, "7") && a.frame == 3, "keys in another order, and unknown ones");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = ERR_NONE;
        CHECK(answer_parse(bad[i], &a, &e) == -1 && !strncmp(e.what, "not an answer: ", 15),
              "refuses %zu: %s", i, e.what);
    }
}

static void test_steady(void)
{
    struct steady s = {.hold = 1, .passed = "-"};
    struct answer seven = {.digit = "7", .source = "cam"}, one = {.digit = "1", .source = "cam"};
    struct answer none = {.digit = "-", .source = "cam"}, other = {.digit = "7", .source = "b"};
    CHECK(!steady_pass(&s, &none, 0) && !steady_pass(&s, &none, 5), "nothing at first is no news");
    CHECK(!steady_pass(&s, &seven, 6) && !steady_pass(&s, &seven, 6.9), "not yet");
    CHECK(steady_pass(&s, &seven, 7), "it has held");
    CHECK(!steady_pass(&s, &seven, 8), "once only");
    CHECK(!steady_pass(&s, &one, 8.1) && !steady_pass(&s, &seven, 8.2), "a flicker");
    CHECK(!steady_pass(&s, &seven, 9.9), "is not a change");
    CHECK(!steady_pass(&s, &none, 10) && steady_pass(&s, &none, 11), "gone");
    CHECK(!steady_pass(&s, &seven, 12) && steady_pass(&s, &seven, 13), "and back");
    CHECK(!steady_pass(&s, &one, 14) && !steady_pass(&s, &one, 2) && steady_pass(&s, &one, 3),
          "time that runs backwards starts anew");
    CHECK(!steady_pass(&s, &other, 100) && steady_pass(&s, &other, 101), "so does another source");
}

int main(void)
{
    test_decide();
    test_text();
    test_source();
    test_json();
    test_round_trip();
    test_parse();
    test_steady();
    return check_done();
}
