/* xcheck: a person looks at the doubtful cells of forms. In: a form, the table that formtable made of it, the
 * cells as preproc -f cut them out. Out: the table, corrected, whole on disk after every key that changes it.
 * Cells are shown a screenful at a time, those that were read as one digit beside one another: a 1 among
 * 7s is seen at once. */
#define _GNU_SOURCE 1 /* strsep */
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "base/privilege.h"
#include "form/form.h"
#include "tool.h"
#include "window/window.h"

static const char usage[] =
    "usage: xcheck [-hV] [-l labelled] [-o corrected] form table cells ...\n"
    "Show the cells of a form that formtable is in doubt about, and correct its table.\n"
    "  -h            this help\n"
    "  -l labelled   append the cells that were corrected, labelled for cnn-train\n"
    "  -o corrected  leave the table as it is and write this one; go on with it if it is there\n"
    "  -V            version\n"
    "keys: 0..9 what the cell holds, - nothing, ? cannot be told; space and backspace, or the\n"
    "      mouse, choose a cell; Return accepts all that are shown; u undoes; q quits\n"
    "example: xcheck exam.form marks.tsv cells.pgm\n";

#define MAX_TABLE (1L << 28) /* A table has at most so many bytes. */

/* Sizes in pixels at scale 1. */
#define MARGIN 12      /* Between tiles, and around them. */
#define TILE 72        /* The side of a cell's picture. */
#define TILE_FOOT 26   /* The height of what was read, below it. */
#define LINE 24        /* The height of a line of text, above and below the tiles. */

struct options {
    const char *form, *table, *corrected, *labelled; /* corrected: the table itself when not given */
    char **files;
    int n;
};

/* A table as it stands in its file: [rows][columns] texts, the first row their names. */
struct table {
    char *bytes, **value;
    int *line; /* [rows] of the file, from 1 */
    size_t rows, columns, value_room, line_room;
    size_t check; /* the column's index */
    bool candidates;
};

/* A field that is in check. */
struct item {
    size_t row;
    int field;
    int came; /* the place behind the last cell of it that came */
    char read[FORM_MAX_CELLS], now[FORM_MAX_CELLS]; /* of each box: a digit, '?', or '-' for empty */
};

struct tile {
    size_t item;
    int place;
    char read; /* of its item's */
    struct frame frame;
    bool keyed, accepted; /* a person said what it holds; that it was read rightly */
};

/* What u takes back: a correction of one tile, or with `count` the acceptance of that many. */
struct action {
    size_t first, selected, count;
    char now;
    bool keyed;
};

struct checker {
    const struct options *o;
    struct loop loop;
    struct form *form;
    struct table table;
    struct item *item;
    struct tile *tile;     /* sorted by what was read */
    struct action *action; /* [actions] */
    size_t items, tiles, actions, item_room, tile_room, action_room;
    size_t first, selected; /* the first tile on the screen; `tiles`: all have been seen */
    size_t across, room;    /* tiles in a row, and in the window, as it was painted */
    uint8_t *labelled;      /* what was in the file of -l */
    size_t labelled_len;
    struct err alarm; /* why the last change could not be written */
};

static struct options parse(int argc, char **argv)
{
    struct options o = {0};
    for (int c; (c = getopt(argc, argv, "hl:o:V")) != -1;)
        switch (c) {
        case 'h': tool_help();
        case 'l': o.labelled = optarg; break;
        case 'o': o.corrected = optarg; break;
        case 'V': tool_version();
        default: tool_usage(NULL);
        }
    if (argc - optind < 3)
        tool_usage("a form, its table and its cells are needed: xcheck exam.form marks.tsv cells.pgm");
    o.form = argv[optind];
    o.table = argv[optind + 1];
    o.files = argv + optind + 2;
    o.n = argc - optind - 2;
    if (!strcmp(o.table, "-"))
        tool_usage("the table must be a file");
    if (!o.corrected)
        o.corrected = o.table;
    return o;
}

/* ---- the table in ---- */

