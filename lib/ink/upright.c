/* Which way up a page lies.
 *
 * Input: a page, and the frames of 28x28 that were cut out where the finder saw digits on it. Output: how
 * probable it is that they stand upright, and the page turned by quarters. Algorithm: a small network
 * (models/turn.net) says of each frame which way its head points; the digits of a page lie alike, so that their
 * probabilities are multiplied. One digit may look like another one upside down, ten do not. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "engine/engine.h"
#include "onnx/onnx.h"
#include "steps.h"

/* Writing stands plainly upright when that is more probable than any other way by this much a digit, as a logarithm.
 * Then the page is not looked at in other ways: photographs of upright pages have 0.9 to 3.5, of pages on their side
 * at most 0.6. */
#define MIN_PLAIN 0.8f
/* So improbable, 0..1, is no way for a digit, however sure the network is: some are drawn like another one. */
#define MIN_DOUBT 0.025f

enum { WAYS = 4, ASKED = 128 }; /* digits of a page at most are asked, evenly taken */

/* What the network calls the ways, by the quarter turns clockwise that make each upright. */
static const char *const way_names[WAYS] = {"upright", "left", "over", "right"};

struct turner {
    struct net *net;
    float input[256]; /* what it reads for a pixel */
    int turns[WAYS];  /* that each of its outputs asks for */
};

struct upright {
    const struct turner *turner;
    struct threads *threads; /* one */
    struct infer *infer;
    float frame[DIGIT_PIXELS];
    uint8_t *page;
    size_t page_room;
};

/* ---- The network ---- */

static int read_ways(struct turner *t, struct err *e)
{
    char name[WAYS][16];
    const char *labels = net_meta(t->net, "labels");
    int n = labels ? sscanf(labels, "%15s%15s%15s%15s", name[0], name[1], name[2], name[3]) : 0;
    unsigned seen = 0;
    for (int i = 0; i < n; i++)
        for (int turns = 0; turns < WAYS; turns++)
            if (!strcmp(name[i], way_names[turns])) {
                t->turns[i] = turns;
                seen |= 1u << turns;
            }
    return seen == (1u << WAYS) - 1 ? 0 : err_set(e, "its labels are not upright, right, over and left");
}

static int check_turner(struct turner *t, struct err *e)
{
    struct shape in = net_input(t->net), out = t->net->layer[t->net->layers - 1].out;
    if (in.c != 1 || in.h != DIGIT_SIDE || in.w != DIGIT_SIDE || out.c != WAYS || out.h != 1 || out.w != 1)
        return err_set(e, "it does not make 4 values of 28x28 pixels");
    return net_read_scaling(t->net, 1.0 / 255, 0, t->input, e) || read_ways(t, e) ? -1 : 0;
}

struct turner *turner_load(const char *file, struct err *e)
{
    struct turner *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(e, "out of memory");
        return NULL;
    }
    t->net = onnx_load(file, e);
    if (t->net && !check_turner(t, e))
        return t;
    err_at(e, file, -1);
    turner_free(t);
    return NULL;
}

void turner_free(struct turner *t)
{
    if (!t)
        return;
    net_free(t->net);
    free(t);
}

/* ---- A page ---- */

struct upright *upright_new(const struct turner *turner, struct err *e)
{
    struct upright *u = calloc(1, sizeof *u);
    if (!u)
        err_set(e, "out of memory");
    else if ((u->turner = turner, u->threads = threads_new(1, e)) &&
             (u->infer = infer_new(turner->net, 1, u->threads, kernel_best(), e)))
        return u;
    upright_free(u);
    return NULL;
}

void upright_free(struct upright *u)
{
    if (!u)
        return;
    infer_free(u->infer);
    threads_free(u->threads);
    free(u->page);
    free(u);
}

/* Add the logarithms of how probable each way is for the digit in these pixels. */
static void ask(struct upright *u, const uint8_t *pixels, float way[WAYS])
{
    float logits[WAYS];
    double p[WAYS];
    for (int i = 0; i < DIGIT_PIXELS; i++)
        u->frame[i] = u->turner->input[pixels[i]];
    infer_run(u->infer, u->frame, 1, logits);
    softmax(logits, WAYS, 1, p);
    for (int i = 0; i < WAYS; i++)
        way[u->turner->turns[i]] += logf(MIN_DOUBT + (1 - WAYS * MIN_DOUBT) * (float)p[i]);
}

struct evidence upright_ask(struct upright *u, const struct candidate *c, int n, const struct ink_digit *cut)
{
    struct evidence e = {{0}, 0};
    int writing = 0, i = 0;
    for (int k = 0; k < n; k++)
        writing += !ink_sign(c[k].class);
    for (int k = 0; k < n; k++)
        if (!ink_sign(c[k].class) && i++ % (1 + writing / ASKED) == 0) {
            ask(u, cut[c[k].id].pixels, e.way);
            e.asked++;
        }
    return e;
}

float upright_margin(const struct evidence *e)
{
    return e->way[0] - fmaxf(e->way[1], fmaxf(e->way[2], e->way[3]));
}

bool upright_is_plain(const struct evidence *e, float least)
{
    return upright_margin(e) >= fmaxf(least, MIN_PLAIN * (float)e->asked);
}

int upright_guess(const struct evidence *e, unsigned tried)
{
    int best = -1;
    for (int t = 0; t < WAYS; t++)
        if (!(tried & 1u << t) && (best < 0 || e->way[t] > e->way[best]))
            best = t;
    return best;
}

struct box upright_back(struct box b, int turns, int w, int h)
{
    switch (turns) {
    case 1: return (struct box){b.y0, h - b.x1, b.y1, h - b.x0};
    case 2: return (struct box){w - b.x1, h - b.y1, w - b.x0, h - b.y0};
    case 3: return (struct box){w - b.y1, b.x0, w - b.y0, b.x1};
    default: return b;
    }
}

int upright_turn(struct upright *u, int turns, struct source *s, struct err *e)
{
    struct source turned = {NULL, turns % 2 ? s->h : s->w, turns % 2 ? s->h : s->w, turns % 2 ? s->w : s->h};
    if (grow_to(&u->page, (size_t)turned.w * (size_t)turned.h, &u->page_room, 1, e))
        return -1;
    for (int y = 0; y < turned.h; y++)
        for (int x = 0; x < turned.w; x++) {
            struct box from = upright_back(box_at(x, y, 1, 1), turns, s->w, s->h);
            u->page[(size_t)y * (size_t)turned.w + (size_t)x] = s->gray[from.y0 * s->stride + from.x0];
        }
    turned.gray = u->page;
    *s = turned;
    return 0;
}
