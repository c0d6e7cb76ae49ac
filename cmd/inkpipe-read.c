/* inkpipe-read: pictures on standard input, one after another, to answers.
 *
 * What inkpipe-classify starts on each CPU and host. It is sent a picture's bytes and says what is in
 * them, so that an answer belongs to the picture that was sent, whatever its name and its facts claim;
 * and it opens no file but the model. Input: lines `SIZE NAME', each followed by so many bytes.
 * Output: a greeting, which says which program and model answer; then of each picture its answers as
 * cnn-predict prints them, lines of `!' and what could not be read, and a line of `.'. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/log.h>

#include "answer/answer.h"
#include "base/files.h"
#include "base/privilege.h"
#include "base/sha256.h"
#include "camera/camera.h"
#include "ink/ink.h"
#include "inkpipe.h"
#include "onnx/onnx.h"
#include "tool.h"

static const char usage[] =
    "usage: inkpipe-read [-hV] [-m model]\n"
    "Answer the pictures that inkpipe-classify sends on standard input.\n"
    "  -h        this help\n"
    "  -m model  ONNX file (INKPIPE_MODEL, else the model installed)\n"
    "  -V        version\n";

struct reader {
    int fd; /* a file without a name, which holds the picture */
    char name[3 * NAME_MAX + 1]; /* of the picture: its ending tells motion JPEG from a single one */
    struct camera_capture *capture;
    struct inkpipe *inkpipe;
    struct frame frame;
};

/* Read the line before a picture. Returns whether there is one; where it or the input is bad, that is in e. */
static bool read_line(struct reader *r, long long *size, struct err *e)
{
    int got = scanf("%lld %765s", size, r->name);
    if (got == 2 && *size >= 0 && getchar() == '\n')
        return true;
    if (ferror(stdin))
        err_errno(e, "standard input: cannot read");
    else if (got != EOF)
        err_set(e, "standard input: no line of a picture's size in bytes and its name");
    return false;
}

/* Take the next picture's bytes into the file. Returns 1; 0 at the end of pictures, as read_line has it; -1 when
 * they could not be kept. */
static int take_picture(struct reader *r, struct err *e)
{
    static char block[1 << 16];
    long long size;
    if (!read_line(r, &size, e))
        return 0;
    int status = ftruncate(r->fd, 0) || lseek(r->fd, 0, SEEK_SET) ? -1 : 1;
    while (size > 0) {
        size_t n = fread(block, 1, size < (long long)sizeof block ? (size_t)size : sizeof block, stdin);
        if (n == 0)
            return 0;
        if (status > 0 && write_all(r->fd, block, n))
            status = err_errno(e, "cannot be kept in TMPDIR while it is read");
        size -= (long long)n;
    }
    lseek(r->fd, 0, SEEK_SET);
    return status;
}

/* Print the answer to the picture's frame of that number, of which n digits (0 or 1) were read. */
static void print_answer(const struct reader *r, const struct inkpipe_digit *d, int n, long long number)
{
    char line[ANSWER_LINE];
    struct answer a;
    answer_clear(&a);
    answer_set_source(&a, r->name);
    a.frame = number;
    if (n > 0) {
        memcpy(a.box, (int[]){d->x, d->y, d->w, d->h}, sizeof a.box);
        if (strcmp(d->label, "-") && isfinite(d->probability)) {
            snprintf(a.digit, sizeof a.digit, "%s", d->label);
            a.probability = d->probability;
        }
    }
    answer_text(&a, 0, line);
    fputs(line, stdout);
}

static int answer_frame(struct reader *r, long long number, struct err *e)
{
    double time;
    const struct inkpipe_digit *digits;
    const struct frame *f = &r->frame;
    int got = capture_read(r->capture, &r->frame, &time, e);
    if (got <= 0)
        return got;
    int n = inkpipe_read(r->inkpipe, f->gray, (size_t)f->width, f->width, f->height, 0, &digits);
    if (n < 0)
        return err_set(e, "%s", inkpipe_error(r->inkpipe));
    print_answer(r, digits, n, number);
    return 1;
}

