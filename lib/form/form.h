/* A form: from its text to paper, and from what was read on paper to a table. form(5) describes the text.
 *
 *     form_load -> form_lay_out -> form_pdf                      formprint
 *                               -> form_find_sheet, form_read_cells          preproc -f
 *     form_load -> form_read_lists -> form_table_new, _add ..., _solve -> rows        formtable
 *                                  -> form_review_parse, _add ..., _sort, _write ...  xcheck
 *
 * Lengths are in millimetres from the paper's upper left corner, y downwards (1 mm = 72/25.4 points). */
#ifndef INKPIPE_FORM_H
#define INKPIPE_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "stream/stream.h"

/* Limits on what a form may say; beyond them it is refused. */
#define FORM_MAX_TEXT (1L << 20)  /* bytes of the text */
#define FORM_MAX_FIELDS 256       /* fields */
#define FORM_MAX_CELLS 18         /* boxes of one field: its value is a whole number of 64 bits */
#define FORM_MAX_SHEETS 16        /* sheets of paper that one copy takes */
#define FORM_MAX_COPY 65535       /* the highest number of a copy */
#define FORM_MAX_LIST (1L << 28)  /* bytes of a list */
#define FORM_NAME 32              /* bytes of a field's name with its NUL */

/* ---- the text ---- */

enum form_paper { FORM_NO_PAPER, FORM_A4, FORM_LETTER }; /* none: others printed it */
enum form_check { FORM_NO_CHECK, FORM_LUHN, FORM_MOD11, FORM_MOD97, FORM_VERHOEFF };

struct form_expression; /* form_expression.h */
struct form_list;       /* form_list.h */

/* A value is a whole number in units of 10^-decimals. */
struct form_field {
    char name[FORM_NAME]; /* letters, digits, '_', '-', '.' */
    char *label;          /* what is printed beside it, UTF-8; "": its name is */
    int line;             /* of the text, from 1 */
    int digits, decimals; /* boxes before and behind the printed point; digits + decimals cells */
    bool blank;           /* it may be left empty */
    bool unique;          /* no two pages have the same */
    bool rising;          /* never less than on the page before */
    bool has_min, has_max;
    int64_t min, max;     /* values */
    enum form_check check;
    char *list_name;      /* the file of `in`, as the form's folder makes it; NULL: none */
    struct form_list *list;         /* of form_read_lists; NULL: none */
    struct form_expression *equals; /* NULL: none */
};

enum form_line_kind { FORM_TITLE, FORM_TEXT, FORM_FIELD, FORM_BOX };

/* What is printed, in the order of the text. */
struct form_line {
    enum form_line_kind kind;
    int line;        /* of the text, from 1 */
    int field;       /* FORM_FIELD: its index */
    char *text;      /* UTF-8; FORM_FIELD: NULL */
    double w, h;     /* FORM_BOX: in mm */
};

struct form {
    enum form_paper paper;
    char *name; /* of the text's file, for messages */
    int fields, lines;
    struct form_field *field; /* [fields] */
    struct form_line *line;   /* [lines] */
    size_t field_room, line_room;
};

/* Parse a form's text of len bytes; `name` is its file's name, whose folder is where lists are looked for.
 * NULL with an error that says line and word. Free with form_free. */
struct form *form_parse(const char *text, size_t len, const char *name, struct err *e);

/* Read a file and parse it; NULL or "-" is standard input. */
struct form *form_load(const char *name, struct err *e);

/* Read the lists that fields name. Returns 0, or -1 with the list's name, line and word. */
int form_read_lists(struct form *form, struct err *e);

void form_free(struct form *form);

/* The index of the field of that name; -1: there is none. */
int form_find(const struct form *form, const char *name);

/* Cells of a field: digits + decimals. */
int form_cells(const struct form_field *f);

/* ---- the paper ---- */

struct form_rect {
    double x, y, w, h; /* mm */
};

