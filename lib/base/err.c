/* Errors as values: formatting and completing a struct err. */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void text_make_printable(char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];
        bool upper = c == 0xc2 && next >= 0x80 && next < 0xa0; /* U+0080 to U+009F, in UTF-8 */
        if (c < ' ' || c == 127 || upper)
            *s = '?';
        if (upper)
            *++s = '?';
    }
}

static void set(struct err *e, const char *format, va_list args, const char *reason)
{
    int n = vsnprintf(e->what, sizeof e->what, format, args);
    if (reason && n >= 0 && (size_t)n < sizeof e->what)
        snprintf(e->what + n, sizeof e->what - (size_t)n, ": %s", reason);
    text_make_printable(e->what);
}

int err_set(struct err *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (e)
        set(e, format, args, NULL);
    va_end(args);
    return -1;
}

int err_errno(struct err *e, const char *format, ...)
{
    const char *reason = strerror(errno);
    va_list args;
    va_start(args, format);
    if (e)
        set(e, format, args, reason);
    va_end(args);
    return -1;
}

int err_at(struct err *e, const char *file, long long frame)
{
    if (!e)
        return -1;
    if (file && !e->file[0]) {
        snprintf(e->file, sizeof e->file, "%s", *file ? file : "''");
        text_make_printable(e->file);
    }
    if (frame >= 0 && e->frame < 0)
        e->frame = frame;
    return -1;
}

char *err_text(const struct err *e, char *text, size_t size)
{
    char frame[32] = "";
    if (e->frame >= 0)
        snprintf(frame, sizeof frame, "frame %lld: ", e->frame);
    snprintf(text, size, "%s%s%s%s", e->file, e->file[0] ? ": " : "", frame, e->what);
    return text;
}
