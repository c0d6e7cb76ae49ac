/* Which frame an answer is about.
 *   in   frames as they are sent to a command, answers as they come back
 *   out  the answers to the newest frame, the one that has held, how late answers are
 * Frames are remembered in a ring and found again by the hash of their source and their number. */
#include "window.h"

#include <stdio.h>
#include <string.h>

/* FNV-1a of 64 bits (Fowler, Noll and Vo). */
static uint64_t hash(const char *text)
{
    uint64_t h = 14695981039346656037u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return h;
}

static struct match_sent *newest(struct match *m)
{
    return m->count ? &m->sent[(m->next + MATCH_MAX_FRAMES - 1) % MATCH_MAX_FRAMES] : NULL;
}

void match_send(struct match *m, const char *source, long long number, double time, double now)
{
    m->sent[m->next] = (struct match_sent){hash(source), number, time, now};
    m->next = (m->next + 1) % MATCH_MAX_FRAMES;
    m->count += m->count < MATCH_MAX_FRAMES;
    m->boxes = 0;
}

static struct match_sent *find(struct match *m, const struct answer *a)
{
    if (a->frame < 0)
        return newest(m);
    bool named = strcmp(a->source, "-") != 0;
    uint64_t source = named ? hash(a->source) : 0;
    for (int i = 1; i <= m->count; i++) {
        struct match_sent *s = &m->sent[(m->next + MATCH_MAX_FRAMES - i) % MATCH_MAX_FRAMES];
        if (s->number == a->frame && (!named || s->source == source))
            return s;
    }
    return NULL;
}

static void add_box(struct match *m, const struct answer *a)
{
    if (m->boxes == MATCH_MAX_BOXES)
        return;
    struct match_box *b = &m->box[m->boxes++];
    snprintf(b->digit, sizeof b->digit, "%.15s", a->digit);
    b->probability = a->probability;
    memcpy(b->box, a->box, sizeof b->box);
}

bool match_answer(struct match *m, const struct answer *a, double now)
{
    struct match_sent *s = find(m, a);
    if (!s)
        return false;
    m->lag = now - s->at;
    bool known = m->settled && s->source == m->last_source;
    bool again = known && s->number == m->last_number;
    m->same = again ? m->same + 1 : 1;
    m->last_number = s->number;
    m->last_source = s->source;
    if (!known) { /* the first answer in a source holds at once */
        m->steady.since = s->time;
        memcpy(m->steady.source, a->source, sizeof a->source);
        memcpy(m->steady.digit, a->digit, sizeof a->digit);
        memcpy(m->steady.passed, a->digit, sizeof a->digit);
    } else if (m->same == 1) {
        steady_pass(&m->steady, a, s->time);
    }
    if (m->same == 1 && strcmp(m->steady.passed, a->digit) == 0)
        m->steadied = *a;
    m->settled = true;
    if (s != newest(m))
        return false;
    add_box(m, a);
    return true;
}

void match_forget(struct match *m)
{
    m->count = m->next = m->boxes = m->same = 0;
    m->settled = false;
    m->lag = -1;
}