/* The corner marks, in this order. Each is a black square of FORM_MARK mm with a white square of 5/7 of
 * its side in the middle; in that of FORM_UPPER_RIGHT, _LOWER_RIGHT and _LOWER_LEFT lies a black core of
 * 3/7 of the side. The one at the upper left has a white square of 3/7 and no core: so any turn is known. */
enum { FORM_UPPER_LEFT, FORM_UPPER_RIGHT, FORM_LOWER_RIGHT, FORM_LOWER_LEFT, FORM_MARKS };
#define FORM_MARK 7.0

/* A box for one digit. */
struct form_cell {
    int sheet;           /* from 0 */
    int field, cell;     /* index of the field; place in it from 0, from the left */
    struct form_rect at; /* the middle of its printed line: half FORM_LINE of ink lies on either side */
};
#define FORM_LINE 0.3 /* mm: how wide the lines of boxes are */

/* All that is printed on a sheet, marks and the code apart. */
enum form_item_kind {
    FORM_ITEM_TEXT,  /* `text` from the baseline at (at.x, base), all of it within `at` */
    FORM_ITEM_FRAME, /* the outline of `at`, FORM_LINE wide, half of it outside: cells and boxes */
    FORM_ITEM_POINT, /* a black disc that fills `at`: the point between digits and decimals */
    FORM_ITEM_RULE   /* `at`, filled */
};
struct form_item {
    enum form_item_kind kind;
    int sheet;
    struct form_rect at;
    double base;        /* FORM_ITEM_TEXT: y of the baseline */
    double size;        /* FORM_ITEM_TEXT: of the font, in points */
    bool bold;
    double gray;        /* 0 black, 1 white */
    int line;           /* of the form's text */
    char *text;         /* FORM_ITEM_TEXT: in WinAnsiEncoding */
};

/* The code at the foot of each sheet: FORM_CODE_BITS squares in FORM_CODE_ROWS rows, row by row, black
 * for 1. It says which form, which of its sheets and which copy this is. */
#define FORM_CODE_ROWS 2
#define FORM_CODE_BITS 44
struct form_code {
    unsigned form;  /* 16 bits: form_layout.code of the form */
    unsigned sheet; /* 0..15 */
    unsigned copy;  /* 1..FORM_MAX_COPY; 0: copies are not numbered */
};

struct form_layout {
    const struct form *form; /* must outlive it */
    double width, height;    /* of the paper */
    int sheets;
    unsigned code;           /* of the boxes' names and places: rules may change after printing */
    struct form_rect mark[FORM_MARKS];      /* on every sheet; their outer edges */
    struct form_rect bit[FORM_CODE_BITS];   /* on every sheet */
    struct form_rect number;                /* on every sheet: where the number of the copy stands */
    size_t cells, items;
    struct form_cell *cell;  /* [cells], in the form's order */
    struct form_item *item;  /* [items], sheet by sheet */
    size_t cell_room, item_room;
};

/* Lay a form out on its paper. Returns 0, or -1: it has no paper, a field or box is wider than the paper,
 * there are more than FORM_MAX_SHEETS, or a character is not in the fonts. Free with form_layout_free. */
int form_lay_out(const struct form *form, struct form_layout *layout, struct err *e);
void form_layout_free(struct form_layout *layout);

/* The code's bits. reading: false when they are no code at all (a check of 8 bits). Whose form it is is
 * for the caller to compare with layout->code. */
void form_code_write(struct form_code code, bool bit[FORM_CODE_BITS]);
bool form_code_read(const bool bit[FORM_CODE_BITS], struct form_code *code);

/* A PDF of `copies` numbered copies, or of one without a number for copies 0: malloc'd bytes, the same for
 * the same form. Returns 0 or -1. */
int form_pdf(const struct form_layout *layout, int copies, uint8_t **bytes, size_t *len, struct err *e);

/* ---- pictures of it ---- */

