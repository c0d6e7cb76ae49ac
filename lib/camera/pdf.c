/* The pages of PDF files, by the program pdftoppm of poppler.
 *   in   names of files
 *   out  for each that is a PDF a pipe, in which its pages come as PGM
 * One process is forked, which starts pdftoppm for one file after another: it goes on to the next when what
 * the last wrote has been taken, up to a pipe's worth, or is not wanted any more. So the caller may give up its
 * privileges before the first page is read. */
#define _GNU_SOURCE 1 /* pipe2 */
#include "picture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"

#define MAX_MEMORY (2L << 30) /* Bytes of memory that pdftoppm may take. */
#define MAX_SECONDS 3600      /* Seconds of a CPU that pdftoppm may take for a file. */

/* A PDF and the pipe its pages come through. */
struct job {
    size_t index; /* of the file in the list */
    int file, to, from;
};

/* Open a file that begins like a PDF. Returns -1 when it is none, or cannot be read. */
static int open_pdf(const char *name)
{
    uint8_t head[PICTURE_MAX_HEAD];
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = fd < 0 ? 0 : pread(fd, head, sizeof head, 0);
    if (n <= 0 || picture_type(head, n) != PICTURE_PDF)
        close_fd(&fd);
    return fd;
}

/* What no pdftoppm needs: memory without end, time without end, and any file to write. */
static void limit(void)
{
    setrlimit(RLIMIT_AS, &(struct rlimit){MAX_MEMORY, MAX_MEMORY});
    setrlimit(RLIMIT_CPU, &(struct rlimit){MAX_SECONDS, MAX_SECONDS});
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

/* Become pdftoppm, which reads the file and writes to the pipe. */
static void become(const char *program, const struct job *j)
{
    char name[] = "pdftoppm", gray[] = "-gray", quiet[] = "-q", resolution[] = "-r", dpi[] = "200",
         last[] = "-l", pages[] = "65536", input[] = "-";
    char *argv[] = {name, gray, quiet, resolution, dpi, last, pages, input, NULL};
    char *environment[] = {NULL};
    for (int s = 1; s < NSIG; s++) /* what this process ignores pdftoppm would, too */
        signal(s, SIG_DFL);
    limit();
    if (dup2(j->file, 0) >= 0 && dup2(j->to, 1) >= 0)
        execve(program, argv, environment);
    _exit(127);
}

/* Run pdftoppm from the file to the pipe, until it ends. */
static void convert(const char *program, const struct job *j)
{
    pid_t pid = fork();
    if (!pid)
        become(program, j);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* The forked process: it holds nothing of the caller's but the files and pipes. */
static void convert_all(const char *program, struct job *job, size_t jobs)
{
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        if (null < 0 || dup2(null, fd) < 0)
            return;
    for (size_t i = 0; i < jobs; i++)
        close_fd(&job[i].from);
    for (size_t i = 0; i < jobs; i++) {
        struct pollfd wanted = {.fd = job[i].to};
        if (poll(&wanted, 1, 0) == 0)
            convert(program, &job[i]);
        close_fd(&job[i].file);
        close_fd(&job[i].to);
    }
}

/* Open the PDFs of the list and a pipe for each. Returns their number, or -1. */
static long find_jobs(const struct camera_names *list, struct job *job, struct err *e)
{
    long n = 0;
    for (size_t i = 0; i < list->count; i++) {
        int ends[2];
        struct job j = {.index = i, .file = open_pdf(list->name[i])};
        if (j.file < 0)
            continue;
        if (pipe2(ends, O_CLOEXEC)) {
            err_errno(e, "too many PDF files at once");
            close_fd(&j.file);
            while (n > 0) {
                n--;
                close_fd(&job[n].file);
                close_fd(&job[n].from);
                close_fd(&job[n].to);
            }
            return err_at(e, list->name[i], -1);
        }
        j.from = ends[0];
        j.to = ends[1];
        job[n++] = j;
    }
    return n;
}

int pdf_start(const char *program, const struct camera_names *list, int *fd, struct err *e)
{
    struct job *job = calloc(list->count + 1, sizeof *job);
    if (!job)
        return err_set(e, "out of memory");
    long n = find_jobs(list, job, e);
    pid_t pid = n > 0 ? fork() : 1;
    if (pid == 0) {
        convert_all(program, job, (size_t)n);
        _exit(0);
    }
    for (long i = 0; i < n; i++) {
        close_fd(&job[i].file);
        close_fd(&job[i].to);
        if (pid > 0)
            fd[job[i].index] = job[i].from;
        else
            close_fd(&job[i].from);
    }
    free(job);
    return n < 0 ? -1 : pid < 0 ? err_errno(e, "pdftoppm cannot be started") : 0;
}
