/* Answers and the frames they are about. */
#include <math.h>
#include <string.h>

#include "../check.h"
#include "window/window.h"

static struct answer said(const char *digit, double probability, const char *source,
                          long long frame)
{
    struct answer a;
    memset(&a, 0, sizeof a);
    answer_clear(&a);
    strcpy(a.digit, digit);
    strcpy(a.source, source);
    a.probability = probability;
    a.frame = frame;
    return a;
}

static bool hear(struct match *m, const char *digit, const char *source, long long frame,
                 double now)
{
    struct answer a = said(digit, 0.9, source, frame);
    return match_answer(m, &a, now);
}

static struct match fresh(double hold)
{
    struct match m;
    memset(&m, 0, sizeof m);
    m.steady.hold = hold;
    m.lag = -1;
    return m;
}

static void test_newest_only(void)
{
    struct match m = fresh(0);
    CHECK(!hear(&m, "7", "a", 0, 0), "an answer before any frame");
    match_send(&m, "a", 0, 0, 0);
    match_send(&m, "a", 1, 0.033, 0.033);
    CHECK(!hear(&m, "7", "a", 0, 0.05) && m.boxes == 0, "a late one is not drawn");
    CHECK(fabs(m.lag - 0.05) < 1e-9, "but how late it was is known");
    CHECK(hear(&m, "3", "a", 1, 0.05) && m.boxes == 1, "one for the newest is");
    CHECK(!hear(&m, "3", "b", 1, 0.05), "the number of another source is another frame");
    CHECK(!hear(&m, "3", "a", 99, 0.05), "a frame that was never sent");
    CHECK(hear(&m, "4", "-", 1, 0.05), "a source may be missing");
    CHECK(hear(&m, "5", "a", -1, 0.05), "and the number too: then it is the newest");
    CHECK(m.boxes == 3 && strcmp(m.box[2].digit, "5") == 0, "several answers to one frame");
    match_send(&m, "a", 2, 0.066, 0.066);
    CHECK(m.boxes == 0, "the next frame has none yet");
}

static void test_forgetting(void)
{
    struct match m = fresh(0);
    for (int i = 0; i < 3 * MATCH_MAX_FRAMES; i++)
        match_send(&m, "a", i, i, i);
    CHECK(!hear(&m, "1", "a", 2 * MATCH_MAX_FRAMES - 1, 1000) && m.lag < 0, "too far back");
    CHECK(!hear(&m, "1", "a", 2 * MATCH_MAX_FRAMES, 1000) && m.lag > 0, "the last remembered");
    CHECK(hear(&m, "1", "a", 3 * MATCH_MAX_FRAMES - 1, 1000), "the newest");
    match_forget(&m);
    CHECK(!m.settled && m.boxes == 0 && m.lag < 0, "forgotten");
    CHECK(!hear(&m, "1", "a", 3 * MATCH_MAX_FRAMES - 1, 1000), "all of it");
    match_send(&m, "a", 0, 0, 0);
    for (int i = 0; i < 2 * MATCH_MAX_BOXES; i++)
        hear(&m, "8", "a", 0, 0);
    CHECK(m.boxes == MATCH_MAX_BOXES, "more answers than there is room for");
}

static void test_steady(void)
{
    struct match m = fresh(0.25);
    match_send(&m, "a", 0, 0, 0);
    hear(&m, "7", "a", 0, 0);
    CHECK(m.settled && strcmp(m.steadied.digit, "7") == 0, "the first answer stands at once");
    int changes = 0;
    for (int i = 1; i < 60; i++) {
        match_send(&m, "a", i, i / 30.0, i / 30.0);
        hear(&m, i % 5 ? "7" : "1", "a", i, i / 30.0);
        changes += strcmp(m.steadied.digit, "7") != 0;
    }
    CHECK(changes == 0, "one frame in five otherwise changes nothing");
    int when = 0;
    for (int i = 60; i < 90 && !when; i++) {
        match_send(&m, "a", i, i / 30.0, i / 30.0);
        hear(&m, "1", "a", i, i / 30.0);
        when = strcmp(m.steadied.digit, "1") == 0 ? i - 60 : 0;
    }
    CHECK(when == 8, "another digit shows after a quarter of a second (%d frames)", when);
    match_send(&m, "b", 0, 0, 4);
    hear(&m, "4", "b", 0, 4);
    CHECK(strcmp(m.steadied.digit, "4") == 0, "another source begins anew");
}

int main(void)
{
    test_newest_only();
    test_forgetting();
    test_steady();
    return check_done();
}
