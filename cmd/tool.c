#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer/answer.h"
#include "engine/engine.h"

static const char *program = "inkpipe";
static const char *usage_text = "";

static void say(const char *format, va_list args)
{
    char text[8192];
    vsnprintf(text, sizeof text, format, args);
    text_make_printable(text);
    fprintf(stderr, "%s: %s\n", program, text);
}

/* Of descriptors 0 to 2 those that were closed are taken, or the next file or connection opened would be
 * one of them. To read from or write to them fails as before. */
static void take_closed(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* Open a pipe or terminal anew where the system lets us: whether it waits is then not for others who have it to
 * say, nor for us to say to them. */
static void open_anew(int fd)
{
    char name[32];
    struct stat st;
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &st) || !(S_ISFIFO(st.st_mode) || isatty(fd)))
        return;
    int own = open(name, (flags & (O_ACCMODE | O_APPEND)) | O_NONBLOCK | O_NOCTTY);
    if (own >= 0) {
        dup2(own, fd);
        close(own);
    }
}

/* Whoever had a pipe before us may have left it nonblocking; we wait for what comes and goes. */
static void make_blocking(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        open_anew(fd);
        int flags = fcntl(fd, F_GETFL);
        if (flags >= 0 && flags & O_NONBLOCK)
            fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    }
}

void tool_init(const char *name, const char *usage)
{
    take_closed();
    make_blocking();
    opterr = 0; /* its words are not safe for a terminal */
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of writing */
    program = name;
    usage_text = usage;
}

int tool_error(const struct err *e)
{
    char text[640];
    fprintf(stderr, "%s: %s\n", program, err_text(e, text, sizeof text));
    return EXIT_FAILED;
}

void tool_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

void tool_note_clipping(const struct frame_reader *r)
{
    static bool said;
    if (!said && frame_was_clipped(r))
        tool_warn("%s: samples above maxval are taken as white", frame_stream_name(r));
    said |= frame_was_clipped(r);
}

const char *tool_model(const char *named, const char *how, const char *variable, const char *name)
{
    static char reader[PATH_MAX], finder[PATH_MAX]; /* one of each a program */
    char *found = strcmp(name, "find.onnx") ? reader : finder;
    const char *value = getenv(variable);
    if (named || (value && *value))
        return named ? named : value;
    if (model_find(name, found, PATH_MAX))
        return found;
    tool_warn("no model: name one with %s%s; neither %s nor the tree's models/%s is there", how, variable, found, name);
    return NULL;
}

void *tool_alloc(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    if (memory)
        return memory;
    exit(tool_error(&(struct err){"out of memory", "", -1}));
}

void tool_drop_privileges(struct privilege keep, char *const *file, size_t n)
{
    const char **all = tool_alloc(keep.files + n + 1, sizeof *all);
    for (size_t i = 0; i < keep.files + n; i++)
        all[i] = i < keep.files ? keep.file[i] : file[i - keep.files];
    keep.file = all;
    keep.files += n;
    privilege_drop(&keep);
    free(all);
}

static void print_version(void)
{
    const char *level = kernel_level(kernel_best()), *level8 = kernel_level(kernel8_named(kernel_best(), NULL));
    printf("%s (inkpipe) %s, %s kernels, int8: %s, sandbox: %s\n", program, VERSION, level, level8,
           privilege_drop(&(struct privilege){0}));
}

_Noreturn void tool_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    int first_line = (int)strcspn(usage_text, "\n");
    fprintf(stderr, "%.*s\n", first_line, usage_text);
    exit(EXIT_USAGE);
}

int tool_getopt(int argc, char **argv, const char *options)
{
    int option = getopt(argc, argv, options);
    if (option == 'h')
        fputs(usage_text, stdout);
    if (option == 'V')
        print_version();
    if (option == 'h' || option == 'V')
        exit(tool_close(EXIT_OK));
    if (option == '?')
        tool_usage("-%c: there is no such option, or its value is missing", optopt);
    return option;
}

long tool_int(int option, const char *text, long low, long high)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end == text || *end || errno || n < low || n > high)
        tool_usage("-%c %s: not a whole number from %ld to %ld", option, text, low, high);
    return n;
}

double tool_real(int option, const char *text, double low, double high)
{
    char *end;
    double x = strtod(text, &end);
    if (end == text || *end || !isfinite(x) || x < low || x > high)
        tool_usage("-%c %s: not a number from %g to %g", option, text, low, high);
    return x;
}

int tool_word(int option, const char *text, const char *words)
{
    int place = 0;
    for (const char *p = words; *p; place++) {
        size_t len = strcspn(p, ", ");
        if (strlen(text) == len && !memcmp(p, text, len))
            return place;
        p += len + strspn(p + len, ", ");
        p += strncmp(p, "or ", 3) ? 0 : 3;
    }
    tool_usage("-%c %s: not %s", option, text, words);
}

void tool_box(int option, const char *text, int box[4])
{
    if (!answer_parse_box(text, box))
        tool_usage("-%c %s: not x,y,w,h in pixels, like 100,50,200,200", option, text);
}

static volatile sig_atomic_t stopped;

static void note_end(int number)
{
    stopped = number;
}

void tool_catch_ends(sigset_t *open)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        sigaddset(&blocked, ends[i]);
        signal(ends[i], note_end);
    }
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &blocked, open);
}

bool tool_stopped(void)
{
    return stopped;
}

int tool_close(int status)
{
    int failed = ferror(stdout);
    if (fflush(stdout) || failed || (fclose(stdout) && errno != EBADF)) {
        if (errno != EPIPE) {
            tool_warn("standard output: %s", strerror(errno));
            return status == EXIT_OK ? EXIT_FAILED : status;
        }
    }
    return status;
}
