#include "answer/answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"

#define NONE 10 /* the class of frames without a digit, behind ten digits */

static struct evaluation of_digits(void)
{
    struct evaluation v;
    CHECK(!evaluation_init(&v, "0 1 2 3 4 5 6 7 8 9", NULL), "ten digits");
    return v;
}

/* The report, to be freed. */
static char *evaluation_text(const struct evaluation *v)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    if (!to)
        exit(1);
    evaluation_write(v, to);
    fclose(to);
    return text;
}

/* Whether the report has this line. */
static bool reports(const struct evaluation *v, const char *line)
{
    char *text = evaluation_text(v);
    bool there = text && strstr(text, line);
    free(text);
    return there;
}

static void test_counts(void)
{
    struct evaluation v = of_digits();
    CHECK(reports(&v, " 0 of 0 right") && evaluation_calibration_error(&v) == 0, "nothing yet");
    evaluation_add(&v, 3, 3, 0.9);
    evaluation_add(&v, 3, 5, 0.4);
    evaluation_add(&v, 0, NONE, 0);
    CHECK(reports(&v, ": 1 of 3 right, 1 wrong, 1 refused\n"), "three frames");
    evaluation_add(&v, NONE, NONE, 0);
    evaluation_add(&v, NONE, 8, 0.5);
    CHECK(reports(&v, ": 2 of 5 right, 2 wrong, 1 refused\n"), "no digit and none: right");
    CHECK(reports(&v, ": 1 of 2 frames without one\n"), "one false digit");
    CHECK(v.count[3 * 11 + 5] == 1 && v.count[5 * 11 + 3] == 0, "truth is the row");
    CHECK(evaluation_class(&v, "3") == 3 && evaluation_class(&v, "none") == NONE &&
              evaluation_class(&v, "-") == NONE && evaluation_class(&v, "33") < 0,
          "classes by their names");
    evaluation_free(&v);
}

/* 10 answers at 0.8, 7 of them right; 10 at 0.3, all right: the error is
 * (10 |0.7 - 0.8| + 10 |1 - 0.3|) / 20 = 0.4. */
static void test_calibration_error(void)
{
    struct evaluation v = of_digits();
    for (int i = 0; i < 10; i++) {
        evaluation_add(&v, 1, i < 7 ? 1 : 2, 0.8);
        evaluation_add(&v, 1, 1, 0.3);
    }
    CHECK(fabs(evaluation_calibration_error(&v) - 0.4) < 1e-12, "expected calibration error");
    evaluation_add(&v, 1, NONE, 0.99);
    CHECK(fabs(evaluation_calibration_error(&v) - 0.4) < 1e-12, "refused frames do not count");
    evaluation_free(&v);
}

static void test_bins(void)
{
    struct evaluation v = of_digits();
    evaluation_add(&v, 1, 1, 0);
    evaluation_add(&v, 1, 1, 0.05);
    evaluation_add(&v, 1, 1, 0.0501);
    evaluation_add(&v, 1, 1, 1);
    CHECK(v.given[0] == 2 && v.given[1] == 1, "a bin ends at its upper edge");
    CHECK(v.given[EVALUATE_BINS - 1] == 1, "1 is in the last bin");
    evaluation_free(&v);
}

static void test_text(void)
{
    struct evaluation v = of_digits();
    evaluation_add(&v, 4, 9, 0.97);
    evaluation_add(&v, 4, 4, 0.99);
    char *text = evaluation_text(&v);
    if (!text)
        exit(1);
    CHECK(strstr(text, "accuracy 50.00 %: 1 of 2 right, 1 wrong, 0 refused\n"), "accuracy");
    CHECK(strstr(text, "expected calibration error 48.00 %\n"), "calibration error");
    CHECK(strstr(text, "\n    4     0     0     0     0     1     0     0     0     0"
                       "     1     0    50.00\n"), "confusion row");
    CHECK(strstr(text, "\n 0.95-1.00         2    98.00    50.00\n"), "reliability row");
    CHECK(!strstr(text, "none") && !strstr(text, "false"), "no word of frames without a digit");
    evaluation_add(&v, NONE, 7, 0.9);
    for (int i = 0; i < 3; i++)
        evaluation_add(&v, NONE, NONE, 0);
    free(text);
    text = evaluation_text(&v);
    if (!text)
        exit(1);
    CHECK(strstr(text, "accuracy 66.67 %: 4 of 6 right, 2 wrong, 0 refused\n"), "accuracy of all");
    CHECK(strstr(text, "\nfalse digits 25.00 %: 1 of 4 frames without one\n"), "false digits");
    CHECK(strstr(text, "\n none     0     0     0     0     0     0     0     1     0     0"
                       "     3    75.00\n"), "row of frames without a digit");
    free(text);
    evaluation_free(&v);
}

/* Of letters, a line a class: what it was mistaken for, the most frequent first. */
static void test_classes(void)
{
    struct evaluation v;
    CHECK(!evaluation_init(&v, "A B C D plus F", NULL), "six classes");
    static const int answers[] = {0, 0, 0, 1, 4, 4, 5, 6, 2, 3, 3};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        evaluation_add(&v, 0, answers[i], 0.9);
    char *text = evaluation_text(&v);
    CHECK(text && strstr(text, "\nA                 11       3    27.27  D 2, plus 2, B 1, C 1\n"),
          "a class: %s", text ? text : "");
    CHECK(text && strstr(text, "\nplus               0       0     0.00\n"), "one without frames");
    CHECK(text && !strstr(text, "none"), "no word of frames without a digit");
    free(text);
    evaluation_free(&v);
}

/* A model of these classes, of which number `reject` is none. */
static struct evaluation of_model(const char *labels, int reject)
{
    static struct model m; /* large */
    struct evaluation v;
    labels_free(&m.labels);
    CHECK(!labels_list(&m.labels, labels, NULL), "labels");
    m.classes = m.labels.count;
    m.reject = reject;
    CHECK(!evaluation_of_model(&v, &m, NULL), "the classes of a model");
    return v;
}

static void test_of_model(void)
{
    struct evaluation v = of_model("none 7 2", 0);
    CHECK(v.digits && v.classes == 10 && evaluation_class(&v, "0") == 0, "of a model of digits all ten");
    evaluation_free(&v);
    v = of_model("A none 7 plus", 1);
    CHECK(!v.digits && v.classes == 3 && evaluation_class(&v, "7") == 1 && evaluation_class(&v, "plus") == 2 &&
              evaluation_class(&v, "none") == 3,
          "none has its own place");
    struct err e = ERR_NONE;
    CHECK(!evaluation_check(&v, 1, "A", &e) && !evaluation_check(&v, 1, "none", &e), "labels that may be");
    CHECK(evaluation_check(&v, 1, "B", &e) && !strcmp(e.what, "the label 'B' is no class of the model"), "%s", e.what);
    e = (struct err)ERR_NONE;
    CHECK(evaluation_check(&v, 0, "", &e) && !strncmp(e.what, "no label", 8), "%s", e.what);
    CHECK(evaluation_check(&v, -1, "A", &e), "a label that was cut is none");
    evaluation_free(&v);
}

int main(void)
{
    test_counts();
    test_calibration_error();
    test_bins();
    test_text();
    test_classes();
    test_of_model();
    return check_done();
}
