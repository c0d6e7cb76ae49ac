/* xcheck: a person looks at the doubtful cells of forms. In: a form, the table that formtable made of it, the cells as
 * preproc -f cut them out. Out: the table, corrected, whole on disk after every key that changes it. Cells are shown a
 * screenful at a time, those that were read as one digit beside one another: a 1 among 7s is seen at once. */
#define _GNU_SOURCE 1 /* realpath */
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/grow.h"
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

struct options {
    const char *form, *table, *corrected, *labelled; /* corrected: the table itself when not given */
    char **files;
    int n;
};

/* What u takes back: a correction of one cell, or with `count` the acceptance of that many. */
struct action {
    size_t first, selected, count;
    char now;
    bool keyed;
};

struct checker {
    const struct options *o;
    struct window_loop loop;
    struct form *form;
    struct form_review *review;
    struct action *action; /* [actions] */
    size_t cells, actions, action_room;
    size_t first, selected; /* the first cell on the screen; `cells`: all have been seen */
    struct window_tiles tiles;     /* that the window has room for, as it was painted */
    uint8_t *labelled;      /* what was in the file of -l */
    size_t labelled_len;
    struct err alarm; /* why the last change could not be written */
};

static struct options parse(int argc, char **argv)
{
    struct options o = {0};
    for (int c; (c = tool_getopt(argc, argv, "hl:o:V")) != -1;)
        switch (c) {
        case 'l': o.labelled = optarg; break;
        case 'o': o.corrected = optarg; break;
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
    if (o.labelled && !strcmp(o.labelled, o.corrected))
        tool_usage("-l %s: the table is written there", o.labelled);
    return o;
}

/* ---- files ---- */

static struct form_review *load_table(const char *name, const struct form *form, struct err *e)
{
    uint8_t *bytes;
    size_t len;
    if (file_load(name, MAX_TABLE, &bytes, &len, e))
        return NULL;
    struct form_review *review = form_review_parse(form, (char *)bytes, len, e);
    if (!review)
        err_at(e, name, -1);
    return review;
}

/* The table to go on with: the corrected one when it is there, and of the same pages. */
static int load_tables(struct checker *c, struct err *e)
{
    const char *name = c->o->corrected;
    if (!(c->review = load_table(c->o->table, c->form, e)))
        return -1;
    if (!strcmp(name, c->o->table) || access(name, F_OK))
        return 0;
    struct form_review *first = c->review;
    c->review = load_table(name, c->form, e);
    bool same = c->review && form_review_same_pages(first, c->review);
    form_review_free(first);
    if (!c->review || same)
        return c->review ? 0 : -1;
    err_set(e, "it is there, and of other pages than %.100s: name another file", c->o->table);
    return err_at(e, name, -1);
}

static int read_cells(struct checker *c, const char *name, struct err *e)
{
    struct frame frame = {0};
    struct frame_reader *in = frame_open(name, e);
    char source[FRAME_SOURCE];
    long number = 0;
    int got = -1;
    while (in && (got = frame_read(in, &frame, e)) > 0) {
        frame_source(in, &frame, source, sizeof source);
        if (form_review_add(c->review, &frame, source, frame_number(in, &frame), e)) {
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

static int read_all_cells(struct checker *c, struct err *e)
{
    for (int i = 0; i < c->o->n; i++)
        if (read_cells(c, c->o->files[i], e) < 0)
            return -1;
    if (form_review_sort(c->review, e))
        return err_at(e, c->o->table, -1);
    c->cells = form_review_cells(c->review);
    return 0;
}

static int save_table(const struct checker *c, struct err *e)
{
    char *bytes;
    size_t len;
    if (form_review_write(c->review, &bytes, &len, e))
        return -1;
    int status = file_save(c->o->corrected, bytes, len, e);
    free(bytes);
    return status;
}

/* The cells that were corrected, labelled, behind what was in the file. */
static int save_labelled(const struct checker *c, struct err *e)
{
    size_t len = c->labelled_len, size = len;
    char *bytes = size ? malloc(size) : NULL;
    int status = size && !bytes ? err_set(e, "out of memory") : 0;
    if (bytes)
        memcpy(bytes, c->labelled, len);
    for (size_t i = 0; !status && i < c->cells; i++) {
        struct form_review_cell *cell = form_review_cell(c->review, i);
        char now[2] = {*cell->now, '\0'};
        if (now[0] == cell->read || !strchr("0123456789", now[0]))
            continue;
        if (frame_set_fact(&cell->frame, "label", now, e) || frame_append(&bytes, &len, &size, &cell->frame, e))
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

static struct form_review_cell *cell(const struct checker *c, size_t i)
{
    return form_review_cell(c->review, i);
}

/* The cell behind the last on the screen: as many as there is room for, of those that were read alike. */
static size_t screen_end(const struct checker *c)
{
    size_t end = c->first, room = (size_t)c->tiles.across * (size_t)c->tiles.down;
    while (end < c->cells && end < c->first + room && cell(c, end)->read == cell(c, c->first)->read)
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
    if (grow_to(&c->action, c->actions + 1, &c->action_room, sizeof *c->action, &c->alarm))
        return NULL;
    c->action[c->actions] = (struct action){.first = c->first, .selected = c->selected};
    return &c->action[c->actions++];
}

static void correct(struct checker *c, char key)
{
    struct action *a = c->first < c->cells ? add_action(c) : NULL;
    if (!a)
        return;
    struct form_review_cell *chosen = cell(c, c->selected);
    a->now = *chosen->now;
    a->keyed = chosen->keyed;
    *chosen->now = key;
    chosen->keyed = true;
    if (c->selected + 1 < screen_end(c))
        c->selected++;
    changed(c);
}

static void accept(struct checker *c)
{
    size_t end = screen_end(c);
    struct action *a = c->first < c->cells ? add_action(c) : NULL;
    if (!a)
        return;
    a->count = end - c->first;
    for (size_t i = c->first; i < end; i++)
        cell(c, i)->accepted = true;
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
        cell(c, a->first + i)->accepted = false;
    if (!a->count) {
        *cell(c, a->selected)->now = a->now;
        cell(c, a->selected)->keyed = a->keyed;
    }
    changed(c);
}

static void choose(struct checker *c, int x, int y)
{
    int i = tiles_at(&c->tiles, x, y);
    if (i >= 0 && c->first + (size_t)i < screen_end(c))
        c->selected = c->first + (size_t)i;
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

static void paint_cell(struct checker *c, struct window_surface *s, size_t i)
{
    const struct form_review_cell *now = cell(c, i);
    char holds[2] = {*now->now, '\0'}, others[4];
    form_review_others(c->review, i, others);
    tiles_paint(s, &c->tiles, (int)(i - c->first),
                &(struct window_tile){&now->frame, holds, others, now->keyed, i == c->selected});
}

static void paint(struct checker *c, struct window_surface *s)
{
    char head[160], foot[600] = "";
    c->tiles = tiles_fit(c->loop.scale, s->width, s->height);
    size_t end = screen_end(c);
    if (c->selected >= end && end > c->first)
        c->selected = end - 1;
    paint_fill(s, box_at(0, 0, s->width, s->height), INK_BACKGROUND);
    snprintf(head, sizeof head, "all %zu cells have been seen", c->cells);
    if (end > c->first) {
        char read = cell(c, c->first)->read;
        snprintf(head, sizeof head, "read as %s%c   cells %zu to %zu of %zu", read == '-' ? "empty " : "", read,
                 c->first + 1, end, c->cells);
        form_review_describe(c->review, c->selected, foot, sizeof foot);
    }
    tiles_paint_words(s, c->loop.scale, head, foot, c->alarm.what);
    for (size_t i = c->first; i < end; i++)
        paint_cell(c, s, i);
}

static void run(struct checker *c, const sigset_t *open)
{
    while (!c->loop.quit && !tool_stopped()) {
        struct window_event event;
        while ((event = loop_event(&c->loop)).type != WINDOW_NONE)
            take_event(c, event);
        struct window_surface *s = c->loop.dirty ? window_surface(c->loop.window) : NULL;
        if (s) {
            paint(c, s);
            window_put(c->loop.window, box_at(0, 0, s->width, s->height));
            c->loop.dirty = false;
        }
        loop_wait(&c->loop, -1, HUGE_VAL, open);
    }
}

/* ---- all of it ---- */

/* The folder in which a file is written: a symbolic link stays, and what it points to is replaced. */
static char *folder_of(const char *file, char path[PATH_MAX])
{
    if (!realpath(file, path))
        snprintf(path, PATH_MAX, "%s", file); /* it is not there yet */
    return dirname(path);
}

/* All that is read from here on may be a stranger's; files are written only beside the tables. */
static void drop_privileges(const struct checker *c, bool window)
{
    char corrected[PATH_MAX], labelled[PATH_MAX];
    size_t n = 0;
    const char **own = tool_alloc((size_t)c->form->fields + 1, sizeof *own);
    for (int i = 0; i < c->form->fields; i++)
        if (c->form->field[i].list_name)
            own[n++] = c->form->field[i].list_name;
    own[n++] = c->o->table;
    const char *const folder[] = {folder_of(c->o->corrected, corrected),
                                  folder_of(c->o->labelled ? c->o->labelled : c->o->corrected, labelled)};
    tool_drop_privileges((struct privilege){own, n, {folder[0], folder[1]}, window}, c->o->files, (size_t)c->o->n);
    free(own);
}

static int load(struct checker *c, struct err *e)
{
    if (form_read_lists(c->form, e) || load_tables(c, e))
        return -1;
    if (!c->o->labelled || access(c->o->labelled, F_OK))
        return 0;
    return file_load(c->o->labelled, SIZE_MAX / 2, &c->labelled, &c->labelled_len, e);
}

static int show(struct checker *c, struct err *e)
{
    int width, height, least_width, least_height;
    tiles_size(c->loop.scale, 10, 4, &width, &height);
    tiles_size(c->loop.scale, 3, 1, &least_width, &least_height);
    c->tiles = tiles_fit(c->loop.scale, width, height);
    return window_show(c->loop.window, "inkpipe check", width, height, least_width, least_height, false, e);
}

/* The cells of -l are written behind what is there: that is never what else is kept. */
static int check_names(const struct options *o, struct err *e)
{
    const char *const kept[] = {o->form, o->table, o->corrected};
    for (size_t i = 0; o->labelled && i < sizeof kept / sizeof *kept; i++)
        if (file_not_saved(kept[i], o->labelled, e))
            return -1;
    return 0;
}

/* The display is connected to before privileges are dropped; that there is none matters only when there is
 * something to show. */
static int check(struct checker *c, const sigset_t *open, struct err *e)
{
    struct err none = ERR_NONE;
    if (check_names(c->o, e) || !(c->form = form_load(c->o->form, e)))
        return -1;
    bool window = !loop_open(&c->loop, NULL, -1, 0, &none);
    drop_privileges(c, window);
    if (load(c, e))
        return -1;
    if (!form_review_fields(c->review)) {
        tool_warn("%s: nothing is in check", c->o->table);
        return save(c, e);
    }
    if (!window)
        *e = none;
    if (!window || read_all_cells(c, e) || show(c, e))
        return -1;
    run(c, open);
    return save(c, e);
}

static void free_checker(struct checker *c)
{
    loop_close(&c->loop);
    form_review_free(c->review);
    form_free(c->form);
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
