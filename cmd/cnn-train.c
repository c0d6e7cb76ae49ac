/* cnn-train: labelled frames -> a model.
 * The frames are read into memory (dataset of lib/learn); the network, with weights drawn anew or a model's,
 * is trained (fit) and saved as ONNX, or (-q) a model made one in 8 bits (quantize). Under mpirun several
 * processes (ranks) do so together, of which the first reads, prints and writes. */
#define _GNU_SOURCE 1 /* realpath */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "learn/learn.h"
#include "onnx/onnx.h"
#include "tool.h"

static const char usage[] =
    "usage: cnn-train (-n net | -i model | -q -i model) -o model [options] [frames ...]\n"
    "Train a network on labelled frames and write it as an ONNX model.\n"
    "  -n FILE   the network, a .net text\n"
    "  -i FILE   start from a model instead: its weights, a tenth of the rate\n"
    "  -o FILE   the model to write; FILE.ckpt holds the run until it is done\n"
    "  -c FILE   the classes in their order, a name a line (as the frames' labels say)\n"
    "  -q        do not train: make the model of -i one in 8 bits, if that costs nothing\n"
    "  -r        go on from FILE.ckpt, if it is there\n"
    "  -e N      epochs (10)\n"
    "  -b N      images a step (64; a finder's 16)\n"
    "  -l RATE   learning rate, at its peak (by -O: 0.002, 0.001, 0.05)\n"
    "  -O NAME   optimizer: adamw, adam or sgd (adamw)\n"
    "  -p NAME   precision of products: fp32 or bf16 (fp32)\n"
    "  -S NAME   schedule: onecycle, cosine or constant (onecycle)\n"
    "  -W PART   of the steps to warm up (by -S: 0.3, 0.05, 0)\n"
    "  -w DECAY  weight decay (by -O: 0.01, 0, 0.0005)\n"
    "  -L PART   label smoothing (0)\n"
    "  -E PART   of the run at whose end the weights are averaged (0.05; 0: not)\n"
    "  -a LIST   augmentation: none, default or rotate=10,shear=10,zoom=.1,shift=.1,...\n"
    "  -g PART   augmentation of a finder's frames: contrast of 1 - PART to 1 + PART (0.15)\n"
    "  -N NOISE  and noise, of deviations of the local contrast (0.15)\n"
    "  -A N      train the last N epochs without augmentation (0)\n"
    "  -v N      frames set aside for validation, a count or a part (1/12)\n"
    "  -s SEED   of everything drawn at random (1)\n"
    "  -j N      threads (the CPUs there are); the model does not depend on it\n";

struct options {
    const char *net, *start; /* one of them: a .net text; a model to start from */
    const char *model;       /* the file to write */
    const char *classes;     /* the file of their names; NULL: none */
    char checkpoint[4096];   /* the file that holds the run until then; "": none */
    bool resume, quantize;
    int threads; /* 0: not said */
    char digits_only, finder_only; /* an option that was given and means something to those alone; 0 */
    struct fit_options fit;
};

static void parse_option(struct options *o, int option, const char *value)
{
    struct fit_options *f = &o->fit;
    struct err e = ERR_NONE;
    switch (option) {
    case 'n': o->net = value; break;
    case 'i': o->start = value; break;
    case 'o': o->model = value; break;
    case 'c': o->classes = value; break;
    case 'q': o->quantize = true; break;
    case 'r': o->resume = true; break;
    case 'e': f->epochs = (int)tool_int('e', value, 1, CHECKPOINT_MAX_EPOCHS); break;
    case 'b': f->train.batch = (int)tool_int('b', value, 1, 65536); break;
    case 'l': f->rate = tool_real('l', value, 0, 100); break;
    case 'O': f->optimizer = tool_word('O', value, RECIPE_OPTIMIZERS); break;
    case 'p': f->train.bf16 = tool_word('p', value, "fp32 or bf16") ? kernel16_named(kernel_best(), NULL) : NULL; break;
    case 'S': f->schedule = (enum schedule)tool_word('S', value, SCHEDULE_NAMES); break;
    case 'W': f->warmup = tool_real('W', value, 0, 1); break;
    case 'w': f->train.weight_decay = tool_real('w', value, 0, 10); break;
    case 'g': f->tone.gain = tool_real('g', value, 0, 0.9); break;
    case 'N': f->tone.noise = tool_real('N', value, 0, 4); break;
    case 'L': f->train.label_smoothing = tool_real('L', value, 0, 0.9); break;
    case 'E': f->average = tool_real('E', value, 0, 0.2); break;
    case 'a':
        if (augment_parse(value, &f->augment, &e))
            tool_usage("-a %s: %s", value, e.what);
        break;
    case 'A': f->plain_epochs = (int)tool_int('A', value, 0, CHECKPOINT_MAX_EPOCHS); break;
    case 'v': f->validation = tool_real('v', value, 0, DATASET_MAX_IMAGES); break;
    case 's': f->train.seed = (uint64_t)tool_int('s', value, 0, INT32_MAX); break;
    case 'j': o->threads = (int)tool_int('j', value, 1, 1024); break;
    }
}