static char *value(const struct table *t, size_t row, size_t column)
{
    return t->value[row * t->columns + column];
}

/* Take a line apart at its tabs. Returns how many values it has, or -1. */
static long split(struct table *t, size_t used, char *line, struct err *e)
{
    long n = 0;
    for (char *next = line; next; n++) {
        char **more = grow(t->value, used + (size_t)n + 1, &t->value_room, sizeof *more, e);
        if (!more)
            return -1;
        t->value = more;
        t->value[used + (size_t)n] = strsep(&next, "\t");
    }
    return n;
}

static int add_row(struct table *t, char *line, int number, struct err *e)
{
    int *lines = grow(t->line, t->rows + 1, &t->line_room, sizeof *lines, e);
    if (!lines)
        return -1;
    t->line = lines;
    t->line[t->rows] = number;
    long n = split(t, t->rows * t->columns, line, e);
    if (n < 0)
        return -1;
    if (!t->rows)
        t->columns = (size_t)n;
    if ((size_t)n != t->columns)
        return err_set(e, "line %d: %ld columns, not the %zu of line 1", number, n, t->columns);
    t->rows++;
    return 0;
}

static int expect(const struct table *t, size_t column, const char *name, struct err *e)
{
    if (column >= t->columns)
        return err_set(e, "line 1: the column '%s' is missing; is it the table of this form, with tabs?", name);
    if (strcmp(value(t, 0, column), name))
        return err_set(e, "line 1: column %zu is '%.40s', not '%s' as the form has it", column + 1,
                       value(t, 0, column), name);
    return 0;
}

/* The columns are those of the form, in formtable's order. */
static int check_header(struct table *t, const struct form *form, struct err *e)
{
    size_t at = 1;
    if (!t->rows)
        return err_set(e, "it is empty");
    if (expect(t, 0, "page", e))
        return -1;
    for (int i = 0; i < form->fields; i++)
        if (expect(t, at++, form->field[i].name, e))
            return -1;
    for (int i = 0; i < form->fields; i++)
        at += form->field[i].list ? (size_t)form_list_columns(form->field[i].list) : 0;
    t->check = at + 1;
    if (expect(t, at, "probability", e) || expect(t, at + 1, "check", e))
        return -1;
    t->candidates = at + 2 < t->columns && !strcmp(value(t, 0, at + 2), "candidates");
    at += t->candidates ? 3 : 2;
    return expect(t, at, "source", e) || expect(t, at + 1, "frame", e) ? -1 : 0;
}

static int load_table(struct table *t, const char *name, const struct form *form, struct err *e)
{
    size_t len;
    int number = 0;
    if (file_load(name, MAX_TABLE, (uint8_t **)&t->bytes, &len, e) < 0)
        return -1;
    for (char *next = t->bytes, *line; (line = strsep(&next, "\n"));) {
        line[strcspn(line, "\r")] = '\0';
        number++;
        if (*line && add_row(t, line, number, e))
            return err_at(e, name, -1);
    }
    return check_header(t, form, e) ? err_at(e, name, -1) : 0;
}

static void free_table(struct table *t)
{
    free(t->bytes);
    free(t->value);
    free(t->line);
}

/* ---- what is in check ---- */

/* Put the digits of a reading into the boxes of f, those before the point as far right as they go. False: it
 * is no reading of them. */
static bool to_boxes(const struct form_field *f, const char *text, size_t len, char *box)
{
    const char *point = memchr(text, '.', len);
    int n = point ? f->digits + (int)(text + len - 1 - point) : form_cells(f);
    memset(box, '-', FORM_MAX_CELLS);
    if (len == 1 && *text == '-')
        return true;
    if (len == 0 || len >= FORM_NUMBER || n > form_cells(f))
        return false;
    for (size_t i = len; i-- > 0;) {
        if (text + i == point)
            continue;
        if (!memchr("0123456789?", text[i], 11) || n == 0)
            return false;
        box[--n] = text[i];
    }
    return true;
}

