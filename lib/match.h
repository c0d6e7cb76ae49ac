/* Which frame an answer is about. A command beside a window answers late, not at all, or several
 * times for one frame; what it says must never be shown on another picture. Pure. */
#ifndef INKPIPE_MATCH_H
#define INKPIPE_MATCH_H

#include <stdint.h>

#include "answer.h"

#define MATCH_FRAMES 256 /* frames remembered, newest last */
#define MATCH_BOXES 64   /* answers kept of one frame */

struct match_sent {
    uint64_t source; /* a hash of its name */
    long long number;
    double time; /* the frame's own, or when it was sent */
    double at;   /* when it was sent */
};

struct match_box {
    char digit[16];     /* "-": no digit */
    double probability; /* negative: not known */
    int box[4];         /* x y w h; w = 0: not known */
};

/* Start from {.steady = {.hold = seconds}, .lag = -1}. */
struct match {
    struct match_sent sent[MATCH_FRAMES];
    int count, next; /* remembered; where the next one goes */
    struct match_box box[MATCH_BOXES]; /* answers to the newest frame */
    int boxes;
    int same;     /* answers so far to the frame answered last */
    long long last_number;
    uint64_t last_source;
    double lag;   /* seconds from sending to the latest answer; negative: none yet */
    struct steady steady;
    struct answer steadied; /* the answer that has held, with its latest probability */
    bool settled;           /* there is one: a first answer holds until another has held */
};

/* A frame went to the command. */
void match_send(struct match *m, const char *source, long long number, double time, double now);

/* An answer came: true when it is about the newest frame (it is then among box[]). An answer that
 * names no frame is taken to be about the newest; one that names a frame that was never sent is
 * left alone. */
bool match_answer(struct match *m, const struct answer *a, double now);

/* The command ended, or its frames did: nothing that was said holds any longer. */
void match_forget(struct match *m);

#endif
