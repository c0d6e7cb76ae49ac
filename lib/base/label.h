/* Labels: the names of classes, in frames, models and answers alike. A label is a word of printable ASCII
 * without blanks. `none` names what is no digit; a sign that belongs to a number has a name that a folder
 * may have, such as `minus`. */
#ifndef INKPIPE_LABEL_H
#define INKPIPE_LABEL_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define LABEL_SIZE 33          /* Bytes that hold a label with its NUL. */
#define LABEL_MAX_CLASSES 4096 /* There are at most so many classes. */
#define LABEL_NONE "none"      /* The reject class: frames that hold no digit. */

/* True when the len bytes at text can be a label: 1 to LABEL_SIZE - 1 of them, each printable, none a blank,
 * and not `-` alone, which in an answer stands for what is not there. */
bool label_is_word(const char *text, size_t len);

/* The label of what is drawn for a character: the sign's name for one of . , - / : + = and the character itself for any
 * other printable one. Writes it into label and returns true; false when c is a blank or not printable. */
bool label_of_character(int c, char label[static LABEL_SIZE]);

/* True for a sign that belongs to numbers: one of . , - / : + =. */
bool label_is_sign(char c);

/* The character that a label stands for in a number: a digit's own, a sign's by its name or its own; '\0' for
 * any other label. */
char label_character(const char *label);

/* A list of labels, each once and with its number. All zero is empty. */
struct labels {
    int count;
    char (*of)[LABEL_SIZE]; /* [count] */
    size_t room;
};

/* The number of a label, or -1. */
int labels_find(const struct labels *l, const char *label);

/* The number of the label of len bytes, which is added when it is new; -1 when it can be none, is one of more than
 * LABEL_MAX_CLASSES, or memory is short. add_new: when it is not new, too. */
int labels_add(struct labels *l, const char *label, size_t len, struct err *e);
int labels_add_new(struct labels *l, const char *label, size_t len, struct err *e);

/* Add the labels of a text, with blanks between them, all of them new. Returns 0 or -1. */
int labels_list(struct labels *l, const char *text, struct err *e);
void labels_free(struct labels *l);

#endif
