#include "teach.h"

#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "onnx/onnx.h"
#include "learn/learn.h"

bool teach_is_first(const struct teach_options *o)
{
    const struct ranks *ranks = o->recipe.fit.train.ranks;
    return !ranks || ranks->rank == 0;
}

/* ---- before the work ---- */

static struct net *load(const struct teach_options *o, struct err *e)
{
    struct net *net = o->start ? onnx_load(o->start, e) : net_load(o->net, e);
    if (net && recipe_check_net(net, e)) {
        err_at(e, o->start ? o->start : o->net, -1);
        net_free(net);
        return NULL;
    }
    if (net && o->net)
        net_init(net, o->recipe.fit.train.seed);
    return net;
}

/* Whether the model can be written and nothing is lost by it, before hours are spent. */
static int check_output(struct teach_options *o, char **names, struct err *e)
{
    char copy[4096];
    struct stat s;
    struct err old = ERR_NONE;
    if (o->net && file_not_saved(o->net, o->model, e))
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
        err_set(&old, "%s is of a run that was not finished; -r would go on with it",
                o->checkpoint);
        o->report(&old);
    }
    return 0;
}

static int read_frames(const struct teach_options *o, struct dataset *d, char **names,
                       struct err *e)
{
    static char *input[] = {"-", NULL};
    struct err blank = ERR_NONE;
    for (char **name = *names ? names : input; *name; name++) {
        struct frame_reader *r = frame_open(*name, e);
        int failed = !r || dataset_read(d, r, e);
        frame_close(r);
        if (failed)
            return -1;
    }
    if (d->blank) {
        err_set(&blank, "%ld frames with nothing in them were left out", d->blank);
        o->report(&blank);
    }
    return d->images ? 0 : err_set(e, "no frames to train on");
}

/* What is in the pipe or the files is read by rank 0 alone and sent to the others. */
static int get_data(const struct teach_options *o, struct dataset *d, char **names, struct err *e)
{
    struct ranks *ranks = o->recipe.fit.train.ranks;
    if (teach_is_first(o) && read_frames(o, d, names, e))
        return -1;
    return ranks ? dataset_share(d, ranks, e) : 0;
}

/* ---- the work ---- */

static int print_line(const struct teach_options *o, const char *line, struct err *e)
{
    if (fprintf(o->out, "%s\n", line) < 0 || fflush(o->out))
        return err_errno(e, "standard output");
    return 0;
}

static int print_epoch(void *arg, const struct epoch_record *r, struct err *e)
{
    char line[256];
    return print_line(arg, fit_line(r, line, sizeof line), e);
}

static void tell_progress(void *arg, const struct fit_progress *p)
{
    const struct teach_options *o = arg;
    o->progress(p);
}

static void tell_source(void *arg, const char *name, long right, long images)
{
    const struct teach_options *o = arg;
    struct err e = ERR_NONE;
    err_set(&e, "%.2f %% of %ld frames set aside are right",
            100.0 * (double)right / (double)images, images);
    err_at(&e, name, -1);
    o->report(&e);
}

/* Train and save. */
static int train(struct teach_options *o, struct net *net, const struct dataset *d,
                 struct threads *t, struct err *e)
{
    struct split s;
    char text[1024];
    if (dataset_split(d, recipe_validation(&o->recipe, d->images), &s, e))
        return -1;
    o->recipe.fit.command = recipe_command(&o->recipe, o->start ? o->start : o->net, o->start,
                                           s.validation, text, sizeof text);
    struct fit_watch watch = {.arg = o, .stop = o->stop};
    bool first = teach_is_first(o);
    int status = 0;
    if (first) {
        watch.epoch = print_epoch;
        watch.progress = o->progress ? tell_progress : NULL;
        watch.source = d->sources > 1 ? tell_source : NULL;
        status = print_line(o, fit_header, e);
    }
    o->begin();
    const char *checkpoint = first && o->checkpoint[0] ? o->checkpoint : NULL;
    if (!status)
        status = fit_run(net, d, &s, &o->recipe.fit, t, checkpoint, o->resume, &watch, e);
    split_free(&s);
    if (!status && first && onnx_save(net, o->model, e))
        status = -1;
    if (!status && checkpoint)
        unlink(checkpoint);
    return status;
}

/* The same model in 8 bits: the work of one. */
static int quantize(const struct teach_options *o, const struct net *net, const struct dataset *d,
                    struct threads *t, struct err *e)
{
    struct split s;
    struct quantize_report r;
    if (!teach_is_first(o))
        return 0;
    if (dataset_split(d, recipe_validation(&o->recipe, d->images), &s, e))
        return -1;
    struct net *made = quantize_net(net, d, &s, QUANTIZE_MAX_LOSS, t, &r, e);
    split_free(&s);
    int failed = !made || onnx_save(made, o->model, e);
    net_free(made);
    if (failed)
        return -1;
    fprintf(o->out, "frames\tfloat\tint8\n%ld\t%.5f\t%.5f\n", r.images,
            (double)r.before / (double)r.images, (double)r.after / (double)r.images);
    return 0;
}

int teach(struct teach_options *o, char **names, struct err *e)
{
    const struct ranks *ranks = o->recipe.fit.train.ranks;
    struct dataset d = {0};
    struct threads *t = NULL;
    struct net *net = load(o, e);
    int status = -1;
    if (net && (!teach_is_first(o) || !check_output(o, names, e)))
        t = threads_new(o->threads, e);
    if (t) {
        struct shape in = net_input(net);
        dataset_init(&d, in.h, in.w, net_outputs(net));
        if (!ranks || ranks->here == 1)
            threads_spin(t);
    }
    if (t && !get_data(o, &d, names, e))
        status = o->quantize ? quantize(o, net, &d, t, e) : train(o, net, &d, t, e);
    dataset_free(&d);
    threads_free(t);
    net_free(net);
    return status;
}
