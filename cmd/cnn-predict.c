/* cnn-predict: frames in, one answer line each out. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program/predict.h"
#include "base/privilege.h"
#include "tool.h"

static const char usage[] =
    "usage: cnn-predict [-1ehVw] [-j threads] [-k n] [-m model]... [-o format]\n"
    "                   [-S scale[,mean,std]] [-s seconds] [-t p] [file ...]\n"
    "  -1          print the first digit and end\n"
    "  -e          print how right the answers to labelled frames are, not them\n"
    "  -h          this help\n"
    "  -j threads  work on so many threads (1)\n"
    "  -k n        add the n digits that came next, as digit:probability\n"
    "  -m model    ONNX file; several vote (INKPIPE_MODEL, else the model installed)\n"
    "  -o format   text (digit, probability, source, frame, box) or json\n"
    "  -S scale[,mean,std]  input is (pixel * scale - mean) / std, as in -S 1/255\n"
    "  -s seconds  live: print what has held so long, and again when it changes\n"
    "  -t p        an answer less probable than p is none\n"
    "  -V          version and kernels\n"
    "  -w          join the digits of preproc -m into numbers\n"
    "No answers (-)? Frames must come from preproc, whose digits are light on black,\n"
    "20x20 in the middle of 28x28. Look at what it puts out: is the ink dark enough,\n"
    "the picture sharp, the digit whole? Is -t too high?\n"
    "example: camgrab photo.jpg | preproc | cnn-predict\n";

enum { BATCH = 128 };

struct options {
    struct predict_options p;
    bool rescale;
    int threads, models;
    struct scaling scaling;
    const char *model[MODEL_MAX_VOTES];
};

static void check_options(const struct predict_options *o)
{
    if (o->evaluate && (o->first || o->json || o->join || o->steady || o->runners))
        tool_usage("-e prints a report, not answers: -1, -k, -o, -s and -w mean nothing with it");
    if (o->join && (o->steady || o->runners))
        tool_usage("-w prints numbers: -k and -s mean nothing with it");
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.threads = 1, .p = {.out = stdout, .report = tool_error,
                                            .notice = tool_note_clipping}};
    for (int c; (c = getopt(argc, argv, "1ehj:k:m:o:S:s:t:Vw")) != -1;) {
        switch (c) {
        case '1': o.p.first = true; break;
        case 'e': o.p.evaluate = true; break;
        case 'h': tool_help();
        case 'j': o.threads = (int)tool_int(c, optarg, 1, 1024); break;
        case 'k': o.p.runners = (int)tool_int(c, optarg, 0, ANSWER_MAX_CLASSES); break;
        case 'm':
            if (o.models == MODEL_MAX_VOTES)
                tool_usage("-m: at most %d models can vote", MODEL_MAX_VOTES);
            o.model[o.models++] = optarg;
            break;
        case 'o':
            o.p.json = !strcmp(optarg, "json");
            if (!o.p.json && strcmp(optarg, "text"))
                tool_usage("-o %s: not text or json", optarg);
            break;
        case 'S':
            o.rescale = true;
            if (!scaling_parse(optarg, &o.scaling))
                tool_usage("-S %s: not scale[,mean,std], as in 1/255,0.1307,0.3081", optarg);
            break;
        case 's': o.p.steady = true; o.p.hold = tool_real(c, optarg, 0, 1e6); break;
        case 't': o.p.threshold = tool_real(c, optarg, 0, 1); break;
        case 'V': tool_version();
        case 'w': o.p.join = true; break;
        default: tool_usage(NULL);
        }
    }
    check_options(&o.p);
    return o;
}

/* The model to use when none is named. */
static int find_model(struct options *o)
{
    static char found[PATH_MAX];
    if (o->models)
        return EXIT_OK;
    const char *named = getenv("INKPIPE_MODEL");
    bool use = named && *named;
    if (!use && !model_find(found, sizeof found)) {
        tool_warn("no model: name one with -m or INKPIPE_MODEL; neither " PREFIX
                  "/share/inkpipe/default.onnx nor the tree's models/default.onnx is there");
        return EXIT_FAILED;
    }
    o->model[o->models++] = use ? named : found;
    return EXIT_OK;
}

/* Models and frames are from strangers: from here on nothing but them is opened. */
static int drop_privileges(const struct options *o, char **files, size_t n)
{
    const char **file = calloc((size_t)o->models + n, sizeof *file);
    struct err e = ERR_NONE;
    if (!file) {
        err_set(&e, "out of memory");
        return tool_error(&e);
    }
    memcpy(file, o->model, (size_t)o->models * sizeof *file);
    memcpy(file + o->models, files, n * sizeof *file);
    privilege_drop(&(struct privilege){.file = file, .files = (size_t)o->models + n});
    free(file);
    return EXIT_OK;
}

static struct model *load_model(const struct options *o, struct threads *t, struct err *e)
{
    struct model *m = model_load(o->model, o->models, o->rescale ? &o->scaling : NULL, BATCH, t, e);
    if (m && m->unscaled)
        tool_warn("%s: says nothing of its input's scaling: 0..1 is used; -S sets it", m->unscaled);
    for (int i = 0; m && o->p.evaluate && i < m->classes; i++)
        if (i != m->reject && (m->label[i][1] || m->label[i][0] < '0' || m->label[i][0] > '9')) {
            err_set(e, "-e needs a model of digits: it has the label %s", m->label[i]);
            err_at(e, o->model[0], -1);
            model_free(m);
            return NULL;
        }
    return m;
}

/* After the last frame: the report, and whether there was an answer at all. */
static int finish(const struct predict *p, int status)
{
    char report[EVALUATE_TEXT];
    if (p->o->evaluate && p->frames) {
        size_t len = evaluation_text(&p->evaluation, report);
        fwrite(report, 1, len, stdout);
    }
    if (status != EXIT_OK || !p->frames || p->digits || ferror(stdout))
        return status;
    tool_warn("no digit in %ld frame%s: is the ink dark enough, the picture sharp, the digit "
              "whole, -t not too high? Do the frames come from preproc?",
              p->frames, p->frames == 1 ? "" : "s");
    return EXIT_NO_ANSWER;
}

static int run(struct options *o, char **files)
{
    static char *input[] = {NULL, NULL};
    struct err e = ERR_NONE;
    struct predict p = {0};
    struct threads *t = threads_new(o->threads, &e);
    struct model *m = t ? load_model(o, t, &e) : NULL;
    int status = m && !predict_init(&p, &o->p, m, &e) ? EXIT_OK : tool_error(&e);
    if (status == EXIT_OK) {
        char **file = *files ? files : input;
        do {
            e = (struct err)ERR_NONE;
            if (predict_stream(&p, *file, &e))
                status = tool_error(&e);
        } while (*file && *++file && !p.done);
        status = finish(&p, status);
    }
    predict_free(&p);
    model_free(m);
    threads_free(t);
    return status;
}

int main(int argc, char **argv)
{
    tool_init("cnn-predict", usage);
    struct options o = parse(argc, argv);
    char **files = argv + optind;
    int status = find_model(&o) || drop_privileges(&o, files, (size_t)(argc - optind))
                     ? EXIT_FAILED
                     : run(&o, files);
    return tool_close(status);
}
