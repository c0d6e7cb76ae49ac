/* The event loop of a window.
 *   in   events of the X server, lines of a command, one more descriptor, signals
 *   out  one event at a time; a wait (ppoll) that ends with the next */
#define _GNU_SOURCE 1 /* ppoll */
#include "window.h"

#include <math.h>
#include <poll.h>

#include "base/clock.h"

int loop_open(struct window_loop *l, const char *command, int out, double scale, struct err *e)
{
    *l = (struct window_loop){.dirty = true};
    outlet_init(&l->out, out);
    if (!(l->window = window_open(NULL, e)) || (command && !(l->child = child_new(command, e))))
        return -1;
    l->scale = scale > 0 ? scale : window_scale(l->window);
    return 0;
}

void loop_close(struct window_loop *l)
{
    child_free(l->child);
    window_free(l->window);
    outlet_free(&l->out);
}

struct window_event loop_event(struct window_loop *l)
{
    return window_next(l->window, &l->dirty, &l->quit);
}

void loop_wait(struct window_loop *l, int fd, double until, const sigset_t *open)
{
    struct pollfd p[] = {{window_fd(l->window), POLLIN, 0},
                         {l->out.fd, outlet_busy(&l->out) ? POLLOUT : 0, 0},
                         {fd, POLLIN, 0},
                         {-1, 0, 0},
                         {-1, 0, 0}};
    double now = clock_now();
    if (l->quit)
        return;
    until = fmin(until, now + child_poll(l->child, p + 3));
    if (window_pending(l->window))
        until = now;
    struct timespec left = clock_span(isfinite(until) ? fmax(0, until - now) : 0);
    ppoll(p, sizeof p / sizeof *p, isfinite(until) ? &left : NULL, open);
    l->quit |= outlet_is_closed(&l->out);
}