/* A sheet that was found in a picture. */
struct form_sheet {
    double to_picture[9];  /* mm on paper to pixels, pixel x, y having its middle at x + 1/2, y + 1/2: the rows
                              of a homography */
    double code_off[2];    /* mm: by so far the code is seen beside its place, as on bent paper; else 0 */
    struct form_code code;
};

/* The ink of one cell. */
struct form_ink {
    size_t cell;      /* of the layout */
    int x, y, w, h;   /* its box in the picture, in pixels; w 0: the cell is empty */
    int cut_w, cut_h; /* of `cut`: in eighths of a mm, upright whichever way the picture lies */
    uint8_t *cut;     /* [cut_h][cut_w] 0 paper .. 255 ink; NULL: empty; the reader's, to be written to */
};

/* Memory for one picture after another; one thread at a time. */
struct form_reader;
struct form_reader *form_reader_new(struct err *e);
void form_reader_free(struct form_reader *r);

/* Find the sheet of a form in gray pixels, w x h (1..16384 a side), rows `stride` bytes apart, at any turn.
 * Returns 0, or -1: there are no marks, it is another form, memory is short. */
int form_find_sheet(struct form_reader *r, const struct form_layout *layout, const uint8_t *gray, long stride,
                    int w, int h, struct form_sheet *sheet, struct err *e);

/* Take what is written out of each cell of that sheet: *ink points to *n of them, in the form's order, until
 * the next call. What is printed is left out, and a digit that leaves its box taken whole. Returns 0, or -1
 * when memory is short. */
int form_read_cells(struct form_reader *r, const struct form_layout *layout, const uint8_t *gray, long stride,
                    int w, int h, const struct form_sheet *sheet, struct form_ink **ink, size_t *n, struct err *e);

/* ---- the table ---- */

#define FORM_NUMBER 24 /* bytes that hold any value as written, with its point and NUL */

/* What was read in one cell. */
struct form_evidence {
    const char *page;   /* the fact `page`: cells with one belong to one row; NULL: of a form that others
                           printed, each picture is a row; else a row begins with a cell that does not
                           come behind the last one in the form's order */
    const char *field;  /* a field's name */
    int cell;           /* place from 0; -1: behind the cell of that page and field that came before */
    const char *source; /* percent-encoded; NULL: not known */
    long long frame;    /* in that source; -1: not known */
    bool empty;         /* no ink in it */
    double digit[10];   /* probability of each digit */
    double other;       /* of anything else; the sum of all is about 1 */
};

/* Add a class of the model to an evidence that began as zeros: "0".."9" are digits, all others other. */
void form_add_class(struct form_evidence *evidence, const char *label, double probability);

/* Which rules the reading of a field breaks. */
enum form_broken {
    FORM_BROKEN_EMPTY = 1,   /* nothing is written, and it is not `blank` */
    FORM_BROKEN_BOXES = 2,   /* an empty box behind a written one, or more digits than boxes */
    FORM_BROKEN_MIN = 4,
    FORM_BROKEN_MAX = 8,
    FORM_BROKEN_CHECK = 16,
    FORM_BROKEN_IN = 32,
    FORM_BROKEN_EQUALS = 64,
    FORM_BROKEN_UNIQUE = 128,
    FORM_BROKEN_RISING = 256,
    FORM_MISSING = 512       /* cells of it were not among what was read */
};
/* The word of one of them: "empty", "boxes", "min", ..., "=", "missing". */
const char *form_broken_word(enum form_broken rule);

struct form_reading {
    char text[FORM_NUMBER]; /* "007", "12.50"; "?" for a digit that cannot be told; "-": empty */
    double probability;     /* 0..1 */
};

struct form_answer {
    struct form_reading reading;
    unsigned broken;        /* of enum form_broken */
    int entry;              /* of the list, from 0; -1: none */
    bool doubtful;          /* a person should look: improbable, or a rule is broken */
    int others;
    struct form_reading *other; /* [others]: the most probable readings, the first of them `reading` when it
                                   is doubtful; owned by the table */
};

