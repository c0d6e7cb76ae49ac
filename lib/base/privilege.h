/* Least privilege: a program that is about to read strangers' bytes gives up what it does not need,
 * so that a mistake in a parser (ours, zlib's, protobuf-c's, FFmpeg's) is not the whole account's.
 * By seccomp and Landlock on Linux, by pledge and unveil on OpenBSD; elsewhere nothing happens. */
#ifndef INKPIPE_PRIVILEGE_H
#define INKPIPE_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>

/* What may still be done by name, besides with what is open already. */
struct privilege {
    const char *const *file; /* to be read: the files that have these names now; "-" is none */
    size_t files;
    const char *folder[2]; /* which are there already: below them all may be done with files; NULL: none */
    bool window; /* there is a connection to an X server, which is talked to */
};

/* From now on, for this thread and those it starts (so call it before any are):
 *  - no other file is opened: the call fails with EACCES (Landlock, Linux 5.13);
 *  - of the kernel's calls those alone are left that reading and writing what is open, memory, threads
 *    and time take; any other, to start a program, make a socket, change a file, signal or look into
 *    another process, ends the program with SIGSYS (seccomp). Files are made and changed in the folders
 *    alone, never to run as their owner.
 * What stays possible: to ask whether files are there, and to write to whatever descriptors were
 * inherited. Returns which of them holds, in words, "none" where the system does not have it, or
 * refuses it, as some containers do: the program goes on. "none" in builds without SANDBOX and under
 * sanitizers, which need what it takes. */
const char *privilege_drop(const struct privilege *keep);

#endif
