/* The .net text to a network.
 *   in   a text, a layer a line
 *   out  layers with shapes, and weights of 0; or an error that names the line
 * Grammar: net(5). */
#define _GNU_SOURCE 1 /* strsep */
#include "net.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"

#define NET_MAX_TEXT (1L << 20) /* A .net has at most so many bytes. */
#define MIN_LABELS 2          /* `dense labels` has so many outputs until they are counted. */
#define MAX_WORDS 24            /* A line has at most so many words. */

struct parser {
    struct net *net;
    int line;                      /* the number of the line being parsed, from 1 */
    int current;                   /* the layer that the next line reads; -1: none yet */
    char *word[MAX_WORDS];         /* the line's words */
    int words, next;               /* how many, and the first not yet taken */
    int line_of[NET_MAX_LAYERS];   /* the line a layer is from */
    bool with_bias[NET_MAX_LAYERS];
    struct err *e;
};

__attribute__((format(printf, 2, 3))) static int fail(struct parser *p, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return err_set(p->e, "line %d: %s", p->line, what);
}

/* Parse an integer of digits only. Returns false when it is none or not low..high. */
static bool read_int(const char *text, int low, int high, int *value)
{
    long n = strtol(text, NULL, 10);
    *value = (int)n;
    return *text && strspn(text, "0123456789") == strlen(text) && n >= low && n <= high;
}

static const char *take(struct parser *p)
{
    return p->next < p->words ? p->word[p->next++] : NULL;
}

static bool take_word(struct parser *p, const char *word)
{
    if (p->next == p->words || strcmp(p->word[p->next], word))
        return false;
    p->next++;
    return true;
}

static int take_int(struct parser *p, const char *what, int low, int high, int *value)
{
    const char *text = take(p);
    if (!text)
        return fail(p, "%s: a number is missing", what);
    if (!read_int(text, low, high, value))
        return fail(p, "%s: '%.40s' is not a whole number %d..%d", what, text, low, high);
    return 0;
}

/* Take a size RxS; N stands for NxN where `one_will_do`. */
static int take_size(struct parser *p, const char *what, bool one_will_do, int *r, int *s)
{
    const char *text = take(p);
    if (!text)
        return fail(p, "%s: a size is missing", what);
    char copy[32];
    snprintf(copy, sizeof copy, "%s", text);
    char *x = strchr(copy, 'x');
    if (x)
        *x++ = '\0';
    if (strlen(text) >= sizeof copy || (!x && !one_will_do) ||
        !read_int(copy, 1, NET_MAX_DIM, r) || !read_int(x ? x : copy, 1, NET_MAX_DIM, s))
        return fail(p, "%s: '%.40s' is not a size such as 3x3, each 1..%d", what, text, NET_MAX_DIM);
    return 0;
}

/* Take a decimal number in [low, high). */
static int take_real(struct parser *p, const char *what, double low, double high, float *value)
{
    const char *text = take(p);
    if (!text)
        return fail(p, "%s: a number is missing", what);
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || strspn(text, "0123456789.eE+-") != strlen(text) || !(number >= low && number < high))
        return fail(p, "%s: '%.40s' is not a number of at least %g and below %g", what, text, low, high);
    *value = (float)number;
    return 0;
}

static int unknown_word(struct parser *p)
{
    return fail(p, "%s: unknown word '%.40s'", p->word[0], p->word[p->next]);
}

/* Padding by which a window of stride 1 keeps the side: half of it before, the odd one after. With a
 * stride the output is ceil(in / stride), and windows stand at the same places whatever `in` is. */
static void pad_same(int size, int dilation, int *before, int *after)
{
    long total = (long)(size - 1) * dilation;
    *before = (int)(total / 2 > NET_MAX_DIM ? NET_MAX_DIM + 1 : total / 2);
    *after = (int)(total - total / 2 > NET_MAX_DIM ? NET_MAX_DIM + 1 : total - total / 2);
}

static void pad_window(struct layer *l)
{
    pad_same(l->r, l->dilation_h, &l->pad_top, &l->pad_bottom);
    pad_same(l->s, l->dilation_w, &l->pad_left, &l->pad_right);
}

static int take_pad(struct parser *p, struct layer *l, bool *same)
{
    *same = take_word(p, "same");
    if (*same)
        return 0;
    if (take_int(p, "pad", 0, NET_MAX_DIM, &l->pad_top))
        return -1;
    l->pad_left = l->pad_bottom = l->pad_right = l->pad_top;
    return 0;
}

static int parse_input(struct parser *p, struct layer *l)
{
    return take_int(p, "channels", 1, NET_MAX_DIM, &l->out.c) ||
                   take_int(p, "height", 1, NET_MAX_DIM, &l->out.h) ||
                   take_int(p, "width", 1, NET_MAX_DIM, &l->out.w)
               ? -1
               : 0;
}

