/* A command beside a window: slow, silent, dying, deaf, talkative. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "../check.h"
#include "window/window.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The descriptor to read from (0) or to write to (1); -1: none. */
static int fd_of(const struct window_child *c, int which)
{
    struct pollfd p[2];
    child_poll(c, p);
    return p[which].fd;
}

static void work(struct window_child *c)
{
    struct pollfd p[2];
    child_poll(c, p);
    poll(p, 2, 20);
    child_work(c);
}

/* The next line, waited for at most ten seconds; "(none)". */
static const char *line(struct window_child *c)
{
    const char *text;
    double end = now() + 10;
    while (!(text = child_line(c)) && now() < end)
        work(c);
    return text ? text : "(none)";
}

static void until_dead(struct window_child *c)
{
    double end = now() + 10;
    while (child_is_running(c) && now() < end)
        work(c);
}

static struct frame make_frame(int side, int value)
{
    struct frame f = {0};
    frame_resize(&f, side, side, NULL);
    memset(f.gray, value, (size_t)side * side);
    return f;
}

static void test_echo(void)
{
    struct frame f = make_frame(4, 65);
    struct window_child *c = child_new("head -c 27 | tr -c '[:print:]' '.'; echo; echo two; echo -n three",
                                       NULL);
    CHECK(!child_is_running(c) && fd_of(c, 0) == -1, "nothing runs before the first frame");
    CHECK(child_send(c, &f, NULL) == 0, "send");
    CHECK(strncmp(line(c), "P5.4 4.255.AAAA", 15) == 0, "the frame arrives");
    CHECK(strcmp(line(c), "two") == 0, "lines come one by one");
    CHECK(strcmp(line(c), "three") == 0, "a last line needs no newline");
    until_dead(c);
    CHECK(strcmp(child_end(c), "ended with status 0") == 0, "its end is known: %s", child_end(c));
    CHECK(child_send(c, &f, NULL) == 0 && child_is_running(c) && !*child_end(c),
          "the next frame starts it again");
    CHECK(strncmp(line(c), "P5.4 4.255.AAAA", 15) == 0, "and it works as before");
    child_free(c);
    frame_free(&f);
}

static void test_deaths(void)
{
    struct frame f = make_frame(300, 0);
    struct window_child *c = child_new("exec 2>/dev/null; no-such-program", NULL);
    child_send(c, &f, NULL);
    until_dead(c);
    CHECK(strcmp(child_end(c), "ended with status 127") == 0, "no such program: %s", child_end(c));
    child_free(c);
    c = child_new("kill -KILL $$", NULL);
    child_send(c, &f, NULL);
    until_dead(c);
    CHECK(strstr(child_end(c), "signal 9"), "killed: %s", child_end(c));
    child_free(c);
    frame_free(&f);
}

static void test_never_waits(void)
{
    struct frame f = make_frame(280, 7);
    struct window_child *c = child_new("sleep 100", NULL);
    double start = now();
    for (int i = 0; i < 200; i++)
        child_send(c, &f, NULL);
    CHECK(now() - start < 2, "a deaf command: 200 frames in %.2f s", now() - start);
    CHECK(fd_of(c, 1) >= 0, "it takes none of them whole");
    start = now();
    child_free(c);
    CHECK(now() - start < 3, "and it is ended in %.2f s", now() - start);
    frame_free(&f);
}

static void test_newest_wins(void)
{
    struct frame f = make_frame(280, 0);
    struct window_child *c = child_new("sleep 0.3; head -c 78415 >/dev/null; head -c 78415 | tail -c 1; "
                                       "echo; cat >/dev/null",
                                       NULL);
    for (int i = 0; i < 50; i++) {
        memset(f.gray, 'A' + i % 26, 280 * 280);
        child_send(c, &f, NULL);
    }
    CHECK(strcmp(line(c), "X") == 0, "of 50 frames the first and the newest (X) go through");
    double end = now() + 10;
    while (fd_of(c, 1) >= 0 && now() < end)
        work(c);
    CHECK(fd_of(c, 1) == -1, "and none waits");
    child_free(c);
    frame_free(&f);
}

static void test_closed_input(void)
{
    struct frame f = make_frame(280, 0);
    struct window_child *c = child_new("exec <&-; echo deaf; sleep 100", NULL);
    child_send(c, &f, NULL);
    CHECK(strcmp(line(c), "deaf") == 0, "a command that closed its input");
    for (int i = 0; i < 10; i++)
        work(c);
    CHECK(child_send(c, &f, NULL) == 0, "is replaced without a signal or an error");
    CHECK(strcmp(line(c), "deaf") == 0, "by a new one");
    child_free(c);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1, "and leaves no zombie");
    frame_free(&f);
}

static void test_long_line(void)
{
    struct frame f = make_frame(4, 0);
    struct window_child *c = child_new("head -c 100000 /dev/zero | tr '\\0' x; echo; echo end", NULL);
    child_send(c, &f, NULL);
    size_t first = strlen(line(c)), second = strlen(line(c));
    CHECK(first == CHILD_MAX_LINE - 1 && first + second == 100000, "a long line comes in pieces");
    CHECK(strcmp(line(c), "end") == 0, "and the next is whole");
    child_free(c);
    frame_free(&f);
}

static void test_signals(void)
{
    struct frame f = make_frame(4, 0);
    struct window_child *c = child_new("kill -PIPE $$; echo survived", NULL);
    child_send(c, &f, NULL);
    until_dead(c);
    CHECK(strstr(child_end(c), "signal 13"), "SIGPIPE is the default in the command");
    child_free(c);
    frame_free(&f);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    test_echo();
    test_deaths();
    test_never_waits();
    test_newest_wins();
    test_closed_input();
    test_long_line();
    test_signals();
    return check_done();
}
