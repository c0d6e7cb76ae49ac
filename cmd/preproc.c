/* preproc: frames of any size -> 28x28 frames as MNIST makes them. */
#include <unistd.h>

#include "program/prepare.h"
#include "base/privilege.h"
#include "tool.h"

static const char usage[] =
    "usage: preproc [-m] [-j threads] [-r x,y,w,h] [file ...]\n"
    "Find the handwritten digit in each frame, cut it out and make it 28x28 as MNIST does.\n"
    "  -j threads   work on as many frames at once (1)\n"
    "  -m           every digit, in reading order, not only the most prominent one\n"
    "  -r x,y,w,h   look only in this region of the frame\n"
    "  -h           this help\n"
    "  -V           version\n";

static struct prepare_options parse(int argc, char **argv)
{
    struct prepare_options o = {.threads = 1, .out = STDOUT_FILENO, .report = tool_error,
                                .notice = tool_note_clipping};
    for (int c; (c = getopt(argc, argv, "hj:mr:V")) != -1;)
        switch (c) {
        case 'h': tool_help();
        case 'j': o.threads = (int)tool_int(c, optarg, 1, 256); break;
        case 'm': o.many = true; break;
        case 'r': tool_box(c, optarg, o.region); break;
        case 'V': tool_version();
        default: tool_usage(NULL);
        }
    return o;
}

int main(int argc, char **argv)
{
    static char *input[] = {NULL, NULL};
    struct err e = ERR_NONE;
    tool_init("preproc", usage);
    struct prepare_options o = parse(argc, argv);
    privilege_drop(&(struct privilege){.file = (const char *const *)argv + optind,
                                       .files = (size_t)(argc - optind)});
    struct prepare *p = prepare_new(&o, &e);
    int status = p ? EXIT_OK : tool_error(&e), ended = 0;
    char **file = optind < argc ? argv + optind : input;
    do {
        if (p && (ended = prepare_stream(p, *file)))
            status = EXIT_FAILED;
    } while (p && ended >= 0 && *file && *++file);
    prepare_free(p);
    return tool_close(status);
}