static void parse(struct options *o, int argc, char **argv)
{
    int option;
    *o = (struct options){.fit = recipe_default};
    while ((option = tool_getopt(argc, argv, "n:i:o:c:qre:b:g:N:l:O:p:S:W:w:L:E:a:A:v:s:j:hV")) != -1) {
        parse_option(o, option, optarg);
        if (option == 'a' || option == 'L' || option == 'c')
            o->digits_only = (char)option;
        if (option == 'g' || option == 'N')
            o->finder_only = (char)option;
    }
    if (!o->net == !o->start)
        tool_usage("one of -n and -i says what to train");
    if (o->quantize && (!o->start || o->resume))
        tool_usage("-q takes the model of -i as it is: -n and -r mean nothing with it");
    if (!o->model)
        tool_usage("-o says where the model goes");
    size_t size = sizeof o->checkpoint;
    if ((size_t)snprintf(o->checkpoint, size, "%s.ckpt", o->model) >= size)
        tool_usage("-o: the name is too long");
}

/* Whether this process is the one that prints and writes, of those that work together. */
static bool is_first(const struct options *o)
{
    const struct ranks *ranks = o->fit.train.ranks;
    return !ranks || ranks->rank == 0;
}

static volatile sig_atomic_t stop; /* the signal that asks to end */

static void on_signal(int signal)
{
    stop = signal;
}

/* From now on Ctrl-C ends the run after its step, and pressed again at once. A signal that was
 * ignored when the program began, as in a background job of a script, stays so. */
static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction old, action = {.sa_handler = on_signal};
        action.sa_flags = (int)SA_RESETHAND | SA_RESTART;
        if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

/* Whether mpirun (Open MPI's, or one of MPICH's kin) has started this process among others. */
static bool is_rank(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE");
}

/* ---- before the work ---- */

/* Whether the options mean something to this net. */
static int check_options(const struct options *o, const struct net *net, struct err *e)
{
    bool finder = net_is_finder(net);
    char letter = finder ? o->digits_only : o->finder_only;
    if (finder && o->fit.train.ranks)
        return err_set(e, "a finder is trained by one process, not by several ranks");
    if (letter)
        return err_set(e, "-%c means nothing to a network that %s", letter,
                       finder ? "ends in boxes" : "does not end in boxes");
    return 0;
}

static struct net *load(const struct options *o, struct err *e)
{
    struct net *net = o->start ? onnx_load(o->start, e) : net_load(o->net, e);
    if (net && (recipe_check_net(net, e) || check_options(o, net, e))) {
        err_at(e, o->start ? o->start : o->net, -1);
        net_free(net);
        return NULL;
    }
    return net;
}

/* Prepare for frames, and name their classes if they are known before: those of -c, else those that the model of -i
 * has. */
static int prepare_data(const struct options *o, const struct net *net, struct dataset *d, struct err *e)
{
    struct labels named = {0};
    struct shape in = net_input(net);
    if (net_is_finder(net)) {
        dataset_init(d, in.h, in.w, map_shape_of(net).classes);
        d->finder = true;
        return 0;
    }
    dataset_init(d, in.h, in.w, net->open ? 0 : net_outputs(net));
    const char *labels = o->start ? net_meta(net, "labels") : NULL;
    const char *file = o->classes ? o->classes : o->start;
    int status = o->classes ? classes_load(&named, o->classes, e)
                 : labels   ? labels_list(&named, labels, e)
                            : 0;
    if (!status && named.count)
        status = dataset_name(d, &named, e);
    labels_free(&named);
    return status ? err_at(e, file, -1) : 0;
}

