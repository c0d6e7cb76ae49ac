/* Answers read back from their lines, which may be strangers' bytes: any program may write them.
 *   in   a line of text or JSON (RFC 8259, as far as cnn-predict writes it)
 *   out  struct answer, every field checked */
#include "answer.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CELL 9999 /* A field of a form has at most so many cells. */
#define MAX_BOX 16384 /* A number of a box is at most so many pixels: FRAME_MAX_SIDE. */

static bool parse_whole(const char *text, char **end, long long low, long long high, long long *n)
{
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *n = strtoll(text, end, 10);
    return !errno && *n >= low && *n <= high;
}

static bool parse_probability(const char *text, char **end, double *p)
{
    if (*text < '0' || *text > '9')
        return false;
    *p = strtod(text, end);
    return *p >= 0 && *p <= 1;
}

bool answer_parse_box(const char *text, int box[4])
{
    int read[4];
    for (int i = 0; i < 4; i++) {
        long long n;
        char *end;
        if (!parse_whole(text, &end, i < 2 ? 0 : 1, MAX_BOX, &n) || *end != (i < 3 ? ',' : '\0'))
            return false;
        read[i] = (int)n;
        text = end + 1;
    }
    memcpy(box, read, sizeof read);
    return true;
}

static bool printable(const char *s)
{
    for (; *s; s++)
        if (*s < ' ' || *s > '~')
            return false;
    return true;
}

/* Copy a field. Returns false when it is not printable ASCII or does not fit. */
static bool take(char *to, size_t size, const char *from)
{
    if (strlen(from) >= size || !printable(from))
        return false;
    strcpy(to, from);
    return true;
}

static bool add_candidate(struct answer *a, const char *label, double probability)
{
    if (a->candidates == ANSWER_MAX_CANDIDATES || !*label || !strcmp(label, "-"))
        return false;
    struct answer_candidate *c = &a->candidate[a->candidates];
    if (!take(c->label, sizeof c->label, label))
        return false;
    c->probability = probability;
    a->candidates++;
    return true;
}

static bool parse_field(struct answer *a, int index, char *field)
{
    char *end = field;
    bool there = strcmp(field, "-") != 0;
    switch (index) {
    case 0:
        return *field && take(a->digit, sizeof a->digit, field);
    case 1:
        return !there || (parse_probability(field, &end, &a->probability) && !*end);
    case 2:
        return *field && take(a->source, sizeof a->source, field);
    case 3:
        return !there || (parse_whole(field, &end, 0, LLONG_MAX, &a->frame) && !*end);
    case 4:
        return !there || answer_parse_box(field, a->box);
    }
    char *colon = strrchr(field, ':');
    double p;
    if (!colon || !parse_probability(colon + 1, &end, &p) || *end)
        return false;
    *colon = '\0';
    if (!a->candidates && answer_given(a) && (a->probability < 0 || !add_candidate(a, a->digit, a->probability)))
        return false;
    return add_candidate(a, field, p);
}

static int parse_text(char *line, struct answer *a, struct err *e)
{
    static const char *const name[] = {"digit", "probability", "source", "frame", "box"};
    for (int i = 0; line; i++) {
        char *field = line, *tab = strchr(line, '\t');
        line = tab ? tab + 1 : NULL;
        if (tab)
            *tab = '\0';
        if (!parse_field(a, i, field))
            return err_set(e, "not an answer: %s \"%.40s\"", i < 5 ? name[i] : "runner-up", field);
    }
    return 0;
}

/* A parser of JSON text. `ok` becomes false at the first error and stays so. */
struct json {
    char *p;
    bool ok;
};

static char json_peek(struct json *j)
{
    j->p += strspn(j->p, " \t\r\n");
    return *j->p;
}

static bool json_accept(struct json *j, char c)
{
    if (!j->ok || json_peek(j) != c)
        return false;
    j->p++;
    return true;
}

static void json_expect(struct json *j, char c)
{
    j->ok = json_accept(j, c);
}

static bool json_null(struct json *j)
{
    if (!j->ok || json_peek(j) != 'n')
        return false;
    j->ok = !strncmp(j->p, "null", 4);
    j->p += j->ok ? 4 : 0;
    return true;
}

/* A string, unescaped in place (only what answer_json escapes is read). */
static const char *json_string(struct json *j)
{
    json_expect(j, '"');
    char *start = j->p, *to = j->p;
    while (j->ok && *j->p != '"') {
        if (*j->p == '\\' && strchr("\"\\/", j->p[1]))
            j->p++;
        else if (*j->p == '\\')
            j->ok = false;
        if (!*j->p)
            j->ok = false;
        else
            *to++ = *j->p++;
    }
    if (!j->ok)
        return "";
    j->p++;
    *to = '\0';
    return start;
}

