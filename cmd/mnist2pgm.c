/* mnist2pgm: IDX images and labels, as MNIST has them, to a stream of frames, or to files in folders.
 * lib/stream reads the two files side by side (idx) and writes the frames, which carry the facts source,
 * frame and, of a labelled image, label. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/grow.h"
#include "base/privilege.h"
#include "tool.h"

static const char usage[] =
    "usage: mnist2pgm [-hTV] [-d dir] [-M mapping] [-r from:to] images [labels]\n"
    "  -d dir      write dir/LABEL/NNNNN.pgm files instead of a stream\n"
    "  -h          this help\n"
    "  -M mapping  labels are characters: a line is a label's number and the code of its\n"
    "              character (emnist-byclass-mapping.txt)\n"
    "  -r from:to  only images from..to-1, counted from 0; either may be left out\n"
    "  -T          rows and columns are exchanged, as in EMNIST\n"
    "  -V          version\n"
    "Reads IDX files, plain or gzip; - is standard input. Frames carry the facts\n"
    "source, frame and, when there are labels, label.\n"
    "example: mnist2pgm t10k-images-idx3-ubyte t10k-labels-idx1-ubyte | preproc |\n"
    "         cnn-predict -e\n";

struct options {
    const char *images, *labels; /* IDX files, "-": standard input; labels may be NULL */
    uint32_t from, to;           /* images from..to-1, or to the last */
    bool transposed;             /* rows and columns are to be exchanged */
    const char *mapping;         /* a file: number and character code a line; NULL: none */
    const char *dir;             /* the folder for dir/LABEL/NNNNN.pgm; NULL: a stream */
};

static uint32_t range_end(const char *text, uint32_t absent, char **end)
{
    *end = (char *)text;
    if (*text < '0' || *text > '9')
        return absent;
    errno = 0;
    unsigned long n = strtoul(text, end, 10);
    if (errno || n > UINT32_MAX)
        *end = "?";
    return (uint32_t)n;
}

static void parse_range(const char *text, struct options *o)
{
    char *end;
    o->from = range_end(text, 0, &end);
    if (*end == ':') {
        o->to = range_end(end + 1, UINT32_MAX, &end);
        if (!*end && o->from <= o->to)
            return;
    }
    tool_usage("-r %s: not a range like 0:1000", text);
}

static void parse(int argc, char **argv, struct options *o)
{
    for (int c; (c = tool_getopt(argc, argv, "d:hM:r:TV")) != -1;) {
        switch (c) {
        case 'd': o->dir = optarg; break;
        case 'M': o->mapping = optarg; break;
        case 'r': parse_range(optarg, o); break;
        case 'T': o->transposed = true; break;
        }
    }
    if (argc - optind < 1 || argc - optind > 2)
        tool_usage("one file of images is needed, and one of labels may follow");
    o->images = argv[optind];
    o->labels = argv[optind + 1];
    if (o->labels && !strcmp(o->images, "-") && !strcmp(o->labels, "-"))
        tool_usage("images and labels cannot both come from standard input");
    if (o->mapping && !o->labels)
        tool_usage("-M: there is no file of labels");
    if (!o->dir && isatty(STDOUT_FILENO))
        tool_usage("frames are not for a terminal: use a pipe, a file or -d");
}

static void warn_emnist(const struct options *o)
{
    const char *slash = strrchr(o->images, '/');
    if (!o->transposed && !strncmp(slash ? slash + 1 : o->images, "emnist-", 7))
        tool_warn("%s: EMNIST stores images transposed: -T is probably wanted", o->images);
}

/* One conversion under way. */
struct job {
    const struct options *o;
    struct stream_idx *idx;
    struct frame frame;
    char (*name)[LABEL_SIZE]; /* [LABEL_MAX_CLASSES]: the labels' characters; NULL: numbers */
    uint8_t *item; /* an image as it is stored */
    char *wire;    /* frames on their way out */
    size_t len, size;
};

#define MAX_MAPPING 1000000L /* A mapping has at most so many bytes. */

enum { WIRE_BYTES = 65536 /* frames are written once so many bytes wait: a pipe's worth */ };

static int flush(struct job *j, struct err *e)
{
    int status = write_all(STDOUT_FILENO, j->wire, j->len);
    j->len = 0;
    if (status == 0)
        return 0;
    if (errno == EPIPE)
        return 1;
    return err_errno(e, "cannot write") | err_at(e, "standard output", -1);
}

/* Write the frame to DIR/LABEL/NNNNN.pgm. */
static int write_file(struct job *j, uint32_t number, struct err *e)
{
    char path[PATH_MAX], label[LABEL_SIZE];
    int n = snprintf(path, sizeof path, "%s", j->o->dir);
    if (frame_label(&j->frame, label) > 0 && n < PATH_MAX) {
        n += snprintf(path + n, sizeof path - (size_t)n, "/%s", label);
        if (n < PATH_MAX && file_make_folder(path, e) < 0)
            return -1;
    }
    if (n < PATH_MAX)
        n += snprintf(path + n, sizeof path - (size_t)n, "/%05lu.pgm", (unsigned long)number);
    if (n >= PATH_MAX)
        return err_set(e, "%s: name too long", j->o->dir);
    j->len = 0;
    if (frame_append(&j->wire, &j->len, &j->size, &j->frame, e) < 0)
        return -1;
    return file_replace(path, j->wire, j->len, e);
}

