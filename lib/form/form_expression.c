/* From the text behind `=` to a tree, by recursive descent: sum = product {+|- product},
 * product = factor {* factor}, factor = field | number | ( sum ). */
#include "form_expression.h"

#include <stdlib.h>
#include <string.h>

struct reader {
    const struct form *form;
    const struct form_field *self;
    struct form_expression *x;
    const char *p;
    int depth;
    struct err *e;
};

int64_t power_of_ten(int n)
{
    int64_t power = 1;
    while (n-- > 0)
        power *= 10;
    return power;
}

bool decimal_parse(const char *text, int decimals, int64_t *value)
{
    int64_t n = 0;
    int behind = -1;
    bool digit = false;
    for (; *text; text++) {
        if (*text == '.' && behind < 0) {
            behind = 0;
            continue;
        }
        if (*text < '0' || *text > '9' || n > (EXPRESSION_MAX_VALUE - 9) / 10)
            return false;
        n = n * 10 + (*text - '0');
        digit = true;
        behind += behind >= 0;
    }
    for (behind = behind < 0 ? 0 : behind; behind < decimals; behind++) {
        if (n > EXPRESSION_MAX_VALUE / 10)
            return false;
        n *= 10;
    }
    *value = n;
    return digit && behind == decimals;
}

static int64_t field_most(const struct form_field *f)
{
    return power_of_ten(form_cells(f)) - 1;
}

void field_range(const struct form_field *f, int64_t *low, int64_t *high)
{
    *low = f->has_min && !f->blank ? f->min : 0;
    *high = field_most(f);
    if (f->has_max && f->max < *high)
        *high = f->max;
}

int64_t expression_apply(const struct form_node *n, int64_t left, int64_t right)
{
    if (n->kind == NODE_TIMES)
        return left * right;
    return left * n->scale_left + (n->kind == NODE_PLUS ? 1 : -1) * right * n->scale_right;
}

bool expression_uses(const struct form_expression *x, int field)
{
    for (int i = 0; i < x->nodes; i++)
        if (x->node[i].kind == NODE_FIELD && x->node[i].field == field)
            return true;
    return false;
}

static void skip_blanks(struct reader *r)
{
    r->p += strspn(r->p, " \t");
}

static int add(struct reader *r, struct form_node n)
{
    if (r->x->nodes == EXPRESSION_MAX_NODES)
        return err_set(r->e, "'=': more than %d numbers and operators", EXPRESSION_MAX_NODES);
    r->x->node[r->x->nodes] = n;
    return r->x->nodes++;
}

static int too_large(struct reader *r, char sign)
{
    return err_set(r->e, "'%c': the result has too many digits", sign);
}

/* expression_apply. False: the value has more than 64 bits. */
static bool apply_checked(const struct form_node *n, int64_t left, int64_t right, int64_t *value)
{
    if (n->kind == NODE_TIMES)
        return !__builtin_mul_overflow(left, right, value);
    if (__builtin_mul_overflow(left, n->scale_left, &left) ||
        __builtin_mul_overflow(right, n->scale_right, &right))
        return false;
    return n->kind == NODE_PLUS ? !__builtin_add_overflow(left, right, value)
                                : !__builtin_sub_overflow(left, right, value);
}

/* The range of an operator's value from those of its sides: at the corners, since each operator is
 * monotonous in either. */
static bool find_range(const struct form_node *n, const int64_t left[2], const int64_t right[2],
                       int64_t *low, int64_t *high)
{
    *low = INT64_MAX;
    *high = INT64_MIN;
    for (int i = 0; i < 4; i++) {
        int64_t value;
        if (!apply_checked(n, left[i & 1], right[i >> 1], &value))
            return false;
        *low = value < *low ? value : *low;
        *high = value > *high ? value : *high;
    }
    return *low > -EXPRESSION_MAX_VALUE && *high < EXPRESSION_MAX_VALUE;
}

static bool find_ranges(struct form_node *n, const struct form_node *left, const struct form_node *right)
{
    return find_range(n, (int64_t[]){left->low, left->high}, (int64_t[]){right->low, right->high}, &n->low,
                      &n->high) &&
           find_range(n, (int64_t[]){left->least, left->most}, (int64_t[]){right->least, right->most},
                      &n->least, &n->most);
}

static int combine(struct reader *r, char sign, int left, int right)
{
    const struct form_node *l = &r->x->node[left], *s = &r->x->node[right];
    struct form_node n = {.left = left, .right = right, .scale_left = 1, .scale_right = 1};
    n.kind = sign == '*' ? NODE_TIMES : sign == '+' ? NODE_PLUS : NODE_MINUS;
    if (n.kind == NODE_TIMES) {
        n.decimals = l->decimals + s->decimals;
    } else {
        n.decimals = l->decimals > s->decimals ? l->decimals : s->decimals;
        n.scale_left = power_of_ten(n.decimals - l->decimals);
        n.scale_right = power_of_ten(n.decimals - s->decimals);
    }
    if (n.decimals > FORM_MAX_CELLS || !find_ranges(&n, l, s))
        return too_large(r, sign);
    return add(r, n);
}