/* What the frames had to say of the network: its outputs are counted, and weights drawn. */
static int complete(const struct options *o, struct net *net, const struct dataset *d, struct err *e)
{
    if (!o->net)
        return 0;
    if (net->open && net_set_labels(net, d->classes, e))
        return err_at(e, o->net, -1);
    net_init(net, o->fit.train.seed);
    return 0;
}

/* Whether the model can be written and nothing is lost by it, before hours are spent. */
static int check_output(struct options *o, char **names, struct err *e)
{
    char copy[4096];
    struct stat s;
    if ((o->net && file_not_saved(o->net, o->model, e)) || (o->classes && file_not_saved(o->classes, o->model, e)))
        return -1;
    do
        if (file_not_saved(*names, o->model, e))
            return -1;
    while (*names && *++names);
    snprintf(copy, sizeof copy, "%s", o->model);
    if (!stat(o->model, &s) && !S_ISREG(s.st_mode)) {
        if (S_ISDIR(s.st_mode))
            return err_set(e, "is a directory") | err_at(e, o->model, -1);
        o->checkpoint[0] = '\0'; /* a device has none */
    } else if (access(dirname(copy), W_OK)) {
        return err_errno(e, "cannot write in its folder") | err_at(e, o->model, -1);
    }
    if (o->checkpoint[0] && !o->resume && !access(o->checkpoint, F_OK)) {
        tool_warn("%s is of a run that was not finished; -r would go on with it. It stays, and this run "
                  "keeps no checkpoint", o->checkpoint);
        o->checkpoint[0] = '\0';
    }
    return 0;
}

static int read_frames(struct dataset *d, char **names, struct err *e)
{
    static char *input[] = {"-", NULL};
    for (char **name = *names ? names : input; *name; name++) {
        struct frame_reader *r = frame_open(*name, e);
        int failed = !r || dataset_read(d, r, e);
        frame_close(r);
        if (failed)
            return -1;
    }
    if (d->blank)
        tool_warn("%ld frames with nothing in them were left out", d->blank);
    if (!d->images)
        return err_set(e, "no frames to train on");
    char text[256];
    if (!d->finder && dataset_settle(d, e))
        return -1;
    if (!d->finder && *dataset_balance(d, text, sizeof text))
        tool_warn("%s", text);
    return 0;
}

/* What is in the pipe or the files is read by rank 0 alone and sent to the others. */
static int get_data(const struct options *o, struct dataset *d, char **names, struct err *e)
{
    struct ranks *ranks = o->fit.train.ranks;
    if (is_first(o) && read_frames(d, names, e))
        return -1;
    return ranks ? dataset_share(d, ranks, e) : 0;
}

/* ---- the work ---- */

static int print_line(const char *line, struct err *e)
{
    if (printf("%s\n", line) < 0 || fflush(stdout))
        return err_errno(e, "standard output");
    return 0;
}

/* Ten times a second, where a person watches. */
static void print_progress(const struct fit_progress *p)
{
    static double last;
    double t = clock_now();
    bool whole = p->done == p->images;
    if (!whole && t - last < 0.1)
        return;
    last = t;
    struct winsize window = {0};
    ioctl(STDERR_FILENO, TIOCGWINSZ, &window);
    char text[256];
    fprintf(stderr, "\r%s\033[K%s", progress_text(p, window.ws_col - 1, text, sizeof text), whole ? "\r\033[K" : "");
}

/* Train and save. */
static int train(struct options *o, struct net *net, struct dataset *d, const struct split *s, struct threads *t,
                 struct err *e)
{
    char text[1024];
    o->fit.command = recipe_command(&o->fit, o->start ? o->start : o->net, o->start,
                                           d->finder, s->validation, text, sizeof text);
    bool first = is_first(o);
    const char *checkpoint = first && o->checkpoint[0] ? o->checkpoint : NULL;
    struct fit_watch watch = {.stop = &stop};
    if (first)
        watch = (struct fit_watch){print_line, isatty(STDERR_FILENO) ? print_progress : NULL, tool_warn, &stop};
    catch_signals();
    int status = fit_run(net, d, s, &o->fit, t, checkpoint, o->resume, &watch, e);
    if (!status && first && onnx_save(net, o->model, e))
        status = -1;
    if (!status && checkpoint)
        unlink(checkpoint);
    return status;
}

