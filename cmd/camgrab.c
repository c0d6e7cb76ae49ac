/* camgrab: cameras, the screen, videos and image files to a stream of gray frames. Source after source is
 * read (the room of cameras), each picture mirrored, cut and labelled as asked, and written as a frame. */
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
#include <sys/resource.h>
#include <unistd.h>

#include <libavutil/log.h>

#include "base/files.h"
#include "base/grow.h"
#include "base/privilege.h"
#include "camera/camera.h"
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

#define FILE_PIPE (1 << 20) /* A pipe of so many bytes takes pictures of files while its reader works. */
#define MIRRORED 2 /* What is mirrored left to right has this orientation (EXIF). */

struct options {
    struct camera_options capture; /* its rate is also what is picked from a video */
    bool list, recursive;
    bool mirror;
    int region[4]; /* x, y, w, h of what is kept of a picture; w 0: all */
    long count;    /* frames to write; 0: all */
    double skip;   /* seconds of a source to drop; -1: what serves, 1 of a camera with `count` */
    int *pages;    /* of each source that is a PDF the descriptor its pages come from, else -1 */
    bool wait;     /* for a source that is missing, and for one that was lost */
};

static void parse_size(const char *text, struct camera_options *o)
{
    char end;
    if (sscanf(text, "%dx%d%c", &o->width, &o->height, &end) != 2 || o->width < 1 ||
        o->height < 1 || o->width > FRAME_MAX_SIDE || o->height > FRAME_MAX_SIDE)
        tool_usage("-g %s: not a size like 640x480", text);
}

static void parse(int argc, char **argv, struct options *o)
{
    const char **pairs = o->capture.option = tool_alloc(argc, sizeof *pairs);
    for (int c; (c = tool_getopt(argc, argv, "F:f:g:hln:o:Rr:s:Vvwx")) != -1;) {
        switch (c) {
        case 'F': o->capture.rate = tool_real(c, optarg, 0.001, 1000); break;
        case 'f': o->capture.format = optarg; break;
        case 'g': parse_size(optarg, &o->capture); break;
        case 'l': o->list = true; break;
        case 'n': o->count = tool_int(c, optarg, 1, 1L << 40); break;
        case 'o':
            if (!strchr(optarg, '='))
                tool_usage("-o %s: not key=value", optarg);
            pairs[o->capture.options++] = optarg;
            break;
        case 'R': o->recursive = true; break;
        case 'r': tool_box(c, optarg, o->region); break;
        case 's': o->skip = tool_real(c, optarg, 0, 1e6); break;
        case 'v': av_log_set_level(AV_LOG_WARNING); break;
        case 'w': o->wait = true; break;
        case 'x': o->mirror = true; break;
        }
    }
    if (!o->list && isatty(STDOUT_FILENO))
        tool_usage("frames are not for a terminal: use a pipe or a file");
}

static int list_cameras(void)
{
    struct camera_device list[V4L2_MAX_DEVICES];
    int count = v4l2_cameras(list, V4L2_MAX_DEVICES);
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
static int expand(const struct options *o, int sources, char **source, struct camera_names *list)
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

/* Files alone can be read with nothing but them opened; not cameras, screens and URLs, nor what is waited for. */
static void drop_privileges(const struct options *o, const struct camera_names *list)
{
    struct stat st;
    bool all = list->count > 0 && !o->capture.format && !o->wait;
    for (size_t i = 0; all && i < list->count; i++)
        all = stat(list->name[i], &st)
                  ? !strstr(list->name[i], "://") && strncmp(list->name[i], "/dev/", 5) != 0
                  : S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode);
    if (all)
        privilege_drop(&(struct privilege){.file = (const char *const *)list->name,
                                           .files = list->count});
}

static void list_files(const struct camera_names *list)
{
    char text[3 * PATH_MAX + 1];
    for (size_t i = 0; i < list->count; i++)
        puts(text_percent(list->name[i], "%", text, sizeof text));
}

