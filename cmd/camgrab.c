/* camgrab: cameras, the screen, videos and image files to a stream of gray frames. */
#define _GNU_SOURCE 1 /* F_SETPIPE_SZ */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/log.h>

#include "capture.h"
#include "folder.h"
#include "gray.h"
#include "live.h"
#include "privilege.h"
#include "tool.h"
#include "v4l2.h"

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
    struct capture_options capture;
    bool list, recursive, wait, mirror, cut;
    int x, y, width, height; /* region, with cut */
    long count;              /* frames to write; 0: all */
    double skip;             /* seconds to drop; negative: not said */
};

/* A run over all sources. */
struct job {
    const struct options *o;
    struct capture *capture;
    struct frame frame, spare;
    long written;
    double next_time; /* of a video's next frame with -F */
    int status;
};

static void parse_size(const char *text, struct capture_options *o)
{
    char end;
    if (sscanf(text, "%dx%d%c", &o->width, &o->height, &end) != 2 || o->width < 1 ||
        o->height < 1 || o->width > FRAME_MAX_SIDE || o->height > FRAME_MAX_SIDE)
        tool_usage("-g %s: not a size like 640x480", text);
}

static void parse_region(const char *text, struct options *o)
{
    char end;
    o->cut = true;
    if (sscanf(text, "%d,%d,%d,%d%c", &o->x, &o->y, &o->width, &o->height, &end) != 4 ||
        o->x < 0 || o->y < 0 || o->width < 1 || o->height < 1)
        tool_usage("-r %s: not a region like 100,50,200,200", text);
}

