/* Errors as values. A function of lib/ that can fail takes a `struct err *` as its last
 * argument, returns -1 (or NULL) on failure and has then filled it; lib/ itself never prints
 * and never exits. `main` prints it as `program: file: frame N: what went wrong`. */
#ifndef INKPIPE_ERR_H
#define INKPIPE_ERR_H

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct err {
    char what[320]; /* what went wrong, one line, no newline; "" when there is no error */
    char file[256]; /* the file or device it is about; "" when not known or not about one */
    long long frame; /* the frame in that file, from 0; -1 when it is not about a frame */
};

/* An err that says nothing yet. */
#define ERR_NONE {"", "", -1}

/* Fill e->what from a printf format, with err_errno ": " and strerror(errno) behind it; file and frame are left for
 * the caller that knows them. Control characters in the result become '?', so that hostile names cannot steer a
 * terminal. e may be NULL. They return -1, so that `return err_set(e, ...)` reads well. */
#define err_set(e, ...) err_because(e, NULL, __VA_ARGS__)
#define err_errno(e, ...) err_because(e, strerror(errno), __VA_ARGS__)
int err_because(struct err *e, const char *reason, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Say which file (NULL: unchanged) and frame (-1: unchanged) e is about, unless it already
 * says so: the innermost caller that knows wins. Returns -1. */
int err_at(struct err *e, const char *file, long long frame);

/* Make a text from strangers safe for a terminal and a log: control characters, marks of direction and
 * bytes that are no UTF-8 become `?`, and users, passwords and queries of URLs are taken out. */
void text_make_printable(char *s);

/* The character that s begins with, in UTF-8, and its length in bytes; what is none is -1, of one byte. */
long text_character(const char *s, int *bytes);

/* Take `user:password@` and the query, `?...`, out of the URLs in s. */
void text_hide_password(char *s);

/* A name as it may stand in a fact or an answer: bytes outside printable ASCII, space and those of `also` become %XX.
 * Writes at most size bytes, 1 or more, with the NUL; returns text. */
char *text_percent(const char *s, const char *also, char *text, size_t size);

/* Write `file: frame N: what` into text (leaving out what is not known). Returns text. */
char *err_text(const struct err *e, char *text, size_t size);

#endif