/* [stride N|NxM] [pad N|same], and of a convolution, which has a bias unless it says so,
 * [dilation N] [groups N] [nobias] */
static int parse_window(struct parser *p, struct layer *l, bool *with_bias)
{
    bool same = false;
    while (p->next < p->words) {
        int status = 0;
        if (take_word(p, "stride"))
            status = take_size(p, "stride", true, &l->stride_h, &l->stride_w);
        else if (take_word(p, "pad"))
            status = take_pad(p, l, &same);
        else if (with_bias && take_word(p, "dilation"))
            status = take_size(p, "dilation", true, &l->dilation_h, &l->dilation_w);
        else if (with_bias && take_word(p, "groups"))
            status = take_int(p, "groups", 1, NET_MAX_DIM, &l->groups);
        else if (with_bias && take_word(p, "nobias"))
            *with_bias = false;
        else
            return unknown_word(p);
        if (status)
            return -1;
    }
    if (same)
        pad_window(l);
    return 0;
}

/* conv K RxS and what parse_window reads */
static int parse_conv(struct parser *p, struct layer *l)
{
    bool *with_bias = &p->with_bias[l - p->net->layer];
    *with_bias = true;
    if (take_int(p, "channels", 1, NET_MAX_DIM, &l->out.c) || take_size(p, "kernel", false, &l->r, &l->s))
        return -1;
    return parse_window(p, l, with_bias);
}

/* maxpool RxS and what parse_window reads; the stride is the window unless given */
static int parse_pool(struct parser *p, struct layer *l)
{
    if (take_size(p, "window", false, &l->r, &l->s))
        return -1;
    l->stride_h = l->r;
    l->stride_w = l->s;
    return parse_window(p, l, NULL);
}

static int parse_dense(struct parser *p, struct layer *l)
{
    int layer = (int)(l - p->net->layer);
    if (!take_word(p, "labels")) {
        if (take_int(p, "outputs", 1, NET_MAX_DIM, &l->out.c))
            return -1;
    } else if (p->net->open) {
        return fail(p, "dense labels: there is one above");
    } else {
        l->out.c = MIN_LABELS;
        p->net->open = layer;
    }
    p->with_bias[layer] = !take_word(p, "nobias");
    return 0;
}

static int parse_batchnorm(struct parser *p, struct layer *l)
{
    l->epsilon = 1e-3f;
    l->momentum = .99f;
    while (p->next < p->words) {
        int status;
        if (take_word(p, "epsilon"))
            status = take_real(p, "epsilon", 0, 1, &l->epsilon);
        else if (take_word(p, "momentum"))
            status = take_real(p, "momentum", 0, 1, &l->momentum);
        else
            return unknown_word(p);
        if (status)
            return -1;
    }
    return 0;
}

static int parse_dropout(struct parser *p, struct layer *l)
{
    return take_real(p, "rate", 0, 1, &l->rate);
}

/* The index of the layer of that name, or -1. */
static int find_named(const struct parser *p, const char *name)
{
    for (int i = 0; i < p->net->layers; i++)
        if (p->net->layer[i].name[0] && !strcmp(p->net->layer[i].name, name))
            return i;
    return -1;
}

static int take_named(struct parser *p, int *layer)
{
    const char *name = take(p);
    if (!name)
        return fail(p, "%s: a name is missing", p->word[0]);
    *layer = find_named(p, name);
    if (*layer < 0)
        return fail(p, "nothing above is named '%.40s'", name);
    return 0;
}

static int parse_add(struct parser *p, struct layer *l)
{
    return take_named(p, &l->in[1]);
}

static int parse_name(struct parser *p)
{
    const char *name = take(p);
    struct layer *l = &p->net->layer[p->current];
    if (!name)
        return fail(p, "name: a word is missing");
    if (strlen(name) >= sizeof l->name)
        return fail(p, "name: '%.40s...' is longer than %zu letters", name, sizeof l->name - 1);
    if (find_named(p, name) >= 0)
        return fail(p, "the name '%.40s' is taken", name);
    if (l->name[0])
        return fail(p, "this value has the name '%.40s' already", l->name);
    snprintf(l->name, sizeof l->name, "%s", name);
    return 0;
}

static const struct {
    enum op op;
    int (*parse)(struct parser *p, struct layer *l); /* NULL: no operands */
} grammar[] = {
    {OP_INPUT, parse_input},     {OP_CONV, parse_conv},         {OP_DENSE, parse_dense},
    {OP_BATCHNORM, parse_batchnorm}, {OP_RELU, NULL},           {OP_MAXPOOL, parse_pool},
    {OP_AVGPOOL, parse_pool},    {OP_GLOBALPOOL, NULL},         {OP_DROPOUT, parse_dropout},
    {OP_FLATTEN, NULL},          {OP_ADD, parse_add},           {OP_SOFTMAX, NULL},
    {OP_BOXES, NULL},
};