/* The length of the field's name in a word of `check`, "total:=". */
static size_t name_length(const char *word)
{
    return strcspn(word, ": ");
}

static int field_of(const struct form *form, const char *word)
{
    char name[FORM_NAME];
    snprintf(name, sizeof name, "%.*s", (int)name_length(word), word);
    return name_length(word) < sizeof name ? form_find(form, name) : -1;
}

static int add_item(struct checker *c, size_t row, int field, struct err *e)
{
    const struct form_field *f = &c->form->field[field];
    const char *text = value(&c->table, row, 1 + (size_t)field);
    struct item *items = grow(c->item, c->items + 1, &c->item_room, sizeof *items, e);
    if (!items)
        return -1;
    c->item = items;
    struct item *item = &items[c->items++];
    *item = (struct item){.row = row, .field = field};
    if (!to_boxes(f, text, strlen(text), item->read))
        return err_set(e, "line %d: %s is '%.40s', which its %d boxes cannot hold", c->table.line[row], f->name,
                       text, form_cells(f));
    memcpy(item->now, item->read, sizeof item->now);
    return 0;
}

static int list_items(struct checker *c, struct err *e)
{
    for (size_t row = 1; row < c->table.rows; row++)
        for (const char *word = value(&c->table, row, c->table.check); *word; word += strspn(word, " ")) {
            int field = field_of(c->form, word);
            bool none = !strcmp(word, "-") || !strncmp(word, "page:", 5);
            if (!none && field < 0)
                return err_set(e, "line %d: check names '%.*s', which the form does not have",
                               c->table.line[row], (int)name_length(word), word);
            if (!none && add_item(c, row, field, e))
                return -1;
            word += strcspn(word, " ");
        }
    return 0;
}

/* ---- the cells in ---- */

/* Does the word stand among the words of the text? */
static bool among(const char *word, const char *text)
{
    size_t len = strlen(word);
    for (; *text; text += strspn(text, " ")) {
        if (!strncmp(text, word, len) && (text[len] == ' ' || !text[len]))
            return true;
        text += strcspn(text, " ");
    }
    return false;
}

/* Is it a cell of that row: by the page's number; where pages have none, or the number is there twice, by
 * the picture. */
static bool of_row(const struct table *t, size_t row, const char *page, const char *source, const char *frame)
{
    if (page && strcmp(page, value(t, row, 0)))
        return false;
    bool numbered = page && !among("page:twice", value(t, row, t->check));
    return numbered || (among(source, value(t, row, t->columns - 2)) &&
                        among(frame, value(t, row, t->columns - 1)));
}

static struct item *item_of(struct checker *c, const struct frame_reader *in, const struct frame *f)
{
    char field[FORM_NAME], page[64], source[FRAME_SOURCE], number[32];
    int index = frame_fact(f, "field", field, sizeof field) ? form_find(c->form, field) : -1;
    const char *numbered = frame_fact(f, "page", page, sizeof page);
    frame_source(in, f, source, sizeof source);
    snprintf(number, sizeof number, "%lld", frame_number(in, f));
    for (size_t i = 0; index >= 0 && i < c->items; i++)
        if (c->item[i].field == index && of_row(&c->table, c->item[i].row, numbered, source, number))
            return &c->item[i];
    return NULL;
}

/* Keep a frame that is a cell in check; it is the checker's then. */
static int add_cell(struct checker *c, const struct frame_reader *in, struct frame *f, struct err *e)
{
    char text[16];
    struct item *item = item_of(c, in, f);
    if (!item)
        return 0;
    int place = frame_fact(f, "cell", text, sizeof text) ? atoi(text) : item->came;
    if (place < 0 || place >= form_cells(&c->form->field[item->field]))
        return err_set(e, "cell %d of %s: it has %d boxes", place, c->form->field[item->field].name,
                       form_cells(&c->form->field[item->field]));
    struct tile *tiles = grow(c->tile, c->tiles + 1, &c->tile_room, sizeof *tiles, e);
    if (!tiles)
        return -1;
    c->tile = tiles;
    tiles[c->tiles++] = (struct tile){.item = (size_t)(item - c->item), .place = place, .frame = *f};
    *f = (struct frame){0};
    item->came = place + 1;
    return 0;
}