/* Print what is in the picture. A frame's number is counted here, not taken from what it says. */
static void answer_picture(struct reader *r, int taken, struct err *e)
{
    int got = taken < 0 || capture_open(r->capture, r->name, r->fd, e) ? -1 : 1;
    bool open = got > 0;
    for (long long number = 0; open && got; number++) {
        got = answer_frame(r, number, e);
        open = got > 0 || !capture_lost(r->capture);
        if (got < 0 && open) {
            printf("!%s\n", e->what);
            *e = (struct err)ERR_NONE;
        }
    }
    if (got < 0)
        printf("!%s\n", e->what);
    puts(".");
    capture_close(r->capture);
}

/* Add a file's bytes to the sum. */
static int add_file(struct sha256 *sum, const char *file, struct err *e)
{
    uint8_t *bytes;
    size_t len;
    if (file_load(file, ONNX_MAX_FILE, &bytes, &len, e))
        return -1;
    sha256_add(sum, bytes, len);
    free(bytes);
    return 0;
}

/* Say who answers: a record of another version, model or finder is none of the same run. */
static int greet(const char *model, const char *finder, struct err *e)
{
    char text[2 * SHA256_SIZE + 1];
    struct sha256 sum;
    sha256_init(&sum);
    if (add_file(&sum, model, e) || add_file(&sum, finder, e))
        return -1;
    sha256_text(&sum, text);
    printf("inkpipe-read %s %s\n", VERSION, text);
    return 0;
}

static int open_reader(struct reader *r, const char *model, const char *finder, struct err *e)
{
    char error[640];
    if (!(r->capture = capture_new(&(struct camera_options){0}, e)))
        return -1;
    if (!(r->inkpipe = inkpipe_open(model, finder, error, sizeof error)))
        return err_set(e, "%s", error);
    return greet(model, finder, e);
}

static int run(const char *model, const char *finder)
{
    struct reader r = {.fd = -1};
    struct err e = ERR_NONE;
    const char *folder = getenv("TMPDIR");
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s/inkpipe-XXXXXX", folder && *folder ? folder : "/tmp");
    if ((r.fd = mkstemp(name)) < 0) {
        err_errno(&e, "cannot be made");
        err_at(&e, name, -1);
        return tool_error(&e);
    }
    unlink(name);
    char refiner[PATH_MAX], turner[PATH_MAX];
    ink_file_beside(finder, INK_REFINER, refiner, sizeof refiner);
    ink_file_beside(finder, INK_TURNER, turner, sizeof turner);
    privilege_drop(&(struct privilege){(const char *[]){model, finder, refiner, turner}, 4, {NULL}, false});
    int status = open_reader(&r, model, finder, &e) ? tool_error(&e) : EXIT_OK;
    for (int taken; status == EXIT_OK && !fflush(stdout) && (taken = take_picture(&r, &e));) {
        answer_picture(&r, taken, &e);
        e = (struct err)ERR_NONE;
    }
    if (status == EXIT_OK && *e.what)
        status = tool_error(&e);
    inkpipe_close(r.inkpipe);
    capture_free(r.capture);
    frame_free(&r.frame);
    return status;
}

int main(int argc, char **argv)
{
    const char *model = NULL;
    tool_init("inkpipe-read", usage);
    av_log_set_level(AV_LOG_QUIET);
    for (int c; (c = tool_getopt(argc, argv, "hm:V")) != -1;)
        switch (c) {
        case 'm': model = optarg; break;
        }
    if (optind < argc)
        tool_usage("%s: pictures come on standard input", argv[optind]);
    model = tool_model(model, "-m or ", TOOL_READER);
    const char *finder = model ? tool_model(NULL, "", TOOL_FINDER) : NULL;
    return tool_close(finder ? run(model, finder) : EXIT_FAILED);
}