/* What may stand where: input first and once, nothing after softmax or boxes. */
static int check_order(struct parser *p, bool is_input)
{
    if (p->current < 0)
        return is_input ? 0 : fail(p, "the first line must be 'input C H W'");
    if (is_input)
        return fail(p, "a second input");
    enum op last = p->net->layer[p->net->layers - 1].op;
    if (last == OP_SOFTMAX || last == OP_BOXES)
        return fail(p, "nothing may follow %s", op_name(last));
    return 0;
}

static int parse_layer(struct parser *p, enum op op, int (*parse)(struct parser *, struct layer *))
{
    struct net *net = p->net;
    if (check_order(p, op == OP_INPUT))
        return -1;
    if (net->layers == NET_MAX_LAYERS)
        return fail(p, "more than %d layers", NET_MAX_LAYERS);
    int i = net->layers;
    struct layer *l = &net->layer[i];
    *l = (struct layer){.op = op, .in = {p->current, -1}, .r = 1, .s = 1, .stride_h = 1,
                        .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .groups = 1};
    if (parse && parse(p, l))
        return -1;
    p->line_of[i] = p->line;
    net->layers++;
    struct err why = ERR_NONE;
    if (net_infer_layer(net, i, &why))
        return fail(p, "%s", why.what);
    p->current = i;
    return 0;
}

static int parse_words(struct parser *p)
{
    int status = 0;
    if (take_word(p, "name") || take_word(p, "from")) {
        if (check_order(p, false))
            return -1;
        status = p->word[0][0] == 'n' ? parse_name(p) : take_named(p, &p->current);
    } else {
        size_t i = 0, n = sizeof grammar / sizeof *grammar;
        while (i < n && !take_word(p, op_name(grammar[i].op)))
            i++;
        if (i == n)
            return fail(p, "unknown word '%.40s'", p->word[0]);
        status = parse_layer(p, grammar[i].op, grammar[i].parse);
    }
    if (status)
        return -1;
    return p->next < p->words ? unknown_word(p) : 0;
}

/* Split a line into words, in place, and parse them. */
static int parse_line(struct parser *p, char *line)
{
    char *rest = line;
    line[strcspn(line, "#")] = '\0';
    p->words = p->next = 0;
    for (char *word; (word = strtok_r(rest, " \t\r", &rest));) {
        if (p->words == MAX_WORDS)
            return fail(p, "more than %d words", MAX_WORDS);
        p->word[p->words++] = word;
    }
    return p->words ? parse_words(p) : 0;
}

/* Check that every layer but the last is read by a later one. */
static int check_used(struct parser *p)
{
    const struct net *net = p->net;
    bool used[NET_MAX_LAYERS] = {false};
    for (int i = 1; i < net->layers; i++) {
        used[net->layer[i].in[0]] = true;
        if (net->layer[i].op == OP_ADD)
            used[net->layer[i].in[1]] = true;
    }
    for (int i = 0; i < net->layers - 1; i++)
        if (!used[i]) {
            p->line = p->line_of[i];
            return fail(p, "no later line reads this value");
        }
    if (p->current != net->layers - 1)
        return fail(p, "nothing follows 'from'");
    return net_infer_shapes(p->net, p->e); /* all together are not too much */
}

static int parse_text(struct parser *p, char *text)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        p->line++;
        if (parse_line(p, line))
            return -1;
    }
    if (p->current < 0)
        return fail(p, "no 'input C H W'");
    return check_used(p) || net_alloc_params(p->net, p->with_bias, p->e) ? -1 : 0;
}

struct net *net_parse(const char *text, size_t len, const char *name, struct err *e)
{
    char *copy = NULL;
    struct net *net = NULL;
    struct parser *p = calloc(1, sizeof *p);
    int status = -1;
    if (len > NET_MAX_TEXT)
        err_set(e, "more than %ld bytes", NET_MAX_TEXT);
    else if (memchr(text, '\0', len))
        err_set(e, "not a text");
    else if (!p || !(copy = strndup(text, len)) || !(net = calloc(1, sizeof *net)) ||
             !(net->layer = calloc(NET_MAX_LAYERS, sizeof *net->layer)))
        err_set(e, "out of memory");
    else {
        *p = (struct parser){.net = net, .current = -1, .e = e};
        status = parse_text(p, copy);
    }
    free(copy);
    free(p);
    if (!status)
        return net;
    err_at(e, name, -1);
    net_free(net);
    return NULL;
}

struct net *net_load(const char *name, struct err *e)
{
    uint8_t *text;
    size_t len;
    if (file_load(name, NET_MAX_TEXT, &text, &len, e))
        return NULL;
    struct net *net = net_parse((const char *)text, len, name && strcmp(name, "-") ? name : "-", e);
    free(text);
    return net;
}
