/* Frames put into files; a full disk leaves no half of one. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check.h"
#include "stream/stream.h"

static long length(const char *name)
{
    struct stat st;
    return stat(name, &st) < 0 ? -1 : (long)st.st_size;
}

int main(void)
{
    char dir[] = "/tmp/inkpipe-save-XXXXXX", name[64];
    struct err e = ERR_NONE;
    struct frame f = {0};
    frame_resize(&f, 100, 100, &e);
    memset(f.gray, 9, 10000);
    if (!mkdtemp(dir) || chdir(dir) < 0)
        return 1;
    CHECK(save_numbered("a", &f, name, sizeof name, &e) == 0 && !strcmp(name, "a-0001.pgm"),
          "the first is number one");
    CHECK(save_numbered("a", &f, name, sizeof name, &e) == 0 && !strcmp(name, "a-0002.pgm"),
          "and is never overwritten");
    CHECK(length("a-0001.pgm") == 10015 && length("a-0002.pgm") == 10015, "whole frames");
    CHECK(save_append("b", &f, &e) == 0 && save_append("b", &f, &e) == 0, "append");
    CHECK(length("b") == 20030, "two frames in one file");
    CHECK(save_append("no/such/folder", &f, &e) == -1 && e.what[0], "no such folder: %s", e.what);

    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {24000, 24000};
    setrlimit(RLIMIT_FSIZE, &limit);
    CHECK(save_append("b", &f, &e) == -1, "a full disk: %s", e.what);
    CHECK(length("b") == 20030, "leaves the file as it was");
    limit.rlim_cur = 5000;
    setrlimit(RLIMIT_FSIZE, &limit);
    CHECK(save_numbered("a", &f, name, sizeof name, &e) == -1, "the same for a new file");
    CHECK(length("a-0003.pgm") == -1, "which is gone again");
    unlink("a-0001.pgm");
    unlink("a-0002.pgm");
    unlink("b");
    rmdir(dir);
    frame_free(&f);
    return check_done();
}
