/* xcanvas: draw with the mouse, a frame at each release of the button. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program/canvas.h"
#include "window/window.h"
#include "tool.h"

static const char usage[] =
    "usage: xcanvas [-hlV] [-e command] [-p pen] [-z scale]\n"
    "Draw with the mouse, white on black; each release of the button writes a frame of 280x280.\n"
    "  -e command  run it beside the window: frames in, answers out, shown with their bars\n"
    "  -l          write only labelled drawings (the default when output is appended to a file)\n"
    "  -p pen      width of the pen in pixels of the frame (28)\n"
    "  -z scale    size of the window's parts (1: a plain screen; default: from Xft.dpi)\n"
    "  -h, -V      this help; the version\n"
    "keys: c clear, u undo a stroke, 0..9 label the drawing, write it and begin anew, q quit\n"
    "  xcanvas | preproc | cnn-predict\n"
    "  xcanvas -e 'preproc | cnn-predict -k 9'\n"
    "  xcanvas >> mine.pgm\n";

static struct canvas_options parse(int argc, char **argv)
{
    struct canvas_options o = {.pen = 28, .stopped = tool_stopped};
    struct stat st;
    int c;
    o.labelled_only = fstat(1, &st) == 0 && S_ISREG(st.st_mode) && fcntl(1, F_GETFL) & O_APPEND;
    while ((c = getopt(argc, argv, "e:lp:z:hV")) != -1)
        switch (c) {
        case 'e': o.command = optarg; break;
        case 'l': o.labelled_only = true; break;
        case 'p': o.pen = tool_real(c, optarg, 1, SKETCH_SIDE / 2); break;
        case 'z': o.scale = tool_real(c, optarg, 0.5, 8); break;
        case 'h': tool_help();
        case 'V': tool_version();
        default: tool_usage(NULL);
        }
    if (optind < argc)
        tool_usage("%s: xcanvas reads no files", argv[optind]);
    o.writes = !isatty(1);
    if (!o.writes && !o.command)
        tool_usage("frames are not for a terminal: join a program with | or say -e");
    return o;
}

int main(int argc, char **argv)
{
    struct err e = ERR_NONE;
    sigset_t open;
    tool_init("xcanvas", usage);
    struct canvas_options o = parse(argc, argv);
    tool_catch_ends(&open);
    struct canvas *c = canvas_new(&o, &e);
    int status = c && !canvas_run(c, &open, &e) ? EXIT_OK : tool_error(&e);
    canvas_free(c);
    return tool_close(status);
}