static int read_cells(struct checker *c, const char *name, struct err *e)
{
    struct frame frame = {0};
    struct frame_reader *in = frame_open(name, e);
    long number = 0;
    int got = -1;
    while (in && (got = frame_read(in, &frame, e)) > 0) {
        if (add_cell(c, in, &frame, e)) {
            err_at(e, name, number);
            got = -1;
            break;
        }
        number++;
    }
    frame_free(&frame);
    if (in)
        frame_close(in);
    return got;
}

/* Digits that do not stand at the right, as where a box between them is empty, go to the boxes with ink. */
static void align(struct checker *c, size_t i)
{
    struct item *item = &c->item[i];
    int n = form_cells(&c->form->field[item->field]), digits = 0, inked = 0;
    char ink[FORM_MAX_CELLS] = {0}, digit[FORM_MAX_CELLS];
    for (size_t k = 0; k < c->tiles; k++)
        if (c->tile[k].item == i)
            ink[c->tile[k].place] = frame_fact(&c->tile[k].frame, "box", (char[16]){0}, 16) != NULL;
    for (int k = 0; k < n; k++) {
        inked += ink[k];
        if (item->read[k] != '-')
            digit[digits++] = item->read[k];
    }
    if (digits != inked)
        return;
    for (int k = n - 1; k >= 0; k--)
        item->read[k] = ink[k] ? digit[--digits] : '-';
    memcpy(item->now, item->read, sizeof item->now);
}

static int compare_tiles(const void *a, const void *b)
{
    const struct tile *x = a, *y = b;
    if (x->read != y->read)
        return x->read - y->read;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return x->place - y->place;
}

static int read_all_cells(struct checker *c, struct err *e)
{
    for (int i = 0; i < c->o->n; i++)
        if (read_cells(c, c->o->files[i], e) < 0)
            return -1;
    for (size_t i = 0; i < c->items; i++) {
        const struct item *item = &c->item[i];
        if (!item->came) {
            err_set(e, "line %d: no cells of %s on page %.40s are among the frames",
                    c->table.line[item->row], c->form->field[item->field].name,
                    value(&c->table, item->row, 0));
            return err_at(e, c->o->table, -1);
        }
    }
    for (size_t i = 0; i < c->items; i++)
        align(c, i);
    for (size_t i = 0; i < c->tiles; i++)
        c->tile[i].read = c->item[c->tile[i].item].read[c->tile[i].place];
    if (c->tiles)
        qsort(c->tile, c->tiles, sizeof *c->tile, compare_tiles);
    return 0;
}

/* ---- the table out ---- */

static struct item *find_item(const struct checker *c, size_t row, int field)
{
    for (size_t i = 0; i < c->items; i++)
        if (c->item[i].row == row && c->item[i].field == field)
            return &c->item[i];
    return NULL;
}

static bool is_changed(const struct item *item)
{
    return item && memcmp(item->now, item->read, sizeof item->now) != 0;
}

/* Has a person seen all cells of it? */
static bool is_seen(const struct checker *c, const struct item *item)
{
    for (size_t i = 0; i < c->tiles; i++)
        if (&c->item[c->tile[i].item] == item && !c->tile[i].keyed && !c->tile[i].accepted)
            return false;
    return true;
}

/* The boxes as a number. Returns text. */
static char *to_text(const struct form_field *f, const char *box, char text[FORM_NUMBER])
{
    int n = 0, written = 0;
    for (int i = 0; i < form_cells(f); i++) {
        if (f->decimals && i == f->digits) {
            if (!n)
                text[n++] = '0';
            text[n++] = '.';
        }
        if (box[i] == '-')
            continue;
        text[n++] = box[i];
        written++;
    }
    text[n] = '\0';
    return written ? text : strcpy(text, "-");
}

