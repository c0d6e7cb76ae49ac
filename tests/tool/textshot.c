/* textshot: lines of text on standard input as a picture, a PPM on standard output: what a terminal
 * shows, for the README. A tab goes to the next stop of 104 pixels; a line that begins with "$ " is
 * a command. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "window/window.h"

enum { MARGIN = 24, SIZE = 12, STEP = 27, STOP = 104, LINES = 100, WIDTH = 820 };

static void paint_line(struct window_surface *s, double y, char *line)
{
    double x = MARGIN;
    uint32_t color = INK_TEXT;
    if (strncmp(line, "$ ", 2) == 0) {
        x = paint_text(s, x, y, SIZE, 1.1, INK_ACCENT, "$ ");
        line += 2;
        color = 0xffffff;
    }
    for (char *next; line; line = next) {
        next = strchr(line, '\t');
        if (next)
            *next++ = '\0';
        double end = paint_text(s, x, y, SIZE, 1, color, line);
        x = MARGIN + ceil((end - MARGIN + 10) / STOP) * STOP;
    }
}

int main(void)
{
    static char line[LINES][512];
    int n = 0;
    while (n < LINES && fgets(line[n], sizeof line[n], stdin))
        n++;
    struct window_surface s = {WIDTH, 2 * MARGIN + n * STEP - (STEP - SIZE), NULL};
    s.pixels = malloc((size_t)s.width * (size_t)s.height * sizeof *s.pixels);
    if (n == 0 || !s.pixels)
        return 1;
    paint_fill(&s, box_at(0, 0, s.width, s.height), INK_BACKGROUND);
    for (int i = 0; i < n; i++) {
        line[i][strcspn(line[i], "\n")] = '\0';
        paint_line(&s, MARGIN + SIZE + i * STEP, line[i]);
    }
    printf("P6\n%d %d\n255\n", s.width, s.height);
    for (int i = 0; i < s.width * s.height; i++) {
        putchar((int)(s.pixels[i] >> 16 & 255));
        putchar((int)(s.pixels[i] >> 8 & 255));
        putchar((int)(s.pixels[i] & 255));
    }
    return fflush(stdout) != 0;
}
