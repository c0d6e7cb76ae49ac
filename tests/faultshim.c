/* A preload that makes what a program asks of the system fail, as the environment's FAULT says:
 *
 *     CALL=N     the N-th call fails, once. CALL is malloc (with calloc, realloc, ... counted
 *                together; libseccomp's do not
 *                count: version 2.5 never ends when one of them fails), open, read, write (with writev), close, fsync, rename or thread
 *     CALL=N+    the N-th and all after it fail
 *     short      read and write take few bytes at a time
 *     eintr      every second read, write and poll is interrupted by a signal
 *     clock      the time of day jumps by hours, back and forth, whenever it is asked
 *
 * Calls are those of the program and of its libraries, but not libc's own. The file named by
 * FAULT_LOG gets, when the program ends, a line `CALL COUNT` for each, and `live COUNT`: blocks of
 * memory that the program itself (not a library) has asked for and not given back; and, as they
 * happen, `fsync NAME`, `rename OLD NEW` and `unlink NAME`, so that their order can be told. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call { MALLOC, OPEN, READ, WRITE, CLOSE, FSYNC, RENAME, THREAD, CALLS };

static const char *const names[CALLS] = {"malloc", "open", "read", "write",
                                         "close", "fsync", "rename", "thread"};
static const int errors[CALLS] = {ENOMEM, EMFILE, EIO, ENOSPC, EIO, EIO, EIO, EAGAIN};

static struct {
    bool ready, shortly, interrupted, jumping, on;
    enum call call;
    long number;
    int log;
    uintptr_t start, end;             /* of the program's code */
    uintptr_t other_start, other_end; /* of libseccomp's */
} shim;

static long counts[CALLS], turns;

static long count(long *counter)
{
    return __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static bool fails(enum call call)
{
    if (!shim.ready)
        return false;
    long n = count(&counts[call]);
    if (!shim.number || call != shim.call || n < shim.number || (n > shim.number && !shim.on))
        return false;
    errno = errors[call];
    return true;
}

static bool lacks_memory(void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    return (at < shim.other_start || at >= shim.other_end) && fails(MALLOC);
}

static bool interrupts(void)
{
    if (!shim.interrupted || count(&turns) % 2)
        return false;
    errno = EINTR;
    return true;
}

static size_t few(size_t n)
{
    size_t most = shim.shortly ? 1 + (size_t)count(&turns) % 97 : n;
    return n < most ? n : most;
}

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* ---- memory ---- */

extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n), *__libc_memalign(size_t align, size_t n);
extern void __libc_free(void *p);

/* Blocks the program holds: a hash table of addresses. */
enum { SLOTS = 1 << 20 };
static void *live[SLOTS];
static long held;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t slot_of(void *p)
{
    size_t i = (uintptr_t)p * 0x9e3779b97f4a7c15u >> 44;
    while (live[i] && live[i] != p)
        i = (i + 1) % SLOTS;
    return i;
}

static void *hold(void *p, void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    if (!p || !shim.ready || at < shim.start || at >= shim.end)
        return p;
    pthread_mutex_lock(&lock);
    live[slot_of(p)] = p;
    held++;
    pthread_mutex_unlock(&lock);
    return p;
}

/* Take p out, and close the gap behind it. */
static bool let_go(void *p)
{
    pthread_mutex_lock(&lock);
    size_t i = slot_of(p);
    bool was = p && live[i];
    if (was) {
        live[i] = NULL;
        held--;
        for (i = (i + 1) % SLOTS; live[i]; i = (i + 1) % SLOTS) {
            void *moved = live[i];
            live[i] = NULL;
            live[slot_of(moved)] = moved;
        }
    }
    pthread_mutex_unlock(&lock);
    return was;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t n)
{
    return lacks_memory(CALLER) ? NULL : hold(__libc_malloc(n), CALLER);
}

void *calloc(size_t n, size_t size)
{
    return lacks_memory(CALLER) ? NULL : hold(__libc_calloc(n, size), CALLER);
}

void *realloc(void *p, size_t n)
{
    if (lacks_memory(CALLER))
        return NULL;
    let_go(p);
    return hold(__libc_realloc(p, n), CALLER);
}

void *aligned_alloc(size_t align, size_t n)
{
    return lacks_memory(CALLER) ? NULL : hold(__libc_memalign(align, n), CALLER);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    if (lacks_memory(CALLER))
        return ENOMEM;
    *p = hold(__libc_memalign(align, n), CALLER);
    return *p ? 0 : ENOMEM;
}

char *strdup(const char *s)
{
    char *p = lacks_memory(CALLER) ? NULL : hold(__libc_malloc(strlen(s) + 1), CALLER);
    return p ? strcpy(p, s) : NULL;
}