static void put_check(const struct checker *c, size_t row, FILE *out)
{
    const char *before = "";
    for (const char *word = value(&c->table, row, c->table.check); *word; word += strspn(word, " ")) {
        int field = field_of(c->form, word), len = (int)strcspn(word, " ");
        const struct item *item = field < 0 ? NULL : find_item(c, row, field);
        if (!item || !is_seen(c, item)) {
            fprintf(out, "%s%.*s", before, len, word);
            before = " ";
        }
        word += len;
    }
    if (!*before)
        putc('-', out);
}

/* What a field's list says of the number that stands there now. */
static void put_joined(const struct form_field *f, const struct item *item, char *const *old, FILE *out)
{
    char text[FORM_NUMBER];
    int entry = is_changed(item) ? form_list_find(f->list, to_text(f, item->now, text)) : -1;
    for (int i = 0; i < form_list_columns(f->list); i++) {
        const char *now = entry < 0 ? "" : form_list_value(f->list, entry, i);
        fprintf(out, "\t%s", !is_changed(item) ? old[i] : *now ? now : "-");
    }
}

static void put_row(const struct checker *c, size_t row, FILE *out)
{
    char text[FORM_NUMBER], *const *old = c->table.value + row * c->table.columns;
    size_t at = 1 + (size_t)c->form->fields;
    fputs(old[0], out);
    for (int i = 0; i < c->form->fields; i++) {
        const struct item *item = find_item(c, row, i);
        fprintf(out, "\t%s", is_changed(item) ? to_text(&c->form->field[i], item->now, text) : old[1 + i]);
    }
    for (int i = 0; i < c->form->fields; i++) {
        const struct form_field *f = &c->form->field[i];
        if (!f->list)
            continue;
        put_joined(f, find_item(c, row, i), old + at, out);
        at += (size_t)form_list_columns(f->list);
    }
    for (; at < c->table.columns; at++) {
        fprintf(out, "\t");
        if (row && at == c->table.check)
            put_check(c, row, out);
        else
            fputs(old[at], out);
    }
    putc('\n', out);
}

static int save_table(const struct checker *c, struct err *e)
{
    char *bytes = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&bytes, &len);
    for (size_t row = 0; out && row < c->table.rows; row++)
        put_row(c, row, out);
    bool whole = out && !ferror(out);
    whole = out && !fclose(out) && whole;
    int status = whole ? file_save(c->o->corrected, bytes, len, e) : err_set(e, "out of memory");
    free(bytes);
    return status;
}

/* The cells that were corrected, labelled, behind what was in the file. */
static int save_labelled(struct checker *c, struct err *e)
{
    size_t len = c->labelled_len, size = len;
    char *bytes = size ? malloc(size) : NULL;
    int status = size && !bytes ? err_set(e, "out of memory") : 0;
    if (bytes)
        memcpy(bytes, c->labelled, len);
    for (size_t i = 0; !status && i < c->tiles; i++) {
        struct tile *tile = &c->tile[i];
        char now[2] = {c->item[tile->item].now[tile->place], '\0'};
        if (now[0] == tile->read || !strchr("0123456789", now[0]))
            continue;
        if (frame_set_fact(&tile->frame, "label", now, e) || frame_append(&bytes, &len, &size, &tile->frame, e))
            status = -1;
    }
    if (!status)
        status = file_save(c->o->labelled, bytes ? bytes : "", len, e);
    free(bytes);
    return status;
}

static int save(struct checker *c, struct err *e)
{
    return save_table(c, e) || (c->o->labelled && save_labelled(c, e)) ? -1 : 0;
}

/* ---- the keys ---- */

static char *now(struct checker *c, size_t i)
{
    return &c->item[c->tile[i].item].now[c->tile[i].place];
}

/* The tile behind the last on the screen: as many as there is room for, of those that were read alike. */
static size_t screen_end(const struct checker *c)
{
    size_t end = c->first;
    while (end < c->tiles && end < c->first + c->room && c->tile[end].read == c->tile[c->first].read)
        end++;
    return end;
}

