#define _GNU_SOURCE 1 /* O_PATH, syscall */
#include "privilege.h"

#if defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if !defined SANDBOX || defined SANITIZED || defined __SANITIZE_ADDRESS__ ||                       \
    defined __SANITIZE_THREAD__

const char *privilege_drop(const struct privilege *keep)
{
    (void)keep;
    return "none";
}

#elif defined __OpenBSD__

#include <unistd.h>

const char *privilege_drop(const struct privilege *keep)
{
    for (size_t i = 0; i < keep->files; i++)
        unveil(keep->file[i], "r"); /* one that is not there fails when it is opened */
    for (int i = 0; i < 2 && keep->folder[i]; i++)
        unveil(keep->folder[i], "rwc");
    return pledge(keep->folder[0] ? "stdio rpath wpath cpath fattr" : "stdio rpath", NULL)
               ? "none"
               : "pledge";
}

#else

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Landlock: which files (linux/landlock.h; glibc has no calls for it) ---- */

/* struct landlock_ruleset_attr as version 6 has it; older headers do not. */
struct ruleset {
    uint64_t files, net, scoped;
};

#define NET_ALL 3    /* binding and connecting */
#define SCOPED_ALL 3 /* abstract sockets and signals: none to processes outside */

#define FS(right) ((uint64_t)LANDLOCK_ACCESS_FS_##right)
#define TRUNCATE ((uint64_t)1 << 14) /* since version 3; older headers do not name it */

static const uint64_t read_rights = FS(EXECUTE) | FS(READ_FILE) | FS(READ_DIR);
static const uint64_t write_rights = FS(WRITE_FILE) | FS(REMOVE_DIR) | FS(REMOVE_FILE) |
                                     FS(MAKE_CHAR) | FS(MAKE_DIR) | FS(MAKE_REG) | FS(MAKE_SOCK) |
                                     FS(MAKE_FIFO) | FS(MAKE_BLOCK) | FS(MAKE_SYM);

/* Allow rights on what has that name, and below it when it is a folder. What cannot be allowed (it
 * is not there, it is a pipe, which is free anyway) is passed over. */
static void allow(int rules, const char *name, uint64_t file, uint64_t folder)
{
    struct stat st;
    struct landlock_path_beneath_attr rule = {.parent_fd = open(name, O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0)
        return;
    if (!fstat(rule.parent_fd, &st)) {
        rule.allowed_access = S_ISDIR(st.st_mode) ? folder : file;
        syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    close(rule.parent_fd);
}

static bool restrict_files(const struct privilege *keep)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset all = {read_rights | write_rights, NET_ALL, SCOPED_ALL};
    uint64_t make = FS(READ_FILE) | FS(READ_DIR) | FS(WRITE_FILE) | FS(MAKE_REG) | FS(MAKE_DIR) | FS(REMOVE_FILE);
    if (version >= 3) {
        all.files |= TRUNCATE;
        make |= TRUNCATE;
    }
    int rules = (int)syscall(SYS_landlock_create_ruleset, &all, version >= 6 ? sizeof all : sizeof all.files, 0);
    if (rules < 0)
        return false;
    for (size_t i = 0; i < keep->files; i++)
        if (strcmp(keep->file[i], "-"))
            allow(rules, keep->file[i], FS(READ_FILE), FS(READ_DIR));
    for (int i = 0; i < 2 && keep->folder[i]; i++)
        allow(rules, keep->folder[i], make, make);
    bool held = !syscall(SYS_landlock_restrict_self, rules, 0);
    close(rules);
    return held;
}

/* ---- seccomp: which calls. What is listed is allowed, any other ends the program. ---- */

/* What reading descriptors, memory, threads, time and the end of a program take, in glibc, musl and
 * FFmpeg, on 32 and 64 bits. Names that a CPU or libseccomp does not know are passed over. */
static const char *const calls[] = {
    "read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "lseek",
    "_llseek", "close", "close_range", "dup", "dup2", "dup3", "pipe", "pipe2", "eventfd2", "ftruncate",
    "ftruncate64", "fadvise64", "fadvise64_64", "arm_fadvise64_64", "readahead", "getdents64",
    "stat", "lstat", "fstat", "stat64", "lstat64", "fstat64", "newfstatat", "fstatat64", "statx",
    "fstatfs", "fstatfs64", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd",
    "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore",
    "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "futex", "futex_time64", "futex_waitv", "set_robust_list", "get_robust_list", "rseq", "membarrier",
    "set_tid_address", "set_thread_area", "arch_prctl", "gettid", "getpid", "getppid", "getuid", "geteuid",
    "getgid", "getegid", "sched_yield", "sched_getaffinity", "getcpu", "exit", "exit_group",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "rt_sigpending", "rt_sigtimedwait",
    "rt_sigtimedwait_time64", "rt_sigsuspend", "sigaltstack", "restart_syscall", "pause",
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "clock_nanosleep",
    "clock_nanosleep_time64", "nanosleep", "gettimeofday", "time", "times", "getrusage", "getrlimit",
    "ugetrlimit", "getrandom", "uname", "sysinfo", "riscv_hwprobe", "cacheflush"};

/* Where there is a folder to write in. (Which files is Landlock's.) */
static const char *const writing[] = {"mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink",
                                      "unlinkat", "fsync", "fdatasync", "fallocate"};

/* Where there is a window, whose connection to the X server is made: its messages and pictures. */
static const char *const window[] = {
    "recvmsg", "sendmsg", "recvfrom", "sendto", "shutdown", "getsockname", "getpeername",
    "getsockopt", "shmget", "shmat", "shmdt", "shmctl"};

#define SET_VMA 0x53564d41 /* PR_SET_VMA: a name for memory, as glibc gives it */
#define OPEN_TO_WRITE (O_ACCMODE | O_CREAT | O_TRUNC)

/* Allowed where argument `at` & mask is value. */
struct part {
    const char *name;
    unsigned at;
    uint64_t mask, value;
};

static const struct part some[] = {
    {"open", 1, OPEN_TO_WRITE, O_RDONLY},
    {"openat", 2, OPEN_TO_WRITE, O_RDONLY},
    {"clone", 0, CLONE_THREAD, CLONE_THREAD},
    {"prlimit64", 2, UINT64_MAX, 0},    /* nothing is set */
    {"fcntl", 1, UINT32_MAX, F_GETFD}, {"fcntl", 1, UINT32_MAX, F_SETFD},
    {"fcntl", 1, UINT32_MAX, F_GETFL}, {"fcntl", 1, UINT32_MAX, F_DUPFD},
    {"fcntl", 1, UINT32_MAX, F_DUPFD_CLOEXEC}, {"fcntl", 1, UINT32_MAX, F_GETPIPE_SZ},
    {"fcntl", 1, UINT32_MAX, F_SETPIPE_SZ},
    {"ioctl", 1, UINT32_MAX, TCGETS}, {"ioctl", 1, UINT32_MAX, TIOCGWINSZ},
    {"ioctl", 1, UINT32_MAX, FIONREAD},
    {"prctl", 0, UINT32_MAX, PR_SET_NAME}, {"prctl", 0, UINT32_MAX, PR_GET_NAME},
    {"prctl", 0, UINT32_MAX, PR_GET_NO_NEW_PRIVS}, {"prctl", 0, UINT32_MAX, SET_VMA}};

/* The same, where there is a folder to write in: no file is made to run as whom it belongs to. */
static const struct part some_writing[] = {
    {"open", 2, S_ISUID | S_ISGID, 0},
    {"openat", 3, S_ISUID | S_ISGID, 0},
    {"fchmod", 1, S_ISUID | S_ISGID, 0}};

struct filter {
    scmp_filter_ctx context;
    bool whole;
};

/* Allow, or with ENOSYS hide, a call where its n parts compare so. */
static void rule(struct filter *f, uint32_t action, const char *name, unsigned n, const struct scmp_arg_cmp *part)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number >= 0)
        f->whole &= !seccomp_rule_add_array(f->context, action, number, n, part);
}