void free(void *p)
{
    let_go(p);
    __libc_free(p);
}

/* ---- files ---- */

static void note(const char *what, const char *name, const char *other)
{
    char line[9000];
    int n = snprintf(line, sizeof line, "%s %s%s%s\n", what, name, *other ? " " : "", other);
    if (shim.log > 0)
        ((ssize_t(*)(int, const void *, size_t))real("write"))(shim.log, line, (size_t)n);
}

int open(const char *name, int flags, ...)
{
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))real("open");
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return fails(OPEN) ? -1 : next(name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return open(name, flags, mode);
}

ssize_t read(int fd, void *to, size_t n)
{
    if (interrupts() || fails(READ))
        return -1;
    return ((ssize_t(*)(int, void *, size_t))real("read"))(fd, to, few(n));
}

ssize_t write(int fd, const void *from, size_t n)
{
    if (interrupts() || fails(WRITE))
        return -1;
    return ((ssize_t(*)(int, const void *, size_t))real("write"))(fd, from, few(n));
}

ssize_t writev(int fd, const struct iovec *part, int n)
{
    if (interrupts() || fails(WRITE))
        return -1;
    if (shim.shortly)
        return ((ssize_t(*)(int, const void *, size_t))real("write"))(fd, part->iov_base,
                                                                    few(part->iov_len));
    return ((ssize_t(*)(int, const struct iovec *, int))real("writev"))(fd, part, n);
}

int close(int fd)
{
    int status = ((int (*)(int))real("close"))(fd); /* it is closed all the same */
    return fails(CLOSE) ? -1 : status;
}

int fsync(int fd)
{
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    name[n > 0 ? n : 0] = '\0';
    note("fsync", name, "");
    return fails(FSYNC) ? -1 : ((int (*)(int))real("fsync"))(fd);
}

int rename(const char *old, const char *new)
{
    note("rename", old, new);
    return fails(RENAME) ? -1 : ((int (*)(const char *, const char *))real("rename"))(old, new);
}

int unlink(const char *name)
{
    note("unlink", name, "");
    return ((int (*)(const char *))real("unlink"))(name);
}

int poll(struct pollfd *list, nfds_t n, int timeout)
{
    if (timeout && interrupts())
        return -1;
    return ((int (*)(struct pollfd *, nfds_t, int))real("poll"))(list, n, timeout);
}

int pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    return fails(THREAD) ? EAGAIN : ((create *)real("pthread_create"))(id, attr, start, arg);
}

/* ---- the time of day ---- */

static time_t jump(void)
{
    return shim.jumping ? count(&turns) % 2 ? -36000 : 86400 : 0;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int status = ((int (*)(clockid_t, struct timespec *))real("clock_gettime"))(clock, t);
    t->tv_sec += clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? jump() : 0;
    return status;
}

time_t time(time_t *to)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (to)
        *to = t.tv_sec;
    return t.tv_sec;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

/* ---- start and end ---- */

/* The code of the program, which is the first, and of libseccomp. */
static int find_code(struct dl_phdr_info *info, size_t size, void *arg)
{
    bool *later = arg, other = *later;
    (void)size;
    *later = true;
    if (other && !strstr(info->dlpi_name, "/libseccomp"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        uintptr_t start = info->dlpi_addr + part->p_vaddr, end = start + part->p_memsz;
        *(other ? &shim.other_start : &shim.start) = start;
        *(other ? &shim.other_end : &shim.end) = end;
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *fault = getenv("FAULT"), *log = getenv("FAULT_LOG");
    bool later = false;
    dl_iterate_phdr(find_code, &later);
    shim.log = log ? open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (shim.log >= 0 && shim.log < 100)
        shim.log = fcntl(shim.log, F_DUPFD_CLOEXEC, 100); /* not where the program's files are */
    shim.shortly = fault && strstr(fault, "short");
    shim.interrupted = fault && strstr(fault, "eintr");
    shim.jumping = fault && strstr(fault, "clock");
    for (int i = 0; fault && i < CALLS; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(fault, names[i], len) || fault[len] != '=')
            continue;
        shim.call = (enum call)i;
        shim.number = atol(fault + len + 1);
        shim.on = strchr(fault, '+');
    }
    shim.ready = true;
}

__attribute__((destructor)) static void end(void)
{
    char number[24];
    shim.ready = false;
    for (int i = 0; i < CALLS; i++) {
        snprintf(number, sizeof number, "%ld", counts[i]);
        note(names[i], number, "");
    }
    snprintf(number, sizeof number, "%ld", held);
    note("live", number, "");
}