static void changed(struct checker *c)
{
    c->alarm = (struct err)ERR_NONE;
    save(c, &c->alarm);
}

static struct action *add_action(struct checker *c)
{
    struct action *actions = grow(c->action, c->actions + 1, &c->action_room, sizeof *actions, &c->alarm);
    if (!actions)
        return NULL;
    c->action = actions;
    actions[c->actions] = (struct action){.first = c->first, .selected = c->selected};
    return &actions[c->actions++];
}

static void correct(struct checker *c, char key)
{
    struct action *a = c->first < c->tiles ? add_action(c) : NULL;
    if (!a)
        return;
    a->now = *now(c, c->selected);
    a->keyed = c->tile[c->selected].keyed;
    *now(c, c->selected) = key;
    c->tile[c->selected].keyed = true;
    if (c->selected + 1 < screen_end(c))
        c->selected++;
    changed(c);
}

static void accept(struct checker *c)
{
    size_t end = screen_end(c);
    struct action *a = c->first < c->tiles ? add_action(c) : NULL;
    if (!a)
        return;
    a->count = end - c->first;
    for (size_t i = c->first; i < end; i++)
        c->tile[i].accepted = true;
    c->first = c->selected = end;
    changed(c);
}

static void undo(struct checker *c)
{
    if (!c->actions)
        return;
    const struct action *a = &c->action[--c->actions];
    c->first = a->first;
    c->selected = a->selected;
    for (size_t i = 0; i < a->count; i++)
        c->tile[a->first + i].accepted = false;
    if (!a->count) {
        *now(c, a->selected) = a->now;
        c->tile[a->selected].keyed = a->keyed;
    }
    changed(c);
}

/* Where a tile of the screen is: picture and reading. */
static struct box tile_box(const struct checker *c, size_t i)
{
    double z = c->loop.scale, across = (double)((i - c->first) % c->across);
    double down = (double)((i - c->first) / c->across);
    return box_at((int)(z * (MARGIN + across * (TILE + MARGIN))),
                  (int)(z * (LINE + MARGIN + down * (TILE + TILE_FOOT + MARGIN))), (int)(z * TILE),
                  (int)(z * (TILE + TILE_FOOT)));
}

static void choose(struct checker *c, int x, int y)
{
    for (size_t i = c->first; i < screen_end(c); i++)
        if (box_inside(box_at(x, y, 1, 1), tile_box(c, i), -1))
            c->selected = i;
}

static void take_event(struct checker *c, struct window_event event)
{
    c->loop.dirty = true;
    if (event.type == WINDOW_DOWN)
        choose(c, event.x, event.y);
    if (event.type != WINDOW_KEY || event.repeat)
        return;
    if (event.key && strchr("0123456789-?", event.key))
        correct(c, event.key);
    else if (event.key == '\r' || event.key == '\n')
        accept(c);
    else if (event.key == 'u')
        undo(c);
    else if (event.key == 'q')
        c->loop.quit = true;
    else if (event.key == ' ' && c->selected + 1 < screen_end(c))
        c->selected++;
    else if (event.key == '\b' && c->selected > c->first)
        c->selected--;
}

/* ---- the window ---- */

/* The readings of an item in the column `candidates`: "20211234:0.72,20211284:0.2"; "": none. */
static const char *candidates(const struct checker *c, const struct item *item, size_t *len)
{
    const char *name = c->form->field[item->field].name;
    const char *word = c->table.candidates ? value(&c->table, item->row, c->table.check + 1) : "";
    size_t n = strlen(name);
    for (; *word; word += strspn(word, " ")) {
        *len = strcspn(word, " ");
        if (*len > n && !strncmp(word, name, n) && word[n] == '=') {
            *len -= n + 1;
            return word + n + 1;
        }
        word += *len;
    }
    *len = 0;
    return "";
}

