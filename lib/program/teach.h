/* From files of labelled frames to a model file: a network is trained, or a model made one in 8 bits.
 * cnn-train is this with options. */
#ifndef INKPIPE_TEACH_H
#define INKPIPE_TEACH_H

#include <stdbool.h>
#include <stdio.h>

#include "recipe.h"

struct teach_options {
    const char *net, *start; /* one of them: a .net text; a model to start from */
    const char *model;       /* the file to write */
    char checkpoint[4096];   /* the file that holds the run until then; "": none */
    bool resume, quantize;
    int threads;
    struct recipe recipe; /* complete; its ranks, if any, are joined */
    FILE *out;            /* gets the lines of epochs, or of quantizing */
    int (*report)(const struct err *e);               /* told of what one should know */
    void (*progress)(const struct fit_progress *p);   /* after each step; NULL: not */
    void (*begin)(void);                              /* when the data is there, before training */
    const volatile sig_atomic_t *stop;                /* when not 0, the run ends after its step */
};

/* Whether this process is the one that prints and writes, of those that work together. */
bool teach_is_first(const struct teach_options *o);

/* Do it with the frames of the named files (NULL as the first: standard input). Returns 0; 1 when it
 * was told to stop; -1 on failure. In both cases the checkpoint, if there is one, holds what was
 * done. */
int teach(struct teach_options *o, char **names, struct err *e);

#endif
