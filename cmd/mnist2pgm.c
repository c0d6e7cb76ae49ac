/* mnist2pgm: IDX images and labels, as MNIST has them, to a stream of frames. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/privilege.h"
#include "tool.h"
#include "program/idx_frames.h"

static const char usage[] =
    "usage: mnist2pgm [-hTV] [-d dir] [-r from:to] images [labels]\n"
    "  -d dir      write dir/LABEL/NNNNN.pgm files instead of a stream\n"
    "  -h          this help\n"
    "  -r from:to  only images from..to-1, counted from 0; either may be left out\n"
    "  -T          rows and columns are exchanged, as in EMNIST\n"
    "  -V          version\n"
    "Reads IDX files, plain or gzip; - is standard input. Frames carry the facts\n"
    "source, frame and, when there are labels, label.\n"
    "example: mnist2pgm t10k-images-idx3-ubyte t10k-labels-idx1-ubyte | preproc |\n"
    "         cnn-predict -e\n";

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

static void parse_range(const char *text, struct idx_frames_options *o)
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

static void parse(int argc, char **argv, struct idx_frames_options *o)
{
    for (int c; (c = getopt(argc, argv, "d:hr:TV")) != -1;) {
        switch (c) {
        case 'd': o->dir = optarg; break;
        case 'h': tool_help();
        case 'r': parse_range(optarg, o); break;
        case 'T': o->transposed = true; break;
        case 'V': tool_version();
        default: tool_usage(NULL);
        }
    }
    if (argc - optind < 1 || argc - optind > 2)
        tool_usage("one file of images is needed, and one of labels may follow");
    o->images = argv[optind];
    o->labels = argv[optind + 1];
    if (o->labels && !strcmp(o->images, "-") && !strcmp(o->labels, "-"))
        tool_usage("images and labels cannot both come from standard input");
    if (!o->dir && isatty(STDOUT_FILENO))
        tool_usage("frames are not for a terminal: use a pipe, a file or -d");
}

static void warn_emnist(const struct idx_frames_options *o)
{
    const char *slash = strrchr(o->images, '/');
    if (!o->transposed && !strncmp(slash ? slash + 1 : o->images, "emnist-", 7))
        tool_warn("%s: EMNIST stores images transposed: -T is probably wanted", o->images);
}

static int run(const struct idx_frames_options *o)
{
    struct err e = ERR_NONE;
    const char *files[] = {o->images, o->labels};
    if (o->dir && file_make_folder(o->dir, &e) < 0)
        return tool_error(&e);
    privilege_drop(&(struct privilege){files, o->labels ? 2 : 1, o->dir});
    warn_emnist(o);
    return idx_frames(o, &e) < 0 ? tool_error(&e) : EXIT_OK;
}

int main(int argc, char **argv)
{
    struct idx_frames_options o = {.to = UINT32_MAX, .out = STDOUT_FILENO};
    tool_init("mnist2pgm", usage);
    parse(argc, argv, &o);
    return tool_close(run(&o));
}
