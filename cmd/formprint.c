/* formprint: a form's text to a PDF to print. */
#include <stdlib.h>
#include <unistd.h>

#include "base/files.h"
#include "form/form.h"
#include "base/privilege.h"
#include "tool.h"

static const char usage[] =
    "usage: formprint [-hV] [-n count] [form]\n"
    "Lay out the form that a text describes, see form(5), and write it as PDF.\n"
    "  -h        this help\n"
    "  -n count  so many copies, numbered from 1\n"
    "  -V        version\n"
    "Print it in its own size: no fitting to the page.\n"
    "example: formprint exam.form >exam.pdf\n";

struct options {
    int copies; /* 0: one without a number */
    const char *form;
};

static struct options parse(int argc, char **argv)
{
    struct options o = {0};
    for (int c; (c = tool_getopt(argc, argv, "hn:V")) != -1;)
        switch (c) {
        case 'n': o.copies = (int)tool_int(c, optarg, 1, FORM_MAX_COPY); break;
        }
    if (argc - optind > 1)
        tool_usage("one form at a time");
    o.form = argv[optind];
    if (isatty(STDOUT_FILENO))
        tool_usage("a PDF is not for a terminal: write it to a file, formprint exam.form >exam.pdf");
    return o;
}

static int print(const struct form *form, int copies, struct err *e)
{
    struct form_layout layout;
    uint8_t *pdf = NULL;
    size_t len = 0;
    if (form_lay_out(form, &layout, e))
        return -1;
    int status = form_pdf(&layout, copies, &pdf, &len, e);
    form_layout_free(&layout);
    if (status == 0 && write_all(STDOUT_FILENO, pdf, len)) {
        err_errno(e, "cannot write");
        status = err_at(e, "standard output", -1);
    }
    free(pdf);
    return status;
}

static int run(const struct options *o)
{
    struct err e = ERR_NONE;
    privilege_drop(&(struct privilege){.file = &o->form, .files = o->form != NULL});
    if (file_not_written(o->form, STDOUT_FILENO, &e))
        return tool_error(&e);
    struct form *form = form_load(o->form, &e);
    int status = form && !print(form, o->copies, &e) ? EXIT_OK : tool_error(&e);
    form_free(form);
    return status;
}

int main(int argc, char **argv)
{
    tool_init("formprint", usage);
    struct options o = parse(argc, argv);
    return tool_close(run(&o));
}
