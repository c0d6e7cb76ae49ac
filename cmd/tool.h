/* What every program's main shares: how it talks and how it ends. */
#ifndef INKPIPE_TOOL_H
#define INKPIPE_TOOL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/privilege.h"
#include "stream/stream.h"

/* Exit statuses, the same in every program. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_ANSWER = 3 };

/* Remember the program's name and usage text ("usage: ..." lines; one screen). First call. */
void tool_init(const char *name, const char *usage);

/* Print `program: file: frame N: what went wrong` on stderr. Returns EXIT_FAILED. */
int tool_error(const struct err *e);

/* Print `program: ` and a message on stderr. */
void tool_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Call after each frame_read: says once that samples above maxval were taken as white. */
void tool_note_clipping(const struct frame_reader *r);

/* The file of a model: the one named, or where that is NULL what the environment variable names, or the one
 * called `name` that is installed, or the tree's. NULL when there is none, which was reported; how: what else
 * than the variable names it, as in "-m or ". */
const char *tool_model(const char *named, const char *how, const char *variable, const char *name);
#define TOOL_FINDER "INKPIPE_FINDER", "find.onnx"
#define TOOL_READER "INKPIPE_MODEL", "default.onnx"

/* n items of `size` bytes, all zero; ends the program when memory is short. */
void *tool_alloc(size_t n, size_t size);

/* Models and frames are from strangers: from here on nothing is opened but what `keep` says and these n files. */
void tool_drop_privileges(struct privilege keep, char *const *file, size_t n);

/* getopt, which ends the program at -h (usage on stdout, exit 0), at -V (name, version, kernel level and what of the
 * sandbox holds here on stdout, exit 0) and, by tool_usage, at an option that is none. */
int tool_getopt(int argc, char **argv, const char *options);

/* A wrong option or operand: message, then the usage's first line, exit 2. */
_Noreturn void tool_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The value of an option as a number within [low, high]; otherwise tool_usage names option and value. */
long tool_int(int option, const char *text, long low, long high);
double tool_real(int option, const char *text, double low, double high);

/* The place, from 0, of the value among words such as "adamw, adam or sgd". */
int tool_word(int option, const char *text, const char *words);

/* The same of a rectangle "x,y,w,h" in pixels, which has at least one. */
void tool_box(int option, const char *text, int box[4]);

/* For programs that clean up behind themselves: from now on SIGINT, SIGTERM and SIGHUP are noted and SIGPIPE is
 * ignored. They are delivered only while ppoll waits with *open as its mask, so that none is missed. */
void tool_catch_ends(sigset_t *open);
bool tool_stopped(void);

/* The last call of main: flush and close stdout; a failed write (full disk) turns EXIT_OK into
 * EXIT_FAILED with a message. Returns the status to exit with. */
int tool_close(int status);

#endif
