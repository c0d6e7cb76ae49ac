/* xview: show a frame stream in a window, and what a command says about it. */
#include <unistd.h>

#include "tool.h"
#include "program/viewer.h"

static const char usage[] =
    "usage: xview [-hptVx] [-d seconds] [-e command] [-o file] [-r x,y,w,h] [-s seconds] "
    "[-z scale] [file ...]\n"
    "Show frames from files or standard input in a window, with answers drawn over them.\n"
    "  -d seconds  show each frame at least so long (0)\n"
    "  -e command  run it beside the window: the region's frames in, answers out\n"
    "  -o file     where digit keys append the region's frame (labelled.pgm)\n"
    "  -p          pass all frames on to standard output\n"
    "  -r x,y,w,h  the region that is read, in the frame's pixels (all of it)\n"
    "  -s seconds  an answer must hold so long before the large number changes (0.25)\n"
    "  -t          show recorded frames at the pace of their time fact\n"
    "  -x          exit at the end of the stream\n"
    "  -z scale    size of the text (1: a plain screen; default: from Xft.dpi)\n"
    "  -h, -V      this help; the version\n"
    "keys: q quit, space pause, s save the frame as xview-NNNN.pgm, 0..9 save labelled\n"
    "  camgrab | xview -r 300,100,200,200 -e 'preproc | cnn-predict'\n";

static struct viewer_options parse(int argc, char **argv)
{
    struct viewer_options o = {.labelled = "labelled.pgm", .hold = 0.25, .report = tool_error,
                               .stopped = tool_stopped};
    int c, region[4] = {0};
    while ((c = getopt(argc, argv, "d:e:o:pr:s:txz:hV")) != -1)
        switch (c) {
        case 'd': o.least = tool_real(c, optarg, 0, 86400); break;
        case 'e': o.command = optarg; break;
        case 'o': o.labelled = optarg; break;
        case 'p': o.pass = true; break;
        case 'r': tool_box(c, optarg, region); break;
        case 's': o.hold = tool_real(c, optarg, 0, 3600); break;
        case 't': o.paced = true; break;
        case 'x': o.exit_at_end = true; break;
        case 'z': o.scale = tool_real(c, optarg, 0.5, 8); break;
        case 'h': tool_help();
        case 'V': tool_version();
        default: tool_usage(NULL);
        }
    o.region = (struct rect){region[0], region[1], region[2], region[3]};
    if (o.pass && isatty(1))
        tool_usage("-p: frames are not for a terminal");
    if (optind == argc && isatty(0))
        tool_usage("no frames: name a file, or join a program with |");
    return o;
}

int main(int argc, char **argv)
{
    struct err e = ERR_NONE;
    sigset_t open;
    tool_init("xview", usage);
    struct viewer_options o = parse(argc, argv);
    tool_catch_ends(&open);
    struct viewer *v = viewer_new(&o, argv + optind, argc - optind, &e);
    int got = v ? viewer_run(v, &open, &e) : -1;
    if (got < 0)
        tool_error(&e);
    viewer_free(v);
    return tool_close(got ? EXIT_FAILED : EXIT_OK);
}