/* The same model in 8 bits: the work of one. */
static int quantize(const struct options *o, const struct net *net, const struct dataset *d, const struct split *s,
                    struct threads *t, struct err *e)
{
    struct quantize_report r;
    if (!is_first(o))
        return 0;
    double most = d->finder ? QUANTIZE_MAX_FINDER_LOSS : QUANTIZE_MAX_LOSS;
    struct net *made = quantize_net(net, d, s, most, t, &r, e);
    int failed = !made || onnx_save(made, o->model, e);
    net_free(made);
    if (failed)
        return -1;
    printf("%s\tfloat\tint8\n%ld\t%.5f\t%.5f\n", d->finder ? "digits" : "frames", r.images,
           (double)r.before / (double)r.images, (double)r.after / (double)r.images);
    return 0;
}

/* Models, checkpoints and frames are from strangers: from here on nothing but them is opened, and written
 * only in the model's folder. One of several ranks talks to the others and keeps what it has. */
static void drop_privileges(const struct options *o, char **names)
{
    size_t n = 0;
    char folder[2][PATH_MAX];
    while (names[n])
        n++;
    const char *net = o->start ? o->start : o->net, *const own[] = {net, o->classes ? o->classes : net};
    struct privilege keep = {.file = own, .files = 2};
    snprintf(folder[0], sizeof folder[0], "%s", o->model);
    keep.folder[0] = dirname(folder[0]);
    if (realpath(o->model, folder[1])) /* a symbolic link stays, and what it points to is replaced */
        keep.folder[1] = dirname(folder[1]);
    tool_drop_privileges(keep, names, n);
}

/* Returns 0; 1 when it was told to stop; -1 on failure. In both cases the checkpoint, if there is one,
 * holds what was done. */
static int teach(struct options *o, char **names, struct err *e)
{
    const struct ranks *ranks = o->fit.train.ranks;
    struct dataset d = {0};
    struct split s = {0};
    struct threads *t = NULL;
    int status = -1;
    if (!is_rank())
        drop_privileges(o, names);
    struct net *net = load(o, e);
    recipe_complete(&o->fit, o->start, net && net_is_finder(net));
    if (net && (!is_first(o) || !check_output(o, names, e)))
        t = threads_new(o->threads, e);
    if (t) {
        if (!ranks || ranks->here == 1)
            threads_spin(t);
        if (!prepare_data(o, net, &d, e) && !get_data(o, &d, names, e) && !complete(o, net, &d, e) &&
            !dataset_split(&d, recipe_validation(&o->fit, d.images), &s, e))
            status = o->quantize ? quantize(o, net, &d, &s, t, e) : train(o, net, &d, &s, t, e);
    }
    split_free(&s);
    dataset_free(&d);
    threads_free(t);
    net_free(net);
    return status;
}

/* ---- alone, or as one of several ---- */

/* What is said of a run that has ended before its end. */
static int tell_end(const struct options *o, int ended, const struct err *e)
{
    const struct ranks *ranks = o->fit.train.ranks;
    bool first = is_first(o);
    if (ended < 0 && !ferror(stdout)) /* what is wrong with that, tool_close says */
        tool_error(e);
    if (ended < 0 && first && ranks && ranks->failed && !access(o->checkpoint, F_OK))
        tool_warn("-r goes on from the last whole epoch, in %s", o->checkpoint);
    if (ended > 0 && first && isatty(STDERR_FILENO))
        fputc('\n', stderr);
    if (ended > 0 && first)
        tool_warn("stopped%s%s", *o->checkpoint ? "; -r goes on from " : "", o->checkpoint);
    return ended;
}

/* As one of several ranks, or alone. Returns as teach. */
static int run(struct options *o, char **names)
{
    struct ranks ranks = {.count = 1, .here = 1};
    struct err e = ERR_NONE;
    bool ranked = is_rank();
    if (ranked && ranks_join(&ranks, &stop, &e)) { /* all fail alike: one of them says so */
        if (ranks.rank == 0)
            tool_error(&e);
        ranks_leave(&ranks, false);
        return -1;
    }
    if (ranks.count > 1)
        o->fit.train.ranks = &ranks;
    if (!o->threads)
        o->threads = threads_available() > ranks.here ? threads_available() / ranks.here : 1;
    int ended = tell_end(o, teach(o, names, &e), &e);
    if (ranked)
        ranks_leave(&ranks, ended < 0);
    return ended;
}

int main(int argc, char **argv)
{
    struct options o;
    tool_init("cnn-train", usage);
    parse(&o, argc, argv);
    int ended = run(&o, argv + optind);
    if (ended > 0)
        raise(stop ? stop : SIGTERM);
    return tool_close(ended ? EXIT_FAILED : EXIT_OK);
}