/* The pictures of one source after another, on their way to standard output. */
struct grab {
    const struct options *o;
    struct camera_capture *capture;
    struct frame frame, spare;
    long written;     /* frames, of all sources */
    double next_time; /* of a video's next frame to be picked */
    bool failed;      /* something was reported */
    bool closed;      /* nothing more can be written */
};

/* Whether more are wanted, and can be written. */
static bool goes_on(const struct grab *g)
{
    return !g->closed && !(g->o->count > 0 && g->written >= g->o->count);
}

static void report(struct grab *g, const struct err *e)
{
    g->failed = true;
    tool_error(e);
}

/* Whether a picture of this time is dropped, or not among those picked. */
static bool is_passed_over(struct grab *g, double time)
{
    const struct options *o = g->o;
    enum camera_kind kind = capture_kind(g->capture);
    double skip = o->skip >= 0 ? o->skip : kind == CAPTURE_CAMERA && o->count > 0 ? 1 : 0;
    if (time < skip)
        return true;
    if (kind != CAPTURE_FILE || o->capture.rate <= 0)
        return false;
    if (time < g->next_time - 1e-6)
        return true;
    g->next_time = (time > g->next_time + 1 / o->capture.rate ? time : g->next_time) + 1 / o->capture.rate;
    return false;
}

/* Make the frame at hand what is to be written. */
static int finish_picture(struct grab *g, const char *source, struct err *e)
{
    const struct options *o = g->o;
    struct frame *f = &g->frame;
    const int *box = o->region;
    char label[LABEL_SIZE], old[LABEL_SIZE];
    if (o->mirror && gray_turn(f, MIRRORED, &g->spare, e))
        return -1;
    if (box[2] && gray_cut(f, box[0], box[1], box[2], box[3], e))
        return -1;
    return frame_label(f, old) == 0 && folder_label(source, label)
               ? frame_set_fact(f, "label", label, e)
               : 0;
}

static int write_picture(struct grab *g, const char *source, struct err *e)
{
    if (finish_picture(g, source, e))
        return err_at(e, source, -1);
    g->written++;
    errno = 0;
    if (frame_write(STDOUT_FILENO, &g->frame, e) == 0)
        return 0;
    g->closed = true;
    if (errno == EPIPE)
        *e = (struct err)ERR_NONE; /* the reader has had enough */
    return err_at(e, "standard output", -1);
}

/* Files fill the pipe while their reader works. For a live source it is one page small: then it is
 * writable when the reader has taken everything, and only then the newest picture is taken. */
static void fit_pipe(bool live)
{
    if (live)
        pipe_shrink(STDOUT_FILENO);
    else
        fcntl(STDOUT_FILENO, F_SETPIPE_SZ, FILE_PIPE);
}

static void wait_for_reader(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    while (poll(&out, 1, -1) < 0 && errno == EINTR)
        ;
}

/* Stop reading, and say what could not be decoded of a live source. */
static void stop(struct grab *g, const char *source)
{
    struct err why = ERR_NONE, e = ERR_NONE;
    long damaged = capture_stop(g->capture, &why);
    if (damaged == 0)
        return;
    err_set(&e, "%ld damaged pictures passed over (%s)", damaged, why.what);
    err_at(&e, source, -1);
    tool_error(&e);
}

/* Read what is open to its end. Returns false when it was lost before. */
static bool read_source(struct grab *g, const char *source)
{
    struct err e = ERR_NONE;
    bool is_live = capture_kind(g->capture) != CAPTURE_FILE;
    int got = 1;
    fit_pipe(is_live);
    while (got && goes_on(g)) {
        double time;
        e = (struct err)ERR_NONE;
        if (is_live)
            wait_for_reader();
        got = capture_read(g->capture, &g->frame, &time, &e);
        if (got < 0 && !is_live && !capture_lost(g->capture))
            report(g, &e);
        else if (got < 0 || (got > 0 && !is_passed_over(g, time) && write_picture(g, source, &e)))
            break;
    }
    if (e.what[0])
        report(g, &e);
    stop(g, source);
    return got >= 0;
}

