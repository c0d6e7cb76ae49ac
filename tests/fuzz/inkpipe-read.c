/* What inkpipe-classify sends is from strangers: lines of size and name, each with so many bytes after it, a
 * picture or none. Of each inkpipe-read says its answers, which answer_parse takes, or a line of !, and a dot.
 * Pictures that take long are not looked at. Needs models/find.onnx, as it is in the tree.
 *     build/libfuzzer/fuzz/inkpipe-read tests/fuzz/corpus/inkpipe-read */
#include "inkpipe.h"

/* Stands for inkpipe_read. */
static int read_small(struct inkpipe *r, const unsigned char *gray, size_t stride, int width, int height, int many,
                      const struct inkpipe_digit **digits)
{
    return (long)width * height > 1 << 14 ? 0 : inkpipe_read(r, gray, stride, width, height, many, digits);
}

#define inkpipe_read read_small
#define main main_of_inkpipe_read
#include "../../cmd/inkpipe-read.c"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int in, out; /* files, kept from run to run */

static bool load(struct reader *r)
{
    struct err e = ERR_NONE;
    if (!in) {
        av_log_set_level(AV_LOG_QUIET);
        in = memfd_create("in", MFD_CLOEXEC);
        out = memfd_create("out", MFD_CLOEXEC);
        r->fd = memfd_create("picture", MFD_CLOEXEC);
    }
    if (!r->capture)
        r->capture = capture_new(&(struct camera_options){0}, &e);
    if (!r->inkpipe)
        r->inkpipe = inkpipe_open("tests/data/models/mean-image.onnx", "models/find.onnx", NULL, 0);
    return r->capture && r->inkpipe;
}

/* Answer all pictures on standard input. Returns how many there were. */
static int answer_pictures(struct reader *r)
{
    struct err e = ERR_NONE;
    int pictures = 0;
    for (int taken; (taken = take_picture(r, &e)); pictures++) {
        answer_picture(r, taken, &e);
        e = (struct err)ERR_NONE;
    }
    fflush(stdout);
    return pictures;
}

/* Whether what was said is whole: of each picture an answer or why there is none, then a dot. */
static bool is_whole(char *said, int pictures)
{
    static struct answer a;
    int lines = 0;
    for (char *next; (next = strchr(said, '\n')); said = next + 1, lines++) {
        *next = '\0';
        if (!strcmp(said, ".")) {
            if (lines == 0 || pictures-- == 0)
                return false;
            lines = -1;
        } else if (said[0] != '!' && answer_parse(said, &a, NULL)) {
            return false;
        }
    }
    return !*said && lines == 0 && pictures == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reader r;
    char *said, name[32];
    if (!load(&r) || ftruncate(in, 0) || ftruncate(out, 0) || lseek(out, 0, SEEK_SET) ||
        pwrite(in, data, size, 0) != (ssize_t)size)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", in);
    int terminal = dup(STDOUT_FILENO);
    if (!freopen(name, "r", stdin) || terminal < 0 || dup2(out, STDOUT_FILENO) < 0)
        abort();
    int pictures = answer_pictures(&r);
    off_t length = lseek(out, 0, SEEK_END);
    dup2(terminal, STDOUT_FILENO);
    close(terminal);
    if ((said = calloc(1, (size_t)length + 1)) != NULL) {
        if (pread(out, said, (size_t)length, 0) != length || !is_whole(said, pictures))
            abort();
        free(said);
    }
    return 0;
}