static int set_facts(struct job *j, uint32_t number, int label, struct err *e)
{
    char text[16];
    if (frame_set_number(&j->frame, "frame", number, e) < 0)
        return -1;
    if (label < 0)
        return 0;
    snprintf(text, sizeof text, "%d", label);
    const char *name = j->name ? label < LABEL_MAX_CLASSES ? j->name[label] : "" : text;
    if (!*name)
        return err_set(e, "label %d is not in %s", label, j->o->mapping) | err_at(e, j->o->labels, number);
    return frame_set_fact(&j->frame, "label", name, e);
}

/* Convert image `number`, the next, or pass it over. Returns 0; 1 when there is none, or nobody reads; -1. */
static int convert(struct job *j, uint32_t number, struct err *e)
{
    int label;
    int got = idx_read(j->idx, j->item ? j->item : j->frame.gray, &label, e);
    if (got <= 0)
        return got < 0 ? -1 : 1;
    if (number < j->o->from)
        return 0;
    if (j->item)
        idx_transpose(j->item, j->frame.height, j->frame.width, j->frame.gray);
    if (set_facts(j, number, label, e) < 0)
        return -1;
    if (j->o->dir)
        return write_file(j, number, e);
    if (frame_append(&j->wire, &j->len, &j->size, &j->frame, e) < 0)
        return -1;
    return j->len >= WIRE_BYTES ? flush(j, e) : 0;
}

/* A line of a mapping: a label's number, and the codes of the characters that it stands for, of which the
 * first is taken. */
static int map_line(struct job *j, const char *line, struct err *e)
{
    char *end;
    long number = strtol(line, &end, 10);
    if (end == line || number < 0 || number >= LABEL_MAX_CLASSES)
        return err_set(e, "'%.20s' does not begin with a label, 0 to %d", line, LABEL_MAX_CLASSES - 1);
    const char *code = end;
    long character = strtol(code, &end, 10);
    if (end == code || character < 0 || character > 127 || strspn(end, "0123456789 \t\r") != strlen(end) ||
        !label_of_character((int)character, j->name[number]))
        return err_set(e, "'%.20s' is not a label and the code of a printable character", line);
    return 0;
}

static int read_mapping(struct job *j, const char *file, struct err *e)
{
    uint8_t *text;
    size_t len;
    int status = 0;
    if (file_load(file, MAX_MAPPING, &text, &len, e))
        return -1;
    if (!(j->name = zeroed(LABEL_MAX_CLASSES, sizeof *j->name, e)))
        status = -1;
    char *rest = (char *)text;
    for (char *line; !status && (line = strtok_r(rest, "\n", &rest));)
        if (line[strspn(line, " \t\r")])
            status = map_line(j, line, e);
    free(text);
    return status ? err_at(e, file, -1) : 0;
}

static int prepare(struct job *j, struct err *e)
{
    const struct options *o = j->o;
    char source[PATH_MAX];
    if (o->mapping && read_mapping(j, o->mapping, e))
        return -1;
    if (!(j->idx = idx_open(o->images, o->labels, e)))
        return -1;
    int width = idx_width(j->idx), height = idx_height(j->idx);
    if (o->transposed && !(j->item = zeroed((size_t)width, (size_t)height, e)))
        return -1;
    if (frame_resize(&j->frame, o->transposed ? height : width, o->transposed ? width : height, e) < 0)
        return -1;
    text_percent(o->images, "%", source, sizeof source);
    return frame_set_fact(&j->frame, "source", source, e);
}

/* All frames before one that is wrong are written. */
static int convert_all(const struct options *o, struct err *e)
{
    struct job j = {.o = o};
    struct err unwritten = ERR_NONE;
    int ended = prepare(&j, e);
    for (uint32_t i = 0; ended == 0 && i < o->to; i++)
        ended = convert(&j, i, e);
    if (!o->dir && flush(&j, &unwritten) < 0) {
        *e = unwritten;
        ended = -1;
    }
    idx_close(j.idx);
    frame_free(&j.frame);
    free(j.item);
    free(j.name);
    free(j.wire);
    return ended < 0 ? -1 : 0;
}

static int run(const struct options *o)
{
    struct err e = ERR_NONE;
    const char *files[3] = {o->images};
    size_t n = 1;
    if (o->labels)
        files[n++] = o->labels;
    if (o->mapping)
        files[n++] = o->mapping;
    if (o->dir && file_make_folder(o->dir, &e) < 0)
        return tool_error(&e);
    privilege_drop(&(struct privilege){files, n, {o->dir}, false});
    warn_emnist(o);
    return convert_all(o, &e) < 0 ? tool_error(&e) : EXIT_OK;
}

int main(int argc, char **argv)
{
    struct options o = {.to = UINT32_MAX};
    tool_init("mnist2pgm", usage);
    parse(argc, argv, &o);
    return tool_close(run(&o));
}
