/* The line of progress that a terminal shows: struct fit_progress to text. */
#include "learn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BAR 24 /* The bar is so many characters long. */

char *progress_time(double seconds, char *text, size_t size)
{
    long s = seconds > 0 && seconds < 1e9 ? (long)(seconds + 0.5) : 0;
    if (s < 3600)
        snprintf(text, size, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    return text;
}

char *progress_text(const struct fit_progress *p, int columns, char *text, size_t size)
{
    char bar[BAR + 1], left[32];
    long full = p->images > 0 ? BAR * p->done / p->images : 0;
    for (long i = 0; i < BAR; i++)
        bar[i] = i < full ? '=' : i == full ? '>' : ' ';
    bar[BAR] = '\0';
    int len = snprintf(text, size, "epoch %d/%d [%s] %5.0f images/s  %s left  loss %.4f", p->epoch,
                       p->epochs, bar, p->rate, progress_time(p->left, left, sizeof left), p->loss);
    if (!isnan(p->accuracy) && (size_t)len < size)
        snprintf(text + len, size - (size_t)len, "  %.2f %%", 100 * p->accuracy);
    if (columns > 0 && (size_t)columns < strlen(text))
        text[columns] = '\0';
    return text;
}