static void allow_calls(struct filter *f, const char *const *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rule(f, SCMP_ACT_ALLOW, name[i], 0, NULL);
}

#define LENGTH(list) (sizeof(list) / sizeof *(list))
#define ALLOW_CALLS(f, list) allow_calls(f, list, LENGTH(list))

static void allow_parts(struct filter *f, const struct part *part, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct scmp_arg_cmp compare = {part[i].at, SCMP_CMP_MASKED_EQ, part[i].mask, part[i].value};
        rule(f, SCMP_ACT_ALLOW, part[i].name, 1, &compare);
        if (!strcmp(part[i].name, "fcntl"))
            rule(f, SCMP_ACT_ALLOW, "fcntl64", 1, &compare);
    }
}

/* Parts of the calls that could do more. */
static void allow_some(struct filter *f)
{
    const struct scmp_arg_cmp self = {0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint64_t)getpid()};
    const struct scmp_arg_cmp quiet[] = {{1, SCMP_CMP_MASKED_EQ, UINT32_MAX, F_SETFL},
                                         {2, SCMP_CMP_MASKED_EQ, O_ASYNC, 0}};
    allow_parts(f, some, LENGTH(some));
    rule(f, SCMP_ACT_ALLOW, "fcntl", 2, quiet);
    rule(f, SCMP_ACT_ALLOW, "fcntl64", 2, quiet);
    rule(f, SCMP_ACT_ALLOW, "tgkill", 1, &self); /* raise, abort */
    /* Their flags are in memory, where a filter cannot see them; libc does without them. */
    rule(f, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    rule(f, SCMP_ACT_ERRNO(ENOSYS), "openat2", 0, NULL);
}

/* Whether there is memory to spare: libseccomp 2.5 never ends when there is too little for it. */
static bool has_memory(void)
{
    void *spare = malloc(1 << 20);
    bool there = spare != NULL;
    free(spare);
    return there;
}

static bool restrict_calls(const struct privilege *keep)
{
    if (!has_memory())
        return false;
    struct filter f = {seccomp_init(SCMP_ACT_KILL_PROCESS), true};
    if (!f.context)
        return false;
    seccomp_attr_set(f.context, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree; else a longer list does */
    ALLOW_CALLS(&f, calls);
    if (keep->folder[0]) {
        ALLOW_CALLS(&f, writing);
        allow_parts(&f, some_writing, LENGTH(some_writing));
    }
    if (keep->window)
        ALLOW_CALLS(&f, window);
    allow_some(&f);
    bool held = f.whole && !seccomp_load(f.context);
    seccomp_release(f.context);
    return held;
}

const char *privilege_drop(const struct privilege *keep)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return "none";
    bool files = restrict_files(keep), these = restrict_calls(keep);
    return files && these ? "Landlock and seccomp" : files ? "Landlock" : these ? "seccomp" : "none";
}

#endif
