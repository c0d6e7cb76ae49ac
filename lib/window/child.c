/* A command of the user's beside a window.
 *   in   frames, of which the newest waits while one is written
 *   out  lines of its standard output
 * Pipes are nonblocking and the command leads a process group of its own, so that all it started can be
 * ended. */
#define _GNU_SOURCE 1 /* pipe2 */
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "base/grow.h"

#define STEP_ENDS 0.02 /* Seconds between two looks whether a command has ended that has closed its output. */
#define MIN_READ 4096 /* bytes of room for each read of its output */
#define MAX_END_MS 500 /* A command has at most so many milliseconds to end before it is sent a signal. */
#define END_STEP_MS 5  /* Milliseconds between two looks whether it has ended. */

extern char **environ;

struct window_child {
    const char *command;
    pid_t pid; /* of the shell, and of its process group; 0: not running */
    int out;   /* our end of the pipe from its standard output; -1: closed, as sending.fd, to its input, may be */
    struct stream_outlet sending; /* the frame being written */
    struct stream_outlet waiting; /* the newest frame, to be written next; len 0: none */
    struct {
        char *data;
        size_t len, size;
    } lines;               /* output of the command that has not been taken */
    size_t taken;          /* bytes of `lines` that child_line gave out last */
    size_t line_end;       /* where in `lines` the NUL of that line is ... */
    char under_nul;        /* ... and the byte that it replaced */
    char end[64];
};

struct window_child *child_new(const char *command, struct err *e)
{
    struct window_child *c = zeroed(1, sizeof *c, e);
    if (c) {
        c->command = command;
        c->sending.fd = c->out = -1;
    }
    return c;
}

/* Put into c->end how the command ended. */
static void describe_end(struct window_child *c, int status)
{
    if (WIFSIGNALED(status))
        snprintf(c->end, sizeof c->end, "ended: %s (signal %d)", strsignal(WTERMSIG(status)), WTERMSIG(status));
    else
        snprintf(c->end, sizeof c->end, "ended with status %d", WEXITSTATUS(status));
    c->pid = 0;
    close_fd(&c->sending.fd);
}

static int set_up_spawn(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes, int in, int out)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(files);
    posix_spawnattr_init(attributes);
    int failed = posix_spawn_file_actions_adddup2(files, in, 0);
    failed |= posix_spawn_file_actions_adddup2(files, out, 1);
    failed |= posix_spawnattr_setsigdefault(attributes, &all);
    failed |= posix_spawnattr_setsigmask(attributes, &none);
    failed |= posix_spawnattr_setpgroup(attributes, 0);
    failed |= posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                       POSIX_SPAWN_SETPGROUP);
    return failed;
}

static int spawn_shell(struct window_child *c, int in, int out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    char *const argv[] = {"sh", "-c", (char *)c->command, NULL};
    int failed = set_up_spawn(&files, &attributes, in, out);
    if (!failed)
        failed = posix_spawn(&c->pid, "/bin/sh", &files, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    errno = failed;
    return failed ? -1 : 0;
}

static int start(struct window_child *c, struct err *e)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    close_fd(&c->out);
    c->lines.len = c->taken = 0;
    c->sending.len = c->waiting.len = c->sending.sent = 0;
    c->end[0] = '\0';
    int failed = pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0;
    if (!failed) {
        fcntl(in[1], F_SETFL, O_NONBLOCK);
        fcntl(out[0], F_SETFL, O_NONBLOCK);
        failed = spawn_shell(c, in[0], out[1]) < 0;
    }
    if (failed)
        err_errno(e, "cannot start '%s'", c->command);
    close_fd(&in[0]);
    close_fd(&out[1]);
    if (failed) {
        close_fd(&in[1]);
        close_fd(&out[0]);
        c->pid = 0;
        return -1;
    }
    c->sending.fd = in[1];
    c->out = out[0];
    return 0;
}