static void json_text(struct json *j, char *to, size_t size)
{
    if (json_null(j))
        return;
    const char *s = json_string(j);
    j->ok = j->ok && *s && take(to, size, s);
}

static long long json_whole(struct json *j, long long low)
{
    long long n = -1;
    json_peek(j);
    j->ok = j->ok && parse_whole(j->p, &j->p, low, LLONG_MAX, &n);
    return n;
}

static int json_cell(struct json *j)
{
    long long n = json_whole(j, 0);
    j->ok = j->ok && n <= MAX_CELL;
    return j->ok ? (int)n : -1;
}

static double json_probability(struct json *j)
{
    double p = -1;
    json_peek(j);
    j->ok = j->ok && parse_probability(j->p, &j->p, &p);
    return p;
}

static void json_box(struct json *j, int box[4])
{
    if (json_null(j))
        return;
    json_expect(j, '[');
    for (int i = 0; i < 4 && j->ok; i++) {
        long long n = json_whole(j, i < 2 ? 0 : 1);
        j->ok = j->ok && n <= MAX_BOX;
        if (j->ok)
            box[i] = (int)n;
        json_expect(j, i < 3 ? ',' : ']');
    }
}

static void json_candidates(struct json *j, struct answer *a)
{
    if (json_null(j))
        return;
    json_expect(j, '{');
    if (json_accept(j, '}'))
        return;
    do {
        const char *label = json_string(j);
        json_expect(j, ':');
        double p = json_probability(j);
        j->ok = j->ok && add_candidate(a, label, p);
    } while (json_accept(j, ','));
    json_expect(j, '}');
}

/* Skip a value that is not ours: to the comma or bracket that ends it. */
static void json_skip(struct json *j)
{
    int depth = 0;
    while (j->ok) {
        char c = json_peek(j);
        if (!depth && (c == ',' || c == '}'))
            return;
        if (c == '"') {
            for (j->p++; *j->p && *j->p != '"'; j->p++)
                j->p += *j->p == '\\' && j->p[1];
            c = *j->p;
        }
        depth += (c == '[' || c == '{') - (c == ']' || c == '}');
        j->ok = c && depth >= 0;
        j->p++;
    }
}

static void json_member(struct json *j, struct answer *a)
{
    const char *key = json_string(j);
    json_expect(j, ':');
    if (!strcmp(key, "digit"))
        json_text(j, a->digit, sizeof a->digit);
    else if (!strcmp(key, "source"))
        json_text(j, a->source, sizeof a->source);
    else if (!strcmp(key, "label"))
        json_text(j, a->label, sizeof a->label);
    else if (!strcmp(key, "field"))
        json_text(j, a->field, sizeof a->field);
    else if (!strcmp(key, "page"))
        json_text(j, a->page, sizeof a->page);
    else if (!strcmp(key, "cell"))
        a->cell = json_null(j) ? -1 : json_cell(j);
    else if (!strcmp(key, "box"))
        json_box(j, a->box);
    else if (!strcmp(key, "probabilities"))
        json_candidates(j, a);
    else if (!strcmp(key, "probability"))
        a->probability = json_null(j) ? -1 : json_probability(j);
    else if (!strcmp(key, "frame"))
        a->frame = json_null(j) ? -1 : json_whole(j, 0);
    else
        json_skip(j);
}

static bool is_candidate(const struct answer *a, const char *label)
{
    for (int i = 0; i < a->candidates; i++)
        if (!strcmp(a->candidate[i].label, label))
            return true;
    return false;
}

static int parse_json(char *line, struct answer *a, struct err *e)
{
    struct json j = {line, true};
    json_expect(&j, '{');
    if (!json_accept(&j, '}')) {
        do
            json_member(&j, a);
        while (json_accept(&j, ','));
        json_expect(&j, '}');
    }
    /* As text it would be taken for JSON. */
    if (a->digit[0] == '{')
        return err_set(e, "not an answer: a digit that begins with {");
    if (a->candidates && answer_given(a) && (a->probability < 0 || !is_candidate(a, a->digit)))
        return err_set(e, "not an answer: a digit that has no probability");
    if (j.ok && !json_peek(&j))
        return 0;
    return err_set(e, "not an answer: JSON wrong at byte %td", j.p - line);
}

int answer_parse(const char *line, struct answer *a, struct err *e)
{
    size_t len = strcspn(line, "\n");
    answer_clear(a);
    if (!len)
        return err_set(e, "not an answer: an empty line");
    if (len >= ANSWER_LINE)
        return err_set(e, "not an answer: a line of %zu bytes", len);
    char *text = strndup(line, len);
    if (!text)
        return err_set(e, "out of memory");
    int status = text[0] == '{' ? parse_json(text, a, e) : parse_text(text, a, e);
    free(text);
    return status;
}
