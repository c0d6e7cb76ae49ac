/* Errors as values: formatting and completing a struct err. */
#include "err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

long text_character(const char *s, int *bytes)
{
    const unsigned char *c = (const unsigned char *)s;
    static const long least[] = {0, 0, 0x80, 0x800, 0x10000};
    int n = c[0] < 0x80 ? 1 : c[0] < 0xc0 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf8 ? 4 : 0;
    long code = n == 1 ? c[0] : n ? c[0] & (0x7f >> n) : -1;
    *bytes = 1;
    for (int i = 1; i < n; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return -1;
        code = code << 6 | (c[i] & 0x3f);
    }
    if (n == 0 || code < least[n])
        return -1;
    *bytes = n;
    return code;
}

/* Characters that steer a terminal: controls, and marks of direction, of lines and of bytes. */
static bool is_harmful(long c)
{
    return c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff;
}

/* Take out the query of the URL that s begins with, which is how many cameras are told a password. */
static void cut_query(char *s)
{
    char *query = s + strcspn(s, "? \t\n");
    if (*query != '?')
        return;
    size_t len = strcspn(query, " \t\n");
    if (query[len - 1] == ':') /* the text's, not the URL's */
        len--;
    memmove(query, query + len, strlen(query + len) + 1);
}

/* Of n bytes those up to the last @. */
static size_t up_to_at(const char *s, size_t n)
{
    while (n > 0 && s[n - 1] != '@')
        n--;
    return n;
}

/* How many bytes of a URL, from its host on, are a user and a password. A password that was typed as it is may
 * hold what ends a host: then what follows the colon is no port. */
static size_t user_length(const char *s)
{
    size_t end = strcspn(s, "/?# \t\n"), user = up_to_at(s, end), port = user + strcspn(s + user, ":/?# \t\n") + 1;
    if (port < end && s[user] != '[' && port + strspn(s + port, "0123456789") < end)
        user = up_to_at(s, strcspn(s, "\n"));
    return user;
}

void text_hide_password(char *s)
{
    char *at = s;
    while ((at = strstr(at, "://"))) {
        at += 3;
        size_t user = user_length(at);
        memmove(at, at + user, strlen(at + user) + 1);
        cut_query(at);
    }
}

void text_make_printable(char *s)
{
    text_hide_password(s);
    for (int bytes; *s; s += bytes)
        if (is_harmful(text_character(s, &bytes)))
            memset(s, '?', (size_t)bytes);
}

char *text_percent(const char *s, const char *also, char *text, size_t size)
{
    size_t n = 0;
    for (; *s; s++) {
        bool plain = *s > ' ' && *s <= '~' && !strchr(also, *s);
        if (n + (plain ? 1 : strlen("%XX")) >= size)
            break;
        n += (size_t)sprintf(text + n, plain ? "%c" : "%%%02X", (unsigned char)*s);
    }
    text[n] = '\0';
    return text;
}

enum { MAX_TEXT = 8192 }; /* Bytes of a text before it is cut: what is half a password could not be told. */

/* Make `text`, of MAX_TEXT bytes, safe to print, and put what of it fits into `to`. */
static void put(char *to, size_t size, char *text)
{
    text_make_printable(text);
    snprintf(to, size, "%.*s", (int)size - 1, text);
}

int err_because(struct err *e, const char *reason, const char *format, ...)
{
    char text[MAX_TEXT];
    va_list args;
    if (!e)
        return -1;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (reason && n >= 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, ": %s", reason);
    put(e->what, sizeof e->what, text);
    return -1;
}

int err_at(struct err *e, const char *file, long long frame)
{
    char text[MAX_TEXT];
    if (!e)
        return -1;
    if (file && !e->file[0]) {
        snprintf(text, sizeof text, "%s", *file ? file : "''");
        put(e->file, sizeof e->file, text);
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
