#define _GNU_SOURCE 1 /* O_PATH, syscall */
#include "privilege.h"

#if defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if !defined SANDBOX || defined SANITIZED || defined __SANITIZE_ADDRESS__ ||                       \
    defined __SANITIZE_THREAD__

bool privilege_drop(const struct privilege *keep)
{
    (void)keep;
    return false;
}

#elif defined __OpenBSD__

#include <unistd.h>

bool privilege_drop(const struct privilege *keep)
{
    for (size_t i = 0; i < keep->files; i++)
        unveil(keep->file[i], "r"); /* one that is not there fails when it is opened */
    if (keep->folder && unveil(keep->folder, "rwc"))
        return false;
    return !pledge(keep->folder ? "stdio rpath wpath cpath fattr" : "stdio rpath", NULL);
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
    struct landlock_ruleset_attr all = {.handled_access_fs = read_rights | write_rights};
    uint64_t make = FS(READ_FILE) | FS(READ_DIR) | FS(WRITE_FILE) | FS(MAKE_REG) | FS(MAKE_DIR) |
                    FS(REMOVE_FILE);
    if (version >= 3) {
        all.handled_access_fs |= TRUNCATE;
        make |= TRUNCATE;
    }
    int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all.handled_access_fs, 0);
    if (rules < 0)
        return false;
    for (size_t i = 0; i < keep->files; i++)
        if (strcmp(keep->file[i], "-"))
            allow(rules, keep->file[i], FS(READ_FILE), FS(READ_DIR));
    if (keep->folder)
        allow(rules, keep->folder, 0, make);
    bool held = !syscall(SYS_landlock_restrict_self, rules, 0);
    close(rules);
    return held;
}

/* ---- seccomp: which calls. A list of what is forbidden, not of what is allowed: the latter changes
 * with every libc, kernel and decoder. ---- */

static const char *const never[] = {
    "execve", "execveat", "fork", "vfork", /* programs and processes; clone: see below */
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4",
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_open", "pidfd_getfd", "kcmp",
    "kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal",
    "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "swapon", "swapoff",
    "open_by_handle_at", "mknod", "mknodat", "quotactl", "acct", "reboot", "kexec_load",
    "init_module", "finit_module", "delete_module", "bpf", "perf_event_open", "userfaultfd",
    "io_uring_setup", "add_key", "request_key", "keyctl", "setuid", "setgid", "setreuid",
    "setregid", "setresuid", "setresgid", "setgroups", "capset", "sethostname", "setdomainname",
    "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "iopl", "ioperm"};

/* Beside opening files to write to them. */
static const char *const writing[] = {
    "creat", "truncate", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir",
    "mkdirat", "link", "linkat", "symlink", "symlinkat", "chmod", "fchmodat", "chown", "lchown",
    "fchownat", "setxattr", "lsetxattr", "removexattr", "lremovexattr"};

struct filter {
    scmp_filter_ctx context;
    bool whole;
};

/* Forbid a call where argument `at` & mask is `value`; calls this CPU does not have are passed over.
 * mask 0: forbid it always. */
static void forbid(struct filter *f, const char *name, unsigned at, uint64_t mask, uint64_t value)
{
    int number = seccomp_syscall_resolve_name(name);
    struct scmp_arg_cmp part = {at, SCMP_CMP_MASKED_EQ, mask, value};
    if (number >= 0)
        f->whole &= !seccomp_rule_add_array(f->context, SCMP_ACT_KILL_PROCESS, number, mask ? 1 : 0,
                                            mask ? &part : NULL);
}

/* These have their flags in memory, where a filter cannot see them: libc does without them when the
 * kernel says that it does not know them. */
static void hide(struct filter *f, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number >= 0)
        f->whole &= !seccomp_rule_add(f->context, SCMP_ACT_ERRNO(ENOSYS), number, 0);
}

static void forbid_writing(struct filter *f)
{
    static const uint64_t flags[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        forbid(f, "open", 1, flags[i], flags[i]);
        forbid(f, "openat", 2, flags[i], flags[i]);
    }
    for (size_t i = 0; i < sizeof writing / sizeof *writing; i++)
        forbid(f, writing[i], 0, 0, 0);
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
    struct filter f = {seccomp_init(SCMP_ACT_ALLOW), true};
    if (!f.context)
        return false;
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        forbid(&f, never[i], 0, 0, 0);
    forbid(&f, "clone", 0, CLONE_THREAD, 0);
    forbid(&f, "ioctl", 1, UINT32_MAX, TIOCSTI);
    hide(&f, "clone3");
    hide(&f, "openat2");
    if (!keep->folder)
        forbid_writing(&f);
    bool held = f.whole && !seccomp_load(f.context);
    seccomp_release(f.context);
    return held;
}

bool privilege_drop(const struct privilege *keep)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return false;
    bool files = restrict_files(keep);
    return restrict_calls(keep) && files;
}

#endif