static void write_some(struct window_child *c)
{
    while (c->sending.fd >= 0 && outlet_busy(&c->sending)) {
        if (outlet_work(&c->sending, NULL) < 0) { /* EPIPE: it reads no more; child_work notices when it ends */
            close_fd(&c->sending.fd);
            return;
        }
        if (outlet_busy(&c->sending))
            return;
        struct stream_outlet next = c->waiting;
        next.fd = c->sending.fd;
        c->waiting = c->sending;
        c->sending = next;
    }
}

int child_send(struct window_child *c, const struct frame *f, struct err *e)
{
    if (c->pid && c->sending.fd < 0) { /* it runs but has closed its input: end it */
        kill(-c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        c->pid = 0;
    }
    if (!c->pid && start(c, e) < 0)
        return -1;
    struct stream_outlet *to = outlet_busy(&c->sending) ? &c->waiting : &c->sending;
    to->len = 0;
    if (outlet_add(to, f, e) < 0)
        return -1;
    write_some(c);
    return 0;
}

double child_poll(const struct window_child *c, struct pollfd p[2])
{
    p[0] = p[1] = (struct pollfd){-1, 0, 0};
    if (!c)
        return HUGE_VAL;
    p[0] = (struct pollfd){c->out, POLLIN, 0};
    if (c->pid && outlet_busy(&c->sending))
        p[1] = (struct pollfd){c->sending.fd, POLLOUT, 0};
    return c->pid && c->out < 0 ? STEP_ENDS : HUGE_VAL;
}

static void read_some(struct window_child *c)
{
    while (c->out >= 0) {
        if (grow_to(&c->lines.data, c->lines.len + MIN_READ, &c->lines.size, 1, NULL))
            return;
        ssize_t n = read(c->out, c->lines.data + c->lines.len, c->lines.size - c->lines.len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close_fd(&c->out);
            return;
        }
        c->lines.len += (size_t)n;
        if (c->lines.len - c->taken > 4 * CHILD_MAX_LINE)
            return; /* the rest is read when lines have been taken */
    }
}

bool child_work(struct window_child *c)
{
    int status;
    write_some(c);
    read_some(c);
    if (!c->pid || waitpid(c->pid, &status, WNOHANG) != c->pid)
        return false;
    describe_end(c, status);
    read_some(c);
    return true;
}

const char *child_line(struct window_child *c)
{
    if (c->taken) {
        c->lines.data[c->line_end] = c->under_nul;
        memmove(c->lines.data, c->lines.data + c->taken, c->lines.len - c->taken);
        c->lines.len -= c->taken;
        c->taken = 0;
    }
    size_t n = c->lines.len < CHILD_MAX_LINE ? c->lines.len : CHILD_MAX_LINE;
    char *newline = n ? memchr(c->lines.data, '\n', n) : NULL;
    if (newline)
        n = (size_t)(newline - c->lines.data);
    else if (n == CHILD_MAX_LINE)
        n--; /* the rest is another line */
    else if (n == 0 || c->out >= 0)
        return NULL;
    c->taken = newline ? n + 1 : n;
    c->line_end = n;
    c->under_nul = c->lines.data[n]; /* read_some leaves room for one byte more */
    c->lines.data[n] = '\0';
    return c->lines.data;
}

bool child_is_running(const struct window_child *c)
{
    return c->pid != 0;
}

const char *child_end(const struct window_child *c)
{
    return c->end;
}

/* Wait at most `ms` milliseconds for the command to end. Returns true when it has. */
static bool wait_end(struct window_child *c, int ms)
{
    for (int t = 0; t <= ms; t += END_STEP_MS) {
        if (waitpid(c->pid, NULL, WNOHANG) == c->pid)
            return true;
        poll(NULL, 0, END_STEP_MS);
    }
    return false;
}

void child_free(struct window_child *c)
{
    if (!c)
        return;
    close_fd(&c->sending.fd);
    close_fd(&c->out);
    if (c->pid && !wait_end(c, MAX_END_MS)) {
        kill(-c->pid, SIGTERM);
        if (!wait_end(c, MAX_END_MS)) {
            kill(-c->pid, SIGKILL);
            waitpid(c->pid, NULL, 0);
        }
    }
    outlet_free(&c->sending);
    outlet_free(&c->waiting);
    free(c->lines.data);
    free(c);
}
