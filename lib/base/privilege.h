/* Least privilege: a program that is about to read strangers' bytes gives up what it does not need,
 * so that a mistake in a parser (ours, zlib's, protobuf-c's, FFmpeg's) is not the whole account's.
 * By seccomp and Landlock on Linux, by pledge and unveil on OpenBSD; elsewhere nothing happens. */
#ifndef INKPIPE_PRIVILEGE_H
#define INKPIPE_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>

/* What may still be opened by name, besides what is open already. */
struct privilege {
    const char *const *file; /* to be read: the files that have these names now; "-" is none */
    size_t files;
    const char *folder; /* which is there already: below it all may be done with files; NULL: none */
};

/* From now on, for this thread and those it starts (so call it before any are):
 *  - no other file is opened: the call fails with EACCES (Landlock, Linux 5.13);
 *  - no file is opened to be written, made, renamed or removed, unless there is a folder for that;
 *    no program or process started, no socket made, no other process looked into or signalled, no
 *    character put into a terminal's input: trying ends the program with SIGSYS (seccomp).
 * Returns true when all of that holds; false when the system does not have it, or refuses it, as
 * some containers do: then as much holds as could be had, and the program goes on. Never holds in
 * builds without SANDBOX and under sanitizers, which need what it takes. */
bool privilege_drop(const struct privilege *keep);

#endif
