/* cnn-train: labelled frames -> a model. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "program/progress.h"
#include "program/teach.h"
#include "tool.h"

static const char usage[] =
    "usage: cnn-train (-n net | -i model | -q -i model) -o model [options] [frames ...]\n"
    "Train a network on labelled frames and write it as an ONNX model.\n"
    "  -n FILE   the network, a .net text\n"
    "  -i FILE   start from a model instead: its weights, a tenth of the rate\n"
    "  -o FILE   the model to write; FILE.ckpt holds the run until it is done\n"
    "  -q        do not train: make the model of -i one in 8 bits, if that costs nothing\n"
    "  -r        go on from FILE.ckpt, if it is there\n"
    "  -e N      epochs (10)\n"
    "  -b N      images a step (64)\n"
    "  -l RATE   learning rate, at its peak (by -O: 0.002, 0.001, 0.05)\n"
    "  -O NAME   optimizer: adamw, adam or sgd (adamw)\n"
    "  -p NAME   precision of products: fp32 or bf16 (fp32)\n"
    "  -S NAME   schedule: onecycle, cosine or constant (onecycle)\n"
    "  -W PART   of the steps to warm up (by -S: 0.3, 0.05, 0)\n"
    "  -w DECAY  weight decay (by -O: 0.01, 0, 0.0005)\n"
    "  -L PART   label smoothing (0)\n"
    "  -E PART   of the run at whose end the weights are averaged (0.05; 0: not)\n"
    "  -a LIST   augmentation: none, default or rotate=10,shear=10,zoom=.1,shift=.1,...\n"
    "  -A N      train the last N epochs without augmentation (0)\n"
    "  -v N      frames set aside for validation, a count or a part (1/12)\n"
    "  -s SEED   of everything drawn at random (1)\n"
    "  -j N      threads (the CPUs there are); the model does not depend on it\n";

/* The number of a name that find knows. */
static int named(int option, const char *name, int (*find)(const char *), const char *names)
{
    int number = find(name);
    if (number < 0)
        tool_usage("-%c %s: not %s", option, name, names);
    return number;
}

static void parse_option(struct teach_options *o, int option, const char *value)
{
    struct fit_options *f = &o->recipe.fit;
    struct err e = ERR_NONE;
    switch (option) {
    case 'n': o->net = value; break;
    case 'i': o->start = value; break;
    case 'o': o->model = value; break;
    case 'q': o->quantize = true; break;
    case 'r': o->resume = true; break;
    case 'e': f->epochs = (int)tool_int('e', value, 1, CHECKPOINT_MAX_EPOCHS); break;
    case 'b': f->train.batch = (int)tool_int('b', value, 1, 65536); break;
    case 'l': f->rate = tool_real('l', value, 0, 100); break;
    case 'O':
        o->recipe.optimizer = named('O', value, recipe_optimizer, "adamw, adam or sgd");
        break;
    case 'p':
        f->train.bf16 = named('p', value, recipe_precision, "fp32 or bf16")
                            ? kernel16_best(kernel_best())
                            : NULL;
        break;
    case 'S':
        f->schedule = (enum schedule)named('S', value, schedule_named,
                                           "onecycle, cosine or constant");
        break;
    case 'W': f->warmup = tool_real('W', value, 0, 1); break;
    case 'w': f->train.weight_decay = tool_real('w', value, 0, 10); break;
    case 'L': f->train.label_smoothing = tool_real('L', value, 0, 0.9); break;
    case 'E': f->average = tool_real('E', value, 0, 0.2); break;
    case 'a':
        if (augment_parse(value, &f->augment, &e))
            tool_usage("-a %s: %s", value, e.what);
        break;
    case 'A': f->plain_epochs = (int)tool_int('A', value, 0, CHECKPOINT_MAX_EPOCHS); break;
    case 'v': o->recipe.validation = tool_real('v', value, 0, DATASET_MAX_IMAGES); break;
    case 's': f->train.seed = (uint64_t)tool_int('s', value, 0, INT32_MAX); break;
    case 'j': o->threads = (int)tool_int('j', value, 1, 1024); break;
    case 'h': tool_help();
    case 'V': tool_version();
    default: tool_usage(NULL);
    }
}

static void parse(struct teach_options *o, int argc, char **argv)
{
    int option;
    *o = (struct teach_options){.recipe = recipe_default, .out = stdout, .report = tool_error};
    while ((option = getopt(argc, argv, "n:i:o:qre:b:l:O:p:S:W:w:L:E:a:A:v:s:j:hV")) != -1)
        parse_option(o, option, optarg);
    if (!o->net == !o->start)
        tool_usage("one of -n and -i says what to train");
    if (o->quantize && (!o->start || o->resume))
        tool_usage("-q takes the model of -i as it is: -n and -r mean nothing with it");
    if (!o->model)
        tool_usage("-o says where the model goes");
    size_t size = sizeof o->checkpoint;
    if ((size_t)snprintf(o->checkpoint, size, "%s.ckpt", o->model) >= size)
        tool_usage("-o: the name is too long");
    recipe_complete(&o->recipe, o->start);
}

static volatile sig_atomic_t stop; /* the signal that asks to end */

static void on_signal(int signal)
{
    stop = signal;
}

/* From now on Ctrl-C ends the run after its step, and pressed again at once. A signal that was
 * ignored when the program began, as in a background job of a script, stays so. */
static void catch_signal(int signal)
{
    struct sigaction old, action = {.sa_handler = on_signal};
    action.sa_flags = (int)SA_RESETHAND | SA_RESTART;
    if (!sigaction(signal, NULL, &old) && old.sa_handler != SIG_IGN)
        sigaction(signal, &action, NULL);
}

static void catch_signals(void)
{
    catch_signal(SIGINT);
    catch_signal(SIGTERM);
    catch_signal(SIGHUP);
}

/* Whether mpirun (Open MPI's, or one of MPICH's kin) has started this process among others. */
static bool is_rank(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE");
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
    fprintf(stderr, "\r%s\033[K%s", progress_text(p, window.ws_col - 1, text, sizeof text),
            whole ? "\r\033[K" : "");
}

/* What is said of a run that has ended before its end. */
static int tell_end(const struct teach_options *o, int ended, const struct err *e)
{
    const struct ranks *ranks = o->recipe.fit.train.ranks;
    bool first = teach_is_first(o);
    if (ended < 0 && !ferror(o->out)) /* what is wrong with that, tool_close says */
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
static int run(struct teach_options *o, char **names)
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
        o->recipe.fit.train.ranks = &ranks;
    if (!o->threads)
        o->threads = threads_available() > ranks.here ? threads_available() / ranks.here : 1;
    int ended = tell_end(o, teach(o, names, &e), &e);
    if (ranked)
        ranks_leave(&ranks, ended < 0);
    return ended;
}

int main(int argc, char **argv)
{
    struct teach_options o;
    tool_init("cnn-train", usage);
    parse(&o, argc, argv);
    o.stop = &stop;
    o.begin = catch_signals;
    if (isatty(STDERR_FILENO))
        o.progress = print_progress;
    int ended = run(&o, argv + optind);
    if (ended > 0)
        raise(stop ? stop : SIGTERM);
    return tool_close(ended ? EXIT_FAILED : EXIT_OK);
}
