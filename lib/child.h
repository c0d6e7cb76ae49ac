/* A command of the user's run beside a window: frames go to its standard input, lines come from its
 * standard output. Nothing here ever waits: frames that the command is too slow for are replaced by
 * newer ones (the newest wins), and a command that dies is noticed and started again by the next
 * frame. Its standard error is the caller's. */
#ifndef INKPIPE_CHILD_H
#define INKPIPE_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"

#define CHILD_MAX_LINE 65536 /* bytes with the NUL; a longer line comes in pieces */

struct child;

/* Prepare to run `sh -c command`; nothing is started. NULL when memory is short. The caller must
 * ignore SIGPIPE (the command gets the default back). Free with child_free, which closes the
 * command's input, gives it half a second to end, and then kills its process group. */
struct child *child_new(const char *command, struct err *e);
void child_free(struct child *c);

/* Send a frame; start the command when it is not running. A frame still waiting from before is
 * dropped. Returns 0; -1 when the command cannot be started. */
int child_send(struct child *c, const struct frame *f, struct err *e);

/* File descriptors for poll: the first to read (POLLIN; -1: none), the second to write (POLLOUT;
 * -1: nothing to write). c may be NULL: nothing either way. */
int child_read_fd(const struct child *c);
int child_write_fd(const struct child *c);

/* Has it closed its output and not ended yet? No descriptor tells of its end: look again after
 * CHILD_ENDS seconds. c may be NULL. */
bool child_is_ending(const struct child *c);
#define CHILD_ENDS 0.02

/* Do whatever can be done without waiting: write, read, notice a death. Call after poll. */
void child_work(struct child *c);

/* Take the next whole line out (without its newline); NULL when there is none. The text is owned by
 * c and lives until the next call. */
const char *child_line(struct child *c);

/* Is it running? And when it has ended by itself: how, in words ("ended with status 127",
 * "ended: Killed (signal 9)"), until it is started again; "" otherwise. */
bool child_is_running(const struct child *c);
const char *child_end(const struct child *c);

/* Frames handed over to the command in full since it was started. */
long child_frames_sent(const struct child *c);

#endif