/* The first camera that can be opened, else the first there is, else the first name. */
static const char *default_camera(struct camera_device list[V4L2_MAX_DEVICES])
{
    int count = v4l2_cameras(list, V4L2_MAX_DEVICES);
    for (int i = 0; i < count; i++)
        if (!list[i].error)
            return list[i].device;
    return count ? list[0].device : "/dev/video0";
}

/* Open a source: *pages is the descriptor that the pages of a PDF come from, and then -1. */
static int open_source(struct grab *g, const char *name, int *pages, struct err *e)
{
    int status = file_not_written(name, STDOUT_FILENO, e) ? -1 : capture_open(g->capture, name, *pages, e);
    close_fd(pages);
    return status;
}

/* All pictures of a source (NULL: the first camera, or what the format has without a name), until all that
 * are wanted are written. `pages` is as of open_source. */
static void grab_source(struct grab *g, const char *source, int pages)
{
    struct camera_device list[V4L2_MAX_DEVICES];
    bool failed = g->failed, missing = false;
    for (;;) {
        struct err e = ERR_NONE;
        const char *name = source ? source : g->o->capture.format ? "" : default_camera(list);
        bool open = !open_source(g, name, &pages, &e);
        if (!open && !missing)
            report(g, &e);
        missing = !open;
        g->next_time = 0;
        bool lost = !open || !read_source(g, name);
        capture_close(g->capture);
        if (!lost || !g->o->wait || !goes_on(g))
            break;
        sleep(1);
    }
    if (g->o->wait && !g->closed)
        g->failed = failed; /* what was lost came back */
}

/* All sources, one after another; without any, the camera. */
static int grab(const struct options *o, const struct camera_names *list, bool camera)
{
    struct err e = ERR_NONE;
    struct grab g = {.o = o, .capture = capture_new(&o->capture, &e)};
    if (!g.capture)
        return tool_error(&e);
    if (camera)
        grab_source(&g, NULL, -1);
    for (size_t i = 0; i < list->count && goes_on(&g); i++)
        grab_source(&g, list->name[i], o->pages[i]);
    capture_free(g.capture);
    frame_free(&g.frame);
    frame_free(&g.spare);
    return g.failed ? EXIT_FAILED : EXIT_OK;
}

/* The path of a program that the shell would run. Returns false when there is none. */
static bool find_program(const char *name, char path[static PATH_MAX])
{
    const char *folder = getenv("PATH");
    for (const char *end; folder; folder = *end ? end + 1 : NULL) {
        end = folder + strcspn(folder, ":");
        int n = snprintf(path, PATH_MAX, "%.*s/%s", (int)(end - folder), folder, name);
        if (end > folder && n < PATH_MAX && !access(path, X_OK))
            return true;
    }
    return false;
}

/* Each PDF takes three descriptors at first: let there be as many as the system allows. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Have the PDFs among the files made into frames, where pdftoppm is. */
static int start_pages(struct options *o, const struct camera_names *list)
{
    struct err e = ERR_NONE;
    char program[PATH_MAX];
    if (!(o->pages = zeroed(list->count + 1, sizeof *o->pages, &e)))
        return tool_error(&e);
    for (size_t i = 0; i < list->count; i++)
        o->pages[i] = -1;
    if (o->list || o->capture.format || !find_program("pdftoppm", program))
        return EXIT_OK;
    raise_descriptors();
    return pdf_start(program, list, o->pages, &e) ? tool_error(&e) : EXIT_OK;
}

static int run(struct options *o, int sources, char **source)
{
    struct camera_names list = {0};
    int status = expand(o, sources, source, &list);
    int failed = start_pages(o, &list);
    drop_privileges(o, &list);
    if (o->list)
        list_files(&list);
    else if (!failed)
        status |= grab(o, &list, sources == 0);
    free(o->pages);
    name_list_free(&list);
    return status | failed;
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