/* What else the candidates have in a box: up to three, in their order, each once. */
static void others(const struct checker *c, const struct tile *tile, char text[4])
{
    const struct item *item = &c->item[tile->item];
    size_t len, n = 0;
    const char *at = candidates(c, item, &len), *end = at + len;
    while (at < end && n < 3) {
        char box[FORM_MAX_CELLS];
        size_t whole = strcspn(at, ", ");
        if (to_boxes(&c->form->field[item->field], at, strcspn(at, ":, "), box) &&
            box[tile->place] != tile->read && !memchr(text, box[tile->place], n))
            text[n++] = box[tile->place];
        at += whole + 1;
    }
    text[n] = '\0';
}

static void paint_tile(struct checker *c, struct surface *s, size_t i)
{
    const struct tile *tile = &c->tile[i];
    double z = c->loop.scale;
    struct box at = tile_box(c, i);
    struct box picture = box_at(at.x0, at.y0, box_width(at), box_width(at));
    char read[2] = {*now(c, i), '\0'}, other[4];
    paint_gray(s, paint_fit(picture, tile->frame.width, tile->frame.height), tile->frame.gray,
               tile->frame.width, tile->frame.height, false);
    paint_outline(s, box_around(picture, 2), 2, i == c->selected ? INK_TEXT : INK_EDGE);
    paint_text(s, at.x0 + 4 * z, at.y1 - 5 * z, 14 * z, 1.2, tile->keyed ? INK_ACCENT : INK_TEXT, read);
    others(c, tile, other);
    paint_text(s, at.x0 + 28 * z, at.y1 - 5 * z, 10 * z, 1, INK_QUIET, other);
}

/* The cell that is chosen: where it is, what stands in the table, what else it could be. */
static void describe(const struct checker *c, char *text, size_t size)
{
    const struct item *item = &c->item[c->tile[c->selected].item];
    const struct form_field *f = &c->form->field[item->field];
    char number[FORM_NUMBER];
    size_t len;
    const char *other = candidates(c, item, &len);
    snprintf(text, size, "page %.40s   %s   box %d of %s   %.*s", value(&c->table, item->row, 0), f->name,
             c->tile[c->selected].place + 1, to_text(f, item->now, number), (int)len, other);
}

static void paint(struct checker *c, struct surface *s)
{
    double z = c->loop.scale, room = s->width - 2 * MARGIN * z;
    char head[160], foot[600] = "";
    c->across = (size_t)fmax(1, floor((s->width / z - MARGIN) / (TILE + MARGIN)));
    c->room = c->across * (size_t)fmax(1, floor((s->height / z - 3 * LINE - MARGIN) / (TILE + TILE_FOOT + MARGIN)));
    size_t end = screen_end(c);
    if (c->selected >= end && end > c->first)
        c->selected = end - 1;
    paint_fill(s, box_at(0, 0, s->width, s->height), INK_BACKGROUND);
    if (end == c->first)
        snprintf(head, sizeof head, "all %zu cells have been seen", c->tiles);
    else
        snprintf(head, sizeof head, "read as %s%c   cells %zu to %zu of %zu",
                 c->tile[c->first].read == '-' ? "empty " : "", c->tile[c->first].read, c->first + 1, end,
                 c->tiles);
    panel_text(s, MARGIN * z, (LINE - 6) * z, 12 * z, room, INK_TEXT, head);
    for (size_t i = c->first; i < end; i++)
        paint_tile(c, s, i);
    if (end > c->first)
        describe(c, foot, sizeof foot);
    panel_text(s, MARGIN * z, s->height - (LINE + 8) * z, 10 * z, room, INK_TEXT, foot);
    panel_text(s, MARGIN * z, s->height - 8 * z, 10 * z, room, c->alarm.what[0] ? INK_ALARM : INK_QUIET,
               c->alarm.what[0] ? c->alarm.what
                                : "0-9 correct    - empty    ? cannot be told    Return accept all    u undo    q quit");
}