static void parse(int argc, char **argv, struct options *o)
{
    const char **pairs = calloc(argc, sizeof *pairs);
    if (!pairs)
        tool_usage("out of memory");
    o->capture.option = pairs;
    for (int c; (c = getopt(argc, argv, "F:f:g:hln:o:Rr:s:Vvwx")) != -1;) {
        switch (c) {
        case 'F': o->capture.rate = tool_real(c, optarg, 0.001, 1000); break;
        case 'f': o->capture.format = optarg; break;
        case 'g': parse_size(optarg, &o->capture); break;
        case 'h': tool_help();
        case 'l': o->list = true; break;
        case 'n': o->count = tool_int(c, optarg, 1, 1L << 40); break;
        case 'o': pairs[o->capture.options++] = optarg; break;
        case 'R': o->recursive = true; break;
        case 'r': parse_region(optarg, o); break;
        case 's': o->skip = tool_real(c, optarg, 0, 1e6); break;
        case 'V': tool_version();
        case 'v': av_log_set_level(AV_LOG_WARNING); break;
        case 'w': o->wait = true; break;
        case 'x': o->mirror = true; break;
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

/* Note an error and go on. */
static void report(struct job *j, const struct err *e)
{
    j->status = tool_error(e);
}

static bool is_done(const struct job *j)
{
    return j->o->count > 0 && j->written >= j->o->count;
}

/* Whether -s or -F pass over a picture of this time. */
static bool is_passed_over(struct job *j, double time)
{
    const struct options *o = j->o;
    enum capture_kind kind = capture_kind(j->capture);
    double skip = o->skip >= 0 ? o->skip : kind == CAPTURE_CAMERA && o->count > 0 ? 1 : 0;
    if (time < skip)
        return true;
    if (kind != CAPTURE_FILE || o->capture.rate <= 0)
        return false;
    if (time < j->next_time - 1e-6)
        return true;
    j->next_time = (time > j->next_time + 1 / o->capture.rate ? time : j->next_time) +
                   1 / o->capture.rate;
    return false;
}

static int write_picture(struct job *j, const char *source, struct err *e)
{
    const struct options *o = j->o;
    struct frame *f = &j->frame;
    int label = folder_label(source);
    if (gray_turn(f, o->mirror ? 2 : 1, &j->spare, e) ||
        (o->cut && gray_cut(f, o->x, o->y, o->width, o->height, e)) ||
        (label >= 0 && frame_label(f) == -1 &&
         frame_set_fact(f, "label", frame_label_text(label), e)))
        return err_at(e, source, -1);
    j->written++;
    if (frame_write(STDOUT_FILENO, f, e) == 0)
        return 0;
    if (errno == EPIPE)
        exit(j->status);
    exit(tool_error(e));
}

/* Files fill the pipe while their reader works. For a live source it is one page small: then it is
 * writable when the reader has taken everything, and only then the newest picture is taken. */
static void fit_pipe(bool live)
{
    if (live)
        pipe_shrink(STDOUT_FILENO);
    else
        fcntl(STDOUT_FILENO, F_SETPIPE_SZ, 1 << 20);
}

static void wait_for_reader(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    while (poll(&out, 1, -1) < 0 && errno == EINTR)
        ;
}

/* Read what is open to its end. Returns false when it was lost before. */
static bool read_source(struct job *j, const char *source)
{
    struct err e = ERR_NONE;
    struct live *live = live_start(j->capture, &e);
    bool is_live = capture_kind(j->capture) != CAPTURE_FILE;
    int got = live ? 1 : -1;
    fit_pipe(is_live);
    while (live && got && !is_done(j)) {
        double time;
        e = (struct err)ERR_NONE;
        if (is_live)
            wait_for_reader();
        got = live_read(live, &j->frame, &time, &e);
        if (got < 0 && !is_live && !capture_lost(j->capture))
            report(j, &e);
        else if (got < 0 || (got > 0 && !is_passed_over(j, time) && write_picture(j, source, &e)))
            break;
    }
    if (e.what[0])
        report(j, &e);
    long damaged = live ? live_damaged(live, &e) : 0;
    if (damaged > 0)
        tool_warn("%s: %ld damaged pictures passed over (%s)", source, damaged, e.what);
    live_stop(live);
    return got >= 0;
}

/* The first camera that can be opened, else the first there is, else the first name. */
static const char *default_camera(struct v4l2_camera list[V4L2_DEVICES])
{
    int count = v4l2_cameras(list, V4L2_DEVICES);
    for (int i = 0; i < count; i++)
        if (!list[i].error)
            return list[i].device;
    return count ? list[0].device : "/dev/video0";
}

/* Grab one source; with -w again and again while it is missing. */
static void grab(struct job *j, const char *source)
{
    struct v4l2_camera list[V4L2_DEVICES];
    int status = j->status;
    bool missing = false;
    for (;;) {
        struct err e = ERR_NONE;
        const char *name = source ? source : j->o->capture.format ? "" : default_camera(list);
        bool open = capture_open(j->capture, name, &e) == 0;
        if (!open && !missing)
            report(j, &e);
        missing = !open;
        j->next_time = 0;
        bool lost = !open || !read_source(j, name);
        capture_close(j->capture);
        if (!lost || !j->o->wait || is_done(j))
            break;
        sleep(1);
    }
    if (j->o->wait)
        j->status = status;
}

static bool is_folder(const char *name)
{
    struct stat st;
    return !stat(name, &st) && S_ISDIR(st.st_mode);
}

/* The files to read: folders are gone into. */
static void expand(struct job *j, int sources, char **source, struct name_list *list)
{
    for (int i = 0; i < sources; i++) {
        struct err e = ERR_NONE;
        size_t before = list->count;
        if (!is_folder(source[i])) {
            if (name_list_add(list, source[i], &e))
                report(j, &e);
        } else if (folder_list(source[i], j->o->recursive, list, &e)) {
            report(j, &e);
        } else if (list->count == before) {
            tool_warn("%s: no pictures in this folder%s", source[i],
                      j->o->recursive ? "" : " (-R looks into the folders in it)");
        }
    }
}

/* Files alone can be read with nothing but them opened; not cameras, screens and URLs, nor what is
 * waited for. */
static void drop_privileges(const struct options *o, const struct name_list *list)
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

static void print_encoded(struct job *j, const char *name)
{
    char text[3 * PATH_MAX + 1];
    if (puts(percent_encode(name, text, sizeof text)) < 0)
        j->status = EXIT_FAILED;
}

static int run(const struct options *o, int sources, char **source)
{
    struct err e = ERR_NONE;
    struct job j = {.o = o, .capture = capture_new(&o->capture, &e)};
    if (!j.capture)
        return tool_error(&e);
    struct name_list list = {0};
    expand(&j, sources, source, &list);
    drop_privileges(o, &list);
    if (sources == 0)
        grab(&j, NULL);
    for (size_t i = 0; i < list.count && !is_done(&j); i++)
        if (o->list)
            print_encoded(&j, list.name[i]);
        else
            grab(&j, list.name[i]);
    name_list_free(&list);
    capture_free(j.capture);
    frame_free(&j.frame);
    frame_free(&j.spare);
    return j.status;
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
    struct options o = {.skip = -1};
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
    free(o.capture.option);
    return tool_close(status);
}
