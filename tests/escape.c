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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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