static void run(struct checker *c, const sigset_t *open)
{
    while (!c->loop.quit && !tool_stopped()) {
        struct window_event event;
        while ((event = loop_event(&c->loop)).type != WINDOW_NONE)
            take_event(c, event);
        struct surface *s = c->loop.dirty ? window_surface(c->loop.window) : NULL;
        if (s) {
            paint(c, s);
            window_put(c->loop.window, box_at(0, 0, s->width, s->height));
            c->loop.dirty = false;
        }
        loop_wait(&c->loop, -1, HUGE_VAL, open);
    }
}

/* ---- all of it ---- */

/* The table to go on with: the corrected one when it is there, and of the same pages. */
static int load_tables(struct checker *c, struct err *e)
{
    const char *name = c->o->corrected;
    if (load_table(&c->table, c->o->table, c->form, e))
        return -1;
    if (!strcmp(name, c->o->table) || access(name, F_OK))
        return 0;
    struct table first = c->table;
    c->table = (struct table){0};
    int status = load_table(&c->table, name, c->form, e);
    bool same = !status && first.rows == c->table.rows && first.columns == c->table.columns;
    for (size_t row = 0; same && row < first.rows; row++)
        same = !strcmp(value(&first, row, 0), value(&c->table, row, 0));
    free_table(&first);
    if (status || same)
        return status;
    err_set(e, "it is there, and of other pages than %.100s: name another file", c->o->table);
    return err_at(e, name, -1);
}

static int load(struct checker *c, struct err *e)
{
    if (!(c->form = form_load(c->o->form, e)) || form_read_lists(c->form, e) || load_tables(c, e))
        return -1;
    if (list_items(c, e))
        return err_at(e, c->o->table, -1);
    if (!c->o->labelled || access(c->o->labelled, F_OK))
        return 0;
    return file_load(c->o->labelled, SIZE_MAX / 2, &c->labelled, &c->labelled_len, e);
}

/* Frames are from strangers: from here on files are written only beside the table. */
static void drop_privileges(const struct checker *c)
{
    char corrected[PATH_MAX], labelled[PATH_MAX];
    snprintf(corrected, sizeof corrected, "%s", c->o->corrected);
    snprintf(labelled, sizeof labelled, "%s", c->o->labelled ? c->o->labelled : c->o->corrected);
    privilege_drop(&(struct privilege){(const char *const *)c->o->files, (size_t)c->o->n,
                                       {dirname(corrected), dirname(labelled)}, true});
}

/* The window is made first: Xlib reads files of its own for its title. */
static int show(struct checker *c, struct err *e)
{
    if (loop_open(&c->loop, NULL, -1, 0, e))
        return -1;
    double z = c->loop.scale;
    c->across = c->room = 1;
    if (window_show(c->loop.window, "inkpipe check", (int)(z * (MARGIN + 10 * (TILE + MARGIN))),
                    (int)(z * (3 * LINE + MARGIN + 4 * (TILE + TILE_FOOT + MARGIN))),
                    (int)(z * (2 * MARGIN + 3 * TILE)), (int)(z * (3 * LINE + 2 * MARGIN + TILE + TILE_FOOT)),
                    false, e))
        return -1;
    drop_privileges(c);
    return read_all_cells(c, e);
}

static int check(struct checker *c, const sigset_t *open, struct err *e)
{
    if (load(c, e))
        return -1;
    if (!c->items) {
        tool_warn("%s: nothing is in check", c->o->table);
        return save(c, e);
    }
    if (show(c, e))
        return -1;
    run(c, open);
    return save(c, e);
}

static void free_checker(struct checker *c)
{
    for (size_t i = 0; i < c->tiles; i++)
        frame_free(&c->tile[i].frame);
    loop_close(&c->loop);
    free_table(&c->table);
    form_free(c->form);
    free(c->item);
    free(c->tile);
    free(c->action);
    free(c->labelled);
}

int main(int argc, char **argv)
{
    static struct checker c;
    struct err e = ERR_NONE;
    sigset_t open;
    tool_init("xcheck", usage);
    struct options o = parse(argc, argv);
    tool_catch_ends(&open);
    c.o = &o;
    int status = check(&c, &open, &e) ? tool_error(&e) : EXIT_OK;
    free_checker(&c);
    return tool_close(status);
}
