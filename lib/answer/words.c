/* Numbers: the answers to the frames of one word, joined.
 *   in   answers in reading order, each with what preproc says of its frame
 *   out  struct word: the number, how probable it is, and what may stand at each of its places
 * A number is wrong when one of its places is: its probability is the product of theirs. */
#include <string.h>

#include "writer.h"

#define SIGN_RIGHT 0.9 /* A sign is the one that it was taken for so often: 285 of 312, by make signs. */
#define GUESS 0.1      /* An unread place is as probable as a guess: one digit of ten. */

/* Other writing is read only where a digit's probability is at least MIN_PLAIN, which then is multiplied by DOUBTED:
 * preproc takes a plain digit for other writing as often as it is right, and what is struck out or blotted must not
 * be sure. */
#define MIN_PLAIN 0.985
#define DOUBTED 0.4

char mark_of_facts(const char *mark, const char *sign)
{
    if (!mark)
        return MARK_DIGIT;
    bool known = !strcmp(mark, "sign") && sign && label_is_sign(sign[0]) && !sign[1];
    return known ? sign[0] : MARK_OTHER;
}

void answer_heed_mark(struct answer *a, char mark)
{
    char c = label_character(a->digit);
    if (!answer_given(a) || mark == MARK_DIGIT || (mark == MARK_OTHER ? !c : label_is_sign(c)))
        return;
    if (mark == MARK_OTHER && a->probability >= MIN_PLAIN) {
        a->probability *= DOUBTED;
        return;
    }
    strcpy(a->digit, "-");
    a->probability = -1;
}

static bool is_sign(const struct word_place *p)
{
    return !p->text[1] && label_is_sign(p->text[0]);
}

/* What ends a sentence or begins a list, when it is the last of a word. */
static bool is_punctuation(const struct word_place *p)
{
    return !p->text[1] && strchr(".,:", p->text[0]);
}

static bool is_unread(const struct word_place *p)
{
    return !strcmp(p->text, "?");
}

/* Make box (x, y, w, h; w = 0: none) the smallest that holds both. */
static void join_boxes(int box[4], const int other[4])
{
    if (!other[2])
        return;
    if (!box[2]) {
        memcpy(box, other, 4 * sizeof *box);
        return;
    }
    for (int i = 0; i < 2; i++) {
        int end = box[i] + box[i + 2], other_end = other[i] + other[i + 2];
        box[i] = other[i] < box[i] ? other[i] : box[i];
        box[i + 2] = (other_end > end ? other_end : end) - box[i];
    }
}

/* What a frame puts at its place; none when it is blank. */
static bool fill_place(struct word_place *p, const struct answer *a, char mark)
{
    char character[2] = {answer_given(a) ? label_character(a->digit) : '\0'};
    if (!answer_given(a) && mark == MARK_BLANK)
        return false;
    bool sign = label_is_sign(mark);
    if (!answer_given(a))
        character[0] = sign ? mark : '?';
    strcpy(p->text, character[0] ? character : a->digit);
    p->probability = answer_given(a) ? a->probability : sign ? SIGN_RIGHT : GUESS;
    memcpy(p->box, a->box, sizeof p->box);
    p->candidates = 0;
    for (int i = answer_next_candidate(a, -1); i >= 0 && p->candidates < PLACE_MAX_CANDIDATES;
         i = answer_next_candidate(a, i))
        p->candidate[p->candidates++] = a->candidate[i];
    return true;
}

static void begin(struct words *w, const struct answer *a, const struct standing *at)
{
    struct word *word = &w->word[w->now];
    w->open = true;
    w->line = at->line;
    w->number = at->word;
    w->len = 0;
    word->places = 0;
    answer_clear(&word->answer);
    strcpy(word->answer.source, a->source);
    strcpy(word->answer.field, a->field);
    strcpy(word->answer.page, a->page);
    word->answer.frame = a->frame;
}

/* The text, probability and box of what stands at the places. */
static void sum_up(const struct words *w, struct word *word)
{
    struct answer *a = &word->answer;
    int read = 0;
    size_t len = 0;
    while (word->places && is_punctuation(&word->place[word->places - 1]))
        word->places--;
    if (word->places)
        memset(a->box, 0, sizeof a->box);
    a->probability = 1;
    for (int i = 0; i < word->places; i++) {
        const struct word_place *p = &word->place[i];
        read += !is_sign(p) && !is_unread(p);
        a->probability *= p->probability;
        join_boxes(a->box, p->box);
        if (w->digits_only && is_sign(p))
            continue;
        strcpy(a->digit + len, p->text);
        len += strlen(p->text);
    }
    if (read && a->probability >= w->threshold)
        return;
    strcpy(a->digit, "-");
    a->probability = -1;
}

const struct word *words_end(struct words *w)
{
    struct word *word = &w->word[w->now];
    if (!w->open)
        return NULL;
    sum_up(w, word);
    w->open = false;
    w->now = !w->now;
    return word;
}

const struct word *words_add(struct words *w, const struct answer *a, const struct standing *at)
{
    const struct word *done = NULL;
    struct word *word = &w->word[w->now];
    if (!w->open || at->word < 0 || w->number != at->word || w->line != at->line ||
        word->answer.frame != a->frame || strcmp(word->answer.source, a->source) ||
        strcmp(word->answer.field, a->field) || w->len + strlen(a->digit) >= sizeof a->digit) {
        done = words_end(w);
        begin(w, a, at);
        word = &w->word[w->now];
    }
    struct word_place *p = &word->place[word->places];
    if (fill_place(p, a, at->mark)) {
        word->places++;
        w->len += strlen(p->text);
    } else {
        join_boxes(word->answer.box, a->box);
    }
    return done;
}

size_t word_json(const struct word *word, char *text)
{
    struct writer w = {text, 0, WORD_LINE};
    writer_put_answer(&w, &word->answer);
    writer_put(&w, ",\"places\":[");
    for (int i = 0; i < word->places; i++) {
        const struct word_place *p = &word->place[i];
        writer_put(&w, "%s{\"digit\":", i ? "," : "");
        writer_put_text(&w, p->text);
        writer_put(&w, ",\"probability\":");
        writer_put_probability(&w, is_unread(p) ? -1 : p->probability);
        writer_put(&w, ",\"box\":");
        writer_put_box(&w, p->box);
        writer_put(&w, ",\"probabilities\":");
        writer_put_candidates(&w, p->candidate, p->candidates);
        writer_put(&w, "}");
    }
    writer_put(&w, "]}\n");
    return w.len;
}
