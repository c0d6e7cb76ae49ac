/* Frames read ahead by a thread, and frames written without waiting. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "stream/stream.h"

static char path[] = "/tmp/inkpipe-feed-XXXXXX";

static struct frame make_frame(int side, int value)
{
    struct frame f = {0};
    frame_resize(&f, side, side, NULL);
    memset(f.gray, value, (size_t)side * side);
    return f;
}

static void write_file(int frames, const char *tail)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    for (int i = 0; i < frames; i++) {
        struct frame f = make_frame(30, i);
        frame_write(fd, &f, NULL);
        frame_free(&f);
    }
    if (write(fd, tail, strlen(tail)) < 0)
        abort();
    close(fd);
}

/* Wait until there is something, and take it. */
static enum stream_result take(struct stream_feed *f, struct stream_item *item, struct err *e)
{
    struct pollfd p = {feed_fd(f), POLLIN, 0};
    poll(&p, 1, 10000);
    return feed_take(f, item, e);
}

static void test_files(void)
{
    struct err e = ERR_NONE;
    struct stream_item item = {0};
    char missing[] = "/nowhere/at/all";
    char *names[] = {path, missing, path};
    write_file(100, "");
    struct stream_feed *f = feed_new(names, 3, -1, &e);
    int right = 0;
    for (int i = 0; i < 100; i++)
        right += take(f, &item, &e) == FEED_FRAME && item.number == i && item.frame.gray[0] == i;
    CHECK(right == 100, "every frame, in order, with its number (%d of 100)", right);
    CHECK(strcmp(item.source, path) == 0, "and its source");
    CHECK(take(f, &item, &e) == FEED_ERROR && strstr(e.file, missing), "a missing file is told");
    for (int i = right = 0; i < 100; i++)
        right += take(f, &item, &e) == FEED_FRAME && item.number == i;
    CHECK(right == 100, "and the next one is read");
    CHECK(take(f, &item, &e) == FEED_END && take(f, &item, &e) == FEED_END, "to the end");
    feed_free(f);
    write_file(1, "P5\n30 30\n255\n...");
    f = feed_new(names, 1, -1, &e);
    CHECK(take(f, &item, &e) == FEED_FRAME && take(f, &item, &e) == FEED_ERROR && e.frame == 1,
          "a frame cut short is told");
    feed_free(f);
    frame_free(&item.frame);
}

static void test_stopping(void)
{
    struct err e = ERR_NONE;
    struct stream_item item = {0};
    int ends[2];
    char name[32];
    char *names[] = {name};
    if (pipe(ends) < 0)
        abort();
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    struct stream_feed *f = feed_new(names, 1, -1, &e);
    CHECK(feed_take(f, &item, &e) == FEED_NOTHING, "nothing yet, and no waiting");
    if (write(ends[1], "P5\n30 ", 6) != 6)
        abort();
    CHECK(feed_take(f, &item, &e) == FEED_NOTHING, "nor for half a header");
    feed_free(f);
    CHECK(1, "a writer that stops in the middle does not stop the reader's end");
    write_file(5, "");
    names[0] = path;
    f = feed_new(names, 1, -1, &e);
    struct pollfd p = {feed_fd(f), POLLIN, 0};
    poll(&p, 1, 10000);
    feed_free(f);
    CHECK(1, "frames that nobody takes neither");
    close(ends[0]);
    close(ends[1]);
}

/* A source of 200 frames, then of an error, then of nothing. */
static int count_up(void *from, struct stream_item *item, struct err *e)
{
    int *n = from;
    if (++*n > 200)
        return *n == 201 ? err_set(e, "unplugged") : 0;
    frame_resize(&item->frame, 30, 30, NULL);
    item->time = *n;
    item->frame.gray[0] = (uint8_t)*n;
    return 1;
}

/* One that waits for ever, as a camera without light. */
static int wait_for_ever(void *from, struct stream_item *item, struct err *e)
{
    (void)from, (void)item, (void)e;
    return poll(NULL, 0, -1);
}

static void test_newest(void)
{
    struct err e = ERR_NONE;
    struct stream_item item = {0};
    int n = 0, taken = 0, right = 0;
    double last = 0;
    struct stream_feed *f = feed_newest(count_up, &n, &e);
    enum stream_result got;
    while ((got = take(f, &item, &e)) == FEED_FRAME) {
        right += item.time > last && item.frame.gray[0] == (uint8_t)item.time;
        last = item.time;
        taken++;
        poll(NULL, 0, 50);
    }
    CHECK(taken < 200 && right == taken, "a slow taker gets some frames, each newer (%d)", taken);
    CHECK(last == 200, "and the last one, which stays until it is taken (%g)", last);
    CHECK(got == FEED_ERROR && !strcmp(e.what, "unplugged"), "then what went wrong");
    CHECK(take(f, &item, &e) == FEED_END, "then the end");
    feed_free(f);
    f = feed_newest(wait_for_ever, NULL, &e);
    CHECK(feed_take(f, &item, &e) == FEED_NOTHING, "a source that gives nothing is not waited for");
    feed_free(f);
    frame_free(&item.frame);
}

static void test_outlet(void)
{
    int ends[2];
    char bytes[1000];
    struct stream_outlet o;
    struct err e = ERR_NONE;
    struct frame f = make_frame(300, 'x');
    if (pipe(ends) < 0)
        abort();
    outlet_init(&o, ends[1]);
    for (int i = 0; i < 10; i++)
        outlet_add(&o, &f, &e);
    CHECK(outlet_work(&o, &e) == 0 && outlet_busy(&o), "a full pipe is not waited for");
    long total = 0, n;
    while (outlet_busy(&o)) {
        if ((n = read(ends[0], bytes, sizeof bytes)) > 0)
            total += n;
        if (outlet_work(&o, &e) < 0)
            break;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while ((n = read(ends[0], bytes, sizeof bytes)) > 0)
        total += n;
    CHECK(total == 10 * (90000 + 15), "and everything comes through: %ld bytes", total);
    CHECK(!outlet_is_closed(&o), "the reader is there");
    close(ends[0]);
    CHECK(outlet_is_closed(&o), "the reader has gone");
    outlet_add(&o, &f, &e);
    CHECK(outlet_work(&o, &e) == -1, "and writing says so");
    outlet_free(&o);
    close(ends[1]);
    int fd = open(path, O_RDWR | O_TRUNC);
    outlet_init(&o, fd);
    outlet_add(&o, &f, &e);
    CHECK(outlet_flush(&o, &e) == 0 && lseek(fd, 0, SEEK_END) == 90015, "a file takes it whole");
    CHECK(!outlet_is_closed(&o), "and is never closed");
    close(fd);
    outlet_free(&o);
    frame_free(&f);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    test_files();
    test_stopping();
    test_newest();
    test_outlet();
    unlink(path);
    return check_done();
}
