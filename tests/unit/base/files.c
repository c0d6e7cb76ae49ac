#include "base/files.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check.h"

static int entries(const char *dir)
{
    DIR *d = opendir(dir);
    int n = -2; /* . and .. */
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static bool holds(const char *name, const char *text)
{
    uint8_t *bytes;
    size_t len;
    bool same = file_load(name, 1000, &bytes, &len, NULL) == 0 && len == strlen(text) &&
                !memcmp(bytes, text, len + 1);
    free(bytes);
    return same;
}

static void test_saving(void)
{
    struct err e = ERR_NONE;
    struct stat st;
    mode_t old = umask(027);
    CHECK(file_save("a", "one", 3, &e) == 0 && holds("a", "one"), "a file is made");
    CHECK(stat("a", &st) == 0 && (st.st_mode & 0777) == 0640, "by the umask");
    umask(old);
    chmod("a", 0604);
    CHECK(file_replace("./a", "two!", 4, &e) == 0 && holds("a", "two!"), "and replaced");
    CHECK(stat("a", &st) == 0 && (st.st_mode & 0777) == 0604, "keeping its permissions");
    CHECK(symlink("a", "link") == 0 && file_save("link", "three", 5, &e) == 0 &&
              holds("a", "three") && lstat("link", &st) == 0 && S_ISLNK(st.st_mode),
          "through a link");
    CHECK(file_save("empty", "", 0, &e) == 0 && holds("empty", ""), "nothing is saved, too");
    CHECK(entries(".") == 3, "no temporary file is left");
}

static void test_failing(void)
{
    struct err e = ERR_NONE;
    CHECK(file_save("/dev/full", "x", 1, &e) == -1 && strstr(e.what, "No space left") &&
              !strcmp(e.file, "/dev/full"),
          "a full device is said");
    e = (struct err)ERR_NONE;
    CHECK(file_save("none/a", "x", 1, &e) == -1 && strstr(e.what, "No such file"),
          "a missing directory is said");
    CHECK(file_save(".", "x", 1, &e) == -1 && strstr(e.what, "is a directory"), "a directory, too");
    CHECK(mkdir("dir", 0777) == 0 && file_save("dir/a", "x", 1, &e) == 0, "not so inside one");
    CHECK(entries("dir") == 1 && entries(".") == 4, "no temporary file is left");
}

static void test_loading(void)
{
    uint8_t *bytes;
    size_t len;
    struct err e = ERR_NONE;
    int fd[2];
    char name[32];
    CHECK(file_load("a", 4, &bytes, &len, &e) == -1 && !bytes &&
              strstr(e.what, "larger than 4 bytes"),
          "a large file is refused");
    CHECK(file_load("a", 5, &bytes, &len, &e) == 0 && len == 5, "one at the limit is not");
    free(bytes);
    if (pipe(fd) < 0)
        abort();
    snprintf(name, sizeof name, "/dev/fd/%d", fd[0]);
    write_all(fd[1], "from a pipe", 11);
    close(fd[1]);
    CHECK(holds(name, "from a pipe"), "a pipe is read");
    CHECK(file_load("/dev/zero", 200000, &bytes, &len, &e) == -1 && !bytes,
          "an endless device is refused");
    e = (struct err)ERR_NONE;
    CHECK(file_load("none", 9, &bytes, &len, &e) == -1 && !strcmp(e.file, "none"),
          "a missing file is named");
}

int main(void)
{
    char dir[] = "/tmp/inkpipe.files.XXXXXX";
    if (!mkdtemp(dir) || chdir(dir) < 0)
        abort();
    test_saving();
    test_failing();
    test_loading();
    unlink("dir/a");
    rmdir("dir");
    unlink("a");
    unlink("link");
    unlink("empty");
    CHECK(rmdir(dir) == 0, "and all can be removed");
    return check_done();
}