static bool word_byte(char c)
{
    return fact_key_byte(c) && c != '-';
}

static int add_field(struct reader *r, const char *word)
{
    int field = form_find(r->form, word);
    if (!strcmp(word, r->self->name))
        return err_set(r->e, "'%s': a field cannot be in its own rule", word);
    if (field < 0)
        return err_set(r->e, "'%s': no field before this one has that name", word);
    if (expression_uses(r->x, field))
        return err_set(r->e, "'%s': a field may be in an expression once", word);
    struct form_node n = {.kind = NODE_FIELD, .field = field,
                          .decimals = r->form->field[field].decimals};
    field_range(&r->form->field[field], &n.low, &n.high);
    n.least = 0; /* what is empty counts as 0, also where it must not be */
    n.most = field_most(&r->form->field[field]);
    return add(r, n);
}

static int add_constant(struct reader *r, const char *word)
{
    const char *point = strchr(word, '.');
    struct form_node n = {.kind = NODE_CONSTANT, .decimals = point ? (int)strlen(point + 1) : 0};
    if (n.decimals > FORM_MAX_CELLS || !decimal_parse(word, n.decimals, &n.low))
        return err_set(r->e, "'%s': not a number", word);
    n.high = n.least = n.most = n.low;
    return add(r, n);
}

static int read_sum(struct reader *r);

static int read_factor(struct reader *r)
{
    skip_blanks(r);
    if (*r->p == '(') {
        if (r->depth == EXPRESSION_MAX_DEPTH)
            return err_set(r->e, "'(': more than %d in one another", EXPRESSION_MAX_DEPTH);
        r->p++;
        r->depth++;
        int inner = read_sum(r);
        skip_blanks(r);
        if (inner >= 0 && *r->p != ')')
            return err_set(r->e, "'(': there is no ) for it");
        r->depth--;
        r->p += inner >= 0;
        return inner;
    }
    char word[64];
    size_t len = 0;
    while (word_byte(r->p[len]))
        len++;
    if (!len)
        return err_set(r->e, "'%.10s': a field or number should stand here", *r->p ? r->p : "=");
    if (len >= sizeof word)
        return err_set(r->e, "'%.40s...': too long", r->p);
    memcpy(word, r->p, len);
    word[len] = '\0';
    r->p += len;
    bool number = (*word >= '0' && *word <= '9') || *word == '.';
    return number ? add_constant(r, word) : add_field(r, word);
}

/* Factors or products joined by one of the signs. */
static int read_chain(struct reader *r, const char *signs, int (*part)(struct reader *))
{
    int left = part(r);
    for (;;) {
        skip_blanks(r);
        if (left < 0 || !*r->p || !strchr(signs, *r->p))
            return left;
        char sign = *r->p++;
        int right = part(r);
        left = right < 0 ? right : combine(r, sign, left, right);
    }
}

static int read_product(struct reader *r)
{
    return read_chain(r, "*", read_factor);
}

static int read_sum(struct reader *r)
{
    return read_chain(r, "+-", read_product);
}

/* Bring both sides of the rule to one unit, and see that it can hold at all. */
static int close_rule(struct reader *r)
{
    struct form_expression *x = r->x;
    const struct form_node *whole = &x->node[x->nodes - 1];
    struct form_node field = {.kind = NODE_FIELD, .decimals = r->self->decimals}, difference = {
        .kind = NODE_MINUS};
    field_range(r->self, &field.low, &field.high);
    field.most = field_most(r->self);
    int finer = whole->decimals > field.decimals ? whole->decimals : field.decimals;
    difference.scale_left = x->scale = power_of_ten(finer - whole->decimals);
    difference.scale_right = x->scale_field = power_of_ten(finer - field.decimals);
    if (!find_ranges(&difference, whole, &field))
        return too_large(r, '=');
    if (difference.low > 0 || difference.high < 0)
        return err_set(r->e, "'=': this can never be: %s is never so %s", r->self->name,
                       difference.low > 0 ? "large" : "small");
    if (whole->low == whole->high && whole->low * x->scale % x->scale_field != 0)
        return err_set(r->e, "'=': this can never be: %s has %d decimal%s", r->self->name, field.decimals,
                       field.decimals == 1 ? "" : "s");
    return 0;
}

struct form_expression *expression_parse(const struct form *form, const struct form_field *self,
                                         const char **text, struct err *e)
{
    struct reader r = {form, self, calloc(1, sizeof *r.x), *text, 0, e};
    if (!r.x) {
        err_set(e, "out of memory");
        return NULL;
    }
    if (read_sum(&r) < 0 || close_rule(&r) < 0) {
        free(r.x);
        return NULL;
    }
    *text = r.p;
    return r.x;
}
