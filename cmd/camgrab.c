/* camgrab: cameras, the screen, videos and image files to a stream of gray frames. */
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/log.h>

#include "camera/camera.h"
#include "program/grab.h"
#include "base/privilege.h"
#include "tool.h"

static const char usage[] =
    "usage: camgrab [-hlRVvwx] [-F rate] [-f format] [-g WxH] [-n count] [-o key=value]\n"
    "               [-r x,y,w,h] [-s seconds] [source ...]\n"
    "  -F rate       frames a second: asked of a camera or screen, picked from a video\n"
    "  -f format     input format or device as FFmpeg names it: x11grab, lavfi, ...\n"
    "  -g WxH        size asked of a camera or screen (a camera's default: 640x480)\n"
    "  -h            this help\n"
    "  -l            list cameras and what they offer; of folders: the files in them\n"
    "  -n count      end after so many frames\n"
    "  -o key=value  an option of the format, as FFmpeg names it\n"
    "  -R            folders with all folders in them\n"
    "  -r x,y,w,h    only this rectangle of each picture\n"
    "  -s seconds    drop a source's first seconds (with -n on a camera: 1)\n"
    "  -V            version\n"
    "  -v            print FFmpeg's own messages too\n"
    "  -w            wait for the camera, and for it to come back\n"
    "  -x            mirror, as one sees oneself\n"
    "A source is a camera (/dev/videoN; the default is the first), an image or video\n"
    "file, a folder, a URL, or - for standard input.\n"
    "example: camgrab photos/ | preproc | cnn-predict\n";

struct options {
    struct grab_options grab;
    bool list, recursive;
};

static void parse_size(const char *text, struct capture_options *o)
{
    char end;
    if (sscanf(text, "%dx%d%c", &o->width, &o->height, &end) != 2 || o->width < 1 ||
        o->height < 1 || o->width > FRAME_MAX_SIDE || o->height > FRAME_MAX_SIDE)
        tool_usage("-g %s: not a size like 640x480", text);
}

static void parse(int argc, char **argv, struct options *o)
{
    struct grab_options *g = &o->grab;
    const char **pairs = calloc(argc, sizeof *pairs);
    if (!pairs)
        tool_usage("out of memory");
    g->capture.option = pairs;
    for (int c; (c = getopt(argc, argv, "F:f:g:hln:o:Rr:s:Vvwx")) != -1;) {
        switch (c) {
        case 'F': g->capture.rate = tool_real(c, optarg, 0.001, 1000); break;
        case 'f': g->capture.format = optarg; break;
        case 'g': parse_size(optarg, &g->capture); break;
        case 'h': tool_help();
        case 'l': o->list = true; break;
        case 'n': g->count = tool_int(c, optarg, 1, 1L << 40); break;
        case 'o':
            if (!strchr(optarg, '='))
                tool_usage("-o %s: not key=value", optarg);
            pairs[g->capture.options++] = optarg;
            break;
        case 'R': o->recursive = true; break;
        case 'r': tool_box(c, optarg, g->region); break;
        case 's': g->skip = tool_real(c, optarg, 0, 1e6); break;
        case 'V': tool_version();
        case 'v': av_log_set_level(AV_LOG_WARNING); break;
        case 'w': g->wait = true; break;
        case 'x': g->mirror = true; break;
        default: tool_usage(NULL);
        }
    }
    if (!o->list && isatty(STDOUT_FILENO))
        tool_usage("frames are not for a terminal: use a pipe or a file");
}

static int list_cameras(void)
{
    struct v4l2_camera list[V4L2_DEVICES];
    int count = v4l2_cameras(list, V4L2_DEVICES);
    for (int i = 0; i < count; i++) {
        char offers[1024];
        if (list[i].error)
            snprintf(offers, sizeof offers, "(%s)", strerror(list[i].error));
        else
            v4l2_offers(list[i].device, offers, sizeof offers);
        printf("%s\t%s\t%s\n", list[i].device, list[i].name, offers);
    }
    if (count == 0)
        tool_warn("no camera found");
    return count ? EXIT_OK : EXIT_FAILED;
}

static bool is_folder(const char *name)
{
    struct stat st;
    return !stat(name, &st) && S_ISDIR(st.st_mode);
}

/* The files to read: folders are gone into. */
static int expand(const struct options *o, int sources, char **source, struct name_list *list)
{
    int status = EXIT_OK;
    for (int i = 0; i < sources; i++) {
        struct err e = ERR_NONE;
        size_t before = list->count;
        if (is_folder(source[i]) ? folder_list(source[i], o->recursive, list, &e)
                                 : name_list_add(list, source[i], &e))
            status = tool_error(&e);
        else if (list->count == before)
            tool_warn("%s: no pictures in this folder%s", source[i],
                      o->recursive ? "" : " (-R looks into the folders in it)");
    }
    return status;
}

/* Files alone can be read with nothing but them opened; not cameras, screens and URLs, nor what is
 * waited for. */
static void drop_privileges(const struct grab_options *o, const struct name_list *list)
{
    struct stat st;
    bool all = list->count > 0 && !o->capture.format && !o->wait;
    for (size_t i = 0; all && i < list->count; i++)
        all = stat(list->name[i], &st) ? !strstr(list->name[i], "://")
                                       : S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode);
    if (all)
        privilege_drop(&(struct privilege){.file = (const char *const *)list->name,
                                           .files = list->count});
}

static void list_files(const struct name_list *list)
{
    char text[3 * PATH_MAX + 1];
    for (size_t i = 0; i < list->count; i++)
        puts(percent_encode(list->name[i], text, sizeof text));
}

/* All sources, one after another; without any, the camera. */
static int grab(const struct grab_options *o, const struct name_list *list, bool camera)
{
    struct err e = ERR_NONE;
    struct grab g;
    if (grab_init(&g, o, &e))
        return tool_error(&e);
    if (camera)
        grab_source(&g, NULL);
    for (size_t i = 0; i < list->count && grab_goes_on(&g); i++)
        grab_source(&g, list->name[i]);
    grab_free(&g);
    return g.failed ? EXIT_FAILED : EXIT_OK;
}

static int run(const struct options *o, int sources, char **source)
{
    struct name_list list = {0};
    int status = expand(o, sources, source, &list);
    drop_privileges(&o->grab, &list);
    if (o->list)
        list_files(&list);
    else
        status |= grab(&o->grab, &list, sources == 0);
    name_list_free(&list);
    return status;
}

static void print_log(void *context, int level, const char *format, va_list args)
{
    char line[1024];
    int prefix = 1;
    if (level > av_log_get_level())
        return;
    av_log_format_line2(context, level, format, args, line, sizeof line, &prefix);
    line[strcspn(line, "\n")] = '\0';
    tool_warn("%s", line);
}

int main(int argc, char **argv)
{
    struct options o = {.grab = {.out = STDOUT_FILENO, .skip = -1, .report = tool_error}};
    tool_init("camgrab", usage);
    av_log_set_level(AV_LOG_QUIET); /* what matters of it is in our errors */
    av_log_set_callback(print_log);
    parse(argc, argv, &o);
    /* The next picture reuses the memory of the last: large blocks are kept, not given back. */
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
#endif
    bool cameras = o.list && optind == argc;
    int status = cameras ? list_cameras() : run(&o, argc - optind, argv + optind);
    free(o.grab.capture.option);
    return tool_close(status);
}
