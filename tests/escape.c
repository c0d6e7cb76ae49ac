/* A preload that stands in for a program that was taken over while it read a stranger's file: once
 * privileges have been dropped, the first read tries what ESCAPE names, and says how it went if it
 * lives to tell. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Calls that need nothing but their arguments; those of newer kernels have no names yet. */
#define HERE (long)"here"
static const struct {
    const char *how;
    long number, a, b, c, d;
} calls[] = {
    {"truncate", SYS_truncate, HERE, 0, 0, 0},
    {"fchmodat", SYS_fchmodat, AT_FDCWD, HERE, 0777, 0},
    {"fchmodat2", 452, AT_FDCWD, HERE, 0777, 0},
    {"fchmod", SYS_fchmod, 0, 04755, 0, 0},
    {"create", SYS_openat, AT_FDCWD, HERE, O_WRONLY | O_CREAT, 04755},
    {"fchownat", SYS_fchownat, AT_FDCWD, HERE, 0, 0},
    {"utimensat", SYS_utimensat, AT_FDCWD, HERE, 0, 0},
    {"setxattr", SYS_setxattr, HERE, (long)"user.x", (long)"x", 1},
    {"setxattrat", 463, AT_FDCWD, HERE, 0, (long)"user.x"},
    {"listxattr", SYS_listxattr, HERE, 0, 0, 0},
    {"chdir", SYS_chdir, (long)"/", 0, 0, 0},
    {"watch", SYS_inotify_init1, 0, 0, 0, 0},
    {"shmget", SYS_shmget, 0, 4096, 0600 | 01000, 0},
    {"shmat", SYS_shmat, 0, 0, 0, 0},
    {"msgget", SYS_msgget, 0, 0600, 0, 0},
    {"semget", SYS_semget, 0, 1, 0600, 0},
    {"mq_unlink", SYS_mq_unlink, (long)"none", 0, 0, 0},
    {"fsopen", SYS_fsopen, (long)"tmpfs", 0, 0, 0},
    {"open_tree", SYS_open_tree, AT_FDCWD, (long)"/", 1, 0},
    {"move_mount", SYS_move_mount, -1, HERE, -1, HERE},
    {"mount_setattr", 442, AT_FDCWD, HERE, 0, 0},
    {"syslog", SYS_syslog, 10, 0, 0, 0},
    {"kexec", SYS_kexec_file_load, -1, -1, 0, 0},
    {"madvise", 440, -1, 0, 0, 0},
    {"setpgid", SYS_setpgid, 0, 0, 0, 0},
    {"dumpable", SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0},
    {"io_uring", 425, 1, 0, 0, 0},
    {"tgkill", SYS_tgkill, 1, 1, 0, 0},
    {"tkill", SYS_tkill, 1, 0, 0, 0},
    {"prlimit", SYS_prlimit64, 0, RLIMIT_CPU, HERE, 0},
    {"priority", SYS_setpriority, PRIO_PROCESS, 0, 19, 0},
    {"scheduler", SYS_sched_setscheduler, 0, 0, HERE, 0},
    {"affinity", SYS_sched_setaffinity, 0, 8, HERE, 0},
};

static long escape(const char *how)
{
    char *arguments[] = {"true", NULL};
    char name[] = "escaped";
    if (!strcmp(how, "read"))
        return open("/etc/passwd", O_RDONLY);
    if (!strcmp(how, "write"))
        return open(name, O_WRONLY | O_CREAT, 0666);
    if (!strcmp(how, "append"))
        return open("/etc/passwd", O_RDWR);
    if (!strcmp(how, "outside"))
        return open("../escaped", O_WRONLY | O_CREAT, 0666);
    if (!strcmp(how, "exec"))
        return execv("/bin/true", arguments);
    if (!strcmp(how, "fork"))
        return fork();
    if (!strcmp(how, "vfork"))
        return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (!strcmp(how, "socket"))
        return socket(AF_INET, SOCK_STREAM, 0);
    if (!strcmp(how, "rename"))
        return rename("here", name);
    if (!strcmp(how, "remove"))
        return unlink("here");
    if (!strcmp(how, "folder"))
        return mkdir(name, 0777);
    if (!strcmp(how, "signal"))
        return kill(getppid(), 0);
    if (!strcmp(how, "trace"))
        return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    if (!strcmp(how, "type"))
        return ioctl(STDIN_FILENO, TIOCSTI, "x");
    if (!strcmp(how, "paste"))
        return ioctl(STDERR_FILENO, TIOCLINUX, "\3");
    if (!strcmp(how, "own")) /* a descriptor's SIGIO goes to another process */
        return fcntl(STDERR_FILENO, F_SETOWN, getppid());
    if (!strcmp(how, "async"))
        return fcntl(STDERR_FILENO, F_SETFL, O_ASYNC);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (!strcmp(how, calls[i].how))
            return syscall(calls[i].number, calls[i].a, calls[i].b, calls[i].c, calls[i].d, 0, 0);
    return 0;
}

ssize_t read(int fd, void *to, size_t n)
{
    static int tried;
    ssize_t (*real)(int, void *, size_t) = (ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    const char *how = getenv("ESCAPE");
    if (!how || tried || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return real(fd, to, n);
    tried = 1;
    errno = 0;
    long result = escape(how);
    char text[80];
    int len = snprintf(text, sizeof text, "%s: %s\n", how, result < 0 ? strerror(errno) : "escaped");
    ssize_t said = write(STDERR_FILENO, text, (size_t)len);
    return said < 0 ? said : real(fd, to, n);
}