struct form_row {
    const char *page;        /* owned by the table */
    const char *source;      /* likewise; of several sheets joined by spaces; "-": not known */
    const char *frame;       /* likewise: "0", "0 1", "-" */
    bool twice;              /* another row is of the same page */
    double probability;      /* that all of it is read rightly */
    struct form_answer *answer; /* [form->fields] */
};

struct form_table;

/* An empty table. The form, with its lists read, must outlive it. Free with form_table_free. */
struct form_table *form_table_new(const struct form *form, struct err *e);
void form_table_free(struct form_table *table);

/* Add a cell. Returns 0, or -1: a field that the form has not, a cell beyond its boxes, probabilities that
 * are none, no memory. The table stays usable. */
int form_table_add(struct form_table *table, const struct form_evidence *evidence, struct err *e);

/* Decide, once, after the last cell: fields less probable than `threshold` are doubtful and get up to
 * `best` readings. Returns 0 or -1. */
int form_table_solve(struct form_table *table, double threshold, int best, struct err *e);

/* The rows, in the order in which their first cells came. */
size_t form_table_rows(const struct form_table *table);
const struct form_row *form_table_row(const struct form_table *table, size_t i);

/* The list's columns beside the first: how many, their names, and an entry's. */
int form_list_columns(const struct form_list *list);
const char *form_list_column(const struct form_list *list, int column);
const char *form_list_value(const struct form_list *list, int entry, int column);

/* The entry that a number as it is written stands for; -1: none. */
int form_list_find(const struct form_list *list, const char *text);

/* ---- the table, looked at again ---- */

/* A table as formtable writes it (TSV), and the cells of its fields in check, for a person to correct. */
struct form_review;

/* A cell, and what a person said of it. */
struct form_review_cell {
    size_t item;   /* cells of one field of one row have the same */
    int place;     /* in that field, from 0 */
    char read;     /* what the table had in it: a digit, '?', or '-' for empty */
    char *now;     /* what it has now, to be changed */
    bool keyed, accepted; /* a person said what it holds; that it was read rightly */
    struct frame frame;
};

/* Take a table's text of len bytes apart, which is its own from now on (malloc'd, a NUL behind it). The form,
 * with its lists read, must outlive it. NULL with an error that says the line. Free with form_review_free. */
struct form_review *form_review_parse(const struct form *form, char *text, size_t len, struct err *e);
void form_review_free(struct form_review *review);

/* Are both of the same pages? */
bool form_review_same_pages(const struct form_review *a, const struct form_review *b);

/* How many fields of all rows are in check. */
size_t form_review_fields(const struct form_review *review);

/* Take a frame that preproc wrote, of that source and number, if it is a cell of a field in check: it is
 * empty then. Returns 0 either way, -1 for a cell that its field has not, or no memory. */
int form_review_add(struct form_review *review, struct frame *f, const char *source, long long number,
                    struct err *e);

/* Behind the last cell, once: put them in order, those that were read alike beside one another. Returns 0,
 * or -1 with the line of which no cell came. */
int form_review_sort(struct form_review *review, struct err *e);

/* The cells, from 0. */
size_t form_review_cells(const struct form_review *review);
struct form_review_cell *form_review_cell(const struct form_review *review, size_t i);

/* What else the candidates have in a cell: up to three symbols, the most probable first. */
void form_review_others(const struct form_review *review, size_t i, char text[4]);

/* A line on a cell: its page and field, what stands in the table now, what else it could be. */
void form_review_describe(const struct form_review *review, size_t i, char *text, size_t size);

/* The table as it is now: *bytes is malloc'd and the caller's. A field of which all cells were accepted or
 * corrected is in check no more. Returns 0 or -1. */
int form_review_write(struct form_review *review, char **bytes, size_t *len, struct err *e);

#endif
