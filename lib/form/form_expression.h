/* The rule `= EXPRESSION` of a field: a tree of + - * over earlier fields and constants, in whole numbers.
 *
 * A node's value is a whole number in units of 10^-decimals of its own. A sum brings both sides to the
 * finer unit by scale_left and scale_right, so that nothing is ever rounded. */
#ifndef INKPIPE_FORM_EXPRESSION_H
#define INKPIPE_FORM_EXPRESSION_H

#include "form.h"

#define EXPRESSION_MAX_NODES 128 /* An expression has at most so many numbers and operators. */
#define EXPRESSION_MAX_DEPTH 16  /* So many parentheses at most are in one another. */
#define EXPRESSION_MAX_VALUE ((int64_t)1 << 61) /* Each value in it is less than this, in its unit. */

enum form_node_kind { NODE_FIELD, NODE_CONSTANT, NODE_PLUS, NODE_MINUS, NODE_TIMES };

struct form_node {
    enum form_node_kind kind;
    int field;         /* NODE_FIELD */
    int left, right;   /* of an operator: nodes before this one */
    int decimals;
    int64_t scale_left, scale_right; /* NODE_PLUS, NODE_MINUS */
    int64_t low, high; /* of the value while fields keep min, max and blank; of a constant both are it */
    int64_t least, most; /* whatever the fields are */
};

struct form_expression {
    int nodes;
    struct form_node node[EXPRESSION_MAX_NODES]; /* the last is the whole */
    int64_t scale, scale_field; /* whole * scale == field's value * scale_field is the rule */
};

/* Parse the expression of field `self` (its name, decimals and range are set) at *text, up to where no
 * operator follows, and leave *text there. The fields it may use are those before `self`, each once.
 * NULL with an error that says the word, not the line. Free with free. */
struct form_expression *expression_parse(const struct form *form, const struct form_field *self,
                                         const char **text, struct err *e);

/* Is it in the expression? */
bool expression_uses(const struct form_expression *x, int field);

/* The value of an operator's node. */
int64_t expression_apply(const struct form_node *n, int64_t left, int64_t right);

/* 10^n, n from 0 to 18. */
int64_t power_of_ten(int n);

/* Read a decimal number, not negative, as units of 10^-decimals. False: it is none, has more decimals, or
 * is too large. */
bool decimal_parse(const char *text, int decimals, int64_t *value);

/* What a field's value can be, its rules min and max kept and empty counted as 0. */
void field_range(const struct form_field *f, int64_t *low, int64_t *high);

#endif
